"""Edits made in JupyterLab come back into a module's .py; all other cells keep their bytes."""

import difflib
import re
import sys
from collections.abc import Iterator

import jupytext
import nbformat
from nbformat import NotebookNode

from coursekit import files, notebook
from coursekit.authoring import sync
from coursekit.course import Course, Module
from coursekit.errors import CourseError


def take_over(course: Course, module: Module, *, yes: bool) -> Iterator[str]:
    """Yield what a person changed in a notebook, as a diff; write it into the .py, if they agree.

    CourseError, and nothing is written, if the .py has changed, too.
    """
    book, source = (str(p.relative_to(course.root)) for p in (module.notebook, module.source))
    try:
        old, new = notebook.read(module.source), nbformat.read(module.notebook, as_version=4)
    except (OSError, ValueError) as error:  # nbformat's own are ValueErrors
        raise CourseError(f"{book} cannot be read ({error}): `nox -s sync` writes it.") from None
    sealed = "".join(sync.SEAL.findall(str(new.metadata.get("coursekit"))))
    was, now = (sync.digest(sync.cells_content(nb)) for nb in (old, new))
    if now in (sealed, was):
        yield f"Nobody edited {book}: there is nothing to take over."
        return
    if was != sealed:
        both = f"{book} was edited, and {source}, too, since sync wrote the notebook"
        raise CourseError(f"{both}: move your edits by hand, then run `nox -s sync -- --force`.")
    text = merged(module, old, new)
    yield from difflib.unified_diff(*map(shown, (old, new)), source, book, lineterm="", n=2)
    if not (yes or sys.stdin.isatty() and input("Take this over? [y/N] ").strip() in {"y", "Y"}):
        raise CourseError("Nothing is changed yet; with --yes it is.")
    kept = sync.back_up(course, [module.source, module.notebook])
    before = module.source.read_bytes()
    files.write_text(module.source, text)
    try:
        made = sync.generated(course, [module])
        if any(file.state == "edited" and file.path != module.notebook for file in made):
            raise CourseError("\n".join(sync.check(course, [module])))
    except CourseError:
        files.write_bytes(module.source, before)
        raise
    for file in made:
        files.write_text(file.path, file.text)
    yield f"As they were, both are in {kept}."


def pieces_of(module: Module) -> list[str]:
    """Return the text of a .py in pieces: what stands above its cells, and each of these.

    CourseError if they are not the cells that jupytext reads: in a text, too, it looks for cells.
    """
    text = module.source.read_text(encoding="utf-8-sig")
    pieces = re.split(r"^(?= *#[ \t]*%%)", text, flags=re.M)
    if len(pieces) != len(notebook.read(module.source).cells) + 1:
        raise CourseError(f"{module.source}: begin each cell, and nothing else, with `# %%`.")
    return pieces


def shown(nb: NotebookNode) -> list[str]:
    """Return the lines of a notebook, with one above each cell that names it."""
    heads = [f"# %% {notebook.grade_id(c)} {notebook.points([c]) or ''}".strip() for c in nb.cells]
    return "\n".join(f"{h}\n{c.source}" for h, c in zip(heads, nb.cells, strict=True)).split("\n")


def marks(cell: NotebookNode) -> dict[str, object]:
    """Return the metadata that counts: JupyterLab adds its own."""
    return {key: cell.metadata[key] for key in ("nbgrader", "tags") if cell.metadata.get(key)}


def merged(module: Module, old: NotebookNode, new: NotebookNode) -> str:
    """Return the text of the .py with the notebook's cells, each with the blank lines it had."""
    text, *pieces = pieces_of(module)
    known = {c.id: (c, piece) for c, piece in zip(old.cells, pieces, strict=True)}
    if not all(cell.get("id") for cell in new.cells):  # of a tool that knows none
        notebook.name_cells(new.cells)
    one = nbformat.v4.new_notebook(metadata={"jupytext": {"cell_metadata_json": True}})
    for cell in new.cells:
        before, piece = known.get(cell.id, (None, "\n\n"))
        cell.source = cell.source.rstrip("\n")
        same = before and (marks(cell), cell.cell_type) == (marks(before), before.cell_type)
        if not same or cell.source != before.source:
            quotes = {} if notebook.is_code(cell) else {"cell_marker": '"""'}
            one.cells = [nbformat.from_dict({**cell, "metadata": marks(cell) | quotes})]
            made = jupytext.writes(one, fmt="py:percent").rstrip("\n").partition("\n# %%")[2]
            first, _, body = re.sub(r"^ (?={)", " [code] ", made).partition("\n")
            first = piece.partition("\n")[0] if same else f"# %%{first}"  # its keys in their order
            piece = f"{first}\n{body}" + piece[len(piece.rstrip("\n")) :]
        text += piece
    text = text.rstrip("\n") + "\n"
    again = [*jupytext.reads(text, fmt="py:percent").cells, *new.cells]
    for cell, read in zip(new.cells, again, strict=False):
        if cell.get("attachments") or cell.source != read.source:  # a picture, three quotes
            name = notebook.grade_id(cell) or repr(cell.source[:40])
            what = f'the .py cannot hold a picture or """ in a text, as in cell {name}'
            raise CourseError(f"{module.notebook}: {what}: put the picture in a file beside it.")
    return text
