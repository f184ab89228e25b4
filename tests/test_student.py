"""The student's command `course`, in a kit as students unzip it: what it says, what it keeps."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from living import MODULE, Living, copy_of, snapshot
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

SECOND = "02_activations"


@dataclass(frozen=True)
class Kit:
    """A folder that a student has unzipped, and what they do in it."""

    root: Path

    def run(
        self, *command: str, cwd: Path | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "course", *command],
            cwd=cwd or self.root,
            env=os.environ | {"PYTHONPATH": str(self.root), "TZ": "UTC"},  # dates are local ones
            stdin=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def says(self, *command: str, code: int = 0) -> str:
        """Return what a command prints that ends with this code."""
        done = self.run(*command)
        assert (done.returncode, done.stderr) == (code, ""), done.stdout + done.stderr
        return done.stdout

    def refuses(self, *command: str) -> str:
        """Return the one line of a command that can do nothing."""
        done = self.run(*command)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stdout + done.stderr
        return done.stderr

    def notebook(self, module: str = MODULE) -> Path:
        return self.root / module / f"{module[3:]}_dev.ipynb"

    def change(self, change: Callable[[NotebookNode], None], module: str = MODULE) -> None:
        nb = nbformat.read(self.notebook(module), as_version=4)
        change(nb)
        nbformat.write(nb, self.notebook(module))

    def edit(self, name: str, old: str, new: str, module: str = MODULE) -> None:
        """Replace a text, which must be there, in a cell."""

        def replace(nb: NotebookNode) -> None:
            (cell,) = [
                c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name
            ]
            assert old in cell.source
            cell.source = cell.source.replace(old, new)

        self.change(replace, module)

    def solve(self, course: Living, module: str = MODULE) -> None:
        """Fill in every solution and every answer."""
        name = self.notebook(module).name
        source = nbformat.read(course.root / "modules" / module / name, as_version=4)
        texts = {cell.id: cell.source for cell in source.cells}

        def fill(nb: NotebookNode) -> None:
            for cell in nb.cells:
                if cell.metadata.get("nbgrader", {}).get("solution"):
                    cell.source = texts[cell.id]

        self.change(fill, module)


def unzipped(course: Living, folder: Path) -> Kit:
    (path,) = (course.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(folder)
    return Kit(folder / path.stem)


@pytest.fixture
def kit(built: Living, tmp_path: Path) -> Kit:
    return unzipped(built, tmp_path)


@pytest.fixture
def solved(built: Living, kit: Kit) -> Kit:
    kit.solve(built)
    return kit


@pytest.fixture
def two(pair: Living, tmp_path: Path) -> Kit:
    """A kit with two modules, solved; the first is exported."""
    made = unzipped(pair, tmp_path)
    for module in (MODULE, SECOND):
        made.solve(pair, module)
    made.says("export", "1")
    return made


# --- check ---


def test_a_solved_notebook_passes_under_any_name_of_its_module(solved: Kit) -> None:
    for name in ("1", "01", "tensor", MODULE):
        assert "✅ Exercise 5: " in solved.says("check", name, "5")
    said = solved.says("check")
    assert said.count("✅") == 13 and f"{MODULE}: 13 of 13 exercises, 63 of 63 points" in said


def test_an_untouched_notebook_is_not_begun_and_not_finished(kit: Kit) -> None:
    assert kit.says("check") == "No module is begun.\n"
    said = kit.says("check", "1", code=1)
    assert said.count("not finished: Exercise") == 13 and "0 of 63 points" in said
    assert f"{MODULE}: not begun; due Mon 25 Jan 2027" in kit.says("status")


def test_the_first_failure_is_told_as_its_test_tells_it(solved: Kit) -> None:
    solved.edit("tensor-reductions", "keepdims=keepdims", "keepdims=False")
    solved.edit("tensor-permute", "#| export", "#| export\nraise ValueError('no')")
    said = solved.says("check", "1", code=1)
    assert "❌ Exercise 6: Reductions\n" in said and "❌ Exercise 9: " in said
    assert "❌ Exercise 6 · " in said and "Traceback" not in said
    assert "❌ Exercise 9 · " not in said
    assert "Exercise 9, a cell fails: ValueError: no · line 2: raise ValueError('no')" in said
    assert "❌ Exercise 9 · " in solved.says("check", "1", "9", code=1)


def test_a_recursion_without_end_is_a_message_that_one_can_read(solved: Kit) -> None:
    solved.edit("tensor-broadcast", "    ### BEGIN", "    return broadcast_shape(b, a)\n    #")
    said = solved.says("check", "1", "3", code=1)
    assert "Exercise 3 · RecursionError: " in said and "line 22 of `broadcast_shape`" in said
    assert len(said.splitlines()) < 30


def test_what_passes_in_a_notebook_and_not_in_grading_is_told(solved: Kit) -> None:
    solved.edit(
        "tensor-broadcast", "    ### BEGIN", "    import warnings; warnings.warn('hm')\n    #"
    )

    def more(nb: NotebookNode) -> None:
        tests = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade")]
        tests[0].source = "print('✅')"
        nb.cells.remove(tests[2])
        nb.cells.insert(9, new_code_cell("%time\nsum = 0\nx = !ls"))
        nb.cells.insert(9, new_code_cell("%%bash\nexit 1"))

    solved.change(more)
    said = solved.says("check", "1", code=1)
    assert "A warning was printed: in grading that costs the test.\n" in said
    assert "UserWarning: hm" in said
    assert "hide built-ins, which tests get back: sum\n" in said
    assert "Exercise 1: tensor-init-test was changed or deleted" in said
    assert "Exercise 2: tensor-numbers-test was changed or deleted" in said
    assert "12 of 13 exercises" in said


def test_a_cell_that_does_not_end_is_stopped_and_named(solved: Kit) -> None:
    settings = solved.root / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('cell_seconds = "10"', 'cell_seconds = "0.5"'), "utf-8")
    solved.edit("tensor-permute", "#| export", "while True: pass")
    said = solved.says("check", "1", code=1)
    assert "Exercise 9: a cell took more than 1.5 seconds and was stopped" in said
    assert "not reached: Exercise 13" in said and "✅ Exercise 8" in said
    solved.edit("tensor-permute", "while True: pass", "import os; os._exit(0)")
    assert "Exercise 9: a cell ended Python itself" in solved.says("check", "1", code=1)


# --- whose fault it is ---


def wrong(kit: Kit) -> str:
    """A mistake that shows only in the second module."""
    kit.edit("tensor-reductions", "keepdims=keepdims", "keepdims=False")
    kit.says("export", "1")
    return f"{MODULE} fails Exercise 6 itself: mend that first."


def raises(kit: Kit) -> str:
    kit.edit("tensor-reductions", "array =", "array = 1 / 0 #")
    kit.says("export", "1")
    return f"/tensor.py, which {MODULE} wrote.\n{MODULE} fails Exercise 6 itself"


def unfinished(kit: Kit) -> str:
    kit.says("reset", "1", "6")
    kit.says("export", "1", code=1)
    return f"/tensor.py, which {MODULE} wrote.\n{MODULE} fails Exercise 6 itself"


def not_exported(kit: Kit) -> str:
    next(kit.root.glob("*/tensor.py")).unlink()
    return f"{MODULE} was never exported: course export 01"


def exported_too_early(kit: Kit) -> str:
    path = next(kit.root.glob("*/tensor.py"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("keepdims=keepdims", "keepdims=False"), encoding="utf-8")
    os.utime(path, (1, 1))
    return "/tensor.py is older than your notebook: course export 01"


def edited_in_the_package(kit: Kit) -> str:
    exported_too_early(kit)
    path = next(kit.root.glob("*/tensor.py"))
    os.utime(path, (2**33, 2**33))
    return "/tensor.py is not what your notebook says"


@pytest.mark.parametrize(
    "spoil", [wrong, raises, unfinished, not_exported, exported_too_early, edited_in_the_package]
)
def test_the_earlier_module_at_fault_is_named(two: Kit, spoil: Callable[[Kit], str]) -> None:
    expected = spoil(two)
    said = two.says("check", "2", code=1)
    assert said.count(expected) == 1
    assert "In grading the earlier modules are your instructor's" in said


def test_a_test_names_the_earlier_file_that_is_not_finished(two: Kit) -> None:
    unfinished(two)
    said = two.says("check", "2", code=1)
    assert re.search(r"❌ Exercise \d+: `[\w.]+` in the tensor\.py that you exported is not", said)
    assert "Replace `# YOUR CODE HERE`" not in said


def test_ones_own_mistake_is_no_earlier_modules(two: Kit) -> None:
    two.edit("activations-relu", "return x.maximum(0) * (x > 0)", "return x", SECOND)
    said = two.says("check", "2", code=1)
    assert "❌ Exercise 1 · " in said and MODULE not in said and "instructor" not in said


def test_as_graded_the_reference_stands_for_earlier_modules(two: Kit) -> None:
    assert "reference/tensor.py is not there" in two.refuses("check", "2", "--as-graded")
    good = next(two.root.glob("*/tensor.py")).read_text(encoding="utf-8")
    wrong(two)
    (two.root / "reference").mkdir()
    (two.root / "reference" / "tensor.py").write_text(good, encoding="utf-8")
    assert f"{SECOND}: 10 of 10 exercises" in two.says("check", "2", "--as-graded")


# --- the rest of a student's day ---


def test_reset_gives_the_stub_back_and_keeps_what_stood_there(solved: Kit) -> None:
    before = nbformat.read(solved.notebook(), as_version=4)
    said = solved.says("reset", "1", "4")
    (kept,) = (solved.root / "backups").iterdir()
    assert f"What stood there is kept in backups{os.sep}{kept.name}" in said
    after = nbformat.read(solved.notebook(), as_version=4)
    changed = [(a, b) for a, b in zip(before.cells, after.cells, strict=True) if a != b]
    ((old, new),) = changed
    assert kept.read_text(encoding="utf-8") == old.source
    assert "raise NotImplementedError()" in new.source

    def remove(nb: NotebookNode) -> None:
        nb.cells = [cell for cell in nb.cells if cell.id != new.id]

    solved.change(remove)
    assert "Exercise 4: its cell is gone" in solved.says("check", "1", code=1)
    solved.says("reset", "1", "4")
    assert nbformat.read(solved.notebook(), as_version=4).cells == after.cells
    assert "has no Exercise 99" in solved.refuses("reset", "1", "99")


def test_status_says_how_far_one_is_and_what_is_next(two: Kit) -> None:
    two.says("reset", "1", "13")
    two.edit("activations-q2", "", "YOUR ANSWER HERE", SECOND)
    first, second, last = two.says("status").splitlines()
    assert first.startswith(f"{MODULE}: 12 of 13 exercises, 60 of 63 points, 4 of 4 questions; due")
    assert second.startswith(f"{SECOND}: 10 of 10 exercises, 63 of 63 points, ")
    assert last == f"Next: {MODULE}, Exercise 13: Factories and luck"


def test_status_says_what_to_export_before_a_module_that_imports_it(two: Kit) -> None:
    """Nearly all of its tests fail for want of that."""
    not_exported(two)
    last = two.says("status").splitlines()[-1]
    assert last == f"Next: {MODULE} was never exported: course export 01"


def test_status_says_when_it_is_due_in_each_section(kit: Kit) -> None:
    settings = kit.root / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    later = '", "01_tensor 2027-01-27T12:00:00+00:00 Evening, group B"]'
    settings.write_text(text.replace('"]\n', later + "\n"), encoding="utf-8")
    said = kit.says("status")
    assert "; due all others: Mon 25 Jan 2027" in said and "; Evening, group B: Wed 27 Jan" in said


def test_submit_writes_one_file_whatever_the_tests_say(solved: Kit) -> None:
    solved.says("reset", "1", "13")
    said = solved.says("submit", "1", "--id", "zobrien", "--name", "Zoë O'Brien")
    assert "Not done: Exercise 13: Factories and luck\n" in said
    assert "It is packed as it is." in said
    path = solved.root / "hand-in" / f"zobrien_{MODULE}.zip"
    assert str(path) in said
    with zipfile.ZipFile(path) as archive:
        notebook, note = archive.read("tensor_dev.ipynb"), archive.read("submission.json")
    assert notebook == solved.notebook().read_bytes()
    about = json.loads(note)
    assert about["time"][-6] in "+-" and about["sha256"] == hashlib.sha256(notebook).hexdigest()
    kept = {name: about[name] for name in ("id", "name", "module", "points")}
    assert kept == {"id": "zobrien", "name": "Zoë O'Brien", "module": MODULE, "points": 60}
    first = path.read_bytes()
    solved.says("submit", "1", "--id", "zobrien", "--name", "Zoë")
    assert first in [backup.read_bytes() for backup in (solved.root / "backups").glob("*.zip")]
    assert "Say your student id" in solved.refuses("submit", "1")
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"\x04")  # Ctrl-D
    done = solved.run("submit", "1", stdin=terminal)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot be a student id" in solved.refuses("submit", "1", "--id", "a/b", "--name", "A")


def test_a_solution_below_the_exercises_belongs_to_none(solved: Kit) -> None:
    about = {"grade": False, "grade_id": "mine", "locked": False, "solution": True,
             "schema_version": 3, "task": False}  # fmt: skip
    stub = new_code_cell("# YOUR CODE HERE\nraise NotImplementedError()")
    stub.metadata["nbgrader"] = about

    def add(nb: NotebookNode) -> None:
        nb.cells += [new_markdown_cell("## The leaderboard"), stub]

    original = solved.root / "originals" / MODULE / "tensor_dev.ipynb"
    nb = nbformat.read(original, as_version=4)
    add(nb)
    nbformat.write(nb, original)
    solved.change(add)
    assert "13 of 13 exercises" in solved.says("check", "1")
    solved.says("reset", "1", "13")
    assert solved.says("check", "1", code=1).count("not finished") == 1


# --- what is wrong is one line ---


def no_json(kit: Kit) -> str:
    kit.notebook().write_text("<html>Log in</html>", encoding="utf-8")
    return f"{MODULE}/tensor_dev.ipynb cannot be read as a notebook"


def no_notebook_in_it(kit: Kit) -> str:
    kit.notebook().write_text('{"cells": [1]}', encoding="utf-8")
    return f"{MODULE}/tensor_dev.ipynb cannot be read as a notebook"


def renamed(kit: Kit) -> str:
    kit.notebook().rename(kit.notebook().with_name("mine.ipynb"))
    return "tensor_dev.ipynb is not there. Beside it stands mine.ipynb. Give your notebook this"


def gone(kit: Kit) -> str:
    shutil.rmtree(kit.root / MODULE)
    return f"{MODULE}/tensor_dev.ipynb is not there"


@pytest.mark.parametrize("spoil", [no_json, no_notebook_in_it, renamed, gone])
def test_a_notebook_that_cannot_be_read_is_one_line(kit: Kit, spoil: Callable[[Kit], str]) -> None:
    expected = spoil(kit)
    for command in (
        ["check", "1"],
        ["submit", "1", "--id", "a", "--name", "A"],
        ["reset", "1", "2"],
    ):
        assert expected in kit.refuses(*command)
    assert not (kit.root / "hand-in").exists()
    if spoil is not gone:  # a kit may bring some modules only
        assert expected in kit.says("status", code=1) and expected in kit.says("doctor", code=1)


def test_a_wrong_folder_or_module_is_one_line(kit: Kit, tmp_path: Path) -> None:
    for command in (["status"], ["doctor"], ["check", "1"], ["submit", "1"]):
        done = kit.run(*command, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert "is not the course's folder" in done.stderr
    assert kit.run("status", cwd=kit.root / MODULE).returncode == 0
    for command in (["check", "9"], ["submit", "9"], ["reset", "9", "1"], ["export", "9"]):
        assert f"There is no module 9, only: {MODULE}" in kit.refuses(*command)
    settings = kit.root / "pyproject.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("cell_seconds", "x"), "utf-8")
    assert "pyproject.toml is damaged" in kit.refuses("status")


def test_doctor_finds_a_missing_package_an_old_copy_and_a_moved_folder(
    solved: Kit, tmp_path: Path
) -> None:
    """In an environment of its own, installed as the README says; what it needs is left out."""
    venv = tmp_path / "venv"
    scripts = venv / ("Scripts" if sys.platform == "win32" else "bin")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, venv], check=True)
    install = ["pip", "install", "--no-deps", "--python", scripts / "python", "-e", "."]
    subprocess.run([*uv, *install], cwd=solved.root, check=True)

    def doctor(root: Path) -> str:
        done = subprocess.run(
            [scripts / "python", "-m", "course", "doctor"],
            cwd=root, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (1, "")
        return done.stdout

    package = next(solved.root.glob("*/testing.py")).parent.name
    done = subprocess.run([scripts / "course", "doctor"], cwd=solved.root, capture_output=True)
    assert done.returncode == 1
    said = doctor(solved.root)
    assert f"ok {package} is imported from here\n" in said
    assert "✗  jupyterlab is not installed: activate .venv" in said
    assert "✗  Jupyter is not installed" in said
    shutil.copytree(solved.root, tmp_path / "copy")
    assert f"✗  {package} is imported from {solved.root / package}, not here" in doctor(
        tmp_path / "copy"
    )
    solved.root.rename(tmp_path / "moved")
    assert f"✗  {package} is imported from nowhere, not here" in doctor(tmp_path / "moved")


def test_doctor_says_what_to_export_first_module_first(two: Kit) -> None:
    two.says("export", "2")
    for name in ("tensor", "activations"):
        (path,) = two.root.glob(f"*/{name}.py")
        path.write_text("# older\n", encoding="utf-8")
        os.utime(path, (1, 1))
    said = two.run("doctor").stdout
    assert re.findall(r"older than your notebook: (.+)", said) == [
        "course export 01", "course export 02"
    ]  # fmt: skip


def test_doctor_names_a_kernel_of_another_python(solved: Kit, tmp_path: Path) -> None:
    said = solved.run("doctor").stdout
    assert "ok notebooks run in this Python" in said
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    about = {"argv": ["/gone/bin/python", "-m", "ipykernel_launcher"], "display_name": "Python 3"}
    spec.write_text(json.dumps(about | {"language": "python"}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "course", "doctor"],
        cwd=solved.root,
        env=os.environ | {"JUPYTER_PATH": str(tmp_path / "jupyter")},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1 and "✗  notebooks run in /gone/bin/python" in done.stdout


# --- the instructor's side ---


def test_the_kit_shows_a_solution_only_where_the_instructor_says_so(
    spoilable: Living, decoys_stay: None, tmp_path: Path
) -> None:
    (path,) = (spoilable.root / "dist").glob("*.zip")
    assert not [name for name in zipfile.ZipFile(path).namelist() if "/reference/" in name]
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "reference = []", 'reference = ["01"]')
    assert "[kit] reference: no module '01'." in spoilable.refused("build")
    spoilable.edit(settings, '["01"]', f'["{MODULE}"]')
    spoilable.ok("build")
    kit = unzipped(spoilable, tmp_path / "kit")
    assert "class Tensor" in (kit.root / "reference" / "tensor.py").read_text(encoding="utf-8")
    assert [path.name for path in (kit.root / "reference").iterdir()] == ["tensor.py"]


def test_a_zip_has_the_date_of_the_build_in_which_something_changed(
    spoilable: Living, decoys_stay: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (spoilable.root / "dist").glob("*.zip")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    before = path.read_bytes()
    spoilable.ok("build")
    assert path.read_bytes() == before, "nothing has changed"
    spoilable.edit(spoilable.root / "student" / "README.md", "Set up", "Set it up")
    spoilable.ok("build")
    dates = {info.date_time for info in zipfile.ZipFile(path).infolist()}
    assert dates == {(2027, 1, 15, 8, 0, 0)}


def test_a_module_built_alone_comes_without_the_others_notebooks(
    pair: Living, decoys_stay: None, tmp_path: Path
) -> None:
    """It is unzipped over a folder in which students have worked: nothing of theirs is replaced."""
    kit = unzipped(pair, tmp_path / "term")
    kit.solve(pair)
    kit.says("export", "1")
    work = kit.notebook().read_bytes()
    shutil.rmtree(kit.root / SECOND)
    course = copy_of(pair.root, tmp_path / pair.root.name)
    course.ok("build", "2")
    unzipped(course, tmp_path / "term")
    assert kit.notebook().read_bytes() == work and kit.notebook(SECOND).is_file()
    said = kit.says("status")
    assert f"{MODULE}: 13 of 13" in said and f"{SECOND}: not begun; due Mon 08 Feb" in said
    alone = unzipped(course, tmp_path / "alone")
    assert f"{MODULE}: not begun" in alone.says("status")


def test_what_submit_writes_is_collected(spoilable: Living, solved: Kit, tmp_path: Path) -> None:
    """Alone, without a roster; in an LMS's download, whose word goes first; changed since."""
    solved.says("submit", "1", "--id", "zobrien", "--name", "Zoë O'Brien")
    (packed,) = (solved.root / "hand-in").iterdir()
    nb = solved.notebook().read_bytes()
    with zipfile.ZipFile(packed) as archive:
        about = json.loads(archive.read("submission.json"))
    assert "1 taken" in spoilable.ok("collect", str(packed))
    there = spoilable.root / "submitted" / "zobrien" / MODULE
    assert (there / "tensor_dev.ipynb").read_bytes() == nb
    assert (there / "timestamp.txt").read_text().startswith(about["time"][:4])
    assert "1 the same" in spoilable.ok("collect", str(packed.parent))
    spoilable.ok("collect", str(packed), str(packed))  # two of one student
    roster = "id,name,email,lms_id,section\nzobrien,Zoë O'Brien,,3143,\njdoe,Jane Doe,,3145,\n"
    (spoilable.root / "roster.csv").write_text(roster, encoding="utf-8")
    forged, download = tmp_path / "forged.zip", tmp_path / "submissions.zip"
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("tensor_dev.ipynb", nb + b"\n")
        archive.writestr("submission.json", json.dumps(about))
    with zipfile.ZipFile(download, "w") as archive:
        archive.write(forged, f"doejane_3145_507_zobrien_{MODULE}.zip")
        archive.write(forged, f"ghost_99_508_zobrien_{MODULE}.zip")
    done = spoilable.call("collect", str(download))
    assert done.returncode == 1
    assert "changed after submit" in done.stdout and "is taken as jdoe's" in done.stdout
    assert "nobody in roster.csv is called lms id 99 or ghost" in done.stdout
    of_jane = spoilable.root / "submitted" / "jdoe" / MODULE / "tensor_dev.ipynb"
    assert of_jane.read_bytes() == nb + b"\n"
    assert (there / "tensor_dev.ipynb").read_bytes() == nb


def test_clones_of_the_kit_are_collected_without_what_is_no_work(
    pair: Living, two: Kit, tmp_path: Path
) -> None:
    course = copy_of(pair.root, tmp_path / "course")
    (course.root / "roster.csv").write_text("id,name\njdoe,Jane Doe\n", encoding="utf-8")
    shutil.copy(two.root / "originals" / SECOND / two.notebook(SECOND).name, two.notebook(SECOND))
    shutil.copytree(two.root, tmp_path / "clones" / "tensor-jdoe")
    assert "1 taken, 0 newer" in course.ok("collect", str(tmp_path / "clones"))
    there = course.root / "submitted" / "jdoe"
    assert [path.name for path in there.iterdir()] == [MODULE]
    assert (there / MODULE / "tensor_dev.ipynb").read_bytes() == two.notebook().read_bytes()


def test_export_writes_into_the_package_whatever_lies_beside_it(solved: Kit) -> None:
    (package,) = (path.parent for path in solved.root.glob("*/testing.py"))
    backup = solved.root / f"a-{package.name}-backup"
    shutil.copytree(package, backup)
    before = snapshot(backup)
    assert f"{package.name}/tensor.py" in solved.says("export", "1")
    assert snapshot(backup) == before
    (package / "testing.py").unlink()
    assert f"{package.name}/testing.py is not there" in solved.refuses("export", "1")


def test_export_keeps_what_it_replaces(solved: Kit) -> None:
    """A slip mended in the package only, say, and then an export of the notebook that has it."""
    solved.says("export", "1")
    (package,) = (path.parent for path in solved.root.glob("*/testing.py"))
    solved.says("export", "1")
    assert not list(solved.root.glob("backups/*"))
    mended = (package / "tensor.py").read_text(encoding="utf-8") + "\n# mended here\n"
    (package / "tensor.py").write_text(mended, encoding="utf-8")
    solved.says("export", "1")
    assert "# mended here" not in (package / "tensor.py").read_text(encoding="utf-8")
    (kept,) = solved.root.glob("backups/tensor-*.py")
    assert kept.read_text(encoding="utf-8") == mended


def test_a_solution_turned_into_text_is_code_as_in_grading(solved: Kit) -> None:
    solved.says("export", "1")
    (package,) = (path.parent for path in solved.root.glob("*/testing.py"))
    before = (package / "tensor.py").read_bytes()

    def turn(nb: NotebookNode) -> None:
        (number,) = [n for n, c in enumerate(nb.cells) if c.id == "tensor-permute"]
        nb.cells[number] = new_markdown_cell(
            nb.cells[number].source, metadata=nb.cells[number].metadata, id="tensor-permute"
        )

    solved.change(turn)
    assert "13 of 13 exercises" in solved.says("check", "1")
    solved.says("export", "1")
    assert (package / "tensor.py").read_bytes() == before


def test_a_module_without_tests_is_checked(solved: Kit) -> None:
    """One in the making, say."""
    original = solved.root / "originals" / MODULE / solved.notebook().name
    for path in (original, solved.notebook()):
        nb = nbformat.read(path, as_version=4)
        nb.cells = [c for c in nb.cells if not c.metadata.get("nbgrader", {}).get("grade")]
        nbformat.write(nb, path)
    assert "0 of 0 points" in solved.says("check", "1")


def test_an_object_that_cannot_be_printed_is_one_cells_fault(solved: Kit) -> None:
    code = "class Mute:\n    def __str__(self): raise OSError\nassert False, Mute()\n"
    solved.change(lambda nb: nb.cells.append(new_code_cell(code)))
    said = solved.says("check", "1")
    assert "its text could not be read" in said and "13 of 13 exercises" in said


def test_a_module_without_a_date_is_shown(kit: Kit) -> None:
    path = kit.root / "pyproject.toml"
    text = re.sub(r"(?ms)^due = \[.*?\]$", "due = []", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    assert "due on no date" in kit.says("status")


def test_doctor_reads_a_requirement_in_any_form(kit: Kit) -> None:
    path = kit.root / "pyproject.toml"
    text = path.read_text(encoding="utf-8").replace('"numpy>=2.0', '"numpy ~= 2.0')
    assert "~=" in text
    path.write_text(text, encoding="utf-8")
    assert re.search(r"ok +numpy \d", kit.run("doctor").stdout)


def test_a_process_that_a_cell_leaves_is_ended(solved: Kit) -> None:
    code = "import subprocess\nleft = subprocess.Popen(['sleep', '600'])\n"
    path = solved.root / MODULE / "left.txt"
    code += "open('left.txt', 'w').write(str(left.pid))\n"
    solved.change(lambda nb: nb.cells.append(new_code_cell(code)))
    assert "13 of 13 exercises" in solved.says("check", "1")
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # until the system has noticed
            os.kill(int(path.read_text(encoding="utf-8")), 0)
            time.sleep(0.05)


def test_reset_gives_a_cell_back_its_type(solved: Kit) -> None:
    def to_text(nb: NotebookNode) -> None:
        (cell,) = [c for c in nb.cells if c.get("id") == "tensor-operators"]
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]

    solved.change(to_text)
    solved.says("reset", "1", "4")
    nb = nbformat.read(solved.notebook(), as_version=4)
    nbformat.validate(nb)
    (cell,) = [c for c in nb.cells if c.get("id") == "tensor-operators"]
    assert cell.cell_type == "code" and "NotImplementedError" in cell.source
