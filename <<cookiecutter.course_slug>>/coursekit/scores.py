"""Scores as the gradebook holds them: one row a submission, on screen and in grades.csv."""

import csv
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from nbgrader.api import Gradebook, SubmittedNotebook


@dataclass(frozen=True)
class Result:
    """One row of the table and of grades.csv. Scores are points; `written` is None until marked."""

    student: str
    module: str
    status: str = ""  # graded, unchanged, zero (could not be graded) or refused (no student id)
    automatic: float = 0.0
    automatic_max: float = 0.0
    written: float | None = None
    written_max: float = 0.0
    late_penalty: float = 0.0
    total: float = 0.0
    note: str = ""


def row_of(submitted: SubmittedNotebook, status: str, note: str) -> Result:
    """Sum the cells of a submission: markdown cells are marked by a person, code cells are not."""
    by_hand = [g for g in submitted.grades if g.cell.cell_type == "markdown"]
    automatic = [g for g in submitted.grades if g.cell.cell_type == "code"]
    unmarked = any(g.needs_manual_grade and g.manual_score is None for g in by_hand)
    penalty = submitted.late_submission_penalty or 0.0
    return Result(
        student=submitted.student.id,
        module=submitted.assignment.assignment.name,
        status=status,
        automatic=sum(g.score for g in automatic),
        automatic_max=sum(g.max_score for g in automatic),
        written=None if unmarked else sum(g.score for g in by_hand),
        written_max=sum(g.max_score for g in by_hand),
        late_penalty=penalty,
        total=max(0.0, submitted.score - penalty),
        note="; ".join([note] * bool(note) + remarks(submitted)),
    )


def remarks(submitted: SubmittedNotebook) -> list[str]:
    """Return what the gradebook says beyond scores: lateness, marks that a new run put in doubt."""
    late = submitted.assignment.total_seconds_late
    doubtful = any(g.needs_manual_grade and g.manual_score is not None for g in submitted.grades)
    return [
        *([f"{dt.timedelta(seconds=int(late))} h late"] if late > 0 else []),
        *(["graded again since it was marked: confirm the marks"] if doubtful else []),
    ]


def all_rows(gradebook: Gradebook, notes: dict[tuple[str, str], str]) -> Iterator[Result]:
    """Return a row for everything that the gradebook holds, by module and student."""
    for assignment in sorted(gradebook.assignments, key=lambda a: a.name):
        for submission in sorted(assignment.submissions, key=lambda s: s.student.id):
            note = notes.get((submission.student.id, assignment.name), "")
            yield from (row_of(nb, "graded", note) for nb in submission.notebooks)


def write_csv(results: Iterable[Result], path: Path) -> None:
    """Write the rows, in place of the file before only when all of them are written."""
    rows = [asdict(result) for result in results]
    columns = [field.name for field in fields(Result) if field.name != "status"]
    partial = path.with_suffix(".csv.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)
