"""The module standards, item by item. A failing name says what a module lacks."""

import ast
import re
from itertools import pairwise

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
SOLUTION_LINES = 45


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


def calls(source: str) -> set[str]:
    """Return every function that a piece of code calls, as written: `tracemalloc.stop`."""
    nodes = ast.walk(ast.parse(source))
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


def test_folder_holds_source_readme_and_mutants(module: Module) -> None:
    for name in (module.source.name, "README.md", "mutants.toml"):
        assert (module.path / name).is_file(), f"{module.name}/{name} is missing"


def test_first_cell_is_the_title_with_objectives_hours_and_points(
    module: Module, nb: NotebookNode
) -> None:
    first = nb.cells[0].source
    assert first.startswith(f"# Module {module.name[:2]}: ")
    for needed in ("**Learning Objectives:**", "hours", "points"):
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


def test_every_exercise_is_introduced_in_markdown(nb: NotebookNode) -> None:
    for before, cell in pairwise(nb.cells):
        if is_solution(cell):
            assert headings(before), f"no markdown cell with a heading before {grade_id(cell)}"


def test_every_exercise_is_followed_by_its_test(nb: NotebookNode) -> None:
    for number, cell in enumerate(nb.cells):
        if is_solution(cell):
            text, test = nb.cells[number + 1 : number + 3]
            assert any(h.startswith("### Testing") for h in headings(text)), grade_id(cell)
            assert is_test(test), f"{grade_id(test)} after {grade_id(cell)} is not its test"


def test_every_test_follows_an_exercise(nb: NotebookNode) -> None:
    assert sum(map(is_test, nb.cells)) == sum(map(is_solution, nb.cells))


def test_exercises_are_short_and_lead_the_way(nb: NotebookNode) -> None:
    for cell in filter(is_solution, nb.cells):
        lines = len(cell.source.splitlines())
        assert lines <= SOLUTION_LINES, f"{grade_id(cell)} has {lines} lines"
        for word in ("# TODO", "# Approach", "# Example", "# Hint"):
            assert word in cell.source, f"{grade_id(cell)} has no {word!r}"


def test_signatures_and_docstrings_stand_outside_solutions(nb: NotebookNode) -> None:
    for cell in filter(is_solution, nb.cells):
        public = "\n".join(notebook.split_regions(cell.source)[0])
        defined = checks.definitions(cell)
        assert defined, f"{grade_id(cell)} defines nothing"
        for name, (_, docstring) in defined.items():
            assert docstring, f"{name} has no docstring"
            assert docstring.splitlines()[0] in public, f"{name}: docstring inside the solution"
            assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", public), name


def test_every_test_is_called_and_has_hidden_tests(nb: NotebookNode) -> None:
    assert list(checks.graded_cells_call_their_test(nb)) == []
    for cell in filter(is_test, nb.cells):
        public, hidden = notebook.split_regions(cell.source)
        assert any("assert" in line or "check(" in line for line in public), grade_id(cell)
        assert hidden, f"{grade_id(cell)} has no hidden tests"
        assert "✅" in cell.source, f"{grade_id(cell)} prints no ✅ line"


def test_hidden_tests_say_what_they_ask(nb: NotebookNode) -> None:
    assert list(checks.topics(nb)) == []


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
            assert "import matplotlib" not in cell.source, f"{grade_id(cell)} plots, is not tagged"
            assert "tracemalloc." not in cell.source, f"{grade_id(cell)} measures, is not tagged"


def test_part_2_draws_at_least_one_plot(nb: NotebookNode) -> None:
    assert any("plt.show" in calls(c.source) for c in section(nb, SECTIONS[2]) if is_code(c))


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
