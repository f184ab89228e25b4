"""Compiles a cell as IPython does. The grader compiles what is provided, the student's process the
student's. What is compiled already saves each submission a quarter of its time.
"""

import ast
import builtins
import marshal
import re

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

# `%magic`, `!command`, `name?` and `?name`; and what `name = !command` sets.
IPYTHONS = re.compile(r"\s*(%{1,2}[A-Za-z_]|!|\?{1,2}[\w.*]+\s*$|[\w.*]+\?{1,2}\s*$)").match
ASSIGNED = re.compile(r"(\s*\w+\s*=)\s*[%!]").match
# Cell magics below which stands something else.
NO_PYTHON = frozenset({"bash", "cmd", "file", "html", "javascript", "js", "latex", "markdown",
                       "perl", "ruby", "script", "sh", "sql", "svg", "sx", "system",
                       "writefile"})  # fmt: skip

Expr, Expression, AST_ONLY = ast.Expr, ast.Expression, ast.PyCF_ONLY_AST
BUILT_IN = frozenset(vars(builtins)) - {"super"}  # which the compiler itself looks for


def packed(source: str, filename: str, binds: tuple[str, ...]) -> bytes:
    """Return a provided cell, compiled; b"" if it cannot be, which is then to be told."""
    try:
        return marshal.dumps(compiled(source, filename, frozenset(binds)))
    except (SyntaxError, ValueError):
        return b""


def compiled(source: str, filename: str, binds: frozenset | None = None) -> tuple:
    """Return a cell's code, and that of its last line's value, which is shown; `;` hides it.

    With the names that a module `binds`, all other names of built-ins mean Python's own.
    """
    try:
        tree = compile(source, filename, "exec", AST_ONLY)
    except SyntaxError:
        tree = compile(without_magics(source), filename, "exec", AST_ONLY)
    if binds is not None:
        mean_built_ins(tree, binds)
    last = None
    if tree.body and isinstance(tree.body[-1], Expr):
        value = tree.body.pop().value
        if source.rstrip()[-1:] == ";":
            tree.body.append(Expr(value, lineno=value.lineno, col_offset=value.col_offset))
        else:
            last = compile(Expression(value), filename, "eval")
    return compile(tree, filename, "exec"), last


def mean_built_ins(tree: ast.Module, binds: frozenset) -> None:
    """Rename built-ins where a cell uses them, unless it, or the module, binds such a name."""
    used, own = [], {*binds}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                used.append(node)
            else:
                own.add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler)):
            own.add(node.name)
        elif isinstance(node, ast.alias):
            own.add(node.asname or node.name)
    foreign = BUILT_IN - own
    for node in used:
        if node.id in foreign:
            node.id = f"{node.id} (built-in)"


def without_magics(source: str) -> str:
    """Make IPython's magics, shell lines and questions do nothing; %%time and such run their cell.

    What they would have been assigned to is None.
    """
    lines = source.split("\n")
    if lines[0][:2] == "%%":
        other = (lines[0][2:].split() or [""])[0] in NO_PYTHON
        lines = [] if other else ["", *lines[1:]]
    return "\n".join(map(plain, lines))


def plain(line: str) -> str:
    """Return a line as Python has it."""
    if IPYTHONS(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    assigned = ASSIGNED(line)
    return f"{assigned[1]} None" if assigned else line
