"""Our own steps in nbgrader's chains of preprocessors."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from coursekit import notebook, restore

COLOR = re.compile(r"\x1b\[[0-9;]*m")
POINTER = re.compile(r"^-+>\s*\d+\s(.*)$")  # the line of a traceback where a frame stands
NUMBERED = re.compile(r"^(?:-+>)?\s*\d+\s(.*)$")


class PutRight(NbGraderPreprocessor):
    """Puts a student's cells right by the module's own notebook, before they are overwritten."""

    source_directory = Unicode(help="The folder that holds the modules.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        folder = Path(self.source_directory) / ids["assignment"]
        source = nbformat.read(folder / f"{ids['notebook']}.ipynb", as_version=4)
        with Gradebook(ids["db_url"]) as gb:
            built = restore.as_built(source, gb.find_notebook(ids["notebook"], ids["assignment"]))
        resources["repaired"] = restore.put_right(nb, built)
        for clause in resources["repaired"]:
            self.log.warning(clause)
        return nb, resources


class HideTests(NbGraderPreprocessor):
    """Takes the hidden tests out of a graded notebook, and out of its tracebacks."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        public, secret = notebook.split_regions(cell.source)
        if notebook.is_test(cell) and secret:
            cell.source = "\n".join(public)
            hidden = {line.strip() for line in secret} - {line.strip() for line in public}
            for output in (o for o in cell.outputs if o.output_type == "error"):
                hide(output, hidden)
        return cell, resources


def hide(error: NotebookNode, hidden: set[str]) -> None:
    """Say only that a hidden test failed, or show the traceback without the hidden lines."""
    lines = COLOR.sub("", "\n".join(error.traceback)).splitlines()
    stands_at = {match[1].strip() for match in map(POINTER.match, lines) if match}
    if stands_at & hidden:
        error.evalue = "a hidden test failed"
        error.traceback = [f"{error.ename}: {error.evalue}"]
        return
    numbered = [(line, NUMBERED.match(line)) for line in lines]
    kept = [line for line, match in numbered if not (match and match[1].strip() in hidden)]
    error.traceback = ["\n".join(kept)]
