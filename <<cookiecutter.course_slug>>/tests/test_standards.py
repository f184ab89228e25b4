"""The module standards, item by item. A failing name says what a module lacks."""

import ast
import doctest
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from nbformat import NotebookNode

from coursekit import notebook
from coursekit.authoring import checks, mutants
from coursekit.course import Course, Module
from coursekit.notebook import grade_id, is_code, is_profiling, is_solution, is_test, meta

SECTIONS = [
    r"# Module \d\d: ",
    r"## Part 1: Mathematical Foundations$",
    r"## Part 2: Systems Analysis$",
    r"## Part 3: Production Context$",
    r"## 🤔 ML Systems Thinking$",
    r"## 🎯 Module Summary$",
]
EMOJI = re.compile(r"[\u2600-\u27bf\U0001f000-\U0001faff]")
ALLOWED_EMOJI = set("✅❌🤔🎯")
SOLUTION_LINES = 45  # of code and docstrings; comments that lead the way come on top
COLUMNS = 88  # of code: what JupyterLab shows on a laptop without scrolling
BEFORE_EXERCISE_1 = 50  # lines of code
PROMPT = re.compile(r"(.*\n)*?>{3} ")
FIGURE = re.compile(r"!\[([^\]]*)\]\(([^)]+\.svg)\)")
EXERCISE = re.compile(r"## Exercise (\d+)( \(deeper\))?: (.+)")
VISIBLE = 0.7  # of an exercise's points, at least
CORE = 80  # points without the deeper exercises, at least


def headings(cell: NotebookNode) -> list[str]:
    """Return the headings of a markdown cell, outside code fences."""
    if is_code(cell):
        return []
    text = re.sub(r"^```.*?^```", "", cell.source, flags=re.M | re.S)
    return [line for line in text.splitlines() if line.startswith("#")]


def position(nb: NotebookNode, pattern: str) -> int:
    """Return the number of the first cell with a heading that matches."""
    for number, cell in enumerate(nb.cells):
        if any(re.match(pattern, heading) for heading in headings(cell)):
            return number
    pytest.fail(f"no heading matches {pattern!r}")


def section(nb: NotebookNode, pattern: str) -> list[NotebookNode]:
    """Return the cells from a heading of SECTIONS to the next one."""
    start = position(nb, pattern)
    later = [p for p in (position(nb, s) for s in SECTIONS) if p > start]
    return nb.cells[start : min(later, default=len(nb.cells))]


def text_of(cells: list[NotebookNode]) -> str:
    return "\n".join(cell.source for cell in cells)


def calls_of(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    """Return which function is called, as written: `tracemalloc.stop`."""
    return ast.unparse(call.func)


def calls(source: str) -> set[str]:
    return set(map(name_of, calls_of(source)))


def test_folder_holds_source_readme_and_mutants(module: Module) -> None:
    for name in (module.source.name, "README.md", "mutants.toml"):
        assert (module.path / name).is_file(), f"{module.name}/{name} is missing"


def test_first_cell_is_the_title_with_objectives_hours_and_points(
    module: Module, nb: NotebookNode
) -> None:
    first = nb.cells[0].source
    assert first.startswith(f"# Module {module.name[:2]}: ")
    for needed in ("**Learning Objectives:**", "**You are here:**", "hours", "points"):
        assert needed.lower() in first.lower(), f"the first cell does not say {needed!r}"


def test_sections_stand_in_order(nb: NotebookNode) -> None:
    places = [position(nb, pattern) for pattern in SECTIONS]
    assert places == sorted(set(places)), f"sections out of order: {places}"


def test_summary_is_the_last_cell(nb: NotebookNode) -> None:
    assert any("🎯 Module Summary" in heading for heading in headings(nb.cells[-1]))


def test_part_1_analyses_complexity(nb: NotebookNode) -> None:
    part = text_of(section(nb, SECTIONS[1]))
    assert "### Computational Complexity" in part
    assert re.search(r"\bO\(", part), "no O-notation in Part 1"


def exercises(nb: NotebookNode) -> list[tuple[str, list[NotebookNode]]]:
    """Return the heading of each exercise, and the cells up to the next one or to Part 2."""
    starts = [n for n, c in enumerate(nb.cells) if any(map(EXERCISE.match, headings(c)))]
    parts = [nb.cells[a:b] for a, b in pairwise([*starts, position(nb, SECTIONS[2])])]
    return [(next(filter(EXERCISE.match, headings(part[0]))), part) for part in parts]


def test_exercises_are_numbered_from_1_and_have_one_solution_each(nb: NotebookNode) -> None:
    found = exercises(nb)
    numbers = [int(EXERCISE.match(heading)[1]) for heading, _ in found]
    assert numbers == list(range(1, len(found) + 1))
    for heading, cells in found:
        assert sum(map(is_solution, cells)) == 1, f"{heading}: one solution cell, please"


def test_every_exercise_is_followed_by_its_tests(nb: NotebookNode) -> None:
    """The solution, a text, the test students see, and right below it what they do not see."""
    for heading, cells in exercises(nb):
        start = next(n for n, cell in enumerate(cells) if is_solution(cell))
        text, seen, hidden = cells[start + 1 : start + 4]
        assert any(h.startswith("### Testing") for h in headings(text)), heading
        number = EXERCISE.match(heading)[1]
        assert is_test(seen) and f"@exercise({number})\n" in seen.source, heading
        assert is_test(hidden) and f"@beyond({number}, " in hidden.source, heading
        assert [*filter(is_test, cells)] == [seen, hidden], f"{heading}: two tests, please"
        name = grade_id(cells[start])
        assert [grade_id(seen), grade_id(hidden)] == [f"{name}-test", f"{name}-beyond"], heading
        first, second = (re.search(r"^def (test_\w+)", c.source, re.M)[1] for c in (seen, hidden))
        assert second == f"{first}_beyond", f"{heading}: {first} and {second}"


def test_a_check_mark_is_a_promise(nb: NotebookNode) -> None:
    """Most points are for what students see; what they do not see is named."""
    assert list(checks.graded_cells_call_their_test(nb)) == []
    assert list(checks.topics(nb)) == []
    for heading, cells in exercises(nb):
        seen, hidden = filter(is_test, cells)
        share = notebook.points([seen]) / notebook.points([seen, hidden])
        assert share >= VISIBLE, f"{heading}: {share:.0%} of its points are for tests one can see"
        assert notebook.points([hidden]) > 0, heading
        public, secret = notebook.split_regions(seen.source)
        assert not secret, f"{heading}: hidden tests belong into {grade_id(hidden)}"
        assert "✅" in seen.source and any("check" in line or "assert" in line for line in public)
        public, secret = notebook.split_regions(hidden.source)
        assert secret, f"{grade_id(hidden)} has no hidden tests"
        assert "✅" not in hidden.source, f"{grade_id(hidden)}: nothing was tested yet"
        topics = list(dict.fromkeys(filter(None, map(topic, secret))))
        said = next(c.args[1].value for c in calls_of(hidden.source) if name_of(c) == "beyond")
        assert said.split(" · ") == topics, f"{grade_id(hidden)} names {said!r}, not {topics}"


def topic(line: str) -> str:
    found = notebook.TOPIC.fullmatch(line)
    return found[1].strip() if found else ""


def test_only_tests_of_deeper_exercises_let_a_run_of_all_cells_go_on(nb: NotebookNode) -> None:
    """Jupyter's tag for a cell that may fail: an exercise that is left out stops nobody."""
    for heading, cells in exercises(nb):
        for cell in filter(is_test, cells):
            may_fail = "raises-exception" in cell.metadata.get("tags", [])
            assert may_fail == bool(EXERCISE.match(heading)[2]), grade_id(cell)


def test_core_exercises_are_worth_at_least_80_points(nb: NotebookNode) -> None:
    deeper = [cell for h, cells in exercises(nb) if EXERCISE.match(h)[2] for cell in cells]
    assert notebook.points(nb.cells) - notebook.points(deeper) >= CORE


def test_exercises_are_short_and_lead_the_way(nb: NotebookNode) -> None:
    for cell in filter(is_solution, nb.cells):
        lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith("#")]
        assert len(lines) <= SOLUTION_LINES, f"{grade_id(cell)} has {len(lines)} lines"
        public = [line.strip() for line in notebook.split_regions(cell.source)[0]]
        assert any(line.startswith("# TODO: ") for line in public), f"{grade_id(cell)}: # TODO: …"
        for word in ("# APPROACH", "# EXAMPLE", "# HINTS"):
            assert word in public, f"{grade_id(cell)} has no line {word!r}"
        for mark in ("# 1. ", "# - "):
            assert any(line.startswith(mark) for line in public), f"{grade_id(cell)}: no {mark!r}"
        shown = examples(cell)
        assert shown and all(map(PROMPT.match, shown)), f"{grade_id(cell)}: no prompt in # EXAMPLE"


def test_examples_are_true(nb: NotebookNode, package: Path) -> None:
    """The lines below # EXAMPLE are run after their cell, and give what they say."""
    namespace: dict[str, object] = {"__name__": "examples"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    with monkeypatched_path(package):
        for cell in [c for c in nb.cells if is_code(c) and not is_profiling(c) and not is_test(c)]:
            if "def run_all_tests" in cell.source:
                break
            exec(compile(cell.source, grade_id(cell), "exec"), namespace)
            for number, text in enumerate(examples(cell) if is_solution(cell) else []):
                name = f"{grade_id(cell)}, example {number + 1}"
                test = doctest.DocTestParser().get_doctest(text, namespace, name, None, 0)
                said: list[str] = []
                result = runner.run(test, out=said.append, clear_globs=False)
                assert not result.failed, "".join(said)


@contextmanager
def monkeypatched_path(folder: Path) -> Iterator[None]:
    """Let the package in this folder be imported, and forget it again."""
    ours = folder.glob("*/__init__.py")
    names = {path.parent.name for path in ours}
    before = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in names}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [n for n in sys.modules if n.partition(".")[0] in names]:
            del sys.modules[name]
        sys.modules.update(before)


def examples(cell: NotebookNode) -> list[str]:
    """Return the text of each block below # EXAMPLE, as a doctest."""
    blocks, lines = [], None
    for line in cell.source.splitlines():
        bare = line.strip()
        if bare == "# EXAMPLE":
            lines = []
            blocks.append(lines)
        elif not bare.startswith("#") or bare in ("#", "# HINTS", "# APPROACH"):
            lines = None
        elif lines is not None:
            lines.append(bare.removeprefix("#").removeprefix(" "))
    return ["\n".join(block) + "\n" for block in blocks]


def test_code_fits_the_screen(nb: NotebookNode) -> None:
    for cell in filter(is_code, nb.cells):
        for line in cell.source.splitlines():
            assert len(line) <= COLUMNS, f"{grade_id(cell)}: {len(line)} columns: {line}"


def test_plumbing_is_out_of_sight(nb: NotebookNode) -> None:
    before = nb.cells[: position(nb, r"## Exercise 1")]
    code = [line for c in before if is_code(c) for line in c.source.splitlines()]
    lines = sum(bool(line.strip()) for line in code)
    assert lines <= BEFORE_EXERCISE_1, f"{lines} lines of code before Exercise 1"


def test_one_thread_before_numpy_is_imported(nb: NotebookNode) -> None:
    first = next(filter(is_code, nb.cells)).source
    assert "_NUM_THREADS" in first and "numpy" not in first and "from" not in first


def test_figures_are_svg_beside_the_notebook_with_alt_text(
    module: Module, nb: NotebookNode
) -> None:
    """Each on a ground of its own, so that it reads on light and dark."""
    found = [match for c in nb.cells if not is_code(c) for match in FIGURE.findall(c.source)]
    assert len({name for _, name in found}) >= 2, "two figures a module, at least"
    for alt, name in found:
        assert len(alt) >= 20, f"{name}: say in words what it shows"
        root = ET.parse(module.path / name).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox"), name
        drawn = [child for child in root if not child.tag.endswith(("style", "title", "defs"))]
        ground = drawn[0].tag.endswith("rect") and drawn[0].get("class") == "ground"
        assert ground, f'{name}: begin with <rect class="ground" …>'
    unused = {path.name for path in module.path.glob("*.svg")} - {name for _, name in found}
    assert not unused, f"no cell shows {unused}"


def test_something_works_in_the_end(nb: NotebookNode) -> None:
    place = position(nb, r"## It works: ")
    assert place < position(nb, SECTIONS[2]), "before Part 2"
    cells = nb.cells[place : position(nb, SECTIONS[2])]
    assert any(is_code(cell) and is_profiling(cell) for cell in cells), "tagged: it draws"


def test_the_last_cell_knows_its_exercises(nb: NotebookNode) -> None:
    (cell,) = [c for c in nb.cells if is_code(c) and "def run_all_tests" in c.source]
    (call,) = [call for call in calls_of(cell.source) if name_of(call) == "show_results"]
    assert ast.literal_eval(call.args[1]) == table_of(nb)


def table_of(nb: NotebookNode) -> list[tuple[int, str, str, int, int]]:
    """Return each exercise's number, title, test, and points for what is seen and what is not."""
    rows = []
    for heading, cells in exercises(nb):
        number, deeper, title = EXERCISE.match(heading).groups()
        seen, hidden = filter(is_test, cells)
        name = re.search(r"^def (test_\w+)", seen.source, re.M)[1]
        points = notebook.points([seen]), notebook.points([hidden])
        rows.append((int(number), title.replace("`", "") + (deeper or ""), name, *points))
    return rows


def test_the_readme_knows_its_exercises(module: Module, nb: NotebookNode) -> None:
    text = (module.path / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+?) \|.*\| (\d+)( \(deeper\))? \|$", text, re.M)
    wanted = []
    for heading, cells in exercises(nb):
        number, deeper, title = EXERCISE.match(heading).groups()
        wanted.append((number, title, str(notebook.points(cells)), deeper or ""))
    assert rows == wanted


def test_pytorch_is_shown_on_the_same_numbers(nb: NotebookNode) -> None:
    """tests/test_oracle.py runs what is shown there."""
    place = position(nb, r"### The same in PyTorch")
    assert re.search(r"^>{3} import torch$", nb.cells[place].source, re.M)


def test_signatures_and_docstrings_stand_outside_solutions(nb: NotebookNode) -> None:
    for cell in filter(is_solution, nb.cells):
        public = "\n".join(notebook.split_regions(cell.source)[0])
        defined = checks.definitions(cell)
        assert defined, f"{grade_id(cell)} defines nothing"
        for name, (_, docstring) in defined.items():
            assert docstring, f"{name} has no docstring"
            assert docstring.splitlines()[0] in public, f"{name}: docstring inside the solution"
            assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", public), name


def test_memory_is_profiled_with_tracemalloc_called_and_stopped(nb: NotebookNode) -> None:
    part = section(nb, SECTIONS[2])
    assert "### Memory Profiling" in text_of(part)
    cells = [cell for cell in part if is_code(cell) and "tracemalloc" in cell.source]
    assert cells, "no cell of Part 2 uses tracemalloc"
    for cell in cells:
        used = calls(cell.source)
        assert {"tracemalloc.start", "tracemalloc.stop"} <= used, f"{grade_id(cell)}: start, stop"
    assert any("get_traced_memory" in call for cell in cells for call in calls(cell.source))


def test_profiling_is_tagged_run_at_once_and_apart_from_what_is_graded(nb: NotebookNode) -> None:
    for cell in filter(is_code, nb.cells):
        if is_profiling(cell):
            top = [n for n in ast.parse(cell.source).body if isinstance(n, ast.Expr | ast.Assign)]
            assert top, f"{grade_id(cell)} defines its measurement but never runs it"
            assert meta(cell).get("locked") and not meta(cell).get("grade"), grade_id(cell)
        else:
            plots = re.search(r"import (matplotlib|viz)", cell.source)
            assert not plots, f"{grade_id(cell)} plots: tag it"
            assert "tracemalloc." not in cell.source, f"{grade_id(cell)} measures, is not tagged"


def test_part_2_draws_at_least_one_plot(nb: NotebookNode) -> None:
    assert any("viz.show" in calls(c.source) for c in section(nb, SECTIONS[2]) if is_code(c))


def test_production_context_speaks_of_pytorch(nb: NotebookNode) -> None:
    assert "PyTorch" in text_of(section(nb, SECTIONS[3]))


def test_run_all_tests_is_called_when_run_as_a_script(nb: NotebookNode) -> None:
    cells = [cell for cell in nb.cells if is_code(cell) and "def run_all_tests" in cell.source]
    assert len(cells) == 1, "define run_all_tests() once"
    assert 'if __name__ == "__main__":\n    run_all_tests()' in cells[0].source


def test_questions_are_graded_by_hand_with_model_answer_and_rubric(nb: NotebookNode) -> None:
    answers = [c for c in section(nb, SECTIONS[4]) if meta(c).get("grade") and not is_code(c)]
    assert 3 <= len(answers) <= 4, f"{len(answers)} questions; three or four are asked for"
    for cell in answers:
        secret = "\n".join(notebook.split_regions(cell.source)[1])
        assert "rubric" in secret.lower(), f"{grade_id(cell)} has no marking rubric"
        assert len(secret.split()) >= 40, f"{grade_id(cell)} has no model answer"


def test_nbgrader_metadata_is_complete_and_valid(nb: NotebookNode) -> None:
    assert list(checks.metadata(nb)) == []


def test_grade_ids_are_unique_in_the_course(course: Course) -> None:
    sources = {module: notebook.read(module.source) for module in course.modules()}
    assert list(checks.repeated_ids(sources)) == []


def test_provided_cells_are_locked(nb: NotebookNode) -> None:
    for cell in filter(is_code, nb.cells):
        assert meta(cell).get("locked") != is_solution(cell), grade_id(cell)


def test_points_add_up_to_100_of_which_about_80_are_automatic(nb: NotebookNode) -> None:
    assert notebook.points(nb.cells) == 100
    assert 75 <= notebook.points(list(filter(is_test, nb.cells))) <= 85


def test_at_least_eight_mutants(module: Module, nb: NotebookNode) -> None:
    found = mutants.load(module)
    assert len(found) >= 8
    assert len({mutant.name for mutant in found}) == len(found), "two mutants share a name"


FORBIDDEN = {
    r"\bhasattr\(": "no hasattr(): every Tensor has every attribute",
    r"\bclass Variable\b|\bVariable\(": "no Variable: one Tensor class",
    r"\bParameter\(|\bclass Parameter\b": "no Parameter: a Tensor with requires_grad=True",
    r"^\s*[%!]\w": "no notebook magics: the module also runs as a script",
    r"np\.random\.(seed|randn|rand)\(": "no global NumPy randomness: use a seeded Generator",
}


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=FORBIDDEN.values())
def test_forbidden_patterns(nb: NotebookNode, pattern: str) -> None:
    for cell in filter(is_code, nb.cells):
        found = re.search(pattern, cell.source, re.M)
        assert not found, f"{grade_id(cell)}: {found[0]!r}"


def test_no_emoji_beyond_those_of_the_standards(nb: NotebookNode) -> None:
    used = set(EMOJI.findall(text_of(nb.cells)))
    assert used <= ALLOWED_EMOJI, f"remove {used - ALLOWED_EMOJI}"
