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
# Module 01: Tensor

Everything a neural network sees and everything it learns is a block of numbers: a picture, a batch
of sentences, a million weights. The class that holds such a block is called a **tensor**. Most
mistakes in deep learning are mistakes about tensors: a shape that fits by accident, a copy that
nobody wanted, a dtype that doubles the memory. Build one yourself, and you can say what a line does
and what it costs before you run it.

**Learning Objectives:**
- Build `Tensor`, the data structure under every neural network.
- Understand shape, dtype, stride, view, copy and broadcasting well enough to predict each of them.
- Analyze what an operation costs in bytes and in FLOPs, and which of the two limits it.

**You are here:** << cookiecutter.__map | replace("01 Tensor", "**01 Tensor**") >>

**Time:** 5 to 6 hours. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper*
can wait: nothing later needs them.

**History.** Kenneth Iverson's notation APL (1962) treated whole arrays as single values, and in 1995
Jim Hugunin brought such arrays to Python with *Numeric*, from which NumPy grew. BLAS, the library
behind your `@`, began in Fortran in 1979 with operations on vectors; matrix products came in 1990.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import functools
import math
import operator

import numpy as np

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-testing", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_array,
    check_differentiable,
    check_equal,
    check_raises,
    exercise,
    record_operations,
    show_results,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

A tensor is a line of numbers in memory, its **buffer**, and three facts about it. Take the buffer
`1 2 3 4 5 6`, and say its **shape** is (2, 3): then it is a matrix, and row 1 begins at the 4.

![One buffer of six numbers, read as 2 rows and 3 columns with strides 3 and 1, and transposed, as 3 rows and 2 columns with strides 1 and 3](buffer.svg)

- **shape**: the size of each dimension;
- **dtype**: how to read the bytes, as float32, int64 or bool;
- **strides**: how far to jump for one step along each dimension. Element (i, j) of the matrix on the
  left stands at place 3 i + 1 j.

Change the shape and the strides alone, and you have a **view**: the same numbers, read in another
order. So transposing a gigabyte takes a microsecond.

### Computational Complexity

| Operation | Time | New memory |
|---|---|---|
| create, copy, concatenate, elementwise `+ * exp` | O(N) | O(N) |
| reduce an axis of size r: `sum`, `mean`, `max` | O(N) | O(N / r) |
| view: `reshape`, `permute`, slice, broadcast | O(d) | O(d) |
| `(b, m, k) @ (b, k, n)`: C[i, j] = Σₚ A[i, p] · B[p, j] | O(b m k n) | O(b m n) |

N elements, d dimensions, b matrices in a batch. A matmul does 2mkn FLOPs on mk + kn + mn numbers,
so a large one computes, while nearly everything else in this table waits for memory. (**FLOPs** are
floating-point operations, here mkn products and as many sums; FLOP/s are FLOPs a second.)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-class", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def add_to_class(cls):
    """Make the decorated function a method of cls: so a class grows cell by cell."""

    def attach(function):
        setattr(cls, function.__name__, function)
        return function

    return attach


class Tensor:
    """An array of numbers of one dtype (interface of torch.Tensor)."""

    shape = property(lambda self: self.data.shape, doc="The size of each dimension.")
    ndim = property(lambda self: self.data.ndim, doc="The number of dimensions.")
    size = property(lambda self: self.data.size, doc="The number of elements.")
    dtype = property(lambda self: self.data.dtype, doc="The NumPy dtype of an element.")

    def __array__(self, dtype=None, copy=None):
        """Let NumPy and matplotlib read the data."""
        return np.array(self.data, dtype=dtype, copy=copy)

    def __repr__(self):
        """Show the values, and the dtype unless it is usual."""
        text = np.array2string(self.data, separator=", ", prefix="Tensor(")
        usual = self.dtype in (np.float32, np.int64, np.bool_)
        text += "" if usual else f", dtype={self.dtype}"
        return f"Tensor({text}{', requires_grad=True' if self.requires_grad else ''})"


# %% [markdown]
"""
## Exercise 1: A Tensor owns its numbers
Here is a class that holds no numbers yet. `@add_to_class(Tensor)` above a function makes it a method
of `Tensor`, so you can write one method at a time and try it at once. (Run the class itself again,
and all of them are gone: run the cells below it again, too.) The first is `__init__`.

`Tensor(data)` copies, as `torch.tensor` does: what happens to `data` later changes no Tensor. Floats
become float32, half the bytes of NumPy's float64 and precise enough for training. Integers and
booleans stay what they are: labels, indices, masks. The attributes `requires_grad`, `grad` and
`grad_fn` are for training, later: here they only have to be there.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-init", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def __init__(self, data, dtype=None, requires_grad=False):
    """Copy numbers, nested lists, an ndarray, or a Tensor, which keeps its dtype.

    TypeError, with the name of the Python type ("str"), unless data are real numbers
    (for rows of unequal length NumPy raises a ValueError: let it pass).
    RuntimeError, with the dtype ("int64"), if integers are to require gradients.
    """
    # TODO: make an ndarray of your own from data, and set the four attributes.
    #
    # APPROACH
    # 1. Look at data with np.asarray. A dtype.kind that is not in "biuf" (bool, int,
    #    unsigned, float) is a TypeError.
    # 2. No dtype given, and floats? Then it is np.float32, unless data is a Tensor.
    # 3. Copy the array, in this dtype.
    # 4. requires_grad is for floats only.
    # 5. Set data, requires_grad, grad and grad_fn. The last two are None for now.
    #
    # EXAMPLE
    # >>> Tensor([1, 2.5])
    # Tensor([1. , 2.5])
    # >>> Tensor([1, 2]).dtype
    # dtype('int64')
    #
    # HINTS
    # - np.array(array, dtype=dtype) copies; np.asarray only where it must.
    # - type(data).__name__ is the name of its Python type.
    ### BEGIN SOLUTION
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        kind = type(data).__name__
        raise TypeError(f"a Tensor holds real numbers, got {kind} ({array.dtype})")
    if dtype is None and array.dtype.kind == "f" and not isinstance(data, Tensor):
        dtype = np.float32
    array = np.array(array, dtype=dtype)
    if requires_grad and array.dtype.kind != "f":
        raise RuntimeError(
            f"only floating-point Tensors can require gradients, got {array.dtype}; "
            "write dtype=np.float32"
        )
    self.data = array
    self.requires_grad = requires_grad
    self.grad = None  # the gradient belongs here ...
    self.grad_fn = None  # ... and here the operation that made this Tensor
    ### END SOLUTION


# %% [markdown]
"""
### Testing construction
Values and dtypes, the four attributes, the copy, both errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-init-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
@exercise(1)
def test_init():
    check(Tensor([1, 2.5]), [1.0, 2.5], "Tensor([1, 2.5])", hint="floats: float32")
    check(Tensor([[1, 2], [3, 4]]), [[1, 2], [3, 4]], "Tensor([[1, 2], [3, 4]])")
    check(Tensor([True, False]), [True, False], "Tensor([True, False])")
    double = Tensor(0.1, dtype=np.float64)
    check(double, 0.1, "Tensor(0.1, dtype=np.float64)", np.float64)
    t = Tensor([3.0], requires_grad=True)
    got = (t.requires_grad, t.grad, t.grad_fn)
    check_equal(got, (True, None, None), "requires_grad, grad and grad_fn")
    check_equal(Tensor([3.0]).requires_grad, False, "Tensor([3.0]).requires_grad")
    array = np.ones(2, np.float32)
    t = Tensor(array)
    again = Tensor(t)
    array[0] = t.data[1] = 5.0
    check(t, [1.0, 5.0], "Tensor(array), after array changed", hint="np.array copies")
    check(again, [1.0, 1.0], "Tensor(t), after t changed", hint="np.array copies")
    check_raises(TypeError, ["str"], lambda: Tensor("three"), 'Tensor("three")')
    what = 'Tensor(["1.5"], np.float32)'
    check_raises(TypeError, ["list"], lambda: Tensor(["1.5"], np.float32), what)
    what = "Tensor([1], requires_grad=True)"
    check_raises(RuntimeError, ["int64"], lambda: Tensor([1], requires_grad=True), what)
    print("✅ a Tensor copies, chooses its dtype and refuses nonsense")


test_init()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-init-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "data that is a Tensor · other dtypes · no numbers, unequal rows")
def test_init_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: data that is a Tensor
    x = np.random.default_rng(1).normal(size=(3, 4))
    for dtype in (np.float32, np.float64):
        given = x.astype(dtype)
        t = Tensor(given, dtype=dtype)
        again = Tensor(t)
        given[:] = 0.0
        check(t, x.tolist(), "Tensor(array), after array changed", dtype, "copy")
        t.data[:] = 0.0
        check(again, x.tolist(), "Tensor(tensor), after tensor changed", dtype, "copy")
    copied = Tensor(Tensor([1.0], requires_grad=True)).requires_grad
    check_equal(copied, False, "requires_grad of Tensor(tensor), unasked")
    # hidden: other dtypes
    check(Tensor(x), x.tolist(), "Tensor(float64 array)")
    check(Tensor([1], np.float64, True), [1.0], "Tensor([1], float64)", np.float64)
    for dtype in (np.uint8, np.int32):
        what = f"a {dtype.__name__} array"
        check(Tensor(np.array([1, 2], dtype)), [1, 2], what, dtype)
    check(Tensor(np.ones(2, np.float16)), [1.0, 1.0], "a float16 array")
    # hidden: no numbers, unequal rows
    for bad in (None, ["1.5"], 1j):
        check_raises(TypeError, [], lambda bad=bad: Tensor(bad, np.float32), f"{bad}")
    call = functools.partial(Tensor, [True], requires_grad=True)
    check_raises(RuntimeError, ["bool"], call, "Tensor([True], requires_grad=True)")
    check_raises(ValueError, [], lambda: Tensor([[1, 2], [3]]), "Tensor([[1, 2], [3]])")
    ### END HIDDEN TESTS


test_init_beyond()

# %% [markdown]
"""
## Exercise 2: Numbers in, numbers out
Every `t + other` asks what `other` is. A number must become a plain Python `float` or `int`, which
adapts to the array. NumPy's own numbers do not: `np.ones(2, np.float32) * np.float64(2)` is float64,
16 bytes where 8 would do. So whatever below computes with an `other` asks one function, `unwrap`,
which lets Tensors and numbers in and nothing else. `item()` gets a Python number out again, say a
loss to print.

Provided beside it: `t.numpy()`, and what lets you print `f"{loss:.2f}"`.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-numpy", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
@add_to_class(Tensor)
def numpy(self):
    """Return the array itself, not a copy."""
    return self.data


@add_to_class(Tensor)
def __format__(self, spec):
    """Format a Tensor without dimensions as its number, as in f"{loss:.2f}"."""
    if self.ndim == 0:
        return format(self.item(), spec)
    return object.__format__(self, spec)


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-numbers", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def unwrap(other):
    """Return what NumPy computes with: a Tensor's own array, or a Python float or int.

    TypeError on anything else: it names the type and advises writing Tensor(...).
    """
    # TODO: tell apart Tensors, floats and whole numbers, Python's and NumPy's.
    #
    # APPROACH
    # 1. Of a Tensor, return the array itself.
    # 2. Of a number, Python's or NumPy's, return Python's: a float or an int.
    # 3. Refuse everything else, lists and arrays included.
    #
    # EXAMPLE
    # >>> unwrap(np.float64(2.5))
    # 2.5
    # >>> unwrap(Tensor([1, 2]))
    # array([1, 2])
    #
    # HINTS
    # - isinstance takes a tuple: (float, np.floating), or (int, np.integer, np.bool_).
    # - type(other).__name__ is the name of its type.
    ### BEGIN SOLUTION
    if isinstance(other, Tensor):
        return other.data
    if isinstance(other, (float, np.floating)):
        return float(other)
    if isinstance(other, (int, np.integer, np.bool_)):
        return int(other)
    kind = type(other).__name__
    raise TypeError(f"expected a Tensor or a number, got {kind}; write Tensor(...)")
    ### END SOLUTION


@add_to_class(Tensor)
def item(self):
    """Return the only element as a Python number.

    RuntimeError, with the shape, unless there is exactly one element.
    """
    # TODO: count the elements, then return the one (ndarrays have an item(), too).
    ### BEGIN SOLUTION
    if self.size != 1:
        raise RuntimeError(f"expected one element, got shape {self.shape}")
    return self.data.item()
    ### END SOLUTION


Tensor.__bool__ = lambda self: bool(self.item())
Tensor.__int__ = lambda self: int(self.item())
Tensor.__float__ = lambda self: float(self.item())

# %% [markdown]
"""
### Testing numbers
Exact types, because `np.float64(2.5) == 2.5` would hide a mistake.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-numbers-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
@exercise(2)
def test_numbers():
    t = Tensor([1.0, 2.0])
    check_equal(unwrap(t) is t.data, True, "unwrap(t) is t.data", hint="do not copy")
    hint = "a Python number: np.float64 would make float32 arrays float64"
    for number in (2.5, np.float64(2.5), np.float32(0.5)):
        check_equal(unwrap(number), float(number), f"unwrap({number!r})", hint)
    for number in (2, np.int64(2), np.uint8(7)):
        check_equal(unwrap(number), int(number), f"unwrap({number!r})", hint)
    for bad in ([1.0], "1", None, np.ones(2)):
        words, what = [type(bad).__name__, "Tensor("], f"unwrap({bad!r})"
        check_raises(TypeError, words, lambda bad=bad: unwrap(bad), what)
    check_equal(Tensor([[7]]).item(), 7, "Tensor([[7]]).item()")
    check_equal(Tensor(2.5).item(), 2.5, "Tensor(2.5).item()", "a Python float")
    what = "item() of two elements"
    check_raises(RuntimeError, ["(2,)"], lambda: t.item(), what, "show self.shape")
    what = 'f"{Tensor(2.345):.2f}", which calls item()'
    check_equal(f"{Tensor(2.345):.2f}", "2.35", what)
    print("✅ numbers get in and out")


test_numbers()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-numbers-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "other NumPy numbers · item() of other Tensors · other things refused")
def test_numbers_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other NumPy numbers
    check_equal(unwrap(np.float16(0.5)), 0.5, "unwrap(np.float16(0.5))")
    check_equal(unwrap(np.int32(-3)), -3, "unwrap(np.int32(-3))")
    for yes in (True, np.bool_(True)):
        got = unwrap(yes)
        check_equal((isinstance(got, int), got == 1), (True, True), f"unwrap({yes!r})")
    # hidden: item() of other Tensors
    check_equal(Tensor([0.1], np.float64).item(), 0.1, "item() of float64")
    got = Tensor([[[True]]]).item()
    check_equal((isinstance(got, int), got == 1), (True, True), "item() of a bool")
    for shape in ((0,), (1, 3), (2, 2)):
        t = Tensor(np.ones(shape))
        check_raises(RuntimeError, [str(shape)], t.item, f"item() of shape {shape}")
    # hidden: other things refused
    for bad in (np.array(2.5), (1, 2), 1j, Tensor):
        words, what = [type(bad).__name__], f"unwrap({bad!r})"
        check_raises(TypeError, words, lambda bad=bad: unwrap(bad), what)
    ### END HIDDEN TESTS


test_numbers_beyond()

# %% [markdown]
"""
## Exercise 3: Predict a broadcast
Many silent bugs in deep learning are broadcasts that nobody intended, so learn to predict them. Write
the two shapes one below the other, aligned on the right. Two sizes fit if they are equal or one of
them is 1: that one is stretched, and where a size is missing, it counts as 1.

![A column of shape (3, 1) and a vector of shape (4,): both are stretched to shape (3, 4), and their sum has that shape](broadcast.svg)

Nothing is copied for that: NumPy reads the same number again.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-broadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def broadcast_shape(a, b):
    """Return the shape of x + y, for arrays x and y of the shapes a and b (tuples).

    ValueError, with both shapes as given, if they do not fit.
    """
    # TODO: apply the rule to the sizes, pair by pair.
    #
    # APPROACH
    # 1. Make both shapes equally long.
    # 2. Decide for each pair of sizes: which one stays, or do they not fit?
    #
    # EXAMPLE
    # >>> broadcast_shape((3, 1), (4,))
    # (3, 4)
    # >>> broadcast_shape((32, 1, 5), (4, 1))
    # (32, 4, 5)
    #
    # HINTS
    # - (1,) * 2 + (3,) is (1, 1, 3).
    # - A size can be 0, and 0 with 1 gives 0: max is not the rule.
    ### BEGIN SOLUTION
    ndim = max(len(a), len(b))
    padded_a = (1,) * (ndim - len(a)) + a
    padded_b = (1,) * (ndim - len(b)) + b
    shape = []
    for m, n in zip(padded_a, padded_b, strict=True):
        if m != n and m != 1 and n != 1:
            raise ValueError(f"{a} and {b} do not broadcast: {m} and {n} differ")
        shape.append(n if m == 1 else m)
    return tuple(shape)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the rule
Each pair that fits in both orders, and what is said of others.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-broadcast-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(3)
def test_broadcast_shape():
    for a, b, expected in (
        ((3,), (3,), (3,)),
        ((2, 3), (3,), (2, 3)),
        ((3, 1), (4,), (3, 4)),
        ((4, 1), (1, 5), (4, 5)),
        ((32, 1, 5), (4, 1), (32, 4, 5)),
        ((7, 1, 1, 2), (3, 1), (7, 1, 3, 2)),
        ((), (2,), (2,)),
        ((0,), (1,), (0,)),
    ):
        for pair in ((a, b), (b, a)):
            check_equal(broadcast_shape(*pair), expected, f"broadcast_shape{pair}")
    hint = "a pair fits if it is equal or has a 1; the message shows a and b as given"
    for a, b in (((2, 3), (2,)), ((4, 3), (5, 3)), ((3,), (2, 2))):
        words, what = [str(a), str(b)], f"broadcast_shape({a}, {b})"
        call = functools.partial(broadcast_shape, a, b)
        check_raises(ValueError, words, call, what, hint)
    print("✅ you can predict every broadcast")


test_broadcast_shape()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-broadcast-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(3, "no dimensions, no elements · random pairs · more pairs that do not fit")
def test_broadcast_shape_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: no dimensions, no elements
    cases = [((), (), ()), ((1, 3), (0, 1), (0, 3)), ((1,), (1, 1), (1, 1))]
    for a, b, expected in cases:
        check_equal(broadcast_shape(a, b), expected, f"broadcast_shape({a}, {b})")
    # hidden: random pairs
    rng, cases = np.random.default_rng(3), []
    for _ in range(12):
        shape = tuple(rng.integers(2, 9, size=rng.integers(1, 6)).tolist())
        ones = rng.integers(0, 3, size=len(shape)).tolist()  # 1 in a, b, or none
        pairs = list(zip(shape, ones, strict=True))
        a, b = (tuple(1 if one == c else n for n, one in pairs) for c in (0, 1))
        # a may omit leading 1s
        start = next(i for i, one in enumerate([*ones, 1]) if one != 0)
        cases += [(a, b, shape), (a[start:], b, shape)]
    for a, b, expected in cases + [(b, a, expected) for a, b, expected in cases]:
        check_equal(broadcast_shape(a, b), expected, f"broadcast_shape({a}, {b})")
    # hidden: more pairs that do not fit
    for a, b in (((0,), (2,)), ((7, 2, 3), (3, 3)), ((2,), (4, 3))):
        words, what = [str(a), str(b)], f"broadcast_shape({a}, {b})"
        check_raises(ValueError, words, lambda a=a, b=b: broadcast_shape(a, b), what)
    ### END HIDDEN TESTS


test_broadcast_shape_beyond()

# %% [markdown]
"""
## Exercise 4: Two makers, eighteen methods
`t + 10` calls `t.__add__(10)`. In `10 - t` the int gives up, and Python calls `t.__rsub__(10)`:
there, `self` stands on the **right**. Eighteen methods differ in one function only, so write the two
functions that make them all, as NumPy does (`numpy/lib/mixins.py`). Each does three things:

![A Tensor plus a number: unwrap gives an array and a number, NumPy adds them, result_of wraps the new array and looks at the inputs](result.svg)

Provided, and you need not read it: `result_of`. From int and float32 NumPy makes float64,
PyTorch float32, and so does `result_of`, which looks at the inputs that you pass. The tests look at
these inputs, too, because a gradient must find its way to each of them. So every operation returns
through it, and passes all inputs whose numbers, changed or not, are in the result.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-result-of", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def result_of(array, *inputs):
    """Wrap the array that an operation computed from inputs, without a copy.

    A float dtype that none of the input Tensors has becomes float32, which copies.
    """
    array = np.asarray(array)
    rare = array.dtype.kind == "f" and array.dtype != np.float32
    if rare and array.dtype not in [t.dtype for t in inputs if isinstance(t, Tensor)]:
        array = array.astype(np.float32)
    result = Tensor.__new__(Tensor)  # without __init__, which would copy
    result.data, result.requires_grad = array, False
    result.grad = result.grad_fn = None
    return result


@add_to_class(Tensor)
def backward(self, gradient=None):
    """Compute gradients: not yet."""
    raise NotImplementedError("Tensor.backward <% if cookiecutter.last_module >= '05' %>arrives with autograd in Module 05<% else %>is no part of this course<% endif %>")


Tensor.__array_ufunc__ = None  # so that array + tensor asks the Tensor


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-operators", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def binary(function):
    """Return the method for self + other and the like (other: a Tensor or number)."""

    def method(self, other):
        # TODO: unwrap, compute, wrap. The same again in reflected.
        #
        # APPROACH
        # 1. Call function, with two arguments in the right order.
        # 2. Return the array through result_of, with both inputs.
        #
        # EXAMPLE
        # >>> Tensor([1.0, 2.0]) + 10
        # Tensor([11., 12.])
        # >>> 10 - Tensor([1.0, 2.0])
        # Tensor([9., 8.])
        #
        # HINTS
        # - operator.sub(a, b) is a - b; function may be any such function.
        # - NumPy broadcasts by itself.
        ### BEGIN SOLUTION
        array = function(self.data, unwrap(other))
        return result_of(array, self, other)
        ### END SOLUTION

    return method


def reflected(function):
    """Return the method for other + self and the like, where other is a number."""

    def method(self, other):
        # TODO: as in binary, but here self stands on the right.
        ### BEGIN SOLUTION
        array = function(unwrap(other), self.data)
        return result_of(array, other, self)
        ### END SOLUTION

    return method


Tensor.__add__, Tensor.__radd__ = binary(operator.add), reflected(operator.add)
Tensor.__sub__, Tensor.__rsub__ = binary(operator.sub), reflected(operator.sub)
Tensor.__mul__, Tensor.__rmul__ = binary(operator.mul), reflected(operator.mul)
Tensor.__truediv__ = binary(operator.truediv)
Tensor.__rtruediv__ = reflected(operator.truediv)
Tensor.__pow__, Tensor.__rpow__ = binary(operator.pow), reflected(operator.pow)
Tensor.__lt__, Tensor.__le__ = binary(operator.lt), binary(operator.le)
Tensor.__gt__, Tensor.__ge__ = binary(operator.gt), binary(operator.ge)
Tensor.maximum, Tensor.minimum = binary(np.maximum), binary(np.minimum)
_equal, _unequal = binary(operator.eq), binary(operator.ne)
# No Tensor is None: then the answer is one bool, as in PyTorch.
Tensor.__eq__ = lambda self, other: other is not None and _equal(self, other)
Tensor.__ne__ = lambda self, other: other is None or _unequal(self, other)

# %% [markdown]
"""
### Testing operators
All eighteen, with numbers on both sides, against Python's own. `check_differentiable` follows the
result back to its inputs: it fails where one was computed but not returned through `result_of`, or
where an input was left out.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-operators-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
@exercise(4)
def test_operators():
    t = Tensor([1.0, 2.0])
    check(t + 10, [11.0, 12.0], "Tensor([1., 2.]) + 10")
    hint = "reflected: self is on the right"
    check(10 - t, [9.0, 8.0], "10 - Tensor([1., 2.])", hint=hint)
    check(t * Tensor([[3.0], [4.0]]), [[3.0, 6.0], [4.0, 8.0]], "shapes (2,) * (2, 1)")
    check_raises(TypeError, ["list"], lambda: t + [1.0, 2.0], "t + a list", "unwrap")
    check(Tensor([1, 2]) + 1, [2, 3], "Tensor([1, 2]) + 1", hint="integers stay")
    check(Tensor([1, 2]) / 2, [0.5, 1.0], "Tensor([1, 2]) / 2", hint="see result_of")
    double, hint = Tensor([0.1], np.float64), "result_of(array, self, other)"
    number = "leave a number a number, and pass self to result_of, too"
    check(double + 0.2, [0.1 + 0.2], "float64 Tensor + 0.2", np.float64, number)
    check(0.2 - double, [0.2 - 0.1], "0.2 - float64 Tensor", np.float64, number)
    check(t + double, [1.1, 2.1], "float32 Tensor + float64 Tensor", np.float64, hint)
    a, b = Tensor([2.0, 5.0]), Tensor([3.0, 5.0])
    arithmetic = [operator.add, operator.sub, operator.mul, operator.truediv]
    comparisons = [operator.lt, operator.le, operator.gt, operator.ge]
    for op in [*arithmetic, operator.pow, *comparisons, operator.eq, operator.ne]:
        what = f"a = Tensor([2., 5.]), b = Tensor([3., 5.]), {op.__name__}"
        check(op(a, b), [op(2.0, 3.0), op(5.0, 5.0)], f"{what}(a, b)")
        check(op(a, 2), [op(2.0, 2), op(5.0, 2)], f"{what}(a, 2)")
        check(op(2, a), [op(2, 2.0), op(2, 5.0)], f"{what}(2, a)")
    check(a.maximum(b), [3.0, 5.0], "a.maximum(b)")
    check(a.minimum(4), [2.0, 4.0], "a.minimum(4)")
    check(a, [2.0, 5.0], "a, after all that", hint="leave the inputs as they are")
    check_differentiable(lambda: a * b, {"a": a, "b": b}, "a * b")
    check_differentiable(lambda: 2 - a, {"a": a}, "2 - a")
    print("✅ two makers made eighteen methods")


test_operators()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-operators-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(4, "whole numbers · random values, both float dtypes · inputs are not modified")
def test_operators_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: whole numbers
    check(Tensor(5) - Tensor(2), 3, "Tensor(5) - Tensor(2)")
    check(7 - Tensor([1, 2]), [6, 5], "7 - int Tensor")
    check(Tensor([1, 2]) * 0.5, [0.5, 1.0], "int Tensor * 0.5")
    check(Tensor([1, 2]) >= 1.5, [False, True], "int Tensor >= 1.5")
    small = Tensor(np.array([1], np.int32))
    check(1 + small, [2], "1 + int32 Tensor", np.int32)
    check(Tensor([5, 6]) + Tensor([1.0, 2.0]), [6.0, 8.0], "int + float32 Tensor")
    # hidden: random values, both float dtypes
    arithmetic = ["add", "sub", "mul", "truediv", "pow"]
    comparisons = ["eq", "ne", "lt", "le", "gt", "ge"]
    rng = np.random.default_rng(4)
    for dtype in (np.float32, np.float64):
        x = rng.uniform(0.5, 2.0, size=(3, 1)).astype(dtype).tolist()
        y = [x[0][0], *rng.uniform(0.5, 2.0, size=3).astype(dtype).tolist()]
        a, b, u = Tensor(x, dtype), Tensor(y, dtype), [row[0] for row in x]
        for name in arithmetic + comparisons:
            op, kind = getattr(operator, name), dtype if name in arithmetic else bool
            check(op(a, b), [[op(v, w) for w in y] for v in u], f"{name}(a, b)", kind)
            check(op(b, 1.5), [op(w, 1.5) for w in y], f"{name}(b, 1.5)", kind)
            check(op(1.5, b), [op(1.5, w) for w in y], f"{name}(1.5, b)", kind)
        check(a.maximum(b), [[max(v, w) for w in y] for v in u], "a.maximum(b)", dtype)
        check(b.minimum(1.25), [min(w, 1.25) for w in y], "b.minimum(1.25)", dtype)
        # hidden: inputs are not modified
        check_equal((a.data.tolist(), b.data.tolist()), (x, y), "the inputs, after")
    ### END HIDDEN TESTS


test_operators_beyond()

# %% [markdown]
"""
## Exercise 5: Functions of each element
The same idea for one operand: `exp`, `log`, `sqrt`, `tanh`, `abs` and `-t` differ in the function
only. Then the two by which networks choose: `clip` keeps values in a range, and `where` picks from
two Tensors by a mask: from 1 2 3 and 10 20 30, by the mask yes no yes, it makes 1 20 3.

Provided: `in_floats`, since NumPy takes the `exp` of an 8-bit integer in float16, PyTorch in float32;
and `@tensor_function`, which keeps `where` in `Tensor`, so that a later version reaches all who
imported it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-functions", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def in_floats(function):
    """Return function, but computing with integers and booleans in float32."""
    return lambda a: function(a if a.dtype.kind == "f" else a.astype(np.float32))


def tensor_function(fn):
    """Make fn a static method of Tensor; return a function that calls this method."""
    name = fn.__name__
    setattr(Tensor, name, staticmethod(fn))

    @functools.wraps(fn)
    def call(*args, **kwargs):
        return getattr(Tensor, name)(*args, **kwargs)

    return call


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-elementwise", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def unary(function):
    """Return the method that applies function to every element of self."""

    def method(self):
        # TODO: as in binary, without other.
        ### BEGIN SOLUTION
        array = function(self.data)
        return result_of(array, self)
        ### END SOLUTION

    return method


Tensor.exp, Tensor.log = unary(in_floats(np.exp)), unary(in_floats(np.log))
Tensor.sqrt, Tensor.tanh = unary(in_floats(np.sqrt)), unary(in_floats(np.tanh))
Tensor.abs, Tensor.__abs__ = unary(np.abs), unary(np.abs)
Tensor.__neg__, Tensor.__round__ = unary(operator.neg), unary(np.round)
Tensor.log1p = unary(in_floats(np.log1p))  # log(1 + x), exact where 1 + x rounds to 1
Tensor.erf = unary(np.vectorize(math.erf, otypes=[float]))  # NumPy has none


@add_to_class(Tensor)
def clip(self, min=None, max=None):
    """Return self with values below min raised to min, above max lowered to max.

    min, max: Tensors, numbers, or None for no bound.
    """
    # TODO: let np.clip do it, and tell result_of all that took part.
    #
    # APPROACH
    # 1. Unwrap each bound that is not None.
    # 2. np.clip(array, low, high) takes None for a bound that is not there.
    # 3. The bounds are inputs, too: the result may have their dtype.
    #
    # EXAMPLE
    # >>> Tensor([-2.0, 0.5, 3.0]).clip(0, 1)
    # Tensor([0. , 0.5, 1. ])
    # >>> where(Tensor([True, False]), Tensor([1, 2]), 0)
    # Tensor([1, 0])
    #
    # HINTS
    # - Inside, min and max are the arguments, not Python's functions.
    ### BEGIN SOLUTION
    low = None if min is None else unwrap(min)
    high = None if max is None else unwrap(max)
    array = np.clip(self.data, low, high)
    return result_of(array, self, min, max)
    ### END SOLUTION


@tensor_function
def where(condition, a, b):
    """Return a where the bool Tensor condition is True, b elsewhere (torch.where)."""
    # TODO: np.where with three operands, each of them unwrapped.
    ### BEGIN SOLUTION
    array = np.where(unwrap(condition), unwrap(a), unwrap(b))
    return result_of(array, a, b)
    ### END SOLUTION


# %% [markdown]
"""
### Testing functions of each element
Against Python's `math`; each bound alone; what decides the dtype.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-elementwise-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(5)
def test_elementwise():
    t, mask = Tensor([-2.0, 0.5, 3.0]), Tensor([True, False, True])
    check(-t, [2.0, -0.5, -3.0], "-Tensor([-2., 0.5, 3.])")
    check(abs(t), [2.0, 0.5, 3.0], "abs(Tensor([-2., 0.5, 3.]))")
    check(-Tensor([1, -2]), [-1, 2], "-Tensor([1, -2])", hint="integers stay integers")
    double, hint = Tensor([0.1, 0.2, 0.3], np.float64), "result_of, with all inputs"
    for name in ("exp", "log", "log1p", "sqrt", "tanh", "erf"):
        function = getattr(math, name)
        got, expected = getattr(double, name)(), [function(x) for x in (0.1, 0.2, 0.3)]
        what = f"Tensor([0.1, 0.2, 0.3], np.float64).{name}()"
        check(got, expected, what, np.float64, hint)
    check(Tensor([0, 1]).exp(), [1.0, math.e], "Tensor([0, 1]).exp()")
    check(t.clip(0, 1), [0.0, 0.5, 1.0], "Tensor([-2., 0.5, 3.]).clip(0, 1)")
    check(t.clip(min=1), [1.0, 1.0, 3.0], "Tensor([-2., 0.5, 3.]).clip(min=1)")
    check(t.clip(max=1), [-2.0, 0.5, 1.0], "Tensor([-2., 0.5, 3.]).clip(max=1)")
    what = "float32 Tensor, clipped by a float64 Tensor"
    check(t.clip(max=double), [-2.0, 0.2, 0.3], f"{what}, max", np.float64, hint)
    check(t.clip(min=double), [0.1, 0.5, 3.0], f"{what}, min", np.float64, hint)
    check(where(mask, t, 0.0), [-2.0, 0.0, 3.0], "where([True, False, True], t, 0.0)")
    check(where(mask, 1, t), [1.0, 0.5, 1.0], "where([True, False, True], 1, t)")
    got, what = where(mask, t, double), "where(mask, float32 Tensor, float64 Tensor)"
    check(got, [-2.0, 0.2, 3.0], what, np.float64, hint)
    check(t, [-2.0, 0.5, 3.0], "t, after all that", hint="leave the inputs as they are")
    low, high = Tensor([0.0]), Tensor([1.0])
    bounds = {"t": t, "min": low, "max": high}
    check_differentiable(lambda: t.exp(), {"t": t}, "t.exp()")
    check_differentiable(lambda: t.clip(low, high), bounds, "t.clip(min, max)")
    inputs = {"a": t, "b": low}
    check_differentiable(lambda: where(mask, t, low), inputs, "where(mask, a, b)")
    print("✅ functions of each element work")


test_elementwise()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-elementwise-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(5, "random values, both float dtypes · broadcasting, infinity · whole numbers")
def test_elementwise_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random values, both float dtypes
    x = np.random.default_rng(5).uniform(0.1, 3.0, size=(2, 3))
    for dtype in (np.float32, np.float64):
        rows = x.astype(dtype).tolist()
        a = Tensor(rows, dtype)
        for name in ("exp", "log", "log1p", "sqrt", "tanh", "erf"):
            expected = [[getattr(math, name)(v) for v in row] for row in rows]
            check(getattr(a, name)(), expected, f"a.{name}()", dtype)
        check(result_of(-a.data, a).abs(), rows, "(-a).abs()", dtype)
        expected = [[min(max(v, 0.5), 1.1) for v in row] for row in rows]
        check(a.clip(0.5, 1.1), expected, "a.clip(0.5, 1.1)", dtype)
        expected = [[min(v, 1.0) for v in rows[0]], [min(v, 2.0) for v in rows[1]]]
        got = a.clip(max=Tensor([[1.0], [2.0]], dtype))
        check(got, expected, "a.clip(max=Tensor)", dtype)
        expected = [[v if v < 1.5 else 9.0 for v in row] for row in rows]
        got = where(Tensor(a.data < 1.5), a, 9)
        check(got, expected, "where(a < 1.5, a, 9)", dtype)
        check_equal(a.data.tolist(), rows, "the input, afterwards")
    # hidden: broadcasting, infinity
    mask, t = Tensor([True, False, True]), Tensor([-2.0, 0.5, 3.0])
    expected = [[0.5, 1.0, 0.5], [0.5, 2.0, 0.5]]
    got = where(mask, 0.5, Tensor([[1.0], [2.0]]))
    check(got, expected, "where, of shapes (3,), (), (2, 1)")
    check(where(mask, t, -math.inf), [-2.0, -math.inf, 3.0], "where(mask, t, -inf)")
    # hidden: whole numbers
    whole = Tensor([-1, 2, 3])
    check(-whole, [1, -2, -3], "-int Tensor")
    check(whole.abs(), [1, 2, 3], "abs of an int Tensor")
    check(Tensor(np.array([12], np.uint8)).exp(), [math.exp(12)], "exp of uint8")
    check(whole.clip(min=2), [2, 2, 3], "int Tensor clipped by an int")
    check(whole.clip(0, 2.5), [0.0, 2.0, 2.5], "int Tensor clipped by a float")
    check(where(mask, 1, 0), [1, 0, 1], "where(mask, 1, 0)")
    ### END HIDDEN TESTS


test_elementwise_beyond()

# %% [markdown]
"""
## Exercise 6: Reductions
A reduction folds an axis away: one number where there was a row. With `keepdims=True` a size of 1 stays
in its place, and so the result broadcasts against the input again.

![A matrix of shape (2, 3): sum(axis=0) adds down the columns and gives shape (3,); sum(axis=1) adds along the rows and gives shape (2,), or with keepdims shape (2, 1)](reduction.svg)

The **variance** says how far numbers lie from their mean: the sum of the squared distances, over
n - 1. By hand, of 1, 2 and 6: the mean is 3, the distances are -2, -1 and 3, their squares
4 + 1 + 9 = 14, and 14 / (3 - 1) = 7. (Over n it would be too small, on average, for a sample of
something larger; `correction=0` gives that.) Build `var` of Tensor operations only: it will have a
gradient as soon as they have.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-reductions", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def reduction(function):
    """Return the method that reduces over axis with function, np.sum or the like.

    axis: None (all), an int or, except for argmax, a tuple.
    """

    def method(self, axis=None, keepdims=False):
        # TODO: call function with axis and keepdims, by name.
        ### BEGIN SOLUTION
        array = function(self.data, axis=axis, keepdims=keepdims)
        return result_of(array, self)
        ### END SOLUTION

    return method


Tensor.sum, Tensor.mean = reduction(np.sum), reduction(np.mean)
Tensor.max, Tensor.min = reduction(np.max), reduction(np.min)  # torch.amax, amin
Tensor.argmax = reduction(np.argmax)


@add_to_class(Tensor)
def var(self, axis=None, keepdims=False, correction=1):
    """Return the variance over axis: squared distances, summed, over n - correction."""
    # TODO: write the formula with -, *, mean or sum of Tensors. No np, no .data.
    #
    # APPROACH
    # 1. Subtract the mean of each group. Which keepdims does that need?
    # 2. Average the squares; here keepdims is what the caller wants.
    # 3. A mean divides by n, the number of elements behind each element of the result.
    #    Make it n - correction.
    #
    # EXAMPLE
    # >>> Tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 7.0]]).var(axis=1)
    # Tensor([7., 3.])
    #
    # HINTS
    # - n is the size of self over the size of the result.
    # - A result without elements has size 0: divide by max(size, 1).
    ### BEGIN SOLUTION
    centered = self - self.mean(axis=axis, keepdims=True)
    squares = (centered * centered).mean(axis=axis, keepdims=keepdims)
    n = self.size // max(squares.size, 1)
    return squares / (n - correction) * n
    ### END SOLUTION


# %% [markdown]
"""
### Testing reductions
On a matrix in which you can check each number in your head.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reductions-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_reductions():
    t = Tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 7.0]])
    m = "Tensor([[1, 2, 6], [4, 4, 7]])"
    check(t.sum(), 24.0, f"{m}.sum()")
    check(t.sum(axis=0), [5.0, 6.0, 13.0], f"{m}.sum(axis=0)")
    both = t.sum(axis=(0, 1), keepdims=True)
    check(both, [[24.0]], f"{m}.sum(axis=(0, 1), keepdims=True)")
    check(t.mean(axis=1), [3.0, 5.0], f"{m}.mean(axis=1)")
    mean = t.mean(axis=1, keepdims=True)
    check(mean, [[3.0], [5.0]], f"{m}.mean(axis=1, keepdims=True)")
    check(t.max(axis=-1), [6.0, 7.0], f"{m}.max(axis=-1)")
    check(t.min(axis=0), [1.0, 2.0, 6.0], f"{m}.min(axis=0)")
    check(t.argmax(axis=1), [2, 2], f"{m}.argmax(axis=1)")
    check(Tensor([1, 2]).mean(), 1.5, "Tensor([1, 2]).mean()")
    hint = "is the mean taken with keepdims=True? Then: n - correction"
    check(t.var(axis=1), [7.0, 3.0], f"{m}.var(axis=1)", hint=hint)
    var = t.var(axis=0, keepdims=True)
    check(var, [[4.5, 2.0, 0.5]], f"{m}.var(axis=0, keepdims=True)", hint=hint)
    check(t.var(correction=0), 13 / 3, f"{m}.var(correction=0)", hint="what is n?")
    far = Tensor([10000.0, 10001.0, 10005.0])
    hint = "square the distances: float32 rounds 10000² and the like to multiples of 8"
    check(far.var(), 7.0, "Tensor([10000., 10001., 10005.]).var()", hint=hint)
    double, hint = Tensor([0.1, 0.3], np.float64), "result_of(array, self)"
    check(double.mean(), 0.2, "float64 mean", np.float64, hint)
    check(double.var(), 0.02, "float64 var", np.float64, hint)
    hint = "do not change self"
    check(t, [[1.0, 2.0, 6.0], [4.0, 4.0, 7.0]], "t, after all that", hint=hint)
    check_differentiable(lambda: t.sum(axis=0), {"t": t}, "t.sum(axis=0)")
    check_differentiable(lambda: t.var(axis=0), {"t": t}, "t.var(axis=0)")
    _, steps = record_operations(lambda: t.var(axis=0))
    hint = "a mean, a difference, a product, a mean: no np, no .data"
    check_equal(len(steps) >= 4, True, "var is made of Tensor operations", hint)
    print("✅ reductions fold the right axes")


test_reductions()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reductions-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "any axes, both float dtypes · booleans, no rows · other corrections")
def test_reductions_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: any axes, both float dtypes
    plain = {"sum": sum, "max": max, "min": min, "mean": lambda v: sum(v) / len(v)}
    plain["argmax"] = lambda v: v.index(max(v))

    def var(v):
        mean = sum(v) / len(v)
        return sum((x - mean) ** 2 for x in v) / (len(v) - 1)

    plain["var"] = var
    x = np.random.default_rng(6).normal(size=(2, 3, 4))
    folded = {None: (0, 1, 2), 0: (0,), 1: (1,), -1: (2,)}
    folded |= {(0, 2): (0, 2), (-3, 1): (0, 1)}
    for number, (axis, gone) in enumerate(folded.items()):
        groups = {}  # the elements, by what is left of their index
        for index in np.ndindex(2, 3, 4):
            key = tuple(i for d, i in enumerate(index) if d not in gone)
            groups.setdefault(key, []).append(x[index].item())
        keep, dtype = number % 2 == 0, (np.float64, np.float32)[number // 2 % 2]
        t, old = Tensor(x.tolist(), dtype), x.astype(dtype).tolist()
        sizes = [1 if d in gone else n for d, n in enumerate(x.shape)]
        shape = [n for d, n in enumerate(sizes) if keep or d not in gone]
        for name in [n for n in plain if n != "argmax" or len(gone) != 2]:
            values = [plain[name](v) for v in groups.values()]
            expected = np.reshape(values, shape).tolist()
            kind = None if name == "argmax" else dtype
            got = getattr(t, name)(axis=axis, keepdims=keep)
            check(got, expected, f"{name}({axis=})", kind)
            check_equal(t.data.tolist(), old, "the input, afterwards")
    # hidden: booleans, no rows
    check(Tensor([True, True]).sum(), 2, "sum of booleans")
    empty = Tensor(np.ones((0, 3))).var(axis=1)
    check_equal(empty.data.shape, (0,), "the shape of var(axis=1) of (0, 3)")
    # hidden: other corrections
    t = Tensor([10000.0, 10001.0, 10005.0])
    check(t.var(correction=2), 14.0, "var(correction=2)")
    check(t.var(correction=0), 14 / 3, "var(correction=0)")
    t.data += 1.0
    check(t.sum(), 30009.0, "sum after a change in place")
    ### END HIDDEN TESTS


test_reductions_beyond()

# %% [markdown]
"""
## Exercise 7 (deeper): An ndarray in twenty lines
Memory is one long line, and a buffer can be read in many ways. Look at the figure of Part 1 again:
the matrix and its transpose are one buffer with two strides swapped, and element (1, 2) of the matrix
stands at place 3 · 1 + 1 · 2 = 5. Most arrays are **row-major**: row 0, then row 1, without gaps
(**contiguous**). A stride of 0 repeats: that is how a broadcast stretches a size of 1 without a copy.
Write this once without NumPy, and views will never puzzle you again.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-strides", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def contiguous_strides(shape, itemsize):
    """Return the row-major strides of a shape (a tuple); itemsize is the last one.

    With the bytes per element as itemsize they are ndarray.strides. No size is 0.
    """
    # TODO: how far apart are two neighbours along each dimension?
    ### BEGIN SOLUTION
    strides = []
    step = itemsize
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
    ### END SOLUTION


def broadcast_strides(shape, strides, target):
    """Return the strides that show an array of a shape as target (np.broadcast_to)."""
    # TODO: 0 for what is new or had size 1, the old stride for the rest, in a tuple.
    ### BEGIN SOLUTION
    new = len(target) - len(shape)
    result = [0] * new
    for size, stride in zip(shape, strides, strict=True):
        result.append(0 if size == 1 else stride)
    return tuple(result)
    ### END SOLUTION


def read_strided(buffer, shape, strides, offset=0):
    """Return what shape and strides (in elements) show of a list, as nested lists."""
    # TODO: read the element, or a list of parts that are one dimension smaller.
    #
    # APPROACH
    # 1. Without dimensions there is one element: at offset.
    # 2. Otherwise, for each step along the first dimension: where does that part begin?
    #    It has the other sizes and strides, and is read in the same way (recursion).
    #
    # EXAMPLE
    # >>> read_strided([1, 2, 3, 4, 5, 6], (3, 2), (1, 3))
    # [[1, 4], [2, 5], [3, 6]]
    # >>> contiguous_strides((2, 3, 4), 4)
    # (48, 16, 4)
    # >>> broadcast_strides((3, 1), (4, 4), (2, 3, 5))
    # (0, 4, 0)
    #
    # HINTS
    # - Walk a shape from the last size to the first with reversed(shape).
    # - shape[1:] is what is behind the first size.
    ### BEGIN SOLUTION
    if not shape:
        return buffer[offset]
    rows = []
    for i in range(shape[0]):
        start = offset + i * strides[0]
        rows.append(read_strided(buffer, shape[1:], strides[1:], start))
    return rows
    ### END SOLUTION


# %% [markdown]
"""
### Testing strides
Row-major, transposed, stretched, with an offset.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-strides-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(7)
def test_strides():
    for shape, itemsize, expected in (
        ((2, 3, 4), 4, (48, 16, 4)),
        ((2, 3), 1, (3, 1)),
        ((5,), 8, (8,)),
        ((), 8, ()),
    ):
        got = contiguous_strides(shape, itemsize)
        check_equal(got, expected, f"contiguous_strides({shape}, {itemsize})")
    hint = "0 for each new dimension, and where the old size is 1"
    for shape, strides, target, expected in (
        ((3, 1), (4, 4), (2, 3, 5), (0, 4, 0)),
        ((3,), (4,), (2, 5, 3), (0, 0, 4)),
        ((2, 3), (3, 1), (2, 3), (3, 1)),
        ((1, 3), (12, 4), (2, 3), (0, 4)),
    ):
        got = broadcast_strides(shape, strides, target)
        what = f"broadcast_strides({shape}, {strides}, {target})"
        check_equal(got, expected, what, hint)
    buffer = [1, 2, 3, 4, 5, 6]
    for shape, strides, offset, expected in (
        ((2, 3), (3, 1), 0, [[1, 2, 3], [4, 5, 6]]),
        ((3, 2), (1, 3), 0, [[1, 4], [2, 5], [3, 6]]),
        ((2, 3), (0, 1), 3, [[4, 5, 6], [4, 5, 6]]),
        ((2, 1, 2), (2, 5, 1), 1, [[[2, 3]], [[4, 5]]]),
        ((), (), 5, 6),
    ):
        got = read_strided(buffer, shape, strides, offset)
        what = f"read_strided({buffer}, {shape}, {strides}, {offset})"
        check_equal(got, expected, what, "where does each part begin?")
    print("✅ you know where every element lies")


test_strides()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-strides-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(7, "random shapes, as in NumPy · sizes of 1 that stay 1 · no elements")
def test_strides_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random shapes, as in NumPy
    rng = np.random.default_rng(7)
    for n in range(12):
        shape = tuple(rng.integers(2, 5, size=n % 4 + 1).tolist())
        array = rng.normal(size=[n if rng.random() < 0.5 else 1 for n in shape])
        view = np.broadcast_to(array, (2, *shape))
        got, expected = contiguous_strides(shape, 8), np.zeros(shape).strides
        check_equal(got, expected, f"contiguous_strides({shape}, 8)")
        got = broadcast_strides(array.shape, array.strides, view.shape)
        what = f"broadcast_strides({array.shape}, {array.strides}, {view.shape})"
        check_equal(got, view.strides, what)
        steps = tuple(s // 8 for s in view.T.strides)
        got = read_strided(array.ravel().tolist(), view.T.shape, steps)
        check_equal(got, view.T.tolist(), f"read_strided, {view.T.shape}, {steps}")
    # hidden: sizes of 1 that stay 1
    got = broadcast_strides((1, 3, 1), (12, 4, 4), (2, 1, 3, 1))
    what = "broadcast_strides((1, 3, 1), (12, 4, 4), (2, 1, 3, 1))"
    check_equal(got, (0, 0, 4, 0), what, "0 for each size of 1")
    # hidden: no elements
    got = read_strided([], (2, 0), (0, 1))
    check_equal(got, [[], []], "read_strided of shape (2, 0)")
    check_equal(read_strided([], (0, 2), (2, 1)), [], "read_strided of shape (0, 2)")
    ### END HIDDEN TESTS


test_strides_beyond()

# %% [markdown]
"""
## Exercise 8: Same buffer, new shape
A picture of 8 × 8 pixels is a matrix for the eye and a row of 64 numbers for a network: the same
buffer. `reshape` puts new sizes and strides on it, and a size of -1 is worked out from the others.
`unsqueeze` and `squeeze` add and drop sizes of 1: that is how a vector becomes a row or a column. All
three give **views** wherever strides can do it: no element moves.

Provided: `as_tuple`, because `t.reshape(2, 3)` and `t.reshape((2, 3))` mean the same.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-as-tuple", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def as_tuple(sizes):
    """Return sizes as one tuple, so that f(2, 3) and f((2, 3)) mean the same."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        return tuple(sizes[0])
    return sizes


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-reshape", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def reshape(self, *shape):
    """Return the elements in another shape, as a view if possible; one size may be -1.

    RuntimeError, with both shapes, if the elements do not fit.
    """
    # TODO: let NumPy reshape, and turn its ValueError into a better RuntimeError.
    #
    # APPROACH
    # 1. as_tuple(shape) takes both spellings.
    # 2. Reshape the array. Copy nothing yourself: NumPy does where it must.
    # 3. If that fails, say which shape should have become which.
    #
    # EXAMPLE
    # >>> t = Tensor([[1, 2], [3, 4]])
    # >>> t.reshape(-1)
    # Tensor([1, 2, 3, 4])
    # >>> t.unsqueeze(0).shape, t.squeeze(0).shape
    # ((1, 2, 2), (2, 2))
    #
    # HINTS
    # - except ValueError as error: raise RuntimeError(...) from error
    # - np.expand_dims and np.squeeze are for the other two. np.squeeze(array, ()) drops
    #   nothing.
    ### BEGIN SOLUTION
    shape = as_tuple(shape)
    try:
        array = self.data.reshape(shape)
    except ValueError as error:
        what = f"cannot reshape {self.shape}, {self.size} elements, into {shape}"
        raise RuntimeError(what) from error
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def unsqueeze(self, dim):
    """Return a view with a new dimension of size 1 at position dim."""
    # TODO: one line of NumPy, through result_of.
    ### BEGIN SOLUTION
    array = np.expand_dims(self.data, dim)
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def squeeze(self, dim=None):
    """Return a view without dim if its size is 1; None drops all sizes of 1."""
    # TODO: as PyTorch, leave a dimension of another size as it is. NumPy would fail.
    ### BEGIN SOLUTION
    if dim is not None and self.shape[dim] != 1:
        dim = ()
    array = np.squeeze(self.data, dim)
    return result_of(array, self)
    ### END SOLUTION


# %% [markdown]
"""
### Testing shapes
The order of the elements, both spellings, the error, and whether the memory is shared.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reshape-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(8)
def test_reshape():
    t, one = Tensor([[1, 2, 3], [4, 5, 6]]), Tensor([[[7], [8]]])
    m = "Tensor([[1, 2, 3], [4, 5, 6]])"
    check(t.reshape(3, 2), [[1, 2], [3, 4], [5, 6]], f"{m}.reshape(3, 2)")
    hint = "as_tuple(shape)"
    got = t.reshape((3, -1))
    check(got, [[1, 2], [3, 4], [5, 6]], f"{m}.reshape((3, -1))", hint=hint)
    check(t.reshape(-1), [1, 2, 3, 4, 5, 6], f"{m}.reshape(-1)")
    check(t.unsqueeze(0), [[[1, 2, 3], [4, 5, 6]]], f"{m}.unsqueeze(0)")
    check(t.unsqueeze(-1), [[[1], [2], [3]], [[4], [5], [6]]], f"{m}.unsqueeze(-1)")
    check(one.squeeze(0), [[7], [8]], "Tensor([[[7], [8]]]).squeeze(0)")
    check(one.squeeze(-1), [[7, 8]], "Tensor([[[7], [8]]]).squeeze(-1)")
    check(one.squeeze(), [7, 8], "Tensor([[[7], [8]]]).squeeze()")
    hint = "a dimension of size 2 stays, without an error"
    check(t.squeeze(0), [[1, 2, 3], [4, 5, 6]], f"{m}.squeeze(0)", hint=hint)
    check(one.squeeze(1), [[[7], [8]]], "Tensor([[[7], [8]]]).squeeze(1)", hint=hint)
    check(Tensor([]).squeeze(0), [], "Tensor([]).squeeze(0)", hint="size 0 stays, too")
    words, what = ["(2, 3)", "(4, 2)"], f"{m}.reshape(4, 2)"
    check_raises(RuntimeError, words, lambda: t.reshape(4, 2), what, "show both shapes")
    turned = result_of(np.arange(12).reshape(3, 4).T)  # not contiguous
    for view, base, what in (
        (t.reshape(6), t, "t.reshape(6)"),
        (turned.reshape(4, 3, 1), turned, "a transposed Tensor.reshape(4, 3, 1)"),
        (t.unsqueeze(1), t, "t.unsqueeze(1)"),
        (one.squeeze(), one, "t.squeeze()"),
    ):
        shared = np.shares_memory(view.data, base.data)
        check_equal(shared, True, f"{what} is a view", "it should share the memory")
    check(t, [[1, 2, 3], [4, 5, 6]], "t, after all that", hint="do not change self")
    double, hint = Tensor([[0.5]], np.float64), "result_of(array, self)"
    check(double.reshape(1), [0.5], "float64.reshape(1)", np.float64, hint)
    check(double.unsqueeze(0), [[[0.5]]], "float64.unsqueeze(0)", np.float64, hint)
    check(double.squeeze(0), [0.5], "float64.squeeze(0)", np.float64, hint)
    check_differentiable(lambda: t.reshape(6), {"t": t}, "t.reshape(6)")
    check_differentiable(lambda: t.unsqueeze(0), {"t": t}, "t.unsqueeze(0)")
    check_differentiable(lambda: one.squeeze(), {"t": one}, "t.squeeze()")
    print("✅ same buffer, new shapes")


test_reshape()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reshape-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(8, "other shapes and errors · order of elements · views of float64")
def test_reshape_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes and errors
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    words = ["(2, 3)", "(4, -1)"]
    check_raises(RuntimeError, words, lambda: t.reshape(4, -1), "reshape(4, -1)")
    check(t.unsqueeze(-2), [[[1, 2, 3]], [[4, 5, 6]]], "t.unsqueeze(-2)")
    check(Tensor([[[5.0]]]).squeeze(), 5.0, "Tensor([[[5.]]]).squeeze()")
    check(Tensor([[[1], [2]]]).squeeze(2), [[1, 2]], "squeeze(2) of (1, 2, 1)")
    check(Tensor([7]).reshape(()), 7, "Tensor([7]).reshape(())")
    # hidden: order of elements
    x = np.random.default_rng(8).normal(size=24).tolist()
    planes = [x[:12], x[12:]]
    expected = [[plane[4 * j : 4 * j + 4] for j in range(3)] for plane in planes]
    t = Tensor(x, np.float64)
    cube = t.reshape([2, -1, 4])
    check(cube, expected, "reshape([2, -1, 4])", np.float64)
    turned = result_of(np.array([[1, 2, 3], [4, 5, 6]]).T)
    check(turned.reshape(-1), [1, 4, 2, 5, 3, 6], "reshape(-1) of a transposed matrix")
    # hidden: views of float64
    for view in (cube, t.reshape(1, 24).squeeze(), cube.squeeze(1), t.unsqueeze(0)):
        view.data[(0,) * view.data.ndim] += 1.0
    check(t, [x[0] + 4, *x[1:]], "t, after four views", np.float64, "views")
    ### END HIDDEN TESTS


test_reshape_beyond()

# %% [markdown]
"""
## Exercise 9: New order of dimensions
Pictures come as (height, width, colour), PyTorch's networks want (colour, height, width); a matrix
product needs columns where there are rows. `permute` reorders shape and strides together and touches
no element, however many there are. `transpose` swaps two dimensions, and `T` the two of a matrix, as
in the figure of Part 1.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-permute", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def permute(self, *dims):
    """Return a view whose dimension i is dimension dims[i] of self."""
    # TODO: NumPy has all three, under other names.
    #
    # APPROACH
    # 1. permute is ndarray.transpose, in both spellings: (2, 0, 1) or ((2, 0, 1)).
    # 2. transpose is ndarray.swapaxes.
    # 3. T is ndarray.T, but for matrices and vectors only.
    #
    # EXAMPLE
    # >>> Tensor([[1, 2, 3], [4, 5, 6]]).permute(1, 0)
    # Tensor([[1, 4],
    #         [2, 5],
    #         [3, 6]])
    #
    # HINTS
    # - as_tuple(dims), as in reshape.
    ### BEGIN SOLUTION
    array = self.data.transpose(as_tuple(dims))
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def transpose(self, dim0, dim1):
    """Return a view with two dimensions swapped."""
    # TODO: see above.
    ### BEGIN SOLUTION
    array = self.data.swapaxes(dim0, dim1)
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def T(self):
    """Return the transpose of a matrix, as a view; a vector stays as it is.

    RuntimeError, with the shape and the advice to permute, above two dimensions.
    """
    # TODO: check self.ndim, then see above.
    ### BEGIN SOLUTION
    if self.ndim > 2:
        what = f".T needs at most 2 dimensions, got {self.shape}: use permute(...)"
        raise RuntimeError(what)
    return result_of(self.data.T, self)
    ### END SOLUTION


Tensor.T = property(Tensor.T)  # read as x.T, without parentheses

# %% [markdown]
"""
### Testing orders
Known orders, both spellings, shared memory, the error.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-permute-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
@exercise(9)
def test_permute():
    t, m = Tensor([[1, 2, 3], [4, 5, 6]]), "Tensor([[1, 2, 3], [4, 5, 6]])"
    check(t.permute(1, 0), [[1, 4], [2, 5], [3, 6]], f"{m}.permute(1, 0)")
    hint = "as_tuple(dims)"
    got = t.permute((1, 0))
    check(got, [[1, 4], [2, 5], [3, 6]], f"{m}.permute((1, 0))", hint=hint)
    check(t.transpose(0, -1), [[1, 4], [2, 5], [3, 6]], f"{m}.transpose(0, -1)")
    check(t.T, [[1, 4], [2, 5], [3, 6]], f"{m}.T")
    cube, c = Tensor([[[1, 2, 3], [4, 5, 6]]]), "Tensor([[[1, 2, 3], [4, 5, 6]]])"
    got = cube.permute(2, 0, 1)
    check(got, [[[1, 4]], [[2, 5]], [[3, 6]]], f"{c}.permute(2, 0, 1)")
    check(cube.transpose(0, 1), [[[1, 2, 3]], [[4, 5, 6]]], f"{c}.transpose(0, 1)")
    got, hint = cube.transpose(0, 2), "two swap, the third stays where it is"
    check(got, [[[1], [4]], [[2], [5]], [[3], [6]]], f"{c}.transpose(0, 2)", hint=hint)
    check(Tensor([1, 2]).T, [1, 2], "Tensor([1, 2]).T")
    check_raises(RuntimeError, ["permute", "(1, 2, 3)"], lambda: cube.T, f"{c}.T")
    for name, view in (
        ("permute(2, 0, 1)", cube.permute(2, 0, 1)),
        ("transpose(0, 2)", cube.transpose(0, 2)),
        ("T", t.T),
    ):
        shared = np.shares_memory(view.data, t.data if name == "T" else cube.data)
        check_equal(shared, True, f"{name} gives a view", "it should share the memory")
    check(t, [[1, 2, 3], [4, 5, 6]], "t, after all that", hint="do not change self")
    double, hint = Tensor([[0.5]], np.float64), "result_of(array, self)"
    check(double.permute(1, 0), [[0.5]], "float64.permute(1, 0)", np.float64, hint)
    check(double.transpose(0, 1), [[0.5]], "float64.transpose(0, 1)", np.float64, hint)
    check(double.T, [[0.5]], "float64.T", np.float64, hint)
    check_differentiable(lambda: t.permute(1, 0), {"t": t}, "t.permute(1, 0)")
    check_differentiable(lambda: t.transpose(0, 1), {"t": t}, "t.transpose(0, 1)")
    check_differentiable(lambda: t.T, {"t": t}, "t.T")
    print("✅ dimensions move, bytes do not")


test_permute()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-permute-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(9, "element by element, in float64 · negative dims · T of four dimensions")
def test_permute_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: element by element, in float64
    x = np.random.default_rng(9).normal(size=(2, 3, 4)).tolist()
    t, i, j, k = Tensor(x, np.float64), range(2), range(3), range(4)
    by_k = [[[x[a][b][c] for b in j] for a in i] for c in k]
    check(t.permute(2, 0, 1), by_k, "permute(2, 0, 1)", np.float64)
    by_j = [[[x[a][b][c] for c in k] for a in i] for b in j]
    check(t.transpose(0, 1), by_j, "transpose(0, 1)", np.float64)
    check(t.permute([1, 0, 2]), by_j, "permute([1, 0, 2])", np.float64)
    # hidden: negative dims
    check(t.permute((-1, 0, 1)), by_k, "permute((-1, 0, 1))", np.float64)
    expected = [[[x[a][b][c] for b in j] for c in k] for a in i]
    check(t.transpose(-1, 1), expected, "transpose(-1, 1)", np.float64)
    # hidden: T of four dimensions
    four, words = Tensor(np.ones((2, 3, 4, 5))), ["permute", "(2, 3, 4, 5)"]
    check_raises(RuntimeError, words, lambda: four.T, "T of shape (2, 3, 4, 5)")
    ### END HIDDEN TESTS


test_permute_beyond()

# %% [markdown]
"""
## Exercise 10: Take apart, put together
Training takes some examples out of many, and puts some together: an index, and a **stack**. Slices
are views. A Tensor of integers as an index gathers rows into a copy: a table with a row of numbers
for each word, asked for words 5, 2 and 5 again, gives three rows.

![Two vectors of shape (2,): concatenate makes one of shape (4,); stack makes shape (2, 2), with the vectors as rows for axis=0, as columns for axis=1](joins.svg)

`concatenate` joins along an axis that is there, `stack` along a new one. Provided: `len(t)`, and a
`for` loop over the rows.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-rows", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
@add_to_class(Tensor)
def __len__(self):
    """Return the size of the first dimension."""
    return len(self.data)


@add_to_class(Tensor)
def __iter__(self):
    """Go through the first dimension, as in `for row in tensor`."""
    return (self[i] for i in range(len(self)))


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-index", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def __getitem__(self, index):
    """Return self[index]: ints, slices, None and ... (Ellipsis) give views.

    Index Tensors give copies; so does an int for each dimension, such as t[0, 1] of a
    matrix.
    """
    # TODO: NumPy knows what to do with an index, even if it is a Tensor.
    ### BEGIN SOLUTION
    array = self.data[index]
    return result_of(array, self)
    ### END SOLUTION


@tensor_function
def concatenate(tensors, axis=0):
    """Join Tensors, a list or any iterable, along an axis that they have; copies.

    Their other sizes must agree (torch.concatenate).
    """
    # TODO: join the arrays; every Tensor is an input of the result.
    #
    # APPROACH
    # 1. You go through tensors twice: make them a list first.
    # 2. np.concatenate joins a list of arrays along an axis.
    # 3. Return through result_of, with all of them.
    #
    # EXAMPLE
    # >>> a, b = Tensor([1, 2]), Tensor([3, 4])
    # >>> concatenate([a, b])
    # Tensor([1, 2, 3, 4])
    # >>> stack([a, b], axis=1)
    # Tensor([[1, 3],
    #         [2, 4]])
    #
    # HINTS
    # - result_of(array, *tensors) passes each Tensor of a list.
    # - With a new size of 1 in each, a stack is a concatenation.
    ### BEGIN SOLUTION
    tensors = list(tensors)
    arrays = [unwrap(t) for t in tensors]
    array = np.concatenate(arrays, axis=axis)
    return result_of(array, *tensors)
    ### END SOLUTION


def stack(tensors, axis=0):
    """Join Tensors of one shape along a new axis (torch.stack)."""
    # TODO: two lines of Tensor operations.
    ### BEGIN SOLUTION
    expanded = [t.unsqueeze(axis) for t in tensors]
    return concatenate(expanded, axis)
    ### END SOLUTION


# %% [markdown]
"""
### Testing indices and joins
Ints, slices, None and Tensors as an index; joins along each axis; what shares memory and what does
not.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-index-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(10)
def test_index():
    t, m = Tensor([[1, 2, 3], [4, 5, 6]]), "Tensor([[1, 2, 3], [4, 5, 6]])"
    check(t[1], [4, 5, 6], f"{m}[1]")
    check(t[0, 1], 2, f"{m}[0, 1]")
    check(t[:, -1], [3, 6], f"{m}[:, -1]")
    check(t[:, None, ::2], [[[1, 3]], [[4, 6]]], f"{m}[:, None, ::2]")
    picked = t[Tensor([1, 0, 1])]
    check(picked, [[4, 5, 6], [1, 2, 3], [4, 5, 6]], f"{m}[Tensor([1, 0, 1])]")
    check(t[Tensor([True, False])], [[1, 2, 3]], f"{m}[Tensor([True, False])]")
    a, b = Tensor([[1, 2], [3, 4]]), Tensor([[5, 6]])
    check(concatenate([a, b]), [[1, 2], [3, 4], [5, 6]], "concatenate, (2, 2), (1, 2)")
    got, what = concatenate([a, a], axis=1), "concatenate([a, a], axis=1)"
    check(got, [[1, 2, 1, 2], [3, 4, 3, 4]], f"a = Tensor([[1, 2], [3, 4]]), {what}")
    pair = [Tensor([1, 2]), Tensor([3, 4])]
    check(stack(pair), [[1, 2], [3, 4]], "stack([Tensor([1, 2]), Tensor([3, 4])])")
    check(stack(pair, axis=1), [[1, 3], [2, 4]], "stack([...], axis=1)")
    check(stack(pair, -1), [[1, 3], [2, 4]], "stack([...], axis=-1), the list again")
    shared = [np.shares_memory(part.data, t.data) for part in (t[:, 1:], picked)]
    what = "do t[:, 1:] and t[Tensor([1, 0, 1])] share memory with t?"
    check_equal(shared, [True, False], what, "a slice is a view, gathered rows are not")
    x, y = Tensor([0.5], np.float64), Tensor([1.5], np.float64)
    check(x[0], 0.5, "float64 Tensor[0]", np.float64, "result_of(array, self)")
    joined = concatenate([x, Tensor([1.0])])
    hint = "result_of(array, *tensors)"
    check(joined, [0.5, 1.0], "float64 and float32, joined", np.float64, hint)
    joined = concatenate([Tensor([1]), Tensor([0.5])])
    check(joined, [1.0, 0.5], "int and float32, joined")
    got, hint = concatenate(t for t in (x, y)), "after one walk a generator is empty"
    check(got, [0.5, 1.5], "concatenate(a generator of two)", np.float64, hint)
    check_differentiable(lambda: t[1], {"t": t}, "t[1]")
    inputs = {"x": x, "y": y}
    check_differentiable(lambda: concatenate([x, y]), inputs, "concatenate([x, y])")
    check_differentiable(lambda: stack([x, y]), inputs, "stack([x, y])")
    print("✅ apart and together again")


test_index()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-index-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(10, "more index Tensors, rows · joins: other dtypes, axes, copies")
def test_index_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: more index Tensors, rows
    t, wide = Tensor([[1, 2, 3], [4, 5, 6]]), Tensor([[10, 20, 30]])
    check(t[..., None, 0], [[1], [4]], "t[..., None, 0]")
    check(t[Tensor([0, 1]), Tensor([2, 0])], [3, 4], "t[Tensor, Tensor]")
    check(wide[:, Tensor([True, False, True])], [[10, 30]], "t[:, bool Tensor]")
    check(wide[0][Tensor([[0, 1], [2, -1]])], [[10, 20], [30, 30]], "2-D index Tensor")
    rows = [row.data.tolist() for row in t]
    check_equal(rows, [[1, 2, 3], [4, 5, 6]], "for row in t")
    gathered = wide[0][Tensor([1, 2])]
    gathered.data[:] = 0
    check(wide, [[10, 20, 30]], "t, after what an index Tensor gathered changed")
    # hidden: joins: other dtypes, axes, copies
    got = concatenate([Tensor([1]), Tensor([0.5])])
    check(got, [1.0, 0.5], "concatenate, int and float32")
    x, y = np.random.default_rng(10).normal(size=(2, 2, 3)).tolist()
    a, b = Tensor(x, np.float64), Tensor(y, np.float64)
    check(a[1, ::2], [x[1][0], x[1][2]], "a[1, ::2]", np.float64)
    got = concatenate(t for t in (a, b, a))
    check(got, x + y + x, "concatenate(a generator of three)", np.float64)
    cube = Tensor([[[1, 2]], [[3, 4]]])
    expected = [[[1, 2], [1, 2]], [[3, 4], [3, 4]]]
    check(concatenate([cube, cube], 1), expected, "concatenate of (2, 1, 2), axis 1")
    got, expected = concatenate((a, b), -1), [x[0] + y[0], x[1] + y[1]]
    check(got, expected, "concatenate((a, b), -1)", np.float64)
    expected = [[[x[i][j], y[i][j]] for j in range(3)] for i in range(2)]
    check(stack([a, b], axis=-1), expected, "stack([a, b], axis=-1)", np.float64)
    stack([a]).data[:] = concatenate([a]).data[:] = 0
    check(a, x, "a, after its stack changed", np.float64, "joining copies")
    ### END HIDDEN TESTS


test_index_beyond()

# %% [markdown]
"""
## Exercise 11 (deeper): Matmul, the slow way
What is a library worth that others tuned for decades? Write the formula yourself: three loops, with
one multiplication and one addition in the middle. Then let NumPy do the innermost loop, a row times a
column. Both work on plain 2-D arrays, and in Part 2 they race against BLAS, the library behind `@`.
Guess before you look: how many times as fast is it?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-matmul-slow", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def matmul_loops(a, b):
    """Multiply arrays (m, k) and (k, n) of one dtype; return an array (m, n) of it."""
    # TODO: C[i, j] = Σₚ A[i, p] · B[p, j], in three loops.
    #
    # APPROACH
    # 1. Begin with zeros, in the dtype of a.
    # 2. Add up the products for every i and j.
    #
    # EXAMPLE
    # >>> a, b = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 0], [2, 1], [0, 3]])
    # >>> matmul_loops(a, b)
    # array([[ 5, 11],
    #        [14, 23]])
    #
    # HINTS
    # - a.shape is (m, k). a[i] is a row, b[:, j] a column.
    ### BEGIN SOLUTION
    m, k = a.shape
    n = b.shape[1]
    out = np.zeros((m, n), a.dtype)
    for i in range(m):
        for j in range(n):
            for p in range(k):
                out[i, j] += a[i, p] * b[p, j]
    return out
    ### END SOLUTION


def matmul_rows(a, b):
    """Multiply arrays (m, k) and (k, n) of one dtype by m n dot products of NumPy's."""
    # TODO: the same with two loops: row @ column is a dot product.
    ### BEGIN SOLUTION
    m, n = a.shape[0], b.shape[1]
    out = np.zeros((m, n), a.dtype)
    for i in range(m):
        for j in range(n):
            out[i, j] = a[i] @ b[:, j]
    return out
    ### END SOLUTION


# %% [markdown]
"""
### Testing the slow versions
Rectangular matrices; in the first pair no size can be taken for another.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-slow-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(11)
def test_matmul_slow():
    x, y = [[1, 2, 3], [4, 5, 6]], [[1, 0, 2, 1], [2, 1, 0, 1], [0, 3, 1, 1]]
    expected = [[5, 11, 5, 6], [14, 23, 14, 15]]
    for matmul in (matmul_loops, matmul_rows):
        for dtype in (np.float32, np.float64, np.int64):
            a, b = np.array(x, dtype), np.array(y, dtype)
            what = f"{matmul.__name__} of {dtype.__name__} (2, 3) and (3, 4)"
            hint = "np.zeros((m, n), a.dtype)"
            check_array(matmul(a, b), expected, what, dtype, hint)
            after = a.tolist(), b.tolist()
            check_equal(after, (x, y), f"the inputs of {what}, afterwards")
        row, column = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
        what = f"{matmul.__name__} of (1, 2) and (2, 1), (2, 1) and (1, 2)"
        check_array(matmul(row, column), [[11.0]], what, np.float64)
        check_array(matmul(column, row), [[3.0, 6.0], [4.0, 8.0]], what, np.float64)
    print("✅ the formula works")


test_matmul_slow()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-slow-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(11, "random matrices · no rows · nothing to add")
def test_matmul_slow_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random matrices
    rng = np.random.default_rng(12)
    for m, k, n in ((1, 2, 1), (5, 1, 3), (4, 6, 2), (3, 3, 3)):
        x, y = rng.normal(size=(m, k)).tolist(), rng.normal(size=(k, n)).tolist()
        columns = list(zip(*y, strict=True))
        pairs = [[list(zip(row, c, strict=True)) for c in columns] for row in x]
        expected = [[sum(u * v for u, v in each) for each in row] for row in pairs]
        for matmul in (matmul_loops, matmul_rows):
            got, what = matmul(np.array(x), np.array(y)), f"{matmul.__name__} {m, k, n}"
            check_array(got, expected, what, np.float64)
    # hidden: no rows
    for matmul in (matmul_loops, matmul_rows):
        got = matmul(np.ones((0, 2), np.float32), np.ones((2, 3), np.float32))
        check_equal((got.shape, got.dtype.name), ((0, 3), "float32"), "no rows")
    # hidden: nothing to add
    a, b = np.ones((2, 0)), np.ones((0, 3))
    for matmul in (matmul_loops, matmul_rows):
        np.full((2, 3), 7.0)  # what np.empty may find in memory
        what = f"{matmul.__name__} of (2, 0) and (0, 3)"
        check_array(matmul(a, b), [[0.0] * 3] * 2, what, np.float64)
    ### END HIDDEN TESTS


test_matmul_slow_beyond()

# %% [markdown]
"""
## Exercise 12: `@`, the real one
Large networks spend most of their time on this one operation: every row of the left times every
column of the right.

![Matrices of shape (2, 3) and (3, 2): row 1 of the first, 4 5 6, and column 1 of the second, 0 1 3, give element (1, 1) of the product: 4 · 0 + 5 · 1 + 6 · 3 = 23](matmul.svg)

`np.matmul` hands that, in float32 and float64, to BLAS: decades of tuning for the caches and vector
units of your processor. (Integers and float16 get plain loops, many times slower.) BLAS reads a
transposed matrix where it lies, so `x.T @ w` needs no copy of `x`. `np.matmul` takes vectors and
batches, too. What it lacks is an error message for people.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def __matmul__(self, other):
    """Return self @ other for vectors, matrices and batches of matrices (torch.matmul).

    RuntimeError, with both shapes, if they do not fit, or if one has no dimension.
    """
    # TODO: multiply, and say what is wrong if the shapes do not fit.
    #
    # APPROACH
    # 1. np.matmul of both arrays.
    # 2. Turn its ValueError into a RuntimeError that shows both shapes and says which
    #    rule they break: what must equal what?
    #
    # EXAMPLE
    # >>> Tensor([[1, 2, 3], [4, 5, 6]]) @ Tensor([[1, 0], [2, 1], [0, 3]])
    # Tensor([[ 5, 11],
    #         [14, 23]])
    # >>> Tensor([[1.0, 2.0]]) @ Tensor([3.0, 4.0])
    # Tensor([11.])
    #
    # HINTS
    # - What unwrap returns may be a number without a shape: np.shape(b) works for both.
    ### BEGIN SOLUTION
    a, b = self.data, unwrap(other)
    try:
        array = np.matmul(a, b)
    except ValueError as error:
        raise RuntimeError(
            f"cannot multiply {a.shape} @ {np.shape(b)}: the last size of the first "
            "must be the last but one of the second (of a vector: the only one), "
            "batches must broadcast, and numbers need *"
        ) from error
    return result_of(array, self, other)
    ### END SOLUTION


# %% [markdown]
"""
### Testing matmul
Vectors, matrices, a batch, and what a wrong shape says.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(12)
def test_matmul():
    a, b = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[5.0], [6.0]])
    v, m = Tensor([5.0, 6.0]), "[[1, 2], [3, 4]]"
    check(a @ b, [[17.0], [39.0]], f"{m} @ [[5], [6]]")
    check(a @ v, [17.0, 39.0], f"{m} @ [5, 6]")
    check(v @ a, [23.0, 34.0], f"[5, 6] @ {m}")
    check(v @ v, 61.0, "[5, 6] @ [5, 6]")
    batch = Tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    expected = [[[1.0, 2.0], [3.0, 4.0]], [[3.0, 4.0], [1.0, 2.0]]]
    hint = "np.matmul, not np.dot"
    check(batch @ a, expected, f"a batch of two @ {m}", hint=hint)
    expected = [[[1.0, 0.0], [0.0, 1.0]]] * 2
    check(batch @ batch, expected, "a batch of two @ itself", hint=hint)
    check(Tensor([[1, 2]]) @ Tensor([[3], [4]]), [[11]], "[[1, 2]] @ [[3], [4]]")
    check(Tensor([[1, 2]]) @ b, [[17.0]], "int @ float32")
    double, hint = Tensor([[0.1], [0.2]], np.float64), "result_of(array, self, other)"
    check(a @ double, [[0.5], [1.1]], f"{m} @ float64", np.float64, hint)
    hint = "show both shapes"
    words = ["(2, 1)", "(2, 2)"]
    check_raises(RuntimeError, words, lambda: b @ a, "(2, 1) @ (2, 2)", hint)
    check_raises(RuntimeError, ["(2,)", "(1,)"], lambda: v @ v[:1], "(2,) @ (1,)", hint)
    check_raises(RuntimeError, ["(2, 2)", "()"], lambda: a @ 2.0, "(2, 2) @ 2.0", hint)
    check(a, [[1.0, 2.0], [3.0, 4.0]], "a, after all that", hint="do not change self")
    check_differentiable(lambda: a @ b, {"a": a, "b": b}, "a @ b")
    print("✅ matmul works, and says what is wrong when it does not")


test_matmul()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(12, "no dimensions, no Tensor · batches, both float dtypes · no elements")
def test_matmul_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: no dimensions, no Tensor
    a = Tensor([[1.0, 2.0], [3.0, 4.0]])
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: a @ Tensor(2.0), "(2, 2) @ ()")
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: Tensor(2.0) @ a, "() @ (2, 2)")
    check_raises(TypeError, ["list"], lambda: a @ [1.0, 2.0], "(2, 2) @ a list")
    # hidden: batches, both float dtypes
    rng = np.random.default_rng(13)
    x, y = rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(5, 4, 2))
    expected = np.zeros((2, 5, 3, 2))
    for u, v, i, j in np.ndindex(expected.shape):
        expected[u, v, i, j] = sum((x[u, 0, i] * y[v, :, j]).tolist())
    for dtype in (np.float32, np.float64):
        s, t = Tensor(x.tolist(), dtype), Tensor(y.tolist(), dtype)
        before = s.data.tolist(), t.data.tolist()
        check(s @ t, expected.tolist(), "(2, 1, 3, 4) @ (5, 4, 2)", dtype)
        check_equal((s.data.tolist(), t.data.tolist()), before, "the inputs, after")
    s, t = Tensor(x[:, 0]), Tensor(y[:3])
    words = ["(2, 3, 4)", "(3, 4, 2)"]
    check_raises(RuntimeError, words, lambda: s @ t, "batches of 2 and 3")
    # hidden: no elements
    empty = Tensor(np.ones((0, 2, 3))) @ Tensor(np.ones((3, 4)))
    check_equal(empty.data.shape, (0, 2, 4), "the shape of an empty batch")
    ### END HIDDEN TESTS


test_matmul_beyond()

# %% [markdown]
"""
## Exercise 13: Factories and luck
Networks begin with zeros, ones and random numbers: ready-made Tensors, float32 unless you ask
otherwise. The random ones come from the module's one `generator`, provided here. It has a state that
each number moves on; `manual_seed` sets that state, and from there a run repeats number by number.
Publish nothing without it.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-generator", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
generator = np.random.default_rng()  # the only source of randomness


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-factories", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def factory(make):
    """Return the function f(*shape) that wraps make(shape, dtype=dtype)."""

    def create(*shape, dtype=np.float32, requires_grad=False):
        # TODO: make the array, then the Tensor, with all that was asked for.
        ### BEGIN SOLUTION
        array = make(as_tuple(shape), dtype=dtype)
        return Tensor(array, dtype, requires_grad)
        ### END SOLUTION

    return create


zeros, ones = factory(np.zeros), factory(np.ones)
rand = factory(generator.random)  # uniform in [0, 1)
randn = factory(generator.standard_normal)  # mean 0, variance 1


def full(shape, value, dtype=None, requires_grad=False):
    """Return a Tensor filled with value; an int gives int64, as torch.full does."""
    return Tensor(np.full(shape, value), dtype, requires_grad)


def arange(start, stop=None, step=1, dtype=None, requires_grad=False):
    """Return start, start + step, ... before stop; arange(n) is 0, 1, ... Ints stay.

    With floats rounding may let stop in, as in PyTorch: arange(1, 1.3, 0.1) has 1.3.
    """
    # TODO: np.arange takes the same three arguments.
    ### BEGIN SOLUTION
    array = np.arange(start, stop, step)
    return Tensor(array, dtype, requires_grad)
    ### END SOLUTION


def manual_seed(seed):
    """Restart the generator: the same seed gives the same numbers."""
    # TODO: give generator the state that a new one with this seed has.
    #
    # APPROACH
    # 1. Make a fresh generator from the seed.
    # 2. Copy its state. A new generator in the old one's place would not do: rand and
    #    randn above hold on to methods of this one.
    #
    # EXAMPLE
    # >>> arange(2, 8, 3)
    # Tensor([2, 5])
    # >>> ones(1, 2)
    # Tensor([[1., 1.]])
    #
    # HINTS
    # - generator.bit_generator.state can be read and set, and so can that of
    #   np.random.default_rng(seed).
    ### BEGIN SOLUTION
    fresh = np.random.default_rng(seed)
    generator.bit_generator.state = fresh.bit_generator.state
    ### END SOLUTION


# %% [markdown]
"""
### Testing factories
Values, dtypes, and that a seed repeats.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-factories-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@exercise(13)
def test_factories():
    check(zeros(2, 3), [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "zeros(2, 3)")
    check(ones((1, 2)), [[1.0, 1.0]], "ones((1, 2))", hint="as_tuple")
    check(ones(2, dtype=np.float64), [1.0, 1.0], "ones(2, dtype=float64)", np.float64)
    got = (zeros(2, requires_grad=True).requires_grad, zeros(2).requires_grad)
    check_equal(got, (True, False), "requires_grad of zeros(2), with and without it")
    check(arange(3), [0, 1, 2], "arange(3)")
    check(arange(2, 8, 3), [2, 5], "arange(2, 8, 3)", hint="8 is not below 8")
    check(arange(0, 1, 0.5), [0.0, 0.5], "arange(0, 1, 0.5)")
    double = arange(2, dtype=np.float64)
    check(double, [0.0, 1.0], "arange(2, dtype=float64)", np.float64)
    got = arange(2.0, requires_grad=True).requires_grad
    check_equal(got, True, "requires_grad of arange(2.0, requires_grad=True)")
    for draw, name in ((rand, "rand"), (randn, "randn")):
        manual_seed(0)
        first, second = draw(5).data.tolist(), draw(5).data.tolist()
        manual_seed(0)
        again = draw(5).data.tolist()
        manual_seed(1)
        other = draw(5).data.tolist()
        hint = "give generator the state of a fresh one; do not replace it"
        check_equal(again, first, f"{name}(5) after manual_seed(0), again", hint)
        check_equal(first not in (second, other), True, f"other {name}(5) differ", hint)
    manual_seed(0)
    low, high = (f(rand(1000).data.tolist()) for f in (min, max))
    check_equal(0 <= low < 0.1 and 0.9 < high < 1, True, "rand is uniform in [0, 1)")
    print("✅ factories work, and luck can be repeated")


test_factories()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-factories-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(13, "requires_grad, precision · other ranges · mean and variance, odd counts")
def test_factories_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: requires_grad, precision
    check_equal(arange(2.0, requires_grad=True).requires_grad, True, "arange(2., ...)")
    for make in (zeros, ones, rand, randn):
        t = make(2, 3, requires_grad=True)
        got = (t.requires_grad, t.data.dtype.name, t.data.shape)
        check_equal(got, (True, "float32", (2, 3)), "a factory with requires_grad")
        check_equal(make((2, 3)).requires_grad, False, "a factory without it")
    u = rand(100, dtype=np.float64).data.tolist()
    fine = any(v != float(np.float32(v)) for v in u)
    check_equal(fine, True, "rand(100, dtype=np.float64) has its precision")
    # hidden: other ranges
    check(arange(-3, 0), [-3, -2, -1], "arange(-3, 0)")
    check(arange(6, step=2), [0, 2, 4], "arange(6, step=2)")
    check(arange(3, 0, -1), [3, 2, 1], "arange(3, 0, -1)")
    # hidden: mean and variance, odd counts
    manual_seed(2)
    x = randn(4_000).data.tolist()
    mean, square = math.fsum(x) / 4_000, math.fsum(v * v for v in x) / 4_000
    near = abs(mean) < 0.1 and abs(square - 1) < 0.1
    check_equal(near, True, f"randn(4000), mean {mean:.2f}, variance {square:.2f}")
    draw, counts = rand, []
    for _ in range(2):
        manual_seed(0)
        counts.append(draw(3).data.tolist())
    check_equal(counts[0], counts[1], "rand(3) after manual_seed(0), twice")
    check_equal(rand is draw, True, "rand is the same function as before")
    ### END HIDDEN TESTS


test_factories_beyond()

# %% [markdown]
"""
## It works: your Tensor reads handwriting
Your package comes with 1,797 digits of 8 × 8 pixels (E. Alpaydin and C. Kaynak, *Optical
Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998, CC BY 4.0), 360 of them set
apart. Average all zeros of the other 1,437, all ones, and so on: ten mean pictures. A new digit is
read as the one whose mean is nearest. That takes an index by a mask, a mean, a stack, a broadcast
difference, a sum and an argmax, and every one of them is yours.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-digits", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
from << cookiecutter.package_name >> import data, viz


def nearest_mean(pictures, labels, unknown):
    """Return the mean picture of each digit, and what the unknown ones are read as."""
    means = stack([pictures[labels == digit].mean(axis=0) for digit in range(10)])
    gaps = unknown.unsqueeze(1) - means  # (N, 1, 8, 8) - (10, 8, 8): each with each
    distances = (gaps * gaps).sum(axis=(2, 3))
    return means, (-distances).argmax(axis=1)


def read_digits():
    """Read the digits set apart; show the means, some successes and some mistakes."""
    known, test = data.load_digits()
    (pictures, labels), (unknown, truth) = map(Tensor, known), map(Tensor, test)
    means, read = nearest_mean(pictures, labels, unknown)
    right = read == truth
    share = right.mean().item()
    title = f"Ten means read {share:.1%} of {len(truth)} digits they were not made from"
    viz.images(means.numpy(), range(10), title)
    hits, misses = (np.flatnonzero(mask)[:10] for mask in (right, ~right.numpy()))
    some = Tensor(np.concatenate([hits, misses]))
    titles = []
    for i in some.numpy():
        titles.append(f"{read[i]}" if right[i] else f"{read[i]}, not {truth[i]}")
    wrong = len(truth) - right.sum().item()
    title = f"Some that it reads, and some of its {wrong} mistakes"
    viz.images(unknown[some].numpy(), titles, title)
    viz.show()
    print(f"{share:.1%} read; guessing would read {1 / 10:.0%}")


read_digits()

# %% [markdown]
"""
Nobody told it what makes a 4 a 4. Its mistakes are fair: which mean does each of them resemble? A
network that learns will do better, but it does so with these same operations.

## Part 2: Systems Analysis
You built it; now measure it. Run each cell, look at your own numbers, and explain them to yourself:
only the four questions at the end are marked.

### Memory Profiling
What does a Tensor weigh, and how much more does an expression need while it runs?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(n=1_000_000):
    """Print what factories keep, and the peaks of three ways to compute a * b + c."""
    import tracemalloc

    def traced(make):
        tracemalloc.start()
        kept = make()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        del kept
        return held / 1e6, peak / 1e6

    def in_place():
        out = a * b
        out.data += c.data
        return out

    for dtype in (np.float64, np.float32, np.bool_):
        held, peak = traced(lambda dtype=dtype: zeros(n, dtype=dtype))
        what = f"zeros({n:,}, dtype={dtype.__name__})"
        print(f"{what:32} keeps {held:4.1f} MB, peak {peak:4.1f} MB")
    a, b, c = randn(n), randn(n), randn(n)
    ways = {"Tensors, a * b + c": lambda: a * b + c}
    ways["Tensors, added in place"] = in_place
    ways["ndarrays, a * b + c"] = lambda: a.data * b.data + c.data
    for name, way in ways.items():
        peak = traced(way)[1]
        factor = 1e6 * peak / a.data.nbytes
        print(f"{name:23} peak {peak:4.1f} MB, {factor:.1f} times an operand")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect 8, 4 and 1 bytes per element, and twice that at the peak: the
factory makes an array and `Tensor` copies it. The expression holds `a * b` until the sum is done:
2 operands. Plain NumPy often needs 1: where nobody else holds `a * b`, it adds into that array. Who
still holds `a * b` when your Tensors add?

### Views, copies and broadcasts
Which of these share the memory of `x`, and what do their strides say?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-views", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_views():
    """Print shape, strides and shared memory of eight expressions."""
    x = arange(12, dtype=np.float32).reshape(3, 4)
    row = np.broadcast_to(x.data[0], (1_000_000, 4))
    views = {
        "x": x,
        "x.T": x.T,
        "x[:, ::2]": x[:, ::2],
        "x.unsqueeze(1)": x.unsqueeze(1),
        "x.T.reshape(-1)": x.T.reshape(-1),
        "x[Tensor([0, 2])]": x[Tensor([0, 2])],
        "x + 0": x + 0,
        "x[0], a million times": result_of(row),
    }
    for name, t in views.items():
        kind = "shares x" if np.shares_memory(t.data, x.data) else "a copy"
        print(f"{name:22} shape {t.shape!s:13} strides {t.data.strides!s:12} {kind}")
    shown, stored = row.nbytes / 1e6, x.data[0].nbytes
    print(f"The last one shows {shown:.0f} MB and stores {stored} bytes.")


profile_views()

# %% [markdown]
"""
**Explain your table.** NumPy counts strides in bytes, here 4 for each number. Expect three copies:
`x.T.reshape(-1)`, the index Tensor and `x + 0`. (More? Then go back to Exercises 8 to 10.) Which
stride makes a million rows of one? Why can no strides at all describe `x.T.reshape(-1)`, so that it
must copy?

### Contiguous against strided access
Sum the same count of float32 numbers, lying side by side or further apart.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-strides", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
from << cookiecutter.package_name >>.testing import median_time


def profile_strides(count=2**18):
    """Plot the time per element of a sum against the distance between elements."""
    buffer, steps = np.ones(64 * count, np.float32), [1, 2, 4, 8, 16, 32, 64]
    cost = {}
    for step in steps:
        seconds = median_time(buffer[: step * count : step].sum)
        cost[f"{4 * step} bytes apart"] = 1e9 / count * seconds
    factor = max(cost.values()) / min(cost.values())
    title = f"The same {count:,} additions take up to {factor:.0f} times as long"
    viz.bars(cost, title, "nanoseconds per addition")
    viz.show()


profile_strides()

# %% [markdown]
"""
**Explain your bars.** Nothing differs but the distance. Memory arrives in lines of (usually) 64
bytes, 16 float32: as the numbers move apart, each line brings fewer of them, until from 64 bytes on
every number costs a line of its own. Beyond that fewer and fewer numbers share a page, usually of
4 KB, and the processor must look up the address of every page. Where does your rise begin? As long
as the processor fetches lines ahead in time, the additions hide the traffic.

### Matrix multiplication, three ways
All three do 2n³ FLOPs. Where Exercise 11 is not done, short code stands in for it.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-matmul", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
from << cookiecutter.package_name >>.testing import times


def lists(a, b):
    """Multiply matrices in plain Python."""
    columns = b.T.tolist()
    return [[sum(map(operator.mul, row, c)) for c in columns] for row in a.tolist()]


def rows(a, b):
    """Multiply matrices by a dot product for each row and column."""
    return [[row @ column for column in b.T] for row in a]


def yours(function, instead):
    """Return function, or what stands in for it."""
    try:
        function(np.ones((1, 1)), np.ones((1, 1)))
    except NotImplementedError:
        return instead
    return function


def profile_matmul():
    """Plot GFLOP/s of loops, row times column, and BLAS against the matrix size."""
    sizes, curves, seconds_at_64 = [8, 16, 32, 64, 128, 256, 512, 1024], {}, []
    ways = {  # name: the function, how many sizes, how often
        "loops": (yours(matmul_loops, lists), 4, 2),
        "row · column": (yours(matmul_rows, rows), 6, 2),
        "BLAS, your @": (operator.matmul, 8, 9),
    }
    for name, (matmul, count, repeats) in ways.items():
        squares = [np.ones((n, n), np.float32) for n in sizes[:count]]
        seconds = [min(times(lambda m=matmul, a=a: m(a, a), repeats)) for a in squares]
        speed = [2e-9 * len(a) ** 3 / t for a, t in zip(squares, seconds, strict=True)]
        curves[f"{name}, {speed[-1]:.2g}"] = sizes[:count], speed
        seconds_at_64.append(seconds[3])
    loops, middle, blas = seconds_at_64
    title = f"At n = 64 BLAS is {loops / blas:,.0f} times as fast as the loops"
    viz.lines(curves, title, "n, for matrices of n × n", "GFLOP/s", log="xy")
    viz.show()
    print(f"At n = 64 a row times a column is {loops / middle:.0f} times as fast.")


profile_matmul()

# %% [markdown]
"""
**Explain your curves.** The loops are flat: whatever a step computes, the interpreter takes its time
for it, from tens of nanoseconds to a microsecond. Row times column rises with n: it pays that price
once per 2n FLOPs. BLAS ends hundreds to tens of thousands of times above the loops: it reuses numbers
while they are in the cache, and each of its instructions does several multiplications at a time. Why
does even BLAS begin so low?

### Roofline: what limits an operation?
An operation that does I FLOPs per byte moved cannot beat min(peak, I · bandwidth) FLOP/s. Draw this
roof from your own measurements, and put operations under it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-roofline", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_roofline(n=8_000_000, m=3000):
    """Plot operations under the roof that peak FLOP/s and bandwidth put over them."""
    x, y, out = np.ones(n, np.float32), np.ones(n, np.float32), np.ones(n, np.float32)
    matrix, vector = np.ones((m, m), np.float32), np.ones(m, np.float32)
    jobs = {  # name: FLOPs, bytes read and written, the work
        "x + y": (n, 12 * n, lambda: np.add(x, y, out=out)),
        "x · y": (2 * n, 8 * n, lambda: np.dot(x, y)),
        "matrix · vector": (2 * m**2, 4 * m**2, lambda: matrix @ vector),
    }
    for k in (16, 64, 1024):
        a = np.ones((k, k), np.float32)
        jobs[f"matmul {k}"] = (2 * k**3, 12 * k**2, lambda a=a: a @ a)
    points = {}  # name: FLOP per byte, GFLOP/s
    for name, (flops, size, work) in jobs.items():
        points[name] = flops / size, 1e-9 * flops / min(times(work))
    bandwidth = max(speed / i for i, speed in list(points.values())[:3])
    peak = max(speed for _, speed in points.values())
    share = points["x + y"][1] / peak
    viz.roofline(points, bandwidth, peak, f"An addition uses {share:.1%} of the peak")
    viz.show()
    print(f"The roof bends at {peak / bandwidth:.1f} FLOP per byte.")


profile_roofline()

# %% [markdown]
"""
**Explain your picture.** On the slope the speed is the memory's, and no better code could change
that: an addition does 1 FLOP on 12 bytes. `x + y` stays a little below, because a cache line is
usually read before it is written, which its 12 bytes leave out. A large matmul lies at n / 6 FLOP
per byte, under the flat part. And `matmul 16`, all of it in cache, stays far below the roof: what
does it wait for?

## Part 3: Production Context
- **Storage and views.** A `torch.Tensor` is sizes, strides (in elements) and an offset on a
  reference-counted storage. `view` refuses what strides cannot do, `reshape` then copies, and
  `contiguous()` copies what is not row-major. `torch.tensor` copies, `torch.from_numpy` shares.
- **Dispatch.** `a + b` enters ATen's dispatcher, which selects a kernel by device and features
  such as autograd (the kernel looks at the dtype); that takes about as long as your Python. Matmuls
  go to BLAS or oneDNN on a CPU, to cuBLAS on a GPU, whose memory a caching allocator keeps for reuse.
- **Fusion.** Eager PyTorch makes your temporaries, too. `torch.compile`, and XLA behind JAX's
  `jit`, fuse `a * b + c` into one kernel and so move it to the right under the roof.
- **Others.** JAX arrays and `tf.Tensor` are immutable: `x.at[i].set(v)` returns a new array in JAX;
  TensorFlow keeps state in `tf.Variable` and refuses to add int and float Tensors.
- **Different here.** Reductions take NumPy's `axis` and `keepdims`, which PyTorch accepts beside its
  own `dim` and `keepdim`, though its `sum`, `mean`, `max` and `min` take `keepdims` only with an axis.
  The last two want one int for it, and return indices, too. A broadcast that does not fit is a
  RuntimeError there, a ValueError here, NumPy's. PyTorch keeps float64 arrays float64, refuses `mean`
  of integers and `@` of two dtypes, and says nothing at `log(0)`, where NumPy warns. Beside a Tensor
  with dimensions its 0-dimensional one of the same kind, int or float, decides no dtype, here it does.
  Its `size()` is the shape, `numel()` your `size`.

### The same in PyTorch
```python
>>> import torch
>>> t = torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 7.0]])
>>> t - t.mean(axis=1, keepdims=True)
tensor([[-2., -1.,  3.],
        [-1., -1.,  2.]])
>>> t.var(axis=1)
tensor([7., 3.])
>>> t.T.reshape(2, 3) @ torch.tensor([1.0, 0.0, -1.0])
tensor([-1., -3.])
>>> torch.where(t > 3, t, 0.0)
tensor([[0., 0., 6.],
        [4., 4., 7.]])
>>> 10 - torch.stack([t[0], t[1]], 1).clip(2, 5)
tensor([[8., 6.],
        [8., 6.],
        [5., 5.]])
>>> torch.tensor([1, 2]) / 2, torch.arange(2, 8, 3)
(tensor([0.5000, 1.0000]), tensor([2, 5]))
```
And yours, on the same numbers:
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-pytorch", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def same_as_pytorch():
    """Print what PyTorch printed above."""
    t = Tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 7.0]])
    print(t - t.mean(axis=1, keepdims=True))
    print(t.var(axis=1))
    print(t.T.reshape(2, 3) @ Tensor([1.0, 0.0, -1.0]))
    print(where(t > 3, t, 0.0))
    print(10 - stack([t[0], t[1]], 1).clip(2, 5))
    print((Tensor([1, 2]) / 2, arange(2, 8, 3)))


same_as_pytorch()

# %% [markdown]
"""
Sources: PyTorch docs, *Tensor Views*, *CUDA semantics*; E. Z. Yang, *PyTorch internals* (2019); JAX
docs, *The Sharp Bits*; Williams, Waterman and Patterson, *Roofline*, CACM 52 (2009).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module, and show what is done."""
    show_results(
        globals(),
        [
            (1, "A Tensor owns its numbers", "test_init", 6, 2),
            (2, "Numbers in, numbers out", "test_numbers", 4, 1),
            (3, "Predict a broadcast", "test_broadcast_shape", 5, 1),
            (4, "Two makers, eighteen methods", "test_operators", 6, 2),
            (5, "Functions of each element", "test_elementwise", 5, 1),
            (6, "Reductions", "test_reductions", 6, 2),
            (7, "An ndarray in twenty lines (deeper)", "test_strides", 6, 2),
            (8, "Same buffer, new shape", "test_reshape", 5, 1),
            (9, "New order of dimensions", "test_permute", 4, 1),
            (10, "Take apart, put together", "test_index", 5, 1),
            (11, "Matmul, the slow way (deeper)", "test_matmul_slow", 3, 1),
            (12, "@, the real one", "test_matmul", 5, 1),
            (13, "Factories and luck", "test_factories", 3, 1),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: Temporaries
A model computes `a * b + c` on Tensors of 500 million float32 elements, on a machine with 9 GB. Use
your measured peaks.
- **(a)** Does it fit into memory as written?
- **(b)** Does it fit if `c` is added in place?
- **(c)** Name a danger of working in place.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) Each operand has 2 GB, so `a`, `b` and `c` take 6 GB. The expression peaked at 2.0 operands
beyond them: 6 + 4 = 10 GB, which does not fit. (b) In place it peaked at 1.0: 6 + 2 = 8 GB, which
fits. (c) The danger: whoever shares that memory (a view, or later a graph that keeps the old values
for its gradients) sees other values than it should.

**Marking rubric (5 points)**
- 1: (a, b) 2 GB per operand. 2: (a, b) both peaks from measured factors, and the right verdicts.
- 2: (c) a real danger (views and aliases, or values needed for gradients).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Strides
Somebody changes `T` so that it copies, "to make it contiguous". Argue with strides and with your
bars.
- **(a)** What does that cost `x.T @ w` in memory (see Exercise 12)?
- **(b)** What does it cost in time?
- **(c)** For which use of `x.T` could the copy pay off?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) The view is free: shape and strides swapped, same buffer. The copy takes another `x.nbytes` and
(b) a pass over memory that reads or writes with a large stride, in my bars ten times slower per
element than a contiguous one. For one `@` that is wasted, since BLAS takes transposed operands and
packs blocks itself. (c) Nor does it help `x.T.exp()` or `x.T.sum(axis=1)`: NumPy walks a view in
the order of memory. It pays off if the result is then read many times in its own order: row by row,
or elementwise beside a row-major Tensor.

**Marking rubric (5 points)**
- 2: (a) view against copy, in bytes and strides. 1: (b) the cost of the strided pass, as measured.
- 2: (c) a case in which the copy pays off (many passes in its order), and one in which it does not.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: The broadcast nobody wanted
`prediction` has shape `(50000, 1)`, `target` `(50000,)`; the loss is
`((prediction - target) ** 2).mean()`.
- **(a)** What happens?
- **(b)** In how much memory?
- **(c)** How would you prevent it?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) `broadcast_shape((50000, 1), (50000,))` is `(50000, 50000)`: (b) 2.5 billion float32, 10 GB for
the difference and 10 GB more for its square. (a) If that fits there is no error: the mean runs over
all pairs, so training pulls every prediction towards the mean target. (c) Prevent it in the loss:
raise ValueError with both shapes unless they are equal.

**Marking rubric (5 points)**
- 2: (a) the shape, by the rule. 1: (b) 10 GB (20 with the square).
- 1: (a) a wrong result without an error.
- 1: (c) a check that compares the shapes and shows both.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Under the roof
You may buy twice the FLOP/s or twice the bandwidth for `x @ w`, with `w` of shape `(4096, 4096)`.
- **(a)** Which helps if `x` is `(1, 4096)`?
- **(b)** Which helps if `x` is `(1024, 4096)`?
- **(c)** What limits the loops?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) One row makes a matrix-vector product: 2 FLOPs per 4-byte weight, 0.5 FLOP per byte, far left of
my bend (about 5), so bandwidth helps. (b) With 1024 rows each weight is used 1024 times:
2·1024·4096² FLOPs on 4·(2·1024·4096 + 4096²) bytes, about 340 per byte, right of the bend: FLOP/s
help. (c) The loops wait for neither, but for the interpreter, some 300 ns per step.

**Marking rubric (5 points)**
- 2: (a, b) intensities (0.5 and some hundreds) against the measured bend.
- 2: (a, b) the right purchases.
- 1: (c) interpreter overhead as the third limit.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built a Tensor: a buffer with shape, dtype and strides; elementwise operations, reductions, views
and matmul; broadcasts you can predict; errors that help. It reads handwriting already. You measured
that views are free and temporaries are not, that distance in memory costs time, and that only a
large matmul keeps a processor busy.

<% if cookiecutter.last_module >= '02' %>**Next, Module 02: Activations** bends what is linear: unbent, a hundred layers are worth one. It
imports your Tensor: before you go on, run `course export 01` in a terminal.<% else %>**Next**: whatever you compute with it.<% endif %>
"""
