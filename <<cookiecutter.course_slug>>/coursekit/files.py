"""Files that are there as a whole or not at all, however this process ends."""

import shutil
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text in place of the one before, which stays until all of the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def copy(source: Path, path: Path) -> None:
    """Copy a file in place of the one before, in the same way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(path)
