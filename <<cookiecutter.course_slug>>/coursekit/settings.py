"""Reads course.toml: each setting of its kind, or one line that says what is wrong."""

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError

# [section]: its settings, and what each is where it is not there; a type for what must be there.
# A number that has a default must be above zero, or zero where that is the default.
SETTINGS: dict[str, dict[str, Any]] = {
    "course": dict.fromkeys(("title", "slug", "package", "term", "institution", "timezone"), str),
    "staff": {"name": str, "email": str},  # several: [[staff]]
    "schedule": {"first_day": dt.date, "days_per_module": int, "due": {}},
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
}
KINDS = {
    str: "string",
    int: "whole number",
    float: "number",
    dt.date: "date",
    list: "list",
    dict: "section of its own",
}


def read(path: Path) -> dict[str, Any]:
    """Return the settings of [course], and the other sections by name."""
    table = parsed(path)
    refuse_unknown(path, table)
    found = {name: section(path, table, name) for name in SETTINGS if name != "staff"}
    staff = tuple(section(path, {"staff": person}, "staff") for person in table.get("staff", []))
    return {**found.pop("course"), **found, "staff": staff}


def parsed(path: Path) -> dict[str, Any]:
    """Return the tables of a course.toml; a byte order mark at its start says nothing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CourseError(f"{path} is missing: run this from the folder of your course.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise CourseError(f"{path}: line {line} is not in UTF-8. Save the file in UTF-8.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{path} is not valid TOML: {error}.") from None


def refuse_unknown(path: Path, table: Mapping[str, Any]) -> None:
    """Raise a CourseError for the first section or key that nothing reads: a misspelt one, say."""
    for name, value in table.items():
        if name not in SETTINGS:
            raise CourseError(f"{path}: there is no section [{name}]{meant(name, SETTINGS)}")
        several = name == "staff"
        tables = value if several and isinstance(value, list) else [value]
        if isinstance(value, list) != several or not all(isinstance(t, dict) for t in tables):
            form = f"[[{name}]]" if several else f"[{name}]"
            often = "once or more" if several else "once"
            where = f"{path}, line {line_of(path, name)}"
            raise CourseError(f"{where}: {name} must be a section {form}, {often}.")
        for key in sorted({key for each in tables for key in each} - set(SETTINGS[name])):
            raise CourseError(f"{path}: [{name}] has no setting {key}{meant(key, SETTINGS[name])}")


def line_of(path: Path, name: str) -> int:
    """Return the number of the line in which a section begins, or a setting stands."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.strip(" [").startswith(name)), 1)


def meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: the known name that is most like this one, or all of them."""
    like = get_close_matches(name, known, 1)
    return f"; did you mean {like[0]}?" if like else f". Known are {', '.join(sorted(known))}."


def section(path: Path, table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of one section, each of its kind, defaults where there are none."""
    given = table.get(name, {})
    for key, default in SETTINGS[name].items():
        kind = default if isinstance(default, type) else type(default)
        value = given.get(key, default)
        if value is kind or not is_a(kind, value):
            found = "is missing" if value is kind else f"is {value!r}"
            raise CourseError(f"{path}: [{name}] {key} {found}; it must be a {KINDS[kind]}.")
        if kind in (int, float) and default is not kind and (value < 0 or default and not value):
            least = "be above zero" if default else "not be below zero"
            raise CourseError(f"{path}: [{name}] {key} is {value!r}; it must {least}.")
    return {key: given.get(key, default) for key, default in SETTINGS[name].items()}


def is_a(kind: type, value: Any) -> bool:
    """Tell whether a value of TOML is of a kind: a whole number is a number, too."""
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind  # a date with a time is no date, true is no number
