"""Every test here runs once for each module of the course, or for those named by --module."""

from pathlib import Path

import pytest
from nbformat import NotebookNode

from coursekit import course as course_file
from coursekit import mutants, notebook
from coursekit.course import Course, Module

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
        ids = [module.name for module in modules]
        metafunc.parametrize("module", modules, ids=ids, scope="session")


@pytest.fixture(scope="session")
def course() -> Course:
    return COURSE


@pytest.fixture(scope="session")
def nb(module: Module) -> NotebookNode:
    """The module's source as a notebook. Tests must not change it."""
    return notebook.read(module.source)
