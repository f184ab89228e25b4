"""What a student handed in: found, checked, and copied to a safe place."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

from coursekit.course import Course, Module
from coursekit.errors import CourseError

STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
TIMESTAMP = "timestamp.txt"  # nbgrader's name; plain text, when the work was handed in


@dataclass(frozen=True)
class Submission:
    """One folder submitted/STUDENT/MODULE/."""

    student: str
    module: Module
    folder: Path

    @property
    def notebook(self) -> Path:
        return self.folder / self.module.notebook.name


def find(
    course: Course, submitted: Path, modules: list[Module], students: list[str]
) -> list[Submission]:
    """Return the submissions of these modules, by all students or those named."""
    folders = sorted(p for p in submitted.glob("*") if p.is_dir() and not p.name.startswith("."))
    unknown = sorted(set(students) - {folder.name for folder in folders})
    if unknown:
        raise CourseError(f"{submitted} has no folder for: {', '.join(unknown)}.")
    found = [
        Submission(folder.name, module, folder / module.name)
        for folder in folders
        if not students or folder.name in students
        for module in modules
        if (folder / module.name).is_dir()
    ]
    if not found:
        names = ", ".join(module.name for module in modules)
        raise CourseError(where_to_put_them(course, submitted, names))
    return found


def where_to_put_them(course: Course, submitted: Path, names: str) -> str:
    module = course.modules()[0]
    place = submitted.relative_to(course.root) / "STUDENT_ID" / module.name / module.notebook.name
    return (
        f"No submissions of {names} in {submitted}.\n"
        f"Put each student's notebook at {place.as_posix()} and run this again,\n"
        f"or see a made-up term graded: nox -s grade -- --demo"
    )


def problem(submission: Submission) -> str:
    """Return why a submission cannot be graded, or "" if it can."""
    path = submission.notebook
    if path.is_symlink() or submission.folder.is_symlink():
        return f"{path.name} is a link, not a notebook"
    if not path.is_file():
        return f"{path.name} is missing{instead(submission)}"
    try:
        nb = nbformat.read(path, as_version=4)
        nbformat.validate(nb)
    except Exception as error:  # whatever is wrong with a file, its student gets a row
        return f"{path.name} is not a notebook: {str(error).splitlines()[0][:120]}"
    return ""


def contents(submission: Submission) -> list[bytes]:
    """Return the bytes that are graded: the notebook and when it was handed in."""
    paths = [submission.notebook, submission.folder / TIMESTAMP]
    return [path.read_bytes() if path.is_file() else b"" for path in paths]


def strays(course: Course, submitted: Path) -> list[str]:
    """Return what lies in submitted/ where no submission belongs, and would be overlooked."""
    names = {module.name for module in course.modules()}
    top = [p for p in submitted.glob("[!.]*") if not p.is_dir()]
    inner = [p for p in submitted.glob("[!.]*/[!.]*") if not p.is_dir() or p.name not in names]
    return [p.relative_to(course.root).as_posix() for p in sorted(top + inner)]


def instead(submission: Submission) -> str:
    names = sorted(path.name for path in submission.folder.iterdir())[:3]
    return f"; the folder holds {', '.join(names)}" if names else "; the folder is empty"


def copy_to(submission: Submission, submitted: Path) -> list[str]:
    """Copy the notebook and its timestamp, nothing else; return what was left out or repaired."""
    target = submitted / submission.student / submission.module.name
    target.mkdir(parents=True)
    shutil.copy(submission.notebook, target)
    stamp = submission.folder / TIMESTAMP
    if not stamp.is_file():
        return []
    try:
        parse_utc(stamp.read_text(encoding="utf-8").strip())
    except (ValueError, OverflowError):
        return [f"{TIMESTAMP} holds no date and was not used"]
    shutil.copy(stamp, target)
    return []


@dataclass(frozen=True)
class Taken:
    nb: object
    repaired: tuple
    handed_in: object


def take(submission):
    from coursekit.errors import Ungradable

    if p := problem(submission):
        raise Ungradable(p)
    stamp = submission.folder / TIMESTAMP
    when, notes = None, ()
    if stamp.is_file():
        try:
            when = parse_utc(stamp.read_text(encoding="utf-8").strip())
        except (ValueError, OverflowError):
            notes = (f"{TIMESTAMP} holds no date and was not used",)
    return Taken(nbformat.read(submission.notebook, as_version=4), notes, when)
