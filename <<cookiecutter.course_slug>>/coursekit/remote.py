"""What a Dask worker runs: this file is the `__init__` of the package that cluster.py sends there.

The worker sees neither the course's folder nor the gradebook. It needs Python, the packages that
students import, `distributed`, and bubblewrap. A job comes as text and its outcome leaves as text.
"""

import contextlib
import functools
import importlib
import json
import shutil
import sys
import threading
import time
import zipfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("distributed", "numpy", "matplotlib")  # what grades, or the way there, depend on
ARCHIVE = Path(__file__).parents[1]  # on a worker: the zip with this package in it
FOLDER = ARCHIVE.with_suffix("")
LEFT = 600.0  # seconds after which an engine without jobs is taken for left behind

engine: Any = None  # made with the first job, warm from then on
running, last_used = 0, time.monotonic()
lock = threading.RLock()


@dataclass(frozen=True)
class Sent:
    """A job as it came over the wire: as much of `engine.Job` as an engine asks for."""

    line: str

    def text(self) -> str:
        return self.line

    @functools.cached_property
    def cells(self) -> list[dict[str, Any]]:
        return json.loads(self.line)["cells"]


def versions() -> dict[str, str]:
    """Return the versions that must be the same on the grader's machine and on a worker."""
    found = {"Python": ".".join(map(str, sys.version_info[:2]))}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def run(line: str) -> str:
    """Run a job in this worker's engine; return its outcome, or why there can be none here."""
    try:
        with used() as warm:
            return json.dumps(asdict(warm.run(Sent(line))))
    except Exception as error:  # of a type that the grader does not have
        return json.dumps({"refused": str(error) or type(error).__name__})


@contextlib.contextmanager
def used():
    """Yield the engine, and keep count of the jobs in it."""
    global engine, running, last_used
    tidy()
    with lock:
        engine = engine or new_engine()
        running += 1
        warm = engine
    try:
        yield warm
    finally:
        with lock:
            running, last_used = running - 1, time.monotonic()


def new_engine():
    """Unpack the archive and make the engine that it describes."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(FOLDER)
    root = FOLDER / __name__
    sys.modules[__name__].__path__ = [str(root)]  # from here on, imports find real files
    settings = json.loads((root / "settings.json").read_text(encoding="utf-8"))
    compare(settings["versions"])
    sandbox, engines = (importlib.import_module(f"{__name__}.{n}") for n in ("sandbox", "engine"))
    sandbox.check(wanted=settings["sandboxed"])
    place = sandbox.Place(root / "reference", settings["sandboxed"])
    return engines.Engine(place, engines.Limits(**settings["limits"]))


def compare(wanted: dict[str, str]) -> None:
    """Raise an error unless grades would be the same here."""
    here = versions()
    other = {name: version for name, version in wanted.items() if here.get(name) != version}
    if other:
        listed = ", ".join(
            f"{name} {here.get(name, 'none')} instead of {version}"
            for name, version in other.items()
        )
        install = " ".join(f"{name}=={v}" for name, v in other.items() if name != "Python")
        how = f"Install there: pip install {install}" if install else "Start it with that Python"
        raise RuntimeError(f"it has {listed}, and grades could differ. {how}")


def tidy() -> None:
    """Let engines rest that graders left behind here when they were killed."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("coursekit_") and "." not in name and name != __name__:
            module.rest(LEFT)


def rest(after: float) -> None:
    """End the engine's processes if it had no job for so many seconds."""
    global engine
    with lock:
        if engine and not running and time.monotonic() - last_used > after:
            engine.shutdown(cancel_futures=True)
            engine = None


def close() -> None:
    """Leave nothing of this package on the worker; jobs that still run are lost."""
    if engine:
        engine.shutdown(cancel_futures=True)
    for name in [name for name in sys.modules if name.partition(".")[0] == __name__]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if path != str(ARCHIVE)]
    shutil.rmtree(FOLDER, ignore_errors=True)
    ARCHIVE.unlink(missing_ok=True)
