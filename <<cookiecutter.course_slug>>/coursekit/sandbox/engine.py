"""Runs the code cells of notebooks, each notebook in a process forked from a warm one."""

import contextlib
import json
import marshal
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.inside.compiling import packed

LENGTH = 8  # bytes before a job that say how long it is
SLOW = {"matplotlib": "matplotlib.pyplot"}  # what takes long to import, by a word of the code


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds are of its own processor time."""

    cell_seconds: float = 10
    notebook_seconds: float = 120
    memory_mb: int = 2048
    processes: int = 32
    disk_mb: int = 64
    output_kb: int = 256


@dataclass(frozen=True)
class Cell:
    """One code cell: a "test" scores points, what is "provided" runs as it is; or a "student" 's.

    Several runs of one test, among them decoys, share its name; once the test itself has failed,
    its later runs are left out.
    """

    name: str
    source: str
    kind: str = "student"
    binds: tuple[str, ...] = ()  # of a provided cell: the names that must stay what it made them
    decoy: bool = False
    counts: bool = True  # toward the time of the notebook


@dataclass(frozen=True)
class Job:
    """What is to be run: cells in order, files beside them, and what the module itself changes."""

    cells: tuple[Cell, ...]
    limits: Limits = Limits()
    files: dict[str, str] = field(default_factory=dict)  # names and contents, in base64
    attributes: tuple[str, ...] = ()  # that the module's own cells define or set, on classes, too
    binds: tuple[str, ...] = ()  # names that its own cells bind

    def message(self) -> bytes:
        """Return the job for a warm parent, what is not a student's compiled."""
        cells = [message_of(cell, self.binds) for cell in self.cells]
        rest = {"limits": asdict(self.limits), "files": self.files, "attributes": self.attributes}
        data = marshal.dumps({"cells": cells, **rest})
        return len(data).to_bytes(LENGTH, "big") + data


@lru_cache(maxsize=4096)
def message_of(cell: Cell, binds: tuple[str, ...]) -> dict[str, Any]:
    code = b"" if cell.kind == "student" else packed(cell.source, f"<{cell.name}>", binds)
    return asdict(cell) | {"code": code}


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the outputs of each cell, None of those never run, and how it ended."""

    outputs: tuple[list[dict[str, Any]] | None, ...]
    ended: str = ""  # "" if every cell had its turn
    seconds: float = 0.0  # of processor time


class WarmParent:
    """A process with NumPy and the reference loaded, which answers jobs one after the other."""

    def __init__(self, command: list[str], environment: dict[str, str], limits: Limits) -> None:
        self.stack = ExitStack()
        group = bubblewrap.cgroup(limits.memory_mb + 512, limits.processes + 32)
        boxed = command[0] != bubblewrap.bare()[0]
        prefix = self.stack.enter_context(group) if boxed else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            [*prefix, *command], env=environment, start_new_session=True, **pipes
        )
        self.said: list[str] = []
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def started(self) -> "WarmParent":
        """Wait until it is ready for jobs."""
        if "ready" not in (self.read() or {}):
            self.close()
            said = " ".join(self.said[-3:]) or "it said nothing"
            raise CourseError(f"The process that runs students' code did not start: {said}")
        return self

    def listen(self) -> None:
        """Keep the last words of the process, for an error message."""
        for line in self.process.stderr or ():
            self.said = [*self.said[-20:], line.decode(errors="replace").strip()]

    def read(self) -> dict[str, Any] | None:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        return json.loads(line) if line.endswith(b"\n") else None

    def run(self, message: bytes) -> dict[str, Any] | None:
        """Return the answer to a job; None if this process died over it."""
        try:
            self.process.stdin.write(message)  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
            return self.read()
        except OSError:
            return None

    def kill(self) -> None:
        """End the process and everything in it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and everything in it, and give back what it held."""
        self.kill()
        self.process.wait()
        self.listener.join(timeout=5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.stack.close()


class Engine:
    """Runs jobs, one at a time: `run(job)` gives an Outcome. It is a context manager.

    `reference` is a folder with the package that code may import. What is slow to import is loaded
    in the warm parent, so that it takes nobody's time.
    """

    def __init__(self, reference: Path, limits: Limits, *, sandboxed: bool = True) -> None:
        self.reference, self.limits, self.sandboxed = reference, limits, sandboxed
        self.preload: list[str] = []
        self.parent: WarmParent | None = None
        self.closed = False

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, sources: Sequence[str]) -> None:
        """Start the warm parent for such code if there is none, without waiting for it."""
        wanted = [SLOW[word] for word in SLOW if any(word in source for source in sources)]
        if not {*wanted} <= {*self.preload}:
            self.drop()
            self.preload = wanted
        if not self.parent:
            command = bubblewrap.command(self.reference, self.preload, boxed=self.sandboxed)
            environment = bubblewrap.environment(self.reference, boxed=self.sandboxed)
            self.parent = WarmParent(command, environment, self.limits)
            self.waited = False

    def run(self, job: Job) -> Outcome:
        """Run a job in the warm parent; in another one if that dies over it."""
        message = job.message()
        for _ in range(2):
            self.start([cell.source for cell in job.cells])
            if self.closed:  # after the start, or one that `kill` came too early for would go on
                break
            if not self.waited:
                self.parent.started()  # type: ignore[union-attr]
                self.waited = True
            answer = self.parent.run(message)  # type: ignore[union-attr]
            if answer and "cells" in answer:
                return Outcome(tuple(answer["cells"]), answer["ended"], answer["seconds"])
            self.drop()
        return Outcome((None,) * len(job.cells), "the process that ran it died, twice")

    def drop(self) -> None:
        if self.parent:
            self.parent.close()
            self.parent = None

    def kill(self) -> None:
        """End what runs, at once; what it ran is lost. Another thread than the runner calls it."""
        self.closed = True
        if self.parent:
            self.parent.kill()

    def close(self) -> None:
        self.closed = True
        self.drop()
