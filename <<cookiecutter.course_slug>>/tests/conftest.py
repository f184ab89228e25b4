"""Tests that ask for `module` run once for each module, or for those named by --module.

Tests marked `needs("layers")` are about the framework as a whole: they run if Module 03 is chosen.
"""

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat import NotebookNode

from coursekit import assignment, execution, notebook
from coursekit import course as course_file
from coursekit.assignment import Assignment
from coursekit.authoring import mutants, release
from coursekit.course import Course, Module
from coursekit.sandbox.engine import Engine

COURSE = course_file.load(Path(__file__).resolve().parent.parent)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--module", action="append", default=[], help="test only this module")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for `module` once a module; for `mutant`, once a student bug."""
    modules = COURSE.modules(metafunc.config.getoption("--module"))
    if "mutant" in metafunc.fixturenames:
        cases = [(module, mutant) for module in modules for mutant in mutants.load(module)]
        ids = [f"{module.name}: {mutant.name}" for module, mutant in cases]
        metafunc.parametrize("module, mutant", cases, ids=ids, scope="session")
    elif "module" in metafunc.fixturenames:
        # One worker takes all of a module's tests, which share its graded submissions.
        cases = [pytest.param(m, marks=pytest.mark.xdist_group(m.name)) for m in modules]
        ids = [module.name for module in modules]
        metafunc.parametrize("module", cases, ids=ids, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a module that this course ends before, or that nobody asked for."""
    chosen = {module.stem for module in COURSE.modules(item.config.getoption("--module"))}
    for mark in item.iter_markers("needs"):
        if missing := set(mark.args) - chosen:
            pytest.skip(f"needs the module {missing.pop()}")


@pytest.fixture(scope="session")
def course() -> Course:
    return COURSE


@pytest.fixture(scope="session")
def nb(module: Module) -> NotebookNode:
    """The module's source as a notebook. Tests must not change it."""
    return notebook.read(module.source)


@pytest.fixture(scope="session")
def engine(course: Course, module: Module, source: Assignment) -> Iterator[Engine]:
    """Run code as grading does, but without a sandbox: it is ours."""
    with execution.engine(source, sandboxed=False) as warm:
        yield warm


@pytest.fixture(scope="session")
def source(module: Module, from_source: Callable[[Module], Assignment]) -> Assignment:
    """The module as it stands in its source, without decoys."""
    return from_source(module)


@pytest.fixture(scope="session")
def from_source(
    course: Course, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Module], Assignment]:
    """Return a function that makes an Assignment of a module as it stands in its source."""

    def made(module: Module) -> Assignment:
        nb = notebook.read(module.source)
        package = assignment.write_package(course, module.name, tmp_path_factory.mktemp("package"))
        return Assignment(
            name=module.name,
            file=module.notebook.name,
            cells=tuple(json.loads(json.dumps(nb.cells))),
            given=tuple(notebook.public(cell.source) for cell in nb.cells),
            kernelspec={},
            data=assignment.data_of(module),
            decoys={},
            digest="",
            package=course.package,
            reference={p.stem: p.read_text(encoding="utf-8") for p in package.glob("*/*.py")},
            limits={**course.grading, "cell_seconds": 60, "notebook_seconds": 600},
        )

    return made


@pytest.fixture(scope="session")
def built(course: Course, module: Module, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A copy of the course with this module and those before it, in which it was built."""
    root = tmp_path_factory.mktemp("course")
    for name in ("course.toml", "pyproject.toml", "student", f"{course.package}/__init__.py"):
        copy = shutil.copytree if (course.root / name).is_dir() else shutil.copy
        (root / name).parent.mkdir(exist_ok=True)
        copy(course.root / name, root / name)
    for each in [*course.earlier(module), module]:
        no_notebooks = shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints")
        shutil.copytree(each.path, root / "modules" / each.name, ignore=no_notebooks)
    found = course_file.load(root)
    release.build(found, found.modules([module.name]))
    return found


@pytest.fixture(scope="session")
def framework(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return the reference framework: every public name of every module, as one namespace."""
    folder = tmp_path_factory.mktemp("framework")
    assignment.write_package(COURSE, "~", folder)  # "~": all modules
    sys.path.insert(0, str(folder))
    names = {}
    for module in COURSE.modules():
        names |= vars(importlib.import_module(f"{COURSE.package}.{module.stem}"))
    return SimpleNamespace(**names)
