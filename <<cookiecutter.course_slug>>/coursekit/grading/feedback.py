"""The page that tells a student what was graded and how: small, from a template of our own.

No hidden test shows on it, nor a value of one: its outputs are those of a run without hidden tests,
and of a hidden test that failed it says the topic that the module's author gave it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import escape

from coursekit import execution, notebook
from coursekit.assignment import Assignment
from coursekit.grades import SubmissionGrades
from coursekit.grading.state import State
from coursekit.notebook import grade_id

CODE, OUTPUT = 4_000, 2_000  # characters of a cell, of an output
ALL, PICTURE = 45_000, 12_000  # bytes of all of them, so that a page stays below 60 kB; of one
STDERR = (
    "Something was written to stderr while this test ran: a warning, a log message, print(…, "
    "file=sys.stderr). A test that passes writes nothing there."
)
TIME = (
    "Time ran out, or the process ended, in this test or in a cell before it. Look for a loop or a "
    "recursion that does not end, or for exit()."
)


@dataclass
class Part:
    """One exercise or question."""

    title: str
    anchor: str
    score: float = 0.0
    most: float = 0.0
    waiting: bool = False
    topics: list[str] = field(default_factory=list)  # of hidden tests that failed
    said: list[str] = field(default_factory=list)  # why points were lost
    comments: list[str] = field(default_factory=list)
    blocks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        return not self.waiting and self.score < self.most


@lru_cache(1)
def template() -> Template:
    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    env.filters["points"] = lambda value: f"{round(value, 1):g}"
    return env.get_template("page.html.j2")


def page(
    assignment: Assignment,
    cells: list[dict[str, Any]],
    grades: SubmissionGrades,
    state: State,
) -> str:
    """Return the page of a graded notebook, whose test cells hold the outputs of the graded run."""
    parts = list(parts_of(assignment, cells, grades))
    leave_out_what_is_too_much(parts)
    return template().render(
        title=heading(assignment),
        score=max(0.0, grades.score - (grades.late_penalty or 0)),
        most=sum(grade.max_score for grade in grades.grades.values()),
        penalty=grades.late_penalty or 0,
        waiting=sum(part.waiting for part in parts),
        repaired=state.repaired,
        parts=parts,
    )


def refusal(assignment: Assignment, reason: str) -> str:
    """Return a page that says why a submission could not be graded."""
    said = f"This submission could not be graded and has 0 points: {reason}."
    advice = "Please hand in the notebook again, or ask your instructor."
    part = Part("Not graded", "refused", most=1, said=[said, advice])
    parts = {"score": 0, "most": 0, "penalty": 0, "waiting": 0, "repaired": (), "parts": [part]}
    return template().render(title=heading(assignment), **parts)


def heading(assignment: Assignment) -> str:
    """Return the module's own title."""
    found = notebook.HEADING.search(assignment.cells[0]["source"]) if assignment.cells else None
    return found[1] if found else assignment.name


def parts_of(
    assignment: Assignment, cells: list[dict[str, Any]], grades: SubmissionGrades
) -> Iterator[Part]:
    """Yield the exercises and questions, in order, each with its solution and its tests."""
    parts: dict[str, Part] = {}
    solutions: list[dict[str, Any]] = []  # since the last graded cell
    for cell in cells:
        name = grade_id(cell)
        if notebook.is_solution(cell):
            solutions.append(cell)
        if name not in grades.grades:
            continue
        title = assignment.titles.get(name, name)
        part = parts.setdefault(title, Part(title, f"part-{len(parts) + 1}"))
        add_grade(part, cell, grades)
        written = [*solutions, *([cell] if notebook.is_answer(cell) else [])]
        for each in written:
            part.blocks.append(("code", cut(each["source"], CODE)))
            part.blocks += [("picture", p) for p in pictures(each)]
            comment = grades.comments.get(grade_id(each))
            part.comments += [comment.comment] if comment and comment.comment else []
        solutions = []
        if notebook.is_test(cell) and execution.fails(cell["outputs"]):
            add_failure(part, cell)
    yield from parts.values()


def leave_out_what_is_too_much(parts: list[Part]) -> None:
    """Empty blocks that have no room on the page; exercises that lost points come first."""
    left = ALL
    for part in sorted(parts, key=lambda part: not part.lost):
        for number, (_, text) in enumerate(part.blocks):
            size = len(escape(text).encode())
            if size > left:
                part.blocks[number] = "code", cut(text, 0)
            else:
                left -= size


def add_grade(part: Part, cell: dict[str, Any], grades: SubmissionGrades) -> None:
    grade = grades.grades[grade_id(cell)]
    part.score += grade.score
    part.most += grade.max_score
    part.waiting |= grade.needs_manual_grade and grade.manual_score is None


def add_failure(part: Part, cell: dict[str, Any]) -> None:
    """Say why a test failed: the output that a student may see, or what it was about."""
    graded, shown = cell["outputs"], cell["metadata"].get("shown", [])
    names = {output.get("ename") for output in graded}
    if any(o.get("ename") == "NotImplementedError" and not o["evalue"] for o in graded):
        part.said.append("This needs a solution that is not written yet.")
    elif names & {execution.TIME_IS_UP, execution.NEVER_CAME}:
        part.said.append(TIME)
    elif execution.fails(shown):
        errors = [o for o in shown if o["output_type"] == "error"]
        part.said += [] if errors else [STDERR]
        part.blocks += [("output", cut(text_of(o), OUTPUT)) for o in shown]
    elif not names - {None}:
        part.said.append(STDERR)
    else:
        topic = topic_of(cell)
        about = f"hidden: {topic}" if topic else "a hidden test"
        part.topics.append(about)
        part.said.append(
            f"The tests that you see pass; one that you do not see fails ({about}). "
            "Try your work on more cases of that kind."
            if topic
            else "The tests that you see pass; one that you do not see fails."
        )


def topic_of(cell: dict[str, Any]) -> str:
    """Return what the hidden test that failed was about, by the line that its traceback names."""
    line = execution.line_of(grade_id(cell), cell["outputs"])
    return (notebook.topic(cell["source"], line) or "") if line else ""


def text_of(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":
        return "\n".join(output["traceback"][-2:])
    return output.get("text") or output["data"]["text/plain"]


def pictures(cell: dict[str, Any]) -> Iterator[str]:
    """Yield the small pictures of an answer as addresses; larger ones stay in the notebook."""
    for bundle in cell.get("attachments", {}).values():
        for kind, data in bundle.items():
            if re.fullmatch(r"image/(png|jpeg|gif|webp)", kind) and len(data) <= PICTURE:
                yield f"data:{kind};base64,{data}"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text, and that it is one."""
    if len(text) <= most:
        return text
    return text[: max(0, most)] + "\n… (cut here; your notebook has it all)"
