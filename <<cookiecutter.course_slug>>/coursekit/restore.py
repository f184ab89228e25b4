"""Put the cells of a student's notebook right, by the module's own notebook.

Afterwards each provided cell and each written answer is there once, in its place among the
solutions, as in the source; what else the student wrote stays where it is. A notebook whose cells
were left alone comes out with the same cells in the same order, and no note.
"""

import copy
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

import nbformat
from nbformat import NotebookNode

from coursekit import notebook
from coursekit.recognise import (
    Lines,
    Match,
    Originals,
    Ours,
    definitions,
    lines_of,
    originals,
    recognise,
)

Notes = dict[str, list[str]]  # what happened to which cells

CHANGED = "changed and put back"
MISSING = "missing and put back"
TWICE = "there twice"
MOVED = "moved back to their place"
RENAMED = "recognised without their name"
TYPE = "turned back into cells of their type"
MERGED = "merged with others and taken apart"
SPLIT = "split and joined"
UNDONE = "solutions without a cell"
ELSEWHERE = "answers left empty, with a text elsewhere that may be meant"

SHORT = 40  # characters: a text below that may stand in any cell


def put_right(nb: NotebookNode, source: NotebookNode | Originals) -> list[str]:
    """Put the cells of `nb` right in place, by the module's source; return a clause per repair."""
    known = source if isinstance(source, Originals) else originals(source)
    ours, notes = known.cells, {}
    cells = apart(nb.cells, ours, notes)
    cells = together(cells, ours, notes)
    match = recognise(cells, ours)
    drop_copies(match, notes)
    absent = [*out_of_order(match, notes), *missing(match, notes)]
    for our in sorted(absent, key=lambda our: our.rank):
        insert(match, our)
    look_elsewhere(match, notes)
    dress(match, notes)
    nb.cells, nb.nbformat_minor = match.cells, 5
    nb.metadata = nbformat.from_dict({"kernelspec": known.kernelspec})
    return [clause(what, names) for what, names in notes.items()]


def as_built(source: NotebookNode, recorded: Mapping[str, str]) -> NotebookNode:
    """Return a source as it was built: with the named cells that the gradebook has the texts of."""
    built = copy.deepcopy(source)
    built.cells = [c for c in built.cells if notebook.grade_id(c) in {"", *recorded}]
    for cell in built.cells:
        if notebook.meta(cell).get("locked"):
            cell.source = recorded[notebook.grade_id(cell)]
    return built


def note(notes: Notes, what: str, our: Ours) -> None:
    names = notes.setdefault(what, [])
    if our.name and our.name not in names:
        names.append(our.name)


def clause(what: str, names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(names[:3])}{more}" if names else f"{what}: text"


# ---- Cells that were merged or split


def apart(cells: list[NotebookNode], ours: list[Ours], notes: Notes) -> list[NotebookNode]:
    """Take cells of ours out of cells that hold more than them."""
    absent = lost(cells, ours)
    texts = [padded(cell.source) for cell in cells] if absent else []
    for our in absent:
        whole = padded(our.given.strip("\n"))
        holders = [n for n, text in enumerate(texts) if whole in text]
        if holders and len(whole) > SHORT:
            number = holders[0]
            found = parts(cells[number], whole, our)
            cells = [*cells[:number], *found, *cells[number + 1 :]]
            texts = [*texts[:number], *(padded(c.source) for c in found), *texts[number + 1 :]]
            note(notes, MERGED, our)
    return cells


def lost(cells: list[NotebookNode], ours: list[Ours]) -> list[Ours]:
    """Return those of ours that should be there as they are, and are not."""
    texts = {lines_of(cell.source) for cell in cells}
    fixed = [our for our in ours if our.fixed and our.lines]
    return [our for our in fixed if texts.isdisjoint(our.texts)]


def padded(text: str) -> str:
    """Return a text between line ends, and without what is invisible at the end of its lines."""
    return "\n".join(["", *(line.rstrip() for line in text.split("\n")), ""])


def parts(cell: NotebookNode, whole: str, our: Ours) -> list[NotebookNode]:
    """Return what stands in a cell before ours, ours, and what stands after it."""
    before, _, after = padded(cell.source).partition(whole)
    named = notebook.grade_id(cell) != our.name
    pieces = [piece(cell, text, named) for text in (before, after) if text.strip()]
    middle = 1 if before.strip() else 0
    if len(pieces) == 2:  # the name goes with what defines something
        second = bool(definitions(after)) and not definitions(before)
        pieces[1 - second].metadata = nbformat.from_dict({})
    return [*pieces[:middle], fresh(our), *pieces[middle:]]


def piece(cell: NotebookNode, text: str, named: bool) -> NotebookNode:
    part = copy.deepcopy(cell)
    part.source = text.strip("\n")
    if not named:
        part.metadata = nbformat.from_dict({})
    return part


def fresh(our: Ours) -> NotebookNode:
    """Return a new cell of ours, as students got it."""
    cell = copy.deepcopy(our.cell)
    cell.source = our.given
    return cell


def together(cells: list[NotebookNode], ours: list[Ours], notes: Notes) -> list[NotebookNode]:
    """Join neighbours that are one of our cells, or one definition of a solution, in pieces."""
    absent = lost(cells, ours)
    texts = [lines_of(cell.source) for cell in cells] if absent else []
    for our in absent:
        if run := next(runs(texts, our.lines), None):
            cells = [*cells[: run[0]], fresh(our), *cells[run[1] :]]
            texts[slice(*run)] = [our.lines]
            note(notes, SPLIT, our)
    names = {our.name: our for our in ours if our.exercise}
    for number in reversed(range(len(cells) - 1)):
        first, second = cells[number : number + 2]
        our = names.get(notebook.grade_id(first))
        if our and notebook.grade_id(second) in ("", our.name) and goes_on(first, second):
            first.source = f"{first.source}\n{second.source}"
            cells = [*cells[: number + 1], *cells[number + 2 :]]
            note(notes, SPLIT, our)
    return cells


def runs(cells: list[Lines], wanted: Lines) -> Iterator[tuple[int, int]]:
    """Yield start and end of neighbours that together say just this."""
    for start in range(len(cells)):
        found: Lines = ()
        for end in range(start, len(cells)):
            found += cells[end]
            if end > start and found == wanted:
                yield start, end + 1
            if not found or found != wanted[: len(found)] or len(found) >= len(wanted):
                break


def goes_on(first: NotebookNode, second: NotebookNode) -> bool:
    """Tell whether a code cell begins in the middle of what the one before it ends with."""
    indented = any(line[0].isspace() for line in lines_of(second.source)[:1])
    return indented and notebook.is_code(first) and notebook.is_code(second)


# ---- Cells too many, out of order or missing


def drop_copies(match: Match, notes: Notes) -> None:
    """Take out copies of our cells; copies in which the student wrote become the student's own."""
    names = {our.name: our for our in match.ours if our.name}
    texts = {t: our for our in match.ours if our.locked or our.exercise for t in our.texts}
    dropped = set()
    for cell in match.free():
        our = texts.get(lines_of(cell.source)) or names.get(notebook.grade_id(cell))
        if our is None:
            continue
        if our.is_text_of(cell) or (our.locked and is_piece(cell, our)):
            dropped.add(id(cell))
        if our.rank in match.of:
            note(notes, TWICE, our)
    match.cells = [cell for cell in match.cells if id(cell) not in dropped]


def is_piece(cell: NotebookNode, our: Ours) -> bool:
    """Tell whether a cell under the name of ours holds some of its lines and nothing else."""
    found = lines_of(cell.source)
    return notebook.grade_id(cell) == our.name and "\n".join(found) in "\n".join(our.lines)


def out_of_order(match: Match, notes: Notes) -> list[Ours]:
    """Take out the fewest cells whose removal leaves the others in order; return what they are."""
    ranks = {id(cell): rank for rank, cell in match.of.items()}
    order = [ranks[id(cell)] for cell in match.cells if id(cell) in ranks]
    if order == sorted(order):
        return []
    by_rank = {our.rank: our for our in match.ours}
    kept = set(heaviest(order, lambda rank: weight(by_rank[rank])))
    astray = [by_rank[rank] for rank in order if rank not in kept]
    moved = {our.rank: match.of.pop(our.rank) for our in astray}
    named = [our for our in astray if our.name]  # a text may stand anywhere
    out = {id(moved[our.rank]) for our in named}
    match.cells = [cell for cell in match.cells if id(cell) not in out]
    match.parked.update({our.rank: moved[our.rank] for our in named})
    for our in named:
        note(notes, MOVED, our)
    return named


def weight(our: Ours) -> int:
    """Return how much it should stay where it is: the student's cells rather than ours."""
    return 1 if not our.name else 4 if our.locked else 5


def heaviest(order: list[int], weigh: Callable[[int], int]) -> list[int]:
    """Return the increasing subsequence with the largest sum of weights."""
    best: list[tuple[int, list[int]]] = []
    for number, rank in enumerate(order):
        before = [best[n] for n in range(number) if order[n] < rank]
        total, chain = max(before, key=lambda pair: pair[0], default=(0, []))
        best.append((total + weigh(rank), [*chain, rank]))
    return max(best, key=lambda pair: pair[0])[1] if best else []


def missing(match: Match, notes: Notes) -> list[Ours]:
    """Return the provided cells and the answers that are not there; note absent solutions, too."""
    absent = match.open(lambda our: bool(our.name) and our.rank not in match.parked)
    names = {notebook.grade_id(cell) for cell in match.cells}
    for our in absent:
        gone = CHANGED if our.name in names else MISSING
        note(notes, UNDONE if our.exercise else gone, our)
    return [our for our in absent if not our.exercise]


def insert(match: Match, our: Ours) -> None:
    """Put one of ours in its place: helpers and answers as early as can be, others as late."""
    at = {id(cell): number for number, cell in enumerate(match.cells)}
    ranks = sorted(match.of)
    here = bisect_left(ranks, our.rank)
    early = at[id(match.of[ranks[here - 1]])] + 1 if here else 0
    late = at[id(match.of[ranks[here]])] if here < len(ranks) else len(match.cells)
    is_early = our.answer or (our.locked and not notebook.is_test(our.cell))
    cell = match.parked.get(our.rank) or fresh(our)
    match.cells.insert(early if is_early else late, cell)
    match.of[our.rank] = cell


def look_elsewhere(match: Match, notes: Notes) -> None:
    """Note answers that may stand in another cell: nbgrader gives an untouched cell 0."""
    ours = {id(cell) for cell in match.of.values()}
    known = {(), *(text for our in match.ours for text in our.texts)}
    own = [c for c in match.cells if id(c) not in ours and not notebook.is_code(c)]
    if any(lines_of(cell.source) not in known for cell in own):
        for our in match.ours:
            if our.answer and our.rank in match.of and our.is_text_of(match.of[our.rank]):
                note(notes, ELSEWHERE, our)


# ---- Each cell


def dress(match: Match, notes: Notes) -> None:
    """Give our cells their metadata, type and, if locked, text; take metadata from the others."""
    by_cell = {id(cell): rank for rank, cell in match.of.items()}
    by_rank = {our.rank: our for our in match.ours}
    taken: set[str] = set()
    for number, cell in enumerate(match.cells):
        our = by_rank.get(by_cell.get(id(cell), -1))
        before = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        cell.metadata = nbformat.from_dict(our.cell.metadata if our else {})  # a copy
        if our:
            restore(cell, our, before, notes)
        cell.id = free_id(cell.get("id") or f"cell-{number}", number, taken)


def restore(cell: NotebookNode, our: Ours, name: str, notes: Notes) -> None:
    """Put one cell right, which was found under a name."""
    if our.name and name != our.name:
        note(notes, RENAMED, our)
    if cell.cell_type != our.cell.cell_type:
        note(notes, TYPE, our)
        turn(cell, our.cell.cell_type)
    if our.locked:
        if lines_of(cell.source) not in our.texts:
            note(notes, CHANGED, our)
        cell.source = our.cell.source


def turn(cell: NotebookNode, kind: str) -> None:
    """Make a cell one of another type."""
    cell.cell_type = kind
    for key in ("outputs", "execution_count", "attachments"):
        cell.pop(key, None)
    if kind == "code":
        cell.outputs, cell.execution_count = [], None


def free_id(wanted: str, number: int, taken: set[str]) -> str:
    """Return an id that no cell before this one has."""
    name = wanted
    while name in taken:
        name = f"cell-{number}-{len(taken)}"
        number += 1
    taken.add(name)
    return name
