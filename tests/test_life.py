"""The life of a course with nobody's default answers, through nox, as an instructor lives it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from living import Living, copy_of

ROOT = Path(__file__).resolve().parent.parent
OUTER = ("NOX", "VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "PYTEST")


def nox(folder: Path, *arguments: str, **more: str) -> str:
    """Run a folder's noxfile as its README says; return everything it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(OUTER)}
    env |= more
    done = subprocess.run(
        [sys.executable, "noxfile.py", *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def life(fresh: Living, tmp_path_factory: pytest.TempPathFactory) -> Living:
    """A course in git, as an instructor would have it."""
    course = copy_of(fresh.root, tmp_path_factory.mktemp("life") / fresh.root.name)
    subprocess.run(["git", "init", "--quiet"], cwd=course.root, check=True)
    return course


@pytest.mark.slow
def test_every_session_passes(life: Living) -> None:
    others_first = os.pathsep.join(["/usr/bin", os.environ["PATH"]])
    shown = nox(life.root, "-s", "lint", "sync", "build", "test", PATH=others_first)
    made_of = (life.root / ".venv" / "pyvenv.cfg").read_text(encoding="utf-8")
    home = Path(re.search(r"(?m)^home = (.*)$", made_of)[1])
    assert home.samefile(Path(sys.base_prefix) / "bin"), "the Python that runs the noxfile"
    assert re.search(r"\d+ passed", shown)
    assert "failed" not in shown
    assert "80/80" in nox(life.root, "-s", "grade", "--", "--demo")
    nox(life.root, "-s", "sync", "--", "--check")


@pytest.mark.slow  # for what the one above generates
def test_what_was_generated_is_ignored_by_git(life: Living) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=life.root, capture_output=True, encoding="utf-8", check=True,
    ).stdout.splitlines()  # fmt: skip
    suspicious = re.compile(r"\.ipynb$|\.db|\.csv$|^(release|dist|demo|submitted|\.venv|\.nox)/")
    assert [name for name in listed if suspicious.search(name)] == []
    assert f"{life.package}/tensor.py" not in listed
    assert f"{life.package}/__init__.py" in listed


@pytest.mark.slow
def test_bad_words_after_the_dashes_are_refused_by_name(life: Living) -> None:
    with pytest.raises(AssertionError, match="no module '9'"):
        nox(life.root, "-s", "build", "--", "9")
    with pytest.raises(AssertionError, match="unknown option --magic"):
        nox(life.root, "-s", "build", "--", "--magic")


@pytest.mark.slow
def test_the_template_runs_a_courses_sessions(life: Living) -> None:
    nox(ROOT, "-s", "sync", "--", "--course", str(life.root))
    shown = nox(ROOT, "-s", "sync", "--", "--course", str(life.root), "--check")
    assert "what the sources say" in shown
    with pytest.raises(AssertionError, match="is not a course"):
        nox(ROOT, "-s", "build", "--", "--course", str(life.root / "modules"))


def test_a_noxfile_run_from_elsewhere_is_still_its_own(life: Living, tmp_path: Path) -> None:
    noxfile = str(life.root / "noxfile.py")
    listed = subprocess.run(
        [sys.executable, noxfile, "-l"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip
    assert f"Sessions defined in {noxfile}" in listed


@pytest.mark.parametrize("folder", ["template", "course"])
def test_nox_lists_its_sessions_like_a_manual(life: Living, folder: str) -> None:
    shown = nox(ROOT if folder == "template" else life.root, "-l")
    for session in ("build", "sync", "grade", "test", "lint"):
        assert re.search(rf"^[-*] {session} -> [A-Z].{{20,}}", shown, re.M), session
