"""Reads course.toml: each setting of its kind, or one line that says what is wrong."""

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError

SEVERAL = {"staff", "extension"}
MOST = 1_000_000  # of anything that is counted


class Moment:
    """A date, or a date with a time of day."""


# What is asked of a module: numbers of these may be zero.
STANDARDS = {"points": 100, "written": 20, "questions": 3, "mutants": 8, "figures": 2,
             "anatomy": True, "draft": False}  # fmt: skip
# [section]: its settings, and what each is where it is not there; a type for what must be there.
# A number that has a default must be above zero, or zero where that is the default.
SETTINGS: dict[str, dict[str, Any]] = {
    "course": dict.fromkeys(("title", "slug", "package", "term", "institution", "timezone"), str),
    "staff": {"name": str, "email": str},  # several: [[staff]]
    "schedule": {
        "first_day": dt.date,
        "days_per_module": int,
        "attempt": "last",
        "due": {},
        "sections": {},
    },
    "extension": {"student": str, "module": str, "until": Moment, "reason": ""},  # several, too
    "kit": {"reference": []},
    "grading": {
        "cell_seconds": 10.0,
        "notebook_seconds": 120.0,
        "memory_mb": 2048,
        "processes": 32,
        "disk_mb": 64,
        "output_kb": 256,
        "file_mb": 20.0,
        "drop": [],
        "db_url": "",
    },
    "late": {"percent_per_day": 0.0, "grace_minutes": 0.0, "zero_after_days": 0.0},
    "standards": STANDARDS,
}
KINDS = {str: "string", int: "whole number", float: "number", dt.date: "date",
         list: "list of strings", Moment: "date, or a date and time", dict: "section of its own",
         bool: "yes or no: true or false"}  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """Return the settings of [course], and the other sections by name."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # a byte order mark says nothing
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise CourseError(f"{path} is missing: run this from the folder of your course.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise CourseError(f"{path}: line {line} is not in UTF-8. Save the file in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        merging = " Git's marks of a conflict stand in it: choose a version." * ("<" * 7 in text)
        raise CourseError(f"{path} is not valid TOML: {error}.{merging}") from None
    for name in sorted(table.keys() - SETTINGS.keys()):
        raise CourseError(f"{path}: there is no section [{name}]{meant(name, SETTINGS)}")
    found: dict[str, Any] = {}
    for name in SETTINGS:
        several = name in SEVERAL
        given = table.get(name, [] if several else {})
        tables = given if several and isinstance(given, list) else [given]
        if isinstance(given, list) != several or not all(isinstance(t, dict) for t in tables):
            form, often = (f"[[{name}]]", "once or more") if several else (f"[{name}]", "once")
            starts = (line.strip(" [").startswith(name) for line in text.splitlines())
            number = next((n for n, begins in enumerate(starts, 1) if begins), 1)
            raise CourseError(f"{path}, line {number}: {name} must be a section {form}, {often}.")
        if name == "standards":
            found[name] = standards(path, given)
            continue
        sections = [section(f"{path}: [{name}]", each, SETTINGS[name]) for each in tables]
        found[name] = tuple(sections) if several else sections[0]
    return {**found.pop("course"), **found}


def standards(path: Path, given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is asked of all modules, by the name "", and of each that has a table."""
    own = {name: table for name, table in given.items() if isinstance(table, dict)}
    rest = {key: given[key] for key in given.keys() - own.keys()}
    of_all = section(f"{path}: [standards]", rest, STANDARDS)
    return {"": of_all} | {n: section(f"{path}: [standards.{n}]", own[n], of_all) for n in own}


def meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: the known name that is most like this one, or all of them."""
    like = get_close_matches(name, known, 1)
    return f"; did you mean {like[0]}?" if like else f". Known are {', '.join(sorted(known))}."


def section(where: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one section, each of its kind, defaults where there are none."""
    for key in sorted(given.keys() - known.keys()):
        raise CourseError(f"{where} has no setting {key}{meant(key, known)}")
    for key, default in known.items():
        needed = isinstance(default, type)
        kind = default if needed else type(default)
        value = given.get(key, default)
        # A whole number is a number, too; a date with a time is no date, and true is no number.
        kinds = {float: (int, float), Moment: (dt.date, dt.datetime)}.get(kind, (kind,))
        held = value if type(value) is list else []
        if value is kind or type(value) not in kinds or not all(isinstance(t, str) for t in held):
            found = "is missing" if value is kind else f"is {value!r}"
            raise CourseError(f"{where} {key} {found}; it must be a {KINDS[kind]}.")
        positive = default and not needed and key not in STANDARDS
        if kind in (int, float) and not (0 < value <= MOST or value == 0 and not positive):
            least = "above zero" if positive else "zero or more"  # inf and nan are neither
            raise CourseError(f"{where} {key} is {value!r}; it must be {least}, at most {MOST:,}.")
        if isinstance(value, dt.date) and not 1970 <= value.year < 9000:
            raise CourseError(f"{where} {key} is {value}; its year must be one of 1970 to 8999.")
    return {key: given.get(key, default) for key, default in known.items()}
