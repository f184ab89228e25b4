"""The rooms of coursekit, and which may know of which: what a maintainer can rely on.

authoring makes, intake takes in, sandbox runs, grading decides, report tells.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from delimiters import ROOT, tracked_files

COURSEKIT = ROOT / "<<cookiecutter.course_slug>>" / "coursekit"
FILES = [p for p in tracked_files(str(COURSEKIT)) if p.suffix == ".py"]
TOO_LONG = 300
IN_ALL = 5921  # 4500 is the aim. Without exchange and upkeep, rooms of their own
BESIDE = {"exchange": 1643, "upkeep": 642}

# Files that lie beside the rooms, from the ground up; each may import those before it.
GROUND = [
    "__init__",
    "errors",
    "files",
    "pages",
    "export",
    "settings",
    "course",
    "notebook",
    "assignment",
    "grades",
    "database",
    "gradebook",
]
# A room or a file, and all that it may import besides itself. "grading.late" is one file of a room.
MAY_IMPORT = {
    **{name: set(GROUND[:number]) for number, name in enumerate(GROUND)},
    "sandbox": {"errors"},
    "intake": {"errors", "course", "notebook", "assignment"},
    "execution": {*GROUND, "sandbox"},
    "nbgrader_config": {*GROUND},
    "authoring": {*GROUND, "execution", "sandbox", "nbgrader_config"},
    "grading": {*GROUND, "execution", "intake", "sandbox"},
    "grading.nbgrader_autograde": {*GROUND, "execution", "intake", "sandbox", "nbgrader_config"},
    "report": {*GROUND, "grading.results", "grading.state"},
    "exchange": {*GROUND, "intake", "grading.results"},
    "exchange.attempts": {*GROUND, "intake", "grading"},
    "upkeep": {*GROUND, "authoring"},
    "__main__": {
        *GROUND,
        "exchange",
        "upkeep",
        "authoring",
        "grading",
        "report",
        "intake",
        "nbgrader_config",
    },
}
# What takes seconds to import and changes with every version stays in few files.
NBGRADER = {
    "nbgrader_config",
    "authoring.record",
    "authoring.release",
    "authoring.checks",
    "grading.nbgrader_autograde",
}


def name_of(path: Path) -> str:
    """Return a file as it is imported, below coursekit: `grading.late`; a room by its own name."""
    return ".".join(path.relative_to(COURSEKIT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path): path for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """Yield all that a file imports, wherever: the modules, and the names taken from them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: say where from, not from how many folders above"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(path: Path) -> set[str]:
    """Return the files of coursekit that a file imports."""
    found = set()
    for name in imports(path):
        parts = name.split(".")[1:] if name.split(".")[0] == "coursekit" else []
        while parts and ".".join(parts) not in NAMES:
            parts.pop()  # a function or a class of a file
        if parts:
            found.add(".".join(parts))
    return found


def room_of(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_room_imports_only_what_lies_below_it(name: str) -> None:
    allowed = MAY_IMPORT.get(name) or MAY_IMPORT[room_of(name)]
    for other in own(NAMES[name]):
        known = room_of(other) == room_of(name) or allowed & {other, room_of(other)}
        assert known, f"{name} imports {other}: that is not below it"


def test_nothing_goes_in_circles() -> None:
    below = {name: own(path) - {name} for name, path in NAMES.items()}
    while free := [name for name, others in below.items() if not others & below.keys()]:
        for name in free:
            del below[name]
    assert not below, f"these import each other, by one way or another: {sorted(below)}"


@pytest.mark.parametrize("name", NAMES)
def test_few_files_know_nbgrader(name: str) -> None:
    found = {other.split(".")[0] for other in imports(NAMES[name])} & {"nbgrader", "nbconvert"}
    assert not found or name in NBGRADER, f"{name} imports {found}"


@pytest.mark.parametrize("name", NAMES)
def test_no_file_is_too_long_to_read(name: str) -> None:
    lines = len(NAMES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= TOO_LONG, f"{name} has {lines} lines"


def test_all_of_it_can_be_read_in_a_day() -> None:
    lines = dict.fromkeys([*BESIDE, "the rest"], 0)
    for name, path in NAMES.items():
        room = room_of(name) if room_of(name) in BESIDE else "the rest"
        lines[room] += len(path.read_text(encoding="utf-8").splitlines())
    too_many = {room for room, most in {**BESIDE, "the rest": IN_ALL}.items() if lines[room] > most}
    assert not too_many, f"{too_many}: {lines}"


def test_nobody_grades_by_nbgraders_doors() -> None:
    """They are for its own commands; to import them takes a second and a half."""
    assert not [name for name, path in NAMES.items() if "grading.nbgrader_autograde" in own(path)]


def test_modules_can_be_written_on_windows() -> None:
    """What its commands and JupyterLab with formgrader import needs nothing that is not there."""
    missing = ["fcntl", "resource"]
    there = ["grading.nbgrader_autograde", "authoring.sync"]
    there += [name for name in NAMES if name.startswith("upkeep.")]
    code = f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
    code += "".join(f"import coursekit.{name}\n" for name in ["__main__", *there])
    done = subprocess.run([sys.executable, "-c", code], cwd=COURSEKIT.parent, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["export.py", "files.py"])
def test_what_students_have_too_needs_nothing(name: str) -> None:
    """It is copied into the student kit as it is."""
    found = {name.split(".")[0] for name in imports(COURSEKIT / name)}
    assert found <= sys.stdlib_module_names
    assert len((COURSEKIT / name).read_text(encoding="utf-8").splitlines()) <= 70
