"""The instructor's manual, a course's README.md: its links lead somewhere, its quotes are said."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from delimiters import ROOT

COURSE = ROOT / "<<cookiecutter.course_slug>>"
MANUAL = (COURSE / "README.md").read_text(encoding="utf-8")
ENOUGH = 0.3  # of the pairs of words: names and numbers in between differ each time


def pairs(text: str) -> set[tuple[str, str]]:
    """Return each two words that follow each other, unless something that differs is between."""
    words = re.findall(r"[a-z]{2,}|[…\0]", text)
    return {pair for pair in pairwise(words) if not {"…", "\0"} & set(pair)}


def strings(path: Path) -> Iterator[str]:
    """Yield the strings of a program, with a mark where a value is put in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "\0"
                          for part in node.values)  # fmt: skip
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def quotes() -> list[str]:
    """Return what the manual says that commands say: the first column of each such table."""
    tables = re.findall(r"^\| It says.*\n((?:\|.*\n)+)", MANUAL, re.MULTILINE)
    return re.findall(r"^\| `(.+?)`.*\|", "\n".join(tables), re.MULTILINE)


def test_what_the_manual_quotes_is_said() -> None:
    assert len(quotes()) > 25, "the search itself is broken"
    texts = (text for path in (COURSE / "coursekit").rglob("*.py") for text in strings(path))
    said = set().union(*map(pairs, texts))
    for message in quotes():
        found = [pair in said for pair in pairs(message)]
        assert sum(found) >= ENOUGH * len(found), f"README.md quotes what nothing says: {message}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(#([^)]+)\)", MANUAL))))
def test_links_of_the_manual_lead_to_a_heading(target: str) -> None:
    heads = re.findall(r"^#+ (.+)$", MANUAL, re.MULTILINE)
    assert target in {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
