# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""The term in a few commands. Start with `nox -s build`; without nox `python3 noxfile.py -s build`.

Everything after `--` goes to the command: `nox -s build -- 01_tensor`, `nox -s grade -- --help`.
Each session but `bench` is one `python -m coursekit …`, in the course's one environment, .venv.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run_with_nox() -> int:
    """Put nox into .nox/bootstrap (once) and run this file there: a machine needs only Python."""
    home = HERE / ".nox" / "bootstrap"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = home / "ready"
    if not ready.exists():
        print("Installing nox into", home, flush=True)
        make = [sys.executable, "-m", "venv", "--clear", home]
        fill = [python, "-m", "pip", "install", "--quiet", "nox[uv]"]
        if any(subprocess.run(command, check=False).returncode for command in (make, fill)):
            sys.exit("nox could not be installed; the lines above say why.")
        ready.touch()
    return subprocess.run([python, *sys.argv], check=False).returncode


try:
    import nox
except ModuleNotFoundError:
    sys.exit(run_with_nox())

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["build", "test"]

VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def made_for(venv: Path) -> str:
    """Return where a .venv stood when it was made: its scripts work nowhere else."""
    installed = venv / "installed.toml"
    first = installed.read_text(encoding="utf-8").partition("\n")[0] if installed.exists() else ""
    return first.removeprefix("# ")


def environment(session: nox.Session) -> None:
    """Make .venv on first use, and anew where the course was moved or copied.

    Install what pyproject.toml asks for, and again when that changes.
    """
    env = {"VIRTUAL_ENV": None, "UV_COMPILE_BYTECODE": "1"}  # else the first commands are slow
    uv = [sys.executable, "-m", "uv", "--quiet"]
    wanted = f"# {VENV}\n" + (HERE / "pyproject.toml").read_text(encoding="utf-8")
    installed = VENV / "installed.toml"
    if not PYTHON.exists() or made_for(VENV) != str(VENV):
        # Not the first one on the PATH, which uv would take; unless nox has one that is too old.
        same = ["--python", sys.executable] if sys.version_info >= (3, 11) else []
        session.run(*uv, "venv", "--clear", *same, str(VENV), env=env, log=False)
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        group = f"{HERE / 'pyproject.toml'}:staff"
        install = ["pip", "install", "--python", str(PYTHON), "--group", group]
        session.run(*uv, *install, env=env, log=False)
        installed.write_text(wanted, encoding="utf-8")


def pytorch(session: nox.Session) -> None:
    """Install the group `oracle`, by pip: it takes builds of PyTorch that uv does not find."""
    uv = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--python", str(PYTHON)]
    session.run(*uv, "pip>=25.1", env={"VIRTUAL_ENV": None}, log=False)
    group = f"{HERE / 'pyproject.toml'}:oracle"
    session.run(str(PYTHON), "-m", "pip", "install", "--quiet", "--group", group)


def extra(session: nox.Session) -> None:
    """Install the groups of an update, a cluster, a gradebook server where they are asked for."""
    wanted = []
    if any(word.startswith("--scheduler") for word in session.posargs):
        wanted += ["--group", f"{HERE / 'pyproject.toml'}:cluster"]
    if session.name == "update":
        wanted += ["--group", f"{HERE / 'pyproject.toml'}:update"]
    if on_server(HERE / "course.toml"):
        wanted += ["--group", f"{HERE / 'pyproject.toml'}:postgresql"]
    uv = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--python", str(PYTHON)]
    if wanted:
        session.run(*uv, *wanted, env={"VIRTUAL_ENV": None}, log=False)


def on_server(settings: Path) -> bool:
    """Tell whether course.toml sets db_url. What is wrong in that file, coursekit says."""
    text = settings.read_bytes().decode("utf-8", "replace") if settings.is_file() else ""
    return bool(re.search(r"""^\s*db_url\s*=\s*["'][^"'\s]""", text, re.MULTILINE))


def coursekit(session: nox.Session, command: str) -> None:
    """Run `python -m coursekit COMMAND …` in .venv."""
    environment(session)
    extra(session)
    command_line = [str(PYTHON), "-m", "coursekit", command, *session.posargs]
    # Into a file, Windows would write what it calls ANSI, which has no ✅.
    session.run(*command_line, env={"VIRTUAL_ENV": None, "PYTHONUTF8": "1"})


@nox.session
def sync(session: nox.Session) -> None:
    """Write notebooks and package from each .py. [--check | --force | --from-notebook] [MODULE]"""
    coursekit(session, "sync")


@nox.session
def build(session: nox.Session) -> None:
    """Make release/ and the student kit in dist/; refuse if a solution would leak. [MODULE …]"""
    coursekit(session, "build")


@nox.session
def collect(session: nox.Session) -> None:
    """Take in what an LMS gives to download: PATH … [--roster FILE] … (-- --help)"""
    coursekit(session, "collect")


@nox.session
def grade(session: nox.Session) -> None:
    """Grade submitted/STUDENT/. [MODULE …] [--student ID] [--jobs N] [--demo] … (-- --help)"""
    coursekit(session, "grade")


@nox.session
def mark(session: nox.Session) -> None:
    """Make pages to mark answers on: MODULE [--split NAME,…]; take in what they save: FILE …"""
    coursekit(session, "mark")


@nox.session
def compare(session: nox.Session) -> None:
    """Show what students' work has in common, pair by pair. MODULE [--with FOLDER]"""
    coursekit(session, "compare")


@nox.session
def test(session: nox.Session) -> None:
    """Check the modules: standards, grading, student bugs. [MODULE …] [--oracle: and PyTorch]"""
    environment(session)
    if "--oracle" in session.posargs:
        pytorch(session)
    coursekit(session, "test")


@nox.session
def bench(session: nox.Session) -> None:
    """Time the framework. [--oracle: and PyTorch | --check FILE | --grading …] … (-- --help)"""
    environment(session)
    if "--oracle" in session.posargs:
        pytorch(session)
    script = "bench.grading" if "--grading" in session.posargs else "bench.framework"
    rest = [word for word in session.posargs if word not in ("--oracle", "--grading")]
    session.run(str(PYTHON), "-m", script, *rest, env={"VIRTUAL_ENV": None})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff. [--fix]"""
    coursekit(session, "lint")


@nox.session
def lab(session: nox.Session) -> None:
    """Open JupyterLab on the course, with nbgrader's formgrader for the written answers."""
    coursekit(session, "lab")


@nox.session
def update(session: nox.Session) -> None:
    """Bring a newer template into this course. [--check] [VERSION] [--answer NAME VALUE]"""
    coursekit(session, "update")


@nox.session
def term(session: nox.Session) -> None:
    """Begin a new term; the last one goes into archive/. "Autumn 2027" --first-day 2027-09-06"""
    coursekit(session, "term")


@nox.session(name="new-module")
def new_module(session: nox.Session) -> None:
    """Make a module that builds and grades; say what is to be written in it. 08_convolutions"""
    coursekit(session, "new-module")


@nox.session(name="new-exercise")
def new_exercise(session: nox.Session) -> None:
    """Add an exercise with its tests to a module. MODULE TITLE"""
    coursekit(session, "new-exercise")


if __name__ == "__main__":
    sys.argv[1:1] = ["--noxfile", str(HERE / "noxfile.py")]  # not the one of the current folder
    nox.main()
