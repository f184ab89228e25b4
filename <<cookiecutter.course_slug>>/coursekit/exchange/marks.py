"""Marks files, which marking pages save: checked, shown, and then taken in as a whole."""

import csv
import datetime as dt
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from coursekit import files
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.exchange.marking import FORMAT, Questions, answers, code, questions
from coursekit.gradebook import Gradebook
from coursekit.grades import SubmissionGrades
from coursekit.intake.collect import printable

NUMBER = (int, float)
FIELDS = {"student": str, "question": str, "answer": str, "points": NUMBER, "comment": str,
          "had": (*NUMBER, type(None)), "said": str}  # fmt: skip
Given = tuple[float | None, str]  # points and a comment


class Mark(NamedTuple):
    """A mark that one file gives to an answer."""

    file: str
    title: str  # of the question
    name: str  # its grade_id
    grades: SubmissionGrades
    given: Given
    had: Given  # when the page was made

    @property
    def now(self) -> Given:
        """Return what the gradebook has of it by hand."""
        said = self.grades.comments[self.name].manual_comment
        return self.grades.grades[self.name].manual_score, said or ""

    @property
    def who(self) -> str:
        return f"{self.grades.student}, {self.title}"


@dataclass
class Plan:
    """What taking in some files will do."""

    give: list[Mark] = field(default_factory=list)
    same: int = 0
    problems: list[str] = field(default_factory=list)  # a line for each that is not taken
    modules: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield all of it in words."""
        yield from self.problems
        changed = sum(mark.now != (None, "") for mark in self.give)
        counts = f"{len(self.give) - changed} new marks, {changed} that replace one"
        yield f"{counts}, {self.same} as they are already, {len(self.problems)} lines not taken."

    def decide(self, marks: list[Mark], *, overwrite: bool) -> None:
        """Add the mark that all files give to one answer, or why there is none."""
        mark, says = marks[0], [f"{printable(m.file)} says {shown(m.given)}" for m in marks]
        asks = mark.grades.grades[mark.name].needs_manual_grade
        if len({m.given for m in marks}) > 1:
            self.problems.append(f"{mark.who}: {', '.join(says)}: none taken; leave one file out.")
        elif mark.now == mark.given and not asks:
            self.same += 1
        elif mark.now == mark.had or overwrite:
            self.give.append(mark)
        else:
            self.problems.append(f"{mark.who}: has {shown(mark.now)} (by hand), {says[0]}: "
                                 "not changed; --overwrite takes it.")  # fmt: skip


def shown(given: Given) -> str:
    points, comment = given
    said = f' with "{printable(comment, 60)}"' if comment else ""
    return f"{'no points' if points is None else format(points, 'g')}{said}"


def plan(course: Course, paths: Iterable[Path], *, overwrite: bool) -> Plan:
    """Check marks files against the gradebook and each other; return what there is to do."""
    made, rows = Plan(), defaultdict(list)
    for held in newest(course, paths, made.problems):
        rows[held["module"]] += [(held["file"], row) for row in held["marks"]]
    with Gradebook(course.workspace.gradebook) as gradebook:
        for module in course.modules(list(rows)) if rows else ():
            made.modules.append(module.name)
            known = gradebook.read(gradebook.module(module.name))
            by_name = {code(grades): grades for grades in known.values()} | known
            asked, of_answer = questions(course, module), defaultdict(list)
            written = cache(partial(answers, course, module))
            for number, (file, row) in enumerate(rows[module.name], 1):
                try:
                    mark = mark_of(file, row, by_name, asked)
                    answer = written(mark.grades.student).get(mark.name)
                    if not answer or answer.digest != row["answer"]:
                        raise LookupError(f"{mark.who}: the answer is another one now")
                    of_answer[mark.who].append(mark)
                except LookupError as error:
                    made.problems.append(f"{printable(file)}, mark {number}: {error}; not taken.")
            for marks in of_answer.values():
                made.decide(marks, overwrite=overwrite)
    return made


def newest(course: Course, paths: Iterable[Path], problems: list[str]) -> Iterable[dict[str, Any]]:
    """Return what the files hold, of several that one page saved the last: it has all before."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                held = read(course, file)
                found[held["page"]] = max(
                    found.get(held["page"], held), held, key=itemgetter("saved")
                )
            except CourseError as error:
                problems.append(str(error))
    return found.values()


def read(course: Course, path: Path) -> dict[str, Any]:
    """Return what a marks file holds. CourseError says why it is none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8-sig"))
        json.dumps(held, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        held = None
    whole = isinstance(held, dict) and held.get("format") == FORMAT
    whole = whole and all(
        isinstance(held.get(k), str) for k in ("course", "module", "page", "saved")
    )
    if not whole or not isinstance(held.get("marks"), list):
        raise CourseError(
            f"{path} is no marks file: save it from the page again, and do not edit it."
        )
    if held["course"] != course.slug or held["module"] not in {m.name for m in course.modules()}:
        raise CourseError(f"{path} is of {held['course']}, {held['module']}: not in this course.")
    return held | {"file": path.name}


def mark_of(file: str, row: Any, by_name: Mapping[str, SubmissionGrades], asked: Questions) -> Mark:
    """Return what a row of a marks file says. LookupError says what is wrong with it."""
    for key, kinds in FIELDS.items():
        value = row.get(key) if isinstance(row, dict) else None
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise LookupError(f"{key} is {printable(repr(value))}")
    grades, question = by_name.get(row["student"]), asked.get(row["question"])
    if not grades or row["question"] not in grades.grades or not question:
        what = printable(row["student"] if not grades else row["question"])
        raise LookupError(f"the gradebook has no {what}")
    most = grades.grades[row["question"]].max_score
    given, had = ((row[p], row[c]) for p, c in (("points", "comment"), ("had", "said")))
    mark = Mark(file, question["title"], question["name"], grades, given, had)
    if not 0 <= row["points"] <= most:
        raise LookupError(f"{mark.who}: {row['points']} points are not between 0 and {most:g}")
    return mark


def take_in(course: Course, made: Plan) -> list[str]:
    """Give all marks, or none if one was changed meanwhile; return what to say.

    Those that they replace are written to backups/ first.
    """
    said = []
    if rows := [(m.grades.student, m.name, *m.now) for m in made.give if m.now != (None, "")]:
        text = io.StringIO()
        head = "student", "name", "manual_score", "manual_comment"
        csv.writer(text, lineterminator="\n").writerows([head, *rows])
        path = course.root / "backups" / f"marks-{dt.datetime.now():%Y-%m-%d-%H%M%S-%f}.csv"
        files.write_text(path, text.getvalue())
        said.append(f"The marks before are in {path.parent.name}/{path.name}.")
    with Gradebook(course.workspace.gradebook) as gradebook:
        gradebook.mark((m.grades, m.name, m.given[0], m.given[1] or None) for m in made.give)
        said.append(f"{len(made.give)} marks taken in; nox -s grade counts them.")
        for name in made.modules:
            known = gradebook.read(gradebook.module(name)).values()
            left = sum(g.needs_manual_grade for s in known for g in s.grades.values())
            said.append(f"{name}: {left} answers are left to mark.")
    return said
