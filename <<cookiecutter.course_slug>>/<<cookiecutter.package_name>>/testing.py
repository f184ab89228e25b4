"""What the notebooks test with. A failure says what was called, what was expected, what came back.

Provided: you need not read it, and grading takes this file from the course.
"""

import ast
import contextlib
import functools
import io
import linecache
import math
import sys
import textwrap
import timeit
import traceback
import warnings
from pathlib import Path
from types import ModuleType

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
            print(f"Exercise {number}, beyond the examples, when you hand in:\n{topics}")

        return run

    return decorate


def explained(error, number, test):
    """Return what a student needs to know: what failed, why, and where in their code."""
    steps = traceback.walk_tb(error.__traceback__)
    frames = traceback.StackSummary.extract(steps, lookup_lines=False)  # until one is shown
    inside = [n for n, frame in enumerate(frames) if frame.name == test.__name__]
    theirs = frames[inside[-1] + 1 :] if inside else []
    tests = {__file__, test.__code__.co_filename}  # a cell is a file of its own
    theirs = [f for f in theirs if f.filename not in tests and "site-packages" not in f.filename]
    if isinstance(error, NotImplementedError) and not str(error):
        how = "Replace `# YOUR CODE HERE` and the line below it, and run that cell."
        if is_exported(frames[-1].filename):
            how = "Write it in its own notebook, and export that again."
        return f"❌ Exercise {number}: {unwritten(error)}. {how}"
    if isinstance(error, AssertionError) and not theirs:
        return f"❌ Exercise {number} · {error}"
    step = error.__traceback__
    while step.tb_next and step.tb_frame.f_code.co_name != test.__name__:
        step = step.tb_next
    call, hint = statement(step)
    lines = [f"❌ Exercise {number} · {type(error).__name__}: {error}"]
    if hint:
        lines.append(f"Hint: {hint}")
    if call:
        lines += ["", "It happened in this line of the test:", textwrap.indent(call, "    ")]
    for frame in theirs if len(theirs) < 7 else theirs[:2] + theirs[-2:]:  # a recursion
        lines += ["", f"and there in line {frame.lineno} of `{frame.name}`:", f"    {frame.line}"]
    return "\n".join(lines)


def unwritten(error):
    """Return which function raised a NotImplementedError, as a clause; its own words, if any."""
    step = error.__traceback__
    while step.tb_next:
        step = step.tb_next
    code = step.tb_frame.f_code
    name, file = code.co_qualname.replace(".<locals>", ""), code.co_filename
    where = f" in the {Path(file).name} that you exported" if is_exported(file) else ""
    return str(error) or f"`{name}`{where} is not written yet"


def is_exported(file):
    """Tell whether a file is of this package, and not a cell."""
    return Path(file).parent == Path(__file__).parent


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
    points, most, open_ = 0, 0, []
    print(f"{'Exercise':<51}{'points':>8}{'beyond':>8}")
    for number, title, name, visible, more in exercises:
        mark = outcome(namespace.get(name))
        most += visible
        if mark == "✅":
            points += visible
        else:
            open_.append(title)
        print(f"{number:>3}  {title:<46.46}{visible:>8}{f'+ {more}':>8}   {mark}")
    passed, core = len(exercises) - len(open_), [t for t in open_ if "(deeper)" not in t]
    print(f"\n{passed} of {len(exercises)} pass the test you see: {points} of {most} points.")
    print("The points under beyond are for cases that are run when you hand in.")
    if core:
        print(f"{len(core)} to go.")
    else:
        print("✅ You have finished all that is not deeper.")


def outcome(test):
    """Return how a test ends, without its output."""
    if test is None:
        return "not run"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            test()
    except NotImplementedError:
        return "open"
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
        raise caught  # a stub
    if not isinstance(caught, error) or isinstance(caught, NotImplementedError):
        fail(what, f"expected {error.__name__}, got {repr(caught) if caught else 'no error'}", hint)
    missing = [word for word in words if str.find(str(caught), word) < 0]
    if missing:
        fail(what, f"the message does not mention {missing}: {caught}", hint)


# ---- Checks of how a value was computed


def record_operations(call):
    """Return what call() returns, and (result, inputs) of every Tensor operation on the way.

    Every operation returns through `result_of`, wherever it was imported.
    """
    package = vars(sys.modules[__package__]).values()
    places = [call.__globals__, *(vars(each) for each in package if isinstance(each, ModuleType))]
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


# ---- Shared by the modules that import the Tensor


def tensor_class():
    """Return the student's Tensor, once a notebook has imported it."""
    return sys.modules[f"{__name__.partition('.')[0]}.tensor"].Tensor


def watch(call):
    """Return what call() returns, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [str(w.message) for w in caught]
<%- if cookiecutter.last_module >= '02' %>


# ---- Activations


def each(formula, numbers):
    """Return nested lists with formula applied to every number."""
    nested = isinstance(numbers, list)
    return [each(formula, n) for n in numbers] if nested else formula(numbers)


def in_both_dtypes(given):
    """Return a Tensor as it is, and numbers as a float32 and as a float64 Tensor."""
    tensor, pair = tensor_class(), (np.float32, np.float64)
    return [given] if isinstance(given, tensor) else [tensor(given, dtype) for dtype in pair]


def check_function(function, given, expected, what, dtype=None, hint=""):
    """Fail unless function(x) is right, silent, made of Tensor operations, and x as it was.

    given: a Tensor, or numbers, which are tried in both float dtypes. expected: nested lists, or
    the formula of one number.
    """
    for x in in_both_dtypes(given):
        want = each(expected, x.data.tolist()) if callable(expected) else expected
        check_call(function, x, want, f"{what} in {x.dtype}", dtype or x.dtype, hint)


def check_lines(function, formula, given, dims, hint=""):
    """Check function(x, dim) as above, where formula makes a list of each line along dim."""
    for x in in_both_dtypes(given):
        for dim in dims:
            expected = x.data.astype(np.float64)
            lines = np.moveaxis(expected, dim, -1)  # a view
            for index in np.ndindex(lines.shape[:-1]):
                lines[index] = formula(lines[index].tolist())
            what = f"{function.__name__}(x, dim={dim}), {x.dtype} of shape {x.shape}"
            call = functools.partial(function, dim=dim)
            check_call(call, x, expected.tolist(), what, x.dtype, hint)


def check_call(function, x, expected, what, dtype, hint):
    """Check function(x) for one Tensor x, as check_function says."""
    before = x.data.copy()
    (result, steps), warned = watch(lambda: record_operations(lambda: function(x)))
    if before.tobytes() != x.data.tobytes():
        fail(what, f"x was changed from {before.tolist()} to {x.data.tolist()}", "make new Tensors")
    check(result, expected, what + (f" (NumPy warns: {warned[0]})" if warned else ""), dtype, hint)
    if warned:
        fail(what, f"the result is right, but NumPy warns: {warned[0]}", hint)
    check_differentiable(lambda: function(x), {"x": x}, what)
    check_chain(steps, x, what, hint)


def check_chain(steps, x, what, hint):
    """Fail if a step overflows, or takes a constant that was computed from x's numbers."""
    made = {id(x)} | {id(output) for output, _ in steps}
    for output, inputs in steps:
        if np.isfinite(x.data).all() and not np.isfinite(output.data).all():
            fail(what, f"the result is right, but a step on the way gives {output.data}", hint)
        for t in inputs:
            if type(t).__name__ == "Tensor" and id(t) not in made and depends(t.data, x.data):
                problem = f"no Tensor operations lead from x to {t}, so it has no gradient"
                fail(what, problem, "x.data and Tensor(...) break the chain")


def depends(array, numbers):
    """Tell whether a constant was computed from numbers: it is neither one number nor maxima."""
    varies = array.dtype.kind == "f" and len(set(array.ravel().tolist())) > 1
    known = np.append(numbers, 0.0)
    if array.size < numbers.size:  # maxima may have a minus, to be added
        known = np.append(known, -known)
    return varies and not np.isin(array, known).all()
<%- endif %>
<%- if cookiecutter.last_module >= '03' %>


# ---- Layers


def check_parameters(got, expected, what, hint=""):
    """Fail unless got is a list of exactly these Tensors, {name: Tensor}, in this order."""
    if type(got) is not list:
        fail(what, f"expected a list, got {type(got).__name__}", hint)
    names = {id(tensor): name for name, tensor in expected.items()}
    found = [names.get(id(tensor), "something else") for tensor in got]
    if found != list(expected):
        wanted = ", ".join(expected) or "nothing"
        fail(what, f"expected {wanted}; got {', '.join(found) or 'nothing'}", hint)


def check_uniform(got, shape, bound, what, hint=""):
    """Fail unless got is a parameter of this shape, uniform in [-bound, bound) by its moments."""
    if type(got).__name__ != "Tensor":
        fail(what, f"expected a Tensor, got {type(got).__name__}", hint)
    has, wanted = (got.shape, str(got.dtype), got.requires_grad), (shape, "float32", True)
    if has != wanted:
        fail(what, f"expected shape, dtype and requires_grad {wanted}, got {has}", hint)
    x, n = got.data.ravel().tolist(), got.size
    top, mean, var = max(map(abs, x)), math.fsum(x) / n, math.fsum(v * v for v in x) / n
    near = bound * (1 - 20 / n) <= top <= bound * 1.000001 and abs(mean) < 3 * bound / n**0.5
    if not near or not abs(3 * var / bound**2 - 1) < 5 / n**0.5:
        wanted = f"numbers up to {bound:.4f}, of mean 0 and variance {bound**2 / 3:.2e}"
        has = f"numbers up to {top:.4f}, of mean {mean:.4f} and variance {var:.2e}"
        fail(what, f"expected {wanted}; got {has}", hint)


def uniform_parameter(shape, bound):
    """Return what `uniform` of the layers should: so the test of Linear does not need it."""
    tensor = sys.modules[f"{__name__.partition('.')[0]}.tensor"]
    return tensor.Tensor(tensor.generator.uniform(-bound, bound, shape), requires_grad=True)


@contextlib.contextmanager
def replaced(namespace, **values):
    """Let names of a notebook mean these values for a while."""
    before = {name: namespace.get(name) for name in values}
    namespace.update(values)
    try:
        yield
    finally:
        namespace.update(before)


def weighted_sums(rows, weight, bias):
    """Return rows @ weight + bias of nested lists, by plain arithmetic."""
    columns = list(zip(*weight, strict=True))
    return [
        [math.fsum(map(float.__mul__, row, c)) + b for c, b in zip(columns, bias, strict=True)]
        for row in rows
    ]


def normalized(values, eps=1e-5):
    """Return (v - mean) / sqrt(variance + eps) of each of values, by plain arithmetic."""
    mean = math.fsum(values) / len(values)
    var = math.fsum((v - mean) ** 2 for v in values) / len(values)
    return [(v - mean) / math.sqrt(var + eps) for v in values]


def check_composed(function, inputs, others, what):
    """Fail unless function(*inputs.values()) is composed of Tensor operations, and of nothing else.

    It runs on others, too, which have other values: what joins on the way, without coming from an
    operation, must be the same both times. So a constant may, and a part in plain NumPy may not.
    """
    check_differentiable(lambda: function(*inputs.values()), inputs, what)
    first, second = (joining(function, list(named.values())) for named in (inputs, others))
    if first != second:
        odd = next((a for a, b in zip(first, second, strict=False) if a != b), "a part")
        problem = f"{odd} takes part, which no Tensor operation made from the inputs"
        fail(what, problem, "no .data, no .item(), no Tensor(...) on the way")


def joining(function, inputs):
    """Return the values that take part in operations of function(*inputs) from elsewhere."""
    _, steps = record_operations(lambda: function(*inputs))
    known, found = {id(t) for t in inputs}, []
    for output, sources in steps:
        found += [getattr(s, "data", s) for s in sources if id(s) not in known]
        known.add(id(output))
    return [np.asarray(value).tolist() for value in found]
<%- endif %>
<%- if cookiecutter.last_module >= '04' %>


# ---- Losses


def check_losses(make, inputs, losses, what, dtype=None, hint=""):
    """Fail unless make(reduction)(*inputs) gives these losses (nested lists), for each reduction.

    How they are reduced is asked of the student's own Loss.reduce, which has a test of its own. A
    warning counts as an error, and so does a change of an input.
    """
    before = [t.data.tolist() for t in inputs]
    for reduction in ("none", "sum", "mean"):
        call = f"{what}, reduction={reduction!r}"
        loss = make(reduction)
        got, warned = watch(lambda loss=loss: loss(*inputs))
        base = next(cls for cls in type(loss).__mro__ if cls.__name__ == "Loss")
        want = base(reduction).reduce(type(inputs[0])(losses, dtype))
        if type(want).__name__ == "Tensor":
            check(got, want.data.tolist(), call, want.dtype, hint)
        if warned:
            fail(call, f"the values are right, but NumPy warns: {warned[0]}", hint)
        if [t.data.tolist() for t in inputs] != before:
            fail(call, "an input was modified", hint)


def check_each_loss(make, plain, x, y):
    """Check a loss of arrays x and y, in both float dtypes, against plain(x, y) of each element."""
    for dtype in (np.float32, np.float64):
        arrays = [np.asarray(values, dtype) for values in (x, y)]
        pairs = zip(*(array.ravel().tolist() for array in arrays), strict=True)
        losses = np.reshape([plain(*pair) for pair in pairs], arrays[0].shape).tolist()
        tensors = [tensor_class()(array, dtype) for array in arrays]
        check_losses(make, tensors, losses, f"{dtype.__name__} {arrays[0].shape}", dtype)


def cross_entropies(rows, labels, smoothing=0.0):
    """Return -sum(q * log softmax(row)) of each row.

    The target q is smoothing / C in each of C classes, and 1 - smoothing more at the label.
    """
    losses = []
    for row, label in zip(rows, labels, strict=True):
        top, even = max(row), smoothing / len(row)
        log_sum = top + math.log(math.fsum(math.exp(z - top) for z in row))
        q = [even + (1 - smoothing) * (j == label) for j in range(len(row))]
        losses.append(math.fsum(w * (log_sum - z) for w, z in zip(q, row, strict=True) if w))
    return losses


def check_refused(error, words, call, *inputs, hint=""):
    """Fail unless call(*inputs) raises this error, with these words in its message."""
    check_raises(error, words, lambda: call(*inputs), shown_call(call, inputs), hint)


def check_same_error(call, checker, *inputs, hint=""):
    """Fail unless call(*inputs) raises what checker(*inputs) raises, with the same shapes in it.

    What checker lets through is no matter of this test.
    """
    try:
        checker(*inputs)
    except Exception as error:  # student code raises anything
        words = [str(t.shape) for t in inputs if str.find(str(error), str(t.shape)) >= 0]
        check_refused(type(error), words, call, *inputs, hint=hint)


def shown_call(call, inputs):
    """Return how a call looks: f(float32 (50, 3), int64 [0, -1])."""
    name, shown = getattr(call, "__name__", type(call).__name__), []
    for given in inputs:
        if type(given).__name__ != "Tensor":
            shown.append(repr(given))
        else:
            few = given.dtype.kind != "f" and 0 < given.size <= 4
            shown.append(f"{given.dtype} {given.data.tolist() if few else given.shape}")
    return f"{name}({', '.join(shown)})"


def check_digits(got, want, what, digits=3, hint=""):
    """Fail unless got, a Tensor of one number, has so many digits of a small number right."""
    value = got.item()
    if not abs(value - want) <= 10.0**-digits * abs(want):
        fail(what, f"expected {want}, and {digits} digits of it, got {value}", hint)
<%- endif %>
<%- if cookiecutter.last_module >= '05' %>


# ---- Autograd


def leaf(data, dtype=None, grad=None):
    """Return a Tensor that requires a gradient, with this one if it is given."""
    made = tensor_class()(data, dtype, requires_grad=True)
    made.grad = None if grad is None else np.array(grad, made.dtype)
    return made


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
    weights = np.random.default_rng(0).uniform(0.5, 2.0, np.shape(plain(*arrays))).round(1)
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
                    of = f"{before[index]:.4g}" + f", element {list(index)}" * bool(index)
                    problem = f"the gradient of {of}: expected {want:.6g}, got {have:.6g}"
                    fail(which, f"{problem}, when g = {weights.tolist()} arrives", hint)
            if (tensor.data != before).any():
                fail(which, "the input was modified", hint)


def check_model(gradcheck):
    """Fail unless gradcheck agrees with activations, layers and losses of Modules 02 to 04."""
    import importlib
    from types import SimpleNamespace

    package = __name__.partition(".")[0]
    names = {}
    for stem in ("tensor", "activations", "layers", "losses"):
        names |= vars(importlib.import_module(f"{package}.{stem}"))
    f, rng = SimpleNamespace(**names), np.random.default_rng(15)
    f.manual_seed(5)
    x, labels = leaf(rng.normal(size=(2, 3))), f.Tensor([0, 2])
    target = f.Tensor(rng.random((2, 3)), np.float64)
    calls = {name: getattr(f, name) for name in ("relu", "sigmoid", "tanh", "gelu", "softmax")}
    calls |= {"log_softmax": f.log_softmax, "leaky_relu": f.leaky_relu}
    calls["Flatten"] = lambda t: f.Flatten()(t.reshape(2, 3, 1))
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
<%- endif %>
<%- if cookiecutter.last_module >= '06' %>


# ---- Optimizers


def check_number(got, expected, what, hint="", tolerance=1e-9):
    """Fail unless got is one real number near the expected one."""
    if not isinstance(got, (int, float, np.floating)):
        fail(what, f"expected {expected}, got {type(got).__name__} {got!r}", hint)
    if not abs(got - expected) <= tolerance * (1 + abs(expected)):
        fail(what, f"expected {expected}, got {got}", hint)


def check_steps(make, start, grads, expected, what, hint="", dtype=np.float32):
    """Fail unless updates by these gradients lead a parameter from start to each of expected.

    Between them the optimizer updates another parameter, of the same shape and with a state of its
    own, which has no gradient at first.
    """
    other, parameter = leaf(start, dtype), leaf(start, dtype, np.zeros_like(start))
    optimizer, state, others = make([other, parameter]), {}, {}
    for t, (grad, want) in enumerate(zip(grads, expected, strict=True)):
        if t:
            other.grad = np.full(other.shape, 9.0 - t, dtype)
            optimizer.update(other, others)
        parameter.grad[...] = grad
        given = parameter.grad.tolist()
        optimizer.update(parameter, state)
        check(parameter, want, f"{what}, step {t + 1}", dtype, hint)
        told = "others may need .grad: leave its numbers as they are"
        check_array(parameter.grad, given, f"{what}, .grad after step {t + 1}", dtype, told)


def check_rule(make, rule, what, hint="", zero=False):
    """Fail unless updates move every number as rule says, in both float dtypes.

    Four random parameters get random gradients. The second has none in two steps, the third none at
    first. rule(w, steps) is what w becomes after these steps, a list of (lr, gradient). Between
    the steps another optimizer of the same kind does its own.
    """
    shapes, missing = [(2, 3), (4,), (0,), (4,)], {(1, 1), (1, 2), (2, 0)}
    rng = np.random.default_rng(6)
    for dtype in (np.float32, np.float64):
        parameters = [leaf(rng.normal(size=s), dtype) for s in shapes]
        rest = [leaf(np.ones(s), dtype) for s in shapes]
        optimizer, other = make(parameters), make(rest)
        states, others = [{} for _ in shapes], [{} for _ in shapes]
        starts, steps = [p.data.ravel().tolist() for p in parameters], [[] for _ in shapes]
        for t, lr in enumerate((0.1, 0.3, 0.0, 0.2, 0.05, 0.4)):
            optimizer.lr = lr
            for k, (p, state) in enumerate(zip(parameters, states, strict=True)):
                grad = np.array(rng.normal(size=p.shape) * (not zero), dtype)
                if (k, t) not in missing:
                    p.grad = grad.copy()
                    optimizer.update(p, state)
                    steps[k].append((lr, grad.ravel().tolist()))
                    label = f"{what}, {dtype.__name__}, step {t + 1}"
                    check_array(p.grad, grad.tolist(), f"{label}: .grad", dtype, "leave it")
                rest[k].grad = np.full(p.shape, 9.0 - t, dtype)
                other.update(rest[k], others[k])
            for k, p in enumerate(parameters):
                history = [[(lr, g[i]) for lr, g in steps[k]] for i in range(p.size)]
                want = [rule(w, pairs) for w, pairs in zip(starts[k], history, strict=True)]
                wanted = np.reshape(want, p.shape).tolist()
                check(p, wanted, f"{label}, parameter {k}", dtype, hint)


def check_plan(scheduler, base_lr, expected, what):
    """Fail unless the formula of a scheduler gives these learning rates, epoch after epoch."""
    scheduler.base_lr = base_lr
    for epoch, want in enumerate(expected):
        scheduler.last_epoch = epoch
        check_number(scheduler.get_lr(), want, f"{what}, epoch {epoch}")
<%- endif %>
<%- if cookiecutter.last_module >= '07' %>


# ---- Training


class Line:
    """A model for tests, output = weight · input; it notes what happens at each forward pass."""

    def __init__(self, weight, dtype=None):
        self.weight, self.training, self.more = leaf(weight, dtype), True, []
        self.modes, self.recorded, self.had_gradient = [], [], []

    def __call__(self, x):
        output = x * self.weight
        self.modes.append(self.training)
        self.recorded.append(output.requires_grad)
        self.had_gradient.append(self.weight.grad is not None)
        return output

    def parameters(self):
        return [self.weight, *self.more]

    def train(self, mode=True):
        self.training = mode
        return self

    def eval(self):
        return self.train(False)


class Descent:
    """An optimizer for tests: gradient descent; done lists its calls."""

    def __init__(self, parameters, lr):
        self.parameters, self.lr, self.done = parameters, lr, []

    def zero_grad(self):
        self.done.append("zero_grad")
        for p in self.parameters:
            p.grad = None

    def step(self):
        self.done.append("step")
        for p in self.parameters:
            p.data -= p.dtype.type(self.lr) * p.grad

    def state_dict(self):
        return {"lr": self.lr}

    def load_state_dict(self, saved):
        self.lr = saved["lr"]


class Batches:
    """A loader for tests: the same batches in each epoch, and a generator of its own."""

    def __init__(self, *batches, seed=0):
        self.batches, self.generator = batches, np.random.default_rng(seed)

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


class FairMean:
    """The MeanMetric that tests of a loop use, in place of one's own."""

    def __init__(self):
        self.pairs = []

    def update(self, value, weight=1):
        self.pairs.append((value, weight))

    def compute(self):
        total = math.fsum(value * weight for value, weight in self.pairs)
        return total / sum(weight for _, weight in self.pairs)


def squared(output, target):
    """Return the mean of (output - target)², the loss that tests of a loop use."""
    off = output - target
    return (off * off).mean()


def same_bits(what, got, expected, hint=""):
    """Fail unless two lists of arrays are the same, to the last bit."""
    check_equal(len(got), len(expected), f"{what}: how many arrays", hint)
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            fail(f"{what}, array {k}", f"expected {b.dtype} {b.shape}, got {a.dtype} {a.shape}")
        if a.tobytes() != b.tobytes():
            far = np.abs(np.subtract(a, b, dtype=np.float64)).max()
            fail(f"{what}, array {k}", f"other bits; the largest difference is {far:.3g}", hint)


def columns(*batches):
    """Return batches (inputs, targets) of float64 Tensors; each is given as a list of pairs."""
    tensor, arrays = tensor_class(), [np.array(pairs, np.float64) for pairs in batches]
    return [tuple(tensor(a[:, k], np.float64) for k in (0, 1)) for a in arrays]


def of_line(trainer, batches, **settings):
    """Return a trainer of the line output = weight · input and mean squared loss, and the line.

    The weight is 0, with an old gradient; lr is 0.1.
    """
    line = Line(0.0, np.float64)
    line.weight.grad = np.array(1e6)
    parts = line, squared, Descent([line.weight], 0.1), Batches(*batches)
    return trainer(*parts, **settings), line


def near(output, targets):
    """Return the share of rows that are off by less than 1: a metric for tests."""
    return float((abs(output.data - targets.data) < 1.0).mean())


def epoch_of(loader):
    """Return the rows of each batch of a loader whose labels are 100 more; fail if they are not."""
    batches = []
    for x, labels in loader:
        hint = "fetch rows and labels by one order"
        check(labels, (x.data + 100).tolist(), f"labels of rows {x}", hint=hint)
        batches.append(x.data.tolist())
    return batches


class Drawn(Batches):
    """A loader for tests: four batches of random rows in each epoch, by its own generator."""

    def __iter__(self):
        tensor = tensor_class()
        for _ in range(4):
            x = self.generator.normal(size=(6, 3))
            yield tensor(x), tensor((x[:, 0] > x[:, 1]).astype(np.int64))


def a_run(trainer, seed, hidden=8):
    """Return a trainer of a small network with dropout, Adam and a schedule, all new."""
    import importlib
    from types import SimpleNamespace

    names, package = {}, __name__.partition(".")[0]
    for stem in ("tensor", "activations", "layers", "losses", "optimizers"):
        names |= vars(importlib.import_module(f"{package}.{stem}"))
    f = SimpleNamespace(**names)
    f.manual_seed(seed)
    layers = [f.Linear(3, hidden), f.ReLU(), f.Dropout(0.5), f.Linear(hidden, 2)]
    model = f.Sequential(*layers)
    optimizer = f.Adam(model.parameters(), lr=0.05)
    parts = model, f.CrossEntropyLoss(), optimizer, Drawn(seed=seed)
    stopper = SimpleNamespace(best=math.inf, waited=0, weights=None)
    return trainer(*parts, scheduler=f.StepLR(optimizer, 2, 0.5), stopper=stopper)


def go_on(run, epochs):
    """Train a run for some epochs, by no line of the student's; return it."""
    parameters = run.model.parameters()
    for _ in range(epochs):
        for inputs, labels in run.loader:
            run.optimizer.zero_grad()
            loss = run.criterion(run.model(inputs), labels)
            loss.backward()
            run.optimizer.step()
        run.scheduler.step()
        run.history.append({"loss": loss.item()})
        run.stopper.waited += 1
        run.stopper.weights = [p.data.copy() for p in parameters]
    return run


def weights_of(run):
    """Return copies of a run's weights."""
    return [p.data.copy() for p in run.model.parameters()]


def torn(file, *args, **arrays):
    """Write half of something, and fail: np.savez on a disk that is full."""
    from pathlib import Path

    if isinstance(file, (str, Path)):
        Path(file).write_bytes(b"half")
    else:
        file.write(b"half")
    raise OSError("no space left on device")
<%- endif %>
