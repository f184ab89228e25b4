"""build: what students get, and the gates that nothing else passes."""

import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from living import MODULE, Living, graded, points, secrets_of, snapshot, solutions, table
from nbformat.v4 import new_code_cell


def test_release_and_kit_show_no_line_of_a_solution(built: Living) -> None:
    secrets = secrets_of(built.source)
    assert len(secrets) > 100, "the search itself is broken"
    kit = zipfile.ZipFile(*(built.root / "dist").glob("*.zip"))
    files = {name: kit.read(name).decode() for name in kit.namelist()}
    files |= {str(p): p.read_text("utf-8") for p in (built.root / "release").rglob("*.*")}
    for name, text in files.items():
        lines = text.splitlines()
        if name.endswith(".ipynb"):
            lines = [s for c in json.loads(text)["cells"] for s in "".join(c["source"]).split("\n")]
        assert not secrets & {line.strip() for line in lines if len(line.strip()) > 7}, name


def test_the_release_keeps_points_and_stubs(built: Living) -> None:
    source = nbformat.read(built.notebook, as_version=4)
    released = nbformat.read(built.released, as_version=4)
    assert points(graded(released)) == points(graded(source)) == 80
    assert len(solutions(released)) == len(solutions(source))
    for cell in solutions(released):
        stub = "raise NotImplementedError()" if cell.cell_type == "code" else "YOUR ANSWER HERE"
        assert stub in cell.source


def test_the_kit_holds_what_a_student_needs_and_no_more(built: Living) -> None:
    (path,) = (built.root / "dist").glob("*.zip")
    top = path.stem
    assert sorted(zipfile.ZipFile(path).namelist()) == [
        f"{top}/{MODULE}/README.md",
        f"{top}/{MODULE}/tensor_dev.ipynb",
        f"{top}/README.md",
        f"{top}/export.py",
        f"{top}/{built.package}/__init__.py",
        f"{top}/pyproject.toml",
    ]
    readme = zipfile.ZipFile(path).read(f"{top}/README.md").decode()
    assert "25 January 2027" in readme, "the due date of Module 01 is not in the student's README"


def test_the_same_sources_give_the_same_kit(built: Living) -> None:
    (path,) = (built.root / "dist").glob("*.zip")
    before = path.read_bytes()
    built.ok("build")
    assert path.read_bytes() == before


def test_a_student_exports_what_they_wrote(built: Living, tmp_path: Path) -> None:
    (path,) = (built.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    kit = tmp_path / path.stem
    nbformat.write(built.solved(), kit / MODULE / "tensor_dev.ipynb")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == f"{MODULE}/tensor_dev.ipynb -> {built.package}/tensor.py\n"
    script = f"from {built.package}.tensor import Tensor; print(Tensor([[1.0]]).shape)"
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "(1, 1)\n"


def test_pip_installs_the_kit_as_its_readme_says(built: Living, tmp_path: Path) -> None:
    """A notebook in any folder imports the package; what it needs itself is left out here."""
    (path,) = (built.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    kit, venv = tmp_path / path.stem, tmp_path / "venv"
    python = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, venv], check=True)
    install = ["pip", "install", "--no-deps", "--python", python, "-e", "."]
    subprocess.run([*uv, *install], cwd=kit, check=True)
    (kit / built.package / "tensor.py").write_text("Tensor = 7\n", encoding="utf-8")
    run = [python, "-c", f"from {built.package}.tensor import Tensor; print(Tensor)"]
    done = subprocess.run(run, cwd=kit / MODULE, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "7\n"
    text = (kit / "pyproject.toml").read_text(encoding="utf-8")
    needed = tomllib.loads(text)["project"]["dependencies"]
    assert [name.split(">=")[0] for name in needed] == ["jupyterlab", "matplotlib", "numpy"]


def test_export_writes_only_the_modules_named(built: Living, tmp_path: Path) -> None:
    (path,) = (built.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    kit = tmp_path / path.stem
    for arguments, code, words in (
        ([MODULE], 0, f"{MODULE}/tensor_dev.ipynb -> {built.package}/tensor.py"),
        ([MODULE + "/"], 0, "tensor.py"),
        (["02"], 1, f"There is no module '02' here, only: {MODULE}"),
    ):
        run = [sys.executable, "export.py", *arguments]
        done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, words in done.stdout) == (code, True), done.stdout


def test_export_names_what_it_leaves_behind(built: Living, tmp_path: Path) -> None:
    """In the notebook everything is there; in the package only what exported cells define."""
    (path,) = (built.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    kit = tmp_path / path.stem
    nb = built.solved()
    solutions(nb)[0].source += "\n\ndef half(x):\n    return [mine(v) for v in x if v > int(2)]"
    nb.cells.insert(1, new_code_cell("def mine(v):\n    return v / 2"))
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "not exported with it: mine." in done.stdout
    assert (kit / built.package / "tensor.py").is_file()


def test_export_names_a_notebook_that_does_not_parse(built: Living, tmp_path: Path) -> None:
    (path,) = (built.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    kit = tmp_path / path.stem
    nb = built.solved()
    solutions(nb)[0].source += "\nreturn return"
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert f"{MODULE}/tensor_dev.ipynb: not exported" in done.stdout


# --- gates: each plants one fault and says what the message must name ---


def first_solution(text: str) -> tuple[str, str]:
    """Return the text of a source up to its first solution region, and from there on."""
    start = text.index("    ### BEGIN SOLUTION")
    return text[:start], text[start:]


def leak_in_markdown(course: Living) -> str:
    line = next(s for s in sorted(secrets_of(course.source)) if len(s) > 30)
    readme = course.source.parent / "README.md"
    readme.write_text(readme.read_text("utf-8") + f"\n\n    {line}\n", encoding="utf-8")
    return "would show students a line of a solution"


def leak_in_a_file_beside_the_notebook(course: Living) -> str:
    (course.source.parent / "notes.txt").write_text(course.source.read_text("utf-8"), "utf-8")
    return "notes.txt would show students"


def leak_in_the_student_readme(course: Living) -> str:
    line = next(s for s in sorted(secrets_of(course.source)) if "tensors = " in s)
    readme = course.root / "student" / "README.md"
    readme.write_text(readme.read_text("utf-8") + f"\n    {line}\n", encoding="utf-8")
    return "in the student kit, README.md would show students a line"


def staff_file(course: Living) -> str:
    (course.source.parent / "old").mkdir()
    (course.source.parent / "old" / "tensor_dev.py").write_text("x = 1\n", encoding="utf-8")
    course.edit(course.root / "coursekit/nbgrader_settings.py", ", *STAFF_FILES]", "]")
    return "tensor_dev.py is a staff file"


def duplicate_id(course: Living) -> str:
    text = course.source.read_text("utf-8")
    name = nbformat.read(course.notebook, 4)
    ids = [cell.metadata.nbgrader.grade_id for cell in solutions(name)]
    course.source.write_text(text.replace(f'"{ids[1]}"', f'"{ids[0]}"', 1), encoding="utf-8")
    return f"grade_id '{ids[0]}' stands 2 times"


def blank_stub(course: Living) -> str:
    """Without its markers, nbgrader blanks the whole cell: signature and docstring are gone."""
    before, after = first_solution(course.source.read_text("utf-8"))
    end = after.index("    ### END SOLUTION\n")
    body = after[after.index("\n") + 1 : end]
    rest = after[end + len("    ### END SOLUTION\n") :]
    while "BEGIN SOLUTION" in rest.split("# %%", 1)[0]:  # other regions of the same cell
        cell, later = rest.split("# %%", 1)
        lines = [s for s in cell.splitlines(True) if "### " not in s]
        rest = "".join(lines) + "# %%" + later
    head, cell = before.rsplit("# %%", 1)
    cell = "".join(s for s in cell.splitlines(True) if "### " not in s)
    course.source.write_text(f"{head}# %%{cell}{body}{rest}", encoding="utf-8")
    return "lost its signature"


def missing_metadata(course: Living) -> str:
    course.edit(course.source, '"schema_version": 3, ', "")
    return "lacks the nbgrader metadata schema_version"


def no_points(course: Living) -> str:
    text = course.source.read_text("utf-8")
    start = text.index('"points": ')
    end = text.index(", ", start) + 2
    course.source.write_text(text[:start] + text[end:], encoding="utf-8")
    return "needs whole `points`"


def uncalled_test(course: Living) -> str:
    text = course.source.read_text("utf-8")
    name = text[text.index("\ndef test_") + 5 : text.index("(", text.index("\ndef test_"))]
    course.edit(course.source, f"\n{name}()\n", "\n")
    return f"never calls {name}()"


def released_cell_does_not_parse(course: Living) -> str:
    """Fine as a solution, broken once its region is a stub: the region hides an open bracket."""
    before, after = first_solution(course.source.read_text("utf-8"))
    course.source.write_text(
        before + "    ### BEGIN SOLUTION\n    x = (\n    ### END SOLUTION\n    )\n" + after, "utf-8"
    )
    return "does not parse"


def misspelt_marker(course: Living) -> str:
    course.edit(course.source, "### BEGIN HIDDEN TESTS", "### BEGIN HIDEN TESTS")
    return "'### BEGIN HIDEN TESTS', which nbgrader does not know"


def unclosed_region(course: Living) -> str:
    course.edit(course.source, "    ### END HIDDEN TESTS\n", "")
    return "does not close each BEGIN with its END"


def syntax_error_in_a_solution(course: Living) -> str:
    course.edit(course.source, "    ### END SOLUTION", "    return return\n    ### END SOLUTION")
    return "does not parse: invalid syntax"


def docstring_inside_the_solution(course: Living) -> str:
    text = course.source.read_text("utf-8")
    begin = text.index("    ### BEGIN SOLUTION")
    cell = text.rindex("# %%", 0, begin)
    quote = text.index('"""', cell)
    end = text.index('"""', quote + 3) + 3
    docstring = text[quote:end]
    region = f"### BEGIN SOLUTION\n    {docstring}\n    ### END SOLUTION"
    course.source.write_text(text[:quote] + region + text[end:], encoding="utf-8")
    return "has no docstring in the release"


GATES = [
    leak_in_markdown,
    leak_in_a_file_beside_the_notebook,
    leak_in_the_student_readme,
    staff_file,
    duplicate_id,
    blank_stub,
    missing_metadata,
    no_points,
    uncalled_test,
    released_cell_does_not_parse,
    misspelt_marker,
    unclosed_region,
    syntax_error_in_a_solution,
    docstring_inside_the_solution,
]


@pytest.mark.parametrize("plant", GATES, ids=lambda plant: plant.__name__)
def test_a_planted_fault_stops_the_build(spoilable: Living, plant: Callable[[Living], str]) -> None:
    expected = plant(spoilable)
    before = snapshot(spoilable.root / "release") | snapshot(spoilable.root / "dist")
    message = spoilable.refused("build")
    assert expected in message, message
    assert "tensor" in message, "the message does not name the file"
    after = snapshot(spoilable.root / "release") | snapshot(spoilable.root / "dist")
    assert after == before, "something was released all the same"


def test_data_beside_a_notebook_reaches_students_byte_for_byte(spoilable: Living) -> None:
    data = bytes(range(256)) * 99
    (spoilable.source.parent / "data.npz").write_bytes(data)
    spoilable.ok("build")
    (path,) = (spoilable.root / "dist").glob("*.zip")
    assert zipfile.ZipFile(path).read(f"{path.stem}/{MODULE}/data.npz") == data


def test_a_module_in_the_making_does_not_stop_the_others(spoilable: Living) -> None:
    folder = spoilable.root / "modules" / "02_activations"
    folder.mkdir()
    (folder / "activations_dev.py").write_text("# %%\ndef relu(x):\n    pass\n", encoding="utf-8")
    spoilable.ok("build", "01")
    spoilable.hand_in("ada", spoilable.solved())
    assert "80/80" in spoilable.ok("grade", "01")
    assert "activations_dev.py: the header names no kernelspec" in spoilable.refused("build")


def test_plain_nbgrader_commands_work(spoilable: Living) -> None:
    spoilable.hand_in("ada", spoilable.solved())
    spoilable.hand_in("bob", spoilable.solved(lambda number: number < 4))
    for command in (
        ["generate_assignment", MODULE, "--force"],
        ["autograde", MODULE],
        ["generate_feedback", MODULE],
        ["export", "--to", "plain.csv"],
    ):
        done = spoilable.run("nbgrader", *command)
        assert done.returncode == 0, done.stderr
    rows = {row["student_id"]: row for row in table(spoilable.root / "plain.csv")}
    assert float(rows["ada"]["raw_score"]) == 80
    for student in ("ada", "bob"):
        assert (spoilable.root / "feedback" / student / MODULE / "tensor_dev.html").is_file()
    ours = spoilable.ok("grade")
    assert "80/80" in ours
    rows_of_ours = table(spoilable.root / "grades.csv")
    scores = {row["student"]: float(row["automatic"]) for row in rows_of_ours}
    assert scores == {student: float(row["raw_score"]) for student, row in rows.items()}
    assert 0 < scores["bob"] < 80
