"""Exports notebooks: writes PACKAGE/tensor.py from 01_tensor/, where the next module imports it."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterable, Iterator
from contextlib import suppress

from . import files
from .export import below_directive, exported, python
from .kit import STUB, Module, Problem, beside, is_code, read

HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


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


def code_cells(module: Module) -> list[tuple[str, str]]:
    """Return each code cell, after the exercise it belongs to: the last heading above it."""
    found, title = [], "before the first heading"
    for cell in module.cells:
        if is_code(cell):
            found.append((title, cell["source"]))
        else:
            title = (HEADING.findall(cell["source"]) or [title])[-1].strip()
    return found


def mistakes(cells: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield where an exported cell is no Python: its exercise, and the line of the cell."""
    for title, source in cells:
        code = below_directive(source)
        try:
            ast.parse(python(code))
        except (SyntaxError, ValueError) as error:
            above = len(source.splitlines()) - len(code)
            line = (getattr(error, "lineno", None) or 1) + above
            yield f"{title}: line {line} of the cell: {getattr(error, 'msg', error)}"


def unfinished(cells: Iterable[tuple[str, str]]) -> list[str]:
    """Return the exercises that still have a stub in an exported cell."""
    stubs = [title for title, source in cells if STUB.search("\n".join(below_directive(source)))]
    return list(dict.fromkeys(stubs))


def imported(module: Module) -> set[str]:
    """Return the names that the notebooks of this folder import from a module's file."""
    names, file = set(), f"{module.kit.package}.{module.exported.stem}"
    for other in module.kit.modules:
        with suppress(Problem, SyntaxError, ValueError):
            trees = [ast.parse(python(source.splitlines())) for _, source in code_cells(other)]
            nodes = [node for tree in trees for node in ast.walk(tree)]
            froms = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.module == file]
            names |= {alias.name for node in froms for alias in node.names}
    return names


def export(module: Module, named: bool) -> tuple[bool, str]:
    """Write one module's file of the package; return if all is well, and what happened.

    A module that is not finished is written, too: its other functions can be used. Unless it was
    named it does not replace a file with fewer stubs, which may be the reference. What is replaced
    is kept in backups/. Problem if the notebook cannot be read.
    """
    name = f"{module.name}/{module.notebook.name}"
    read(module.notebook)  # a module without a folder is there all the same, and not begun
    cells = code_cells(module)
    problems = list(mistakes(cells))
    code = "" if problems else exported(source for _, source in cells)
    try:
        compile(code, module.notebook.name, "exec")
    except (SyntaxError, ValueError) as error:  # of cells that parse each by itself
        problems = [str(error)]
    if problems:
        return False, "\n  ".join([f"{name}: not exported, because it does not parse", *problems])
    if not code:
        return False, f"{name}: not exported, because no cell in it starts with `#| export`"
    target = module.exported
    before = target.read_bytes() if target.is_file() else b""
    stubs_before = STUB.findall(before.decode(errors="replace") if before else code)
    if not named and len(stubs_before) < len(STUB.findall(code)):
        why = f"{module.file} holds what is not finished here"
        anyway = f"To replace that all the same: course export {module.name}"
        return False, f"{name}: not exported, because {why}. {anyway}"
    if before not in (b"", code.encode()):
        files.write_bytes(module.kit.backup(target.name), before)
    files.write_text(target, code)
    notes = []
    has, missing = names_of(code)
    if missing:
        notes.append(
            f"but not exported with it: {', '.join(sorted(missing))}. Cells that start with "
            "`#| export` are; import or define it in the one that uses it."
        )
    if lost := imported(module) - has:
        notes.append(
            f"but it lacks {', '.join(sorted(lost))}, which a later module imports: a cell "
            "that was split or lost its `#| export`?"
        )
    stubs = unfinished(cells)
    notes += [f"not finished: {title}" for title in stubs]
    if others := beside(module.notebook):
        notes.append(f"exported was {module.notebook.name}.{others} Only one can count.")
    core = [title for title in stubs if "(deeper)" not in title]
    well = not (missing or lost or core or others)
    return well, "\n  ".join([f"{name} -> {module.file}", *notes])
