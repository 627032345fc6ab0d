"""Cascades of two judges: by hand, against the runs' own numbers, and with costs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.metrics.stats.cascades import Two, curve_of, fold_of, held_out
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.results.escalation import Goal
from rmeval.results.spending import spending_of
from rmeval.store.run import read_run
from tests.command import command

JUDGES = """
import hashlib, math
import rmeval


def unit(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


class Cheap:
    def compare(self, pairs):
        found = []
        for pair in pairs:
            better = 1 if "good" in pair["first"] else -1
            own = 1 if unit(min(pair["first"], pair["second"])) < 0.7 else -1
            sure = 2 * unit("sure" + min(pair["first"], pair["second"]))
            sure = sure if own > 0 else sure / 3
            found.append(1 / (1 + math.exp(-better * own * sure)))
        return found


class Dear:
    def score(self, talks):
        return [float("good" in talk[-1]["content"]) - 2 * (unit("d" + talk[-1]["content"]) < 0.05) for talk in talks]
"""
PRICES = '["Cheap"]\ninput = 1.0\noutput = 2.0\n\n["*"]\ninput = 100.0\noutput = 0.0\n'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    out = tmp_path_factory.mktemp("cascade")
    (out / "judges.py").write_text(JUDGES)
    rows = [{"prompt": f"p{k // 2}", "chosen": f"good{k}", "rejected": f"bad{k}"} for k in range(160)]
    one, other = (
        rmeval.evaluate(f"{out}/judges.py:{name}", "pairs", rows, out=out / "runs").path for name in ("Cheap", "Dear")
    )
    return one, other


def two(cheap: list[float], expensive: list[float], confidence: list[float]) -> Two:
    size = len(cheap)
    paired = PairedOutcomes(
        np.array([cheap, expensive]),
        np.zeros(size, np.int32),
        (("all", ""),),
        np.arange(size, dtype=np.int32),
        np.arange(size, dtype=np.int32),
    )
    cost = np.stack([np.full(size, 1.0), np.full(size, 10.0)])
    return Two(paired, np.ones(1), np.array(confidence), cost)


def test_the_curve_by_hand() -> None:
    # Escalated first: the unknown one (always), then those of .5 together, then .9.
    found = curve_of(two([0, 0, 1, 1], [1, 1, 0, 1], [-1, 0.5, 0.5, 0.9]))
    assert found.tau.tolist() == [0.5, 0.9, math.inf]
    assert found.escalated.tolist() == [0.25, 0.75, 1.0]
    assert found.accuracy.tolist() == pytest.approx([(1 + 0 + 1 + 1) / 4, (1 + 1 + 0 + 1) / 4, 3 / 4])
    assert found.cost.tolist() == [14.0, 34.0, 44.0]


def test_each_fold_uses_a_threshold_of_the_others() -> None:
    random = np.random.default_rng(0)
    right = (random.random(50) < 0.7).astype(float)
    own = two(right.tolist(), np.ones(50).tolist(), random.random(50).tolist())
    seen = []
    escalated, taus = held_out(own, lambda rest: seen.append(len(curve_of(rest).tau)) or 0.1 * len(seen))  # type: ignore[func-returns-value]
    fold = fold_of(50)
    assert np.bincount(fold).tolist() == [10] * 5
    assert seen == [41] * 5  # 40 confidences, and all escalated.
    assert taus == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert escalated.tolist() == (own.confidence < np.array(taus)[fold]).tolist()


def test_the_budget_of_a_fold_is_that_of_its_items() -> None:
    # Two problems with one item each: half of the items decide for the other half, and pay for one of the two.
    own = two([0.0, 0.0], [1.0, 1.0], [0.5, 0.5])
    assert Goal(None, 10_500.0, None).threshold(own) == 0.5
    assert Goal(None, 11_000.0, None).threshold(own) == math.inf
    assert held_out(own, Goal(None, 10_500.0, None).threshold)[1] == [0.5, 0.5]
    assert held_out(own, Goal(None, 11_000.0, None).threshold)[1] == [math.inf, math.inf]


def test_one_problem_has_no_cascade(tmp_path: Path) -> None:
    (tmp_path / "judges.py").write_text(JUDGES)
    rows = [{"prompt": "p", "chosen": "good", "rejected": "bad"}]
    runs = [
        rmeval.evaluate(f"{tmp_path}/judges.py:{name}", "pairs", rows, out=tmp_path / "runs").path
        for name in ("Cheap", "Dear")
    ]
    with pytest.raises(RunError, match="a cascade needs comparisons of two problems or more"):
        rmeval.cascade(*runs)


def test_both_ends_are_the_runs_own_numbers(runs: tuple[Path, Path]) -> None:
    found = rmeval.cascade(*runs)
    cheap, expensive = (rmeval.open_run(run).record("accuracy") for run in runs)
    assert (found.cheap.accuracy, found.cheap.ci) == (cheap.value, cheap.ci)
    assert (found.expensive.accuracy, found.expensive.ci) == (expensive.value, expensive.ci)
    first, last = found.points[0], found.points[-1]
    assert (first.escalated, first.accuracy, first.gain) == (0.0, cheap.value, 0.0)
    assert (last.escalated, last.accuracy, last.tau) == (1.0, expensive.value, math.inf)
    assert math.isnan(first.cost)
    assert found.chosen.accuracy >= expensive.value
    assert found.chosen.escalated < 0.8
    low, high = found.chosen.gain_ci or (math.nan, math.nan)
    assert 0 < low < found.chosen.gain < high
    middle = next(point for point in found.points if 0.4 < point.escalated < 0.6)
    assert middle.random == pytest.approx(
        (1 - middle.escalated) * cheap.value + middle.escalated * expensive.value, abs=1e-12
    )


def test_a_scalar_model_may_be_the_cheap_one(runs: tuple[Path, Path]) -> None:
    found = rmeval.cascade(runs[1], runs[0])
    assert found.confidence == "scores"
    assert "Cheap alone is not better than Dear alone on these items" in found.notes


def test_goals(runs: tuple[Path, Path]) -> None:
    capped = rmeval.cascade(*runs, escalated=0.2)
    assert capped.chosen.escalated <= 0.2
    assert capped.chosen.accuracy == max(
        point.accuracy for point in capped.points if point.escalated <= capped.chosen.escalated
    )
    far = rmeval.cascade(*runs, accuracy=1.0)
    assert not far.reached
    assert any("no threshold reaches the goal" in note for note in far.notes)
    with pytest.raises(RunError, match="`budget` needs the cost of both runs: give `prices`"):
        rmeval.cascade(*runs, budget=1.0)
    with pytest.raises(RunError, match="`accuracy` and `escalated` are two goals"):
        rmeval.cascade(*runs, accuracy=0.9, escalated=0.2)
    with pytest.raises(RunError, match="must be a share from 0 to 1"):
        rmeval.cascade(*runs, accuracy=90)
    with pytest.raises(RunError, match="is both runs of the cascade"):
        rmeval.cascade(runs[0], runs[0])
    with pytest.raises(RunError, match="has no score 'x'"):
        rmeval.cascade(*runs, variant="x")


def test_runs_of_two_benchmarks_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, n_items=5)
    with pytest.raises(RunError, match=r"is a run of pairs and .* one of rm-bench-synthetic"):
        rmeval.cascade(runs[0], other)


def test_composed_headlines_are_kept(tmp_path: Path) -> None:
    """RM-Bench's overall is a mean of domains, and each comparison has the weight that it has there."""
    one, other = (
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=tmp_path, n_items=40)
        for name in ("shortest", "markdown")
    )
    found = rmeval.cascade(one, other)
    assert found.cheap.accuracy == pytest.approx(one.value("overall"), abs=1e-12)
    assert found.expensive.accuracy == pytest.approx(other.value("overall"), abs=1e-12)
    assert rmeval.cascade(one, other, metric="hard").measure == ("hard", "all")
    with pytest.raises(RunError, match="is a difference of accuracies: choose an accuracy"):
        rmeval.cascade(one, other, metric="style_gap")


COUNTED = """
import rmeval
from rmeval.protocols import load_protocol


class Counted:
    protocol = "{file}:Counting"

    def answer(self, questions):
        return [("good" in one["responses"][0]["content"], 10) for one in questions]
"""
COUNTING = """
from dataclasses import replace
from rmeval.protocols.pairwise import Pairwise, parse_preference


class Counting(Pairwise):
    def __init__(self):
        super().__init__("counting@1", True)

    def parse(self, request, raw):
        good, tokens = raw
        usage = {"tokens": tokens, "output_tokens": 5}
        return replace(parse_preference(request.key, 0.9 if good else 0.1), usage=usage)
"""


def test_costs_are_the_recorded_tokens_at_the_files_prices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "asking.py").write_text(COUNTING)
    (tmp_path / "judge.py").write_text(COUNTED.format(file="asking.py"))
    (tmp_path / "prices.toml").write_text(PRICES.replace("Cheap", "Counted"))
    rows = [{"prompt": f"p{k}", "chosen": f"good{k}", "rejected": f"bad{k}"} for k in range(30)]
    made = rmeval.evaluate(f"{tmp_path}/judge.py:Counted", "pairs", rows, out=tmp_path / "runs")
    run = read_run(made.path, protocol=f"{tmp_path}/asking.py:Counting")
    assert spending_of(run) is None
    spent = spending_of(run, str(tmp_path / "prices.toml"))
    assert spent is not None
    # Two requests an item, each 10 tokens read at 1 dollar and 5 written at 2 dollars for a million.
    assert spent.by_item.tolist() == pytest.approx([2 * (10 * 1 + 5 * 2) / 1e6] * 30)
    assert spent.requests == 60
    assert spent.total == pytest.approx(30 * 40e-6)
    assert spent.per_1000_requests == pytest.approx(0.02)
    (tmp_path / "none.toml").write_text('["other"]\ninput = 1.0\n')
    with pytest.raises(RunError, match="has no price of the model 'Counted': add input and output"):
        spending_of(run, str(tmp_path / "none.toml"))


def test_the_command(runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "cascade", *runs, "--escalated", 30, "--plots", tmp_path)
    assert done.code == 0
    for text in ("each judge alone", "cross-validated", "on the same data", "at most 30.0% escalated", "random"):
        assert text in done.out
    assert (tmp_path / "cascade.png").stat().st_size > 10_000
    found = json.loads(command(capsys, "cascade", *runs, "--json").out)
    assert found["points"][-1]["tau"] is None
    assert found["chosen"]["accuracy"] >= found["expensive"]["accuracy"]
    for form in ("csv", "latex", "md", "json"):
        assert "cross-validated" in command(capsys, "cascade", *runs, "--format", form).out
    wrong = command(capsys, "cascade", *runs, "--accuracy", 900)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "--accuracy must be a percentage from 0 to 100" in wrong.err
