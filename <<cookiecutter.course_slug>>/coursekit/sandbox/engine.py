"""Runs the code cells of notebooks, each notebook in a process forked from a warm one."""

import contextlib
import json
import marshal
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.inside.compiling import compiled

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
        job = marshal.dumps({"cells": cells, **rest})
        return marshal.dumps(job)  # twice: of bytes, the other side knows how many to read


@lru_cache(maxsize=4096)
def message_of(cell: Cell, binds: tuple[str, ...]) -> dict[str, Any]:
    code = b""
    if cell.kind != "student":
        with contextlib.suppress(SyntaxError, ValueError):  # to be told when it is run
            code = marshal.dumps(compiled(cell.source, f"<{cell.name}>", frozenset(binds)))
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
        prefix = self.stack.enter_context(group)
        self.said = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            env=environment,
            start_new_session=True,
        )
        self.ready = False

    def run(self, message: bytes) -> dict[str, Any] | None:
        """Return the answer to a job; None if this process died over it."""
        if not self.ready:
            self.wait()
        try:
            self.process.stdin.write(message)  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
            line = self.process.stdout.readline()  # type: ignore[union-attr]
        except OSError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None

    def wait(self) -> None:
        """Wait until it is ready for jobs."""
        self.ready = bool(self.process.stdout.readline())  # type: ignore[union-attr]
        if not self.ready:
            self.said.seek(0)
            lines = self.said.read().decode(errors="replace").splitlines()
            self.close()
            said = " ".join(lines[-3:]) or "it said nothing"
            raise CourseError(f"The process that runs students' code did not start: {said}")

    def kill(self) -> None:
        """End the process and everything in it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and everything in it, and give back what it held."""
        with contextlib.suppress(OSError), self.process:  # which closes the pipes, and waits
            self.kill()
        self.said.close()
        self.stack.close()


class Engine:
    """Runs jobs, one at a time: `run(job)` gives an Outcome. It is a context manager.

    `reference` is a folder with the package that code may import. What is slow to import is loaded
    in the warm parent, so that it takes nobody's time.
    """

    def __init__(self, reference: Path, limits: Limits, *, sandboxed: bool = True) -> None:
        self.reference, self.limits, self.sandboxed = reference, limits, sandboxed
        self.preload: set[str] = set()
        self.parent: WarmParent | None = None
        self.closed = False

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, sources: Iterable[str]) -> None:
        """Start the warm parent for such code if there is none, without waiting for it."""
        text = "\n".join(sources)
        wanted = {SLOW[word] for word in SLOW if word in text}
        if not wanted <= self.preload:
            self.drop()
            self.preload = wanted
        if not self.parent:
            made = bubblewrap.command(self.reference, self.preload, boxed=self.sandboxed)
            self.parent = WarmParent(*made, self.limits)

    def run(self, job: Job) -> Outcome:
        """Run a job in the warm parent; in another one if that dies over it."""
        message = job.message()
        for _ in range(2):
            self.start(cell.source for cell in job.cells)
            if self.closed:  # after the start, or one that `kill` came too early for would go on
                break
            answer = self.parent.run(message)  # type: ignore[union-attr]
            if answer:
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
