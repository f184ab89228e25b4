"""A made-up term: for each module, submissions made from its own solution."""

import copy
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from coursekit import notebook
from coursekit.authoring import release
from coursekit.course import Course, Module, Workspace, sqlite
from coursekit.errors import CourseError

MARK = "README.txt"
NOTE = "A made-up term, made anew by each `nox -s grade -- --demo`. Nothing in here is yours.\n"

# What a student does: from the module's source, to the released notebook, with the line of Python
# that would import the reference solution.
Change = Callable[[NotebookNode, NotebookNode, str], None]


def fill(source: NotebookNode, released: NotebookNode, keep: Callable[[int, int], bool]) -> None:
    """Copy the solutions for which `keep(number, count)` holds from the source."""
    solutions = [cell for cell in source.cells if notebook.meta(cell).get("solution")]
    solutions.sort(key=notebook.is_answer)  # exercises first, in order; then the questions
    targets = {notebook.grade_id(cell): cell for cell in released.cells}
    for number, cell in enumerate(solutions):
        if keep(number, len(solutions)):
            lines = [line for line in cell.source.split("\n") if not notebook.REGION.search(line)]
            targets[notebook.grade_id(cell)].source = "\n".join(lines)


def solution_of(source: NotebookNode, released: NotebookNode, _: str = "") -> None:
    """Fill in every solution, as the best student would."""
    fill(source, released, keep=lambda number, count: True)


def half_of(source: NotebookNode, released: NotebookNode, _: str = "") -> None:
    """Fill in the first half of the exercises; answer no question."""
    fill(source, released, keep=lambda number, count: number < count // 2)


def last_exercise(change: Callable[[str], str]) -> Change:
    """Fill in every solution, but change the text of the last exercise."""

    def changed(source: NotebookNode, released: NotebookNode, _: str) -> None:
        solution_of(source, released)
        last = [cell for cell in released.cells if notebook.is_solution(cell)][-1]
        last.source = change(last.source)

    return changed


def reference_import(source: NotebookNode, released: NotebookNode, reference: str) -> None:
    """Import the reference solution wherever something is to be written."""
    for cell in filter(notebook.is_solution, released.cells):
        cell.source = reference


STUDENTS: dict[str, Change | None] = {
    "perfect": solution_of,
    "untouched": lambda *_: None,
    "half-done": half_of,
    "syntax-error": last_exercise(lambda text: f"{text}\nreturn return\n"),
    "endless-loop": last_exercise(lambda text: "while True:\n    pass\n"),
    "reference-import": reference_import,
    "missing-notebook": None,
}
ONCE = {"endless-loop"}  # takes all the time that a cell may take: the first module shows it


def make_anew(course: Course, modules: list[Module]) -> Workspace:
    """Make the made-up term in demo/, in place of the last one."""
    workspace = workspace_in(course.root / "demo")
    folder = workspace.root
    if folder.exists() and not (folder / MARK).is_file():
        raise CourseError(f"{folder} was not made by --demo (no {MARK} in it): move it away first.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / MARK).write_text(NOTE, encoding="utf-8")
    make(course, modules, workspace, STUDENTS)
    return workspace


def workspace_in(folder: Path) -> Workspace:
    """Return the workspace of a term in a folder, with a gradebook of its own."""
    return Workspace(folder, sqlite(folder / "gradebook.db"))


def make(course: Course, modules: list[Module], place: Workspace, students: Iterable[str]) -> None:
    """Make submissions of these made-up students, and a gradebook that knows the modules."""
    sources = {module: notebook.read(module.source) for module in modules}
    release.record(course, sources, place, place.root / "release")
    for module, source in sources.items():
        path = place.root / "release" / module.name / module.notebook.name
        released = nbformat.read(path, as_version=4)
        for student in students:
            if student in ONCE and module is not modules[0]:
                continue
            folder = place.submitted / student / module.name
            folder.mkdir(parents=True)
            if change := STUDENTS[student]:
                work = copy.deepcopy(released)
                change(source, work, f"from {course.package}.{module.stem} import *")
                nbformat.write(work, folder / module.notebook.name)
            else:
                (folder / "notes.txt").write_text("I could not finish.\n", encoding="utf-8")
