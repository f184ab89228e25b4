"""Plausible student bugs (mutants.toml): each changes a solution in one place and loses points."""

import copy
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from coursekit import notebook
from coursekit.course import Module
from coursekit.errors import CourseError

if TYPE_CHECKING:  # nbformat takes long to import
    from nbformat import NotebookNode


class Mutant(NamedTuple):
    """A bug: `old` stands exactly once in the module's solutions and becomes `new`."""

    name: str
    old: str
    new: str


def load(module: Module) -> list[Mutant]:
    """Return the mutants of a module. A CourseError names the one that is malformed."""
    try:
        table = tomllib.loads(module.mutants.read_text(encoding="utf-8"))
        return [Mutant(**entry) for entry in table.get("mutant", [])]
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        form = "list student bugs, each a [[mutant]] with name, old, new"
        raise CourseError(f"{module.mutants}: {form}: {error}") from None


def apply(nb: "NotebookNode", mutant: Mutant) -> "NotebookNode":
    """Return the notebook with the bug in it."""
    mutated = copy.deepcopy(nb)
    solutions = list(filter(notebook.is_solution, mutated.cells))
    if (count := sum(cell.source.count(mutant.old) for cell in solutions)) != 1:
        where = f"{count} times in the solutions; it must stand exactly once"
        raise CourseError(f"mutant {mutant.name!r}: its `old` stands {where}:\n{mutant.old}")
    for cell in solutions:
        cell.source = cell.source.replace(mutant.old, mutant.new)
    return mutated
