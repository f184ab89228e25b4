"""A process that grades: pickles in, pickles out. Its end of input is its end.

Each of the grader's threads has one, here or on a Dask worker. So a file that brings its reader
down takes one process with it, and no more.
"""

import contextlib
import os
import pickle
import platform
import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError

COURSEKIT = Path(__file__).resolve().parents[2]  # the folder that has coursekit in it
MEMORY = 4 * 1024**3  # of one worker, so that no file takes the machine's
DIED = "the process that graded it ended, twice: its file may be made to do that"
ENDED = EOFError, OSError, pickle.UnpicklingError  # what a pipe says whose other end is gone


class Worker:
    """A worker process, which starts when it is asked, and again if it died."""

    def __init__(self, folder: Path, *, sandboxed: bool) -> None:
        self.folder, self.bare = folder, [] if sandboxed else ["--bare"]
        self.process: Any = None

    def ask(self, *asked: str | bytes) -> Any:
        """Return what `grade_one` makes of a module's key, its assignment and a submission."""
        for _ in range(2):
            if not self.process or self.process.poll() is not None:
                self.start()
            try:
                pickle.dump(asked, self.process.stdin)
                self.process.stdin.flush()
                answer = pickle.load(self.process.stdout)
            except ENDED:
                self.process.kill()
                self.process.wait()
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise RuntimeError(DIED)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "coursekit.grading.worker", *self.bare],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the grader's, who then closes our input
        )


@contextlib.contextmanager
def graders(jobs: int, *, sandboxed: bool) -> Iterator[tuple[Callable[..., Future], Callable]]:
    """Yield what has a submission graded, giving a future, and what raises if nobody can."""
    workers = [Worker(COURSEKIT, sandboxed=sandboxed) for _ in range(jobs)]
    idle = workers[::-1]

    def ask(*asked: str | bytes) -> Any:
        worker = idle.pop()  # there are as many as threads
        try:
            return worker.ask(*asked)
        finally:
            idle.append(worker)

    pool = ThreadPoolExecutor(jobs, "grader")
    try:
        yield lambda *asked: pool.submit(ask, *asked), lambda: None
    finally:
        started = [worker.process for worker in workers if worker.process]
        for process in started:  # all at once, and only then wait
            with contextlib.suppress(OSError):
                process.stdin.close()
        pool.shutdown(cancel_futures=True)
        for process in started:
            process.wait()


def main(*, sandboxed: bool) -> None:
    """Answer until the input ends; then end at once, with all that runs for us."""
    from coursekit import execution
    from coursekit.grading.submission import grade_one

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything here prints must not come among the answers
    asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
    running: list[Any] = []
    threading.Thread(target=listen, args=(asked, running), daemon=True).start()
    known = ""
    with contextlib.ExitStack() as stack:
        for key, data, work in iter(asked.get, None):
            try:
                if key != known:
                    stack.close()
                    assignment = pickle.loads(data)
                    check(assignment, key, sandboxed=sandboxed)
                    warm = stack.enter_context(execution.engine(assignment, sandboxed=sandboxed))
                    running[:], known = [warm], key
                answer: Any = grade_one(assignment, pickle.loads(work), warm)
            except CourseError as error:
                answer = error
            except Exception as error:  # as text, which can be read wherever it goes
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            answers.write(pickle.dumps(answer))
            answers.flush()


def check(assignment: Any, key: str, *, sandboxed: bool) -> None:
    """Raise a CourseError unless grades are the same here as where they are kept."""
    from coursekit.assignment import versions
    from coursekit.sandbox import bubblewrap

    if assignment.key != key:  # which holds the versions of what runs
        here = ", ".join(f"{name} {version}" for name, version in versions().items())
        raise CourseError(
            f"A worker on {platform.node()} has {here}, which is not what this machine has, and "
            "grades could differ: install the same there."
        )
    bubblewrap.check(wanted=sandboxed)


def listen(asked: "queue.SimpleQueue[Any]", running: list[Any]) -> None:
    """Hand over what is asked. At the end, end what runs, so that nothing of it stays."""
    with contextlib.suppress(*ENDED):
        while True:
            asked.put(pickle.load(sys.stdin.buffer))
    asked.put(None)
    for warm in running:
        warm.kill()


if __name__ == "__main__":
    main(sandboxed="--bare" not in sys.argv)
