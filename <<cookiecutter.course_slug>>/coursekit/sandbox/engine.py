"""Runs the code cells of notebooks, each notebook in a process forked from a warm one."""

import contextlib
import json
import marshal
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.sandbox import bubblewrap
from coursekit.sandbox.inside.compiling import compiled

# What takes long to import, by what code that wants it says.
SLOW = dict.fromkeys(("import matplotlib", "from matplotlib"), "matplotlib.pyplot")
# What one submission may use, by the names of course.toml. Seconds are of its own processor time.
Limits = Mapping[str, Any]


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
    limits: Limits
    files: dict[str, str] = field(default_factory=dict)  # names and contents, in base64
    attributes: tuple[str, ...] = ()  # that the module's own cells define or set, on classes, too
    binds: tuple[str, ...] = ()  # names that its own cells bind

    def message(self) -> bytes:
        """Return the job for a warm parent, what is not a student's compiled."""
        cells = [message_of(cell, self.binds) for cell in self.cells]
        job = marshal.dumps({**vars(self), "cells": cells})
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
    killed: bool = False  # by a signal that the machine, too, may have sent
    seconds: float = 0.0  # of processor time


class Engine(AbstractContextManager):
    """Runs jobs, one at a time: `run(job)` gives an Outcome. It is a context manager.

    `reference` is a folder with the package that code may import. Jobs go to a warm parent, a
    process that has loaded this, NumPy, and what else is slow to import, so that it takes nobody's
    time.
    """

    def __init__(self, reference: Path, limits: Limits, *, sandboxed: bool = True) -> None:
        self.reference, self.limits, self.sandboxed = reference, limits, sandboxed
        self.preload: set[str] = set()
        self.parent: subprocess.Popen[bytes] | None = None
        self.held = ExitStack()  # what the parent needs, and itself
        self.closed = False

    def __exit__(self, *_: object) -> None:
        self.closed = True
        self.drop()

    def start(self, sources: Iterable[str]) -> None:
        """Start the warm parent for such code if there is none, without waiting for it."""
        text = "\n".join(sources)
        wanted = {SLOW[words] for words in SLOW if words in text}
        if not wanted <= self.preload:
            self.drop()
            self.preload = wanted
        if self.parent:
            return
        command, env = bubblewrap.command(self.reference, self.preload, boxed=self.sandboxed)
        group = bubblewrap.cgroup(self.limits["memory_mb"] + 512, self.limits["processes"] + 32)
        prefix = self.held.enter_context(group)
        self.said = self.held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self.held.enter_context(contextlib.suppress(OSError))  # as it ends, and may have ended
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.said}
        self.parent = self.held.enter_context(
            subprocess.Popen([*prefix, *command], env=env, start_new_session=True, **pipes)
        )
        self.held.callback(os.killpg, self.parent.pid, signal.SIGKILL)
        self.ready = False

    def run(self, job: Job) -> Outcome:
        """Run a job in the warm parent; in another one if that dies over it."""
        message = job.message()
        for _ in range(2):
            self.start(cell.source for cell in job.cells)
            if self.closed:  # after the start, or one that `kill` came too early for would go on
                break
            line = self.ask(message)
            if line.endswith(b"\n"):
                answer = json.loads(line)
                ended, seconds = answer["ended"], answer["seconds"]
                return Outcome(tuple(answer["cells"]), ended, "SIGKILL" in ended, seconds)
            self.drop()
        return Outcome((None,) * len(job.cells), "the process that ran it died, twice", True)

    def ask(self, message: bytes) -> bytes:
        """Return the warm parent's answer to a job, not all of a line if it died over it."""
        stdin, stdout = self.parent.stdin, self.parent.stdout  # type: ignore[union-attr]
        self.ready = self.ready or bool(stdout.readline())  # type: ignore[union-attr]
        if not self.ready:
            self.said.seek(0)
            said = " ".join(self.said.read().decode(errors="replace").splitlines()[-3:])
            self.drop()
            raise CourseError(f"The process for student code did not start: {said or 'no reason'}")
        try:
            stdin.write(message)  # type: ignore[union-attr]
            stdin.flush()  # type: ignore[union-attr]
            return stdout.readline()  # type: ignore[union-attr]
        except OSError:
            return b""

    def kill(self) -> None:
        """End what runs, at once; what it ran is lost. Another thread than the runner calls it."""
        self.closed = True
        if self.parent:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.parent.pid, signal.SIGKILL)

    def drop(self) -> None:
        self.held.close()
        self.parent = None
