"""The gradebook while grading: one query a module, one transaction a submission.

nbgrader's steps look up every cell by itself, in a gradebook that each opens anew, and commit after
each. Here they get an Entry for a gradebook, which is read and written as a whole.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from nbgrader import api
from nbgrader.api import Gradebook, MissingEntry
from sqlalchemy import Connection, Table, bindparam, event, insert, select, update

from coursekit.errors import CourseError

students, submissions = api.Student.__table__, api.SubmittedAssignment.__table__
submitted, grades = api.SubmittedNotebook.__table__, api.Grade.__table__
comments = api.Comment.__table__


@dataclass
class Mark:
    """What one graded cell has: a row of nbgrader's table `grade`."""

    name: str
    cell_id: str
    cell_type: str
    max_score: float
    id: str | None = None  # None as long as it is not in the gradebook
    auto_score: float | None = None
    manual_score: float | None = None
    extra_credit: float | None = None
    needs_manual_grade: bool = True

    @property
    def score(self) -> float:
        """Return the points it counts, as nbgrader's `Grade.score` does."""
        given = self.auto_score if self.manual_score is None else self.manual_score
        return (given or 0.0) + (0.0 if given is None else self.extra_credit or 0.0)


@dataclass
class Remark:
    """What was said of one solution cell: a row of nbgrader's table `comment`."""

    name: str
    cell_id: str
    id: str | None = None
    auto_comment: str | None = None
    manual_comment: str | None = None

    @property
    def comment(self) -> str | None:
        return self.auto_comment if self.manual_comment is None else self.manual_comment


@dataclass
class Entry:
    """One submission in the gradebook, for which nbgrader's preprocessors take it."""

    student: str
    module: str
    marks: dict[str, Mark]
    remarks: dict[str, Remark]
    due: dt.datetime | None = None  # UTC without a zone, as nbgrader keeps times
    id: str | None = None  # of the submitted notebook; None as long as it is not in the gradebook
    assignment_id: str | None = None  # of the submitted assignment
    handed_in: dt.datetime | None = None
    late_penalty: float | None = None
    db: ClassVar = SimpleNamespace(commit=lambda: None)  # nbgrader commits after each cell

    def find_grade(self, cell: str, *_: str) -> Mark:
        return self.marks[cell]

    def find_comment(self, cell: str, *_: str) -> Remark:
        return self.remarks[cell]

    @property
    def score(self) -> float:
        """Return the sum of all points, before any penalty."""
        return sum(mark.score for mark in self.marks.values())

    @property
    def seconds_late(self) -> float:
        if self.handed_in is None or self.due is None:
            return 0.0
        return max(0.0, (self.handed_in - self.due).total_seconds())

    def by_hand(self) -> str:
        """Return all that people gave, points and comments, as one text."""
        given = [(m.name, m.manual_score, m.extra_credit) for m in self.marks.values()]
        said = [(r.name, r.manual_comment) for r in self.remarks.values()]
        return repr([row for row in sorted(given) + sorted(said) if set(row[1:]) != {None}])


@dataclass(frozen=True)
class Blank:
    """What the gradebook knows of one module since `build`: the form that submissions fill in."""

    module: str
    notebook_id: str
    assignment_id: str
    due: dt.datetime | None
    source: dict[str, SimpleNamespace]  # cells by name: cell_type, locked, source, checksum
    marks: tuple[Mark, ...]
    remarks: tuple[Remark, ...]

    def find_source_cell(self, name: str, *_: str) -> SimpleNamespace:
        if name not in self.source:
            raise MissingEntry(name)
        return self.source[name]

    def find_graded_cell(self, name: str, *_: str) -> Mark:
        return next(mark for mark in self.marks if mark.name == name)

    def entry(self, student: str) -> Entry:
        """Return an entry without scores."""
        marks = {m.name: Mark(m.name, m.cell_id, m.cell_type, m.max_score) for m in self.marks}
        remarks = {r.name: Remark(r.name, r.cell_id) for r in self.remarks}
        return Entry(student, self.module, marks, remarks, self.due)


class Ledger:
    """An open gradebook."""

    def __init__(self, url: str, course_id: str) -> None:
        self.gradebook = Gradebook(url, course_id)  # makes the tables where there are none
        self.engine = self.gradebook.engine
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", tune)
            self.gradebook.db.remove()
            self.engine.dispose()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.gradebook.close()

    def modules(self) -> list[str]:
        """Return the names of all modules in the gradebook; formgrader can make empty ones, too."""
        return sorted(found.name for found in self.gradebook.assignments if found.notebooks)

    def blank(self, module: str) -> Blank:
        """Return the form of a module. CourseError if it was never built."""
        assignments = {a.name: a for a in self.gradebook.assignments}
        if module not in assignments or not assignments[module].notebooks:
            raise CourseError(
                f"The gradebook does not know {module} yet: run `nox -s build` first."
            )
        notebook, due = assignments[module].notebooks[0], assignments[module].duedate
        columns = "name", "cell_type", "locked", "source", "checksum"
        cells = [{key: getattr(cell, key) for key in columns} for cell in notebook.source_cells]
        graded = [Mark(c.name, c.id, c.cell_type, c.max_score) for c in notebook.grade_cells]
        solved = [Remark(c.name, c.id) for c in notebook.solution_cells]
        return Blank(
            module,
            notebook.id,
            assignments[module].id,
            due,
            {cell["name"]: SimpleNamespace(**cell) for cell in cells},
            tuple(graded),
            tuple(solved),
        )

    def entries(self, blank: Blank) -> dict[str, Entry]:
        """Return all that the gradebook holds of a module, by student."""
        with self.engine.connect() as connection:
            entries = {entry.id: entry for entry in read_submissions(connection, blank)}
            fill(connection, grades, blank.marks, {i: e.marks for i, e in entries.items()})
            fill(connection, comments, blank.remarks, {i: e.remarks for i, e in entries.items()})
        return {entry.student: entry for entry in entries.values()}

    def refresh(self, blank: Blank, entry: Entry) -> None:
        """Read again what people may have changed of one submission meanwhile."""
        if entry.id:
            with self.engine.connect() as connection:
                fill(connection, grades, blank.marks, {entry.id: entry.marks}, entry.id)

    def save(self, blank: Blank, entry: Entry) -> None:
        """Write what grading found out of a submission: all of it, or nothing."""
        with self.engine.begin() as connection:
            create(connection, blank, entry)
            change(connection, submissions, [(entry.assignment_id, {"timestamp": entry.handed_in})])
            penalty = {"late_submission_penalty": entry.late_penalty}
            change(connection, submitted, [(entry.id, penalty)])
            change(connection, grades, found_out(entry.marks.values(), MARK))
            change(connection, comments, found_out(entry.remarks.values(), REMARK))


MARK, REMARK = ("auto_score", "needs_manual_grade"), ("auto_comment",)  # what grading writes


def tune(connection: Any, _: Any) -> None:
    """Let SQLite write to a log, which need not wait for the disk, and wait for other programs.

    Readers such as formgrader see the last complete state meanwhile.
    """
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def read_submissions(connection: Connection, blank: Blank) -> Iterator[Entry]:
    """Yield an entry for each submission of a module, not filled in yet."""
    columns = (
        *(submitted.c.id, submissions.c.id.label("assignment_id"), submissions.c.student_id),
        *(submissions.c.timestamp, submissions.c.extension, submitted.c.late_submission_penalty),
    )
    joined = submitted.join(submissions, submitted.c.assignment_id == submissions.c.id)
    of_it = submitted.c.notebook_id == blank.notebook_id
    for row in connection.execute(select(*columns).select_from(joined).where(of_it)):
        entry = blank.entry(row.student_id)
        entry.id, entry.assignment_id, entry.handed_in = row.id, row.assignment_id, row.timestamp
        entry.late_penalty = row.late_submission_penalty
        if entry.due and row.extension:
            entry.due += row.extension
        yield entry


def fill(
    connection: Connection,
    table: Table,
    form: Iterable[Mark | Remark],
    into: dict[str | None, dict[str, Any]],
    only: str | None = None,
) -> None:
    """Read rows of `grade` or `comment` into marks or remarks, by submitted notebook and name."""
    names = {row.cell_id: row.name for row in form}
    query = select(table).where(table.c.cell_id.in_(names))
    if only:
        query = query.where(table.c.notebook_id == only)
    for row in connection.execute(query).mappings():
        target = into.get(row["notebook_id"], {}).get(names[row["cell_id"]])
        for key in vars(target or SimpleNamespace()):
            if key in row and key != "cell_id":
                setattr(target, key, row[key])


def create(connection: Connection, blank: Blank, entry: Entry) -> None:
    """Add what is not in the gradebook yet: the student, the submission, each mark and remark."""
    if not entry.id:
        known = select(students.c.id).where(students.c.id == entry.student)
        if connection.scalar(known) is None:
            connection.execute(insert(students), {"id": entry.student})
        ids = {"assignment_id": blank.assignment_id, "student_id": entry.student}
        entry.assignment_id = add(connection, submissions, ids)
        ids = {"assignment_id": entry.assignment_id, "notebook_id": blank.notebook_id}
        entry.id = add(connection, submitted, ids)
    for table, rows in ((grades, entry.marks), (comments, entry.remarks)):
        for row in rows.values():
            if not row.id:
                ids = {"notebook_id": entry.id, "cell_id": row.cell_id}
                row.id = add(connection, table, ids)


def add(connection: Connection, table: Table, values: dict[str, Any]) -> str:
    """Insert one row; return its id."""
    new = api.new_uuid()
    connection.execute(insert(table), {"id": new, **values})
    return new


def found_out(rows: Iterable[Any], keys: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    return [(row.id, {key: getattr(row, key) for key in keys}) for row in rows]


def change(
    connection: Connection, table: Table, rows: list[tuple[str | None, dict[str, Any]]]
) -> None:
    """Update rows by their ids."""
    if rows:
        statement = update(table).where(table.c.id == bindparam("row_id"))
        connection.execute(statement, [{"row_id": row_id, **values} for row_id, values in rows])
