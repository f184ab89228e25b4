"""course.toml, the modules, and where everything lies."""

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dateutil import tz

from coursekit import settings
from coursekit.errors import CourseError

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
    def names(self) -> set[str]:
        """What people may call it: its name, its number or the rest of its name."""
        number = self.name[:2]
        return {self.name, self.stem, number, number.lstrip("0")}

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
    schedule: Mapping[str, Any]  # the section of this name, complete
    grading: Mapping[str, Any]  # likewise
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
        rhythm = dt.timedelta(days=self.schedule["days_per_module"] * int(module.name[:2]))
        day = self.schedule["due"].get(module.name, self.schedule["first_day"] + rhythm)
        return dt.datetime.combine(day, dt.time(23, 59), self.zone)

    def due_utc(self, module: Module) -> dt.datetime:
        """Return when a module is due as nbgrader stores dates: in UTC, without a zone."""
        return self.due(module).astimezone(dt.UTC).replace(tzinfo=None)

    def modules(self, names: list[str] | None = None) -> list[Module]:
        """Return the modules named (`01_tensor`, `tensor`, `01` or `1`), or all, in order."""
        folders = sorted(p for p in self.modules_dir.glob("*") if MODULE_NAME.fullmatch(p.name))
        found = [Module(folder) for folder in folders if folder.is_dir()]
        for module in found:
            if not module.source.is_file():
                raise CourseError(
                    f"{module.path}: {module.source.name} is missing.\n"
                    f"A module folder NN_name holds its source as name_dev.py."
                )
        if not found:
            raise CourseError(
                f"{self.modules_dir}: no modules here. A module is a folder like 01_tensor."
            )
        known = {name: module for module in found for name in module.names}
        wanted = [name.rstrip("/") for name in names or known]
        if unknown := [name for name in wanted if name not in known]:
            valid = ", ".join(module.name for module in found)
            raise CourseError(f"There is no module {unknown[0]!r}. This course has: {valid}.")
        return [module for module in found if module.names & set(wanted)]


def sqlite(path: Path) -> str:
    """Return the address of a gradebook in a file."""
    return f"sqlite:///{path}"


def load(root: Path) -> Course:
    """Read ROOT/course.toml. A CourseError names the line or the setting that is wrong."""
    path = root / "course.toml"
    course = Course(root.resolve(), **settings.read(path))
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
    for name, day in course.schedule["due"].items():
        if type(day) is not dt.date:
            raise CourseError(
                f"{path}: [schedule] due.{name} is {day!r}; write it like 2027-02-01."
            )
        if not (course.modules_dir / name).is_dir():
            raise CourseError(f"{path}: [schedule.due] names no module of this course: {name}.")
    return course
