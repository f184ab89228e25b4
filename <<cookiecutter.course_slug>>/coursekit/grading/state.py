"""What was graded and what a person should know of it: graded.json in the autograded folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coursekit import files

NAME = "graded.json"


@dataclass(frozen=True)
class State:
    """How the last grading of one submission went."""

    key: str = ""  # digest of what was graded, and by which tests; "" if that is not done
    scores: str = ""  # digest of what tests gave: a gradebook that came from a backup has others
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
        return "; ".join(filter(None, [*self.repaired, self.reason, *look]))


def write(folder: Path, state: State) -> None:
    """Write it into a submission's autograded folder: from now on this grading is done."""
    files.write_text(folder / NAME, json.dumps(vars(state)))


def read(folder: Path) -> State:
    """Return the state in a submission's autograded folder; an empty one if none is known."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return State(**{k: tuple(v) if isinstance(v, list) else v for k, v in found.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return State()
