"""Confidence of decisions: by hand, and equal to scikit-learn's numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.data.observations import NO_CHOICE, Vectors
from rmeval.metrics.stats.detection import detect
from rmeval.results.confidence import Readings, decisions_of
from rmeval.store.run import StoredRun, read_run
from tests.command import command

COMPARES = """
TABLE = {table!r}
class Some:
    def compare(self, pairs):
        return [TABLE[pair["first"] + pair["second"]] for pair in pairs]
"""
PAIRS = [{"prompt": f"p{k}", "chosen": f"good{k}", "rejected": f"bad{k}"} for k in range(4)]
FIRST = {"good0bad0": 0.9, "bad0good0": 0.3, "good1bad1": 0.4, "bad1good1": 0.4}
"""The probability that the first response is better: averages of .8 and .5."""


def compared(folder: Path, table: dict[str, float | None], rows: int) -> StoredRun:
    (folder / "some.py").write_text(COMPARES.format(table=table))
    found = rmeval.evaluate(f"{folder}/some.py:Some", "pairs", PAIRS[:rows], out=folder / "runs")
    return read_run(found.path)


def test_probabilities_are_averaged_over_both_orders(tmp_path: Path) -> None:
    more = {"good2bad2": 0.2, "bad2good2": 0.9}
    run = compared(tmp_path, {**FIRST, **more}, 3)
    found = decisions_of(run, run.evidence("orders/mean"))
    assert found.source == "probabilities"
    assert found.better.tolist() == pytest.approx([0.8, 0.5, 0.15])
    assert found.confidence.tolist() == pytest.approx([0.8, 0.5, 0.85])
    assert found.right.tolist() == [1.0, 0.5, 0.0]
    calibration = found.calibration(run.items.table)
    assert calibration is not None
    assert calibration.brier == pytest.approx((0.2**2 + 0.5**2 + 0.85**2) / 3)
    assert calibration.log_loss == pytest.approx(-np.log([0.8, 0.5, 0.15]).mean())
    assert calibration.ece == pytest.approx((abs(0.8 - 1) + abs(0.5 - 0.5) + abs(0.85 - 0)) / 3)


def test_a_pair_without_a_verdict_in_one_order_is_unknown(tmp_path: Path) -> None:
    run = compared(tmp_path, {**FIRST, "good2bad2": 0.2, "bad2good2": None}, 3)
    found = decisions_of(run, run.evidence("orders/mean"))
    assert found.known.tolist() == [True, True, False]
    analysis = rmeval.analyze(run.folder)
    assert "1 decision without a verdict in each order: not part of calibration and AUROC" in analysis.notes


def test_equal_shares_of_verdicts_are_in_one_bin(tmp_path: Path) -> None:
    """5 of 6 verdicts for the better response, and 5 of 6 for the worse one, differ in the last digit."""
    table: dict[str, float | None] = {}
    for k, share in enumerate((5 / 6, 1 / 6, 1 - 1 / 6, 1 - 5 / 6)):
        table |= {f"good{k}bad{k}": share, f"bad{k}good{k}": 1 - share}
    run = compared(tmp_path, table, 4)
    calibration = decisions_of(run, run.evidence("orders/mean")).calibration(run.items.table)
    assert calibration is not None
    assert calibration.count.tolist() == [4]
    assert calibration.accuracy.tolist() == [0.5]


NOTHING = Readings("verdicts", None, None, False, None, np.array([0, 1, 2], np.int32))


@pytest.mark.parametrize(
    ("seen", "members", "wanted"),
    [
        (replace(NOTHING, first=np.array([0.9, 0.5, np.nan])), 2, [[0.9, 0.1], [0.5, 0.5], [np.nan] * 2]),
        (replace(NOTHING, first=np.array([0.9, 0.5, 0.1])), 3, [[np.nan] * 3] * 3),
        (
            replace(NOTHING, lists=Vectors.of(np.array([3, -1, 2]), np.array([0.2, 0.3, 0.5, 0.5, 0.5]))),
            3,
            [[0.2, 0.3, 0.5], [np.nan] * 3, [np.nan] * 3],
        ),
        (
            replace(NOTHING, lists=Vectors.of(np.array([2, 2, -1]), np.array([2.0, 1.0, 3.0, 3.0])), rated=True),
            2,
            [[1, np.exp(-1)], [1, 1], [np.nan] * 2],
        ),
        (replace(NOTHING, choice=np.array([1, -1, NO_CHOICE])), 3, [[0, 1, 0], [1, 1, 1], [np.nan] * 3]),
        (NOTHING, 2, [[np.nan] * 2] * 3),
    ],
    ids=["a probability", "of three", "probabilities", "ratings", "choices", "nothing"],
)
def test_odds_of_the_members(seen: Readings, members: int, wanted: list[list[float]]) -> None:
    assert [seen.strengths(place, members) for place in range(3)] == [pytest.approx(one, nan_ok=True) for one in wanted]


def test_the_area_by_hand() -> None:
    # Right decisions at .9 and .6, wrong ones at .7 and .6: 2 of 4 pairs in order, 1 equal, so (2 + 1/2) / 4.
    found = detect(np.array([0.9, 0.6, 0.7, 0.6]), np.array([1.0, 1.0, 0.0, 0.0]), np.arange(4))
    assert found is not None
    assert (found.auroc, found.right, found.wrong, found.ci) == (0.625, 2.0, 2.0, None)
    assert detect(np.array([0.9, 0.6]), np.ones(2), np.arange(2)) is None


def test_a_tie_is_half_right_and_half_wrong() -> None:
    confidence, right = np.array([0.5, 0.9, 0.7]), np.array([0.5, 1.0, 0.0])
    split = detect(np.array([0.5, 0.5, 0.9, 0.9, 0.7, 0.7]), np.array([1.0, 0, 1, 1, 0, 0]), np.arange(6))
    found = detect(confidence, right, np.arange(3))
    assert found is not None
    assert split is not None
    assert found.auroc == pytest.approx(split.auroc)


def test_equal_to_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(5)
    confidence = np.round(random.uniform(0.5, 1, 400), 2)
    right = (random.random(400) < confidence).astype(float)
    found = detect(confidence, right, np.arange(400))
    assert found is not None
    assert found.auroc == pytest.approx(metrics.roc_auc_score(right, confidence), abs=1e-12)


def test_the_interval_covers_and_grows_with_clusters() -> None:
    random = np.random.default_rng(7)
    held, wider = 0, 0
    for _ in range(200):
        confidence = random.normal(0, 1, 60)
        right = (random.random(60) < 1 / (1 + np.exp(-confidence - 0.5))).astype(float)
        one = detect(confidence, right, np.arange(60))
        many = detect(np.repeat(confidence, 3), np.repeat(right, 3), np.repeat(np.arange(60), 3))
        assert one is not None
        assert many is not None
        assert one.ci is not None
        assert many.ci == pytest.approx(one.ci)  # Copies within a problem add nothing.
        naive = detect(np.repeat(confidence, 3), np.repeat(right, 3), np.arange(180))
        assert naive is not None
        assert naive.ci is not None
        wider += naive.ci[1] - naive.ci[0] < one.ci[1] - one.ci[0]
        held += one.ci[0] <= _AREA <= one.ci[1]
    assert wider == 200
    assert 183 <= held <= 199


def _area() -> float:
    """The true area, by integration on a grid."""
    grid = np.linspace(-6, 6, 4001)
    density = np.exp(-(grid**2) / 2)
    chance = 1 / (1 + np.exp(-grid - 0.5))
    right, wrong = density * chance, density * (1 - chance)
    below = np.cumsum(wrong) - wrong / 2
    return float((right * below).sum() / (right.sum() * wrong.sum()))


_AREA = _area()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table: dict[str, float | None] = {}
    for k in range(4):
        table |= {f"good{k}bad{k}": 0.6 + 0.1 * k, f"bad{k}good{k}": 0.7 if k == 0 else 0.2}
    run = compared(tmp_path, table, 4)
    done = command(capsys, "analyze", run.folder, "--plots", tmp_path / "plots")
    assert done.code == 0
    assert "the probability of the preferred response, averaged over orders" in done.out
    assert "AUROC of right decisions" in done.out
    assert (tmp_path / "plots" / "calibration.png").exists()
