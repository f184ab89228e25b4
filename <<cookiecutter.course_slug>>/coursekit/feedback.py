"""The page that tells a student what was graded and how."""

import html
from pathlib import Path

from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from coursekit.nbgrader_settings import captured_log


def write_feedback(c: Config) -> None:
    """Write nbgrader's feedback page for the one submission that the settings name."""
    c.GenerateFeedback.force = True
    with captured_log():
        GenerateFeedback(coursedir=CourseDirectory(config=c), config=c).start()


def write_refusal(page: Path, note: str) -> None:
    """Write a page that says why a submission could not be graded."""
    page.parent.mkdir(parents=True, exist_ok=True)
    text = f"This submission could not be graded and has 0 points: {html.escape(note)}."
    page.write_text(
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Feedback</title><p>{text}</p>'
        "<p>Please hand in the notebook again, or ask your instructor.</p></html>\n",
        encoding="utf-8",
    )
