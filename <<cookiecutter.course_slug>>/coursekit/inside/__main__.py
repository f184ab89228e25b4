"""The warm parent: a process with NumPy and the reference package loaded, forked for each job.

It reads jobs from its input, one JSON object a line, and answers each with one line. A job goes to
a keeper, a fork that shuts the doors (jail.py), forks once more for the student's code (cells.py),
hands it one cell after the other and writes down what comes back. So the student's process knows no
test before its turn, and nothing of the keeper. It leaves nothing behind: when it ends, the kernel
ends every process in its namespace.
"""

import contextlib
import importlib
import json
import os
import secrets
import select
import signal
import sys
import tempfile
import time
from pathlib import Path

import cells
import jail

PRELOADED = ("numpy", "numpy.testing", "numpy.linalg", "numpy.random", "numpy.fft", "timeit")
GRACE = 1.0  # seconds between interrupting a cell and ending its process


def main() -> None:
    """Answer jobs until the input ends."""
    boxed = "--no-sandbox" not in sys.argv
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warm_up()
    print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
    for line in sys.stdin:
        print(answer(line, boxed), file=answers, flush=True)


def warm_up() -> None:
    """Import what every submission needs."""
    for name in PRELOADED:
        importlib.import_module(name)
    for folder in map(Path, sys.path):
        for package in folder.glob("*/__init__.py") if folder.name == "reference" else []:
            for path in sorted(package.parent.glob("*.py")):
                name = f"{package.parent.name}.{path.stem}"
                importlib.import_module(name.removesuffix(".__init__"))


def answer(line: str, boxed: bool) -> str:
    """Let a keeper do a job; return its answer, or that it died."""
    reading, writing = os.pipe()
    keeper = os.fork()
    if not keeper:
        keep(line, boxed, writing)
    os.close(writing)
    select.select([reading, 0], [], [])
    if not select.select([reading], [], [], 0)[0]:
        os._exit(1)  # there is nothing to read but the end of the input: the grader is gone
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(keeper, 0)
    complete = text.endswith(b"\n")
    return text.decode().strip() if complete else json.dumps({"lost": "the keeper ended"})


def keep(line: str, boxed: bool, writing: int) -> None:
    """Do a job and write the answer. Does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's
    try:
        result = Keeper(json.loads(line), boxed).run()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(result).encode() + b"\n")
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


class Keeper:
    """Runs one submission: gives out cells, takes verdicts, keeps the time."""

    def __init__(self, job: dict, boxed: bool) -> None:
        self.job, self.boxed, self.limits = job, boxed, job["limits"]
        self.end = time.monotonic() + self.limits["notebook_seconds"]
        self.late = False

    def run(self) -> dict:
        """Return what each cell gave, None for those not reached, and how it ended."""
        with self.folder() as folder:
            self.start(folder)
            results = [None] * len(self.job["cells"])
            ended = ""
            for number, cell in enumerate(self.job["cells"]):
                results[number], ended = self.ask(cell)
                if ended:
                    break
            self.stop()
        return {"cells": results, "ended": ended}

    @contextlib.contextmanager
    def folder(self):
        """Yield the folder that the code may write in."""
        if self.boxed:
            jail.enclose(self.limits["disk_mb"])
            yield Path("/tmp")
        else:
            with tempfile.TemporaryDirectory(prefix="cells-") as folder:
                yield Path(folder)

    def start(self, folder: Path) -> None:
        """Fork the student's process."""
        asks, self.questions = os.pipe()
        self.replies, replies = os.pipe()
        self.student = os.fork()
        if not self.student:
            try:
                self.become_student(folder, asks, replies)
            finally:
                os._exit(70)
        os.close(asks)
        os.close(replies)

    def become_student(self, folder: Path, asks: int, replies: int) -> None:
        """Be the student's process: shut the doors, forget the keeper, run cells."""
        work = folder / "work"
        work.mkdir()
        for name, text in self.job["files"].items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text, encoding="utf-8")
        os.chdir(work)
        os.environ.update(HOME=str(folder), TMPDIR=str(folder))
        os.setsid()
        (jail.confine if self.boxed else jail.restrain)(self.limits)
        cells.serve(asks, replies, self.job["guard"], self.limits["output_kb"] * 1024)

    def ask(self, cell: dict) -> tuple[dict | None, str]:
        """Let the student's process run a cell; return its answer and, if it ended, how."""
        seconds = min(self.limits["cell_seconds"], self.end - time.monotonic())
        if seconds <= 0:
            return None, "the notebook ran out of time"
        token = secrets.token_hex(16)
        line = self.exchange({**cell, "token": token, "seconds": seconds}, seconds + GRACE)
        if line is None:
            return None, self.how_it_ended()
        try:
            reply = json.loads(line)
            if reply.pop("token") != token or not isinstance(reply["outputs"], list):
                raise ValueError
        except (ValueError, TypeError, AttributeError, KeyError):
            return None, "its results were forged"
        return reply, ""

    def exchange(self, question: dict, seconds: float) -> bytes | None:
        """Write one line to the student's process and read one, or None if it ends before."""
        end = time.monotonic() + seconds
        line = json.dumps(question).encode() + b"\n"
        try:
            while line and self.in_time(end, writing=True):
                line = line[os.write(self.questions, line[:4096]) :]
            return self.read_line(end)
        except OSError:
            return None

    def in_time(self, end: float, *, writing: bool = False) -> bool:
        """Wait until the pipe is ready. At the end of the time, end the student's process."""
        wanted = [self.questions] if writing else [self.replies]
        left = max(0.0, end - time.monotonic())
        ready = select.select([] if writing else wanted, wanted if writing else [], [], left)
        if not any(ready):
            self.late = True
            self.stop()
        return any(ready)

    def read_line(self, end: float) -> bytes | None:
        """Read up to a line's end, of which there is a limited size."""
        most = 64 * self.limits["output_kb"] * 1024 + 1024 * 1024
        parts, size = [], 0
        while size < most and self.in_time(end):
            part = os.read(self.replies, 65536)
            parts.append(part)
            size += len(part)
            if part.endswith(b"\n") or not part:
                return b"".join(parts) if part else None
        return None

    def stop(self) -> None:
        """End the student's process, and every one that it started."""
        kill = os.kill if self.boxed else kill_group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(self.student, signal.SIGKILL)

    def how_it_ended(self) -> str:
        """Return how the student's process ended."""
        if self.late:
            return "it ran out of time and could not be interrupted"
        self.stop()
        _, status = os.waitpid(self.student, 0)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"its process ended itself (exit code {code})"
        return f"its process was ended by {signal.Signals(-code).name}"


def kill_group(pid: int, number: int) -> None:
    os.kill(pid, number)
    os.killpg(pid, number)


if __name__ == "__main__":
    main()
