"""`python -m coursekit COMMAND …`: what the nox sessions run, all but `bench`."""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from coursekit import course as course_file
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.exchange import commands as exchange
from coursekit.exchange.commands import collect, compare, mark
from coursekit.upkeep import commands as upkeep
from coursekit.upkeep.commands import new_exercise, new_module, term, update

ROOT = Path(__file__).resolve().parent.parent
PLAIN = {"highlight": False, "markup": False, "emoji": False}  # a file's name is no markup
# In a log, rich would fall back to 80 columns.
console = Console(**PLAIN, width=None if sys.stdout.isatty() else 140)

ON_WINDOWS = {"sync", "lint", "lab", "update", "new-module", "new-exercise"}  # fork nothing
# A command imports what it needs when it runs: nbgrader alone takes a second to import.


def sync(course: Course, args: argparse.Namespace) -> None:
    """Write each module's notebook and the package from its .py."""
    from coursekit.authoring import sync as syncing

    modules = course.modules(args.modules)
    if args.check:
        if problems := syncing.check(course, modules):
            raise CourseError("\n".join(problems))
        print("Notebooks and package are what the sources say.")
        return
    if args.from_notebook:
        from coursekit.upkeep import from_notebook

        for line in (x for m in modules for x in from_notebook.take_over(course, m, yes=args.yes)):
            print(line)
        return
    for path in syncing.sync(course, modules, force=args.force):
        print("wrote", path.relative_to(course.root))
    print(f"{len(modules)} module(s) in sync.")


def build(course: Course, args: argparse.Namespace) -> None:
    """Make release/ and the student kit in dist/."""
    from coursekit.authoring import release

    modules = course.modules(args.modules) if args.modules else course.ready()
    with console.status("Running each new solution, and finding decoys for its tests …"):
        kit, changes = release.build(course, modules)
    for line in changes:
        print(line)
    for module in modules:
        print("released", f"release/{module.name}/{module.notebook.name}")
    for draft in [] if args.modules else [m for m in course.modules() if m not in modules]:
        print(f"{draft.name} is a draft by [standards]: left out; nox -s build -- {draft.name}")
    print("packed  ", kit.relative_to(course.root), "and dist/syllabus.md")


def grade(course: Course, args: argparse.Namespace) -> int:
    """Autograde submissions; write feedback/, grades.csv and report.html."""
    from coursekit import assignment
    from coursekit.exchange import publish as publishing
    from coursekit.exchange import roster
    from coursekit.exchange.attempts import choose_by_rule
    from coursekit.grading.grade import Grading
    from coursekit.intake import collect
    from coursekit.report import console as screen
    from coursekit.report import page

    modules = course.ready() if args.demo and not args.modules else course.modules(args.modules)
    workspace = course.workspace
    if args.demo:
        from coursekit.authoring import demo

        workspace = demo.make_anew(course, modules)
    # A made-up term has nobody of the roster.
    people = roster.Roster([]) if args.demo else roster.known(course)
    roster.add_sections(course, people)
    how = {"sandboxed": not args.no_sandbox, "jobs": args.jobs, "scheduler": args.scheduler}
    grading = Grading(course, workspace, **how, force=args.force)
    for line in [] if args.demo else choose_by_rule(grading, modules, args.student):
        print(line)
    submissions = collect.find(course, workspace, modules, args.student)
    for who in sorted({each["student"] for each in course.extension}):
        if not (args.demo or people.students or (workspace.submitted / who).exists()):
            print(f"[[extension]] of {who}: nobody with this id has handed in.")
    with screen.progress(console, len(submissions)) as advance:
        results, ended = grading.run(submissions, advance)
    strays = collect.strays(course, workspace)
    names = {student.id: (student.name, student.section) for student in people.students}
    report = page.write(course, workspace, results, strays, names, over=args.demo)
    rows = [row for key, row in results.rows.items() if key in ended]
    listed = [row for row in rows if args.student or row.status != "unchanged"]
    console.print(*([screen.table(listed)] if listed else []), screen.summary(rows), sep="")
    for name in assignment.changed_since_build(course, {s.module for s in submissions}):
        print(f"{name} has changed since the last build, which is what was graded: build first.")
    for stray in strays[:10]:
        print(f"Not looked at: {stray}. Notebooks belong in submitted/STUDENT_ID/MODULE/.")
    if strays:
        print(f"{len(strays)} such in all: report.html lists them. If an LMS gave you these, move "
              "them out of submitted/, then: nox -s collect -- FOLDER")  # fmt: skip
    for path in publishing.publish(course, workspace, people, results):
        print("For your LMS:", path.relative_to(course.root))
    if unlisted := names and sorted({row.student for row in results.graded} - names.keys()):
        print(f"Not in the tables for your LMS: {roster.NAME} has no id {', '.join(unlisted)}")
    if any(row.waiting for row in results.graded):
        print("Answers wait for their marks: give feedback out after that.")
    where = workspace.root.relative_to(course.root)
    print(f"Look at {report.relative_to(course.root)}. Also: {where / 'grades.csv'}, "
          f"{where / 'feedback'}/")  # fmt: skip
    return int("failed" in ended.values())


def test(course: Course, args: argparse.Namespace) -> int:
    """Check the modules: standards, round trip through grading, student bugs."""
    if args.oracle and not importlib.util.find_spec("torch"):
        raise CourseError("PyTorch is not installed here; `nox -s test -- --oracle` installs it.")
    chosen = [f"--module={module.name}" for module in course.modules(args.modules)]
    only = ["-k", args.k] if args.k else []
    # `-n0` after it: one after the other.
    return run("pytest", "tests", "-n", "auto", *chosen, *only, *args.rest)


def lint(course: Course, args: argparse.Namespace) -> int:
    """Check style and formatting with ruff."""
    checked = run("ruff", "check", *(["--fix"] if args.fix else []), ".")
    return run("ruff", "format", *([] if args.fix else ["--check"]), ".") or checked


def lab(course: Course, args: argparse.Namespace) -> int:
    """Open JupyterLab on the course, with nbgrader's formgrader."""
    os.environ["PYTHONPATH"] = str(ROOT)  # a module imports the earlier ones
    return run("jupyter", "lab", *args.rest)


def run(tool: str, *arguments: str) -> int:
    """Run a Python tool in the course's folder; return its exit code."""
    command = [sys.executable, "-m", tool, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def positive(text: str) -> int:
    """Return a whole number above zero."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    on_linux = hasattr(os, "sched_getaffinity")  # which may give this process some of the cores
    cores = len(os.sched_getaffinity(0)) if on_linux else os.cpu_count() or 1
    top = argparse.ArgumentParser(prog="python -m coursekit", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    upkept = (update, term, new_module, new_exercise)
    for action in (sync, build, collect, grade, mark, compare, test, lint, lab, *upkept):
        name, flag = action.__name__.replace("_", "-"), {"action": "store_true"}
        sub = commands.add_parser(name, help=action.__doc__, prog=f"nox -s {name} --")
        sub.set_defaults(action=action)
        add = sub.add_argument
        if action in {collect, mark, compare}:
            exchange.options(action, add)
        elif action in upkept:
            upkeep.options(action, add)
        elif action not in {lint, lab}:
            every = "all but drafts" if action is build else "all"
            add("modules", nargs="*", metavar="MODULE", help=f"{every}, if none is named")
        if action is sync:
            add("--yes", **flag, help="take over from a notebook without asking")
            add = sub.add_mutually_exclusive_group().add_argument
            add("--check", **flag, help="write nothing; fail if out of date")
            add("--force", **flag, help="overwrite edits; keep a backup")
            add("--from-notebook", **flag, help="take edits of the notebook over into the .py")
        elif action is grade:
            add("--student", action="append", default=[], metavar="ID")
            add("--force", **flag, help="grade unchanged ones again")
            add("--demo", **flag, help="grade a made-up term in demo/")
            add("--no-sandbox", **flag, help="run students' code as you: it can do all you can")
            add("--jobs", type=positive, default=cores, metavar="N", help="notebooks run at a time")
            add("--scheduler", default="", metavar="URL", help="of Dask's workers: tcp://host:8786")
        elif action is test:
            add("-k", metavar="EXPRESSION", help="pytest's: only tests so named")
            add("--oracle", **flag, help="insist on PyTorch")
        elif action is lint:
            add("--fix", **flag, help="mend what ruff can mend")
    return top


def main(arguments: list[str]) -> int:
    """Run one command; what a person has to mend becomes a message, not a traceback."""
    args, rest = parser().parse_known_args(arguments)
    if rest and args.command not in {"test", "lab"}:
        parser().error(f"{args.command}: unknown option {' '.join(rest)}; see --help")
    args.rest = rest
    try:
        if sys.platform == "win32" and args.command not in ON_WINDOWS:
            raise CourseError(f"On Windows, `nox -s {args.command}` needs WSL or a dev container.")
        return args.action(course_file.load(ROOT), args) or 0
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D where something was asked
        again = "" if args.command.startswith("new-") else "; run the same command again to go on"
        print(f"Stopped. What was done is kept{again}.")
        return 130
    except (CourseError, OSError) as error:  # the latter of a full disk, of files that are locked
        again = "" if isinstance(error, CourseError) else ": mend that, and run this again"
        Console(**PLAIN, stderr=True, soft_wrap=True).print(f"{error}{again}", style="red")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
