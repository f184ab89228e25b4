"""Tests that no right solution passes: found at build, put among the real ones when grading.

A test that cannot fail proves nothing about whoever passes it. So each test gets decoys: itself
with one literal or operator changed: 3 to 4, ValueError to KeyError, * to +. The reference
solution fails each by an AssertionError, again and again. Whoever passes one has read the
expectation, equals everything, or disarmed the check.
"""

import ast
import copy
import itertools
import random
import sys
from collections.abc import Iterator
from dataclasses import replace

from coursekit import execution, notebook
from coursekit.assignment import Assignment, stored
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.notebook import grade_id
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.engine import Cell, Engine, Outcome

MOST = 8  # decoys kept of a test: a worker compiles each of them once
TRIED = 14  # of its literals and operators
OPERATORS = {ast.Mult: "+", ast.Add: "-", ast.Sub: "+"}

Candidate = tuple[str, str]  # a test's grade_id, and a changed version of it


def prepare(course: Course, module: Module, assignment: Assignment) -> Assignment:
    """Return a module with its decoys: those of the last build, if nothing has changed since.

    CourseError if its solution loses a point, or the untouched release gains one.
    """
    if sys.platform == "win32":
        return assignment
    assignment = replace(assignment, limits=course.grading)
    assignment = replace(assignment, proven=assignment.key)
    last = stored(course, module)
    if last.get("proven") == assignment.proven:
        return replace(assignment, decoys=last["decoys"])
    with execution.engine(assignment, sandboxed=bubblewrap.available()) as warm:
        check(module, assignment, warm)
        candidates = [
            (grade_id(cell), source)
            for cell in assignment.cells
            if notebook.is_test(cell)
            for source in sampled(cell["source"])
        ]
        kept = chosen(proved(assignment, warm, candidates))
        rounds = itertools.zip_longest(*kept.values())  # one of a test: no harm hides another
        of_rounds = ([c for c in each if c] for each in rounds)
        proven = [c for each in of_rounds for c in proved(assignment, warm, each, after=True)]
    found: dict[str, list[str]] = {grade_id(c): [] for c in assignment.cells if notebook.is_test(c)}
    for name, source in proven:
        found[name].append(source)
    return replace(assignment, decoys=found)


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
    """Yield versions of a test with one number, truth value, kind of error or operator changed."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        new = other(node, source)
        if new and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1].encode()  # columns count bytes
            text = line[: node.col_offset] + new.encode() + line[node.end_col_offset :]
            version = "\n".join([*lines[: node.lineno - 1], text.decode(), *lines[node.lineno :]])
            if parses(version):
                yield version


def other(node: ast.AST, source: str) -> str:
    """Return what may stand in place of a literal or a calculation; "" for anything else."""
    if isinstance(node, ast.Name) and node.id.endswith("Error"):
        return "KeyError" if node.id != "KeyError" else "OSError"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return str(not node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return repr(node.value + 1)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        sides = (ast.get_source_segment(source, side) for side in (node.left, node.right))
        return OPERATORS[type(node.op)].join(f"({side})" for side in sides)
    return ""


def parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:  # a number in an f-string, say
        return False
    return True


def proved(
    assignment: Assignment, warm: Engine, candidates: list[Candidate], *, after: bool = False
) -> dict[Candidate, int]:
    """Return in which line the solution fails each of these by an AssertionError: before the test
    itself and, if so wanted, also after it.

    None is among them that changes anything for a test: that leaves gradients switched off, say, or
    another class under a name that is used later. Halves are tried until it is found.
    """
    cells, outcome = tried(assignment, warm, candidates, after=after)
    if outcome.ended or disturbed(cells, outcome):
        half = len(candidates) // 2
        halves = (candidates[:half], candidates[half:]) if half else ()
        found = [proved(assignment, warm, part, after=after) for part in halves]
        return {candidate: line for part in found for candidate, line in part.items()}
    lines: dict[Candidate, list[int]] = {}
    for cell, outputs in zip(cells, outcome.outputs, strict=True):
        if any(output.get("ename") == "AssertionError" for output in outputs or []):
            line = execution.line_of(cell.name, outputs or [])
            lines.setdefault((cell.name, cell.source), []).append(line)
    return {candidate: failed[0] for candidate, failed in lines.items() if len(failed) == 1 + after}


def disturbed(cells: list[Cell], outcome: Outcome) -> bool:
    """Tell whether the solution fails a test itself."""
    pairs = zip(cells, outcome.outputs, strict=True)
    tests = [outputs or [] for cell, outputs in pairs if cell.kind == "test" and not cell.decoy]
    return any(map(execution.fails, tests))


def tried(
    assignment: Assignment, warm: Engine, candidates: list[Candidate], *, after: bool
) -> tuple[list[Cell], Outcome]:
    """Run the solution, and each test's candidates before (and after) it: the cells, and how."""
    cells = []
    for _, cell in execution.to_run(assignment, assignment.cells):
        sources = [source for name, source in candidates if name == cell.name]
        own = [Cell(cell.name, s, "test", decoy=True, counts=False) for s in sources]
        cells += [*own, cell, *(own if after else [])]
    return cells, warm.run(execution.job(assignment, cells))


def chosen(lines: dict[Candidate, int]) -> dict[str, list[Candidate]]:
    """Return a few for each test: first some that fail in different lines."""
    found: dict[str, list[Candidate]] = {}
    seen: set[tuple[str, int]] = set()
    for candidate, line in lines.items():
        of_test = found.setdefault(candidate[0], [])
        if (candidate[0], line) in seen:
            of_test.append(candidate)
        else:
            seen.add((candidate[0], line))
            of_test.insert(0, candidate)
    return {name: candidates[:MOST] for name, candidates in found.items()}
