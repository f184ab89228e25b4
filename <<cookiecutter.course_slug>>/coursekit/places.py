"""Where one round of grading reads and writes: the course's folder, or its demo/."""

from dataclasses import dataclass
from pathlib import Path

from coursekit.intake import Submission


@dataclass(frozen=True)
class Places:
    """The folders of a round, and its gradebook as a database URL."""

    root: Path
    gradebook: str

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    def graded(self, submission: Submission) -> Path:
        """Return the folder of one submission's autograded notebook and state."""
        return self.autograded / submission.student / submission.module.name

    def page(self, submission: Submission) -> Path:
        """Return the feedback page of one submission."""
        folder = self.root / "feedback" / submission.student / submission.module.name
        return folder / submission.module.notebook.with_suffix(".html").name
