"""Every test here runs once for each module of the course, or for those named by --module."""

from pathlib import Path

import pytest
from nbformat import NotebookNode

from coursekit import course as course_file
from coursekit import notebook
from coursekit.course import Course, Module

COURSE = course_file.load(Path(__file__).resolve().parent.parent)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--module", action="append", default=[], help="test only this module")


def chosen(config: pytest.Config) -> list[Module]:
    return COURSE.modules(config.getoption("--module"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for `module` once a module."""
    if "module" in metafunc.fixturenames and "mutant" not in metafunc.fixturenames:
        modules = chosen(metafunc.config)
        metafunc.parametrize("module", modules, ids=lambda m: m.name, scope="session")


@pytest.fixture(scope="session")
def course() -> Course:
    return COURSE


@pytest.fixture(scope="session")
def nb(module: Module) -> NotebookNode:
    """The module's source as a notebook. Tests must not change it."""
    return notebook.read(module.source)
