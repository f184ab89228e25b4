"""From downloads to submitted/STUDENT/MODULE/: every attempt is kept, the newest is graded.

downloaded/MODULE/STUDENT/ holds the attempts, by when they were handed in and a digest; whatever
stood in submitted/ before is among them. Downloads themselves are never changed.
"""

import datetime as dt
import hashlib
import io
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from coursekit.course import Course, Module, naive_utc
from coursekit.errors import CourseError
from coursekit.exchange import downloads, roster
from coursekit.exchange.downloads import PACKED, Found
from coursekit.exchange.packed import Packed, described, opened
from coursekit.exchange.roster import Roster, Student
from coursekit.intake.collect import STUDENT_ID, TIMESTAMP, plain, printable, suffix
from coursekit.intake.times import handed_in

ATTEMPTS = "downloaded"
SOURCE = "source.txt"  # beside an attempt: what the download calls it


@dataclass
class Collected:
    """What became of each file, in the words of the report."""

    taken: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)  # than what was there
    same: list[str] = field(default_factory=list)  # as what was there
    older: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # a line for each file that was not taken
    notes: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)  # students, by module

    def lines(self) -> Iterator[str]:
        """Yield all of it that a person should know."""
        yield from (*self.notes, *self.older, *(f"Not taken: {p}" for p in self.problems))
        for name, students in self.missing.items():
            more = f" and {len(students) - 10} more" if len(students) > 10 else ""
            yield f"Missing of {name}: {', '.join(students[:10]) or 'nobody'}{more}."
        kinds = ("taken", "newer than before", "the same", "older", "not taken")
        lists = (self.taken, self.newer, self.same, self.older, self.problems)
        yield (
            ", ".join(f"{len(each)} {kind}" for kind, each in zip(kinds, lists, strict=True)) + "."
        )


@dataclass(frozen=True)
class Attempt:
    """A file that is somebody's work on a module."""

    student: str
    module: Module
    found: Found
    data: bytes

    @property
    def name(self) -> str:
        """Return the folder it is kept in, in the order of time; without one, before all others."""
        when = f"{self.found.time.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-" if self.found.time else ""
        return f"{when}{digest(self.data)}"


def digest(data: bytes) -> str:
    """Return the end of the names of all attempts with this content."""
    return hashlib.sha256(data).hexdigest()[:12]


def collect(course: Course, paths: Iterable[Path], module: Module | None = None) -> Collected:
    """Take in downloads; `module` is whose they are where a file's name does not say it."""
    known, result = (course.root / roster.NAME).is_file(), Collected()
    students = roster.read(course) if known else Roster([])
    attempts: dict[tuple[str, Module], list[Attempt]] = defaultdict(list)
    for path in paths:
        for found in downloads.found_in(path):
            where = f"{path.name}: {printable(found.where, 200)}"
            try:
                data = found.read()
                if packed := opened(data):
                    found, data = described(found, packed), packed.notebook
                    if not known and STUDENT_ID.fullmatch(packed.id):  # by their own word
                        students = Roster([*students.students, Student(packed.id)])
                student = students.find(*found.names)
                of = module_of(course, found, data) or module
                if not of:
                    raise LookupError("its name is that of no module; name it with --module")
                attempts[student.id, of].append(Attempt(student.id, of, found, data))
                if packed:
                    result.notes += differences(packed, student, where)
            except (LookupError, CourseError, OSError) as error:
                result.problems.append(f"{where}: {error}")
    if result.problems and not known:
        roster.read(course)  # says how to make one
    if not attempts and not result.problems:
        listed = ", ".join(map(str, paths))
        raise CourseError(f"No notebook, script or zip of one was found in {listed}.")
    for those in attempts.values():
        newest = newest_of(those, result)
        for attempt in those:
            keep(course, attempt)
        take(course, newest, result)
    for of in sorted({of for _, of in attempts}, key=lambda of: of.name):
        have = {path.parent.name for path in course.workspace.submitted.glob(f"*/{of.name}")}
        absent = [s.id for s in students.students if s.id not in have]
        result.missing[of.name] = absent
    return result


def differences(packed: Packed, student: Student, where: str) -> Iterator[str]:
    """Yield what `course submit` wrote of a file and what is not so."""
    if packed.changed:
        yield f"{where}: the notebook was changed after submit"
    if packed.id.casefold() not in student.keys:
        yield f"{where}: is {student.id}'s, says the LMS, and {packed.id}'s, says {PACKED}"


def module_of(course: Course, found: Found, data: bytes) -> Module | None:
    """Return the module whose notebook a file is, by its name, or those of files in a zip."""
    names: list[PurePath] = [PurePosixPath(found.file)]
    if suffix(names[0]) == ".zip":
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
            names += map(PurePosixPath, archive.namelist())
    by_name = {plain(module.notebook.name): module for module in course.modules()}
    modules = {by_name[plain(path.name)] for path in names if plain(path.name) in by_name}
    folders = {m for m in course.modules() if m.name in PurePosixPath(found.where).parts}
    found_modules = modules or folders
    return found_modules.pop() if len(found_modules) == 1 else None


def newest_of(attempts: list[Attempt], result: Collected) -> Attempt:
    """Return the attempt that counts, of those in one download; say so if there were several."""
    first = dt.datetime.min.replace(tzinfo=dt.UTC)
    newest = max(
        reversed(attempts),  # of equals the last
        key=lambda a: (a.found.time or first, suffix(PurePosixPath(a.found.file)) == ".ipynb"),
    )
    others = [printable(a.found.where) for a in attempts if a.data != newest.data]
    if others:
        what = f"{newest.student}, {newest.module.name}: several files; {newest.found.where} counts"
        result.notes.append(f"{what}, not {', '.join(others)}")
    return newest


def keep(course: Course, attempt: Attempt) -> None:
    """Keep one attempt, once."""
    place = course.root / ATTEMPTS / attempt.module.name / attempt.student
    if not (place / attempt.name).is_dir():
        write(attempt, place / attempt.name)
        (place / attempt.name / SOURCE).write_text(attempt.found.where, encoding="utf-8")


def write(attempt: Attempt, folder: Path) -> None:
    """Write what was handed in, and when, as a folder that is there as a whole or not at all.

    The file gets the notebook's name, under which intake finds it, and keeps its suffix.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    kind = suffix(PurePosixPath(attempt.found.file))
    (partial / attempt.module.notebook.with_suffix(kind).name).write_bytes(attempt.data)
    if attempt.found.time:
        text = f"{attempt.found.time.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        (partial / TIMESTAMP).write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def take(course: Course, attempt: Attempt, result: Collected) -> None:
    """Put an attempt into submitted/ unless newer work stands there; what it replaces is kept."""
    folder = course.workspace.submitted / attempt.student / attempt.module.name
    who, time = f"{attempt.student}, {attempt.module.name}", attempt.found.time
    there = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != TIMESTAMP]
    if any(path.read_bytes() == attempt.data for path in there):
        result.same.append(who)
        return
    if there:
        path = folder / TIMESTAMP
        before, _ = handed_in(path.read_bytes() if path.is_file() else None, course.zone)
        if before and time and naive_utc(time) < before:
            result.older.append(
                f"{who}: {printable(attempt.found.where)} is older than what is there"
            )
            return
        aside(course, attempt, folder)
    write(attempt, folder)
    (result.newer if there else result.taken).append(who)
    if attempt.found.late and not time:
        result.notes.append(
            f"{who}: late, says the LMS, but not when it came. To have that counted, write the "
            f"time into {folder.relative_to(course.root).as_posix()}/{TIMESTAMP}"
        )


def aside(course: Course, attempt: Attempt, folder: Path) -> None:
    """Copy what stands in submitted/ to the attempts: it may have come there by hand."""
    held = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    name = f"replaced-{digest(b''.join(p.name.encode() + p.read_bytes() for p in held))}"
    target = course.root / ATTEMPTS / attempt.module.name / attempt.student / name
    if not target.is_dir():
        shutil.copytree(folder, target)
