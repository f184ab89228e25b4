"""Files that are there as a whole or not at all, however this process ends."""

import csv
import io
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text in place of the one before, which stays until all of the new one is there."""
    write_bytes(path, text.encode("utf-8"))


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a table, its head among the rows, in the same way."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes in the same way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def link(original: Path, path: Path) -> None:
    """Let a file stand at another path, too: as a copy where file systems differ or cannot."""
    path.unlink(missing_ok=True)
    try:
        os.link(original, path)
    except OSError:
        shutil.copyfile(original, path)
