"""Our own steps in nbgrader's chains of preprocessors."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from coursekit import notebook, restore


class PutRight(NbGraderPreprocessor):
    """Puts a student's cells right by the module's own notebook, before they are overwritten."""

    source_directory = Unicode(help="The folder that holds the modules.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        folder = Path(self.source_directory) / ids["assignment"]
        source = nbformat.read(folder / f"{ids['notebook']}.ipynb", as_version=4)
        with Gradebook(ids["db_url"]) as gb:
            cells = gb.find_notebook(ids["notebook"], ids["assignment"]).source_cells
            recorded = {cell.name: cell.source for cell in cells}
        for clause in restore.put_right(nb, restore.as_built(source, recorded)):
            self.log.warning(clause)
        return nb, resources


class HideTests(NbGraderPreprocessor):
    """Shows what a run without hidden tests gave, instead of what a graded cell gave.

    Student code that has met a hidden test can put its values into any output: by printing its
    arguments, in an error's text, or cells later. A process that never met one cannot.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        if notebook.is_code(cell):
            graded, cell.outputs = cell.outputs, cell.metadata.get(notebook.SHOWN, [])
            if notebook.is_test(cell):
                cell.source = notebook.public(cell.source)
                if notebook.fails(graded) and not notebook.fails(cell.outputs):
                    cell.outputs = [why(graded)]
                elif notebook.on_stderr(cell.outputs):
                    cell.outputs = [*cell.outputs, ON_STDERR]
        return cell, resources


def why(outputs: list[NotebookNode]) -> NotebookNode:
    """Return what a student is told of a test that failed, and not by what it shows."""
    if notebook.not_done(outputs):
        return NOT_DONE
    if notebook.on_stderr(outputs):
        return ON_STDERR
    return TIME_RAN_OUT if notebook.out_of_time(outputs) else HIDDEN_FAILURE


NOT_DONE = nbformat.v4.new_output(
    "error",
    ename="NotImplementedError",
    evalue="",
    traceback=["NotImplementedError: this needs a solution that is not written yet."],
)
HIDDEN_FAILURE = nbformat.v4.new_output(
    "error",
    ename="AssertionError",
    evalue="this test failed; if it passes for you, a hidden test failed",
    traceback=[
        "This test failed. Run it in your notebook: if it passes there, a hidden test failed."
    ],
)
ON_STDERR = nbformat.v4.new_output(
    "error",
    ename="AssertionError",
    evalue="something was written to stderr",
    traceback=[
        "Something was written to stderr while this test ran: a warning, a log message, print(…,"
        " file=sys.stderr). A test that passes writes nothing there."
    ],
)
TIME_RAN_OUT = nbformat.v4.new_output(
    "error",
    ename="CellTimeoutError",
    evalue="time ran out",
    traceback=[
        "Time ran out, or the process ended, in this test or in a cell before it."
        " Look for a loop or a recursion that does not end, or for exit()."
    ],
)
