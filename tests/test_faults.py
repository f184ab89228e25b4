"""Faulty submissions: each ends as a grade or as a 0 with a reason, and its neighbours get theirs.

One batch holds them all. What stands below it goes further, but stays in one process: it imports
coursekit from the template and takes in work for its Module 01, without grading it.
"""

import contextlib
import copy
import datetime as dt
import io
import json
import os
import random
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock

import jupytext
import nbformat
import pytest
from delimiters import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from living import MODULE, Living, snapshot, table
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from bench.sources import scores  # noqa: E402
from coursekit import execution, files, notebook  # noqa: E402
from coursekit.assignment import STORED, Assignment  # noqa: E402
from coursekit.course import Module, Submission  # noqa: E402
from coursekit.errors import Ungradable  # noqa: E402
from coursekit.intake import collect, parse, rebuild, times  # noqa: E402
from coursekit.sandbox.engine import Engine  # noqa: E402
from coursekit.settings import SETTINGS  # noqa: E402

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
    os.truncate(folder / NAME, 210_000_000)  # sparse: it takes no room


def large_outputs(tree: dict) -> None:
    """Leave the pictures of an afternoon in the outputs: they do not count."""
    data = {"image/png": "A" * 9_000_000}
    picture = {"output_type": "display_data", "metadata": {}, "data": data}
    code = [cell for cell in tree["cells"] if cell["cell_type"] == "code"]
    for cell in code[:3]:
        cell["outputs"] = [picture]


def large_cells(cells: list) -> None:
    cells.append(new_code_cell("x = '" + "A" * 21_000_000 + "'"))


def pictures(cells: list) -> None:
    """Paste a picture into an answer as Colab does, in the middle of its text."""
    for name in ("tensor-q1", "tensor-q2"):
        cell = cell_of(cells, name)
        cell.source = f"before\n\n![image.png](data:image/png;base64,{'iVBO' * 20_000}==)\n\nafter"


def prefixed(cells: list) -> None:
    """Run a solution under a cell magic."""
    cell_of(cells, "tensor-init").source = "%%prun\n" + cell_of(cells, "tensor-init").source


def many_pieces(text: str) -> str:
    return text.replace('"outputs": []', f'"outputs": [{"[]," * 1_000_001}[]]', 1)


COLAB = """import sys
if "google.colab" in sys.modules:
    from google.colab import drive
    drive.mount("/content/drive")
%matplotlib inline
"""


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
    cell_of(cells, "tensor-testing").source = "def check(*args, **options):\n    assert 0"


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
    "latin-1": Fault(
        encoded(lambda t: t.encode("latin-1", "replace")), "WINDOWS-1252.*replaced by"
    ),
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
    "zip-bomb": Fault(packed(NAME, text=" " * 210_000_000), "is too large", 0),
    "zip-broken": Fault(raw(b"PK\3\4nonsense", "work.zip"), "cannot be unzipped", 0),
    "zip-as-notebook": Fault(raw(b"PK\3\4nonsense"), "is a zip archive; unzip it", 0),
    # what stands in the place of a file
    "link": Fault(linked, "is a link, not a notebook", 0),
    "linked-folder": Fault(linked_folder, "is a link, not a folder", 0),
    "linked-student": Fault(linked_student, "is a link, not a folder", 0),
    "pipe": Fault(pipe, "is no regular file", 0),
    "piped-stamp": Fault(piped_stamp, "timestamp.txt is not written as in"),
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
    "large": Fault(large, "has 210 MB; the limit is 20 MB.*: clear its outputs", 0),
    "large-outputs": Fault(as_json(large_outputs), ""),
    "large-cells": Fault(cells(large_cells), "has 21.* MB without outputs; the limit is 20 MB", 0),
    "many-pieces": Fault(encoded(many_pieces), ""),
    # dates
    "stamp-empty": Fault(stamped(b""), "timestamp.txt is not written as in"),
    "stamp-vague": Fault(stamped(b"Tuesday, 10:30"), "Tuesday, 10:30. is not written as in"),
    "stamp-utf-16": Fault(stamped("2027-01-01 12:00:00 UTC\r\n".encode("utf-16")), ""),
    "stamp-local": Fault(stamped(b"2027-01-27T01:59"), "read as 2027-01-27 01:59 UTC.* late"),
    "stamp-zone": Fault(stamped(b"2027-01-27 23:30:00 IST"), "IST. is not written as in"),
    "stamp-two-ways": Fault(stamped(b"03/02/2027 10:00"), "10:00. is not written as in"),
    "stamp-of-no-year": Fault(stamped(b"99999-99-99 99:99:99 ZZZ"), "is not written as in"),
    # cells
    "twice": Fault(cells(twice), "^there twice: tensor-threads"),
    "locked-again": Fault(cells(locked_again_at_the_end), "^there twice: tensor-threads"),
    "stub-again": Fault(cells(stub_again), "^there twice: tensor-init$"),
    "stripped": Fault(cells(stripped), "^recognised without their name: tensor-threads"),
    "renamed": Fault(cells(renamed), "^recognised without their name: tensor-threads"),
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
        cells(lambda cells: split(cells, "tensor-result-of", 9, keep_name=False)),
        "^split and joined: tensor-result-of$",
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
        "^missing and put back: tensor-threads",
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
        r"^texts of more than 100,000 characters were cut: cell \d+$",
    ),
    "pictures": Fault(
        cells(pictures), "^pictures in a text became attachments: tensor-q1, tensor-q2$"
    ),
    "cell-magic": Fault(cells(prefixed), ""),
    "colab": Fault(cells(lambda cells: cells.insert(1, new_code_cell(COLAB))), ""),
    "slow-code": Fault(cells(lambda cells: cells.append(new_code_cell("0\n" * 500_000))), ""),
    "slow-chains": Fault(
        cells(lambda cells: cells.append(new_code_cell("x=" + "+".join(['"ab"'] * 850)))), ""
    ),
    "long-error": Fault(
        cells(lambda cells: cells.append(new_code_cell("raise type('E' * 10**6, (OSError,), {})"))),
        "^a cell of the student's own: E{20}…E+$",
    ),
    "edited": Fault(cells(edited), "replaced by the module's own"),
    "test-thrown-away": Fault(
        cells(thrown_away), "^replaced by the module's own: tensor-init-test$"
    ),
    "stderr": Fault(cells(on_stderr), "^failed by writing to stderr: tensor-init-test, ", 18),
    "crash": Fault(cells(crash), "^not all cells ran: .*code 3., in tensor-init-test", 0),
    "no-cells-left": Fault(cells(lambda cells: [new_code_cell("1")]), "missing and put back", 0),
    "own-cells": Fault(cells(own_cells), ""),
}
HONEST = ("a-neighbour", "m-neighbour", "z-neighbour")


@pytest.fixture
def course(spoilable: Living) -> Living:
    """Return a built course with a second module, for notebooks gone astray."""
    other = spoilable.root / "modules" / "02_knots"
    other.mkdir()
    line = '# %% [code] {"nbgrader": {"grade_id": "knots-imports", "locked": true}}\n'
    (other / "knots_dev.py").write_text(line, encoding="utf-8")
    cell = new_code_cell(metadata={"nbgrader": {"grade_id": "knots-imports"}})
    built = spoilable.root / ".coursekit/built/02_knots/assignment.json"
    files.write_text(built, json.dumps(dict.fromkeys(STORED) | {"cells": [cell]}))
    return spoilable


def kinds(folder: Path) -> dict[str, int]:
    """Return what each path below a folder is, and what may be done with it."""
    return {str(path): path.lstat().st_mode for path in folder.rglob("*")}


@pytest.mark.slow  # each by itself is tried below
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
    wrong = {s: rows[s] for s, fault in FAULTS.items() if not right(fault, rows[s])}
    assert not {student: (row["automatic"], row["note"]) for student, row in wrong.items()}
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
    assert "no student id" in shown and "80/80" in shown
    (course.root / "submitted" / "bob").mkdir()
    shown = course.ok("grade", MODULE)
    page = (course.root / "report.html").read_text(encoding="utf-8")
    for stray in ("submitted/ada/pipe", "submitted/bob"):
        assert stray in shown and f"<bdi>{stray}</bdi>" in page


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


# ---- Taken in, without being graded

PACKAGE = ROOT / "<<cookiecutter.course_slug>>" / "<<cookiecutter.package_name>>"
TENSOR = Module(ROOT / "<<cookiecutter.course_slug>>" / "modules" / MODULE)
LIMIT = 20  # MB, as in course.toml


def rendered(text: str) -> str:
    """Return a file of the template as a course has it that ends with this module."""
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    answers = {"package_name": "tinytorch", "last_module": MODULE}
    template = Environment(**questions["_jinja2_env_vars"]).from_string(text)
    return template.render(cookiecutter=answers)


def assignment_of(module: Module) -> Assignment:
    """Return a module of the template as `build` would leave it, and another that is none."""
    source = notebook.read(module.source)
    released, resources = copy.deepcopy(source), {}
    for step in (ClearSolutions(), ClearHiddenTests()):
        released, resources = step.preprocess(released, resources)
    return Assignment(
        name=module.name,
        file=module.notebook.name,
        cells=tuple(json.loads(json.dumps(source.cells))),
        given=tuple(cell.source for cell in released.cells),
        kernelspec=dict(source.metadata.kernelspec),
        data={},
        decoys={},
        digest="",
        package="tinytorch",
        reference={
            name: rendered((PACKAGE / f"{name}.py").read_text("utf-8"))
            for name in ("__init__", "testing")
        },
        others={"knots-imports": "02_knots"},
        limits={**SETTINGS["grading"], "file_mb": LIMIT},
    )


BUILT = assignment_of(TENSOR)
SOURCE = notebook.read(TENSOR.source)


def solved() -> NotebookNode:
    """Return Module 01 with every solution, as a student has it: without the hidden tests."""
    nb = copy.deepcopy(SOURCE)
    for cell, text in zip(nb.cells, BUILT.given, strict=True):
        if is_locked(cell):
            cell.source = text
    return nb


def parsed(cells: list) -> list[dict]:
    """Return cells as parse leaves them."""
    nb = {"cells": cells, "nbformat": 4, "nbformat_minor": 5}
    return parse.read(collect.HandedIn(NAME, json.dumps(nb).encode()), BUILT)[0]


def put_right(nb: NotebookNode) -> list[dict]:
    """Return the cells of a notebook that was taken in, once it is sure that they are valid."""
    built, _ = rebuild.rebuild(parsed(nb.cells), BUILT)
    return valid(built)


def valid(cells: list[dict]) -> list[dict]:
    nb = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    nbformat.validate(nbformat.from_dict(nb))
    json.dumps(nb, ensure_ascii=False).encode()
    assert len({cell["id"] for cell in cells}) == len(cells)
    own = [cell for cell in cells if not notebook.grade_id(cell)]
    assert all(set(cell["metadata"]) <= {"tags"} for cell in own)
    return cells


def names(cells: list) -> list[str]:
    return [name for cell in cells if (name := notebook.grade_id(cell))]


def read(data: bytes) -> list[dict] | None:
    with contextlib.suppress(Ungradable):
        return parse.read(collect.HandedIn(NAME, data), BUILT)[0]
    return None


IN_RUNNING = {"slow-code", "slow-chains", "long-error", "stderr", "crash"}


@pytest.mark.parametrize("student", [name for name in FAULTS if name not in IN_RUNNING])
def test_each_fault_is_put_right_or_refused_with_its_reason(student: str, tmp_path: Path) -> None:
    fault, folder = FAULTS[student], tmp_path / "submitted" / student / MODULE
    folder.mkdir(parents=True)
    fault.how(folder, solved())
    note, cells = taken_in(Submission(student, TENSOR, folder))
    fitting = fault.note.removesuffix(".* late").replace(".*changed", "")
    assert re.search(fitting, note) if fitting else not note, note
    if cells and student not in ("no-cells-left", "solution-deleted"):
        code = [cell["source"] for cell in BUILT.cells if cell["cell_type"] == "code"]
        named = [c["source"] for c in cells if notebook.grade_id(c) and notebook.is_code(c)]
        mine = [source.removeprefix("%%prun\n") for source in named]
        assert mine == code or student == "latin-1", "all of the work, each test once, in order"


def taken_in(submission: Submission) -> tuple[str, list[dict]]:
    """Return all notes about a submission, and its cells if there are any."""
    handed_in = collect.read(submission, LIMIT * 1e6)
    hash(handed_in.contents())
    try:
        cells, notes = parse.read(handed_in, BUILT)
    except Ungradable as error:
        return str(error), []
    built, repaired = rebuild.rebuild(cells, BUILT)
    _, about_date = times.handed_in(handed_in.about.get("timestamp.txt"), dt.UTC)
    return "; ".join([*notes, *about_date, *repaired]), valid(built)


def test_a_picture_pasted_into_an_answer_leaves_all_of_its_text() -> None:
    nb = solved()
    pictures(nb.cells)
    answer = cell_of(put_right(nb), "tensor-q1")
    assert answer["source"] == "before\n\n![image.png](attachment:image-1.png)\n\nafter"
    assert answer["attachments"] == {"image-1.png": {"image/png": "iVBO" * 20_000 + "=="}}


def test_several_pictures_and_one_that_was_attached_before_keep_their_names() -> None:
    svg = "<img src='data:image/svg+xml;base64,BB=='>"
    cell = new_markdown_cell(f"![](data:image/png;base64,AAAA) {svg}")
    cell.attachments = {"image-2.svg": {"image/svg+xml": "CC=="}}
    (taken,) = parsed([cell])
    assert taken["source"] == "![](attachment:image-2.png) <img src='attachment:image-3.svg'>"
    assert taken["attachments"] == {
        "image-2.svg": {"image/svg+xml": "CC=="},
        "image-2.png": {"image/png": "AAAA"},
        "image-3.svg": {"image/svg+xml": "BB=="},
    }


def test_what_fills_the_memory_or_is_too_deep_is_a_reason(monkeypatch) -> None:
    for error, reason in ((MemoryError, "more memory"), (RecursionError, "nested too deeply")):
        with monkeypatch.context() as patched, pytest.raises(Ungradable, match=reason):
            patched.setattr(json, "loads", Mock(side_effect=error))
            parse.read(collect.HandedIn(NAME, b"{}"), BUILT)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_notebook_or_ungradable(data: bytes) -> None:
    read(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_time_or_a_note(stamp: bytes) -> None:
    moment, notes = times.handed_in(stamp, dt.UTC)
    assert moment or notes
    assert all("\n" not in note for note in notes)


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
    "metadata": json_values
    | st.fixed_dictionaries({"nbgrader": json_values, "tags": json_values})
    | st.fixed_dictionaries({"nbgrader": st.fixed_dictionaries({"grade_id": json_values})}),
    "attachments": json_values,
    "outputs": json_values,
    "id": json_values,
}
notebooks = st.fixed_dictionaries(
    {"cells": st.lists(st.fixed_dictionaries({}, optional=cell_fields) | json_values, max_size=4)},
    optional={"nbformat": json_values, "nbformat_minor": json_values, "metadata": json_values},
)


@given(notebooks)
def test_any_json_is_a_valid_notebook_or_ungradable_and_can_be_rebuilt(tree: dict) -> None:
    cells = read(json.dumps(tree).encode())
    if cells is not None:
        built, _ = rebuild.rebuild(cells, BUILT)
        assert names(valid(built)) == [n for n in names(BUILT.cells) if n in names(built)]


@given(st.integers(0), st.integers(1, 255))
@settings(max_examples=50)
def test_one_wrong_byte_is_no_crash(at: int, change: int) -> None:
    data = bytearray(nbformat.writes(solved()).encode())
    data[at % len(data)] ^= change
    if cells := read(bytes(data)):
        valid(rebuild.rebuild(cells, BUILT)[0])


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
    nb.cells = nb.cells or [new_code_cell("")]
    built = put_right(nb)
    found = names(built)
    assert found == [name for name in names(BUILT.cells) if name in found]
    provided = {notebook.grade_id(c): c for c in BUILT.cells if notebook.is_provided(c)}
    assert set(provided) <= set(found)
    sources = {notebook.grade_id(cell): cell["source"] for cell in built}
    assert all(sources[name] == cell["source"] for name, cell in provided.items())
    again, repaired = rebuild.rebuild(parsed(built), BUILT)
    assert names(again) == found
    known = ("solutions without a cell", "answers left empty")
    assert all(clause.startswith(known) for clause in repaired)


@given(STEPS)
def test_no_provided_cell_can_get_lost(steps) -> None:
    """Disturb only the provided cells: what runs in the end is what the source runs."""
    nb = solved()
    for step, number in steps:
        disturb(nb, step, number, is_locked)
    named = [c["source"] for c in put_right(nb) if notebook.grade_id(c)]
    assert named == [c["source"] for c in BUILT.cells if notebook.grade_id(c)]


@given(STEPS, st.integers(0))
def test_no_cell_that_a_student_wrote_gets_lost(steps, seed: int) -> None:
    """Whatever is done to the cells, a line that only the student could write is still there."""
    nb = solved()
    for number, cell in enumerate(nb.cells):
        if not is_locked(cell):
            cell.source += f"\n# by ada {number}"
    random.Random(seed).shuffle(nb.cells)
    for step, number in steps:
        if step != "delete":
            disturb(nb, step, number, lambda cell: True)
    assert marks(put_right(nb)) == marks(nb.cells)


def marks(cells: list) -> set[str]:
    lines = {line for cell in cells for line in cell["source"].split("\n")}
    return {line for line in lines if line.startswith("# by ada")}


@pytest.fixture(scope="module")
def warm() -> Iterator[Engine]:
    """Keep a process that runs work of the module; its sandbox is not what is asked for here."""
    with execution.engine(BUILT, sandboxed=False) as engine:
        yield engine


@given(st.integers(0))
@settings(max_examples=20)
def test_rebuilt_a_shuffled_notebook_passes_every_test(warm: Engine, seed: int) -> None:
    nb = solved()
    nb.cells += copy.deepcopy([cell for cell in nb.cells if is_locked(cell)])
    random.Random(seed).shuffle(nb.cells)
    built = put_right(nb)
    for cell in built:  # the source is the template's
        cell["source"] = rendered(cell["source"])
    execution.run(warm, BUILT, built)
    assert sum(scores(built).values()) == notebook.points(filter(notebook.is_test, BUILT.cells))


def test_a_notebook_left_alone_is_left_alone() -> None:
    for nb in (solved(), copy.deepcopy(SOURCE)):
        nb.cells.insert(7, new_code_cell("mine = 1"))
        built, repaired = rebuild.rebuild(parsed(nb.cells), BUILT)
        assert repaired == []
        assert [cell["source"] for cell in built][7] == "mine = 1"
        assert names(built) == names(nb.cells) and len(built) == len(nb.cells)


def test_a_rebuilt_notebook_is_nobody_elses() -> None:
    """What becomes of one student's cells changes neither the module nor the next student's."""
    before = copy.deepcopy(BUILT.cells)
    for cell in put_right(solved()):
        cell["metadata"].setdefault("nbgrader", {})["points"] = 1000
        cell.setdefault("outputs", []).append("mine")
        cell["source"] = ""
    assert BUILT.cells == before
    assert not any(cell.get("outputs") for cell in put_right(solved()))


def test_a_device_is_a_reason_and_what_this_machine_cannot_read_is_not(
    tmp_path: Path, monkeypatch
) -> None:
    submission = Submission("ada", TENSOR, tmp_path)
    (tmp_path / NAME).write_bytes(b"{}")

    def refuse(path: Path | str, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    for name in ("open", "scandir"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, refuse)
            with pytest.raises(PermissionError):  # nobody's work gets 0 for that
                collect.read(submission, 1e6)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", refuse)
        assert collect.is_dir(tmp_path), "such a folder must get a row, not be passed over"
    with pytest.raises(Ungradable, match="no regular file"):
        collect.read_file(Path(os.devnull), 1e6)


def test_a_name_that_can_be_read_in_many_ways_takes_no_time(tmp_path: Path) -> None:
    (tmp_path / ("copy_1" * 40 + "x.ipynb")).write_bytes(b"{}")
    assert collect.read(Submission("ada", TENSOR, tmp_path), 1e6).data == b"{}"


def test_texts_and_cells_made_to_be_slow_are_not() -> None:
    """Each of these took minutes once, in a pattern or a loop of ours."""
    texts = "(data:image/" + "a" * 900_000, "(data:image/png;base64," * 50_000, "class " * 200_000
    cells = [new_markdown_cell(text) for text in texts]
    half = new_code_cell("  x", metadata={"nbgrader": {"grade_id": "tensor-init"}})
    start = time.process_time()
    rebuild.rebuild(parsed(cells + [half] * 10_000), BUILT)
    assert time.process_time() - start < 20


def test_what_is_hashed_is_all_that_is_graded(tmp_path: Path) -> None:
    """Each change of what is graded, or said about it, changes the contents."""
    seen = set()

    def look() -> None:
        contents = collect.read(Submission("ada", TENSOR, tmp_path), 1e6).contents()
        assert contents not in seen
        seen.add(contents)

    look()
    for name, data in {
        "homework.ipynb": b"{}",
        "timestamp.txt": b"",
        NAME: b"{}",
        f"../{tmp_path.name}/timestamp.txt": b"2027-01-01 12:00:00",
        "tensor_dev (1).ipynb": b"{}",
    }.items():
        (tmp_path / name).write_bytes(data)
        look()
    (tmp_path / NAME).write_bytes(b"{ }")
    look()


def test_an_archive_that_lies_about_its_size_is_not_believed() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, b" " * 250_000_000)
    data = buffer.getvalue().replace((250_000_000).to_bytes(4, "little"), b"\x10\0\0\0")
    with pytest.raises(Ungradable):
        parse.read(collect.HandedIn("work.zip", data), BUILT)
