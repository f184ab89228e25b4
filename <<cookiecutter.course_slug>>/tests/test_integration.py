"""The modules together: a network's forward pass, a loss that falls<% if cookiecutter.last_module >= '06' %>, and training that resumes<% endif %>."""

import ast
import copy
import inspect
import math
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = [pytest.mark.needs("tensor", "activations", "layers", "losses")]

STEP = 1e-4  # for central differences in float64


def mlp(f: SimpleNamespace):
    """Return a small classifier: 8 numbers in, 3 classes out."""
    hidden = [f.Linear(8, 16), f.ReLU(), f.LayerNorm(16), f.Dropout(0.2)]
    return f.Sequential(f.Flatten(), *hidden, f.Linear(16, 3))


def in_float64(f: SimpleNamespace, model) -> list:
    """Make a model's parameters float64, for exact differences; return them."""
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return model.parameters()


@pytest.fixture
def batch(framework: SimpleNamespace) -> tuple:
    """Return pictures (6, 2, 4) and their classes (6,)."""
    rng = np.random.default_rng(0)
    pictures = framework.Tensor(rng.normal(size=(6, 2, 4)), dtype=np.float64)
    return pictures, framework.Tensor([0, 1, 2, 0, 1, 2])


def test_an_mlp_gives_logits_of_its_dtype(framework: SimpleNamespace) -> None:
    f = framework
    f.manual_seed(0)
    model = mlp(f)
    x = f.randn(5, 2, 4)
    before = x.data.copy()
    logits = model(x)
    assert (logits.shape, logits.dtype) == ((5, 3), np.float32)
    p = f.softmax(logits).data.sum(axis=1)
    assert np.abs(p - 1).max() < 1e-6
    assert (x.data == before).all(), "the forward pass modified its input"
    assert len(model.parameters()) == 6
    assert sum(p.size for p in model.parameters()) == (8 * 16 + 16) + 2 * 16 + (16 * 3 + 3)
    assert all(p.requires_grad for p in model.parameters())


def test_dropout_is_for_training_only(framework: SimpleNamespace) -> None:
    f = framework
    f.manual_seed(0)
    model, x = mlp(f), f.randn(4, 8)
    assert (model(x).data != model(x).data).any(), "in training two passes drop different numbers"
    model.eval()
    assert (model(x).data == model(x).data).all()
    assert not any(layer.training for layer in model.members() if isinstance(layer, f.Layer))


def test_a_seed_repeats_a_whole_model(framework: SimpleNamespace) -> None:
    f = framework
    runs = []
    for _ in range(2):
        f.manual_seed(7)
        runs.append(mlp(f)(f.randn(4, 8)).data.tolist())
    assert runs[0] == runs[1]


def slope(loss, parameter, index: tuple) -> float:
    """Return d loss / d parameter[index] by central differences."""
    old = parameter.data[index]
    values = []
    for step in (STEP, -STEP):
        parameter.data[index] = old + step
        values.append(loss().item())
    parameter.data[index] = old
    return (values[0] - values[1]) / (2 * STEP)


def test_the_loss_falls_when_a_weight_moves_the_right_way(framework, batch) -> None:
    f = framework
    f.manual_seed(1)
    model, (x, labels) = mlp(f).eval(), batch
    criterion = f.CrossEntropyLoss()

    def loss():
        return criterion(model(x), labels)

    moved = 0
    for parameter in in_float64(f, model):
        index = np.unravel_index(np.argmax(np.abs(parameter.data)), parameter.shape)
        before, direction = loss().item(), slope(loss, parameter, index)
        if abs(direction) < 1e-6:  # a unit that no picture switches on
            continue
        parameter.data[index] -= math.copysign(1e-3, direction)
        assert loss().item() < before, f"a {parameter.shape} parameter moved downhill"
        moved += 1
    assert moved >= 4


def test_a_model_learns_by_finite_differences(framework, batch) -> None:
    """Descend by every weight's slope: slow, but the framework can be trained as it stands."""
    f = framework
    f.manual_seed(2)
    x, labels = batch
    model = f.Sequential(f.Flatten(), f.Linear(8, 3))
    criterion, parameters = f.CrossEntropyLoss(), in_float64(f, model)

    def loss():
        return criterion(model(x), labels)

    first = loss().item()
    for _ in range(30):
        slopes = [
            np.reshape([slope(loss, p, i) for i in np.ndindex(p.shape)], p.shape)
            for p in parameters
        ]
        for parameter, direction in zip(parameters, slopes, strict=True):
            parameter.data -= 0.5 * direction
    assert loss().item() < first / 2
    assert f.accuracy(model(x), labels) == 1.0


def test_losses_judge_a_regression(framework: SimpleNamespace) -> None:
    f = framework
    x = f.randn(10, 4)
    target = f.Linear(4, 1)(x)
    for criterion in (f.MSELoss(), f.L1Loss()):
        assert criterion(target, target).item() == 0
        assert criterion(target + 1, target).item() == pytest.approx(1, abs=1e-5)


STABLE = ["Sigmoid", "Tanh", "GELU", "Softmax", "LogSoftmax"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_warns_or_overflows_at_a_thousand(framework: SimpleNamespace, dtype: type) -> None:
    f = framework
    x = f.Tensor([[-1000.0, 0.0, 1000.0], [1000.0, 1000.0, -1000.0]], dtype=dtype)
    before = x.data.copy()
    results = [getattr(f, name)()(x) for name in STABLE] + [f.GELU("tanh")(x)]
    for smoothing in (0.0, 0.1):
        results.append(f.CrossEntropyLoss(label_smoothing=smoothing)(x, f.Tensor([0, 1])))
    results.append(f.BCEWithLogitsLoss()(x, f.Tensor(np.ones((2, 3)), dtype=dtype)))
    for result in results:
        assert result.dtype == dtype
        assert np.isfinite(result.data).all()
    assert (x.data == before).all()


def test_models_can_be_copied(framework: SimpleNamespace) -> None:
    f = framework
    model, x = mlp(f).eval(), f.randn(2, 8)
    twin = copy.deepcopy(model)
    assert (twin(x).data == model(x).data).all()
    twin.parameters()[0].data += 1.0
    assert (twin(x).data != model(x).data).any(), "the copy shares its weights"
<%- if cookiecutter.last_module >= '06' %>


OPTIMIZERS = {
    "SGD": {"lr": 0.1}, "RMSprop": {"lr": 0.01}, "Adam": {"lr": 0.01}, "AdamW": {"lr": 0.01},
    "SGD with Nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
}  # fmt: skip


@pytest.fixture
def classes(framework: SimpleNamespace) -> tuple:
    """Return 90 points (8 numbers each) around three centres, and their classes."""
    rng = np.random.default_rng(1)
    centres, labels = rng.normal(size=(3, 8)), rng.integers(3, size=90)
    points = centres[labels] + 0.5 * rng.normal(size=(90, 8))
    return framework.Tensor(points), framework.Tensor(labels)


def training(f: SimpleNamespace, name: str) -> tuple:
    """Return a model, an optimizer and a scheduler of it, all new."""
    model = mlp(f)
    optimizer = getattr(f, name.split()[0])(model.parameters(), **OPTIMIZERS[name])
    warm, down = f.LinearLR(optimizer, total_iters=2), f.CosineAnnealingLR(optimizer, 8)
    return model, optimizer, f.SequentialLR(optimizer, [warm, down], [2])


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_trains_a_network(framework: SimpleNamespace, classes, name: str) -> None:
    f = framework
    f.manual_seed(3)
    model, optimizer, scheduler = training(f, name)
    losses = []
    for _ in range(10):
        losses.append(f.train_epoch(model, f.CrossEntropyLoss(), optimizer, *classes, 16))
        scheduler.step()
    assert losses[-1] < losses[0] / 2
    assert f.accuracy(model.eval()(classes[0]), classes[1]) > 0.9
    assert all(type(p.data) is np.ndarray and p.dtype == np.float32 for p in model.parameters())


@pytest.mark.needs("autograd", "optimizers")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_equals_an_unbroken_one(framework: SimpleNamespace, classes, name) -> None:
    """Bit for bit: weights, optimizer, scheduler and generator are all there is to save."""
    f = framework

    def epochs(model, optimizer, scheduler, count: int) -> None:
        for _ in range(count):
            f.train_epoch(model, f.CrossEntropyLoss(), optimizer, *classes, 16)
            f.clip_grad_norm_(model.parameters(), 1.0)
            scheduler.step()

    f.manual_seed(4)
    whole = training(f, name)
    epochs(*whole, 6)
    f.manual_seed(4)
    model, optimizer, scheduler = training(f, name)
    epochs(model, optimizer, scheduler, 3)
    weights = [p.data.copy() for p in model.parameters()]
    saved, when = optimizer.state_dict(), scheduler.state_dict()
    luck = copy.deepcopy(f.generator.bit_generator.state)
    epochs(model, optimizer, scheduler, 2)  # what was saved stays as it was
    model, optimizer, scheduler = training(f, name)
    for parameter, array in zip(model.parameters(), weights, strict=True):
        parameter.data[...] = array
    optimizer.load_state_dict(saved)
    scheduler.load_state_dict(when)
    f.generator.bit_generator.state = luck
    epochs(model, optimizer, scheduler, 3)
    assert optimizer.lr == whole[1].lr
    for mine, other in zip(model.parameters(), whole[0].parameters(), strict=True):
        assert (mine.data == other.data).all()
<%- endif %>
<%- if cookiecutter.last_module >= '07' %>


def whole_run(f: SimpleNamespace, name: str, classes, seed: int) -> tuple:
    """Return a Trainer with every part there is, and a loader to validate with."""
    f.manual_seed(seed)
    model, optimizer, scheduler = training(f, name)
    data, luck = f.TensorDataset(*classes), np.random.default_rng(seed)
    rows, rest = f.random_split(data, [70, 20], np.random.default_rng(0))
    trainer = f.Trainer(
        model,
        f.CrossEntropyLoss(),
        optimizer,
        f.DataLoader(rows, 16, shuffle=True, generator=luck),
        scheduler=scheduler,
        stopper=f.EarlyStopping(patience=4),
        max_norm=1.0,
        metrics={"accuracy": f.accuracy},
    )
    return trainer, f.DataLoader(rest, 8)


@pytest.mark.needs("autograd", "optimizers", "training")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_goes_on_from_the_file_of_any_epoch(framework, classes, name, tmp_path) -> None:
    """Bit for bit, in a process that knows nothing but the file: other weights, other luck."""
    f, path, epochs = framework, tmp_path / "run.npz", 7
    whole, rest = whole_run(f, name, classes, 0)
    whole.fit(epochs, rest)
    for epoch in range(1, epochs + 1):
        early, rest = whole_run(f, name, classes, 0)
        early.fit(epoch, rest, checkpoint=path)
        late, rest = whole_run(f, name, classes, 99)
        late.load_state_dict(f.load(path))
        late.fit(epochs, rest)
        assert late.history == whole.history, f"from epoch {epoch}"
        for mine, other in zip(late.model.parameters(), whole.model.parameters(), strict=True):
            assert mine.data.tobytes() == other.data.tobytes(), f"from epoch {epoch}"
        assert repr(late.state_dict()) == repr(whole.state_dict()), f"from epoch {epoch}"


@pytest.mark.needs("autograd", "optimizers", "training")
def test_a_batch_in_parts_is_a_batch(framework: SimpleNamespace, classes) -> None:
    f, weights = framework, []
    data = f.TensorDataset(*classes)  # 90 rows
    for kind, size, group in ((f.Trainer, 40, 1), (f.AccumulatingTrainer, 8, 5)):
        f.manual_seed(5)
        model = f.Sequential(f.Linear(8, 16), f.Tanh(), f.Linear(16, 3))
        optimizer = f.SGD(model.parameters(), lr=0.1, momentum=0.9)
        trainer = kind(model, f.CrossEntropyLoss(), optimizer, f.DataLoader(data, size))
        trainer.accumulate_grad_batches = group
        losses = [row["loss"] for row in trainer.fit(4)]
        weights.append([losses, *(p.data for p in model.parameters())])
    for a, b in zip(*weights, strict=True):
        assert np.allclose(a, b, rtol=1e-4, atol=1e-6)
<%- endif %>


FUNCTIONS = ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "softmax", "log_softmax"]
LAYERS = ["Linear", "Sequential", "Flatten", "Dropout", "LayerNorm"]
LOSSES = ["MSELoss", "L1Loss", "CrossEntropyLoss", "BCEWithLogitsLoss"]


@pytest.mark.parametrize("name", [*FUNCTIONS, *LAYERS, *LOSSES])
def test_the_framework_is_made_of_tensor_operations(framework: SimpleNamespace, name: str) -> None:
    """So whatever the operations learn, all can; nothing may go round them by NumPy."""
    thing = vars(framework).get("composed", {}).get(name, getattr(framework, name))
    source = inspect.getsource(thing if name in FUNCTIONS else thing.forward)
    nodes = list(ast.walk(ast.parse(textwrap.dedent(source))))
    assert "np" not in {node.id for node in nodes if isinstance(node, ast.Name)}
    assert "data" not in {node.attr for node in nodes if isinstance(node, ast.Attribute)}
