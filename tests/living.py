"""A course under test: run its commands, read and change its files."""

import contextlib
import copy
import csv
import html
import io
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbformat import NotebookNode

MODULE = "01_tensor"
SANDBOX = shutil.which("bwrap")


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
        return subprocess.run(
            [sys.executable, "-m", *as_can_be(command)],
            cwd=self.root,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},  # compiling nbgrader takes a second
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def call(self, *command: str) -> subprocess.CompletedProcess:
        """Run a coursekit command in this process: the same, without a second of imports."""
        from coursekit import __main__ as coursekit

        coursekit.console.width = 140  # as where it writes into a file
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.object(coursekit, "ROOT", self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                code = coursekit.main(as_can_be(command))
            except SystemExit as ended:  # argparse
                code = ended.code
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    def ok(self, *command: str) -> str:
        """Run a coursekit command that must succeed; return what it printed."""
        done = self.call(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *command: str) -> str:
        """Run a coursekit command that must fail with a message, not a traceback; return it."""
        done = self.call(*command)
        assert done.returncode != 0, done.stdout
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
        nb = read_notebook(self.released)
        source = {c.id: c.source for c in read_notebook(self.notebook).cells}
        for number, cell in enumerate(solutions(nb)):
            if keep(number):
                cell.source = source[cell.id]
        return nb


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of the course's own; what was read before need not be checked again."""
    return copy.deepcopy(parsed(path.read_text(encoding="utf-8")))


@lru_cache(8)
def parsed(text: str) -> NotebookNode:
    return nbformat.reads(text, as_version=4)


def until(ready: Callable[[], object]) -> None:
    """Wait until something holds; a minute is no limit of ours but the sign of a hang."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def as_can_be(command: Sequence[str]) -> list[str]:
    """Return a command, which grades without a sandbox where there is none."""
    bare = "grade" in command and not SANDBOX
    return [*command, "--no-sandbox"] if bare else list(command)


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
    shutil.copytree(course, target, ignore=shutil.ignore_patterns(".venv"))
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


def grades(course: Living, folder: str = ".") -> dict[str, dict[str, str]]:
    """Return the rows of grades.csv by student."""
    return {row["student"]: row for row in table(course.root / folder / "grades.csv")}


def marked(course: Living, student: str, points: float) -> None:
    """Give every written answer of a student points by hand, as formgrader does."""
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as db, db:
        db.execute(
            "UPDATE grade SET manual_score = ?, needs_manual_grade = 0 WHERE needs_manual_grade"
            " AND notebook_id IN (SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a"
            " ON n.assignment_id = a.id WHERE a.student_id = ?)",
            (points, student),
        )


def words_on(page: str) -> str:
    """Return the text of a page, with its styles and single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


def only_folder(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found
