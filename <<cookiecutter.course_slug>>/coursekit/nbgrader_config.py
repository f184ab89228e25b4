"""nbgrader's settings, all from course.toml, but for its steps (grading/nbgrader_autograde.py)."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import nbformat
from nbgrader import api, dbutil
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from coursekit.course import Course

# nbgrader copies whatever else lies beside a notebook into the release.
STAFF_FILES = ["*_dev.py", "mutants.toml", "staff.md"]
HIDDEN = ".*"  # what editors keep there while they are open

# About nbgrader's own queries and notebooks of an older format: nothing one could act on.
warnings.filterwarnings("ignore", category=SAWarning)
warnings.filterwarnings("ignore", category=nbformat.warnings.MissingIDFieldWarning)


def version_of_tables() -> str:
    """Return what a new gradebook says of its tables, for later versions of nbgrader.

    nbgrader itself runs `alembic heads`, which takes five seconds and must be on PATH.
    """
    from alembic.script import ScriptDirectory

    return ScriptDirectory(dbutil.ALEMBIC_DIR).get_current_head()


api.get_alembic_version = version_of_tables


def config(course: Course) -> Config:
    """Return the settings of every nbgrader command in this course, but its steps."""
    c = Config()
    c.CourseDirectory.root = str(course.root)
    c.CourseDirectory.course_id = course.slug
    c.CourseDirectory.source_directory = course.modules_dir.name
    c.CourseDirectory.ignore = [*CourseDirectory.ignore.default_args[0], *STAFF_FILES, HIDDEN]
    c.ExportPlugin.to = "gradebook.csv"  # its default, grades.csv, is written by our own grade
    return c


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
