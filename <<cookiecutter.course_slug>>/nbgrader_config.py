"""Settings for plain `nbgrader` commands, formgrader and JupyterLab, all from course.toml."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(
    0, str(ROOT)
)  # nbgrader reads this file from anywhere; coursekit is found from here

from coursekit import course  # noqa: E402
from coursekit.grading import nbgrader_autograde  # noqa: E402

c = get_config()  # noqa: F821  (nbgrader puts it here)
c.merge(nbgrader_autograde.config(course.load(ROOT)))
