"""What the gradebook holds, as plain data: workers fill it in, and need no database for it.

Names are nbgrader's, and so are times: naive, in UTC.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Grade:
    """What one graded cell has: a row of nbgrader's table `grade`."""

    name: str  # its grade_id
    cell_id: str  # of the row in nbgrader's table `base_cell`
    cell_type: str  # "code" or "markdown": scored by running, or by a person
    max_score: float
    auto_score: float | None = None
    manual_score: float | None = None
    extra_credit: float | None = None
    needs_manual_grade: bool = True

    @property
    def score(self) -> float:
        """Return the points it counts, as nbgrader's `Grade.score` does."""
        given = self.auto_score if self.manual_score is None else self.manual_score
        return 0.0 if given is None else given + (self.extra_credit or 0.0)


@dataclass
class Comment:
    """What was said of one solution cell: a row of nbgrader's table `comment`."""

    name: str
    cell_id: str
    auto_comment: str | None = None
    manual_comment: str | None = None

    @property
    def comment(self) -> str | None:
        """Return what the student reads, as nbgrader's `Comment.comment` does."""
        return self.auto_comment if self.manual_comment is None else self.manual_comment


@dataclass
class SubmissionGrades:
    """All that the gradebook holds of one submission."""

    student: str
    module: str
    notebook: str  # its name: "tensor_dev"
    grades: dict[str, Grade]  # by grade_id
    comments: dict[str, Comment]
    due: dt.datetime | None = None  # with this student's extension
    id: str | None = None  # of the submitted notebook; None as long as it is not in the gradebook
    handed_in: dt.datetime | None = None
    late_penalty: float | None = None  # points

    @property
    def score(self) -> float:
        """Return the sum of all points, before any penalty."""
        return sum(grade.score for grade in self.grades.values())

    def by_tests(self) -> str:
        """Return what tests gave, and the most that they give, as one text."""
        return repr(sorted((g.name, g.auto_score, g.max_score) for g in self.grades.values()))

    def by_hand(self) -> str:
        """Return all that people gave, points and comments, as one text."""
        given = [(g.name, g.manual_score, g.extra_credit) for g in self.grades.values()]
        said = [(c.name, c.manual_comment) for c in self.comments.values()]
        return repr([row for row in sorted(given) + sorted(said) if set(row[1:]) != {None}])


class Cell(NamedTuple):
    """What the gradebook knows of a cell: a row of nbgrader's `base_cell` and `grade_cells`."""

    id: str
    name: str  # its grade_id; one that students write and people grade has two rows
    type: str  # "GradeCell" or "SolutionCell"
    cell_type: str | None = None  # "code" or "markdown", and the points, of a GradeCell
    max_score: float | None = None


@dataclass(frozen=True)
class ModuleRecord:
    """What the gradebook knows of one module since `build`."""

    module: str
    notebook: str  # its name: "tensor_dev"
    notebook_id: str
    assignment_id: str
    due: dt.datetime | None  # naive, in UTC
    cells: tuple[Cell, ...]
    extensions: Mapping[str, dt.datetime] = field(default_factory=dict)  # of course.toml; likewise

    def empty(self, student: str) -> SubmissionGrades:
        """Return a submission without scores, which need not be in the gradebook yet."""
        due = self.extensions.get(student, self.due)
        made = SubmissionGrades(student, self.module, self.notebook, {}, {}, due)
        for c in self.cells:
            if c.type == "GradeCell":
                made.grades[c.name] = Grade(c.name, c.id, c.cell_type, c.max_score)
            else:
                made.comments[c.name] = Comment(c.name, c.id)
        return made
