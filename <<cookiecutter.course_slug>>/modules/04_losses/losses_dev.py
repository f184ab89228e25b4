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
# Module 04: Losses

Training follows one number, the **loss**, and believes whatever it says. If two shapes broadcast by
accident, if a label is -1, or if a logarithm meets a 0, nothing raises an error: the network learns
nonsense, politely. Build the losses yourself, and you know what they refuse, why they take raw
scores instead of probabilities, and what they cost when a vocabulary has 50,000 words.

**Learning Objectives:**
- Build the losses that train nearly every network, with PyTorch's names and values.
- Understand why losses take logits, where the textbook formula dies, and which wrong inputs raise no
  error by themselves.
- Analyze what a loss costs in memory and time, up to the vocabulary of a language model.

**You are here:** << cookiecutter.__map | replace("04 Losses", "**04 Losses**") >>

**Time:** 3 to 4 hours. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper*
can wait: nothing later needs them.

**History.** Adrien-Marie Legendre published the method of least squares in 1805, for the orbits of
comets, and in 1809 Carl Friedrich Gauss derived it from errors that are normally distributed. The
-log p in every cross-entropy is how Claude Shannon measured information in 1948: what was likely
says little, what was unlikely says much.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
from << cookiecutter.package_name >>.activations import log_softmax
from << cookiecutter.package_name >>.layers import Layer
from << cookiecutter.package_name >>.tensor import (
    add_to_class,
    arange,
    tensor_function,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

A model says: *rain* 0.7, *sun* 0.2, *snow* 0.1. It rains, so it gave the truth the probability 0.7.
Over two days, 0.7 and then 0.5, it gave the truth 0.7 · 0.5 = 0.35. Good models make this product
large. Take -log, and the product becomes a sum: 0.36 + 0.69 = 1.05. So the best weights **minimize
Σ -log p**, where p is what the model gave the truth. The noise that you assume determines the loss.
With prediction x, truth y, logits z (any real numbers) and the sigmoid σ:

| Truth | Noise | -log p, up to constants | Loss |
|---|---|---|---|
| a number | normal | (x - y)² | `MSELoss` |
| a number, with outliers | Laplace | abs(x - y) | `L1Loss` |
| one of C classes | p = softmax(z) | -log pᵧ = log Σⱼ exp(zⱼ) - zᵧ | `CrossEntropyLoss` |
| yes (1) or no (0) | p = σ(z) | -y log σ(z) - (1 - y) log(1 - σ(z)) | `BCEWithLogitsLoss` |

A model that knows nothing says 1 / C, so its cross-entropy is log C: 2.30 for ten classes. The first
loss you print should be near that.

### Computational Complexity

| Step | Time | New memory |
|---|---|---|
| `MSELoss`, `L1Loss`, `BCEWithLogitsLoss` of N elements | O(N) | O(N) |
| `log_softmax` in `CrossEntropyLoss`, N rows and C classes | O(N C) | O(N C) |
| picking the right class, checking labels | O(N) | O(N) |
| the slope in each of P weights by nudging it | O(P) losses | that of one loss |

All but the last do a few operations per number. The last is why autograd exists.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-testing", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import math
import warnings

import numpy as np

from << cookiecutter.package_name >>.activations import (
    ReLU,
    Tanh,
    softmax,
)
from << cookiecutter.package_name >>.layers import (
    Linear,
    Sequential,
)
from << cookiecutter.package_name >>.tensor import (
    Tensor,
    manual_seed,
    randn,
)
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_composed,
    check_digits,
    check_each_loss,
    check_equal,
    check_losses,
    check_refused,
    check_same_error,
    cross_entropies,
    exercise,
    show_results,
    times,
)

# %% [markdown]
"""
## Exercise 1: From many losses to one
Three examples have the losses 1, 2 and 6: which number is *the* loss? The **mean**, 3, keeps the size
of a training step independent of the size of the batch. The **sum**, 9, can be added up over batches
of unequal size. And **none** at all, [1, 2, 6], shows which example is to blame. All losses share
this choice, so write it once. A misspelled choice should be an error at once, not hours later.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-reduction", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Loss(Layer):
    """The base of all losses: loss(input, target) returns a Tensor.

    reduction is as in torch.nn. A subclass defines forward(input, target). A loss is a
    Layer without parameters.
    """

    def __init__(self, reduction="mean"):
        """Keep reduction as an attribute.

        ValueError for any but "mean", "sum" and "none", naming it and these three.
        """
        # TODO: refuse anything but these three, then keep reduction.
        ### BEGIN SOLUTION
        if reduction not in ("mean", "sum", "none"):
            message = f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}"
            raise ValueError(message)
        self.reduction = reduction
        ### END SOLUTION

    def reduce(self, values):
        """Return the mean or sum of all values, 0-d; for "none", values itself."""
        # TODO: return what self.reduction asks for.
        #
        # APPROACH
        # 1. "none" wants the values as they are.
        # 2. For the others, a Tensor has methods: no .data, no NumPy.
        #
        # EXAMPLE
        # >>> Loss("sum").reduce(Tensor([1.0, 2.0]))
        # Tensor(3.)
        #
        # HINTS
        # - However many dimensions the values have, their mean is one number.
        # - In the error message, f"{reduction!r}" shows a string in quotes.
        ### BEGIN SOLUTION
        if self.reduction == "none":
            return values
        if self.reduction == "sum":
            return values.sum()
        return values.mean()
        ### END SOLUTION


# %% [markdown]
"""
### Testing the reduction
The three choices, the default, Tensor operations only, the error.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-reduction-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
@exercise(1)
def test_reduction():
    values = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    hint = "one number, whatever the shape"
    check(Loss("mean").reduce(values), 4.0, 'Loss("mean").reduce(values)', hint=hint)
    check(Loss("sum").reduce(values), 24.0, 'Loss("sum").reduce(values)', hint=hint)
    what = 'Loss("none").reduce(values)'
    check(Loss("none").reduce(values), values.data.tolist(), what)
    check(Loss().reduce(values), 4.0, "Loss().reduce(values)", hint='default: "mean"')
    double, hint = Tensor([0.1, 0.1], np.float64), "keep the dtype of the values"
    for name, want in (("mean", 0.1), ("sum", 0.2), ("none", [0.1, 0.1])):
        check(Loss(name).reduce(double), want, f"{name} of float64", np.float64, hint)
        one, other = {"values": values}, {"values": values * values}
        check_composed(Loss(name).reduce, one, other, f"Loss({name!r}).reduce")
    first, second = Loss("none"), Loss("sum")
    check_equal(first.reduction, "none", "a loss, after another was made")
    check_equal(second.reduction, "sum", 'Loss("sum").reduction')
    check_refused(ValueError, ["average", "mean", "sum", "none"], Loss, "average")
    check_refused(ValueError, ["None", "mean"], Loss, None, hint='the string "none"')
    print("✅ many losses become one, or stay apart")


test_reduction()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-reduction-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "more wrong names · other shapes and dtypes · a string read from a file")
def test_reduction_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: more wrong names
    for bad in ("Mean", "", 0.1, True):
        check_refused(ValueError, [str(bad), "mean", "sum", "none"], Loss, bad)
    # hidden: other shapes and dtypes
    rng = np.random.default_rng(1)
    for shape in ((), (7,), (2, 3, 4), (5, 1)):
        for dtype in (np.float32, np.float64):
            t = Tensor(rng.normal(size=shape), dtype)
            flat, what = t.data.ravel().tolist(), f"{dtype.__name__} {shape}"
            total = math.fsum(flat)
            check(Loss("sum").reduce(t), total, f"the sum of {what}", dtype)
            check(Loss("mean").reduce(t), total / t.size, f"the mean of {what}", dtype)
            check(Loss("none").reduce(t), t.data.tolist(), f"none of {what}", dtype)
    check(Loss("sum").reduce(Tensor(np.ones((0, 3)))), 0.0, "the sum of no losses")
    check(Loss(reduction="none").reduce(Tensor([])), [], "no losses")
    half = Tensor(np.full(3000, 4.0), np.float16)
    check(Loss().reduce(half), 4.0, "the mean of 3,000 float16", np.float16)
    # hidden: a string read from a file
    read, values = Loss("".join(["s", "um"])), Tensor([1.0, 2.0])
    check(read.reduce(values), 3.0, 'a "sum" read from a file', hint="==, not is")
    ### END HIDDEN TESTS


test_reduction_beyond()

# %% [markdown]
"""
## Exercise 2: The same shape, or an error
![Squared errors of 1, 2 and 4 drawn as squares of area 1, 4 and 16, beside absolute errors of 1, 2 and 4 drawn as lengths](squared-absolute.svg)

The squared error is an area: an outlier twice as far away counts four times. But first a trap. A
prediction of shape `(50000, 1)` minus a target `(50000,)` broadcasts to 2.5 billion differences of
everything with everything: 10 GB, or on a small batch a wrong loss without a word. You are the
author of the loss now. Refuse such inputs.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-mse", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def same_shape(input, target):
    """Return nothing. ValueError, with both shapes, unless they are equal."""
    # TODO: raise the error, and tell the reader the next step: reshape.
    ### BEGIN SOLUTION
    if input.shape != target.shape:
        raise ValueError(
            "input and target must have the same shape, "
            f"got {input.shape} and {target.shape}; reshape one of them"
        )
    ### END SOLUTION


class MSELoss(Loss):
    """The squared error of each element, reduced (torch.nn.MSELoss)."""

    def forward(self, input, target):
        """Compare Tensors of one shape. ValueError with both shapes if they differ."""
        # TODO: square the difference of each pair, and reduce.
        #
        # APPROACH
        # 1. Refuse shapes that differ.
        # 2. Square the errors, by Tensor operations.
        # 3. Reduce as Exercise 1 does.
        #
        # EXAMPLE
        # >>> MSELoss()(Tensor([1.0, 2.0]), Tensor([3.0, 2.0]))
        # Tensor(2.)
        #
        # HINTS
        # - The example is the mean of 4 and 0.
        # - A square is one multiplication.
        ### BEGIN SOLUTION
        same_shape(input, target)
        error = input - target
        return self.reduce(error * error)
        ### END SOLUTION


# %% [markdown]
"""
### Testing the squared error
Values in both dtypes, reductions, Tensor operations only, shapes that would broadcast.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-mse-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
@exercise(2)
def test_mse():
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 2.0])
    check_losses(MSELoss, (x, y), [4.0, 0.0], "MSELoss of [1, 2] and [3, 2]")
    a, b = Tensor([[0.1, -2.0]], np.float64), Tensor([[0.4, 1.0]], np.float64)
    losses = [[(0.1 - 0.4) ** 2, 9.0]]
    check_losses(MSELoss, (a, b), losses, "float64 of shape (1, 2)", np.float64)
    given, others = {"input": x, "target": y}, {"input": y + 1, "target": x}
    check_composed(MSELoss("none"), given, others, "MSELoss")
    check_equal(same_shape(x, y), None, "same_shape of two equal shapes")
    hint = "compare the shapes, not the number of dimensions or of elements"
    shapes = [((2, 1), (2,)), ((2, 1), (2, 3)), ((3, 2), (2, 3)), ((), (1,))]
    for first, second in shapes:
        pair = Tensor(np.ones(first)), Tensor(np.ones(second))
        words = [str(first), str(second)]
        check_refused(ValueError, words, same_shape, *pair, hint=hint)
        check_same_error(MSELoss(), same_shape, *pair, hint="call same_shape first")
    print("✅ squared errors, and no silent broadcast")


test_mse()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-mse-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "random numbers of other shapes · mixed dtypes and views · no rows")
def test_mse_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random numbers of other shapes
    rng = np.random.default_rng(2)
    for shape in ((5,), (2, 1, 3), (4, 3)):
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        check_each_loss(MSELoss, lambda a, b: (a - b) ** 2, x, y)
        check_each_loss(MSELoss, lambda a, b: (a - b) ** 2, 1000 * x, 0 * y)
    near = 1000 + x / 100, 1000 + y / 100
    check_each_loss(MSELoss, lambda a, b: (a - b) ** 2, *near)
    for first, second in (((3, 4), (4,)), ((2,), (3,)), ((1, 2), (2, 2))):
        for a, b in ((first, second), (second, first)):
            pair = Tensor(np.ones(a)), Tensor(np.ones(b))
            check_refused(ValueError, [str(a), str(b)], same_shape, *pair)
            check_same_error(MSELoss("none"), same_shape, *pair)
    # hidden: mixed dtypes and views
    pair = Tensor([1.0]), Tensor([0.1], np.float64)
    check_losses(MSELoss, pair, [0.9**2], "float32 and float64", np.float64)
    t, view = Tensor(x, np.float64), Tensor(y.T, np.float64).T
    rows = zip(x, y, strict=True)
    losses = [[(a - b) ** 2 for a, b in zip(*row, strict=True)] for row in rows]
    check_losses(MSELoss, (t, view), losses, "a transposed target", np.float64)
    # hidden: no rows
    none, want = Tensor([]), Loss("none").reduce(Tensor([])).data.tolist()
    check(MSELoss("none")(none, none), want, "no rows")
    ### END HIDDEN TESTS


test_mse_beyond()

# %% [markdown]
"""
## Exercise 3 (deeper): Absolute error
The right half of the picture above: an outlier twice as far away counts twice. What difference does
that make? Predict 1, 2 and 90 by one constant. Their mean, 31, has the smallest squared error, and
is near none of them; their median, 2, has the smallest absolute error, and the 90 cannot move it. So
this loss is for data in which some values are plainly wrong.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-l1", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class L1Loss(Loss):
    """The absolute error of each element, reduced (torch.nn.L1Loss)."""

    def forward(self, input, target):
        """Compare Tensors of one shape. ValueError with both shapes if they differ."""
        # TODO: as MSELoss, with the absolute value instead of the square.
        #
        # APPROACH
        # 1. Three lines, of which you know two.
        #
        # EXAMPLE
        # >>> L1Loss("none")(Tensor([1.0, 2.0]), Tensor([3.0, 1.5]))
        # Tensor([2. , 0.5])
        #
        # HINTS
        # - Tensors have a method abs.
        ### BEGIN SOLUTION
        same_shape(input, target)
        error = input - target
        return self.reduce(error.abs())
        ### END SOLUTION


# %% [markdown]
"""
### Testing the absolute error
Errors of both signs, the median, Tensor operations only, the shape error.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-l1-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(3)
def test_l1():
    x, y = Tensor([1.0, 2.0, -1.0]), Tensor([3.0, 1.5, -1.0])
    check_losses(L1Loss, (x, y), [2.0, 0.5, 0.0], "[1, 2, -1] and [3, 1.5, -1]")
    data = Tensor([1.0, 2.0, 90.0])
    for guess, want in ((2.0, [1.0, 0.0, 88.0]), (31.0, [30.0, 29.0, 59.0])):
        what = f"{guess} for 1, 2 and 90"  # the median, and the mean
        check_losses(L1Loss, (Tensor([guess] * 3), data), want, what)
    pair = Tensor([0.1], np.float64), Tensor([0.4], np.float64)
    check_losses(L1Loss, pair, [0.4 - 0.1], "float64", np.float64)
    given, others = {"input": x, "target": y}, {"input": y + 1, "target": x}
    check_composed(L1Loss("none"), given, others, "L1Loss")
    column = Tensor([[1.0], [2.0], [3.0]])
    pairs = (x, column), (Tensor([[1.0], [2.0]]), Tensor([[1.0, 2.0, 3.0]] * 2))
    for pair in pairs:
        check_same_error(L1Loss(), same_shape, *pair, hint="call same_shape first")
    print("✅ absolute errors")


test_l1()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-l1-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(3, "random numbers of other shapes · large errors · views and no rows")
def test_l1_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random numbers of other shapes
    rng = np.random.default_rng(3)
    for shape in ((5,), (2, 1, 3), (4, 3)):
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        check_each_loss(L1Loss, lambda a, b: abs(a - b), x, y)
    # hidden: large errors
    check_each_loss(L1Loss, lambda a, b: abs(a - b), 0 * x, 1000 * y)
    check_losses(L1Loss, (Tensor([1e20]), Tensor([0.0])), [1e20], "1e20 and 0")
    # hidden: views and no rows
    t = Tensor(x, np.float64)
    check_losses(L1Loss, (t.T, t.T), [[0.0] * 4] * 3, "a view and itself", np.float64)
    none, want = Tensor([]), Loss("none").reduce(Tensor([])).data.tolist()
    check(L1Loss("none")(none, none), want, "no rows")
    check_same_error(L1Loss("none"), same_shape, t, t[0])
    ### END HIDDEN TESTS


test_l1_beyond()

# %% [markdown]
"""
## Exercise 4: Cross-entropy, as the textbook has it
![Left: logits 2, 1 and 0 become bars of height 0.67, 0.24 and 0.09 for cat, dog and owl; right: minus the logarithm of the bar of the truth, 1.41 for the dog](cross-entropy.svg)

The logits 2, 1 and 0 become the probabilities 0.67, 0.24 and 0.09. The truth is a dog, so look at the
bar of the dog alone: minus its log, 1.41, is the loss. Write this once without tricks, and watch it
die: where the right class is far behind, its bar rounds to 0, and log 0 is -∞. Just there a loss
matters most: the model is sure, and wrong. (This function stays out of the package.)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def cross_entropy_naive(input, target):
    """Return the mean of -log softmax(input)[target], 0-d.

    input: logits (N, C); target: class indices (N,). It becomes inf,
    with NumPy's warning, where the probability of the right class underflows to 0.
    """
    # TODO: write the formula; no clipping, no epsilon, no log_softmax: let it die.
    #
    # APPROACH
    # 1. Make probabilities of each row.
    # 2. From row i pick the bar at target[i].
    # 3. Take the mean of minus their logarithms.
    #
    # EXAMPLE
    # >>> logits = Tensor([[2.0, 1.0, 0.0]])
    # >>> round(cross_entropy_naive(logits, Tensor([1])).item(), 2)
    # 1.41
    #
    # HINTS
    # - p[Tensor([0, 1, 2]), Tensor([2, 0, 1])] picks p[0, 2], p[1, 0] and p[2, 1].
    # - arange(n) counts rows; len(input) is N.
    ### BEGIN SOLUTION
    p = softmax(input, dim=1)
    right = p[arange(len(input)), target]
    return -right.log().mean()
    ### END SOLUTION


# %% [markdown]
"""
### Testing the textbook, and watching it die
Values that you know, in both dtypes, then logits 0 and 200 with label 0, whose loss is 200.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-naive-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(4)
def test_naive():
    logits = Tensor([[2.0, 1.0, 0.0]])
    for label in range(3):
        want = math.log(math.exp(2) + math.exp(1) + 1) - (2 - label)
        got = cross_entropy_naive(logits, Tensor([label]))
        check(got, want, f"logits 2, 1, 0, label {label}", hint="softmax over dim 1")
    logits, target = Tensor([[0.0, math.log(3.0)], [0.0, 0.0]]), Tensor([1, 0])
    got, want = cross_entropy_naive(logits, target), -math.log(0.75 * 0.5) / 2
    check(got, want, "-log 0.75 and -log 0.5", hint="p[i, target[i]]; log, then mean")
    check_equal(target.data.tolist(), [1, 0], "the labels afterwards")
    got = cross_entropy_naive(Tensor([[5.0] * 4], np.float64), Tensor([3]))
    check(got, math.log(4.0), "four even logits", np.float64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = cross_entropy_naive(Tensor([[0.0, 200.0]]), Tensor([0]))
    hint = "let it die: no epsilon, no clipping, no log_softmax"
    check(got, math.inf, "logits 0 and 200, label 0", hint=hint)
    hint = "do not silence it: that is what one sees in practice"
    check_equal(len(caught) > 0, True, "NumPy warns at log 0", hint)
    print("✅ the textbook works, and dies: for 200 it says inf")


test_naive()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-naive-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(4, "random logits · where float64 dies · rows far apart")
def test_naive_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random logits
    rng = np.random.default_rng(4)
    for dtype in (np.float32, np.float64):
        logits = Tensor(rng.normal(size=(5, 3)), dtype)
        target = Tensor(rng.integers(3, size=5))
        rows = logits.data.tolist()
        want = math.fsum(cross_entropies(rows, target.data.tolist())) / 5
        check(cross_entropy_naive(logits, target), want, "random logits", dtype)
        check_equal(logits.data.tolist(), rows, "the logits afterwards")
    # hidden: where float64 dies
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        for z, want in ((600.0, 600.0), (800.0, math.inf)):
            got = cross_entropy_naive(Tensor([[0.0, z]], np.float64), Tensor([0]))
            check(got, want, f"float64 logits 0 and {z}, label 0", np.float64)
    # hidden: rows far apart
    far = Tensor([[0.0, 0.0], [1000.0, 1000.0]])
    check(cross_entropy_naive(far, Tensor([0, 1])), math.log(2.0), "rows far apart")
    ### END HIDDEN TESTS


test_naive_beyond()

# %% [markdown]
"""
## Exercise 5: What may be wrong with labels
Labels come from files and people. Give NumPy wrong ones, and often it obliges: -1 is the last class,
`[True, False]` is a mask of two classes, and a column of labels broadcasts. No error, but a wrong
loss. So check before you compute. A good message says what came, what should have come, and what to
do next; you will be its first reader.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-labels", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def check_classes(input, target):
    """Raise an error unless target (N,) holds a class for each row of input (N, C).

    ValueError, with both shapes, unless they are (N, C) and (N,). RuntimeError, with
    the dtype and the advice dtype=np.int64, unless labels are integers: booleans are
    not. IndexError, with the label and C, if a label is outside 0 ... C - 1.
    """
    # TODO: three checks, in the order of the docstring.
    #
    # APPROACH
    # 1. The number of dimensions of input, and the shape of target.
    # 2. The dtype of target, whose kind is "i" or "u" (signed or unsigned).
    # 3. Collect the labels that are too small or too large. Are there any?
    #
    # EXAMPLE
    # >>> check_classes(Tensor([[1.0, 2.0, 3.0]]), Tensor([2]))
    # >>> check_classes(Tensor([[1.0, 2.0, 3.0]]), Tensor([3]))
    # Traceback (most recent call last):
    # IndexError: label 3 is out of range: there are 3 classes, so 0 to 2
    #
    # HINTS
    # - input.shape[:1] is (N,).
    # - target.data is an array: masks of it can be joined by |; a mask picks from it.
    ### BEGIN SOLUTION
    if input.ndim != 2 or target.shape != input.shape[:1]:
        raise ValueError(
            "expected logits (N, C) and class indices (N,), "
            f"got {input.shape} and {target.shape}; "
            "for one-hot labels write argmax(axis=1), for a column squeeze(1)"
        )
    if target.dtype.kind not in "iu":
        raise RuntimeError(
            f"class indices must be integers, got {target.dtype}; write dtype=np.int64"
        )
    labels, classes = target.data, input.shape[1]
    outside = labels[(labels < 0) | (labels >= classes)]
    if outside.size > 0:
        raise IndexError(
            f"label {outside[0]} is out of range: there are {classes} classes, "
            f"so 0 to {classes - 1}"
        )
    ### END SOLUTION


# %% [markdown]
"""
### Testing labels
Good labels pass; then each of the three errors, and which of them comes first.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-labels-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(5)
def test_labels():
    logits, check_it = Tensor(np.zeros((2, 3))), check_classes
    for good in (Tensor([0, 2]), Tensor([1, 1], np.uint8), Tensor([2, 0], np.int32)):
        check_equal(check_it(logits, good), None, f"check_classes of {good}, all good")
    hint = "the shape of target must be input.shape[:1]"
    column, short = Tensor([[0], [2]]), Tensor([0])
    onehot = Tensor([[1, 0, 0], [0, 0, 1]])
    check_refused(ValueError, ["(2, 3)", "(2, 1)"], check_it, logits, column, hint=hint)
    check_refused(ValueError, ["(2, 3)", "(1,)"], check_it, logits, short, hint=hint)
    check_refused(ValueError, ["(2, 3)", "(2, 3)"], check_it, logits, onehot, hint=hint)
    hint = "logits have two dimensions: look at input.ndim, too"
    check_refused(ValueError, ["(2,)", "(2,)"], check_it, logits[:, 0], good, hint=hint)
    floats, mask = Tensor([0.0, 2.0]), Tensor([True, False])
    check_refused(RuntimeError, ["float32", "int64"], check_it, logits, floats)
    check_refused(RuntimeError, ["bool", "int64"], check_it, logits, mask)
    hint = "0, 1 and 2 are right: look at both ends"
    for bad in (3, 7, -1):
        words = [str(bad), "3"]
        check_refused(IndexError, words, check_it, logits, Tensor([0, bad]), hint=hint)
    wide, hint = Tensor(np.zeros((2, 30))), "the classes are in dimension 1"
    check_equal(check_it(wide, Tensor([0, 29])), None, "label 29 of 30 classes", hint)
    wrong = Tensor([[0.5], [7.0]])  # in all three ways: the shape comes first
    check_refused(ValueError, ["(2, 3)", "(2, 1)"], check_it, logits, wrong)
    print("✅ wrong labels are refused, and the message says why")


test_labels()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-labels-beyond", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@beyond(5, "other wrong shapes · labels far out of range · other dtypes · no rows")
def test_labels_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other wrong shapes
    shapes = [((2, 3), (3,)), ((2, 3), ()), ((2, 3, 4), (2,)), ((3, 2), (2,)), ((), ())]
    for first, second in shapes:
        a, b = Tensor(np.zeros(first)), Tensor(np.zeros(second), np.int64)
        check_refused(ValueError, [str(first), str(second)], check_classes, a, b)
    # hidden: labels far out of range
    wide = Tensor(np.zeros((4, 25)))
    for bad in (25, -100, 2**40, -25):
        words, labels = [str(bad), "25"], Tensor([0, 24, bad, 0])
        check_refused(IndexError, words, check_classes, wide, labels)
    many = Tensor(np.where(np.arange(3000) == 1500, 77, 0))
    zeros = Tensor(np.zeros((3000, 3)))
    check_refused(IndexError, ["77", "3"], check_classes, zeros, many)
    # hidden: other dtypes
    small = Tensor([0, 200, 0, 0], np.uint8)
    check_refused(IndexError, ["200", "25"], check_classes, wide, small)
    logits = Tensor(np.zeros((2, 3)))
    doubles = Tensor([0.0, 7.0], np.float64)
    check_refused(RuntimeError, ["float64", "int64"], check_classes, logits, doubles)
    for kind in (np.int8, np.int16, np.uint16, np.uint32, np.uint64):
        labels = Tensor([0, 2], kind)
        check_equal(check_classes(logits, labels), None, f"{labels.dtype} labels")
        check_equal(labels.dtype, np.dtype(kind), "the dtype of the labels afterwards")
    # hidden: no rows
    nothing = Tensor(np.zeros((0, 3)))
    check_equal(check_classes(nothing, Tensor([], np.int64)), None, "an empty batch")
    check_refused(RuntimeError, ["float32"], check_classes, nothing, Tensor([]))
    words, pair = ["(0, 3)", "(0, 5)"], (nothing, Tensor(np.ones((0, 5))))
    check_refused(ValueError, words, check_classes, *pair)
    ### END HIDDEN TESTS


test_labels_beyond()

# %% [markdown]
"""
## Exercise 6: Cross-entropy, the real one
![The sum of exponentials of 1000, 1001 and 1002 overflows; shifted by 1002 the exponentials are 0.135, 0.368 and 1, and the log of their sum is 0.408](log-sum-exp.svg)

The loss is log Σ exp(z) - zᵧ, and written so it overflows in float32, from a logit of 89 on if not
before. Subtract the largest logit first, and the sum is at least 1, so neither `exp` nor `log` can
fail: that is what `log_softmax` does. At logits 0 and 200, with label 0, the loss is 200. The checks
come first, with or without `label_smoothing`; if it is not 0, `forward` hands over to `self.smooth`,
which Exercise 7 writes. `@tensor_function` lets a faster `cross_entropy` take the place of yours later.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@tensor_function
def cross_entropy(input, target, reduction="mean"):
    """Return -log softmax(input) at the target, reduced (torch.nn.functional's).

    input: logits (N, C); target: class indices (N,), which are not checked here.
    """
    # TODO: take the log-probability of each row's class, and reduce.
    #
    # APPROACH
    # 1. As in the textbook, with log_softmax instead of two steps.
    # 2. Loss(reduction) knows how to reduce.
    # 3. The class below: its forward checks, then decides about smoothing.
    #
    # EXAMPLE
    # >>> CrossEntropyLoss()(Tensor([[0.0, 200.0]]), Tensor([0]))
    # Tensor(200.)
    #
    # HINTS
    # - dim is 1 everywhere: each row has its own softmax.
    # - Pass self.reduction on to cross_entropy.
    ### BEGIN SOLUTION
    log_p = log_softmax(input, dim=1)
    losses = -log_p[arange(len(input)), target]
    return Loss(reduction).reduce(losses)
    ### END SOLUTION


class CrossEntropyLoss(Loss):
    """cross_entropy with checks and label smoothing (torch.nn.CrossEntropyLoss)."""

    def __init__(self, reduction="mean", label_smoothing=0.0):
        """Keep both. RuntimeError shows a label_smoothing that is not from 0 to 1."""
        # TODO: let the base class keep reduction; check and keep label_smoothing.
        ### BEGIN SOLUTION
        super().__init__(reduction)
        if not 0 <= label_smoothing <= 1:
            message = f"label_smoothing must be in [0, 1], got {label_smoothing}"
            raise RuntimeError(message)
        self.label_smoothing = label_smoothing
        ### END SOLUTION

    def forward(self, input, target):
        """Compare logits (N, C) with classes (N,). Raises what check_classes raises.

        A logit of -inf rules its class out (with smoothing the loss is inf or nan).
        """
        # TODO: check_classes; without smoothing, cross_entropy. With smoothing, reduce
        #   self.smooth(losses, log_p): the losses (N,) of cross_entropy with reduction
        #   "none", and the log_softmax (N, C).
        ### BEGIN SOLUTION
        check_classes(input, target)
        if not self.label_smoothing:
            return cross_entropy(input, target, self.reduction)
        losses = cross_entropy(input, target, "none")
        return self.reduce(self.smooth(losses, log_softmax(input, dim=1)))
        ### END SOLUTION


# %% [markdown]
"""
### Testing cross-entropy
The textbook's values, ±1000, a small loss beside large logits, settings, a misspelled one, wrong
labels with and without smoothing. `Marked` has a `smooth` of its own, so this test does not wait for
yours.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-cross-entropy-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_cross_entropy():
    logits, target = Tensor([[0.0, math.log(3.0)], [0.0, 0.0]]), Tensor([1, 0])
    losses = [-math.log(0.75), -math.log(0.5)]
    hint = "log_softmax over dim 1; pass the reduction on"
    made = CrossEntropyLoss, (logits, target)
    check_losses(*made, losses, "-log 0.75 and -log 0.5", hint=hint)
    double = Tensor([[0.0, 1.0, 2.0]], np.float64)
    want = cross_entropies([[0.0, 1.0, 2.0]], [1])
    check_losses(CrossEntropyLoss, (double, Tensor([1])), want, "float64", np.float64)
    far = Tensor([[1000.0, -1000.0], [1000.0, -1000.0]])
    check_losses(CrossEntropyLoss, (far, Tensor([0, 1])), [0.0, 2000.0], "logits ±1000")
    got = cross_entropy(Tensor([[1000.0, 992.0]]), Tensor([0]), "none")
    hint = "log_softmax shifts first, so a small loss keeps its digits"
    check_digits(got, math.log1p(math.exp(-8.0)), "logits 1000 and 992", hint=hint)
    other = Tensor([[-1.0, math.log(3.0)], [0.0, -2.0]])  # with the same largest logits
    one, two = {"input": logits}, {"input": other}
    check_composed(lambda z: cross_entropy(z, target), one, two, "cross_entropy")

    class Marked(CrossEntropyLoss):
        def smooth(self, losses, log_p):
            return losses + 2 * log_p[:, 0]

    want = [loss + 2 * math.log(p) for loss, p in zip(losses, (0.25, 0.5), strict=True)]
    made = (lambda reduction: Marked(reduction, 0.5)), (logits, target)
    check_losses(*made, want, "smooth(losses, log_p)", hint="smooth, then reduce")
    check_losses(Marked, (logits, target), losses, "label_smoothing 0: no smooth")
    yours, calls = vars(Tensor)["cross_entropy"], []

    def faster(*given, **named):
        calls.append(given)
        return yours(*given, **named)

    Tensor.cross_entropy = staticmethod(faster)  # as a tensor_function takes its place
    try:
        CrossEntropyLoss()(logits, target)
    finally:
        Tensor.cross_entropy = yours
    what = "a loss without smoothing calls cross_entropy"
    check_equal(len(calls) > 0, True, what, "so that a faster one can take its place")
    hint = "call check_classes first, whatever label_smoothing is"
    for smoothing in (0.0, 0.5):
        for bad in (Tensor([0, -1]), Tensor([[0], [1]])):
            loss = Marked("mean", smoothing)
            check_same_error(loss, check_classes, logits, bad, hint=hint)
    kept = CrossEntropyLoss(label_smoothing=1).label_smoothing
    what = "CrossEntropyLoss(label_smoothing=1).label_smoothing"
    check_equal(float(kept), 1.0, what)
    check_refused(RuntimeError, ["1.5"], CrossEntropyLoss, "mean", 1.5)
    check_refused(RuntimeError, ["-0.1"], CrossEntropyLoss, "mean", -0.1)
    try:
        Loss("average")
    except Exception as refused:  # so CrossEntropyLoss should, as its base class does
        hint = "super().__init__(reduction) refuses it"
        check_refused(type(refused), [], CrossEntropyLoss, "average", hint=hint)
        given, hint = (logits, target, "average"), "Loss(reduction) refuses it"
        check_refused(Exception, [], cross_entropy, *given, hint=hint)
    print("✅ cross-entropy that lives at any logit")


test_cross_entropy()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-cross-entropy-beyond", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "random logits · no rows · small losses · -inf · wrong labels · no trace")
def test_cross_entropy_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random logits
    rng = np.random.default_rng(6)
    sizes = [(1, 2, 1), (6, 3, 1), (4, 10, 1000), (5, 1, 3), (300, 4, 1)]
    for n, classes, scale in sizes:
        labels = rng.integers(classes, size=n)
        for dtype in (np.float32, np.float64):
            view = Tensor(rng.normal(size=(classes, n)) * scale, dtype).T
            losses = cross_entropies(view.data.tolist(), labels.tolist())
            what = f"{dtype.__name__} logits {view.shape}"
            pair = view, Tensor(labels)
            check_losses(CrossEntropyLoss, pair, losses, what, dtype)
    # hidden: no rows
    nothing = Tensor(np.zeros((0, 3))), Tensor([], np.int64)
    want = Loss("none").reduce(Tensor([])).data.tolist()
    check(CrossEntropyLoss("none")(*nothing), want, "no rows")
    # hidden: small losses
    for top in (-1000.0, 0.0, 500.0):
        got = cross_entropy(Tensor([[top, top - 8.0]]), Tensor([0]), "none")
        check_digits(got, math.log1p(math.exp(-8.0)), f"logits {top} and 8 less")
    got = cross_entropy(Tensor([[1e6, 1e6 - 8.0]], np.float64), Tensor([0]), "none")
    check_digits(got, math.log1p(math.exp(-8.0)), "float64, 1e6 and 8 less", 9)
    # hidden: -inf
    masked = Tensor([[0.0, -math.inf, 0.0], [0.0, -math.inf, 0.0]]), Tensor([2, 1])
    losses = [math.log(2.0), math.inf]
    check_losses(CrossEntropyLoss, masked, losses, "a label that is ruled out")
    # hidden: wrong labels
    logits = Tensor([[0.0, 1.0], [2.0, 0.0]])
    for bad in ([True, False], [0.0, 1.0], [0, -2], [0]):
        check_same_error(CrossEntropyLoss("none"), check_classes, logits, Tensor(bad))
    check_same_error(CrossEntropyLoss(), check_classes, logits[0], Tensor([0, 1]))
    for bad in (2, 1.04, -0.01):
        check_refused(RuntimeError, [str(bad)], CrossEntropyLoss, "mean", bad)
    # hidden: no trace
    loss = CrossEntropyLoss("sum")
    loss(logits, Tensor([0, 1]))
    kept = loss.reduction, loss.label_smoothing
    check_equal(kept, ("sum", 0.0), "the settings of a loss, after a call")
    smoothed = CrossEntropyLoss("none", 0.5)
    smoothed.smooth = lambda losses, log_p: losses + 7
    pair = logits, Tensor([0, 1])
    want = smoothed(*pair).data.tolist()
    kept = smoothed.reduction, smoothed.label_smoothing
    check_equal(kept, ("none", 0.5), "the settings of a smoothed loss")
    check(smoothed.eval()(*pair), want, "a smoothed loss, after eval()")
    check_equal(CrossEntropyLoss().label_smoothing, 0.0, "default label_smoothing")
    ### END HIDDEN TESTS


test_cross_entropy_beyond()

# %% [markdown]
"""
## Exercise 7 (deeper): Label smoothing
![Left: the target is 1 for class 1 and 0 for three others; right: with ε = 0.2 it is 0.85 for class 1 and 0.05 for each other](smoothing.svg)

Only infinite logits have a cross-entropy of 0 (but for rounding), so training drives them ever
further apart. Leave some doubt in the target: a share ε of it is spread evenly over all C classes,
the right one included. The loss is Σ -q log p with this target q. Part of that sum you have already:
it is what the label alone costs. (If you run the cell of Exercise 6 again, run the one below again,
too.)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-smoothing", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(CrossEntropyLoss)
def smooth(self, losses, log_p):
    """Return smoothed losses (N,), from losses (N,) and log-probabilities (N, C)."""
    # TODO: mix each loss with that of a target which is even over all classes.
    #
    # APPROACH
    # 1. What does a row cost if every class has the target 1 / C?
    # 2. Weigh the two by 1 - ε and ε, where ε is self.label_smoothing.
    #
    # EXAMPLE
    # >>> loss = CrossEntropyLoss(label_smoothing=0.5)
    # >>> loss.smooth(Tensor([1.0]), Tensor([[-1.0, -3.0]]))
    # Tensor([1.5])
    #
    # HINTS
    # - In the example the even target costs (1 + 3) / 2 = 2.
    # - Tensor operations only: gradients flow through both parts.
    ### BEGIN SOLUTION
    even = -log_p.mean(axis=1)
    return losses * (1 - self.label_smoothing) + even * self.label_smoothing
    ### END SOLUTION


# %% [markdown]
"""
### Testing label smoothing
The target of the picture, ε of 0.5 and 1, several rows, both dtypes, Tensor operations only.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-smoothing-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(7)
def test_smoothing():
    loss = CrossEntropyLoss(label_smoothing=0.5)
    losses, log_p = Tensor([1.0, 2.0]), Tensor([[-1.0, -3.0], [-2.0, -6.0]])
    got, what = loss.smooth(losses, log_p), "[1, 2], [[-1, -3], [-2, -6]], ε = 0.5"
    check(got, [1.5, 3.0], what, hint="in row 0 the even target costs (1 + 3) / 2")
    p = [0.1, 0.5, 0.2, 0.2]
    want = -0.85 * math.log(0.5) - 0.05 * sum(math.log(p[j]) for j in (0, 2, 3))
    given = [-math.log(0.5)], [[math.log(v) for v in p]]
    hint = "the label has 0.85 in all: 0.8, and its share of 0.2"
    for dtype in (np.float32, np.float64):
        pair = [Tensor(values, dtype) for values in given]
        before = pair[0].data.tolist()
        got = CrossEntropyLoss(label_smoothing=0.2).smooth(*pair)
        check(got, [want], f"the picture's target, p = {p}", dtype, hint)
        check_equal(pair[0].data.tolist(), before, "the losses afterwards")
    loss.label_smoothing = 1
    got = loss.smooth(losses, log_p)
    check(got, [2.0, 4.0], "ε = 1: the label does not matter")
    loss.label_smoothing = 0.5
    one = {"losses": losses, "log_p": log_p}
    two = {"losses": losses + 1, "log_p": log_p * 2}
    check_composed(loss.smooth, one, two, "smooth")
    print("✅ targets with some doubt")


test_smoothing()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-smoothing-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(7, "random logits in both dtypes · many rows · after eval()")
def test_smoothing_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random logits in both dtypes
    rng = np.random.default_rng(7)
    loss = CrossEntropyLoss()
    sizes = [(4, 3, 0.1), (3, 7, 0.25), (2, 5, 0.01), (1, 1, 0.5), (3, 4, 1)]
    for n, classes, eps in sizes:
        rows = rng.normal(size=(n, classes)).tolist()
        labels = rng.integers(classes, size=n).tolist()
        losses, want = (cross_entropies(rows, labels, e) for e in (0, eps))
        log_p = -np.stack([cross_entropies(rows, [j] * n) for j in range(classes)], 1)
        loss.label_smoothing = eps
        for dtype in (np.float32, np.float64):
            got = loss.smooth(Tensor(losses, dtype), Tensor(log_p, dtype))
            check(got, want, f"{n} rows, {classes} classes, ε = {eps}", dtype)
    # hidden: many rows
    ones = Tensor(np.ones(300)), Tensor(np.full((300, 3), -2.0))
    loss.label_smoothing = 0.25
    check(loss.smooth(*ones), [1.25] * 300, "300 rows")
    # hidden: after eval()
    check(loss.eval().smooth(*ones), [1.25] * 300, "after eval()")
    ### END HIDDEN TESTS


test_smoothing_beyond()

# %% [markdown]
"""
## Exercise 8: Yes or no
Is there a cat? A logit of 0 says 0.5, and costs log 2 = 0.69 either way. Put σ(x) = 1 / (1 + e^-x)
into -y log σ(x) - (1 - y) log(1 - σ(x)), and you get (1 - y) x + log(1 + e^-x), which overflows at
x = -1000. But log(1 + e^-x) = max(-x, 0) + log(1 + e^-|x|), whose exponent is never positive, and
x + max(-x, 0) = max(x, 0). So the loss is **max(x, 0) - x y + log(1 + e^-|x|)**: at x = 2 it is 0.13
if the answer is yes, y = 1, and 2.13 if it is no.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-bce", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class BCEWithLogitsLoss(Loss):
    """The binary cross-entropy of each logit, reduced (torch.nn.BCEWithLogitsLoss)."""

    def forward(self, input, target):
        """Compare logits with the probabilities of "yes", floats from 0 to 1.

        ValueError with both shapes if they differ, then RuntimeError with the dtype of
        a target that is not float, and the advice dtype=np.float32. Where the target is
        0 or 1, a small loss keeps its digits.
        """
        # TODO: two checks, then the formula, by Tensor operations.
        #
        # APPROACH
        # 1. The shapes, then the dtype of target, whose kind is "f".
        # 2. The three terms, and reduce.
        #
        # EXAMPLE
        # >>> BCEWithLogitsLoss()(Tensor([-1000.0]), Tensor([1.0]))
        # Tensor(1000.)
        #
        # HINTS
        # - Tensors have maximum, abs, exp and log1p; log1p(v) is log(1 + v), and does
        #   not round 1 + v first. So it can return 2e-9.
        # - maximum(0), not relu: at 0 their slopes differ, and only that of maximum is
        #   right here.
        ### BEGIN SOLUTION
        same_shape(input, target)
        if target.dtype.kind != "f":
            raise RuntimeError(
                f"targets must be float, got {target.dtype}; write dtype=np.float32, "
                "or use CrossEntropyLoss for class indices"
            )
        tail = (-input.abs()).exp().log1p()
        return self.reduce(input.maximum(0) - input * target + tail)
        ### END SOLUTION


# %% [markdown]
"""
### Testing yes or no
Known values, ±1000, a target between 0 and 1, a small loss, Tensor operations only, both errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-bce-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(8)
def test_bce():
    logits = Tensor([0.0, math.log(3.0), math.log(3.0)])  # probabilities 1/2, 3/4, 3/4
    losses = [-math.log(0.5), -math.log(0.75)]
    losses += [-0.4 * math.log(0.75) - 0.6 * math.log(0.25)]
    pair, what = (logits, Tensor([1.0, 1.0, 0.4])), "p = 1/2, 3/4, 3/4; y = 1, 1, 0.4"
    check_losses(BCEWithLogitsLoss, pair, losses, what)
    pair = Tensor([-2.0], np.float64), Tensor([0.0], np.float64)
    want, what = [math.log1p(math.exp(-2))], "float64, logit -2, target 0"
    check_losses(BCEWithLogitsLoss, pair, want, what, np.float64)
    far = Tensor([1000.0, 1000.0, -1000.0, -1000.0]), Tensor([1.0, 0.0, 1.0, 0.0])
    want, hint = [0.0, 1000.0, 1000.0, 0.0], "the exponent -|x| is never positive"
    check_losses(BCEWithLogitsLoss, far, want, "logits ±1000", hint=hint)
    loss = BCEWithLogitsLoss("none")
    for x, y in ((20.0, 1.0), (-20.0, 0.0)):
        got, want = loss(Tensor([x]), Tensor([y])), math.log1p(math.exp(-20.0))
        hint = "log1p, and max(x, 0) - x y"
        check_digits(got, want, f"logit {x}, target {y}", hint=hint)
    given = {"input": logits, "target": Tensor([1.0, 0.5, 0.25])}
    others = {"input": logits + 1, "target": Tensor([0.75, 0.0, 0.5])}
    check_composed(loss, given, others, "BCEWithLogitsLoss")
    column = Tensor([[1.0], [0.0], [1.0]])
    pairs = (logits, column), (column, Tensor([[1.0, 0.0]] * 3))
    for pair in pairs:
        check_same_error(loss, same_shape, *pair, hint="call same_shape first")
    for bad in (Tensor([1, 0, 1]), Tensor([True, False, True])):
        check_refused(RuntimeError, [str(bad.dtype), "float32"], loss, logits, bad)
    print("✅ yes or no, at any logit")


test_bce()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-bce-beyond", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@beyond(8, "random logits, targets · small losses · views, no elements · both mistakes")
def test_bce_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS
    # hidden: random logits, targets
    def plain(x, y):
        yes, no = (max(v, 0.0) + math.log1p(math.exp(-abs(v))) for v in (-x, x))
        return y * yes + (1 - y) * no

    rng, loss = np.random.default_rng(8), BCEWithLogitsLoss("none")
    for shape in ((6,), (2, 1, 3), (3, 2)):
        x, y = rng.normal(size=shape), rng.integers(2, size=shape)
        check_each_loss(BCEWithLogitsLoss, plain, 3 * x, y)
        check_each_loss(BCEWithLogitsLoss, plain, 3 * x, rng.random(size=shape))
        check_each_loss(BCEWithLogitsLoss, plain, 1000 * x, y)
    # hidden: small losses
    for x in (9.0, 10.0, 30.0):
        for dtype, digits in ((np.float32, 3), (np.float64, 11)):
            for logit, y in ((x, 1.0), (-x, 0.0)):
                got = loss(Tensor([logit], dtype), Tensor([y], dtype))
                want = math.log1p(math.exp(-x))
                check_digits(got, want, f"{dtype.__name__} {logit}, target {y}", digits)
    # hidden: views, no elements
    losses = [[plain(1.0, 0.5)], [plain(2.0, 0.0)]]
    views = Tensor([[1.0, 2.0]], np.float64).T, Tensor([[0.5, 0.0]], np.float64).T
    check_losses(BCEWithLogitsLoss, views, losses, "views", np.float64)
    none, want = Tensor([]), Loss("none").reduce(Tensor([])).data.tolist()
    check(loss(none, none), want, "no elements")
    # hidden: both mistakes
    check_same_error(loss, same_shape, Tensor([0.0, 1.0]), Tensor([[1], [0]]))
    ### END HIDDEN TESTS


test_bce_beyond()

# %% [markdown]
"""
## Exercise 9: Accuracy
Of four pictures the model names three correctly: 0.75. That is what people want to hear, and what
nobody trains on. Change a weight a little, and no answer changes, so accuracy is flat nearly
everywhere, and says nothing about where to go; in Part 2 you measure it. It needs the same checks as
a loss: compared with a column of labels, N answers become N × N.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def accuracy(input, target):
    """Return the share of rows of input (N, C) whose largest value is at target (N,).

    A Python float. Of equal largest values the first counts, as for argmax. Raises what
    check_classes raises.
    """
    # TODO: check, then compare what the model says with what is true.
    #
    # APPROACH
    # 1. Check the labels.
    # 2. The mean of booleans is the share of True.
    #
    # EXAMPLE
    # >>> accuracy(Tensor([[2.0, 1.0], [0.0, 3.0]]), Tensor([0, 0]))
    # 0.5
    #
    # HINTS
    # - The answer to a row is where it is largest.
    # - item() gets a Python number out.
    ### BEGIN SOLUTION
    check_classes(input, target)
    right = input.argmax(axis=1) == target
    return right.mean().item()
    ### END SOLUTION


# %% [markdown]
"""
### Testing accuracy
Known values, more classes than rows, ties, a Python float, the errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-accuracy-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(9)
def test_accuracy():
    logits = Tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [-2.0, -1.0]])
    hint = "a share, and a Python float: item()"
    labels = {1.0: [0, 1, 0, 1], 0.75: [0, 1, 0, 0], 0.0: [1, 0, 1, 0]}
    for want, given in labels.items():
        check_equal(accuracy(logits, Tensor(given)), want, f"labels {given}", hint)
    wide = Tensor([[0.0, 0.0, 0.0, 7.0], [0.0, 0.0, 9.0, 0.0]])
    got = accuracy(wide, Tensor([3, 1]))
    check_equal(got, 0.5, "two rows of four classes", "argmax over axis 1")
    tie, hint = Tensor([[2.0, 2.0]]), "of equal values the first counts"
    check_equal(accuracy(tie, Tensor([0])), 1.0, "logits 2 and 2, label 0", hint)
    check_equal(accuracy(tie, Tensor([1])), 0.0, "logits 2 and 2, label 1", hint)
    hint = "call check_classes first"
    for bad in (Tensor([[0], [1], [0], [1]]), Tensor([0, 1, 0, -1])):
        check_same_error(accuracy, check_classes, logits, bad, hint=hint)
    print("✅ accuracy, for people")


test_accuracy()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-accuracy-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(9, "random logits · close logits, many classes · wrong labels")
def test_accuracy_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random logits
    rng = np.random.default_rng(9)
    for n, classes in ((7, 3), (10, 4), (3, 5), (64, 2)):
        for dtype in (np.float32, np.float64):
            scores = Tensor(rng.normal(size=(n, classes)), dtype)
            rows, target = scores.data.tolist(), rng.integers(classes, size=n).tolist()
            pairs = zip(rows, target, strict=True)
            count = sum(row.index(max(row)) == label for row, label in pairs)
            got = accuracy(scores, Tensor(target))
            check(Tensor(got), count / n, f"accuracy of {n} rows")
            check_equal(type(got), float, "the type of an accuracy")
            check_equal(scores.data.tolist(), rows, "the logits afterwards")
    # hidden: close logits, many classes
    close = Tensor([[0.0, 1e-9], [1.0, 1.0005]])
    check_equal(accuracy(close, Tensor([1, 1])), 1.0, "close logits")
    large = Tensor(np.eye(300)[[256]])
    check_equal(accuracy(large, Tensor([256])), 1.0, "class 256 of 300")
    # hidden: wrong labels
    pair = Tensor([[2.0, 1.0], [0.0, 3.0]])
    for bad in (Tensor([0]), Tensor([0, 2]), Tensor([0.0, 1.0]), Tensor([True, False])):
        check_same_error(accuracy, check_classes, pair, bad)
    check_same_error(accuracy, check_classes, pair[0], Tensor([0, 1]))
    ### END HIDDEN TESTS


test_accuracy_beyond()

# %% [markdown]
"""
## It works: a loss that falls, by luck
You have a network and a number that says how wrong it is. That is enough to train: change all weights
a little at random, keep the change if the loss falls, undo it if not. Here are points in a disc and
in a ring around it, which no straight line can tell apart, and a network of 32 weights.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-works", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def random_search(parameters, loss, tries, step=0.3):
    """Move all parameters at random; keep what lowers loss(). Return its history."""
    history = [loss().item()]
    for _ in range(tries):
        before = [p.data.copy() for p in parameters]
        for p in parameters:
            p.data += step * randn(*p.shape).data
        now = loss().item()
        better = now < history[-1]
        step *= 1.5 if better else 0.9  # bolder after luck, more careful after none
        if not better:
            for p, old in zip(parameters, before, strict=True):
                p.data[...] = old
        history.append(min(now, history[-1]))
    return history


def train_by_luck(tries=1000):
    """Plot the loss of a network whose weights move at random, and what it learned."""
    from << cookiecutter.package_name >> import viz

    manual_seed(1)
    ring, angle = np.arange(120) % 2, 6.28 * np.arange(120) / 120
    radius = 2.2 * ring + (0.6 - 0.3 * ring) * randn(120).data
    points = Tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
    model, labels = Sequential(Linear(2, 6), Tanh(), Linear(6, 2)), Tensor(ring)
    parameters, loss = list(model.parameters()), CrossEntropyLoss()
    history = random_search(parameters, lambda: loss(model(points), labels), tries)
    first, last = history[0], history[-1]
    title = f"{tries:,} tries: the loss falls from {first:.2f} to {last:.2f}"
    curve = {"loss": (range(tries + 1), history)}
    viz.lines(curve, title, "tries", "cross-entropy", ylim=(0, 1.05 * first))
    title = f"{accuracy(model(points), labels):.0%} of the points are right"

    def probability(grid):
        return softmax(model(Tensor(grid)), dim=1).data[:, 1]

    viz.regions(probability, points.data, ring, title)
    viz.show()


train_by_luck()

# %% [markdown]
"""
It works, with your losses, and without a single derivative. So why does nobody train like this? Take
the simplest task there is: guess n numbers, with `MSELoss` between guess and truth. The same search,
2,500 tries each, and 10, 100 or 1,000 numbers to find.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-works-scale", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def scale_up(tries=2500):
    """Plot how far random search gets with 10, 100 and 1,000 numbers."""
    from << cookiecutter.package_name >> import viz

    manual_seed(0)
    curves, loss = {}, MSELoss()
    for n in (10, 100, 1000):
        truth, guess = randn(n), Tensor(np.zeros(n))
        history = random_search([guess], lambda g=guess, t=truth: loss(g, t), tries)
        left = [value / history[0] for value in history]
        curves[f"{n:,} numbers"] = range(tries + 1), left
        halved = next((i for i, value in enumerate(left) if value < 0.5), tries)
        print(f"{n:5,} numbers: half of the loss is gone after {halved:4} tries")
    print(f"At this rate a million numbers would take some {halved * 1000:,} tries.")
    title = f"{tries:,} tries at 1,000 numbers leave {left[-1]:.0%} of the loss"
    viz.lines(curves, title, "tries", "share of the loss that is left", ylim=(0, 1.02))
    viz.show()


scale_up()

# %% [markdown]
"""
**Explain your curves.** Ten times the numbers take some ten times the tries, or more. In 1,000
dimensions a random direction is nearly at a right angle to the one that helps: about 1/√1000 of a
step goes the right way, and the rest leads astray, so steps must be small. Language models have
billions of weights. What is missing is a way to know **where downhill is**.

## Part 2: Systems Analysis
You built it; now measure it. Run each cell, look at your own numbers, and explain them to yourself:
only the four questions at the end are marked.

### Memory Profiling
A language model scores each of V tokens at every position: its logits take 4 · tokens · V bytes in
float32. What does the loss need besides them? What if the last layer and the loss see a few rows
at a time?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(tokens=256, width=64, vocabulary=5_000, parts=8):
    """Print the peak memory of last layer and loss; scale it to GPT-2."""
    import tracemalloc

    manual_seed(0)
    loss, head = CrossEntropyLoss("sum"), Linear(width, vocabulary)
    hidden, target = randn(tokens, width), Tensor(np.arange(tokens) * 7 % vocabulary)
    size = 4 * tokens * vocabulary  # bytes
    real = 4 * 8 * 1024 * 50_257  # bytes of GPT-2's logits for 8 texts of 1,024 tokens
    print(f"logits of {tokens} tokens × {vocabulary:,} float32: {size / 1e6:.1f} MB")
    print(f"GPT-2, 8 texts of 1,024 tokens × 50,257: {real / 1e9:.2f} GB")
    for count in (1, parts):
        tracemalloc.start()
        total, step = 0.0, tokens // count
        for i in range(0, tokens, step):
            total += loss(head(hidden[i : i + step]), target[i : i + step]).item()
        factor = tracemalloc.get_traced_memory()[1] / size
        tracemalloc.stop()
        peak = f"{factor:.2f} × logits, {factor * real / 1e9:.1f} GB for GPT-2"
        print(f"rows in {count}: loss {total / tokens:.6f}, peak {peak}")
    d, layers = 768, 12  # GPT-2 small
    weights = (50_257 + 1024) * d + layers * (12 * d**2 + 13 * d) + 2 * d
    millions, size = weights / 1e6, 4 * weights / 1e9
    print(f"All {millions:.0f} million weights of GPT-2 small: {size:.2f} GB")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect about 3 times the logits in one part: the logits, the shifted logits
and their exponentials live at once in `log_softmax`. So the loss of one step outweighs all weights of
GPT-2 small nearly tenfold. Expect little more than an eighth of that in 8 parts, and a loss that
agrees to five or more digits (why not in all?). Which of the three could a fused loop do without?

### Where the textbook dies
Two logits, 0 and z, and the label 0: the loss is z + log(1 + e^-z). How far off are your versions?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-stability", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_stability():
    """Plot the worst relative error of both cross-entropies."""
    from << cookiecutter.package_name >> import viz

    gaps, infinity, curves, deaths = np.arange(1.0, 1001.0), 1e4, {}, []
    exact, labels = gaps + np.log1p(np.exp(-gaps)), Tensor(np.zeros(1000, int))
    for dtype in (np.float32, np.float64):
        rows = Tensor(np.stack([0 * gaps, gaps], axis=1), dtype)
        got = {"stable": cross_entropy(rows, labels, "none").data}
        with np.errstate(divide="ignore"):
            ones = [cross_entropy_naive(row, labels[:1]) for row in rows.unsqueeze(1)]
        got["naive"] = [loss.item() for loss in ones]
        for name, values in got.items():
            errors = np.abs(values - exact) / exact
            worst = np.clip(np.maximum.accumulate(errors), 1e-17, infinity)
            curves[f"{name} {dtype.__name__}"] = gaps, worst
            deaths += gaps[np.isinf(errors)][:1].tolist()
            print(f"{name:6} {dtype.__name__}: relative error up to {errors.max():.1g}")
    title = "Softmax, then log, dies at {:.0f} in float32, at {:.0f} in float64"
    xlabel, ylabel = "z, the distance of the logits", "worst relative error up to z"
    limits = {"xlim": (1, 1000), "ylim": (1e-18, 1e7)}
    ax = viz.lines(curves, title.format(*deaths), xlabel, ylabel, "xy", **limits)
    ax.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1, infinity])
    ax.set_yticklabels(["1e-16", "1e-12", "1e-8", "1e-4", "1", "∞"])
    viz.show()


profile_stability()

# %% [markdown]
"""
**Explain your picture.** Expect death at 104 in float32 and at 746 in float64: e^-z is then less than
half of the smallest positive number, 1.4e-45 or 4.9e-324, and rounds to 0. (A processor that flushes
such subnormal numbers dies at 88 and 709.) Why does the naive error rise before? Does float64 help?

### The cost of a loss
One classifier, with ever more classes: which takes the time, model or loss?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_cost(batch=64):
    """Plot the time of a model and of its loss against the number of classes."""
    from << cookiecutter.package_name >> import viz

    manual_seed(0)
    loss, x = CrossEntropyLoss(), randn(batch, 784)
    counts = (10, 100, 1_000, 10_000, 50_000)
    seconds = {"model": [], "loss": []}
    for classes in counts:
        hidden = [Linear(784, 128), ReLU(), Linear(128, 64), ReLU()]
        model = Sequential(*hidden, Linear(64, classes))
        target = Tensor(np.arange(batch) % classes)
        logits = model(x)
        forward = 1e3 * min(times(lambda m=model: m(x), 5))
        cost = 1e3 * min(times(lambda z=logits, t=target: loss(z, t), 5))
        seconds["model"].append(forward)
        seconds["loss"].append(cost)
        print(f"{classes:6,} classes: model {forward:6.2f} ms, loss {cost:6.2f} ms")
    share = cost / (cost + forward)
    title = f"At {classes:,} classes the loss takes {share:.0%} of the time"
    curves = {name: (counts, values) for name, values in seconds.items()}
    viz.lines(curves, title, "classes", "milliseconds a batch", "xy")
    viz.show()


profile_cost()

# %% [markdown]
"""
**Explain your curves.** At 10 classes the loss is a dozen calls on tiny arrays, a microsecond or more
each: overhead, and the curve is flat. With many classes it makes five passes over the logits (max,
shift, exp, sum, subtract), which read or write each of them eight times: 32 bytes for one `exp` and
four FLOPs. The last layer does 128 FLOPs for each logit, but at BLAS's speed. So the loss takes a
large part of the time. What costs more in it, the bytes or the `exp`? (Module 02 timed `exp(x)`
beside `x + x`.)

### Slopes instead of luck
Random search asks whether a move helps. Nudge **one** weight by ±h instead, and the two losses tell
its slope: which way the loss falls, and how steeply. Move this weight downhill in proportion, take
the next one. How good is that, and what does it cost?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-nudges", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_nudges(moves=60, step=1.0, h=1e-3):
    """Plot loss and accuracy while single weights move downhill."""
    from << cookiecutter.package_name >> import viz

    def slope(measure, array, i):
        """Return the slope of measure(model(x), target) in array[i]."""
        old = array[i]
        array[i] = old + h
        above = float(measure(model(x), target))
        array[i] = old - h
        below = float(measure(model(x), target))
        array[i] = old
        return (above - below) / (2 * h)

    manual_seed(1)
    loss, target = CrossEntropyLoss(), Tensor(np.arange(90) % 3)
    x = randn(90, 2) + Tensor([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])[target]
    model = Sequential(Linear(2, 4), Tanh(), Linear(4, 3))
    arrays = [p.data.reshape(-1) for p in model.parameters()]
    rng = np.random.default_rng(1)
    weights = [(array, i) for array in arrays for i in range(len(array))]
    flat = sum(slope(accuracy, *weight) == 0 for weight in weights)
    losses, right = [loss(model(x), target).item()], [accuracy(model(x), target)]
    for move in range(moves):
        if move % len(weights) == 0:
            rng.shuffle(weights)  # every weight once a round
        array, i = weights[move % len(weights)]
        array[i] -= step * slope(loss, array, i)
        losses.append(loss(model(x), target).item())
        right.append(accuracy(model(x), target))
    first, last = losses[0], losses[-1]
    title = f"{moves} moves, a weight each: loss falls from {first:.2f} to {last:.2f}"
    curves = {"loss": (range(moves + 1), losses), "accuracy": (range(moves + 1), right)}
    viz.lines(curves, title, "moves of a single weight", "", ylim=(0, 1.05 * first))
    viz.show()
    up = sum(after > before for before, after in zip(losses, losses[1:], strict=False))
    print(f"{up} of {moves} moves raised the loss.")
    print(f"Accuracy had slope 0 in {flat} of {len(weights)} weights at the start.")
    x, target = randn(64, 784), Tensor(np.arange(64) % 10)
    hidden = [Linear(784, 128), ReLU(), Linear(128, 64), ReLU()]
    model = Sequential(*hidden, Linear(64, 10))
    count = sum(p.size for p in model.parameters())
    seconds = min(times(lambda: loss(model(x), target)))
    total = 2 * count * seconds
    hours = total * 60_000 / 64 / 3600
    print(f"784-128-64-10: one loss takes {1e6 * seconds:.0f} µs.")
    print(f"All {count:,} slopes take {total:.0f} s: one step of training.")
    print(f"60,000 pictures, 64 a step, would take {hours:.1f} hours.")


profile_nudges()

# %% [markdown]
"""
**Explain your curve.** Expect no move, or very few, that raises the loss: a slope tells the truth
nearby, while luck fails more often than not. Expect accuracy to have slope 0 in nearly all weights,
and to rise in steps nevertheless: why? And the bill: two losses for each weight make **one** step of
a small network last many seconds, and one pass over 60,000 pictures many hours. <% if cookiecutter.last_module >= "05" %>Module 05<% else %>PyTorch's autograd<% endif %>
gets all slopes at once, for the price of a few forward passes.

## Part 3: Production Context
- **Cross-entropy.** `torch.nn.CrossEntropyLoss` is `log_softmax` and then `nll_loss`, as yours is. It
  also takes class probabilities (N, C), further dimensions (N, C, d₁ …), class weights, and
  `ignore_index=-100`: rows with this label count in neither sum nor mean, which padded text needs.
- **Binary.** PyTorch computes (1 - y) x - log σ(x): in float32 that is 0 at x = -20, y = 0, where
  yours keeps 2e-9. It has `pos_weight` for rare positives.
- **Vocabulary.** Fusing the last layer and the loss avoids storing all logits: Liger Kernel works in
  chunks of rows, Cut Cross-Entropy reports 1 MB instead of 24 GB for Gemma 2 (2B), and PyTorch 2.13
  has `nn.LinearCrossEntropyLoss(…, options=nn.LinearCrossEntropyOptions())`. `torch.compile` and XLA
  fuse the passes of the loss itself.
- **Others.** Optax (JAX) returns a loss per row; the reduction is yours. Keras'
  `SparseCategoricalCrossentropy` takes logits for probabilities unless told `from_logits=True`.
- **Wrong labels.** Kernels on a GPU cannot raise Python errors: TensorFlow returns NaN there, and
  PyTorch stops with a device-side assert. Optax does not look at the labels either: C or more gives
  nan, and -1 counts as the last class, as it does in your `cross_entropy` without `check_classes`.
- **Different here.** If shapes differ but broadcast, PyTorch's `MSELoss` and `L1Loss` only warn. It
  checks `reduction` and `label_smoothing` at each call, not at construction, and wants labels in
  int64 or uint8. Here logits are (N, C), labels (N,), and there is no `ignore_index`.

Sources: PyTorch 2.13 docs, `torch/nn/functional.py` and `aten/src/ATen/native/Loss.cpp`; TensorFlow
docs, *tf.nn.sparse_softmax_cross_entropy_with_logits*; Szegedy et al., *Rethinking the Inception
Architecture* (2016); Radford et al., *Language Models are Unsupervised Multitask Learners* (2019);
Wijmans et al., *Cut Your Losses in Large-Vocabulary Language Models* (2024).

### The same in PyTorch

```python
>>> import torch
>>> from torch import nn
>>> logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 200.0, 0.0]])
>>> labels = torch.tensor([1, 0])
>>> nn.CrossEntropyLoss(reduction="none")(logits, labels)
tensor([  1.4076, 200.0000])
>>> x, y = torch.tensor([1.0, 2.0, -20.0]), torch.tensor([1.0, 0.0, 0.0])
>>> nn.MSELoss()(x, y)
tensor(134.6667)
>>> nn.BCEWithLogitsLoss(reduction="none")(x, y)
tensor([0.3133, 2.1269, 0.0000])
>>> nn.CrossEntropyLoss()(logits, torch.tensor([1, -1]))
Traceback (most recent call last):
IndexError: Target -1 is out of bounds.
```

And yours. Look at the last binary loss: who is right?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-like-pytorch", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def compare_with_pytorch():
    """Print what your losses say to the same numbers."""
    logits, labels = Tensor([[2.0, 1.0, 0.0], [0.0, 200.0, 0.0]]), Tensor([1, 0])
    print(CrossEntropyLoss(reduction="none")(logits, labels))
    x, y = Tensor([1.0, 2.0, -20.0]), Tensor([1.0, 0.0, 0.0])
    print(MSELoss()(x, y))
    print(BCEWithLogitsLoss(reduction="none")(x, y))
    try:
        CrossEntropyLoss()(logits, Tensor([1, -1]))
    except IndexError as error:
        print(f"IndexError: {error}")


compare_with_pytorch()


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run the tests you see once more, and show what is done."""
    show_results(
        globals(),
        [
            (1, "From many losses to one", "test_reduction", 6, 2),
            (2, "The same shape, or an error", "test_mse", 7, 2),
            (3, "Absolute error (deeper)", "test_l1", 4, 1),
            (4, "Cross-entropy, as the textbook has it", "test_naive", 5, 2),
            (5, "What may be wrong with labels", "test_labels", 8, 3),
            (6, "Cross-entropy, the real one", "test_cross_entropy", 10, 4),
            (7, "Label smoothing (deeper)", "test_smoothing", 7, 2),
            (8, "Yes or no", "test_bce", 8, 3),
            (9, "Accuracy", "test_accuracy", 5, 1),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: An epsilon
Somebody repairs `cross_entropy_naive` by `(right + 1e-8).log()`. The label's logit is z below the
other one, in float32.
- **(a)** What loss do they get at z = 10, 30 and 200?
- **(b)** What should it be?
- **(c)** In each case, how much does their loss fall if training raises the label's logit by 1?
- **(d)** Why does your version not need the epsilon?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a, b) At z = 10 the probability is 4.5e-5, far above the epsilon: 10.0, which is right. At z = 30
it is 9e-14, so the sum is 1e-8 and the loss 18.4 instead of 30; at z = 200 it underflows to 0 (my
naive loss died at 104) and the loss is 18.4 again, instead of 200. (c) One more on the logit lowers
it by 1.0 at z = 10, as it should everywhere, by some 1e-5 at 30, and by nothing at 200: training
learns nothing from exactly the rows that are most wrong. (d) My version subtracts the largest logit
and takes the log of a sum that contains a 1: what underflows there is too small to matter, and no
log sees it alone.

**Marking rubric (5 points)**
- 2: (a, b) about 10, 18.4, 18.4 against 10, 30, 200. 1: (a) -log 1e-8 as the ceiling.
- 1: (c) 1, about 0, 0, so nothing is learned from the worst rows.
- 1: (d) shift and sum ≥ 1 in `log_softmax`.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: A larger vocabulary
A model has 128,000 tokens; a step sees 4 texts of 8,192 tokens, in float32.
- **(a)** How large are the logits?
- **(b)** What does your loss need at its peak (use your measured factor)?
- **(c)** Into how many parts, at least, must you cut the rows for the loss to stay under 2 GB?
- **(d)** Which `reduction` is right for the parts, however unequal they are, and why?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) 4 · 8,192 = 32,768 rows of 128,000 float32 are 16.8 GB; (b) I measured 3.0 times the logits at
the peak, so 50 GB. (c) A part of 1/n takes 50 / n GB: 26 parts give 1.94 GB, and 32 cut the rows
evenly (1.6 GB). (d) The parts use "sum", and the total is divided by the number of all rows at the
end. With "mean" each part would count the same, whatever its number of rows, so a smaller last part
would be too heavy; means are right only where all parts are equal.

**Marking rubric (5 points)**
- 2: (a, b) 16.8 GB, and about 50 GB with the measured factor. 1: (c) 26 or more parts.
- 2: (d) "sum" and one division at the end; why "mean" fails for unequal parts.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: One softmax too many
A model ends with `Softmax()`, and its output goes into `CrossEntropyLoss`.
- **(a)** Which of your checks notices?
- **(b)** What is the smallest loss that ten classes can reach?
- **(c)** What is the first loss?
- **(d)** How would training look?
- **(e)** Name a check that could warn.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) None: probabilities are floats of the right shape. (b) The best output is 1 for the right class
and 0 for the nine others, so the loss cannot fall below log(e + 9) - 1 = 1.46; (c) an untrained
model starts near log 10 = 2.30, as it should. (d) So the first loss looks right, it falls slowly,
accuracy may even rise, and the loss stays at 1.46 or above however long one trains. (e) A check
could warn if all inputs lie in [0, 1] and every row sums to 1; it can only warn, because such
logits are legal.

**Marking rubric (5 points)**
- 1: (a) no check notices, and why. 2: (b) 1.46 with its derivation.
- 1: (c, d) first loss 2.30, then a plateau.
- 1: (e) a check of range and row sums (or a documented rule: the model returns logits).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Luck, slopes, and their price
The network 784-128-64-10 has 109,386 weights.
- **(a)** From your tries per halving, how many tries would random search take to halve its loss, if
  each weight mattered as there?
- **(b)** How many losses does one step with nudges take?
- **(c)** How long would that step last for a network of ten times as many weights?
- **(d)** Why did nearly every nudged move lower the loss?
- **(e)** Why is accuracy a poor guide for both searches?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) I measured 14, 223 and 2,213 tries for 10, 100 and 1,000 numbers: about 2.2 tries a number, so
some 240,000 tries would halve the loss of 109,386 weights once. (b) One step with nudges takes two
losses a weight, 218,772; at 160 µs each that is 35 s. (c) Ten times the weights means ten times the
losses, and each takes about ten times as long, once matmul dominates: a hundred times, nearly an
hour for one step. (d) A slope says in which direction the loss falls as long as the step is small
enough for the loss to be nearly straight, and moving one weight keeps all others where that slope
was measured. (e) Accuracy is piecewise constant: a small move changes no argmax (slope 0 in all of
my 27 weights), so neither search learns from it whether a small move was good.

**Marking rubric (5 points)**
- 1: (a) tries grow in proportion to the weights, from the measured tries.
- 1: (b) two losses a weight.
- 1: (c) 70 to 100 times the measured time. 1: (d) a slope is right nearby, so steps must be small.
- 1: (e) accuracy is piecewise constant, with the measured count of zero slopes.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
- You built what networks are trained on: a reduction, losses for numbers, cross-entropy and its binary
  form, label smoothing, and accuracy for people; and they refuse what NumPy would take silently.
- You measured that softmax, then log, dies at a finite logit, and that a loss at vocabulary scale
  outweighs its model.
- You trained a network by luck, and saw the price of not knowing where downhill is: tries in
  proportion to the weights, or two losses for the slope of each.<% if cookiecutter.last_module >= "05" %>

**Next, Module 05: Autograd** gets all slopes from one pass backwards, and changes no line of this.<% endif %>
"""
