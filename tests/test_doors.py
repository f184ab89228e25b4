"""Every door to student code is the same door: grade, `nbgrader autograde`, formgrader's button."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from living import MODULE, Living, grades, solutions, table
from nbformat.v4 import new_code_cell

needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not here")

WRITES = """
from pathlib import Path
for folder in ({folder!r}, "/tmp", str(Path.home())):
    try:
        Path(folder, "was-here").write_text("mine")
    except OSError as error:
        print("not written:", error)
"""


@pytest.mark.slow
@needs_sandbox
def test_formgraders_button_is_the_same_door(spoilable: Living) -> None:
    nb = spoilable.solved()
    nb.cells.insert(1, new_code_cell(WRITES.format(folder=str(spoilable.root))))
    spoilable.hand_in("eve", nb)
    button = """
import sys
sys.path.insert(0, ".")
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from coursekit import course
from coursekit.grading.nbgrader_autograde import config
from pathlib import Path
c = config(course.load(Path()))
done = NbGraderAPI(CourseDirectory(config=c), config=c).autograde("01_tensor", "eve")
sys.exit(done["log"] if not done["success"] else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", button],
        cwd=spoilable.root, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (spoilable.root / "was-here").exists()
    assert (spoilable.root / "autograded" / "eve" / MODULE / "tensor_dev.ipynb").is_file()


@pytest.mark.slow
def test_nothing_of_a_students_runs_on_formgraders_pages(spoilable: Living) -> None:
    """They have the session of whoever marks: the gradebook, the solutions, a terminal."""
    nb = spoilable.solved()
    (answer,) = [cell for cell in nb.cells if cell.id == "tensor-q1"]
    answer.source = "<script>alert('mine')</script><img src=x onerror=alert(1)>\n\nA view: $x_1$."
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    page = """
import sys
sys.path.insert(0, ".")
from pathlib import Path
from nbconvert.exporters import HTMLExporter
from coursekit import course
from coursekit.grading.nbgrader_autograde import config
exporter = HTMLExporter(config=config(course.load(Path())))  # as formgrader makes its own
print(exporter.from_filename("autograded/eve/01_tensor/tensor_dev.ipynb")[0])
"""
    run = {"cwd": spoilable.root, "capture_output": True, "encoding": "utf-8", "check": True}
    text = subprocess.run([sys.executable, "-c", page], **run).stdout
    assert "A view: $x_1$." in text
    assert "<script>alert('mine')" not in text and "<img src=x onerror" not in text


@pytest.mark.slow
def test_without_bubblewrap_both_refuse_in_the_same_words(
    spoilable: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = spoilable.solved()
    nb.cells.insert(1, new_code_cell(WRITES.format(folder=str(spoilable.root))))
    spoilable.hand_in("eve", nb)
    (tmp_path / "bin").mkdir()
    for tool in ("setpriv", "env"):
        if found := shutil.which(tool):
            (tmp_path / "bin" / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    words = "Grading runs students' code, and there is no sandbox for it here: bubblewrap (bwrap)"
    ours = subprocess.run(
        [sys.executable, "-m", "coursekit", "grade"],
        cwd=spoilable.root, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    theirs = spoilable.run("nbgrader", "autograde", MODULE)
    for done in (ours, theirs):
        assert done.returncode != 0
        assert words in " ".join(done.stderr.split()), done.stderr
    assert not (spoilable.root / "was-here").exists()
    assert not (spoilable.root / "autograded" / "eve" / MODULE / "tensor_dev.ipynb").exists()


@pytest.mark.slow
def test_without_the_courses_settings_nothing_of_a_students_runs(spoilable: Living) -> None:
    """nbgrader itself would log what is wrong, and go on with its own defaults."""
    nb = spoilable.solved()
    nb.cells.insert(1, new_code_cell(WRITES.format(folder=str(spoilable.root))))
    spoilable.hand_in("eve", nb)
    spoilable.edit(spoilable.root / "course.toml", "[grading]", "[gradign]")
    done = spoilable.run("nbgrader", "autograde", MODULE)
    assert done.returncode != 0
    assert "[gradign]; did you mean grading?" in done.stderr and "mend that" in done.stderr
    assert not (spoilable.root / "was-here").exists()


@pytest.mark.slow
@needs_sandbox
def test_autograde_gives_the_same_points_and_lets_nobody_write_outside(
    spoilable: Living,
) -> None:
    """Also for work that is late, in disorder, or takes too long; with an extension, in a section.

    And what `grade` leaves is what this leaves: the next one has nothing to do.
    """
    settings = spoilable.root / "course.toml"
    with settings.open("a", encoding="utf-8") as text:
        text.write(f'\n[[extension]]\nstudent = "dan"\nmodule = "{MODULE}"\nuntil = 2027-03-01\n')
        text.write(f"[schedule.sections.Evening]\n{MODULE} = 2027-03-01\n")
    rows = "id,section\nada,\nbob,\ncid,Evening\ndan,\neve,\n"
    (spoilable.root / "roster.csv").write_text(rows, encoding="utf-8")
    spoilable.edit(settings, "percent_per_day = 0", "percent_per_day = 10")
    spoilable.edit(settings, "cell_seconds = 10", "cell_seconds = 1")
    nb = spoilable.solved(lambda number: number < 7)
    nb.cells = nb.cells[::-1]
    spoilable.hand_in("ada", nb, stamp="2027-01-27 01:59:00 UTC")
    for who in ("cid", "dan"):
        spoilable.hand_in(who, nb, stamp="2027-01-27 01:59:00 UTC")
    nb = spoilable.solved()
    [cell for cell in solutions(nb) if cell.cell_type == "code"][-1].source = "while True: pass"
    spoilable.hand_in("bob", nb)
    nb = spoilable.solved()
    nb.cells.insert(1, new_code_cell(WRITES.format(folder=str(spoilable.root))))
    spoilable.hand_in("eve", nb)
    spoilable.ok("grade")
    ours = {row["student"]: float(row["total"]) for row in table(spoilable.root / "grades.csv")}
    for command in (["autograde", MODULE, "--force"], ["export", "--to", "plain.csv"]):
        done = spoilable.run("nbgrader", *command)
        assert done.returncode == 0, done.stderr
    rows = table(spoilable.root / "plain.csv")
    assert {row["student_id"]: float(row["score"]) for row in rows} == ours
    assert 0 < ours["ada"] < ours["dan"] == ours["cid"] < ours["bob"] < ours["eve"] == 80
    assert "5 unchanged" in spoilable.ok("grade")
    homes = [spoilable.root, Path("/tmp"), Path.home()]
    assert not [home for home in homes if (home / "was-here").exists()]
    path = spoilable.root / "autograded" / "eve" / MODULE / "tensor_dev.ipynb"
    ran = nbformat.read(path, as_version=4)
    (cell,) = (cell for cell in ran.cells if "was-here" in cell.source)
    assert "not written:" in cell.outputs[0].text, "it ran, and not outside"


@pytest.fixture
def busy() -> Iterator[None]:
    """Keep the processors busy with twelve loops."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(12)]
    try:
        yield
    finally:
        for loop in loops:
            loop.send_signal(signal.SIGKILL)
            loop.wait()


SLOWLY = """
import time
_start = time.process_time()
while time.process_time() - _start < 0.7:
    pass
"""


@pytest.mark.slow
def test_a_busy_machine_changes_no_grade(spoilable: Living, busy: None) -> None:
    """Time is the cell's own: one that works for 0.7 of its two seconds takes five by the clock."""
    spoilable.edit(spoilable.root / "course.toml", "cell_seconds = 10", "cell_seconds = 2")
    nb = spoilable.solved()
    for number in (2, 5, 9):
        nb.cells.insert(number, new_code_cell(SLOWLY))
    spoilable.hand_in("slow", nb)
    nb = spoilable.solved()
    nb.cells.insert(1, new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2]);"))
    spoilable.hand_in("plots", nb)
    for number in range(4):
        spoilable.hand_in(f"s{number}", spoilable.solved())
    spoilable.ok("grade")
    rows = grades(spoilable)
    assert {(float(row["automatic"]), row["note"]) for row in rows.values()} == {(80, "")}
    assert len(rows) == 6


ELSEWHERE = (
    "build",
    "collect x",
    "grade",
    "mark 1",
    "compare 1",
    "test",
    "term X --first-day 2027-03-01",
)


@pytest.mark.parametrize("command", ELSEWHERE)
def test_windows_is_sent_where_a_sandbox_can_be(
    built: Living, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    name, *rest = command.split()
    said = built.refused(name, *rest)
    assert said == f"On Windows, `nox -s {name}` needs WSL or a dev container.\n"
