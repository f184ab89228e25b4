"""Marking by several people: a page for each, with answers, model answers and rubrics.

A page needs no server and no network. What students wrote lies in it as data, which its one script
(mark.js) shows as text. The marks files that it saves are taken in by marks.py.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coursekit import files, notebook, pages
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
ByName = dict[str, dict[str, Any]]


def answers(course: Course, module: Module, student: str) -> ByName:
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
        text = "".join(cell["source"])  # which nbgrader writes as a list of lines
        digest = sha256(text, *pictures)[:16]
        found[grade_id(cell)] = {"answer": digest, "text": text, "pictures": pictures}
    return found


def questions(course: Course, module: Module) -> ByName:
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


def to_mark(course: Course, module: Module, *, anonymous: bool) -> dict[str, ByName]:
    """Return the answers that wait for a mark as pages have them, by student, then by question."""
    with Gradebook(course.workspace.gradebook) as gradebook:
        known = gradebook.read(gradebook.module(module.name))
    people = roster.read_if_any(course).students
    names, found = {student.id: student.name for student in people}, {}
    for who, of in sorted(known.items()):
        waiting = {name for name, grade in of.grades.items() if grade.needs_manual_grade}
        shown = {"student": who, "name": names.get(who, "")}
        shown = {"student": code(of), "name": ""} if anonymous else shown
        for name, answer in answers(course, module, who).items() if waiting else ():
            now = {"had": of.grades[name].manual_score, "said": of.comments[name].manual_comment}
            # The browser keeps marks by this: a page made later has them if nothing changed.
            id = sha256(who, name, answer["answer"], repr(now))[:16]
            if name in waiting:
                found.setdefault(who, {})[name] = {"id": id, **shown, **now, **answer}
    return found


def make(course: Course, module: Module, graders: Sequence[str], *, anonymous: bool) -> list[str]:
    """Write a page for each grader, with students of their own; return a line on each."""
    valid = {name.casefold() for name in graders if re.fullmatch(r"\w[\w.@+-]{0,40}", name)}
    if len(valid) < len(graders):
        raise CourseError(f"--split {','.join(graders)}: name each once, by letters and digits.")
    if not (found := to_mark(course, module, anonymous=anonymous)):
        first = f"new work does after nox -s grade -- {module.name}"
        raise CourseError(f"No answer of {module.name} waits for a mark; {first}")
    order = alike({who: "\n".join(a["text"] for a in of.values()) for who, of in found.items()})
    lines, rows, key = [], [], course.root / FOLDER / f"{module.name}.csv"
    for number, grader in enumerate(graders):
        start, end = (len(order) * n // len(graders) for n in (number, number + 1))
        mine = {who: found[who] for who in order[start:end]}
        asked = [question | {"answers": of_question(name, mine)}
                 for name, question in questions(course, module).items()]  # fmt: skip
        path = course.root / FOLDER / f"{module.name}-{grader}.html"
        write(path, course=course.slug, term=course.term, module=module.name, grader=grader,
              made=f"{dt.datetime.now(course.zone):%Y-%m-%d %H:%M}",
              questions=[question for question in asked if question["answers"]])  # fmt: skip
        count = sum(map(len, mine.values()))
        lines.append(f"{FOLDER}/{path.name}: {count} answers by {len(mine)} students")
        rows += [(who, grader, next(iter(of.values()))["student"]) for who, of in mine.items()]
    earlier = roster.rows(key) if key.is_file() else ()  # of pages that may be with somebody still
    kept = [tuple(row.values()) for row in earlier if row["student"] not in found]
    files.write_csv(key, [("student", "grader", "shown as"), *kept, *rows])
    return [*lines, f"{FOLDER}/{key.name}: whose answers are on whose page"]


def of_question(name: str, of: Mapping[str, ByName]) -> list[dict[str, Any]]:
    """Return the answers to one question, like ones together."""
    order = alike({who: those[name]["text"] for who, those in of.items() if name in those})
    return [of[who][name] for who in order]


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


def write(path: Path, **data: Any) -> None:
    """Write a page with its data, none of which a browser takes for markup."""
    whole = {"format": FORMAT, "page": sha256(repr(data))[:16], **data}
    page = pages.templates(__file__).get_template("mark.html.j2")
    files.write_text(path, page.render(data | {"data": whole}))
