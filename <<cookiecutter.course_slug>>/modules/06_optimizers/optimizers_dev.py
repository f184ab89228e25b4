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
# Module 06: Optimizers

**Learning Objectives:**
- Build the optimizers that train nearly every network, SGD to AdamW, with PyTorch's names and numbers.
- Understand what momentum, running squares, bias correction and decoupled decay are for.
- Analyze what an optimizer costs in memory and time, and update parameters without a new array.

**Where it stands:** Module 05 gave every parameter a gradient. Here you decide what to do with it:
in which direction to go, and how far. At the end your own framework reads handwritten digits.
**Time:** 5 to 6 hours. **Points:** 80 by tests, 20 for written answers.
Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import bisect
import copy
import math

import numpy as np

import << cookiecutter.package_name >>.autograd  # noqa: F401 (with it, Tensors have a backward)
from << cookiecutter.package_name >>.tensor import (
    Tensor,
    add_to_class,
    generator,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

**Gradient descent** repeats w ← w - η g, with the gradient g = ∂L/∂w and the **learning rate** η.
Near a minimum every loss looks like a bowl, L = ½ Σ λᵢ wᵢ², whose gradient is λᵢ wᵢ: each step
multiplies wᵢ by 1 - η λᵢ. That shrinks only if η < 2 / λ for the largest λ, the steepest direction;
the flattest then takes about κ = λmax / λmin steps. This **condition number** is the trouble.

**Momentum** keeps a velocity, v ← μ v + g and w ← w - η v. Where gradients agree it grows to 1 / (1 - μ)
of them; where they alternate, they cancel. At best √κ steps take the place of κ.

**Adaptive steps** divide each number's gradient by the root of its mean square: its scale drops out,
axis by axis.

**Bias correction.** A sum s ← β s + x weighs its terms 1, β, β² …: after t steps the weights add up to
W = (1 - βᵗ) / (1 - β). The mean is s / W. With W's limit, 1 / (1 - β), the first means would be too small.

**Weight decay** pulls weights to 0. **Coupled**, λ w joins the gradient, and Adam divides it by the root,
too; **decoupled**, as in AdamW, w shrinks by the factor 1 - η λ, whatever its gradients are.

### Computational Complexity

| What | Time per step | State, bytes per float32 parameter |
|---|---|---|
| SGD | O(P), 2 passes over arrays | 0 |
| SGD with momentum | O(P), 4 passes | 4 |
| RMSprop | O(P), 9 passes | 4 |
| Adam, AdamW | O(P), 10 or 11 passes | 8 |
| clipping by norm | O(P), 1 or 2 passes | 0 |
| a scheduler | O(1) | 0 |
| forward and backward, for comparison | O(B P) | all that backward needs |

P parameters, B rows in a batch. A pass does one FLOP per number, so memory limits them all.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-base", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def refuse_negative(**settings):
    """Raise ValueError, which names and shows it, if a setting is negative or nan."""
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")


def refuse_others(p):
    """Raise TypeError unless p is a Tensor that requires gradients, ValueError unless a leaf."""
    if not isinstance(p, Tensor):
        raise TypeError(f"an optimizer changes Tensors, got {type(p).__name__}")
    if not p.requires_grad:
        raise TypeError(f"a Tensor of shape {p.shape} has requires_grad=False: nothing to do")
    if p.grad_fn is not None:
        raise ValueError(f"only a leaf gets a .grad; this is a result of {p.grad_fn}")


# Running this cell again gives you an Optimizer without methods: run all cells below again, too.
class Optimizer:
    """Changes parameters by their gradients (interface of torch.optim.Optimizer).

    A subclass writes update, which changes the data of one parameter in place.
    """

    def update(self, parameter, state):
        """Change parameter.data; state is a dict for this parameter alone, empty at first."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update")

    def scratch(self, parameter, name="step"):
        """Return an array of the parameter's shape and dtype to compute in; it holds old numbers.

        Parameters of one shape share it, so what you write there is yours during one update only.
        """
        array = parameter.data
        key = name, array.shape, array.dtype
        buffer = self.buffers.get(key)
        if buffer is None:
            buffer = self.buffers[key] = np.empty_like(array)
        return buffer

    def first_lr(self):
        """Return the lr from before any scheduler changed it: what it was at the first call."""
        if self.initial_lr is None:
            self.initial_lr = self.lr
        return self.initial_lr


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-check", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import functools
import itertools

from << cookiecutter.package_name >>.activations import (
    ReLU,
    Tanh,
)
from << cookiecutter.package_name >>.autograd import no_grad
from << cookiecutter.package_name >>.layers import (
    Dropout,
    Layer,
    Linear,
    Sequential,
)
from << cookiecutter.package_name >>.losses import (
    CrossEntropyLoss,
    MSELoss,
    accuracy,
)
from << cookiecutter.package_name >>.tensor import (
    manual_seed,
    rand,
    randn,
)
from << cookiecutter.package_name >>.testing import (
    check,
    check_raises,
    times,
)


def leaf(data, dtype=None, grad=None):
    """Return a Tensor that requires gradients, with this gradient if one is given."""
    tensor = Tensor(data, dtype, requires_grad=True)
    tensor.grad = None if grad is None else np.array(grad, tensor.dtype)
    return tensor


def check_number(got, expected, what, hint="", tolerance=1e-9):
    """Fail, saying why, unless got is a Python float near the expected one."""
    text = f"\nHint: {hint}" if hint else ""
    assert type(got) is float, f"{what}: expected a float, got {type(got).__name__} {got!r}{text}"
    near = abs(got - expected) <= tolerance * (1 + abs(expected))
    assert near, f"{what}: expected {expected}, got {got}{text}"


def check_steps(what, make, rule, hint="", lrs=(0.1,) * 6, zero=False):
    """Fail unless make(parameters) moves every number as rule says, in both float dtypes.

    Five random parameters get random gradients. The second has none in two steps, the third none at
    first. rule(w, steps) is what w becomes after these steps, a list of (lr, gradient). Between
    the steps another optimizer of the same kind does its own. Only the data may change, in place.
    Hidden tests call this: try it with a rule of your own.
    """
    shapes, missing = [(2, 3), (), (4,), (0,), (4,)], {(1, 1), (1, 2), (2, 0)}
    rng = np.random.default_rng(6)
    for dtype in (np.float32, np.float64):
        parameters = [leaf(rng.normal(size=s), dtype) for s in shapes]
        optimizer, other = make(parameters), make([leaf(np.ones(s), dtype) for s in shapes])
        arrays, grads = [p.data for p in parameters], [np.zeros(s, dtype) for s in shapes]
        starts, steps = [a.ravel().tolist() for a in arrays], [[] for _ in shapes]
        for t, lr in enumerate(lrs):
            optimizer.lr = lr
            for k, (p, grad) in enumerate(zip(parameters, grads, strict=True)):
                grad[...] = 0 if zero else rng.normal(size=p.shape)
                p.grad = None if (k, t) in missing else grad
                steps[k] += [] if p.grad is None else [(lr, grad.ravel().tolist())]
                other.parameters[k].grad = np.full(p.shape, 9.0 - t, dtype)
            given = [grad.tolist() for grad in grads]
            optimizer.step()
            other.step()
            label = f"{what}, {dtype.__name__}, step {t + 1}"
            assert [grad.tolist() for grad in grads] == given, f"{label}: a gradient was modified"
            for k, p in enumerate(parameters):
                history = [[(lr, g[i]) for lr, g in steps[k]] for i in range(p.size)]
                want = [rule(w, pairs) for w, pairs in zip(starts[k], history, strict=True)]
                where = f"{label}, parameter {k}"
                check(p, np.reshape(want, p.shape).tolist(), where, dtype, hint)
                same = p.data is arrays[k] and p.requires_grad and p.grad_fn is None
                assert same, f"{where}: change its numbers in place, by -= and out=, nothing else"


def check_state(what, make, count):
    """Fail unless the state of each parameter holds this many arrays, the same ones at each step."""
    for dtype, shape in itertools.product((np.float32, np.float64), ((2, 3), (), (0,))):
        optimizer = make([leaf(np.ones(shape), dtype, np.ones(shape)), leaf([1.0])])
        assert optimizer.state == [{}, {}], f"{what}: arrays are made at the first step, no earlier"
        optimizer.step()
        arrays = [v for v in optimizer.state[0].values() if isinstance(v, np.ndarray)]
        kinds, like = [(a.shape, a.dtype) for a in arrays], [(shape, np.dtype(dtype))] * count
        assert kinds == like, f"{what}: the state's arrays should be {like}, got {kinds}"
        assert optimizer.state[1] == {}, f"{what}: a parameter without a gradient gets no state"
        optimizer.step()
        after = [v for v in optimizer.state[0].values() if isinstance(v, np.ndarray)]
        same = [a is b for a, b in zip(arrays, after, strict=True)]
        assert all(same), f"{what}: update the arrays of the state in place"
        used = [a.shape for a in optimizer.buffers.values()]
        assert set(used) == {shape}, f"{what}: compute in self.scratch(parameter), no new array"


# %% [markdown]
"""
## Exercise 1: What all optimizers share
An optimizer holds parameters, a learning rate, and what it remembers of each parameter: its state.
`step` goes through the parameters; what happens to one is the business of `update`, which each kind
writes. A parameter without a gradient took no part in the loss: it stays, and so does its state.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-optimizer", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write __init__, zero_grad and step.
# Approach: __init__: 1. a Tensor in place of a list: TypeError. 2. self.parameters, a new list; empty:
#   ValueError. 3. refuse_others of each, refuse_negative(lr=lr). 4. set lr, initial_lr (None: see
#   first_lr), state (a list, with a dict for each parameter), buffers ({}, for scratch). zero_grad:
#   each .grad is None. step: self.update(parameter, its state), for each whose .grad is not None.
# Example: Optimizer(model.parameters(), 0.1).state  ->  [{}, {}], if the model has two parameters
# Hint: [{}] * 2 is one dict, twice. An array of one zero is False in an if: ask `is not None`.
@add_to_class(Optimizer)
def __init__(self, parameters, lr):
    """Keep parameters, an iterable of leaves, and lr. TypeError: a bare Tensor (says "list").

    ValueError: no parameters (says "empty"). refuse_others and refuse_negative raise the rest.
    """
    ### BEGIN SOLUTION
    if isinstance(parameters, Tensor):
        raise TypeError("parameters must be a list of Tensors, got one Tensor: write [tensor]")
    self.parameters = list(parameters)
    if not self.parameters:
        raise ValueError("the list of parameters is empty: model.parameters() found none")
    for p in self.parameters:
        refuse_others(p)
    refuse_negative(lr=lr)
    self.lr, self.initial_lr = lr, None
    self.state, self.buffers = [{} for _ in self.parameters], {}
    ### END SOLUTION


@add_to_class(Optimizer)
def zero_grad(self):
    """Forget all gradients: each .grad is None."""
    ### BEGIN SOLUTION
    for p in self.parameters:
        p.grad = None
    ### END SOLUTION


@add_to_class(Optimizer)
def step(self):
    """Update each parameter that has a gradient, once, with its own state."""
    ### BEGIN SOLUTION
    for p, state in zip(self.parameters, self.state, strict=True):
        if p.grad is not None:
            self.update(p, state)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the base
An optimizer that only subtracts and counts; the errors. Hidden: generators, a gradient of zero, two
optimizers at once, gradients that others hold, more errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-optimizer-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
class Count(Optimizer):
    """An optimizer for tests: subtracts the gradient, and counts in the state."""

    def update(self, parameter, state):
        parameter.data -= parameter.grad
        state["calls"] = state.get("calls", 0) + 1


def test_optimizer():
    a, b, c = leaf([1.0, 2.0], grad=[0.5, 0.5]), leaf([[3.0]]), leaf(4.0, grad=1.0)
    optimizer = Count([a, b, c], 0.1)
    got = (optimizer.lr, optimizer.state)
    assert got == (0.1, [{}, {}, {}]), f"lr and state at first: {got}"
    optimizer.step()
    check(a, [0.5, 1.5], "a parameter after step()")
    check(b, [[3.0]], "a parameter without a gradient", hint="skip it")
    want = [{"calls": 1}, {}, {"calls": 1}]
    got = optimizer.state
    assert got == want, f"expected the state {want}, got {got}\nHint: one dict for each parameter"
    optimizer.zero_grad()
    left = [p.grad for p in (a, b, c) if p.grad is not None]
    assert not left, f"after zero_grad() each .grad should be None, found {left}"
    check_raises(TypeError, ["list"], lambda: Count(a, 0.1), "a bare Tensor")
    check_raises(TypeError, ["requires_grad"], lambda: Count([a, Tensor(1.0)], 0.1), "a constant")
    check_raises(ValueError, ["empty"], lambda: Count([], 0.1), "no parameters")
    check_raises(ValueError, ["-0.1"], lambda: Count([a], -0.1), "lr = -0.1")
    ### BEGIN HIDDEN TESTS
    # hidden: a step without gradients
    optimizer.step()
    check(a, [0.5, 1.5], "a parameter after zero_grad() and step()")
    assert optimizer.state == want, "without gradients, step() should leave the state as it is"
    # hidden: generators, gradients of zero
    zero, given = leaf(2.0, grad=0.0), [leaf([0.0], grad=[0.0])]
    first, second = Count(given, 0.1), Count((p for p in (zero, a)), 0.0)
    first.step()
    second.step()
    got = (first.state, second.state)
    want = ([{"calls": 1}], [{"calls": 1}, {}])
    assert got == want, f"gradients of zero are gradients, states apart: {want}, got {got}"
    # hidden: what each optimizer owns
    given.append(a)
    kinds = [type(x.parameters) for x in (first, second)]
    assert kinds == [list, list] and len(first.parameters) == 1, "parameters: a list of its own"
    same = second.parameters[0] is zero and second.parameters[1] is a and second.lr == 0.0
    assert same, "the parameters, in order, and lr = 0.0"
    got = (first.initial_lr, first.buffers, second.buffers, first.buffers is second.buffers)
    assert got == (None, {}, {}, False), f"initial_lr, buffers, of both: {got}"
    assert first.scratch(a).shape == (2,) and second.buffers == {}, "buffers of its own"
    # hidden: gradients that others hold
    a.grad = kept = np.array([7.0, 8.0], np.float32)
    second.zero_grad()
    assert kept.tolist() == [7.0, 8.0], "zero_grad() should not change the array: others hold it"
    a.grad = kept
    for _ in range(2):
        second.step()
    check(a, [-13.5, -14.5], "after two steps with one gradient")
    assert a.grad is kept and kept.tolist() == [7.0, 8.0], "step() should leave .grad as it is"
    # hidden: more errors, a model's parameters
    bad = {"str": "w", "ndarray": np.ones(2), "list": [a]}
    for word, thing in bad.items():
        check_raises(TypeError, [word], lambda p=thing: Count([a, p], 0.1), f"a {word} among them")
    check_raises(ValueError, ["leaf"], lambda: Count([a * 2.0], 0.1), "a result")
    check_raises(ValueError, ["nan"], lambda: Count([a], math.nan), "lr = nan")
    check_raises(ValueError, ["empty"], lambda: Count(iter([]), 0.1), "an iterator of nothing")
    model = Sequential(Linear(3, 2), Linear(2, 1))
    assert len(Count(model.parameters(), 0.1).state) == 4, "the parameters of a model"
    ### END HIDDEN TESTS
    print("✅ an optimizer knows its parameters, and what belongs to which")


test_optimizer()

# %% [markdown]
"""
## Exercise 2: Gradient descent, in place
`w = w - lr * g` makes two new arrays of w's size in each step, and `w` would be another array than
the one the model holds. Write into arrays that exist: `out=` says where a result goes, `-=` changes
the numbers where they are. `direction` will say where to go; for now it is the gradient.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-sgd", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write update: parameter.data -= lr · direction, without a new array.
# Approach: 1. the direction, from self.direction(parameter, state). 2. self.scratch(parameter), an
#   array to compute in. 3. np.multiply(direction, lr, out=...) into it. 4. subtract it in place.
# Example: w = [1., 2.], gradient [10., -10.], lr 0.01  ->  w is [0.9, 2.1]
# Hint: direction *= lr would change the gradient itself, which others may need.
class SGD(Optimizer):
    """Steps against the gradient, or with momentum against the velocity (torch.optim.SGD)."""

    def __init__(self, parameters, lr=1e-3, momentum=0.0, weight_decay=0.0, nesterov=False):
        """Keep the settings. ValueError: one is negative (named), or nesterov without momentum."""
        super().__init__(parameters, lr)
        refuse_negative(momentum=momentum, weight_decay=weight_decay)
        if nesterov and not momentum:
            raise ValueError("nesterov=True needs a momentum above 0")
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov

    def direction(self, parameter, state):
        """Return the array to step against: as yet, the gradient."""
        return parameter.grad

    def update(self, parameter, state):
        """Subtract lr times the direction from parameter.data, in place; change nothing else."""
        ### BEGIN SOLUTION
        out = self.scratch(parameter)
        np.multiply(self.direction(parameter, state), self.lr, out=out)
        parameter.data -= out
        ### END SOLUTION


# %% [markdown]
"""
### Testing gradient descent
The example, and a bowl. Hidden: random gradients in both dtypes, an lr that changes, parameters
without dimensions or without elements, views, and that you compute in scratch.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-sgd-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_sgd():
    w = leaf([1.0, 2.0], grad=[10.0, -10.0])
    array, optimizer = w.data, SGD([w], lr=0.01)
    optimizer.step()
    check(w, [0.9, 2.1], "one step with lr 0.01", hint="against the gradient: subtract")
    assert w.data is array, "w.data is another array now\nHint: w.data -= ... works in place"
    assert w.grad.tolist() == [10.0, -10.0], f"the gradient was changed to {w.grad}"
    w, bowl = leaf([1.0, -3.0]), Tensor([1.0, 5.0])
    optimizer = SGD([w], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (w * w * bowl * 0.5).sum().backward()
        optimizer.step()
    check(w, [0.9**3, -3 * 0.5**3], "three steps down a bowl, factors 1 - 0.1 and 1 - 0.5")
    ### BEGIN HIDDEN TESTS

    # hidden: random gradients, a changing lr
    def rule(w, steps):
        return w - sum(lr * g for lr, g in steps)

    check_steps("SGD", SGD, rule)
    check_steps("SGD", SGD, rule, "read self.lr at each step", (0.1, 0.5, 0.0, 1e-3, 2.0, 0.3))
    check_steps("SGD with gradients of zero", SGD, rule, zero=True)
    # hidden: the state, the default lr
    check_state("SGD", SGD, 0)
    assert SGD([w]).lr == 1e-3, "the default of lr"
    # hidden: data that is a view
    base = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    w = leaf([0.0])
    w.data, w.grad = base.T, np.ones((3, 2), np.float32)
    SGD([w], 0.5).step()
    assert base.ravel().tolist() == [v - 0.5 for v in range(6)], "data that is a view of an array"

    # hidden: a subclass with its direction
    class Up(SGD):
        def direction(self, parameter, state):
            state["asked"] = True
            return -parameter.grad

    w = leaf([1.0], grad=[2.0])
    (optimizer := Up([w], 0.5)).step()
    check(w, [2.0], "a subclass with a direction of its own", hint="ask self.direction")
    assert optimizer.state == [{"asked": True}], "direction gets the state"
    ### END HIDDEN TESTS
    print("✅ downhill, and no array is made")


test_sgd()

# %% [markdown]
"""
## Exercise 3: Momentum, Nesterov, weight decay
A ball rolls faster where it goes down for long: the **velocity** is v ← μ v + g, and the step goes
against v. **Nesterov** looks ahead: it steps against g + μ v, with the new v. **Weight decay** adds
λ w to the gradient before all this, the slope of ½ λ w², so that no weight grows without a reason.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-momentum", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write apply_decay, and the direction with momentum.
# Approach: apply_decay: 1. no decay: the gradient. 2. weight_decay · data into the scratch array
#   named "decay". 3. add the gradient to it. direction: 1. g, from apply_decay. 2. no momentum: g.
#   3. a new state: an array of zeros like parameter.data. 4. it times momentum, plus g, in place.
#   5. return it, or with nesterov g plus momentum times it, in scratch.
# Example: momentum 0.5, gradients 1, 1, 1  ->  velocities 1, 1.5, 1.75
# Hint: buffer *= ..., then buffer += ...; so the array in the state stays the same one.
@add_to_class(Optimizer)
def apply_decay(self, parameter):
    """Return the gradient plus self.weight_decay times the parameter, neither of which changes.

    With weight_decay 0 it is parameter.grad itself, else it stands in a scratch array.
    """
    ### BEGIN SOLUTION
    if not self.weight_decay:
        return parameter.grad
    out = self.scratch(parameter, "decay")
    np.multiply(parameter.data, self.weight_decay, out=out)
    out += parameter.grad
    return out
    ### END SOLUTION


@add_to_class(SGD)
def direction(self, parameter, state):
    """Return the array to step against; with momentum, the state holds one array, the velocity."""
    ### BEGIN SOLUTION
    g = self.apply_decay(parameter)
    if not self.momentum:
        return g
    if not state:
        state["velocity"] = np.zeros_like(parameter.data)
    velocity = state["velocity"]
    velocity *= self.momentum
    velocity += g
    if not self.nesterov:
        return velocity
    out = self.scratch(parameter)
    np.multiply(velocity, self.momentum, out=out)
    out += g
    return out
    ### END SOLUTION


# %% [markdown]
"""
### Testing momentum
Three steps by hand, each setting alone. Hidden: all together against plain Python, an lr that
changes, who shares arrays with whom, what the state holds.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-momentum-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
def test_momentum():
    def moved(steps, **settings):
        w = leaf([1.0])
        optimizer = SGD([w], lr=0.1, **settings)
        for _ in range(steps):
            w.grad = np.array([1.0], np.float32)
            optimizer.step()
        return w

    check(moved(1, momentum=0.5), [0.9], "momentum 0.5, one step", hint="the first velocity is g")
    hint = "keep the velocity in the state, in an array of its own, not in .grad"
    check(moved(3, momentum=0.5), [1 - 0.1 * (1 + 1.5 + 1.75)], "momentum 0.5, 3 steps", hint=hint)
    got = moved(2, momentum=0.5, nesterov=True)
    check(got, [1 - 0.1 * (1.5 + 1.75)], "nesterov, two steps", hint="g + momentum · the new v")
    got = moved(1, weight_decay=0.5)
    check(got, [1 - 0.1 * (1 + 0.5)], "weight_decay 0.5", hint="g + weight_decay · w")
    got = moved(2, momentum=0.5, weight_decay=1.0)
    want = 0.8 - 0.1 * (0.5 * 2 + 1.8)
    check(got, [want], "momentum and weight_decay", hint="the decay goes into the velocity, too")
    check_raises(ValueError, ["nesterov"], lambda: moved(1, nesterov=True), "no momentum")
    ### BEGIN HIDDEN TESTS

    # hidden: all settings together
    def plain(momentum=0.0, weight_decay=0.0, nesterov=False):
        def rule(w, steps):
            velocity = 0.0
            for lr, g in steps:
                g += weight_decay * w
                velocity = momentum * velocity + g
                w -= lr * (g + momentum * velocity if nesterov else velocity)
            return w

        return rule

    rates = (0.1, 0.3, 0.0, 0.2, 0.05, 0.4)
    for momentum, decay, nesterov in itertools.product((0.0, 0.5, 0.9), (0.0, 0.3), (False, True)):
        if momentum or not nesterov:
            settings = {"momentum": momentum, "weight_decay": decay, "nesterov": nesterov}
            make, what = functools.partial(SGD, **settings), f"SGD, {settings}"
            for lrs in ((0.1,) * 5, rates):
                check_steps(what, make, plain(**settings), "g, then v, then the step", lrs)
            # hidden: what the state holds
            check_state(what, make, 1 if momentum else 0)
    # hidden: gradients of zero
    make = functools.partial(SGD, momentum=0.9)
    check_steps("SGD with gradients of zero", make, plain(0.9), zero=True)
    # hidden: apply_decay
    w, twin = leaf([1.0, 2.0], grad=[3.0, 4.0]), leaf([5.0, 6.0], grad=[0.0, 0.0])
    optimizer = SGD([w, twin], 0.5, weight_decay=0.5)
    got = optimizer.apply_decay(w)
    assert got.tolist() == [3.5, 5.0], f"apply_decay: [3, 4] + 0.5 · [1, 2], got {got}"
    assert got is optimizer.scratch(w, "decay"), 'apply_decay returns the scratch array "decay"'
    got = (w.data.tolist(), w.grad.tolist())
    assert got == ([1.0, 2.0], [3.0, 4.0]), f"apply_decay changed the parameter or its .grad: {got}"
    assert optimizer.apply_decay(twin).tolist() == [2.5, 3.0], "apply_decay of another parameter"
    optimizer.weight_decay = 0.0
    assert optimizer.apply_decay(w) is w.grad, "without decay, apply_decay returns .grad itself"
    # hidden: the velocity, later settings
    optimizer = SGD([w], 0.5, momentum=0.5)
    optimizer.step()
    (velocity,) = optimizer.state[0].values()
    assert not np.shares_memory(velocity, w.grad), "the velocity shares memory with .grad: copy"
    optimizer.momentum = 0.0
    optimizer.step()
    check(w, [1 - 2 * 0.5 * 3, 2 - 2 * 0.5 * 4], "after momentum was set to 0")
    ### END HIDDEN TESTS
    print("✅ momentum, looking ahead, and decay")


test_momentum()

# %% [markdown]
"""
## Exercise 4: RMSprop
One learning rate for all numbers is a compromise: too large for the steep, too small for the flat.
RMSprop (Hinton, 2012) divides each gradient by the root of its own running mean square, q. So a
step is about as long as lr, whether gradients are millions or millionths.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write update: q ← α q + (1 - α) g², then w ← w - lr · g / (√q + eps).
# Approach: 1. a new state: q, zeros. 2. g² times 1 - alpha in scratch. 3. q in place: times alpha,
#   plus that. 4. √q into scratch, plus eps. 5. g over that, into scratch. 6. times lr, subtract.
# Example: the first step is lr · g / √(0.01 g²) = ± 10 lr, however large g is
# Hint: np.sqrt(q, out=out) and np.divide(g, out, out=out); eps stands outside the root.
class RMSprop(Optimizer):
    """Divides gradients by the root of their running mean square (torch.optim.RMSprop)."""

    def __init__(self, parameters, lr=1e-2, alpha=0.99, eps=1e-8):
        """Keep the settings. ValueError names one that is negative."""
        super().__init__(parameters, lr)
        refuse_negative(alpha=alpha, eps=eps)
        self.alpha, self.eps = alpha, eps

    def update(self, parameter, state):
        """Step in place; the state holds one array, the running mean of squares."""
        ### BEGIN SOLUTION
        g, out = parameter.grad, self.scratch(parameter)
        if not state:
            state["squares"] = np.zeros_like(parameter.data)
        squares = state["squares"]
        np.multiply(g, g, out=out)
        out *= 1 - self.alpha
        squares *= self.alpha
        squares += out
        np.sqrt(squares, out=out)
        out += self.eps
        np.divide(g, out, out=out)
        out *= self.lr
        parameter.data -= out
        ### END SOLUTION


# %% [markdown]
"""
### Testing RMSprop
Gradients of very different size, two steps by hand. Hidden: other settings against plain Python,
gradients of zero, what the state holds.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-rmsprop-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_rmsprop():
    w = leaf([1.0, 1.0, 1.0], grad=[1e6, -1.0, 1e-3])
    optimizer = RMSprop([w])
    optimizer.step()
    check(w, [0.9, 1.1, 0.9], "one step of lr 0.01", hint="each number moves by 10 lr at first")
    w = leaf([1.0], grad=[2.0])
    optimizer = RMSprop([w], lr=0.1, alpha=0.5, eps=0.5)
    optimizer.step()
    first = 1 - 0.1 * 2 / (math.sqrt(2) + 0.5)
    check(w, [first], "alpha 0.5, eps 0.5, gradient 2", hint="√q + eps, with q = 0.5 · 2²")
    w.grad[:] = 4.0
    optimizer.step()
    second = first - 0.1 * 4 / (math.sqrt(0.5 * 2 + 0.5 * 16) + 0.5)
    check(w, [second], "then gradient 4", hint="q is 0.5 · 2 + 0.5 · 4²")
    ### BEGIN HIDDEN TESTS

    # hidden: other settings, a changing lr
    def plain(alpha=0.99, eps=1e-8):
        def rule(w, steps):
            q = 0.0
            for lr, g in steps:
                q = alpha * q + (1 - alpha) * g * g
                w -= lr * g / (math.sqrt(q) + eps)
            return w

        return rule

    rates = (0.1, 0.3, 0.0, 0.2, 0.05, 0.4)
    for alpha, eps in ((0.99, 1e-8), (0.9, 0.1), (0.0, 0.5), (0.5, 2.0)):
        make, what = functools.partial(RMSprop, alpha=alpha, eps=eps), f"RMSprop, {alpha=}, {eps=}"
        for lrs in ((0.01,) * 6, rates):
            check_steps(what, make, plain(alpha, eps), "√q + eps, and g not squared", lrs)
        # hidden: gradients of zero
        check_steps(f"{what}, gradients of zero", make, plain(alpha, eps), zero=True)
    # hidden: what the state holds
    check_state("RMSprop", RMSprop, 1)
    # hidden: the defaults
    got = [getattr(RMSprop([w]), name) for name in ("lr", "alpha", "eps")]
    assert got == [1e-2, 0.99, 1e-8], f"the defaults: {got}"
    # hidden: settings changed later
    optimizer = RMSprop([w], 0.1, 0.5)
    optimizer.eps, optimizer.alpha = 1.0, 0.75
    w.grad[:] = 2.0
    want = w.item() - 0.1 * 2 / (math.sqrt(0.25 * 4) + 1)
    optimizer.step()
    check(w, [want], "settings changed after construction", hint="read self.alpha, self.eps")
    ### END HIDDEN TESTS
    print("✅ every number has its own scale")


test_rmsprop()

# %% [markdown]
"""
## Exercise 5: Adam
Adam (Kingma and Ba, 2015) is momentum over RMSprop's root, with **bias correction**: both running
values become true means from the first step on. Keep them as sums, m ← β₁ m + g and v ← β₂ v + g²,
and divide by what their weights add up to, W = (1 - βᵗ) / (1 - β), where t counts the updates of this
parameter. The step is lr · (m / W₁) / (√(v / W₂) + eps). Multiply above and below by √W₂, and the scalars
stand together, lr √W₂ / W₁ · m / (√v + eps √W₂): one array to compute in, ten passes.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-adam", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write update, in place, with one scratch array.
# Approach: 1. g, from self.apply_decay. 2. a new state: a count of 0, and zeros for m and v. 3. raise
#   the count in the state. 4. m: times β₁, plus g. 5. v: times β₂, plus g², by way of scratch.
#   6. both W. 7. √v plus eps √W₂, in scratch. 8. m over that; times the scalars; subtract.
# Example: the first step is lr · g / (abs(g) + eps), about ± lr for any g
# Hint: an int in the state is replaced: state["step"] += 1; arrays change in place.
class Adam(Optimizer):
    """Steps along the mean gradient over the root of the mean square (torch.optim.Adam).

    weight_decay is coupled: it joins the gradient.
    """

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        """Keep the settings. ValueError names one that is negative, or a beta outside [0, 1)."""
        super().__init__(parameters, lr)
        refuse_negative(eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be in [0, 1), got {betas}")
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def update(self, parameter, state):
        """Step in place; the state holds two arrays and the number of this parameter's updates."""
        ### BEGIN SOLUTION
        g, out = self.apply_decay(parameter), self.scratch(parameter)
        if not state:
            zeros = np.zeros_like(parameter.data)
            state.update(step=0, sum=zeros, squares=zeros.copy())
        state["step"] += 1
        m, v, (beta1, beta2) = state["sum"], state["squares"], self.betas
        m *= beta1
        m += g
        np.multiply(g, g, out=out)
        v *= beta2
        v += out
        w1, w2 = ((1 - beta ** state["step"]) / (1 - beta) for beta in self.betas)
        np.sqrt(v, out=out)
        out += self.eps * math.sqrt(w2)
        np.divide(m, out, out=out)
        out *= self.lr * math.sqrt(w2) / w1
        parameter.data -= out
        ### END SOLUTION


# %% [markdown]
"""
### Testing Adam
First steps of any gradient, three steps by hand. Hidden: other settings against plain Python, each
parameter with its own count, gradients of zero, coupled decay, what the state holds.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-adam-test", "locked": true, "points": 11, "schema_version": 3, "solution": false, "task": false}}
def test_adam():
    w = leaf([1.0, 1.0, 1.0], grad=[1e6, -1.0, 1e-3])
    Adam([w], lr=0.1).step()
    check(w, [0.9, 1.1, 0.9], "one step of lr 0.1", hint="each number moves by lr at first")
    w, want, m, v = leaf([1.0]), 1.0, 0.0, 0.0
    optimizer = Adam([w], lr=0.1, betas=(0.5, 0.75), eps=0.1)
    for t, g in ((1, 2.0), (2, -1.0), (3, 4.0)):
        w.grad = np.array([g], np.float32)
        optimizer.step()
        m, v = 0.5 * m + 0.5 * g, 0.75 * v + 0.25 * g * g  # the textbook's running means
        want -= 0.1 * (m / (1 - 0.5**t)) / (math.sqrt(v / (1 - 0.75**t)) + 0.1)
        check(w, [want], f"betas (0.5, 0.75), eps 0.1, step {t}", hint="m / W₁, √(v / W₂) + eps")
    w = leaf([2.0], grad=[-1.0])
    Adam([w], lr=0.1, weight_decay=1.0).step()
    check(w, [1.9], "decay turns the gradient -1 into -1 + 2", hint="self.apply_decay")
    ### BEGIN HIDDEN TESTS

    # hidden: other settings, coupled decay
    def plain(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        def rule(w, steps):
            m = v = 0.0
            for t, (lr, g) in enumerate(steps, 1):
                g += weight_decay * w
                m = betas[0] * m + (1 - betas[0]) * g
                v = betas[1] * v + (1 - betas[1]) * g * g
                mean, square = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
                w -= lr * mean / (math.sqrt(square) + eps)
            return w

        return rule

    rates = (0.1, 0.3, 0.0, 0.2, 0.05, 0.4)
    for betas in ((0.9, 0.999), (0.5, 0.75), (0.2, 0.9), (0.8, 0.3)):
        for eps, decay in ((1e-8, 0.0), (0.3, 0.0), (0.1, 0.5)):
            settings = {"betas": betas, "eps": eps, "weight_decay": decay}
            make, what = functools.partial(Adam, **settings), f"Adam, {settings}"
            for lrs in ((0.01,) * 7, rates):
                check_steps(what, make, plain(**settings), "each parameter has its own t", lrs)
    # hidden: gradients of zero
    check_steps("Adam with gradients of zero", Adam, plain(), zero=True)
    # hidden: the state, the defaults
    check_state("Adam", Adam, 2)
    got = [getattr(Adam([w]), name) for name in ("lr", "betas", "eps", "weight_decay")]
    assert got == [1e-3, (0.9, 0.999), 1e-8, 0.0], f"the defaults: {got}"
    # hidden: a tiny gradient
    w = leaf([1.0], grad=[1e-7])
    Adam([w], lr=0.5).step()
    check(w, [1 - 0.5 * 1e-7 / (1e-7 + 1e-8)], "a gradient of 1e-7", hint="eps outside the root")
    # hidden: memory apart, wrong betas
    optimizer = Adam([leaf([1.0], grad=[1.0])])
    optimizer.step()
    arrays = [a for a in optimizer.state[0].values() if isinstance(a, np.ndarray)]
    apart = not any(np.shares_memory(a, optimizer.parameters[0].grad) for a in arrays)
    assert apart and not np.shares_memory(*arrays), "m, v and the gradient share no memory"
    for bad in ((1.0, 0.5), (0.9, -0.1)):
        check_raises(ValueError, [str(bad)], lambda bad=bad: Adam([w], betas=bad), f"betas {bad}")
    ### END HIDDEN TESTS
    print("✅ Adam: the mean gradient over its own scale")


test_adam()

# %% [markdown]
"""
## Exercise 6: AdamW
Adam divides coupled decay by the root: a weight with large gradients hardly decays at all, and that
was nobody's plan. AdamW (Loshchilov and Hutter, 2019) takes the decay out of the gradient: the weight
shrinks by itself, then Adam steps as if there were no decay. Everything else is inherited.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write apply_decay, which Adam.update calls, so that the decay is decoupled.
# Approach: 1. parameter.data times 1 - lr · weight_decay, in place. 2. return the gradient.
# Example: w = 2, gradient 0, lr 0.1, weight_decay 0.5  ->  w is 2 · (1 - 0.05) = 1.9
# Hint: two lines.
class AdamW(Adam):
    """Adam with decoupled weight decay (torch.optim.AdamW)."""

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        """Keep the settings, as Adam does."""
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def apply_decay(self, parameter):
        """Shrink the parameter, in place, by the factor 1 - lr · weight_decay; return .grad."""
        ### BEGIN SOLUTION
        parameter.data *= 1 - self.lr * self.weight_decay
        return parameter.grad
        ### END SOLUTION


# %% [markdown]
"""
### Testing AdamW
Decay with a gradient of zero, and beside a large one. Hidden: against plain Python, an lr that changes,
and that Adam itself still couples.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-adamw-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_adamw():
    w = leaf([2.0, 2.0], grad=[0.0, 1e6])
    array = w.data
    AdamW([w], lr=0.1, weight_decay=0.5).step()
    assert w.data is array, "w.data is another array now\nHint: w.data *= ... works in place"
    check(w, [1.9, 1.8], "w = 2, gradients 0 and 1e6", hint="both shrink to 1.9; one steps by lr")
    w = leaf([2.0], grad=[0.0])
    optimizer = AdamW([w], lr=0.1)
    for _ in range(3):
        optimizer.step()
    check(w, [2 * 0.999**3], "three steps of the default weight_decay, 0.01")
    ### BEGIN HIDDEN TESTS

    # hidden: AdamW beside coupled Adam
    def plain(weight_decay, coupled):
        def rule(w, steps):
            m = v = 0.0
            for t, (lr, g) in enumerate(steps, 1):
                w, g = (w, g + weight_decay * w) if coupled else (w - lr * weight_decay * w, g)
                m, v = 0.5 * m + 0.5 * g, 0.75 * v + 0.25 * g * g
                w -= lr * (m / (1 - 0.5**t)) / (math.sqrt(v / (1 - 0.75**t)) + 0.1)
            return w

        return rule

    rates = (0.1, 0.3, 0.0, 0.2, 0.05, 0.4)
    for lrs, decay in itertools.product(((0.1,) * 5, rates), (0.0, 0.01, 0.5)):
        settings = {"betas": (0.5, 0.75), "eps": 0.1, "weight_decay": decay}
        for kind in (AdamW, Adam):
            make, rule = functools.partial(kind, **settings), plain(decay, kind is Adam)
            hint = "decay first, by 1 - lr · weight_decay" if kind is AdamW else "coupled, still"
            check_steps(f"{kind.__name__}, weight_decay={decay}", make, rule, hint, lrs)
    # hidden: the state, the defaults
    check_state("AdamW", AdamW, 2)
    got = [getattr(AdamW([w]), name) for name in ("lr", "betas", "eps", "weight_decay")]
    assert got == [1e-3, (0.9, 0.999), 1e-8, 1e-2], f"the defaults: {got}"
    # hidden: apply_decay leaves the gradient
    w = leaf([3.0], grad=[7.0])
    got = AdamW([w], 0.5, weight_decay=1.0).apply_decay(w)
    assert got is w.grad and w.grad.tolist() == [7.0], "apply_decay returns .grad, as it is"
    ### END HIDDEN TESTS
    print("✅ AdamW decays what it should")


test_adamw()

# %% [markdown]
"""
## Exercise 7: Clipping
One odd batch, or one cliff in the loss, gives a gradient a thousand times too long, and one step
destroys an hour of training. **Clipping by norm** shortens the whole gradient, all parameters seen
as one long vector, to at most max_norm. Its direction stays; a short gradient stays as it is.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-clip", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: measure the norm of all gradients together, and scale them down if it is too large.
# Approach: 1. a list of the gradients that are not None (one Tensor given: of [that]). 2. the root of
#   the sum of all squares, a float. 3. the factor max_norm / (norm + 1e-6). 4. unless it is 1 or
#   more: every gradient times the factor, in place. 5. return the norm from before.
# Example: gradients [3., 0.] and [[0.], [4.]], max_norm 1  ->  5.0, then [0.6, 0.], [[0.], [0.8]]
# Hint: np.vdot(g, g) is the sum of the squares of all of g, whatever its shape, and makes no array.
def clip_grad_norm_(parameters, max_norm):
    """Scale gradients, in place, to a norm of at most max_norm together; return the norm they had.

    parameters: one Tensor or any iterable of them; those without a gradient do not count. The norm
    is a Python float, 0.0 without any gradient. Call it between backward and step.
    """
    ### BEGIN SOLUTION
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads))
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:
        for g in grads:
            g *= factor
    return norm
    ### END SOLUTION


# %% [markdown]
"""
### Testing clipping
Long and short gradients of two parameters. Hidden: generators, parameters without a gradient, dtypes,
views, very short gradients, which show the 1e-6.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-clip-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_clip():
    a, b = leaf([0.0, 0.0], grad=[3.0, 0.0]), leaf([[0.0], [0.0]], grad=[[0.0], [4.0]])
    array = a.grad
    norm = clip_grad_norm_([a, b], 1.0)
    check_number(norm, 5.0, "the norm of [3, 0] and [[0], [4]]", "all gradients as one vector")
    check(Tensor(a.grad), [0.6, 0.0], "the first gradient, max_norm 1")
    check(Tensor(b.grad), [[0.0], [0.8]], "the second gradient, max_norm 1")
    assert a.grad is array, "scale the gradient in place: g *= ..."
    check_number(clip_grad_norm_([a, b], 10.0), 1.0, "the norm after it", tolerance=1e-5)
    check(Tensor(b.grad), [[0.0], [0.8]], "a gradient of norm 1, max_norm 10", hint="never longer")
    ### BEGIN HIDDEN TESTS
    # hidden: norms of any size, dtypes
    rng = np.random.default_rng(7)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        for size, max_norm in ((1.0, 0.5), (1e-6, 1e-6), (1e3, 2e3), (1e-3, 1e3), (10.0, 10.0)):
            shapes = [(2, 3), (), (4,), (0,)]
            grads = [np.array(size * rng.normal(size=s), dtype) for s in shapes]
            tensors = [leaf(np.ones(g.shape), dtype, g) for g in grads]
            tensors.insert(1, leaf([5.0]))
            given, data = [t.grad for t in tensors], [t.data.tolist() for t in tensors]
            want = math.sqrt(math.fsum(v * v for g in grads for v in g.ravel().tolist()))
            factor, what = min(1.0, max_norm / (want + 1e-6)), f"norm {want:.3g}, {max_norm=}"
            got = clip_grad_norm_((t for t in tensors), max_norm)
            check_number(got / size, want / size, what, "the norm before scaling", tolerance)
            # hidden: a parameter without a gradient
            assert tensors[1].grad is None, f"{what}: a parameter without a gradient got one"
            # hidden: gradients scaled in place
            for k in (0, 2, 3, 4):
                before = grads[k - (k > 0)] * factor / size
                assert tensors[k].grad is given[k], f"{what}: in place, g *= factor"
                scaled = Tensor(given[k] / dtype(size), dtype)
                check(scaled, before.tolist(), f"{what}, gradient {k}", dtype, "norm + 1e-6")
            assert [t.data.tolist() for t in tensors] == data, f"{what}: a parameter was changed"
    # hidden: no gradients, or zeros
    check_number(clip_grad_norm_([leaf([1.0])], 1.0), 0.0, "the norm of no gradients")
    a = leaf([1.0, 2.0], grad=[0.0, 0.0])
    check_number(clip_grad_norm_(a, 1.0), 0.0, "the norm of a gradient of zeros, one Tensor given")
    # hidden: a gradient that is a view
    a.grad = np.arange(6, dtype=np.float32).reshape(2, 3).T
    clip_grad_norm_(a, 0.0)
    assert not a.grad.any() and a.grad.shape == (3, 2), "max_norm 0, a gradient that is a view"
    ### END HIDDEN TESTS
    print("✅ no gradient is too long")


test_clip()

# %% [markdown]
"""
## Exercise 8: Schedulers
Large steps find the valley, small ones its bottom: so the learning rate changes as training goes on.
A scheduler sets `optimizer.lr` as a formula of the number of its own steps, `last_epoch`. Call
its `step` after each epoch, or after each batch: it does not know which. `StepLR` is the simplest.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-scheduler", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write LRScheduler.__init__ and step, then StepLR.get_lr.
# Approach: __init__: 1. not an Optimizer: TypeError. 2. set optimizer, base_lr (its first_lr(), from
#   which all its schedulers start) and last_epoch = -1. 3. self.step(), so the first lr is in force.
#   step: one more epoch; optimizer.lr is get_lr(). get_lr: gamma to the power of the whole
#   step_sizes in last_epoch, times base_lr.
# Example: lr 0.5, StepLR(optimizer, 2, gamma=0.1): 0.5 at once, then 0.5, 0.05, 0.05, 0.005, ...
# Hint: 5 // 2 is 2. A formula of last_epoch alone needs no memory of the lr before.
class LRScheduler:
    """Sets the lr of an optimizer (interface of torch.optim.lr_scheduler.LRScheduler)."""

    def __init__(self, optimizer):
        """Start at epoch 0, with its lr. TypeError, which names the type, if it is no Optimizer."""
        ### BEGIN SOLUTION
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a scheduler needs an Optimizer, got {type(optimizer).__name__}")
        self.optimizer, self.base_lr, self.last_epoch = optimizer, optimizer.first_lr(), -1
        self.step()
        ### END SOLUTION

    def get_lr(self):
        """Return the lr for last_epoch. Each subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_lr")

    def step(self):
        """Go on to the next epoch and set optimizer.lr."""
        ### BEGIN SOLUTION
        self.last_epoch += 1
        self.optimizer.lr = self.get_lr()
        ### END SOLUTION


class StepLR(LRScheduler):
    """Multiplies lr by gamma every step_size epochs (torch.optim.lr_scheduler.StepLR)."""

    def __init__(self, optimizer, step_size, gamma=0.1):
        """Keep the settings first: the base class calls get_lr."""
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def get_lr(self):
        """Return the lr for last_epoch."""
        ### BEGIN SOLUTION
        return self.base_lr * self.gamma ** (self.last_epoch // self.step_size)
        ### END SOLUTION


# %% [markdown]
"""
### Testing schedulers
The example, and what is set at once. Hidden: other settings, a scheduler of your own, two schedulers
on one optimizer, an lr that somebody changed in between.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-scheduler-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_scheduler():
    optimizer = SGD([leaf([1.0])], lr=0.5)
    scheduler, rates = StepLR(optimizer, step_size=2, gamma=0.1), []
    for _ in range(5):
        rates.append(optimizer.lr)
        scheduler.step()
    for epoch, (got, want) in enumerate(zip(rates, (0.5, 0.5, 0.05, 0.05, 0.005), strict=True)):
        check_number(got, want, f"lr at epoch {epoch}", "optimizer.lr follows last_epoch")
    got = (scheduler.last_epoch, scheduler.base_lr, optimizer.initial_lr)
    assert got == (5, 0.5, 0.5), f"last_epoch, base_lr, optimizer.initial_lr: {got}"
    check_raises(TypeError, ["list"], lambda: StepLR([leaf(1.0)], 2), "a scheduler of a list")
    ### BEGIN HIDDEN TESTS

    # hidden: a scheduler of your own
    class Line(LRScheduler):
        def get_lr(self):
            return self.base_lr + self.last_epoch

    optimizer, other = SGD([leaf([1.0])], lr=0.25), SGD([leaf([1.0])], lr=3.0)
    line = Line(optimizer)
    check_number(optimizer.lr, 0.25, "a scheduler of base_lr + last_epoch, at once")
    line.step()
    check_number(optimizer.lr, 1.25, "after its step()")
    # hidden: an lr changed in between
    optimizer.lr = 99.0
    line.step()
    check_number(optimizer.lr, 2.25, "after somebody set lr to 99: the formula decides")
    # hidden: two schedulers on one optimizer
    second = Line(optimizer)
    check_number(second.base_lr, 0.25, "base_lr of a second scheduler", "optimizer.first_lr()")
    check_number(optimizer.lr, 0.25, "lr after a second scheduler was made")
    got = (line.last_epoch, second.last_epoch, other.lr, other.initial_lr)
    assert got == (2, 0, 3.0, None), f"both last_epoch, lr and initial_lr of another one: {got}"
    # hidden: StepLR with other settings
    for size, gamma in ((1, 0.9), (3, 0.5), (7, 0.0), (4, 2.0)):
        scheduler = StepLR(other, size, gamma)
        for epoch in range(25):
            want, what = 3.0 * gamma ** (epoch // size), f"StepLR({size}, {gamma}), epoch {epoch}"
            check_number(other.lr, want, what)
            scheduler.step()
    assert StepLR(other, 5).gamma == 0.1 and scheduler.optimizer is other, "gamma, optimizer"
    scheduler, other.lr = StepLR(other, 10), 99.0
    scheduler.step()
    check_number(other.lr, 3.0, "lr was set to 99 in between, then step(), as ever")
    # hidden: wrong arguments, steps together
    for word, thing in {"str": "SGD", "SGD": SGD}.items():
        check_raises(TypeError, [word if word == "str" else "type"], lambda t=thing: Line(t), word)
    w = leaf([1.0], grad=[1.0])
    optimizer = SGD([w], lr=0.5)
    scheduler = StepLR(optimizer, 1, 0.5)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    check(w, [1 - 0.5 - 0.25 - 0.125], "three steps of optimizer and scheduler")
    ### END HIDDEN TESTS
    print("✅ the learning rate follows a plan")


test_scheduler()

# %% [markdown]
"""
## Exercise 9: Warm-up and cosine
The usual plan of today: **warm up** along a line, since Adam's first means are made of few gradients
and the first weights are random; then go down along half a **cosine**, slowly at both ends.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write both get_lr.
# Approach: LinearLR: base_lr times a factor, which goes in total_iters epochs along a line from
#   start_factor to end_factor, and stays there. CosineAnnealingLR: eta_min plus
#   (base_lr - eta_min) · (1 + cos(π last_epoch / T_max)) / 2.
# Example: LinearLR with lr 0.6, 1/3 to 1 in 4 epochs: 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, ...
# Hint: min(last_epoch, total_iters). The cosine needs no min: it comes up again, as PyTorch's does.
class LinearLR(LRScheduler):
    """Changes lr along a line, then leaves it (torch.optim.lr_scheduler.LinearLR): a warm-up."""

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
        """Keep the settings. ValueError: start_factor outside (0, 1], end_factor outside [0, 1]."""
        if not (0 < start_factor <= 1 and 0 <= end_factor <= 1):
            got = f"got {start_factor} and {end_factor}"
            raise ValueError(f"start_factor must be in (0, 1], end_factor in [0, 1], {got}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def get_lr(self):
        """Return base_lr times the factor of last_epoch."""
        ### BEGIN SOLUTION
        done = min(self.last_epoch, self.total_iters) / self.total_iters
        return self.base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)
        ### END SOLUTION


class CosineAnnealingLR(LRScheduler):
    """Lowers lr to eta_min in T_max epochs (torch.optim.lr_scheduler.CosineAnnealingLR)."""

    def __init__(self, optimizer, T_max, eta_min=0.0):
        """Keep the settings."""
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def get_lr(self):
        """Return the lr on the cosine between base_lr and eta_min."""
        ### BEGIN SOLUTION
        swing = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return self.eta_min + (self.base_lr - self.eta_min) * swing
        ### END SOLUTION


# %% [markdown]
"""
### Testing warm-up and cosine
The example, start, middle and end of the cosine. Hidden: other settings over many epochs, past the
end, factors that fall.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-cosine-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
def test_cosine():
    def rates(make, count, lr=0.6):
        optimizer = SGD([leaf([1.0])], lr=lr)
        scheduler, got = make(optimizer), []
        for _ in range(count):
            got.append(optimizer.lr)
            scheduler.step()
        return got

    def compare(what, make, want, lr=0.6):
        for epoch, (a, b) in enumerate(zip(rates(make, len(want), lr), want, strict=True)):
            check_number(a, b, f"{what}, epoch {epoch}")

    warm = functools.partial(LinearLR, total_iters=4)
    compare("LinearLR, 4 epochs", warm, [0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6])
    cosine = functools.partial(CosineAnnealingLR, T_max=4)
    compare("CosineAnnealingLR, 4 epochs", cosine, [0.6, 0.3 + 0.3 * 0.5**0.5, 0.3])
    last = rates(cosine, 5)[4]
    assert abs(last) < 1e-12, f"CosineAnnealingLR at the end: expected 0.0, got {last}"
    ### BEGIN HIDDEN TESTS
    # hidden: LinearLR with other settings
    for start, end, total in ((1 / 3, 1.0, 5), (0.1, 0.7, 3), (1.0, 0.0, 8), (0.5, 0.5, 1)):
        make = functools.partial(LinearLR, start_factor=start, end_factor=end, total_iters=total)
        slope = (end - start) / total
        want = [2.0 * (start + slope * e if e < total else end) for e in range(20)]
        compare(f"LinearLR from {start} to {end} in {total}", make, want, 2.0)
    compare("the defaults of LinearLR", LinearLR, [0.2, 0.28, 0.36, 0.44, 0.52, 0.6, 0.6])
    # hidden: a cosine over many epochs
    for period, low in ((10, 0.0), (7, 0.1), (1, 0.2), (40, 0.5)):
        make = functools.partial(CosineAnnealingLR, T_max=period, eta_min=low)
        waves = [math.sin(math.pi * (period - e) / (2 * period)) ** 2 for e in range(45)]
        want = [low * (1 - wave) + 2.0 * wave for wave in waves]
        compare(f"CosineAnnealingLR({period}, {low})", make, want, 2.0)
    # hidden: lr when schedulers are made
    optimizer = SGD([leaf([1.0])], lr=0.9)
    LinearLR(optimizer)
    check_number(optimizer.lr, 0.3, "lr when LinearLR is made")
    check_number(CosineAnnealingLR(optimizer, 5).base_lr, 0.9, "base_lr of a cosine made after it")
    # hidden: wrong factors
    for factors in ((0.0, 1.0), (1.5, 1.0), (0.5, 1.5)):
        words = [str(f) for f in factors]
        check_raises(ValueError, words, lambda f=factors: LinearLR(optimizer, *f), f"{factors}")
    ### END HIDDEN TESTS
    print("✅ warm-up and cosine")


test_cosine()

# %% [markdown]
"""
### One plan after the other, and on from where it was
Since your schedulers are formulas of `last_epoch`, chaining them takes a few lines: this locked cell
finds the scheduler whose turn it is and tells it how many epochs ago its turn began. And two numbers
are all that a scheduler must save.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-sequential", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
class SequentialLR(LRScheduler):
    """Follows schedulers one after the other (torch.optim.lr_scheduler.SequentialLR)."""

    def __init__(self, optimizer, schedulers, milestones):
        """Keep the schedulers, and the epochs at which each but the first begins.

        ValueError with both counts unless there is one milestone fewer.
        """
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1:
            counts = f"{len(self.schedulers)} schedulers and {len(self.milestones)} milestones"
            raise ValueError(f"expected one milestone fewer than schedulers, got {counts}")
        super().__init__(optimizer)

    def get_lr(self):
        """Return the lr of the scheduler whose turn it is."""
        turn = bisect.bisect(self.milestones, self.last_epoch)
        chosen, began = self.schedulers[turn], (0, *self.milestones)[turn]
        chosen.base_lr, chosen.last_epoch = self.base_lr, self.last_epoch - began
        return chosen.get_lr()


@add_to_class(LRScheduler)
def state_dict(self):
    """Return what changes, as a dict; the settings come from the constructor."""
    return {"base_lr": self.base_lr, "last_epoch": self.last_epoch}


@add_to_class(LRScheduler)
def load_state_dict(self, saved):
    """Go on from what state_dict returned, and set optimizer.lr."""
    self.base_lr, self.last_epoch = saved["base_lr"], saved["last_epoch"]
    self.optimizer.lr = self.get_lr()


# %% [markdown]
"""
## Exercise 10: Stop, and go on
A training that runs for weeks will be interrupted. The weights alone do not bring it back: momentum,
running squares, counts and the learning rate belong to it, too. Saved and loaded, a run goes on **bit
for bit** as if nothing had happened. What is saved must not change when training goes on: copy.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-state-dict", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: write state_dict and load_state_dict.
# Approach: state_dict: a deep copy of the attributes that saved_names names, as a dict. load_state_dict:
#   1. the three errors, before any change. 2. a deep copy of saved becomes the attributes.
# Example: SGD([w], 0.1).state_dict()["lr"]  ->  0.1, and its ["state"] is a list of dicts
# Hint: vars(self) is the dict of the attributes and has update. copy.deepcopy copies what is inside.
def saved_names(optimizer):
    """Return the set of names of what state_dict saves: all attributes but two."""
    return vars(optimizer).keys() - {"parameters", "buffers"}


@add_to_class(Optimizer)
def state_dict(self):
    """Return settings, lr and state as one dict of copies, its keys those of saved_names."""
    ### BEGIN SOLUTION
    return copy.deepcopy({name: vars(self)[name] for name in saved_names(self)})
    ### END SOLUTION


@add_to_class(Optimizer)
def load_state_dict(self, saved):
    """Go on from what state_dict returned; saved stays as it is. Parameters keep their data.

    ValueErrors, and nothing is changed: other names than those of saved_names (shows all that only
    one side has); another number of parameters (shows both); an array whose shape is not that of
    its parameter (shows both).
    """
    ### BEGIN SOLUTION
    if odd := saved.keys() ^ saved_names(self):
        raise ValueError(f"saved by another kind of optimizer: only one side has {sorted(odd)}")
    if len(saved["state"]) != len(self.parameters):
        counts = f"{len(saved['state'])}, this optimizer has {len(self.parameters)}"
        raise ValueError(f"the saved state is of another number of parameters: {counts}")
    for k, (p, state) in enumerate(zip(self.parameters, saved["state"], strict=True)):
        for name, value in state.items():
            if isinstance(value, np.ndarray) and value.shape != p.shape:
                what = f"{name!r} of parameter {k} was saved with shape {value.shape}"
                raise ValueError(f"{what}, the parameter has {p.shape}")
    vars(self).update(copy.deepcopy(saved))
    ### END SOLUTION


# %% [markdown]
"""
### Testing stop and go
A run interrupted and resumed, and the errors. Hidden: every optimizer and scheduler, what is copied,
loading twice, that a refused load changes nothing.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-state-dict-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_state_dict():
    def run(optimizer, scheduler, steps):
        for t in steps:
            for k, p in enumerate(optimizer.parameters):
                p.grad = None if (t + k) % 4 == 3 else np.cos(p.data + t).astype(p.dtype)
            optimizer.step()
            scheduler.step()

    def resumed(what, make, plan):
        starts = [[0.1, 0.2], [[0.3]], 0.4]
        whole = make([leaf(s) for s in starts])
        half = make([leaf(s) for s in starts])
        run(whole, plan(whole), range(9))
        run(half, scheduler := plan(half), range(4))
        saved, when = half.state_dict(), scheduler.state_dict()
        text = repr((saved, when))
        fresh = make([leaf(p.data) for p in half.parameters])
        fresh.lr = 77.0
        scheduler = plan(fresh)
        fresh.load_state_dict(saved)
        scheduler.load_state_dict(when)
        run(half, plan(half), range(4, 6))
        assert repr((saved, when)) == text, f"{what}: what was saved changed as training went on"
        run(fresh, scheduler, range(4, 9))
        assert repr((saved, when)) == text, f"{what}: what was loaded changed as training went on"
        for k, (a, b) in enumerate(zip(whole.parameters, fresh.parameters, strict=True)):
            same = a.data.tolist() == b.data.tolist()
            assert same, f"{what}: parameter {k} is {b.data} after a stop, {a.data} without"
        assert whole.lr == fresh.lr, f"{what}: lr is {fresh.lr} after a stop, {whole.lr} without"

    adam, step = functools.partial(Adam, lr=0.1), functools.partial(StepLR, step_size=2)
    resumed("Adam with StepLR", adam, step)
    a, b = leaf([1.0, 2.0], grad=[1.0, 1.0]), leaf([[1.0, 2.0]])
    optimizer = SGD([a], lr=0.5, momentum=0.9)
    optimizer.step()
    saved = optimizer.state_dict()
    assert saved["lr"] == 0.5 and len(saved["state"]) == 1, f"lr and state in {saved}"
    calls = {"another kind": (Adam([a]), ["momentum"])}
    calls |= {"three parameters": (SGD([a, b, b], momentum=0.9), ["1", "3"])}
    calls |= {"another shape": (SGD([b], momentum=0.9), ["(2,)", "(1, 2)"])}
    for what, (target, words) in calls.items():
        before = repr(vars(target))
        check_raises(ValueError, words, functools.partial(target.load_state_dict, saved), what)
        assert repr(vars(target)) == before, f"{what}: a refused load should change nothing"
    ### BEGIN HIDDEN TESTS

    # hidden: every optimizer and scheduler
    def plan(optimizer):
        parts = [LinearLR(optimizer, total_iters=3), CosineAnnealingLR(optimizer, 8)]
        return SequentialLR(optimizer, parts, [3])

    nesterov = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    makes = {"SGD": SGD, "Nesterov": functools.partial(SGD, **nesterov), "RMSprop": RMSprop}
    makes |= {"momentum": functools.partial(SGD, momentum=0.5), "Adam": Adam, "AdamW": AdamW}
    linear = functools.partial(LinearLR, total_iters=7)
    plans = {"SequentialLR": plan, "LinearLR": linear, "StepLR": step}
    plans |= {"CosineAnnealingLR": functools.partial(CosineAnnealingLR, T_max=5, eta_min=0.01)}
    for (name, make), (how, schedule) in itertools.product(makes.items(), plans.items()):
        resumed(f"{name} with {how}", functools.partial(make, lr=0.1), schedule)
    # hidden: what is saved
    names = {"lr", "initial_lr", "momentum", "weight_decay", "nesterov", "state"}
    assert saved.keys() == names, f"the keys of SGD's state_dict: {set(saved)}"
    # hidden: loading twice, what is copied
    fresh = SGD([leaf([5.0, 6.0])], lr=9.0, momentum=0.1)
    array, buffers = fresh.parameters[0].data, fresh.buffers
    for _ in range(2):
        fresh.load_state_dict(saved)
        got = (fresh.lr, fresh.momentum, fresh.parameters[0].data.tolist())
        assert got == (0.5, 0.9, [5.0, 6.0]), f"lr, momentum, data after loading: {got}"
        fresh.parameters[0].grad = np.ones(2, np.float32)
        fresh.step()
        check(fresh.parameters[0], [5 - 0.5 * 1.9, 6 - 0.5 * 1.9], "a step after loading")
        fresh.parameters[0].data[:] = [5.0, 6.0]
    assert fresh.parameters[0].data is array and fresh.buffers is buffers, "not saved, not loaded"
    # hidden: a scheduler's own state
    scheduler = StepLR(optimizer, 1, 0.5)
    scheduler.step()
    got = scheduler.state_dict()
    assert got == {"base_lr": 0.5, "last_epoch": 1}, f"state_dict of a scheduler: {got}"
    scheduler.load_state_dict({"base_lr": 8.0, "last_epoch": 3})
    assert optimizer.lr == 1.0, f"8 · 0.5³ = 1 should be the lr after loading, got {optimizer.lr}"
    # hidden: a refused load changes nothing
    odd = {"another kind": (SGD([a]), Adam([a]).state_dict(), ["betas"])}
    odd |= {"nothing": (SGD([a]), {}, ["lr"])}
    pair = [leaf([1.0], grad=[1.0]), leaf([[1.0]], grad=[[1.0]])]
    (source := Adam(pair)).step()
    target = Adam([leaf([2.0]), leaf([1.0])])
    odd |= {"the second": (target, source.state_dict(), ["(1, 1)", "(1,)"])}
    for what, (target, saved, words) in odd.items():
        before = repr(vars(target))
        check_raises(ValueError, words, functools.partial(target.load_state_dict, saved), what)
        assert repr(vars(target)) == before, f"{what}: a refused load should change nothing"
    ### END HIDDEN TESTS
    print("✅ a run that stops can go on")


test_state_dict()

# %% [markdown]
"""
## Exercise 11: An epoch of training
Everything you built since Module 01 meets in four lines: forget the gradients, compute the loss,
differentiate, step. An **epoch** sees each example once, in **minibatches** of random rows: a batch is
a cheap estimate of the gradient of all, and another order each time keeps its errors from repeating.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-train", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: go through x and labels once, in shuffled minibatches.
# Approach: 1. another number of labels than rows: ValueError. 2. model.train(). 3. one permutation of
#   all row numbers, from generator. 4. for each batch of it, also a smaller last one: zero_grad, the
#   loss of the rows in it, backward, step. 5. add up the loss times the number of rows.
# Example: 10 rows with batch_size 4 are batches of 4, 4 and 2 rows
# Hint: generator.permutation(n); x[Tensor(rows)] takes these rows. loss.item() is a float; a sum of
#   the Tensors themselves would record a graph of its own.
def train_epoch(model, criterion, optimizer, x, labels, batch_size):
    """Train on each row of x and its label once, in random order; return the mean loss of a row.

    criterion(model(rows), their labels) is the mean loss of a batch, a Tensor of one number. The
    mean over all rows, a float, is of the losses as they came, while the model changed. ValueError
    with both numbers if there are not as many labels as rows.
    """
    ### BEGIN SOLUTION
    if len(x) != len(labels):
        raise ValueError(f"expected a label for each row, got {len(x)} rows, {len(labels)} labels")
    model.train()
    order, total = generator.permutation(len(x)), 0.0
    for start in range(0, len(x), batch_size):
        rows = Tensor(order[start : start + batch_size])
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    return total / len(x)
    ### END SOLUTION


# %% [markdown]
"""
### Testing an epoch
It learns XOR, which no single layer can. Hidden: each row once with its label, the order, the last
batch, old gradients, the mode of the model, the mean loss, by plain Python.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-train-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_train():
    x, labels = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), Tensor([0, 1, 1, 0])
    manual_seed(0)
    model, criterion = Sequential(Linear(2, 8), Tanh(), Linear(8, 2)), CrossEntropyLoss()
    optimizer = Adam(model.parameters(), lr=0.05)
    losses = [train_epoch(model, criterion, optimizer, x, labels, 4) for _ in range(100)]
    got = accuracy(model(x), labels)
    assert got == 1.0, f"XOR after 100 epochs: {got:.0%} right, loss {losses[0]} to {losses[-1]}"
    assert losses[-1] < 0.1 * losses[0], f"the loss went from {losses[0]} to {losses[-1]}"
    words = ["4", "3"]
    short = functools.partial(train_epoch, model, criterion, optimizer, x, labels[:3], 2)
    check_raises(ValueError, words, short, "4 rows and 3 labels")
    sizes, rows = [], Tensor(np.arange(10.0).reshape(5, 2))
    note = Sequential(lambda t: sizes.append(len(t)) or t, model)
    train_epoch(note, criterion, optimizer, rows, Tensor([0, 1, 0, 1, 0]), 2)
    assert sizes == [2, 2, 1], f"5 rows in batches of 2: expected sizes [2, 2, 1], got {sizes}"
    ### BEGIN HIDDEN TESTS

    # hidden: x and labels stay unchanged
    class Slope(Layer):
        """Multiplies by one weight; remembers the rows it saw, and its mode."""

        def __init__(self):
            self.weight, self.seen, self.modes = leaf(0.5, np.float64), [], []

        def forward(self, x):
            self.seen.append(x.data.ravel().tolist())
            self.modes.append(self.training)
            return x * self.weight

    def epochs(n, size, count, seed=0):
        manual_seed(seed)
        model = Slope()
        optimizer = SGD([model.weight], lr=0.01)
        x, y = np.arange(1.0, n + 1)[:, None] / n, 3 * np.arange(1.0, n + 1)[:, None] / n + 1
        data, target = Tensor(x, np.float64), Tensor(y, np.float64)
        model.weight.grad = np.array(1e6)
        means = []
        for _ in range(count):
            model.eval()
            means.append(train_epoch(model, MSELoss(), optimizer, data, target, size))
        same = data.data.tolist() == x.tolist() and target.data.tolist() == y.tolist()
        assert same, "train_epoch should leave x and labels as they are"
        return model, means

    # hidden: batches, mode of the model
    for n, size in ((10, 4), (8, 4), (5, 1), (6, 100), (9, 8)):
        what, (model, means) = f"{n} rows, {size=}", epochs(n, size, 3)
        per, w = math.ceil(n / size), 0.5
        sizes = [len(batch) for batch in model.seen]
        want = [min(size, n - start) for start in range(0, n, size)] * 3
        assert sizes == want, f"{what}: batches of {want} rows expected, got {sizes}"
        assert all(model.modes), f"{what}: model.train() comes before the first batch"
        # hidden: each row once, mean loss
        for epoch in range(3):
            batches, total = model.seen[epoch * per : epoch * per + per], 0.0
            rows = sorted(v for batch in batches for v in batch)
            assert rows == [(k + 1) / n for k in range(n)], f"{what}: each row once, got {rows}"
            for batch in batches:
                errors = [w * v - (3 * v + 1) for v in batch]
                total += math.fsum(e * e for e in errors)
                slopes = [2 * e * v for e, v in zip(errors, batch, strict=True)]
                w -= 0.01 * math.fsum(slopes) / len(batch)
            hint = "each row counts the same, also in a smaller last batch"
            check_number(means[epoch], total / n, f"{what}, the loss of epoch {epoch + 1}", hint)
        hint = "zero_grad, loss, backward, step, for each batch"
        check(model.weight, w, f"{what}, the weight after 3 epochs", np.float64, hint)
    # hidden: wrong lengths, layers inside
    long = functools.partial(train_epoch, model, criterion, optimizer, x[:3], labels, 2)
    check_raises(ValueError, ["3", "4"], long, "3 rows and 4 labels")
    net = Sequential(inner := Dropout(0.0), Linear(2, 2))
    train_epoch(net.eval(), criterion, SGD(net.parameters()), x, labels, 2)
    assert inner.training, "model.train() reaches the layers inside, too"
    # hidden: the order: shuffled, repeatable
    first, second = epochs(64, 8, 2)[0].seen, epochs(64, 8, 2)[0].seen
    assert first == second, "manual_seed should repeat the order: use generator"
    assert first[:8] != first[8:], "each epoch should have an order of its own"
    assert sum(first[:8], []) != sorted(sum(first[:8], [])), "shuffle the rows"
    assert first[0] != epochs(64, 8, 1, 1)[0].seen[0], "another seed, another order"
    ### END HIDDEN TESTS
    print("✅ your framework learns")


test_train()

# %% [markdown]
"""
### The milestone: handwritten digits
1,797 digits of 8 × 8 pixels, written by 13 people (E. Alpaydin and C. Kaynak, *Optical Recognition of
Handwritten Digits*, UCI Machine Learning Repository, 1998, CC BY 4.0), lie beside this notebook in
`digits.npz`, 360 of them set apart for testing. Every line that runs now is yours: Tensors, layers,
loss, gradients, AdamW with warm-up and cosine. Five networks, from five seeds, must each read at
least 95 % of what they have never seen.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-milestone", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def load_digits():
    """Return pictures (N, 64) in 0 to 1 and labels (N,), for training, then for testing."""
    from pathlib import Path

    here = Path(globals().get("__file__", "")).parent  # a script's folder, a notebook's current one
    if not (here / "digits.npz").is_file():
        what = f"there is no digits.npz in {here.resolve()}: copy it from the course's zip"
        raise FileNotFoundError(f"{what}, where it lies beside this notebook, in 06_optimizers/")
    with np.load(here / "digits.npz") as file:
        pictures = [file[f"{part}_images"].reshape(-1, 64) / 16 for part in ("train", "test")]
        labels = [file[f"{part}_labels"] for part in ("train", "test")]
    return [Tensor(x) for x in pictures], [Tensor(y, np.int64) for y in labels]


def read_digits(seed, epochs=20, warm=2):
    """Train one network on the digits; return its losses, test accuracies and final logits."""
    (x, test), (labels, truth) = load_digits()
    manual_seed(seed)
    model = Sequential(Linear(64, 64), ReLU(), Dropout(0.1), Linear(64, 10))
    optimizer = AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    parts = [LinearLR(optimizer, total_iters=warm), CosineAnnealingLR(optimizer, epochs - warm)]
    scheduler, losses, right = SequentialLR(optimizer, parts, [warm]), [], []
    for _ in range(epochs):
        losses.append(train_epoch(model, CrossEntropyLoss(), optimizer, x, labels, 32))
        scheduler.step()
        with no_grad():
            logits = model.eval()(test)
        right.append(accuracy(logits, truth))
    return losses, right, logits


def milestone(needed=0.95):
    """Plot five trainings, and what the first network reads; fail if one reads too little."""
    import matplotlib.pyplot as plt

    runs = {}
    (seconds,) = times(lambda: runs.update({seed: read_digits(seed) for seed in range(5)}), 1)
    figure = plt.figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    above, below = left.subplots(2, 1, sharex=True)
    for seed, (losses, shares, _) in runs.items():
        above.semilogy(range(1, len(losses) + 1), losses, color=f"C{seed}", linewidth=1.2)
        below.plot(range(1, len(shares) + 1), shares, color=f"C{seed}", linewidth=1.2)
    below.axhline(needed, color="gray", linestyle=":", linewidth=1)
    below.annotate(f"{needed:.0%}, the threshold", (20, needed - 0.03), color="gray", ha="right")
    worst = min(shares[-1] for _, shares, _ in runs.values())
    above.set(ylabel="training loss", title=f"Five seeds, the worst reads {worst:.1%}")
    below.set(xlabel="epoch", ylabel="test accuracy", ylim=(0.7, 1.0), xticks=[1, 5, 10, 15, 20])
    (_, test), (_, truth) = load_digits()
    answers, truth = runs[0][2].argmax(axis=1).data, truth.data
    wrong, fine = np.flatnonzero(answers != truth), np.flatnonzero(answers == truth)
    chosen = [*fine[: 32 - len(wrong[:12])], *wrong[:12]]
    for axes, k in zip(right.subplots(4, 8).flat, chosen, strict=True):
        bad = answers[k] != truth[k]
        axes.imshow(test.data[k].reshape(8, 8), cmap="gray_r")
        text = f"{answers[k]}, not {truth[k]}" if bad else f"{answers[k]}"
        axes.set_title(text, fontsize=9, color="tab:red" if bad else "black", pad=3)
        axes.set(xticks=[], yticks=[])
    right.suptitle(f"What seed 0 reads, with {len(wrong)} mistakes in {len(truth)}", fontsize=10)
    plt.show()
    for seed, (losses, shares, _) in runs.items():
        print(f"seed {seed}: loss {losses[0]:.2f} to {losses[-1]:.3f}, {shares[-1]:.1%} right")
        assert shares[-1] >= needed, (
            f"seed {seed} reads {shares[-1]:.1%} of the test digits, {needed:.0%} are needed. Does every "
            "test above show ✅? Then look at the loss: if it rises, at AdamW and the schedulers; if it "
            "hardly falls, at train_epoch; if only accuracy lags, at model.eval() and Dropout"
        )
    print(f"✅ five networks read digits, all trained in {seconds:.1f} s")


milestone()

# %% [markdown]
"""
**Look at your picture.** Expect 96 to 99 % in a second or two. Would you have read the red ones
right? The first two epochs, at a low learning rate, do most of the work; the last ones, at nearly none,
smooth the curve. Module 07 takes care of what still lies around here: batches, loops, records.

## Part 2: Systems Analysis
Now measure what optimizers cost and how they move. Only the four questions at the end are marked.

### Memory Profiling
What does each optimizer keep for every number of your model, and what does a step allocate?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(count=4, n=500):
    """Print what each optimizer holds, and what a step allocates, for count parameters (n, n)."""
    import tracemalloc

    makes = {"SGD": SGD, "SGD, momentum": functools.partial(SGD, momentum=0.9), "RMSprop": RMSprop}
    makes |= {"Adam": Adam, "Adam with decay": functools.partial(Adam, weight_decay=0.1)}
    makes |= {"AdamW": AdamW}
    manual_seed(0)
    parameters, numbers = [leaf(randn(n, n)) for _ in range(count)], count * n * n
    for p in parameters:
        p.grad = randn(n, n).data
    print(f"{numbers:,} parameters; beside 4 bytes of weight and 4 of gradient, for each:")
    for name, make in makes.items():
        tracemalloc.start()
        optimizer = make(parameters)
        optimizer.step()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        optimizer.step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        values = [value for state in optimizer.state for value in state.values()]
        state = sum(v.nbytes for v in values if isinstance(v, np.ndarray)) / numbers
        scratch = sum(a.nbytes for a in optimizer.buffers.values()) / numbers
        print(f"    {name:15} state {state:.0f} bytes, scratch {scratch:.0f}, measured ", end="")
        print(f"{held / numbers:5.2f}; one more step allocates {(peak - held) / 1e3:.1f} kB")
    print(f"7 billion parameters, AdamW: {7 * state:.0f} GB of state, {7 * (8 + state):.0f} in all")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** The state is 4 bytes per array that the formula remembers: 0, 4 or 8. Scratch
is shared by parameters of one shape: with four of them expect a quarter of 4 bytes (twice that where
decay needs one, too). And one more step allocates some kB of Python objects at most, however large the
model is. So training with Adam takes four times the memory of the weights, before a single activation.

### In place against allocating
The same Adam, written as the formula reads, makes a new array for each operation.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-inplace", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
class TextbookAdam(Adam):
    """Adam as the formula reads: every operation makes an array."""

    def update(self, parameter, state):
        g, w = parameter.grad, parameter.data
        t, m, v = state.get("state", (0, 0.0, 0.0))
        m = self.betas[0] * m + (1 - self.betas[0]) * g
        v = self.betas[1] * v + (1 - self.betas[1]) * g**2
        mean, square = m / (1 - self.betas[0] ** (t + 1)), v / (1 - self.betas[1] ** (t + 1))
        parameter.data = w - self.lr * mean / (np.sqrt(square) + self.eps)
        state["state"] = t + 1, m, v


def profile_in_place():
    """Print time and peak of a step in place and of one that allocates, for growing models."""
    import tracemalloc

    manual_seed(0)
    for shapes in ([(64, 64), (64, 10)], [(784, 128), (128, 64), (64, 10)], [(2000, 1500)]):
        size, seconds, peaks = sum(math.prod(s) for s in shapes), {}, {}
        for kind in (TextbookAdam, Adam):
            parameters = [leaf(randn(s)) for s in shapes]
            for p in parameters:
                p.grad = randn(p.shape).data
            optimizer = kind(parameters)
            times(optimizer.step, 2)
            seconds[kind] = min(times(optimizer.step, 7 if size > 1e6 else 40))
            tracemalloc.start()
            optimizer.step()
            peaks[kind] = tracemalloc.get_traced_memory()[1] / size
            tracemalloc.stop()
        slow, fast = (1e3 * seconds[kind] for kind in (TextbookAdam, Adam))
        print(f"{size:9,} parameters: allocating {slow:7.3f} ms, in place {fast:7.3f} ms, ", end="")
        print(f"{slow / fast:.1f} times as fast; peak {peaks[TextbookAdam]:.1f} bytes per ", end="")
        print(f"parameter against {peaks[Adam]:.1f}")


profile_in_place()

# %% [markdown]
"""
**Explain your numbers.** The formula makes about fourteen arrays a step; each must be found, written
and read again, and a large one is fresh memory from the system, whose pages have to be cleared first.
Expect in place to be 1.3 to 4 times as fast, most where arrays outgrow the cache, and six or seven arrays
of 4 bytes at the allocating peak, old and new state among them. Count the passes of your `update`: which
of them could go?

### How they move
Two landscapes: a bowl 50 times as steep across as along, and Rosenbrock's valley, a banana with walls
so steep and a floor so flat that it has tested optimizers since 1960.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-paths", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_paths():
    """Plot the paths of three optimizers on a bowl and in Rosenbrock's valley; try the largest lr."""
    import matplotlib.pyplot as plt

    steep, flat = 50.0, 1.0

    def bowl(x, y):
        return (x * x * flat + y * y * steep) * 0.5

    def valley(x, y):
        return (1.0 - x) ** 2 + (y - x * x) ** 2 * 100.0

    def descend(make, loss, start, count):
        p = leaf(start, np.float64)
        optimizer, path = make([p]), [p.data.copy()]
        for _ in range(count):
            optimizer.zero_grad()
            loss(p[0], p[1]).backward()
            optimizer.step()
            path.append(p.data.copy())
        return np.array(path).T

    def heavy(lr, momentum):
        return functools.partial(SGD, lr=lr, momentum=momentum)

    top = 2 / steep
    bowls = {"SGD": heavy(0.95 * top, 0.0), "momentum": heavy(0.5 * top, 0.7)}
    bowls["Adam"] = functools.partial(Adam, lr=0.3)
    valleys = {"SGD": heavy(1e-3, 0.0), "momentum": heavy(5e-4, 0.9)}
    valleys["Adam"] = functools.partial(Adam, lr=0.2)
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    cases = [(bowl, (-4.0, 1.0), 120, bowls, (-4.6, 1.4), (-1.5, 1.3), (0.0, 0.0), 0.01)]
    cases += [(valley, (-1.2, 2.5), 600, valleys, (-2.0, 1.8), (-0.8, 3.2), (1.0, 1.0), 0.1)]
    for axes, (loss, start, count, makes, xs, ys, goal, near) in zip(panels, cases, strict=True):
        x, y = np.meshgrid(np.linspace(*xs, 160), np.linspace(*ys, 160))
        levels = np.geomspace(0.02, 2000, 20) if loss is valley else np.geomspace(0.05, 50, 14)
        axes.contour(x, y, loss(x, y), levels=levels, colors="lightgray", linewidths=0.8)
        notes = []
        for k, (name, make) in enumerate(makes.items()):
            path = descend(make, loss, start, count)
            values = loss(*path)
            there = next((i for i, v in enumerate(values) if max(values[i:]) < near), None)
            notes.append(f"{name}: " + (f"{there} steps" if there else f"not in {count}"))
            color = ("tab:blue", "tab:orange", "tab:green")[k]
            style = {"color": color, "label": notes[-1], "zorder": 5 + k}
            line = ".-" if loss is bowl else ("-", "-", "--")[k]
            axes.plot(*path, line, linewidth=1.4, markersize=4, **style)
            axes.plot(*path[:, -1:], "o", color=color, markersize=7, zorder=7 + k)
        axes.plot(*goal, "*", color="black", markersize=12, zorder=10)
        axes.plot(*start, "o", color="black", markersize=5)
        axes.annotate("start", start, (-8, 8), textcoords="offset points")
        axes.set(xlim=xs, ylim=ys)
        axes.legend(loc="lower left" if loss is bowl else "upper right", fontsize=9)
        kind = f"Bowl, κ = {steep / flat:.0f}" if loss is bowl else "Rosenbrock's valley"
        axes.set_title(f"{kind}: loss below {near}, in {count} steps")
        print(f"{kind}: {', '.join(notes)}")
    plt.show()
    for share in (0.99, 1.01):
        path = descend(heavy(share * top, 0.0), bowl, (-4.0, 1.0), 200)
        verb = "shrank" if abs(path[1, -1]) < 1 else "grew"
        print(f"lr = {share} · 2 / λmax: in 200 steps the steep coordinate {verb} ", end="")
        print(f"from 1 to {abs(path[1, -1]):.2g}")


profile_paths()

# %% [markdown]
"""
**Explain your paths.** Just below 2 / λmax, SGD jumps from wall to wall, and along the valley it goes as
slowly as the flat direction allows: 1 - η λ per step. Momentum cancels the jumps and adds up the rest:
expect half the steps. Adam ignores how steep it is: its first steps are diagonal, then its memory makes
it swing. In the banana SGD crawls, while the others come near the star. No optimizer is best
everywhere: change a learning rate and run again.
Two percent of lr decided between shrinking and growing; what are 0.98²⁰⁰ and 1.02²⁰⁰?

### Plans for the learning rate
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-schedules", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_schedules(epochs=100):
    """Plot the learning rates of four plans, and print how far each goes in all."""
    import matplotlib.pyplot as plt

    def chained(optimizer):
        warm_up = LinearLR(optimizer, 0.05, total_iters=10)
        return SequentialLR(optimizer, [warm_up, CosineAnnealingLR(optimizer, epochs - 10)], [10])

    plans = {"constant": functools.partial(StepLR, step_size=epochs)}
    plans |= {"StepLR(30)": functools.partial(StepLR, step_size=30)}
    plans |= {"CosineAnnealingLR(100)": functools.partial(CosineAnnealingLR, T_max=epochs)}
    plans |= {"LinearLR(10), then cosine": chained}
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for k, (name, plan) in enumerate(plans.items()):
        optimizer = SGD([leaf([0.0])], lr=1.0)
        scheduler, rates = plan(optimizer), []
        for _ in range(epochs):
            rates.append(optimizer.lr)
            scheduler.step()
        axes.step(range(epochs), rates, where="post", color=f"C{k}", linewidth=2, label=name)
        print(f"{name:26} the steps add up to {sum(rates):5.1f} times lr")
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.62))
    axes.set(xlabel="epoch", ylabel="lr, in parts of the optimizer's", ylim=(0, 1.12))
    axes.set_title("Four plans for 100 epochs")
    plt.show()


profile_schedules()

# %% [markdown]
"""
**Explain your curves.** A noisy gradient makes w wander around the minimum in a cloud as wide as lr
allows: lowering lr lets it settle. Half a cosine covers half the distance of a constant lr, and ends at 0.
Where would you stop a run early, and what would it lose?

### A step against forward and backward
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_cost():
    """Print the times of forward, backward and step against the batch size, by optimizer."""
    manual_seed(0)
    layers = [Linear(784, 128), ReLU(), Linear(128, 64), ReLU(), Linear(64, 10)]
    model, criterion = Sequential(*layers), CrossEntropyLoss()
    momentum = functools.partial(SGD, momentum=0.9)
    makes = {"SGD": SGD, "momentum": momentum, "Adam": Adam, "AdamW": AdamW}
    optimizers = {name: make(model.parameters(), lr=1e-6) for name, make in makes.items()}
    x, labels = rand(1, 784), Tensor([0])
    criterion(model(x), labels).backward()
    seconds = {}
    for name, optimizer in optimizers.items():
        optimizer.step()
        seconds[name] = min(times(optimizer.step, 40))
    count = sum(p.size for p in model.parameters())
    steps = ", ".join(f"{name} {1e6 * s:.0f} µs" for name, s in seconds.items())
    print(f"{count:,} parameters; a step takes: {steps}")
    for batch in (1, 16, 64, 256, 1024):
        x, labels = rand(batch, 784), Tensor(np.arange(batch) % 10)
        ways = [lambda x=x, y=labels: criterion(model(x), y)]
        ways += [lambda x=x, y=labels: criterion(model(x), y).backward()]
        forward, both = (min(times(way, 15)) for way in ways)
        share = seconds["Adam"] / (both + seconds["Adam"])
        print(f"batch {batch:4}: forward {1e6 * forward:6.0f} µs, backward ", end="")
        bar = "■" * round(40 * share)
        print(f"{1e6 * (both - forward):6.0f} µs; Adam {share:4.0%} of all  {bar}")


profile_cost()

# %% [markdown]
"""
**Explain your numbers.** A step costs the same whatever the batch is, since it works on parameters;
forward and backward grow with the rows: of all the time expect Adam to take a third to a half at
batches 1 and 16, a few percent at 1024. Momentum costs about twice as much as SGD, four passes in place of two; Adam makes
ten, and `sqrt` and `divide` take a processor several times as long as `multiply`: expect 5 to 8 times.
At batch 1 backward may take longer than at 16: the gradient of a weight, xᵀ g, is then a product with an
inner size of 1, for which BLAS has no fast way. How would you compute it instead?

## Part 3: Production Context
- **Groups.** PyTorch keeps `optimizer.param_groups`: dicts of parameters with settings of their own,
  for example no weight decay for biases and norms. Yours has one group, and its `lr` is
  `optimizer.lr`. State is keyed by parameter there, by position here and in every `state_dict`.
- **Speed.** On a GPU a step is thousands of tiny kernels. `foreach=True`, the default there, hands all
  parameters to each operation at once; `fused=True` does a whole step in one pass over memory, where
  yours takes ten.
- **Gradients.** `zero_grad` sets `.grad` to `None` since PyTorch 2.0 (`set_to_none=True`): no memory
  to clear, and parameters without a gradient are skipped, not moved by momentum.
- **Mixed precision.** A step of 1e-4 vanishes in 16 bits beside a weight of 1. So weights are kept in
  float32, too, as **master weights**: 2 + 2 bytes for 16-bit weights and gradients, 4 + 4 + 4 for master
  weights and Adam's state, 16 in all.
- **Sharding.** ZeRO and PyTorch's FSDP (`fully_shard`) split state, then gradients, then weights
  between N machines, each of which updates its part: 1/N of the memory, for more communication.
- **Small states.** 8-bit optimizers (bitsandbytes) store m and v as bytes, with a scale per block;
  Adafactor keeps v of a matrix as one row and one column.
- **Others.** In Optax (JAX) an optimizer is a pair of pure functions, `init` and `update`, and clipping,
  Adam, decay and schedule are **gradient transformations** to `chain`. Keras adds eps before
  the bias correction, the paper's "epsilon hat", and its default is 1e-7.
- **Schedulers.** PyTorch 1.1 moved `scheduler.step()` behind `optimizer.step()` and warns about the
  old order. Its schedulers multiply the last lr; yours are formulas of `last_epoch`. Loading a
  scheduler sets `optimizer.lr` here, not there.
- **Different here.** PyTorch accepts parameters that require no gradients, and warns if one is there
  twice. m and v are sums here, means there, and its state has no scratch.

Sources: PyTorch 2.13 docs, *torch.optim*, and `torch/optim/adam.py`; Sutskever et al., *On the importance of
initialization and momentum* (2013); Kingma and Ba, *Adam* (2015); Loshchilov and Hutter, *Decoupled Weight
Decay Regularization* (2019); Micikevicius et al., *Mixed Precision Training* (2018); Rajbhandari et al.,
*ZeRO* (2020); Dettmers et al., *8-bit Optimizers* (2022); Shazeer and Stern, *Adafactor* (2018); docs of
Optax and Keras.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 06 is complete: your networks learn")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer in three to six sentences each; where you measured, use your own numbers.

### Question 1: Does it fit?
You want to train 3 billion parameters in float32 on one GPU of 40 GB. How many bytes per parameter do
weights, gradients and the state of your Adam take (without scratch), in GB? Which of SGD, momentum and Adam fits, before
any activation? What changes if eight such GPUs shard Adam's state alone, and if they shard everything?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
Weights 4, gradients 4, Adam's state 8: 16 bytes, 48 GB, and it does not fit. Momentum takes 12 bytes,
36 GB, and fits with hardly any room for activations; SGD takes 8 bytes, 24 GB. My measurement: 0, 4 and 8
bytes of state, and scratch of one array per shape, shared, which is little in a model of many equal
layers. With the state on eight GPUs each holds 12 + 12 + 24 / 8 = 27 GB; with everything sharded 48 / 8
= 6 GB, plus the layer that is being computed. The price is communication: updated weights must reach
all, and sharded weights must be gathered before they are used, forward and backward.

**Marking rubric (5 points)**
- 2: 4 + 4 + 8 bytes and 48 GB; 24 and 36 GB for SGD and momentum. 1: the measured bytes of state.
- 1: 27 GB and 6 GB. 1: communication as the price.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: The largest step
A bowl has λ = 1 and λ = 100. What is the largest stable lr of SGD, by which factor does each coordinate
change per step at half of it, and how many steps does the flat one need to shrink a thousandfold? What
did your paths show at 1.01 times the limit? Why does dividing by √v help Adam here, and why would it
help less if the bowl were turned by 45°?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
The limit is 2 / 100 = 0.02. At 0.01 the steep coordinate changes by 1 - 1 = 0, done in one step, the
flat one by 0.99: log 1000 / -log 0.99, about 690 steps. At 1.01 times the limit the factor is -1.02: in
200 steps my steep coordinate grew from 1 to 52, as 1.02²⁰⁰ says. √v is the size of each coordinate's
own gradients, so the steep one is divided by more, and both move about lr per step. It works on single
coordinates: turned by 45°, each coordinate is a mixture of steep and flat with the same v, and dividing
both by the same number changes no direction.

**Marking rubric (5 points)**
- 2: 0.02; factors 0 and 0.99. 1: about 690 steps. 1: 1.02²⁰⁰ ≈ 52, with the measured growth.
- 1: scaling per coordinate, which a rotation defeats.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: Which decay?
A weight of 1 gets gradients of size 100, another weight of 1 gradients of size 0.01, both of changing sign
and mean 0. With lr 0.001 and weight_decay 0.1: by how much, about, does the decay alone move each of
them per step, in your Adam and in your AdamW? Which line of your code makes the difference? What is it in
SGD?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
AdamW multiplies both by 1 - 0.001 · 0.1: each loses 1e-4 per step, whatever its gradients. In Adam the decay
0.1 · 1 joins the gradient and is divided by √v. For the first weight √v is about 100, so it moves by 0.001 ·
0.1 / 100 = 1e-6, a hundredth of AdamW's. For the second v is made of the decay itself: √(0.1² + 0.01²) is
about 0.1, so it moves by 0.001, ten times AdamW's. The line is `apply_decay`: Adam adds to the gradient, so
m and v see it; AdamW changes `parameter.data` and returns the bare gradient. In SGD both ways are the same,
w (1 - lr · decay) - lr · g: 1e-4.

**Marking rubric (5 points)**
- 2: 1e-4 for both in AdamW. 1: about 1e-6 in Adam for large gradients. 1: about lr for small ones.
- 1: the line, and that SGD makes no difference (without momentum).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: What was not saved
Somebody saves only the weights after 10,000 steps of Adam with warm-up and cosine, and goes on with a new
optimizer and a new scheduler. What are the first steps like, for weights with large and with tiny
gradients, and why may the loss jump? What must be saved, and why must `state_dict` copy? And what
goes wrong in your code if all is saved, but the step counts start at 0 again?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
With empty sums the first step is lr · g / abs(g): every weight moves by lr, also those whose gradients are
tiny or mostly noise, which m / √v had kept nearly still. lr itself starts over at its warm-up, then rises
to its maximum, far above the end of a cosine: the loss jumps and takes long to come down again. Weights,
both sums, the counts, lr and the scheduler's epoch must be saved (and the generator's state, for the order of the
batches). Without a copy the saved arrays are those that the next steps change in place, so what was
saved would not be a moment but the future. Without the count, W₁ and W₂ start at 1 beside full
sums: m / W₁ is up to 10 times too large, √(v / W₂) up to √1000 = 32 times, so the first steps are a third of
what they should be.

**Marking rubric (5 points)**
- 2: ± lr for all weights at first; lr starts over. 1: moments, counts, lr or scheduler (and generator).
- 1: in-place updates change what is not copied. 1: W (the bias correction) needs the count.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built what turns gradients into learning: SGD with momentum, RMSprop, Adam and AdamW, all in place;
clipping, schedules, a state that survives a stop, and the loop that trains. You measured 0 to 8 bytes
per parameter, saw where 2 / λ is the limit, and read handwritten digits with nothing but your own code.

**Next, Module 07: Training** makes of this loop a tool: data loaders, checkpoints, learning curves.
"""
