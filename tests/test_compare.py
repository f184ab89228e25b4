"""compare: what two have and few others, side by side; the task's own text and no verdict."""

from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from living import MODULE, Living, solutions

COPIED = '''
def same(first, second):
    """Tell whether two tables hold the same, which took me all of last Tuesday to get right."""
    rows = [[x * y + 3 for x in first] for y in second]
    return max(abs(p - q) for p, q in zip(sum(rows, []), reversed(sum(rows, [])))) < 1e-7
'''
RENAMED = """
def check(one, two):
    found = [[u * v + 3 for u in one] for v in two]
    return max(abs(m - n) for m, n in zip(sum(found, []), reversed(sum(found, [])))) < 1e-7
"""
NASTY = "</pre><script>alert(1)</script> " + " ".join(f"word{number}" for number in range(20))


def work(course: Living, *own: str, answer: str = "") -> nbformat.NotebookNode:
    """Return the released notebook with a student's own cells, and an answer."""
    nb = nbformat.read(course.released, as_version=4)
    nb.cells[9:9] = [nbformat.v4.new_code_cell(text, id=f"own-{n}") for n, text in enumerate(own)]
    if answer:
        next(cell for cell in solutions(nb) if cell.cell_type == "markdown").source = answer
    return nb


def graded(
    course: Living, works: dict[str, nbformat.NotebookNode], root: str = "autograded"
) -> Path:
    """Put works where grading leaves them."""
    for student, nb in works.items():
        path = course.root / root / student / MODULE / "tensor_dev.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, path)
    return course.root / root


def page_of(course: Living, *options: str) -> BeautifulSoup:
    course.ok("compare", "1", *options)
    path = course.root / "compare" / f"{MODULE}.html"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pairs(page: BeautifulSoup) -> list[str]:
    return [summary.contents[0] for summary in page.find_all("summary")]


def test_a_copy_is_found_whatever_its_names_and_the_task_itself_is_not(spoilable: Living) -> None:
    works = {"ada": work(spoilable, COPIED), "bob": work(spoilable, "# mine", RENAMED)}
    graded(spoilable, works | {"cyd": work(spoilable), "dan": work(spoilable, "import math")})
    page = page_of(spoilable)
    assert pairs(page) == ["ada and bob"], "the release is in all four"
    marked = [[mark.get_text() for mark in side.find_all("mark")] for side in page.find_all("pre")]
    assert len(marked) == 2, "a copy does not stand beside its own, in whichever cell it is"
    for text in map("".join, marked):
        assert "+ 3 for" in text and "< 1e-7" in text and "Tuesday" not in text
    assert {mark["title"] for mark in page.select("pre mark")} == {"nobody else has this"}
    assert "says nothing about a person" in " ".join(page.get_text().split())


def test_the_text_of_a_task_is_not_marked_where_a_solution_follows_it(spoilable: Living) -> None:
    nb = work(spoilable)
    text = "# a list has no dtype so we ask NumPy first of all\n    here = [1, 2][0] + len((3, 4))"
    cell = next(c for c in solutions(nb) if "# YOUR CODE HERE" in c.source and "# HINT" in c.source)
    hint = cell.source.partition("# HINT")[2].splitlines()[1].strip("# -")
    cell.source = cell.source.replace("# YOUR CODE HERE", text)
    graded(spoilable, {"ada": nb, "bob": nb})
    marked = " ".join(mark.get_text() for mark in page_of(spoilable).pre.find_all("mark"))
    assert "no dtype so we ask NumPy first of all" in marked
    assert len(hint) > 20 and hint not in marked


def test_what_is_rare_comes_first_and_what_many_have_brings_nobody_together(
    spoilable: Living,
) -> None:
    common = COPIED.replace("+ 3", "- 5").replace("Tuesday", "week, and then another day,")
    works = {f"s{n:02}": work(spoilable, common) for n in range(14)}
    graded(spoilable, works | {"s03": work(spoilable, common, COPIED)})
    assert pairs(page_of(spoilable)) == []
    few = {"s05": work(spoilable, COPIED), "s06": work(spoilable, COPIED, NASTY)}
    graded(spoilable, few | {"s07": work(spoilable, common, NASTY)})
    page = page_of(spoilable)
    assert pairs(page)[0] == "s06 and s07", "two have it, three the other"
    assert sorted(pairs(page)[1:]) == ["s03 and s05", "s03 and s06", "s05 and s06"]
    assert {mark["title"] for mark in page.find_all("details")[1].select("mark.few")} == {
        "one other has this, too"
    }


def test_answers_count_and_nothing_of_a_student_is_run(spoilable: Living) -> None:
    graded(spoilable, {name: work(spoilable, answer=NASTY) for name in ("ada", "bob")})
    page = page_of(spoilable)
    assert pairs(page) == ["ada and bob"]
    assert not page.find_all("script")
    assert "</pre><script>" in page.pre.get_text()
    assert "default-src 'none'" in page.find("meta", {"http-equiv": True})["content"]


def test_earlier_terms_are_compared_with_this_one_and_not_among_themselves(
    spoilable: Living,
) -> None:
    graded(spoilable, {"ada": work(spoilable, RENAMED)})
    old = graded(spoilable, {n: work(spoilable, COPIED) for n in ("ada", "old")}, root="autumn")
    assert pairs(page_of(spoilable, "--with", str(old))) == [
        f"ada and ada ({old})",
        f"ada and old ({old})",
    ]


def test_what_cannot_be_compared_is_said_in_one_line(spoilable: Living, tmp_path: Path) -> None:
    assert "run `nox -s grade` first" in spoilable.refused("compare", "1")
    folder = graded(spoilable, {"ada": work(spoilable), "bob": work(spoilable)})
    (folder / "bob" / MODULE / "tensor_dev.ipynb").write_text("{", encoding="utf-8")
    assert "Left out: bob: " in spoilable.ok("compare", "1")
    assert f"{tmp_path} holds no STUDENT/" in spoilable.refused(
        "compare", "1", "--with", str(tmp_path)
    )
    with pytest.raises(AssertionError, match="required"):
        spoilable.ok("compare")
