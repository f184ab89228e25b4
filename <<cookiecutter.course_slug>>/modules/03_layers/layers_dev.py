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

**Learning Objectives:**
- Build the layers of PyTorch's `torch.nn`, on a base class that finds every parameter by itself.
- Understand why the scale of the first random weights decides whether a deep network can learn.
- Analyze what a layer costs in parameters, FLOPs and memory, and why machines love batches.

**Where it stands:** you have Tensors and activations. You build layers: functions that own
parameters. Module 04 will say how wrong their output is, and Module 05 will differentiate all of it
without changing a line of yours, as long as you compute with Tensor operations only.
**Time:** 4 to 5 hours. **Points:** 80 by tests, 20 for written answers.
Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

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

A layer is a function f(x; θ) with parameters θ that training will change. `Linear`, y = xW + b,
holds nearly all parameters of most networks. The rows of x are independent inputs: a **batch**.

**Why the first weights matter.** An output Σᵢ xᵢ wᵢ adds n products. With independent weights of
mean 0 its variance is n · Var(w) · E[x²], and the ReLU behind it keeps half of that, on average.
So each layer multiplies E[x²] by n · Var(w) / 2, and fifty layers by its 50th power: 0.9 becomes
0.005, and 1.1 becomes 117. Only Var(w) = 2 / n keeps the signal. What computers draw most cheaply
is uniform: numbers between -a and a have variance a² / 3.

### Computational Complexity

| Layer, on a batch of B rows | Parameters | Time | New memory |
|---|---|---|---|
| `Linear(n, m)` | n m + m | O(B n m): 2 B n m FLOPs | O(B m) |
| `Flatten` | 0 | O(1) | O(1): a view |
| `Dropout`, rows of n | 0 | O(B n) random numbers | O(B n) |
| `LayerNorm(n)` | 2 n | O(B n) | O(B n) |
| `Embedding(v, n)` | v n | O(B n), whatever v is | O(B n) |

Only `Linear` does more than O(1) work per number it reads, and only for B > 1: see Part 2.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def taken_apart(values):
    """Return values as a list, in which lists and tuples are replaced by what they hold."""
    found = []
    for value in values:
        found += taken_apart(value) if isinstance(value, (list, tuple)) else [value]
    return found


# Running this cell again gives you a Layer without methods: then run all cells below again, too.
class Layer:
    """A function that may own parameters (interface of torch.nn.Module).

    A subclass writes forward, with Tensor operations only. Its parameters are the Tensors that
    require gradients among its attributes and among those of the layers inside it.
    """

    training = True  # of the class, so that no subclass needs to call super().__init__()

    def __call__(self, *inputs):
        """Compute: layer(x) is layer.forward(x)."""
        return self.forward(*inputs)

    def forward(self, *inputs):
        """Compute the output. Each subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def members(self):
        """Return what the attributes hold, in their order, lists and tuples taken apart."""
        return taken_apart(vars(self).values())

    def eval(self):
        """Switch to inference: the opposite of train()."""
        return self.train(False)

    def __repr__(self):
        """Show the settings: every attribute but the Tensors."""
        settings = {k: v for k, v in vars(self).items() if not isinstance(v, Tensor)}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in settings.items())})"


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import numpy as np

from << cookiecutter.package_name >>.activations import ReLU
from << cookiecutter.package_name >>.tensor import (
    arange,
    manual_seed,
    result_of,
)
from << cookiecutter.package_name >>.testing import (
    check,
    check_differentiable,
    check_raises,
    times,
)


def check_uniform(t, shape, bound, what):
    """Fail unless t is a parameter of this shape, and by its moments uniform in [-bound, bound)."""
    assert isinstance(t, Tensor), f"{what}: expected a Tensor, got {type(t).__name__}"
    got, want = (t.shape, str(t.dtype), t.requires_grad), (shape, "float32", True)
    assert got == want, f"{what}: expected shape, dtype and requires_grad {want}, got {got}"
    x, n = t.data.ravel().tolist(), t.size
    top, mean, var = max(map(abs, x)), math.fsum(x) / n, math.fsum(v * v for v in x) / n
    near = bound * (1 - 20 / n) <= top <= bound * 1.000001 and abs(mean) < 3 * bound / n**0.5
    want = f"numbers up to {bound:.4f}, of mean 0 and variance {bound**2 / 3:.2e}"
    got = f"numbers up to {top:.4f}, of mean {mean:.4f} and variance {var:.2e}"
    assert near and abs(3 * var / bound**2 - 1) < 5 / n**0.5, f"{what}: expected {want}, got {got}"


# %% [markdown]
"""
## Exercise 1: Find every parameter
An optimizer must reach every weight, however deeply layers nest. A weight it misses stays random
for ever, without any error; a weight that two layers share must not be updated twice. So nobody
keeps a list by hand: what an attribute holds is found, also in lists and tuples (not in dicts).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: collect the parameters of this layer and of all layers inside it.
# Approach: 1. go through self.members(). 2. a Layer: add all its parameters (recursion). 3. a
#   Tensor that requires gradients: add it. 4. anything else, such as an activation: ignore it.
#   5. keep the first of each and the order.
# Example: a = Layer(); a.w = ones(2, requires_grad=True); a.pair = [a.w, "name"]
#   a.parameters()  ->  [Tensor([1., 1.], requires_grad=True)]
# Hint: `p in found` compares numbers, for Tensors have ==. dict.fromkeys(found) goes by their hash,
#   which is still that of their identity, and keeps the order.
@add_to_class(Layer)
def parameters(self):
    """Return a list of every Tensor that requires gradients, here or in layers inside, once each.

    The order is that of the attributes, what a layer holds standing in its place.
    """
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
Nested layers, lists, order, and what is shared. Hidden: deeper nesting, activations and functions
among the layers, parameters that changed since the last call.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-parameters-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
class Block(Layer):
    """A layer for tests: two parameters, a constant, a name, and whatever else it is given."""

    def __init__(self, *inside):
        self.weight, self.bias = ones(1, requires_grad=True), ones(1, requires_grad=True)
        self.constant, self.name, self.inside = zeros(2), "block", inside

    def forward(self, x):
        return x * self.weight + self.bias


def test_parameters():
    def expect(layer, want, what):
        got = layer.parameters()
        assert type(got) is list, f"{what}: expected a list, got {type(got).__name__}"
        places = [next((i for i, w in enumerate(want) if w is p), "a stranger") for p in got]
        right = places == list(range(len(want)))
        assert right, f"{what}: expected parameters 0 to {len(want) - 1}, in order, got {places}"

    def own(*blocks):
        return [p for block in blocks for p in (block.weight, block.bias)]

    a, b = Block(), Block()
    expect(a, own(a), "weight and bias")
    nested, twice = Block(a, b), Block(a, a)
    expect(nested, own(nested, a, b), "a layer with two layers inside")
    expect(twice, own(twice, a), "a layer with the same layer inside, twice")
    b.weight = a.weight
    expect(nested, [*own(nested, a), b.bias], "two layers that share a weight")
    ### BEGIN HIDDEN TESTS
    # hidden: a layer without attributes
    expect(Layer(), [], "a layer without attributes")
    # hidden: deeper nesting, functions among layers
    odd, inner, last = Layer(), Block(), ones(2, requires_grad=True)
    odd.first, odd.several, odd.last = inner, [ReLU(), abs, (a, [Block()]), {"no": "layer"}], last
    odd.kind = Block  # a class is no layer
    want, before = [*own(inner, a, odd.several[2][1][0]), last], list(vars(odd))
    deep = Block(Block(Block(b)))
    expect(deep, own(deep, deep.inside[0], deep.inside[0].inside[0], b), "three layers deep")
    for what in ("a layer first, a list of lists, a Tensor last", "the same, called again"):
        expect(odd, want, what)
    # hidden: the layer stays as it is
    assert list(vars(odd)) == before, "parameters() should leave the layer as it is"
    # hidden: parameters that changed meanwhile
    inner.bias.requires_grad, inner.weight = False, ones(5, requires_grad=True)
    expect(odd, [inner.weight, *want[2:]], "after one was replaced and one no longer requires any")
    ### END HIDDEN TESTS
    print("✅ every parameter is found, once")


test_parameters()

# %% [markdown]
"""
## Exercise 2: Two modes
`Dropout` works while a network trains and must rest while it answers. One call on the outermost
layer has to reach every layer, and no other network.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-train", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: set the mode of this layer and of all layers inside it.
# Approach: 1. the attribute training of this object becomes mode. 2. every Layer among the members
#   gets train(mode), too. 3. return self, so that `net = Net().eval()` works.
# Example: net.train(False).training  ->  False, the same as net.eval().training
# Hint: Layer.training belongs to the class and so to all layers; self.training to one object.
@add_to_class(Layer)
def train(self, mode=True):
    """Set training to mode, here and in every layer inside; return self."""
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
There and back, through nested layers. Hidden: lists of lists, functions among the layers.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-train-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_train():
    leaf, other = Block(), Block()
    net = Block(Block(leaf))
    layers = [net, net.inside[0], leaf]
    for switch, mode in ((net.eval, False), (net.train, True)):
        assert switch() is net, "train() and eval() should return the layer itself"
        modes = [layer.training for layer in layers]
        assert modes == [mode] * 3, f"{switch.__name__}(): training is {modes}, from outside in"
        assert other.training and Layer.training, f"{switch.__name__}() reached another network"
    ### BEGIN HIDDEN TESTS
    # hidden: nested lists, functions among layers
    deep, weight = Layer(), other.weight
    deep.several, deep.after = [ReLU(), [abs, (leaf, other)], Block], Layer()
    for mode in (False, True, False):
        deep.train(mode)
        modes = [layer.training for layer in (deep, leaf, other, deep.after)]
        assert modes == [mode] * 4, f"train({mode}), from outside in: {modes}"
    # hidden: eval() reaches every layer
    deep.after.train()
    assert not deep.eval().after.training, "eval() reaches all, also if this layer rests already"
    # hidden: nothing else changes
    assert net.training and Block().training, "the layer around it, or a new one, changed mode"
    assert other.weight is weight and weight.requires_grad, "train() should change nothing else"
    ### END HIDDEN TESTS
    print("✅ modes reach every layer of a network, and no other")


test_train()

# %% [markdown]
"""
## Exercise 3: The first weights
Were all weights equal, all units of a layer would compute the same and learn the same: so they
start random. How large? Part 1 gives Var(w) = 2 / n for a layer before a ReLU, where n is fan_in,
the number of inputs (**Kaiming** He and others, 2015). **Xavier** Glorot and Bengio (2010) had no
ReLU and wanted 1 / fan_in for what flows forward and 1 / fan_out for gradients, which flow backward;
between the two they chose 2 / (fan_in + fan_out).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-init", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: draw parameters; find the bound that gives the variance which each docstring names.
# Approach: uniform: 1. rand(shape) is uniform in [0, 1): stretch and shift it to [-bound, bound).
#   2. wrap it in a Tensor that requires gradients. The others: solve bound² / 3 = variance for
#   the bound, and call uniform.
# Example: the numbers in kaiming_uniform((6, 4)) lie in [-1, 1), in xavier_uniform((6, 18)) in
#   [-0.5, 0.5)
# Hint: shape is (fan_in, fan_out), the layout of x @ weight.
def uniform(shape, bound):
    """Return a parameter: a float32 Tensor that requires gradients, uniform in [-bound, bound)."""
    ### BEGIN SOLUTION
    return Tensor((rand(shape) * 2 - 1) * bound, requires_grad=True)
    ### END SOLUTION


def kaiming_uniform(shape):
    """Return a parameter of shape (fan_in, fan_out), variance 2 / fan_in (as torch.nn.init's)."""
    ### BEGIN SOLUTION
    return uniform(shape, math.sqrt(6 / shape[0]))
    ### END SOLUTION


def xavier_uniform(shape):
    """Return a parameter of shape (fan_in, fan_out), variance 2 / (fan_in + fan_out)."""
    ### BEGIN SOLUTION
    return uniform(shape, math.sqrt(6 / (shape[0] + shape[1])))
    ### END SOLUTION


# %% [markdown]
"""
### Testing first weights
Thousands of numbers: their largest, mean and variance. Hidden: other shapes, the generator.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-init-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
def test_init():
    manual_seed(3)
    first, second = uniform((2, 2), 1.0).data.tolist(), uniform((2, 2), 1.0).data.tolist()
    assert first != second, "two calls gave the same weights"
    check_uniform(uniform((50, 80), 0.5), (50, 80), 0.5, "uniform((50, 80), 0.5)")
    bound = math.sqrt(3 * 2 / 200)
    check_uniform(kaiming_uniform((200, 50)), (200, 50), bound, "kaiming_uniform((200, 50))")
    bound = math.sqrt(3 * 2 / 250)
    check_uniform(xavier_uniform((200, 50)), (200, 50), bound, "xavier_uniform((200, 50))")
    ### BEGIN HIDDEN TESTS
    # hidden: other shapes and bounds
    check_uniform(uniform((3000,), 7.0), (3000,), 7.0, "uniform((3000,), 7.0)")
    check_uniform(kaiming_uniform((30, 400)), (30, 400), math.sqrt(0.2), "kaiming, (30, 400)")
    check_uniform(xavier_uniform((30, 570)), (30, 570), 0.1, "xavier, (30, 570)")
    # hidden: manual_seed repeats
    manual_seed(3)
    assert uniform((2, 2), 1.0).data.tolist() == first, "manual_seed should repeat it: use rand"
    ### END HIDDEN TESTS
    print("✅ the first weights have the right scale")


test_init()

# %% [markdown]
"""
## Exercise 4: Linear
The layer that does the work: every output is a weighted sum of all inputs, plus a bias. Keras calls
it `Dense`. Weight and bias start as in PyTorch, uniform with bound 1 / √in_features; what that does
to a deep network, you will measure. `@tensor_function` lets Module 05 put a faster `linear` in its place.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-linear", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: compute x @ weight + bias, then make the layer that owns weight and bias.
# Approach: linear: 1. x @ weight. 2. add bias, unless it is None. __init__: 3. keep in_features and
#   out_features as attributes. 4. weight and bias, both uniform with bound 1 / sqrt(in_features);
#   without bias the attribute bias is None. forward: 5. is the last size of x right? 6. linear.
# Example: Linear(3, 2)(ones(5, 3)).shape  ->  (5, 2)
# Hint: x.shape[-1:] is a tuple even if x has no dimensions at all. f"{self}" shows the layer.
@tensor_function
def linear(x, weight, bias=None):
    """Return x @ weight + bias of shapes (..., n) @ (n, m) + (m,) (torch.nn.functional.linear)."""
    ### BEGIN SOLUTION
    out = x @ weight
    return out if bias is None else out + bias
    ### END SOLUTION


class Linear(Layer):
    """y = x @ weight + bias; weight is (in_features, out_features) (torch.nn.Linear)."""

    def __init__(self, in_features, out_features, bias=True):
        """Draw weight and bias from [-bound, bound) with bound = 1 / sqrt(in_features)."""
        ### BEGIN SOLUTION
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features)
        self.weight = uniform((in_features, out_features), bound)
        self.bias = uniform((out_features,), bound) if bias else None
        ### END SOLUTION

    def forward(self, x):
        """Return y of shape (..., out_features).

        RuntimeError unless the last size of x is in_features; it says "Linear", in_features and
        the shape of x.
        """
        ### BEGIN SOLUTION
        if x.shape[-1:] != (self.in_features,):
            what = f"{self} needs inputs whose last size is {self.in_features}, got shape {x.shape}"
            raise RuntimeError(what + "; Flatten() makes one row of each picture")
        return linear(x, self.weight, self.bias)
        ### END SOLUTION


Dense = Linear  # its name in Keras

# %% [markdown]
"""
### Testing Linear
Known weights, the first weights, the error, and the path of Tensor operations that Module 05 will
follow. Hidden: random shapes in both float dtypes, empty batches, views, inputs left as they were.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-linear-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
def test_linear():
    def by_hand(x, layer):
        w, outs = layer.weight.data.tolist(), range(layer.weight.shape[1])
        b = [0.0 for _ in outs] if layer.bias is None else layer.bias.data.tolist()
        rows = x.data.reshape(-1, len(w)).tolist()
        y = [[math.fsum(v * w[i][j] for i, v in enumerate(r)) + b[j] for j in outs] for r in rows]
        return np.reshape(y, (*x.shape[:-1], len(outs))).tolist()

    layer, x = Linear(2, 3), Tensor([[1.0, 1.0], [0.0, 2.0]])
    layer.weight = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    layer.bias = Tensor([10.0, 20.0, 30.0], requires_grad=True)
    check(layer(x), [[15.0, 27.0, 39.0], [18.0, 30.0, 42.0]], "two rows")
    path = {"x": x, "weight": layer.weight, "bias": layer.bias}
    check_differentiable(lambda: layer(x), path, "Linear", constants=False)
    check(linear(x, layer.weight), [[5.0, 7.0, 9.0], [8.0, 10.0, 12.0]], "linear(x, weight)")
    double = Tensor([0.1, 0.2], np.float64)
    check(layer(double), by_hand(double, layer), "one float64 row", np.float64)
    check_raises(RuntimeError, ["Linear", "2", "(5, 3)"], lambda: layer(ones(5, 3)), "(5, 3)")
    bare = Linear(2, 3, bias=False)
    assert bare.bias is None, f"bias=False: expected the attribute bias to be None, got {bare.bias}"
    check(bare(x), by_hand(x, bare), "without bias")
    manual_seed(4)
    check_uniform(Linear(100, 20).weight, (100, 20), 0.1, "Linear(100, 20).weight")
    check_uniform(Linear(100, 500).bias, (500,), 0.1, "Linear(100, 500).bias")
    ### BEGIN HIDDEN TESTS
    # hidden: range of the first weights
    check_uniform(Linear(25, 400).weight, (25, 400), 0.2, "Linear(25, 400).weight")
    check_uniform(Linear(1000, 600).bias, (600,), 1000**-0.5, "Linear(1000, 600).bias")
    # hidden: integers; nothing changes
    before = dict(vars(layer))
    whole = Tensor([[1, 2]])
    check(layer(whole), [[19.0, 32.0, 45.0]], "an integer row")
    assert whole.dtype == np.int64, "forward changed the dtype of its input"
    same = [id(p) for p in layer.parameters()] == [id(layer.weight), id(layer.bias)]
    assert same, "parameters() should give weight, then bias, and nothing else"
    assert vars(layer) == before, "forward should leave the layer as it is"
    # hidden: random shapes, both float dtypes
    rng, both = np.random.default_rng(4), (True, False)
    for n, bias, single in [(n, b, f) for n in (0, 1, 2) for b in both for f in both]:
        shape, dtype = (2, 3, 5)[2 - n :], np.float32 if single else np.float64
        many, x = Linear(5, 4, bias), Tensor(rng.normal(size=shape), dtype)
        many.weight = Tensor(rng.normal(size=(5, 4)), dtype, requires_grad=True)
        before = x.data.tolist(), many.weight.data.tolist()
        check(many(x), by_hand(x, many), f"Linear(5, 4, {bias}), {shape}", dtype)
        assert (x.data.tolist(), many.weight.data.tolist()) == before, "x or weight modified"
        assert len(many.parameters()) == 1 + bias, f"{len(many.parameters())} parameters"
    # hidden: views, empty batches, wrong shapes
    view = Tensor([[1.0, 0.0], [1.0, 2.0]]).T
    check(layer(view), [[15.0, 27.0, 39.0], [18.0, 30.0, 42.0]], "a transposed view")
    assert layer(ones(0, 2)).shape == (0, 3), f"an empty batch gave {layer(ones(0, 2)).shape}"
    assert (layer.in_features, layer.out_features) == (2, 3), "in_features and out_features"
    for bad in (ones(2, 1), Tensor(1.0), ones(3), ones(4, 2, 1)):
        words = ["Linear", "2", str(bad.shape)]
        check_raises(RuntimeError, words, lambda bad=bad: layer(bad), f"input {bad.shape}")
    # hidden: linear() itself, manual_seed
    functional = linear(double, layer.weight, layer.bias)
    check(functional, by_hand(double, layer), "linear(x, weight, bias)", np.float64)
    starts = []
    for seed in (7, 8, 7):
        manual_seed(seed)
        starts.append([p.data.tolist() for p in Linear(3, 4).parameters()])
    assert starts[0] == starts[2] != starts[1], "first weights should follow manual_seed: use rand"
    ### END HIDDEN TESTS
    print("✅ Linear works, and says what is wrong when it does not")


test_linear()

# %% [markdown]
"""
## Exercise 5: Sequential
Most networks are a chain. `Sequential` is one, and a layer itself, so chains nest. It calls what
it holds: layers, the activations of Module 02, or any function.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-sequential", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: keep the layers, and pass x through them.
# Approach: __init__: 1. put the layers, as a list, in the attribute layers: there members() finds
#   them. forward: 2. each layer gets what the one before it returned.
# Example: Sequential(abs, lambda x: x + 1)(Tensor([-2.0]))  ->  Tensor([3.])
# Hint: *layers makes a tuple of all arguments. Without layers, x comes out as it went in.
class Sequential(Layer):
    """A chain: each layer's output is the next one's input (torch.nn.Sequential)."""

    def __init__(self, *layers):
        """Keep the layers, any functions of one Tensor, in the list self.layers."""
        ### BEGIN SOLUTION
        self.layers = list(layers)
        ### END SOLUTION

    def forward(self, x):
        """Return what the last layer returns."""
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
        lines = [f"\n({i}): {layer}".replace("\n", "\n  ") for i, layer in enumerate(self.layers)]
        return f"Sequential({''.join(lines)}\n)"


# %% [markdown]
"""
### Testing Sequential
Order, parameters, modes. Hidden: chains in chains, a layer used twice, an empty chain, float64.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-sequential-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
def test_sequential():
    x, a, b = Tensor([-2.0, 3.0]), Block(), Block()
    check(Sequential(abs, lambda x: x + 1, lambda x: x * 10)(x), [30.0, 40.0], "|x|, + 1, * 10")
    net = Sequential(a, ReLU(), b)
    check(net(x), [max(0.0, -2 * 1 + 1) + 1, max(0.0, 3 * 1 + 1) + 1], "x + 1, ReLU, x + 1")
    got, want = net.parameters(), [a.weight, a.bias, b.weight, b.bias]
    same = [id(p) for p in got] == [id(p) for p in want]
    assert same, f"expected the 4 parameters of the two layers inside, found {len(got)}"
    assert not net.eval()[2].training, "eval() of a Sequential should reach its layers"
    ### BEGIN HIDDEN TESTS
    # hidden: empty chains, repeated layers
    check(Sequential()(x), [-2.0, 3.0], "Sequential() without layers")
    check(Sequential(a, a)(x), [-2.0 + 1 + 1, 3.0 + 1 + 1], "the same layer twice")
    # hidden: the chain stays as it is
    assert type(net.layers) is list, f"layers should be a list, not {type(net.layers).__name__}"
    before = dict(vars(net))
    net(x)
    assert vars(net) == before, "forward should leave the chain as it is"
    # hidden: chains in chains, float64
    inner = Sequential(a, lambda x: x * 3)
    chain = Sequential(a, inner, ReLU(), Sequential(inner))
    for dtype in (np.float32, np.float64):
        given = Tensor(x, dtype)
        a.weight, a.bias = (Tensor([v], dtype, requires_grad=True) for v in (0.5, 0.25))
        want = [0.5 * v + 0.25 for v in (-2.0, 3.0)]
        want = [3 * (0.5 * v + 0.25) for v in want]
        want = [3 * (0.5 * max(0.0, v) + 0.25) for v in want]
        check(chain(given), want, "chains in a chain", dtype)
        check(given, [-2.0, 3.0], "the input afterwards", dtype)
    # hidden: path of Tensor operations
    check_differentiable(lambda: chain(given), {"x": given, "weight": a.weight}, "a chain")
    # hidden: parameters, length, eval of chains
    assert len(chain.parameters()) == 2, "two parameters, used three times, are two"
    assert len(chain) == 4 and chain[-1][0] is inner, "len(chain), chain[-1]"
    assert not chain.eval()[1][0].training, "eval() should reach the innermost layer"
    ### END HIDDEN TESTS
    print("✅ a chain of layers is a layer")


test_sequential()

# %% [markdown]
"""
## Exercise 6: Flatten
A picture is (channels, height, width), but `Linear` wants rows. `Flatten` merges the dimensions
from start_dim to end_dim into one, by default all but the batch. The result is a view: no number
moves.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-flatten", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: find the two dimensions, multiply the sizes between them, reshape.
# Approach: 1. a dim outside [-x.ndim, x.ndim) is an IndexError. 2. count both from the front.
#   3. start after end: RuntimeError. 4. the new size is the product of those from start to end;
#   -1 would not do, for in an empty batch any size fits. 5. reshape.
# Example: Flatten()(zeros(8, 3, 4, 4)).shape  ->  (8, 48), and Flatten(0, 1) gives (24, 4, 4)
# Hint: -1 % 4 is 3, math.prod((3, 4, 4)) is 48.
class Flatten(Layer):
    """Makes one dimension of start_dim to end_dim, both included (torch.nn.Flatten)."""

    def __init__(self, start_dim=1, end_dim=-1):
        """Keep start_dim and end_dim, either of which may count from the end."""
        ### BEGIN SOLUTION
        self.start_dim, self.end_dim = start_dim, end_dim
        ### END SOLUTION

    def forward(self, x):
        """Return x with fewer dimensions, as a view if possible.

        IndexError if x lacks one of the dimensions, RuntimeError if start_dim comes after
        end_dim; both say "Flatten", start_dim and end_dim as given, and the shape of x.
        """
        ### BEGIN SOLUTION
        if not all(-x.ndim <= dim < x.ndim for dim in (self.start_dim, self.end_dim)):
            raise IndexError(f"{self}: shape {x.shape} lacks one of them; unsqueeze adds one")
        start, end = self.start_dim % x.ndim, self.end_dim % x.ndim
        if start > end:
            raise RuntimeError(f"{self}: start_dim comes after end_dim, for shape {x.shape}")
        size = math.prod(x.shape[start : end + 1])
        return x.reshape(*x.shape[:start], size, *x.shape[end + 1 :])
        ### END SOLUTION


# %% [markdown]
"""
### Testing Flatten
Shapes, the order of the elements, the errors. Hidden: more dims, also negative, empty batches,
shared memory, both float dtypes.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-flatten-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_flatten():
    x = arange(24).reshape(2, 3, 4)
    check(Flatten()(x), [list(range(12)), list(range(12, 24))], "Flatten() of (2, 3, 4)")
    cases = [((2, 3, 4, 5), 1, 2, (2, 12, 5)), ((2, 3, 4), -3, -2, (6, 4)), ((0, 3), 1, -1, (0, 3))]
    bad = [((4,), 1, -1, IndexError), ((2, 3, 4), 2, 1, RuntimeError)]
    ### BEGIN HIDDEN TESTS
    # hidden: sizes of zero
    cases += [
        ((2, 3, 0), 0, 1, (6, 0)),
        ((0, 3, 4), 1, -1, (0, 12)),
        ((0, 3, 4), 0, 1, (0, 4)),
        ((2, 0, 4), 1, 2, (2, 0)),
    ]
    # hidden: more dims, also negative
    cases += [((2, 3, 4, 5), 0, -1, (120,)), ((2, 3, 4, 5), -2, 3, (2, 3, 20)), ((3,), 0, 0, (3,))]
    cases += [((2, 3, 4, 5), 2, -2, (2, 3, 4, 5)), ((1, 1), 0, 1, (1,)), ((2, 3), 0, 0, (2, 3))]
    # hidden: dims that are not there
    bad += [((2, 3), start, end, IndexError) for start, end in ((0, 2), (-3, 1), (0, -3), (2, 1))]
    bad += [((), 1, -1, IndexError), *(((2, 3, 4), -1, end, RuntimeError) for end in (-2, 0))]
    # hidden: order of elements, permuted views
    y = np.random.default_rng(6).normal(size=(2, 3, 2))
    for dtype in (np.float32, np.float64):
        t = Tensor(y, dtype)
        rows = [[y[i, j, k] for j in range(3) for k in range(2)] for i in range(2)]
        check(Flatten()(t), rows, "Flatten() of (2, 3, 2)", dtype)
        rows = [[y[i, j, k] for i in range(2) for j in range(3)] for k in range(2)]
        check(Flatten()(t.permute(2, 0, 1)), rows, "Flatten() of a permuted view", dtype)
        # hidden: path, shared memory, unchanged input
        check_differentiable(lambda t=t: Flatten()(t), {"x": t}, "Flatten")
        assert np.shares_memory(Flatten()(t).data, t.data), "Flatten() should give a view"
        assert t.shape == (2, 3, 2), "Flatten() changed the shape of its input"
    ### END HIDDEN TESTS
    for shape, start, end, want in cases:
        got = Flatten(start, end)(zeros(shape)).shape
        assert got == want, f"Flatten({start}, {end}) of {shape}: expected {want}, got {got}"
    for shape, start, end, error in bad:
        words, layer = ["Flatten", str(start), str(end), str(shape)], Flatten(start, end)
        what = f"Flatten({start}, {end}) of {shape}"
        check_raises(error, words, lambda layer=layer, s=shape: layer(zeros(s)), what)
    print("✅ pictures become rows")


test_flatten()

# %% [markdown]
"""
## Exercise 7: Dropout
While training, each number becomes 0 with probability p, anew in every call, so no unit can rely on
a certain other one (Srivastava et al. 2014). **Inverted** dropout divides the survivors by 1 - p at
once: the expected value stays, and inference needs no correction. It returns x itself, at no cost.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: check and keep p; drop while training, do nothing otherwise.
# Approach: __init__: 1. p outside [0, 1]: ValueError. forward: 2. in eval mode, or for p = 0,
#   return x itself. 3. keep where rand(x.shape) >= p. 4. the mask: keep / (1 - p), as a Tensor of
#   x's dtype, or float64 would lose its precision. 5. p = 1 keeps nothing: do not divide by 0.
#   6. x times the mask.
# Example: Dropout(0.5)(ones(4))  ->  for instance Tensor([2., 0., 0., 2.])
# Hint: Tensor(keep, x.dtype) makes 0s and 1s of booleans; a mask is a constant, so that is no cut
#   in Module 05's path from x. self.training is the mode.
class Dropout(Layer):
    """Zeroes numbers at random while training, and scales the others (torch.nn.Dropout)."""

    def __init__(self, p=0.5):
        """Keep p, the probability that a number is dropped. ValueError names a p not in [0, 1]."""
        ### BEGIN SOLUTION
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout needs a probability p from 0 to 1, got {p}")
        self.p = p
        ### END SOLUTION

    def forward(self, x):
        """Return x with about a share p of 0s, all else divided by 1 - p; x itself in eval mode."""
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
Shares among 10,000 numbers, exact values, both modes, a bad p. Hidden: other p, the extremes 0 and
1, both float dtypes, a mask of its own for every number and every call, the generator.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-dropout-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}}
def test_dropout():
    manual_seed(7)
    x, small, half = np.linspace(1.0, 2.0, 10_000), ones(40, 50), Dropout(0.5)
    check_differentiable(lambda: half(small), {"x": small}, "Dropout")
    shares, dtypes = [0.25], [np.float64]
    ### BEGIN HIDDEN TESTS
    # hidden: other p, both float dtypes
    shares, dtypes = [0.25, 0.1, 0.9], [np.float64, np.float32]
    ### END HIDDEN TESTS
    for p, dtype in [(p, dtype) for p in shares for dtype in dtypes]:
        given, what = Tensor(x, dtype), f"Dropout({p}), {dtype.__name__}"
        out, values = Dropout(p)(given), given.data.tolist()
        assert out.shape == (10_000,), f"{what}: expected shape (10000,), got {out.shape}"
        dropped = [v == 0 for v in out.data.tolist()]
        share = sum(dropped) / 10_000
        assert abs(share - p) < 0.025, f"{what}: a share of {share} was dropped"
        want = [0.0 if d else v / (1 - p) for v, d in zip(values, dropped, strict=True)]
        check(out, want, what, dtype, hint="survivors are divided by 1 - p, in x's dtype")
        assert given.data.tolist() == values, f"{what}: the input was modified"
    assert (half(small) != half(small)).data.any(), "every call should draw a new mask"
    assert half.eval()(small) is small, "in eval mode: expected x itself"
    check_raises(ValueError, ["1.5"], lambda: Dropout(1.5), "Dropout(1.5)")
    check(Dropout(1)(ones(2)), [0.0, 0.0], "Dropout(1): everything is dropped")
    ### BEGIN HIDDEN TESTS
    # hidden: train() drops, p zero not
    assert half.train()(small) is not small, "after train() it should drop again"
    assert Dropout(0)(small) is small, "p = 0: expected x itself"
    # hidden: eval mode draws nothing
    manual_seed(11)
    first = rand(3).data.tolist()
    manual_seed(11)
    assert Dropout(1).eval()(small) is small, "p = 1, eval mode: expected x itself"
    assert Dropout(0.5).eval()(small) is small, "eval mode: expected x itself"
    assert rand(3).data.tolist() == first, "in eval mode no random number should be drawn"
    # hidden: p of one, empty batches
    for dtype in (np.float32, np.float64):
        given = Tensor([[-1000.0, 0.0, 1000.0]], dtype)
        check(Dropout(1.0)(given), [[0.0, 0.0, 0.0]], "Dropout(1.0)", dtype)
        assert half(ones(0, 3, dtype=dtype)).shape == (0, 3), "an empty batch"
    # hidden: own draws, manual_seed repeats
    many, results = half(small).data, []
    rows, columns = {tuple(r) for r in many.tolist()}, {tuple(c) for c in many.T.tolist()}
    assert (len(rows), len(columns)) == (40, 50), "every number needs a draw of its own"
    for seed in (8, 9, 8):
        manual_seed(seed)
        results.append(half(small).data.tolist())
    assert results[0] == results[2] != results[1], "masks should follow manual_seed: use rand"
    # hidden: wrong p, the default
    for bad in (-0.1, 1.0001, math.nan):
        check_raises(ValueError, [str(bad)], lambda bad=bad: Dropout(bad), f"Dropout({bad})")
    assert Dropout().p == 0.5, "Dropout() should have p = 0.5"
    ### END HIDDEN TESTS
    print("✅ Dropout drops while training, and rests otherwise")


test_dropout()

# %% [markdown]
"""
## Exercise 8: LayerNorm
Instead of hoping that the first weights keep the scale, compute it: shift and stretch every row to
mean 0 and variance 1, then let two parameters, weight and bias, choose another scale if training
wants one (Ba, Kiros and Hinton 2016). Each row by itself: unlike batch normalization, it works for
any batch and is the same in both modes.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-layernorm", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: normalize over the last dimensions.
# Approach: __init__: 1. as_tuple((normalized_shape,)) is a tuple for an int, too. 2. keep eps;
#   weight: ones, bias: zeros, of this shape, requiring gradients. forward: 3. do the last sizes of
#   x fit? 4. subtract the mean over the last dimensions. 5. divide by the square root of variance
#   (over n, not n - 1) plus eps, which stands inside the root. 6. times weight, plus bias.
# Example: LayerNorm(2)(Tensor([[1.0, 3.0], [5.0, 5.0]]))  ->  about [[-1, 1], [0, 0]]
# Hint: the axes are (-1,) or (-2, -1), and so on: tuple(range(-n, 0)). Reduce with keepdims=True;
#   x.var divides by n - 1 unless told correction=0.
class LayerNorm(Layer):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last sizes (torch.nn.LayerNorm)."""

    def __init__(self, normalized_shape, eps=1e-5):
        """Keep the last sizes of the inputs, an int, tuple or list, as a tuple; and eps."""
        ### BEGIN SOLUTION
        self.normalized_shape, self.eps = as_tuple((normalized_shape,)), eps
        self.weight = ones(self.normalized_shape, requires_grad=True)
        self.bias = zeros(self.normalized_shape, requires_grad=True)
        ### END SOLUTION

    def forward(self, x):
        """Return the normalized x, of the same shape.

        RuntimeError if x does not end in normalized_shape; it says "LayerNorm" and both shapes.
        """
        ### BEGIN SOLUTION
        n = len(self.normalized_shape)
        if x.shape[-n:] != self.normalized_shape:
            raise RuntimeError(f"{self} needs those last sizes, got an input of shape {x.shape}")
        axes = tuple(range(-n, 0))
        centered = x - x.mean(axis=axes, keepdims=True)
        var = (centered * centered).mean(axis=axes, keepdims=True)
        return centered / (var + self.eps).sqrt() * self.weight + self.bias
        ### END SOLUTION


# %% [markdown]
"""
### Testing LayerNorm
Rows, a constant row, parameters, the error. Hidden: several dimensions, large and tiny numbers,
eps, both float dtypes, each row by itself.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-layernorm-test", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}}
def test_layernorm():
    def by_hand(values, eps=1e-5):
        mean = math.fsum(values) / len(values)
        var = math.fsum((v - mean) ** 2 for v in values) / len(values)
        return [(v - mean) / math.sqrt(var + eps) for v in values]

    norm, x = LayerNorm(3), Tensor([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])
    a, b, c = by_hand([1.0, 2.0, 6.0])
    check(norm(x), [[a, b, c], [0.0, 0.0, 0.0]], "LayerNorm(3) of two rows")
    tiny = Tensor([0.001, 0.002, 0.006], np.float64)
    want = by_hand(tiny.data.tolist())
    check(norm(tiny), want, "tiny float64 numbers", np.float64, "eps stands inside the root")
    norm.weight = Tensor([1.0, 10.0, 100.0], requires_grad=True)
    norm.bias = Tensor([0.5, 0.25, 0.0], requires_grad=True)
    check(norm(x[0]), [a + 0.5, 10 * b + 0.25, 100 * c], "one row, with weight and bias")
    path = {"x": x, "weight": norm.weight, "bias": norm.bias}
    check_differentiable(lambda: norm(x), path, "LayerNorm", constants=False)
    shapes = [p.shape for p in LayerNorm((2, 4)).parameters()]
    assert shapes == [(2, 4), (2, 4)], f"LayerNorm((2, 4)): parameters of shapes {shapes}"
    check_raises(RuntimeError, ["LayerNorm", "(3,)", "(3, 2)"], lambda: norm(ones(3, 2)), "(3, 2)")
    ### BEGIN HIDDEN TESTS
    # hidden: several dimensions, eps, both dtypes
    rng = np.random.default_rng(8)
    plain, cases = LayerNorm(3), [((4, 5), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 2, 3, 2), 3)]
    for shape, n, dtype in [(*case, d) for case in cases for d in (np.float32, np.float64)]:
        last = shape[-n:]
        layer, x = LayerNorm(last if n > 1 else last[0], eps=0.01), rng.normal(3.0, 0.2, size=shape)
        assert layer.normalized_shape == last, f"normalized_shape {layer.normalized_shape}"
        layer.weight = Tensor(rng.normal(size=last), dtype, requires_grad=True)
        layer.bias = Tensor(rng.normal(size=last), dtype, requires_grad=True)
        x, (w, b) = Tensor(x, dtype), (p.data.ravel().tolist() for p in (layer.weight, layer.bias))
        before, rows = x.data.tolist(), x.data.reshape(-1, len(w)).tolist()
        rows = [zip(by_hand(r, 0.01), w, b, strict=True) for r in rows]
        want = np.reshape([[v * s + t for v, s, t in r] for r in rows], shape).tolist()
        check(layer(x), want, f"LayerNorm({last}) of {shape}", dtype)
        after = x.data.tolist(), layer.weight.data.ravel().tolist()
        assert after == (before, w), "forward modified its input or the weight"
    # hidden: large and tiny numbers
    for row in ([-1000.0, 1000.0, 0.0], [10000.0, 10001.0, 10005.0], [1e-4, 0.0, 0.0]):
        for dtype in (np.float32, np.float64):
            check(plain(Tensor([row], dtype)), [by_hand(row)], f"LayerNorm(3) of {row}", dtype)
    # hidden: views, empty batches
    wide = Tensor([[1.0, 7.0], [2.0, 8.0], [6.0, 9.0]])
    check(plain.eval()(wide.T), [by_hand([1.0, 2.0, 6.0]), by_hand([7.0, 8.0, 9.0])], "a view")
    assert plain(ones(0, 3)).shape == (0, 3), f"an empty batch gave {plain(ones(0, 3)).shape}"
    # hidden: shapes that do not fit
    pair = LayerNorm([2, 3])
    check_raises(RuntimeError, ["(2, 3)", "(3, 2)"], lambda: pair(ones(3, 2)), "(3, 2), not (2, 3)")
    check_raises(RuntimeError, ["(3,)", "(3, 1)"], lambda: plain(ones(3, 1)), "(3, 1) for (3,)")
    check_raises(RuntimeError, ["(2, 3)", "(3,)"], lambda: pair(ones(3)), "(3,) for (2, 3)")
    check_raises(RuntimeError, ["(2, 3)", "(1, 3)"], lambda: pair(ones(1, 3)), "(1, 3) for (2, 3)")
    check_raises(RuntimeError, ["(3,)", "()"], lambda: plain(Tensor(1.0)), "() for (3,)")
    # hidden: rows of one number
    check(LayerNorm(1)(Tensor([[5.0], [7.0]])), [[0.0], [0.0]], "LayerNorm(1): rows of one number")
    ### END HIDDEN TESTS
    print("✅ LayerNorm keeps the scale, whatever comes in")


test_layernorm()

# %% [markdown]
"""
## Exercise 9: Embedding
A word is no quantity: word 7 is not more than word 3. So each word gets a vector of its own, one
row of a table, and a lookup gathers rows. That equals a `Linear` without bias on one-hot rows,
without multiplying all those zeros. NumPy would silently read index -1 as the last row: you must
not.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-embedding", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: make the table; check the index; gather.
# Approach: __init__: 1. keep both sizes as attributes. 2. weight: randn of shape (num_embeddings,
#   embedding_dim), requiring gradients. forward: 3. index.dtype.kind not in "iu" (int, unsigned):
#   RuntimeError. 4. any index < 0 or >= num_embeddings: IndexError. 5. rows of weight, by index.
# Example: Embedding(10, 4)(Tensor([[1, 2, 1]])).shape  ->  (1, 3, 4)
# Hint: indices are never differentiated, so index.data is allowed here; | is "or" for arrays.
class Embedding(Layer):
    """A table of vectors, looked up by row number (torch.nn.Embedding)."""

    def __init__(self, num_embeddings, embedding_dim):
        """Draw weight, of shape (num_embeddings, embedding_dim), with mean 0 and variance 1."""
        ### BEGIN SOLUTION
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = randn(num_embeddings, embedding_dim, requires_grad=True)
        ### END SOLUTION

    def forward(self, index):
        """Return the rows, of shape index.shape + (embedding_dim,), for a Tensor of integers.

        RuntimeError says "Embedding" and the dtype if index is not of integers; IndexError says
        "Embedding", a bad index and num_embeddings.
        """
        ### BEGIN SOLUTION
        if index.dtype.kind not in "iu":
            raise RuntimeError(f"{self} needs integer indices, got {index.dtype}; use dtype=int")
        bad = index.data[(index.data < 0) | (index.data >= self.num_embeddings)]
        if bad.size:
            raise IndexError(f"{self} needs 0 <= index < {self.num_embeddings}, got {bad[0]}")
        return self.weight[index]
        ### END SOLUTION


# %% [markdown]
"""
### Testing Embedding
Lookups, errors, the table. Hidden: other shapes and integer dtypes, no index at all (integers of shape (0,)), memory that
nobody shares, the generator.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-embedding-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_embedding():
    table = Embedding(3, 2)
    table.weight = Tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], requires_grad=True)
    check(table(Tensor([2, 0, 2])), [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]], "rows 2, 0, 2")
    check(table(Tensor([[1], [0]])), [[[2.0, 3.0]], [[0.0, 1.0]]], "an index of shape (2, 1)")
    check_differentiable(lambda: table(Tensor([1])), {"weight": table.weight}, "Embedding")
    weight, want = Embedding(200, 50).weight, ((200, 50), "float32", True)
    got = weight.shape, str(weight.dtype), weight.requires_grad
    assert got == want, f"weight: expected shape, dtype and requires_grad {want}, got {got}"
    indices, others = [([0, -1], "-1", np.int64)], [([1.0], np.float32)]
    ### BEGIN HIDDEN TESTS
    # hidden: indices out of range
    indices += [([0, 3], "3", np.int32), ([[-3, 0]], "-3", np.int64), ([[1], [99]], "99", np.uint8)]
    # hidden: an index that is not integer
    others += [([True, False, True], np.bool_), (1.0, np.float64), ([], np.float32)]
    others += [([-1.0, 7.0], np.float32)]
    # hidden: other shapes and integer dtypes
    rows = table.weight.data.tolist()
    for dtype in (np.uint8, np.int32, np.int64):
        index = Tensor([[0, 2], [1, 1]], dtype)
        check(table(index), [[rows[0], rows[2]], [rows[1], rows[1]]], f"{dtype.__name__} index")
        assert index.data.tolist() == [[0, 2], [1, 1]], "forward modified the index"
    check(table(Tensor(1)), [2.0, 3.0], "a single number")
    check(table(Tensor([1])), [[2.0, 3.0]], "an index of shape (1,)")
    # hidden: memory that nobody shares
    shared = np.shares_memory(table(Tensor(1)).data, table.weight.data)
    assert not shared, "the result for a single number shares the table's memory"
    assert table(zeros(0, 4, dtype=int)).shape == (0, 4, 2), "an index without elements"
    table(Tensor([0, 1])).data[:] = 9.0
    assert table.weight.data.tolist() == rows, "a change of the result changed the table"
    # hidden: float64, manual_seed, first weights
    double = Embedding(3, 1)
    double.weight = Tensor([[0.1], [0.2], [0.3]], np.float64, requires_grad=True)
    check(double(Tensor([2, 1])), [[0.3], [0.2]], "a float64 table", np.float64)
    starts = []
    for seed in (9, 8, 9):
        manual_seed(seed)
        starts.append(Embedding(200, 50).weight.data.ravel().tolist())
    assert starts[0] == starts[2] != starts[1], "weight should follow manual_seed: use randn"
    mean, var = (math.fsum(v**k for v in starts[0]) / 10_000 for k in (1, 2))
    normal = abs(mean) < 0.05 and abs(var - 1) < 0.07 and max(starts[0]) > 2.5
    assert normal, f"weight should be normal: use randn; mean {mean:.3f}, variance {var:.3f}"
    assert (double.num_embeddings, double.embedding_dim) == (3, 1), "num_embeddings, embedding_dim"
    ### END HIDDEN TESTS
    for index, bad, dtype in indices:
        call, words = (lambda i=index, d=dtype: table(Tensor(i, d))), ["Embedding", bad, "3"]
        check_raises(IndexError, words, call, f"index {index}, of a table with 3 rows")
    for index, dtype in others:
        call, kind = (lambda i=index, d=dtype: table(Tensor(i, d))), np.dtype(dtype).name
        check_raises(RuntimeError, ["Embedding", kind], call, f"{kind} index {index}")
    print("✅ Embedding looks rows up, and nothing else")


test_embedding()

# %% [markdown]
"""
## Exercise 10: Count before you run
How large is it, and how long will it take? Both can be said before the first line runs: the memory
of a network follows from its parameters, its time from its FLOPs. Part 2 checks the two formulas.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-count", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
# TODO: count the numbers in all parameters, and the FLOPs of a Linear.
# Approach: count_parameters: the sum of the sizes. linear_flops: one output is in_features
#   products, in_features - 1 additions to sum them, and one more for the bias; how many outputs?
# Example: count_parameters(Linear(3, 2))  ->  8, and linear_flops(5, 3, 2)  ->  60
# Hint: a shared parameter counts once, for it is stored once: parameters() has seen to that.
def count_parameters(layer):
    """Return how many numbers the parameters of a layer hold, as an int."""
    ### BEGIN SOLUTION
    return sum(p.size for p in layer.parameters())
    ### END SOLUTION


def linear_flops(batch, in_features, out_features):
    """Return the FLOPs (multiplications and additions) of a Linear with bias, as an int."""
    ### BEGIN SOLUTION
    return 2 * batch * in_features * out_features
    ### END SOLUTION


# %% [markdown]
"""
### Testing counts
Small layers, one by one. Hidden: shared layers and parameters, layers without any, other sizes.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "layers-count-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
def test_count():
    big, small = Block(), Block()
    big.weight, small.bias = ones(4, 3, requires_grad=True), ones(5, requires_grad=True)
    cases = [(big, 4 * 3 + 1), (Block(big, ReLU(), small), (1 + 1) + (4 * 3 + 1) + (1 + 5))]
    works = [(1, 1, 1, 2), (5, 3, 2, 60), (64, 784, 128, 12_845_056)]
    ### BEGIN HIDDEN TESTS
    # hidden: shared layers, layers without parameters
    tied, empty = Block(), Layer()
    tied.bias = tied.weight
    cases += [(Block(big, [big]), 2 + 13), (tied, 1), (Block(tied, empty), 3), (empty, 0)]
    # hidden: parameters of three dimensions
    cube = Block()
    cube.weight = ones(2, 3, 4, dtype=np.float64, requires_grad=True)
    cases += [(cube, 2 * 3 * 4 + 1)]
    # hidden: other sizes
    works += [(10**7, 10**7, 10**7 + 1, 2 * 10**14 * (10**7 + 1))]
    for n in range(1, 7):  # n rows, n + 1 inputs, n + 2 outputs: products, sums, bias
        works += [(n, n + 1, n + 2, n * (n + 2) * ((n + 1) + n + 1))]
    ### END HIDDEN TESTS
    for layer, want in cases:
        got = count_parameters(layer)
        assert type(got) is int and got == want, f"{layer}: expected the int {want}, got {got!r}"
    for batch, n, m, want in works:
        got, what = linear_flops(batch, n, m), f"linear_flops({batch}, {n}, {m})"
        assert type(got) is int and got == want, f"{what}: expected the int {want}, got {got!r}"
    print("✅ you know the size and the work before you run")


test_count()

# %% [markdown]
"""
## Part 2: Systems Analysis
You built it; now measure it. Close other programs, run each cell, look at your own numbers, and
explain them to yourself: only the four questions at the end are marked.

### Memory Profiling
A network holds its parameters, however many rows come in. Its activations grow with the batch, and
training has to keep them all until the gradients are done (Module 05).
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory(width=512):
    """Print the memory of parameters, of a forward pass, and of all activations kept."""
    import tracemalloc

    def traced(make):
        tracemalloc.start()
        kept = make()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept, held / 1e6, peak / 1e6

    def build():
        deep = Linear(784, width), ReLU(), Linear(width, width), ReLU(), Linear(width, 10)
        return Sequential(*deep)

    def keep_all(x):
        outputs = [x]
        for layer in net:
            outputs.append(layer(outputs[-1]))
        return outputs

    net, held, peak = traced(build)
    count = count_parameters(net)
    print(f"{count:,} parameters keep {held:.2f} MB, {1e6 * held / count:.2f} bytes each.")
    print(f"While they were drawn, up to {peak:.2f} MB were in use.")
    for batch in (1, 32, 1024):
        x = randn(batch, 784)
        peak, kept = traced(lambda x=x: net(x))[2], traced(lambda x=x: keep_all(x))[1]
        print(f"batch {batch:5}: forward peaks at {1e3 * peak:6,.0f} kB, ", end="")
        print(
            f"all activations kept take {1e3 * kept:6,.0f} kB, {1e6 * kept / batch:7,.0f} B a row"
        )
    print(f"From batch {held / kept * batch:.0f} on the activations outweigh the parameters.")


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** Expect 4 bytes per parameter, and more while they are drawn: every step of
`(rand(shape) * 2 - 1) * bound` is a temporary, as you know from Module 01. The outputs of the five
layers are 4 · 512 + 10 numbers a row, 8,232 bytes; at batch 1 you see the overhead of the Tensors,
too. Why does the peak of a forward pass that keeps nothing not grow when you add more layers?

### Parameters and FLOPs: formula against count
A FLOP can be counted: give the network numbers that count their own products and sums, and NumPy
will use these instead of BLAS. Your `Linear` does not notice.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-count", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_count():
    """Print the parameters and FLOPs of a network by formula, and as counted while it runs."""

    class Counting:
        """A number whose value nobody needs."""

        flops = 0

        def __mul__(self, other):
            Counting.flops += 1
            return self

        __add__ = __mul__

    def counting(*shape):
        return result_of(np.full(shape, Counting()))

    print(f"{'':14}{'parameters':>12}{'stored':>12}{'FLOPs':>12}{'counted':>12}")
    rows = []
    for n, m in ((784, 128), (128, 64), (64, 10)):
        layer, Counting.flops = Linear(n, m), 0
        stored = sum(p.data.nbytes for p in layer.parameters()) // 4
        layer.weight, layer.bias = counting(n, m), counting(m)
        layer(counting(1, n))
        rows.append((n * m + m, stored, linear_flops(1, n, m), Counting.flops))
        print(f"Linear({n}, {m})".ljust(14) + "".join(f"{number:12,}" for number in rows[-1]))
    share = sum(row[3] for row in rows) / sum(row[1] for row in rows)
    print(f"{share:.2f} FLOPs per parameter and row, {share / 4:.2f} per byte at batch 1.")


profile_count()

# %% [markdown]
"""
**Explain your table.** Formulas and counts agree to the last digit. Remember the last line, which
holds for any chain of `Linear`s: 2 FLOPs per parameter and row. A language model of 7 billion
parameters does 14 GFLOP for each word it writes, and reads 28 GB for it (14 in float16). Which of
the two will limit it on your computer?

### Batch size against throughput
At batch 1 a `Linear` is a matrix times a vector (GEMV): every weight is read, used once, and gone.
A batch makes it a matrix product (GEMM), which uses each weight it reads for every row.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-batch", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_batch(n=3072):
    """Plot the GFLOP/s of one Linear against the batch size, with the time of a call."""
    import matplotlib.pyplot as plt

    layer, batches = Linear(n, n), [2**k for k in range(9)]
    inputs = [randn(batch, n) for batch in batches]
    seconds = [min(times(lambda x=x: layer(x), 5)) for x in inputs]
    speed = [1e-9 * linear_flops(b, n, n) / t for b, t in zip(batches, seconds, strict=True)]
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.loglog(batches, speed, "o-", linewidth=2)
    for batch, t, y, after in zip(batches, seconds, speed, [*speed[1:], math.inf], strict=True):
        side = ("bottom", 1.08) if after < y else ("top", 0.95)  # of the point, off the curve
        axes.annotate(f" {1e3 * t:.2g} ms", (batch, side[1] * y), va=side[0])
    axes.set_xticks(batches, batches)
    ticks = [v for v in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if min(speed) < 2 * v]
    axes.set_yticks(ticks, ticks)
    axes.minorticks_off()
    axes.set(xlabel="rows in the batch", xlim=(0.8, 2.2 * batches[-1]))
    axes.set(ylabel="GFLOP/s", ylim=(0.7 * min(speed), 1.5 * max(speed)))
    axes.set_title(f"One row at a time reaches {speed[0] / max(speed):.0%} of the speed of a batch")
    plt.show()
    for batch in (1, 16, batches[-1]):
        print(f"Batch {batch:3} takes {1e3 * seconds[batches.index(batch)]:.2f} ms.")
    gain = seconds[0] * batches[-1] / seconds[-1]
    print(f"Row by row, {batches[-1]} rows would take {gain:.1f} times as long as in one batch.")
    print(f"One row reads {4e-9 * n * n / seconds[0]:.0f} GB of weights a second.")


profile_batch()

# %% [markdown]
"""
**Explain your curve.** At batch 1 expect 0.5 FLOP per byte times the bandwidth of your memory (or
of a cache that holds the weights), 5 to 40 GFLOP/s: compare the last line with your roofline of
Module 01. At batch 2 the time may jump: GEMM first copies the weights into blocks for caches and
registers, GEMV does not. From there to 8 rows or so it hardly grows, since all rows share that one
pass over the weights; then the curve bends towards your peak, some 50 to 150 GFLOP/s per core. At
which batch? (A ragged curve is a busy machine's: run the cell again.)

### Initialization against depth
Fifty times `Linear` and ReLU, with five ways to draw the weights. How large are the activations?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-depth", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_depth(width=256, depth=50):
    """Plot the standard deviation of activations through many layers, for five initializations."""
    import matplotlib.pyplot as plt

    manual_seed(0)
    shape, relu = (width, width), ReLU()
    ways = {
        "2 × Kaiming": lambda: kaiming_uniform(shape) * 2,
        "Kaiming": lambda: kaiming_uniform(shape),
        "PyTorch's default, with bias": None,
        "Xavier": lambda: xavier_uniform(shape),
        "Kaiming ÷ 2": lambda: kaiming_uniform(shape) / 2,
    }
    _, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    print(f"{'':30}{'factor':>8}{'predicted':>11}{'std at the end':>16}{'between inputs':>16}")
    for name, draw in ways.items():
        x, spread = randn(width, width), []
        for _ in range(depth):
            layer = Linear(width, width, bias=draw is None)
            layer.weight = draw() if draw else layer.weight
            x = relu(layer(x))
            spread.append(Tensor(x, np.float64).var().sqrt().item())
        (line,) = axes.semilogy(range(1, depth + 1), spread, linewidth=2)
        height = spread[-1] * {"Kaiming": 3, "PyTorch's default, with bias": 0.3}.get(name, 1)
        axes.text(depth + 1, height, name, color=line.get_color(), va="center")
        factor = (spread[3] / spread[0]) ** (1 / 3)
        predicted = math.sqrt(width * layer.weight.var().item() / 2)
        apart = Tensor(x, np.float64).var(axis=0).mean().sqrt().item()
        print(f"{name:30}{factor:8.2f}{predicted:11.2f}{spread[-1]:16.1e}{apart:16.1e}")
    axes.set(xlabel="layer", ylabel="standard deviation of activations", xlim=(0, 1.6 * depth))
    axes.set_xticks(range(0, depth + 1, 10))
    axes.set_title("Only the right scale survives fifty layers")
    plt.show()


profile_depth()

# %% [markdown]
"""
**Explain your curves.** Compare each factor with √(n · Var(w) / 2) from Part 1: 2, 1, 0.71 and 0.5,
and 0.41 for the default, whose Var(w) is 1 / (3n) (its biases add a little). Kaiming ends within a factor of ten of where it
began, Xavier at some 10⁻⁸: it was made for tanh, which does not halve. The default falls faster
than Xavier, then stays at some hundredths. Saved? Look at the last column, the standard deviation
of one unit between different inputs: for the default nothing is left but rounding and biases, the same for
every input. Fifty layers on, the network has forgotten what it was asked.

### Where the time goes
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-profile-share", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_share(batch=256, n=512):
    """Print each layer's share of the FLOPs of a network and of its time."""
    x, size = randn(batch, n), batch * n
    words = Tensor(np.arange(batch))
    layers = {  # name: the layer, its input, its FLOPs by formula
        "Embedding": (Embedding(10_000, n), words, 0),
        "Linear": (Linear(n, n), x, linear_flops(batch, n, n)),
        "ReLU": (ReLU(), x, size),
        "LayerNorm": (LayerNorm(n), x, 7 * size),  # 2 sums, subtract, square, divide, scale, shift
        "Dropout": (Dropout(0.1), x, 3 * size),  # compare, scale, multiply
    }
    seconds = {name: min(times(lambda f=f, x=x: f(x))) for name, (f, x, _) in layers.items()}
    for name, (_, _, flops) in layers.items():
        work = flops / sum(flops for _, _, flops in layers.values())
        time = seconds[name] / sum(seconds.values())
        print(f"{name:10}{work:6.1%} of FLOPs, {time:5.1%} of the time {'■' * round(50 * time)}")


profile_share()

# %% [markdown]
"""
**Explain your bars.** The FLOPs of `Linear` run in BLAS at the peak; all others wait for memory,
because each Tensor operation reads and writes the whole batch. Count the passes in your
`LayerNorm`: about ten, each at 1/12 FLOP per byte (Module 01). `Dropout` draws a random number for
each element, some nanoseconds. So expect a quarter to two thirds of the time for 1 % of the FLOPs.
(`Linear` at 98 %? Then the threads of BLAS waited for a busy machine: run the cell again.)
`Embedding` does none at all: what would one-hot rows times its table of 10,000 cost by your
formula?

## Part 3: Production Context
- **Finding parameters.** `torch.nn.Module` catches assignments in `__setattr__` and sorts them into
  dictionaries of parameters, buffers and modules; hence `nn.Parameter`, hence `nn.ModuleList`: it
  does not look into a plain list. You look through attributes when asked. Layers of Flax (Linen)
  hold no numbers: the parameters are a tree of arrays, one more argument.
- **Linear.** PyTorch stores weight as (out_features, in_features) and computes x Wᵀ + b in one
  call of BLAS (`addmm`), bias included. Keras (`Dense`) and Flax (`nn.Dense`) have your layout.
- **First weights.** PyTorch's default is `kaiming_uniform_(a=sqrt(5))`, which is 1 / √in_features,
  and the same bound for the bias. Keras takes Xavier (`glorot_uniform`) and zeros, Flax a truncated
  normal of variance 1 / n (LeCun) and zeros.
- **Dropout.** CUDA draws masks from a counter (Philox) inside the kernel, where no state needs to
  be locked; JAX demands an explicit key for each call. `eval()` does not switch off gradients.
- **LayerNorm.** One fused kernel reads x once, and keeps mean and 1/std of each row for backward.
  The default eps is 1e-5 in PyTorch, 1e-3 in Keras, 1e-6 in Flax.
- **Embedding.** A bad index is an error on the CPU. On a GPU PyTorch stops with a device-side
  assert, TensorFlow's `gather` returns zeros, and JAX clamps the index of `table[i]`, without a
  word.

Sources: PyTorch docs, *torch.nn*; Keras and Flax API docs; JAX docs, *The Sharp Bits*; TensorFlow
docs, *tf.gather*; Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015 (arXiv 1502.01852);
Srivastava et al., JMLR 15 (2014); Ba, Kiros and Hinton, arXiv 1607.06450.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "layers-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Run every test of this module."""
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    print("✅ Module 03 is complete: you have layers")


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer in three to six sentences each; where you measured, use your own numbers.

### Question 1: What fills the memory?
You train the network of your memory profile with batches of 4,096 rows. You have 20 MB. Count for
training the parameters and all activations kept, without the input; for inference the parameters
and the peak of a forward pass. What does training need? Which of these suffices by itself: half the
batch, half the width, or inference instead of training?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
Parameters took 2.7 MB at any batch. A row keeps 8,232 bytes, so 4,096 rows take 33.7 MB: 36.4 MB in
all. Half the batch halves the activations only: 16.86 + 2.68 = 19.5 MB, which just fits. Half the
width leaves 4 · 256 + 10 numbers a row, 16.9 MB, and 269,322 parameters, 1.1 MB: 18.0 MB fits, too.
Inference peaked at 6.8 MB for 1,024 rows, so at 27 MB for 4,096, with the parameters 30 MB: too
much, since in the ReLU three arrays of 8.4 MB and a mask exist at once, but it would not grow with
depth.

**Marking rubric (5 points)**
- 1: parameters, independent of the batch. 1: activations from bytes a row times 4,096.
- 2: half the batch and half the width in numbers (width changes both). 1: inference from the peak.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: Single requests or batches?
A service answers requests of one row each with your `Linear(3072, 3072)`. Somebody proposes to
collect 16 of them for each call. From your plot: what happens to the time of a call, to requests
per second, and (without numbers) to the wait of one request? Why do 16 rows take far less than 16 times one row?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
One row took 0.55 ms, 1,800 requests a second; 16 rows took 2.4 ms, 6,700 a second. A request waits
2.4 ms instead of 0.55, plus the time until 16 have come: with few requests that is the larger part,
so one collects for a limited time only. Each call reads all 38 MB of weights, however many rows use
them: 0.5 FLOP per byte at batch 1, 8 at batch 16. So one row waits for memory while the processor
idles; further rows use the same read. This ends where the intensity reaches the bend of the
roofline.

**Marking rubric (5 points)**
- 2: both times read from the plot, and the throughput computed from them.
- 1: latency: a longer call plus waiting. 2: weights read once for all rows, up to the bend.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: A healthy-looking network
A colleague stacks 50 `Linear` and ReLU with PyTorch's default. "The activations keep a standard
deviation of some hundredths, so nothing vanishes; but the network does not learn." Explain with
your table what is wrong, and name two different changes, in code of this module, that mend it. (Try
them in a cell of your own.)
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
The default has Var(w) = 1 / (3n), so every layer multiplies what comes from the input by √(1/6) =
0.41 (I measured 0.47 over the first layers, bias included): after 50 layers 10⁻¹⁹ of it is left,
less than float32 can add to the biases. Those are the same for all inputs, and they are what keeps
the level at 0.02; between inputs I measured 10⁻⁹, mere rounding, where Kaiming kept 0.1. What does
not depend on the input cannot learn about it. One: `layer.weight = kaiming_uniform((n, n))` and a
bias of 0, factor 1.0. Two: `LayerNorm(n)` after each `Linear` restores variance 1 in every layer.

**Marking rubric (5 points)**
- 2: the factor 0.41 a layer, by formula or table, to the 50th power.
- 1: what is left are biases, equal for all inputs. 2: two changes that work (1 each).
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Three small changes
Somebody "simplifies" your code: (a) `parameters` no longer removes repetitions; (b) `train` sets
`type(self).training`; (c) `Linear` computes `Tensor(x.data @ self.weight.data)` and adds the bias.
For each: what goes wrong, when would somebody notice, and which test notices at once?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "layers-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) A layer used twice appears twice: `count_parameters` is too large, and an optimizer would update
its weight twice a step; training works, only worse. test_parameters sees it ("twice", "share"). (b)
All layers of a class share one mode: eval() of one network stops the Dropout of another that is
training; noticed late, as a strange learning curve. test_train looks at another layer. (c) All
values are right, but nothing leads from x and weight to the result: in Module 05 they get no
gradient and do not learn. Values cannot show it; check_path in test_linear does.

**Marking rubric (5 points)**
- 3: the consequence of (a), (b) and (c). 1: noticed late, by bad training, not by an error.
- 1: the tests that notice.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
You built layers: a base class that finds parameters and passes modes on, `Linear`, `Sequential`,
`Flatten`, `Dropout`, `LayerNorm` and `Embedding`. You can count parameters and FLOPs before a run.
You measured that batches pay for reading the weights, that activations outgrow parameters, and that
the scale of the first weights decides what fifty layers still know.

**Next, Module 04: Losses** says in one number how wrong a network is.
"""
