"""What tests and benchmarks make of a module's source: its package, student bugs, points.

A bug (mutants.toml) changes a solution in one place, as a student might, and must lose points.
"""

import copy
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coursekit import execution, files, notebook
from coursekit.assignment import package_file, reference
from coursekit.course import PROVIDED, Course, Module
from coursekit.errors import CourseError

if TYPE_CHECKING:  # nbformat takes long to import
    from nbformat import NotebookNode


def write_package(course: Course, before: str, folder: Path) -> Path:
    """Write the package, from the sources, with all modules before one into a folder; return it."""
    sources = {m: notebook.read(m.source) for m in course.modules() if m.name < before}
    anew = {module: package_file(nb.cells) for module, nb in sources.items()}
    for name, text in reference(course, before, anew).items():
        files.write_text(folder / course.package / f"{name}.py", text)
    for name in PROVIDED:
        files.write_bytes(folder / course.package / name, (course.package_dir / name).read_bytes())
    return folder


class Mutant(NamedTuple):
    """A bug: `old` stands exactly once in the module's solutions and becomes `new`."""

    name: str
    old: str
    new: str


def mutants(module: Module) -> list[Mutant]:
    """Return the student bugs of a module. A CourseError names the one that is malformed."""
    try:
        table = tomllib.loads(module.mutants.read_text(encoding="utf-8"))
        return [Mutant(**entry) for entry in table.get("mutant", [])]
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        form = "list student bugs, each a [[mutant]] with name, old, new"
        raise CourseError(f"{module.mutants}: {form}: {error}") from None


def with_bug(nb: "NotebookNode", mutant: Mutant) -> "NotebookNode":
    """Return the notebook with the bug in it."""
    mutated = copy.deepcopy(nb)
    solutions = list(filter(notebook.is_solution, mutated.cells))
    if (count := sum(cell.source.count(mutant.old) for cell in solutions)) != 1:
        where = f"{count} times in the solutions; it must stand exactly once"
        raise CourseError(f"mutant {mutant.name!r}: its `old` stands {where}:\n{mutant.old}")
    for cell in solutions:
        cell.source = cell.source.replace(mutant.old, mutant.new)
    return mutated


def scores(cells: Iterable[notebook.Cell]) -> dict[str, float]:
    """Return the points of each test of a notebook that was run, by grade_id."""
    tests = {notebook.grade_id(cell): cell for cell in cells if notebook.is_test(cell)}
    return {n: execution.points(c["outputs"], notebook.meta(c)["points"]) for n, c in tests.items()}
