"""Cheats gain nothing or are told to a person; of honest work nothing is told.

Most run in the engine alone, as `grade` does it; a handful through the whole command.
"""

import copy
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from delimiters import ROOT
from living import Living, table
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import jobs, notebook, sandbox  # noqa: E402
from coursekit.course import Course, load  # noqa: E402
from coursekit.engine import Engine, Limits  # noqa: E402
from coursekit.reference import write_reference  # noqa: E402
from coursekit.sandbox import Place  # noqa: E402

HERE = Path(__file__).parent
LIMITS = Limits(3, 30)
UNSOLVED = "raise NotImplementedError"
MODULES = sorted(
    path.name for path in (ROOT / "<<cookiecutter.course_slug>>/modules").glob("[0-9]*")
)


def read_cells(name: str) -> dict[str, tuple[str, ...]]:
    """Return the cells in a file of this folder by name: what stands above each, and its text."""
    cells = {}
    for part in (HERE / name).read_text(encoding="utf-8").split("\n=== ")[1:]:
        head, _, code = part.partition("\n")
        cell_name, *about = (word.strip() for word in head.split("|"))
        assert cell_name not in cells
        cells[cell_name] = (*about, code.strip("\n"))
    return cells


CHEATS, HONEST = read_cells("cheats.txt"), read_cells("honest.txt")


@dataclass
class Lab:
    """A course, and an engine for each of its modules."""

    course: Course
    folder: Path
    engines: dict[str, Engine] = field(default_factory=dict)
    sources: dict[str, NotebookNode] = field(default_factory=dict)

    def source(self, module: str) -> NotebookNode:
        """Return a module's own notebook, with every solution in it."""
        if module not in self.sources:
            (found,) = self.course.modules([module])
            self.sources[module] = notebook.read(found.source)
        return copy.deepcopy(self.sources[module])

    def engine(self, module: str) -> Engine:
        if module not in self.engines:
            reference = write_reference(self.course, module, self.folder / module / "reference")
            self.engines[module] = Engine(Place(reference, sandbox.available()), LIMITS)
        return self.engines[module]

    def grade(self, module: str, nb: NotebookNode) -> tuple[float, tuple[str, ...]]:
        """Return the points of a submission and what a person is told of it."""
        job = dataclasses.replace(jobs.job_of(self.course, nb, self.source(module)), limits=LIMITS)
        outcome = self.engine(module).submit(job).result()
        told = jobs.suspicions(nb, self.source(module), outcome)
        jobs.fill(nb, outcome)
        return sum(determine_grade(cell)[0] for cell in nb.cells if notebook.is_test(cell)), told

    def solved(self, module: str, exercise: str, code: str) -> NotebookNode:
        """Return a solved notebook with code in an exercise, or in a cell "after" its test."""
        nb = self.source(module)
        where = exercise.removeprefix("after ")
        numbers = {notebook.grade_id(cell): n for n, cell in enumerate(nb.cells)}
        if where != exercise:
            nb.cells.insert(numbers[f"{where}-test"] + 1, new_code_cell(code))
        else:
            nb.cells[numbers[exercise]].source = code
        return nb


@pytest.fixture(scope="module")
def lab(course: Path) -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        lab = Lab(load(course), Path(folder))
        yield lab
        for engine in lab.engines.values():
            engine.shutdown()


@pytest.fixture(scope="module")
def deserved(lab: Lab) -> dict[str, float]:
    """Return the points of Module 01 with one exercise left undone, by exercise."""
    exercises = {about[0] for about in CHEATS.values()}
    undone = {name: lab.solved("01_tensor", name, UNSOLVED) for name in exercises}
    return {name: lab.grade("01_tensor", nb)[0] for name, nb in undone.items()}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_gains_nothing_or_is_told(lab: Lab, deserved: dict[str, float], cheat: str) -> None:
    exercise, effect, flag, code = CHEATS[cheat]
    points, told = lab.grade("01_tensor", lab.solved("01_tensor", exercise, code))
    assert flag in "\n".join(told), told
    assert flag or not told
    gained = points - deserved[exercise]
    assert {"nothing": gained == 0, "gains": gained > 0, "loses": gained <= 0}[effect], gained
    assert flag or effect == "nothing"


@pytest.mark.parametrize("name", HONEST)
def test_of_honest_work_nothing_is_told(lab: Lab, name: str) -> None:
    module, where, effect, code = HONEST[name]
    points, told = lab.grade(module, lab.solved(module, where, code))
    assert told == ()
    full = points_of(lab.source(module))
    assert points == full if effect == "all" else 0 < points < full


def points_of(source: NotebookNode) -> int:
    return notebook.points([cell for cell in source.cells if notebook.is_test(cell)])


@pytest.mark.parametrize("module", MODULES)
def test_of_a_solution_and_half_of_it_nothing_is_told(lab: Lab, module: str) -> None:
    whole, half = lab.source(module), lab.source(module)
    exercises = [cell for cell in half.cells if notebook.is_solution(cell)]
    for cell in exercises[len(exercises) // 2 :]:
        cell.source = UNSOLVED
    full = points_of(whole)
    assert lab.grade(module, whole) == (full, ())
    points, told = lab.grade(module, half)
    assert told == () and 0 < points < full


def test_there_are_enough_of_both() -> None:
    assert len(CHEATS) >= 40
    assert len(HONEST) + 2 * len(MODULES) >= 30


EARLY, LATE = "a Tensor copies, chooses its dtype", "squeeze(1) of shape (1, 2, 1)"
SEARCH = f"""
import gc, sys
gc.unfreeze()
def texts():
    frame = sys._getframe()
    while frame:
        yield from [*frame.f_locals.values(), *frame.f_globals.values()]
        frame = frame.f_back
    for thing in gc.get_objects():
        if type(thing) in (dict, list, tuple, set):
            yield from list(thing.values() if type(thing) is dict else thing)
def count(backwards):
    wanted = {{str: backwards[::-1], bytes: backwards[::-1].encode()}}
    return sum(wanted[type(text)] in text for text in texts() if type(text) in wanted)
print(count({EARLY[::-1]!r}) > 0, count({LATE[::-1]!r}))
"""


def test_before_its_turn_a_test_is_not_to_be_found(lab: Lab) -> None:
    """Search memory and frames: a test that has run is there, one that comes later is not."""
    nb = lab.solved("01_tensor", "after tensor-broadcast", SEARCH)
    sources = [cell.source for cell in nb.cells if notebook.is_test(cell)]
    assert EARLY in sources[0] and any(LATE in source for source in sources[5:])
    lab.grade("01_tensor", nb)
    (outputs,) = [cell.outputs for cell in nb.cells if cell.source == SEARCH]
    assert [o.get("text", o.get("evalue")) for o in outputs] == ["True 0\n"]


def test_through_the_whole_command(spoilable: Living) -> None:
    handed_in = ["frames: by a computed name", "equal: by a computed name", "patch: check's code"]
    for number, name in enumerate(handed_in):
        exercise, *_, code = CHEATS[name]
        spoilable.hand_in(f"cheat{number}", with_cell(spoilable.solved(), exercise, code))
    spoilable.hand_in("honest", spoilable.solved())
    spoilable.ok("grade")
    rows = {row["student"]: row for row in table(spoilable.root / "grades.csv")}
    notes = [rows[f"cheat{number}"]["note"] for number in range(len(handed_in))]
    for name, note in zip(handed_in, notes, strict=True):
        assert "look at this: " in note and CHEATS[name][2] in note
    assert float(rows["cheat2"]["automatic"]) == 74
    assert (rows["honest"]["note"], float(rows["honest"]["automatic"])) == ("", 80)


def with_cell(nb: NotebookNode, exercise: str, code: str) -> NotebookNode:
    """Put code in place of an exercise."""
    (cell,) = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == exercise]
    cell.source = code
    return nb
