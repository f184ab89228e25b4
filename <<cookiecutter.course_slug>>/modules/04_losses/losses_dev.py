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

**Learning Objectives:**
- Build the losses that train nearly every network, with PyTorch's names, values and errors.
- Understand why losses take logits, where the textbook formula dies, and which wrong inputs raise no
  error by themselves.
- Analyze what a loss costs in memory and time, up to the vocabulary of a language model.

**Where it stands:** Module 01 gave you Tensors, 02 `log_softmax`, 03 layers and models. A loss turns
a model's output and the truth into one number; Module 05 asks for the slope of this number in every
weight. **Time:** 3 to 4 hours. **Points:** 80 by tests, 20 for written answers.
Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

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

A model with weights w gives the truth y a probability p(y | x, w). Multiply over all examples, take
-log, which turns the product into a sum, and the best weights **minimize Σ -log p**. So the noise
that you assume chooses the loss. With prediction x, logits z (any real numbers) and the sigmoid σ:

| Truth | Noise | -log p, up to constants | Loss |
|---|---|---|---|
| a number | normal | (x - y)² | `MSELoss` |
| a number, with outliers | Laplace | abs(x - y) | `L1Loss` |
| one of C classes | p = softmax(z) | -log pᵧ = log Σⱼ exp(zⱼ) - zᵧ | `CrossEntropyLoss` |
| yes (1) or no (0) | p = σ(z) | -y log σ(z) - (1 - y) log(1 - σ(z)) | `BCEWithLogitsLoss` |

A model that knows nothing says 1 / C, so its cross-entropy is log C: 2.30 for ten classes. The first
loss you print should be near that (random logits of variance v add about v / 2).

### Computational Complexity

| Step | Time | New memory |
|---|---|---|
| `MSELoss`, `L1Loss`, `BCEWithLogitsLoss` of N elements | O(N) | O(N) |
| `log_softmax` in `CrossEntropyLoss`, N rows and C classes | O(N C) | O(N C) |
| picking the right class, checking labels | O(N) | O(N) |
| the slope in each of P weights by nudging it | O(P) losses | O(1) |

All but the last do a few FLOPs per number, so memory limits them. The last is why Module 05 exists.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-check", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import functools
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
    check,
    check_differentiable,
    check_raises,
    times,
)


def check_losses(make, inputs, losses, what, dtype=None):
    """Check make(reduction)(*inputs), for each reduction, against the expected losses (nested lists).

    A warning counts as an error, and so does a change of an input.
    """
    flat = np.array(losses).ravel().tolist()
    expected = {"none": losses, "sum": math.fsum(flat), "mean": math.fsum(flat) / len(flat)}
    before = [t.data.tolist() for t in inputs]
    for reduction, want in expected.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = make(reduction)(*inputs)
        check(got, want, f"{what}, reduction={reduction!r}", dtype)
        assert not caught, f"{what}: the values are right, but NumPy warns: {caught[0].message}"
    assert [t.data.tolist() for t in inputs] == before, f"{what}: an input was modified"


def check_elementwise(make, plain, x, y):
    """Check a loss of arrays x and y, in both float dtypes, against plain(x, y) of each element."""
    for dtype in (np.float32, np.float64):
        a, b = Tensor(x, dtype), Tensor(y, dtype)
        pairs = zip(a.data.ravel().tolist(), b.data.ravel().tolist(), strict=True)
        losses = np.reshape([plain(*pair) for pair in pairs], a.shape).tolist()
        check_losses(make, (a, b), losses, f"{dtype.__name__} of shape {a.shape}", dtype)


def cross_entropies(rows, labels, eps=0.0):
    """Return -Σ q log softmax(row) of each row, where q = eps / C, plus 1 - eps at the label."""
    losses = []
    for row, label in zip(rows, labels, strict=True):
        top, even = max(row), eps / len(row)
        log_sum = top + math.log(math.fsum(math.exp(z - top) for z in row))
        q = [even + (1 - eps) * (j == label) for j in range(len(row))]
        losses.append(math.fsum(w * (log_sum - z) for w, z in zip(q, row, strict=True) if w))
    return losses


def refuses(error, words, call, *inputs):
    """Check that call(*inputs) raises this error, with these words in its message."""
    name = call if isinstance(call, Layer) else call.__name__
    shown = [f"{t.dtype} {t.shape}" if isinstance(t, Tensor) else repr(t) for t in inputs]
    check_raises(error, words, lambda: call(*inputs), f"{name}, called with {' and '.join(shown)}")


# %% [markdown]
"""
## Exercise 1: From many losses to one
Every element or row has its own loss; training needs one number. `"mean"` makes the size of a step
independent of the size of the batch, `"sum"` adds up over batches of any size, and `"none"` shows
which example is to blame. All losses share this choice, so write it once.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-reduction", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write Loss.__init__, which checks and keeps reduction, and reduce.
# Approach: __init__: 1. a reduction that is none of the three: ValueError with what was given and
#   the three valid names. 2. set self.reduction. reduce: "none": values as they are; "sum" and
#   "mean": the Tensor's method.
# Example: Loss("sum").reduce(Tensor([1.0, 2.0]))  ->  Tensor(3.)
# Hint: reduce looks at self.reduction. f"{reduction!r}" shows a string in quotes.
class Loss(Layer):
    """The base of all losses: loss(input, target) returns a Tensor (reduction as in torch.nn).

    A subclass defines forward(input, target). A loss is a Layer without parameters.
    """

    def __init__(self, reduction="mean"):
        """Keep reduction. ValueError names any but "mean", "sum" and "none", and these three."""
        ### BEGIN SOLUTION
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
        self.reduction = reduction
        ### END SOLUTION

    def reduce(self, values):
        """Return the mean or the sum of all values, 0-d, or for "none" the values themselves.

        The mean of no values is nan, with NumPy's warning; no test asks for it.
        """
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
The three of them, the default, the error. Hidden: other shapes, float64, more wrong names.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-reduction-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_reduction():
    values = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    check(Loss("mean").reduce(values), 4.0, 'Loss("mean").reduce(values)')
    check(Loss("sum").reduce(values), 24.0, 'Loss("sum").reduce(values)')
    check(Loss("none").reduce(values), values.data.tolist(), 'Loss("none").reduce(values)')
    check(Loss().reduce(values), 4.0, "Loss().reduce(values)", hint='the default is "mean"')
    refuses(ValueError, ["average", "mean", "sum", "none"], Loss, "average")
    ### BEGIN HIDDEN TESTS
    # hidden: more wrong names
    for bad in (None, "Mean", "", 0.1):
        refuses(ValueError, [str(bad), "mean", "sum", "none"], Loss, bad)
    # hidden: other shapes, both float dtypes
    rng = np.random.default_rng(1)
    for shape in ((), (7,), (2, 3, 4), (5, 1)):
        for dtype in (np.float32, np.float64):
            t, what = Tensor(rng.normal(size=shape), dtype), f"{dtype.__name__}, shape {shape}"
            check_losses(lambda r: Loss(r).reduce, [t], t.data.tolist(), what, dtype)
    # hidden: no losses at all
    check(Loss("sum").reduce(Tensor(np.ones((0, 3)))), 0.0, "the sum of no losses")
    check(Loss(reduction="none").reduce(Tensor([])), [], "no losses")
    # hidden: reduction is read when called
    loss = Loss("none")
    loss.reduction = "sum"
    check(loss.reduce(values), 24.0, 'after loss.reduction = "sum"', hint="read self.reduction")
    first, _ = Loss("none"), Loss("mean")
    assert first.reduction == "none", "each loss keeps its own reduction"
    check(Loss("".join(["s", "um"])).reduce(values), 24.0, 'a "sum" read from a file')
    # hidden: path of Tensor operations
    for name in ("mean", "sum", "none"):
        check_differentiable(lambda n=name: Loss(n).reduce(values), {"values": values}, f"reduce, {name}")
    ### END HIDDEN TESTS
    print("✅ many losses become one, or stay apart")


test_reduction()

# %% [markdown]
"""
## Exercise 2: The same shape, or an error
In Module 01 a prediction of shape `(50000, 1)` met a target `(50000,)`: all pairs got subtracted,
without an error. Now you are the author of the loss: refuse such inputs. Then write the mean squared
error, in which an outlier twice as far away counts four times.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-mse", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write same_shape, then MSELoss.forward.
# Approach: same_shape: shapes that differ are a ValueError with both of them and the next step
#   (reshape). forward: 1. same_shape. 2. the difference. 3. its square, which is one
#   multiplication. 4. self.reduce.
# Example: MSELoss()(Tensor([1.0, 2.0]), Tensor([3.0, 2.0]))  ->  Tensor(2.), the mean of 4 and 0
# Hint: you built everything that this needs in Module 01; no loop, no NumPy.
def same_shape(input, target):
    """Raise ValueError with both shapes unless they are equal."""
    ### BEGIN SOLUTION
    if input.shape != target.shape:
        raise ValueError(
            f"input and target must have the same shape, got {input.shape} and {target.shape}; "
            "reshape one of them"
        )
    ### END SOLUTION


class MSELoss(Loss):
    """The squared error of each element, reduced (torch.nn.MSELoss)."""

    def forward(self, input, target):
        """Compare Tensors of one shape. ValueError with both shapes if they differ."""
        ### BEGIN SOLUTION
        same_shape(input, target)
        error = input - target
        return self.reduce(error * error)
        ### END SOLUTION


# %% [markdown]
"""
### Testing the squared error
Values, reductions, float64, shapes that would broadcast. Hidden: more shapes, views, no elements.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-mse-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
def test_mse():
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 2.0])
    check(MSELoss()(x, y), 2.0, "MSELoss()([1, 2], [3, 2])")
    check_losses(MSELoss, (x, y), [4.0, 0.0], "[1, 2] and [3, 2]")
    got, want = MSELoss()(Tensor([0.1], np.float64), Tensor([0.4], np.float64)), (0.1 - 0.4) ** 2
    check(got, want, "MSELoss of float64", np.float64)
    for call in (same_shape, MSELoss()):
        refuses(ValueError, ["(2, 1)", "(2,)"], call, Tensor([[1.0], [2.0]]), y)
    ### BEGIN HIDDEN TESTS
    # hidden: shapes that would broadcast
    for first, second in (((3, 4), (4,)), ((3, 4), (4, 3)), ((), (1,)), ((2,), (3,))):
        a, b, words = Tensor(np.ones(first)), Tensor(np.ones(second)), [str(first), str(second)]
        for call in (same_shape, MSELoss(), MSELoss("none")):
            refuses(ValueError, words, call, a, b)
            refuses(ValueError, words, call, b, a)
    # hidden: other shapes, large numbers
    rng = np.random.default_rng(2)
    for shape in ((), (5,), (2, 1, 3), (4, 3)):
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        check_elementwise(MSELoss, lambda a, b: (a - b) ** 2, x, y)
        check_elementwise(MSELoss, lambda a, b: (a - b) ** 2, 1000 * x, 0 * y)
    check_elementwise(MSELoss, lambda a, b: (a - b) ** 2, 1000 + x / 100, 1000 + y / 100)
    # hidden: float32 with float64
    single, double = Tensor([1.0]), Tensor([0.1], np.float64)
    check(MSELoss()(single, double), 0.9**2, "float32 and float64", np.float64)
    # hidden: path of Tensor operations
    check_differentiable(lambda: MSELoss()(single, double), {"input": single, "target": double}, "MSELoss")
    # hidden: views, no rows
    t, view = Tensor(x, np.float64), Tensor(y.T, np.float64).T
    losses = [[(a - b) ** 2 for a, b in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]
    check_losses(MSELoss, (t, view), losses, "a transposed target", np.float64)
    check(MSELoss("sum")(t[:0], view[:0]), 0.0, "the sum over no rows", np.float64)
    assert same_shape(t, view) is None, "same_shape of equal shapes should do nothing"
    ### END HIDDEN TESTS
    print("✅ squared errors, and no silent broadcast")


test_mse()

# %% [markdown]
"""
## Exercise 3: Absolute error
An outlier twice as far away counts twice. The constant with the smallest squared error is the mean
of the data, the one with the smallest absolute error their median: try it with 1, 2 and 90.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-l1", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write L1Loss.forward.
# Approach: as MSELoss, with the absolute value instead of the square.
# Example: L1Loss("none")(Tensor([1.0, 2.0]), Tensor([3.0, 2.5]))  ->  Tensor([2. , 0.5])
# Hint: Tensor.abs. The mean of these two errors is 1.25.
class L1Loss(Loss):
    """The absolute error of each element, reduced (torch.nn.L1Loss)."""

    def forward(self, input, target):
        """Compare Tensors of one shape. ValueError with both shapes if they differ."""
        ### BEGIN SOLUTION
        same_shape(input, target)
        error = input - target
        return self.reduce(error.abs())
        ### END SOLUTION


# %% [markdown]
"""
### Testing the absolute error
Errors of both signs, the median, the shape error. Hidden: as for `MSELoss`.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-l1-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_l1():
    x, y = Tensor([1.0, 2.0, -1.0]), Tensor([3.0, 1.5, -1.0])
    check_losses(L1Loss, (x, y), [2.0, 0.5, 0.0], "[1, 2, -1] and [3, 1.5, -1]")
    for name, guess, want in (("median", 2.0, 89.0), ("mean", 31.0, 118.0)):
        got = L1Loss("sum")(Tensor([guess] * 3), Tensor([1.0, 2.0, 90.0]))
        check(got, want, f"the {name} of 1, 2 and 90 against them")
    refuses(ValueError, ["(3,)", "(3, 1)"], L1Loss(), x, Tensor([[1.0], [2.0], [3.0]]))
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes, large errors
    rng = np.random.default_rng(3)
    for shape in ((), (5,), (2, 1, 3), (4, 3)):
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        check_elementwise(L1Loss, lambda a, b: abs(a - b), x, y)
        check_elementwise(L1Loss, lambda a, b: abs(a - b), 0 * x, 1000 * y)
    check(L1Loss()(Tensor([1e20]), Tensor([0.0])), 1e20, "1e20 and 0")
    # hidden: path of Tensor operations
    t = Tensor(x, np.float64)
    check_differentiable(lambda: L1Loss()(t, t.T.T), {"input": t}, "L1Loss")
    # hidden: views, no rows
    check_losses(L1Loss, (t.T, t.T), [[0.0] * 4] * 3, "a view and itself", np.float64)
    check(L1Loss("sum")(t[:0], t[:0]), 0.0, "the sum over no rows", np.float64)
    # hidden: shapes that would broadcast
    refuses(ValueError, ["(4, 3)", "(3, 4)"], L1Loss("sum"), t, t.T)
    refuses(ValueError, ["(4, 3)", "(3,)"], L1Loss("none"), t, t[0])
    ### END HIDDEN TESTS
    print("✅ absolute errors")


test_l1()

# %% [markdown]
"""
## Exercise 4: Cross-entropy, as the textbook has it
Softmax, then the log of the right class's probability. Write it once without tricks, and watch it
die: where the right class is far behind, its probability underflows to 0, and log 0 is -∞. Just
there a loss matters most: the model is sure, and wrong. (This one stays out of the package.)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}}
# TODO: write the formula. No clipping, no epsilon, no log_softmax: its death is the lesson.
# Approach: 1. softmax over dim 1. 2. from row i pick the probability at target[i]. 3. log, mean,
#   and the sign.
# Example: logits [[0, 0]] and target [1]  ->  Tensor(0.693...), which is -log 0.5
# Hint: p[Tensor([0, 1, 2]), Tensor([2, 0, 1])] picks p[0, 2], p[1, 0] and p[2, 1].
def cross_entropy_naive(input, target):
    """Return the mean of -log softmax(input)[target], 0-d.

    input: logits (N, C); target: class indices (N,). It becomes inf, with NumPy's warning, where
    the probability of the right class underflows to 0.
    """
    ### BEGIN SOLUTION
    p = softmax(input, dim=1)
    right = p[arange(len(input)), target]
    return -right.log().mean()
    ### END SOLUTION


# %% [markdown]
"""
### Testing the textbook, and watching it die
Known values, float64, then logits 0 and 200 with label 0, a loss of 200. Hidden: random logits, and
where float64 dies.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-naive-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_naive():
    logits, target = Tensor([[0.0, math.log(3.0)], [0.0, 0.0]]), Tensor([1, 0])
    want = -(math.log(0.75) + math.log(0.5)) / 2
    check(cross_entropy_naive(logits, target), want, "the mean of -log 0.75 and -log 0.5")
    got = cross_entropy_naive(Tensor([[5.0] * 4], np.float64), Tensor([3]))
    check(got, math.log(4.0), "four even logits", np.float64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = cross_entropy_naive(Tensor([[0.0, 200.0]]), Tensor([0]))
    check(got, math.inf, "logits 0 and 200, label 0", hint="no epsilon: let it die")
    assert caught, "NumPy's warning at the log of 0 should be seen"
    ### BEGIN HIDDEN TESTS
    # hidden: no needless warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # only the log of 0 warns, and only if it is the label's
        check(cross_entropy_naive(Tensor([[0.0, 200.0]]), Tensor([1])), 0.0, "[0, 200], label 1")
        far = Tensor([[0.0, 0.0], [1000.0, 1000.0]])
        check(cross_entropy_naive(far, Tensor([0, 1])), math.log(2.0), "rows far apart")
    # hidden: where float64 fails
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        for z, want in ((600.0, 600.0), (800.0, math.inf)):
            got = cross_entropy_naive(Tensor([[0.0, z]], np.float64), Tensor([0]))
            check(got, want, f"float64 logits 0 and {z}, label 0", np.float64)
    # hidden: random logits, both float dtypes
    rng = np.random.default_rng(4)
    for dtype in (np.float32, np.float64):
        logits, target = Tensor(rng.normal(size=(5, 3)), dtype), Tensor(rng.integers(3, size=5))
        rows = logits.data.tolist()
        want = math.fsum(cross_entropies(rows, target.data.tolist())) / 5
        check(cross_entropy_naive(logits, target), want, "random logits", dtype)
        # hidden: the input is not modified
        assert logits.data.tolist() == rows, "cross_entropy_naive modified its input"
    ### END HIDDEN TESTS
    said = caught[0].message if caught else "nothing"
    print(f"✅ the textbook works, and dies: for a loss of 200 it says inf, NumPy says: {said}")


test_naive()

# %% [markdown]
"""
## Exercise 5: What may be wrong with labels
Labels come from files and people. NumPy takes the label -1 for the last class, booleans for a mask
and a column for a broadcast: no error, but a wrong loss. So check before you compute. A good message
says what came, what should have come, and what to do next.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-labels", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: raise the right error for a wrong shape, dtype or range, in this order.
# Approach: 1. shape: input is (N, C) and target (N,), or ValueError with both shapes. 2. dtype:
#   target.dtype.kind is "i" or "u", or RuntimeError with the dtype and the advice dtype=np.int64.
#   3. range: all labels in 0 ... C - 1, or IndexError with one label outside and the number C.
# Example: logits (2, 3), target [0, 3]  ->  IndexError: label 3 is out of range: ... 3 classes
# Hint: input.shape[:1] is (N,). target.data is an array: it can be compared, masks of it joined by |
#   (Tensors have no |), and it can be indexed by a mask.
def check_classes(input, target):
    """Raise an error unless target (N,) holds a class index for each row of the logits (N, C).

    Booleans are no indices. Nor are negative numbers: PyTorch leaves out rows with the label
    -100 (its ignore_index), which is not supported here.
    """
    ### BEGIN SOLUTION
    if input.ndim != 2 or target.shape != input.shape[:1]:
        raise ValueError(
            f"expected logits (N, C) and class indices (N,), got {input.shape} and {target.shape}; "
            "for one-hot labels write argmax(axis=1), for a column squeeze(1)"
        )
    if target.dtype.kind not in "iu":
        raise RuntimeError(
            f"class indices must be integers, got {target.dtype}; write dtype=np.int64"
        )
    labels, classes = target.data, input.shape[1]
    outside = labels[labels.astype("uint64") >= classes]  # unsigned, a negative label is huge
    if outside.size > 0:
        raise IndexError(
            f"label {outside[0]} is out of range: the input has {classes} classes, "
            f"so labels must be 0 to {classes - 1}"
        )
    ### END SOLUTION


# %% [markdown]
"""
### Testing labels
One case of each error; good labels pass. Hidden: other shapes, dtypes and ranges, an empty batch.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-labels-test", "locked": true, "points": 11, "schema_version": 3, "solution": false, "task": false}}
def test_labels():
    logits = Tensor(np.zeros((2, 3)))
    for good in (Tensor([0, 2]), Tensor([1, 1], np.uint8), Tensor([2, 0], np.int32)):
        assert check_classes(logits, good) is None, f"{good} is good: raise and return nothing"
    refuses(ValueError, ["(2, 3)", "(2, 1)"], check_classes, logits, Tensor([[0], [2]]))
    refuses(ValueError, ["(2, 3)", "(3,)"], check_classes, logits, Tensor([0, 2, 1]))
    refuses(ValueError, ["(2,)", "(2,)"], check_classes, logits[:, 0], good)
    refuses(RuntimeError, ["float32", "int64"], check_classes, logits, Tensor([0.0, 2.0]))
    refuses(IndexError, ["7", "3"], check_classes, logits, Tensor([0, 7]))
    refuses(IndexError, ["-1", "3"], check_classes, logits, Tensor([-1, 2]))
    ### BEGIN HIDDEN TESTS
    # hidden: other wrong shapes
    shapes = [((2, 3), (2, 3)), ((2, 3), ()), ((2, 3, 4), (2,)), ((3, 2), (2,)), ((), ())]
    for first, second in shapes:
        a, b = Tensor(np.zeros(first)), Tensor(np.zeros(second), np.int64)
        refuses(ValueError, [str(first), str(second)], check_classes, a, b)
    # hidden: labels out of range
    wide = Tensor(np.zeros((4, 25)))
    for bad in (25, -100, 2**40, -25):
        words = [str(bad), "25"]
        refuses(IndexError, words, check_classes, wide, Tensor([0, 24, bad, 0]))
    refuses(IndexError, ["200", "25"], check_classes, wide, Tensor([0, 200, 0, 0], np.uint8))
    # hidden: wrong dtypes, order of checks
    for bad in (Tensor([True, False]), Tensor([0.0, 7.0], np.float64)):
        refuses(RuntimeError, [str(bad.dtype), "int64"], check_classes, logits, bad)
    column = Tensor([[0.5], [7.0]])  # wrong in all three ways: the shape comes first
    refuses(ValueError, ["(2, 3)", "(2, 1)"], check_classes, logits, column)
    # hidden: empty batches
    nothing = Tensor(np.zeros((0, 3))), Tensor([], np.int64)
    assert check_classes(*nothing) is None, "an empty batch should pass"
    refuses(RuntimeError, ["float32"], check_classes, nothing[0], Tensor([]))
    refuses(ValueError, ["(0, 3)", "(0, 5)"], check_classes, nothing[0], Tensor(np.ones((0, 5))))
    refuses(ValueError, ["(2, 3)", "(0,)"], check_classes, logits, nothing[1])
    refuses(ValueError, ["(1, 3)", "()"], check_classes, logits[:1], Tensor(1))
    # hidden: all integer dtypes, many labels
    for kind in (np.int8, np.int16, np.uint16, np.uint32, np.uint64):
        labels = Tensor([0, 2], kind)
        assert check_classes(logits, labels) is None, f"{labels.dtype} labels are good"
        assert labels.dtype == kind, "check_classes changed its target"
    many = Tensor(np.where(np.arange(3000) == 1500, 77, 0))
    refuses(IndexError, ["77", "3"], check_classes, Tensor(np.zeros((3000, 3))), many)
    assert check_classes(wide, Tensor([24, 0, 24, 1])) is None, "24 is the last of 25 classes"
    ### END HIDDEN TESTS
    print("✅ wrong labels are refused, and the message says why")


test_labels()

# %% [markdown]
"""
## Exercise 6: Cross-entropy, the real one
`log_softmax` of Module 02 never takes the log of 0: it subtracts the largest logit, then the log of a
sum that is at least 1. So the loss at logits 0 and 200 is 200, and since it shifts first, a small
loss does not drown in large logits. If `label_smoothing` is not 0, `forward` calls `self.smooth`,
which you write in Exercise 7; until then nothing calls it. `@tensor_function` lets Module 05 put a faster
`cross_entropy` in place of yours.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write cross_entropy, then the class: __init__ and forward.
# Approach: cross_entropy: 1. log_softmax over dim 1. 2. losses: minus the log-probability of each
#   row's class. 3. Loss(reduction).reduce. __init__: 4. super().__init__(reduction). 5. keep
#   label_smoothing; outside [0, 1] it is a RuntimeError that shows it. forward: 6. check_classes.
#   7. cross_entropy with self.reduction; but if self.label_smoothing, self.reduce of
#   self.smooth(losses, log_p), where losses are those of reduction "none".
# Example: CrossEntropyLoss()(Tensor([[0.0, 200.0]]), Tensor([0]))  ->  Tensor(200.)
# Hint: not 0 <= value <= 1 is True for nan, too.
@tensor_function
def cross_entropy(input, target, reduction="mean"):
    """Return -log softmax(input) at the target, reduced, unchecked (torch.nn.functional's)."""
    ### BEGIN SOLUTION
    log_p = log_softmax(input, dim=1)
    losses = -log_p[arange(len(input)), target]
    return Loss(reduction).reduce(losses)
    ### END SOLUTION


class CrossEntropyLoss(Loss):
    """cross_entropy with checks and label smoothing (torch.nn.CrossEntropyLoss)."""

    def __init__(self, reduction="mean", label_smoothing=0.0):
        """Keep both settings. RuntimeError names a label_smoothing outside [0, 1]."""
        ### BEGIN SOLUTION
        super().__init__(reduction)
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"label_smoothing must be in [0, 1], got {label_smoothing}")
        self.label_smoothing = label_smoothing
        ### END SOLUTION

    def forward(self, input, target):
        """Compare logits (N, C) with class indices (N,). Raises what check_classes raises.

        A logit of -inf rules its class out (label smoothing asks for a little of every class).
        """
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
The textbook's values, ±1000, a small loss beside large logits, settings, wrong labels. Hidden: more
of each, float64, views, -inf, no rows.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-cross-entropy-test", "locked": true, "points": 14, "schema_version": 3, "solution": false, "task": false}}
def test_cross_entropy():
    logits, target = Tensor([[0.0, math.log(3.0)], [0.0, 0.0]]), Tensor([1, 0])
    losses, loss = [-math.log(0.75), -math.log(0.5)], CrossEntropyLoss()
    check(loss(logits, target), math.fsum(losses) / 2, "CrossEntropyLoss()")
    check_losses(CrossEntropyLoss, (logits, target), losses, "-log 0.75 and -log 0.5")
    check(cross_entropy(logits, target, "none"), losses, 'cross_entropy(..., "none")')
    far = Tensor([[1000.0, -1000.0], [1000.0, -1000.0]])
    check_losses(CrossEntropyLoss, (far, Tensor([0, 1])), [0.0, 2000.0], "logits ±1000")
    got, want = loss(Tensor([[1000.0, 992.0]]), Tensor([0])).item(), math.log1p(math.exp(-8.0))
    assert abs(got - want) < 1e-3 * want, f"logits 1000 and 992: expected {want}, got {got}"
    assert CrossEntropyLoss("sum", 0.25).label_smoothing == 0.25, "keep self.label_smoothing"
    refuses(RuntimeError, ["1.5"], CrossEntropyLoss, "mean", 1.5)
    refuses(ValueError, ["max"], CrossEntropyLoss, "max")
    refuses(IndexError, ["-1", "2"], loss, logits, Tensor([0, -1]))
    ### BEGIN HIDDEN TESTS
    # hidden: small loss beside large logits
    for top in (-1000.0, 0.0, 500.0):
        got = loss(Tensor([[top, top - 8.0]]), Tensor([0])).item()
        assert abs(got - want) < 1e-3 * want, f"logits {top} and 8 less: expected {want}, got {got}"
    # hidden: random logits, views, dtypes
    rng = np.random.default_rng(6)
    for n, classes, scale in ((1, 2, 1), (6, 3, 1), (4, 10, 1000), (5, 1, 3)):
        labels = rng.integers(classes, size=n)
        for dtype, kind in ((np.float32, np.uint8), (np.float64, np.int64)):
            view = Tensor(rng.normal(size=(classes, n)) * scale, dtype).T
            losses = cross_entropies(view.data.tolist(), labels.tolist())
            what = f"{dtype.__name__} logits {view.shape} times {scale}"
            check_losses(CrossEntropyLoss, (view, Tensor(labels, kind)), losses, what, dtype)
    check(cross_entropy(view, Tensor(labels)), math.fsum(losses) / 5, "cross_entropy", np.float64)
    # hidden: minus infinity, no rows
    masked = Tensor([[0.0, -math.inf, 0.0], [0.0, -math.inf, 0.0]])
    losses = [math.log(2.0), math.inf]
    check_losses(CrossEntropyLoss, (masked, Tensor([2, 1])), losses, "a logit of -inf")
    nothing = Tensor(np.zeros((0, 3))), Tensor([], np.int64)
    check(CrossEntropyLoss("sum")(*nothing), 0.0, "the sum over no rows")
    check(CrossEntropyLoss("none")(*nothing), [], "no rows")
    # hidden: wrong settings
    for bad in (-0.1, math.nan, 2, 1.04, -0.01):
        refuses(RuntimeError, [str(bad)], CrossEntropyLoss, "mean", bad)
    for bad in (None, ""):
        refuses(ValueError, ["mean", "sum", "none"], CrossEntropyLoss, bad)
    # hidden: many rows, path, more errors
    many, labels = Tensor(rng.normal(size=(300, 4))), rng.integers(4, size=300)
    losses = cross_entropies(many.data.tolist(), labels.tolist())
    check_losses(CrossEntropyLoss, (many, Tensor(labels, np.uint8)), losses, "300 rows")
    got = loss(Tensor([[1e6, 1e6 - 8.0]], np.float64), Tensor([0])).item()
    assert abs(got - want) < 1e-9 * want, f"float64 logits 1e6 and 8 less: {want}, got {got}"
    before = dict(vars(loss))
    check_differentiable(lambda: loss(logits, target), {"input": logits}, "CrossEntropyLoss")
    assert vars(loss) == before, "forward should leave the loss as it is"
    refuses(ValueError, ["(2,)"], loss, logits[0], target)
    kept = [CrossEntropyLoss("mean", eps).label_smoothing for eps in (0, 1)]
    assert [*kept, loss.label_smoothing] == [0, 1, 0], "0 and 1 are allowed, 0 is the default"
    refuses(RuntimeError, ["bool"], loss, logits, Tensor([True, False]))
    refuses(ValueError, ["(2, 2)", "(2, 1)"], loss, logits, Tensor([[0], [1]]))
    ### END HIDDEN TESTS
    print("✅ cross-entropy that lives at any logit")


test_cross_entropy()

# %% [markdown]
"""
## Exercise 7: Label smoothing
A cross-entropy of 0 takes infinite logits, so training drives them apart forever. Leave the target a
doubt: spread the share ε of its probability evenly over all C classes, the right one included. For
this target q the loss -Σ q log p is a mixture of two terms, of which you have one already.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-smoothing", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: mix the losses with those of a target that is even over all classes.
# Approach: 1. even: minus the mean of log_p over the classes, (N,). 2. (1 - ε) losses + ε even,
#   with ε = self.label_smoothing.
# Example: log_p [[-1, -3]], losses [1], ε = 0.5  ->  Tensor([1.5]), as 0.5 * 1 + 0.5 * 2
# Hint: the even target gives every class 1 / C, and a sum times 1 / C is a mean.
@add_to_class(CrossEntropyLoss)
def smooth(self, losses, log_p):
    """Return the smoothed losses (N,), from losses (N,) and log-probabilities (N, C)."""
    ### BEGIN SOLUTION
    even = -log_p.mean(axis=1)
    return losses * (1 - self.label_smoothing) + even * self.label_smoothing
    ### END SOLUTION


# %% [markdown]
"""
### Testing label smoothing
The example, the target q written out, ε = 1. Hidden: random logits, reductions, float64, ±1000.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-smoothing-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
def test_smoothing():
    losses, log_p = Tensor([1.0, 2.0]), Tensor([[-1.0, -3.0], [-2.0, -6.0]])
    got = CrossEntropyLoss(label_smoothing=0.5).smooth(losses, log_p)
    check(got, [1.5, 3.0], "smooth([1, 2], [[-1, -3], [-2, -6]]), ε = 0.5", hint="one loss a row")
    logits, target = Tensor([[0.0, 0.0, math.log(2.0)]]), Tensor([2])  # p is 1/4, 1/4, 1/2
    want = -0.1 * math.log(0.25) - 0.1 * math.log(0.25) - 0.8 * math.log(0.5)
    got = CrossEntropyLoss(label_smoothing=0.3)(logits, target)
    check(got, want, "p = [1/4, 1/4, 1/2], ε = 0.3", hint="q = [0.1, 0.1, 0.8]")
    want = -(math.log(0.25) + math.log(0.25) + math.log(0.5)) / 3
    check(CrossEntropyLoss("mean", 1)(logits, target), want, "ε = 1: the label does not matter")
    ### BEGIN HIDDEN TESTS
    # hidden: random logits, reductions, both dtypes
    rng = np.random.default_rng(7)
    for n, classes, scale, eps in (
        (4, 3, 1, 0.1),
        (3, 7, 1, 0.25),
        (2, 5, 1000, 0.01),
        (3, 4, 1, 1),
    ):
        labels = rng.integers(classes, size=n)
        for dtype in (np.float32, np.float64):
            logits = Tensor(rng.normal(size=(n, classes)) * scale, dtype)
            losses = cross_entropies(logits.data.tolist(), labels.tolist(), eps)
            make = functools.partial(CrossEntropyLoss, label_smoothing=eps)
            what = f"{dtype.__name__} logits {logits.shape} times {scale}, {eps=}"
            check_losses(make, (logits, Tensor(labels)), losses, what, dtype)
    # hidden: eval mode smooths, too
    smoothed = CrossEntropyLoss(label_smoothing=0.25)
    training = smoothed(logits, Tensor(labels)).item()
    assert smoothed.eval()(logits, Tensor(labels)).item() == training, "eval() smooths, too"
    # hidden: path of Tensor operations
    path = {"losses": Tensor([1.0]), "log_p": Tensor([[-1.0, -3.0]])}
    check_differentiable(lambda: smoothed.smooth(*path.values()), path, "smooth")
    # hidden: the losses are not modified
    given = Tensor([1.0])
    CrossEntropyLoss("mean", 0.5).smooth(given, Tensor([[-1.0, -3.0]]))
    check(given, [1.0], "the losses given to smooth", hint="do not change them in place")
    ### END HIDDEN TESTS
    print("✅ targets with a doubt")


test_smoothing()

# %% [markdown]
"""
## Exercise 8: Yes or no
Put σ(x) = 1 / (1 + e^-x) into -y log σ(x) - (1 - y) log(1 - σ(x)), and it is (1 - y) x + log(1 + e^-x).
At x = -1000 that overflows. But log(1 + e^-x) = max(-x, 0) + log(1 + e^-|x|), whose exponent is never
positive, and x + max(-x, 0) = max(x, 0). So the loss is **max(x, 0) - x y + log(1 + e^-|x|)**. The
last term may be tiny; `log1p` keeps it, where 1 + e^-|x| would round to 1.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-bce", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write BCEWithLogitsLoss.forward.
# Approach: 1. same_shape. 2. target.dtype.kind is not "f": RuntimeError with the dtype and the
#   advice dtype=np.float32. 3. the three terms of the formula. 4. reduce.
# Example: BCEWithLogitsLoss()(Tensor([0.0]), Tensor([1.0]))  ->  Tensor(0.693...), log 2
# Hint: maximum, abs, exp and log1p are Tensor methods. maximum(0), not relu: at 0 Module 05 gives
#   them different slopes, and only the one of maximum is right here.
class BCEWithLogitsLoss(Loss):
    """The binary cross-entropy of each logit, reduced (torch.nn.BCEWithLogitsLoss)."""

    def forward(self, input, target):
        """Compare logits with the probabilities of "yes", floats in [0, 1], of the same shape.

        Raises ValueError with both shapes if they differ, then RuntimeError with the dtype of a
        target that is not float. A small loss keeps its digits: 2e-9 is not 0.
        """
        ### BEGIN SOLUTION
        same_shape(input, target)
        if target.dtype.kind != "f":
            raise RuntimeError(f"targets must be float, got {target.dtype}; write dtype=np.float32")
        tail = (-input.abs()).exp().log1p()
        return self.reduce(input.maximum(0) - input * target + tail)
        ### END SOLUTION


# %% [markdown]
"""
### Testing yes or no
Known values, ±1000, a target between 0 and 1, a small loss, both errors. Hidden: more of each,
float64, views, no elements.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-bce-test", "locked": true, "points": 11, "schema_version": 3, "solution": false, "task": false}}
def test_bce():
    logits = Tensor([0.0, math.log(3.0), math.log(3.0)])  # probabilities 1/2, 3/4, 3/4
    losses = [-math.log(0.5), -math.log(0.75), -0.4 * math.log(0.75) - 0.6 * math.log(0.25)]
    check_losses(BCEWithLogitsLoss, (logits, Tensor([1.0, 1.0, 0.4])), losses, "p = 1/2, 3/4, 3/4")
    far = Tensor([1000.0, 1000.0, -1000.0, -1000.0]), Tensor([1.0, 0.0, 1.0, 0.0])
    check_losses(BCEWithLogitsLoss, far, [0.0, 1000.0, 1000.0, 0.0], "logits ±1000")
    loss = BCEWithLogitsLoss()
    got, want = loss(Tensor([20.0]), Tensor([1.0])).item(), math.log1p(math.exp(-20.0))
    assert abs(got - want) < 1e-3 * want, f"logit 20, target 1: expected {want}, got {got}"
    refuses(RuntimeError, ["int64", "float32"], loss, logits, Tensor([1, 0, 1]))
    refuses(ValueError, ["(3,)", "(3, 1)"], loss, logits, Tensor([[1.0], [0.0], [1.0]]))
    ### BEGIN HIDDEN TESTS
    # hidden: path of Tensor operations
    check_differentiable(lambda: loss(logits, logits), {"input": logits}, "BCEWithLogitsLoss")
    # hidden: small losses, both dtypes
    for x, y in ((9.0, 1.0), (10.0, 1.0), (40.0, 1.0)):
        got = loss(Tensor([x], np.float64), Tensor([y], np.float64)).item()
        want = math.log1p(math.exp(-x))
        assert abs(got - want) < 1e-12 * want, f"float64 {x}, {y}: expected {want}, got {got}"
    for x, y in ((-20.0, 0.0), (9.0, 1.0), (30.0, 1.0), (-30.0, 0.0)):
        got, want = loss(Tensor([x]), Tensor([y])).item(), math.log1p(math.exp(-abs(x)))
        assert abs(got - want) < 1e-3 * want, f"logit {x}, target {y}: expected {want}, got {got}"

    # hidden: random logits and targets
    def plain(x, y):
        yes, no = (max(v, 0.0) + math.log1p(math.exp(-abs(v))) for v in (-x, x))
        return y * yes + (1 - y) * no

    rng = np.random.default_rng(8)
    for shape in ((), (6,), (2, 1, 3), (3, 2)):
        x, y = rng.normal(size=shape), rng.integers(2, size=shape)
        check_elementwise(BCEWithLogitsLoss, plain, 3 * x, y)
        check_elementwise(BCEWithLogitsLoss, plain, 3 * x, rng.random(size=shape))
        check_elementwise(BCEWithLogitsLoss, plain, 1000 * x, y)
    # hidden: views, no elements
    losses = [[plain(x[i, j].item(), y[i, j].item()) for i in range(3)] for j in range(2)]
    views = Tensor(x, np.float64).T, Tensor(y, np.float64).T
    check_losses(BCEWithLogitsLoss, views, losses, "views", np.float64)
    check(BCEWithLogitsLoss("sum")(Tensor([]), Tensor([])), 0.0, "the sum over no elements")
    # hidden: wrong dtypes and shapes
    refuses(RuntimeError, ["bool", "float32"], loss, logits, Tensor([True, False, True]))
    refuses(ValueError, ["(3,)", "(2,)"], loss, logits, Tensor([1, 0]))
    ### END HIDDEN TESTS
    print("✅ yes or no, at any logit")


test_bce()

# %% [markdown]
"""
## Exercise 9: Accuracy
What people want to hear, and what nobody trains on: a small change of a weight changes no answer,
so accuracy is flat nearly everywhere and says nothing about where to go. In Part 2 you see it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write accuracy.
# Approach: 1. check_classes, or a column of labels would broadcast to (N, N). 2. the class with the
#   largest logit in each row. 3. compare, mean, item.
# Example: logits [[2, 1], [0, 3]], target [0, 0]  ->  0.5
# Hint: the mean of booleans is the share of True.
def accuracy(input, target):
    """Return the share of rows of input (N, C) whose largest value is at target (N,).

    Of equal largest values the first counts, as for argmax.

    A Python float, as exact as the float32 mean it comes from.

    Raises what check_classes raises.
    """
    ### BEGIN SOLUTION
    check_classes(input, target)
    right = input.argmax(axis=1) == target
    return right.mean().item()
    ### END SOLUTION


# %% [markdown]
"""
### Testing accuracy
Known values, a Python float, the errors. Hidden: random logits, counted one by one.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "losses-accuracy-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_accuracy():
    logits = Tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [-2.0, -1.0]])
    for labels, want in (([0, 1, 0, 1], 1.0), ([0, 1, 0, 0], 0.75), ([1, 0, 1, 0], 0.0)):
        got = accuracy(logits, Tensor(labels))
        assert type(got) is float, f"expected a float, got {type(got).__name__}"
        assert got == want, f"labels {labels}: expected {want}, got {got}"
    refuses(ValueError, ["(4, 2)", "(4, 1)"], accuracy, logits, Tensor([[0], [1], [0], [1]]))
    ### BEGIN HIDDEN TESTS
    # hidden: random logits, input not modified
    rng = np.random.default_rng(9)
    for n, classes in ((7, 3), (10, 4), (3, 5), (64, 2)):
        for dtype in (np.float32, np.float64):
            scores, target = rng.normal(size=(n, classes)), rng.integers(classes, size=n)
            scores = Tensor(scores, dtype)
            rows = scores.data.tolist()
            want = sum(row.index(max(row)) == k for row, k in zip(rows, target, strict=True)) / n
            got = accuracy(scores, Tensor(target))
            assert abs(got - want) < 1e-6, f"logits {scores.shape}: expected {want}, got {got}"
            assert scores.data.tolist() == rows, "accuracy modified its input"
    # hidden: close and equal logits
    close = Tensor([[0.0, 1e-9], [1.0, 1.0005], [2.0, 2.0]])
    for labels, want in (([1, 1, 0], 1.0), ([0, 0, 1], 0.0)):
        assert accuracy(close, Tensor(labels)) == want, f"close logits, labels {labels}: {want}"
    # hidden: many classes, small label dtype
    wide = Tensor(np.eye(300)[[256]])
    assert accuracy(wide, Tensor([0], np.uint8)) == 0.0, "class 256 is not class 0"
    # hidden: wrong shapes, labels, dtypes
    refuses(ValueError, ["(2,)", "(4,)"], accuracy, logits[0], Tensor([0, 1, 0, 1]))
    refuses(ValueError, ["(4, 2)", "(3,)"], accuracy, logits, Tensor([0, 1, 0]))
    refuses(IndexError, ["3", "2"], accuracy, logits, Tensor([0, 1, 3, 1]))
    refuses(RuntimeError, ["float32"], accuracy, logits, Tensor([0.0] * 4))
    ### END HIDDEN TESTS
    print("✅ accuracy, for people")


test_accuracy()

# %% [markdown]
"""
## Part 2: Systems Analysis
You built it; now measure it. Close other programs, run each cell, look at your own numbers, and
explain them to yourself: only the four questions at the end are marked.

### Memory Profiling
A language model scores each of V tokens at every position: its logits take 4 · tokens · V bytes in
float32. What does the loss need beside them? And what if last layer and loss see a few rows at a time?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(tokens=256, width=64, vocabulary=5_000, parts=8):
    """Print the peak memory of last layer and loss, whole and in parts; scale it up to GPT-2."""
    import tracemalloc

    manual_seed(0)
    loss, head, hidden = CrossEntropyLoss("sum"), Linear(width, vocabulary), randn(tokens, width)
    target, size = Tensor(np.arange(tokens) * 7 % vocabulary), 4 * tokens * vocabulary
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
        print(f"{count} part{'s' * (count > 1)}: loss {total / tokens:.6f}, peak ", end="")
        print(f"{factor:.2f} × logits, {factor * real / 1e9:.1f} GB for GPT-2")
    d, layers = 768, 12  # GPT-2 small
    weights = (50_257 + 1024) * d + layers * (12 * d**2 + 13 * d) + 2 * d
    print(f"All {weights / 1e6:.0f} million weights of GPT-2 small: {4 * weights / 1e9:.2f} GB")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect 3 times the logits in one part: the logits, the shifted logits and
their exponentials live at once in `log_softmax`. So the loss of one step outweighs all weights of
GPT-2 small tenfold. Expect little more than an eighth of that in 8 parts, and a loss that agrees to
five or more digits (why not in all?). Which of the three could a fused loop do without?

### Where the textbook dies
Two logits, 0 and z, and the label 0: the loss is z + log(1 + e^-z). How far off are your versions?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-stability", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_stability():
    """Plot the worst relative error of both cross-entropies against the distance of the logits."""
    import matplotlib.pyplot as plt

    gaps, infinity = np.arange(1.0, 1001.0), 1e4  # where to draw an infinite error
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for dtype, color in ((np.float32, "tab:red"), (np.float64, "tab:blue")):
        for version, style in ((cross_entropy_naive, "--"), (CrossEntropyLoss(), "-")):
            errors = []
            for z in gaps.tolist():
                with np.errstate(divide="ignore"):
                    got = version(Tensor([[0.0, z]], dtype), Tensor([0])).item()
                exact = z + math.log1p(math.exp(-z))
                errors.append(abs(got - exact) / exact)
            worst = np.clip(np.maximum.accumulate(errors), 1e-16, infinity)
            axes.plot(gaps, worst, style, color=color, linewidth=2)
            if version is cross_entropy_naive:
                dead = gaps[errors.index(math.inf)]
        name, label = dtype.__name__, {"ha": "right", "color": color}
        axes.annotate(f"naive {name} \ndead at {dead:.0f} ", (dead, 1), **label)
        axes.annotate(f"stable {name}", (1.1, 3 * worst[-1]), color=color)
        print(f"{name}: naive is inf from {dead:.0f} on; stable errs by {worst[-1]:.0e} at most")
    axes.set(xscale="log", xlabel="z, the distance of the logits", xlim=(1, 1000))
    axes.set(yscale="log", ylabel="worst relative error up to z", ylim=(1e-17, 8 * infinity))
    axes.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1, infinity])
    axes.set_yticklabels(["1e-16", "1e-12", "1e-8", "1e-4", "1", "∞"])
    axes.set_title("Softmax, then log, dies at a finite logit")
    plt.show()


profile_stability()

# %% [markdown]
"""
**Explain your picture.** Expect death at 104 in float32 and at 746 in float64: e^-z is then less than
half of the smallest positive number, 1.4e-45 or 4.9e-324, and rounds to 0. (A processor that flushes
such subnormal numbers dies at 88 and 709.) Why does the naive error rise before? Does float64 help?

### The cost of a loss
One classifier, with ever more classes: who takes the time, model or loss?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_cost(batch=64):
    """Print the time of a model's forward pass and of its loss against the number of classes."""
    manual_seed(0)
    loss, x = CrossEntropyLoss(), randn(batch, 784)
    for classes in (10, 100, 1_000, 10_000, 50_000):
        layers = [Linear(784, 128), ReLU(), Linear(128, 64), ReLU(), Linear(64, classes)]
        model, target = Sequential(*layers), Tensor(np.arange(batch) % classes)
        logits = model(x)
        forward = 1e3 * min(times(lambda model=model: model(x)))
        cost = 1e3 * min(times(lambda logits=logits, target=target: loss(logits, target)))
        share = cost / (forward + cost)
        bar = f"{'■' * round(40 * share)} {share:.0%}"
        print(f"{classes:6,} classes: model {forward:5.2f} ms, loss {cost:5.2f} ms  {bar}")
    print(f"At {classes:,} classes the loss takes {cost / forward:.1f} times as long as the model.")


profile_cost()

# %% [markdown]
"""
**Explain your bars.** At 10 classes the loss is a dozen calls of some 2 µs on tiny arrays: overhead.
With many classes it makes five passes over the logits (max, shift, exp, sum, subtract), which read
or write each of them eight times: 32 bytes for one `exp` and four FLOPs. The last layer does 128 FLOPs for each logit, but at BLAS's speed. At
50,000 expect a third to two thirds of the time. Which of the two would twice the FLOP/s speed up?
(A time a hundred times its neighbours': the threads of BLAS waited for a busy machine. Run it again.)

### A loss that falls
You can train without gradients: nudge **one** weight by ±h, see how the loss changes, move the weight
downhill in proportion to the slope, take the next weight.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-profile-nudges", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_nudges(moves=60, step=1.0, h=1e-3):
    """Plot loss and accuracy while single weights move downhill; print the price of a slope."""
    import matplotlib.pyplot as plt

    def slope(measure, array, i):
        """Return the slope of measure(model(x), target) in array[i], by central differences."""
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
    model, order = Sequential(Linear(2, 4), Tanh(), Linear(4, 3)), np.random.default_rng(1)
    weights = [(p.data.reshape(-1), i) for p in model.parameters() for i in range(p.size)]
    flat = sum(slope(accuracy, *weight) == 0 for weight in weights)
    losses, right = [loss(model(x), target).item()], [accuracy(model(x), target)]
    for move in range(moves):
        if move % len(weights) == 0:
            order.shuffle(weights)  # every weight once a round
        array, i = weights[move % len(weights)]
        array[i] -= step * slope(loss, array, i)
        losses.append(loss(model(x), target).item())
        right.append(accuracy(model(x), target))
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.plot(losses, "o-", color="tab:blue", markersize=3)
    axes.step(range(moves + 1), right, color="tab:orange", where="post")
    axes.annotate("loss", (moves + 1, losses[-1]), color="tab:blue")
    axes.annotate("accuracy", (moves + 1, right[-1]), color="tab:orange")
    axes.set(xlabel="moves of a single weight", xlim=(-1, 1.15 * moves), ylim=(0, None))
    axes.set_title(f"{moves} nudges: the loss falls from {losses[0]:.2f} to {losses[-1]:.2f}")
    plt.show()
    up = sum(after > before for before, after in zip(losses, losses[1:], strict=False))
    print(f"{up} of {moves} moves raised the loss.")
    print(f"Accuracy had slope 0 in {flat} of {len(weights)} weights at the start.")
    x, target = randn(64, 784), Tensor(np.arange(64) % 10)
    model = Sequential(Linear(784, 128), ReLU(), Linear(128, 64), ReLU(), Linear(64, 10))
    count = sum(p.size for p in model.parameters())
    seconds = min(times(lambda: loss(model(x), target)))
    total = 2 * count * seconds
    print(f"784-128-64-10: one loss takes {1e6 * seconds:.0f} µs, {count:,} slopes {total:.0f} s.")
    print(f"60,000 pictures, 64 a step, would take {total * 60_000 / 64 / 3600:.1f} hours.")


profile_nudges()

# %% [markdown]
"""
**Explain your curve.** Expect no move, or very few, that raises the loss: a slope tells the truth
nearby. Expect accuracy to have slope 0 in nearly all weights, and to rise in steps nevertheless: why?
And the bill: two losses per weight, 20 to 100 s for **one** step of a small network, hours for one
pass over 60,000 pictures. Module 05 gets all slopes at once, for the price of a few forward passes.

## Part 3: Production Context
- **Cross-entropy.** `torch.nn.CrossEntropyLoss` is `log_softmax` and then `nll_loss`, as yours is. It
  also takes class probabilities (N, C), further dimensions (N, C, d₁ …), class weights, and
  `ignore_index=-100`: rows so labeled count neither in sum nor mean, which padded text needs.
- **Binary.** PyTorch computes (1 - y) x - log σ(x): in float32 that is 0 at x = -20, y = 0, where
  yours keeps 2e-9. It has `pos_weight` for rare positives.
- **Vocabulary.** Fusing last layer and loss avoids storing all logits: Liger Kernel works in chunks
  of rows, Cut Cross-Entropy reports 1 MB instead of 24 GB for Gemma 2 (2B), and PyTorch 2.13 has
  `nn.LinearCrossEntropyLoss`. `torch.compile` and XLA fuse the passes of the loss itself.
- **Others.** Optax (JAX) returns a loss per row; the reduction is yours. Keras'
  `SparseCategoricalCrossentropy` takes logits for probabilities unless told `from_logits=True`.
- **Wrong labels.** Kernels on a GPU cannot raise Python errors: TensorFlow returns NaN there, PyTorch
  stops with a device-side assert, and JAX clamps an index that is out of bounds.
- **Different here.** If shapes differ, PyTorch's `MSELoss` and `L1Loss` only warn, and broadcast. It
  checks `reduction` and `label_smoothing` at the first call, not at construction, and wants labels in
  int64 or uint8. Here logits are (N, C), labels (N,), and there is no `ignore_index`.

Sources: PyTorch 2.13 docs, `torch/nn/functional.py` and `aten/src/ATen/native/Loss.cpp`; TensorFlow
docs, *tf.nn.sparse_softmax_cross_entropy_with_logits*; JAX docs, *The Sharp Bits*; Szegedy et al.,
*Rethinking the Inception Architecture* (2016); Radford et al., *Language Models are Unsupervised
Multitask Learners* (2019); Wijmans et al., *Cut Your Losses in Large-Vocabulary Language Models* (2024).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "losses-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 04 is complete: you have losses")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer in three to six sentences each; where you measured, use your own numbers.

### Question 1: An epsilon
Somebody repairs `cross_entropy_naive` by `(right + 1e-8).log()`. The label's logit is z below the
other one, in float32. What loss do they get at z = 10, 30 and 200, and what should it be? In each
case, how much does it fall if training raises the label's logit by 1? Why does your version not
need it?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
At z = 10 the probability is 4.5e-5, the epsilon is nothing to it: 10.0, right. At z = 30 it is
9e-14, so the sum is 1e-8 and the loss 18.4 instead of 30; at z = 200 it underflows to 0 (my naive
loss died at 104) and the loss is 18.4 again, instead of 200. One more on the logit lowers it by 1.0
at z = 10, as it should everywhere, by some 1e-5 at 30, and by nothing at 200: training learns nothing
from exactly the rows that are most wrong. My version subtracts the largest logit and takes the log of
a sum that contains a 1: what underflows there is too small to matter, and no log sees it alone.

**Marking rubric (5 points)**
- 2: about 10, 18.4, 18.4 against 10, 30, 200. 1: -log 1e-8 as the ceiling.
- 1: 1, about 0, 0: nothing is learned from the worst rows. 1: shift and sum ≥ 1 in `log_softmax`.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: A larger vocabulary
A model has 128,000 tokens; a step sees 4 texts of 8,192 tokens, in float32. How large are the logits,
and what does your loss need at its peak (use your measured factor)? Into how many parts, at least,
must you cut the rows for the loss to stay under 2 GB? Which `reduction` is right for the parts,
however unequal they are, and why?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
4 · 8,192 = 32,768 rows of 128,000 float32 are 16.8 GB; I measured 3.0 times the logits at the peak,
so 50 GB. A part of 1/n takes 50 / n GB: 26 parts give 1.94 GB, and 32 cut the rows evenly (1.6 GB).
The parts use "sum", and the total is divided by the number of all rows at the end. With "mean" each
part would count the same, whatever its number of rows, so a smaller last part would be too heavy;
means are right only where all parts are equal.

**Marking rubric (5 points)**
- 2: 16.8 GB, and about 50 GB with the measured factor. 1: 26 or more parts.
- 2: "sum" and one division at the end; why "mean" fails for unequal parts.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: One softmax too many
A model ends with `Softmax()`, and its output goes into `CrossEntropyLoss`. Which of your checks
notices? What is the smallest loss that ten classes can reach, what is the first loss, and how would
training look? Name a check that could warn.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
None: probabilities are floats of the right shape. The best output is 1 for the right class and 0 for
the nine others, so the loss cannot fall below log(e + 9) - 1 = 1.46; an untrained model starts
near log 10 = 2.30, as it should. So the first loss looks right, it falls slowly, accuracy may even
rise, and the loss stays at 1.46 or above however long one trains. A check could warn if all
inputs lie in [0, 1] and every row sums to 1; it can only warn, because such logits are legal.

**Marking rubric (5 points)**
- 1: no check notices, and why. 2: 1.46 with its derivation. 1: first loss 2.30, then a plateau.
- 1: a check of range and row sums (or a documented rule: the model returns logits).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: The price of a slope
How long would one step with nudges take for a network of 10 times as many weights? (The number of
losses grows tenfold, the time of each nearly so.) Why did nearly every move lower the loss although you looked at
one weight at a time? And why is accuracy useless for this search?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "losses-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
I measured about 160 µs for one loss of 784-128-64-10 and so 35 s for 2 · 109,386 of them. Ten times
the weights means ten times the losses, and each takes about ten times as long, once matmul
dominates: a hundred times, nearly an hour for one step. The slope says in which direction the loss
falls as long as the step is small enough for the loss to be nearly straight, and moving one weight
keeps all others where that slope was measured. Accuracy is piecewise constant: a small nudge
changes no argmax (slope 0 in most of my weights), so it does not say which way to go.

**Marking rubric (5 points)**
- 2: 70 to 100 times the measured time. 1: a slope is right nearby, so steps must be small.
- 2: accuracy is piecewise constant, with the measured count of zero slopes.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built what networks are trained on: a reduction, two losses for numbers, cross-entropy with label
smoothing, its binary form, and accuracy for people; and you refused shapes and labels that NumPy
would have taken silently. You measured that softmax, then log, dies at a finite logit, that a loss
at vocabulary scale outweighs its model, and that slopes by nudging cost two losses per weight.

**Next, Module 05: Autograd** gets all slopes from one pass backwards, and changes no line of this.
"""
