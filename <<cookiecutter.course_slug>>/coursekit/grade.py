"""Grade submissions with nbgrader: autograde each away from the course, then feedback and table."""

import csv
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from coursekit import intake, notebook
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.intake import Submission
from coursekit.nbgrader_settings import captured_log, config, reason
from coursekit.reference import write_reference
from coursekit.release import sqlite

STATE = "graded.json"  # beside the autograded notebook: what was graded, and what was noted


@dataclass(frozen=True)
class Places:
    """Where one round of grading reads and writes: the course's folder, or its demo/."""

    root: Path

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        return self.root / "feedback"

    @property
    def gradebook(self) -> str:
        return sqlite(self.root / "gradebook.db")

    @property
    def grades(self) -> Path:
        return self.root / "grades.csv"


@dataclass(frozen=True)
class Result:
    """One row of the table and of grades.csv. Scores are points; `written` is None until marked."""

    student: str
    module: str
    status: str = ""  # graded, unchanged, or zero: could not be graded
    automatic: float = 0.0
    automatic_max: float = 0.0
    written: float | None = None
    written_max: float = 0.0
    late_penalty: float = 0.0
    total: float = 0.0
    note: str = ""


def grade(
    course: Course,
    places: Places,
    submissions: list[Submission],
    *,
    force: bool = False,
    each: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Grade submissions one after the other; `each` sees every result as it comes."""
    keys = {s.module: cells_key(course, places, s.module) for s in submissions}
    results = []
    for submission in submissions:
        result = grade_one(course, places, submission, keys[submission.module], force=force)
        results.append(result)
        each(result)
    write_csv(all_results(course, places), places.grades)
    return results


def cells_key(course: Course, places: Places, module: Module) -> str:
    """Return a digest of the cells the gradebook holds for a module: they decide the grades."""
    with Gradebook(places.gradebook, course.slug) as gb:
        try:
            cells = gb.find_notebook(module.notebook.stem, module.name).source_cells
            return digest(repr(sorted((cell.name, cell.source) for cell in cells)).encode())
        except MissingEntry:
            raise CourseError(
                f"The gradebook does not know {module.name} yet: run `nox -s build` first."
            ) from None


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def grade_one(
    course: Course, places: Places, submission: Submission, key: str, *, force: bool
) -> Result:
    """Grade one submission, unless it is what was graded last time."""
    state_path = places.autograded / submission.student / submission.module.name / STATE
    key = digest(key.encode(), *contents(submission))
    last = read_state(state_path)
    if last.get("key") == key and not force:
        return unchanged(course, places, submission, last)
    problem = intake.problem(submission)
    if problem and not intake.STUDENT_ID.fullmatch(submission.student):
        return Result(submission.student, submission.module.name, "zero", note=problem)
    note = problem or autograde(course, places, submission)
    status = "zero" if problem else "graded"
    if problem:
        zero(course, places, submission)
    write_state(course, places, submission, key, note)
    return result_of(course, places, submission, status, note)


def unchanged(
    course: Course, places: Places, submission: Submission, last: dict[str, str]
) -> Result:
    """Return the row of a submission graded before; renew its feedback if it was marked since."""
    if last["marks"] != marks(course, places, submission):
        give_feedback(course, places, submission)
        write_state(course, places, submission, last["key"], last["note"])
    return result_of(course, places, submission, "unchanged", last["note"])


def marks(course: Course, places: Places, submission: Submission) -> str:
    """Return a digest of what people gave by hand: points and comments."""
    with submitted_notebook(course, places, submission) as (_, submitted):
        points = [(g.name, g.manual_score, g.extra_credit) for g in submitted.grades]
        comments = [(c.name, c.manual_comment) for c in submitted.comments]
        return digest(repr(sorted(points) + sorted(comments)).encode())


def write_state(
    course: Course, places: Places, submission: Submission, key: str, note: str
) -> None:
    """Remember what was graded and marked, so that the same is not done again."""
    state = {"key": key, "note": note, "marks": marks(course, places, submission)}
    path = places.autograded / submission.student / submission.module.name / STATE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(state), encoding="utf-8")


def contents(submission: Submission) -> list[bytes]:
    """Return the bytes that are graded: the notebook and when it was handed in."""
    paths = [submission.notebook, submission.folder / intake.TIMESTAMP]
    return [path.read_bytes() if path.is_file() else b"" for path in paths]


def read_state(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def autograde(course: Course, places: Places, submission: Submission) -> str:
    """Run nbgrader's autograde and feedback on one submission; return a note for its row."""
    with tempfile.TemporaryDirectory(prefix="grade-") as folder:
        staging = Path(folder)
        notes = intake.copy_to(submission, staging / "submitted")
        c = one_submission(course, places, submission, staging)
        with captured_log() as lines, reference_only(course, submission.module, staging):
            try:
                Autograde(coursedir=CourseDirectory(config=c), config=c).start()
            except (NbGraderException, SystemExit):
                zero(course, places, submission)
                return f"could not be graded: {reason(lines)}"
        graded = staging / "autograded" / submission.student / submission.module.name
        notes += explain(nbformat.read(graded / submission.notebook.name, as_version=4))
        publish(graded, places.autograded / submission.student / submission.module.name)
    give_feedback(course, places, submission)
    return "; ".join(notes)


def one_submission(course: Course, places: Places, submission: Submission, staging: Path) -> Config:
    """Return nbgrader's settings for one submission in a folder away from the course."""
    c = config(course)
    c.CourseDirectory.root = str(staging)
    c.CourseDirectory.source_directory = str(course.modules_dir)
    c.CourseDirectory.db_url = places.gradebook
    c.CourseDirectory.assignment_id = submission.module.name
    c.CourseDirectory.student_id = submission.student
    c.Autograde.pre_convert_hook = lambda **_: None
    c.Autograde.permissions = 644
    c.Execute.timeout_func = deadline(course)
    return c


def deadline(course: Course) -> Callable[[NotebookNode], float]:
    """Return nbclient's timeout_func: a limit for each cell, and one for all of them together."""
    end = time.monotonic() + course.notebook_seconds
    return lambda cell: max(0.1, min(course.cell_seconds, end - time.monotonic()))


@contextmanager
def reference_only(course: Course, module: Module, staging: Path) -> Iterator[None]:
    """Let kernels import copies of the modules before this one, and nothing else of the course."""
    before = dict(os.environ)
    reference = write_reference(course, module.name, staging / "reference")
    os.environ.update(PYTHONPATH=str(reference), MPLBACKEND="Agg")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def publish(graded: Path, target: Path) -> None:
    """Put an autograded folder in place of the one before."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(graded, target)


def give_feedback(course: Course, places: Places, submission: Submission) -> None:
    """Write nbgrader's feedback page for one submission, if it could be graded."""
    graded = places.autograded / submission.student / submission.module.name
    if not (graded / submission.notebook.name).is_file():
        return
    c = config(course)
    c.CourseDirectory.root = str(places.root)
    c.CourseDirectory.db_url = places.gradebook
    c.CourseDirectory.assignment_id = submission.module.name
    c.CourseDirectory.student_id = submission.student
    c.GenerateFeedback.force = True
    with captured_log():
        GenerateFeedback(coursedir=CourseDirectory(config=c), config=c).start()


def zero(course: Course, places: Places, submission: Submission) -> None:
    """Record a submission that cannot be graded: 0 for every cell; marks by hand stay."""
    with submitted_notebook(course, places, submission) as (gb, submitted):
        for cell in submitted.grades:
            cell.auto_score = 0
            cell.needs_manual_grade = False
        gb.db.commit()


@contextmanager
def submitted_notebook(
    course: Course, places: Places, submission: Submission
) -> Iterator[tuple[Gradebook, SubmittedNotebook]]:
    """Open a submission in the gradebook, made if it is not there."""
    name, student = submission.module.name, submission.student
    with Gradebook(places.gradebook, course.slug) as gb:
        gb.update_or_create_student(student)
        gb.update_or_create_submission(name, student)
        yield gb, gb.find_submission_notebook(submission.notebook.stem, name, student)


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


def result_of(
    course: Course, places: Places, submission: Submission, status: str, note: str
) -> Result:
    """Return the row of a submission from the gradebook."""
    with submitted_notebook(course, places, submission) as (_, submitted):
        row = row_of(submitted, submission.student, submission.module.name)
    return replace(row, status=status, note=note)


def row_of(submitted: SubmittedNotebook, student: str, module: str) -> Result:
    """Sum the cells of a submission: markdown cells are marked by a person, code cells are not."""
    by_hand = [g for g in submitted.grades if g.cell.cell_type == "markdown"]
    automatic = [g for g in submitted.grades if g.cell.cell_type == "code"]
    waiting = any(g.needs_manual_grade for g in by_hand)
    penalty = submitted.late_submission_penalty or 0.0
    return Result(
        student=student,
        module=module,
        automatic=sum(g.score for g in automatic),
        automatic_max=sum(g.max_score for g in automatic),
        written=None if waiting else sum(g.score for g in by_hand),
        written_max=sum(g.max_score for g in by_hand),
        late_penalty=penalty,
        total=max(0.0, submitted.score - penalty),
    )


def all_results(course: Course, places: Places) -> Iterator[Result]:
    """Return a row for everything that the gradebook holds, not only what was graded just now."""
    with Gradebook(places.gradebook, course.slug) as gb:
        for assignment in sorted(gb.assignments, key=lambda a: a.name):
            for submitted in sorted(assignment.submissions, key=lambda s: s.student.id):
                for nb in submitted.notebooks:
                    row = row_of(nb, submitted.student.id, assignment.name)
                    path = places.autograded / row.student / row.module / STATE
                    yield replace(row, status="graded", note=read_state(path).get("note", ""))


def write_csv(results: Iterable[Result], path: Path) -> None:
    """Write the rows, in place of the file before only when all of them are written."""
    rows: list[dict[str, Any]] = [asdict(result) for result in results]
    partial = path.with_suffix(".csv.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, [f.name for f in fields(Result) if f.name != "status"], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)
