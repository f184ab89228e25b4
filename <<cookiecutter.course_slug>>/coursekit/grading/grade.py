"""Grade a course's submissions: find, hash, have graded, save in batches, publish, report.

What is marked as done (state.py) was done completely, in the gradebook and on disk. So after a
crash the same command goes on, and gives what an unbroken run would have given.
"""

import concurrent.futures as cf
import itertools
import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from coursekit import assignment as assignments
from coursekit import files
from coursekit.assignment import sha256
from coursekit.course import Course, Module, Submission, Workspace, naive_utc
from coursekit.errors import CourseError
from coursekit.gradebook import Gradebook, one_grader
from coursekit.grading import cluster, results, state, worker
from coursekit.grading.feedback import Cells
from coursekit.grading.late import LatePolicy
from coursekit.grading.results import Key, Results
from coursekit.grading.state import State
from coursekit.grading.submission import Graded, Work, finished, standing
from coursekit.intake import collect
from coursekit.sandbox import bubblewrap

BATCH = 20  # submissions saved in one transaction
AT_ONCE = 4  # on their way for each worker, so that none has to wait
Done = tuple[Submission, Graded, str]  # and how it ended


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
        self,
        submissions: list[Submission],
        each: Callable[[Submission], None] = lambda s: None,
        grader: "type[ModuleGrader] | None" = None,
    ) -> tuple[Results, dict[Key, str]]:
        """Grade submissions; return all results, and how each of these ended."""
        grader = grader or ModuleGrader
        bubblewrap.check(wanted=self.sandboxed and not self.scheduler)
        ended: dict[Key, str] = {}

        def report(submission: Submission, status: str) -> None:
            ended[submission.student, submission.module.name] = status
            each(submission)

        graders = cluster.graders if self.scheduler else worker.graders
        ordered = sorted(submissions, key=lambda s: s.module.name)
        with (
            one_grader(self.workspace.gradebook, self.workspace.root),
            Gradebook(self.workspace.gradebook) as gradebook,
        ):
            try:
                with graders(self.scheduler or self.jobs, sandboxed=self.sandboxed) as to_grade:
                    for module, group in itertools.groupby(ordered, key=lambda s: s.module):
                        grader(self, module, gradebook, *to_grade, report).run(group)
            finally:
                found = results.collect(self.course, gradebook, self.workspace, ended)
                results.write_csv(found, self.workspace.root / "grades.csv")
        return found, ended


@dataclass
class ModuleGrader:
    """Grades submissions of one module: it alone decides and writes, workers do the rest."""

    grading: Grading
    module: Module
    gradebook: Gradebook
    submit: Callable[..., cf.Future]
    check: Callable[[], None]
    report: Callable[[Submission, str], None]
    waiting: dict[cf.Future, Submission] = field(default_factory=dict)

    def run(self, submissions: Iterable[Submission]) -> None:
        """Grade submissions; save them whenever there are enough."""
        course, due = self.grading.course, naive_utc(self.grading.course.due(self.module))
        extensions = course.extensions(self.module.name)
        known = self.gradebook.module(self.module.name)
        self.record = replace(known, due=due, extensions=extensions)
        self.gradebook.set_due(self.record, due)  # course.toml decides, also after the build
        self.known = self.gradebook.read(self.record)
        self.assignment = assignments.load(course, self.module)
        titles, others = self.assignment.titles, self.assignment.others
        if unknown := [name for name in course.grading["drop"] if name not in {*titles, *others}]:
            raise CourseError(
                f"{course.file}: [grading] drop names {unknown[0]!r}, which no module has. "
                f"{self.module.name} has: {', '.join(titles)}."
            )
        self.policy = LatePolicy(**course.late, timezone=course.timezone)
        self.data = pickle.dumps(replace(self.assignment))  # without what it cached
        # The figures that formgrader shows: once on disk, not once for each student.
        kept = self.grading.workspace.root / ".coursekit" / "beside" / self.module.name
        self.beside = [kept / path.name for path in self.module.beside]
        for path in self.beside:
            files.write_bytes(path, (self.module.path / path.name).read_bytes())
        done = self.graded(submissions)
        while batch := list(itertools.islice(done, BATCH)):
            self.save(batch)

    def graded(self, submissions: Iterable[Submission]) -> Iterator[Done]:
        """Yield what has changed, with a few on their way at a time."""
        for submission in submissions:
            try:
                yield from self.begin(submission)
            except OSError as error:  # a file that this process may not read, say
                self.failed(submission, error)
            yield from self.collect(AT_ONCE * self.grading.jobs)
        yield from self.collect(1)

    def begin(self, submission: Submission) -> Iterator[Done]:
        """Have a submission graded. Of one graded before, yield new penalty and page, if any."""
        if not collect.STUDENT_ID.fullmatch(submission.student):
            return self.report(submission, "refused")
        workspace = self.grading.workspace
        handed_in = collect.read(submission, 1e6 * self.grading.course.grading["file_mb"])
        key = sha256(self.assignment.deciding, *handed_in.contents())
        folder, page = workspace.graded(submission), workspace.page(submission)
        last = state.read(folder)
        grades = self.known.get(submission.student) or self.record.empty(submission.student)
        work = Work(handed_in, grades, key, self.policy, last.answers)
        is_known = last.key == key and last.scores == sha256(grades.by_tests())
        if is_known and not self.grading.force:
            zero = last.status == "zero"
            if last.marks == standing(grades, self.policy) and page.is_file():
                return self.report(submission, "zero" if zero else "unchanged")
            cells = [] if zero else cells_in(folder / self.assignment.file)
            if cells is not None:
                graded = finished(self.assignment, work, cells, last)
                return (yield submission, graded, "zero" if zero else "updated")
        self.waiting[self.submit(self.assignment.key, self.data, pickle.dumps(work))] = submission
        return None

    def collect(self, fewer: int) -> Iterator[Done]:
        """Wait until fewer submissions than this are being graded; yield those that were."""
        while len(self.waiting) >= fewer:
            ready, _ = cf.wait(self.waiting, timeout=30, return_when=cf.FIRST_COMPLETED)
            if not ready:
                self.check()
            for future in ready:
                submission = self.waiting.pop(future)
                try:
                    graded = future.result()
                except (CourseError, cf.CancelledError):
                    raise
                except Exception as error:  # a fault of ours, or of the machine: it stops nobody
                    self.failed(submission, error)
                else:
                    yield submission, graded, graded.state.status

    def failed(self, submission: Submission, error: Exception) -> None:
        """Say of a submission that it could not be graded, and why; it will be tried again."""
        folder = self.grading.workspace.graded(submission)
        known, why = state.read(folder).answers, f"failed: {type(error).__name__}: {error}"
        state.write(folder, State(status="failed", reason=why, answers=known))
        self.report(submission, "failed")

    def save(self, batch: list[Done]) -> None:
        """Save what was graded in one transaction; publish each; only then mark it done."""
        workspace = self.grading.workspace
        for submission, _, _ in batch:  # from now on not done; what was marked stays known
            folder = workspace.graded(submission)
            if (last := state.read(folder)).key:
                state.write(folder, replace(last, key=""))
        self.gradebook.save(self.record, [graded.grades for _, graded, _ in batch])
        for submission, graded, status in batch:
            folder, page = workspace.graded(submission), workspace.page(submission)
            target = folder / self.assignment.file
            if graded.notebook:
                files.write_text(target, graded.notebook)
            else:
                target.unlink(missing_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            for path in self.beside:
                files.link(path, folder / path.name)
            files.write_text(page, graded.page)
            for name, place in itertools.product(collect.ABOUT, (folder, page.parent)):
                (place / name).unlink(missing_ok=True)
                if name in graded.about:  # only now: no attempt gets the page of another one
                    files.write_bytes(place / name, graded.about[name])
            state.write(folder, graded.state)
            self.report(submission, status)


def cells_in(path: Path) -> Cells | None:
    """Return the cells of a graded notebook; None if somebody saved it, so it is graded anew."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return cells if all(isinstance(cell["source"], str) for cell in cells) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None
