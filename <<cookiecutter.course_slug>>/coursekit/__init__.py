"""The machinery behind the nox sessions. Data flows one way, each step from paths to paths:

modules/NN_x/x_dev.py -- sync --> x_dev.ipynb and the package -- build --> release/ and dist/
an LMS's download -- collect --> submitted/STUDENT/NN_x/
submitted/STUDENT/NN_x/ -- grade --> gradebook.db, feedback/, grades.csv, report.html

authoring/  makes: notebooks, the release, the student kit, decoys
intake/     takes in: a hand-in, any bytes, as a sound notebook
sandbox/    runs: cells in, outputs out
grading/    decides: grade_one, and the loop around it
report/     tells: the screen and report.html
exchange/   takes from and gives to an LMS
upkeep/     keeps the course: a newer template, a new term
Above them __main__, the commands; beside them what all of them know: course, notebook, export,
assignment (what build leaves for grade), execution (cells as a job), grades and gradebook.
"""

import sys

# jsonschema (nbformat's validator) imports this optional grammar of web addresses if it can, and
# that alone takes most of a second in every command. Notebooks hold none that need it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
