"""A made-up term: for each module, submissions made from its own solution."""

import copy
import shutil
from collections.abc import Callable, Iterable

import nbformat
from nbformat import NotebookNode

from coursekit import assignment, notebook
from coursekit.authoring import release
from coursekit.course import Course, Module, Workspace
from coursekit.errors import CourseError

MARK = "README.txt"
NOTE = "A made-up term, made anew by each `nox -s grade -- --demo`. Nothing in here is yours.\n"
STUDENTS = ("perfect", "untouched", "half-done", "syntax-error", "endless-loop",
            "reference-import", "missing-notebook")  # fmt: skip
ONCE = {"endless-loop"}  # takes all the time that a cell may take: the first module shows it


def fill(
    source: NotebookNode,
    released: NotebookNode,
    keep: Callable[[int, int], bool] = lambda number, count: True,
) -> None:
    """Copy the solutions for which `keep(number, count)` holds from the source: by default, all."""
    solutions = [cell for cell in source.cells if notebook.meta(cell).get("solution")]
    solutions.sort(key=notebook.is_answer)  # exercises first, in order; then the questions
    targets = {notebook.grade_id(cell): cell for cell in released.cells}
    for number, cell in enumerate(solutions):
        if keep(number, len(solutions)):
            lines = [line for line in cell.source.split("\n") if not notebook.REGION.search(line)]
            targets[notebook.grade_id(cell)].source = "\n".join(lines)


def work(student: str, source: NotebookNode, released: NotebookNode, reference: str) -> None:
    """Do to the released notebook what a made-up student does.

    `reference` is the line of Python that would import the reference solution.
    """
    exercises = list(filter(notebook.is_solution, released.cells))
    if student in {"perfect", "syntax-error", "endless-loop"}:
        fill(source, released)
    if student == "half-done":
        fill(source, released, keep=lambda number, count: number < count // 2)
    elif student == "syntax-error":
        exercises[-1].source += "\nreturn return\n"
    elif student == "endless-loop":
        exercises[-1].source = "while True:\n    pass\n"
    elif student == "reference-import":
        for cell in exercises:
            cell.source = reference


def make_anew(course: Course, modules: list[Module]) -> Workspace:
    """Make the made-up term in demo/, in place of the last one."""
    folder = course.root / "demo"
    for module in modules:
        assignment.load(course, module)  # a CourseError if it was not built
    if folder.exists() and not (folder / MARK).is_file():
        raise CourseError(f"{folder} was not made by --demo (no {MARK} in it): move it away first.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / MARK).write_text(NOTE, encoding="utf-8")
    workspace = Workspace(folder)
    make(course, modules, workspace, STUDENTS)
    return workspace


def make(course: Course, modules: list[Module], place: Workspace, students: Iterable[str]) -> None:
    """Make submissions of these made-up students, and a gradebook that knows the modules."""
    sources = {module: notebook.read(module.source) for module in modules}
    folder = place.root / "release"
    release.record_all(course, {m: release.generate(course, m, folder) for m in modules}, place)
    for module, source in sources.items():
        path = place.root / "release" / module.name / module.notebook.name
        released = nbformat.read(path, as_version=4)
        for student in students:
            if student in ONCE and module is not modules[0]:
                continue
            folder = place.submitted / student / module.name
            folder.mkdir(parents=True)
            if student == "missing-notebook":
                (folder / "notes.txt").write_text("I could not finish.\n", encoding="utf-8")
            else:
                nb = copy.deepcopy(released)
                work(student, source, nb, f"from {course.package}.{module.stem} import *")
                nbformat.write(nb, folder / module.notebook.name)
