"""grade, once more: what changes a grade that stands, and what does not."""

import datetime as dt
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from coursekit import assignment, gradebook
from coursekit.course import Module, Submission, load
from coursekit.grading import submission
from coursekit.grading.late import LatePolicy
from coursekit.intake import collect
from coursekit.sandbox.engine import Job, Outcome
from living import (
    MODULE,
    Living,
    copy_of,
    grades,
    marked,
    only_folder,
    points,
    table,
    words_on,
)
from nbgrader.api import Gradebook

TEST = "tensor-strides-test"  # and its points
POINTS = 6
SECOND = "02_activations"


@pytest.fixture
def graded_once(built: Living, shared: Callable[..., Path], tmp_path: Path) -> Living:
    """Return a course where ada handed in all of it, and bob half, and both were graded."""

    def grade(folder: Path) -> None:
        course = copy_of(built.root, folder / built.root.name)
        course.hand_in("ada", course.solved())
        course.hand_in("bob", course.solved(lambda number: number < 6))
        assert "2 graded" in course.ok("grade")

    made = only_folder(shared("graded-once", grade))
    return copy_of(made, tmp_path / made.name)


# ---- What was built decides


def test_the_gradebooks_address_decides_nothing_and_reaches_no_worker(spoilable: Living) -> None:
    def built() -> assignment.Assignment:
        course = load(spoilable.root)
        return assignment.load(course, *course.modules([MODULE]))

    before = built().key
    address = 'db_url = "postgresql+psycopg://ada:secret@db.example.org/dl101"'
    spoilable.edit(spoilable.root / "course.toml", '# db_url = "$GRADEBOOK_URL"', address)
    assert built().key == before
    assert b"secret" not in pickle.dumps(built())


def renamed(course: Living) -> None:
    course.edit(course.source, f'"{TEST}"', '"tensor-other-test"')


def more_points(course: Living) -> None:
    course.edit(course.source, '"points": 6', '"points": 60')


def harder(course: Living) -> None:
    begin = "    ### BEGIN HIDDEN TESTS\n"
    course.edit(course.source, begin, begin + "    # hidden: all\n    assert False\n")


def unreadable(course: Living) -> None:
    course.source.write_text("# %%\ndef broken(:\n", encoding="utf-8")


@pytest.mark.parametrize("edit", [renamed, more_points, harder, unreadable])
def test_a_module_is_graded_as_it_was_built(
    graded_once: Living, edit: Callable[[Living], None]
) -> None:
    """Whatever stands in its source meanwhile, for new work as for work that was graded."""
    edit(graded_once)
    graded_once.hand_in("new", graded_once.solved())
    shown = graded_once.ok("grade")
    assert "1 graded, 2 unchanged" in shown
    assert f"{MODULE} has changed since the last build, which is what was graded" in shown
    rows = grades(graded_once)
    assert float(rows["new"]["automatic"]) == float(rows["ada"]["automatic"]) == 80
    assert rows["new"]["note"] == ""


def test_the_package_is_as_it_was_built_too(graded_once: Living) -> None:
    """Half of a helper that is being saved cost everybody all points, without a word."""
    testing = graded_once.root / graded_once.package / "testing.py"
    text = testing.read_text(encoding="utf-8")
    testing.write_text(text[: text.index("\ndef ")], encoding="utf-8")
    graded_once.hand_in("new", graded_once.solved())
    shown = graded_once.ok("grade")
    assert "1 graded, 2 unchanged" in shown
    assert f"{graded_once.package}/testing.py has changed since the last build" in shown
    assert float(grades(graded_once)["new"]["automatic"]) == 80


@pytest.mark.parametrize("damage", ['{"cells": [', "null", "{}", ""])
def test_what_build_left_is_damaged_or_of_another_version(
    graded_once: Living, decoys_stay: None, damage: str
) -> None:
    path = graded_once.root / ".coursekit" / "built" / MODULE / "assignment.json"
    path.write_text(damage, encoding="utf-8")
    assert f"{MODULE} was not built yet: run `nox -s build` first" in graded_once.refused("grade")
    before = grades(graded_once)
    graded_once.ok("build")
    graded_once.ok("grade")
    assert grades(graded_once) == before


# ---- Nor does the machine


def test_a_gradebook_from_a_backup_is_brought_up_to_date(graded_once: Living) -> None:
    book, backup = (graded_once.root / name for name in ("gradebook.db", "backup.db"))
    with closing(sqlite3.connect(book)) as now, closing(sqlite3.connect(backup)) as then:
        now.backup(then)
    graded_once.hand_in("bob", graded_once.solved())
    graded_once.ok("grade")
    for path in graded_once.root.glob("gradebook.db*"):
        path.unlink()
    backup.rename(book)
    assert "1 graded, 1 unchanged" in graded_once.ok("grade")
    assert float(grades(graded_once)["bob"]["automatic"]) == 80


def test_a_killed_process_is_tried_again(graded_once: Living) -> None:
    """By the kernel, where memory ran out: no code can kill its own process in the sandbox."""

    class Killed:
        def run(self, job: Job) -> Outcome:
            return Outcome((None,) * len(job.cells), "its process was ended by SIGKILL", True)

    course = load(graded_once.root)
    (module,) = course.modules([MODULE])
    with gradebook.Gradebook(course.workspace.gradebook) as book:
        grades = book.module(MODULE).empty("ada")
    work = submission.Work(
        collect.read(Submission("ada", module, graded_once.root / f"submitted/ada/{MODULE}"), 1e7),
        grades, "key", LatePolicy(), {},
    )  # fmt: skip
    state = submission.grade_one(assignment.load(course, module), work, Killed()).state
    assert state.key == "" and "a process was killed: the next `grade` tries again" in state.reason


def test_what_cannot_be_read_now_keeps_its_grade_and_its_marks(
    graded_once: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked(graded_once, "ada", 3)
    graded_once.ok("grade")
    before = grades(graded_once)["ada"]
    read_file = collect.read_file

    def too_many(path: Path, limit: float) -> bytes:
        if "ada" in path.parts:
            raise OSError(24, "Too many open files", str(path))
        return read_file(path, limit)

    with monkeypatch.context() as patched:
        patched.setattr(collect, "read_file", too_many)
        done = graded_once.call("grade")
    assert done.returncode == 1 and "Too many open files" in done.stdout
    after = grades(graded_once)["ada"]
    assert after["total"] == before["total"] and "failed: OSError" in after["note"]
    assert "1 unchanged, " in graded_once.ok("grade", "--student", "bob")
    graded_once.ok("grade")
    assert grades(graded_once)["ada"] == before


# ---- What was built decides, once there is more of it


def test_changed_tests_count_after_the_next_build(graded_once: Living, decoys_stay: None) -> None:
    harder(graded_once)
    graded_once.ok("build")
    shown = graded_once.ok("grade")
    assert "2 graded" in shown and "has changed" not in shown
    assert float(grades(graded_once)["ada"]["automatic"]) < 80


def test_changed_points_count_after_the_next_build(graded_once: Living, decoys_stay: None) -> None:
    graded_once.edit(graded_once.source, '"points": 6', '"points": 8')
    graded_once.ok("build")
    assert "82/82" in graded_once.ok("grade")


def test_a_build_of_the_same_changes_no_grade(graded_once: Living, decoys_stay: None) -> None:
    graded_once.ok("build")
    assert "2 unchanged" in graded_once.ok("grade")


def test_a_data_file_is_graded_with_as_it_was_built(spoilable: Living, decoys_stay: None) -> None:
    data = spoilable.source.parent / "three.txt"
    data.write_text("3", encoding="utf-8")
    spoilable.ok("build")
    nb = spoilable.solved()
    nb.cells.append(nbformat.v4.new_code_cell("assert open('three.txt').read() == '3'"))
    spoilable.hand_in("ada", nb)
    assert "1 graded" in spoilable.ok("grade") and grades(spoilable)["ada"]["note"] == ""
    data.write_text("4", encoding="utf-8")
    shown = spoilable.ok("grade")
    assert "1 unchanged" in shown and "has changed since" in shown
    spoilable.ok("build")
    assert "1 graded" in spoilable.ok("grade")
    assert "AssertionError" in grades(spoilable)["ada"]["note"]


def solved(course: Living, module: str) -> nbformat.NotebookNode:
    """Return the release of a module with all its solutions."""
    (released,) = (course.root / "release" / module).glob("*.ipynb")
    nb = nbformat.read(released, as_version=4)
    source = nbformat.read(course.root / "modules" / module / released.name, as_version=4)
    for cell, whole in zip(nb.cells, source.cells, strict=True):
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = whole.source
    return nb


@pytest.fixture
def second(pair: Living, tmp_path) -> Living:
    """Return a course of two modules, with work for the second."""
    course = copy_of(pair.root, tmp_path / pair.root.name)
    nb = solved(course, SECOND)
    folder = course.root / "submitted" / "ada" / SECOND
    folder.mkdir(parents=True)
    nbformat.write(nb, folder / "activations_dev.ipynb")
    return course


def test_a_slip_in_an_earlier_module_is_mended_for_those_after_it(
    second: Living, decoys_stay: None
) -> None:
    """Its file of the package is what the work of later modules runs with."""
    right, slip = "unary(in_floats(np.exp))", "unary(in_floats(np.exp2))"
    second.edit(second.source, right, slip)
    second.ok("build")
    second.ok("grade", "02")
    spoilt = grades(second)["ada"]
    assert float(spoilt["automatic"]) < float(spoilt["automatic_max"])
    second.edit(second.source, slip, right)
    assert f"{MODULE} has changed since the last build" in second.ok("grade", "02")
    assert float(grades(second)["ada"]["automatic"]) == float(spoilt["automatic"])
    second.ok("build", "01")
    assert "1 graded" in second.ok("grade", "02")
    row = grades(second)["ada"]
    assert row["automatic"] == row["automatic_max"]


def test_an_earlier_module_in_the_making_stops_nobody(second: Living) -> None:
    unreadable(second)
    assert "1 graded" in second.ok("grade", "02")
    row = grades(second)["ada"]
    assert row["automatic"] == row["automatic_max"] and row["note"] == ""


@pytest.mark.slow
def test_new_rules_of_ours_change_grades(graded_once: Living) -> None:
    """Each file of coursekit that decides about grades is part of what a grade is good for."""
    graded_once.run("coursekit", "grade")
    done = graded_once.run("coursekit", "grade")
    assert "2 unchanged" in done.stdout, done.stdout + done.stderr
    for path in ("grading/late.py", "sandbox/inside/cells.py", "intake/parse.py"):
        with (graded_once.root / "coursekit" / path).open("a", encoding="utf-8") as file:
            file.write("# another rule\n")
        assert "2 graded" in graded_once.run("coursekit", "grade").stdout, path
    with (graded_once.root / "coursekit/report/page.py").open("a", encoding="utf-8") as file:
        file.write("# another look\n")
    assert "2 unchanged" in graded_once.run("coursekit", "grade").stdout


@pytest.mark.parametrize("setting", ["cell_seconds = 11", "memory_mb = 1999", "output_kb = 255"])
def test_other_limits_change_grades(graded_once: Living, setting: str) -> None:
    name = setting.split()[0]
    text = (graded_once.root / "course.toml").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} = "))
    graded_once.edit(graded_once.root / "course.toml", line, setting)
    assert "2 graded" in graded_once.ok("grade")


def test_another_python_or_numpy_changes_grades(
    built: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = load(built.root)
    keys = [assignment.load(course, *course.modules()).key]
    for versions in ({"Python": "3.99", "numpy": "2.0"}, {"Python": "3.11", "numpy": "3.0"}):
        monkeypatch.setattr(assignment, "versions", lambda versions=versions: versions)
        keys.append(assignment.load(course, *course.modules()).key)
    assert len(set(keys)) == 3


# ---- course.toml counts at once


def test_a_new_due_date_and_zone_count_without_a_build(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved(), stamp="2027-01-25 23:00:00 UTC")
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "percent_per_day = 0", "percent_per_day = 10")
    spoilable.ok("grade")
    assert grades(spoilable)["ada"]["note"] == ""
    spoilable.edit(settings, 'timezone = "UTC"', 'timezone = "Europe/Berlin"')
    assert "1 updated" in spoilable.ok("grade")
    row = grades(spoilable)["ada"]
    assert row["note"] == "0:01:00 late, costs 8 points" and float(row["late_penalty"]) == 8
    spoilable.edit(settings, "# 01_tensor = 2027-02-01", "01_tensor = 2027-01-23")
    spoilable.ok("grade")
    row = grades(spoilable)["ada"]
    assert row["note"] == "2 days, 0:01:00 late, costs 24 points"
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "Score: 56 / 100 (after 24 for lateness)" in words_on(page.read_text(encoding="utf-8"))
    with Gradebook(f"sqlite:///{spoilable.root}/gradebook.db") as book:
        assert book.find_assignment(MODULE).duedate == dt.datetime(2027, 1, 23, 22, 59)
    spoilable.edit(settings, "01_tensor = 2027-01-23", "01_tensor = 2027-02-01")
    spoilable.ok("grade")
    assert (grades(spoilable)["ada"]["note"], float(grades(spoilable)["ada"]["total"])) == ("", 80)


def test_an_extension_counts_for_one_student_before_and_after_the_hand_in(
    spoilable: Living,
) -> None:
    for student in ("ada", "ben"):
        spoilable.hand_in(student, spoilable.solved(), stamp="2027-01-27 11:00:00 UTC")
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "percent_per_day = 0", "percent_per_day = 10")
    spoilable.ok("grade")
    both = {name: float(row["late_penalty"]) for name, row in grades(spoilable).items()}
    assert both == {"ada": 16, "ben": 16}
    extension = """[[extension]]
student = "ada"
module = "01_tensor"
until = 2027-01-27 12:00:00
reason = "illness"

[grading]"""
    spoilable.edit(settings, "[grading]", extension)
    spoilable.ok("grade")
    rows = grades(spoilable)
    assert [float(rows[name]["late_penalty"]) for name in ("ada", "ben")] == [0, 16]
    assert rows["ada"]["note"] == "extended to 2027-01-27 12:00: illness"
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "Score: 80 / 100" in words_on(page.read_text(encoding="utf-8"))
    spoilable.edit(settings, "until = 2027-01-27 12:00:00", "until = 2027-01-26")
    spoilable.ok("grade")
    assert float(grades(spoilable)["ada"]["late_penalty"]) == 8
    spoilable.edit(settings, "# 01_tensor = 2027-02-01", "01_tensor = 2027-01-27 10:00:00")
    spoilable.ok("grade")
    row = grades(spoilable)["ben"]
    assert row["note"] == "1:00:00 late, costs 8 points"


def test_a_sections_date_counts_for_its_students_and_an_extension_before_it(
    spoilable: Living,
) -> None:
    roster = "id,name,section\nada,,Evening\nben,,Morning\ncyd,,Evening\ndan,,Morning and Evening\n"
    (spoilable.root / "roster.csv").write_text(roster, encoding="utf-8")
    for student in ("ada", "ben", "cyd", "dan", "eve"):
        spoilable.hand_in(student, spoilable.solved(), stamp="2027-01-27 11:00:00 UTC")
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "percent_per_day = 0", "percent_per_day = 10")
    dates = """[schedule.sections.Evening]
01_tensor = 2027-01-27 12:00:00

[[extension]]
student = "cyd"
module = "01_tensor"
until = 2027-01-26

[grading]"""
    spoilable.edit(settings, "[grading]", dates)
    spoilable.ok("grade")
    rows = grades(spoilable)
    late = {name: float(row["late_penalty"]) for name, row in rows.items()}
    assert late == {"ada": 0, "ben": 16, "cyd": 8, "dan": 0, "eve": 16}
    earlier = "[schedule.sections.Morning]\n01_tensor = 2027-01-20\n\n[grading]"
    spoilable.edit(settings, "[grading]", earlier)
    spoilable.ok("grade")
    assert float(grades(spoilable)["dan"]["late_penalty"]) == 0, "of two sections the later date"
    assert float(grades(spoilable)["ben"]["late_penalty"]) == 56
    spoilable.edit(settings, earlier, "[grading]")
    spoilable.ok("grade")
    assert rows["ada"]["note"] == "", "nobody extended it"
    assert rows["cyd"]["note"].endswith("extended to 2027-01-26 23:59: no reason")
    page = BeautifulSoup(
        (spoilable.root / "report.html").read_text(encoding="utf-8"), "html.parser"
    )
    shown = [" ".join(row.get_text(" ").split()) for row in page.select(".dates tbody tr")]
    assert shown == [
        "Evening Wed 27 Jan 12:00 2 of 2",
        "cyd Tue 26 Jan 23:59 11 h 1 min late no reason",
    ]


def test_an_extension_for_nobody_is_told_where_no_roster_could(graded_once: Living) -> None:
    table = f'[[extension]]\nstudent = "adda"\nmodule = "{MODULE}"\nuntil = 2027-02-01\n\n'
    graded_once.edit(graded_once.root / "course.toml", "[grading]", table + "[grading]")
    assert "[[extension]] of adda: nobody with this id has handed in." in graded_once.ok("grade")


@pytest.mark.parametrize("roster", ["id,section\nada,Morning\n", None])
def test_dates_of_a_section_that_nobody_is_in_are_refused(
    spoilable: Living, roster: str | None
) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    if roster:
        (spoilable.root / "roster.csv").write_text(roster, encoding="utf-8")
    dates = "[schedule.sections.Evning]\n01_tensor = 2027-01-27\n\n[grading]"
    spoilable.edit(spoilable.root / "course.toml", "[grading]", dates)
    said = spoilable.refused("grade")
    assert ("Evning" in said and "Morning" in said) if roster else "roster.csv is not there" in said


DUE = dt.datetime(2027, 1, 25, 23, 59)


@pytest.mark.parametrize(
    ("policy", "late", "penalty"),
    [
        ({"percent_per_day": 10}, dt.datetime(2027, 1, 27, 1, 59), 16),  # a day and two hours
        ({"percent_per_day": 10}, dt.datetime(2027, 1, 26, 0, 0), 8),  # a minute: a day begun
        ({"percent_per_day": 10}, dt.datetime(2027, 1, 26, 23, 59), 8),  # a day
        ({"percent_per_day": 10, "grace_minutes": 5}, dt.datetime(2027, 1, 26, 0, 0), 0),
        ({"percent_per_day": 60}, dt.datetime(2027, 1, 29, 0, 0), 80),  # never more than there is
        ({"zero_after_days": 2}, dt.datetime(2027, 1, 27, 12, 0), 0),
        ({"zero_after_days": 2}, dt.datetime(2027, 1, 28, 12, 0), 80),
        ({"percent_per_day": 10}, DUE, 0),
        ({"percent_per_day": 10}, None, 0),
    ],
)
def test_what_late_work_costs(policy: dict, late: dt.datetime | None, penalty: float) -> None:
    assert (LatePolicy(**policy).penalty(80, late, DUE) or 0) == penalty


@pytest.mark.parametrize(
    ("due", "late", "elapsed", "days"),
    [  # in UTC. In spring a day of Berlin has 23 hours, in autumn 25
        ((2027, 3, 27, 22, 59), (2027, 3, 28, 21, 59), "23:00", 1),
        ((2027, 3, 27, 22, 59), (2027, 3, 28, 22, 30), "23:31", 2),
        ((2027, 3, 27, 22, 59), (2027, 3, 28, 23, 30), "24:31", 2),
        ((2027, 10, 30, 21, 59), (2027, 10, 31, 22, 30), "24:31", 1),
        ((2027, 10, 30, 21, 59), (2027, 10, 31, 22, 59), "25:00", 1),
        ((2027, 10, 30, 21, 59), (2027, 10, 31, 23, 30), "25:31", 2),
        ((2027, 6, 10, 21, 59), (2027, 6, 11, 22, 30), "24:31", 2),
    ],
)
def test_a_day_late_is_a_day_of_the_calendar(
    due: tuple, late: tuple, elapsed: str, days: int
) -> None:
    due, late = dt.datetime(*due), dt.datetime(*late)
    hours, minutes = map(int, elapsed.split(":"))
    assert late - due == dt.timedelta(hours=hours, minutes=minutes)
    policy = LatePolicy(percent_per_day=1, timezone="Europe/Berlin")
    assert policy.penalty(100, late, due) == days


def test_a_change_of_clock_costs_what_the_calendar_says(spoilable: Living) -> None:
    """The command, too: 24 hours and 31 minutes of an autumn's night are less than a day late."""
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "percent_per_day = 0", "percent_per_day = 10")
    spoilable.edit(settings, 'timezone = "UTC"', 'timezone = "Europe/Berlin"')
    spoilable.edit(settings, "# 01_tensor = 2027-02-01", "01_tensor = 2027-10-30")
    spoilable.hand_in("ada", spoilable.solved(), stamp="2027-10-31 22:30:00 UTC")
    spoilable.ok("grade")
    assert grades(spoilable)["ada"]["note"] == "23:31:00 late, costs 8 points"


def test_a_dropped_test_gives_everybody_its_points(graded_once: Living) -> None:
    before = grades(graded_once)
    assert float(before["bob"]["automatic"]) < 80 - POINTS
    graded_once.edit(graded_once.root / "course.toml", "drop = []", f'drop = ["{TEST}"]')
    assert "2 graded" in graded_once.ok("grade")
    after = grades(graded_once)
    assert float(after["ada"]["automatic"]) == 80
    assert float(after["bob"]["automatic"]) == float(before["bob"]["automatic"]) + POINTS


def test_a_mark_by_hand_stands_in_what_is_dropped_and_is_told(graded_once: Living) -> None:
    marked(graded_once, "ada", 1)
    graded_once.edit(graded_once.root / "course.toml", "drop = []", 'drop = ["tensor-q1"]')
    graded_once.ok("grade")
    assert "tensor-q1: marked by hand with 1 of 5" in grades(graded_once)["ada"]["note"]
    assert "marked by hand" not in grades(graded_once)["bob"]["note"]


def test_a_mark_above_the_points_of_a_later_build_is_told(
    graded_once: Living, decoys_stay: None
) -> None:
    marked(graded_once, "ada", 5)
    old = '"grade_id": "tensor-q1", "locked": false, "points": 5'
    graded_once.edit(graded_once.source, old, old.replace("5", "3"))
    graded_once.ok("build")
    graded_once.ok("grade")
    assert "tensor-q1: marked by hand with 5 of 3" in grades(graded_once)["ada"]["note"]


def test_what_a_person_must_confirm_waits_for_them(graded_once: Living) -> None:
    """Also through gradings for which the answer is not the reason."""
    marked(graded_once, "ada", 3)
    nb = graded_once.solved()
    (answer,) = [cell for cell in nb.cells if cell.id == "tensor-q1"]
    answer.source = "Another answer."
    graded_once.hand_in("ada", nb)
    for command in (["grade"], ["grade", "--force"], ["grade", "--force"]):
        graded_once.ok(*command)
        assert "confirm the marks" in grades(graded_once)["ada"]["note"]


def test_a_test_that_a_person_marked_must_be_confirmed_for_other_code(graded_once: Living) -> None:
    with Gradebook(f"sqlite:///{graded_once.root}/gradebook.db") as book:
        book.find_grade(TEST, "tensor_dev", MODULE, "ada").manual_score = 2
        book.db.commit()
    graded_once.ok("grade", "--force")
    assert "confirm the marks" not in grades(graded_once)["ada"]["note"]
    nb = graded_once.solved()
    (solution,) = [cell for cell in nb.cells if cell.id == TEST.removesuffix("-test")]
    solution.source += "\n# another one"
    graded_once.hand_in("ada", nb)
    graded_once.ok("grade")
    assert "confirm the marks" in grades(graded_once)["ada"]["note"]


@pytest.mark.slow
def test_a_later_module_changes_no_grade(graded_once: Living, decoys_stay: None) -> None:
    """Its names only tell whose notebook a file is."""
    graded_once.ok("new-module", "20_pooling")
    graded_once.ok("build", "20")
    assert "2 unchanged" in graded_once.ok("grade")


def test_a_dropped_test_that_no_module_has_is_named(graded_once: Living) -> None:
    graded_once.edit(graded_once.root / "course.toml", "drop = []", 'drop = ["tensor-strides"]')
    message = graded_once.refused("grade")
    assert "course.toml: [grading] drop names 'tensor-strides'" in message
    assert TEST in message, "what it may have meant"


# ---- Cells that come and go


META = '{"nbgrader": {"grade": true, "grade_id": "tensor-more-test", "locked": true, "points": 3, '
META += '"schema_version": 3, "solution": false, "task": false}}'
MORE = f"""# %% [code] {META}
def test_more():
    got = contiguous_strides((5, 2), 4)
    assert got == (8, 4), f"contiguous_strides((5, 2), 4): expected (8, 4), got {{got}}"


test_more()
"""


def with_another_test(course: Living) -> str:
    """Add a test of three points to the source; return its name."""
    text = course.source.read_text(encoding="utf-8")
    start = text.rindex("# %%", 0, text.index("def test_strides"))
    course.source.write_text(f"{text[:start]}{MORE}\n\n{text[start:]}", encoding="utf-8")
    return "tensor-more-test"


def without_a_test(course: Living) -> str:
    text = course.source.read_text(encoding="utf-8")
    start = text.rindex("# %%", 0, text.index("def test_strides"))
    rest = text[text.index("\n# %%", start) + 1 :]
    course.source.write_text(text[:start] + rest, encoding="utf-8")
    return TEST


def test_a_cell_that_comes_after_students_handed_in(graded_once: Living, decoys_stay: None) -> None:
    marked(graded_once, "ada", 4)
    name = with_another_test(graded_once)
    assert f"{MODULE}: {name} was added" in graded_once.ok("build")
    assert "2 graded" in graded_once.ok("grade")
    row = grades(graded_once)["ada"]
    assert (float(row["automatic"]), float(row["automatic_max"])) == (83, 83)
    assert float(row["written"]) == 16, "marks stay"
    assert row["note"] == f"missing and put back: {name}", "and ask nobody"


def test_a_cell_that_goes_after_students_handed_in(graded_once: Living, decoys_stay: None) -> None:
    marked(graded_once, "ada", 4)
    with closing(sqlite3.connect(graded_once.root / "gradebook.db")) as db, db:
        db.execute(
            "UPDATE grade SET extra_credit = 1 WHERE cell_id IN"
            " (SELECT id FROM base_cell WHERE name = ?)",
            (TEST,),
        )
    name = without_a_test(graded_once)
    shown = graded_once.ok("build")
    assert f"{MODULE}: {name} was removed" in shown
    (backup,) = (graded_once.root / "backups").glob("*.csv")
    assert backup.name in shown
    assert {(row["student"], row["extra_credit"]) for row in table(backup)} == {
        ("ada", "1.0"), ("bob", "1.0"),
    }  # fmt: skip
    assert "2 graded" in graded_once.ok("grade")
    row = grades(graded_once)["ada"]
    assert (float(row["automatic"]), float(row["automatic_max"])) == (80 - POINTS, 80 - POINTS)
    assert float(row["written"]) == 16 and row["note"] == ""


def test_a_test_that_returns_too_much_fails_alone(spoilable: Living, decoys_stay: None) -> None:
    """It is the module's fault, so all others count, and the note names it."""
    spoilable.edit(spoilable.source, "\ntest_strides()\n", "\ntest_strides()\n99.0\n")
    spoilable.ok("build")
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.ok("grade")
    row = grades(spoilable)["ada"]
    assert float(row["automatic"]) == 80 - POINTS
    assert row["note"] == f"{TEST}: it returns 99 points, and has {POINTS}"


def test_a_module_whose_test_returns_too_much_is_not_built(spoilable: Living) -> None:
    spoilable.edit(spoilable.source, "\ntest_strides()\n", "\ntest_strides()\n99.0\n")
    assert f"{TEST}: it returns 99 points, and has {POINTS}" in spoilable.refused("build")


# ---- Who is no longer there


def test_a_submission_that_was_removed_leaves_table_and_report(graded_once: Living) -> None:
    shutil.rmtree(graded_once.root / "submitted" / "ada")
    assert "1 unchanged" in graded_once.ok("grade")
    assert set(grades(graded_once)) == {"bob"}
    assert ">ada<" not in (graded_once.root / "report.html").read_text(encoding="utf-8")
    graded_once.hand_in("ada", graded_once.solved())
    assert "2 unchanged" in graded_once.ok("grade"), "it was the same work"
    assert float(grades(graded_once)["ada"]["automatic"]) == 80


def test_the_points_are_those_of_the_release(built: Living) -> None:
    """What this file counts with."""
    nb = nbformat.read(built.released, as_version=4)
    (cell,) = (cell for cell in nb.cells if cell.id == TEST)
    assert points([cell]) == POINTS
    assert Module(built.source.parent).name == MODULE
