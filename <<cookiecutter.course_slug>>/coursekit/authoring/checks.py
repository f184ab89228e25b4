"""What must hold before anything is released. Each check yields the problems it found."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator

from coursekit import notebook
from coursekit.course import Module
from coursekit.execution import parsed
from coursekit.nbgrader_config import STAFF_FILES
from coursekit.notebook import grade_id, meta

KEYS = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}
TELLING = 20  # outside notebooks, shorter lines (`return out`) say nothing about a solution
LIKE_MARKER = re.compile(r"#\s*(begin|end)\b", re.IGNORECASE)

Sources = dict[Module, NotebookNode]


def check_conflicts(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the lines that git left in files where it could not merge two versions."""
    for path in paths:
        for number, line in enumerate(lines_of(path), 1):
            if notebook.CONFLICT.match(line):
                where = f"{path.parent.name}/{path.name}: line {number}"
                yield f"{where} is git's mark of a conflict ({line[:7]}): choose a version."


def check_sources(sources: Sources) -> Iterator[str]:
    """Yield what is wrong in the sources themselves, before nbgrader sees them."""
    yield from repeated_ids(sources)
    for module, nb in sources.items():
        for path in filter(lambda path: path.suffix == ".ipynb", module.beside):
            yield f"{module.name}/{path.name}: students would get this notebook; take it away."
        for of in (metadata, markers, graded_cells_call_their_test, topics):
            yield from (f"{module.source.name}: {problem}" for problem in of(nb))


def check_names(sources: Iterable[Path]) -> Iterator[str]:
    """Yield what does not parse, and the names that nothing defines, also in cells that draw."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821", "--quiet"]
    command += ["--target-version=py311", "--output-format=concise", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    yield from (done.stdout or done.stderr).splitlines()


def check_imports(sources: Sources, package: str, needs: Iterable[str]) -> Iterator[str]:
    """Yield what cells import, and students who installed only what they need may not have."""
    theirs = {package, *sys.stdlib_module_names}
    for need in needs:
        with suppress(PackageNotFoundError):  # one for Windows only, say
            files = distribution(re.match(r"[\w.-]+", need)[0]).files or ()
            theirs |= {path.parts[0].partition(".")[0] for path in files}
    for module, nb in sources.items():
        for cell in filter(notebook.is_code, nb.cells):
            nodes = [*ast.walk(parsed(cell.source))]
            names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
            names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
            for name in dict.fromkeys(n for n in names if n.partition(".")[0] not in theirs):
                where = f"{module.source.name}: cell {grade_id(cell)!r} imports {name}"
                yield f"{where}: name what brings it in pyproject.toml, in the group `student`."


def check_finished(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the files of modules in which something is still to write."""
    for path in paths:
        if "TODO(author)" in "\n".join(lines_of(path)):
            where = f"{path.parent.name}/{path.name}"
            yield f"{where}: TODO(author) is in it: write that, or say draft = true in course.toml."


def check_release(sources: Sources, kit: Path) -> Iterator[str]:
    """Yield what is wrong in the notebooks that students would get of these modules."""
    for module, nb in sources.items():
        path = kit / module.name / module.notebook.name
        released = nbformat.read(path, as_version=4)
        for problem in (*parses(released), *signatures(nb, released)):
            yield f"in the release, {module.name}/{path.name}: {problem}"


def check_kit(sources: Sources, kit: Path) -> Iterator[str]:
    """Yield what no file of the student kit may be or hold; its modules are those of `sources`."""
    secrets = notebook.secret_lines(sources.values())
    for path in sorted(filter(Path.is_file, kit.rglob("*"))):
        where = f"in the student kit, {path.relative_to(kit)}"
        if any(map(path.match, STAFF_FILES)):
            yield f"{where} is a staff file and would be released."
        least = 1 if path.suffix == ".ipynb" else TELLING
        lines = [line.strip() for line in lines_of(path)]
        if path.suffix == ".py":  # any two programs share lines, hardly three in a row
            runs = zip(lines, lines[1:], lines[2:], strict=False)
            lines = [line for *above, line in runs if secrets.issuperset(above)]
        lines = dict.fromkeys(line for line in lines if len(line) >= least)
        for line in [line for line in lines if line in secrets][:3]:
            yield f"{where} would show students a line of a solution or hidden test: {line!r}."


def repeated_ids(sources: Sources) -> Iterator[str]:
    places = [(grade_id(c), m.source.name) for m, nb in sources.items() for c in nb.cells]
    for name, count in Counter(name for name, _ in places if name).items():
        if count > 1:
            where = " and ".join(sorted({file for other, file in places if other == name}))
            yield f"grade_id {name!r} stands {count} times, in {where}; each must be unique."


def metadata(nb: NotebookNode) -> Iterator[str]:
    """Every code cell and every answer cell carries complete, valid nbgrader metadata."""
    validator = MetadataValidator()
    for cell in nb.cells:
        missing, points = sorted(KEYS - set(meta(cell))), meta(cell).get("points")
        texts = [*cell.source.splitlines(), *map(str, cell.metadata.values())]
        if unread := [text.strip() for text in texts if '"nbgrader":' in text]:
            yield f"{unread[0][:60]!r}: write it as `# %% [code] {{…}}`, with valid JSON in braces."
        elif (notebook.is_code(cell) or meta(cell)) and missing:
            name = grade_id(cell) or cell.source.strip().partition("\n")[0][:60]
            yield f"cell {name!r} lacks the nbgrader metadata {', '.join(missing)}."
        elif type(points) is not int if meta(cell).get("grade") else points:
            yield f"cell {grade_id(cell)!r} needs whole `points` if it is graded, and none if not."
        else:
            try:
                validator.validate_cell(cell)
            except Exception as error:  # of an older or newer schema, among others
                yield f"cell {grade_id(cell)!r}: nbgrader says: {str(error).splitlines()[0]}"


def markers(nb: NotebookNode) -> Iterator[str]:
    """Every region begins and ends with a marker that nbgrader knows: others hide nothing."""
    for cell in nb.cells:
        seen = []
        for line in filter(LIKE_MARKER.search, cell.source.splitlines()):
            if marker := notebook.REGION.fullmatch(line.strip()):
                seen.append(marker.groups())
            else:
                yield f"cell {grade_id(cell)!r} has {line.strip()!r}, which nbgrader does not know."
        if seen != [(word, kind) for _, kind in seen[::2] for word in ("BEGIN", "END")]:
            yield f"cell {grade_id(cell)!r} does not close each BEGIN with its END."


def topics(nb: NotebookNode) -> Iterator[str]:
    """All hidden tests say what they ask: it is all that students read of one that fails."""
    for cell in filter(notebook.is_test, nb.cells):
        lines = enumerate(cell.source.split("\n"), 1)
        code = [number for number, line in lines if line.strip() and line.strip()[0] != "#"]
        if any(notebook.topic(cell.source, number) == "" for number in code):
            name, example = grade_id(cell), "`# hidden: negative dims`"
            yield f"test cell {name!r}: say above its hidden tests what they ask, e.g. {example}."


def graded_cells_call_their_test(nb: NotebookNode) -> Iterator[str]:
    for cell in filter(notebook.is_test, nb.cells):
        body = parsed(cell.source).body
        tests = {node.name for node in body if isinstance(node, ast.FunctionDef)}
        values = [node.value for node in body if isinstance(node, ast.Expr)]
        calls = {ast.unparse(value.func) for value in values if isinstance(value, ast.Call)}
        if not tests:
            yield f"test cell {grade_id(cell)!r} defines no test function."
        for name in sorted(tests - calls):
            yield f"test cell {grade_id(cell)!r} never calls {name}(), so it scores by itself."


def parses(released: NotebookNode) -> Iterator[str]:
    for cell in filter(notebook.is_code, released.cells):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield f"cell {grade_id(cell)!r} does not parse: {error}."


def signatures(source: NotebookNode, released: NotebookNode) -> Iterator[str]:
    """A released solution cell keeps each signature and docstring, and something is to be done."""
    kept = {grade_id(cell): cell for cell in filter(notebook.is_solution, released.cells)}
    for cell in filter(notebook.is_solution, source.cells):
        stub = kept[grade_id(cell)]
        wanted, found = definitions(cell), definitions(stub)
        if "raise NotImplementedError" not in stub.source:
            yield f"{grade_id(cell)!r} has nothing to do in it: mark its solution region."
        if not wanted:
            yield f"solution cell {grade_id(cell)!r} defines no function or class."
        for name, (signature, docstring) in wanted.items():
            if name not in found or found[name][0] != signature:
                yield f"{name} lost its signature in the release: keep `def` outside the solution."
            elif not docstring or found[name][1] != docstring:
                yield f"{name} has no docstring in the release: write it outside the solution."


def definitions(cell: NotebookNode) -> dict[str, tuple[str, str | None]]:
    """Return signature and docstring of a cell's functions, classes and methods."""
    nodes = [("", node) for node in parsed(cell.source).body]
    found = {}
    for prefix, node in nodes:
        if isinstance(node, ast.FunctionDef):
            found[prefix + node.name] = ast.unparse(node.args), ast.get_docstring(node)
        elif isinstance(node, ast.ClassDef):
            bases = ", ".join(ast.unparse(base) for base in node.bases)
            found[prefix + node.name] = bases, ast.get_docstring(node)
            nodes += [(f"{node.name}.", inner) for inner in node.body]  # comes up later
    return found


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file; of a notebook, those of its cells."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return [line for cell in cells for line in cell.source.splitlines()]
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
