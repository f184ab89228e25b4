"""What the README points at exists: files, pictures, sessions; its figures are those kept."""

import json
import re
import sys

import pytest
from delimiters import ROOT

sys.path.append(str(ROOT / ".github"))
import figures  # noqa: E402

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


def test_figures_are_those_kept() -> None:
    kept = json.loads(figures.KEPT.read_text(encoding="utf-8"))
    assert figures.with_figures(README, kept) == README, "run `python .github/figures.py`"


def test_a_run_that_is_named_is_kept_and_shown(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = json.loads(figures.KEPT.read_text(encoding="utf-8"))
    run = {"framework": kept["framework"]}
    name, case = next(iter(run["framework"]["cases"].items()))
    case["ratios"]["ours"] = 77.0
    for path, text in (("run.json", json.dumps(run)), ("README.md", README)):
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "figures.json").write_bytes(figures.KEPT.read_bytes())
    monkeypatch.setattr(figures, "KEPT", tmp_path / "figures.json")
    monkeypatch.setattr(figures, "README", tmp_path / "README.md")
    monkeypatch.setattr(sys, "argv", ["figures.py", str(tmp_path / "run.json")])
    figures.main()
    assert f"| {name} | 77 |" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert json.loads(figures.KEPT.read_text(encoding="utf-8")) == kept


@pytest.mark.parametrize("text", [None, "", "[]", "{}"])
def test_a_file_that_is_no_run_is_named(tmp_path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"run\.json: .+\. Name a file that `nox -s bench`"):
        figures.run_in(tmp_path / "run.json")
