"""When work was handed in, by its timestamp.txt: read if it means one moment, else left unused.

dateutil would guess what is left out, and what the name of a zone means: here it may do neither.
"""

import datetime as dt
import re
from collections.abc import Callable

from dateutil import parser, tz

from coursekit.intake.collect import TIMESTAMP, printable
from coursekit.intake.parse import decoded

ISO = re.compile(  # without a zone and with a space, it is as nbgrader writes it: in UTC
    r"\d{4}-?\d\d-?\d\d[ T]\d\d:?\d\d(:?\d\d(\.\d+)?)?"
    r"\s*(Z|(UTC|GMT)?([+-][\d:]+)?(\[\S+\])?|[A-Za-z]+/\S+)"
)
PLACE = re.compile(r"\b[A-Za-z]+(/[A-Za-z][\w+-]*)+")  # Europe/Paris
COMMENT = re.compile(r"\s*[(\[][^()\[\]]*[)\]]$")  # +0100 (CET), +01:00[Europe/Paris]
CLOCK = re.compile(r"(?<![+-]\d|.[+-])\d[:h]\d\d|T\d{4}(\d\d)?(?!\d|-\w+-)|\d\s*[ap]\.?m\b", re.I)
DASHED = re.compile(r"\d{1,4}-(\d\d?|[A-Za-z]+)-\d{1,4}(?!\d)")  # a date


class Unclear(Exception):
    """Why a text does not mean one moment."""


def handed_in(stamp: bytes | None, zone: dt.tzinfo) -> tuple[dt.datetime | None, list[str]]:
    """Return when work was handed in, in naive UTC, if that is known, and what to know about it.

    The course's `zone` is that of the example in a note on how to write it; nothing is read by it.
    """
    if stamp is None:
        return None, []
    text = decoded(stamp)[0].strip("\0\ufeff \t\r\n")
    try:
        local = moment_of(text, zone)
        moment = local.replace(tzinfo=local.tzinfo or dt.UTC).astimezone(dt.UTC)
        if not 1 < moment.year < 9999:  # in another time zone it may be none
            raise ValueError("no year of ours")
    except Unclear as error:
        return None, [f"{TIMESTAMP} {error}"]
    except Exception:  # dateutil raises whatever its parts raise
        return None, [f"{TIMESTAMP} holds no date and was not used"]
    expected = ISO.fullmatch(text) and (local.tzinfo or " " in text)
    zoneless = "" if local.tzinfo else "names no time zone and "
    note = f"{TIMESTAMP} {zoneless}was read as {moment:%Y-%m-%d %H:%M} UTC"
    return moment.replace(tzinfo=None), [] if expected else [note]


def moment_of(text: str, zone: dt.tzinfo) -> dt.datetime:
    """Return date and time in a text, with its zone if it names one."""
    names: list[str] = []

    def zone_of(name: str | None, offset: int | None) -> dt.tzinfo | None:
        if name and name.upper() not in ("UTC", "GMT", "Z"):
            names.append(name)
        return None if offset is None else dt.timezone(dt.timedelta(seconds=offset))

    bare = COMMENT.sub("", text)
    clock = PLACE.sub("UTC", bare)
    clock = re.sub(r"(UTC|GMT|Z)\s*(?=[+-])", "", clock)  # beside it dateutil misreads an offset
    clock = re.sub(r"([+-])(\d{3})$", r"\g<1>0\2", clock)
    local, why = local_time(clock, zone_of), ""
    if place := PLACE.search(bare):
        known = tz.gettz(place[0])
        if isinstance(known, tz.tzfile):
            local = local.replace(tzinfo=known)
            if tz.datetime_ambiguous(local) or not tz.datetime_exists(local):
                why = "falls into the hour in which clocks were changed"
        else:
            names.append(place[0])
    if names:
        why = f"names the zone {printable(names[0], 30)}, which has several meanings or none,"
    if why:
        example = local.replace(microsecond=0, tzinfo=zone).strftime("%Y-%m-%d %H:%M:%S %z")
        raise Unclear(f"{why} and was not used; write the offset from UTC, as in {example}")
    if not local.tzinfo and re.search(r"[+(\[]|-\d", DASHED.sub("", text)):
        raise ValueError("an offset that dateutil overlooks")
    return local


def local_time(text: str, zone_of: Callable[..., dt.tzinfo | None]) -> dt.datetime:
    """Return date and time in a text, with the offset from UTC if it names one.

    dateutil would take today's for a day, month, year or hour that is left out, and would choose
    where the day could be the month: that is tried out, and Unclear.
    """
    orders = [{}, {"dayfirst": True}, {"yearfirst": True}]
    if re.match(r"\d{4}[-/.\d]", text):
        orders = [{}]
    first, *others = [
        parser.parse(text, default=default, tzinfos=zone_of, **order)
        for order in orders
        for default in (dt.datetime(2001, 1, 1, 0), dt.datetime(2002, 2, 2, 1))
    ]
    if first.date() != others[0].date():
        raise ValueError("a part of the date is missing")
    if first != others[0] or not CLOCK.search(text):
        raise Unclear("holds no time of day and was not used")
    if any(other != first for other in others):
        raise Unclear("could be read as two dates and was not used")
    return first
