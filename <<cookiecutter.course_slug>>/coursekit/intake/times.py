"""When work was handed in, by its timestamp.txt: read if it means one moment, else left unused."""

import datetime as dt
import re

from dateutil import tz

from coursekit.intake.collect import TIMESTAMP, printable
from coursekit.intake.parse import decoded

FORM = re.compile(  # of ISO 8601 and of nbgrader: 2027-01-25 23:59:00 UTC, +0100, Europe/Paris
    r"(?P<local>\d{4}-?\d\d-?\d\d[ T]\d\d:?\d\d(:?\d\d(\.\d+)?)?)\s*"
    r"(?P<utc>Z|UTC|GMT)?\s*((?P<sign>[+-])(?P<hours>\d\d?):?(?P<minutes>[0-5]\d)?)?\s*"
    r"\[?(?P<place>[A-Za-z]+/[\w+/-]+)?\]?"
)


def handed_in(stamp: bytes | None, zone: dt.tzinfo) -> tuple[dt.datetime | None, list[str]]:
    """Return when work was handed in, in naive UTC, if that is known, and what to know about it.

    The course's `zone` is that of the example in a note on how to write it; nothing is read by it.
    """
    if stamp is None:
        return None, []
    text = decoded(stamp)[0].strip("\0\ufeff \t\r\n")
    try:
        local = local_time(text)
        moment = local.replace(tzinfo=local.tzinfo or dt.UTC).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        example = dt.datetime(2027, 1, 25, 23, 59, tzinfo=zone).strftime("%Y-%m-%d %H:%M:%S %z")
        said = f"{TIMESTAMP} ({printable(text, 40)})" if text else TIMESTAMP
        return None, [f"{said} is not written as in {example} and was not used"]
    note = f"{TIMESTAMP} names no time zone and was read as {moment:%Y-%m-%d %H:%M} UTC"
    return moment.replace(tzinfo=None), [] if local.tzinfo else [note]  # nbgrader means UTC, too


def local_time(text: str) -> dt.datetime:
    """Return date and time in a text, with its zone if it names one. ValueError if it is neither.

    A zone's letters (CST, IST) have several meanings; so has an hour in which clocks are changed.
    """
    if not (found := FORM.fullmatch(text)):
        raise ValueError("another form")
    local = dt.datetime.fromisoformat(found["local"])
    zone = dt.UTC if found["utc"] else None
    if found["sign"]:
        offset = dt.timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
        zone = dt.timezone(-offset if found["sign"] == "-" else offset)
    elif found["place"]:
        zone = tz.gettz(found["place"])
        local = local.replace(tzinfo=zone)
        if not zone or tz.datetime_ambiguous(local) or not tz.datetime_exists(local):
            raise ValueError("no such place, or several such moments")
    return local.replace(tzinfo=zone)
