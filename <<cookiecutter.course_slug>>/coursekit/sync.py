"""Notebooks and the package, generated from the sources; a person's edits are never overwritten."""

import datetime as dt
import difflib
import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from coursekit import export, notebook
from coursekit.course import Course, Module
from coursekit.errors import CourseError

SEAL = re.compile(r"\[seal ([0-9a-f]{16})\]")
DIFF_LINES = 40


@dataclass(frozen=True)
class Generated:
    """A file as sync would write it. The text carries a seal: the digest of its own content."""

    path: Path
    text: str

    def state(self) -> str:
        """Return `current`, `missing`, `stale` (as sync wrote it once) or `edited` by a person."""
        if not self.path.exists():
            return "missing"
        found = self.path.read_text(encoding="utf-8")
        if content(self.path, found) == content(self.path, self.text):
            return "current"
        return "stale" if is_sealed(self.path, found) else "edited"

    def difference(self) -> str:
        """Return what a person changed against what sync would write, shortened."""
        found = self.path.read_text(encoding="utf-8")
        ours, theirs = readable(self.path, self.text), readable(self.path, found)
        lines = list(difflib.unified_diff(ours, theirs, "as generated", "as found", lineterm=""))
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


def is_sealed(path: Path, text: str) -> bool:
    """Tell whether a file's content is still what its seal says."""
    seal = SEAL.search(text)
    return bool(seal) and seal[1] == digest(content(path, text))


def readable(path: Path, text: str) -> list[str]:
    """Return a file as lines to compare; a notebook as percent-format Python."""
    if path.suffix == ".ipynb":
        try:
            text = jupytext.writes(nbformat.reads(text, as_version=4), fmt="py:percent")
        except Exception:  # unreadable JSON is compared as it stands
            return text.splitlines()
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
    code = export.exported([cell.source for cell in nb.cells if notebook.is_code(cell)])
    if not code:
        raise CourseError(
            f"{origin}: no cell starts with `#| export`, so nothing of it would be in "
            f"{course.package}/{path.name}. Write that line above each cell that belongs there."
        )
    head = f"# Generated from {origin} by `nox -s sync`. Edit that file."
    seal = digest(f"{head}\n# \n\n{code}")
    return Generated(path, f"{head}\n# [seal {seal}]\n\n{code}")


def generated(course: Course, modules: list[Module]) -> list[Generated]:
    """Return every file that sync writes for these modules."""
    files = []
    for module in modules:
        nb = notebook.read(module.source)
        files += [notebook_file(module, nb), package_file(course, module, nb)]
    return files


def check(course: Course, modules: list[Module]) -> list[str]:
    """Write nothing; return a line for each file that is missing, stale or edited."""
    advice = {
        "missing": "run `nox -s sync`",
        "stale": "its source has changed; run `nox -s sync`",
        "edited": "move the edits to its .py, then run `nox -s sync -- --force`",
    }
    states = [(file, file.state()) for file in generated(course, modules)]
    return [
        f"{file.path.relative_to(course.root)} is {state}: {advice[state]}"
        for file, state in states
        if state != "current"
    ]


def sync(course: Course, modules: list[Module], *, force: bool = False) -> list[Path]:
    """Write what is missing or stale; return what was written. Edits stop it, or are backed up."""
    files = [(file, file.state()) for file in generated(course, modules)]
    edited = [file for file, state in files if state == "edited"]
    if edited and not force:
        raise CourseError("\n\n".join(refusal(course, file) for file in edited))
    back_up(course, [file.path for file in edited])
    written = [file for file, state in files if state != "current"]
    for file in written:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text(file.text, encoding="utf-8", newline="\n")
    return [file.path for file in written]


def refusal(course: Course, file: Generated) -> str:
    path = file.path.relative_to(course.root)
    return (
        f"{path} was edited by hand, and sync would overwrite it:\n{file.difference()}\n"
        f"Move what you want to keep to the module's .py. Then `nox -s sync -- --force` writes "
        f"{path} anew and keeps your version in backups/."
    )


def back_up(course: Course, paths: list[Path]) -> None:
    """Copy files to backups/DATE-TIME/, at the same place below it as in the course."""
    folder = course.root / "backups" / dt.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    for path in paths:
        target = folder / path.relative_to(course.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
