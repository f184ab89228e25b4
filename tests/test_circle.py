"""The whole circle: what an instructor and a student do from the kit to marks in the LMS."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from chromium import Chromium
from living import (
    MODULE,
    Living,
    copy_of,
    free_port,
    graded,
    grades,
    points,
    solutions,
    until,
    words_on,
)
from nbgrader.api import Gradebook
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeFetchFeedback, ExchangeSubmit
from nbgrader.utils import get_username
from traitlets.config import Config

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Tensor (101),Final Score
    Points Possible,,,,,100,(read only)
"Lovelace, Ada",3143,u17,ada,Morning,,
"Hopper, Grace",3144,u18,grace,Morning,,
"""
ANSWER = "A view shares memory, a copy does not: I measured 8 bytes against 8 megabytes."


@pytest.fixture
def course(built: Living, tmp_path: Path) -> Living:
    return copy_of(built.root, tmp_path / "course")


@pytest.fixture
def python(course: Living, tmp_path: Path) -> Path:
    """Return the Python of an environment of its own, with the kit in another folder installed."""
    (path,) = (course.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path / "student")
    venv, uv = tmp_path / "venv", [sys.executable, "-m", "uv", "--quiet"]
    found = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([*uv, "venv", "--python", sys.executable, venv], check=True)
    kit = tmp_path / "student" / path.stem
    subprocess.run([*uv, "pip", "install", "--python", found, "-e", "."], cwd=kit, check=True)
    return found


@pytest.fixture
def formgrader(course: Living) -> Iterator[str]:
    """Run JupyterLab on the course, as `lab` does; yield formgrader's address."""
    port = free_port()
    options = [f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    with (course.root / "lab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *options],
            cwd=course.root,
            env=os.environ | {"PYTHONPATH": str(course.root)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    yield f"http://127.0.0.1:{port}/formgrader"
    server.terminate()
    server.wait()


@pytest.mark.slow
def test_from_the_kit_to_marks_in_the_lms(
    course: Living, python: Path, formgrader: str, tmp_path: Path
) -> None:
    (kit,) = (tmp_path / "student").iterdir()

    def student(*command: str) -> str:
        """Run the command that the kit installed, where the student is."""
        run = [python.with_name("course"), *command]
        done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # Two students fill in their notebooks, and hand in what `submit` writes.
    work = course.solved()
    questions = [cell for cell in solutions(work) if cell.cell_type == "markdown"]
    tests, full = graded(work), 0
    download = tmp_path / "submissions.zip"
    student("doctor")
    with zipfile.ZipFile(download, "w") as archive:
        for name, lms_id in (("ada", 3143), ("grace", 3144)):
            questions[0].source = f"{ANSWER} {name}"
            nbformat.write(work, kit / MODULE / "tensor_dev.ipynb")
            assert f"{MODULE}: " in student("check", "01")
            student("export", "01")
            said = student("submit", "01", "--id", name, "--name", name.title())
            handed_in = Path(said.rpartition("Hand in this file: ")[2].strip())
            canvas_name = f"{name}_{lms_id}_99{lms_id}_{handed_in.name}"
            archive.write(kit / handed_in, canvas_name)
    full = points(tests)

    # The instructor takes them in, and grades.
    gradebook = tmp_path / "canvas.csv"
    gradebook.write_text(CANVAS, encoding="utf-8")
    course.ok("collect", "--roster", str(gradebook))
    assert "2 taken" in course.ok("collect", str(download))
    course.ok("grade")
    assert {row["automatic"] for row in grades(course).values()} == {str(float(full))}

    # Answers are marked, all but Ada's first on a page, and that one in formgrader.
    course.ok("mark", "01")
    with Chromium(tmp_path) as browser:
        browser.open(course.root / "marking" / f"{MODULE}-me.html")
        for _ in range(2 * len(questions)):
            if "ada" in browser.text("who") and "question 1 " in browser.text("progress"):
                browser.press("ArrowRight")
            browser.press("1", "Enter")
        browser.press("s")
        saved = browser.downloads / f"{MODULE}-me.marks.json"
        until(saved.is_file)
        course.ok("mark", str(saved), "--yes")
        until(lambda: "is running at" in (course.root / "lab.log").read_text(encoding="utf-8"))
        browser.open(f"{formgrader}/gradebook/{MODULE}/tensor_dev")
        links = "[...document.querySelectorAll('a[href*=\"/formgrader/submissions/\"]')]"
        until(lambda: browser.run(f"new Set({links}.map(a => a.href)).size") == 2)
        scores = "document.querySelectorAll('input.score')"
        addresses = browser.run(f"[...new Set({links}.map(a => a.href))]")
        for address in addresses:
            browser.open(address)
            until(lambda: browser.run(f"[...{scores}].some(i => i.placeholder)"))  # it has loaded
            browser.run(f"[...{scores}].filter(i => i.matches('.needs_manual_grade'))"
                        ".forEach(i => { i.value = '2'; $(i).trigger('change'); })")  # fmt: skip
        until(lambda: not any(waiting(course, name) for name in ("ada", "grace")))
    course.ok("grade")

    # What goes back holds the totals.
    rows = grades(course)
    given = json.loads(saved.read_text(encoding="utf-8"))["marks"]
    of = {name: sum(m["points"] for m in given if m["student"] == name) for name in rows}
    assert {name: float(row["total"]) for name, row in rows.items()} == {
        "ada": full + of["ada"] + 2,
        "grace": full + of["grace"],
    }
    with (course.root / "grades" / "canvas.csv").open(encoding="utf-8", newline="") as file:
        table = {row["SIS Login ID"]: row["Tensor (101)"] for row in csv.DictReader(file)}
    assert {name: float(table[name]) for name in rows} == {
        name: float(row["total"]) for name, row in rows.items()
    }
    with zipfile.ZipFile(course.root / "feedback" / f"{MODULE}-canvas.zip") as archive:
        names = archive.namelist()
        assert sorted(name.split("_")[:2] for name in names) == [["ada", "3143"], ["grace", "3144"]]
        for name in names:
            total = float(rows[name.split("_")[0]]["total"])
            assert f"Score: {total:g} / 100" in words_on(archive.read(name).decode())
    assert shutil.which("git") is None or not untracked(course.root)


@pytest.mark.slow
def test_through_nbgraders_exchange_and_back(course: Living, tmp_path: Path) -> None:
    """As on a JupyterHub: each attempt gets its own page back, and no page of another one."""
    here = Config()
    here.Exchange.root, here.Exchange.cache = str(tmp_path / "exchange"), str(tmp_path / "cache")
    here.Exchange.path_includes_course = True
    here.Exchange.assignment_dir = str(tmp_path)
    (path,) = (course.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    (tmp_path / "exchange").mkdir()
    here.CourseDirectory.course_id, kit = path.stem, tmp_path / path.stem

    def staff(command: str, *options: str) -> None:
        """Run one of nbgrader's commands with the course's own settings."""
        where = f"--Exchange.root={here.Exchange.root}"
        done = course.run("nbgrader", command, MODULE, where, *options)
        assert done.returncode == 0, done.stderr

    def student(kind: type) -> None:
        """Click a button of nbgrader's list of assignments."""
        coursedir = CourseDirectory(config=here, assignment_id=MODULE)
        kind(coursedir=coursedir, authenticator=Authenticator(config=here), config=here).start()

    def pages() -> list[str]:
        student(ExchangeFetchFeedback)
        fetched = sorted((kit / MODULE / "feedback").glob("*/tensor_dev.html"))
        return [words_on(page.read_text(encoding="utf-8")) for page in fetched]

    staff("release_assignment")
    student(ExchangeSubmit)
    staff("collect")
    course.ok("grade")
    staff("release_feedback")
    first = pages()
    assert len(first) == 1 and "Score: 0 / 100" in first[0]

    nbformat.write(course.solved(), kit / MODULE / "tensor_dev.ipynb")
    student(ExchangeSubmit)
    staff("collect", "--update")
    staff("release_feedback")  # of the first attempt again: the second one has no page yet
    assert pages() == first
    course.ok("grade")
    staff("release_feedback")
    row = grades(course)[get_username()]
    assert float(row["automatic"]) == points(graded(course.solved()))
    older, newer = pages()
    assert older == first[0] and f"Score: {float(row['total']):g} / 100" in newer


def waiting(course: Living, student: str) -> bool:
    """Tell whether an answer waits for a mark, as nbgrader sees it."""
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as book:
        return book.find_submission(MODULE, student).needs_manual_grade


def untracked(root: Path) -> list[str]:
    """Return what git would take of a course after a term: nothing that is anybody's own."""
    run = ["git", "status", "--porcelain", "--untracked-files=all"]
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    done = subprocess.run(run, cwd=root, capture_output=True, encoding="utf-8", check=True)
    names = [line[3:] for line in done.stdout.splitlines()]
    private = ("roster", "submitted", "downloaded", "feedback", "grades", "marking", "canvas")
    return [name for name in names if name.startswith(private)]
