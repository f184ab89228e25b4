"""What an LMS gives to download: files, and whose they are. Nothing is decided here.

Known by their form: Canvas's and Moodle's zips of submissions, Gradescope's export, folders of
cloned repositories, of files of `course submit`, and folders named by students. Each may be a zip
or a folder.
"""

import contextlib
import datetime as dt
import hashlib
import io
import json
import re
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

from coursekit.errors import CourseError
from coursekit.exchange.roster import by_number
from coursekit.intake.collect import KINDS, is_visible, printable, suffix

# Canvas: doejane_LATE_3143_207797_tensor_dev-2.ipynb, of user 3143; LATE if it was, -2 the attempt.
CANVAS = re.compile(r"(?P<name>[^_]*)_(?P<late>LATE_)?(?P<lms_id>\d+)_\d+_(?P<file>.+)", re.S)
ATTEMPT = re.compile(r"-\d+(?=\.\w+$)")
# Moodle: "Jane Doe_1234567_assignsubmission_file", a folder (before Moodle 4.1 with one more "_" at
# its end), or so and "_" before a file's name.
MOODLE = re.compile(r"(?P<name>.+?)_\d+_assignsubmission_file(_(?P<file>.*))?", re.S)
GRADESCOPE = "submission_metadata.yml"
ORIGINALS = "/originals/"
PACKED = "submission.json"  # in what `course submit` writes
MOST = 200_000_000  # bytes of one file in a zip


@dataclass(frozen=True)
class Found:
    """One file that somebody handed in."""

    where: str  # as the download calls it
    names: tuple[str, ...]  # whatever says whose it is, surest first
    file: str
    read: Callable[[], bytes]
    time: dt.datetime | None = None  # with a time zone
    late: bool = False  # the LMS says so, and not by how much
    by_lms: bool = False  # says whose it is
    packed_by: str = ""  # the id that `course submit` was given
    changed: bool = False  # since it was packed


Files = dict[str, Callable[[], bytes]]


def found_in(path: Path) -> Iterator[Found]:
    """Yield what was handed in, in a download. CourseError if it cannot be read."""
    if not path.exists():
        raise CourseError(f"{path} is not there.")
    inside = in_zip(path) if path.is_file() else in_folder(path)
    folder = path if path.is_dir() else None
    if metadata := next((name for name in inside if is_metadata(name, inside)), ""):
        yield from (replace(found, by_lms=True) for found in gradescope(inside, metadata))
        return
    if PACKED in inside and path.is_file():
        yield Found(path.name, (), path.name, path.read_bytes)
        return
    tops = {PurePosixPath(name).parts[0] for name in inside}
    for name in [*work(inside), *filter(is_misplaced, inside)]:
        yield one(name, PurePosixPath(name).parts, inside[name], folder, tops)


def is_metadata(name: str, inside: Files) -> bool:
    """Tell whether this is Gradescope's own file, beside which everything lies: not a student's."""
    path = PurePosixPath(name)
    ours = path.name == GRADESCOPE and not any(map(MOODLE.fullmatch, path.parts))
    return ours and all(other.startswith(name.removesuffix(GRADESCOPE)) for other in inside)


def is_misplaced(name: str) -> bool:
    """Tell whether an LMS says that somebody handed this in, and it is nothing of a module."""
    path = PurePosixPath(name)
    named = CANVAS.fullmatch(path.name) or any(map(MOODLE.fullmatch, path.parts))
    return bool(named) and suffix(path) not in KINDS


def work(inside: Files) -> Iterator[str]:
    """Yield the files that may be work; of a student kit only notebooks that were begun, and zips.

    A kit, a clone of one say, is a folder that holds originals/.
    """
    paths = {f"/{name}": name for name in inside if suffix(PurePosixPath(name)) in KINDS}
    kits = {path.partition(ORIGINALS)[0] for path in paths if ORIGINALS in path}
    for path, name in paths.items():
        kit = next((kit for kit in kits if path.startswith(f"{kit}/")), None)
        if kit is not None:
            original = paths.get(f"{kit}{ORIGINALS}{path.removeprefix(f'{kit}/')}")
            untouched = False
            with contextlib.suppress(CourseError, OSError):  # to be told when it is taken
                untouched = original and inside[original]() == inside[name]()
            if path.startswith(kit + ORIGINALS) or path.endswith(".py") or untouched:
                continue
        yield name


def one(
    name: str, parts: tuple[str, ...], read: Callable, folder: Path | None, tops: set[str]
) -> Found:
    """Return a file with whatever its name and those of its folders say."""
    moodle = [*map(MOODLE.fullmatch, parts)]
    inner = next((n for n, match in enumerate(moodle) if match), len(parts) - 1)
    # What is outside was named by whoever collected, what is inside by the student.
    owners = [*parts[:inner]]
    owners[1:1] = logins(owners[0], tops) if owners else []
    if match := moodle[inner]:
        return Found(name, (*owners, match["name"]), match["file"] or parts[-1], read, by_lms=True)
    if match := CANVAS.fullmatch(parts[-1]):
        names = (*owners, by_number(match["lms_id"]), match["name"])
        file = ATTEMPT.sub("", match["file"])
        return Found(name, names, file, read, late=bool(match["late"]), by_lms=True)
    found = committed(folder / parts[0]) if folder and owners else {}
    time, as_committed = found.get("/".join(parts[1:]), (None, None))
    return Found(name, tuple(owners), parts[-1], as_committed or read, time)


def logins(repository: str, tops: set[str]) -> list[str]:
    """Return what may be the login in ASSIGNMENT-LOGIN, as GitHub Classroom names repositories.

    Both may have dashes; what other repositories begin with, too, is the assignment.
    """
    ends = [dash.end() for dash in re.finditer("-", repository)]
    shared = [end for end in ends if sum(top.startswith(repository[:end]) for top in tops) > 1]
    return [repository[end:] for end in shared or ends]


@lru_cache(1)
def committed(repository: Path) -> dict[str, tuple[dt.datetime, Callable[[], bytes] | None]]:
    """Return when each file of a clone was last committed; nothing if it is none.

    Of a notebook also what reads it as it was then: who opened it to look at it may have saved it.
    A folder of a student's can hold settings by which git runs any program. So git clones it first,
    which it does by none of them, as its manual says (git(1), SECURITY).
    """
    times: dict[str, dt.datetime] = {}
    if not (repository / ".git").exists():
        return {}
    with tempfile.TemporaryDirectory() as copy:
        git = "git", "-c", "core.quotePath=false"
        clone = [*git, "clone", "-q", "--bare", "--no-local", repository, copy]
        subprocess.run(clone, capture_output=True, check=False)
        log = [*git, "-C", copy, "log", "--format=format:%x01%ct", "--name-only"]
        how = {"capture_output": True, "encoding": "utf-8", "errors": "replace", "check": False}
        done = subprocess.run(log, **how)
        archive = [*git, "-C", copy, "archive", "--format=zip", "HEAD", "*.ipynb"]
        packed = io.BytesIO(subprocess.run(archive, capture_output=True, check=False).stdout)
    books = zipfile.ZipFile(packed) if packed.getvalue() else None
    reads = {name: partial(books.read, name) for name in books.namelist()} if books else {}
    for line in done.stdout.splitlines():
        if line.startswith("\x01"):
            when = None
            with contextlib.suppress(ValueError, OverflowError, OSError):  # the year 10000
                when = dt.datetime.fromtimestamp(int(line[1:]), dt.UTC)
        elif line and when:
            times.setdefault(line, when)  # the newest comes first
    return {name: (when, reads.get(name)) for name, when in times.items()}


def gradescope(inside: Files, metadata: str) -> Iterator[Found]:
    """Yield what is in Gradescope's export; its metadata says who and when."""
    import yaml

    top = metadata.removesuffix(GRADESCOPE)
    try:
        table = dict(yaml.safe_load(inside[metadata]()) or {})
    except (yaml.YAMLError, TypeError, ValueError):
        what = "is not as Gradescope writes it: give its export as it came"
        raise CourseError(f"{metadata} {what}.") from None
    for submission, about in table.items():
        about = {str(key).strip(":"): value for key, value in about.items()}
        who = [{str(k).strip(":"): v for k, v in s.items()} for s in about.get("submitters", [])]
        people = [tuple(str(s[k]) for k in ("sid", "email", "name") if s.get(k)) for s in who]
        time = about.get("created_at")
        time = dt.datetime.fromisoformat(time) if isinstance(time, str) else time
        if time and not time.tzinfo:
            time = time.replace(tzinfo=dt.UTC)
        for name, read in inside.items():
            if name.startswith(f"{top}{submission}/") and suffix(PurePosixPath(name)) in KINDS:
                for names in people or [()]:  # a group hands in once
                    yield Found(name, names, PurePosixPath(name).name, read, time)


def in_folder(folder: Path) -> Files:
    """Return the files below a folder; links and hidden ones are left out."""
    found: Files = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if all(map(is_visible, parts)) and stat.S_ISREG(path.lstat().st_mode):
            name = "/".join(parts).encode("utf-8", "backslashreplace").decode()
            found[name] = path.read_bytes
    return found


def in_zip(path: Path) -> Files:
    """Return the files in a zip, with names that old zips wrote in cp437 or UTF-8."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise CourseError(f"{path} is no zip and no folder: give the LMS's download.") from None
    found: Files = {}
    for entry in archive.infolist():
        name = entry.filename
        if not entry.flag_bits & 0x800:  # not said to be UTF-8, but often it is
            with contextlib.suppress(UnicodeError):
                name = name.encode("cp437").decode("utf-8")
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not entry.is_dir() and all(map(is_visible, parts)):
            found["/".join(parts)] = lambda entry=entry: unpacked(archive, entry)
    return found


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a file in a zip. CourseError if it is too large, locked or damaged."""
    if entry.file_size > MOST:
        raise CourseError(f"{entry.filename} has {entry.file_size / 1e6:.0f} MB, and is left out.")
    try:
        with archive.open(entry) as file:
            return file.read(MOST)  # if it holds more than it says, zipfile calls it damaged
    except Exception:  # its parts raise whatever they raise: zlib.error, EOFError, RuntimeError
        what = "has a password or is damaged: download it, or have it handed in, once more"
        raise CourseError(f"{entry.filename} {what}.") from None


def opened(found: Found) -> tuple[Found, bytes]:
    """Return a file and its bytes; of what `course submit` packed, the notebook with what it says.

    Whose it is, folders and an LMS know better. CourseError if it is damaged.
    """
    data = found.read()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (entry,) = [each for each in archive.infolist() if each.filename != PACKED]
            if suffix(PurePosixPath(entry.filename)) not in KINDS:
                return found, data
            said = json.loads(unpacked(archive, archive.getinfo(PACKED)))
            notebook = unpacked(archive, entry)
        changed = hashlib.sha256(notebook).hexdigest() != said["sha256"]
        time = dt.datetime.fromisoformat(said["time"]).astimezone(dt.UTC)
        by = printable(str(said["id"]))
    except CourseError:
        raise
    except Exception:  # anything else; zipfile and json raise a dozen kinds
        return found, data
    names = found.names if found.by_lms else (*found.names, by)
    known = {"names": names, "file": entry.filename, "time": found.time or time}
    return replace(found, **known, packed_by=by, changed=changed), notebook
