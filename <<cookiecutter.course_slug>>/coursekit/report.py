"""What a person sees while and after grading."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from coursekit.scores import Result


@contextmanager
def progress(console: Console, total: int) -> Iterator[Progress]:
    """Show a progress bar with the submissions done, the time gone and the time left."""
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task("", total=total)
        yield bar


def summary(results: list[Result]) -> str:
    """Return one line that counts the rows by status, and those that wait for a person."""
    counts = Counter(result.status for result in results)
    parts = [f"{count} {status}" for status, count in sorted(counts.items())]
    waiting = sum(result.written is None for result in results if result.status != "refused")
    return ", ".join([*parts, f"{waiting} to mark"]) + "."


def table(results: list[Result]) -> Table:
    """Return the results as a table, one row a submission."""
    shown = Table(title="Grades", title_justify="left")
    for name in ("student", "module", "status"):
        shown.add_column(name, no_wrap=True)
    for name in ("automatic", "written", "total"):
        shown.add_column(name, justify="right")
    shown.add_column("note", overflow="fold")
    for r in sorted(results, key=lambda r: (r.module, r.student)):
        written = "to mark" if r.written is None else f"{r.written:g}/{r.written_max:g}"
        automatic = f"{r.automatic:g}/{r.automatic_max:g}"
        shown.add_row(r.student, r.module, r.status, automatic, written, f"{r.total:g}", r.note)
    return shown
