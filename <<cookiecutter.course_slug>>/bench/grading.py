"""Time `grade` against plain `nbgrader autograde`: whole commands, the same submissions, one run.

    nox -s bench -- --grading                     # 200 submissions here, 40 with plain nbgrader
    nox -s bench -- --grading --plain 200 --rounds 1      # as many with plain nbgrader
    nox -s bench -- --grading --growth 20 800     # not what each takes among 20, 100 and 400

Both skip the profiling cells. Plain nbgrader gives no feedback pages here; `grade` does.
Printed and stored are also what a second worker gains, and the processor time that each submission
takes in the one process that cannot be many.
"""

import argparse
import contextlib
import copy
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import nbformat

from bench import results
from bench.sources import mutants, with_bug
from coursekit import course as course_file
from coursekit import notebook
from coursekit.authoring import demo, release
from coursekit.course import Course, Module, Workspace
from coursekit.errors import CourseError
from coursekit.grading.grade import Grading
from coursekit.intake import collect

ROOT = Path(__file__).resolve().parent.parent
FILES = "course.toml", "nbgrader_config.py", "pyproject.toml"
GROWTH = 20, 100, 400  # what does a submission take among so many?
SHARES = 1, 1, 1, 0.9, 0.7, 0.5, 0.3, 0  # how much of the work made-up students have done
SCORES = """
SELECT a.student_id, c.name, g.auto_score FROM grade g JOIN base_cell c ON c.id = g.cell_id
JOIN submitted_notebook n ON n.id = g.notebook_id
JOIN submitted_assignment a ON a.id = n.assignment_id
"""
PLAIN = """
import os

os.environ["PYTHONPATH"] = os.getcwd()  # where notebooks find the package that tests are made with
c = get_config()
c.CourseDirectory.source_directory = "modules"
c.CourseDirectory.ignore = ["*_dev.py", "mutants.toml"]
c.Execute.skip_cells_with_tag = "profiling"
"""


def copy_of_course(folder: Path) -> Course:
    """Copy what grading needs of this course, and build its first module there."""
    course = replace(course_file.load(ROOT), root=folder / "course")
    for name in ("coursekit", "modules", course.package, "student"):
        shutil.copytree(ROOT / name, course.root / name)
    for name in FILES:
        shutil.copy(ROOT / name, course.root)
    settings = course.file.read_text(encoding="utf-8")
    own = re.sub(r"(?m)^\s*db_url\b", "# db_url", settings)  # a gradebook that people use
    course.file.write_text(own, encoding="utf-8")
    run(course.root, "coursekit", "build", course.modules()[0].name)
    return course_file.load(course.root)


def hand_in(root: Path, module: Module, count: int) -> None:
    """Make submissions up to so many: whole, in part and untouched work, a quarter with a bug.

    No two are the same.
    """
    source, bugs = notebook.read(module.source), mutants(module)
    released = nbformat.read(root / "release" / module.name / module.notebook.name, as_version=4)
    there = len([*(root / "submitted").glob("*")])
    for number in range(there, count):
        rng, work = random.Random(number), copy.deepcopy(released)
        share = rng.choice(SHARES)
        known = source if number % 4 else with_bug(source, rng.choice(bugs))
        demo.fill(known, work, keep=lambda *_, r=rng, share=share: r.random() < share)
        for cell in filter(notebook.is_solution, work.cells):
            cell.source += f"\n# student {number}"
        folder = root / "submitted" / f"student-{number:03}" / module.name
        folder.mkdir(parents=True)
        nbformat.write(work, folder / module.notebook.name)


def run(root: Path, *command: str) -> float:
    """Run a Python module in a course; return the seconds it took."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env={**os.environ, "PATH": path, "MPLBACKEND": "Agg"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - start


def grade(root: Path, jobs: int) -> float:
    """Return the seconds in which all are graded, with nothing left of an earlier time on disk."""
    forget(root)
    return run(root, "coursekit", "grade", "--jobs", str(jobs))


def forget(root: Path) -> None:
    """Remove what grading wrote, but for the gradebook."""
    for name in ("autograded", "feedback"):
        shutil.rmtree(root / name, ignore_errors=True)


def cpu_of_the_grader(course: Course, jobs: int) -> float:
    """Return the processor seconds that each takes in the main process as all are first graded."""
    place, modules = Workspace(course.root / "first"), course.modules()[:1]
    place.root.mkdir()
    place.submitted.symlink_to(course.workspace.submitted)
    release.record_all(course, {m: release.generate(course, m, place.root) for m in modules}, place)
    submissions = collect.find(course, place, modules, [])
    before = time.process_time()
    Grading(course, place, jobs=jobs).run(submissions)
    return (time.process_time() - before) / len(submissions)


def memory_of_a_worker(root: Path, jobs: int) -> float:
    """Return how many MiB each worker takes at most, in a round that is not timed."""
    seen: list[float] = []
    ended = threading.Event()
    watcher = threading.Thread(target=watch, args=(seen, ended), daemon=True)
    watcher.start()
    grade(root, jobs)
    ended.set()
    watcher.join()
    return max(seen, default=0.0) / jobs


def watch(seen: list[float], ended: threading.Event) -> None:
    """Add up, again and again, what all workers and their sandboxes take for themselves."""
    while not ended.wait(0.25):
        seen.append(sum(map(memory, family())))


def family() -> list[Path]:
    """Return this process's descendants, as folders of /proc."""
    children: dict[str, list[Path]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = path.read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            children.setdefault(parent, []).append(path.parent)
    found = children.get(str(os.getpid()), [])
    for process in found:  # which grows meanwhile
        found.extend(children.get(process.name, []))
    return found


def memory(process: Path) -> float:
    """Return the MiB of a worker or an engine, its share of what it shares; 0 for any other."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        if b"python" not in words[0] or not {b"/engine", b"coursekit.grading.worker"} & {*words}:
            return 0.0
        lines = (process / "smaps_rollup").read_text(encoding="utf-8").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except (OSError, ValueError):
        return 0.0


def copy_for_nbgrader(root: Path, module: Module, count: int, folder: Path) -> Path:
    """Copy a course with some of its submissions, for plain nbgrader."""
    other = folder / "plain"
    ours = shutil.ignore_patterns("submitted", "autograded", "feedback", "gradebook.db*")
    shutil.copytree(root, other, ignore=ours)
    for path in sorted((root / "submitted").iterdir())[:count]:
        shutil.copytree(path, other / "submitted" / path.name)
    (other / "nbgrader_config.py").write_text(PLAIN, encoding="utf-8")
    run(other, "nbgrader", "generate_assignment", module.name, "--force")
    return other


def compare(other: Path, root: Path, count: int) -> None:
    """Stop unless plain nbgrader gave each of its submissions the scores that we gave."""
    found, expected = scores(other), scores(root)
    students = {student for student, _ in found}
    if len(students) < count or any(expected[key] != score for key, score in found.items()):
        sys.exit("Plain nbgrader gives other scores: the two do not do the same work.")


def scores(root: Path) -> dict[tuple[str, str], float]:
    with sqlite3.connect(root / "gradebook.db") as db:
        return {(student, cell): score for student, cell, score in db.execute(SCORES)}


def growth(course: Course, module: Module, counts: set[int], args: argparse.Namespace) -> dict:
    """Return the median seconds that a submission takes among more and more of them."""
    found = {}
    for count in sorted(counts):
        hand_in(course.root, module, count)
        rounds = [grade(course.root, args.jobs) / count for _ in range(args.rounds)]
        found[str(count)] = statistics.median(rounds)
        show(f"grade, {count} submissions", rounds)
    return found


def against_nbgrader(course: Course, module: Module, other: Path, args: argparse.Namespace) -> dict:
    """Return the seconds that a submission takes, in each round, by whoever grades it."""
    names = f"nbgrader autograde, {args.plain}", "grade --jobs 1", f"grade --jobs {args.jobs}"
    seconds: dict[str, list[float]] = {name: [] for name in names}
    theirs, alone, mine = seconds.values()
    for _ in range(args.rounds):  # they take turns, so that a slow moment hits all
        alone.append(grade(course.root, 1) / args.submissions)
        mine.append(grade(course.root, args.jobs) / args.submissions)
        forget(other)
        theirs.append(run(other, "nbgrader", "autograde", module.name) / args.plain)
    compare(other, course.root, args.plain)
    return seconds


def main() -> None:
    """Measure both, print what each takes, and store it."""
    parser = argparse.ArgumentParser(
        prog="nox -s bench -- --grading", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--plain", type=int, default=40, help="graded by plain nbgrader")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 1))
    parser.add_argument("--growth", type=int, nargs="*", default=GROWTH, metavar="SUBMISSIONS")
    args = parser.parse_args()
    if args.jobs < 2:
        parser.error("--jobs: 2 or more, for one alone is timed beside them")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        course = copy_of_course(Path(name))
        module = course.modules()[0]
        print(f"{module.name}, whole commands, seconds a submission, median of {args.rounds}")
        more = {count for count in args.growth if count > args.submissions}
        grown = growth(course, module, {*args.growth} - more, args)
        hand_in(course.root, module, args.submissions)
        other = copy_for_nbgrader(course.root, module, args.plain, Path(name))
        each = memory_of_a_worker(course.root, args.jobs)
        rounds = against_nbgrader(course, module, other, args)
        cpu = cpu_of_the_grader(course, args.jobs)
        for what, seconds in rounds.items():
            show(what, seconds)
        grown |= growth(course, module, more, args)
    theirs, alone, mine = medians = [statistics.median(seconds) for seconds in rounds.values()]
    print(f"    ratio to nbgrader {theirs / mine:.1f}")
    print(f"    --jobs {args.jobs} is {alone / mine:.2f} times --jobs 1")
    print(f"    main process {1000 * cpu:.1f} ms of processor time for each submission")
    print(f"    memory {each:.0f} MiB for each of {args.jobs} workers")
    names = "submissions", "plain", "rounds"
    found = {"module": module.name, **{name: getattr(args, name) for name in names}}
    found |= {"seconds": dict(zip(rounds, medians, strict=True)), "ratio": theirs / mine}
    found |= {"growth": grown, "main_process": cpu, "memory_mib": each}
    print(f"Stored: {results.store('grading', found)}")


def show(what: str, seconds: list[float]) -> None:
    """Print the median of some rounds, and each of them."""
    median = statistics.median(seconds)
    rounds = " ".join(f"{each:.3f}" for each in seconds)
    print(f"    {what:26} {median:7.3f} s {1 / median:7.2f}/s   rounds {rounds}")


if __name__ == "__main__":
    try:
        main()
    except CourseError as error:
        sys.exit(str(error))
