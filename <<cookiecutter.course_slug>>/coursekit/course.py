"""course.toml, the modules, and where everything lies."""

import datetime as dt
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dateutil import tz

from coursekit.errors import CourseError

REQUIRED = object()  # stands for the default of a setting that must be there
MODULE_NAME = re.compile(r"\d{2}_[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Setting:
    """One setting of course.toml: what it must be, and what it is where it is not there."""

    kind: type
    default: Any = REQUIRED
    least: float | None = None  # of a number; 0 itself is allowed only if `zero`
    zero: bool = True


def positive(kind: type, default: float) -> Setting:
    return Setting(kind, default, least=0, zero=False)


# [section] and its settings. A number of kind float may be written as a whole number.
SETTINGS: dict[str, dict[str, Setting]] = {
    "course": {
        name: Setting(str)
        for name in ("title", "slug", "package", "term", "institution", "timezone")
    },
    "staff": {"name": Setting(str), "email": Setting(str)},  # several: [[staff]]
    "schedule": {
        "first_day": Setting(dt.date),
        "days_per_module": Setting(int),
        "due": Setting(dict, {}),
    },
    "grading": {
        "cell_seconds": positive(float, 10),
        "notebook_seconds": positive(float, 120),
        "memory_mb": positive(int, 2048),
        "processes": positive(int, 32),
        "disk_mb": positive(int, 64),
        "output_kb": positive(int, 256),
        "file_mb": positive(float, 20),
        "drop": Setting(list, []),
        "db_url": Setting(str, ""),
    },
    "late": {
        name: Setting(float, 0, least=0)
        for name in ("percent_per_day", "grace_minutes", "zero_after_days")
    },
}
KINDS = {str: "string", int: "whole number", float: "number", dt.date: "date", list: "list"}


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
class Submission:
    """One folder submitted/STUDENT/MODULE/."""

    student: str
    module: Module
    folder: Path


@dataclass(frozen=True)
class Workspace:
    """Where grading reads and writes: the course's folder, or its demo/."""

    root: Path
    gradebook: str  # a database URL

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    def graded(self, submission: Submission) -> Path:
        """Return the folder of one submission's autograded notebook and state."""
        return self.autograded / submission.student / submission.module.name

    def page(self, submission: Submission) -> Path:
        """Return the feedback page of one submission."""
        folder = self.root / "feedback" / submission.student / submission.module.name
        return folder / submission.module.notebook.with_suffix(".html").name


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
    grading: Mapping[str, Any]  # the section of this name, complete
    late: Mapping[str, float]  # likewise

    @property
    def file(self) -> Path:
        return self.root / "course.toml"

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
    def built(self) -> Path:
        """The folder of what `build` leaves for `grade` (assignment.py)."""
        return self.root / ".coursekit" / "built"

    @property
    def zone(self) -> dt.tzinfo:
        return tz.gettz(self.timezone)  # type: ignore[return-value]

    @property
    def workspace(self) -> Workspace:
        """Where real work is graded; the gradebook is what course.toml says, or gradebook.db."""
        url = self.grading["db_url"]
        if url.startswith("$"):
            if not os.environ.get(url[1:]):
                raise CourseError(
                    f"{self.file}: [grading] db_url is {url!r}, but there is no environment "
                    f"variable {url[1:]}. Set it to the gradebook's address."
                )
            url = os.environ[url[1:]]
        return Workspace(self.root, url or sqlite(self.root / "gradebook.db"))

    def due(self, module: Module) -> dt.datetime:
        """Return when a module is due: 23:59 in the course's time zone."""
        days = self.days_per_module * int(module.name[:2])
        day = self.due_dates.get(module.name, self.first_day + dt.timedelta(days=days))
        return dt.datetime.combine(day, dt.time(23, 59), self.zone)

    def due_utc(self, module: Module) -> dt.datetime:
        """Return when a module is due as nbgrader stores dates: in UTC, without a zone."""
        return self.due(module).astimezone(dt.UTC).replace(tzinfo=None)

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
    """Read ROOT/course.toml. A CourseError names the line or the setting that is wrong."""
    path = root / "course.toml"
    table = parsed(path)
    refuse_unknown(path, table)
    sections = {name: section(path, table, name) for name in SETTINGS if name != "staff"}
    schedule = sections["schedule"]
    course = Course(
        root=root.resolve(),
        **sections["course"],
        staff=staff(path, table.get("staff", [])),
        first_day=schedule["first_day"],
        days_per_module=schedule["days_per_module"],
        due_dates=dates(path, schedule["due"]),
        grading=sections["grading"],
        late=sections["late"],
    )
    check(path, course)
    return course


def parsed(path: Path) -> dict[str, Any]:
    """Return the tables of a course.toml; a byte order mark at its start says nothing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CourseError(f"{path} is missing: run this from the folder of your course.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise CourseError(f"{path}: line {line} is not in UTF-8. Save the file in UTF-8.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{path} is not valid TOML: {error}.") from None


def refuse_unknown(path: Path, table: Mapping[str, Any]) -> None:
    """Raise a CourseError for the first section or key that nothing reads: a misspelt one, say."""
    for name, value in table.items():
        if name not in SETTINGS:
            raise CourseError(f"{path}: there is no section [{name}]{meant(name, SETTINGS)}")
        several = name == "staff"
        tables = value if several and isinstance(value, list) else [value]
        if isinstance(value, list) != several or not all(isinstance(t, dict) for t in tables):
            form = f"[[{name}]]" if several else f"[{name}]"
            often = "once or more" if several else "once"
            raise CourseError(f"{path}: {name} must be a section {form}, {often}.")
        for key in sorted({key for each in tables for key in each} - set(SETTINGS[name])):
            raise CourseError(f"{path}: [{name}] has no setting {key}{meant(key, SETTINGS[name])}")


def meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: the known name that is most like this one, or all of them."""
    like = get_close_matches(name, known, 1)
    return f"; did you mean {like[0]}?" if like else f". Known are {', '.join(sorted(known))}."


def section(path: Path, table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of one section, each of its kind, defaults where there are none."""
    given = table.get(name, {})
    return {key: value_of(path, name, key, given.get(key, s.default), s)
            for key, s in SETTINGS[name].items()}  # fmt: skip


def value_of(path: Path, section: str, key: str, value: Any, setting: Setting) -> Any:
    """Return a value if it is what the setting must be."""
    kinds = (int, float) if setting.kind is float else setting.kind
    if value is REQUIRED or not isinstance(value, kinds) or type(value) in (bool, dt.datetime):
        found = "is missing" if value is REQUIRED else f"is {value!r}"
        wanted = KINDS.get(setting.kind, f"section [{section}.{key}]")
        raise CourseError(f"{path}: [{section}] {key} {found}; it must be a {wanted}.")
    if setting.least is not None and (value < setting.least or (value == 0 and not setting.zero)):
        least = "not be below zero" if setting.zero else "be above zero"
        raise CourseError(f"{path}: [{section}] {key} is {value!r}; it must {least}.")
    return value


def staff(path: Path, people: list[dict[str, Any]]) -> tuple[Mapping[str, str], ...]:
    """Return the tables `[[staff]]`, each with a name and an email."""
    for person in people:
        for key in ("name", "email"):
            if not isinstance(person.get(key), str):
                raise CourseError(
                    f'{path}: [staff] {key} is missing; write it like email = "ada@lovelace.org".'
                )
    return tuple(people)


def dates(path: Path, table: Mapping[str, Any]) -> Mapping[str, dt.date]:
    """Return the table [schedule.due]: a date for each module named in it."""
    for name, value in table.items():
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise CourseError(
                f"{path}: [schedule] due.{name} is {value!r}; write it like 2027-02-01."
            )
    return table


def check(path: Path, course: Course) -> None:
    """Raise a CourseError where settings do not fit what is there."""
    if tz.gettz(course.timezone) is None:
        raise CourseError(
            f"{path}: [course] timezone is {course.timezone!r}; "
            'write an IANA name like "Europe/Paris".'
        )
    if not (course.package_dir / "__init__.py").is_file():
        raise CourseError(
            f"{path}: [course] package is {course.package!r}, but {course.package}/__init__.py "
            "does not exist. Rename the package's folder, too, and its name in the modules."
        )
    if unknown := sorted(set(course.due_dates) - {p.name for p in course.modules_dir.glob("*")}):
        raise CourseError(f"{path}: [schedule.due] names no module of this course: {unknown[0]}.")
