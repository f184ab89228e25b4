"""`nox -s update`, `term`, `new-module`, `new-exercise`; each imports what it needs when run."""

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
    elif command is new_module:
        add("name", metavar="MODULE", help="a free number and a word: 08_convolutions")
    elif command is new_exercise:
        add("module", metavar="MODULE")
        add("title", help='of the exercise: "Pool a picture"')
    else:
        add("name", help='of the new term: "Autumn 2027"')
        add("--first-day", type=day, required=True, metavar="DATE", help="such as 2027-09-06")


def day(text: str) -> dt.date:
    """Return a date."""
    try:
        found = dt.date.fromisoformat(text)
        if 1970 <= found.year < 9000:  # as course.toml may say
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text} is no date of a term; write it as 2027-09-06")


def update(course: Course, args: argparse.Namespace) -> None:
    """Bring a newer template into this course; what you changed stays."""
    from coursekit.upkeep import update as updating

    print(updating.update(course, args.version, dict(args.answer), args.check))


def term(course: Course, args: argparse.Namespace) -> None:
    """Begin a new term: set its dates, put the last one's work and grades into archive/."""
    from coursekit.upkeep import term as terms

    for line in terms.begin(course, args.name, args.first_day):
        print(line)


def new_module(course: Course, args: argparse.Namespace) -> None:
    """Make a module that builds, tests and grades at once; say what is to be written in it."""
    from coursekit.upkeep import new_module as making

    module = making.make(course, args.name)
    print(f"modules/{module.name}/ builds and grades as it is. What a full module has beside that:")
    for line in making.to_write(course, module):
        print("  -", line)
    print(f"This list again: nox -s test -- {module.name} -k standards --full. Until it is done, "
          f"course.toml asks for less: [standards.{module.name}].")  # fmt: skip


def new_exercise(course: Course, args: argparse.Namespace) -> None:
    """Add an exercise to a module, with its solution, its tests and its student bugs."""
    from coursekit.upkeep import new_module as making

    (module,) = course.modules([args.module])
    number = making.add_exercise(course, module, args.title)
    print(f"{module.source.name} has an Exercise {number}: write what is marked TODO(author).")
