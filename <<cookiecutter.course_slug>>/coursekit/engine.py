"""Runs notebooks' code cells in warm, supervised processes: an executor as concurrent.futures has.

`run` is a pure function of a Job: it needs neither the course's folder nor the gradebook.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from coursekit import sandbox
from coursekit.errors import CourseError
from coursekit.inside.compiling import packed
from coursekit.sandbox import Place


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: float = 10
    notebook_seconds: float = 120
    memory_mb: int = 2048
    processes: int = 32
    disk_mb: int = 64
    output_kb: int = 256


@dataclass(frozen=True)
class Cell:
    """One code cell: a `test` scores points, `ours` was given to students, the rest is `theirs`."""

    name: str
    source: str
    kind: str = "theirs"
    binds: tuple[str, ...] = ()  # of a cell of ours: the names that must stay what it made them

    def message(self) -> dict[str, Any]:
        """Return it for a warm parent; what is ours and so comes again and again, compiled."""
        code = "" if self.kind == "theirs" else compiled(self.source, f"<{self.name}>")
        return asdict(self) | {"code": code}


compiled = lru_cache(maxsize=1024)(packed)


@dataclass(frozen=True)
class Job:
    """What is to be run: cells in order, files beside them, and what the module itself changes."""

    cells: tuple[Cell, ...]
    limits: Limits = Limits()
    files: dict[str, str] = field(default_factory=dict)  # names and contents, in base64
    allowed: tuple[str, ...] = ()  # attributes that the module's own cells set or define
    bound: tuple[str, ...] = ()  # names that its solutions bind

    def text(self) -> str:
        """Return the job as one line for a warm parent."""
        cells = [cell.message() for cell in self.cells]
        rest = {"limits": asdict(self.limits), "files": self.files}
        rest |= {"allowed": self.allowed, "bound": self.bound}
        return json.dumps({"cells": cells, **rest})


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the outputs of each cell, None of those never run, and how it ended."""

    outputs: tuple[list[dict[str, Any]] | None, ...]
    ended: str = ""  # "" if every cell had its turn
    put_back: tuple[str, ...] = ()  # what student code had changed under the tests
    flagged: tuple[str, ...] = ()  # what else a person should look at, and in which cell
    seconds: float = 0.0  # it took


class WarmParent:
    """One process that forks a fresh one for each job; not used by two threads at a time."""

    def __init__(self, place: Place, limits: Limits) -> None:
        self.stack = ExitStack()
        memory, processes = limits.memory_mb + 2 * limits.disk_mb + 256, limits.processes + 16
        group = sandbox.cgroup(memory, processes) if place.sandboxed else nullcontext([])
        command = [*self.stack.enter_context(group), *place.command]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            command, env=place.environment, encoding="utf-8", start_new_session=True, **pipes
        )
        self.said: list[str] = []
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        if "ready" not in (self.read() or {}):
            self.close()
            said = " ".join(self.said[-3:]) or "it said nothing"
            raise CourseError(f"The process that runs students' code did not start: {said}")

    def listen(self) -> None:
        """Keep the last words of the process, for an error message."""
        for line in self.process.stderr or ():
            self.said = [*self.said[-20:], line.strip()]

    def read(self) -> dict[str, Any] | None:
        line = self.process.stdout.readline() if self.process.stdout else ""
        return json.loads(line) if line.endswith("\n") else None

    def run(self, line: str) -> Outcome | None:
        """Run a job given as one line; None if this process died over it."""
        try:
            self.process.stdin.write(line + "\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
            answer = self.read()
        except OSError:
            return None
        return outcome(answer) if answer and "cells" in answer else None

    def kill(self) -> None:
        """End the process and everything in it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and everything in it, and give back what it held."""
        self.kill()
        self.process.wait()
        self.listener.join(timeout=5)
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        self.process.stdout.close()  # type: ignore[union-attr]
        self.stack.close()


def outcome(answer: dict[str, Any]) -> Outcome:
    put_back, flagged = tuple(answer["put_back"]), tuple(answer["flagged"])
    return Outcome(tuple(answer["cells"]), answer["ended"], put_back=put_back, flagged=flagged)


class Engine(Executor):
    """An executor for jobs: `submit(job)` gives a future of an Outcome.

    A warm parent that dies is replaced, and its job is run once more.
    """

    def __init__(self, place: Place, limits: Limits, workers: int = 1) -> None:
        self.place, self.limits, self.size = place, limits, workers
        self.threads = ThreadPoolExecutor(workers, "engine")
        self.idle: queue.SimpleQueue[WarmParent] = queue.SimpleQueue()
        self.parents: list[WarmParent] = []
        self.lock = threading.Lock()
        self.closed = False

    def submit(self, job: Job, /) -> Future[Outcome]:  # type: ignore[override]
        # Compiles cells here: of two threads that make syntax trees, CPython 3.11 may fail one.
        return self.threads.submit(self.run_line, job.text(), len(job.cells))

    def run(self, job: Job) -> Outcome:
        """Run a job and wait for it."""
        return self.run_line(job.text(), len(job.cells))

    def run_line(self, line: str, cells: int) -> Outcome:
        """Run a job in a warm parent; in another one if that dies."""
        for _ in range(2):
            parent = self.take()
            start = time.monotonic()
            result = parent.run(line)
            if result:
                self.idle.put(parent)
                return replace(result, seconds=time.monotonic() - start)
            self.drop(parent)
            if self.closed:
                break
        return Outcome((None,) * cells, "the process that ran it died, twice")

    def take(self) -> WarmParent:
        """Return an idle parent, or a new one."""
        try:
            return self.idle.get_nowait()
        except queue.Empty:
            parent = WarmParent(self.place, self.limits)
        with self.lock:
            self.parents.append(parent)
        return parent

    def drop(self, parent: WarmParent) -> None:
        with self.lock:
            if parent in self.parents:
                self.parents.remove(parent)
        parent.close()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all parents; with `cancel_futures`, at once, and what they run is lost."""
        if cancel_futures:
            self.closed = True
            for parent in list(self.parents):
                parent.kill()
        self.threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for parent in list(self.parents):
            self.drop(parent)
