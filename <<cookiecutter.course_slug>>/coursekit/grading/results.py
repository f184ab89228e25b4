"""What became of every submission: once for the table on screen, grades.csv and report.html."""

import csv
import datetime as dt
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coursekit import files
from coursekit.course import Course, Module, Submission, Workspace
from coursekit.gradebook import Gradebook
from coursekit.grades import ModuleRecord, SubmissionGrades
from coursekit.grading import late, state
from coursekit.grading.late import LatePolicy
from coursekit.grading.state import State
from coursekit.intake.collect import is_dir, printable

Key = tuple[str, str]  # a student and a module
COLUMNS = ("student", "module", "automatic", "automatic_max", "written", "written_max",
           "late_penalty", "total", "note")  # fmt: skip
NO_ID = State(reason="no student id: rename the folder; use letters a-z, digits and . _ @ + -")
NO_TIME = dt.timedelta(0)


@dataclass(frozen=True)
class Result:
    """One submission. Scores, maxima and penalties are points."""

    student: str
    module: str
    status: str  # graded, unchanged, zero (cannot be graded), refused (no student id), failed
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


def result(grades: SubmissionGrades, status: str, state: State, policy: LatePolicy) -> Result:
    """Sum a submission. Tests score its code cells, a person scores its markdown cells."""
    cells = grades.grades.values()
    code = [grade for grade in cells if grade.cell_type == "code"]
    text = [grade for grade in cells if grade.cell_type == "markdown"]
    waiting = {g.name for g in cells if g.needs_manual_grade and g.manual_score is None}
    doubtful = any(g.needs_manual_grade and g.manual_score is not None for g in cells)
    late, penalty = lateness(grades, policy), grades.late_penalty or 0.0
    cost = f", costs {penalty:g} points" if penalty else ""
    about_time = f"{late} late{cost}" if late else ""
    confirm = "graded again since it was marked: confirm the marks" if doubtful else ""
    return Result(
        student=grades.student,
        module=grades.module,
        status=status,
        state=state,
        note="; ".join(part for part in (state.note, about_time, confirm) if part),
        notebook=grades.notebook,
        scores={g.name: None if g.name in waiting else g.score for g in cells},
        automatic=sum(g.score for g in code),
        automatic_max=sum(g.max_score for g in code),
        written=None if waiting & {g.name for g in text} else sum(g.score for g in text),
        written_max=sum(g.max_score for g in text),
        late=late,
        late_penalty=penalty,
        total=max(0.0, grades.score - penalty),
        doubtful=doubtful,
    )


def lateness(grades: SubmissionGrades, policy: LatePolicy) -> dt.timedelta:
    """Return how long after its due date a submission came, by the clock of the course."""
    if not grades.handed_in or not grades.due or grades.handed_in <= grades.due:
        return NO_TIME
    late = policy.on_the_wall(grades.handed_in) - policy.on_the_wall(grades.due)
    return max(NO_TIME, dt.timedelta(seconds=int(late.total_seconds())))


@dataclass(frozen=True)
class Results:
    """What is in submitted/, as the gradebook has it."""

    rows: dict[Key, Result]  # by module, then student
    records: list[ModuleRecord]  # of all modules, in order
    students: list[str]  # also who handed in nothing yet, but nobody all of whose work was removed

    def of(self, keys: Collection[Key]) -> list[Result]:
        return [row for key, row in self.rows.items() if key in keys]


def collect(
    course: Course, gradebook: Gradebook, workspace: Workspace, ended: Mapping[Key, str]
) -> Results:
    """Read all results; `ended` says of the submissions that were just looked at how they ended."""
    records = [gradebook.module(name) for name in gradebook.modules()]
    known = {(who, r.module): s for r in records for who, s in gradebook.read(r).items()}
    policy = late.policy(course.late, course.timezone)
    rows = {}
    for key in sorted(known.keys() | ended.keys(), key=lambda key: key[::-1]):
        student, module = key
        folder = workspace.submitted / student / module
        if not is_dir(folder):
            continue  # a person took it away; the gradebook keeps it
        submission = Submission(student, Module(course.modules_dir / module), folder)
        last = state.read(workspace.graded(submission))
        status = ended.get(key) or last.status or "graded"
        if key in known:
            rows[key] = result(known[key], status, last, policy)
        else:
            why = NO_ID if status == "refused" else last
            rows[key] = Result(printable(student), module, status, why, why.note)
    gone = {student for student, _ in known} - {student for student, _ in rows}
    return Results(rows, records, [s for s in gradebook.students() if s not in gone])


def write_csv(results: Results, path: Path) -> None:
    """Write a row for each result, in place of the file before only when all are written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in results.rows.values())
    files.write_text(path, text.getvalue())
