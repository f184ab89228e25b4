"""What tests rely on, put back before each: provided names, built-ins, NumPy, the reference.

Mostly this mends accidents: a student who calls a variable `check`, or leaves NumPy shouting. Who
wants to deceive a test has other ways in the same process; decoys tell of them.
"""

import builtins
import sys
import types
from collections.abc import Iterable

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

LIBRARIES = ("builtins", "math", "operator", "numpy", "numpy.linalg", "numpy.random", "numpy.fft",
             "numpy.testing")  # fmt: skip
OURS = types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type
# What changes by itself: the import system's notes, and attributes of classes that are caches.
VOLATILE = frozenset({"__builtins__", "_", "__warningregistry__", "__annotations_cache__"})
# Provided cells and tests mean Python's own `abs` by this name, whatever a student's code calls so.
OWN_BUILTINS = {f"{name} (built-in)": value for name, value in vars(builtins).items()}


def remember(reference: list) -> types.SimpleNamespace:
    """Return the state of the libraries and of the reference before any student's code runs."""
    kept = types.SimpleNamespace(namespaces=[], classes=[], names={}, code=[])
    kept.modules = {name: sys.modules[name] for name in (*LIBRARIES, *reference)}
    for module in map(vars, kept.modules.values()):
        lasting = {name: value for name, value in module.items() if name not in VOLATILE}
        kept.namespaces.append((module, lasting))
    packages = [vars(kept.modules[name]) for name in reference]
    for value in [value for package in packages for value in package.values()]:
        keep_code(kept, value)
        if type(value) is type:
            kept.classes.append((value, {**vars(value)}))
    kept.errors = kept.modules["numpy"].geterr()
    kept.attributes = frozenset()  # filled in by the job
    kept.test, kept.warned, kept.loud = "", {}, False  # see `warn_again`
    return kept


def keep_code(kept, value: object) -> None:
    """Remember what a function does; its name alone is not enough."""
    if type(value) is types.FunctionType:
        kept.code.append((value, value.__code__, value.__defaults__, value.__kwdefaults__))


def learn(kept, namespace: dict, names: Iterable) -> None:
    """Remember what a provided cell has just bound."""
    for name in names:
        value = namespace.get(name)
        keep_code(kept, value)
        if isinstance(value, OURS):
            kept.names[name] = value


def put_back(kept, namespace: dict) -> None:
    """Restore all of it."""
    sys.settrace(None)
    sys.setprofile(None)
    for attributes, saved in kept.namespaces:
        attributes.update(saved)
    sys.modules.update(kept.modules)
    for cls, saved in kept.classes:
        now = vars(cls)
        for name, value in saved.items():
            if now.get(name) is not value and name not in kept.attributes | VOLATILE:
                setattr(cls, name, value)
    for function, code, defaults, keyword_defaults in kept.code:
        if function.__code__ is not code:
            function.__code__ = code
        if function.__defaults__ is not defaults or function.__kwdefaults__ is not keyword_defaults:
            function.__defaults__, function.__kwdefaults__ = defaults, keyword_defaults
    numpy = kept.modules["numpy"]
    if numpy.geterr() != kept.errors:
        numpy.seterr(**kept.errors)
    namespace.update(kept.names, __builtins__=builtins, **OWN_BUILTINS)


def warn_again(kept, test: str) -> None:
    """Let each run of a test warn as its only run would: Python shows a warning once, then not."""
    modules = [m for m in [*sys.modules.values()] if type(m) is types.ModuleType]
    for registry in [m.__warningregistry__ for m in modules if "__warningregistry__" in vars(m)]:
        seen, before = kept.warned.setdefault(id(registry), ({}, {}))
        seen.update(registry)
        if test != kept.test:
            before.update(seen)
        registry.clear()
        registry.update(before)
