"""`nox -s collect` and `nox -s mark`. Each imports what it needs when it runs."""

import argparse
from pathlib import Path

from coursekit.course import Course
from coursekit.errors import CourseError


def collect(course: Course, args: argparse.Namespace) -> int:
    """Take in what an LMS gives to download: submitted/ gets each student's newest attempt."""
    from coursekit.exchange import collect as collecting
    from coursekit.exchange import roster

    if args.roster:
        path, notes = roster.make(course, args.roster)
        print(f"{path.relative_to(course.root)}: {'; '.join(notes)}.")
    if not args.paths:
        if not args.roster:
            raise CourseError("Say what to take in: nox -s collect -- DOWNLOAD.zip")
        return 0
    module = course.modules([args.module])[0] if args.module else None
    result = collecting.collect(course, args.paths, module)
    for line in result.lines():
        print(line)
    return int(bool(result.problems))


def mark(course: Course, args: argparse.Namespace) -> None:
    """Make pages on which written answers are marked, or take in the files that they save."""
    from coursekit.exchange import marking, marks

    files = [path for path in map(Path, args.what) if path.suffix or path.is_dir()]
    if files and len(files) < len(args.what):
        raise CourseError("Name modules to be marked, or files of marks; not both at once.")
    graders = args.split.split(",")
    if files:
        for line in marks.take_in(course, files, overwrite=args.overwrite, yes=args.yes):
            print(line)
    for module in () if files else course.modules(args.what):
        for line in marking.make(course, module, graders, anonymous=args.anonymous):
            print(line)
