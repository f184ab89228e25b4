"""The folder of the course: its modules, and what stands in their notebooks."""

import datetime as dt
import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .export import exported

Cell = dict[str, Any]
STUB = re.compile(r"^\s*raise NotImplementedError\(\)", re.MULTILINE)
HEADING = re.compile(r"^#+ ((Exercise|Question) (\w+).*)$", re.MULTILINE)
IN_PACKAGE = {  # where the package's file of a module comes from, and what to say of it
    "notebook": "",
    "nowhere": "{m.name} was never exported: course export {m.number}",
    "reference": "{m.file} is a reference, not from your notebook",
    "older": "{m.file} is older than your notebook: course export {m.number}",
    "edited": "{m.file} is not what your notebook says: edit that, then course export {m.number}",
}


class Problem(Exception):
    """What a student has to mend: one line that names the file, what is wrong and what to do."""


@dataclass
class Part:
    """An exercise or a question, with the names of its cells, their grade_id."""

    number: str
    title: str
    points: int = 0  # of the test that students see
    theirs: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)

    @property
    def deeper(self) -> bool:
        """Tell whether nothing later needs it."""
        return "(deeper)" in self.title


@dataclass(frozen=True)
class Kit:
    """The folder, and what its pyproject.toml says."""

    root: Path
    requirements: list[str]
    package: str
    cell_seconds: float
    due: dict[str, dict[str, dt.datetime]]  # of each module, by section; "" is for all others

    @cached_property
    def modules(self) -> list["Module"]:
        paths = (self.root / "originals").glob("[0-9][0-9]_*")
        return [Module(self, path.name) for path in sorted(paths)]

    def chosen(self, *names: str) -> list["Module"]:
        """Return the modules named: 01_tensor, 01, 1 or tensor; Problem if there is none."""
        found = []
        for name in names:
            bare = name.rstrip("/\\")
            called = [m for m in self.modules if bare in m.called]
            if not called:
                there = ", ".join(module.name for module in self.modules)
                raise Problem(f"There is no module {name}, only: {there}.")
            found += called
        return found

    def backup(self, name: str) -> Path:
        """Return a new name in backups/ for what is about to be replaced."""
        stem, _, kind = name.rpartition(".")
        return self.root / "backups" / f"{stem}-{dt.datetime.now():%Y%m%d-%H%M%S-%f}.{kind}"


class Module:
    """One module: a student's notebook, and the original it is a copy of."""

    def __init__(self, kit: Kit, name: str) -> None:
        self.kit, self.name = kit, name
        self.number, _, stem = name.partition("_")
        self.called = {name, self.number, str(int(self.number)), stem}
        self.notebook = kit.root / name / f"{stem}_dev.ipynb"
        self.exported = kit.root / kit.package / f"{stem}.py"
        self.file = f"{kit.package}/{stem}.py"
        self.original = read(kit.root / "originals" / name / self.notebook.name)["cells"]
        self.by_name = {name: cell for cell in self.original if (name := grade_id(cell))}

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells of the student's notebook, each of the type that grading gives it back.

        Problem if it cannot be read.
        """
        there = self.notebook.parent.is_dir()  # a kit may bring one module, and originals of all
        cells = read(self.notebook)["cells"] if there else self.original
        for cell in cells:
            cell["cell_type"] = self.by_name.get(grade_id(cell), cell)["cell_type"]
        return cells

    @cached_property
    def theirs(self) -> dict[str, Cell]:
        """The student's cells by name; of several copies, the first that was written in."""
        found: dict[str, Cell] = {}
        for cell in self.cells:
            name = grade_id(cell)
            if name in self.by_name and (name not in found or not self.is_changed(found[name])):
                found[name] = cell
        return found

    def is_changed(self, cell: Cell) -> bool:
        return plain(cell) != plain(self.by_name[grade_id(cell)])

    def parts(self, kind: str) -> list[Part]:
        """Return the parts of one kind: Exercise or Question, as their headings say."""
        found, current = [], ""
        for cell in self.original:
            if not is_code(cell) and re.search(r"^## ", cell["source"], re.MULTILINE):
                current = ""  # another chapter: what stands there belongs to no exercise
            for title, current, number in [] if is_code(cell) else HEADING.findall(cell["source"]):
                if current == kind:
                    found.append(Part(number, title.replace("`", "")))
            if current == kind and about(cell).get("solution"):
                found[-1].theirs.append(grade_id(cell))
            elif current == kind and is_test(cell) and "@beyond(" not in cell["source"]:
                found[-1].points += about(cell)["points"]
                found[-1].tests.append(grade_id(cell))
        return found

    @property
    def begun(self) -> bool:
        """Tell whether a student has written into a solution or an answer."""
        cells = self.theirs.values()
        return any(about(cell).get("solution") and self.is_changed(cell) for cell in cells)

    def is_open(self, part: Part) -> bool:
        """Tell whether a stub is left in an exercise, or a question has no answer."""
        cells = [self.theirs[name] for name in part.theirs if name in self.theirs]
        stubs = [cell for cell in cells if is_code(cell) and STUB.search(cell["source"])]
        return bool(stubs) or not any(map(self.is_changed, cells))

    def unanswered(self) -> list[Part]:
        return [part for part in self.parts("Question") if self.is_open(part)]

    def needs(self) -> list["Module"]:
        """Return the earlier modules that this one imports, and that those import, in order."""
        found: list[Module] = []
        for other in self.kit.modules:
            named = re.compile(rf"\b{self.kit.package}(\.| import .*?\b){other.exported.stem}\b")
            if other.name < self.name and any(named.search(c["source"]) for c in self.original):
                found += [*other.needs(), other]
        return list(dict.fromkeys(found))

    def in_package(self) -> str:
        """Return where the package's file of this module comes from, a key of IN_PACKAGE."""
        if not self.exported.is_file():
            return "nowhere"
        text = self.exported.read_text(encoding="utf-8", errors="replace")
        if text == exported(cell["source"] for cell in self.cells if is_code(cell)):
            return "notebook"
        reference = self.kit.root / "reference" / self.exported.name
        if not self.begun or (reference.is_file() and text == reference.read_text("utf-8")):
            return "reference"
        older = self.exported.stat().st_mtime < self.notebook.stat().st_mtime
        return "older" if older else "edited"


# ---- Cells and notebooks


def about(cell: Cell) -> dict[str, Any]:
    """Return what nbgrader needs to know of a cell."""
    return cell["metadata"].get("nbgrader", {})


def grade_id(cell: Cell) -> str:
    return about(cell).get("grade_id", "")


def is_code(cell: Cell) -> bool:
    return cell["cell_type"] == "code"


def is_test(cell: Cell) -> bool:
    return is_code(cell) and bool(about(cell).get("grade"))


def plain(cell: Cell) -> list[str]:
    """Return the lines of a cell without what editors change."""
    return [line.rstrip() for line in cell["source"].splitlines() if line.strip()]


def beside(path: Path) -> str:
    """Return what to say of other notebooks in a notebook's folder; "" if there is none."""
    others = ", ".join(sorted(o.name for o in path.parent.glob("*.ipynb") if o != path))
    return f" Beside it stands {others}." * bool(others)


def read(path: Path) -> dict[str, Any]:
    """Return a notebook, with each cell's source as one text; Problem if it is none."""
    name = f"{path.parent.name}/{path.name}"
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            _ = is_code(cell), grade_id(cell)  # both are there
        return notebook
    except FileNotFoundError:
        raise Problem(f"{name} is not there.{beside(path)} Give your notebook this name.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(
            f"{name} cannot be read as a notebook ({type(error).__name__}: {error}): save it again "
            "in Jupyter, or go back to a copy of yours"
        ) from None


def find(folder: Path) -> Kit:
    """Return the kit that a folder lies in; Problem if it lies in none."""
    for root in (folder, *folder.parents):
        path = root / "pyproject.toml"
        if path.is_file() and (root / "originals").is_dir():
            try:
                table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
                course = table["tool"]["course"]
                due: dict[str, dict[str, dt.datetime]] = {}
                for line in course["due"]:
                    name, date, *section = line.split(maxsplit=2)
                    due.setdefault(name, {})["".join(section)] = dt.datetime.fromisoformat(date)
                seconds, needs = float(course["cell_seconds"]), table["project"]["dependencies"]
                return Kit(root, needs, course["package"], seconds, due)
            except (ValueError, KeyError, TypeError) as error:
                raise Problem(f"{path} is damaged ({error}): take it from the zip.") from None
    home = Path(__file__).resolve().parents[1]
    raise Problem(f"{folder} is not the course's folder: run this in yours, perhaps {home}")
