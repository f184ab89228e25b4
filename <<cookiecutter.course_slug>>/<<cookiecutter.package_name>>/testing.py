"""What the notebooks test with. A failure says what was called, what was expected, what came back.

Provided: you need not read it, and grading takes this file from the course.
"""

import ast
import contextlib
import functools
import importlib
import io
import linecache
import math
import sys
import textwrap
import timeit
import traceback
from types import SimpleNamespace

import numpy as np

# ---- Tests and exercises


def exercise(number):
    """Mark a function as the test of an exercise: what fails in it says so in its first line."""

    def decorate(test):
        @functools.wraps(test)
        def run():
            try:
                test()
            except Exception as error:  # student code raises anything
                text = explained(error, number, test)
                error._render_traceback_ = lambda: text.split("\n")  # which IPython asks for
                raise

        return run

    return decorate


def beyond(number, topics):
    """Mark the second test of an exercise, whose cases are run when a notebook is handed in."""

    def decorate(test):
        marked = exercise(number)(test)

        @functools.wraps(test)
        def run():
            marked()
            print(f"Exercise {number}, beyond the examples, when you hand in: {topics}")

        return run

    return decorate


def explained(error, number, test):
    """Return what a student needs to know: what failed, why, and where in their code."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [n for n, frame in enumerate(frames) if frame.name == test.__name__]
    theirs = frames[inside[-1] + 1 :] if inside else []
    theirs = [f for f in theirs if f.filename != __file__ and "site-packages" not in f.filename]
    if isinstance(error, NotImplementedError) and not str(error):
        where = f" in `{theirs[-1].name}`" if theirs else ""
        return (
            f"❌ Exercise {number} is not finished: replace `# YOUR CODE HERE` and the line below "
            f"it{where}, and run that cell."
        )
    if isinstance(error, AssertionError) and not theirs:
        return f"❌ Exercise {number} · {error}"
    step = error.__traceback__
    while step.tb_next and step.tb_frame.f_code.co_name != test.__name__:
        step = step.tb_next
    call, hint = statement(step)
    lines = [f"❌ Exercise {number} · {type(error).__name__}: {error}"]
    lines += [f"Hint: {hint}"] if hint else []
    lines += ["", "It happened in this line of the test:", textwrap.indent(call, "    ")] * bool(
        call
    )
    for frame in theirs:
        lines += ["", f"and there in line {frame.lineno} of `{frame.name}`:", f"    {frame.line}"]
    return "\n".join(lines)


def statement(step):
    """Return the source of the statement that a frame was at, and the hint in it."""
    source = "".join(linecache.getlines(step.tb_frame.f_code.co_filename))
    with contextlib.suppress(SyntaxError):
        around = [
            node
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.stmt) and node.lineno <= step.tb_lineno <= node.end_lineno
        ]
        if around:
            smallest = max(around, key=lambda node: node.lineno)
            text = textwrap.dedent(
                " " * smallest.col_offset + ast.get_source_segment(source, smallest)
            )
            return text, hint_in(smallest, step.tb_frame)
    return "", ""


def hint_in(node, frame):
    """Return the argument `hint` of a check: a text, or a variable of the test that holds one."""
    for part in ast.walk(node):
        if isinstance(part, ast.keyword) and part.arg == "hint":
            if isinstance(part.value, ast.Constant):
                return part.value.value
            if isinstance(part.value, ast.Name):
                return frame.f_locals.get(part.value.id, "")
    return ""


def show_results(namespace, exercises):
    """Run the tests of a notebook once more, and show what is done.

    exercises: (number, title, name of the test, its points, points beyond the examples).
    """
    reached, points, most = 0, 0, 0
    print(f"{'Exercise':<44}{'points':>8}{'beyond':>8}")
    for number, title, name, visible, more in exercises:
        mark = outcome(namespace.get(name))
        done = mark.startswith("✅")
        reached, points, most = reached + done, points + visible * done, most + visible
        print(f"{number:>3}  {title:<39.39}{visible:>8}{f'+ {more}' if more else '':>8}   {mark}")
    left = len(exercises) - reached
    print(
        f"\n{reached} of {len(exercises)} exercises pass the test you see: {points} of {most} points."
    )
    print("The points under beyond are for cases that are run when you hand in.")
    print(f"{left} to go." if left else "✅ You have finished every exercise of this module.")


def outcome(test):
    """Return how a test ends, without its output."""
    if test is None:
        return "not run"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            test()
    except NotImplementedError:
        return "not finished"
    except Exception:  # student code raises anything
        return "❌"
    return "✅"


# ---- Checks of values


def check(got, expected, what, dtype=None, hint=""):
    """Fail unless got is a Tensor of these numbers (nested lists) and this dtype.

    dtype: by default int64 or bool if the first number is an int or bool, and float32 otherwise.
    """
    if type(got).__name__ != "Tensor":
        fail(what, f"expected a Tensor, got {type(got).__name__} {got!r}", hint)
    check_array(got.data, expected, what, dtype, hint)


def check_array(got, expected, what, dtype=None, hint=""):
    """Fail unless got is an ndarray of these numbers (nested lists) and this dtype."""
    shape, values = shape_and_values(expected)
    kind = {bool: bool, int: np.int64}.get(type(values[0]) if values else float, np.float32)
    dtype = np.dtype(dtype or kind)
    if type(got) is not np.ndarray:
        fail(what, f"expected an ndarray, got {type(got).__name__} {got!r}", hint)
    if (got.shape, got.dtype) != (shape, dtype):
        fail(what, f"expected {dtype} {shape}, got {got.dtype} {got.shape}", hint)
    tolerance = {np.float16: 1e-3, np.float32: 1e-5, np.float64: 1e-12}.get(dtype.type, 0)
    for want, have in zip(values, got.ravel().tolist(), strict=True):
        if want != have and not abs(want - have) <= tolerance * (1 + abs(want)) < math.inf:
            if want != want and have != have:  # nan
                continue
            whole = f"; as a whole, expected {expected}, got {got.tolist()}" if shape else ""
            fail(what, f"expected {want}, got {have}{whole}", hint)


def shape_and_values(nested):
    """Return the shape of nested lists, and the numbers in them."""
    shape, values = (), [nested]
    while values and isinstance(values[0], list):
        shape, values = (*shape, len(values[0])), [x for v in values for x in v]
    return shape, values


def fail(what, problem, hint=""):
    """Raise the AssertionError of a check."""
    raise AssertionError(f"{what}: {problem:.400}" + (f"\nHint: {hint}" if hint else ""))


def check_equal(got, expected, what, hint=""):
    """Fail unless got is equal to expected, and of the same type."""
    if type(got) is not type(expected) or got != expected:
        fail(what, f"expected {expected!r}, got {got!r}", hint)


def check_raises(error, words, call, what, hint=""):
    """Fail unless call() raises this kind of error, with all these words in its message."""
    caught = None
    try:
        call()
    except Exception as anything:  # student code raises anything
        caught = anything
    if isinstance(caught, NotImplementedError) and not str(caught):
        raise caught  # the exercise is not finished
    if not isinstance(caught, error) or isinstance(caught, NotImplementedError):
        fail(what, f"expected {error.__name__}, got {caught or 'no error'!r}", hint)
    missing = [word for word in words if str.find(str(caught), word) < 0]
    if missing:
        fail(what, f"the message does not mention {missing}: {caught}", hint)


# ---- Checks of how a value was computed


def record_operations(call):
    """Return what call() returns, and (result, inputs) of every Tensor operation on the way.

    Every operation returns through `result_of`, wherever it was imported.
    """
    package = __name__.partition(".")[0]
    names = [name for name in sys.modules if name.partition(".")[0] == package]
    places = [call.__globals__, *(vars(sys.modules[name]) for name in names)]
    places = [place for place in places if "result_of" in place]
    originals, steps = [place["result_of"] for place in places], []

    def recording(result_of):
        def record(array, *inputs):
            steps.append((result_of(array, *inputs), inputs))
            return steps[-1][0]

        return record

    try:
        for place, original in zip(places, originals, strict=True):
            place["result_of"] = recording(original)
        return call(), steps
    finally:
        for place, original in zip(places, originals, strict=True):
            place["result_of"] = original


def check_differentiable(call, inputs, what, constants=True):
    """Fail unless Tensor operations lead from each of inputs, by name, to what call() returns.

    Without constants, no other Tensor may take part on the way.
    """
    result, steps = record_operations(call)
    known, strangers = {id(tensor) for tensor in inputs.values()}, []
    for output, sources in steps:
        if any(id(t) in known for t in sources):
            tensors = [t for t in sources if type(t).__name__ == "Tensor"]
            strangers += [t for t in tensors if id(t) not in known]
            known.add(id(output))
    reached = {id(result)}
    for output, sources in reversed(steps):
        reached |= {id(t) for t in sources} if id(output) in reached else set()
    lost = [name for name, tensor in inputs.items() if id(tensor) not in reached]
    hint = "gradients will follow Tensor operations; x.data and Tensor(...) break the chain"
    if lost:
        fail(what, f"no Tensor operations lead from {', '.join(lost)} to the result", hint)
    if strangers and not constants:
        fail(what, f"{strangers[0]} comes from nowhere", hint)


# ---- Measuring


def times(run, repeats=7):
    """Return the sorted durations of run() in seconds."""
    return sorted(timeit.repeat(run, number=1, repeat=repeats))


def median_time(run, repeats=7):
    """Return a typical duration of run() in seconds."""
    return times(run, repeats)[repeats // 2]


def peak_memory(run):
    """Return how many bytes were allocated at a time, at most, while run() ran."""
    import tracemalloc

    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- Module 05


def leaf(data, dtype=None):
    """Return a Tensor that requires a gradient."""
    tensor = sys.modules[f"{__name__.partition('.')[0]}.tensor"]
    return tensor.Tensor(data, dtype, requires_grad=True)


def made(node, data, *edges):
    """Return a Tensor whose grad_fn is made by hand: a Node with an edge (input, vjp) for each."""
    result = leaf(data, getattr(data, "dtype", None))
    result.grad_fn = node("Made", [(x.grad_fn or x, vjp) for x, vjp in edges], result)
    return result


def slopes_of(total, arrays, h=1e-6):
    """Return, for each float64 array, (total(x + h) - total(x - h)) / 2h of each element x."""

    def at(array, index, value):
        old, array[index] = array[index], value
        result = total(*arrays)
        array[index] = old
        return result

    return [
        [(at(a, i, a[i] + h) - at(a, i, a[i] - h)) / (2 * h) for i in np.ndindex(a.shape)]
        for a in arrays
    ]


def gradients(result, g, what):
    """Return {id of a leaf: its gradient}: every path of vjps, followed down and added up.

    What it finds depends on no backward, no order and no unbroadcast that a student wrote.
    """
    sums, paths = {}, [(result.grad_fn, g)]
    if result.grad_fn is None:
        fail(what, "the result has no grad_fn, so nothing was recorded")
    while paths:
        node, g = paths.pop()
        g.setflags(write=False)  # a vjp must not change it
        for target, vjp in node.edges:
            part = repeats_added(np.asarray(vjp(g)), target.shape, what).astype(target.dtype)
            if type(target).__name__ == "Tensor":
                sums[id(target)] = sums.get(id(target), 0) + part
            else:
                paths.append((target, part))
    return sums


def repeats_added(part, shape, what):
    """Return part, summed over what was broadcast from this shape."""
    whole = part.shape
    while part.ndim > len(shape):
        part = part.sum(axis=0)
    for axis, size in enumerate(shape[: part.ndim]):
        if size == 1 != part.shape[axis]:
            part = part.sum(axis=axis, keepdims=True)
    if part.shape != shape:
        fail(what, f"a vjp returned shape {whole}, for an input of shape {shape}")
    return part


def check_slopes(what, function, plain, *arrays, hint=""):
    """Fail unless function gives Tensors what plain gives arrays, and its vjps plain's slopes.

    The slopes are central differences, in float64. The gradient that arrives at the result is
    random, so that no mistake cancels.
    """
    arrays = [np.array(a, np.float64) for a in arrays]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, np.shape(plain(*arrays)))
    slopes = slopes_of(lambda *xs: (plain(*xs) * weights).sum(), arrays)
    for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 1e-3)):
        tensors = [leaf(a, dtype) for a in arrays]
        given = [t.data.astype(np.float64) for t in tensors]
        result, label = function(*tensors), f"{what} in {dtype.__name__}"
        values = np.asarray(plain(*given))
        if values.size == 0:  # nested lists would not tell the shape
            check_equal(result.shape, values.shape, f"{label}, the shape of the result", hint)
        else:
            check(result, values.tolist(), label, dtype, hint)
        found = gradients(result, weights.astype(dtype), label)
        for k, (tensor, before) in enumerate(zip(tensors, given, strict=True)):
            which = f"{label}, the gradient of input {k}" if len(tensors) > 1 else label
            got = found.get(id(tensor), np.zeros(tensor.shape))
            for index, want, have in zip(np.ndindex(got.shape), slopes[k], got.flat, strict=True):
                if not abs(want - have) <= tolerance * (1 + abs(want)):
                    at = f" at {', '.join(map(str, index))}" if index else ""
                    fail(which, f"the slope{at} is {want:.6g}, got {have:.6g}", hint)
            if (tensor.data != before).any():
                fail(which, "the input was modified", hint)


def check_model(gradcheck):
    """Fail unless gradcheck agrees with every activation, layer and loss of Modules 02 to 04."""
    package = __name__.partition(".")[0]
    names = {}
    for stem in ("tensor", "activations", "layers", "losses"):
        names |= vars(importlib.import_module(f"{package}.{stem}"))
    f, rng = SimpleNamespace(**names), np.random.default_rng(15)
    f.manual_seed(5)
    x, labels = leaf(rng.normal(size=(4, 3))), f.Tensor([0, 2, 1, 2])
    target = f.Tensor(rng.random((4, 3)), np.float64)
    calls = {name: getattr(f, name) for name in ("relu", "sigmoid", "tanh", "gelu", "softmax")}
    calls |= {"log_softmax": f.log_softmax, "leaky_relu": f.leaky_relu}
    calls["Flatten"] = lambda t: f.Flatten()(t.reshape(4, 3, 1))
    calls["Dropout"] = lambda t: f.manual_seed(1) or f.Dropout(0.4)(t)
    for loss in (f.MSELoss(), f.MSELoss("sum"), f.L1Loss(), f.BCEWithLogitsLoss()):
        calls[type(loss).__name__] = lambda t, loss=loss: loss(t, target)
    calls["CrossEntropyLoss"] = lambda t: f.CrossEntropyLoss()(t, labels)
    for layer in (f.Linear(3, 3), f.LayerNorm(3)):
        for p in layer.parameters():
            p.data = p.data.astype(np.float64)
        calls[type(layer).__name__] = layer
    for name, call in calls.items():
        check_equal(gradcheck(call, x), True, f"gradcheck of {name}")
