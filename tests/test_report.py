"""report.html: true numbers, everything a person must see, and nothing that students could run."""

import base64
import datetime as dt
import hashlib
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup, Tag
from delimiters import ROOT
from living import MODULE, Living, copy_of, table

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import course as course_file  # noqa: E402
from coursekit import nbgrader_settings, report_data, report_page, scores, state  # noqa: E402
from coursekit.ledger import Ledger  # noqa: E402
from coursekit.scores import Result  # noqa: E402
from coursekit.state import State  # noqa: E402
from nbgrader.api import Gradebook  # noqa: E402


@pytest.fixture(scope="module")
def demo(built: Living, tmp_path_factory: pytest.TempPathFactory) -> Living:
    """Return a course whose made-up term was graded. Tests must not change it."""
    course = copy_of(built.root, tmp_path_factory.mktemp("demo") / built.root.name)
    course.ok("grade", "--demo")
    return course


@pytest.fixture(scope="module")
def page(demo: Living) -> BeautifulSoup:
    """Return the page that `grade --demo` wrote."""
    return parsed(demo.root / "demo" / "report.html")


pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
assert nbgrader_settings  # it puts `alembic`, which a new gradebook runs, on the PATH


def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def gradebook_of(folder: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{folder}/gradebook.db", "course")


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty gradebook, which takes nbgrader a second to make."""
    folder = tmp_path_factory.mktemp("blank")
    gradebook_of(folder).close()
    return folder / "gradebook.db"


@pytest.fixture
def folder(blank: Path, tmp_path: Path) -> Path:
    """Return a folder with an empty gradebook."""
    shutil.copy(blank, tmp_path)
    return tmp_path


@pytest.fixture
def write(built: Living, tmp_path: Path) -> Callable[..., BeautifulSoup]:
    """Return a function that writes the page of a gradebook in a folder of its own."""

    def written(gb: Gradebook, states: dict | None = None, refused: list | None = None) -> Tag:
        known = [(*key, kept) for key, kept in (states or {}).items()]
        course = course_file.load(built.root)
        report_page.write(tmp_path / "report.html", course, gb, known, refused or [])
        return parsed(tmp_path / "report.html")

    return written


def text_of(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def rows_below(page: BeautifulSoup, anchor: str) -> list[str]:
    """Return the texts of the rows in the first table after a heading."""
    return [text_of(row) for row in page.find(id=anchor).find_next("table").tbody.find_all("tr")]


def everyone(page: BeautifulSoup) -> dict[str, list[str]]:
    """Return the cells of the table of students and modules, by student."""
    rows = page.find(id="everyone").tbody.find_all("tr")
    return {text_of(row.th): [text_of(cell) for cell in row.find_all("td")] for row in rows}


def question(page: BeautifulSoup, name: str) -> list[str]:
    """Return points, mean, all, some and none as the page gives them for a question."""
    (label,) = (s for s in page.select(".questions small") if s.get_text().split()[0] == name)
    return [text_of(cell) for cell in label.find_parent("tr").select("td.n")]


def assert_self_contained(page: BeautifulSoup) -> None:
    text = str(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", text, re.I)
    assert not page.find_all(["link", "img", "iframe", "object", "embed", "base", "form"])
    assert not [tag for tag in page.find_all(True) if {"src", "srcset", "style"} & set(tag.attrs)]
    assert not [a for tag in page.find_all(True) for a in tag.attrs if a.startswith("on")]
    (script,) = page.find_all("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy, "the browser would not run its script"


def test_it_needs_nothing_but_itself(page: BeautifulSoup) -> None:
    assert_self_contained(page)


def test_every_link_leads_somewhere(demo: Living, page: BeautifulSoup) -> None:
    links = [a["href"] for a in page.find_all("a")]
    files = {link for link in links if not link.startswith("#")}
    assert f"feedback/perfect/{MODULE}/tensor_dev.html" in files
    assert f"feedback/missing-notebook/{MODULE}/tensor_dev.html" in files
    for link in files:
        assert (demo.root / "demo" / unquote(link)).is_file(), link
    for link in set(links) - files:
        assert page.find(id=link[1:]), link


def test_a_reader_who_does_not_see_is_told_what_each_table_and_drawing_is(
    page: BeautifulSoup,
) -> None:
    for found in page.find_all("table"):
        assert text_of(found.caption)
        assert all(cell.get("scope") for cell in found.find_all("th"))
    for drawing in page.find_all("svg"):
        assert drawing["role"] == "img" and text_of(drawing.title)


def test_whoever_needs_a_person_is_named_with_the_reason(demo: Living, page: BeautifulSoup) -> None:
    known = list(state.read_all(demo.root / "demo" / "autograded"))
    zero = [(student, kept) for student, _, kept in known if kept.status == "zero"]
    assert [student for student, _ in zero] == ["missing-notebook"]
    (row,) = rows_below(page, "zero")
    assert MODULE in row and "missing-notebook" in row and zero[0][1].reason in row
    people, runs = text_of(page.find(id="people")), text_of(page.find(id="runs"))
    for student, _, kept in known:
        assert all(note in people for note in (*kept.repaired, *kept.suspicious))
        assert kept.reason in people + runs
        assert not kept.reason or student in people + runs
    waiting = {r["student"] for r in table(demo.root / "demo/grades.csv") if not r["written"]}
    (row,) = rows_below(page, "waiting")
    assert waiting and all(student in row for student in waiting)


def test_its_numbers_are_those_of_grades_csv(demo: Living, page: BeautifulSoup) -> None:
    rows = {row["student"]: row for row in table(demo.root / "demo/grades.csv")}
    shown = everyone(page)
    assert set(shown) == set(rows)
    for student, (total, _, cell) in shown.items():
        assert float(total) == round(float(rows[student]["total"]), 1)
        assert float(re.match(r"[\d.]+", cell)[0]) == float(total)
        assert ("?" in cell) == (rows[student]["written"] == "")
        assert ("×" in cell) == (student == "missing-notebook")


def test_its_sums_are_those_of_the_gradebook_whatever_was_marked(
    spoilable: Living, demo: Living, tmp_path: Path
) -> None:
    """Marks, extra credit, penalties, extensions: as scores.row_of adds them up."""
    dice = random.Random(7)
    (tmp_path / "gradebook.db").write_bytes((demo.root / "demo/gradebook.db").read_bytes())
    with gradebook_of(tmp_path) as gb:
        submitted = gb.assignment_submissions(MODULE)
        for submission in submitted:
            submission.timestamp = submission.duedate + dt.timedelta(hours=dice.randint(-9, 99))
            submission.extension = dice.choice([None, dt.timedelta(hours=50)])
            (nb,) = submission.notebooks
            nb.late_submission_penalty = dice.choice([None, 0, 2.5, 500])
            for grade in nb.grades:
                grade.manual_score = dice.choice([None, 0, 1.25, 3])
                grade.extra_credit = dice.choice([None, None, 1])
                grade.needs_manual_grade = dice.random() < 0.1
        gb.db.commit()
        with Ledger(f"sqlite:///{tmp_path}/gradebook.db", "course") as ledger:
            rows = scores.all_rows(ledger, {}, {}).values()
        expected = [replace(row, note="") for row in rows]
        figures = report_data.read(course_file.load(spoilable.root), gb, [])
        late = {s.student.id: s.total_seconds_late for s in submitted}
    assert [entry.row for entry in figures.entries] == expected
    assert {e.row.student: e.late.total_seconds() for e in figures.entries} == late
    assert len({row.total for row in expected}) > 4


def made_up(folder: Path, grades: dict[str, list[tuple]]) -> Gradebook:
    """Return a gradebook: by student, automatic and manual points of `a`, `b` and the text `q`.

    Ten points each. An automatic score of None asks for a person.
    """
    gb = gradebook_of(folder)
    gb.add_assignment(MODULE, duedate="2027-01-25 23:59:00 UTC")
    gb.add_notebook("tensor_dev", MODULE)
    for name, kind in (("b", "code"), ("a", "code"), ("q", "markdown")):
        gb.add_grade_cell(name, "tensor_dev", MODULE, max_score=10, cell_type=kind)
    for student, values in grades.items():
        gb.add_student(student)
        gb.add_submission(MODULE, student, timestamp="2027-01-25 20:00:00 UTC")
        for name, (automatic, manual) in zip("abq", values, strict=True):
            grade = gb.find_grade(name, "tensor_dev", MODULE, student)
            grade.auto_score, grade.manual_score = automatic, manual
            grade.needs_manual_grade = automatic is None and manual is None
    gb.db.commit()
    return gb


FOUR = {
    "ada": [(10, None), (10, None), (None, 8)],
    "bob": [(5, None), (0, None), (None, None)],
    "cyd": [(10, None), (0, None), (None, 10)],
    "dan": [(0, None), (5, None), (None, None)],
    "eve": [(0, None), (0, None), (0, None)],
}


def test_shares_of_a_question_count_who_ran_and_was_marked(write, folder: Path) -> None:
    with made_up(folder, FOUR) as gb:
        page = write(gb, {("eve", MODULE): State(status="zero", reason="no notebook")})
    assert question(page, "a") == ["10", "62%", "50%", "25%", "25%"]
    assert question(page, "b") == ["10", "38%", "25%", "25%", "50%"]
    assert question(page, "q") == ["10", "90%", "50%", "50%", "0%"]
    worst = [row.small.get_text().split()[0] for row in page.select("tr.worst")]
    assert worst == ["b", "q"], "the exercise that hurts most, and the written answer"
    averages = [text_of(row) for row in page.select(".averages tbody tr")]
    assert averages[0] == "automatic 5 8 20 5"
    assert averages[1] == "written 8 6 10 3", "who is not marked has no 0"
    bars = {text_of(bar) for bar in page.select(".histogram rect title")}
    assert "15 to 20%, answers to mark: 2" in bars and "90 to 95%: 1" in bars
    assert everyone(page)["ada"] == ["28", "93%", "28"]
    assert everyone(page)["eve"] == ["0", "0%", "0 ×"]
    assert everyone(page)["dan"] == ["5", "17%", "5 ?"]


def test_questions_stand_in_the_order_of_the_notebook(page: BeautifulSoup, demo: Living) -> None:
    names = [s.get_text().split()[0] for s in page.select(".questions small")]
    text = demo.source.read_text(encoding="utf-8")
    assert names == sorted(names, key=lambda name: text.index(f'"{name}"'))
    assert len(names) == len(re.findall(r'"grade": true', text))
    assert "Exercise 3" in text_of(page.find(id=f"m-{MODULE}"))


EVIL = "<script>alert('from a student')</script><img src=x onerror=alert(1)>\u202e\ud800 & \x00"


def test_nothing_of_a_student_is_run_or_hidden(write, folder: Path) -> None:
    student = "a+b@x"
    for kind, suffix in (("feedback", "html"), ("autograded", "ipynb")):
        path = folder / kind / student / MODULE / f"tensor_dev.{suffix}"
        path.parent.mkdir(parents=True)
        path.touch()
    evil = State("", "", "graded", EVIL, (EVIL,), (EVIL, "x" * 9000, *map(str, range(99))), 1.5)
    zero = State(status="zero", reason=EVIL)
    refused = [Result(EVIL, MODULE, "refused", note=EVIL)]
    with made_up(folder, {student: FOUR["ada"], "bob": FOUR["bob"]}) as gb:
        page = write(gb, {(student, MODULE): evil, ("bob", MODULE): zero}, refused)
    assert_self_contained(page)
    for place in ("suspicious", "zero", "repaired", "refused"):
        (row,) = rows_below(page, place)
        assert "<script>alert('from a student')</script>" in row
        assert r"\u202e" in row and r"\ud800" in row and r"\u0000" in row
    (row,) = rows_below(page, "suspicious")
    assert "8700 characters more" in row and "x" * 400 not in row
    assert "and 93 more" in row
    links = {a["href"] for a in page.find(id="suspicious").find_next("table").find_all("a")}
    assert links == {
        f"feedback/a%2Bb%40x/{MODULE}/tensor_dev.html",
        f"autograded/a%2Bb%40x/{MODULE}/tensor_dev.ipynb",
    }
    assert "1.5" in text_of(page.find(id="runs"))
    assert everyone(page)[student][-1] == "28 !"


def test_late_work_is_listed_and_flagged(write, folder: Path) -> None:
    with made_up(folder, FOUR) as gb:
        gb.find_submission(MODULE, "cyd").timestamp = dt.datetime(2027, 1, 27, 2, 5)
        gb.db.commit()
        page = write(gb)
    (listed,) = page.find(id=f"m-{MODULE}").select("ul.people li")
    assert text_of(listed) == "cyd 1 d 2 h"
    assert everyone(page)["cyd"][-1] == "20 L"


def test_marks_that_a_new_run_put_in_doubt_wait_for_a_person(write, folder: Path) -> None:
    with made_up(folder, FOUR) as gb:
        gb.find_grade("q", "tensor_dev", MODULE, "ada").needs_manual_grade = True
        gb.db.commit()
        (row,) = rows_below(write(gb), "doubtful")
    assert "ada" in row and "bob" not in row


def test_an_empty_gradebook_has_a_page(write, folder: Path) -> None:
    with gradebook_of(folder) as gb:
        page = write(gb)
    assert "Nothing was graded yet" in text_of(page)
    assert_self_contained(page)


def test_modules_that_nobody_handed_in_are_named(write, folder: Path) -> None:
    with made_up(folder, {}) as gb:
        gb.add_student("ada")
        page = write(gb)
    assert f"Nobody has handed in {MODULE}" in text_of(page)


def test_a_term_of_zeros_has_a_page(write, folder: Path) -> None:
    nothing = [(0, None), (0, None), (0, None)]
    with made_up(folder, {"ada": nothing, "bob": nothing}) as gb:
        zero = State(status="zero", reason="no notebook")
        page = write(gb, {(student, MODULE): zero for student in ("ada", "bob")})
    assert [row[:3] for row in rows_below(page, "zero")] == ["ada", "bob"]
    assert question(page, "a") == ["10", "–", "–", "–", "–"], "nobody's ran"
    assert not page.select("tr.worst")


def test_a_student_without_work_has_a_row(write, folder: Path) -> None:
    with made_up(folder, FOUR) as gb:
        gb.add_student("idle")
        page = write(gb)
    assert everyone(page)["idle"] == ["0", "0%", "–"]


def test_the_page_before_stands_until_the_new_one_is_whole(built: Living, folder: Path) -> None:
    def broken():
        yield "ada", MODULE, State()
        raise OSError("the disk is full")

    (folder / "report.html").write_text("before", encoding="utf-8")
    with made_up(folder, FOUR) as gb, pytest.raises(OSError, match="full"):
        course = course_file.load(built.root)
        report_page.write(folder / "report.html", course, gb, broken(), [])
    assert (folder / "report.html").read_text(encoding="utf-8") == "before"


def test_git_never_sees_it(spoilable: Living) -> None:
    subprocess.run(["git", "init", "-q"], cwd=spoilable.root, check=True)
    paths = ["report.html", ".report.html.partial", "demo/report.html"]
    ignored = subprocess.run(
        ["git", "check-ignore", *paths],
        cwd=spoilable.root,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ignored.stdout.split() == paths
