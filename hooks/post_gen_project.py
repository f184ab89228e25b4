"""Remove what the answers left out, and say what to type next."""

import os
import shlex
import shutil
from pathlib import Path

LICENSE = "<< cookiecutter.license >>"
LAST_MODULE = "<< cookiecutter.last_module >>"
LEFT_OUT = {"Proprietary": ["LICENSE"]}  # by license: the files its courses do without
NEEDED_FROM = {  # tests of several modules, by the first that a course must reach to need them
    "tests/test_integration.py": "04_losses",
    "tests/test_gradients.py": "05_autograd",
    "tests/test_bench.py": "06_optimizers",
}


def prune(course: Path, license_name: str, last_module: str) -> None:
    """Remove the files and the modules that the answers left out."""
    for name in LEFT_OUT.get(license_name, []):
        (course / name).unlink()
    for name, module in NEEDED_FROM.items():
        if module > last_module:
            (course / name).unlink(missing_ok=True)
    for module in (course / "modules").iterdir():
        if module.name > last_module:
            shutil.rmtree(module)


def path_from(start: str | None, course: Path) -> Path:
    """Return the course's path as seen from `start`, or in full from elsewhere."""
    if start and course.is_relative_to(here := Path(start).resolve()):
        return course.relative_to(here)
    return course


def next_commands(path: Path) -> list[str]:
    """Return the commands that take a new course to its first graded submissions."""
    return [
        f"cd {shlex.quote(str(path))}",
        "python noxfile.py -s build",
        "python noxfile.py -s grade -- --demo",
    ]


def main() -> None:
    """Finish the course, which is the current folder."""
    course = Path.cwd()
    prune(course, LICENSE, LAST_MODULE)
    # Cookiecutter has changed folders; the shell's PWD still says where the user stands.
    commands = next_commands(path_from(os.environ.get("PWD"), course))
    print("\nYour course is ready. Next:\n", *(f"    {command}" for command in commands), sep="\n")


if __name__ == "__main__":
    main()
