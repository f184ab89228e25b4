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
Jim Hugunin brought such arrays to Python with *Numeric*, from which NumPy grew. The matrix product
behind your `@` is older than both libraries: BLAS began in Fortran, in 1979.

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
    median_time,
    record_operations,
    show_results,
    times,
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
so a large one computes, while nearly everything else in this table waits for memory.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-class", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def add_to_class(cls):
    """Make the decorated function a method of cls: so a class can grow cell by cell."""

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
Here is a class with nothing in it yet. `@add_to_class(Tensor)` above a function makes it a method of
`Tensor`, so you can write one method at a time and try it at once. The first is `__init__`.

`Tensor(data)` copies, as `torch.tensor` does: nobody can change your weights from outside. Floats
become float32, half the bytes of NumPy's float64 and precise enough for training. Integers and
booleans stay what they are: labels, indices, masks.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-init", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Tensor)
def __init__(self, data, dtype=None, requires_grad=False):
    """Copy numbers, nested lists, an ndarray, or a Tensor, which keeps its dtype.

    TypeError, with the name of the Python type ("str"), unless data are real numbers.
    RuntimeError, with the dtype ("int64"), if integers or booleans should require gradients.
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
    # - np.array(array, dtype=dtype) copies; np.asarray does not.
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
    self.grad = None  # autograd will put the gradient here ...
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
    check(Tensor([1, 2.5]), [1.0, 2.5], "Tensor([1, 2.5])", hint="floats become float32")
    check(Tensor([[1, 2], [3, 4]]), [[1, 2], [3, 4]], "Tensor([[1, 2], [3, 4]])")
    check(Tensor([True, False]), [True, False], "Tensor([True, False])")
    double = Tensor(0.1, dtype=np.float64)
    check(double, 0.1, "Tensor(0.1, dtype=np.float64)", np.float64)
    hint = "a Tensor keeps its dtype"
    check(Tensor(double), 0.1, "Tensor(a float64 Tensor)", np.float64, hint)
    t = Tensor([3.0], requires_grad=True)
    got = (t.requires_grad, t.grad, t.grad_fn)
    check_equal(got, (True, None, None), "requires_grad, grad and grad_fn")
    check_equal(Tensor([3.0]).requires_grad, False, "Tensor([3.0]).requires_grad")
    array = np.ones(2)
    t = Tensor(array)
    array[0] = 5.0
    check(t, [1.0, 1.0], "Tensor(array), after array changed", hint="np.array copies")
    check_raises(TypeError, ["str"], lambda: Tensor("three"), 'Tensor("three")')
    what = "Tensor([1], requires_grad=True)"
    check_raises(RuntimeError, ["int64"], lambda: Tensor([1], requires_grad=True), what)
    print("✅ a Tensor copies, chooses its dtype and refuses nonsense")


test_init()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-init-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "Tensors are copied, too · other dtypes · other data that is no number")
def test_init_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: Tensors are copied, too
    x = np.random.default_rng(1).normal(size=(3, 4))
    for dtype in (np.float32, np.float64):
        given = x.astype(dtype)
        t = Tensor(given, dtype=dtype)
        again = Tensor(t)
        given[:] = 0.0
        check(t, x.tolist(), "Tensor(array), after array changed", dtype, "copy")
        t.data[:] = 0.0
        check(again, x.tolist(), "Tensor(tensor), after tensor changed", dtype, "copy")
    # hidden: other dtypes
    check(Tensor(x), x.tolist(), "Tensor(float64 array)")
    check(Tensor([1], np.float64, True), [1.0], "Tensor([1], float64)", np.float64)
    for dtype in (np.uint8, np.int32):
        check(Tensor(np.array([1, 2], dtype)), [1, 2], f"a {dtype.__name__} array", dtype)
    check(Tensor(np.ones(2, np.float16)), [1.0, 1.0], "a float16 array")
    # hidden: other data that is no number
    for bad in (None, ["1.5"], 1j):
        check_raises(TypeError, [], lambda bad=bad: Tensor(bad, np.float32), f"{bad}")
    check_raises(RuntimeError, ["bool"], lambda: Tensor([True], requires_grad=True), "bool")
    ### END HIDDEN TESTS


test_init_beyond()

# %% [markdown]
"""
## Exercise 2: Numbers in, numbers out
Every `t + other` asks what `other` is. A number must become a plain Python `float` or `int`, which
adapts to the array; NumPy's own numbers do not, and one stray `np.float64` makes it compute in
float64, at twice the memory. `item()` gets a Python number out again, say a loss to print.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-numbers", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write unwrap, which says what NumPy should compute with, and item.
# Approach: operand: 1. a Tensor: its array. 2. float or np.floating: float(other). 3. int,
#   np.integer or np.bool_: int(other). 4. anything else: TypeError with its type name and the
#   advice to write Tensor(...). item: 1. size is not 1: RuntimeError with the shape. 2. the number.
# Example: unwrap(np.float64(2.5))  ->  2.5, a Python float, and Tensor([[7]]).item()  ->  7
# Hint: isinstance takes a tuple of types. An ndarray has an item(), too.
def unwrap(other):
    """Return a Tensor's array or a plain Python number. Raises TypeError on anything else."""
    ### BEGIN SOLUTION
    if isinstance(other, Tensor):
        return other.data
    if isinstance(other, (float, np.floating)):
        return float(other)
    if isinstance(other, (int, np.integer, np.bool_)):
        return int(other)
    raise TypeError(
        f"expected a Tensor or a number, got {type(other).__name__}; write Tensor(...) around it"
    )
    ### END SOLUTION


@add_to_class(Tensor)
def item(self):
    """Return the only element as a Python number. RuntimeError unless there is exactly one."""
    ### BEGIN SOLUTION
    if self.size != 1:
        raise RuntimeError(f"item() and bool() need exactly one element, got shape {self.shape}")
    return self.data.item()
    ### END SOLUTION


Tensor.__bool__ = lambda self: bool(self.item())
Tensor.__float__ = lambda self: float(self.item())

# %% [markdown]
"""
### Testing numbers
Exact types, because `np.float64(2.5) == 2.5` would hide a mistake. Hidden: more of them.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-numbers-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_numbers():
    t = Tensor([1.0, 2.0])
    assert unwrap(t) is t.data, "unwrap(tensor) should be the Tensor's own array, not a copy"
    numbers = [(2.5, float), (np.float64(2.5), float), (2, int), (np.int64(2), int), (True, int)]
    ### BEGIN HIDDEN TESTS
    # hidden: types of other NumPy numbers
    numbers += [(np.float16(0.5), float), (np.uint8(7), int), (np.bool_(True), int)]
    # hidden: item() of float64
    assert Tensor([0.1], dtype=np.float64).item() == 0.1, "item() should keep all of a float64"
    # hidden: item() of an empty Tensor
    check_raises(RuntimeError, ["(0,)"], lambda: Tensor([]).item(), "Tensor([]).item()")
    # hidden: operand of an array
    check_raises(TypeError, ["ndarray"], lambda: unwrap(np.array(2.5)), "unwrap(0-d ndarray)")
    # hidden: item() of other shapes
    assert Tensor(2.5).item() == 2.5, "item() of a 0-d Tensor"
    check_raises(RuntimeError, ["(1, 3)"], lambda: Tensor([[1, 2, 3]]).item(), "item() of (1, 3)")
    ### END HIDDEN TESTS
    for number, kind in numbers:
        got = unwrap(number)
        want = f"expected {kind.__name__} {number}, got {type(got).__name__} {got}"
        assert type(got) is kind and got == number, f"unwrap({number!r}): {want}"
    for bad in ([1.0], "1", None, np.ones(2)):
        words = [type(bad).__name__, "Tensor("]
        check_raises(TypeError, words, lambda bad=bad: unwrap(bad), f"unwrap({bad!r})")
    for number in (2.5, 7, True):
        got = Tensor([[number]]).item()
        assert type(got) is type(number) and got == number, f"expected {number!r}, got {got!r}"
    check_raises(RuntimeError, ["(2,)"], lambda: t.item(), "Tensor([1., 2.]).item()")
    print("✅ numbers get in and out")


test_numbers()

# %% [markdown]
"""
## Exercise 3: Predict a broadcast
Many silent bugs in deep learning are broadcasts that nobody intended. So learn to predict them:
align the shapes on the right; two sizes fit if they are equal or one of them is 1. In Module 05
you will need this rule backwards.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-broadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: compute the shape of a + b from the two shapes alone.
# Approach: 1. put 1s before the shorter shape. 2. go through the pairs of sizes. 3. two different
#   sizes, neither of them 1: ValueError with both shapes. 4. keep the size that is not 1.
# Example: broadcast_shape((32, 1, 5), (4, 1))  ->  (32, 4, 5)
# Hint: (1,) * 2 + (3,) is (1, 1, 3). A size can be 0, so max(m, n) is not the rule.
def broadcast_shape(a, b):
    """Return the shape of a + b for two shape tuples. ValueError names both if they do not fit."""
    ### BEGIN SOLUTION
    ndim = max(len(a), len(b))
    padded_a = (1,) * (ndim - len(a)) + a
    padded_b = (1,) * (ndim - len(b)) + b
    shape = []
    for m, n in zip(padded_a, padded_b, strict=True):
        if m != n and m != 1 and n != 1:
            raise ValueError(f"{a} and {b} do not broadcast: {m} and {n} differ, neither is 1")
        shape.append(n if m == 1 else m)
    return tuple(shape)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the rule
Known cases in both orders. Hidden: random pairs, made backwards from the shape they must give.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-broadcast-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_broadcast_shape():
    cases = [((2, 3), (3,), (2, 3)), ((4, 1), (1, 5), (4, 5)), ((), (2,), (2,)), ((0,), (1,), (0,))]
    errors = [((2, 3), (2,)), ((4, 3), (5, 3))]
    ### BEGIN HIDDEN TESTS
    # hidden: 0-d shapes, sizes of zero
    cases += [((), (), ()), ((1, 3), (0, 1), (0, 3)), ((1,), (1, 1), (1, 1))]
    # hidden: random pairs of shapes
    rng = np.random.default_rng(3)
    for _ in range(25):
        shape = tuple(rng.integers(2, 9, size=rng.integers(1, 6)).tolist())
        ones = rng.integers(0, 3, size=len(shape)).tolist()  # who has size 1: a, b or nobody
        a, b = (tuple(1 if o == c else n for n, o in zip(shape, ones, strict=True)) for c in (0, 1))
        start = next(i for i, o in enumerate([*ones, 1]) if o != 0)  # a may omit leading 1s
        cases += [(a, b, shape), (a[start:], b, shape)]
    # hidden: pairs that do not fit
    errors += [((0,), (2,)), ((7, 2, 3), (3, 3)), ((2,), (4, 3))]
    ### END HIDDEN TESTS
    for a, b, expected in cases + [(b, a, expected) for a, b, expected in cases]:
        got = broadcast_shape(a, b)
        assert got == expected, f"broadcast_shape({a}, {b}): expected {expected}, got {got}"
    for a, b in errors:
        what, words = f"broadcast_shape({a}, {b})", [str(a), str(b)]
        check_raises(ValueError, words, lambda a=a, b=b: broadcast_shape(a, b), what)
    print("✅ you can predict every broadcast")


test_broadcast_shape()

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-results", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def as_tuple(sizes):
    """Return sizes as one tuple, so that f(2, 3) and f((2, 3)) mean the same."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


generator = np.random.default_rng()  # the only source of randomness; see manual_seed

Tensor.__array_ufunc__ = None  # ndarray + tensor asks the Tensor, instead of looping over it


@add_to_class(Tensor)
def numpy(self):
    """Return the array itself, not a copy."""
    return self.data


@add_to_class(Tensor)
def __len__(self):
    """Return the size of the first dimension."""
    return len(self.data)


@add_to_class(Tensor)
def __iter__(self):
    """Go through the first dimension, as `for row in tensor`."""
    return (self[i] for i in range(len(self)))


@add_to_class(Tensor)
def backward(self, gradient=None):
    """Compute gradients: not yet."""
    raise NotImplementedError("Tensor.backward arrives in Module 05 (Autograd)")


def tensor_function(fn):
    """Make fn a static method of Tensor, and return a function that calls whatever stands there.

    Module 05 replaces methods of Tensor; so it reaches `where` in every module that imported it.
    """
    name = fn.__name__
    setattr(Tensor, name, staticmethod(fn))
    return functools.wraps(fn)(lambda *args, **kwargs: getattr(Tensor, name)(*args, **kwargs))


def in_floats(function):
    """Return function, but computing integers and booleans in float32 (NumPy: uint8 in float16)."""
    return lambda a: function(a if a.dtype.kind == "f" else a.astype(np.float32))


def result_of(array, *inputs):
    """Wrap the array an operation computed, without a copy. Every operation returns through it.

    NumPy makes int with float32 a float64, PyTorch a float32: a float dtype that no input Tensor
    has becomes float32. Module 05 will record here which inputs the array came from.
    """
    array = np.asarray(array)
    unusual = array.dtype != np.float32 and array.dtype.kind == "f"
    if unusual and not any(isinstance(t, Tensor) and t.dtype == array.dtype for t in inputs):
        array = array.astype(np.float32)
    result = Tensor.__new__(Tensor)
    result.data, result.requires_grad, result.grad, result.grad_fn = array, False, None, None
    return result


# %% [markdown]
"""
## Exercise 4: Two makers, eighteen methods
`t + 10` calls `t.__add__(10)`. In `10 - t` the int gives up, and Python calls `t.__rsub__(10)`:
there, `self` stands on the **right**. The methods differ in one symbol, so write the two functions
that make them all, as NumPy does (`numpy/lib/mixins.py`).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-operators", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the methods that binary and reflected return. They get attached below.
# Approach: 1. array: function of self.data and unwrap(other); reflected: the other way round.
#   2. return result_of(array, self, other): it looks at the inputs to choose the dtype.
# Example: 10 - Tensor([1.0, 2.0])  ->  Tensor([9., 8.])
# Hint: operator.sub(a, b) is a - b. NumPy broadcasts by itself.
def binary(function):
    """Return the method for self + other and its like; other is a Tensor or a number."""

    def method(self, other):
        ### BEGIN SOLUTION
        array = function(self.data, unwrap(other))
        return result_of(array, self, other)
        ### END SOLUTION

    return method


def reflected(function):
    """Return the method for other + self and its like, where other is a number."""

    def method(self, other):
        ### BEGIN SOLUTION
        array = function(unwrap(other), self.data)
        return result_of(array, other, self)
        ### END SOLUTION

    return method


Tensor.__add__, Tensor.__radd__ = binary(operator.add), reflected(operator.add)
Tensor.__sub__, Tensor.__rsub__ = binary(operator.sub), reflected(operator.sub)
Tensor.__mul__, Tensor.__rmul__ = binary(operator.mul), reflected(operator.mul)
Tensor.__truediv__, Tensor.__rtruediv__ = binary(operator.truediv), reflected(operator.truediv)
Tensor.__pow__, Tensor.__rpow__ = binary(operator.pow), reflected(operator.pow)
Tensor.__eq__, Tensor.__ne__ = binary(operator.eq), binary(operator.ne)
Tensor.__lt__, Tensor.__le__ = binary(operator.lt), binary(operator.le)
Tensor.__gt__, Tensor.__ge__ = binary(operator.gt), binary(operator.ge)
Tensor.maximum, Tensor.minimum = binary(np.maximum), binary(np.minimum)

# %% [markdown]
"""
### Testing operators
Some operators, both orders. Hidden: all of them, in both float dtypes, against Python's own.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-operators-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_operators():
    t = Tensor([1.0, 2.0])
    check(t + 10, [11.0, 12.0], "Tensor([1., 2.]) + 10")
    check(10 - t, [9.0, 8.0], "10 - Tensor([1., 2.])", hint="reflected: self is on the right")
    check(t * Tensor([[3.0], [4.0]]), [[3.0, 6.0], [4.0, 8.0]], "shapes (2,) * (2, 1)")
    check(np.float64(2) ** t, [2.0, 4.0], "np.float64(2) ** Tensor([1., 2.])", hint="see operand")
    check(Tensor([1, 2]) / 2, [0.5, 1.0], "Tensor([1, 2]) / 2", hint="return through result_of")
    double, hint = Tensor([0.1], dtype=np.float64), "result_of(array, self, other)"
    check(double + 0.2, [0.1 + 0.2], "float64 Tensor + 0.2", np.float64, hint)
    check(t == 2, [False, True], "Tensor([1., 2.]) == 2")
    check_raises(TypeError, ["Tensor("], lambda: np.ones(2) + t, "ndarray + Tensor")
    ### BEGIN HIDDEN TESTS
    # hidden: single numbers, integers with floats
    check(Tensor(5) - Tensor(2), 3, "Tensor(5) - Tensor(2)")
    check(Tensor([5, 6]) + t, [6.0, 8.0], "int + float32")
    # hidden: Tensors are hashable
    assert len({t, t, Tensor([1.0, 2.0])}) == 2, "Tensors should be hashable, by identity"
    # hidden: all operators, both orders
    arithmetic, comparisons = ("add", "sub", "mul", "truediv", "pow"), ("eq", "ne", "lt", "le")
    rng = np.random.default_rng(4)
    for dtype in (np.float32, np.float64):
        a = Tensor(rng.uniform(0.5, 2.0, size=(3, 1)), dtype=dtype)
        b = Tensor([a.data[0, 0], *rng.uniform(0.5, 2.0, size=3)], dtype=dtype)
        x, y = a.data.ravel().tolist(), b.data.tolist()
        for name in (*arithmetic, *comparisons, "gt", "ge"):
            op, kind = getattr(operator, name), dtype if name in arithmetic else bool
            check(op(a, b), [[op(u, v) for v in y] for u in x], f"{name}(a, b)", kind)
            check(op(b, 1.5), [op(v, 1.5) for v in y], f"{name}(b, 1.5)", kind)
            check(op(1.5, b), [op(1.5, v) for v in y], f"{name}(1.5, b)", kind)
        check(a.maximum(b), [[max(u, v) for v in y] for u in x], "a.maximum(b)", dtype)
        check(b.minimum(1.25), [min(v, 1.25) for v in y], "b.minimum(1.25)", dtype)
        # hidden: the inputs are not modified
        assert (a.data.ravel().tolist(), b.data.tolist()) == (x, y), "inputs modified"
    # hidden: arrays refused, mixed dtypes
    check_raises(TypeError, ["Tensor("], lambda: t + np.ones(2), "Tensor + ndarray")
    check(t + Tensor([0.1, 0.1], np.float64), [1.1, 2.1], "float32 + float64", np.float64)
    check(Tensor([1, 2]) * 0.5, [0.5, 1.0], "int Tensor * 0.5")
    check(Tensor([1, 2]) >= 1.5, [False, True], "int Tensor >= 1.5")
    check(np.int64(1) + Tensor([1], np.int32), [2], "np.int64 + int32 Tensor", np.int32)
    ### END HIDDEN TESTS
    print("✅ two makers made eighteen methods")


test_operators()

# %% [markdown]
"""
## Exercise 5: Functions of each element
The same idea for one operand: `exp`, `log`, `sqrt`, `tanh`, `abs`, `-t` and so on differ in the
function only. Then the two by which networks choose: `clip` keeps values in a range, and `where` picks from
two Tensors by a mask.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-elementwise", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the method that unary returns, then clip and where.
# Approach: unary: as binary, without other. clip: 1. a bound that is None stays None, another
#   becomes unwrap(bound). 2. np.clip; its inputs are self, min and max. where: np.where of three
#   operands; its inputs are a and b.
# Example: Tensor([-2.0, 0.5, 3.0]).clip(0, 1)  ->  Tensor([0. , 0.5, 1. ])
# Hint: np.clip(array, low, high) takes None for a bound that is not there.
def unary(function):
    """Return the method that applies function to every element of self."""

    def method(self):
        ### BEGIN SOLUTION
        array = function(self.data)
        return result_of(array, self)
        ### END SOLUTION

    return method


Tensor.exp, Tensor.log = unary(in_floats(np.exp)), unary(in_floats(np.log))
Tensor.sqrt, Tensor.tanh = unary(in_floats(np.sqrt)), unary(in_floats(np.tanh))
Tensor.abs, Tensor.__abs__, Tensor.__neg__ = unary(np.abs), unary(np.abs), unary(operator.neg)
Tensor.log1p = unary(in_floats(np.log1p))  # log(1 + x), exact where 1 + x would round to 1
Tensor.erf = unary(np.vectorize(math.erf, otypes=[float]))  # NumPy has none: Python's, in a loop


@add_to_class(Tensor)
def clip(self, min=None, max=None):
    """Return self with values below min raised to min, and values above max lowered to max."""
    ### BEGIN SOLUTION
    low = None if min is None else unwrap(min)
    high = None if max is None else unwrap(max)
    array = np.clip(self.data, low, high)
    return result_of(array, self, min, max)
    ### END SOLUTION


@tensor_function
def where(condition, a, b):
    """Return a where the bool Tensor condition is True and b elsewhere (torch.where)."""
    ### BEGIN SOLUTION
    array = np.where(unwrap(condition), unwrap(a), unwrap(b))
    return result_of(array, a, b)
    ### END SOLUTION


# %% [markdown]
"""
### Testing functions of each element
Known values. Hidden: Python's `math`, each bound alone, Tensors as bounds, float64.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-elementwise-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_elementwise():
    t, mask = Tensor([-2.0, 0.5, 3.0]), Tensor([True, False, True])
    check(-t, [2.0, -0.5, -3.0], "-t")
    check(abs(t), [2.0, 0.5, 3.0], "abs(t)")
    check(Tensor([0, 1]).exp(), [1.0, math.e], "Tensor([0, 1]).exp()", hint="use result_of")
    check(t.clip(0, 1), [0.0, 0.5, 1.0], "t.clip(0, 1)")
    check(t.clip(max=1), [-2.0, 0.5, 1.0], "t.clip(max=1)")
    double = Tensor([0.1, 0.2, 0.3], np.float64)
    got, hint = t.clip(max=double), "result_of(array, self, min, max)"
    check(got, [-2.0, 0.2, 0.3], "t.clip(max=float64 Tensor)", np.float64, hint)
    check(where(mask, t, 0.0), [-2.0, 0.0, 3.0], "where([True, False, True], t, 0.0)")
    ### BEGIN HIDDEN TESTS
    # hidden: where with numbers, broadcasting
    check(where(mask, 1, 0), [1, 0, 1], "where(mask, 1, 0)")
    check(where(mask, 0.5, Tensor([[1.0], [2.0]])), [[0.5, 1.0, 0.5], [0.5, 2.0, 0.5]], "where")
    # hidden: each function, both float dtypes
    x = np.random.default_rng(5).uniform(0.1, 3.0, size=(2, 3))
    for dtype in (np.float32, np.float64):
        a = Tensor(x, dtype=dtype)
        rows = a.data.tolist()
        for name in ("exp", "log", "log1p", "sqrt", "tanh", "erf"):
            expected = [[getattr(math, name)(v) for v in row] for row in rows]
            check(getattr(a, name)(), expected, f"a.{name}()", dtype)
        check((-a).abs(), rows, "(-a).abs()", dtype)
        check(a.clip(min=1.1), [[max(v, 1.1) for v in r] for r in rows], "a.clip(min=1.1)", dtype)
        expected = [[min(v, 1.0) for v in rows[0]], [min(v, 2.0) for v in rows[1]]]
        high = Tensor([[1.0], [2.0]], dtype=dtype)
        check(a.clip(max=high), expected, "a.clip(max=Tensor)", dtype)
        expected = [[v if v < 1.5 else 9.0 for v in row] for row in rows]
        check(where(Tensor(a.data < 1.5), a, 9), expected, "where(a < 1.5, a, 9)", dtype)
        # hidden: the input is not modified
        assert a.data.tolist() == rows, "an operation modified its input"
    # hidden: integer Tensors
    whole = Tensor([-1, 2, 3])
    check(-whole, [1, -2, -3], "-int Tensor")
    check(whole.abs(), [1, 2, 3], "abs of an int Tensor")
    check(Tensor(np.array([12], np.uint8)).exp(), [math.exp(12)], "exp of uint8")
    check(whole.clip(min=2), [2, 2, 3], "int Tensor clipped by an int")
    check(whole.clip(0, 2.5), [0.0, 2.0, 2.5], "int Tensor clipped by a float")
    # hidden: where: dtypes, infinity, errors
    check(where(mask, 0.0, double), [0.0, 0.2, 0.0], "where(mask, 0.0, float64)", np.float64)
    check(where(mask, t, -math.inf), [-2.0, -math.inf, 3.0], "where(mask, t, -inf)")
    check_raises(TypeError, ["list"], lambda: where([True], t, 0.0), "where of a list")
    ### END HIDDEN TESTS
    print("✅ functions of each element work")


test_elementwise()

# %% [markdown]
"""
## Exercise 6: Reductions
A reduction folds axes away. With `keepdims=True` a size of 1 stays in their place, so that the
result broadcasts against the input: Modules 02 and 03 live on that. Build `var` from Tensor
operations only, and Module 05 will differentiate it for free. It divides by n - 1, which is right
on average for a sample; `correction=0` divides by n.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-reductions", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the maker of reductions, then var: the mean squared distance from the mean.
# Approach: reduction: call function with axis and keepdims. var: 1. subtract the mean, taken with
#   keepdims=True. 2. sum the squares. 3. count the elements behind each sum: self.size over the
#   size of the result. 4. divide by count - correction.
# Example: Tensor([[1.0, 2.0], [3.0, 6.0]]).var(axis=1)  ->  Tensor([0.5, 4.5])
# Hint: the keepdims of var is for its result; the mean inside always keeps its dimensions. Without
#   rows there are no results, either: do not divide by their number then.
def reduction(function):
    """Return the method that reduces over axis: None (all), an int or, but for argmax, a tuple."""

    def method(self, axis=None, keepdims=False):
        ### BEGIN SOLUTION
        array = function(self.data, axis=axis, keepdims=keepdims)
        return result_of(array, self)
        ### END SOLUTION

    return method


Tensor.sum, Tensor.mean, Tensor.argmax = reduction(np.sum), reduction(np.mean), reduction(np.argmax)
Tensor.max, Tensor.min = reduction(np.max), reduction(np.min)  # values only, as torch.amax


@add_to_class(Tensor)
def var(self, axis=None, keepdims=False, correction=1):
    """Return the variance, the sum of squares over n - correction (torch.var)."""
    ### BEGIN SOLUTION
    centered = self - self.mean(axis=axis, keepdims=True)
    squares = (centered * centered).sum(axis=axis, keepdims=keepdims)
    count = self.size // max(squares.size, 1)
    return squares / (count - correction)
    ### END SOLUTION


# %% [markdown]
"""
### Testing reductions
Known values. Hidden: single, negative and several axes, with and without `keepdims`, float64, no
rows.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reductions-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_reductions():
    t = Tensor([[1.0, 2.0], [3.0, 6.0]])
    check(t.sum(), 12.0, "t.sum()")
    check(t.mean(axis=1, keepdims=True), [[1.5], [4.5]], "t.mean(axis=1, keepdims=True)")
    check(t.argmax(axis=-1), [1, 1], "t.argmax(axis=-1)")
    wide = Tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 7.0]])
    hint = "is the mean taken with keepdims=True? Then: n - correction"
    check(wide.var(axis=1), [7.0, 3.0], "Tensor([[1, 2, 6], [4, 4, 7]]).var(axis=1)", hint=hint)
    check(t.var(correction=0), 3.5, "t.var(correction=0)", hint="divide by n - correction")
    ### BEGIN HIDDEN TESTS
    # hidden: booleans, integers, no rows
    check(Tensor([True, True]).sum(), 2, "sum of booleans")
    check(Tensor([1, 2]).mean(), 1.5, "mean of integers")
    empty = Tensor(np.ones((0, 3))).var(axis=1)
    assert empty.data.shape == (0,), f"var of no rows: expected shape (0,), got {empty.data.shape}"
    # hidden: any axes, keepdims, both dtypes
    plain = {"sum": sum, "max": max, "min": min, "mean": lambda v: sum(v) / len(v)}
    plain["var"] = lambda v: (sum(x * x for x in v) - sum(v) ** 2 / len(v)) / (len(v) - 1)
    plain["argmax"] = lambda v: v.index(max(v))
    x, folded = np.random.default_rng(6).normal(size=(2, 3, 4)), {None: (0, 1, 2), 0: (0,), 1: (1,)}
    for axis, gone in (folded | {-1: (2,), (0, 2): (0, 2), (-3, 1): (0, 1)}).items():
        groups = {}  # the elements, by what is left of their index
        for index in np.ndindex(2, 3, 4):
            key = tuple(i for d, i in enumerate(index) if d not in gone)
            groups.setdefault(key, []).append(x[index].item())
        values = {name: [plain[name](v) for v in groups.values()] for name in plain}
        for keep, dtype in ((True, np.float64), (False, np.float32)):
            t, old = Tensor(x, dtype=dtype), x.astype(dtype)
            shape = [1 if d in gone else n for d, n in enumerate(x.shape) if keep or d not in gone]
            for name in [n for n in plain if n != "argmax" or len(gone) != 2]:
                expected = np.reshape(values[name], shape).tolist()
                what, got = f"{name}({axis=}, {keep=})", getattr(t, name)(axis=axis, keepdims=keep)
                check(got, expected, what, None if name == "argmax" else dtype)
                # hidden: the input is not modified
                assert (t.data == old).all(), f"{what} modified its input"
    # hidden: var: large numbers, correction
    t = Tensor([10000.0, 10001.0, 10005.0])
    check(t.var(), 7.0, "var of large numbers", hint="square distances from the mean")
    check(t.var(correction=2), 14.0, "var(correction=2)")
    # hidden: sum after a change in place
    check(t.sum(), 30006.0, "sum before a change in place")
    t.data += 1.0
    check(t.sum(), 30009.0, "sum after a change in place")
    ### END HIDDEN TESTS
    print("✅ reductions fold the right axes")


test_reductions()

# %% [markdown]
"""
## Exercise 7: An ndarray in twenty lines
Memory is one long line, and a buffer can be read in many ways: transposed by swapping two strides,
repeated by a stride of 0. Write this once without NumPy, and views will never puzzle you again.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-strides", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: compute strides for a contiguous array and for a broadcast one, and read a buffer by them.
# Approach: contiguous: walk from the last size to the first; each stride is itemsize times all
#   sizes behind it. broadcast: 0 for every new leading dimension and for every size of 1, which
#   repeats; else the old stride. read: no dimension left: the element at offset; otherwise the
#   list, over the first dimension, of what reading the rest gives (recursion).
# Example: contiguous_strides((2, 3, 4), 4)  ->  (48, 16, 4)
# Hint: read_strided([0, 1, 2, 3], (2, 2), (1, 2))  ->  [[0, 2], [1, 3]], a transposed matrix.
def contiguous_strides(shape, itemsize):
    """Return the row-major strides of a shape, in the unit of itemsize (ndarray.strides: bytes).

    An array without elements, with a size of 0, is not asked for: no stride is wrong there.
    """
    ### BEGIN SOLUTION
    strides = []
    step = itemsize
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
    ### END SOLUTION


def broadcast_strides(shape, strides, target):
    """Return the strides that show an array of this shape as target (np.broadcast_to)."""
    ### BEGIN SOLUTION
    new = len(target) - len(shape)
    result = [0] * new
    for size, stride in zip(shape, strides, strict=True):
        result.append(0 if size == 1 else stride)
    return tuple(result)
    ### END SOLUTION


def read_strided(buffer, shape, strides, offset=0):
    """Return the nested lists that shape and strides (in elements) show of a flat buffer."""
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
Known cases. Hidden: the strides and the elements of random NumPy arrays.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-strides-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_strides():
    got = contiguous_strides((2, 3, 4), 4)
    assert got == (48, 16, 4), f"contiguous_strides((2, 3, 4), 4): expected (48, 16, 4), got {got}"
    got = broadcast_strides((3, 1), (4, 4), (2, 3, 5))
    want = (0, 4, 0)
    assert got == want, f"broadcast_strides((3, 1), (4, 4), (2, 3, 5)): expected {want}, got {got}"
    got = read_strided([0, 1, 2, 3, 4, 5], (3, 2), (1, 3))
    assert got == [[0, 3], [1, 4], [2, 5]], f"read_strided([0, ..., 5], (3, 2), (1, 3)) gave {got}"
    ### BEGIN HIDDEN TESTS
    # hidden: types of results, 0-d arrays
    kinds = contiguous_strides((2,), 8), broadcast_strides((3,), (4,), (2, 3)), type(got)
    assert [type(kinds[0]), type(kinds[1]), kinds[2]] == [tuple, tuple, list], "tuples and lists"
    assert contiguous_strides((), 8) == (), "contiguous_strides of a 0-d array"
    # hidden: random shapes, as in NumPy
    rng = np.random.default_rng(7)
    for n in range(20):
        shape = tuple(rng.integers(2, 5, size=n % 4 + 1).tolist())
        array = rng.normal(size=[n if rng.random() < 0.5 else 1 for n in shape])
        view = np.broadcast_to(array, (2, *shape))
        got = contiguous_strides(shape, 8)
        assert got == np.zeros(shape).strides, f"contiguous_strides({shape}, 8) gave {got}"
        got = broadcast_strides(array.shape, array.strides, view.shape)
        assert got == view.strides, f"{array.shape} as {view.shape}: {view.strides}, not {got}"
        steps = [s // 8 for s in view.T.strides]
        got = read_strided(array.ravel().tolist(), view.T.shape, steps)
        assert got == view.T.tolist(), f"read_strided of shape {view.T.shape}, strides {steps}"
    # hidden: read_strided with an offset
    assert read_strided([0, 1, 2, 3], (2,), (2,), 1) == [1, 3], "read_strided with offset 1"
    # hidden: several new dimensions
    got = broadcast_strides((3,), (4,), (2, 5, 3))
    assert got == (0, 0, 4), f"broadcast_strides((3,), (4,), (2, 5, 3)) gave {got}"
    # hidden: read_strided of other shapes
    for buffer, shape, strides, offset, want in (
        ([0, 1, 2, 3], (2, 2), (2, 1), 0, [[0, 1], [2, 3]]),
        ([5, 6], (), (), 1, 6),
        ([], (2, 0), (0, 1), 0, [[], []]),
    ):
        got = read_strided(buffer, shape, strides, offset)
        assert got == want, f"read_strided({buffer}, {shape}, {strides}, {offset}): {got}"
    ### END HIDDEN TESTS
    print("✅ you know where every element lies")


test_strides()

# %% [markdown]
"""
## Exercise 8: Same buffer, new shape
`reshape` puts new sizes and strides on a buffer. `unsqueeze` and `squeeze` add and drop sizes of 1:
that is how a vector becomes a row or a column. All give views wherever strides can do it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-reshape", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write reshape, unsqueeze and squeeze.
# Approach: reshape: 1. as_tuple(shape). 2. self.data.reshape. 3. turn its ValueError into a
#   RuntimeError that shows both shapes. unsqueeze: np.expand_dims. squeeze: np.squeeze, which
#   fails where the size is not 1; PyTorch leaves such a dimension as it is.
# Example: Tensor([[1, 2], [3, 4]]).reshape(-1)  ->  Tensor([1, 2, 3, 4])
# Hint: np.squeeze(array, ()) drops no dimension. raise ... from error keeps the first error.
@add_to_class(Tensor)
def reshape(self, *shape):
    """Return a view, if possible, in a shape of as many elements; one size may be -1 (inferred).

    Raises RuntimeError with both shapes if the elements do not fit.
    """
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
    ### BEGIN SOLUTION
    array = np.expand_dims(self.data, dim)
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def squeeze(self, dim=None):
    """Return a view without dimension dim if its size is 1, or without any size 1."""
    ### BEGIN SOLUTION
    if dim is not None and self.shape[dim] != 1:
        dim = ()
    array = np.squeeze(self.data, dim)
    return result_of(array, self)
    ### END SOLUTION


# %% [markdown]
"""
### Testing shapes
The order of the elements, `-1`, both spellings, the error, shared memory. Hidden: more of each.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reshape-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_reshape():
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    check(t.reshape(3, 2), [[1, 2], [3, 4], [5, 6]], "t.reshape(3, 2)")
    check(t.reshape((-1,)), [1, 2, 3, 4, 5, 6], "t.reshape((-1,))", hint="as_tuple")
    check(t.unsqueeze(-1), [[[1], [2], [3]], [[4], [5], [6]]], "t.unsqueeze(-1)")
    check(Tensor([[[7], [8]]]).squeeze(0), [[7], [8]], "Tensor([[[7], [8]]]).squeeze(0)")
    check(t.squeeze(0), [[1, 2, 3], [4, 5, 6]], "t.squeeze(0)", hint="size 2 stays, no error")
    check_raises(RuntimeError, ["(2, 3)", "(4, 2)"], lambda: t.reshape(4, 2), "t.reshape(4, 2)")
    assert np.shares_memory(t.reshape(6).data, t.data), "t.reshape(6) should be a view, not a copy"
    ### BEGIN HIDDEN TESTS
    # hidden: the error of reshape
    check_raises(RuntimeError, ["(2, 3)", "(4, -1)"], lambda: t.reshape(4, -1), "reshape(4, -1)")
    # hidden: squeeze, unsqueeze, 0-d Tensors
    check(t.unsqueeze(1), [[[1, 2, 3]], [[4, 5, 6]]], "t.unsqueeze(1)")
    check(Tensor([[[5.0]]]).squeeze(), 5.0, "Tensor([[[5.]]]).squeeze()")
    check(Tensor([[[5.0]]]).squeeze(-1), [[5.0]], "Tensor([[[5.]]]).squeeze(-1)")
    check(Tensor([7]).reshape(), 7, "Tensor([7]).reshape()")
    # hidden: the order of the elements
    x = np.random.default_rng(8).normal(size=24)
    t = Tensor(x, dtype=np.float64)
    expected = [[[x[12 * i + 4 * j + k] for k in range(4)] for j in range(3)] for i in range(2)]
    cube = t.reshape([2, -1, 4])
    check(cube, expected, "reshape([2, -1, 4])", np.float64)
    # hidden: views share memory
    for view in (cube, t.reshape(1, 24).squeeze(), cube.squeeze(1), t.unsqueeze(0)):
        view.data[(0,) * view.data.ndim] += 1.0
    assert abs(t.data[0] - x[0] - 4) < 1e-12, "these should be views, not copies"
    assert t.data.shape == (24,), "t itself changed its shape"
    # hidden: transposed input, negative axes, views
    m = Tensor([[1, 2, 3], [4, 5, 6]])
    turned = Tensor.__new__(Tensor)
    turned.__dict__.update(m.__dict__, data=m.data.T)
    check(turned.reshape(-1), [1, 4, 2, 5, 3, 6], "reshape(-1) of a transposed matrix")
    check(m.unsqueeze(-2), [[[1, 2, 3]], [[4, 5, 6]]], "unsqueeze(-2)")
    check(Tensor([[[1], [2]]]).squeeze(1), [[[1], [2]]], "squeeze(1) of shape (1, 2, 1)")
    for view in (m.reshape(-1), m.reshape((6,)), turned.unsqueeze(0)):
        assert np.shares_memory(view.data, m.data), "these should be views, not copies"
    ### END HIDDEN TESTS
    print("✅ same buffer, new shapes")


test_reshape()

# %% [markdown]
"""
## Exercise 9: New order of dimensions
`permute` reorders shape and strides together and touches no element. `transpose` swaps two
dimensions, `T` the two of a matrix: rows become columns.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-permute", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write permute, transpose and T.
# Approach: permute: 1. as_tuple(dims). 2. ndarray.transpose. transpose: ndarray.swapaxes.
#   T: 1. more than two dimensions: RuntimeError that shows the shape and recommends permute.
#   2. ndarray.T.
# Example: Tensor([[1, 2, 3]]).permute(1, 0).shape  ->  (3, 1)
# Hint: permute(2, 0, 1) and permute((2, 0, 1)) mean the same.
@add_to_class(Tensor)
def permute(self, *dims):
    """Return a view whose dimension i is dimension dims[i] of self."""
    ### BEGIN SOLUTION
    array = self.data.transpose(as_tuple(dims))
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def transpose(self, dim0, dim1):
    """Return a view with two dimensions swapped."""
    ### BEGIN SOLUTION
    array = self.data.swapaxes(dim0, dim1)
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def T(self):
    """Return the transpose of a matrix, as a view; a vector stays as it is."""
    ### BEGIN SOLUTION
    if self.ndim > 2:
        raise RuntimeError(f".T needs at most 2 dimensions, got {self.shape}; use permute(...)")
    return result_of(self.data.T, self)
    ### END SOLUTION


Tensor.T = property(Tensor.T)  # read as x.T, without parentheses

# %% [markdown]
"""
### Testing orders
Known orders, both spellings, shared memory. Hidden: element by element, negative dimensions.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-permute-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_permute():
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    check(t.permute(1, 0), [[1, 4], [2, 5], [3, 6]], "t.permute(1, 0)")
    check(t.transpose(0, -1), [[1, 4], [2, 5], [3, 6]], "t.transpose(0, -1)")
    check(t.T, [[1, 4], [2, 5], [3, 6]], "t.T")
    check(t.permute((1, 0)), [[1, 4], [2, 5], [3, 6]], "t.permute((1, 0))", hint="as_tuple")
    check_raises(RuntimeError, ["permute", "(1, 1, 1)"], lambda: Tensor([[[1]]]).T, "T of 3-D")
    assert np.shares_memory(t.T.data, t.data), "t.T should be a view, not a copy"
    ### BEGIN HIDDEN TESTS
    # hidden: T of a vector
    check(Tensor([1, 2]).T, [1, 2], "T of a vector")
    # hidden: element by element, negative dims
    x = np.random.default_rng(9).normal(size=(2, 3, 4))
    t, i, j, k = Tensor(x, dtype=np.float64), range(2), range(3), range(4)
    expected = [[[x[a, b, c] for b in j] for a in i] for c in k]
    check(t.permute(2, 0, 1), expected, "permute(2, 0, 1)", np.float64)
    check(t.permute((-1, 0, 1)), expected, "permute((-1, 0, 1))", np.float64)
    expected = [[[x[a, b, c] for b in j] for c in k] for a in i]
    check(t.transpose(-1, 1), expected, "transpose(-1, 1)", np.float64)
    # hidden: views share memory
    for view in (t.permute(2, 0, 1), t.transpose(0, 1)):
        view.data[0, 0, 0] += 1.0
    assert abs(t.data[0, 0, 0] - x[0, 0, 0] - 2) < 1e-12, "these should be views, not copies"
    assert t.data.shape == (2, 3, 4), "t itself changed its shape"
    # hidden: transpose agrees with permute
    for first, second in ((0, 1), (0, 2), (2, 1)):
        dims = [0, 1, 2]
        dims[first], dims[second] = second, first
        got, want = t.transpose(first, second).data, t.permute(dims).data
        assert got.tolist() == want.tolist(), f"transpose({first}, {second}) is not permute({dims})"
    ### END HIDDEN TESTS
    print("✅ dimensions move, bytes do not")


test_permute()

# %% [markdown]
"""
## Exercise 10: Take apart, put together
Slices are views. An index Tensor gathers into a copy: the embedding layer of Module 03 is no more.
`concatenate` joins along an existing axis, `stack` along a new one: a batch of pictures is a stack.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-index", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write __getitem__, concatenate and stack.
# Approach: __getitem__: NumPy's indexing does it; it reads index Tensors through __array__.
#   concatenate: 1. make tensors a list. 2. join their operands with np.concatenate. 3. result_of
#   with all of them as inputs. stack: unsqueeze each at axis, then concatenate there.
# Example: stack([Tensor([1, 2]), Tensor([3, 4])], axis=1)  ->  [[1, 3], [2, 4]] as a Tensor
# Hint: result_of(array, *tensors) passes each tensor of a list.
@add_to_class(Tensor)
def __getitem__(self, index):
    """Return self[index] for ints, slices, ... and None (views of the data) or index Tensors."""
    ### BEGIN SOLUTION
    array = self.data[index]
    return result_of(array, self)
    ### END SOLUTION


@tensor_function
def concatenate(tensors, axis=0):
    """Join Tensors along an existing axis; their other sizes must agree (torch.concatenate)."""
    ### BEGIN SOLUTION
    tensors = list(tensors)
    arrays = [unwrap(t) for t in tensors]
    array = np.concatenate(arrays, axis=axis)
    return result_of(array, *tensors)
    ### END SOLUTION


def stack(tensors, axis=0):
    """Join Tensors of one shape along a new axis (torch.stack)."""
    ### BEGIN SOLUTION
    expanded = [t.unsqueeze(axis) for t in tensors]
    return concatenate(expanded, axis)
    ### END SOLUTION


# %% [markdown]
"""
### Testing indices and joins
Indices, joins, an error. Hidden: each kind of index, other axes, who shares memory.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-index-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_index():
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    check(t[1], [4, 5, 6], "t[1]")
    check(t[:, -1], [3, 6], "t[:, -1]")
    check(t[Tensor([1, 0, 1])], [[4, 5, 6], [1, 2, 3], [4, 5, 6]], "t[Tensor([1, 0, 1])]")
    m = Tensor([[1, 2], [3, 4]])
    check(concatenate([m, m], axis=1), [[1, 2, 1, 2], [3, 4, 3, 4]], "concatenate(axis=1)")
    check(stack([Tensor([1, 2]), Tensor([3, 4])], axis=1), [[1, 3], [2, 4]], "stack(axis=1)")
    check_raises(TypeError, ["Tensor("], lambda: concatenate([np.ones(2)]), "join of an ndarray")
    assert np.shares_memory(t[1].data, t.data), "t[1] should be a view, not a copy"
    ### BEGIN HIDDEN TESTS
    # hidden: each kind of index
    check(t[0, 1], 2, "t[0, 1]")
    check(t[..., None, 0], [[1], [4]], "t[..., None, 0]")
    check(t[Tensor([True, False])], [[1, 2, 3]], "t[bool Tensor]")
    check(t[Tensor([0, 1]), Tensor([2, 0])], [3, 4], "t[Tensor, Tensor]")
    assert [row.data.tolist() for row in t] == [[1, 2, 3], [4, 5, 6]], "rows of a for loop"
    # hidden: slices share memory
    t[:, 1:].data[0, 0] = 20
    assert t.data[0, 1] == 20, "a slice should be a view"
    # hidden: joins: dtypes, axes, copies
    check(concatenate([Tensor([1]), Tensor([0.5])]), [1.0, 0.5], "concatenate(int, float32)")
    x, y = np.random.default_rng(10).normal(size=(2, 2, 3)).tolist()
    a, b = Tensor(x, dtype=np.float64), Tensor(y, dtype=np.float64)
    check(a[1, ::2], [x[1][0], x[1][2]], "a[1, ::2]", np.float64)
    check(concatenate(t for t in (a, b, a)), x + y + x, "concatenate(generator)", np.float64)
    expected = [[[x[i][j], y[i][j]] for j in range(3)] for i in range(2)]
    check(stack([a, b], axis=-1), expected, "stack([a, b], axis=-1)", np.float64)
    stack([a]).data[:] = concatenate([a]).data[:] = 0
    check(a, x, "a, after its stack changed", np.float64, "joining copies")
    # hidden: index Tensors: shapes, copies
    wide = Tensor([[10, 20, 30]])
    check(wide[:, Tensor([True, False, True])], [[10, 30]], "t[:, bool Tensor]")
    check(wide[0][Tensor([[0, 1], [2, 0]])], [[10, 20], [30, 10]], "2-D index Tensor")
    check(wide[0][Tensor([-1])], [30], "t[Tensor([-1])]")
    gathered = wide[0][Tensor([1, 2])]
    gathered.data[:] = 0
    check(wide, [[10, 20, 30]], "t after what an index Tensor gathered changed", hint="a copy")
    # hidden: joins: float64, the caller's list
    mixed = concatenate([Tensor([1.0]), Tensor([0.1], np.float64)])
    check(mixed, [1.0, 0.1], "concatenate(float32, float64)", np.float64)
    pair = [Tensor([1]), Tensor([2])]
    check(stack(pair), [[1], [2]], "stack(pair)")
    check(stack(pair), [[1], [2]], "stack(pair), again", hint="leave the caller's list as it is")
    ### END HIDDEN TESTS
    print("✅ apart and together again")


test_index()

# %% [markdown]
"""
## Exercise 11: Matrix multiplication, the slow way
First the formula itself, three loops. Then NumPy does the innermost one, a row times a column.
Both work on plain 2-D arrays. In Part 2 you race them.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-matmul-slow", "locked": false, "schema_version": 3, "solution": true, "task": false}}
# TODO: write both versions.
# Approach: loops: 1. zeros of shape (m, n) with the dtype of a. 2. for each i, j and p, add
#   a[i, p] * b[p, j] to out[i, j]. rows: no loop over p, but a row times a column.
# Example: matmul_loops(np.array([[1, 2]]), np.array([[3], [4]]))  ->  array([[11]])
# Hint: a[i] is a row, b[:, j] a column, and row @ column their dot product.
def matmul_loops(a, b):
    """Multiply arrays (m, k) and (k, n) of one dtype with three loops; returns an array (m, n)."""
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
    """Multiply arrays (m, k) and (k, n) of one dtype by m n dot products; returns (m, n)."""
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
Rectangular matrices, in which no size can be taken for another. Hidden: more shapes.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-slow-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
def test_matmul_slow():
    shapes = [(1, 2, 1), (2, 3, 4)]
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes
    shapes += [(5, 1, 3), (4, 6, 2), (3, 3, 3)]
    ### END HIDDEN TESTS
    for m, k, n in shapes:
        rng = np.random.default_rng(12)
        x, y = rng.normal(size=(m, k)).tolist(), rng.normal(size=(k, n)).tolist()
        expected = [[sum(x[i][p] * y[p][j] for p in range(k)) for j in range(n)] for i in range(m)]
        for dtype in (np.float32, np.float64):
            a, b = np.array(x, dtype), np.array(y, dtype)
            for matmul in (matmul_loops, matmul_rows):
                got, what = matmul(a, b), f"{matmul.__name__}, shapes {a.shape} and {b.shape}"
                assert type(got) is np.ndarray, f"{what}: expected an ndarray, got {type(got)}"
                check(Tensor(got, dtype=got.dtype), expected, what, dtype)
            assert (a == np.array(x, dtype)).all() and (b == np.array(y, dtype)).all(), "modified"
    ### BEGIN HIDDEN TESTS
    # hidden: matrices without rows
    for matmul in (matmul_loops, matmul_rows):
        got = matmul(np.ones((0, 2), np.float32), np.ones((2, 3), np.float32))
        assert (got.shape, got.dtype) == ((0, 3), np.float32), f"{matmul.__name__}, no rows: {got}"
    ### END HIDDEN TESTS
    print("✅ the formula works")


test_matmul_slow()

# %% [markdown]
"""
## Exercise 12: `@`, the real one
`np.matmul` hands the work to BLAS: decades of tuning for the caches and vector units of your
processor. BLAS reads a transposed matrix where it lies, so `x.T @ w` copies nothing. `np.matmul`
takes vectors and batches, too. What it lacks is an error message for people.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: multiply, and say what is wrong if the shapes do not fit.
# Approach: 1. self.data and unwrap(other). 2. np.matmul. 3. turn its ValueError into a
#   RuntimeError with both shapes and the rule that they break.
# Example: Tensor([[1.0, 2.0]]) @ Tensor([3.0, 4.0])  ->  Tensor([11.])
# Hint: unwrap(other) may be a number, which has no shape: np.shape(b) works for both.
@add_to_class(Tensor)
def __matmul__(self, other):
    """Return self @ other for vectors, matrices and batches of matrices (torch.matmul).

    Raises RuntimeError with both shapes if they do not fit, or if one has no dimension.
    """
    ### BEGIN SOLUTION
    a, b = self.data, unwrap(other)
    try:
        array = np.matmul(a, b)
    except ValueError as error:
        raise RuntimeError(
            f"cannot multiply shapes {a.shape} @ {np.shape(b)}: the last size of the first must "
            "equal the last but one of the second (the only one of a vector), batch sizes must "
            "broadcast, and single numbers need * instead"
        ) from error
    return result_of(array, self, other)
    ### END SOLUTION


# %% [markdown]
"""
### Testing matmul
Vectors, matrices, and what a wrong shape says. Hidden: batches that broadcast, float64.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_matmul():
    a, b = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[5.0], [6.0]])
    check(a @ b, [[17.0], [39.0]], "(2, 2) @ (2, 1)")
    check(a @ Tensor([5.0, 6.0]), [17.0, 39.0], "(2, 2) @ (2,)")
    check(Tensor([1.0, 2.0]) @ Tensor([3.0, 4.0]), 11.0, "(2,) @ (2,)")
    check_raises(RuntimeError, ["(2, 1)", "(2, 2)"], lambda: b @ a, "(2, 1) @ (2, 2)")
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: a @ 2.0, "(2, 2) @ number")
    check_raises(TypeError, ["Tensor("], lambda: a @ np.ones((2, 2)), "Tensor @ ndarray")
    ### BEGIN HIDDEN TESTS
    # hidden: a vector first, integers
    check(Tensor([5.0, 6.0]) @ a, [23.0, 34.0], "(2,) @ (2, 2)")
    check(Tensor([[1, 2]]) @ Tensor([[3], [4]]), [[11]], "int @ int")
    check(Tensor([[1, 2]]) @ b, [[17.0]], "int @ float32")
    # hidden: errors for 0-d Tensors
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: a @ Tensor(2.0), "(2, 2) @ ()")
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: Tensor(2.0) @ a, "() @ (2, 2)")
    # hidden: broadcast batches, inputs not modified
    rng, r = np.random.default_rng(13), range
    x, y = rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(5, 4, 2))
    dots = [x[u, 0, i] * y[v, :, j] for u in r(2) for v in r(5) for i in r(3) for j in r(2)]
    expected = np.reshape([sum(products.tolist()) for products in dots], (2, 5, 3, 2)).tolist()
    for dtype in (np.float32, np.float64):
        s, t = Tensor(x, dtype=dtype), Tensor(y, dtype=dtype)
        check(s @ t, expected, "(2, 1, 3, 4) @ (5, 4, 2)", dtype)
        assert (s.data == x.astype(dtype)).all() and (t.data == y.astype(dtype)).all(), "modified"
    # hidden: batches that do not fit
    s, t = Tensor(x[:, 0]), Tensor(y[:3])
    check_raises(RuntimeError, ["(2, 3, 4)", "(3, 4, 2)"], lambda: s @ t, "batches of 2 and 3")
    # hidden: mixed shapes and dtypes, no elements
    check(Tensor([[1.0, 2.0]]) @ Tensor([3.0, 4.0]), [11.0], "(1, 2) @ (2,)")
    double = Tensor([[0.1], [0.2]], np.float64)
    check(a @ double, [[0.5], [1.1]], "float32 @ float64", np.float64)
    empty = Tensor(np.ones((0, 2, 3))) @ Tensor(np.ones((3, 4)))
    assert empty.data.shape == (0, 2, 4), f"an empty batch gave {empty.data.shape}"
    ### END HIDDEN TESTS
    print("✅ matmul works, and says what is wrong when it does not")


test_matmul()

# %% [markdown]
"""
## Exercise 13: Factories and luck
Ready-made Tensors, float32 unless you ask otherwise. The random ones come from the module's one
`generator`: after `manual_seed` a run repeats number by number. Publish nothing without it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-factories", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the maker of zeros, ones, rand and randn; then arange and manual_seed.
# Approach: 1. let NumPy make the array: make(as_tuple(shape), dtype=dtype), np.arange. 2. return
#   Tensor(array, dtype, requires_grad). manual_seed: give generator the state of a fresh one; a
#   new generator would not do, since rand and randn below keep methods of this one.
# Example: arange(2, 8, 3)  ->  Tensor([2, 5]), and arange(0, 1, 0.5)  ->  Tensor([0. , 0.5])
# Hint: bit_generator.state, of generator and of np.random.default_rng(seed), can be read and set.
def factory(make):
    """Return the function f(*shape) that wraps make(shape, dtype)."""

    def create(*shape, dtype=np.float32, requires_grad=False):
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
    """Return start, start + step, ... below stop; arange(n) counts from 0. Ints stay ints."""
    ### BEGIN SOLUTION
    array = np.arange(start, stop, step)
    return Tensor(array, dtype, requires_grad)
    ### END SOLUTION


def manual_seed(seed):
    """Restart the generator: the same seed gives the same numbers."""
    ### BEGIN SOLUTION
    fresh = np.random.default_rng(seed)
    generator.bit_generator.state = fresh.bit_generator.state
    ### END SOLUTION


# %% [markdown]
"""
### Testing factories
Values, and that a seed repeats. Hidden: dtypes, ranges, moments, other seeds.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-factories-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
def test_factories():
    check(zeros(2, 3), [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "zeros(2, 3)")
    check(ones((1, 2)), [[1.0, 1.0]], "ones((1, 2))", hint="as_tuple")
    check(arange(2, 8, 3), [2, 5], "arange(2, 8, 3)", hint="8 is not reached; ints stay ints")
    check(arange(0, 1, 0.5), [0.0, 0.5], "arange(0, 1, 0.5)")
    manual_seed(0)
    first, second = randn(4_000).data.tolist(), randn(4_000).data.tolist()
    manual_seed(0)
    assert first == randn(4_000).data.tolist() != second, "manual_seed(0) should repeat randn"
    ### BEGIN HIDDEN TESTS
    # hidden: dtype and requires_grad
    check(ones((2,), dtype=np.float64, requires_grad=True), [1.0, 1.0], "float64", np.float64)
    check(arange(3), [0, 1, 2], "arange(3)")
    check(arange(3, dtype=np.float64), [0.0, 1.0, 2.0], "arange(3, dtype=float64)", np.float64)
    assert arange(2.0, requires_grad=True).requires_grad, "arange(2., requires_grad=True)"
    for make in (zeros, ones, rand, randn):
        t = make(2, 3, requires_grad=True)
        got = (t.requires_grad, t.data.dtype, t.data.shape, make((2, 3)).requires_grad)
        assert got == (True, np.float32, (2, 3), False), f"a factory with requires_grad: {got}"
    # hidden: range and precision of rand
    u = rand(4_000, dtype=np.float64).data.tolist()
    assert 0 <= min(u) < 0.01 < 0.99 < max(u) < 1, "rand should be uniform in [0, 1)"
    assert any(v != float(np.float32(v)) for v in u), "float64 randomness should have its precision"
    # hidden: randn: mean, variance, other seeds
    moments = math.fsum(first) / 4_000, math.fsum(v * v for v in first) / 4_000
    assert abs(moments[0]) < 0.1 and abs(moments[1] - 1) < 0.1, f"randn: moments {moments}"
    manual_seed(1)
    assert randn(4_000).data.tolist() != first, "another seed should give other numbers"
    # hidden: arange: negative start, step
    check(arange(-3, 0), [-3, -2, -1], "arange(-3, 0)")
    check(arange(6, step=2), [0, 2, 4], "arange(6, step=2)")
    # hidden: manual_seed repeats
    draw = rand
    manual_seed(0)
    first = draw(3).data.tolist()
    manual_seed(0)
    again = draw(3).data.tolist(), rand is draw
    assert again == (first, True), "manual_seed after an odd count of numbers should repeat, too"
    ### END HIDDEN TESTS
    print("✅ factories work, and luck can be repeated")


test_factories()

# %% [markdown]
"""
## Part 2: Systems Analysis
You built it; now measure it. Close other programs, run each cell, look at your own numbers, and
explain them to yourself: only the four questions at the end are marked.

### Memory Profiling
What does a Tensor weigh, and how much more does an expression need while it runs?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(n=1_000_000):
    """Print the memory that factories keep, and the peaks of three ways to compute a * b + c."""
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
        print(f"zeros({n:,}, dtype={dtype.__name__:7}) keeps {held:4.1f} MB, peak {peak:4.1f} MB")
    a, b, c = randn(n), randn(n), randn(n)
    ways = {"Tensors, a * b + c": lambda: a * b + c, "Tensors, added in place": in_place}
    ways["ndarrays, a * b + c"] = lambda: a.data * b.data + c.data
    for name, way in ways.items():
        peak = traced(way)[1]
        print(f"{name:23} peak {peak:4.1f} MB, {1e6 * peak / a.data.nbytes:.1f} times an operand")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect 8, 4 and 1 bytes per element, and twice that at the peak: the
factory makes an array and `Tensor` copies it. The expression holds `a * b` until the sum is done:
2 operands. Plain NumPy often needs 1: nobody else holds `a * b`, so it adds into that array. Who
still holds `a * b` when your Tensors add?

### Views, copies and broadcasts
Which of these share the memory of `x`, and what do their strides say?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-views", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_views():
    """Print shape, strides and shared memory of eight expressions."""
    x = arange(12, dtype=np.float32).reshape(3, 4)
    row = np.broadcast_to(x.data[0], (1_000_000, 4))
    views = {"x": x, "x.T": x.T, "x[:, ::2]": x[:, ::2], "x.unsqueeze(1)": x.unsqueeze(1)}
    views |= {"x.T.reshape(-1)": x.T.reshape(-1), "x[Tensor([0, 2])]": x[Tensor([0, 2])]}
    views |= {"x + 0": x + 0, "x[0], a million times": result_of(row)}
    for name, t in views.items():
        shared = "shares x" if np.shares_memory(t.data, x.data) else "a copy"
        print(f"{name:22} shape {t.shape!s:13} strides {t.data.strides!s:12} {shared}")
    print(f"The last one shows {row.nbytes / 1e6:.0f} MB and stores {x.data[0].nbytes} bytes.")


profile_views()

# %% [markdown]
"""
**Explain your table.** Expect three copies: `x.T.reshape(-1)`, the index Tensor and `x + 0`. (More?
Then go back to Exercises 8 to 10.) Which stride makes a million rows of one? Why can no strides at
all describe `x.T.reshape(-1)`, so that it must copy?

### Contiguous against strided access
Sum the same count of float32 numbers, lying side by side or further apart.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-strides", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_strides(count=2**18):
    """Print the time per element of a sum against the distance between elements."""
    buffer, steps = np.ones(64 * count, np.float32), [1, 2, 4, 8, 16, 32, 64]
    cost = [1e9 / count * median_time(buffer[: s * count : s].sum) for s in steps]
    for step, ns in zip(steps, cost, strict=True):
        print(f"{4 * step:4} bytes apart {ns:6.2f} ns  {'■' * round(50 * ns / max(cost))}")
    print(f"The same {count:,} additions take up to {max(cost) / min(cost):.0f} times as long.")


profile_strides()

# %% [markdown]
"""
**Explain your bars.** Memory arrives in lines of 64 bytes, 16 float32. Expect a rise by five to
twenty times, which begins where additions no longer hide the traffic, at 8 to 16 bytes. At 64 bytes
each number costs a whole line. Beyond that fewer and fewer numbers share a page of 4 KB, and the
processor must look up the address of every page.

### Matrix multiplication, three ways
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-matmul", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_matmul():
    """Plot GFLOP/s of three loops, row times column, and BLAS against the matrix size."""
    import matplotlib.pyplot as plt

    sizes, at_64 = [8, 16, 32, 64, 128, 256, 512, 1024], []
    ways = {"three loops": (matmul_loops, 4), "row · column": (matmul_rows, 6)}
    ways["BLAS (your @)"] = (operator.matmul, 8)
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, (matmul, count) in ways.items():
        squares = [np.ones((n, n), np.float32) for n in sizes[:count]]
        seconds = [min(times(lambda m=matmul, a=a: m(a, a))) for a in squares]
        speed = [2e-9 * len(a) ** 3 / t for a, t in zip(squares, seconds, strict=True)]
        (line,) = axes.plot(sizes[:count], speed, "o-", linewidth=2)
        label, end = f"   {name}\n   {speed[-1]:.3g} GFLOP/s", (sizes[count - 1], speed[-1])
        axes.annotate(label, end, color=line.get_color(), va="center")
        at_64.append(speed[3])
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, sizes)
    axes.set(xlabel="n, for matrices of n × n", xlim=(7, 9000))
    axes.set(ylabel="GFLOP/s", yscale="log", ylim=(None, 3 * max(speed)))
    axes.set_title("One formula, three implementations")
    plt.show()
    rows, blas = at_64[1] / at_64[0], at_64[2] / at_64[0]
    print(f"At n = 64 row · column is {rows:.0f} and BLAS {blas:,.0f} times as fast as the loops.")


profile_matmul()

# %% [markdown]
"""
**Explain your curves.** All three do 2n³ FLOPs; each time is the best of seven. Expect 0.005 to
0.01 GFLOP/s for the loops (some 250 ns of interpreter per step, whatever it computes); a line
rising with n for row · column (under 1 µs of overhead, once per 2n FLOPs); and some 50 to 150
GFLOP/s per core for large BLAS, which reuses numbers in cache and does 16 or more FLOPs per
instruction.

### Roofline: what limits an operation?
An operation that does I FLOPs per byte moved cannot beat min(peak, I · bandwidth) FLOP/s. Draw this
roof from your own measurements, and put operations under it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-roofline", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_roofline(n=8_000_000, m=3000):
    """Plot measured operations under the roof that peak FLOP/s and bandwidth put over them."""
    import matplotlib.pyplot as plt

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
    speed = {name: 1e-9 * flops / min(times(work)) for name, (flops, _, work) in jobs.items()}
    intensity = {name: flops / size for name, (flops, size, _) in jobs.items()}
    bandwidth = max(speed[name] / intensity[name] for name in list(jobs)[:3])
    peak, roof = max(speed.values()), np.logspace(-1.5, 3, 200)
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.loglog(roof, np.minimum(peak, roof * bandwidth), color="black", linewidth=2)
    for name in jobs:
        axes.plot(intensity[name], speed[name], "o", color="tab:red")
        axes.annotate(f"  {name}", (intensity[name], speed[name]), va="top")
    axes.annotate(f"{bandwidth:.0f} GB/s  ", (1, bandwidth), ha="right")
    axes.annotate(f"{peak:.0f} GFLOP/s", (peak / bandwidth, 1.15 * peak))
    axes.set(xlabel="intensity (FLOP per byte)", ylabel="GFLOP/s", ylim=(None, 3 * peak))
    axes.set_title("Under the roof: memory-bound on the left, compute-bound on the right")
    plt.show()
    print(f"The roof bends at {peak / bandwidth:.1f} FLOP per byte.")
    print(f"An addition does 1/12, so it uses {speed['x + y'] / peak:.2%} of the peak.")


profile_roofline()

# %% [markdown]
"""
**Explain your picture.** Expect the bend at 1 to 20 FLOP per byte. On the slope the speed is the
memory's, and no better code could change that; `x + y` stays a little below, because a cache line
is read before it is written, which its 12 bytes leave out. A large matmul lies at n / 6 FLOP per
byte, under the flat part. And `matmul 16`, all of it in cache, stays far below the roof: what does
it wait for?

## Part 3: Production Context
- **Storage and views.** A `torch.Tensor` is sizes, strides (in elements) and an offset on a
  reference-counted `Storage`. `view` refuses what strides cannot do, `reshape` then copies, and
  `contiguous()` makes a row-major copy. `torch.tensor` copies, `torch.from_numpy` shares.
- **Dispatch.** `a + b` enters ATen's dispatcher, which selects a kernel by device, dtype and
  features such as autograd: about a microsecond, like your Python. Matmuls go to BLAS or oneDNN on
  a CPU, to cuBLAS on a GPU, whose memory a caching allocator keeps for reuse.
- **Fusion.** Eager PyTorch makes your temporaries, too. `torch.compile`, and XLA under JAX and
  TensorFlow, fuse `a * b + c` into one kernel and so move it to the right under the roof.
- **Others.** JAX arrays and `tf.Tensor` are immutable: `x.at[i].set(v)` returns a new array in JAX;
  TensorFlow keeps state in `tf.Variable` and refuses to mix int and float Tensors.
- **Different here.** PyTorch's broadcast errors are RuntimeErrors, NumPy's ValueErrors; it says
  `dim` and `keepdim`, and its `max(dim)` returns indices, too; it keeps float64 arrays float64,
  refuses `mean` of integers, and says nothing at `log(0)`, where NumPy warns.

Sources: PyTorch docs, *Tensor Views*, *CUDA semantics*; E. Z. Yang, *PyTorch internals* (2019); JAX
docs, *The Sharp Bits*; Williams, Waterman and Patterson, *Roofline*, CACM 52 (2009).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 01 is complete: you have a Tensor")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer in three to six sentences each; where you measured, use your own numbers.

### Question 1: Temporaries
A model computes `a * b + c` on Tensors of 500 million float32 elements, on a machine with 9 GB.
Does it run as written? In place? Use your measured peaks, and name a danger of working in place.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
Each operand has 2 GB, so `a`, `b` and `c` take 6 GB. The expression peaked at 2.0 operands beyond
them: 6 + 4 = 10 GB, which does not fit. In place it peaked at 1.0: 6 + 2 = 8 GB, which fits. The
danger: whoever shares that memory (a view, or later the graph that needs `a * b` for gradients)
sees other values than it should.

**Marking rubric (5 points)**
- 1: 2 GB per operand. 2: both peaks from measured factors, and the right verdicts.
- 2: a real danger (views and aliases, or values needed for gradients).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Strides
Somebody changes `T` so that it copies, "to make it contiguous". What does that cost `x.T @ w` in
memory and time (see Exercise 12), and for which use of `x.T` could the copy pay off? Argue with
strides and with your bars.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
The view is free: shape and strides swapped, same buffer. The copy takes another `x.nbytes` and a
pass over memory that reads or writes with a large stride, in my bars ten times slower per element
than a contiguous one. For one `@` that is wasted, since BLAS takes transposed operands and packs
blocks itself. It pays off if the result is then read many times, row by row, by elementwise
operations or sums.

**Marking rubric (5 points)**
- 2: view against copy, in bytes and strides. 1: the cost of the strided pass, as measured.
- 2: a case in which the copy pays off (many later passes), and one in which it does not.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: The broadcast nobody wanted
`prediction` has shape `(50000, 1)`, `target` `(50000,)`; the loss is
`((prediction - target) ** 2).mean()`. What happens, in how much memory? How would you prevent it?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
`broadcast_shape((50000, 1), (50000,))` is `(50000, 50000)`: 2.5 billion float32, 10 GB for the
difference and 10 GB more for its square. If that fits there is no error: the mean runs over all
pairs, so training pulls every prediction towards the mean target. Prevent it in the loss: raise
ValueError with both shapes unless they are equal.

**Marking rubric (5 points)**
- 2: the shape, by the rule. 1: 10 GB (20 with the square). 1: a wrong result without an error.
- 1: a check that compares the shapes and shows both.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Under the roof
You may buy twice the FLOP/s or twice the bandwidth. Which helps `x @ w`, with `w` of shape
`(4096, 4096)`, if `x` is `(1, 4096)`? If it is `(1024, 4096)`? And what limits the three loops?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
One row makes a matrix-vector product: 2 FLOPs per 4-byte weight, 0.5 FLOP per byte, far left of my
bend (about 5), so bandwidth helps. With 1024 rows each weight is used 1024 times: 2·1024·4096²
FLOPs on 4·(2·1024·4096 + 4096²) bytes, about 340 per byte, right of the bend: FLOP/s help. The
loops wait for neither, but for the interpreter, some 300 ns per step.

**Marking rubric (5 points)**
- 2: intensities (0.5 and some hundreds) against the measured bend. 2: the right purchases.
- 1: interpreter overhead as the third limit.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built a Tensor: a buffer with shape, dtype and strides; elementwise operations, reductions,
views and matmul; broadcasts you can predict; errors that help. You measured that views are free,
temporaries are not, distance in memory costs tenfold, and only matmul keeps a processor busy.

**Next, Module 02: Activations** bends what is linear, without which a hundred layers are worth one.
"""
