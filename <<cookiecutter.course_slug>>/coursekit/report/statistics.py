"""The figures of report.html: how each module and each of its questions went."""

import datetime as dt
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from coursekit import notebook
from coursekit.assignment import stored
from coursekit.course import Course, Module
from coursekit.grades import Cell, ModuleRecord
from coursekit.grading.results import Result, Results

BINS = 20  # of the histograms: 5 % of the points each
HAIR = 1e-9  # points; less is the noise of adding floats


@dataclass(frozen=True)
class Tally:
    """How everyone whose work ran did on one graded cell. Shares are between 0 and 1."""

    cell: Cell
    title: str  # "Exercise 3: Predict a broadcast"
    full: int
    partial: int
    zero: int
    mean: float | None  # share of the points; None if nobody's answer is marked

    @property
    def marked(self) -> int:
        return self.full + self.partial + self.zero


@dataclass(frozen=True)
class ModuleFigures:
    """One module, and what was handed in of it."""

    name: str
    due: dt.datetime | None  # naive, in UTC
    results: Sequence[Result]
    tallies: Sequence[Tally]  # in the notebook's order

    @cached_property
    def points(self) -> float:
        return max((result.points for result in self.results), default=0.0)

    def of(self, kind: str) -> list[Tally]:
        return [tally for tally in self.tallies if tally.cell.cell_type == kind]

    def worst(self, kind: str) -> Tally | None:
        """Return the cell of a kind where the largest share of points was lost."""
        known = [t for t in self.of(kind) if t.mean is not None and t.mean < 1 - HAIR]
        return min(known, key=lambda tally: tally.mean, default=None)

    @cached_property
    def histogram(self) -> list[tuple[int, int]]:
        """Return how many totals fall in each bin: those marked throughout, those that wait."""
        bins = [[0, 0] for _ in range(BINS)]
        for result in self.results:
            bins[min(BINS - 1, int(result.share * BINS + HAIR))][result.waiting > 0] += 1
        return [(marked, waiting) for marked, waiting in bins]

    @property
    def highest(self) -> int:
        return max(sum(counts) for counts in self.histogram)

    @property
    def waiting(self) -> int:
        return sum(result.waiting > 0 for result in self.results)

    def known(self, name: str) -> list[float]:
        """Return a figure of each result, such as "total", where there is one."""
        values = map(attrgetter(name), self.results)
        return [value for value in values if value is not None]

    def median(self, name: str) -> float | None:
        known = self.known(name)
        return statistics.median(known) if known else None

    def mean(self, name: str) -> float | None:
        known = self.known(name)
        return statistics.fmean(known) if known else None


@dataclass(frozen=True)
class Figures:
    """Everything of a term."""

    students: Sequence[str]
    modules: Sequence[ModuleFigures]
    untouched: Sequence[str]  # modules that nobody handed in

    @cached_property
    def results(self) -> list[Result]:
        return [result for module in self.modules for result in module.results]


def figures(course: Course, results: Results) -> Figures:
    """Return the figures of all results that the gradebook has."""
    graded = [row for row in results.rows.values() if row.notebook]
    modules, untouched = [], []
    for record in results.records:
        if rows := [row for row in graded if row.module == record.module]:
            counted = tallies(course, record, rows)
            modules.append(ModuleFigures(record.module, record.due, rows, counted))
        else:
            untouched.append(record.module)
    return Figures(results.students, modules, untouched)


def tallies(course: Course, record: ModuleRecord, rows: Sequence[Result]) -> list[Tally]:
    """Count full, partial and no points of each graded cell, in the notebook's order."""
    built = stored(course, Module(course.modules_dir / record.module))
    titles = notebook.titles(built.get("cells", []))
    place = {name: number for number, name in enumerate(titles)}
    cells = [cell for cell in record.cells if cell.max_score]
    cells.sort(key=lambda cell: (place.get(cell.name, len(place)), cell.name))
    ran = [row for row in rows if row.ran]
    return [tally(cell, titles.get(cell.name, cell.name), ran) for cell in cells]


def tally(cell: Cell, title: str, rows: Sequence[Result]) -> Tally:
    scores = [row.scores.get(cell.name) for row in rows]
    known = [score for score in scores if score is not None]
    full = sum(score >= cell.max_score - HAIR for score in known)
    zero = sum(score <= HAIR for score in known)
    mean = statistics.fmean(known) / cell.max_score if known else None
    return Tally(cell, title, full, len(known) - full - zero, zero, mean)
