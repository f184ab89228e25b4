"""Marking by several people: a page for each, with answers, model answers and rubrics.

A page needs no server and no network. What students wrote lies in it as data, which its one script
(mark.js) shows as text. The marks files that it saves are taken in by marks.py.
"""

import base64
import csv
import datetime as dt
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from coursekit import files, notebook
from coursekit.assignment import sha256, stored
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.exchange import roster
from coursekit.gradebook import Gradebook
from coursekit.grades import SubmissionGrades
from coursekit.notebook import grade_id

FORMAT = "coursekit marks 1"
FOLDER = "marking"
RUBRIC = re.compile(r"^\W*marking rubric\b.*$", re.I | re.M)
LINE = re.compile(r"(?<!\S)(?:- )?(\d+(?:\.\d+)?): ")  # of a rubric: `2: view against copy.`
Questions = dict[str, dict[str, Any]]


class Answer(NamedTuple):
    """What one student wrote to one question, as it was graded last."""

    text: str
    pictures: tuple[str, ...]  # as addresses

    @property
    def digest(self) -> str:
        return sha256(self.text, *self.pictures)[:16]


def answers(course: Course, module: Module, student: str) -> dict[str, Answer]:
    """Return a student's answers by grade_id, of the autograded notebook; none without one."""
    path = course.workspace.autograded / student / module.name / module.notebook.name
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError):
        raise CourseError(f"{path} cannot be read: have it made again by grade --force.") from None
    found = {}
    for cell in filter(notebook.is_answer, cells):
        held = [pair for bundle in cell.get("attachments", {}).values() for pair in bundle.items()]
        pictures = [f"data:{kind};base64,{''.join(data)}" for kind, data in held
                    if re.fullmatch(r"image/(png|jpeg|gif|webp)", kind)]  # fmt: skip
        # nbgrader writes a text as a list of lines
        found[grade_id(cell)] = Answer("".join(cell["source"]), tuple(pictures))
    return found


def questions(course: Course, module: Module) -> Questions:
    """Return the written questions of a module as it was built, by grade_id."""
    cells, found, above = stored(course, module).get("cells", []), {}, ""
    titles = notebook.titles(cells)
    for cell in cells:
        if notebook.is_answer(cell):
            name, most = grade_id(cell), float(notebook.meta(cell)["points"])
            model, *rest = RUBRIC.split("\n".join(notebook.split_regions(cell["source"])[1]))
            text = re.split(r"^#+ (?=Question)", above, flags=re.M)[-1]
            found[name] = {"name": name, "title": titles[name], "text": text.strip(),
                           "points": most, "model": model.strip(),
                           "rubric": rubric("\n".join(rest).strip(), most)}  # fmt: skip
        elif not notebook.is_code(cell):
            above = cell["source"]
    return found


def rubric(text: str, most: float) -> list[dict[str, Any]]:
    """Return the lines of a rubric with their points; all as one if they do not add up."""
    _, *parts = LINE.split(" ".join(text.split()))
    pairs = zip(map(float, parts[::2]), parts[1::2], strict=True)
    lines = [{"points": points, "text": what.strip()} for points, what in pairs]
    whole = [{"points": most, "text": text or "All that is asked."}]
    return lines if sum(line["points"] for line in lines) == most else whole


def code(grades: SubmissionGrades) -> str:
    """Return what stands for a student on an anonymous page: the gradebook alone knows for whom."""
    return sha256(grades.id or "")[:8]


def make(
    course: Course, module: Module, graders: Sequence[str], anonymous: bool, marked: bool
) -> list[str]:
    """Write a page for each grader; return a line on each, and which students are whose.

    Pages hold the answers that wait for a mark; if `marked`, those that have one by hand as well.
    """
    if bad := [name for name in graders if not re.fullmatch(r"\w[\w.@+-]{0,40}", name)]:
        raise CourseError(f"--split: {bad[0]!r} cannot name a page; use letters and digits only.")
    if len({name.casefold() for name in graders}) < len(graders):
        raise CourseError(f"--split: one name is there twice in {','.join(graders)}.")
    asked = questions(course, module)
    with Gradebook(course.workspace.gradebook) as gradebook:
        known = gradebook.read(gradebook.module(module.name))
    held: dict[str, dict[str, Answer]] = {}
    for student, grades in sorted(known.items()):
        wanted = {name for name, grade in grades.grades.items() if grade.needs_manual_grade
                  or marked and grade.manual_score is not None}  # fmt: skip
        written = answers(course, module, student) if wanted & asked.keys() else {}
        if found := {name: written[name] for name in asked if name in wanted & written.keys()}:
            held[student] = found
    if not held:
        raise CourseError(
            f"No answer of {module.name} waits for a mark. Those of new work do after "
            f"nox -s grade -- {module.name}; those that have one are shown with --marked."
        )
    order = alike({s: "\n".join(a.text for a in written.values()) for s, written in held.items()})
    people = roster.read(course).students if (course.root / roster.NAME).is_file() else []
    names = {} if anonymous else {student.id: student.name for student in people}
    shown = {student: code(known[student]) if anonymous else student for student in order}
    lines, rows = [], [("student", "grader", "shown as")]
    for number, grader in enumerate(graders):
        start, end = (len(order) * n // len(graders) for n in (number, number + 1))
        page = f"{FOLDER}/{module.name}-{grader}.html"
        mine = {student: held[student] for student in order[start:end]}
        data = {"course": course.slug, "term": course.term, "module": module.name,
                "grader": grader, "made": f"{dt.datetime.now(course.zone):%Y-%m-%d %H:%M:%S}",
                "questions": []}  # fmt: skip
        for name, question in asked.items():
            if listed := [answer | {"student": shown[who], "name": names.get(who, "")}
                          for who, answer in in_order(name, mine, known)]:  # fmt: skip
                data["questions"].append(question | {"answers": listed})
        write(course.root / page, data)
        lines.append(f"{page}: {sum(map(len, mine.values()))} answers by {len(mine)} students")
        rows += [(student, grader, shown[student]) for student in mine]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_text(course.root / FOLDER / f"{module.name}.csv", text.getvalue())
    return [*lines, f"{FOLDER}/{module.name}.csv: whose answers are on whose page"]


def in_order(
    question: str, held: Mapping[str, Mapping[str, Answer]], known: Mapping[str, SubmissionGrades]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the students who answered a question, like answers together, with what a page has."""
    rows = []
    for student in alike({who: of[question].text for who, of in held.items() if question in of}):
        answer, of = held[student][question], known[student]
        grade, said = of.grades[question], of.comments[question].manual_comment
        about = {"answer": answer.digest, "had": grade.manual_score, "said": said or ""}
        # The browser keeps marks by this id: a page made later has them if nothing changed.
        id = sha256(student, question, repr(about))[:16]
        rows.append((student, {"id": id, "waits": grade.needs_manual_grade, **about,
                               "text": answer.text, "pictures": answer.pictures}))  # fmt: skip
    return rows


def alike(texts: Mapping[str, str]) -> list[str]:
    """Return the keys of texts, each followed by the one most like it that is left.

    The shortest comes first. The order depends on nothing but the texts and their keys.
    """
    words = {key: frozenset(re.findall(r"\w+", text.casefold())) for key, text in texts.items()}
    left = sorted(texts, key=lambda key: (len(words[key]), texts[key], key))
    ordered = left[:1]

    def likeness(key: str) -> float:
        last, common = words[ordered[-1]], len(words[key] & words[ordered[-1]])
        return common / (len(last) + len(words[key]) - common or 1)

    while left := [key for key in left if key != ordered[-1]]:
        ordered.append(max(left, key=likeness))
    return ordered


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Write a page with its data, none of which a browser takes for markup."""
    here = FileSystemLoader(Path(__file__).parent)
    env = Environment(loader=here, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    script = env.get_template("mark.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    whole = {"format": FORMAT, "page": sha256(repr(data))[:16], **data}
    text = Markup(json.dumps(whole).replace("<", "\\u003c"))
    page = env.get_template("mark.html.j2").render(
        data=text, script=Markup(script), digest=digest, **data
    )
    files.write_text(path, page)
