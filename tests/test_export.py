"""export: the cells that make up a file of the package, for students and for sync alike."""

import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from delimiters import ROOT
from living import MODULE, Living

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit.export import exported  # noqa: E402

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
    assert sorted(p.name for p in module.parent.iterdir()) == ["__init__.py", "tensor.py"]


def test_a_file_that_does_not_parse_leaves_the_module_as_it_was(built: Living, kit: Path) -> None:
    (kit / MODULE / "tensor_dev.ipynb").write_text("<html>Log in</html>", encoding="utf-8")
    module = kit / built.package / "tensor.py"
    module.write_text("Tensor = 7\n", encoding="utf-8")
    run = [sys.executable, "export.py"]
    done = subprocess.run(run, cwd=kit, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "not exported, because it does not parse" in done.stdout
    assert module.read_text(encoding="utf-8") == "Tensor = 7\n"


def test_sync_refuses_a_module_that_exports_nothing(spoilable: Living) -> None:
    text = spoilable.source.read_text("utf-8").replace("#| export", "# not exported")
    spoilable.source.write_text(text, encoding="utf-8")
    package = spoilable.root / spoilable.package / "tensor.py"
    before = package.read_bytes()
    assert "tensor_dev.py: no cell starts with `#| export`" in spoilable.refused("build")
    assert package.read_bytes() == before
