"""Faulty submissions: each ends as a grade or as a 0 with a reason, and its neighbours get theirs.

One batch holds them all. The properties below it go further, but stay in one process: they import
coursekit from the template and use its Module 01, whose file holds no answers to fill in.
"""

import contextlib
import copy
import io
import json
import os
import random
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import pytest
from delimiters import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from living import MODULE, Living, graded, snapshot, table
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import intake, notebook, reading, recognise, restore, runner  # noqa: E402
from coursekit.course import Module  # noqa: E402
from coursekit.errors import Ungradable  # noqa: E402

NAME = "tensor_dev.ipynb"
HandIn = Callable[[Path, NotebookNode], None]


@dataclass(frozen=True)
class Fault:
    """One way to hand in, by `how` from a folder and a solved notebook, and what comes of it."""

    how: HandIn
    note: str  # a pattern; "" stands for no note at all
    score: float = 80


# ---- How a file is handed in


def text_of(nb: NotebookNode) -> str:
    return json.dumps(
        nb, indent=1, ensure_ascii=False
    )  # nbformat would complain of what is wrong on purpose


def raw(data: bytes, name: str = NAME) -> HandIn:
    """Hand in these bytes under a name."""
    return lambda folder, nb: put(folder / name, data)


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def encoded(change: Callable[[str], str | bytes], name: str = NAME) -> HandIn:
    """Hand in the file's text, changed or encoded."""

    def how(folder: Path, nb: NotebookNode) -> None:
        data = change(text_of(nb))
        put(folder / name, data.encode() if isinstance(data, str) else data)

    return how


def named(*names: str) -> HandIn:
    """Hand in the same notebook under other names."""
    return lambda folder, nb: [put(folder / name, text_of(nb).encode()) for name in names] and None


def as_json(change: Callable[[dict], object]) -> HandIn:
    """Hand in the notebook's JSON, changed in place, or what the change returns."""

    def how(folder: Path, nb: NotebookNode) -> None:
        tree = json.loads(text_of(nb))
        put(folder / NAME, json.dumps(change(tree) or tree).encode())

    return how


def each_cell(change: Callable[[dict], object]) -> HandIn:
    return as_json(lambda tree: [change(cell) for cell in tree["cells"]] and None)


def stamped(data: bytes) -> HandIn:
    """Hand in a good notebook and these bytes as its timestamp."""

    def how(folder: Path, nb: NotebookNode) -> None:
        named(NAME)(folder, nb)
        put(folder / "timestamp.txt", data)

    return how


def packed(*names: str, text: str = "") -> HandIn:
    """Hand in a zip file that holds the notebook, or a text, under these names."""

    def how(folder: Path, nb: NotebookNode) -> None:
        with zipfile.ZipFile(folder / "work.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, text or text_of(nb))

    return how


def cells(change: Callable[[list], list | None]) -> HandIn:
    """Hand in the notebook with its list of cells changed in place, or another one."""

    def how(folder: Path, nb: NotebookNode) -> None:
        nb.cells = change(nb.cells) or nb.cells
        for number, cell in enumerate(nb.cells):
            cell.id = f"{number}"
        named(NAME)(folder, nb)

    return how


# ---- Faults of files


def crlf(cell: dict) -> None:
    cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def format_3(tree: dict) -> dict:
    """Return the notebook as IPython 2 would have written it."""
    for cell in tree["cells"]:
        cell.pop("id")
        if cell["cell_type"] == "code":
            cell["input"], cell["prompt_number"] = cell.pop("source"), cell.pop("execution_count")
            cell["language"] = "python"
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [tree]}


def format_42(tree: dict) -> None:
    tree["nbformat_minor"] = 2
    for cell in tree["cells"]:
        cell.pop("id")


def bare(cell: dict) -> None:
    for field in ("outputs", "execution_count"):
        cell.pop(field, None)
    if not cell["metadata"]:
        cell.pop("metadata")


def bottomless(text: str) -> str:
    return text.replace('"outputs": []', f'"outputs": {"[" * 100_000}{"]" * 100_000}', 1)


def not_a_number(text: str) -> str:
    return text.replace('"outputs": []', '"outputs": [NaN, Infinity, {"data": -1e999}]')


def odd_characters(tree: dict) -> None:
    tree["cells"][0]["source"] = ["half a pair: \ud800, a null: \0, an escape: \x1b[31m"]
    tree["cells"][0]["metadata"]["tags"] = ["\udfff", 7, "a,b", "fine", "fine"]


def old_outputs(tree: dict) -> None:
    """Leave outputs of a format that nobody knows, and of a kernel that is not there."""
    tree["metadata"]["kernelspec"] = {"name": "../../evil", "display_name": 3}
    for cell in tree["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "hologram", "data": [1, 2, {"x": None}]}]
            cell["execution_count"] = "seven"


def large(folder: Path, nb: NotebookNode) -> None:
    named(NAME)(folder, nb)
    os.truncate(folder / NAME, 21_000_000)  # sparse: it takes no room


def many_pieces(text: str) -> str:
    return text.replace('"outputs": []', f'"outputs": [{"[]," * 1_000_001}[]]', 1)


def conflict(text: str) -> str:
    return text.replace('"cells": [', '<<<<<<< HEAD\n"cells": [\n=======\n>>>>>>> mine\n', 1)


def linked(folder: Path, nb: NotebookNode) -> None:
    named("elsewhere/mine.ipynb")(folder, nb)
    (folder / NAME).symlink_to(folder / "elsewhere" / "mine.ipynb")


def linked_folder(folder: Path, nb: NotebookNode) -> None:
    named(NAME)(folder.parents[2] / "elsewhere" / MODULE, nb)
    folder.rmdir()
    folder.symlink_to(folder.parents[2] / "elsewhere" / MODULE)


def linked_student(folder: Path, nb: NotebookNode) -> None:
    named(NAME)(folder.parents[2] / "elsewhere" / MODULE, nb)
    folder.rmdir()
    folder.parent.rmdir()
    folder.parent.symlink_to(folder.parents[2] / "elsewhere")


def pipe(folder: Path, nb: NotebookNode) -> None:
    os.mkfifo(folder / NAME)


def piped_stamp(folder: Path, nb: NotebookNode) -> None:
    named(NAME)(folder, nb)
    os.mkfifo(folder / "timestamp.txt")


def with_more_files(folder: Path, nb: NotebookNode) -> None:
    """Hand in what must not be found by `import`, and what systems leave in folders."""
    named(NAME, ".ipynb_checkpoints/tensor_dev-checkpoint.ipynb")(folder, nb)
    for name in ("numpy.py", "tensor_dev.py", "sitecustomize.py", "._tensor_dev.ipynb"):
        put(folder / name, b"raise SystemExit('imported')")


def two_copies(folder: Path, nb: NotebookNode) -> None:
    named(NAME)(folder, nb)
    put(folder / "tensor_dev (1).ipynb", b"{")


def empty_beside_full(folder: Path, nb: NotebookNode) -> None:
    named("tensor_dev-Copy1.ipynb")(folder, nb)
    put(folder / NAME, b"")


def as_script(folder: Path, nb: NotebookNode) -> None:
    put(folder / "tensor_dev.py", jupytext.writes(nb, fmt="py:percent").encode())


def nameless_script(folder: Path, nb: NotebookNode) -> None:
    code = "\n".join(f"# In[ ]:\n\n{c.source}\n" for c in nb.cells if c.cell_type == "code")
    put(folder / "tensor_dev.py", code.encode())


def of_another(tree: dict) -> None:
    for cell in tree["cells"]:
        cell["metadata"] = {}
        cell["source"] = []
    tree["cells"][1]["metadata"] = {"nbgrader": {"grade_id": "knots-imports", "locked": True}}


def odd_names(folder: Path, nb: NotebookNode) -> None:
    path = os.fsencode(folder) + b"/=cmd\xff\n\x1b[31m.ipynb"
    with open(path, "wb") as file:  # noqa: PTH123  (no Path has such a name on every system)
        file.write(text_of(nb).encode())


# ---- Faults of cells


def number_of(cells: list, name: str) -> int:
    (number,) = (n for n, c in enumerate(cells) if notebook.grade_id(c) == name)
    return number


def cell_of(cells: list, name: str) -> NotebookNode:
    return cells[number_of(cells, name)]


def is_locked(cell: NotebookNode) -> bool:
    return bool(notebook.meta(cell).get("locked"))


def twice(cells: list) -> list:
    return [cell for each in cells for cell in (each, copy.deepcopy(each))]


def locked_again_at_the_end(cells: list) -> list:
    return [*cells, *copy.deepcopy([cell for cell in cells if is_locked(cell)])]


def stripped(cells: list) -> None:
    for cell in cells:
        cell.metadata = NotebookNode()


def renamed(cells: list) -> None:
    for number, cell in enumerate(c for c in cells if notebook.grade_id(c)):
        cell.metadata.nbgrader.grade_id = f"cell-{number}"


def names_swapped(cells: list) -> None:
    solution, test = cell_of(cells, "tensor-init"), cell_of(cells, "tensor-init-test")
    solution.metadata, test.metadata = test.metadata, solution.metadata


def invented(cells: list) -> None:
    """Claim points and a lock for cells of one's own, in metadata of any type."""
    for claim in ({"grade": True, "points": 1000}, {"locked": "yes", "points": "many"}, {}):
        meta = {"grade_id": "gift", "solution": False, "schema_version": 99, **claim}
        cells.append(new_code_cell("1 + 1", metadata={"nbgrader": meta}))
    cells.append(new_code_cell("2 + 2"))
    cells[-1].metadata.update(nbgrader=7, tags="no list")


def thrown_away(cells: list) -> None:
    cell_of(cells, "tensor-init-test").source = "pass"


def on_stderr(cells: list) -> None:
    """Log whatever is made, to where nbgrader takes every word for a failure."""
    cell = cell_of(cells, "tensor-init")
    cell.source += "\n_plain_init = Tensor.__init__\nimport sys\n"
    cell.source += "def _loud(self, *a, **k):\n    print('made', file=sys.stderr)\n"
    cell.source += "    _plain_init(self, *a, **k)\nTensor.__init__ = _loud\n"


def crash(cells: list) -> None:
    cell = cell_of(cells, "tensor-init")
    cell.source += "\nimport os\nTensor.__init__ = lambda *a, **k: os._exit(3)\n"


def a_test_first(cells: list) -> None:
    at = number_of(cells, "tensor-init-test")
    cells.insert(number_of(cells, "tensor-init"), cells.pop(at))


def shuffled(cells: list) -> None:
    random.Random(7).shuffle(cells)


def merged(cells: list, *names: str) -> None:
    """Merge the cells from the first name to the last into the first."""
    start, end = number_of(cells, names[0]), number_of(cells, names[-1])
    cells[start].source = "\n\n".join(cell.source for cell in cells[start : end + 1])
    del cells[start + 1 : end + 1]


def merged_into_the_test(cells: list) -> None:
    test = cell_of(cells, "tensor-init-test")
    test.source = f"{cell_of(cells, 'tensor-init').source}\n\n{test.source}"
    del cells[number_of(cells, "tensor-init")]


def split(cells: list, name: str, line: int, *, keep_name: bool) -> None:
    """Split a cell before a line, as JupyterLab does; older tools leave the second half bare."""
    at = number_of(cells, name)
    lines = cells[at].source.split("\n")
    half = copy.deepcopy(cells[at])
    cells[at].source, half.source = "\n".join(lines[:line]), "\n".join(lines[line:])
    if not keep_name:
        half.metadata = NotebookNode()
    cells.insert(at + 1, half)


def turned(cells: list, kind: str, *names: str) -> None:
    """Turn cells into another type, as one key does in Jupyter."""
    for name in names:
        cell = cell_of(cells, name)
        cell.cell_type = kind
        for field in ("outputs", "execution_count"):
            cell.pop(field, None)


def without(cells: list, *names: str) -> list:
    return [cell for cell in cells if notebook.grade_id(cell) not in names]


def edited(cells: list) -> None:
    """Change provided cells, so that each test would pass and each check would fail."""
    for cell in filter(is_locked, cells):
        cell.source = cell.source.replace("assert ", "assert True or ").replace("got", "have")
    cell_of(cells, "tensor-check").source = "def check(*args, **options):\n    assert 0"


def stub_again(cells: list) -> None:
    """Paste an exercise as it was handed out below the solution: it undoes it."""
    at = number_of(cells, "tensor-init")
    again = copy.deepcopy(cells[at])
    again.source = re.sub(
        r"( *)### BEGIN SOLUTION.*### END SOLUTION",
        r"\1# YOUR CODE HERE\n\1raise NotImplementedError()",
        again.source,
        flags=re.S,
    )
    cells.insert(at + 1, again)


def answers_stripped(cells: list) -> None:
    for cell in cells:
        if notebook.is_answer(cell):
            cell.metadata = NotebookNode()


def answers_below(cells: list) -> list:
    """Answer in a new cell, and leave the one that was meant for it as it was."""
    answered = []
    for cell in cells:
        answered.append(cell)
        if notebook.is_answer(cell):
            answered.append(new_markdown_cell(cell.source))
            cell.source = "YOUR ANSWER HERE"
    return answered


def answers_at_the_end(cells: list) -> None:
    answers = [cell for cell in cells if notebook.is_answer(cell)]
    cells.append(new_markdown_cell("\n\n".join(cell.source for cell in answers)))
    for cell in answers:
        cell.source = "YOUR ANSWER HERE"


def own_cells(cells: list) -> list:
    own = (new_code_cell("scratch = 1"), new_markdown_cell("a thought"))
    return [c for each in cells for c in (each, *copy.deepcopy(own))]


FAULTS: dict[str, Fault] = {
    # encodings and line ends
    "byte-order-mark": Fault(encoded(lambda t: t.encode("utf-8-sig")), "byte order mark"),
    "utf-16": Fault(encoded(lambda t: t.encode("utf-16")), "read as UTF-16"),
    "latin-1": Fault(encoded(lambda t: t.encode("latin-1", "replace")), "WINDOWS-1252.*changed"),
    "crlf-file": Fault(encoded(lambda t: t.replace("\n", "\r\n")), ""),
    "crlf-cells": Fault(each_cell(crlf), "^line ends of Windows were replaced$"),
    "odd-characters": Fault(as_json(odd_characters), "characters that are none were replaced"),
    # names and places
    "copy-1": Fault(named("tensor_dev (1).ipynb"), r"tensor_dev \(1\).ipynb was taken for tensor_"),
    "copy-2": Fault(named("tensor_dev-Copy1.ipynb"), "was taken for tensor_dev.ipynb"),
    "other-case": Fault(named("Tensor_Dev.IPYNB"), "was taken for"),
    "other-name": Fault(named("homework.ipynb"), "^homework.ipynb was taken for tensor_dev.ipynb$"),
    "odd-name": Fault(odd_names, r"^\./=cmd\?\?\?\[31m\.ipynb was taken for"),
    "saved-by-a-browser": Fault(named("tensor_dev.ipynb.txt"), "ipynb.txt was taken for"),
    "saved-as-json": Fault(named("tensor_dev (2).ipynb.json"), "json was taken for"),
    "copy-among-others": Fault(named("a.ipynb", "Copy of tensor_dev.ipynb"), "was taken for"),
    "broken-copy-beside": Fault(two_copies, r"tensor_dev \(1\).ipynb lies beside it"),
    "empty-beside-full": Fault(empty_beside_full, "is empty; tensor_dev-Copy1.ipynb lies", 0),
    "several": Fault(named("a.ipynb", "b.ipynb"), "which of these.*a.ipynb, b.ipynb", 0),
    "deeper": Fault(named(f"{MODULE}/{NAME}"), f"{MODULE}/{NAME} was taken for"),
    "much-deeper": Fault(named(f"work/{MODULE}/{NAME}"), "was taken for"),
    "folder-of-its-name": Fault(named(f"{NAME}/{NAME}"), "was taken for"),
    "empty-folder": Fault(lambda folder, nb: None, "is missing; the folder is empty", 0),
    "only-notes": Fault(raw(b"sorry", "notes.txt"), "the folder holds notes.txt", 0),
    "more-files": Fault(with_more_files, ""),
    "another-module": Fault(as_json(of_another), "is the notebook of 02_knots", 0),
    # scripts and archives
    "script": Fault(as_script, "tensor_dev.py was taken for tensor_dev.ipynb"),
    "nameless-script": Fault(nameless_script, "carry no names; hand in the .ipynb file$", 0),
    "zip": Fault(packed(f"{MODULE}/{NAME}"), "work.zip/01_tensor/tensor_dev.ipynb was taken for"),
    "zip-of-two": Fault(packed("a.ipynb", "b.ipynb"), "which of these", 0),
    "zip-climbs-out": Fault(packed("../../../../evil.ipynb"), "holds no notebook", 0),
    "zip-bomb": Fault(packed(NAME, text=" " * 30_000_000), "is too large", 0),
    "zip-broken": Fault(raw(b"PK\3\4nonsense", "work.zip"), "cannot be unzipped", 0),
    "zip-as-notebook": Fault(raw(b"PK\3\4nonsense"), "is a zip archive; unzip it", 0),
    # what stands in the place of a file
    "link": Fault(linked, "is a link, not a notebook", 0),
    "linked-folder": Fault(linked_folder, "is a link, not a folder", 0),
    "linked-student": Fault(linked_student, "is a link, not a folder", 0),
    "pipe": Fault(pipe, "is no regular file", 0),
    "piped-stamp": Fault(piped_stamp, "timestamp.txt holds no date"),
    "folder": Fault(lambda f, nb: (f / NAME).mkdir(), "holds tensor_dev.ipynb/", 0),
    # formats and fields
    "format-3": Fault(as_json(format_3), "notebook format 3.0 was read as 4.5"),
    "format-4.2": Fault(as_json(format_42), "notebook format 4.2 was read as 4.5"),
    "format-4.99": Fault(as_json(lambda t: t.update(nbformat_minor=99)), "4.99 was read as 4.5"),
    "format-none": Fault(as_json(lambda t: t.pop("nbformat") and None), "format unknown was read"),
    "bare-cells": Fault(each_cell(bare), "fields that cells lacked were filled in"),
    "same-ids": Fault(each_cell(lambda c: c.update(id="x")), "cell ids were missing or repeated"),
    "bad-ids": Fault(each_cell(lambda c: c.update(id=[7])), "cell ids were missing or repeated"),
    "one-string": Fault(each_cell(lambda c: c.update(source="".join(c["source"]))), ""),
    "no-line-ends": Fault(
        each_cell(lambda c: c.update(source="".join(c["source"]).split("\n"))),
        "line ends that cells lacked",
    ),
    "not-a-number": Fault(encoded(not_a_number), ""),
    "old-outputs": Fault(as_json(old_outputs), ""),
    # no notebooks
    "no-bytes": Fault(raw(b""), "is not a notebook: it is empty", 0),
    "zeros": Fault(raw(bytes(5000)), "it is empty", 0),
    "zeros-at-the-end": Fault(encoded(lambda t: t + "\0" * 99), "empty bytes at its end"),
    "no-cell": Fault(raw(b'{"nbformat": 4, "cells": []}'), "it holds no cells", 0),
    "noise": Fault(raw(random.Random(3).randbytes(5000)), "is not a notebook", 0),
    "prose": Fault(raw(b"my homework"), "is not a notebook: it is no JSON", 0),
    "login-page": Fault(raw(b"\n<!DOCTYPE html><html>Log in</html>"), "it is a web page", 0),
    "pdf": Fault(raw(b"%PDF-1.7 ..."), "it is a PDF", 0),
    "truncated": Fault(encoded(lambda t: t[: len(t) // 2]), "breaks off before its end", 0),
    "conflict": Fault(encoded(conflict), "Git merge conflict", 0),
    "list": Fault(raw(b"[1, 2]"), "holds no list of cells", 0),
    "no-cells": Fault(raw(b'{"nbformat": 4, "cells": 3}'), "holds no list of cells", 0),
    "wrong-cells": Fault(raw(b'{"nbformat": 4, "cells": [1]}'), "its cell 1 is no cell", 0),
    "wrong-source": Fault(raw(b'{"cells": [{"source": {}}]}'), "cell 1 is no text", 0),
    "bottomless": Fault(encoded(bottomless), "nested too deeply", 0),
    "large": Fault(large, "has 21 MB; the limit is 20 MB: clear its outputs", 0),
    "many-pieces": Fault(encoded(many_pieces), "more than 2,000,000 pieces", 0),
    # dates
    "stamp-empty": Fault(stamped(b""), "timestamp.txt holds no date and was not used"),
    "stamp-vague": Fault(stamped(b"Tuesday, 10:30"), "timestamp.txt holds no date"),
    "stamp-utf-16": Fault(stamped("2027-01-01 12:00:00 UTC\r\n".encode("utf-16")), ""),
    "stamp-local": Fault(stamped(b"27.01.2027 01:59"), "read as 2027-01-27 01:59 UTC.* late"),
    "stamp-two-ways": Fault(stamped(b"03/02/2027 10:00"), "could be read as two dates"),
    "stamp-of-no-year": Fault(stamped(b"99999-99-99 99:99:99 ZZZ"), "holds no date"),
    # cells
    "twice": Fault(cells(twice), "^there twice: tensor-imports"),
    "locked-again": Fault(cells(locked_again_at_the_end), "^there twice: tensor-imports"),
    "stub-again": Fault(cells(stub_again), "^there twice: tensor-init$"),
    "stripped": Fault(cells(stripped), "^recognised without their name: tensor-imports"),
    "renamed": Fault(cells(renamed), "^recognised without their name: tensor-imports"),
    "names-swapped": Fault(cells(names_swapped), "name: tensor-init, tensor-init-test$"),
    "answers-stripped": Fault(cells(answers_stripped), "name: tensor-q1, tensor-q2, tensor-q3 and"),
    "answers-below": Fault(cells(answers_below), "^answers left empty, with a text else"),
    "answers-at-the-end": Fault(
        cells(answers_at_the_end), "^answers left empty, with a text elsewhere.*: tensor-q1, "
    ),
    "invented": Fault(cells(invented), ""),
    "test-first": Fault(cells(a_test_first), "^moved back to their place: tensor-init-test$"),
    "backwards": Fault(cells(lambda cells: cells[::-1]), "^moved back to their place"),
    "shuffled": Fault(cells(shuffled), "^moved back to their place"),
    "merged": Fault(
        cells(lambda cells: merged(cells, "tensor-init", "tensor-init-test")),
        "^merged with others and taken apart: tensor-init-test$",
    ),
    "merged-test": Fault(cells(merged_into_the_test), "^merged with others.*name: tensor-init$"),
    "merged-many": Fault(
        cells(lambda cells: merged(cells, "tensor-imports", "tensor-numbers-test")),
        "^merged with others and taken apart",
    ),
    "split-provided": Fault(
        cells(lambda cells: split(cells, "tensor-class", 20, keep_name=True)),
        "^split and joined: tensor-class$",
    ),
    "split-bare": Fault(
        cells(lambda cells: split(cells, "tensor-check", 9, keep_name=False)),
        "^split and joined: tensor-check$",
    ),
    "split-solution": Fault(
        cells(lambda cells: split(cells, "tensor-init", -6, keep_name=True)),
        "^split and joined: tensor-init$",
    ),
    "markdown": Fault(
        cells(lambda cells: turned(cells, "markdown", "tensor-class", "tensor-init")),
        "^turned back into cells of their type: tensor-class, tensor-init$",
    ),
    "raw": Fault(
        cells(lambda cells: turned(cells, "raw", "tensor-init-test", "tensor-q1")),
        "^turned back into cells of their type: tensor-init-test, tensor-q1$",
    ),
    "locked-deleted": Fault(
        cells(lambda cells: [cell for cell in cells if not is_locked(cell)]),
        "^missing and put back: tensor-imports",
    ),
    "texts-deleted": Fault(cells(lambda cells: [c for c in cells if notebook.grade_id(c)]), ""),
    "answers-deleted": Fault(
        cells(lambda cells: without(cells, "tensor-q1", "tensor-q2")),
        "^missing and put back: tensor-q1, tensor-q2$",
    ),
    "solution-deleted": Fault(
        cells(lambda cells: without(cells, "tensor-factories")),
        "solutions without a cell: tensor-factories",
        76,
    ),
    "slow-prose": Fault(
        cells(lambda cells: cells.extend(map(new_markdown_cell, ("[" * 80_000, "<b>" * 50_000)))),
        "^texts of more than 10,000 characters were cut$",
    ),
    "slow-code": Fault(
        cells(lambda cells: cells.append(new_code_cell("0\n" * 500_000))), "too long to be searched"
    ),
    "slow-chains": Fault(
        cells(lambda cells: cells.append(new_code_cell("x=" + "+".join(['"ab"'] * 850)))),
        "too deeply to be searched",
    ),
    "long-error": Fault(
        cells(lambda cells: cells.append(new_code_cell("raise type('E' * 10**6, (OSError,), {})"))),
        "^a cell of the student's own: E{20}…E+$",
    ),
    "edited": Fault(cells(edited), "changed and put back"),
    "test-thrown-away": Fault(cells(thrown_away), "^changed and put back: tensor-init-test$"),
    "stderr": Fault(cells(on_stderr), "^failed by writing to stderr: tensor-init-test, ", 14),
    "crash": Fault(cells(crash), "^not all cells ran: .*code 3., in tensor-init-test; look", 0),
    "no-cells-left": Fault(cells(lambda cells: [new_code_cell("1")]), "missing and put back", 0),
    "own-cells": Fault(cells(own_cells), ""),
}
HONEST = ("a-neighbour", "m-neighbour", "z-neighbour")


@pytest.fixture
def course(spoilable: Living) -> Living:
    """Return a built course with a second module, never built, for notebooks gone astray."""
    other = spoilable.root / "modules" / "02_knots"
    other.mkdir()
    line = '# %% [code] {"nbgrader": {"grade_id": "knots-imports", "locked": true}}\n'
    (other / "knots_dev.py").write_text(line, encoding="utf-8")
    return spoilable


def kinds(folder: Path) -> dict[str, int]:
    """Return what each path below a folder is, and what may be done with it."""
    return {str(path): path.lstat().st_mode for path in folder.rglob("*")}


def test_each_faulty_submission_ends_as_a_grade_or_a_zero_with_its_reason(course: Living) -> None:
    submitted = course.root / "submitted"
    for student in HONEST:
        course.hand_in(student, course.solved())
    for student, fault in FAULTS.items():
        folder = submitted / student / MODULE
        folder.mkdir(parents=True)
        fault.how(folder, course.solved())
    before, paths = snapshot(submitted), kinds(submitted)
    course.ok("grade", MODULE)
    assert snapshot(submitted) == before
    assert kinds(submitted) == paths
    rows = {row["student"]: row for row in table(course.root / "grades.csv")}
    assert set(rows) == {*FAULTS, *HONEST}
    for student in HONEST:
        assert (float(rows[student]["automatic"]), rows[student]["note"]) == (80, ""), student
    results = {student: (fault, rows[student]) for student, fault in FAULTS.items()}
    assert not {student: row for student, (fault, row) in results.items() if not right(fault, row)}
    assert rows["answers-stripped"]["written"] == "", "the answers must wait for a person"
    assert not list(course.root.parent.rglob("evil*"))


def right(fault: Fault, row: dict[str, str]) -> bool:
    note = re.search(fault.note, row["note"]) if fault.note else not row["note"]
    return bool(note) and float(row["automatic"]) == fault.score


def test_a_folder_of_no_proper_name_and_a_pipe_among_folders_stop_nobody(course: Living) -> None:
    course.hand_in("ada", course.solved())
    (course.root / "submitted" / os.fsdecode(b"\xff\x1b") / MODULE).mkdir(parents=True)
    os.mkfifo(course.root / "submitted" / "ada" / "pipe")
    shown = course.ok("grade", MODULE)
    assert "no student id" in shown
    (course.root / "submitted" / "bob").mkdir()
    shown = course.ok("grade", MODULE)
    page = (course.root / "report.html").read_text(encoding="utf-8")
    for stray in ("submitted/ada/pipe", "submitted/bob"):
        assert stray in shown and f"<bdi>{stray}</bdi>" in page
    assert "80/80" in shown


def test_a_better_file_in_the_same_place_is_graded_again(course: Living) -> None:
    """What is remembered is the file that was graded, wherever it was found."""
    folder = course.hand_in("ada", "{")
    (folder / NAME).rename(folder / "homework.ipynb")
    course.ok("grade", MODULE)
    named("homework.ipynb")(folder, course.solved())
    assert "80/80" in course.ok("grade", MODULE)
    assert "unchanged" in course.ok("grade", MODULE)
    named("homework.ipynb")(folder, course.solved(lambda number: number > 0))
    assert "80/80" not in course.ok("grade", MODULE)


def test_a_provided_cell_that_was_never_built_is_not_put_in(course: Living) -> None:
    """What is graded is what was built: the gradebook knows no cells that came later."""
    course.hand_in("ada", course.solved())
    meta = '{"nbgrader": {"grade_id": "tensor-late", "locked": true, "grade": false, '
    meta += '"solution": false, "schema_version": 3, "task": false}}'
    with course.source.open("a", encoding="utf-8") as file:
        file.write(f"\n# %% [code] {meta}\nraise SystemExit\n")
    assert "80/80" in course.ok("grade", MODULE)


# ---- Properties

TENSOR = Module(ROOT / "<<cookiecutter.course_slug>>" / "modules" / MODULE)
SOURCE = notebook.read(TENSOR.source)
KNOWN = recognise.originals(SOURCE)


def solved() -> NotebookNode:
    """Return Module 01 with every solution, as a student has it: without the hidden tests."""
    nb = copy.deepcopy(SOURCE)
    for cell, our in zip(nb.cells, KNOWN.cells, strict=True):
        if our.locked:
            cell.source = our.given
    return nb


def names(nb: NotebookNode) -> list[str]:
    return [name for cell in nb.cells if (name := notebook.grade_id(cell))]


def read(data: bytes) -> NotebookNode | None:
    with contextlib.suppress(Ungradable):
        nb, _ = reading.read(NAME, data)
        nbformat.validate(nb)
        nbformat.writes(nb).encode()
        return nb
    return None


@given(st.binary(max_size=400))
def test_any_bytes_are_a_notebook_or_ungradable(data: bytes) -> None:
    read(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
cell_fields = {
    "cell_type": st.sampled_from(["code", "markdown", "raw", "heading", "?"]) | json_values,
    "source": st.text(max_size=20) | st.lists(st.text(max_size=9)) | json_values,
    "metadata": json_values | st.fixed_dictionaries({"nbgrader": json_values, "tags": json_values}),
    "attachments": json_values,
    "outputs": json_values,
    "id": json_values,
}
notebooks = st.fixed_dictionaries(
    {"cells": st.lists(st.fixed_dictionaries({}, optional=cell_fields) | json_values, max_size=4)},
    optional={"nbformat": json_values, "nbformat_minor": json_values, "metadata": json_values},
)


@given(notebooks)
def test_any_json_is_a_valid_notebook_or_ungradable_and_can_be_put_right(tree: dict) -> None:
    nb = read(json.dumps(tree).encode())
    if nb is not None:
        restore.put_right(nb, KNOWN)
        nbformat.validate(nb)
        assert names(nb) == [n for n in names(SOURCE) if n in names(nb)]


@given(st.integers(0), st.integers(1, 255))
@settings(max_examples=50)
def test_one_wrong_byte_is_no_crash(at: int, change: int) -> None:
    data = bytearray(nbformat.writes(solved()).encode())
    data[at % len(data)] ^= change
    if nb := read(bytes(data)):
        restore.put_right(nb, KNOWN)
        nbformat.validate(nb)


STEPS = st.lists(st.tuples(st.sampled_from(["delete", "copy", "swap", "strip"]), st.integers(0)))


def disturb(nb: NotebookNode, step: str, number: int, chosen: Callable) -> None:
    """Do one thing to one, or two, of the cells that are chosen."""
    at = [n for n, cell in enumerate(nb.cells) if chosen(cell)]
    if not at:
        return
    one, other = at[number % len(at)], at[number // len(at) % len(at)]
    if step == "delete":
        del nb.cells[one]
    elif step == "copy":
        nb.cells.insert(other, copy.deepcopy(nb.cells[one]))
    elif step == "strip":
        nb.cells[one].metadata = NotebookNode()
    else:
        nb.cells[one], nb.cells[other] = nb.cells[other], nb.cells[one]


@given(STEPS)
def test_whatever_becomes_of_the_cells_the_provided_ones_are_there_once_in_order(steps) -> None:
    nb = solved()
    for step, number in steps:
        disturb(nb, step, number, lambda cell: True)
    restore.put_right(nb, KNOWN)
    nbformat.validate(nb)
    found = names(nb)
    assert found == [name for name in names(SOURCE) if name in found]
    provided = [our for our in KNOWN.cells if our.locked]
    assert {our.name for our in provided} <= set(found)
    sources = {notebook.grade_id(cell): cell.source for cell in nb.cells}
    assert all(sources[our.name] == our.cell.source for our in provided)
    again = restore.put_right(copy.deepcopy(nb), KNOWN)
    assert all(clause.startswith((restore.UNDONE, restore.ELSEWHERE)) for clause in again)


@given(STEPS)
def test_no_provided_cell_can_get_lost(steps) -> None:
    """Disturb only the provided cells: what runs in the end is what the source runs."""
    nb = solved()
    for step, number in steps:
        disturb(nb, step, number, is_locked)
    restore.put_right(nb, KNOWN)
    assert [c.source for c in nb.cells if notebook.grade_id(c)] == [
        c.source for c in SOURCE.cells if notebook.grade_id(c)
    ]


@given(st.integers(0))
@settings(max_examples=5)
def test_put_right_a_shuffled_notebook_passes_every_test(seed: int) -> None:
    nb = solved()
    nb.cells += copy.deepcopy([cell for cell in nb.cells if is_locked(cell)])
    random.Random(seed).shuffle(nb.cells)
    restore.put_right(nb, KNOWN)
    code = [c for c in nb.cells if notebook.is_code(c) and not notebook.is_profiling(c)]
    found = runner.run([(notebook.grade_id(c), c.source) for c in code], Path("/nowhere"))
    assert not {name: error for name, error in found.items() if error}
    assert {notebook.grade_id(cell) for cell in graded(nb)} <= set(found)


def test_a_notebook_left_alone_is_left_alone() -> None:
    for nb in (solved(), copy.deepcopy(SOURCE)):
        nb.cells.insert(7, new_code_cell("mine = 1"))
        ids = [cell.id for cell in nb.cells]
        assert restore.put_right(nb, KNOWN) == []
        assert [cell.id for cell in nb.cells] == ids


def test_a_device_and_a_folder_nobody_may_read_are_reasons(tmp_path: Path, monkeypatch) -> None:
    submission = intake.Submission("ada", TENSOR, tmp_path)
    (tmp_path / NAME).write_bytes(b"{}")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("open", "scandir"):
        with monkeypatch.context() as patched, pytest.raises(Ungradable, match="Permission denied"):
            patched.setattr(os, name, refuse)
            intake.take(submission)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "is_dir", refuse)
        assert intake.is_dir(tmp_path), "such a folder must get a row, not be passed over"
    with pytest.raises(Ungradable, match="no regular file"):
        intake.read_file(Path(os.devnull))


def test_an_archive_that_lies_about_its_size_is_not_believed() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, b" " * 25_000_000)
    data = buffer.getvalue().replace((25_000_000).to_bytes(4, "little"), b"\x10\0\0\0")
    with pytest.raises(Ungradable):
        intake.unpacked(intake.Found("work.zip", data), NAME)
