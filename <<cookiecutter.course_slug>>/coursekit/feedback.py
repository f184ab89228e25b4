"""The pages that tell students what was graded and how: nbgrader's, from a template made once.

No hidden test may show on them, nor a value of one. So their outputs are those of a run without
hidden tests (see HideTests).
"""

import html
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import InvalidNotebook
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import GetGrades
from traitlets.config import Config

from coursekit.files import write_text
from coursekit.ledger import Entry
from coursekit.preprocessors import HideTests
from coursekit.steps import each_cell

# What nbconvert's templates ask for before they show a part of a cell.
PARTS = (
    *("code", "markdown", "raw", "unknown", "input", "input_prompt"),
    *("output", "output_stdin", "output_prompt"),
)
EVERYTHING = {f"include_{part}": True for part in PARTS}

# nbgrader's page, below a list of what had to be put right before anything ran. What a cell looks
# like is remembered, since most cells are everyone's.
PAGE = """
{%- extends original -%}
{%- block body_loop -%}
{%- if repaired -%}
<div class="panel panel-warning">
  <div class="panel-heading">Noted before grading</div>
  <div class="panel-body">
    <ul>{% for clause in repaired %}<li>{{ clause | escape }}</li>{% endfor %}</ul>
  </div>
</div>
{%- endif -%}
{%- for cell in nb.cells -%}
{%- set known = seen(cell) -%}
{%- if known -%}
{{ known }}
{%- else -%}
{%- block any_cell scoped -%}{{ keep(cell, super()) }}{%- endblock -%}
{%- endif -%}
{%- endfor -%}
{%- endblock -%}
"""
TEST_CELL = re.compile(r'(<a href="#([^"]+)">)Test cell(?=</a>)')  # nbgrader's list has no names
REMEMBERED = 1024  # cells: the common ones come with the first students


class Pages(HTMLExporter):
    """nbconvert's exporter, which remembers the cells that it has seen: most are everyone's."""

    def __init__(self, c: Config) -> None:
        converter = GenerateFeedback(coursedir=CourseDirectory(config=c), config=c)
        super().__init__(config=converter.config)
        self.get_grades, self.hide_tests = GetGrades(config=c), HideTests(config=c)
        self.resources: dict[str, Any] = self._init_resources({"metadata": {}})
        css = CSSHTMLHeaderPreprocessor(style="default", config=converter.config)
        css.preprocess(NotebookNode(cells=[]), self.resources)
        self.register_filter("highlight_code", self.highlighter())
        self.register_filter("markdown2html", self.renderer())
        self.page = self.environment.from_string(PAGE)
        self.cells: dict[str, str] = {}

    def seen(self, cell: NotebookNode) -> str:
        """Return what a cell looks like that was there before; "" if none was like it."""
        return self.cells.get(json.dumps(cell), "")

    def keep(self, cell: NotebookNode, text: str) -> str:
        if len(self.cells) < REMEMBERED:
            self.cells[json.dumps(cell)] = text
        return text

    def highlighter(self) -> Any:
        """Return a filter that colours the code everyone has; to colour all takes long."""
        highlight = lru_cache(4096)(Highlight2HTML(parent=self))

        def filtered(source: str, metadata: NotebookNode) -> str:
            if metadata.get("nbgrader", {}).get("locked"):
                return highlight(source)
            return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'

        return filtered

    def renderer(self) -> Any:
        """Return a filter that makes HTML of text; only pictures pasted into it are one's own."""
        render = lru_cache(4096)(lambda source: self.markdown2html({}, source))

        def filtered(context: Any, source: str) -> str:
            if "attachment:" not in source:
                return render(source)
            try:
                return self.markdown2html(context, source)
            except InvalidNotebook:  # a picture that was not handed in
                return render(source.replace("attachment:", "missing:"))

        return pass_context(filtered)

    def write(
        self, nb: NotebookNode, entry: Entry, path: Path, repaired: tuple[str, ...] = ()
    ) -> None:
        """Write the page of a graded notebook, which is changed by that."""
        each_cell(self.get_grades, nb, entry)
        self.hide_tests.preprocess(nb, {})
        scores = {
            "notebook": path.stem,
            "score": entry.score - (entry.late_penalty or 0),
            "max_score": sum(mark.max_score for mark in entry.marks.values()),
            "late_penalty": entry.late_penalty or 0,
        }
        # Not by from_notebook_node: it copies the notebook, and parses the page for its pictures.
        resources = {**self.resources, "nbgrader": scores, "global_content_filter": EVERYTHING}
        ours = {"original": self.template, "seen": self.seen, "keep": self.keep}
        page = self.page.render(nb=nb, resources=resources, repaired=repaired, **ours)
        write_text(path, TEST_CELL.sub(r"\1\2", page.lstrip()))


def write_refusal(path: Path, note: str) -> None:
    """Write a page that says why a submission could not be graded."""
    text = f"This submission could not be graded and has 0 points: {html.escape(note)}."
    write_text(
        path,
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Feedback</title><p>{text}</p>'
        "<p>Please hand in the notebook again, or ask your instructor.</p></html>\n",
    )
