"""`attempt = "best"`: of several hand-ins the one with the most points by tests counts.

Each attempt is graded for its points alone, once for each due date and rule of [late], which they
depend on. The best is put into submitted/, to be graded as anything there is; what it replaces
stays in downloaded/.
"""

import json
import pickle
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from coursekit import files
from coursekit.assignment import sha256
from coursekit.course import Course, Module, Submission
from coursekit.exchange.collect import ATTEMPTS, aside, attempts, choose, contents
from coursekit.grading.grade import Done, Grading, ModuleGrader
from coursekit.grading.submission import Work, standing
from coursekit.intake.collect import read

# By STUDENT/ATTEMPT: the key of what was graded, and points without what its lateness costs.
Points = dict[str, tuple[str, float]]
NONE = "", -1.0  # of an attempt that could not be graded


class PointsOnly(ModuleGrader):
    """Grades attempts, and keeps their points, of which neither gradebook nor student hears."""

    @cached_property
    def points(self) -> Points:
        return points_of(self.grading.course, self.module)

    def begin(self, submission: Submission) -> Iterator[Done]:
        """Have an attempt graded, unless its points are known."""
        work = read(submission, 1e6 * self.grading.course.grading["file_mb"])
        grades = self.record.empty(submission.student)
        lateness = standing(grades, self.policy)
        key = sha256(self.assignment.deciding, lateness, *work.contents())
        known, _ = self.points.get(name_of(submission.folder), NONE)
        if known != key or self.grading.force:
            work = Work(work, grades, key, self.policy, {})
            asked = self.assignment.key, self.data, pickle.dumps(work)
            self.waiting[self.submit(*asked)] = submission
        yield from ()

    def save(self, batch: list[Done]) -> None:
        """Keep the points of attempts."""
        for submission, graded, _ in batch:
            points = graded.grades.score - (graded.grades.late_penalty or 0.0)
            self.points[name_of(submission.folder)] = graded.state.key, points
        files.write_text(file_of(self.grading.course, self.module), json.dumps(self.points))

    def failed(self, submission: Submission, error: Exception) -> None:
        """An attempt that brings down its grader twice has no points."""


def file_of(course: Course, module: Module) -> Path:
    return course.root / ATTEMPTS / module.name / ".points.json"  # no student id starts with a dot


def points_of(course: Course, module: Module) -> Points:
    """Return the points of attempts, as far as they are known."""
    path = file_of(course, module)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def name_of(attempt: Path) -> str:
    return f"{attempt.parent.name}/{attempt.name}"


def choose_by_rule(grading: Grading, modules: list[Module], only: list[str]) -> Iterator[str]:
    """Let the best attempts count, of these students or all. Yield a line for each that changed.

    Where the course has gone back to "last", let the newest count, once: then a person may choose.
    """
    course, rule = grading.course, grading.course.schedule["attempt"]
    if rule == "last":
        modules = [module for module in modules if file_of(course, module).is_file()]
    several: dict[tuple[str, Module], list[Path]] = {}
    for module in modules:
        for folder in sorted((course.root / ATTEMPTS / module.name).glob("[!.]*")):
            aside(course, folder.name, module)  # a file put there by hand, or given a time, is one
            paths = [path for path, _ in attempts(course, folder.name, module)]
            if len(paths) > 1 and (not only or folder.name in only):
                several[folder.name, module] = paths
    each = [Submission(who, module, p) for (who, module), paths in several.items() for p in paths]
    if each and rule == "best":
        grading.run(each, grader=PointsOnly)
    known = {module: points_of(course, module) for _, module in several}
    for (student, module), paths in several.items():
        points = [known[module].get(name_of(path), NONE)[1] for path in paths]
        numbers = range(len(paths))  # of equals the newest
        chosen = max(numbers, key=lambda n: (points[n], n)) if rule == "best" else numbers[-1]
        if contents(paths[chosen]) != contents(course.workspace.submitted / student / module.name):
            line = choose(course, student, module, str(chosen + 1))
            if rule == "best":
                others = ", ".join(f"{p:g}" for n, p in enumerate(points) if n != chosen)
                line += f": {points[chosen]:g} points by tests (others: {others})"
            yield line
    for module in modules if rule == "last" and not only else ():
        file_of(course, module).unlink()
