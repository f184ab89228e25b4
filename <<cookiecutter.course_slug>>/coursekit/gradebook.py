"""nbgrader's gradebook, read and written a module at a time, in nbgrader's own tables.

nbgrader's API looks up each cell by itself and commits after each, and to import it takes as long
as to grade thirty submissions. So the columns that count are named here; a test compares them with
nbgrader's own.
"""

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, DateTime, Enum, Float, String, Table, select

from coursekit import database
from coursekit.database import one_grader as one_grader
from coursekit.errors import CourseError
from coursekit.grades import Cell, Comment, Grade, ModuleRecord, SubmissionGrades

TABLES = sa.MetaData()


def table(name: str, /, **columns: Any) -> Table:
    return Table(name, TABLES, Column("id", String, primary_key=True),
                 *(Column(key, kind) for key, kind in columns.items()))  # fmt: skip


# What `build` records of a module ...
assignments = table("assignment", name=String, duedate=DateTime)
notebooks = table("notebook", name=String, assignment_id=String)
cells = table("base_cell", name=String, notebook_id=String, type=String)
graded = table("grade_cells", max_score=Float,
               cell_type=Enum("code", "markdown", name="grade_cell_type"))  # fmt: skip
# ... and what grading records of a submission, whose notebook is a row of `submitted`.
students = table("student", first_name=String, last_name=String, email=String)
submissions = table("submitted_assignment", assignment_id=String, student_id=String,
                    timestamp=DateTime, extension=sa.Interval)  # fmt: skip
submitted = table("submitted_notebook", assignment_id=String, notebook_id=String,
                  flagged=sa.Boolean, late_submission_penalty=Float)  # fmt: skip
grades = table("grade", notebook_id=String, cell_id=String, auto_score=Float, manual_score=Float,
               extra_credit=Float, needs_manual_grade=sa.Boolean)  # fmt: skip
comments = table("comment", notebook_id=String, cell_id=String, auto_comment=String,
                 manual_comment=String)  # fmt: skip

# What no two rows share, and the columns that grading writes also where there is a row already.
UNIQUE = {"student": ["id"], "submitted_assignment": ["assignment_id", "student_id"],
          "submitted_notebook": ["notebook_id", "assignment_id"],
          "grade": ["cell_id", "notebook_id"], "comment": ["cell_id", "notebook_id"]}  # fmt: skip
WRITTEN = {"timestamp", "late_submission_penalty", "auto_score", "auto_comment"}


class NotBuilt(CourseError):
    """There is no gradebook yet, or no such module in it."""


class Gradebook(AbstractContextManager):
    """A gradebook that `build` made."""

    def __init__(self, url: str) -> None:
        """Open it. NotBuilt if it is not there."""
        self.engine = database.engine(url)
        file = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        # In this order, for SQLite would make a file that is not there.
        if file and not Path(file).is_file() or not sa.inspect(self.engine).has_table("grade"):
            shown = file or repr(self.engine.url)  # without its password
            raise NotBuilt(f"There is no gradebook at {shown}: run `nox -s build` first.")
        # SQLite and PostgreSQL both know INSERT … ON CONFLICT; SQLAlchemy has it for each apart.
        self.insert = import_module(f"sqlalchemy.dialects.{self.engine.dialect.name}").insert

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def modules(self) -> list[str]:
        """Return the names of all modules; formgrader can make ones without a notebook, too."""
        joined = assignments.join(notebooks, notebooks.c.assignment_id == assignments.c.id)
        with self.engine.connect() as connection:
            return sorted(connection.scalars(select(assignments.c.name).select_from(joined)))

    def students(self) -> list[str]:
        """Return the ids of all students, with or without submissions."""
        with self.engine.connect() as connection:
            return sorted(connection.scalars(select(students.c.id)))

    def module(self, name: str) -> ModuleRecord:
        """Return what is known of a module. NotBuilt if it was never built."""
        of_it = select(notebooks.c.name, notebooks.c.id, assignments.c.id, assignments.c.duedate)
        of_it = of_it.join(assignments, assignments.c.id == notebooks.c.assignment_id)
        columns = cells.c.id, cells.c.name, cells.c.type, graded.c.cell_type, graded.c.max_score
        known = select(*columns).outerjoin(graded, graded.c.id == cells.c.id).order_by(cells.c.name)
        known = known.where(cells.c.type != "TaskCell")  # a kind that no module of ours has
        with self.engine.connect() as connection:
            found = connection.execute(of_it.where(assignments.c.name == name)).first()
            if not found:
                raise NotBuilt(f"The gradebook does not know {name} yet: run `nox -s build` first.")
            rows = connection.execute(known.where(cells.c.notebook_id == found.id)).all()
        return ModuleRecord(name, *found, tuple(Cell(*row) for row in rows))

    def read(self, record: ModuleRecord) -> dict[str, SubmissionGrades]:
        """Return all that the gradebook holds of a module, by student."""
        joined = select(
            submitted.c.id, submissions.c.student_id, submissions.c.extension,
            submissions.c.timestamp.label("handed_in"),
            submitted.c.late_submission_penalty.label("late_penalty"),
        ).join(submissions, submissions.c.id == submitted.c.assignment_id)  # fmt: skip
        joined = joined.where(submitted.c.notebook_id == record.notebook_id)
        names = {cell.id: cell.name for cell in record.cells}
        ours = [select(of).where(of.c.cell_id.in_(names)) for of in (grades, comments)]
        with self.engine.connect() as connection:
            rows, marks, said = (dicts(connection.execute(query)) for query in (joined, *ours))
        found: dict[str, SubmissionGrades] = {}
        for row in rows:
            found[row["id"]] = submission = record.empty(row["student_id"])
            fill(submission, row)
            if record.due and row["extension"]:  # given in nbgrader: the later date counts
                own = record.extensions.get(row["student_id"])
                submission.due = max(filter(None, (record.due + row["extension"], own)))
        for of, known in (("grades", marks), ("comments", said)):
            for row in known:
                if submission := found.get(row["notebook_id"]):
                    fill(getattr(submission, of)[names[row["cell_id"]]], row)
        return {submission.student: submission for submission in found.values()}

    def save(self, record: ModuleRecord, batch: Sequence[SubmissionGrades]) -> None:
        """Write what grading found out of some submissions: all of it, or nothing.

        Rows that are missing are made. What people gave stands, whatever `batch` says of it.
        """
        module = {"assignment_id": record.assignment_id}
        notebook = {"notebook_id": record.notebook_id}
        with self.engine.begin() as connection:
            self.put(connection, students, [{"id": s.student} for s in batch])
            self.put(connection, submissions, [
                {**module, "student_id": s.student, "timestamp": s.handed_in} for s in batch
            ])  # fmt: skip
            of_student = ids(connection, submissions.c.student_id, **module)
            self.put(connection, submitted, [
                {**notebook, "assignment_id": of_student[s.student], "flagged": False,
                 "late_submission_penalty": s.late_penalty} for s in batch
            ])  # fmt: skip
            of_submission = ids(connection, submitted.c.assignment_id, **notebook)
            for s in batch:
                s.id = of_submission[of_student[s.student]]
            self.put(connection, grades, [row(s, g) for s in batch for g in s.grades.values()])
            self.put(connection, comments, [row(s, c) for s in batch for c in s.comments.values()])

    def put(self, connection: Connection, into: Table, rows: list[dict[str, Any]]) -> None:
        """Insert rows; where there is one already, change what grading writes in it."""
        new, unique = self.insert(into), UNIQUE[into.name]
        written = WRITTEN.intersection(into.c.keys()).union(unique)  # which stay as they are
        change = {name: new.excluded[name] for name in written}
        if into is grades:  # where a person marked it since it was read, nobody need be asked
            as_read = (into.c[name].is_not_distinct_from(new.excluded[name])
                       for name in ("manual_score", "extra_credit"))  # fmt: skip
            found = (sa.and_(*as_read), new.excluded.needs_manual_grade)
            change["needs_manual_grade"] = sa.case(found, else_=into.c.needs_manual_grade)
        new = new.on_conflict_do_update(index_elements=unique, set_=change)
        if rows:
            connection.execute(new, [{"id": token_hex(16), **row} for row in rows])

    def set_due(self, record: ModuleRecord, due: dt.datetime) -> None:
        """Write when a module is due: naive, in UTC."""
        of_it = sa.update(assignments).where(assignments.c.id == record.assignment_id)
        with self.engine.begin() as connection:
            connection.execute(of_it.values(duedate=due))


def ids(connection: Connection, by: Column, **of: str) -> dict[str, str]:
    """Return the ids of rows by another column; `of` names a third and the value it must have."""
    rows = select(by, by.table.c.id).filter_by(**of)
    return dict(connection.execute(rows).all())


def dicts(result: sa.CursorResult) -> list[dict[str, Any]]:
    """Return all rows by their columns' names, which SQLAlchemy is slow to say of each."""
    columns = tuple(result.keys())
    return [dict(zip(columns, row, strict=True)) for row in result]


def fill(known: SubmissionGrades | Grade | Comment, row: dict[str, Any]) -> None:
    """Set the fields that are named like columns of a row."""
    fields = vars(known)
    fields.update((column, row[column]) for column in fields.keys() & row.keys())


def row(submission: SubmissionGrades, of: Grade | Comment) -> dict[str, Any]:
    """Return the row of a grade or a comment: its fields are named like the columns."""
    known = {"notebook_id": submission.id, **vars(of)}
    return {key: known[key] for key in known.keys() - {"name", "cell_type", "max_score"}}
