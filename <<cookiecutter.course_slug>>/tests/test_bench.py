"""What bench/framework.py times by hand is what the framework computes."""

import importlib.util
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from coursekit.course import Course

pytestmark = [pytest.mark.needs("optimizers")]


@pytest.fixture(scope="module")
def bench(course: Course) -> ModuleType:
    path = course.root / "bench" / "framework.py"
    spec = importlib.util.spec_from_file_location("bench_framework", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_both_steps_do_the_same_work(
    bench: ModuleType, framework: SimpleNamespace, optimizer: str
) -> None:
    model = bench.network(framework)
    by_hand = [p.data.copy() for p in model.parameters()]
    before = [p.copy() for p in by_hand]
    steps = bench.by_hand(optimizer, by_hand), bench.with_ours(framework, optimizer, model)
    for step in steps * 5:
        step()
    for ours, theirs, start in zip(model.parameters(), by_hand, before, strict=True):
        assert np.abs(theirs - start).max() > 1e-4, "nothing was trained"
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-3, atol=1e-5)
