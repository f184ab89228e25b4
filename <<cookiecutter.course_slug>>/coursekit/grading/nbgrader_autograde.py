"""nbgrader's own commands and formgrader in this course: their doors lead to ours.

`nbgrader autograde` and formgrader's button have `grade` do it: in the sandbox, or refused in the
same words. nbgrader's feedback shows what a student may see.
"""

from typing import Any

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader import preprocessors as steps
from traitlets.config import Config

from coursekit import execution, notebook
from coursekit.course import Course, Submission
from coursekit.errors import CourseError
from coursekit.grading import feedback
from coursekit.grading.grade import Grading
from coursekit.grading.submission import FOR_GRADERS
from coursekit.nbgrader_config import IGNORED

HERE: list[Course] = []  # the course whose nbgrader_config.py was read: nbgrader makes the steps


def config(course: Course) -> Config:
    """Return the settings of nbgrader's commands in this course."""
    HERE[:] = [course]
    c = Config()
    c.CourseDirectory.root = str(course.root)
    c.CourseDirectory.course_id = course.slug
    c.CourseDirectory.source_directory = course.modules_dir.name
    c.CourseDirectory.ignore = IGNORED
    c.CourseDirectory.db_url = course.workspace.gradebook
    c.ExportPlugin.to = "gradebook.csv"  # its default, grades.csv, is written by our own grade
    c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors = [], [Grade]
    # Of formgrader's pages, whoever graded: nothing of a student's runs in the browser of a marker.
    c.HTMLExporter.preprocessors, c.SanitizeHTML.enabled = [SanitizeHTML], True
    c.GenerateFeedback.preprocessors = [steps.GetGrades, Hide, CSSHTMLHeaderPreprocessor]
    return c


class Grade(steps.NbGraderPreprocessor):
    """Has one submission graded as `grade` does; gives nbgrader the notebook that came of it."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        (course,), ids = HERE, resources["nbgrader"]
        (module,) = course.modules([ids["assignment"]])
        workspace, student = course.workspace, ids["student"]
        submission = Submission(student, module, workspace.submitted / student / module.name)
        results, _ = Grading(course, workspace, force=True).run([submission])
        row = results.rows[student, module.name]
        if row.status != "graded":
            raise CourseError(f"{student}, {module.name}: {row.note}")
        if row.note:
            self.log.warning(row.note)
        path = workspace.graded(submission) / module.notebook.name
        return nbformat.read(path, as_version=4), resources


class Hide(steps.NbGraderPreprocessor):
    """Shows in nbgrader's own feedback no hidden test, and no output of code that met one."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        nb.cells = [cell for cell in nb.cells if not cell.metadata.get(FOR_GRADERS)]
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, _: int) -> tuple[Any, dict]:
        if notebook.is_code(cell):
            graded, cell.outputs = cell.outputs, cell.metadata.get("shown", [])
            if notebook.is_test(cell):
                known = feedback.topic_of({**cell, "outputs": graded})
                cell.source = notebook.public(cell.source)
                if execution.fails(graded) and not execution.fails(cell.outputs):
                    said = f"This test failed{f' (hidden: {known})' if known else ''}."
                    error = {"ename": "AssertionError", "evalue": said, "traceback": [said]}
                    cell.outputs = [nbformat.v4.new_output("error", **error)]
        return cell, resources
