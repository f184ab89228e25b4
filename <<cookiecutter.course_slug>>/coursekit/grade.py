"""Grade submissions with nbgrader, each away from the course's folder."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from traitlets.config import Config

from coursekit import gradebook, intake, jobs, lock, notebook, sandbox
from coursekit.cluster import Cluster, connected
from coursekit.course import Course, Module
from coursekit.engine import Engine, Limits
from coursekit.errors import CourseError
from coursekit.feedback import write_feedback, write_refusal
from coursekit.intake import Submission
from coursekit.nbgrader_settings import captured_log, config, reason
from coursekit.reference import write_reference
from coursekit.release import sqlite
from coursekit.sandbox import Place
from coursekit.scores import Result, all_rows, row_of, write_csv

STATE = "graded.json"  # beside the autograded notebook: what was graded, and what was noted


@dataclass(frozen=True)
class Places:
    """Where one round of grading reads and writes: the course's folder, or its demo/."""

    root: Path
    db_url: str = ""  # of the gradebook, if it is not gradebook.db in there

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def gradebook(self) -> str:
        return self.db_url or sqlite(self.root / "gradebook.db")

    def autograded(self, submission: Submission) -> Path:
        return self.root / "autograded" / submission.student / submission.module.name

    def feedback(self, submission: Submission) -> Path:
        return self.root / "feedback" / submission.student / submission.module.name


@dataclass(frozen=True)
class Round:
    """One round of grading of one course."""

    course: Course
    places: Places
    sandboxed: bool = True
    scheduler: str = ""  # of a Dask cluster, to run students' code there and not here
    engines: dict[Module, Executor] = field(default_factory=dict)

    def run(
        self,
        submissions: list[Submission],
        *,
        force: bool = False,
        each: Callable[[Result], None] = lambda result: None,
    ) -> list[Result]:
        """Grade submissions one after the other; `each` sees every result as it comes."""
        sandbox.check(wanted=self.sandboxed and not self.scheduler)
        with lock.held(self.places.root / ".grade.lock"), gradebook.alone(self.places.gradebook):
            return self.run_all(submissions, force, each)

    def run_all(
        self, submissions: list[Submission], force: bool, each: Callable[[Result], None]
    ) -> list[Result]:
        """Grade submissions, alone in this course."""
        keys = {s.module: self.cells_key(s.module) for s in submissions}
        results: list[Result] = []
        try:
            with self.warm(list(keys)):
                for submission in submissions:
                    results.append(self.grade(submission, keys[submission.module], force=force))
                    each(results[-1])
        finally:
            self.write_grades([r for r in results if r.status == "refused"])
        return results

    @contextmanager
    def warm(self, modules: list[Module]) -> Iterator[None]:
        """Keep an engine for each module, which starts with the first submission it gets."""
        limits = Limits(self.course.cell_seconds, self.course.notebook_seconds)
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-"))
            dask = stack.enter_context(connected(self.scheduler)) if self.scheduler else None
            for module in modules:
                path = Path(folder) / module.name / "reference"
                place = Place(write_reference(self.course, module.name, path), self.sandboxed)
                self.engines[module] = (
                    Cluster(dask, place, limits) if dask else Engine(place, limits)
                )
            try:
                yield
            finally:
                for engine in self.engines.values():
                    engine.shutdown(cancel_futures=True)
                self.engines.clear()

    def cells_key(self, module: Module) -> str:
        """Return a digest of the cells the gradebook holds for a module: they decide the grades."""
        with self.gradebook() as gb:
            try:
                built = gb.find_notebook(module.notebook.stem, module.name)
                cells = [(cell.name, cell.source) for cell in built.source_cells]
                points = [(cell.name, cell.max_score) for cell in built.grade_cells]
                return digest(repr((sorted(cells), sorted(points))).encode())
            except MissingEntry:
                raise CourseError(
                    f"The gradebook does not know {module.name} yet: run `nox -s build` first."
                ) from None

    def grade(self, submission: Submission, cells_key: str, *, force: bool) -> Result:
        """Grade one submission, unless it is what was graded last time."""
        if not intake.STUDENT_ID.fullmatch(submission.student):
            note = "no student id: use letters, digits and . _ @ + -"
            return Result(submission.student, submission.module.name, "refused", note=note)
        key = digest(cells_key.encode(), *intake.contents(submission))
        last = self.last(submission)
        if last.get("key") == key and not force:
            return self.unchanged(submission, last)
        try:
            note = self.autograde(submission)
            self.give_feedback(submission)
            status = "graded"
        except Ungradable as error:
            note, status = str(error), "zero"
            self.zero(submission, note)
        self.remember(submission, key, note, status)
        return self.row(submission, status, note)

    def unchanged(self, submission: Submission, last: dict[str, str]) -> Result:
        """Return the row of a submission graded before; renew its feedback if marked since."""
        graded = self.places.autograded(submission) / submission.notebook.name
        if last["marks"] != self.marks(submission) and graded.is_file():
            self.give_feedback(submission)
            self.remember(submission, last["key"], last["note"], last["status"])
        status = "zero" if last["status"] == "zero" else "unchanged"
        return self.row(submission, status, last["note"])

    def autograde(self, submission: Submission) -> str:
        """Run nbgrader's autograde; return a note. Ungradable says why there is no grade."""
        if problem := intake.problem(submission):
            raise Ungradable(problem)
        with tempfile.TemporaryDirectory(prefix="grade-") as folder:
            staging = Path(folder)
            notes = intake.copy_to(submission, staging / "submitted")
            c = self.settings(submission, staging)
            broken: list[CourseError] = []
            self.execute_in_engine(c, submission.module, notes, broken)
            with captured_log() as lines:
                try:
                    Autograde(coursedir=CourseDirectory(config=c), config=c).start()
                except (NbGraderException, SystemExit):
                    if broken:  # it is no student's fault: nobody gets 0 for it
                        raise broken[0] from None
                    raise Ungradable(f"could not be graded: {reason(lines)}") from None
            graded = staging / "autograded" / submission.student / submission.module.name
            notes += explain(nbformat.read(graded / submission.notebook.name, as_version=4))
            before = answers(self.places.autograded(submission) / submission.notebook.name)
            self.confirm_marks(submission, before, answers(graded / submission.notebook.name))
            publish(graded, self.places.autograded(submission))
        return "; ".join(notes)

    def confirm_marks(
        self, submission: Submission, before: dict[str, str], now: dict[str, str]
    ) -> None:
        """Let marks stand whose answer is the same; nbgrader asks for all of them again."""
        with self.submitted(submission) as (gb, submitted):
            for cell in submitted.grades:
                if cell.manual_score is not None and before.get(cell.name) == now.get(cell.name):
                    cell.needs_manual_grade = False
            gb.db.commit()

    def settings(self, submission: Submission, root: Path) -> Config:
        """Return nbgrader's settings for one submission below a folder."""
        c = config(self.course)
        c.CourseDirectory.root = str(root)
        c.CourseDirectory.source_directory = str(self.course.modules_dir)
        c.CourseDirectory.db_url = self.places.gradebook
        c.CourseDirectory.assignment_id = submission.module.name
        c.CourseDirectory.student_id = submission.student
        c.Autograde.pre_convert_hook = lambda **_: None
        c.Autograde.permissions = 644
        return c

    def execute_in_engine(
        self, c: Config, module: Module, notes: list[str], broken: list[CourseError]
    ) -> None:
        """Let the engine take the place of nbgrader's Execute; add what it noticed to the notes."""
        source = notebook.read(module.source)

        def execute(nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
            try:
                job = jobs.job_of(self.course, nb, source)
                outcome = self.engines[module].submit(job).result()
            except CourseError as error:
                broken.append(error)
                raise
            jobs.fill(nb, outcome)
            notes.extend(jobs.remarks(outcome))
            return nb, resources

        steps = c.Autograde.autograde_preprocessors
        c.Autograde.autograde_preprocessors = [execute if s is Execute else s for s in steps]

    def give_feedback(self, submission: Submission) -> None:
        """Write nbgrader's feedback page for one graded submission."""
        write_feedback(self.settings(submission, self.places.root))

    def zero(self, submission: Submission, note: str) -> None:
        """Record 0 for every cell, and say why on the feedback page; marks by hand stay."""
        with self.submitted(submission) as (gb, submitted):
            for cell in submitted.grades:
                cell.auto_score = 0
                cell.needs_manual_grade = cell.manual_score is not None
            gb.db.commit()
        shutil.rmtree(self.places.autograded(submission), ignore_errors=True)
        page = self.places.feedback(submission) / submission.module.notebook.name
        write_refusal(page.with_suffix(".html"), note)

    def row(self, submission: Submission, status: str, note: str) -> Result:
        """Return the row of a submission from the gradebook."""
        with self.submitted(submission) as (_, submitted):
            return row_of(submitted, status, note)

    def marks(self, submission: Submission) -> str:
        """Return a digest of what people gave by hand: points and comments."""
        with self.submitted(submission) as (_, submitted):
            points = [(g.name, g.manual_score, g.extra_credit) for g in submitted.grades]
            comments = [(c.name, c.manual_comment) for c in submitted.comments]
            return digest(repr(sorted(points) + sorted(comments)).encode())

    def last(self, submission: Submission) -> dict[str, str]:
        """Return what was remembered of the last time, or nothing."""
        return read_state(self.places.autograded(submission) / STATE)

    def remember(self, submission: Submission, key: str, note: str, status: str) -> None:
        """Remember what was graded and marked, so that the same is not done again."""
        marks = self.marks(submission)
        state = {"key": key, "note": note, "status": status, "marks": marks}
        path = self.places.autograded(submission) / STATE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(state), encoding="utf-8")

    def write_grades(self, refused: list[Result]) -> None:
        """Write grades.csv: everything in the gradebook, not only what was graded just now."""
        states = (self.places.root / "autograded").glob(f"*/*/{STATE}")
        notes = {(p.parts[-3], p.parts[-2]): read_state(p).get("note", "") for p in states}
        with self.gradebook() as gb:
            write_csv([*all_rows(gb, notes), *refused], self.places.root / "grades.csv")

    def gradebook(self) -> Gradebook:
        return Gradebook(self.places.gradebook, self.course.slug)

    @contextmanager
    def submitted(self, submission: Submission) -> Iterator[tuple[Gradebook, SubmittedNotebook]]:
        """Open a submission in the gradebook, made if it is not there."""
        name, student = submission.module.name, submission.student
        with self.gradebook() as gb:
            gb.update_or_create_student(student)
            gb.update_or_create_submission(name, student)
            yield gb, gb.find_submission_notebook(submission.notebook.stem, name, student)


class Ungradable(Exception):
    """Why a submission gets 0 without being run to its end."""


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_state(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def answers(path: Path) -> dict[str, str]:
    """Return the cells that people mark, by grade_id; none if there is no notebook."""
    if not path.is_file():
        return {}
    cells = filter(notebook.is_answer, nbformat.read(path, as_version=4).cells)
    return {notebook.grade_id(cell): cell.source for cell in cells}


def publish(graded: Path, target: Path) -> None:
    """Put an autograded folder in place of the one before."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(graded, target)


def explain(graded: NotebookNode) -> list[str]:
    """Return what a person should know about a run: what broke first, what ran out of time."""
    broken, slow = [], []
    for cell in filter(notebook.is_code, graded.cells):
        errors = [o.ename for o in cell.outputs if o.output_type == "error"]
        name = notebook.grade_id(cell) or "a cell of the student's own"
        if "CellTimeoutError" in errors:
            slow.append(f"{name} ran out of time")
        elif set(errors) - {"NotImplementedError"} and not notebook.meta(cell).get("locked"):
            broken.append(f"{name}: {errors[0]}")
    return broken[:1] + slow[:1]
