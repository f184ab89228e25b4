"""A course under test: run its commands, read and change its files."""

import csv
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

MODULE = "01_tensor"


@dataclass(frozen=True)
class Living:
    """A course's folder, and what an instructor does in it."""

    root: Path

    @property
    def package(self) -> str:
        text = (self.root / "course.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["course"]["package"]

    @property
    def source(self) -> Path:
        return self.root / "modules" / MODULE / "tensor_dev.py"

    @property
    def notebook(self) -> Path:
        return self.source.with_suffix(".ipynb")

    @property
    def released(self) -> Path:
        return self.root / "release" / MODULE / "tensor_dev.ipynb"

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a Python module in the course, as `python -m …`; grade as can be graded here."""
        if "grade" in command and not shutil.which("bwrap"):
            command = (*command, "--no-sandbox")
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},  # compiling nbgrader takes a second
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def ok(self, *command: str) -> str:
        """Run a coursekit command that must succeed; return what it printed."""
        done = self.run("coursekit", *command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def refused(self, *command: str) -> str:
        """Run a coursekit command that must fail with a message, not a traceback; return it."""
        done = self.run("coursekit", *command)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace the first `old`, which must be there, in a file."""
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def hand_in(self, student: str, nb: NotebookNode | str, stamp: str = "") -> Path:
        """Put a notebook, or any text in its place, where a student's work belongs."""
        folder = self.root / "submitted" / student / MODULE
        folder.mkdir(parents=True, exist_ok=True)
        text = nb if isinstance(nb, str) else nbformat.writes(nb)
        (folder / "tensor_dev.ipynb").write_text(text, encoding="utf-8")
        if stamp:
            (folder / "timestamp.txt").write_text(stamp, encoding="utf-8")
        return folder

    def solved(self, keep: Callable[[int], bool] = lambda number: True) -> NotebookNode:
        """Return the released notebook with the solutions for which `keep(number)` holds."""
        nb = nbformat.read(self.released, as_version=4)
        source = {c.id: c.source for c in nbformat.read(self.notebook, as_version=4).cells}
        for number, cell in enumerate(solutions(nb)):
            if keep(number):
                cell.source = source[cell.id]
        return nb


def solutions(nb: NotebookNode) -> list[NotebookNode]:
    """Return the cells that students fill in, code and text."""
    return [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("solution")]


def graded(nb: NotebookNode) -> list[NotebookNode]:
    """Return the cells that score points by running."""
    graded = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return [cell for cell in graded if cell.cell_type == "code"]


def points(cells: list[NotebookNode]) -> int:
    return sum(cell.metadata.nbgrader.points for cell in cells)


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, by name, but Python's own caches."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.parent.name != "__pycache__")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def copy_of(course: Path, target: Path) -> Living:
    """Copy a course, so that a test may spoil it."""
    shutil.copytree(course, target, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    return Living(target)


def secrets_of(source: Path) -> set[str]:
    """Return the lines that stand only in solutions and hidden tests; our own way to find them."""
    public, secret = set(), set()
    hidden = False
    for line in source.read_text(encoding="utf-8").splitlines():
        if "### BEGIN SOLUTION" in line or "### BEGIN HIDDEN TESTS" in line:
            hidden = True
        elif "### END SOLUTION" in line or "### END HIDDEN TESTS" in line:
            hidden = False
        else:
            (secret if hidden else public).add(line.strip())
    return secret - public - {""}
