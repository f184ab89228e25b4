"""Which cell of a student's notebook is which cell of the module's own.

By its text where that must not change, by its grade_id, by what it defines, by its place.
"""

import copy
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from coursekit import notebook

DEFINITION = re.compile(r"^(?:async def|def|class)\s+(\w+)", re.M)
STUBS = {"# YOUR CODE HERE", "raise NotImplementedError()", "YOUR ANSWER HERE"}
SHORT = 20_000  # characters: no text of a module is longer
ALIKE = 0.5  # of a cell's lines; a cell with fewer is something else under its name

Lines = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ours:
    """One cell of a module: `cell` as in the source, `given` as students got it.

    `locked` cells must run as they are; students write code in an `exercise` and text in an
    `answer`; what is `fixed`, provided cells and texts, they have no reason to change. `texts`
    are the forms it may have: if it is locked, its hidden tests may have been put in.
    """

    rank: int
    cell: NotebookNode
    given: str
    name: str
    lines: Lines
    texts: tuple[Lines, ...]
    defines: frozenset[str]
    locked: bool
    exercise: bool
    answer: bool
    fixed: bool

    def is_text_of(self, cell: NotebookNode) -> bool:
        """Tell whether nothing was written in a cell: it says what this one says."""
        return lines_of(cell.source) in self.texts


@dataclass(frozen=True)
class Originals:
    """The cells of a module, ready to be compared with: made once, used for all submissions."""

    cells: list[Ours]
    kernelspec: NotebookNode


@dataclass
class Match:
    """Cells of a student's notebook, and what they are; `of` goes by the rank of ours."""

    cells: list[NotebookNode]
    ours: list[Ours]
    of: dict[int, NotebookNode] = field(default_factory=dict)
    parked: dict[int, NotebookNode] = field(default_factory=dict)  # out of order, to be put back

    def assign(self, our: Ours, candidates: Iterable[NotebookNode]) -> None:
        """Take the best of the candidates that are not taken, unless ours has its cell."""
        taken = {id(cell) for cell in self.of.values()}
        free = [cell for cell in candidates if id(cell) not in taken]
        if our.rank not in self.of and free:
            self.of[our.rank] = max(free, key=lambda cell: quality(our, cell))

    def open(self, wanted: Callable[[Ours], bool]) -> list[Ours]:
        """Return those of ours that still look for their cell."""
        return [our for our in self.ours if our.rank not in self.of and wanted(our)]

    def free(self) -> list[NotebookNode]:
        taken = {id(cell) for cell in self.of.values()}
        return [cell for cell in self.cells if id(cell) not in taken]

    def place(self, our: Ours) -> list[NotebookNode]:
        """Return the cells between the nearest of ours that stand before and after."""
        at = {id(cell): number for number, cell in enumerate(self.cells)}
        before = max((rank for rank in self.of if rank < our.rank), default=None)
        after = min((rank for rank in self.of if rank > our.rank), default=None)
        start = -1 if before is None else at[id(self.of[before])]
        end = len(self.cells) if after is None else at[id(self.of[after])]
        return self.cells[start + 1 : end]


def originals(source: NotebookNode) -> Originals:
    """Return the cells of a module, given its source notebook."""
    released, resources = copy.deepcopy(source), {}
    for step in (ClearSolutions(), ClearHiddenTests()):
        released, resources = step.preprocess(released, resources)
    pairs = enumerate(zip(source.cells, released.cells, strict=True))
    cells = [original(rank, cell, given.source) for rank, (cell, given) in pairs]
    return Originals(cells, source.metadata.get("kernelspec", NotebookNode()))


def original(rank: int, cell: NotebookNode, given: str) -> Ours:
    name, lines = notebook.grade_id(cell), lines_of(given)
    locked = bool(name) and not notebook.meta(cell).get("solution")
    return Ours(
        rank=rank,
        cell=cell,
        given=given,
        name=name,
        lines=lines,
        texts=(lines, lines_of(cell.source)) if locked else (lines,),
        defines=definitions(given),
        locked=locked,
        exercise=notebook.is_solution(cell),
        answer=notebook.is_answer(cell) and not notebook.is_code(cell),
        fixed=locked or not name,
    )


def recognise(cells: list[NotebookNode], ours: list[Ours]) -> Match:
    """Find the cell of each of ours, from the strongest evidence to the weakest."""
    match = Match(cells, ours)
    by_text: dict[Lines, list[NotebookNode]] = {}
    by_name: dict[str, list[NotebookNode]] = {}
    for cell in cells:
        by_text.setdefault(lines_of(cell.source), []).append(cell)
        by_name.setdefault(notebook.grade_id(cell), []).append(cell)
    for our in match.open(lambda our: our.fixed and bool(our.lines)):
        match.assign(our, [cell for text in our.texts for cell in by_text.get(text, [])])
    named = {our.name: by_name.get(our.name, []) for our in ours if our.name}
    for our in match.open(lambda our: bool(our.name)):
        match.assign(our, [cell for cell in named[our.name] if fits(our, cell)])
    for our in match.open(lambda our: our.exercise):
        match.assign(our, [cell for cell in match.place(our) if defines_the_same(our, cell)])
        match.assign(our, [cell for cell in match.free() if is_like(our, cell)])
    for our in match.open(lambda our: our.answer or our.exercise):
        match.assign(our, [c for c in named[our.name] if not is_ours(c, ours)])
    for our in match.open(lambda our: our.answer and our.rank - 1 in match.of):
        match.assign(our, [cell for cell in match.place(our) if cell.source.strip()][:1])
    return match


def quality(our: Ours, cell: NotebookNode) -> tuple[bool, bool, bool]:
    """Return how well a cell is one of ours: worked on, where that is due, and named so."""
    worked_on = our.fixed or not our.is_text_of(cell)
    same_type = cell.cell_type == our.cell.cell_type
    return worked_on, notebook.grade_id(cell) == our.name, same_type


def fits(our: Ours, cell: NotebookNode) -> bool:
    """Tell whether nothing speaks against a name: ids can be swapped, and cells overwritten."""
    if our.locked:
        return likeness(our.lines, cell) >= ALIKE
    return our.answer or not our.defines or bool(our.defines & definitions(cell.source))


def defines_the_same(our: Ours, cell: NotebookNode) -> bool:
    return bool(our.defines) and our.defines <= definitions(cell.source)


def is_like(our: Ours, cell: NotebookNode) -> bool:
    """Tell whether a cell kept most lines of an exercise as it was given."""
    return likeness(our.lines, cell) > ALIKE


def is_ours(cell: NotebookNode, ours: list[Ours]) -> bool:
    return any(our.fixed and our.is_text_of(cell) for our in ours)


def likeness(lines: Lines, cell: NotebookNode) -> float:
    """Return the part of these lines, from 0 to 1, that a cell holds; stubs do not count."""
    wanted = {line.strip() for line in lines} - STUBS
    found = {line.strip() for line in lines_of(cell.source)}
    return len(wanted & found) / len(wanted) if wanted else 0.0


def definitions(text: str) -> frozenset[str]:
    """Return the functions and classes that a text defines, also one that does not parse."""
    return frozenset(DEFINITION.findall(text))


def lines_of(text: str) -> Lines:
    """Return the lines of a text that say something: what editors do to the others is no change."""
    return short_lines(text) if len(text) < SHORT else lines(text)


def lines(text: str) -> Lines:
    return tuple(stripped for line in text.split("\n") if (stripped := line.rstrip()))


short_lines = lru_cache(512)(lines)  # one text is asked for again and again
