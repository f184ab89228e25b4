"""What was graded and what a person should know of it: graded.json in the autograded folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from coursekit import files

NAME = "graded.json"


@dataclass(frozen=True)
class State:
    """How the last grading of one submission went."""

    key: str = ""  # digest of what was graded, and by which tests
    marks: str = ""  # digest of the marks by hand that its feedback page shows
    status: str = ""  # "graded", or "zero" if it could not be
    reason: str = ""  # why it has 0, or what broke first
    repaired: tuple[str, ...] = ()  # what was put right before it ran
    suspicious: tuple[str, ...] = ()  # what a person should look at, with the evidence
    seconds: float = 0.0  # its cells took
    answers: Mapping[str, str] = field(default_factory=dict)  # digests of what people mark

    @property
    def note(self) -> str:
        """Return all of it as one line of a table."""
        look = [f"look at this: {finding}" for finding in self.suspicious]
        return "; ".join([*self.repaired, *([self.reason] if self.reason else []), *look])


def write(folder: Path, state: State) -> None:
    """Write it into a submission's autograded folder: from now on this grading is done."""
    files.write_text(folder / NAME, json.dumps(asdict(state)))


def forget(folder: Path) -> None:
    """Let a grading count as not done, before it is changed."""
    (folder / NAME).unlink(missing_ok=True)


def read(folder: Path) -> State:
    """Return the state in a submission's autograded folder; an empty one if it was never graded."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return State()
    known = {field.name for field in fields(State)} & set(found)
    return State(**{k: tuple(v) if isinstance(v := found[k], list) else v for k in known})
