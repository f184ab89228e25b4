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
                    cell.outputs = [NOT_DONE if notebook.not_done(graded) else HIDDEN_FAILURE]
        return cell, resources


NOT_DONE = nbformat.v4.new_output(
    "error",
    ename="NotImplementedError",
    evalue="",
    traceback=["NotImplementedError: this needs a solution that is not written yet."],
)
HIDDEN_FAILURE = nbformat.v4.new_output(
    "error",
    ename="AssertionError",
    evalue="a hidden test failed, or time ran out",
    traceback=["A hidden test failed, or time ran out."],
)
