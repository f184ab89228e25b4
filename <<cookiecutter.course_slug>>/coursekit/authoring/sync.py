"""Notebooks and the package, generated from the sources; a person's edits are never overwritten."""

import datetime as dt
import difflib
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from coursekit import files, notebook
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.export import exported

SEAL = re.compile(r"\[seal ([0-9a-f]{16})\]")
DIFF_LINES = 40
ADVICE = {
    "missing": "run `nox -s sync`",
    "stale": "its source has changed; run `nox -s sync`",
    "edited": "move the edits to its .py, then run `nox -s sync -- --force`",
}


@dataclass(frozen=True)
class Generated:
    """A file as sync would write it. The text carries a seal: the digest of its own content."""

    path: Path
    text: str

    def state(self) -> str:
        """Return `current`, `missing`, `stale` (as sync wrote it once) or `edited` by a person."""
        if not self.path.exists():
            return "missing"
        found = content(self.path, text := self.path.read_text(encoding="utf-8"))
        if found == content(self.path, self.text):
            return "current"
        seal = SEAL.search(text)
        return "stale" if seal and seal[1] == digest(found) else "edited"

    def difference(self) -> str:
        """Return what a person changed against what sync would write, shortened."""
        found = readable(self.path, self.path.read_text(encoding="utf-8"))
        written = readable(self.path, self.text)
        lines = list(difflib.unified_diff(written, found, "as generated", "as found", lineterm=""))
        more = [f"… and {len(lines) - DIFF_LINES} lines more"] if len(lines) > DIFF_LINES else []
        return "\n".join(lines[:DIFF_LINES] + more)


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
    cells = [
        [cell.cell_type, cell.source, notebook.meta(cell), cell.metadata.get("tags", [])]
        for cell in nb.cells
    ]
    return json.dumps(cells, sort_keys=True)


def readable(path: Path, text: str) -> list[str]:
    """Return a file as lines to compare; a notebook as percent-format Python."""
    if path.suffix == ".ipynb":
        with suppress(Exception):  # unreadable JSON is compared as it stands
            text = jupytext.writes(nbformat.reads(text, as_version=4), fmt="py:percent")
    return text.splitlines()


def notebook_file(module: Module, nb: NotebookNode) -> Generated:
    """Return the module's notebook, sealed in its metadata."""
    note = f"Generated from {module.source.name}. Edit that file. "
    nb.metadata["coursekit"] = note + f"[seal {digest(cells_content(nb))}]"
    return Generated(module.notebook, nbformat.writes(nb) + "\n")


def package_file(course: Course, module: Module, nb: NotebookNode) -> Generated:
    """Return the module's file of the package, sealed in its second line."""
    origin = module.source.relative_to(course.root).as_posix()
    path = course.package_dir / f"{module.stem}.py"
    code = exported(cell.source for cell in nb.cells if notebook.is_code(cell))
    if not code:
        raise CourseError(
            f"{origin}: no cell starts with `#| export`, so nothing of it would be in "
            f"{course.package}/{path.name}. Put that line above the code that students import."
        )
    head = f"# Generated from {origin} by `nox -s sync`. Edit that file."
    seal = digest(f"{head}\n# \n\n{code}")
    return Generated(path, f"{head}\n# [seal {seal}]\n\n{code}")


def generated(course: Course, modules: list[Module]) -> list[tuple[Generated, str]]:
    """Return every file that sync writes for these modules, and the state of what is there."""
    found = []
    for module in modules:
        nb = notebook.read(module.source)
        found += [notebook_file(module, nb), package_file(course, module, nb)]
    return [(file, file.state()) for file in found]


def check(course: Course, modules: list[Module]) -> list[str]:
    """Write nothing; return a line for each file that is missing, stale or edited."""
    return [
        f"{file.path.relative_to(course.root)} is {state}: {ADVICE[state]}"
        for file, state in generated(course, modules)
        if state != "current"
    ]


def sync(course: Course, modules: list[Module], *, force: bool = False) -> list[Path]:
    """Write what is missing or stale; return what was written. Edits stop it, or are backed up."""
    found = generated(course, modules)
    edited = [file for file, state in found if state == "edited"]
    if edited and not force:
        raise CourseError("\n\n".join(refusal(course, file) for file in edited))
    backup = course.root / "backups" / f"{dt.datetime.now():%Y%m%d-%H%M%S-%f}"
    for file in edited:
        files.copy(file.path, backup / file.path.relative_to(course.root))
    changed = [file for file, state in found if state != "current"]
    for file in changed:
        files.write_text(file.path, file.text)
    return [file.path for file in changed]


def refusal(course: Course, file: Generated) -> str:
    path = file.path.relative_to(course.root)
    return (
        f"{path} was edited by hand, and sync would overwrite it:\n{file.difference()}\n"
        f"Move what you want to keep to the module's .py. Then `nox -s sync -- --force` writes "
        f"{path} anew and keeps your version in backups/."
    )
