"""Begins a new term: the last one's work and grades go into archive/, its dates out of course.toml.

Things are moved whole, into a folder that gets its name when all is in it; course.toml changes
last. So the same command goes on where it was interrupted, and nothing is written over.
"""

import datetime as dt
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import tomlkit

from coursekit import database, files
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.gradebook import Gradebook, NotBuilt

# What was given to students, what they did, and what came of it; by the names in .gitignore.
OF_A_TERM = ("release", "dist", "roster.csv", "canvas-gradebook.csv", "downloaded", "submitted",
             "autograded", "marking", "compare", "feedback", "grades", "grades.csv",
             "gradebook.csv", "gradebook.db", "report.html", "backups", "*.marks.json")  # fmt: skip


def begin(course: Course, name: str, first_day: dt.date) -> Iterator[str]:
    """Begin a term; yield what was done. CourseError at the first thing that is in the way."""
    if not (name.strip() and name.isprintable()):
        raise CourseError(f"{name!r} names no term; for example: nox -s term -- 'Autumn 2027' …")
    work = [path for name in OF_A_TERM for path in sorted(course.root.glob(name))]
    if work and name == course.term:
        raise CourseError(
            f"{course.file}: the term is {name} already, and {work[0].name} is of it. A new term "
            "has another name; to change a date alone, change it there."
        )
    text, cleared = new_settings(course, name, first_day)
    partial = course.root / "archive" / (re.sub(r"[^\w.-]+", "-", course.term) + ".partial")
    with database.one_grader(course.workspace.gradebook, course.root):
        leave_gradebook(course)
        if work or partial.exists():
            archive = put_away(course, work, partial)
            names = ", ".join(sorted(path.name for path in archive.iterdir()))
            yield f"{course.term} is in {archive.relative_to(course.root).as_posix()}/: {names}."
        else:
            yield f"No work and no grades of {course.term} are here: the new term starts clean."
        files.write_text(course.file, text)
    yield f"course.toml: {name}, from {first_day}; {', '.join(cleared) or 'nothing'} cleared."
    yield "Next: nox -s collect -- --roster FILE (who your students are); nox -s build"


def new_settings(course: Course, name: str, first_day: dt.date) -> tuple[str, list[str]]:
    """Return course.toml of a new term, comments and all, and what of the last one is not in it."""
    settings = tomlkit.parse(course.file.read_bytes().decode("utf-8-sig"))
    settings["course"]["term"] = name
    settings["schedule"]["first_day"] = first_day
    cleared = []
    for section, key in (("schedule", "due"), ("schedule", "sections"), ("kit", "reference"),
                         ("grading", "drop")):  # fmt: skip
        if settings.get(section, {}).get(key):
            cleared.append(f"[{section}] {key}")
            try:
                settings[section][key].clear()
            except IndexError:  # tomlkit's, of lines like `due.01_tensor = …`
                del settings[section][key]
    if settings.pop("extension", None):
        cleared.append("[[extension]]")
    return tomlkit.dumps(settings), cleared


def leave_gradebook(course: Course) -> None:
    """Make sure that the gradebook is one whole file, and that nothing of it comes with us."""
    if course.grading["db_url"]:
        with suppress(NotBuilt), Gradebook(course.workspace.gradebook) as gradebook:
            if gradebook.students():
                raise CourseError(
                    f"{course.file}: [grading] db_url is the address of the last term's gradebook: "
                    "keep it, make a new database, write its address there, and run this again."
                )
    file = course.root / "gradebook.db"
    if file.exists():
        # The last one that closes it puts into it what is in -wal. A broken one moves as it is.
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(file)) as gradebook:
            gradebook.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if file.with_name("gradebook.db-wal").exists():
            raise CourseError(f"{file} is open in another program (nox -s lab?): close that first.")


def put_away(course: Course, work: list[Path], partial: Path) -> Path:
    """Move a term's work and settings into a folder of the archive; return that folder."""
    partial.mkdir(parents=True, exist_ok=True)
    for path in work:
        target = partial / path.name
        try:
            if target.exists():  # made since this was interrupted
                raise FileExistsError(None, "both are there, so move one away")
            path.rename(target)
        except OSError as error:
            raise CourseError(f"{path} cannot move to {target}: {error.strerror}.") from None
    files.write_bytes(partial / course.file.name, course.file.read_bytes())
    archive, number = partial.with_suffix(""), 2
    while archive.exists():  # of a term of the same name
        archive, number = partial.with_name(f"{partial.stem}-{number}"), number + 1
    return partial.rename(archive)
