"""A module's cells in the gradebook, also when some came or went after students handed in.

nbgrader's SaveCells refuses that with a RuntimeError. Here the gradebook follows, by nbgrader's own
API, and no mark is lost.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_locked, is_solution

from coursekit import files, notebook
from coursekit.course import Module, Workspace
from coursekit.gradebook import Gradebook, NotBuilt
from coursekit.nbgrader_config import api  # which makes a gradebook without running alembic

BY_HAND = "manual_score", "extra_credit", "manual_comment"
COLUMNS = "student", "name", "auto_score", "auto_comment", *BY_HAND


def record(
    workspace: Workspace, course_id: str, module: Module, nb: NotebookNode, due: dt.datetime
) -> list[str]:
    """Tell the gradebook a module's cells, their points, and when it is due: all of it or nothing.

    All scores and comments of a cell that goes, or is of another kind now, are first written to a
    CSV file in backups/. Return a line for each cell that changed although students have handed in.
    """
    stem, name = module.notebook.stem, module.name
    known_to_nbgrader = (c for c in nb.cells if is_grade(c) or is_solution(c) or is_locked(c))
    cells = {notebook.grade_id(cell): cell for cell in known_to_nbgrader}
    kinds = {(id, api.SourceCell, "") for id in cells}
    kinds |= {(id, api.GradeCell, c.cell_type) for id, c in cells.items() if is_grade(c)}
    kinds |= {(id, api.SolutionCell, "") for id, c in cells.items() if is_solution(c)}
    with suppress(NotBuilt), Gradebook(workspace.gradebook):
        pass  # if it cannot be used, this says so in a line, and nbgrader by a traceback
    with api.Gradebook(workspace.gradebook, course_id) as book:
        commit, book.db.commit = book.db.commit, book.db.flush  # its API commits at each step
        book.update_or_create_assignment(name, duedate=due)
        kernel = json.dumps(nb.metadata.kernelspec)
        known = book.update_or_create_notebook(stem, name, kernelspec=kernel)
        there = (*known.source_cells, *known.grade_cells, *known.solution_cells)
        before, submissions = {kind_of(cell): cell for cell in there}, list(known.submissions)
        gone = [cell for kind, cell in before.items() if kind not in kinds]
        rows = [row for cell in gone for row in rows_of(cell)]
        kept = keep(rows, workspace.root / "backups", name)
        for row in (*rows, *gone):
            book.db.delete(row)
        book.db.flush()
        for id, cell in cells.items():
            write(book, (id, stem, name), cell)
        book.db.expire_all()
        new = [c for c in (*known.grade_cells, *known.solution_cells) if kind_of(c) not in before]
        for cell, submission in product(new, submissions):
            row = api.Grade if isinstance(cell, api.GradeCell) else api.Comment
            book.db.add(row(cell=cell, notebook=submission))
        commit()
    lines = []
    for id in sorted({id for id, _, _ in before.keys() ^ kinds} if submissions else ()):
        was, stays = ((id, api.SourceCell, "") in of for of in (before, kinds))
        happened = "is a cell of another kind now" if was else "was added"
        lines.append(f"{name}: {id} {happened if stays else 'was removed'}{kept.get(id, '')}")
    return lines


def write(book: api.Gradebook, of_it: tuple[str, str, str], cell: NotebookNode) -> None:
    """Write one cell; `of_it` are its name, its notebook's and its assignment's."""
    about, kind = notebook.meta(cell), {"cell_type": cell.cell_type}
    if is_grade(cell):
        book.update_or_create_grade_cell(*of_it, max_score=float(about["points"]), **kind)
    if is_solution(cell):
        book.update_or_create_solution_cell(*of_it)
    text = {"source": cell.source, "checksum": about.get("checksum"), "locked": is_locked(cell)}
    book.update_or_create_source_cell(*of_it, **kind, **text)


def kind_of(cell: Any) -> tuple[str, type, str]:
    """Return what a row of nbgrader's is: marks for another kind would mean nothing."""
    return cell.name, type(cell), cell.cell_type if isinstance(cell, api.GradeCell) else ""


def rows_of(cell: Any) -> list[Any]:
    """Return all that submissions have of a cell."""
    return [] if isinstance(cell, api.SourceCell) else [*cell.grades, *cell.comments]


def keep(rows: Sequence[Any], folder: Path, module: str) -> dict[str, str]:
    """Write grades and comments to a CSV file; return what to say of it, by the cells' names."""
    path = folder / f"{module}-{dt.datetime.now():%Y-%m-%d-%H%M%S-%f}.csv"
    table = [
        {"student": r.student.id} | {c: getattr(r, c, None) for c in COLUMNS[1:]} for r in rows
    ]
    if rows:
        files.write_csv(path, [COLUMNS, *map(dict.values, table)])
    by_hand = Counter(row["name"] for row in table if {row[key] for key in BY_HAND} != {None})
    where = f"its scores are kept in {path.parent.name}/{path.name}"
    return {
        row.name: f"; {where} (marks and comments by hand: {by_hand[row.name]})" for row in rows
    }
