"""Runs cells in a process of its own: reads them from stdin, writes a line of JSON about each."""

import contextlib
import io
import json
import linecache
import os
import sys
import traceback
import types

from . import export


class Shell:
    """What get_ipython() gives: as in grading, whatever it is asked to do, nothing happens."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments, **options: None


def main() -> None:
    job = json.load(sys.stdin)
    answers, nothing = os.fdopen(os.dup(1), "w", encoding="utf-8"), os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # nothing that a cell prints gets among the answers
        os.dup2(nothing, number)
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    vars(main).update(display=print, get_ipython=Shell)
    for number, source in enumerate(job["cells"]):
        reply = run(f"<cell {number}>", python(source), vars(main), job["files"])
        print(json.dumps(reply), file=answers, flush=True)


def python(source: str) -> str:
    """Return a cell as grading runs it: magics do nothing, a cell in another language neither."""
    if source.startswith("%%") and not export.ABOVE.match(source):
        return ""
    return export.python(source.splitlines())


def run(file: str, source: str, names: dict, files: dict[str, str]) -> dict[str, str]:
    """Run a cell; return its error, what it wrote to stderr, and which of `files` it failed in."""
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    error, where, stderr = "", "", io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stderr):
        try:
            exec(compile(source, file, "exec", dont_inherit=True), names)
        except BaseException as caught:  # also SystemExit
            frames = traceback.extract_tb(caught.__traceback__)
            own = [f for f in frames if f.filename in files or f.filename.startswith("<cell ")]
            where = files.get(own[-1].filename, "") if own else ""
            error = told(caught, own)
    return {"error": error, "stderr": stderr.getvalue()[:1000].strip(), "where": where}


def told(error: BaseException, own: list[traceback.FrameSummary]) -> str:
    """Return an error as the test explains it, or else with the line where it arose."""
    if explained := getattr(error, "_render_traceback_", None):
        return "\n".join(explained())
    lines = [(frame.lineno, frame.line) for frame in own]
    try:
        what = str(error)
    except Exception:  # it shows an object whose own __str__ fails
        what = "(its text could not be read)"
    if isinstance(error, SyntaxError) and error.text:
        lines, what = [(error.lineno, error.text)], error.msg
    at = f" · line {lines[-1][0]}: {lines[-1][1].strip()}" if lines else ""
    return f"{type(error).__name__}: {what}{at}"


if __name__ == "__main__":
    main()
