"""Module 05 in the course: the one Tensor differentiates, and nothing else was touched."""

import gc
import importlib
import operator
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.sources import scores, write_package
from coursekit import execution, notebook
from coursekit.course import Course

pytestmark = [
    pytest.mark.needs("tensor", "activations", "layers", "losses", "autograd"),
    pytest.mark.filterwarnings("error"),
]

STEP = 1e-6
AWAY_FROM_KINKS = st.floats(0.125, 2.0, width=16) | st.floats(-2.0, -0.125, width=16)
POSITIVE = st.floats(0.25, 2.0, width=16)
SHAPES = hnp.array_shapes(max_dims=3, max_side=3)


def arrays(elements: st.SearchStrategy, shape=SHAPES) -> st.SearchStrategy:
    return hnp.arrays(np.float64, shape, elements=elements)


def leaves(f: SimpleNamespace, values: list[np.ndarray]) -> list:
    return [f.Tensor(v, dtype=np.float64, requires_grad=True) for v in values]


def differentiates(f: SimpleNamespace, function: Callable, *values: np.ndarray) -> None:
    """Compare backward with central differences of a randomly weighted sum of the result."""
    tensors = leaves(f, list(values))
    result = function(*tensors)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, result.shape)
    result.backward(weights)

    def total() -> float:
        with f.no_grad():
            return float((function(*tensors).data * weights).sum())

    for tensor in tensors:
        grad = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        for index in np.ndindex(tensor.shape):
            old = tensor.data[index]
            tensor.data[index] = old + STEP
            above = total()
            tensor.data[index] = old - STEP
            slope = (above - total()) / (2 * STEP)
            tensor.data[index] = old
            assert grad[index] == pytest.approx(slope, rel=1e-4, abs=1e-6), (index, values)


def test_only_the_attributes_of_tensor_change(course: Course, tmp_path: Path) -> None:
    """In a process of its own, since the other tests have imported everything."""
    script = f"""
import importlib, sys
sys.path.insert(0, {str(write_package(course, "~", tmp_path))!r})
stems = ["tensor", "activations", "layers", "losses"]
modules = [importlib.import_module("{course.package}." + stem) for stem in stems]
things = {{id(m): m for m in modules}}
for m in modules:
    values = vars(m).values()
    things |= {{id(v): v for v in values if isinstance(v, type) or hasattr(v, "__code__")}}
before = {{i: dict(vars(v)) for i, v in things.items()}}
code = {{i: v.__code__ for i, v in things.items() if hasattr(v, "__code__")}}
importlib.import_module("{course.package}.autograd")
changed = [things[i].__name__ for i, old in before.items() if dict(vars(things[i])) != old]
changed += [things[i].__name__ for i, old in code.items() if things[i].__code__ is not old]
print(sorted(changed))
"""
    run = [sys.executable, "-P", "-c", script]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "['Tensor']\n"


UNARY = {
    "exp": AWAY_FROM_KINKS, "log": POSITIVE, "log1p": POSITIVE, "sqrt": POSITIVE,
    "tanh": AWAY_FROM_KINKS, "erf": AWAY_FROM_KINKS, "abs": AWAY_FROM_KINKS,
    "__neg__": AWAY_FROM_KINKS, "__abs__": AWAY_FROM_KINKS, "sum": AWAY_FROM_KINKS,
    "mean": AWAY_FROM_KINKS,
}  # fmt: skip
BINARY = ["add", "sub", "mul", "truediv", "pow"]
CHOICES = ["maximum", "minimum"]
REDUCTIONS = ["sum", "mean", "var", "max", "min"]
SHAPED = {
    "reshape": lambda t: t.reshape(-1), "permute": lambda t: t.permute(*reversed(range(t.ndim))),
    "transpose": lambda t: t.transpose(0, -1), "unsqueeze": lambda t: t.unsqueeze(1),
    "squeeze": lambda t: t.unsqueeze(0).squeeze(0), "clip": lambda t: t.clip(-1.03, 1.03),
    "__getitem__": lambda t: t[..., ::2], "__iter__": lambda t: next(iter(t)),
    "T": lambda t: t.reshape(1, -1).T,
}  # fmt: skip
ALONE = {  # no result that could have a gradient, or a method that governs the graph
    "argmax", "numpy", "item", "backward", "detach", "zero_grad", "retain_grad", "dtype", "shape",
    "ndim", "size", "where", "concatenate", "relu", "linear", "cross_entropy", "__round__",
}  # fmt: skip
COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
OF_PYTHON = {
    "__array__", "__array_ufunc__", "__bool__", "__float__", "__init__", "__int__", "__len__",
}  # fmt: skip


def test_no_operation_of_tensor_is_forgotten(framework: SimpleNamespace) -> None:
    """Whoever adds an operation adds it to these tests, or to the list of those without one."""
    ours = {n for n, v in vars(framework.Tensor).items() if callable(v) or isinstance(v, property)}
    ours |= {n for n, v in vars(framework.Tensor).items() if isinstance(v, staticmethod)}
    sides = {f"__{side}{name}__" for name in BINARY for side in ("", "r")}
    tested = set(UNARY) | set(SHAPED) | set(CHOICES) | set(REDUCTIONS) | sides | {"__matmul__"}
    usual = set(vars(object)) | {"__dict__", "__weakref__", "__module__"}
    assert ours - tested - ALONE - COMPARISONS - OF_PYTHON - usual == set()


@pytest.mark.parametrize("name", UNARY)
@given(data=st.data())
def test_functions_of_each_element(framework: SimpleNamespace, name: str, data) -> None:
    differentiates(framework, operator.methodcaller(name), data.draw(arrays(UNARY[name])))


@pytest.mark.parametrize("name", [*BINARY, *CHOICES])
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), data=st.data()
)
def test_operations_on_two(framework: SimpleNamespace, name: str, shapes, data) -> None:
    a, b = (data.draw(arrays(POSITIVE, shape)) for shape in shapes.input_shapes)
    b = b + 0.03125 * np.sqrt(2)  # no ties: there central differences see both sides
    op = getattr(operator, name, None)
    differentiates(framework, op or (lambda s, t: getattr(s, name)(t)), a, b)
    if op:
        differentiates(framework, lambda t: op(1.5, t), a)
        differentiates(framework, lambda t: op(t, 2), a)


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data())
def test_reductions(framework: SimpleNamespace, name: str, data) -> None:
    shape = data.draw(hnp.array_shapes(min_side=2, max_dims=3, max_side=3))
    order = data.draw(st.permutations(range(int(np.prod(shape)))))
    x = np.reshape([v / 7 for v in order], shape)  # no ties
    axes = [None, *range(-len(shape), len(shape)), tuple(range(len(shape)))]
    axis, keep = data.draw(st.sampled_from(axes)), data.draw(st.booleans())
    call = operator.methodcaller(name, axis=axis, keepdims=keep)
    differentiates(framework, call, x)


@pytest.mark.parametrize("name", SHAPED)
@given(x=arrays(AWAY_FROM_KINKS))
def test_shapes_and_indices(framework: SimpleNamespace, name: str, x) -> None:
    differentiates(framework, SHAPED[name], x)


@given(x=arrays(AWAY_FROM_KINKS, (3, 2)), rows=st.lists(st.integers(-3, 2), max_size=5))
def test_rows_that_repeat_add_up(framework: SimpleNamespace, x, rows) -> None:
    index = framework.Tensor(np.array(rows, dtype=np.int64))
    differentiates(framework, lambda t: t[index] * t[index], x)


@given(
    x=arrays(AWAY_FROM_KINKS, (2, 3)), y=arrays(AWAY_FROM_KINKS, (2, 3)), axis=st.integers(-2, 1)
)
def test_joins_and_choices(framework: SimpleNamespace, x, y, axis) -> None:
    f = framework
    differentiates(f, lambda s, t: f.concatenate([s, t, s], axis), x, y)
    differentiates(f, lambda s, t: f.stack([s, t], axis), x, y)
    differentiates(f, lambda s, t: f.where(s > 0, s, t), x, y)
    differentiates(f, lambda s, t: f.where(s > 0, 1.0, b=t) * s.maximum(other=t), x, y)


MATRICES = [((2, 3), (3, 2)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 2, 3), (3, 2))]


@pytest.mark.parametrize(
    "shapes", [*MATRICES, ((2, 1, 2, 3), (2, 3, 2)), ((3,), (2, 3, 2))], ids=str
)
def test_matmul(framework: SimpleNamespace, shapes) -> None:
    rng = np.random.default_rng(1)
    differentiates(framework, operator.matmul, *(rng.normal(size=shape) for shape in shapes))


@given(x=arrays(POSITIVE, (2, 2)), plan=st.lists(st.tuples(*[st.integers(0, 9)] * 3), max_size=8))
def test_tangled_graphs(framework: SimpleNamespace, x, plan) -> None:
    """Random graphs of shared nodes: each step joins two earlier results."""

    def tangle(t):
        made = [t, t * 0.5]
        for kind, i, j in plan:
            a, b = made[i % len(made)], made[j % len(made)]
            made.append([a + b, a * b * 0.25, (a - b).tanh()][kind % 3])
        return made[-1] + made[len(made) // 2]

    differentiates(framework, tangle, x)


FUNCTIONS = ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "softmax", "log_softmax"]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=arrays(AWAY_FROM_KINKS))
def test_activations(framework: SimpleNamespace, name: str, x) -> None:
    differentiates(framework, getattr(framework, name), x)


def pair(f: SimpleNamespace, name: str) -> tuple[Callable, Callable]:
    """Return a function as Modules 02 to 04 compose it, and as Module 05 fuses it."""
    return f.composed[name], getattr(f, name)


@given(x=arrays(AWAY_FROM_KINKS))
def test_relu_composed_and_fused(framework: SimpleNamespace, x) -> None:
    for relu in pair(framework, "relu"):
        differentiates(framework, relu, x)


@pytest.mark.parametrize("bias", [True, False])
@given(rows=hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3), data=st.data())
def test_linear_composed_and_fused(framework: SimpleNamespace, bias: bool, rows, data) -> None:
    shapes = [(*rows, 3), (3, 2), (2,)][: 2 + bias]
    values = [data.draw(arrays(AWAY_FROM_KINKS, shape)) for shape in shapes]
    for linear in pair(framework, "linear"):
        differentiates(framework, linear, *values)


@pytest.mark.parametrize("wide", ["x", "weight", "bias"])
def test_linear_composed_and_fused_give_the_same_dtype(
    framework: SimpleNamespace, wide: str
) -> None:
    shapes = {"x": (2, 3), "weight": (3, 4), "bias": (4,)}
    arrays = {n: np.ones(s, np.float64 if n == wide else np.float32) for n, s in shapes.items()}
    tensors = [framework.Tensor(array, dtype=array.dtype) for array in arrays.values()]
    composed, fused = (linear(*tensors).dtype for linear in pair(framework, "linear"))
    assert composed == fused == np.float64


@pytest.mark.parametrize("how", ["mean", "sum", "none"])
@given(x=arrays(AWAY_FROM_KINKS, (3, 4)))
def test_cross_entropy_composed_and_fused(framework: SimpleNamespace, how: str, x) -> None:
    labels = framework.Tensor([3, 0, 3])
    for loss in pair(framework, "cross_entropy"):
        differentiates(framework, lambda t, loss=loss: loss(t, labels, how), x)


def test_fused_operations_are_one_node_and_used_by_the_layers(framework: SimpleNamespace) -> None:
    f = framework
    model = f.Sequential(f.Linear(4, 3), f.ReLU(), f.Linear(3, 2))
    loss = f.CrossEntropyLoss()(model(f.randn(5, 4)), f.Tensor([0, 1, 1, 0, 1]))
    names = [node.name for node in f.topological_order(loss)]
    assert names == ["CrossEntropy", "Linear", "ReLU", "Linear"]


def test_the_order_of_imports_does_not_matter(course: Course, tmp_path: Path) -> None:
    """Module 02 defines relu; imported after Module 05, it must not undo the fused one."""
    package = course.package
    script = f"""
import sys
sys.path.insert(0, {str(write_package(course, "~", tmp_path))!r})
import {package}.autograd, {package}.activations
from {package}.tensor import Tensor
print({package}.activations.relu(Tensor(1.0, requires_grad=True)).grad_fn)
"""
    run = [sys.executable, "-P", "-c", script]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "<ReLU>\n"


LAYERS = {
    "Linear": ((4, 3), (2, 4)), "LayerNorm": ((4,), (2, 4)), "Flatten": ((), (2, 3, 2)),
    "Sequential": ((), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers(framework: SimpleNamespace, name: str) -> None:
    settings, shape = LAYERS[name]
    layer = getattr(framework, name)(*settings)
    for p in layer.parameters():
        p.data = p.data.astype(np.float64)
    parameters = [p.data.copy() for p in layer.parameters()]

    def call(x, *values):
        for p, value in zip(names, values, strict=True):
            setattr(layer, p, value)
        return layer(x)

    names = [n for n, v in vars(layer).items() if isinstance(v, framework.Tensor)]
    x = np.random.default_rng(2).normal(size=shape)
    differentiates(framework, call, x, *parameters)


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "BCEWithLogitsLoss"])
@given(x=arrays(AWAY_FROM_KINKS, (2, 3)), how=st.sampled_from(["mean", "sum", "none"]))
def test_losses(framework: SimpleNamespace, name: str, x, how) -> None:
    target = framework.Tensor(np.full((2, 3), 0.0625), dtype=np.float64)
    loss = getattr(framework, name)(how)
    differentiates(framework, lambda t: loss(t, target), x)


@given(x=arrays(AWAY_FROM_KINKS, (2, 3)), smoothing=st.sampled_from([0.0, 0.1]))
def test_cross_entropy(framework: SimpleNamespace, x, smoothing) -> None:
    loss = framework.CrossEntropyLoss(label_smoothing=smoothing)
    differentiates(framework, lambda t: loss(t, framework.Tensor([2, 0])), x)


def test_what_cannot_have_a_gradient_says_so(framework: SimpleNamespace) -> None:
    t = framework.Tensor([1.0, 2.0], requires_grad=True)
    for flat in (t.argmax(), t > 1.5, t == t):
        assert not flat.requires_grad
        with pytest.raises(RuntimeError, match="requires_grad"):
            (flat * 1.0).sum().backward()


def test_a_backward_that_does_nothing_costs_what_needs_it(
    course: Course, from_source: Callable, tmp_path: Path
) -> None:
    """One mistake costs one exercise: rules are tested without it, gradcheck is made of it."""
    (module,) = course.modules(["05_autograd"])
    nb = notebook.read(module.source)
    (cell,) = (c for c in nb.cells if notebook.grade_id(c) == "autograd-backward")
    start, body = cell.source.rsplit("    ### BEGIN SOLUTION\n", 1)
    cell.source = start + "    return None\n" + body.split("    ### END SOLUTION")[1]
    known = from_source(module, write_package(course, module.name, tmp_path))
    with execution.engine(known, sandboxed=False) as warm:
        execution.run(warm, known, nb.cells)
    points = scores(nb.cells)
    tests = [notebook.grade_id(c) for c in filter(notebook.is_test, nb.cells)]
    lost = ["backward-test", "backward-beyond", "gradcheck-test", "gradcheck-beyond"]
    assert [name for name in tests if not points[name]] == [f"autograd-{name}" for name in lost]


def test_a_shared_node_grows_linearly(framework: SimpleNamespace) -> None:
    """Count the vjps that backward calls: one an edge, however many paths lead there."""
    calls = []

    def counted(vjp: Callable) -> Callable:
        return lambda g: calls.append(1) or vjp(g)

    for depth in (10, 100, 1000):
        y = x = framework.Tensor(1.0, dtype=np.float64, requires_grad=True)
        calls.clear()
        for _ in range(depth):
            y = y + y
            y.grad_fn.edges = [(target, counted(vjp)) for target, vjp in y.grad_fn.edges]
        y.backward()
        assert len(calls) == 2 * depth
        assert x.grad == 2.0**depth


def test_a_picture_is_the_same_twice_and_leaves_gradients_alone(framework: SimpleNamespace) -> None:
    viz = importlib.import_module(f"{framework.Tensor.__module__.partition('.')[0]}.viz")
    a, b = (framework.Tensor([v, v], requires_grad=True) for v in (2.0, 3.0))
    a.grad = np.array([7.0, 7.0])
    assert viz.draw(lambda: (a * b + a).sum()) == viz.draw(lambda: (a * b + a).sum())
    with pytest.raises(RuntimeError):  # of a vector
        viz.draw(lambda: a * b)
    assert a.grad.tolist() == [7.0, 7.0] and b.grad is None


def test_a_long_chain_needs_no_deep_stack(framework: SimpleNamespace) -> None:
    for backward in (True, False):
        y = x = framework.Tensor([1.0], requires_grad=True)
        for _ in range(100_000):
            y = y * 1.0
        if backward:
            y.backward()
            assert x.grad.tolist() == [1.0]
        del y
        gc.collect()


def test_the_graph_is_freed_and_a_second_backward_says_why(framework: SimpleNamespace) -> None:
    x = framework.Tensor([1.0, 2.0], requires_grad=True)
    inner = x * x
    node, data = weakref.ref(inner.grad_fn), weakref.ref(inner.data)
    y = (inner * 3).sum()
    del inner
    y.backward()
    assert (node(), data()) == (None, None)
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_no_grad_records_nothing_even_after_an_exception(framework: SimpleNamespace) -> None:
    f = framework
    x = f.Tensor([1.0], requires_grad=True)
    with pytest.raises(KeyError), f.no_grad():
        raise KeyError
    assert (x * 2).requires_grad
    with f.no_grad():
        assert (x * 2).grad_fn is None
