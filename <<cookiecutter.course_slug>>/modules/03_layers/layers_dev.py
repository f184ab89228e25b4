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
# Module 03: Layers

A network that reads handwriting and one that writes poems are made of the same few parts: layers in
a chain. A **layer** is a function that owns numbers, its **parameters**, and training is nothing
but changing these. Build the layers, and a network is one line; you can say before it runs how
large it is and how much it computes, and you will know why most ways to draw its first random
numbers make it deaf.

**Learning Objectives:**
- Build layers of PyTorch's `torch.nn`, on a base class that finds every parameter by itself.
- Understand why the scale of the first random weights decides what a deep network can know.
- Analyze what a layer costs in parameters, FLOPs and memory, and why machines love batches.

**You are here:** << cookiecutter.__map | replace("03 Layers", "**03 Layers**") >>

**Time:** 4 to 5 hours. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper*
can wait: nothing later needs them.

**History.** In Frank Rosenblatt's perceptron (1958) only the last layer of weights learned, behind
random connections; in his machine, the *Mark I*, these weights were potentiometers turned by
motors. Dropout was proposed in 2012 by Geoffrey Hinton and colleagues, layer normalization in 2016
by Jimmy Ba, Jamie Ryan Kiros and Hinton.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import math

from << cookiecutter.package_name >>.tensor import (
    Tensor,
    add_to_class,
    as_tuple,
    ones,
    rand,
    randn,
    tensor_function,
    zeros,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

A layer is a function f(x; θ) with parameters θ. The one that holds nearly all parameters of many
networks is `Linear`, y = xW + b. By hand, with two inputs and three outputs:

    [1  2] · [1  2  3]  +  [10  20  30]  =  [1 + 8 + 10  2 + 10 + 20  3 + 12 + 30]
             [4  5  6]                   =  [19  32  45]

Every output is a weighted sum of all inputs, so W has as many rows as there are inputs and as many
columns as there are outputs. Put more rows under `[1 2]`, and each is treated by itself: such rows
of independent inputs are a **batch**.

### Computational Complexity

| Layer, on a batch of B rows | Parameters | Time | New memory |
|---|---|---|---|
| `Linear(n, m)` | n m + m | O(B n m): 2 B n m FLOPs | O(B m) |
| `Flatten` | 0 | O(1), where a view will do | O(1): the view |
| `Dropout`, rows of n | 0 | O(B n) random numbers | O(B n) |
| `LayerNorm(n)` | 2 n | O(B n) | O(B n) |
| `Embedding(v, n)` | v n | O(B n), whatever v is | O(B n) |

Only `Linear` does more than O(1) work per number it reads, and only for B > 1: see Part 2.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import functools

import numpy as np

from << cookiecutter.package_name >>.activations import ReLU
from << cookiecutter.package_name >>.tensor import (
    arange,
    manual_seed,
)
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_composed,
    check_differentiable,
    check_equal,
    check_parameters,
    check_raises,
    check_uniform,
    exercise,
    normalized,
    replaced,
    show_results,
    times,
    uniform_parameter,
    weighted_sums,
)

# %% [markdown]
"""
## Exercise 1: Find every parameter
An optimizer must reach every weight, however deeply layers nest. A weight it misses stays random
for ever, without any error; a weight that two layers share must not be updated twice. So nobody
keeps a list by hand: the base class finds what the attributes hold, also in lists and tuples (not
in dicts). Say `outer.a` is a layer with a weight and
a bias, and `outer.pair = [outer.a, abs]`: then outer has two parameters, weight and bias, not four.

Here is this base class. Its `members()` lists what the attributes hold; the rest is yours.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def taken_apart(values):
    """Return values as a list, with lists and tuples replaced by what they hold."""
    found = []
    for value in values:
        found += taken_apart(value) if isinstance(value, (list, tuple)) else [value]
    return found


# After running this cell again, run all cells below again: they add methods to Layer.
class Layer:
    """A function that may own parameters (interface of torch.nn.Module).

    A subclass writes forward, with Tensor operations only. Its parameters are the
    Tensors that require gradients among its attributes, and those of layers inside it.
    """

    training = True  # of the class: no subclass needs to call super().__init__()

    def __call__(self, *inputs):
        """Compute: layer(x) is layer.forward(x)."""
        return self.forward(*inputs)

    def forward(self, *inputs):
        """Compute the output. Each subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def members(self):
        """Return what the attributes hold, in order, lists and tuples taken apart."""
        return taken_apart(vars(self).values())

    def eval(self):
        """Switch to inference: the opposite of train()."""
        return self.train(False)

    def __repr__(self):
        """Show the settings: every attribute but the Tensors."""
        settings = {k: v for k, v in vars(self).items() if not isinstance(v, Tensor)}
        words = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        return f"{type(self).__name__}({words})"


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Layer)
def parameters(self):
    """Return a list of every Tensor that requires gradients, here or in layers inside.

    Each stands there once, in the order of attributes; those of a layer in its place.
    """
    # TODO: collect the parameters of this layer and of all layers inside it.
    #
    # APPROACH
    # 1. A member may be a layer (which has parameters itself), a parameter, or neither.
    # 2. Of what occurs more than once, keep the first.
    #
    # EXAMPLE
    # >>> inner, outer = Layer(), Layer()
    # >>> inner.weight, outer.pair = ones(2, requires_grad=True), [inner, inner, abs]
    # >>> outer.parameters()
    # [Tensor([1., 1.], requires_grad=True)]
    #
    # HINTS
    # - `p in found` compares numbers, since Tensors have ==.
    # - dict.fromkeys(found) goes by hash, which for a Tensor is that of its identity,
    #   and keeps the order.
    ### BEGIN SOLUTION
    found = []
    for value in self.members():
        if isinstance(value, Layer):
            found += value.parameters()
        elif isinstance(value, Tensor) and value.requires_grad:
            found.append(value)
    return list(dict.fromkeys(found))
    ### END SOLUTION


# %% [markdown]
"""
### Testing parameters
Nested layers, lists, order, what is shared, and what was replaced.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-parameters-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
class Block(Layer):
    """For tests: two parameters, a constant, a name, and whatever it is given."""

    def __init__(self, *inside):
        self.weight = ones(1, requires_grad=True)
        self.bias = ones(1, requires_grad=True)
        self.constant, self.name, self.inside = zeros(2), "block", inside

    def forward(self, x):
        return x * self.weight + self.bias


@exercise(1)
def test_parameters():
    def check_found(layer, expected, what, hint=""):
        found, ids = layer.parameters(), sorted(map(id, expected.values()))
        if type(found) is list and sorted(map(id, found)) == ids:
            hint = "the order is that of the attributes"
        check_parameters(found, expected, what, hint)

    a, b = Block(), Block()
    of_a = {"a.weight": a.weight, "a.bias": a.bias}
    of_b = {"b.weight": b.weight, "b.bias": b.bias}
    hint = "the constant requires no gradients, and a name is no Tensor"
    check_found(a, of_a, "a layer with two parameters", hint)
    check_found(Layer(), {}, "a layer without attributes")
    net, outer, lists, mixed = Block(a, b), Layer(), Layer(), Layer()
    of_net = {"net.weight": net.weight, "net.bias": net.bias}
    of_all = of_net | of_a | of_b
    hint = "what a layer inside returns from parameters() belongs to the list, too"
    check_found(net, of_all, "a and b inside net", hint)
    outer.net = net
    check_found(outer, of_all, "net, with a and b, inside another layer", hint)
    lists.inside = [ReLU(), abs, (b, [Block])]
    check_found(lists, of_b, "b in a list of lists", "members() takes lists apart")
    mixed.first, mixed.several = a, lists.inside
    mixed.last = ones(2, requires_grad=True)
    want = of_a | of_b | {"last": mixed.last}
    check_found(mixed, want, "a layer, a list, a Tensor")
    check_found(mixed, want, "the same, in a second call")
    hint = "keep the first of each"
    again = Block(net, a)
    want = {"weight": again.weight, "bias": again.bias} | of_all
    check_parameters(again.parameters(), want, "a layer that occurs twice", hint)
    old, b.weight = b.weight, a.weight
    hint = "collect anew in each call, and keep the first of each"
    want = of_net | of_a | {"b.bias": b.bias}
    check_parameters(net.parameters(), want, "net, when b shares the weight of a", hint)
    b.weight, b.bias = Tensor(old), Tensor([1.0], requires_grad=True)
    want = of_net | of_a | {"the new bias": b.bias}
    hint = "collect anew in each call"
    check_parameters(net.parameters(), want, "net, when b has a constant weight", hint)
    print("✅ every parameter is found, once")


test_parameters()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-parameters-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "deeper nesting · dicts are not searched · parameters that changed since")
def test_parameters_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: deeper nesting
    blocks = [Block()]
    for _ in range(4):
        blocks.append(Block(abs, [[blocks[-1]], (ReLU(),)], blocks[0]))
    want = {}
    for number in (4, 3, 2, 1, 0):
        block = blocks[number]
        want |= {f"weight {number}": block.weight, f"bias {number}": block.bias}
    deep = blocks[-1]
    check_parameters(deep.parameters(), want, "five layers deep")
    # hidden: dicts are not searched
    odd = Layer()
    odd.kind, odd.table = Block, {"no": ones(2, requires_grad=True)}
    odd.bias = deep.bias
    check_parameters(odd.parameters(), {"bias": deep.bias}, "a class, a dict, a Tensor")
    # hidden: parameters that changed since
    blocks[2].bias.requires_grad, blocks[1].weight = False, ones(3, requires_grad=True)
    del want["bias 2"]
    want["weight 1"] = blocks[1].weight
    check_parameters(deep.parameters(), want, "after one was replaced and one fixed")
    ### END HIDDEN TESTS


test_parameters_beyond()

# %% [markdown]
"""
## Exercise 2: Two modes
`Dropout` works while a network trains and must rest while it answers. One call on the outermost
layer has to reach every layer inside, and no other network: somebody may be training the one while
the other answers. Every layer starts in training mode, by the attribute `training` of the class,
which all layers share. An attribute of the same name on one object hides it, for this object alone.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-train", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Layer)
def train(self, mode=True):
    """Set training to mode, here and in every layer inside; return self."""
    # TODO: set the mode of this layer and of all layers inside it.
    #
    # APPROACH
    # 1. Set it for this object.
    # 2. Pass it on to every layer among the members, whatever mode that has.
    # 3. Return self, so that `net = Net().eval()` works.
    #
    # EXAMPLE
    # >>> net = Layer()
    # >>> net.train(False).training, net.train().training
    # (False, True)
    #
    # HINTS
    # - Layer.training is shared by all layers, self.training belongs to one object.
    ### BEGIN SOLUTION
    self.training = mode
    for value in self.members():
        if isinstance(value, Layer):
            value.train(mode)
    return self
    ### END SOLUTION


# %% [markdown]
"""
### Testing modes
There and back, through nested layers and lists, and past other networks.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-train-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(2)
def test_train():
    leaf, other, middle = Block(), Block(), Block(Block())
    net = Block([leaf, ReLU(), (abs, Block)], middle)
    for mode in (False, True, False):
        what = f"net.train({mode})"
        check_equal(net.train(mode) is net, True, f"{what} returns net", "return self")
        modes = [x.training for x in (net, leaf, middle, middle.inside[0])]
        hint = "every layer among the members needs train(mode), too"
        check_equal(modes, [mode] * 4, f"{what}, training from outside in", hint)
        hint = "self.training belongs to one object, type(self).training to all"
        check_equal(other.training, True, f"{what}, then other.training", hint)
    check_equal(Block().training, True, "training of a new layer", hint)
    check_equal(net.train().training, True, "net.train().training")
    leaf.train(False)
    modes = net.train().training, leaf.training
    hint = "pass it on, whatever mode this layer has"
    check_equal(modes, (True, True), "net.train(), where only leaf rested", hint)
    net.eval()
    leaf.train()
    modes = net.training, middle.training, leaf.training
    check_equal(modes, (False, False, True), "after net.eval() and leaf.train()")
    print("✅ modes reach every layer of a network, and no other")


test_train()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-train-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "lists of lists · layers that occur twice · nothing else changes")
def test_train_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: lists of lists
    a, b, c = Block(), Block(), Block()
    deep = Block(ReLU(), [abs, (a, [[b]])], Block, c)
    for mode in (False, True, False):
        modes = [layer.training for layer in (deep.train(mode), a, b, c)]
        check_equal(modes, [mode] * 4, f"train({mode}), lists of lists")
    # hidden: layers that occur twice
    twice = Block(a, [a, Block(a)])
    modes = twice.train().training, a.training, b.training, Layer.training
    check_equal(modes, (True, True, False, True), "one layer, three times; others")
    # hidden: nothing else changes
    weight, names = b.weight, list(vars(b))
    same = b.eval().weight is weight and weight.requires_grad
    check_equal(same, True, "the weight after eval()")
    check_equal(list(vars(b)), names, "attributes after eval()")
    ### END HIDDEN TESTS


test_train_beyond()

# %% [markdown]
"""
## Exercise 3: The first weights
Were all weights equal, all units of a layer would compute the same and learn the same: so they
start random. How large? A sum of n products x w, with independent weights of mean 0, has the mean
square n · Var(w) · E[x²], and the ReLU behind it sets half of the sums to 0:

![A Linear turns the mean square E of x squared into n times Var w times that, and ReLU keeps half; over fifty layers only Var w = 2 / n neither vanishes nor explodes](scale.svg)

So before a ReLU Var(w) should be 2 / n, where n is fan_in, the number of inputs (**Kaiming**
He and others, 2015). **Xavier** Glorot and Bengio (2010) had no ReLU. They wanted 1 / fan_in for
what flows forward and 1 / fan_out, with the number of outputs, for gradients, which flow backward,
and chose 2 / (fan_in + fan_out) between the two. What computers draw most cheaply is uniform: numbers
between -a and a have the variance a² / 3, so a variance of 2 / 6 needs a = 1.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-init", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def uniform(shape, bound):
    """Return a parameter, uniform in [-bound, bound), that manual_seed repeats.

    A parameter is a float32 Tensor that requires gradients.
    """
    # TODO: stretch and shift what rand(shape) draws from [0, 1).
    ### BEGIN SOLUTION
    return Tensor((rand(shape) * 2 - 1) * bound, requires_grad=True)
    ### END SOLUTION


def kaiming_uniform(shape):
    """Return a parameter of shape (fan_in, fan_out) and variance 2 / fan_in."""
    # TODO: find the bound that gives this variance, and call uniform.
    #
    # APPROACH
    # 1. Set bound² / 3 equal to the variance that the docstring names.
    # 2. Solve for the bound.
    #
    # EXAMPLE
    # >>> kaiming_uniform((6, 4)).shape  # its numbers lie in [-1, 1)
    # (6, 4)
    # >>> xavier_uniform((6, 18)).requires_grad  # its numbers lie in [-0.5, 0.5)
    # True
    #
    # HINTS
    # - What Tensor operations return requires no gradients yet: make it a Tensor that
    #   does, by requires_grad=True.
    ### BEGIN SOLUTION
    return uniform(shape, math.sqrt(6 / shape[0]))
    ### END SOLUTION


def xavier_uniform(shape):
    """Return a parameter (fan_in, fan_out) of variance 2 / (fan_in + fan_out)."""
    # TODO: the same for this variance.
    ### BEGIN SOLUTION
    return uniform(shape, math.sqrt(6 / (shape[0] + shape[1])))
    ### END SOLUTION


# %% [markdown]
"""
### Testing first weights
Thousands of numbers: their largest, mean and variance; and that a seed repeats them.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-init-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
@exercise(3)
def test_init():
    manual_seed(3)
    first, second = (uniform((2, 2), 1.0).data.tolist() for _ in range(2))
    check_equal(first != second, True, "two calls give different weights")
    hint = "2 * rand - 1 is uniform in [-1, 1); it must require gradients"
    check_uniform(uniform((50, 80), 0.5), (50, 80), 0.5, "uniform((50, 80), 0.5)", hint)
    check_uniform(uniform((3000,), 7.0), (3000,), 7.0, "uniform((3000,), 7.0)", hint)
    hint = "fan_in is shape[0]; the variance of such a draw is bound² / 3"
    for shape, bound in {(150, 60): 0.2, (24, 200): 0.5, (6, 800): 1.0}.items():
        what = f"kaiming_uniform({shape})"
        check_uniform(kaiming_uniform(shape), shape, bound, what, hint)
    for shape, bound in {(200, 400): 0.1, (104, 46): 0.2, (4, 596): 0.1}.items():
        what = f"xavier_uniform({shape})"
        check_uniform(xavier_uniform(shape), shape, bound, what, hint)
    manual_seed(3)
    again = uniform((2, 2), 1.0).data.tolist()
    check_equal(again, first, "uniform((2, 2), 1.0) after the same seed", "use rand")
    print("✅ the first weights have the right scale")


test_init()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-init-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(3, "other shapes and bounds · other seeds")
def test_init_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes and bounds
    rng = np.random.default_rng(3)
    for _ in range(3):
        n, m = (int(size) for size in rng.integers(40, 120, size=2))
        bound = float(rng.uniform(0.1, 3.0))
        what = f"uniform(({n}, 20, 3), {bound})"
        check_uniform(uniform((n, 20, 3), bound), (n, 20, 3), bound, what)
        bound = math.sqrt(3 * 2 / n)
        check_uniform(kaiming_uniform((n, m)), (n, m), bound, f"kaiming, {n, m}")
        bound = math.sqrt(3 * 2 / (n + m))
        check_uniform(xavier_uniform((n, m)), (n, m), bound, f"xavier, {n, m}")
    # hidden: other seeds
    for make in (kaiming_uniform, xavier_uniform):
        drawn = []
        for seed in (5, 6, 5):
            manual_seed(seed)
            drawn.append(make((3, 4)).data.tolist())
        repeats = drawn[0] == drawn[2] != drawn[1]
        check_equal(repeats, True, f"seeds repeat {make.__name__}")
    ### END HIDDEN TESTS


test_init_beyond()

# %% [markdown]
"""
## Exercise 4: Linear
The layer that does the work: every output is a weighted sum of all inputs, plus a bias, as worked
out in Part 1 above. Keras calls it `Dense`. The bias of shape (m,) broadcasts over all rows, and
what comes in may have any number of dimensions before the last. Weight and bias start as in
PyTorch, uniform with the bound 1 / √in_features; what that does to a deep network, you will
measure. `@tensor_function` lets
<% if cookiecutter.last_module >= "05" %>Module 05<% else %>others<% endif %> put a faster `linear` in its place.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-linear", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@tensor_function
def linear(x, weight, bias=None):
    """Return x @ weight + bias of shapes (..., n) @ (n, m) + (m,)."""
    # TODO: the formula, with and without a bias.
    ### BEGIN SOLUTION
    out = x @ weight
    return out if bias is None else out + bias
    ### END SOLUTION


class Linear(Layer):
    """y = x @ weight + bias, weight (in_features, out_features) (torch.nn.Linear)."""

    def __init__(self, in_features, out_features, bias=True):
        """Draw weight and bias from [-bound, bound) with bound = 1 / sqrt(in_features).

        Keep in_features and out_features; without a bias, the attribute bias is None.
        """
        # TODO: make the layer that owns weight and bias.
        #
        # APPROACH
        # 1. Keep the two sizes as attributes: then print(layer) shows them.
        # 2. Draw both parameters with uniform, the weight first.
        # 3. In forward, look at the last size of x before you call linear.
        #
        # EXAMPLE
        # >>> Linear(3, 2)(ones(5, 3)).shape
        # (5, 2)
        # >>> Linear(3, 2)
        # Linear(in_features=3, out_features=2)
        #
        # HINTS
        # - x.shape[-1:] is a tuple, even if x has no dimensions at all.
        # - f"{self}" is what print(self) shows: a good beginning for a message.
        ### BEGIN SOLUTION
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features)
        self.weight = uniform((in_features, out_features), bound)
        self.bias = uniform((out_features,), bound) if bias else None
        ### END SOLUTION

    def forward(self, x):
        """Return y of shape (..., out_features).

        RuntimeError unless the last size of x is in_features; it says "Linear",
        in_features and the shape of x.
        """
        ### BEGIN SOLUTION
        if x.shape[-1:] != (self.in_features,):
            raise RuntimeError(
                f"{self} needs inputs whose last size is {self.in_features}, "
                f"got shape {x.shape}; Flatten() makes one row of each picture"
            )
        return linear(x, self.weight, self.bias)
        ### END SOLUTION


Dense = Linear  # its name in Keras

# %% [markdown]
"""
### Testing Linear
Known weights, rows of every shape, the first weights, the errors, and that Tensor operations lead
from x and the parameters to y. (The test brings a `uniform` of its own.)
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-linear-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(4)
def test_linear():
    manual_seed(4)
    with replaced(globals(), uniform=uniform_parameter):
        layer, bare, wide = Linear(2, 3), Linear(2, 3, bias=False), Linear(100, 500)
    hint = "the bound is 1 / sqrt(in_features), for both"
    check_uniform(wide.weight, (100, 500), 0.1, "Linear(100, 500).weight", hint)
    check_uniform(wide.bias, (500,), 0.1, "Linear(100, 500).bias", hint)
    check_equal(bare.bias, None, "Linear(2, 3, bias=False).bias")
    sizes = layer.in_features, layer.out_features
    check_equal(sizes, (2, 3), "in_features and out_features of Linear(2, 3)")
    tensors = [v for v in vars(layer).values() if isinstance(v, Tensor)]
    tensors.sort(key=lambda t: t is layer.bias)  # their order is no matter here
    own = {"weight": layer.weight, "bias": layer.bias}
    check_parameters(tensors, own, "the Tensors of Linear(2, 3)")
    weight = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    bias = Tensor([10.0, 20.0, 30.0], requires_grad=True)
    layer.weight, layer.bias, bare.weight = weight, bias, weight
    x, y = Tensor([[1.0, 2.0], [0.0, 1.0]]), [[19.0, 32.0, 45.0], [14.0, 25.0, 36.0]]
    plain = [[9.0, 12.0, 15.0], [4.0, 5.0, 6.0]]
    check(linear(x, weight, bias), y, "linear(x, weight, bias), two rows")
    check(linear(x, weight), plain, "linear(x, weight)")
    check(layer(x), y, "Linear on two rows")
    check(bare(x), plain, "the same without bias")
    check(layer(x[0]), y[0], "a single row, of shape (2,)")
    check(layer(x.reshape(2, 1, 2)), [y[:1], y[1:]], "shape (2, 1, 2)")
    check_equal(layer(ones(0, 2)).shape, (0, 3), "the shape for an empty batch")
    double = Tensor([0.1, 0.2], np.float64)
    check(layer(double), [10.9, 21.2, 31.5], "a float64 row", np.float64)
    check(x, [[1.0, 2.0], [0.0, 1.0]], "x afterwards")
    path = {"x": x, "weight": weight, "bias": bias}
    check_differentiable(lambda: layer(x), path, "Linear", constants=False)
    for bad in (ones(5, 3), ones(3), ones(2, 1), Tensor(1.0)):
        words, what = ["Linear", "2", str(bad.shape)], f"Linear(2, 3) of {bad.shape}"
        hint = "compare x.shape[-1:] before you multiply"
        check_raises(RuntimeError, words, lambda bad=bad: layer(bad), what, hint)
    print("✅ Linear works, and says what is wrong when it does not")


test_linear()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-linear-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(4, "shapes, dtypes · first weights, in order · integers, views · calls linear")
def test_linear_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: shapes, dtypes
    rng, layers = np.random.default_rng(4), {}
    with replaced(globals(), uniform=uniform_parameter):
        for bias in (True, False):
            manual_seed(5)
            layers[bias] = Linear(5, 4, bias)
        drawn, small = {n: Linear(n, 900) for n in (16, 1)}, Linear(2, 1)
    first = [layer.weight.data.tolist() for layer in layers.values()]
    for shape in ((5,), (3, 5), (2, 3, 5), (2, 0, 5), (1, 1, 2, 5)):
        for dtype in (np.float32, np.float64):
            for bias, layer in layers.items():
                x, w = Tensor(rng.normal(size=shape), dtype), rng.normal(size=(5, 4))
                layer.weight = Tensor(w, dtype, requires_grad=True)
                b = rng.normal(size=4) if bias else np.zeros(4)
                if bias:
                    layer.bias = Tensor(b, dtype, requires_grad=True)
                w, b = (Tensor(v, dtype).data.tolist() for v in (w, b))
                before, attributes = x.data.tolist(), dict(vars(layer))
                want = weighted_sums(x.data.reshape(-1, 5).tolist(), w, b)
                want = np.reshape(want, (*shape[:-1], 4)).tolist()
                what = f"Linear(5, 4, {bias}) of {shape}"
                if 0 not in shape:
                    check(layer(x), want, what, dtype)
                check_equal(layer(x).shape, (*shape[:-1], 4), what)
                same = x.data.tolist(), layer.weight.data.tolist(), vars(layer)
                check_equal(same, (before, w, attributes), f"{what}, afterwards")
    # hidden: first weights, in order
    what = "the weight of Linear(5, 4), with and without a bias, after the same seed"
    check_equal(first[0], first[1], what, "draw the weight first")
    for n, layer in drawn.items():
        check_uniform(layer.weight, (n, 900), n**-0.5, f"Linear({n}, 900).weight")
        check_uniform(layer.bias, (900,), n**-0.5, f"Linear({n}, 900).bias")
    # hidden: integers, views
    small.weight = Tensor([[1.0], [2.0]], requires_grad=True)
    small.bias = Tensor([0.5], requires_grad=True)
    whole = Tensor([[3, 4]])
    check(small(whole), [[11.5]], "an integer row")
    check_equal(whole.dtype, np.dtype(np.int64), "the dtype of x afterwards")
    view = Tensor([[1.0, 0.0], [3.0, 2.0]]).T
    check(small(view), [[7.5], [4.5]], "a transposed view")
    # hidden: calls linear
    mine, calls = Tensor.linear, []  # where @tensor_function keeps it
    Tensor.linear = lambda *x, **named: calls.append(1) or mine(*x, **named)
    small(view)
    Tensor.linear = staticmethod(mine)
    check_equal(bool(calls), True, "does forward call linear?")
    ### END HIDDEN TESTS


test_linear_beyond()

# %% [markdown]
"""
## Exercise 5: Sequential
Most networks are a chain. `Sequential` is one, and a layer itself, so chains nest. It calls
whatever it holds: layers, your activations, or any function. Here is a chain that turns the 8 × 8
pixels of a handwritten digit into ten scores, one for each digit it might be, and every parameter
in it:

![A picture of 8 by 8 pixels becomes 64 numbers, 32 units, ReLU, and 10 scores; the two Linear layers own 2,080 and 330 numbers, the others none](network.svg)

Only the two `Linear` own anything. You will run this very chain at the end, with other widths.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-sequential", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Sequential(Layer):
    """A chain: each layer's output is the next one's input (torch.nn.Sequential)."""

    def __init__(self, *layers):
        """Keep the layers, any functions of one Tensor, in self.layers."""
        # TODO: keep the layers; then let x pass through them.
        #
        # APPROACH
        # 1. A list or tuple in self.layers is enough: there members() finds the layers.
        # 2. Each layer gets what the one before it returned.
        #
        # EXAMPLE
        # >>> Sequential(abs, lambda x: x + 1)(Tensor([-2.0]))
        # Tensor([3.])
        #
        # HINTS
        # - *layers makes a tuple of all arguments.
        # - Functions have no method forward.
        ### BEGIN SOLUTION
        self.layers = list(layers)
        ### END SOLUTION

    def forward(self, x):
        """Return what the last layer returns; without layers, x."""
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer(x)
        return x
        ### END SOLUTION

    def __len__(self):
        """Return the number of layers."""
        return len(self.layers)

    def __getitem__(self, i):
        """Return layer i; so `for layer in net` works, too."""
        return self.layers[i]

    def __repr__(self):
        """Show one layer a line, with its number."""
        rows = [f"\n({i}): {layer}" for i, layer in enumerate(self.layers)]
        return f"Sequential({''.join(rows)}".replace("\n", "\n  ") + "\n)"


# %% [markdown]
"""
### Testing Sequential
Order, functions and layers, chains in chains, the empty chain, and what members() finds.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-sequential-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(5)
def test_sequential():
    x, a, b = Tensor([-2.0, 3.0]), Block(), Block()
    a.bias, b.weight = (Tensor([v], requires_grad=True) for v in (0.5, 10.0))
    hint = "each gets what the one before it returned"
    check(Sequential(abs, lambda x: x + 1)(x), [3.0, 4.0], "|x|, then + 1", hint=hint)
    check(Sequential(lambda x: x + 1, abs)(x), [1.0, 4.0], "x + 1, then |·|", hint=hint)
    relu = ReLU()
    net = Sequential(a, relu, b)
    check(net(x), [1.0, 36.0], "x + 0.5, ReLU, 10 x + 1", hint=hint)
    check(net(x), [1.0, 36.0], "the same, called again")
    check(Sequential()(x), [-2.0, 3.0], "a chain without layers")
    check(Sequential(a, a)(x), [-1.0, 4.0], "the same layer twice")
    chain = Sequential(Sequential(a, abs), net, Sequential())
    check(chain(x), [21.0, 41.0], "chains in a chain", hint=hint)
    double = Tensor([0.1], np.float64)
    check(Sequential(abs, abs)(double), [0.1], "a chain on float64", np.float64)
    check(x, [-2.0, 3.0], "x afterwards")
    members = net.members()
    found = [any(value is layer for value in members) for layer in (a, relu, b)]
    hint = "keep them in self.layers, in a list or tuple"
    check_equal(found, [True] * 3, "does members() find the layers?", hint)
    path = {"x": x, "weight": b.weight, "bias": a.bias}
    check_differentiable(lambda: net(x), path, "a chain")
    print("✅ a chain of layers is a layer")


test_sequential()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-sequential-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(5, "long chains, chains in chains · the chain stays as it is")
def test_sequential_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: long chains, chains in chains
    rng = np.random.default_rng(5)
    for length in (1, 4, 30):
        steps = rng.integers(-3, 4, size=length).tolist()
        blocks = [lambda x, step=step: x * 2 - step for step in steps]
        nested = [Sequential(*blocks[i : i + 3]) for i in range(0, length, 3)]
        want = 0.75
        for step in steps:
            want = want * 2 - step
        for chain in (Sequential(*blocks), Sequential(*nested)):
            got = chain(Tensor([0.75], np.float64))
            check(got, [want], f"a chain of {length} functions", np.float64)
    # hidden: the chain stays as it is
    before = dict(vars(chain)), list(chain.layers)
    chain(Tensor([1.0]))
    check_equal((dict(vars(chain)), list(chain.layers)), before, "the chain afterwards")
    check_equal((len(chain), chain[-1] is nested[-1]), (10, True), "len and chain[-1]")
    inner = Sequential(Block())
    inner[0].training = False
    inner(Tensor([1.0]))
    check_equal(inner[0].training, False, "the mode of a layer that rests in a chain")
    check_parameters(
        [v for v in inner[0].members() if isinstance(v, Tensor) and v.requires_grad],
        {"weight": inner[0].weight, "bias": inner[0].bias},
        "a layer in a chain",
    )
    ### END HIDDEN TESTS


test_sequential_beyond()

# %% [markdown]
"""
## Exercise 6: Flatten
A picture is (channels, height, width), but `Linear` wants rows. `Flatten` merges the dimensions
from start_dim to end_dim, both included, into one; by default all but the batch. From (2, 3, 4) it
makes (2, 12): in memory the 12 numbers of a picture lie side by side already, so the result is a
view, and no number moves. As everywhere, a dimension may count from the end.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-flatten", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Flatten(Layer):
    """Makes one dimension of start_dim to end_dim, both included (torch.nn.Flatten)."""

    def __init__(self, start_dim=1, end_dim=-1):
        """Keep start_dim and end_dim, either of which may count from the end."""
        # TODO: find the two dimensions, multiply the sizes between them, reshape.
        #
        # APPROACH
        # 1. Here, only keep the two as they are given.
        # 2. In forward, refuse what is not there; then count both from the front.
        # 3. The new size is a product. (-1 will not do: an empty batch fits any size.)
        #
        # EXAMPLE
        # >>> Flatten()(zeros(8, 3, 4, 4)).shape
        # (8, 48)
        # >>> Flatten(0, 1)(zeros(8, 3, 4, 4)).shape
        # (24, 4, 4)
        #
        # HINTS
        # - -1 % 4 is 3.
        # - math.prod((3, 4, 4)) is 48.
        ### BEGIN SOLUTION
        self.start_dim, self.end_dim = start_dim, end_dim
        ### END SOLUTION

    def forward(self, x):
        """Return x with these dimensions made one: a view, if its memory allows that.

        IndexError if x lacks one of the dimensions, RuntimeError if start_dim comes
        after end_dim; both say "Flatten", both dims as given, and the shape of x.
        """
        ### BEGIN SOLUTION
        if not all(-x.ndim <= dim < x.ndim for dim in (self.start_dim, self.end_dim)):
            raise IndexError(f"{self}: shape {x.shape} lacks one; use unsqueeze")
        start, end = self.start_dim % x.ndim, self.end_dim % x.ndim
        if start > end:
            raise RuntimeError(f"{self}: the start is after the end in shape {x.shape}")
        size = math.prod(x.shape[start : end + 1])
        return x.reshape(*x.shape[:start], size, *x.shape[end + 1 :])
        ### END SOLUTION


# %% [markdown]
"""
### Testing Flatten
Shapes, the order of the elements, shared memory, the errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-flatten-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_flatten():
    x = arange(24).reshape(2, 3, 4)
    want = [list(range(12)), list(range(12, 24))]
    check(Flatten()(x), want, "Flatten() of shape (2, 3, 4)")
    shared = np.shares_memory(Flatten()(x).data, x.data)
    check_equal(shared, True, "Flatten()(x) is a view of x", "reshape makes one")
    check_equal(x.shape, (2, 3, 4), "the shape of x afterwards")
    cases = {  # shape, start_dim, end_dim: the new shape
        ((2, 3, 4, 5), 1, 2): (2, 12, 5),
        ((2, 3, 4, 5), 0, -1): (120,),
        ((2, 3, 4), -3, -2): (6, 4),
        ((2, 3, 4), 1, 1): (2, 3, 4),
        ((0, 3, 4), 1, -1): (0, 12),
    }
    for (shape, start, end), want in cases.items():
        got, what = Flatten(start, end)(zeros(shape)), f"Flatten{start, end} of {shape}"
        check_equal(got.shape, want, what, "both dims are included")
    last = Flatten(-2, -1)
    shapes = [last(zeros(shape)).shape for shape in ((2, 3, 4), (3, 4))]
    check_equal(shapes, [(2, 12), (12,)], "Flatten(-2, -1) of (2, 3, 4), then (3, 4)")
    wrong = [((4,), 1, -1, IndexError), ((2, 3), 0, 2, IndexError)]
    wrong += [((2, 3), -3, 1, IndexError), ((2, 3, 4), 2, 1, RuntimeError)]
    for shape, start, end, error in wrong:
        layer, what = Flatten(start, end), f"Flatten({start}, {end}) of {shape}"
        words = ["Flatten", str(start), str(end), str(shape)]
        check_raises(error, words, lambda f=layer, s=shape: f(zeros(s)), what)
    real = ones(2, 3, 4)
    check_differentiable(lambda: Flatten()(real), {"x": real}, "Flatten")
    print("✅ pictures become rows")


test_flatten()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-flatten-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "random shapes and dims · sizes of zero · dims that are not there · views")
def test_flatten_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random shapes and dims
    rng = np.random.default_rng(6)
    for n in (1, 2, 3, 4, 5):
        shape = tuple(rng.integers(1, 5, size=n).tolist())
        y = rng.normal(size=shape)
        for first, last in [(i, j) for i in range(n) for j in range(i, n)]:
            start, end = np.array([first, last]) - n * rng.integers(2, size=2)
            start, end = int(start), int(end)
            size = 1
            for factor in shape[first : last + 1]:
                size *= factor
            want = y.reshape(*shape[:first], size, *shape[last + 1 :]).tolist()
            what = f"Flatten({start}, {end}) of shape {shape}"
            check(Flatten(start, end)(Tensor(y, np.float64)), want, what, np.float64)
    # hidden: sizes of zero
    cases = {((2, 3, 0), 0, 1): (6, 0), ((0, 3, 4), 0, 1): (0, 4)}
    cases |= {((2, 0, 4), 1, 2): (2, 0), ((0, 0), 0, 1): (0,)}
    for (shape, start, end), want in cases.items():
        what = f"Flatten({start}, {end}) of shape {shape}"
        check_equal(Flatten(start, end)(zeros(shape)).shape, want, what)
    # hidden: dims that are not there
    wrong = [((2, 3), 0, -3, IndexError), ((2, 3), 2, 1, IndexError)]
    wrong += [((), 1, -1, IndexError)]
    wrong += [((2, 3, 4), -1, end, RuntimeError) for end in (-2, 0)]
    for shape, start, end, error in wrong:
        layer, what = Flatten(start, end), f"Flatten({start}, {end}) of {shape}"
        words = ["Flatten", str(start), str(end), str(shape)]
        check_raises(error, words, lambda f=layer, s=shape: f(zeros(s)), what)
    # hidden: views
    t = Tensor([[[1.0, 2.0]], [[3.0, 4.0]]])  # (2, 1, 2)
    check(Flatten()(t.permute(2, 1, 0)), [[1.0, 3.0], [2.0, 4.0]], "a permuted view")
    check(Flatten(0)(t[:, :, 0]), [1.0, 3.0], "every other number")
    ### END HIDDEN TESTS


test_flatten_beyond()

# %% [markdown]
"""
## Exercise 7: Dropout
While training, each number becomes 0 with probability p, anew in every call, so no unit can rely on
any particular other one (Srivastava et al. 2014). **Inverted** dropout divides the survivors by 1 - p
at once: then a number keeps its expected value, and inference needs no correction.

![Dropout with p = 0.5: six draws, the three that are at least 0.5 keep their number, the mask has 2 where a number is kept, and the product has mean 3 instead of 3.5](dropout.svg)

At rest the layer returns x itself, draws nothing and costs nothing.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Dropout(Layer):
    """Sets numbers to 0 at random while training (torch.nn.Dropout)."""

    def __init__(self, p=0.5):
        """Keep p, the probability that a number is dropped.

        ValueError, with this p in the message, unless it is from 0 to 1.
        """
        # TODO: check and keep p; then drop while training, and do nothing otherwise.
        #
        # APPROACH
        # 1. In forward, first the cases that return x itself: at rest, or p = 0.
        # 2. Draw, compare, scale: the rows of the figure, the draws by rand.
        # 3. The mask is a Tensor of the dtype of x, or float64 loses its precision.
        # 4. p = 1 keeps nothing: the mask is 0, and nothing is divided by 0.
        #
        # EXAMPLE
        # >>> Dropout(0.5).eval()(ones(4))
        # Tensor([1., 1., 1., 1.])
        # >>> Dropout(1.0)(ones(4))
        # Tensor([0., 0., 0., 0.])
        #
        # HINTS
        # - self.training is the mode.
        # - Tensor(keep, x.dtype) makes 0s and 1s of booleans. The mask is a constant:
        #   this is no cut in the path from x to the result.
        ### BEGIN SOLUTION
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout needs a probability p from 0 to 1, got {p}")
        self.p = p
        ### END SOLUTION

    def forward(self, x):
        """Return x with a share of about p set to 0 and all else divided by 1 - p.

        x itself at rest, that is in eval mode.
        """
        ### BEGIN SOLUTION
        if not self.training or self.p == 0:
            return x
        keep = rand(x.shape) >= self.p
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        mask = Tensor(keep, x.dtype) * scale
        return x * mask
        ### END SOLUTION


# %% [markdown]
"""
### Testing Dropout
Shares among 10,000 numbers, exact values, both modes, the extremes 0 and 1, a mask of its own for
every number and every call, and that a seed repeats it.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-dropout-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}}
@exercise(7)
def test_dropout():
    manual_seed(7)
    for p, dtype in ((0.5, np.float32), (0.3, np.float64)):
        x, what = Tensor(np.linspace(1.0, 2.0, 10_000), dtype), f"Dropout({p})"
        before, out = x.data.tolist(), Dropout(p)(x)
        check_equal(out.shape, (10_000,), f"{what}, shape")
        kept = [v != 0 for v in out.data.tolist()]
        share = 1 - sum(kept) / 10_000
        hint = "p is the probability of being dropped"
        near = abs(share - p) < 0.025
        check_equal(near, True, f"{what} drops {share:.1%}, which is about p", hint)
        want = [v / (1 - p) * k for v, k in zip(before, kept, strict=True)]
        hint = "survivors are divided by 1 - p, in the dtype of x"
        check(out, want, f"{what}, {dtype.__name__}", dtype, hint)
        check(x, before, "x afterwards", dtype)
    small, half = ones(40, 50), Dropout(0.5)
    first, second = half(small).data, half(small).data
    check_equal(bool((first != second).any()), True, "a second call draws another mask")
    rows, columns = (len(set(map(tuple, a.tolist()))) for a in (first, first.T))
    what = "different rows and columns of the mask"
    check_equal((rows, columns), (40, 50), what, "draw a number for each element of x")
    check_differentiable(lambda: half(small), {"x": small}, "Dropout")
    half.training = False
    check_equal(half(small) is small, True, "at rest it returns x itself")
    check_equal(Dropout(0)(small) is small, True, "for p = 0 it returns x itself")
    check(Dropout(1)(ones(2)), [0.0, 0.0], "Dropout(1): everything is dropped")
    check_equal(Dropout().p, 0.5, "p of Dropout()")
    for bad in (1.5, -0.1):
        call, what = (lambda bad=bad: Dropout(bad)), f"Dropout({bad})"
        check_raises(ValueError, [str(bad)], call, what)
    half.training, again = True, []
    for _ in range(2):
        manual_seed(8)
        again.append(half(small).data.tolist())
    check_equal(again[0] == again[1], True, "manual_seed repeats a mask", "use rand")
    print("✅ Dropout drops while training, and rests otherwise")


test_dropout()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-dropout-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(7, "p, dtypes · rest draws nothing · p = 1, path from x · p that is no share")
def test_dropout_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: p, dtypes
    manual_seed(9)
    given = np.random.default_rng(7).uniform(1.0, 2.0, size=(50, 20, 10))
    for p in (0.1, 0.75, 0.9):
        for dtype in (np.float16, np.float32, np.float64):
            x, what = Tensor(given, dtype), f"Dropout({p}), {dtype.__name__}"
            out, kept = Dropout(p)(x), []
            values, got = x.data.ravel().tolist(), out.data.ravel().tolist()
            kept = [v != 0 for v in got]
            share = 1 - sum(kept) / 10_000
            near = abs(share - p) < 0.025
            check_equal(near, True, f"{what} drops {share:.1%}, which is about p")
            want = [v / (1 - p) * k for v, k in zip(values, kept, strict=True)]
            check(out, np.reshape(want, x.shape).tolist(), what, dtype)
            check_equal(x.data.ravel().tolist(), values, f"{what}: x afterwards")
    # hidden: rest draws nothing
    manual_seed(11)
    first = rand(3).data.tolist()
    manual_seed(11)
    small = ones(2, 3)
    for p in (0.0, 0.5, 1.0):
        layer = Dropout(p)
        layer.training = False
        check_equal(layer(small) is small, True, f"Dropout({p}) at rest")
    check_equal(rand(3).data.tolist(), first, "random numbers after a Dropout at rest")
    layer.training = True
    check_equal(layer(small) is small, False, "training again")
    # hidden: p = 1, path from x
    for dtype in (np.float32, np.float64):
        x = Tensor([[-1000.0, 0.0, 1000.0]], dtype)
        check(Dropout(1.0)(x), [[0.0, 0.0, 0.0]], "Dropout(1.0)", dtype)
        check_differentiable(lambda x=x: Dropout(1.0)(x), {"x": x}, "Dropout(1.0)")
        check_equal(Dropout()(ones(0, 3, dtype=dtype)).shape, (0, 3), "an empty batch")
    # hidden: p that is no share
    for bad in (1.0001, -1e-9, math.nan, math.inf):
        call, what = (lambda bad=bad: Dropout(bad)), f"Dropout({bad})"
        check_raises(ValueError, [str(bad)], call, what)
    ### END HIDDEN TESTS


test_dropout_beyond()

# %% [markdown]
"""
## Exercise 8: LayerNorm
Instead of hoping that the first weights keep the scale, compute it. Take the row `1 2 6`: its mean
is 3, the distances from it are `-2 -1 3`, their squares have the mean 14 / 3, so divide by √(14 /
3): `-0.93 -0.46 1.39`, with mean 0 and variance 1. Then let two parameters, weight and bias, choose
another scale if training wants one (Ba, Kiros and Hinton 2016). Each row by itself: unlike batch
normalization, it works for any batch and is the same in both modes.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-layernorm", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class LayerNorm(Layer):
    """(x - mean) / sqrt(var + eps) * weight + bias (torch.nn.LayerNorm)."""

    def __init__(self, normalized_shape, eps=1e-5):
        """Keep normalized_shape, an int, tuple or list, as a tuple, and eps.

        weight is made of ones, bias of zeros; both have this shape, and are parameters.
        """
        # TODO: normalize over the last dimensions, as many as normalized_shape has.
        #
        # APPROACH
        # 1. Here, as_tuple((normalized_shape,)) makes a tuple of an int, too.
        # 2. In forward, compare the last sizes of x with it.
        # 3. As for the row above, by Tensor operations. The variance divides by n, not
        #    n - 1, and eps stands inside the root: a row of equal numbers is no 0 / 0.
        # 4. A float16 has no room for the square of 300: compute such x in float32,
        #    and leave the result so.
        #
        # EXAMPLE
        # >>> LayerNorm(2)(Tensor([[1.0, 3.0], [5.0, 5.0]]))
        # Tensor([[-0.999995,  0.999995],
        #         [ 0.      ,  0.      ]])
        #
        # HINTS
        # - Over two dimensions, axis is (-2, -1). keepdims=True: the result broadcasts.
        # - x.var divides by n - 1, unless told correction=0.
        # - Only if x.dtype == "float16", take x * Tensor(1.0): that is float32.
        ### BEGIN SOLUTION
        self.normalized_shape, self.eps = as_tuple((normalized_shape,)), eps
        self.weight = ones(self.normalized_shape, requires_grad=True)
        self.bias = zeros(self.normalized_shape, requires_grad=True)
        ### END SOLUTION

    def forward(self, x):
        """Return the normalized x, of the same shape.

        RuntimeError if x does not end in normalized_shape; it says "LayerNorm" and both
        shapes.
        """
        ### BEGIN SOLUTION
        n = len(self.normalized_shape)
        if x.shape[-n:] != self.normalized_shape:
            raise RuntimeError(f"{self} needs these last sizes, got shape {x.shape}")
        if x.dtype == "float16":
            x = x * Tensor(1.0)
        axes = tuple(range(-n, 0))
        centered = x - x.mean(axis=axes, keepdims=True)
        var = (centered * centered).mean(axis=axes, keepdims=True)
        return centered / (var + self.eps).sqrt() * self.weight + self.bias
        ### END SOLUTION


# %% [markdown]
"""
### Testing LayerNorm
Rows, a constant row, tiny numbers, one and two dimensions, the parameters, the errors.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-layernorm-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
@exercise(8)
def test_layernorm():
    norm, x = LayerNorm(3), Tensor([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])
    a, b, c = normalized([1.0, 2.0, 6.0])
    hint = "each row by itself; the variance divides by n, not n - 1"
    check(norm(x), [[a, b, c], [0.0, 0.0, 0.0]], "rows 1 2 6 and 5 5 5", hint=hint)
    check(norm(x[0]), [a, b, c], "a single row, of shape (3,)")
    tiny = Tensor([0.001, 0.002, 0.006], np.float64)
    want = normalized(tiny.data.tolist())
    hint = "eps stands inside the root"
    check(norm(tiny), want, "tiny float64 numbers", np.float64, hint)
    want = normalized([1.0, 2.0, 6.0], eps=2.0)
    check(LayerNorm(3, eps=2.0)(x[0]), want, "LayerNorm(3, eps=2.0) of 1 2 6")
    tensors = [v for v in norm.members() if isinstance(v, Tensor) and v.requires_grad]
    tensors.sort(key=lambda t: t is norm.bias)  # their order is no matter here
    own = {"weight": norm.weight, "bias": norm.bias}
    check_parameters(tensors, own, "the parameters of LayerNorm")
    check(norm.weight, [1.0, 1.0, 1.0], "the first weight")
    check(norm.bias, [0.0, 0.0, 0.0], "the first bias")
    norm.weight = Tensor([1.0, 10.0, 100.0], requires_grad=True)
    norm.bias = Tensor([0.5, 0.25, 0.0], requires_grad=True)
    want = [[a + 0.5, 10 * b + 0.25, 100 * c], [0.5, 0.25, 0.0]]
    check(norm(x), want, "with weight and bias", hint="times weight, then plus bias")
    wide = LayerNorm([2, 2])
    check_equal(wide.normalized_shape, (2, 2), "normalized_shape of LayerNorm([2, 2])")
    check_equal(wide.weight.shape, (2, 2), "the shape of its weight")
    cube = Tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 4.0]]])
    rows = normalized([1.0, 2.0, 3.0, 4.0]), normalized([0.0, 0.0, 0.0, 4.0])
    want, hint = [[r[:2], r[2:]] for r in rows], "over both dimensions at once"
    check(wide(cube), want, "LayerNorm([2, 2]) of shape (2, 2, 2)", hint=hint)
    check(x, [[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]], "x afterwards")

    def composed(x, weight, bias):
        norm.weight, norm.bias = weight, bias
        return norm(x)

    path = {"x": x, "weight": norm.weight, "bias": norm.bias}
    check_composed(composed, path, {k: t * t + 1 for k, t in path.items()}, "LayerNorm")
    for bad in (ones(3, 2), ones(3, 1), Tensor(1.0)):
        call, what = (lambda bad=bad: norm(bad)), f"LayerNorm(3) of {bad.shape}"
        check_raises(RuntimeError, ["LayerNorm", "(3,)", str(bad.shape)], call, what)
    print("✅ LayerNorm sets the scale, row by row")


test_layernorm()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-layernorm-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(8, "shapes and dtypes · large numbers · half precision · views · wrong shapes")
def test_layernorm_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: shapes and dtypes
    rng, plain = np.random.default_rng(8), LayerNorm(3)
    cases = [((4, 5), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 2, 3, 2), 3)]
    dtypes = np.float32, np.float64
    for shape, n, dtype in [(*case, d) for case in cases for d in dtypes]:
        last = shape[-n:]
        layer = LayerNorm(last if n > 1 else last[0], eps=0.01)
        x, w, b = (rng.normal(1.0, 0.2, size=s) for s in (shape, last, last))
        layer.weight = Tensor(w, dtype, requires_grad=True)
        layer.bias = Tensor(b, dtype, requires_grad=True)
        x, what = Tensor(x, dtype), f"LayerNorm({last}) of {shape}"
        before, rows = x.data.tolist(), x.data.reshape(-1, layer.weight.size).tolist()
        w, b = (p.data.ravel().tolist() for p in (layer.weight, layer.bias))
        rows = [zip(normalized(row, 0.01), w, b, strict=True) for row in rows]
        want = [[v * s + t for v, s, t in row] for row in rows]
        check(layer(x), np.reshape(want, shape).tolist(), what, dtype)
        after = x.data.tolist(), layer.weight.data.ravel().tolist()
        check_equal(after, (before, w), f"{what}: x and weight afterwards")
    # hidden: large numbers
    for row in ([-1000.0, 1000.0, 0.0], [10000.0, 10001.0, 10005.0], [1e-4, 0.0, 0.0]):
        for dtype in dtypes:
            check(plain(Tensor(row, dtype)), normalized(row), f"the row {row}", dtype)
    # hidden: half precision
    x = Tensor([[-1000.0, 0.0, 1000.0], [0.5, 0.25, 1.0]], np.float16)
    want = [normalized(row) for row in x.data.tolist()]
    check(plain(x), want, "float16 rows, computed in float32")
    path = {"x": x, "weight": plain.weight, "bias": plain.bias}
    check_differentiable(lambda: plain(x), path, "LayerNorm of float16")
    # hidden: views
    wide = Tensor([[1.0, 7.0], [2.0, 8.0], [6.0, 9.0]])
    want = [normalized([1.0, 2.0, 6.0]), normalized([7.0, 8.0, 9.0])]
    check(plain(wide.T), want, "a transposed view")
    check_equal(plain(ones(0, 3)).shape, (0, 3), "the shape for an empty batch")
    check(LayerNorm(1)(Tensor([[5.0], [7.0]])), [[0.0], [0.0]], "rows of one number")
    # hidden: wrong shapes
    pair = LayerNorm((2, 3))
    for bad in (ones(3, 2), ones(3), ones(1, 3), ones(2, 1), ones(6)):
        words = ["LayerNorm", "(2, 3)", str(bad.shape)]
        what = f"LayerNorm((2, 3)) of {bad.shape}"
        check_raises(RuntimeError, words, lambda bad=bad: pair(bad), what)
    ### END HIDDEN TESTS


test_layernorm_beyond()

# %% [markdown]
"""
## Exercise 9 (deeper): Embedding
A token is no quantity: token 7, perhaps a word, is not more than token 3. So each token gets a
vector of its own, one row of a table, and a lookup gathers rows:

![The index 2 0 2 gathers rows 2, 0 and 2 of a table of four rows of two numbers](lookup.svg)

That equals a `Linear` without bias on one-hot rows such as `0 0 1 0`, without multiplying all those
zeros. NumPy would silently read index -1 as the last row: you must not.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-embedding", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Embedding(Layer):
    """A table of vectors, looked up by row number (torch.nn.Embedding)."""

    def __init__(self, num_embeddings, embedding_dim):
        """Draw weight, of shape (num_embeddings, embedding_dim), by randn: a parameter.

        Keep both sizes as attributes.
        """
        # TODO: make the table; then check an index, and gather its rows.
        #
        # APPROACH
        # 1. randn draws the table.
        # 2. In forward, refuse an index whose dtype.kind is not in "iu".
        # 3. Refuse numbers below 0, or num_embeddings and above.
        # 4. Index the weight.
        #
        # EXAMPLE
        # >>> Embedding(10, 4)(Tensor([[1, 2, 1]])).shape
        # (1, 3, 4)
        #
        # HINTS
        # - Nobody differentiates an index, so you may look at index.data.
        # - For arrays, | is "or", and needs parentheses: (a < 0) | (a > 9).
        ### BEGIN SOLUTION
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = randn(num_embeddings, embedding_dim, requires_grad=True)
        ### END SOLUTION

    def forward(self, index):
        """Return copies of the rows that index, a Tensor of integers, names.

        The result's shape is index.shape + (embedding_dim,).
        RuntimeError says "Embedding" and the dtype if index is not of integers;
        IndexError says "Embedding", a bad index and num_embeddings.
        """
        ### BEGIN SOLUTION
        if index.dtype.kind not in "iu":
            raise RuntimeError(f"{self} needs ints, got {index.dtype}; try dtype=int")
        bad = index.data[(index.data < 0) | (index.data >= self.num_embeddings)]
        if bad.size:
            raise IndexError(f"{self} has no row {bad[0]}; the first is row 0")
        return self.weight[index]
        ### END SOLUTION


# %% [markdown]
"""
### Testing Embedding
Lookups, the errors, the table and its first numbers.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-embedding-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(9)
def test_embedding():
    manual_seed(9)
    table = Embedding(200, 50)
    check_equal((table.num_embeddings, table.embedding_dim), (200, 50), "both sizes")
    weight = table.weight
    got, want = (str(weight.dtype), weight.requires_grad), ("float32", True)
    check_equal(weight.shape, (200, 50), "the shape of weight")
    check_equal(got, want, "dtype and requires_grad of weight")
    values = weight.data.ravel().tolist()
    mean, var = (math.fsum(v**k for v in values) / 10_000 for k in (1, 2))
    normal = abs(mean) < 0.05 and abs(var - 1) < 0.07 and max(values) > 2.5
    what = f"weight, of mean {mean:.3f} and variance {var:.3f}, is normal"
    check_equal(normal, True, what, "use randn")
    table = Embedding(3, 2)
    table.weight = Tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], requires_grad=True)
    want = [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]
    check(table(Tensor([2, 0, 2])), want, "rows 2, 0, 2")
    check(table(Tensor([[1], [0]])), [[[2.0, 3.0]], [[0.0, 1.0]]], "index shape (2, 1)")
    check(table(Tensor(1)), [2.0, 3.0], "a single number as index")
    path = {"weight": table.weight}
    check_differentiable(lambda: table(Tensor([1])), path, "Embedding")
    hint = "NumPy counts from the end, you must not"
    for index, bad in {(0, -1): "-1", (1, 3): "3", (0, -3): "-3"}.items():
        call, what = (lambda i=index: table(Tensor(i))), f"index {index} of 3 rows"
        check_raises(IndexError, ["Embedding", bad, "3"], call, what, hint)
    for index, dtype in (([1.0], np.float32), ([True, False, True], np.bool_)):
        index, kind = Tensor(index, dtype), np.dtype(dtype).name
        call = functools.partial(table, index)
        check_raises(RuntimeError, ["Embedding", kind], call, f"an index of {kind}")
    print("✅ Embedding looks rows up, and nothing else")


test_embedding()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-embedding-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(9, "other dtypes and shapes · other errors · memory that nobody shares · seeds")
def test_embedding_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other dtypes and shapes
    rng, table = np.random.default_rng(9), Embedding(3, 2)
    rows = rng.normal(size=(3, 2)).tolist()
    for dtype in (np.float32, np.float64):
        table.weight = Tensor(rows, dtype, requires_grad=True)
        for kind in (np.uint8, np.int32, np.int64):
            numbers = rng.integers(0, 3, size=(2, 3))
            index, want = Tensor(numbers, kind), [[rows[i] for i in r] for r in numbers]
            check(table(index), want, f"an index of {kind.__name__}", dtype)
            check(index, numbers.tolist(), "the index afterwards", kind)
    none = table(zeros(0, 4, dtype=int))
    check_equal(none.shape, (0, 4, 2), "an index without numbers")
    # hidden: other errors
    for index, bad, kind in ((99, "99", np.uint8), ([[-3, 0]], "-3", np.int32)):
        call = functools.partial(table, Tensor(index, kind))
        check_raises(IndexError, ["Embedding", bad, "3"], call, f"index {index}")
    for index, kind in ((1.0, np.float64), ([], np.float32), ([-1.0, 7.0], np.float32)):
        call, name = functools.partial(table, Tensor(index, kind)), np.dtype(kind).name
        check_raises(RuntimeError, ["Embedding", name], call, f"{name} index {index}")
    # hidden: memory that nobody shares
    shared = np.shares_memory(table(Tensor(1)).data, table.weight.data)
    check_equal(shared, False, "a single row shares the memory of the table")
    table(Tensor([0, 1])).data[:] = 9.0
    check_equal(table.weight.data.tolist(), rows, "the table, after its result changed")
    # hidden: seeds
    starts = []
    for seed in (9, 8, 9):
        manual_seed(seed)
        starts.append(Embedding(4, 5).weight.data.tolist())
    check_equal(starts[0] == starts[2] != starts[1], True, "seeds repeat the table")
    ### END HIDDEN TESTS


test_embedding_beyond()

# %% [markdown]
"""
## Exercise 10 (deeper): Count before you run
How large is it, and how much must it compute? Both can be said before the first line runs: count
its parameters and its FLOPs. `Linear(3, 2)` owns 3 · 2 + 2 = 8 numbers. For each row it makes 2
outputs, and each of them needs products, sums, and a bias: how many operations is that? The figure
of Exercise 5 has the first count for a network; Part 2 checks both.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-count", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def count_parameters(layer):
    """Return how many numbers the parameters of a layer hold, as an int.

    A shared parameter counts once, for it is stored once.
    """
    # TODO: add up the sizes.
    ### BEGIN SOLUTION
    return sum(p.size for p in layer.parameters())
    ### END SOLUTION


def linear_flops(batch, in_features, out_features):
    """Return the FLOPs (products and sums) of a Linear with bias, as an int."""
    # TODO: count the operations of one output, then multiply.
    #
    # APPROACH
    # 1. One output: how many products? How many additions, with the bias?
    # 2. How many outputs are there in the whole batch?
    #
    # EXAMPLE
    # >>> count_parameters(Linear(3, 2))
    # 8
    # >>> linear_flops(5, 3, 2)
    # 60
    #
    # HINTS
    # - n numbers are added with n - 1 additions.
    ### BEGIN SOLUTION
    return 2 * batch * in_features * out_features
    ### END SOLUTION


# %% [markdown]
"""
### Testing counts
Layers with known parameters, one by one; FLOPs by formula. (The test lists the parameters itself.)
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-count-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
class Known(Layer):
    """A layer for tests, whose parameters() is right in any case."""

    def __init__(self, *parameters):
        self.held = parameters

    def parameters(self):
        return list(dict.fromkeys(self.held))


@exercise(10)
def test_count():
    matrix, vector = ones(4, 3, requires_grad=True), ones(5, requires_grad=True)
    cube = ones(2, 3, 4, requires_grad=True)
    cases = {"a matrix": (matrix,), "a matrix and a vector": (matrix, vector)}
    cases |= {"a cube": (cube,), "nothing": (), "a matrix, twice": (matrix, matrix)}
    for (name, held), want in zip(cases.items(), (12, 17, 24, 0, 12), strict=True):
        what = f"count_parameters of a layer with {name}"
        check_equal(count_parameters(Known(*held)), want, what, "add up p.size")
    hint = "n products, n - 1 additions, and one for the bias, for each output"
    cases = {(1, 1, 1): 2, (5, 3, 2): 60, (64, 784, 128): 12_845_056}
    for sizes, want in cases.items():
        check_equal(linear_flops(*sizes), want, f"linear_flops{sizes}", hint)
    print("✅ you know the size and the work before you run")


test_count()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-count-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(10, "other layers · other sizes")
def test_count_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: other layers
    rng = np.random.default_rng(10)
    for n in (1, 3, 6):
        shapes = [tuple(rng.integers(1, 6, size=3).tolist()) for _ in range(n)]
        held = [ones(shape, dtype=np.float64, requires_grad=True) for shape in shapes]
        want = sum(a * b * c for a, b, c in shapes)
        check_equal(count_parameters(Known(*held, held[0])), want, f"shapes {shapes}")
    scalar = Known(Tensor(1.0, requires_grad=True))
    check_equal(count_parameters(scalar), 1, "a parameter without dimensions")
    # hidden: other sizes
    for n in range(1, 7):  # n rows, n + 1 inputs, n + 2 outputs: products, sums, bias
        want = n * (n + 2) * ((n + 1) + n + 1)
        sizes = n, n + 1, n + 2
        check_equal(linear_flops(*sizes), want, f"linear_flops{sizes}")
    huge = 10**7, 10**7, 10**7 + 1
    check_equal(linear_flops(*huge), 2 * 10**14 * (10**7 + 1), f"linear_flops{huge}")
    ### END HIDDEN TESTS


test_count_beyond()

# %% [markdown]
"""
## It works: ten scores for a handwritten digit
The chain of Exercise 5 on 1,797 pictures of handwritten digits (described in `data.py` of the
package). All its weights are random, so it guesses: one digit in ten. Then leave the first
`Linear` random, and compute the last one, so that the scores of 1,437 pictures come as close as
possible to 1 for the right digit and 0 for the others: that is linear least squares, which NumPy
solves at once. Random units and one layer that learns: Rosenblatt's plan of 1958. Which mistakes
would you forgive it?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-works", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def read_digits(widths=(16, 64, 256, 512)):
    """Plot how many digits a network reads, untrained and with a fitted last layer."""
    from << cookiecutter.package_name >> import data, viz

    (pictures, labels), (others, truth) = data.load_digits()
    known, unknown = Tensor(pictures), Tensor(others)

    def read(net):
        return net(unknown).argmax(axis=1).data

    shares = {}
    for width in widths:
        manual_seed(0)
        first, last = Linear(64, width), Linear(width, 10)
        net = Sequential(Flatten(), first, ReLU(), last)
        shares.setdefault("untrained", (read(net) == truth).mean())
        units = Sequential(Flatten(), first, ReLU())(known).data
        units = np.hstack([units, np.ones((len(units), 1))])  # the 1s are for the bias
        fitted = np.linalg.lstsq(units, np.eye(10)[labels], rcond=None)[0]
        last.weight = Tensor(fitted[:-1], requires_grad=True)
        last.bias = Tensor(fitted[-1], requires_grad=True)
        answers = read(net)
        share = (answers == truth).mean()
        shares[f"last layer fitted, {width} units"] = share
    title = f"{width} random units and a fitted last layer read {share:.0%}"
    viz.bars(shares, title, f"share of {len(truth)} test digits that is read", "{:.1%}")
    order = np.argsort(answers == truth, kind="stable")[:20]  # mistakes first
    pairs = zip(answers[order], truth[order], strict=True)
    names = [f"{a}" if a == t else f"{a}, not {t}" for a, t in pairs]
    wrong = (answers != truth).sum()
    title = f"It makes {wrong} mistakes in {len(truth)} digits; here are mistakes first"
    viz.images(unknown.data[order], names, title)
    viz.show()


read_digits()

# %% [markdown]
"""
## Part 2: Systems Analysis
You built it; now measure it. Run each cell, look at your own numbers, and explain them to yourself:
only the four questions at the end are marked.

### Memory Profiling
A network holds its parameters, however many rows come in. Its activations grow with the batch, and
training has to keep them all until it has its gradients.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(width=512):
    """Print the memory of parameters, a forward pass, and all activations kept."""
    import tracemalloc

    def traced(make):
        tracemalloc.start()
        kept = make()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept, held / 1e6, peak / 1e6

    def build():
        hidden = Linear(784, width), ReLU(), Linear(width, width), ReLU()
        return Sequential(*hidden, Linear(width, 10))

    def keep_all(x):
        outputs = [x]
        for layer in net:
            outputs.append(layer(outputs[-1]))
        return outputs

    net, held, peak = traced(build)
    count = sum(p.size for p in net.parameters())
    each = 1e6 * held / count
    print(f"{count:,} parameters keep {held:.2f} MB, {each:.2f} bytes each.")
    print(f"While they were drawn, up to {peak:.2f} MB were in use.")
    for batch in (1, 32, 1024):
        x = randn(batch, 784)
        peak, kept = traced(lambda x=x: net(x))[2], traced(lambda x=x: keep_all(x))[1]
        print(f"batch {batch:5}: forward peaks at {1e3 * peak:6,.0f} kB; ", end="")
        print(f"kept: {1e3 * kept:6,.0f} kB, {1e6 * kept / batch:7,.0f} bytes a row")
    batch = held / kept * batch
    print(f"From batch {batch:.0f} on the activations kept outweigh the parameters.")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect 4 bytes per parameter, and more while they are drawn: every step of
`(rand(shape) * 2 - 1) * bound` is a temporary, as you know from Module 01. The outputs of the five
layers are 4 · 512 + 10 numbers a row, 8,232 bytes; at batch 1 you see the overhead of the Tensors,
too. A forward pass that keeps nothing has the same peak, however many layers you add. Why?

### Parameters and FLOPs: formula against count
A FLOP can be counted: give the network numbers that count their own products and sums, and NumPy
will use these instead of BLAS. Your `Linear` does not notice.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-count", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_count():
    """Print parameters and FLOPs of three layers, by formula and as counted."""
    from << cookiecutter.package_name >>.tensor import (
        result_of,
    )

    class Counting:
        """A number whose value nobody needs."""

        flops = 0

        def __mul__(self, other):
            Counting.flops += 1
            return self

        __add__ = __mul__

    def counting(*shape):
        return result_of(np.full(shape, Counting()))

    print(f"{'':14}{'n m + m':>12}{'stored':>12}{'2 n m':>12}{'counted':>12}")
    rows = []
    for n, m in ((784, 128), (128, 64), (64, 10)):
        layer, Counting.flops = Linear(n, m), 0
        stored = sum(p.data.nbytes for p in layer.parameters()) // 4
        layer.weight, layer.bias = counting(n, m), counting(m)
        layer(counting(1, n))
        rows.append((n * m + m, stored, 2 * n * m, Counting.flops))
        print(f"Linear({n}, {m})".ljust(14) + "".join(f"{v:12,}" for v in rows[-1]))
    share = sum(row[3] for row in rows) / sum(row[1] for row in rows)
    print(f"{share:.2f} FLOPs per parameter and row, {share / 4:.2f} a byte read.")


profile_count()

# %% [markdown]
"""
**Explain your table.** Formulas and counts agree to the last digit. Remember the last line, which
holds for any chain of wide `Linear`s: 2 FLOPs per parameter and row. A language model of 7 billion
parameters does 14 GFLOP for each token it writes, and reads 28 GB for it (14 in float16). Which of
the two will limit it on your computer?

### Batch size against throughput
At batch 1 a `Linear` is a matrix times a vector (GEMV): every weight is read, used once, and gone.
A batch makes it a matrix product (GEMM), which uses each weight it reads for every row.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-batch", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_batch(n=3072):
    """Plot the GFLOP/s of a Linear against the batch size, and print its times."""
    from << cookiecutter.package_name >> import viz

    layer, batches = Linear(n, n), [2**k for k in range(9)]
    inputs = [randn(batch, n) for batch in batches]
    seconds = [min(times(lambda x=x: layer(x), 5)) for x in inputs]
    speed = [2e-9 * b * n * n / t for b, t in zip(batches, seconds, strict=True)]
    title = f"One row at a time has {speed[0] / max(speed):.0%} of the speed of a batch"
    curves = {f"Linear({n}, {n})": (batches, speed)}
    viz.lines(curves, title, "rows in the batch", "GFLOP/s", "xy")
    viz.show()
    for batch, t in zip(batches, seconds, strict=True):
        print(f"{batch:4} rows: {1e3 * t:7.2f} ms, {batch / t:10,.0f} rows a second")
    gain = seconds[0] * batches[-1] / seconds[-1]
    print(f"Row by row, {batches[-1]} rows take {gain:.1f} times as long as together.")
    print(f"One row reads {4e-9 * n * n / seconds[0]:.0f} GB of weights a second.")


profile_batch()

# %% [markdown]
"""
**Explain your curve.** One row does 0.5 FLOP per byte, so at batch 1 expect half as many GFLOP/s as
your memory, or a cache that holds all the weights, gives GB/s: compare the last line with your
roofline of Module 01. At batch 2 the time may jump: GEMM first copies the weights into blocks for
caches and registers, GEMV does not. For a few more rows it hardly grows, since all of them share that
one pass over the weights; then the curve bends towards the peak of your processor. At which batch?

### Initialization against depth
Fifty times `Linear` and ReLU, with five ways to draw the weights. How large are the activations?
And how much of them depends on the input? For that, put 256 different inputs in, and see how far
apart one unit's answers are: their standard deviation between inputs.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-depth", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_depth(width=256, depth=50):
    """Plot the size of activations, and their spread between inputs, against depth."""
    from << cookiecutter.package_name >> import viz

    manual_seed(0)
    shape, relu, layers = (width, width), ReLU(), list(range(1, depth + 1))
    ways = {
        "2 × Kaiming": lambda: kaiming_uniform(shape) * 2,
        "Kaiming": lambda: kaiming_uniform(shape),
        "PyTorch's default": None,  # the only one with a bias
        "Xavier": lambda: xavier_uniform(shape),
        "Kaiming ÷ 2": lambda: kaiming_uniform(shape) / 2,
    }
    size, apart = {}, {}
    print(f"{'':18}{'factor':>8}{'predicted':>11}{'last size':>17}{'between':>10}")
    for name, draw in ways.items():
        x, std, between = randn(width, width), [], []
        for _ in layers:
            layer = Linear(width, width, bias=draw is None)
            layer.weight = draw() if draw else layer.weight
            x = relu(layer(x))
            values = x.data.astype(np.float64)
            std.append(values.std())
            between.append(np.sqrt(values.var(axis=0).mean()))
        size[name], apart[name] = (layers, std), (layers, between)
        factor = (std[3] / std[0]) ** (1 / 3)
        predicted = math.sqrt(width * layer.weight.var().item() / 2)
        print(f"{name:18}{factor:8.2f}{predicted:11.2f}", end="")
        print(f"{std[-1]:17.1e}{between[-1]:10.1e}")
    level, rest = (values["PyTorch's default"][1][-1] for values in (size, apart))
    title = f"Through {depth} layers PyTorch's default settles at {level:.0e} ..."
    viz.lines(size, title, "layer", "standard deviation of activations", "y")
    title = f"... but between inputs only {rest:.0e} is left"
    viz.lines(apart, title, "layer", "standard deviation between inputs", "y")
    viz.show()


profile_depth()

# %% [markdown]
"""
**Explain your curves.** Compare each factor with √(n · Var(w) / 2) from Exercise 3: 2, 1, 0.71 and
0.5, and 0.41 for the default, whose Var(w) is 1 / (3n) (its biases add a little). Kaiming ends
within a factor of ten of where it began, Xavier at some 10⁻⁸: it was made for tanh, which does not
halve. The default falls faster than Xavier, then stays at some hundredths. Saved? The second plot
says no: between inputs it goes on falling, until nothing is left but rounding. What stays in the
first plot are the biases, the same for every input. Fifty layers on, the network has forgotten what
it was asked.

### Where the time goes
Which layers do the work, and which take the time?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-share", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_share(batch=256, n=512):
    """Plot the share of each layer in the time, and print its share of the FLOPs."""
    from << cookiecutter.package_name >> import viz

    x, size = randn(batch, n), batch * n
    layers = {  # name: the layer, its FLOPs by formula
        "Linear": (Linear(n, n), 2 * size * n),
        "ReLU": (ReLU(), size),
        "LayerNorm": (LayerNorm(n), 7 * size),  # 2 sums, - mean, square, / std, *, +
        "Dropout": (Dropout(0.1), 3 * size),  # compare, scale, multiply
    }
    seconds = {name: min(times(lambda f=f: f(x))) for name, (f, _) in layers.items()}
    flops = sum(f for _, f in layers.values())
    work = {name: f / flops for name, (_, f) in layers.items()}
    time = {name: t / sum(seconds.values()) for name, t in seconds.items()}
    mine = work["Linear"], time["Linear"]
    title = f"Linear does {mine[0]:.0%} of the FLOPs in {mine[1]:.0%} of the time"
    viz.bars(time, title, "share of the time", "{:.1%}")
    viz.show()
    for name in layers:
        micro = 1e6 * seconds[name]
        print(f"{name:10}{work[name]:6.1%} of the FLOPs, {micro:6,.0f} µs")


profile_share()

# %% [markdown]
"""
**Explain your bars.** The FLOPs of `Linear` run in BLAS near the peak. `ReLU` and `LayerNorm` wait
for memory or a cache, because each Tensor operation reads or writes the whole batch: count the passes
in your `LayerNorm`, seven or more, each with one FLOP for 4 to 12 bytes moved. `Dropout` waits for
its random numbers, some nanoseconds for each element. So a good part of the time goes into 1 % of the
FLOPs.

## Part 3: Production Context
- **Finding parameters.** `torch.nn.Module` catches assignments in `__setattr__` and sorts them into
  dictionaries of parameters, buffers and modules; hence `nn.Parameter`, hence `nn.ModuleList`: it
  does not look into a plain list, and its `Sequential` takes no plain functions. A module's own
  parameters come before those of modules inside. You look through attributes when asked, in their
  order. Layers of Flax (Linen) hold no numbers: the parameters are a tree of arrays, one more
  argument.
- **Linear.** PyTorch stores weight as (out_features, in_features) and computes x Wᵀ + b in one
  call of BLAS (`addmm`), bias included. Keras (`Dense`) and Flax (`nn.Dense`) have your layout.
- **First weights.** PyTorch's default is `kaiming_uniform_(a=sqrt(5))`, which is 1 / √in_features,
  and the same bound for the bias. Keras takes Xavier (`glorot_uniform`) and zeros, Flax a truncated
  normal of variance 1 / n (LeCun) and zeros.
- **Dropout.** On a GPU PyTorch draws masks from a counter (Philox) inside the kernel, where no
  state needs to be locked; JAX demands an explicit key for each call. `eval()` does not switch off gradients.
- **LayerNorm.** One fused kernel reads x, and keeps mean and 1/std of each row for backward. The
  default eps is 1e-5 in PyTorch, 1e-3 in Keras, 1e-6 in Flax. PyTorch computes float16 rows in
  float32, as you do, but returns float16.
- **Embedding.** In PyTorch and TensorFlow a bad index is an error on the CPU. On a GPU PyTorch stops
  with a device-side assert, and TensorFlow's `gather` returns zeros. JAX reads `table[-1]` as NumPy
  does, and clamps an index beyond either end, everywhere and without a word; Flax's `nn.Embed`, by
  `jnp.take`, returns NaN for it.

### The same in PyTorch
Mind the transposed weight.

```python
>>> import torch
>>> from torch import nn
>>> layer = nn.Linear(2, 3)
>>> layer.weight.data = torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
>>> layer.bias.data = torch.tensor([10.0, 20.0, 30.0])
>>> x = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
>>> layer(x).tolist()
[[19.0, 32.0, 45.0], [14.0, 25.0, 36.0]]
>>> nn.LayerNorm(3)(torch.tensor([[1.0, 2.0, 6.0]])).detach()
tensor([[-0.9258, -0.4629,  1.3887]])
>>> net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10))
>>> net.eval()(torch.ones(5, 8, 8)).shape
torch.Size([5, 10])
>>> [p.numel() for p in net.parameters()]
[2048, 32, 320, 10]
```
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-same", "locked": true, "schema_version": 3, "solution": false, "task": false}}
layer, x = Linear(2, 3), Tensor([[1.0, 2.0], [0.0, 1.0]])
layer.weight = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
layer.bias = Tensor([10.0, 20.0, 30.0], requires_grad=True)
print(layer(x).data.tolist())
print(LayerNorm(3)(Tensor([[1.0, 2.0, 6.0]])))
net = Sequential(Flatten(), Linear(64, 32), ReLU(), Dropout(), Linear(32, 10))
print(net.eval()(ones(5, 8, 8)).shape)
print([p.size for p in net.parameters()])

# %% [markdown]
"""
Sources: PyTorch docs, *torch.nn*; Keras and Flax API docs; JAX docs, *The Sharp Bits*; TensorFlow
docs, *tf.gather*; Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015 (arXiv:1502.01852);
Srivastava et al., JMLR 15 (2014); Ba, Kiros and Hinton, arXiv:1607.06450; Hinton et al.,
arXiv:1207.0580; F. Rosenblatt, *The Perceptron*, Psychological Review 65 (1958).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run the tests you see once more, and show what is done."""
    show_results(
        globals(),
        [
            (1, "Find every parameter", "test_parameters", 7, 2),
            (2, "Two modes", "test_train", 5, 1),
            (3, "The first weights", "test_init", 7, 2),
            (4, "Linear", "test_linear", 8, 2),
            (5, "Sequential", "test_sequential", 5, 1),
            (6, "Flatten", "test_flatten", 5, 2),
            (7, "Dropout", "test_dropout", 8, 2),
            (8, "LayerNorm", "test_layernorm", 7, 2),
            (9, "Embedding (deeper)", "test_embedding", 5, 2),
            (10, "Count before you run (deeper)", "test_count", 5, 2),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: What fills the memory?
You train the network of your memory profile with batches of 4,096 rows. You have 20 MB. Count for
training the parameters and all activations kept, without the input; for inference the parameters
and the peak of a forward pass.
- **(a)** What does training need?
- **(b)** Does training fit with half the batch and all of the width?
- **(c)** With half the width and all of the batch?
- **(d)** Does inference fit, with all of both?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) Parameters took 2.7 MB at any batch. A row keeps 8,232 bytes, so 4,096 rows take 33.7 MB: 36.4
MB in all. (b) Half the batch halves the activations only: 16.86 + 2.68 = 19.5 MB, which just fits.
(c) Half the width leaves 4 · 256 + 10 numbers a row, 16.9 MB, and 269,322 parameters, 1.1 MB: 18.0
MB fits, too. (d) Inference peaked at 6.8 MB for 1,024 rows, so at 27 MB for 4,096, with the
parameters 30 MB: too much, since in the ReLU three arrays of 8.4 MB and a mask exist at once, but
it would not grow with depth.

**Marking rubric (5 points)**
- 1: (a) parameters, independent of the batch. 1: (a) activations from bytes a row times 4,096.
- 2: (b, c) half the batch and half the width in numbers (width changes both).
- 1: (d) inference from the peak.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Single requests or batches?
A service answers requests of one row each with your `Linear(3072, 3072)`. Somebody proposes to
collect 16 of them for each call.
- **(a)** From your numbers, what happens to the time of a call?
- **(b)** From your numbers, what happens to requests per second?
- **(c)** What happens, without numbers, to the wait of one request?
- **(d)** Why do 16 rows take far less than 16 times one row?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a, b) One row took 2.1 ms, 470 requests a second; 16 rows took 11.5 ms, 1,400 a second. (c) A
request waits 11.5 ms instead of 2.1, plus the time until 16 have come: with few requests that is
the larger part, so one collects for a limited time only. (d) Each call reads all 38 MB of weights,
however many rows use them: 0.5 FLOP per byte at batch 1, 8 at batch 16. So one row waits for memory
while the processor idles; further rows use the same read. This ends where the intensity reaches the
bend of the roofline.

**Marking rubric (5 points)**
- 2: (a, b) both times as measured, and the throughput computed from them.
- 1: (c) latency: a longer call plus waiting. 2: (d) weights read once for all rows, up to the bend.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: A healthy-looking network
A colleague stacks 50 `Linear` and ReLU with PyTorch's default. "The activations keep a standard
deviation of some hundredths, so nothing vanishes; but the network does not learn."
- **(a)** Explain with your two plots what is wrong.
- **(b)** Name two different changes, in code of this module, that mend it. (Try them in a cell of
  your own.)
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) The default has Var(w) = 1 / (3n), so every layer multiplies what comes from the input by √(1/6)
= 0.41 (I measured 0.47 over the first layers, bias included): after 50 layers 4 · 10⁻²⁰ of it is
left, less than float32 can add to the biases. Those are the same for all inputs, and they are what
keeps the level at 0.02; between inputs I measured 10⁻⁹, mere rounding, where Kaiming kept 0.2. What
does not depend on the input cannot learn about it. (b) One:
`layer.weight = kaiming_uniform((n, n))` and a bias of 0, factor 1.0. Two: `LayerNorm(n)` after each
`Linear` restores variance 1 in every layer.

**Marking rubric (5 points)**
- 2: (a) the factor 0.41 a layer, by formula or measured, to the 50th power.
- 1: (a) what is left are biases, equal for all inputs. 2: (b) two changes that work (1 each).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Three small changes
Somebody "simplifies" your code:
- **(a)** `parameters` no longer removes repetitions;
- **(b)** `train` sets `type(self).training`;
- **(c)** `Linear` computes `Tensor(x @ self.weight)` and adds the bias.

For each of the three:
- **(1)** What goes wrong?
- **(2)** When would somebody notice?
- **(3)** Which test notices at once?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) (1) A layer used twice appears twice: the count of parameters is too large, and an optimizer
would update its weight twice a step; (2) late or never: training runs, with larger steps there.
(3) test_parameters sees it ("occurs twice", "shares"). (b) (1) All layers of a class share one
mode: eval() of one network stops the Dropout of another that is training; (2) noticed late, as a
strange learning curve. (3) test_train looks at another network. (c) (1) All values are right, but
nothing leads from x and weight to the result: they would get no gradient and (2) not learn.
(3) Values cannot show it; check_differentiable in test_linear does.

**Marking rubric (5 points)**
- 3: (1) the consequence of (a), (b) and (c). 1: (2) noticed late, in training, not by an error.
- 1: (3) the tests that notice.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built layers: a base class that finds parameters and passes modes on, `Linear`, `Sequential`,
`Flatten`, `Dropout`, `LayerNorm` and `Embedding`. You can count parameters and FLOPs before a run.
You measured that a batch shares one read of the weights, that activations outgrow parameters, and
that the scale of the first weights decides what fifty layers still know.<% if cookiecutter.last_module >= "04" %>

**Next, Module 04: Losses** says in one number how wrong a network is.<% endif %>
"""
