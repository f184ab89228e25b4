"""What the bench times is the same work for everyone; what it keeps, it compares rightly."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import cases, gradients, grading, peers, results
from bench import framework as main_of_bench
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.sandbox import bubblewrap

SIZES = (12, 6, 5, 4)
needs_all = pytest.mark.needs("autograd", "optimizers")


@needs_all
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_all_steps_do_the_same_work(framework: SimpleNamespace, optimizer: str) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(7, 12)).astype(np.float32), rng.integers(0, 4, 7)
    start = peers.random_parameters(SIZES)
    arrays = [p.copy() for p in start]
    trained = {"by hand": (peers.by_hand(optimizer, arrays, 0.01), arrays)}
    for peer in peers.installed(framework):
        if isinstance(peer, peers.Eager):
            model = peers.network(peer.f, SIZES)
            arrays = [p.data for p in model.parameters()]
            for p, array in zip(arrays, start, strict=True):
                p[:] = peer.constant(array.T if p.shape != array.shape else array).data
            step = peers.with_framework(peer.f, optimizer, model, 0.01)
        else:
            arrays = [p.copy() for p in start]
            step = peer.step(optimizer, arrays, 0.01)
        x, y = peer.constant(images), peer.constant(labels)
        trained[peer.name] = (lambda *_, step=step, x=x, y=y: step(x, y)), arrays
    for step, _ in trained.values():
        for _ in range(5):
            step(images, labels)
    for name, (_, arrays) in trained.items():
        for p, hand, old in zip(arrays, trained["by hand"][1], start, strict=True):
            assert np.abs(hand - old).max() > 1e-4, "nothing was trained"
            found = np.asarray(p)
            found = found.T if found.shape != hand.shape else found
            np.testing.assert_allclose(found, hand, rtol=1e-3, atol=1e-5, err_msg=name)


@needs_all
def test_every_case_runs_for_every_peer(
    course: Course, framework: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "LAYERS", SIZES)
    monkeypatch.setattr(cases, "BATCHES", (1, 3))
    monkeypatch.setattr(cases, "CHAIN", 50)
    monkeypatch.setattr(cases, "TURN", 0)
    known = peers.installed(framework)
    images, labels = main_of_bench.digits(course)
    found = cases.all_cases(known, (images[:70], labels[:70]))
    assert len(found) == 10
    for case in found.values():
        measured = cases.measure(case, 0)
        assert list(measured["ratios"]) == ["by hand", *(peer.name for peer in known)]
        assert measured["ratios"]["by hand"] == 1 and measured["rounds"] == 3


@needs_all
def test_all_our_gradients_are_right(framework: SimpleNamespace) -> None:
    known = peers.installed(framework)
    assert gradients.count(known)["wrong"] == {peer.name: [] for peer in known}


@needs_all
def test_a_wrong_gradient_is_counted(framework: SimpleNamespace) -> None:
    class Wrong(peers.Eager):
        def gradients(self, function, arrays):
            return [1.01 * g for g in super().gradients(function, arrays)]

    ours = peers.installed(framework)[0]
    wrong = Wrong("wrong", ours.f, ours.functions, ours.constant)
    assert gradients.count([wrong])["wrong"] == {"wrong": list(gradients.CASES)}


# ---- What is kept


def run_of(**ratios: float) -> dict[str, dict]:
    """Return the cases of a made-up run: by name, what ours takes against NumPy by hand."""
    return {
        name: {"seconds": {"by hand": 1e-3, "ours": 1e-3 * ours}, "ratios": {"ours": ours}}
        for name, ours in ratios.items()
    }


def test_a_fifth_worse_is_too_much() -> None:
    kept = {"same": 1.0, "noise": 2.0, "slow": 1.5, "gone": 1.0, "fast": 3.0}
    found = run_of(same=1.0, noise=2.39, slow=1.85, fast=1.0, new=9.0)
    assert results.worse(kept, found) == {
        "slow": "slow: 1.85 times NumPy by hand, 23 % more than the 1.50 kept",
        "gone": "gone: is not measured any more; keep a new run",
    }


@pytest.mark.parametrize(
    "text", [None, "", "[]", '{"grading": {}}', '{"framework": {"cases": {"a": 1}}}']
)
def test_a_file_that_cannot_be_compared_with_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kept.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=r"kept\.json: .+\. Name a file that `nox -s bench`"):
        results.read(path)


@needs_all
@pytest.mark.parametrize("kept, lines", [(0.01, 1), (1e6, 0)])
def test_check_measures_again_and_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    kept: float,
    lines: int,
) -> None:
    path = tmp_path / "kept.json"
    path.write_text(json.dumps({"framework": {"cases": run_of(nothing=kept)}}), encoding="utf-8")
    case = {"by hand": lambda: None, "ours": lambda: None}
    monkeypatch.setattr(cases, "all_cases", lambda *_: {"nothing": case})
    monkeypatch.setattr(cases, "TURN", 1e-4)
    monkeypatch.setattr(gradients, "CASES", {})
    monkeypatch.setattr(sys, "argv", ["bench", "--seconds", "0.01", "--check", str(path)])
    monkeypatch.chdir(tmp_path)
    if lines:
        with pytest.raises(SystemExit, match="^nothing: .* more than the 0.01 kept$"):
            main_of_bench.main()
    else:
        main_of_bench.main()
    assert capsys.readouterr().out.count("Once more: nothing") == lines
    (stored,) = results.FOLDER.glob("*.json")
    assert list(results.read(stored)) == ["nothing"]
    run = json.loads(stored.read_text(encoding="utf-8"))["framework"]
    assert run["machine"]["numpy"] == np.__version__
    assert stored.with_suffix(".png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.needs("tensor")
@pytest.mark.skipif(not bubblewrap.available(), reason="grades in a sandbox")
def test_grading_is_timed_beside_plain_nbgrader(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(results, "store", lambda kind, found: kept.append((kind, found)))
    few = "--submissions 3 --plain 1 --rounds 1 --growth"
    monkeypatch.setattr(sys, "argv", ["bench", *few.split()])
    grading.main()  # ends with an error if the scores differ
    ((kind, found),) = kept
    assert kind == "grading" and found["ratio"] > 1 and 0 < found["main_process"] < 1
