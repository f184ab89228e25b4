"""Tests that no right solution passes: found at build, put among the real ones when grading.

A test that cannot fail proves nothing about whoever passes it. So each test gets decoys: itself
with one literal changed, 3 to 4, ValueError to KeyError. The reference solution fails each, twice,
by an AssertionError. Whoever passes one has read the expectation, equals everything, or disarmed
the check.
"""

import ast
import copy
import random
from collections.abc import Iterator
from dataclasses import replace

from coursekit import execution, notebook
from coursekit.assignment import Assignment
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.notebook import grade_id
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.engine import Cell, Engine

MOST = 8  # decoys kept of a test: a worker compiles each of them once
TRIED = 40  # of its literals


def prepare(course: Course, module: Module, assignment: Assignment) -> Assignment:
    """Return a module with its decoys.

    CourseError if its solution loses a point, or the untouched release gains one.
    """
    if bubblewrap.windows():
        return assignment
    assignment = replace(assignment, limits=course.grading)
    with execution.engine(assignment, sandboxed=bubblewrap.available()) as warm:
        check(module, assignment, warm)
        candidates = {
            grade_id(cell): list(sampled(cell["source"]))
            for cell in assignment.cells
            if notebook.is_test(cell)
        }
        kept = failing(assignment, warm, failing(assignment, warm, candidates))
    return replace(assignment, decoys={name: found[:MOST] for name, found in kept.items()})


def check(module: Module, assignment: Assignment, warm: Engine) -> None:
    """Raise a CourseError unless the solution has every point and the untouched release none."""
    solved = copy.deepcopy(list(assignment.cells))
    outcome = execution.run(warm, assignment, solved)
    full = {grade_id(c): notebook.meta(c)["points"] for c in solved if notebook.is_test(c)}
    for name, got in scores(module, solved).items():
        if got != full[name]:
            (cell,) = [c for c in solved if grade_id(c) == name]
            why = next((o.get("evalue", o.get("text", "")) for o in cell["outputs"]), outcome.ended)
            raise CourseError(f"{module.source.name}: the solution gets {got:g} of {full[name]} "
                              f"points in {name}: {why.strip()[:300]}")  # fmt: skip
    untouched = [
        {**cell, "source": given} if notebook.is_solution(cell) else copy.deepcopy(cell)
        for cell, given in zip(assignment.cells, assignment.given, strict=True)
    ]
    execution.run(warm, assignment, untouched)
    for name, got in scores(module, untouched).items():
        if got:
            raise CourseError(
                f"{module.source.name}: {name} gives {got:g} points for the untouched release; "
                "make it ask for something that the stub does not do."
            )


def scores(module: Module, cells: list) -> dict[str, float]:
    """Return the points of each test of a notebook that was run, by grade_id."""
    found = {}
    for cell in filter(notebook.is_test, cells):
        name, most = grade_id(cell), notebook.meta(cell)["points"]
        try:
            found[name] = execution.points(cell["outputs"], most)
        except ValueError as error:
            raise CourseError(f"{module.source.name}: {name}: {error}") from None
    return found


def sampled(source: str) -> list[str]:
    """Return some of a test's changed versions, always the same ones."""
    found = list(changed(source))
    return random.Random(source).sample(found, min(TRIED, len(found)))


def changed(source: str) -> Iterator[str]:
    """Yield versions of a test with one number, truth value or kind of error changed."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        new = other(node)
        if new and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1].encode()  # columns count bytes
            text = line[: node.col_offset] + new.encode() + line[node.end_col_offset :]
            version = "\n".join([*lines[: node.lineno - 1], text.decode(), *lines[node.lineno :]])
            if parses(version):
                yield version


def other(node: ast.AST) -> str:
    """Return what may stand in place of a literal; "" for anything else."""
    if isinstance(node, ast.Name) and node.id.endswith("Error"):
        return "KeyError" if node.id != "KeyError" else "OSError"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return str(not node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return repr(node.value + 1)
    return ""


def parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:  # a number in an f-string, say
        return False
    return True


def failing(
    assignment: Assignment, warm: Engine, candidates: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Return those candidates that the solution fails by an AssertionError.

    First come some that fail in different lines, then those that fail where one did before.
    """
    binds, cells, runs = execution.solved_names(assignment), [], []
    for number in execution.to_run(assignment.cells):
        cell = assignment.cells[number]
        cells.append(execution.cell_of(cell, number, binds, hidden=True))
        runs.append(None)
        for source in candidates.get(grade_id(cell), []):
            cells.append(Cell(grade_id(cell), source, "test", decoy=True, counts=False))
            runs.append((grade_id(cell), source))
    outcome = warm.run(execution.job(assignment, cells))
    first: dict[str, dict[int, str]] = {name: {} for name in candidates}
    more: dict[str, list[str]] = {name: [] for name in candidates}
    for candidate, outputs in zip(runs, outcome.outputs, strict=True):
        if candidate and any(output.get("ename") == "AssertionError" for output in outputs or []):
            name, source = candidate
            if first[name].setdefault(execution.line_of(name, outputs), source) is not source:
                more[name].append(source)
    return {name: [*first[name].values(), *more[name]] for name in candidates}
