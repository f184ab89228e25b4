"""A sanitized notebook as a job for the engine, and what came of it as outputs of its cells."""

import ast
import base64
from collections.abc import Iterator
from functools import lru_cache

from nbformat import NotebookNode, from_dict

from coursekit import lint, notebook
from coursekit.course import Course, Module
from coursekit.engine import Cell, Job, Outcome


def job_of(course: Course, nb: NotebookNode, source: NotebookNode, *, hidden: bool = True) -> Job:
    """Return the job of a submission; `source` is the module's own notebook.

    Without hidden tests: only those tests that failed with them, as students have them.
    """
    theirs = {name for c in source.cells if notebook.is_solution(c) for name in binds(c.source)}
    cells = [as_cell(cell, n, theirs, hidden) for n, cell in to_run(nb, hidden=hidden)]
    changed = {n for c in filter(notebook.is_code, source.cells) for n in changes(c.source)}
    return Job(tuple(cells), course.limits, {}, tuple(sorted(changed)), tuple(sorted(theirs)))


def data_of(module: Module) -> dict[str, str]:
    """Return the data that lies beside a module's notebook, as a job takes files."""
    data = [path for path in module.beside if path.suffix != ".md"]
    return {path.name: base64.b64encode(path.read_bytes()).decode() for path in data}


def to_run(nb: NotebookNode, *, hidden: bool = True) -> list[tuple[int, NotebookNode]]:
    """Return the cells that run, with their numbers; of ours none behind the last test.

    There, a module runs all its tests once more, or trains a network: no point depends on it.
    """
    last = max((n for n, cell in enumerate(nb.cells) if notebook.is_test(cell)), default=-1)
    found = [(n, c) for n, c in enumerate(nb.cells) if runs(c) and (n <= last or not is_ours(c))]
    passed = {n for n, c in found if notebook.is_test(c) and not notebook.fails(c.outputs)}
    return found if hidden else [(n, c) for n, c in found if n not in passed]


def runs(cell: NotebookNode) -> bool:
    return notebook.is_code(cell) and not notebook.is_profiling(cell)


def is_ours(cell: NotebookNode) -> bool:
    return bool(notebook.meta(cell).get("locked"))


def as_cell(cell: NotebookNode, number: int, theirs: set[str], hidden: bool) -> Cell:
    """Return a cell as the engine takes it."""
    name = notebook.grade_id(cell) or f"cell {number}"
    if notebook.is_test(cell):
        return Cell(name, cell.source if hidden else notebook.public(cell.source), "test")
    if not is_ours(cell):
        return Cell(name, cell.source)
    return Cell(name, cell.source, "ours", tuple(sorted(binds(cell.source) - theirs)))


@lru_cache(4096)
def binds(source: str) -> frozenset[str]:
    """Return the names that a cell of ours binds as it runs."""
    return frozenset(bound(ast.parse(source)))


def bound(tree: ast.Module) -> Iterator[str]:
    """Return the names that a cell binds as it runs."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        else:
            names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            yield from (node.id for node in names if isinstance(node.ctx, ast.Store))


@lru_cache(4096)
def changes(source: str) -> frozenset[str]:
    """Return the names of functions, classes and attributes that a cell of ours makes."""
    return frozenset(changed(ast.parse(source)))


def changed(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Constant) and str(node.value).isidentifier():
            yield str(node.value)  # setattr(Tensor, "exp", …)


def fill(nb: NotebookNode, outcome: Outcome) -> None:
    """Write what came of a job into the notebook's cells."""
    for (_, cell), outputs in zip(to_run(nb), outcome.outputs, strict=True):
        found = [not_run(outcome)] if outputs is None else outputs
        cell.outputs = [from_dict(output) for output in found]
        cell.execution_count = None if outputs is None else 1


def show(nb: NotebookNode, outcome: Outcome) -> None:
    """Keep what a run without hidden tests gave, for the student's page."""
    for (_, cell), outputs in zip(to_run(nb, hidden=False), outcome.outputs, strict=True):
        if outputs:
            cell.metadata[notebook.SHOWN] = [from_dict(output) for output in outputs]


def stopped(outcome: Outcome) -> bool:
    """Tell whether the run ended early, or a cell in it ran out of time."""
    names = {o.get("ename") for outputs in outcome.outputs for o in outputs or []}
    return bool(outcome.ended) or "CellTimeoutError" in names


def not_run(outcome: Outcome) -> dict:
    """Return the error of a cell that never came to its end: a test that has it scores 0."""
    name = "CellTimeoutError" if "ran out of time" in outcome.ended else "DeadKernelError"
    text = f"this cell did not finish: {outcome.ended}"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def unfinished(outcome: Outcome) -> str:
    """Return that not all cells ran, and why; "" if they did or ran out of time."""
    early = outcome.ended and "out of time" not in outcome.ended
    return f"not all cells ran: {outcome.ended}" if early else ""


def suspicions(nb: NotebookNode, source: NotebookNode, outcome: Outcome) -> tuple[str, ...]:
    """Return what a person should look at: in the text of the cells, and in what they did."""
    names = ", ".join(outcome.put_back[:5]) + (" …" if len(outcome.put_back) > 5 else "")
    changed = [f"changed under the tests, and put back: {names}"] if names else []
    return (*lint.suspicions(nb, source), *outcome.flagged, *changed)
