"""report.html: what an instructor wants to know after grading, on one page that needs no network.

What students wrote can be part of findings and names, so the template escapes everything, and the
page's own policy lets a browser run nothing but the script that sorts the tables.
"""

import base64
import datetime as dt
import hashlib
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from coursekit import files
from coursekit.course import Course, Workspace
from coursekit.grading.results import Result, Results
from coursekit.report.statistics import HAIR, Figures, figures

TEMPLATE = Path(__file__).with_suffix(".html.j2")
LONGEST = 300  # characters of one finding
MOST = 8  # findings of one submission
SLOWEST = 15
# Control characters, and those that turn the direction of the text after them.
# Lone surrogates, which a file's name or a student's text can hold, are no UTF-8.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def write(
    course: Course, workspace: Workspace, results: Results, strays: Iterable[str] = ()
) -> Path:
    """Write the page, in place of the one before only when all of it is written; return its path.

    `strays` are paths in submitted/ where no submission belongs.
    """
    left_out = [row for row in results.rows.values() if row.status in {"refused", "failed"}]
    page = Page(workspace.root, course, figures(course, results), left_out, [*strays])
    template = environment().get_template(TEMPLATE.name)
    path = workspace.root / "report.html"
    files.write_text(path, template.render(page=page, course=course, figures=page.figures))
    return path


def environment() -> Environment:
    """Return Jinja as the template wants it: everything is escaped, a wrong name is an error."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {"cut": cut, "points": points, "percent": percent, "sha256": sha256}
    env.filters |= {"duration": duration, "flags": flags}
    return env


@dataclass(frozen=True)
class Row:
    """One student in the table of all modules."""

    student: str
    results: list[Result | None]  # in the order of the modules
    possible: float  # points

    @property
    def sum(self) -> float:
        return sum(result.total for result in self.results if result)

    @property
    def share(self) -> float | None:
        return min(1.0, self.sum / self.possible) if self.possible else None


@dataclass(frozen=True)
class Page:
    """What the template asks for beyond plain figures."""

    folder: Path  # of the page: links are relative to it
    course: Course
    figures: Figures
    refused: list[Result]  # or failed by a fault of ours: in submitted/, and not graded
    strays: list[str]

    most = MOST

    @cached_property
    def made(self) -> dt.datetime:
        return dt.datetime.now(self.course.zone)

    def local(self, utc: dt.datetime) -> dt.datetime:
        """Return a date of the gradebook, which is in UTC and says so nowhere, in local time."""
        return utc.replace(tzinfo=dt.UTC).astimezone(self.course.zone)

    def feedback(self, result: Result) -> str:
        return self.link("feedback", result, ".html")

    def notebook(self, result: Result) -> str:
        return self.link("autograded", result, ".ipynb")

    def link(self, folder: str, result: Result, suffix: str) -> str:
        """Return the address of a submission's file, "" if there is none."""
        parts = folder, result.student, result.module, result.notebook + suffix
        return quote("/".join(parts)) if self.folder.joinpath(*parts).is_file() else ""

    @property
    def repaired(self) -> list[tuple[str, list[Result]]]:
        """Return what was repaired, the most frequent first, and in whose work."""
        return grouped((note, r) for r in self.figures.results for note in r.state.repaired)

    @property
    def broke(self) -> list[tuple[str, list[Result]]]:
        """Return what broke first in work that was graded, the most frequent first."""
        ran = [result for result in self.figures.results if result.ran]
        return grouped((result.state.reason, result) for result in ran if result.state.reason)

    def by_module(self, results: list[Result]) -> list[tuple[str, list[Result]]]:
        return sorted(grouped((result.module, result) for result in results))

    @property
    def slowest(self) -> list[Result]:
        results = sorted(self.figures.results, key=lambda result: -result.state.seconds)
        return [result for result in results[:SLOWEST] if result.state.seconds]

    @property
    def median_seconds(self) -> float:
        return statistics.median(r.state.seconds for r in self.figures.results if r.state.seconds)

    @property
    def table(self) -> list[Row]:
        """Return everyone's work in every module."""
        by_student = [{r.student: r for r in m.results} for m in self.figures.modules]
        return [
            Row(student, [of.get(student) for of in by_student], self.possible)
            for student in self.figures.students
        ]

    @cached_property
    def possible(self) -> float:
        """Return the points of all modules that anyone handed in."""
        return sum(module.points for module in self.figures.modules)


def grouped(pairs: Iterable[tuple]) -> list[tuple]:
    """Return each key with all its values, those with the most values first."""
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def cut(text: str, length: int = LONGEST) -> str:
    """Return a text of a student's making: not too long, and nothing in it that hides."""
    shown = UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text[:length])
    return shown if len(text) <= length else f"{shown} … ({len(text) - length} characters more)"


def points(value: float | None) -> str:
    """Return points with at most one decimal."""
    return "–" if value is None else f"{round(value, 1):.10g}"


def percent(share: float | None) -> str:
    """Return a share as a whole percentage; 100% is all of it, 0% nothing."""
    if share is None:
        return "–"
    whole = round(100 * share)
    if HAIR < share < 1 - HAIR:
        whole = min(99, max(1, whole))
    return f"{whole}%"


def duration(time: dt.timedelta) -> str:
    """Return a time as `2 d 3 h` or `5 min`."""
    minutes = int(time.total_seconds() // 60)
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"


def flags(result: Result) -> str:
    """Return a letter for each thing to know beside a total; the page has the key."""
    known = {
        "L": result.late,
        "!": result.state.suspicious,
        "×": not result.ran,
        "?": result.waiting,
    }
    return "".join(letter for letter, holds in known.items() if holds)


def sha256(script: str) -> str:
    """Return the digest by which a page's policy names the one script that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
