"""Make the README's pictures anew, from a course that is built and graded with --demo.

    python3 noxfile.py -s build grade       # makes such a course in build/
    python .github/pictures.py [COURSE]     # in an environment with the group `test`

One student, Ada, solves Module 02 with two mistakes: her notebook is run, and graded in a copy of
the course. It needs Chromium, and looks best with Noto Sans, Noto Sans Mono and Noto Color Emoji.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from chromium import Chromium  # noqa: E402

LARGEST = 200_000  # bytes
MODULE, STUDENT = "02_activations", "ada"
MISTAKES = ("relu turns NaN into 0", "sigmoid wraps around for unsigned integers")
INSTRUCTIONS = re.compile(r"^ *#(?!\|).*\n", re.M)  # comments, but not `#| export`
STYLE = """<style>
body, main { margin: 0 !important; padding: 0 !important; }
main { padding: 8px 12px 8px 0 !important; }
.jp-Cell { padding: 2px 0 !important; }
</style></head>"""


def main() -> None:
    root = a_course()
    sys.path.insert(0, str(root))
    with tempfile.TemporaryDirectory() as name, Chromium(Path(name)) as browser:
        folder = Path(name)
        ada = solved(root, MODULE, MISTAKES)
        tested = run_until(root, MODULE, ada, "activations-relu-test")
        shown = [tested["activations-relu"], tested["activations-relu-test"]]
        picture(browser, page_of(shown, folder / "test.html"), "test", 900, "main")
        graph = run_until(root, "05_autograd", solved(root, "05_autograd"), "autograd-draw")
        page = page_of([graph["autograd-draw"]], folder / "graph.html")
        picture(browser, page, "graph", 460, "main")
        picture(browser, root / "demo" / "report.html", "report", 1200, "#headline")
        page = feedback(root, folder / "course", ada)
        picture(browser, page, "feedback", 900, "details:nth-of-type(2) .lost")


def a_course() -> Path:
    """Return the course named on the command line, or else the one in build/."""
    named = [Path(name).resolve() for name in sys.argv[1:]]
    found = named or [path.parent for path in (HERE.parent / "build").glob("*/course.toml")]
    if len(found) != 1 or not (found[0] / "demo" / "report.html").is_file():
        sys.exit("Name one course with demo/report.html in it: `nox -s build grade` makes one.")
    return found[0]


def solved(root: Path, name: str, mistakes: Iterable[str] = ()) -> NotebookNode:
    """Return a module's released notebook with all solutions, but for bugs of its mutants.toml.

    The student has removed the comments that say what to do.
    """
    from coursekit import course, notebook
    from coursekit.authoring import demo, mutants

    (module,) = (m for m in course.load(root).modules() if m.name == name)
    work = nbformat.read(root / "release" / name / module.notebook.name, as_version=4)
    solution = notebook.read(module.source)
    known = {mutant.name: mutant for mutant in mutants.load(module)}
    for mistake in mistakes:
        solution = mutants.apply(solution, known[mistake])
    demo.fill(solution, work)
    for cell in filter(notebook.is_solution, work.cells):
        cell.source = INSTRUCTIONS.sub("", cell.source)
    return work


def run_until(root: Path, name: str, work: NotebookNode, last: str) -> dict[str, NotebookNode]:
    """Run a notebook up to the cell `last`; return its cells by their grade_id."""
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in work.cells]
    part = nbformat.v4.new_notebook(cells=work.cells[: ids.index(last) + 1])
    client = NotebookClient(part, timeout=120, allow_errors=True, kernel_name="python3")
    env = os.environ | {"PYTHONPATH": str(root)}
    client.execute(cwd=str(root / "release" / name), env=env)
    return dict(zip(ids, part.cells, strict=False))


def page_of(cells: list[NotebookNode], page: Path) -> Path:
    """Write a page that shows these cells as JupyterLab does; return its path."""
    exporter = HTMLExporter(template_name="lab", mathjax_url="", require_js_url="")
    html, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    page.write_text(html.replace("</head>", STYLE), encoding="utf-8")
    return page


def feedback(root: Path, copy: Path, work: NotebookNode) -> Path:
    """Grade this notebook in a copy of the course; return the student's page."""
    not_needed = {".venv", ".nox", "demo", "submitted"}
    shutil.copytree(root, copy, ignore=lambda folder, names: not_needed & {*names})
    (released,) = (root / "release" / MODULE).glob("*.ipynb")
    target = copy / "submitted" / STUDENT / MODULE / released.name
    target.parent.mkdir(parents=True)
    nbformat.write(work, target)
    grade = ["grade", MODULE, "--student", STUDENT, "--no-sandbox"]  # it is our own code
    subprocess.run([sys.executable, "-m", "coursekit", *grade], cwd=copy, check=True)
    return copy / "feedback" / STUDENT / MODULE / f"{released.stem}.html"


def picture(browser: Chromium, page: Path, name: str, width: int, until: str) -> None:
    """Save the left part of a page, to this width, down to an element's end (a CSS selector)."""
    metrics = {"width": max(width, 900), "height": 1200, "deviceScaleFactor": 2, "mobile": False}
    browser.ask("Emulation.setDeviceMetricsOverride", **metrics)
    browser.open(page)
    box = f"document.querySelector({until!r}).getBoundingClientRect()"
    height = browser.run(f"{box}.bottom") + 8
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    image = Image.open(BytesIO(b64decode(shot["data"]))).convert("RGB")
    path = HERE / f"{name}.png"  # with a palette: a third of the size, no difference to be seen
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, *image.size, f"{path.stat().st_size / 1000:.0f} kB")
    if path.stat().st_size > LARGEST:
        sys.exit(f"{path} is larger than {LARGEST} bytes: crop it.")


if __name__ == "__main__":
    try:
        main()
    except pytest.skip.Exception as missing:  # chromium.py is made for tests
        sys.exit(f"pictures.py: {missing}")
