"""Refuse answers that no working course could come from, all of them at once."""

import json
import keyword
import re
import sys
import unicodedata
from collections.abc import Callable
from datetime import date

MAX_TEXT = 120
MAX_NAME = 64
# Spelled in halves, because Cookiecutter renders this file too.
DELIMITERS = ["<" + mark for mark in "#%<"] + [mark + ">" for mark in ">%#"]
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line separators

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
PACKAGE = re.compile(r"[a-z][a-z0-9_]*")
WORD = r'[^\s@<>()\[\],;:"\\]+'
EMAIL = re.compile(rf"{WORD}@{WORD}\.{WORD}")

WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}
# Python 3.14 added the last two; the Python that runs this hook may be older than the students'.
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
        # Python also reads 20270111 and 2027-W02-1; the course's files do not.
        wrong = date.fromisoformat(value).isoformat() != value
    except ValueError:
        wrong = True
    return {"is not a date written as year-month-day": wrong}


# For each answer: what looks for its faults, and a good one.
RULES: dict[str, tuple[Callable[[str], dict[str, bool]], str]] = {
    "course_title": (text_faults, "Deep Learning from Scratch"),
    "course_slug": (slug_faults, "deep-learning"),
    "package_name": (package_faults, "minitorch"),
    "term": (text_faults, "Autumn 2027"),
    "instructor_name": (text_faults, "Grace Hopper"),
    "instructor_email": (email_faults, "grace@example.edu"),
    "institution": (line_faults, "Example College"),
    "first_day": (date_faults, "2027-09-06"),
}


def faults(name: str, value: object) -> list[str]:
    """Return what is wrong with one answer."""
    if not isinstance(value, str):  # YAML makes other things of `no`, `true` and nothing
        return ["is not text: put quotes round it"]
    return [fault for fault, found in RULES[name][0](value).items() if found]


def refusals(answers: dict[str, object]) -> list[str]:
    """Return a line for each fault: the answer, what is wrong, an example of a good one."""
    return [
        f"  {name}: {answers[name]!r} {fault}; for example: {example}"
        for name, (_, example) in RULES.items()
        for fault in faults(name, answers[name])
    ]


def as_typed(answers: dict[str, object], given: dict[str, object]) -> dict[str, object]:
    """Return the answers, undoing what Cookiecutter made of those given with delimiters."""
    typed = {name for name in RULES if name != "course_slug"}  # whose default is a template
    return answers | {name: given[name] for name in typed if delimiters_in(given[name])}


def read_answers() -> dict[str, object]:
    """Return the answers that Cookiecutter renders into this file."""
    # In JSON no three quotation marks meet and no backslash stands alone, so this literal is safe.
    return as_typed(*json.loads(r"""<< [cookiecutter, _cookiecutter] | tojson >>"""))


def main() -> None:
    """Stop Cookiecutter, with exit code 1, if an answer is bad."""
    refused = refusals(read_answers())
    if refused:
        head = "Please change these answers and run it again:\n"
        tail = "\nThe traceback below is how Cookiecutter stops; it tells nothing more.\n"
        sys.exit("\n".join([head, *refused, tail]))


if __name__ == "__main__":
    main()
