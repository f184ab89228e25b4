"""Runs a notebook as grading does, in a fresh Python, and tells what came of each exercise."""

import builtins
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .exporting import names_of
from .kit import HEADING, IN_PACKAGE, Module, Part, Problem, about, grade_id, is_code, is_test, read
from .runner import python

PATIENCE = 3  # times as long, by the clock: grading counts processor time
WARNED = "A warning was printed: in grading that costs the test."
YOURS = "In grading the earlier modules are your instructor's: faults in yours cost nothing here."
DONE, FAILED, UNFINISHED, NOT_RUN = "✅", "❌", "not finished:", "not reached:"


class Cell(NamedTuple):
    """A cell that runs, and the exercise it stands in."""

    source: str
    place: str
    name: str = ""  # its grade_id; none if a student wrote it


@dataclass
class Checked:
    """What came of a notebook: of each exercise a mark, and the text of its failure."""

    module: Module
    marks: list[tuple[Part, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed_in: set[str] = field(default_factory=set)  # files of the package

    def open(self) -> list[Part]:
        """Return the exercises that are not done, but for those nothing later needs."""
        return [part for part, mark, _ in self.marks if mark != DONE and not part.deeper]

    def points(self) -> int:
        return sum(part.points for part, mark, _ in self.marks if mark == DONE)

    def __str__(self) -> str:
        done = sum(mark == DONE for _, mark, _ in self.marks)
        most = sum(part.points for part, _, _ in self.marks)
        return f"{done} of {len(self.marks)} exercises, {self.points()} of {most} points"


def check(module: Module, as_graded: bool = False) -> Checked:
    """Run a notebook; Problem if it cannot be read, or a reference is wanted and not there."""
    checked, parts = Checked(module), module.parts("Exercise")
    read(module.notebook)  # a module without a folder is there all the same, and not begun
    cells = list(merged(module, checked.notes))
    with tempfile.TemporaryDirectory() as folder:
        path = with_reference(module, Path(folder)) if as_graded else module.kit.root
        replies, stopped = run(module, cells, path)
    came = {cell.name: reply for cell, reply in zip(cells, replies, strict=False)}
    tests = {name for part in parts for name in part.tests}
    for cell, reply in zip(cells, replies, strict=False):
        if reply["error"] and cell.name not in tests:
            checked.notes.append(f"{cell.place}, a cell fails: {reply['error']}")
            checked.failed_in.add(reply["where"])
    if stopped:
        checked.notes.append(f"{cells[len(replies)].place}: {stopped}; no cell below it was run.")
    if names := shadowed(module, cells):
        checked.notes.append(f"Your variables hide built-ins, which tests get back: {names}")
    for part in parts:
        reached = [came[name] for name in part.tests if name in came]
        error = next((reply["error"] for reply in reached if reply["error"]), "")
        printed = next((reply["stderr"] for reply in reached if reply["stderr"]), "")
        if printed and not error:
            error = f"❌ {part.title}\n{WARNED}\n{printed}"
        mark = FAILED if error else DONE if len(reached) == len(part.tests) else NOT_RUN
        if mark != DONE and module.is_open(part):
            mark = UNFINISHED
        elif mark == FAILED:
            checked.failed_in |= {reply["where"] for reply in reached}
        checked.marks.append((part, mark, error))
    return checked


def merged(module: Module, notes: list[str]) -> Iterator[Cell]:
    """Yield the cells that grading runs, in its order: the student's where they are to write.

    Cells of their own come below the cell that they stand below; all others are the original's.
    """
    own, at, place = defaultdict(list), "", "Above Exercise 1"
    for cell in module.cells:
        if cell is module.theirs.get(grade_id(cell)):
            at = grade_id(cell)
        elif runs(cell):
            own[at].append(cell["source"])
    last = max((n for n, cell in enumerate(module.original) if is_test(cell)), default=-1)
    yield from (Cell(source, place) for source in own[""])
    for number, cell in enumerate(module.original):
        name = grade_id(cell)
        mine = module.theirs.get(name)
        if not is_code(cell) and (found := HEADING.findall(cell["source"])):
            place = " ".join(found[-1][1:])
        if runs(cell) and about(cell).get("solution"):
            yield Cell(mine["source"] if mine else "", place)
            if not mine:
                notes.append(f"{place}: its cell is gone; course reset brings it back")
        elif runs(cell) and number <= last:
            yield Cell(cell["source"], place, name)
            if not mine or module.is_changed(mine):
                notes.append(f"{place}: {name} was changed or deleted; grading puts it back")
        yield from (Cell(source, place) for source in own[name] if name)


def runs(cell: dict) -> bool:
    """Tell whether grading runs a cell."""
    return is_code(cell) and "profiling" not in cell["metadata"].get("tags", [])


def shadowed(module: Module, cells: list[Cell]) -> str:
    """Return the names of built-ins that a student uses for something else."""
    names = bound(cell.source for cell in cells if not cell.name) & set(dir(builtins))
    return ", ".join(sorted(names - bound(cell["source"] for cell in module.original)))


def bound(sources: Iterable[str]) -> set[str]:
    """Return the names that cells bind; one that does not parse binds none."""
    found: set[str] = set()
    for source in sources:
        with suppress(SyntaxError, ValueError):
            found |= names_of(python(source))[0]
    return found


def with_reference(module: Module, folder: Path) -> Path:
    """Make the package as grading has it in a folder; Problem if a reference is missing."""
    root, package = module.kit.root, module.kit.package
    shutil.copytree(root / package, folder / package)
    for other in module.needs():
        path = root / "reference" / other.exported.name
        if not path.is_file():
            raise Problem(f"reference/{path.name} is not there: it was not handed out (yet).")
        shutil.copy(path, folder / package)
    return folder


def run(module: Module, cells: list[Cell], path: Path) -> tuple[list[dict[str, str]], str]:
    """Run cells with the package in `path`; return what came of each, and what stopped them."""
    files = {str(path / m.file): m.file for m in module.kit.modules}
    paths = str(path), str(module.kit.root), os.environ.get("PYTHONPATH", "")
    ours = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "MPLBACKEND": "agg"}
    child = subprocess.Popen(
        [sys.executable, "-B", "-m", "course.runner"],
        cwd=module.notebook.parent,
        env=os.environ | ours,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in child.stdout:
            lines.put(line)
        lines.put("")

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    replies, limit = [], PATIENCE * module.kit.cell_seconds
    try:
        with suppress(OSError), child.stdin:
            json.dump({"cells": [cell.source for cell in cells], "files": files}, child.stdin)
        for _ in cells:
            if not (line := lines.get(timeout=limit)):
                return replies, "a cell ended Python itself"
            replies.append(json.loads(line))
        return replies, ""
    except queue.Empty:
        return replies, f"a cell took more than {limit:g} seconds and was stopped"
    finally:
        with suppress(OSError, AttributeError):  # which Windows has not
            os.killpg(child.pid, signal.SIGKILL)  # with what a cell started, and left
        child.kill()
        child.wait()
        listener.join(1)


def exports(module: Module) -> Iterator[str]:
    """Yield which earlier modules' files in the package are not what their notebooks say."""
    references = []
    for other in module.needs():
        try:
            if (where := other.in_package()) == "reference":
                references.append(other.file)
            elif said := IN_PACKAGE[where].format(m=other):
                yield said
        except Problem as problem:
            yield str(problem)
    if references:
        yield f"References, not from your notebooks: {', '.join(references)}"


def blame(checked: Checked) -> list[str]:
    """Return which earlier module a failure came from, if one can be named."""
    needs, found = checked.module.needs(), []
    for other in needs:
        if other.file in checked.failed_in:
            found.append(f"It failed in {other.file}, which {other.name} wrote.")
    for other in needs:
        with suppress(Problem):
            if other.begun and (core := check(other).open()):
                number = core[0].number
                found.append(f"{other.name} fails Exercise {number} itself: mend that first.")
                break
    return found
