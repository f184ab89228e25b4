"""sync: deterministic, one way, and careful with what people edited."""

import ast
import shutil
import subprocess
import sys

import nbformat
import pytest
from living import Living, snapshot


def test_the_same_source_gives_the_same_bytes(spoilable: Living) -> None:
    before = snapshot(spoilable.root / "modules") | snapshot(spoilable.root / spoilable.package)
    spoilable.notebook.unlink()
    (spoilable.root / spoilable.package / "tensor.py").unlink()
    spoilable.ok("sync")
    after = snapshot(spoilable.root / "modules") | snapshot(spoilable.root / spoilable.package)
    assert after == before


def test_sync_again_writes_nothing(built: Living) -> None:
    assert "wrote" not in built.ok("sync")
    assert "what the sources say" in built.ok("sync", "--check")


def test_check_fails_on_a_stale_notebook_and_changes_nothing(spoilable: Living) -> None:
    spoilable.edit(spoilable.source, "# Module 01", "# Module 01 changed\n\n# Module 01")
    before = snapshot(spoilable.root)
    message = spoilable.refused("sync", "--check")
    assert "tensor_dev.ipynb is stale" in message
    assert "nox -s sync" in message
    assert snapshot(spoilable.root) == before
    assert "wrote modules/01_tensor/tensor_dev.ipynb" in spoilable.ok("sync")
    spoilable.ok("sync", "--check")


def test_check_fails_on_a_missing_notebook(spoilable: Living) -> None:
    spoilable.notebook.unlink()
    assert "tensor_dev.ipynb is missing" in spoilable.refused("sync", "--check")


def test_an_edited_notebook_stops_sync_and_survives(spoilable: Living) -> None:
    spoilable.edit(spoilable.notebook, "Module 01", "My own words")
    edited = spoilable.notebook.read_bytes()
    for command in (["sync", "--check"], ["sync"], ["build"]):
        message = spoilable.refused(*command)
        assert "edited" in message
        assert "--force" in message
        assert spoilable.notebook.read_bytes() == edited
    assert "+" in message
    assert "My own words" in message, "the difference is not shown"


def test_force_keeps_a_backup_of_an_edited_notebook(spoilable: Living) -> None:
    clean = spoilable.notebook.read_bytes()
    spoilable.edit(spoilable.notebook, "Module 01", "My own words")
    edited = spoilable.notebook.read_bytes()
    spoilable.ok("sync", "--force")
    assert spoilable.notebook.read_bytes() == clean
    (backup,) = (spoilable.root / "backups").rglob("*.ipynb")
    assert backup.read_bytes() == edited


@pytest.mark.parametrize("content", [b"not a notebook", b"", b'{"cells": []}', b"\xff\xfe{"])
def test_a_file_sync_did_not_write_is_not_overwritten(spoilable: Living, content: bytes) -> None:
    spoilable.notebook.write_bytes(content)
    assert "edited" in spoilable.refused("sync")
    assert spoilable.notebook.read_bytes() == content
    spoilable.ok("sync", "--force")


def test_a_picture_put_into_a_text_is_an_edit(spoilable: Living) -> None:
    nb = nbformat.read(spoilable.notebook, as_version=4)
    nb.cells[0]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    nbformat.write(nb, spoilable.notebook)
    assert "edited" in spoilable.refused("sync", "--check")


def test_running_a_notebook_is_no_edit(spoilable: Living) -> None:
    nb = nbformat.read(spoilable.notebook, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="hello")]
    nb.metadata["language_info"] = {"name": "python", "version": "3.13"}
    nbformat.write(nb, spoilable.notebook)
    run = spoilable.notebook.read_bytes()
    spoilable.ok("sync", "--check")
    spoilable.ok("sync")
    assert spoilable.notebook.read_bytes() == run, "outputs were lost without need"


def test_an_edited_package_file_stops_sync(spoilable: Living) -> None:
    path = spoilable.root / spoilable.package / "tensor.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nMINE = 1\n", encoding="utf-8")
    assert "MINE = 1" in spoilable.refused("sync")
    assert "MINE = 1" in path.read_text(encoding="utf-8")


def test_the_package_holds_the_exported_cells_and_works(built: Living) -> None:
    code = (built.root / built.package / "tensor.py").read_text(encoding="utf-8")
    ast.parse(code)
    for leftover in ("#| export", "BEGIN SOLUTION", "def test_", "import matplotlib"):
        assert leftover not in code
    script = f"from {built.package}.tensor import Tensor; print((Tensor([1.0, 2.0]) + 1).numpy())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=built.root, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert done.stdout == "[2. 3.]\n"


@pytest.mark.parametrize("name", ["01_tensor", "01", "1", "tensor", "01_tensor/"])
def test_a_module_is_named_as_people_name_it(built: Living, name: str) -> None:
    assert "1 module(s)" in built.ok("sync", name)


def test_an_unknown_module_is_refused_with_the_choice(built: Living) -> None:
    message = built.refused("sync", "99_magic")
    assert "99_magic" in message
    assert "01_tensor" in message


@pytest.mark.parametrize("command", ["sync", "lint"])
def test_every_command_tells_what_is_wrong_in_course_toml(spoilable: Living, command: str) -> None:
    """All that can be wrong is in test_course_file.py."""
    spoilable.edit(spoilable.root / "course.toml", "[grading]", "[[grading]]")
    message = spoilable.refused(command)
    assert "course.toml" in message and "[grading]" in message
    assert message.count("\n") == 1, message


def test_a_module_of_which_nothing_is_exported_is_refused(spoilable: Living) -> None:
    path = spoilable.root / spoilable.package / "tensor.py"
    before = path.read_bytes()
    text = spoilable.source.read_text(encoding="utf-8")
    spoilable.source.write_text(text.replace("#| export", "#! export"), encoding="utf-8")
    message = spoilable.refused("sync")
    assert "modules/01_tensor/tensor_dev.py: no cell starts with `#| export`" in message
    assert path.read_bytes() == before


def test_what_sync_made_is_no_module_without_the_rest(spoilable: Living) -> None:
    spoilable.ok("sync")
    left = spoilable.root / "modules" / "02_magic" / "magic_dev.ipynb"
    left.parent.mkdir()
    shutil.copy(spoilable.notebook, left)
    spoilable.ok("sync", "--check")


def test_a_half_merged_source_is_named(spoilable: Living) -> None:
    spoilable.edit(spoilable.source, "# %% [code]", "<<<<<<< HEAD\n# %% [code]")
    before = snapshot(spoilable.root)
    assert "is git's mark of a conflict: choose a version" in spoilable.refused("sync")
    assert snapshot(spoilable.root) == before


def test_a_module_without_a_source_is_named(spoilable: Living) -> None:
    (spoilable.root / "modules" / "02_magic").mkdir()
    message = spoilable.refused("sync")
    assert "02_magic" in message
    assert "magic_dev.py" in message
