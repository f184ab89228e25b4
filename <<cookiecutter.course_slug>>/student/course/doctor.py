"""Looks at the installation: what is wrong with it, and what to do."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from .kit import IN_PACKAGE, Kit, Module, Problem

INSTALL = "activate .venv, and in the course's folder: python -m pip install -e ."


def diagnose(kit: Kit) -> Iterator[tuple[bool, str]]:
    """Yield whether a thing is as it should be, and its name, or what to do."""
    yield True, f"Python {sys.version.split()[0]} ({sys.executable})"
    for requirement in kit.requirements:
        name = re.match(r"[\w.-]*", requirement)[0]
        least = "".join(re.findall(r"[>~=]=\s*([\d.]+)", requirement)[:1])
        try:
            version = metadata.version(name)
            well = numbers(version) >= numbers(least)
            yield well, f"{name} {version}" + f" is older than {least}: {INSTALL}" * (not well)
        except metadata.PackageNotFoundError:
            yield False, f"{name} is not installed: {INSTALL}"
    yield kernel()
    found = asked(sys.executable, f"import {kit.package} as p; print(*p.__path__)")
    if same(found, kit.root / kit.package):
        yield True, f"{kit.package} is imported from here"
    else:
        yield False, f"{kit.package} is imported from {found or 'nowhere'}, not here: {INSTALL}"
    needed: set[Module] = set()
    to_export: list[str] = []  # in the order to do it
    for module in reversed(kit.modules):
        try:
            state = module.in_package()
            if state in ("older", "edited") or (state == "nowhere" and module in needed):
                to_export.insert(0, IN_PACKAGE[state].format(m=module))
            needed.update(module.needs() if module.begun else ())
        except Problem as problem:
            to_export.insert(0, str(problem))
    yield from ((False, line) for line in to_export)


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def kernel() -> tuple[bool, str]:
    """Tell whether notebooks run in this Python, and what to do if not."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        python = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except ImportError:
        return False, f"Jupyter is not installed: {INSTALL}"
    except NoSuchKernel:
        return False, f"Jupyter has no kernel python3: {INSTALL}"
    bare = Path(python).name == python  # means the Python that runs Jupyter
    if bare or same(asked(python, "import sys; print(sys.prefix)"), sys.prefix):
        return True, "notebooks run in this Python"
    return False, f"notebooks run in {python}, not here: jupyter kernelspec remove python3"


def asked(python: str, code: str) -> str:
    """Return what a Python prints in a folder where nothing lies; "" if it fails."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        with tempfile.TemporaryDirectory() as folder:
            command, where = [python, "-X", "utf8", "-c", code], {"cwd": folder, "env": outside}
            done = subprocess.run(command, **where, capture_output=True, encoding="utf-8")
            return done.stdout.strip()
    except OSError:
        return ""


def same(path: str, other: str | Path) -> bool:
    return bool(path) and Path(path).exists() and Path(path).samefile(other)
