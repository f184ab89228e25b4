"""When work was handed in, by its timestamp.txt: read if it means one moment, else left unused.

dateutil reads days and hours; it guesses what a zone means, so zones are read here.
"""

import datetime as dt
import re

from dateutil import parser, tz

from coursekit.intake.collect import TIMESTAMP, printable
from coursekit.intake.parse import decoded

INFO = parser.parserinfo()
PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?")  # nbgrader's own, in UTC
ISO = re.compile(r"\d{4}-?\d\d-?\d\d[ T]\d\d:?\d\d(:?\d\d(\.\d+)?)?")
OFFSET = re.compile(  # only after a time of day: the end of 2027-01-27 is none
    r"(?P<time>(?:\d[:h]\d\d(?::\d\d)?|T\d{4}(?:\d\d)?)(?:[.,]\d+)?(?:\s*[ap]\.?m\b\.?)?)"
    r"\s*(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d\d?)"
    r"(?::?(?P<minutes>[0-5]\d))?(?::?(?P<seconds>[0-5]\d(?:\.\d+)?))?(?![\d:./-])",
    re.I,
)
CLOCK = re.compile(r"\d[:h]\d\d|T\d{4}(\d\d)?(?![\d-])|\d\s*[ap]\.?m\b", re.I)
DASHED = re.compile(r"\d{1,4}-(\d\d?|[A-Za-z]+)-\d{1,4}(?!\d)")  # a date
NAME = re.compile(r"(?<![^\W\d_])(?:[A-Za-z]+(?:/[A-Za-z][\w+-]*)+|[^\W\d_]+)")
COMMENT = re.compile(r"\s*[(\[][^()\[\]]*[)\]]$")  # +0100 (CET), +01:00[Europe/Paris]


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
        clock, offset, unknown = without_zone(text)
        naive = moment_of(clock)
        if why := doubt(naive, offset, unknown):
            example = naive.replace(microsecond=0, tzinfo=zone).strftime("%Y-%m-%d %H:%M:%S %z")
            raise Unclear(f"{why} and was not used; write the offset from UTC, as in {example}")
        moment = naive.replace(tzinfo=offset or dt.UTC).astimezone(dt.UTC).replace(tzinfo=None)
    except Unclear as error:
        return None, [f"{TIMESTAMP} {error}"]
    except Exception:  # dateutil raises whatever its parts raise
        return None, [f"{TIMESTAMP} holds no date and was not used"]
    if PLAIN.fullmatch(text) or (offset and ISO.fullmatch(clock)):
        return moment, []
    zoneless = "" if offset else "names no time zone and "
    return moment, [f"{TIMESTAMP} {zoneless}was read as {moment:%Y-%m-%d %H:%M} UTC"]


def without_zone(text: str) -> tuple[str, dt.tzinfo | None, str]:
    """Return date and time of a text, its zone, and the word that may be a zone but is unknown."""
    if match := OFFSET.search(text):
        hours, minutes, seconds = (float(match[p] or 0) for p in ("hours", "minutes", "seconds"))
        size = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
        offset = dt.timezone(-size if match["sign"] == "-" else size)
        return COMMENT.sub("", text[: match.end("time")] + text[match.end() :]), offset, ""
    for match in NAME.finditer(text):
        word, rest = match[0], f"{text[: match.start()]} {text[match.end() :]}".strip()
        if word.upper() in ("Z", "UTC", "GMT"):
            return rest, dt.UTC, ""
        if "/" in word:
            known = tz.gettz(word)
            return (rest, known, "") if isinstance(known, tz.tzfile) else (rest, None, word)
        if not is_known(word):
            return rest, None, word
    return text, None, ""


def doubt(naive: dt.datetime, offset: dt.tzinfo | None, unknown: str) -> str:
    """Return why a zone does not make one moment of a date and time, "" if it does."""
    if unknown:
        return f"names the zone {printable(unknown, 30)}, which has several meanings or none,"
    local = naive.replace(tzinfo=offset or tz.UTC)
    changing = tz.datetime_ambiguous(local) or not tz.datetime_exists(local)
    return "falls into the hour in which clocks were changed" if changing else ""


def refused(name: str | None, _: int | None) -> dt.tzinfo | None:
    """Return a zone for a name that dateutil found and we did not: then no time is read."""
    return tz.UTC if name else None


def is_known(word: str) -> bool:
    """Tell whether a word belongs to a date and time: Jan, Tuesday, T, pm, h, at."""
    readers = (INFO.month, INFO.weekday, INFO.hms, INFO.ampm)
    return INFO.jump(word) or any(reader(word) is not None for reader in readers)


def moment_of(text: str) -> dt.datetime:
    """Return date and time in a text without a zone.

    dateutil would take today's for a day, month, year or hour that is left out, and would choose
    where the day could be the month: that is tried out, and Unclear.
    """
    strange = any(not is_known(word) for word in re.findall(r"[^\W\d_]+", text))
    if strange or re.search(r"\+|-\d", DASHED.sub("", text)):  # dateutil overlooks some offsets
        raise Unclear("holds no date and was not used")
    orders = [{}, {"dayfirst": True}, {"yearfirst": True}]
    if re.match(r"\d{4}[-/.\d]", text):
        orders = [{}]
    first, *others = [
        parser.parse(text, default=default, tzinfos=refused, **order)
        for order in orders
        for default in (dt.datetime(2001, 1, 1, 0), dt.datetime(2002, 2, 2, 1))
    ]
    if first.date() != others[0].date() or first.tzinfo:
        raise Unclear("holds no date and was not used")
    if first != others[0] or not CLOCK.search(text):
        raise Unclear("holds no time of day and was not used")
    if any(other != first for other in others):
        raise Unclear("could be read as two dates and was not used")
    return first
