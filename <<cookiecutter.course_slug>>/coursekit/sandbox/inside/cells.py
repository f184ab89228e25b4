"""Runs a student's cells, one after the other, as the supervisor hands them over."""

import _signal  # signal's own functions are Python, and go by built-ins that code may change
import builtins
import json
import linecache
import marshal
import os
import sys
import types
from pathlib import Path

import restore
from compiling import compiled
from shims import CUT, Stream, display, get_ipython, ring

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

ENGINE = ("cells", "compiling", "jail", "restore", "shims", "supervisor")
OWN_FILES = [function.__code__.co_filename for function in (compiled, ring)] + [__file__]


def serve(asks: int, replies: int, kept, confine) -> None:
    """Wait for the supervisor's settings, then run cells until there are no more."""
    settings = next_question(asks)
    limits = settings["limits"]
    spill = settle(Path(settings["folder"]))
    confine(limits)
    forget_engine()
    kept.attributes = frozenset(settings["attributes"])
    namespace = new_main()
    me = os.getpid()
    send(replies, b"ready\n")
    while question := next_question(asks):
        outputs = run(question, namespace, kept, limits["output_kb"] * 1024, spill)
        if os.getpid() != me:
            os._exit(0)  # a copy that the code forked
        send(replies, json.dumps(outputs).encode() + b"\n")


def next_question(asks: int) -> dict:
    """Read one question; an empty one at the end."""
    size = int.from_bytes(read_exactly(asks, 8), "big")
    return marshal.loads(read_exactly(asks, size)) if size else {}


def read_exactly(fd: int, size: int) -> bytes:
    """Read so many bytes, or none if the other end is gone."""
    parts = []
    while size:
        parts.append(os.read(fd, min(size, 65536)))
        size -= len(parts[-1])
        if not parts[-1]:
            return b""
    return b"".join(parts)


def send(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def settle(folder: Path) -> list:
    """Go to the work folder, in a session of one's own; catch what goes around Python's streams."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    os.chdir(work)
    os.environ.update(HOME=str(folder), TMPDIR=str(folder))
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return [catch(number) for number in (1, 2)]


def catch(number: int) -> int:
    """Let what is written to a file descriptor, by a subprocess say, go to a file without name."""
    path = Path(f"../.fd{number}")
    os.dup2(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), number)
    path.unlink()
    return number


def forget_engine() -> None:
    """Take the engine's modules off the path: a student may have a cells.py of their own."""
    for name in ENGINE:
        sys.modules.pop(name, None)
    sys.path[:] = [path for path in sys.path if not path.endswith(("/engine", "inside"))]
    sys.path.insert(0, "")
    sys.argv[:] = [""]


def new_main() -> dict:
    """Return the names of a new `__main__`, with what notebooks expect there."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    vars(module).update(__builtins__=builtins, display=display, get_ipython=get_ipython)
    return vars(module)


def run(cell: dict, namespace: dict, kept, limit: int, spill: list) -> list:
    """Run one cell; return its outputs."""
    if cell["kind"] == "test":
        restore.put_back(kept, namespace)
        restore.warn_again(kept, namespace, cell["name"])
    elif cell["kind"] == "provided":
        namespace.update(restore.OWN_BUILTINS)
    out, err = Stream(1, limit), Stream(2, limit)
    sys.stdout, sys.stderr = out, err
    result, error = execute(cell, namespace)
    restore.put_back_builtins(kept)  # the lines below, and json's, need them
    outputs = [*printed("stdout", out, spill[0], limit), *printed("stderr", err, spill[1], limit)]
    outputs += [failure(*error)] if error else shown(result, limit)
    if cell["kind"] == "provided":
        restore.learn(kept, namespace, cell["binds"])
    return outputs


def execute(cell: dict, namespace: dict) -> tuple:
    """Return the text of the value of a cell's last line, None if there is none, and its error."""
    source, filename = cell["source"], f"<{cell['name']}>"
    if cell["kind"] != "test":  # whose lines no traceback of anybody's should find
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    for number in (_signal.SIGPROF, _signal.SIGALRM):
        _signal.signal(number, ring)
    set_alarms(cell["seconds"], cell["wall"])
    try:
        statements, last = (
            marshal.loads(cell["code"]) if cell["code"] else compiled(source, filename)
        )
        exec(statements, namespace)
        value = eval(last, namespace) if last else None
        return (None if value is None else exactly(repr(value))), None
    except BaseException as error:
        set_alarms(0, 0)
        return None, describe(error, filename, source)
    finally:
        set_alarms(0, 0)


def set_alarms(seconds: float, wall: float) -> None:
    """Ring when this process has used so much processor time, or so much time has gone by.

    Again and again from then on: a bare `except` may swallow the first. 0 rings never.
    """
    _signal.setitimer(_signal.ITIMER_PROF, seconds, 0.25)
    _signal.setitimer(_signal.ITIMER_REAL, wall, 0.25)


def exactly(text: str, most: int = 2**30) -> str:
    """Return the beginning of a text as str itself: one of a student's class could be anything."""
    return str.__getitem__(text, slice(most))


def describe(error: BaseException, filename: str, source: str) -> tuple:
    """Return an error's name, text and traceback, whatever its class does when it is asked."""
    name = exactly(type.__getattribute__(type(error), "__name__"))
    try:
        text = exactly(str(error), 10_000)
    except BaseException:
        text = "(its text could not be read)"
    return name, text, traceback_of(error, filename, source)


def traceback_of(error: BaseException, filename: str, source: str) -> list:
    """Return the frames of a traceback from the cell on, in IPython's form."""
    found, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename not in OWN_FILES:
            found.append(frame_text(code, step.tb_lineno, filename, source))
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.filename == filename and error.lineno:
        found.append(pointed(source, error.lineno))
    return found[:8] + (["..."] if len(found) > 12 else []) + found[8:][-4:]


def frame_text(code: types.CodeType, number: int, filename: str, source: str) -> str:
    head = f"{code.co_filename}:{number}, in {code.co_name}"
    if code.co_filename == filename:
        return f"{head}\n{pointed(source, number)}"
    lines = linecache.cache.get(code.co_filename, (0, 0, []))[2]
    text = "".join(lines) if code.co_filename[:1] == "<" else ""
    return f"{head}\n{pointed(text, number)}" if text else head


def pointed(source: str, number: int) -> str:
    """Return a line and the two around it, with an arrow at it."""
    lines = source.split("\n")
    shown = range(max(1, number - 2), min(len(lines), number + 2) + 1)
    return "\n".join(f"{'---->' if n == number else '     '} {n} {lines[n - 1]}" for n in shown)


def failure(name: str, text: str, frames: list) -> dict:
    traceback = [*frames, f"{name}: {text}"]
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": traceback}


def printed(name: str, stream: Stream, number: int, limit: int) -> list:
    """Return what a cell wrote to a stream, and what went around Python to its descriptor."""
    text = "".join([exactly(part) for part in stream.parts if isinstance(part, str)])
    size = os.fstat(number).st_size
    if size:
        text += os.pread(number, limit, 0).decode("utf-8", "replace") + (
            CUT if size > limit else ""
        )
        os.ftruncate(number, 0)
    return [{"output_type": "stream", "name": name, "text": text}] if text else []


def shown(text: str | None, limit: int) -> list:
    """Return the output of a cell whose last line has a value; nbgrader may read it as points."""
    if text is None:
        return []
    data = {"text/plain": text[:limit] + (CUT if len(text) > limit else "")}
    return [{"output_type": "execute_result", "metadata": {}, "data": data, "execution_count": 1}]
