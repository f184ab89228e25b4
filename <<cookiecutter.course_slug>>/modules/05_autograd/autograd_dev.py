# ---
# jupyter:
#   jupytext:
#     cell_metadata_json: true
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
"""
# Module 05: Autograd

**Learning Objectives:**
- Build reverse-mode automatic differentiation into `Tensor`: record a graph, walk it back once.
- Understand a vjp: how each operation turns the gradient of its result into those of its inputs.
- Analyze what gradients cost in time and in memory, and trade the one for the other.

**Where it stands:** Modules 01 to 04 compute losses. You update the operations of `Tensor` so that
they remember what they did; then `loss.backward()` differentiates every layer and loss you wrote,
without a change to them. Module 06 trains with it. **Time:** 8 to 10 hours.
**Points:** 80 by tests, 20 for written answers.
Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import contextlib
import itertools
import math
import operator
import time

import numpy as np

from << cookiecutter.package_name >>.tensor import (
    Tensor,
    add_to_class,
    as_tuple,
    in_floats,
    result_of,
    tensor_function,
    unwrap,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

How does the loss L change if one number of a parameter w grows a little? The answers for all its
numbers are the **gradient** ∂L/∂w, an array of w's shape.

**Chain rule.** If w acts on L through u, then ∂L/∂w = ∂L/∂u · ∂u/∂w. If it acts through several
results, their products add up.

**vjp.** For arrays ∂u/∂w is a Jacobian matrix J of (size of u) · (size of w) numbers: far too many.
Nobody needs it. An operation must only know how to turn the gradient g = ∂L/∂u of its result into
g · J, the gradient of its input: its **vector-Jacobian product**. For u = w · b, elementwise, that
is g · b: one line of code.

**Graph.** While computing forward, every result remembers its operation and its inputs. Backward
starts at L, where ∂L/∂L = 1, and uses each vjp once.

### Computational Complexity

| What | Time | Memory |
|---|---|---|
| gradient by differences, P parameters | O(P F) | O(1) |
| backward: all of the gradient at once | O(F), 1 to 2 forward passes | O(A) |
| a Jacobian of n results and n inputs | O(n²) | O(n²) |
| the vjp of an elementwise operation on n numbers | O(n) | O(n) |
| the order of N nodes with E edges | O(N log N + E) | O(N) |
| checkpointing a chain of N layers in √N pieces | O(F), one more forward pass | O(A / √N) |

F FLOPs in the forward pass, A bytes of arrays that the vjps need later.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-node", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
grad_enabled = True  # no_grad() turns recording off for a while
clock = itertools.count(time.perf_counter_ns())  # goes on even if this cell runs again


class Node:
    """One operation in the graph; its result holds it as grad_fn.

    Each edge is a pair: the input's Node (the input itself if it is a leaf, a Tensor that no
    operation made), and the vjp. Arrays that no vjp mentions can be freed, as in PyTorch.
    """

    __slots__ = ("name", "edges", "shape", "dtype", "time", "__weakref__")

    def __init__(self, name, edges, array):
        """Remember how this array was made, its shape and dtype, and when."""
        self.name, self.edges = name, edges
        self.shape, self.dtype, self.time = array.shape, array.dtype, next(clock)

    def __repr__(self):
        """Show the operation, as <Mul>."""
        return f"<{self.name}>"


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-check", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import functools
import warnings
import weakref

from << cookiecutter.package_name >>.activations import (
    ReLU,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    softmax,
    tanh,
)
from << cookiecutter.package_name >>.layers import (
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    Sequential,
)
from << cookiecutter.package_name >>.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    accuracy,
)
from << cookiecutter.package_name >>.tensor import (
    manual_seed,
    randn,
    stack,
)
from << cookiecutter.package_name >>.testing import (
    check,
    check_raises,
    times,
)


def leaf(data, dtype=None):
    """Return a Tensor that requires gradients."""
    return Tensor(data, dtype, requires_grad=True)


def check_array(array, expected, what, dtype=None, hint=""):
    """Fail, saying why, unless array is an ndarray of these numbers (nested lists) and dtype."""
    assert type(array) is np.ndarray, f"{what}: expected an ndarray, got {array!r:.200}"
    check(Tensor(array, dtype=array.dtype), expected, what, dtype, hint)


def slopes_of(total, arrays, h=1e-6):
    """Return, for each float64 array, (total(x + h) - total(x - h)) / 2h of each element x."""

    def at(array, index, value):
        old, array[index] = array[index], value
        result = total(*arrays)
        array[index] = old
        return result

    return [
        [(at(a, i, a[i] + h) - at(a, i, a[i] - h)) / (2 * h) for i in np.ndindex(a.shape)]
        for a in arrays
    ]


def check_near(tensor, slopes, tolerance, what, hint=""):
    """Fail unless tensor.grad is an ndarray of its shape and dtype with nearly these slopes."""
    grad, kind = tensor.grad, f"an ndarray of {tensor.dtype} {tensor.shape}"
    assert type(grad) is np.ndarray, f"{what}: .grad should be {kind}, got {grad!r:.200}"
    got = f"{grad.dtype} {grad.shape}"
    assert kind.endswith(got), f"{what}: .grad should be {kind}, got {got}"
    for index, want, have in zip(np.ndindex(grad.shape), slopes, grad.flat, strict=True):
        text = f"{what}: at {index} the slope is {want:.6g}, got {have:.6g}\nHint: {hint}"
        assert abs(want - have) <= tolerance * (1 + abs(want)), text.removesuffix("\nHint: ")


def check_slopes(what, function, plain, *arrays, hint=""):
    """Fail unless function gives Tensors what plain gives arrays, and backward plain's slopes.

    plain computes with float64 arrays, by their own operators and methods. Its slopes are central
    differences. The gradient that arrives at the result is random, so that no mistake cancels.
    """
    arrays = [np.array(a, np.float64) for a in arrays]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, np.shape(plain(*arrays)))
    slopes = slopes_of(lambda *xs: (plain(*xs) * weights).sum(), arrays)
    for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 1e-3)):
        tensors = [leaf(a, dtype) for a in arrays]
        given = [t.data.astype(np.float64) for t in tensors]
        result, label = function(*tensors), f"{what} in {dtype.__name__}"
        check(result, plain(*given).tolist(), label, dtype, hint)
        try:
            result.backward(weights.astype(dtype))
        except ValueError as error:
            raise AssertionError(f"{label}: a vjp returned a wrong shape? {error}") from error
        for k, (t, before) in enumerate(zip(tensors, given, strict=True)):
            check_near(t, slopes[k], tolerance, f"{label}, gradient of input {k}", hint)
            assert (t.data == before).all(), f"{label}: input {k} was modified"
        for s, t in itertools.combinations(tensors, 2):
            assert not np.shares_memory(s.grad, t.grad), f"{label}: two inputs share one .grad"


def check_model(what, loss, parameters):
    """Fail unless backward of loss() gives each parameter, made float64, its slopes."""
    for p in parameters:
        p.data, p.grad = p.data.astype(np.float64), None
    loss().backward()
    slopes = slopes_of(lambda *_: loss().item(), [p.data for p in parameters])
    for p, slope in zip(parameters, slopes, strict=True):
        check_near(p, slope, 1e-6, f"{what}, a parameter of shape {p.shape}")


def keeps(make, part):
    """Return whether the graph of make(inner) keeps part(inner), for a result inner."""
    inner = leaf([[1.0, 2.0]]) + 1.0
    kept, result = weakref.ref(part(inner)), make(inner)
    del inner
    return kept() is not None and result is not None


# %% [markdown]
"""
## Exercise 1: Slopes by brute force
You can measure a gradient without any theory: move one number a little up and a little down, and
see how much the result changes. It takes two runs of the function per number, hopeless for a
million parameters, but it needs no cleverness, only a place away from kinks: from now on it judges
everything you build.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-numeric", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: estimate the gradient of function at x by central differences.
# Approach: 1. copy x into a float64 array. 2. make zeros of its shape. 3. for each index: set
#   x[index] to old + eps, call; to old - eps, call; back to old. 4. the slope there is the
#   difference of the two results over 2 * eps.
# Example: numeric_gradient(lambda x: (x * x).sum(), np.array([1.0, 3.0]), 0.5)  ->  [2., 6.]
# Hint: np.ndindex(x.shape) gives every index. Keep old: x + eps - eps is not quite x.
def numeric_gradient(function, x, eps=1e-6):
    """Return the float64 array, of x's shape, of function's slopes at x; x stays as it is.

    function takes a float64 array of x's shape and returns a number.
    """
    ### BEGIN SOLUTION
    x = np.array(x, dtype=np.float64)
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        old = x[index]
        x[index] = old + eps
        above = function(x)
        x[index] = old - eps
        below = function(x)
        x[index] = old
        slopes[index] = (above - below) / (2 * eps)
    return slopes
    ### END SOLUTION


# %% [markdown]
"""
### Testing slopes
Polynomials, whose slopes are known. Hidden: other shapes, integers, the default eps, x afterwards.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-numeric-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
def test_numeric_gradient():
    x = np.array([1.0, 3.0])
    got = numeric_gradient(lambda v: (v * v).sum(), x, 0.5)
    check_array(got, [2.0, 6.0], "x² at [1, 3]", np.float64, "old ± eps, over 2 eps")
    got = numeric_gradient(lambda v: (v * v * v).sum(), x, 0.5)
    check_array(got, [3.25, 27.25], "x³ at [1, 3] with eps = 0.5", np.float64)
    got = numeric_gradient(lambda v: v[0] * v[1], x, 0.5)
    check_array(got, [3.0, 1.0], "x₀ · x₁ at [1, 3]", np.float64, "put old back")
    assert x.tolist() == [1.0, 3.0], f"x was changed to {x}"
    ### BEGIN HIDDEN TESTS
    # hidden: the default eps
    got = numeric_gradient(lambda v: (v * v * v).sum(), x).tolist()
    assert abs(got[0] - 3) < 1e-6 and abs(got[1] - 27) < 1e-6, f"with the default eps: {got}"
    # hidden: 0-d arrays, integers
    got = numeric_gradient(lambda v: v * v, np.array(1.5), 0.25)
    check_array(got, 3.0, "x² at a 0-d array", np.float64)
    whole, seen = np.array([[1], [2]]), []
    got = numeric_gradient(lambda v: seen.append(v.dtype) or (v * v).sum(), whole, 0.5)
    check_array(got, [[2.0], [4.0]], "x² at integers", np.float64)
    assert set(seen) == {np.dtype(np.float64)}, f"function should get float64 arrays, got {seen}"
    # hidden: x stays as it is
    got = numeric_gradient(lambda v: (v * x).sum(), x, 0.5)
    check_array(got, [1.0, 3.0], "Σ x v, where x is the array given", np.float64, "move a copy")
    # hidden: transposed arrays, other shapes
    turned = np.array([[1.0, 2.0], [3.0, 4.0]]).T
    got = numeric_gradient(lambda v: (v * v).sum(), turned, 0.5)
    check_array(got, [[2.0, 6.0], [4.0, 8.0]], "x² of a transposed array", np.float64)
    c, m = np.random.default_rng(1).normal(size=(2, 2, 3, 2))
    got = numeric_gradient(lambda v: (c * v).sum() ** 2, m, 0.5)
    check_array(got, (2 * (c * m).sum() * c).tolist(), "(Σ c x)² of (2, 3, 2)", np.float64)
    ### END HIDDEN TESTS
    print("✅ you can measure any slope")


test_numeric_gradient()

# %% [markdown]
"""
## Exercise 2: A result remembers
A graph needs one thing: each result knows which inputs it came from, and the vjp for each. All
operations will return through `recorded`, the only place where a graph is made. Inputs that need
no gradient leave no trace there: no edge, no array kept alive, no work later.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-recorded", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: wrap the array in a Tensor; where gradients must flow, give it a Node.
# Approach: 1. result_of(array, *inputs), with the inputs of all edges. 2. a list of the edges whose
#   input is a Tensor that requires gradients, in order; in it stands, in place of the input, its
#   grad_fn, or the input itself if it is a leaf (its grad_fn is None). 3. unless grad_enabled is
#   False or the list is empty: requires_grad is True, grad_fn is Node(name, list, result.data).
# Example: recorded(np.float32(6), "Double", (a, lambda g: 2 * g)).grad_fn  ->  <Double>
# Hint: x.grad_fn or x. An input may be a number, or None: ask isinstance first.
def recorded(array, name, *edges):
    """Return the array as a Tensor that knows how it was made.

    Each edge is a pair (input, vjp); vjp takes the gradient of the result, an ndarray, and returns
    that of the input. backward fits it to the input's shape and dtype.
    """
    ### BEGIN SOLUTION
    inputs, needed = [], []
    for x, vjp in edges:
        inputs.append(x)
        if isinstance(x, Tensor) and x.requires_grad:
            needed.append((x.grad_fn or x, vjp))
    result = result_of(array, *inputs)
    if grad_enabled and needed:
        result.requires_grad = True
        result.grad_fn = Node(name, needed, result.data)
    return result
    ### END SOLUTION


# %% [markdown]
"""
### Testing the record
A leaf, an inner result, inputs that need no gradient. Hidden: numbers and None as inputs, dtypes,
`grad_enabled = False`, what is kept alive.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-recorded-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_recorded():
    global grad_enabled
    a, b, c = leaf([1.0, 2.0]), leaf([3.0, 4.0]), Tensor([5.0, 6.0])
    double = functools.partial(operator.mul, 2)
    y = recorded(2 * a.data, "Double", (a, double))
    check(y, [2.0, 4.0], "the result")
    got = (y.requires_grad, type(y.grad_fn))
    assert got == (True, Node), f"requires_grad and the type of grad_fn: {got}"
    ((target, vjp),) = y.grad_fn.edges
    assert target is a and vjp is double, f"the edge should be (a, double), got {(target, vjp)}"
    z = recorded(y.data + b.data, "Sum", (y, double), (c, double), (b, double))
    targets = [target for target, _ in z.grad_fn.edges]
    right = len(targets) == 2 and targets[0] is y.grad_fn and targets[1] is b
    assert right, f"edges to y's Node and to b, but none to c, which needs no gradient: {targets}"
    quiet = recorded(c.data, "Nothing", (c, double))
    got = (quiet.requires_grad, quiet.grad_fn)
    assert got == (False, None), f"no input needs a gradient: {got}"
    ### BEGIN HIDDEN TESTS
    # hidden: the Node's name and edges
    assert (z.grad_fn.name, type(z.grad_fn.edges)) == ("Sum", list), "the name, a list of edges"
    # hidden: numbers and None as inputs
    y = recorded(np.float64(0.1), "Sum", (a, double), (1.5, double), (None, double))
    check(y, 0.1, "a float64 array from a float32 Tensor", hint="result_of, with all inputs")
    got = (len(y.grad_fn.edges), y.grad_fn.shape, y.grad_fn.dtype)
    assert got == (1, (), np.float32), f"1 edge, Node(name, edges, result.data): {got}"
    # hidden: float32 with float64
    y = recorded(np.array([0.1]), "Mul", (a, double), (Tensor([0.1], np.float64), double))
    check(y, [0.1], "float32 with float64", np.float64, "result_of, with all inputs")
    # hidden: grad_enabled switched off
    grad_enabled = False
    try:
        y = recorded(2 * a.data, "Double", (a, double))
    finally:
        grad_enabled = True
    got = (y.data.tolist(), y.requires_grad, y.grad_fn)
    assert got == ([2.0, 4.0], False, None), f"with grad_enabled = False: {got}"
    # hidden: the same input twice
    y = recorded(a.data * a.data, "Mul", (a, double), (a, double))
    assert [target is a for target, _ in y.grad_fn.edges] == [True, True], "a * a has two edges"
    ### END HIDDEN TESTS
    print("✅ a result remembers where it came from")


test_recorded()

# %% [markdown]
"""
## Exercise 3: Three operations and their vjps
Now `+`, `*` and the negative learn to remember. Beside the forward expression stands, for each
input, what a gradient g of the result means for it. If y = a + b, then y grows as much as a does: g
passes on as it is. If y = a · b, it grows b times as much as a, and a times as much as b.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-first", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write +, * and the negative so that they return through recorded.
# Approach: 1. a and b: self.data and unwrap(other), arrays or a number. 2. recorded(array, "Add",
#   (self, vjp), (other, vjp)), where each vjp is a lambda of g. The other names are "Mul", "Neg".
# Example: y = Tensor([2.0], requires_grad=True) * 5  has one edge; its vjp turns [1.] into [5.]
# Hint: a lambda keeps alive what it mentions: let it mention a or b, never self. backward will fit
#   shapes (Exercises 4 and 6), so do not care about broadcasting here.
@add_to_class(Tensor)
def __add__(self, other):
    """Return self + other; other is a Tensor or a number."""
    ### BEGIN SOLUTION
    a, b = self.data, unwrap(other)
    return recorded(a + b, "Add", (self, lambda g: g), (other, lambda g: g))
    ### END SOLUTION


@add_to_class(Tensor)
def __mul__(self, other):
    """Return self * other; other is a Tensor or a number."""
    ### BEGIN SOLUTION
    a, b = self.data, unwrap(other)
    return recorded(a * b, "Mul", (self, lambda g: g * b), (other, lambda g: g * a))
    ### END SOLUTION


@add_to_class(Tensor)
def __neg__(self):
    """Return -self."""
    ### BEGIN SOLUTION
    return recorded(-self.data, "Neg", (self, lambda g: -g))
    ### END SOLUTION


Tensor.__radd__, Tensor.__rmul__ = Tensor.__add__, Tensor.__mul__  # the order does not matter

# %% [markdown]
"""
### Testing three operations
There is no backward yet, so the test calls the vjps itself. Hidden: float64, broadcasting, numbers
on the left, errors, what the graph keeps alive.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-first-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_first():
    g = np.array([1.0, 10.0], np.float32)

    def sent(y, to, expected, what):
        parts = [vjp(g) for target, vjp in y.grad_fn.edges if target is to]
        check_array(sum(parts), expected, f"what g = [1, 10] of {what}")

    a, b = leaf([2.0, 3.0]), leaf([5.0, 7.0])
    check(a + b, [7.0, 10.0], "a + b")
    check(a * b, [10.0, 21.0], "a * b")
    check(-a, [-2.0, -3.0], "-a")
    sent(a + b, a, [1.0, 10.0], "a + b means for a")
    sent(a * b, a, [5.0, 70.0], "a * b means for a")
    sent(a * b, b, [2.0, 30.0], "a * b means for b")
    sent(a * 3.0, a, [3.0, 30.0], "a * 3.0 means for a")
    sent(-a, a, [-1.0, -10.0], "-a means for a")
    ### BEGIN HIDDEN TESTS
    # hidden: both inputs, numbers on the left
    sent(a + b, b, [1.0, 10.0], "a + b means for b")
    sent(a * a, a, [4.0, 60.0], "a * a means for a")
    sent(2 * a, a, [2.0, 20.0], "2 * a means for a")
    sent(1 + a, a, [1.0, 10.0], "1 + a means for a")
    # hidden: nothing is modified
    got = (g.tolist(), a.data.tolist(), b.data.tolist())
    assert got == ([1.0, 10.0], [2.0, 3.0], [5.0, 7.0]), "g or an input was modified"
    # hidden: names in the graph
    z = a * b + -a
    (mul, _), (neg, _) = z.grad_fn.edges
    got = [node.name for node in (z.grad_fn, mul, neg)]
    assert got == ["Add", "Mul", "Neg"], f"the names in a * b + -a: {got}"
    # hidden: broadcasting, dtypes, errors
    check(a + Tensor([[1.0], [2.0]]), [[3.0, 4.0], [4.0, 5.0]], "shapes (2,) + (2, 1)")
    check(leaf([0.1], np.float64) * 0.2, [0.1 * 0.2], "float64 * 0.2", np.float64)
    check(-Tensor([1, 2]) + 1, [0, -1], "-int + int")
    check(Tensor([1, 2]) * 0.5, [0.5, 1.0], "int * 0.5")
    check_raises(TypeError, ["Tensor("], lambda: a + np.ones(2), "Tensor + ndarray")
    check_raises(TypeError, ["Tensor("], lambda: np.ones(2) * a, "ndarray * Tensor")
    # hidden: what the graph keeps alive
    for make in (lambda t: t + b, lambda t: t * b, lambda t: b * t, lambda t: -t):
        assert not keeps(make, lambda t: t), "let the lambdas mention a and b, not self or other"
    ### END HIDDEN TESTS
    print("✅ three operations know their vjps")


test_first()

# %% [markdown]
"""
## Exercise 4: Broadcasting, backwards
In `x + bias`, shapes (32, 10) and (10,), every bias is used 32 times, and by the chain rule its
gradient is the sum over the 32 uses. So the rule of Module 01 runs backwards: where forward
repeated, backward adds up.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: sum grad over whatever was broadcast, until it has the given shape.
# Approach: 1. the shapes are equal: return grad. 2. put 1s before the shorter shape. 3. sum over
#   the axes where the two shapes differ, all at once. 4. reshape to shape.
# Example: unbroadcast(np.ones((2, 3)), (2, 1))  ->  array([[3.], [3.]])
# Hint: sum(axis=...) takes a tuple. (1,) * 2 + (3,) is (1, 1, 3).
def unbroadcast(grad, shape):
    """Return the sum of grad over the axes along which an array of this shape was broadcast.

    grad: an ndarray, which stays as it is. shape: a tuple that broadcasts to grad.shape.
    """
    ### BEGIN SOLUTION
    if grad.shape == shape:
        return grad
    padded = (1,) * (grad.ndim - len(shape)) + shape
    axes = tuple(i for i, size in enumerate(padded) if size != grad.shape[i])
    return grad.sum(axis=axes).reshape(shape)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the sums
New dimensions, stretched ones, both. Hidden: random shapes, sizes of 0 and 1.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-unbroadcast-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_unbroadcast():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    cases = [(x, (2, 3), x.tolist()), (x, (3,), [5.0, 7.0, 9.0]), (x, (2, 1), [[6.0], [15.0]])]
    cases += [(x, (1, 3), [[5.0, 7.0, 9.0]]), (x, (1, 1), [[21.0]]), (x, (1,), [21.0])]
    ### BEGIN HIDDEN TESTS
    # hidden: sizes of zero and one
    cases += [(np.ones((1, 2)), (2,), [1.0, 1.0]), (np.ones((0, 2)), (1, 2), [[0.0, 0.0]])]
    cases += [(np.ones((2, 1, 1)), (1, 1), [[2.0]]), (np.ones((1, 1, 2)), (1, 2), [[1.0, 1.0]])]
    # hidden: random shapes
    rng = np.random.default_rng(4)
    for _ in range(30):
        full = tuple(rng.integers(2, 4, size=rng.integers(1, 5)).tolist())
        shape = tuple(n if rng.random() < 0.5 else 1 for n in full)[rng.integers(0, len(full)) :]
        grad, new, total = rng.normal(size=full), len(full) - len(shape), {}
        for index in np.ndindex(full):
            at = tuple(i if n > 1 else 0 for i, n in zip(index[new:], shape, strict=True))
            total[at] = total.get(at, 0.0) + grad[index].item()
        sums = np.reshape([total[i] for i in np.ndindex(shape)], shape)
        cases.append((grad, shape, sums.tolist()))
    ### END HIDDEN TESTS
    for grad, shape, expected in cases:
        for dtype in (np.float64, np.float32):
            given, what = grad.astype(dtype), f"unbroadcast of {grad.shape} to {shape}"
            check_array(unbroadcast(given, shape), expected, what, dtype)
            assert (given == grad.astype(dtype)).all(), f"{what} changed grad"
    print("✅ what was repeated is added up")


test_unbroadcast()

# %% [markdown]
"""
## Exercise 5: Where to start, and in which order
A Node may pass its gradient on only when it is complete, when everything computed from it has sent
its part. A simple order guarantees that: **latest first**. A result is always younger than its
inputs, so sort by time, and no recursion is needed, however long or tangled the graph is.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-history", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write first_gradient, where backward starts, and history, the order in which it goes.
# Approach: first_gradient: 1. the docstring's first two errors. 2. none given: ones of its shape. 3.
#   a copy in its dtype. 4. the third error. history: 1. a list and a set with node. 2. go through
#   the list while it grows: a Node whose edges are None: raise; each target that is a Node (leaves
#   are Tensors) and not in the set yet goes into both. 3. sort by time.
# Example: y = a * b + a: history(y.grad_fn)  ->  [<Add>, <Mul>]
# Hint: np.array(gradient, dtype=...) copies arrays and Tensors. sorted takes key= and reverse=True.
def first_gradient(tensor, gradient):
    """Return the gradient that backward starts from: an array of the Tensor's shape and dtype.

    RuntimeErrors: the Tensor requires no gradients (the message says "requires_grad"); none is
    given, and it has not exactly one element (shows the shape); another shape (shows both).
    """
    ### BEGIN SOLUTION
    if not tensor.requires_grad:
        raise RuntimeError("nothing to differentiate: no input of this Tensor has requires_grad")
    if gradient is None and tensor.size != 1:
        what = f"backward() starts from one number, got shape {tensor.shape}: "
        raise RuntimeError(what + "take the sum() or mean(), or give a gradient of its shape")
    start = np.array([1.0]).reshape(tensor.shape) if gradient is None else gradient
    gradient = np.array(start, tensor.dtype)
    if gradient.shape != tensor.shape:
        raise RuntimeError(f"the gradient of a {tensor.shape} Tensor has shape {gradient.shape}")
    return gradient
    ### END SOLUTION


def history(node):
    """Return node and all Nodes it was computed from, once each, latest first.

    RuntimeError, which says "freed", if the edges of one are None: an earlier backward was there.
    """
    ### BEGIN SOLUTION
    nodes, found = [node], {node}
    for current in nodes:
        if current.edges is None:
            what = f"{current} was freed by an earlier backward(): compute forward again, "
            raise RuntimeError(what + "or add up the losses and call backward() once")
        for target, _ in current.edges:
            if isinstance(target, Node) and target not in found:
                found.add(target)
                nodes.append(target)
    return sorted(nodes, key=operator.attrgetter("time"), reverse=True)
    ### END SOLUTION


# %% [markdown]
"""
### Testing start and order
Small graphs and the errors. Hidden: random graphs, a chain of 20,000, a Node used over and over,
gradients of other dtypes, that a given gradient is copied.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-history-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_history():
    a, b = leaf([2.0]), leaf([3.0])
    u = a * b
    v = u + a
    y = v * u
    got, want = history(y.grad_fn), [y.grad_fn, v.grad_fn, u.grad_fn]
    assert got == want, f"(u + a) * u with u = a * b: expected {want}, got {got}"
    assert history(u.grad_fn) == [u.grad_fn], f"u = a * b: {history(u.grad_fn)}"
    u = a * a
    v = u * b
    y = u + v
    got, want = history(y.grad_fn), [y.grad_fn, v.grad_fn, u.grad_fn]
    assert got == want, f"u + v with v = u * b, made from u: expected {want}, got {got}"
    y.grad_fn.edges = None
    check_raises(RuntimeError, ["freed"], lambda: history(y.grad_fn), "history of a freed Node")
    pair = leaf([1.0, 2.0])
    check_array(first_gradient(u, None), [1.0], "first_gradient(u, None)")
    check_array(first_gradient(pair, [3, 4]), [3.0, 4.0], "first_gradient(tensor, [3, 4])")
    calls = {"a constant": (Tensor(1.0), None, ["requires_grad"])}
    calls |= {"no gradient for two": (pair, None, ["(2,)"])}
    calls |= {"a gradient of another shape": (pair, np.ones((1, 2)), ["(2,)", "(1, 2)"])}
    for what, (t, g, words) in calls.items():
        check_raises(RuntimeError, words, functools.partial(first_gradient, t, g), what)
    ### BEGIN HIDDEN TESTS
    # hidden: given gradients: dtypes, copies
    for dtype in (np.float32, np.float64):
        pair, given = leaf([1.0, 2.0], dtype), np.array([0.1, 0.2])
        check_array(first_gradient(leaf([[0.5]], dtype), None), [[1.0]], "of (1, 1)", dtype)
        got = first_gradient(pair, given)
        check_array(got, [0.1, 0.2], "first_gradient(tensor, array)", dtype)
        assert not np.shares_memory(got, given), "the gradient should be a copy"
        check_array(first_gradient(pair, Tensor([3.0, 4.0])), [3.0, 4.0], "a Tensor given", dtype)
    # hidden: no elements
    check_raises(RuntimeError, ["(0,)"], lambda: first_gradient(leaf([]), None), "no element")
    # hidden: random graphs
    rng, made = np.random.default_rng(5), [leaf(1.0), leaf(2.0)]
    for _ in range(60):
        i, j = rng.integers(max(0, len(made) - 9), len(made), size=2)
        made.append(made[i] + made[j])
    reached = {made[-1].grad_fn}
    for t in reversed(made):
        if t.grad_fn in reached:
            reached |= {target for target, _ in t.grad_fn.edges if type(target) is Node}
    expected = [t.grad_fn for t in reversed(made) if t.grad_fn in reached]
    assert history(made[-1].grad_fn) == expected, "a random graph of 60 sums"
    # hidden: a very long chain
    y = a
    for _ in range(20_000):
        y = y + b
    order = history(y.grad_fn)
    got = (len(order), order[0] is y.grad_fn, order[0].time > order[1].time > order[-1].time)
    assert got == (20_000, True, True), f"a chain of 20,000 sums: {got}"
    # hidden: repeated use, a freed Node
    for _ in range(60):
        y = y + y
    order[5000].edges = None
    check_raises(RuntimeError, ["freed"], lambda: history(y.grad_fn), "a freed Node deep inside")
    ### END HIDDEN TESTS
    print("✅ you know where to start, and the order")


test_history()

# %% [markdown]
"""
### The graph, drawn
This locked cell draws what `history` finds: leaves are round, and arrows show where values went.
Backward will go the other way. Draw before it, since backward frees the graph.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-draw", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
class Picture(str):
    """The text of an SVG, which a notebook shows as a picture."""

    def _repr_svg_(self):
        return str(self)


def draw(tensor, **names):
    """Return a picture of the graph behind tensor; draw(loss, w=w) labels the leaf w."""
    nodes, labels = history(tensor.grad_fn)[::-1], {t: name for name, t in names.items()}
    level, after, place = {}, {}, {}  # after: where arrows lead to; place: the middle of a box
    for node in nodes:
        level[node] = 1 + max([level.get(t, 0) for t, _ in node.edges])
    for node in nodes:
        for t in [t for t, _ in node.edges if isinstance(t, Tensor)]:
            level[t] = min(level.get(t, level[node] - 1), level[node] - 1)
    for node in nodes:
        for k, (t, _) in enumerate(node.edges):  # an arrow gets room on the levels it passes
            bends = [(node, k, n) for n in range(level[t] + 1, level[node])]
            level |= {bend: bend[2] for bend in bends}
            for here, there in itertools.pairwise([t, *bends, node]):
                after.setdefault(here, []).append(there)
    for n in reversed(range(max(level.values()) + 1)):
        ends = {k: [place[t][0] for t in after.get(k, [])] for k in level if level[k] == n}
        order = sorted(ends, key=lambda k, ends=ends: sum(ends[k]) / max(len(ends[k]), 1))
        for i, key in enumerate(order):  # each above what it leads to
            place[key] = (120 * (i - (len(order) - 1) / 2), 25 + 72 * n)
    low, high = (f(x for x, _ in place.values()) - 60 for f in (min, max))
    width, height = high - low + 120, 50 + 72 * max(level.values())
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" '
        f'viewBox="{low:g} 0 {width:g} {height}" font-family="sans-serif" text-anchor="middle">'
        f'<rect x="{low:g}" width="100%" height="100%" fill="white"/>'
        '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker>'
    ]
    half = {key: 0 if type(key) is tuple else 20 for key in place}  # the height of a box
    for there, (u, v) in place.items():
        sources = [k for k in after for t in after[k] if t is there]
        for n, k in enumerate(sorted(sources, key=lambda k: place[k][0])):
            (x, y), end = place[k], u + 14 * (n - (len(sources) - 1) / 2)
            y, z, tip = y + half[k], v - half[there], ' marker-end="url(#tip)"' * (half[there] > 0)
            curve = f"M{x:g} {y}C{x:g} {y + 25} {end:g} {z - 25} {end:g} {z}"
            svg.append(f'<path d="{curve}" fill="none" stroke="#667" stroke-width="1.4"{tip}/>')
    for key in [key for key in place if half[key]]:
        (x, y), is_leaf = place[key], isinstance(key, Tensor)
        name, corner = (labels.get(key, "leaf"), 20) if is_leaf else (key.name, 4)
        svg.append(
            f'<rect x="{x - 50:g}" y="{y - 20}" width="100" height="40" rx="{corner}" '
            f'fill="{"#dcefdc" if is_leaf else "#e4ebf7"}" stroke="#667"/>'
            f'<text x="{x:g}" y="{y - 2}" font-size="14">{name}</text>'
            f'<text x="{x:g}" y="{y + 14}" font-size="11" fill="#556">{key.shape}</text>'
        )
    return Picture("".join(svg) + "</svg>")


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-draw-example", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def drawing():
    """Return the picture of y = a * b + a."""
    a, b = leaf([[1.0, 2.0, 3.0]]), leaf([[4.0], [5.0]])
    return draw(a * b + a, a=a, b=b)


drawing()

# %% [markdown]
"""
## Exercise 6: Backward
Everything is ready; here it is by hand, for `y = a * b + a` with a = 2 and b = 3. Latest first:

| Node | its gradient g | its vjps send |
|---|---|---|
| Add | 1, where backward starts | 1 to Mul, 1 to a |
| Mul | 1, from Add | g · b = 3 to a, g · a = 2 to b |

So a gets 1 + 3 = 4, and b gets 2. Check: y = a (b + 1), whose slope in a is b + 1 = 4. Gradients of
Nodes wait in a dict until their turn; those of leaves add up in `.grad`, also over several calls.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write accumulate and backward.
# Approach: accumulate: without .grad, part becomes it, an ndarray, copied if shared; else +=.
#   backward: 1. first_gradient. 2. a leaf: accumulate it, done. 3. a dict {self.grad_fn: it}. 4.
#   for each Node of history, pop its gradient g. For each edge: part = vjp(g), in the target's
#   shape (unbroadcast) and dtype (.astype(..., copy=False)). A leaf accumulates it; for a Node it goes
#   into the dict, or is added to what waits there, as a new array. 5. the Node's edges: None.
# Example: a = Tensor(2.0, requires_grad=True); (a * a).backward(); a.grad  ->  array(4.)
# Hint: a part is shared if it is g itself or a view (part.base is not None): a + b sends one array to
#   both, and += would change both. np.array copies; np.asarray only makes an np.float32 an ndarray.
def accumulate(tensor, part, shared):
    """Add part to tensor.grad, in place if it is there; shared says if others hold part, too."""
    ### BEGIN SOLUTION
    if tensor.grad is None:
        tensor.grad = np.array(part) if shared else np.asarray(part)
    else:
        tensor.grad += part
    ### END SOLUTION


@add_to_class(Tensor)
def backward(self, gradient=None):
    """Add the gradient of self to .grad, an ndarray nobody else holds, of each leaf behind it.

    gradient: that of a later result with respect to self; 1 by default. The graph is freed.
    RuntimeErrors are those of first_gradient and history, before any change.
    """
    ### BEGIN SOLUTION
    gradient = first_gradient(self, gradient)
    if self.grad_fn is None:
        return accumulate(self, gradient, shared=False)
    waiting = {self.grad_fn: gradient}
    for node in history(self.grad_fn):
        g = waiting.pop(node)
        for target, vjp in node.edges:
            part = vjp(g)
            if part.shape != target.shape:
                part = unbroadcast(part, target.shape)
            part = part.astype(target.dtype, copy=False)
            if isinstance(target, Tensor):
                accumulate(target, part, shared=part is g or part.base is not None)
            else:
                waiting[target] = waiting[target] + part if target in waiting else part
        node.edges = None
    ### END SOLUTION


# %% [markdown]
"""
### Testing backward
The table above, shared results, both calls in a row, broadcasting, who shares memory, errors.
Hidden: tangled graphs against central differences, mixed dtypes, what is freed, depth.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-backward-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
def test_backward():
    a, b = leaf(2.0), leaf(3.0)
    (a * b + a).backward()
    check_array(a.grad, 4.0, "a.grad after (a * b + a).backward()", hint="both parts add up")
    check_array(b.grad, 2.0, "b.grad after (a * b + a).backward()")
    (a * b).backward()
    check_array(a.grad, 7.0, "a.grad after (a * b).backward(), too", hint="add to the old .grad")
    x, bias = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([10.0, 20.0])
    y = x + bias
    z = y * y + y
    z.backward(np.ones((2, 2)))
    check_array(x.grad, [[23.0, 45.0], [27.0, 49.0]], "x.grad of y * y + y with y = x + bias")
    check_array(bias.grad, [50.0, 94.0], "bias.grad of it", hint="unbroadcast")
    check_raises(RuntimeError, ["freed"], lambda: z.backward(np.ones((2, 2))), "a second backward")
    check_array(bias.grad, [50.0, 94.0], "bias.grad after a second backward, refused")
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x + y).backward(np.array([1.0, 1.0]))
    assert not np.shares_memory(x.grad, y.grad), "x.grad and y.grad are one array"
    x.backward(np.array([5.0, 5.0]))
    check_array(x.grad, [6.0, 6.0], "x.grad after x.backward([5, 5]), of a leaf")
    check_raises(RuntimeError, ["requires_grad"], lambda: Tensor(1.0).backward(), "a constant")
    check_raises(RuntimeError, ["(2,)"], lambda: (x + y).backward(), "backward of two numbers")
    ### BEGIN HIDDEN TESTS
    # hidden: tangled graphs
    rng = np.random.default_rng(6)

    def tangle(x, y, z):
        u = x * y + z
        v = u * u + x * 2.0
        w = v * u + v
        return w * w + u + z * z * 0.5

    for shapes in ([(2, 3), (3,), (2, 1)], [(3,), (2, 1), (2, 3)], [(), (2,), (1, 2)]):
        check_slopes("a tangle", tangle, tangle, *(rng.normal(size=s) for s in shapes))
    # hidden: mixed dtypes, adding in place
    for dtype in (np.float32, np.float64):
        w, other = leaf([1.0, 2.0], dtype), Tensor(np.array([0.5, 0.25]), np.float64)
        y = w * other * np.float64(3) + Tensor([1, 2])
        y.backward(start := np.ones(2, np.float32))
        first = w.grad
        check_array(first, [1.5, 0.75], "float32 or 64 with float64 and int", dtype)
        assert start.tolist() == [1.0, 1.0] and other.grad is None, "start or other was changed"
        (w * 2.0).backward(Tensor(start))
        check_array(w.grad, [3.5, 2.75], "after one more", dtype)
        assert w.grad is first, "a later part should be added in place, w.grad += part"
    # hidden: what is freed
    a, b = leaf([[1.0]]), leaf([2.0])
    u = a * b
    data, kept = weakref.ref(u.data), weakref.ref(u.grad_fn)
    y = u * Tensor(3.0) * u
    node = y.grad_fn
    del u
    y.backward()
    check_array(a.grad, [[24.0]], "a.grad of (a b 3) (a b), shapes (1, 1) and (1,)")
    assert node.edges is None and data() is None and kept() is None, "the graph should be freed"
    u = a * b
    v, w = u * 2.0, u * 3.0
    v.backward()
    a.grad = None
    check_raises(RuntimeError, ["freed"], lambda: w.backward(), "backward through freed Nodes")
    assert a.grad is None, "a refused backward should not touch .grad"
    # hidden: deep graphs
    y = a = leaf(1.0, np.float64)
    for _ in range(100):
        y = y + y
    for _ in range(2000):
        y = y * 1.0
    y.backward()
    check_array(a.grad, 2.0**100, "y = y + y, 100 times, then y * 1.0, 2000 times", np.float64)
    # hidden: a gradient of another shape
    wrong = functools.partial((x * 2.0).backward, np.ones((1, 2)))
    check_raises(RuntimeError, ["(2,)", "(1, 2)"], wrong, "a gradient of another shape")
    ### END HIDDEN TESTS
    print("✅ gradients flow")


test_backward()

# %% [markdown]
"""
## Exercise 7: The rest of arithmetic
A difference, a quotient, a power: the slopes are those of school. In `10 - t` Python calls
`t.__rsub__(10)`, which the last lines make of `__sub__` by swapping its sides. So here `self` may
be the number and `other` the Tensor: read both with `operand`.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-arithmetic", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write -, / and **.
# Approach: 1. a and b: unwrap(self) and unwrap(other). 2. return through recorded, with a vjp for
#   each side, named "Sub", "Div", "Pow". The slopes of a / b are 1 / b and -a / b²; those of a ** b
#   are b aᵇ⁻¹ and aᵇ log a. 3. Where b = 0 the first of these is 0, but at a = 0 NumPy says
#   0 · 1/0: there let the exponent be 0. Where a = 0 the second is 0 (for b > 0), but NumPy says
#   0 · log 0: take the log of 1.
# Example: a = Tensor(3.0, requires_grad=True); (a**2).backward(); a.grad  ->  array(6.)
# Hint: (b == 0) is 1 where b is 0, for numbers as for arrays: add it.
@add_to_class(Tensor)
def __sub__(self, other):
    """Return self - other; one of them may be a number."""
    ### BEGIN SOLUTION
    a, b = unwrap(self), unwrap(other)
    return recorded(a - b, "Sub", (self, lambda g: g), (other, lambda g: -g))
    ### END SOLUTION


@add_to_class(Tensor)
def __truediv__(self, other):
    """Return self / other; one of them may be a number."""
    ### BEGIN SOLUTION
    a, b = unwrap(self), unwrap(other)
    return recorded(a / b, "Div", (self, lambda g: g / b), (other, lambda g: -g * a / (b * b)))
    ### END SOLUTION


@add_to_class(Tensor)
def __pow__(self, other):
    """Return self ** other; one of them may be a number. Slopes at 0 ** 0 are 0, as in PyTorch."""
    ### BEGIN SOLUTION
    a, b = unwrap(self), unwrap(other)
    out = a**b
    base = (self, lambda g: g * b * a ** (b - 1 + (b == 0)))
    exponent = (other, lambda g: g * out * np.log(a + (a == 0)))
    return recorded(out, "Pow", base, exponent)
    ### END SOLUTION


Tensor.__rsub__ = lambda self, other: Tensor.__sub__(other, self)
Tensor.__rtruediv__ = lambda self, other: Tensor.__truediv__(other, self)
Tensor.__rpow__ = lambda self, other: Tensor.__pow__(other, self)

# %% [markdown]
"""
### Testing arithmetic
Each against central differences. Hidden: numbers on either side, broadcasting, 0 ** 0 in silence.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-arithmetic-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_arithmetic():
    x, y = np.array([0.5, 2.0, 3.0]), np.array([2.0, 0.25, 1.5])
    operations = (operator.sub, operator.truediv, operator.pow)
    for op in operations:
        check_slopes(op.__name__, op, op, x, y)
        left = functools.partial(op, 3)
        check_slopes(f"{op.__name__}(3, a)", left, left, x, hint="self may be a number")
    a = leaf([0.0, -2.0, 3.0])
    (a**2).backward(np.ones(3))
    check_array(a.grad, [0.0, -4.0, 6.0], "slopes of a ** 2 at [0, -2, 3]")
    check(7 - Tensor([1, 2]), [6, 5], "7 - int Tensor")
    ### BEGIN HIDDEN TESTS
    # hidden: broadcasting, numbers as operands
    rng = np.random.default_rng(7)
    for op in operations:
        for shapes in (((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((2, 0), (1,))):
            p, q = (rng.uniform(0.5, 2.0, size=s) for s in shapes)
            check_slopes(f"{op.__name__}, shapes {shapes}", op, op, p, q)
        for n in (2, 3.0, -1.5):
            right = functools.partial(lambda op, n, a: op(a, n), op, n)
            check_slopes(f"{op.__name__}(a, {n})", right, right, x)
    check_slopes("a ** 3 of negative a", lambda a: a**3, lambda a: a**3, -x)
    # hidden: slopes of powers at zero
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for b, expected in ((0, 0.0), (0.0, 0.0), (1, 1.0), (2, 0.0), (1.0, 1.0)):
            a = leaf([0.0])
            (a**b).backward()
            check_array(a.grad, [expected], f"the slope of a ** {b} at 0")
        a, b = leaf([0.0, 0.0, 2.0]), leaf([0.0, 2.0, 0.0])
        (a**b).backward(np.ones(3))
        check_array(a.grad, [0.0, 0.0, 0.0], "slopes in a of [0, 0, 2] ** [0, 2, 0]")
        check_array(b.grad, [0.0, 0.0, math.log(2)], "slopes in b of it")
    # hidden: integers, arrays refused
    check(Tensor([1, 2]) / 2, [0.5, 1.0], "int Tensor / 2")
    check_raises(TypeError, ["Tensor("], lambda: np.ones(3) - a, "ndarray - Tensor")
    # hidden: names of the Nodes
    a = leaf([2.0])
    assert [t.grad_fn.name for t in (a - a, a / a, a**a)] == ["Sub", "Div", "Pow"], "names"
    # hidden: what is kept alive
    for make in (lambda t: t / 2.0, lambda t: t - 1.0, lambda t: 1.0 - t):
        assert not keeps(make, lambda t: t.data), "t / number, t - number keep no array"
    ### END HIDDEN TESTS
    print("✅ all of arithmetic has gradients")


test_arithmetic()

# %% [markdown]
"""
## Exercise 8: Functions of each element
A vjp must keep an array from the forward pass: the input a, or the output. exp(a) is its own
slope, so it keeps the output and the input can be freed; log(a) keeps a. PyTorch's list of
derivatives says the same with the words `self` and `result`. Write the two makers, then the rules.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-elementwise", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the makers' methods, then the six rules that are left.
# Approach: 1. the array goes through function, and recorded gets one edge. Its vjp is a lambda of g
#   that calls vjp(g, a) or vjp(g, out). 2. each rule as that of exp, named "Sqrt", "Tanh", "Log",
#   "Log1p", "Abs", "Erf". The slopes: sqrt 1 / (2 out), tanh 1 - out², log 1 / a, log1p
#   1 / (1 + a), abs (and __abs__) the sign of a (0 at 0), erf 2 / √π · exp(-a²).
# Example: a = Tensor(4.0, requires_grad=True); a.sqrt().backward(); a.grad  ->  array(0.25)
# Hint: in_floats(np.log), but np.abs, which keeps integers, and erf below need none. np.sign.
def keeps_input(name, function, vjp):
    """Return the method that applies function to each element; vjp(g, a) needs its input a."""

    def method(self):
        ### BEGIN SOLUTION
        a = self.data
        return recorded(function(a), name, (self, lambda g: vjp(g, a)))
        ### END SOLUTION

    return method


def keeps_output(name, function, vjp):
    """Return the method that applies function to each element; vjp(g, out) needs its output."""

    def method(self):
        ### BEGIN SOLUTION
        out = function(self.data)
        return recorded(out, name, (self, lambda g: vjp(g, out)))
        ### END SOLUTION

    return method


erf = np.vectorize(math.erf, otypes=[float])
Tensor.exp = keeps_output("Exp", in_floats(np.exp), lambda g, out: g * out)
### BEGIN SOLUTION
Tensor.sqrt = keeps_output("Sqrt", in_floats(np.sqrt), lambda g, out: g / (2 * out))
Tensor.tanh = keeps_output("Tanh", in_floats(np.tanh), lambda g, out: g * (1 - out * out))
Tensor.log = keeps_input("Log", in_floats(np.log), lambda g, a: g / a)
Tensor.log1p = keeps_input("Log1p", in_floats(np.log1p), lambda g, a: g / (1 + a))
Tensor.abs = Tensor.__abs__ = keeps_input("Abs", np.abs, lambda g, a: g * np.sign(a))
Tensor.erf = keeps_input("Erf", erf, lambda g, a: g * np.exp(-a * a) * (2 / math.sqrt(math.pi)))
### END SOLUTION

# %% [markdown]
"""
### Testing functions of each element
Each against central differences. Hidden: the slope of `abs` at 0, `abs(t)`, integers, ±1000, what
is kept.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-elementwise-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_elementwise():
    names, x = ("exp", "sqrt", "tanh", "log", "log1p", "erf"), np.array([[0.5, 2.0], [0.1, 1.5]])

    def check_function(name, x):
        def plain(x):
            return np.reshape([getattr(math, name)(v) for v in x.ravel().tolist()], x.shape)

        check_slopes(name, lambda t: getattr(t, name)(), plain, x)

    for name in names:
        check_function(name, x)
    check_slopes("abs", lambda t: t.abs(), abs, x - 1)
    check(Tensor([-1, 2]).abs(), [1, 2], "abs of an int Tensor")
    ### BEGIN HIDDEN TESTS
    # hidden: shapes, also without elements
    rng = np.random.default_rng(8)
    for name in names:
        for shape in ((), (3,), (2, 1, 2), (2, 0)):
            check_function(name, rng.uniform(0.2, 2.0, size=shape))
        # hidden: names, what vjps keep alive
        needs_input = name in ("log", "log1p", "erf")
        what = f"the vjp of {name} should keep {'its input' if needs_input else 'its output only'}"
        got = keeps(lambda t, name=name: getattr(t, name)(), lambda t: t.data)
        assert got == needs_input, what
        result = getattr(leaf([1.0]), name)()
        got, kept = result.grad_fn.name, weakref.ref(result)
        assert got == name.capitalize(), f"{name} is named {got}"
        del result
        assert kept() is None, f"the vjp of {name} should mention an array, not the result itself"
        # hidden: integers
        whole = getattr(Tensor(np.array([5], np.uint8)), name)()
        check(whole, [getattr(math, name)(5)], f"{name} of uint8", hint="in_floats")
    # hidden: negative inputs, abs(t)
    for name in ("exp", "tanh", "erf"):
        check_function(name, rng.normal(size=4))
    check_slopes("abs(t)", abs, abs, np.array([-1.5, 0.5]))
    check(Tensor(np.array([12], np.uint8)).exp(), [math.exp(12)], "exp of uint8")
    # hidden: large inputs, abs at zero
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, expected in (("tanh", [0.0] * 3), ("erf", [0.0] * 3), ("abs", [-1.0, 1.0, 0.0])):
            a = leaf([-1000.0, 1000.0, 0.0 if name == "abs" else 500.0])
            getattr(a, name)().backward(np.ones(3))
            check_array(a.grad, expected, f"slopes of {name} at {a.data}")
    ### END HIDDEN TESTS
    print("✅ functions of each element have slopes")


test_elementwise()

# %% [markdown]
"""
### Masks, and what you get for nothing
`np.where` decides element by element, and a processor that guesses a random mask wrong loses time
at each: `masked` and `select` multiply instead, up to ten times as fast. `arrays_in` and `product`
serve Exercises 12 and 13. The methods below them are made of operations that will know their vjps,
so they need none of their own.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-provided", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def masked(array, mask):
    """Return array where mask is True and 0 elsewhere; broadcasts.

    The bytes are read as integers: 0 times an integer is 0, while 0.0 · inf would be nan.
    """
    return (array.view(f"i{array.itemsize}") * mask).view(array.dtype)


def select(mask, a, b):
    """Return np.where(mask, a, b), computed as b + (a - b) · mask, exact in integers."""
    dtype = np.result_type(a, b)
    whole = f"i{dtype.itemsize}"
    x, y = np.asarray(a, dtype).view(whole), np.asarray(b, dtype).view(whole)
    return (y + (x - y) * mask).view(dtype)


def arrays_in(index):
    """Return an index with arrays in place of its Tensors."""
    if isinstance(index, tuple):
        return tuple(arrays_in(i) for i in index)
    return index.data if isinstance(index, Tensor) else index


def product(a, b):
    """Return a @ b of arrays. RuntimeError with both shapes if they do not fit (Module 01's)."""
    try:
        return np.matmul(a, b)
    except ValueError as error:
        raise RuntimeError(
            f"cannot multiply shapes {a.shape} @ {np.shape(b)}: the last size of the first must "
            "equal the last but one of the second (the only one of a vector), batch sizes must "
            "broadcast, and single numbers need * instead"
        ) from error


@add_to_class(Tensor)
def clip(self, min=None, max=None):
    """Return self with values below min raised to min, and values above max lowered to max."""
    result = self
    if min is not None:
        result = where(result < min, min, result)
    if max is not None:
        result = where(result > max, max, result)
    return result


@add_to_class(Tensor)
def unsqueeze(self, dim):
    """Return a view with a new dimension of size 1 at position dim."""
    return self.reshape(np.expand_dims(self.data, dim).shape)


@add_to_class(Tensor)
def squeeze(self, dim=None):
    """Return a view without dimension dim if its size is 1, or without any size 1."""
    dim = () if dim is not None and self.shape[dim] != 1 else dim
    return self.reshape(np.squeeze(self.data, dim).shape)


@add_to_class(Tensor)
def transpose(self, dim0, dim1):
    """Return a view with two dimensions swapped."""
    dims = list(range(self.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return self.permute(dims)


@add_to_class(Tensor)
def T(self):
    """Return the transpose of a matrix, as a view; a vector stays as it is."""
    if self.ndim > 2:
        raise RuntimeError(f".T needs at most 2 dimensions, got {self.shape}; use permute(...)")
    return self.permute(*reversed(range(self.ndim)))


Tensor.T = property(Tensor.T)  # read as x.T, without parentheses

# %% [markdown]
"""
## Exercise 9: Choices
`where` takes each element from a or from b: the gradient goes to the one that was taken. In
`maximum` it goes to the larger; on a tie each gets half, as in PyTorch. Comparisons and `argmax` do
not change with their inputs, except in jumps: their results require no gradient.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-choices", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the method for maximum and minimum, then where.
# Approach: chooser: 1. a, b and function(a, b). 2. share(g, x, y), the part of g that goes to x, the
#   other side being y: g where x wins, plus half of it where they are equal. where: 1. the operand
#   of condition as a bool array. 2. select, "Where". 3. a gets g masked by it, b by its opposite.
# Example: a = Tensor(1.0, requires_grad=True); a.maximum(1.0).backward(); a.grad  ->  array(0.5)
# Hint: masked(g, mask). np.asarray(x, bool) and ~mask.
def chooser(name, function, wins):
    """Return the method for maximum or minimum; wins(x, y) is x > y or x < y, for arrays."""

    def method(self, other):
        ### BEGIN SOLUTION
        a, b = self.data, unwrap(other)

        def share(g, x, y):
            return masked(g, wins(x, y)) + masked(g / 2, x == y)

        edges = (self, lambda g: share(g, a, b)), (other, lambda g: share(g, b, a))
        return recorded(function(a, b), name, *edges)
        ### END SOLUTION

    return method


Tensor.maximum = chooser("Maximum", np.maximum, operator.gt)
Tensor.minimum = chooser("Minimum", np.minimum, operator.lt)


@tensor_function
def where(condition, a, b):
    """Return a where the bool Tensor condition is True and b elsewhere (torch.where)."""
    ### BEGIN SOLUTION
    mask = np.asarray(unwrap(condition), bool)
    array = select(mask, unwrap(a), unwrap(b))
    return recorded(array, "Where", (a, lambda g: masked(g, mask)), (b, lambda g: masked(g, ~mask)))
    ### END SOLUTION


# %% [markdown]
"""
### Testing choices
Slopes on both sides, ties, and `clip`, which uses `where`. Hidden: broadcasting, Tensors as bounds,
integers, masks of 0 and 1, infinities, what requires no gradient.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-choices-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_choices():
    def taken(mask, x, y):
        return x * mask + y * (1 - mask)

    x, y = np.array([[1.1, -1.9, 0.6]]), np.array([[0.5], [-3.0]])
    check_slopes("maximum", Tensor.maximum, lambda a, b: taken(a > b, a, b), x, y)
    check_slopes("minimum", Tensor.minimum, lambda a, b: taken(a < b, a, b), x, y)
    mask = np.array([True, False, True])
    chosen = Tensor(mask)
    check_slopes("where", lambda a, b: where(chosen, a, b), lambda a, b: taken(mask, a, b), x, y)
    a, b = leaf([1.0, 2.0]), leaf([1.0, 3.0])
    (a.maximum(b) + a.minimum(b) * 10).backward(np.ones(2))
    check_array(a.grad, [5.5, 10.0], "a.grad of max(a, b) + 10 min(a, b), a = [1, 2], b = [1, 3]")
    check_array(b.grad, [5.5, 1.0], "b.grad of it", hint="on a tie each gets half")
    t = leaf([-2.0, 0.0, 0.5, 1.0, 3.0])
    out = t.clip(0, 1)
    out.backward(np.ones(5))
    check(out, [0.0, 0.0, 0.5, 1.0, 1.0], "clip(0, 1)")
    check_array(t.grad, [0.0, 1.0, 1.0, 1.0, 0.0], "slopes of clip(0, 1) at [-2, 0, 0.5, 1, 3]")
    ### BEGIN HIDDEN TESTS
    # hidden: broadcasting, numbers
    rng = np.random.default_rng(9)
    for shapes in (((2, 3), (3,)), ((), (2, 2)), ((4,), ()), ((2, 0), (1,))):
        p, q = (rng.normal(size=s) for s in shapes)
        check_slopes("maximum", Tensor.maximum, lambda a, b: taken(a > b, a, b), p, q)
        check_slopes("minimum", Tensor.minimum, lambda a, b: taken(a < b, a, b), p, q)
        m = rng.random(np.broadcast_shapes(*shapes)) < 0.5
        ours, plain = functools.partial(where, Tensor(m)), functools.partial(taken, m)
        check_slopes("where", ours, plain, p, q)
        check_slopes("where(m, 2, a)", functools.partial(ours, 2), functools.partial(plain, 2), q)
    check_slopes("maximum(0.2)", lambda a: a.maximum(0.2), lambda a: taken(a > 0.2, a, 0.2), x)
    # hidden: Tensors as bounds
    low, high = leaf([-1.0, 2.0, 5.0]), leaf([[1.0], [3.0]])
    t = leaf([[-2.0, 2.5, 4.0], [0.0, 2.5, 4.0]])
    t.clip(low, high).backward(np.ones((2, 3)))
    check_array(t.grad, [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]], "t.clip(low, high), Tensors")
    check_array(low.grad, [1.0, 0.0, 0.0], "low.grad, also where low > high")
    check_array(high.grad, [[2.0], [1.0]], "high.grad of it")
    # hidden: no tie if nearly equal
    a, b = leaf(1.0, np.float64), leaf(1.0 + 1e-9, np.float64)
    (a.maximum(b) + a.minimum(b) * 10).backward()
    check_array(a.grad, 10.0, "a.grad of it, where b is larger by 1e-9", np.float64, "no tie")
    # hidden: integers, mixed dtypes
    a, b = leaf([1.0, 2.0]), leaf([1.0, 3.0])
    pair, wide = Tensor([True, False]), Tensor([0.1, 0.2], np.float64)
    check(Tensor([-1, 2, 3]).clip(0, 2.5), [0.0, 2.0, 2.5], "int Tensor clipped by a float")
    check(where(pair, 1, 0), [1, 0], "where(mask, 1, 0)")
    check(where(pair, 0.0, wide), [0.0, 0.2], "where(mask, 0.0, float64)", np.float64)
    # hidden: infinities, masks, requires_grad, names
    a = leaf([1.0, 2.0])
    where(pair, a, -math.inf).backward(np.array([2.0, math.inf]))
    check_array(a.grad, [2.0, 0.0], "where, an infinite gradient for what was not taken")
    where(Tensor([1, 0]), b, a).backward(np.ones(2))
    check_array(b.grad, [1.0, 0.0], "where with a mask of 1 and 0", hint="as a bool array")
    check_raises(TypeError, ["list"], lambda: where([True, False], a, 0.0), "where of a list")
    for flat in (a < 1.5, a == a, a.argmax()):
        assert not flat.requires_grad, "comparisons and argmax require no gradient"
    got = [t.grad_fn.name for t in (a.maximum(b), a.minimum(b), where(pair, a, b), a.clip(max=1))]
    assert got == ["Maximum", "Minimum", "Where", "Where"], f"names: {got}"
    ### END HIDDEN TESTS
    print("✅ gradients follow what was chosen")


test_choices()

# %% [markdown]
"""
## Exercise 10: Reductions
A sum uses every element once, so each gets the gradient of its sum: backward spreads what forward
folded. For `max` it goes to the largest element, and ties share it evenly (torch.amax). Take the
result with `keepdims=True` first: its shape is the one that broadcasts against the input.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-reductions", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write sum_ (attached as Tensor.sum below; sum itself is Python's), mean and extremum.
# Approach: sum_: 1. out, with keepdims=True; its shape, kept. 2. unless keepdims: .squeeze(axis).
#   3. "Sum"; the vjp: np.full(old shape, g.reshape(kept)). mean: the sum over how many elements each
#   sum has. extremum: g, in out's shape, over the ties (a == out) counted along axis; masked by them.
# Example: a = Tensor([1.0, 3.0, 3.0], requires_grad=True); a.max().backward(); a.grad: [0, .5, .5]
# Hint: the vjp of sum_ should mention shapes only. A count is self.size // max(its sum's size, 1).
def sum_(self, axis=None, keepdims=False):
    """Return the sum over axis: None (all), an int or a tuple."""
    ### BEGIN SOLUTION
    out = self.data.sum(axis=axis, keepdims=True)
    shape, kept = self.shape, out.shape
    array = out if keepdims else out.squeeze(axis)
    return recorded(array, "Sum", (self, lambda g: np.full(shape, g.reshape(kept))))
    ### END SOLUTION


@add_to_class(Tensor)
def mean(self, axis=None, keepdims=False):
    """Return the mean over axis: None (all), an int or a tuple."""
    ### BEGIN SOLUTION
    total = self.sum(axis, keepdims)
    return total / (self.size // max(total.size, 1))
    ### END SOLUTION


def extremum(name, function):
    """Return the method max or min; function is np.maximum.reduce or np.minimum.reduce."""

    def method(self, axis=None, keepdims=False):
        ### BEGIN SOLUTION
        a, out = self.data, function(self.data, axis=axis, keepdims=True)

        def vjp(g):
            ties = a == out
            return masked(g.reshape(out.shape) / ties.sum(axis, g.dtype, keepdims=True), ties)

        return recorded(out if keepdims else out.squeeze(axis), name, (self, vjp))
        ### END SOLUTION

    return method


Tensor.sum, Tensor.max = sum_, extremum("Max", np.maximum.reduce)
Tensor.min = extremum("Min", np.minimum.reduce)

# %% [markdown]
"""
### Testing reductions
Axes with and without `keepdims`, ties. Hidden: tuples and negative axes, integers, no elements,
`var`, and that `sum` keeps no array.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-reductions-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_reductions():
    arrays = [np.array([[1.0, 2.0, 6.0], [4.0, 3.5, -7.0]])]
    cases = [(None, False), (0, False), (1, False), (1, True)]
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes
    arrays += [np.random.default_rng(10).normal(size=s) for s in ((3, 2, 2), (1, 3, 1))]
    # hidden: tuples, negative axes
    cases += [(None, True), (-1, False), ((0, 1), False), ((-1,), True), (0, True)]
    ### END HIDDEN TESTS
    for x in arrays:
        for name in ("sum", "mean", "max", "min"):
            for axis, keep in cases:
                call = operator.methodcaller(name, axis=axis, keepdims=keep)
                check_slopes(f"{name}({axis=}, keepdims={keep})", call, call, x)
    t = leaf([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    t.max(axis=1).backward(np.array([1.0, 10.0]))
    check_array(t.grad, [[0.0, 0.5, 0.5], [10.0, 0.0, 0.0]], "slopes of max(axis=1)", hint="ties")
    check(Tensor([True, True]).sum(), 2, "sum of booleans")
    ### BEGIN HIDDEN TESTS
    # hidden: ties
    t = leaf([[2.0, 1.0, 2.0], [2.0, 5.0, 1.0]], np.float64)
    (t.max(axis=0).sum() + t.min()).backward()
    expected = [[0.5, 0.5, 1.0], [0.5, 1.0, 0.5]]
    check_array(t.grad, expected, "slopes of max(axis=0).sum() + min()", np.float64)
    t = leaf([3.0, 3.0, 3.0])
    t.max(axis=0, keepdims=True).backward()
    check_array(t.grad, [1 / 3, 1 / 3, 1 / 3], "three ties")
    # hidden: slopes of var
    check_slopes("var", lambda a: a.var(axis=1), lambda a: a.var(axis=1, ddof=1), arrays[0])
    # hidden: integers
    check(Tensor([1, 2]).mean(), 1.5, "mean of integers")
    check(Tensor([[1, 5], [7, 2]]).max(axis=1), [5, 7], "max of integers")
    # hidden: no elements
    for name, shape in (("sum", (2, 0)), ("mean", (0, 3))):
        t = leaf(np.ones(shape))
        getattr(t, name)(axis=1).backward(np.ones(shape[0]))
        assert t.grad.shape == shape, f"{name} without elements: .grad has shape {t.grad.shape}"
    # hidden: names, what is kept alive
    assert not keeps(lambda t: t.mean(), lambda t: t.data), "sum and mean need shapes, no array"
    got = [t.grad_fn.name for t in (t.sum(), t.max(axis=1), t.min(axis=1))]
    assert got == ["Sum", "Max", "Min"], f"names: {got}"
    ### END HIDDEN TESTS
    print("✅ reductions spread their gradients")


test_reductions()

# %% [markdown]
"""
## Exercise 11: Shapes
A view moves no number, so its vjp moves the gradient back: `reshape` to the old shape, `permute` by
the inverse order: if dimension 2 went to place 0, then place 0 goes back to dimension 2.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-shapes", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the last line of reshape, and permute.
# Approach: reshape: recorded, "Reshape"; the vjp reshapes g to the old shape. permute: 1. dims from
#   as_tuple. 2. self.data.transpose(dims), "Permute". 3. the vjp transposes g by back: back[i] says
#   at which place of dims dimension i stands; dims may be negative.
# Example: permute(2, 0, 1) is undone by permute(1, 2, 0).
# Hint: np.argsort sorts places: np.argsort([2, 0, 1])  ->  [1, 2, 0]. d % ndim is never negative.
@add_to_class(Tensor)
def reshape(self, *shape):
    """Return a view, if possible, in a shape of as many elements; one size may be -1 (inferred).

    Raises RuntimeError with both shapes if the elements do not fit.
    """
    old, shape = self.shape, as_tuple(shape)
    try:
        array = self.data.reshape(shape)
    except ValueError as error:
        what = f"cannot reshape {old}, {self.size} elements, into {shape}"
        raise RuntimeError(what) from error
    ### BEGIN SOLUTION
    return recorded(array, "Reshape", (self, lambda g: g.reshape(old)))
    ### END SOLUTION


@add_to_class(Tensor)
def permute(self, *dims):
    """Return a view whose dimension i is dimension dims[i] of self."""
    ### BEGIN SOLUTION
    dims = as_tuple(dims)
    back = np.argsort([d % self.ndim for d in dims])
    return recorded(self.data.transpose(dims), "Permute", (self, lambda g: g.transpose(back)))
    ### END SOLUTION


# %% [markdown]
"""
### Testing shapes
Both, and what is made of them. Hidden: negative dimensions, both spellings, memory, the error.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-shapes-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
def test_shapes():
    x = np.random.default_rng(11).normal(size=(2, 3, 4))
    orders, shapes = [(2, 0, 1), (1, 0, 2)], [(4, -1)]
    ### BEGIN HIDDEN TESTS
    # hidden: negative dimensions
    orders += [(-1, 0, 1), (0, 1, 2), (2, 1, 0), (1, -1, -3)]
    # hidden: other new shapes
    shapes += [(2, 1, 12), (24,), (-1,)]
    ### END HIDDEN TESTS
    for dims in orders:
        ours, plain = (operator.methodcaller(name, *dims) for name in ("permute", "transpose"))
        check_slopes(f"permute{dims}", ours, plain, x)
    for shape in shapes:
        call = operator.methodcaller("reshape", *shape)
        check_slopes(f"reshape{shape}", call, call, x)
    check_slopes("transpose(0, 2)", lambda a: a.transpose(0, 2), lambda a: a.transpose(2, 1, 0), x)
    t = leaf(x)
    for view in (t.reshape(24), t.permute(2, 0, 1)):
        assert np.shares_memory(view.data, t.data), "a view, not a copy"
    ### BEGIN HIDDEN TESTS
    # hidden: both spellings, squeeze, unsqueeze
    call = operator.methodcaller("reshape", (6, 4))
    check_slopes("reshape((6, 4))", call, call, x)
    check_slopes("permute((1, 0))", lambda a: a.permute((1, 0)), lambda a: a.transpose(), x[0])
    check_slopes("T", lambda a: a.T, lambda a: a.transpose(), x[0])
    check_slopes("unsqueeze", lambda a: a.unsqueeze(-1), lambda a: a.reshape(2, 3, 4, 1), x)
    check_slopes("squeeze", lambda a: a.squeeze(0), lambda a: a.reshape(3, 4), x[:1])
    # hidden: a view of a view
    ours, plain = lambda a: a.permute(2, 1, 0).reshape(-1), lambda a: a.transpose().reshape(-1)
    check_slopes("a view of a view", ours, plain, x)
    # hidden: gradients share no memory
    a, b = leaf([1.0, 2.0]), leaf([[3.0, 4.0]])
    (b.permute(0, 1) + a.reshape(1, 2)).backward(np.ones((1, 2)))
    check_array(b.grad, [[1.0, 1.0]], "b.grad of b.permute(0, 1) + a.reshape(1, 2)")
    a.grad = b.grad = None
    (a.reshape(1, 2) + b.permute(0, 1)).backward(start := np.ones((1, 2), np.float32))
    a.grad += 1.0
    got = (b.grad.tolist(), start.tolist())
    assert got == ([[1.0, 1.0]],) * 2, f"a.grad shares the memory of other gradients: {got}"
    # hidden: the error of reshape
    words = ["(2, 3, 4)", "(5, 5)"]
    check_raises(RuntimeError, words, lambda: t.reshape(5, 5), "reshape(5, 5)")
    # hidden: names, what vjps keep alive
    calls = {"Reshape": lambda t: t.reshape(-1), "Permute": lambda t: t.permute(1, 0)}
    for name, call in calls.items():
        assert call(b).grad_fn.name == name, f"{name} is named {call(b).grad_fn.name}"
        assert not keeps(call, lambda t: t), f"the vjp of {name} should not mention self"
    ### END HIDDEN TESTS
    print("✅ gradients return to their places")


test_shapes()

# %% [markdown]
"""
## Exercise 12: Take apart, put together
An index takes some elements: its vjp puts g there, in zeros. An element that was taken twice, as a
frequent word is by an embedding, gets **both** gradients; `full[index] = g` would keep the last.
`concatenate` puts parts side by side: each gets its slice of g.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-index", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the vjp of an index, and concatenate.
# Approach: vjp: 1. zeros of the old shape, in g's dtype. 2. a view takes no element twice:
#   full[index] = g. Else np.add.at(full, index, g), which adds up repeats, but slowly. concatenate:
#   1. a list of tensors, their operands, np.concatenate, "Concatenate". 2. an edge for each: its
#   vjp takes g[part], where part has a slice(start, stop) at place axis, after slice(None)s; axis may be
#   negative.
# Example: a[Tensor([0, 0, 1])] of a = [5., 6.], with g = [1., 2., 3.]: a.grad  ->  [3., 3.]
# Hint: a lambda in a loop sees a variable's last value; lambda g, part=part: ... keeps this one.
@add_to_class(Tensor)
def __getitem__(self, index):
    """Return self[index] for ints, slices, ... and None (views of the data) or index Tensors."""
    index, shape = arrays_in(index), self.shape
    array = self.data[index]
    is_view = np.may_share_memory(array, self.data)

    def vjp(g):
        ### BEGIN SOLUTION
        full = np.zeros(shape, g.dtype)
        if is_view:
            full[index] = g
        else:
            np.add.at(full, index, g)
        return full
        ### END SOLUTION

    return recorded(array, "Index", (self, vjp))


@tensor_function
def concatenate(tensors, axis=0):
    """Join Tensors along an existing axis; their other sizes must agree (torch.concatenate)."""
    ### BEGIN SOLUTION
    tensors = list(tensors)
    array = np.concatenate([unwrap(t) for t in tensors], axis=axis)
    edges, start = [], 0
    for t in tensors:
        stop = start + t.shape[axis]
        part = (slice(None),) * (axis % array.ndim) + (slice(start, stop),)
        edges.append((t, lambda g, part=part: g[part]))
        start = stop
    return recorded(array, "Concatenate", *edges)
    ### END SOLUTION


# %% [markdown]
"""
### Testing indices and joins
Slices, an index that repeats, two parts. Hidden: each kind of index, other axes, `stack`, rows of a
loop, dtypes, who shares memory.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-index-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_index():
    x = np.random.default_rng(12).normal(size=(3, 4))
    indices = {"1": 1, ":, 1:3": (slice(None), slice(1, 3)), "[2, 0, 2]": np.array([2, 0, 2])}
    ### BEGIN HIDDEN TESTS
    # hidden: each kind of index
    indices |= {"0, -1": (0, -1), "..., None, 0": (..., None, 0), "::-2": slice(None, None, -2)}
    indices |= {"[[1, 1], [-1, 1]]": np.array([[1, 1], [-1, 1]]), "x > 0": x > 0, "()": ()}
    indices |= {"rows, columns": (np.array([0, 0, 2]), np.array([1, 1, 3]))}
    indices |= {"1:, [0, 0]": (slice(1, None), np.array([0, 0])), ":, 0:0": np.s_[:, 0:0]}
    ### END HIDDEN TESTS
    for what, index in indices.items():
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(Tensor(i) if isinstance(i, np.ndarray) else i for i in parts)
        ours = operator.itemgetter(parts if isinstance(index, tuple) else parts[0])
        check_slopes(f"x[{what}]", ours, operator.itemgetter(index), x)

    def rows(*arrays):
        return np.array([row for a in arrays for row in a])

    check_slopes("concatenate", lambda *ts: concatenate(ts), rows, x, x[:1])
    check(Tensor([5, 6])[Tensor([1, 1])], [6, 6], "int Tensor[index Tensor]")
    ### BEGIN HIDDEN TESTS
    # hidden: concatenate and stack, other axes
    ours, plain = lambda a, b: concatenate(iter([a, b, a]), -1), lambda a, b: rows(a.T, b.T, a.T).T
    check_slopes("concatenate([a, b, a], axis=-1)", ours, plain, x, x[:, :2])
    ours, plain = lambda a, b: stack([a, b], axis=1), lambda a, b: rows(a, b).reshape(2, 3, 4)
    check_slopes("stack(axis=1)", ours, lambda a, b: plain(a, b).transpose(1, 0, 2), x, x + 1)
    # hidden: mixed dtypes, memory apart
    a, c = leaf([1.0]), leaf([0.5], np.float64)
    y = concatenate([a, Tensor([2, 3]), c])
    check(y, [1.0, 2.0, 3.0, 0.5], "float32, int and float64 joined", np.float64)
    y.backward(start := np.array([1.0, 2.0, 3.0, 4.0]))
    check_array(a.grad, [1.0], "a.grad of it")
    c.grad += 1.0
    assert (c.grad.tolist(), start[3]) == ([5.0], 4.0), "c.grad shares memory with g"
    # hidden: rows of a loop
    t, total = leaf([[1.0, 2.0], [3.0, 4.0]]), Tensor(0.0)
    for row in t:
        total = total + (row * row).sum()
    total.backward()
    check_array(t.grad, [[2.0, 4.0], [6.0, 8.0]], "the rows of a for loop")
    # hidden: views, arrays refused
    assert np.shares_memory(t[1].data, t.data), "t[1] should be a view"
    check_raises(TypeError, ["Tensor("], lambda: concatenate([t, np.ones(2)]), "join of an ndarray")
    # hidden: names, what is kept alive
    assert not keeps(lambda t: concatenate([t, t]), lambda t: t.data), "concatenate keeps no array"
    assert y.grad_fn.name == "Concatenate", f"it is named {y.grad_fn.name}"
    ### END HIDDEN TESTS
    print("✅ what is taken twice gets both gradients")


test_index()

# %% [markdown]
"""
## Exercise 13: Matrix multiplication
C = A B, with Cᵢⱼ = Σₚ Aᵢₚ Bₚⱼ. How much does Aᵢₚ matter? It meets Bₚⱼ in every Cᵢⱼ of row i: the
gradient is Σⱼ Gᵢⱼ Bₚⱼ, that is G Bᵀ, of A's shape. Likewise Aᵀ G has B's. So each matmul forward
costs two backward. A vector is a matrix of one row (on the left) or one column (on the right).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write as_matrices and the two edges of @.
# Approach: as_matrices: 1. b is a vector: a column, b[:, None], and g gets a last dimension of 1.
#   2. a is a vector: a row, a[None], and g gets a last but one dimension of 1. @: recorded,
#   "MatMul". The vjp of self is g @ bᵀ. That of other is aᵀ @ g, without its last dimension,
#   [..., 0], if b is a vector. backward sums the rest.
# Example: as_matrices of shapes g (2,), a (3,), b (3, 2)  ->  shapes (1, 2), (1, 3), (3, 2)
# Hint: .mT swaps the last two dimensions of an array. g[..., None, :] adds one before the last.
def as_matrices(g, a, b):
    """Return g (of the shape of a @ b), a and b, with vectors as matrices, the rest as it is."""
    ### BEGIN SOLUTION
    if b.ndim == 1:
        g, b = g[..., None], b[:, None]
    if a.ndim == 1:
        g, a = g[..., None, :], a[None]
    return g, a, b
    ### END SOLUTION


@add_to_class(Tensor)
def __matmul__(self, other):
    """Return self @ other for vectors, matrices and batches of matrices (torch.matmul).

    Raises RuntimeError with both shapes if they do not fit, or if one has no dimension.
    """
    a, b = self.data, unwrap(other)
    array = product(a, b)
    ### BEGIN SOLUTION

    def vjp_self(g):
        g, _, right = as_matrices(g, a, b)
        return g @ right.mT

    def vjp_other(g):
        g, left, _ = as_matrices(g, a, b)
        return (left.mT @ g)[..., 0] if b.ndim == 1 else left.mT @ g

    return recorded(array, "MatMul", (self, vjp_self), (other, vjp_other))
    ### END SOLUTION


# %% [markdown]
"""
### Testing matmul
Matrices and vectors. Hidden: batches that broadcast, vectors against batches, empty ones, integers.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-matmul-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_matmul():
    rng = np.random.default_rng(13)
    shapes = [((2, 3), (3, 4)), ((2, 3), (3,)), ((3,), (3, 2)), ((3,), (3,))]
    ### BEGIN HIDDEN TESTS
    # hidden: batches that broadcast
    shapes += [((2, 3, 4), (4, 2)), ((2, 1, 3, 2), (3, 2, 2)), ((2, 3), (2, 3, 1))]
    # hidden: vectors against batches
    shapes += [((2,), (3, 2, 2)), ((3, 1, 2), (2,)), ((2, 2, 2, 3), (3,)), ((2, 2), (2, 0))]
    # hidden: sizes of one
    shapes += [((2, 1), (1,)), ((1, 2, 3), (3,)), ((1,), (1, 2))]
    ### END HIDDEN TESTS
    for s, t in shapes:
        x, y = rng.normal(size=s), rng.normal(size=t)
        check_slopes(f"shapes {s} @ {t}", operator.matmul, operator.matmul, x, y)
    assert (Tensor([[1.0]]) @ Tensor([2.0])).grad_fn is None, "no gradient, no graph"
    ### BEGIN HIDDEN TESTS
    # hidden: as_matrices
    got = [m.shape for m in as_matrices(np.ones((5, 2)), np.ones(3), np.ones((5, 3, 2)))]
    assert got == [(5, 1, 2), (1, 3), (5, 3, 2)], f"as_matrices of (5, 2), (3,), (5, 3, 2): {got}"
    # hidden: a matrix with itself
    check_slopes("a @ aᵀ", lambda t: t @ t.T, lambda t: t @ t.T, rng.normal(size=(2, 3)))
    # hidden: empty batches
    x, w = leaf(np.ones((0, 3))), leaf(np.ones((3, 2)))
    (x @ w).backward(np.ones((0, 2)))
    check_array(w.grad, [[0.0, 0.0]] * 3, "w.grad of an empty batch")
    y = Tensor(x) @ w
    got = (len(y.grad_fn.edges), y.grad_fn.name, x.grad.shape)
    assert got == (1, "MatMul", (0, 3)), f"one edge, named MatMul; x.grad.shape: {got}"
    # hidden: integers, shapes that differ
    w = leaf([[1.0], [2.0]])
    (Tensor([[3, 4]]) @ w).backward()
    check_array(w.grad, [[3.0], [4.0]], "w.grad of int @ float32")
    check_raises(RuntimeError, ["(2, 1)", "(3,)"], lambda: w @ Tensor([1, 2, 3]), "(2, 1) @ (3,)")
    ### END HIDDEN TESTS
    print("✅ matmul has gradients: two matmuls")


test_matmul()

# %% [markdown]
"""
## Exercise 14: In charge of the graph
Evaluation needs no gradients and should not pay for them: `with no_grad():` records nothing.
`detach()` cuts one Tensor off. `zero_grad()` forgets a gradient, before the next step adds up anew.
And where a result inside the graph has no `.grad` of its own, `retain_grad()` asks for it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-control", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write no_grad, detach, zero_grad and retain_grad.
# Approach: no_grad: 1. remember grad_enabled, make it False. 2. yield: here the with-block runs. 3.
#   put it back, even after an exception. detach: result_of, with self as input. retain_grad: append
#   (self, a vjp that passes g on) to the edges of its Node, unless it is a leaf or already there.
# Example: with no_grad(): y = a * 2    then y.requires_grad is False
# Hint: global grad_enabled. try: yield, finally: ... any(target is self ...) finds an edge to self.
@contextlib.contextmanager
def no_grad():
    """Record no graph, in a `with no_grad():` block or a function under `@no_grad()`."""
    ### BEGIN SOLUTION
    global grad_enabled
    before, grad_enabled = grad_enabled, False
    try:
        yield
    finally:
        grad_enabled = before
    ### END SOLUTION


@add_to_class(Tensor)
def detach(self):
    """Return a Tensor of the same memory, cut off the graph: it requires no gradients."""
    ### BEGIN SOLUTION
    return result_of(self.data, self)
    ### END SOLUTION


@add_to_class(Tensor)
def zero_grad(self):
    """Forget the gradient: .grad is None."""
    ### BEGIN SOLUTION
    self.grad = None
    ### END SOLUTION


@add_to_class(Tensor)
def retain_grad(self):
    """Let a later backward fill .grad, too. RuntimeError, if it cannot: says "requires_grad"."""
    ### BEGIN SOLUTION
    if not self.requires_grad:
        raise RuntimeError("this Tensor gets no gradient: no input of it has requires_grad")
    if self.grad_fn and not any(target is self for target, _ in self.grad_fn.edges):
        self.grad_fn.edges.append((self, lambda g: g))
    ### END SOLUTION


# %% [markdown]
"""
### Testing control
Inside and after `no_grad`, one cut, one retained gradient. Hidden: nesting, exceptions, decorated
functions, calls that repeat.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-control-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
def test_control():
    a = leaf([1.0, 2.0])
    with no_grad():
        y = a * a
    got = (y.requires_grad, y.grad_fn, grad_enabled)
    assert got == (False, None, True), f"requires_grad, grad_fn, grad_enabled after it: {got}"
    b = a * 3.0
    b.retain_grad()
    (b * b * a.detach()).backward(np.ones(2))
    check_array(a.grad, [18.0, 72.0], "a.grad of b² · a.detach(), with b = 3a")
    check_array(b.grad, [6.0, 24.0], "b.grad of it, after b.retain_grad()")
    a.zero_grad()
    assert a.grad is None, f"after zero_grad(), .grad is {a.grad}"
    words, constant = ["requires_grad"], Tensor([1.0])
    check_raises(RuntimeError, words, constant.retain_grad, "retain_grad of a constant")
    ### BEGIN HIDDEN TESTS
    # hidden: detach() shares its array
    wide = leaf([0.1], np.float64)
    check(wide.detach(), [0.1], "detach() of float64", np.float64, "result_of(self.data, self)")
    got = (wide.detach().data is wide.data, wide.detach().requires_grad, wide.detach().grad_fn)
    assert got == (True, False, None), f"detach() shares the array and requires nothing: {got}"
    # hidden: no_grad() inside no_grad()
    with no_grad():
        with no_grad():
            assert leaf([1.0]).requires_grad, "leaves may still require gradients"
        assert (a * a).grad_fn is None, "the end of an inner no_grad() ends no outer one"
    # hidden: exceptions inside no_grad()
    caught = None
    try:
        with no_grad():
            raise KeyError("inside")
    except KeyError as error:
        caught = error
    got = (caught is not None, grad_enabled)
    assert got == (True, True), f"no_grad() lets exceptions through, and recording is on: {got}"

    # hidden: functions under @no_grad()
    @no_grad()
    def evaluate(x):
        return x * 2

    for _ in range(2):
        assert evaluate(a).grad_fn is None, "a function under @no_grad()"
    assert (a * a).grad_fn is not None, "after a function under @no_grad()"
    # hidden: retain_grad() again, memory apart
    y = (b := a * 3.0) * b
    for t in (b, b, y, a):
        t.retain_grad()
    y.backward(start := np.array([1.0, 10.0], np.float32))
    check_array(b.grad, [6.0, 120.0], "b.grad after retain_grad() twice")
    check_array(y.grad, [1.0, 10.0], "y.grad of the Tensor whose backward it was")
    check_array(a.grad, [18.0, 360.0], "a.grad of it: retain_grad() of a leaf changes nothing")
    y.grad += 1.0
    assert start.tolist() == [1.0, 10.0], "y.grad shares memory"
    ### END HIDDEN TESTS
    print("✅ you are in charge of the graph")


test_control()

# %% [markdown]
"""
## Exercise 15: Trust, but check
Now you can check any function that anyone will ever write with these Tensors: backward must agree
with the slopes of Exercise 1. A result of many numbers is weighed with random ones first, so that
no mistakes cancel. The test also checks Modules 02 to 04, of which you changed nothing.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-gradcheck", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: compare backward with numeric_gradient, input by input.
# Approach: 1. the places of the inputs that require gradients; none: ValueError that says
#   "requires_grad". 2. replace these by float64 copies that require gradients. 3. weights:
#   np.random.default_rng(0).normal of the result's shape. 4. backward(weights). 5. for each
#   such input: numeric_gradient of the weighed sum, under no_grad, with a Tensor of the array there.
#   6. a pair that differs by more than tolerance * (1 + abs(numeric)), or is nan: RuntimeError that
#   says "input 0", or which, and shows the index and both numbers as they print.
# Example: gradcheck(lambda a, b: a * b, Tensor(2.0, requires_grad=True), 3.0)  ->  True
# Hint: not (difference <= limit) is True for nan. Tensor(array) alone would be float32.
def gradcheck(function, *inputs, eps=1e-6, tolerance=1e-5):
    """Return True if backward finds the slopes of function(*inputs) (torch.autograd.gradcheck).

    Inputs may be anything; Tensors that require gradients are checked, as float64 copies; one that
    is not used has slopes of 0. ValueError if there is none; RuntimeError where a slope is wrong,
    or from backward, if the result depends on none of them.
    """
    ### BEGIN SOLUTION
    checked = [k for k, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck needs an input Tensor that has requires_grad=True")
    copies = [Tensor(x, np.float64, True) if k in checked else x for k, x in enumerate(inputs)]
    result = function(*copies)
    weights = np.random.default_rng(0).normal(size=result.shape)
    result.backward(weights)

    def weighed(array, k):
        trial = [*copies[:k], Tensor(array, np.float64), *copies[k + 1 :]]
        with no_grad():
            return (function(*trial).data * weights).sum()

    for k in checked:
        grad = np.zeros(copies[k].shape) if copies[k].grad is None else copies[k].grad
        numeric = numeric_gradient(lambda array, k=k: weighed(array, k), copies[k].data, eps)
        for index, slope in np.ndenumerate(numeric):
            if not abs(grad[index] - slope) <= tolerance * (1 + abs(slope)):
                what = f"input {k}, index {index}: backward says {grad[index]}, "
                raise RuntimeError(what + f"central differences say {slope}")
    return True
    ### END SOLUTION


# %% [markdown]
"""
### Testing everything
Right and wrong functions, then a network of Modules 02 to 04. Hidden: inputs of all kinds, which
stay as they are; every activation, layer and loss, and ±1000 without a warning.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-gradcheck-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
def test_gradcheck():
    def wrong(a):
        return recorded(a.data * a.data, "Wrong", (a, lambda g: g * a.data))

    a, b = leaf([[1.0, 2.0]]), leaf([[3.0], [4.0]])
    assert gradcheck(lambda a, b: (a @ b).tanh() * a, a, b) is True, "a right function"
    check_raises(RuntimeError, ["input 0", "(0, 0)"], lambda: gradcheck(wrong, b), "a wrong vjp")
    check_raises(ValueError, ["requires_grad"], lambda: gradcheck(wrong, Tensor([1.0])), "constant")
    assert a.grad is None and a.dtype == np.float32, "the inputs stay as they are"
    manual_seed(5)
    model, criterion = Sequential(Linear(3, 5), ReLU(), Linear(5, 3)), CrossEntropyLoss()
    x, labels = leaf(randn(4, 3), np.float64), Tensor([0, 2, 1, 2])
    check_model("the network", lambda: criterion(model(x), labels), [x, *model.parameters()])
    ### BEGIN HIDDEN TESTS
    # hidden: wrong slopes are told
    weight = np.random.default_rng(0).normal(size=(2, 1))[0, 0]
    words = [f"{3 * weight:.9f}"[:6], f"{6 * weight:.9f}"[:6]]
    check_raises(RuntimeError, words, lambda: gradcheck(wrong, b), "a wrong vjp: both numbers")
    bad = {"input 1": (lambda a, b: a + wrong(b), a, leaf([[1.0, 1.0]]))}
    bad["input 0"] = (lambda a: a * a.detach(), a)
    bad["input 2"] = (lambda k, c, b: wrong(b) * k, 3.0, Tensor([2.0]), b)
    bad["nan"] = (lambda a: recorded(a.data, "Nan", (a, lambda g: g * math.nan)), a)
    for word, call in bad.items():
        check_raises(RuntimeError, [word], functools.partial(gradcheck, *call), f"wrong: {word}")
    # hidden: inputs of all kinds
    assert gradcheck(lambda a, k, b: a * k - b, a, 3, Tensor(2.0)) is True, "inputs of all kinds"
    assert gradcheck(lambda a, b: b * b, a, b) is True, "an input that is not used"
    assert gradcheck(lambda i, w: w[i], Tensor([0, 0]), b) is True, "an index Tensor stays as it is"
    # hidden: tolerance and eps
    assert gradcheck(wrong, leaf(0.01), tolerance=0.1) and grad_enabled, "tolerance=0.1"
    wide = functools.partial(gradcheck, lambda a: a * a * a, leaf([1.0, 2.0]), eps=0.5)
    check_raises(RuntimeError, ["input 0"], wide, "x³ with eps=0.5, whose slopes are off by 0.25")
    # hidden: every activation, layer and loss
    rng = np.random.default_rng(15)
    weights, target = Tensor(rng.normal(size=(4, 3)), np.float64), Tensor(rng.random((4, 3)))
    functions = {f.__name__: f for f in (relu, leaky_relu, sigmoid, tanh, gelu)}
    functions |= {"gelu, tanh": lambda x: gelu(x, "tanh"), "softmax(0)": lambda x: softmax(x, 0)}
    functions |= {"softmax": softmax, "log_softmax": log_softmax, "LayerNorm": LayerNorm(3)}
    functions |= {"Dropout": lambda x: manual_seed(1) or Dropout(0.4)(x), "Linear": Linear(3, 3)}
    functions |= {"Flatten": lambda x: Flatten()(x.reshape(4, 3, 1))}
    for name, function in functions.items():
        parameters = function.parameters() if isinstance(function, Layer) else []
        check_model(name, lambda f=function: (f(x) * weights).sum(), [x, *parameters])
    table, index = Embedding(3, 3), Tensor([2, 0, 2, 2])
    check_model("Embedding", lambda: (table(index) * weights).sum(), table.parameters())
    for loss in (CrossEntropyLoss(), CrossEntropyLoss("sum", 0.1)):
        check_model("CrossEntropyLoss", lambda loss=loss: loss(x, labels), [x])
    for loss in (MSELoss(), MSELoss("sum"), L1Loss(), BCEWithLogitsLoss()):
        check_model(type(loss).__name__, lambda loss=loss: loss(x, target), [x])
    # hidden: large inputs without warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("relu", "sigmoid", "tanh", "gelu", "softmax", "log_softmax"):
            far = leaf([[-1000.0, 0.0, 1000.0]])
            functions[name](far).sum().backward()
            assert np.isfinite(far.grad).all(), f"{name} at ±1000: {far.grad}"
    ### END HIDDEN TESTS
    print("✅ everything you ever built has gradients")


test_gradcheck()

# %% [markdown]
"""
### The payoff
A network of Modules 02 to 04, not a line of them changed, learns what no straight line can tell
apart: whether two numbers have the same sign. All it needs is `loss.backward()` and a small step
downhill. Below it, the graph of one loss, as your operations recorded it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-payoff", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def payoff(steps=200):
    """Train a small network by plain gradient descent; return the picture of its last loss."""
    manual_seed(0)
    x = randn(256, 2)
    labels = Tensor(x.data[:, 0] * x.data[:, 1] > 0, np.int64)
    model, criterion = Sequential(Linear(2, 16), ReLU(), Linear(16, 2)), CrossEntropyLoss()
    for step in range(steps + 1):
        loss = criterion(model(x), labels)
        if step % 50 == 0:
            right = accuracy(model(x), labels)
            print(f"step {step:3}: loss {loss.item():.3f}, {right:.0%} right")
        if step < steps:
            loss.backward()
            for p in model.parameters():
                p.data -= 1.0 * p.grad
                p.zero_grad()
    return draw(loss, **dict(zip(("w1", "b1", "w2", "b2"), model.parameters(), strict=True)))


payoff()

# %% [markdown]
"""
## Part 2: Systems Analysis
Now measure what gradients cost. Only the four questions at the end are marked.

### Memory Profiling
What does a forward pass keep for backward, and what does `no_grad` save?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(batch=1000, width=500):
    """Print the memory that a forward pass keeps, and which operations' vjps keep it."""
    import tracemalloc

    manual_seed(0)
    hidden = [Linear(width, width), ReLU(), Linear(width, width), ReLU()]
    model, x = Sequential(*hidden, Linear(width, 10)), randn(batch, width)

    def kept(make):
        tracemalloc.start()
        result = make()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return result, held / 1e6, peak / 1e6

    result, held, peak = kept(lambda: model(x))
    print(f"forward          keeps {held:5.2f} MB, peak {peak:5.2f} MB")
    seen, total = {id(t.data) for t in (x, *model.parameters())}, 0.0
    for node in reversed(history(result.grad_fn)):
        cells = [cell.cell_contents for _, vjp in node.edges for cell in vjp.__closure__ or ()]
        new = {id(a): a for a in cells if isinstance(a, np.ndarray) and id(a) not in seen}
        seen |= set(new)
        total += sum(a.nbytes for a in new.values()) / 1e6
        for a in new.values():
            print(f"    {node.name:12} needs {a.dtype} {a.shape}, {a.nbytes / 1e6:.2f} MB")
    print(f"    together {total:.2f} MB, {total / held:.0%} of what was kept")
    _, held, peak = kept(no_grad()(lambda: model(x)))
    print(f"under no_grad()  keeps {held:5.2f} MB, peak {peak:5.2f} MB")


profile_memory()

# %% [markdown]
"""
**Explain your list.** You should find every array that a vjp mentions, and nothing else: for each
hidden layer its output, 4 bytes per element, because the next matmul needs it, and what ReLU, a
Maximum times a mask (Mul), needs to know where it was flat. Which results of the forward pass are
missing, and why could they go?
Under `no_grad` only the result stays; its peak is what one step needs. (Run again after the
end of Part 2, where operations are fused, the list is shorter.)

### Checkpoints: time for memory
`checkpoint` runs a piece of the network without recording, keeps only its input, and runs it again
in backward. Watch the memory of 16 layers, in one piece and in four.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-checkpoint", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def checkpoint(function, x):
    """Return function(x), recorded as one Node that keeps x and computes the rest again."""
    with no_grad():
        result = function(x)

    def vjp(g):
        again = leaf(x.detach())
        function(again).backward(g)
        return again.grad

    return recorded(result.data, "Checkpoint", (x, vjp))


def profile_checkpoints(count=16, batch=256, width=256):
    """Plot the memory held through forward and backward, with and without checkpoints."""
    import tracemalloc

    import matplotlib.pyplot as plt

    manual_seed(0)
    layers, x = [Linear(width, width) for _ in range(count)], leaf(randn(batch, width))
    start, memory, peaks = np.ones((batch, width), np.float32), [], []

    def note():
        if tracemalloc.is_tracing():
            memory.append(tracemalloc.get_traced_memory()[0] / 1e6)

    def run(t, piece):
        for layer in piece:
            t = relu(layer(t))
            note()
            t = recorded(t.data, "Note", (t, lambda g: note() or g))
        return t

    def in_four():
        t = x
        for first in range(0, count, 4):
            t = checkpoint(functools.partial(run, piece=layers[first : first + 4]), t)
        t.backward(start)

    ways = [lambda: run(x, layers).backward(start), in_four, lambda: no_grad()(run)(x, layers)]
    rounds = [[*times(ways[0], 1), *times(ways[1], 1)] for _ in range(5)]
    once, again = (min(seconds) for seconds in zip(*rounds, strict=True))
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for way in ways:  # every .grad exists by now, and is only added to
        memory.clear()
        tracemalloc.start()
        way()
        tracemalloc.stop()
        axes.plot(memory, linewidth=2)
        peaks.append(max(memory))
    spots = (count + 2, peaks[0]), (2 * count, 1.08 * peaks[1]), (count, 0.6 * peaks[2])
    for k, name in enumerate(("one piece", "four checkpoints", "no_grad")):
        axes.annotate(f"{name}, {peaks[k]:.1f} MB", spots[k], color=f"C{k}")
    axes.set(xlabel="layers computed: forward, then backward", ylabel="MB held")
    axes.set(xlim=(-1, None), ylim=(0, 1.1 * peaks[0]))
    part, more = peaks[1] / peaks[0], again / once - 1
    axes.set_title(f"Four checkpoints: {part:.0%} of the memory, {more:+.0%} time")
    plt.show()
    print(f"peak {peaks[1]:.1f} MB in place of {peaks[0]:.1f} MB; ", end="")
    print(f"a step takes {1e3 * again:.0f} ms in place of {1e3 * once:.0f} ms")


profile_checkpoints()

# %% [markdown]
"""
**Explain your picture.** One piece climbs a mountain and comes down again. With checkpoints only
four inputs stay, and backward climbs four small hills. Expect 30 to 50 % of the memory, and up to
35 % more time: a second forward pass is a third more FLOPs, but less memory is faster memory. (On a
busy machine the time may say anything: run it again.) With
n layers in √n pieces the peak grows like √n. How many pieces would you choose for n = 100?

### What backward costs
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-time", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_time(batch=256):
    """Print the times of a network's forward and backward pass."""
    manual_seed(0)
    model = Sequential(Linear(512, 512), ReLU(), Linear(512, 512), ReLU(), Linear(512, 10))
    x, labels, criterion = randn(batch, 512), Tensor(np.arange(batch) % 10), CrossEntropyLoss()
    ways = [lambda: criterion(model(x), labels), lambda: criterion(model(x), labels).backward()]
    rounds = [[min(times(way)) for way in ways] for _ in range(5)]
    forward, both = (min(seconds) for seconds in zip(*rounds, strict=True))
    count = sum(p.size for p in model.parameters())
    print(f"forward {1e3 * forward:.1f} ms, backward {1e3 * (both - forward):.1f} ms, ", end="")
    print(f"{(both - forward) / forward:.1f} times as long, for {count:,} slopes at once")
    minutes = 2 * count * forward / 60
    print(f"central differences: {2 * count:,} times forward, {minutes:,.0f} minutes")


profile_time()

# %% [markdown]
"""
**Explain your numbers.** Each matmul forward is two backward, but the first layer needs only one,
since the input wants no gradient; expect 2 to 4.

### The price of a wrong order
The textbook's backward is recursive: send g to each input, which sends it on at once. In
`y = y + y`, repeated, it visits every Node once for each **path** that leads to it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-order", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_order():
    """Plot the time of backward by naive recursion and by history against the graph's depth."""
    import matplotlib.pyplot as plt

    x, one, days = leaf(1.0, np.float64), np.ones(()), 86400.0

    def repeated(t, times, step):
        for _ in range(times):
            t = step(t)
        return t

    def naive(node, g):
        for target, vjp in node.edges:
            accumulate(x, vjp(g), True) if target is x else naive(target, vjp(g))

    def double(depth):
        return repeated(x, depth, lambda t: t + t)

    few, many = list(range(2, 15)), [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    slow = [min(times(lambda d=d: naive(double(d).grad_fn, one), 3)) for d in few]
    fast = [min(times(lambda d=d: double(d).backward(), 3)) for d in many]
    growth, far = (slow[-1] / slow[-6]) ** (1 / 5), np.arange(few[-1], 90)
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.loglog(few, slow, "o-", color="tab:red", linewidth=2)
    axes.loglog(far, slow[-1] * growth ** (far - few[-1]), ":", color="tab:red")
    axes.loglog(many, fast, "o-", color="tab:blue", linewidth=2)
    axes.axhline(5e12 * days, color="gray", linewidth=1)
    axes.annotate("age of the universe", (2, 1e13 * days), color="gray")
    axes.annotate("naive recursion,\nextrapolated", (33, 1e6), color="tab:red", ha="right")
    axes.annotate("latest first, each Node once", (60, 9 * fast[-1]), color="tab:blue")
    axes.set(xlabel="depth of y = y + y", ylabel="seconds", ylim=(1e-6, 1e22))
    axes.set_title(f"1000 shared Nodes: {1e3 * fast[-1]:.1f} ms in the right order")
    plt.show()
    years = math.log10(slow[-1] / (365 * days)) + (1000 - few[-1]) * math.log10(growth)
    print(f"naive: {growth:.2f} times as long per level, so 1000 levels take 10^{years:.0f} years")
    chain = functools.partial(repeated, x, 100_000, lambda t: t * 1.0)
    (kept,), (dropped,) = times(lambda: chain().backward(), 1), times(chain, 1)
    print(f"a chain of 100,000 products, forward and backward: {kept:.2f} s")
    print(f"the same chain, dropped without backward: {dropped:.2f} s")


profile_order()

# %% [markdown]
"""
**Explain your curves.** Expect the red line to double with each level, since 2ⁿ paths lead down,
and the blue one to grow with the count of Nodes, some microseconds each. A chain of 100,000 would
break a recursive backward at Python's limit of 1,000 calls; yours keeps a list of its own.

### What fusing saves
Each Node costs some microseconds, and each array between two operations is written and read again.
So PyTorch **fuses** what nearly every step uses: one operation, with a vjp by hand. The three below
replace those of Modules 02 to 04 wherever they are called, since they are `tensor_function`. Read the
vjps: of all that cross-entropy computes, softmax is left, minus 1 at the right class.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-fused", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
from << cookiecutter.package_name >> import (
    activations,
    layers,
    losses,
)

originals = (activations.relu, layers.linear, losses.cross_entropy)
composed = {function.__name__: function.__wrapped__ for function in originals}


@tensor_function
def relu(x):
    """Return max(x, 0) as one operation, which keeps its output (torch.nn.functional.relu)."""
    out = np.maximum(x.data, 0)
    return recorded(out, "ReLU", (x, lambda g: g * (out > 0)))


def matrix_of(array):
    """Return the array as a matrix: one row for each of its vectors."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


@tensor_function
def linear(x, weight, bias=None):
    """Return x @ weight + bias, of shapes (..., n) @ (n, m) + (m,), as one operation."""
    a, w = x.data, weight.data
    out = product(a, w)
    if bias is not None:
        b = bias.data
        out = np.add(out, b, out if out.dtype == b.dtype else None)  # in place: nobody has seen it

    def vjp_weight(g):
        return a.T @ g if a.ndim == 2 else matrix_of(a).T @ matrix_of(g)

    def vjp_bias(g):
        return np.add.reduce(g if g.ndim == 2 else matrix_of(g))

    edges = (x, lambda g: g @ w.T), (weight, vjp_weight), (bias, vjp_bias)
    return recorded(out, "Linear", *edges)


@tensor_function
def cross_entropy(input, target, reduction="mean"):
    """Return -log softmax(input) at the target, reduced, as one operation; nothing is checked."""
    logits, labels, n = input.data, target.data, input.data.shape[0]
    shifted, rows = logits - np.maximum.reduce(logits, axis=1, keepdims=True), np.arange(n)
    e = np.exp(shifted)
    total = np.add.reduce(e, axis=1, keepdims=True)
    losses = np.log(total[:, 0]) - shifted[rows, labels]
    reduced = losses if reduction == "none" else np.add.reduce(losses)
    count = n if reduction == "mean" else 1

    def vjp(g):
        slopes = e / total
        slopes[rows, labels] -= 1
        slopes *= g.reshape(-1, 1) / count
        return slopes

    return recorded(reduced / count, "CrossEntropy", (input, vjp))


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-fused", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_fused():
    """Print Nodes and times of three operations, composed and fused; fail if slopes differ."""
    manual_seed(0)
    x, w, b = leaf(randn(64, 128)), leaf(randn(128, 64)), leaf(randn(64))
    logits, labels = leaf(randn(256, 5000)), Tensor(np.arange(256))
    calls = {relu: (x,), linear: (x, w, b), cross_entropy: (logits, labels)}
    for fused, inputs in calls.items():
        slopes, nodes, seconds = [], [], []
        for function in (composed[fused.__name__], fused):
            inputs[0].zero_grad()
            result = function(*inputs)
            nodes.append(len(history(result.grad_fn)))
            start = np.ones(result.shape, np.float32)
            result.backward(start)
            slopes.append(inputs[0].grad)
            step = functools.partial(lambda f, inputs, g: f(*inputs).backward(g), function, inputs)
            seconds.append(1e6 * min(times(functools.partial(step, start), 15)))
        assert np.abs(slopes[0] - slopes[1]).max() < 1e-6, f"{fused.__name__}: slopes differ"
        print(f"{fused.__name__:13} {' '.join(str(t.shape) for t in inputs)}: ", end="")
        print(f"{nodes[0]} Nodes, {seconds[0]:,.0f} μs; ", end="")
        print(f"fused {seconds[1]:,.0f} μs, {seconds[0] / seconds[1]:.1f} times as fast")


profile_fused()

# %% [markdown]
"""
**Explain your numbers.** The composed cross-entropy makes some ten arrays of the logits' size, the
fused one three: expect it 2 to 6 times as fast. ReLU saves two passes forward and more backward;
`linear` was two Nodes only, one of them a matmul, which nothing makes faster. Why does a fused ReLU
keep no array that the next layer would not keep anyway?

## Part 3: Production Context
- **Graph.** PyTorch records as you do: `grad_fn` is a Node, `next_functions` are its edges, and
  leaves end in an `AccumulateGrad`. Its vjps stand in `derivatives.yaml`, one line for each input.
  The engine, in C++, counts for each Node the gradients still to come, and runs ready ones in the
  order of their sequence numbers, latest first, with one thread per device.
- **Saved arrays.** `save_for_backward` keeps them with a version number. Change one in place, and
  backward raises an error (not if through `.data`); yours silently uses the changed numbers.
- **Less memory.** `torch.no_grad` is yours; `inference_mode` also drops version numbers.
  `torch.utils.checkpoint` is your `checkpoint` with the random state restored, so that dropout
  drops the same numbers twice.
- **Higher derivatives.** PyTorch's vjps are themselves recorded with `create_graph=True`. Yours
  compute with arrays, so they stop at the first derivative.
- **Others.** JAX differentiates functions: it traces them and transforms the program, forward
  (`jvp`) or in reverse (`vjp`, `grad`), and XLA fuses the result. TensorFlow records on a
  `GradientTape`, only inside its block.
- **Different here.** `.grad` is an ndarray, not a Tensor. PyTorch lets a second backward pass Nodes
  that saved nothing. Where a slope is infinite, as of `sqrt` at 0, NumPy warns, PyTorch does not.

Sources: PyTorch docs, *Autograd mechanics*; Paszke et al., *Automatic differentiation in PyTorch*
(2017); JAX docs, *The Autodiff Cookbook*; Chen et al., *Training Deep Nets with Sublinear Memory
Cost* (2016); Griewank and Walther, *Evaluating Derivatives* (2008).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 05 is complete: your Tensors differentiate themselves")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer in three to six sentences each; where you measured, use your own numbers.

### Question 1: What the graph keeps
A layer computes `(x @ w + b).tanh()` for x of shape (10000, 1000) and w of shape (1000, 1000), all
float32 and requiring gradients. Which arrays, leaves included, does your graph keep for backward, in
how many bytes, and which does it let go? What if tanh were composed as `(p - q) / (p + q)` of two `exp`?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
MatMul keeps x and w: both exist anyway (40 MB and 4 MB), but x cannot be freed now. Add keeps
nothing, so the outputs of `@` and of `+ b`, 40 MB each, go as soon as nobody names them. Tanh keeps
its output, 40 MB, which the next layer holds as its input, too. Composed, each `exp` keeps its
output and the division both of its sides: 160 MB in place of 40. My list showed the same: only
arrays that a vjp mentions.

**Marking rubric (5 points)**
- 2: x, w and tanh's output, and none of the two sums. 1: 40 MB, 4 MB, 40 MB.
- 1: why Add needs nothing (its vjps mention no array). 1: four arrays of 40 MB when composed.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Order
For `u = a * a; v = u * 3; y = u + v`, somebody's backward visits each Node once, but `u` before `v`:
what comes to `u` later is lost. Compute by hand, for a = 2, what it finds for `a.grad`, and what is
right. Why does time give a valid order, and what did your plot say about visiting `u` once for each
path instead?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
y gives u and v a gradient of 1. If u goes next, it sends 1 · 2a = 4 to a and is done; v then sends
3 to u, which nobody passes on. So `a.grad` is 4 instead of (1 + 3) · 2a = 16. A result is always
made after its inputs, so latest first means that everything computed from u has sent its part
before u's turn. Once for each path is right, too (4 + 12), but takes 2ⁿ visits for n shared Nodes:
in my plot twice as long per level, 10^280 years or so at depth 1000 against milliseconds.

**Marking rubric (5 points)**
- 2: 4 and 16. 2: inputs are older than results, so each gradient is complete at its turn.
- 1: paths double per level, with the measured factor.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: Checkpoints
A network of 64 equal layers keeps 1 GB per layer for backward, its input included; a layer takes
10 ms forward and 20 ms backward. You have 20 GB. How many pieces do you choose, what is the peak,
and how long is a step, with and without checkpoints? Which of your measurements supports this?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
Without: 64 GB, which does not fit, and 64 · 30 ms = 1.92 s. With k pieces backward holds about k
inputs and the 64 / k layers of one piece. k = 8: 8 + 8 = 16 GB, if an input is about as large as
what a layer keeps, and it fits; k = 4 (4 + 16 = 20 GB) is on the edge. Each layer runs forward once
more: 64 · 40 ms = 2.56 s, a third longer. My measurement with 16 layers in four pieces: 43 % of the
memory, and some 15 % more time.

**Marking rubric (5 points)**
- 2: peak as inputs plus one piece, and a k that fits. 2: 1.92 s and 2.56 s.
- 1: own measured numbers, compared with this.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: In place
To save time somebody updates the weights between `loss = criterion(model(x), labels)` and
`loss.backward()`, by `p.data -= lr * old_grad`. Which gradients of a network of two Linear layers
become wrong, which stay right, and why does no error appear? How could a framework notice such a
change? Name a cure.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
The vjps read the arrays they mention when backward runs. The gradient of x @ w with respect to x is
g @ wᵀ: it now uses the new w2, so all that flows below the second layer, w1's and b1's gradients,
is wrong. Those of w2 and b2 use the hidden outputs and g, which are as they were: right. Nothing
compares old and new, so no error. A number that each in-place change raises would show it: PyTorch
counts such versions and raises a RuntimeError, unless one goes through `.data`, as here. Cure:
update after backward; or make a new array, `p.data = p.data - ...`, since the graph still holds the
old one.

**Marking rubric (5 points)**
- 2: wrong below the second layer, right for w2 and b2, with the vjp as reason.
- 1: nothing compares. 1: a version or a copy to compare with. 1: a cure that works.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You taught a Tensor to remember and to go back: one record, one line per vjp, one loop over Nodes,
latest first. Everything you had built differentiates, unchanged, and a checker proves it. You
measured what it costs: about two forward passes, the arrays that vjps mention, and how to trade
them.

**Next, Module 06: Optimizers** decide what to do with a gradient, and how far to step.
"""
