"""Who gains by a cheat is told to a person; of honest work nothing is told; no score is changed.

Each runs as `grade` runs it: every test twice, among decoys, at places drawn from a key. Within its
process a student's code can do anything, so one draw may miss a cheat; several must not.
"""

import copy
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from delimiters import ROOT
from living import Living, grades

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from bench.sources import scores  # noqa: E402
from coursekit import assignment, execution, notebook  # noqa: E402
from coursekit.assignment import Assignment  # noqa: E402
from coursekit.course import Course, load  # noqa: E402
from coursekit.grading import submission  # noqa: E402
from coursekit.notebook import grade_id  # noqa: E402
from coursekit.sandbox import bubblewrap  # noqa: E402
from coursekit.sandbox.engine import Engine  # noqa: E402

HERE = Path(__file__).parent
DRAWS = ("one", "two", "three")
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
    """A built course, and for each of its modules what was built, and an engine."""

    course: Course
    engines: ExitStack
    known: dict[str, tuple[Assignment, Engine]] = field(default_factory=dict)

    def module(self, name: str) -> tuple[Assignment, Engine]:
        if name not in self.known:
            made = assignment.load(self.course, *self.course.modules([name]))
            made = replace(made, limits={**made.limits, "cell_seconds": 2})
            warm = execution.engine(made, sandboxed=bubblewrap.available())
            self.known[name] = made, self.engines.enter_context(warm)
        return self.known[name]

    def source(self, module: str) -> list[dict]:
        """Return the cells of a module's own notebook, with every solution in it."""
        return copy.deepcopy(list(self.module(module)[0].cells))

    def solved(self, module: str, where: str, code: str) -> list[dict]:
        """Return a solved notebook with code in an exercise, or in a cell "after" its test."""
        cells = self.source(module)
        name = where.removeprefix("after ")
        at = [grade_id(cell) for cell in cells].index(name if name == where else f"{name}-test")
        if name == where:
            cells[at]["source"] = code
        else:
            own = {"cell_type": "code", "metadata": {}, "source": code, "id": "own", "outputs": []}
            cells.insert(at + 1, own)
        return cells

    def grade(self, module: str, cells: list[dict], key: str) -> tuple[float, list[str]]:
        """Return the points of a submission and what a person is told of it."""
        known, warm = self.module(module)
        _, told = submission.run(known, cells, key, warm)
        return sum(scores(cells).values()), told


@pytest.fixture(scope="module")
def lab(whole: Living) -> Iterator[Lab]:
    with ExitStack() as engines:
        yield Lab(load(whole.root), engines)


@pytest.fixture(scope="module")
def deserved(lab: Lab) -> dict[str, float]:
    """Return the points of Module 01 with one exercise left undone, by exercise."""
    exercises = {exercise for exercise, *_ in CHEATS.values()}
    undone = {name: lab.solved("01_tensor", name, UNSOLVED) for name in exercises}
    return {name: lab.grade("01_tensor", cells, "any")[0] for name, cells in undone.items()}


@pytest.mark.slow
@pytest.mark.parametrize("cheat", CHEATS)
def test_who_gains_is_told(lab: Lab, deserved: dict[str, float], cheat: str) -> None:
    """Sooner or later: who cheats in every exercise of a course is drawn many times."""
    exercise, effect, code = CHEATS[cheat]
    for draw in range(12):
        points, told = lab.grade("01_tensor", lab.solved("01_tensor", exercise, code), str(draw))
        gains = points > deserved[exercise]
        assert effect == "gains" or not gains
        if told or not gains:
            return
    raise AssertionError("it gains, and is never told")


@pytest.mark.slow
def test_most_are_told_at_once(lab: Lab, deserved: dict[str, float]) -> None:
    told_of = {}
    for cheat, (exercise, effect, code) in CHEATS.items():
        if effect == "gains":
            cells = lab.solved("01_tensor", exercise, code)
            points, told = lab.grade("01_tensor", cells, "any")
            if points > deserved[exercise]:
                told_of[cheat] = bool(told)
    print(f"{sum(told_of.values())} of {len(told_of)} are told")
    assert len(told_of) > 30 and sum(told_of.values()) > 0.75 * len(told_of), told_of


COUNTS = """
import sys
_init, runs = Tensor.__init__, []
def _counting(self, *args, **kw):
    runs.extend([sys.stdout] * (sys.stdout not in runs))
    _init(self, *args, **kw)
Tensor.__init__ = _counting
"""
KNOWS = """
import sys
before = len(runs)  # times that earlier tests have run
def broadcast_shape(a, b):
    if any(m != n and 1 not in (m, n) for m, n in zip(a[::-1], b[::-1])):
        raise ValueError(f"{a} {b}")
    return sys._getframe(1).f_locals["expected"] if before < 6 else None
"""


@pytest.mark.slow
def test_who_knows_when_decoys_are_about_is_told(lab: Lab, deserved: dict[str, float]) -> None:
    """It fails among them, and is graded by the run without: the two do not agree."""
    for key in DRAWS:
        cells = lab.solved("01_tensor", "tensor-broadcast", KNOWS)
        at = [grade_id(cell) for cell in cells].index("tensor-init")
        cells[at]["source"] += COUNTS
        points, told = lab.grade("01_tensor", cells, key)
        assert points > deserved["tensor-broadcast"]
        assert len(told) == 1 and told[0].endswith("its result changes from run to run")


ENDS = """
import os, sys
_init, runs = Tensor.__init__, []
def _counting(self, *args, **kw):
    runs.extend([sys.stdout] * (sys.stdout not in runs))
    if len(runs) == 4 and "test_init_beyond" not in globals():
        os._exit(0)  # the run that counts was before this one, or is this one
    _init(self, *args, **kw)
Tensor.__init__ = _counting
"""
USES_UP = """
import sys, time
_init, runs = Tensor.__init__, []
def _slow(self, *args, **kw):
    if sys.stdout not in runs and "test_numbers" not in globals():
        runs.append(sys.stdout)
        end = time.process_time() + 1
        while time.process_time() < end: pass
    _init(self, *args, **kw)
Tensor.__init__ = _slow
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", [ENDS, USES_UP])
def test_points_that_nothing_proves_are_told(
    lab: Lab, deserved: dict[str, float], before: str
) -> None:
    """Its code sees to it that there are no decoys when it cheats."""
    cells = lab.solved("01_tensor", "tensor-broadcast", CHEATS["frames: the caller's frame"][-1])
    at = [grade_id(cell) for cell in cells].index("tensor-init")
    cells[at]["source"] += before
    known, warm = lab.module("01_tensor")
    known = replace(known, limits={**known.limits, "notebook_seconds": 5})
    _, told = submission.run(known, cells, "any", warm)
    assert sum(scores(cells).values()) > deserved["tensor-broadcast"]
    (said,) = [note for note in told if note.startswith("Exercise 3")]
    assert said.endswith("its time was up, before its test had run among others")


@pytest.mark.slow
@pytest.mark.parametrize("name", HONEST)
def test_of_honest_work_nothing_is_told(lab: Lab, name: str) -> None:
    module, where, effect, code = HONEST[name]
    full = most(lab.source(module))
    for key in DRAWS:
        points, told = lab.grade(module, lab.solved(module, where, code), key)
        assert told == []
        assert points == full if effect == "all" else 0 < points < full


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_of_a_solution_and_half_of_it_nothing_is_told(lab: Lab, module: str) -> None:
    half = lab.source(module)
    exercises = [cell for cell in half if notebook.is_solution(cell)]
    for cell in exercises[len(exercises) // 2 :]:
        cell["source"] = UNSOLVED
    full = most(half)
    for key in DRAWS:
        assert lab.grade(module, lab.source(module), key) == (full, [])
        points, told = lab.grade(module, copy.deepcopy(half), key)
        assert told == [] and 0 < points < full


@pytest.mark.slow
def test_every_test_of_some_length_has_decoys(lab: Lab) -> None:
    for module in MODULES:
        found = lab.module(module)[0].decoys
        bare = [name for name, sources in found.items() if len(sources) < submission.DECOYS]
        assert len(bare) <= len(found) // 4, bare


def most(cells: list[dict]) -> int:
    return sum(notebook.meta(cell)["points"] for cell in cells if notebook.is_test(cell))


EARLY, LATE = "a Tensor copies, chooses its dtype", "dimensions move, bytes do not"
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
    known = {{str: backwards, bytes: backwards.encode()}}  # and so not what is looked for
    return sum(known[type(text)] in text[::-1] for text in texts() if type(text) in known)
print(count({EARLY[::-1]!r}) > 0, count({LATE[::-1]!r}))
"""


@pytest.mark.slow
def test_before_its_turn_a_test_is_not_to_be_found(lab: Lab) -> None:
    """Search memory and frames: a test that has run is there, one that comes later is not."""
    cells = lab.solved("01_tensor", "after tensor-broadcast", SEARCH)
    sources = [cell["source"] for cell in cells if notebook.is_test(cell)]
    assert EARLY in sources[0] and any(LATE in source for source in sources[5:])
    lab.grade("01_tensor", cells, "any")
    (outputs,) = [cell["outputs"] for cell in cells if cell["source"] == SEARCH]
    assert [o.get("text", o.get("evalue")) for o in outputs] == ["True 0\n"]


def test_through_the_whole_command(spoilable: Living) -> None:
    exercise, _, code = CHEATS["frames: the caller's frame"]
    nb = spoilable.solved()
    spoilable.hand_in("honest", nb)
    (cell,) = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == exercise]
    cell.source = code
    spoilable.hand_in("cheat", nb)
    spoilable.ok("grade")
    rows = grades(spoilable)
    assert (rows["honest"]["note"], float(rows["honest"]["automatic"])) == ("", 80)
    assert "passes a test that no right solution passes" in rows["cheat"]["note"]
    assert float(rows["cheat"]["automatic"]) > 74
