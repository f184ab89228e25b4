"""A gradebook in PostgreSQL: the grades of SQLite, for one grader at a time on any machine.

The database server is a process of its own here, as it would be elsewhere.
"""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from delimiters import ROOT
from gradebooks import DUE, MODULE, NOTEBOOK, hand_in, notebook_of, with_module
from living import Living, copy_of, free_port, table
from nbformat.v4 import new_code_cell
from nbgrader import api

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit.authoring.record import record  # noqa: E402
from coursekit.course import Module, Workspace  # noqa: E402
from coursekit.errors import CourseError  # noqa: E402
from coursekit.gradebook import Gradebook, one_grader  # noqa: E402

SERVER = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
pytestmark = [
    pytest.mark.skipif(not SERVER, reason="Debian's postgresql is not installed"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),  # nbgrader's own
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a PostgreSQL server, which refuses to run as root; return its address."""
    pytest.importorskip("psycopg")
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        shutil.chown(folder, user)
        create = ["--username", "grader", "--auth", "trust", "--no-sync"]
        as_user = {"cwd": folder, "user": user, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([SERVER, "--pgdata", folder, *create], **as_user)
        control = [SERVER.with_name("pg_ctl"), "--pgdata", folder, "--wait"]
        options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        subprocess.run([*control, "--log", f"{folder}/log", "-o", options, "start"], **as_user)
        try:
            yield f"postgresql+psycopg://grader@127.0.0.1:{port}"
        finally:
            subprocess.run([*control, "--mode", "immediate", "stop"], **as_user)


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """Return the address of a new, empty database."""
    import psycopg

    name = request.node.name.removeprefix("test_")[:40]
    plain = server.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}/{name}"


def test_our_sql_is_understood_there(database: str) -> None:
    with pytest.raises(CourseError, match="run `nox -s build` first"):
        Gradebook(database)
    with api.Gradebook(database, "course") as book:
        with_module(book)
        hand_in(book, "ada", [1, 2, None], [None, 6, 8])
        with Gradebook(database) as ours:
            record = ours.module(MODULE)
            known = ours.read(record)
            book.find_grade("q", NOTEBOOK, MODULE, "ada").manual_score = 9  # meanwhile
            book.db.commit()
            new = record.empty("bob")
            new.late_penalty = 0.5
            for grade in [*known["ada"].grades.values(), *new.grades.values()]:
                grade.auto_score, grade.needs_manual_grade = 5, True
            ours.save(record, [known["ada"], new])
            scores = {who: s.score for who, s in ours.read(record).items()}
            assert scores == {"ada": 5 + 6 + 9, "bob": 15}
            marked = ours.read(record)["ada"].grades["q"]
            assert not marked.needs_manual_grade, "it was marked after it was read"
        assert book.find_submission(MODULE, "bob").score == 15


def test_cells_that_go_and_come_are_aligned_there(database: str, tmp_path: Path) -> None:
    with api.Gradebook(database, "course") as book:
        with_module(book)
        hand_in(book, "ada", [1, 2, None], [None, 6, 8])
    nb = notebook_of(
        {
            "a": (True, False, True, "code", 10),
            "c": (True, False, True, "code", 3),
            "q": (True, True, False, "markdown", 10),
        }
    )
    said = record(Workspace(tmp_path, database), "course", Module(tmp_path / MODULE), nb, DUE)
    assert [line.split(" ")[1] for line in said] == ["b", "c", "s"]
    with api.Gradebook(database, "course") as book:
        (notebook,) = book.find_submission(MODULE, "ada").notebooks
        assert {g.name: g.score for g in notebook.grades} == {"a": 1, "c": 0, "q": 8}


def test_one_machine_grades_at_a_time(database: str, tmp_path: Path) -> None:
    holder = f"in use by process {os.getpid()} of "
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    second = pytest.raises(CourseError, match=holder)
    with one_grader(database, tmp_path), second, one_grader(database, elsewhere):
        pass
    with one_grader(database, elsewhere):
        pass


def varied(course: Living) -> None:
    """Hand in honest work, whole and partial, and work that cannot be graded or breaks."""
    course.hand_in("whole", course.solved())
    course.hand_in("half", course.solved(lambda number: number < 6))
    course.hand_in("unreadable", "<html>")
    nb = course.solved()
    nb.cells.insert(len(nb.cells) // 2, new_code_cell("import os; os._exit(3)"))
    course.hand_in("leaves", nb)


@pytest.fixture
def here(spoilable: Living) -> Living:
    """Return a course with varied submissions, graded into SQLite."""
    varied(spoilable)
    spoilable.ok("grade")
    return spoilable


@pytest.fixture
def served(here: Living, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Living:
    """Return the course, ungraded, with its gradebook on the server."""
    course = copy_of(here.root, tmp_path / "served")
    for name in ("autograded", "feedback"):
        shutil.rmtree(course.root / name)
    (course.root / "grades.csv").unlink()
    (course.root / "gradebook.db").unlink()
    settings = course.root / "course.toml"
    course.edit(settings, '# db_url = "$GRADEBOOK_URL"', 'db_url = "$GRADEBOOK_URL"')
    monkeypatch.setenv("GRADEBOOK_URL", database)
    return course


@pytest.mark.slow
def test_it_gives_the_grades_of_sqlite(here: Living, served: Living) -> None:
    served.ok("build")
    served.ok("grade")
    rows = table(served.root / "grades.csv")
    assert rows == table(here.root / "grades.csv") and len({row["total"] for row in rows}) > 2
    assert not (served.root / "gradebook.db").exists()
    exported = served.run("nbgrader", "export")
    assert exported.returncode == 0, exported.stderr
    found = [r for r in table(served.root / "gradebook.csv") if r["assignment"] == MODULE]
    totals = {row["student_id"]: float(row["score"]) for row in found}
    assert totals == {row["student"]: float(row["total"]) for row in rows}


def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://grader:hunter2@127.0.0.1:{free_port()}/dl101"
    shown = url.replace("hunter2", r"\*\*\*").replace("+", r"\+")
    for use in (Gradebook, lambda url: one_grader(url, tmp_path).__enter__()):
        with pytest.raises(CourseError, match=f"{shown} cannot be used") as caught:
            use(url)
        assert "hunter2" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(
    spoilable: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, '# db_url = "$GRADEBOOK_URL"', 'db_url = "$GRADEBOOK_URL"')
    monkeypatch.delenv("GRADEBOOK_URL", raising=False)
    assert "GRADEBOOK_URL" in spoilable.refused("grade")
