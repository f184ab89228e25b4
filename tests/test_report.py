"""report.html: true numbers, everything a person must see, and nothing that students could run."""

import base64
import datetime as dt
import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup, Tag
from chromium import Chromium
from delimiters import ROOT
from gradebooks import MODULE, NOTEBOOK, hand_in, opened, url_of, with_module
from living import Living, table
from nbgrader import api

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import course as course_file  # noqa: E402
from coursekit.assignment import STORED  # noqa: E402
from coursekit.course import Course, Workspace  # noqa: E402
from coursekit.gradebook import Gradebook  # noqa: E402
from coursekit.grading import results, state  # noqa: E402
from coursekit.grading.results import Results  # noqa: E402
from coursekit.grading.state import State  # noqa: E402
from coursekit.report import console  # noqa: E402
from coursekit.report import page as report_page  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own


@pytest.fixture(scope="module")
def page(demo: Living) -> BeautifulSoup:
    """Return the page that `grade --demo` wrote."""
    return parsed(demo.root / "demo" / "report.html")


def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gradebook without modules, which takes nbgrader a second to make."""
    folder = tmp_path_factory.mktemp("blank")
    opened(folder).close()
    return folder / "gradebook.db"


class Term:
    """A gradebook that nbgrader filled, in a folder of its own, and our report of it."""

    def __init__(self, folder: Path, course: Course) -> None:
        self.course, self.workspace = course, Workspace(folder, url_of(folder))
        self.book = opened(folder)

    def hand_in(self, grades: dict[str, tuple[list, list]]) -> None:
        """Fill it: by student, automatic and manual points of `a`, `b` and the text `q`."""
        with_module(self.book)
        for student, (automatic, by_hand) in grades.items():
            hand_in(self.book, student, automatic, by_hand)
            self.folder(student).mkdir(parents=True)

    def folder(self, student: str) -> Path:
        return self.workspace.submitted / student / MODULE

    def knows(self, student: str, known: State) -> None:
        """Leave what grading leaves in a submission's folder."""
        state.write(self.workspace.autograded / student / MODULE, known)

    def grade(self, student: str, name: str) -> api.Grade:
        return self.book.find_grade(name, NOTEBOOK, MODULE, student)

    def results(self, ended: dict | None = None) -> Results:
        self.book.db.commit()
        with Gradebook(self.workspace.gradebook) as gradebook:
            return results.collect(self.course, gradebook, self.workspace, ended or {})

    def page(self, ended: dict | None = None, people: dict | None = None, over: bool = True) -> Tag:
        """Return the page; without more words all is due, whenever the test runs."""
        found, about = self.results(ended), (self.course, self.workspace)
        return parsed(report_page.write(*about, found, people=people, over=over))

    def csv(self) -> dict[str, dict[str, str]]:
        results.write_csv(self.results(), self.workspace.root / "grades.csv")
        return {row["student"]: row for row in table(self.workspace.root / "grades.csv")}


@pytest.fixture
def term(blank: Path, fresh: Living, tmp_path: Path) -> Iterator[Term]:
    shutil.copy(blank, tmp_path)
    made = Term(tmp_path, course_file.load(fresh.root))
    yield made
    made.book.close()


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
    assert not page.find_all(["link", "img", "iframe", "object", "embed", "base", "form"])
    assert not [tag for tag in page.find_all(True) if {"src", "srcset", "style"} & set(tag.attrs)]
    assert not [a for tag in page.find_all(True) for a in tag.attrs if a.startswith("on")]
    (script,) = page.find_all("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    text = str(page).replace(digest, "")  # in which anything may stand
    assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", text, re.I)
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
    graded = sorted((demo.root / "demo" / "autograded").glob(f"*/{MODULE}"))
    known = {folder.parent.name: state.read(folder) for folder in graded}
    zero = [student for student, kept in known.items() if kept.status == "zero"]
    assert zero == ["missing-notebook"]
    (row,) = rows_below(page, "zero")
    assert MODULE in row and zero[0] in row and known[zero[0]].reason in row
    people, runs = text_of(page.find(id="people")), text_of(page.find(id="runs"))
    for student, kept in known.items():
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


def test_its_sums_are_those_of_the_gradebook_whatever_was_marked(term: Term) -> None:
    """Marks, extra credit, penalties, extensions: as nbgrader adds them up."""
    dice = random.Random(7)
    term.hand_in({f"s{number:02}": ([5, 0, None], [None, None, None]) for number in range(30)})
    for submission in term.book.assignment_submissions(MODULE):
        submission.timestamp = submission.duedate + dt.timedelta(hours=dice.randint(-9, 99))
        submission.extension = dice.choice([None, dt.timedelta(hours=50)])
        (nb,) = submission.notebooks
        nb.late_submission_penalty = dice.choice([None, 0, 2.5, 500])
        for grade in nb.grades:
            grade.manual_score = dice.choice([None, 0, 1.25, 3])
            grade.extra_credit = dice.choice([None, None, 1])
            grade.needs_manual_grade = dice.random() < 0.3
    shown, rows = everyone(term.page()), term.csv()
    for submission in term.book.assignment_submissions(MODULE):
        (nb,), student = submission.notebooks, submission.student.id
        found = term.results().rows[student, MODULE]
        asked = [g for g in nb.grades if g.needs_manual_grade and g.manual_score is None]
        total = max(0, nb.score - (nb.late_submission_penalty or 0))
        assert float(rows[student]["total"]) == found.total == total
        assert float(shown[student][0]) == round(total, 1)
        assert found.automatic + sum(g.score for g in nb.grades if g.cell.name == "q") == nb.score
        assert found.waiting == len(asked)
        assert (found.written is None) == ("q" in {g.cell.name for g in asked})
        assert (rows[student]["written"] == "") == (found.written is None)
        assert found.late.total_seconds() == submission.total_seconds_late
        assert ("late" in rows[student]["note"]) == bool(found.late)
    assert len({row["total"] for row in rows.values()}) > 4


FOUR = {
    "ada": ([10, 10, None], [None, None, 8]),
    "bob": ([5, 0, None], [None, None, None]),
    "cyd": ([10, 0, None], [None, None, 10]),
    "dan": ([0, 5, None], [None, None, None]),
    "eve": ([0, 0, 0], [None, None, None]),
}


def test_shares_of_a_question_count_who_ran_and_was_marked(term: Term) -> None:
    term.hand_in(FOUR)
    term.knows("eve", State(status="zero", reason="no notebook"))
    page = term.page()
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


def test_nothing_of_a_student_is_run_or_hidden(term: Term) -> None:
    student = "a+b@x"
    term.hand_in({student: FOUR["ada"], "bob": FOUR["bob"]})
    for kind, suffix in (("feedback", "html"), ("autograded", "ipynb")):
        path = term.workspace.root / kind / student / MODULE / f"{NOTEBOOK}.{suffix}"
        path.parent.mkdir(parents=True)
        path.touch()
    stranger = re.sub("[/\0\ud800]", "", EVIL)  # what the name of a folder can hold of it
    (term.workspace.submitted / stranger / MODULE).mkdir(parents=True)
    look = (EVIL, "x" * 9000, *map(str, range(99)))
    kept = State(status="graded", reason=EVIL, repaired=(EVIL,), suspicious=look, seconds=1.5)
    term.knows(student, kept)
    term.knows("bob", State(status="zero", reason=EVIL))
    page = term.page({(stranger, MODULE): "refused"})
    assert_self_contained(page)
    for place in ("suspicious", "zero", "repaired"):
        (row,) = rows_below(page, place)
        assert "<script>alert('from a student')</script>" in row
        assert r"\u202e" in row and r"\ud800" in row and r"\u0000" in row
    (row,) = rows_below(page, "refused")
    assert "<script>alert('from a student')<script>" in row and "rename the folder" in row
    assert "\u202e" not in row
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


def test_late_work_is_listed_flagged_and_says_what_it_costs(term: Term) -> None:
    term.hand_in(FOUR)
    cyd = term.book.find_submission(MODULE, "cyd")
    cyd.timestamp, cyd.notebooks[0].late_submission_penalty = dt.datetime(2027, 1, 27, 2, 5), 4
    page = term.page()
    (listed,) = page.find(id=f"m-{MODULE}").select("ul.people li")
    assert text_of(listed) == "cyd 1 d 2 h"
    assert everyone(page)["cyd"][-1] == "16 L"
    assert term.csv()["cyd"]["note"] == "1 day, 2:06:00 late, costs 4 points"


def test_marks_that_a_new_run_put_in_doubt_wait_for_a_person(term: Term) -> None:
    term.hand_in(FOUR)
    term.grade("ada", "q").needs_manual_grade = True
    (row,) = rows_below(term.page(), "doubtful")
    assert "ada" in row and "bob" not in row
    assert "confirm the marks" in term.csv()["ada"]["note"]


def test_a_submission_that_was_removed_leaves_the_report_and_no_mark_is_lost(term: Term) -> None:
    term.hand_in(FOUR)
    term.folder("ada").rmdir()
    shutil.rmtree(term.folder("bob").parent)
    page = term.page()
    assert set(everyone(page)) == set(term.csv()) == {"cyd", "dan", "eve"}
    assert "3 of 3 students" in text_of(page)
    assert term.grade("ada", "q").manual_score == 8
    term.folder("ada").mkdir()
    assert everyone(term.page())["ada"] == ["28", "93%", "28"]


def test_the_screen_has_a_row_for_each_and_counts_them(term: Term) -> None:
    term.hand_in(FOUR)
    (term.workspace.submitted / "=no id" / MODULE).mkdir(parents=True)
    ended = {("bob", MODULE): "unchanged", ("=no id", MODULE): "refused", ("ada", MODULE): "graded"}
    found = [row for key, row in term.results(ended).rows.items() if key in ended]
    assert [row.student for row in found] == ["./=no id", "ada", "bob"]
    assert console.summary(found) == "1 graded, 1 refused, 1 unchanged, 1 to mark."
    assert console.table(found).row_count == 3
    assert [row.status for row in term.results().rows.values()] == ["graded"] * 5


def test_times_are_those_of_the_course(term: Term) -> None:
    moved = replace(term.course, timezone="Asia/Kathmandu")
    term.course = moved
    term.hand_in(FOUR)
    assert "Tuesday 26 January 2027, 05:44" in text_of(term.page())


def test_an_empty_gradebook_has_a_page(term: Term) -> None:
    page = term.page()
    assert "Nothing was graded yet" in text_of(page)
    assert_self_contained(page)


def test_modules_that_nobody_handed_in_are_named(term: Term) -> None:
    term.hand_in({})
    term.book.add_student("ada")
    assert f"Nobody has handed in {MODULE}" in text_of(term.page())


def test_a_term_of_zeros_has_a_page(term: Term) -> None:
    term.hand_in({student: ([0, 0, 0], [None, None, None]) for student in ("ada", "bob")})
    for student in ("ada", "bob"):
        term.knows(student, State(status="zero", reason="no notebook"))
    page = term.page()
    assert [row[:3] for row in rows_below(page, "zero")] == ["ada", "bob"]
    assert question(page, "a") == ["10", "–", "–", "–", "–"], "nobody's ran"
    assert not page.select("tr.worst")


def test_a_student_without_work_has_a_row(term: Term) -> None:
    term.hand_in(FOUR)
    term.book.add_student("idle")
    assert everyone(term.page())["idle"] == ["0", "0%", "–"]


PEOPLE = {"ada": ("Byron, Ada", "Evening"), "zob": ("O'Brien, Zoë", ""), "eve": ("<b>", "Evening")}


def due(term: Term, day: dt.datetime) -> None:
    term.book.find_assignment(MODULE).duedate = day


def test_who_is_missing_is_named_and_only_what_is_due_counts(term: Term) -> None:
    term.hand_in({"ada": ([10, 10, 0], [None, None, 5])})
    due(term, dt.datetime(2000, 1, 1))
    term.course = replace(term.course, extension=(
        {"student": "eve", "module": MODULE, "until": dt.date(2900, 1, 1), "section": "Evening"},
    ))  # fmt: skip
    page = term.page(people=PEOPLE, over=False)
    assert rows_below(page, "missing") == [f"{MODULE} 1 zob O'Brien, Zoë"], "eve has time left"
    assert everyone(page) == {
        "ada": ["Byron, Ada", "Evening", "25", "83%", "25 L"],
        "eve": ["<b>", "Evening", "–", "–", "·"],
        "zob": ["O'Brien, Zoë", "", "0", "0%", "–"],
    }
    due(term, dt.datetime(2900, 1, 1))
    page = term.page(people=PEOPLE, over=False)
    assert not page.find(id="missing")
    assert everyone(page)["ada"] == ["Byron, Ada", "Evening", "–", "–", "25"], "not in a sum yet"
    assert page.select(".everyone td.early")
    assert len(rows_below(term.page(people=PEOPLE), "missing")) == 1, "of a made-up term all is due"


def test_a_field_finds_people_by_id_name_and_section(term: Term, tmp_path: Path) -> None:
    term.hand_in(FOUR)
    term.page(people=PEOPLE)
    shown = "[...document.querySelectorAll('.everyone [data-who]')].filter((x) => !x.hidden).length"
    with Chromium(tmp_path / "browser") as tab:
        tab.open(term.workspace.root / "report.html")
        everybody = tab.run(shown)
        for words, count in (("obrien", 0), ("ZOE", 1), ("evening byr", 1), ("evening", 2)):
            tab.press("/", *words)
            assert tab.run(shown) == count, words
            tab.press("Escape")
            assert tab.run(shown) == everybody == len(everyone(term.page(people=PEOPLE)))
        heads = "[...document.querySelectorAll('.everyone thead tr:first-child th button')]"
        tab.run(f"{heads}.find((x) => x.textContent === 'Section').click()")
        last = "document.querySelector('.everyone tbody').rows"
        assert tab.run(f"[...{last}].at(-1).cells[2].textContent") == "Evening"
        assert not tab.errors


def test_questions_have_the_titles_and_the_order_of_what_was_built(
    term: Term, tmp_path: Path
) -> None:
    """And not those of the source, which may be edited meanwhile."""
    cells = [
        {"cell_type": "markdown", "source": "## Exercise 1: The `b` in it", "metadata": {}},
        *(
            {"cell_type": "code", "source": "", "metadata": {"nbgrader": own}}
            for own in ({"grade": True, "grade_id": "b"}, {"grade": True, "grade_id": "a"})
        ),
    ]
    term.course = replace(term.course, root=tmp_path)
    built = term.course.built / MODULE / "assignment.json"
    built.parent.mkdir(parents=True)
    built.write_text(json.dumps(dict.fromkeys(STORED) | {"cells": cells}), encoding="utf-8")
    term.hand_in(FOUR)
    shown = [text_of(cell) for cell in term.page().select(".questions th[scope=row]")]
    assert [text.removesuffix(" hurts most") for text in shown] == [
        "Exercise 1: The b in it b",
        "Exercise 1: The b in it a",
        "q q",
    ]


def test_the_page_before_stands_until_the_new_one_is_whole(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk is full")

    path = term.workspace.root / "report.html"
    path.write_text("before", encoding="utf-8")
    term.hand_in(FOUR)
    monkeypatch.setattr(report_page, "points", broken)
    with pytest.raises(OSError, match="full"):
        term.page()
    assert path.read_text(encoding="utf-8") == "before"


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
