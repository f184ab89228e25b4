"""Marks files, which marking pages save: checked, shown, and then taken in as a whole."""

import datetime as dt
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import sqlalchemy as sa

from coursekit import files
from coursekit import gradebook as gb
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.exchange.marking import FORMAT, ByName, answers, code, questions
from coursekit.gradebook import Gradebook
from coursekit.grades import SubmissionGrades
from coursekit.intake.collect import printable

Given = tuple[float | None, str | None]  # points and a comment
TEXT, POINTS = {"type": "string"}, {"type": "number"}
MARK = {"student": TEXT, "question": TEXT, "answer": TEXT, "points": POINTS, "comment": TEXT,
        "had": {"type": ["number", "null"]}, "said": {"type": ["string", "null"]}}  # fmt: skip
FILE = {"format": {"const": FORMAT}, "course": TEXT, "module": TEXT, "page": TEXT, "saved": TEXT,
        "marks": {"items": {"type": "object", "required": [*MARK], "properties": MARK},
                  "type": "array"}}  # fmt: skip
SCHEMA = {"type": "object", "required": [*FILE], "properties": FILE}


class Mark(NamedTuple):
    """A mark that one file gives to an answer."""

    file: str
    who: str  # "jdoe, Question 2: A view or a copy?"
    grades: SubmissionGrades
    name: str  # the question's grade_id
    given: Given
    had: Given  # when the page was made

    @property
    def now(self) -> Given:
        """Return what the gradebook has of it by hand."""
        grade, comment = self.grades.grades[self.name], self.grades.comments[self.name]
        return grade.manual_score, comment.manual_comment

    @property
    def says(self) -> str:
        return f"{printable(self.file)} says {shown(self.given)}"


def shown(given: Given) -> str:
    points, comment = given
    said = f' with "{printable(comment, 60)}"' if comment else ""
    return f"{'no points' if points is None else format(points, 'g')}{said}"


def take_in(course: Course, paths: Iterable[Path], *, overwrite: bool, yes: bool) -> Iterator[str]:
    """Yield what there is to do; if `yes`, or a person says so, do it and yield what is left.

    CourseError at the end if some marks, or all, were not taken.
    """
    problems, marks, same = [], [], 0
    with Gradebook(course.workspace.gradebook) as gradebook:
        for those in read_all(course, paths, gradebook, problems):
            mark, says = those[0], ", ".join(mark.says for mark in those)
            if len({each.given for each in those}) > 1:
                problems.append(f"{mark.who}: {says}: none is taken; leave one file out.")
            elif mark.now == mark.given and not mark.grades.grades[mark.name].needs_manual_grade:
                same += 1
            elif mark.now == mark.had or overwrite:
                marks.append(mark)
            else:
                has = f"has {shown(mark.now)} (by hand), {says}"
                problems.append(f"{mark.who}: {has}: not changed; --overwrite takes it.")
        yield from problems
        replaced = [mark for mark in marks if mark.now != (None, None)]
        new = len(marks) - len(replaced)
        yield f"{new} new marks, {len(replaced)} that replace one, {same} that are there already."
        asked = marks and not yes and sys.stdin.isatty() and input("Go on? [y/N] ")
        if marks and not yes and str(asked).strip().lower() != "y":
            raise CourseError("Nothing is changed yet; with --yes it is.")
        if replaced:
            path = course.root / "backups" / f"marks-{dt.datetime.now():%Y-%m-%d-%H%M%S-%f}.csv"
            rows = [(mark.grades.student, mark.name, *mark.now) for mark in replaced]
            files.write_csv(path, [("student", "name", "manual_score", "manual_comment"), *rows])
            yield f"The marks before are in backups/{path.name}."
        give(gradebook, marks)
        for name in sorted({mark.grades.module for mark in marks}):
            known = gradebook.read(gradebook.module(name)).values()
            left = sum(grade.needs_manual_grade for s in known for grade in s.grades.values())
            yield f"{name}: {left} answers are left to mark. Now nox -s grade: it counts these."
    if problems:
        raise CourseError("Not all marks were taken: the lines above say which, and why.")


def read_all(
    course: Course, paths: Iterable[Path], gradebook: Gradebook, problems: list[str]
) -> Iterator[list[Mark]]:
    """Yield, for each answer, the marks that files give to it; of a problem, add a line."""
    pages: dict[str, dict[str, Any]] = {}
    for path in paths:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                held = read(course, file)
                last = pages.get(held["page"], held)  # the later save of a page has all before
                pages[held["page"]] = max(last, held, key=lambda each: each["saved"])
            except CourseError as error:
                problems.append(str(error))
    for module in course.modules():
        rows = [(held, row) for held in pages.values() for row in held["marks"]
                if held["module"] == module.name]  # fmt: skip
        known = gradebook.read(gradebook.module(module.name)) if rows else {}
        by_name = {code(grades): grades for grades in known.values()} | known
        asked, found = questions(course, module), defaultdict(list)
        written = cache(partial(answers, course, module))
        for held, row in rows:
            try:
                mark = mark_of(held["file"], row, by_name, asked)
                if written(mark.grades.student).get(mark.name, {}).get("answer") != row["answer"]:
                    raise LookupError(f"{mark.who}: the answer has changed since the page was made")
                found[mark.who].append(mark)
            except LookupError as error:
                problems.append(f"{printable(held['file'])}: {error}; not taken.")
        yield from found.values()


def read(course: Course, path: Path) -> dict[str, Any]:
    """Return what a marks file holds. CourseError says why it is none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8-sig"))
        json.dumps(held, ensure_ascii=False).encode()  # half a surrogate pair is no text
        jsonschema.validate(held, SCHEMA)
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError, jsonschema.ValidationError) as error:
        wrong = isinstance(error, jsonschema.ValidationError)
        why = f"{error.json_path}: {printable(error.message, 200)}" if wrong else "it is not JSON"
        raise CourseError(
            f"{path} is no marks file ({why}): save it from its page again."
        ) from None
    if held["course"] != course.slug or held["module"] not in {m.name for m in course.modules()}:
        raise CourseError(f"{path} is of {held['course']}, {held['module']}: not in this course.")
    return held | {"file": path.name}


def mark_of(file: str, row: Any, by_name: Mapping[str, SubmissionGrades], asked: ByName) -> Mark:
    """Return what a row of a marks file says. LookupError says what is wrong with it."""
    grades, question = by_name.get(row["student"]), asked.get(row["question"])
    if not grades or not question or question["name"] not in grades.grades:
        names = (printable(row[key]) for key in ("student", "question"))
        raise LookupError(f"there is no answer of {' to '.join(names)}")
    who, most = f"{grades.student}, {question['title']}", question["points"]
    if not 0 <= row["points"] <= most:
        raise LookupError(f"{who}: {row['points']} points are not between 0 and {most:g}")
    given, had = (row["points"], row["comment"] or None), (row["had"], row["said"])
    return Mark(file, who, grades, question["name"], given, had)


def give(gradebook: Gradebook, marks: Iterable[Mark]) -> None:
    """Write points and comments by hand: all, or none if one is not as it was read."""
    with gradebook.engine.begin() as connection:
        for mark in marks:
            before, comment = mark.grades.grades[mark.name], mark.grades.comments[mark.name]
            grade = sa.update(gb.grades).filter_by(notebook_id=mark.grades.id)
            as_read = gb.grades.c.manual_score.is_not_distinct_from(before.manual_score)
            grade = grade.filter_by(cell_id=before.cell_id).where(as_read)
            marked = grade.values(manual_score=mark.given[0], needs_manual_grade=False)
            if not connection.execute(marked).rowcount:
                raise CourseError(f"{mark.who}: marked meanwhile. Nothing was taken in: run again.")
            said = sa.update(gb.comments).filter_by(notebook_id=mark.grades.id)
            said = said.filter_by(cell_id=comment.cell_id)
            connection.execute(said.values(manual_comment=mark.given[1]))
