"""A notebook's cells as a job for the sandbox, and what came of it: outputs and points."""

import ast
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from coursekit import notebook
from coursekit.assignment import Assignment
from coursekit.notebook import grade_id
from coursekit.sandbox.engine import Cell, Engine, Job, Limits, Outcome

Output = Mapping[str, Any]
FRAME = re.compile(r"^<([^>]+)>:(\d+), in")
TIME_IS_UP = "CellTimeoutError"  # both names are nbgrader's
NEVER_CAME = "DeadKernelError"


def limits_of(assignment: Assignment) -> Limits:
    known = {field.name for field in fields(Limits)}
    return Limits(**{k: v for k, v in (assignment.limits or {}).items() if k in known})


@contextmanager
def engine(assignment: Assignment, *, sandboxed: bool) -> Iterator[Engine]:
    """Keep an engine that runs work of one module, with the package of the modules before it."""
    with tempfile.TemporaryDirectory(prefix="coursekit-") as folder:
        reference = Path(folder) / "reference"
        package = reference / assignment.package
        package.mkdir(parents=True)
        for name, text in (assignment.reference or {}).items():
            (package / f"{name}.py").write_text(text, encoding="utf-8")
        with Engine(reference, limits_of(assignment), sandboxed=sandboxed) as warm:
            warm.start([c["source"] for c in assignment.cells if notebook.is_code(c)])
            yield warm


def to_run(cells: Sequence[dict[str, Any]]) -> list[int]:
    """Return the numbers of the cells that run; of provided ones, none behind the last test.

    There, a module runs all its tests once more, or trains a network: no point depends on it.
    """
    code = [n for n, c in enumerate(cells) if notebook.is_code(c) and not notebook.is_profiling(c)]
    last = max((n for n in code if notebook.is_test(cells[n])), default=-1)
    return [n for n in code if n <= last or not notebook.is_provided(cells[n])]


def cell_of(
    cell: dict[str, Any], number: int, binds: frozenset[str], *, hidden: bool = True
) -> Cell:
    """Return a cell as the sandbox takes it; a test without its hidden part if so wanted."""
    name, source = grade_id(cell) or f"cell {number}", cell["source"]
    if notebook.is_test(cell):
        return Cell(name, source if hidden else notebook.public(source), "test")
    if notebook.is_provided(cell):
        return Cell(name, source, "provided", tuple(sorted(bound(source) - binds)))
    return Cell(name, source)


def job(assignment: Assignment, cells: Iterable[Cell]) -> Job:
    """Return a job of these cells, among what else belongs to the module."""
    code = [c["source"] for c in assignment.cells if notebook.is_code(c)]
    return Job(
        tuple(cells),
        limits_of(assignment),
        dict(assignment.data),
        tuple(sorted({name for source in code for name in defined(source)})),
        tuple(sorted({name for source in code for name in bound(source)})),
    )


def solved_names(assignment: Assignment) -> frozenset[str]:
    """Return the names that the module's solutions bind: students make them, so they may change."""
    solutions = [c["source"] for c in assignment.cells if notebook.is_solution(c)]
    return frozenset(name for source in solutions for name in bound(source))


def run(
    warm: Engine, assignment: Assignment, cells: Sequence[dict[str, Any]], *, hidden: bool = True
) -> Outcome:
    """Run a notebook once, without decoys; its code cells get their outputs."""
    numbers, binds = to_run(cells), solved_names(assignment)
    chosen = [cell_of(cells[n], n, binds, hidden=hidden) for n in numbers]
    outcome = warm.run(job(assignment, chosen))
    for number, outputs in zip(numbers, outcome.outputs, strict=True):
        cells[number]["outputs"] = [not_run(outcome.ended)] if outputs is None else outputs
    return outcome


@lru_cache(4096)
def bound(source: str) -> frozenset[str]:
    """Return the names that a cell binds as it runs; none if it does not parse."""
    return frozenset(names_bound(parsed(source)))


def names_bound(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        else:
            names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            yield from (node.id for node in names if isinstance(node.ctx, ast.Store))


@lru_cache(4096)
def defined(source: str) -> frozenset[str]:
    """Return the names of functions, classes and attributes that a cell makes, also by setattr."""
    return frozenset(names_defined(parsed(source)))


def names_defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Constant) and str(node.value).isidentifier():
            yield str(node.value)


def parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])


def not_run(ended: str) -> dict[str, Any]:
    """Return the error of a cell that never came to its end: a test that has it scores 0."""
    name = TIME_IS_UP if "ran out of time" in ended else NEVER_CAME
    text = f"this cell did not finish: {ended}"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def is_error(output: Output) -> bool:
    """Tell whether a test with this output gets no points: nbgrader's rule."""
    return output["output_type"] == "error" or output.get("name") == "stderr"


def line_of(name: str, outputs: Iterable[Output]) -> int:
    """Return in which line of a cell its error arose; 0 if its traceback names none."""
    for output in outputs:
        frames = map(FRAME.match, output.get("traceback", []))
        lines = [int(frame[2]) for frame in frames if frame and frame[1] == name]
        if lines:
            return lines[-1]
    return 0


def fails(outputs: Iterable[Output]) -> bool:
    return any(map(is_error, outputs))


def points(outputs: Iterable[Output], most: float) -> float:
    """Return the points of a test, as nbgrader's `determine_grade` does.

    Raises ValueError if the value of its last line is more than there are.
    """
    for output in outputs:
        if is_error(output):
            return 0.0
        if output["output_type"] == "execute_result":
            try:
                value = float(output["data"]["text/plain"])
            except ValueError:
                return most
            if value > most:
                raise ValueError(f"it returns {value:g} points, and has {most:g}")
            return value if value >= 0 else most
    return most


def scores(cells: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return the points of each test of a notebook that was run, by grade_id."""
    tests = [cell for cell in cells if notebook.is_test(cell)]
    return {grade_id(c): points(c["outputs"], notebook.meta(c)["points"]) for c in tests}
