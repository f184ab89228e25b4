"""Remove what the answers left out, record where the course comes from, say what to type next."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

RECORD = ".template.json"  # a file of its own: nobody edits it, so every update merges it
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


def git(repository: Path | None, *arguments: str) -> str:
    """Return what git says of the template; nothing of a folder or zip, or where git is missing."""
    if not repository or not (repository / ".git").exists():  # git would look in those above
        return ""
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def template_at(path: str, *starts: str) -> Path | None:
    """Return the folder at a path, as seen from one of some places, if it holds a template."""
    found = (Path(start, path) for start in starts)
    return next((each.resolve() for each in found if (each / "cookiecutter.json").is_file()), None)


def origin(context: dict[str, str], start: str | None) -> dict[str, object]:
    """Return the template's address, its version (a tag or commit) and the public answers."""
    # Cookiecutter has changed folders, and Windows does not say where it stood: mostly there.
    starts = [start, context["_output_dir"]] if start else [context["_output_dir"]]
    repository = template_at(context["_repo_dir"], *starts)
    # A clone knows its address, which others reach, too; a password in it is nobody's business.
    address = re.sub(r"^(https?://)[^/@]*@", r"\1", git(repository, "config", "remote.origin.url"))
    given = template_at(context["_template"], *starts) or context["_template"]
    return {
        "template": address or str(given),
        "version": git(repository, "describe", "--tags", "--always", "--abbrev=12"),
        "answers": {name: value for name, value in context.items() if not name.startswith("_")},
    }


def read_context() -> dict[str, str]:
    """Return all that Cookiecutter knows of this bake."""
    # In JSON no three quotation marks meet and no backslash stands alone, so this literal is safe.
    return json.loads(r"""<< cookiecutter | tojson >>""")


def path_from(start: str | None, course: Path) -> Path:
    """Return the course's path as seen from `start`, or in full from elsewhere."""
    if start and course.is_relative_to(here := Path(start).resolve()):
        return course.relative_to(here)
    return course


def next_commands(path: Path) -> list[str]:
    """Return the commands that take a new course to its first graded submissions."""
    return [
        f"cd {shlex.quote(str(path))}",
        'git init && git add . && git commit -m "Start the course"',
        "python3 noxfile.py -s build  # after a look at course.toml: the time zone is UTC",
        "python3 noxfile.py -s grade -- --demo",
    ]


def main() -> None:
    """Finish the course, which is the current folder."""
    course = Path.cwd()
    prune(course, LICENSE, LAST_MODULE)
    record = origin(read_context(), os.environ.get("PWD"))
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    (course / RECORD).write_text(text, encoding="utf-8", newline="\n")
    # Cookiecutter has changed folders; the shell's PWD still says where the user stands.
    commands = next_commands(path_from(os.environ.get("PWD"), course))
    print("\nYour course is ready. Next:\n", *(f"    {command}" for command in commands), sep="\n")


if __name__ == "__main__":
    main()
