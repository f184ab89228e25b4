"""Exports notebooks: writes PACKAGE/tensor.py from 01_tensor/, where the next module imports it."""

import ast
import builtins
import json
import re
import symtable
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from .export import below_directive, exported, python

HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
STUB = re.compile(r"^\s*raise NotImplementedError\(\)", re.MULTILINE)


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield a module's table of names, and those of all functions and classes in it."""
    yield table
    for inner in table.get_children():
        yield from scopes(inner)


def names_of(code: str) -> tuple[set[str], set[str]]:
    """Return the names that a file of the package has, and those it uses and has not."""
    module = symtable.symtable(code, "", "exec")
    has = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
    symbols = [(table, s) for table in scopes(module) for s in table.get_symbols()]
    uses = {
        s.get_name() for t, s in symbols if s.is_global() or (t is module and s.is_referenced())
    }
    return has, uses - has - set(dir(builtins)) - {"__name__", "__file__", "__class__"}


def code_cells(notebook: Path) -> list[tuple[str, str]]:
    """Return each code cell, after the exercise it belongs to: the last heading above it."""
    found, title = [], "before the first heading"
    for cell in json.loads(notebook.read_text(encoding="utf-8-sig"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            found.append((title, source))
        else:
            title = (HEADING.findall(source) or [title])[-1].strip()
    return found


def mistakes(cells: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield where an exported cell is no Python: its exercise, and the line of the cell."""
    for title, source in cells:
        code = below_directive(source)
        try:
            ast.parse(python(code))
        except (SyntaxError, ValueError) as error:
            empty = len(list(takewhile(str.isspace, [line or " " for line in code])))
            above = len(source.splitlines()) - len(code) + empty
            line = (getattr(error, "lineno", None) or 1) + above
            yield f"{title}: line {line} of the cell: {getattr(error, 'msg', error)}"


def unfinished(cells: Iterable[tuple[str, str]]) -> list[str]:
    """Return the exercises that still have a stub in an exported cell."""
    stubs = [title for title, source in cells if STUB.search("\n".join(below_directive(source)))]
    return list(dict.fromkeys(stubs))


def imported(root: Path, module: str) -> set[str]:
    """Return the names that the notebooks of this folder import from a module of the package."""
    names: set[str] = set()
    for notebook in sorted(root.glob("[0-9][0-9]_*/*_dev.ipynb")):
        with suppress(OSError, SyntaxError, ValueError, KeyError, TypeError):
            trees = [ast.parse(python(source.splitlines())) for _, source in code_cells(notebook)]
            nodes = [node for tree in trees for node in ast.walk(tree)]
            froms = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.module == module]
            names |= {alias.name for node in froms for alias in node.names}
    return names


def export(folder: Path, package: Path, named: bool = False) -> tuple[bool, str]:
    """Write one module's file of the package; return if all is well, and what happened.

    A module that is not finished is written, too: its other functions can be used. Unless it was
    named it does not replace a file with fewer stubs, which may be the reference.
    """
    notebook = folder / f"{folder.name.partition('_')[2]}_dev.ipynb"
    name = f"{folder.name}/{notebook.name}"
    others = sorted(path.name for path in folder.glob("*.ipynb") if path != notebook)
    beside = f" Beside it stands {', '.join(others)}." * bool(others)
    if not notebook.is_file():
        return False, f"{name} is not there.{beside} Give your notebook this name."
    try:
        cells = code_cells(notebook)
        problems = list(mistakes(cells))
        code = "" if problems else exported(source for _, source in cells)
        compile(code, notebook.name, "exec")
    except (SyntaxError, ValueError, KeyError, TypeError) as error:
        problems = [str(error)]
    if problems:
        return False, "\n  ".join([f"{name}: not exported, because it does not parse", *problems])
    if not code:
        return False, f"{name}: not exported, because no cell in it starts with `#| export`"
    target = package / f"{notebook.stem.removesuffix('_dev')}.py"
    before = target.read_text(encoding="utf-8", errors="replace") if target.is_file() else code
    if not named and len(STUB.findall(before)) < len(STUB.findall(code)):
        why = f"{package.name}/{target.name} holds what is not finished here"
        anyway = f"To replace that all the same: course export {folder.name}"
        return False, f"{name}: not exported, because {why}. {anyway}"
    partial = target.with_suffix(".partial")
    partial.write_text(code, encoding="utf-8")
    partial.replace(target)  # whole or not at all
    notes = []
    has, missing = names_of(code)
    if missing:
        notes.append(
            f"but not exported with it: {', '.join(sorted(missing))}. Cells that start with "
            "`#| export` are; import or define it in the one that uses it."
        )
    if lost := imported(folder.parent, f"{package.name}.{target.stem}") - has:
        notes.append(
            f"but it lacks {', '.join(sorted(lost))}, which a later module imports: a cell "
            "that was split or lost its `#| export`?"
        )
    stubs = unfinished(cells)
    notes += [f"not finished: {title}" for title in stubs]
    notes += [f"exported was {notebook.name}.{beside} Only one can count."] * bool(others)
    core = [title for title in stubs if "(deeper)" not in title]
    well = not (missing or lost or core or others)
    return well, "\n  ".join([f"{name} -> {package.name}/{target.name}", *notes])


def chosen(names: Iterable[str], folders: list[str]) -> Iterator[str]:
    """Yield the folder that each name means: 01_tensor, 01, 1 or tensor; ValueError if none."""
    for name in names:
        bare = name.rstrip("/\\")
        for folder in folders:
            number, _, stem = folder.partition("_")
            if bare in (folder, number, str(int(number)), stem):
                yield folder
                break
        else:
            raise ValueError(name)


def main(root: Path, names: list[str]) -> int:
    """Export `NN_name/name_dev.ipynb`, all or those named; return 1 if anything is missing."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8-sig"))
    package = root / settings["tool"]["course"]["package"]
    if not (package / "testing.py").is_file():
        print(f"{package.name}/testing.py is not there: take {package.name}/ from the zip again.")
        return 1
    folders = sorted(path.name for path in root.glob("[0-9][0-9]_*") if path.is_dir())
    try:
        wanted = list(chosen(names, folders)) or folders
    except ValueError as error:
        print(f"There is no module {str(error)!r} here, only: {', '.join(folders)}")
        return 1
    results = [export(root / folder, package, bool(names)) for folder in wanted]
    print("\n".join(line for _, line in results) or f"There is no module in {root}.")
    return 0 if results and all(well for well, _ in results) else 1
