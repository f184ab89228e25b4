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

**Learning Objectives:**
- Build `Tensor`, the data structure under every neural network, with PyTorch's names and rules.
- Understand shape, dtype, stride, view, copy and broadcasting well enough to predict each of them.
- Analyze what an operation costs in bytes and in FLOPs, and which of the two limits it.

**Where it stands:** you have Python and NumPy. You build the array class and its operations.
Modules 02 to 04 compose layers and losses from them; in Module 05 this same class learns to
differentiate itself. Nothing you write today is thrown away.

**Time:** 6 to 8 hours. **Points:** 80 by tests, 20 for written answers. Replace each
`# YOUR CODE HERE` and the `raise` under it, and run the test below before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import operator

import numpy as np

# %% [markdown]
"""
## Part 1: Mathematical Foundations

A tensor is a flat **buffer** of numbers and three facts about it: **shape** (the size of each
dimension), **dtype** (how to read the bytes) and **strides** (how far to jump for one step along
each dimension). Element $(i, j)$ lies at byte $i\,s_0 + j\,s_1$. Change only the facts and you
have a **view**: transposing a gigabyte takes a microsecond.

**Broadcasting** combines different shapes: align them on the right; two sizes fit if they are
equal or one of them is 1, which is then repeated (with stride 0, not by copying). **Matrix
multiplication**, where networks spend their time, is $C_{ij} = \sum_p A_{ip} B_{pj}$.

### Computational Complexity

| Operation | Time | New memory |
|---|---|---|
| create, copy, concatenate, elementwise `+ * exp` | $O(N)$ | $O(N)$ |
| reduce an axis of size $r$: `sum`, `max`, `var` | $O(N)$ | $O(N / r)$ |
| view: `reshape`, `permute`, slice, broadcast | $O(d)$ | $O(d)$ |
| `(b, m, k) @ (b, k, n)` | $O(b\,m\,k\,n)$ | $O(b\,m\,n)$ |

$N$ elements, $d$ dimensions, $b$ matrices in a batch. A matmul does $2mkn$ FLOPs on $mk + kn + mn$
numbers, so a large one computes while everything else in this table waits for memory.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-class", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
generator = np.random.default_rng()  # the only source of randomness; see manual_seed


def add_to_class(cls):
    """Attach the decorated function to cls: a class can grow cell by cell (the idea of d2l)."""

    def attach(fn):
        setattr(cls, fn.__name__, fn)
        return fn

    return attach


def as_tuple(sizes):
    """Return sizes as one tuple, so that f(2, 3) and f((2, 3)) mean the same."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


class Tensor:
    """An array of numbers of one dtype (interface of torch.Tensor)."""

    __array_ufunc__ = None  # ndarray + tensor asks the Tensor, instead of looping over it

    shape = property(lambda self: self.data.shape, doc="The size of each dimension.")
    ndim = property(lambda self: self.data.ndim, doc="The number of dimensions.")
    size = property(lambda self: self.data.size, doc="The number of elements.")
    dtype = property(lambda self: self.data.dtype, doc="The NumPy dtype of the elements.")

    def __array__(self, dtype=None, copy=None):
        """Let np.asarray, indexing and matplotlib read the data."""
        return np.array(self.data, dtype=dtype, copy=copy)

    def __iter__(self):
        """Iterate over the first dimension."""
        return (self[i] for i in range(len(self)))

    def backward(self, gradient=None):
        """Compute gradients: not yet."""
        raise NotImplementedError("Tensor.backward arrives in Module 05 (Autograd)")


def result_of(array, *inputs):
    """Wrap the array an operation computed, without a copy. Every operation returns through it.

    NumPy makes int with float32 a float64, PyTorch a float32: a float dtype that no input Tensor
    has becomes float32. Module 05 will record here which inputs the array came from.
    """
    array = np.asarray(array)
    if array.dtype != np.float32 and array.dtype.kind == "f":
        if not any(isinstance(t, Tensor) and t.data.dtype == array.dtype for t in inputs):
            array = array.astype(np.float32)
    result = Tensor.__new__(Tensor)
    result.data, result.requires_grad, result.grad, result.grad_fn = array, False, None, None
    return result


# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-check", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import math
import time
import tracemalloc


def check(got, expected, what, dtype=None, hint=""):
    """Fail, saying why, unless got is the Tensor of these numbers (nested lists) and dtype."""

    def flat(values):
        return [x for v in values for x in flat(v)] if isinstance(values, list) else [values]

    shape, first, problem = (), expected, ""
    while isinstance(first, list):
        shape, first = (*shape, len(first)), first[0] if first else 0.0
    dtype = np.dtype(dtype or {bool: bool, int: np.int64}.get(type(first), np.float32))
    tolerance = {"float32": 1e-5, "float64": 1e-12}.get(dtype.name, 0)
    if not isinstance(got, Tensor) or type(got.data) is not np.ndarray:
        problem = f"expected a Tensor with an ndarray in .data, got {type(got).__name__} {got}"
    elif (got.data.shape, got.data.dtype) != (shape, dtype):
        problem = f"expected {dtype} {shape}, got {got.data.dtype} {got.data.shape}"
    else:
        for want, have in zip(flat(expected), flat(got.data.tolist()), strict=True):
            if want != have and not abs(want - have) <= tolerance * (1 + abs(want)):
                whole = f"expected {expected}, got {got.data.tolist()}"
                problem = problem or f"expected {want}, got {have}; as a whole, {whole}"
    if problem:
        raise AssertionError(f"{what}: {problem:.400}" + (f"\nHint: {hint}" if hint else ""))


def check_raises(error, words, call, what):
    """Fail unless call() raises this kind of error with all these words in its message."""
    try:
        result = call()
    except NotImplementedError:
        raise
    except Exception as caught:
        said = f"{type(caught).__name__}: {caught}"
        assert isinstance(caught, error), f"{what}: expected {error.__name__}, got {said}"
        for word in words:
            assert word in str(caught), f"{what}: the message should contain {word!r}: {said}"
    else:
        raise AssertionError(f"{what}: expected {error.__name__}, got the result {result}")


# %% [markdown]
"""
## Exercise 1: A Tensor owns its numbers

`Tensor(data)` copies, as `torch.tensor` does, so that nobody can change your weights from outside.
Floats become float32: half the bytes of NumPy's float64, and precise enough for training. Integers
and booleans stay what they are: labels, indices, masks.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-init", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: make an ndarray of your own from data, and set the four attributes.
# Approach: 1. look at data with np.asarray: a dtype.kind not in "biuf" (bool, int, unsigned,
#   float) is a TypeError. 2. choose np.float32 if data are floats, but no Tensor, and no dtype
#   is given. 3. copy. 4. requires_grad needs a float dtype. 5. set the attributes.
# Example: Tensor([1, 2.5]).data  ->  array([1. , 2.5], dtype=float32)
# Hint: np.array(array, dtype=dtype) copies, np.asarray does not.
@add_to_class(Tensor)
def __init__(self, data, dtype=None, requires_grad=False):
    """Copy numbers, nested lists, an ndarray, or a Tensor (which keeps its dtype).

    Raises TypeError unless data are real numbers, and RuntimeError if integers or booleans
    should require gradients (as torch.tensor does). The message names the type that was given.
    """
    ### BEGIN SOLUTION
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a Tensor holds real numbers, got {type(data).__name__} ({array.dtype})")
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
    self.grad = None  # Module 05 puts the gradient here ...
    self.grad_fn = None  # ... and here the operation that made this Tensor
    ### END SOLUTION


# %% [markdown]
"""
### Testing construction
dtypes, shapes, attributes, errors; hidden: that a copy is a copy.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-init-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_init():
    check(Tensor([1, 2.5]), [1.0, 2.5], "Tensor([1, 2.5])", hint="floats become float32")
    check(Tensor([[1, 2], [3, 4]]), [[1, 2], [3, 4]], "Tensor([[1, 2], [3, 4]])")
    check(Tensor(0.1, dtype=np.float64), 0.1, "Tensor(0.1, dtype=np.float64)", np.float64)
    t = Tensor([3.0], requires_grad=True)
    assert t.requires_grad is True and t.grad is None and t.grad_fn is None, "see the attributes"
    check_raises(TypeError, ["str"], lambda: Tensor("three"), 'Tensor("three")')
    check_raises(RuntimeError, ["int64"], lambda: Tensor([1], requires_grad=True), "int with grad")
    ### BEGIN HIDDEN TESTS
    assert Tensor(1.0).requires_grad is False, "requires_grad should be False unless asked for"
    source = np.random.default_rng(1).normal(size=(3, 4))
    for dtype in (np.float32, np.float64):
        given = source.astype(dtype)
        t = Tensor(given, dtype=dtype)
        again = Tensor(t)
        given[:] = 0.0
        check(t, source.tolist(), "Tensor(array) after the array changed", dtype, "copy")
        t.data[:] = 0.0
        check(again, source.tolist(), "Tensor(tensor) after the first changed", dtype, "copy")
    check(Tensor(source), source.tolist(), "Tensor(float64 array)")
    check(Tensor([1, 2], np.float64, True), [1.0, 2.0], "Tensor([1, 2], np.float64)", np.float64)
    check(Tensor(np.float64(2.5)), 2.5, "Tensor(np.float64(2.5))")
    check(Tensor(np.arange(3, dtype=np.int8)), [0, 1, 2], "Tensor(int8 array)", np.int8)
    check(Tensor([True, False]), [True, False], "Tensor([True, False])")
    for bad in (None, ["1.5"], [object()], 1j):
        check_raises(TypeError, [], lambda bad=bad: Tensor(bad, dtype=np.float32), f"Tensor({bad})")
    ### END HIDDEN TESTS
    print("✅ a Tensor copies, chooses its dtype and refuses nonsense")


test_init()

# %% [markdown]
"""
## Exercise 2: The other operand

Every `t + other` asks what `other` is. A Tensor gives its array. A number must become a plain
Python `float` or `int`, which adapts to the array's dtype; one stray `np.float64` would turn
float32 results into float64, at twice the memory from there on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-operand", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: return what NumPy should compute with.
# Approach: 1. a Tensor: its array. 2. float or np.floating: float(other). 3. int, np.integer or
#   np.bool_: int(other). 4. anything else: TypeError with its type name and the advice Tensor(...).
# Example: operand(np.float64(2.5))  ->  2.5, a Python float
# Hint: isinstance takes a tuple of types. Python's bool is an int.
def operand(other):
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


# %% [markdown]
"""
### Testing operands
Exact types: `np.float64(2.5) == 2.5` would hide the mistake.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-operand-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_operand():
    t = Tensor([1.0, 2.0])
    assert operand(t) is t.data, "operand(tensor) should be the Tensor's own array, not a copy"
    numbers = [(2.5, float), (np.float64(2.5), float), (2, int), (np.int64(2), int)]
    ### BEGIN HIDDEN TESTS
    numbers += [(np.float16(0.5), float), (np.uint8(7), int), (True, int), (np.bool_(True), int)]
    ### END HIDDEN TESTS
    for number, kind in numbers:
        got = operand(number)
        assert type(got) is kind and got == number, f"operand({number!r}): {got!r} is no {kind}"
    for bad in ([1.0], "1", None, np.ones(2)):
        words = [type(bad).__name__, "Tensor("]
        check_raises(TypeError, words, lambda bad=bad: operand(bad), f"operand({bad!r})")
    print("✅ an operand is an array or a plain number")


test_operand()

# %% [markdown]
"""
## Exercise 3: Looking inside

Out of the Tensor again: a Python number with `item()`, and a text that you will read a thousand
times. As in PyTorch it names the dtype only if that is not float32, int64 or bool.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-inspect", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write item and __repr__.
# Approach: item: 1. size other than 1: RuntimeError that shows the shape. 2. ndarray.item().
#   repr: 1. np.array2string(self.data, separator=", ", prefix="Tensor("). 2. append
#   ", dtype=float64" if unusual. 3. append ", requires_grad=True" if so. 4. Tensor( ) around it.
# Example: Tensor([1.0, 2.0], requires_grad=True)  ->  Tensor([1., 2.], requires_grad=True)
# Hint: self.dtype in (np.float32, np.int64, np.bool_) works; f"{self.dtype}" is the name.
@add_to_class(Tensor)
def item(self):
    """Return the only element as a Python number. RuntimeError unless there is exactly one."""
    ### BEGIN SOLUTION
    if self.size != 1:
        raise RuntimeError(f"item() and bool() need exactly one element, got shape {self.shape}")
    return self.data.item()
    ### END SOLUTION


@add_to_class(Tensor)
def __repr__(self):
    """Return the text that print shows."""
    ### BEGIN SOLUTION
    text = np.array2string(self.data, separator=", ", prefix="Tensor(")
    if self.dtype not in (np.float32, np.int64, np.bool_):
        text += f", dtype={self.dtype}"
    if self.requires_grad:
        text += ", requires_grad=True"
    return f"Tensor({text})"
    ### END SOLUTION


Tensor.numpy = lambda self: self.data  # shares memory, as in PyTorch
Tensor.__len__ = lambda self: len(self.data)
Tensor.__bool__ = lambda self: bool(self.item())
Tensor.__float__ = lambda self: float(self.item())

# %% [markdown]
"""
### Testing item and repr
One element only; the exact text.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-inspect-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_inspect():
    double = Tensor(0.1, dtype=np.float64)
    texts = {"Tensor([1., 2.])": Tensor([1.0, 2.0]), "Tensor(0.1, dtype=float64)": double}
    texts["Tensor([0.5], requires_grad=True)"] = Tensor([0.5], requires_grad=True)
    ### BEGIN HIDDEN TESTS
    texts["Tensor([[1, 2],\n        [3, 4]])"] = Tensor([[1, 2], [3, 4]])
    texts["Tensor([1], dtype=int32)"] = Tensor([1], dtype=np.int32)
    texts["Tensor([ True, False])"] = Tensor([True, False])
    texts["Tensor(1., dtype=float64, requires_grad=True)"] = Tensor(1.0, np.float64, True)
    check_raises(RuntimeError, ["(1, 2)"], lambda: bool(Tensor([[1, 2]])), "bool(Tensor([[1, 2]]))")
    check_raises(RuntimeError, ["(0,)"], lambda: Tensor([]).item(), "Tensor([]).item()")
    assert len(Tensor([[1], [2], [3]])) == 3 and Tensor([1.0]).numpy().shape == (1,)
    ### END HIDDEN TESTS
    for text, t in texts.items():
        assert repr(t) == text, f"expected {text}, got {t!r}"
    for t, number in ((double, 0.1), (Tensor([[7]]), 7), (Tensor([True]), True)):
        got = t.item()
        assert type(got) is type(number) and got == number, f"item(): {got!r}, not {number!r}"
    check_raises(RuntimeError, ["(2,)"], lambda: Tensor([1, 2]).item(), "Tensor([1, 2]).item()")
    print("✅ you can look inside")


test_inspect()

# %% [markdown]
"""
## Exercise 4: Predict a broadcast

Many silent bugs in deep learning are broadcasts that nobody intended, so learn to predict them:
align the shapes on the right, fill the shorter one with 1s, compare size by size. In Module 05
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
Known cases, then random pairs made backwards from the shape they must give.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-broadcast-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_broadcast_shape():
    cases = [((2, 3), (3,), (2, 3)), ((4, 1), (1, 5), (4, 5)), ((), (2,), (2,))]
    errors = [((2, 3), (2,)), ((4, 3), (5, 3))]
    ### BEGIN HIDDEN TESTS
    cases += [((), (), ()), ((0,), (1,), (0,)), ((1, 3), (0, 1), (0, 3)), ((1,), (1, 1), (1, 1))]
    errors += [((0,), (2,)), ((7, 2, 3), (3, 3))]
    rng = np.random.default_rng(4)
    for _ in range(50):
        shape = tuple(rng.integers(2, 9, size=rng.integers(1, 6)).tolist())
        ones = rng.integers(0, 3, size=len(shape)).tolist()  # who has size 1 there: a, b, nobody
        a = tuple(1 if who == 0 else n for n, who in zip(shape, ones, strict=True))
        b = tuple(1 if who == 1 else n for n, who in zip(shape, ones, strict=True))
        cases += [(a, b, shape), (shape[len(shape) // 2 :], b, shape)]
    ### END HIDDEN TESTS
    for a, b, expected in cases:
        for pair in ((a, b), (b, a)):
            got = broadcast_shape(*pair)
            assert got == expected, f"broadcast_shape{pair}: expected {expected}, got {got}"
    for a, b in errors:
        words, call = [str(a), str(b)], f"broadcast_shape({a}, {b})"
        check_raises(ValueError, words, lambda a=a, b=b: broadcast_shape(a, b), call)
    print("✅ you can predict every broadcast")


test_broadcast_shape()

# %% [markdown]
"""
## Exercise 5: Four lines, eighteen methods

`t + 10` calls `t.__add__(10)`, whose body would be
`return result_of(self.data + operand(other), self, other)`; the other operators differ in one
symbol. So write the *maker* of such methods, as NumPy does (`numpy/lib/mixins.py`). In `10 - t`
the int gives up, and Python calls `t.__rsub__(10)`: now `self` stands on the **right**.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-operators", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the bodies of the two methods. function is operator.add, np.maximum, ...
# Approach: 1. array: function of self.data and operand(other); reflected: the other way round.
#   2. return result_of(array, both inputs).
# Example: 10 - Tensor([1.0, 2.0])  ->  Tensor([9., 8.])
# Hint: operator.sub(a, b) is a - b. NumPy broadcasts by itself.
def binary(function):
    """Return the method for self + other and its like; other is a Tensor or a number."""

    def method(self, other):
        ### BEGIN SOLUTION
        array = function(self.data, operand(other))
        return result_of(array, self, other)
        ### END SOLUTION

    return method


def reflected(function):
    """Return the method for other + self and its like, where other is a number."""

    def method(self, other):
        ### BEGIN SOLUTION
        array = function(operand(other), self.data)
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
Every operator in both orders, in both float dtypes, against Python's own arithmetic.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-operators-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_operators():
    t = Tensor([1.0, 2.0])
    check(t + 10, [11.0, 12.0], "Tensor([1., 2.]) + 10")
    check(10 - t, [9.0, 8.0], "10 - Tensor([1., 2.])", hint="reflected: self is on the right")
    check(t * Tensor([[3.0], [4.0]]), [[3.0, 6.0], [4.0, 8.0]], "shapes (2,) * (2, 1)")
    check(np.float64(2) ** t, [2.0, 4.0], "np.float64(2) ** Tensor([1., 2.])", hint="see operand")
    check(Tensor([1, 2]) / 2, [0.5, 1.0], "Tensor([1, 2]) / 2", hint="return through result_of")
    check(t == 2, [False, True], "Tensor([1., 2.]) == 2")
    check_raises(TypeError, ["Tensor("], lambda: np.ones(2) + t, "ndarray + Tensor")
    ### BEGIN HIDDEN TESTS
    check(Tensor(2.0) * Tensor(3.0), 6.0, "Tensor(2.) * Tensor(3.)")
    check(Tensor([5]) - Tensor([2]), [3], "int - int")
    check(Tensor([5, 6]) + t, [6.0, 8.0], "int + float32")
    assert len({t, t, Tensor([1.0, 2.0])}) == 2, "Tensors should be hashable, by identity"
    arithmetic = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)
    comparisons = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
    rng = np.random.default_rng(5)
    for dtype in (np.float32, np.float64):
        a = Tensor(rng.uniform(0.5, 2.0, size=(3, 1)), dtype=dtype)
        b = Tensor([a.data[0, 0], *rng.uniform(0.5, 2.0, size=3)], dtype=dtype)
        rows, columns = a.data.ravel().tolist(), b.data.tolist()
        for op in arithmetic + comparisons:
            kind, name = dtype if op in arithmetic else bool, op.__name__
            check(op(a, b), [[op(x, y) for y in columns] for x in rows], f"{name}(a, b)", kind)
            check(op(b, 1.5), [op(y, 1.5) for y in columns], f"{name}(b, 1.5)", kind)
            check(op(1.5, b), [op(1.5, y) for y in columns], f"{name}(1.5, b)", kind)
        check(a.maximum(b), [[max(x, y) for y in columns] for x in rows], "a.maximum(b)", dtype)
        check(b.minimum(1.25), [min(y, 1.25) for y in columns], "b.minimum(1.25)", dtype)
        assert (a.data.ravel().tolist(), b.data.tolist()) == (rows, columns), "inputs modified"
    ### END HIDDEN TESTS
    print("✅ four lines made eighteen methods")


test_operators()

# %% [markdown]
"""
## Exercise 6: Functions of each element

The same idea with one operand: `exp`, `log`, `sqrt`, `tanh`, `abs`, `-t`. Then two functions that
choose: `clip` keeps values in a range, `where` picks from two Tensors by a mask.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-elementwise", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the maker of unary methods, clip and where.
# Approach: unary: as binary, without other. clip: 1. a bound that is None stays None, another
#   becomes operand(bound). 2. np.clip. where: np.where of three operands; its inputs are a and b.
# Example: Tensor([-2.0, 0.5, 3.0]).clip(0, 1)  ->  Tensor([0. , 0.5, 1. ])
# Hint: np.clip takes None for a bound that is not there.
def unary(function):
    """Return the method that applies function to every element."""

    def method(self):
        ### BEGIN SOLUTION
        array = function(self.data)
        return result_of(array, self)
        ### END SOLUTION

    return method


Tensor.exp, Tensor.log, Tensor.sqrt = unary(np.exp), unary(np.log), unary(np.sqrt)
Tensor.tanh, Tensor.abs, Tensor.__abs__ = unary(np.tanh), unary(np.abs), unary(np.abs)
Tensor.__neg__ = unary(operator.neg)


@add_to_class(Tensor)
def clip(self, min=None, max=None):
    """Return self with values below min raised to min, and values above max lowered to max."""
    ### BEGIN SOLUTION
    low = None if min is None else operand(min)
    high = None if max is None else operand(max)
    array = np.clip(self.data, low, high)
    return result_of(array, self, min, max)
    ### END SOLUTION


def where(condition, a, b):
    """Return a where the bool Tensor condition is True and b elsewhere (torch.where)."""
    ### BEGIN SOLUTION
    array = np.where(operand(condition), operand(a), operand(b))
    return result_of(array, a, b)
    ### END SOLUTION


# %% [markdown]
"""
### Testing elementwise functions
Against Python's `math`; each bound alone; numbers and Tensors as arguments.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-elementwise-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_elementwise():
    t, mask = Tensor([-2.0, 0.5, 3.0]), Tensor([True, False, True])
    check(-t, [2.0, -0.5, -3.0], "-t")
    check(abs(t), [2.0, 0.5, 3.0], "abs(t)")
    check(Tensor([0, 1]).exp(), [1.0, math.e], "Tensor([0, 1]).exp()")
    check(t.clip(0, 1), [0.0, 0.5, 1.0], "t.clip(0, 1)")
    check(t.clip(max=1), [-2.0, 0.5, 1.0], "t.clip(max=1)")
    check(where(mask, t, 0.0), [-2.0, 0.0, 3.0], "where([True, False, True], t, 0.0)")
    ### BEGIN HIDDEN TESTS
    check(where(mask, 1, 0), [1, 0, 1], "where(mask, 1, 0)")
    check(where(mask, 0.5, Tensor([[1.0], [2.0]])), [[0.5, 1.0, 0.5], [0.5, 2.0, 0.5]], "where")
    for dtype in (np.float32, np.float64):
        t = Tensor(np.random.default_rng(6).uniform(0.1, 3.0, size=9), dtype=dtype)
        values, two = t.data.tolist(), Tensor(2.0, dtype=dtype)
        for name in ("exp", "log", "sqrt", "tanh"):
            expected = [getattr(math, name)(x) for x in values]
            check(getattr(t, name)(), expected, f"t.{name}()", dtype)
        check(t.clip(min=1.25), [max(x, 1.25) for x in values], "t.clip(min=1.25)", dtype)
        check(t.clip(max=two), [min(x, 2.0) for x in values], "t.clip(max=Tensor(2.))", dtype)
        check(where(t < 1.5, t, 9), [x if x < 1.5 else 9.0 for x in values], "where", dtype)
        assert t.data.tolist() == values, "t was modified"
    ### END HIDDEN TESTS
    print("✅ functions of each element work")


test_elementwise()

# %% [markdown]
"""
## Exercise 7: Reductions

A reduction folds axes away: `sum`, `mean`, `max`, `min`, `argmax`. With `keepdims=True` a size of 1
stays in their place, so that the result broadcasts against the input, as in softmax and LayerNorm.
Build `var` from Tensor operations only, and Module 05 will differentiate it for free.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-reductions", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the maker of reductions, then var: the mean squared distance from the mean.
# Approach: reduction: call function with axis and keepdims. var: 1. subtract the mean, taken with
#   keepdims=True. 2. sum the squares. 3. count the elements behind each sum: self.size over the
#   size of the result. 4. divide by count - correction.
# Example: Tensor([[1.0, 2.0], [3.0, 6.0]]).var(axis=1)  ->  Tensor([0.5, 4.5])
# Hint: the keepdims of var is for its result; the mean inside always keeps its dimensions.
def reduction(function):
    """Return the method that reduces over axis: None (all), an int or a tuple of ints."""

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
Single, negative and several axes, with and without `keepdims`, against Python lists.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reductions-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_reductions():
    t = Tensor([[1.0, 2.0], [3.0, 6.0]])
    check(t.sum(), 12.0, "t.sum()")
    check(t.max(axis=0), [3.0, 6.0], "t.max(axis=0)")
    check(t.mean(axis=1, keepdims=True), [[1.5], [4.5]], "t.mean(axis=1, keepdims=True)")
    check(t.argmax(axis=-1), [1, 1], "t.argmax(axis=-1)")
    check(t.var(axis=1), [0.5, 4.5], "t.var(axis=1)", hint="correction=1: divide by n - 1")
    check(t.var(correction=0), 3.5, "t.var(correction=0)")
    ### BEGIN HIDDEN TESTS
    check(Tensor([True, True]).sum(), 2, "sum of booleans")
    check(Tensor([1, 2]).mean(), 1.5, "mean of integers")
    plain = {"sum": sum, "max": max, "min": min, "mean": lambda v: sum(v) / len(v)}
    plain["var"] = lambda v: sum((x - sum(v) / len(v)) ** 2 for x in v) / (len(v) - 1)
    plain["argmax"] = lambda v: v.index(max(v))
    x, folded = np.random.default_rng(7).normal(size=(3, 4, 5)), {None: (0, 1, 2), 0: (0,), 1: (1,)}
    for axis, gone in (folded | {-1: (2,), (0, 2): (0, 2), (-3, 1): (0, 1)}).items():
        groups = {}  # the elements, by what is left of their index
        for index in np.ndindex(3, 4, 5):
            key = tuple(i for d, i in enumerate(index) if d not in gone)
            groups.setdefault(key, []).append(x[index].item())
        for keep, dtype in ((True, np.float64), (False, np.float64), (False, np.float32)):
            shape = [1 if d in gone else n for d, n in enumerate(x.shape) if keep or d not in gone]
            for name, f in plain.items():
                if len(gone) == 2 and name == "argmax":
                    continue
                expected = np.reshape([f(v) for v in groups.values()], shape).tolist()
                t, kind = Tensor(x, dtype=dtype), np.int64 if name == "argmax" else dtype
                got = getattr(t, name)(axis=axis, keepdims=keep)
                check(got, expected, f"{name}(axis={axis}, keepdims={keep})", kind)
                assert (t.data == x.astype(dtype)).all(), f"{name} modified its input"
    ### END HIDDEN TESTS
    print("✅ reductions fold the right axes")


test_reductions()

# %% [markdown]
"""
## Exercise 8: An ndarray in fifteen lines

Memory is one long line. Strides say how far to jump in it for one step along each dimension, and
the same buffer can be read in many ways: transposed by swapping two strides, repeated by a stride
of 0. Write this down once without NumPy, and views will never puzzle you again.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-strides", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: compute strides for a contiguous array and for a broadcast one, and read a buffer by them.
# Approach: contiguous: walk from the last size to the first; each stride is the product of all
#   sizes behind it, times itemsize. broadcast: 0 for every new leading dimension and for every
#   size 1 that is stretched, else the old stride. read: no dimension left: the element at offset;
#   otherwise a list, over the first dimension, of what reading the rest gives (recursion).
# Example: contiguous_strides((2, 3, 4), 4)  ->  (48, 16, 4)
# Hint: read_strided([0, 1, 2, 3], (2, 2), (1, 2))  ->  [[0, 2], [1, 3]], a transposed matrix.
def contiguous_strides(shape, itemsize):
    """Return the row-major strides of a shape, in bytes if itemsize is (ndarray.strides)."""
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
    for size, stride, wanted in zip(shape, strides, target[new:], strict=True):
        result.append(stride if size == wanted else 0)
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
Against the strides and the elements of real arrays.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-strides-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
def test_strides():
    shapes = [(3, 4), (2, 3, 4), (5,), ()]
    got = read_strided(list(range(6)), (3, 2), (1, 3))
    assert got == [[0, 3], [1, 4], [2, 5]], f"read_strided(0..5, (3, 2), (1, 3)) gave {got}"
    got = broadcast_strides((3, 1), (4, 4), (2, 3, 5))
    assert got == (0, 4, 0), f"broadcast_strides((3, 1), (4, 4), (2, 3, 5)) gave {got}"
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(8)
    shapes += [tuple(rng.integers(2, 5, size=n % 5 + 1).tolist()) for n in range(20)]
    for shape in shapes[4:]:
        array = rng.normal(size=[n if rng.random() < 0.5 else 1 for n in shape])
        view = np.broadcast_to(array, (2, *shape))
        got = broadcast_strides(array.shape, array.strides, view.shape)
        assert got == view.strides, f"{array.shape} as {view.shape}: {view.strides}, not {got}"
        steps = [s // 8 for s in view.T.strides]
        got = read_strided(array.ravel().tolist(), view.T.shape, steps)
        assert got == view.T.tolist(), f"read_strided of shape {view.T.shape}, strides {steps}"
        assert read_strided([0, 1, 2, 3], (2,), (2,), 1) == [1, 3], "read_strided with offset 1"
    ### END HIDDEN TESTS
    for shape in shapes:
        array = np.zeros(shape, np.float32)
        got = contiguous_strides(shape, 4)
        assert got == array.strides, f"contiguous_strides({shape}, 4): {array.strides}, not {got}"
    print("✅ you know where every element lies")


test_strides()

# %% [markdown]
"""
## Exercise 9: Same buffer, new shape

`reshape` keeps the buffer and puts new sizes and strides on it. `unsqueeze` and `squeeze` add and
drop sizes of 1: build them from `reshape`, so that one operation does the work of three.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-reshape", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write reshape, unsqueeze and squeeze.
# Approach: reshape: 1. as_tuple(shape). 2. self.data.reshape. 3. turn its ValueError into a
#   RuntimeError that shows both shapes. unsqueeze, squeeze: find the new shape with
#   np.expand_dims(...).shape and np.squeeze(...).shape, and reshape to it.
# Example: Tensor([[1, 2], [3, 4]]).reshape(-1)  ->  Tensor([1, 2, 3, 4])
# Hint: np.squeeze fails where the size is not 1; PyTorch leaves that dimension as it is.
@add_to_class(Tensor)
def reshape(self, *shape):
    """Return the elements in another shape, as a view if possible; one size may be -1.

    Raises RuntimeError with both shapes if the number of elements differs.
    """
    ### BEGIN SOLUTION
    shape = as_tuple(shape)
    try:
        array = self.data.reshape(shape)
    except ValueError as error:
        raise RuntimeError(
            f"cannot reshape {self.shape} with {self.size} elements into {shape}"
        ) from error
    return result_of(array, self)
    ### END SOLUTION


@add_to_class(Tensor)
def unsqueeze(self, dim):
    """Return a view with a new dimension of size 1 at position dim."""
    ### BEGIN SOLUTION
    shape = np.expand_dims(self.data, dim).shape
    return self.reshape(shape)
    ### END SOLUTION


@add_to_class(Tensor)
def squeeze(self, dim=None):
    """Return a view without dimension dim if its size is 1, or without any size 1."""
    ### BEGIN SOLUTION
    if dim is not None and self.shape[dim] != 1:
        return self.reshape(self.shape)
    shape = np.squeeze(self.data, dim).shape
    return self.reshape(shape)
    ### END SOLUTION


# %% [markdown]
"""
### Testing shapes
The order of the elements, `-1`, both spellings, the error, and that memory is shared.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-reshape-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_reshape():
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    check(t.reshape(3, 2), [[1, 2], [3, 4], [5, 6]], "t.reshape(3, 2)")
    check(t.reshape((-1,)), [1, 2, 3, 4, 5, 6], "t.reshape((-1,))", hint="as_tuple")
    check(t.unsqueeze(1), [[[1, 2, 3]], [[4, 5, 6]]], "t.unsqueeze(1)")
    check(t.unsqueeze(0).squeeze(0), [[1, 2, 3], [4, 5, 6]], "t.unsqueeze(0).squeeze(0)")
    check(t.squeeze(0), [[1, 2, 3], [4, 5, 6]], "t.squeeze(0)", hint="size 2 stays, no error")
    check_raises(RuntimeError, ["(2, 3)", "(4, 2)"], lambda: t.reshape(4, 2), "reshape(4, 2)")
    ### BEGIN HIDDEN TESTS
    check_raises(RuntimeError, ["(2, 3)", "(4, -1)"], lambda: t.reshape(4, -1), "reshape(4, -1)")
    check(t.unsqueeze(-1), [[[1], [2], [3]], [[4], [5], [6]]], "t.unsqueeze(-1)")
    check(Tensor([[[5.0]]]).squeeze(), 5.0, "Tensor([[[5.]]]).squeeze()")
    check(Tensor([[[5.0]]]).squeeze(-1), [[5.0]], "Tensor([[[5.]]]).squeeze(-1)")
    check(Tensor([7]).reshape(), 7, "Tensor([7]).reshape()")
    x = np.random.default_rng(9).normal(size=24)
    t = Tensor(x, dtype=np.float64)
    cube = t.reshape([2, -1, 4])
    expected = [[[x[12 * i + 4 * j + k] for k in range(4)] for j in range(3)] for i in range(2)]
    check(cube, expected, "reshape([2, -1, 4])", np.float64)
    for view in (cube, cube.unsqueeze(2), cube.unsqueeze(0).squeeze(), cube.squeeze(1)):
        view.data.ravel()[0] += 1.0
    assert abs(t.data[0] - x[0] - 4) < 1e-12, "reshape, unsqueeze and squeeze should be views"
    assert t.data.shape == (24,), "t itself changed its shape"
    ### END HIDDEN TESTS
    print("✅ same buffer, new shapes")


test_reshape()

# %% [markdown]
"""
## Exercise 10: New order of dimensions

`permute` reorders shape and strides together and touches no element. `transpose` swaps two
dimensions, `T` reverses those of a matrix: both are permutations, so let `permute` do it.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-permute", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write permute, transpose and T.
# Approach: permute: ndarray.transpose(dims). transpose: 1. list all dims in order. 2. swap two.
#   3. permute. T: 1. more than two dimensions: RuntimeError with the shape, pointing to permute.
#   2. permute to the reversed order.
# Example: Tensor([[1, 2, 3]]).T.shape  ->  (3, 1)
# Hint: dims[i], dims[j] = dims[j], dims[i] works with negative i and j, too.
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
    dims = list(range(self.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return self.permute(dims)
    ### END SOLUTION


@add_to_class(Tensor)
def T(self):
    """Return the transpose of a matrix, as a view; a vector stays as it is."""
    ### BEGIN SOLUTION
    if self.ndim > 2:
        raise RuntimeError(f".T needs at most 2 dimensions, got {self.shape}; use permute(...)")
    dims = tuple(reversed(range(self.ndim)))
    return self.permute(dims)
    ### END SOLUTION


Tensor.T = property(Tensor.T)  # read as x.T, without parentheses

# %% [markdown]
"""
### Testing orders
Element by element, with negative dimensions; and shared memory.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-permute-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_permute():
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    check(t.T, [[1, 4], [2, 5], [3, 6]], "t.T")
    check(t.transpose(0, -1), [[1, 4], [2, 5], [3, 6]], "t.transpose(0, -1)")
    check(t.permute(1, 0), [[1, 4], [2, 5], [3, 6]], "t.permute(1, 0)")
    x = np.random.default_rng(10).normal(size=(2, 3, 4))
    t = Tensor(x, dtype=np.float64)
    check_raises(RuntimeError, ["permute", "(2, 3, 4)"], lambda: t.T, "T of three dimensions")
    ### BEGIN HIDDEN TESTS
    check(Tensor([1, 2]).T, [1, 2], "T of a vector")
    a, b, c = range(2), range(3), range(4)
    expected = [[[x[i, j, k] for j in b] for i in a] for k in c]
    check(t.permute(2, 0, 1), expected, "permute(2, 0, 1)", np.float64)
    check(t.permute((-1, 0, 1)), expected, "permute((-1, 0, 1))", np.float64)
    expected = [[[x[i, j, k] for j in b] for k in c] for i in a]
    check(t.transpose(-1, 1), expected, "transpose(-1, 1)", np.float64)
    t.transpose(-1, 1).data[1, 3, 2] = 9.0
    assert t.data[1, 2, 3] == 9.0 and t.data.shape == (2, 3, 4), "transpose should be a view"
    ### END HIDDEN TESTS
    print("✅ dimensions move, bytes do not")


test_permute()

# %% [markdown]
"""
## Exercise 11: Take apart, put together

Slices are views; an index Tensor gathers into a copy (an embedding layer is nothing more).
`concatenate` joins along an existing axis, `stack` along a new one.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-index", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write __getitem__, concatenate and stack.
# Approach: __getitem__: index self.data; NumPy reads Tensors by itself, through __array__.
#   concatenate: 1. make tensors a list. 2. np.concatenate their operands. 3. result_of with all
#   of them as inputs. stack: unsqueeze each of them at axis, then concatenate there.
# Example: stack([Tensor([1, 2]), Tensor([3, 4])], axis=1)  ->  [[1, 3], [2, 4]] as a Tensor
# Hint: result_of(array, *tensors) passes the elements of a list as separate inputs.
@add_to_class(Tensor)
def __getitem__(self, index):
    """Return self[index]: ints, slices, ..., None give views, int and bool Tensors copies."""
    ### BEGIN SOLUTION
    array = self.data[index]
    return result_of(array, self)
    ### END SOLUTION


def concatenate(tensors, axis=0):
    """Join Tensors along an existing axis; their other sizes must agree (torch.concatenate)."""
    ### BEGIN SOLUTION
    tensors = list(tensors)
    arrays = [operand(t) for t in tensors]
    return result_of(np.concatenate(arrays, axis=axis), *tensors)
    ### END SOLUTION


def stack(tensors, axis=0):
    """Join Tensors of one shape along a new axis (torch.stack)."""
    ### BEGIN SOLUTION
    expanded = [t.unsqueeze(axis) for t in tensors]
    return concatenate(expanded, axis)
    ### END SOLUTION


# %% [markdown]
"""
### Testing indexing and joining
Each kind of index; axes other than 0; a view where a view is due.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-index-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_index():
    t = Tensor([[1, 2, 3], [4, 5, 6]])
    check(t[:, -1], [3, 6], "t[:, -1]")
    check(t[Tensor([1, 0, 1])], [[4, 5, 6], [1, 2, 3], [4, 5, 6]], "t[Tensor([1, 0, 1])]")
    check(concatenate([t, t], axis=1), [[1, 2, 3] * 2, [4, 5, 6] * 2], "concatenate(axis=1)")
    check(stack([t[0], t[1]], axis=1), [[1, 4], [2, 5], [3, 6]], "stack(axis=1)")
    ### BEGIN HIDDEN TESTS
    check(t[0, 1], 2, "t[0, 1]")
    check(t[..., None, 0], [[1], [4]], "t[..., None, 0]")
    check(t[Tensor([True, False])], [[1, 2, 3]], "t[bool Tensor]")
    check(t[Tensor([0, 1]), Tensor([2, 0])], [3, 4], "t[Tensor, Tensor]")
    check(concatenate(row for row in t), [1, 2, 3, 4, 5, 6], "concatenate(generator)")
    check_raises(TypeError, ["Tensor("], lambda: concatenate([np.ones(2)]), "concatenate([ndarray])")
    t[:, 1:].data[0, 0] = 20
    assert t.data[0, 1] == 20, "a slice should be a view"
    x, y = np.random.default_rng(11).normal(size=(2, 2, 3)).tolist()
    a, b = Tensor(x, dtype=np.float64), Tensor(y, dtype=np.float64)
    check(a[1, ::2], [x[1][0], x[1][2]], "a[1, ::2]", np.float64)
    check(concatenate((a, b, a)), x + y + x, "concatenate((a, b, a))", np.float64)
    check(stack((a, b)), [x, y], "stack((a, b))", np.float64)
    pairs = [[[x[i][j], y[i][j]] for j in range(3)] for i in range(2)]
    check(stack([a, b], axis=-1), pairs, "stack([a, b], axis=-1)", np.float64)
    stack([a]).data[:] = concatenate([a]).data[:] = 0
    check(a, x, "a, after its stack changed", np.float64, "joining copies")
    ### END HIDDEN TESTS
    print("✅ apart and together again")


test_index()

# %% [markdown]
"""
## Exercise 12: Matrix multiplication, the slow way

First the formula itself, three loops. Then NumPy does the innermost one, a row times a column.
Both work on plain 2-D arrays. Keep them: in Part 2 you race them.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-matmul-slow", "locked": false, "schema_version": 3, "solution": true, "task": false}}
# TODO: write both versions.
# Approach: loops: 1. zeros of shape (m, n) with the dtype of a. 2. for each i, j and p, add
#   a[i, p] * b[p, j] to out[i, j]. rows: no loop over p, but a row times a column.
# Example: matmul_loops(np.array([[1, 2]]), np.array([[3], [4]]))  ->  array([[11]])
# Hint: a[i] is a row, b[:, j] a column, and row @ column their dot product.
def matmul_loops(a, b):
    """Multiply arrays (m, k) and (k, n) with three loops; returns an array (m, n)."""
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
    """Multiply arrays (m, k) and (k, n) by m n dot products; returns an array (m, n)."""
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
Rectangular matrices, in which no size can be taken for another.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-slow-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_matmul_slow():
    shapes = [(1, 2, 1), (2, 3, 4)]
    ### BEGIN HIDDEN TESTS
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
    print("✅ the formula works")


test_matmul_slow()

# %% [markdown]
"""
## Exercise 13: `@`, the real one

`np.matmul` hands the work to BLAS: decades of tuning for the caches and vector units of your
processor. It takes vectors and batches, too. What it lacks is an error message for people.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: multiply, and say what is wrong if the shapes do not fit.
# Approach: 1. take both arrays; np.asarray makes a number 0-d. 2. np.matmul. 3. turn its
#   ValueError into a RuntimeError with both shapes and the two sizes that should agree.
# Example: Tensor([[1.0, 2.0]]) @ Tensor([3.0, 4.0])  ->  Tensor([11.])
# Hint: these sizes are a.shape[-1:] and b.shape[-2:][:1], which never fail, not even 0-d.
@add_to_class(Tensor)
def __matmul__(self, other):
    """Return self @ other for vectors, matrices and batches of matrices (torch.matmul).

    Raises RuntimeError with both shapes if they do not fit, or if one has no dimension.
    """
    ### BEGIN SOLUTION
    a = self.data
    b = np.asarray(operand(other))
    try:
        array = np.matmul(a, b)
    except ValueError as error:
        raise RuntimeError(
            f"cannot multiply {a.shape} @ {b.shape}: the last size of the first {a.shape[-1:]} "
            f"must equal the last but one of the second {b.shape[-2:][:1]}, neither may be 0-d, "
            "and batch sizes must broadcast"
        ) from error
    return result_of(array, self, other)
    ### END SOLUTION


# %% [markdown]
"""
### Testing matmul
Vectors, matrices, batches that broadcast, and what a wrong shape says.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-matmul-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_matmul():
    a, b = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[5.0], [6.0]])
    check(a @ b, [[17.0], [39.0]], "(2, 2) @ (2, 1)")
    check(a @ Tensor([5.0, 6.0]), [17.0, 39.0], "(2, 2) @ (2,)")
    check(Tensor([1.0, 2.0]) @ Tensor([3.0, 4.0]), 11.0, "(2,) @ (2,)")
    check_raises(RuntimeError, ["(2, 1)", "(2, 2)"], lambda: b @ a, "(2, 1) @ (2, 2)")
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: a @ Tensor(2.0), "(2, 2) @ ()")
    ### BEGIN HIDDEN TESTS
    check(Tensor([5.0, 6.0]) @ a, [23.0, 34.0], "(2,) @ (2, 2)")
    check(Tensor([[1, 2]]) @ Tensor([[3], [4]]), [[11]], "int @ int")
    check(Tensor([[1, 2]]) @ b, [[17.0]], "int @ float32")
    check_raises(RuntimeError, ["()", "(2, 2)"], lambda: Tensor(2.0) @ a, "() @ (2, 2)")
    check_raises(TypeError, ["Tensor("], lambda: a @ np.ones((2, 2)), "Tensor @ ndarray")
    rng, r = np.random.default_rng(13), range
    x, y = rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(5, 4, 2))
    for dtype in (np.float32, np.float64):
        s, t = Tensor(x, dtype=dtype), Tensor(y, dtype=dtype)
        dot = lambda u, v, i, j: sum(x[u, 0, i, p].item() * y[v, p, j].item() for p in r(4))
        expected = [[[[dot(u, v, i, j) for j in r(2)] for i in r(3)] for v in r(5)] for u in r(2)]
        check(s @ t, expected, "(2, 1, 3, 4) @ (5, 4, 2)", dtype)
        assert (s.data == x.astype(dtype)).all() and (t.data == y.astype(dtype)).all(), "modified"
    s, t = Tensor(x[:, 0]), Tensor(y[:3])
    check_raises(RuntimeError, ["(2, 3, 4)", "(3, 4, 2)"], lambda: s @ t, "batches of 2 and 3")
    ### END HIDDEN TESTS
    print("✅ matmul works, and says what is wrong when it does not")


test_matmul()

# %% [markdown]
"""
## Exercise 14: Factories and luck

Ready-made Tensors, float32 unless you ask otherwise. The random ones come from the module's one
`generator`: after `manual_seed` a run can be repeated number by number. Publish nothing without it.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-factories", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write the maker of zeros, ones, rand and randn; then full, arange and manual_seed.
# Approach: 1. let NumPy make the array: make(shape, dtype), np.full, np.arange. 2. return
#   Tensor(array, dtype, requires_grad). manual_seed: give generator the state of a fresh one.
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


def full(shape, value, dtype=np.float32, requires_grad=False):
    """Return a Tensor filled with value."""
    ### BEGIN SOLUTION
    array = np.full(shape, value)
    return Tensor(array, dtype, requires_grad)
    ### END SOLUTION


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
Values, dtypes, ranges, moments; and that a seed repeats.
"""

# %% [code] {"nbgrader": {"grade": true, "grade_id": "tensor-factories-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_factories():
    check(zeros(2, 3), [[0.0] * 3] * 2, "zeros(2, 3)")
    check(full((2,), 7), [7.0, 7.0], "full((2,), 7)")
    check(arange(2, 8, 3), [2, 5], "arange(2, 8, 3)", hint="8 is not reached; ints stay ints")
    check(arange(0, 1, 0.5), [0.0, 0.5], "arange(0, 1, 0.5)")
    manual_seed(0)
    first = randn(10_000)
    mean, power = math.fsum(first.data) / 10_000, math.fsum(first.data**2) / 10_000
    assert abs(mean) < 0.05 and 0.95 < power < 1.05, f"randn: mean {mean}, mean square {power}"
    second = randn(10_000).data.tolist()
    manual_seed(0)
    assert first.data.tolist() == randn(10_000).data.tolist() != second, "manual_seed(0), twice"
    ### BEGIN HIDDEN TESTS
    check(ones((2,), dtype=np.float64, requires_grad=True), [1.0, 1.0], "float64", np.float64)
    check(arange(3), [0, 1, 2], "arange(3)")
    check(arange(3, dtype=np.float64), [0.0, 1.0, 2.0], "arange(3, dtype=float64)", np.float64)
    check(full((1, 2), 0.1, dtype=np.float64), [[0.1, 0.1]], "full(..., dtype=float64)", np.float64)
    for make in (zeros, ones, rand, randn, lambda *s, **kw: full(s, 1, **kw)):
        t = make(2, 3, requires_grad=True)
        got = (t.requires_grad, t.data.dtype, t.data.shape, make((2, 3)).requires_grad)
        assert got == (True, np.float32, (2, 3), False), f"a factory with requires_grad: {got}"
    assert arange(2.0, requires_grad=True).requires_grad, "arange(requires_grad=True)"
    u = rand(10_000, dtype=np.float64).data
    assert 0 <= u.min() < 0.01 < 0.99 < u.max() < 1, "rand should be uniform in [0, 1)"
    assert abs(math.fsum(u) / 10_000 - 0.5) < 0.02, "rand should have the mean 0.5"
    assert (u != u.astype(np.float32)).any(), "float64 randomness should have float64 precision"
    manual_seed(1)
    assert randn(10_000).data.tolist() != first.data.tolist(), "another seed, other numbers"
    ### END HIDDEN TESTS
    print("✅ factories work, and luck can be repeated")


test_factories()

# %% [markdown]
"""
## Part 2: Systems Analysis

You built it; now measure it. Run each cell, look at your own numbers, and explain them.

### Memory Profiling
What does a Tensor weigh, and how much more does an expression need while it runs?
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(n=1_000_000):
    """Print the memory that factories keep, and the peaks of three ways to compute a * b + c."""

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
    peaks = {name: traced(way)[1] for name, way in ways.items()}
    for name, peak in peaks.items():
        print(f"{name:24} peak {peak:4.1f} MB = {peak / (a.data.nbytes / 1e6):.1f} operands")
    saved = peaks["Tensors, a * b + c"] - peaks["Tensors, added in place"]
    print(f"Working in place saved {saved:.1f} MB: the temporary a * b.")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect 8, 4 and 1 byte per element, and twice that at the peak: the factory
makes an array and `Tensor` copies it. The expression holds `a * b` until the sum is done, 2
operands. Plain NumPy usually needs 1: it sees that nobody else holds `a * b`, and adds into it.
In your Tensor somebody does. Who?

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
    print(f"{'expression':23}{'shape':14}{'strides':13}shares memory with x")
    for name, t in views.items():
        shared = "yes" if np.shares_memory(t.data, x.data) else "no, a copy"
        print(f"{name:23}{t.shape!s:14}{t.data.strides!s:13}{shared}")
    claimed, real = row.nbytes / 1e6, x.data[0].nbytes
    print(f"The broadcast shows {claimed:.0f} MB and stores {real} bytes: its rows are one row.")


profile_views()

# %% [markdown]
"""
**Explain your numbers.** `x.T` has the strides of `x` swapped. Why can no strides at all describe
`x.T.reshape(-1)`, so that it must copy? Which index could have been a view, and which could not?

### Contiguous against strided access
Sum the same count of float32 numbers, lying closer together or further apart.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-strides", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def median_time(run, repeats=5):
    """Return the median duration of run() in seconds, after one run to warm up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def profile_strides(count=2**18):
    """Plot the time per element of a sum against the distance between elements."""
    import matplotlib.pyplot as plt

    buffer, steps = np.ones(64 * count, np.float32), [1, 2, 4, 8, 16, 32, 64]
    seconds = [median_time(buffer[: s * count : s].sum) for s in steps]
    distance, cost = [4 * s for s in steps], [1e9 * t / count for t in seconds]
    _, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    axes.plot(distance, cost, "o-", color="tab:blue", linewidth=2)
    axes.axvline(64, color="gray", linestyle=":")
    axes.annotate(" 64 bytes: one cache line", (64, min(cost)), color="gray")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="stride (bytes)", ylabel="time per element (ns)", ylim=(0, None))
    axes.set_title(f"The same {count:,} additions, {cost[-1] / cost[0]:.0f} times slower")
    axes.spines[["top", "right"]].set_visible(False)
    plt.show()
    used = 100 * 4 / 64
    print(f"Every stride does {count:,} additions: {cost[0]:.2f} ns each at a distance of 4 bytes,")
    print(f"{cost[4]:.2f} ns at 64 bytes, where one number ({used:.0f} %) of each line is used.")


profile_strides()

# %% [markdown]
"""
**Explain your curve.** Memory arrives in lines of 64 bytes, 16 float32. Expect a rise by about ten
to twenty times; it begins when additions can no longer hide the traffic, at 8 to 16 bytes. Beyond
64 bytes each number costs a whole line already. What else gets worse there? (Pages are 4 KB.)

### Matrix multiplication, three ways
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-profile-matmul", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_matmul():
    """Plot GFLOP/s of three loops, row times column, and BLAS against the matrix size."""
    import matplotlib.pyplot as plt

    ways = {
        "three loops": (matmul_loops, (8, 16, 32, 64), "tab:red"),
        "row · column": (matmul_rows, (8, 16, 32, 64, 128, 256), "tab:orange"),
        "BLAS (your @)": (operator.matmul, (8, 16, 32, 64, 128, 256, 512, 1024), "tab:blue"),
    }
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    at_64 = {}
    for name, (matmul, sizes, color) in ways.items():
        squares = [np.ones((n, n), np.float32) for n in sizes]
        seconds = [median_time(lambda m=matmul, a=a: m(a, a), repeats=3) for a in squares]
        speed = [2e-9 * n**3 / t for n, t in zip(sizes, seconds, strict=True)]
        at_64[name] = speed[sizes.index(64)]
        axes.plot(sizes, speed, "o-", color=color, linewidth=2)
        axes.annotate(f"  {name}\n  {speed[-1]:.2g} GFLOP/s", (sizes[-1], speed[-1]), color=color)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="n, for matrices of n × n", ylabel="GFLOP/s", yscale="log", xlim=(7, 6000))
    axes.set_title("One formula, three implementations")
    axes.spines[["top", "right"]].set_visible(False)
    plt.show()
    loops, rows, blas = at_64.values()
    print(f"At n = 64 row · column is {rows / loops:.0f} times as fast as three loops,")
    print(f"and BLAS {blas / rows:.0f} times as fast as that: {blas / loops:,.0f} times in all.")


profile_matmul()

# %% [markdown]
"""
**Explain your curves.** All three do $2n^3$ FLOPs. Expect about 0.005 GFLOP/s for the loops at any
size (the interpreter needs some 100 ns per step, whatever it computes), a line that rises with $n$
for row · column (the same overhead, but once per $2n$ FLOPs), and 30 to 100 GFLOP/s per core for
BLAS, which reuses each number in cache and does 16 or 32 FLOPs per instruction.

### Roofline: what limits an operation?
An operation with intensity $I$ (FLOPs per byte moved) cannot beat $\min(\text{peak},\;I \times
\text{bandwidth})$ FLOP/s. Draw this roof from your own measurements and put operations under it.
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
    seconds = {name: median_time(work) for name, (_, _, work) in jobs.items()}
    speed = {name: flops / seconds[name] / 1e9 for name, (flops, _, _) in jobs.items()}
    intensity = {name: flops / size for name, (flops, size, _) in jobs.items()}
    bandwidth = max(speed[name] / intensity[name] for name in list(jobs)[:3])
    peak = max(speed.values())
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    roof = np.logspace(-1.5, 3, 200)
    axes.loglog(roof, np.minimum(peak, roof * bandwidth), color="black", linewidth=2)
    for name in jobs:
        axes.plot(intensity[name], speed[name], "o", color="tab:red")
        axes.annotate(f"  {name}", (intensity[name], speed[name]), va="top")
    axes.annotate(f"{bandwidth:.0f} GB/s", (0.05, 0.09 * bandwidth))
    axes.annotate(f"{peak:.0f} GFLOP/s", (100, 1.15 * peak))
    axes.set(xlabel="intensity (FLOP per byte)", ylabel="GFLOP/s", xlim=(0.03, 1000))
    axes.set_title("Under the roof: memory-bound left, compute-bound right")
    axes.spines[["top", "right"]].set_visible(False)
    plt.show()
    print(f"The roof bends at {peak / bandwidth:.1f} FLOP per byte. An addition has 1/12: it uses")
    print(f"{100 * speed['x + y'] / peak:.2g} % of the peak, and no better code could change that.")


profile_roofline()

# %% [markdown]
"""
**Explain your picture.** Expect the bend at 2 to 20 FLOP per byte. Additions and mat-vec lie on the
slope: their speed is the memory's. Large matmuls lie under the flat part, $n / 6$ FLOPs per byte.
And `matmul 16` is under neither roof, though it fits in the cache: what does it wait for?

## Part 3: Production Context

- **Storage and views.** A `torch.Tensor` is sizes, strides (in elements) and an offset on a
  reference-counted `Storage`. `x.view` refuses where strides cannot do it, `reshape` then copies,
  `.contiguous()` makes a row-major copy. `torch.tensor` copies, `torch.from_numpy` shares memory.
- **Dispatch.** `a + b` enters ATen's dispatcher, which selects a kernel by device, dtype and
  features such as autograd: some microseconds, like your Python. Matmuls go to BLAS or oneDNN on
  a CPU and to cuBLAS on a GPU, whose memory PyTorch's caching allocator keeps for reuse.
- **Fusion.** Eager PyTorch makes your temporaries, too. `torch.compile` and XLA, under JAX and
  TensorFlow, fuse `a * b + c` into one kernel, which moves it to the right under the roof.
- **Others.** JAX arrays and `tf.Tensor` are immutable: `x.at[i].set(v)` gives a new array in JAX,
  and TensorFlow keeps state in `tf.Variable`. TensorFlow refuses to mix int and float Tensors.
- **Here but not there.** PyTorch's broadcast errors are RuntimeErrors, NumPy's ValueErrors; it
  says `dim` and `keepdim`; its `max(dim)` also returns indices; it keeps float64 arrays float64,
  has no `mean` of integers, and gives `log(0) = -inf` in silence where NumPy warns.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "tensor-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 01 is complete: your package << cookiecutter.package_name >> has its Tensor")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking

Answer in three to six sentences each, with your own numbers from Part 2.

### Question 1: Temporaries
A model computes `a * b + c` on Tensors of 500 million float32 elements, on a machine with 9 GB. Does
it run as written? In place? Use your measured peaks, and name one danger of working in place.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
Each operand has 2 GB, so `a`, `b` and `c` take 6 GB. The expression peaked at 2.0 operands beyond
them: 6 + 4 = 10 GB, which does not fit. In place it peaked at 1.0: 6 + 2 = 8 GB, which fits. The
danger: whoever shares that memory (a view, or later the graph that needs `a * b` for the backward
pass) sees the new values.

**Marking rubric (5 points)**
- 1: 2 GB per operand. 2: both peaks, from measured factors, and the right verdicts.
- 2: a real danger (views or aliases, or values needed for gradients).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Strides
Someone replaces `x.T @ w` by a `T` that copies "to make it contiguous". What changes in memory and
time, and when could the copy pay off? Argue with strides and your curve.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
The view costs nothing: shape and strides swapped, same buffer. The copy takes another `x.nbytes`
and a pass over memory that reads or writes with a large stride, on my curve ten times slower per
element than a contiguous one. For one `@` it is wasted, since BLAS takes a transposed operand and
packs blocks itself. It pays off if the result is then read many times in row order by strided
(elementwise or reducing) operations.

**Marking rubric (5 points)**
- 2: view against copy in bytes and strides. 1: cost of the strided pass, with a measured number.
- 2: a case where the copy pays off (many later passes) and one where it does not.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: The broadcast nobody wanted
`prediction` has shape `(50000, 1)`, `target` has `(50000,)`, and the loss is
`((prediction - target) ** 2).mean()`. What happens, how much memory does it need, and how would you
prevent it in this library?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
`broadcast_shape((50000, 1), (50000,))` is `(50000, 50000)`: 2.5 billion float32, 10 GB for the
difference and 10 GB more for its square. If it fits, there is no error: the mean is over all pairs,
so training pulls every prediction towards the mean target. Prevent it in the loss: raise ValueError
with both shapes unless they are equal (Module 04); or reshape the target.

**Marking rubric (5 points)**
- 2: the shape, by the rule. 1: 10 GB (20 with the square). 1: wrong result without an error.
- 1: a check that compares shapes and says both.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Under the roof
You may buy twice the FLOP/s or twice the bandwidth. Which helps a layer `x @ w + b` with `x` of
shape `(1, 4096)` and `w` `(4096, 4096)`, and which with `x` of `(1024, 4096)`? And why did the
three loops stay far below both roofs?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "tensor-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
With one row the matmul is a matrix-vector product: 2 FLOPs per 4-byte weight, 0.5 FLOP per byte, far
left of my bend (about 5): bandwidth helps. With 1024 rows each weight is used 1024 times; the
intensity is 2·1024·4096² / (4·(2·1024·4096 + 4096²)) ≈ 340, right of the bend: FLOP/s help. The
bias adds stay memory-bound but are few. The loops are bound by neither: 100 ns of interpreter per
multiplication.

**Marking rubric (5 points)**
- 2: intensities (0.5 and some hundreds) against the measured bend. 2: the right purchases.
- 1: interpreter overhead as a third limit.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary

You built a Tensor: a buffer with shape, dtype and strides, some forty operations made from four
families (elementwise, reductions, views, matmul), broadcasting you can predict, errors that help.
You measured that views are free, temporaries are not, distance in memory costs tenfold, and that
only matrix multiplication keeps a processor busy.

**Next, Module 02: Activations** puts the bend between the matrices, without which a hundred layers
are worth no more than one.
"""
