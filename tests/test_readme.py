"""What the README points at exists: files, pictures, sessions."""

import re

import pytest
from delimiters import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", README)
PICTURES = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)
TAGS = re.findall(r"<img [^>]*>", README)
LARGEST = 200_000  # bytes


def sessions(text: str) -> set[str]:
    """Return the names of the sessions that a noxfile defines."""
    return set(re.findall(r"@nox\.session[^\n]*\ndef (\w+)", text))


@pytest.mark.parametrize("link", sorted({a or b for a, b in LINKS}))
def test_what_is_linked_is_there(link: str) -> None:
    if not link.startswith(("https://", "mailto:")):
        assert (ROOT / link).is_file()


@pytest.mark.parametrize("picture", sorted((ROOT / ".github").glob("*.png")), ids=lambda p: p.name)
def test_a_picture_is_small_and_shown(picture) -> None:
    assert picture.stat().st_size <= LARGEST
    assert f".github/{picture.name}" in README


def test_pictures_say_what_is_seen() -> None:
    texts = [text for text, _ in PICTURES] + re.findall(r"<img [^>]*alt=\"([^\"]*)\"", README)
    assert len(texts) == len(PICTURES) + len(TAGS)
    assert all(len(text) > 40 for text in texts)


def test_sessions_that_are_named_exist() -> None:
    here = sessions((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    course = ROOT / "<<cookiecutter.course_slug>>" / "noxfile.py"
    both = here | sessions(course.read_text(encoding="utf-8"))
    commands = re.findall(r"(python3? noxfile\.py|nox) -s ((?:[a-z]+ ?)+)", README)
    assert len(commands) > 5
    for program, names in commands:
        known = here if program.startswith("python3") else both
        assert set(names.split()) <= known, f"{program} -s {names}"


def test_the_two_commands_stand_word_for_word() -> None:
    assert "\n    python3 noxfile.py -s build grade " in README
    assert "\n    python3 noxfile.py -s test -- --oracle " in README
