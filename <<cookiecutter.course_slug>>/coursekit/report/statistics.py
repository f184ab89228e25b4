"""The figures of report.html: how each module and each of its questions went."""

import datetime as dt
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

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
    marked: int  # those whose answer is marked; of these have
    full: int
    partial: int
    zero: int
    mean: float | None  # share of the points; None if nobody's answer is marked


@dataclass(frozen=True)
class ModuleFigures:
    """One module, and what was handed in of it."""

    name: str
    due: dt.datetime | None  # naive, in UTC
    points: float
    results: Sequence[Result]
    tallies: Sequence[Tally]  # in the notebook's order

    def of(self, kind: str) -> list[Tally]:
        return [tally for tally in self.tallies if tally.cell.cell_type == kind]

    def worst(self, kind: str) -> Tally | None:
        """Return the cell of a kind where the largest share of points was lost."""
        known = [t for t in self.of(kind) if t.mean is not None and t.mean < 1 - HAIR]
        return min(known, key=lambda tally: tally.mean, default=None)

    @cached_property
    def histogram(self) -> list[list[int]]:
        """Return how many totals fall in each bin: those marked throughout, those that wait."""
        bins = [[0, 0] for _ in range(BINS)]
        for result in self.results:
            bins[min(BINS - 1, int(result.share * BINS + HAIR))][result.waiting > 0] += 1
        return bins


def figures(course: Course, results: Results) -> Iterator[ModuleFigures]:
    """Yield the figures of each module that anybody handed in."""
    for record in results.records:
        rows = [r for r in results.graded if r.module == record.module]
        if rows:
            most = max(row.points for row in rows)
            counted = list(tallies(course, record, [row for row in rows if row.ran]))
            yield ModuleFigures(record.module, record.due, most, rows, counted)


def tallies(course: Course, record: ModuleRecord, rows: Sequence[Result]) -> Iterator[Tally]:
    """Count full, partial and no points of each graded cell, in the notebook's order."""
    built = stored(course, Module(course.modules_dir / record.module))
    titles = notebook.titles(built.get("cells", []))
    place = {name: number for number, name in enumerate(titles)}
    cells = [cell for cell in record.cells if cell.max_score]
    for cell in sorted(cells, key=lambda cell: (place.get(cell.name, len(place)), cell.name)):
        known = [s for row in rows if (s := row.scores.get(cell.name)) is not None]
        full = sum(score >= cell.max_score - HAIR for score in known)
        zero = sum(score <= HAIR for score in known)
        counts = len(known), full, len(known) - full - zero, zero
        mean = statistics.fmean(known) / cell.max_score if known else None
        yield Tally(cell, titles.get(cell.name, cell.name), *counts, mean)
