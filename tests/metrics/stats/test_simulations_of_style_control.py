"""Coverage of the intervals of style control, on judgments whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.simulations.style_control import NUMBERS, judgments, main, simulate

from rmeval.metrics.stats.style_control import control_style


def test_a_few_replications(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--questions", "12", "25", "--replications", "2", "--resamples", "20"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.count("|") == len(NUMBERS) + 3 for line in lines)


@pytest.mark.slow
def test_intervals_contain_the_truth() -> None:
    truth = control_style(judgments(20_000, np.random.default_rng(1)), resamples=0)
    found = simulate(40, 60, lambda battles: control_style(battles, 200), truth)
    for name, (share, there) in found.items():
        # 60 replications of three or four numbers, which depend on each other: three standard errors are 8 points.
        assert 0.87 <= share <= 1, name
        assert there > 0.95, name
