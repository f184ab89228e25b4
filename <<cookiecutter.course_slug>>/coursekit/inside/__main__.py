"""The warm parent: a process with NumPy and the reference package loaded, forked for each job.

Its children stand ready before a job comes: a keeper (keeper.py), and the keeper's child, in which
the student's code will run (cells.py). Only then does the keeper read a job from the input, one
JSON object a line, and hand it over cell by cell; it answers with one line. So neither the
student's process nor any process that it was forked from has ever held a test before its turn, or
anything of another submission. Nothing is left behind: when the parent ends, the kernel ends every
process in its namespace.
"""

import importlib
import json
import os
import select  # noqa: F401  the keeper's, who starts faster if it is loaded
import signal
import sys
import tempfile  # noqa: F401
from pathlib import Path

import cells
import guard
import jail

PRELOADED = ("numpy", "numpy.testing", "numpy.linalg", "numpy.random", "numpy.fft", "timeit")
DONE, GONE, PLOTTED = 0, 1, 2  # how a job went: there is nobody to do it for; it used matplotlib
KEEPER = Path(__file__).with_name("keeper.py")


def main() -> None:
    """Answer jobs until the input ends."""
    boxed = "--no-sandbox" not in sys.argv
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    packages = warm_up()
    kept = guard.remember(packages)
    keeper = compile(KEEPER.read_bytes(), str(KEEPER), "exec")
    os.write(answers, json.dumps({"ready": os.getpid()}).encode() + b"\n")
    while (code := serve_one(keeper, kept, answers, boxed)) in (DONE, PLOTTED):
        if code == PLOTTED and "matplotlib" not in sys.modules:
            load_matplotlib()
            kept = guard.remember(packages)
    os._exit(0)


def warm_up() -> list:
    """Import what every submission needs; return the packages of the reference."""
    for name in PRELOADED:
        importlib.import_module(name)
    np = sys.modules["numpy"]
    repr(np.random.default_rng(0).normal(size=(2, 2)) @ np.ones((2, 2)))  # loads the rest of it
    folders = [folder for folder in map(Path, sys.path) if folder.name == "reference"]
    found = [path for folder in folders for path in sorted(folder.glob("*/*.py"))]
    for path in found:
        importlib.import_module(f"{path.parent.name}.{path.stem}".removesuffix(".__init__"))
    part_with_ctypes()
    return sorted({path.parent.name for path in found})


def load_matplotlib() -> None:
    """Load it, so that whoever plots next need not wait seconds for that."""
    before = set(sys.modules)
    try:
        importlib.import_module("matplotlib.pyplot")
    except Exception:  # it may not be installed, or may not like it here; leave no half of it
        for name in set(sys.modules) - before:
            del sys.modules[name]
    part_with_ctypes()


def part_with_ctypes() -> None:
    """Leave no way to raw memory lying about: NumPy does without, and an import anew is seen."""
    for module in [m for m in sys.modules.values() if m is not jail and "ctypes" in m.__dict__]:
        module.ctypes = None
    for name in [name for name in sys.modules if name.partition(".")[0] in ("ctypes", "_ctypes")]:
        del sys.modules[name]


def serve_one(keeper, kept, answers: int, boxed: bool) -> int:
    """Let a keeper do a job; return how it went."""
    pid = os.fork()
    if not pid:
        become_keeper(keeper, kept, answers, boxed)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def become_keeper(keeper, kept, answers: int, boxed: bool) -> None:
    """Fork the student's process, then do a job and write the answer. Does not return."""
    code = GONE
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's
        if boxed:
            jail.part()
        student, pipes = fork_student(kept, boxed)
        names = {"__name__": "keeper", "__file__": str(KEEPER)}
        exec(keeper, names)  # not before: the student's process holds no function of it
        code = names["keep"](student, pipes, answers, boxed)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(code)


def fork_student(kept, boxed: bool) -> tuple:
    """Fork the process for the student's code; return its id, and the keeper's ends of the pipes.

    They are for questions to it, its replies, and what the watch in it sees (watch.py).
    """
    asks, questions = os.pipe()
    replies_in, replies = os.pipe()
    seen_in, seen = os.pipe()
    student = os.fork()
    if not student:
        try:
            cells.serve(asks, replies, seen, kept, jail.confine if boxed else jail.restrain)
        finally:
            os._exit(70)
    for end in (asks, replies, seen):
        os.close(end)
    return student, (questions, replies_in, seen_in)


if __name__ == "__main__":
    main()
