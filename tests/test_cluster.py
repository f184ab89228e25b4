"""More than one machine: Dask's workers give the grades of one machine.

Scheduler and workers are processes of their own here, as they would be elsewhere. The workers run
in an empty folder, with a home and an environment that know no course.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from living import Living, copy_of, free_port, table, until
from nbformat.v4 import new_code_cell

needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


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


def varied(course: Living) -> None:
    """Hand in honest work, whole and partial, and work that breaks in several ways."""
    course.hand_in("whole", course.solved())
    course.hand_in("half", course.solved(lambda number: number < 6))
    course.hand_in("unreadable", "<html>")
    for student, code in {
        "leaves": "import os; os._exit(3)",
        "sleeps": "import time; time.sleep(5)",  # long enough to be seen at it
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


@pytest.mark.slow
def test_two_workers_give_the_grades_of_one_machine_though_one_dies(
    here: Living, workers: Workers, tmp_path: Path
) -> None:
    course = ungraded(here, tmp_path / here.root.name)
    workers.start("one")
    workers.start("two")
    client = workers.connect(2)
    command = [sys.executable, "-m", "coursekit", "grade", "--force", "--scheduler", workers.url]
    command += [] if shutil.which("bwrap") else ["--no-sandbox"]
    grading = subprocess.Popen(command, cwd=course.root, stdout=subprocess.PIPE, encoding="utf-8")
    workers.processes[workers.busy(client)].kill()
    said, _ = grading.communicate(timeout=300)
    assert grading.returncode == 0, said
    assert rows(course) == rows(here)


@pytest.mark.slow
@needs_sandbox
def test_a_worker_without_a_sandbox_is_named_and_nobody_gets_zero_for_it(
    here: Living, workers: Workers, tmp_path: Path
) -> None:
    course = ungraded(here, tmp_path / here.root.name)
    workers.start("bare", path=str(tmp_path))  # no bwrap there
    workers.connect(1)
    message = course.refused("grade", "--force", "--scheduler", workers.url)
    assert "apt-get install bubblewrap" in message
    assert not any((course.root / "autograded").rglob("graded.json"))


@pytest.mark.slow
def test_a_scheduler_that_nobody_runs_is_named(here: Living, tmp_path: Path) -> None:
    course = ungraded(here, tmp_path / here.root.name)
    url = f"tcp://127.0.0.1:{free_port()}"
    message = course.refused("grade", "--force", "--scheduler", url)
    assert f"answers at {url}" in message and "dask scheduler" in message
