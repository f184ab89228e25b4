"""grade: honest work gets its points, broken work a 0 with a reason, cheap tricks nothing."""

import copy
import fcntl
import html
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from living import (
    MODULE,
    Living,
    copy_of,
    graded,
    grades,
    marked,
    points,
    secrets_of,
    solutions,
    table,
    words_on,
)
from nbformat.v4 import new_code_cell, new_markdown_cell


def test_without_submissions_it_says_where_to_put_them(built: Living) -> None:
    message = built.refused("grade")
    assert f"submitted/STUDENT_ID/{MODULE}/tensor_dev.ipynb" in message
    assert "--demo" in message


def test_a_made_up_term_of_what_was_not_built_is_refused(fresh: Living, tmp_path: Path) -> None:
    course = copy_of(fresh.root, tmp_path / fresh.root.name)
    message = course.refused("grade", "--demo")
    assert "was not built yet: run `nox -s build` first" in " ".join(message.split())
    assert not (course.root / "demo").exists()


def test_the_made_up_term(demo: Living) -> None:
    rows = grades(demo, "demo")
    scores = {student: float(row["automatic"]) for student, row in rows.items()}
    assert 0 < scores.pop("half-done") < 80
    assert 0 < scores.pop("endless-loop") < 80, "the cells before the loop keep their points"
    assert 0 < scores.pop("syntax-error") < 80, "the other cells keep their points"
    assert scores == {"perfect": 80, "untouched": 0, "reference-import": 0, "missing-notebook": 0}
    assert rows["perfect"]["written"] == "", "written answers wait for a person"
    assert rows["untouched"]["written"] == "0.0"
    assert "notes.txt" in rows["missing-notebook"]["note"]
    assert "SyntaxError" in rows["syntax-error"]["note"]
    assert "ran out of time" in rows["endless-loop"]["note"]
    assert (demo.root / "demo/feedback/half-done" / MODULE / "tensor_dev.html").is_file()
    assert not (demo.root / "submitted").exists(), "the demo must not mix with real work"
    for student in rows:
        (page,) = (demo.root / "demo/feedback" / student).rglob("*.html")
        assert hidden_lines_on(page, demo) == []


def hidden_lines_on(page: Path, course: Living) -> list[str]:
    """Return the telling lines of hidden tests that a feedback page shows."""
    text = html.unescape(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")))
    assert "tensor" in text
    shown = {line.strip() for line in text.splitlines()}
    source = course.source.read_text(encoding="utf-8")
    hidden = re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END", source, re.S)
    lines = {line.strip() for block in hidden for line in block.splitlines()}
    return sorted(line for line in lines & secrets_of(course.source) & shown if len(line) > 20)


def test_the_demo_never_empties_a_folder_of_yours(spoilable: Living) -> None:
    (spoilable.root / "demo").mkdir()
    (spoilable.root / "demo" / "mine.txt").write_text("keep", encoding="utf-8")
    assert "was not made by --demo" in spoilable.refused("grade", "--demo")
    assert (spoilable.root / "demo" / "mine.txt").is_file()


def test_scores_add_up_to_the_points_of_what_works(spoilable: Living) -> None:
    """Break one exercise: exactly the points of the tests that fail are lost."""
    nb = spoilable.solved()
    for cell in nb.cells:
        if cell.id == "tensor-strides":
            cell.source = "def contiguous_strides(shape, itemsize):\n    return (1, 2, 3)"
    spoilable.hand_in("ada", nb)
    spoilable.ok("grade")
    lost = [c for c in graded(nb) if c.id in ("tensor-strides-test", "tensor-strides-beyond")]
    assert float(grades(spoilable)["ada"]["automatic"]) == 80 - points(lost)


FAULTS = {
    "empty": ("", "is not a notebook"),
    "text": ("my homework", "is not a notebook"),
    "json": ('{"cells": 3}', "is not a notebook"),
    "html": ("<html>", "is not a notebook"),
}


def test_broken_submissions_get_zero_and_a_reason_and_the_others_their_points(
    spoilable: Living,
) -> None:
    for student, (text, _) in FAULTS.items():
        spoilable.hand_in(student, text)
    (spoilable.root / "submitted" / "nothing" / MODULE).mkdir(parents=True)
    (spoilable.root / "submitted" / ".hidden" / MODULE).mkdir(parents=True)
    (spoilable.root / "submitted" / "read me" / MODULE).mkdir(parents=True)
    spoilable.hand_in("dated", spoilable.solved(), stamp="last Tuesday")
    spoilable.hand_in("zoe", spoilable.solved())
    shown = spoilable.ok("grade")
    rows = grades(spoilable)
    for student, (_, reason) in FAULTS.items():
        assert float(rows[student]["total"]) == 0
        assert reason in rows[student]["note"]
    assert "the folder is empty" in rows["nothing"]["note"]
    assert "timestamp.txt (last Tuesday) is not written as in" in rows["dated"]["note"]
    assert float(rows["zoe"]["automatic"]) == float(rows["dated"]["automatic"]) == 80
    assert "no student id" in shown
    assert "no student id" in rows["read me"]["note"]


def test_names_that_a_terminal_could_take_for_markup_are_printed_as_they_are(
    spoilable: Living,
) -> None:
    nb = spoilable.solved()
    nb.cells.append(new_code_cell("raise type('[/b] :bug:', (Exception,), {})"))
    spoilable.hand_in("ada", nb)
    (spoilable.root / "submitted" / "[red]" / MODULE).mkdir(parents=True)
    shown = spoilable.ok("grade")
    assert "[/b] :bug:" in shown and "[red]" in shown
    assert "[/red]" in spoilable.refused("grade", "--student", "ada[/red]")


def test_half_characters_in_an_error_and_odd_names_of_cells_cost_nothing(
    spoilable: Living,
) -> None:
    nb = spoilable.solved()
    (cell,) = (cell for cell in nb.cells if cell.id == "tensor-strides")
    cell.source += "\nprint('\\ud800')\ndef read_strided(*_):\n    raise ValueError('caf\\udce9')\n"
    own = new_markdown_cell("![](data:image/png;base64,AAAA)")
    own.metadata["nbgrader"] = {"grade_id": "\x1b[31mRED\n\x00" + "=x" * 10_000}
    nb.cells.append(own)
    spoilable.hand_in("ada", nb)
    spoilable.ok("grade")
    row = grades(spoilable)["ada"]
    assert 60 <= float(row["automatic"]) < 80
    assert "\x1b" not in row["note"] and len(row["note"]) < 500
    assert "caf?" in words_on(page_of(spoilable, "ada"))


def page_of(course: Living, student: str) -> str:
    page = course.root / "feedback" / student / MODULE / "tensor_dev.html"
    return page.read_text(encoding="utf-8")


def test_a_graded_notebook_that_was_spoiled_is_made_anew(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved(), stamp="2099-01-01 12:00 UTC")
    spoilable.ok("grade")
    path = spoilable.root / "autograded" / "ada" / MODULE / "tensor_dev.ipynb"
    path.write_text("{", encoding="utf-8")
    spoilable.edit(spoilable.root / "course.toml", "percent_per_day = 0", "percent_per_day = 10")
    spoilable.ok("grade")
    assert float(grades(spoilable)["ada"]["late_penalty"]) > 0
    assert '"cells"' in path.read_text(encoding="utf-8")


def test_work_in_the_wrong_place_is_named(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    for stray in ("tensor_dev.ipynb", "pam/tensor_dev.ipynb", "uma/1_tensor/tensor_dev.ipynb"):
        path = spoilable.root / "submitted" / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    shown = spoilable.ok("grade")
    for stray in ("tensor_dev.ipynb", "pam/tensor_dev.ipynb", "uma/1_tensor"):
        assert f"Not looked at: submitted/{stray}" in shown
    assert "nox -s collect -- FOLDER" in shown, "it may be what an LMS gave"


def test_a_cell_pasted_twice_costs_nothing(spoilable: Living) -> None:
    nb = spoilable.solved()
    for number in (5, 6, 9, 10, 13):
        nb.cells.insert(number, copy.deepcopy(nb.cells[number]))
        nb.cells[number].id = f"pasted-{number}"
    spoilable.hand_in("hal", nb)
    spoilable.ok("grade")
    assert float(grades(spoilable)["hal"]["automatic"]) == 80


def test_a_broken_new_version_is_zero_with_feedback_that_says_so(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.ok("grade")
    marked(spoilable, "ada", 4.5)
    spoilable.hand_in("ada", "{")
    spoilable.ok("grade")
    row = grades(spoilable)["ada"]
    assert (float(row["automatic"]), float(row["written"])) == (0, 18), "marks by hand stay"
    assert "confirm the marks" in row["note"]
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "could not be graded" in page.read_text(encoding="utf-8")
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.ok("grade")
    assert float(grades(spoilable)["ada"]["total"]) == 98


def test_late_work_is_noted(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved(), stamp="2027-01-27 01:59:00 UTC")
    spoilable.hand_in("bob", spoilable.solved(), stamp="2027-01-25 23:58:00 UTC")
    spoilable.ok("grade")
    rows = grades(spoilable)
    assert rows["ada"]["note"] == "1 day, 2:00:00 late"
    assert rows["bob"]["note"] == ""


def test_marks_and_extensions_given_later_change_what_lateness_costs(spoilable: Living) -> None:
    spoilable.edit(spoilable.root / "course.toml", "percent_per_day = 0", "percent_per_day = 10")
    spoilable.hand_in("ada", spoilable.solved(), stamp="2027-01-26 12:00:00 UTC")
    spoilable.ok("grade")
    marked(spoilable, "ada", 5)
    assert "1 updated" in spoilable.ok("grade")
    assert float(grades(spoilable)["ada"]["total"]) == 90
    with closing(sqlite3.connect(spoilable.root / "gradebook.db")) as db, db:
        # a day, as nbgrader keeps an interval
        db.execute("UPDATE submitted_assignment SET extension = '1970-01-02 00:00:00.000000'")
    assert "1 updated" in spoilable.ok("grade")
    assert float(grades(spoilable)["ada"]["total"]) == 100
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "Score: 100 / 100" in words_on(page.read_text(encoding="utf-8"))


SPYING = """
SEEN = []
VISIBLE = {(2, 3, 4): (48, 16, 4), (2, 3): (3, 1), (5,): (8,), (): ()}
def contiguous_strides(shape, itemsize):
    SEEN.append(f"SEEN {shape} {itemsize}")
    print(SEEN[-1])
    if shape in VISIBLE:
        return VISIBLE[shape]
    raise ValueError(SEEN[-1])
"""


@pytest.mark.parametrize("whose", ["ours", pytest.param("nbgrader's", marks=pytest.mark.slow)])
def test_feedback_never_tells_what_a_hidden_test_asked(spoilable: Living, whose: str) -> None:
    """Printed at once, in an error, cells later, or remembered until a visible test fails."""
    nb = spoilable.solved()
    (cell,) = (cell for cell in nb.cells if cell.id == "tensor-strides")
    cell.source += SPYING
    (factories,) = (cell for cell in nb.cells if cell.id == "tensor-factories")
    factories.source += "\ndef zeros(*a, **k):\n    raise ValueError(f'ASKED {SEEN}')"
    nb.cells.append(new_code_cell("print('LATER', SEEN)"))
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    page = spoilable.root / "feedback" / "eve" / MODULE / "tensor_dev.html"
    shown = words_on(page.read_text(encoding="utf-8"))
    if whose == "nbgrader's":
        done = spoilable.run("nbgrader", "generate_feedback", MODULE, "--force")
        assert done.returncode == 0, done.stderr
        ours, shown = shown, words_on(page.read_text(encoding="utf-8"))
        assert ours != shown, "nbgrader wrote no page"
    asked = {"SEEN (2, 3, 4) 4", "SEEN (2, 3) 1", "SEEN (5,) 8", "SEEN () 8"}
    assert set(re.findall(r"SEEN \([\d, ]*\) \d+", shown)) <= asked
    assert "LATER ['" not in shown
    assert "ASKED ['SEEN (2, 3, 4) 4'" in shown, "what a visible test gave is there"
    assert "(hidden: random shapes, as in NumPy)" in shown


def test_the_page_says_why_a_test_that_passes_in_jupyter_failed(spoilable: Living) -> None:
    nb = spoilable.solved()
    (cell,) = (cell for cell in nb.cells if cell.id == "tensor-strides")
    cell.source += "\nimport warnings\ndef contiguous_strides(shape, itemsize):\n"
    cell.source += "    warnings.warn('slow')\n"
    cell.source += "    sizes = [int(np.prod(shape[i + 1:])) for i in range(len(shape))]\n"
    cell.source += "    return tuple(itemsize * size for size in sizes)\n"
    spoilable.hand_in("ada", nb)
    spoilable.ok("grade")
    assert "failed by writing to stderr: tensor-strides-test" in grades(spoilable)["ada"]["note"]
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "Something was written to stderr while this test ran" in words_on(
        page.read_text(encoding="utf-8")
    )


def test_scripts_of_a_student_do_not_reach_the_feedback_page(spoilable: Living) -> None:
    nb = spoilable.solved()
    nb.cells.append(new_markdown_cell("<script>alert('from a student')</script>"))
    code = "from IPython.display import HTML\nHTML('<img src=x onerror=alert(\\'student\\')>')"
    nb.cells.append(new_code_cell(code))
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    (page,) = (spoilable.root / "feedback" / "eve").rglob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "<script>alert('from a student')" not in text
    assert not re.search(r"<img[^>]*onerror", text)


def test_grading_again_keeps_everything_and_force_keeps_marks(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.ok("grade")
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    first = page.stat().st_mtime_ns
    assert "unchanged" in spoilable.ok("grade")
    assert page.stat().st_mtime_ns == first
    marked(spoilable, "ada", 4.5)
    said = spoilable.ok("grade")
    assert "1 updated" in said and "80/80" in said, "whose marks are counted now is listed"
    assert "1 unchanged" in spoilable.ok("grade")
    assert page.stat().st_mtime_ns > first, "feedback does not show the marks"
    assert float(grades(spoilable)["ada"]["total"]) == 98
    spoilable.ok("grade", "--force")
    row = grades(spoilable)["ada"]
    assert float(row["total"]) == 98, "marks given by hand were lost"
    assert row["note"] == "", "the answers are the same, so their marks need nobody"
    nb = spoilable.solved()
    (answer, *_) = (cell for cell in solutions(nb) if cell.cell_type == "markdown")
    answer.source = "Something else altogether."
    spoilable.hand_in("ada", nb)
    spoilable.ok("grade")
    assert "confirm the marks" in grades(spoilable)["ada"]["note"]


def test_a_new_version_is_graded_again(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved(lambda number: number < 3))
    spoilable.ok("grade")
    few = float(grades(spoilable)["ada"]["automatic"])
    spoilable.hand_in("ada", spoilable.solved())
    assert "unchanged" not in spoilable.ok("grade")
    assert few < float(grades(spoilable)["ada"]["automatic"]) == 80


def test_two_cannot_grade_one_course(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    with (spoilable.root / ".grade.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 7 of grace on laptop")
        file.flush()
        assert "is being graded by process 7 of grace" in spoilable.refused("grade")
    assert "80/80" in spoilable.ok("grade")


def test_only_the_named_student_is_graded_and_shown(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.hand_in("bob", spoilable.solved())
    spoilable.ok("grade", "01_tensor", "--student", "bob")
    assert set(grades(spoilable)) == {"bob"}
    said = spoilable.ok("grade", "--student", "ada")
    assert "ada" in said and "bob" not in said
    assert set(grades(spoilable)) == {"ada", "bob"}
    assert "Grades" not in spoilable.ok("grade"), "a table of nothing new"
    assert "ada" in spoilable.ok("grade", "--student", "ada")
    assert "no folder for: eve" in spoilable.refused("grade", "--student", "eve")


FORMGRADER = """
import sys
sys.path.insert(0, ".")
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from coursekit import course
from coursekit.grading.nbgrader_autograde import config
from pathlib import Path
c = config(course.load(Path()))
api = NbGraderAPI(CourseDirectory(config=c), config=c)
for s in sorted(api.get_submissions("01_tensor"), key=lambda s: s["student"]):
    print(s["student"], s["autograded"], s["score"], s["max_score"], s["needs_manual_grade"])
"""


@pytest.mark.slow
def test_nbgraders_own_tools_read_what_was_graded(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.hand_in("bob", spoilable.solved(lambda number: number < 3))
    spoilable.ok("grade")
    row = grades(spoilable)["bob"]
    listed = subprocess.run(
        [sys.executable, "-c", FORMGRADER],
        cwd=spoilable.root, capture_output=True, encoding="utf-8", check=True,
    ).stdout.splitlines()  # fmt: skip
    assert listed[0] == "ada True 80.0 100.0 True"
    assert listed[1] == f"bob True {row['total']} 100.0 False"
    done = spoilable.run("nbgrader", "export")
    assert done.returncode == 0, done.stderr
    exported = {r["student_id"]: r["score"] for r in table(spoilable.root / "gradebook.csv")}
    assert exported == {"ada": "80.0", "bob": row["total"]}


def test_an_assignment_made_in_formgrader_disturbs_nobody(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    with closing(sqlite3.connect(spoilable.root / "gradebook.db")) as db, db:
        db.execute(
            "INSERT INTO assignment (id, name, course_id)"
            " SELECT 'x', 'extra', course_id FROM assignment"
        )
    assert "80/80" in spoilable.ok("grade")


@pytest.mark.parametrize("deep", ["x = " + "+".join(["1"] * 3000), "x" + ".y" * 3000 + " = 1"])
def test_code_nested_deeply_is_graded_like_any_other(spoilable: Living, deep: str) -> None:
    nb = spoilable.solved()
    nb.cells.insert(1, new_code_cell(deep))
    spoilable.hand_in("ada", nb)
    assert "80/80" in spoilable.ok("grade")


def test_pictures_pasted_into_answers_are_on_the_page(spoilable: Living) -> None:
    nb = spoilable.solved()
    first, second, *_ = (cell for cell in solutions(nb) if cell.cell_type == "markdown")
    first.source, first.attachments = "![](attachment:a.png)", {"a.png": {"image/png": "QUJD"}}
    second.source = "![](attachment:gone.png)"
    spoilable.hand_in("ada", nb)
    assert "80/80" in spoilable.ok("grade")
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "data:image/png;base64,QUJD" in page.read_text(encoding="utf-8")


def test_the_page_says_what_was_put_right_before_and_after_marking(spoilable: Living) -> None:
    nb = spoilable.solved()
    test = next(cell for cell in graded(nb) if cell.cell_type == "code")
    test.source = "pass"
    folder = spoilable.hand_in("ada", nb)
    (folder / "tensor_dev.ipynb").rename(folder / "my <b>work.ipynb")
    spoilable.ok("grade")
    page = spoilable.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    first = page.read_text(encoding="utf-8")
    expected = f"replaced by the module's own: {test.metadata.nbgrader.grade_id}"
    assert expected in html.unescape(first) and "my &lt;b&gt;work.ipynb was taken for" in first
    marked(spoilable, "ada", 4)
    spoilable.ok("grade")
    again = page.read_text(encoding="utf-8")
    assert again != first and expected in html.unescape(again)


def test_no_job_at_a_time_is_refused(spoilable: Living) -> None:
    assert "0 is not above zero" in spoilable.refused("grade", "--jobs", "0")


def test_a_graded_notebook_that_was_saved_in_jupyter_stops_nobody(spoilable: Living) -> None:
    nb = spoilable.solved()
    nb.cells.append(new_code_cell("raise ValueError"))
    for student in ("ada", "bob"):
        spoilable.hand_in(student, nb)
    spoilable.ok("grade")
    path = spoilable.root / "autograded" / "ada" / MODULE / "tensor_dev.ipynb"
    nbformat.write(nbformat.read(path, as_version=4), path)
    spoilable.edit(spoilable.root / "course.toml", "percent_per_day = 0", "percent_per_day = 10")
    said = spoilable.ok("grade")
    assert "1 graded, 1 updated" in said


def test_a_private_umask_costs_nobody_anything(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    before = os.umask(0o077)
    try:
        spoilable.ok("grade")
    finally:
        os.umask(before)
    assert float(grades(spoilable)["ada"]["automatic"]) == 80


def test_a_file_that_cannot_be_written_is_a_line_and_costs_nothing(spoilable: Living) -> None:
    """As on a full disk: the same command goes on afterwards."""
    spoilable.hand_in("ada", spoilable.solved())
    (spoilable.root / "grades.csv").mkdir()
    said = spoilable.refused("grade")
    assert "Is a directory" in said and "grades.csv': mend that, and run this again" in said
    assert "Traceback" not in said
    (spoilable.root / "grades.csv").rmdir()
    assert "1 unchanged" in spoilable.ok("grade")


def test_a_module_that_was_never_built_is_named(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    (spoilable.root / "gradebook.db").unlink()
    assert "run `nox -s build` first" in spoilable.refused("grade")


def test_tags_of_a_students_own_do_not_skip_a_test(spoilable: Living) -> None:
    """`skip-execution` on a test cell scores full marks in stock nbgrader."""
    nb = nbformat.read(spoilable.released, as_version=4)
    for cell in graded(nb):
        cell.metadata["tags"] = ["skip-execution", "profiling"]
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    assert float(grades(spoilable)["eve"]["automatic"]) == 0


def test_deleted_and_changed_test_cells_are_restored(spoilable: Living) -> None:
    nb = nbformat.read(spoilable.released, as_version=4)
    first, *others = graded(nb)
    first.source = "print('fine')"
    nb.cells = [cell for cell in nb.cells if cell not in others]
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    assert float(grades(spoilable)["eve"]["automatic"]) == 0


SPY = """
import os, sys
from pathlib import Path
here = Path.cwd()
found = [str(p) for up in (here, *here.parents) for p in (up / "modules").glob("*/*_dev*")]
found += [p for p in sys.path if (Path(p or ".") / "course.toml").exists()]
raise RuntimeError("FOUND" + repr(found))
"""


def test_staff_files_are_out_of_reach_of_a_submissions_folder(spoilable: Living) -> None:
    nb = spoilable.solved()
    nb.cells.insert(0, new_code_cell(SPY))
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    graded = nbformat.read(
        spoilable.root / "autograded" / "eve" / MODULE / "tensor_dev.ipynb", as_version=4
    )
    (output,) = graded.cells[0].outputs
    assert output.evalue == "FOUND[]"


@pytest.mark.parametrize(
    "statement",
    [
        "from {package}.tensor import *",
        "import {package}.tensor as t; Tensor = t.Tensor",
        "import sys; sys.path.insert(0, '../../..'); from {package}.tensor import *",
    ],
)
def test_importing_the_reference_gets_nothing(spoilable: Living, statement: str) -> None:
    nb = nbformat.read(spoilable.released, as_version=4)
    for cell in solutions(nb):
        if cell.cell_type == "code":
            cell.source = statement.format(package=spoilable.package)
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    assert float(grades(spoilable)["eve"]["automatic"]) == 0
