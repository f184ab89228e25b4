"""From downloads to submitted/STUDENT/MODULE/: every attempt is kept, the newest is graded.

downloaded/MODULE/STUDENT/ holds the attempts, by when they were handed in and a digest; whatever
stood in submitted/ before is among them. Downloads themselves are never changed.
"""

import datetime as dt
import hashlib
import io
import shutil
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from coursekit.course import Course, Module, naive_utc
from coursekit.errors import CourseError
from coursekit.exchange import downloads, roster
from coursekit.exchange.downloads import PACKED, Found, opened
from coursekit.exchange.roster import Roster, Student
from coursekit.intake.collect import KINDS, STUDENT_ID, TIMESTAMP, plain, printable, suffix
from coursekit.intake.times import handed_in

ATTEMPTS = "downloaded"
SOURCE = "source.txt"  # beside an attempt: what the download calls it
TAKEN, NEWER, SAME, OLDER = "taken", "newer than before", "the same", "older"  # as what was there


@dataclass
class Collected:
    """What became of each file, in the words of the report."""

    counts: Counter[str] = field(default_factory=Counter)  # of TAKEN, NEWER, SAME, OLDER
    problems: list[str] = field(default_factory=list)  # a line for each file that was not taken
    notes: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)  # students, by module

    def lines(self) -> Iterator[str]:
        """Yield all of it, a line each: what to know, who is missing, and the counts."""
        yield from (*self.notes, *(f"Not taken: {line}" for line in self.problems))
        for name, students in self.missing.items():
            more = f" and {len(students) - 10} more" if len(students) > 10 else ""
            yield f"Missing of {name}: {', '.join(students[:10]) or 'nobody'}{more}."
        counts = [f"{self.counts[kind]} {kind}" for kind in (TAKEN, NEWER, SAME, OLDER)]
        yield f"{', '.join(counts)}, {len(self.problems)} not taken."


@dataclass(frozen=True)
class Attempt:
    """A file that is somebody's work on a module."""

    student: str
    module: Module
    found: Found
    data: bytes
    due: dt.datetime  # naive, in UTC

    @property
    def doubted(self) -> bool:
        """Tell whether the time, by the student's own clock, is not as late as the LMS says."""
        time = self.found.time
        return self.found.late and not (time and naive_utc(time) > self.due)

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
    students = roster.read_if_any(course)
    roster.add_sections(course, students)
    attempts: dict[tuple[str, Module], list[Attempt]] = defaultdict(list)
    for path in paths:
        for found in downloads.found_in(path):
            where = f"{path.name}: {printable(found.where, 200)}"
            try:
                if suffix(PurePosixPath(found.file)) not in KINDS:
                    raise LookupError("this is no notebook, script or zip of one")
                found, data = opened(found)
                new = not known and found.packed_by.casefold() not in students.known
                if new and STUDENT_ID.fullmatch(found.packed_by):  # by their own word
                    students = Roster([*students.students, Student(found.packed_by)])
                student = students.find(*found.names)
                of = module_of(course, found, data) or module
                if not of:
                    raise LookupError("its name is that of no module; name it with --module")
                due = course.due_of(student.id, of)
                attempts[student.id, of].append(Attempt(student.id, of, found, data, due))
                result.notes += differences(found, student, where)
            except (LookupError, CourseError, OSError) as error:
                result.problems.append(f"{where}: {error}")
            except Exception as error:  # one file spoils nobody's work
                result.problems.append(f"{where} cannot be read ({type(error).__name__})")
    if result.problems and not known:
        roster.read(course)  # says how to make one
    if not attempts and not result.problems:
        listed = ", ".join(map(str, paths))
        raise CourseError(f"No notebook, script or zip of one was found in {listed}.")
    for those in attempts.values():
        newest = newest_of(those, result)
        try:
            result.counts[take(course, newest, result.notes)] += 1
            for attempt in those:
                keep(course, attempt)
        except OSError as error:
            result.problems.append(f"{printable(newest.found.where, 200)}: {error}")
    for of in sorted({of for _, of in attempts}, key=lambda of: of.name):
        have = {path.parent.name for path in course.workspace.submitted.glob(f"*/{of.name}")}
        absent = [s.id for s in students.students if s.id not in have]
        result.missing[of.name] = absent
    return result


def differences(found: Found, student: Student, where: str) -> Iterator[str]:
    """Yield what `course submit` wrote of a file and what is not so."""
    if found.changed:
        yield f"{where}: the notebook was changed after submit"
    if found.packed_by and found.packed_by.casefold() not in student.keys:
        yield f"{where}: is taken as {student.id}'s; {PACKED} in it says {found.packed_by}'s"


def module_of(course: Course, found: Found, data: bytes) -> Module | None:
    """Return the module whose notebook a file is, by its name, or those of files in a zip."""
    names: list[PurePath] = [PurePosixPath(found.file)]
    if suffix(names[0]) == ".zip":
        with suppress(Exception), zipfile.ZipFile(io.BytesIO(data)) as archive:
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
        what = f"{newest.student}, {newest.module.name}: several files"
        counts = f"{printable(newest.found.where)} counts, not {', '.join(others)}"
        result.notes.append(f"{what}; {counts}")
    return newest


def place_of(course: Course, student: str, module: Module) -> Path:
    """Return the folder of somebody's attempts."""
    return course.root / ATTEMPTS / module.name / student


def keep(course: Course, attempt: Attempt) -> None:
    """Keep one attempt, once, with what the last download called it."""
    kept = place_of(course, attempt.student, attempt.module) / attempt.name
    if not kept.is_dir():
        write(attempt, kept)
    (kept / SOURCE).write_text(attempt.found.where, encoding="utf-8")


def write(attempt: Attempt, folder: Path) -> None:
    """Write what was handed in, and when, as a folder that is there as a whole or not at all.

    The file gets the notebook's name, under which intake finds it, and keeps its suffix.
    """
    kind = suffix(PurePosixPath(attempt.found.file))
    files = {attempt.module.notebook.with_suffix(kind).name: attempt.data}
    if attempt.doubted:  # no time: so each grading says of it that it could not be used
        files[TIMESTAMP] = b"late, says the LMS\n"
    elif attempt.found.time:
        when = attempt.found.time.astimezone(dt.UTC)
        files[TIMESTAMP] = f"{when:%Y-%m-%d %H:%M:%S} UTC\n".encode()
    put(files, folder)


def put(files: dict[str, bytes], folder: Path) -> None:
    """Write a folder of files in place of the one before."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, data in files.items():
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        (partial / name).write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def take(course: Course, attempt: Attempt, notes: list[str]) -> str:
    """Put an attempt into submitted/ unless newer work stands there; return what it is to that.

    What it replaces is kept. One that was taken in before stays where it is: a person may have
    chosen another since.
    """
    folder = course.workspace.submitted / attempt.student / attempt.module.name
    who, time = f"{attempt.student}, {attempt.module.name}", attempt.found.time
    where = printable(attempt.found.where)
    there = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != TIMESTAMP]
    if any(path.read_bytes() == attempt.data for path in there):
        return SAME
    source = place_of(course, attempt.student, attempt.module) / attempt.name / SOURCE
    if there and source.is_file() and source.read_text(encoding="utf-8") == attempt.found.where:
        counts = f"another one counts (--attempts {attempt.student} lists them)"
        notes.append(f"{who}: {where} was taken in before, and {counts}")
        return OLDER
    if there:
        path = folder / TIMESTAMP
        before, _ = handed_in(path.read_bytes() if path.is_file() else None, course.zone)
        if before and time and naive_utc(time) < before:
            notes.append(f"{who}: {where} is older than what is there")
            return OLDER
        aside(course, attempt.student, attempt.module)
        if time and naive_utc(time) > attempt.due:
            notes.append(f"{who}: {where} came after the due date, and replaces what was there")
    write(attempt, folder)
    if attempt.doubted:
        told = f"; {PACKED} says {time:%Y-%m-%d %H:%M} UTC" if time else ", but not when it came"
        notes.append(
            f"{who}: late, says the LMS{told}. To have a time counted, write it into "
            f"{folder.relative_to(course.root).as_posix()}/{TIMESTAMP}"
        )
    return NEWER if there else TAKEN


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, but for what a download calls them."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SOURCE]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def aside(course: Course, student: str, module: Module) -> None:
    """Keep what stands in submitted/ among the attempts: it may have come there by hand."""
    folder = course.workspace.submitted / student / module.name
    held, place = contents(folder), place_of(course, student, module)
    if held and held not in [contents(path) for path in place.glob("[!.]*")]:
        name = digest(b"".join(part for name in held for part in (name.encode(), held[name])))
        shutil.copytree(folder, place / f"replaced-{name}", dirs_exist_ok=True)


# ---- By hand: which attempt counts


def attempts(course: Course, student: str, module: Module) -> list[tuple[Path, str]]:
    """Return somebody's attempts, the oldest first, with a line about each.

    Where a person wrote down when work came, the same work without its time is none of its own.
    """
    here = contents(course.workspace.submitted / student / module.name)
    paths = filter(Path.is_dir, place_of(course, student, module).glob("[!.]*"))
    held, found = {path: contents(path) for path in paths}, []
    times = {path: handed_in(of.get(TIMESTAMP), course.zone)[0] for path, of in held.items()}
    work = {path: {name: of[name] for name in of if name != TIMESTAMP} for path, of in held.items()}
    for path, time in times.items():
        if time or work[path] not in [work[other] for other in times if times[other]]:
            source = path / SOURCE
            about = f"{time:%Y-%m-%d %H:%M} UTC" if time else "no time"
            name = source.read_text(encoding="utf-8") if source.is_file() else "was in submitted/"
            counts = " (counts)" if held[path] == here else ""
            taken = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
            found.append((time or naive_utc(taken), path, f"{about}, {printable(name)}{counts}"))
    return [(path, line) for _, path, line in sorted(found)]


def listed(course: Course, student: str) -> Iterator[str]:
    """Yield a numbered line for each attempt of a student. CourseError if there are none."""
    of = {module: attempts(course, student, module) for module in course.modules()}
    if not any(of.values()):
        raise CourseError(f"{course.root / ATTEMPTS} holds no attempt of {student}.")
    for module, those in of.items():
        yield from (f"{module.name} {number}: {line}" for number, (_, line) in enumerate(those, 1))


def choose(course: Course, student: str, module: Module, number: str) -> str:
    """Put a kept attempt into submitted/, until a new one comes; keep what it replaces."""
    those = attempts(course, student, module)
    if number not in map(str, range(1, len(those) + 1)):
        raise CourseError(
            f"{student} has {len(those)} attempts of {module.name}, and no number {number}: see "
            f"nox -s collect -- --attempts {student}"
        )
    path, line = those[int(number) - 1]
    aside(course, student, module)
    put(contents(path), course.workspace.submitted / student / module.name)
    return f"{student}, {module.name}: attempt {number} counts, {line}"
