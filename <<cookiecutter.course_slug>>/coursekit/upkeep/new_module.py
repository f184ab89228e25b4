"""A new module, or a new exercise: a placeholder that is right, and TODO(author) where to write."""

import builtins
import keyword
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from coursekit import files, notebook
from coursekit.authoring import sync
from coursekit.course import MODULE_NAME, PROVIDED, Course, Module
from coursekit.errors import CourseError
from coursekit.upkeep.from_notebook import pieces_of

LOADER = FileSystemLoader(Path(__file__).parent / "module", encoding="utf-8")
TEMPLATES = Environment(loader=LOADER, keep_trailing_newline=True, trim_blocks=True)
POINTS = {"visible": 6, "beyond": 2}
TITLE, NAME = 32, 20  # characters at most: one line of run_all_tests() holds both
ASKED = """
[standards.{}]  # until it is written: then remove these lines
points = 0
written = 2
questions = 1
mutants = 3
figures = 1
draft = true
"""


def render(name: str, values: dict[str, Any]) -> str:
    return TEMPLATES.get_template(f"{name}.j2").render(values)


def make(course: Course, name: str) -> Module:
    """Make modules/NAME with a placeholder in it, and ask of it in course.toml what is there.

    CourseError, and nothing is made, if the name is none, or taken.
    """
    module = Module(course.modules_dir / name)
    if problem := unusable(course, name):
        raise CourseError(f"{problem}: nothing was made.")
    names = [name, *(other.name for other in course.modules())]
    stops = {n: f"{n[:2]} {n[3:].replace('_', ' ').title()}" for n in names}
    title, stops[name] = stops[name][3:], f"**{stops[name]}**"
    values = exercise(1, "Moving average") | {
        "module": name,
        "stem": module.stem,
        "name": title,
        "package": course.package,
        "map": " → ".join(stops[n] for n in sorted(stops)),
    }
    partial = course.modules_dir / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # of one who was stopped
    files.write_text(partial / module.source.name, render("module.py", values))
    for file in ("README.md", "mutants.toml", "figure.svg"):
        files.write_text(partial / file, render(file, values))
    partial.rename(module.path)
    settings = course.file.read_bytes().rstrip() + f"\n{ASKED.format(name)}".encode()
    files.write_bytes(course.file, settings)
    sync.sync(course, [module])
    return module


def unusable(course: Course, name: str) -> str:
    """Return why a module cannot have this name; "" if it can."""
    stem = name[3:]
    if not MODULE_NAME.fullmatch(name) or keyword.iskeyword(stem):
        return f"{name!r} names no module; take two digits and a word: 08_convolutions"
    if (course.modules_dir / name).exists():
        return f"modules/{name} is there already"
    if same := [m for m in course.modules() if m.name[:2] == name[:2] or m.stem == stem]:
        return f"{same[0].name} has this number or this word; take others for {name}"
    file = course.package_dir / f"{stem}.py"  # of a module that was removed, sync's is left
    if file.name in PROVIDED or sync.state(file, "") == "edited":
        return f"{course.package}/{stem}.py is there already; take another word for {name}"
    return ""


def exercise(number: int, title: str) -> dict[str, Any]:
    """Return what the template of an exercise asks for. CourseError if the title does not do."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    func = "_".join(re.findall(r"[a-z0-9]+", plain))
    while len(func) > NAME:
        func = func.rpartition("_")[0] or func[:NAME]
    fits = len(title) <= TITLE and title.isprintable() and not re.search(r"""["'\\|{}<>`]""", title)
    if not (fits and func.isidentifier()) or keyword.iskeyword(func) or func in dir(builtins):
        raise CourseError(
            f"{title!r} cannot be the title of an exercise: a function is named by it, and none of "
            f'Python itself. Take up to {TITLE} letters, digits and spaces: "Pool a picture".'
        )
    slug = func.replace("_", "-")
    return {"number": number, "title": title, "func": func, "slug": slug, **POINTS}


def add_exercise(course: Course, module: Module, title: str) -> int:
    """Add an exercise below the last one, to the tables that list them all, and its student bugs.

    Return its number. All other cells keep their bytes. CourseError if it does not fit.
    """
    if any(file.state == "edited" for file in sync.generated(course, [module])):
        raise CourseError("\n".join(sync.check(course, [module])))
    readme, nb, pieces = module.path / "README.md", notebook.read(module.source), pieces_of(module)
    if lacking := [path for path in (readme, module.mutants) if not path.is_file()]:
        raise CourseError(f"{lacking[0]} is missing: begin with that of another module.")
    texts = {path: path.read_text(encoding="utf-8") for path in (readme, module.mutants)}
    numbers = re.findall(r"^## Exercise (\d+)\b", "".join(pieces), re.M)
    new = exercise(max(map(int, numbers), default=0) + 1, title) | {"stem": module.stem}
    last = max((n for n, cell in enumerate(nb.cells, 1) if notebook.is_test(cell)), default=0)
    code = [cell.source for cell in nb.cells if notebook.is_code(cell)]
    used = "\n".join([*code, render("exercise.py", new).replace(new["func"], "")])
    if not last or re.search(rf"\b{new['func']}\b", used):
        taken = f"uses the name {new['func']} already: take another title"
        why = taken if last else "has no test cell"
        raise CourseError(f"{module.source.name} {why}: nothing was added.")
    above = pieces[last].rstrip("\n")
    blank = pieces[last][len(above) :]
    pieces[last] = f"{above}\n\n{render('exercise.py', new).rstrip()}{blank}"
    row = '{number}, "{title}", "test_{func}", {visible}, {beyond}'.format(**new)
    texts[module.source] = below_last(r" +\(\d+, .*\),\n", "".join(pieces), f"{' ' * 12}({row}),\n")
    row = f"| {new['number']} | {title} | `{new['func']}` | {sum(POINTS.values())} |\n"
    texts[readme] = below_last(r"\| \d+ \| .*\|\n", texts[readme], row)
    texts[module.mutants] += render("bugs.toml", new)
    sync.back_up(course, list(texts))
    for path, text in texts.items():
        files.write_text(path, text)
    sync.sync(course, [module])
    return new["number"]


def below_last(pattern: str, text: str, line: str) -> str:
    """Return a text with a line below the last one that matches, or as it is where none does."""
    end = max((match.end() for match in re.finditer(f"^{pattern}", text, re.M)), default=None)
    return text if end is None else text[:end] + line + text[end:]


def to_write(course: Course, module: Module) -> list[str]:
    """Return what a full module has and this one has not yet, in the words of the standards."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = ["pytest", "tests/test_standards.py", "-n0", "--full", f"--module={module.name}"]
        command = [sys.executable, "-m", *tests, f"--junitxml={report}"]
        done = subprocess.run(command, cwd=course.root, capture_output=True, check=False)
        if done.returncode > 1:  # 1: some failed
            raise CourseError(f"The checks do not run. See why: nox -s test -- {module.name}")
        said = [failure.text or "" for failure in ET.parse(report).iter("failure")]
    return [line for text in said for line in text.splitlines()]
