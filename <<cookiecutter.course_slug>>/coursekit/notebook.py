"""A percent-format .py as a notebook; what in it is solution, hidden test or profiling.

Cells are nbformat's NotebookNodes where a person's file is read or written, and plain JSON where
only grading needs them: what is asked of them here works for both.
"""

import copy
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.errors import CourseError

if TYPE_CHECKING:  # a process that only grades starts faster without nbformat and jupytext
    from nbformat import NotebookNode

REGION = re.compile(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS)")
TOPIC = re.compile(r"\s*# hidden: (.+)")
CONFLICT = re.compile(r"^(<{7}|>{7}|[|]{7})( |$)", re.M)
HEADING = re.compile(r"^#+ (.+)$", re.M)

Cell = Mapping[str, Any]


def read(source: Path) -> "NotebookNode":
    """Return a module's source as a notebook whose cell ids depend on nothing but its text."""
    import nbformat

    try:
        text = source.read_text(encoding="utf-8-sig")
        notebook = copy.deepcopy(parsed(text))
    except Exception as error:  # jupytext raises whatever its parsers raise
        raise CourseError(f"{source}: jupytext cannot read it: {error}") from error
    if mark := CONFLICT.search(text):
        line = text.count("\n", 0, mark.start()) + 1
        raise CourseError(f"{source}: line {line} is git's mark of a conflict: choose a version.")
    notebook.metadata = nbformat.from_dict({"kernelspec": notebook.metadata.get("kernelspec")})
    if not notebook.metadata.kernelspec:
        raise CourseError(f"{source}: the header names no kernelspec; copy it from another module.")
    name_cells(notebook.cells)
    for cell in notebook.cells:
        for note_to_self in ("cell_marker", "lines_to_next_cell"):  # jupytext's, for writing .py
            cell.metadata.pop(note_to_self, None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def name_cells(cells: Iterable["NotebookNode"]) -> None:
    """Give cells the ids that they have by their names, or else by their texts."""
    seen: Counter[str] = Counter()
    for cell in cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]", "-", grade_id(cell) or f"text-{digest}")[:56]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


@lru_cache(16)  # a command reads the same modules several times
def parsed(text: str) -> "NotebookNode":
    import jupytext

    return jupytext.reads(text, fmt="py:percent")


def meta(cell: Cell) -> dict[str, Any]:
    """Return the cell's nbgrader metadata, empty where it has none."""
    return cell.get("metadata", {}).get("nbgrader", {})


def grade_id(cell: Cell) -> str:
    return meta(cell).get("grade_id", "")


def is_code(cell: Cell) -> bool:
    return cell["cell_type"] == "code"


def is_solution(cell: Cell) -> bool:
    """Tell whether students write in this code cell."""
    return is_code(cell) and bool(meta(cell).get("solution"))


def is_provided(cell: Cell) -> bool:
    """Tell whether this cell must run as the module has it: a helper, a test. nbgrader: locked."""
    return bool(grade_id(cell)) and not meta(cell).get("solution")


def is_test(cell: Cell) -> bool:
    """Tell whether this code cell scores points by running."""
    return is_code(cell) and bool(meta(cell).get("grade"))


def is_answer(cell: Cell) -> bool:
    """Tell whether a person grades what students write in this cell."""
    return bool(meta(cell).get("grade")) and bool(meta(cell).get("solution"))


def is_profiling(cell: Cell) -> bool:
    return "profiling" in cell.get("metadata", {}).get("tags", [])


def points(cells: Iterable[Cell]) -> int:
    """Return the sum of the points of these cells."""
    return sum(meta(cell).get("points", 0) for cell in cells if meta(cell).get("grade"))


def titles(cells: Iterable[Cell]) -> dict[str, str]:
    """Return, for each graded cell, the exercise or question it belongs to, by grade_id.

    That is the last heading above it that begins with "Exercise" or "Question".
    """
    found, title = {}, ""
    for cell in cells:
        headings = [] if is_code(cell) else HEADING.findall(cell["source"])
        for heading in headings:
            if heading.startswith(("Exercise", "Question")):
                title = heading.replace("`", "")
        if meta(cell).get("grade"):
            found[grade_id(cell)] = title or grade_id(cell)
    return found


def split_regions(source: str) -> tuple[list[str], list[str]]:
    """Split a cell into the lines students see and the lines of solutions and hidden tests."""
    public: list[str] = []
    secret: list[str] = []
    lines = public
    for line in source.splitlines():
        if marker := REGION.search(line):
            lines = secret if marker[1] == "BEGIN" else public
        else:
            lines.append(line)
    return public, secret


def public(source: str) -> str:
    """Return a cell as students see it, without solutions and hidden tests."""
    return "\n".join(split_regions(source)[0])


def topic(source: str, line: int) -> str | None:
    """Return what a test asks about in a line, from 1 on: None if students see that line.

    The author says so in the hidden block, in a comment above it: `# hidden: negative dims`.
    "" stands for a hidden line below no such comment.
    """
    found: str | None = None
    for text in source.split("\n")[:line]:
        if marker := REGION.search(text):
            found = "" if marker[1] == "BEGIN" else None
        elif found is not None and (comment := TOPIC.fullmatch(text)):
            found = comment[1].strip()
    return found


def secret_lines(notebooks: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the lines that stand only in solutions and hidden tests, stripped of white space."""
    regions = [split_regions(cell["source"]) for nb in notebooks for cell in nb["cells"]]
    public, secret = ({line.strip() for both in regions for line in both[n]} for n in (0, 1))
    return secret - public
