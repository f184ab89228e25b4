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
BWRAP = shutil.which("bwrap") or "bwrap"
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime"),
    "/etc/fonts",  # matplotlib's first plot asks for it, loudly
)
MACHINES = ("x86_64", "aarch64")  # whose system calls inside/jail.py knows
NAMESPACES = ("user", "pid", "ipc", "net", "uts", "cgroup")

ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    # Threads of BLAS, the last ones Accelerate's on macOS, would not survive a fork.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"),
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
}

MISSING = """\
Grading runs students' code, and there is no sandbox for it here: {reason}.
  - {first}
  - Where that cannot be done, grade in the course's dev container or in WSL.
  - Or grade with --no-sandbox. Then the code runs as you: it can read and change your files, the
    solutions and the gradebook, and it can use the network. Do this only with work you trust."""
INSTALL = "On Debian or Ubuntu, install it: sudo apt-get install bubblewrap"
ALLOW = "Let users make namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")  # Ubuntu, from 23.10


def command(
    reference: Path, wanted: Iterable[str], *, boxed: bool
) -> tuple[list[str], dict[str, str]]:
    """Return the command line of a warm parent, and its environment, without or with a sandbox."""
    if not boxed:
        paths = os.pathsep.join(map(str, [reference, *libraries()]))
        bare = [sys.executable, "-P", str(INSIDE), "bare", *wanted]
        return bare, {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}
    folders = {f"/libraries/{n}": path for n, path in enumerate(libraries())}
    mounts = {"/reference": reference, "/engine": INSIDE, **folders}
    # The Python that the environment was made from: it is not below the course.
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    box = wrapped(mounts, {"PYTHONPATH": ":".join(["/reference", *folders])})
    return [*box, str(python), "-P", "-s", "/engine", "boxed", *wanted], ENVIRONMENT


def check(*, wanted: bool = True) -> None:
    """Raise a CourseError that says how to go on unless what is wanted can be done here."""
    if not wanted:
        return
    reason, first = "", "This machine, or the container it is, forbids it."
    if not shutil.which("bwrap"):
        reason, first = "bubblewrap (bwrap) is not installed", INSTALL
    elif platform.machine() not in MACHINES:
        reason = f"none is known for {platform.machine()}"
    else:
        probe = [*wrapped({}, {}), "/usr/bin/env", "true"]
        done = subprocess.run(probe, capture_output=True, encoding="utf-8", check=False)
        if done.returncode:
            said = (done.stderr.strip() or "it gave no reason").splitlines()[-1]
            reason = f"bubblewrap cannot make one ({said})"
            if RESTRICTED.is_file() and RESTRICTED.read_text(encoding="utf-8").strip() == "1":
                first = ALLOW
    if reason:
        raise CourseError(MISSING.format(reason=reason, first=first))


def available() -> bool:
    """Tell whether a sandbox can be made here."""
    try:
        check()
    except CourseError:
        return False
    return True


def wrapped(mounts: dict[str, Path], variables: dict[str, str]) -> list[str]:
    """Return the start of a command line: what follows it runs in the sandbox."""
    paths = [*map(Path, SYSTEM), Path(sys.base_prefix).resolve()]  # what a Python needs
    mounts = {**{str(path): path for path in paths if path.exists()}, **mounts}
    outer: list[str] = []
    if os.geteuid() == 0:
        outer = drop_root(mounts)
        mounts = {target: Path(target) for target in mounts}  # as they are to be seen in there
    variables = {**ENVIRONMENT, **variables}
    return [
        *[*outer, BWRAP, *(f"--unshare-{name}" for name in NAMESPACES), "--disable-userns"],
        *["--uid", NOBODY, "--gid", NOBODY, "--die-with-parent", "--new-session", "--clearenv"],
        *(word for pair in variables.items() for word in ("--setenv", *pair)),
        *["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"],  # the jail's, until code runs
        *[*binds(mounts), "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"],
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
    return [BWRAP, "--die-with-parent", *opened, *binds(mounts), *needed, *become]


def binds(mounts: dict[str, Path]) -> Iterator[str]:
    """Show these, to read."""
    for target, source in mounts.items():
        yield from ("--ro-bind", str(source), target)


def libraries() -> list[Path]:
    """Return the folders that packages are installed in."""
    names = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    names += [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return list(dict.fromkeys(path for path in map(Path, names) if path.is_dir()))


@contextlib.contextmanager
def cgroup(memory_mb: int, processes: int) -> Iterator[list[str]]:
    """Make a cgroup with these limits; yield what puts a command into it, as far as one can be.

    The sandbox's limits for each process hold all the same.
    """
    groups: set[Path] = set()
    for path, limit in limit_files(memory_mb * 1024**2, processes).items():
        with contextlib.suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            groups.add(path.parent)
            path.write_text(str(limit), encoding="utf-8")
    join = [f"echo $$ > '{group}/cgroup.procs'" for group in groups]
    try:
        yield ["sh", "-c", "\n".join([*join, 'exec "$@"']), "sh"] if groups else []
    finally:
        for group in groups:
            remove(group)


def limit_files(memory: int, processes: int) -> dict[Path, int]:
    """Return the files that hold limits: of one group (version 2), or of one each (version 1)."""
    root, name = Path("/sys/fs/cgroup"), f"coursekit-{uuid.uuid4().hex[:12]}"
    if not (root / "cgroup.controllers").is_file():
        return {
            root / "memory" / name / "memory.limit_in_bytes": memory,
            root / "pids" / name / "pids.max": processes,
        }
    # The group that this process is in, which may be delegated to its user.
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = next(line for line in lines if line.startswith("0::")).removeprefix("0::/").strip()
    return {root / own / name / "memory.max": memory, root / own / name / "pids.max": processes}


def remove(group: Path) -> None:
    """Remove a cgroup as soon as the last process in it is gone."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            return group.rmdir()
        time.sleep(0.02)
