"""The machinery behind the nox sessions. Data flows one way, each step from paths to paths:

modules/NN_x/x_dev.py -- sync --> x_dev.ipynb and the package -- build --> release/ and dist/
submitted/STUDENT/NN_x/ -- grade --> gradebook.db, feedback/, grades.csv, report.html

course.py     course.toml, the modules, where everything lies
notebook.py   a percent-format .py as a notebook; its solutions and hidden tests
export.py     `#| export` cells as a file of the package (students get this file, too)
sync.py       generated files, and the edits of people that they must not overwrite
release.py    nbgrader's release notebooks and the student kit
gates.py      what must hold before anything is released
intake.py     what a student handed in: found, read, its date
reading.py    any bytes as a valid notebook, or why they are none
recognise.py  which cell of a student's notebook is which of the module's
restore.py    provided cells put right: missing, changed, renamed, moved, merged, split
late.py       what lateness costs
grade.py      a round of grading: module by module
desk.py       one module's submissions: begun, run by the engine, finished
steps.py      nbgrader's preprocessors before and after a run
ledger.py     the gradebook as tables: read once, one transaction a submission
state.py      what was graded and what a person should know of it
places.py     the folders and the gradebook of a round
files.py      files that are there as a whole or not at all
sandbox.py    bubblewrap's command line around students' code
engine.py     warm processes that run notebooks' cells: an executor
cluster.py    the same on other machines: an executor on a Dask cluster
remote.py     what a Dask worker gets of it
inside/       what runs in the sandbox: the parent, keeper, jail, cells, guard and watch
jobs.py       a notebook as a job for the engine
lint.py       what a person should read in a student's cells
lock.py       one grader at a time in a folder
gradebook.py  the gradebook on a database server, and one grader at a time there
feedback.py   the page a student gets
scores.py     rows of the gradebook, grades.csv
demo.py       a made-up term from the modules' own solutions
mutants.py    plausible student bugs, run as grading would
reference.py  the package as a module may see it: the modules before it
nbgrader_settings.py  nbgrader's settings, from course.toml
report.py     the table on the screen and the progress bar
report_data.py  all that the gradebook holds, in a few queries
report_page.py  report.html from it; its template, style and script beside it
preprocessors.py  our own steps in nbgrader's chains
runner.py     the code cells of one notebook in one plain Python process
"""

import sys

# jsonschema (nbformat's validator) imports this optional grammar of web addresses if it can, and
# that alone takes most of a second in every command. Notebooks hold none that need it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
