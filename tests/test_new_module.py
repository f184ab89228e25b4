"""An author's ways: a new module, a new exercise, what checks say, edits made in JupyterLab."""

import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nbformat
import pytest
from delimiters import ROOT
from living import Living, copy_of, snapshot, table

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit.course import load  # noqa: E402
from coursekit.upkeep import new_module  # noqa: E402

NAME = "08_convolutions"
ONLY = f"--module={NAME}"
LAX = "[standards.08_convolutions]"


def folder(course: Living, name: str = NAME) -> Path:
    return course.root / "modules" / name


def source(course: Living, name: str = NAME) -> Path:
    return folder(course, name) / f"{name[3:]}_dev.py"


@pytest.fixture(scope="module")
def made(fresh: Living, shared: Callable[..., Path]) -> tuple[Living, str]:
    """Return a course with a new module, and what was said when it was made."""

    def make(to: Path) -> None:
        said = copy_of(fresh.root, to / "course").ok("new-module", NAME)
        (to / "said.txt").write_text(said, encoding="utf-8")

    place = shared("made", make)
    return Living(place / "course"), (place / "said.txt").read_text(encoding="utf-8")


@pytest.fixture
def grown(made: tuple[Living, str], tmp_path: Path) -> Living:
    """Return a copy of that course which a test may change."""
    return copy_of(made[0].root, tmp_path / made[0].root.name)


def standards(course: Living, *options: str) -> dict[str, list[str]]:
    """Return what the standards complain of, line by line, by module."""
    report = course.root / "report.xml"
    course.run("pytest", "tests/test_standards.py", "-n0", f"--junitxml={report}", *options)
    found: dict[str, list[str]] = {}
    for case in ET.parse(report).iter("testcase"):
        module = re.search(r"\[(.*)\]", case.get("name"))
        if not module:  # a file that is skipped as a whole
            continue
        lines = [line for failure in case.iter("failure") for line in failure.text.splitlines()]
        found.setdefault(module[1], []).extend(lines)
        assert not list(case.iter("error")), case.get("name")
    return found


# ---- A new module


@pytest.mark.slow
def test_it_says_what_a_full_module_has(made: tuple[Living, str], grown: Living) -> None:
    _, said = made
    for needed in (
        "1 of 2 figures are there",
        "1 of 3 questions are there",
        "3 of 8 student bugs are there",
        "its points add up to 10, not 100",
        "the text '## 🎯 Module Summary': still to write: what was built",
        f"modules/{NAME}/README.md: still to write: what it is good for.",
    ):
        assert needed in said
    assert "**Learning Objectives:**" not in said, "which is there"
    listed = [line[4:] for line in said.splitlines() if line.startswith("  - ")]
    assert standards(grown, ONLY, "--full")[NAME] == listed, "the same once more"


def test_it_knows_its_place_in_the_course(made: tuple[Living, str]) -> None:
    assert LAX in (made[0].root / "course.toml").read_text(encoding="utf-8")
    text = source(made[0]).read_text(encoding="utf-8")
    assert "**You are here:** 01 Tensor → **08 Convolutions**" in text
    assert f"from {made[0].package}.testing import (" in text


@pytest.mark.slow
def test_an_unfilled_module_builds_grades_and_is_green(grown: Living) -> None:
    """And once more with a second exercise in it."""
    grown.edit(grown.root / "course.toml", "cell_seconds = 10", "cell_seconds = 1")
    for exercises in (1, 2):
        assert f"{NAME} is a draft" in grown.ok("build")
        grown.ok("build", NAME)
        grown.ok("grade", "--demo", NAME)
        rows = {row["student"]: row for row in table(grown.root / "demo" / "grades.csv")}
        assert float(rows["perfect"]["automatic"]) == 8 * exercises
        assert float(rows["untouched"]["automatic"]) == 0
        done = grown.run("coursekit", "test", NAME, "-n0", "--all")
        assert done.returncode == 0, done.stdout
        for command in (["check"], ["format", "--check"]):
            done = grown.run("ruff", *command, "--no-cache", ".")
            assert done.returncode == 0, done.stdout
        if exercises == 1:
            grown.ok("new-exercise", NAME, "Pool a picture")


REFUSED = {
    "8_convolutions": "two digits and a word",
    "09_Convolutions": "two digits and a word",
    "09-convolutions": "two digits and a word",
    "convolutions": "two digits and a word",
    "../09_up": "two digits and a word",
    "09_class": "two digits and a word",
    "01_matrix": "01_tensor has this number or this word",
    "09_tensor": "01_tensor has this number or this word",
    "09_viz": "petitorch/viz.py is there already",
    NAME: f"modules/{NAME} is there already",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_does_not_do_is_refused(made: tuple[Living, str], name: str) -> None:
    course, _ = made
    before = snapshot(course.root)
    said = course.refused("new-module", name)
    assert REFUSED[name] in said and said.count("\n") == 1
    assert snapshot(course.root) == before


# ---- A new exercise


def test_an_exercise_is_added_and_all_else_stays(grown: Living) -> None:
    before = source(grown).read_text(encoding="utf-8").split("\n# %%")
    said = grown.ok("new-exercise", "8", "Pool a picture")
    assert "Exercise 2" in said
    after = source(grown).read_text(encoding="utf-8").split("\n# %%")
    new = [piece for piece in after if piece not in before]
    gone = [piece for piece in before if piece not in after]
    assert len(gone) == 1 and "def run_all_tests" in gone[0]
    assert len(new) == 6 and "def run_all_tests" in new[-1]
    assert [piece for piece in after if piece in before] == [p for p in before if p not in gone]
    assert after.index(new[0]) < next(n for n, p in enumerate(after) if "## It works" in p)
    (backup,) = (grown.root / "backups").rglob("convolutions_dev.py")
    assert backup.read_text(encoding="utf-8").split("\n# %%") == before


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("", "cannot be the title"),
        ("2 pictures", "cannot be the title"),
        ("Lambda", "cannot be the title"),
        ("Sum", "cannot be the title"),
        ('Pool "it"', "cannot be the title"),
        ("A title that is longer than what the table holds", "cannot be the title"),
        ("Moving average", "uses the name moving_average already"),
        ("check array", "uses the name check_array already"),
        ("np", "uses the name np already"),
        ("Pool\na picture", "cannot be the title"),
    ],
)
def test_a_title_that_does_not_do_is_refused(
    made: tuple[Living, str], title: str, why: str
) -> None:
    course, _ = made
    before = snapshot(course.root)
    said = course.refused("new-exercise", NAME, title)
    assert why in said and said.count("\n") == 1
    assert snapshot(course.root) == before


def test_other_scripts_and_long_titles_make_a_name(grown: Living) -> None:
    grown.ok("new-exercise", NAME, "Über Bilder, größer als zuvor")
    text = source(grown).read_text(encoding="utf-8")
    assert "def uber_bilder_groer(x, width):" in text


# ---- What is wrong is said, in a sentence that says where

SUMMARY = "## 🎯 Module Summary"
# Of each module: changes, and the only complaints that they bring. STEM is the module's own.
BROKEN: list[list[tuple[str, str, list[str]]]] = [
    [
        ('print("✅ Moving average")', 'print("done")', ["STEM-moving-average-test prints no ✅"]),
        ("    ### BEGIN HIDDEN TESTS\n", "", ["STEM-moving-average-beyond has no hidden tests"]),
        ("    ### END HIDDEN TESTS\n", "", []),
        ("**You are here:**", "Here:", ["the first cell does not say '**You are here:**'"]),
        (
            "## Part 3: Production Context",
            "## Elsewhere",
            ["STEM_dev.py has no heading '## Part 3: Production Context'"],
        ),
        (SUMMARY, f"{SUMMARY}\n🚀", ["the text '## 🎯 Module Summary': remove 🚀"]),
        (
            "rng = np",
            f"# {'long ' * 20}\n    rng = np",
            ["STEM-moving-average-beyond: a line has 1"],
        ),
        (
            "### Testing Moving",
            "### Trying Moving",
            ["STEM-moving-average is no text '### Testing"],
        ),
    ],
    [
        (
            '    """Return the mean of each `width` neighbours in x, a 1-D array of floats.\n\n'
            "    The result has len(x) - width + 1 numbers of x's dtype. ValueError unless width "
            'is\n    from 1 to len(x).\n    """\n',
            "",
            ["cell STEM-moving-average: moving_average has no docstring"],
        ),
        (
            "    # HINTS\n    # - The last one starts at len(x) - width.\n",
            "",
            ["has no comment '# HINTS': say what helps", "has no comment '# -': say the hints"],
        ),
        (
            'beyond", "locked": true, "points": 2',
            'beyond", "locked": true, "points": 4',
            [
                "STEM-moving-average-test has 60% of the points, and needs 70%",
                "must list (1, 'Moving average', 'test_moving_average', 6, 4): add it",
                "lists (1, 'Moving average', 'test_moving_average', 6, 2), but no exercise",
                "README.md: its table of exercises needs the row | 1 | Moving average | … | 10 |",
                "README.md: its row of exercise 1, 'Moving average', is not as in",
            ],
        ),
        (
            "        tracemalloc.stop()\n",
            "",
            ["STEM-profile-memory uses tracemalloc, but never calls tracemalloc.stop()"],
        ),
        ("**Marking rubric", "**Marks", ["cell STEM-q1 has no marking rubric"]),
    ],
    [
        ("STEM-imports", "STEM-threads", ["'STEM-threads' stands 2 times, in STEM_dev.py"]),
        (
            'testing", "locked": true',
            'testing", "locked": false',
            ['cell STEM-testing must have "locked": true'],
        ),
        (
            'STEM-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false',
            'STEM-run-all", "locked": true, "schema_version": 3, "solution": false',
            ["cell 'STEM-run-all' lacks the nbgrader metadata task"],
        ),
        (
            '\n\nif __name__ == "__main__":\n    run_all_tests()\n',
            "",
            ["STEM-run-all must end with `if __name__"],
        ),
        ("        peak =", "        hasattr(x, 'T')\n        peak =", ["'hasattr(': no hasattr()"]),
        ("\n\nprofile_speed()\n", "\n", ["STEM-profile-speed defines its measurement but never"]),
        (
            'STEM-works", "locked": true, "schema_version": 3, "solution": false, "task": false}, '
            '"tags": ["profiling"]}',
            'STEM-works", "locked": true, "schema_version": 3, "solution": false, "task": false}}',
            [
                "below '## It works: …' is no code cell with the tag",
                'cell STEM-works draws or measures: give it "tags": ["profiling"]',
            ],
        ),
    ],
    [
        (
            "].mean() for",
            "].mean()) for",
            ["cell 'STEM-moving-average' does not parse", "adds, and does not divide': its `old`"],
        ),
    ],
    [
        (
            "].mean() for",
            "].max() for",
            [
                "STEM-moving-average: the solution does not give what # EXAMPLE says",
                "adds, and does not divide': its `old` stands 0 times",
            ],
        ),
        ("\n\ntest_moving_average()\n", "\n", ["'STEM-moving-average-test' never calls"]),
        ("    # hidden: random inputs\n", "", ["above its hidden tests", "must name its topics"]),
        ("figure.svg)", "other.svg)", ["other.svg is missing", "figure.svg: no cell shows it"]),
    ],
]


@pytest.fixture(scope="module")
def complaints(fresh: Living, shared: Callable[..., Path]) -> dict[str, list[str]]:
    """Return the complaints of the checks, by module: all of BROKEN, and some that are right."""

    def check(to: Path) -> None:
        course = copy_of(fresh.root, to / fresh.root.name)
        for number, changes in enumerate(BROKEN):
            name = f"1{number}_broken{number}"
            new_module.make(load(course.root), name)
            for old, new, _ in changes:
                both = (text.replace("STEM", name[3:]) for text in (old, new))
                course.edit(source(course, name), *both)
        small(course)
        new_module.make(load(course.root), "21_unfilled")
        new_module.make(load(course.root), "22_grown")
        for title in ("Pool a picture", "Über Bilder, größer als zuvor"):
            course.ok("new-exercise", "22_grown", title)
        (to / "complaints.json").write_text(json.dumps(standards(course)), encoding="utf-8")

    place = shared("complaints", check)
    return json.loads((place / "complaints.json").read_text(encoding="utf-8"))


def small(course: Living) -> None:
    """Make a module of eight points that has no more than an exercise."""
    module = new_module.make(load(course.root), "20_small")
    keep = ("threads", "imports", "testing", "moving-average", "run-all")
    head, *pieces = re.split(r"^(?=# %%)", module.source.read_text(encoding="utf-8"), flags=re.M)
    kept = [
        p for p in pieces if re.search(rf"small-({'|'.join(keep)})|# Module|## Exerc|# Test", p)
    ]
    module.source.write_text(head + "".join(kept), encoding="utf-8")
    (module.path / "figure.svg").unlink()
    asked = "points = 8\nwritten = 0\nquestions = 0\nmutants = 3\nfigures = 0\nanatomy = false\n"
    text = (course.root / "course.toml").read_text(encoding="utf-8")
    head, _, own = text.rpartition("points = 0")
    (course.root / "course.toml").write_text(head + asked + "draft = true\n", encoding="utf-8")


def test_what_is_wrong_is_said_and_nothing_else(complaints: dict[str, list[str]]) -> None:
    for number, changes in enumerate(BROKEN):
        name = f"1{number}_broken{number}"
        expected = [text.replace("STEM", name[3:]) for _, _, texts in changes for text in texts]
        found = [line for line in complaints[name] if not line.startswith((" ", "Expected", "Got"))]
        unsaid = [text for text in expected if not any(text in line for line in found)]
        beside = [line for line in found if not any(text in line for text in expected)]
        assert (name, unsaid, beside) == (name, [], [])
    assert complaints["20_small"] == [], "for course.toml may ask for less"


def test_of_an_unfilled_module_only_what_is_there_is_asked(complaints: dict) -> None:
    assert complaints["21_unfilled"] == complaints["22_grown"] == []


def test_a_solution_that_is_nonsense_stops_the_build(grown: Living) -> None:
    grown.edit(
        source(grown), "    return np.array(", "    return np.zeros(3)\n    return np.array("
    )
    said = grown.refused("build", NAME)
    assert "convolutions_dev.py: convolutions-moving-average-test: the solution gets 0 of 6" in said


def test_files_that_cannot_be_read_are_one_line(grown: Living) -> None:
    path = folder(grown) / "mutants.toml"
    path.write_text("[[mutant]\n", encoding="utf-8")
    done = grown.run("coursekit", "test", NAME, "-n0")
    assert done.returncode != 0
    assert f"ERROR: {path}: list student bugs" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "[standards.01_tensor]\npoint = 10",
            "[standards.01_tensor] has no setting point; did you",
        ),
        ("[standards.09_magic]\npoints = 10", "[standards.09_magic]: no module '09_magic'"),
        ("[standards.01_tensor]\npoints = -1", "points is -1; it must be zero or more"),
        ("[standards.01_tensor]\nanatomy = 1", "anatomy is 1; it must be a yes or no: true or"),
    ],
)
def test_a_wrong_table_of_standards(spoilable: Living, table: str, message: str) -> None:
    path = spoilable.root / "course.toml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{table}\n", encoding="utf-8")
    said = spoilable.refused("sync")
    assert message in said and said.count("\n") == 1


# ---- From JupyterLab back into the .py


def edited(path: Path, change: Callable[[list], object]) -> None:
    """Change the cells of a notebook as a person does in JupyterLab, and run it."""
    nb = nbformat.read(path, as_version=4)
    change(nb.cells)
    for cell in nb.cells:
        cell.metadata["editable"] = True
        if cell.cell_type == "code":
            cell.execution_count = 1
            cell.outputs = [nbformat.v4.new_output("stream", text="done")]
    nb.metadata["language_info"] = {"name": "python", "version": "3.14"}
    nbformat.write(nb, path)


def cell_of(cells: list, name: str) -> nbformat.NotebookNode:
    return next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def test_a_notebook_that_was_only_run_changes_no_byte(spoilable: Living) -> None:
    before = snapshot(spoilable.root)
    edited(spoilable.notebook, lambda cells: None)
    assert "nothing to take over" in spoilable.ok("sync", "--from-notebook", "--yes")
    before["modules/01_tensor/tensor_dev.ipynb"] = spoilable.notebook.read_bytes()
    assert snapshot(spoilable.root) == before


def test_edits_come_back_and_all_else_stays(spoilable: Living) -> None:
    before = spoilable.source.read_text(encoding="utf-8")
    new = "# A new part\n\nIn *two* lines."

    def edit(cells: list) -> None:
        cells[0].source = cells[0].source.replace("Module 01", "MODULE 01")
        cells.insert(1, nbformat.v4.new_markdown_cell(new))
        cell_of(cells, "tensor-imports").source += "\nx = 1  # ±\n"
        cells.remove(cells[-1])

    edited(spoilable.notebook, edit)
    said = spoilable.refused("sync", "--from-notebook", "1")
    assert "Nothing is changed yet" in said
    assert spoilable.source.read_text(encoding="utf-8") == before
    said = spoilable.ok("sync", "--from-notebook", "1", "--yes")
    assert "+# MODULE 01" in said and "+x = 1  # ±" in said and "editable" not in said
    after = spoilable.source.read_text(encoding="utf-8")
    end = before.rindex("\n# %% [markdown]")
    wanted = before[:end].replace("# Module 01", "# MODULE 01", 1)
    start = wanted.index("# %% [code]")
    wanted = f'{wanted[:start]}# %% [markdown]\n"""\n{new}\n"""\n\n{wanted[start:]}'
    assert after.replace("\nx = 1  # ±", "", 1) == wanted
    spoilable.ok("sync", "--check")
    kept = {path.name: path for path in (spoilable.root / "backups").rglob("tensor_dev.*")}
    assert kept["tensor_dev.py"].read_text(encoding="utf-8") == before
    assert "editable" in kept["tensor_dev.ipynb"].read_text(encoding="utf-8")


def test_cells_without_ids_come_back(spoilable: Living) -> None:
    """As Colab and tools of an older format save them; and a .py with a byte order mark."""
    before = spoilable.source.read_text(encoding="utf-8")
    spoilable.source.write_text("\ufeff" + before, encoding="utf-8")
    book = json.loads(spoilable.notebook.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        del cell["id"]
    book["cells"][-1]["source"] = "The end."
    spoilable.notebook.write_text(json.dumps(book | {"nbformat_minor": 4}), encoding="utf-8")
    assert "+The end." in spoilable.ok("sync", "--from-notebook", "--yes")
    end = before.rindex("# %% [markdown]")
    wanted = f'{before[:end]}# %% [markdown]\n"""\nThe end.\n"""\n'
    assert spoilable.source.read_text(encoding="utf-8") == wanted
    spoilable.ok("sync", "--check")


def test_what_cannot_be_taken_over_whole_changes_nothing(spoilable: Living) -> None:
    edited(spoilable.notebook, lambda cells: cells[-1].update(source="The end."))
    with (spoilable.root / spoilable.package / "tensor.py").open("a", encoding="utf-8") as text:
        text.write("# by hand\n")
    before = snapshot(spoilable.root)
    said = spoilable.refused("sync", "--from-notebook", "--yes")
    assert "tensor.py is edited: move your edits to the module's .py" in said
    after = snapshot(spoilable.root)
    assert {name: after[name] for name in before} == before


def test_a_module_that_was_removed_can_be_made_again(grown: Living) -> None:
    shutil.rmtree(grown.root / "modules" / NAME)
    grown.edit(grown.root / "course.toml", f"[standards.{NAME}]", "[standards.01_tensor]")
    grown.ok("new-module", NAME)


def test_cells_that_begin_as_other_editors_write_it_come_back(spoilable: Living) -> None:
    spoilable.edit(spoilable.source, "\n# %% [markdown]", "\n#%% [markdown]")
    spoilable.ok("sync")
    edited(spoilable.notebook, lambda cells: cells[-1].update(source="The end."))
    assert "+The end." in spoilable.ok("sync", "--from-notebook", "--yes")
    assert "\n#%% [markdown]" in spoilable.source.read_text(encoding="utf-8")


def test_a_text_that_looks_like_a_cell_is_refused(spoilable: Living) -> None:
    text = 'TEXT = """\n# %% of all\n"""\n'
    spoilable.edit(spoilable.source, "import numpy as np", f"{text}import numpy as np")
    spoilable.ok("sync")
    edited(spoilable.notebook, lambda cells: cells[-1].update(source="The end."))
    before = snapshot(spoilable.root)
    said = spoilable.refused("sync", "--from-notebook", "--yes")
    assert "begin each cell, and nothing else, with `# %%`" in said
    assert snapshot(spoilable.root) == before
    spoilable.ok("sync", "--force")
    assert "begin each cell" in spoilable.refused("new-exercise", "1", "One more")


def test_points_given_in_jupyterlab_come_back(spoilable: Living) -> None:
    name = next(c for c in nbformat.read(spoilable.notebook, 4).cells if is_test(c))
    name = name.metadata.nbgrader.grade_id
    before = spoilable.source.read_text(encoding="utf-8").splitlines()
    edited(spoilable.notebook, lambda c: cell_of(c, name).metadata.nbgrader.update(points=77))
    assert f"+# %% {name} 77" in spoilable.ok("sync", "--from-notebook", "--yes")
    after = spoilable.source.read_text(encoding="utf-8").splitlines()
    (changed,) = [n for n, line in enumerate(after) if line != before[n]]
    assert after[changed] == re.sub(r'"points": \d+', '"points": 77', before[changed])


def is_test(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade", False)


@pytest.mark.slow
def test_there_and_back_again_gives_the_same_bytes(course: Path, tmp_path: Path) -> None:
    """In every module of the template: each cell changed, and then changed back."""
    copy = copy_of(course, tmp_path / course.name)
    copy.ok("sync")
    before = snapshot(copy.root / "modules")
    for add in (True, False):
        for path in copy.root.glob("modules/*/*_dev.ipynb"):
            edited(path, partial(tell_apart, add=add))
        assert "+more" in copy.ok("sync", "--from-notebook", "--yes") or not add
        assert (snapshot(copy.root / "modules") == before) != add


def tell_apart(cells: list, *, add: bool) -> None:
    for cell in cells:
        lines = cell.source.splitlines()
        cell.source = "\n".join([*lines, "more"] if add else lines[:-1])


def test_if_both_were_edited_nothing_is_changed(spoilable: Living) -> None:
    spoilable.edit(spoilable.source, "# Module 01", "# Module 01 here")
    edited(spoilable.notebook, lambda c: c[0].update(source=f"{c[0].source}\nand there"))
    before = snapshot(spoilable.root)
    said = spoilable.refused("sync", "--from-notebook", "--yes")
    assert "tensor_dev.ipynb was edited, and modules/01_tensor/tensor_dev.py, too" in said
    said = spoilable.refused("new-exercise", "1", "One more")
    assert "tensor_dev.ipynb is edited" in said
    assert snapshot(spoilable.root) == before


@pytest.mark.parametrize("content", ["no notebook", ""])
def test_what_is_no_notebook_is_refused(spoilable: Living, content: str) -> None:
    spoilable.notebook.write_text(content, encoding="utf-8")
    said = spoilable.refused("sync", "--from-notebook", "--yes")
    assert "tensor_dev.ipynb cannot be read" in said


def test_a_pasted_picture_is_not_lost(spoilable: Living) -> None:
    picture = {"image.png": {"image/png": "aGVsbG8="}}
    edited(spoilable.notebook, lambda cells: cells[0].update(attachments=picture, source="new"))
    before = snapshot(spoilable.root)
    assert "cannot hold a picture" in spoilable.refused("sync", "--from-notebook", "--yes")
    assert snapshot(spoilable.root) == before
