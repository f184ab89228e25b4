"""`nox -s update` and `term`. Each imports what it needs when it runs."""

import argparse
import datetime as dt
from collections.abc import Callable
from typing import Any

from coursekit.course import Course


def options(command: Callable, add: Callable[..., Any]) -> None:
    """Add the options of one of these commands by its parser's `add_argument`."""
    if command is update:
        add("version", nargs="?", help="a tag or commit of the template, if not the newest")
        add("--check", action="store_true", help="write nothing; fail if there is a newer one")
        more = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
        add("--answer", **more, help="a recorded one, other than it was")
    else:
        add("name", help='of the new term: "Autumn 2027"')
        add("--first-day", type=day, required=True, metavar="DATE", help="such as 2027-09-06")


def day(text: str) -> dt.date:
    """Return a date."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no date; write it as 2027-09-06") from None


def update(course: Course, args: argparse.Namespace) -> None:
    """Bring a newer template into this course; what you changed stays."""
    from coursekit.upkeep import update as updating

    print(updating.update(course, args.version, dict(args.answer), args.check))


def term(course: Course, args: argparse.Namespace) -> None:
    """Begin a new term: set its dates, put the last one's work and grades into archive/."""
    from coursekit.upkeep import term as terms

    for line in terms.begin(course, args.name, args.first_day):
        print(line)
