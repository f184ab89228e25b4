"""What late work costs: by the calendar of the course, so that a day has 23 to 25 hours."""

import datetime as dt
import math
from dataclasses import dataclass

from dateutil import tz

DAY = dt.timedelta(days=1)
NO_TIME = dt.timedelta(0)


@dataclass(frozen=True)
class LatePolicy:
    """[late] of course.toml, and the time zone whose days count. Dates are naive, in UTC."""

    percent_per_day: float = 0
    grace_minutes: float = 0
    zero_after_days: float = 0  # 0: never
    timezone: str = "UTC"

    def lateness(self, handed_in: dt.datetime | None, due: dt.datetime | None) -> dt.timedelta:
        """Return how long after its due date something came.

        A day later by the clock on the wall is a day, also when clocks were changed in it.
        """
        if not handed_in or not due or handed_in <= due:
            return NO_TIME
        zone = tz.gettz(self.timezone)
        came, was_due = (t.replace(tzinfo=dt.UTC).astimezone(zone) for t in (handed_in, due))
        return max(NO_TIME, came.replace(tzinfo=None) - was_due.replace(tzinfo=None))

    def penalty(
        self, score: float, handed_in: dt.datetime | None, due: dt.datetime | None
    ) -> float | None:
        """Return the points to deduct for each day begun, None for none."""
        late = self.lateness(handed_in, due) - dt.timedelta(minutes=self.grace_minutes)
        if late <= NO_TIME:
            return None
        if self.zero_after_days and late > self.zero_after_days * DAY:
            return score
        return score * min(1.0, math.ceil(late / DAY) * self.percent_per_day / 100) or None
