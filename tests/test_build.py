"""build: what students get, and the checks that nothing else passes."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from delimiters import ROOT
from living import MODULE, Living, graded, points, secrets_of, snapshot, solutions, table
from nbformat.v4 import new_code_cell

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import assignment, gradebook  # noqa: E402
from coursekit.assignment import Assignment  # noqa: E402
from coursekit.course import PROVIDED, Course, Module, load  # noqa: E402
from coursekit.errors import CourseError  # noqa: E402
from coursekit.export import exported  # noqa: E402


def test_release_and_kit_show_no_line_of_a_solution(built: Living) -> None:
    secrets = secrets_of(built.source)
    assert len(secrets) > 100, "the search itself is broken"
    kit = zipfile.ZipFile(*(built.root / "dist").glob("*.zip"))
    files = {n: kit.read(n).decode() for n in kit.namelist() if not n.endswith(".npz")}
    released = [p for p in (built.root / "release").rglob("*.*") if p.suffix != ".npz"]
    files |= {str(path): path.read_text("utf-8") for path in released}
    for name, text in files.items():
        lines = text.splitlines()
        if name.endswith(".ipynb"):
            lines = [s for c in json.loads(text)["cells"] for s in "".join(c["source"]).split("\n")]
        lines = [line.strip() for line in lines]
        if name.endswith(".py"):  # any two programs share lines, hardly three in a row
            runs = zip(lines, lines[1:], lines[2:], strict=False)
            lines = [line for *above, line in runs if secrets.issuperset(above)]
        assert not secrets & {line for line in lines if len(line) > 7}, name


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
    figures = [path.name for path in built.source.parent.glob("*.svg")]
    assert sorted(zipfile.ZipFile(path).namelist()) == sorted(
        f"{top}/{name}"
        for name in (
            f"{MODULE}/README.md",
            f"{MODULE}/tensor_dev.ipynb",
            *(f"{MODULE}/{name}" for name in figures),
            "LICENSE",
            "README.md",
            "syllabus.md",
            "where-to-go.md",
            "export.py",
            ".gitignore",
            ".github/workflows/check.yml",
            *(f"course/{path.name}" for path in (built.root / "student/course").glob("*.py")),
            "course/export.py",
            "course/files.py",
            f"originals/{MODULE}/tensor_dev.ipynb",
            *(f"{built.package}/{name}" for name in PROVIDED),
            "pyproject.toml",
        )
    )
    readme = zipfile.ZipFile(path).read(f"{top}/README.md").decode()
    assert "25 January 2027" in readme, "the due date of Module 01 is not in the student's README"
    assert "Grading runs Python {}.{}: use".format(*sys.version_info) in readme


def test_a_cell_that_would_not_run_is_refused_also_where_it_only_draws(spoilable: Living) -> None:
    text = spoilable.source.read_text(encoding="utf-8")
    spoilable.source.write_text(text + "\n# %%\nplot_the_losses()\n", encoding="utf-8")
    said = spoilable.refused("build")
    assert "tensor_dev.py:" in said and "F821 Undefined name `plot_the_losses`" in said


def test_what_students_need_on_another_system_only_is_no_fault(
    spoilable: Living, decoys_stay: None
) -> None:
    needs = spoilable.root / "pyproject.toml"
    for_windows = "pywin32>=306; sys_platform == 'win32'"
    spoilable.edit(
        needs, '    "jupyterlab>=4.2",\n', f'    "{for_windows}",\n    "jupyterlab>=4.2",\n'
    )
    spoilable.ok("build")


def test_a_date_beyond_all_calendars_is_a_line(spoilable: Living) -> None:
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "days_per_module = 14", "days_per_module = 999_999")
    spoilable.edit(settings, "first_day = 2", "first_day = 8")
    assert "01_tensor would be due after the year 9999" in spoilable.refused("build")


def test_a_draft_is_left_out_until_it_is_named(spoilable: Living, decoys_stay: None) -> None:
    readme = spoilable.source.parent / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + "\nTODO(author)\n", encoding="utf-8")
    said = spoilable.refused("build")
    assert f"{MODULE}/README.md: TODO(author) is in it" in said
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "draft = false", "draft = true")
    spoilable.ok("build", MODULE)


def test_two_modules_with_one_number_are_told(spoilable: Living) -> None:
    other = spoilable.root / "modules" / "01_histogram"
    other.mkdir()
    (other / "histogram_dev.py").write_text("# %%\n", encoding="utf-8")
    assert f"01_histogram and {MODULE} have the same number" in spoilable.refused("build")
    (spoilable.root / "modules" / "01_histogram").rename(spoilable.root / "modules" / "08_tensor")
    other = spoilable.root / "modules" / "08_tensor"
    shutil.copy(spoilable.source, other / "tensor_dev.py")
    assert f"{MODULE} and 08_tensor have the same name" in spoilable.refused("build")


def test_the_kit_says_when_a_section_has_other_dates(spoilable: Living, decoys_stay: None) -> None:
    dates = "[schedule.sections.'Evening \"B\"']\n01_tensor = 2027-01-27 12:00:00\n\n[grading]"
    settings = spoilable.root / "course.toml"
    spoilable.edit(settings, "[grading]", dates)
    institution = load(spoilable.root).institution
    spoilable.edit(settings, f'institution = "{institution}"', 'institution = ""')
    spoilable.ok("build")
    syllabus = (spoilable.root / "dist" / "syllabus.md").read_text("utf-8")
    assert "\nSpring 2027. Questions to " in syllabus, "there is no institution"
    (path,) = (spoilable.root / "dist").glob("*.zip")
    readme = zipfile.ZipFile(path).read(f"{path.stem}/README.md").decode()
    rows = [line for line in readme.splitlines() if line.startswith("| `01_tensor`")]
    assert rows == [
        "| `01_tensor` | Monday 25 January 2027, 23:59 UTC |",
        '| `01_tensor`, Evening "B" | Wednesday 27 January 2027, 12:00 UTC |',
    ]
    with zipfile.ZipFile(path).open(f"{path.stem}/pyproject.toml") as file:
        due = tomllib.load(file)["tool"]["course"]["due"]
    evening = '01_tensor 2027-01-27T12:00:00+00:00 Evening "B"'
    assert due == ["01_tensor 2027-01-25T23:59:00+00:00", evening]


def test_the_syllabus_holds_what_course_toml_and_the_modules_say(pair: Living) -> None:
    text = (pair.root / "dist" / "syllabus.md").read_text("utf-8")
    for line in (
        'Réseaux & "Deep" Learning: syllabus',
        "| `02_activations` | You build the functions that stand between matrix products: ReLU, ",
        " and their relatives, with PyTorch's names and rules. | 4 to 5 hours | 100 |",
        "| `01_tensor` | Monday 25 January 2027, 23:59 UTC |",
        "| `02_activations` | Monday 08 February 2027, 23:59 UTC |",
        "Late work loses no points. If you need more time",
    ):
        assert line in text, text
    assert "$" not in text
    (kit,) = (pair.root / "dist").glob("*.zip")
    assert zipfile.ZipFile(kit).read(f"{kit.stem}/syllabus.md").decode("utf-8") == text


@pytest.mark.parametrize(
    "percent, grace, zero, said",
    [
        (0, 30, 0, "Late work loses no points."),
        (10, 0, 0, "Late work loses 10 % of its points for each day begun."),
        (0, 0, 7, "Late work gets no points when it is more than 7 days late."),
        (
            *(12.5, 15, 3),
            "Late work loses 12.5 % of its points for each day begun and gets no points when it is "
            "more than 3 days late. The first 15 minutes cost nothing.",
        ),
    ],
)
def test_the_syllabus_says_what_lateness_costs(
    release: ModuleType, percent: float, grace: float, zero: float, said: str
) -> None:
    late = {"percent_per_day": percent, "grace_minutes": grace, "zero_after_days": zero}
    assert release.late_rule(late) == said


@pytest.mark.slow
def test_the_same_sources_give_the_same_kit(spoilable: Living) -> None:
    folders = [spoilable.root / name for name in ("release", "dist", ".coursekit/built")]
    before = [snapshot(folder) for folder in folders]
    shutil.rmtree(folders[2])  # the decoys, too, are found anew
    spoilable.ok("build")
    assert [snapshot(folder) for folder in folders] == before


# --- what grade goes by ---


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return authoring.release, which runs no solution and finds no decoys."""
    from coursekit.authoring import release

    monkeypatch.setattr(release.decoys, "prepare", lambda course, module, assignment: assignment)
    return release


def test_grade_goes_by_what_was_built(built: Living) -> None:
    course = load(built.root)
    (module,) = course.modules()
    known = assignment.load(course, module)
    source, released = (nbformat.read(p, as_version=4) for p in (built.notebook, built.released))
    assert [cell["source"] for cell in known.cells] == [cell.source for cell in source.cells]
    assert list(known.given) == [cell.source for cell in released.cells]
    assert (known.name, known.file) == (MODULE, "tensor_dev.ipynb")
    provided = [name.removesuffix(".py") for name in PROVIDED if name.endswith(".py")]
    assert list(known.reference) == provided, "a module never sees itself"
    assert assignment.changed_since_build(course, [module]) == []


def test_what_changed_since_the_build_is_told(spoilable: Living) -> None:
    course = load(spoilable.root)
    (module,) = course.modules()
    spoilable.edit(spoilable.source, "Module 01", "Module One")
    assert assignment.changed_since_build(course, [module]) == [MODULE]


def test_a_solution_that_loses_a_point_is_not_released(
    spoilable: Living, release: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(course: Course, module: Module, made: Assignment) -> Assignment:
        raise CourseError(f"{module.source.name}: tensor-init-test: 0 of 8 points.")

    monkeypatch.setattr(release.decoys, "prepare", refuse)
    spoilable.edit(spoilable.source, "Module 01", "Module One")
    folders = [spoilable.root / name for name in ("release", "dist", ".coursekit/built")]
    before = [snapshot(folder) for folder in folders]
    message = refusal(spoilable)
    assert (
        "Nothing was released" in message and "tensor_dev.py: tensor-init-test: 0 of 8" in message
    )
    assert [snapshot(folder) for folder in folders] == before


def with_second_module(course: Living) -> Course:
    """Return a course to which the template's second module was added."""
    folder = course.root / "modules" / "02_activations"
    shutil.copytree(ROOT / "<<cookiecutter.course_slug>>" / "modules" / folder.name, folder)
    source = folder / "activations_dev.py"
    text = source.read_text(encoding="utf-8")
    text = text.replace("<< cookiecutter.package_name >>", course.package)
    source.write_text(text, encoding="utf-8")
    return load(course.root)


def test_a_module_can_be_built_before_those_it_needs(
    spoilable: Living, release: ModuleType
) -> None:
    course = with_second_module(spoilable)
    shutil.rmtree(course.built)
    first, second = course.modules()
    release.build(course, [second])
    assert assignment.stored(course, first) == {}, "only its file of the package is needed"
    known = assignment.load(course, second)
    assert "class Tensor" in known.reference["tensor"]
    spoilable.edit(spoilable.source, "#| export\n", "#| export\nNEW = 1\n")
    release.build(course, [second])
    assert "NEW = 1" in assignment.load(course, second).reference["tensor"], "it may go stale"


def test_a_solution_runs_with_what_is_built_beside_it(
    spoilable: Living, release: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with what was built last time, nor with what is being edited and not built."""
    seen = {}

    def prepare(course: Course, module: Module, made: Assignment) -> Assignment:
        seen[module.name] = made.reference.get("tensor", "")
        return made

    monkeypatch.setattr(release.decoys, "prepare", prepare)
    course = with_second_module(spoilable)
    first, second = course.modules()
    spoilable.edit(spoilable.source, "#| export\n", "#| export\nNEW = 1\n")
    release.build(course, [second])
    assert "NEW" not in seen[second.name] and assignment.changed_since_build(course, [second])
    release.build(course, [first, second])
    assert "NEW = 1" in seen[second.name] and not assignment.changed_since_build(course, [second])


def test_build_tells_which_cells_came_after_students_handed_in(
    spoilable: Living, release: ModuleType
) -> None:
    course = load(spoilable.root)
    with gradebook.Gradebook(course.workspace.gradebook) as opened:
        record = opened.module(MODULE)
        opened.save(record, [record.empty("ada")])
    text = spoilable.source.read_text(encoding="utf-8")
    start = text.rindex("# %%", 0, text.index("def test_"))
    cell = text[start : text.index("\n# %%", start)].replace("tensor-init-test", "tensor-more-test")
    spoilable.source.write_text(f"{text[:start]}{cell}\n{text[start:]}", encoding="utf-8")
    _, changes = release.build(course, course.modules())
    assert changes == [f"{MODULE}: tensor-more-test was added"]
    assert release.build(course, course.modules())[1] == []


def test_a_student_exports_what_they_wrote(built: Living, kit: Path) -> None:
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


DIRECTIVES = [
    "#| export",
    "# | export",
    "#|export",
    "# |export",
    "#| export  ",
    "#  |  export",
    "  # | export",
    "\n#| export",
    "\n\n\n# | export",
    "# The Tensor.\n#\n#| export\n# of Module 01",
    "%%time\n#| export",
    "%%prun -s cumtime\n#|export",
    "%%capture out\n\n# Noisy.\n# | export",
    "\n%%time\n#| export",
    "%%timeit -n 1\n#| export",
    "%load_ext autoreload\n#| export",
    "#| default_exp tensor\n#| export",
]


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_however_it_is_written_it_is_the_directive(directive: str) -> None:
    assert exported(["y = 2", f"{directive}\nx = 1\n", "y = 3"]) == "x = 1\n"
    assert exported([f"{directive}\nx = 1"] * 2) == "x = 1\n\n\nx = 1\n"


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x = 1",
        "x = 1\n#| export",
        "# export\nx = 1",
        "#| exports\nx = 1",
        "#| export tensor\nx = 1",
        "# '#| export'\nx = 1",
        "%%bash\n#| export\nls",
        "%%writefile tensor.py\n#| export\nx = 1",
        "#| export",
        "#| export\n# To be written.\n",
    ],
)
def test_what_is_not_exported_is_nothing(source: str) -> None:
    assert exported([source, "y = 2"]) == ""


@pytest.mark.parametrize(
    "source, expected",
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install numpy\nx = 1", "pass\nx = 1"),
        ("%%time\nx = 1", "pass\nx = 1"),
        ("def f():\n    %time g()\n    return 1", "def f():\n    pass\n    return 1"),
        ("x = !ls\ny = %pwd", "x = None\ny = None"),
        ("f?\n?f\nf.g??\nx = 1", "pass\npass\npass\nx = 1"),
        ('text = """\n%d of them\n!\n"""', 'text = """\n%d of them\n!\n"""'),
        ("x = 7\\\n  %2", "x = 7\\\n  %2"),
        ("    ### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "x = 1"),
    ],
)
def test_magics_do_not_break_the_package(source: str, expected: str) -> None:
    assert exported([f"#| export\n{source}"]) == expected + "\n"
    compile(expected, "tensor.py", "exec")


@pytest.fixture
def kit(built: Living, tmp_path: Path) -> Path:
    """Return a student kit, unpacked."""
    (path,) = (built.root / "dist").glob("*.zip")
    zipfile.ZipFile(path).extractall(tmp_path)
    return tmp_path / path.stem


def test_an_export_of_nothing_leaves_the_module_as_it_was(built: Living, kit: Path) -> None:
    """A notebook written anew, say, by someone who does not know of the directive."""
    nb = built.solved()
    for cell in nb.cells:
        cell.source = cell.source.replace("#| export", "# to be exported")
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    module = kit / built.package / "tensor.py"
    module.write_text("Tensor = 7\n", encoding="utf-8")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    wanted = f"{MODULE}/tensor_dev.ipynb: not exported, because no cell in it starts with"
    assert done.stdout.startswith(wanted), done.stdout
    assert module.read_text(encoding="utf-8") == "Tensor = 7\n"
    assert sorted(p.name for p in module.parent.iterdir()) == sorted([*PROVIDED, "tensor.py"])


def test_a_file_that_does_not_parse_leaves_the_module_as_it_was(built: Living, kit: Path) -> None:
    (kit / MODULE / "tensor_dev.ipynb").write_text("<html>Log in</html>", encoding="utf-8")
    module = kit / built.package / "tensor.py"
    module.write_text("Tensor = 7\n", encoding="utf-8")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    wanted = f"Not exported: {MODULE}/tensor_dev.ipynb cannot be read as a notebook"
    assert done.stdout.startswith(wanted), done.stdout
    assert module.read_text(encoding="utf-8") == "Tensor = 7\n"


def test_export_writes_only_the_modules_named(built: Living, kit: Path) -> None:
    nbformat.write(built.solved(), kit / MODULE / "tensor_dev.ipynb")
    for arguments, code, words in (
        ([MODULE], 0, f"{MODULE}/tensor_dev.ipynb -> {built.package}/tensor.py"),
        ([MODULE + "/"], 0, "tensor.py"),
        (["01"], 0, "tensor.py"),
        (["1"], 0, "tensor.py"),
        (["tensor"], 0, "tensor.py"),
        (["02"], 2, f"There is no module 02, only: {MODULE}"),
    ):
        run = [sys.executable, "export.py", *arguments]
        done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stdout


def test_export_of_all_keeps_what_is_finished_only_in_the_package(built: Living, kit: Path) -> None:
    """Who caught up with a reference that was handed out has stubs in the notebook."""
    package = kit / built.package / "tensor.py"
    package.write_text("Tensor = 'the reference'\n", encoding="utf-8")
    for arguments, words in (([], "holds what is not finished here"), (["1"], "not finished:")):
        assert package.read_text(encoding="utf-8") == "Tensor = 'the reference'\n"
        run = [sys.executable, "export.py", *arguments]
        done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, words in done.stdout) == (1, True), done.stdout
    assert "NotImplementedError" in package.read_text(encoding="utf-8")


def test_export_names_what_it_leaves_behind(built: Living, kit: Path) -> None:
    """In the notebook everything is there; in the package only what exported cells define."""
    nb = built.solved()
    solutions(nb)[0].source += "\n\ndef half(x):\n    return [mine(v) for v in x if v > int(2)]"
    nb.cells.insert(1, new_code_cell("def mine(v):\n    return v / 2"))
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "not exported with it: mine." in done.stdout
    assert (kit / built.package / "tensor.py").is_file()


def exported_by(kit: Path) -> tuple[int, str]:
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_export_says_where_a_notebook_does_not_parse(built: Living, kit: Path) -> None:
    nb = built.solved()
    cell = solutions(nb)[0]
    cell.source += "\nreturn return"
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    code, said = exported_by(kit)
    assert (code, f"{MODULE}/tensor_dev.ipynb: not exported" in said) == (1, True)
    where = (
        f"Exercise 1: A Tensor owns its numbers: line {len(cell.source.splitlines())} of the cell"
    )
    assert where in said


def test_export_names_the_exercises_that_are_not_finished(built: Living, kit: Path) -> None:
    """They do not keep the others from being used; those called deeper may stay open."""
    code, said = exported_by(kit)
    assert (code, (kit / built.package / "tensor.py").is_file()) == (1, True)
    assert "not finished: Exercise 1: A Tensor owns its numbers\n" in said
    nb = built.solved()
    released = nbformat.read(kit / MODULE / "tensor_dev.ipynb", as_version=4)
    stubs = {cell.id: cell.source for cell in released.cells}
    title = ""
    for cell in nb.cells:
        title = cell.source if "## Exercise" in cell.source else title
        if "(deeper)" in title.partition("\n")[0]:
            cell.source = stubs[cell.id]
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    code, said = exported_by(kit)
    assert (code, "(deeper)" in said) == (0, True), said


def test_export_names_what_a_later_notebook_will_miss(built: Living, kit: Path) -> None:
    """Somebody has split a cell: what is below the cut has no directive any more."""
    nb = built.solved()
    later = nbformat.v4.new_notebook()
    later.cells = [
        new_code_cell(f"from {built.package}.tensor import (\n    Tensor,\n    zeros,\n)")
    ]
    for place in (kit, kit / "originals"):
        (place / "02_activations").mkdir()
        nbformat.write(later, place / "02_activations" / "activations_dev.ipynb")
    (cell,) = [cell for cell in solutions(nb) if "\nzeros" in cell.source]
    cell.source, below = cell.source.split("\nzeros", 1)
    nb.cells.insert(nb.cells.index(cell) + 1, new_code_cell("zeros" + below))
    nbformat.write(nb, kit / MODULE / "tensor_dev.ipynb")
    code, said = exported_by(kit)
    assert (code, "it lacks zeros, which a later module imports" in said) == (1, True), said


def test_export_names_a_second_notebook_and_a_renamed_one(built: Living, kit: Path) -> None:
    nbformat.write(built.solved(), kit / MODULE / "tensor_dev.ipynb")
    shutil.copy(kit / MODULE / "tensor_dev.ipynb", kit / MODULE / "tensor_dev-Copy1.ipynb")
    code, said = exported_by(kit)
    assert (code, "Beside it stands tensor_dev-Copy1.ipynb" in said) == (1, True), said
    (kit / MODULE / "tensor_dev.ipynb").unlink()
    code, said = exported_by(kit)
    assert code == 1
    assert f"{MODULE}/tensor_dev.ipynb is not there." in said


# --- checks: each plants one fault and says what the message must name ---


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


def old_metadata(course: Living) -> str:
    course.edit(course.source, '"schema_version": 3', '"schema_version": 2')
    return "nbgrader says"


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
    return "tensor_dev.py:192:12: invalid-syntax: Simple statements must be separated"


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


def no_exported_cell(course: Living) -> str:
    text = course.source.read_text("utf-8")
    course.source.write_text(text.replace("#| export", "# not exported"), encoding="utf-8")
    return "tensor_dev.py: no cell starts with `#| export`"


def conflict_in_code(course: Living) -> str:
    """As git leaves it, in a cell that students fill in."""
    before, after = first_solution(course.source.read_text("utf-8"))
    ours, theirs = "<" * 7 + " HEAD\n", ">" * 7 + " a1b2c3d (typo)\n"
    text = f"{before}{ours}    x = 1\n{'=' * 7}\n    x = 2\n{theirs}{after}"
    course.source.write_text(text, encoding="utf-8")
    return f"{MODULE}/tensor_dev.py: line {before.count(chr(10)) + 1} is git's mark of a conflict"


def conflict_in_text(course: Living) -> str:
    line = "# Module 01"
    course.edit(course.source, line, f"{'<' * 7} HEAD\n{line}")
    return "is git's mark of a conflict"


def end_of_a_conflict(course: Living) -> str:
    readme = course.source.parent / "README.md"
    readme.write_text(f"One\n{'>' * 7} main\n", encoding="utf-8")
    return f"{MODULE}/README.md: line 2 is git's mark of a conflict"


def conflict_in_the_student_readme(course: Living) -> str:
    readme = course.root / "student" / "README.md"
    readme.write_text(readme.read_text("utf-8") + f"\n{'|' * 7} base\n", encoding="utf-8")
    return "student/README.md: line "


def no_topic(course: Living) -> str:
    """The first hidden tests stand below no comment; those after them do."""
    start = course.source.read_text("utf-8").index("### BEGIN HIDDEN TESTS")
    line = course.source.read_text("utf-8")[start:].split("\n")[1]
    assert line.startswith("    # hidden: ")
    course.edit(course.source, line + "\n", "    # They ask for more.\n")
    return "test cell 'tensor-init-beyond': say above its hidden tests what they ask, e.g. `# hid"


def misspelt_cell(course: Living) -> str:
    """A head that jupytext takes for a comment: the test below it would count for nothing."""
    course.edit(
        course.source,
        '# %% [code] {"nbgrader": {"grade": true',
        '# %%[code] {"nbgrader": {"grade": true',
    )
    return 'tensor_dev.py: \'%%[code] {"nbgrader": {"grade": true'


def metadata_that_is_no_json(course: Living) -> str:
    course.edit(
        course.source,
        '# %% [code] {"nbgrader": {"grade": true',
        '# %% [code] {"nbgrader": {"grade": True',
    )
    return 'tensor_dev.py: \'{"nbgrader": {"grade": True'


def points_of_no_test(course: Living) -> str:
    course.edit(course.source, '"nbgrader": {"grade": true', '"nbgrader": {"grade": false')
    return "needs whole `points` if it is graded, and none if not"


def package_that_students_lack(course: Living) -> str:
    course.edit(
        course.source, "import numpy as np\n", "import numpy as np\nimport sqlalchemy.orm\n"
    )
    return "tensor_dev.py: cell 'tensor-imports' imports sqlalchemy.orm: name what brings it in"


def provided_cell_that_fails(course: Living) -> str:
    course.edit(course.source, "import numpy as np\n", "import numpy as np\n\nnp.zeros(3)[4]\n")
    return (
        "tensor_dev.py: tensor-imports: the solution does not run in this cell: IndexError: index 4"
    )


def warning_in_a_test(course: Living) -> str:
    body = "def test_init():\n"
    course.edit(course.source, body, body + "    import sys\n\n    sys.stderr.write('old')\n")
    return "the solution gets 0 of 6 points, and must get 6: stderr: old"


def luck_in_a_test(course: Living) -> str:
    """It passes the first time."""
    body = "def test_init():\n"
    luck = (
        "    globals()['runs'] = globals().get('runs', 0) + 1\n    assert runs < 2  # noqa: F821\n"
    )
    course.edit(course.source, body, body + luck)
    return "tensor-init-test: the solution, run again (is all seeded?), gets 0 of 6 points"


CHECKS = [
    misspelt_cell,
    metadata_that_is_no_json,
    points_of_no_test,
    package_that_students_lack,
    provided_cell_that_fails,
    warning_in_a_test,
    luck_in_a_test,
    leak_in_markdown,
    leak_in_a_file_beside_the_notebook,
    leak_in_the_student_readme,
    duplicate_id,
    blank_stub,
    missing_metadata,
    old_metadata,
    no_points,
    uncalled_test,
    released_cell_does_not_parse,
    misspelt_marker,
    unclosed_region,
    syntax_error_in_a_solution,
    docstring_inside_the_solution,
    no_exported_cell,
    conflict_in_code,
    conflict_in_text,
    end_of_a_conflict,
    conflict_in_the_student_readme,
    no_topic,
]


def refusal(course: Living) -> str:
    """Return why a course is not built: in this process, where nbgrader is imported only once."""
    from coursekit.authoring import release

    here = load(course.root)
    with pytest.raises(CourseError) as caught:
        release.build(here, here.modules())
    return str(caught.value)


@pytest.mark.parametrize("plant", CHECKS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_stops_the_build(spoilable: Living, plant: Callable[[Living], str]) -> None:
    expected = plant(spoilable)
    folders = [spoilable.root / name for name in ("release", "dist", ".coursekit/built")]
    before = [snapshot(folder) for folder in folders]
    assert all(before)
    message = refusal(spoilable)
    assert expected in message, message
    assert "tensor" in message or "student" in message, "the message does not name the file"
    assert [snapshot(folder) for folder in folders] == before, "something was released all the same"


def test_a_staff_file_is_told_on_the_command_line(spoilable: Living) -> None:
    (spoilable.source.parent / "old").mkdir()
    (spoilable.source.parent / "old" / "tensor_dev.py").write_text("x = 1\n", encoding="utf-8")
    settings = spoilable.root / "coursekit" / "nbgrader_config.py"
    spoilable.edit(settings, ", *STAFF_FILES, HIDDEN]", "]")  # nbgrader's own, without ours
    message = spoilable.run("coursekit", "build").stderr
    assert "Nothing was released" in message
    for name in ("old/tensor_dev.py", "mutants.toml", "staff.md"):
        assert (
            f"in the student kit, {MODULE}/{name} is a staff file and would be released." in message
        )


def test_what_editors_hide_stays_here(spoilable: Living, decoys_stay: None) -> None:
    swap = spoilable.source.with_name(".tensor_dev.py.swp")
    swap.write_bytes(spoilable.source.read_bytes().replace(b"\n", b"\0"))
    student = spoilable.root / "student"
    (student / "logo.png").write_bytes(b"\x89PNG\xff")
    (student / ".#README.md").symlink_to("nobody@nowhere.1234")
    with (student / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\nMaterials cost $5 and $more.\n")
    spoilable.ok("build")
    (kit,) = (spoilable.root / "dist").glob("*.zip")
    with zipfile.ZipFile(kit) as archive:
        names = [Path(name).name for name in archive.namelist()]
        readme = next(name for name in archive.namelist() if name.count("/") == 1
                      and name.endswith("/README.md"))  # fmt: skip
        assert "cost $5 and $more." in archive.read(readme).decode()
    assert "logo.png" in names and ".gitignore" in names and swap.name not in names
    assert not [*(spoilable.root / "release").rglob("*.swp")]


def test_a_second_notebook_in_a_module_is_refused(spoilable: Living) -> None:
    shutil.copy(spoilable.notebook, spoilable.notebook.with_name("tensor_dev-Copy1.ipynb"))
    assert "tensor_dev-Copy1.ipynb: students would get this" in spoilable.refused("build")


def test_data_beside_a_notebook_reaches_students_byte_for_byte(
    spoilable: Living, decoys_stay: None
) -> None:
    data = bytes(range(256)) * 99
    (spoilable.source.parent / "data.npz").write_bytes(data)
    spoilable.ok("build")
    (path,) = (spoilable.root / "dist").glob("*.zip")
    assert zipfile.ZipFile(path).read(f"{path.stem}/{MODULE}/data.npz") == data


def test_a_module_in_the_making_does_not_stop_the_others(
    spoilable: Living, decoys_stay: None
) -> None:
    folder = spoilable.root / "modules" / "02_activations"
    folder.mkdir()
    (folder / "activations_dev.py").write_text("# %%\ndef relu(x):\n    pass\n", encoding="utf-8")
    spoilable.ok("build", "01")
    spoilable.hand_in("ada", spoilable.solved())
    assert "80/80" in spoilable.ok("grade", "01")
    assert "activations_dev.py: the header names no kernelspec" in spoilable.refused("build")


@pytest.mark.slow
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
    assert "2 unchanged" in spoilable.ok("grade")
    rows_of_ours = table(spoilable.root / "grades.csv")
    scores = {row["student"]: float(row["automatic"]) for row in rows_of_ours}
    assert scores == {student: float(row["raw_score"]) for student, row in rows.items()}
    assert 0 < scores["bob"] < 80
