"""Courses for the tests, baked by Cookiecutter's own command line, far from the user's home."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from cookiecutter import main
from delimiters import ROOT, tracked_files
from hypothesis import settings
from jinja2 import Environment

sys.path[:0] = [str(ROOT), str(ROOT / "hooks"), str(ROOT / "<<cookiecutter.course_slug>>")]
from coursekit.assignment import Assignment  # noqa: E402, I001  first: nbformat loads faster then
from coursekit.authoring import decoys  # noqa: E402
from coursekit.course import Course, Module  # noqa: E402
from coursekit.grading import worker  # noqa: E402
from living import Living, copy_of, only_folder  # noqa: E402

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.register_profile("quick", settings.get_profile("untimed"), max_examples=25)

# Courses that are made once: below, and in single files.
MADE_ONCE = {"whole", "built", "pair", "demo", "complaints", "made", "unbroken", "handed_in"}
UNUSUAL = {
    "course_title": 'Réseaux & "Deep" Learning',
    "course_slug": "reseaux-profonds",
    "package_name": "petitorch",
    "institution": "École d'Été",
    "last_module": "01_tensor",  # most tests need no more, and fewer are faster
}


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples where a person waits: `--all`, and so CI, tries them all."""
    settings.load_profile("quick" if config.option.markexpr == "not slow" else "untimed")


@pytest.hookimpl(optionalhook=True)  # of xdist, which may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let one worker live the life of a course, and one take all tests of a set of answers.

    `--dist loadgroup` would do the same, but with pytest 9.2 xdist 3.8 sees no group.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if "test_life.py" in nodeid:
                return "life"
            answers = re.search(r"test_bake\.py::.*(\[.*\])", nodeid)
            return answers[1] if answers else nodeid

    return Together(config, log)


@pytest.hookimpl(trylast=True)  # when it is known which ones run at all
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with one test of each course that is made once, and go on with those that need none.

    So hardly a worker waits until another one has made a course.
    """
    makers: dict[str, pytest.Item] = {}
    for item in items:
        for name in MADE_ONCE.intersection(item.fixturenames):
            makers.setdefault(name, item)
    first = {item: 0 for item in makers.values()}
    items.sort(key=lambda item: first.get(item, 2 if "shared" in item.fixturenames else 1))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that has a folder made once, whichever of xdist's workers comes first."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all workers

    def shared_folder(name: str, make: Callable[[Path], object]) -> Path:
        folder, ready = base / name, base / f"{name}.ready"
        with (base / f"{name}.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one who failed
                folder.mkdir()
                make(folder)
                ready.touch()
        return folder

    return shared_folder


@pytest.fixture(scope="session")
def template(shared: Callable[..., Path]) -> Path:
    """Return a copy of the template as a clone would have it, without what git ignores."""

    def clone(folder: Path) -> None:
        for path in tracked_files():
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    return shared("template", clone)


@pytest.fixture(scope="session")
def cookiecutter(template, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs `cookiecutter` on the template in a folder."""
    home = str(tmp_path_factory.mktemp("home"))
    outside = {key: value for key, value in os.environ.items() if key != "COOKIECUTTER_CONFIG"}

    def run(
        folder: Path, *arguments: str, template: Path = template, **options
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "cookiecutter", str(template), *arguments],
            cwd=folder,
            env=outside | {"HOME": home, "USERPROFILE": home, "TMPDIR": home, "PWD": str(folder)},
            capture_output=True,
            encoding="utf-8",
            **options,
        )

    return run


@pytest.fixture(scope="session")
def bake_into(template: Path, tmp_path_factory) -> Callable[..., None]:
    """Return a function that bakes a course from the given answers into an empty folder.

    In this process, where no template is compiled twice: as by the command line, but in less time.
    """
    home = tmp_path_factory.mktemp("home")
    config = home / "config.yml"
    config.write_text(f"cookiecutters_dir: {home}\nreplay_dir: {home}\n", encoding="utf-8")

    compiled, known = Environment.compile, {}

    def compiled_once(env: Environment, *of: object) -> object:
        if of not in known:
            known[of] = compiled(env, *of)
        return known[of]

    def bake_course(folder: Path, **answers: str) -> None:
        options = {"no_input": True, "extra_context": answers, "config_file": str(config)}
        with patch.object(Environment, "compile", compiled_once):
            main.cookiecutter(str(template), output_dir=str(folder), **options)

    return bake_course


@pytest.fixture(scope="session")
def bake(bake_into: Callable[..., None], tmp_path_factory) -> Callable[..., Path]:
    """Return a function that bakes a course from the given answers, and returns its folder."""

    def bake_course(**answers: str) -> Path:
        folder = tmp_path_factory.mktemp("bake")
        bake_into(folder, **answers)
        return only_folder(folder)

    return bake_course


@pytest.fixture(scope="session", autouse=True)
def lasting_workers() -> Iterator[None]:
    """Let a command in this process leave its workers to the next one: each takes a second."""
    new = worker.Worker
    idle: dict[bool, list[worker.Worker]] = {True: [], False: []}

    class Lent:
        """What a command takes for a worker of its own; gone with the command."""

        def __init__(self, folder: Path, *, sandboxed: bool) -> None:
            left = idle[sandboxed]
            lent = left.pop() if left else new(folder, sandboxed=sandboxed)
            self.ask = lent.ask
            weakref.finalize(self, left.append, lent)

    with patch.object(worker, "Worker", Lent):
        yield
    for left in (*idle[True], *idle[False]):
        if "process" in vars(left):
            left.process.stdin.close()
            left.process.wait()


# ---- Courses that all tests share, and must not change


@pytest.fixture(scope="session")
def course(shared: Callable[..., Path], bake_into: Callable[..., None]) -> Path:
    """Return a course baked from the default answers."""
    return only_folder(shared("course", bake_into))


@pytest.fixture(scope="session")
def fresh(shared: Callable[..., Path], bake_into: Callable[..., None]) -> Living:
    """Return a course with nobody's default answers, as it comes out of the template."""
    return Living(only_folder(shared("fresh", lambda folder: bake_into(folder, **UNUSUAL))))


@pytest.fixture(scope="session")
def built(fresh: Living, shared: Callable[..., Path]) -> Living:
    """Return a course that was built."""

    def build(folder: Path) -> None:
        copy_of(fresh.root, folder / fresh.root.name).ok("build")

    return Living(only_folder(shared("built", build)))


@pytest.fixture(scope="session")
def pair(shared: Callable[..., Path], bake_into: Callable[..., None]) -> Living:
    """Return a course with the first two modules, built."""

    def build(folder: Path) -> None:
        bake_into(folder, **(UNUSUAL | {"last_module": "02_activations"}))
        with patch.object(decoys, "TRIED", 2):  # no test here is about these
            Living(only_folder(folder)).ok("build")

    return Living(only_folder(shared("pair", build)))


@pytest.fixture(scope="session")
def demo(built: Living, shared: Callable[..., Path]) -> Living:
    """Return a course whose made-up term was graded."""

    def grade(folder: Path) -> None:
        made = copy_of(built.root, folder / built.root.name)
        made.edit(made.root / "course.toml", "cell_seconds = 10", "cell_seconds = 1")
        made.ok("grade", "--demo")

    return Living(only_folder(shared("demo", grade)))


@pytest.fixture(scope="session")
def whole(course: Path, shared: Callable[..., Path]) -> Living:
    """Return a course with all modules, built."""
    made = shared("whole", lambda folder: copy_of(course, folder / course.name).ok("build"))
    return Living(only_folder(made))


# ---- Courses of one test


@pytest.fixture
def spoilable(built: Living, tmp_path: Path) -> Living:
    """Return a copy of the built course that a test may change."""
    return copy_of(built.root, tmp_path / built.root.name)


@pytest.fixture
def decoys_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module that is built again keep its decoys: to find them takes ten seconds."""
    from coursekit import assignment
    from coursekit.authoring import release

    def prepare(course: Course, module: Module, made: Assignment) -> Assignment:
        kept = assignment.stored(course, module)
        same = {name: kept[name] for name in ("decoys", "proven") if kept}
        return replace(made, limits=course.rules, **same)

    monkeypatch.setattr(release.decoys, "prepare", prepare)
