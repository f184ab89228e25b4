"""Compiles a cell as IPython does. The grader compiles ours, the student's process the student's.

What is compiled already saves each submission a quarter of its time.
"""

import ast
import base64
import builtins
import marshal
import re

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

# `%magic`, `!command`, `name?` and `?name`; and what `name = !command` sets.
IPYTHONS = re.compile(r"\s*(%{1,2}[A-Za-z_]|!|\?{1,2}[\w.*]+\s*$|[\w.*]+\?{1,2}\s*$)").match
ASSIGNED = re.compile(r"(\s*\w+\s*=)\s*[%!]").match

Expr, Expression, AST_ONLY = ast.Expr, ast.Expression, ast.PyCF_ONLY_AST
from_base64, load = base64.b64decode, marshal.loads


def packed(source: str, filename: str) -> str:
    """Return a compiled cell as text; "" if it cannot be compiled, which is then to be told."""
    try:
        return base64.b64encode(marshal.dumps(compiled(source, filename))).decode()
    except (SyntaxError, ValueError):
        return ""


def unpacked(text: str) -> tuple:
    return load(from_base64(text))


def compiled(source: str, filename: str) -> tuple:
    """Compile a cell as IPython does: the value of its last line is shown, unless `;` ends it."""
    try:
        tree = compile(source, filename, "exec", AST_ONLY)
    except SyntaxError:
        tree = compile(without_magics(source), filename, "exec", AST_ONLY)
    last = None
    if tree.body and isinstance(tree.body[-1], Expr):
        value = tree.body.pop().value
        quiet = source.rstrip()[-1:] == ";"
        if quiet:
            tree.body.append(Expr(value, lineno=value.lineno, col_offset=value.col_offset))
        else:
            last = compile(Expression(value), filename, "eval")
    return compile(tree, filename, "exec"), last


def without_magics(source: str) -> str:
    """Make IPython's magics, shell lines and questions do nothing; %%time and such run their cell.

    What they would have been assigned to is None.
    """
    lines = source.split("\n")
    if lines[0][:2] == "%%":
        runs = lines[0][2:].split()[:1] in (["time"], ["timeit"], ["capture"])
        lines = ["", *lines[1:]] if runs else []
    return "\n".join(map(plain, lines))


def plain(line: str) -> str:
    """Return a line as Python has it."""
    if IPYTHONS(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    assigned = ASSIGNED(line)
    return f"{assigned[1]} None" if assigned else line
