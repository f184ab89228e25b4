"""The page that tells a student what was graded and how: small, from a template of our own.

No hidden test shows on it, nor a value of one: its outputs are those of a run without hidden tests,
and of a hidden test that failed it says the topic that the module's author gave it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import escape

from coursekit import execution, notebook, pages
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
NOT_WRITTEN = "This needs a solution that is not written yet."
TIME = (
    "Time ran out, or the process ended, in this test or in a cell before it. Look for a loop or a "
    "recursion that does not end, or for exit()."
)
JINJA = pages.templates(__file__)
JINJA.filters["points"] = lambda value: f"{round(value, 1):g}"
Cells = list[dict[str, Any]]


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


def page(assignment: Assignment, cells: Cells, grades: SubmissionGrades, state: State) -> str:
    """Return the page of a graded notebook, whose test cells hold the outputs of the graded run.

    Without cells, it says why the submission could not be graded.
    """
    parts = list(parts_of(assignment, cells, grades))
    leave_out_what_is_too_much(parts)
    heading = notebook.HEADING.search(assignment.cells[0]["source"])
    penalty = grades.late_penalty or 0
    return JINJA.get_template("feedback.html.j2").render(
        title=heading[1] if heading else assignment.name,
        score=max(0.0, grades.score - penalty),
        most=sum(grade.max_score for grade in grades.grades.values()),
        penalty=penalty,
        refused="" if cells else state.reason,
        repaired=state.repaired,
        parts=parts,
    )


def parts_of(assignment: Assignment, cells: Cells, grades: SubmissionGrades) -> Iterator[Part]:
    """Yield the exercises and questions, in order, each with its solution and its tests."""
    parts: dict[str, Part] = {}
    solutions: list[dict[str, Any]] = []  # since the last graded cell
    for cell in cells:
        if notebook.is_solution(cell) or notebook.is_answer(cell):
            solutions.append(cell)
        if not (grade := grades.grades.get(grade_id(cell))):
            continue
        title = assignment.titles.get(grade.name, grade.name)
        part = parts.setdefault(title, Part(title, f"part-{len(parts) + 1}"))
        part.score += grade.score
        part.most += grade.max_score
        part.waiting |= grade.needs_manual_grade and grade.manual_score is None
        for each in solutions:
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


def add_failure(part: Part, cell: dict[str, Any]) -> None:
    """Say why a test failed: the output that a student may see, or what it was about."""
    graded, shown = cell["outputs"], cell["metadata"].get("shown", [])
    errors = {output["ename"] for output in graded if output["output_type"] == "error"}
    if is_stub(graded):
        part.said += [NOT_WRITTEN] if NOT_WRITTEN not in part.said else []
    elif errors & {execution.TIME_IS_UP, execution.NEVER_CAME}:
        part.said.append(TIME)
    elif execution.fails(shown):
        part.said += [] if any(o["output_type"] == "error" for o in shown) else [STDERR]
        part.blocks += [("output", cut(text_of(o), OUTPUT)) for o in shown]
    elif not errors:
        part.said.append(STDERR)
    else:
        topic = topic_of(cell)
        about = f"hidden: {topic}" if topic else "a hidden test"
        part.topics.append(about)
        part.said.append(
            f"Beyond the examples, a test that you do not see fails ({about}). "
            "Try your work on more cases."
        )


def is_stub(outputs: list[dict[str, Any]]) -> bool:
    """Tell whether a test met nbgrader's stub, an error without a text."""
    return any(o.get("ename") == "NotImplementedError" and not o["evalue"] for o in outputs)


def topic_of(cell: dict[str, Any]) -> str:
    """Return what the hidden test that failed was about, by the line that its traceback names."""
    line = execution.line_of(grade_id(cell), cell["outputs"])
    return notebook.topic(cell["source"], line) or ""


def text_of(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":  # what it says, and where in the notebook it arose
        *frames, message = output["traceback"]
        return "\n".join([*[f for f in frames if f.startswith("<")][-1:], message])
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
