"""A process that grades: pickles in, pickles out. Its end of input is its end.

Each of the grader's threads has one, here or on a Dask worker. So a file that brings its reader
down takes one process with it, and no more.
"""

import contextlib
import os
import pickle
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from coursekit import execution
from coursekit.assignment import versions
from coursekit.errors import CourseError
from coursekit.grading.submission import Graded, grade_one
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.engine import Engine

COURSEKIT = Path(__file__).resolve().parents[2]  # the folder that has coursekit in it
MEMORY = 4 * 1024**3  # of one worker, so that no file takes the machine's
DIFFERS = """\
A worker on {host} has {here}, which is not what this machine has, and grades could differ: install
the same there."""
DIED = "the process that graded it ended, twice: its file may be made to do that"
ENDED = EOFError, OSError, pickle.UnpicklingError  # what a pipe says whose other end is gone


class Worker:
    """A worker process, which starts when it is asked, and again if it died."""

    def __init__(self, folder: Path, *, sandboxed: bool) -> None:
        self.folder, self.bare = folder, [] if sandboxed else ["--bare"]
        self.known = ""  # the key of the assignment that it has

    @cached_property
    def process(self) -> Any:
        return subprocess.Popen(
            [sys.executable, "-m", "coursekit.grading.worker", *self.bare],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the grader's, who then closes our input
        )

    def ask(self, key: str, assignment: bytes, work: bytes) -> Graded:
        """Return what `grade_one` makes of a submission to the assignment with this key."""
        for _ in range(2):
            try:
                asked = key, b"" if key == self.known else assignment, work
                pickle.dump(asked, self.process.stdin)
                self.process.stdin.flush()
                answer = pickle.load(self.process.stdout)
            except ENDED:
                self.process.kill()
                self.process.wait()
                del self.process  # and start another one
                self.known = ""
                continue
            if isinstance(answer, Exception):
                self.known = ""
                raise answer
            self.known = key
            return answer
        raise RuntimeError(DIED)


@contextlib.contextmanager
def graders(jobs: int, *, sandboxed: bool) -> Iterator[tuple[Callable[..., Future], Callable]]:
    """Yield what has a submission graded, giving a future, and what raises if nobody can."""
    workers = [Worker(COURSEKIT, sandboxed=sandboxed) for _ in range(jobs)]
    idle = workers[::-1]

    def ask(*asked: str | bytes) -> Graded:
        worker = idle.pop()  # there are as many as threads
        try:
            return worker.ask(*asked)
        finally:
            idle.append(worker)

    pool = ThreadPoolExecutor(jobs, "grader")
    try:
        yield lambda *asked: pool.submit(ask, *asked), lambda: None
    finally:
        started = [worker.process for worker in workers if "process" in vars(worker)]
        for process in started:  # all at once, and only then wait
            with contextlib.suppress(OSError):
                process.stdin.close()
        pool.shutdown(cancel_futures=True)
        for process in started:
            process.wait()


def main(*, sandboxed: bool) -> None:
    """Answer until the input ends; then end at once, with all that runs for us."""
    import resource  # not on Windows, where formgrader imports this file

    with contextlib.suppress(ValueError):  # macOS takes no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything here prints must not come among the answers
    asked, over = queue.SimpleQueue(), threading.Event()
    running: list[Engine] = []
    threading.Thread(target=listen, args=(asked, running, over), daemon=True).start()
    known = ""
    with contextlib.ExitStack() as stack:
        for key, data, work in iter(asked.get, None):
            try:
                if key != known:
                    stack.close()
                    known, assignment = "", pickle.loads(data)
                    if assignment.key != key:  # which holds the versions of what runs
                        here = ", ".join(map(" ".join, versions().items()))
                        raise CourseError(DIFFERS.format(host=platform.node(), here=here))
                    bubblewrap.check(wanted=sandboxed)
                    warm = stack.enter_context(execution.engine(assignment, sandboxed=sandboxed))
                    running[:], known = [warm], key
                if over.is_set():  # before this one was there to be ended
                    return
                answer: Any = grade_one(assignment, pickle.loads(work), warm)
            except CourseError as error:
                answer = error
            except Exception as error:  # as text, which can be read wherever it goes
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            with contextlib.suppress(BrokenPipeError):  # the grader was killed
                answers.write(pickle.dumps(answer))
                answers.flush()


def listen(asked: queue.SimpleQueue, running: list[Engine], over: threading.Event) -> None:
    """Hand over what is asked. At the end, end what runs, so that nothing of it stays."""
    with contextlib.suppress(*ENDED):
        while True:
            asked.put(pickle.load(sys.stdin.buffer))
    asked.put(None)
    over.set()
    for warm in running:
        warm.kill()


if __name__ == "__main__":
    main(sandboxed="--bare" not in sys.argv)
