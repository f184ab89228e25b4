"""Run the code cells of one notebook in one plain Python process, as grading would, in order.

`run` starts this file as a process of its own: nothing of coursekit, nor of the module under
test, is on that process's path.
"""

import contextlib
import io
import json
import linecache
import os
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterable
from pathlib import Path

Cell = tuple[str, str]  # a name and the source


def run(
    cells: list[Cell], pythonpath: Path, seconds: float = 60.0, beside: Iterable[Path] = ()
) -> dict[str, str]:
    """Return, for each cell that finished, "" or what went wrong in it.

    An exception fails a cell, and so does anything on stderr (nbgrader's rule). Cells that were
    not reached within `seconds` are missing from the result. What lies `beside` the notebook is
    copied to where they run.
    """
    with tempfile.TemporaryDirectory() as folder:
        jobs, results = Path(folder) / "cells.json", Path(folder) / "results.jsonl"
        jobs.write_text(json.dumps(cells), encoding="utf-8")
        results.touch()
        for path in beside:
            shutil.copy(path, folder)
        env = {**os.environ, "PYTHONPATH": str(pythonpath), "MPLBACKEND": "Agg"}
        command = [sys.executable, "-P", __file__, str(jobs), str(results)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, cwd=folder, env=env, timeout=seconds, check=False)
        return dict(json.loads(line) for line in results.read_text(encoding="utf-8").splitlines())


def main(jobs: Path, results: Path) -> None:
    """Run the cells of a JSON file; add a line for each to the results as soon as it is done."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    with results.open("a", encoding="utf-8") as file:
        for name, source in json.loads(jobs.read_text(encoding="utf-8")):
            print(
                json.dumps([name, run_cell(name, source, module.__dict__)]), file=file, flush=True
            )


def run_cell(name: str, source: str, namespace: dict) -> str:
    """Run one cell; return "" or its error, or what it wrote to stderr."""
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    stderr = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stderr):
        try:
            exec(compile(source, filename, "exec"), namespace)
        except BaseException as error:  # SystemExit and KeyboardInterrupt fail a cell, too
            return f"{type(error).__name__}: {error}"
    return stderr.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
