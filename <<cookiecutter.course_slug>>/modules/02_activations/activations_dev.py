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

**Learning Objectives:**
- Build the activation functions of today's networks, with PyTorch's names and rules.
- Understand where a formula from the book overflows, and rewrite it so that it cannot.
- Analyze what an activation costs in time, in temporaries, and in memory kept for training.

**Where it stands:** you have the Tensor of Module 01. You build the functions that stand between
matrix products, from Tensor operations alone. Module 03 puts them between layers, Module 04 makes
losses of them, and Module 05 differentiates them without a change to this file.
**Time:** about 4 hours. **Points:** 80 by tests, 20 for written answers.
Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import math

from << cookiecutter.package_name >>.tensor import (
    Tensor,
    tensor_function,
    where,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

Two layers with nothing between them are one: `(x @ A) @ B` is `x @ (A @ B)`. An **activation**, a
bend between them, makes depth count.

| Function | Formula | Range |
|---|---|---|
| `relu` | max(x, 0) | [0, ∞) |
| `leaky_relu` | x if x > 0, else a x, with a small slope a | (-∞, ∞) |
| `sigmoid` | σ(x) = 1 / (1 + e⁻ˣ) | (0, 1) |
| `tanh` | (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ) | (-1, 1) |
| `gelu` | x Φ(x), where Φ(x) = ½ (1 + erf(x / √2)) is the normal distribution | [-0.17, ∞) |
| `softmax` | exp(xᵢ) / Σⱼ exp(xⱼ), over one dimension | (0, 1), with sum 1 |
| `log_softmax` | xᵢ - log Σⱼ exp(xⱼ) | (-∞, 0) |

**Where formulas die.** Float32 ends at 3.4 · 10³⁸, so eˣ overflows above x = 88.7; below -104 it
rounds to 0. That does no harm until somebody divides by it or takes its logarithm. The cure is
always the same: rewrite the formula so that no exponent is positive.

### Computational Complexity

| Operation | Time | Arrays of N elements that it makes, not all at once |
|---|---|---|
| `relu`, `leaky_relu` | O(N), no exponential | 2, and a mask (1 byte an element) |
| `sigmoid`, `tanh` form of `gelu` | O(N), 1 or 2 exponentials an element | 7 to 9, one a step |
| the same, fused into one loop | O(N), as many exponentials | 1 |
| `softmax`, `log_softmax` over a size of r | O(N), 1 exponential an element | 3, and O(N / r) |

N elements. All of them do a few FLOPs per byte: they lie on the slope of Module 01's roofline,
where memory traffic counts.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-check", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import warnings

import numpy as np

from << cookiecutter.package_name >>.tensor import (
    arange,
    randn,
    stack,
)
from << cookiecutter.package_name >>.testing import (
    check,
    check_raises,
    median_time,
    record_operations,
)


def watch(call):
    """Return call()'s result, its warnings, and the (result, inputs) of each Tensor operation."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result, steps = record_operations(call)
    return result, [str(w.message) for w in caught], steps


def each(formula, numbers):
    """Return nested lists with formula applied to every number."""
    nested = isinstance(numbers, list)
    return [each(formula, n) for n in numbers] if nested else formula(numbers)


def both(numbers):
    """Return the numbers as a float32 and as a float64 Tensor."""
    return Tensor(numbers), Tensor(numbers, np.float64)


def check_function(function, given, expected, what, dtype=None, hint=""):
    """Check function(x): right, silent, composed of Tensor operations, and x as it was.

    given: a Tensor, or numbers, which are tried in both float dtypes. expected: nested lists, or
    the formula of one number.
    """
    for x in [given] if isinstance(given, Tensor) else both(given):
        before, label = x.data.tobytes(), f"{what} in {x.dtype}"
        want = each(expected, x.data.tolist()) if callable(expected) else expected
        result, warned, steps = watch(lambda x=x: function(x))
        assert x.data.tobytes() == before, f"{label} modified its input"
        label += f" (which warns: {warned[0]})" if warned else ""
        check(result, want, label, dtype or x.dtype, hint)
        assert not warned, f"{label}\nHint: {hint or 'the result is right, but must come silently'}"
        known = {id(x)}
        for output, inputs in steps:
            known |= {id(output)} if any(id(t) in known for t in inputs) else set()
        why = "does not come from x by Tensor operations, so Module 05 could not differentiate it"
        assert id(result) in known - {id(x)}, f"{label}: the result {why}"
    return steps, known


def check_lines(function, plain, given, dims, hint=""):
    """Check function(x, dim) against plain, a function of a list, along each of the dims."""
    for x in [given] if isinstance(given, Tensor) else both(given):
        for dim in dims:
            expected = x.data.astype(np.float64)
            lines = np.moveaxis(expected, dim, -1)  # a view
            for index in np.ndindex(lines.shape[:-1]):
                lines[index] = plain(lines[index].tolist())
            what = f"{function.__name__}(x, dim={dim}), x of shape {x.shape}"
            steps, known = check_function(
                lambda x, d=dim: function(x, d), x, expected.tolist(), what, hint=hint
            )
            cut = [t for t in steps[-1][1] if isinstance(t, Tensor) and id(t) not in known]
            assert not cut, f"{what}: only the shift is a constant; {cut[0]} depends on x"


def sigmoid_plain(v):
    """The sigmoid of a Python number."""
    return math.exp(min(v, 0)) / (1 + math.exp(-abs(v)))


def softmax_plain(line):
    """The softmax of a list of Python numbers."""
    e = [math.exp(v - max(line)) for v in line]
    return [v / math.fsum(e) for v in e]


def gelu_plain(v, approximate):
    """The GELU of a Python number."""
    if approximate == "none":
        return v * math.erfc(-v / math.sqrt(2)) / 2
    return v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


def log_softmax_plain(line):
    """The log-softmax of a list of Python numbers."""
    return [
        v - max(line) - math.log(math.fsum(math.exp(w - max(line)) for w in line)) for v in line
    ]


# %% [markdown]
"""
## Exercise 1: ReLU
Negative numbers become 0, the others stay: the simplest bend, and the most used. Compose it, as
everything here, of Tensor operations, never of `.data`: only those will learn to differentiate. You
have `+ - * / **`, comparisons, `where`, `maximum`, `minimum`, `exp`, `log`, `tanh`, `erf`, `abs`, `sum`,
`max` and more.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-relu", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write relu.
# Approach: 1. the larger of x and 0. 2. times the mask x > 0. That changes no value, but Module 05
#   will give maximum a slope of 1/2 at 0, where PyTorch's relu has 0.
# Example: relu(Tensor([-2.0, 0.0, 3.0]))  ->  Tensor([0., 0., 3.])
# Hint: the int 0 leaves integers integers. The mask alone would not do: -inf * 0 is NaN.
@tensor_function
def relu(x):
    """Return max(x, 0) of each element, in x's dtype (torch.nn.functional.relu).

    NaN stays NaN: a network that diverged must be seen.
    """
    ### BEGIN SOLUTION
    return x.maximum(0) * (x > 0)
    ### END SOLUTION


# %% [markdown]
"""
### Testing ReLU
Values, integers, NaN; tests also want no warning, unless they say so, and the input left as it was.
Hidden: random shapes, a transposed input, ±1000, ±∞, no elements. (The mask shows in Module 05 only.)
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-relu-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_relu():
    check_function(relu, [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0], "relu([-2., 0., 3.])")
    check_function(relu, Tensor([-2, 0, 3]), [0, 0, 3], "relu([-2, 0, 3])")
    got = relu(Tensor([math.nan, -1.0])).data.tolist()
    assert math.isnan(got[0]) and got[1] == 0, f"relu([nan, -1.]): expected [nan, 0.], got {got}"
    ### BEGIN HIDDEN TESTS
    # hidden: random shapes, transposed input
    numbers = np.random.default_rng(21).normal(size=(3, 1, 4)).tolist()
    for x in (numbers, *(t.permute(2, 0, 1) for t in both(numbers)), 3.5, -3.5, []):
        check_function(relu, x, lambda v: v if v > 0 else 0.0, "relu")
    # hidden: huge, tiny and infinite inputs
    edges = [-math.inf, -1000.0, -1e-30, 1000.0, math.inf]
    check_function(relu, edges, [0.0, 0.0, 0.0, 1000.0, math.inf], f"relu({edges})")
    assert relu(Tensor(1e-30)).item() > 0, "relu(1e-30) should not be 0"
    # hidden: integer Tensors
    check_function(relu, Tensor([-7, 7], np.int32), [0, 7], "relu of int32")
    check_function(relu, Tensor([0, 3], np.uint8), [0, 3], "relu of uint8")
    ### END HIDDEN TESTS
    print("✅ ReLU bends")


test_relu()

# %% [markdown]
"""
## Exercise 2: Leaky ReLU
Where ReLU is flat, no gradient passes: a unit whose inputs are all negative never learns again. A
small slope on the left keeps it alive.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-leaky-relu", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write leaky_relu.
# Approach: 1. where x <= 0, take x * negative_slope; elsewhere take x.
# Example: leaky_relu(Tensor([-2.0, 3.0]), 0.1)  ->  Tensor([-0.2,  3. ])
# Hint: the larger of x and x * negative_slope is the same for slopes up to 1 only.
def leaky_relu(x, negative_slope=0.01):
    """Return x where x > 0, x * negative_slope elsewhere (torch.nn.functional.leaky_relu).

    Any slope will do, also above 1 or below 0. NaN stays NaN. Integers become float32, unless the
    slope is an integer, too. (Infinite x with slope 0 warns, for inf * 0: no test asks for it.)
    """
    ### BEGIN SOLUTION
    return where(x <= 0, x * negative_slope, x)
    ### END SOLUTION


# %% [markdown]
"""
### Testing Leaky ReLU
The usual slope, a flat and a steep one, NaN. Hidden: more slopes and shapes, ±∞, integers, no rows: (0, 3).
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-leaky-relu-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_leaky_relu():
    x = [-2.0, 0.0, 3.0]
    check_function(leaky_relu, x, [-0.02, 0.0, 3.0], f"leaky_relu({x})")
    check_function(lambda x: leaky_relu(x, 0.1), x, [-0.2, 0.0, 3.0], f"leaky_relu({x}, 0.1)")
    check_function(lambda x: leaky_relu(x, 2), x, [-4.0, 0.0, 3.0], f"leaky_relu({x}, 2)")
    assert math.isnan(leaky_relu(Tensor(math.nan)).item()), "leaky_relu(nan) should be nan"
    ### BEGIN HIDDEN TESTS
    # hidden: other slopes and shapes
    numbers = (5 * np.random.default_rng(22).normal(size=(2, 3, 2))).tolist()
    for s in (0.3, 0, 1.5, -0.5):
        plain, what = (lambda v, s=s: v if v > 0 else v * s), f"leaky_relu(x, {s})"
        check_function(lambda x, s=s: leaky_relu(x, negative_slope=s), numbers, plain, what)
    # hidden: integers
    check_function(leaky_relu, Tensor([-100, 100]), [-1.0, 100.0], "integers", np.float32)
    # hidden: infinite inputs
    check_function(leaky_relu, [-math.inf, math.inf], [-math.inf, math.inf], "±inf")
    # hidden: no rows
    assert leaky_relu(Tensor(np.ones((0, 3)))).data.shape == (0, 3), "leaky_relu of no rows"
    ### END HIDDEN TESTS
    print("✅ Leaky ReLU leaks")


test_leaky_relu()

# %% [markdown]
"""
## Exercise 3: Straight from the book
Write sigmoid and softmax as the table has them. They pass every demonstration. Then compute where
they stop to: eˣ overflows once it exceeds the largest number of its dtype.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}}
# TODO: write sigmoid_naive, softmax_naive and exp_limit.
# Approach: sigmoid_naive: the formula. softmax_naive: 1. e to the power of x. 2. divide by its sum
#   over dim, PyTorch's name for axis; keep that dimension, so that the sum broadcasts back.
#   exp_limit: solve e^x = largest number for x; NumPy has that number in np.finfo(dtype).max.
# Example: sigmoid_naive(Tensor([0.0]))  ->  Tensor([0.5]), and exp_limit(np.float16)  ->  11.09
# Hint: math.log is the inverse of e^x. `1 / tensor` works: you wrote __rtruediv__.
def sigmoid_naive(x):
    """Return 1 / (1 + e^-x) of each element, computed just so."""
    ### BEGIN SOLUTION
    return 1 / (1 + (-x).exp())
    ### END SOLUTION


def softmax_naive(x, dim=-1):
    """Return e^x divided by the sum of e^x over dim, computed just so."""
    ### BEGIN SOLUTION
    e = x.exp()
    return e / e.sum(axis=dim, keepdims=True)
    ### END SOLUTION


def exp_limit(dtype):
    """Return the largest x, a float, for which e^x fits into this NumPy float dtype."""
    ### BEGIN SOLUTION
    return math.log(np.finfo(dtype).max)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the book
Right for small numbers; then just inside your limit and just outside. Hidden: random values and
dims, the limits of float64 and float16.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-naive-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_naive():
    check_function(sigmoid_naive, [0.0, math.log(3)], [0.5, 0.75], "sigmoid_naive([0., log 3])")
    check_lines(softmax_naive, softmax_plain, [[0.0, 1.0, 2.0], [3.0, 3.0, 3.0]], (0, 1))
    limit, largest = exp_limit(np.float32), (2 - 2**-23) * 2.0**127  # 24 binary ones, then zeros
    assert abs(limit - math.log(largest)) < 1e-3, f"exp_limit(np.float32) is {limit}"
    for x in (limit - 0.1, limit + 0.1):
        value, warned, _ = watch(lambda x=x: sigmoid_naive(Tensor([-x])))
        print(f"sigmoid_naive({-x:.1f}) is {value.item():.1e}: {warned or 'silent'}")
        assert bool(warned) == (x > limit), "it should warn outside of the limit only"
    for x in (limit + 0.1, -1000.0):
        value, warned, _ = watch(lambda x=x: softmax_naive(Tensor([x, x])))
        print(f"softmax_naive([{x:.1f}, {x:.1f}]) is {value.data}: {warned}")
        assert warned and math.isnan(value.data[0]), "expected ∞ / ∞ or 0 / 0 here"
    ### BEGIN HIDDEN TESTS
    # hidden: limits of float64 and float16
    for dtype, largest in ((np.float64, (2 - 2**-52) * 2.0**1023), (np.float16, 65504.0)):
        got = exp_limit(dtype)
        assert type(got) is float, f"expected a Python float, got {type(got).__name__}"
        assert abs(got - math.log(largest)) < 1e-5, f"exp_limit({dtype.__name__}) is {got}"
    # hidden: a dtype object, the exact limit
    assert abs(exp_limit(np.dtype("float32")) - limit) < 1e-9, "exp_limit of x.dtype"
    assert limit < 88.722840, f"e^{limit} does not fit into float32"
    # hidden: random values and dims
    numbers = (4 * np.random.default_rng(23).normal(size=(2, 3, 4))).tolist()
    check_function(sigmoid_naive, numbers, sigmoid_plain, "sigmoid_naive")
    check_lines(softmax_naive, softmax_plain, numbers, (0, 1, 2, -1, -2, -3))
    ### END HIDDEN TESTS
    print("✅ the book's formulas work, and you know how far")


test_naive()

# %% [markdown]
"""
## Exercise 4: A sigmoid that cannot overflow
Past its limit the naive value is right by luck, 1 / ∞ = 0; its gradient would be ∞ · 0, NaN. Now
look at σ(x) as eˣ / (eˣ + e⁰), the softmax of [x, 0], and subtract max(x, 0) from both exponents:
the fraction stays the same, and x and 0 become min(x, 0) and -max(x, 0). None is ever positive.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-sigmoid", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write sigmoid.
# Approach: 1. p: e to the power of min(x, 0). 2. q: e to the power of -max(x, 0), the same as
#   min(-x, 0). 3. p / (p + q).
# Example: sigmoid(Tensor([-1000.0, 0.0, 1000.0]))  ->  Tensor([0. , 0.5, 1. ]), without a warning
# Hint: a where() of two formulas computes both everywhere, so the wrong one still warns. x.abs() in
#   the exponent gives the right values, but it is flat at 0: Module 05 would find no slope there.
def sigmoid(x):
    """Return 1 / (1 + e^-x) of each element (torch.sigmoid). Never warns.

    Small results keep their digits: log(sigmoid(-50)) is -50. Integers are computed in float32.
    """
    ### BEGIN SOLUTION
    p = x.minimum(0).exp()
    q = (-x.maximum(0.0)).exp()
    return p / (p + q)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the sigmoid
Known values, ±1000, the digits at -50, NaN. Hidden: random shapes, ±∞, integers, more digits, no
rows.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-sigmoid-test", "locked": true, "points": 11, "schema_version": 3, "solution": false, "task": false}}
def test_sigmoid():
    def log_sigmoid(x):
        return sigmoid(x).log()

    def plain(v):
        return min(v, 0) - math.log1p(math.exp(-abs(v)))

    log3, hint = math.log(3), "let no exponent be positive"
    check_function(sigmoid, [-log3, 0.0, log3], [0.25, 0.5, 0.75], "sigmoid([-log 3, 0., log 3])")
    check_function(sigmoid, [-1000.0, 1000.0], [0.0, 1.0], "sigmoid([-1000., 1000.])", hint=hint)
    hint = "p / (p + q) keeps the digits of small results, 1 - q / (p + q) does not"
    check_function(log_sigmoid, [-50.0, -20.0], plain, "log(sigmoid([-50., -20.]))", hint=hint)
    assert math.isnan(sigmoid(Tensor(math.nan)).item()), "sigmoid(nan) should be nan"
    ### BEGIN HIDDEN TESTS
    # hidden: random values and shapes
    numbers = (20 * np.random.default_rng(24).normal(size=(3, 2, 5))).tolist()
    check_function(sigmoid, numbers, sigmoid_plain, "sigmoid")
    check_function(log_sigmoid, numbers, plain, "log of sigmoid", hint=hint)
    # hidden: log_sigmoid far below zero
    check_function(log_sigmoid, Tensor([-700.0], np.float64), plain, "log(sigmoid(-700.))")
    check_function(log_sigmoid, Tensor([-95.0]), plain, "log(sigmoid(-95.)) in float32")
    # hidden: infinite inputs
    edges = [-math.inf, -0.0, 100.0, math.inf]
    check_function(sigmoid, edges, [0.0, 0.5, 1.0, 1.0], f"sigmoid({edges})")
    # hidden: integers
    integers = Tensor([-1000, -1, 0, 1000])
    check_function(sigmoid, integers, sigmoid_plain, "sigmoid of integers", np.float32)
    # hidden: no rows
    assert sigmoid(Tensor(np.ones((0, 2)))).data.shape == (0, 2), "sigmoid of no rows"
    ### END HIDDEN TESTS
    print("✅ the sigmoid is stable")


test_sigmoid()

# %% [markdown]
"""
## Exercise 5: Two ways to get tanh wrong
tanh is a sigmoid, stretched to (-1, 1): 2 σ(2x) - 1. Write that, and the book's formula. Close to 0
both subtract two numbers that are nearly equal, and lose digits; far from 0 one of them dies. So
your package gets a third way, NumPy's `tanh` (below the test).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-tanh", "locked": false, "schema_version": 3, "solution": true, "task": false}}
# TODO: write tanh_naive and tanh_by_sigmoid.
# Approach: tanh_naive: (e^x - e^-x) / (e^x + e^-x), each exponential computed once.
#   tanh_by_sigmoid: 2 sigmoid(2x) - 1.
# Example: tanh_naive(Tensor([0.0]))  ->  Tensor([0.])
# Hint: use sigmoid, not sigmoid_naive.
def tanh_naive(x):
    """Return tanh of each element by its definition: NaN where an exponential is infinite."""
    ### BEGIN SOLUTION
    up, down = x.exp(), (-x).exp()
    return (up - down) / (up + down)
    ### END SOLUTION


def tanh_by_sigmoid(x):
    """Return tanh of each element from sigmoid. Never warns; loses digits close to 0."""
    ### BEGIN SOLUTION
    return 2 * sigmoid(2 * x) - 1
    ### END SOLUTION


# %% [markdown]
"""
### Testing both against Tensor.tanh
Where each is right, and where each fails. Hidden: random values and shapes, ±∞.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-tanh-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_tanh():
    x = [-1.0, 0.0, 2.0]
    check_function(tanh_naive, x, math.tanh, f"tanh_naive({x})")
    check_function(tanh_by_sigmoid, x, math.tanh, f"tanh_by_sigmoid({x})")
    check_function(tanh_by_sigmoid, [-1000.0, 1000.0], [-1.0, 1.0], "tanh_by_sigmoid(±1000)")
    ways = {"naive": tanh_naive, "by sigmoid": tanh_by_sigmoid, "Tensor.tanh": Tensor.tanh}
    for name, way in ways.items():
        far, warned, _ = watch(lambda way=way: way(Tensor(1000.0)))
        error = abs(way(Tensor(1e-4)).item() / math.tanh(1e-4) - 1)
        print(f"{name:11} at 0.0001 wrong by {error:.0e}, at 1000 {far.item()} {warned[-1:]}")
        assert bool(warned) == (name == "naive"), f"{name}: at 1000 it warns {warned}"
    ### BEGIN HIDDEN TESTS
    # hidden: random values and shapes
    numbers = (3 * np.random.default_rng(25).normal(size=(2, 1, 4))).tolist()
    check_function(tanh_naive, numbers, math.tanh, "tanh_naive")
    check_function(tanh_by_sigmoid, numbers, math.tanh, "tanh_by_sigmoid")
    # hidden: infinite inputs
    check_function(tanh_by_sigmoid, [-math.inf, math.inf], [-1.0, 1.0], "tanh_by_sigmoid(±inf)")
    # hidden: tanh_naive of large inputs
    check_function(tanh_naive, [-60.0, 60.0], [-1.0, 1.0], "tanh_naive(±60)")
    for edge in (-1000.0, 1000.0):
        got = watch(lambda v=edge: tanh_naive(Tensor(v)))[0].item()
        assert math.isnan(got), f"tanh_naive({edge}): the formula as it is gives nan, not {got}"
    # hidden: digits close to zero
    error = abs(tanh_by_sigmoid(Tensor(1e-4)).item() / math.tanh(1e-4) - 1)
    assert error > 1e-6, "tanh_by_sigmoid is to go by sigmoid, and to lose digits close to 0"
    ### END HIDDEN TESTS
    print("✅ you know why nobody writes tanh like that")


test_tanh()


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-tanh-exported", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def tanh(x):
    """Return the hyperbolic tangent of each element (torch.tanh)."""
    return x.tanh()


# %% [markdown]
"""
## Exercise 6: GELU, twice
ReLU multiplies x by 0 or 1. GELU multiplies it by Φ(x), the share of a normal distribution below x,
and so bends smoothly; BERT and GPT use it. There is a second form for those who have no fast erf.
The two differ by up to 0.0005: run a trained network with the form it was trained with.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write gelu in both forms.
# Approach: 1. "none": x / 2 times 1 + erf(x / √2). 2. "tanh": x / 2 times 1 + tanh(u), with
#   u = √(2/π) (x + 0.044715 x³). 3. anything else: RuntimeError that shows what was given and
#   names both 'none' and 'tanh'.
# Example: gelu(Tensor([-1.0, 0.0, 1.0]))  ->  Tensor([-0.15865526,  0.        ,  0.8413447 ])
# Hint: math.sqrt for constants; products for the cube: ** computes any power, and slowly. Begin
#   them with a float, 0.044715 * x * x * x, or the cube of small integers wraps around.
def gelu(x, approximate="none"):
    """Return x Φ(x) of each element, Φ the normal distribution (torch.nn.functional.gelu).

    approximate: "none" computes Φ by erf, "tanh" by the tanh form; RuntimeError for anything else.
    Integers are computed in float32. Source: Hendrycks and Gimpel, arXiv:1606.08415.
    """
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
Both forms, closely enough to tell them apart, and the error. Hidden: random shapes, ±1000, small
integers, no rows: (0, 2).
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-gelu-test", "locked": true, "points": 11, "schema_version": 3, "solution": false, "task": false}}
def test_gelu():
    cases, wrong = [[-1.0, 0.0, 1.0], [-3.0, -0.5, 2.0]], ["relu"]
    ### BEGIN HIDDEN TESTS
    # hidden: random shapes
    cases += [(2 * np.random.default_rng(26).normal(size=(2, 3, 3))).tolist()]
    # hidden: huge inputs, single numbers
    cases += [[-1000.0, 1000.0], -0.75]
    # hidden: other wrong forms
    wrong += ["None", None]
    ### END HIDDEN TESTS
    check(gelu(Tensor([0.0, 10.0])), [0.0, 10.0], "gelu([0., 10.])", hint="Φ(10) is 1")
    for form in ("none", "tanh"):
        call, plain = lambda x, f=form: gelu(x, f), lambda v, f=form: gelu_plain(v, f)
        for numbers in cases:
            check_function(call, numbers, plain, f"gelu(x, {form!r})")
        ### BEGIN HIDDEN TESTS
        # hidden: integers, also of small dtypes
        check_function(call, Tensor([-3, 2]), plain, f"gelu(integers, {form!r})", np.float32)
        for big in (Tensor([6, -6], np.int8), Tensor([2000], np.int32)):
            check_function(call, big, plain, f"gelu({big}, {form!r})", np.float32)
        # hidden: forms compared by ==
        same = gelu(Tensor(1.0), "".join(form)).item()
        assert same == call(Tensor(1.0)).item(), f"a {form!r} read from a file is {form!r}, too"
        # hidden: no rows
        assert call(Tensor(np.ones((0, 2)))).data.shape == (0, 2), f"gelu(no rows, {form!r})"
        ### END HIDDEN TESTS
    check_function(gelu, cases[1], lambda v: gelu_plain(v, "none"), "gelu(x), without a form")
    for name in wrong:
        words, call = [repr(name), "none", "tanh"], lambda name=name: gelu(Tensor(1.0), name)
        check_raises(RuntimeError, words, call, f"gelu(x, {name!r})")
    print("✅ GELU bends smoothly")


test_gelu()

# %% [markdown]
"""
## Exercise 7: The same GELU in one buffer
Your tanh form makes a new array at each of its nine steps. This version is fused by hand: it works
on plain arrays and writes every step into one buffer that it is given. In Part 2 they race.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-gelu-into", "locked": false, "schema_version": 3, "solution": true, "task": false}}
# TODO: compute the tanh form of GELU without making any array.
# Approach: u is √(2/π) x (1 + 0.044715 x²), so let out become, step by step: 1. x². 2. times
#   0.044715, plus 1, times x, times √(2/π): that is u. 3. tanh(u). 4. plus 1, times x, times 0.5.
# Example: gelu_into(np.array([1.0]), out)  ->  out, which now holds 0.84119199
# Hint: np.multiply(a, b, out=out), out += 1 and np.tanh(out, out=out) make no array.
def gelu_into(x, out):
    """Write the tanh form of GELU of array x into array out (same shape and float dtype).

    Returns out. What out held before does not matter; x stays as it is.
    """
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
The values, the buffer, and by a spying array whether NumPy had to make another one. Hidden: more
shapes, strided arrays, ±1000.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-gelu-into-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
class Counted(np.ndarray):
    """An array that counts the operations which make a new array instead of writing into one."""

    made = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        Counted.made += out is None
        if out is not None:
            settings["out"] = tuple(np.asarray(a) for a in out)
        result = getattr(ufunc, method)(*[np.asarray(a) for a in inputs], **settings)
        return result.view(Counted) if out is None else out[0]

    def __array_function__(self, function, types, arguments, settings):
        Counted.made += function is not np.copyto
        return super().__array_function__(function, types, arguments, settings)

    def copy(self, order="C"):
        Counted.made += 1
        return super().copy(order)


def test_gelu_into():
    cases = [np.array([-2.0, 0.5, 3.0]), np.array([[1.5], [-0.5]], np.float32)]
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes and dtypes
    numbers = 2 * np.random.default_rng(27).normal(size=(4, 6))
    cases += [numbers, numbers.astype(np.float32)[::2, 1:5], numbers.T]
    # hidden: huge inputs, no rows, 0-d
    cases += [np.array([-1000.0, 0.0, 1000.0]), np.ones((0, 2)), np.linspace(-4.0, 4.0, 1500)]
    cases += [np.array(0.5)]
    # hidden: out that is strided
    strided = np.zeros((6, 8))[::2, ::2]
    check(Tensor(gelu_into(numbers[:3, :4], strided), np.float64),
          each(lambda v: gelu_plain(v, "tanh"), numbers[:3, :4].tolist()),
          "gelu_into with a strided out", np.float64)  # fmt: skip
    assert abs(strided[0, 0] - gelu_plain(numbers[0, 0].item(), "tanh")) < 1e-9, "out is not filled"
    ### END HIDDEN TESTS
    for x in cases:
        x.flags.writeable = False
        before, what = x.tolist(), f"gelu_into, {x.dtype} of shape {x.shape}"
        out = np.full((2, *x.shape), math.nan, x.dtype)[1:].reshape(x.shape)
        got, warned, _ = watch(lambda x=x, out=out: gelu_into(x, out))
        assert got is out, f"{what}: expected the array out itself to be returned"
        expected = each(lambda v: gelu_plain(v, "tanh"), before)
        if x.size:
            check(Tensor(out, out.dtype), expected, f"{what}: what out holds", x.dtype)
        assert x.tolist() == before, f"{what} modified x"
        assert not warned, f"{what} warns: {warned[0]}"
        Counted.made = 0
        gelu_into(x.view(Counted), out.view(Counted))
        assert Counted.made == 0, f"{what} made {Counted.made} arrays: write each step into out"
    print("✅ GELU runs in one buffer")


test_gelu_into()

# %% [markdown]
"""
## Exercise 8: Softmax
Softmax turns scores into probabilities. Add a constant to all scores of a line: every exponential
is multiplied by the same factor, which cancels. So subtract the largest score: no exponent is
positive then, nothing overflows, and since one of them is 0, the sum is at least 1.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write softmax.
# Approach: 1. the maximum with axis=dim and keepdims=True. Any shift gives the same result, so for Module 05 it is a
#   constant: Tensor(...) around the maximum makes a fresh Tensor of it. 2. subtract it from x.
#   3. go on as in softmax_naive.
# Example: softmax(Tensor([1000.0, 1000.0, -1000.0]))  ->  Tensor([0.5, 0.5, 0. ])
# Hint: the maximum of each line; with that of the whole Tensor, a line of low scores becomes 0 / 0.
def softmax(x, dim=-1):
    """Return e^x divided by the sum of e^x over dim (torch.nn.functional.softmax).

    A score of -inf gets probability 0. Never warns if each line has a finite maximum. IndexError
    if x has no such dim.
    """
    ### BEGIN SOLUTION
    shift = Tensor(x.max(axis=dim, keepdims=True))
    e = (x - shift).exp()
    return e / e.sum(axis=dim, keepdims=True)
    ### END SOLUTION


# %% [markdown]
"""
### Testing softmax
Rows, columns, lines of very different size. Hidden: three dimensions, negative dims, a transposed
input, scores of -∞, no rows: (0, 3), a dim that is not there.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-softmax-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
def test_softmax():
    x = [[0.0, math.log(3)], [0.0, 0.0]]
    check_function(softmax, x, [[0.25, 0.75], [0.5, 0.5]], "softmax([[0., log 3], [0., 0.]])")
    check_lines(softmax, softmax_plain, x, (0, 1, -1))
    far, hint = [[1000.0, 1000.0, -1000.0], [-1000.0, -1001.0, -3000.0]], "shift each line"
    check_lines(softmax, softmax_plain, far, (0, 1), hint)
    total = softmax(Tensor([1.0, 2.0, 3.0])).sum().item()
    assert abs(total - 1) < 1e-6, f"probabilities should have sum 1, got {total}"
    ### BEGIN HIDDEN TESTS
    # hidden: three dimensions, negative dims
    numbers, dims = 5 * np.random.default_rng(29).normal(size=(2, 3, 4)), (0, 1, 2, -1, -2, -3)
    check_lines(softmax, softmax_plain, numbers.tolist(), dims)
    check_lines(softmax, softmax_plain, (300 * numbers).tolist(), dims)
    # hidden: transposed input
    for t in both(numbers):
        check_lines(softmax, softmax_plain, t.transpose(0, 2), (0, 1, -1))
    # hidden: scores of minus infinity
    check_function(softmax, [0.0, -math.inf, 0.0], [0.5, 0.0, 0.5], "softmax([0, -inf, 0])")
    got = softmax(Tensor([0.0, -math.inf])).data[1].item()
    assert got == 0.0, f"a score of -inf has probability 0, not {got}"
    # hidden: float64 stays float64
    huge = Tensor([1e11, 1e11 + 1.0, 1e39], np.float64)
    check_lines(softmax, softmax_plain, huge[:2], (0,), "in float64 all the way")
    check_lines(softmax, softmax_plain, huge, (0,), "in float64 all the way")
    # hidden: single scores, no rows, missing dim
    check_function(softmax, [[7.0], [-7.0]], [[1.0], [1.0]], "softmax, one score a line")
    assert softmax(Tensor(np.ones((0, 3)))).data.shape == (0, 3), "softmax of no rows"
    check_raises(IndexError, [], lambda: softmax(Tensor([1.0, 2.0]), dim=1), "softmax, no such dim")
    ### END HIDDEN TESTS
    print("✅ softmax is stable")


test_softmax()

# %% [markdown]
"""
## Exercise 9: The logarithm of softmax
A loss needs log-probabilities. Your softmax is stable, yet its log dies: a probability below 10⁻⁴⁵
rounds to 0, and log 0 is -∞ where -200 would be right. So take the log on paper: with m the
maximum, it is xᵢ - m - log Σⱼ exp(xⱼ - m).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-log-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write log_softmax.
# Approach: 1. shift x as in softmax. 2. from the shifted scores subtract the log of the sum of
#   their exponentials, over dim, kept. In this order nothing is rounded at the size of m.
# Example: log_softmax(Tensor([0.0, -200.0]))  ->  Tensor([   0., -200.])
# Hint: one shifted score is 0, so that sum is at least 1, and its log is safe.
def log_softmax(x, dim=-1):
    """Return log(softmax(x, dim)) without forming softmax (torch.nn.functional.log_softmax).

    A score of -inf stays -inf. Never warns if each line has a finite maximum. IndexError if x has
    no such dim.
    """
    ### BEGIN SOLUTION
    shifted = x - Tensor(x.max(axis=dim, keepdims=True))
    return shifted - shifted.exp().sum(axis=dim, keepdims=True).log()
    ### END SOLUTION


# %% [markdown]
"""
### Testing log-softmax
Known values, scores far apart, large scores close together. Hidden: as for softmax.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-log-softmax-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
def test_log_softmax():
    dead, warned, _ = watch(lambda: softmax(Tensor([0.0, -200.0])).log())
    print(f"softmax([0., -200.]).log() is {dead.data}: {warned}")
    check_function(log_softmax, [0.0, -200.0], [0.0, -200.0], "log_softmax([0., -200.])")
    check_lines(log_softmax, log_softmax_plain, [[0.0, math.log(3)], [0.0, 0.0]], (0, 1, -1))
    check_lines(log_softmax, log_softmax_plain, [[-1000.0, 1000.0], [-1.0, 1.0]], (0, 1))
    hint = "subtract the maximum first, the log of the sum afterwards"
    check_lines(log_softmax, log_softmax_plain, [5000.0, 5000.25], (0,), hint)
    total = log_softmax(Tensor([1.0, 2.0, 3.0])).exp().sum().item()
    assert abs(total - 1) < 1e-6, f"probabilities should have sum 1, got {total}"
    ### BEGIN HIDDEN TESTS
    # hidden: three dimensions, negative dims
    numbers, dims = 5 * np.random.default_rng(30).normal(size=(2, 3, 4)), (0, 1, 2, -1, -2, -3)
    check_lines(log_softmax, log_softmax_plain, numbers.tolist(), dims)
    check_lines(log_softmax, log_softmax_plain, (300 * numbers).tolist(), dims)
    # hidden: transposed input, scores far apart
    for t in both(numbers):
        check_lines(log_softmax, log_softmax_plain, t.transpose(0, 2), (0, 1, -1))
    check_lines(log_softmax, log_softmax_plain, [[-1000.0, -1001.0], [-900.0, -950.0]], (0, 1))
    # hidden: float64 stays float64
    huge = Tensor([1e11, 1e11 + 1.0, 1e39], np.float64)
    for x in (huge, huge[:2]):
        check_lines(log_softmax, log_softmax_plain, x, (0,), "in float64 all the way")
    # hidden: scores of minus infinity
    masked, half = [0.0, -math.inf, 0.0], math.log(0.5)
    check_function(log_softmax, masked, [half, -math.inf, half], "log_softmax([0, -inf, 0])")
    # hidden: no rows, missing dim
    assert log_softmax(Tensor(np.ones((0, 3)))).data.shape == (0, 3), "log_softmax of no rows"
    check_raises(IndexError, [], lambda: log_softmax(Tensor([1.0]), dim=1), "no such dim")
    ### END HIDDEN TESTS
    print("✅ log-softmax is stable")


test_log_softmax()

# %% [markdown]
"""
## Exercise 10: Functions as objects
Module 03 keeps layers in a list and calls one after the other. To stand there, an activation
becomes an object that is called like a function and prints its settings. Write the base class and
one activation with a setting; the others follow the same pattern (below the test).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-objects", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write Activation's __call__ and __repr__, then LeakyReLU.
# Approach: __call__: what forward returns. __repr__: the name of the class, and in parentheses its
#   settings, name=value joined by ", ": vars(self) is the dict of them. LeakyReLU: keep the setting
#   as the attribute negative_slope; forward is leaky_relu with it.
# Example: LeakyReLU(0.2)  prints as  LeakyReLU(negative_slope=0.2)
# Hint: type(self).__name__; f"{value!r}" writes a value as code, a string with its quotes.
class Activation:
    """A function as an object: it has settings, but no parameters."""

    def __call__(self, x):
        """Return self.forward(x)."""
        ### BEGIN SOLUTION
        return self.forward(x)
        ### END SOLUTION

    def forward(self, x):
        """Return the activation of x. Each subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __repr__(self):
        """Return the call that makes such an object."""
        ### BEGIN SOLUTION
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"
        ### END SOLUTION


class LeakyReLU(Activation):
    """x or negative_slope * x (torch.nn.LeakyReLU)."""

    def __init__(self, negative_slope=0.01):
        """Keep the slope for x <= 0."""
        ### BEGIN SOLUTION
        self.negative_slope = negative_slope
        ### END SOLUTION

    def forward(self, x):
        """Return leaky_relu(x) with this slope."""
        ### BEGIN SOLUTION
        return leaky_relu(x, self.negative_slope)
        ### END SOLUTION


# %% [markdown]
"""
### Testing the objects
Calls and prints, also of a class of the test's own. Hidden: other slopes, two settings.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "activations-objects-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_objects():
    class Double(Activation):
        def forward(self, x):
            return 2 * x

    x = [-2.0, 3.0]
    check_function(LeakyReLU(), x, [-0.02, 3.0], f"LeakyReLU()({x})")
    check_function(LeakyReLU(0.2), x, [-0.4, 3.0], f"LeakyReLU(0.2)({x})")
    check_function(Double(), x, [-4.0, 6.0], f"a subclass of Activation, called with {x}")
    cases = {"Double()": Double(), "LeakyReLU(negative_slope=0.2)": LeakyReLU(0.2)}
    ### BEGIN HIDDEN TESTS

    # hidden: printing two settings
    class Scale(Double):
        def __init__(self, factor, name):
            self.factor, self.name = factor, name

    cases["Scale(factor=2, name='double')"] = Scale(2, "double")
    cases["Scale(factor=0, name=None)"] = Scale(0, None)
    # hidden: printing LeakyReLU
    cases["LeakyReLU(negative_slope=0.01)"] = LeakyReLU()
    cases["LeakyReLU(negative_slope=0)"] = LeakyReLU(0)
    # hidden: two LeakyReLUs at once
    first, _ = LeakyReLU(0.5), LeakyReLU(0.25)
    check_function(first, x, [-1.0, 3.0], "the first of two LeakyReLUs")
    # hidden: no result is remembered
    t = Tensor([-2.0])
    first(t)
    t.data[:] = -4.0
    check(first(t), [-2.0], "the same Tensor with another number in it")
    # hidden: calls with other slopes
    check_function(LeakyReLU(negative_slope=3), x, [-6.0, 3.0], "LeakyReLU(negative_slope=3)")
    check_function(LeakyReLU(2), [[-1.0], [5.0]], [[-2.0], [5.0]], "LeakyReLU(2), shape (2, 1)")
    ### END HIDDEN TESTS
    for expected, activation in cases.items():
        got = repr(activation)
        assert got == expected, f"expected an object that prints as {expected}, got {got}"
    print("✅ functions are objects")


test_objects()


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
## Part 2: Systems Analysis
You built them; now measure them. Close other programs, run each cell, look at your own numbers, and
explain them to yourself: only the four questions at the end are marked.

### The shapes
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-shapes", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_shapes():
    """Draw six activations and, dashed, their slopes; print what slopes do to deep networks."""
    import matplotlib.pyplot as plt

    x, step = arange(-4, 4, 0.01), 0.005
    curves = {repr(f): f for f in (ReLU(), LeakyReLU(0.1), GELU(), Sigmoid(), Tanh())}
    curves["LogSoftmax of [x, 0]"] = lambda x: log_softmax(stack([x, x * 0], axis=1))[:, 0]
    figure, grid = plt.subplots(
        2, 3, figsize=(7, 4.2), sharex=True, sharey=True, layout="constrained"
    )
    steepest = {}
    for (name, f), axes in zip(curves.items(), grid.flat, strict=True):
        slope = (f(x + step) - f(x - step)) / (2 * step)
        steepest[name] = slope.max().item()
        axes.axhline(0, color="0.85", linewidth=1)
        axes.axvline(0, color="0.85", linewidth=1)
        axes.plot(x, f(x), linewidth=2.5)
        axes.plot(x, slope, "--", linewidth=1.2, color="tab:orange")
        axes.set_title(name, fontsize=9)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=8)
        axes.set(xlim=(-4, 4), ylim=(-2, 2.4), xticks=(-4, 0, 4), yticks=(-2, 0, 2))
    grid[0, 0].annotate("slope", (2.2, 1.06), color="tab:orange", va="bottom")
    figure.suptitle("Six bends, and their slopes")
    plt.show()
    print(
        f"The sigmoid is never steeper than {steepest['Sigmoid()']:.2f}: ten of them, one after the"
    )
    print(f"other, shrink a gradient at least by a factor of {steepest['Sigmoid()'] ** -10:.1e}.")
    apart = (gelu(x) - gelu(x, "tanh")).abs().max().item()
    print(f"The two forms of GELU differ by up to {apart:.5f}.")


profile_shapes()

# %% [markdown]
"""
**Explain your curves.** Which functions pass a gradient for large positive x, which for negative x?
Where does GELU go down while x goes up? The last one is log σ(x): how does it relate to ReLU?

### Memory Profiling
What the steps between input and output need at their peak: your Tensors make a new array at each,
`gelu_into` has one buffer. The third way calls `gelu_into` on one block after the other.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(n=2**22, block=2**16):
    """Print the peak memory and the time of activations, composed, in one buffer and in blocks."""
    import tracemalloc

    x = randn(n)

    def in_blocks():
        out = np.empty_like(x.data)
        for start in range(0, n, block):
            part = slice(start, start + block)
            gelu_into(x.data[part], out[part])

    ways = {f.__name__: lambda f=f: f(x) for f in (relu, leaky_relu, sigmoid, softmax)}
    ways["gelu, composed"] = lambda: gelu(x, "tanh")
    ways["gelu, one buffer"] = lambda: gelu_into(x.data, np.empty_like(x.data))
    ways["gelu, in blocks"] = in_blocks
    peaks, times = {}, {}
    for name, way in ways.items():
        tracemalloc.start()
        way()
        peaks[name] = tracemalloc.get_traced_memory()[1] / x.data.nbytes
        tracemalloc.stop()
        times[name] = 1e9 / n * median_time(way)
        print(f"{name:17} peak {peaks[name]:5.2f} times its input {times[name]:6.2f} ns an element")
    slow, one, cut = [times[f"gelu, {how}"] for how in ("composed", "one buffer", "in blocks")]
    print(f"One buffer of {4 * n // 2**20} MB is {slow / one:.1f} times as fast as composed GELU,")
    print(f"blocks of {4 * block // 2**10} KB are {slow / cut:.1f} times as fast.")


profile_memory()

# %% [markdown]
"""
**Explain your table.** ReLU has a maximum, a mask of a quarter of that, and their product. Sigmoid
and composed GELU peak at 4, although they make 7 and 9 arrays, for Python frees what nothing holds
(with fewer names they may peak at 3; with one more, softmax at 3). Which are alive when sigmoid
peaks? Expect one buffer to be 2 to 8 times as fast as composed: each new array is memory that the
operating system must find and clear first. Blocks can gain again: 256 KB stay in a cache through
all nine steps, while 16 MB may travel to memory and back each time.

### Speed
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-speed", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_speed(n=2**20):
    """Plot the time per element of activations (blue) and of their building blocks (gray)."""
    import matplotlib.pyplot as plt

    x = randn(n // 1024, 1024)
    ordered, few = Tensor(np.sort(x.data, axis=None)), x[:32]  # few: for the slow ones
    jobs = {"x + x": lambda: x + x, "exp(x)": x.exp, "max(x, 0)": lambda: x.maximum(0)}
    jobs |= {"x * x * x": lambda: few * few * few, "x ** 3": lambda: few**3}
    blocks = list(jobs)
    jobs |= {f.__name__: lambda f=f: f(x) for f in (relu, leaky_relu, sigmoid, tanh, softmax)}
    jobs |= {
        "log_softmax": lambda: log_softmax(x),
        "leaky_relu, x sorted": lambda: leaky_relu(ordered),
    }
    jobs |= {"gelu, tanh form": lambda: gelu(x, "tanh"), "gelu, exact": lambda: gelu(few)}
    small = {"x * x * x", "x ** 3", "gelu, exact"}
    cost = {k: 1e9 * median_time(job) / (few if k in small else x).size for k, job in jobs.items()}
    names = sorted(cost, key=cost.get, reverse=True)
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    colors = ["0.7" if name in blocks else "tab:blue" for name in names]
    axes.barh(names, [cost[name] for name in names], color=colors)
    for row, name in enumerate(names):
        text = f"  {cost[name]:.2f} ns, {8 / cost[name]:.1f} GB/s"
        axes.annotate(text, (cost[name], row), va="center", fontsize=8)
    label = "ns per element (GB/s: 4 bytes read, 4 written)"
    axes.set(xscale="log", xlim=(None, 30 * max(cost.values())), xlabel=label)
    axes.spines[["top", "right"]].set_visible(False)
    ratio = cost["gelu, exact"] / cost["gelu, tanh form"]
    axes.set_title(f"Exact GELU takes {ratio:.0f} times as long as its tanh form")
    plt.show()
    print(f"exp costs {cost['exp(x)'] / cost['x + x']:.1f} additions an element,")
    print(f"x ** 3 costs {cost['x ** 3'] / cost['x * x * x']:.0f} times as much as x * x * x,")
    guess = cost["leaky_relu"] / cost["leaky_relu, x sorted"]
    print(f"leaky_relu costs {guess:.1f} times as much in random order.")


profile_speed()

# %% [markdown]
"""
**Explain your bars.** Expect three groups. Up to 2 ns: what NumPy runs in vector instructions, 8 or
16 numbers at a time; on most processors exp and tanh are among them. Around 4 ns: the `where` of
`leaky_relu`, if the processor must guess for each number which way it will go: random signs prove
it wrong half of the time, sorted ones hardly ever. From 30 ns: `**`, which computes any power, and
Python's erf, one call a number. These 4 MB may stay in a cache; the 16 MB of the table above do not,
and functions of many steps lose most time. What does sigmoid pay for besides two exponentials?

### Why activations dominate training memory
On its way back, Module 05 needs what the operations saw on their way forward. The simplest way is
to keep every step: here for a stack of layers, computed from the shapes and measured.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-profile-training", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_training(width=256, depth=8):
    """Plot the memory of all steps through a stack of layers against the batch size."""
    import tracemalloc

    import matplotlib.pyplot as plt

    weights = [randn(width, width) * width**-0.5 for _ in range(depth)]
    parameters = sum(w.data.nbytes for w in weights) / 1e6
    batches, crossing = [2**k for k in range(12)], {}

    def kept(batch, activation):
        """Return the MB of the outputs of all steps: from their shapes, and as measured."""

        def forward():
            x = start
            for w in weights:
                x = activation(x @ w)

        start = randn(batch, width)
        tracemalloc.start()
        steps = watch(forward)[2]
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return sum(output.data.nbytes for output, _ in steps) / 1e6, held / 1e6

    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, f in {"gelu, tanh form": GELU("tanh"), "relu": relu}.items():
        one, sizes = kept(1, f)[0], [kept(batch, f)[1] for batch in batches]
        (line,) = axes.plot(batches, [one * batch for batch in batches], linewidth=2)
        axes.plot(batches, sizes, "o", color=line.get_color())
        end, crossing[name] = (batches[-1], sizes[-1]), parameters / one
        axes.annotate(f"   {name}\n   {sizes[-1]:.0f} MB", end, color=line.get_color(), va="center")
    axes.axhline(parameters, color="black", linestyle="--")
    axes.annotate(f"parameters, {parameters:.1f} MB", (1, 1.15 * parameters))
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, batches)
    axes.set(yscale="log", ylabel="MB", xlim=(0.8, 2**14.2))
    axes.set_xlabel("batch size (lines: computed from shapes; dots: measured)")
    axes.spines[["top", "right"]].set_visible(False)
    found = " and ".join(f"{batch:.0f} ({name[:4]})" for name, batch in crossing.items())
    axes.set_title(f"Activations outweigh parameters from batches of {found} on", fontsize=11)
    plt.show()
    for name, batch in crossing.items():
        print(f"{name}: the parameters weigh as much as the activations of {batch:.0f} inputs.")


profile_training()

# %% [markdown]
"""
**Explain your lines.** An element that passes a layer leaves 4 bytes behind for `x @ w`, and then 9
for ReLU (what are they?) or 36 for GELU: expect activations to outweigh the parameters from a batch
of 0.31 or 0.1 times the width on. Why does the depth not matter? Why do the first dots lie a little
above their line?

## Part 3: Production Context
- **Names.** Functions as in `torch.nn.functional`, classes as in `torch.nn`. PyTorch's classes are
  `Module`s; yours are plain objects, for they have no parameters.
- **Fusion.** PyTorch's activations are single kernels: one pass, one new array. Eager mode runs a
  chain of your own one kernel a step, with temporaries like yours; `torch.compile`, and XLA under
  JAX and TensorFlow, fuse such a chain into one loop. `nn.ReLU(inplace=True)` reuses the input.
- **What is kept.** For its way back PyTorch keeps one array an activation: the result for ReLU,
  sigmoid, tanh and both softmaxes, the input for GELU. `torch.utils.checkpoint` keeps neither, and
  computes the forward pass again.
- **Softmax at scale.** It needs its maximum before its sum: two passes. Online softmax updates both
  in one; with it FlashAttention never stores the matrix of scores.
- **GELU.** `jax.nn.gelu` takes the tanh form unless told otherwise, PyTorch and Keras the exact.
- **Different here.** `dim` is -1 unless given, as in JAX and TensorFlow. PyTorch wants it given:
  else `softmax` warns, and takes dim 0 or 1 by the number of dimensions. PyTorch refuses integers
  in `leaky_relu`, `gelu` and `softmax`; yours take them (small and unsigned ones may wrap around). On a CPU
  its float32 sigmoid is 0 below about -88, where yours goes on to -103.

Sources: PyTorch docs of `torch.nn`, `torch.compile` and `torch.utils.checkpoint`, and its
`tools/autograd/derivatives.yaml`; JAX docs, `jax.nn`; Hendrycks and Gimpel, *GELUs*,
arXiv:1606.08415; Blanchard, Higham and Higham, *Accurately computing the log-sum-exp and softmax
functions*, IMA J. Numer. Anal. 41 (2021); Milakov and Gimelshein, *Online normalizer calculation
for softmax*, arXiv:1805.02867; Dao et al., *FlashAttention*, arXiv:2205.14135.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "activations-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 02 is complete: your Tensors can bend")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer in three to six sentences each; where you measured, use your own numbers.

### Question 1: The last buffer
A block of a transformer applies the tanh form of GELU to an input of shape (8, 2048, 16384) in
float32. What does your composed `gelu` need beyond that input, its result included, and what does
one buffer need? A colleague saves even that by `gelu_into(x, x)`. Is the result right? Which array
would Module 05 miss afterwards?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
The input has 8 · 2048 · 16384 · 4 bytes = 1.07 GB. Composed GELU peaked at 4.0 times its input, so
4.3 GB more; one buffer takes 1.07 GB. With out = x the first step overwrites x by x², and every
later "times x" multiplies by what out holds at that moment: wrong numbers, 1.45 instead of 0.84 for
x = 1, and no error. Besides, x is gone, and the slope of GELU is computed from x.

**Marking rubric (5 points)**
- 1: 1.07 GB (1 GiB). 1: both needs, from measured factors.
- 2: why `gelu_into(x, x)` is wrong: a later step reads the overwritten x. 1: Module 05 needs x.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Is it worth it?
A layer from 4096 to 16384 features does 2 · 4096 FLOPs for each number that its activation then
takes. With your GFLOP/s from Module 01 (or time a large matmul) and your bars or table: what share
of the time is `relu`, or GELU in each form? A GPU has, say, 100 times your FLOP/s and 20 times your bandwidth: what
becomes of the share of GELU's tanh form there?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
8192 FLOPs at my 100 GFLOP/s take 82 ns. `relu` took 0.6 ns, 1 % of the sum; GELU in tanh form 1 to
3 ns, 1 to 4 %; the exact one 55 ns, 40 %, all of it Python's loop. So only the exact form is worth
work here. On the GPU the matmul takes 0.8 ns, but an activation waits for memory and gains only the
factor of 20: composed GELU's 3 ns become 0.15 ns, 15 % of the sum. The faster the matmul, the more
fusion pays.

**Marking rubric (5 points)**
- 1: time of the matmul per element. 2: the three shares, from measured numbers.
- 2: activations follow bandwidth, matmuls FLOP/s, so the share grows on a GPU.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: A bigger batch
Derive, from bytes per element, the batch from which activations outweigh parameters in your stack
for ReLU and for GELU, and compare with your plot. Name two ways towards ten times that batch in the
same memory, and what each costs. (What must be kept? In how many bytes? All rows at once?)
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
A layer has 4 · 256² bytes of weights. An example leaves 256 · (4 + 4 + 1 + 4) bytes there with ReLU:
`x @ w`, maximum, mask, product; that is equal at a batch of 4/13 · 256 = 79, as printed. With GELU it
is 256 · (4 + 9 · 4), equal at 26. Ways: fused activations that keep one array only (somebody must
write the kernel and its gradient); computing the steps again on the way back (another forward pass,
about a third more time); 16-bit activations (half the bytes, less precision); ten small batches
whose gradients are added (smaller matmuls).

**Marking rubric (5 points)**
- 2: both batches, derived from bytes (13 and 40 per element). 1: compared with the plot.
- 2: two ways that work, each with its cost.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: A pinch of epsilon
A colleague writes `(softmax(x) + 1e-9).log()`. What comes out for the second score of [0, -10],
[0, -30] and [0, -200], what should, and what does a loss made of it see of the inputs on which a
network is most wrong? Another clips x to [-80, 80] and then takes `softmax_naive`. Give an input
for which that is wrong.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "activations-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
It should be about -10, -30 and -200; it is -10.00, -20.7 and -20.7, since the log never gets below
log 10⁻⁹. No warning, and tests with small scores pass. The loss is capped and flat for those
examples that the network gets most wrong: they stop teaching. Clipping makes [1000, 900] into
[80, 80] and thus [0.5, 0.5] instead of [1, 0]; beyond ±80 it is flat, too; and with 10,000 scores
of 80 the sum, 10⁴ · 5.5 · 10³⁴, overflows float32 all the same.

**Marking rubric (5 points)**
- 2: the three values and the floor log(10⁻⁹) = -20.7. 1: no gradient where the error is largest.
- 2: an input that clipping gets wrong, with its result (or the overflowing sum).
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built the activations of torch.nn from Tensor operations, stable wherever a float reaches: no
exponent is ever positive. You saw the formulas of the book die, and measured that temporaries
cost more than the arithmetic in them, that a branch can, too, and that activations outweigh the
parameters as soon as a batch is large.

**Next, Module 03: Layers** puts weights between the bends.
"""
