"""Settings for plain `nbgrader` commands, formgrader and JupyterLab, all from course.toml."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(
    0, str(ROOT)
)  # nbgrader reads this file from anywhere; coursekit is found from here

try:
    from coursekit import course
    from coursekit.exchange import roster
    from coursekit.grading import nbgrader_autograde

    here = course.load(ROOT)
    roster.add_sections(here, roster.read_if_any(here))
    c = get_config()  # noqa: F821  (nbgrader puts it here)
    c.merge(nbgrader_autograde.config(here))
except Exception as error:  # nbgrader would go on without these settings: without the sandbox
    sys.exit(f"{error}\nnbgrader does nothing without the settings of this course: mend that.")
