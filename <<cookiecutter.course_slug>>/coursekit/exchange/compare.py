"""What students' work on a module has in common beyond the release: pairs, side by side.

A passage is a run of Python's tokens, or of words in comments and texts. What counts is how few
others have it: where a task leaves little room all write alike, and that says nothing. Names, but
for attributes and built-ins, all count as one, so that renaming changes nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, groupby
from pathlib import Path

from pygments.lexers import PythonLexer
from pygments.token import Comment, Name, String

from coursekit import assignment as assignments
from coursekit import files, notebook, pages
from coursekit.assignment import Assignment
from coursekit.course import Course, Module
from coursekit.errors import CourseError, Ungradable
from coursekit.intake import parse
from coursekit.intake.collect import printable, read_file

TOKENS, WORDS = 16, 8  # in a row that make a passage
MOST = 100  # pairs on a page
Passage = tuple[int, list[slice]]  # a digest of some tokens in a row; where in a cell they stand
Part = tuple[str, int | None]  # of a cell, and how many others have it, too; None: it is not shared
Pair = tuple[list[str], dict[str, list[list[Part]]]]  # their names; by cell, the parts of each


@dataclass(frozen=True)
class Work:
    """What one student wrote: each cell's text by its name, and the passages in it."""

    who: str
    earlier: bool  # in another term
    cells: dict[str, tuple[str, list[Passage]]]

    @cached_property
    def digests(self) -> set[int]:
        return {digest for _, own in self.cells.values() for digest, _ in own}


def write(course: Course, module: Module, earlier: Sequence[Path]) -> list[str]:
    """Write compare/MODULE.html; return a line for each thing to know."""
    works, notes, assignment = [], [], assignments.load(course, module)
    for folder in (course.workspace.autograded, *earlier):
        before = len(works)
        works += read(course, assignment, folder, notes)
        if len(works) == before:
            what = f"{folder} holds no STUDENT/{module.name}/{assignment.file}"
            raise CourseError(what + ("." if folder in earlier else ": run `nox -s grade` first."))
    few = max(10, len(works) // 10)  # students; what more have brings no pair together
    values = {"course": course, "module": module, "works": works, "few": few}
    values["pairs"] = pairs(works, few)
    path = course.root / "compare" / f"{module.name}.html"
    files.write_text(path, pages.templates(__file__).get_template("compare.html.j2").render(values))
    shown = f"{len(values['pairs'])} of them at {path.relative_to(course.root)}."
    return [*notes, f"Pairs of students who share what few others have: {shown}"]


def read(course: Course, known: Assignment, folder: Path, notes: list[str]) -> Iterator[Work]:
    """Yield what each student wrote, with the passages that are not of the release."""
    given = [(c["cell_type"], text) for c, text in zip(known.cells, known.given, strict=True)]
    release = {digest for kind, text in given for digest, _ in passages(kind, text)}
    provided = {notebook.grade_id(c) for c in known.cells if notebook.is_provided(c)}
    earlier = folder != course.workspace.autograded
    for path in sorted(folder.glob(f"*/{known.name}/{known.file}")):
        student = printable(path.parent.parent.name)
        work = Work(f"{student} ({folder})" if earlier else student, earlier, {})
        try:
            data = read_file(path, 1e6 * course.grading["file_mb"])
            cells = parse.clean(parse.from_json(parse.decoded(data)[0]), parse.RepairLog())
        except (Ungradable, OSError, RecursionError, ValueError) as error:
            notes.append(f"Left out: {work.who}: {error}.")
            continue
        texts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for cell in cells:  # those that students added: side by side, wherever they stand
            name, kind, text = notebook.grade_id(cell), cell["cell_type"], cell["source"]
            if name not in provided and text not in known.given:
                texts[name or f"{kind} cells of their own", kind].append(text)
        for (name, kind), parts in texts.items():
            found = list(passages(kind, text := "\n\n".join(parts)))
            off = {p.start for digest, places in found if digest in release for p in places}
            own = [(digest, [p for p in places if p.start not in off])
                   for digest, places in found if digest not in release]  # fmt: skip
            work.cells[name] = text, own
        yield work


def tokens(kind: str, text: str) -> Iterator[tuple[bool, bool, int, str]]:
    """Yield of each token whether it is prose, whether students may name it, its place, itself."""
    before = ""
    code = PythonLexer().get_tokens_unprocessed(text) if kind == "code" else [(0, Comment, text)]
    for start, of, value in code:
        if of in Comment or of in String.Doc:
            for word in re.finditer(r"\w+", value):
                yield True, False, start + word.start(), word[0]
        elif value.strip():
            yield False, of in Name and of not in Name.Builtin and before != ".", start, value
            before = value


def passages(kind: str, text: str) -> Iterator[Passage]:
    """Yield all runs of tokens, and of words."""
    found = list(tokens(kind, text))
    for wanted, length in ((True, WORDS), (False, TOKENS)):
        run = [("" if named else word, slice(start, start + len(word)))
               for prose, named, start, word in found if prose == wanted]  # fmt: skip
        for first in range(len(run) - length + 1):
            words, places = zip(*run[first : first + length], strict=True)
            yield hash(words), list(places)


def pairs(works: Sequence[Work], few: int) -> list[Pair]:
    """Return the pairs that share most, where a passage counts the more the fewer have it."""
    have: dict[int, list[int]] = defaultdict(list)
    for number, work in enumerate(works):
        for digest in work.digests:
            have[digest].append(number)
    shared: dict[tuple[int, int], float] = defaultdict(float)
    for numbers in have.values():
        for pair in combinations(numbers, 2) if len(numbers) <= few else ():
            if not all(works[number].earlier for number in pair):
                shared[pair] += 1 / (len(numbers) - 1)
    most = sorted(shared, key=lambda pair: (-round(shared[pair], 6), pair))[:MOST]
    return [side_by_side(works[a], works[b], have, few) for a, b in most]


def side_by_side(first: Work, second: Work, have: dict[int, list[int]], few: int) -> Pair:
    """Return the cells of two students in which there is anything that few others have."""
    both = {digest: len(have[digest]) - 2 for digest in first.digests & second.digests}
    cells = {}
    for name in {**first.cells, **second.cells}:
        parts = [marked(*work.cells.get(name, ("", [])), both) for work in (first, second)]
        if any(others is not None and others <= few - 2 for side in parts for _, others in side):
            cells[name] = parts
    return [first.who, second.who], cells


def marked(text: str, own: Sequence[Passage], both: dict[int, int]) -> list[Part]:
    """Return a text in parts, each with how many others have the rarest passage it is in."""
    levels: list[int | None] = [None] * len(text)
    shared = [(both[digest], places) for digest, places in own if digest in both]
    for others, places in sorted(shared, key=lambda each: -each[0]):
        for place in places:
            levels[place] = [others] * (place.stop - place.start)
    for blank in re.finditer(r"(?<=\S)\s+(?=\S)", text):  # between two of them
        if levels[blank.start() - 1] == levels[blank.end()]:
            levels[blank.start() : blank.end()] = [levels[blank.end()]] * len(blank[0])
    parts = groupby(zip(text, levels, strict=True), key=lambda each: each[1])
    return [("".join(letter for letter, _ in part), others) for others, part in parts]
