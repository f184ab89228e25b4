"""Each module as a script, twice in one process, and through nbgrader as students' work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from coursekit import execution, notebook
from coursekit.assignment import Assignment, write_package
from coursekit.authoring import demo, mutants
from coursekit.authoring.mutants import Mutant
from coursekit.course import Course, Module, Workspace
from coursekit.grading.grade import Grading
from coursekit.grading.results import Result
from coursekit.intake import collect
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.engine import Engine

HONEST = ("perfect", "untouched", "half-done", "reference-import")
LATE = "2099-12-31 23:59:00 UTC"


@pytest.fixture(scope="session")
def term(
    built: Course, module: Module, nb: NotebookNode, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A term of made-up students; one of them has a bug and is late. Nothing is graded yet."""
    place = demo.workspace_in(tmp_path_factory.mktemp("term"))
    demo.make(built, built.modules([module.name]), place, HONEST)
    folder = place.submitted / "wrong" / module.name
    shutil.copytree(place.submitted / "perfect" / module.name, folder)
    work = nbformat.read(folder / module.notebook.name, as_version=4)
    demo.solution_of(mutants.apply(nb, mutants.load(module)[0]), work)
    nbformat.write(work, folder / module.notebook.name)
    (folder / "timestamp.txt").write_text(LATE, encoding="utf-8")
    return place


@pytest.fixture(scope="session")
def grades(built: Course, module: Module, term: Workspace) -> dict[str, Result]:
    """How they are graded, by name."""
    submissions = collect.find(built, term, built.modules([module.name]), [])
    results, ended = Grading(built, term, sandboxed=bubblewrap.available()).run(submissions)
    return {row.student: row for row in results.of(ended)}


def test_of_honest_work_nothing_is_told(grades: dict) -> None:
    assert {
        name: row.state.suspicious for name, row in grades.items() if row.state.suspicious
    } == {}


def test_the_solution_gets_every_automatic_point(grades: dict, nb: NotebookNode) -> None:
    tests = list(filter(notebook.is_test, nb.cells))
    assert grades["perfect"].automatic == notebook.points(tests), grades["perfect"].note


def test_written_answers_wait_for_a_person(grades: dict) -> None:
    assert grades["perfect"].written is None


def test_the_untouched_release_gets_nothing(grades: dict) -> None:
    assert grades["untouched"].total == 0
    assert grades["untouched"].written == 0, "an untouched answer needs no marking"


def test_half_of_the_work_gets_some_of_the_points(grades: dict) -> None:
    assert 0 < grades["half-done"].automatic < grades["perfect"].automatic


def test_importing_the_reference_gets_nothing(grades: dict) -> None:
    assert grades["reference-import"].total == 0


PLAIN = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = {modules!r}
c.CourseDirectory.db_url = {gradebook!r}
c.CourseDirectory.ignore = ["*_dev.py", "mutants.toml"]
c.Execute.skip_cells_with_tag = "profiling"
"""


def test_plain_nbgrader_gives_the_same_scores(
    built: Course, module: Module, term: Workspace, grades: dict, tmp_path: Path
) -> None:
    """Cell by cell, automatic scores and comments, by its own kernel in its own way."""
    plain = demo.workspace_in(tmp_path)
    demo.make(built, built.modules([module.name]), plain, ())
    shutil.copytree(term.submitted, plain.submitted)
    values = {
        "root": str(tmp_path),
        "gradebook": plain.gradebook,
        "modules": str(built.modules_dir),
    }
    (tmp_path / "nbgrader_config.py").write_text(PLAIN.format(**values), encoding="utf-8")
    reference = write_package(built, module.name, tmp_path / "reference")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", module.name],
        env={**os.environ, "PYTHONPATH": str(reference), "MPLBACKEND": "Agg"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert found_out(plain.gradebook) == found_out(term.gradebook)
    assert set(found_out(plain.gradebook)) == {*HONEST, "wrong"}


def found_out(gradebook: str) -> dict[str, list]:
    """Return what grading wrote of each student, cell by cell, as nbgrader reads it."""
    with Gradebook(gradebook) as gb:
        return {
            submission.student.id: sorted(
                [
                    submission.total_seconds_late,
                    *((g.name, g.auto_score, g.score, g.needs_manual_grade) for g in nb.grades),
                    *((c.name, c.auto_comment) for c in nb.comments),
                ],
                key=str,
            )
            for assignment in gb.assignments
            for submission in assignment.submissions
            for nb in submission.notebooks
        }


def test_runs_as_a_script(course: Course, module: Module, nb: NotebookNode, tmp_path: Path) -> None:
    path = write_package(course, module.name, tmp_path)
    done = subprocess.run(
        [sys.executable, module.source],
        env={**os.environ, "PYTHONPATH": str(path), "MPLBACKEND": "Agg", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a script that warns loses points in nbgrader"
    tests = len(list(filter(notebook.is_test, nb.cells)))
    assert done.stdout.count("✅") >= 2 * tests, "run_all_tests() leaves out a test"


def test_running_every_cell_twice_changes_nothing(
    engine: Engine, source: Assignment, nb: NotebookNode
) -> None:
    """Each cell twice, then all of them twice, plots and profiling among them."""
    code = [cell for cell in nb.cells if notebook.is_code(cell)]
    for order in ([cell for cell in code for _ in range(2)], [*code, *code]):
        cells = [execution.cell_of(cell, n, frozenset()) for n, cell in enumerate(order)]
        outcome = engine.run(execution.job(source, cells))
        assert outcome.ended == ""
        failed = [c.name for c, o in zip(cells, outcome.outputs, strict=True) if fails(o)]
        assert failed == []


def fails(outputs: list | None) -> bool:
    return outputs is None or execution.fails(outputs)


def test_a_student_bug_loses_points(
    engine: Engine, source: Assignment, nb: NotebookNode, mutant: Mutant
) -> None:
    buggy = mutants.apply(nb, mutant)
    execution.run(engine, source, buggy.cells)
    full = notebook.points(filter(notebook.is_test, nb.cells))
    assert sum(execution.scores(buggy.cells).values()) < full
