"""The keeper of one submission: gives out its cells, takes the verdicts, keeps the time.

It runs in the parent of the student's process, and from there nothing of it is to be seen.
"""

import base64
import contextlib
import json
import os
import secrets
import select
import signal
import tempfile
import time
from pathlib import Path

import jail

DONE, GONE, PLOTTED = 0, 1, 2
GRACE = 1.0  # seconds between interrupting a cell and ending its process
MOST_FINDINGS = 20
LAST = {"kind": "end", "name": "end", "source": "", "code": ""}  # what has the last test changed?
ERROR = {"output_type", "ename", "evalue", "traceback"}
STREAM = {"output_type", "name", "text"}
RESULT = {"output_type", "metadata", "data", "execution_count"}
OUTPUTS = {"error": ERROR, "stream": STREAM, "execute_result": RESULT}


class GraderGone(Exception):
    """The input ended, so nobody waits for an answer."""


def keep(student: int, pipes: tuple, answers: int, boxed: bool) -> int:
    """Read a job, do it, write the answer; return how it went, as the parent understands it."""
    try:
        job = json.loads(read_job())
        answer = json.dumps(Keeper(student, pipes, job, boxed).run()).encode() + b"\n"
    except GraderGone:
        return GONE
    finally:
        end(student, boxed)
    while answer:
        answer = answer[os.write(answers, answer) :]
    return PLOTTED if any("import matplotlib" in cell["source"] for cell in job["cells"]) else DONE


def read_job() -> bytes:
    """Read the job's line: the first thing in this process that knows of it."""
    parts = []
    while not parts or not parts[-1].endswith(b"\n"):
        parts.append(os.read(0, 2**20))
        if not parts[-1]:
            raise GraderGone
    return b"".join(parts)


class Keeper:
    """Runs one submission in a student's process that is already there."""

    def __init__(self, student: int, pipes: tuple, job: dict, boxed: bool) -> None:
        self.student, (self.questions, self.replies, self.seen) = student, pipes
        self.job, self.boxed, self.limits = job, boxed, job["limits"]
        self.end = time.monotonic() + self.limits["notebook_seconds"]
        self.late = False
        self.nonce = secrets.token_hex(16)
        self.heard, self.put_back = b"", []
        os.set_blocking(self.seen, False)

    def run(self) -> dict:
        """Return what each cell gave, None for those not reached, how it ended, what was seen."""
        with self.folder() as folder:
            results = [None] * len(self.job["cells"])
            ended = self.settle(folder)
            for number, cell in enumerate([] if ended else self.job["cells"]):
                results[number], ended = self.ask(cell)
                if ended:
                    break
                self.listen()
            last = ended or self.ask(LAST)[1]
            flagged = self.findings(watched=not last, forged="forged" in last)
            end(self.student, self.boxed)
        put_back = list(dict.fromkeys(self.put_back))
        return {"cells": results, "ended": ended, "put_back": put_back, "flagged": flagged}

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
        settings = {"folder": folder, "limits": self.limits, "nonce": self.nonce}
        settings |= {"allowed": self.job["allowed"], "bound": self.job["bound"]}
        return "" if self.exchange(settings, 10 + GRACE) == b"ready\n" else self.how_it_ended()

    def ask(self, cell: dict) -> tuple[list | None, str]:
        """Let the student's process run a cell; return its outputs and, if it ended, how."""
        seconds = min(self.limits["cell_seconds"], self.end - time.monotonic())
        if seconds <= 0:
            return None, "the notebook ran out of time"
        token = secrets.token_hex(16)
        line = self.exchange({**cell, "token": token, "seconds": seconds}, seconds + GRACE)
        if line is None:
            return None, self.how_it_ended()
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not valid(reply, token):
            return None, "its results were forged"
        self.put_back += reply["put_back"]
        return reply["outputs"], ""

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
        asked, told = ([], [self.questions]) if writing else ([self.replies], [])
        left = max(0.0, end - time.monotonic())
        readable, writable, _ = select.select([0, *asked], told, [], left)
        if 0 in readable:
            raise GraderGone
        if not readable and not writable:
            self.late = True
            self.stop()
        return not self.late

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

    def listen(self) -> bool:
        """Take what the watch saw; tell whether its pipe is still open."""
        try:
            while part := os.read(self.seen, 65536):
                self.heard = (self.heard + part)[: 2**20]
        except BlockingIOError:
            return True
        return False

    def findings(self, *, watched: bool, forged: bool) -> list:
        """Return what the watch saw, each thing once, and how the pipes themselves were used."""
        closed = not self.listen() and watched
        mark = f"{self.nonce} "
        lines = self.heard.decode("ascii", "replace").splitlines()
        found = dict.fromkeys(line.removeprefix(mark) for line in lines if line.startswith(mark))
        foreign = forged or any(not line.startswith(mark) for line in lines)
        own = ["writes to the engine's own pipes"] if foreign else []
        own += ["closes the engine's own pipes"] if closed else []
        return [*own, *found][:MOST_FINDINGS]

    def stop(self) -> None:
        end(self.student, self.boxed)

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


def valid(reply: object, token: str) -> bool:
    """Tell whether a reply has the token of its question, and the form that the engine gives it."""
    if not isinstance(reply, dict) or reply.pop("token", None) != token:
        return False
    outputs, names = reply.get("outputs"), reply.get("put_back")
    return is_list_of(str, names) and is_list_of(dict, outputs) and all(map(is_output, outputs))


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
