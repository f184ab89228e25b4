"""All that decides about grades in one module: what `build` leaves, and `grade` goes by.

Nothing that is being edited is in it. So a grade is what was built, whatever stands in the sources.
"""

import base64
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from coursekit import export, files, notebook
from coursekit.course import Course, Module
from coursekit.errors import CourseError

HERE = Path(__file__).resolve().parent
RULES = ("notebook.py", "assignment.py", "execution.py", "intake/*.py", "sandbox/**/*.py",
         "grading/*.py")  # fmt: skip
FILE = "assignment.json"


@dataclass(frozen=True)
class Assignment:
    """One module as it was built. Nothing here refers to a file, so it can go to any machine."""

    name: str  # "01_tensor"
    file: str  # "tensor_dev.ipynb"
    cells: tuple[dict[str, Any], ...]  # of the module's own notebook, solutions and all, as JSON
    given: tuple[str, ...]  # the text of each as students got it
    kernelspec: dict[str, str]
    data: Mapping[str, str]  # files beside the notebook: names, and bytes in base64
    decoys: Mapping[str, list[str]]  # by test: versions of it that no right solution passes
    digest: str  # of the sources it was built from
    proven: str = ""  # the key of what the solution was run with, and the decoys
    package: str = ""
    reference: Mapping[str, str] | None = None  # files of the package: the modules before this one
    others: Mapping[str, str] | None = None  # names of other modules by each of their grade_ids
    limits: Mapping[str, Any] | None = None  # [grading] of course.toml

    @cached_property
    def key(self) -> str:
        """Return a digest of all that decides: this, the versions of what runs, our own rules."""
        held = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return sha256(repr(held), repr(versions()), rules())

    @cached_property
    def titles(self) -> dict[str, str]:
        """Return the exercise or question of each graded cell, by grade_id."""
        return notebook.titles(self.cells)


def sha256(*parts: str | bytes) -> str:
    """Return a digest of texts and bytes."""
    data = [part.encode() if isinstance(part, str) else part for part in parts]
    return hashlib.sha256(b"".join(len(d).to_bytes(8, "big") + d for d in data)).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions on which grades depend."""
    return {"Python": platform.python_version(), "numpy": metadata.version("numpy")}


def rules() -> str:
    """Return a digest of the code that decides about grades."""
    paths = sorted(path for pattern in RULES for path in HERE.glob(pattern))
    return sha256(*(path.read_bytes() for path in paths))


def data_of(module: Module) -> dict[str, str]:
    """Return the data beside a module's notebook: names, and bytes in base64."""
    paths = [path for path in module.beside if path.suffix != ".md"]
    return {path.name: base64.b64encode(path.read_bytes()).decode() for path in paths}


def digest_of(module: Module) -> str:
    """Return a digest of what a module is built from."""
    return sha256(module.source.read_bytes(), repr(sorted(data_of(module).items())))


def package_file(cells: Iterable[notebook.Cell]) -> str:
    """Return the text of a module's file of the package."""
    return export.exported([cell["source"] for cell in cells if notebook.is_code(cell)])


def write_package(course: Course, before: str, folder: Path) -> Path:
    """Write the package, from the sources, with all modules before one into a folder; return it."""
    texts = {"__init__": (course.package_dir / "__init__.py").read_text(encoding="utf-8")}
    for module in course.modules():
        if module.name < before:
            texts[module.stem] = package_file(notebook.read(module.source).cells)
    for name, text in texts.items():
        files.write_text(folder / course.package / f"{name}.py", text)
    return folder


def changed_since_build(course: Course, modules: Iterable[Module]) -> list[str]:
    """Return the names of these and earlier modules whose sources have changed since."""
    last = max(module.name for module in modules)
    return [
        module.name
        for module in course.modules()
        if module.name <= last
        and (kept := stored(course, module))
        and digest_of(module) != kept["digest"]
    ]


def stored(course: Course, module: Module) -> dict[str, Any]:
    """Return what build left of a module; nothing if it was never built."""
    path = course.built / module.name / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def store(course: Course, module: Module, assignment: Assignment) -> None:
    """Leave a module for `grade`, with its file of the package for the modules after it."""
    fields = ("name", "file", "cells", "given", "kernelspec", "data", "decoys", "digest",
              "proven")  # fmt: skip
    kept = {field: getattr(assignment, field) for field in fields}
    files.write_text(course.built / module.name / FILE, json.dumps(kept))
    store_export(course, module, assignment.cells)


def store_export(course: Course, module: Module, cells: Iterable[notebook.Cell]) -> None:
    """Leave a module's file of the package alone: for those after it, that is all they need."""
    files.write_text(course.built / module.name / f"{module.stem}.py", package_file(cells))


def load(course: Course, module: Module) -> Assignment:
    """Return a module as it was built, among modules as they were built, with today's settings."""
    kept = stored(course, module)
    if not kept:
        raise CourseError(f"{module.name} was not built yet: run `nox -s build` first.")
    bare = Assignment(**{**kept, "cells": tuple(kept["cells"]), "given": tuple(kept["given"])})
    return with_surroundings(course, module, bare)


def with_surroundings(course: Course, module: Module, assignment: Assignment) -> Assignment:
    """Return a module with the reference, the names of other modules' cells, and the limits."""
    return replace(
        assignment,
        package=course.package,
        reference=reference(course, module),
        others={
            notebook.grade_id(cell): other.name
            for other in course.modules()
            if other.name != module.name
            for cell in stored(course, other).get("cells", [])
            if notebook.grade_id(cell)
        },
        limits=course.grading,
    )


def reference(course: Course, module: Module) -> dict[str, str]:
    """Return the package as a module may see it: the built modules before it, never itself."""
    texts = {"__init__": (course.package_dir / "__init__.py").read_text(encoding="utf-8")}
    for earlier in course.earlier(module):
        path = course.built / earlier.name / f"{earlier.stem}.py"
        if not path.is_file():
            raise CourseError(f"{earlier.name} was not built yet: run `nox -s build` first.")
        texts[earlier.stem] = path.read_text(encoding="utf-8")
    return texts
