"""course.toml, the modules, and where everything lies."""

import datetime as dt
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from dateutil import tz

from coursekit import settings
from coursekit.errors import CourseError

MODULE_NAME = re.compile(r"\d{2}_[a-z][a-z0-9_]*")
# Files of the package that no module exports: students get them, grading takes them from here.
PROVIDED = "__init__.py", "data.py", "digits.npz", "testing.py", "viz.py"


@dataclass(unsafe_hash=True)  # of its path alone
class Module:
    """One folder of modules/: `01_tensor` with its source `tensor_dev.py`."""

    path: Path

    def __post_init__(self) -> None:
        self.name = self.path.name  # nbgrader's assignment
        self.stem = self.name.partition("_")[2]  # `tensor`, the file of the package
        self.source = self.path / f"{self.stem}_dev.py"
        self.notebook = self.source.with_suffix(".ipynb")
        self.mutants = self.path / "mutants.toml"
        self.notes = self.path / "staff.md"  # for whoever teaches it

    @property
    def beside(self) -> list[Path]:
        """What students find beside the notebook: the README, data of any kind; nothing hidden."""
        own = {self.source, self.notebook, self.mutants, self.notes}
        return sorted(p for p in self.path.glob("[!.]*") if p.is_file() and p not in own)


@dataclass(frozen=True)
class Submission:
    """One folder submitted/STUDENT/MODULE/."""

    student: str
    module: Module
    folder: Path


@dataclass
class Workspace:
    """Where grading reads and writes: the course's folder, or its demo/."""

    root: Path
    gradebook: str = ""  # a database URL, if it is not a file in the folder

    def __post_init__(self) -> None:
        self.gradebook = self.gradebook or f"sqlite:///{self.root / 'gradebook.db'}"
        self.submitted = self.root / "submitted"
        self.autograded = self.root / "autograded"

    def graded(self, submission: Submission) -> Path:
        """Return the folder of one submission's autograded notebook and state."""
        return self.autograded / submission.student / submission.module.name

    def page(self, submission: Submission) -> Path:
        """Return the feedback page of one submission."""
        folder = self.root / "feedback" / submission.student / submission.module.name
        return folder / submission.module.notebook.with_suffix(".html").name


@dataclass
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
    schedule: Mapping[str, Any]  # the section of this name, complete
    kit: Mapping[str, list[str]]  # likewise
    grading: Mapping[str, Any]  # likewise
    late: Mapping[str, float]  # likewise
    standards: Mapping[str, Mapping[str, Any]]  # "" and modules: what `nox -s test` asks of them
    extension: tuple[Mapping[str, Any], ...] = ()  # each [[extension]]; of one student's the last

    def __post_init__(self) -> None:
        self.file = self.root / "course.toml"
        self.modules_dir = self.root / "modules"
        self.package_dir = self.root / self.package
        self.built = self.root / ".coursekit" / "built"  # what `build` leaves for `grade`
        self.zone = tz.gettz(self.timezone)
        # What workers are told of [grading]: db_url may hold a password, and is no rule of grades.
        self.rules = {name: value for name, value in self.grading.items() if name != "db_url"}

    @property
    def workspace(self) -> Workspace:
        """Where real work is graded; the gradebook is what course.toml says, or gradebook.db."""
        url = self.grading["db_url"]
        if url.startswith("$"):
            variable, url = url[1:], os.environ.get(url[1:])
            if not url:
                raise CourseError(
                    f"{self.file}: [grading] db_url is '${variable}', but there is no environment "
                    f"variable {variable}. Set it to the gradebook's address."
                )
        return Workspace(self.root, url)

    def due(self, module: Module) -> dt.datetime:
        """Return when a module is due: without a time of day at 23:59 in the course's time zone."""
        days, due = self.schedule["days_per_module"] * int(module.name[:2]), self.schedule["due"]
        try:
            usual = self.schedule["first_day"] + dt.timedelta(days)
            return self.moment(due.get(module.name, usual))
        except OverflowError:
            what = f"days_per_module: {module.name} would be due after the year 9999"
            raise CourseError(f"{self.file}: [schedule] {what}.") from None

    def moment(self, day: dt.date) -> dt.datetime:
        """Return a date's end, or a date and time, in the course's time zone."""
        if not isinstance(day, dt.datetime):
            day = dt.datetime.combine(day, dt.time(23, 59))
        return day.astimezone(self.zone) if day.tzinfo else day.replace(tzinfo=self.zone)

    def extensions(self, module: str) -> dict[str, dt.datetime]:
        """Return for whom a module is due at another time, and when: naive, in UTC."""
        of_it = [each for each in self.extension if each["module"] == module]
        return {each["student"]: naive_utc(self.moment(each["until"])) for each in of_it}

    def due_of(self, student: str, module: Module) -> dt.datetime:
        """Return when a module is due for one student: naive, in UTC."""
        return self.extensions(module.name).get(student, naive_utc(self.due(module)))

    def modules(self, names: list[str] | None = None) -> list[Module]:
        """Return the modules named (`01_tensor`, `tensor`, `01` or `1`), or all, in order."""
        folders = sorted(p for p in self.modules_dir.glob("*") if MODULE_NAME.fullmatch(p.name))
        found = [Module(folder) for folder in folders if folder.is_dir()]
        # Of a module that git removed, what `sync` made is left.
        found = [m for m in found if [*m.path.glob("[!.]*")] != [m.notebook]]
        for module in found:
            if not module.source.is_file():
                raise CourseError(f"{module.path}: its source {module.source.name} is missing.")
        for one, two in combinations(found, 2):  # of a stem there is one file in the package
            if one.name[:2] == two.name[:2] or one.stem == two.stem:
                same = "number" if one.stem != two.stem else "name"
                raise CourseError(f"{one.name} and {two.name} have the same {same}: rename one.")
        if not found:
            raise CourseError(f"{self.modules_dir}: there is no folder like 01_tensor, a module.")
        called = {m: {m.name, m.stem, m.name[:2], str(int(m.name[:2]))} for m in found}
        wanted = {name.rstrip("/") for name in names or []}
        if unknown := wanted - set().union(*called.values()):
            valid = ", ".join(module.name for module in found)
            raise CourseError(f"There is no module {unknown.pop()!r}. This course has: {valid}.")
        return [module for module in found if not wanted or called[module] & wanted]

    def is_draft(self, module: Module) -> bool:
        """Tell whether [standards] lets something in it be still to write."""
        return self.standards.get(module.name, self.standards[""])["draft"]

    def ready(self, also: Collection[Module] = ()) -> list[Module]:
        """Return all modules but drafts, and these; all, if there is nothing but drafts."""
        found = [m for m in self.modules() if m in also or not self.is_draft(m)]
        return found or self.modules()


def naive_utc(moment: dt.datetime) -> dt.datetime:
    """Return a moment as nbgrader stores it: in UTC, without a zone."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def load(root: Path) -> Course:
    """Read ROOT/course.toml. A CourseError names the line or the setting that is wrong."""
    path = root / "course.toml"
    course = Course(root.resolve(), **settings.read(path))
    if set("?%[]*") & {*str(course.root)}:  # of addresses of databases, and of patterns
        raise CourseError(f"{course.root}: move the course where none of ? % [ ] * is in its path.")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", course.slug):
        raise CourseError(f"{path}: [course] slug is {course.slug!r}: use a-z, 0-9 and -.")
    if course.zone is None or not course.timezone:
        raise CourseError(
            f"{path}: [course] timezone is {course.timezone!r}; write it like 'Europe/Paris'."
        )
    if not (course.package_dir / "__init__.py").is_file():
        raise CourseError(
            f"{path}: [course] package is {course.package!r}, but {course.package}/__init__.py "
            "does not exist. Rename the package's folder, too, and its name in the modules."
        )
    if (which := course.schedule["attempt"]) not in {"last", "best"}:
        raise CourseError(f"{path}: [schedule] attempt is {which!r}; it must be 'last' or 'best'.")
    named = [(f"[standards.{name}]", name) for name in course.standards if name]
    named += [("[kit] reference", name) for name in course.kit["reference"]]
    named += [(f"[[extension]] of {each['student']}", each["module"]) for each in course.extension]
    sections = {f"sections.{name}": days for name, days in course.schedule["sections"].items()}
    for of, days in {"due": course.schedule["due"], **sections}.items():
        if not isinstance(days, dict):
            raise CourseError(f"{path}: [schedule] {of} is {days!r}; make it [schedule.{of}].")
        for name, day in days.items():
            if not isinstance(day, dt.date) or not 1970 <= day.year < 9000:
                example = "write it like 2027-02-01 or 2027-02-01 12:00:00, from 1970 on"
                raise CourseError(f"{path}: [schedule] {of}.{name} is {day!r}; {example}.")
            named.append((f"[schedule.{of}]", name))
    for where, name in named:
        if not (course.modules_dir / name).is_dir():
            raise CourseError(f"{path}: {where}: no module {name!r}.")
    return course
