"""More than one machine: Dask's workers and a PostgreSQL gradebook give the grades of one machine.

Scheduler, workers and database server are processes of their own here, as they would be elsewhere.
The workers run in an empty folder, with a home and an environment that know no course.
"""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from delimiters import ROOT
from living import MODULE, Living, copy_of, table
from nbformat.v4 import new_code_cell
from test_engine import LIMITS, RIGHT, job, needs_sandbox, passed

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import cluster, gradebook, remote, sandbox  # noqa: E402
from coursekit.cluster import connected  # noqa: E402
from coursekit.errors import CourseError  # noqa: E402
from coursekit.sandbox import Place  # noqa: E402

SERVER = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
needs_postgresql = pytest.mark.skipif(not SERVER, reason="Debian's postgresql is not installed")
SLOW = RIGHT + "\nimport time\ntime.sleep(0.9)"  # under the limit of a cell


def until(ready: Callable[[], object]) -> None:
    """Wait until something holds; a minute is no limit of ours but the sign of a hang."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


@contextmanager
def process(folder: Path, *command: str, path: str = "/usr/bin:/bin") -> Iterator[subprocess.Popen]:
    """Run one of Dask's commands from a folder that has nothing of a course."""
    started = subprocess.Popen(
        [sys.executable, "-m", "dask", *command],
        cwd=folder,
        env={"HOME": str(folder), "PATH": path, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Path]:
    """Return a folder for the workers' machines."""
    with tempfile.TemporaryDirectory(prefix="elsewhere-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def scheduler(elsewhere: Path) -> Iterator[str]:
    """Start a Dask scheduler; return its address."""
    pytest.importorskip("distributed")
    port = free_port()
    where = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with process(elsewhere, "scheduler", *where):
        until(lambda: listens(port))
        yield f"tcp://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


class Workers:
    """Workers of a scheduler, each of one thread, and a client that watches them."""

    def __init__(self, scheduler: str, folder: Path, stack: ExitStack) -> None:
        self.url, self.folder, self.stack = scheduler, folder, stack
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, name: str, path: str = "/usr/bin:/bin") -> None:
        only = ["--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        started = process(self.folder, "worker", self.url, *only, path=path)
        self.processes[name] = self.stack.enter_context(started)

    def connect(self, count: int):
        """Return a client, once there are so many workers."""
        import distributed

        client = self.stack.enter_context(distributed.Client(self.url, set_as_default=False))
        client.wait_for_workers(count, timeout=60)
        return client

    def busy(self, client) -> str:
        """Return the name of the worker that runs something now."""
        busy: list[str] = []

        def found() -> list[str]:
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
            busy[:] = [w["name"] for w in workers if w["metrics"]["task_counts"].get("executing")]
            return busy

        until(found)
        return busy[0]


@pytest.fixture
def workers(scheduler: str, elsewhere: Path) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(scheduler, elsewhere, stack)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return the package that the jobs may import, empty; sandboxed where that can be."""
    package = tmp_path / "reference" / "minitorch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    return Place(package.parent, sandbox.available())


def varied(course: Living) -> None:
    """Hand in honest work, whole and partial, and work that breaks in several ways."""
    course.hand_in("whole", course.solved())
    course.hand_in("half", course.solved(lambda number: number < 6))
    course.hand_in("unreadable", "<html>")
    for student, code in {
        "leaves": "import os; os._exit(3)",
        "writes": "open('/etc/hostname', 'w')",
        "imports": f"from {course.package}.tensor import *",
        "patches": "import numpy as np; np.allclose = lambda *a, **k: True",
    }.items():
        nb = course.solved()
        nb.cells.insert(len(nb.cells) // 2, new_code_cell(code))
        course.hand_in(student, nb)


def rows(course: Living) -> list[dict[str, str]]:
    return table(course.root / "grades.csv")


@pytest.fixture(scope="module")
def here(built: Living, tmp_path_factory: pytest.TempPathFactory) -> Living:
    """Return a course with varied submissions, graded on this machine into SQLite."""
    course = copy_of(built.root, tmp_path_factory.mktemp("here") / built.root.name)
    varied(course)
    course.ok("grade")
    assert len({row["total"] for row in rows(course)}) > 3, "they are varied"
    return course


def ungraded(course: Living, target: Path) -> Living:
    """Copy a course without what was graded."""
    copy = copy_of(course.root, target)
    for name in ("autograded", "feedback"):
        shutil.rmtree(copy.root / name)
    (copy.root / "grades.csv").unlink()
    return copy


def test_two_workers_give_the_grades_of_one_machine(
    here: Living, workers: Workers, tmp_path: Path
) -> None:
    workers.start("one")
    workers.start("two")
    client = workers.connect(2)
    course = ungraded(here, tmp_path / "course")
    course.ok("grade", "--scheduler", workers.url)
    assert rows(course) == rows(here)
    left = client.run(eval, "[n for n in __import__('sys').modules if n.startswith('coursekit')]")
    assert not any(left.values()), "a worker keeps nothing of a grading"


def test_what_a_dead_worker_ran_runs_on_another(workers: Workers, place: Place) -> None:
    workers.start("one")
    workers.start("two")
    client = workers.connect(2)
    with cluster.Cluster(client, place, LIMITS) as engine:
        futures = [engine.submit(job(SLOW)) for _ in range(4)]
        workers.processes[workers.busy(client)].kill()
        assert all(passed(future.result().outputs[-1]) for future in futures)


def test_a_job_over_which_workers_die_is_given_up_and_the_others_go_on(
    workers: Workers, place: Place
) -> None:
    workers.start("one")
    client = workers.connect(1)
    before = rerun_after(client, 0)
    with cluster.Cluster(client, place, LIMITS) as engine:
        first = engine.submit(job(SLOW))
        workers.processes[workers.busy(client)].kill()
        assert "died" in first.result().ended
        assert set(first.result().outputs) == {None}
        second = engine.submit(job(RIGHT))
        workers.start("two")
        assert passed(second.result().outputs[-1])
    rerun_after(client, before)


def rerun_after(client, deaths: int) -> int:
    """Set how many workers may die over a job before it is given up; return what was set."""

    def set_on(dask_scheduler) -> int:
        before = dask_scheduler.allowed_failures
        dask_scheduler.allowed_failures = deaths
        return before

    return client.run_on_scheduler(set_on)


@needs_sandbox
def test_a_worker_without_a_sandbox_is_named_and_nobody_gets_zero_for_it(
    here: Living, workers: Workers, place: Place, tmp_path: Path
) -> None:
    workers.start("bare", path="/nowhere")
    client = workers.connect(1)
    (address,) = client.nthreads()
    course = ungraded(here, tmp_path / "course")
    message = course.refused("grade", "--scheduler", workers.url, "--student", "whole")
    assert address in message and "apt-get install bubblewrap" in message
    assert not (course.root / "autograded").exists()
    with cluster.Cluster(client, replace(place, sandboxed=False), LIMITS) as engine:
        assert passed(engine.submit(job(RIGHT)).result().outputs[-1])


def test_a_worker_with_another_numpy_is_named_with_what_to_install(
    workers: Workers, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.start("other")
    client = workers.connect(1)
    (address,) = client.nthreads()
    monkeypatch.setattr(remote, "versions", lambda: {"Python": "3.11", "numpy": "1.0"})
    named = pytest.raises(CourseError, match=f"{address}.*pip install .*numpy==1.0")
    with cluster.Cluster(client, place, LIMITS) as engine, named:
        engine.submit(job(RIGHT)).result()


def test_a_scheduler_with_another_dask_is_refused(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "versions", lambda: {"distributed": "2024.1.0"})
    named = pytest.raises(CourseError, match=f"{scheduler}(.|\n)*distributed==2024.1.0")
    with named, connected(scheduler):
        pass


def test_jobs_do_not_wait_forever_for_a_worker(
    workers: Workers, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.start("last")
    client = workers.connect(1)
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with cluster.Cluster(client, place, LIMITS) as engine:
        workers.processes["last"].kill()
        until(lambda: not client.nthreads())
        with pytest.raises(CourseError, match="has no workers"):
            engine.submit(job(RIGHT)).result(timeout=60)


def test_a_scheduler_without_workers_or_none_at_all_is_named(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT", 1)
    with pytest.raises(CourseError, match=f"{scheduler} has no workers"), connected(scheduler):
        pass
    nobody = f"tcp://127.0.0.1:{free_port()}"
    for url in (nobody, nobody.replace("tcp", "tls"), "http://127.0.0.1"):
        with pytest.raises(CourseError, match=f"{url} (.|\n)*dask scheduler"), connected(url):
            pass


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL server, which refuses to run as root; return a new database's address."""
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
            yield f"postgresql+psycopg://grader@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "--mode", "immediate", "stop"], **as_user)


@pytest.fixture
def served(
    here: Living, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Living:
    """Return the course, ungraded, with its gradebook on the server."""
    course = ungraded(here, tmp_path / "course")
    (course.root / "gradebook.db").unlink()
    settings = course.root / "course.toml"
    course.edit(settings, '# db_url = "$GRADEBOOK_URL"', 'db_url = "$GRADEBOOK_URL"')
    monkeypatch.setenv("GRADEBOOK_URL", postgresql)
    return course


@needs_postgresql
def test_postgresql_gives_the_grades_of_sqlite(
    here: Living, served: Living, postgresql: str
) -> None:
    served.ok("build")
    served.ok("grade")
    assert rows(served) == rows(here)
    assert not (served.root / "gradebook.db").exists()
    exported = served.run("nbgrader", "export")
    assert exported.returncode == 0, exported.stderr
    totals = {row["student_id"]: float(row["score"]) for row in module_rows(served)}
    assert totals == {row["student"]: float(row["total"]) for row in rows(here)}


@needs_postgresql
def test_one_machine_grades_at_a_time_on_a_server(postgresql: str) -> None:
    holder = f"in use by process {os.getpid()} of {getpass.getuser()}"
    second = pytest.raises(CourseError, match=holder)
    with gradebook.alone(postgresql), second, gradebook.alone(postgresql):
        pass
    with gradebook.alone(postgresql):
        pass


def module_rows(course: Living) -> list[dict[str, str]]:
    """Return what nbgrader itself exports about the module."""
    found = table(course.root / "gradebook.csv")
    return [row for row in found if row["assignment"] == MODULE]


@needs_postgresql
def test_a_server_that_does_not_answer_is_named_without_the_password(
    served: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}/dl101"
    monkeypatch.setenv("GRADEBOOK_URL", f"postgresql+psycopg://grader:hunter2@{address}")
    message = served.refused("grade")
    assert address in message and "does not answer" in message and "hunter2" not in message
    monkeypatch.delenv("GRADEBOOK_URL")
    assert "GRADEBOOK_URL" in served.refused("grade")
