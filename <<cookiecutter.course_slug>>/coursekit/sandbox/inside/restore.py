"""What tests rely on, put back before each: provided names, built-ins, NumPy, the reference.

Mostly this mends accidents: a student who calls a variable `check`, or leaves NumPy shouting. Who
wants to deceive a test has other ways in the same process; decoys tell of them.
"""

import builtins
import operator
import sys
import types

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

LIBRARIES = ("builtins", "math", "operator", "numpy", "numpy.linalg", "numpy.random", "numpy.fft",
             "numpy.testing")  # fmt: skip
OURS = types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type
# What changes by itself: the import system's notes, and attributes of classes that are caches.
VOLATILE = frozenset({"__builtins__", "_", "__warningregistry__", "__annotations_cache__"})
# Provided cells and tests mean Python's own `abs` by this name, whatever a student's code calls so.
OWN_BUILTINS = {f"{name} (built-in)": value for name, value in vars(builtins).items()}
MISSING = object()


def remember(reference: list) -> types.SimpleNamespace:
    """Return the state of the libraries and of the reference before any student's code runs."""
    kept = types.SimpleNamespace(namespaces=[], modules={}, classes=[], names={}, code=[])
    packages = [vars(sys.modules[name]) for name in reference]
    kept.registries = [package.setdefault("__warningregistry__", {}) for package in packages]
    for name in (*LIBRARIES, *reference):
        module = sys.modules[name]
        kept.modules[name] = module
        kept.namespaces.append((vars(module), {**vars(module)}, [*vars(module).values()]))
        if name in reference:
            keep_definitions(kept, vars(module))
    kept.errors = sys.modules["numpy"].geterr()
    kept.attributes = frozenset()  # filled in by the job
    kept.test, kept.warned = "", {}  # see `warn_again`
    return kept


def keep_definitions(kept, namespace: dict) -> None:
    """Remember what the reference's classes hold, and the code of its functions."""
    for value in [*namespace.values()]:
        if type(value) is types.FunctionType:
            keep_code(kept, value)
        elif type(value) is type:
            kept.classes.append((value, {**vars(value)}))


def keep_code(kept, function: types.FunctionType) -> None:
    kept.code.append((function, function.__code__, function.__defaults__, function.__kwdefaults__))


def learn(kept, namespace: dict, names: list) -> None:
    """Remember what a provided cell has just bound."""
    for name in names:
        value = namespace.get(name)
        if isinstance(value, OURS):
            kept.names[name] = value
        if type(value) is types.FunctionType:
            keep_code(kept, value)


def put_back(kept, namespace: dict) -> None:
    """Restore all of it."""
    sys.settrace(None)
    sys.setprofile(None)
    for attributes, saved, values in kept.namespaces:
        if not same(attributes.values(), values):
            restore(attributes, saved)
    sys.modules.update(kept.modules)
    for cls, saved in kept.classes:
        now = vars(cls)
        for name, value in saved.items():
            if now.get(name) is not value and name not in kept.attributes | VOLATILE:
                setattr(cls, name, value)
    for function, code, defaults, keyword_defaults in kept.code:
        if function.__code__ is not code:
            function.__code__ = code
        function.__defaults__, function.__kwdefaults__ = defaults, keyword_defaults
    numpy = kept.modules["numpy"]
    if numpy.geterr() != kept.errors:
        numpy.seterr(**kept.errors)
    namespace.update(kept.names, __builtins__=builtins, **OWN_BUILTINS)


def warn_again(kept, namespace: dict, test: str) -> None:
    """Let each run of a test warn as its only run would: Python shows a warning once, then not."""
    for registry in (namespace.setdefault("__warningregistry__", {}), *kept.registries):
        seen, before = kept.warned.setdefault(id(registry), ({}, {}))
        seen.update(registry)
        if test != kept.test:
            before.update(seen)
        registry.clear()
        registry.update(before)
    kept.test = test


def put_back_builtins(kept) -> None:
    restore(*kept.namespaces[0][:2])


def same(now, before: list) -> bool:
    """Tell whether these are the very same objects; fast, and calls nothing of theirs."""
    return len(now) == len(before) and all(map(operator.is_, now, before))


def restore(attributes: dict, saved: dict) -> None:
    for name, value in saved.items():
        if attributes.get(name, MISSING) is not value and name not in VOLATILE:
            attributes[name] = value
