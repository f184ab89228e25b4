"""A percent-format .py as a notebook; what in it is solution, hidden test or profiling."""

import hashlib
import re
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from coursekit.errors import CourseError

REGION = re.compile(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS)")
PROFILING = "profiling"
SHOWN = "shown"  # key in a graded cell's metadata: outputs that its student may see


def read(source: Path) -> NotebookNode:
    """Return a module's source as a notebook whose cell ids depend on nothing but its text."""
    try:
        notebook = jupytext.read(source, fmt="py:percent")
    except Exception as error:  # jupytext raises whatever its parsers raise
        raise CourseError(f"{source}: jupytext cannot read it: {error}") from error
    notebook.metadata = nbformat.from_dict({"kernelspec": notebook.metadata.get("kernelspec")})
    if not notebook.metadata.kernelspec:
        raise CourseError(f"{source}: the header names no kernelspec; copy it from another module.")
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        cell.id = cell_id(cell, seen)
        for note_to_self in ("cell_marker", "lines_to_next_cell"):  # jupytext's, for writing .py
            cell.metadata.pop(note_to_self, None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def cell_id(cell: NotebookNode, seen: Counter[str]) -> str:
    """Return the cell's grade_id, or a name made from its text, numbered if it repeats."""
    digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9_-]", "-", grade_id(cell) or f"text-{digest}")[:56]
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def meta(cell: NotebookNode) -> dict:
    """Return the cell's nbgrader metadata, empty where it has none."""
    return cell.metadata.get("nbgrader", {})


def grade_id(cell: NotebookNode) -> str:
    return meta(cell).get("grade_id", "")


def is_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code"


def is_solution(cell: NotebookNode) -> bool:
    """Tell whether students write in this code cell."""
    return is_code(cell) and bool(meta(cell).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Tell whether this code cell scores points by running."""
    return is_code(cell) and bool(meta(cell).get("grade"))


def is_answer(cell: NotebookNode) -> bool:
    """Tell whether a person grades what students write in this cell."""
    return bool(meta(cell).get("grade")) and bool(meta(cell).get("solution"))


def is_profiling(cell: NotebookNode) -> bool:
    return PROFILING in cell.metadata.get("tags", [])


def fails(outputs: list[NotebookNode]) -> bool:
    """Tell whether nbgrader gives a test with these outputs no points."""
    return any(o.output_type == "error" or o.get("name") == "stderr" for o in outputs)


def on_stderr(outputs: list[NotebookNode]) -> bool:
    """Tell whether a test failed only because something was written to stderr: nbgrader's rule."""
    return fails(outputs) and not any(o.output_type == "error" for o in outputs)


def not_done(outputs: list[NotebookNode]) -> bool:
    """Tell whether a test met a solution that says so: nbgrader's stub, which has no text."""
    return any(o.get("ename") == "NotImplementedError" and not o.evalue for o in outputs)


def out_of_time(outputs: list[NotebookNode]) -> bool:
    """Tell whether a cell was stopped, or never came to its turn."""
    return any(o.get("ename") in ("CellTimeoutError", "DeadKernelError") for o in outputs)


def points(cells: list[NotebookNode]) -> int:
    """Return the sum of the points of these cells."""
    return sum(meta(cell).get("points", 0) for cell in cells if meta(cell).get("grade"))


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


def secret_lines(notebooks: list[NotebookNode]) -> set[str]:
    """Return the lines that stand only in solutions and hidden tests, stripped of white space."""
    public: set[str] = set()
    secret: set[str] = set()
    for cell in (cell for notebook in notebooks for cell in notebook.cells):
        seen, hidden = split_regions(cell.source)
        public.update(line.strip() for line in seen)
        secret.update(line.strip() for line in hidden)
    return secret - public
