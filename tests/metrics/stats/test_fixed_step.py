"""L-BFGS with steps of a fixed length against torch's, from which published numbers come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rmeval.metrics.stats.fixed_step import Vector, fixed_step_minimum

torch.set_num_threads(1)


def battles(dtype: Any, seed: int, rows: int = 300, columns: int = 6) -> tuple[Vector, Vector]:
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, columns)).astype(dtype)
    wins = random.choice([0.0, 0.5, 1.0], size=rows, p=[0.3, 0.1, 0.6]).astype(dtype)
    return features, wins


def by_torch(features: Vector, wins: Vector, iterations: int, rate: float) -> tuple[Vector, int]:
    point = torch.nn.Parameter(torch.full((features.shape[1],), 0.5, dtype=torch.from_numpy(features).dtype))
    rows, outcome = torch.from_numpy(features), torch.from_numpy(wins)
    # Its own limit on evaluations matters for less than four iterations only.
    settings: dict[str, Any] = {"tolerance_grad": 1e-9, "tolerance_change": 1e-9, "max_eval": 1000}
    optimizer = torch.optim.LBFGS([point], lr=rate, max_iter=iterations, **settings)

    def closure() -> Any:
        optimizer.zero_grad()
        chance = torch.sigmoid(rows @ point)
        loss = -(torch.log(chance) * outcome + torch.log(1 - chance) * (1 - outcome)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return point.detach().numpy(), int(optimizer.state[point]["n_iter"])


def loss_of(features: Vector, wins: Vector) -> Callable[[Vector], tuple[float, Vector]]:
    def gradient(point: Vector) -> tuple[float, Vector]:
        chance = 1 / (1 + np.exp(-(features @ point)))
        loss = -(np.log(chance) * wins + np.log(1 - chance) * (1 - wins)).sum()
        return float(loss), features.T @ (chance - wins)

    return gradient


@pytest.mark.parametrize("rate", [0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_each_step_is_that_of_torch(seed: int, rate: float) -> None:
    features, wins = battles(np.float64, seed)
    start = np.full(features.shape[1], 0.5)
    stopped = None
    for iterations in range(1, 61):
        expected, used = by_torch(features, wins, iterations, rate)
        found = fixed_step_minimum(loss_of(features, wins), start, rate, iterations)
        assert found == pytest.approx(expected, abs=1e-12), iterations
        stopped = used if used < iterations else stopped
    assert stopped is not None if rate == 1 else stopped is None  # Both rules, to go on and to stop, occur.


def test_the_precision_is_that_of_the_start() -> None:
    features, wins = battles(np.float32, 0)
    start = np.full(features.shape[1], 0.5, np.float32)
    found = fixed_step_minimum(loss_of(features, wins), start)
    assert found.dtype == np.float32
    assert found == pytest.approx(by_torch(features, wins, 50, 0.1)[0], abs=2e-6)
    assert (start == 0.5).all()


def test_old_differences_are_dropped_as_in_torch() -> None:
    """With small steps, more than 100 differences occur."""
    features, wins = battles(np.float64, 7, columns=30)
    start = np.full(features.shape[1], 0.5)
    for iterations in (101, 140):
        expected, used = by_torch(features, wins, iterations, 0.01)
        assert used == iterations
        found = fixed_step_minimum(loss_of(features, wins), start, 0.01, iterations)
        assert found == pytest.approx(expected, abs=1e-9)


def test_a_minimum_is_kept() -> None:
    centre = np.array([1.0, -2.0])
    assert fixed_step_minimum(lambda x: (float(((x - centre) ** 2).sum()), 2 * (x - centre)), centre).tolist() == [
        1,
        -2,
    ]
