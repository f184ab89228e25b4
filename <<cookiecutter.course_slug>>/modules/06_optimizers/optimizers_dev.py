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

A gradient says which way is uphill, how steep it is here, and nothing else. How far to go, when to
slow down, what to remember of the steps before: that is the optimizer's business, and it decides
whether a network learns in an hour, in a week or never. It also often holds half of the memory that a
large model needs while it trains. Build the optimizers yourself, and your own framework will read
handwritten digits before this notebook ends.

**Learning Objectives:**
- Build the optimizers that train nearly every network, SGD to AdamW, with PyTorch's names and
  numbers.
- Understand what momentum, running means, bias correction and decoupled decay are for.
- Analyze what an optimizer costs in memory and time, and what an update without new arrays gains.

**You are here:** << cookiecutter.__map | replace("06 Optimizers", "**06 Optimizers**") >>

**Time:** 5 to 6 hours. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper*
can wait: nothing later needs them.

**History.** Augustin-Louis Cauchy described gradient descent in 1847, as a way to solve systems of
equations. Boris Polyak added momentum, as a heavy ball, in 1964, and in 2015 Diederik Kingma and
Jimmy Ba presented Adam.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import copy
import math

import numpy as np

import << cookiecutter.package_name >>.autograd  # noqa: F401 (with it, Tensors have a backward)
from << cookiecutter.package_name >>.tensor import (
    Tensor,
    add_to_class,
    generator,
)

# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-testing", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_array,
    check_equal,
    check_number,
    check_plan,
    check_raises,
    check_rule,
    check_steps,
    exercise,
    leaf,
    show_results,
    unwritten,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

Take one weight w and the loss L = ½ · 4 w², whose gradient is 4 w. **Gradient descent** repeats
w ← w - η g, with the gradient g and the **learning rate** η. From w = 1 with η = 0.1 it goes 1,
0.6, 0.36, ...: each step multiplies w by 1 - 4 η. With η = 0.6 it goes 1, -1.4, 1.96, ...: each
step makes it worse.

Near a minimum a smooth loss usually looks like a bowl, L = ½ Σ λᵢ wᵢ², and each step multiplies wᵢ
by 1 - η λᵢ. That shrinks only if η < 2 / λ for the largest λ, the steepest direction. The flattest
then takes a number of steps proportional to κ = λmax / λmin, the **condition number**. Nearly all
that follows fights a large κ:

- **Momentum** adds up the gradients of many steps. Where they agree the sum grows, where they
  alternate they cancel. With the best η and momentum, √κ takes the place of κ.
- **Adaptive steps** divide each number's gradient by its usual size: so the steep directions no
  longer decide how far the flat ones may go.
- **Schedules** make η large early on, and small at the end.

### Computational Complexity

| What | Time per step | State, bytes per float32 parameter |
|---|---|---|
| SGD | O(P), 2 passes over arrays | 0 |
| SGD with momentum | O(P), 4 passes | 4 |
| RMSprop | O(P), 9 passes | 4 |
| Adam, AdamW | O(P), 13 or 14 passes | 8 |
| clipping by norm | O(P), 1 or 2 passes | 0 |
| a scheduler | O(1) | 0 |
| forward and backward, for comparison | O(B P) | all that backward needs |

P parameters, B rows in a batch. A pass does a FLOP or two per number, so for large models memory is
the limit of each.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-base", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def refuse_negative(**settings):
    """Raise ValueError with the name and value of a setting that is negative or nan."""
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")


def refuse_others(p):
    """Raise TypeError unless p requires gradients, ValueError unless it is a leaf."""
    if not isinstance(p, Tensor):
        raise TypeError(f"an optimizer changes Tensors, got {type(p).__name__}")
    if not p.requires_grad:
        raise TypeError(f"a Tensor of shape {p.shape} has requires_grad=False")
    if p.grad_fn is not None:
        raise ValueError(f"only a leaf gets a .grad; this is a result of {p.grad_fn}")


class Optimizer:
    """Changes parameters by their gradients (interface of torch.optim.Optimizer)."""

    def update(self, parameter, state):
        """Change one parameter's data; state is its own dict, empty at first."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update")


# %% [markdown]
"""
## Exercise 1: What all optimizers share
An optimizer holds parameters, a learning rate, and what it remembers of each parameter: its
**state**. `step` goes through the parameters; what happens to one is the business of `update`,
which each kind of optimizer writes. Two things matter. Each parameter has a state of its own. And a
parameter whose `.grad` is None took no part in the loss, so it stays as it is; a gradient of zero
is a gradient. (If you run a cell with a class again, here or later, run all cells below it, too: it
makes the class without the methods that they give it.) In examples and tests, `leaf(data, grad=…)`
makes a Tensor that requires gradients and has this `.grad`.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-optimizer", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Optimizer)
def __init__(self, parameters, lr):
    """Keep parameters, any iterable of leaves, in a list of our own, and lr.

    TypeError, with the word "list", if parameters are one bare Tensor.
    ValueError, with the word "empty", if there are none.
    Also whatever refuse_others(parameter) and refuse_negative(lr=lr) raise.
    """
    # TODO: refuse what makes no sense, and set the five attributes.
    #
    # APPROACH
    # 1. Refuse a bare Tensor, make a list of the parameters, and refuse an empty one.
    # 2. Call refuse_others for each parameter, and refuse_negative for lr.
    # 3. Set parameters, lr, and state: a list with an empty dict for each parameter.
    # 4. Set initial_lr to None and buffers to {}: first_lr and buffer, below, use them.
    #
    # EXAMPLE
    # >>> Optimizer([leaf([1.0]), leaf([2.0])], lr=0.1).state
    # [{}, {}]
    #
    # HINTS
    # - [{}] * 2 is one dict, twice.
    # - A generator can be read only once: make the list first.
    ### BEGIN SOLUTION
    if isinstance(parameters, Tensor):
        raise TypeError("parameters must be a list, got one Tensor: write [tensor]")
    self.parameters = list(parameters)
    if not self.parameters:
        raise ValueError("the list is empty: model.parameters() found none")
    for p in self.parameters:
        refuse_others(p)
    refuse_negative(lr=lr)
    self.lr, self.initial_lr = lr, None
    self.state, self.buffers = [{} for _ in self.parameters], {}
    ### END SOLUTION


@add_to_class(Optimizer)
def zero_grad(self):
    """Forget all gradients: each .grad becomes None."""
    # TODO: one loop. The arrays stay as they are: others may hold them.
    ### BEGIN SOLUTION
    for p in self.parameters:
        p.grad = None
    ### END SOLUTION


@add_to_class(Optimizer)
def step(self):
    """Update each parameter that has a gradient, once, with its own state."""
    # TODO: call self.update(parameter, its state) for each whose .grad is not None.
    ### BEGIN SOLUTION
    for p, state in zip(self.parameters, self.state, strict=True):
        if p.grad is not None:
            self.update(p, state)
    ### END SOLUTION


# %% [markdown]
"""
### Testing the base
An optimizer that only subtracts and counts: who is updated, whose state it is, what stays; the
errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-optimizer-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
class Count(Optimizer):
    """An optimizer for tests: subtracts the gradient, and counts in the state."""

    def update(self, parameter, state):
        parameter.data = parameter.data - parameter.grad
        state["calls"] = state.get("calls", 0) + 1


@exercise(1)
def test_optimizer():
    a, b, c = leaf([1.0, 2.0], grad=[0.5, 0.5]), leaf([[3.0]]), leaf([4.0], grad=[0.0])
    optimizer = Count((p for p in (a, b, c)), 0.1)
    check_equal(optimizer.lr, 0.1, "lr")
    check_equal(optimizer.state, [{}, {}, {}], "state of a new optimizer")
    optimizer.step()
    check(a, [0.5, 1.5], "a parameter after step()")
    check(b, [[3.0]], "a parameter without a gradient", hint="skip it")
    want = [{"calls": 1}, {}, {"calls": 1}]
    hint = "one dict for each parameter; a gradient of zero is a gradient"
    check_equal(optimizer.state, want, "state after step()", hint)
    hint = "zero_grad forgets, not step"
    check_array(a.grad, [0.5, 0.5], "a.grad after step()", hint=hint)
    kept = a.grad
    optimizer.zero_grad()
    none = [p.grad is None for p in (a, b, c)]
    hint = "None, not zeros: a gradient of zero is a gradient"
    check_equal(none, [True] * 3, "each .grad is None after zero_grad()", hint)
    hint = "leave the array as it is: others hold it"
    check_array(kept, [0.5, 0.5], "the array that a.grad was", hint=hint)
    optimizer.step()
    check_equal(optimizer.state, want, "state after a step() without gradients")
    given = [a]
    first, second = Count(given, 0.1), Count([c], 0.1)
    given.append(c)
    check_equal(len(first.parameters), 1, "parameters, after that list grew", "list()")
    a.grad = kept
    first.step()
    check_equal(second.state, [{}], "state of another optimizer", "one for each")
    check_raises(TypeError, ["list"], lambda: Count(a, 0.1), "a bare Tensor")
    bad = [a, Tensor(1.0)]
    check_raises(TypeError, ["requires_grad"], lambda: Count(bad, 0.1), "a constant")
    check_raises(ValueError, ["empty"], lambda: Count([], 0.1), "no parameters")
    check_raises(ValueError, ["-0.1"], lambda: Count([a], -0.1), "lr = -0.1")
    print("✅ an optimizer knows its parameters, and what belongs to which")


test_optimizer()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-optimizer-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "what each optimizer owns · several steps with one gradient · more errors")
def test_optimizer_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: what each optimizer owns
    a, b = leaf([1.0, 2.0], grad=[7.0, 8.0]), leaf([0.0])
    first, second = Count((p for p in (b, a)), 0.0), Count([a], 0.5)
    check_equal(isinstance(first.parameters, list), True, "is parameters a list?")
    same = [p is q for p, q in zip(first.parameters, (b, a), strict=True)]
    check_equal(same, [True, True], "the parameters, in order")
    got = (first.lr, first.initial_lr, first.buffers)
    check_equal(got, (0.0, None, {}), "lr, initial_lr, buffers")
    check_equal(first.buffers is second.buffers, False, "the same buffers")
    check_equal(first.state is second.state, False, "the same state")
    # hidden: several steps with one gradient
    kept = a.grad
    for _ in range(2):
        second.step()
    check(a, [1.0 - 14.0, 2.0 - 16.0], "a parameter after two steps with one gradient")
    same = a.grad is kept and kept.tolist() == [7.0, 8.0]
    check_equal(same, True, "step() leaves .grad as it is")
    check_equal((first.state, second.state), ([{}, {}], [{"calls": 2}]), "both states")
    # hidden: more errors
    bad = {"str": "w", "ndarray": np.ones(2), "list": [a]}
    for word, thing in bad.items():
        check_raises(TypeError, [word], lambda p=thing: Count([a, p], 0.1), f"a {word}")
    check_raises(ValueError, ["leaf"], lambda: Count([a, b * 2.0], 0.1), "a result")
    check_raises(ValueError, ["nan"], lambda: Count([a], math.nan), "lr = nan")
    check_raises(ValueError, ["empty"], lambda: Count(iter([]), 0.1), "iter([])")
    ### END HIDDEN TESTS


test_optimizer_beyond()

# %% [markdown]
"""
### Given: a buffer, and the first lr
An update that computes in the same array at each step needs no new memory. `buffer` lends such an
array: you may use it, Part 2 measures what it gains, no test asks for it. And schedulers will need
the lr from before any of them changed it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-buffer", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
@add_to_class(Optimizer)
def buffer(self, parameter, name="step"):
    """Return an array like parameter.data to compute in; it holds old numbers.

    Parameters of one shape and dtype share it: it is yours during one update only.
    """
    array = parameter.data
    key = name, array.shape, array.dtype
    if key not in self.buffers:
        self.buffers[key] = np.empty_like(array)
    return self.buffers[key]


@add_to_class(Optimizer)
def first_lr(self):
    """Return the lr from before any scheduler changed it: that at the first call."""
    if self.initial_lr is None:
        self.initial_lr = self.lr
    return self.initial_lr


# %% [markdown]
"""
## Exercise 2: Gradient descent
The whole of it is one line, w ← w - η g. It works, and in a valley it works badly. The picture
shows its computed steps on a bowl that is 20 times as steep across as along: it jumps from wall to
wall and creeps along the valley, because a larger η would throw it out.

![Contours of a narrow valley; gradient descent zigzags between its walls in many steps, and momentum gets to the minimum in fewer than half as many](valley.svg)

Momentum comes next, so `update` does not step against the gradient itself but against what
`self.direction` returns. For now that is the gradient.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-sgd", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class SGD(Optimizer):
    """Steps against the gradient, or against a velocity (torch.optim.SGD)."""

    def __init__(
        self,
        parameters,
        lr=1e-3,
        momentum=0.0,
        weight_decay=0.0,
        nesterov=False,
    ):
        """Keep the settings. ValueError: one is negative, or only nesterov is set."""
        super().__init__(parameters, lr)
        refuse_negative(momentum=momentum, weight_decay=weight_decay)
        if nesterov and not momentum:
            raise ValueError("nesterov=True needs a momentum above 0")
        self.momentum, self.weight_decay = momentum, weight_decay
        self.nesterov = nesterov

    def direction(self, parameter, state):
        """Return the array to step against: as yet, the gradient."""
        return parameter.grad

    def update(self, parameter, state):
        """Subtract lr times the direction from the data; .grad keeps its numbers."""
        # TODO: one step of gradient descent.
        #
        # APPROACH
        # 1. Ask self.direction(parameter, state) where to go.
        # 2. Subtract self.lr times that from parameter.data.
        #
        # EXAMPLE
        # >>> w = leaf([1.0, 2.0], grad=[10.0, -10.0])
        # >>> SGD([w], lr=0.01).update(w, {})
        # >>> w
        # Tensor([0.9, 2.1], requires_grad=True)
        #
        # HINTS
        # - Somebody may change self.lr between steps: read it each time.
        # - direction *= lr would change the gradient itself, which others may need.
        # - np.multiply(a, b, out=self.buffer(parameter)) makes no new array.
        ### BEGIN SOLUTION
        out = self.buffer(parameter)
        np.multiply(self.direction(parameter, state), self.lr, out=out)
        parameter.data -= out
        ### END SOLUTION


# %% [markdown]
"""
### Testing gradient descent
Steps with several gradients, a bowl, an lr that changes, a direction that is not the gradient.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-sgd-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
class Down(SGD):
    """SGD for tests: against the gradient, whatever Exercise 3 makes of direction."""

    def direction(self, parameter, state):
        return parameter.grad


@exercise(2)
def test_sgd():
    def slow(parameters):
        return Down(parameters, lr=0.01)

    what, hint = "lr 0.01, gradient [10, -10]", "subtract from parameter.data"
    check_steps(slow, [1.0, 2.0], [[10.0, -10.0]], [[0.9, 2.1]], what, hint)
    grads = [[[10.0], [0.0]], [[20.0], [-1.0]], [[0.0], [1.0]]]
    wanted = [[[0.9], [0.0]], [[0.7], [0.01]], [[0.7], [0.0]]]
    check_steps(slow, [[1.0], [0.0]], grads, wanted, "SGD, lr 0.01, three gradients")
    w = leaf([1.0, -3.0])
    optimizer = Down([w], lr=0.1)
    for _ in range(3):
        w.grad = w.data * np.array([1.0, 5.0], np.float32)
        optimizer.update(w, {})
    check(w, [0.9**3, -3 * 0.5**3], "three steps down a bowl, λ = 1 and 5, lr = 0.1")
    w = leaf([1.0], grad=[1.0])
    optimizer = Down([w], lr=0.5)
    for lr, want in ((0.5, 0.5), (0.25, 0.25), (0.0, 0.25)):
        optimizer.lr = lr
        optimizer.update(w, {})
        check(w, [want], f"after lr was set to {lr}", hint="read self.lr at each step")

    class Up(SGD):
        def direction(self, parameter, state):
            return -parameter.grad

    w = leaf([1.0], grad=[2.0])
    Up([w], lr=0.5).update(w, {})
    check(w, [2.0], "a direction of -gradient", hint="ask self.direction")
    print("✅ downhill, step by step")


test_sgd()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-sgd-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "random gradients, float64 · gradients of zero · the state in direction")
def test_sgd_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: random gradients, float64
    def rule(w, steps):
        return w - sum(lr * g for lr, g in steps)

    check_rule(lambda p: Down(p, lr=0.1), rule, "SGD", "self.lr")
    # hidden: gradients of zero
    check_rule(Down, rule, "SGD, gradients of zero", zero=True)

    # hidden: the state in direction
    class Half(SGD):
        def direction(self, parameter, state):
            state["asked"] = state.get("asked", 0) + 1
            return parameter.grad / 2

    w, state = leaf([1.0], grad=[2.0]), {}
    for _ in range(2):
        Half([w], 0.5).update(w, state)
    check(w, [0.0], "a direction of half the gradient, lr 0.5, two steps")
    check_equal(state, {"asked": 2}, "the state that direction got")
    ### END HIDDEN TESTS


test_sgd_beyond()

# %% [markdown]
"""
## Exercise 3: Momentum
A ball gains speed on a long way down. Its **velocity** is a running sum of gradients,
v ← μ v + g, and the step goes against v instead of g:

![Gradients of 1, 1, 1, 1 add up to velocities of 1, 1.5, 1.75 and 1.875; gradients of 1, -1, 1, -1 to 1, -0.5, 0.75 and -0.625](velocity.svg)

**Nesterov** looks ahead: it steps against g + μ v, with the new v. **Weight decay** adds d w to the
gradient before all this, the slope of ½ d w² (d is `weight_decay`), so that no weight grows without a
reason.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-momentum", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Optimizer)
def apply_decay(self, parameter):
    """Return the gradient plus self.weight_decay times the parameter's data.

    Neither .grad nor the data change (with AdamW, in Exercise 6, the data will).
    """
    # TODO: one line is enough. Without decay you may return .grad itself.
    ### BEGIN SOLUTION
    if not self.weight_decay:
        return parameter.grad
    out = self.buffer(parameter, "decay")
    np.multiply(parameter.data, self.weight_decay, out=out)
    out += parameter.grad
    return out
    ### END SOLUTION


@add_to_class(SGD)
def direction(self, parameter, state):
    """Return the array to step against; with momentum, keep the velocity in state."""
    # TODO: momentum, then Nesterov.
    #
    # APPROACH
    # 1. Get g from self.apply_decay. Without momentum, that is the direction.
    # 2. The velocity begins as zeros; so the first one is g.
    # 3. Renew the velocity, and keep it in state for the next step.
    # 4. Return it, or with nesterov the sum that looks ahead.
    #
    # EXAMPLE
    # >>> w, state = leaf([5.0], grad=[1.0]), {}
    # >>> optimizer = SGD([w], momentum=0.5)
    # >>> [optimizer.direction(w, state).tolist() for _ in range(3)]
    # [[1.0], [1.5], [1.75]]
    #
    # HINTS
    # - `not state` is true as long as nothing was kept.
    # - The velocity must be an array of its own, not .grad under another name.
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
    out = self.buffer(parameter)
    np.multiply(velocity, self.momentum, out=out)
    out += g
    return out
    ### END SOLUTION


# %% [markdown]
"""
### Testing momentum
Directions by hand, each setting alone and all together, for a weight that stays at 1; gradients
that agree and alternate; two parameters that do not mix.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-momentum-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(3)
def test_momentum():
    def directions(grads, **settings):
        a, b = leaf([1.0], grad=[0.0]), leaf([1.0], grad=[9.0])
        optimizer, states, got = SGD([a, b], lr=0.1, **settings), ({}, {}), []
        for g in grads:
            a.grad[...] = g
            got += optimizer.direction(a, states[0]).tolist()
            optimizer.direction(b, states[1])  # has a velocity of its own
            kept = (a.grad.tolist(), b.grad.tolist(), a.data.tolist())
            check_equal(kept, ([g], [9.0], [1.0]), "both .grad, and w", "leave them")
        return np.array(got, np.float32)

    got = directions([1.0, 1.0, 1.0, 1.0], momentum=0.5)
    hint = "v ← μ v + g, kept in the state of each parameter"
    check_array(got, [1.0, 1.5, 1.75, 1.875], "momentum 0.5, four times 1", hint=hint)
    got = directions([1.0, -1.0, 1.0, -1.0], momentum=0.5)
    check_array(got, [1.0, -0.5, 0.75, -0.625], "gradients 1, -1, 1, -1", hint=hint)
    check_array(directions([2.0, 3.0]), [2.0, 3.0], "momentum 0", hint="the gradient")
    got = directions([1.0, 1.0, 3.0], momentum=0.5, nesterov=True)
    hint = "g + μ v, with the new v"
    check_array(got, [1.5, 1.75, 4.875], "nesterov, gradients 1, 1, 3", hint=hint)
    got = directions([1.0, 2.0], weight_decay=0.5)
    check_array(got, [1.5, 2.5], "weight_decay 0.5, w = 1", hint="g + weight_decay · w")
    got = directions([1.0, 1.0], momentum=0.5, weight_decay=1.0)
    check_array(got, [2.0, 3.0], "momentum and decay", hint="v sees the decay, too")
    got = directions([1.0, 1.0], momentum=0.5, weight_decay=1.0, nesterov=True)
    check_array(got, [3.0, 3.5], "all three", hint="g, with the decay in it, plus μ v")
    w = leaf([1.0, 2.0], grad=[3.0, 4.0])
    got = SGD([w], weight_decay=0.5).apply_decay(w)
    check_array(got, [3.5, 5.0], "apply_decay: [3, 4] + 0.5 · [1, 2]")
    check_array(SGD([w]).apply_decay(w), [3.0, 4.0], "apply_decay without decay")
    print("✅ momentum, looking ahead, and decay")


test_momentum()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-momentum-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(3, "all settings together, steps of random gradients · settings changed later")
def test_momentum_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: all settings together, steps of random gradients
    class Steps(SGD):
        def update(self, parameter, state):
            direction = self.direction(parameter, state)
            step = np.multiply(direction, self.lr).astype(parameter.dtype)
            parameter.data = parameter.data - step

    def plain(momentum, weight_decay, nesterov):
        def rule(w, steps):
            velocity = 0.0
            for lr, g in steps:
                g += weight_decay * w
                velocity = momentum * velocity + g
                w -= lr * (g + momentum * velocity if nesterov else velocity)
            return w

        return rule

    for momentum, decay in ((0.0, 0.3), (0.5, 0.0), (0.9, 0.3), (0.5, 0.3)):
        for nesterov in (False, True) if momentum else (False,):
            rule, what = plain(momentum, decay, nesterov), f"SGD, {momentum=}, {decay=}"

            def make(p, settings=(0.1, momentum, decay, nesterov)):
                return Steps(p, *settings)

            check_rule(make, rule, f"{what}, {nesterov=}", "g, v, step")
    rule = plain(0.9, 0.0, False)
    check_rule(lambda p: Steps(p, 0.1, 0.9), rule, "gradients of zero", zero=True)
    # hidden: settings changed later
    w, state = leaf([1.0, 2.0], grad=[3.0, 4.0]), {}
    optimizer = SGD([w], 0.5, momentum=0.5, weight_decay=1.0)
    optimizer.direction(w, state)
    optimizer.weight_decay, optimizer.momentum = 0.5, 0.25
    got = optimizer.direction(w, state)
    check_array(got, [0.25 * 4 + 3.5, 0.25 * 6 + 5], "settings changed")
    optimizer.momentum = 0.0
    check_array(optimizer.direction(w, state), [3.5, 5.0], "momentum was set to 0")
    ### END HIDDEN TESTS


test_momentum_beyond()

# %% [markdown]
"""
## Exercise 4 (deeper): RMSprop
One learning rate for all numbers is a compromise: too large for the steep, too small for the flat.
RMSprop (Hinton, 2012) divides each gradient by the root of its own running mean square, q. Take
α = 0.5 and gradients of 2 and then 4: q is 0.5 · 2² = 2, then 0.5 · 2 + 0.5 · 4² = 9, and its root
is 3. So in the long run a step is about as long as lr, whether gradients are millions or
millionths. The formulas are q ← α q + (1 - α) g² and w ← w - lr · g / (√q + eps).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class RMSprop(Optimizer):
    """Divides gradients by the root of their mean square (torch.optim.RMSprop)."""

    def __init__(self, parameters, lr=1e-2, alpha=0.99, eps=1e-8):
        """Keep the settings. ValueError names one that is negative."""
        super().__init__(parameters, lr)
        refuse_negative(alpha=alpha, eps=eps)
        self.alpha, self.eps = alpha, eps

    def update(self, parameter, state):
        """Change parameter.data by one step; keep q in state."""
        # TODO: renew q, then step.
        #
        # APPROACH
        # 1. The first q is zeros, for each parameter its own.
        # 2. Renew q by its formula, and keep it in state.
        # 3. Step by the second formula.
        #
        # EXAMPLE
        # >>> w = leaf([1.0, 1.0], grad=[1e6, -1e-3])
        # >>> RMSprop([w], lr=0.01).update(w, {})  # g / √(0.01 g²) is 10 or -10
        # >>> w
        # Tensor([0.9    , 1.09999], requires_grad=True)
        #
        # HINTS
        # - eps keeps the divisor above 0. It stands outside the root.
        # - .grad keeps its numbers.
        ### BEGIN SOLUTION
        g, out = parameter.grad, self.buffer(parameter)
        if not state:
            state["square"] = np.zeros_like(parameter.data)
        q = state["square"]
        np.multiply(g, g, out=out)
        out *= 1 - self.alpha
        q *= self.alpha
        q += out
        np.sqrt(q, out=out)
        out += self.eps
        np.divide(g, out, out=out)
        out *= self.lr
        parameter.data -= out
        ### END SOLUTION


# %% [markdown]
"""
### Testing RMSprop
Gradients of very different size, steps by hand, a gradient of zero, settings that change.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-rmsprop-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(4)
def test_rmsprop():
    grads, wanted = [[1e6, -1.0, 1e-2]], [[0.9, 1.1, 0.9]]
    what, hint = "lr 0.01, gradients 1e6, -1, 0.01", "each moves by 10 lr at first"
    check_steps(RMSprop, [1.0, 1.0, 1.0], grads, wanted, what, hint)

    def half(parameters):
        return RMSprop(parameters, lr=0.1, alpha=0.5, eps=0.5)

    what, hint = "alpha 0.5, eps 0.5, gradient 2", "√q + eps, with q = 0.5 · 2²"
    first = 1 - 0.1 * 2 / (2**0.5 + 0.5)
    check_steps(half, [1.0], [[2.0]], [[first]], what, hint)
    what, hint = "gradients 2, 4, 0, eps 0.5", "q is 2, then 0.5 · 2 + 0.5 · 4²"
    second = first - 0.1 * 4 / (3 + 0.5)
    grads, wanted = [[2.0], [4.0], [0.0]], [[first], [second], [second]]
    check_steps(half, [1.0], grads, wanted, what, hint)
    check_steps(half, [1.0], [[0.0]], [[1.0]], "a gradient of zero", "eps in 0 / eps")
    w, state = leaf([1.0], grad=[2.0]), {}
    optimizer = half([w])
    optimizer.update(w, state)
    optimizer.lr, optimizer.alpha, optimizer.eps = 1.0, 0.0, 2.0
    optimizer.update(w, state)
    hint = "read self.lr, self.alpha and self.eps at each step"
    check(w, [first - 2 / (2 + 2)], "after lr, alpha and eps changed", hint=hint)
    print("✅ every number has its own scale")


test_rmsprop()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-rmsprop-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(4, "random gradients, float64, other settings · gradients of zero")
def test_rmsprop_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: random gradients, float64, other settings
    def plain(alpha=0.99, eps=1e-8):
        def rule(w, steps):
            q = 0.0
            for lr, g in steps:
                q = alpha * q + (1 - alpha) * g * g
                w -= lr * g / (math.sqrt(q) + eps)
            return w

        return rule

    for alpha, eps in ((0.99, 1e-8), (0.9, 0.1), (0.0, 0.5), (0.5, 2.0)):
        what = f"RMSprop, {alpha=}, {eps=}"

        def make(p, alpha=alpha, eps=eps):
            return RMSprop(p, 0.01, alpha, eps)

        check_rule(make, plain(alpha, eps), what, "√q + eps; g is not squared")
    # hidden: gradients of zero
    check_rule(make, plain(alpha, eps), "RMSprop, gradients of zero", zero=True)
    ### END HIDDEN TESTS


test_rmsprop_beyond()

# %% [markdown]
"""
## Exercise 5: Adam
Adam keeps two running means for each number: m of its gradients, v of their squares. m / √v is
about 1 or -1 where gradients agree, whether they are millions or millionths, and small where they
alternate. Both means begin at 0, so at first they are far too small: their weights do not add up
to 1.

![The weights in m add up to 0.1 after one step, 0.19 after two, 0.271 after three, 0.651 after ten and 0.958 after thirty](bias.svg)

**Bias correction** divides by what the weights add up to, 1 - βᵗ, where t counts the updates of
this parameter. Three steps with β₁ = 0.9 and β₂ = 0.999:

| t | g | m ← β₁ m + (1 - β₁) g | m̂ = m / (1 - β₁ᵗ) | v ← β₂ v + (1 - β₂) g² | v̂ = v / (1 - β₂ᵗ) | m̂ / √v̂ | m / √v |
|---|---|---|---|---|---|---|---|
| 1 | 2 | 0.2 | 2 | 0.004 | 4 | 1 | 3.16 |
| 2 | 2 | 0.38 | 2 | 0.007996 | 4 | 1 | 4.25 |
| 3 | 5 | 0.842 | 3.11 | 0.032988 | 11.0 | 0.94 | 4.64 |

Without the correction, the last column, these steps would be three to five times as long. The step
is w ← w - lr · m̂ / (√v̂ + eps).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-adam", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Adam(Optimizer):
    """Steps against the mean gradient over its root mean square (torch.optim.Adam).

    weight_decay is coupled: it joins the gradient.
    """

    def __init__(
        self,
        parameters,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
    ):
        """Keep the settings. ValueError: one is negative, or a beta outside [0, 1)."""
        super().__init__(parameters, lr)
        refuse_negative(eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be in [0, 1), got {betas}")
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def update(self, parameter, state):
        """Change parameter.data by one step; keep t, m and v in state."""
        # TODO: one step of Adam. Written as the formulas read, it gets every point.
        #
        # APPROACH
        # 1. Get g from self.apply_decay(parameter).
        # 2. In a new state, t is 0, and m and v are zeros, in the dtype of the data.
        # 3. Count this update, renew m and v, and keep all three in state.
        # 4. Correct both means in new variables: what is kept stays uncorrected.
        # 5. Step.
        #
        # EXAMPLE
        # >>> w = leaf([1.0, 1.0], grad=[1e6, -1e-3])
        # >>> Adam([w], lr=0.1).update(w, {})  # at first each number moves by lr
        # >>> w
        # Tensor([0.9     , 1.099999], requires_grad=True)
        #
        # HINTS
        # - The table above is a test case: print m and v after each update.
        # - eps stands outside the root, and is added after the correction.
        ### BEGIN SOLUTION
        g, out = self.apply_decay(parameter), self.buffer(parameter)
        if not state:
            zeros = np.zeros_like(parameter.data)
            state.update(step=0, mean=zeros, square=zeros.copy())
        state["step"] += 1
        m, v, (beta1, beta2) = state["mean"], state["square"], self.betas
        np.multiply(g, 1 - beta1, out=out)
        m *= beta1
        m += out
        np.multiply(g, g, out=out)
        out *= 1 - beta2
        v *= beta2
        v += out
        np.sqrt(v, out=out)
        out /= math.sqrt(1 - beta2 ** state["step"])
        out += self.eps
        np.divide(m, out, out=out)
        out *= self.lr / (1 - beta1 ** state["step"])
        parameter.data -= out
        ### END SOLUTION


# %% [markdown]
"""
### Testing Adam
The first step of any gradient, the table above, other settings by hand, coupled decay, settings
that change, the size of the state. Between the steps another parameter takes its own: each has its
own t, m and v.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-adam-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
@exercise(5)
def test_adam():
    def adam(**settings):
        def make(parameters):
            optimizer = Adam(parameters, **settings)

            def decay(parameter):
                return parameter.grad + optimizer.weight_decay * parameter.data

            optimizer.apply_decay = decay  # not yours: only Adam is tested here
            return optimizer

        return make

    what, hint = "lr 0.1, gradients 1e6, -1, 0.001", "each moves by lr at first"
    grads, wanted = [[1e6, -1.0, 1e-3]], [[0.9, 1.1, 0.9]]
    check_steps(adam(lr=0.1), [1.0, 1.0, 1.0], grads, wanted, what, hint)
    third = 0.1 * (0.842 / 0.271) / math.sqrt(0.032988004 / 0.002997001)
    wanted = [[0.9], [0.8], [0.8 - third]]
    hint = "the table above; keep t, m and v in state: t counts this parameter alone"
    what = "gradients 2, 2, 5, as in the table, lr 0.1"
    check_steps(adam(lr=0.1), [1.0], [[2.0], [2.0], [5.0]], wanted, what, hint)
    w, wanted, m, v = 1.0, [], 0.0, 0.0
    for t, g in ((1, 2.0), (2, -1.0), (3, 4.0), (4, 0.0)):
        m, v = 0.5 * m + 0.5 * g, 0.75 * v + 0.25 * g * g
        w -= 0.1 * (m / (1 - 0.5**t)) / (math.sqrt(v / (1 - 0.75**t)) + 0.1)
        wanted.append([w])
    make, what = adam(lr=0.1, betas=(0.5, 0.75), eps=0.1), "betas (0.5, 0.75), eps 0.1"
    hint = "m̂ / (√v̂ + eps)"
    check_steps(make, [1.0], [[2.0], [-1.0], [4.0], [0.0]], wanted, what, hint)
    check_steps(make, [1.0], [[0.0]], [[1.0]], "a gradient of zero", "eps in 0 / eps")
    what, hint = "weight_decay 1, w = 2, gradient -1", "g is -1 + 2: apply_decay"
    check_steps(adam(lr=0.1, weight_decay=1.0), [2.0], [[-1.0]], [[1.9]], what, hint)
    w, state = leaf([1.0], grad=[2.0]), {}
    optimizer = adam(lr=0.1)([w])
    for lr, want in ((0.1, 0.9), (0.2, 0.7), (0.0, 0.7)):
        optimizer.lr = lr
        optimizer.update(w, state)
        check(w, [want], f"gradient 2, lr was set to {lr}", hint="read self.lr")
    arrays = [(k, v) for k, v in state.items() if isinstance(v, np.ndarray)]
    wide = [k for k, v in arrays if v.shape == w.shape and v.dtype == np.float64]
    hint = "np.zeros_like(parameter.data): Part 1 counts 8 bytes for m and v"
    check_equal(wide, [], "float64 arrays in the state of a float32 w", hint)
    print("✅ Adam: the mean gradient over its own scale")


test_adam()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-adam-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(5, "random gradients · zero gradients · tiny gradients · decoupled decay")
def test_adam_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: random gradients
    class Alone(Adam):
        def apply_decay(self, parameter):
            return parameter.grad + np.multiply(parameter.data, self.weight_decay)

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

    for betas in ((0.9, 0.999), (0.5, 0.75), (0.8, 0.3)):
        for eps, decay in ((1e-8, 0.0), (0.1, 0.5)):
            settings = {"betas": betas, "eps": eps, "weight_decay": decay}
            rule, what = plain(**settings), f"Adam, {settings}"

            def make(p, settings=settings):
                return Alone(p, **settings)

            check_rule(make, rule, what, "its own t")
    # hidden: zero gradients
    check_rule(Alone, plain(), "Adam, gradients of zero", zero=True)
    # hidden: tiny gradients
    for g in (1e-7, 1e-9):
        w, hint = leaf([1.0], grad=[g]), "eps outside the root, and nothing else"
        Alone([w], lr=0.5).update(w, {})
        check(w, [1 - 0.5 * g / (g + 1e-8)], f"a gradient of {g}", hint=hint)

    # hidden: decoupled decay
    class Halves(Adam):
        def apply_decay(self, parameter):
            parameter.data = parameter.data / np.array(2, parameter.dtype)
            return parameter.grad

    hint = "call apply_decay before you read parameter.data"
    what, make = "an apply_decay that halves w", lambda p: Halves(p, 0.25)
    check_steps(make, [2.0], [[3.0], [3.0]], [[0.75], [0.125]], what, hint)
    ### END HIDDEN TESTS


test_adam_beyond()

# %% [markdown]
"""
## Exercise 6: AdamW
Two weights of 2 have gradients of 0 and of a million. With weight_decay 0.5 and lr 0.1, decay alone
should take 0.1 · 0.5 · 2 = 0.1 from each. Adam adds 0.5 · 2 to the gradient and divides by √v̂: of
a million and one, nothing of the one is left, and that was nobody's plan. AdamW (Loshchilov and
Hutter, 2019) takes the decay out of the gradient: the weight shrinks by the factor
1 - lr · weight_decay, then Adam steps as if there were no decay. Everything else is inherited.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class AdamW(Adam):
    """Adam with decoupled weight decay (torch.optim.AdamW)."""

    def __init__(
        self,
        parameters,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
    ):
        """Keep the settings, as Adam does."""
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def apply_decay(self, parameter):
        """Shrink the data by the factor 1 - lr · weight_decay; return the gradient."""
        # TODO: decouple the decay. Adam.update calls this before it steps.
        #
        # APPROACH
        # 1. Shrink the data.
        # 2. Return what Adam should take for the gradient.
        #
        # EXAMPLE
        # >>> w = leaf([2.0, 2.0], grad=[0.0, 1e3])
        # >>> AdamW([w], lr=0.1, weight_decay=0.5).apply_decay(w)
        # array([   0., 1000.], dtype=float32)
        # >>> w
        # Tensor([1.9, 1.9], requires_grad=True)
        #
        # HINTS
        # - Two lines.
        ### BEGIN SOLUTION
        parameter.data *= 1 - self.lr * self.weight_decay
        return parameter.grad
        ### END SOLUTION


# %% [markdown]
"""
### Testing AdamW
What shrinks, by how much, and what is returned.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-adamw-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_adamw():
    w = leaf([2.0, 2.0], grad=[0.0, 1e6])
    optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    got = optimizer.apply_decay(w)
    check(w, [1.9, 1.9], "w = 2 after apply_decay", hint="times 1 - lr · weight_decay")
    hint = "Adam must not see the decay"
    check_array(got, [0.0, 1e6], "what apply_decay returns", hint=hint)
    check_array(w.grad, [0.0, 1e6], ".grad after apply_decay", hint="leave it as it is")
    for _ in range(2):
        optimizer.apply_decay(w)
    check(w, [2 * 0.95**3] * 2, "w = 2 after apply_decay, three times")
    w = leaf([2.0, -4.0], grad=[1.0, 1.0])
    optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    optimizer.lr = 0.2
    optimizer.apply_decay(w)
    check(w, [1.8, -3.6], "after lr was set to 0.2", hint="read self.lr at each step")
    optimizer = AdamW([w], lr=0.1, weight_decay=0.0)
    check_array(optimizer.apply_decay(w), [1.0, 1.0], "apply_decay, weight_decay 0")
    check(w, [1.8, -3.6], "w after apply_decay, weight_decay 0")
    other = Adam([leaf([2.0], grad=[1.0])], lr=0.1, weight_decay=0.5)
    same = type(other).apply_decay is AdamW.apply_decay
    check_equal(same, False, "Adam has the decay of AdamW")
    print("✅ AdamW decays what it should")


test_adamw()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-adamw-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "random steps, float64, lr changes")
def test_adamw_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: random steps, float64, lr changes
    class Steps(AdamW):
        def update(self, parameter, state):
            direction = self.apply_decay(parameter)
            parameter.data = parameter.data - np.multiply(direction, self.lr)

    for decay in (0.0, 0.01, 0.5):

        def make(p, decay=decay):
            return Steps(p, 0.1, weight_decay=decay)

        def rule(w, steps, decay=decay):
            for lr, g in steps:
                w = w - lr * decay * w - lr * g
            return w

        what, hint = f"AdamW's decay, {decay=}", "times 1 - lr · weight_decay"
        check_rule(make, rule, what, hint)
    ### END HIDDEN TESTS


test_adamw_beyond()

# %% [markdown]
"""
## Exercise 7: Clipping
One odd batch, or one cliff in the loss, gives a gradient a thousand times too long, and one step
destroys an hour of training. **Clipping by norm** treats the gradients of all parameters as one
long vector: [3, 0] and [[0], [4]] have the norm √(3² + 4²) = 5. With max_norm 1 everything is
divided by 5. The direction stays, and a short gradient stays as it is. As in PyTorch, the factor
is max_norm / (norm + 1e-6), which needs no exception for a norm of 0.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-clip", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def clip_grad_norm_(parameters, max_norm):
    """Scale gradients so that their norm, all together, is at most max_norm.

    parameters: one Tensor or any iterable of them; a gradient of None does not count.
    Return the norm they had before, a number; without any gradient it is 0.
    Call it between backward and step.
    """
    # TODO: measure the norm of all gradients together, and scale them if it is large.
    #
    # APPROACH
    # 1. Collect the gradients that are not None.
    # 2. Compute the norm, as if they were one vector.
    # 3. Compute the factor. Below 1, it scales every gradient.
    #
    # EXAMPLE
    # >>> a, b = leaf([0.0, 0.0], grad=[3.0, 0.0]), leaf([0.0], grad=[4.0])
    # >>> clip_grad_norm_([a, b], max_norm=1.0)
    # 5.0
    # >>> b.grad
    # array([0.79999983], dtype=float32)
    #
    # HINTS
    # - A generator can be read only once.
    # - np.vdot(g, g) is the sum of the squares of all of g, whatever its shape, in g's
    #   dtype: in float16 it is inf from 65,520 on.
    ### BEGIN SOLUTION
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads))
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for g in grads:
            g *= factor
    return norm
    ### END SOLUTION


# %% [markdown]
"""
### Testing clipping
Long and short gradients of several parameters, none at all, and what must stay.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-clip-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(7)
def test_clip():
    def three():
        a, b, c = leaf([0.0, 0.0], grad=[3.0, 0.0]), leaf([7.0]), leaf([[0.0]])
        c.grad = np.array([[4.0]], np.float32)
        return a, b, c

    a, b, c = three()
    norm = clip_grad_norm_((p for p in (a, b, c)), 1.0)
    hint = "all gradients as one vector; the norm from before"
    check_number(norm, 5.0, "the norm of [3, 0] and [[4]]", hint, 1e-5)
    check_array(a.grad, [0.6, 0.0], "the first gradient, max_norm 1")
    check_array(c.grad, [[0.8]], "the last gradient", hint="divide both by 5")
    check_equal(b.grad, None, "a gradient that was None")
    check(b, [7.0], "a parameter", hint="only gradients are scaled")
    a, _, c = three()
    norm = clip_grad_norm_([a, c], 10.0)
    check_number(norm, 5.0, "the norm, max_norm 10", tolerance=1e-5)
    check_array(a.grad, [3.0, 0.0], "a gradient, max_norm 10", hint="never longer")
    hint = "a loop over a Tensor goes through its rows: ask isinstance first"
    check_number(clip_grad_norm_(c, 2.0), 4.0, "the norm of one Tensor", hint, 1e-5)
    check_array(c.grad, [[2.0]], "its gradient, max_norm 2")
    zero = leaf([1.0, 2.0], grad=[0.0, 0.0])
    check_number(clip_grad_norm_([zero], 1.0), 0.0, "the norm of a gradient of zeros")
    check_array(zero.grad, [0.0, 0.0], "a gradient of zeros", hint="norm + 1e-6")
    check_number(clip_grad_norm_([leaf([1.0])], 1.0), 0.0, "the norm of no gradients")
    print("✅ no gradient is too long")


test_clip()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-clip-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(7, "norms of any size, float64 · very short gradients · max_norm 0")
def test_clip_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: norms of any size, float64
    rng = np.random.default_rng(7)

    def compare(dtype, tolerance, size, max_norm):
        shapes = [(2, 3), (4,), (0,), (4,)]
        grads = [np.array(size * rng.normal(size=s), dtype) for s in shapes]
        tensors = [leaf(np.ones(g.shape), dtype, g) for g in grads]
        want = math.sqrt(math.fsum(v * v for g in grads for v in g.ravel().tolist()))
        factor, what = min(1.0, max_norm / (want + 1e-6)), f"norm {want:.3g}"
        got = clip_grad_norm_(iter(tensors), max_norm)
        check_number(got / size, want / size, what, "the norm it had", tolerance)
        for k, (tensor, g) in enumerate(zip(tensors, grads, strict=True)):
            scaled = (tensor.grad / dtype(size)).astype(dtype)
            wanted = (g * (factor / size)).tolist()
            check_array(scaled, wanted, f"{what}, gradient {k}", dtype, "norm + 1e-6")
            check_equal(tensor.grad.dtype, np.dtype(dtype), f"{what}: dtype {k}")
            check(tensor, np.ones(g.shape).tolist(), f"{what}: parameter {k}", dtype)

    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        for size, max_norm in ((1.0, 0.5), (1e3, 2e3), (1e3, 1e5), (10.0, 10.0)):
            compare(dtype, tolerance, size, max_norm)
    # hidden: very short gradients
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        compare(dtype, tolerance, 1e-6, 1e-6)
        compare(dtype, tolerance, 1e-3, 1e3)
    # hidden: max_norm 0
    a = leaf([1.0, 2.0], grad=[3.0, 4.0])
    check_number(clip_grad_norm_([a], 0), 5.0, "the norm, max_norm 0", tolerance=1e-5)
    check_array(a.grad, [0.0, 0.0], "the gradient, max_norm 0")
    ### END HIDDEN TESTS


test_clip_beyond()

# %% [markdown]
"""
## Exercise 8: Schedulers
Large steps find the valley, small ones its bottom, so the learning rate falls as training goes on.
A **scheduler** sets `optimizer.lr` by a formula of `last_epoch`, which counts your calls of its
`step`. Make them after each epoch, or after each batch: it does not know which.
`StepLR`, the simplest, multiplies by gamma at every step_size-th step: from 0.5, with step_size 2
and gamma 0.1, it goes 0.5, 0.5, 0.05, 0.05, 0.005.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-scheduler", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class LRScheduler:
    """Sets an optimizer's lr (interface of torch.optim.lr_scheduler.LRScheduler)."""

    def __init__(self, optimizer):
        """Start at epoch 0, and set its lr. TypeError with the type if no Optimizer."""
        # TODO: set the attributes optimizer, base_lr and last_epoch, and the first lr.
        #
        # APPROACH
        # 1. Refuse what is no Optimizer.
        # 2. base_lr, from which the formula starts, is optimizer.first_lr().
        # 3. last_epoch begins at -1, and one self.step() puts the first lr in force.
        #
        # EXAMPLE
        # >>> optimizer = SGD([leaf([1.0])], lr=0.5)
        # >>> scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
        # >>> scheduler.step()
        # >>> optimizer.lr
        # 0.25
        #
        # HINTS
        # - 5 // 2 is 2.
        # - A formula of last_epoch alone needs no memory of the lr before.
        ### BEGIN SOLUTION
        if not isinstance(optimizer, Optimizer):
            kind = type(optimizer).__name__
            raise TypeError(f"a scheduler needs an Optimizer, got {kind}")
        self.optimizer, self.base_lr = optimizer, optimizer.first_lr()
        self.last_epoch = -1
        self.step()
        ### END SOLUTION

    def get_lr(self):
        """Return the lr for last_epoch. Each subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_lr")

    def step(self):
        """Go on to the next epoch and set optimizer.lr."""
        # TODO: two lines.
        ### BEGIN SOLUTION
        self.last_epoch += 1
        self.optimizer.lr = self.get_lr()
        ### END SOLUTION


class StepLR(LRScheduler):
    """Multiplies lr by gamma every step_size epochs (torch's StepLR)."""

    def __init__(self, optimizer, step_size, gamma=0.1):
        """Keep the settings first: the base class calls get_lr."""
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def get_lr(self):
        """Return the lr for last_epoch."""
        # TODO: a formula of base_lr, gamma, last_epoch and step_size.
        ### BEGIN SOLUTION
        return self.base_lr * self.gamma ** (self.last_epoch // self.step_size)
        ### END SOLUTION


# %% [markdown]
"""
### Testing schedulers
The example, what is set at once, a formula of your own, two schedulers of one optimizer, an lr that
somebody changed in between.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-scheduler-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(8)
def test_scheduler():
    optimizer = SGD([leaf([1.0])], lr=0.5)
    scheduler = StepLR(optimizer, step_size=2, gamma=0.1)
    for epoch, want in enumerate((0.5, 0.5, 0.05, 0.05, 0.005)):
        what = f"lr 0.5, StepLR(step_size=2, gamma=0.1), epoch {epoch}"
        check_equal(scheduler.last_epoch, epoch, "last_epoch", "0 when it is made")
        check_number(optimizer.lr, want, what, "optimizer.lr follows last_epoch")
        scheduler.step()
    check_number(scheduler.base_lr, 0.5, "base_lr", "it stays what it was")

    class Line(LRScheduler):
        def get_lr(self):
            return 2 * self.base_lr + self.last_epoch

    optimizer = SGD([leaf([1.0])], lr=0.25)
    line = Line(optimizer)
    check_number(optimizer.lr, 0.5, "lr at once, by 2 · base_lr + last_epoch")
    line.step()
    check_number(optimizer.lr, 1.5, "lr after its step()", "count first, then set lr")
    optimizer.lr = 99.0
    line.step()
    check_number(optimizer.lr, 2.5, "lr after it was set to 99", "ask self.get_lr()")
    second = Line(optimizer)
    check_number(second.base_lr, 0.25, "base_lr of a second scheduler", "first_lr()")
    check_equal(line.last_epoch, 2, "last_epoch of the first scheduler")
    scheduler = StepLR(SGD([leaf([1.0])], lr=3.0), 3, gamma=0.5)
    scheduler.optimizer.lr = 99.0
    for _ in range(7):
        scheduler.step()
    check_number(scheduler.optimizer.lr, 0.75, "StepLR(3, 0.5), epoch 7", "3 · 0.5²")
    check_raises(TypeError, ["list"], lambda: StepLR([], 2), "StepLR of a list")
    print("✅ the learning rate follows a plan")


test_scheduler()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-scheduler-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(8, "StepLR with other settings · more that is no optimizer")
def test_scheduler_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: StepLR with other settings
    optimizer = SGD([leaf([1.0])], lr=3.0)
    for size, gamma in ((1, 0.9), (3, 0.5), (7, 0.0), (4, 2.0)):
        scheduler = StepLR(optimizer, size, gamma)
        for epoch in range(25):
            want = 3.0 * gamma ** (epoch // size)
            what = f"StepLR({size}, {gamma}), epoch {epoch}"
            check_number(optimizer.lr, want, what)
            scheduler.step()
    check_equal(scheduler.optimizer is optimizer, True, "the optimizer is kept")
    # hidden: more that is no optimizer
    check_raises(TypeError, ["str"], lambda: StepLR("SGD", 2), "StepLR of a str")
    check_raises(TypeError, ["type"], lambda: StepLR(SGD, 2), "StepLR of a class")
    check_raises(TypeError, ["NoneType"], lambda: StepLR(None, 2), "StepLR of None")
    ### END HIDDEN TESTS


test_scheduler_beyond()

# %% [markdown]
"""
## Exercise 9 (deeper): Warm-up and cosine
The usual plan of today: **warm up** along a line, since the first weights are random and Adam's
first means are made of few gradients; then go down along half a **cosine**, slowly at both ends.
From lr 0.6, a warm-up from 1/3 in 4 epochs goes 0.2, 0.3, 0.4, 0.5, 0.6 and stays there. A cosine
of 4 epochs goes 0.6, 0.512, 0.3, 0.088, 0.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class LinearLR(LRScheduler):
    """Changes lr along a line, then keeps it (torch's LinearLR): a warm-up."""

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
        """Keep the settings. ValueError: a factor outside (0, 1] or [0, 1]."""
        if not (0 < start_factor <= 1 and 0 <= end_factor <= 1):
            got = f"got {start_factor} and {end_factor}"
            raise ValueError(f"factors must be in (0, 1] and in [0, 1], {got}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def get_lr(self):
        """Return base_lr times the factor of last_epoch."""
        # TODO: both get_lr.
        #
        # APPROACH
        # 1. LinearLR: the factor goes from start_factor to end_factor in total_iters
        #    epochs, in equal steps, and then stays.
        # 2. CosineAnnealingLR: eta_min + (base_lr - eta_min) · (1 + cos(…)) / 2,
        #    with π last_epoch / T_max in the cosine.
        #
        # EXAMPLE
        # >>> optimizer = SGD([leaf([1.0])], lr=0.6)
        # >>> warm_up = LinearLR(optimizer, total_iters=4)
        # >>> warm_up.step()
        # >>> round(optimizer.lr, 9)
        # 0.3
        #
        # HINTS
        # - min(last_epoch, total_iters) stops a line.
        # - The cosine needs no min: after T_max it comes up again, as PyTorch's does.
        ### BEGIN SOLUTION
        done = min(self.last_epoch, self.total_iters) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * done
        return self.base_lr * factor
        ### END SOLUTION


class CosineAnnealingLR(LRScheduler):
    """Lowers lr to eta_min in T_max epochs (torch's CosineAnnealingLR)."""

    def __init__(self, optimizer, T_max, eta_min=0.0):
        """Keep the settings."""
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def get_lr(self):
        """Return the lr on the cosine between base_lr and eta_min."""
        # TODO: one formula.
        ### BEGIN SOLUTION
        swing = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return self.eta_min + (self.base_lr - self.eta_min) * swing
        ### END SOLUTION


# %% [markdown]
"""
### Testing warm-up and cosine
The lr of epoch after epoch, past the end, and lines that fall. Only get_lr is judged; of your
LRScheduler it needs no more than an `__init__` that runs.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-cosine-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(9)
def test_cosine():
    optimizer = SGD([leaf([1.0])], lr=0.6)
    warm = LinearLR(optimizer, total_iters=4)
    want = [0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6]
    check_plan(warm, 0.6, want, "lr 0.6, LinearLR(total_iters=4)")
    down = LinearLR(optimizer, 1.0, 0.5, total_iters=3)
    want = [0.6, 0.5, 0.4, 0.3, 0.3]
    check_plan(down, 0.6, want, "lr 0.6, LinearLR(1.0, 0.5, total_iters=3)")
    half = 0.3 * 0.5**0.5
    want = [0.6, 0.3 + half, 0.3, 0.3 - half, 0.0, 0.3 - half, 0.3]
    plan = CosineAnnealingLR(optimizer, 4)
    check_plan(plan, 0.6, want, "lr 0.6, CosineAnnealingLR(4)")
    want = [0.6, 0.4, 0.2, 0.4, 0.6]
    plan = CosineAnnealingLR(optimizer, 2, 0.2)
    check_plan(plan, 0.6, want, "lr 0.6, CosineAnnealingLR(2, 0.2)")
    print("✅ warm-up and cosine")


test_cosine()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-cosine-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(9, "LinearLR with other settings · a cosine over many epochs")
def test_cosine_beyond():
    """Beyond the examples."""

    ### BEGIN HIDDEN TESTS

    # hidden: LinearLR with other settings
    optimizer = SGD([leaf([1.0])], lr=0.6)
    cases = ((1 / 3, 1.0, 5), (0.1, 0.7, 3), (1.0, 0.0, 8), (0.5, 0.5, 1))
    for start, end, total in cases:
        slope = (end - start) / total
        want = [2.0 * (start + slope * e if e < total else end) for e in range(20)]
        plan = LinearLR(optimizer, start, end, total)
        check_plan(plan, 2.0, want, f"lr 2, LinearLR from {start} to {end} in {total}")
    # hidden: a cosine over many epochs
    for period, low in ((10, 0.0), (7, 0.1), (1, 0.2), (40, 0.5)):
        angles = [math.pi * (period - e) / (2 * period) for e in range(45)]
        waves = [math.sin(angle) ** 2 for angle in angles]
        want = [low * (1 - wave) + 2.0 * wave for wave in waves]
        plan = CosineAnnealingLR(optimizer, period, low)
        check_plan(plan, 2.0, want, f"lr 2, CosineAnnealingLR({period}, {low})")
    ### END HIDDEN TESTS


test_cosine_beyond()

# %% [markdown]
"""
### One plan after the other
Since your schedulers are formulas of `last_epoch`, chaining them takes a few lines: this locked
cell finds the scheduler whose turn it is and tells it how many epochs ago its turn began. And two
numbers are all that a scheduler must save.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-sequential", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
class SequentialLR(LRScheduler):
    """Follows schedulers one after the other (torch's SequentialLR)."""

    def __init__(self, optimizer, schedulers, milestones):
        """Keep the schedulers, and the epochs at which each but the first begins.

        ValueError with both counts unless there is one milestone fewer.
        """
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1:
            counts = f"{len(self.schedulers)} and {len(self.milestones)}"
            raise ValueError(f"one milestone fewer than schedulers; got {counts}")
        super().__init__(optimizer)

    def get_lr(self):
        """Return the lr of the scheduler whose turn it is."""
        turn = sum(m <= self.last_epoch for m in self.milestones)
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


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-schedules", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_schedules(epochs=100):
    """Plot the learning rates of four plans, and print how far each goes in all."""
    from << cookiecutter.package_name >> import viz

    def chained(optimizer):
        warm_up = LinearLR(optimizer, 0.05, total_iters=10)
        down = CosineAnnealingLR(optimizer, epochs - 10)
        return SequentialLR(optimizer, [warm_up, down], [10])

    plans = {
        "constant": lambda optimizer: StepLR(optimizer, epochs),
        "StepLR(30)": lambda optimizer: StepLR(optimizer, 30),
        "cosine": lambda optimizer: CosineAnnealingLR(optimizer, epochs),
        "warm-up, cosine": chained,
    }
    curves = {}
    for name, plan in plans.items():
        optimizer = SGD([leaf([0.0])], lr=1.0)
        try:
            scheduler, rates = plan(optimizer), []
        except NotImplementedError as error:
            print(f"{name:16} {unwritten(error)}")
            continue
        for _ in range(epochs):
            rates.append(optimizer.lr)
            scheduler.step()
        curves[name] = range(epochs), rates
        print(f"{name:16} the steps add up to {sum(rates):5.1f} times lr")
    name, (_, rates) = list(curves.items())[-1]
    title = f"{name}: {sum(rates) / epochs:.0%} as far as with a constant lr"
    viz.lines(curves, title, "epoch", "lr, divided by the first lr")
    viz.show()


profile_schedules()

# %% [markdown]
"""
**Explain your curves.** A noisy gradient makes w wander around the minimum, in a cloud that is wide
if lr is large: lowering lr lets it settle. Where would you stop a run early, and what would it
lose?

## Exercise 10<% if cookiecutter.last_module < "07" %> (deeper)<% endif %>: Stop, and go on
Training that runs for weeks will be interrupted. The weights alone do not bring it back: momentum,
running means, counts and the learning rate belong to it, too. With all of them loaded, and the
random generator as it was, a run goes on **bit for bit** as if nothing had happened. Two things go
wrong easily. What was saved must not change when training goes on, so it is copied. And a parameter
that never had a gradient has an empty state, and still counts.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-state-dict", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def saved_names(optimizer):
    """Return the set of names of what state_dict saves: all attributes but two."""
    return vars(optimizer).keys() - {"parameters", "buffers"}


@add_to_class(Optimizer)
def state_dict(self):
    """Return settings, lr and state as one dict of copies, keys as in saved_names."""
    # TODO: one dict, nothing in it shared with the optimizer.
    #
    # APPROACH
    # 1. vars(self) is the dict of all attributes. Take those that saved_names names.
    # 2. Copy to the bottom: a dict in a list in a dict may hold an array.
    #
    # EXAMPLE
    # >>> saved = SGD([leaf([1.0]), leaf([2.0])], lr=0.1).state_dict()
    # >>> saved["lr"], saved["state"]
    # (0.1, [{}, {}])
    #
    # HINTS
    # - copy.deepcopy copies to the bottom; dict() and list() copy the top.
    # - In load_state_dict: vars(self).update(...) sets many attributes at once.
    ### BEGIN SOLUTION
    return copy.deepcopy({name: vars(self)[name] for name in saved_names(self)})
    ### END SOLUTION


@add_to_class(Optimizer)
def load_state_dict(self, saved):
    """Go on from what state_dict returned; saved and the parameters' data stay.

    ValueError, and nothing is changed, for
    names other than those of saved_names (it shows all that only one side has);
    a different number of parameters (with both numbers);
    an array in a state whose shape is not that of its parameter (with both shapes).
    """
    # TODO: look for the three errors first, then copy and set the attributes.
    ### BEGIN SOLUTION
    if odd := saved.keys() ^ saved_names(self):
        raise ValueError(f"another kind of optimizer: only one side has {sorted(odd)}")
    if len(saved["state"]) != len(self.parameters):
        counts = f"saved {len(saved['state'])}, this has {len(self.parameters)}"
        raise ValueError(f"the number of parameters differs: {counts}")
    for k, (p, state) in enumerate(zip(self.parameters, saved["state"], strict=True)):
        for name, value in state.items():
            if isinstance(value, np.ndarray) and value.shape != p.shape:
                what = f"{name!r} of parameter {k} has shape {value.shape}"
                raise ValueError(f"{what}, the parameter has {p.shape}")
    vars(self).update(copy.deepcopy(saved))
    ### END SOLUTION


# %% [markdown]
"""
### Testing stop and go
A run interrupted and resumed; a parameter that never had a gradient; what is copied; the errors.
The optimizer is a small one of the test's own; an SGD must refuse what it saved.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-state-dict-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}<% if cookiecutter.last_module < "07" %>, "tags": ["raises-exception"]<% endif %>}
class Heavy(Optimizer):
    """An optimizer for tests: a velocity, and a count of updates."""

    def __init__(self, parameters, lr, momentum=0.5):
        self.parameters, self.lr, self.initial_lr = parameters, lr, None
        self.state, self.buffers = [{} for _ in parameters], {}
        self.momentum = momentum

    def update(self, parameter, state):
        if not state:
            state.update(count=0, arrays=[np.zeros_like(parameter.data)])
        state["count"] += 1
        state["arrays"][0] *= self.momentum
        state["arrays"][0] += parameter.grad
        state["velocity"] = state["arrays"][0].copy()
        parameter.data -= self.lr * state["velocity"] / state["count"]

    def run(self, steps):
        """Make steps, each with another lr; the last parameter has no gradient."""
        for t in steps:
            self.lr = 0.5 / (t + 1)
            for p, state in zip(self.parameters[:-1], self.state, strict=False):
                p.grad = np.cos(p.data + t).astype(p.dtype)
                self.update(p, state)
        return self


@exercise(10)
def test_state_dict():
    starts = [[0.1, 0.2], [[0.3]], [0.4]]
    whole = Heavy([leaf(s) for s in starts], 0.5).run(range(9))
    half = Heavy([leaf(s) for s in starts], 0.5).run(range(4))
    saved = half.state_dict()
    names = {"lr", "initial_lr", "momentum", "state"}
    check_equal(set(saved), names, "keys of state_dict()")
    check_number(saved["lr"], 0.5 / 4, 'saved["lr"]')
    kinds = [sorted(state) for state in saved["state"]]
    names = ["arrays", "count", "velocity"]
    hint = "a parameter that never had a gradient has an empty state: keep it"
    check_equal(kinds, [names, names, []], "names in each saved state", hint)
    before = repr(saved)
    fresh = Heavy([leaf(p.data) for p in half.parameters], 77.0, momentum=0.1)
    half.run(range(4, 6))
    hint = "copy.deepcopy"
    check_equal(repr(saved), before, "what was saved, after training went on", hint)
    data = [p.data.tolist() for p in fresh.parameters]
    fresh.load_state_dict(saved)
    got = (fresh.lr, fresh.momentum, [state.get("count") for state in fresh.state])
    check_equal(got, (0.125, 0.5, [4, 4, None]), "lr, momentum and counts, loaded")
    got = [p.data.tolist() for p in fresh.parameters]
    check_equal(got, data, "data of the parameters, after loading")
    fresh.run(range(4, 9))
    check_equal(repr(saved), before, "what was loaded, after training went on", hint)
    for k, (a, b) in enumerate(zip(whole.parameters, fresh.parameters, strict=True)):
        what = f"parameter {k} of a run that stopped and went on"
        check_equal(b.data.tolist(), a.data.tolist(), what, "state, lr, momentum")
    other = SGD([leaf(s) for s in starts])
    two = Heavy([leaf([1.0]), leaf([1.0])], 0.5)
    four = Heavy([leaf([1.0]) for _ in range(4)], 0.5)
    turned = Heavy([leaf(s) for s in ([[0.1, 0.2]], [[0.3]], [0.4])], 0.5)
    cases = {"SGD": (other, ["nesterov", "weight_decay"])}
    cases["two parameters"], cases["four"] = (two, ["2", "3"]), (four, ["3", "4"])
    cases["a parameter of shape (1, 2)"] = turned, ["(2,)", "(1, 2)"]
    for what, (target, words) in cases.items():
        before = repr(vars(target))
        check_raises(ValueError, words, lambda t=target: t.load_state_dict(saved), what)
        check_equal(repr(vars(target)), before, what, "an error must change nothing")
    print("✅ a run that stops can go on")


test_state_dict()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-state-dict-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}<% if cookiecutter.last_module < "07" %>, "tags": ["raises-exception"]<% endif %>}
@beyond(10, "loading twice, what is not saved · more that does not fit · no gradients")
def test_state_dict_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: loading twice, what is not saved
    source = Heavy([leaf([1.0, 2.0]), leaf([3.0])], 0.5).run(range(3))
    saved, fresh = source.state_dict(), Heavy([leaf([5.0, 6.0]), leaf([7.0])], 9.0)
    first, buffers = fresh.parameters[0], fresh.buffers
    ends = []
    for _ in range(2):
        fresh.load_state_dict(saved)
        first.data[:] = [5.0, 6.0]
        fresh.run(range(3, 5))
        ends.append(first.data.tolist())
    check_equal(ends[1], ends[0], "a run from the same saved state, again")
    check_equal(fresh.parameters[0] is first, True, "parameters are not loaded")
    check_equal(fresh.buffers is buffers, True, "buffers are not loaded")
    # hidden: more that does not fit
    target = Heavy([leaf([5.0, 6.0]), leaf([7.0])], 9.0)
    bad = {"nothing": ({}, ["lr", "momentum", "state"])}
    bad["a name too many"] = saved | {"betas": 1}, ["betas"]
    bad["a name too few"] = {k: v for k, v in saved.items() if k != "lr"}, ["lr"]
    three = Heavy([leaf([1.0]), leaf([1.0]), leaf([1.0])], 0.5).state_dict()
    bad["three parameters, no state"] = three, ["3", "2"]
    late = Heavy([leaf([5.0, 6.0]), leaf([7.0]), leaf([1.0])], 0.5).run(range(2))
    late = late.state_dict()
    late["state"] = late["state"][1::-1]
    bad["the states of others"] = late, ["(1,)", "(2,)"]
    for what, (given, words) in bad.items():
        before, kept = repr(vars(target)), repr(given)
        check_raises(ValueError, words, lambda g=given: target.load_state_dict(g), what)
        check_equal(repr(vars(target)), before, f"{what}: the optimizer after an error")
        check_equal(repr(given), kept, f"{what}: what was to be loaded")
    # hidden: no gradients
    empty = Heavy([leaf([1.0]), leaf([2.0])], 0.25, 0.75)
    target.load_state_dict(empty.state_dict())
    got = (target.lr, target.momentum, target.state)
    check_equal(got, (0.25, 0.75, [{}, {}]), "empty states, loaded")
    ### END HIDDEN TESTS


test_state_dict_beyond()

# %% [markdown]
"""
## Exercise 11: An epoch of training
Everything you built since Module 01 meets in four lines: forget the gradients, compute the loss,
differentiate, step. An **epoch** sees each example once, in **minibatches** of random rows: 10 rows
with batch_size 4 are batches of 4, 4 and 2. A batch gives a cheap estimate of the gradient of
all rows, and a new order each time keeps its errors from repeating.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-train", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def train_epoch(model, criterion, optimizer, x, labels, batch_size):
    """Train on each row of x and its label once, in random order; return the mean loss.

    criterion(model(rows), their labels) is the mean loss of a batch, a Tensor.
    Return the mean over all rows, a float, of the losses as they came.
    The order is made by `generator`, so manual_seed repeats it.
    ValueError, with both numbers, unless there is one label for each row.
    """
    # TODO: go through x and labels once, in shuffled minibatches, in training mode.
    #
    # APPROACH
    # 1. Compare the lengths of x and labels. Set the mode with model.train().
    # 2. Make one permutation of all row numbers.
    # 3. For each batch of it, also a smaller last one: the four lines.
    # 4. Add up the losses, so that each row counts the same in the mean.
    #
    # EXAMPLE
    # >>> generator.permutation(4).shape
    # (4,)
    # >>> Tensor([5.0, 6.0, 7.0])[Tensor([2, 0])]
    # Tensor([7., 5.])
    #
    # HINTS
    # - batch is an array of row numbers: x[Tensor(batch)] takes these rows.
    # - loss.item() is a float. A sum of the losses as Tensors would record a graph.
    # - The last batch may be smaller: its mean loss must not count as much.
    ### BEGIN SOLUTION
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} rows need as many labels, got {len(labels)}")
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
Batches, rows and labels, the mode, old gradients, weights and losses by hand, the order. Then XOR,
which no single layer can learn. Model and optimizer are small ones of the test's own.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-train-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.activations import Tanh
from << cookiecutter.package_name >>.layers import (
    Layer,
    Linear,
    Sequential,
)
from << cookiecutter.package_name >>.losses import (
    CrossEntropyLoss,
    MSELoss,
    accuracy,
)
from << cookiecutter.package_name >>.tensor import manual_seed


class Plain:
    """An optimizer for tests: gradient descent."""

    def __init__(self, parameters, lr):
        self.parameters, self.lr = parameters, lr

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    def step(self):
        for p in self.parameters:
            p.data -= self.lr * (0.0 if p.grad is None else p.grad)


class Slope(Layer):
    """A layer for tests: one weight; notes the rows it sees, and its mode."""

    def __init__(self):
        self.weight, self.seen, self.modes = leaf([0.0], np.float64), [], []

    def forward(self, x):
        self.seen.append(x.data.ravel().tolist())
        self.modes.append(self.training)
        return x * self.weight

    @classmethod
    def trained(cls, x, y, batch_size, lr=0.1, count=1, seed=0):
        """Train a Slope to make y of x; return it, and the losses of the epochs."""
        manual_seed(seed)
        model, losses = cls(), []
        model.eval()
        model.weight.grad = np.array([1e6])  # of something that was before
        optimizer = Plain([model.weight], lr)
        data = [Tensor(np.array(v)[:, None], np.float64) for v in (x, y)]
        for _ in range(count):
            losses.append(train_epoch(model, MSELoss(), optimizer, *data, batch_size))
        kept = [t.data.ravel().tolist() for t in data]
        check_equal(kept, [list(x), list(y)], "x and labels, after it", "leave them")
        return model, losses


@exercise(11)
def test_train():
    x = [float(k) for k in range(10)]
    model, _ = Slope.trained(x, x, 4)
    sizes = [len(rows) for rows in model.seen]
    check_equal(sizes, [4, 4, 2], "batches of 10 rows, batch_size 4")
    hint = "one permutation: each row once"
    check_equal(sorted(sum(model.seen, [])), x, "the rows seen", hint)
    check_equal(model.modes, [True] * 3, "the mode in each batch", "model.train()")
    model, losses = Slope.trained([1.0, 2.0], [3.0, 4.0], 2)
    hint = "zero_grad, loss, backward, step: an old gradient was there"
    what = "weight 0 + 0.1 · 2 · (3 · 1 + 4 · 2) / 2"
    check(model.weight, [1.1], what, np.float64, hint)
    check_number(losses[0], (9 + 16) / 2, "the loss of one batch, 3² and 4²")
    model, losses = Slope.trained([1.0, 1.0, 1.0], [4.0, 4.0, 4.0], 1)
    want = [4 - 4 * 0.8**3]
    what = "weight after three batches of x = 1, y = 4"
    check(model.weight, want, what, np.float64, "zero_grad in each")
    want = 16 * (1 + 0.64 + 0.64**2) / 3
    check_number(losses[0], want, "their mean loss", "the losses as they came")
    _, losses = Slope.trained([1.0, 2.0, 3.0], [1.0, 2.0, 6.0], 2, lr=0.0)
    what, hint = "loss of batches of 2 and 1 rows", "rows count the same"
    check_number(losses[0], (1 + 4 + 36) / 3, what, hint)
    x = [1.0, 2.0, 3.0, 4.0]
    model, _ = Slope.trained(x, [2 * v for v in x], 1, lr=0.05, count=20)
    hint = "a row goes with its label"
    check(model.weight, [2.0], "weight after 20 epochs of y = 2 x", np.float64, hint)
    x = [float(k) for k in range(32)]
    seen = Slope.trained(x, x, 8, lr=0.0, count=2)[0].seen
    first, second = sum(seen[:4], []), sum(seen[4:], [])
    check_equal(first != second and first != x, True, "shuffled, anew in each epoch")
    again = Slope.trained(x, x, 8, lr=0.0, count=2)[0].seen
    check_equal(again, seen, "the order, from the same seed", "generator.permutation")
    other = Slope.trained(x, x, 8, lr=0.0, count=2, seed=1)[0].seen
    check_equal(other != seen, True, "another seed gives another order")
    x = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    labels, criterion = Tensor([0, 1, 1, 0]), CrossEntropyLoss()
    manual_seed(0)
    model = Sequential(Linear(2, 8), Tanh(), Linear(8, 2))
    optimizer = Plain(model.parameters(), lr=1.0)
    few = x, labels[:3]

    def call():
        return train_epoch(model, criterion, optimizer, *few, 2)

    check_raises(ValueError, ["4", "3"], call, "4 rows and 3 labels")
    for _ in range(60):
        loss = train_epoch(model, criterion, optimizer, x, labels, 4)
    check_number(accuracy(model(x), labels), 1.0, f"accuracy on XOR, loss {loss:.3f}")
    print("✅ your framework learns")


test_train()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "optimizers-train-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(11, "many batches, by plain Python · other lengths · the mode")
def test_train_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS

    # hidden: many batches, by plain Python
    for n, size in ((10, 4), (8, 4), (5, 1), (6, 100), (9, 8)):
        x = [(k + 1) / n for k in range(n)]
        y = [3 * v + 1 for v in x]
        what = f"{n} rows, {size=}"
        model, losses = Slope.trained(x, y, size, count=3, seed=n)
        sizes = [min(size, n - start) for start in range(0, n, size)]
        check_equal([len(batch) for batch in model.seen], sizes * 3, f"{what}: batches")
        check_equal(model.modes, [True] * 3 * len(sizes), f"{what}: model.training")
        w = 0.0
        for epoch in range(3):
            batches = model.seen[epoch * len(sizes) : (epoch + 1) * len(sizes)]
            check_equal(sorted(sum(batches, [])), x, f"{what}, epoch {epoch + 1}")
            total = 0.0
            for batch in batches:
                errors = [w * v - (3 * v + 1) for v in batch]
                total += math.fsum(e * e for e in errors)
                slopes = [2 * e * v for e, v in zip(errors, batch, strict=True)]
                w -= 0.1 * math.fsum(slopes) / len(batch)
            check_number(losses[epoch], total / n, f"{what}: loss of epoch {epoch + 1}")
        check(model.weight, [w], f"{what}: the weight after 3 epochs", np.float64)
    # hidden: other lengths
    long = [Tensor(np.ones((n, 1)), np.float64) for n in (3, 4)]
    optimizer = Plain([model.weight], 0.1)

    def call():
        return train_epoch(model, MSELoss(), optimizer, *long, 2)

    check_raises(ValueError, ["3", "4"], call, "3 rows and 4 labels")
    # hidden: the mode
    net, rows = Sequential(inner := Slope()).eval(), Tensor(np.ones((3, 1)), np.float64)
    train_epoch(net, MSELoss(), Plain([inner.weight], 0.1), rows, rows, 2)
    check_equal(inner.modes, [True, True], "the mode of a layer", "model.train()")
    train_epoch(net.train(), MSELoss(), Plain([inner.weight], 0.1), rows, rows, 2)
    what, hint = "the mode of a training model, afterwards", "model.train() is enough"
    check_equal(inner.training, True, what, hint)
    ### END HIDDEN TESTS


test_train_beyond()

# %% [markdown]
"""
## It works: handwritten digits
You have built what runs now: Tensors, layers, losses, gradients, optimizers. First XOR, with the
region that each class gets. A single linear layer can draw only one straight line between them.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-xor", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def draw_xor(steps=100):
    """Train a small network on XOR and draw what it says of every point."""
    from << cookiecutter.package_name >> import viz
    from << cookiecutter.package_name >>.activations import (
        softmax,
    )

    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    labels = [0, 1, 1, 0]
    manual_seed(0)
    model = Sequential(Linear(2, 8), Tanh(), Linear(8, 2))
    optimizer = Adam(model.parameters(), lr=0.1)
    x, y = Tensor(corners), Tensor(labels)
    for _ in range(steps):
        loss = train_epoch(model, CrossEntropyLoss(), optimizer, x, y, 4)
    right = accuracy(model(x), y)
    title = f"XOR after {steps} steps of Adam: {right:.0%} right"

    def second_class(points):
        return softmax(model(Tensor(points))).data[:, 1]

    viz.regions(second_class, corners, labels, title)
    viz.show()
    print(f"loss {loss:.4f}")


draw_xor()

# %% [markdown]
"""
### The milestone
1,797 digits of 8 × 8 pixels, written by 13 people (E. Alpaydin and C. Kaynak, *Optical Recognition
of Handwritten Digits*, UCI Machine Learning Repository, 1998, CC BY 4.0), come with your
package. They were shuffled, and 360 of them set apart for testing. So the same people wrote both
parts: the test shows new pictures, not new hands. Five networks, from five seeds, trained by AdamW
with `StepLR`, must each read at least 95 % of the test pictures.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-milestone", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def digits():
    """Return rows of 64 pixels and labels: a pair of Tensors to train, one to test."""
    from << cookiecutter.package_name >> import data

    parts = data.load_digits()
    return [(Tensor(x.reshape(-1, 64)), Tensor(labels)) for x, labels in parts]


def read_digits(seed, epochs=12):
    """Train one network; return its accuracy after each epoch, and its answers."""
    from << cookiecutter.package_name >>.activations import (
        ReLU,
    )
    from << cookiecutter.package_name >>.layers import (
        Dropout,
    )

    (x, labels), (test, truth) = digits()
    manual_seed(seed)
    model = Sequential(Linear(64, 64), ReLU(), Dropout(0.1), Linear(64, 10))
    optimizer = AdamW(model.parameters(), lr=3e-2, weight_decay=0.1)
    scheduler, right = StepLR(optimizer, step_size=5), []
    for _ in range(epochs):
        train_epoch(model, CrossEntropyLoss(), optimizer, x, labels, 64)
        scheduler.step()
        logits = model.eval()(test)
        right.append(accuracy(logits, truth))
    return right, logits.argmax(axis=1).data


def milestone(needed=0.95):
    """Plot five trainings, and what one network reads; fail if one is bad."""
    from << cookiecutter.package_name >> import viz

    runs = [read_digits(seed) for seed in range(5)]
    ends = [right[-1] for right, _ in runs]
    curves = {f"seed {k}": (range(1, 13), right) for k, (right, _) in enumerate(runs)}
    title = f"Five networks read {min(ends):.1%} to {max(ends):.1%} of 360 digits"
    ax = viz.lines(curves, title, "epoch", "test accuracy", ylim=(0.7, 1.0))
    ax.axhline(needed, color="gray", linestyle=":")
    ax.annotate(f"{needed:.0%}, needed", (12, needed - 0.018), color="gray", ha="right")
    pictures, truth = (t.data for t in digits()[1])
    answers = runs[0][1]
    wrong = np.flatnonzero(answers != truth)[:10]
    chosen = [*np.flatnonzero(answers == truth)[: 30 - len(wrong)], *wrong]
    titles = [f"{answers[k]}" + f", not {truth[k]}" * (k in wrong) for k in chosen]
    shown = pictures[chosen].reshape(-1, 8, 8)
    found = f"What seed 0 reads; {sum(answers != truth)} of 360 are wrong"
    viz.images(shown, titles, found)
    viz.show()
    for seed, share in enumerate(ends):
        assert share >= needed, (
            f"seed {seed} reads {share:.1%} of the test digits, {needed:.0%} are "
            "needed. Does every test above show ✅? Then look at AdamW, StepLR and "
            "train_epoch again"
        )
    print("✅ five networks read digits")


milestone()

# %% [markdown]
"""
**Look at your pictures.** Would you have read the wrong ones right? After 5 and after 10 epochs the
learning rate falls to a tenth: what do the curves do there?

## Part 2: Systems Analysis
Now measure what optimizers cost and how they move. Only the four questions at the end are marked.

### Memory Profiling
What does each optimizer keep for every number of your model, and what does one more step need?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(count=4, n=500):
    """Show what each optimizer keeps, and what a step needs."""
    import tracemalloc

    from << cookiecutter.package_name >> import viz

    def momentum(parameters):
        return SGD(parameters, momentum=0.9)

    makes = {"SGD": SGD, "SGD, momentum": momentum, "Adam": Adam, "AdamW": AdamW}
    rng, numbers, bars = np.random.default_rng(0), count * n * n, {}
    for name, make in makes.items():
        tracemalloc.start()  # first, so that an update may make new arrays for weights
        parameters = [leaf(rng.normal(size=(n, n))) for _ in range(count)]
        for p in parameters:
            p.grad = rng.normal(size=(n, n)).astype(np.float32)
        before = tracemalloc.get_traced_memory()[0]
        optimizer = make(parameters)
        optimizer.step()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        optimizer.step()
        more = tracemalloc.get_traced_memory()[1] - held
        tracemalloc.stop()
        lent = sum(a.nbytes for a in optimizer.buffers.values())
        bars[name] = state = (held - before - lent) / numbers
        print(f"{name:13} keeps {state:5.2f} bytes per parameter; a step uses ", end="")
        print(f"{lent / 4 / n**2:.1f} arrays of buffer, {more / 4 / n**2:.1f} new ones")
    total = 8 + bars["AdamW"]
    title = f"Weight, gradient and AdamW's state: {total:.0f} bytes per parameter"
    bars = {"weight": 4.0, "gradient": 4.0, **bars}
    viz.bars(bars, title, "bytes per parameter", "{:.1f}")
    viz.show()
    print(f"7 billion parameters, AdamW: {7 * total:.0f} GB before any activation")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** For each float32 array that its formula remembers, an optimizer keeps
4 bytes per parameter: 0, 4 or 8. (Twice as much? Then your state is float64: `np.zeros_like` takes
the dtype of the data.) New arrays are a matter of style: an update written as the formula reads
makes some at each step, one that computes in `self.buffer` makes none. How many does your Adam make at a time?

### In place against allocating
The same step three ways: `w = w - lr * g` makes two arrays, `w -= lr * g` one, and
`np.multiply(g, lr, out=buffer)` before `w -= buffer` none.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-inplace", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_in_place():
    """Plot the time of three ways to step against the number of parameters."""
    import timeit

    from << cookiecutter.package_name >> import viz

    sizes = [2**k for k in range(9, 22, 3)]
    curves = {name: (sizes, []) for name in ("two new arrays", "one", "none")}
    for size in sizes:
        w, g, buffer = (np.ones(size, np.float32) for _ in range(3))

        def one(w=w, g=g):
            w -= 1e-3 * g

        def none(w=w, g=g, buffer=buffer):
            np.multiply(g, 1e-3, out=buffer)
            w -= buffer

        def two(w=w, g=g):
            return w - 1e-3 * g

        number = max(1, 200_000 // size)
        for name, way in zip(curves, (two, one, none), strict=True):
            best = min(timeit.repeat(way, number=number, repeat=5)) / number
            curves[name][1].append(1e9 * best / size)
    last = [y[-1] for _, y in curves.values()]
    gain = last[0] / last[2]
    title = f"{sizes[-1]:,} parameters: no new array is {gain:.1f} times as fast as two"
    viz.lines(curves, title, "parameters", "ns per parameter", log="xy")
    viz.show()


profile_in_place()

# %% [markdown]
"""
**Explain your curves.** On the left Python's overhead counts, once per operation, whatever the
size. On the right memory counts. A new large array may be memory fresh from the system, whose pages
have to be cleared before the first write, and it may push others out of the cache. In the
middle everything fits into the cache. Where in your model are the large arrays?

### How they move
Two landscapes: a bowl 50 times as steep across as along, and Rosenbrock's valley, a banana with
walls so steep and a floor so flat that it has tested optimizers since 1960. On the bowl SGD has the
learning rate that is best in the long run, 2 / (λmax + λmin); those of momentum and Adam were found
by trying.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-paths", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_paths():
    """Draw the paths of three optimizers in two landscapes; count steps."""
    from << cookiecutter.package_name >> import viz

    steep, flat = 50.0, 1.0

    def bowl(x, y):
        return (x * x * flat + y * y * steep) * 0.5

    def valley(x, y):
        return (1.0 - x) ** 2 + (y - x * x) ** 2 * 100.0

    def descend(make, loss, start, count):
        point = [leaf([number], np.float64) for number in start]
        optimizer, path = make(point), [start]
        for _ in range(count):
            optimizer.zero_grad()
            loss(*point).backward()
            optimizer.step()
            path.append([p.item() for p in point])
        return np.array(path).T

    def sgd(lr, momentum=0.0):
        return lambda parameters: SGD(parameters, lr, momentum)

    def adam(lr):
        return lambda parameters: Adam(parameters, lr)

    look = {"loss": bowl, "start": (-4.0, 1.0), "goal": (0.0, 0.0), "near": 0.01}
    look |= {"xlim": (-4.6, 1.9), "ylim": (-1.7, 1.7), "count": 120}
    look["levels"] = np.geomspace(0.05, 50, 14)
    makes = {"SGD": sgd(2 / (steep + flat)), "momentum": sgd(0.0325, 0.7)}
    makes["Adam"] = adam(0.3)
    cases = [(name, "bowl", make, look) for name, make in makes.items()]
    look = {"loss": valley, "start": (-1.2, 2.5), "goal": (1.0, 1.0), "near": 0.1}
    look |= {"xlim": (-2.0, 1.8), "ylim": (-0.8, 3.2), "count": 500}
    look["levels"] = np.geomspace(0.02, 2000, 20)
    makes = {"SGD": sgd(1e-3), "momentum": sgd(5e-4, 0.9), "Adam": adam(0.2)}
    cases += [(name, "banana", make, look) for name, make in makes.items()]
    panels, needed = [], {}
    for name, place, make, look in cases:
        path = descend(make, look["loss"], look["start"], look["count"])
        away = ~(look["loss"](*path) < look["near"])  # nan is, too
        far = np.flatnonzero(away)[-1] + 1
        steps = f"{far} steps" if far <= look["count"] else f"not in {look['count']}"
        needed[place, name] = steps
        panels.append({"title": f"{name}, {place}: {steps}", "path": path, **look})
    slow, fast = needed["bowl", "SGD"], needed["bowl", "momentum"]
    viz.paths(panels, f"Down the bowl: SGD {slow}, momentum {fast}")
    viz.show()
    for share in (0.99, 1.01):
        path = descend(sgd(share * 2 / steep), bowl, (-4.0, 1.0), 200)
        end = abs(path[1, -1])
        verb = "shrank" if end < 1 else "grew"
        print(f"lr = {share} · 2 / λmax: after 200 steps the steep coordinate ", end="")
        print(f"{verb} from 1 to {end:.2g}")


profile_paths()

# %% [markdown]
"""
**Explain your paths.** SGD jumps from wall to wall and creeps along the valley: each step leaves
(κ - 1) / (κ + 1) = 0.96 of the distance. Momentum cancels the jumps and adds up the rest. At its
best it leaves, in the long run, (√κ - 1) / (√κ + 1) = 0.75 per step. Adam does not care how steep
it is: its first steps are diagonal, then its memory makes it swing. In the banana SGD crawls. No
optimizer is best everywhere: copy the text of the cell above into one of your own, and change a
learning rate. Two percent of lr decided between shrinking and growing; what are 0.98²⁰⁰ and 1.02²⁰⁰?

### A step against forward and backward
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-profile-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_cost():
    """Print the times of forward, backward and step against the batch size."""
    from << cookiecutter.package_name >>.activations import (
        ReLU,
    )
    from << cookiecutter.package_name >>.tensor import (
        rand,
    )
    from << cookiecutter.package_name >>.testing import (
        times,
    )

    manual_seed(0)
    layers = [Linear(784, 128), ReLU(), Linear(128, 64), ReLU(), Linear(64, 10)]
    model, criterion = Sequential(*layers), CrossEntropyLoss()

    def momentum(parameters, lr):
        return SGD(parameters, lr, momentum=0.9)

    makes = {"SGD": SGD, "momentum": momentum, "Adam": Adam, "AdamW": AdamW}
    parameters = model.parameters()
    optimizers = {name: make(parameters, lr=1e-6) for name, make in makes.items()}
    criterion(model(rand(1, 784)), Tensor([0])).backward()
    seconds = {name: min(times(o.step, 40)) for name, o in optimizers.items()}
    count = sum(p.size for p in model.parameters())
    steps = ", ".join(f"{name} {1e6 * s:.0f} µs" for name, s in seconds.items())
    print(f"{count:,} parameters; a step takes: {steps}")
    for batch in (1, 16, 64, 256, 1024):
        x, labels = rand(batch, 784), Tensor(np.arange(batch) % 10)
        forward = min(times(lambda x=x, y=labels: criterion(model(x), y), 15))
        both = min(times(lambda x=x, y=labels: criterion(model(x), y).backward(), 15))
        share = seconds["Adam"] / (both + seconds["Adam"])
        print(f"batch {batch:4}: forward {1e6 * forward:6.0f} µs, backward ", end="")
        bar = "■" * round(40 * share)
        print(f"{1e6 * (both - forward):6.0f} µs; Adam {share:4.0%} of all  {bar}")


profile_cost()

# %% [markdown]
"""
**Explain your numbers.** A step costs the same whatever the batch is, since it works on parameters;
forward and backward grow with the rows. So Adam's share is large at batch 1 and small at 1024. Adam
makes several times as many passes over memory as SGD, and `sqrt` and `divide` take a processor
longer than `multiply`. How many times as long does your Adam take, and how large must the batch be
before you would not notice?

### Spot the bug
A colleague fits a line to twenty points on a line, with the loop in the middle of this cell, and
asks you why the loss will not stay down. Question 4 is about it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-spot-the-bug", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def spot_the_bug(steps=120):
    """Plot the loss of a training loop in which something is missing."""
    from << cookiecutter.package_name >> import viz

    x = Tensor(np.linspace(-1.7, 1.7, 20)[:, None])
    target = x * 2.0 + 1.0
    manual_seed(0)
    model, criterion, losses = Linear(1, 1), MSELoss(), []
    optimizer = SGD(model.parameters(), lr=0.01)

    for _ in range(steps):  # the colleague's loop
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    low = int(np.argmin(losses[:20]))
    high = low + int(np.argmax(losses[low : low + 20]))
    title = f"From {losses[low]:.3f} the loss rises to {losses[high]:.2f} again"
    viz.lines({"loss": (range(steps), losses)}, title, "step", "loss")
    viz.show()


spot_the_bug()

# %% [markdown]
"""
## Part 3: Production Context
- **Groups.** PyTorch keeps `optimizer.param_groups`: dicts of parameters with settings of their
  own, for example no weight decay for biases and norms. Yours has one group, and its `lr` is
  `optimizer.lr`. State is keyed by parameter there, by position here and in every `state_dict`.
- **Speed.** On a GPU a step is thousands of tiny kernels. `foreach=True`, the default there, hands
  all parameters to each operation at once; `fused=True` does a whole step in one pass over memory.
- **Gradients.** `zero_grad` sets `.grad` to `None` since PyTorch 2.0 (`set_to_none=True`): no
  memory to clear, and parameters without a gradient are skipped, not moved by momentum.
- **Mixed precision.** A step of 1e-4 vanishes in 16 bits beside a weight of 1. So weights are kept
  in float32, too, as **master weights**: 2 + 2 bytes for 16-bit weights and gradients, 4 + 4 + 4
  for master weights and Adam's state, 16 in all.
- **Sharding.** ZeRO and PyTorch's FSDP (`fully_shard`) split state, then gradients, then weights
  between N GPUs, each of which updates its part: 1/N of the memory. Splitting the weights, too, costs
  more communication.
- **Small states.** 8-bit optimizers (bitsandbytes) store m and v as bytes, with a scale per block;
  Adafactor keeps v of a matrix as one row and one column.
- **Others.** In Optax (JAX) an optimizer is a pair of pure functions, `init` and `update`, and
  clipping, Adam, decay and schedule are **gradient transformations** to `chain`. Keras adds eps
  before the bias correction, the paper's "epsilon hat", and its default is 1e-7.
- **Schedulers.** PyTorch 1.1 moved `scheduler.step()` after `optimizer.step()` and warns about the
  old order. Most of its schedulers change the last lr; yours are formulas of `last_epoch`. Loading a
  scheduler sets `optimizer.lr` here, not there.
- **Different here.** PyTorch accepts parameters that require no gradients, and warns if one is
  there twice.

Sources: PyTorch 2.13 docs, *torch.optim*, and `torch/optim/adam.py`; Polyak, *Some methods of
speeding up the convergence of iteration methods* (1964); Sutskever et al., *On the importance of
initialization and momentum* (2013); Kingma and Ba, *Adam* (2015); Loshchilov and Hutter, *Decoupled
Weight Decay Regularization* (2019); Micikevicius et al., *Mixed Precision Training* (2018);
Rajbhandari et al., *ZeRO* (2020); Dettmers et al., *8-bit Optimizers* (2022); Shazeer and Stern,
*Adafactor* (2018); docs of Optax and Keras.

### The same in PyTorch
Three steps on L = w₀² + 10 w₁² from (1, 2), by momentum and by Adam. The cell below shows yours.

```python
>>> import torch
>>> def three_steps(make):
...     w = torch.tensor([1.0, 2.0], requires_grad=True)
...     optimizer = make([w])
...     for _ in range(3):
...         optimizer.zero_grad()
...         (w * w * torch.tensor([1.0, 10.0])).sum().backward()
...         optimizer.step()
...     return w
>>> three_steps(lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9))
tensor([0.8897, 0.1240], requires_grad=True)
>>> three_steps(lambda p: torch.optim.Adam(p, lr=0.1))
tensor([0.7016, 1.7006], requires_grad=True)
>>> three_steps(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5))
tensor([0.5750, 1.4310], requires_grad=True)
```
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-pytorch", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def three_steps(make):
    """Return w after three steps on w[0]² + 10 w[1]²."""
    w = leaf([1.0, 2.0])
    optimizer = make([w])
    for _ in range(3):
        optimizer.zero_grad()
        (w * w * Tensor([1.0, 10.0])).sum().backward()
        optimizer.step()
    return w


print(three_steps(lambda p: SGD(p, lr=0.01, momentum=0.9)))
print(three_steps(lambda p: Adam(p, lr=0.1)))
print(three_steps(lambda p: AdamW(p, lr=0.1, weight_decay=0.5)))


# %% [code] {"nbgrader": {"grade": false, "grade_id": "optimizers-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Show what is done, with its points."""
    show_results(
        globals(),
        [
            (1, "What all optimizers share", "test_optimizer", 6, 2),
            (2, "Gradient descent", "test_sgd", 5, 1),
            (3, "Momentum", "test_momentum", 8, 2),
            (4, "RMSprop (deeper)", "test_rmsprop", 5, 2),
            (5, "Adam", "test_adam", 9, 2),
            (6, "AdamW", "test_adamw", 5, 1),
            (7, "Clipping", "test_clip", 5, 2),
            (8, "Schedulers", "test_scheduler", 5, 1),
            (9, "Warm-up and cosine (deeper)", "test_cosine", 4, 1),
            (10, "Stop, and go on<% if cookiecutter.last_module < "07" %> (deeper)<% endif %>", "test_state_dict", 5, 2),
            (11, "An epoch of training", "test_train", 5, 2),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: Does it fit?
You want to train 3 billion parameters in float32 on one GPU of 40 GB.
- **(a)** How many bytes per parameter do weights, gradients and the state of your Adam take
  (without buffers)?
- **(b)** How many GB is that in all?
- **(c)** Which of SGD, momentum and Adam fits, before any activation?
- **(d)** What changes if eight such GPUs shard Adam's state alone?
- **(e)** What changes if they shard everything?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) Weights 4, gradients 4, Adam's state 8: 16 bytes, (b) 48 GB, (c) and it does not fit. Momentum
takes 12 bytes, 36 GB, and fits with hardly any room for activations; SGD takes 8 bytes, 24 GB.
(a) My measurement: 0, 4 and 8 bytes of state. (d) With the state on eight GPUs each holds 12 + 12 +
24 / 8 = 27 GB; (e) with everything sharded 48 / 8 = 6 GB, plus the layer that is being computed.
(d, e) The price is communication: updated weights must reach all, and sharded weights must be
gathered before they are used, forward and backward.

**Marking rubric (5 points)**
- 2: (a, b, c) 4 + 4 + 8 bytes and 48 GB; 24 and 36 GB for SGD and momentum.
- 1: (a) the measured bytes of state.
- 1: (d, e) 27 GB and 6 GB. 1: (d, e) communication as the price.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: The largest step
A bowl has λ = 1 and λ = 100.
- **(a)** What is the largest stable lr of SGD?
- **(b)** By which factor does each coordinate change per step at half of it?
- **(c)** How many steps does the flat one then need to shrink a thousandfold?
- **(d)** What did your paths show at 1.01 times the limit?
- **(e)** Why does dividing by √v help Adam here?
- **(f)** Why would it help less if the bowl were turned by 45°?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) The limit is 2 / 100 = 0.02. (b) At 0.01 the steep coordinate changes by 1 - 1 = 0, done in one
step, the flat one by 0.99: (c) log 1000 / -log 0.99, about 690 steps. (d) At 1.01 times the limit
the factor is -1.02: in 200 steps my steep coordinate grew from 1 to 52, as 1.02²⁰⁰ says. (e) √v is
the size of each coordinate's own gradients, so the steep one is divided by more, and both move
about lr per step. (f) It works on single coordinates: turned by 45°, each coordinate is a mixture
of steep and flat with the same v, and dividing both by the same number changes no direction.

**Marking rubric (5 points)**
- 2: (a, b) 0.02; factors 0 and 0.99. 1: (c) about 690 steps.
- 1: (d) 1.02²⁰⁰ ≈ 52, with the measured growth.
- 1: (e, f) scaling per coordinate, which a rotation defeats.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: Which decay?
A weight of 1 gets gradients of size 100, another weight of 1 gradients of size 0.01, both of
changing sign and mean 0; lr is 0.001 and weight_decay 0.1.
- **(a)** By how much, about, does the decay alone move each of them per step in your Adam?
- **(b)** By how much in your AdamW?
- **(c)** Which line of your code makes the difference?
- **(d)** What is it in SGD?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(b) AdamW multiplies both by 1 - 0.001 · 0.1: each loses 1e-4 per step, whatever its gradients.
(a) In Adam the decay 0.1 · 1 joins the gradient and is divided by √v. For the first weight √v is
about 100, so it moves by 0.001 · 0.1 / 100 = 1e-6, a hundredth of AdamW's. For the second v is made
of the decay itself: √(0.1² + 0.01²) is about 0.1, so it moves by 0.001, ten times AdamW's. (c) The
line is in `apply_decay`: Adam adds to the gradient, so m and v see it; AdamW changes
`parameter.data` and returns the bare gradient. (d) In SGD both ways are the same, w (1 - lr ·
decay) - lr · g: 1e-4.

**Marking rubric (5 points)**
- 2: (b) 1e-4 for both in AdamW. 1: (a) about 1e-6 in Adam for large gradients.
- 1: (a) about lr for small ones.
- 1: (c, d) the line, and that SGD makes no difference (without momentum).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Spot the bug
Look at your colleague's loop and its plot.
- **(a)** Which line is missing?
- **(b)** Where does it belong?
- **(c)** Against what does `optimizer.step()` step without it?
- **(d)** With which momentum would a correct loop of SGD do exactly the same?
- **(e)** Why does the loss come back instead of settling?
- **(f)** Write a test of two or three lines that fails for such a loop.
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "optimizers-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) `optimizer.zero_grad()` is missing, (b) anywhere in the loop but between `backward()` and
`step()`. (c) `backward` adds to `.grad`, so each step goes against the sum of all gradients so far.
(d) A velocity v ← μ v + g with μ = 1 is that sum. (e) In a valley the sum goes on to push downhill
until gradients of the other wall have cancelled it, so w passes the minimum at full speed and
climbs up the other side: a ball without friction, which swings forever; in my plot the loss falls
to nearly 0 and is back within some ten steps. With μ < 1 old gradients fade, and it settles. (f) A
test: put 1e6 into `.grad` of each parameter, run one step, and compare the weights with those of a
step without it; or compare two steps with two steps computed by hand.

**Marking rubric (5 points)**
- 1: (a, b) zero_grad, in a right place. 1: (c) the sum of all gradients. 1: (d) momentum 1.
- 1: (e) overshoot without friction, tied to the plot. 1: (f) a test that would fail.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
- You built what turns gradients into learning: SGD with momentum, Adam and AdamW, clipping,
  schedules, and the loop that trains.
- You measured 0 to 8 bytes of state per parameter, and saw where 2 / λ is the limit.
- Your own framework reads handwritten digits: you built it, from the Tensor to the loop.

<% if cookiecutter.last_module >= "07" %>**Next, Module 07: Training** builds what stands around a step: loaders, fair means, runs that stop and
go on bit for bit, and 97 % of the digits.<% else %>You have built a deep learning framework. Whatever you meet next, in PyTorch or in a paper, you can
now ask what it does to a Tensor, to a gradient, to a step.<% endif %>
"""
