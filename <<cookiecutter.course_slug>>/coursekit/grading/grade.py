"""Grade a course's submissions: find, hash, have graded, save in batches, publish, report.

What is marked as done (state.py) was done completely, in the gradebook and on disk. So after a
crash the same command goes on, and gives what an unbroken run would have given.
"""

import concurrent.futures as cf
import itertools
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coursekit import assignment as assignments
from coursekit import files, notebook
from coursekit.assignment import Assignment, sha256
from coursekit.course import Course, Module, Submission, Workspace
from coursekit.errors import CourseError
from coursekit.gradebook import Gradebook, one_grader
from coursekit.grades import ModuleRecord, SubmissionGrades
from coursekit.grading import feedback, late, results, state, worker
from coursekit.grading.results import Key, Results
from coursekit.grading.state import State
from coursekit.grading.submission import Graded, Work, standing
from coursekit.grading.worker import Worker, WorkerDied
from coursekit.intake import collect
from coursekit.sandbox import bubblewrap

BATCH = 20  # submissions saved in one transaction
AT_ONCE = 4  # on their way for each worker, so that none has to wait
COURSEKIT = Path(__file__).resolve().parents[2]  # the folder that has coursekit in it


@dataclass(frozen=True)
class Grading:
    """How one run of `grade` goes about it."""

    course: Course
    workspace: Workspace
    sandboxed: bool = True
    jobs: int = 1
    scheduler: str = ""  # of a Dask cluster, whose workers grade in place of ours
    force: bool = False

    def run(
        self, submissions: list[Submission], each: Callable[[Submission], None] = lambda s: None
    ) -> tuple[Results, dict[Key, str]]:
        """Grade submissions; return all results, and how each of these ended."""
        bubblewrap.check(wanted=self.sandboxed and not self.scheduler)
        ended: dict[Key, str] = {}

        def report(submission: Submission, status: str) -> None:
            ended[submission.student, submission.module.name] = status
            each(submission)

        with (
            one_grader(self.workspace.gradebook, self.workspace.root),
            Gradebook(self.workspace.gradebook) as gradebook,
        ):
            try:
                self.grade(submissions, gradebook, report)
            finally:
                found = results.collect(self.course, gradebook, self.workspace, ended)
                results.write_csv(found, self.workspace.root / "grades.csv")
        return found, ended

    def grade(
        self,
        submissions: list[Submission],
        gradebook: Gradebook,
        report: Callable[[Submission, str], None],
    ) -> None:
        """Grade submissions, one module after the other."""
        named = [s for s in submissions if collect.STUDENT_ID.fullmatch(s.student)]
        for stranger in submissions:
            if stranger not in named:
                report(stranger, "refused")
        named.sort(key=lambda s: s.module.name)
        with self.graders() as (submit, check):
            for module, group in itertools.groupby(named, key=lambda s: s.module):
                record = gradebook.module(module.name)
                due = self.course.due_utc(module)
                if record.due != due:  # course.toml decides, also after the build
                    gradebook.set_due(record, due)
                    record = gradebook.module(module.name)
                built = assignments.load(self.course, module)
                refuse_unknown_drops(self.course, record)
                grader = ModuleGrader(self, module, gradebook, record, built, submit, check, report)
                grader.run(group)

    @contextmanager
    def graders(self) -> Iterator[tuple[Callable[..., Future], Callable[[], None]]]:
        """Yield what has a submission graded, giving a future, and what raises if nobody can."""
        if self.scheduler:
            from coursekit.grading import cluster

            with cluster.graders(self.scheduler, COURSEKIT, sandboxed=self.sandboxed) as theirs:
                yield theirs
            return
        own = threading.local()
        workers: list[Worker] = []

        def ask(key: str, data: bytes, work: bytes) -> bytes:
            for last in (False, True):
                if not getattr(own, "worker", None):
                    own.worker = Worker(COURSEKIT, sandboxed=self.sandboxed)
                    workers.append(own.worker)
                try:
                    return own.worker.ask(key, data, work)
                except WorkerDied:
                    own.worker.close()
                    own.worker = None
                    if last:
                        raise
            raise AssertionError("unreachable")

        pool = ThreadPoolExecutor(self.jobs, "grader")
        try:
            yield lambda *args: pool.submit(ask, *args), lambda: None
        finally:
            for each in workers:
                each.process.stdin.close()  # type: ignore[union-attr]
            pool.shutdown(cancel_futures=True)
            for each in workers:
                each.process.wait()


def refuse_unknown_drops(course: Course, record: ModuleRecord) -> None:
    """Raise a CourseError where [grading] drop names a cell that no built module has."""
    stored = [assignments.stored(course, module) for module in course.modules()]
    known = notebook.titles(cell for kept in stored for cell in kept.get("cells", []))
    if unknown := [name for name in course.grading["drop"] if name not in known]:
        names = ", ".join(sorted({cell.name for cell in record.cells if cell.type == "GradeCell"}))
        raise CourseError(
            f"{course.file}: [grading] drop names {unknown[0]!r}, which no module has. "
            f"{record.module} has: {names}."
        )


@dataclass
class ModuleGrader:
    """Grades submissions of one module: it alone decides and writes, workers do the rest."""

    grading: Grading
    module: Module
    gradebook: Gradebook
    record: ModuleRecord
    assignment: Assignment
    submit: Callable[..., Future]
    check: Callable[[], None]
    report: Callable[[Submission, str], None]
    waiting: dict[Future, Submission] = field(default_factory=dict)
    done: list[tuple[Submission, Graded]] = field(default_factory=list)

    def run(self, submissions: Iterable[Submission]) -> None:
        """Grade submissions, a few on their way at a time."""
        self.known = self.gradebook.read(self.record)
        course = self.grading.course
        self.policy = late.policy(course.late, course.timezone)
        self.key = self.assignment.key
        self.data = pickle.dumps((self.key, replace(self.assignment)))  # without what it cached
        for submission in submissions:
            self.begin(submission)
            while len(self.waiting) >= AT_ONCE * self.grading.jobs:
                self.collect()
        while self.waiting:
            self.collect()
        self.save()

    def begin(self, submission: Submission) -> None:
        """Have a submission graded, unless it is what was graded last time."""
        limit = 1e6 * self.assignment.limits["file_mb"]  # type: ignore[index]
        handed_in = collect.read(submission, limit)
        key = sha256(self.key, *handed_in.contents())
        last = state.read(self.grading.workspace.graded(submission))
        grades = self.known.get(submission.student) or self.record.empty(submission.student)
        if last.key == key and grades.id and not self.grading.force:
            return self.unchanged(submission, grades, last)
        work = Work(handed_in, grades, key, self.policy, last.answers)
        self.waiting[self.submit(self.key, self.data, pickle.dumps(work))] = submission
        return None

    def collect(self) -> None:
        """Wait for what is being graded; save when there is enough of it."""
        ready, _ = cf.wait(self.waiting, timeout=30, return_when=cf.FIRST_COMPLETED)
        if not ready:
            self.check()
        for future in ready:
            submission = self.waiting.pop(future)
            try:
                self.done.append((submission, worker.result(future.result())))
            except CourseError:
                raise
            except cf.CancelledError:  # by a scheduler that is gone
                self.check()
                raise
            except Exception as error:  # a fault of ours, or of the machine: it stops nobody else
                reason = f"failed: {type(error).__name__}: {error}"
                folder = self.grading.workspace.graded(submission)
                state.write(folder, State(status="failed", reason=reason))
                self.report(submission, "failed")
        if len(self.done) >= BATCH:
            self.save()

    def save(self) -> None:
        """Save what was graded in one transaction; publish each; only then mark it done."""
        batch, self.done = self.done, []
        workspace = self.grading.workspace
        for submission, _ in batch:
            state.forget(workspace.graded(submission))
        if batch:
            self.gradebook.save(self.record, [graded.grades for _, graded in batch])
        for submission, graded in batch:
            folder = workspace.graded(submission)
            target = folder / self.assignment.file
            if graded.notebook:
                files.write_text(target, graded.notebook)
            else:
                target.unlink(missing_ok=True)
            for path in self.module.beside:
                files.copy(path, folder / path.name)
            files.write_text(workspace.page(submission), graded.page)
            state.write(folder, graded.state)
            self.report(submission, graded.state.status)

    def unchanged(self, submission: Submission, grades: SubmissionGrades, last: State) -> None:
        """Renew penalty and page of what was graded before, if marked or given time since."""
        now = standing(grades, self.policy)
        page = self.grading.workspace.page(submission)
        if last.marks != now or not page.is_file():
            grades.late_penalty = self.policy.penalty(grades.score, grades.handed_in, grades.due)
            self.gradebook.save(self.record, [grades])
            folder = self.grading.workspace.graded(submission)
            files.write_text(page, self.page_again(folder, grades, last))
            state.write(folder, replace(last, marks=now))
        self.report(submission, "zero" if last.status == "zero" else "unchanged")

    def page_again(self, folder: Path, grades: SubmissionGrades, last: State) -> str:
        """Return the page of a submission that was graded before."""
        import json

        path = folder / self.assignment.file
        if not path.is_file():
            return feedback.refusal(self.assignment, last.reason)
        cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return feedback.page(self.assignment, cells, grades, last)
