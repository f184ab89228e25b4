"""Runs a student's cells, one after the other, as the keeper hands them over.

Everything that decides a verdict is taken hold of before a student's code runs: these functions
have built-ins of their own, and the pipes' ends are known to them alone. What a student's code is
handed comes from handed.py; a class here would be shown to it by `object.__subclasses__()`.
"""

import _signal
import builtins
import gc
import json
import linecache
import os
import random
import signal
import sys
import types
from pathlib import Path

import guard
import watch
from compiling import compiled, unpacked
from handed import CUT, Stream, display, get_ipython, no_signal, ring

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

read, write, pread, ftruncate, fstat = os.read, os.write, os.pread, os.ftruncate, os.fstat
getpid, leave = os.getpid, os._exit
set_timer, set_signal, ALARM, REAL = (
    _signal.setitimer, _signal.signal, _signal.SIGALRM, _signal.ITIMER_REAL
)  # fmt: skip
decode = json.JSONDecoder().scan_once  # C: nothing in it can be patched
system, source_lines = sys, linecache.cache
CANARY = compile("assert False", "<canary>", "exec")
ENGINE = ("cells", "compiling", "guard", "handed", "jail", "watch")
OWN_FILES = [fn.__code__.co_filename for fn in (unpacked, watch.start, ring)] + [__file__]


def refuse(value: object) -> str:
    raise TypeError(f"{type(value).__name__} is not a result")


encode = json.encoder.c_make_encoder(
    None, refuse, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
)


def serve(asks: int, replies: int, seen: int, kept, confine) -> None:
    """Wait for the keeper's settings, then run cells until there are no more."""
    asks, replies, seen = hide(asks, replies, seen)
    settings = decode(read_line(asks), 0)[0]
    limits = settings["limits"]
    spill = settle(Path(settings["folder"]))
    confine(limits)
    forget_engine()
    namespace = new_main()
    set_signal(ALARM, ring)
    signal.signal = _signal.signal = no_signal
    guard.begin(kept, settings["allowed"], settings["bound"])
    watch.start(seen, settings["nonce"], settings["folder"], (asks, replies))
    gc.freeze()
    me = getpid()
    send(replies, b"ready\n")
    while line := read_line(asks):
        question = decode(line, 0)[0]
        token, name = question["token"], question["name"]
        reply = run(question, namespace, kept, limits["output_kb"] * 1024, spill)
        if getpid() != me:
            leave(0)  # a copy that the code forked
        text = "".join(encode({"token": token, "name": name, **reply}, 0)) + "\n"
        send(replies, text.encode())


def settle(folder: Path) -> list:
    """Go to the work folder, in a session of one's own; catch what goes around Python's streams."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    os.chdir(work)
    os.environ.update(HOME=str(folder), TMPDIR=str(folder))
    os.setsid()
    return [catch(number) for number in (1, 2)]


def send(fd: int, data: bytes) -> None:
    while data:
        data = data[write(fd, data) :]


def read_line(fd: int) -> str:
    parts = []
    while part := read(fd, 65536):
        parts.append(part)
        if part[-1:] == b"\n":
            break
    return b"".join(parts).decode()


def hide(*ends: int) -> list:
    """Move the pipes' ends to numbers nobody knows, and close everything else."""
    hidden = sorted(random.SystemRandom().sample(range(60, 120), len(ends)))
    random.SystemRandom().shuffle(hidden)
    for end, number in zip(ends, hidden, strict=True):
        os.dup2(end, number, inheritable=False)
    start = 3
    for number in sorted(hidden):
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, 1024)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return hidden


def catch(number: int) -> int:
    """Let what is written to a file descriptor, by a subprocess say, go to a file without name."""
    path = Path(f"../.fd{number}")
    os.dup2(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), number)
    path.unlink()
    return number


def forget_engine() -> None:
    """Leave nothing of the engine where an import or a path would find it."""
    for name in ENGINE:
        sys.modules.pop(name, None)
    sys.path[:] = [path for path in sys.path if not path.endswith(("/engine", "inside"))]
    sys.path.insert(0, "")
    sys.argv[:] = [""]
    sys.orig_argv[:] = ["python"]


def new_main() -> dict:
    """Return the names of a new `__main__`, with what notebooks expect there."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    vars(module).update(__builtins__=builtins, display=display, get_ipython=get_ipython)
    return vars(module)


def run(cell: dict, namespace: dict, kept, limit: int, spill: list) -> dict:
    """Run one cell; return its outputs, and what of ours was not as it should be.

    The last question is no cell: it asks only for what the last test left changed.
    """
    graded = cell["kind"] != "ours" and cell["kind"] != "theirs"
    found = guard.put_back(kept, namespace) if graded else []
    if graded and not canary_dies(namespace):
        outputs = [failure("AssertionError", "assert does not work here", [])]
        return {"outputs": outputs, "put_back": found}
    out, err = Stream(1, limit), Stream(2, limit)
    system.stdout, system.stderr = out, err
    result, error = execute(cell, namespace)
    found += guard.quiet(kept)
    outputs = [*printed("stdout", out, spill[0], limit), *printed("stderr", err, spill[1], limit)]
    outputs += [failure(*error)] if error else shown(result, limit)
    if graded:
        found += guard.stand_ins(kept)
    elif cell["kind"] == "ours":
        guard.learn(kept, namespace, cell["binds"])
    return {"outputs": outputs, "put_back": found}


def canary_dies(namespace: dict) -> bool:
    """Tell whether an assertion that must fail does."""
    try:
        exec(CANARY, namespace)
    except AssertionError:
        return True
    except BaseException:
        return False
    return False


def execute(cell: dict, namespace: dict) -> tuple:
    """Return the text of the value of a cell's last line, None if there is none, and its error."""
    source, filename = cell["source"], f"<{cell['name']}>"
    introduce(source, filename, cell["kind"])
    set_alarm(cell["seconds"])
    try:
        code = cell.get("code")
        statements, last = unpacked(code) if code else compiled(source, filename)
        exec(statements, namespace)
        value = eval(last, namespace) if last else None
        return (None if value is None else exactly(repr(value))), None
    except BaseException as error:
        stop_alarm()
        return None, describe(error, filename, source)
    finally:
        stop_alarm()


def introduce(source: str, filename: str, kind: str) -> None:
    """Tell the watch and, but for a test, the tracebacks of a cell that is about to run."""
    if kind == "theirs":
        watch.theirs.add(filename)
    else:
        watch.ours[filename] = source
    watch.now["cell"] = filename[1:-1]
    if kind != "test":
        source_lines[filename] = (len(source), None, source.splitlines(True), filename)


def set_alarm(seconds: float) -> None:
    set_signal(ALARM, ring)
    set_timer(REAL, seconds, 0.25)  # again and again: a bare `except` may swallow the first


def stop_alarm() -> None:
    set_timer(REAL, 0)


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
    lines = source_lines.get(code.co_filename, (0, 0, []))[2]
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
    size = fstat(number).st_size
    if size:
        text += pread(number, limit, 0).decode("utf-8", "replace") + (CUT if size > limit else "")
        ftruncate(number, 0)
    return [{"output_type": "stream", "name": name, "text": text}] if text else []


def shown(text: str | None, limit: int) -> list:
    """Return the output of a cell whose last line has a value; nbgrader may read it as points."""
    if text is None:
        return []
    data = {"text/plain": text[:limit] + (CUT if len(text) > limit else "")}
    return [{"output_type": "execute_result", "metadata": {}, "data": data, "execution_count": 1}]
