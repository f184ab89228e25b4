"""Our own SQL against nbgrader's API: what one writes, the other reads; what people gave stands."""

import datetime as dt
import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from delimiters import ROOT
from gradebooks import (
    DUE,
    MODULE,
    NOTEBOOK,
    Cells,
    hand_in,
    notebook_of,
    opened,
    url_of,
    with_module,
)
from living import table
from nbgrader import api
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from traitlets.config import Config

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import database, gradebook  # noqa: E402
from coursekit.authoring.record import record as recorded  # noqa: E402
from coursekit.course import Module, Workspace  # noqa: E402
from coursekit.errors import CourseError  # noqa: E402
from coursekit.gradebook import Gradebook, SubmissionGrades, one_grader  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gradebook with a module, which takes nbgrader a second to make."""
    folder = tmp_path_factory.mktemp("blank")
    with opened(folder) as made:
        with_module(made)
    return folder / "gradebook.db"


@pytest.fixture
def theirs(blank: Path, tmp_path: Path) -> Iterator[api.Gradebook]:
    """Return nbgrader's view of a gradebook with a module that nobody has handed in."""
    shutil.copy(blank, tmp_path)
    with opened(tmp_path) as book:
        yield book


@pytest.fixture
def ours(theirs: api.Gradebook, tmp_path: Path) -> Gradebook:
    """Return our view of the same gradebook."""
    with Gradebook(url_of(tmp_path)) as book:
        yield book


def graded(ours: Gradebook, student: str, score: float | None) -> SubmissionGrades:
    """Return a submission as grading leaves it; a score of None asks for a person."""
    submission = ours.module(MODULE).empty(student)
    submission.handed_in = DUE
    for grade in submission.grades.values():
        grade.auto_score, grade.needs_manual_grade = score, score is None
    return submission


@pytest.mark.parametrize("mine", gradebook.TABLES.sorted_tables, ids=lambda table: table.name)
def test_our_tables_are_nbgraders(mine) -> None:
    their = api.Base.metadata.tables[mine.name]
    for column in mine.columns:
        assert type(column.type) in type(their.c[column.name].type).__mro__, column
        assert vars(column.type).get("name") == vars(their.c[column.name].type).get("name")
        assert column.primary_key == their.c[column.name].primary_key
    if unique := gradebook.UNIQUE.get(mine.name):
        keys = [their.primary_key, *(c for c in their.constraints if "Unique" in type(c).__name__)]
        assert set(unique) in [set(key.columns.keys()) for key in keys]
    if mine.name in {"assignment", "notebook"}:
        return  # we insert none of these
    needed = {c.name for c in their.c if not c.nullable and c.name != "manual_grade"}
    assert needed <= set(mine.c.keys()), "an insert of ours would fail"


def test_what_nbgrader_wrote_we_read(theirs: api.Gradebook, ours: Gradebook) -> None:
    """Scores, late times and marks by hand of random submissions."""
    dice = random.Random(7)
    for number in range(20):
        automatic = [dice.choice([0, 2.5, 10]), dice.choice([0, 10]), None]
        hand_in(theirs, f"s{number}", automatic, [dice.choice([None, 0, 3.5]) for _ in "abq"])
        submission = theirs.find_submission(MODULE, f"s{number}")
        submission.extension = dice.choice([None, dt.timedelta(hours=50), dt.timedelta(days=-1)])
        submission.notebooks[0].late_submission_penalty = dice.choice([None, 0, 2.5])
        for grade in submission.notebooks[0].grades:
            grade.extra_credit = dice.choice([None, None, 1])
            grade.needs_manual_grade = dice.random() < 0.2
        theirs.find_comment("s", NOTEBOOK, MODULE, f"s{number}").manual_comment = "well done"
    theirs.db.commit()
    read = ours.read(ours.module(MODULE))
    assert sorted(read) == ours.students() == sorted(f"s{number}" for number in range(20))
    for student, submission in read.items():
        their = theirs.find_submission(MODULE, student)
        notebook = their.notebooks[0]
        assert submission.score == notebook.score
        assert submission.due == their.duedate and submission.handed_in == their.timestamp
        assert submission.late_penalty == notebook.late_submission_penalty
        assert submission.comments["s"].comment == "well done"
        assert "well done" in submission.by_hand()
        for grade in notebook.grades:
            mine = submission.grades[grade.name]
            assert (mine.score, mine.max_score) == (grade.score, grade.max_score)
            assert mine.needs_manual_grade == grade.needs_manual_grade
            assert mine.cell_type == grade.cell.cell_type


def test_what_we_write_nbgrader_reads(theirs: api.Gradebook, ours: Gradebook) -> None:
    submission = graded(ours, "ada", 7)
    submission.late_penalty, submission.comments["s"].auto_comment = 1.5, "No response."
    ours.save(ours.module(MODULE), [submission, graded(ours, "bob", None)])
    ada = theirs.find_submission(MODULE, "ada")
    assert (ada.score, ada.timestamp, ada.max_score) == (21, DUE, 30)
    assert ada.notebooks[0].late_submission_penalty == 1.5
    assert theirs.find_comment("s", NOTEBOOK, MODULE, "ada").comment == "No response."
    assert not ada.needs_manual_grade and theirs.find_submission(MODULE, "bob").needs_manual_grade
    assert ours.read(ours.module(MODULE))["ada"] == submission
    assert len(theirs.find_notebook(NOTEBOOK, MODULE).submissions) == 2
    ours.save(ours.module(MODULE), [graded(ours, "ada", 2)])
    theirs.db.expire_all()
    assert theirs.find_submission(MODULE, "ada").score == 6


def test_a_mark_that_a_person_gives_while_grading_runs_stands(
    theirs: api.Gradebook, ours: Gradebook
) -> None:
    hand_in(theirs, "ada", [1, 1, None], [None, None, None])
    hand_in(theirs, "bob", [1, 1, None], [None, None, 3])
    record = ours.module(MODULE)
    read = ours.read(record)
    for student in read:  # as formgrader does
        mark = theirs.find_grade("q", NOTEBOOK, MODULE, student)
        mark.manual_score, mark.extra_credit, mark.needs_manual_grade = 8, 1, False
        theirs.find_comment("s", NOTEBOOK, MODULE, student).manual_comment = "good"
    theirs.db.commit()
    for submission in read.values():
        for grade in submission.grades.values():
            grade.auto_score, grade.needs_manual_grade = 5, grade.name == "q"
    ours.save(record, list(read.values()))
    for submission in ours.read(record).values():
        q = submission.grades["q"]
        assert (q.auto_score, q.manual_score, q.needs_manual_grade) == (5, 8, False)
        assert submission.score == 5 + 5 + 8 + 1
        assert submission.comments["s"].comment == "good"


def test_a_person_is_asked_where_nobody_marked_meanwhile(
    theirs: api.Gradebook, ours: Gradebook
) -> None:
    hand_in(theirs, "ada", [1, 1, None], [None, None, 3])
    (submission,) = ours.read(ours.module(MODULE)).values()
    submission.grades["q"].needs_manual_grade = True
    ours.save(ours.module(MODULE), [submission])
    (read,) = ours.read(ours.module(MODULE)).values()
    assert read.grades["q"].needs_manual_grade and read.grades["q"].manual_score == 3


def test_a_batch_is_saved_as_a_whole_or_not_at_all(theirs: api.Gradebook, ours: Gradebook) -> None:
    broken = graded(ours, "bob", 5)
    broken.grades["a"].needs_manual_grade = None  # type: ignore[assignment]
    with pytest.raises(IntegrityError):
        ours.save(ours.module(MODULE), [graded(ours, "ada", 5), broken])
    assert ours.students() == [] and ours.read(ours.module(MODULE)) == {}
    ours.save(ours.module(MODULE), [])
    ours.save(ours.module(MODULE), [graded(ours, "ada", 5), graded(ours, "bob", 5)])
    assert sorted(ours.read(ours.module(MODULE))) == ["ada", "bob"]


def test_a_due_date_is_nbgraders(theirs: api.Gradebook, ours: Gradebook) -> None:
    ours.set_due(ours.module(MODULE), dt.datetime(2027, 3, 1, 22, 59))
    assert theirs.find_assignment(MODULE).duedate == dt.datetime(2027, 3, 1, 22, 59)


def test_what_was_not_built_is_named_and_no_gradebook_is_made(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="gradebook.db: run `nox -s build` first"):
        Gradebook(url_of(tmp_path))
    assert not any(tmp_path.iterdir())
    (tmp_path / "gradebook.db").touch()
    with pytest.raises(CourseError, match="run `nox -s build` first"):
        Gradebook(url_of(tmp_path))


def test_a_full_disk_is_a_line_and_nothing_is_half_saved(
    theirs: api.Gradebook, ours: Gradebook
) -> None:
    ours.engine.dispose()
    full = "PRAGMA max_page_count = 1"  # SQLite takes it for: no more than there are
    event.listen(ours.engine, "connect", lambda connection, _: connection.execute(full))
    batch = [graded(ours, f"student-{number}", 5.0) for number in range(500)]
    with pytest.raises(CourseError, match=r"gradebook\.db cannot be used: .*disk is full"):
        ours.save(ours.module(MODULE), batch)
    assert not theirs.students


def test_a_file_that_is_no_gradebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "gradebook.db").write_bytes(b"not this " * 1000)
    for use in (lambda: Gradebook(url_of(tmp_path)), lambda: ours_of(tmp_path, BEFORE)):
        with pytest.raises(CourseError, match=r"gradebook\.db cannot be used: .*not a database"):
            use()


def test_a_module_that_was_not_built_is_named(theirs: api.Gradebook, ours: Gradebook) -> None:
    theirs.add_assignment("formgrader's")
    assert ours.modules() == [MODULE]
    for unknown in ("02_layers", "formgrader's"):
        with pytest.raises(CourseError, match=f"{unknown} yet: run `nox -s build` first"):
            ours.module(unknown)


def test_an_address_that_is_none_is_not_shown() -> None:
    with pytest.raises(CourseError, match="db_url is no database's address") as caught:
        Gradebook("grader:hunter2@db.example.org")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(CourseError, match=r"no driver here .*grader:\*\*\*@db.example.org"):
        Gradebook("oracle+nothing://grader:hunter2@db.example.org/dl101")


def test_one_grader_at_a_time(tmp_path: Path) -> None:
    url = url_of(tmp_path)
    holder = f"graded by process {os.getpid()} of "
    second = pytest.raises(CourseError, match=holder)
    with one_grader(url, tmp_path), second, one_grader(url, tmp_path):
        pass
    with one_grader(url, tmp_path):
        pass
    assert not (tmp_path / "gradebook.db").exists()


def test_workers_need_no_database(ours: Gradebook) -> None:
    """A submission's grades travel as plain data: no worker imports SQLAlchemy, or nbgrader."""
    sent = pickle.dumps(ours.module(MODULE).empty("ada"))
    code = "import pickle, sys; pickle.load(sys.stdin.buffer).score; print(*sys.modules)"
    folder = Path(gradebook.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, input=sent, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert not {"sqlalchemy", "nbgrader", "nbformat"} & set(done.stdout.decode().split())


# ---- Cells that come or go after students handed in

BEFORE: Cells = {
    "s": (False, True, False, "code", 0),
    "a": (True, False, True, "code", 10),
    "b": (True, False, True, "code", 10),
    "q": (True, True, False, "markdown", 10),
    "helper": (False, False, True, "code", 0),
}


def ours_of(folder: Path, cells: Cells) -> list[str]:
    """Record a new version of the module, as `build` does."""
    nb = notebook_of(cells)
    return recorded(Workspace(folder), "course", Module(folder / MODULE), nb, DUE)


def record(folder: Path, cells: Cells) -> None:
    """Let nbgrader record a new version of the module by itself."""
    source = folder / "source" / MODULE / f"{NOTEBOOK}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook_of(cells), source)
    c = Config()
    c.CourseDirectory.root, c.CourseDirectory.course_id = str(folder), "course"
    c.CourseDirectory.assignment_id, c.CourseDirectory.db_url = MODULE, url_of(folder)
    c.GenerateAssignment.force = True
    c.ClearSolutions.enforce_metadata = False
    GenerateAssignment(coursedir=CourseDirectory(config=c), config=c).start()


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gradebook with a module that nbgrader recorded, and two students handed in."""
    folder = tmp_path_factory.mktemp("handed-in")
    record(folder, BEFORE)
    with opened(folder) as book:
        hand_in(book, "ada", [10, 5, None], [None, 6, 8])
        hand_in(book, "bob", [0, 0, None], [None, None, 3])
        book.find_comment("q", NOTEBOOK, MODULE, "ada").manual_comment = "=well put"
        book.find_grade("a", NOTEBOOK, MODULE, "bob").extra_credit = 2
        book.db.commit()
    return folder / "gradebook.db"


@pytest.fixture
def rebuilt(handed_in: Path, tmp_path: Path) -> Callable[[Cells], list[str]]:
    """Return a function that builds another version of the module."""
    shutil.copy(handed_in, tmp_path)

    def rebuild(cells: Cells) -> list[str]:
        return ours_of(tmp_path, cells)

    return rebuild


def scores(folder: Path, student: str) -> dict[str, float]:
    """Return what nbgrader says of a student's cells."""
    with opened(folder) as book:
        notebook = book.find_submission_notebook(NOTEBOOK, MODULE, student)
        return {grade.name: grade.score for grade in notebook.grades}


def kept(folder: Path) -> list[dict[str, str]]:
    (path,) = (folder / "backups").glob(f"{MODULE}-*.csv")
    return table(path)


def test_nbgrader_alone_refuses(
    rebuilt: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NbGraderException):
        record(tmp_path, {name: of for name, of in BEFORE.items() if name != "b"})
    assert "Cannot add or remove cells" in caplog.text


def test_the_same_cells_change_nothing(rebuilt: Callable, tmp_path: Path) -> None:
    before = scores(tmp_path, "ada")
    assert rebuilt(BEFORE) == []
    assert scores(tmp_path, "ada") == before == {"a": 10, "b": 6, "q": 8}
    assert not (tmp_path / "backups").exists()


def test_marks_of_a_removed_test_are_kept_and_all_others_stand(
    rebuilt: Callable, tmp_path: Path
) -> None:
    said = rebuilt({name: of for name, of in BEFORE.items() if name != "b"})
    (line,) = said
    assert line.startswith(f"{MODULE}: b was removed; its scores are kept in backups/{MODULE}-")
    assert line.endswith(".csv (marks and comments by hand: 1)")
    assert scores(tmp_path, "ada") == {"a": 10, "q": 8}
    assert scores(tmp_path, "bob") == {"a": 2, "q": 3}
    ada, bob = sorted(kept(tmp_path), key=lambda row: row["student"])
    assert (ada["student"], ada["name"], ada["auto_score"]) == ("ada", "b", "5.0")
    assert (ada["manual_score"], bob["manual_score"]) == ("6.0", "")


def test_an_added_test_waits_in_everyones_submission(rebuilt: Callable, tmp_path: Path) -> None:
    added = {"c": (True, False, True, "code", 4), "more": (False, False, True, "markdown", 0)}
    said = rebuilt({**BEFORE, **added})
    assert said == [f"{MODULE}: c was added", f"{MODULE}: more was added"]
    assert scores(tmp_path, "ada") == {"a": 10, "b": 6, "q": 8, "c": 0}
    with opened(tmp_path) as book:
        assert book.find_submission(MODULE, "bob").max_score == 34
        assert book.find_grade("c", NOTEBOOK, MODULE, "bob").auto_score is None
        assert book.find_grade_cell("c", NOTEBOOK, MODULE).max_score == 4
        assert book.find_source_cell("more", NOTEBOOK, MODULE).locked
    assert not (tmp_path / "backups").exists()


def test_a_cell_of_another_kind_keeps_no_mark_that_was_given_for_the_old_one(
    rebuilt: Callable, tmp_path: Path
) -> None:
    (line,) = rebuilt({**BEFORE, "q": (True, False, True, "code", 10)})  # an answer is a test now
    assert "q is a cell of another kind now; its scores are kept" in line and ": 3)" in line
    assert scores(tmp_path, "ada") == {"a": 10, "b": 6, "q": 0}
    by_hand = {
        (row["student"], row["manual_score"], row["manual_comment"]) for row in kept(tmp_path)
    }
    assert {("ada", "8.0", ""), ("ada", "", "=well put"), ("bob", "3.0", "")} <= by_hand
    with opened(tmp_path) as book, pytest.raises(api.MissingEntry):
        book.find_solution_cell("q", NOTEBOOK, MODULE)


def test_everything_else_at_once(rebuilt: Callable, tmp_path: Path) -> None:
    """Renamed, removed, turned into a helper; and nbgrader finds the cells that it expects."""
    changed = {
        "z": (False, True, False, "code", 0),
        "a": (False, False, True, "code", 0),
        "q": (True, True, False, "markdown", 7),
        "plain": (False, False, False, "markdown", 0),
    }
    said = rebuilt(changed)
    assert [line.split(";")[0].removeprefix(f"{MODULE}: ") for line in said] == [
        "a is a cell of another kind now",
        "b was removed",
        "helper was removed",
        "s was removed",
        "z was added",
    ]
    assert scores(tmp_path, "ada") == {"q": 8}
    assert rebuilt(changed) == []
    record(tmp_path, changed)


def test_before_anyone_handed_in_nothing_is_told(tmp_path: Path) -> None:
    assert ours_of(tmp_path, BEFORE) == []
    assert ours_of(tmp_path, {"only": (True, False, True, "code", 5)}) == []
    assert not (tmp_path / "backups").exists()
    with opened(tmp_path) as book:
        assert [c.name for c in book.find_notebook(NOTEBOOK, MODULE).grade_cells] == ["only"]


def test_ctrl_c_while_a_transaction_ends_is_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy raises it, as it should, and logged a traceback as well."""
    made = database.engine(f"sqlite:///{tmp_path / 'gradebook.db'}")

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    event.listen(made, "reset", pressed)
    with pytest.raises(KeyboardInterrupt), made.connect():
        pass
    assert caplog.records == []
