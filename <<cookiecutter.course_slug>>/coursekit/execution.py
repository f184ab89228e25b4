"""A notebook's cells as a job for the sandbox, and what came of it: outputs and points."""

import ast
import re
import symtable
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from coursekit import files, notebook
from coursekit.assignment import Assignment
from coursekit.notebook import grade_id
from coursekit.sandbox.engine import Cell, Engine, Job, Outcome

Output = Mapping[str, Any]
FRAME = re.compile(r"^<([^>]+)>:(\d{1,9}), in")
TIME_IS_UP = "CellTimeoutError"  # both names are nbgrader's
NEVER_CAME = "DeadKernelError"


@contextmanager
def engine(assignment: Assignment, *, sandboxed: bool) -> Iterator[Engine]:
    """Keep an engine that runs work of one module, with the package of the modules before it."""
    with tempfile.TemporaryDirectory(prefix="coursekit-") as folder:
        reference = Path(folder) / "reference"
        reference.mkdir()
        for name, text in assignment.reference.items():
            files.write_text(reference / assignment.package / f"{name}.py", text)
        for path in (reference, *reference.rglob("*")):  # the sandbox's user reads it, too
            path.chmod(0o755)
        with Engine(reference, assignment.limits, sandboxed=sandboxed) as warm:
            warm.start(code_of(assignment))
            yield warm


def code_of(assignment: Assignment) -> list[str]:
    """Return the code of a module, but for profiling, which grading skips."""
    code = [cell for cell in assignment.cells if notebook.is_code(cell)]
    return [cell["source"] for cell in code if not notebook.is_profiling(cell)]


def to_run(
    assignment: Assignment, cells: Sequence[dict[str, Any]], *, hidden: bool = True
) -> Iterator[tuple[int, Cell]]:
    """Yield the cells that run, with their numbers; tests without their hidden part if so wanted.

    Of provided ones, none behind the last test: there, a module runs all its tests once more, or
    trains a network, and no point depends on it.
    """
    code = [n for n, c in enumerate(cells) if notebook.is_code(c) and not notebook.is_profiling(c)]
    last = max((n for n in code if notebook.is_test(cells[n])), default=-1)
    solutions = [c["source"] for c in assignment.cells if notebook.is_solution(c)]
    theirs = frozenset().union(*map(bound, solutions))  # students make them, so they may change
    for number in code:
        cell = cells[number]
        name, source = grade_id(cell) or f"cell {number}", cell["source"]
        if notebook.is_test(cell):
            yield number, Cell(name, source if hidden else notebook.public(source), "test")
        elif not notebook.is_provided(cell):
            yield number, Cell(name, source)
        elif number < last:
            yield number, Cell(name, source, "provided", tuple(sorted(bound(source) - theirs)))


def job(assignment: Assignment, cells: Iterable[Cell]) -> Job:
    """Return a job of these cells, among what else belongs to the module."""
    code = code_of(assignment)
    return Job(
        tuple(cells),
        assignment.limits,
        dict(assignment.data),
        tuple(sorted(frozenset().union(*map(defined, code)))),
        tuple(sorted(frozenset().union(*map(bound, code)))),
    )


def run(
    warm: Engine, assignment: Assignment, cells: Sequence[dict[str, Any]], *, hidden: bool = True
) -> Outcome:
    """Run a notebook once, without decoys; its code cells get their outputs."""
    chosen = dict(to_run(assignment, cells, hidden=hidden))
    outcome = warm.run(job(assignment, chosen.values()))
    for number, outputs in zip(chosen, outcome.outputs, strict=True):
        cells[number]["outputs"] = [not_run(outcome.ended)] if outputs is None else outputs
    return outcome


@lru_cache(4096)
def bound(source: str) -> frozenset[str]:
    """Return the names that a cell binds as it runs; none if it does not parse."""
    with suppress(SyntaxError, ValueError):
        names = symtable.symtable(source, "", "exec").get_symbols()
        return frozenset(n.get_name() for n in names if n.is_assigned() or n.is_imported())
    return frozenset()


@lru_cache(4096)
def defined(source: str) -> frozenset[str]:
    """Return the names of functions, classes and attributes that a cell makes, also by setattr."""
    names: set[str] = set()
    for node in ast.walk(parsed(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Constant(value=str(name)):
                names.add(name)
    return frozenset(filter(str.isidentifier, names))


def parsed(source: str) -> ast.Module:
    with suppress(SyntaxError):
        return ast.parse(source)
    return ast.Module([], [])


def not_run(ended: str) -> dict[str, Any]:
    """Return the error of a cell that never came to its end: a test that has it scores 0."""
    name = TIME_IS_UP if "ran out of time" in ended else NEVER_CAME
    text = f"this cell did not finish: {ended}"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def line_of(name: str, outputs: Iterable[Output]) -> int:
    """Return in which line of a cell its error arose; 0 if its traceback names none."""
    frames = [FRAME.match(frame) for output in outputs for frame in output.get("traceback", [])]
    lines = [int(frame[2]) for frame in frames if frame and frame[1] == name]
    return lines[-1] if lines else 0


def fails(outputs: Iterable[Output]) -> bool:
    """Tell whether a test with these outputs gets no points: nbgrader's rule."""
    return any(o["output_type"] == "error" or o.get("name") == "stderr" for o in outputs)


def points(outputs: Sequence[Output], most: float) -> float:
    """Return the points of a test, as nbgrader's `determine_grade` does.

    Raises ValueError if the value of its last line is more than there are.
    """
    if fails(outputs):
        return 0.0
    for output in outputs:
        if output["output_type"] == "execute_result":
            try:
                value = float(output["data"]["text/plain"])
            except ValueError:
                return most
            if value > most:
                raise ValueError(f"it returns {value:g} points, and has {most:g}")
            return value if value >= 0 else most
    return most
