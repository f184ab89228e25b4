"""What tests rely on, put back before each of them: functions, modules and classes that are ours.

A student's code can reach every object of its process. So what the tests call is remembered before
any of that code runs, and restored when a test's turn comes. Afterwards one looks again: what a
test's own run changed comes too late to be put back, but not to be told.

There is no class here, because `object.__subclasses__()` would show it to a student's code.
"""

import _signal
import _thread
import builtins
import gc
import operator
import signal
import sys
import time
import types

import watch

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

OURS = types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type
LIBRARIES = frozenset(
    {"numpy", "math", "operator", "functools", "itertools", "timeit", "time", "types", "copy"}
    | {"collections", "contextlib"}
)
BUILT_IN = object, type, int, float, complex, str, bytes, list, tuple, dict, set, frozenset
COMPARISONS = ("__eq__", "__ne__", "__lt__", "__gt__", "__le__", "__ge__")
STAND_INS = frozenset({*COMPARISONS, "__instancecheck__", "__subclasscheck__", "__array_ufunc__"})
OPERATORS = (*COMPARISONS, "__bool__", "__array__")
# What changes by itself: the import system's notes, and attributes of classes that are caches.
VOLATILE = frozenset({"__builtins__", "_", "__warningregistry__", "__annotations_cache__"})

settrace, setprofile, getprofile = sys.settrace, sys.setprofile, sys.getprofile
modules, true_builtins = sys.modules, vars(builtins)
count_threads, sleep = _thread._count, time.sleep
set_signal, get_signal, set_timer = _signal.signal, _signal.getsignal, _signal.setitimer
subclasses, referents, identical = type.__subclasses__, gc.get_referents, operator.is_
MISSING = object()


def remember(packages: list) -> types.SimpleNamespace:
    """Return the state of the libraries and of the reference's packages."""
    kept = types.SimpleNamespace(owners=[], loaded={}, classes=[], names={}, code={})
    kept.allowed, kept.own_builtins = frozenset(), __builtins__
    keep_owner(kept, "builtins", true_builtins)
    for name, module in list(modules.items()):
        root = name.partition(".")[0]
        if root in LIBRARIES or root in packages:
            kept.loaded[name] = module
            keep_owner(kept, name, vars(module))
            keep_functions(kept, vars(module), classes=root in packages)
    keep_types(kept)
    return kept


def keep_owner(kept, name: str, attributes: dict) -> None:
    saved = {**attributes}
    kept.owners.append((name, attributes, saved, [*saved.values()]))


def keep_functions(kept, attributes: dict, *, classes: bool) -> None:
    """Remember the code of the functions among these, and all of the classes if wanted."""
    for value in list(attributes.values()):
        if type(value) is types.FunctionType:
            keep_code(kept, value)
        elif classes and type(value) is type:
            kept.classes.append((value, {**vars(value)}))
            keep_functions(kept, vars(value), classes=False)


def keep_code(kept, fn: types.FunctionType) -> None:
    kept.code[id(fn)] = fn, fn.__code__, fn.__defaults__, fn.__kwdefaults__


def keep_types(kept) -> None:
    """Remember the methods of built-in types, and which subclasses they have."""
    np = modules["numpy"]
    for cls in (*BUILT_IN, np.ndarray, np.generic):
        keep_owner(kept, cls.__name__, referents(vars(cls))[0])
    roots = (*BUILT_IN, np.ndarray, np.generic, np.number, np.floating, np.float64)
    kept.subclasses = [(root, subclasses(root)) for root in roots]


def begin(kept, allowed: list, bound: list) -> None:
    """Remember the rest, in the student's own process, just before code of theirs runs."""
    kept.allowed, kept.bound = frozenset(allowed), frozenset(bound)
    kept.handlers = [(number, get_signal(number)) for number in signal.valid_signals()]
    kept.lists = [(owner, [*owner]) for owner in (sys.meta_path, sys.path_hooks, gc.callbacks)]
    kept.threads = count_threads()


def learn(kept, namespace: dict, names: list) -> None:
    """Remember what a cell of ours has just bound."""
    for name in names:
        value = namespace.get(name)
        if isinstance(value, OURS):
            kept.names[name] = value
        if type(value) is types.FunctionType:
            keep_code(kept, value)


def put_back(kept, namespace: dict) -> list:
    """Restore everything; return the names of what was not as it should be."""
    profiled = getprofile()
    settrace(None)
    setprofile(None)
    found = ["the profile function"] if type(profiled) is types.FunctionType else []
    for name, attributes, saved, values in kept.owners:
        if not same(attributes.values(), values):
            found += [f"{name}.{key}" for key in restore(attributes, saved)]
    found += [*code(kept), *loaded(kept), *classes(kept), *names(kept, namespace)]
    return found + hooks(kept)


def same(now, before: list) -> bool:
    """Tell whether these are the very same objects. Fast; calls nothing, and tells no watch."""
    return len(now) == len(before) and all(map(identical, now, before))


def restore(attributes: dict, saved: dict) -> list:
    """Restore a module's attributes; return the names of those that were others."""
    found = only_strings(attributes)
    for name, value in saved.items():
        if attributes.get(name, MISSING) is not value and name not in VOLATILE:
            attributes[name] = value
            found.append(name)
    return found


def only_strings(names: dict) -> list:
    """Drop keys that are no true strings: one that equals a name when it likes is no name."""
    if all(type(name) is str for name in names):
        return []
    true = [(name, value) for name, value in names.items() if type(name) is str]
    names.clear()
    names.update(true)
    return ["a name that is no string"]


def code(kept) -> list:
    """Give functions of ours back the code that somebody changed: the watch saw which."""
    found, changed = [], [*watch.touched]
    for fn in changed:
        true = kept.code.get(id(fn))
        if true:
            fn.__code__, fn.__defaults__, fn.__kwdefaults__ = true[1:]
            found.append(f"the code of {fn.__name__}")
    watch.touched.clear()
    return found


def loaded(kept) -> list:
    found = only_strings(modules)
    for name, module in kept.loaded.items():
        if modules.get(name) is not module:
            modules[name] = module
            found.append(f"sys.modules[{name!r}]")
    return found


def classes(kept) -> list:
    found = []
    for cls, saved in kept.classes:
        now = vars(cls)
        for name, value in saved.items():
            if now.get(name) is not value and name not in kept.allowed | VOLATILE:
                setattr(cls, name, value)
                found.append(f"{cls.__name__}.{name}")
        for name in OPERATORS:
            if name in now and name not in saved and name not in kept.allowed:
                delattr(cls, name)
                found.append(f"{cls.__name__}.{name}")
    return found


def names(kept, namespace: dict) -> list:
    """Put back the names that our cells bound, and drop callables that shadow a built-in.

    Who happens to call a list of theirs as a function of ours is called changes no verdict.
    """
    found = only_strings(namespace)
    if namespace.get("__builtins__") is not builtins:
        namespace["__builtins__"] = builtins
        found.append("__builtins__")
    for name, value in kept.names.items():
        now = namespace.get(name)
        if now is not value:
            namespace[name] = value
            odd = (callable(now) or isinstance(now, OURS)) and not starred(kept, name, now)
            found += [name] if odd else []
    for name in [n for n in namespace if n in kept.own_builtins and n[:2] != "__"]:
        known = name in kept.names or method(kept, name, namespace)
        if not known and callable(namespace[name]):
            found += [] if starred(kept, name, namespace.pop(name)) else [name]
    return found


def method(kept, name: str, namespace: dict) -> bool:
    """Tell whether a name is what a solution leaves behind that attaches `sum` to the Tensor."""
    cls = namespace.get("Tensor")
    return name in kept.bound and type(cls) is type and vars(cls).get(name) is namespace[name]


def starred(kept, name: str, value: object) -> bool:
    """Tell whether `from numpy import *` or `from math import *` gives just this."""
    return any(vars(kept.loaded[library]).get(name) is value for library in ("numpy", "math"))


def hooks(kept) -> list:
    """Take away what would run by itself while a test does."""
    found = []
    for owner, saved in kept.lists:
        if not same(owner, saved):
            owner[:] = saved
            found.append("a hook of the interpreter")
    return found


def quiet(kept) -> list:
    """Take away what would run by itself between cells: signal handlers, timers; name threads."""
    for timer in (_signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF):
        set_timer(timer, 0)
    changed = [(n, handler) for n, handler in kept.handlers if get_signal(n) is not handler]
    for number, handler in changed:
        set_signal(number, handler)
    for _ in range(20):  # a timer of matplotlib's, cancelled, needs a moment to end
        if count_threads() <= kept.threads:
            break
        sleep(0.005)
    else:
        return [*(["a signal handler"] if changed else []), "a thread that still runs"]
    return ["a signal handler"] if changed else []


def stand_ins(kept) -> list:
    """Return the new classes of theirs whose objects decide themselves what they are equal to."""
    found = []
    for root, known in kept.subclasses:
        for cls in subclasses(root)[len(known) :]:  # in the order in which they were made
            known.append(cls)
            kept.subclasses.append((cls, []))  # the loop comes to it, too
            mine = vars(cls)
            made = "__dataclass_fields__" in mine  # methods that dataclasses compiled
            odd = [n for n in STAND_INS if n in mine and watch.is_theirs(mine[n], made)]
            odd += ["__contains__"] if root is str and "__contains__" in mine else []
            if odd and (cls.__name__ != "Tensor" or kept.names.get("Tensor") is not cls):
                found.append(f"the class {cls.__name__}, with an {min(odd)} of its own")
    return found
