"""Cells that came or went after students handed in: the gradebook follows, and no mark is lost.

nbgrader's SaveCells refuses that with a RuntimeError. After this it finds the cells it expects, and
has only to update them.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, delete, insert

from coursekit import files
from coursekit import gradebook as gb
from coursekit.gradebook import Gradebook, NotBuilt
from coursekit.grades import Cell, SubmissionGrades

# By grade_id: is it graded, a solution, locked; its cell_type, "code" or "markdown"; its points.
Wanted = Mapping[str, tuple[bool, bool, bool, str, float]]
BY_HAND = "manual_score", "extra_credit", "manual_comment"
COLUMNS = "student", "name", "auto_score", "auto_comment", *BY_HAND


def align_cells(url: str, module: str, notebook: str, wanted: Wanted, backup: Path) -> list[str]:
    """Make the cells of a notebook in the gradebook those of its new version.

    Call it before nbgrader records a module. All scores and comments of a cell that goes, or is of
    another kind now, are first written to a CSV file in the folder `backup`. Return a line for each
    cell that changed.
    """
    wanted = {name: of for name, of in wanted.items() if any(of[:3])}
    try:
        opened = Gradebook(url)
        record = opened.module(module)
    except NotBuilt:
        return []
    with opened:
        with opened.engine.begin() as connection:
            known = opened.read(record, connection)
            if not known or record.notebook != notebook:
                return []  # nobody's work depends on these cells: nbgrader makes them anew
            before = gb.ids(connection, gb.sources.c.name, notebook_id=record.notebook_id)
            have = {(cell.name, cell.type, cell.cell_type): cell for cell in record.cells}
            want = {(n, "GradeCell", of[3]) for n, of in wanted.items() if of[0]}
            want |= {(n, "SolutionCell", None) for n, of in wanted.items() if of[1]}
            gone = [cell for key, cell in have.items() if key not in want]
            came = [
                Cell(token_hex(16), *key, wanted[key[0]][4])
                for key in sorted(want - have.keys(), key=str)
            ]
            path = backup / f"{module}-{dt.datetime.now():%Y-%m-%d-%H%M%S-%f}.csv"
            kept = keep(list(known.values()), gone, path)
            remove(connection, gone, [id for name, id in before.items() if name not in wanted])
            new = {name: wanted[name] for name in sorted(wanted.keys() - before.keys())}
            add(connection, record.notebook_id, came, new)
        record = opened.module(module)
        opened.save(record, list(opened.read(record).values()))  # adds grades for the new cells
    changed = {cell.name for cell in gone} | {cell.name for cell in came}
    lines = []
    for name in sorted(changed | (before.keys() ^ wanted.keys())):
        happened = "is a cell of another kind now" if name in before else "was added"
        happened = happened if name in wanted else "was removed"
        lines.append(f"{module}: {name} {happened}{kept.get(name, '')}")
    return lines


def keep(submissions: Sequence[SubmissionGrades], gone: list[Cell], path: Path) -> dict[str, str]:
    """Write all that these cells have to a CSV file; return what to say of it, by name."""
    rows = []
    for cell in gone:
        for s in submissions:
            of = s.grades if cell.type == "GradeCell" else s.comments
            rows.append({"student": s.student, **vars(of[cell.name])})
    if rows:
        files.write_csv(path, [COLUMNS, *([row.get(c) for c in COLUMNS] for row in rows)])
    by_hand = Counter(row["name"] for row in rows if {row.get(key) for key in BY_HAND} != {None})
    where = f"its scores are kept in {path.parent.name}/{path.name}"
    return {c.name: f"; {where} (marks and comments by hand: {by_hand[c.name]})" for c in gone}


def remove(connection: Connection, gone: Sequence[Cell], provided: Sequence[str]) -> None:
    """Delete cells with all that depends on them, and rows of `source_cell` by their ids."""
    dropped = [cell.id for cell in gone]
    of_grades, of_comments = gb.grades.c.cell_id, gb.comments.c.cell_id
    for column in (of_grades, of_comments, gb.graded.c.id, gb.solved.c.id, gb.cells.c.id):
        connection.execute(delete(column.table).where(column.in_(dropped)))
    connection.execute(delete(gb.sources).where(gb.sources.c.id.in_(provided)))


def add(connection: Connection, notebook_id: str, came: Sequence[Cell], provided: Wanted) -> None:
    """Insert cells, and rows of `source_cell`."""
    of_it = {"notebook_id": notebook_id}
    for new in came:
        row = {"id": new.id, "name": new.name, "type": new.type, **of_it}
        connection.execute(insert(gb.cells).values(row))
        if new.type == "GradeCell":
            row = {"id": new.id, "cell_type": new.cell_type, "max_score": new.max_score}
            connection.execute(insert(gb.graded).values(row))
        else:
            connection.execute(insert(gb.solved).values(id=new.id))
    for name, (_, _, locked, cell_type, _) in provided.items():
        row = {"id": token_hex(16), "name": name, "locked": locked, "cell_type": cell_type, **of_it}
        connection.execute(insert(gb.sources).values(row))
