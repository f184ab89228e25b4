"""Notebooks and the package, generated from the sources; a person's edits are never overwritten."""

import datetime as dt
import difflib
import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from coursekit import assignment, files, notebook
from coursekit.course import Course, Module
from coursekit.errors import CourseError

SEAL = re.compile(r"\[seal ([0-9a-f]{16})\]")
DIFF_LINES = 40
ADVICE = {
    "missing": "run `nox -s sync`",
    "stale": "its source has changed; run `nox -s sync`",
    "edited": "`nox -s sync -- --from-notebook` takes edits over, `-- --force` drops them",
    "edited.py": "move your edits to the module's .py; `nox -s sync -- --force` drops them here",
}


class Generated(NamedTuple):
    """A file as sync would write it. The text carries a seal: the digest of its own content."""

    path: Path
    text: str
    state: str  # of what is there: current, missing, stale (sync wrote it once), edited by a person


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content(path: Path, text: str) -> str:
    """Return what of a generated file a person could edit: no outputs, no run counts, no seal."""
    if path.suffix != ".ipynb":
        return SEAL.sub("", text)
    try:
        return cells_content(nbformat.reads(text, as_version=4))
    except Exception:  # not a notebook any more: whatever it is, sync did not write it
        return text


def cells_content(nb: NotebookNode) -> str:
    """Return the cells of a notebook as lines that a person can compare."""
    marks = [[c.cell_type, notebook.meta(c), c.metadata.get("tags", [])] for c in nb.cells]
    heads = [f"# %% {json.dumps(mark, sort_keys=True)}" for mark in marks]
    held = [json.dumps(c.attachments) + "\n" if c.get("attachments") else "" for c in nb.cells]
    cells = zip(heads, nb.cells, held, strict=True)
    return "\n".join(f"{head}\n{cell.source}\n{pictures}" for head, cell, pictures in cells)


def generated(course: Course, modules: list[Module]) -> list[Generated]:
    """Return every file that sync writes for these modules."""
    found = []
    for module in modules:
        nb = notebook.read(module.source)
        note, seal = f"Generated from {module.source.name}.", digest(cells_content(nb))
        nb.metadata["coursekit"] = f"{note} Edit that file. [seal {seal}]"
        found += [(module.notebook, nbformat.writes(nb) + "\n")]
        found += [(course.package_dir / f"{module.stem}.py", package_text(course, module, nb))]
    return [Generated(path, text, state(path, text)) for path, text in found]


def package_text(course: Course, module: Module, nb: NotebookNode) -> str:
    """Return the module's file of the package, sealed in its second line."""
    origin = module.source.relative_to(course.root).as_posix()
    code = assignment.package_file(nb.cells)
    if not code:
        raise CourseError(
            f"{origin}: no cell starts with `#| export`, as all that students import must."
        )
    head = f"# Generated from {origin} by `nox -s sync`. Edit that file."
    seal = digest(f"{head}\n# \n\n{code}")
    return f"{head}\n# [seal {seal}]\n\n{code}"


def state(path: Path, text: str) -> str:
    """Return the state of what is there, by the text that sync would write."""
    if not path.exists():
        return "missing"
    there = path.read_text(encoding="utf-8", errors="replace")
    found, seal = content(path, there), SEAL.search(there)
    if found == content(path, text):
        return "current"
    return "stale" if seal and seal[1] == digest(found) else "edited"


def check(course: Course, modules: list[Module]) -> list[str]:
    """Write nothing; return a line for each file that is missing, stale or edited."""
    return [
        f"{file.path.relative_to(course.root)} is {file.state}: "
        + ADVICE.get(file.state + file.path.suffix, ADVICE[file.state])
        for file in generated(course, modules)
        if file.state != "current"
    ]


def sync(course: Course, modules: list[Module], *, force: bool = False) -> list[Path]:
    """Write what is missing or stale; return what was written. Edits stop it, or are backed up."""
    changed = [file for file in generated(course, modules) if file.state != "current"]
    edited = [file for file in changed if file.state == "edited"]
    if edited and not force:
        raise CourseError("\n\n".join(refusal(course, file) for file in edited))
    back_up(course, [file.path for file in edited])
    for file in changed:
        files.write_text(file.path, file.text)
    return [file.path for file in changed]


def back_up(course: Course, paths: list[Path]) -> str:
    """Copy files into a new folder of backups/; return its name."""
    backup = f"backups/{dt.datetime.now():%Y%m%d-%H%M%S-%f}"
    for path in paths:
        files.write_bytes(course.root / backup / path.relative_to(course.root), path.read_bytes())
    return backup


def refusal(course: Course, file: Generated) -> str:
    """Return why a file is not overwritten, with what a person changed in it, shortened."""
    path = file.path.relative_to(course.root)
    there = file.path.read_text(encoding="utf-8", errors="replace")
    texts = [content(file.path, text).splitlines() for text in (file.text, there)]
    lines = list(difflib.unified_diff(*texts, "as generated", "as found", lineterm=""))
    more = [f"… and {len(lines) - DIFF_LINES} lines more"] if len(lines) > DIFF_LINES else []
    return "\n".join([
        f"{path} was edited by hand, and sync would overwrite it:",
        *lines[:DIFF_LINES], *more,
        "Move what you want to keep to the module's .py; of a notebook `nox -s sync -- "
        f"--from-notebook` does that. `-- --force` writes {path} anew and keeps yours in backups/.",
    ])  # fmt: skip
