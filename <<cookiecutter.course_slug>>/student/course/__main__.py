"""Check, export and hand in your notebooks. MODULE is 01_tensor, 01, 1 or tensor."""

import argparse
import datetime as dt
import sys
from collections.abc import Iterable
from pathlib import Path

from . import check as checking
from . import doctor as doctors
from . import exporting, handin, kit
from .check import DONE, FAILED
from .kit import Kit, Module, Problem


def doctor(here: Kit, args: argparse.Namespace) -> int:
    """Say whether all is installed as it should be, and what to do if not."""
    found = list(doctors.diagnose(here))
    tell(f"{'ok' if well else '✗ '} {line}" for well, line in found)
    return int(not all(well for well, _ in found))


def status(here: Kit, args: argparse.Namespace) -> int:
    """Say how far you are, when what is due, and what is next."""
    todo, problems = [], 0
    for module in here.modules:
        dates = {section: until(due) for section, due in here.due.get(module.name, {}).items()}
        due = "; ".join(f"{section or 'all others'}: {date}" for section, date in dates.items())
        try:
            missing, how = module.parts("Exercise"), "not begun"
            if module.begun:
                checked, missing = checking.check(module), module.unanswered()
                questions = module.parts("Question")
                answered = len(questions) - len(missing)
                how = f"{checked}, {answered} of {len(questions)} questions"
                missing = checked.open() + missing
            todo += [said for said in checking.exports(module) if "course export" in said]
            todo += [f"{module.name}, {part.title}" for part in missing]
        except Problem as problem:
            how, problems = str(problem), 1
        print(f"{module.name}: {how}; due {due if len(dates) > 1 else dates.get('', 'on no date')}")
    print("Next:", todo[0] if todo else "what is said above" if problems else "hand in")
    return problems


def tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def until(due: dt.datetime) -> str:
    """Return a time by the clock of this machine, and how far away it is."""
    left = (due - dt.datetime.now(dt.UTC)).days
    days = "over" if left < 0 else f"{left} days left"
    return f"{local(due)}, {days}"


def local(moment: dt.datetime) -> str:
    """Return a time by the clock of this machine."""
    return f"{moment.astimezone():%a %d %b %Y, %H:%M}"


def check(here: Kit, args: argparse.Namespace) -> int:
    """Run a notebook as grading does: what fails, and whose fault it is. All that are begun."""
    named = here.chosen(args.module) if args.module else None
    modules = named or [module for module in here.modules if module.begun]
    tell([] if modules else ["No module is begun."])
    return max([show(module, args.exercise, args.as_graded) for module in modules], default=0)


def show(module: Module, number: str | None, as_graded: bool) -> int:
    """Print what came of a module, or of one exercise; return 1 if anything needed is not done."""
    stale = [] if as_graded else list(checking.exports(module))
    tell(stale)
    checked = checking.check(module, as_graded)
    marks = [each for each in checked.marks if number in (None, each[0].number)]
    if not marks:
        raise Problem(f"{module.name} has no Exercise {number}.")
    saved = dt.datetime.fromtimestamp(module.notebook.stat().st_mtime)
    print(f"{module.name}, as saved on {local(saved)}:")
    for part, mark, _ in marks:
        print(f"  {mark} {part.title}" + f" ({part.points} points)" * (mark == DONE))
    failures = [text for _, mark, text in marks if mark == FAILED]
    fails = (failures or any(checked.failed_in)) and not as_graded
    blames = checking.blame(checked) if fails else []
    if fails and (blames or stale):
        blames.append(checking.YOURS)
    total = [] if number else [f"{module.name}: {checked} of the tests you see."]
    tell([*checked.notes, *failures[:1], *blames, *total])
    return int(any(mark != DONE and (number or not part.deeper) for part, mark, _ in marks))


def export(here: Kit, args: argparse.Namespace) -> int:
    """Write your code into the package, where the next module imports it."""
    if not (here.root / here.package / "testing.py").is_file():
        raise Problem(f"{here.package}/testing.py is not there: take {here.package}/ from the zip.")
    named, code = here.chosen(*args.modules), 0
    for module in named or [m for m in here.modules if m.notebook.parent.is_dir()]:
        try:
            well, said = exporting.export(module, bool(named))
        except Problem as problem:
            well, said = False, f"Not exported: {problem}"
        print(said)
        code = max(code, int(not well))
    return code


def reset(here: Kit, args: argparse.Namespace) -> int:
    """Give an exercise its stub back; what you wrote is kept."""
    tell(handin.reset(*here.chosen(args.module), args.exercise))
    return 0


def submit(here: Kit, args: argparse.Namespace) -> int:
    """Check a module, and write the one file that you hand in."""
    (module,) = here.chosen(args.module)
    missing = module.unanswered()
    student, name = handin.ask(args.id, "student id"), handin.ask(args.name, "name")
    if not handin.STUDENT_ID.fullmatch(student):
        raise Problem(f"{student!r} cannot be a student id: letters, digits and . _ @ + - only.")
    checked = checking.check(module)
    missing = [part for part, mark, _ in checked.marks if mark != DONE] + missing
    target = handin.pack(checked, student, name)
    again = "It is packed as it is. Mend it and submit again, if you like." if missing else ""
    tell([
        *checked.notes,
        *(f"Not done: {part.title}" for part in missing),
        f"{module.name}: {checked} of the tests you see. {again}",
        f"Hand in this file: {target}",
    ])  # fmt: skip
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="course", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for action in (doctor, status, check, export, reset, submit):
        sub = commands.add_parser(action.__name__, help=action.__doc__, description=action.__doc__)
        sub.set_defaults(action=action)
        if action is export:
            sub.add_argument("modules", nargs="*", metavar="MODULE", help="all, if none is named")
        elif action in {check, reset, submit}:
            sub.add_argument("module", nargs="?" if action is check else None, metavar="MODULE")
        if action in {check, reset}:
            sub.add_argument("exercise", nargs="?" if action is check else None, metavar="EXERCISE")
        if action is check:
            text = "with your instructor's earlier modules, if they are in reference/"
            sub.add_argument("--as-graded", action="store_true", help=text)
        elif action is submit:
            sub.add_argument("--id")
            sub.add_argument("--name")
    return top


def main(arguments: list[str] | None = None, folder: Path | None = None) -> int:
    """Run one command; what a person has to mend is a line, not a traceback."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.stderr.reconfigure(encoding="utf-8", errors="replace")
    args = parser().parse_args(arguments or sys.argv[1:] or ["--help"])
    try:
        return args.action(kit.find(folder or Path.cwd()), args)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
