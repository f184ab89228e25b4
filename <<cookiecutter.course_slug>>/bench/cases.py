"""What is timed, and how: each case is the same work for NumPy by hand and for each peer."""

import operator
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from bench import peers

LAYERS, BATCHES = (784, 128, 64, 10), (1, 64, 1024)
DIGITS, ROWS = (64, 64, 32, 10), 64
CHAIN, SHARED = 100_000, 1_000
TURN = 0.01  # seconds that a peer works before it is the next one's turn, at least
# Thousands of steps must change next to nothing: a network that knows its batch by heart computes
# with numbers so small (denormal) that processors slow down.
LR = 1e-6

# The processor's time of this thread, where that is fine enough: other programs do not count.
fine = time.get_clock_info("thread_time").resolution < 1e-5
clock = time.thread_time if fine else time.perf_counter

Case = dict[str, Callable[[], object]]  # by peer; NumPy by hand, the base, is the first


def all_cases(known: list, digits: tuple[np.ndarray, np.ndarray]) -> dict[str, Case]:
    """Return each case by its name. digits: rows of 64 pixels, and labels."""
    rng = np.random.default_rng(0)
    found = {}
    for optimizer in ("SGD", "Adam"):
        for batch in BATCHES:
            images = rng.normal(size=(batch, LAYERS[0])).astype(np.float32)
            one = [(images, rng.integers(0, LAYERS[-1], batch))]
            name = f"MLP step, {optimizer}, batch {batch:,}"
            found[name] = training(known, optimizer, LAYERS, one)
    cuts = range(ROWS, len(digits[0]), ROWS)
    batches = list(zip(*(np.split(part, cuts) for part in digits), strict=True))
    found["digits, an epoch"] = training(known, "SGD", DIGITS, batches, lr=0.01)
    vector, matrix = np.full(8, 0.5, np.float32), np.full((8, 8), 0.5, np.float32)
    small = {
        "a + b, (8,)": (operator.add, lambda g, a, b: (g, g), vector),
        "a * b, (8,)": (operator.mul, lambda g, a, b: (g * b, g * a), vector),
        "a @ b, (8, 8)": (operator.matmul, lambda g, a, b: (g @ b.T, a.T @ g), matrix),
    }
    for name, (function, vjp, x) in small.items():
        found[name] = operation(known, function, vjp, x, x.copy())
    same = repeated(lambda y: y * 1.0, CHAIN)  # and its backward is itself
    found[f"chain of {CHAIN:,}"] = operation(known, same, lambda g, y: same(g), vector)
    double = repeated(lambda y: y + y, SHARED)
    wide = vector.astype(np.float64)  # the result is 2 ** 999
    found[f"y = y + y, {SHARED:,} deep"] = operation(known, double, lambda g, y: double(g), wide)
    return found


def training(known: list, optimizer: str, sizes: tuple, batches: list, lr: float = LR) -> Case:
    """Return a pass over some batches of images and labels, with forward, backward and step."""

    def over(constant: Callable, step: peers.Step) -> Callable:
        ready = [tuple(map(constant, batch)) for batch in batches]
        return lambda: [step(images, labels) for images, labels in ready]

    start = peers.random_parameters(sizes)
    hand = {"by hand": over(lambda array: array, peers.by_hand(optimizer, start, lr))}
    return hand | {p.name: over(p.constant, p.trainer(optimizer, sizes, lr)) for p in known}


def operation(known: list, function: Callable, vjp: Callable, *arrays: np.ndarray) -> Case:
    """Return forward and backward of a function, whose vjp somebody wrote by hand."""
    g = np.ones_like(function(*arrays))
    hand = {"by hand": lambda: (function(*arrays), vjp(g, *arrays))}
    return hand | {p.name: p.differentiate(function, list(arrays), g) for p in known}


def repeated(function: Callable, times: int) -> Callable:
    """Return the function applied to its own result, so many times."""

    def run(y):
        for _ in range(times):
            y = function(y)
        return y

    return run


def keep_memory() -> None:
    """Let malloc keep what is freed, as after any large array: else steps pay for new pages."""
    np.ones(30_000_000, np.uint8)


def measure(case: Case, seconds: float) -> dict[str, object]:
    """Time a case for about so long; the peers take turns, so that a busy moment hits them all.

    Return each peer's median seconds for one call, its median ratio to the base of the same round,
    and the number of rounds.
    """
    for way in case.values():
        way()
    once = {name: duration(way, 1) for name, way in case.items()}
    calls = {name: max(1, round(TURN / each)) for name, each in once.items()}
    turns = sum(once[name] * (calls[name] + 1) for name in case)
    rounds = max(3, round(seconds / turns))
    times = {name: [] for name in case}
    for _ in range(rounds):
        for name, way in case.items():
            way()
            times[name].append(duration(way, calls[name]) / calls[name])
    base = next(iter(times.values()))
    ratio = partial(map, operator.truediv)
    return {
        "seconds": {name: statistics.median(each) for name, each in times.items()},
        "ratios": {name: statistics.median(ratio(each, base)) for name, each in times.items()},
        "rounds": rounds,
    }


def duration(way: Callable, calls: int) -> float:
    """Return the seconds of some calls: what the clock can tell apart, at least."""
    start = clock()
    for _ in range(calls):
        way()
    return max(clock() - start, 1e-7)
