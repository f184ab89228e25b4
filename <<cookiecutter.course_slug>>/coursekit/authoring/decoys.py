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
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from coursekit import execution, notebook
from coursekit.assignment import Assignment, stored
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.notebook import grade_id
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.engine import Cell, Engine

MOST = 8  # decoys kept of a test: a worker compiles each of them once
TRIED = 14  # of its literals and operators
RUNS = 4  # in which a solution passes each test: grading runs it twice
OPERATORS = {ast.Mult: "+", ast.Add: "-", ast.Sub: "+"}

Candidate = tuple[str, str]  # a test's grade_id, and a changed version of it


def prepare(course: Course, module: Module, assignment: Assignment) -> Assignment:
    """Return a module with its decoys: those of the last build, if nothing has changed since.

    CourseError, with an argument for each problem, if a cell of its solution does not run or loses
    a point, at once or when run again, or if the untouched release gains one.
    """
    assignment = replace(assignment, proven=assignment.key)
    last = stored(course, module)
    if last.get("proven") == assignment.proven:
        return replace(assignment, decoys=last["decoys"])
    tests = {grade_id(c): c["source"] for c in assignment.cells if notebook.is_test(c)}
    found: dict[str, list[str]] = {name: [] for name in tests}
    with execution.engine(assignment, sandboxed=bubblewrap.available()) as warm:
        if problems := check(assignment, warm):
            raise CourseError(*(f"{module.source.name}: {problem}" for problem in problems))
        candidates = [(name, new) for name, source in tests.items() for new in sampled(source)]
        for few in rounds(proved(assignment, warm, candidates)):
            for name, source in proved(assignment, warm, few, after=True):
                found[name].append(source)
    return replace(assignment, decoys=found)


def check(assignment: Assignment, warm: Engine) -> list[str]:
    """Return what fails or loses points in the solution, else what gains some in the release."""
    solved = list(assignment.cells)
    pairs = zip(solved, assignment.given, strict=True)
    untouched = [c | {"source": given} if notebook.is_solution(c) else c for c, given in pairs]
    again = [c for c in solved for _ in range(RUNS if notebook.is_test(c) else 1)]
    runs = ("solution", solved), ("solution, run again (is all seeded?),", again)
    for whose, cells in (*runs, ("untouched release", untouched)):
        ran = copy.deepcopy(cells)
        ended = execution.run(warm, assignment, ran).ended
        found = dict.fromkeys(f"{grade_id(c)}: {f}" for c in ran for f in faults(c, whose))
        if found:
            return [*found][: 1 if ended else None]
    return []


def faults(cell: dict[str, Any], whose: str) -> Iterator[str]:
    """Yield what is wrong with a cell's outputs: a solution runs and has all points, else none."""
    outputs, share = cell.get("outputs", []), int(whose.startswith("solution"))
    bad = (output for output in outputs if execution.fails([output]))
    said = [f": {o.get('ename', 'stderr')}: {o.get('evalue', o.get('text'))}"[:300] for o in bad]
    if notebook.is_test(cell):
        most = notebook.meta(cell)["points"]
        try:
            got = execution.points(outputs, most)
        except ValueError as error:
            yield str(error)
        else:
            if got != share * most:
                points = f"gets {got:g} of {most} points, and must get {share * most}"
                yield f"the {whose} {points}{''.join(said[:1]).rstrip()}"
    elif share and any(output["output_type"] == "error" for output in outputs):
        yield f"the {whose} does not run in this cell{said[0].rstrip()}"


def sampled(source: str) -> list[str]:
    """Return some of a test's changed versions, always the same ones, each check in its turn.

    A cheat disarms one kind of check, `check_raises` say: only a change in one of these tells it.
    """
    found, of_checks = list(changed(source)), {}
    random.Random(source).shuffle(found)
    for check, version in found:
        of_checks.setdefault(check, []).append(version)
    turns = itertools.zip_longest(*of_checks.values())
    versions = (version for turn in turns for version in turn if version)
    valid = (v for v in versions if execution.parsed(v).body)  # not so a number in an f-string, say
    return [*itertools.islice(valid, TRIED)]


def changed(source: str) -> Iterator[tuple[str, str]]:
    """Yield versions of a test with one number, truth value, kind of error or operator changed.

    Before each stands the check it is an argument of, by name; "" for anything else.
    """
    lines, tree = source.split("\n"), ast.parse(source)
    # What else stands in its cell outlasts the test, and other tests may use it.
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for function in tree.body:
        function.decorator_list = []  # they say which exercise it is
    checks: dict[ast.AST, str] = {}
    for node in ast.walk(tree):  # from outside in
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("check"):
            checks |= dict.fromkeys(ast.walk(node), ast.unparse(node.func))
    for node in ast.walk(tree):
        new = other(node, source)
        if new and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1].encode()  # columns count bytes
            text = line[: node.col_offset] + new.encode() + line[node.end_col_offset :]
            version = "\n".join([*lines[: node.lineno - 1], text.decode(), *lines[node.lineno :]])
            yield checks.get(node, ""), version


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


def proved(
    assignment: Assignment, warm: Engine, candidates: list[Candidate], *, after: bool = False
) -> dict[Candidate, int]:
    """Return in which line the solution fails each of these by an AssertionError: before the test
    itself and, if so wanted, also after it.

    None is among them that changes anything for a test: that leaves gradients switched off, say, or
    another class under a name that is used later. Halves are tried until it is found.
    """
    cells = []
    for _, cell in execution.to_run(assignment, assignment.cells):
        sources = [source for name, source in candidates if name == cell.name]
        own = [Cell(cell.name, s, "test", decoy=True, counts=False) for s in sources]
        cells += [*own, cell, *(own if after else [])]
    outcome = warm.run(execution.job(assignment, cells))
    ran = [(cell, out or []) for cell, out in zip(cells, outcome.outputs, strict=True)]
    disturbed = [c for c, out in ran if c.kind == "test" and not c.decoy and execution.fails(out)]
    if outcome.ended or disturbed:
        half = len(candidates) // 2
        halves = (candidates[:half], candidates[half:]) if half else ()
        found = [proved(assignment, warm, part, after=after) for part in halves]
        return {candidate: line for part in found for candidate, line in part.items()}
    lines: dict[Candidate, list[int]] = {}
    for cell, out in ran:
        if any(output.get("ename") == "AssertionError" for output in out):
            line = execution.line_of(cell.name, out)
            lines.setdefault((cell.name, cell.source), []).append(line)
    return {candidate: failed[0] for candidate, failed in lines.items() if len(failed) == 1 + after}


def rounds(lines: dict[Candidate, int]) -> Iterator[list[Candidate]]:
    """Yield the candidates one of a test at a time, so that no harm hides another.

    Of each test there are a few; first come some that fail in different lines.
    """
    seen: Counter[tuple[str, int]] = Counter()
    of_tests: dict[str, list[tuple[int, Candidate]]] = {}
    for candidate, line in lines.items():
        name, _ = candidate
        of_tests.setdefault(name, []).append((seen[name, line], candidate))
        seen[name, line] += 1
    few = [sorted(of_test, key=lambda ranked: ranked[0])[:MOST] for of_test in of_tests.values()]
    for each in itertools.zip_longest(*few):
        yield [ranked[1] for ranked in each if ranked]
