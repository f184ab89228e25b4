"""The notes for staff (staff.md) stay true: their code prints what they show, mistakes say it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import NotebookNode

from bench.sources import mutants, with_bug, write_package
from coursekit import execution, notebook
from coursekit.assignment import Assignment
from coursekit.course import Course, Module
from coursekit.sandbox.engine import Engine

CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# - **name in mutants.toml** (Exercise 3)
#   `what students then see`
MISTAKE = re.compile(r"^- \*\*(.+?)\*\*.*\n  `(.+)`$", re.MULTILINE)


@pytest.fixture(scope="session")
def notes(module: Module) -> str:
    """What staff are told of a module, if anything."""
    if not module.notes.is_file():
        pytest.skip(f"{module.name} has no staff.md")
    return module.notes.read_text(encoding="utf-8")


def test_the_code_prints_what_the_notes_show(
    course: Course, module: Module, notes: str, tmp_path: Path
) -> None:
    package = write_package(course, f"{module.name}~", tmp_path)  # this module, too
    script = tmp_path / f"staff.md of {module.name}"
    script.write_text("\n".join(CODE.findall(notes)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "doctest", "-f", script],
        cwd=package,  # where -m looks first
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_mistakes_say_what_the_notes_quote(
    engine: Engine, source: Assignment, nb: NotebookNode, module: Module, notes: str
) -> None:
    known = {mutant.name: mutant for mutant in mutants(module)}
    for name, quoted in MISTAKE.findall(notes):
        assert name in known, f"{module.notes}: mutants.toml has no {name!r}"
        cells = with_bug(nb, known[name]).cells
        (bug,) = (n for n, cell in enumerate(cells) if cell.source != nb.cells[n].source)
        execution.run(engine, source, cells[: bug + 3])  # its test is two cells below
        tests = filter(notebook.is_test, cells[: bug + 3])
        said = [f"{o.get('text', '')}{o.get('evalue', '')}" for c in tests for o in c.outputs]
        assert any(quoted in text for text in said), f"{module.notes}: {name!r} says {said}"
