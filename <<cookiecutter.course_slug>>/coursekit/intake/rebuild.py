"""A notebook built anew: the module's own, with what its student wrote put in.

The module is the skeleton, so provided cells are there once, unchanged and in order, whatever was
handed in. Only three things are the student's: solutions, answers, and cells of their own.
"""

import copy
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from functools import lru_cache

from coursekit import notebook
from coursekit.assignment import Assignment
from coursekit.intake.parse import Cell, RepairLog

DEFINITION = re.compile(r"^(?:async def|def|class)\s+(\w+)", re.M)
STUBS = {"# YOUR CODE HERE", "raise NotImplementedError()", "YOUR ANSWER HERE"}
REPLACED = "replaced by the module's own"
SHORT = 40  # characters: a text below that may stand in any cell
ALIKE = 0.5  # of a cell's lines; a cell with fewer is something else under its name


class Piece:
    """A cell that was handed in, in a form to be compared; `slot` is its place once it is known."""

    def __init__(self, cell: Cell):
        self.cell, self.name, self.is_code = cell, notebook.grade_id(cell), notebook.is_code(cell)
        self.text = plain(cell["source"])
        self.defines = set(DEFINITION.findall(self.text))
        self.slot: Slot | None = None


class Slot(Piece):
    """A place in the module: its cell as students got it, and what belongs there."""

    def __init__(self, number: int, cell: Cell, given: str):
        super().__init__(cell | {"source": given})
        self.number, self.whole = number, cell  # with solution and hidden tests
        self.provided, self.exercise = notebook.is_provided(cell), notebook.is_solution(cell)
        self.answer = notebook.is_answer(cell) and not self.exercise
        self.fixed = self.provided or not self.name  # students have no reason to change it
        self.texts = {self.text, plain(cell["source"])} if self.provided else {self.text}
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
        return worked_on, piece.name == self.name, piece.is_code == self.is_code


def plain(text: str) -> str:
    """Return a text without what editors change: blank lines, and spaces at the end of lines."""
    return "\n".join(line for each in text.split("\n") if (line := each.rstrip()))


def padded(text: str) -> str:
    """Return a text between line ends, and without spaces at the end of its lines."""
    return "\n".join(["", *(line.rstrip() for line in text.strip("\n").split("\n")), ""])


class Slots:
    """The places of a module, ready to be compared with."""

    def __init__(self, assignment: Assignment):
        pairs = enumerate(zip(assignment.cells, assignment.given, strict=True))
        self.all = [Slot(number, cell, given) for number, (cell, given) in pairs]
        self.by_name = {slot.name: slot for slot in self.all if slot.name}
        code = [slot for slot in self.all if slot.provided or slot.exercise]
        self.by_text = {text: slot for slot in code for text in slot.texts}
        self.texts = {"", *(text for slot in self.all for text in slot.texts)}


slots_of = lru_cache(maxsize=1)(Slots)  # made once, used for all submissions


def rebuild(cells: list[Cell], assignment: Assignment) -> tuple[list[Cell], list[str]]:
    """Return the module's notebook with a student's work in it, and a clause per repair."""
    log, slots = RepairLog(), slots_of(assignment)
    pieces = taken_apart([Piece(cell) for cell in joined(cells, slots, log)], slots, log)
    of = recognised(pieces, slots)
    own = own_cells(pieces, slots, of, log)
    for slot in out_of_order([piece.slot for piece in pieces if piece.slot]):
        log.add("moved back to their place", slot.name)
    names = {piece.name for piece in pieces}
    built = own[-1]
    for slot in slots.all:
        built += [*filled(slot, of.get(slot), names, log), *own[slot.number]]
    # nbgrader gives an untouched answer 0: perhaps it stands in a cell of the student's own
    elsewhere = [p for p in pieces if not (p.slot or p.is_code or p.text in slots.texts)]
    for slot in slots.all if elsewhere else []:
        if slot.answer and (slot not in of or of[slot].text == slot.text):
            log.add("answers left empty, with a text elsewhere that may be meant", slot.name)
    return [fresh(cell) for cell in built], list(log.clauses())


def joined(cells: list[Cell], slots: Slots, log: RepairLog) -> list[Cell]:
    """Join a solution that was split in the middle of a definition: the next cell is indented."""
    groups: list[list[Cell]] = []
    for cell in cells:
        slot = slots.by_name.get(notebook.grade_id(groups[-1][0])) if groups else None
        continues = notebook.is_code(cell) and cell["source"].lstrip("\n")[:1].isspace()
        if slot and slot.exercise and continues and notebook.grade_id(cell) in ("", slot.name):
            groups[-1].append(cell)
            log.add("split and joined", slot.name)
        else:
            groups.append([cell])
    return [group[0] | {"source": "\n".join(c["source"] for c in group)} for group in groups]


def taken_apart(pieces: list[Piece], slots: Slots, log: RepairLog) -> list[Piece]:
    """Take the module's cells out of cells that hold more than them."""
    texts = {piece.text for piece in pieces}
    for slot in slots.all:
        if slot.fixed and len(slot.text) > SHORT and slot.texts.isdisjoint(texts):
            for number, piece in enumerate(pieces):
                more = slot.text in piece.text and piece.text not in slots.texts - slot.texts
                if more and (found := parts(piece, slot)):
                    pieces[number : number + 1] = found
                    log.add("merged with others and taken apart", slot.name)
                    break
    return pieces


def parts(piece: Piece, slot: Slot) -> list[Piece]:
    """Return what stands before a cell of the module, that cell, and what stands after it."""
    texts = padded(piece.cell["source"]).partition(padded(slot.cell["source"]))
    found, meta = [], piece.cell["metadata"] if piece.name != slot.name else {}
    for number, text in enumerate(texts if texts[1] else ()):
        if number == 1:
            found.append(Piece(slot.cell))
        elif text.strip():
            found.append(Piece(piece.cell | {"source": text.strip("\n"), "metadata": meta}))
            meta = {}  # the first of them keeps the name
    return found


def recognised(pieces: list[Piece], slots: Slots) -> dict[Slot, Piece]:
    """Return the piece for each place, from the strongest evidence on: the best that is free."""
    of: dict[Slot, Piece] = {}
    written = [piece for piece in pieces if piece.text]
    above = dict(zip(written[1:], written, strict=False))
    named = slots.by_name.values()
    exercises = [slot for slot in named if slot.exercise]
    evidence: list[tuple[Iterable[Slot], Callable[[Slot, Piece], bool]]] = [
        ([s for s in slots.all if s.fixed and s.text], lambda s, p: p.text in s.texts),
        (named, lambda s, p: p.name == s.name and s.believes(p)),
        (exercises, lambda s, p: bool(s.defines) and s.defines <= p.defines),
        (exercises, lambda s, p: s.likeness(p) > ALIKE),
        (exercises, lambda s, p: p.name == s.name and p.text not in slots.by_text),
        (  # the text that follows the question
            [slot for slot in named if slot.answer],
            lambda s, p: not p.is_code and above.get(p, p) is of.get(slots.all[s.number - 1]),
        ),
    ]
    for places, speaks_for in evidence:
        free = [piece for piece in pieces if not piece.slot]
        for slot in places:
            if slot not in of and (
                found := [p for p in free if speaks_for(slot, p) and not p.slot]
            ):
                of[slot] = max(found, key=slot.quality)
                of[slot].slot = slot
    return of


def own_cells(
    pieces: list[Piece], slots: Slots, of: dict[Slot, Piece], log: RepairLog
) -> dict[int, list[Cell]]:
    """Return the student's own cells by the place after which they stand, without mere copies."""
    own: dict[int, list[Cell]] = defaultdict(list)
    whole, after = {piece.text for piece in pieces}, -1
    for number, piece in enumerate(pieces):
        if piece.slot:
            after = piece.slot.number
            continue
        slot = slots.by_text.get(piece.text) or slots.by_name.get(piece.name)
        slot = slot or next((s for s in slots.all if s.text not in whole and s.holds(piece)), None)
        if slot and slot.texts.isdisjoint(whole) and slot.holds(piece):
            log.add("split and joined", slot.name)
        elif slot in of:
            log.add("there twice", slot.name)
        if not slot or not (piece.text in slot.texts or slot.holds(piece)):
            own[after].append(piece.cell | {"id": f"own-{number}", "metadata": {}})
    return own


def out_of_order(found: list[Slot]) -> list[Slot]:
    """Return places without which the others are in order: few, and rather tests than solutions."""
    found = [slot for slot in found if slot.name]
    backwards = [slot.number for slot in found][::-1]
    matcher = SequenceMatcher(None, backwards, sorted(backwards, reverse=True), autojunk=False)
    kept = {n for at, _, size in matcher.get_matching_blocks() for n in backwards[at : at + size]}
    return [slot for slot in found if slot.number not in kept]


def filled(slot: Slot, piece: Piece | None, names: set[str], log: RepairLog) -> list[Cell]:
    """Return the cell for a place; none for a text or a solution that is not there."""
    if piece is None:
        if slot.exercise:
            log.add("solutions without a cell", slot.name)
        if slot.exercise or not slot.name:
            return []
        log.add(REPLACED if slot.name in names else "missing and put back", slot.name)
        return [slot.whole if slot.provided else slot.cell]
    if slot.name and piece.name != slot.name:
        log.add("recognised without their name", slot.name)
    if piece.cell["cell_type"] != slot.cell["cell_type"]:
        log.add("turned back into cells of their type", slot.name)
    split = slot.name in log.get("split and joined", ())
    if slot.provided and piece.text not in slot.texts and not split:
        log.add(REPLACED, slot.name)
    kept = () if slot.fixed else ("source", "attachments")
    return [slot.whole | {key: piece.cell[key] for key in kept if key in piece.cell}]


def fresh(cell: Cell) -> Cell:
    """Return a cell as it was never run, which can be changed without changing the module's."""
    made = {key: cell[key] for key in ("id", "cell_type", "source", "attachments") if key in cell}
    made["metadata"] = {key: copy.copy(value) for key, value in cell["metadata"].items()}
    return made | {"outputs": [], "execution_count": None} if notebook.is_code(cell) else made
