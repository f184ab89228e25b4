"""When work was handed in: the right moment, or none and a note that says why."""

import datetime as dt
import sys
from zoneinfo import ZoneInfo

import pytest
from delimiters import ROOT
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit.intake import times  # noqa: E402

PARIS = ZoneInfo("Europe/Paris")
LAST_MINUTE = dt.datetime(2027, 1, 27, 22, 30)


def read(text: str) -> tuple[dt.datetime | None, str]:
    moment, notes = times.handed_in(text.encode(), PARIS)
    return moment, "; ".join(notes)


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-27 22:30:00 UTC",
        "2027-01-27 22:30:00.000000 UTC\n",
        "2027-01-27 22:30:00Z",
        "2027-01-27 22:30 GMT",
        "2027-01-27 23:30:00 +0100",
        "2027-01-27 23:30:00 +01",
        "2027-01-27 23:30:00+01:00",
        "2027-01-27 23:30:00 UTC+1",
        "2027-01-27T23:30:00+01:00",
        "2027-01-27T23:30:00.0+0100",
        "2027-01-27T23:30:00+01:00[Europe/Paris]",
        "20270127T233000+0100",
        "2027-01-27 17:00:00 -0530",
        "2027-01-28 04:00 +530",
        "2027-01-27 23:30:00 Europe/Paris",
        "2027-01-27 14:30:00.000000 America/Los_Angeles",
        "2027-01-27 19:30:00 Etc/GMT+3",
    ],
)
def test_what_is_unambiguous_is_read_without_a_word(text: str) -> None:
    assert read(text) == (LAST_MINUTE, "")


@pytest.mark.parametrize("text", ["2027-01-27T22:30:00", "2027-01-27 22:30:00.000000"])
def test_a_time_without_a_zone_is_read_as_nbgrader_does_and_told(text: str) -> None:
    told = "timestamp.txt names no time zone and was read as 2027-01-27 22:30 UTC"
    assert read(text) == (LAST_MINUTE, told)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sorry, I am late",
        "Tuesday, 10:30",
        "10:30 PM",
        "2027-01 10:30",
        "2027-01-27",
        "27 January 2027",
        "010101 2000-01-01+00:00",
        "03/02/2027 10:00",
        "26-01-27 10:00",
        "2027-01-27 10:30 PM",
        "27.01.2027 22:30",
        "Wed, 27 Jan 2027 23:30:00 +0100 (CET)",
        "2027-01-27 23:30:00 +2500",
        "2027-01-27 23:30:00 UTC UTC",
        "2027-01-27 25:30",
        "9999-12-31 23:30:00 -0100",
        "0001-01-01 00:30:00 +0100",
        "99999-99-99 99:99:99 ZZZ",
        "2027-01-27 23:30:00 Europe/Pairs",
        "2027-10-31 02:30:00 Europe/Paris",
        "2027-03-28 02:30:00 Europe/Paris",
        *(f"2027-07-27 23:30:00 {zone}" for zone in ("PST", "IST", "CEST", "CET", "EST", "MEZ")),
    ],
)
def test_what_may_be_another_moment_is_left_unused(text: str) -> None:
    named = f"timestamp.txt ({text})" if text else "timestamp.txt"
    told = "is not written as in 2027-01-25 23:59:00 +0100 and was not used"
    assert read(text) == (None, f"{named} {told}")
    assert read("2027-01-25 23:59:00 +0100") == (dt.datetime(2027, 1, 25, 22, 59), "")


def test_no_stamp_is_no_note_and_one_in_utf_16_is_read() -> None:
    assert times.handed_in(None, PARIS) == (None, [])
    stamp = "2027-01-27 22:30:00 UTC\r\n".encode("utf-16")
    assert times.handed_in(stamp, PARIS) == (LAST_MINUTE, [])


naive = st.datetimes(dt.datetime(1000, 1, 2), dt.datetime(9998, 12, 30))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda n: dt.timezone(dt.timedelta(minutes=n)))
dates = "%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d %B %Y", "%a, %d %b %Y", "%y-%m-%d"
clocks = "%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M%p", "%I %p", "%H%M%S", "%Hh%M"


def formatted(moment: dt.datetime, date: str, clock: str, swap: bool, between: str) -> str:
    parts = (clock, date) if swap else (date, clock)
    return moment.strftime(between.join(parts))


forms = st.tuples(
    st.sampled_from(dates),
    st.sampled_from(clocks),
    st.booleans(),
    st.sampled_from([" ", "T", ", "]),
)


def cut(moment: dt.datetime, clock: str) -> dt.datetime:
    """Return a moment without what a form of the clock leaves out."""
    left_out = {"minute": "%M", "second": "%S", "microsecond": "%f"}
    return moment.replace(**{part: 0 for part, code in left_out.items() if code not in clock})


ends = st.sampled_from(["{}%z", "{} %z", "{} GMT%z", "{} UTC%z", "{}%:z", "{}"])


@given(naive, offsets, forms, ends)
def test_any_moment_in_any_form_is_read_right_or_not_at_all(moment, offset, form, end) -> None:
    date, clock, _, _ = form
    moment = cut(moment.replace(tzinfo=offset if "z" in end else dt.UTC), clock)
    found, note = read(end_of(formatted(moment, *form), end, moment))
    right = {moment.astimezone(dt.UTC).replace(tzinfo=None)}
    if date == "%y-%m-%d":  # which century is anybody's guess
        right |= {r.replace(year=c + r.year % 100) for r in right for c in (1900, 2000)}
    assert found in right or (found is None and note)


def end_of(text: str, end: str, moment: dt.datetime) -> str:
    offset = moment.strftime("%z")
    colon = f"{offset[:3]}:{offset[3:]}"
    return end.format(text).replace("%:z", colon).replace("%z", offset)


@given(naive, offsets, st.sampled_from("T "))
def test_iso_is_always_read(moment: dt.datetime, offset: dt.timezone, separator: str) -> None:
    moment = moment.replace(tzinfo=offset)
    right = moment.astimezone(dt.UTC).replace(tzinfo=None)
    assert read(moment.isoformat(separator)) == (right, "")
    assert read(moment.strftime(f"%Y-%m-%d{separator}%H:%M:%S.%f%z")) == (right, "")


@given(
    st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC)),
    st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_named_zone_is_read_right_or_not_at_all(moment: dt.datetime, zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    found, note = read(f"{local.isoformat(' ')} {zone}")
    assert found == moment.replace(tzinfo=None) or (found is None and "was not used" in note)
