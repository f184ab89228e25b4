"""Our own steps in nbgrader's chains: `nbgrader autograde` and formgrader are the same door.

They run students' code in the sandbox, as `grade` does, or refuse in the same words. Each step does
to nbgrader's notebook what `grade_one` does to a submission, with the same code.
"""

from typing import Any

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader import preprocessors as steps
from nbgrader.converters import Autograde
from traitlets.config import Config

from coursekit import assignment as assignments
from coursekit import execution, nbgrader_config, notebook
from coursekit.assignment import Assignment
from coursekit.course import Course
from coursekit.gradebook import Gradebook
from coursekit.grading import feedback
from coursekit.grading.late import LatePolicy
from coursekit.grading.submission import FOR_GRADERS, for_graders
from coursekit.intake.rebuild import rebuild
from coursekit.sandbox import bubblewrap

HERE: list[Course] = []  # the course whose nbgrader_config.py was read: nbgrader makes the steps


def config(course: Course) -> Config:
    """Return the settings of nbgrader's commands in this course."""
    HERE[:] = [course]
    c = nbgrader_config.config(course)
    c.CourseDirectory.db_url = course.workspace.gradebook
    c.Autograde.sanitize_preprocessors = [
        steps.ClearOutput,
        steps.OverwriteKernelspec,
        Rebuild,
        steps.OverwriteCells,  # writes the checksums by which nbgrader knows an untouched answer
        steps.CheckCellMetadata,
    ]
    ours = {"Execute": ExecuteInSandbox, "AssignLatePenalties": CourseLatePenalties}
    chain = Autograde.autograde_preprocessors.default_args[0]
    c.Autograde.autograde_preprocessors = [ours.get(step.__name__, step) for step in chain]
    # Of formgrader's pages, whoever graded: nothing of a student's runs in the browser of a marker.
    c.HTMLExporter.preprocessors, c.SanitizeHTML.enabled = [SanitizeHTML], True
    c.GenerateFeedback.preprocessors = [steps.GetGrades, Hide, CSSHTMLHeaderPreprocessor]
    return c


def built(resources: dict) -> Assignment:
    (course,) = HERE
    (module,) = course.modules([resources["nbgrader"]["assignment"]])
    return assignments.load(course, module)


class Rebuild(steps.NbGraderPreprocessor):
    """Puts a student's work into the module's own notebook."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        cells, repaired = rebuild(nb.cells, built(resources))
        for clause in repaired:
            self.log.warning(clause)
        nb.cells, nb.nbformat, nb.nbformat_minor = nbformat.from_dict(cells), 4, 5
        return nb, resources


class ExecuteInSandbox(steps.NbGraderPreprocessor):
    """Runs the cells as `grade` does; refuses in its words where no sandbox can be made."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        bubblewrap.check()
        assignment = built(resources)
        with execution.engine(assignment, sandboxed=True) as warm:
            execution.run(warm, assignment, nb.cells)
        nb.cells = nbformat.from_dict([*for_graders(assignment, nb.cells)])
        return nb, resources


class CourseLatePenalties(steps.NbGraderPreprocessor):
    """Deducts what lateness costs by the course's calendar."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        (course,), ids = HERE, resources["nbgrader"]
        policy = LatePolicy(**course.late, timezone=course.timezone)
        with Gradebook(ids["db_url"]) as gradebook:
            record = gradebook.module(ids["assignment"])
            grades = gradebook.read(record)[ids["student"]]
            grades.late_penalty = policy.penalty(grades.score, grades.handed_in, grades.due)
            gradebook.save(record, [grades])
        return nb, resources


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
