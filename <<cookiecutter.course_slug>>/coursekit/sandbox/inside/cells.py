"""Runs a student's cells, one after the other, as the supervisor hands them over."""

import _signal  # signal's own functions are Python, and go by built-ins that code may change
import builtins
import io
import json
import linecache
import marshal
import os
import sys
import types
from pathlib import Path

import restore
from compiling import compiled

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

ENGINE = ("cells", "compiling", "jail", "restore", "supervisor")
HERE = str(Path(__file__).parent)
CUT = "\n[output cut here]\n"


class CellTimeoutError(BaseException):
    """The time of a cell is up. nbgrader's name for it."""


class Stream(io.StringIO):
    """Collects what a cell prints, up to a limit."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, number: int, limit: int) -> None:
        io.StringIO.__init__(self)
        self.number, self.left = number, limit

    def write(self, text: str) -> int:
        if self.left > 0:
            io.StringIO.write(self, cut(text, self.left))
        self.left -= len(text)
        return len(text)

    def fileno(self) -> int:
        return self.number

    def close(self) -> None:
        """Stay open: what was printed is still to be read."""


class Shell:
    """What get_ipython() gives: whatever a notebook asks it to do, nothing happens."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments, **options: None


def display(*objects: object, **_: object) -> None:
    """Print objects: there is no browser here."""
    for thing in objects:
        print(repr(thing))


def serve(asks: int, replies: int, kept, confine) -> None:
    """Wait for the supervisor's settings, then run cells until the supervisor ends this process."""
    questions = open(asks, "rb")  # noqa: SIM115
    settings = marshal.loads(marshal.load(questions))
    limits = settings["limits"]
    settle(Path(settings["folder"]))
    confine(limits)
    forget_engine()
    kept.attributes = frozenset(settings["attributes"])
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    namespace = vars(main)  # with what notebooks expect there
    namespace.update(__builtins__=builtins, display=display, get_ipython=Shell)
    me = os.getpid()
    send(replies, b"ready\n")
    while True:
        cell = marshal.loads(marshal.load(questions))
        reply = run(cell, namespace, kept, limits["output_kb"] * 1024)
        if os.getpid() != me:
            os._exit(0)  # a copy that the code forked
        send(replies, json.dumps(reply).encode() + b"\n")


def send(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def settle(folder: Path) -> None:
    """Go to the work folder, in a session of one's own; catch what goes around Python's streams.

    What is written to their file descriptors, by a subprocess say, goes to files without names.
    """
    work = folder / "work"
    work.mkdir(exist_ok=True)
    os.chdir(work)
    os.environ.update(HOME=str(folder), TMPDIR=str(folder))
    os.setsid()
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number in (1, 2):
        path = folder / f".fd{number}"
        with path.open("ab+") as file:
            os.dup2(file.fileno(), number)
        path.unlink()


def forget_engine() -> None:
    """Take the engine's modules off the path: a student may have a cells.py of their own."""
    for name in ENGINE:
        sys.modules.pop(name, None)
    sys.path[:] = ["", *[path for path in sys.path if path != HERE]]
    sys.argv[:] = [""]


def run(cell: dict, namespace: dict, kept, limit: int) -> list:
    """Run one cell; return what it printed to both streams, its result and its error, if any."""
    if cell["kind"] == "test":
        if cell["name"] != kept.test:  # once for its runs: who changes things there passes decoys
            restore.put_back(kept, namespace)
        if kept.loud:  # perhaps by a warning, which Python shows once
            restore.warn_again(kept, cell["name"])
        kept.test = cell["name"]
    elif cell["kind"] == "provided":
        namespace.update(restore.OWN_BUILTINS)
    sys.stdout, sys.stderr = out, err = Stream(1, limit), Stream(2, limit)
    result, error = execute(cell, namespace)
    vars(builtins).update(__builtins__)  # the lines below, and json's, need them
    if cell["kind"] == "provided":
        restore.learn(kept, namespace, cell["binds"])
    errors = printed(err, 2, limit)
    kept.loud |= bool(errors)
    return [printed(out, 1, limit), errors, [cut(r, limit) for r in result], error]


def execute(cell: dict, namespace: dict) -> tuple[list, list]:
    """Return the text of the value of a cell's last line, if any; and its error, if any."""
    source, filename = cell["source"], f"<{cell['name']}>"
    if cell["kind"] != "test":  # whose lines no traceback of anybody's should find
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    for number in (_signal.SIGPROF, _signal.SIGALRM):
        _signal.signal(number, ring)
    set_alarms(cell["seconds"], cell["wall"])
    try:
        code = cell["code"]
        statements, last = marshal.loads(code) if code else compiled(source, filename)
        exec(statements, namespace)
        value = eval(last, namespace) if last else None
        return [] if value is None else [exactly(repr(value))], []
    except BaseException as error:
        set_alarms(0, 0)
        return [], describe(error, filename, source)
    finally:
        set_alarms(0, 0)


def ring(number: int, frame: object) -> None:
    raise CellTimeoutError("the cell ran out of time")


def set_alarms(seconds: float, wall: float) -> None:
    """Ring when this process has used so much processor time, or so much time has gone by.

    Again and again from then on: a bare `except` may swallow the first. 0 rings never.
    """
    _signal.setitimer(_signal.ITIMER_PROF, seconds, 0.25)
    _signal.setitimer(_signal.ITIMER_REAL, wall, 0.25)


def exactly(text: str, most: int = 2**30) -> str:
    """Return the beginning of a text as str itself: one of a student's class could be anything."""
    return str.__getitem__(text, slice(most))


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + CUT


def printed(stream: Stream, number: int, limit: int) -> str:
    """Return what a cell wrote to a stream, and what went around Python to its descriptor."""
    if os.fstat(number).st_size:
        data = os.pread(number, 4 * limit + 4, 0)  # a character has at most four bytes
        stream.write(data.decode("utf-8", "replace"))
        os.ftruncate(number, 0)
    return io.StringIO.getvalue(stream)


def describe(error: BaseException, filename: str, source: str) -> list:
    """Return an error's name, text and frames, whatever its class does when it is asked."""
    name = exactly(type.__getattribute__(type(error), "__name__"))
    try:
        text = exactly(str(error), 10_000)
    except BaseException:
        text = "(its text could not be read)"
    return [name, text, *frames_of(error, filename, source)]


def frames_of(error: BaseException, filename: str, source: str) -> list:
    """Return the frames of a traceback from the cell on, in IPython's form."""
    found, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith(HERE):
            found.append(f"{code.co_filename}:{step.tb_lineno}, in {code.co_name}")
            cached = linecache.cache if code.co_filename.startswith("<") else {}  # only cells
            known = cached.get(code.co_filename, ())
            if code.co_filename == filename:
                found[-1] += f"\n{pointed(source, step.tb_lineno)}"
            elif len(known) == 4:  # another cell
                found[-1] += f"\n{pointed(''.join(known[2]), step.tb_lineno)}"
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.filename == filename and error.lineno:
        found.append(pointed(source, error.lineno))
    return found[:8] + (["..."] if len(found) > 12 else []) + found[8:][-4:]


def pointed(source: str, number: int) -> str:
    """Return a line and the two around it, with an arrow at it."""
    lines = source.split("\n")
    shown = range(max(1, number - 2), min(len(lines), number + 2) + 1)
    return "\n".join(f"{'---->' if n == number else '     '} {n} {lines[n - 1]}" for n in shown)
