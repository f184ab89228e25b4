"""The command line under which students' code runs: bubblewrap, and a cgroup where one can be made.

Inside, there are the system and the Python environment to read, and nothing else of the machine: no
network, no /proc, no file of the course, no other user. Each submission then gets its own processes
and folders from `inside/jail.py`.
"""

import contextlib
import os
import platform
import shutil
import site
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from coursekit.errors import CourseError

NOBODY = "65534"
INSIDE = Path(__file__).resolve().parent / "inside"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
SETTINGS = (
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime"),
    "/etc/fonts",  # matplotlib's first plot asks for it, loudly
)
MACHINES = ("x86_64", "aarch64")  # whose system calls inside/jail.py knows
NAMESPACES = ("user", "pid", "ipc", "net", "uts", "cgroup")
MIB = 1024 * 1024

ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    "OMP_NUM_THREADS": "1",  # so do OpenBLAS's threads, which a fork would not survive
    "OPENBLAS_NUM_THREADS": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
}

MISSING = """\
Grading runs students' code, and there is no sandbox for it here: {reason}.
  - On Debian or Ubuntu, install it: sudo apt-get install bubblewrap
  - Elsewhere, or where a container forbids it, grade in the course's dev container or in WSL.
  - Or grade with --no-sandbox. Then the code runs as you: it can read and change your files, the
    solutions and the gradebook, and it can use the network. Do this only with work you trust."""


def command(reference: Path, preload: Iterable[str] = (), *, boxed: bool) -> list[str]:
    """Return the command line of a warm parent, with or without a sandbox around it."""
    return [*(in_sandbox(reference) if boxed else bare()), *preload]


def environment(reference: Path, *, boxed: bool) -> dict[str, str]:
    """Return its environment. bubblewrap passes nothing on, so that is all there is."""
    if boxed:
        return ENVIRONMENT
    paths = os.pathsep.join([str(reference), *map(str, libraries())])
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}


def check(*, wanted: bool = True) -> None:
    """Raise a CourseError that says how to go on unless what is wanted can be done here."""
    if sys.platform == "win32":
        raise CourseError("Grading runs on Linux and macOS: on Windows, in WSL or a dev container.")
    if not wanted:
        return
    if not shutil.which("bwrap"):
        raise CourseError(MISSING.format(reason="bubblewrap (bwrap) is not installed"))
    if platform.machine() not in MACHINES:
        raise CourseError(MISSING.format(reason=f"none is known for {platform.machine()}"))
    if not shutil.which("setpriv") and os.geteuid() == 0:
        raise CourseError(MISSING.format(reason="setpriv (of util-linux) is not installed"))
    probe = [*wrapped({}), "/usr/bin/env", "true"]
    done = subprocess.run(probe, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        said = (done.stderr.strip() or "it gave no reason").splitlines()[-1]
        raise CourseError(MISSING.format(reason=f"bubblewrap cannot make one ({said})"))


def available() -> bool:
    """Tell whether a sandbox can be made here."""
    try:
        check()
    except CourseError:
        return False
    return True


def bare() -> list[str]:
    return [sys.executable, "-P", str(INSIDE), "--no-sandbox"]


def in_sandbox(reference: Path) -> list[str]:
    """Return the command line of a warm parent in a sandbox."""
    folders = {f"/libraries/{n}": path for n, path in enumerate(libraries())}
    mounts = {"/reference": reference, "/engine": INSIDE, **folders}
    paths = ":".join(["/reference", *folders])
    python = [str(base_python()), "-P", "-s", "/engine"]
    return [*wrapped(mounts, {"PYTHONPATH": paths}), *python]


def wrapped(mounts: dict[str, Path], environment: dict[str, str] | None = None) -> list[str]:
    """Return the start of a command line: what follows it runs in the sandbox."""
    mounts = {**system(), **mounts}
    if os.geteuid() != 0:
        return inner(mounts, environment or {})
    visible = {target: Path(target) for target in mounts}
    return [*drop_root(mounts), *inner(visible, environment or {})]


def inner(mounts: dict[str, Path], environment: dict[str, str]) -> list[str]:
    """Return the sandbox's own command line, for a normal user."""
    variables = {**ENVIRONMENT, **environment}
    return [
        *[bwrap(), *(f"--unshare-{name}" for name in NAMESPACES), "--disable-userns"],
        *["--uid", NOBODY, "--gid", NOBODY, "--die-with-parent", "--new-session", "--clearenv"],
        *(word for pair in variables.items() for word in ("--setenv", *pair)),
        *["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"],  # the jail's, until code runs
        *[*binds(mounts), *links(), "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"],
        *["--remount-ro", "/dev", "--remount-ro", "/", "--"],
    ]


def drop_root(mounts: dict[str, Path]) -> list[str]:
    """Return what turns root into nobody where nobody can see just these mounts.

    On the machine itself, nobody would not find a Python that lies in root's home.
    """
    above = {str(parent) for target in mounts for parent in list(Path(target).parents)[:-1]}
    opened = [word for path in sorted(above) for word in ("--dir", path, "--chmod", "0755", path)]
    needed = ["--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", "--dir", "/tmp"]
    become = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    return [bwrap(), "--die-with-parent", *opened, *binds(mounts), *links(), *needed, *become]


def bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"


def system() -> dict[str, Path]:
    """Return what a Python needs from the machine, to read."""
    paths = [Path(path) for path in (*SYSTEM, *SETTINGS)]
    prefix = Path(sys.base_prefix).resolve()
    paths += [] if prefix.is_relative_to("/usr") else [prefix]
    return {str(path): path for path in paths if path.exists() and not path.is_symlink()}


def links() -> list[str]:
    """Return the links of the system: /bin is one to /usr/bin nearly everywhere."""
    found = [path for path in map(Path, SYSTEM) if path.is_symlink()]
    return [word for path in found for word in ("--symlink", str(path.readlink()), str(path))]


def binds(mounts: dict[str, Path]) -> Iterator[str]:
    for target, source in mounts.items():
        yield from ("--ro-bind", str(source), target)


def base_python() -> Path:
    """Return the Python that the environment was made from: it is not below the course."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def libraries() -> list[Path]:
    """Return the folders that packages are installed in."""
    names = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    names += [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return list(dict.fromkeys(path for path in map(Path, names) if path.is_dir()))


@contextlib.contextmanager
def cgroup(memory_mb: int, processes: int) -> Iterator[list[str]]:
    """Make a cgroup with these limits; yield what puts a command into it, nothing if none can be.

    The sandbox's limits for each process hold all the same.
    """
    groups = [*made_groups({"memory": memory_mb * MIB, "pids": processes})]
    files = " ".join(f"'{group}/cgroup.procs'" for group in groups)
    join = f'for f in {files}; do echo $$ > "$f" || exit 1; done; exec "$@"'
    try:
        yield ["sh", "-c", join, "sh"] if groups else []
    finally:
        for group in groups:
            remove(group)


def remove(group: Path) -> None:
    """Remove a cgroup as soon as the last process in it is gone."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            return group.rmdir()
        time.sleep(0.02)


def made_groups(limits: dict[str, int]) -> Iterator[Path]:
    """Make one cgroup with these limits (version 2), or one for each that can be (version 1)."""
    root = Path("/sys/fs/cgroup")
    name = f"coursekit-{uuid.uuid4().hex[:12]}"
    if (root / "cgroup.controllers").is_file():
        sweep(own_group(root))
        yield from limited(own_group(root) / name, {f"{k}.max": v for k, v in limits.items()})
        return
    files = {"memory": "memory.limit_in_bytes", "pids": "pids.max"}
    for controller, limit in limits.items():
        sweep(root / controller)
        yield from limited(root / controller / name, {files[controller]: limit})


def sweep(folder: Path) -> None:
    """Remove groups that a killed grader left behind: old ones, without a process."""
    for group in folder.glob("coursekit-*"):
        with contextlib.suppress(OSError):
            if time.time() - group.stat().st_mtime > 60:
                group.rmdir()


def own_group(root: Path) -> Path:
    """Return the version 2 group that this process is in, which may be delegated to its user."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    return root / next(line for line in lines if line.startswith("0::"))[3:].strip().lstrip("/")


def limited(group: Path, limits: dict[str, int]) -> Iterator[Path]:
    """Yield the group if it can be made with all these limits."""
    try:
        group.mkdir()
    except OSError:
        return
    try:
        for name, limit in limits.items():
            (group / name).write_text(str(limit), encoding="utf-8")
        yield group
    except OSError:
        group.rmdir()


def windows() -> bool:
    """Tell whether this is Windows, where no code of students is run."""
    return sys.platform == "win32"
