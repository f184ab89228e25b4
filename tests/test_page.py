"""The feedback page: small, our own, with what a student needs first, and nothing that runs."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from coursekit import notebook
from living import MODULE, Living, copy_of, graded, marked, only_folder, solutions, words_on
from nbformat.v4 import new_code_cell, new_markdown_cell

KB = 1000


def half(course: Living) -> nbformat.NotebookNode:
    return course.solved(lambda number: number < 6)


def faulty(course: Living) -> nbformat.NotebookNode:
    """Return work of which the visible tests pass in one exercise, fail in one, warn in one."""
    nb = course.solved()
    cells = {cell.id: cell for cell in nb.cells}
    cells["tensor-strides"].source += """
right = read_strided
def read_strided(buffer, shape, strides, offset=0):
    return "SECRETS" if 0 in shape else right(buffer, shape, strides, offset)
"""
    cells["tensor-init"].source += "\nimport warnings\nplain_init = Tensor.__init__\n"
    cells["tensor-init"].source += "def loud(self, *a, **k):\n    warnings.warn('slow')\n"
    cells["tensor-init"].source += "    plain_init(self, *a, **k)\nTensor.__init__ = loud\n"
    cells["tensor-factories"].source += "\ndef zeros(*a, **k):\n    return 'a string of mine'\n"
    return nb


def everything_failing(course: Living) -> nbformat.NotebookNode:
    """Return work whose every cell is long, loud and wrong."""
    nb = course.solved()
    for cell in solutions(nb):
        if cell.cell_type == "code":
            cell.source += "\n" + '# 長い <thought> & "more"\n' * 2000
        else:
            cell.source = "A long <answer> & 答え. " * 5000
    cells = {cell.id: cell for cell in nb.cells}
    cells["tensor-init"].source += """
def wrong(*a, **k):
    print("<loud> " * 9000)
    raise ValueError("<wrong> " * 9000)
Tensor.__init__ = wrong
"""
    return nb


WORK = {
    "perfect": lambda course: course.solved(),
    "half": half,
    "faulty": faulty,
    "failing": everything_failing,
    "untouched": lambda course: nbformat.read(course.released, as_version=4),
}


@pytest.fixture(scope="module")
def term(built: Living, shared) -> Living:
    """Return a course with work of all these kinds, graded. Tests must not change it."""

    def make(folder: Path) -> None:
        course = copy_of(built.root, folder / built.root.name)
        for student, work in WORK.items():
            course.hand_in(student, work(course))
        course.hand_in("refused", "{")
        course.ok("grade")

    return Living(only_folder(shared("pages", make)))


def page_of(course: Living, student: str) -> BeautifulSoup:
    path = course.root / "feedback" / student / MODULE / "tensor_dev.html"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def text_of(tag) -> str:
    return " ".join(tag.get_text(" ").split())


@pytest.fixture
def titles(built: Living) -> list[str]:
    """Return the titles of the exercises and questions, in order."""
    cells = notebook.read(built.source).cells
    return list(dict.fromkeys(notebook.titles(cells).values()))


@pytest.mark.parametrize("student", [*WORK, "refused"])
def test_a_page_is_small_and_needs_nothing_but_itself(term: Living, student: str) -> None:
    page = page_of(term, student)
    assert len(str(page).encode()) <= 60 * KB
    assert not re.search(r"https?:|@import|url\(|javascript:", str(page.head))
    assert not page.find_all(["script", "link", "iframe", "object", "embed", "base", "form"])
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "script-src" not in policy


@pytest.mark.parametrize("student", WORK)
def test_at_its_head_stand_the_score_and_a_line_per_exercise(
    term: Living, student: str, titles: list[str]
) -> None:
    page = page_of(term, student)
    rows = page.table.find_all("tr")
    assert [row.a.get_text() for row in rows] == titles
    for row in rows:
        assert page.find(id=row.a["href"][1:]).summary, "its link leads to the exercise"
        assert re.fullmatch(r"([\d.]+|to mark) of \d+", text_of(row.find_all("td")[1]))
    shown = [text_of(row.find_all("td")[1]) for row in rows]
    known = sum(float(text.split()[0]) for text in shown if not text.startswith("to mark"))
    assert sum(int(text.split()[-1]) for text in shown) == 100
    score = float(re.search(r"Score: ([\d.]+) / 100", text_of(page))[1])
    assert score == known == {"perfect": 80, "untouched": 0}.get(student, score)
    assert (score < 20) == (student in ("failing", "untouched"))
    assert page.table.find_all_previous("details") == [], "the table comes first"


@pytest.mark.parametrize("student", WORK)
def test_what_lost_points_comes_first_unfolded_the_rest_is_folded(
    term: Living, student: str
) -> None:
    page = page_of(term, student)
    lost = [row.a["href"][1:] for row in page.table.find_all("tr") if row.select(".lost")]
    parts = page.find_all("details")
    assert [part["id"] for part in parts if part.has_attr("open")] == lost
    assert [part["id"] for part in parts][: len(lost)] == lost
    assert len(lost) in {"perfect": [0], "faulty": [3]}.get(student, range(9, 30))


def test_a_hidden_test_that_failed_is_told_by_its_topic_alone(term: Living) -> None:
    page = page_of(term, "faulty")
    (row,) = [r for r in page.table.find_all("tr") if "twenty lines" in text_of(r)]
    assert "hidden: no elements" in text_of(row)
    part = page.find(id=row.a["href"][1:])
    assert "(hidden: no elements)" in text_of(part)
    outside = [text for text in page.find_all(string=True) if "SECRETS" in text]
    assert all("def read_strided" in text for text in outside), "only in their own solution"
    hidden = [line for cell in notebook.read(term.source).cells if notebook.is_test(cell)
              for line in notebook.split_regions(cell.source)[1]]  # fmt: skip
    lines = {line.strip() for line in str(page).splitlines()}
    assert not lines & {line.strip() for line in hidden if len(line.strip()) > 20}


def test_a_test_that_students_see_shows_what_it_gave(term: Living) -> None:
    page = page_of(term, "faulty")
    words = text_of(page)
    assert "a string of mine" in words
    assert "Something was written to stderr while this test ran" in words
    assert "UserWarning: slow" in words


def test_a_stub_is_called_by_its_name(term: Living) -> None:
    assert "This needs a solution that is not written yet." in text_of(page_of(term, "half"))
    assert "NotImplementedError:" not in text_of(page_of(term, "half"))


def test_a_page_of_what_could_not_be_graded_says_why(term: Living) -> None:
    words = text_of(page_of(term, "refused"))
    assert "could not be graded and has 0 points: tensor_dev.ipynb is not a notebook" in words


def test_comments_and_marks_by_hand_are_on_it(spoilable: Living) -> None:
    import sqlite3
    from contextlib import closing

    spoilable.hand_in("ada", spoilable.solved())
    spoilable.ok("grade")
    marked(spoilable, "ada", 3.5)
    with closing(sqlite3.connect(spoilable.root / "gradebook.db")) as db, db:
        db.execute("UPDATE comment SET manual_comment = 'Well <i>said</i>.'")
    spoilable.ok("grade")
    page = page_of(spoilable, "ada")
    assert "Score: 94 / 100" in text_of(page)
    assert "3.5 of 5" in text_of(page.table) and "to mark" not in text_of(page)
    assert "Comment: Well <i>said</i>." in text_of(page), "as text, not as HTML"


def test_scripts_of_a_student_do_not_reach_it(spoilable: Living) -> None:
    nb = spoilable.solved()
    code, *_ = (cell for cell in solutions(nb) if cell.cell_type == "code")
    text, *_ = (cell for cell in solutions(nb) if cell.cell_type == "markdown")
    code.source += "\n# </pre><script>alert('in code')</script>"
    text.source = "<script>alert('in an answer')</script>\n\n![](javascript:alert(1))"
    text.attachments = {"a.png": {"image/svg+xml": "QUJD", "image/png": 'QUJD" onerror="alert(1)'}}
    nb.cells.append(new_markdown_cell("<script>alert('in a text')</script>"))
    nb.cells.append(
        new_code_cell("from IPython.display import HTML\nHTML('<img src=x onerror=alert(1)>')")
    )
    cells = {cell.id: cell for cell in nb.cells}
    cells[
        "tensor-factories"
    ].source += (
        "\ndef zeros(*a, **k):\n    raise ValueError(\"<img src=x onerror=alert('in an error')>\")"
    )
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    page = page_of(spoilable, "eve")
    assert not page.find_all("script")
    assert not [tag for tag in page.find_all(True) if [a for a in tag.attrs if a.startswith("on")]]
    assert all(image["src"].startswith("data:image/") for image in page.find_all("img"))
    assert "in an error" in text_of(page) and "in an answer" in text_of(page)


def test_every_test_has_an_exercise(built: Living, titles: list[str]) -> None:
    """Or its line on the page would be headed by a grade_id."""
    cells = graded(nbformat.read(built.released, as_version=4))
    assert len(titles) > 10 and not set(titles) & {cell.id for cell in cells}
    assert words_on("<p>a</p>\n<p>b</p>") == "a b"
