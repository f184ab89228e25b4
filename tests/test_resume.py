"""grade, killed at random moments or stopped, and run again: as if nothing had happened."""

import os
import pickle
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import nbformat
import pytest
from coursekit import assignment
from coursekit.course import load
from coursekit.grades import SubmissionGrades
from coursekit.grading.late import LatePolicy
from coursekit.grading.submission import Work
from coursekit.intake.collect import HandedIn
from living import MODULE, Living, copy_of, only_folder, snapshot, solutions, table, until

KILLS = 5  # of each course
QUERY = """
SELECT a.student_id, c.name, g.auto_score, g.manual_score, g.needs_manual_grade
FROM grade g JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id
JOIN submitted_assignment a ON a.id = n.assignment_id ORDER BY 1, 2
"""
MARK = """
UPDATE grade SET manual_score = 4.5, needs_manual_grade = 0 WHERE needs_manual_grade AND notebook_id
IN (SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a ON n.assignment_id = a.id
    WHERE a.student_id IN ('ada', 'bob'))
"""


def rows(course: Living) -> list[tuple]:
    """Return every score in the gradebook."""
    with closing(sqlite3.connect(course.root / "gradebook.db")) as db, db:
        return db.execute(QUERY).fetchall()


def pages(course: Living) -> dict[str, str]:
    """Return every feedback page, by its path."""
    found = sorted((course.root / "feedback").rglob("*"))
    assert not [p for p in found if p.name.endswith(".partial")]
    return {str(p.relative_to(course.root)): p.read_text("utf-8") for p in found if p.is_file()}


@pytest.fixture(scope="module")
def term(built: Living, shared: Callable[..., Path]) -> Living:
    """Return a course with marks of last week, and new versions of the work handed in."""

    def make(folder: Path) -> None:
        new_work(copy_of(built.root, folder / built.root.name))

    return Living(only_folder(shared("term", make)))


def new_work(course: Living) -> None:
    course.edit(course.root / "course.toml", "cell_seconds = 10", "cell_seconds = 1")
    for student in ("ada", "bob"):
        course.hand_in(student, course.solved())
    course.ok("grade")
    with closing(sqlite3.connect(course.root / "gradebook.db")) as db, db:
        db.execute(MARK)
    changed = course.solved(lambda number: number != 2)
    [cell for cell in solutions(changed) if cell.cell_type == "markdown"][0].source = "New."
    course.hand_in("ada", changed)
    course.hand_in("bob", course.solved(lambda number: number != 3))
    course.hand_in("broken", "{")
    course.hand_in("late", course.solved(), stamp="2099-01-01 00:00:00 UTC")
    course.hand_in("loop", loops(course))
    for number in range(6):
        course.hand_in(f"s{number}", course.solved(lambda n, number=number: n > 2 * number))


def loops(course: Living) -> nbformat.NotebookNode:
    nb = course.solved()
    [cell for cell in solutions(nb) if cell.cell_type == "code"][-1].source = "while True: pass"
    return nb


@pytest.fixture(scope="module")
def unbroken(term: Living, shared: Callable[..., Path]) -> Living:
    """Return that course, graded in one go."""

    def make(folder: Path) -> None:
        copy_of(term.root, folder / term.root.name).ok("grade")

    return Living(only_folder(shared("unbroken", make)))


def started(course: Living, *options: str) -> subprocess.Popen:
    """Start to grade; return the process as soon as it has begun to look at submissions."""
    lock = course.root / ".grade.lock"
    lock.unlink(missing_ok=True)
    command = [sys.executable, "-m", "coursekit", "grade", *options]
    command += [] if shutil.which("bwrap") else ["--no-sandbox"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    temporary = course.root.parent / "tmp"  # by which its sandboxes are known
    temporary.mkdir(exist_ok=True)
    env = os.environ | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(command, cwd=course.root, env=env, **quiet)
    while not lock.exists() and process.poll() is None:
        time.sleep(0.01)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments(
    term: Living, unbroken: Living, tmp_path: Path, seed: int
) -> None:
    course, rng = copy_of(term.root, tmp_path / term.root.name), random.Random(seed)
    for _ in range(KILLS):
        process = started(course)
        time.sleep(rng.uniform(0, 3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    course.ok("grade")
    assert rows(course) == rows(unbroken)
    assert pages(course) == pages(unbroken)
    assert table(course.root / "grades.csv") == table(unbroken.root / "grades.csv")


def test_what_was_marked_stays_marked_and_asks_where_the_answer_is_new(unbroken: Living) -> None:
    marked = [row for row in rows(unbroken) if row[3] is not None]
    assert len(marked) == 8, "four answers of each of two students"
    asks = {(student, bool(again)) for student, _, _, _, again in marked}
    assert asks == {("ada", True), ("ada", False), ("bob", False)}


def test_stopped_before_new_work_is_saved_it_asks_for_no_mark_of_the_same_answers_again(
    unbroken: Living, tmp_path: Path
) -> None:
    course = copy_of(unbroken.root, tmp_path / unbroken.root.name)
    course.hand_in("bob", course.solved(lambda number: number != 4))
    grade_until_it_saves(course)
    assert "1 graded" in course.ok("grade")
    marked = [row for row in rows(course) if row[0] == "bob" and row[3] is not None]
    assert marked and not any(again for *_, again in marked)


def test_a_page_changes_together_with_what_says_whose_it_is(
    unbroken: Living, tmp_path: Path
) -> None:
    """By the secret beside a page nbgrader's exchange knows the attempt that it belongs to."""
    course = copy_of(unbroken.root, tmp_path / unbroken.root.name)
    feedback = course.root / "feedback" / "bob" / MODULE
    handed_in = course.hand_in("bob", course.solved(lambda number: number != 4))
    (handed_in / "submission_secret.txt").write_text("first", encoding="utf-8")
    course.ok("grade")
    before = snapshot(feedback)
    assert before["submission_secret.txt"] == b"first"

    course.hand_in("bob", course.solved(lambda number: number != 5))
    (handed_in / "submission_secret.txt").write_text("second", encoding="utf-8")
    grade_until_it_saves(course)
    assert snapshot(feedback) == before
    course.ok("grade")
    after = snapshot(feedback)
    assert after.keys() == before.keys()
    assert after["submission_secret.txt"] == b"second"
    assert after["tensor_dev.html"] != before["tensor_dev.html"]


def grade_until_it_saves(course: Living) -> None:
    """Grade, and stop in the moment before anything is saved."""
    with patch("coursekit.gradebook.Gradebook.save", side_effect=KeyboardInterrupt):
        assert course.call("grade").returncode == 130


def test_stopped_by_ctrl_c_it_says_how_to_go_on(term: Living, tmp_path: Path) -> None:
    course = copy_of(term.root, tmp_path / term.root.name)
    process = started(course)
    until(lambda: (course.root / ".grade.lock").read_text(encoding="utf-8"))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in said and "Traceback" not in said
    assert (course.root / "grades.csv").is_file()


@pytest.mark.slow
def test_two_at_once_one_is_told_to_wait(term: Living, unbroken: Living, tmp_path: Path) -> None:
    course = copy_of(term.root, tmp_path / term.root.name)
    course.edit(course.root / "course.toml", "cell_seconds = 1", "cell_seconds = 6")  # for a loop
    first = started(course)
    until(lambda: (course.root / ".grade.lock").read_text(encoding="utf-8"))
    assert f"is being graded by process {first.pid}" in course.refused("grade")
    first.communicate()
    assert first.returncode == 0
    assert rows(course) == rows(unbroken)


def looping(term: Living, folder: Path, students: int) -> Living:
    """Return a course where so many submissions run for four seconds each."""
    course = copy_of(term.root, folder / term.root.name)
    course.edit(course.root / "course.toml", "cell_seconds = 1", "cell_seconds = 4")
    shutil.rmtree(course.root / "submitted")
    for number in range(students):
        course.hand_in(f"loop{number}", loops(course))
    return course


needs_sandbox = pytest.mark.skipif(
    not shutil.which("bwrap"), reason="only a sandbox is seen among the processes"
)


@needs_sandbox
def test_nothing_of_a_killed_run_is_left_running(term: Living, tmp_path: Path) -> None:
    course = looping(term, tmp_path, 2)
    process = started(course)
    until(lambda: sandboxes(course))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not sandboxes(course))


def test_a_worker_whose_grader_is_gone_runs_nothing(built: Living) -> None:
    course = load(built.root)
    made = assignment.load(course, course.modules()[0])
    handed_in = HandedIn(made.file, nbformat.writes(loops(built)).encode())
    grades = SubmissionGrades("ada", made.name, "tensor_dev", {}, {})
    work = Work(handed_in, grades, "key", LatePolicy(), {})
    bare = [] if shutil.which("bwrap") else ["--bare"]
    done = subprocess.run(
        [sys.executable, "-m", "coursekit.grading.worker", *bare],
        input=pickle.dumps((made.key, pickle.dumps(made), pickle.dumps(work))),
        cwd=built.root,
        capture_output=True,
        check=True,
    )
    assert not done.stdout, "an answer that nobody waits for"


def test_a_worker_starts_where_memory_cannot_be_limited(built: Living) -> None:
    """As on macOS, where this error is what Python makes of it."""
    code = """
import resource
def refuse(*_): raise ValueError("current limit exceeds maximum limit")
resource.setrlimit = refuse
from coursekit.grading import worker
worker.main(sandboxed=False)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=built.root, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0


@pytest.mark.slow
@needs_sandbox
def test_as_many_run_at_a_time_as_one_says(term: Living, tmp_path: Path) -> None:
    for jobs in (1, 3):
        course = looping(term, tmp_path / str(jobs), 4)
        process = started(course, "--jobs", str(jobs))
        seen: set[int] = set()

        def all_there(course: Living = course, seen: set = seen, jobs: int = jobs) -> bool:
            seen.add(sandboxes(course))
            return max(seen) >= jobs

        until(all_there)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            all_there()
        process.kill()
        process.communicate()
        assert max(seen) == jobs


def sandboxes(course: Living) -> int:
    """Return how many sandboxes there are that show what a grader of this course made for them.

    bubblewrap runs twice for each: outside, and as the first process inside.
    """
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    wanted = str(course.root.parent / "tmp")
    found = [line.split(None, 2) for line in listed.splitlines() if wanted in line]
    boxes = {pid: ppid for pid, ppid, command in found if "bwrap" in command}
    return sum(ppid not in boxes for ppid in boxes.values())
