"""Refuse answers that no working course could come from, all of them at once.

Cookiecutter loads this file, as the `_extensions` in cookiecutter.json say, before its first
question: what was given is judged before anything is asked, and what was typed before a folder is
made. A hook would come too late: by then Cookiecutter has passed over a misspelled name, crashed on
the date that YAML makes of unquoted text, and says of a refusal that the hook has failed.
"""

import difflib
import json
import keyword
import re
import shlex
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path

import click
import yaml
from cookiecutter.config import get_user_config
from jinja2 import Environment
from jinja2.ext import Extension

COURSE = Path(__file__).resolve().parents[1] / "<<cookiecutter.course_slug>>"
MODULES = sorted(path.name for path in (COURSE / "modules").glob("[0-9]*"))
LICENSES = ("MIT", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "Proprietary")

MAX_TEXT = 120
MAX_NAME = 64
DELIMITERS = ["<#", "<%", "<<", ">>", "%>", "#>"]
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line separators

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
PACKAGE = re.compile(r"[a-z][a-z0-9_]*")
WORD = r'[^\s@<>()\[\],;:"\\]+'
EMAIL = re.compile(rf"{WORD}@{WORD}\.{WORD}")

WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}
# Python 3.14 added the last two; the Python that runs this may be older than the students'.
STDLIB = {name.casefold() for name in sys.stdlib_module_names} | {"annotationlib", "compression"}
# Other names that a course already uses: what it installs or refers to, what stands in its folder.
INSTALLED = """
    alembic bs4 dask dateutil distributed execnet fastjsonschema hypothesis ipykernel ipython
    ipywidgets jax jinja2 jsonschema jupyter jupyter_client jupyter_core jupyter_server jupyterlab
    jupytext markdown_it matplotlib mpl_toolkits myst_nb myst_parser nbclient nbconvert nbformat
    nbgrader notebook nox numpy packaging pip pluggy psutil pygments pytest rapidfuzz requests rich
    ruff setuptools sphinx sqlalchemy tensorflow torch tornado traitlets uv virtualenv xdist yaml
    zmq
"""
CONTAINED = """
    autograded backups bench build conftest course coursekit data demo dist docs env export feedback
    gradebook grades lab modules nbgrader_config node_modules noxfile originals reference release
    reports scripts site source src staff student students submissions submitted tests venv
"""
TAKEN = frozenset((INSTALLED + CONTAINED).split())


def delimiters_in(value: object) -> list[str]:
    """Return the template delimiters that an answer holds."""
    return [delimiter for delimiter in DELIMITERS if delimiter in str(value)]


def line_faults(value: str) -> dict[str, bool]:
    """Say which faults a line of free text, maybe empty, has."""
    found = delimiters_in(value)
    return {
        f"has {len(value)} characters, {MAX_TEXT} are the most": len(value) > MAX_TEXT,
        "holds a line break or another control character": any(
            unicodedata.category(character) in UNPRINTABLE for character in value
        ),
        f"holds {' and '.join(found)}, which Cookiecutter takes for its own": bool(found),
    }


def text_faults(value: str) -> dict[str, bool]:
    """Say which faults a line of free text that must say something has."""
    return {"is empty": not value.strip()} | line_faults(value)


def email_faults(value: str) -> dict[str, bool]:
    """Say which faults an e-mail address has."""
    return {"is not an e-mail address": not EMAIL.fullmatch(value)} | line_faults(value)


def slug_faults(value: str) -> dict[str, bool]:
    """Say why the value cannot name one plain folder on every system."""
    return {
        "must hold only a-z, 0-9, '-', '_' and '.', and begin and end with a letter or digit": (
            not SLUG.fullmatch(value)
        ),
        "holds '..'": ".." in value,
        "is a device on Windows": value.split(".")[0].casefold() in WINDOWS_DEVICES,
        f"has {len(value)} characters, {MAX_NAME} are the most": len(value) > MAX_NAME,
    }


def package_faults(value: str) -> dict[str, bool]:
    """Say why the value cannot name the package that students import."""
    name = value.casefold()  # macOS and Windows take NumPy and numpy for the same folder
    return {
        "must hold only a-z, 0-9 and '_', and begin with a letter": not PACKAGE.fullmatch(value),
        "is a word of the Python language": value in {*keyword.kwlist, *keyword.softkwlist},
        "is a module of Python's standard library": name in STDLIB,
        "is taken: the course installs, contains or refers to something so called": name in TAKEN,
        f"has {len(value)} characters, {MAX_NAME} are the most": len(value) > MAX_NAME,
    }


def date_faults(value: str) -> dict[str, bool]:
    """Say whether the value is no day of the calendar written year-month-day."""
    try:
        day = date.fromisoformat(value)
        # Python also reads 20270111 and 2027-W02-1; the course's files do not.
        wrong, far = day.isoformat() != value, not 1970 <= day.year < 9000
    except ValueError:
        wrong, far = True, False
    return {
        "is not a date written as year-month-day": wrong,
        "is no day of a term: its year must be one of 1970 to 8999": far,
    }


def choice_faults(*offered: str) -> Callable[[str], dict[str, bool]]:
    """Return what says whether a value is one of those offered."""
    listed = f"{', '.join(offered[:-1])} or {offered[-1]}"
    return lambda value: {f"is not offered: type {listed}": value not in offered}


# For each question: what looks for an answer's faults, and a good one.
RULES: dict[str, tuple[Callable[[str], dict[str, bool]], str]] = {
    "course_title": (text_faults, "Deep Learning from Scratch"),
    "course_slug": (slug_faults, "deep-learning"),
    "package_name": (package_faults, "minitorch"),
    "term": (text_faults, "Autumn 2027"),
    "instructor_name": (text_faults, "Grace Hopper"),
    "instructor_email": (email_faults, "grace@example.edu"),
    "institution": (line_faults, "Example College"),
    "first_day": (date_faults, "2027-09-06"),
    "last_module": (choice_faults(*MODULES), "03_layers"),
    "license": (choice_faults(*LICENSES), "MIT"),
}


def faults(name: str, value: object) -> list[str]:
    """Return what is wrong with one answer."""
    if not isinstance(value, str):
        return [f"is read as {type(value).__name__}, not as text: put quotes round it"]
    return [fault for fault, found in RULES[name][0](value).items() if found]


def refusals(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each fault: the answer, what is wrong, an example of a good one."""
    return [
        f"  {name}: {answer!r} {fault}; for example: {example}"
        if isinstance(answer, str)
        else f'  {name}: {answer} {fault}; for example: "{example}"'
        for name, (_, example) in RULES.items()
        if name in answers
        for answer in [answers[name]]
        for fault in faults(name, answer)
    ]


def unasked(names: Iterable[str]) -> list[str]:
    """Return a line for each name that no question has: Cookiecutter would pass over its answer."""
    close = {name: difflib.get_close_matches(str(name), RULES, 1, 0.5) or RULES for name in names}
    return [
        f"  {name}: no question has this name; for example: {', '.join(good)}"
        for name, good in close.items()
        if name not in RULES
    ]


def judge(answers: Mapping[str, object], others: Sequence[str] = ()) -> str:
    """Stop Cookiecutter, with exit code 1, if an answer is bad. `others` says what else is."""
    refused = [*others, *refusals(answers)]
    if refused:
        sys.exit("\n".join(["Please change these answers:\n", *refused, *again(answers)]))
    return ""  # in place of `<< cookiecutter | judged >>`


def command_line() -> click.Context | None:
    """Return what Cookiecutter was called with, unless a program called it."""
    context = click.get_current_context(silent=True)
    return context if context and "extra_context" in context.params else None


def again(answers: Mapping[str, object]) -> list[str]:
    """Keep the good answers in a file; return how to be asked again with these as defaults."""
    asked = command_line()
    if not asked:
        return []
    good = {name: answers[name] for name in RULES if name in answers}
    good = {name: answer for name, answer in good.items() if not faults(name, answer)}
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="answers-", suffix=".yml", delete=False
    ) as file:
        yaml.safe_dump({"default_context": good}, file, allow_unicode=True, sort_keys=False)
    command = [*asked.command_path.split(), "--config-file", file.name]
    for option in ("checkout", "output_dir"):
        if (value := asked.params[option]) not in (None, "."):
            command += [f"--{option.replace('_', '-')}", value]
    return [
        "\nTo be asked again, your other answers being defaults (maybe after `pipx run`, `uvx`):\n",
        f"    {shlex.join([*command, asked.params['template']])}\n",
    ]


@cache  # Cookiecutter makes several environments, the later ones in other folders
def judge_given() -> None:
    """Stop Cookiecutter if an answer in a file, as KEY=VALUE or replayed cannot be used."""
    asked = command_line()
    if not asked:
        return
    options = asked.params
    config = get_user_config(options["config_file"], options["default_config"])
    if options["replay"] or options["replay_file"]:
        last = Path(config["replay_dir"], f"{Path(__file__).resolve().parents[1].name}.json")
        path = Path(options["replay_file"] or last)
        judge(json.loads(path.read_text(encoding="utf-8"))["cookiecutter"])
        return
    in_file, typed = config["default_context"] or {}, options["extra_context"] or {}
    # The user's own ~/.cookiecutterrc answers the questions of other templates, too.
    names = [*(in_file if options["config_file"] else []), *typed]
    outside = [name for name in config if name in RULES]
    place = "stands outside default_context; indent it below that line"
    judge({**in_file, **typed}, [*unasked(names), *(f"  {name}: {place}" for name in outside)])


class Answers(Extension):
    """Judges what was given, before the first question; `judged` is for what was typed."""

    def __init__(self, environment: Environment) -> None:
        """Add the filter, and judge what was given: it may be wrong before a question is asked."""
        super().__init__(environment)
        environment.filters["judged"] = judge
        judge_given()
