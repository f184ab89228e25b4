"""Courses for the tests, baked by Cookiecutter's own command line, far from the user's home."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from delimiters import ROOT, tracked_files
from hypothesis import settings
from living import Living, copy_of

sys.path.insert(0, str(ROOT / "hooks"))  # so that tests can import the hooks

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

UNUSUAL = {
    "course_title": 'Réseaux & "Deep" Learning',
    "course_slug": "reseaux-profonds",
    "package_name": "petitorch",
    "institution": "École d'Été",
    "last_module": "01_tensor",  # most tests need no more, and fewer are faster
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the template as a clone would have it, without what git ignores."""
    copy = tmp_path_factory.mktemp("template")
    for path in tracked_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return copy


@pytest.fixture(scope="session")
def cookiecutter(template, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs `cookiecutter` on the template in a folder."""
    home = str(tmp_path_factory.mktemp("home"))
    outside = {key: value for key, value in os.environ.items() if key != "COOKIECUTTER_CONFIG"}

    def run(folder: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "cookiecutter", str(template), *arguments],
            cwd=folder,
            env=outside | {"HOME": home, "USERPROFILE": home, "PWD": str(folder)},
            capture_output=True,
            encoding="utf-8",
            **options,
        )

    return run


@pytest.fixture(scope="session")
def bake(cookiecutter, tmp_path_factory) -> Callable[..., Path]:
    """Return a function that bakes a course from the given answers, and returns its folder."""

    def bake_course(**answers: str) -> Path:
        folder = tmp_path_factory.mktemp("bake")
        given = [f"{name}={value}" for name, value in answers.items()]
        result = cookiecutter(folder, "--no-input", *given)
        assert result.returncode == 0, result.stdout + result.stderr
        (course,) = folder.iterdir()
        return course

    return bake_course


@pytest.fixture(scope="session")
def course(bake) -> Path:
    """Return a course baked from the default answers."""
    return bake()


@pytest.fixture(scope="session")
def fresh(bake) -> Living:
    """Return a course with nobody's default answers, as it comes out of the template."""
    return Living(bake(**UNUSUAL))


@pytest.fixture(scope="session")
def built(fresh: Living, tmp_path_factory: pytest.TempPathFactory) -> Living:
    """Return a course that was built. Tests must not change it."""
    course = copy_of(fresh.root, tmp_path_factory.mktemp("built") / fresh.root.name)
    course.ok("build")
    return course


@pytest.fixture
def spoilable(built: Living, tmp_path: Path) -> Living:
    """Return a copy of the built course that a test may change."""
    return copy_of(built.root, tmp_path / built.root.name)
