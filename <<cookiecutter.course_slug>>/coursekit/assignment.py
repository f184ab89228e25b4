"""All that decides about grades in one module: what `build` leaves, and `grade` goes by.

Nothing that is being edited is in it. So a grade is what was built, whatever stands in the sources.
"""

import base64
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from coursekit import export, files, notebook
from coursekit.course import PROVIDED, Course, Module
from coursekit.errors import CourseError

HERE = Path(__file__).resolve().parent
RULES = ("notebook.py", "assignment.py", "execution.py", "intake/*.py", "sandbox/**/*.py",
         "grading/*.py", "grading/*.j2", "*.j2")  # fmt: skip
FILE = "assignment.json"
STORED = "name", "file", "cells", "given", "kernelspec", "data", "decoys", "digest", "proven"


@dataclass(frozen=True, eq=False)  # what is made of one is cached by it: see rebuild.slots_of
class Assignment:
    """One module as it was built. Nothing here refers to a file, so it can go to any machine."""

    name: str  # "01_tensor"
    file: str  # "tensor_dev.ipynb"
    cells: Sequence[dict[str, Any]]  # of the module's own notebook, solutions and all, as JSON
    given: Sequence[str]  # the text of each as students got it
    kernelspec: dict[str, str]
    data: Mapping[str, str]  # files beside the notebook: names, and bytes in base64
    decoys: Mapping[str, list[str]]  # by test: versions of it that no right solution passes
    digest: str  # of the sources it was built from
    proven: str = ""  # the key of what the solution was run with, and the decoys
    package: str = ""
    # Files of the package, the modules before this one; names of other modules by each of their
    # grade_ids; [grading] of course.toml, without the gradebook's address.
    reference: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Return a digest of all that decides: this, the versions of what runs, our own rules."""
        held = [(each.name, getattr(self, each.name)) for each in fields(self)]
        rules = sorted(path for pattern in RULES for path in HERE.glob(pattern))
        return sha256(repr(held), repr(versions()), *(path.read_bytes() for path in rules))

    @cached_property
    def deciding(self) -> str:
        """Return the key of what gives points: names of other modules only tell whose a file is."""
        return replace(self, others={}).key

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


def data_of(module: Module) -> dict[str, str]:
    """Return the data beside a module's notebook, not text and figures: names, bytes in base64."""
    paths = [path for path in module.beside if path.suffix not in {".md", ".svg"}]
    return {path.name: base64.b64encode(path.read_bytes()).decode() for path in paths}


def digest_of(module: Module) -> str:
    """Return a digest of what a module is built from."""
    return sha256(module.source.read_bytes(), repr(data_of(module)))


def changed_since_build(course: Course, modules: Iterable[Module]) -> list[str]:
    """Return the names of these and earlier modules whose sources have changed since."""
    last = max(module.name for module in modules)
    built = {m: stored(course, m) for m in course.modules() if m.name <= last}
    return [m.name for m, kept in built.items() if kept and digest_of(m) != kept["digest"]] + [
        f"{course.package}/{name}" for name, text in provided(course.built).items()
        if text != provided(course.package_dir).get(name)
    ]  # fmt: skip


# ---- The package, as one module may see it: the modules before it, never itself


def package_file(cells: Iterable[notebook.Cell]) -> str:
    """Return the text of a module's file of the package."""
    return export.exported([cell["source"] for cell in cells if notebook.is_code(cell)])


def kept_file(course: Course, module: Module) -> Path:
    """Return where `build` leaves that text: for the modules after it, it is all they need."""
    return course.built / module.name / f"{module.stem}.py"


def provided(folder: Path) -> dict[str, str]:
    """Return the files of the package that no module makes, as far as a folder has them."""
    paths = [folder / name for name in PROVIDED if name.endswith(".py")]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}


def reference(course: Course, before: str, anew: Mapping[Module, str] | None) -> dict[str, str]:
    """Return the package before a module: texts that were made anew, or else as last built."""
    texts = provided(course.built if anew is None else course.package_dir)
    texts = {name.removesuffix(".py"): text for name, text in texts.items()}
    for module in course.modules():
        path = kept_file(course, module)
        if module.name >= before:
            break
        if module in (anew or ()):
            texts[module.stem] = anew[module]
        elif path.is_file():
            texts[module.stem] = path.read_text(encoding="utf-8")
        else:
            raise CourseError(f"{module.name} was not built yet: run `nox -s build` first.")
    return texts


# ---- On disk


def stored(course: Course, module: Module) -> dict[str, Any]:
    """Return what build left of a module; nothing if it never did, or in another version's form."""
    try:
        kept = json.loads((course.built / module.name / FILE).read_text(encoding="utf-8"))
        return kept if kept.keys() == {*STORED} else {}
    except (OSError, ValueError, AttributeError):
        return {}


def store(course: Course, module: Module, assignment: Assignment) -> None:
    """Leave a module for `grade`, but for what `load` takes from elsewhere."""
    kept = {name: getattr(assignment, name) for name in STORED}
    files.write_text(course.built / module.name / FILE, json.dumps(kept))


def load(course: Course, module: Module) -> Assignment:
    """Return a module as it was built, among modules as they were built, with today's settings."""
    kept = stored(course, module)
    if not (kept and provided(course.built)):
        raise CourseError(f"{module.name} was not built yet: run `nox -s build` first.")
    others = {
        name: other.name
        for other in course.modules()
        if other != module
        for cell in stored(course, other).get("cells", [])
        if (name := notebook.grade_id(cell))
    }
    texts = reference(course, module.name, None)
    return Assignment(
        **kept, package=course.package, reference=texts, others=others, limits=course.rules
    )
