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
# Module 02: Activations

Stack a hundred layers with nothing between them, and you have one: `(x @ A) @ B` is `x @ (A @ B)`.
A bend between them, called an **activation**, is what makes depth count. At the end of the exercises
two bends solve a puzzle that no straight line can. The formulas are short, and as they stand in
books they break: they overflow, divide 0 by 0, or lose the digits that training needs. You write
them so that they hold for every number.

**Learning Objectives:**
- Build the activation functions of today's networks, with PyTorch's names and rules.
- Understand where a formula from the book overflows, and rewrite it so that it cannot.
- Analyze what an activation costs in time, in temporaries, and in memory kept for training.

**You are here:** << cookiecutter.__map | replace("02 Activations", "**02 Activations**") >>

**Time:** 4 to 5 hours. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper*
can wait: nothing later needs them.

**History.** In 1943 Warren McCulloch and Walter Pitts described neurons that fire when their inputs
reach a threshold: their bend was a step. In 2010 Vinod Nair and Geoffrey Hinton wrote of *rectified
linear units*, max(x, 0), and the name stayed: ReLU.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import math

import numpy as np

from << cookiecutter.package_name >>.tensor import (
    Tensor,
    tensor_function,
    where,
)

# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-testing", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_array,
    check_differentiable,
    check_equal,
    check_function,
    check_lines,
    check_raises,
    each,
    exercise,
    median_time,
    peak_memory,
    record_operations,
    show_results,
    watch,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

Double a number, then multiply by -3: that is one line, -6x, whatever you call the two steps. Put
max(·, 0) between them, and 1 still becomes -6, but -1 becomes 0: two half-lines and a corner. No line
does that. Every activation is such a bend, sharp or smooth:

![Five small plots of relu, leaky_relu, gelu, sigmoid and tanh as solid lines, with their slopes dashed: relu is flat on the left, the slope of sigmoid is never above a quarter](bends.svg)

Training pushes a gradient back through every bend, and each multiplies it by its slope: a slope of 0
stops it, and a slope of 0.25, the sigmoid's steepest, shrinks it.

| Function | Formula | Range |
|---|---|---|
| `relu` | max(x, 0) | [0, ∞) |
| `leaky_relu` | x if x > 0, else a x, with a small slope a | (-∞, ∞) |
| `sigmoid` | σ(x) = 1 / (1 + e⁻ˣ) | (0, 1) |
| `tanh` | (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ) | (-1, 1) |
| `gelu` | x Φ(x), where Φ(x) = ½ (1 + erf(x / √2)) is the share of a standard normal distribution below x | [-0.17, ∞) |
| `softmax` | exp(xᵢ) / Σⱼ exp(xⱼ), over one dimension | (0, 1], with sum 1 |
| `log_softmax` | xᵢ - log Σⱼ exp(xⱼ) | (-∞, 0] |

### Computational Complexity

| Operation | Time | Arrays of N elements that it makes, not all at once |
|---|---|---|
| `relu`, `leaky_relu` | O(N), no exponential | 2, and a mask (1 byte an element) |
| `sigmoid`, `tanh` form of `gelu` | O(N), 1 or 2 exponentials an element | 7 to 9, one a step |
| the same, fused into one loop | O(N), as many exponentials | 1 |
| `softmax`, `log_softmax` over a size of r | O(N), 1 exponential an element | 3, and O(N / r) |

N elements. All of them do at most a few FLOPs per byte: they lie on the slope of Module 01's
roofline, where memory traffic counts. How much an `exp` adds to that, you will time.
"""

# %% [markdown]
"""
## Exercise 1: ReLU
The ReLU of -2 is 0, that of 3 is 3: the simplest bend, and one of the most used. Write it, like
every function of a Tensor here, with Tensor operations (`+ - * /`, comparisons, `where`, `maximum`,
`exp`, `sum` and so on), not with `.data`: gradients will follow Tensor operations, and end where you
take the array out. `@tensor_function` lets a faster version take its place one day.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-relu", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@tensor_function
def relu(x):
    """Return max(x, 0) of each element, in x's dtype (nn.functional.relu).

    NaN stays NaN: a network that diverged must be seen.
    """
    # TODO: write relu.
    #
    # APPROACH
    # 1. One to three Tensor operations, without a loop.
    #
    # EXAMPLE
    # >>> relu(Tensor([-2.0, 0.0, 3.0]))
    # Tensor([0., 0., 3.])
    # >>> relu(Tensor([-2, 3]))
    # Tensor([0, 3])
    #
    # HINTS
    # - NaN > 0 and NaN <= 0 are False; -inf * 0 is NaN; the int 0 keeps integers.
    # - At 0 PyTorch takes the slope 0. A maximum alone will have 1/2 there; a factor
    #   x > 0 makes it 0. That changes no value, so no test here can see it.
    ### BEGIN SOLUTION
    return x.maximum(0) * (x > 0)
    ### END SOLUTION


# %% [markdown]
"""
### Testing ReLU
Here and in most tests below, a check wants more than the values: no warning from NumPy, the input
left as it was, and Tensor operations all the way.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-relu-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
@exercise(1)
def test_relu():
    check_function(relu, [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0], "relu([-2., 0., 3.])")
    rows = [[-0.5, 0.25], [7.0, -7.0]]
    check_function(relu, rows, [[0.0, 0.25], [7.0, 0.0]], f"relu({rows})")
    hint = "the int 0 leaves integers integers, 0.0 does not"
    check_function(relu, Tensor([-2, 0, 3]), [0, 0, 3], "relu([-2, 0, 3])", hint=hint)
    nan, inf = math.nan, math.inf
    hint = "x > 0 is False for NaN"
    check_function(relu, [nan, -1.0], [nan, 0.0], "relu([nan, -1.])", hint=hint)
    hint = "-inf * 0 and -inf + inf are NaN"
    check_function(relu, [-inf, inf], [0.0, inf], "relu([-inf, inf])", hint=hint)
    print("✅ ReLU bends")


test_relu()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-relu-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "random and transposed inputs · tiny and huge inputs · other integers")
def test_relu_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random and transposed inputs
    numbers = np.random.default_rng(21).normal(size=(3, 1, 4))
    turned = [Tensor(numbers, d).permute(2, 0, 1) for d in (np.float32, np.float64)]
    for x in (numbers.tolist(), *turned, 3.5, -3.5, []):
        check_function(relu, x, lambda v: v if v > 0 else 0.0, "relu")
    # hidden: tiny and huge inputs
    check_function(relu, [-1000.0, 1000.0], [0.0, 1000.0], "relu([-1000., 1000.])")
    check_equal(relu(Tensor(1e-30)).item() > 0, True, "relu(1e-30) > 0")
    # hidden: other integers
    check_function(relu, Tensor([-7, 7], np.int32), [0, 7], "relu of int32")
    check_function(relu, Tensor([0, 3], np.uint8), [0, 3], "relu of uint8")
    ### END HIDDEN TESTS


test_relu_beyond()

# %% [markdown]
"""
## Exercise 2: Leaky ReLU
Where ReLU is flat, no gradient passes: a unit that is negative for every example learns nothing.
With a slope of 0.1 on the left, -2 becomes -0.2, and a tenth of the gradient gets through. Any slope
will do: 0 makes it ReLU (but -∞ · 0 is NaN), -1 the absolute value, and 2 is steeper on the left
than on the right.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-leaky-relu", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def leaky_relu(x, negative_slope=0.01):
    """Return x where x > 0, x * negative_slope elsewhere (nn.functional.leaky_relu).

    Any slope, also above 1 or below 0. NaN stays NaN. The dtype is that of
    x * negative_slope: integers stay integers only if the slope is an integer, too,
    which must then fit into their dtype.
    """
    # TODO: write leaky_relu.
    #
    # APPROACH
    # 1. Choose between x and x * negative_slope, element by element.
    #
    # EXAMPLE
    # >>> leaky_relu(Tensor([-2.0, 3.0]), 0.1)
    # Tensor([-0.2,  3. ])
    # >>> leaky_relu(Tensor([-2, 3]), 2)
    # Tensor([-4,  3])
    #
    # HINTS
    # - The larger of the two would be wrong for slopes above 1.
    ### BEGIN SOLUTION
    return where(x <= 0, x * negative_slope, x)
    ### END SOLUTION


# %% [markdown]
"""
### Testing Leaky ReLU
The usual slope; flat, steep and negative ones; integers, NaN.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-leaky-relu-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(2)
def test_leaky_relu():
    x = [-2.0, 0.0, 3.0]
    check_function(leaky_relu, x, [-0.02, 0.0, 3.0], f"leaky_relu({x})")
    hint = "is it right on the left for slopes above 1 and below 0?"
    for slope, left in ((0.1, -0.2), (0, 0.0), (1.5, -3.0), (2, -4.0), (-0.5, 1.0)):
        call, what = lambda x, s=slope: leaky_relu(x, s), f"leaky_relu({x}, {slope})"
        check_function(call, x, [left, 0.0, 3.0], what, hint=hint)
    rows = [[-1.0], [4.0]]
    call, what = lambda x: leaky_relu(x, negative_slope=0.5), f"leaky_relu({rows}, 0.5)"
    check_function(call, rows, [[-0.5], [4.0]], what)
    whole = Tensor([-2, 3])
    what, hint = "leaky_relu([-2, 3], 2)", "an int Tensor times an int is an int Tensor"
    check_function(lambda x: leaky_relu(x, 2), whole, [-4, 3], what, np.int64, hint)
    what = "leaky_relu([-2, 3], 0.5)"
    check_function(lambda x: leaky_relu(x, 0.5), whole, [-1.0, 3.0], what, np.float32)
    check_function(leaky_relu, [math.nan], [math.nan], "leaky_relu([nan])")
    print("✅ Leaky ReLU leaks")


test_leaky_relu()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-leaky-relu-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "random inputs and slopes · unsigned integers · infinity · no rows")
def test_leaky_relu_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random inputs and slopes
    rng = np.random.default_rng(22)
    for s in rng.normal(scale=2.0, size=6).tolist():
        numbers = (5 * rng.normal(size=(2, 3, 2))).tolist()
        plain, what = (lambda v, s=s: v if v > 0 else v * s), f"leaky_relu(x, {s})"
        check_function(lambda x, s=s: leaky_relu(x, s), numbers, plain, what)
    # hidden: unsigned integers
    small = Tensor(np.array([0, 5], np.uint8))
    check(leaky_relu(small), [0.0, 5.0], "leaky_relu(uint8 [0, 5])")
    # hidden: infinity
    inf = math.inf
    check_function(leaky_relu, [-inf, inf], [-inf, inf], "leaky_relu([-inf, inf])")
    # hidden: no rows
    got = leaky_relu(Tensor(np.ones((0, 3))))
    check_equal(got.shape, (0, 3), "leaky_relu of no rows")
    ### END HIDDEN TESTS


test_leaky_relu_beyond()

# %% [markdown]
"""
## Exercise 3: Straight from the book
A float32 ends at 3.4 · 10³⁸, so eˣ is ∞ above x = 88.7, and below -104 it is 0. That does no harm
until somebody divides by it:

![A line of exponents x: below -104 float32 makes 0 of e to the x, above 88.7 infinity. Below it two formulas of the sigmoid, each safe for one sign of x only](overflow.svg)

Write sigmoid and softmax as the table has them. They pass every demonstration. Then compute the
largest exponent of each dtype, and watch them break just outside.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def sigmoid_naive(x):
    """Return 1 / (1 + e^-x) of each element, computed just so: NumPy may warn."""
    # TODO: write the formula with Tensor operations; `1 / tensor` works.
    ### BEGIN SOLUTION
    return 1 / (1 + (-x).exp())
    ### END SOLUTION


def softmax_naive(x, dim=-1):
    """Return e^x divided by the sum of e^x over dim, computed just so."""
    # TODO: divide the exponentials by their sum along dim.
    #
    # APPROACH
    # 1. e to the power of every element.
    # 2. The sum over dim, in a shape that broadcasts back against x.
    #
    # EXAMPLE
    # >>> softmax_naive(Tensor([[0.0, 0.0], [5.0, 5.0]]), dim=1)
    # Tensor([[0.5, 0.5],
    #         [0.5, 0.5]])
    #
    # HINTS
    # - PyTorch says dim where NumPy, and your reductions, say axis.
    # - keepdims=True leaves a size of 1 in the place of dim.
    ### BEGIN SOLUTION
    e = x.exp()
    return e / e.sum(axis=dim, keepdims=True)
    ### END SOLUTION


def exp_limit(dtype):
    """Return the largest x for which e^x fits into this NumPy float dtype."""
    # TODO: solve e^x = the largest number of the dtype, np.finfo(dtype).max, for x.
    #
    # EXAMPLE
    # >>> round(exp_limit(np.float16), 2)
    # 11.09
    #
    # HINTS
    # - math.log is the inverse of e^x.
    ### BEGIN SOLUTION
    return math.log(np.finfo(dtype).max)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the book
Right for small numbers; then just inside your limit and just outside.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-naive-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(3)
def test_naive():
    log3 = math.log(3)
    check_function(sigmoid_naive, [0.0, log3], [0.5, 0.75], "sigmoid_naive([0, log 3])")
    x, rows = [[0.0, log3], [0.0, 0.0]], [[0.25, 0.75], [0.5, 0.5]]
    check_function(softmax_naive, x, rows, "softmax_naive([[0, log 3], [0, 0]])")
    columns, hint = [[0.5, 0.75], [0.5, 0.25]], "sum over dim, with keepdims=True"
    call, what = lambda x: softmax_naive(x, dim=0), "softmax_naive(..., dim=0)"
    check_function(call, x, columns, what, hint=hint)
    hint, limit = "np.log of a float16 is a float16, math.log is exact", 88.7228
    ends = {np.float16: 11.0899, np.float32: limit, np.float64: 709.7827}
    for dtype, want in ends.items():
        name, got = dtype.__name__, float(exp_limit(dtype))
        problem = f"exp_limit({name}): expected {want}, got {got}\nHint: {hint}"
        assert abs(got - want) < 1e-3, problem
    for x in (limit - 0.1, limit + 0.1):
        value, warned = watch(lambda x=x: sigmoid_naive(Tensor([-x])))
        print(f"sigmoid_naive({-x:.1f}) is {value.item():.1e}: {warned or 'silent'}")
        what = f"sigmoid_naive({-x:.1f}), does it warn?"
        hint = "compute 1 / (1 + e^-x) just so, and silence nothing"
        check_equal(bool(warned), x > limit, what, hint)
    for x in (limit + 0.1, -1000.0):
        value, warned = watch(lambda x=x: softmax_naive(Tensor([x, x])))
        print(f"softmax_naive([{x:.1f}, {x:.1f}]) is {value.data}: {warned}")
        what = f"softmax_naive([{x:.1f}, {x:.1f}])"
        check(value, [math.nan] * 2, what, hint="∞ / ∞ and 0 / 0 are NaN")
    print("✅ the book's formulas work, and you know how far")


test_naive()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-naive-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(3, "random inputs, three dimensions · the dtype of a Tensor")
def test_naive_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random inputs, three dimensions
    def softmax_plain(line):
        e = [math.exp(v) for v in line]
        return [v / math.fsum(e) for v in e]

    numbers = (4 * np.random.default_rng(23).normal(size=(2, 3, 4))).tolist()
    plain = lambda v: 1 / (1 + math.exp(-v))  # noqa: E731
    check_function(sigmoid_naive, numbers, plain, "sigmoid_naive")
    check_lines(softmax_naive, softmax_plain, numbers, (0, 1, 2, -1, -2, -3))
    # hidden: the dtype of a Tensor
    for dtype, limit in ((np.float32, 88.7228), (np.float64, 709.7827)):
        got = exp_limit(Tensor([1.0], dtype).dtype)
        assert abs(got - limit) < 1e-3, f"exp_limit of {dtype}: {limit}, not {got}"
    ### END HIDDEN TESTS


test_naive_beyond()

# %% [markdown]
"""
## Exercise 4: A sigmoid that cannot overflow
Past its limit the naive value, 1 / ∞ = 0, is close by luck; its gradient would be ∞ · 0, NaN. The
figure of Exercise 3 shows two formulas, each safe on one side, but `where` computes both everywhere.
Look at the second as eˣ / (eˣ + e⁰), a softmax of the two scores x and 0. Subtract the same number from
both exponents, and the fraction stays the same: at x = 2, e²/(e² + e⁰) and e⁰/(e⁰ + e⁻²) are both 0.88.
Which number keeps both exponents from being positive?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-sigmoid", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def sigmoid(x):
    """Return 1 / (1 + e^-x) of each element (torch.sigmoid): no step overflows.

    Small results keep their digits as far down as the dtype goes: log(sigmoid(-50)) is
    -50. Infinite x give 0 and 1. Integers are computed in float32.
    """
    # TODO: write sigmoid so that no exponent is ever positive.
    #
    # APPROACH
    # 1. From the scores x and 0 subtract the larger one, max(x, 0).
    # 2. The sigmoid is the first exponential over the sum of both.
    #
    # EXAMPLE
    # >>> sigmoid(Tensor([-1000.0, 0.0, 1000.0]))
    # Tensor([0. , 0.5, 1. ])
    #
    # HINTS
    # - x - max(x, 0) is min(x, 0), which is right for x = ∞, too, where ∞ - ∞ is not.
    # - 1 - (something close to 1) has lost the digits of a small result.
    # - -x wraps around for unsigned integers: -(5) is 251 in uint8. Floats do not.
    ### BEGIN SOLUTION
    p = x.minimum(0).exp()
    q = (-x.maximum(0.0)).exp()
    return p / (p + q)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the sigmoid
Known values, ±1000, and the digits of small results, seen through their logarithm.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-sigmoid-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(4)
def test_sigmoid():
    def log_sigmoid(x):
        return sigmoid(x).log()

    log3 = math.log(3)
    x, want = [-log3, 0.0, log3], [0.25, 0.5, 0.75]
    check_function(sigmoid, x, want, "sigmoid([-log 3, 0., log 3])")
    check_function(sigmoid, [x, x], [want, want], "sigmoid of two rows")
    hint = "let no exponent be positive in any step; where() computes both its formulas"
    check_function(sigmoid, [-1000.0, 1000.0], [0.0, 1.0], "sigmoid(±1000)", hint=hint)
    check_function(sigmoid, [-100.0, 100.0], [0.0, 1.0], "sigmoid(±100)", hint=hint)
    hint = "the sigmoid of -50 is 2e-22: 1 - ... and 0.5 + ... lose its digits"
    what, want = "log(sigmoid([-50., -20., 0.]))", [-50.0, -20.0, -math.log(2)]
    want[1] -= math.log1p(math.exp(-20))
    check_function(log_sigmoid, [-50.0, -20.0, 0.0], want, what, hint=hint)
    check_function(sigmoid, [math.nan], [math.nan], "sigmoid([nan])")
    got, want = Tensor([-1000, 0, 1000]), [0.0, 0.5, 1.0]
    check_function(sigmoid, got, want, "sigmoid of integers", np.float32)
    print("✅ the sigmoid is stable")


test_sigmoid()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-sigmoid-beyond", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@beyond(4, "random inputs · digits far below zero · infinity · uint8 · no rows")
def test_sigmoid_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random inputs
    def plain(v):
        return min(v, 0) - math.log1p(math.exp(-abs(v)))

    def log_sigmoid(x):
        return sigmoid(x).log()

    rng, hint = np.random.default_rng(24), "small results should keep their digits"
    for shape in ((3, 2, 5), (4, 1), ()):
        numbers = (20 * rng.normal(size=shape)).tolist()
        check_function(sigmoid, numbers, lambda v: math.exp(plain(v)), "sigmoid")
        check_function(log_sigmoid, numbers, plain, "log of sigmoid", hint=hint)
    # hidden: digits far below zero
    low = Tensor([-700.0, -300.0], np.float64)
    check_function(log_sigmoid, low, plain, "log(sigmoid([-700., -300.]))")
    check_function(log_sigmoid, Tensor([-95.0]), plain, "log(sigmoid(-95.))")
    # hidden: infinity
    inf, hint = math.inf, "∞ - ∞ is NaN"
    check_function(sigmoid, [-inf, inf], [0.0, 1.0], "sigmoid([-inf, inf])", hint=hint)
    # hidden: uint8
    small, want = Tensor([0, 5, 255], np.uint8), [0.5, math.exp(plain(5)), 1.0]
    check_function(sigmoid, small, want, "sigmoid of uint8", np.float32)
    # hidden: no rows
    check_equal(sigmoid(Tensor(np.ones((0, 2)))).shape, (0, 2), "sigmoid of no rows")
    ### END HIDDEN TESTS


test_sigmoid_beyond()

# %% [markdown]
"""
## Exercise 5 (deeper): Two ways to get tanh wrong
tanh is a sigmoid, stretched from (0, 1) to (-1, 1), and steeper: its x is stretched, too. Write it
with your sigmoid, and with the book's formula. Then look at x = 0.0001, where tanh is 0.0001: both
subtract numbers that agree in their first digits, and lose those. At 1000 one of them dies, too. So
your package gets a third way, NumPy's `tanh` (below the tests).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-tanh", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def tanh_naive(x):
    """Return (e^x - e^-x) / (e^x + e^-x) of each element, computed just so."""
    # TODO: write the formula; NaN where it comes to ∞ / ∞.
    ### BEGIN SOLUTION
    up, down = x.exp(), (-x).exp()
    return (up - down) / (up + down)
    ### END SOLUTION


def tanh_by_sigmoid(x):
    """Return tanh of each element from sigmoid: loses digits near 0.

    Never warns unless 2x overflows.
    """
    # TODO: express tanh by sigmoid.
    #
    # APPROACH
    # 1. Divide numerator and denominator by e^x: which sigmoid do you see?
    # 2. A sigmoid runs from 0 to 1; stretch and shift it.
    #
    # EXAMPLE
    # >>> tanh_by_sigmoid(Tensor([-1000.0, 0.0, 1000.0]))
    # Tensor([-1.,  0.,  1.])
    #
    # HINTS
    # - tanh(x) is (1 - e^-2x) / (1 + e^-2x), and 1 - a is 2 - (1 + a).
    ### BEGIN SOLUTION
    return 2 * sigmoid(2 * x) - 1
    ### END SOLUTION


# %% [markdown]
"""
### Testing both ways
Where each is right, and where each fails, beside `Tensor.tanh`.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-tanh-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(5)
def test_tanh():
    x = [-1.0, 0.0, 2.0]
    check_function(tanh_naive, x, math.tanh, f"tanh_naive({x})")
    own = (2 * sigmoid(Tensor([-2.0, 0.0, 4.0])) - 1).data
    hint = "the sigmoid of how many x? Then stretch, then shift"
    got = tanh_by_sigmoid(Tensor(x))
    check(got, own.tolist(), f"tanh_by_sigmoid({x}), from your sigmoid", hint=hint)
    ways = {"naive": tanh_naive, "by sigmoid": tanh_by_sigmoid}
    noise = watch(lambda: sigmoid(Tensor(-2000.0)))[1]  # of your sigmoid
    for name, way in (ways | {"Tensor.tanh": Tensor.tanh}).items():
        far, warned = watch(lambda way=way: way(Tensor(-1000.0)))
        lost = abs(way(Tensor(1e-4)).item() / math.tanh(1e-4) - 1)
        print(f"{name:11} at 0.0001 wrong by {lost:.0e}, at -1000 {far} {warned[-1:]}")
        what = f"{name}, at -1000: does it warn?"
        loud = name == "naive" or bool(name == "by sigmoid" and noise)
        hint = "compute it just so" if name == "naive" else "sigmoid, not sigmoid_naive"
        check_equal(bool(warned), loud, what, hint)
        what = f"{name}, at 0.0001: does it lose digits?"
        check_equal(lost > 1e-6, name != "Tensor.tanh", what, "write it without tanh")
    what, hint = "tanh_naive(1000.)", "∞ / ∞ is NaN, by the formula"
    check(watch(lambda: tanh_naive(Tensor(1000.0)))[0], math.nan, what, hint=hint)
    print("✅ you know why nobody writes tanh like that")


test_tanh()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-tanh-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(5, "random inputs and shapes · both float dtypes · large inputs")
def test_tanh_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random inputs and shapes
    numbers = 3 * np.random.default_rng(25).normal(size=(2, 1, 4))
    check_function(tanh_naive, numbers.tolist(), math.tanh, "tanh_naive")
    # hidden: both float dtypes
    for dtype in (np.float32, np.float64):
        x = Tensor(numbers, dtype)
        own = (2 * sigmoid(Tensor(2 * numbers, dtype)) - 1).data.tolist()
        check_function(tanh_by_sigmoid, x, own, "tanh_by_sigmoid, from your sigmoid")
    # hidden: large inputs
    check_function(tanh_naive, [-60.0, 60.0], [-1.0, 1.0], "tanh_naive(±60)")
    got = watch(lambda: tanh_naive(Tensor([-1000.0])))[0]
    check(got, [math.nan], "tanh_naive([-1000.])", hint="∞ / ∞ is NaN")
    ### END HIDDEN TESTS


test_tanh_beyond()


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-tanh-exported", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def tanh(x):
    """Return the hyperbolic tangent of each element (torch.tanh)."""
    return x.tanh()


# %% [markdown]
"""
## Exercise 6: GELU, twice
ReLU multiplies x by 0 or by 1. GELU multiplies it by Φ(x), the share of a standard normal
distribution below x, and so bends smoothly: Φ(1) is 0.841, so 1 becomes 0.841, and -1 becomes -0.159.
BERT and GPT-2 use it. For those who have no fast erf there is a second form, with tanh. The two differ
by up to 0.0005: run a trained network with the form it was trained with.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def gelu(x, approximate="none"):
    """Return x Φ(x) of each element, with Φ as in the table (nn.functional.gelu).

    approximate: "none" computes Φ by erf, "tanh" takes the tanh form,
    ½ x (1 + tanh(u)) with u = √(2/π) (x + 0.044715 x³). RuntimeError for anything
    else: it shows what was given, and names 'none' and 'tanh'. Integers are computed
    in float32.
    Source: Hendrycks and Gimpel, arXiv:1606.08415.
    """
    # TODO: write gelu in both forms.
    #
    # APPROACH
    # 1. "none": the formula of the table; Tensors have erf.
    # 2. "tanh": the formula above.
    # 3. Anything else is an error.
    #
    # EXAMPLE
    # >>> gelu(Tensor([-1.0, 0.0, 1.0]))
    # Tensor([-0.15865526,  0.        ,  0.8413447 ])
    #
    # HINTS
    # - math.sqrt for constants; products for the cube: ** is slow.
    # - Small integers wrap around in x * x * x. Begin with a float: 0.044715 * x ...
    ### BEGIN SOLUTION
    if approximate == "none":
        return x * 0.5 * (1 + (x * math.sqrt(0.5)).erf())
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return x * 0.5 * (1 + inner.tanh())
    raise RuntimeError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
    ### END SOLUTION


# %% [markdown]
"""
### Testing GELU
Both forms, closely enough to tell them apart, far out, and the error.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-gelu-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_gelu():
    def by_tanh(x):
        return gelu(x, approximate="tanh")

    x, below, above = [-1.0, 0.0, 1.0], -0.15865525393145707, 0.8413447460685429
    what = f"gelu({x})"
    check_function(gelu, x, [below, 0.0, above], what, hint="1 + erf(x / √2)")
    check_function(lambda x: gelu(x, "none"), x, [below, 0.0, above], 'gelu(x, "none")')
    below, above = -0.15880800939172324, 0.8411919906082768
    hint = "√(2/π) is the root of the fraction; x³ is a cube"
    check_function(by_tanh, x, [below, 0.0, above], f'gelu({x}, "tanh")', hint=hint)
    far, want = [[-1000.0, 1000.0], [-30.0, 30.0]], [[0.0, 1000.0], [0.0, 30.0]]
    for form, call in (("none", gelu), ("tanh", by_tanh)):
        check_function(call, far, want, f'gelu({far}, "{form}")', hint="Φ(30) is 1")
        what = f'gelu([-30, 0, 30], "{form}")'
        check_function(call, Tensor([-30, 0, 30]), [0.0, 0.0, 30.0], what, np.float32)
        check_function(call, [math.nan], [math.nan], f'gelu([nan], "{form}")')
    words, call = ["relu", "none", "tanh"], lambda: gelu(Tensor(1.0), "relu")
    check_raises(RuntimeError, words, call, 'gelu(x, "relu")')
    print("✅ GELU bends smoothly")


test_gelu()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-gelu-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "random inputs · integers of small dtypes · other wrong forms · no rows")
def test_gelu_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random inputs
    def exact(v):
        return v * math.erfc(-v / math.sqrt(2)) / 2

    def by_tanh(v):
        return v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))

    rng = np.random.default_rng(26)
    for form, plain in (("none", exact), ("tanh", by_tanh)):
        call, what = lambda x, f=form: gelu(x, f), f"gelu(x, {form!r})"
        # hidden: random inputs
        for shape in ((2, 3, 3), (4,), ()):
            check_function(call, (2 * rng.normal(size=shape)).tolist(), plain, what)
        # hidden: integers of small dtypes
        for x in (Tensor([6, -6], np.int8), Tensor([2000], np.int32), Tensor([-3, 2])):
            check_function(call, x, plain, f"{what} of {x.dtype}", np.float32)
    # hidden: other wrong forms
    for name in ("None", None, True):
        wrong = lambda name=name: gelu(Tensor(1.0), name)  # noqa: E731
        words, what = [str(name), "none", "tanh"], f"gelu(x, {name!r})"
        check_raises(RuntimeError, words, wrong, what)
    # hidden: no rows
    check_equal(gelu(Tensor(np.ones((0, 2))), "tanh").shape, (0, 2), "gelu of no rows")
    ### END HIDDEN TESTS


test_gelu_beyond()

# %% [markdown]
"""
## Exercise 7 (deeper): The same GELU in one buffer
Your tanh form makes a new array at each of its nine steps, for a million floats 36 MB to write, of
which it throws 32 away. This version is fused by hand: it takes plain arrays, and writes every step
into the one array it is given, 4 MB. In Part 2 the two race.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-gelu-into", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def gelu_into(x, out):
    """Write the tanh form of GELU of array x into array out (same shape, float dtype).

    Returns out. Makes no array of x's size. What out held before does not matter; x
    stays as it is.
    """
    # TODO: let out become the result, step by step.
    #
    # APPROACH
    # 1. Each step may take one operand besides out: x, or a number. Write
    #    u = √(2/π) x (1 + 0.044715 x²) as such steps.
    # 2. Begin with x², and work outwards.
    #
    # EXAMPLE
    # >>> out = np.zeros(2)
    # >>> gelu_into(np.array([0.0, 1.0]), out)
    # array([0.        , 0.84119199])
    #
    # HINTS
    # - np.multiply(a, b, out=out), out += 1 and np.tanh(out, out=out) make no array.
    ### BEGIN SOLUTION
    np.multiply(x, x, out=out)
    out *= 0.044715
    out += 1
    out *= x
    out *= math.sqrt(2 / math.pi)
    np.tanh(out, out=out)
    out += 1
    out *= x
    out *= 0.5
    return out
    ### END SOLUTION


# %% [markdown]
"""
### Testing the buffer
The values, the buffer, and how much memory is allocated on the way.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-gelu-into-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(7)
def test_gelu_into():
    want = [-0.15880800939172324, 0.0, 0.8411919906082768]
    for dtype in (np.float64, np.float32):
        x, out = np.array([-1.0, 0.0, 1.0], dtype), np.full(3, math.nan, dtype)
        what = f"gelu_into({dtype.__name__} array [-1, 0, 1], out)"
        got, warned = watch(lambda x=x, out=out: gelu_into(x, out))
        check_array(out, want, f"{what}: what out holds", dtype, "fill out itself")
        assert got is out, f"{what}: expected the array out itself, got {got!r}"
        check_array(x, [-1.0, 0.0, 1.0], f"{what}: x afterwards", dtype, "keep x")
        check_equal(warned, [], f"{what}: warnings", "do not use what out held before")
    x = np.linspace(-3, 3, 200_000).reshape(400, 500)
    out = np.empty_like(x)
    used = peak_memory(lambda: gelu_into(x, out))
    print(f"x has {x.nbytes:,} bytes; on the way {used:,} more were allocated")
    problem = f"expected no array of its size ({x.nbytes:,} bytes), got {used:,} bytes"
    hint = "a * b makes an array, np.multiply(a, b, out=out) and out *= b do not"
    assert used < x.nbytes / 4, f"gelu_into: {problem}\nHint: {hint}"
    print("✅ GELU runs in one buffer")


test_gelu_into()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-gelu-into-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(7, "other shapes · strided arrays · large inputs")
def test_gelu_into_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: other shapes
    def plain(v):
        return v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))

    def check_into(x, out, what):
        x.flags.writeable = False
        got, warned = watch(lambda: gelu_into(x, out))
        assert got is out, f"{what}: expected the array out itself to be returned"
        check_array(out, each(plain, x.tolist()), f"{what}: what out holds", x.dtype)
        check_equal(warned, [], f"{what}: warnings")

    numbers = 2 * np.random.default_rng(27).normal(size=(4, 6))
    single = numbers.astype(np.float32).reshape(2, 3, 4)
    for x in (numbers.copy(), single, np.linspace(-4.0, 4.0, 150)):
        check_into(x, np.full(x.shape, math.nan, x.dtype), f"gelu_into, {x.shape}")
    # hidden: strided arrays
    check_into(numbers.T, np.ones((6, 4)), "gelu_into, transposed x")
    check_into(numbers[:3, :4], np.zeros((6, 8))[::2, ::2], "gelu_into, strided out")
    # hidden: large inputs
    check_into(np.array([-1000.0, 0.0, 1000.0]), np.ones(3), "gelu_into, ±1000")
    ### END HIDDEN TESTS


test_gelu_into_beyond()

# %% [markdown]
"""
## Exercise 8: Softmax
Softmax turns a line of scores into probabilities. Add 1000 to all of them: every exponential is
multiplied by the same factor, which cancels. So the result depends on differences only, and you may
choose the shift that is safe:

![The rows 1 2 4 and 1001 1002 1004 both become -3 -2 0 when their largest score is subtracted, then 0.050 0.135 1.000 with sum 1.185, then 0.042 0.114 0.844](softmax.svg)

Unlike in the sigmoid there may be many lines, and each has a largest score of its own.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def softmax(x, dim=-1):
    """Return e^x divided by the sum of e^x over dim (nn.functional.softmax).

    In a line with a finite maximum a score of -inf gets probability 0, and nothing
    warns unless a difference overflows or, in float16, the sum of a long line.
    IndexError if x has no such dim.
    """
    # TODO: write softmax so that nothing overflows and no line becomes 0 / 0.
    #
    # APPROACH
    # 1. Do what the figure does, along dim.
    #
    # EXAMPLE
    # >>> softmax(Tensor([1000.0, 1000.0, -1000.0]))
    # Tensor([0.5, 0.5, 0. ])
    #
    # HINTS
    # - With the largest score of the whole Tensor, a line of low scores becomes 0 / 0.
    # - Any shift gives the same result, so gradients need not pass through it:
    #   Tensor(...) around the maximum, as it is, makes a constant of it.
    ### BEGIN SOLUTION
    shift = Tensor(x.max(axis=dim, keepdims=True))
    e = (x - shift).exp()
    return e / e.sum(axis=dim, keepdims=True)
    ### END SOLUTION


# %% [markdown]
"""
### Testing softmax
Rows, columns, three dimensions; lines of very different size; scores of -∞; a dim that is not there.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-softmax-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(8)
def test_softmax():
    log3, inf = math.log(3), math.inf
    hint = "as in the figure, and in float64: Tensor(an array) makes float32"
    x, what = Tensor([1e39, 1e39, 0.0], np.float64), "softmax([1e39, 1e39, 0.])"
    check_function(softmax, x, [0.5, 0.5, 0.0], what, hint=hint)
    x, rows = [[0.0, log3], [0.0, 0.0]], [[0.25, 0.75], [0.5, 0.5]]
    columns = [[0.5, 0.75], [0.5, 0.25]]
    hint = "see the figure; max and sum need keepdims=True"
    check_function(softmax, x, rows, "softmax([[0, log 3], [0, 0]])", hint=hint)
    for dim, want in ((1, rows), (0, columns), (-2, columns)):
        what = f"softmax([[0, log 3], [0, 0]], dim={dim})"
        check_function(lambda x, d=dim: softmax(x, d), x, want, what, hint="along dim")
    a, b = 1 / (1 + math.exp(-1)), 1 / (1 + math.e)
    far = [[1000.0, 1000.0, -900.0], [-1000.0, -1001.0, -3000.0]]
    want, hint = [[0.5, 0.5, 0.0], [a, b, 0.0]], "shift each line by its own maximum"
    check_function(softmax, far, want, f"softmax({far})", hint=hint)
    wide = [[[0.0, log3]] * 2, [[0.0, 0.0]] * 2]  # shape (2, 2, 2)
    want = [[[0.5, 0.75]] * 2, [[0.5, 0.25]] * 2]
    check_function(lambda x: softmax(x, 0), wide, want, f"softmax({wide}, dim=0)")
    masked, what = [0.0, -inf, 0.0], "softmax([0, -inf, 0])"
    check_function(softmax, masked, [0.5, 0.0, 0.5], what, hint="e^-inf is just 0")
    got = softmax(Tensor([0.0, -inf])).data[1].item()
    check_equal(got, 0.0, "softmax([0, -inf]), its second number", "exactly 0")
    call, what = lambda: softmax(Tensor([1.0, 2.0]), dim=1), "softmax(1-D, dim=1)"
    check_raises(IndexError, [], call, what)
    print("✅ softmax is stable")


test_softmax()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-softmax-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(8, "random inputs, any dim · transposed · large float64 scores · no rows")
def test_softmax_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random inputs, any dim
    def plain(line):
        e = [math.exp(v - max(line)) for v in line]
        return [v / math.fsum(e) for v in e]

    numbers = 5 * np.random.default_rng(29).normal(size=(2, 3, 4))
    for scale in (1, 300):
        check_lines(softmax, plain, (scale * numbers).tolist(), (0, 1, 2, -1, -2, -3))
    # hidden: transposed
    for dtype in (np.float32, np.float64):
        check_lines(softmax, plain, Tensor(numbers, dtype).transpose(0, 2), (0, 1, -1))
    # hidden: large float64 scores
    huge = Tensor([1e11, 1e11 + 1.0, 1e39], np.float64)
    for x in (huge[:2], huge):
        check_lines(softmax, plain, x, (0,), "in float64 all the way")
    # hidden: no rows
    check_function(softmax, [[7.0], [-7.0]], [[1.0], [1.0]], "softmax of single scores")
    check_equal(softmax(Tensor(np.ones((0, 3)))).shape, (0, 3), "softmax of no rows")
    ### END HIDDEN TESTS


test_softmax_beyond()

# %% [markdown]
"""
## Exercise 9: The logarithm of softmax
A loss needs log-probabilities. Your softmax is stable, yet its log dies: of the scores 0 and -200 the
second has probability e⁻²⁰⁰, which float32 rounds to 0, and log 0 is -∞ where -200 would be right. So
do not take the log of a result; take it on paper, before you compute anything.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-log-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def log_softmax(x, dim=-1):
    """Return log(softmax(x, dim)) without forming softmax (nn.functional.log_softmax).

    In a line with a finite maximum a score of -inf stays -inf, and nothing warns unless
    a difference overflows or, in float16, the sum of a long line. IndexError if x has
    no such dim. Large scores keep their differences: nothing is rounded at their size.
    """
    # TODO: write log_softmax.
    #
    # APPROACH
    # 1. The log of a fraction is a difference. What is the log of its numerator?
    # 2. Shift first, as in softmax: then no exponential overflows.
    #
    # EXAMPLE
    # >>> log_softmax(Tensor([0.0, -200.0]))
    # Tensor([   0., -200.])
    #
    # HINTS
    # - One shifted score is 0: the sum of exponentials is at least 1, its log safe.
    ### BEGIN SOLUTION
    shifted = x - Tensor(x.max(axis=dim, keepdims=True))
    return shifted - shifted.exp().sum(axis=dim, keepdims=True).log()
    ### END SOLUTION


# %% [markdown]
"""
### Testing log-softmax
Known values along each dim, scores far apart, scores of -∞.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-log-softmax-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(9)
def test_log_softmax():
    hint = "take log(a / b) on paper, after the shift by the largest score"
    for x in ([0.0, -200.0], [-800.0, 0.0]):
        check_function(log_softmax, x, x, f"log_softmax({x})", hint=hint)
    hint = "subtract the largest score, in float64: Tensor(an array) makes float32"
    x, want = Tensor([1e39, 0.0], np.float64), [0.0, -1e39]
    check_function(log_softmax, x, want, "log_softmax([1e39, 0.])", hint=hint)
    log2, log3, log4, inf = math.log(2), math.log(3), math.log(4), math.inf
    x, rows = [[0.0, log3], [0.0, 0.0]], [[-log4, log3 - log4], [-log2, -log2]]
    columns = [[-log2, log3 - log4], [-log2, -log4]]
    check_function(log_softmax, x, rows, "log_softmax([[0, log 3], [0, 0]])")
    for dim, want in ((1, rows), (0, columns), (-2, columns)):
        call, what = lambda x, d=dim: log_softmax(x, d), f"the same, dim={dim}"
        check_function(call, x, want, what, hint="along dim")
    hint = "shift each line by its own largest score, in the sum, too"
    far = [[1000.0, -1000.0], [-2000.0, -1000.0]]
    want = [[0.0, -2000.0], [-1000.0, 0.0]]
    check_function(log_softmax, far, want, f"log_softmax({far})", hint=hint)
    wide = [[[0.0, log3]] * 2, [[0.0, 0.0]] * 2]  # shape (2, 2, 2)
    want = [[[-log2, log3 - log4]] * 2, [[-log2, -log4]] * 2]
    what = f"log_softmax({wide}, dim=0)"
    check_function(lambda x: log_softmax(x, 0), wide, want, what)
    masked, want = [0.0, -inf, 0.0], [-log2, -inf, -log2]
    check_function(log_softmax, masked, want, "log_softmax([0, -inf, 0])")
    call = lambda: log_softmax(Tensor([1.0, 2.0]), dim=1)  # noqa: E731
    check_raises(IndexError, [], call, "log_softmax(1-D, dim=1)")
    print("✅ log-softmax is stable")


test_log_softmax()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-log-softmax-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(9, "random inputs, any dim · transposed · large close scores · no rows")
def test_log_softmax_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random inputs, any dim
    def plain(line):
        most = max(line)
        total = math.fsum(math.exp(v - most) for v in line)
        return [v - most - math.log(total) for v in line]

    numbers = 5 * np.random.default_rng(30).normal(size=(2, 3, 4))
    for scale in (1, 300):
        x = (scale * numbers).tolist()
        check_lines(log_softmax, plain, x, (0, 1, 2, -1, -2, -3))
    # hidden: transposed
    for dtype in (np.float32, np.float64):
        x = Tensor(numbers, dtype).transpose(0, 2)
        check_lines(log_softmax, plain, x, (0, 1, -1))
    # hidden: large close scores
    hint = "subtract the maximum first, the log of the sum afterwards"
    check_lines(log_softmax, plain, [[5000.0, 5000.25], [0.0, 0.25]], (1,), hint)
    huge = Tensor([1e11, 1e11 + 1.0, 1e39], np.float64)
    for x in (huge[:2], huge):
        check_lines(log_softmax, plain, x, (0,), "in float64 all the way")
    # hidden: no rows
    got = log_softmax(Tensor(np.ones((0, 3))))
    check_equal(got.shape, (0, 3), "log_softmax of no rows")
    ### END HIDDEN TESTS


test_log_softmax_beyond()

# %% [markdown]
"""
## Exercise 10: Functions as objects
A network is a list of steps, called one after the other. A function with a setting, such as the slope
of `leaky_relu`, fits into the list once it is an object: it keeps its setting, is called like a
function, and prints as a call that makes it. Write the base class and one activation with a setting;
the others follow the same pattern (below the tests).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-objects", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Activation:
    """A function as an object: it has settings, but no parameters."""

    def __call__(self, x):
        """Return self.forward(x)."""
        # TODO: this is what activation(x) calls.
        ### BEGIN SOLUTION
        return self.forward(x)
        ### END SOLUTION

    def forward(self, x):
        """Return the activation of x. Each subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __repr__(self):
        """Return the call that makes such an object."""
        # TODO: write it for every subclass, whatever its settings are called.
        #
        # APPROACH
        # 1. The name of the object's own class.
        # 2. In parentheses name=value for each attribute, joined by ", ".
        #
        # EXAMPLE
        # >>> LeakyReLU(0.2)
        # LeakyReLU(negative_slope=0.2)
        #
        # HINTS
        # - type(self).__name__ is the name; vars(self) is the dict of attributes.
        # - f"{value!r}" writes a value as code, a string with its quotes.
        ### BEGIN SOLUTION
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"
        ### END SOLUTION


class LeakyReLU(Activation):
    """x or negative_slope * x (torch.nn.LeakyReLU)."""

    def __init__(self, negative_slope=0.01):
        """Keep the slope for x <= 0, as the attribute negative_slope."""
        # TODO: keep it.
        ### BEGIN SOLUTION
        self.negative_slope = negative_slope
        ### END SOLUTION

    def forward(self, x):
        """Return leaky_relu(x) with this slope."""
        # TODO: call leaky_relu.
        ### BEGIN SOLUTION
        return leaky_relu(x, self.negative_slope)
        ### END SOLUTION


# %% [markdown]
"""
### Testing the objects
Calls and prints, also of classes that the test defines.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-objects-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(10)
def test_objects():
    class Double(Activation):
        def forward(self, x):
            return 2 * x

    class Scale(Activation):
        def __init__(self, factor, name):
            self.factor, self.name = factor, name

    x = Tensor([-2.0, 3.0])
    check(Double()(x), [-4.0, 6.0], "Double()(x), which doubles", hint="self.forward")
    check_differentiable(lambda: Double()(x), {"x": x}, "Double()(x)")
    for slope in (0.2, 0.5):
        want, what = leaky_relu(x, slope).data.tolist(), f"LeakyReLU({slope})(x)"
        check(LeakyReLU(slope)(x), want, f"{what}, from your leaky_relu")
    want, what = leaky_relu(x).data.tolist(), "LeakyReLU()(x), from your leaky_relu"
    check(LeakyReLU()(x), want, what)
    check_equal(repr(Double()), "Double()", "repr(Double())", "type(self).__name__")
    want = "LeakyReLU(negative_slope=0.2)"
    check_equal(repr(LeakyReLU(0.2)), want, "repr(LeakyReLU(0.2))", "see vars(self)")
    got, want = repr(Scale(2, "double")), "Scale(factor=2, name='double')"
    check_equal(got, want, "repr(Scale(2, 'double'))", "{value!r} keeps the quotes")
    print("✅ functions are objects")


test_objects()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-objects-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(10, "settings of 0 and None · two objects at once · nothing is remembered")
def test_objects_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: settings of 0 and None
    class Scale(Activation):
        def __init__(self, factor, name=None):
            self.factor, self.name = factor, name

        def forward(self, x):
            return x * self.factor

    check_equal(repr(Scale(0)), "Scale(factor=0, name=None)", "repr(Scale(0))")
    check_equal(repr(LeakyReLU(0)), "LeakyReLU(negative_slope=0)", "repr(LeakyReLU(0))")
    want = "LeakyReLU(negative_slope=0.01)"
    check_equal(repr(LeakyReLU()), want, "repr(LeakyReLU())")
    # hidden: two objects at once
    x, slopes = Tensor([-2.0, 3.0]), (0.5, 2)
    pair = [LeakyReLU(negative_slope=slope) for slope in slopes]
    for f, slope in zip(pair, slopes, strict=True):
        check(f(x), leaky_relu(x, slope).data.tolist(), f"{f!r}(x), one of two")
    # hidden: nothing is remembered
    scale, t = Scale(3.0), Tensor([1.0])
    before = dict(vars(scale))
    scale(t)
    check_equal(vars(scale), before, "the attributes of an object, after a call")
    t.data[:] = 2.0
    check(scale(t), [6.0], "the same Tensor with another number in it")
    ### END HIDDEN TESTS


test_objects_beyond()


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-classes", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
class ReLU(Activation):
    """max(x, 0) (torch.nn.ReLU)."""

    def forward(self, x):
        return relu(x)


class Sigmoid(Activation):
    """1 / (1 + e^-x) (torch.nn.Sigmoid)."""

    def forward(self, x):
        return sigmoid(x)


class Tanh(Activation):
    """The hyperbolic tangent (torch.nn.Tanh)."""

    def forward(self, x):
        return tanh(x)


class GELU(Activation):
    """x Φ(x), approximate="none" or "tanh" (torch.nn.GELU)."""

    def __init__(self, approximate="none"):
        self.approximate = approximate

    def forward(self, x):
        return gelu(x, self.approximate)


class Softmax(Activation):
    """Probabilities along dim (torch.nn.Softmax)."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return softmax(x, self.dim)


class LogSoftmax(Activation):
    """Log-probabilities along dim (torch.nn.LogSoftmax)."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return log_softmax(x, self.dim)


# %% [markdown]
"""
## It works: two bends do what no line can
XOR is 1 if exactly one of two inputs is 1. Its four points are the corners of a square, the ones
on one diagonal, the zeros on the other; Minsky and Papert's *Perceptrons* (1969) is about what a
single line cannot separate. Two hidden units h = relu(x @ W + b), with weights chosen by hand, can:
both add the inputs, the second one less 1, and h₁ - 2 h₂ is XOR.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-works", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
from << cookiecutter.package_name >> import viz

points, labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
W, b, v = Tensor([[1.0, 1.0], [1.0, 1.0]]), Tensor([0.0, -1.0]), Tensor([1.0, -2.0])


def network(x):
    """Return the probability of a 1, sharpened by 8, and the hidden units."""
    h = relu(Tensor(x) @ W + b)
    return sigmoid(8 * (h @ v - 0.5)), h


def best_line(steps=16):
    """Return the best line found, how many points it gets right, how many tries."""
    tried = np.linspace(-2, 2, steps)
    lines = np.stack(np.meshgrid(tried, tried, tried), axis=-1).reshape(-1, 3)
    scores = points @ lines[:, :2].T + lines[:, 2]
    right = ((scores > 0) == labels[:, None]).sum(axis=0)
    best = np.argmax(right + 0.01 * np.abs(scores).min(axis=0))  # far from the points
    return lines[best], right[best], len(lines)


found, hidden = (tensor.data for tensor in network(points))
for x, h, p in zip(points, hidden, found, strict=True):
    print(f"{x[0]} xor {x[1]}: hidden {h}, probability of a 1 is {p:.3f}")
line, right, tried = best_line()
print(f"In {tried:,} tries, the best line is right for {right} of 4 points.")

solved = ((found > 0.5) == labels).sum()
title = f"Two bends: {solved} of 4 points are right"
viz.corners(lambda x: network(x)[0].data, points, labels, title)
title, w, c = f"The best of {tried:,} tries: {right} of 4", Tensor(line[:2]), line[2]
viz.corners(lambda x: sigmoid(8 * (Tensor(x) @ w + c)).data, points, labels, title)
viz.show()

# %% [markdown]
"""
No training found these weights: they were chosen by thought, for two units. Larger networks have
thousands of weights, and find theirs by training.

## Part 2: Systems Analysis
You built them; now measure them. Run each cell, look at your own numbers, and explain them to
yourself: only the four questions at the end are marked.

### The slopes
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-shapes", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_slopes():
    """Draw the slopes of four activations, and say what they do to deep networks."""
    from << cookiecutter.package_name >> import viz
    from << cookiecutter.package_name >>.tensor import (
        arange,
    )

    x, step = arange(-4, 4, 0.01), 0.005
    curves, steepest = {}, {}
    for f in (ReLU(), Sigmoid(), Tanh(), GELU()):
        slope = (f(x + step) - f(x - step)) / (2 * step)
        curves[type(f).__name__] = x.data, slope.data
        steepest[type(f).__name__] = slope.max().item()
    ten = steepest["Sigmoid"] ** -10
    title = f"Ten sigmoids shrink a gradient {ten / 1e6:.2f} million times, or more"
    viz.lines(curves, title, "x", "slope")
    viz.show()
    for name, slope in steepest.items():
        print(f"{name:8} is at most {slope:.2f} steep, ten of them {slope**10:.2g}")
    apart = (gelu(x) - gelu(x, "tanh")).abs().max().item()
    print(f"The two forms of GELU differ by up to {apart:.5f}.")


profile_slopes()

# %% [markdown]
"""
**Explain your curves.** Which functions pass a gradient for large positive x, which for negative x?
Tanh can be as steep as ReLU: why do ten of them in a row still shrink most gradients? Where does GELU
go down while x goes up?

### Memory Profiling
What the steps between input and output need at their peak: your Tensors make a new array at each,
`gelu_into` (if you wrote it) has one buffer. The last way calls it on one block after the other.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(n=2**22, block=2**16):
    """Print the peak memory and the time of activations: composed, in one buffer."""
    import contextlib
    import tracemalloc

    from << cookiecutter.package_name >>.tensor import (
        randn,
    )

    x = randn(n)

    def in_blocks():
        out = np.empty_like(x.data)
        for start in range(0, n, block):
            part = slice(start, start + block)
            gelu_into(x.data[part], out[part])

    ways = {f.__name__: lambda f=f: f(x) for f in (relu, leaky_relu, sigmoid, softmax)}
    ways["gelu, composed"] = lambda: gelu(x, "tanh")
    with contextlib.suppress(NotImplementedError):
        gelu_into(np.zeros(1), np.zeros(1))
        ways["gelu, one buffer"] = lambda: gelu_into(x.data, np.empty_like(x.data))
        ways["gelu, in blocks"] = in_blocks
    times = {}
    for name, way in ways.items():
        tracemalloc.start()
        way()
        peak = tracemalloc.get_traced_memory()[1] / x.data.nbytes
        tracemalloc.stop()
        times[name] = 1e9 / n * median_time(way)
        print(f"{name:17} peak {peak:.2f} times x, {times[name]:6.2f} ns an element")
    if "gelu, in blocks" in times:
        slow, one, cut = list(times.values())[-3:]
        print(f"One buffer is {slow / one:.1f} times as fast as composed GELU,")
        print(f"blocks of {4 * block // 2**10} KB are {slow / cut:.1f} times as fast.")


profile_memory()

# %% [markdown]
"""
**Explain your table.** ReLU has a maximum, a mask of a quarter of that, and their product. Sigmoid
and composed GELU peak at about 4, although they make 7 and 9 arrays, for Python frees what nothing
holds (with fewer or more names yours may peak at 3 or 5). Which are alive when sigmoid peaks? One
buffer is faster than composed, for each new array is memory that the operating system must find and
clear first. Blocks can gain again: 256 KB of `x` and 256 KB of `out` stay in a cache through all nine
steps, while arrays of 16 MB may travel to memory and back each time.

### Speed
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-speed", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_speed(n=2**20):
    """Plot the time per element of activations, and in gray of what they consist of."""
    from << cookiecutter.package_name >> import viz
    from << cookiecutter.package_name >>.tensor import (
        randn,
    )

    x = randn(n // 1024, 1024)
    ordered, few = Tensor(np.sort(x.data, axis=None)), x[:32]  # few: for the slow ones
    plain = (relu, leaky_relu, sigmoid, tanh, softmax, log_softmax)
    many = {f.__name__: lambda f=f: f(x) for f in plain}
    many |= {"leaky_relu, x sorted": lambda: leaky_relu(ordered)}
    many |= {"gelu, tanh form": lambda: gelu(x, "tanh"), "x + x": lambda: x + x}
    many |= {"exp(x)": x.exp, "max(x, 0)": lambda: x.maximum(0)}
    slow = {"x * x * x": lambda: few * few * few, "x ** 3": lambda: few**3}
    slow |= {"gelu, exact": lambda: gelu(few)}
    cost = {name: 1e9 * median_time(job) / n for name, job in many.items()}
    cost |= {name: 1e9 * median_time(job) / few.size for name, job in slow.items()}
    cost = dict(sorted(cost.items(), key=lambda item: item[1]))
    blocks = ("x + x", "exp(x)", "max(x, 0)", "x * x * x", "x ** 3")
    ratio = cost["gelu, exact"] / cost["gelu, tanh form"]
    title = f"Exact GELU takes {ratio:.0f} times as long as its tanh form"
    label = "ns per element (gray: what they are made of)"
    viz.dots(cost, title, label, "{:.2f} ns", gray=blocks)
    viz.show()
    print(f"exp costs {cost['exp(x)'] / cost['x + x']:.1f} additions an element,")
    print(f"x ** 3 costs {cost['x ** 3'] / cost['x * x * x']:.0f} times x * x * x,")
    guess = cost["leaky_relu"] / cost["leaky_relu, x sorted"]
    print(f"leaky_relu costs {guess:.1f} times as much in random order.")


profile_speed()

# %% [markdown]
"""
**Explain your dots.** On the left stands what NumPy runs in vector instructions, several numbers at
a time; on many processors exp and tanh are among them. In the middle, the `where` of `leaky_relu`: if
the processor must guess for each number which way it will go, random signs prove it wrong half of the
time, sorted ones hardly ever. On the right, many times slower, Python's erf, one call a number. `**`,
which computes any power, takes many times as long as two products. What does sigmoid pay for besides
two exponentials?

### Why activations dominate training memory
On its way back, autograd needs what the operations saw on their way forward. The simplest way is to
keep every step: here for a stack of layers, measured.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-training", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_training(width=256, depth=8):
    """Plot the memory of all steps through a stack of layers against the batch size."""
    import tracemalloc

    from << cookiecutter.package_name >> import viz
    from << cookiecutter.package_name >>.tensor import (
        randn,
    )

    weights = [randn(width, width) * width**-0.5 for _ in range(depth)]
    parameters = sum(w.data.nbytes for w in weights) / 1e6
    batches = [2**k for k in range(12)]

    def kept(batch, activation):
        """Return the MB of all steps' outputs: from their shapes, and as measured."""

        def forward():
            x = start
            for w in weights:
                x = activation(x @ w)

        start = randn(batch, width)
        tracemalloc.start()
        _, steps = record_operations(forward)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return sum(output.data.nbytes for output, _ in steps) / 1e6, held / 1e6

    curves, crossing = {}, {}
    for name, f in {"gelu, tanh form": GELU("tanh"), "relu": relu}.items():
        curves[name] = batches, [kept(batch, f)[1] for batch in batches]
        crossing[name] = parameters / kept(1, f)[0]
    curves["parameters"] = batches, [parameters] * len(batches)
    found = " and ".join(f"{n:.0f} ({name[:4]})" for name, n in crossing.items())
    title = f"Activations outweigh parameters from batches of {found} on"
    ax = viz.lines(curves, title, "batch size", "MB", log="xy")
    ax.title.set_size(11)
    viz.show()
    for name, batch in crossing.items():
        print(f"{name}: equal to the parameters at a batch of {batch:.1f}")


profile_training()

# %% [markdown]
"""
**Explain your lines.** An element that passes a layer leaves 4 bytes behind for `x @ w`, and then 9
for ReLU (what are they?) or 36 for GELU, if it makes nine arrays: so activations outweigh the
parameters from a batch of 0.31 or 0.1 times the width on. Why does the depth not matter?

## Part 3: Production Context
- **Names.** Functions as in `torch.nn.functional`, classes as in `torch.nn`. PyTorch's classes are
  `Module`s; yours are plain objects, for they have no parameters.
- **Fusion.** PyTorch's activations are single kernels with one new array. Eager mode runs a
  chain of your own one kernel a step, with temporaries like yours; `torch.compile`, and XLA under
  JAX and TensorFlow, fuse such a chain into one loop. `nn.ReLU(inplace=True)` reuses the input.
- **What is kept.** For its way back PyTorch keeps one array an activation: the result for ReLU,
  sigmoid, tanh and both softmaxes, the input for GELU. `torch.utils.checkpoint` keeps only the
  input of a block, and computes its forward pass again.
- **Softmax at scale.** It needs its maximum before its sum: two passes. Online softmax updates both
  in one; with it FlashAttention never stores the matrix of scores.
- **GELU.** `jax.nn.gelu` takes the tanh form unless told otherwise, PyTorch and Keras the exact.
- **Different here.** `dim` is -1 unless given, as in JAX and TensorFlow. PyTorch wants it given:
  else `softmax` warns, and takes dim 0 or 1 by the number of dimensions. PyTorch refuses integers
  in `leaky_relu`, `gelu` and both softmaxes; yours take them (in the softmaxes small and unsigned
  ones may wrap around). Its softmaxes of float16 add up in float32, yours down the columns of a
  matrix in float16, where 2,048 + 1 is 2,048. On a CPU its float32 sigmoid is 0 below -88.7,
  where yours goes on to -103.

Sources: PyTorch docs of `torch.nn`, `torch.compile` and `torch.utils.checkpoint`, and its
`tools/autograd/derivatives.yaml`; JAX docs, `jax.nn`; Hendrycks and Gimpel, *GELUs*,
arXiv:1606.08415; Blanchard, Higham and Higham, *Accurately computing the log-sum-exp and softmax
functions*, IMA J. Numer. Anal. 41 (2021); Milakov and Gimelshein, *Online normalizer calculation
for softmax*, arXiv:1805.02867; Dao et al., *FlashAttention*, arXiv:2205.14135.
"""

# %% [markdown]
"""
### The same in PyTorch

```python
>>> import torch
>>> from torch.nn import functional as F
>>> x = torch.tensor([-2.0, 0.0, 2.0])
>>> F.relu(x)
tensor([0., 0., 2.])
>>> F.leaky_relu(x, 0.1)
tensor([-0.2000,  0.0000,  2.0000])
>>> torch.sigmoid(x)
tensor([0.1192, 0.5000, 0.8808])
>>> F.gelu(x)
tensor([-0.0455,  0.0000,  1.9545])
>>> F.gelu(x, approximate="tanh")
tensor([-0.0454,  0.0000,  1.9546])
>>> F.softmax(torch.tensor([[1.0, 2.0, 4.0], [1001.0, 1002.0, 1004.0]]), dim=1)
tensor([[0.0420, 0.1142, 0.8438],
        [0.0420, 0.1142, 0.8438]])
>>> F.log_softmax(torch.tensor([0.0, -200.0]), dim=0)
tensor([   0., -200.])
>>> torch.nn.LeakyReLU(0.2)
LeakyReLU(negative_slope=0.2)
```

And yours, on the same numbers:
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-pytorch", "locked": true, "schema_version": 3, "solution": false, "task": false}}
x = Tensor([-2.0, 0.0, 2.0])
with np.printoptions(precision=4, suppress=True):
    print(relu(x), leaky_relu(x, 0.1), sigmoid(x), gelu(x), gelu(x, "tanh"), sep="\n")
    print(softmax(Tensor([[1.0, 2.0, 4.0], [1001.0, 1002.0, 1004.0]]), dim=1))
    print(log_softmax(Tensor([0.0, -200.0]), dim=0), LeakyReLU(0.2), sep="\n")


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run the tests of this module once more."""
    show_results(
        globals(),
        [
            (1, "ReLU", "test_relu", 4, 1),
            (2, "Leaky ReLU", "test_leaky_relu", 5, 1),
            (3, "Straight from the book", "test_naive", 5, 2),
            (4, "A sigmoid that cannot overflow", "test_sigmoid", 8, 3),
            (5, "Two ways to get tanh wrong (deeper)", "test_tanh", 5, 1),
            (6, "GELU, twice", "test_gelu", 9, 2),
            (7, "The same GELU in one buffer (deeper)", "test_gelu_into", 6, 2),
            (8, "Softmax", "test_softmax", 8, 2),
            (9, "The logarithm of softmax", "test_log_softmax", 8, 2),
            (10, "Functions as objects", "test_objects", 5, 1),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: The last buffer
A block of a transformer applies the tanh form of GELU to an input of shape (8, 2048, 16384) in
float32.
- **(a)** What does your composed `gelu` need beyond that input, its result included?
- **(b)** What would a version need that writes every step into one array?
- **(c)** A colleague saves even that: the steps, x² first, go into x itself. Is the result right?
- **(d)** Which array would autograd miss afterwards?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) The input has 8 · 2048 · 16384 · 4 bytes = 1.07 GB. Composed GELU peaked at 4.0 times its input,
so 4.3 GB more; (b) one buffer takes 1.07 GB. (c) In x itself the first step overwrites x by x², and
every later "times x" multiplies by what the array holds at that moment: wrong numbers
(`gelu_into(x, x)` gives 1.45 instead of 0.84 for x = 1), and no error. (d) Besides, x is gone, and
the slope of GELU is computed from x.

**Marking rubric (5 points)**
- 1: (a, b) 1.07 GB (1 GiB). 1: (a, b) both needs, from measured factors.
- 2: (c) why it is wrong: a later step reads the overwritten x.
- 1: (d) autograd needs x for the slope.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Is it worth it?
A layer from 4096 to 16384 features does 2 · 4096 FLOPs for each number that its activation then
takes. Use your GFLOP/s from Module 01 (or time a large matmul) and your dots or table.
- **(a)** What share of the time is `relu`?
- **(b)** What share is GELU, in each form?
- **(c)** A GPU has, say, 100 times your FLOP/s and 20 times your bandwidth. What becomes of the
  share of GELU's tanh form there?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) 8192 FLOPs at my 100 GFLOP/s take 82 ns. `relu` took 0.6 ns, 1 % of the sum; (b) GELU in tanh
form 1 to 3 ns, 1 to 4 %; the exact one 55 ns, 40 %, all of it Python's loop. So only the exact form
is worth work here. (c) On the GPU the matmul takes 0.8 ns, but an activation waits for memory and
gains only the factor of 20: composed GELU's 3 ns become 0.15 ns, 15 % of the sum. The faster the
matmul, the more fusion pays.

**Marking rubric (5 points)**
- 1: (a, b) time of the matmul per element. 2: (a, b) the three shares, from measured numbers.
- 2: (c) activations follow bandwidth, matmuls FLOP/s, so the share grows on a GPU.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: A bigger batch
In your stack activations outweigh parameters from a certain batch on.
- **(a)** Derive that batch from bytes per element, for ReLU and for GELU.
- **(b)** Compare with your plot.
- **(c)** Name two ways towards ten times that batch in the same memory. (What must be kept? In how
  many bytes? All rows at once?)
- **(d)** How far does each lead?
- **(e)** What does each cost?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a, b) A layer has 4 · 256² bytes of weights. An example leaves 256 · (4 + 4 + 1 + 4) bytes there
with ReLU: `x @ w`, maximum, mask, product; that is equal at a batch of 4/13 · 256 = 79, as printed.
With GELU it is 256 · (4 + 9 · 4), equal at 26. (c, d, e) Ways: ten small batches whose gradients
are added (all ten times; smaller matmuls); fused activations that keep one array only (with GELU 8
bytes instead of 40, five times; somebody must write the kernel and its gradient); 16-bit
activations (half the bytes, twice; less precision); computing the steps of a layer again on the way
back (with GELU 8 · 4 + 40 bytes instead of 8 · 40, over four times; another forward pass, about a
third more time).

**Marking rubric (5 points)**
- 2: (a) both batches, derived from bytes (13 and 40 per element). 1: (b) compared with the plot.
- 2: (c, d, e) two ways that work, each with its factor and its cost.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: A pinch of epsilon
A colleague writes `(softmax(x) + 1e-9).log()`.
- **(a)** What comes out for the second score of [0, -10], [0, -30] and [0, -200]?
- **(b)** What should come out?
- **(c)** What does a loss made of it see of the inputs on which a network is most wrong?
- **(d)** Another colleague takes `softmax_naive` of x clipped to [-80, 80]. Give an input for which
  that is wrong.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(b) It should be about -10, -30 and -200; (a) it is -10.00, -20.7 and -20.7, since the log never
gets below log 10⁻⁹. No warning, and tests with small scores pass. (c) The loss is capped and flat
for those examples that the network gets most wrong: they stop teaching. (d) Clipping makes [1000,
900] into [80, 80] and thus [0.5, 0.5] instead of [1, 0]; beyond ±80 it is flat, too; and with
10,000 scores of 80 the sum, 10⁴ · 5.5 · 10³⁴, overflows float32 all the same.

**Marking rubric (5 points)**
- 2: (a, b) the three values and the floor log(10⁻⁹) = -20.7.
- 1: (c) no gradient where the error is largest.
- 2: (d) an input that clipping gets wrong, with its result (or the overflowing sum).
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built activations of torch.nn from Tensor operations. You saw the formulas of the book die,
and rewrote each in its own way: an exponent that cannot be positive, a shift that cancels, a
logarithm taken on paper. You solved XOR with two bends, and measured that temporaries cost time as
well as memory, and that activations outweigh the parameters as soon as a batch is large.<% if cookiecutter.last_module >= "03" %>

**Next, Module 03: Layers** puts weights between the bends.<% endif %>
"""
