"""What became of every submission: once for the table on screen, grades.csv and report.html."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from coursekit import files
from coursekit.course import Course, Workspace
from coursekit.gradebook import Gradebook
from coursekit.grades import ModuleRecord, SubmissionGrades
from coursekit.grading import state
from coursekit.grading.late import NO_TIME, LatePolicy
from coursekit.grading.state import State
from coursekit.intake.collect import is_dir, printable

Key = tuple[str, str]  # a student and a module
COLUMNS = ("student", "module", "automatic", "automatic_max", "written", "written_max",
           "late_penalty", "total", "note")  # fmt: skip
NO_ID = State(reason="no student id: rename the folder; use letters a-z, digits and . _ @ + -")


@dataclass(frozen=True)
class Result:
    """One submission. Scores, maxima and penalties are points."""

    student: str
    module: str
    status: str  # graded, updated (marks, dates), unchanged, zero, refused (no student id), failed
    state: State
    note: str = ""  # all that a person should know of it, in one line
    notebook: str = ""  # "tensor_dev"; "" and no scores if it is not in the gradebook
    scores: Mapping[str, float | None] = field(default_factory=dict)  # None: wait for a person
    automatic: float = 0.0
    automatic_max: float = 0.0
    written: float | None = None  # None until all answers are marked
    written_max: float = 0.0
    late: dt.timedelta = NO_TIME
    late_penalty: float = 0.0
    total: float = 0.0
    doubtful: bool = False  # graded again since a person marked it

    @property
    def ran(self) -> bool:
        return self.state.status != "zero"

    @property
    def waiting(self) -> int:
        """Return how many cells wait for a person's mark."""
        return sum(score is None for score in self.scores.values())

    @property
    def points(self) -> float:
        return self.automatic_max + self.written_max

    @property
    def share(self) -> float:
        """Return the share of all points, between 0 and 1 whatever the extra credit."""
        return min(1.0, self.total / self.points) if self.points else 0.0


def result(
    grades: SubmissionGrades, status: str, state: State, policy: LatePolicy, extended: str = ""
) -> Result:
    """Sum a submission. Tests score its code cells, a person scores its markdown cells."""
    cells = grades.grades.values()
    code = [grade for grade in cells if grade.cell_type == "code"]
    text = [grade for grade in cells if grade.cell_type == "markdown"]
    asked = [grade for grade in cells if grade.needs_manual_grade]
    scores = {grade.name: grade.score for grade in cells}
    scores |= {grade.name: None for grade in asked if grade.manual_score is None}
    written = [scores[grade.name] for grade in text]
    doubtful = any(grade.manual_score is not None for grade in asked)
    late, penalty = policy.lateness(grades.handed_in, grades.due), grades.late_penalty or 0.0
    late -= dt.timedelta(microseconds=late.microseconds)
    cost = f", costs {penalty:g} points" if penalty else ""
    about_time = f"{late} late{cost}" if late else ""
    confirm = "graded again since it was marked: confirm the marks" if doubtful else ""
    return Result(
        student=grades.student,
        module=grades.module,
        status=status,
        state=state,
        note="; ".join(filter(None, [state.note, about_time, extended, confirm])),
        notebook=grades.notebook,
        scores=scores,
        automatic=sum(grade.score for grade in code),
        automatic_max=sum(grade.max_score for grade in code),
        written=None if None in written else sum(written),
        written_max=sum(grade.max_score for grade in text),
        late=late,
        late_penalty=penalty,
        total=max(0.0, grades.score - penalty),
        doubtful=doubtful,
    )


@dataclass(frozen=True)
class Results:
    """What is in submitted/, as the gradebook has it."""

    rows: dict[Key, Result]  # by module, then student
    records: list[ModuleRecord]  # of all modules, in order
    students: list[str]  # also who handed in nothing yet, but nobody all of whose work was removed

    @property
    def graded(self) -> list[Result]:
        """Return what the gradebook has scores of."""
        return [row for row in self.rows.values() if row.notebook]


def collect(
    course: Course, gradebook: Gradebook, workspace: Workspace, ended: Mapping[Key, str]
) -> Results:
    """Read all results; `ended` says of the submissions that were just looked at how they ended."""
    modules = gradebook.modules()
    records = [replace(gradebook.module(m), extensions=course.extensions(m)) for m in modules]
    extended = {
        (e["student"], e["module"]): f"extended to {course.moment(e['until']):%Y-%m-%d %H:%M}: "
        + (e["reason"] or "no reason") for e in course.extension if "section" not in e
    }  # fmt: skip
    known = {(who, r.module): s for r in records for who, s in gradebook.read(r).items()}
    policy = LatePolicy(**course.late, timezone=course.timezone)
    rows = {}
    for key in sorted(known.keys() | ended.keys(), key=lambda key: key[::-1]):
        student, module = key
        if not is_dir(workspace.submitted / student / module):
            continue  # a person took it away; the gradebook keeps it
        last = state.read(workspace.autograded / student / module)
        status = ended.get(key) or last.status or "graded"
        if key in known:
            rows[key] = result(known[key], status, last, policy, extended.get(key, ""))
        else:
            why = NO_ID if status == "refused" else last
            rows[key] = Result(printable(student), module, status, why, why.note)
    gone = {student for student, _ in known} - {student for student, _ in rows}
    return Results(rows, records, [s for s in gradebook.students() if s not in gone])


def write_csv(results: Results, path: Path) -> None:
    """Write a row for each result, in place of the file before only when all are written."""
    rows = ([getattr(row, column) for column in COLUMNS] for row in results.rows.values())
    files.write_csv(path, [COLUMNS, *rows])
