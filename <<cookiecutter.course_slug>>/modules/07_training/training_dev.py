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
# Module 07: Training

You have layers, losses, gradients, optimizers: all the parts of learning. What is left is the work
around them, and most of what goes wrong in practice goes wrong there. Rows and labels drift apart in
a shuffle. A score is taken with dropout on, or on pictures that chose the model. A run of three days
breaks off, and nobody can say how it would have gone on. Build the loop once, carefully, and your
own seven modules will read 97 % of the handwritten digits or more, from any seed.

**Learning Objectives:**
- Build the way from a pile of rows to a trained network: datasets, loaders, a trainer, checkpoints.
- Understand what makes a number of a run true: fair means, modes, and parts that are kept apart.
- Analyze where the time of a step goes, what batch size buys, and what it costs.

**You are here:** << cookiecutter.__map | replace("07 Training", "**07 Training**") >>

**Time:** 6 to 7 hours, for example in three evenings: Exercises 1 to 5; 6, 7 and 9; 10, 12 and the
digits. **Points:** 80 by tests, 20 for written answers. Exercises called *deeper* can wait: nothing
later needs them.

**History.** Herbert Robbins and Sutton Monro showed in 1951 that steps along noisy estimates find
their goal, if they shrink at the right pace. In 1989 Yann LeCun's group at Bell Labs trained a
network of 9,760 parameters on 7,291 digits from envelopes, for three days on a workstation.

Replace each `# YOUR CODE HERE` and the `raise` under it, and run its test before you go on.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-threads", "locked": true, "schema_version": 3, "solution": false, "task": false}}
import os

for name in ("OMP", "OPENBLAS", "MKL"):  # one thread: times that can be compared
    os.environ[f"{name}_NUM_THREADS"] = "1"

# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
import copy
import itertools
import json
import math
import os
from pathlib import Path

import numpy as np

from << cookiecutter.package_name >>.autograd import no_grad
from << cookiecutter.package_name >>.optimizers import (
    clip_grad_norm_,
)
from << cookiecutter.package_name >>.tensor import (
    Tensor,
    add_to_class,
    generator,
    stack,
)

# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-testing", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.testing import (
    beyond,
    check,
    check_array,
    check_equal,
    check_number,
    check_raises,
    epoch_of,
    exercise,
    leaf,
    show_results,
    unwritten,
)

# %% [markdown]
"""
## Part 1: Mathematical Foundations

Ten rows come in batches of 4, 4 and 2. Their mean losses are 1, 1 and 6. The mean of the three
numbers is 2.67. The mean over the ten rows is (4 · 1 + 4 · 1 + 2 · 6) / 10 = 2. Only the second is
the loss of the data; the first depends on where the batches were cut. Whatever is averaged over
batches is weighted by their rows: losses, accuracies, and gradients, too.

![A dataset gives rows by number, a loader batches in a new order each epoch; forward, loss, backward and step make one turn of the inner loop, validation and a checkpoint end a turn of the outer one](loop.svg)

**A batch is an estimate.** The gradient of B random rows is right on average, and misses that of
all rows by an amount that shrinks with √B, as long as B is far below all of them. Four times the
rows are four times the work and halve the error. So batches are as small as the machine can work
well with.

**Three parts.** What a network has learned by heart says nothing about what it understood. So rows
are split: the **training** part moves the weights; the **validation** part chooses between
settings and says when to stop; the **test** part does neither, and is looked at once. Of n rows, a
share p that is right is known up to about √(p (1 - p) / n): for 97 % of 360 pictures, 0.9 %.

**A run is a state.** Weights, optimizer, scheduler, early stopping and random generators at the end
of an epoch decide all that follows, on one machine to the last bit. Keep all of these that your run
has, and it can go on later as if nothing had happened. Leave one out, and it goes on as another run.

### Computational Complexity

| What | Time | Memory |
|---|---|---|
| a new order of the rows, once an epoch | O(N) | O(N) |
| a batch from a TensorDataset, by one index | O(B D) | O(B D) |
| the same batch, row by row | O(B D), in B calls of Python | O(B D) |
| one step: forward, backward, update | O(B P) | O(B A + P) |
| an epoch of N / B steps | O(N P), whatever B is | O(B A + P) |
| the same steps, accumulated over K parts of a batch | O(N P) | O(B A / K + P) |
| evaluation under `no_grad` | O(N P), about a third of training | O(B A₁ + P) |
| a checkpoint with Adam's state | O(P) | 12 bytes per parameter |

N rows of D numbers, B in a batch; P parameters; A numbers that the graph keeps of each row, A₁ those
of the widest layer.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-dataset", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
class Dataset:
    """Rows by number (interface of torch.utils.data.Dataset)."""

    def __len__(self):
        """Return the number of rows. Each subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method __len__")

    def __getitem__(self, index):
        """Return row number index, a tuple. Each subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method __getitem__")


# %% [markdown]
"""
## Exercise 1: Rows that belong together
Row 3 of the pictures is a seven, and row 3 of the labels says 7. A **dataset** has a length, and
gives row number i as a tuple of all that belongs to it: `data[3]` is `(picture, label)`. That is
the whole agreement. Rows may come from memory, as here, or from files, or be made up on the spot:
whoever loops over them does not know. Your first one holds Tensors side by side.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-tensors", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class TensorDataset(Dataset):
    """Tensors side by side, row by row (torch.utils.data.TensorDataset)."""

    def __init__(self, *tensors):
        """Keep the Tensors themselves, as the tuple tensors.

        ValueError unless all are equally long. Its message holds each length, or the
        word "no" where there is no Tensor.
        """
        # TODO: refuse what cannot go together; then the length, and one row of each.
        #
        # APPROACH
        # 1. Are the lengths all the same? A set holds equal things once.
        # 2. The length of the dataset is that of any of its Tensors.
        # 3. Row number index is a tuple: that row of each Tensor.
        #
        # EXAMPLE
        # >>> x, labels = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([7, 8])
        # >>> data = TensorDataset(x, labels)
        # >>> len(data), data[1]
        # (2, (Tensor([3., 4.]), Tensor(8)))
        #
        # HINTS
        # - In a function with *tensors, tensors is a tuple already.
        # - tuple(... for t in ...) makes a tuple of a loop.
        ### BEGIN SOLUTION
        lengths = [len(t) for t in tensors]
        if len(set(lengths)) != 1:
            got = f"lengths {lengths}" if tensors else "no Tensors"
            raise ValueError(f"each row needs its partner; got {got}")
        self.tensors = tensors
        ### END SOLUTION

    def __len__(self):
        """Return the number of rows."""
        ### BEGIN SOLUTION
        return len(self.tensors[0])
        ### END SOLUTION

    def __getitem__(self, index):
        """Return that row of each Tensor, a tuple; several, if index is a slice."""
        ### BEGIN SOLUTION
        return tuple(t[index] for t in self.tensors)
        ### END SOLUTION


# %% [markdown]
"""
### Testing rows
Lengths, rows from both ends, one Tensor and three, what does not fit.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-tensors-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(1)
def test_tensors():
    x = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    labels, weights = Tensor([7, 8, 9]), Tensor([0.5, 0.25, 0.125])
    data = TensorDataset(x, labels, weights)
    check_equal(len(data), 3, "len(data)", "rows, not Tensors")
    check_equal(isinstance(data[1], tuple), True, "is data[1] a tuple?")
    check_equal(len(data[1]), 3, "len(data[1])", "one thing of each Tensor")
    for i, row in enumerate(([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])):
        got = data[i]
        hint = "the same row of each"
        check(got[0], row, f"data[{i}][0]", hint=hint)
        check(got[1], 7 + i, f"data[{i}][1]", hint=hint)
        check(got[2], 0.5**i / 2, f"data[{i}][2]", hint=hint)
    check(data[-1][1], 9, "data[-1][1]", hint="negative numbers count from the end")
    alone = TensorDataset(labels)
    got = (len(alone), len(alone[0]))
    check_equal(got, (3, 1), "of one Tensor: rows, and len(row)")
    kept = [a is b for a, b in zip(data.tensors, (x, labels, weights), strict=True)]
    check_equal(kept, [True] * 3, "data.tensors are the Tensors given", "no copies")
    check_equal(isinstance(data, Dataset), True, "isinstance(data, Dataset)")
    two = Tensor([7, 8])
    check_raises(ValueError, ["3", "2"], lambda: TensorDataset(x, two), "3 and 2 rows")
    check_raises(ValueError, ["no"], TensorDataset, "TensorDataset()")
    print("✅ rows keep their partners")


test_tensors()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-tensors-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(1, "random Tensors, slices · other lengths")
def test_tensors_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random Tensors, slices
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(7, 2, 3)), rng.integers(9, size=7), rng.random((7, 1))]
    data = TensorDataset(*(Tensor(a, a.dtype) for a in arrays))
    for i in (*range(-7, 7), slice(2, 5)):
        for got, array in zip(data[i], arrays, strict=True):
            check(got, array[i].tolist(), f"row {i}", array.dtype)
    check_equal(len(data), 7, "len(data) of shapes (7, 2, 3), (7,), (7, 1)")
    # hidden: other lengths
    given = [Tensor(np.ones((n, 2))) for n in (4, 4, 5, 4)]
    check_raises(ValueError, ["5"], lambda: TensorDataset(*given), "4, 4, 5 and 4 rows")
    ### END HIDDEN TESTS


test_tensors_beyond()

# %% [markdown]
"""
## Exercise 2: Parts that share no row
Ten rows, three parts of 6, 2 and 2. Cutting them as they lie would be a mistake if the file is
sorted: the last part might hold nothing but nines. So a permutation is cut. A **subset** copies
nothing: it remembers row numbers, and asks the dataset below. Lengths may be shares, too: 10 rows
by 0.75 and 0.25 are 7 and 2, rounded down; rows that are left go to the first parts, one each, so 8
and 2.

![Ten rows in a random order, cut into six to train, two to validate and two to test: training moves the weights, validation chooses the settings, the test is looked at once](parts.svg)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-split", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class Subset(Dataset):
    """Some rows of a dataset, by number (torch.utils.data.Subset)."""

    def __init__(self, dataset, indices):
        """Keep the dataset, and the row numbers as a list."""
        self.dataset, self.indices = dataset, list(indices)

    def __len__(self):
        """Return the number of rows of this part."""
        # TODO: one line, and one more for __getitem__.
        ### BEGIN SOLUTION
        return len(self.indices)
        ### END SOLUTION

    def __getitem__(self, index):
        """Return row number index of this part."""
        ### BEGIN SOLUTION
        return self.dataset[self.indices[index]]
        ### END SOLUTION


def random_split(dataset, lengths, generator=generator):
    """Return a list of Subsets of random rows, no row in two (torch's random_split).

    lengths: numbers of rows that add up to len(dataset), or shares that add up to 1.
    ValueError, with their sum and len(dataset), if they do neither.
    """
    # TODO: make numbers of shares, draw one order, and cut it.
    #
    # APPROACH
    # 1. Are these shares? math.isclose(sum(lengths), 1) tells. Round each down, and
    #    give the rows that are left to the first parts, one each.
    # 2. Do the numbers add up?
    # 3. Draw generator.permutation(n) once. The parts are pieces of it, in their order.
    #
    # EXAMPLE
    # >>> data = TensorDataset(Tensor(np.arange(10)))
    # >>> rng = np.random.default_rng(0)
    # >>> [len(part) for part in random_split(data, [0.75, 0.25], rng)]
    # [8, 2]
    # >>> sorted(sum((part.indices for part in random_split(data, [6, 2, 2])), []))
    # [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    #
    # HINTS
    # - int(2.9) is 2.
    # - lengths belongs to the caller: make a list of your own.
    # - order.tolist() gives Python's own numbers.
    ### BEGIN SOLUTION
    n, lengths = len(dataset), list(lengths)
    if math.isclose(sum(lengths), 1):
        lengths = [int(n * share) for share in lengths]
        for k in range(n - sum(lengths)):
            lengths[k % len(lengths)] += 1
    if sum(lengths) != n:
        raise ValueError(f"{lengths} add up to {sum(lengths)}, there are {n} rows")
    order, ends = generator.permutation(n).tolist(), itertools.accumulate(lengths)
    pieces = zip(lengths, ends, strict=True)
    return [Subset(dataset, order[end - size : end]) for size, end in pieces]
    ### END SOLUTION


# %% [markdown]
"""
### Testing a split
A subset by hand; sizes, numbers and shares; each row once; the order, the seed, what does not add
up.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-split-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
class Tens(Dataset):
    """A dataset for tests: n rows, and row i is (10 i,)."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return (Tensor(10 * index),)


@exercise(2)
def test_split():
    part = Subset(Tens(5), (i for i in (4, 0, 4)))
    check_equal(len(part), 3, "len(Subset(five rows, [4, 0, 4]))")
    got = [part[i][0].item() for i in range(3)]
    check_equal(got, [40, 0, 40], "its rows", "row index of a part is indices[index]")

    def split(n, lengths, seed=0):
        return random_split(Tens(n), lengths, np.random.default_rng(seed))

    parts = split(10, [6, 2, 2])
    check_equal(type(parts), list, "the type of random_split(...)")
    sizes = [len(part.indices) for part in parts]
    check_equal(sizes, [6, 2, 2], "rows in parts of [6, 2, 2]")
    rows = [i for part in parts for i in part.indices]
    check_equal(sorted(rows), list(range(10)), "all rows", "one order, cut in pieces")
    check_equal(rows != list(range(10)), True, "rows in random order")
    again = [i for part in split(10, [6, 2, 2]) for i in part.indices]
    check_equal(again, rows, "rows from the same seed", "draw from generator")
    other = [i for part in split(10, [6, 2, 2], seed=1) for i in part.indices]
    check_equal(other != rows, True, "another seed gives another order")
    cases = ((10, [0.75, 0.25], [8, 2]), (10, [0.5, 0.5], [5, 5]))
    cases += ((11, [1 / 3, 1 / 3, 1 / 3], [4, 4, 3]), (4, [1.0], [4]))
    for n, shares, want in cases:
        sizes = [len(part.indices) for part in split(n, shares)]
        hint = "rounded down; what is left, one each, to the first parts"
        check_equal(sizes, want, f"{n} rows by shares of {shares}", hint)
    given = [0.75, 0.25]
    split(10, given)
    check_equal(given, [0.75, 0.25], "the list of shares, afterwards", "make your own")
    words = ["9", "10"]
    check_raises(ValueError, words, lambda: split(10, [6, 3]), "10 rows by [6, 3]")
    print("✅ no row is in two parts")


test_split()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-split-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(2, "many sizes · shares that leave rows · a part's rows, in order · wrong sums")
def test_split_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: many sizes
    for n, lengths in ((1, [1]), (7, [0, 7]), (20, [1, 2, 3, 14]), (30, [29, 1])):
        parts = random_split(Tens(n), lengths, np.random.default_rng(n))
        sizes = [len(part.indices) for part in parts]
        check_equal(sizes, lengths, f"{n} rows by {lengths}")
        rows = sorted(i for part in parts for i in part.indices)
        check_equal(rows, list(range(n)), f"{n} rows by {lengths}: each once")
    # hidden: shares that leave rows
    for n, shares in ((9, [0.2] * 5), (13, [0.1] * 10), (7, [0.7, 0.2, 0.1])):
        parts = random_split(Tens(n), shares, np.random.default_rng(n))
        want = [int(n * share) for share in shares]
        left = n - sum(want)
        want = [size + (k < left) for k, size in enumerate(want)]
        sizes = [len(part.indices) for part in parts]
        check_equal(sizes, want, f"{n} rows by shares of {shares}")
    # hidden: a part's rows, in order
    first = [
        random_split(Tens(100), [50, 50], np.random.default_rng(seed))[0].indices
        for seed in range(20)
    ]
    low = sum(int(i) < 50 for rows in first for i in rows)
    check_equal(400 < low < 600, True, "half of the first part is from the first half")
    ordered = [rows == sorted(rows) for rows in first]
    check_equal(any(ordered), False, "are the rows of a part sorted, not as drawn?")
    parts = random_split(data := Tens(3), [2, 1], np.random.default_rng(0))
    same = [part.dataset is data for part in parts]
    check_equal(same, [True, True], "parts of the dataset itself")
    # hidden: wrong sums
    for given, total in (([1, 0.5], "1.5"), ([0.3, 0.3], "0.6")):
        what = f"3 rows by {given}"
        check_raises(ValueError, [total], lambda g=given: random_split(data, g), what)
    ### END HIDDEN TESTS


test_split_beyond()

# %% [markdown]
"""
## Exercise 3: From rows to a batch
A layer wants one Tensor of 64 rows, and a dataset gives 64 tuples. **Collating** turns a list of
tuples into a tuple of Tensors: all first entries stacked, then all second ones.

    [(x₀, 7), (x₁, 2), (x₂, 9)]   →   (stack of x₀ x₁ x₂, Tensor([7, 2, 9]))

That works for any dataset, with some Python for each row. The digits to train with are 0.37 MB. A
million colour photos of 224 × 224 pixels are 602 GB as float32: too much for a Tensor in memory.
There `__getitem__` opens one file, `__len__` counts them, and nothing else has to be written.

A `TensorDataset` knows better: an index of many rows gets them all at once, as in Module 01. So a
batch is fetched by a method of the dataset, slow and general in `Dataset`, fast where a subclass
can. A subset only translates its row numbers, and passes on the question. (If you run the cell of
Exercise 1 or 2 again, run the one below again, too: it gives them `fetch`.)
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def collate(samples):
    """Return the columns of samples, a list of tuples, as a tuple of Tensors, stacked.

    An entry may be a Tensor, an array or a number.
    """
    # TODO: turn rows into columns; then fetch batches, slowly and fast.
    #
    # APPROACH
    # 1. In collate, zip(*samples) gives the columns. Make each entry a Tensor, then
    #    stack.
    # 2. In Dataset.fetch, collate the rows one by one.
    # 3. In TensorDataset.fetch, ask self for all rows at once, by an index Tensor.
    # 4. In Subset.fetch, let self.dataset fetch: which of its rows are meant?
    #
    # EXAMPLE
    # >>> collate([(Tensor([1.0, 2.0]), 7), (Tensor([3.0, 4.0]), 8)])
    # (Tensor([[1., 2.],
    #         [3., 4.]]), Tensor([7, 8]))
    # >>> TensorDataset(Tensor([0.0, 0.5, 1.0])).fetch([2, 0])
    # (Tensor([1., 0.]),)
    #
    # HINTS
    # - Tensor(entry) makes a Tensor of a number, an array and of a Tensor.
    # - Tensor(rows) can be an index.
    ### BEGIN SOLUTION
    columns = zip(*samples, strict=True)
    return tuple(stack([Tensor(entry) for entry in column]) for column in columns)
    ### END SOLUTION


@add_to_class(Dataset)
def fetch(self, rows):
    """Return a batch, a tuple of Tensors: the rows with these numbers, in their order.

    rows: a list, range or array of ints, at least one. It stays as it is.
    """
    ### BEGIN SOLUTION
    return collate([self[i] for i in rows])
    ### END SOLUTION


@add_to_class(TensorDataset)
def fetch(self, rows):
    """Return the same batch with one index for each Tensor."""
    ### BEGIN SOLUTION
    return self[Tensor(rows)]
    ### END SOLUTION


@add_to_class(Subset)
def fetch(self, rows):
    """Return the batch that self.dataset fetches of its own row numbers."""
    ### BEGIN SOLUTION
    return self.dataset.fetch([self.indices[i] for i in rows])
    ### END SOLUTION


# %% [markdown]
"""
### Testing batches
Columns by hand, entries of each kind, a dataset that only knows single rows, Tensors, subsets.
`TensorDataset` and `Subset` are the test's own here, but for `fetch`.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-batch-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
class Sides(TensorDataset):
    """A TensorDataset for tests; it counts how often it is asked for rows."""

    def __init__(self, *tensors):
        self.tensors, self.asked = tensors, 0

    def __len__(self):
        return len(self.tensors[0])

    def __getitem__(self, index):
        self.asked += 1
        return tuple(t[index] for t in self.tensors)


class Part(Subset):
    """A Subset for tests: only fetch is yours."""

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


@exercise(3)
def test_batch():
    got = collate([(Tensor([1.0, 2.0]), 7), (Tensor([3.0, 4.0]), 8)])
    check_equal(type(got), tuple, "the type of collate(...)")
    check_equal(len(got), 2, "entries of collate([(x, 7), (y, 8)])", "a column each")
    check(got[0], [[1.0, 2.0], [3.0, 4.0]], "the first column")
    check(got[1], [7, 8], "the second column")
    array = np.array([0.5, 1.5])
    got = collate([(array, 1.0, Tensor(2)), (array, 3.0, Tensor(4))])
    wanted = ([[0.5, 1.5], [0.5, 1.5]], [1.0, 3.0], [2, 4])
    for column, want in zip(got, wanted, strict=True):
        check(column, want, "collate of arrays, floats and Tensors")
    got = Tens(6).fetch([5, 0, 2])
    check_equal(len(got), 1, "entries of a batch of rows (10 i,)")
    hint = "collate the rows, in the order asked for"
    check(got[0], [50, 0, 20], "rows 5, 0 and 2 of (10 i,)", hint=hint)
    x, labels = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), Tensor([7, 8, 9])
    data = Sides(x, labels)
    for rows in ([2, 0], np.array([2, 0])):
        got = data.fetch(rows)
        check(got[0], [[5.0, 6.0], [1.0, 2.0]], f"rows {rows} of a TensorDataset")
        check(got[1], [9, 7], f"labels of rows {rows}", hint="with their rows")
    hint = "one index Tensor gets all rows"
    check_equal(data.asked <= 2, True, "one question for a batch", hint)
    check(x, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "x, afterwards")
    got = Part(Tens(50), [40, 30, 20]).fetch([2, 0])
    hint = "row 2 of the part is row indices[2] below"
    check(got[0], [200, 400], "rows 2 and 0 of a subset [40, 30, 20]", hint=hint)
    got = Part(data, [2, 1]).fetch([0, 1])
    check(got[1], [9, 8], "labels of a subset [2, 1] of a TensorDataset")
    print("✅ rows become batches")


test_batch()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-batch-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(3, "random rows, repeated, float64 · parts of parts · one question a batch")
def test_batch_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random rows, repeated, float64
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(9, 2, 2)), rng.integers(5, size=9)]
    data = Sides(*(Tensor(a, a.dtype) for a in arrays))

    class Single(Dataset):
        def __getitem__(self, index):
            return arrays[0][index], int(arrays[1][index])

    for rows in ([8, 8, 0, 3], rng.permutation(9), [4], np.array([1, 7])):
        before = list(rows)
        for what, batch in (("at once", data.fetch(rows)), ("singly", None)):
            got = batch or Single().fetch(rows)
            dtype = arrays[0].dtype if batch else np.float32
            want = arrays[0].astype(dtype)[rows].tolist()
            check(got[0], want, f"rows {rows}, {what}", dtype)
            check(got[1], arrays[1][rows].tolist(), f"labels {rows}, {what}")
        check_equal(list(rows), before, "rows, afterwards")
    got = collate([(Tensor(a, np.float64),) for a in arrays[0]])
    check(got[0], arrays[0].tolist(), "collate of float64 Tensors", np.float64)
    # hidden: parts of parts
    part = Part(Part(Tens(100), range(50, 100)), [49, 0, 7])
    check(part.fetch([1, 0, 2])[0], [500, 990, 570], "a part of a part")
    # hidden: one question a batch
    data = Sides(*data.tensors)
    Part(data, [3, 1, 2, 0]).fetch([0, 1, 2, 3])
    what = "at most one question to a TensorDataset for four rows of a part"
    check_equal(data.asked <= 1, True, what)
    ### END HIDDEN TESTS


test_batch_beyond()

# %% [markdown]
"""
## Exercise 4: The loader
Now to the order. Ten rows, in batches of 4, are 4, 4 and 2 rows. **Shuffling** draws a new order
each time somebody loops over the loader, and it is whole rows that change places: pictures and labels
stay together, since the dataset never gives one without the other.

Why shuffle? If the file is sorted by label, its first batches are nothing but zeros, and a batch is
a fair estimate only of rows that were drawn at random. A mean over all rows is the same in any
order: a loader that judges needs no shuffling.

![Two epochs over ten rows in batches of four, four and two; each epoch has another order, each row comes once in it, and below each input stands its own label](epoch.svg)

The order comes from the loader's own generator, if you give it one. Then dropout elsewhere does not
change it, and one seed repeats it. `drop_last` leaves out a last batch that is not full.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-loader", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class DataLoader:
    """Goes through a dataset in batches (torch.utils.data.DataLoader)."""

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=False,
        drop_last=False,
        generator=generator,
    ):
        """Keep dataset, batch_size, shuffle, drop_last, and generator.

        ValueError, with batch_size, unless it is at least 1.
        """
        # TODO: keep the settings, count the batches, and go through them.
        #
        # APPROACH
        # 1. __len__ rounds up with a smaller last batch, and down without.
        # 2. __iter__ fixes the order of all rows first: drawn, or as they are.
        # 3. Then it yields self.dataset.fetch(rows) for one piece after the other.
        #
        # EXAMPLE
        # >>> data = TensorDataset(Tensor(np.arange(5)))
        # >>> [batch[0] for batch in DataLoader(data, batch_size=2)]
        # [Tensor([0, 1]), Tensor([2, 3]), Tensor([4])]
        # >>> len(DataLoader(data, batch_size=2, drop_last=True))
        # 2
        #
        # HINTS
        # - math.ceil rounds up, // rounds down.
        # - range(0, n, step) gives where each batch begins.
        # - generator.permutation(n) draws an order.
        ### BEGIN SOLUTION
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.drop_last, self.generator = drop_last, generator
        ### END SOLUTION

    def __len__(self):
        """Return the number of batches."""
        ### BEGIN SOLUTION
        batches = len(self.dataset) / self.batch_size
        return math.floor(batches) if self.drop_last else math.ceil(batches)
        ### END SOLUTION

    def __iter__(self):
        """Yield the batches, each a tuple of Tensors; shuffled, in a new order."""
        ### BEGIN SOLUTION
        n = len(self.dataset)
        order = self.generator.permutation(n) if self.shuffle else np.arange(n)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield self.dataset.fetch(order[start : start + self.batch_size])
        ### END SOLUTION


# %% [markdown]
"""
### Testing the loader
Batches in order; the last one, kept and dropped; shuffled: each row once, rows with labels, anew in
each epoch, from its own generator. The dataset is the test's own.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-loader-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
class Pairs(Dataset):
    """A dataset for tests: row i is (i, 100 + i); it counts the batches it fetches."""

    def __init__(self, n):
        self.n, self.fetched = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return Tensor(int(index)), Tensor(100 + int(index))

    def fetch(self, rows):
        self.fetched += 1
        rows = np.array([int(i) for i in rows])
        return Tensor(rows), Tensor(100 + rows)


@exercise(4)
def test_loader():
    loader = DataLoader(Pairs(10), batch_size=4)
    want = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    check_equal(epoch_of(loader), want, "10 rows, batch_size 4", "a smaller last batch")
    what, hint = "calls of dataset.fetch", "yield self.dataset.fetch(rows)"
    check_equal(loader.dataset.fetched, 3, f"{what} for three batches", hint)
    check_equal(epoch_of(loader), want, "the same loader, a second time")
    check_equal(len(loader), 3, "len(loader)", "it counts batches")
    loader = DataLoader(Pairs(10), batch_size=4, drop_last=True)
    check_equal(epoch_of(loader), want[:2], "10 rows, batch_size 4, drop_last=True")
    check_equal(len(loader), 2, "len(loader), drop_last=True")
    for drop_last in (False, True):
        loader = DataLoader(Pairs(8), 4, drop_last=drop_last)
        got = (len(loader), epoch_of(loader))
        hint = "a full batch is no rest"
        check_equal(got, (2, want[:2]), f"8 rows, batch_size 4, {drop_last=}", hint)
    got = epoch_of(DataLoader(Pairs(3)))
    check_equal(got, [[0], [1], [2]], "3 rows, without settings", "batch_size is 1")

    def shuffled(seed):
        rng = np.random.default_rng(seed)
        return DataLoader(Pairs(30), batch_size=8, shuffle=True, generator=rng)

    loader = shuffled(0)
    first, second = epoch_of(loader), epoch_of(loader)
    sizes = [len(batch) for batch in first]
    check_equal(sizes, [8, 8, 8, 6], "batches of 30 shuffled rows, batch_size 8")
    for epoch in (first, second):
        rows = sorted(i for batch in epoch for i in batch)
        check_equal(rows, list(range(30)), "rows of a shuffled epoch", "each once")
    hint = "draw when somebody loops, in __iter__"
    check_equal(first != second, True, "another order in the second epoch", hint)
    again, hint = shuffled(0), "draw from self.generator, not from the module's"
    got = [epoch_of(again), epoch_of(again)]
    check_equal(got, [first, second], "two epochs from the same seed", hint)
    check_equal(epoch_of(shuffled(1)) != first, True, "another seed, another order")
    three = Pairs(3)
    for bad in (0, -3):
        what = f"batch_size={bad}"
        check_raises(ValueError, [str(bad)], lambda b=bad: DataLoader(three, b), what)
    print("✅ batches in any order, and nothing is lost")


test_loader()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-loader-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(4, "many sizes · dropped rows change from epoch to epoch · two loops at a time")
def test_loader_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: many sizes
    for n, size in ((1, 1), (7, 1), (7, 7), (7, 8), (12, 5), (0, 3)):
        for drop_last in (False, True):
            for shuffle in (False, True):
                rng = np.random.default_rng(n)
                loader = DataLoader(Pairs(n), size, shuffle, drop_last, rng)
                want = [size] * (n // size) + [n % size] * (n % size > 0)
                want = [k for k in want if k == size] if drop_last else want
                what = f"{n} rows, {size=}, {drop_last=}, {shuffle=}"
                got = epoch_of(loader)
                check_equal([len(batch) for batch in got], want, what)
                check_equal(len(loader), len(want), f"len: {what}")
    # hidden: dropped rows change from epoch to epoch
    loader = DataLoader(Pairs(10), 4, True, True, np.random.default_rng(4))
    seen = {i for _ in range(20) for batch in epoch_of(loader) for i in batch}
    check_equal(seen, set(range(10)), "rows seen in 20 epochs, drop_last=True")
    loader = DataLoader(Pairs(64), 64, shuffle=True)
    check_equal(loader.generator is generator, True, "the generator, if none is given")
    orders = {tuple(epoch_of(loader)[0]) for _ in range(3)}
    check_equal(len(orders), 3, "three epochs by the framework's generator")
    # hidden: two loops at a time
    loader = DataLoader(Pairs(6), 2, shuffle=True, generator=np.random.default_rng(5))
    both = list(zip(loader, loader, strict=True))
    for k in (0, 1):
        rows = sorted(i for pair in both for i in pair[k][0].data.tolist())
        check_equal(rows, list(range(6)), "rows of one of two loops at a time")
    ### END HIDDEN TESTS


test_loader_beyond()

# %% [markdown]
"""
### A batch of your own
Ten digits out of your loader. Does each picture have its own label?
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-show-batch", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def show_batch():
    """Draw one shuffled batch of the digits, with its labels."""
    from << cookiecutter.package_name >> import data, viz

    pictures, labels = data.load_digits()[0]
    try:
        rows = TensorDataset(Tensor(pictures), Tensor(labels))
        drawn, truth = next(iter(DataLoader(rows, 10, shuffle=True)))
    except NotImplementedError as error:
        print(unwritten(error))
        return
    title = f"10 of {len(rows):,} rows, in an order of their own"
    viz.images(drawn.data, [str(label) for label in truth.data], title)
    viz.show()


show_batch()

# %% [markdown]
"""
## Exercise 5: A fair mean
Losses of 1, 1 and 6 from batches of 4, 4 and 2 rows mean 2, not 2.67. You need this mean in every
loop from here on, so make it a thing of its own: it is told a value and how much that counts, again
and again, and is asked for the mean at the end. Two numbers are enough to remember.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class MeanMetric:
    """The mean of values that count differently (torchmetrics.MeanMetric)."""

    def __init__(self):
        """Begin with nothing."""
        # TODO: remember as little as possible.
        #
        # APPROACH
        # 1. Keep a sum of value times weight, and a sum of the weights.
        # 2. compute divides, and explains itself where there is nothing to divide by.
        #
        # EXAMPLE
        # >>> mean = MeanMetric()
        # >>> for loss, rows in ((1.0, 4), (1.0, 4), (6.0, 2)):
        # ...     mean.update(loss, rows)
        # >>> mean.compute()
        # 2.0
        #
        # HINTS
        # - compute may be asked twice, and update may go on after it.
        ### BEGIN SOLUTION
        self.total, self.weight = 0.0, 0
        ### END SOLUTION

    def update(self, value, weight=1):
        """Take in value, a number: the mean of weight rows."""
        ### BEGIN SOLUTION
        self.total += value * weight
        self.weight += weight
        ### END SOLUTION

    def compute(self):
        """Return the mean so far, a float. ValueError, with "no rows", of nothing."""
        ### BEGIN SOLUTION
        if not self.weight:
            raise ValueError("no rows: a mean of nothing; did the loader drop all?")
        return self.total / self.weight
        ### END SOLUTION


# %% [markdown]
"""
### Testing the mean
The example, weights of 1, a mean asked for twice, none at all.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-mean-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}}
@exercise(5)
def test_mean():
    mean = MeanMetric()
    for loss, rows in ((1.0, 4), (1.0, 4), (6.0, 2)):
        mean.update(loss, rows)
    hint = "each row counts the same"
    check_number(mean.compute(), 2.0, "losses 1, 1, 6 of 4, 4 and 2 rows", hint)
    check_number(mean.compute(), 2.0, "asked for a second time")
    mean.update(0.0, 10)
    check_number(mean.compute(), 1.0, "after 10 rows of loss 0", "go on counting")
    plain = MeanMetric()
    for value in (1, 2, 6):
        plain.update(value)
    check_number(plain.compute(), 3.0, "the mean of 1, 2, 6", "a weight of 1")
    check_equal(isinstance(plain.compute(), float), True, "is the mean a float?")
    check_raises(ValueError, ["no rows"], MeanMetric().compute, "a mean of nothing")
    print("✅ every row counts the same")


test_mean()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-mean-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(5, "many values, by plain Python · zeros")
def test_mean_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: many values, by plain Python
    rng = np.random.default_rng(5)
    values, weights = rng.normal(size=50).tolist(), rng.integers(1, 65, 50).tolist()
    first, second = MeanMetric(), MeanMetric()
    for k, (value, weight) in enumerate(zip(values, weights, strict=True), 1):
        first.update(value, weight)
        pairs = list(zip(values[:k], weights[:k], strict=True))
        want = math.fsum(v * w for v, w in pairs) / sum(w for _, w in pairs)
        check_number(first.compute(), want, f"the mean of {k} values")
    check_raises(ValueError, ["no rows"], second.compute, "another mean, of nothing")
    # hidden: zeros
    second.update(0.0, 3)
    check_number(second.compute(), 0.0, "the mean of zeros")
    second.update(5.0, 0)
    check_number(second.compute(), 0.0, "a value that counts nothing")
    ### END HIDDEN TESTS


test_mean_beyond()

# %% [markdown]
"""
## The Trainer
A trainer holds what a run is made of. Its methods are the exercises from here on. (If you run its
cell again, run all cells below it, too.) Tests bring their own model, loss, optimizer, loader and
mean, so that only the exercise itself is tested.
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-standins", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.testing import (
    Batches,
    Descent,
    FairMean,
    Line,
    a_run,
    columns,
    go_on,
    near,
    of_line,
    replaced,
    same_bits,
    squared,
    torn,
    weights_of,
)


class Lines(Line):
    """A model for tests that holds layers, each a Line: the sum of their outputs."""

    def __init__(self, *lines):
        self.lines, self.training = lines, True

    def __call__(self, x):
        return sum(line(x) for line in self.lines)

    def parameters(self):
        return [p for line in self.lines for p in line.parameters()]

    def train(self, mode=True):
        self.training = mode
        for line in self.lines:
            line.train(mode)
        return self


class Seen:
    """A stopper for tests: it keeps what an EarlyStopping keeps."""

    def __init__(self):
        self.best, self.waited, self.weights = math.inf, 0, None


def run_of(seed, hidden=8):
    """Return a run for tests, all new; its stopper is an object of a class."""
    run = a_run(Trainer, seed, hidden)
    run.stopper = Seen()
    return run


def lopsided(output, target):
    """Return the mean of d² + d, d = output - target: a loss with a direction."""
    d = output - target
    return (d * d + d).mean()


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-trainer", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
class Trainer:
    """Trains a model, epoch after epoch (as Lightning's Trainer does)."""

    def __init__(
        self,
        model,
        criterion,
        optimizer,
        loader,
        scheduler=None,
        stopper=None,
        max_norm=None,
        metrics=None,
    ):
        """Keep the parts.

        criterion(model(inputs), targets) is the mean loss of a batch, a Tensor.
        loader gives batches to train with, as pairs (inputs, targets).
        scheduler, stopper: an LRScheduler and an EarlyStopping, or None.
        max_norm: how long gradients may be, all together; None: as long as they are.
        metrics: {name: function of (output, targets) that returns a float, the mean of
        its rows}.
        """
        self.model, self.criterion = model, criterion
        self.optimizer, self.loader = optimizer, loader
        self.scheduler, self.stopper, self.max_norm = scheduler, stopper, max_norm
        self.metrics = metrics or {}
        self.history = []  # a dict for each epoch


# %% [markdown]
"""
## Exercise 6: A step, and an epoch
The step is the loop of Module 06, with one more line where gradients may be clipped. With weight 0,
inputs 1 and 2, and targets 3 and 4, the mean squared loss is (9 + 16) / 2 = 12.5, its gradient -11,
and a learning rate of 0.1 moves the weight to 1.1. If gradients are clipped to a norm of 1, it moves
to 0.1.

An epoch takes a step with each batch, in training mode, and returns the loss as a fair mean.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-step", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Trainer)
def training_step(self, batch):
    """Learn from one batch, (inputs, targets); return its mean loss, a float."""
    # TODO: one step; then, in train_epoch, one with each batch of self.loader.
    #
    # APPROACH
    # 1. Call self.optimizer.zero_grad(), compute the loss, differentiate.
    # 2. Clip the gradients of self.optimizer.parameters, if self.max_norm says so.
    # 3. Let the optimizer step, and return the loss as a number.
    # 4. In train_epoch, switch the model to training first.
    # 5. A MeanMetric, told the loss and the rows of each batch, has the result.
    #
    # EXAMPLE
    # >>> model = Line(0.0)  # output = weight · input
    # >>> trainer = Trainer(model, squared, Descent([model.weight], lr=0.1), loader=[])
    # >>> trainer.training_step((Tensor([1.0, 2.0]), Tensor([3.0, 4.0])))
    # 12.5
    # >>> round(model.weight.item(), 6)
    # 1.1
    #
    # HINTS
    # - clip_grad_norm_(parameters, max_norm) is yours, from Module 06.
    # - A max_norm of 0 is a max_norm: ask whether it is None.
    # - len(inputs) is the number of rows.
    ### BEGIN SOLUTION
    inputs, targets = batch
    self.optimizer.zero_grad()
    loss = self.criterion(self.model(inputs), targets)
    loss.backward()
    if self.max_norm is not None:
        clip_grad_norm_(self.optimizer.parameters, self.max_norm)
    self.optimizer.step()
    return loss.item()
    ### END SOLUTION


@add_to_class(Trainer)
def train_epoch(self):
    """Take a step with each batch of self.loader, in training mode.

    Return the mean, over all rows, of the losses as they came.
    """
    ### BEGIN SOLUTION
    self.model.train()
    mean = MeanMetric()
    for batch in self.loader:
        mean.update(self.training_step(batch), len(batch[0]))
    return mean.compute()
    ### END SOLUTION


# %% [markdown]
"""
### Testing a step and an epoch
Weights by hand, an old gradient, clipping; then batches, modes, and the mean of an epoch. Model,
loss, optimizer, loader and mean are the test's own.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-step-test", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}}
@exercise(6)
def test_step():
    (batch,) = columns([(1, 3), (2, 4)])
    trainer, line = of_line(Trainer, [])
    got = trainer.training_step(batch)
    hint = "zero_grad, loss, backward, step: an old gradient was there"
    check(line.weight, 1.1, "weight 0 + 0.1 · 11", np.float64, hint)
    check_equal(type(got), float, "the type of the loss", "loss.item()")
    check_number(got, 12.5, "the loss of the step", "from before the step")
    trainer.training_step(batch)
    want = 1.1 + 0.1 * ((3 - 1.1) + 2 * (4 - 2.2))
    check(line.weight, want, "after a second step", np.float64, "zero_grad each time")
    for max_norm, moved in ((1.0, 0.1), (5.5, 0.55), (100.0, 1.1), (0.0, 0.0)):
        trainer, line = of_line(Trainer, [], max_norm=max_norm)
        trainer.training_step(batch)
        hint = "clip between backward and step, unless max_norm is None"
        check_number(line.weight.item(), moved, f"{max_norm=}: weight", hint, 1e-6)
    batches = columns([(1, 4), (1, 4)], [(1, 4)], [(1, 4), (1, 4), (1, 4)])
    trainer, line = of_line(Trainer, batches, scheduler=Descent([], 0.1))
    trainer.model = Lines(line).eval()
    with replaced(globals(), MeanMetric=FairMean):
        got = trainer.train_epoch()
    check(line.weight, 4 - 4 * 0.8**3, "weight after three batches", np.float64)
    hint = "model.train() switches all layers"
    check_equal(set(line.modes), {True}, "training mode in each batch", hint)
    what, hint = "forward passes of three batches", "one a batch"
    check_equal(len(line.modes), 3, what, hint)
    want = 16 * (2 * 1 + 1 * 0.8**2 + 3 * 0.8**4) / 6
    hint = "losses as they came, weighted by the rows of their batch"
    check_number(got, want, "the mean loss of batches of 2, 1 and 3 rows", hint)
    with replaced(globals(), MeanMetric=FairMean):
        trainer.train_epoch()
    check(line.weight, 4 - 4 * 0.8**6, "weight after a second epoch", np.float64)
    want = ["zero_grad", "step"] * 6
    check_equal(trainer.optimizer.done, want, "calls in two epochs")
    what, hint = "calls of the scheduler in two epochs", "its turn comes in fit"
    check_equal(trainer.scheduler.done, [], what, hint)
    print("✅ a trainer trains")


test_step()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-step-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(6, "many batches · clipping two weights · gradients · what criterion gets")
def test_step_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: many batches
    rng = np.random.default_rng(6)

    def plain(batches, lr, max_norm=math.inf):
        w, losses = 0.0, []
        for pairs in batches:
            errors = [w * x - y for x, y in pairs]
            losses.append((math.fsum(e * e for e in errors), len(pairs)))
            slopes = [2 * e * x for e, (x, _) in zip(errors, pairs, strict=True)]
            slope = math.fsum(slopes) / len(pairs)
            w -= lr * slope * min(1.0, max_norm / (abs(slope) + 1e-6))
        return w, math.fsum(loss for loss, _ in losses) / sum(n for _, n in losses)

    for sizes in ((4, 4, 2), (1,), (3, 5, 1, 1, 7)):
        batches = [rng.normal(size=(n, 2)).tolist() for n in sizes]
        for max_norm in (None, 0.3, 0.0):
            trainer, line = of_line(Trainer, columns(*batches), max_norm=max_norm)
            with replaced(globals(), MeanMetric=FairMean):
                got = trainer.train_epoch()
            norm = math.inf if max_norm is None else max_norm
            w, loss = plain(batches, 0.1, norm)
            what = f"batches of {sizes}, {max_norm=}"
            check_number(line.weight.item(), w, f"{what}: weight", tolerance=1e-6)
            check_number(got, loss, f"{what}: loss", tolerance=1e-6)
    # hidden: clipping two weights
    (batch,) = columns([(1, 3), (2, 4)])
    trainer, line = of_line(Trainer, [], max_norm=5.0)
    trainer.model = Lines(line, other := Line(0.0, np.float64))
    trainer.optimizer.parameters = trainer.model.parameters()
    trainer.training_step(batch)
    for each in (line, other):
        what, want = "one of two weights, both with gradient -11", 0.5 / math.sqrt(2)
        check_number(each.weight.item(), want, what, tolerance=1e-6)
    # hidden: gradients
    trainer, line = of_line(Trainer, [batch])
    with replaced(globals(), MeanMetric=FairMean):
        trainer.train_epoch()
    check_array(line.weight.grad, -11.0, "the gradient, afterwards", np.float64)
    # hidden: what criterion gets
    trainer, line = of_line(Trainer, [])
    trainer.criterion = lopsided
    what = "mean of d² + d, d = output - target: -3 and -4"
    check_number(trainer.training_step(batch), 9.0, what)
    ### END HIDDEN TESTS


test_step_beyond()

# %% [markdown]
"""
## Exercise 7: Evaluate
To judge is not to train. Three things differ: no dropout, so the model is in eval mode; no graph,
so memory is short-lived; and nothing moves. Whoever forgets to go back, in a loop that does not
begin each epoch with `model.train()` as yours does, trains without dropout from the second epoch on,
and no error tells. So the mode that the model was in comes back at the end, for all its layers,
even if something fails on the way.

Beside the loss, `metrics` may name other means over rows: `{"accuracy": accuracy}` of Module 04.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Trainer)
def evaluate(self, loader):
    """Return {"loss": …} of all rows of loader, and each of self.metrics; floats.

    The model is in eval mode meanwhile, nothing is recorded, nothing is changed.
    """
    # TODO: judge the model by every batch, and leave it as it was.
    #
    # APPROACH
    # 1. Remember self.model.training, and switch to eval.
    # 2. Without recording, compute the output of each batch once. Each number, the loss
    #    and every metric, has a MeanMetric, told its value and the rows.
    # 3. Put the mode back, whatever happens.
    #
    # EXAMPLE
    # >>> model = Line(2.0)
    # >>> trainer = Trainer(model, squared, None, loader=[])
    # >>> first = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])  # off by 1 and 0
    # >>> second = Tensor([0.0]), Tensor([2.0])  # off by 2
    # >>> round(trainer.evaluate([first, second])["loss"], 6)
    # 1.666667
    #
    # HINTS
    # - `with no_grad():` is yours, from Module 05.
    # - try: ... finally: ... runs its last part in any case.
    # - model.train(False) is eval.
    # - The criterion returns a Tensor, a metric a float; float(...) takes both.
    ### BEGIN SOLUTION
    judges = {"loss": self.criterion, **self.metrics}
    means = {name: MeanMetric() for name in judges}
    before = self.model.training
    self.model.eval()
    try:
        with no_grad():
            for inputs, targets in loader:
                output = self.model(inputs)
                for name, judge in judges.items():
                    means[name].update(float(judge(output, targets)), len(inputs))
    finally:
        self.model.train(before)
    return {name: mean.compute() for name, mean in means.items()}
    ### END SOLUTION


# %% [markdown]
"""
### Testing evaluation
Means over unequal batches, metrics, modes during and after, no graph, nothing changed.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-evaluate-test", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}}
class AnyMean(FairMean):
    """A FairMean that takes any kind of value: the mean of Tensors is a Tensor."""

    def compute(self):
        total = sum(value * weight for value, weight in self.pairs)
        return total / sum(weight for _, weight in self.pairs)


@exercise(7)
def test_evaluate():
    batches = columns([(1, 2), (2, 4), (3, 5)], [(1, 7)])
    trainer, line = of_line(Trainer, batches[:1] * 3, metrics={"near": near})
    trainer.model = Lines(line)
    line.weight.data += 2.0
    kept = line.weight.grad.tolist()
    for mode in (True, False):
        trainer.model.train(mode)
        line.modes.clear()
        with replaced(globals(), MeanMetric=AnyMean):
            got = trainer.evaluate(Batches(*batches))
        hint = "of the loader given; one a batch does for all metrics"
        check_equal(len(line.modes), 2, "forward passes, two batches", hint)
        check_equal(set(got), {"loss", "near"}, "names in evaluate(...)")
        check_equal(type(got["loss"]), float, 'the type of the "loss"', "loss.item()")
        hint = "weighted by rows: 3 and 1"
        check_number(got["loss"], (0 + 0 + 1 + 25) / 4, "the loss", hint)
        check_number(got["near"], 2 / 4, "the share of rows off by less than 1", hint)
        what, hint = "training of the model's layer", "model.eval() switches all layers"
        check_equal(line.modes, [False, False], f"{what}, meanwhile", hint)
        hint = "with no_grad():"
        check_equal(line.recorded[-2:], [False, False], "was a graph recorded?", hint)
        hint = "put back the mode that was there; model.train(...) does for all layers"
        check_equal(line.training, mode, f"{what} after, {mode} before", hint)
    check(line.weight, 2.0, "the weight, afterwards", np.float64, "no step")
    check_array(line.weight.grad, kept, "its gradient, afterwards", np.float64)
    check_equal(trainer.optimizer.done, [], "calls of the optimizer", "none")
    check_equal(trainer.history, [], "the history", "as it was")
    what, hint = "names in trainer.metrics, afterwards", "make a dict of your own"
    check_equal(set(trainer.metrics), {"near"}, what, hint)
    print("✅ you can judge without touching")


test_evaluate()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-evaluate-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
@beyond(7, "random batches · no metrics · an error · what criterion and metrics get")
def test_evaluate_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random batches
    rng = np.random.default_rng(7)
    for sizes in ((4, 4, 2), (1,), (3, 5, 1, 1, 7)):
        batches = [rng.normal(size=(n, 2)).tolist() for n in sizes]
        metrics = {"a": near, "b": lambda output, targets: 0.25}
        trainer, line = of_line(Trainer, columns([(1, 1)]), metrics=metrics)
        line.weight.data += 0.7
        pairs = [pair for batch in batches for pair in batch]
        with replaced(globals(), MeanMetric=FairMean):
            got = trainer.evaluate(Batches(*columns(*batches)))
        want = math.fsum((0.7 * x - y) ** 2 for x, y in pairs) / len(pairs)
        check_number(got["loss"], want, f"loss, batches of {sizes}")
        want = sum(abs(0.7 * x - y) < 1 for x, y in pairs) / len(pairs)
        check_number(got["a"], want, f"share of near rows, batches of {sizes}")
        # hidden: no metrics
        check_equal(set(got), {"loss", "a", "b"}, "names of three numbers")
        check_number(got["b"], 0.25, "a metric that is always 0.25")
        trainer.metrics = {}
        with replaced(globals(), MeanMetric=FairMean):
            got = trainer.evaluate(Batches(*columns(*batches)))
        check_equal(set(got), {"loss"}, "names without metrics")
    # hidden: an error
    trainer, line = of_line(Trainer, [], metrics={"bad": lambda o, t: 1 / 0})
    trainer.model = Lines(line)
    batches = Batches(*columns([(1, 2)]))

    def call():
        return trainer.evaluate(batches)

    for mode in (True, False):
        trainer.model.train(mode)
        with replaced(globals(), MeanMetric=FairMean):
            check_raises(ZeroDivisionError, [], call, "a metric that fails")
        check_equal(line.training, mode, "model.training after an error")
        check_equal((line.weight * 1.0).requires_grad, True, "recording after an error")
    # hidden: what criterion and metrics get
    metrics = {"same": lambda *pair: lopsided(*pair).item()}
    trainer, line = of_line(Trainer, [], metrics=metrics)
    trainer.criterion = lopsided
    with replaced(globals(), MeanMetric=FairMean):
        got = trainer.evaluate(Batches(*columns([(1, 3), (2, 4)])))
    for name in ("loss", "same"):
        check_number(got[name], 9.0, f"{name}: d² + d, d = output - target: -3 and -4")
    ### END HIDDEN TESTS


test_evaluate_beyond()

# %% [markdown]
"""
### It learns already
A step, an epoch, a judge: that is enough to train. `reader` below makes a trainer of a network for
the digits. Three epochs; a fifth of the rows is kept apart, to judge by.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-digits", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.activations import ReLU
from << cookiecutter.package_name >>.layers import (
    Dropout,
    Linear,
    Sequential,
)
from << cookiecutter.package_name >>.losses import (
    CrossEntropyLoss,
    accuracy,
)
from << cookiecutter.package_name >>.optimizers import (
    SGD,
    AdamW,
    StepLR,
)
from << cookiecutter.package_name >>.tensor import manual_seed


def digits():
    """Return the digits, rows of 64 pixels and labels: 1,437 to train, 360 to test."""
    from << cookiecutter.package_name >> import data

    pairs = [(x.reshape(-1, 64), labels) for x, labels in data.load_digits()]
    return [TensorDataset(Tensor(x), Tensor(labels)) for x, labels in pairs]


def reader(rows, seed, hidden=128, dropout=0.2, smoothing=0.0, epochs=30, **settings):
    """Return a Trainer of a network that reads digits, all new, from one seed."""
    manual_seed(seed)
    layers = [Linear(64, hidden), ReLU(), Dropout(dropout), Linear(hidden, 10)]
    model, rng = Sequential(*layers), np.random.default_rng(seed)
    optimizer = AdamW(model.parameters(), lr=1e-2, weight_decay=0.05)
    return Trainer(
        model,
        CrossEntropyLoss(label_smoothing=smoothing),
        optimizer,
        DataLoader(rows, 64, shuffle=True, generator=rng),
        scheduler=StepLR(optimizer, max(1, 2 * epochs // 3)),
        metrics={"accuracy": accuracy},
        **settings,
    )


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-first-epochs", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def first_epochs(epochs=3):
    """Train for a few epochs, and print what each of them reached."""
    try:
        rows, rest = random_split(digits()[0], [0.8, 0.2], np.random.default_rng(0))
        run, others = reader(rows, 0, epochs=epochs), DataLoader(rest, 256)
        found = [(run.train_epoch(), run.evaluate(others)) for _ in range(epochs)]
    except NotImplementedError as error:
        print(unwritten(error))
        return
    for epoch, (loss, judged) in enumerate(found, 1):
        print(f"epoch {epoch}: training loss {loss:.3f}, ", end="")
        print(f"reads {judged['accuracy']:.1%} of {len(rest)} other digits")


first_epochs()

# %% [markdown]
"""
## Exercise 8 (deeper): A batch in parts
A batch of 1024 rows may need more memory than there is. Its gradient is a mean over rows, and
`backward` adds to `.grad`: so compute it in parts, one after the other, and step once. That is
**gradient accumulation**. Each part's mean loss counts by its share of the rows. Four rows in parts
of 3 and 1, with mean gradients of 2 and 6: 3/4 · 2 + 1/4 · 6 = 3, the mean of all four. Half and
half would be 4: the fourth row would count three times as much as each of the others.

Here a group of batches from the loader makes one step. Ten batches in groups of 4 are groups of 4,
4 and 2: the rest is a group, too, or its rows would not count in this epoch.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class AccumulatingTrainer(Trainer):
    """Steps once for a group of batches (Lightning's accumulate_grad_batches)."""

    accumulate_grad_batches = 2  # whoever wants another number sets it

    def accumulated_step(self, batches):
        """Learn from a list of batches by one step; return their mean loss."""
        # TODO: one step for several batches; then an epoch in groups of them.
        #
        # APPROACH
        # 1. Forget old gradients, once. How many rows are there in all?
        # 2. For each batch: its loss, times its share of the rows; then backward.
        # 3. Clip as in Exercise 6, and step, once. Return the sum of what you
        #    differentiated, a float.
        # 4. In train_epoch, take self.accumulate_grad_batches batches at a time, and
        #    what is left at the end.
        #
        # EXAMPLE
        # >>> model = Line(0.0)
        # >>> optimizer = Descent([model.weight], lr=0.1)
        # >>> trainer = AccumulatingTrainer(model, squared, optimizer, loader=[])
        # >>> parts = [(Tensor([1.0]), Tensor([3.0])), (Tensor([2.0]), Tensor([4.0]))]
        # >>> trainer.accumulated_step(parts)
        # 12.5
        # >>> round(model.weight.item(), 6)
        # 1.1
        #
        # HINTS
        # - backward frees a part's graph: so do not add up the losses as Tensors.
        # - list(itertools.islice(batches, n)) takes up to n from an iterator,
        #   batches = iter(self.loader); it is empty at the end.
        ### BEGIN SOLUTION
        rows, total = sum(len(inputs) for inputs, _ in batches), 0.0
        self.optimizer.zero_grad()
        for inputs, targets in batches:
            loss = self.criterion(self.model(inputs), targets) * (len(inputs) / rows)
            loss.backward()
            total += loss.item()
        if self.max_norm is not None:
            clip_grad_norm_(self.optimizer.parameters, self.max_norm)
        self.optimizer.step()
        return total
        ### END SOLUTION

    def train_epoch(self):
        """Take a step with each group of batches; return the mean loss of all rows."""
        ### BEGIN SOLUTION
        self.model.train()
        mean, batches = MeanMetric(), iter(self.loader)
        while group := list(itertools.islice(batches, self.accumulate_grad_batches)):
            rows = sum(len(inputs) for inputs, _ in group)
            mean.update(self.accumulated_step(group), rows)
        return mean.compute()
        ### END SOLUTION


# %% [markdown]
"""
### Testing accumulation
Parts of unequal size against the whole batch, one part at a time, clipping, groups, the last one.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-accumulate-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@exercise(8)
def test_accumulate():
    pairs = [(1, 3), (2, 4), (3, 1), (1, 9)]
    whole = -2 * sum(x * y for x, y in pairs) / 4
    for cut in (1, 2, 3):
        parts = columns(pairs[:cut], pairs[cut:])
        trainer, line = of_line(AccumulatingTrainer, [])
        got = trainer.accumulated_step(parts)
        what = f"four rows in parts of {cut} and {4 - cut}"
        hint = "each part counts by its share of the rows"
        check(line.weight, -0.1 * whole, f"{what}: weight", np.float64, hint)
        check_number(got, sum(y * y for _, y in pairs) / 4, f"{what}: the loss", hint)
        check_equal(type(got), float, "the type of the loss")
        check_equal(trainer.optimizer.done, ["zero_grad", "step"], f"{what}: calls")
        hint = "one forward pass and one backward for each part, in turn"
        check_equal(line.had_gradient, [False, True], f"{what}: a gradient yet?", hint)
    hint = "clip once, the gradient of all parts, unless max_norm is None"
    apart = [(1, 5), (1, -4)]  # gradients of -5 and 4 in a mean of two rows: -1
    cases = (pairs, 1.0, 0.1), (apart, 1.0, 0.1), (pairs, 0.0, 0.0)
    for rows, max_norm, moved in cases:
        trainer, line = of_line(AccumulatingTrainer, [], max_norm=max_norm)
        trainer.accumulated_step(columns(rows[:1], rows[1:]))
        what = f"parts {rows[:1]} and {rows[1:]}, {max_norm=}: weight"
        check_number(line.weight.item(), moved, what, hint, 1e-6)
    batches = columns([(1, 4)], [(1, 4), (1, 4)], [(1, 4)], [(1, 4)], [(1, 4), (1, 4)])
    trainer, line = of_line(AccumulatingTrainer, batches)
    trainer.model = Lines(line).eval()
    with replaced(globals(), MeanMetric=FairMean):
        got = trainer.train_epoch()
    hint = "five batches in groups of 2: 2, 2 and 1"
    check_equal(trainer.optimizer.done, ["zero_grad", "step"] * 3, "calls", hint)
    check(line.weight, 4 - 4 * 0.8**3, "weight after three steps", np.float64)
    want = 16 * (3 * 1 + 2 * 0.8**2 + 2 * 0.8**4) / 7
    check_number(got, want, "the mean loss of groups of 3, 2 and 2 rows", "by rows")
    hint = "model.train() switches all layers"
    check_equal(set(line.modes), {True}, "training mode in each batch", hint)
    check_equal(len(line.modes), 5, "forward passes of five batches", "one a batch")
    print("✅ a large batch fits in parts")


test_accumulate()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-accumulate-beyond", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(8, "many parts, random rows · groups of any size · what criterion gets")
def test_accumulate_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: many parts, random rows
    rng = np.random.default_rng(8)
    pairs = rng.normal(size=(20, 2))
    slope = math.fsum(-2 * x * y for x, y in pairs.tolist()) / 20
    loss = math.fsum(y * y for _, y in pairs.tolist()) / 20
    for ends in ([20], [1, 20], [3, 4, 11, 20], list(range(1, 21))):
        starts = [0, *ends[:-1]]
        parts = columns(*(pairs[a:b] for a, b in zip(starts, ends, strict=True)))
        trainer, line = of_line(AccumulatingTrainer, [])
        got = trainer.accumulated_step(parts)
        check(line.weight, -0.1 * slope, f"parts that end at {ends}", np.float64)
        check_number(got, loss, f"parts that end at {ends}: loss")
    # hidden: groups of any size
    batches = columns(*([(1, 4)] for _ in range(7)))
    for count, steps in ((1, 7), (3, 3), (7, 1), (10, 1)):
        trainer, line = of_line(AccumulatingTrainer, batches)
        trainer.accumulate_grad_batches = count
        with replaced(globals(), MeanMetric=FairMean):
            trainer.train_epoch()
        got = trainer.optimizer.done.count("step")
        check_equal(got, steps, f"steps with 7 batches, {count} at a time")
        want = 4 - 4 * 0.8**steps
        check(line.weight, want, f"7 batches, {count} at a time: weight", np.float64)
    # hidden: what criterion gets
    trainer, line = of_line(AccumulatingTrainer, [])
    trainer.criterion = lopsided
    what = "mean of d² + d, d = output - target: -3 and -4"
    check_number(trainer.accumulated_step(columns([(1, 3)], [(2, 4)])), 9.0, what)
    ### END HIDDEN TESTS


test_accumulate_beyond()

# %% [markdown]
"""
## Exercise 9: Know when to stop
After a while many a network gets better at the rows it knows and worse at others. The validation
loss tells when:

![Validation losses of 0.9, 0.6, 0.5, 0.52, 0.51 and 0.55; the third is the best, three epochs later patience is at its end, and the weights of the third come back](stop.svg)

**Early stopping** waits for `patience` epochs without a new best, then says stop, and brings back
the weights of the best one. A loss must be lower than the best by more than `min_delta` to count.
The weights are arrays that training goes on to change: a best that is not copied is soon the last.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
class EarlyStopping:
    """Watches the validation loss (as Keras's, with restore_best_weights=True)."""

    def __init__(self, patience=5, min_delta=0.0):
        """Keep patience and min_delta; nothing was seen yet."""
        # TODO: remember the best, count what was no better, bring the best back.
        #
        # APPROACH
        # 1. Set best, the loss that the next must beat, to math.inf; waited, the number
        #    of epochs since then, to 0; weights to None.
        # 2. In update, is this a new best? Renew all three. If not, one more epoch was
        #    waited for.
        # 3. done compares waited with patience.
        # 4. restore writes the weights into the parameters' own arrays.
        #
        # EXAMPLE
        # >>> model, stopper = Line(1.0), EarlyStopping(patience=2)
        # >>> for loss in (0.5, 0.4, 0.45, 0.41):
        # ...     stopper.update(loss, model)
        # ...     print(stopper.best, stopper.waited, stopper.done())
        # 0.5 0 False
        # 0.4 0 False
        # 0.4 1 False
        # 0.4 2 True
        #
        # HINTS
        # - [p.data.copy() for p in model.parameters()]
        # - p.data[...] = array changes the numbers, and not which array it is.
        ### BEGIN SOLUTION
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.weights = math.inf, 0, None
        ### END SOLUTION

    def update(self, loss, model):
        """Look at one more epoch's loss; copy the model's weights if it is best."""
        ### BEGIN SOLUTION
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
            self.weights = [p.data.copy() for p in model.parameters()]
        else:
            self.waited += 1
        ### END SOLUTION

    def done(self):
        """Tell whether waited has reached patience: if that is 0, from the start."""
        ### BEGIN SOLUTION
        return self.waited >= self.patience
        ### END SOLUTION

    def restore(self, model):
        """Give the model the best weights, if any; those kept here stay apart."""
        ### BEGIN SOLUTION
        if self.weights is not None:
            for p, array in zip(model.parameters(), self.weights, strict=True):
                p.data[...] = array
        ### END SOLUTION


# %% [markdown]
"""
### Testing early stopping
The losses of the figure, step by step; which weights come back; min_delta; what is copied.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-stopping-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(9)
def test_stopping():
    line, stopper = Line(0.0), EarlyStopping(patience=3)
    got = (stopper.best, stopper.waited)
    check_equal(got, (math.inf, 0), "best and waited, at first")
    check_equal(stopper.done(), False, "done() before any epoch")
    losses = (0.9, 0.6, 0.5, 0.52, 0.51, 0.55)
    wanted = ((0.9, 0), (0.6, 0), (0.5, 0), (0.5, 1), (0.5, 2), (0.5, 3))
    for epoch, (loss, want) in enumerate(zip(losses, wanted, strict=True)):
        line.weight.data[...] = epoch
        stopper.update(loss, line)
        what = f"after losses {losses[: epoch + 1]}"
        check_equal((stopper.best, stopper.waited), want, f"best and waited {what}")
        check_equal(stopper.done(), epoch == 5, f"done() {what}", "patience is 3")
        check(line.weight, float(epoch), "the weight", hint="update only looks")
    array = line.weight.data
    stopper.restore(line)
    check(line.weight, 2.0, "the weight, restored", hint="those of loss 0.5, copied")
    check_equal(line.weight.data is array, True, "in the same array", "p.data[...] =")
    line.weight.data[...] = 7.0
    stopper.restore(line)
    check(line.weight, 2.0, "restored again", hint="copy, both ways")
    stopper = EarlyStopping(patience=2, min_delta=0.1)
    got = []
    for loss in (1.0, 0.95, 0.85, 0.8, 0.76):
        stopper.update(loss, line)
        got.append((stopper.best, stopper.waited))
    want = [(1.0, 0), (1.0, 1), (0.85, 0), (0.85, 1), (0.85, 2)]
    hint = "lower than the best by more than min_delta"
    check_equal(got, want, "losses 1, 0.95, 0.85, 0.8, 0.76, min_delta=0.1", hint)
    print("✅ it stops in time, and goes back")


test_stopping()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-stopping-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(9, "equal losses, nan, little patience · several parameters")
def test_stopping_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: equal losses, nan, little patience
    line, stopper = Line(0.0), EarlyStopping(patience=2)
    for loss, waited in ((0.5, 0), (0.5, 1), (0.4, 0), (math.nan, 1), (0.4, 2)):
        stopper.update(loss, line)
        check_equal(stopper.waited, waited, f"waited, after a loss of {loss}")
    check_equal((stopper.best, stopper.done()), (0.4, True), "best and done()")
    eager = EarlyStopping(patience=1)
    eager.update(-1.0, line)
    check_equal(eager.done(), False, "patience 1, done() after a best")
    eager.update(-1.0, line)
    check_equal(eager.done(), True, "patience 1, done() after one more")
    eager.update(-1.0, line)
    check_equal(eager.done(), True, "patience 1, done() after two more")
    check_equal(EarlyStopping(patience=0).done(), True, "patience 0, done() at first")
    check_equal(EarlyStopping().patience, 5, "the usual patience")
    EarlyStopping().restore(line)
    check(line.weight, 0.0, "the weight, restored before any epoch")
    # hidden: several parameters
    rng = np.random.default_rng(9)
    arrays = [rng.normal(size=shape) for shape in ((2, 3), (3,), (4, 1))]
    line.more = [leaf(a, np.float64) for a in arrays]
    stopper = EarlyStopping(patience=3)
    stopper.update(1.0, line)
    for p in line.more:
        p.data *= 2.0
    stopper.restore(line)
    same_bits("restored parameters", [p.data for p in line.more], arrays)
    ### END HIDDEN TESTS


test_stopping_beyond()

# %% [markdown]
"""
## Exercise 10: All that a run is
A run of eight epochs stops after three. What must be kept, so that the other five come out the same
to the last bit? The weights, of course. The optimizer's means: Adam without them steps as if it
were its first day. The scheduler's epoch, or the learning rate jumps back. What early stopping has
seen. And **two random generators**: the loader's, which draws the next order, and the framework's
`generator`, which draws what dropout drops. Whoever forgets one of these gets a run that looks
fine, and is another one.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-state", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Trainer)
def state_dict(self):
    """Return all that the run needs to go on, as a dict of copies.

    Its keys are weights, optimizer, scheduler, stopper, generators and history. In it
    are dicts, lists, tuples, arrays, numbers, texts and None.
    """
    # TODO: save everything that changes, and put it back.
    #
    # APPROACH
    # 1. weights: the arrays of model.parameters(), in a list.
    # 2. optimizer and scheduler: what their state_dict() says; None without scheduler.
    # 3. stopper: vars(self.stopper), all its attributes; None without one.
    # 4. generators: the bit_generator.state of `generator` and of the loader's own.
    # 5. history. And then nothing of this may be shared with the run: copy it all.
    # 6. load_state_dict compares shapes first, and then puts everything where it was.
    #
    # EXAMPLE
    # >>> model = Line(0.0)
    # >>> optimizer = Descent([model.weight], lr=0.1)
    # >>> trainer = Trainer(model, squared, optimizer, Batches())
    # >>> saved = trainer.state_dict()
    # >>> model.weight.data += 5.0
    # >>> trainer.load_state_dict(saved)
    # >>> model.weight.item()
    # 0.0
    #
    # HINTS
    # - copy.deepcopy copies to the bottom; load_state_dict copies, too: one saved state
    #   may be loaded twice.
    # - A generator keeps its place: set the state of its bit_generator.
    # - vars(self.stopper).update(part) sets the attributes that part, a dict, names.
    ### BEGIN SOLUTION
    rngs = (generator, self.loader.generator)
    saved = {
        "weights": [p.data for p in self.model.parameters()],
        "optimizer": self.optimizer.state_dict(),
        "scheduler": self.scheduler and self.scheduler.state_dict(),
        "stopper": self.stopper and vars(self.stopper),
        "generators": [rng.bit_generator.state for rng in rngs],
        "history": self.history,
    }
    return copy.deepcopy(saved)
    ### END SOLUTION


@add_to_class(Trainer)
def load_state_dict(self, saved):
    """Go on from what state_dict returned; saved stays as it is.

    ValueError, with both lists of shapes, if its weights are not those of this model;
    then nothing is changed.
    """
    ### BEGIN SOLUTION
    parameters = self.model.parameters()
    theirs, ours = ([a.shape for a in part] for part in (saved["weights"], parameters))
    if theirs != ours:
        raise ValueError(f"another model: its weights have shapes {theirs}, not {ours}")
    saved = copy.deepcopy(saved)
    for p, array in zip(parameters, saved["weights"], strict=True):
        p.data[...] = array
    self.optimizer.load_state_dict(saved["optimizer"])
    if self.scheduler:
        self.scheduler.load_state_dict(saved["scheduler"])
    if self.stopper:
        vars(self.stopper).update(saved["stopper"])
    rngs = (generator, self.loader.generator)
    for rng, state in zip(rngs, saved["generators"], strict=True):
        rng.bit_generator.state = state
    self.history = saved["history"]
    ### END SOLUTION


# %% [markdown]
"""
### Testing the state of a run
A run with dropout, Adam and a schedule, stopped after each epoch, and gone on with: weights, bit
for bit. What is copied; a trainer without scheduler and stopper; another model. The training itself
is the test's own.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-state-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
@exercise(10)
def test_state():
    whole = weights_of(go_on(run_of(0), 3))
    for epoch in range(3):
        saved = go_on(run_of(0), epoch).state_dict()
        check_equal("weights" in saved, True, 'state_dict() has a key "weights"')
        before, fresh = repr(saved), run_of(1)
        arrays = [p.data for p in fresh.model.parameters()]
        fresh.load_state_dict(saved)
        now = [p.data for p in fresh.model.parameters()]
        same = [a is b for a, b in zip(now, arrays, strict=True)]
        check_equal(same, [True] * 4, "loaded into the same arrays", "p.data[...] =")
        check_equal(len(fresh.history), epoch, "epochs in the history, loaded")
        check_equal(fresh.stopper.waited, epoch, "stopper.waited, loaded")
        go_on(fresh, 3 - epoch)
        what = f"weights of a run that stopped after {epoch} epochs and went on"
        hint = "weights, optimizer, scheduler, both generators"
        same_bits(what, weights_of(fresh), whole, hint)
        check_equal(len(fresh.history), 3, "epochs in the history, at the end")
        hint = "copy, when you save and when you load"
        same = repr(saved) == before
        check_equal(same, True, "what was saved stayed as it was", hint)
    run = go_on(run_of(0), 2)
    saved = run.state_dict()
    before = repr(saved)
    go_on(run, 1)
    check_equal(repr(saved) == before, True, "saved, and then trained on", hint)
    line = Line(3.0)
    optimizer = Descent([line.weight], lr=0.1)
    plain = Trainer(line, squared, optimizer, Batches())
    saved = plain.state_dict()
    line.weight.data += 1.0
    plain.load_state_dict(saved)
    check(line.weight, 3.0, "without scheduler and stopper: the weight, loaded")
    saved, other = run_of(0).state_dict(), run_of(1, hidden=4)
    before, words = repr(other.state_dict()), ["(3, 8)", "(3, 4)"]
    what = "another model"
    check_raises(ValueError, words, lambda: other.load_state_dict(saved), what)
    same = repr(other.state_dict()) == before
    check_equal(same, True, "a run, after another model was refused")
    print("✅ a run that stops goes on, bit for bit")


test_state()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-state-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(10, "loading twice · what a file can hold · weights that do not fit")
def test_state_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: loading twice
    saved, ends = go_on(run_of(3), 2).state_dict(), []
    for seed in (4, 5):
        run = run_of(seed)
        for _ in range(2):
            run.load_state_dict(saved)
            go_on(run, 2)
            ends.append(weights_of(run))
            what = "epochs in the history: two that were loaded, two more"
            check_equal(len(run.history), 4, what)
    for end in ends[1:]:
        same_bits("weights of runs from one saved state", end, ends[0])

    # hidden: what a file can hold
    def kinds(value):
        if isinstance(value, dict):
            return {str}.union(*map(kinds, [*value, *value.values()]))
        if isinstance(value, (list, tuple)):
            return set().union(*map(kinds, value))
        return {type(value)}

    plain = {str, int, float, bool, type(None), np.ndarray}
    check_equal(kinds(saved) - plain, set(), "types in state_dict()")
    # hidden: weights that do not fit
    kept = saved["weights"]
    for what, weights in (
        ("no weights", []),
        ("3 weights of 4", kept[:3]),
        ("4 weights, the last of another shape", [*kept[:3], np.ones(9)]),
    ):
        run = run_of(6)
        before, part = repr(run.state_dict()), {**saved, "weights": weights}
        load_it = run.load_state_dict
        check_raises(ValueError, ["(3, 8)"], lambda f=load_it, p=part: f(p), what)
        same = repr(run.state_dict()) == before
        check_equal(same, True, f"a run, after this was refused: {what}")
    ### END HIDDEN TESTS


test_state_beyond()

# %% [markdown]
"""
### Given: arrays and all else
NumPy's `.npz` holds arrays by name, JSON holds everything else. `pack` takes a state apart into the
two, `unpack` puts it together. Neither runs code from the file, as unpickling would.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-pack", "locked": true, "schema_version": 3, "solution": false, "task": false}}
#| export
def pack(value, arrays):
    """Return value in JSON's types; each array in it goes into the dict arrays."""
    if isinstance(value, (np.ndarray, np.generic)):
        name = f"array{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"array" if isinstance(value, np.ndarray) else "number": name}
    if isinstance(value, dict):
        return {"dict": [[key, pack(v, arrays)] for key, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [pack(v, arrays) for v in value]}
    return value


def unpack(packed, arrays):
    """Return what pack was given; arrays: a dict, or what np.load returns."""
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind in ("array", "number"):
        return arrays[content] if kind == "array" else arrays[content][()]
    if kind == "dict":
        return {key: unpack(v, arrays) for key, v in content}
    return (tuple if kind == "tuple" else list)(unpack(v, arrays) for v in content)


# %% [markdown]
"""
## Exercise 11 (deeper): A file that is whole or not there
Power fails while a checkpoint is written. If it went over the last one, both are gone. So it is
written beside it, under another name, and then takes its place in a single step of the file system,
which happens or does not. A **zip** archive, which `.npz` is, keeps a checksum of each part, so
nearly any damage is noticed when the part is read to its end.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-file", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
def save(path, state):
    """Write state, as pack takes it, into the file path, whole or not at all."""
    # TODO: write beside, then replace; and read back what is whole.
    #
    # APPROACH
    # 1. Pack the state. One more array, "state", holds the JSON text.
    # 2. Write them with np.savez into a file beside path. Use an open file, for a name
    #    without .npz gets one.
    # 3. Only when that is written and closed: beside.replace(path).
    # 4. load opens the file, gives it to np.load, and unpacks while it is open.
    # 5. Whatever reading a damaged file raises becomes one ValueError.
    #
    # EXAMPLE
    # >>> import tempfile
    # >>> with tempfile.TemporaryDirectory() as folder:
    # ...     save(f"{folder}/run.npz", {"epoch": 3, "weights": [np.ones(2)]})
    # ...     load(f"{folder}/run.npz")
    # {'epoch': 3, 'weights': [array([1., 1.])]}
    #
    # HINTS
    # - np.array(json.dumps(packed)) is an array that holds a text; str() of it is that.
    # - path = Path(path); path.with_name(path.name + ".part") stands beside it.
    # - A damaged file can raise almost anything: except Exception, below an except
    #   FileNotFoundError whose raise lets that one pass.
    ### BEGIN SOLUTION
    arrays, path = {}, Path(path)
    text = json.dumps(pack(state, arrays))
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, state=np.array(text), **arrays)
        file.flush()
        os.fsync(file.fileno())  # to the disk itself, before the old file goes
    beside.replace(path)
    ### END SOLUTION


def load(path):
    """Return the state that save wrote. No pickle is read.

    ValueError, with the path, if this is no whole checkpoint.
    FileNotFoundError, if there is no such file.
    """
    ### BEGIN SOLUTION
    try:
        # Opened here: np.load, given a name, does not close a file that is damaged.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return unpack(json.loads(str(arrays["state"])), arrays)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is no whole checkpoint: {error}") from None
    ### END SOLUTION


# %% [markdown]
"""
### Testing files
A state with everything in it, a disk that fills up in the middle, files that are torn, or something
else, or not there.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-file-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
import tempfile
from contextlib import suppress


@exercise(11)
def test_file():
    state = {"weights": [np.float32([[0.1, 0.2]]), np.zeros((0, 2))], "epoch": 3}
    state |= {"lr": 0.1 + 0.2, "betas": (0.9, 0.999), "nothing": None, "deep": [{}, []]}
    state |= {"big": 2**100, "inf": math.inf, "name": "Zoë", "yes": True}
    # Windows does not remove a file that is still open.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "run.npz")
        save(path, state)
        got = load(path)
        check_equal(repr(got), repr(state), "a state, saved and loaded")
        same_bits("its arrays", got["weights"], state["weights"])
        names = [p.name for p in Path(folder).iterdir()]
        check_equal(names, ["run.npz"], "files there")
        save(str(path), {"epoch": 4})
        check_equal(load(str(path)), {"epoch": 4}, "saved again, by a path of type str")
        named = Path(folder, "checkpoint")
        save(named, {"epoch": 5})
        check_equal(load(named), {"epoch": 5}, 'in a file named "checkpoint"')
        whole = path.read_bytes()
        with replaced(vars(np), savez=torn, savez_compressed=torn):
            words, what = ["no space"], "a disk that is full"
            full = {"weights": [np.ones(9)]}
            check_raises(OSError, words, lambda: save(path, full), what, "let it pass")
        same = path.is_file() and path.read_bytes() == whole
        hint = "write beside it, and replace it at the end"
        check_equal(same, True, "is the file from before that as it was?", hint)
        check_equal(load(path), {"epoch": 4}, "that file, loaded")
        for data in (whole[: len(whole) // 2], b"", b"a letter"):
            path.write_bytes(data)
            words = ["run.npz"]
            what = f"a file of {len(data)} bytes"
            check_raises(ValueError, words, lambda: load(path), what, "one ValueError")
        missing = Path(folder, "other.npz")
        check_raises(FileNotFoundError, [], lambda: load(missing), "no such file")
    print("✅ a checkpoint is whole, or it is the one before")


test_file()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-file-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}, "tags": ["raises-exception"]}
@beyond(11, "random states · damaged files · a pickle · a write that breaks off")
def test_file_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: random states
    rng = np.random.default_rng(11)
    # Windows does not remove a file that is still open.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "run.npz")
        for dtype in (np.float32, np.float64, np.int64, np.bool_):
            shapes = (1,), (30,), (2, 3, 4)
            arrays = [(9 * rng.normal(size=n)).astype(dtype) for n in shapes]
            scalar = {"zero-d": np.array(arrays[0][0]), "number": arrays[0][0]}
            state = {"arrays": arrays, **scalar, "rng": rng.bit_generator.state}
            save(path, state)
            got = load(path)
            same_bits(f"arrays of {dtype.__name__}", got["arrays"], arrays)
            kinds = [type(got[name]) for name in scalar]
            want = [type(value) for value in scalar.values()]
            check_equal(kinds, want, "types of an array without dimensions, a number")
            check_equal(got["rng"], state["rng"], "the state of a generator")
        # hidden: damaged files
        save(path, {"weights": [rng.random(1000)]})
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        check_raises(ValueError, ["run.npz"], lambda: load(path), "one bit flipped")
        np.savez(path, weights=np.ones(3))
        check_raises(ValueError, ["run.npz"], lambda: load(path), "another .npz")
        # hidden: a pickle
        made = Path(folder, "made")

        class Harm:
            def __reduce__(self):
                return os.mkdir, (str(made),)

        text = np.array(json.dumps(pack([np.ones(1)], {})))
        np.savez(path, state=text, array0=np.array([Harm()]))
        check_raises(ValueError, ["run.npz"], lambda: load(path), "a pickle in a file")
        check_equal(made.exists(), False, "did code from the file run?")
        # hidden: a write that breaks off
        save(path, {"epoch": 1})
        whole, there, seen = path.read_bytes(), set(Path().iterdir()), []

        def breaks(file, *args, **arrays):
            same = path.is_file() and path.read_bytes() == whole
            seen.append((same, set(Path().iterdir()) - there))
            torn(file)

        def refuse(*args, **settings):
            raise OSError("the file system is busy")

        names = {"savez": breaks, "savez_compressed": breaks}
        with replaced(vars(np), **names), suppress(OSError):
            save(path, {"epoch": 2})
        what = "while a new file is written: is the old one whole, what else is new?"
        check_equal(seen, [(True, set())], what, "write beside it")
        with replaced(vars(os), replace=refuse, rename=refuse), suppress(OSError):
            save(path, {"epoch": 2})
        what = "is a whole file there when it cannot be replaced?"
        check_equal(path.is_file() and list(load(path)), ["epoch"], what)
    ### END HIDDEN TESTS


test_file_beyond()

# %% [markdown]
"""
## Exercise 12: Fit
Now the outer loop. An epoch of training, then the validation, then the scheduler, one line of
history, early stopping, a checkpoint. `fit(8)` means: until there are 8 epochs in the history. So
after a checkpoint of epoch 3 was loaded, `fit(8)` trains 5 more, and when it is called once more,
none. When a stopper has brought back the best weights, the model no longer holds the last ones: the
checkpoint does, and a run goes on from there.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-fit", "locked": false, "schema_version": 3, "solution": true, "task": false}}
#| export
@add_to_class(Trainer)
def fit(self, epochs, validation=None, checkpoint=None):
    """Train until the history has so many epochs, or stopper says stop; return history.

    validation: a loader to evaluate after each epoch (a stopper needs one).
    checkpoint: a path that save writes the state to, after each epoch.
    At the end, the stopper restores its best weights, if there is one.
    """
    # TODO: epochs, as long as it is worth it.
    #
    # APPROACH
    # 1. As long as epochs are missing, and the stopper is not done:
    # 2. the lr of the optimizer and the loss of an epoch make a row:
    #    {"lr": …, "loss": …}.
    # 3. With a validation loader, add what evaluate says, each name behind "val_".
    # 4. The scheduler steps, and the row, complete now, joins the history.
    # 5. The stopper sees the val_loss. Then save, when all of this epoch is done.
    #
    # EXAMPLE
    # >>> model = Line(0.0)
    # >>> optimizer = Descent([model.weight], lr=0.25)
    # >>> batch = Tensor([1.0]), Tensor([4.0])
    # >>> trainer = Trainer(model, squared, optimizer, Batches(batch))
    # >>> for row in trainer.fit(2, validation=[batch]):
    # ...     print(row)
    # {'lr': 0.25, 'loss': 16.0, 'val_loss': 4.0}
    # {'lr': 0.25, 'loss': 4.0, 'val_loss': 1.0}
    #
    # HINTS
    # - {f"val_{name}": value for name, value in ...}
    # - Take the lr before the scheduler changes it.
    ### BEGIN SOLUTION
    stopper = self.stopper
    while len(self.history) < epochs and not (stopper and stopper.done()):
        row = {"lr": self.optimizer.lr, "loss": self.train_epoch()}
        if validation is not None:
            found = self.evaluate(validation)
            row |= {f"val_{name}": value for name, value in found.items()}
        if self.scheduler:
            self.scheduler.step()
        self.history.append(row)
        if stopper:
            stopper.update(row["val_loss"], self.model)
        if checkpoint is not None:
            save(checkpoint, self.state_dict())
    if stopper:
        stopper.restore(self.model)
    return self.history
    ### END SOLUTION


# %% [markdown]
"""
### Testing fit
The rows of the history, who is called when, stopping, restoring, checkpoints, going on. Epochs,
evaluation, stopper, scheduler and files are the test's own.
"""


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-fit-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}}
from types import SimpleNamespace


class Told(Trainer):
    """A Trainer for tests: only fit is yours; done lists what was called, in order."""

    def __init__(self, losses, patience=None, scheduler=True):
        self.done, self.losses, self.history = [], losses, []
        self.model, self.optimizer = "the model", SimpleNamespace(lr=1.0)
        self.loader, self.waited, self.patience = Batches(), 0, patience
        self.stopper = self.scheduler = None
        if patience is not None:
            calls = {"update": self.watch, "restore": self.restore}
            calls["done"] = lambda: self.waited >= patience
            calls |= {"best": math.inf, "waited": 0, "weights": None}
            self.stopper = SimpleNamespace(**calls)
        if scheduler:
            self.scheduler = SimpleNamespace(step=self.slower)

    def train_epoch(self):
        done = self.stopper is not None and self.stopper.done()
        what, hint = "does the stopper say stop?", "ask done() before each epoch"
        check_equal(done, False, f"{what} (before epoch {len(self.history) + 1})", hint)
        self.done.append("train")
        return 10.0 - len(self.history)

    def evaluate(self, loader):
        left = len(self.losses) - len(self.history)
        hint = "count the rows in the history"
        check_equal(left > 0, True, "are there epochs left to train?", hint)
        self.done.append(f"evaluate {loader}")
        return {"loss": self.losses[len(self.history)], "accuracy": 0.5}

    def slower(self):
        self.done.append("scheduler")
        self.optimizer.lr /= 2

    def watch(self, loss, model):
        seen = sum(call.startswith(f"{model} at") for call in self.done)
        hint = "the row joins the history first"
        check_equal(len(self.history), seen + 1, "epochs when the stopper hears", hint)
        self.done.append(f"{model} at {loss}")
        best = min(self.losses[: len(self.history)])
        self.waited = 0 if loss == best else self.waited + 1

    def restore(self, model):
        self.done.append(f"restore {model}")

    def state_dict(self):
        return {"epochs": len(self.history), "waited": self.waited}


@exercise(12)
def test_fit():
    trainer = Told([3.0, 2.0, 2.5])
    got = trainer.fit(3, "validation")
    rates = (1.0, 0.5, 0.25)
    want = [
        {"lr": lr, "loss": 10.0 - k, "val_loss": loss, "val_accuracy": 0.5}
        for k, (lr, loss) in enumerate(zip(rates, trainer.losses, strict=True))
    ]
    found = [row.get("lr") for row in got]
    hint = "take the lr before the scheduler steps"
    check_equal(found, list(rates), "lr in the history of three epochs", hint)
    check_equal(got, want, "the history of three epochs", "one row an epoch")
    check_equal(got is trainer.history, True, "fit returns trainer.history")
    want = ["train", "evaluate validation", "scheduler"] * 3
    check_equal(trainer.done, want, "calls, in order")
    trainer.fit(3, "validation")
    check_equal(len(trainer.done), 9, "calls after fit(3) once more", "no more epochs")
    trainer.losses.append(1.0)
    trainer.fit(4, "validation")
    check_equal(len(trainer.history), 4, "epochs after fit(4)", "one more")
    alone = Told([], scheduler=False)
    want = [{"lr": 1.0, "loss": 10.0}, {"lr": 1.0, "loss": 9.0}]
    check_equal(alone.fit(2), want, "the history without validation and scheduler")
    check_equal(alone.done, ["train"] * 2, "calls without validation and scheduler")
    losses, files = [3.0, 2.0, 2.5, 2.6, 1.0], []
    with replaced(globals(), save=lambda path, state: files.append((str(path), state))):
        trainer = Told(losses, patience=2)
        trainer.fit(9, "v", checkpoint="run.npz")
    check_equal(len(trainer.history), 4, "epochs, val_loss 3, 2, 2.5, 2.6, patience 2")
    last = "restore the model"
    calls = [call for call in trainer.done if call != last]
    want = ["train", "evaluate v", "scheduler", "the model at 2.6"]
    hint = "the scheduler first, then the stopper"
    check_equal(calls[-4:], want, "the calls of the last epoch", hint)
    check_equal(trainer.done[-1], last, "the last call", "restore at the very end")
    check_equal(trainer.done.count(last), 1, "how often weights are restored")
    seen = ((1, 0), (2, 0), (3, 1), (4, 2))
    want = [("run.npz", {"epochs": k, "waited": waited}) for k, waited in seen]
    hint = "save when history and stopper know of the epoch"
    check_equal(files, want, "save(checkpoint, state_dict()) in each epoch", hint)
    trainer.fit(9, "v")
    check_equal(len(trainer.history), 4, "epochs after fit(9) once more", "done()?")
    print("✅ fit, and go on where it stopped")


test_fit()


# %% [code] {"nbgrader": {"grade": true, "grade_id": "training-fit-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
@beyond(12, "patience that lasts, or is 0 · no epochs at all")
def test_fit_beyond():
    """Beyond the examples."""
    ### BEGIN HIDDEN TESTS
    # hidden: patience that lasts, or is 0
    rng = np.random.default_rng(12)
    for patience in (0, 1, 2, 3, 9):
        losses = rng.random(8).tolist()
        trainer = Told(losses, patience)
        trainer.fit(8, "v")
        waited, epochs = 0, 0
        while epochs < 8 and waited < patience:
            epochs += 1
            waited = 0 if losses[epochs - 1] == min(losses[:epochs]) else waited + 1
        check_equal(len(trainer.history), epochs, f"epochs, {losses}, {patience=}")
        check_equal(trainer.done[-1], "restore the model", "the last call")
    # hidden: no epochs at all
    files = []
    with replaced(globals(), save=lambda path, state: files.append((str(path), state))):
        check_equal(Told([]).fit(0, "v", "run.npz"), [], "fit(0)")
    check_equal(files, [], "files after fit(0)")
    ### END HIDDEN TESTS


test_fit_beyond()

# %% [markdown]
"""
## It works: a run that breaks off, and 97 %
First the promise of Exercise 10, on the digits. One run of eight epochs, unbroken. Then for each
epoch a new network, with other weights and other luck, that loads what was saved there and trains
the rest. Its last weights must be those of the unbroken run, bit for bit. Beside it what most people
do: keep the weights alone.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-resume", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def resume_digits(epochs=8):
    """Stop a run after each epoch, go on, and compare; plot the losses."""
    from << cookiecutter.package_name >> import viz

    rows = digits()[0]
    run, saved = reader(rows, 0, epochs=epochs), []
    for epoch in range(epochs):
        saved.append(run.state_dict())
        run.fit(epoch + 1)
    whole, equal = weights_of(run), 0
    for state in saved:
        again = reader(rows, 99, epochs=epochs)
        again.load_state_dict(state)
        again.fit(epochs)
        pairs = zip(weights_of(again), whole, strict=True)
        equal += all(a.tobytes() == b.tobytes() for a, b in pairs)
    print(f"{equal} of {epochs} runs that stopped end with the same bits")
    stop, alone = 6, reader(rows, 99, epochs=epochs)
    for p, array in zip(alone.model.parameters(), saved[stop]["weights"], strict=True):
        p.data[...] = array
    alone.fit(epochs - stop)
    curves = {"unbroken": (range(1, epochs + 1), [row["loss"] for row in run.history])}
    late = [row["loss"] for row in alone.history]
    curves[f"weights alone, from {stop}"] = range(stop + 1, epochs + 1), late
    title = f"With its whole state a run goes on bit for bit: {equal} of {epochs}"
    viz.lines(curves, title, "epoch", "training loss", log="y")
    viz.show()


resume_digits()

# %% [markdown]
"""
**Look at your curves.** What does the run from weights alone lack in its first new epoch? Adam's
means are empty, and order and dropout are drawn from another place. Its scheduler begins anew, so
it learns at ten times the rate that the other has had since epoch 6. It is another run than the one
that broke off.

### The capstone: digits
1,437 digits to train with, 360 to test. **What this test says, and what not:** the same 13 people
wrote both parts, and the file does not say who wrote what, so nobody can split it by writer. A good
score means new pictures by known hands. For strangers' hands expect less.

The plan is fixed before anything is trained. Of the training part, a fifth is set aside for
validation. Four settings are tried there, with two seeds each; the one of the lowest loss is taken
(the loss of 287 pictures tells more than how many are right). It trains anew on
all 1,437 rows, from five seeds, and each of the five networks sees the test part once. Each must
read 97 % of it or more.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-capstone", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
SETTINGS = {
    "32 hidden": {"hidden": 32, "dropout": 0.1},
    "64 hidden": {"hidden": 64, "dropout": 0.2},
    "128 hidden": {"hidden": 128, "dropout": 0.2},
    "256 hidden": {"hidden": 256, "dropout": 0.5},
}


def choose(epochs=30):
    """Return the name of the setting that does best on a validation part."""
    rng = np.random.default_rng(0)
    rows, rest = random_split(digits()[0], [0.8, 0.2], rng)
    validation, scores = DataLoader(rest, 256), {}
    for name, setting in SETTINGS.items():
        trainers = [reader(rows, seed, epochs=epochs, **setting) for seed in (0, 1)]
        found = [trainer.fit(epochs, validation)[-1] for trainer in trainers]
        scores[name], right = (
            np.mean([row[key] for row in found]) for key in ("val_loss", "val_accuracy")
        )
        print(f"{name:10} validation: loss {scores[name]:.4f}, ", end="")
        print(f"reads {right:.1%} of {len(rest)} digits")
    return min(scores, key=scores.get)


def capstone(needed=0.97, epochs=30):
    """Choose, train five networks, test each once; draw what they confuse."""
    import time

    from << cookiecutter.package_name >> import viz

    start = time.perf_counter()
    chosen = choose(epochs)
    rows, test = digits()
    shares, outputs = [], []
    for seed in range(5):
        trainer = reader(rows, seed, epochs=epochs, **SETTINGS[chosen])
        trainer.fit(epochs)
        found = trainer.evaluate(DataLoader(test, 360))
        shares.append(found["accuracy"])
        with no_grad():
            outputs.append(trainer.model.eval()(test.tensors[0]).data)
    took = time.perf_counter() - start
    print(f"chosen: {chosen}. Five seeds, each tested once:")
    print("  ".join(f"{share:.2%}" for share in shares), f"  in {took:.1f} s in all")
    spread = math.sqrt(np.mean(shares) * (1 - np.mean(shares)) / len(test))
    print(f"mean {np.mean(shares):.2%}; 360 pictures tell that to ± {spread:.1%}")
    pictures, truth = (t.data for t in test.tensors)
    answers = [output.argmax(axis=1) for output in outputs]
    table = np.zeros((10, 10), int)
    for answer in answers:
        np.add.at(table, (truth, answer), 1)
    wrong = table.sum() - table.trace()
    none = sum(all(a[k] != truth[k] for a in answers) for k in range(len(truth)))
    differ = sum(len({a[k] for a in answers}) > 1 for k in range(len(truth)))
    print(f"All five misread {none} of the pictures, and they disagree about {differ}.")
    title = f"{wrong} of {table.sum():,} answers of five networks are wrong"
    viz.confusion(table, title)
    viz.show()
    odds = [o - np.log(np.exp(o).sum(axis=1, keepdims=True)) for o in outputs]
    losses = -np.mean(odds, axis=0)[np.arange(len(truth)), truth]
    worst = np.argsort(-losses)[:10]
    votes = [np.bincount([a[k] for a in answers], minlength=10).argmax() for k in worst]
    pairs = zip(votes, worst, strict=True)
    titles = [f"{v}, not {truth[k]}" if v != truth[k] else f"{v}" for v, k in pairs]
    shown = pictures[worst].reshape(-1, 8, 8)
    found = "The ten pictures of the largest loss, with what most networks read"
    viz.images(shown, titles, found, columns=5)
    viz.show()
    for seed, share in enumerate(shares):
        assert share >= needed, (
            f"seed {seed} reads {share:.1%} of the test digits, {needed:.0%} are "
            "needed. Does every test above show ✅? Then look at DataLoader and "
            "train_epoch again"
        )
    equal = min(shares) == max(shares)
    read = f"{min(shares):.1%}" + ("" if equal else f" to {max(shares):.1%}")
    print(f"✅ five networks read {read} of the digits")


capstone()

# %% [markdown]
"""
**Look at your pictures.** Five networks may well be wrong on the same pictures, and so have the same
share. That they are five is seen where they disagree. Which pairs does the table confuse, and would
you have known better? Do validation and test agree within their spread? And is the best setting
better than the next by more than that?

### With early stopping, and without
Real data has mistakes in it, and a network without dropout learns even these by heart. Here 30 of
300 training labels are drawn at random, and most of them are wrong. The same network twice: once for
all 60 epochs, once with your `EarlyStopping`. The validation part, with true labels, is the judge.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-curves", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def learning_curves(epochs=60, count=300):
    """Plot the losses of a run on few rows, and where early stopping ends it."""
    from << cookiecutter.package_name >> import viz

    rng = np.random.default_rng(1)
    few, rest = random_split(digits()[0], [count, 1437 - count], rng)
    x, labels = (t.data for t in few.fetch(range(count)))
    labels[: count // 10] = rng.integers(0, 10, count // 10)
    few = TensorDataset(Tensor(x), Tensor(labels))
    validation = DataLoader(rest, 1437)
    setting = {"hidden": 256, "dropout": 0.0, "epochs": 10 * epochs}
    free = reader(few, 0, **setting)
    stopped = reader(few, 0, **setting, stopper=EarlyStopping(patience=5))
    rows, short = free.fit(epochs, validation), stopped.fit(epochs, validation)
    best = 1 + int(np.argmin([row["val_loss"] for row in short]))
    ends = [trainer.evaluate(validation) for trainer in (free, stopped)]
    curves = {
        name: (range(1, epochs + 1), [row[key] for row in rows])
        for name, key in (("training", "loss"), ("validation", "val_loss"))
    }
    rise = ends[0]["loss"] / ends[1]["loss"]
    title = f"From epoch {best} to {epochs} the validation loss grows {rise:.2f}-fold"
    ax = viz.lines(curves, title, "epoch", "loss", log="y")
    ax.axvline(best, color="gray", linestyle=":")
    ax.annotate(" best", (best, rows[0]["loss"]), color="gray")
    ax.axvline(len(short), color="gray", linestyle="--")
    ax.annotate(" stopped", (len(short), rows[0]["loss"] / 2), color="gray")
    viz.show()
    for name, found in zip(("without", "with"), ends, strict=True):
        print(f"{name:8} early stopping: loss {found['loss']:.3f}, ", end="")
        print(f"accuracy {found['accuracy']:.1%} of {len(rest)} other digits")


learning_curves()

# %% [markdown]
"""
**Explain your curves.** What does the network learn after the best epoch, when the training loss
goes on falling? (The validation loss can rise while the accuracy hardly falls: the surer a network is
of a wrong answer, the more it costs.) What did stopping save in epochs, and what in loss and in
accuracy?

## Part 2: Systems Analysis
Now measure the loop itself. Only the four questions at the end are marked.

### Where the time of a step goes
A step fetches a batch, computes forward, differentiates, updates. Each bar is a whole step, of a
batch of another size.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-profile-step", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def timed_parts(trainer, steps):
    """Return the least seconds that data, forward, backward and step took."""
    import time

    clock, taken, batches = time.perf_counter, [], iter(trainer.loader)
    for _ in range(steps):
        marks = [clock()]
        inputs, targets = next(batches)
        marks.append(clock())
        trainer.optimizer.zero_grad()
        loss = trainer.criterion(trainer.model(inputs), targets)
        marks.append(clock())
        loss.backward()
        marks.append(clock())
        trainer.optimizer.step()
        marks.append(clock())
        taken.append(np.diff(marks))
    names = "data", "forward", "backward", "step"
    return dict(zip(names, np.min(taken, axis=0).tolist(), strict=True))


def profile_step():
    """Draw where the time of a step goes, for several batch sizes."""
    from << cookiecutter.package_name >> import viz

    rng, n = np.random.default_rng(0), 8192
    x, labels = rng.random((n, 64), np.float32), rng.integers(0, 10, n)
    rows, bars, per_row = TensorDataset(Tensor(x), Tensor(labels)), {}, {}
    for size in (4, 16, 64, 256, 1024):
        trainer = reader(rows, 0)
        trainer.loader = DataLoader(rows, size, shuffle=True, generator=rng)
        parts = timed_parts(trainer, min(60, n // size))
        total = sum(parts.values())
        per_row[size] = 1e6 * total / size
        name = f"batch {size}, {per_row[size]:.0f} µs per row"
        bars[name] = {k: 100 * s / total for k, s in parts.items()}
        words = ", ".join(f"{k} {share:.0f} %" for k, share in bars[name].items())
        print(f"batch {size:4}: {1e6 * total:6.0f} µs a step: {words}")
    title = f"A row costs {per_row[4] / per_row[1024]:.0f} times less at 1024 than at 4"
    viz.stacked(bars, title, "share of a step, %")
    viz.show()


profile_step()

# %% [markdown]
"""
**Explain your bars.** The update costs the same for any batch, so its share shrinks as the batch
grows, and so does that of Python's overhead per operation. Backward makes two matrix products for
each one of forward, but one alone in the first layer, as pixels need no gradient; forward draws the
dropout mask. Which is longer for you, and does the order change?

### Memory Profiling
A larger batch is faster per row, until it is not; its memory grows all the way, because the graph
keeps the activations of every row.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-profile-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_memory():
    """Plot rows per second, and the peak memory of a step, against the batch size."""
    import tracemalloc

    from << cookiecutter.package_name >> import viz
    from << cookiecutter.package_name >>.testing import times

    rng = np.random.default_rng(0)
    trainer, sizes = reader(None, 0), [2**k for k in range(0, 13, 2)]
    speed, peak = [], []
    for size in sizes:
        x, labels = rng.random((size, 64), np.float32), rng.integers(0, 10, size)
        batch = Tensor(x), Tensor(labels)
        trainer.training_step(batch)
        tracemalloc.start()
        trainer.training_step(batch)
        peak.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
        seconds = min(times(lambda b=batch: trainer.training_step(b), 9))
        speed.append(size / seconds)
        print(f"batch {size:4}: {speed[-1]:9,.0f} rows per second, {peak[-1]:6.2f} MiB")
    gain, more = speed[-1] / speed[3], peak[-1] / peak[3]
    title = f"64 to 4096 rows: {gain:.1f} times the speed, {more:.0f} times the memory"
    curves = {"speed": (sizes, speed)}
    viz.lines(curves, title, "batch size", "rows per second", log="xy")
    viz.show()
    per_row = (peak[-1] - peak[-2]) / (sizes[-1] - sizes[-2]) * 1024
    title = f"Each further row needs {per_row:.1f} KiB while its graph is there"
    viz.lines({"peak": (sizes, peak)}, title, "batch size", "MiB", log="xy")
    viz.show()


profile_memory()

# %% [markdown]
"""
**Explain your numbers.** On the left a step costs the same for 1 row as for 4: overhead. On the
right the processor is busy all the time, and more rows only take longer; where arrays no longer fit
into its cache, even more than their share. How many float32 numbers
per row are the KiB that you found, and which arrays of a 64-128-10 network could they be?

### The loader as a bottleneck
The digits and a network of 2,048 hidden numbers, the same for four loaders. One fetches a batch by
one index, one row by row through `collate`. The third waits for a disk, 8 ms a batch. The last does,
too, but in a thread that works ahead.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-profile-loader", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def prefetch(loader, ahead=2):
    """Yield the batches of loader, which a thread of its own fetches ahead."""
    import queue
    import threading

    waiting = queue.Queue(ahead)

    def work():
        for batch in loader:
            waiting.put(batch)
        waiting.put(None)

    threading.Thread(target=work, daemon=True).start()
    while (batch := waiting.get()) is not None:
        yield batch


def profile_loader(hidden=2048):
    """Draw how long training waits for data, with four ways to load."""
    import time

    from << cookiecutter.package_name >> import viz

    class Single(Subset):
        """Rows one by one."""

        def fetch(self, rows):
            return Dataset.fetch(self, rows)

    class Disk(Subset):
        """Rows from a slow disk."""

        def fetch(self, rows):
            time.sleep(0.008)
            return self.dataset.fetch(rows)

    rows = digits()[0]
    every, bars = range(len(rows)), {}
    rng = np.random.default_rng(0)
    kinds = {"one index": rows, "row by row": Single(rows, every)}
    kinds |= {"slow disk": Disk(rows, every), "slow disk, ahead": Disk(rows, every)}
    trainer = reader(rows, 0, hidden=hidden)
    for name, kind in kinds.items():
        loader = DataLoader(kind, 64, shuffle=True, generator=rng)
        batches = iter(prefetch(loader) if "ahead" in name else loader)
        waited, worked = [], []
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            waited.append(time.perf_counter() - start)
            if batch is None:
                break
            trainer.training_step(batch)
            worked.append(time.perf_counter() - start - waited[-1])
        times = {"waiting": waited, "training": worked}
        bars[name] = {k: 1e3 * float(np.median(v)) for k, v in times.items()}
    totals = {name: sum(parts.values()) for name, parts in bars.items()}
    for name, parts in bars.items():
        print(f"{name:17} {totals[name]:5.2f} ms a step, ", end="")
        print(f"{parts['waiting']:5.2f} of it waiting")
    gain = totals["slow disk"] / totals["slow disk, ahead"]
    slow = bars["row by row"]["waiting"] / bars["one index"]["waiting"]
    title = f"Row by row: {slow:.0f} times one index; "
    title += f"a thread ahead: {gain:.1f} times as fast"
    viz.stacked(bars, title, "ms per step")
    viz.show()


profile_loader()

# %% [markdown]
"""
**Explain your bars.** Without help, waiting and training add up; with a worker ahead, a step takes
as long as the longer of the two. A thread helps here because a waiting thread needs no processor.
Would it help with *row by row*, which is Python at work? That is why PyTorch's workers are processes.

### A large batch, or its parts
The same 1,024 rows as one batch, and in 16 parts by `AccumulatingTrainer`: gradients, memory, time.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-profile-accumulation", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def profile_accumulation(rows=1024, parts=16):
    """Compare one large batch with its parts: gradients, peak memory, time."""
    import tracemalloc

    from << cookiecutter.package_name >>.testing import times

    rng = np.random.default_rng(0)
    x, labels = rng.random((rows, 64), np.float32), rng.integers(0, 10, rows)
    data = TensorDataset(Tensor(x), Tensor(labels))
    whole, small = [data[:]], list(DataLoader(data, rows // parts))
    found = {}
    for name, batches in (("one batch", whole), (f"{parts} parts", small)):
        plain = reader(data, 0, dropout=0.0)
        parts_of = plain.model, plain.criterion, plain.optimizer, None
        trainer = AccumulatingTrainer(*parts_of)
        try:
            trainer.accumulated_step(batches)
        except NotImplementedError as error:
            print(unwritten(error))
            print("Ours: one batch needed 1.66 MiB at its peak, 16 parts 0.17 MiB.")
            return
        grads = [p.grad.copy() for p in plain.model.parameters()]
        tracemalloc.start()
        trainer.accumulated_step(batches)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        seconds = min(times(lambda t=trainer, b=batches: t.accumulated_step(b), 5))
        found[name] = grads, peak, seconds
        print(f"{name:10} {peak:6.2f} MiB at its peak, {1e3 * seconds:6.2f} ms a step")
    (ours, most, _), (theirs, least, _) = found.values()
    pairs = zip(ours, theirs, strict=True)
    off = max(abs(a - b).max() / abs(a).max() for a, b in pairs)
    print(f"gradients differ by {off:.1e} of the largest (float32 rounds by 6e-08);")
    print(f"the parts need {most / least:.1f} times less memory")


profile_accumulation()

# %% [markdown]
"""
**Explain your numbers.** The gradients are equal but for rounding: sums in another order. Memory
does not fall to a sixteenth: what does not depend on the batch stays. Would they be equal if the
network had dropout, and each of the two began with the same seed?

### Spot the bug
A colleague looks for the best of 100 networks. The rows are random and the labels are coin flips,
so there is nothing to learn: every network is right half of the time, in the long run. The report
says otherwise. Question 3 is about it.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-spot-the-bug", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def spot_the_bug(networks=100):
    """Report the best of many networks, and what it does on fresh rows."""
    from << cookiecutter.package_name >> import viz

    rng = np.random.default_rng(1)

    def coins(n):
        return Tensor(rng.normal(size=(n, 8))), Tensor(rng.integers(0, 2, n))

    (x, labels), (test, truth) = coins(40), coins(40)
    best, scores = 0.0, []
    for seed in range(networks):  # the colleague's loop
        manual_seed(seed)
        model = Sequential(Linear(8, 16), ReLU(), Linear(16, 2))
        optimizer = SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            CrossEntropyLoss()(model(x), labels).backward()
            optimizer.step()
        score = accuracy(model(test), truth)
        scores.append(score)
        if score > best:
            best, chosen = score, model

    fresh, answers = coins(100_000)
    honest = accuracy(chosen(fresh), answers)
    print(f'"Our best network reaches {best:.0%} on the test set."')
    print(f"On 100,000 fresh rows the same network reaches {honest:.1%}.")
    tried = range(1, networks + 1)
    shares = {"best": (tried, np.maximum.accumulate(scores)), "each": (tried, scores)}
    title = f"The best of {networks}: {best:.0%} on 40 rows, {honest:.0%} in truth"
    viz.lines(shares, title, "networks tried", "test accuracy")
    viz.show()


spot_the_bug()

# %% [markdown]
"""
### The leaderboard: under 5,000 parameters
Now you. Build the best reader of digits that has **fewer than 5,000 parameters**, of anything in your
seven modules. The cell below the next one trains it from three seeds, and prints a line for your
answer to Question 4. Try as often as you like on the validation part: that is what it is for. The
test accuracy is printed, too, and you decide by it nothing at all.
"""


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-leaderboard", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def my_reader(rows, seed):
    """Return a Trainer of your network, all new, and how many epochs it trains.

    rows: a dataset of rows of 64 pixels and labels. seed: one seed, one run.
    """
    # TODO: your network, optimizer, schedule and loader.
    #
    # APPROACH
    # 1. reader, above, is a place to begin.
    # 2. Count parameters first: Linear(64, 64) alone has 64 · 64 + 64 = 4,160.
    #
    # EXAMPLE
    # >>> rows = TensorDataset(Tensor(np.zeros((4, 64))), Tensor([0, 1, 2, 3]))
    # >>> trainer, epochs = my_reader(rows, seed=0)
    # >>> sum(p.size for p in trainer.model.parameters()) < 5000
    # True
    #
    # HINTS
    # - Two narrow layers, or a wide one? Dropout, smoothing, decay, more epochs?
    # - A dataset of your own can shift pictures by a pixel: more rows for nothing.
    ### BEGIN SOLUTION
    return reader(rows, seed, hidden=64, dropout=0.1, smoothing=0.1), 30
    ### END SOLUTION


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-leaderboard-run", "locked": true, "schema_version": 3, "solution": false, "task": false}, "tags": ["profiling"]}
def leaderboard():
    """Train the student's network from three seeds; print what it did."""
    rng = np.random.default_rng(0)
    rows, test = digits()
    part, rest = random_split(rows, [0.8, 0.2], rng)
    found = {"validation": [], "test": []}
    try:
        for seed in range(3):
            cases = (("validation", part, rest), ("test", rows, test))
            for name, learned, judged in cases:
                trainer, epochs = my_reader(learned, seed)
                trainer.fit(epochs)
                score = trainer.evaluate(DataLoader(judged, 360))
                found[name].append(score["accuracy"])
    except NotImplementedError as error:
        print(unwritten(error))
        return
    count = sum(p.size for p in trainer.model.parameters())
    means = ", ".join(f"{name} {np.mean(v):.2%}" for name, v in found.items())
    fits = "" if count < 5000 else ": too many, 4,999 are the most"
    print(f"{count:,} parameters{fits}; {epochs} epochs; means of three seeds: {means}")


leaderboard()

# %% [markdown]
"""
## Part 3: Production Context
- **Workers.** PyTorch's `DataLoader(num_workers=4)` starts four processes. Each fetches and collates
  whole batches, two ahead by default (`prefetch_factor`), and the main process takes them in order.
  Processes, since threads run Python's code one at a time; tensors pass through shared memory.
- **Pinned memory.** A GPU copies by itself only from pages that the system will not move. With
  `pin_memory=True` each batch is copied there, by a thread if there are workers, and
  `x.to("cuda", non_blocking=True)` then runs beside the computation.
- **One index or many.** PyTorch's fetcher calls `dataset.__getitems__(indices)` where there is one,
  and else takes rows one by one; `default_collate` stacks them. Its `TensorDataset` has none, so
  each row is sliced by itself: your `fetch` does less work.
- **Seeds.** The loader's `generator` draws the order, and a base seed from which each worker makes
  its own. A random change of a picture inside a worker needs that seed, not yours.
- **Mixed precision.** Under `torch.autocast` matrix products run in 16 bits and sums stay in 32.
  Small gradients vanish in float16, so `GradScaler` multiplies the loss by 65,536 at first, divides
  before the step, leaves out steps with inf or nan, and halves its factor then. bfloat16 has the
  range of float32, and needs none.
- **Lightning's loop** is yours, with `training_step` and `validation_step` as methods of the model,
  and with callbacks. Its `EarlyStopping` (patience 3, and it stops at nan, too) keeps no weights:
  `ModelCheckpoint` does. Its `accumulate_grad_batches` divides each batch's loss by
  that number, also where batches are unequal or the last group is not full.
- **Fair means, once more.** In October 2024 Hugging Face repaired its Trainer: under accumulation
  it had averaged the means of sequences of unequal length. The weights that you used in Exercise 8,
  by tokens in place of rows, are that repair.
- **Checkpoints.** `torch.save` writes a zip archive with a pickle in it, and a pickle can run
  anything; since 2.6 `torch.load` reads weights only, unless told otherwise. `state_dict` has names
  for its tensors there. To resume at the row, not at the epoch, needs a loader with a state:
  torchdata's `StatefulDataLoader`.
- **Different here.** The default of `generator` is the framework's own, as in `random_split` there.
  `MeanMetric` refuses a mean of nothing, which torchmetrics answers by nan and a warning. That a GPU
  repeats your bits is sure only with `torch.use_deterministic_algorithms(True)`, at a price.

Sources: PyTorch 2.13, *torch.utils.data*, `torch/utils/data/_utils/fetch.py`, *Automatic Mixed
Precision*, *Reproducibility*; Lightning, `loops/optimization/automatic.py` and
`callbacks/early_stopping.py`; Hugging Face, *Fixing Gradient Accumulation* (2024); Micikevicius et
al., *Mixed Precision Training* (2018); Prechelt, *Early Stopping - But When?* (1998); LeCun et al.,
*Backpropagation Applied to Handwritten Zip Code Recognition* (1989); Robbins and Monro, *A
Stochastic Approximation Method* (1951); docs of torchmetrics and torchdata.

### The same in PyTorch
Ten rows in batches of four, a split by shares, and two epochs of a line y = 3 x. The cell below
shows yours.

```python
>>> import torch
>>> from torch.utils.data import DataLoader, TensorDataset, random_split
>>> x = torch.arange(10.0)
>>> data = TensorDataset(x, 3 * x)
>>> [len(rows) for rows, _ in DataLoader(data, batch_size=4)]
[4, 4, 2]
>>> [len(part) for part in random_split(data, [0.75, 0.25])]
[8, 2]
>>> w = torch.tensor([0.0], requires_grad=True)
>>> optimizer = torch.optim.SGD([w], lr=0.01)
>>> for _ in range(2):
...     for rows, targets in DataLoader(data, batch_size=4):
...         optimizer.zero_grad()
...         torch.nn.functional.mse_loss(rows * w, targets).backward()
...         optimizer.step()
>>> w
tensor([2.9281], requires_grad=True)
```
"""

# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-pytorch", "locked": true, "schema_version": 3, "solution": false, "task": false}}
from << cookiecutter.package_name >>.losses import MSELoss
from << cookiecutter.package_name >>.tensor import arange

x = arange(10.0)
data = TensorDataset(x, x * 3.0)
print([len(rows) for rows, _ in DataLoader(data, batch_size=4)])
print([len(part) for part in random_split(data, [0.75, 0.25])])
line = Line([0.0])
slow = SGD([line.weight], lr=0.01)
Trainer(line, MSELoss(), slow, DataLoader(data, batch_size=4)).fit(2)
print(line.weight)


# %% [code] {"nbgrader": {"grade": false, "grade_id": "training-run-all", "locked": true, "schema_version": 3, "solution": false, "task": false}}
def run_all_tests():
    """Show what is done, with its points."""
    show_results(
        globals(),
        [
            (1, "Rows that belong together", "test_tensors", 5, 1),
            (2, "Parts that share no row", "test_split", 5, 2),
            (3, "From rows to a batch", "test_batch", 5, 2),
            (4, "The loader", "test_loader", 7, 2),
            (5, "A fair mean", "test_mean", 3, 1),
            (6, "A step, and an epoch", "test_step", 7, 2),
            (7, "Evaluate", "test_evaluate", 6, 2),
            (8, "A batch in parts (deeper)", "test_accumulate", 5, 2),
            (9, "Know when to stop", "test_stopping", 5, 1),
            (10, "All that a run is", "test_state", 5, 1),
            (11, "A file that is whole or not there (deeper)", "test_file", 4, 1),
            (12, "Fit", "test_fit", 5, 1),
        ],
    )


if __name__ == "__main__":
    run_all_tests()

# %% [markdown]
"""
## 🤔 ML Systems Thinking
Answer each part in a sentence or two; where you measured, use your own numbers.

### Question 1: A faster machine
You move the network to a device that computes forward, backward and step 20 times as fast; data
comes as before.
- **(a)** By how much does your step at batch 256 speed up?
- **(b)** Which share does data have then?
- **(c)** In *The loader as a bottleneck* a larger network trains with batches of 64. If that were
  20 times as fast, too, how many workers that fetch ahead from the *slow disk* would it take until
  it no longer waits?
- **(d)** Which of these numbers would change with a network ten times as wide?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "training-q1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) My step at batch 256 took 1.5 ms: data 6 %, forward 40 %, backward 44 %, step 10 %. With 94 % of
it 20 times as fast it takes 0.06 + 0.94 / 20 = 0.107 of the time: 9.3 times as fast, not 20,
(b) and data has 0.06 / 0.107 = 56 % of it. (c) With the slow disk fetching took 8.3 ms and training
8.6 ms, so one worker ahead was enough. If training took 8.6 / 20 = 0.43 ms, it would need 8.3 /
0.43, so 20 workers, for one more batch to be ready each 0.43 ms. (d) A network ten times as wide
computes longer and fetches the same, so the share of data falls, and fewer workers do.

**Marking rubric (5 points)**
- 2: (a, b) own shares in 1 / (share of data + rest / 20), and the new share of data.
- 2: (c) workers as the time to fetch over the time to train, with own numbers.
- 1: (d) the wider network.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 2: The same gradient
Look at *A large batch, or its parts*.
- **(a)** By which factor did memory fall?
- **(b)** Why not by 16?
- **(c)** If three parts of 4, 4 and 2 rows counted a third each, whose rows would count how much
  too much?
- **(d)** Name one layer with which parts and the whole batch give different gradients even with
  right weights, and say why.
- **(e)** Why can nobody make a learning rate out of "we accumulate over 16 batches"?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "training-q2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) One batch needed 1.66 MiB at its peak, 16 parts 0.17 MiB: 10 times less. (b) Activations fall to
a sixteenth, while gradients, and buffers of the step, stay as they are for any batch. (c) With a
third each, each of the last 2 rows counts 1/3 · 1/2 = 1/6 instead of 1/10, 1.67 times too much, and
the 8 others 1/12 instead of 1/10. (d) A layer that normalizes over the batch, as BatchNorm does,
sees other means in each part. Dropout draws other masks, unless both begin with the same seed: with
one such layer these are the same masks, row after row; with two they are not, as each part asks
both layers before the next part begins. (e) The learning rate belongs to a batch of so many rows:
16 batches of 4 and 16 batches of 256 are steps of very different noise.

**Marking rubric (5 points)**
- 2: (a, b) the measured factor, with what does not depend on the batch.
- 1: (c) 1/6 and 1/12 instead of 1/10. 1: (d) dropout or BatchNorm, and why.
- 1: (e) rows per step, not batches.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 3: Spot the bug
Your colleague's report is false, though each single score is right.
- **(a)** Which line of the loop makes it false?
- **(b)** How large is the spread of one score on 40 rows?
- **(c)** How far above one half was the best of 100, in spreads?
- **(d)** Write how the report should be made.
- **(e)** Say what in your capstone plays which part.
- **(f)** Would trying only four settings on the test part have been fine?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "training-q3", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) `if score > best`: the test part chooses, so the best score is no longer a test. (b) One score
has a spread of √(0.5 · 0.5 / 40) = 7.9 %. (c) My colleague's best was 68 %, so 2.2 spreads above
one half: in one try that is rare, about 1 in 50, and of 100 networks about two get there. On
100,000 fresh rows the network had 49.7 %. (d) Right: three parts; 100 scores on a validation part
choose one network, and that one is scored once on a test part nobody looked at. (e) In the capstone
the 287 rows choose, and the 360 are looked at once per seed, with the setting fixed. (f) Four
settings are a smaller mistake of the same kind: the best of four noisy scores is too good by up to
one spread, here 0.7 % on 360 pictures, as much as the settings differ; by less where they err on
the same pictures.

**Marking rubric (5 points)**
- 1: (a) the line, or that the test part chooses. 1: (b, c) 7.9 %, and the distance in spreads.
- 2: (d, e) a report that is right, tied to the capstone. 1: (f) four settings bias, too, only less.
### END SOLUTION
"""

# %% [markdown]
"""
### Question 4: Your network under 5,000 parameters
- **(a)** Copy the last line that the leaderboard printed.
- **(b)** What did you try, in which order?
- **(c)** What did each try tell you on the validation part?
- **(d)** What did you change because of it?
- **(e)** By how much must two of your settings differ on the validation part before you believe it?
"""

# %% [markdown] {"nbgrader": {"grade": true, "grade_id": "training-q4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}}
"""
### BEGIN SOLUTION
(a) 4,810 parameters; 30 epochs; means of three seeds: validation 98.61%, test 97.96%. (b, c, d) I
began with 64-64-10 as in the capstone: 97.91 % on the validation part. Dropout of 0.1 in place of
0.2 gave 97.68 %, and 66 hidden without dropout, 4,960 parameters, 97.91 %: it hardly matters here.
Two layers of 40, 4,650 parameters, gave 98.03 %, a third of a picture more. Label smoothing of 0.1,
with dropout 0.1, gave 98.61 %, so I kept it. (e) A share of 98 % of 287 rows has a spread of √(0.98
· 0.02 / 287) = 0.8 %, about two pictures and a half. So smoothing, with 0.7 to 0.9 % more, is
likely but not sure; the rest is noise. To believe it I would want 1.6 %, or several splits.

**Marking rubric (5 points)**
- 1: (a) the line, with fewer than 5,000 parameters.
- 1: (b, c) at least three tries with validation numbers.
- 1: (d) each change follows from a number.
- 1: (e) the spread, by the formula, by seeds or by splits.
- 1: (a) 97 % or better on the test part, chosen without it.
### END SOLUTION
"""

# %% [markdown]
"""
## 🎯 Module Summary
- You built the way from rows to a trained network: datasets and splits, a loader, a trainer with
  fair means, early stopping, and checkpoints that go on bit for bit.
- You measured where a step's time goes, what a batch costs in memory, and what a worker ahead gains.
- Five networks from five seeds read 97 % of the digits or more, chosen without looking at the test.

| What you see, in a run of your own | Where to look |
|---|---|
| the loss jumps when a run goes on | what the checkpoint leaves out: Exercise 10 |
| each evaluation of the same rows differs | dropout, the mode: Exercise 7 |
| the loss depends on the batch size | means of means: Exercise 5 |
| the best weights are equal to the last | no copy: Exercise 9 |
| the processor waits | rows one by one, no worker ahead: *The loader as a bottleneck* |
| the score is too good | what was chosen by it? Question 3 |

You have built a deep learning framework, and trained with it, honestly. Whatever you meet next, in
PyTorch or in a paper, you can now ask what it does to a Tensor, to a gradient, to a step, and to the
part of the data that nobody should have touched. `where-to-go.md`, beside the notebooks' folders,
shows you the way from each of your modules into PyTorch's own sources.
"""
