"""course.toml, the modules, and where everything lies."""

import datetime as dt
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dateutil import tz

from coursekit.engine import Limits
from coursekit.errors import CourseError

LATE = ("percent_per_day", "grace_minutes", "zero_after_days")
SETTINGS = {
    "course": {"title", "slug", "package", "term", "institution", "timezone"},
    "staff": {"name", "email"},
    "schedule": {"first_day", "days_per_module", "due"},
    "grading": {*(limit.name for limit in fields(Limits)), "db_url"},
    "late": {*LATE},
}
MODULE_NAME = re.compile(r"\d{2}_[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Module:
    """One folder of modules/: `01_tensor` with its source `tensor_dev.py`."""

    path: Path

    @property
    def name(self) -> str:
        """`01_tensor`, nbgrader's assignment."""
        return self.path.name

    @property
    def stem(self) -> str:
        """`tensor`, the file of the package."""
        return self.name.split("_", 1)[1]

    @property
    def source(self) -> Path:
        return self.path / f"{self.stem}_dev.py"

    @property
    def notebook(self) -> Path:
        return self.source.with_suffix(".ipynb")

    @property
    def mutants(self) -> Path:
        return self.path / "mutants.toml"

    @property
    def beside(self) -> list[Path]:
        """What students find beside the notebook: the README, data of any kind."""
        own = {self.source, self.notebook, self.mutants}
        return sorted(path for path in self.path.iterdir() if path.is_file() and path not in own)


@dataclass(frozen=True)
class Course:
    """What course.toml says, and the folders of the course."""

    root: Path
    title: str
    slug: str
    package: str
    term: str
    institution: str
    timezone: str
    staff: tuple[Mapping[str, str], ...]
    first_day: dt.date
    days_per_module: int
    due_dates: Mapping[str, dt.date]
    limits: Limits
    late: Mapping[str, float]  # percent_per_day, grace_minutes, zero_after_days
    gradebook_url: str = ""

    @property
    def modules_dir(self) -> Path:
        return self.root / "modules"

    @property
    def package_dir(self) -> Path:
        return self.root / self.package

    @property
    def release(self) -> Path:
        return self.root / "release"

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def gradebook(self) -> Path:
        return self.root / "gradebook.db"

    @property
    def db_url(self) -> str:
        """Return the gradebook's address: what course.toml says, or gradebook.db in the course."""
        if not self.gradebook_url.startswith("$"):
            return self.gradebook_url or sqlite(self.gradebook)
        name = self.gradebook_url[1:]
        if not os.environ.get(name):
            raise CourseError(
                f"{self.root / 'course.toml'}: [grading] db_url is {self.gradebook_url!r}, but "
                f"there is no environment variable {name}. Set it to the gradebook's address."
            )
        return os.environ[name]

    @property
    def scratch(self) -> Path:
        return self.root / ".coursekit"

    def due(self, module: Module) -> dt.datetime:
        """Return when a module is due: 23:59 in the course's time zone."""
        days = self.days_per_module * int(module.name[:2])
        day = self.due_dates.get(module.name, self.first_day + dt.timedelta(days=days))
        return dt.datetime.combine(day, dt.time(23, 59), tz.gettz(self.timezone))

    def modules(self, names: list[str] | None = None) -> list[Module]:
        """Return the modules named (`01_tensor`, `tensor`, `01` or `1`), or all, in order."""
        found = discover(self.modules_dir)
        if not names:
            return found
        wanted = {pick(name, found) for name in names}
        return [module for module in found if module in wanted]

    def earlier(self, module: Module) -> list[Module]:
        """Return the modules that come before this one."""
        return [other for other in self.modules() if other.name < module.name]


def sqlite(path: Path) -> str:
    """Return the address of a gradebook in a file."""
    return f"sqlite:///{path}"


def discover(folder: Path) -> list[Module]:
    """Return every module in a folder, in order."""
    paths = sorted(p for p in folder.glob("*") if p.is_dir() and MODULE_NAME.fullmatch(p.name))
    modules = [Module(path) for path in paths]
    for module in modules:
        if not module.source.is_file():
            raise CourseError(
                f"{module.path}: {module.source.name} is missing.\n"
                f"A module folder NN_name holds its source as name_dev.py."
            )
    if not modules:
        raise CourseError(f"{folder}: no modules here. A module is a folder like 01_tensor.")
    return modules


def pick(name: str, modules: list[Module]) -> Module:
    """Return the one module a person means by a name, a number or both."""
    for module in modules:
        number = module.name[:2]
        if name.rstrip("/") in {module.name, module.stem, number, number.lstrip("0")}:
            return module
    valid = ", ".join(module.name for module in modules)
    raise CourseError(f"There is no module {name!r}. This course has: {valid}.")


def load(root: Path) -> Course:
    """Read ROOT/course.toml. A CourseError names the key that is missing or of the wrong type."""
    path = root / "course.toml"
    try:
        text = path.read_text(encoding="utf-8-sig")  # a byte order mark at its start says nothing
    except FileNotFoundError:
        raise CourseError(f"{path} is missing: run this from the folder of your course.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise CourseError(f"{path}: line {line} is not in UTF-8. Save the file in UTF-8.") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{path} is not valid TOML: {error}.") from None
    refuse_unknown(path, table)
    course = _course(root.resolve(), Reader(path, table))
    if not (course.package_dir / "__init__.py").is_file():
        raise CourseError(
            f"{path}: [course] package is {course.package!r}, but {course.package}/__init__.py "
            "does not exist. Rename the package's folder, too, and its name in the modules."
        )
    if unknown := sorted(set(course.due_dates) - {p.name for p in course.modules_dir.glob("*")}):
        raise CourseError(f"{path}: [schedule.due] names no module of this course: {unknown[0]}.")
    return course


def refuse_unknown(path: Path, table: Mapping[str, Any]) -> None:
    """Raise a CourseError for the first section or key that nothing reads: a misspelt one, say."""
    for section, value in table.items():
        if section not in SETTINGS:
            raise CourseError(f"{path}: there is no section [{section}]{meant(section, SETTINGS)}")
        several = section == "staff"
        if not isinstance(value, list if several else dict):
            form = f"[[{section}]]" if several else f"[{section}]"
            form += "" if several else ", once"
            raise CourseError(f"{path}: {section} is {value!r}; it must be a section {form}.")
        known = SETTINGS[section]
        tables = value if several else [value]
        for key in sorted({key for each in tables for key in each} - known):
            raise CourseError(f"{path}: [{section}] has no setting {key}{meant(key, known)}")


def meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: the known name that is most like this one, or all of them."""
    like = get_close_matches(name, known, 1)
    return f"; did you mean {like[0]}?" if like else f". Known are {', '.join(sorted(known))}."


def _course(root: Path, read: "Reader") -> Course:
    return Course(
        root=root,
        title=read("course", "title", str),
        slug=read("course", "slug", str),
        package=read("course", "package", str),
        term=read("course", "term", str),
        institution=read("course", "institution", str),
        timezone=read.zone("course", "timezone"),
        staff=read.people("staff"),
        first_day=read("schedule", "first_day", dt.date),
        days_per_module=read("schedule", "days_per_module", int),
        due_dates=read.dates("schedule", "due"),
        limits=read.limits("grading"),
        late={key: read.not_negative("late", key, 0) for key in LATE},
        gradebook_url=read.optional("grading", "db_url"),
    )


@dataclass(frozen=True)
class Reader:
    """Reads typed values out of a parsed course.toml."""

    path: Path
    table: Mapping[str, Any]

    def __call__(self, section: str, key: str, kind: type | tuple[type, ...]) -> Any:
        """Return `[section] key`, which must be of the given kind."""
        value = self.table.get(section, {}).get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            wanted = {str: "string", int: "whole number", dt.date: "date"}.get(kind, "number")
            found = "is missing" if value is None else f"is {value!r}"
            self.fail(section, key, f"{found}; it must be a {wanted}.")
        return value

    def fail(self, section: str, key: str, problem: str) -> None:
        raise CourseError(f"{self.path}: [{section}] {key} {problem}")

    def optional(self, section: str, key: str) -> str:
        """Return a string, empty if there is none."""
        return self(section, key, str) if key in self.table.get(section, {}) else ""

    def positive(self, section: str, key: str) -> float:
        """Return a number above zero."""
        value = self(section, key, (int, float))
        if value <= 0:
            self.fail(section, key, f"is {value!r}; it must be above zero.")
        return value

    def not_negative(self, section: str, key: str, default: float) -> float:
        """Return a number of zero or more, or the default where there is none."""
        if key not in self.table.get(section, {}):
            return default
        value = self(section, key, (int, float))
        if value < 0:
            self.fail(section, key, f"is {value!r}; it must not be below zero.")
        return value

    def limits(self, section: str) -> Limits:
        """Return what a submission may use: two times, and whole numbers with defaults."""
        times = {"cell_seconds", "notebook_seconds"}
        sizes = {field.name for field in fields(Limits)} & set(self.table.get(section, {})) - times
        for key in sizes:
            self(section, key, int)
        return Limits(**{key: self.positive(section, key) for key in times | sizes})

    def zone(self, section: str, key: str) -> str:
        """Return the name of a time zone that exists."""
        name = self(section, key, str)
        if tz.gettz(name) is None:
            self.fail(section, key, f'is {name!r}; write an IANA name like "Europe/Paris".')
        return name

    def people(self, section: str) -> tuple[Mapping[str, str], ...]:
        """Return the tables `[[section]]`, each with a name and an email."""
        people = self.table.get(section, [])
        for person in people:
            for key in ("name", "email"):
                if not isinstance(person.get(key), str):
                    self.fail(section, key, 'is missing; write it like email = "ada@lovelace.org".')
        return tuple(people)

    def dates(self, section: str, key: str) -> Mapping[str, dt.date]:
        """Return a table of dates, one a module."""
        table = self.table.get(section, {}).get(key, {})
        for name, value in table.items():
            if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
                self.fail(section, f"{key}.{name}", f"is {value!r}; write it like 2027-02-01.")
        return table
