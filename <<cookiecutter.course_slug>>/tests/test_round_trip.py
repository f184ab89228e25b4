"""Each module as a script, twice in one process, and through nbgrader as students' work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import NotebookNode

from coursekit import demo, grade, intake, mutants, notebook, runner, sandbox
from coursekit.course import Course, Module
from coursekit.grade import Places
from coursekit.mutants import Mutant
from coursekit.reference import write_reference
from coursekit.scores import Result

HONEST = ("perfect", "untouched", "half-done", "reference-import")


@pytest.fixture(scope="session")
def grades(
    course: Course, module: Module, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Result]:
    """What nbgrader says of made-up students, by name."""
    places = Places(tmp_path_factory.mktemp("term"))
    demo.make(course, [module], places, HONEST)
    submissions = intake.find(course, places.submitted, [module], [])
    marking = grade.Round(course, places, sandboxed=sandbox.available())
    return {row.student: row for row in marking.run(submissions)}


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


def test_grading_without_jupyter_gives_the_same(
    course: Course, module: Module, nb: NotebookNode, grades: dict
) -> None:
    """The mutants below are scored by coursekit.runner: it must agree with nbgrader."""
    results = mutants.results(course, module, nb)
    assert {name: error for name, error in results.items() if error} == {}
    assert mutants.score(nb, results) == grades["perfect"].automatic


def test_runs_as_a_script(course: Course, module: Module, nb: NotebookNode, tmp_path: Path) -> None:
    path = write_reference(course, module.name, tmp_path)
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
    course: Course, module: Module, nb: NotebookNode, tmp_path: Path
) -> None:
    cells = [(notebook.grade_id(cell), cell.source) for cell in filter(notebook.is_code, nb.cells)]
    each_twice = [(f"{name} ({time})", source) for name, source in cells for time in (1, 2)]
    path = write_reference(course, module.name, tmp_path)
    for order in (each_twice, [(f"{name} (again)", source) for name, source in cells + cells]):
        results = runner.run(order, path, beside=module.beside)
        assert {name: error for name, error in results.items() if error} == {}
        assert len(results) == len({name for name, _ in order})


def test_a_student_bug_loses_points(
    course: Course, module: Module, nb: NotebookNode, mutant: Mutant
) -> None:
    buggy = mutants.apply(nb, mutant)
    full = notebook.points(list(filter(notebook.is_test, nb.cells)))
    assert mutants.score(buggy, mutants.results(course, module, buggy)) < full
