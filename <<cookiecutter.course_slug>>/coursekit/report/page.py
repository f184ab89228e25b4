"""report.html: what an instructor wants to know after grading, on one page that needs no network.

What students wrote can be part of findings and names, so the template escapes everything, and the
page's own policy lets a browser run nothing but the script that sorts the tables.
"""

import datetime as dt
import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from coursekit import files, notebook, pages
from coursekit.assignment import stored
from coursekit.course import Course, Module, Workspace, naive_utc
from coursekit.grades import Cell, ModuleRecord
from coursekit.grading.results import Result, Results

BINS = 20  # of the histograms: 5 % of the points each
HAIR = 1e-9  # points; less is the noise of adding floats
LONGEST = 300  # characters of one finding
# Control characters, and those that turn the direction of the text after them.
# Lone surrogates, which a file's name or a student's text can hold, are no UTF-8.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


@dataclass(frozen=True)
class Tally:
    """How everyone whose work ran did on one graded cell. Shares are between 0 and 1."""

    cell: Cell
    title: str  # "Exercise 3: Predict a broadcast"
    marked: int  # those whose answer is marked; of these have
    full: int
    partial: int
    zero: int
    mean: float | None  # share of the points; None if nobody's answer is marked


@dataclass(frozen=True)
class ModuleFigures:
    """One module, and what was handed in of it."""

    name: str
    due: dt.datetime | None  # in local time
    points: float
    results: Sequence[Result]
    tallies: Sequence[Tally]  # in the notebook's order
    early: Collection[str]  # students for whom it is not due yet
    missing: Sequence[str]  # students who should have handed it in, and have not

    def of(self, kind: str) -> list[Tally]:
        return [tally for tally in self.tallies if tally.cell.cell_type == kind]

    def worst(self, kind: str) -> Tally | None:
        """Return the cell of a kind where the largest share of points was lost."""
        known = [t for t in self.of(kind) if t.mean is not None and t.mean < 1 - HAIR]
        return min(known, key=lambda tally: tally.mean, default=None)

    @property
    def histogram(self) -> list[list[int]]:
        """Return how many totals fall in each bin: those marked throughout, those that wait."""
        bins = [[0, 0] for _ in range(BINS)]
        for result in self.results:
            bins[min(BINS - 1, int(result.share * BINS + HAIR))][result.waiting > 0] += 1
        return bins


def figures(
    course: Course, results: Results, students: Iterable[str], now: dt.datetime
) -> Iterator[ModuleFigures]:
    """Yield the figures of each module that anybody handed in; `now` is naive, in UTC."""
    for record in results.records:
        rows = [r for r in results.graded if r.module == record.module]
        if rows:
            most = max(row.points for row in rows)
            counted = list(tallies(course, record, [row for row in rows if row.ran]))
            due = record.due and record.due.replace(tzinfo=dt.UTC).astimezone(course.zone)
            dates = {student: record.extensions.get(student, record.due) for student in students}
            early = {student for student, day in dates.items() if day and day > now}
            missing = sorted(dates.keys() - early - {row.student for row in rows})
            yield ModuleFigures(record.module, due, most, rows, counted, early, missing)


def tallies(course: Course, record: ModuleRecord, rows: Sequence[Result]) -> Iterator[Tally]:
    """Count full, partial and no points of each graded cell, in the notebook's order."""
    built = stored(course, Module(course.modules_dir / record.module))
    titles = notebook.titles(built.get("cells", []))
    order = [*titles, *sorted(cell.name for cell in record.cells)]
    for cell in sorted(record.cells, key=lambda cell: order.index(cell.name)):
        if not cell.max_score:
            continue
        known = [s for row in rows if (s := row.scores.get(cell.name)) is not None]
        full = sum(score >= cell.max_score - HAIR for score in known)
        zero = sum(score <= HAIR for score in known)
        counts = len(known), full, len(known) - full - zero, zero
        mean = statistics.fmean(known) / cell.max_score if known else None
        yield Tally(cell, titles.get(cell.name, cell.name), *counts, mean)


def write(
    course: Course, workspace: Workspace, results: Results, strays: Iterable[str] = (),
    people: Mapping[str, tuple[str, str]] | None = None, *, over: bool = False,
) -> Path:  # fmt: skip
    """Write the page, in place of the one before only when all of it is written; return its path.

    `strays` are paths in submitted/ where no submission belongs; `people` are names and sections by
    id. A term that is over is one where all is due.
    """

    def link(result: Result, folder: str, suffix: str) -> str:
        """Return the address of a submission's file, "" if there is none."""
        parts = folder, result.student, result.module, result.notebook + suffix
        return quote("/".join(parts)) if workspace.root.joinpath(*parts).is_file() else ""

    env = pages.templates(__file__)
    env.filters |= {"cut": cut, "points": points, "percent": percent, "duration": duration}
    env.filters |= {"median": statistics.median, "mean": statistics.fmean}
    env.filters["link"] = link
    graded, made, people = results.graded, dt.datetime.now(course.zone), people or {}
    students = sorted({*results.students, *people})
    now = dt.datetime.max if over else naive_utc(made)
    modules = list(figures(course, results, students, now))
    handed_in = [{result.student: result for result in module.results} for module in modules]
    text = env.get_template("page.html.j2").render(
        course=course,
        made=made,
        roster=people,
        modules=modules,
        results=graded,
        missing={module.name: module.missing for module in modules if module.missing},
        untouched=[r.module for r in results.records if r.module not in {m.name for m in modules}],
        refused=[row for row in results.rows.values() if row.status in {"refused", "failed"}],
        strays=[*strays],
        repaired=grouped((note, result) for result in graded for note in result.state.repaired),
        broke=grouped((r.state.reason, r) for r in graded if r.ran and r.state.reason),
        table={student: [of.get(student) for of in handed_in] for student in students},
    )
    path = workspace.root / "report.html"
    files.write_text(path, text)
    return path


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
    """Return a time as `2 d 3 h` or `3 h 5 min`."""
    minutes = int(time.total_seconds() // 60)
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"
