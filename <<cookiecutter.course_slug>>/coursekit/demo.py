"""A made-up term: for each module, submissions made from its own solution."""

import copy
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from coursekit import notebook
from coursekit.course import Course, Module, sqlite
from coursekit.errors import CourseError
from coursekit.places import Places
from coursekit.release import generate, record

MARK = "README.txt"
NOTE = "A made-up term, made anew by each `nox -s grade -- --demo`. Nothing in here is yours.\n"

Change = Callable[[Course, Module, NotebookNode, NotebookNode], None]


def solution_of(source: NotebookNode, released: NotebookNode) -> None:
    """Fill in every solution, as the best student would."""
    fill(source, released, keep=lambda number, count: True)


def half_of(source: NotebookNode, released: NotebookNode) -> None:
    """Fill in the first half of the exercises; answer no question."""
    fill(source, released, keep=lambda number, count: number < count // 2)


def fill(source: NotebookNode, released: NotebookNode, keep: Callable[[int, int], bool]) -> None:
    """Copy the solutions for which `keep(number, count)` holds from the source."""
    solutions = [cell for cell in source.cells if notebook.meta(cell).get("solution")]
    solutions.sort(key=notebook.is_answer)  # exercises first, in order; then the questions
    targets = {notebook.grade_id(cell): cell for cell in released.cells}
    for number, cell in enumerate(solutions):
        if keep(number, len(solutions)):
            targets[notebook.grade_id(cell)].source = without_markers(cell.source)


def without_markers(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not notebook.REGION.search(line))


def last_exercise(released: NotebookNode) -> NotebookNode:
    return [cell for cell in released.cells if notebook.is_solution(cell)][-1]


def perfect(course: Course, module: Module, source: NotebookNode, nb: NotebookNode) -> None:
    solution_of(source, nb)


def untouched(course: Course, module: Module, source: NotebookNode, nb: NotebookNode) -> None:
    pass


def half_done(course: Course, module: Module, source: NotebookNode, nb: NotebookNode) -> None:
    half_of(source, nb)


def syntax_error(course: Course, module: Module, source: NotebookNode, nb: NotebookNode) -> None:
    solution_of(source, nb)
    last_exercise(nb).source += "\nreturn return\n"


def endless_loop(course: Course, module: Module, source: NotebookNode, nb: NotebookNode) -> None:
    solution_of(source, nb)
    last_exercise(nb).source = "while True:\n    pass\n"


def reference_import(
    course: Course, module: Module, source: NotebookNode, nb: NotebookNode
) -> None:
    for cell in filter(notebook.is_solution, nb.cells):
        cell.source = f"from {course.package}.{module.stem} import *"


STUDENTS: dict[str, Change | None] = {
    "perfect": perfect,
    "untouched": untouched,
    "half-done": half_done,
    "syntax-error": syntax_error,
    "endless-loop": endless_loop,
    "reference-import": reference_import,
    "missing-notebook": None,
}


def make_anew(course: Course, modules: list[Module]) -> Places:
    """Make the made-up term in demo/, in place of the last one."""
    places = places_in(course.root / "demo")
    clear(places.root)
    make(course, modules, places, tuple(STUDENTS))
    return places


def places_in(folder: Path) -> Places:
    """Return the places of a term in a folder, with a gradebook of its own."""
    return Places(folder, sqlite(folder / "gradebook.db"))


def make(course: Course, modules: list[Module], places: Places, students: Sequence[str]) -> None:
    """Make submissions of these made-up students, and a gradebook that knows the modules."""
    record(course, modules, places.gradebook)
    for module in modules:
        generate(course, module, places.root / "release")
        released = nbformat.read(
            places.root / "release" / module.name / module.notebook.name, as_version=4
        )
        for student in students:
            if STUDENTS[student] is endless_loop and module is not modules[0]:
                continue  # each takes all the time a cell may take: one shows it
            folder = places.submitted / student / module.name
            hand_in(course, module, released, folder, STUDENTS[student])


def clear(folder: Path) -> None:
    """Empty the folder of the last made-up term; refuse to touch anything else."""
    if folder.exists() and not (folder / MARK).is_file():
        raise CourseError(f"{folder} was not made by --demo (no {MARK} in it): move it away first.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / MARK).write_text(NOTE, encoding="utf-8")


def hand_in(
    course: Course, module: Module, released: NotebookNode, folder: Path, change: Change | None
) -> None:
    """Write one student's submission of one module."""
    folder.mkdir(parents=True)
    if change is None:
        (folder / "notes.txt").write_text("I could not finish.\n", encoding="utf-8")
        return
    nb = copy.deepcopy(released)
    change(course, module, notebook.read(module.source), nb)
    nbformat.write(nb, folder / module.notebook.name)
