"""Where the submissions of one module are graded: begun, run by the engine, finished.

What is marked as done (state.py) was done completely, in the gradebook and on disk. So after a
crash the same command goes on, and gives what an unbroken run would have given.
"""

import concurrent.futures as cf
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import nbformat
from nbformat import NotebookNode

from coursekit import files, intake, jobs, notebook, state
from coursekit.course import Course, Module
from coursekit.engine import Outcome
from coursekit.errors import CourseError, Ungradable
from coursekit.feedback import Pages, write_refusal
from coursekit.intake import Submission
from coursekit.ledger import Blank, Entry, Ledger
from coursekit.places import Places
from coursekit.state import State
from coursekit.steps import Steps


@dataclass
class Work:
    """One submission on its way."""

    submission: Submission
    nb: NotebookNode
    entry: Entry
    state: State
    outcome: Outcome | None = None  # of the run with hidden tests


@dataclass
class Desk:
    """Grades submissions of one module. It alone decides and writes; the engine runs code."""

    course: Course
    module: Module
    places: Places
    ledger: Ledger
    blank: Blank
    pages: Pages
    engine: Executor
    report: Callable[[Submission, str], None]  # is told how each submission ended
    force: bool = False
    waiting: dict[Future[Outcome], Work] = field(default_factory=dict)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        return self.ledger.entries(self.blank)

    @cached_property
    def steps(self) -> Steps:
        return Steps(self.course, self.module, self.blank)

    @cached_property
    def tests(self) -> bytes:
        """Return what decides about grades besides the submissions."""
        cells = [(name, cell.source) for name, cell in self.blank.source.items()]
        points = [(mark.name, mark.max_score) for mark in self.blank.marks]
        return repr((sorted(cells), sorted(points), self.course.limits)).encode()

    def run(self, submissions: Iterable[Submission], at_once: int) -> None:
        """Grade submissions, this many on their way at a time."""
        for submission in submissions:
            with self.troubles(submission):
                self.begin(submission)
            while len(self.waiting) >= at_once:
                self.collect()
        while self.waiting:
            self.collect()

    @contextmanager
    def troubles(self, submission: Submission) -> Iterator[None]:
        """Give 0 to what cannot be graded; let no fault of ours stop the others."""
        try:
            yield
        except Ungradable as error:
            self.zero(submission, str(error))
        except CourseError:
            raise
        except Exception as error:
            reason = f"failed: {type(error).__name__}: {error}"
            state.write(self.places.graded(submission), State(status="failed", reason=reason))
            self.report(submission, "failed")

    def begin(self, submission: Submission) -> None:
        """Send a submission to the engine, unless it is what was graded last time."""
        key = digest(self.tests, *intake.contents(submission))
        last = state.read(self.places.graded(submission))
        entry = self.entries.get(submission.student) or self.blank.entry(submission.student)
        if last.key == key and entry.id and not self.force:
            return self.unchanged(submission, entry, last)
        taken = intake.take(submission)
        entry.handed_in = taken.handed_in
        repaired = [*taken.repaired, *self.steps.sanitize(taken.nb)]
        now = State(key=key, status="graded", repaired=tuple(repaired))
        work = Work(submission, taken.nb, entry, now)
        self.waiting[self.engine.submit(self.steps.job(work.nb))] = work

    def collect(self) -> None:
        """Wait for the engine, and go on with what it has done."""
        done, _ = cf.wait(self.waiting, return_when=cf.FIRST_COMPLETED)
        for future in done:
            work = self.waiting.pop(future)
            with self.troubles(work.submission):
                self.take(work, future.result())

    def take(self, work: Work, outcome: Outcome) -> None:
        """Score a run; where tests failed, run again without the hidden ones, for the student."""
        if work.outcome:
            jobs.show(work.nb, outcome)
            return self.publish(work)
        work.outcome = outcome
        self.score(work)
        tests = [cell.outputs for cell in work.nb.cells if notebook.is_test(cell)]
        odd = [out for out in tests if notebook.fails(out) and not notebook.not_done(out)]
        if odd and not jobs.stopped(outcome):
            again = self.engine.submit(self.steps.job(work.nb, hidden=False))
            self.waiting[again] = work
        else:
            self.publish(work)

    def score(self, work: Work) -> None:
        """Write a run's scores into its entry, and what a person should know into its state."""
        self.ledger.refresh(self.blank, work.entry)
        marks = work.entry.marks.values()
        settled = [m for m in marks if m.manual_score is not None and not m.needs_manual_grade]
        self.steps.finish(work.nb, work.outcome, work.entry)
        before, now = self.answers(work.submission) if settled else {}, answers(work.nb)
        for mark in settled:  # nbgrader asks for all of them again
            mark.needs_manual_grade = before.get(mark.name) != now.get(mark.name)
        work.state = replace(
            work.state,
            marks=self.standing(work.entry),
            reason="; ".join(explain(work.nb, work.outcome)),
            suspicious=self.steps.suspicions(work.nb, work.outcome),
            seconds=round(work.outcome.seconds, 3),
        )

    def answers(self, submission: Submission) -> dict[str, str]:
        """Return the written answers as they were graded last time."""
        path = self.places.graded(submission) / submission.module.notebook.name
        return answers(nbformat.read(path, as_version=4)) if path.is_file() else {}

    def publish(self, work: Work) -> None:
        """Make all of it visible: the scores, the autograded notebook, the feedback page."""
        folder = self.places.graded(work.submission)
        state.forget(folder)
        self.ledger.save(self.blank, work.entry)
        files.write_text(folder / self.module.notebook.name, json.dumps(work.nb) + "\n")
        for path in self.module.beside:
            files.copy(path, folder / path.name)
        page = self.places.page(work.submission)
        self.pages.write(work.nb, work.entry, page, work.state.repaired)
        state.write(folder, work.state)
        self.report(work.submission, "graded")

    def unchanged(self, submission: Submission, entry: Entry, last: State) -> None:
        """Renew the feedback page of a submission that was graded before, if marked since."""
        folder, page = self.places.graded(submission), self.places.page(submission)
        graded = folder / submission.module.notebook.name
        renew = last.marks != self.standing(entry) or not page.is_file()
        if renew and graded.is_file():
            self.ledger.refresh(self.blank, entry)
            self.steps.penalize(entry)
            self.ledger.save(self.blank, entry)
            self.pages.write(nbformat.read(graded, as_version=4), entry, page, last.repaired)
            state.write(folder, replace(last, marks=self.standing(entry)))
        self.report(submission, "zero" if last.status == "zero" else "unchanged")

    def zero(self, submission: Submission, reason: str) -> None:
        """Record 0 for every cell, and say why on the feedback page; marks by hand stay."""
        entry = self.entries.get(submission.student) or self.blank.entry(submission.student)
        self.ledger.refresh(self.blank, entry)
        for mark in entry.marks.values():
            mark.auto_score, mark.needs_manual_grade = 0, mark.manual_score is not None
        self.steps.penalize(entry)
        folder = self.places.graded(submission)
        state.forget(folder)
        self.ledger.save(self.blank, entry)
        (folder / submission.module.notebook.name).unlink(missing_ok=True)
        write_refusal(self.places.page(submission), reason)
        key = digest(self.tests, *intake.contents(submission))
        done = State(key=key, marks=self.standing(entry), status="zero", reason=reason)
        state.write(folder, done)
        self.report(submission, "zero")

    def standing(self, entry: Entry) -> str:
        """Return a digest of what may change after grading: marks by hand, and what is late."""
        return digest(repr((entry.by_hand(), entry.due, dict(self.course.late))).encode())


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def answers(nb: NotebookNode) -> dict[str, str]:
    """Return the cells that people mark, by grade_id."""
    return {notebook.grade_id(cell): cell.source for cell in filter(notebook.is_answer, nb.cells)}


def explain(graded: NotebookNode, outcome: Outcome) -> Iterator[str]:
    """Yield what a person should know about a run: what broke first, what ended it early."""
    broken, slow, ended, loud = [], [], [], []
    for cell in filter(notebook.is_code, graded.cells):
        errors = [o.ename for o in cell.outputs if o.output_type == "error"]
        name = notebook.grade_id(cell) or "a cell of the student's own"
        if "CellTimeoutError" in errors:
            slow.append(f"{name} ran out of time")
        elif "DeadKernelError" in errors:
            ended.append(f"{jobs.unfinished(outcome)}, in {name}")
        elif notebook.is_test(cell) and notebook.on_stderr(cell.outputs):
            loud.append(name)
        elif set(errors) - {"NotImplementedError"} and not notebook.meta(cell).get("locked"):
            broken.append(f"{name}: {intake.shown(errors[0])}")
    if outcome.ended == "the notebook ran out of time":
        slow = ["its cells together ran out of time"]
    yield from broken[:1] + slow[:1] + ended[:1]
    if loud:
        yield f"failed by writing to stderr: {', '.join(loud)}"
