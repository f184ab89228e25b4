"""Gradebooks made by nbgrader itself, for tests of what we read from them and write to them."""

import datetime as dt
import os
import sys
import sysconfig
from pathlib import Path

from delimiters import ROOT
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
# nbgrader runs `alembic` from PATH for a new gradebook.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])

MODULE, NOTEBOOK = "01_tensor", "tensor_dev"
DUE = dt.datetime(2027, 1, 25, 23, 59)
Cells = dict[
    str, tuple[bool, bool, bool, str, float]
]  # by grade_id: grade, solution, locked, type, points


def opened(folder: Path) -> Gradebook:
    """Return nbgrader's own view of a folder's gradebook, which it makes if it is not there."""
    return Gradebook(url_of(folder), "course")


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/gradebook.db"


def with_module(gradebook: Gradebook) -> None:
    """Record a module: the tests `a` and `b` of the solution `s`, a text `q`. Ten points each."""
    gradebook.add_assignment(MODULE, duedate="2027-01-25 23:59:00 UTC")
    gradebook.add_notebook(NOTEBOOK, MODULE)
    for name, kind in (("b", "code"), ("a", "code"), ("q", "markdown")):
        gradebook.add_grade_cell(name, NOTEBOOK, MODULE, max_score=10, cell_type=kind)
        gradebook.add_source_cell(name, NOTEBOOK, MODULE, cell_type=kind)
    gradebook.add_solution_cell("q", NOTEBOOK, MODULE)
    gradebook.add_solution_cell("s", NOTEBOOK, MODULE)
    gradebook.add_source_cell("s", NOTEBOOK, MODULE, cell_type="code")


def hand_in(gradebook: Gradebook, student: str, automatic: list, by_hand: list) -> None:
    """Add a submission with its automatic and manual scores of `a`, `b` and `q`.

    An automatic score of None asks for a person.
    """
    gradebook.update_or_create_student(student)
    gradebook.add_submission(MODULE, student, timestamp="2027-01-25 20:00:00 UTC")
    for name, found, given in zip("abq", automatic, by_hand, strict=True):
        grade = gradebook.find_grade(name, NOTEBOOK, MODULE, student)
        grade.auto_score, grade.manual_score = found, given
        grade.needs_manual_grade = found is None and given is None
    gradebook.db.commit()


def notebook_of(cells: Cells) -> NotebookNode:
    made = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for name, (grade, solution, locked, kind, points) in cells.items():
        cell = (new_code_cell if kind == "code" else new_markdown_cell)("1 + 1")
        own = {"grade_id": name, "grade": grade, "solution": solution, "locked": locked}
        cell.metadata.nbgrader = own | {"schema_version": 3, "task": False}
        if grade:
            cell.metadata.nbgrader["points"] = points
        made.cells.append(cell)
    return made
