"""The supervisor of one submission: gives out its cells, takes the outputs, keeps the time.

It is the parent of the student's process. Time is that process's own processor time, so that a busy
machine takes nobody's points; the wide limit on the wall's clock is for code that sleeps.
"""

import base64
import contextlib
import json
import marshal
import os
import select
import signal
import tempfile
import time
from pathlib import Path

import cells
import jail

DONE, GONE = 0, 1  # how a job went: GONE, there is nobody any more who waits for an answer
GRACE = 1.0  # seconds between interrupting a cell and ending its process
WALL = 10  # times as long as its processor time may a cell take on the wall's clock
ERROR = {"output_type", "ename", "evalue", "traceback"}
STREAM = {"output_type", "name", "text"}
RESULT = {"output_type", "metadata", "data", "execution_count"}
OUTPUTS = {"error": ERROR, "stream": STREAM, "execute_result": RESULT}
TOLD = "name", "kind", "source", "code", "binds"  # of a cell; not which runs are decoys


class GraderGone(Exception):
    """The input ended, so nobody waits for an answer."""


def main(kept, answers: int, boxed: bool) -> None:
    """Fork the student's process; then read a job, do it, write the answer. Does not return."""
    code = GONE
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's
        if boxed:
            jail.part()
        student, pipes = fork_student(kept, boxed)
        code = answer_job(student, pipes, answers, boxed)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(code)


def fork_student(kept, boxed: bool) -> tuple:
    """Fork the process for the student's code; return its id, and our ends of its two pipes."""
    asks, questions = os.pipe()
    replies_in, replies = os.pipe()
    student = os.fork()
    if not student:
        try:
            close_all_but(asks, replies)  # the grader's pipe among them: no code may answer there
            cells.serve(asks, replies, kept, jail.confine if boxed else jail.restrain)
        finally:
            os._exit(70)
    os.close(asks)
    os.close(replies)
    os.set_blocking(questions, False)
    return student, (questions, replies_in)


def close_all_but(*kept: int) -> None:
    """Close all file descriptors but these and the standard ones."""
    ends = sorted(kept)
    for low, high in zip([2, *ends], [*ends, 2**16], strict=True):
        os.closerange(low + 1, high)


def answer_job(student: int, pipes: tuple, answers: int, boxed: bool) -> int:
    """Read a job, do it, write the answer; return how it went, as the parent understands it."""
    try:
        job = marshal.loads(read_exactly(int.from_bytes(read_exactly(8), "big")))
        answer = json.dumps(Supervisor(student, pipes, job, boxed).run()).encode() + b"\n"
    except GraderGone:
        return GONE
    finally:
        end(student, boxed)
    while answer:
        answer = answer[os.write(answers, answer) :]
    return DONE


def read_exactly(size: int) -> bytes:
    """Read so many bytes of the input: the first thing in this process that knows of the job."""
    parts = []
    while size:
        parts.append(os.read(0, min(size, 2**20)))
        size -= len(parts[-1])
        if not parts[-1]:
            raise GraderGone
    return b"".join(parts)


class Supervisor:
    """Runs one submission in a student's process that is already there."""

    def __init__(self, student: int, pipes: tuple, job: dict, boxed: bool) -> None:
        self.student, (self.questions, self.replies) = student, pipes
        self.job, self.boxed, self.limits = job, boxed, job["limits"]
        self.used = 0.0  # processor seconds of the cells that count
        self.extra = 0.0  # and of those that do not
        self.late = False

    def run(self) -> dict:
        """Return what each cell gave, None for those not run, how it ended, how long it took."""
        results: list = [None] * len(self.job["cells"])
        failed: set[str] = set()  # tests whose other runs need not be run any more
        with self.folder() as folder:
            ended = self.settle(folder)
            for number, cell in enumerate(self.job["cells"]):
                if ended:
                    break
                if cell["name"] in failed or not (cell["counts"] or self.has_time_to_spare()):
                    continue
                results[number], ended = self.ask(cell)
                if cell["kind"] == "test" and not cell["decoy"] and fails(results[number]):
                    failed.add(cell["name"])
            end(self.student, self.boxed)
        return {"cells": results, "ended": ended, "seconds": self.used}

    @contextlib.contextmanager
    def folder(self):
        """Yield the folder that the code may write in."""
        if self.boxed:
            jail.furnish(self.limits["disk_mb"])
            yield "/tmp"
        else:
            with tempfile.TemporaryDirectory(prefix="cells-") as folder:
                yield folder

    def settle(self, folder: str) -> str:
        """Write the files and tell the student's process what it must know; say if it ended."""
        for name, text in self.job["files"].items():
            path = Path(folder, "work", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(text))
        settings = {"folder": folder, "limits": self.limits, "attributes": self.job["attributes"]}
        return "" if self.exchange(settings, 10) == b"ready\n" else self.how_it_ended()

    def has_time_to_spare(self) -> bool:
        """Tell whether runs that do not count may go on: they take as much as the notebook."""
        return self.extra < self.limits["notebook_seconds"]

    def ask(self, cell: dict) -> tuple[list | None, str]:
        """Let the student's process run a cell; return its outputs and, if it ended, how."""
        seconds = self.limits["cell_seconds"]
        if cell["counts"]:
            seconds = min(seconds, self.limits["notebook_seconds"] - self.used)
        if seconds <= 0:
            return None, "the notebook ran out of time"
        start = self.cpu_seconds()
        told = {key: cell[key] for key in TOLD} | {"seconds": seconds, "wall": WALL * seconds}
        line = self.exchange(told, seconds)
        taken = self.cpu_seconds() - start
        self.used += taken if cell["counts"] else 0.0
        self.extra += 0.0 if cell["counts"] else taken
        if line is None:
            return None, self.how_it_ended()
        try:
            outputs = json.loads(line)
        except (ValueError, RecursionError):
            outputs = None
        return (outputs, "") if is_list_of(dict, outputs) and all(map(is_output, outputs)) else (
            None, "its results were not the engine's own")  # fmt: skip

    def cpu_seconds(self) -> float:
        """Return the processor time of the student's process so far; 0 where nobody can say.

        The number of a process's clock is made of its id (Linux: man 3 clock_getcpuclockid).
        """
        try:
            return time.clock_gettime(~self.student * 8 + 2)
        except (OSError, OverflowError):  # it has ended; or this is macOS, where the wall decides
            return 0.0

    def exchange(self, question: dict, seconds: float) -> bytes | None:
        """Write a question to the student's process and read a line, or None if it ends before."""
        self.cpu_end = self.cpu_seconds() + seconds + GRACE
        self.look_again = time.monotonic() + GRACE
        self.wall_end = self.look_again + WALL * seconds
        data = marshal.dumps(question)
        data = len(data).to_bytes(8, "big") + data
        try:
            while data and self.ready([], [self.questions]):
                data = data[os.write(self.questions, data) :]  # what has room: it does not wait
            return self.read_line()
        except OSError:
            return None

    def read_line(self) -> bytes | None:
        """Read up to a line's end, of which there is a limited size."""
        most = 64 * self.limits["output_kb"] * 1024 + 1024 * 1024
        parts, size = [], 0
        while size < most and self.ready([self.replies], []):
            part = os.read(self.replies, 65536)
            parts.append(part)
            size += len(part)
            if part.endswith(b"\n") or not part:
                return b"".join(parts) if part else None
        return None

    def ready(self, readers: list, writers: list) -> bool:
        """Wait until a pipe is ready. At the end of the time, end the student's process.

        The clocks are looked at now and then, also when it is: it may write a byte a second.
        """
        while True:
            readable, writable, _ = select.select([0, *readers], writers, [], GRACE)
            if 0 in readable:
                raise GraderGone
            now = time.monotonic()
            if now >= self.look_again:
                self.look_again = now + GRACE
                if now >= self.wall_end or self.cpu_seconds() >= self.cpu_end:
                    self.late = True
                    end(self.student, self.boxed)
                    return False
            if readable or writable:
                return True

    def how_it_ended(self) -> str:
        """Return how the student's process ended."""
        if self.late:
            return "it ran out of time and could not be interrupted"
        end(self.student, self.boxed)
        _, status = os.waitpid(self.student, 0)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"its process ended itself (exit code {code})"
        return f"its process was ended by {signal.Signals(-code).name}"


def fails(outputs: list | None) -> bool:
    """Tell whether a test with these outputs gets no points: nbgrader's rule."""
    return outputs is None or any(
        o["output_type"] == "error" or o.get("name") == "stderr" for o in outputs
    )


def is_output(output: dict) -> bool:
    """Tell whether this is an output that nbformat knows, of the kinds that cells give."""
    kind = output.get("output_type")
    if not isinstance(kind, str) or set(output) != OUTPUTS.get(kind):
        return False
    texts = [output[key] for key in ("ename", "evalue", "name", "text") if key in output]
    shown = output.get("data", {"text/plain": ""})
    texts += shown.values() if isinstance(shown, dict) else [None]
    return is_list_of(str, texts) and is_list_of(str, output.get("traceback", []))


def is_list_of(kind: type, things: object) -> bool:
    return isinstance(things, list) and all(isinstance(thing, kind) for thing in things)


def end(student: int, boxed: bool) -> None:
    """End the student's process, and every one that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(student, signal.SIGKILL)
        if not boxed:  # in the sandbox, all of them end with the first
            os.killpg(student, signal.SIGKILL)
