"""What a student handed in: found, read and repaired. Nothing of it is changed on disk.

Only the notebook and the time it was handed in go further: a submitted numpy.py reaches no path.
"""

import datetime as dt
import io
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath

from dateutil import parser, tz
from nbformat import NotebookNode
from nbgrader.utils import parse_utc

from coursekit import notebook, reading
from coursekit.course import Course, Module, discover
from coursekit.errors import CourseError, Ungradable

STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
TIMESTAMP = "timestamp.txt"  # nbgrader's name; plain text, when the work was handed in
LIMIT = 20_000_000  # bytes of a file
ENTRIES = 1_000  # of a folder or an archive that are looked at
DEEPER = 2  # folders below the one where the notebook belongs
NBGRADERS = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d[\d:.]*( ?[A-Za-z+-][\w/+:-]*)?")
COPY = re.compile(r"([ _-]*(copy([ _-]?\d+)?|\(\d+\)|[_-]\d{1,2}))+$")
BROWSERS = re.compile(r"(?<=\.ipynb)\.(txt|json|download)$", re.I)
GRADE_ID = re.compile(r'"grade_id": "([^"]+)"')


@dataclass(frozen=True)
class Submission:
    """One folder submitted/STUDENT/MODULE/."""

    student: str
    module: Module
    folder: Path

    @property
    def notebook(self) -> Path:
        return self.folder / self.module.notebook.name


@dataclass(frozen=True)
class Taken:
    """A submission as it is graded; `handed_in` is in UTC without a zone, as nbgrader's dates."""

    nb: NotebookNode
    repaired: tuple[str, ...] = ()
    handed_in: dt.datetime | None = None


@dataclass(frozen=True)
class Found:
    """The file that is graded: its name, as it can be shown, its bytes, and copies beside it."""

    name: str
    data: bytes
    beside: tuple[str, ...] = ()


def find(
    course: Course, submitted: Path, modules: list[Module], students: list[str]
) -> list[Submission]:
    """Return the submissions of these modules, by all students or those named."""
    folders = sorted(p for p in submitted.glob("*") if is_dir(p) and not p.name.startswith("."))
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
        names = ", ".join(module.name for module in modules)
        raise CourseError(where_to_put_them(course, submitted, names))
    return found


def is_dir(path: Path) -> bool:
    """Tell whether this is a folder, or may be one that nobody lets us look at."""
    try:
        return path.is_dir()
    except PermissionError:
        return True


def where_to_put_them(course: Course, submitted: Path, names: str) -> str:
    module = course.modules()[0]
    place = submitted.relative_to(course.root) / "STUDENT_ID" / module.name / module.notebook.name
    return (
        f"No submissions of {names} in {submitted}.\n"
        f"Put each student's notebook at {place.as_posix()} and run this again,\n"
        f"or see a made-up term graded: nox -s grade -- --demo"
    )


def strays(course: Course, submitted: Path) -> list[str]:
    """Return what lies in submitted/ where no submission belongs, and would be overlooked."""
    names = {module.name for module in course.modules()}
    top = [p for p in submitted.glob("[!.]*") if not is_dir(p) or not any(p.glob("[!.]*"))]
    inner = [p for p in submitted.glob("[!.]*/[!.]*") if not is_dir(p) or p.name not in names]
    return [shown(p.relative_to(course.root), 200) for p in sorted(top + inner)]


def take(submission: Submission) -> Taken:
    """Return the notebook of a submission, its repairs and its date; Ungradable if there is none.

    Whatever is wrong with a file, its student gets a row: no other kind of error leaves.
    """
    try:
        return taken(submission, pick(submission))
    except Ungradable:
        raise
    except Exception as error:
        name = submission.notebook.name
        raise Ungradable(f"{name} cannot be read ({type(error).__name__})") from error


def taken(submission: Submission, found: Found) -> Taken:
    try:
        nb, repaired = reading.read(found.name, found.data)
    except Ungradable as error:  # a second notebook beside this one may explain it
        raise Ungradable("; ".join([str(error), *found.beside])) from None
    refuse_another(submission.module, found.name, nb)
    wanted = submission.notebook.name
    renamed = [f"{found.name} was taken for {wanted}"] if found.name != wanted else []
    handed_in, about_date = date(submission)
    return Taken(nb, (*renamed, *found.beside, *repaired, *about_date), handed_in)


def contents(submission: Submission) -> list[bytes]:
    """Return the bytes that are graded: the file, its name, and when it was handed in."""
    try:
        found = pick(submission)
    except Ungradable as error:
        return [str(error).encode()]
    return [repr((found.name, found.beside)).encode(), found.data, stamp(submission)]


# ---- The file


def pick(submission: Submission) -> Found:
    """Return the file that is meant by a submission: at its place, or recognisable elsewhere."""
    refuse_links(submission)
    folder, wanted = submission.folder, submission.notebook.name
    levels = list(listing(folder))
    for kind, insist in ((".ipynb", True), (".py", False), (".zip", False)):
        stem = PurePath(wanted).with_suffix(kind).name
        for level in levels:
            if path := choose([p for p in level if suffix(p) == kind], stem, insist):
                name, data = shown(path.relative_to(folder)), read_file(path)
                found = Found(name, data, tuple(beside(path, level)))
                return unpacked(found, wanted) if kind == ".zip" else found
    raise Ungradable(f"{wanted} is missing{instead(levels[0])}")


def refuse_links(submission: Submission) -> None:
    for path in (submission.folder.parent, submission.folder):
        if path.is_symlink():
            raise Ungradable(f"{shown(path.name)} is a link, not a folder")


def listing(folder: Path) -> Iterator[list[Path]]:
    """Yield what lies in a folder, what lies one folder deeper, and so on; links are no folders."""
    folders = [folder]
    for depth in range(DEEPER + 1):
        paths = [path for inner in folders for path in entries(inner, insist=depth == 0)]
        folders = [path for path in paths if path.is_dir() and not path.is_symlink()]
        yield paths if depth == 0 else [path for path in paths if path not in folders]


def entries(folder: Path, *, insist: bool) -> list[Path]:
    """Return what lies in a folder, sorted, but hidden files and what macOS adds to archives."""
    try:
        names = [entry.name for entry in islice(os.scandir(folder), ENTRIES)]
    except OSError as error:
        if not insist:
            return []
        raise Ungradable(f"{shown(folder.name)} cannot be opened: {error.strerror}") from None
    return [folder / name for name in sorted(names) if is_visible(name)]


def is_visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def choose(paths: list[PurePath], wanted: str, insist: bool) -> PurePath | None:
    """Return the one of these files that must be meant; none if there is no such one.

    To insist is to raise Ungradable where one of several must be meant, but not which.
    """
    paths = [path for path in paths if not (isinstance(path, Path) and is_folder(path))]
    exact = [path for path in paths if path.name == wanted]
    alike = [path for path in paths if plain(path.name) == plain(wanted)]
    for chosen in (exact, alike, paths):
        if len(chosen) == 1:
            return chosen[0]
    if paths and insist:
        names = ", ".join(shown(path.name) for path in paths[:4])
        raise Ungradable(f"which of these is {wanted}? {names}; hand in one")
    return None


def is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def suffix(path: PurePath) -> str:
    """Return a file's suffix in lower case, without what browsers add to it."""
    return PurePath(BROWSERS.sub("", path.name)).suffix.lower()


def plain(name: str) -> str:
    """Return a file's name without case, suffix and what browsers and Jupyter add to copies."""
    stem = PurePath(BROWSERS.sub("", name)).stem
    return COPY.sub("", stem.casefold().removeprefix("copy of "))


def beside(chosen: Path, level: list[Path]) -> list[str]:
    """Return copies of a notebook that lie beside it: perhaps the student meant one of them."""
    if suffix(chosen) != ".ipynb":
        return []
    return [
        f"{shown(path.name)} lies beside it and was not looked at"
        for path in level
        if path != chosen
        and suffix(path) == suffix(chosen)
        and plain(path.name) == plain(chosen.name)
    ]


def read_file(path: Path, limit: int = LIMIT) -> bytes:
    """Return the bytes of a regular file: no link is followed, no pipe or device waited for."""
    name = shown(path.name)
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise Ungradable(f"{name} is a link, not a notebook")
        if not stat.S_ISREG(kind):
            raise Ungradable(f"{name} is no regular file")
        careful = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")  # not all on each system
        flags = sum(getattr(os, flag, 0) for flag in careful)
        with os.fdopen(os.open(path, os.O_RDONLY | flags), "rb") as file:
            data = file.read(limit + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise Ungradable(f"{name} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise Ungradable(f"{name} has {size / 1e6:.0f} MB; {too_large(limit)}")
    return data


def too_large(limit: int) -> str:
    return f"the limit is {limit / 1e6:.0f} MB: clear its outputs and hand it in again"


def unpacked(archive: Found, wanted: str) -> Found:
    """Return the notebook in a zip file. Nothing is extracted: no name in it becomes a path."""
    if archive.data.count(b"PK\1\2") > ENTRIES:
        raise Ungradable(f"{archive.name} has too many files; hand in the notebook itself")
    try:
        with zipfile.ZipFile(io.BytesIO(archive.data)) as file:
            paths = {PurePosixPath(info.filename): info for info in file.infolist()}
            notebooks = [p for p in paths if p.suffix.lower() == ".ipynb"]
            chosen = choose([p for p in notebooks if all(map(is_visible, p.parts))], wanted, True)
            if not chosen or paths[chosen].compress_type not in (0, zipfile.ZIP_DEFLATED):
                raise Ungradable(f"{archive.name} holds no notebook; hand in {wanted} itself")
            with file.open(paths[chosen]) as member:
                data = member.read(LIMIT + 1)
    except (zipfile.BadZipFile, RuntimeError, OSError, ValueError, EOFError) as error:
        reason = f"{archive.name} cannot be unzipped ({str(error)[:60]})"
        raise Ungradable(f"{reason}; hand in {wanted} itself") from None
    if len(data) > LIMIT:
        raise Ungradable(f"{shown(chosen)} is too large; {too_large(LIMIT)}")
    return Found(f"{archive.name}/{shown(chosen)}", data)


def instead(level: list[Path]) -> str:
    names = [shown(path.name) + "/" * is_folder(path) for path in level[:3]]
    return f"; the folder holds {', '.join(names)}" if names else "; the folder is empty"


def shown(name: str | PurePath, length: int = 80) -> str:
    """Return a file's name as it can stand anywhere: in a terminal, a page and a spreadsheet."""
    text = name.as_posix() if isinstance(name, PurePath) else name
    text = "".join(c if c.isprintable() else "?" for c in text)
    text = text if len(text) <= length else f"{text[:20]}…{text[21 - length :]}"
    return f"./{text}" if text.startswith(("=", "+", "-", "@")) else text


# ---- Whose notebook, and when


def refuse_another(module: Module, name: str, nb: NotebookNode) -> None:
    """Raise Ungradable if the named cells of a notebook are another module's."""
    ids = {notebook.grade_id(cell) for cell in nb.cells}
    if ids & ids_of(module):
        return
    for other in discover(module.path.parent):
        if ids & ids_of(other):
            raise Ungradable(f"{name} is the notebook of {other.name}, not of {module.name}")


def ids_of(module: Module) -> set[str]:
    return set(GRADE_ID.findall(module.source.read_text(encoding="utf-8")))


def stamp(submission: Submission) -> bytes:
    """Return what stands in a submission's timestamp, nothing if it cannot be read."""
    try:
        return read_file(submission.folder / TIMESTAMP, limit=1_000)
    except Ungradable:
        return b""


def date(submission: Submission) -> tuple[dt.datetime | None, list[str]]:
    """Return when work was handed in, if that is known, and what a person should know of it."""
    if not os.path.lexists(submission.folder / TIMESTAMP):
        return None, []
    text = reading.decoded(TIMESTAMP, stamp(submission), {}).strip("\0\ufeff \t\r\n")
    try:
        if NBGRADERS.fullmatch(text):
            return parse_utc(text), []
        moment = local(text)
    except Exception:  # dateutil raises whatever its parts raise
        return None, [f"{TIMESTAMP} holds no date and was not used"]
    if moment is None:
        return None, [f"{TIMESTAMP} could be read as two dates and was not used"]
    return moment, [f"{TIMESTAMP} was read as {moment:%Y-%m-%d %H:%M} UTC"]


def local(text: str) -> dt.datetime | None:
    """Return the date in a text of another form; None if its day could be its month.

    A text that leaves out the day, month or year is no date: dateutil would take today's.
    """
    orders: Iterable[bool] = (True, False)
    defaults = (dt.datetime(2001, 1, 1), dt.datetime(2002, 2, 2))
    first, *others = [
        parser.parse(text, default=default, dayfirst=order, tzinfos=lambda name, _: tz.gettz(name))
        for order in orders
        for default in defaults
    ]
    if first != others[0]:
        raise ValueError(f"incomplete: {text}")
    return parse_utc(first) if all(other == first for other in others) else None
