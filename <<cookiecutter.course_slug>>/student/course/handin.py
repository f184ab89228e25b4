"""Gives an exercise its stub back, and packs what is handed in."""

import datetime as dt
import hashlib
import json
import re
import sys
from contextlib import suppress
from pathlib import Path

from . import files
from .check import Checked
from .kit import Module, Problem, grade_id, read

STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")  # it names a folder


def reset(module: Module, number: str) -> list[str]:
    """Put the stub of an exercise back; return what to know. What stood there is kept."""
    parts = {part.number: part for part in module.parts("Exercise")}
    if number not in parts:
        raise Problem(f"{module.name} has no Exercise {number}, only: {', '.join(parts)}.")
    notebook, said, order = read(module.notebook), [], list(module.by_name)
    for name in parts[number].theirs:
        cells = [cell for cell in notebook["cells"] if grade_id(cell) == name]
        if not cells:  # its place is below the last of those that come before it
            above = [n for n, cell in enumerate(notebook["cells"], 1)
                     if grade_id(cell) in order[: order.index(name)]]  # fmt: skip
            notebook["cells"].insert(max(above, default=0), module.by_name[name])
        for cell in cells:
            kept = module.kit.backup(f"{module.name}-ex{number}.py")
            files.write_text(kept, cell["source"])
            said.append(f"What stood there is kept in {kept.relative_to(module.kit.root)}.")
            cell |= {key: of for key, of in module.by_name[name].items() if key != "id"}
    cells = [c | {"source": c["source"].splitlines(keepends=True)} for c in notebook["cells"]]
    text = json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False) + "\n"
    files.write_text(module.notebook, text)
    return [f"{parts[number].title}: is a stub again. Load the notebook anew.", *said]


def ask(given: str | None, what: str) -> str:
    """Return what was given, or what a person types; Problem if there is nobody to ask."""
    if given is not None:
        return given.strip()
    with suppress(EOFError):  # Ctrl-D, or Windows' NUL, which says that it is a terminal
        if sys.stdin.isatty():
            return input(f"Your {what}: ").strip()
    raise Problem(f"Say your {what}: course submit MODULE --id ID --name NAME")


def pack(checked: Checked, student: str, name: str) -> Path:
    """Write the one file to hand in; one of before is kept in backups/."""
    module = checked.module
    data = module.notebook.read_bytes()
    described = {
        "id": student,
        "name": name,
        "module": module.name,
        "time": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(data).hexdigest(),
        "points": checked.points(),
    }
    target = module.kit.root / "hand-in" / f"{student}_{module.name}.zip"
    if target.exists():
        files.write_bytes(module.kit.backup(target.name), target.read_bytes())
    about = json.dumps(described, indent=1, ensure_ascii=False).encode()
    return files.write_zip(target, {module.notebook.name: data, "submission.json": about})
