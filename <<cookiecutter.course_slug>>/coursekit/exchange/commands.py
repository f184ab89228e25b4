"""`nox -s collect`, `mark` and `compare`. Each imports what it needs when it runs."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coursekit.course import Course
from coursekit.errors import CourseError


def options(command: Callable, add: Callable[..., Any]) -> None:
    """Add the options of one of these commands by its parser's `add_argument`."""
    flag = {"action": "store_true"}
    if command is collect:
        add("paths", nargs="*", type=Path, metavar="PATH", help="a download, zip or folder")
        add("--roster", type=Path, metavar="FILE", help="make roster.csv from an LMS's CSV")
        add("--module", metavar="MODULE", help="of these files, if no name says it")
        add("--attempts", metavar="STUDENT", help="list what was kept")
        add("--attempt", nargs=3, metavar=("STUDENT", "MODULE", "NUMBER"), help="let it count")
    elif command is mark:
        add("what", nargs="+", metavar="MODULE|FILE", help="to mark; of marks, or a folder")
        add("--split", default="me", metavar="NAME,NAME", help="a page for each")
        add("--anonymous", **flag, help="pages show codes in place of names")
        add("--yes", **flag, help="take files in without asking")
        add("--overwrite", **flag, help="also where somebody else gave another mark")
    else:
        add("modules", nargs="+", metavar="MODULE")
        add("--with", dest="others", action="append", default=[], type=Path, metavar="FOLDER",
            help="of an earlier term: its autograded/ or submitted/")  # fmt: skip


def collect(course: Course, args: argparse.Namespace) -> int:
    """Take in what an LMS gives to download: submitted/ gets each student's newest attempt."""
    from coursekit.exchange import collect as collecting
    from coursekit.exchange import roster

    if args.roster:
        path, notes = roster.make(course, args.roster)
        print(f"{path.relative_to(course.root)}: {'; '.join(notes)}.")
    for line in collecting.listed(course, args.attempts) if args.attempts else ():
        print(line)
    if args.attempt:
        student, name, number = args.attempt
        print(collecting.choose(course, student, *course.modules([name]), number))
    if not args.paths:
        if not (args.roster or args.attempts or args.attempt):
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


def compare(course: Course, args: argparse.Namespace) -> None:
    """Show what students' work has in common beyond the release, pair by pair."""
    from coursekit.exchange import compare as comparing

    for module in course.modules(args.modules):
        print(*comparing.write(course, module, args.others), sep="\n")
