"""PyTorch's answers as oracle for every public name: values, gradients, shapes, dtypes, errors.

Where PyTorch is missing these tests are skipped; `nox -s test -- --oracle` installs it.
"""

import doctest
import importlib
import inspect
import operator
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import <% if cookiecutter.last_module >= '02' %>example, <% endif %>given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nbformat import NotebookNode

from coursekit.course import Course

reason = "PyTorch is not installed: `nox -s test -- --oracle` installs it"
torch = pytest.importorskip("torch", reason=reason)
F, nn = torch.nn.functional, torch.nn

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:Using a target size"),
]

FLOATS = [np.float32, np.float64]
TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}
GRADIENT_TOLERANCE = {dtype: 10 * tolerance for dtype, tolerance in TOLERANCE.items()}
EDGES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 20.0, -20.0, 1000.0, -1000.0, 1e-6])
VALUES = EDGES | st.floats(-1000, 1000, width=32)
SHAPES = hnp.array_shapes(max_dims=3, max_side=4)
ARRAYS = hnp.arrays(np.float64, SHAPES, elements=VALUES)


def agree(what: str, ours: Callable, theirs: Callable, arrays: list, dtypes=FLOATS) -> None:
    """Fail unless both give the same for these arrays, in each dtype: values and gradients."""
    for dtype in dtypes:
        cast = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
        mine, other = outcome(ours, cast), outcome(on_torch(theirs), cast)
        same(f"{what} of {[a.tolist() for a in cast]}", mine, other)


def on_tensors(f: SimpleNamespace, function: Callable) -> Callable:
    """Return a function of arrays that calls `function` on our Tensors, and looks after those."""

    def call(*arrays: np.ndarray):
        differentiable = hasattr(f, "no_grad")
        tensors = [f.Tensor(a, a.dtype, differentiable and a.dtype.kind == "f") for a in arrays]
        result = function(*tensors)
        for tensor, array in zip(tensors, arrays, strict=True):
            np.testing.assert_array_equal(tensor.data, array, "an input was modified")
        return result, tensors, np.asarray

    return call


def on_torch(function: Callable) -> Callable:
    """Return a function of arrays that calls `function` on PyTorch's tensors."""

    def call(*arrays: np.ndarray):
        tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        return function(*tensors), tensors, torch.tensor

    return call


def outcome(call: Callable, arrays: list):
    """Return what a call gives and its gradients, as arrays, or the error it raises."""
    try:
        result, tensors, wrap = call(*arrays)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        return error
    array = np.asarray(result.detach() if isinstance(result, torch.Tensor) else result)
    if not result.requires_grad:
        return array, None
    weights = np.random.default_rng(0).uniform(0.5, 1.5, array.shape).astype(array.dtype)
    result.backward(wrap(weights))
    grads = [np.zeros(a.shape, a.dtype) if t.grad is None else np.asarray(t.grad)
             for a, t in zip(arrays, tensors, strict=True) if t.requires_grad]  # fmt: skip
    return array, grads


def same(what: str, mine, theirs) -> None:
    """Fail unless two outcomes agree: values and gradients, or kinds of error."""
    if isinstance(mine, Exception) or isinstance(theirs, Exception):
        assert isinstance(theirs, type(mine)) or isinstance(mine, type(theirs)), (
            f"{what}: ours {mine!r}, PyTorch's {theirs!r}"
        )
        return
    close(what, mine[0], theirs[0], TOLERANCE)
    if mine[1] is not None:
        for number, (grad, expected) in enumerate(zip(mine[1], theirs[1], strict=True)):
            close(f"{what}: gradient of input {number}", grad, expected, GRADIENT_TOLERANCE)


def close(what: str, array: np.ndarray, expected: np.ndarray, tolerances: dict) -> None:
    assert (array.dtype, array.shape) == (expected.dtype, expected.shape), what
    tolerance = tolerances.get(array.dtype, 0)
    np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance, err_msg=what)


# --- Module 01 ---

UNARY = {
    "abs": (VALUES, torch.abs), "__neg__": (VALUES, torch.neg), "tanh": (VALUES, torch.tanh),
    "exp": (st.floats(-80, 80, width=32), torch.exp), "erf": (VALUES, torch.erf),
    "log": (st.floats(0.0009765625, 1000, width=32), torch.log),
    "log1p": (st.floats(-0.5, 1000, width=32), torch.log1p),
    "sqrt": (st.floats(0.0009765625, 1000, width=32), torch.sqrt),
    "sum": (EDGES, torch.sum), "max": (VALUES, torch.amax), "min": (VALUES, torch.amin),
    "argmax": (VALUES, torch.argmax), "mean": (EDGES, torch.mean),
}  # fmt: skip


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("name", UNARY)
@given(data=st.data())
def test_operations_on_one_tensor(framework: SimpleNamespace, name: str, data) -> None:
    values, theirs = UNARY[name]
    x = data.draw(hnp.arrays(np.float64, SHAPES, elements=values))
    agree(name, on_tensors(framework, lambda t: getattr(t, name)()), theirs, [x])


REDUCTIONS = {
    "sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin,
    "argmax": torch.argmax, "var": torch.var,
}  # fmt: skip


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data())
def test_reductions_over_an_axis(framework: SimpleNamespace, name: str, data) -> None:
    sizes = hnp.array_shapes(min_side=2, max_dims=3, max_side=4)  # var of one number is nan
    x = data.draw(hnp.arrays(np.float64, sizes, elements=st.floats(-4, 4, width=32)))
    axis, keep = data.draw(st.integers(-x.ndim, x.ndim - 1)), data.draw(st.booleans())
    ours = on_tensors(framework, lambda t: getattr(t, name)(axis=axis, keepdims=keep))
    agree(f"{name}({axis}, {keep})", ours, lambda t: REDUCTIONS[name](t, axis, keepdim=keep), [x])


BINARY = ["add", "sub", "mul", "truediv", "pow", "eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("name", [*BINARY, "maximum", "minimum"])
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3), data=st.data())
def test_operations_on_two(framework: SimpleNamespace, name: str, shapes, data) -> None:
    values = st.floats(0.125, 4, width=16)
    a, b = (data.draw(hnp.arrays(np.float64, s, elements=values)) for s in shapes.input_shapes)
    op = getattr(operator, name, None)
    ours = op or (lambda s, t: getattr(s, name)(t))
    agree(name, on_tensors(framework, ours), op or getattr(torch, name), [a, b])
    for number in (2, 2.5) if op else ():
        for call in (lambda t, n=number: op(t, n), lambda t, n=number: op(n, t)):
            agree(f"{name} with {number}", on_tensors(framework, call), call, [a])


MATRICES = [((3, 4), (4, 5)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), ((2, 3, 4), (4, 5))]
MATRICES += [
    ((2, 1, 3, 4), (5, 4, 2)),
    ((0, 3), (3, 2)),
    ((3, 4), (3, 4)),
    ((2,), (3,)),
    ((), (2,)),
]


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("shapes", MATRICES, ids=str)
def test_matmul(framework: SimpleNamespace, shapes) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    agree("matmul", on_tensors(framework, operator.matmul), operator.matmul, arrays)


SHAPED = {
    "reshape": (lambda f, t: t.reshape(-1, 2), lambda t: t.reshape(-1, 2)),
    "reshape that fails": (lambda f, t: t.reshape(5, 7), lambda t: t.reshape(5, 7)),
    "permute": (lambda f, t: t.permute(2, 0, 1), lambda t: t.permute(2, 0, 1)),
    "transpose": (lambda f, t: t.transpose(0, -1), lambda t: t.transpose(0, -1)),
    "T": (lambda f, t: t[0].T, lambda t: t[0].T),
    "unsqueeze": (lambda f, t: t.unsqueeze(-2), lambda t: t.unsqueeze(-2)),
    "squeeze": (lambda f, t: t[:1].squeeze(), lambda t: t[:1].squeeze()),
    "squeeze of a size above 1": (lambda f, t: t.squeeze(1), lambda t: t.squeeze(1)),
    "slices": (lambda f, t: t[..., 1:, None], lambda t: t[..., 1:, None]),
    "an index Tensor": (
        lambda f, t: t[f.Tensor([1, 0, 1])], lambda t: t[torch.tensor([1, 0, 1])]
    ),
    "concatenate": (lambda f, t: f.concatenate([t, t], 1), lambda t: torch.concatenate([t, t], 1)),
    "stack": (lambda f, t: f.stack([t, t], -1), lambda t: torch.stack([t, t], -1)),
    "clip": (lambda f, t: t.clip(-0.5, 0.25), lambda t: t.clip(-0.5, 0.25)),
    "clip of one side": (lambda f, t: t.clip(max=0), lambda t: t.clip(max=0)),
    "where": (lambda f, t: f.where(t > 0, t, 0.0), lambda t: torch.where(t > 0, t, 0.0)),
}  # fmt: skip


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("name", SHAPED)
def test_shapes_indices_and_choices(framework: SimpleNamespace, name: str) -> None:
    ours, theirs = SHAPED[name]
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    agree(name, on_tensors(framework, lambda t: ours(framework, t)), theirs, [x])


FACTORIES = ["zeros(2, 3)", "ones(2)", "full((2,), 3)", "full((2, 1), 0.5)", "arange(5)"]
FACTORIES += ["arange(5.0)", "arange(2, 8, 3)", "arange(0, 1, 0.25)"]


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("call", FACTORIES)
def test_factories(framework: SimpleNamespace, call: str) -> None:
    close(call, *(np.asarray(eval(call, vars(lib))) for lib in (framework, torch)), TOLERANCE)


ASKED_BY_PYTHON = {
    "format": lambda t: f"{t[0]:.2f}",
    "format of two": lambda t: f"{t:.2f}",
    "int": lambda t: int(t[:1]),
    "float": lambda t: float(t[0]),
    "== None": lambda t: t == None,  # noqa: E711
    "!= None": lambda t: t != None,  # noqa: E711
    "len": len,
    "for": lambda t: [row.item() for row in t],
}


@pytest.mark.needs("tensor")
@pytest.mark.parametrize("what", ASKED_BY_PYTHON)
def test_what_python_asks(framework: SimpleNamespace, what: str) -> None:
    given = [2.75, -1.25]
    answers = []
    for tensor in (framework.Tensor(given), torch.tensor(given)):
        try:
            answers.append(ASKED_BY_PYTHON[what](tensor))
        except TypeError as error:
            answers.append(type(error))
    assert answers[0] == answers[1]
    assert type(answers[0]) is type(answers[1])
<%- if cookiecutter.last_module >= '02' %>


# --- Module 02 ---


def composed(f: SimpleNamespace, name: str) -> Callable:
    """Return a function as its own module has it: a later one puts a fused one in its place."""
    return vars(f).get("composed", {}).get(name, getattr(f, name))


ACTIVATIONS = {
    "relu": (lambda f: f.relu, F.relu),
    "leaky_relu": (lambda f: lambda t: f.leaky_relu(t, 0.2), lambda t: F.leaky_relu(t, 0.2)),
    "sigmoid": (lambda f: f.sigmoid, torch.sigmoid),
    "tanh": (lambda f: f.tanh, torch.tanh),
    "gelu": (lambda f: f.gelu, F.gelu),
    "gelu, tanh": (lambda f: lambda t: f.gelu(t, "tanh"), lambda t: F.gelu(t, approximate="tanh")),
    "gelu, wrong": (lambda f: lambda t: f.gelu(t, "x"), lambda t: F.gelu(t, approximate="x")),
    "softmax": (lambda f: f.softmax, lambda t: F.softmax(t, -1)),
    "softmax 0": (lambda f: lambda t: f.softmax(t, 0), lambda t: F.softmax(t, 0)),
    "softmax 3": (lambda f: lambda t: f.softmax(t, 3), lambda t: F.softmax(t, 3)),
    "log_softmax": (lambda f: f.log_softmax, lambda t: F.log_softmax(t, -1)),
    "log_softmax 0": (lambda f: lambda t: f.log_softmax(t, 0), lambda t: F.log_softmax(t, 0)),
    "relu, composed": (lambda f: composed(f, "relu"), F.relu),
    "ReLU": (lambda f: f.ReLU(), nn.ReLU()),
    "LeakyReLU": (lambda f: f.LeakyReLU(), nn.LeakyReLU()),
    "Sigmoid": (lambda f: f.Sigmoid(), nn.Sigmoid()),
    "Tanh": (lambda f: f.Tanh(), nn.Tanh()),
    "GELU": (lambda f: f.GELU("tanh"), nn.GELU("tanh")),
    "Softmax": (lambda f: f.Softmax(0), nn.Softmax(0)),
    "LogSoftmax": (lambda f: f.LogSoftmax(-1), nn.LogSoftmax(-1)),
}


@pytest.mark.needs("activations")
@pytest.mark.parametrize("name", ACTIVATIONS)
@given(x=ARRAYS)
@example(x=np.array([[-1000.0, 1000.0], [0.0, 0.0]]))
def test_activations(framework: SimpleNamespace, name: str, x: np.ndarray) -> None:
    ours, theirs = ACTIVATIONS[name]
    agree(name, on_tensors(framework, ours(framework)), theirs, [x])


@pytest.mark.needs("activations")
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "gelu"])
def test_activations_of_what_is_no_number(framework: SimpleNamespace, name: str) -> None:
    mine = ACTIVATIONS[name][0](framework)(framework.Tensor([np.nan, 1.0])).data
    theirs = ACTIVATIONS[name][1](torch.tensor([np.nan, 1.0]))
    close(name, mine, theirs.numpy(), TOLERANCE)  # a gradient of NaN means nothing
<%- endif %>
<%- if cookiecutter.last_module >= '03' %>


# --- Module 03 ---


def copied(f: SimpleNamespace, mine, theirs, *dtype):
    """Give our layer PyTorch's numbers (whose Linear stores the transpose); return both."""
    for name, tensor in theirs.state_dict().items():
        array = tensor.numpy()
        array = array.T if isinstance(theirs, nn.Linear) else array
        assert getattr(mine, name).shape == array.shape, name
        getattr(mine, name).data = array.astype(*dtype)
    return mine, theirs


LAYERS = {
    "Linear": (lambda f: f.Linear(4, 3), lambda: nn.Linear(4, 3), (5, 4)),
    "Linear without bias": (
        lambda f: f.Linear(4, 3, bias=False), lambda: nn.Linear(4, 3, bias=False), (4,)
    ),
    "Linear on batches": (lambda f: f.Dense(4, 3), lambda: nn.Linear(4, 3), (2, 5, 4)),
    "Linear on nothing": (lambda f: f.Linear(4, 3), lambda: nn.Linear(4, 3), (0, 4)),
    "Linear, wrong size": (lambda f: f.Linear(4, 3), lambda: nn.Linear(4, 3), (5, 3)),
    "LayerNorm": (lambda f: f.LayerNorm(4), lambda: nn.LayerNorm(4), (2, 3, 4)),
    "LayerNorm of two": (
        lambda f: f.LayerNorm((3, 4), eps=0.1), lambda: nn.LayerNorm((3, 4), eps=0.1), (2, 3, 4)
    ),
    "LayerNorm, wrong size": (lambda f: f.LayerNorm(4), lambda: nn.LayerNorm(4), (2, 3)),
    "Flatten": (lambda f: f.Flatten(), lambda: nn.Flatten(), (2, 3, 4)),
    "Flatten of nothing": (lambda f: f.Flatten(), lambda: nn.Flatten(), (0, 3, 4)),
    "Flatten, other dims": (lambda f: f.Flatten(-2, 2), lambda: nn.Flatten(-2, 2), (2, 3, 4, 1)),
    "Flatten, wrong dims": (lambda f: f.Flatten(2, 1), lambda: nn.Flatten(2, 1), (2, 3, 4)),
    "Flatten, no such dim": (lambda f: f.Flatten(), lambda: nn.Flatten(), (3,)),
    "Dropout at rest": (lambda f: f.Dropout(0.3).eval(), lambda: nn.Dropout(0.3).eval(), (2, 3)),
    "Dropout of nothing": (lambda f: f.Dropout(0.0), lambda: nn.Dropout(0.0), (2, 3)),
    "Dropout of all": (lambda f: f.Dropout(1.0), lambda: nn.Dropout(1.0), (2, 3)),
}  # fmt: skip


@pytest.mark.needs("layers")
@pytest.mark.parametrize("name", LAYERS)
def test_layers(framework: SimpleNamespace, name: str) -> None:
    make_ours, make_theirs, shape = LAYERS[name]
    x = np.random.default_rng(2).normal(size=shape)
    for dtype in FLOATS:
        theirs = make_theirs().to(torch.float32 if dtype is np.float32 else torch.float64)
        ours, theirs = copied(framework, make_ours(framework), theirs, dtype)
        agree(name, on_tensors(framework, ours), theirs, [x], [dtype])


@pytest.mark.needs("layers")
@pytest.mark.parametrize("index", [[1, 0, 1], [[2], [0]], [], [3], [-1], [0.5]], ids=str)
def test_embedding(framework: SimpleNamespace, index: list) -> None:
    ours, theirs = copied(framework, framework.Embedding(3, 2), nn.Embedding(3, 2), np.float32)
    array = np.array(index, dtype=np.float32 if index == [0.5] else np.int64)
    agree("Embedding", on_tensors(framework, ours), theirs, [array], [np.float32])


@pytest.mark.needs("layers")
@pytest.mark.parametrize("rows", [(), (5,), (2, 5), (0,)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear(framework: SimpleNamespace, rows: tuple, bias: bool) -> None:
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=shape) for shape in [(*rows, 4), (4, 3), (3,)][: 2 + bias]]
    for linear in (framework.linear, composed(framework, "linear")):
        theirs = lambda x, w, *b: F.linear(x, w.T, *b)  # noqa: E731
        agree("linear", on_tensors(framework, linear), theirs, arrays)


@pytest.mark.needs("layers")
def test_sequential(framework: SimpleNamespace) -> None:
    f = framework
    theirs = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3), nn.LogSoftmax(-1))
    ours = f.Sequential(f.Linear(4, 6), f.GELU(), f.Linear(6, 3), f.LogSoftmax())
    for place in (0, 2):
        copied(f, ours.layers[place], theirs[place], np.float32)
    x = np.random.default_rng(3).normal(size=(5, 4))
    agree("Sequential", on_tensors(f, ours), theirs, [x], [np.float32])


@pytest.mark.needs("layers")
def test_dropout_has_pytorchs_moments(framework: SimpleNamespace) -> None:
    framework.manual_seed(0)
    torch.manual_seed(0)
    ours = framework.Dropout(0.25)(framework.ones(100_000)).data
    theirs = nn.Dropout(0.25)(torch.ones(100_000)).numpy()
    assert np.unique(ours).tolist() == np.unique(theirs).tolist()
    assert abs(ours.mean() - theirs.mean()) < 0.02


INITIAL = {
    "Linear's weight": (lambda f: f.Linear(30, 40).weight, lambda: nn.Linear(30, 40).weight),
    "Linear's bias": (lambda f: f.Linear(30, 4000).bias, lambda: nn.Linear(30, 4000).bias),
    "Embedding's weight": (
        lambda f: f.Embedding(30, 40).weight, lambda: nn.Embedding(30, 40).weight
    ),
    "kaiming_uniform": (
        lambda f: f.kaiming_uniform((30, 40)),
        lambda: nn.init.kaiming_uniform_(torch.empty(40, 30), nonlinearity="relu"),
    ),
    "xavier_uniform": (
        lambda f: f.xavier_uniform((30, 40)), lambda: nn.init.xavier_uniform_(torch.empty(40, 30))
    ),
}  # fmt: skip


@pytest.mark.needs("layers")
@pytest.mark.parametrize("name", INITIAL)
def test_parameters_are_drawn_from_pytorchs_distribution(framework: SimpleNamespace, name) -> None:
    """Compare means, standard deviations and bounds of a thousand draws or more."""
    framework.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = INITIAL[name][0](framework), INITIAL[name][1]().detach().numpy()
    assert (ours.dtype, ours.requires_grad) == (np.float32, True)
    assert ours.data.std() == pytest.approx(theirs.std(), rel=0.08)
    assert abs(ours.data.mean()) < 0.2 * theirs.std()
    if "Embedding" not in name:  # which is normal, without bounds
        bounds = [np.abs(array).max() for array in (ours.data, theirs)]
        assert bounds[0] == pytest.approx(bounds[1], rel=0.02)
<%- endif %>
<%- if cookiecutter.last_module >= '04' %>


# --- Module 04 ---

LOSSES = ["MSELoss", "L1Loss", "BCEWithLogitsLoss"]
REDUCE = st.sampled_from(["mean", "sum", "none", "median"])


@pytest.mark.needs("losses")
@pytest.mark.parametrize("name", LOSSES)
@given(shape=SHAPES, how=REDUCE, data=st.data())
def test_losses_of_two_floats(framework: SimpleNamespace, name: str, shape, how, data) -> None:
    x = data.draw(hnp.arrays(np.float64, shape, elements=VALUES))
    # PyTorch rounds 1 - y: with other y its float32 BCE is off by more than ours.
    y = data.draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    ours = on_tensors(framework, lambda s, t: getattr(framework, name)(how)(s, t))
    agree(f"{name}({how})", ours, lambda s, t: getattr(nn, name)(reduction=how)(s, t), [x, y])


@pytest.mark.needs("losses")
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    how=REDUCE, smoothing=st.sampled_from([0.0, 0.1, 1.0, 1.5]), data=st.data(),
)  # fmt: skip
def test_cross_entropy(framework: SimpleNamespace, shape, how, smoothing, data) -> None:
    logits = data.draw(hnp.arrays(np.float64, shape, elements=VALUES))
    labels = data.draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    options = {"reduction": how, "label_smoothing": smoothing}
    ours = on_tensors(framework, lambda s, t: framework.CrossEntropyLoss(**options)(s, t))
    agree(f"{options}", ours, lambda s, t: nn.CrossEntropyLoss(**options)(s, t), [logits, labels])


@pytest.mark.needs("losses")
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    how=st.sampled_from(["mean", "sum", "none"]), data=st.data(),
)  # fmt: skip
def test_cross_entropy_as_a_function(framework: SimpleNamespace, shape, how, data) -> None:
    logits = data.draw(hnp.arrays(np.float64, shape, elements=VALUES))
    labels = data.draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    for ours in (framework.cross_entropy, composed(framework, "cross_entropy")):
        call = on_tensors(framework, lambda s, t, ours=ours: ours(s, t, how))
        agree(how, call, lambda s, t: F.cross_entropy(s, t, reduction=how), [logits, labels])


WRONG = {
    "a label too large": ("CrossEntropyLoss", np.ones((2, 3)), np.array([0, 3])),
    "a negative label": ("CrossEntropyLoss", np.ones((2, 3)), np.array([0, -1])),
    "float labels": ("CrossEntropyLoss", np.ones((2, 3)), np.array([0.0, 1.0])),
    "another batch": ("CrossEntropyLoss", np.ones((2, 3)), np.array([0, 1, 2])),
    "another shape": ("BCEWithLogitsLoss", np.ones((2, 3)), np.ones(3)),
    "integer targets": ("BCEWithLogitsLoss", np.ones((2, 3)), np.ones((2, 3), dtype=int)),
}


@pytest.mark.needs("losses")
@pytest.mark.parametrize("what", WRONG)
def test_wrong_targets_are_the_same_errors(framework: SimpleNamespace, what: str) -> None:
    name, *arrays = WRONG[what]
    ours = on_tensors(framework, lambda s, t: getattr(framework, name)()(s, t))
    agree(what, ours, lambda s, t: getattr(nn, name)()(s, t), arrays)
<%- endif %>
<%- if cookiecutter.last_module >= '06' %>


# --- Module 06 ---

KINDS = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD by default": ("SGD", {}),
    "SGD with momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SGD with Nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD with decay": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "SGD with all": ("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.1, "nesterov": True}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop, settings": ("RMSprop", {"lr": 0.1, "alpha": 0.9, "eps": 1e-3}),
    "Adam": ("Adam", {}),
    "Adam, settings": ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-2}),
    "Adam with decay": ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    "AdamW": ("AdamW", {}),
    "AdamW, settings": ("AdamW", {"lr": 0.1, "betas": (0.5, 0.99), "weight_decay": 0.5}),
}
PARAMETERS = [(3, 4), (4,), (), (0, 2), (2, 1, 2)]
STEPS = 50


def pairs(f: SimpleNamespace, dtype: type) -> tuple[list, list]:
    """Return the same parameters as our Tensors and as PyTorch's."""
    arrays = [np.array(np.random.default_rng(3).normal(size=s), dtype) for s in PARAMETERS]
    ours = [f.Tensor(a, a.dtype, requires_grad=True) for a in arrays]
    return ours, [torch.tensor(a, requires_grad=True) for a in arrays]


def give_gradients(ours: list, theirs: list, rng: np.random.Generator) -> None:
    """Give both the same random gradients, of very different sizes; now and then one has none."""
    for mine, other in zip(ours, theirs, strict=True):
        grad = np.array(rng.normal(size=mine.shape) * 10 ** rng.uniform(-3, 2), mine.dtype)
        without = rng.random() < 0.2
        mine.grad, other.grad = (None, None) if without else (grad, torch.tensor(grad))


def equal_parameters(what: str, ours: list, theirs: list) -> None:
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        close(f"{what}, parameter {number}", mine.data, other.detach().numpy(), TOLERANCE)


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", KINDS)
def test_optimizers(framework: SimpleNamespace, name: str, dtype: type) -> None:
    kind, settings = KINDS[name]
    (ours, theirs), rng = pairs(framework, dtype), np.random.default_rng(4)
    mine = getattr(framework, kind)(ours, **settings)
    other = getattr(torch.optim, kind)(theirs, **settings)
    for step in range(STEPS):
        give_gradients(ours, theirs, rng)
        if step % 10 == 9:  # whoever sets the lr by hand is obeyed at once
            mine.lr = other.param_groups[0]["lr"] = mine.lr * 0.7
        mine.step()
        other.step()
        equal_parameters(f"{name}, step {step}", ours, theirs)
    mine.zero_grad()
    other.zero_grad()
    assert [p.grad for p in ours] == [p.grad for p in theirs] == [None] * len(ours)


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("max_norm", [0.0, 1e-3, 1.0, 30.0, 1e6])
def test_clip_grad_norm_(framework: SimpleNamespace, max_norm: float, dtype: type) -> None:
    (ours, theirs), rng = pairs(framework, dtype), np.random.default_rng(5)
    for size in (1e-6, 1e-2, 1.0, 1e3):
        give_gradients(ours, theirs, rng)
        for mine, other in zip(ours, theirs, strict=True):
            if mine.grad is not None:
                mine.grad *= size
                other.grad *= size
        norm = framework.clip_grad_norm_(ours, max_norm)
        expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        tolerance = TOLERANCE[np.dtype(dtype)]
        assert norm == pytest.approx(expected.item(), rel=tolerance, abs=0)
        for mine, other in zip(ours, theirs, strict=True):
            assert (mine.grad is None) == (other.grad is None)
            if mine.grad is not None:
                close(f"norm {norm}", mine.grad, other.grad.numpy(), TOLERANCE)


SCHEDULES = {
    "StepLR": [("StepLR", {"step_size": 4})],
    "StepLR, gamma": [("StepLR", {"step_size": 1, "gamma": 0.9})],
    "CosineAnnealingLR": [("CosineAnnealingLR", {"T_max": 30})],
    "CosineAnnealingLR, past its end": [("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01})],
    "LinearLR": [("LinearLR", {})],
    "LinearLR, down": [
        ("LinearLR", {"start_factor": 0.9, "end_factor": 0.1, "total_iters": 12}),
    ],
    "warm-up and cosine": [("LinearLR", {"total_iters": 4}), ("CosineAnnealingLR", {"T_max": 26})],
    "three in a row": [
        ("LinearLR", {"total_iters": 4}), ("StepLR", {"step_size": 3, "gamma": 0.5}),
        ("CosineAnnealingLR", {"T_max": 10, "eta_min": 1e-3}),
    ],
}  # fmt: skip


def scheduled(library, optimizer, parts: list, milestones: list):
    """Return the scheduler of these parts: one, or a SequentialLR of several."""
    made = [getattr(library, kind)(optimizer, **settings) for kind, settings in parts]
    return made[0] if len(made) == 1 else library.SequentialLR(optimizer, made, milestones)


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedulers(framework: SimpleNamespace, name: str) -> None:
    parts = SCHEDULES[name]
    milestones = [[], [4], [4, 15]][len(parts) - 1]
    ours, theirs = pairs(framework, np.float64)
    mine, other = framework.SGD(ours, lr=0.5), torch.optim.SGD(theirs, lr=0.5)
    plan = scheduled(framework, mine, parts, milestones)
    their_plan = scheduled(torch.optim.lr_scheduler, other, parts, milestones)
    for epoch in range(35):
        assert plan.last_epoch == their_plan.last_epoch == epoch
        assert mine.lr == pytest.approx(other.param_groups[0]["lr"], rel=1e-12, abs=1e-15), epoch
        other.step()  # or PyTorch warns
        plan.step()
        their_plan.step()


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("name", KINDS)
def test_a_state_dict_goes_on_as_pytorchs_does(framework: SimpleNamespace, name: str) -> None:
    kind, settings = KINDS[name]
    (ours, theirs), rng = pairs(framework, np.float64), np.random.default_rng(6)
    mine = getattr(framework, kind)(ours, **settings)
    other = getattr(torch.optim, kind)(theirs, **settings)
    for step in range(20):
        if step == 10:
            saved, their_saved = mine.state_dict(), other.state_dict()
            mine, other = getattr(framework, kind)(ours), getattr(torch.optim, kind)(theirs)
            mine.load_state_dict(saved)
            other.load_state_dict(their_saved)
        give_gradients(ours, theirs, rng)
        mine.step()
        other.step()
        equal_parameters(f"{name}, step {step}", ours, theirs)


REFUSED = {
    "no parameters": lambda lib, p, made: lib.SGD([]),
    "a bare Tensor": lambda lib, p, made: lib.SGD(p),
    "a string": lambda lib, p, made: lib.Adam([p, "w"]),
    "a result": lambda lib, p, made: lib.SGD([p * 2.0]),
    "a negative lr": lambda lib, p, made: lib.AdamW([p], lr=-0.1),
    "a negative momentum": lambda lib, p, made: lib.SGD([p], momentum=-0.5),
    "a negative decay": lambda lib, p, made: lib.Adam([p], weight_decay=-0.1),
    "a negative eps": lambda lib, p, made: lib.RMSprop([p], eps=-1.0),
    "a negative alpha": lambda lib, p, made: lib.RMSprop([p], alpha=-1.0),
    "Nesterov without momentum": lambda lib, p, made: lib.SGD([p], nesterov=True),
    "a beta of 1": lambda lib, p, made: lib.Adam([p], betas=(0.9, 1.0)),
    "a scheduler of a list": lambda lib, p, made: made.StepLR([p], 3),
    "a factor of 0": lambda lib, p, made: made.LinearLR(lib.SGD([p]), 0.0),
    "a factor of 2": lambda lib, p, made: made.LinearLR(lib.SGD([p]), 0.5, 2.0),
    "milestones": lambda lib, p, made: made.SequentialLR(
        o := lib.SGD([p]), [made.StepLR(o, 3)], [3]
    ),
    "another number of parameters": lambda lib, p, made: lib.SGD([p]).load_state_dict(
        {**lib.SGD([p]).state_dict(), "state": [{}, {}], "param_groups": []}
        if made is not lib else {**lib.SGD([p]).state_dict(), "state": [{}, {}]}
    ),
}  # fmt: skip


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("what", REFUSED)
def test_what_optimizers_refuse(framework: SimpleNamespace, what: str) -> None:
    (ours, *_), (theirs, *_) = pairs(framework, np.float32)
    call, errors = REFUSED[what], []
    for library, p, schedulers in (
        (framework, ours, framework),
        (torch.optim, theirs, torch.optim.lr_scheduler),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            call(library, p, schedulers)
        errors.append(caught.type)
    assert errors[0] is errors[1], f"{what}: ours {errors[0]}, PyTorch's {errors[1]}"
<%- endif %>
<%- if cookiecutter.last_module >= '07' %>


# --- Module 07 ---

BATCHED = [(10, 4), (8, 4), (1, 1), (7, 9), (5, 1)]


def arrays_of(batches) -> list:
    """Return every Tensor of every batch, ours or PyTorch's, as lists."""
    return [[np.asarray(part).tolist() for part in batch] for batch in batches]


@pytest.mark.needs("autograd", "optimizers", "training")
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n, size", BATCHED)
def test_data_loader(framework: SimpleNamespace, n: int, size: int, drop_last: bool) -> None:
    f, rng, theirs = framework, np.random.default_rng(7), torch.utils.data
    x, y = rng.normal(size=(n, 2, 3)).astype(np.float32), rng.integers(0, 9, n)
    mine = f.TensorDataset(f.Tensor(x), f.Tensor(y))
    other = theirs.TensorDataset(torch.tensor(x), torch.tensor(y))
    assert len(mine) == len(other)
    assert arrays_of(mine[i] for i in range(n)) == arrays_of(other[i] for i in range(n))
    rows = rng.integers(0, n, 2 * n).tolist()
    for a, b in ((mine, other), (f.Subset(mine, rows), theirs.Subset(other, rows))):
        ours = f.DataLoader(a, size, drop_last=drop_last)
        torchs = theirs.DataLoader(b, size, drop_last=drop_last)
        assert len(ours) == len(torchs)
        assert arrays_of(ours) == arrays_of(torchs)
    samples = [(x[i], int(y[i]), float(i)) for i in range(n)]
    collated = arrays_of([theirs.default_collate(samples)])
    assert arrays_of([f.collate(samples)]) == collated


@pytest.mark.needs("autograd", "optimizers", "training")
@pytest.mark.parametrize(
    "lengths", [[6, 4], [0.75, 0.25], [0.5, 0.3, 0.2], [1 / 3] * 3, [0.15] * 6]
)
def test_random_split(framework: SimpleNamespace, lengths: list) -> None:
    f, sizes = framework, []
    for split, rows in ((f.random_split, range(10)), (torch.utils.data.random_split, range(10))):
        try:
            parts = split(rows, lengths)
            assert sorted(i for part in parts for i in part.indices) == list(rows)
            sizes.append([len(part) for part in parts])
        except ValueError:
            sizes.append("refused")
    assert sizes[0] == sizes[1]


@pytest.mark.needs("autograd", "optimizers", "training")
@pytest.mark.parametrize("kind, group", [("Trainer", 1), ("AccumulatingTrainer", 3)])
def test_training(framework: SimpleNamespace, kind: str, group: int) -> None:
    """The same network, batches and clipping, in PyTorch's usual loop: the same weights."""
    f, rng = framework, np.random.default_rng(8)
    x, y = rng.normal(size=(22, 4)), rng.integers(0, 3, 22)
    model = f.Sequential(f.Linear(4, 5), f.Tanh(), f.Linear(5, 3))
    twin = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    with torch.no_grad():
        for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
            mine.data = mine.data.astype(np.float64)
            other[...] = torch.tensor(mine.data.T)
    optimizer = f.SGD(model.parameters(), lr=0.5, momentum=0.9)
    loader = f.DataLoader(f.TensorDataset(f.Tensor(x, np.float64), f.Tensor(y)), 4)
    trainer = getattr(f, kind)(model, f.CrossEntropyLoss(), optimizer, loader, max_norm=0.3)
    trainer.accumulate_grad_batches = group
    losses = [row["loss"] for row in trainer.fit(5)]
    step, rows, total = torch.optim.SGD(twin.parameters(), lr=0.5, momentum=0.9), 4 * group, 0.0
    for _ in range(5):
        total = 0.0
        for start in range(0, 22, rows):
            step.zero_grad()
            part = torch.tensor(x[start : start + rows]), torch.tensor(y[start : start + rows])
            loss = F.cross_entropy(twin(part[0]), part[1])
            loss.backward()
            nn.utils.clip_grad_norm_(twin.parameters(), 0.3)
            step.step()
            total += loss.item() * len(part[1])
    assert losses[-1] == pytest.approx(total / 22, rel=1e-12)
    for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
        close(kind, mine.data, other.detach().numpy().T, TOLERANCE)
    with torch.no_grad():
        logits = twin(torch.tensor(x))
    trainer.metrics = {"accuracy": f.accuracy}
    found = trainer.evaluate(loader)
    assert found["loss"] == pytest.approx(F.cross_entropy(logits, torch.tensor(y)).item())
    assert found["accuracy"] == (logits.argmax(1) == torch.tensor(y)).double().mean().item()


@pytest.mark.needs("autograd", "optimizers", "training")
def test_what_a_loader_refuses(framework: SimpleNamespace) -> None:
    for library in (framework, torch.utils.data):
        with pytest.raises(ValueError):
            library.DataLoader(range(3), batch_size=0)
        with pytest.raises(ValueError):
            library.random_split(range(3), [1, 1])
<%- endif %>


# --- nothing is left out ---

OURS_ALONE = """
    add_to_class as_tuple tensor_function in_floats result_of unwrap broadcast_shape
    contiguous_strides broadcast_strides read_strided binary reflected unary reduction factory
    check check_raises check_differentiable record_operations times median_time
<%- if cookiecutter.last_module >= '02' %>
    Activation
<%- endif %>
<%- if cookiecutter.last_module >= '03' %>
    Layer taken_apart parameters train uniform count_parameters linear_flops
<%- endif %>
<%- if cookiecutter.last_module >= '04' %>
    Loss same_shape check_classes smooth accuracy
<%- endif %>
<%- if cookiecutter.last_module >= '06' %>
    Optimizer LRScheduler refuse_negative refuse_others buffer first_lr
    apply_decay direction saved_names
    train_epoch
<%- endif %>
<%- if cookiecutter.last_module >= '07' %>
    Dataset MeanMetric EarlyStopping fetch training_step evaluate fit
    pack unpack save load
<%- endif %>
    backward retain_grad zero_grad item numpy dtype ndim shape size Tensor manual_seed rand randn
"""


COMPARED = """
    tensor
<%- if cookiecutter.last_module >= '02' %> activations<% endif %>
<%- if cookiecutter.last_module >= '03' %> layers<% endif %>
<%- if cookiecutter.last_module >= '04' %> losses<% endif %>
<%- if cookiecutter.last_module >= '06' %> optimizers<% endif %>
<%- if cookiecutter.last_module >= '07' %> training<% endif %>
"""


def test_what_a_module_shows_of_pytorch_is_what_it_gives(nb: NotebookNode) -> None:
    (cell,) = [cell for cell in nb.cells if "### The same in PyTorch" in cell.source]
    (shown,) = re.findall(r"^```python\n(.*?)^```", cell.source, re.M | re.S)
    test = doctest.DocTestParser().get_doctest(shown, {}, "The same in PyTorch", None, 0)
    said: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
    assert result.attempted >= 2 and not result.failed, "".join(said)


def installed(path: str) -> Path:
    """Return where a file of PyTorch's repository lies in an installation of it."""
    home = Path(torch.__file__).parent
    if path == "tools/autograd/derivatives.yaml":
        return home.parent / "torchgen/packaged/autograd/derivatives.yaml"
    if path.endswith(".h"):
        return home / "include" / path.removeprefix("aten/src/")
    return home.parent / path


def test_the_way_into_pytorchs_sources_is_right(course: Course, framework: SimpleNamespace) -> None:
    """Each line of the kit's page names files that are there, and names that are in them."""
    text = (course.root / "student/where-to-go.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (.+) \| (`.+`) \|$", text, re.M)
    assert len(rows) > 8
    classes = [value for value in vars(framework).values() if isinstance(value, type)]
    known = vars(framework).keys() | {name for each in classes for name in dir(each)}
    for yours, theirs, files in rows:
        own = re.findall(r"`(\w+)`", yours)
        assert set(own) <= known, f"the framework has no {set(own) - known}"
        names = re.findall(r"`(.+?)`", theirs) if "the same" not in theirs else own
        source = "".join(
            installed(path).read_text(encoding="utf-8") for path in re.findall(r"`(.+?)`", files)
        )
        for name in names:
            assert re.search(rf"\b{re.escape(name)}\b", source), f"{files} knows no {name}"
    titles = re.findall(r"^## (\d\d) ", text, re.M)
    assert titles and set(titles) <= {module.name[:2] for module in course.modules()}


def test_every_public_name_is_compared(course: Course, framework: SimpleNamespace) -> None:
    """Whoever adds a function adds its comparison above, or says that PyTorch has none."""
    compared = set(re.findall(r"\w+", Path(__file__).read_text(encoding="utf-8").split("OURS_")[0]))
    for stem in [m.stem for m in course.modules() if m.stem in COMPARED.split()]:
        module = importlib.import_module(f"{course.package}.{stem}")
        own = {n for n, v in vars(module).items() if inspect.getmodule(v) is module}
        own |= set(vars(framework.Tensor)) if stem == "tensor" else set()
        public = {name for name in own if not name.startswith("_")}
        assert public - compared - set(OURS_ALONE.split()) == set(), (
            f"{stem}: compare these with PyTorch"
        )
