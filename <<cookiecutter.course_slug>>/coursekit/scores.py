"""Scores as the gradebook holds them: one row a submission, on screen and in grades.csv."""

import csv
import datetime as dt
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from coursekit import files, intake
from coursekit.ledger import Entry, Ledger
from coursekit.state import State

Key = tuple[str, str]  # a student and a module
NO_ID = "no student id: rename the folder; use letters a-z, digits and . _ @ + -"


@dataclass(frozen=True)
class Result:
    """One row of the table and of grades.csv. Scores are points; `written` is None until marked."""

    student: str
    module: str
    status: str = ""  # graded, unchanged, zero (cannot be graded), refused (no student id), failed
    automatic: float = 0.0
    automatic_max: float = 0.0
    written: float | None = None
    written_max: float = 0.0
    late_penalty: float = 0.0
    total: float = 0.0
    note: str = ""


def row_of(entry: Entry, status: str, note: str) -> Result:
    """Sum the cells of a submission: markdown cells are marked by a person, code cells are not."""
    by_hand = [m for m in entry.marks.values() if m.cell_type == "markdown"]
    automatic = [m for m in entry.marks.values() if m.cell_type == "code"]
    unmarked = any(m.needs_manual_grade and m.manual_score is None for m in by_hand)
    penalty = entry.late_penalty or 0.0
    return Result(
        student=entry.student,
        module=entry.module,
        status=status,
        automatic=sum(m.score for m in automatic),
        automatic_max=sum(m.max_score for m in automatic),
        written=None if unmarked else sum(m.score for m in by_hand),
        written_max=sum(m.max_score for m in by_hand),
        late_penalty=penalty,
        total=max(0.0, entry.score - penalty),
        note="; ".join([note] * bool(note) + remarks(entry)),
    )


def remarks(entry: Entry) -> list[str]:
    """Return what the gradebook says beyond scores: lateness, marks that a new run put in doubt."""
    late = dt.timedelta(seconds=int(entry.seconds_late))
    marks = entry.marks.values()
    doubtful = any(m.needs_manual_grade and m.manual_score is not None for m in marks)
    return [
        *([f"{late} late"] if late else []),
        *(["graded again since it was marked: confirm the marks"] if doubtful else []),
    ]


def all_rows(ledger: Ledger, states: dict[Key, State], ended: dict[Key, str]) -> dict[Key, Result]:
    """Return a row for everything in the gradebook, and for what is not in it but was looked at.

    `ended` says how a submission ended just now, if it was looked at.
    """
    rows: dict[Key, Result] = {}
    for module in ledger.modules():
        entries = ledger.entries(ledger.blank(module))
        for student, entry in sorted(entries.items()):
            key = student, module
            status, note = ended.get(key, "graded"), states.get(key, State()).note
            rows[key] = row_of(entry, status, note)
    for key in ended.keys() - rows.keys():
        note = states.get(key, State()).note or NO_ID
        rows[key] = Result(intake.shown(key[0]), key[1], ended[key], note=note)
    return rows


def write_csv(results: Iterable[Result], path: Path) -> None:
    """Write the rows, in place of the file before only when all of them are written."""
    rows = [asdict(result) for result in results]
    columns = [field.name for field in fields(Result) if field.name != "status"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(path, text.getvalue())
