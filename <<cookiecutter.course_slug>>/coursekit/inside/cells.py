"""Runs a student's cells, one after the other, as the keeper hands them over.

Everything that decides a verdict is taken hold of before a student's code runs: these functions
have built-ins of their own, and the pipe's two ends are known to them alone.
"""

import ast
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

from guard import Guard

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

read, write, pread, ftruncate, fstat = os.read, os.write, os.pread, os.ftruncate, os.fstat
getpid, leave = os.getpid, os._exit
parse, Expr, Expression = ast.parse, ast.Expr, ast.Expression
set_timer, set_signal = signal.setitimer, signal.signal
ALARM, REAL = getattr(signal, "SIGALRM", None), getattr(signal, "ITIMER_REAL", None)
decode = json.JSONDecoder().scan_once  # C: nothing in it can be patched
system, source_lines = sys, linecache.cache
CANARY = compile("assert False", "<canary>", "exec")
CUT = "\n[output cut here]\n"


def refuse(value: object) -> str:
    raise TypeError(f"{type(value).__name__} is not a result")


encode = json.encoder.c_make_encoder(
    None, refuse, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
)


class CellTimeoutError(BaseException):
    """The time of a cell is up. nbgrader's name for it."""


class Stream:
    """Collects what a cell prints, up to a limit."""

    encoding, errors, closed, newlines = "utf-8", "replace", False, None

    def __init__(self, number: int, limit: int) -> None:
        self.number, self.left, self.parts = number, limit, []

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.left > 0:
            self.parts.append(text[: self.left] + (CUT if len(text) > self.left else ""))
        self.left -= len(text)
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def fileno(self) -> int:
        return self.number

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False


def serve(asks: int, replies: int, guard: dict, limit: int) -> None:
    """Run cells until there are no more. Does not return while the keeper lives."""
    asks, replies = hide(asks, replies)
    spill = [catch(number) for number in (1, 2)]
    forget_engine()
    namespace = new_main()
    guardian = Guard(guard["package"], guard["allowed"])
    gc.freeze()
    me = getpid()
    while line := read_line(asks):
        question = decode(line, 0)[0]
        token, name = question["token"], question["name"]
        reply = run(question, namespace, guardian, limit, spill)
        if getpid() != me:
            leave(0)  # a copy that the code forked
        text = "".join(encode({"token": token, "name": name, **reply}, 0)) + "\n"
        send(replies, text.encode())


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


def hide(asks: int, replies: int) -> tuple:
    """Move the pipe's ends to numbers nobody knows, and close everything else."""
    a, b = random.SystemRandom().sample(range(60, 120), 2)
    os.dup2(asks, a, inheritable=False)
    os.dup2(replies, b, inheritable=False)
    keep = [3, *sorted([a, b])]
    os.closerange(3, keep[1])
    os.closerange(keep[1] + 1, keep[2])
    os.closerange(keep[2] + 1, 1024)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return a, b


def catch(number: int) -> int:
    """Let what is written to a file descriptor, by a subprocess say, go to a file without name."""
    path = Path(f"../.fd{number}")
    os.dup2(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), number)
    path.unlink()
    return number


def forget_engine() -> None:
    """Leave nothing of the engine where an import or a path would find it."""
    for name in ("cells", "guard", "jail"):
        sys.modules.pop(name, None)
    sys.path[:] = [path for path in sys.path if not path.endswith(("/engine", "inside"))]
    sys.path.insert(0, "")
    sys.argv[:] = [""]
    sys.orig_argv[:] = ["python"]


def new_main() -> dict:
    """Return the names of a new `__main__`, with what notebooks expect there."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    vars(module).update(__builtins__=builtins, display=display)
    return vars(module)


def display(*objects: object, **_: object) -> None:
    """Print objects: there is no browser here."""
    for thing in objects:
        print(repr(thing))


def run(cell: dict, namespace: dict, guard: Guard, limit: int, spill: list) -> dict:
    """Run one cell; return its outputs, and of a test what had to be put back before it."""
    graded = cell["kind"] == "test"
    put_back = guard.put_back(namespace) if graded else []
    if graded and not canary_dies(namespace):
        return {"outputs": [failure("AssertionError", "assert does not work here", [])]}
    out, err = Stream(1, limit), Stream(2, limit)
    system.stdout, system.stderr = out, err
    result, error = execute(cell, namespace)
    outputs = [*printed("stdout", out, spill[0], limit), *printed("stderr", err, spill[1], limit)]
    outputs += [failure(*error)] if error else shown(result, limit)
    if cell["kind"] == "ours":
        guard.learn(namespace, cell["binds"])
    return {"outputs": outputs, "put_back": put_back}


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
    filename = f"<{cell['name']}>"
    if cell["kind"] != "test":
        source = cell["source"]
        source_lines[filename] = (len(source), None, source.splitlines(True), filename)
    set_alarm(cell["seconds"])
    try:
        statements, last = compiled(cell["source"], filename)
        exec(statements, namespace)
        value = eval(last, namespace) if last else None
        return (None if value is None else repr(value)), None
    except BaseException as error:
        stop_alarm()
        return None, describe(error, filename, cell["source"])
    finally:
        stop_alarm()


def set_alarm(seconds: float) -> None:
    if ALARM:
        set_signal(ALARM, ring)
        set_timer(REAL, seconds, 0.25)  # again and again: a bare `except` may swallow the first


def stop_alarm() -> None:
    if ALARM:
        set_timer(REAL, 0)


def ring(number: int, frame: object) -> None:
    raise CellTimeoutError("the cell ran out of time")


def compiled(source: str, filename: str) -> tuple:
    """Compile a cell as IPython does: the value of its last line is shown, unless `;` ends it."""
    try:
        tree = parse(source, filename)
    except SyntaxError:
        tree = parse(without_magics(source), filename)
    last = None
    if tree.body and isinstance(tree.body[-1], Expr):
        value = tree.body.pop().value
        quiet = source.rstrip()[-1:] == ";"
        if quiet:
            tree.body.append(Expr(value, lineno=value.lineno, col_offset=value.col_offset))
        else:
            last = compile(Expression(value), filename, "eval")
    return compile(tree, filename, "exec"), last


def without_magics(source: str) -> str:
    """Make IPython's magics and shell lines do nothing; %%time and its like run their cell."""
    lines = source.split("\n")
    if lines[0][:2] == "%%":
        runs = lines[0][2:].split()[:1] in (["time"], ["timeit"], ["capture"])
        lines = ["", *lines[1:]] if runs else []
    return "\n".join(dead(line) if line.strip()[:1] in ("%", "!") else line for line in lines)


def dead(line: str) -> str:
    stripped = line.lstrip()
    return line[: len(line) - len(stripped)] + "pass"


def describe(error: BaseException, filename: str, source: str) -> tuple:
    """Return an error's name, text and traceback, whatever its class does when it is asked."""
    name = type.__getattribute__(type(error), "__name__")
    try:
        text = str(error)[:10_000] + ""
    except BaseException:
        text = "(its text could not be read)"
    return name, text, traceback_of(error, filename, source)


def traceback_of(error: BaseException, filename: str, source: str) -> list:
    """Return the frames of a traceback from the cell on, in IPython's form."""
    found, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename != __file__:
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
    text = "".join(stream.parts)
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
