"""course.toml: whatever is wrong in it, one line names the file and what to mend."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from delimiters import ROOT
from living import Living

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit import course  # noqa: E402
from coursekit.errors import CourseError  # noqa: E402

GRADING = "[grading]\n"
BOM = b"\xef\xbb\xbf"


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        assert text.count(old.encode()) >= 1, old
        return text.replace(old.encode(), new.encode(), 1)

    return change


# What a person may do to the file; what the message must say besides its name.
# "line of x" stands for the number of the line that starts with x.
BAD: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "a missing quote": (replaced('timezone = "UTC"', 'timezone = "UTC'), ["line of timezone"]),
    "an open bracket": (replaced("[schedule]", "[schedule"), ["line of [schedule]"]),
    "a date in words": (replaced("first_day = ", "first_day = May "), ["line of first_day"]),
    "a setting twice": (
        replaced("memory_mb = ", "cell_seconds = 9\nmemory_mb = "),
        ["line of memory_mb"],
    ),
    "Latin-1": (
        lambda text: text.replace(b'timezone = "UTC"', b'timezone = "UTC" # \xe9t\xe9'),
        ["line of timezone", "UTF-8"],
    ),
    "UTF-16": (lambda text: text.decode().encode("utf-16"), ["line 1 ", "UTF-8"]),
    "[[grading]]": (
        replaced(GRADING, "[[grading]]\n"),
        ["line of [grading]", "[grading]", "once"],
    ),
    "[staff]": (replaced("[[staff]]", "[staff]"), ["[[staff]]"]),
    "an extension without a date": (
        replaced(GRADING, '[[extension]]\nstudent = "a"\nmodule = "01_tensor"\n' + GRADING),
        ["[extension] until is missing; it must be a date, or a date and time"],
    ),
    "an extension in words": (
        replaced(
            GRADING,
            '[[extension]]\nstudent = "a"\nmodule = "01_tensor"\nuntil = "May"\n' + GRADING,
        ),
        ["[extension] until is 'May'"],
    ),
    "an extension of no module": (
        replaced(
            GRADING,
            '[[extension]]\nstudent = "a"\nmodule = "1"\nuntil = 2027-02-01\n' + GRADING,
        ),
        ["[[extension]] of a: no module '1'"],
    ),
    "no section": (replaced(GRADING, "[gradign]\n"), ["[gradign]", "did you mean grading?"]),
    "another section": (
        replaced(GRADING, "[zoo]\nx = 1\n" + GRADING),
        ["[zoo]", "Known are course, "],
    ),
    "a misspelt setting": (replaced("memory_mb", "memory"), ["memory", "did you mean memory_mb?"]),
    "a setting outside": (lambda text: b"cell_seconds = 3\n" + text, ["cell_seconds"]),
    "a setting cut short": (
        replaced("zero_after_days", "zero_after"),
        ["[late] has no setting zero_after; did you mean zero_after_days?"],
    ),
    "a number as text": (
        replaced("cell_seconds = 10", 'cell_seconds = "10"'),
        ["[grading] cell_seconds is '10'", "a number"],
    ),
    "part of a byte": (
        replaced("memory_mb = 2048", "memory_mb = 1.5"),
        ["[grading] memory_mb is 1.5", "a whole number"],
    ),
    "a day as text": (
        replaced("first_day = ", 'first_day = "soon" # '),
        ["[schedule] first_day is 'soon'", "a date"],
    ),
    "mail": (replaced("email = ", "mail = "), ["[staff] has no setting mail", "mean email?"]),
    "a yes": (replaced("cell_seconds = 10", "cell_seconds = true"), ["cell_seconds is True"]),
    "nothing": (replaced("cell_seconds = 10", "cell_seconds = 0"), ["must be above zero"]),
    "no zone": (replaced('timezone = "UTC"', 'timezone = ""'), ["timezone is ''"]),
    "a slug": (replaced('slug = "', 'slug = "../'), ["slug is '../", "use a-z"]),
    "no end": (replaced("cell_seconds = 10", "cell_seconds = inf"), ["at most 1,000,000"]),
    "no number": (replaced("cell_seconds = 10", "cell_seconds = nan"), ["at most 1,000,000"]),
    "no list": (replaced("drop = []", "drop = 5"), ["[grading] drop is 5", "a list of strings"]),
    "a list in a list": (
        replaced("drop = []", 'drop = [["a"]]'),
        ["[grading] drop is [['a']]", "a list of strings"],
    ),
    "a year": (
        replaced("first_day = 2027", "first_day = 9999"),
        ["first_day is 9999", "1970 to 8999"],
    ),
    "below zero": (
        replaced("percent_per_day = 0", "percent_per_day = -1"),
        ["[late] percent_per_day", "must be zero or more"],
    ),
    "a date as text": (
        replaced("[schedule.due] ", '[schedule.due]\n01_tensor = "soon" '),
        ["due.01_tensor is 'soon'", "2027-02-01"],
    ),
    "a due date of no module": (
        replaced("[schedule.due] ", "[schedule.due]\n77_magic = 2027-02-01 "),
        ["[schedule.due]", "77_magic"],
    ),
    "a section's date of no module": (
        replaced(
            "[schedule.due] ", "[schedule.sections.Evening]\n77_magic = 2027-02-01\n[schedule.due] "
        ),
        ["[schedule.sections.Evening]", "77_magic"],
    ),
    "a section's date as text": (
        replaced("[schedule.due] ", '[schedule.sections.A]\n01_tensor = "May"\n[schedule.due] '),
        ["sections.A.01_tensor is 'May'", "2027-02-01"],
    ),
    "a section that is a date": (
        replaced("[schedule.due] ", "[schedule.sections]\nA = 2027-02-01\n[schedule.due] "),
        ["sections.A is ", "make it [schedule.sections.A]"],
    ),
    "a zone that is none": (
        replaced('timezone = "UTC"', 'timezone = "Middle/Earth"'),
        ["'Middle/Earth'", "Europe/Paris"],
    ),
    "another package": (
        replaced('package = "', 'package = "no_'),
        ["no_", "__init__.py does not exist"],
    ),
    "no title": (replaced("title = ", "# title = "), ["[course] title is missing"]),
    "no email": (replaced("email = ", "# email = "), ["[staff] email is missing"]),
}


@pytest.fixture
def settings(fresh: Living, tmp_path: Path) -> Path:
    """Return the course.toml of a folder that holds what it speaks of."""
    package = tmp_path / fresh.package
    package.mkdir()
    (package / "__init__.py").touch()
    return Path(shutil.copy(fresh.root / "course.toml", tmp_path))


def refused(settings: Path) -> str:
    """Return the message with which a course's file is refused."""
    with pytest.raises(CourseError) as caught:
        course.load(settings.parent)
    message = str(caught.value)
    assert str(settings) in message and "\n" not in message, message
    return message


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_in_course_toml_is_said_in_one_line(settings: Path, name: str) -> None:
    change, expected = BAD[name]
    good = settings.read_bytes()
    starts = [line.split()[0] if line.split() else "" for line in good.decode().splitlines()]
    settings.write_bytes(change(good))
    assert settings.read_bytes() != good
    message = refused(settings)
    for word in expected:
        start = word.removeprefix("line of ")
        wanted = word if start == word else f"line {starts.index(start) + 1}"
        assert wanted in message, message


def test_a_byte_order_mark_is_no_fault(settings: Path) -> None:
    settings.write_bytes(BOM + settings.read_bytes())
    assert course.load(settings.parent).timezone == "UTC"


def test_a_folder_without_course_toml_is_no_course(settings: Path) -> None:
    settings.unlink()
    assert "is missing: run this from the folder of your course" in refused(settings)


@pytest.mark.parametrize("character", "?%[]*")
def test_a_folder_that_is_also_a_pattern_is_refused(settings: Path, character: str) -> None:
    moved = settings.parent.rename(settings.parent.with_name(f"a{character}b"))
    with pytest.raises(CourseError, match=r"move the course where none of \? % \[ \] \* is in"):
        course.load(moved)


# --- noxfile.py, which looks at course.toml before coursekit is installed ---


@pytest.fixture(scope="module")
def noxfile(fresh: Living) -> ModuleType:
    spec = importlib.util.spec_from_file_location("a_course_s_noxfile", fresh.root / "noxfile.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text, expected",
    [
        (b'[grading]\ndb_url = "$GRADEBOOK"\n', True),
        (b"[grading]\n  db_url='postgresql+psycopg://me@there/course'", True),
        (b'[grading]\n# db_url = "$GRADEBOOK"\n', False),
        (b'[grading]\ndb_url = ""\n', False),
        (b'[[grading]]\ndb_url = "$GRADEBOOK\n', True),
        (b'title = "\xe9t\xe9"\r\ndb_url = "$GRADEBOOK"\r\n', True),
        (BOM + b"[grading]\ncell_seconds = 3", False),
        (b"", False),
    ],
)
def test_noxfile_reads_any_course_toml(
    noxfile: ModuleType, tmp_path: Path, text: bytes, expected: bool
) -> None:
    (tmp_path / "course.toml").write_bytes(text)
    assert noxfile.on_server(tmp_path / "course.toml") is expected


def test_noxfile_needs_no_course_toml(noxfile: ModuleType, tmp_path: Path) -> None:
    assert noxfile.on_server(tmp_path / "course.toml") is False


class Recorded:
    """A session that runs nothing, but what makes an environment."""

    def __init__(self, venv: Path, python: Path) -> None:
        self.commands: list[str] = []
        self.venv, self.python = venv, python

    def run(self, *command: str, **_: object) -> None:
        self.commands.append("venv" if "venv" in command else "install")
        self.python.parent.mkdir(parents=True, exist_ok=True)
        self.python.touch()


def test_a_course_that_moved_makes_its_environment_anew(
    noxfile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commands(folder: Path) -> list[str]:
        venv = folder / ".venv"
        monkeypatch.setattr(noxfile, "HERE", folder)
        monkeypatch.setattr(noxfile, "VENV", venv)
        monkeypatch.setattr(noxfile, "PYTHON", venv / "bin" / "python")
        session = Recorded(venv, noxfile.PYTHON)
        noxfile.environment(session)
        return session.commands

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "pyproject.toml").write_text("[dependency-groups]\n", encoding="utf-8")
    assert commands(first) == ["venv", "install"]
    assert commands(first) == [], "nothing changed"
    (first / "pyproject.toml").write_text("[dependency-groups]\nmore = []\n", encoding="utf-8")
    assert commands(first) == ["install"], "only what is asked for changed"
    first.rename(second)
    assert commands(second) == ["venv", "install"], "its scripts start in the old place"
    assert commands(second) == []
    (second / ".venv" / "installed.toml").write_text("[dependency-groups]\n", encoding="utf-8")
    assert commands(second) == ["venv", "install"], "made before the place was written down"
