"""The same on other machines: each thread of a Dask worker keeps a worker process of its own.

coursekit goes there as a zip. A worker needs Python, the dependency group `cluster`, bubblewrap.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from coursekit.assignment import sha256
from coursekit.errors import CourseError

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
def graders(
    url: str, folder: Path, *, sandboxed: bool
) -> Iterator[tuple[Callable[..., Future], Callable[[], None]]]:
    """Yield a function that lets a submission be graded, and one that raises if nobody can."""
    try:
        import cloudpickle
        from distributed import Client
    except ModuleNotFoundError:
        raise CourseError(MISSING) from None
    from coursekit.grading import cluster

    cloudpickle.register_pickle_by_value(cluster)  # the workers have no coursekit
    try:
        client = Client(url, timeout=CONNECT, set_as_default=False)
        client.wait_for_workers(1, timeout=CONNECT)
    except (OSError, TimeoutError) as error:
        raise CourseError(UNREACHABLE.format(url=url, error=error)) from None
    with client:
        code = packed(folder)
        sent = client.scatter(code, broadcast=True)
        executor = client.get_executor(pure=False)

        def submit(key: str, data: bytes, work: bytes) -> Future:
            return executor.submit(ask_there, sha256(code), sent, sandboxed, key, data, work)

        def check() -> None:
            if not client.nthreads():
                raise CourseError(LOST.format(url=url))

        yield submit, check


def packed(folder: Path) -> bytes:
    """Return coursekit as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "coursekit").rglob("*")):
            if path.suffix in (".py", ".j2", ".css", ".js"):
                archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def ask_there(
    digest: str, code: bytes, sandboxed: bool, key: str, data: bytes, work: bytes
) -> bytes:
    """Grade a submission on a Dask worker, in a process of the thread that this runs in."""
    import io
    import sys
    import tempfile
    import threading
    import zipfile
    from pathlib import Path

    folder = Path(tempfile.gettempdir()) / f"coursekit-{digest[:16]}"
    if not (folder / "ready").exists():
        zipfile.ZipFile(io.BytesIO(code)).extractall(folder)
        (folder / "ready").touch()
    sys.path.insert(0, str(folder))
    from coursekit.grading.worker import Worker

    own = threading.current_thread()
    workers = own.__dict__.setdefault("coursekit_workers", {})
    if digest not in workers or workers[digest].process.poll() is not None:
        workers[digest] = Worker(folder, sandboxed=sandboxed)
    return workers[digest].ask(key, data, work)
