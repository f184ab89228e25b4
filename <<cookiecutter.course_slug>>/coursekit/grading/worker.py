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
from pathlib import Path
from typing import Any, BinaryIO

LENGTH = 8  # bytes before a message that say how long it is
MEMORY = 4 * 1024**3  # of one worker, so that no file takes the machine's
DIED = "the process that graded it ended, twice: its file may be made to do that"


class WorkerDied(Exception):
    """The process that graded a submission ended."""


class Worker:
    """A worker process, and the assignment that it knows."""

    def __init__(self, folder: Path, *, sandboxed: bool) -> None:
        self.known = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "coursekit.grading.worker", *([] if sandboxed else ["--bare"])],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the grader's, who then closes our input
        )

    def ask(self, key: str, assignment: bytes, work: bytes) -> bytes:
        """Return what `grade_one` makes of a submission, all of it pickled: see `result`."""
        try:
            if key != self.known:
                send(self.process.stdin, assignment)  # type: ignore[arg-type]
                self.known = key
            send(self.process.stdin, work)  # type: ignore[arg-type]
            return receive(self.process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError) as error:
            raise WorkerDied(DIED) from error

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.process.wait()


def result(answer: bytes) -> Any:
    """Return what a worker answered, or raise what it raised."""
    well, value = pickle.loads(answer)
    if not well:
        raise value
    return value


def send(pipe: BinaryIO, data: bytes) -> None:
    pipe.write(len(data).to_bytes(LENGTH, "big") + data)
    pipe.flush()


def receive(pipe: BinaryIO) -> bytes:
    size = pipe.read(LENGTH)
    data = pipe.read(int.from_bytes(size, "big"))
    if len(size) < LENGTH or len(data) < int.from_bytes(size, "big"):
        raise EOFError
    return data


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
    with contextlib.ExitStack() as stack:
        while (message := asked.get()) is not None:
            if isinstance(message, tuple):
                stack.close()
                key, assignment = message
                known_good = False
                warm = stack.enter_context(execution.engine(assignment, sandboxed=sandboxed))
                running[:] = [warm]
                continue
            try:
                if not known_good:
                    check(assignment, key, sandboxed=sandboxed)
                    known_good = True
                answer = True, grade_one(assignment, message, warm)
            except Exception as error:
                answer = False, error
            send(answers, pickle.dumps(answer))


def check(assignment: Any, key: str, *, sandboxed: bool) -> None:
    """Raise a CourseError unless grades are the same here as where they are kept."""
    from coursekit.assignment import versions
    from coursekit.errors import CourseError
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
    with contextlib.suppress(EOFError, OSError):
        while True:
            asked.put(pickle.loads(receive(sys.stdin.buffer)))
    asked.put(None)
    for warm in running:
        warm.kill()


if __name__ == "__main__":
    main(sandboxed="--bare" not in sys.argv)
