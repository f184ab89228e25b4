"""How fast is the reference framework? One thread, against NumPy by hand and against PyTorch.

`nox -s bench` runs it; `nox -s bench -- --oracle` installs PyTorch first. Every number is the
median of many short rounds in which the peers take turns, so that a busy moment hits them all. What
counts is the ratio.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import importlib
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coursekit import course as course_file
from coursekit.assignment import write_package
from coursekit.errors import CourseError

SIZES, BATCH = (784, 128, 64, 10), 64
ROUNDS, STEPS = 75, 8
CHAIN, LONG_CHAIN = 1000, 100_000

# The processor's time of this thread, where that is fine enough: other programs do not count.
fine = time.get_clock_info("thread_time").resolution < 1e-5
clock = time.thread_time if fine else time.perf_counter

rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(BATCH, SIZES[0])).astype(np.float32)
LABELS = rng.integers(0, SIZES[-1], BATCH)


def framework(folder: Path) -> SimpleNamespace:
    """Return every public name of the reference framework, which is written into the folder."""
    course = course_file.load(ROOT)
    sys.path.insert(0, str(write_package(course, "~", folder)))
    names = {}
    for module in course.modules():
        names |= vars(importlib.import_module(f"{course.package}.{module.stem}"))
    return SimpleNamespace(**names)


def keep_memory() -> None:
    """Let malloc keep what is freed, as after any large array: else steps pay for new pages."""
    np.ones(30_000_000, np.uint8)


def medians(ways: dict[str, Callable], rounds: int, calls: int) -> dict[str, float]:
    """Return each way's median duration of one call, in microseconds; the ways take turns."""
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            way()
            start = clock()
            for _ in range(calls):
                way()
            seconds[name].append((clock() - start) / calls)
    return {name: 1e6 * statistics.median(each) for name, each in seconds.items()}


# --- a training step of an MLP, 784-128-64-10, batch 64 ---


def by_hand(optimizer: str, parameters: list[np.ndarray]) -> Callable:
    """Return the step that somebody writes who needs this one network and no framework.

    parameters: weight, bias, weight, bias, ... as float32 arrays, which the step changes.
    """
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    rows, t = np.arange(BATCH), 0

    def gradients() -> list[np.ndarray]:
        w1, b1, w2, b2, w3, b3 = parameters
        h1 = IMAGES @ w1 + b1
        a1 = np.maximum(h1, 0)
        h2 = a1 @ w2 + b2
        a2 = np.maximum(h2, 0)
        logits = a2 @ w3 + b3
        shifted = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        assert (np.log(total[:, 0]) - shifted[rows, LABELS]).mean() > 0  # the loss, to be printed
        g3 = e / total
        g3[rows, LABELS] -= 1
        g3 /= BATCH
        g2 = (g3 @ w3.T) * (h2 > 0)
        g1 = (g2 @ w2.T) * (h1 > 0)
        pairs = ((IMAGES, g1), (a1, g2), (a2, g3))
        return [part for x, g in pairs for part in (x.T @ g, g.sum(axis=0))]

    def sgd() -> None:
        for p, g in zip(parameters, gradients(), strict=True):
            p -= 0.01 * g

    def adam() -> None:
        nonlocal t
        t += 1
        for p, g, m, v in zip(parameters, gradients(), first, second, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            p -= 0.001 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return {"SGD": sgd, "Adam": adam}[optimizer]


def network(f: SimpleNamespace):
    """Return the MLP as a model of the course's framework."""
    f.manual_seed(1)
    n, m, k, classes = SIZES
    return f.Sequential(f.Linear(n, m), f.ReLU(), f.Linear(m, k), f.ReLU(), f.Linear(k, classes))


def with_ours(f: SimpleNamespace, optimizer: str, model) -> Callable:
    """Return the same step with the framework of the course."""
    criterion, images, labels = f.CrossEntropyLoss(), f.Tensor(IMAGES), f.Tensor(LABELS)
    chosen = getattr(f, optimizer)(model.parameters(), lr={"SGD": 0.01, "Adam": 0.001}[optimizer])

    def step() -> None:
        chosen.zero_grad()
        criterion(model(images), labels).backward()
        chosen.step()

    return step


def with_pytorch(torch, optimizer: str) -> Callable:
    """Return the same step with PyTorch, eager."""
    nn, (n, m, k, classes) = torch.nn, SIZES
    hidden = [nn.Linear(n, m), nn.ReLU(), nn.Linear(m, k), nn.ReLU()]
    model, criterion = nn.Sequential(*hidden, nn.Linear(k, classes)), nn.CrossEntropyLoss()
    images, labels = torch.tensor(IMAGES), torch.tensor(LABELS)
    rate = {"SGD": 0.01, "Adam": 0.001}[optimizer]
    chosen = getattr(torch.optim, optimizer)(model.parameters(), lr=rate)

    def step() -> None:
        chosen.zero_grad()
        criterion(model(images), labels).backward()
        chosen.step()

    return step


# --- chains of small operations ---


def chain(tensor: Callable, ones: object, length: int) -> Callable:
    """Return forward and backward of y = y * 1.0, repeated, on shape (8,)."""

    def run() -> None:
        y = tensor()
        for _ in range(length):
            y = y * 1.0
        y.backward(ones)

    return run


def show(title: str, micros: dict[str, float], unit: str = "µs", scale: float = 1.0) -> None:
    """Print each duration, and its ratio to the first one."""
    base = next(iter(micros.values()))
    print(title)
    for name, value in micros.items():
        print(f"    {name:10} {value * scale:10.1f} {unit}   {value / base:5.2f}")


def main() -> None:
    """Print three tables."""
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    if torch:
        torch.set_num_threads(1)
    keep_memory()
    with tempfile.TemporaryDirectory() as folder:
        f = framework(Path(folder))
        if not hasattr(f, "SGD"):
            sys.exit("No module of this course trains a network: there is no step to time.")
        for optimizer in ("SGD", "Adam"):
            model = network(f)
            start = [p.data.copy() for p in model.parameters()]
            ways = {"by hand": by_hand(optimizer, start), "ours": with_ours(f, optimizer, model)}
            ways |= {"PyTorch": with_pytorch(torch, optimizer)} if torch else {}
            title = f"a step with {optimizer}, MLP {SIZES}, batch {BATCH}"
            show(title, medians(ways, ROUNDS, STEPS))
        ones = np.ones(8, np.float32)
        tensors = {"ours": (lambda: f.Tensor(ones, requires_grad=True), ones)}
        if torch:
            tensors["PyTorch"] = lambda: torch.ones(8, requires_grad=True), torch.ones(8)
        for length, rounds in ((CHAIN, 7), (LONG_CHAIN, 3)):
            ways = {name: chain(*start, length) for name, start in tensors.items()}
            title = f"an operation, forward and backward, in a chain of {length:,} on shape (8,)"
            show(title, medians(ways, rounds, 1), scale=1 / length)
    if not torch:
        print("PyTorch is not installed: `nox -s bench -- --oracle` installs it and compares.")


if __name__ == "__main__":
    try:
        main()
    except CourseError as error:
        sys.exit(str(error))
