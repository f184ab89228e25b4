"""Tests that ask for `module` run once for each module, or for those named by --module.

Tests marked `needs("layers")` are about the framework as a whole: they run if Module 03 is chosen.
"""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat import NotebookNode

from coursekit import course as course_file
from coursekit import mutants, notebook
from coursekit.course import Course, Module
from coursekit.reference import write_reference

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
def framework(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return the reference framework: every public name of every module, as one namespace."""
    folder = write_reference(COURSE, "~", tmp_path_factory.mktemp("framework"))  # "~": all modules
    sys.path.insert(0, str(folder))
    names = {}
    for module in COURSE.modules():
        names |= vars(importlib.import_module(f"{COURSE.package}.{module.stem}"))
    return SimpleNamespace(**names)
