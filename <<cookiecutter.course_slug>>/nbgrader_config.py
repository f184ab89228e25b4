"""Settings for plain `nbgrader` commands, formgrader and JupyterLab, all from course.toml."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(
    0, str(ROOT)
)  # nbgrader reads this file from anywhere; coursekit is found from here

from coursekit import course  # noqa: E402
from coursekit.exchange import roster  # noqa: E402
from coursekit.grading import nbgrader_autograde  # noqa: E402

here = course.load(ROOT)
people = roster.read(here) if (ROOT / roster.NAME).is_file() else roster.Roster([])
here.extension = (*roster.extensions(here, people), *here.extension)  # by sections' dates
c = get_config()  # noqa: F821  (nbgrader puts it here)
c.merge(nbgrader_autograde.config(here))
