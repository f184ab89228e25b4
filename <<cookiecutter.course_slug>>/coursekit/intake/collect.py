"""What a student handed in: the file that is meant, found and read once. Nothing changes on disk.

Only the file's bytes and the time it was handed in go further: a submitted numpy.py reaches no
path. Whatever stands in a submission's folder ends as bytes or as a refusal, never as an error.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from coursekit.course import Course, Module, Submission, Workspace
from coursekit.errors import CourseError, Ungradable

KINDS = ".ipynb", ".py", ".zip"  # of files that may hold a notebook
STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
TIMESTAMP = "timestamp.txt"  # nbgrader's name; plain text, when the work was handed in
ABOUT = TIMESTAMP, "submission_secret.txt"  # by which nbgrader's exchange gives feedback back
OUTPUTS = 10  # a file may be so many times larger than its limit: outputs do not count
DEEPER = 2  # folders below the one where the notebook belongs
BROWSERS = re.compile(r"(?<=\.ipynb)\.(txt|json|download)$", re.I)
# What file managers and Jupyter add to copies. Possessive (++): a name like copy_1copy_1…x can be
# split in 2^n ways, and without it all of them would be tried.
COPY = re.compile(r"(?:[ _-]*(?:copy(?:[ _-]?\d+)?|\(\d+\)|[_-]\d{1,2}))++$")


@dataclass(frozen=True)
class HandedIn:
    """One submission as it was found: bytes to be parsed, or why there are none."""

    name: str  # the file's, in a form that can be printed
    data: bytes
    notes: tuple[str, ...] = ()  # copies beside it, which the student may have meant
    about: Mapping[str, bytes] = field(default_factory=dict)  # what of ABOUT lies there
    refusal: str = ""

    def contents(self) -> tuple[bytes, ...]:
        """Return all of it that decides about the grade, to be hashed."""
        about = repr((self.name, self.notes, TIMESTAMP in self.about, self.refusal))
        return about.encode(), self.data, self.about.get(TIMESTAMP, b"")


def find(
    course: Course, workspace: Workspace, modules: list[Module], students: list[str]
) -> list[Submission]:
    """Return the submissions of these modules, by all students or those named."""
    submitted = workspace.submitted
    folders = sorted(filter(is_dir, submitted.glob("[!.]*")))
    unknown = sorted(set(students) - {folder.name for folder in folders})
    if unknown:
        raise CourseError(f"{submitted} has no folder for: {', '.join(unknown)}.")
    found = [
        Submission(folder.name, module, folder / module.name)
        for folder in folders
        if not students or folder.name in students
        for module in modules
        if is_dir(folder / module.name)
    ]
    if not found:
        first = modules[0]
        place = submitted.relative_to(course.root) / "STUDENT_ID" / first.name / first.notebook.name
        raise CourseError(
            f"No submissions of {', '.join(module.name for module in modules)} in {submitted}.\n"
            f"Take in what your LMS gives to download: nox -s collect -- FILE; or put each\n"
            f"student's notebook at {place.as_posix()}, and run this again;\n"
            f"or see a made-up term graded: nox -s grade -- --demo"
        )
    return found


def is_dir(path: Path) -> bool:
    """Tell whether this is a folder, or may be one that nobody lets us look at."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:  # which Path.is_dir keeps to itself from Python 3.14 on
        return isinstance(error, PermissionError)


def strays(course: Course, workspace: Workspace) -> list[str]:
    """Return what lies in submitted/ where no submission belongs, and would be overlooked."""
    submitted, names = workspace.submitted, {module.name for module in course.modules()}
    top = [p for p in submitted.glob("[!.]*") if not is_dir(p) or not any(p.glob("[!.]*"))]
    inner = [p for p in submitted.glob("[!.]*/[!.]*") if not is_dir(p) or p.name not in names]
    return [printable(p.relative_to(course.root).as_posix(), 200) for p in sorted(top + inner)]


# ---- One submission


def read(submission: Submission, limit_bytes: float) -> HandedIn:
    """Find and read a submission. `limit_bytes` is for its notebook without outputs.

    An OSError if this machine cannot.
    """
    folder, wanted, about = submission.folder, submission.module.notebook.name, {}
    try:
        for path in (folder.parent, folder):
            if path.is_symlink():
                raise Ungradable(f"{printable(path.name)} is a link, not a folder")
        about = {p.name: read_about(p) for p in map(folder.joinpath, ABOUT) if os.path.lexists(p)}
        if not (found := choose(files_below(folder), wanted)):
            seen = sorted(os.scandir(folder), key=lambda entry: entry.name)
            names = [printable(e.name) + "/" * e.is_dir() for e in seen if is_visible(e.name)]
            holds = f"holds {', '.join(names[:3])}" if names else "is empty"
            raise Ungradable(f"{wanted} is missing; the folder {holds}")
        path, *copies = found
        name = printable(path.relative_to(folder).as_posix())
        notes = [f"{printable(c.name)} lies beside it and was not looked at" for c in copies]
        return HandedIn(name, read_file(path, limit_bytes), tuple(notes), about)
    except Ungradable as error:
        refusal = str(error)
    except OSError:  # this machine's: who handed it in loses nothing by it
        raise
    except Exception as error:
        refusal = f"{wanted} cannot be read ({type(error).__name__})"
    return HandedIn(wanted, b"", (), about, refusal)


def read_about(path: Path) -> bytes:
    """Return what stands in a timestamp or secret; nothing if it cannot be read."""
    try:
        return read_file(path, 1_000)
    except (Ungradable, OSError):
        return b""


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder and in those below; links are no folders.

    Hidden ones, and what macOS adds to archives, are left out.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        deeper = len(Path(place).parts) - len(folder.parts) < DEEPER
        folders[:] = sorted(filter(is_visible, folders)) if deeper else []
        found += [Path(place, name) for name in sorted(names) if is_visible(name)]
    return found


def is_visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def choose(paths: Iterable[PurePath], wanted: str) -> list[Any]:
    """Return the file that must be meant, and its copies beside it; nothing if there is none.

    A notebook goes before a script or an archive, then what lies higher, then what is named so.
    """

    def rank(path: PurePath) -> tuple[int, int, bool, bool]:
        kind = suffix(path)
        exact = path.name == PurePath(wanted).with_suffix(kind).name
        return KINDS.index(kind), len(path.parts), not exact, plain(path.name) != plain(wanted)

    known = sorted((path for path in paths if suffix(path) in KINDS), key=rank)
    best = [path for path in known if rank(path) == rank(known[0])]
    if len(best) > 1:
        names = ", ".join(printable(path.name) for path in best[:4])
        raise Ungradable(f"which of these is {wanted}? {names}; hand in one")
    alike = [(path.parent, suffix(path), plain(path.name)) for path in known]
    return [path for path, like in zip(known, alike, strict=True) if like == alike[0]]


def suffix(path: PurePath) -> str:
    """Return a file's suffix in lower case, without what browsers add to it."""
    return PurePath(BROWSERS.sub("", path.name)).suffix.lower()


def plain(name: str) -> str:
    """Return a file's name without case, suffix and what browsers and Jupyter add to copies."""
    stem = PurePath(BROWSERS.sub("", name)).stem[-200:]  # COPY takes the square of its length
    return COPY.sub("", stem.casefold().removeprefix("copy of "))


def read_file(path: Path, limit: float) -> bytes:
    """Return the bytes of a regular file: no link is followed, no pipe or device waited for."""
    name, kind = printable(path.name), path.lstat().st_mode
    if not stat.S_ISREG(kind):
        what = "a link, not a notebook" if stat.S_ISLNK(kind) else "no regular file"
        raise Ungradable(f"{name} is {what}")
    careful = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")  # not all on each system
    flags = sum(getattr(os, flag, 0) for flag in careful)
    with os.fdopen(os.open(path, os.O_RDONLY | flags), "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size > OUTPUTS * limit:
            raise Ungradable(f"{name} has {size / 1e6:.0f} MB; {too_large(limit)}")
        return file.read()


def too_large(limit: float) -> str:
    """Return the end of a sentence about what is too large, by its limit in bytes."""
    sizes = f"{limit / 1e6:.3g} MB, or {OUTPUTS * limit / 1e6:.3g} MB with outputs"
    return f"the limit is {sizes}: clear its outputs and hand it in again"


def printable(name: str, length: int = 80) -> str:
    """Return a file's name as it can stand anywhere: in a terminal, a page and a spreadsheet."""
    text = "".join(c if c.isprintable() else "?" for c in name)
    text = text if len(text) <= length else f"{text[:20]}…{text[21 - length :]}"
    return f"./{text}" if text.startswith(("=", "+", "-", "@")) else text
