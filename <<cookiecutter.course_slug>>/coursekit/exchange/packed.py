"""What students' `course submit` writes: a zip of the notebook, and what it says of it."""

import datetime as dt
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, replace

from coursekit.exchange.downloads import PACKED, Found, unpacked


@dataclass(frozen=True)
class Packed:
    """One such file."""

    id: str  # of the student, as they say
    module: str
    file: str
    notebook: bytes
    time: dt.datetime
    changed: bool  # since it was packed


def opened(data: bytes) -> Packed | None:
    """Return what is in such a file; None if it is anything else, CourseError if it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (entry,) = [each for each in archive.infolist() if each.filename != PACKED]
            said = json.loads(unpacked(archive, archive.getinfo(PACKED)))
            notebook = unpacked(archive, entry)
        changed = hashlib.sha256(notebook).hexdigest() != said["sha256"]
        time = dt.datetime.fromisoformat(said["time"])
        about = str(said["id"]), str(said["module"]), entry.filename, notebook
        return Packed(*about, time if time.tzinfo else time.astimezone(), changed)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError):
        return None


def described(found: Found, packed: Packed) -> Found:
    """Return a file with what is known of it: who and when it was, an LMS knows better."""
    names = found.names if found.by_lms else (packed.id, *found.names)
    return replace(found, names=names, file=packed.file, time=found.time or packed.time)
