"""Files that are there as a whole or not at all, however this process ends.

Students have this file, too, for their own command `course`.
"""

import csv
import io
import os
import shutil
import time
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
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


def write_zip(path: Path, held: Mapping[str, bytes]) -> Path:
    """Write files by their names as a zip, of today unless SOURCE_DATE_EPOCH says another day.

    Return it. One that holds the same files stays as it is: same content, same bytes.
    """
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        if {name: archive.read(name) for name in archive.namelist()} == held:
            return path
    when, made = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))), io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            info = zipfile.ZipInfo(name, when[:6])
            info.external_attr = 0o644 * 65536  # the upper 16 bits are the Unix mode
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    write_bytes(path, made.getvalue())
    return path


def link(original: Path, path: Path) -> None:
    """Let a file stand at another path, too: as a copy where file systems differ or cannot."""
    path.unlink(missing_ok=True)
    try:
        os.link(original, path)
    except OSError:
        shutil.copyfile(original, path)
