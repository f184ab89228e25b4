"""Whose gradients are right? Many small functions, each against central differences.

Each takes a peer's functions (NumPy's names) and its arrays; what is differentiated is the sum of
the squares of the result, so that no two elements weigh the same.
"""

from collections.abc import Callable

import numpy as np

STEP = 1e-6

CASES: dict[str, tuple[Callable, list[tuple[int, ...]]]] = {
    "a + b": (lambda m, a, b: a + b, [(2, 3), (2, 3)]),
    "a * b": (lambda m, a, b: a * b, [(2, 3), (2, 3)]),
    "a / b": (lambda m, a, b: a / b, [(2, 3), (2, 3)]),
    "a ** b": (lambda m, a, b: a**b, [(2, 3), (2, 3)]),
    "a ** 3": (lambda m, a: a**3, [(2, 3)]),
    "broadcast a row": (lambda m, a, b: a * b, [(2, 3), (3,)]),
    "broadcast both": (lambda m, a, b: a + b, [(3, 1), (1, 4)]),
    "exp": (lambda m, a: m.exp(a), [(2, 3)]),
    "log": (lambda m, a: m.log(a), [(2, 3)]),
    "sqrt": (lambda m, a: m.sqrt(a), [(2, 3)]),
    "tanh": (lambda m, a: m.tanh(a), [(2, 3)]),
    "abs": (lambda m, a: m.abs(a - 1), [(2, 3)]),
    "maximum": (lambda m, a, b: m.maximum(a, b), [(2, 3), (2, 3)]),
    "clip": (lambda m, a: m.clip(a, 0.7, 1.3), [(3, 4)]),
    "where": (lambda m, a, b: m.where(a > 1, a, b), [(2, 3), (2, 3)]),
    "sum, keepdims": (lambda m, a: a / m.sum(a, axis=1, keepdims=True), [(2, 3)]),
    "mean": (lambda m, a: m.mean(a, axis=1), [(2, 3)]),
    "var": (lambda m, a: m.var(a, axis=1), [(2, 3)]),
    "max": (lambda m, a: m.max(a, axis=1), [(2, 3)]),
    "matrix @ matrix": (lambda m, a, b: a @ b, [(2, 3), (3, 4)]),
    "matrix @ vector": (lambda m, a, b: a @ b, [(2, 3), (3,)]),
    "vector @ vector": (lambda m, a, b: a @ b, [(3,), (3,)]),
    "batches @ batches, broadcast": (lambda m, a, b: a @ b, [(2, 1, 2, 3), (2, 3, 2)]),
    "reshape": (lambda m, a: a.reshape(3, 2) @ a, [(2, 3)]),
    "transpose": (lambda m, a: a.T @ a, [(2, 3)]),
    "slice": (lambda m, a: a[:, 1:] * a[:, :2], [(2, 3)]),
    "rows that repeat": (lambda m, a: a[[0, 2, 0]], [(3, 2)]),
    "concatenate": (lambda m, a, b: m.concatenate([a, b, a], 1), [(2, 3), (2, 2)]),
    "stack": (lambda m, a, b: m.stack([a, b], 1), [(2, 3), (2, 3)]),
    "a result used twice": (lambda m, a: (lambda y: y * m.exp(y) + y)(m.tanh(a)), [(2, 3)]),
    "softmax": (lambda m, a: m.exp(a) / m.sum(m.exp(a), axis=1, keepdims=True), [(2, 3)]),
}


def is_right(peer, function: Callable, shapes: list[tuple[int, ...]]) -> bool:
    """Tell whether a peer's gradients agree with central differences of its own values."""
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.3, 1.7, shape) for shape in shapes]

    def total(m, *inputs):
        y = function(m, *inputs)
        return (y * y).sum()

    try:
        gradients = peer.gradients(total, arrays)
    except Exception:  # it does not know this operation, or gets lost in it
        return False
    slopes = [slopes_of(lambda: peer.value(total, arrays), array) for array in arrays]
    pairs = zip(gradients, slopes, strict=True)
    return all(g.shape == s.shape and np.allclose(g, s, rtol=1e-4, atol=1e-6) for g, s in pairs)


def slopes_of(value: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """Return the central differences of a value by each element of an array, which it reads."""
    slopes = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        old = array[index]
        array[index] = old + STEP
        above = value()
        array[index] = old - STEP
        slopes[index] = (above - value()) / (2 * STEP)
        array[index] = old
    return slopes


def count(known: list) -> dict[str, object]:
    """Return how many cases there are, and which of them each peer gets wrong."""
    wrong = {p.name: [n for n, case in CASES.items() if not is_right(p, *case)] for p in known}
    return {"cases": len(CASES), "wrong": wrong}
