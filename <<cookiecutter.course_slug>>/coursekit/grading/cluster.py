"""The same on other machines: each thread of a Dask worker keeps a worker process of its own.

coursekit goes there as a zip. A worker needs Python, the dependency group `cluster`, bubblewrap.
"""

import io
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coursekit.assignment import sha256
from coursekit.errors import CourseError
from coursekit.grading.worker import COURSEKIT

CONNECT = 5  # seconds to reach the scheduler, and for it to have a worker
MISSING = """\
--scheduler needs Dask, which is not installed here. `nox -s grade -- --scheduler …` installs it;
without nox: pip install --group cluster"""
UNREACHABLE = """\
No Dask scheduler with workers answers at {url} ({error}).
Start one with `dask scheduler` on that machine, workers with `dask worker {url}`, and try again."""
LOST = """\
The Dask scheduler at {url} is gone, or has no workers any more. Start them, and run this again: it
goes on where it stopped."""


@contextmanager
def graders(url: str, *, sandboxed: bool) -> Iterator[tuple[Callable[..., Future], Callable]]:
    """Yield what has a submission graded, giving a future, and what raises if nobody can."""
    try:
        from distributed import Client, get_worker
    except ModuleNotFoundError:
        raise CourseError(MISSING) from None
    try:
        client = Client(url, timeout=CONNECT, set_as_default=False)
        client.wait_for_workers(1, timeout=CONNECT)
    except (OSError, TimeoutError) as error:
        raise CourseError(UNREACHABLE.format(url=url, error=error)) from None

    def ask_there(digest: str, code: bytes, *asked: str | bytes) -> Any:
        """Grade a submission on a Dask worker, in a process of the thread that this runs in.

        Dask sends the code of a function within a function, so this runs where no coursekit is.
        """
        workers = threading.current_thread().__dict__.setdefault("coursekit_workers", {})
        if digest not in workers:
            folder = Path(tempfile.mkdtemp(dir=get_worker().local_directory))  # goes with it
            zipfile.ZipFile(io.BytesIO(code)).extractall(folder)
            sys.path.insert(0, str(folder))
            from coursekit.grading.worker import Worker

            workers[digest] = Worker(folder, sandboxed=sandboxed)
        return workers[digest].ask(*asked)

    def check() -> None:
        if not client.nthreads():
            raise CourseError(LOST.format(url=url))

    with client:
        code = packed()
        executor, digest = client.get_executor(pure=False), sha256(code)
        sent = {digest: client.scatter(code, broadcast=True)}  # once to every machine

        def submit(key: str, assignment: bytes, work: bytes) -> Future:
            if key not in sent:
                sent[key] = client.scatter(assignment, broadcast=True)
            return executor.submit(ask_there, digest, sent[digest], key, sent[key], work)

        try:
            yield submit, check
        except CancelledError:
            raise CourseError(LOST.format(url=url)) from None


def packed() -> bytes:
    """Return coursekit as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((COURSEKIT / "coursekit").rglob("*")):
            if path.suffix in (".py", ".j2", ".css", ".js"):
                archive.write(path, path.relative_to(COURSEKIT).as_posix())
    return buffer.getvalue()
