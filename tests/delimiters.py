"""Find delimiters in the template that Jinja would trip over or, worse, quietly swallow.

Run it as a program to check every file of the course's template; pre-commit does.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "<<cookiecutter.course_slug>>"

DELIMITER = r"<<|>>|<%|%>|<\#|\#>"
INSIDE = rf"(?:(?!{DELIMITER}).)*"
TOKEN = re.compile(
    rf"""
    <<\ cookiecutter\.{INSIDE}>>                                  # an answer
  | (?s:<%-?\ raw\ -?%>.*?<%-?\ endraw\ -?%>)                     # text that Jinja leaves alone
  | <%-?\ (?:if|elif|else|endif|for|endfor)\b{INSIDE}%>           # a condition or a loop
  | (?m:^[ \t]*(?:\#[ ])?>>>(?=[ ]|$))                             # a doctest prompt, harmless
  | (?P<stray>{DELIMITER})
    """,
    re.VERBOSE,
)
HINTS = {
    "<<": "write a shift as x * 2**n, a heredoc as printf or a file of its own",
    ">>": "write a shift as x // 2**n, an append as tee -a",
    "<%": "write an f-string, or a space after the <",
    "%>": "write an f-string, or a space before the >",
    "<#": "write a link as (#anchor), or a space after the <",
    "#>": "write a space before the >",
}


def stray_delimiters(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield line, column and name of each delimiter that is no part of a tag."""
    for match in TOKEN.finditer(text):
        if match["stray"]:
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            yield line, column, match["stray"]


def is_binary(data: bytes) -> bool:
    """Tell binary data from text as git does."""
    return b"\0" in data


def tracked_files(folder: str = ".") -> list[Path]:
    """Return the files in a folder of this repository that git tracks, or would if added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    paths = {ROOT / name for name in listed.decode("utf-8").split("\0") if name}
    return sorted(path for path in paths if path.is_file())  # git still lists deleted files


def problems(path: Path) -> Iterator[str]:
    """Yield a message for each stray delimiter in a file: where it is, what to write instead."""
    data = path.read_bytes()
    if is_binary(data):
        return
    for line, column, delimiter in stray_delimiters(data.decode("utf-8")):
        yield (
            f"{path.relative_to(ROOT)}:{line}:{column}: {delimiter} belongs to Cookiecutter here: "
            f"{HINTS[delimiter]}; or put <% raw %> and <% endraw %> round the text"
        )


def main() -> None:
    """Print what is wrong in the template, and fail if anything is."""
    found = [message for path in tracked_files(TEMPLATE) for message in problems(path)]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
