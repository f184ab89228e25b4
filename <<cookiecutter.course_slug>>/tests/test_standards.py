"""The module standards, item by item. Each failure says what a module lacks, where, and what to do.

How much of it is asked, of all modules or of one, is in course.toml: [standards]. `--full` asks all
that [standards] says of modules that have a table of their own, too.
"""

import ast
import doctest
import functools
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nbformat import NotebookNode

from bench.sources import mutants, with_bug
from coursekit import notebook
from coursekit.authoring import checks
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.execution import parsed
from coursekit.notebook import grade_id, is_code, is_profiling, is_solution, is_test, meta

PARTS = [
    "## Part 1: Mathematical Foundations",
    "## Part 2: Systems Analysis",
    "## Part 3: Production Context",
    "## 🤔 ML Systems Thinking",
    "## 🎯 Module Summary",
]
FOUNDATIONS, ANALYSIS, PRODUCTION, QUESTIONS, SUMMARY = PARTS
EMOJI = re.compile(r"[\u2600-\u27bf\U0001f000-\U0001faff]")
ALLOWED_EMOJI = "✅❌🤔🎯"
SOLUTION_LINES = 45  # of code and docstrings; comments that lead the way come on top
COLUMNS = 88  # of code: what JupyterLab shows on a laptop without scrolling
BEFORE_EXERCISE_1 = 50  # lines of code
PROMPT = re.compile(r"(.*\n)*?>{3} ")
FIGURE = re.compile(r"!\[([^\]]*)\]\(([^)]+\.svg)\)")
EXERCISE = re.compile(r"## Exercise (\d+)( \(deeper\))?: (.+)")
VISIBLE = 0.7  # of an exercise's points, at least
CORE = 0.8  # of all points: without the deeper exercises, at least
WRITTEN = 5  # points more or less than course.toml says
RUBRIC = 40  # words of a model answer with its rubric, at least
TO_WRITE = re.compile(r"TODO\(author\):? *([^<\n]*)")


def standard(check: Callable[..., Iterator[str]]) -> Callable[..., None]:
    """Make a test of a check that yields problems: it fails with these sentences, and no code."""

    @functools.wraps(check)
    def test(**fixtures: object) -> None:
        if problems := list(check(**fixtures)):
            pytest.fail("\n".join(problems), pytrace=False)

    return test


@pytest.fixture
def asked(course: Course, module: Module, pytestconfig: pytest.Config) -> Mapping[str, int | bool]:
    """What course.toml asks of the module: its own table, or with --full that of all modules."""
    own = "" if pytestconfig.getoption("--full") else module.name
    return course.standards.get(own, course.standards[""])


@pytest.fixture
def anatomy(asked: Mapping[str, int | bool]) -> None:
    """Skip what is about the parts of a module, where course.toml does not ask for them."""
    if not asked["anatomy"]:
        pytest.skip("course.toml says anatomy = false")


# ---- What a module consists of


def named(cell: NotebookNode) -> str:
    """Return how a message calls a cell: by its grade_id, or by how its text begins."""
    start = cell.source.strip().partition("\n")[0][:60]
    return f"cell {grade_id(cell)}" if grade_id(cell) else f"the text {start!r}"


def headings(cell: NotebookNode) -> list[str]:
    """Return the headings of a markdown cell, outside code fences."""
    if is_code(cell):
        return []
    text = re.sub(r"^```.*?^```", "", cell.source, flags=re.M | re.S)
    return [line for line in text.splitlines() if line.startswith("#")]


def position(nb: NotebookNode, start: str) -> int | None:
    """Return the number of the first cell with a heading that starts so; None without one."""
    for number, cell in enumerate(nb.cells):
        if any(heading.startswith(start) for heading in headings(cell)):
            return number
    return None


def part(nb: NotebookNode, heading: str) -> list[NotebookNode]:
    """Return the cells from a heading of PARTS to the next one; none if it is missing."""
    start, places = position(nb, heading), [position(nb, each) for each in PARTS]
    if start is None:
        return []
    return nb.cells[start : min((p for p in places if p and p > start), default=len(nb.cells))]


def text_of(cells: Iterable[NotebookNode]) -> str:
    return "\n".join(cell.source for cell in cells)


def calls_of(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(parsed(source)) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    """Return which function is called, as written: `tracemalloc.stop`."""
    return ast.unparse(call.func)


def calls(source: str) -> set[str]:
    return set(map(name_of, calls_of(source)))


class Exercise(NamedTuple):
    """An exercise: its heading, its cells, and of these the solutions and the tests."""

    heading: str
    number: int
    deeper: str  # " (deeper)" or ""
    title: str
    cells: list[NotebookNode]
    solutions: list[NotebookNode]
    tests: list[NotebookNode]

    @property
    def complete(self) -> bool:
        """Tell whether there are a solution, the test one sees, and the one beyond it."""
        return (len(self.solutions), len(self.tests)) == (1, 2)


def exercises(nb: NotebookNode) -> list[Exercise]:
    """Return the exercises, each up to the next heading of its level."""
    starts = [n for n, c in enumerate(nb.cells) if any(h.startswith("## ") for h in headings(c))]
    found = []
    for start, end in pairwise([*starts, len(nb.cells)]):
        cells = nb.cells[start:end]
        for match in filter(None, map(EXERCISE.fullmatch, headings(cells[0]))):
            number, deeper, title = match.groups()
            kinds = [list(filter(kind, cells)) for kind in (is_solution, is_test)]
            found.append(Exercise(match[0], int(number), deeper or "", title, cells, *kinds))
    return found


def complete(nb: NotebookNode) -> Iterator[tuple[Exercise, NotebookNode, NotebookNode]]:
    """Yield each exercise that has what it needs, with its two tests. Of others one check tells."""
    for each in filter(lambda each: each.complete, exercises(nb)):
        yield each, *each.tests


def test_name(cell: NotebookNode) -> str:
    """Return the name of a cell's test function; "" where it defines none."""
    found = re.search(r"^def (test_\w+)", cell.source, re.M)
    return found[1] if found else ""


test_name.__test__ = False  # pytest would collect it


# ---- The files, the title, the parts


@standard
def test_folder_holds_source_readme_and_mutants(module: Module) -> Iterator[str]:
    for name in (module.source.name, "README.md", "mutants.toml"):
        if not (module.path / name).is_file():
            yield f"modules/{module.name}/{name} is missing: begin with that of another module."


@standard
def test_first_cell_is_the_title(module: Module, nb: NotebookNode) -> Iterator[str]:
    if not nb.cells[0].source.startswith(title := f"# Module {module.name[:2]}: "):
        yield f"{module.source.name}: the first cell must begin with {title!r} and the name."
    stated = re.search(r"\*\*Points:\*\* (\d+) by tests, (\d+) for written", nb.cells[0].source)
    by_tests = notebook.points(filter(is_test, nb.cells))
    counted = by_tests, notebook.points(nb.cells) - by_tests
    if stated and tuple(map(int, stated.groups())) != counted:
        yield (
            f"{module.source.name}: the first cell says {stated[0]!r}, but the cells have "
            f"{counted[0]} by tests, {counted[1]} for written answers: correct one or the other."
        )


@standard
def test_first_cell_has_objectives_map_hours_and_points(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    for needed in ("**Learning Objectives:**", "**You are here:**", "hour", "points"):
        if needed.lower() not in nb.cells[0].source.lower():
            yield f"{module.source.name}: the first cell does not say {needed!r}: add it."


@standard
def test_every_part_is_there_in_order(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    places = {heading: position(nb, heading) for heading in PARTS}
    for heading in [heading for heading, place in places.items() if place is None]:
        yield f"{module.source.name} has no heading {heading!r}: write that part."
        del places[heading]
    for (before, first), (after, second) in pairwise(places.items()):
        if first >= second:
            yield f"{module.source.name}: {after!r} must come in a cell below {before!r}: move it."


@standard
def test_summary_is_the_last_cell(module: Module, nb: NotebookNode, anatomy: None) -> Iterator[str]:
    place = position(nb, SUMMARY)
    if place is not None and place != len(nb.cells) - 1:
        last = named(nb.cells[-1])
        yield f"{module.source.name}: {SUMMARY!r} must be the last cell: move {last} above it."


@standard
def test_part_1_analyses_complexity(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    if text := text_of(part(nb, FOUNDATIONS)):
        for needed in ("### Computational Complexity", "O("):
            if needed not in text:
                yield f"{module.source.name}: Part 1 has no {needed!r}: say what operations cost."


@standard
def test_something_works_in_the_end(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    place, end = position(nb, "## It works: "), position(nb, ANALYSIS)
    if place is None:
        yield (
            f"{module.source.name} has no heading '## It works: …': show below the last exercise "
            "what was just built at work, with a plot."
        )
    elif end is not None and place > end:
        yield f"{module.source.name}: '## It works: …' must stand before Part 2: move it."
    elif not any(is_code(cell) and is_profiling(cell) for cell in nb.cells[place:end]):
        yield (
            f"{module.source.name}: below '## It works: …' is no code cell with the tag "
            '"profiling": add it, for a cell that draws is not run when grading.'
        )


@standard
def test_pytorch_is_shown_on_the_same_numbers(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    """tests/test_oracle.py runs what is shown there."""
    place = position(nb, "### The same in PyTorch")
    prompt = f"{'>' * 3} import torch"
    if place is None or prompt not in nb.cells[place].source.splitlines():
        yield (
            f"{module.source.name} has no '### The same in PyTorch' with a line '{prompt}': show "
            "what PyTorch makes of the numbers of your examples."
        )


@standard
def test_production_context_speaks_of_pytorch(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    text = text_of(part(nb, PRODUCTION))
    if text and "PyTorch" not in text:
        yield f"{module.source.name}: Part 3 does not mention PyTorch: say how it does this."


# ---- Exercises


@standard
def test_exercises_are_numbered_from_1(module: Module, nb: NotebookNode) -> Iterator[str]:
    found = exercises(nb)
    if not found:
        yield f"{module.source.name} has no heading '## Exercise 1: …': nox -s new-exercise."
    for expected, each in enumerate(found, 1):
        if each.number != expected:
            yield f"{each.heading!r} comes as number {expected}: number exercises from 1 on."


@standard
def test_every_exercise_has_one_solution_and_its_tests_below(nb: NotebookNode) -> Iterator[str]:
    """The solution, a text, the test students see, and right below it what they do not see."""
    for each in exercises(nb):
        where = f"Exercise {each.number}"
        if len(each.solutions) != 1:
            yield (
                f"{where} has {len(each.solutions)} solution cells, and must have one: a code cell "
                'with "solution": true. Give others an exercise of their own.'
            )
            continue
        if len(each.tests) != 2:
            yield (
                f"{where} has {len(each.tests)} test cells, and must have two: what students see, "
                "and Beyond the examples with the hidden tests. `nox -s new-exercise` shows how."
            )
            continue
        (solution,), (seen, hidden) = each.solutions, each.tests
        start = each.cells.index(solution)
        below = each.cells[start + 1 : start + 4]
        if below[1:] != [seen, hidden]:
            yield f"{where}: below {named(solution)} come a text and the two tests: move the rest."
        elif not any(heading.startswith("### Testing") for heading in headings(below[0])):
            yield f"{where}: below {named(solution)} is no text '### Testing …': add it."
        name = grade_id(solution)
        for cell, call, ending in (
            (seen, f"@exercise({each.number})\n", "-test"),
            (hidden, f"@beyond({each.number}, ", "-beyond"),
        ):
            if call not in cell.source:
                yield f"{named(cell)} has no line `{call.strip()}…` above its test: add it."
            if grade_id(cell) != name + ending:
                yield f"{named(cell)} must have the grade_id {name + ending!r}: rename it."
        first, second = map(test_name, each.tests)
        if second != f"{first}_beyond":
            yield f"{named(hidden)} must define {first}_beyond(), not {second or 'nothing'}()."


@standard
def test_students_see_what_most_points_are_for(nb: NotebookNode) -> Iterator[str]:
    for each, seen, hidden in complete(nb):
        share = notebook.points([seen]) / (notebook.points([seen, hidden]) or 1)
        if share < VISIBLE:
            yield (
                f"Exercise {each.number}: {named(seen)} has {share:.0%} of the points, and needs "
                f"{VISIBLE:.0%}: students see it. Change `points` there or in {named(hidden)}."
            )
        if not notebook.points([hidden]):
            yield f"{named(hidden)} is worth no points: give it at least 1."


@standard
def test_visible_tests_check_and_end_with_a_check_mark(nb: NotebookNode) -> Iterator[str]:
    for _, seen, _ in complete(nb):
        public, secret = map("\n".join, notebook.split_regions(seen.source))
        if secret:
            yield f"{named(seen)} has hidden tests: move them to the cell below it."
        if not any("✅" in ast.unparse(c) for c in calls_of(public) if name_of(c) == "print"):
            yield f'{named(seen)} prints no ✅: end its test with print("✅ …").'
        if not any(map(checks_something, ast.walk(parsed(public)))):
            yield f"{named(seen)} checks nothing: call check_…() or assert something in it."


def checks_something(node: ast.AST) -> bool:
    """Tell whether this is an assert, or a call of a function like check_array or my_check."""
    called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Assert) or "check" in called


@standard
def test_hidden_tests_are_hidden_and_named(nb: NotebookNode) -> Iterator[str]:
    yield from checks.graded_cells_call_their_test(nb)
    yield from checks.topics(nb)
    for _, _, hidden in complete(nb):
        _, secret = notebook.split_regions(hidden.source)
        if not secret:
            yield (
                f"{named(hidden)} has no hidden tests: write them between "
                "`### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS`."
            )
        if "✅" in hidden.source:
            yield f"{named(hidden)} prints ✅, but for students it tests nothing: remove that."
        topics = " · ".join(dict.fromkeys(filter(None, map(topic, secret))))
        said = [call for call in calls_of(hidden.source) if name_of(call) == "beyond"]
        if said and secret and ast.unparse(said[0].args[-1]) != repr(topics):
            yield f"{named(hidden)}: its @beyond must name its topics: {topics!r}."


def topic(line: str) -> str:
    found = notebook.TOPIC.fullmatch(line)
    return found[1].strip() if found else ""


@standard
def test_only_tests_of_deeper_exercises_let_a_run_of_all_cells_go_on(
    nb: NotebookNode,
) -> Iterator[str]:
    """Jupyter's tag for a cell that may fail: an exercise that is left out stops nobody."""
    for each in exercises(nb):
        for cell in each.tests:
            tagged = "raises-exception" in cell.metadata.get("tags", [])
            if tagged != bool(each.deeper):
                need = "needs" if each.deeper else "must not have"
                why = "deeper" if each.deeper else "not deeper"
                yield f'{named(cell)} {need} the tag "raises-exception": its exercise is {why}.'


@standard
def test_core_exercises_are_worth_most_points(module: Module, nb: NotebookNode) -> Iterator[str]:
    deeper = notebook.points(c for each in exercises(nb) if each.deeper for c in each.cells)
    total = notebook.points(nb.cells)
    if deeper > (1 - CORE) * total:
        yield (
            f"{module.source.name}: exercises called deeper have {deeper} of {total} points, and "
            f"may have {1 - CORE:.0%}: give others more."
        )


@standard
def test_exercises_are_short_and_lead_the_way(nb: NotebookNode) -> Iterator[str]:
    for cell in filter(is_solution, nb.cells):
        lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith("#")]
        if len(lines) > SOLUTION_LINES:
            yield (
                f"{named(cell)} has {len(lines)} lines without comments, and may have "
                f"{SOLUTION_LINES}: make two exercises of it, or provide a part."
            )
        public = [line.strip() for line in notebook.split_regions(cell.source)[0]]
        for start, what in (
            ("# TODO: ", "what to write"),
            ("# APPROACH", "how to go about it"),
            ("# 1. ", "the steps, one a line, below # APPROACH"),
            ("# EXAMPLE", "a call and what it gives"),
            ("# HINTS", "what helps those who are stuck"),
            ("# - ", "the hints, one a line, below # HINTS"),
        ):
            if not any(line.startswith(start) for line in public):
                yield f"{named(cell)} has no comment {start.strip()!r}: say {what}."
        shown = examples(cell)
        if not all(map(PROMPT.match, shown)):
            yield f"{named(cell)}: below # EXAMPLE is no line '{'# ' + '>' * 3} …': show a call."


@standard
def test_examples_are_true(nb: NotebookNode, package: Path) -> Iterator[str]:
    """The lines below # EXAMPLE are run after their cell, and give what they say."""
    namespace: dict[str, object] = {"__name__": "examples"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    with monkeypatched_path(package):
        for cell in [c for c in nb.cells if is_code(c) and not is_profiling(c) and not is_test(c)]:
            if "def run_all_tests" in cell.source:
                break
            try:
                exec(compile(cell.source, grade_id(cell), "exec"), namespace)
            except SyntaxError:  # of which another check tells
                break
            except Exception as error:  # an author's code raises anything
                yield f"{named(cell)} does not run: {type(error).__name__}: {error}"
                break
            for text in examples(cell) if is_solution(cell) else []:
                test = doctest.DocTestParser().get_doctest(text, namespace, "", None, 0)
                said: list[str] = []
                if runner.run(test, out=said.append, clear_globs=False).failed:
                    shown = "".join(said).partition("Failed example:\n")[2].rstrip()
                    yield f"{named(cell)}: the solution does not give what # EXAMPLE says:\n{shown}"


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


@standard
def test_signatures_and_docstrings_stand_outside_solutions(nb: NotebookNode) -> Iterator[str]:
    for cell in filter(is_solution, nb.cells):
        public = "\n".join(notebook.split_regions(cell.source)[0])
        defined = checks.definitions(cell)
        if not defined and not [*checks.parses(nb)]:
            yield f"{named(cell)} defines nothing: write a function or a class with a docstring."
        for name, (_, docstring) in defined.items():
            if not docstring:
                yield f"{named(cell)}: {name} has no docstring: say what it returns and raises."
            elif docstring.splitlines()[0] not in public:
                yield f"{named(cell)}: move the docstring of {name} above ### BEGIN SOLUTION."
            if not re.search(rf"(def|class) {name.rpartition('.')[2]}\b", public):
                yield f"{named(cell)}: move the first line of {name} above ### BEGIN SOLUTION."


# ---- What names the exercises once more


@standard
def test_the_last_cell_knows_its_exercises(module: Module, nb: NotebookNode) -> Iterator[str]:
    cells = [c for c in nb.cells if is_code(c) and "def run_all_tests" in c.source]
    if len(cells) != 1:
        yield f"{module.source.name} defines run_all_tests() {len(cells)} times: define it once."
        return
    (cell,) = cells
    if 'if __name__ == "__main__":\n    run_all_tests()' not in cell.source:
        yield f'{named(cell)} must end with `if __name__ == "__main__":` and run_all_tests().'
    listed = [call.args[1] for call in calls_of(cell.source) if name_of(call) == "show_results"]
    if len(listed) != 1:
        yield f"{named(cell)} must call show_results() once, with all exercises."
        return
    said, wanted = [ast.unparse(row) for row in getattr(listed[0], "elts", [])], table_of(nb)
    for row in [row for row in wanted if row not in said]:
        yield f"{named(cell)}: show_results() must list {row}: add it."
    for row in [row for row in said if row not in wanted]:
        yield f"{named(cell)}: show_results() lists {row}, but no exercise is like it: correct it."


def table_of(nb: NotebookNode) -> list[str]:
    """Return each exercise's number, title, test, and points for what is seen and what is not."""
    rows = []
    for each, seen, hidden in complete(nb):
        points = notebook.points([seen]), notebook.points([hidden])
        title = each.title.replace("`", "") + each.deeper
        rows.append(repr((each.number, title, test_name(seen), *points)))
    return rows


@standard
def test_the_readme_knows_its_exercises(module: Module, nb: NotebookNode) -> Iterator[str]:
    path = module.path / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|.*\| (\d+)( \(deeper\))? \|$", text, re.M)
    wanted = [
        (str(each.number), each.title, str(notebook.points(each.cells)), each.deeper)
        for each in exercises(nb)
    ]
    for number, title, points, deeper in [row for row in wanted if row not in rows]:
        row = f"| {number} | {title} | … | {points}{deeper} |"
        yield f"modules/{module.name}/README.md: its table of exercises needs the row {row}"
    for number, title, *_ in [row for row in rows if row not in wanted]:
        yield (
            f"modules/{module.name}/README.md: its row of exercise {number}, {title!r}, is not as "
            f"in {module.source.name}: correct number, title or points."
        )


# ---- Code, figures, measurements


@standard
def test_code_parses_and_fits_the_screen(nb: NotebookNode) -> Iterator[str]:
    yield from checks.parses(nb)
    for cell in filter(is_code, nb.cells):
        for line in cell.source.splitlines():
            if len(line) > COLUMNS:
                yield (
                    f"{named(cell)}: a line has {len(line)} columns, and may have {COLUMNS}: "
                    f"break it: {line.strip()[:50]} …"
                )


@standard
def test_plumbing_is_out_of_sight(module: Module, nb: NotebookNode) -> Iterator[str]:
    before = nb.cells[: position(nb, "## Exercise 1") or 0]
    code = [line for c in before if is_code(c) for line in c.source.splitlines()]
    lines = sum(bool(line.strip()) for line in code)
    if lines > BEFORE_EXERCISE_1:
        yield (
            f"{module.source.name}: {lines} lines of code stand before Exercise 1, and "
            f"{BEFORE_EXERCISE_1} may: move helpers to testing.py or viz.py of the package."
        )


@standard
def test_one_thread_before_numpy_is_imported(module: Module, nb: NotebookNode) -> Iterator[str]:
    first = next(filter(is_code, nb.cells), None)
    source = first.source if first else ""
    if "_NUM_THREADS" not in source or "numpy" in source or "from" in source:
        yield (
            f"{module.source.name}: the first code cell must set the BLAS threads to 1 "
            "(OMP_NUM_THREADS and so on) and import no more than os: copy that of another module."
        )


@standard
def test_figures_are_svg_beside_the_notebook_with_alt_text(
    module: Module, nb: NotebookNode, asked: Mapping[str, Any]
) -> Iterator[str]:
    """Each on a ground of its own, so that it reads on light and dark."""
    found = [match for c in nb.cells if not is_code(c) for match in FIGURE.findall(c.source)]
    if (count := len({name for _, name in found})) < asked["figures"]:
        yield f"{module.source.name}: {count} of {asked['figures']} figures are there: draw an SVG."
    for alt, name in found:
        if len(alt) < 20:
            yield f"{module.source.name}: ![{alt}]({name}): say in words what the figure shows."
        yield from badly_drawn(module.path / name)
    for name in sorted({p.name for p in module.path.glob("*.svg")} - {name for _, name in found}):
        yield f"modules/{module.name}/{name}: no cell shows it: remove it, or show it."


def badly_drawn(path: Path) -> Iterator[str]:
    """Yield what is wrong in a figure."""
    where = f"modules/{path.parent.name}/{path.name}"
    try:
        root = ET.parse(path).getroot()
    except FileNotFoundError:
        yield f"{where} is missing, but a cell shows it: draw it, or remove it from the text."
        return
    except ET.ParseError as error:
        yield f"{where} is no valid SVG: {error}."
        return
    if root.tag != "{http://www.w3.org/2000/svg}svg" or not root.get("viewBox"):
        yield f'{where} must begin with <svg xmlns="http://www.w3.org/2000/svg" viewBox="…">.'
    drawn = [child for child in root if not child.tag.endswith(("style", "title", "defs"))]
    if not drawn or not drawn[0].tag.endswith("rect") or drawn[0].get("class") != "ground":
        yield f'{where} must draw <rect class="ground" …> first, a ground for light and dark pages.'


@standard
def test_memory_is_profiled_with_tracemalloc_called_and_stopped(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    cells = part(nb, ANALYSIS)
    if not cells:
        return
    if "### Memory Profiling" not in text_of(cells):
        yield f"{module.source.name}: Part 2 has no '### Memory Profiling': measure the memory."
    measuring = [cell for cell in cells if is_code(cell) and "tracemalloc" in cell.source]
    for cell in measuring:
        for call in sorted({"tracemalloc.start", "tracemalloc.stop"} - calls(cell.source)):
            yield f"{named(cell)} uses tracemalloc, but never calls {call}(): add it."
    if not any("get_traced_memory" in call for cell in measuring for call in calls(cell.source)):
        yield f"{module.source.name}: no cell of Part 2 calls tracemalloc.get_traced_memory()."


@standard
def test_part_2_draws_at_least_one_plot(
    module: Module, nb: NotebookNode, anatomy: None
) -> Iterator[str]:
    cells = part(nb, ANALYSIS)
    if cells and not any("viz.show" in calls(c.source) for c in cells if is_code(c)):
        yield f"{module.source.name}: Part 2 draws nothing: plot a measurement and call viz.show()."


@standard
def test_profiling_is_tagged_run_at_once_and_apart_from_what_is_graded(
    nb: NotebookNode,
) -> Iterator[str]:
    for cell in filter(is_code, nb.cells):
        if is_profiling(cell):
            body = parsed(cell.source).body
            if not any(isinstance(node, ast.Expr | ast.Assign) for node in body):
                yield f"{named(cell)} defines its measurement but never runs it: call it."
            if not meta(cell).get("locked") or meta(cell).get("grade"):
                yield f'{named(cell)} measures: make it "locked": true and "grade": false.'
        elif re.search(r"import (matplotlib|viz)", cell.source) or "tracemalloc." in cell.source:
            yield f'{named(cell)} draws or measures: give it "tags": ["profiling"].'


FORBIDDEN = {
    r"\bhasattr\(": "no hasattr(): every Tensor has every attribute",
    r"\bclass Variable\b|\bVariable\(": "no Variable: one Tensor class",
    r"\bParameter\(|\bclass Parameter\b": "no Parameter: a Tensor with requires_grad=True",
    r"^\s*[%!]\w": "no notebook magics: the module also runs as a script",
    r"np\.random\.(seed|randn|rand)\(": "no global NumPy randomness: use a seeded Generator",
}


@standard
def test_forbidden_patterns(nb: NotebookNode) -> Iterator[str]:
    for cell in filter(is_code, nb.cells):
        for pattern, why in FORBIDDEN.items():
            if found := re.search(pattern, cell.source, re.M):
                yield f"{named(cell)} has {found[0].strip()!r}: {why}."


@standard
def test_no_emoji_beyond_those_of_the_standards(nb: NotebookNode) -> Iterator[str]:
    for cell in nb.cells:
        if used := set(EMOJI.findall(cell.source)) - set(ALLOWED_EMOJI):
            yield f"{named(cell)}: remove {''.join(sorted(used))}: only {ALLOWED_EMOJI} may be."


# ---- Grading


@standard
def test_nbgrader_metadata_is_complete_and_valid(nb: NotebookNode) -> Iterator[str]:
    yield from checks.metadata(nb)
    yield from checks.markers(nb)


@pytest.fixture(scope="session")
def sources(course: Course) -> dict[Module, NotebookNode]:
    """The notebooks of all modules, whichever are tested."""
    return {module: notebook.read(module.source) for module in course.modules()}


@standard
def test_grade_ids_are_unique_in_the_course(
    sources: dict[Module, NotebookNode], nb: NotebookNode
) -> Iterator[str]:
    ours = {repr(grade_id(cell)) for cell in nb.cells}
    yield from (p for p in checks.repeated_ids(sources) if any(name in p for name in ours))


@standard
def test_provided_cells_are_locked(nb: NotebookNode) -> Iterator[str]:
    for cell in filter(is_code, nb.cells):
        if bool(meta(cell).get("locked")) == is_solution(cell):
            should = "false: students write in it" if is_solution(cell) else "true: it is provided"
            yield f'{named(cell)} must have "locked": {should}.'


@standard
def test_points_add_up(module: Module, nb: NotebookNode, asked: Mapping[str, Any]) -> Iterator[str]:
    total = notebook.points(nb.cells)
    written = notebook.points(filter(notebook.is_answer, nb.cells))
    change = "change `points` in the metadata of cells, or course.toml: [standards]."
    if asked["points"] and total != asked["points"]:
        yield f"{module.source.name}: its points add up to {total}, not {asked['points']}: {change}"
    if abs(written - asked["written"]) > WRITTEN:
        yield (
            f"{module.source.name}: {written} points are for written answers, and about "
            f"{asked['written']} should be: {change}"
        )


@standard
def test_questions_are_graded_by_hand_with_model_answer_and_rubric(
    module: Module, nb: NotebookNode, asked: Mapping[str, Any]
) -> Iterator[str]:
    answers = [c for c in nb.cells if notebook.is_answer(c) and not is_code(c)]
    if len(answers) < asked["questions"]:
        yield (
            f"{module.source.name}: {len(answers)} of {asked['questions']} questions are there: "
            'add text cells with points, "grade": true and "solution": true.'
        )
    for cell in answers:
        secret = "\n".join(notebook.split_regions(cell.source)[1])
        if "rubric" not in secret.lower():
            yield f"{named(cell)} has no marking rubric: write it below the model answer."
        if len(secret.split()) < RUBRIC:
            yield f"{named(cell)}: its model answer and rubric have fewer than {RUBRIC} words."


@standard
def test_there_are_student_bugs_to_notice(
    module: Module, nb: NotebookNode, asked: Mapping[str, Any]
) -> Iterator[str]:
    where = f"modules/{module.name}/mutants.toml"
    found = mutants(module)
    names = [mutant.name for mutant in found]
    if len(found) < asked["mutants"]:
        yield f"{where}: {len(found)} of {asked['mutants']} student bugs are there: add some."
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where}: two bugs are called {name!r}: rename one."
    for mutant in found:
        try:
            with_bug(nb, mutant)
        except CourseError as error:
            yield f"{where}: {str(error).splitlines()[0].rstrip(':')}: change one or the other."


@standard
def test_nothing_is_left_to_write(
    module: Module, nb: NotebookNode, asked: Mapping[str, Any]
) -> Iterator[str]:
    if not asked["draft"]:
        for cell in nb.cells:
            for what in TO_WRITE.findall(cell.source):
                yield f"{named(cell)}: still to write: {what}"
        for path in module.beside:
            if path.suffix in {".md", ".svg"}:
                for what in TO_WRITE.findall(path.read_text(encoding="utf-8")):
                    yield f"modules/{module.name}/{path.name}: still to write: {what}"
