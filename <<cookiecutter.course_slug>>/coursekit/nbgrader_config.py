"""What all that use nbgrader need. Its settings are in grading/nbgrader_autograde.py."""

import warnings

import nbformat
from nbgrader import api, dbutil
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning

# Whatever else lies beside a notebook is copied into the release.
STAFF_FILES = ["*_dev.py", "mutants.toml", "staff.md"]
HIDDEN = ".*"  # what editors keep there while they are open
IGNORED = [*CourseDirectory.ignore.default_args[0], *STAFF_FILES, HIDDEN]

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
