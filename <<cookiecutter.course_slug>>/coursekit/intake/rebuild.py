"""A notebook built anew: the module's own, with what its student wrote put in.

The module is the skeleton, so provided cells are there once, unchanged and in order, whatever was
handed in. Only three things are the student's: solutions, answers, and cells of their own.
"""

import copy
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import count
from typing import Any

from coursekit import notebook
from coursekit.assignment import Assignment
from coursekit.intake.parse import RepairLog

DEFINITION = re.compile(r"^(?:async def|def|class)\s+(\w+)", re.M)
STUBS = {"# YOUR CODE HERE", "raise NotImplementedError()", "YOUR ANSWER HERE"}
SHORT = 40  # characters: a text below that may stand in any cell
ALIKE = 0.5  # of a cell's lines; a cell with fewer is something else under its name

Cell = dict[str, Any]


class Piece:
    """A cell that was handed in, in a form to be compared; `slot` is its place once it is known."""

    def __init__(self, cell: Cell, text: str):
        self.cell, self.text, self.name = cell, text, notebook.grade_id(cell)
        self.is_code, self.slot = notebook.is_code(cell), None

    @cached_property
    def defines(self) -> set[str]:
        return set(DEFINITION.findall(self.text))

    @cached_property
    def padded(self) -> str:
        return padded(self.cell["source"])


class Slot:
    """A place in the module: its cell, the text students got, and what belongs there."""

    def __init__(self, number: int, cell: Cell, given: str):
        self.number, self.cell, self.given, self.name = number, cell, given, notebook.grade_id(cell)
        self.provided, self.exercise = notebook.is_provided(cell), notebook.is_solution(cell)
        self.answer = notebook.is_answer(cell) and not self.exercise
        self.fixed = self.provided or not self.name  # students have no reason to change it
        self.text = plain(given)
        self.texts = {self.text, plain(cell["source"])} if self.provided else {self.text}
        self.defines = set(DEFINITION.findall(given))
        self.lines = {line.strip() for line in self.text.split("\n")} - STUBS - {""}

    def likeness(self, piece: Piece) -> float:
        """Return the part of its lines, from 0 to 1, that a piece holds; stubs do not count."""
        found = {line.strip() for line in piece.text.split("\n")}
        return len(self.lines & found) / len(self.lines) if self.lines else 0.0

    def holds(self, piece: Piece) -> bool:
        """Tell whether a piece is some lines of this provided cell, and nothing else."""
        meant = self.provided and (piece.name == self.name or len(piece.text) > SHORT)
        return meant and piece.text != "" and f"\n{piece.text}\n" in f"\n{self.text}\n"

    def believes(self, piece: Piece) -> bool:
        """Tell whether nothing speaks against a name: they can be swapped, cells overwritten."""
        if self.provided:
            return self.likeness(piece) >= ALIKE or self.holds(piece)
        return self.answer or not self.defines or bool(self.defines & piece.defines)

    def quality(self, piece: Piece) -> tuple[bool, bool, bool]:
        """Return how well a piece belongs here: worked on, where that is due, and named so."""
        worked_on = self.fixed or piece.text not in self.texts
        same_type = piece.cell["cell_type"] == self.cell["cell_type"]
        return worked_on, piece.name == self.name, same_type


def plain(text: str) -> str:
    """Return a text without what editors change: blank lines, and spaces at the end of lines."""
    return "\n".join(line for each in text.split("\n") if (line := each.rstrip()))


def padded(text: str) -> str:
    """Return a text between line ends, and without spaces at the end of its lines."""
    return "\n".join(["", *(line.rstrip() for line in text.strip("\n").split("\n")), ""])


class Slots:
    """The places of a module, ready to be compared with: made once, used for all submissions."""

    def __init__(self, assignment: Assignment):
        pairs = enumerate(zip(assignment.cells, assignment.given, strict=True))
        self.all = [Slot(number, cell, given) for number, (cell, given) in pairs]
        self.ids = {slot.cell["id"] for slot in self.all}
        self.by_name = {slot.name: slot for slot in self.all if slot.name}
        code = [slot for slot in self.all if slot.provided or slot.exercise]
        self.by_text = {text: slot for slot in code for text in slot.texts}
        self.texts = {"", *(text for slot in self.all for text in slot.texts)}
        self.known = {slot.given: slot.text for slot in self.all}  # most cells say just this

    def piece(self, cell: Cell) -> Piece:
        text = self.known.get(cell["source"])
        return Piece(cell, plain(cell["source"]) if text is None else text)

    def rebuild(self, cells: list[Cell]) -> tuple[list[Cell], list[str]]:
        """Return the module's notebook with a student's work in it, and a clause per repair."""
        log = RepairLog()
        pieces = joined(taken_apart([self.piece(cell) for cell in cells], self, log), self, log)
        of = recognised(pieces, self)
        own = own_cells(pieces, self, of, log)
        for slot in out_of_order([piece.slot for piece in pieces if piece.slot]):
            log.add("moved back to their place", slot.name)
        names = {piece.name for piece in pieces}
        built = own[-1]
        for slot in self.all:
            built += [*filled(slot, of.get(slot.number), names, log), *own[slot.number]]
        # nbgrader gives an untouched answer 0: perhaps it stands in a cell of the student's own
        elsewhere = [p for p in pieces if not (p.slot or p.is_code or p.text in self.texts)]
        for slot in self.all if elsewhere else []:
            if slot.answer and (slot.number not in of or of[slot.number].text == slot.text):
                log.add("answers left empty, with a text elsewhere that may be meant", slot.name)
        return [fresh(cell) for cell in built], list(log.clauses())


KNOWN: dict[str, Slots] = {}  # by the assignment's key


def rebuild(cells: list[Cell], assignment: Assignment) -> tuple[list[Cell], list[str]]:
    """Do the same by the slots of an assignment, made once."""
    if assignment.key not in KNOWN:
        KNOWN[assignment.key] = Slots(assignment)
    return KNOWN[assignment.key].rebuild(cells)


def taken_apart(pieces: list[Piece], slots: Slots, log: RepairLog) -> list[Piece]:
    """Take the module's cells out of cells that hold more than them."""
    texts = {piece.text for piece in pieces}
    for slot in slots.all:
        if not slot.fixed or len(slot.text) <= SHORT or not slot.texts.isdisjoint(texts):
            continue
        whole = padded(slot.given)
        for number, piece in enumerate(pieces):
            other = piece.text in slots.texts and piece.text not in slot.texts
            if not other and whole in piece.padded:
                pieces[number : number + 1] = map(slots.piece, parts(piece, whole, slot))
                log.add("merged with others and taken apart", slot.name)
                break
    return pieces


def parts(piece: Piece, whole: str, slot: Slot) -> Iterator[Cell]:
    """Yield what stands before a cell of the module, that cell, and what stands after it."""
    before, _, after = piece.padded.partition(whole)
    defines_later = DEFINITION.search(after) and not DEFINITION.search(before)
    heir = after if defines_later or not before.strip() else before  # of the cell's name
    for text in (before, whole, after):
        if text is whole:
            yield slot.cell | {"source": slot.given}
        elif text.strip():
            named = text is heir and piece.name != slot.name
            kept = piece.cell["metadata"] if named else {}
            yield piece.cell | {"source": text.strip("\n"), "metadata": kept}


def joined(pieces: list[Piece], slots: Slots, log: RepairLog) -> list[Piece]:
    """Join a solution that was split in the middle of a definition: the next cell is indented."""
    groups: list[list[Piece]] = []
    for piece in pieces:
        first = groups[-1][0] if groups and piece.text[:1].isspace() else None
        slot = slots.by_name.get(first.name) if first and first.is_code and piece.is_code else None
        if slot and slot.exercise and piece.name in ("", first.name):
            groups[-1].append(piece)
            log.add("split and joined", slot.name)
        else:
            groups.append([piece])
    sources = ["\n".join(piece.cell["source"] for piece in group) for group in groups]
    return [
        group[0] if len(group) == 1 else slots.piece(group[0].cell | {"source": source})
        for group, source in zip(groups, sources, strict=True)
    ]


def recognised(pieces: list[Piece], slots: Slots) -> dict[int, Piece]:
    """Return the piece for each place, by its number, from the strongest evidence on."""
    of: dict[int, Piece] = {}
    by_text: dict[str, list[Piece]] = defaultdict(list)
    by_name: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        by_text[piece.text].append(piece)
        by_name[piece.name].append(piece)
    named, exercises = slots.by_name.values(), [slot for slot in slots.all if slot.exercise]
    for slot in slots.all:
        if slot.fixed and slot.text:
            take(of, slot, (piece for text in slot.texts for piece in by_text[text]))
    for slot in named:
        take(of, slot, filter(slot.believes, by_name[slot.name]))
    for slot in exercises:
        take(of, slot, (p for p in pieces if slot.defines and slot.defines <= p.defines))
    for slot in exercises:
        take(of, slot, (piece for piece in pieces if slot.likeness(piece) > ALIKE))
    for slot in exercises:
        take(of, slot, (p for p in by_name[slot.name] if p.text not in slots.by_text))
    for slot in named:
        if slot.answer and slot.number - 1 in of:  # the text that follows the question
            start = pieces.index(of[slot.number - 1]) + 1
            following = [piece for piece in pieces[start:] if piece.text][:1]
            take(of, slot, (piece for piece in following if not piece.is_code))
    return of


def take(of: dict[int, Piece], slot: Slot, candidates: Iterable[Piece]) -> None:
    """Give a place that is still open the best of these pieces that are still free."""
    if slot.number not in of and (free := [piece for piece in candidates if not piece.slot]):
        of[slot.number] = max(free, key=slot.quality)
        of[slot.number].slot = slot


def own_cells(
    pieces: list[Piece], slots: Slots, of: dict[int, Piece], log: RepairLog
) -> dict[int, list[Cell]]:
    """Return the student's own cells by the place after which they stand, without mere copies."""
    own: dict[int, list[Cell]] = defaultdict(list)
    ids = (name for n in count(1) if (name := f"own-{n}") not in slots.ids)
    whole, after = {piece.text for piece in pieces}, -1
    for piece in pieces:
        if piece.slot:
            after = piece.slot.number
            continue
        slot = slots.by_text.get(piece.text) or slots.by_name.get(piece.name)
        slot = slot or next((s for s in slots.all if s.text not in whole and s.holds(piece)), None)
        if slot and slot.texts.isdisjoint(whole) and slot.holds(piece):
            log.add("split and joined", slot.name)
        elif slot and slot.number in of:
            log.add("there twice", slot.name)
        if slot and (piece.text in slot.texts or slot.holds(piece)):
            continue
        own[after].append(piece.cell | {"id": next(ids), "metadata": {}})
    return own


def out_of_order(found: list[Slot]) -> list[Slot]:
    """Return the fewest places without which the others are in order, rather provided ones."""
    found = [slot for slot in found if slot.name]
    best: list[tuple[int, list[Slot]]] = [(0, [])]  # the heaviest chains, by where they end
    for slot in found:
        before = [pair for pair in best if not pair[1] or pair[1][-1].number < slot.number]
        weight, chain = max(before, key=lambda pair: pair[0])
        best.append((weight + (4 if slot.provided else 5), [*chain, slot]))
    kept = max(best, key=lambda pair: pair[0])[1]
    return [slot for slot in found if slot not in kept]


def filled(slot: Slot, piece: Piece | None, names: set[str], log: RepairLog) -> list[Cell]:
    """Return the cell for a place; none for a text or a solution that is not there."""
    if piece is None and slot.exercise:
        log.add("solutions without a cell", slot.name)
    if piece is None and (slot.exercise or not slot.name):
        return []
    if piece is None:
        log.add("changed and put back" if slot.name in names else "missing and put back", slot.name)
        return [slot.cell if slot.provided else slot.cell | {"source": slot.given}]
    if slot.name and piece.name != slot.name:
        log.add("recognised without their name", slot.name)
    if piece.cell["cell_type"] != slot.cell["cell_type"]:
        log.add("turned back into cells of their type", slot.name)
    split = slot.name in log.get("split and joined", ())
    if slot.provided and piece.text not in slot.texts and not split:
        log.add("changed and put back", slot.name)
    kept = () if slot.fixed else ("source", "attachments")
    return [slot.cell | {key: piece.cell[key] for key in kept if key in piece.cell}]


def fresh(cell: Cell) -> Cell:
    """Return a cell as it was never run, which can be changed without changing the module's."""
    made = {key: cell[key] for key in ("id", "cell_type", "source", "attachments") if key in cell}
    made["metadata"] = {key: copy.copy(value) for key, value in cell["metadata"].items()}
    return made | {"outputs": [], "execution_count": None} if notebook.is_code(cell) else made
