"""What tests rely on, put back before each of them: functions, modules and classes that are ours.

A student's code can reach every object of its process. So what the tests call is remembered before
any of that code runs, and restored when a test's turn comes.
"""

import builtins
import sys
import threading
import types

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

OURS = types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type
LIBRARIES = ("numpy", "math", "operator", "functools", "itertools", "timeit", "time", "types")
COMPARISONS = ("__eq__", "__ne__", "__bool__", "__lt__", "__gt__", "__le__", "__ge__", "__array__")
settrace, setprofile = sys.settrace, sys.setprofile
modules, true_builtins, count_threads = sys.modules, vars(builtins), threading.active_count


class Guard:
    """Remembers the state of modules and names; `put_back` restores it and says what it found."""

    def __init__(self, package: str, allowed: list) -> None:
        self.package, self.allowed = package, frozenset(allowed)
        self.names, self.functions, self.classes = {}, [], []
        self.owners = [("builtins", true_builtins, {**true_builtins})]
        self.loaded = {}
        for name, module in list(modules.items()):
            root = name.partition(".")[0]
            if root in LIBRARIES or root == package:
                self.remember(name, module)
        self.own_builtins = __builtins__

    def remember(self, name: str, module: types.ModuleType) -> None:
        """Remember a module's attributes; of the reference package also those of its classes."""
        saved = {**vars(module)}
        self.owners.append((name, vars(module), saved))
        self.loaded[name] = module
        for value in saved.values():
            if type(value) is types.FunctionType:
                self.remember_code(value)
            elif name.startswith(self.package) and type(value) is type:
                self.remember_class(value)

    def remember_code(self, fn: types.FunctionType) -> None:
        self.functions.append((fn, fn.__code__, fn.__defaults__, fn.__kwdefaults__))

    def remember_class(self, cls: type) -> None:
        saved = {**vars(cls)}
        self.classes.append((cls, saved))
        for value in saved.values():
            if type(value) is types.FunctionType:
                self.remember_code(value)

    def learn(self, namespace: dict, names: list) -> None:
        """Remember what a cell of ours has just bound."""
        for name in names:
            value = namespace.get(name)
            if isinstance(value, OURS):
                self.names[name] = value
            if type(value) is types.FunctionType:
                self.remember_code(value)

    def put_back(self, namespace: dict) -> list:
        """Restore everything; return the names of what was not as it should be."""
        settrace(None)
        setprofile(None)
        found = [*self.modules(), *self.code(), *self.attributes(), *self.namespace(namespace)]
        if count_threads() > 1:
            found.append("a thread that still runs")
        return found

    def modules(self) -> list:
        found = []
        for module, attributes, saved in self.owners:
            for name, value in saved.items():
                if attributes.get(name, self) is not value and name not in VOLATILE:
                    attributes[name] = value
                    found.append(f"{module}.{name}")
        for name, module in self.loaded.items():
            if modules.get(name) is not module:
                modules[name] = module
                found.append(f"sys.modules[{name!r}]")
        return found

    def code(self) -> list:
        found = []
        for fn, code, defaults, kwdefaults in self.functions:
            if fn.__code__ is not code or fn.__defaults__ is not defaults:
                fn.__code__, fn.__defaults__, fn.__kwdefaults__ = code, defaults, kwdefaults
                found.append(f"the code of {fn.__name__}")
        return found

    def attributes(self) -> list:
        found = []
        for cls, saved in self.classes:
            now = vars(cls)
            for name, value in saved.items():
                if now.get(name) is not value and name not in self.allowed | VOLATILE:
                    setattr(cls, name, value)
                    found.append(f"{cls.__name__}.{name}")
            for name in COMPARISONS:
                if name in now and name not in saved and name not in self.allowed:
                    delattr(cls, name)
                    found.append(f"{cls.__name__}.{name}")
        return found

    def namespace(self, namespace: dict) -> list:
        """Put back the names that our cells bound, and drop callables that shadow a built-in."""
        found = []
        if namespace.get("__builtins__") is not builtins:
            namespace["__builtins__"] = builtins
            found.append("__builtins__")
        for name, value in self.names.items():
            if namespace.get(name, self) is not value:
                namespace[name] = value
                found.append(name)
        for name in [n for n in namespace if n in self.own_builtins and n[:2] != "__"]:
            if name not in self.names and name not in self.allowed and callable(namespace[name]):
                del namespace[name]
                found.append(name)
        return found


# What changes by itself: the import system's notes, and attributes of classes that are caches.
VOLATILE = frozenset({"__builtins__", "_", "__warningregistry__", "__annotations_cache__"})
