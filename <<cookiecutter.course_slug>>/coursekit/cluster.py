"""An engine on other machines: an executor that sends jobs to the workers of a Dask scheduler.

What a job needs travels to each worker as one zip: coursekit itself, under a name of its own, so
that two courses or versions on one cluster never mix, and the reference package. Nothing of ours
is pickled: jobs, outcomes and refusals are text (remote.py).
"""

import asyncio
import json
import tempfile
import threading
import time
import uuid
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coursekit import remote
from coursekit.engine import Job, Limits, Outcome
from coursekit.errors import CourseError
from coursekit.sandbox import Place

HERE = Path(__file__).resolve().parent
CONNECT = 5  # seconds to reach the scheduler
PATIENCE = 60.0  # seconds without any worker
DIED = "the workers that ran it died, one after the other"

MISSING = """\
--scheduler needs Dask, which is not installed here. `nox -s grade -- --scheduler …` installs it;
without nox: pip install --group cluster"""
UNREACHABLE = """\
No Dask scheduler answers at {url} ({error}).
Start one with `dask scheduler` on that machine, workers with `dask worker {url}`, and try again."""
OTHER_DASK = """\
The scheduler at {url} has distributed {theirs}, you have {ours}: they may misunderstand each other.
Install on all machines of the cluster: pip install distributed=={ours}"""
NO_WORKERS = """\
The Dask scheduler at {url} has no workers.
Start some with `dask worker {url}`, then run this again: it goes on where it stopped."""
LOST = "The Dask scheduler at {url} is gone. Start it, run this again: it goes on where it stopped."


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Yield a Dask client of the scheduler at `tcp://host:8786`, which must have workers."""
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ModuleNotFoundError:
        raise CourseError(MISSING) from None
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)  # we compare what matters
    try:
        asyncio.run(knock(url))
        client = Client(url, timeout=CONNECT, set_as_default=False)
    except Exception as error:  # of many kinds, by what answers there
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CourseError(UNREACHABLE.format(url=url, error=said)) from None
    with client:
        compare(client, url)
        try:
            client.wait_for_workers(1, timeout=CONNECT)
        except TimeoutError:
            raise CourseError(NO_WORKERS.format(url=url)) from None
        yield client


def compare(client: Any, url: str) -> None:
    """Refuse a scheduler with another version of Dask; each worker compares its own (remote.py)."""
    theirs = client.get_versions()["scheduler"]["packages"]["distributed"]
    ours = remote.versions()["distributed"]
    if theirs != ours:
        raise CourseError(OTHER_DASK.format(url=url, theirs=theirs, ours=ours))


async def knock(url: str) -> None:
    """Connect once: a Client that cannot leaves threads behind, which take their time to end."""
    from distributed.comm import connect
    from distributed.security import Security

    secured = Security().get_connection_args("client")
    await (await connect(url, timeout=CONNECT, **secured)).close()


class Cluster(Executor):
    """An executor for jobs, as `engine.Engine` is one; each worker keeps an Engine of its own.

    A worker runs as many jobs at once as it has threads (`dask worker --nthreads`).
    """

    def __init__(self, client: Any, place: Place, limits: Limits) -> None:
        from distributed.diagnostics.plugin import UploadFile

        self.client, self.url = client, client.scheduler.address
        self.name = f"coursekit_{uuid.uuid4().hex[:12]}"
        self.pending: set[Future[Outcome]] = set()
        self.closed = threading.Event()
        settings = {"limits": asdict(limits), "sandboxed": place.sandboxed}
        settings["versions"] = remote.versions()
        with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
            archive = pack(self.name, place.reference, settings, Path(folder))
            client.register_plugin(UploadFile(str(archive)), name=self.name)  # later workers, too
        threading.Thread(target=self.watch, daemon=True).start()

    @property
    def size(self) -> int:
        """Return how many jobs run at once."""
        return sum(self.client.nthreads().values())

    def submit(self, job: Job, /) -> Future[Outcome]:  # type: ignore[override]
        future: Future[Outcome] = Future()
        self.pending.add(future)
        future.add_done_callback(self.pending.discard)
        call = f"__import__('distributed').get_worker().address, __import__({self.name!r}).run(job)"
        sent = self.client.get_executor(pure=False).submit(eval, call, {"job": job.text()})
        sent.add_done_callback(lambda done: self.settle(done, future, len(job.cells)))
        future.add_done_callback(lambda done: done.cancelled() and sent.cancel())
        return future

    def settle(self, done: Future[tuple[str, str]], future: Future[Outcome], cells: int) -> None:
        """Turn what came back over the wire into an outcome, or an error a person can act on."""
        if not self.claim(future):
            return
        try:
            future.set_result(self.outcome(done, cells))
        except BaseException as error:
            future.set_exception(error)

    def outcome(self, done: Future[tuple[str, str]], cells: int) -> Outcome:
        """Return the outcome of a job; a CourseError if none can be had."""
        from distributed import KilledWorker

        if done.cancelled():
            raise CourseError(LOST.format(url=self.url))
        try:
            worker, text = done.result()
        except KilledWorker:
            return Outcome((None,) * cells, DIED)
        except Exception as error:
            raise CourseError(f"The Dask cluster at {self.url} failed: {error!r}") from error
        found = json.loads(text)
        if "refused" in found:
            raise CourseError(f"The Dask worker at {worker} cannot grade: {found['refused']}")
        return Outcome(**{k: tuple(v) if isinstance(v, list) else v for k, v in found.items()})

    def watch(self) -> None:
        """Give up what waits when there has been no worker for a while."""
        seen = time.monotonic()
        while not self.closed.wait(PATIENCE / 20):
            with suppress(Exception):  # a scheduler that is gone cancels the jobs itself
                if self.client.nthreads():
                    seen = time.monotonic()
                elif time.monotonic() - seen > PATIENCE:
                    self.give_up(CourseError(NO_WORKERS.format(url=self.url)))

    def give_up(self, error: CourseError) -> None:
        for future in list(self.pending):
            if self.claim(future):
                future.set_exception(error)

    def claim(self, future: Future[Outcome]) -> bool:
        """Tell whether it is the caller who must say what became of a job."""
        try:
            self.pending.remove(future)
        except KeyError:
            return False
        return future.set_running_or_notify_cancel()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave nothing on the workers; with `cancel_futures`, at once, and what runs is lost."""
        for future in list(self.pending) if cancel_futures else []:
            future.cancel()
        if wait and not cancel_futures:
            wait_for(self.pending)
        self.closed.set()
        with suppress(Exception):  # nobody can tidy up a cluster that is gone
            self.client.unregister_worker_plugin(self.name)
            self.client.run(eval, f"__import__({self.name!r}).close()", on_error="ignore")


def wait_for(pending: set[Future[Outcome]]) -> None:
    wait(list(pending))


def pack(name: str, reference: Path, settings: dict[str, Any], folder: Path) -> Path:
    """Write the zip that a worker gets: coursekit as a package of that name, and what it needs."""
    target = folder / f"{name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted({*HERE.rglob("*.py")} - {HERE / "__init__.py"}):
            inside = "__init__.py" if path.stem == "remote" else path.relative_to(HERE).as_posix()
            text = path.read_text(encoding="utf-8").replace("from coursekit", f"from {name}")
            archive.writestr(f"{name}/{inside}", text)
        for path in sorted(reference.rglob("*.py")):
            archive.write(path, f"{name}/reference/{path.relative_to(reference).as_posix()}")
        archive.writestr(f"{name}/settings.json", json.dumps(settings))
    return target
