"""Grade a course's submissions, module by module, and write grades.csv and report.html."""

import gc
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coursekit import gradebook, intake, lock, report_page, sandbox, scores, state
from coursekit.cluster import Cluster, connected
from coursekit.course import Course, Module
from coursekit.desk import Desk
from coursekit.engine import Engine
from coursekit.feedback import Pages
from coursekit.intake import Submission
from coursekit.ledger import Ledger
from coursekit.nbgrader_settings import config
from coursekit.places import Places
from coursekit.reference import write_reference
from coursekit.sandbox import Place
from coursekit.scores import Result

AT_ONCE = 3  # submissions on their way for each worker, so that none has to wait


@dataclass(frozen=True)
class Round:
    """One round of grading of one course."""

    course: Course
    places: Places
    sandboxed: bool = True
    workers: int = 1
    scheduler: str = ""  # of a Dask cluster, to run students' code there and not here
    force: bool = False

    def run(
        self, submissions: list[Submission], each: Callable[[Submission], None] = lambda s: None
    ) -> list[Result]:
        """Grade submissions and return a row for each; `each` is called when one is done."""
        sandbox.check(wanted=self.sandboxed and not self.scheduler)
        ended: dict[tuple[str, str], str] = {}

        def report(submission: Submission, status: str) -> None:
            ended[submission.student, submission.module.name] = status
            each(submission)

        with (
            lock.held(self.places.root / ".grade.lock"),
            gradebook.alone(self.places.gradebook),
            Ledger(self.places.gradebook, self.course.slug) as ledger,
        ):
            try:
                self.grade(submissions, ledger, report)
            finally:
                rows = self.write_grades(ledger, ended)
        return [rows[key] for key in ended]

    def grade(
        self,
        submissions: list[Submission],
        ledger: Ledger,
        report: Callable[[Submission, str], None],
    ) -> None:
        """Grade submissions, one module after the other."""
        named = [s for s in submissions if intake.STUDENT_ID.fullmatch(s.student)]
        for stranger in set(submissions) - set(named):
            report(stranger, "refused")
        named.sort(key=lambda s: s.module.name)
        blanks = {m: ledger.blank(m.name) for m in {s.module for s in named}}
        pages = Pages(config(self.course))
        gc.freeze()  # what is here stays: do not look through it again for each submission
        with self.cluster() as dask:
            for module, group in itertools.groupby(named, key=lambda s: s.module):
                with self.engine(module, dask) as engine:
                    books = ledger, blanks[module], pages
                    desk = Desk(
                        self.course, module, self.places, *books, engine, report, self.force
                    )
                    desk.run(group, AT_ONCE * engine.size)

    def cluster(self) -> AbstractContextManager[Any]:
        """Connect to the scheduler, if there is one."""
        return connected(self.scheduler) if self.scheduler else nullcontext()

    @contextmanager
    def engine(self, module: Module, dask: Any) -> Iterator[Engine | Cluster]:
        """Keep an engine that runs students' code of one module, here or in a cluster."""
        scratch = self.places.root / ".coursekit" / "grading"
        shutil.rmtree(scratch, ignore_errors=True)  # of a round that was killed: this one is alone
        scratch.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix=f"{module.name}-", dir=scratch) as folder:
            path = Path(folder) / "reference"
            place = Place(write_reference(self.course, module.name, path), self.sandboxed)
            limits = self.course.limits
            engine = Cluster(dask, place, limits) if dask else Engine(place, limits, self.workers)
            try:
                yield engine
            finally:
                engine.shutdown(cancel_futures=True)

    def write_grades(
        self, ledger: Ledger, ended: dict[tuple[str, str], str]
    ) -> dict[tuple[str, str], Result]:
        """Write grades.csv and report.html: all of the gradebook, not only what was just graded."""
        known = list(state.read_all(self.places.autograded))
        states = {(student, module): found for student, module, found in known}
        rows = scores.all_rows(ledger, states, ended)
        scores.write_csv(rows.values(), self.places.root / "grades.csv")
        left_out = [row for row in rows.values() if row.status in {"refused", "failed"}]
        page = self.places.root / "report.html"
        strays = intake.strays(self.course, self.places.submitted)
        report_page.write(page, self.course, ledger.gradebook, known, left_out, strays)
        return rows
