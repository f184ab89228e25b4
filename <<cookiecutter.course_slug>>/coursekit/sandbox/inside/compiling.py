"""Compiles a cell as IPython does. The grader compiles what is provided, the student's process the
student's. What is compiled already saves each submission a quarter of its time.
"""

import ast
import builtins
import re

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

# export.py has these, too. But read in this process, a long cell costs its student's own time.
MAGIC = re.compile(
    r"^(\s*)(%{1,2}[A-Za-z_].*|!.*|\?{1,2}[\w.*]+[^\S\n]*|[\w.*]+\?{1,2}[^\S\n]*)$", re.MULTILINE
)
ASSIGNED = re.compile(r"^(\s*\w+\s*=)\s*[%!].*$", re.MULTILINE)
# Cell magics below which stands something else.
NO_PYTHON = re.compile(
    "%%(bash|cmd|file|html|javascript|js|latex|markdown|perl|ruby|script|sh|sql|svg|sx|system"
    r"|writefile)(\s|$)"
)

Expr, Expression, AST_ONLY = ast.Expr, ast.Expression, ast.PyCF_ONLY_AST
# The compiler looks for super itself; __name__ is a module's own.
BUILT_IN = frozenset(name for name in vars(builtins) if name[0] != "_") - {"super"}


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
    if tree.body and isinstance(tree.body[-1], Expr) and not source.rstrip().endswith(";"):
        last = compile(Expression(tree.body.pop().value), filename, "eval", optimize=0)
    return compile(tree, filename, "exec", optimize=0), last  # tests assert also under python -O


def mean_built_ins(tree: ast.Module, binds: frozenset) -> None:
    """Rename built-ins where a cell uses them, unless it, or the module, binds such a name."""
    used, own = [], {*binds}
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Load()):
                used.append(node)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=name):
                own.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
            case ast.alias():
                own.add(node.asname or node.name)
    foreign = BUILT_IN - own
    for node in used:
        if node.id in foreign:
            node.id = f"{node.id} (built-in)"


def without_magics(source: str) -> str:
    """Make IPython's magics, shell lines and questions do nothing; %%time and such run their cell.

    What they would have been assigned to is None.
    """
    if NO_PYTHON.match(source):
        return ""
    return ASSIGNED.sub(r"\1 None", MAGIC.sub(r"\1pass", source))
