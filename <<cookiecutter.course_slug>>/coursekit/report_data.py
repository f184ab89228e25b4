"""What the gradebook holds of everyone, read with a few queries: the figures of report.html."""

import datetime as dt
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import select

from coursekit.course import Course
from coursekit.scores import Result
from coursekit.state import State

HEADING = re.compile(r"^#+ ((?:Exercise|Question)\b.*)$", re.M)
BINS = 20  # of the histograms: 5 % of the points each
HAIR = 1e-9  # points; less is the noise of adding floats


@dataclass(frozen=True)
class Question:
    """One graded cell of a module."""

    id: str
    module: str
    notebook: str
    name: str  # its grade_id
    kind: str  # "code" or "markdown": marked by tests or by a person
    points: float


@dataclass(frozen=True)
class Entry:
    """One submission as the gradebook has it."""

    row: Result  # as in grades.csv
    notebook: str
    state: State
    late: dt.timedelta
    scores: Mapping[str, float | None]  # points by Question.id; None until a person marks it
    doubtful: bool  # graded again since it was marked

    @property
    def points(self) -> float:
        return self.row.automatic_max + self.row.written_max

    @property
    def share(self) -> float:
        """Return the share of all points, between 0 and 1 whatever the extra credit."""
        return min(1.0, self.row.total / self.points) if self.points else 0.0

    @property
    def waiting(self) -> int:
        """Return how many answers nobody has marked."""
        return sum(score is None for score in self.scores.values())

    @property
    def ran(self) -> bool:
        return self.state.status != "zero"


@dataclass(frozen=True)
class Tally:
    """How everyone whose work ran did on one question. Shares are between 0 and 1."""

    question: Question
    title: str  # "Exercise 3: Predict a broadcast"
    full: int
    partial: int
    zero: int
    mean: float | None  # share of the points; None if nobody's answer is marked

    @property
    def marked(self) -> int:
        return self.full + self.partial + self.zero


@dataclass(frozen=True)
class ModuleFigures:
    """One module, and what was handed in of it."""

    name: str
    due: dt.datetime | None
    entries: Sequence[Entry]
    tallies: Sequence[Tally]  # in the notebook's order

    @cached_property
    def points(self) -> float:
        return max((entry.points for entry in self.entries), default=0.0)

    def of(self, kind: str) -> list[Tally]:
        return [tally for tally in self.tallies if tally.question.kind == kind]

    def worst(self, kind: str) -> Tally | None:
        """Return the question of a kind where the largest share of points was lost."""
        known = [t for t in self.of(kind) if t.mean is not None and t.mean < 1 - HAIR]
        return min(known, key=lambda tally: tally.mean, default=None)

    @cached_property
    def histogram(self) -> list[tuple[int, int]]:
        """Return how many totals fall in each bin: those marked throughout, those that wait."""
        bins = [[0, 0] for _ in range(BINS)]
        for entry in self.entries:
            bins[min(BINS - 1, int(entry.share * BINS + HAIR))][entry.waiting > 0] += 1
        return [(marked, waiting) for marked, waiting in bins]

    @property
    def highest(self) -> int:
        return max(sum(counts) for counts in self.histogram)

    @property
    def waiting(self) -> int:
        return sum(entry.waiting > 0 for entry in self.entries)

    def known(self, name: str) -> list[float]:
        """Return a figure of each entry, such as "row.total", where there is one."""
        values = map(attrgetter(name), self.entries)
        return [value for value in values if value is not None]

    def median(self, name: str) -> float | None:
        known = self.known(name)
        return statistics.median(known) if known else None

    def mean(self, name: str) -> float | None:
        known = self.known(name)
        return statistics.fmean(known) if known else None


@dataclass(frozen=True)
class Figures:
    """Everything of a term."""

    students: Sequence[str]
    modules: Sequence[ModuleFigures]
    untouched: Sequence[str]  # modules that nobody handed in

    @cached_property
    def entries(self) -> list[Entry]:
        return [entry for module in self.modules for entry in module.entries]


def read(course: Course, gb: Gradebook, states: Iterable[tuple[str, str, State]]) -> Figures:
    """Read all that report.html shows. States of what the gradebook lacks are left out."""
    questions = read_questions(gb)
    entries = read_entries(gb, questions, {(who, what): state for who, what, state in states})
    due = dict(gb.db.execute(select(Assignment.name, Assignment.duedate)).all())
    students = set(gb.db.scalars(select(Student.id)))
    modules = [
        ModuleFigures(
            name=name,
            due=due[name],
            entries=entries[name],
            tallies=tallies(course, [q for q in questions.values() if q.module == name], of),
        )
        for name, of in sorted(entries.items())
    ]
    return Figures(sorted(students), modules, sorted(set(due) - set(entries)))


def read_questions(gb: Gradebook) -> dict[str, Question]:
    """Return every cell that scores points, by its id."""
    found = {}
    for kind in (GradeCell, TaskCell):
        query = (
            select(
                kind.id, Assignment.name, Notebook.name, kind.name, kind.cell_type, kind.max_score
            )
            .join(Notebook, Notebook.id == kind.notebook_id)
            .join(Assignment, Assignment.id == Notebook.assignment_id)
        )
        found.update({row[0]: Question(*row) for row in gb.db.execute(query)})
    return found


def read_entries(
    gb: Gradebook, questions: Mapping[str, Question], states: Mapping[tuple[str, str], State]
) -> dict[str, list[Entry]]:
    """Return the submissions of each module, by student."""
    grades = read_grades(gb)
    query = (
        select(
            SubmittedNotebook.id,
            SubmittedNotebook.late_submission_penalty.label("penalty"),
            Notebook.name.label("notebook"),
            Assignment.name.label("module"),
            Assignment.duedate.label("due"),
            SubmittedAssignment.student_id.label("student"),
            SubmittedAssignment.timestamp.label("handed_in"),
            SubmittedAssignment.extension,
        )
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
    )
    entries = defaultdict(list)
    # Not sorted by the database: PostgreSQL has its own idea of the alphabet.
    for row in sorted(gb.db.execute(query), key=lambda row: row.student):
        state = states.get((row.student, row.module), State())
        entries[row.module].append(entry_of(row, grades[row.id], questions, state))
    return entries


def read_grades(gb: Gradebook) -> dict[str, list[Any]]:
    """Return the grades of each submitted notebook: cell_id, score, unmarked, doubtful."""
    by_hand, asked = Grade.manual_score, Grade.needs_manual_grade
    query = select(
        Grade.notebook_id,
        Grade.cell_id,
        Grade.score,  # nbgrader's own sum of automatic or manual points and extra credit
        (asked & by_hand.is_(None)).label("unmarked"),
        (asked & by_hand.is_not(None)).label("doubtful"),
    )
    grades = defaultdict(list)
    for row in gb.db.execute(query):
        grades[row.notebook_id].append(row)
    return grades


def entry_of(
    row: Any, grades: Sequence[Any], questions: Mapping[str, Question], state: State
) -> Entry:
    """Sum one submission, as scores.row_of does."""
    code, text = [], []
    for g in grades:
        (text if questions[g.cell_id].kind == "markdown" else code).append(g)
    written = None if any(g.unmarked for g in text) else sum(g.score for g in text)
    penalty = row.penalty or 0.0
    result = Result(
        student=row.student,
        module=row.module,
        status=state.status or "graded",
        automatic=sum(g.score for g in code),
        automatic_max=sum(questions[g.cell_id].points for g in code),
        written=written,
        written_max=sum(questions[g.cell_id].points for g in text),
        late_penalty=penalty,
        total=max(0.0, sum(g.score for g in grades) - penalty),
    )
    scores = {g.cell_id: None if g.unmarked else g.score for g in grades}
    doubtful = any(g.doubtful for g in grades)
    return Entry(result, row.notebook, state, lateness(row), scores, doubtful)


def lateness(row: Any) -> dt.timedelta:
    """Return how long after its due date, with any extension, a submission came."""
    if row.handed_in is None or row.due is None:
        return dt.timedelta(0)
    return max(dt.timedelta(0), row.handed_in - row.due - (row.extension or dt.timedelta(0)))


def tallies(course: Course, questions: Sequence[Question], entries: Sequence[Entry]) -> list[Tally]:
    """Count full, partial and no points of each question, in the notebook's order."""
    ran = [entry for entry in entries if entry.ran]
    places = {question.id: place(course, question) for question in questions}
    inside = sorted((q for q in questions if q.points > 0), key=lambda q: (places[q.id][0], q.name))
    return [tally(question, places[question.id][1], ran) for question in inside]


def tally(question: Question, title: str, entries: Sequence[Entry]) -> Tally:
    scores = [entry.scores.get(question.id) for entry in entries]
    known = [score for score in scores if score is not None]
    full = sum(score >= question.points - HAIR for score in known)
    zero = sum(score <= HAIR for score in known)
    mean = statistics.fmean(known) / question.points if known else None
    return Tally(question, title, full, len(known) - full - zero, zero, mean)


def place(course: Course, question: Question) -> tuple[int, str]:
    """Return where in its module's source a question stands, and the exercise it belongs to."""
    text = source(course.modules_dir / question.module / f"{question.notebook}.py")
    at = text.find(f'"{question.name}"')
    headings = HEADING.findall(text, 0, max(at, 0))
    return (at if at >= 0 else len(text)), (
        headings[-1].replace("`", "") if headings else question.name
    )


def source(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
