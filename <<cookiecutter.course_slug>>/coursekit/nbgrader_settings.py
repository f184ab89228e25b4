"""nbgrader's settings, all from course.toml, for plain nbgrader commands and for our own steps."""

import logging
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    GetGrades,
    OverwriteCells,
    OverwriteKernelspec,
)
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from coursekit import notebook
from coursekit.course import Course
from coursekit.late import PercentPerDay
from coursekit.preprocessors import HideTests, PutRight
from coursekit.reference import write_reference

# nbgrader copies whatever else lies beside a notebook into the release.
STAFF_FILES = ["*_dev.py", "mutants.toml"]

# About nbgrader's own queries and notebooks of an older format: nothing one could act on.
warnings.filterwarnings("ignore", category=SAWarning)
warnings.filterwarnings("ignore", category=nbformat.warnings.MissingIDFieldWarning)

# nbgrader runs `alembic` from PATH for a new gradebook, also where .venv is not activated.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def config(course: Course) -> Config:
    """Return the settings of every nbgrader command in this course."""
    c = Config()
    c.CourseDirectory.root = str(course.root)
    c.CourseDirectory.course_id = course.slug
    c.CourseDirectory.source_directory = course.modules_dir.name
    c.CourseDirectory.ignore = [*CourseDirectory.ignore.default_args[0], *STAFF_FILES]
    c.Autograde.sanitize_preprocessors = [
        ClearOutput,
        OverwriteKernelspec,
        PutRight,
        OverwriteCells,
        CheckCellMetadata,
    ]
    # Last, what a student's page could run in the browser of whoever looks at it is taken out.
    graded = Autograde.autograde_preprocessors.default_args[0]
    c.Autograde.autograde_preprocessors = [*graded, SanitizeHTML]
    c.SanitizeHTML.enabled = True
    c.GenerateFeedback.preprocessors = [GetGrades, HideTests, CSSHTMLHeaderPreprocessor]
    c.Autograde.pre_convert_hook = hide_reference(course)
    c.PutRight.source_directory = str(course.modules_dir)
    c.OverwriteCells.add_missing_cells = True
    c.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]
    c.Execute.timeout = int(course.limits.cell_seconds) or 1
    c.Execute.skip_cells_with_tag = notebook.PROFILING
    c.AssignLatePenalties.plugin_class = PercentPerDay
    c.PercentPerDay.update(course.late)
    c.ExportPlugin.to = "gradebook.csv"  # its default, grades.csv, is written by our own grade
    return c


def hide_reference(course: Course) -> Any:
    """Return a hook that lets a kernel import the modules before the one it grades, no others."""

    def hook(assignment: str, **_: Any) -> None:
        folder = course.scratch / "reference" / assignment
        write_reference(course, assignment, folder)
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["MPLBACKEND"] = "Agg"

    return hook


@contextmanager
def captured_log() -> Iterator[list[str]]:
    """Collect what nbgrader logs, instead of printing it."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("traitlets")
    before = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [handler], False
    try:
        yield lines
    finally:
        logger.handlers, logger.propagate = before


def reason(lines: list[str]) -> str:
    """Return the last line of the last traceback that nbgrader logged, or its last warning."""
    tracebacks = [line for line in lines if line.startswith("Traceback")]
    chosen = (tracebacks or lines or ["nbgrader gave no reason"])[-1]
    return chosen.strip().splitlines()[-1]


if sys.platform == "win32":  # zmq needs this event loop where Execute starts a kernel
    import asyncio

    asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
