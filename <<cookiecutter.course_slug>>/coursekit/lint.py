"""What a person should read in a student's cells: what honest work in this module has no need of.

It never changes a score. What the module's own cells do is allowed there: the same search goes
through them first. What runs unseen by a search through text, `inside/watch.py` sees.
"""

import ast
import builtins
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nbformat import NotebookNode

from coursekit import notebook
from coursekit.inside.compiling import without_magics

MOST = 10  # findings of one submission
LONG, LONGEST = 50_000, 400_000  # characters of a cell, of all cells: what takes a second or two
VALUE = "a value"  # what a name may well be bound to
COMPUTED = (ast.BinOp, ast.JoinedStr, ast.Call)
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
Finding = tuple[int, str]  # line, what
TOO_LONG = (1, "is too long to be searched")

FRAMES = {
    *("_getframe", "_current_frames", "_current_exceptions", "currentframe", "getouterframes"),
    *("getinnerframes", "walk_stack", "walk_tb", "extract_stack", "f_back", "f_locals"),
    *("f_globals", "f_builtins", "f_code", "tb_frame", "gi_frame", "cr_frame", "ag_frame"),
    *("gi_code", "cr_code", "co_consts", "co_code", "co_names", "capture_locals"),
    "_walk_tb_with_full_positions",
}
INSIDES = {
    *("__code__", "__globals__", "__closure__", "__builtins__", "__subclasses__", "__bases__"),
    *("__kwdefaults__", "__import__", "__loader__", "__spec__"),
    *("settrace", "setprofile", "addaudithook", "meta_path", "path_hooks", "set_threshold"),
    *("get_objects", "get_referrers", "get_referents"),
    *("displayhook", "excepthook", "unraisablehook", "seterrcall", "seterrobj"),
    *("pythonapi", "ctypeslib", "memmove", "from_address", "cdll", "CDLL", "string_at"),
    *("set_numeric_ops", "_set_numeric_ops", "set_string_function", "_exit"),
}
STAND_INS = {
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__del__", "__getattribute__"),
    *("__instancecheck__", "__subclasscheck__", "__array_ufunc__", "__array_function__"),
    *("__array_interface__", "__array_struct__", "__array_finalize__", "__set_name__"),
}
WORDS = dict.fromkeys(FRAMES, "reads frames") | dict.fromkeys(INSIDES, "reaches into the insides")
MODULES = {
    **dict.fromkeys(["ctypes", "_ctypes", "cffi", "builtins"], "looks inside"),
    **dict.fromkeys(["inspect.stack", "inspect.trace", "gc.callbacks"], "looks inside"),
    **dict.fromkeys(["importlib", "imp", "runpy", "code", "codeop", "marshal"], "runs other code"),
    **dict.fromkeys(["base64", "zlib", "codecs", "binascii"], "decodes something"),
    **dict.fromkeys(["unittest.mock", "mock", "forbiddenfruit", "test"], "replaces objects"),
    **dict.fromkeys(["subprocess", "multiprocessing", "pty", "posix", "shutil"], "leaves the cell"),
    **dict.fromkeys(["socket", "http", "urllib", "requests", "ftplib", "ssl"], "leaves the cell"),
    **dict.fromkeys(["threading", "_thread", "concurrent", "signal", "atexit"], "runs by itself"),
    **dict.fromkeys(["_signal", "sched", "faulthandler", "pdb", "bdb", "trace"], "runs by itself"),
}
CALLS = {"exec": "runs other code", "eval": "runs other code", "compile": "runs other code"}
TELLING = (
    *(ast.Name, ast.Attribute, ast.Constant, ast.Call, ast.Subscript, ast.BinOp),
    *(ast.Import, ast.ImportFrom, ast.ClassDef),
)
HANDED_ON = {"globals", "locals", "getattr", "setattr", "delattr"}  # unless they are just called
USES = ast.Compare, ast.keyword, ast.Subscript, ast.Attribute  # of globals(), on the spot
SEQUENCE, WORD = (ast.List, ast.Tuple), 100  # what join takes; longer than any name
GETTERS = {"attrgetter", "methodcaller"}
CALLBACKS = {"ref", "proxy", "finalize"}  # of weakref, with a function to be called at the end
WRITERS = {"update", "__setitem__", "setdefault", "pop", "clear"}
HARMLESS_OF_OS = {
    *("path", "getcwd", "chdir", "listdir", "mkdir", "makedirs"),
    *("sep", "cpu_count", "environ", "name", "linesep"),
}
READABLE = {"np", "numpy", "math", "operator", "plt", "Tensor"}  # getattr(np, name) is no secret


@dataclass(frozen=True)
class Module:
    """What the cells of a module's own notebook do."""

    imported: frozenset[str]
    allowed: frozenset[str]
    ours: dict[str, set[str]]  # functions, classes and modules that cells of ours bind, and how


def suspicions(nb: NotebookNode, source: NotebookNode) -> list[str]:
    """Return what is suspicious in the student's own cells: cell, line and what it is."""
    module = known(tuple((kind(cell), cell.source) for cell in code_cells(source)))
    modules, result, left = set(module.imported), [], LONGEST
    for number, cell in enumerate(nb.cells):
        if notebook.is_code(cell) and not notebook.meta(cell).get("locked"):
            name = notebook.grade_id(cell) or f"cell {number}"
            left -= len(cell.source)
            found = searched(cell.source, modules, module) if left > 0 else [TOO_LONG]
            lines = by_line(found, module.allowed)
            result += [f"{name}, line {line}: {', '.join(whats)}" for line, whats in lines]
    return result[:MOST] + ([f"and {len(result) - MOST} more"] if len(result) > MOST else [])


def searched(text: str, modules: set[str], module: Module) -> list[Finding]:
    """Return what is in one cell; the modules that it imports are added to these."""
    if len(text) > LONG:
        return [TOO_LONG]
    try:
        modules |= imports(text)
        return [*found_in(text, modules), *rebound(text, module.ours)]
    except RecursionError:
        return [(1, "is nested too deeply to be searched")]


def by_line(found: list[Finding], allowed: frozenset[str]) -> list[tuple[int, list[str]]]:
    """Return what was found and is not allowed, each thing once, by the lines of a cell."""
    first: dict[str, int] = {}
    for line, what in found:
        if what not in allowed:
            first.setdefault(what, line)
    lines: dict[int, list[str]] = {}
    for what, line in first.items():
        lines.setdefault(line, []).append(what)
    return sorted(lines.items())


def kind(cell: NotebookNode) -> str:
    """Tell what a cell of a module is: a solution, a test, or just provided."""
    if notebook.is_solution(cell):
        return "solution"
    return "test" if notebook.is_test(cell) else "provided"


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if notebook.is_code(cell)]


@lru_cache(maxsize=32)
def known(cells: tuple[tuple[str, str], ...]) -> Module:
    """Return what a module's own cells do, given as their kinds and texts."""
    modules = {name for _, text in cells for name in imports(text)}
    allowed = {what for _, text in cells for _, what in found_in(text, modules)}
    theirs = {name for kind, text in cells if kind == "solution" for name in bindings(text)}
    ours: dict[str, set[str]] = {}
    for kind, text in cells:  # what a test defines, it defines anew when it runs
        for version in (text, notebook.public(text)) if kind == "provided" else ():
            for name, (_, how) in bindings(version).items():
                if how != VALUE and name not in theirs:
                    ours.setdefault(name, set()).add(how)
    return Module(frozenset(modules), frozenset(allowed), ours)


@lru_cache(maxsize=8)
def parsed(text: str) -> ast.Module:
    """Return a cell's tree; an empty one if it is no Python, and so never runs."""
    for version in (text, without_magics(text)):
        try:
            with warnings.catch_warnings(action="ignore"):
                return ast.parse(version)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return ast.Module([], [])


@lru_cache(maxsize=8)
def by_kind(text: str) -> dict[type, list[ast.AST]]:
    """Return the nodes of a cell's tree by their classes."""
    found: dict[type, list[ast.AST]] = {}
    for node in ast.walk(parsed(text)):
        found.setdefault(type(node), []).append(node)
    return found


def nodes(text: str, *kinds: type) -> list:
    return [node for kind in kinds for node in by_kind(text).get(kind, ())]


def imports(text: str) -> set[str]:
    """Return the names that a cell binds to modules it imports, and other names for them."""
    names = [alias for node in nodes(text, ast.Import) for alias in node.names]
    found = {alias.asname or alias.name.partition(".")[0] for alias in names}
    for node in nodes(text, ast.Assign):
        if getattr(node.value, "id", "") in {*found, "np"}:
            found |= {n.id for target in node.targets for n in ast.walk(target) if is_stored(n)}
    return found


def found_in(text: str, modules: set[str]) -> list[Finding]:
    """Return everything in a cell that would be suspicious if the module did not do it itself."""
    found = []
    docstrings = {id(s.value) for s in nodes(text, ast.Expr) if is_text([s.value])}
    for node in nodes(text, *TELLING):
        if id(node) not in docstrings:
            found += [(node.lineno, what) for what in about(node, modules)]
    if any(word in text for word in (*HANDED_ON, "vars")):
        found += handed_on(text)
    return sorted(found)


def handed_on(text: str) -> Iterator[Finding]:
    """Yield functions such as getattr, and what globals() gives, that are not used on the spot."""
    calls, users = nodes(text, ast.Call), nodes(text, *USES)
    called = {id(s.func) for s in calls}
    used = {id(child) for s in users for child in ast.iter_child_nodes(s)}
    for node in nodes(text, ast.Name):
        if node.id in HANDED_ON and id(node) not in called:
            yield node.lineno, f"hands on {node.id}"
    for node in calls:
        whole = is_call(node, "globals", "locals") or (is_call(node, "vars") and not node.args)
        if whole and id(node) not in used:
            yield node.lineno, f"hands on {node.func.id}()"


def about(node: ast.AST, modules: set[str]) -> Iterator[str]:
    """Yield what is odd about one node of a tree."""
    match node:
        case ast.Name(id=name):
            yield from about_word(name)
        case ast.Import(names=names):
            yield from (what for alias in names for what in about_import(alias.name))
        case ast.ImportFrom(module=module, names=names):
            for alias in names:
                yield from about_import(f"{module}.{alias.name}")
                yield from about_word(alias.name)
        case ast.Attribute():
            yield from about_attribute(node, modules)
        case ast.Constant(value=str(text)):
            yield from about_word(text)
            if text in STAND_INS:
                yield f"names {text} in a string"
        case ast.Call():
            yield from about_call(node, modules)
            if text := folded(node):
                yield from about(ast.Constant(text), modules)
        case ast.ClassDef(body=body, bases=bases):
            texts = {"__contains__"} if any(root_of(base) == "str" for base in bases) else set()
            odd = own_names(body) & (STAND_INS | texts)
            yield from (f"defines {name} in a class" for name in odd)
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            if is_namespace(owner, modules):
                yield f"writes into {ast.unparse(owner)}"
        case ast.Subscript(value=ast.Constant(value=str()), slice=ast.Slice(step=ast.UnaryOp())):
            yield "reads a text backwards"
        case ast.BinOp() if text := folded(node):
            yield from about(ast.Constant(text), modules)
        case ast.BinOp(left=left, right=right):
            if any(is_call(side, "id") for side in (left, right)):
                yield "computes with an address in memory (id)"


@lru_cache(maxsize=4096)  # a chain is asked for at each of its links
def folded(node: ast.AST) -> str:
    """Return the short text that constants make when they are added up or joined; "" if none."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "join":
        parts = node.args[0].elts if node.args and isinstance(node.args[0], SEQUENCE) else []
        glue, texts = folded(node.func.value), [folded(part) for part in parts]
        return glue.join(texts) if sum(map(len, texts)) < WORD else ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = folded(node.left), folded(node.right)
        return left + right if left and right and len(left + right) < WORD else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def about_word(word: str) -> Iterator[str]:
    if word in WORDS:
        yield f"{WORDS[word]} ({word})"


def about_import(name: str) -> Iterator[str]:
    """Yield what is odd about importing a module, or a name from it."""
    root, _, rest = name.partition(".")
    if root == "os" and rest and rest.partition(".")[0] not in HARMLESS_OF_OS:
        yield f"leaves the cell ({name})"
    for known in {root, name, ".".join(name.split(".")[:2])} & MODULES.keys():
        yield f"{MODULES[known]} (import {known})"


def about_attribute(node: ast.Attribute, modules: set[str]) -> Iterator[str]:
    """Yield what is odd about reading, setting or deleting an attribute."""
    owner = root_of(node.value)
    dotted = f"{owner}.{node.attr}" if isinstance(node.value, ast.Name) else ""
    yield from about_word(node.attr)
    if dotted.startswith("os.") and node.attr not in HARMLESS_OF_OS:
        yield f"leaves the cell ({dotted})"
    if dotted in ("sys.modules", "sys.monitoring") or dotted in MODULES:
        yield f"looks inside ({dotted})"
    sets = not isinstance(node.ctx, ast.Load)
    if sets and (owner in modules or node.attr in STAND_INS | {"__class__"}):
        yield f"sets {ast.unparse(node)}"


def about_call(node: ast.Call, modules: set[str]) -> Iterator[str]:
    """Yield what is odd about a call."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    first = node.args[0] if node.args else None
    owner = root_of(first) if first is not None else ""
    if name in CALLS:
        yield f"{CALLS[name]} ({name})"
    elif name in ("setattr", "delattr") and owner in modules:
        yield f"sets {ast.unparse(first)}.…"
    elif name == "delattr" and not is_text(node.args[1:2]):
        yield "computes the name of an attribute to delete"
    elif getattr(node.func, "attr", name) in CALLBACKS and len(node.args) > 1:
        yield "runs by itself (a callback of weakref)"
    elif name == "getattr" and owner in modules - READABLE and not is_text(node.args[1:2]):
        yield f"computes the name of an attribute of {owner}"
    elif name == "getattr" and isinstance(node.args[1:2] and node.args[1], COMPUTED):
        yield f"computes the name of an attribute ({ast.unparse(node)[:40]})"
    elif "approx" in (name, getattr(node.func, "attr", "")) and any(map(is_wide, node.keywords)):
        yield f"is equal to anything ({ast.unparse(node)[:40]})"
    elif getattr(node.func, "attr", name) in GETTERS and not is_text(node.args[:1]):
        yield "computes the name of an attribute"
    elif name == "open" and not is_own_file(first):
        yield "opens a file (open)"
    elif name == "vars" and owner in modules:
        yield f"reaches into the insides ({ast.unparse(node)})"
    elif getattr(node.func, "attr", "") in WRITERS and is_namespace(node.func.value, modules):
        yield f"writes into {ast.unparse(node.func.value)}"


def own_names(body: list[ast.stmt]) -> set[str]:
    """Return the names that a class's body defines or sets."""
    found = set()
    for statement in body:
        if isinstance(statement, FUNCTION):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            none = isinstance(statement.value, ast.Constant) and statement.value.value is None
            found |= set() if none else {n.id for n in ast.walk(statement) if is_stored(n)}
    return found


def is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def root_of(node: ast.AST) -> str:
    """Return the name that a chain of attributes starts from: np of np.linalg.norm."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def is_call(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def is_namespace(node: ast.AST, modules: set[str]) -> bool:
    """Tell whether this is a dictionary of names: globals(), vars(np), np.__dict__, sys.modules."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("__dict__", "modules") and root_of(node) in modules
    return is_call(node, "globals", "locals") or (
        is_call(node, "vars") and bool(node.args) and root_of(node.args[0]) in modules
    )


def is_wide(keyword: ast.keyword) -> bool:
    """Tell whether a tolerance is not written as a small number."""
    value = getattr(keyword.value, "value", None)
    return keyword.arg in ("abs", "rel") and not (isinstance(value, float) and value <= 0.1)


def is_text(nodes: list[ast.expr]) -> bool:
    return bool(nodes) and isinstance(nodes[0], ast.Constant)


def is_own_file(node: ast.AST | None) -> bool:
    """Tell whether this is the plain name of a file beside the notebook."""
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and not text.startswith(("/", "~")) and ".." not in text


def rebound(text: str, ours: dict[str, set[str]]) -> Iterator[Finding]:
    """Yield the functions and modules of ours, and the built-ins, that a cell replaces."""
    for name, (line, how) in bindings(text).items():
        if how != VALUE and (how not in ours[name] if name in ours else hasattr(builtins, name)):
            yield line, f"replaces {name}"


def bindings(text: str) -> dict[str, tuple[int, str]]:
    """Return the names that a cell binds at its outermost level, where, and to what."""
    found: dict[str, tuple[int, str]] = {}
    lines = text.splitlines()
    declared = {name for node in nodes(text, ast.Global) for name in node.names}
    for node in outermost(parsed(text)):
        if isinstance(node, FUNCTION | ast.ClassDef):
            if not node.decorator_list:  # add_to_class takes it away
                found[node.name] = node.lineno, "".join(lines[node.lineno - 1 : node.end_lineno])
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", "")
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found[name] = node.lineno, f"import {module} {alias.name}"
        elif isinstance(node, ast.Assign):
            how = "a function" if isinstance(node.value, ast.Lambda) else VALUE
            stored = (n.id for target in node.targets for n in ast.walk(target) if is_stored(n))
            found |= dict.fromkeys(stored, (node.lineno, how))
    within = nodes(text, ast.Name) if declared else []
    stored = (node for node in within if is_stored(node) and node.id in declared)
    return found | {node.id: (node.lineno, "in a function") for node in stored}


def outermost(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a tree that are not in a function or a class."""
    waiting = deque([tree])
    while waiting:
        for child in ast.iter_child_nodes(waiting.popleft()):
            if not isinstance(child, ast.expr):
                yield child
                if not isinstance(child, FUNCTION | ast.ClassDef):
                    waiting.append(child)
