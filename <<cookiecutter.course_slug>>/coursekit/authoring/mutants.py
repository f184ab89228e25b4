"""Plausible student bugs (mutants.toml): each changes a solution in one place and loses points."""

import copy
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coursekit import notebook
from coursekit.course import Module
from coursekit.errors import CourseError

if TYPE_CHECKING:  # nbformat takes two seconds to import
    from nbformat import NotebookNode


@dataclass(frozen=True)
class Mutant:
    """A bug: `old` stands exactly once in the module's solutions and becomes `new`."""

    name: str
    old: str
    new: str


def load(module: Module) -> list[Mutant]:
    """Return the mutants of a module. A CourseError names the one that is malformed."""
    if not module.mutants.is_file():
        raise CourseError(f"{module.mutants} is missing: list at least 8 plausible student bugs.")
    try:
        table = tomllib.loads(module.mutants.read_text(encoding="utf-8"))
        return [Mutant(**entry) for entry in table.get("mutant", [])]
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise CourseError(
            f"{module.mutants}: each [[mutant]] has name, old, new: {error}"
        ) from None


def apply(nb: "NotebookNode", mutant: Mutant) -> "NotebookNode":
    """Return the notebook with the bug in it."""
    mutated = copy.deepcopy(nb)
    cells = [c for c in filter(notebook.is_solution, mutated.cells) if mutant.old in c.source]
    if len(cells) != 1 or cells[0].source.count(mutant.old) != 1:
        count = sum(cell.source.count(mutant.old) for cell in cells)
        raise CourseError(
            f"mutant {mutant.name!r}: its `old` stands {count} times in the solutions; "
            f"it must stand exactly once:\n{mutant.old}"
        )
    cells[0].source = cells[0].source.replace(mutant.old, mutant.new)
    return mutated
