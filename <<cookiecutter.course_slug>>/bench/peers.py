"""Who is timed: the reference framework, PyTorch, HIPS autograd, and NumPy by hand."""

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bench.sources import write_package
from coursekit.course import Course

Step = Callable[[object, object], None]  # of images and labels, as a peer's `constant` makes them


def framework(course: Course, folder: Path) -> SimpleNamespace:
    """Return every public name of the reference framework, which is written into the folder.

    Not the functions that became methods of a class: one may be called like a function elsewhere.
    """
    sys.path.insert(0, str(write_package(course, "~", folder)))  # "~": all modules
    names = {}
    for module in course.modules():
        found = vars(importlib.import_module(f"{course.package}.{module.stem}"))
        names |= {name: value for name, value in found.items() if not is_method(value)}
    return SimpleNamespace(**names)


def is_method(value: object) -> bool:
    """Tell whether this is a function whose first argument is called self."""
    names = inspect.signature(value).parameters if inspect.isfunction(value) else ()
    return next(iter(names), "") == "self"


def installed(f: SimpleNamespace) -> list:
    """Return our framework and those of its peers that are installed."""
    methods = {name: getattr(f.Tensor, name) for name in dir(f.Tensor) if name[0] != "_"}
    functions = SimpleNamespace(**vars(f) | methods)
    peers = [Eager("ours", f, functions, lambda a: f.Tensor(a, a.dtype))]
    with contextlib.suppress(ModuleNotFoundError):
        import torch

        torch.set_num_threads(1)
        names = SimpleNamespace(**vars(torch.nn) | vars(torch.optim), manual_seed=torch.manual_seed)
        functions = SimpleNamespace(**vars(torch) | {"max": torch.amax, "min": torch.amin})
        peers.append(Eager("PyTorch", names, functions, torch.tensor))
    with contextlib.suppress(ModuleNotFoundError):
        peers.append(Autograd())
    return peers


# --- frameworks whose tensors record what is done to them ---


def network(f: SimpleNamespace, sizes: tuple[int, ...]):
    """Return the MLP with two hidden layers as a model of ours or of PyTorch."""
    f.manual_seed(1)
    n, m, k, classes = sizes
    return f.Sequential(f.Linear(n, m), f.ReLU(), f.Linear(m, k), f.ReLU(), f.Linear(k, classes))


def with_framework(f: SimpleNamespace, optimizer: str, model, lr: float) -> Step:
    """Return a training step with ours or with PyTorch: it is the same text."""
    criterion, chosen = f.CrossEntropyLoss(), getattr(f, optimizer)(model.parameters(), lr=lr)

    def step(images, labels) -> None:
        chosen.zero_grad()
        criterion(model(images), labels).backward()
        chosen.step()

    return step


class Eager:
    """Ours and PyTorch: a name, its classes, its functions, and what makes a tensor."""

    def __init__(self, name: str, f: SimpleNamespace, functions, constant: Callable) -> None:
        self.name, self.f, self.functions, self.constant = name, f, functions, constant

    def leaf(self, array: np.ndarray):
        tensor = self.constant(array)
        tensor.requires_grad = True
        return tensor

    def trainer(self, optimizer: str, sizes: tuple[int, ...], lr: float) -> Step:
        return with_framework(self.f, optimizer, network(self.f, sizes), lr)

    def differentiate(self, function: Callable, arrays: list, g: np.ndarray) -> Callable:
        """Return what runs a function forward, and backward from the gradient g."""
        leaves = [self.leaf(a) for a in arrays]
        start = g if self.name == "ours" else self.constant(g)  # our gradients are arrays

        def run() -> None:
            for leaf in leaves:
                leaf.grad = None
            function(*leaves).backward(start)

        return run

    def value(self, function: Callable, arrays: list) -> float:
        return float(function(self.functions, *map(self.constant, arrays)))

    def gradients(self, function: Callable, arrays: list) -> list[np.ndarray]:
        """Return the gradient of a number by each array."""
        leaves = [self.leaf(a) for a in arrays]
        function(self.functions, *leaves).backward()
        return [np.asarray(leaf.grad) for leaf in leaves]


# --- HIPS autograd: NumPy's functions, traced ---


class Autograd:
    """HIPS autograd, which differentiates functions of arrays."""

    name = "HIPS autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.autograd, self.functions = autograd, autograd.numpy

    def constant(self, array: np.ndarray) -> np.ndarray:
        return array

    def trainer(self, optimizer: str, sizes: tuple[int, ...], lr: float) -> Step:
        return self.step(optimizer, random_parameters(sizes), lr)

    def step(self, optimizer: str, parameters: list[np.ndarray], lr: float) -> Step:
        np, update = self.functions, updates(optimizer, parameters, lr)

        def loss(parameters, images, labels):
            w1, b1, w2, b2, w3, b3 = parameters
            a1 = np.maximum(images @ w1 + b1, 0)
            a2 = np.maximum(a1 @ w2 + b2, 0)
            logits = a2 @ w3 + b3
            shifted = logits - np.max(logits, axis=1, keepdims=True)
            total = np.log(np.sum(np.exp(shifted), axis=1))
            return np.mean(total - shifted[np.arange(len(labels)), labels])

        gradients = self.autograd.grad(loss)
        return lambda images, labels: update(gradients(parameters, images, labels))

    def differentiate(self, function: Callable, arrays: list, g: np.ndarray) -> Callable:
        with_vjp = self.autograd.make_vjp(function, tuple(range(len(arrays))))
        return lambda: with_vjp(*arrays)[0](g)

    def value(self, function: Callable, arrays: list) -> float:
        return float(function(self.functions, *arrays))

    def gradients(self, function: Callable, arrays: list) -> list[np.ndarray]:
        numbers = tuple(range(1, 1 + len(arrays)))
        return list(self.autograd.grad(function, numbers)(self.functions, *arrays))


# --- NumPy by hand ---


def random_parameters(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Return weight, bias, weight, bias, … as float32 arrays."""
    rng = np.random.default_rng(1)
    shapes = [s for n, m in zip(sizes, sizes[1:], strict=False) for s in ((n, m), (m,))]
    return [(rng.normal(size=s) / np.sqrt(s[0])).astype(np.float32) for s in shapes]


def by_hand(optimizer: str, parameters: list[np.ndarray], lr: float) -> Step:
    """Return the step that somebody writes who needs this one network and no framework.

    parameters: weight, bias, weight, bias, ... as float32 arrays, which the step changes.
    """
    update = updates(optimizer, parameters, lr)

    def step(images: np.ndarray, labels: np.ndarray) -> None:
        w1, b1, w2, b2, w3, b3 = parameters
        rows = np.arange(len(labels))
        h1 = images @ w1 + b1
        a1 = np.maximum(h1, 0)
        h2 = a1 @ w2 + b2
        a2 = np.maximum(h2, 0)
        logits = a2 @ w3 + b3
        shifted = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        assert (np.log(total[:, 0]) - shifted[rows, labels]).mean() >= 0  # the loss, to be printed
        g3 = e / total
        g3[rows, labels] -= 1
        g3 /= len(labels)
        g2 = (g3 @ w3.T) * (h2 > 0)
        g1 = (g2 @ w2.T) * (h1 > 0)
        pairs = ((images, g1), (a1, g2), (a2, g3))
        update([part for x, g in pairs for part in (x.T @ g, g.sum(axis=0))])

    return step


def updates(optimizer: str, parameters: list[np.ndarray], lr: float) -> Callable:
    """Return SGD or Adam: a function of the gradients that changes the parameters."""
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    t = 0

    def sgd(gradients: list[np.ndarray]) -> None:
        for p, g in zip(parameters, gradients, strict=True):
            p -= lr * g

    def adam(gradients: list[np.ndarray]) -> None:
        nonlocal t
        t += 1
        for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            p -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return {"SGD": sgd, "Adam": adam}[optimizer]
