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
import sys
import tempfile
import time
from pathlib import Path

import cells
import jail

GRACE = 1.0  # seconds between interrupting a cell and ending its process
WALL = 10  # times as long as in processor time may cells take on the wall's clock
TOLD = "name", "kind", "source", "code", "binds"  # of a cell; not which runs are decoys


def main(kept, answers: int, boxed: bool) -> None:
    """Fork the student's process; then read a job, do it, write the answer. Does not return.

    Its exit code is 0 unless there is nobody any more who waits for an answer.
    """
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's
        if boxed:
            jail.part()
        student, pipes = fork_student(kept, boxed)
        # The first thing in this process that knows of the job; at the end of the input, EOFError.
        job = marshal.loads(marshal.load(sys.stdin.buffer))
        with contextlib.ExitStack() as stack:
            if boxed:
                folder = "/tmp"
                jail.furnish(job["limits"]["disk_mb"])
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cells-"))
            stack.callback(end, student)
            answer = Supervisor(student, pipes, job).run(Path(folder))
        with open(answers, "w") as out:
            out.write(json.dumps(answer) + "\n")
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def fork_student(kept, boxed: bool) -> tuple:
    """Fork the process for the student's code; return its id, and our ends of its two pipes."""
    asks, questions = os.pipe()
    replies_in, replies = os.pipe()
    student = os.fork()
    if not student:
        try:
            os.closerange(3, asks)  # the grader's pipe among them: no code may answer there
            os.closerange(asks + 1, replies)
            os.closerange(replies + 1, 2**16)
            cells.serve(asks, replies, kept, jail.confine if boxed else jail.restrain)
        finally:
            os._exit(70)
    os.close(asks)
    os.close(replies)
    return student, (questions, replies_in)


class Supervisor:
    """Runs one submission in a student's process that is already there."""

    def __init__(self, student: int, pipes: tuple, job: dict) -> None:
        self.student, (self.questions, self.replies) = student, pipes
        self.job, self.limits = job, job["limits"]
        self.used = {True: 0.0, False: 0.0}  # processor seconds of cells that count, or do not
        self.late = False
        signal.signal(signal.SIGALRM, self.look)

    def run(self, folder: Path) -> dict:
        """Return what each cell gave, None for those not run, how it ended, how long it took."""
        results: list = [None] * len(self.job["cells"])
        failed: set[str] = set()  # tests whose other runs need not be run any more
        ended = self.settle(folder)
        for number, cell in enumerate(self.job["cells"]):
            if ended:
                break
            over = self.used[cell["counts"]] >= self.limits["notebook_seconds"]
            if over and cell["counts"]:
                ended = "the notebook ran out of time"
            elif not over and cell["name"] not in failed:
                results[number], ended = self.ask(cell)
                if cell["kind"] == "test" and not cell["decoy"] and fails(results[number]):
                    failed.add(cell["name"])
        return {"cells": results, "ended": ended, "seconds": self.used[True]}

    def settle(self, folder: Path) -> str:
        """Write the files and tell the student's process what it must know; say if it ended."""
        for name, text in self.job["files"].items():
            path = folder / "work" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(text))
        told = {"folder": str(folder), "limits": self.limits, "attributes": self.job["attributes"]}
        return "" if self.exchange(told, 10) == b"ready\n" else self.how_it_ended()

    def ask(self, cell: dict) -> tuple[list | None, str]:
        """Let the student's process run a cell; return its outputs and, if it ended, how.

        Whatever it is told, also of time, is the same for runs that count and those that do not.
        """
        start, began, seconds = self.cpu_seconds(), time.monotonic(), self.limits["cell_seconds"]
        told = {key: cell[key] for key in TOLD} | {"seconds": seconds, "wall": WALL * seconds}
        line = self.exchange(told, seconds)
        waited = (time.monotonic() - began) / WALL  # so that who only sleeps comes to an end
        self.used[cell["counts"]] += max(self.cpu_seconds() - start, waited)
        if line is None:
            return None, self.how_it_ended()
        try:
            return outputs_of(json.loads(line)), ""
        except (ValueError, TypeError, LookupError, RecursionError):
            return None, "its results were not the engine's own"

    def cpu_seconds(self) -> float:
        """Return the processor time of the student's process so far; 0 where nobody can say.

        The number of a process's clock is made of its id (Linux: man 3 clock_getcpuclockid).
        """
        try:
            return time.clock_gettime(~self.student * 8 + 2)
        except (OSError, OverflowError):  # it has ended; or this is macOS, where the wall decides
            return 0.0

    def exchange(self, question: dict, seconds: float) -> bytearray | None:
        """Write a question to the student's process and read a line, or None if it ends before."""
        self.cpu_end = self.cpu_seconds() + seconds + GRACE
        self.wall_end = time.monotonic() + WALL * seconds + GRACE
        data = marshal.dumps(marshal.dumps(question))  # twice: of bytes, it knows how many to read
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, GRACE, GRACE)
                cells.send(self.questions, data)
                return self.read_line()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)  # one last look may come until here
        except OSError:
            return None

    def read_line(self) -> bytearray | None:
        """Read up to a line's end, of which there is a limited size."""
        line, most = bytearray(), 64 * self.limits["output_kb"] * 1024 + 1024 * 1024
        while len(line) < most and (part := os.read(self.replies, 65536)):
            line += part
            if part.endswith(b"\n"):
                return line
        return None

    def look(self, *_: object) -> None:
        """Look at the clocks, now and then; at the end of the time, end the student's process.

        The errors are for what waits for that process, which may have children that live on.
        """
        if select.select([0], [], [], 0)[0]:
            raise EOFError("the grader is gone")
        if time.monotonic() >= self.wall_end or self.cpu_seconds() >= self.cpu_end:
            self.late = True
            end(self.student)
            raise TimeoutError

    def how_it_ended(self) -> str:
        """Return how the student's process ended."""
        if self.late:
            return "it ran out of time and could not be interrupted"
        end(self.student)
        _, status = os.waitpid(self.student, 0)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"its process ended itself (exit code {code})"
        return f"its process was ended by {signal.Signals(-code).name}"


def outputs_of(reply: list) -> list:
    """Return a cell's outputs as nbformat has them; an error if the reply is not what cells send.

    They are made here, so whatever a student's process says, they have the form of outputs.
    """
    out, err, result, error = reply
    "".join([out, err, *result, *error])  # a TypeError unless all of it is text
    texts = [out, err, *result, *error]  # which may hold halves of surrogate pairs, in no encoding
    out, err, *rest = (text.encode("utf-8", "replace").decode() for text in texts)
    result, error = rest[: len(result)], rest[len(result) :]
    printed = {"stdout": out, "stderr": err}.items()
    outputs = [{"output_type": "stream", "name": n, "text": text} for n, text in printed if text]
    if error:
        name, text, *frames = error
        traceback = [*frames, f"{name}: {text}"]
        outputs.append(
            {"output_type": "error", "ename": name, "evalue": text, "traceback": traceback}
        )
    elif result:
        shown = {"metadata": {}, "data": {"text/plain": result[0]}, "execution_count": 1}
        outputs.append({"output_type": "execute_result", **shown})
    return outputs


def fails(outputs: list | None) -> bool:
    """Tell whether a test with these outputs gets no points: nbgrader's rule."""
    return outputs is None or any("ename" in o or o.get("name") == "stderr" for o in outputs)


def end(student: int) -> None:
    """End the student's process, and every one that it started: in the sandbox, with the first."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(student, signal.SIGKILL)
        os.killpg(student, signal.SIGKILL)  # without one, those that stayed in its session
