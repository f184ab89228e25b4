"""What late work costs: a plugin of nbgrader's, for plain nbgrader commands, too."""

import math

from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float

DAY = 24 * 60 * 60


class PercentPerDay(LateSubmissionPlugin):
    """Deducts a share of a submission's points for each day begun."""

    percent_per_day = Float(0.0, help="Share of the points deducted a day.").tag(config=True)
    grace_minutes = Float(0.0, help="Lateness that costs nothing.").tag(config=True)
    zero_after_days = Float(0.0, help="From when it is worth 0; 0: never.").tag(config=True)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """Return the points to deduct, or None for none."""
        late = total_seconds_late - 60 * self.grace_minutes
        if late <= 0:
            return None
        if self.zero_after_days and late > self.zero_after_days * DAY:
            return score
        return score * min(1.0, math.ceil(late / DAY) * self.percent_per_day / 100) or None
