"""roster.csv: who is in the course, and by which names an LMS knows them.

Made from what the LMS exports: Canvas's gradebook, Moodle's participants.
"""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

from coursekit import files
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.intake.collect import STUDENT_ID, printable
from coursekit.intake.parse import decoded
from coursekit.settings import meant

NAME = "roster.csv"
IN_LMS = "lms id "  # before an LMS's number, where it is one name among others
CANVAS_EXPORT = "canvas-gradebook.csv"  # as it was given, for the marks that go back
# The columns of LMS exports, in lower case, by what they hold; the first that is filled counts.
LOGINS = "sis login id", "username", "sis user id", "id number", "github_username", "sid"
COLUMNS = {
    "id": (*LOGINS, "email address", "id"),
    "name": ("student", "full name", "name", "identifier"),
    "first": ("first name",),
    "last": ("last name", "surname"),
    "email": ("email address", "email"),
    "lms_id": ("id",),
    "section": ("section", "groups", "sections"),
}


@dataclass
class Student:
    """A row of roster.csv; `id` names the folder in submitted/."""

    id: str
    name: str = ""
    email: str = ""
    lms_id: str = ""
    section: str = ""

    @property
    def sections(self) -> set[str]:
        """Return the section as it stands there, and each of several as an LMS joins them."""
        return {self.section, *re.split(", | and ", self.section)} - {""}

    @property
    def keys(self) -> set[str]:
        """Return by what a download may call this student."""
        named = {self.id.casefold(), self.email.casefold(), *spellings(self.name)}
        number = self.lms_id or self.id * self.id.isdecimal()
        return {key for key in (*named, by_number(number)) if key}


def by_number(lms_id: str) -> str:
    """Return an LMS's number as a name that is nobody's login, e-mail or own number."""
    return f"{IN_LMS}{lms_id}" if lms_id else ""


COLUMN_NAMES = [field.name for field in fields(Student)]


def spellings(name: str) -> set[str]:
    """Return a name as "First Last", turned from "Last, First", and joined as Canvas joins it."""
    last, comma, first = name.partition(",")
    ways = {name, f"{first.strip()} {last.strip()}" if comma else name}
    if not comma and " " in name:  # Canvas begins with the family name, often the last word
        *rest, family = name.split()
        ways.add(" ".join([family, *rest]))
    return {folded(way) for way in ways} | {re.sub(r"\W", "", folded(way)) for way in ways}


def folded(text: str) -> str:
    """Return a text without case, in one form of Unicode, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class Roster:
    """All students, found by whatever names them."""

    def __init__(self, students: Iterable[Student]) -> None:
        self.students = list(students)
        self.known: dict[str, list[Student]] = defaultdict(list)
        for student in self.students:
            for key in student.keys:
                self.known[key].append(student)

    def find(self, *names: str) -> Student:
        """Return the student whom these names mean, the first that anyone has; LookupError."""
        strange = False  # a number came first that is nobody's: an LMS's, of a namesake
        for name in names:
            key = folded(name)
            candidates = self.known.get(key) or self.known.get(re.sub(r"\W", "", key)) or []
            if len(candidates) > 1:
                both = ", ".join(student.id for student in candidates)
                raise LookupError(f"{printable(name)} may be any of {both}: put it into submitted/")
            if candidates and not (strange and candidates[0].lms_id):
                return candidates[0]
            strange |= name.startswith(IN_LMS)
        called = " or ".join(map(printable, filter(None, names)))
        raise LookupError(f"nobody in {NAME} is called {called or 'nothing at all'}")


def read(course: Course) -> Roster:
    """Return the roster of a course. CourseError names the line that is wrong."""
    path = course.root / NAME
    if not path.is_file():
        raise CourseError(
            f"{path} is not there: it says which student is who in your LMS. Export Canvas's "
            "gradebook or Moodle's participants as CSV, then: nox -s collect -- --roster FILE"
        )
    return of_rows(path, list(rows(path)))


def read_if_any(course: Course) -> Roster:
    """Return the roster of a course, an empty one if there is none."""
    return read(course) if (course.root / NAME).is_file() else Roster([])


def known(course: Course) -> Roster:
    """Return the roster, empty if there is none. CourseError if any dates are nobody's."""
    sections = course.schedule["sections"]
    people = read(course) if sections else read_if_any(course)
    taken = {name for student in people.students for name in student.sections}
    for name in sections.keys() - taken:
        raise CourseError(
            f"{course.file}: [schedule.sections.{name}] is nobody's; the sections in {NAME} are: "
            f"{', '.join(sorted(taken)) or 'none'}."
        )
    ids = {student.id for student in people.students}
    for each in course.extension:
        if ids and each["student"] not in ids:
            what = f"[[extension]] student {each['student']!r} is no id in {NAME}"
            raise CourseError(f"{course.file}: {what}{meant(each['student'], ids)}")
    return people


def add_sections(course: Course, people: Roster) -> None:
    """Let the dates of sections count as extensions of all who are in one: of two the later.

    One that course.toml gives a student by name counts before them.
    """
    found: list[dict[str, Any]] = [
        {"student": student.id, "section": name, "module": module, "until": day, "reason": ""}
        for name, dates in course.schedule["sections"].items()
        for student in people.students if name in student.sections
        for module, day in dates.items()
    ]  # fmt: skip
    in_order = sorted(found, key=lambda each: course.moment(each["until"]))
    course.extension = (*in_order, *course.extension)


def of_rows(path: Path, table: list[dict[str, str]]) -> Roster:
    """Return the roster of these rows, of a file or for it. CourseError names the line."""
    students, lines = [], {}
    for number, row in enumerate(table, 2):
        student = Student(**{name: row.get(name, "") for name in COLUMN_NAMES})
        if not STUDENT_ID.fullmatch(student.id):
            raise CourseError(
                f"{path}, line {number}: the id {student.id!r} cannot name a folder; use letters, "
                "digits and . _ @ + - only."
            )
        if first := lines.get(student.id.casefold()):
            raise CourseError(
                f"{path}: lines {first} and {number} have the same id {student.id}; "
                "give one of them another."
            )
        lines[student.id.casefold()] = number
        students.append(student)
    return Roster(students)


def table(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a CSV file, the head first: in any encoding, whatever divides them."""
    try:
        text = decoded(path.read_bytes())[0].lstrip("\ufeff")
        lines = io.StringIO(text, newline=None)  # \r alone ends a line, too
        divider = max(",;\t", key=next(iter(text.splitlines()), "").count)
        yield from csv.reader(lines, delimiter=divider)
    except (OSError, csv.Error) as error:
        raise CourseError(f"{path} cannot be read: {error}.") from None


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file by their column's name in lower case."""
    head, *rest = [*table(path)] or [[]]
    names = [name.strip().casefold() for name in head]
    for row in filter(any, rest):
        yield dict(zip_longest(names, map(str.strip, row[: len(names)]), fillvalue=""))


def make(course: Course, export: Path) -> tuple[Path, list[str]]:
    """Write roster.csv from an LMS's export; return it, and what to know.

    What a person wrote there stays, with columns of their own: only new rows and empty fields are
    filled in. CourseError, and nothing is written, if two students would have one id.
    """
    path = course.root / NAME
    table = list(rows(path)) if path.is_file() else []
    known, by_id = of_rows(path, table), {row.get("id"): row for row in table}
    before, met, moved = len(table), set(), []
    for student in students_in(export):
        new = asdict(student)
        try:
            names = by_number(new["lms_id"]), new["email"], new["id"]
            row = by_id[known.find(*filter(None, names)).id]
        except LookupError:
            row = {}
            table.append(row)
        row |= {name: row.get(name) or new[name] for name in COLUMN_NAMES}
        if row["section"] != (new["section"] or row["section"]):
            moved.append(f"{row['id']} is in {new['section']} now, and {row['section']} here")
        met.add(row["id"])
    if not met:
        raise CourseError(
            f"{export}: no students found. It should be Canvas's gradebook (Grades, Export), "
            "Moodle's participants (Download table data as, CSV), or a roster as CSV."
        )
    of_rows(path, table)
    columns = dict.fromkeys([*COLUMN_NAMES, *(name for row in table for name in row if name)])
    files.write_csv(path, [columns, *([row.get(name) for name in columns] for row in table)])
    if {"sis login id", "id"} <= next(rows(export), {}).keys():
        files.write_bytes(course.root / CANVAS_EXPORT, export.read_bytes())
    notes = [f"{len(table)} students, {len(table) - before} of them new"]
    if gone := [row["id"] for row in table if row["id"] not in met]:
        notes.append(f"not in {export.name}, and kept: {', '.join(gone)}")
    return path, [*notes, *moved]


def students_in(export: Path) -> Iterator[Student]:
    """Yield the students of an LMS's export; sums and Canvas's test student are left out."""
    for row in rows(export):
        found = {
            what: next((row[name] for name in names if row.get(name)), "")
            for what, names in COLUMNS.items()
        }
        name = found["name"] or f"{found['first']} {found['last']}".strip()
        if name and found["id"] and name != "Student, Test":  # a row of sums has no id
            valid = re.sub(r"[^A-Za-z0-9._@+-]", "-", found["id"]).lstrip("._@+-")
            about = {what: found[what] for what in ("email", "lms_id", "section")}
            yield Student(id=valid or found["lms_id"], name=name, **about)
