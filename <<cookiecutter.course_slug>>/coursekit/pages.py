"""Pages from templates: what they are given is shown as text, and the script they name may run."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def templates(file: str) -> Environment:
    """Return the templates beside a Python file, and the one that is the base of all."""
    how = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True}
    folders = Path(file).parent, Path(__file__).parent
    env = Environment(loader=FileSystemLoader(folders), **how)
    env.filters["sha256"] = sha256
    return env


def sha256(script: str) -> str:
    """Return the digest by which a page's policy names the one script that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
