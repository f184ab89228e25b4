"""nbgrader's preprocessors around the execution of notebooks, made once for all of a module.

They see an Entry or a Blank where they would open the gradebook.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    AssignLatePenalties,
    LimitOutput,
    OverwriteCells,
    SaveAutoGrades,
)

from coursekit import jobs, notebook, restore
from coursekit.course import Course, Module
from coursekit.engine import Job, Outcome
from coursekit.ledger import Blank, Entry
from coursekit.nbgrader_settings import captured_log, config


class Steps:
    """What is done to each submission of one module, before and after it runs."""

    def __init__(self, course: Course, module: Module, blank: Blank) -> None:
        self.course, self.blank = course, blank
        recorded = {name: cell.source for name, cell in blank.source.items()}
        self.source = restore.as_built(notebook.read(module.source), recorded)
        self.originals = restore.originals(self.source)
        self.data = jobs.data_of(module)
        c = config(course)
        self.overwrite = OverwriteCells(config=c)
        clean = SanitizeHTML(config=c)
        clean.sanitize_html_tags = lru_cache(4096)(clean.sanitize_html_tags)
        self.after = [LimitOutput(config=c), clean]
        self.save, self.penalty = SaveAutoGrades(config=c), AssignLatePenalties(config=c)
        self.penalty.init_plugin()

    def sanitize(self, nb: NotebookNode) -> list[str]:
        """Put a submitted notebook right; return what had to be put right."""
        with captured_log():
            repaired = restore.put_right(nb, self.originals)
            each_cell(self.overwrite, nb, self.blank)
        return repaired

    def job(self, nb: NotebookNode, *, hidden: bool = True) -> Job:
        job = jobs.job_of(self.course, nb, self.source, hidden=hidden)
        return replace(job, files=self.data)

    def suspicions(self, nb: NotebookNode, outcome: Outcome) -> tuple[str, ...]:
        """Return what a person should look at."""
        return jobs.suspicions(nb, self.source, outcome)

    def finish(self, nb: NotebookNode, outcome: Outcome, entry: Entry) -> None:
        """Write what came of a run into the notebook, and the scores into the entry."""
        jobs.fill(nb, outcome)
        with captured_log():
            for step in self.after:
                step.preprocess(nb, {})
            each_cell(self.save, nb, entry)
            self.penalize(entry)

    def penalize(self, entry: Entry) -> None:
        """Set what lateness costs, from the points the entry has now."""
        entry.late_penalty = None
        if entry.seconds_late > 0:
            late = entry.student, entry.score, entry.seconds_late
            penalty = self.penalty.plugin_inst.late_submission_penalty(*late)
            if penalty is not None:
                entry.late_penalty = self.penalty._check_late_penalty(entry, penalty)


def each_cell(step: Any, nb: NotebookNode, gradebook: Entry | Blank) -> None:
    """Run a preprocessor that looks up cells, without its opening the gradebook for itself."""
    step.gradebook = gradebook
    step.notebook_id = step.assignment_id = step.student_id = ""
    Preprocessor.preprocess(step, nb, {})
