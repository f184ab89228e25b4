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

A network of a million weights has a million slopes, and training needs them all, at every step.
Measured one by one they would take two million runs; `loss.backward()` finds them in the time of a
few. For most people that line is magic. Here you build it, and it is shorter than you think: each
result remembers where it came from, each operation knows one line of school calculus, and six lines
with a loop in them do the rest.

**Learning Objectives:**
- Build reverse-mode automatic differentiation into `Tensor`: record a graph, walk it back once.
- Understand a vjp: how each operation turns the gradient of its result into those of its inputs.
- Analyze what gradients cost in time and in memory, and trade one for the other.

**You are here:** << cookiecutter.__map | replace("05 Autograd", "**05 Autograd**") >>

**Time:** 7 to 8 hours. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper*
can wait: nothing later needs them.

**History.** Seppo Linnainmaa described this way of computing derivatives in his master's thesis in
Helsinki in 1970. Rumelhart, Hinton and Williams made it famous as *backpropagation* in 1986, when
they showed in *Nature* what networks learn with it.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import contextlib
import functools
import gc
import inspect
import itertools
import math
import operator

import numpy as np

from << cookiecutter.package_name >> import tensor
from << cookiecutter.package_name >>.tensor import (
    Tensor,
    add_to_class,
    as_tuple,
    result_of,
    tensor_function,
    unwrap,
    where,
)

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-testing", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_array,
    check_equal,
    check_model,
    check_raises,
    check_slopes,
    exercise,
    leaf,
    made,
    median_time,
    replaced,
    show_results,
    times,
    unwritten,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

Take y = a · b + a, with a = 2 and b = 3. Forward, numbers go up this graph. Backward, each box gets
its **gradient**: how much y grows when the number in this box grows by a little.

![The graph of y = a b + a: a = 2 and b = 3 below, a b = 6 above them, y = 8 on top; gradients are 1 at y, 1 at a b, 3 + 1 = 4 at a, 2 at b](graph.svg)

Start on top: y grows as fast as y, so its gradient is 1. A sum passes it on to both inputs. The
product has gradient 1, and grows b = 3 times as fast as a, a = 2 times as fast as b. Two arrows
leave a, so its two parts **add up**: 1 + 3 = 4. Check it: y = a (b + 1), whose slope in a is 4.

**Chain rule.** That was all of it: along an arrow slopes multiply, and where arrows meet they add.

**vjp.** For arrays the slope of one operation is a Jacobian matrix J, of (size of result) · (size of
input) numbers: far too many. Nobody needs it. An operation only has to turn the gradient g of its
result into g · J, the gradient of its input: its **vector-Jacobian product**. For a · b, elementwise,
that is g · b: one line of code.

### Computational Complexity

| What | Time | Memory |
|---|---|---|
| gradient by differences, P parameters | O(P F) | O(P) |
| backward: all of the gradient at once | O(F), a few forward passes | O(A) |
| a Jacobian of n results and n inputs | O(n²) | O(n²) |
| the vjp of an elementwise operation on n numbers | O(n) | O(n) |
| the order of N Nodes with E edges | O(N log N + E) | O(N) |
| checkpointing a chain of N layers in √N pieces | O(F), one more forward pass | O(A / √N) |

F FLOPs in the forward pass, A bytes of arrays that the vjps need later.
"""

# %% [markdown]
"""
## Exercise 1: Slopes by brute force
You can measure a gradient without any theory: move one number a little up and a little down, and
see how much the result changes. With f(x) = x² at 3, and steps of 0.5: (3.5² - 2.5²) / 1 = 6. It
takes two runs of the function per number, hopeless for a million, but it needs no cleverness. From
Exercise 7 on, the tests judge nearly all that you build by such slopes.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-numeric", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def numeric_gradient(function, x, eps=1e-6):
    """Return function's slopes at x, a float64 array of x's shape; x stays as it is.

    function takes a float64 array of x's shape and returns a number.
    """
    # TODO: estimate the gradient of function at x by central differences.
    #
    # APPROACH
    # 1. Work on a float64 copy of x, and collect the slopes in zeros of its shape.
    # 2. For each index: function's value with this number eps higher, and eps lower.
    # 3. Their difference over 2 * eps is the slope there.
    #
    # EXAMPLE
    # >>> numeric_gradient(lambda x: (x * x).sum(), np.array([1.0, 3.0]), eps=0.5)
    # array([2., 6.])
    #
    # HINTS
    # - np.ndindex(x.shape) gives every index.
    # - Keep the old number, and put it back: x + eps - eps is not always x.
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
Polynomials, whose slopes are known; shapes; that x stays as it is.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-numeric-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@exercise(1)
def test_numeric_gradient():
    x = np.array([1.0, 3.0])
    got = numeric_gradient(lambda v: (v * v).sum(), x, 0.5)
    hint = "(f at x + eps, minus f at x - eps) over 2 eps: the eps given, in float64"
    check_array(got, [2.0, 6.0], "x² at [1, 3], eps=0.5", np.float64, hint)
    got = numeric_gradient(lambda v: (v * v * v).sum(), x, 0.5)
    check_array(got, [3.25, 27.25], "x³ at [1, 3], eps=0.5", np.float64)
    got = numeric_gradient(lambda v: v[0] * v[1], x, 0.5)
    check_array(got, [3.0, 1.0], "x₀ · x₁ at [1, 3]", np.float64, "put old back")
    check_equal(x.tolist(), [1.0, 3.0], "x afterwards", hint="move numbers of a copy")
    got = numeric_gradient(lambda v: (v * v).sum(), np.array([[1], [2]]), 0.5)
    check_array(got, [[2.0], [4.0]], "x² at integers", np.float64, "a float64 copy")
    got = numeric_gradient(lambda v: v * v, np.array(1.5), 0.25)
    check_array(got, 3.0, "x² at a 0-d array", np.float64)
    got = numeric_gradient(lambda v: v.sum() ** 3, np.array([1.0, 1.0]))
    near = np.round(got, 4)
    check_array(near, [12.0, 12.0], "(Σ x)³, the default eps", np.float64)
    print("✅ you can measure any slope")


test_numeric_gradient()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-numeric-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "functions that use x, too · transposed arrays · other shapes")
def test_numeric_gradient_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: functions that use x, too
    x = np.array([1.0, 3.0])
    got = numeric_gradient(lambda v: (v * x).sum(), x, 0.5)
    check_array(got, [1.0, 3.0], "Σ x v, x the array given", np.float64, "copy")
    # hidden: transposed arrays
    turned = np.array([[1.0, 2.0], [3.0, 4.0]]).T
    got = numeric_gradient(lambda v: (v * v).sum(), turned, 0.5)
    check_array(got, [[2.0, 6.0], [4.0, 8.0]], "x² of a transposed array", np.float64)
    # hidden: other shapes
    c, m = np.random.default_rng(1).normal(size=(2, 2, 3, 2))
    got = numeric_gradient(lambda v: (c * v).sum() ** 2, m, 0.5)
    expected = (2 * (c * m).sum() * c).tolist()
    check_array(got, expected, "(Σ c x)² of (2, 3, 2)", np.float64)
    ### END HIDDEN TESTS


test_numeric_gradient_beyond()

# %% [markdown]
"""
## Exercise 2: A result remembers
To go back, each result must know which inputs it came from, and the vjp for each: in y = a b + a,
y must know a b and a. So an operation that is **recorded** gives its result a `Node`, in `grad_fn`, as
in PyTorch. A Node holds **edges**, one for each input that needs a gradient. An input that needs none
has no edge: nothing is kept or computed for its gradient.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-node", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
grad_enabled = True  # no_grad() turns recording off for a while
counter = itertools.count()
gc.set_threshold(50_000, 20, 20)  # record makes no cycles: seldom look for them


# After running this cell again, run all cells below again: they add a method to Node.
class Node:
    """One operation in the graph: how a result was made.

    edges: a list of pairs (target, vjp). A target is the Node of an input, or the input
    itself if it is a leaf, a Tensor that no operation made. A vjp takes the gradient of
    the result, an array, and returns that of the input.
    """

    __slots__ = ("name", "edges", "shape", "dtype", "number", "grad", "__weakref__")

    def __init__(self, name, edges, result):
        """Remember the result's shape and dtype; number counts up: 0 is the oldest."""
        self.name, self.edges, self.grad = name, edges, None
        self.shape, self.dtype, self.number = result.shape, result.dtype, next(counter)

    def __repr__(self):
        """Show the operation, as <Mul>."""
        return f"<{self.name}>"

    def __getattr__(self, name):
        """Explain, where someone asks for edges that are gone."""
        if name != "edges":
            raise AttributeError(f"a Node has no {name}")
        what = f"{self} was freed by an earlier backward(): compute forward again, "
        raise RuntimeError(what + "or add up the losses and call backward() once")


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-recorded", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def record(result, name, *edges):
    """Return result, a new Tensor, with a Node if a gradient must flow through it.

    Each edge is a pair (input, vjp). An input may be a Tensor, a number or None.
    """
    # TODO: make the list of edges that are needed, and a Node of it.
    #
    # APPROACH
    # 1. An edge is needed if its input is a Tensor that requires a gradient.
    # 2. The Node's list holds this input's grad_fn in its place; for a leaf, whose
    #    grad_fn is None, it holds the input itself.
    # 3. If there is such an edge, and grad_enabled is True, the result requires a
    #    gradient, too, and its grad_fn is Node(name, that list, result).
    #
    # EXAMPLE
    # >>> a = Tensor(3.0, requires_grad=True)
    # >>> y = record(Tensor(6.0), "Double", (a, lambda g: 2 * g))
    # >>> y.grad_fn, y.requires_grad
    # (<Double>, True)
    #
    # HINTS
    # - x.grad_fn or x
    # - Numbers have no requires_grad: ask isinstance(x, Tensor) first.
    ### BEGIN SOLUTION
    needed = []
    for x, vjp in edges:
        if isinstance(x, Tensor) and x.requires_grad:
            needed.append((x.grad_fn or x, vjp))
    if grad_enabled and needed:
        result.requires_grad = True
        result.grad_fn = Node(name, needed, result)
    return result
    ### END SOLUTION


# %% [markdown]
"""
### Testing the record
A leaf, an inner result, inputs that need no gradient, `grad_enabled = False`.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-recorded-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(2)
def test_record():
    a, b, c = leaf([1.0, 2.0]), leaf([3.0, 4.0]), Tensor([5.0, 6.0])
    vjp = functools.partial(np.multiply, 2)
    given = Tensor([2.0, 4.0])
    y = record(given, "Double", (a, vjp))
    check_equal(y is given, True, "record returns the result that it was given")
    check(y, [2.0, 4.0], "the result")
    check_equal(y.requires_grad, True, "y.requires_grad")
    check_equal(type(y.grad_fn), Node, "the type of y.grad_fn")
    check_equal(y.grad_fn.name, "Double", "the name of the Node")
    check_equal(y.grad_fn.edges, [(a, vjp)], "the edges of the Node")
    z = record(Tensor([7.0, 8.0]), "Sum", (y, vjp), (c, vjp), (b, vjp), (1.5, vjp))
    got = [target for target, _ in z.grad_fn.edges]
    hint = "c and 1.5 need no gradient"
    check_equal(len(got), 2, "edges of y + c + b + 1.5", hint)
    hint = "an inner result has a grad_fn: that stands in the edge"
    check_equal(got[0] is y.grad_fn, True, "the first edge leads to y's Node", hint)
    check_equal(got[1] is b, True, "the second edge leads to b, a leaf", hint)
    quiet = record(Tensor([1.0]), "Nothing", (c, vjp), (None, vjp))
    got = (quiet.requires_grad, quiet.grad_fn)
    check_equal(got, (False, None), "requires_grad and grad_fn where nothing needs one")
    with replaced(globals(), grad_enabled=False):
        y = record(Tensor([2.0]), "Double", (a, vjp))
    got = (y.requires_grad, y.grad_fn)
    check_equal(got, (False, None), "requires_grad and grad_fn, grad_enabled = False")
    print("✅ a result remembers where it came from")


test_record()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-recorded-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "the same input twice · shape and dtype in the Node · a list of edges")
def test_record_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: the same input twice
    a, vjp = leaf([[1.0], [2.0]]), functools.partial(np.multiply, 2)
    y = record(Tensor([[1.0], [4.0]], np.float64), "Mul", (a, vjp), (a, vjp))
    check_equal([target is a for target, _ in y.grad_fn.edges], [True, True], "a * a")
    # hidden: shape and dtype in the Node
    got = (y.grad_fn.shape, y.grad_fn.dtype)
    check_equal(got, ((2, 1), np.dtype(np.float64)), "shape and dtype of the Node")
    # hidden: a list of edges
    check_equal(type(y.grad_fn.edges), list, "the type of edges")
    z = record(Tensor(1.0), "Sum", (np.float64(2), vjp), (y, vjp), (None, vjp))
    check_equal([t is y.grad_fn for t, _ in z.grad_fn.edges], [True], "edges of z")
    ### END HIDDEN TESTS


test_record_beyond()

# %% [markdown]
"""
## Exercise 3: Two operations by hand
Now `+` and `*` learn to remember. They compute as in Module 01, and return through `record`, with a
vjp for each side: what a gradient g of the result means for it. If y = a + b, then y grows as much
as a does: g passes on as it is. If y = a · b, it grows b times as much as a. So if g = 10 arrives at
y = 2 · 3, it means 30 for the 2, and 20 for the 3.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-first", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def __add__(self, other):
    """Return self + other, recorded as "Add"; other is a Tensor or a number."""
    # TODO: compute the sum, and return it through record, with a vjp for each side.
    #
    # APPROACH
    # 1. result_of(array, self, other) makes a Tensor of an array, as in Module 01.
    # 2. record(result, name, (self, vjp), (other, vjp)), where a vjp is a lambda of g.
    #
    # EXAMPLE
    # >>> y = Tensor([2.0], requires_grad=True) + 5
    # >>> (target, vjp), = y.grad_fn.edges
    # >>> vjp(np.array([10.0]))
    # array([10.])
    #
    # HINTS
    # - unwrap(other) is an array, or a number. A vjp computes with these, not with
    #   Tensors: it takes an array and returns one, of the same dtype.
    # - Shapes that broadcast need no care here: backward will fit them.
    ### BEGIN SOLUTION
    result = result_of(self.data + unwrap(other), self, other)
    return record(result, "Add", (self, lambda g: g), (other, lambda g: g))
    ### END SOLUTION


@add_to_class(Tensor)
def __mul__(self, other):
    """Return self * other, recorded as "Mul"; other is a Tensor or a number."""
    # TODO: the same for the product.
    ### BEGIN SOLUTION
    a, b = self.data, unwrap(other)
    result = result_of(a * b, self, other)
    return record(result, "Mul", (self, lambda g: g * b), (other, lambda g: g * a))
    ### END SOLUTION


Tensor.__radd__, Tensor.__rmul__ = Tensor.__add__, Tensor.__mul__  # in either order

# %% [markdown]
"""
### Testing two operations
There is no backward yet, so the test calls the vjps itself.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-first-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(3)
def test_first():
    g = np.array([1.0, 10.0], np.float32)

    def check_sent(y, to, expected, what, hint=""):
        parts = [vjp(g) for target, vjp in y.grad_fn.edges if target is to]
        check_array(sum(parts), expected, f"what g = [1, 10] of {what}", hint=hint)

    a, b = leaf([2.0, 3.0]), leaf([5.0, 7.0])
    check(a + b, [7.0, 10.0], "a + b")
    check(a * b, [10.0, 21.0], "a * b")
    check(2 * a + 1, [5.0, 7.0], "2 * a + 1")
    check_sent(a + b, a, [1.0, 10.0], "a + b means for a")
    check_sent(a + b, b, [1.0, 10.0], "a + b means for b")
    hint = "a * b grows b times as fast as a"
    check_sent(a * b, a, [5.0, 70.0], "a * b means for a", hint)
    hint = "a * b grows a times as fast as b"
    check_sent(a * b, b, [2.0, 30.0], "a * b means for b", hint)
    check_sent(a * 3.0, a, [3.0, 30.0], "a * 3.0 means for a")
    check_sent(a * a, a, [4.0, 60.0], "a * a means for a", "both sides are a")
    check_sent(1 + a, a, [1.0, 10.0], "1 + a means for a")
    got = (g.tolist(), a.data.tolist(), b.data.tolist())
    check_equal(got, ([1.0, 10.0], [2.0, 3.0], [5.0, 7.0]), "g, a and b afterwards")
    (mul, _), (last, _) = (a * b + a).grad_fn.edges
    check_equal((mul.name, last is a), ("Mul", True), "the edges of a * b + a")
    print("✅ two operations know their vjps")


test_first()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-first-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(3, "broadcasting, dtypes · ndarrays are refused")
def test_first_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: broadcasting, dtypes
    a, column, row = leaf([2.0, 3.0]), np.array([[1.0], [2.0]]), np.array([3.0, 5.0])
    for op in (operator.add, operator.mul):
        check_slopes(f"{op.__name__}, shapes (2, 1) and (2,)", op, op, column, row)
        got, want = op(a, leaf([0.5], np.float64)), [op(2.0, 0.5), op(3.0, 0.5)]
        what, hint = f"{op.__name__}, float32 and float64", "result_of(…, self, other)"
        check(got, want, what, np.float64, hint)
    check(leaf([0.1], np.float64) * 0.2, [0.1 * 0.2], "float64 * 0.2", np.float64)
    check(Tensor([1, 2]) + 1, [2, 3], "int + int")
    check(Tensor([1, 2]) * 0.5, [0.5, 1.0], "int * 0.5")
    # hidden: ndarrays are refused
    check_raises(TypeError, ["Tensor("], lambda: a + np.ones(2), "Tensor + ndarray")
    check_raises(TypeError, ["Tensor("], lambda: np.ones(2) * a, "ndarray * Tensor")
    ### END HIDDEN TESTS


test_first_beyond()

# %% [markdown]
"""
## Exercise 4: Broadcasting, backwards
In `x + bias`, shapes (2, 3) and (3,), each bias is used twice, once per row. By the chain rule its
gradient is the sum over its uses. So the rule of Module 01 runs backwards: where forward repeated,
backward adds up.

![Forward, a bias of 3 numbers is repeated in 2 rows; backward, the gradients of the 2 rows are added up to 3 numbers](unbroadcast.svg)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def unbroadcast(grad, shape):
    """Return grad, summed over axes along which an array of this shape was repeated.

    grad: an ndarray, which stays as it is. shape: a tuple that broadcasts to grad's.
    """
    # TODO: sum grad over whatever was repeated, until it has the given shape.
    #
    # APPROACH
    # 1. Put 1s before the shorter shape, as broadcasting does.
    # 2. Which axes were repeated? Those where the two shapes differ.
    # 3. Sum over them, and give the result the shape that is wanted.
    #
    # EXAMPLE
    # >>> unbroadcast(np.ones((2, 3)), (2, 1))
    # array([[3.],
    #        [3.]])
    #
    # HINTS
    # - sum(axis=...) takes a tuple of axes, also an empty one.
    # - (1,) * 2 + (3,) is (1, 1, 3).
    ### BEGIN SOLUTION
    padded = (1,) * (grad.ndim - len(shape)) + shape
    axes = tuple(i for i, size in enumerate(padded) if size != grad.shape[i])
    return grad.sum(axis=axes).reshape(shape)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the sums
New dimensions, repeated ones, both at once, both dtypes.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-unbroadcast-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(4)
def test_unbroadcast():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    cases = {(3,): [5.0, 7.0, 9.0], (2, 1): [[6.0], [15.0]], (1, 3): [[5.0, 7.0, 9.0]]}
    cases |= {(1, 1): [[21.0]], (1,): [21.0], (): 21.0, (2, 3): x.tolist()}
    for shape, expected in cases.items():
        what = f"unbroadcast of [[1, 2, 3], [4, 5, 6]] to {shape}"
        check_array(np.asarray(unbroadcast(x, shape)), expected, what, np.float64)
        single = np.asarray(unbroadcast(x.astype(np.float32), shape))
        check_array(single, expected, what)
    check_equal(x.tolist(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "grad afterwards")
    got, what = unbroadcast(np.ones((4, 1, 3, 2)), (1, 3, 1)), "ones (4, 1, 3, 2)"
    check_array(got, [[[8.0], [8.0], [8.0]]], f"{what} to (1, 3, 1)", np.float64)
    print("✅ what was repeated is added up")


test_unbroadcast()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-unbroadcast-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(4, "sizes of zero and one · random shapes")
def test_unbroadcast_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: sizes of zero and one
    cases = [((1, 2), (2,), [1.0, 1.0]), ((0, 2), (1, 2), [[0.0, 0.0]])]
    cases += [((2, 1, 1), (1, 1), [[2.0]]), ((1, 1, 2), (1, 2), [[1.0, 1.0]])]
    for full, shape, expected in cases:
        got = unbroadcast(np.ones(full), shape)
        check_array(got, expected, f"ones {full} to {shape}", np.float64)
    # hidden: random shapes
    rng = np.random.default_rng(4)
    for _ in range(30):
        full = tuple(rng.integers(2, 4, size=rng.integers(1, 5)).tolist())
        shape = tuple(n if rng.random() < 0.5 else 1 for n in full)
        shape = shape[rng.integers(0, len(full)) :]
        grad, new, total = rng.normal(size=full), len(full) - len(shape), {}
        for index in np.ndindex(full):
            pairs = zip(index[new:], shape, strict=True)
            at = tuple(i if n > 1 else 0 for i, n in pairs)
            total[at] = total.get(at, 0.0) + grad[index].item()
        sums = np.reshape([total[i] for i in np.ndindex(shape)], shape).tolist()
        check_array(unbroadcast(grad, shape), sums, f"{full} to {shape}", np.float64)
    ### END HIDDEN TESTS


test_unbroadcast_beyond()

# %% [markdown]
"""
## Exercise 5: Which Node is next
A Node may pass its gradient on only when that is complete: when every Node of the graph that was
computed from it has sent its part. In the picture, u = a · a goes into v and into y. If u's turn came
before v's, what v sends would be lost.

![The graph of y = u + v with u = a a and v = 3 u, twice: in the order y, u, v the gradient of a is 4, which is wrong; in the order y, v, u it is 16](order.svg)

An order in which each Node stands before the Nodes of its inputs is a **topological order**. One is
easy to find: a result is always made after its inputs, so **latest first** will do. Do it without
recursion: Python stops after some thousand nested calls, and graphs are longer.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-history", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def topological_order(tensor):
    """Return a list of all Nodes that tensor comes from, once each, latest first.

    A leaf comes from none. (A Node whose edges an earlier backward freed raises a
    RuntimeError by itself when you ask for them.)
    """
    # TODO: find every Node behind tensor, and sort them.
    #
    # APPROACH
    # 1. A list of what was found, so far tensor.grad_fn, if it has one.
    # 2. Go through the list while it grows: each Node's edges lead to further ones.
    # 3. A Node that was found already must not be found again.
    # 4. Sort by number, the largest first.
    #
    # EXAMPLE
    # >>> a, b = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    # >>> topological_order(a * b + a)
    # [<Add>, <Mul>]
    #
    # HINTS
    # - Leaves are Tensors, not Nodes: isinstance(target, Node) tells.
    # - `in` is fast for a set, but slow for a long list.
    # - sorted takes key= and reverse=True.
    ### BEGIN SOLUTION
    nodes = [tensor.grad_fn] if tensor.grad_fn else []
    found = set(nodes)
    for node in nodes:
        for target, _ in node.edges:
            if isinstance(target, Node) and target not in found:
                found.add(target)
                nodes.append(target)
    return sorted(nodes, key=lambda node: node.number, reverse=True)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the order
Small graphs, among them that of the picture, made by hand; a Node used over and over; a long chain.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-history-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(5)
def test_topological_order():
    def node(*inputs):
        """Make a result of these inputs, whatever your operations do."""
        return made(Node, 1.0, *((x, lambda g: g) for x in inputs))

    def check_order(tensor, expected, what, hint=""):
        places = [t.grad_fn for t in expected]
        got = [places.index(node) for node in topological_order(tensor)]
        hint = hint or "the positions where each should stand; latest first"
        check_equal(got, list(range(len(expected))), what, hint)

    a, b = leaf(2.0), leaf(3.0)
    check_equal(topological_order(a), [], "the Nodes behind a leaf")
    u = node(a, b)
    check_order(u, [u], "u = a b")
    y = node(u, a)
    check_order(y, [y, u], "y = u + a", "latest first; only Nodes, no leaves")
    u = node(a, a)
    v = node(u)
    y = node(u, v)
    check_order(y, [y, v, u], "y = u + v with v = 3 u: v before u, as in the picture")
    y = node(v, u)
    check_order(y, [y, v, u], "y = v + u: the same order, whichever edge comes first")
    check_order(v, [v, u], "v alone: y was not needed for it")
    w = node(y, v, u)
    check_order(w, [w, y, v, u], "w, made of y, v and u", "each Node once")
    chain, order = a, []
    for _ in range(3000):
        chain = node(chain, b)
        order.append(chain)
    got = topological_order(chain)
    check_equal(len(got), 3000, "the number of Nodes in a chain of 3000")
    check_equal(got[0] is chain.grad_fn, True, "the last one stands first")
    double = a
    for _ in range(12):
        double = node(double, double)
    hint = "each Node once, although 2 ** 11 paths lead to the first"
    check_equal(len(topological_order(double)), 12, "Nodes of y + y, 12 times", hint)
    print("✅ you know whose turn it is")


test_topological_order()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-history-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(5, "random graphs · edges that are gone")
def test_topological_order_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random graphs
    def node(*inputs):
        return made(Node, 1.0, *((x, lambda g: g) for x in inputs))

    rng, results = np.random.default_rng(5), [leaf(1.0), leaf(2.0)]
    for _ in range(60):
        i, j = rng.integers(max(0, len(results) - 9), len(results), size=2)
        results.append(node(results[i], results[j]))
    reached = {results[-1].grad_fn}
    for t in reversed(results):
        if t.grad_fn in reached:
            reached |= {target for target, _ in t.grad_fn.edges if type(target) is Node}
    expected = [t.grad_fn for t in reversed(results) if t.grad_fn in reached]
    got = topological_order(results[-1])
    check_equal(got == expected, True, "the order of a random graph of 60 sums")
    # hidden: edges that are gone
    y = results[-1]
    for _ in range(60):
        y = node(y, y)
    del expected[len(expected) // 2].edges
    check_raises(RuntimeError, ["freed"], lambda: topological_order(y), "a freed Node")
    ### END HIDDEN TESTS


test_topological_order_beyond()

# %% [markdown]
"""
## Exercise 6: Backward
Everything is ready. Once more by hand, for y = a · b + a with a = 2 and b = 3, latest Node first:

| Node | its gradient g | its vjps send |
|---|---|---|
| Add | 1, where backward starts | 1 to Mul, 1 to a |
| Mul | 1, from Add | g · b = 3 to a, g · a = 2 to b |

So a gets 1 + 3 = 4, and b gets 2. That is the whole of backward: **the order; take g; for each edge,
add what its vjp sends.** Write it so that you could recite it afterwards.

Three things are given. `initial_gradient` says where to start. `release` hands out a Node's
gradient and edges and forgets both, so that memory is freed as backward goes on. `fit` turns what a
vjp sends into an array that its target may keep.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-given", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def initial_gradient(tensor, gradient=None):
    """Return what backward starts from: an array of tensor's shape and dtype.

    None means 1, for one number. RuntimeError if tensor requires no gradient, or, with
    what was given, if a shape does not fit.
    """
    if not tensor.requires_grad:
        what = "nothing to differentiate: no input with requires_grad=True "
        raise RuntimeError(what + "was recorded")
    if gradient is None:
        if tensor.size != 1:
            what = f"backward() starts from one number, got shape {tensor.shape}: "
            raise RuntimeError(what + "take the sum() or mean(), or give a gradient")
        gradient = np.ones(tensor.shape)
    gradient = np.array(gradient, dtype=tensor.dtype)
    if gradient.shape != tensor.shape:
        what = f"a Tensor of shape {tensor.shape} needs a gradient of this shape, "
        raise RuntimeError(what + f"got {gradient.shape}")
    return gradient


@add_to_class(Node)
def release(self):
    """Return the gradient, from now on read-only, and the edges; forget both."""
    g, edges = np.asarray(self.grad), self.edges
    self.grad = None
    del self.edges
    g.setflags(write=False)
    return g, edges


def fit(part, target):
    """Return part in the shape and dtype of target, as an array that nobody else holds.

    a + b sends one g to both sides: each gets a copy, or a later += would change both.
    """
    if part.shape != target.shape:
        part = unbroadcast(part, target.shape)
    if part.dtype != target.dtype:
        part = part.astype(target.dtype)
    return part if part.flags.writeable else np.array(part)


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def accumulate(target, part):
    """Add part to target.grad, which is None before the first part arrives."""
    # TODO: keep the first part; add a later one to what is there.
    ### BEGIN SOLUTION
    if target.grad is None:
        target.grad = part
    else:
        target.grad += part
    ### END SOLUTION


@add_to_class(Tensor)
def backward(self, gradient=None):
    """Add the gradient of self to .grad of each leaf behind it; the graph is freed.

    gradient: that of a later result with respect to self; 1 by default. RuntimeErrors,
    before any change: those of initial_gradient, and "freed" after an earlier backward.
    """
    # TODO: send the gradient back, from Node to Node, until it arrives at the leaves.
    #
    # APPROACH
    # 1. The order of the Nodes.
    # 2. Where it starts: self.grad_fn, or self if it is a leaf, accumulates the
    #    initial gradient.
    # 3. For each Node: release gives its g and its edges.
    # 4. For each edge: the target accumulates what the vjp makes of g, made to fit.
    #
    # EXAMPLE
    # >>> a, b = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    # >>> (a * b + a).backward()
    # >>> a.grad, b.grad
    # (array(4., dtype=float32), array(2., dtype=float32))
    #
    # HINTS
    # - accumulate works for Nodes and for leaves: both have a .grad.
    # - An error must come before any change, so find the order first.
    ### BEGIN SOLUTION
    order = topological_order(self)
    accumulate(self.grad_fn or self, initial_gradient(self, gradient))
    for node in order:
        g, edges = node.release()
        for target, vjp in edges:
            accumulate(target, fit(vjp(g), target))
    ### END SOLUTION


# %% [markdown]
"""
### Testing backward
The table above, shared results, several calls, who holds which array, errors. The graphs are made by
hand, so that only `accumulate`, `backward` and the order of Exercise 5 are tested; when you hand in,
broadcasting needs Exercise 4, too.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-backward-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_backward():
    def same(g):
        return g

    def number(tensor):
        return np.asarray(tensor.grad)

    a, b = leaf(2.0), leaf(3.0)

    def product():
        return made(Node, 6.0, (a, lambda g: g * 3.0), (b, lambda g: g * 2.0))

    def a_after(result):
        result.backward()
        return number(a)

    made(Node, 5.0, (a, same), (b, same)).backward()
    check_array(number(a), 1.0, "a.grad after (a + b).backward()")
    hint = "release each Node first; then fit copies the g that it gives"
    check_equal(a.grad is b.grad, False, "a.grad and b.grad are one array", hint)
    a.grad = b.grad = None
    y, what = made(Node, 8.0, (product(), same), (a, same)), "(a * b + a).backward()"
    hint = "1 from Add and 3 from Mul add up: accumulate(target, fit(…)), latest first"
    check_array(a_after(y), 4.0, f"a.grad after {what}", hint=hint)
    hint = "release takes a Node's gradient away, so that nothing is sent twice"
    check_array(number(b), 2.0, f"b.grad after {what}", hint=hint)
    product().backward()
    hint = "a second backward adds to the old .grad"
    check_array(number(a), 7.0, "a.grad after (a * b).backward(), too", hint=hint)
    a = leaf(2.0)
    u = made(Node, 4.0, (a, lambda g: g * 2.0), (a, lambda g: g * 2.0))
    v = made(Node, 12.0, (u, lambda g: g * 3.0))
    made(Node, 16.0, (u, same), (v, same)).backward()
    hint = "u's turn comes after v's: by then 1 + 3 have arrived"
    check_array(number(a), 16.0, "a.grad of u + v, u = a * a, v = 3 u", hint=hint)
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0], np.float64)
    total = made(Node, [4.0, 6.0], (x, same), (y, same))
    total.backward(np.array([1.0, 10.0]))
    check_array(x.grad, [1.0, 10.0], "x.grad of (x + y).backward([1, 10])")
    hint = "fit makes what arrives y's dtype"
    check_array(y.grad, [1.0, 10.0], "y.grad, of a float64 y", np.float64, hint)
    x.grad += 5.0
    hint = "each leaf keeps an array of its own: fit"
    check_array(y.grad, [1.0, 10.0], "y.grad after x.grad += 5", np.float64, hint)
    x.grad = None
    x.backward([5.0, 6.0])
    check_array(x.grad, [5.0, 6.0], "x.grad after x.backward([5, 6]), of a leaf")
    y.backward([1.0, 1.0])
    hint = "it adds to the old .grad, of a leaf, too"
    what = "y.grad after y.backward([1, 1]), too"
    check_array(y.grad, [2.0, 11.0], what, np.float64, hint)
    z = leaf([1.0, 2.0])
    inner = made(Node, [0.0, 0.0], (z, lambda g: g * 0.0))
    inner.backward([1.0, 1.0])
    check_array(z.grad, [0.0, 0.0], "z.grad of z * 0", hint="zeros arrive, too")
    check_equal(inner.grad, None, ".grad of z * 0, which is no leaf")
    call = functools.partial(total.backward, [1.0, 1.0])
    hint = "release each Node, so that its memory is free"
    check_raises(RuntimeError, ["freed"], call, "a second backward", hint)
    check_array(x.grad, [5.0, 6.0], "x.grad after a backward that was refused")
    constant = Tensor(1.0).backward
    check_raises(RuntimeError, ["requires_grad"], constant, "backward of a constant")
    wide = made(Node, [1.0, 2.0], (x, same)).backward
    check_raises(RuntimeError, ["(2,)"], wide, "backward of two numbers")
    words = ["(2,)", "()"]
    check_raises(RuntimeError, words, lambda: wide(1.0), "a scalar for a vector")
    print("✅ gradients flow")


test_backward()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-backward-beyond", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "tangled graphs · broadcasting, dtypes · what is freed · depth")
def test_backward_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: tangled graphs
    rng = np.random.default_rng(6)
    for _ in range(5):
        a = leaf(1.0, np.float64)
        results, slopes = [a], [1.0]
        for _ in range(30):
            i, j = rng.integers(max(0, len(results) - 5), len(results), size=2)
            p, q = rng.uniform(-1.0, 1.0, size=2).tolist()
            left = results[i], functools.partial(np.multiply, p)
            right = results[j], functools.partial(np.multiply, q)
            results.append(made(Node, np.float64(1), left, right))
            slopes.append(slopes[i] * p + slopes[j] * q)
        results[-1].backward()
        got = np.asarray(a.grad)
        check_array(got, slopes[-1], "a.grad of a random graph", np.float64)
    # hidden: broadcasting, dtypes
    row, half = leaf([1.0, 2.0]), leaf([0.5, 0.5], np.float16)
    edges = (row, lambda g: g), (half, lambda g: g * np.float64(2))
    total = made(Node, np.ones((3, 2)), *edges)
    total.backward(start := np.array([[1.0, 2.0]] * 3))
    check_array(row.grad, [3.0, 6.0], "row.grad of (3, 2), a row of (2,)")
    check_array(half.grad, [6.0, 12.0], "half.grad of it, float16", np.float16)
    check_equal(start.tolist(), [[1.0, 2.0]] * 3, "the given gradient afterwards")
    # hidden: what is freed
    data = np.ones(3)
    inner = made(Node, data, (a, lambda g, data=data: g.sum() * data.sum()))
    kept, node = functools.partial(getattr, inner.grad_fn, "grad"), inner.grad_fn
    last = made(Node, 1.0, (inner, lambda g: np.ones(3) * g))
    last.backward()
    check_equal(kept(), None, "the gradient of an inner Node, afterwards")
    again = made(Node, 1.0, (inner, lambda g: np.ones(3) * g))
    a.grad = None
    check_raises(RuntimeError, ["freed"], again.backward, "a freed Node inside")
    got = (a.grad, node.grad, again.grad_fn.grad)
    check_equal(got, (None,) * 3, "gradients after a refused backward")
    # hidden: depth
    y = a = leaf(1.0, np.float64)
    for _ in range(100):
        y = made(Node, np.float64(1), (y, lambda g: g), (y, lambda g: g))
    for _ in range(2000):
        y = made(Node, np.float64(1), (y, lambda g: g * 1.0))
    y.backward()
    what = "y = y + y, 100 times, then y * 1, 2000 times"
    check_array(np.asarray(a.grad), 2.0**100, what, np.float64)
    ### END HIDDEN TESTS


test_backward_beyond()

# %% [markdown]
"""
### The graph, drawn
`viz.draw` runs a function, then `backward`, and draws what your operations recorded. Each box shows
its number and, below, its gradient, kept for the picture only: compare them with the table. Draw
another expression of `+` and `*`, all that is recorded as yet, in a cell of your own, and say what
you will see before you run it.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-draw", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
from << cookiecutter.package_name >> import viz

a, b = leaf(2.0), leaf(3.0)
viz.draw(lambda: a * b + a, a=a, b=b)

# %% [markdown]
"""
### Spot the bug
Somebody wrote this backward from memory. It is short and looks right, and for `a * b` it finds the
right slopes. Run it, and find the one symbol that is wrong before you read on; Question 2 asks for it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-bug", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def hasty_backward(tensor):
    """Somebody's backward. One symbol is wrong."""
    order = topological_order(tensor)
    for target in [target for node in order for target, _ in node.edges]:
        target.grad = 0.0
    tensor.grad_fn.grad = np.ones(tensor.shape)
    for node in order:
        for target, vjp in node.edges:
            target.grad = vjp(node.grad)


def spot_the_bug():
    """Compare its slopes with measured ones."""
    for text in ("a * b", "a * b + a", "a * a"):
        a, b = leaf(2.0), leaf(3.0)
        hasty_backward(eval(text, {"a": a, "b": b}))
        at = np.array(2.0)
        slope = numeric_gradient(lambda x, t=text: eval(t, {"a": x, "b": 3.0}), at)
        print(f"slope of {text} in a, at a = 2, b = 3: {slope:.0f}, got {a.grad:.0f}")


with contextlib.suppress(NotImplementedError):  # it needs Exercises 1, 2, 3 and 5
    spot_the_bug()

# %% [markdown]
"""
### Rules for what Module 01 computes
You wrote `+` and `*` whole. For nearly all others Module 01 computes forward, as it always did, and
you only write the vjps, as **rules** in a table. `differentiable` joins the two; it is provided, and
you need not read it. A rule asks by name for what it needs, and nothing else is kept alive: PyTorch's
list of derivatives works like this, too.

| A rule may ask for | and gets |
|---|---|
| `g` (always, first) | the gradient of the result |
| `a`, `b` | the array (or number) on the left and on the right |
| `out` | the array of the result |
| `shape` | the shape of a |
| `axis`, `keepdims`, `dims` … | the arguments of the operation, by their names |

So `+` would read `{"__add__": (lambda g: g, lambda g: g)}`, and `*` (try to say why)
`{"__mul__": (lambda g, b: g * b, lambda g, a: g * a)}`: one rule for each side.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-differentiable", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def differentiable(table):
    """Let operations of Module 01 record themselves: {name: rule, or a tuple of rules}.

    table may be a function that returns it; one not yet written changes nothing.
    """
    try:
        rules_of = table() if callable(table) else table
    except NotImplementedError:
        return
    for name, rules in rules_of.items():
        rules = rules if isinstance(rules, tuple) else (rules,)
        static = isinstance(vars(Tensor)[name], staticmethod)
        method = recording(name, inspect.unwrap(getattr(Tensor, name)), rules, "ab")
        setattr(Tensor, name, staticmethod(method) if static else method)
        twin = name.replace("__", "__r", 1)  # 10 - t calls t.__rsub__(10): self is b
        if twin in ("__rsub__", "__rtruediv__", "__rpow__"):
            forward = inspect.unwrap(getattr(Tensor, twin))
            setattr(Tensor, twin, recording(name, forward, rules[::-1], "ba"))


def recording(name, forward, rules, sides):
    """Return forward, but recorded, with a rule for each input (None: no gradient)."""
    signature = inspect.signature(forward)
    arguments = signature.parameters
    renamed = {"self": sides[0], "other": sides[1]}
    places = [renamed.get(n, n) for n in arguments]
    defaults = {n: p.default for n, p in arguments.items()}
    packed = [n for n, p in arguments.items() if p.kind is p.VAR_POSITIONAL]  # *dims
    known = [*places, "out", "shape"]
    wanted = [list(inspect.signature(r).parameters)[1:] if r else () for r in rules]
    for n in itertools.chain(*wanted):
        if n not in known:
            what = f"g, then any of {', '.join(known)}"
            raise TypeError(f"a rule of {name} asks for {n!r}; it may ask for {what}")
    name = name.strip("_").capitalize()

    @functools.wraps(forward)
    def operation(*inputs, **options):
        result = forward(*inputs, **options)
        if options:  # a Tensor given by its name is an input like any other
            bound = signature.bind(*inputs, **options)
            bound.apply_defaults()
            inputs, options = bound.args, bound.kwargs
        needed = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
        if not (needed and grad_enabled):
            return result
        known = defaults | dict(zip(places, inputs, strict=False)) | options
        known |= {n: as_tuple(inputs[1:]) for n in packed}
        known |= {"out": result, "shape": np.shape(arrays_in(inputs[0]))}
        edges = []
        for x, rule, names in zip(inputs, rules, wanted, strict=False):
            if rule:
                kept = {n: arrays_in(known[n]) for n in names}
                edges.append((x, functools.partial(rule, **kept)))
        return record(result, name, *edges)

    return operation


def arrays_in(value):
    """Return value with arrays in place of its Tensors."""
    if isinstance(value, tuple):
        return tuple(arrays_in(each) for each in value)
    return value.data if isinstance(value, Tensor) else value


erf_slope = 2 / math.sqrt(math.pi)
differentiable({
    "log1p": lambda g, a: g / (1 + a),
    "erf": lambda g, a: g * np.exp(-a * a) * erf_slope,
})  # fmt: skip

# %% [markdown]
"""
## Exercise 7: Rules from school
Slopes that you know: (x²)′ = 2 x, and at x = 3 a gradient g = 10 of the result means 60 for x. The
interesting question is what a rule must keep from the forward pass. exp(a) is its own slope: its rule
asks for `out`, and the input can be freed. log(a) has the slope 1 / a: it asks for `a`.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-arithmetic", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def school_rules():
    """Return the rules of nine operations: {name: rule, or (rule for a, rule for b)}.

    Two slopes at zero are as PyTorch's, without a warning of NumPy: that of 0 ** 0 in a
    is 0, that of 0 ** b in b is 0 (b ≥ 0).
    """
    # TODO: return the table.
    #
    # APPROACH
    # 1. Slopes of -a, a - b and a / b. The last: 1 / b in a, and -a / b² in b.
    # 2. a ** b: b aᵇ⁻¹ in a, and aᵇ log a in b.
    # 3. exp, log, sqrt, tanh: eᵃ, 1 / a, 1 / (2 √a), 1 - tanh² a. abs: the sign of a.
    # 4. Then the zeros of a ** b. Where b = 0, let the exponent be 0 instead of -1;
    #    where a = 0, take the log of 1.
    #
    # EXAMPLE
    # >>> school_rules()["exp"](np.array([10.0]), out=np.array([2.0]))
    # array([20.])
    # >>> t = Tensor(3.0, requires_grad=True)
    # >>> (t**2).backward()
    # >>> t.grad
    # array(6., dtype=float32)
    #
    # HINTS
    # - The names: "__neg__", "__sub__", "__truediv__", "__pow__", "exp", "log", ...
    # - (b == 0) is 1 where b is 0, for numbers as for arrays: it can be added.
    ### BEGIN SOLUTION
    return {
        "__neg__": lambda g: -g,
        "__sub__": (lambda g: g, lambda g: -g),
        "__truediv__": (lambda g, b: g / b, lambda g, a, b: -g * a / (b * b)),
        "__pow__": (
            lambda g, a, b: g * b * a ** (b - 1 + (b == 0)),
            lambda g, a, out: g * out * np.log(a + (a == 0)),
        ),
        "exp": lambda g, out: g * out,
        "log": lambda g, a: g / a,
        "sqrt": lambda g, out: g / (2 * out),
        "tanh": lambda g, out: g * (1 - out * out),
        "abs": lambda g, a: g * np.sign(a),
    }
    ### END SOLUTION


differentiable(school_rules)
Tensor.__abs__ = Tensor.abs

# %% [markdown]
"""
### Testing the rules
Each against central differences, on each side, with numbers and with shapes that broadcast. From here
to Exercise 12 the tests follow your vjps themselves, so a mistake in `backward` costs nothing.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-arithmetic-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
@exercise(7)
def test_rules():
    names = ["__neg__", "__pow__", "__sub__", "__truediv__"]
    names += ["abs", "exp", "log", "sqrt", "tanh"]
    check_equal(sorted(school_rules()), names, "the names in the table")
    x, y = np.array([0.5, 2.0, 3.0]), np.array([[2.0], [0.25]])
    check_slopes("-a", lambda a: -a, lambda a: -a, x)
    check_slopes("a - b", lambda a, b: a - b, lambda a, b: a - b, x, y)
    check_slopes("a / b", lambda a, b: a / b, lambda a, b: a / b, x, y)
    check_slopes("a ** b", lambda a, b: a**b, lambda a, b: a**b, x, y)
    check_slopes("3 - a", lambda a: 3 - a, lambda a: 3 - a, x)
    check_slopes("3 / a", lambda a: 3 / a, lambda a: 3 / a, x)
    check_slopes("a / 3", lambda a: a / 3, lambda a: a / 3, x)
    check_slopes("a ** 3", lambda a: a**3, lambda a: a**3, np.array([-2.0, 1.5]))
    check_slopes("2 ** a", lambda a: 2**a, lambda a: 2**a, x)
    for name in ("exp", "log", "sqrt", "tanh"):
        plain = getattr(np, name)
        check_slopes(f"{name}(a)", operator.methodcaller(name), plain, x)
    check_slopes("a.abs()", lambda a: a.abs(), np.abs, x - 1)
    print("✅ nine rules, and all of school is differentiable")


test_rules()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-arithmetic-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(7, "random shapes · zeros of powers · tiny and large numbers, abs at 0")
def test_rules_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random shapes
    rng = np.random.default_rng(7)
    table = school_rules()
    for shapes in (((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((2, 0), (1,))):
        p, q = (rng.uniform(0.5, 2.0, size=s) for s in shapes)
        for name in ("__sub__", "__truediv__", "__pow__"):
            op = getattr(operator, name)
            check_slopes(f"{name} of {shapes}", op, op, p, q)
        for name in ("exp", "log", "sqrt", "tanh"):
            plain = getattr(np, name)
            call = operator.methodcaller(name)
            check_slopes(f"{name} of {shapes[0]}", call, plain, p)
    check_slopes("abs(a)", abs, abs, np.array([[-1.5], [0.5]]))
    # hidden: zeros of powers
    zero, powers = np.zeros(1, np.float32), table["__pow__"]
    g, zeros = np.ones(3, np.float32), np.array([0.0, 0.0, 2.0], np.float32)
    with np.errstate(divide="raise", invalid="raise"):
        for b, expected in ((0, 0.0), (0.0, 0.0), (1, 1.0), (2, 0.0)):
            t = leaf([0.0])
            got = ((t**b).grad_fn.edges[0][1])(zero + 1)
            check_equal(got.tolist(), [expected], f"the slope of a ** {b} at 0")
        s, t = leaf(zeros), leaf([0.0, 2.0, 0.0])
        (_, in_a), (_, in_b) = (s**t).grad_fn.edges
        got, log2 = in_a(g).tolist(), np.log(np.float32(2)).item()
        check_equal(got, [0.0] * 3, "slopes in a of [0, 0, 2] ** [0, 2, 0]")
        got = in_b(g).astype(np.float32).tolist()
        check_equal(got, [0.0, 0.0, log2], "slopes in b of it")
        check_equal(len(powers), 2, "the rules of __pow__")
        # hidden: tiny and large numbers, abs at 0
        slopes = {"log": (1e-24, 1e24), "sqrt": (1e-24, 5e11), "abs": (-1e-24, -1.0)}
        slopes |= {"exp": (60.0, math.exp(60)), "tanh": (1e-9, 1.0)}
        calls = {n: (operator.methodcaller(n), *pair) for n, pair in slopes.items()}
        calls["t / 1e-9"] = (lambda t: t / 1e-9, 1.0, 1e9)
        calls["1 / t"] = (lambda t: 1 / t, 1e-9, -1e18)
        calls["1 / t, by a power"] = (lambda t: t**-1.0, 1e-9, -1e18)
        for what, (call, at, slope) in calls.items():
            ((_, vjp),) = call(leaf([at], np.float64)).grad_fn.edges
            got = np.asarray(vjp(np.ones(1)), np.float64)
            hint = "the slope itself: no epsilon, no clipping"
            check_array(got, [slope], f"the slope of {what} at {at}", np.float64, hint)
        far = leaf([-1000.0, 0.0, 1000.0])
        ((_, vjp),) = far.tanh().grad_fn.edges
        check_equal(vjp(g).tolist(), [0.0, 1.0, 0.0], "slopes of tanh at ±1000 and 0")
        ((_, vjp),) = far.abs().grad_fn.edges
        check_equal(vjp(g).tolist(), [-1.0, 0.0, 1.0], "slopes of abs at ±1000 and 0")
    ### END HIDDEN TESTS


test_rules_beyond()

# %% [markdown]
"""
## Exercise 8: Matrix multiplication
C = A B, with Cᵢⱼ = Σₚ Aᵢₚ Bₚⱼ; G is the gradient of C. How much does A₀₀ matter? It meets B₀ⱼ in
every C₀ⱼ. So its gradient is Σⱼ G₀ⱼ B₀ⱼ: row 0 of G times row 0 of B. All of A's gradient is one
matmul of G and B, all of B's is one of A and G. Which is transposed, and on which side does it stand?
The shapes tell.

![Shapes: A (2, 3) times B (3, 4) gives C (2, 4); G (2, 4) times B transposed (4, 3) gives the gradient of A (2, 3); A transposed (3, 2) times G (2, 4) gives the gradient of B (3, 4)](matmul.svg)

So each matmul forward costs two backward, if both of its sides need gradients.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def matmul_to_a(g, a, b):
    """Return what the gradient g (..., n, m) of a @ b sends to a (..., n, k)."""
    # TODO: one matmul of g and b; the figure gives the shapes. Then its twin below.
    #
    # APPROACH
    # 1. Which product of g and b, one of them transposed, has the shape of a?
    # 2. Batches (...) may be left in: fit sums what was broadcast.
    #
    # EXAMPLE
    # >>> matmul_to_a(np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4))).shape
    # (2, 3)
    #
    # HINTS
    # - array.mT swaps the last two dimensions, .T all of them: batches need .mT.
    ### BEGIN SOLUTION
    return g @ b.mT
    ### END SOLUTION


def matmul_to_b(g, a, b):
    """Return what the gradient g (..., n, m) of a @ b sends to b (..., k, m)."""
    # TODO: likewise.
    ### BEGIN SOLUTION
    return a.mT @ g
    ### END SOLUTION


def with_vectors(rule):
    """Let a rule for matrices take vectors: rows on the left, columns on the right."""

    def vjp(g, a, b):
        column, row = np.ndim(b) == 1, np.ndim(a) == 1
        g = g[..., None] if column else g
        g = g[..., None, :] if row else g
        part = rule(g, a[None] if row else a, b[:, None] if column else b)
        return part[..., 0] if column and rule is matmul_to_b else part

    return vjp


differentiable({"__matmul__": (with_vectors(matmul_to_a), with_vectors(matmul_to_b))})

# %% [markdown]
"""
### Testing matmul
Small numbers by hand, central differences, vectors and batches.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-matmul-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(8)
def test_matmul():
    g, a = np.array([[1.0, 10.0]]), np.array([[2.0, 3.0]])
    b = np.array([[4.0, 5.0], [6.0, 7.0]])
    check_array(matmul_to_a(g, a, b), [[54.0, 76.0]], "what g sends to a", np.float64)
    expected = [[2.0, 20.0], [3.0, 30.0]]
    check_array(matmul_to_b(g, a, b), expected, "what g sends to b", np.float64)
    rng, two = np.random.default_rng(8), np.arange(8.0).reshape(2, 2, 2)
    hint = "a batch stays a batch, and needs .mT, not .T"
    expected = [[[1.0, 3.0], [3.0, 13.0]], [[41.0, 59.0], [59.0, 85.0]]]
    got, what = matmul_to_a(two, two, two), "what g, two matrices, sends to"
    check_array(got, expected, f"{what} a", np.float64, hint)
    expected = [[[4.0, 6.0], [6.0, 10.0]], [[52.0, 62.0], [62.0, 74.0]]]
    got = matmul_to_b(two, two, two)
    check_array(got, expected, f"{what} b", np.float64, hint)
    shapes = [((2, 3), (3, 4)), ((1, 3), (3, 1)), ((2, 2, 3), (3, 2)), ((2, 3), (3,))]
    shapes += [((2, 1, 3, 2), (2, 1, 2, 3))]
    for s, t in shapes:
        x, y = rng.normal(size=s), rng.normal(size=t)
        check_slopes(f"shapes {s} @ {t}", operator.matmul, operator.matmul, x, y)
    print("✅ matmul has gradients: two matmuls")


test_matmul()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-matmul-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(8, "batches that broadcast · vectors · no elements, integers, errors")
def test_matmul_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: batches that broadcast
    rng = np.random.default_rng(13)
    shapes = [((2, 3, 4), (4, 2)), ((2, 1, 3, 2), (3, 2, 2)), ((2, 3), (2, 3, 1))]
    # hidden: vectors
    shapes += [((2,), (3, 2, 2)), ((3, 1, 2), (2,)), ((2, 2, 2, 3), (3,)), ((3,), (3,))]
    shapes += [((2, 1), (1,)), ((1, 2, 3), (3,)), ((1,), (1, 2)), ((3,), (3, 2))]
    # hidden: no elements, integers, errors
    shapes += [((2, 2), (2, 0)), ((0, 3), (3, 2))]
    for s, t in shapes:
        x, y = rng.normal(size=s), rng.normal(size=t)
        check_slopes(f"shapes {s} @ {t}", operator.matmul, operator.matmul, x, y)
    w = leaf([[1.0], [2.0]])
    ((target, vjp),) = (Tensor([[3, 4]]) @ w).grad_fn.edges
    check_equal(target is w, True, "int @ float32 has one edge, to w")
    got = np.asarray(vjp(np.ones((1, 1)))).tolist()
    check_equal(got, [[3.0], [4.0]], "what a gradient of 1 sends to w")
    words = ["(2, 1)", "(3,)"]
    check_raises(RuntimeError, words, lambda: w @ Tensor([1, 2, 3]), "(2, 1) @ (3,)")
    ### END HIDDEN TESTS


test_matmul_beyond()

# %% [markdown]
"""
## Exercise 9: Back into shape
Some operations compute little or nothing: they add up or rearrange. What is the slope of a + b + c in
a? It is 1: so each element gets the gradient of its sum. If g = 10 arrives at the sum of a row of 3,
each of the 3 gets 10; at their mean, each gets 10 / 3. `reshape` and `permute` put each number of g
back where it came from.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-shapes", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def restore_dims(array, axis, keepdims):
    """Return array, dropped dimensions back as 1s; 0-d fits as it is. (Provided.)"""
    return array if keepdims or axis is None else np.expand_dims(array, axis)


def sum_vjp(g, shape, axis, keepdims):
    """Return g, the gradient of a.sum(axis, keepdims), spread over a's shape."""
    # TODO: write the four rules.
    #
    # APPROACH
    # 1. sum: give g its dropped dimensions back, then broadcast it to the shape.
    # 2. mean: the same, divided by how many elements each mean has. If there are no
    #    elements at all, do not divide by 0.
    # 3. reshape: back to the old shape.
    # 4. permute: if dimension 2 went to place 0, place 0 goes back to dimension 2.
    #
    # EXAMPLE
    # >>> sum_vjp(np.array([10.0, 20.0]), shape=(2, 3), axis=1, keepdims=False)
    # array([[10., 10., 10.],
    #        [20., 20., 20.]])
    #
    # HINTS
    # - np.broadcast_to; math.prod(shape) counts elements, g.size counts means.
    # - np.argsort([2, 0, 1]) is [1, 2, 0]. Of negative dims take d % len(dims) first.
    ### BEGIN SOLUTION
    return np.broadcast_to(restore_dims(g, axis, keepdims), shape)
    ### END SOLUTION


def mean_vjp(g, shape, axis, keepdims):
    """Return what the gradient g of a.mean(axis, keepdims) sends to a."""
    ### BEGIN SOLUTION
    share = g.size / max(math.prod(shape), 1)
    return sum_vjp(g * share, shape, axis, keepdims)
    ### END SOLUTION


def reshape_vjp(g, shape):
    """Return what the gradient g of a.reshape(...) sends to a, of this shape."""
    ### BEGIN SOLUTION
    return g.reshape(shape)
    ### END SOLUTION


def permute_vjp(g, dims):
    """Return what the gradient g of a.permute(dims) sends to a; dims is a tuple."""
    ### BEGIN SOLUTION
    return g.transpose(np.argsort([d % g.ndim for d in dims]))
    ### END SOLUTION


differentiable({"sum": sum_vjp, "mean": mean_vjp, "permute": permute_vjp})
for name in ("reshape", "unsqueeze", "squeeze"):
    differentiable({name: reshape_vjp})
differentiable({"transpose": lambda g, dim0, dim1: g.swapaxes(dim0, dim1)})
forward_T = inspect.unwrap(vars(Tensor)["T"].fget)  # a property
Tensor.T = property(recording("T", forward_T, [lambda g: g.T], "ab"))

# %% [markdown]
"""
### Testing shapes
`sum` and `mean` by hand, then all four rules against central differences.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-shapes-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(9)
def test_shapes():
    x = np.array([[1.0, 2.0, 6.0], [4.0, 3.5, -7.0]])
    got = np.array(sum_vjp(np.array([1.0, 10.0]), (2, 3), 1, False))
    expected = [[1.0, 1.0, 1.0], [10.0, 10.0, 10.0]]
    check_array(got, expected, "what g = [1, 10] of sum(axis=1) sends", np.float64)
    got = np.array(mean_vjp(np.array([3.0, 6.0]), (2, 3), 1, False))
    expected = [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    check_array(got, expected, "what g = [3, 6] of mean(axis=1) sends", np.float64)
    for name in ("sum", "mean"):
        for axis, keep in ((None, False), (0, False), (1, True), ((0, -1), False)):
            call = operator.methodcaller(name, axis=axis, keepdims=keep)
            check_slopes(f"{name}(axis={axis}, keepdims={keep})", call, call, x)
    cube = np.arange(24.0).reshape(2, 3, 4)
    for shape in ((4, -1), (24,), (2, 1, 12)):
        call = operator.methodcaller("reshape", *shape)
        check_slopes(f"reshape{shape}", call, call, cube)
    for dims in ((1, 0, 2), (2, 0, 1), (-1, 0, 1)):
        names = ("permute", "transpose")
        ours, plain = (operator.methodcaller(name, *dims) for name in names)
        hint = "the way back, not the same way again" if dims == (2, 0, 1) else ""
        check_slopes(f"permute{dims}", ours, plain, cube, hint=hint)
    print("✅ gradients return to their places")


test_shapes()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-shapes-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(9, "more axes and shapes · T, squeeze, var, views of views · no elements")
def test_shapes_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: more axes and shapes
    rng = np.random.default_rng(9)
    for x in (rng.normal(size=(3, 2, 2)), rng.normal(size=(1, 3, 1))):
        for axis in (None, 1, (0, 2), (-1,), (-3, -1)):
            for keep in (False, True):
                for name in ("sum", "mean"):
                    call = operator.methodcaller(name, axis=axis, keepdims=keep)
                    check_slopes(f"{name}({axis}, {keep}) of {x.shape}", call, call, x)
    cube = rng.normal(size=(2, 3, 2))
    for dims in ((0, 1, 2), (2, 1, 0), (1, -1, -3), (1, 2, 0)):
        ours, plain = (operator.methodcaller(n, dims) for n in ("permute", "transpose"))
        check_slopes(f"permute({dims})", ours, plain, cube)
    # hidden: T, squeeze, var, views of views
    check_slopes("T", lambda a: a.T, lambda a: a.T, cube[0])
    ours = operator.methodcaller("transpose", 0, 2)
    plain = operator.methodcaller("swapaxes", 0, 2)
    check_slopes("transpose(0, 2)", ours, plain, cube)
    check_slopes("unsqueeze", lambda a: a.unsqueeze(-1), lambda a: a[..., None], cube)
    check_slopes("squeeze", lambda a: a.squeeze(0), lambda a: a[0], cube[:1])
    check_slopes("var", lambda a: a.var(axis=1), lambda a: a.var(axis=1, ddof=1), cube)
    ours, plain = lambda a: a.permute(2, 1, 0).reshape(-1), lambda a: a.T.reshape(-1)
    check_slopes("a view of a view", ours, plain, cube)
    # hidden: no elements
    for shape, axis in (((2, 0), 1), ((0, 3), 1), ((0, 3), 0)):
        sums = np.ones(shape).sum(axis)
        got = np.shape(sum_vjp(sums, shape, axis, False))
        check_equal(got, shape, f"what sum(axis={axis}) of {shape} sends")
    with np.errstate(divide="raise", invalid="raise"):
        got = np.shape(mean_vjp(np.ones(0), (0, 3), 1, False))
    check_equal(got, (0, 3), "what mean(axis=1) of (0, 3) sends")
    ### END HIDDEN TESTS


test_shapes_beyond()

# %% [markdown]
"""
## Exercise 10: Choices
Where an operation chooses, only what was chosen mattered: its slope is 1, that of the rest 0. Of
`max` of [1, 5, 2] all of g goes to the 5. On a tie the slope is not defined; PyTorch's `amax` shares
evenly, and so do we: of [5, 5, 2] each 5 gets half. `where` has no ties: g goes where the number
came from.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-choices", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def where_vjp(g, condition):
    """Return g where condition is True and 0 elsewhere, even where g is infinite."""
    # TODO: write the three rules.
    #
    # APPROACH
    # 1. where: np.where does it, while g * condition has a nan at inf · 0.
    # 2. maximum of x and y: all of g where x is larger, half of it where they tie.
    # 3. max: which elements are as large as the result of their line? They share g in
    #    equal parts.
    #
    # EXAMPLE
    # >>> larger_vjp(np.array([8.0, 8.0]), np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    # array([4., 8.])
    #
    # HINTS
    # - For max, restore_dims makes out and g broadcast against a.
    # - Count ties with .sum(axis=axis, keepdims=True): an integer, exact however many.
    ### BEGIN SOLUTION
    return np.where(condition, g, 0)
    ### END SOLUTION


def larger_vjp(g, x, y):
    """Return the part of g that goes to x, g being the gradient of maximum(x, y)."""
    ### BEGIN SOLUTION
    return np.where(x > y, g, np.where(x == y, g / 2, 0))
    ### END SOLUTION


def max_vjp(g, a, out, axis, keepdims):
    """Return what the gradient g of out = a.max(axis, keepdims) sends to a."""
    ### BEGIN SOLUTION
    ties = a == restore_dims(out, axis, keepdims)
    count = ties.sum(axis=axis, keepdims=True)
    return np.where(ties, restore_dims(g, axis, keepdims) / count, 0)
    ### END SOLUTION


sides = (lambda g, a, b: larger_vjp(g, a, b), lambda g, a, b: larger_vjp(g, b, a))
differentiable({"maximum": sides, "minimum": sides[::-1]})
differentiable({"max": max_vjp, "min": max_vjp})  # ties with out, the same for both
to_a, to_b = (
    lambda g, condition: where_vjp(g, condition != 0),
    lambda g, condition: where_vjp(g, condition == 0),
)
differentiable({"where": (None, to_a, to_b)})


@add_to_class(Tensor)
def clip(self, min=None, max=None):
    """Return self with values below min raised to it, and above max lowered to it."""
    result = self if min is None else where(self < min, min, self)
    return result if max is None else where(result > max, max, result)


# %% [markdown]
"""
### Testing choices
Values by hand, ties, slopes on both sides, `clip`, which is made of `where`.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-choices-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(10)
def test_choices():
    g, mask = np.array([1.0, 10.0]), np.array([True, False])
    got = where_vjp(g, mask)
    check_array(got, [1.0, 0.0], "where_vjp([1, 10], [True, False])", np.float64)
    got = larger_vjp(g, np.array([1.0, 1.000001]), np.array([1.000001, 1.0]))
    check_array(got, [0.0, 10.0], "larger_vjp, of numbers that nearly tie", np.float64)
    got = larger_vjp(g, np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    hint = "half of g on a tie, nothing for the smaller"
    check_array(got, [0.5, 0.0], "larger_vjp(g, [1, 2], [1, 3])", np.float64, hint)
    a = np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    got = max_vjp(g, a, np.array([3.0, 2.0]), axis=1, keepdims=False)
    expected = [[0.0, 0.5, 0.5], [10.0, 0.0, 0.0]]
    what, got = "max_vjp([1, 10], …, axis=1)", np.array(got)
    check_array(got, expected, what, np.float64, "ties share")
    got = max_vjp(np.array(6.0), np.array([2.0, 2.0, 2.0]), np.array(2.0), None, False)
    check_array(np.array(got), [2.0, 2.0, 2.0], "max of three twos, g = 6", np.float64)
    x, y = np.array([[1.1, -1.9, 0.6]]), np.array([[0.5], [-3.0]])
    mask = np.array([True, False, True])
    ours = functools.partial(where, Tensor(mask))
    plain = functools.partial(np.where, mask)
    check_slopes("where", ours, plain, x, y)
    check_slopes("maximum", lambda p, q: p.maximum(q), np.maximum, x, y)
    check_slopes("minimum", lambda p, q: p.minimum(q), np.minimum, x, y)
    check_slopes("maximum(0)", lambda p: p.maximum(0), lambda p: np.maximum(p, 0), x)
    for name in ("max", "min"):
        for axis, keep in ((None, False), (0, False), (1, True), (-1, False)):
            call = operator.methodcaller(name, axis=axis, keepdims=keep)
            check_slopes(f"{name}(axis={axis}, keepdims={keep})", call, call, x + y)
    clip = operator.methodcaller("clip", 0, 1)
    check_slopes("clip(0, 1)", clip, clip, x)
    print("✅ gradients follow what was chosen")


test_choices()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-choices-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(10, "broadcasting · where at inf · ties in float16 · masks of 0 and 1")
def test_choices_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: broadcasting
    rng = np.random.default_rng(9)
    for shapes in (((2, 3), (3,)), ((), (2, 2)), ((4,), ()), ((2, 0), (1,))):
        p, q = (rng.normal(size=s) for s in shapes)
        m = rng.random(np.broadcast_shapes(*shapes)) < 0.5
        ours = functools.partial(where, Tensor(m))
        plain = functools.partial(np.where, m)
        check_slopes(f"where of {shapes}", ours, plain, p, q)
        check_slopes(f"maximum of {shapes}", Tensor.maximum, np.maximum, p, q)
        check_slopes(f"minimum of {shapes}", Tensor.minimum, np.minimum, p, q)
    for axis in ((0, 1), (-2,), (0, 2)):
        for keep in (False, True):
            call = operator.methodcaller("max", axis=axis, keepdims=keep)
            check_slopes(f"max({axis}, {keep})", call, call, rng.normal(size=(2, 3, 2)))
    # hidden: where at inf
    g, mask = np.array([2.0, np.inf]), np.array([True, False])
    with np.errstate(divide="raise", invalid="raise"):
        got = where_vjp(g, mask).tolist()
    check_equal(got, [2.0, 0.0], "where_vjp([2, inf], [True, False])")
    # hidden: ties in float16
    many = np.ones(70_000, np.float16)
    got = max_vjp(many[0] * 700, many, many[:1].reshape(()), None, False)
    near = np.round(np.asarray(got, np.float64)[[0, -1]], 3).tolist()
    what, hint = "max of 70,000 ones in float16, g = 700", "count in integers"
    check_equal(near, [0.01, 0.01], what, hint)
    # hidden: masks of 0 and 1
    s, t = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    edges = where(Tensor([1, 0]), s, t).grad_fn.edges
    got = [vjp(np.ones(2)).tolist() for _, vjp in edges]
    check_equal(got, [[1.0, 0.0], [0.0, 1.0]], "where with a mask of 1 and 0")
    for flat in (s < 1.5, s == s, s.argmax()):
        check_equal(flat.requires_grad, False, "requires_grad of a comparison, argmax")
    ### END HIDDEN TESTS


test_choices_beyond()

# %% [markdown]
"""
## Exercise 11: In charge of the graph
Evaluation needs no gradients and should not pay for them: inside `with no_grad():` nothing is
recorded. `detach` cuts one Tensor off: a target that should stay where it is, say. Backward of
a · a.detach() at a = 3 finds 3 for a, not 6: only one of the two sides counts as a.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-control", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@contextlib.contextmanager
def no_grad():
    """Record no graph, in a `with no_grad():` block or under `@no_grad()`."""
    # TODO: switch grad_enabled off, and put it back; then detach.
    #
    # APPROACH
    # 1. Remember what grad_enabled was: blocks may be nested.
    # 2. Make it False, then yield: here the with-block runs.
    # 3. Put back what it was, even after an exception.
    #
    # EXAMPLE
    # >>> a = Tensor(3.0, requires_grad=True)
    # >>> with no_grad():
    # ...     y = a * 2
    # >>> y.requires_grad, (a * 2).requires_grad
    # (False, True)
    #
    # HINTS
    # - global grad_enabled
    # - try: ... finally: ... runs its last part in any case.
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
    """Return a Tensor of the same memory and dtype, cut off the graph."""
    # TODO: one line; result_of makes a Tensor of an array.
    ### BEGIN SOLUTION
    return result_of(self.data, self)
    ### END SOLUTION


@add_to_class(Tensor)
def zero_grad(self):
    """Forget the gradient: .grad is None. (Provided.)"""
    self.grad = None


@add_to_class(Tensor)
def retain_grad(self):
    """Let a later backward fill .grad of an inner result, too. (Provided.)"""
    if not self.requires_grad:
        raise RuntimeError("no gradient: no input with requires_grad was recorded")
    if self.grad_fn and not any(target is self for target, _ in self.grad_fn.edges):
        self.grad_fn.edges.append((self, lambda g: g))


# %% [markdown]
"""
### Testing control
Inside and after `no_grad`, nested blocks, exceptions, one cut.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-control-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@exercise(11)
def test_control():
    a = leaf([1.0, 2.0])
    with no_grad():
        y = a * a
        with no_grad():
            pass
        z = a + 1
    check_equal((y.requires_grad, y.grad_fn), (False, None), "a * a under no_grad()")
    hint = "the end of an inner block must not end the outer one"
    check_equal(z.requires_grad, False, "a + 1, after an inner block", hint)
    check_equal(grad_enabled, True, "grad_enabled after the block")
    check_equal((a * a).requires_grad, True, "a * a after the block")
    try:
        with no_grad():
            raise KeyError("inside")
    except KeyError:
        pass
    check_equal(grad_enabled, True, "grad_enabled after an exception", hint="finally")
    cut = a.detach()
    check(cut, [1.0, 2.0], "a.detach()")
    got = (cut.requires_grad, cut.grad_fn)
    check_equal(got, (False, None), "requires_grad and grad_fn of a.detach()")
    check_equal(a.requires_grad, True, "a.requires_grad after it")
    hint = "the same memory: np.shares_memory"
    got = np.shares_memory(cut.data, a.data)
    check_equal(got, True, "a.detach() shares memory", hint)
    check(leaf([0.5], np.float64).detach(), [0.5], "detach() of float64", np.float64)
    check_equal(len((a * a.detach()).grad_fn.edges), 1, "edges of a * a.detach()")
    print("✅ you are in charge of the graph")


test_control()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-control-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(11, "functions under @no_grad() · errors go through · dtypes")
def test_control_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: functions under @no_grad()
    a = leaf([1.0, 2.0])

    @no_grad()
    def evaluate(x):
        return x * 2

    for _ in range(2):
        check_equal(evaluate(a).grad_fn, None, "a function under @no_grad()")
    check_equal((a * a).requires_grad, True, "a * a after it")

    # hidden: errors go through
    def stop():
        with no_grad():
            raise KeyError("inside")

    check_raises(KeyError, ["inside"], stop, "an exception inside no_grad()")
    # hidden: dtypes
    check(leaf([0.5], np.float16).detach(), [0.5], "detach()", np.float16)
    inner = a * 2.0
    check_equal(inner.detach().grad_fn, None, "detach() of an inner result")
    check_equal(inner.requires_grad, True, "the inner result afterwards")
    ### END HIDDEN TESTS


test_control_beyond()

# %% [markdown]
"""
## Exercise 12 (deeper): Indices and joins
An index takes some elements: its vjp puts g there, in zeros. An element that was taken twice, as a
frequent word is by an embedding, gets **both** gradients. Take [5, 6] at [0, 0, 1], and let g be
[1, 2, 3]: the 5 gets 1 + 2, the 6 gets 3. `concatenate` puts parts side by side, so each part gets
its own stretch of g.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-index", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def index_vjp(g, shape, index):
    """Return what the gradient g of a[index] sends to a, of this shape."""
    # TODO: write both rules.
    #
    # APPROACH
    # 1. index: zeros of the shape, in g's dtype; add g at the index. Repeats add up.
    # 2. stretch: an index for all of g, except along axis: there it is a slice.
    #
    # EXAMPLE
    # >>> index_vjp(np.array([1.0, 2.0, 3.0]), (2,), np.array([0, 0, 1]))
    # array([3., 3.])
    #
    # HINTS
    # - full[index] += g keeps the last of repeats; np.add.at(full, index, g) adds up.
    # - slice(None) is what : means; in a list of them, change the one at axis.
    ### BEGIN SOLUTION
    full = np.zeros(shape, g.dtype)
    np.add.at(full, index, g)
    return full
    ### END SOLUTION


def stretch_vjp(g, start, stop, axis):
    """Return the part of g from start to stop along axis, which may be negative."""
    ### BEGIN SOLUTION
    index = [slice(None)] * g.ndim
    index[axis] = slice(start, stop)
    return g[tuple(index)]
    ### END SOLUTION


differentiable({"__getitem__": index_vjp})


@tensor_function
def concatenate(tensors, axis=0):
    """Join Tensors along an axis; their other sizes agree (torch.concatenate)."""
    tensors = list(tensors)
    result = inspect.unwrap(tensor.concatenate)(tensors, axis)
    stops = list(itertools.accumulate(t.shape[axis] for t in tensors))
    spans = zip(tensors, [0, *stops], stops, strict=False)
    edges = [
        (t, functools.partial(stretch_vjp, start=start, stop=stop, axis=axis))
        for t, start, stop in spans
    ]
    return record(result, "Concatenate", *edges)


# %% [markdown]
"""
### Testing indices and joins
The example, five kinds of index, three parts joined along each axis.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-index-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(12)
def test_index():
    got = index_vjp(np.array([1.0, 2.0, 3.0]), (2,), np.array([0, 0, 1]))
    hint = "an element taken twice gets both gradients"
    check_array(got, [3.0, 3.0], "index_vjp(g, (2,), [0, 0, 1])", np.float64, hint)
    g = np.array([[1.0, 2.0, 3.0]])
    got = stretch_vjp(g, 0, 2, 1)
    check_array(got, [[1.0, 2.0]], "stretch_vjp([[1, 2, 3]], 0, 2, 1)", np.float64)
    got = stretch_vjp(g, 2, 3, -1)
    check_array(got, [[3.0]], "stretch_vjp([[1, 2, 3]], 2, 3, -1)", np.float64)
    x = np.random.default_rng(12).normal(size=(3, 4))
    twice = np.array([2, 0, 2])
    check_slopes("x[1]", lambda t: t[1], lambda a: a[1], x)
    check_slopes("x[:, 1:3]", lambda t: t[:, 1:3], lambda a: a[:, 1:3], x)
    check_slopes("x[::-2]", lambda t: t[::-2], lambda a: a[::-2], x)
    check_slopes("x[[2, 0, 2]]", lambda t: t[Tensor(twice)], lambda a: a[twice], x)
    check_slopes("x[x > 0]", lambda t: t[t > 0], lambda a: a[a > 0], x)
    for axis in (0, 1, -1):

        def ours(s, t, axis=axis):
            return concatenate([s, t, s], axis)

        def plain(p, q, axis=axis):
            return np.concatenate([p, q, p], axis)

        check_slopes(f"concatenate([a, b, a], {axis})", ours, plain, x, x + 1)
    print("✅ what is taken twice gets both gradients")


test_index()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-index-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(12, "other indices · three axes · stack, rows of a loop · dtypes")
def test_index_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other indices
    x = np.random.default_rng(12).normal(size=(3, 4))
    rows, columns = np.array([0, 0, 2]), np.array([1, 1, 3])
    pair = (Tensor(rows), Tensor(columns))
    check_slopes("x[rows, columns]", lambda t: t[pair], lambda a: a[rows, columns], x)
    check_slopes("x[1:, rows]", lambda t: t[1:, Tensor(rows)], lambda a: a[1:, rows], x)
    for what, index in {"..., None, 0": (..., None, 0), "0, -1": (0, -1)}.items():
        call = operator.itemgetter(index)
        check_slopes(f"x[{what}]", call, call, x)
    check_slopes("x[:, 0:0]", lambda t: t[:, 0:0], lambda a: a[:, 0:0], x)
    square = np.array([[1, 1], [-1, 1]])
    check_slopes("x[square]", lambda t: t[Tensor(square)], lambda a: a[square], x)
    # hidden: three axes
    cube, parts = np.arange(8.0).reshape(2, 2, 2), {2: [[[1.0], [3.0]], [[5.0], [7.0]]]}
    parts[-2] = [[[2.0, 3.0]], [[6.0, 7.0]]]
    for axis, expected in parts.items():
        got, what = stretch_vjp(cube, 1, 2, axis), f"g from 1 to 2 along axis {axis}"
        check_array(got, expected, what, np.float64)
    # hidden: stack, rows of a loop
    ours, plain = lambda s, t: tensor.stack([s, t], 1), lambda p, q: np.stack([p, q], 1)
    check_slopes("stack(axis=1)", ours, plain, x, x + 1)

    def squares(t):
        return sum((row * row for row in t), 0)

    check_slopes("rows of a loop", squares, squares, x)
    # hidden: dtypes
    for dtype in (np.float16, np.float64):
        got = index_vjp(np.ones(1, dtype), (2,), np.array([1]))
        check_array(got, [0.0, 1.0], "index_vjp([1], (2,), [1])", dtype)
    y = concatenate([leaf([1.0]), Tensor([2, 3]), leaf([0.5], np.float64)])
    check(y, [1.0, 2.0, 3.0, 0.5], "float32, int and float64 joined", np.float64)
    check_equal(len(y.grad_fn.edges), 2, "edges of it")
    ### END HIDDEN TESTS


test_index_beyond()

# %% [markdown]
"""
## Exercise 13 (deeper): Trust, but check
Now you can check what anyone will ever write with these Tensors: backward must agree with the slopes
of Exercise 1. (It need not at a kink, such as relu's at 0, nor where a function draws random numbers
or its result is so large that eps drowns in rounding.) When you hand in, it checks activations,
layers and losses of Modules 02 to 04, so it needs Exercise 12, and all before. A result of many
numbers is first weighted with random ones, so that mistakes do not cancel. Each slope is judged by
its own size: an error of 0.5 in a slope of 1 counts, even where a neighbour's slope is a million.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-gradcheck", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def gradcheck(function, *inputs, eps=1e-6, tolerance=1e-5):
    """Return True if backward finds the slopes of function(*inputs).

    As torch.autograd.gradcheck. Inputs may be anything; Tensors that require gradients
    are checked, as float64 copies; ValueError ("requires_grad") if there are none.
    An input that is not used, beside one that is, has slopes of 0.
    RuntimeError where a slope is wrong or nan: with "input 0" (or which of all inputs)
    and the index.
    """
    # TODO: compare backward with numeric_gradient, input by input.
    #
    # APPROACH
    # 1. Replace the inputs to be checked by float64 copies that require gradients.
    # 2. Weights: np.random.default_rng(0).normal of the result's shape; then
    #    result.backward(weights).
    # 3. For each copy: numeric_gradient of the weighted sum, a function of its array.
    # 4. A pair that differs by more than tolerance * (1 + abs(numeric)) is wrong.
    #
    # EXAMPLE
    # >>> gradcheck(lambda a, b: a * b, Tensor(2.0, requires_grad=True), 3.0)
    # True
    #
    # HINTS
    # - not (difference <= limit) is True for nan, too.
    # - Tensor(array) alone would be float32. Under no_grad() it is faster.
    ### BEGIN SOLUTION
    tensors = [k for k, x in enumerate(inputs) if isinstance(x, Tensor)]
    checked = [k for k in tensors if inputs[k].requires_grad]
    if not checked:
        raise ValueError("gradcheck needs an input Tensor that has requires_grad=True")
    copies = list(inputs)
    for k in checked:
        copies[k] = Tensor(inputs[k], np.float64, requires_grad=True)
    result = function(*copies)
    weights = np.random.default_rng(0).normal(size=result.shape)
    result.backward(weights)
    for k in checked:

        def weighed(array, k=k):
            trial = [*copies[:k], Tensor(array, np.float64), *copies[k + 1 :]]
            with no_grad():
                return (function(*trial).data * weights).sum()

        numeric = numeric_gradient(weighed, copies[k].data, eps)
        grad = np.zeros(numeric.shape) if copies[k].grad is None else copies[k].grad
        for index, slope in np.ndenumerate(numeric):
            if not abs(grad[index] - slope) <= tolerance * (1 + abs(slope)):
                what = f"input {k}, index {index}: backward says {grad[index]}, "
                raise RuntimeError(what + f"central differences say {slope}")
    return True
    ### END SOLUTION


# %% [markdown]
"""
### Testing the judge
Right and wrong functions, inputs of all kinds, which stay as they are.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-gradcheck-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(13)
def test_gradcheck():
    def wrong(a, *slopes):
        return made(Node, a.data * slopes[0], (a, lambda g: g * slopes[-1]))

    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    check_equal(gradcheck(lambda a, b: a * b + a, a, b), True, "gradcheck of a * b + a")
    check_equal((a.grad, a.dtype), (None, np.dtype(np.float32)), "a afterwards")
    many, twos = leaf(np.ones(50)), np.full(50, 2.0)
    for slope in (3.0, -2.0):
        bad = twos.copy()
        bad[37] = slope
        call = functools.partial(gradcheck, lambda a, s=bad: wrong(a, twos, s), many)
        what = f"a slope of 2, a vjp that says {slope:.0f} at index 37"
        check_raises(RuntimeError, ["input 0", "37"], call, what)

    def swapped(a):
        return made(Node, a.data * 2.0, (a, lambda g: 2.0 * g[::-1]))

    call = functools.partial(gradcheck, swapped, a)
    hint = "weights: with a gradient of ones this mistake would cancel"
    words, what = ["input 0"], "a vjp that swaps two numbers"
    check_raises(RuntimeError, words, call, what, hint)
    call = functools.partial(gradcheck, lambda k, a: wrong(a, 2.0, 3.0) * k, 5.0, a)
    check_raises(RuntimeError, ["input 1"], call, "a vjp that says 3, in input 1")
    slopes = np.full((2, 50), 1e6)
    slopes[:, 37] = 1.0, 1.5
    call = functools.partial(gradcheck, lambda a: wrong(a, *slopes), many)
    hint = "compare each slope with its own size, not with the largest"
    what = "1.5 for a slope of 1 at index 37, beside 1e6"
    check_raises(RuntimeError, ["37"], call, what, hint)
    call = functools.partial(gradcheck, lambda a: wrong(a, 2.0, np.nan), a)
    check_raises(RuntimeError, ["input 0"], call, "a vjp of nan", "not (… <= …)")
    call = functools.partial(gradcheck, lambda a: a * a, Tensor([1.0]))
    check_raises(ValueError, ["requires_grad"], call, "nothing to check")
    got = gradcheck(lambda a, k, c: a * k + c, a, 3, Tensor([2.0]))
    check_equal(got, True, "gradcheck with a number and a constant")
    check_equal(gradcheck(lambda a, b: b * b, a, b), True, "an input that is not used")
    call = functools.partial(gradcheck, lambda a, b: Tensor(a.data) * b, a, b)
    hint = "an input without a .grad has slopes of 0 by backward: compare them, too"
    check_raises(RuntimeError, ["input 0"], call, "an input that was cut off", hint)
    print("✅ you can check gradients yourself")


test_gradcheck()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "autograd-gradcheck-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(13, "parts that were cut off · tolerance and eps · layers and losses")
def test_gradcheck_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: parts that were cut off
    a, mask = leaf([[1.0, 2.0]]), np.zeros((2, 34))
    call = functools.partial(gradcheck, lambda a: a * a.detach(), a)
    check_raises(RuntimeError, ["input 0"], call, "a * a.detach()")
    mask[1, 33] = 1.0

    def cut(a):
        return a + a.detach() * Tensor(mask, np.float64)

    call, words = functools.partial(gradcheck, cut, leaf(mask)), ["input 0", "33"]
    check_raises(RuntimeError, words, call, "a + a.detach() at index (1, 33) alone")

    # hidden: tolerance and eps
    def off(a):
        return made(Node, a.data, (a, lambda g: g * 1.01))

    check_equal(gradcheck(off, a, tolerance=0.1), True, "1 % off, with tolerance=0.1")
    wide = functools.partial(gradcheck, lambda a: a * a * a, a, eps=0.5)
    check_raises(RuntimeError, ["input 0"], wide, "x³ with eps=0.5, off by 0.25")
    check_equal(grad_enabled, True, "grad_enabled afterwards")
    # hidden: layers and losses
    check_model(gradcheck)
    ### END HIDDEN TESTS


test_gradcheck_beyond()

# %% [markdown]
"""
## It works: a boundary that learns
Two moons of points that no straight line can separate, and a network of Modules 02 to 04, not a line
of them changed. All it needs is `loss.backward()`, and a small step downhill for each parameter.
Black is where the network says fifty-fifty. Watch it bend.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-payoff", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def two_moons(count=100):
    """Return points (2 count, 2) on two half circles, and a column of 0 and 1."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, count)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.concatenate([upper, [1.0, 0.5] - upper])
    points += rng.normal(0, 0.1, points.shape)
    return points, np.repeat([[0.0], [1.0]], count, axis=0)


def payoff(steps=200, lr=1.0):
    """Train a small network by gradient descent, and draw its boundary three times."""
    from << cookiecutter.package_name >> import viz
    from << cookiecutter.package_name >>.activations import (
        Tanh,
        sigmoid,
    )
    from << cookiecutter.package_name >>.layers import (
        Linear,
        Sequential,
    )
    from << cookiecutter.package_name >>.losses import (
        BCEWithLogitsLoss,
    )

    tensor.manual_seed(0)
    points, labels = two_moons()
    x, target, loss_of = Tensor(points), Tensor(labels), BCEWithLogitsLoss()
    model = Sequential(Linear(2, 16), Tanh(), Linear(16, 16), Tanh(), Linear(16, 1))
    panels = viz.panels(3)

    def probability(grid):
        with no_grad():
            return sigmoid(model(Tensor(grid))).data[:, 0]

    for step in range(steps + 1):
        loss = loss_of(model(x), target)
        if step in (0, 50, steps):
            right = np.mean((model(x).data > 0) == (labels > 0))
            title = f"step {step}: {right:.0%} right, loss {loss.item():.3f}"
            viz.regions(probability, points, labels[:, 0], title, ax=panels.pop(0))
        loss.backward()
        for p in model.parameters():
            p.data -= lr * p.grad
            p.zero_grad()
    viz.show()


payoff()

# %% [markdown]
"""
## Part 2: Systems Analysis
Now measure what gradients cost. Only the four questions at the end are marked.

### Memory Profiling
What does a forward pass keep for backward, and what does `no_grad` save?
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
from << cookiecutter.package_name >>.activations import Tanh
from << cookiecutter.package_name >>.layers import (
    Linear,
    Sequential,
)


def arrays_of(node):
    """Return the arrays that the vjps of a Node keep alive."""
    values = []
    for _, vjp in node.edges:
        if isinstance(vjp, functools.partial):
            values += vjp.keywords.values()
        else:
            held = getattr(vjp, "__closure__", None) or ()
            values += [cell.cell_contents for cell in held]
    return [value for value in values if isinstance(value, np.ndarray)]


def profile_memory(batch=1000, width=500):
    """Print the memory that a forward pass keeps, and which vjps keep it."""
    import tracemalloc

    tensor.manual_seed(0)
    hidden = [Linear(width, width), Tanh(), Linear(width, width), Tanh()]
    model, x = Sequential(*hidden, Linear(width, 10)), tensor.randn(batch, width)

    def kept(make):
        tracemalloc.start()
        result = make()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return result, held / 1e6, peak / 1e6

    result, held, peak = kept(lambda: model(x))
    print(f"forward          keeps {held:5.2f} MB, peak {peak:5.2f} MB")
    seen, total = {id(t.data) for t in (x, *model.parameters())}, 0.0
    for node in reversed(topological_order(result)):
        new = {id(a): a for a in arrays_of(node) if id(a) not in seen}
        seen |= set(new)
        total += sum(a.nbytes for a in new.values()) / 1e6
        for a in new.values():
            size = f"{a.dtype} {a.shape}, {a.nbytes / 1e6:.2f} MB"
            print(f"    {node.name:8} needs {size}")
    print(f"    together {total:.2f} MB, {total / held:.0%} of what was kept")
    _, held, peak = kept(no_grad()(lambda: model(x)))
    print(f"under no_grad()  keeps {held:5.2f} MB, peak {peak:5.2f} MB")


profile_memory()

# %% [markdown]
"""
**Explain your list.** You should find every new array that a rule asks for (x and the weights were
there before), and hardly anything else: for each hidden layer the output of tanh, 4 bytes per
element, since tanh's own rule asks for it, and the next matmul, too. Which results of the forward
pass are missing, and why could they go? Under `no_grad` only the result stays; the peak is what one
layer needs.

### Checkpoints: time for memory
`checkpoint` runs a piece of the network without recording, keeps only its input, and runs it again
in backward. Watch the memory of 16 layers, in one piece and in four.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-checkpoint", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def checkpoint(function, x):
    """Return function(x), as one Node that keeps x and computes the rest again."""
    with no_grad():
        result = function(x)

    def vjp(g):
        again = leaf(x.detach())
        function(again).backward(g)
        return again.grad

    return record(result, "Checkpoint", (x, vjp))


def profile_checkpoints(count=16, batch=256, width=256):
    """Plot the memory held through forward and backward, with and without."""
    import tracemalloc

    from << cookiecutter.package_name >> import viz

    tensor.manual_seed(0)
    layers = [Linear(width, width) for _ in range(count)]
    x, start = leaf(tensor.randn(batch, width)), np.ones((batch, width), np.float32)
    memory = []

    def note(g=None):
        if tracemalloc.is_tracing():
            memory.append(tracemalloc.get_traced_memory()[0] / 1e6)
        return g

    def run(t, piece):
        for layer in piece:
            t = layer(t).tanh()
            note()
            t = record(result_of(t.data, t), "Note", (t, note))
        return t

    def in_four():
        t = x
        for k in range(0, count, count // 4):
            piece = layers[k : k + count // 4]
            t = checkpoint(functools.partial(run, piece=piece), t)
        t.backward(start)

    ways = {"one piece": lambda: run(x, layers).backward(start), "four pieces": in_four}
    ways["no_grad"] = functools.partial(no_grad()(run), x, layers)
    rounds = [[times(way, 1)[0] for way in ways.values()] for _ in range(5)]
    best = map(min, zip(*rounds, strict=True))
    seconds = dict(zip(ways, best, strict=True))
    curves = {}
    for name, way in ways.items():  # every .grad exists by now, and is only added to
        memory.clear()
        tracemalloc.start()
        way()
        tracemalloc.stop()
        curves[name] = list(range(1, len(memory) + 1)), list(memory)
    once, again = (max(curves[name][1]) for name in ("one piece", "four pieces"))
    more = seconds["four pieces"] / seconds["one piece"] - 1
    title = f"Four checkpoints: {again / once:.0%} of the memory, {more:+.0%} time"
    viz.lines(curves, title, "layers computed: forward, then backward", "MB held")
    viz.show()
    print(f"peak {again:.1f} MB in place of {once:.1f} MB; a step takes ", end="")
    print(f"{1e3 * seconds['four pieces']:.0f} ms, ", end="")
    print(f"in one piece {1e3 * seconds['one piece']:.0f} ms")


profile_checkpoints()

# %% [markdown]
"""
**Explain your picture.** One piece climbs a mountain and comes down again. With checkpoints only
four inputs stay, and backward climbs four small hills. Expect half to three quarters of the memory:
4 inputs, the 4 layers of a piece and the gradients on their way, in place of 16 layers. The price
is a second forward pass. With n layers in √n pieces the peak grows like √n. How many pieces would you
choose for n = 100?

### What backward costs
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-time", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_time(batch=256):
    """Print the times of a network's forward and backward pass."""
    tensor.manual_seed(0)
    hidden = [Linear(512, 512), Tanh(), Linear(512, 512), Tanh()]
    model = Sequential(*hidden, Linear(512, 10))
    x = tensor.randn(batch, 512)
    ways = lambda: model(x).sum(), lambda: model(x).sum().backward()
    rounds = [[times(way, 1)[0] for way in ways] for _ in range(20)]
    forward, both = map(min, zip(*rounds, strict=True))
    count = sum(p.size for p in model.parameters())
    ratio = (both - forward) / forward
    print(f"forward {1e3 * forward:.1f} ms, ", end="")
    print(f"backward {1e3 * (both - forward):.1f} ms: ", end="")
    print(f"{ratio:.1f} times as long, for {count:,} slopes at once")
    hours = 2 * count * forward / 3600
    print(f"central differences: {2 * count:,} times forward, {hours:,.1f} hours")


profile_time()

# %% [markdown]
"""
**Explain your numbers.** Count matmuls: two large ones forward, and backward two for each of them, but
for the first layer only one, since the input wants no gradient. That makes 1.5 times the FLOPs. On
top come elementwise passes and new arrays; but tanh costs more forward than its vjp backward. Expect
one to three times the forward pass, where differences would take from half an hour to several hours.

### The price of a wrong order
The simplest backward is recursive: send g to each input, which sends it on at once. In
`y = y + y`, repeated, it visits every Node once for each **path** that leads to it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-order", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def naive(node, g):
    """Send g on at once, along every path."""
    for target, vjp in node.edges:
        if isinstance(target, Node):
            naive(target, vjp(g))
        else:
            accumulate(target, np.array(vjp(g)))


def profile_order():
    """Plot the time of both passes against the depth: naive recursion, and yours."""
    from << cookiecutter.package_name >> import viz

    x, one, year = leaf(1.0, np.float64), np.ones(()), 365 * 86400.0

    def repeated(depth, step):
        t = x
        for _ in range(depth):
            t = step(t)
        return t

    def double(depth):
        return repeated(depth, lambda t: t + t)

    few, many = list(range(2, 15)), [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    slow = [median_time(lambda d=d: naive(double(d).grad_fn, one), 3) for d in few]
    fast = [median_time(lambda d=d: double(d).backward(), 3) for d in many]
    growth, far = (slow[-1] / slow[-6]) ** (1 / 5), list(range(14, 65))
    curves = {"latest first": (many, fast), "naive, measured": (few, slow)}
    curves["naive, going on"] = far, [slow[-1] * growth ** (d - 14) for d in far]
    title = f"1000 shared Nodes: {1e3 * fast[-1]:.0f} ms in the right order"
    viz.lines(curves, title, "depth of y = y + y", "seconds", log="xy")
    viz.show()
    years = (math.log(slow[-1] / year) + (1000 - 14) * math.log(growth)) / math.log(10)
    print(f"naive: {growth:.2f} times as long per level, ", end="")
    print(f"so 1000 levels take 10^{years:.0f} years")
    chain = functools.partial(repeated, 100_000, lambda t: t * 1.0)
    seconds = median_time(lambda: chain().backward(), 1)
    print(f"a chain of 100,000 products, forward and backward: {seconds:.2f} s")


profile_order()

# %% [markdown]
"""
**Explain your curves.** Expect the naive time to double, roughly, with each level, since 2ⁿ paths
lead down, and yours to grow with the number of Nodes, some microseconds each. A chain of 100,000
would break a recursive backward at Python's limit of 1,000 calls; yours keeps a list of its own.

### What fusing saves
Each Node costs some microseconds, and each array between two operations is written and read again. So
PyTorch **fuses** what nearly every step uses: one operation, with a vjp by hand (two for
cross-entropy, `log_softmax` and `nll_loss`). The three below replace those of Modules 02 to 04
wherever they are called, since they are `tensor_function`s. Read the vjps: of all that cross-entropy
computes, softmax is left, minus 1 at the right class.
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
matmul = inspect.unwrap(Tensor.__matmul__)  # Module 01's, which records nothing


@tensor_function
def relu(x):
    """Return max(x, 0) as one operation, which keeps its output (F.relu in PyTorch)."""
    out = np.maximum(x.data, 0)

    def vjp(g):  # np.where(out > 0, g, 0), but faster; as integers: 0 · inf is nan
        return (g.view(f"i{g.itemsize}") * (out > 0)).view(g.dtype)

    return record(result_of(out, x), "ReLU", (x, vjp))


def matrix_of(array):
    """Return the array as a matrix: one row for each of its vectors."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


@tensor_function
def linear(x, weight, bias=None):
    """Return x @ weight + bias, shapes (..., n) @ (n, m) + (m,), as one operation."""
    a, w, result = x.data, weight.data, matmul(x, weight)
    if bias is not None:
        out, b = result.data, bias.data  # in place if dtypes allow: nobody has seen it
        result.data = np.add(out, b, out if out.dtype == b.dtype else None)

    def vjp_weight(g):
        return a.T @ g if a.ndim == 2 else matrix_of(a).T @ matrix_of(g)

    def vjp_bias(g):
        return np.add.reduce(g if g.ndim == 2 else matrix_of(g))

    edges = (x, lambda g: g @ w.T), (weight, vjp_weight), (bias, vjp_bias)
    return record(result, "Linear", *edges)


@tensor_function
def cross_entropy(input, target, reduction="mean"):
    """Return -log softmax(input) at the target, reduced, as one unchecked operation."""
    logits, labels, n = input.data, target.data, input.data.shape[0]
    shifted, rows = logits - logits.max(axis=1, keepdims=True), np.arange(n)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    values = np.log(total[:, 0]) - shifted[rows, labels]
    reduced = values if reduction == "none" else getattr(values, reduction)()
    count = n if reduction == "mean" else 1

    def vjp(g):
        slopes = e / total
        slopes[rows, labels] -= 1
        slopes *= g.reshape(-1, 1) / count
        return slopes

    return record(result_of(reduced, input), "CrossEntropy", (input, vjp))


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-profile-fused", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_fused():
    """Print Nodes and times, composed and fused; fail if slopes differ."""

    def measured(function, inputs):
        """Return the number of Nodes, μs for forward and backward, and the slopes."""
        result = function(*inputs)
        start = np.ones(result.shape, np.float32)

        def step():
            inputs[0].zero_grad()
            function(*inputs).backward(start)

        micros = 1e6 * times(step, 9)[0]
        return len(topological_order(result)), micros, inputs[0].grad

    tensor.manual_seed(0)
    x, w, b = (leaf(tensor.randn(*s)) for s in ((64, 128), (128, 64), (64,)))
    logits, labels = leaf(tensor.randn(256, 5000)), Tensor(np.arange(256))
    calls = {relu: (x,), linear: (x, w, b), cross_entropy: (logits, labels)}
    for fused, inputs in calls.items():
        name = fused.__name__
        try:
            nodes, slow, slopes = measured(composed[name], inputs)
        except NotImplementedError as error:
            print(f"{name:13} composed: {unwritten(error)}")
            continue
        _, fast, same = measured(fused, inputs)
        assert np.abs(slopes - same).max() < 1e-6, f"{name} differs"
        print(f"{name:13} {' '.join(str(t.shape) for t in inputs)}: ", end="")
        print(f"{nodes} Nodes, {slow:,.0f} μs; fused {fast:,.0f} μs, ", end="")
        print(f"{slow / fast:.1f} times as fast")


profile_fused()

# %% [markdown]
"""
**Explain your numbers.** The composed cross-entropy makes some ten arrays of the logits' size, the
fused one three: expect it clearly faster. ReLU saves a comparison and a product forward, and one of
two vjps; `linear` was two Nodes only, one of them a matmul, which nothing makes faster. Why does a
fused ReLU keep no array that the next layer would not keep anyway?

## Part 3: Production Context
- **Graph.** PyTorch records as you do: `grad_fn` is a Node, `next_functions` are its edges, and a
  leaf has an `AccumulateGrad`. Its vjps stand in `derivatives.yaml`, mostly one line for each input,
  and the names in a line decide what is saved. The engine, in C++, counts for each Node the gradients
  still to come, and of the Nodes that are ready it takes the one with the largest sequence number:
  latest first. Each GPU has a thread of its own.
- **Saved arrays.** `save_for_backward` keeps them with a version number. Change one in place, and
  backward raises an error (not if through `.data`); yours silently uses the changed numbers.
- **Less memory.** `torch.no_grad` is yours; `inference_mode` also drops version numbers.
  `torch.utils.checkpoint` is your `checkpoint` with the random state restored, so that dropout
  drops the same numbers twice. With `use_reentrant=False` it also reaches parameters where the input
  needs no gradient; yours does not.
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

### The same in PyTorch
```python
>>> import torch
>>> a = torch.tensor(2.0, requires_grad=True)
>>> b = torch.tensor(3.0, requires_grad=True)
>>> y = a * b + a
>>> y.grad_fn.name(), len(y.grad_fn.next_functions)
('AddBackward0', 2)
>>> y.backward()
>>> a.grad, b.grad
(tensor(4.), tensor(2.))
>>> (a * a).backward()
>>> a.grad
tensor(8.)
>>> x = torch.tensor([1.0, 5.0, 5.0], requires_grad=True)
>>> x.amax().backward()
>>> x.grad
tensor([0.0000, 0.5000, 0.5000])
```
And yours, on the same numbers:
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-pytorch", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def same_as_pytorch():
    """Print what PyTorch printed above."""
    a, b = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    y = a * b + a
    print((y.grad_fn, len(y.grad_fn.edges)))
    y.backward()
    print((a.grad, b.grad))
    (a * a).backward()
    print(repr(a.grad))
    x = Tensor([1.0, 5.0, 5.0], requires_grad=True)
    x.max().backward()
    print(repr(x.grad))


same_as_pytorch()


# %% [code] {"nbgrader": {"grade": false, "grade_id": "autograd-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run the test of every exercise, and show what is done."""
    show_results(
        globals(),
        [
            (1, "Slopes by brute force", "test_numeric_gradient", 3, 1),
            (2, "A result remembers", "test_record", 5, 1),
            (3, "Two operations by hand", "test_first", 5, 1),
            (4, "Broadcasting, backwards", "test_unbroadcast", 5, 1),
            (5, "Which Node is next", "test_topological_order", 5, 2),
            (6, "Backward", "test_backward", 9, 3),
            (7, "Rules from school", "test_rules", 6, 2),
            (8, "Matrix multiplication", "test_matmul", 5, 1),
            (9, "Back into shape", "test_shapes", 5, 2),
            (10, "Choices", "test_choices", 5, 1),
            (11, "In charge of the graph", "test_control", 3, 1),
            (12, "Indices and joins (deeper)", "test_index", 3, 1),
            (13, "Trust, but check (deeper)", "test_gradcheck", 3, 1),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: What the graph keeps
A layer computes `(x @ w + b).tanh()` for x of shape (10000, 1000), w of shape (1000, 1000) and b of
shape (1000,), all float32 and requiring gradients.
- **(a)** Which arrays, leaves included, does your graph keep for backward?
- **(b)** In how many bytes?
- **(c)** Which does it let go?
- **(d)** What if tanh were composed as `(p - q) / (p + q)` of two `exp`?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a, b) MatMul keeps x and w: both exist anyway (40 MB and 4 MB), but x cannot be freed now. Add
keeps no array but the leaf b (4 kB), (c) so the outputs of `@` and of `+ b`, 40 MB each, go as soon
as nobody names them. (a, b) Tanh keeps its output, 40 MB, which the next layer holds as its input,
too. (d) Composed, each `exp` keeps its output and the division both of its sides: 160 MB in place
of 40. My list showed the same: only arrays that a rule asks for.

**Marking rubric (5 points)**
- 2: (a, c) x, w and tanh's output, and none of the two sums. 1: (b) 40 MB, 4 MB, 40 MB.
- 1: (c) why Add needs nothing (its vjps mention no array).
- 1: (d) four arrays of 40 MB when composed.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Two ways to lose a gradient
Explain the wrong numbers of `hasty_backward` in (a) to (c).
- **(a)** Which symbol is wrong?
- **(b)** Why does `a * b` come out right all the same?
- **(c)** What does `a * b + a` lose?
- **(d)** In the picture of Exercise 5, with a = 2, a backward that adds up properly, but takes u
  before v, finds 4 instead of 16. Where is the rest?
- **(e)** What did your plot say about visiting u once for each path instead?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) `target.grad = ...` should be `+=`: a later part replaces an earlier one. (b) In `a * b` each
leaf has one part only, so nothing is lost. (c) In `a * b + a` Add first sends 1 to a, then Mul's 3
replaces it: 3 instead of 4. (d) In the picture y sends 1 to u and to v. If u goes next, it sends 1
· 2a = 4 to a and is done; v then sends 3 to u, which nobody passes on, so 3 · 2a = 12 are missing.
(e) Once for each path is right, too (4 + 12), but takes 2ⁿ visits for n shared Nodes: in my plot
about twice as long per level.

**Marking rubric (5 points)**
- 1: (a) `=` for `+=`. 1: (b, c) one part only in a * b, 1 is lost in a * b + a.
- 2: (d) v's part arrives at u after u's turn; 12 are missing.
- 1: (e) paths double per level, as measured.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: Checkpoints
A network of 64 equal layers keeps 1 GB per layer for backward, its input included, which is about
as large; a layer takes 10 ms forward and 20 ms backward. You have 20 GB.
- **(a)** How many pieces do you choose?
- **(b)** What is the peak, with and without checkpoints?
- **(c)** How long is a step, with and without them?
- **(d)** Which of your measurements supports this?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(b, c) Without: 64 GB, which does not fit, and 64 · 30 ms = 1.92 s. (a, b) With k pieces backward
holds about k inputs and the 64 / k layers of one piece. k = 8: 8 + 8 = 16 GB, if an input is about
as large as what a layer keeps, and it fits; k = 4 (4 + 16 = 20 GB) is on the edge. (c) Each layer
runs forward once more: 64 · 40 ms = 2.56 s, a third longer. (d) My measurement with 16 layers in
four pieces: about two thirds of the memory (there the gradients on their way count, too), and more
time.

**Marking rubric (5 points)**
- 2: (a, b) peak as inputs plus one piece, and a k that fits. 2: (c) 1.92 s and 2.56 s.
- 1: (d) own measured numbers, compared with this.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: In place
To save time somebody updates the weights between `loss = criterion(model(x), labels)` and
`loss.backward()`, by `p.data -= lr * old_grad`.
- **(a)** Which gradients of a network of two Linear layers become wrong?
- **(b)** Which stay right?
- **(c)** Why does no error appear?
- **(d)** How could a framework notice such a change?
- **(e)** Name a cure.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "autograd-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) The vjps read the arrays they keep when backward runs. The gradient of x @ w with respect to x
is g @ wᵀ: it now uses the new w2, so all that flows below the second layer, w1's and b1's
gradients, is wrong. (b) Those of w2 and b2 use the hidden outputs and g, which are as they were:
right. (c) Nothing compares old and new, so no error. (d) A number that each in-place change raises
would show it: PyTorch counts such versions and raises a RuntimeError, unless one goes through
`.data`, as here. (e) Cure: update after backward; or make a new array, `p.data = p.data - ...`,
since the graph still holds the old one.

**Marking rubric (5 points)**
- 2: (a, b) wrong below the second layer, right for w2 and b2, with the vjp as reason.
- 1: (c) nothing compares. 1: (d) a version or a copy to compare with. 1: (e) a cure that works.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
- Each result remembers its inputs and a vjp for each; that is all there is to a graph.
- Backward is an order, and one loop: take g, and for each edge add what its vjp sends. Everything you
  had built differentiates, unchanged.
- It costs a few forward passes and the arrays that rules ask for, and you can trade one for the
  other.

<% if cookiecutter.last_module >= "06" %>**Next, Module 06: Optimizers** decide what to do with a gradient, and how far to step.<% else %>**Next**, decide what to do with a gradient, and how far to step: `torch.optim` holds what people found.<% endif %>
"""
