"""Marking by several people: pages that need nothing, marks files that overwrite nobody's mark."""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from chromium import Chromium
from coursekit.exchange.marking import alike, rubric
from living import MODULE, Living, copy_of, grades, only_folder, table, until
from nbgrader.api import Gradebook

QUESTIONS = [f"tensor-q{number}" for number in range(1, 5)]
NASTY = "</script><script>document.title = 'mine'</script><img src=x onerror=alert(1)> <!-- & 答え"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
WRITTEN = {
    "ada": ["Views share memory.", "Strides, not bytes.", "A copy costs time.", "Bandwidth."],
    "bob": [NASTY, "line\n" * 10_000, "![](attachment:a.png)", "Bandwidth, mostly."],
    "cyd": ["Views share memory.", " ", "No idea.", "Bandwidth."],
    "dan": [None, "Strides and not bytes.", "A copy costs time and memory.", None],
}


def written(course: Living, texts: list[str | None]) -> nbformat.NotebookNode:
    """Return the released notebook with these answers; None leaves what stands there."""
    nb = nbformat.read(course.released, as_version=4)
    cells = {cell.id: cell for cell in nb.cells}
    for name, text in zip(QUESTIONS, texts, strict=True):
        if text is not None:
            cells[name].source = text
        if text and "attachment" in text:
            cells[name].attachments = {"a.png": {"image/png": PIXEL}}
    return nb


@pytest.fixture(scope="module")
def handed_in(built: Living, shared: Callable[..., Path]) -> Living:
    """Return a course whose students wrote answers, graded. Tests must not change it."""

    def make(folder: Path) -> None:
        course = copy_of(built.root, folder / built.root.name)
        rows = (
            'id,name,email,lms_id,section\nada,"Byron, Ada",ada@example.edu,1,\nbob,Bob Ross,,2,\n'
        )
        (course.root / "roster.csv").write_text(rows, encoding="utf-8")
        for student, texts in WRITTEN.items():
            course.hand_in(student, written(course, texts))
        course.ok("grade")

    return Living(only_folder(shared("written", make)))


@pytest.fixture
def course(handed_in: Living, tmp_path: Path) -> Living:
    return copy_of(handed_in.root, tmp_path / "course")


def soup(course: Living, grader: str) -> BeautifulSoup:
    path = course.root / "marking" / f"{MODULE}-{grader}.html"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def data(course: Living, grader: str = "me") -> dict:
    """Return what a page holds."""
    return json.loads(soup(course, grader).find("script", id="data").string)


def answers(page: dict) -> dict[tuple[str, str], dict]:
    return {(a["student"], q["name"]): a for q in page["questions"] for a in q["answers"]}


def marks_file(made: Living, name: str, points: dict[tuple[str, str], float], **other) -> Path:
    """Write what the page of `me` saves after these points were given."""
    page = data(made)
    known = answers(page)
    kept = {key: page[key] for key in ("format", "page", "course", "module", "grader", "made")}
    rows = [
        {"student": who, "question": question, "points": given, "lines": [], "comment": "Good.",
         **{key: known[who, question][key] for key in ("answer", "had", "said")}}
        for (who, question), given in points.items()
    ]  # fmt: skip
    path = made.root.parent / f"{name}.marks.json"
    saved = {"saved": "2027-02-01T10:00:00Z", "marks": rows, **other}
    path.write_text(json.dumps(kept | saved), encoding="utf-8")
    return path


def given(course: Living, student: str, question: str) -> tuple[float | None, str | None, bool]:
    """Return what nbgrader says of an answer: points and comment by hand, and if it waits."""
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as book:
        grade = book.find_grade(question, "tensor_dev", MODULE, student)
        comment = book.find_comment(question, "tensor_dev", MODULE, student)
        return grade.manual_score, comment.manual_comment, grade.needs_manual_grade


def by_hand(course: Living, student: str, question: str, points: float) -> None:
    """Mark an answer as formgrader does."""
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as book:
        grade = book.find_grade(question, "tensor_dev", MODULE, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()


def refused(course: Living, *command: str) -> str:
    """Run a command that must fail; return all that it says."""
    done = course.call(*command)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return " ".join((done.stdout + done.stderr).split())


# ---- Pages


def test_each_page_has_students_of_its_own_and_the_same_ones_again(course: Living) -> None:
    said = course.ok("mark", "01", "--split", "ana,ben")
    assert f"marking/{MODULE}-ana.html: 8 answers by 2 students" in said
    ana, ben = (answers(data(course, name)) for name in ("ana", "ben"))
    waiting = {(who, q) for who, texts in WRITTEN.items()
               for q, text in zip(QUESTIONS, texts, strict=True) if text is not None}  # fmt: skip
    assert {*ana, *ben} == waiting, "what nobody touched has 0 without a person"
    assert not {who for who, _ in ana} & {who for who, _ in ben}
    listed = table(course.root / "marking" / f"{MODULE}.csv")
    assert {row["student"] for row in listed if row["grader"] == "ana"} == {who for who, _ in ana}
    course.ok("mark", "01", "--split", "ana,ben")
    assert (answers(data(course, "ana")), answers(data(course, "ben"))) == (ana, ben)


def test_a_page_needs_nothing_and_runs_nothing_but_its_own_script(course: Living) -> None:
    course.ok("mark", "01")
    page = soup(course, "me")
    held, script = page.find_all("script")
    assert held["type"] == "application/json" and not script.attrs
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy
    assert not page.find_all(["img", "link", "iframe", "object", "embed", "base", "form"])
    assert not re.search(r"https?:|@import|url\(", str(page.head) + script.string)
    known = answers(data(course))
    assert known["bob", "tensor-q1"]["text"] == NASTY
    assert known["bob", "tensor-q2"]["text"].count("\n") >= 9_999
    assert known["bob", "tensor-q3"]["pictures"] == [f"data:image/png;base64,{PIXEL}"]
    assert known["ada", "tensor-q1"]["name"] == "Byron, Ada"


def test_model_answer_and_rubric_stand_beside_the_question(course: Living) -> None:
    course.ok("mark", "01")
    for question in data(course)["questions"]:
        assert question["title"].startswith("Question ") and question["text"]
        assert question["model"] and "rubric" not in question["model"]
        assert sum(line["points"] for line in question["rubric"]) == question["points"] == 5
        assert len(question["rubric"]) > 1


def test_like_answers_follow_each_other_and_the_empty_come_first(course: Living) -> None:
    course.ok("mark", "01")
    order = [[a["student"] for a in q["answers"]] for q in data(course)["questions"]]
    assert order[1][0] == "cyd", "nothing is the shortest answer"
    assert order[0].index("ada") + 1 == order[0].index("cyd"), "the same words"
    assert abs(order[2].index("ada") - order[2].index("dan")) == 1
    assert alike({}) == [] and alike({"b": "", "a": ""}) == ["a", "b"]


def test_an_anonymous_page_names_nobody(course: Living) -> None:
    course.ok("mark", "01", "--anonymous")
    known = answers(data(course))
    text = str(soup(course, "me")).casefold()
    for name in (*WRITTEN, "byron"):
        assert not re.search(rf"\b{name}\b", text)
    (who, question), answer = next((key, a) for key, a in known.items() if a["text"] == NASTY)
    path = marks_file(course, "me", {(who, question): 2})
    course.ok("mark", str(path), "--yes")
    assert given(course, "bob", "tensor-q1") == (2, "Good.", False)
    path = marks_file(course, "me", {key: 2 for key in known if key[0] == who})
    course.ok("mark", str(path), "--yes", "--overwrite")
    course.ok("mark", "01")
    rows = {row["student"]: row["shown as"] for row in table(course.root / f"marking/{MODULE}.csv")}
    assert rows == {"ada": "ada", "bob": who, "cyd": "cyd", "dan": "dan"}, "also of earlier pages"


@pytest.mark.parametrize(
    "text, lines",
    [
        ("- 1: this, 2.5 GB at 10:30. 2: that\n  and that.\n- 2: more", [1, 2, 2]),
        ("- 0.5: one. 4.5: other", [0.5, 4.5]),
        ("- 1: this. 2: that.", [5]),
        ("Full points for what is right.", [5]),
        ("", [5]),
    ],
)
def test_a_rubric_has_the_points_of_its_question(text: str, lines: list[float]) -> None:
    found = rubric(text, 5)
    assert [line["points"] for line in found] == lines
    assert all(line["text"] for line in found)


@pytest.mark.parametrize(
    "command, said",
    [
        (["01", "--split", "ana,Ana"], "name each once"),
        (["01", "--split", "../ana"], "name each once, by letters"),
        (["07"], "There is no module '07'"),
        (["01", "me.marks.json"], "not both at once"),
        (["nowhere.json"], "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_done_is_said(course: Living, command: list[str], said: str) -> None:
    assert said in refused(course, "mark", *command)
    assert not (course.root / "marking").exists()


def test_before_grade_there_is_nothing_to_mark(spoilable: Living) -> None:
    assert "No answer of 01_tensor waits for a mark" in refused(spoilable, "mark", "01")


# ---- Marks files


def test_marks_reach_nbgrader_and_the_next_grade(course: Living) -> None:
    course.ok("mark", "01")
    path = marks_file(course, "me", {("ada", q): 4.5 for q in QUESTIONS})
    said = refused(course, "mark", str(path))
    assert "4 new marks, 0 that replace one" in said and "Nothing is changed yet" in said
    assert given(course, "ada", "tensor-q1") == (None, None, True)
    said = course.ok("mark", str(path), "--yes")
    assert f"{MODULE}: 10 answers are left to mark" in said
    assert given(course, "ada", "tensor-q1") == (4.5, "Good.", False)
    course.ok("grade")
    assert grades(course)["ada"]["written"] == "18.0"
    feedback = course.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "Good." in feedback.read_text(encoding="utf-8")
    assert "0 new marks, 0 that replace one, 4 that are there" in course.ok("mark", str(path))
    course.ok("mark", "01")
    assert "ada" not in {who for who, _ in answers(data(course))}


def test_two_files_that_differ_are_told_and_the_rest_is_taken(course: Living) -> None:
    course.ok("mark", "01")
    q1, q2, q3, _ = QUESTIONS
    ana = marks_file(course, "ana", {("ada", q1): 3, ("ada", q2): 2, ("ada", q3): 1}, page="a")
    ben = marks_file(course, "ben", {("ada", q1): 4, ("ada", q2): 2}, page="b")
    said = refused(course, "mark", str(ana), str(ben), "--yes")
    assert re.search(
        r'ada, Question 1: [^:]+: ana.marks.json says 3 with "Good.", ben.marks.json says 4', said
    )
    assert "2 new marks" in said
    assert [given(course, "ada", q)[0] for q in (q1, q2, q3)] == [None, 2, 1]


def test_of_two_saves_of_one_page_the_later_counts(course: Living) -> None:
    course.ok("mark", "01")
    where = ("ada", "tensor-q1")
    late = marks_file(course, "a", {where: 4}, saved="2027-02-01T12:00:00Z")
    early = marks_file(course, "b", {where: 3})
    course.ok("mark", str(late), str(early), "--yes")
    assert given(course, *where)[0] == 4


def test_somebody_elses_mark_stands_unless_it_is_asked_for(course: Living) -> None:
    course.ok("mark", "01")
    path = marks_file(course, "ben", {("ada", "tensor-q1"): 4, ("ada", "tensor-q2"): 4})
    by_hand(course, "ada", "tensor-q1", 3)
    said = refused(course, "mark", str(path), "--yes")
    assert re.search(r"ada, Question 1: [^:]+: has 3 \(by hand\), ben.marks.json says 4", said)
    assert "not changed; --overwrite takes it" in said
    assert given(course, "ada", "tensor-q1")[0] == 3 and given(course, "ada", "tensor-q2")[0] == 4
    assert not list((course.root / "backups").glob("marks-*"))
    said = course.ok("mark", str(path), "--yes", "--overwrite")
    assert given(course, "ada", "tensor-q1") == (4, "Good.", False)
    (kept,) = (course.root / "backups").glob("marks-*.csv")
    assert kept.name in said
    (row,) = csv.DictReader(kept.open(encoding="utf-8"))
    assert (row["student"], row["name"], row["manual_score"]) == ("ada", "tensor-q1", "3.0")


def test_a_mark_of_an_answer_that_has_changed_is_not_taken(course: Living) -> None:
    course.ok("mark", "01")
    path = marks_file(course, "me", {("ada", "tensor-q1"): 4, ("ada", "tensor-q2"): 4})
    course.hand_in("ada", written(course, ["I was wrong.", *WRITTEN["ada"][1:]]))
    course.ok("grade")
    said = refused(course, "mark", str(path), "--yes")
    assert "the answer has changed since the page was made; not taken" in said
    assert [given(course, "ada", q)[0] for q in QUESTIONS[:2]] == [None, 4]


def test_an_answer_that_was_graded_again_can_be_confirmed(course: Living) -> None:
    course.ok("mark", "01")
    course.ok("mark", str(marks_file(course, "me", {("ada", "tensor-q1"): 4})), "--yes")
    course.hand_in("ada", written(course, ["I was wrong.", *WRITTEN["ada"][1:]]))
    course.ok("grade")
    course.ok("mark", "01")
    assert answers(data(course))["ada", "tensor-q1"]["had"] == 4
    course.ok("mark", str(marks_file(course, "me", {("ada", "tensor-q1"): 4})), "--yes")
    assert given(course, "ada", "tensor-q1") == (4, "Good.", False)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"points": 5.5}, "5.5 points are not between 0 and 5"),
        ({"points": -1}, "-1 points are not between"),
        ({"points": float("nan")}, "nan points are not between"),
        ({"points": "4"}, "is no marks file ($.marks[1].points: '4' is not of type 'number')"),
        ({"points": True}, "True is not of type 'number'"),
        ({"student": "eve"}, "there is no answer of eve to tensor-q2"),
        ({"question": "tensor-init-test"}, "there is no answer of ada to tensor-init-test"),
        ({"comment": None}, "None is not of type 'string'"),
        ({"comment": "\ud800"}, "is no marks file (it is not JSON)"),
    ],
)
def test_one_line_for_what_was_edited_into_nonsense(
    course: Living, change: dict, said: str
) -> None:
    course.ok("mark", "01")
    path = marks_file(course, "me", {("ada", "tensor-q1"): 4, ("ada", "tensor-q2"): 4})
    held = json.loads(path.read_text(encoding="utf-8"))
    held["marks"][1] |= change
    path.write_text(json.dumps(held), encoding="utf-8")
    told = refused(course, "mark", str(path), "--yes")
    assert said in told
    assert given(course, "ada", "tensor-q2") == (None, None, True)
    whole = "is no marks file" not in told
    assert given(course, "ada", "tensor-q1")[0] == (4 if whole else None)


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "is no marks file (it is not JSON)"),
        ("[" * 100_000, "is no marks file (it is not JSON)"),
        ("[]", "[] is not of type 'object'"),
        ('{"format": "mine"}', "is no marks file"),
    ],
)
def test_a_file_that_is_none_stops_no_other(course: Living, text: str, said: str) -> None:
    course.ok("mark", "01")
    bad = course.root.parent / "bad.json"
    bad.write_text(text, encoding="utf-8")
    good = marks_file(course, "good", {("ada", "tensor-q1"): 4})
    assert said in refused(course, "mark", str(bad), str(good), "--yes")
    assert given(course, "ada", "tensor-q1")[0] == 4


def test_a_file_of_another_course_is_not_taken(course: Living) -> None:
    course.ok("mark", "01")
    path = marks_file(course, "me", {("ada", "tensor-q1"): 4}, course="theirs")
    assert "is of theirs, 01_tensor: not in this course" in refused(course, "mark", str(path))


# ---- In formgrader


@pytest.mark.slow
def test_formgrader_has_the_rubric_below_each_answer_and_no_student_has(course: Living) -> None:
    course.ok("grade", "--force", "--student", "ada")  # once more, which adds none
    autograded = course.root / "autograded" / "ada" / MODULE / "tensor_dev.ipynb"
    by_hand(course, "ada", "tensor-q1", 3)
    course.ok("grade")  # reads the notebook again, with what it was given
    nb = nbformat.read(autograded, as_version=4)
    nbformat.validate(nb)
    shown = [cell for cell in nb.cells if "For the grader" in cell.source]
    assert len(shown) == 4 and all("nbgrader" not in cell.metadata for cell in shown)
    for name in QUESTIONS:
        at = next(n for n, cell in enumerate(nb.cells) if cell.id == name)
        assert "Marking rubric" in nb.cells[at + 1].source
    done = course.run("nbgrader", "generate_feedback", MODULE, "--force", "--student", "ada")
    assert done.returncode == 0, done.stderr
    theirs = course.root / "feedback" / "ada" / MODULE / "tensor_dev.html"
    assert "Views share memory." in theirs.read_text(encoding="utf-8")
    assert "For the grader" not in theirs.read_text(encoding="utf-8")
    course.ok("grade", "--force", "--student", "ada")
    assert "For the grader" not in theirs.read_text(encoding="utf-8")


def test_formgrader_shows_names_and_keeps_those_a_person_wrote(course: Living) -> None:
    def named(student: str) -> tuple:
        with Gradebook(f"sqlite:///{course.root}/gradebook.db") as book:
            found = book.find_student(student)
            return found.first_name, found.last_name, found.email

    assert named("ada") == ("Ada", "Byron", "ada@example.edu")
    assert named("bob")[:2] == ("Bob", "Ross")
    course.edit(course.root / "roster.csv", '"Byron, Ada"', "Somebody Else")
    course.ok("grade")
    assert named("ada")[:2] == ("Ada", "Byron")


# ---- In a browser


def test_a_person_marks_a_page_by_keyboard_and_loses_nothing(
    course: Living, tmp_path: Path
) -> None:
    course.ok("mark", "01", "--split", "ana")
    page = course.root / "marking" / f"{MODULE}-ana.html"
    count = len(answers(data(course, "ana")))
    with Chromium(tmp_path) as browser:
        browser.open(page)
        assert "0 of 3 · question 1 of 4 · 0 of 14 in all" in browser.text("progress")
        browser.press("1", "2", "+", "c", *"Show it.", "Enter", "Enter")
        for number in range(count - 2):
            if number == 5:
                browser.reload()
                assert browser.text("progress").endswith(f"{number + 1} of {count} in all")
            browser.press("r", "1", "3", "Enter") if number % 2 else browser.press("0", "Enter")
        browser.press("s")
        assert f"{count - 1} marks are in" in browser.text("status")
        browser.press("1", "u")
        assert browser.text("progress").endswith(f"{count - 1} of {count} in all")
        browser.press("1", "Enter")
        assert "All answers are marked" in browser.text("status")
        browser.press("s")
        assert f"{count} marks are in" in browser.text("status")
        saved = browser.downloads / f"{MODULE}-ana.marks.json"
        until(lambda: saved.is_file() and saved.read_text("utf-8").count('"points"') == count)
        assert browser.asked_to_leave == 1 and not browser.errors
        assert browser.run("document.title") == f"{MODULE}, ana: marking", (
            "no script of a student's"
        )
    held = json.loads(saved.read_text(encoding="utf-8"))
    assert len(held["marks"]) == count
    first = held["marks"][0]
    assert first["points"] == 3.5 and first["comment"] == "Show it." and len(first["lines"]) == 2
    said = course.ok("mark", str(saved), "--yes")
    assert f"{count} new marks" in said and f"{MODULE}: 0 answers are left" in said
    assert given(course, first["student"], first["question"]) == (3.5, "Show it.", False)
    course.ok("grade")
    assert grades(course)["ada"]["written"]


def test_one_mark_for_all_that_are_the_same_and_a_browser_that_keeps_nothing(
    course: Living, tmp_path: Path
) -> None:
    course.ok("mark", "01")
    with Chromium(tmp_path) as browser:
        forbid = "Storage.prototype.setItem = () => { throw new Error('full') }"
        browser.ask("Page.addScriptToEvaluateOnNewDocument", source=forbid)
        browser.open(course.root / "marking" / f"{MODULE}-me.html")
        while "ada" not in browser.text("who"):
            browser.press("ArrowRight")
        assert "1 others have the same text" in browser.text("status")
        browser.press("1", "a")
        assert browser.text("progress").startswith("2 of 3")
        assert "save before you close it" in browser.text("status")
        browser.press("u", "u")
        assert browser.text("progress").startswith("0 of 3")
