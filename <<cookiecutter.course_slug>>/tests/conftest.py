"""Tests that ask for `module` run once for each module, or for those named by --module.

Tests marked `needs("tensor")` are about the framework as a whole: they run if it is chosen.
All is made from the sources, in temporary folders: nothing that a person built is read or changed.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import settings

from bench.sources import mutants, write_package
from coursekit import course as course_file
from coursekit import execution, notebook
from coursekit.assignment import Assignment, data_of
from coursekit.course import MODULE_NAME, PROVIDED, Course, Module
from coursekit.errors import CourseError
from coursekit.sandbox.engine import Engine

if TYPE_CHECKING:
    from nbformat import NotebookNode

COURSE = course_file.load(Path(__file__).resolve().parent.parent)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--module", action="append", default=[], help="test only this module")
    parser.addoption("--all", action="store_true", help="also run what takes minutes")
    parser.addoption("--full", action="store_true", help="ask for all that [standards] says")


def pytest_configure(config: pytest.Config) -> None:
    """Let each process do with one thread: as many workers as there are cores run at a time.

    Where a person waits, fewer examples are tried; the same ones in every run: a course must not
    fail by chance on the evening of a deadline.
    """
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    examples = 60 if config.getoption("--all") else 25
    settings.register_profile("course", deadline=None, derandomize=True, max_examples=examples)
    settings.load_profile("course")
    if hasattr(config, "workerinput"):
        return  # one of xdist's workers: the process that starts them has read all there is
    try:  # what cannot be read is one line, not fifty failures
        for module in COURSE.modules(config.getoption("--module")):
            notebook.read(module.source), mutants(module)
    except CourseError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for `module` once a module; for `mutant`, once a student bug."""
    modules = COURSE.modules(metafunc.config.getoption("--module"))
    if "mutant" in metafunc.fixturenames:
        cases = [(module, mutant) for module in modules for mutant in mutants(module)]
        ids = [f"{module.name}: {mutant.name}" for module, mutant in cases]
        metafunc.parametrize("module, mutant", cases, ids=ids, scope="session")
    elif "module" in metafunc.fixturenames:
        ids = [module.name for module in modules]
        metafunc.parametrize("module", modules, ids=ids, scope="session")


@pytest.hookimpl(optionalhook=True)  # of xdist, which may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let one worker take all tests of a module: they share its build, its grades, its engine.

    `--dist loadgroup` would do the same, but with pytest 9.2 xdist 3.8 sees no group.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = MODULE_NAME.search(nodeid.partition("[")[2])
            return module[0] if module else nodeid

    return ByModule(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a module that this course ends before, or that nobody asked for."""
    if item.get_closest_marker("slow") and not item.config.getoption("--all"):
        pytest.skip("takes minutes: nox -s test -- --all")
    chosen = {module.stem for module in COURSE.modules(item.config.getoption("--module"))}
    for mark in item.iter_markers("needs"):
        if missing := set(mark.args) - chosen:
            pytest.skip(f"needs the module {missing.pop()}")


@pytest.fixture(scope="session")
def course() -> Course:
    return COURSE


@pytest.fixture(scope="session")
def nb(module: Module) -> "NotebookNode":
    """The module's source as a notebook. Tests must not change it."""
    return notebook.read(module.source)


@pytest.fixture(scope="session")
def package(course: Course, module: Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package as this module may import it, with the modules before it."""
    return write_package(course, module.name, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def from_source(course: Course) -> Callable[[Module, Path], Assignment]:
    """Return a function that makes an Assignment of a module as it stands in its source."""

    def made(module: Module, package: Path) -> Assignment:
        nb = notebook.read(module.source)
        return Assignment(
            name=module.name,
            file=module.notebook.name,
            cells=tuple(json.loads(json.dumps(nb.cells))),
            given=tuple(notebook.public(cell.source) for cell in nb.cells),
            kernelspec={},
            data=data_of(module),
            decoys={},
            digest="",
            package=course.package,
            reference={p.stem: p.read_text(encoding="utf-8") for p in package.glob("*/*.py")},
            limits=course.rules,
        )

    return made


@pytest.fixture(scope="session")
def source(module: Module, package: Path, from_source: Callable) -> Assignment:
    """The module as it stands in its source, without decoys."""
    return from_source(module, package)


@pytest.fixture(scope="session")
def engine(course: Course, source: Assignment) -> Iterator[Engine]:
    """Run a module's code as grading does, but without a sandbox: it is ours."""
    with execution.engine(source, sandboxed=False) as warm:
        for data in course.package_dir.glob("*.npz"):  # which no graded cell needs
            shutil.copy(data, warm.reference / course.package)
        yield warm


@pytest.fixture(scope="session")
def built(course: Course, module: Module, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A copy of the course in which this module was built, with a gradebook of its own."""
    from coursekit.authoring import decoys, release  # xdist's own process need not wait for them

    root = tmp_path_factory.mktemp("course")
    shutil.copytree(course.root / "student", root / "student")
    shutil.copy(course.root / "pyproject.toml", root)
    (root / course.package).mkdir()
    for name in PROVIDED:
        shutil.copy(course.package_dir / name, root / course.package)
    no_notebooks = shutil.ignore_patterns("*_dev.ipynb", ".ipynb_checkpoints")
    for each in (m for m in course.modules() if m.name <= module.name):
        shutil.copytree(each.path, root / "modules" / each.name, ignore=no_notebooks)
    copy = replace(course, root=root, grading={**course.grading, "db_url": "", "drop": []})
    with patch.object(decoys, "TRIED", 1):  # to find more takes long, and shows no more
        release.build(copy, copy.modules([module.name]))
    return copy


@pytest.fixture(scope="session")
def framework(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return the reference framework: every public name of every module, as one namespace."""
    from bench import peers  # which imports NumPy: not before its threads are set

    return peers.framework(COURSE, tmp_path_factory.mktemp("framework"))
