"""What a person sees while and after grading."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coursekit.course import Submission
from coursekit.grading.results import Result


class Rate(bars.ProgressColumn):
    """Shows how many submissions are done in a second."""

    def render(self, task: bars.Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[Submission], None]]:
    """Show a progress bar: submissions done, how fast, time gone and left. Yield what moves it."""
    times = bars.TimeElapsedColumn(), "left", bars.TimeRemainingColumn()
    columns = "Grading", bars.BarColumn(), bars.MofNCompleteColumn(), Rate(), *times
    who = bars.TextColumn("{task.description}", markup=False)
    with bars.Progress(*columns, who, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda submission: bar.update(task, advance=1, description=submission.student)


def table(results: list[Result]) -> Table:
    """Return results as a table, one row a submission."""
    shown = Table(title="Grades", title_justify="left")
    shown.add_column("student", overflow="fold", max_width=40)  # a mail address, at times
    for name in ("module", "status"):
        shown.add_column(name, no_wrap=True)
    for name in ("automatic", "written", "total"):
        shown.add_column(name, justify="right")
    shown.add_column("note", overflow="fold")
    for r in results:
        marked = f"{r.written:g}/{r.written_max:g}" if r.written is not None else "to mark"
        written = marked if r.written_max else ""
        automatic = f"{r.automatic:g}/{r.automatic_max:g}"
        shown.add_row(r.student, r.module, r.status, automatic, written, f"{r.total:g}", r.note)
    return shown


def summary(results: list[Result]) -> str:
    """Return one line that counts the rows by status, and those that wait for a person."""
    counts = Counter(result.status for result in results)
    parts = [f"{count} {status}" for status, count in sorted(counts.items())]
    return ", ".join([*parts, f"{sum(r.waiting > 0 for r in results)} to mark"]) + "."
