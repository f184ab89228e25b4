"""Each module as a script, twice in one process, and through nbgrader as students' work."""

import copy
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from bench.sources import Mutant, mutants, scores, with_bug, write_package
from coursekit import execution, notebook
from coursekit.assignment import Assignment, package_file
from coursekit.authoring import demo, release
from coursekit.authoring.sync import sync
from coursekit.course import Course, Module, Workspace
from coursekit.grading.grade import Grading
from coursekit.grading.results import Result
from coursekit.intake import collect
from coursekit.nbgrader_config import STAFF_FILES
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.engine import Cell, Engine

HONEST = ("perfect", "untouched", "half-done", "reference-import")
LATE = "2099-12-31 23:59:00 UTC"
PATIENT = {"cell_seconds": 60, "notebook_seconds": 600, "memory_mb": 4096}  # with profiling


@pytest.fixture(scope="session")
def term(
    built: Course, module: Module, nb: NotebookNode, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A term of made-up students; one of them has a bug and is late. Nothing is graded yet."""
    place = Workspace(tmp_path_factory.mktemp("term"))
    demo.make(built, built.modules([module.name]), place, HONEST)
    folder = place.submitted / "wrong" / module.name
    shutil.copytree(place.submitted / "perfect" / module.name, folder)
    work = nbformat.read(folder / module.notebook.name, as_version=4)
    bug = mutants(module)[0]
    demo.fill(with_bug(nb, bug), work)
    nbformat.write(work, folder / module.notebook.name)
    (folder / "timestamp.txt").write_text(LATE, encoding="utf-8")
    return place


@pytest.fixture(scope="session")
def grades(built: Course, module: Module, term: Workspace) -> dict[str, Result]:
    """How they are graded, by name."""
    submissions = collect.find(built, term, built.modules([module.name]), [])
    results, _ = Grading(built, term, sandboxed=bubblewrap.available()).run(submissions)
    return {row.student: row for row in results.rows.values()}


def test_of_honest_work_nothing_is_told(grades: dict) -> None:
    """Nobody passes a decoy, and no test ends now one way, now another."""
    assert {name: row.state.suspicious for name, row in grades.items()} == dict.fromkeys(grades, ())
    assert set(grades) == {*HONEST, "wrong"}


def test_the_solution_gets_every_automatic_point(grades: dict, nb: NotebookNode) -> None:
    tests = list(filter(notebook.is_test, nb.cells))
    assert grades["perfect"].automatic == notebook.points(tests), grades["perfect"].note


def test_written_answers_wait_for_a_person(grades: dict) -> None:
    assert grades["perfect"].written is None


def test_the_untouched_release_gets_nothing(grades: dict) -> None:
    assert grades["untouched"].total == 0
    assert grades["untouched"].written == 0, "an untouched answer needs no marking"


def test_half_of_the_work_gets_some_of_the_points(grades: dict, nb: NotebookNode) -> None:
    if sum(map(notebook.is_solution, nb.cells)) < 2:
        pytest.skip("one exercise has no half")
    assert 0 < grades["half-done"].automatic < grades["perfect"].automatic


def test_importing_the_reference_gets_nothing(grades: dict) -> None:
    assert grades["reference-import"].total == 0


@pytest.mark.slow
def test_plain_nbgrader_gives_the_same_scores(
    built: Course,
    module: Module,
    package: Path,
    term: Workspace,
    grades: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Cell by cell, automatic scores and comments, by its own kernel in its own way."""
    plain = Workspace(tmp_path)
    shutil.copy(built.root / "gradebook.db", plain.root)
    shutil.copytree(term.submitted, plain.submitted)
    c = Config()
    c.CourseDirectory.root = str(tmp_path)
    c.CourseDirectory.source_directory = str(built.modules_dir)
    c.CourseDirectory.assignment_id = module.name
    c.CourseDirectory.db_url = plain.gradebook
    c.CourseDirectory.ignore = STAFF_FILES
    c.Execute.skip_cells_with_tag = "profiling"
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    Autograde(coursedir=CourseDirectory(config=c), config=c).start()
    assert found_out(plain.gradebook) == found_out(term.gradebook), caplog.messages[-20:]
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


@pytest.mark.slow
def test_runs_as_a_script(module: Module, nb: NotebookNode, package: Path) -> None:
    done = subprocess.run(
        [sys.executable, module.source],
        env={**os.environ, "PYTHONPATH": str(package), "MPLBACKEND": "Agg", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a script that warns loses points in nbgrader"
    tests = [cell for cell in nb.cells if notebook.is_test(cell) and "✅" in cell.source]
    marked = re.findall(r"^ *\d+  .*✅$", done.stdout, re.M)  # in the table at the end
    said = done.stdout.partition("Exercise  ")[0].count("✅")
    names = ", ".join(map(notebook.grade_id, tests))
    assert said >= len(tests), f"{said} lines with ✅ are printed; each of these must: {names}"
    assert len(marked) == len(tests), f"run_all_tests() ticks {len(marked)} of {names}"


@pytest.mark.slow
def test_core_alone_runs_from_top_to_bottom(
    built: Course, module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What students are told to do before they hand in, with deeper exercises left out in all."""
    sync(built, built.modules())
    work = [core_alone(built, each, tmp_path / "release") for each in built.modules()]
    write_package(built, module.name, tmp_path)
    for earlier, nb in zip(built.modules(), work[:-1], strict=False):
        file = tmp_path / built.package / f"{earlier.stem}.py"
        file.write_text(package_file(nb.cells), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    NotebookClient(work[-1], timeout=120).execute()  # an error is an error here


def core_alone(course: Course, module: Module, folder: Path) -> NotebookNode:
    """Return a module's released notebook with the solutions of its core exercises."""
    release.generate(course, module, folder)
    released = nbformat.read(folder / module.name / module.notebook.name, as_version=4)
    work, deeper = copy.deepcopy(released), False
    demo.fill(notebook.read(module.source), work)
    for cell, given in zip(work.cells, released.cells, strict=True):
        if "\n## Exercise" in f"\n{cell.source}":
            deeper = "(deeper)" in cell.source
        elif deeper and notebook.is_solution(cell):
            cell.source = given.source
    return work


@pytest.mark.slow
def test_running_every_cell_twice_changes_nothing(
    engine: Engine, source: Assignment, nb: NotebookNode
) -> None:
    """Each cell twice in a row; then the whole module twice, plots and profiling among it.

    All run as if a student had written them, for else things are put back in between.
    """
    code = list(filter(notebook.is_code, nb.cells))
    patient = replace(source, limits={**source.limits, **PATIENT})
    for order in ([c for c in code if not notebook.is_profiling(c) for _ in range(2)], code * 2):
        cells = [Cell(notebook.grade_id(cell), cell.source) for cell in order]
        outcome = engine.run(execution.job(patient, cells))
        assert outcome.ended == ""
        errors = {c.name: o for c, o in zip(cells, outcome.outputs, strict=True) if fails(o)}
        assert errors == {}


def fails(outputs: list | None) -> bool:
    return outputs is None or execution.fails(outputs)


def test_a_warm_engine_gives_the_same(
    engine: Engine, source: Assignment, nb: NotebookNode, grades: dict
) -> None:
    """The mutants below are scored by it, so it must agree with grading, and so with nbgrader."""
    cells = copy.deepcopy(nb.cells)
    execution.run(engine, source, cells)
    assert sum(scores(cells).values()) == grades["perfect"].automatic


def test_a_student_bug_loses_points(
    engine: Engine, source: Assignment, nb: NotebookNode, mutant: Mutant
) -> None:
    """Mostly in the exercise's own test, two cells below: then the rest need not run."""
    buggy = with_bug(nb, mutant).cells
    (bug,) = (n for n, cell in enumerate(buggy) if cell.source != nb.cells[n].source)
    before = [cell for cell in buggy[:bug] if not notebook.is_test(cell)]
    noticed = any(loses(engine, source, c) for c in ([*before, *buggy[bug : bug + 3]], buggy))
    where = notebook.grade_id(nb.cells[bug])
    assert noticed, f"{mutant.name!r} in {where} keeps all points: let a test there notice it"


def loses(engine: Engine, source: Assignment, cells: list[NotebookNode]) -> bool:
    execution.run(engine, source, cells)
    full = notebook.points(filter(notebook.is_test, cells))
    return sum(scores(cells).values()) < full
