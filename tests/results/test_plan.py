"""Plans from runs and from assumptions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import RmevalError, RunError
from rmeval.importers.run import import_scores
from rmeval.metrics.stats.plan import Observed
from rmeval.metrics.stats.power import ContributionSizes, detectable, problems_needed
from tests.command import process

COUNT = 60


def written(folder: Path, order: list[int]) -> Path:
    """Pairs of sixty prompts in an order."""
    file = folder / "pairs.jsonl"
    rows = [{"id": f"p{n}", "prompt": f"where is {n}", "chosen": f"{n} north", "rejected": f"{n} south"} for n in order]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def imported(folder: Path, name: str, wrong: set[int], order: list[int]) -> Path:
    """A run that loses some of the pairs."""
    folder.mkdir(exist_ok=True)
    scores = folder / f"{name}.jsonl"
    lines = [
        {"item_id": f"p{n}", "response": k, "score": float((k == 0) != (n in wrong))} for n in order for k in (0, 1)
    ]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    benchmark = rmeval.load_benchmark("pairs", str(written(folder, order)))
    return import_scores(scores, benchmark, folder / "runs", name=name).path


# They differ on the first 12 and the last 6 pairs: 18 of 60.
WRONG = {"one": set(range(54, 60)) | {20, 21}, "two": set(range(12)) | {20, 21}}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pilot")
    return [imported(folder, name, wrong, list(range(COUNT))) for name, wrong in WRONG.items()]


def test_a_pilot_gives_discordance_and_accuracy(pilot: list[Path]) -> None:
    found = rmeval.plan(pilot, difference=0.1, width=0.1, models=3, requests_per_item=4, price_per_1000=2.5)
    assert (found.pilot, found.pilot_problems, found.pilot_discordant) == (("one", "two"), COUNT, 18)
    assert found.accuracy == pytest.approx((52 / 60 + 46 / 60) / 2)
    assert (found.discordance, found.design_effect, found.difference_design_effect) == (0.3, 1.0, 1.0)
    assert (found.comparisons_per_problem, found.items_per_problem, found.tests) == (1, 1, 3)
    first, second = found.goals
    made = ContributionSizes(0.3, np.ones(1), np.ones(1), 1.0)
    assert first.problems == problems_needed(made, 0.1, 0.05 / 3)
    assert first.problems is not None and first.low < first.problems < first.high
    assert first.simulated == pytest.approx(0.8, abs=0.04)
    assert (first.items, first.requests, first.price) == (first.problems, 4 * first.problems, first.problems / 100)
    # Wilson's interval with as many values as problems, almost: the variance has 59 degrees of freedom.
    p = found.accuracy
    assert second.problems is not None
    assert second.problems == pytest.approx(4 * 3.8415 * p * (1 - p) / 0.01, rel=0.06)
    assert any("the pilot has only 60 problems, 18 of them discordant" in note for note in found.notes)


def test_the_pilots_difference_is_never_the_goal(pilot: list[Path]) -> None:
    with pytest.raises(RunError, match="there is no goal: give `difference`"):
        rmeval.plan(pilot)
    # Models whose difference is far smaller, with the same discordance, have the same plan.
    assert "0.1" not in repr(rmeval.plan(pilot, width=0.1).to_dict()["difference"])
    found = rmeval.plan(pilot, difference=0.05)
    assert found.goals[0].problems == rmeval.plan(discordance=0.3, difference=0.05).goals[0].problems


def test_given_problems_show_a_difference_and_a_width(pilot: list[Path]) -> None:
    found = rmeval.plan(pilot, problems=200, difference=0.1)
    assert [goal.kind for goal in found.goals] == ["difference", "power", "detectable"]
    made = ContributionSizes(0.3, np.ones(1), np.ones(1), 1.0)
    assert found.goals[2].value == pytest.approx(detectable(made, 200))
    assert found.goals[2].low < found.goals[2].value < found.goals[2].high
    needed = {point.problems: point for point in found.curve}
    assert needed[200].power == pytest.approx(found.goals[1].power)
    assert found.goals[1].power < 0.8 < needed[max(needed)].power


def test_pilots_of_very_different_models_are_noted(pilot: list[Path], tmp_path: Path) -> None:
    much = imported(tmp_path, "much", set(range(40)), list(range(COUNT)))
    found = rmeval.plan([pilot[0], much], difference=0.05)
    # The first loses 8 pairs, the other 40.
    assert found.notes[0].startswith("the pilot's models differ by 53.3 points")
    assert not any("differ by" in note for note in rmeval.plan(pilot, difference=0.05).notes)


def test_one_run_gives_no_discordance(pilot: list[Path]) -> None:
    found = rmeval.plan(pilot[0], difference=0.1)
    p = 52 / 60
    assert [found.accuracy, found.discordance] == pytest.approx([p, 2 * p * (1 - p)])
    assert any(note.startswith("the discordance is assumed to be 23.1%") for note in found.notes)
    assert math.isnan(found.goals[0].low)
    given = rmeval.plan(pilot[0], difference=0.1, discordance=0.3)
    assert (given.discordance, given.goals[0].problems) == (0.3, rmeval.plan(pilot, difference=0.1).goals[0].problems)


def test_the_order_of_items_and_of_runs_changes_nothing(pilot: list[Path], tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(COUNT).tolist()
    shuffled = [imported(tmp_path, name, wrong, order) for name, wrong in WRONG.items()]
    one = rmeval.plan(pilot, difference=0.08, width=0.1, problems=90).to_dict()
    other = rmeval.plan(reversed(shuffled), difference=0.08, width=0.1, problems=90).to_dict()
    assert one | {"pilot": []} == other | {"pilot": []}


def test_wordings_of_one_problem_count_together(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    for name in ("longest", "random"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=out, size=80)
    found = rmeval.plan(out, difference=0.05, metric="average", scope="chat")
    (compared,) = rmeval.compare(out, metric="average", scope="chat")
    one = compared.difference("baseline:longest", "baseline:random")
    assert found.measure == ("average", "chat")
    assert (found.pilot_problems, found.comparisons_per_problem) == (one.n_clusters, 9 * one.n_items / one.n_clusters)
    at = rmeval.plan(out, problems=one.n_clusters, metric="average", scope="chat")
    # The same formula that `compare` uses.
    assert at.goals[0].value == pytest.approx(one.mde)
    assert found.design_effect > 1
    with pytest.raises(RmevalError, match="style gap of the pilot is not an accuracy"):
        rmeval.plan(out, width=0.05, metric="style_gap", scope="chat")


def test_a_benchmark_that_is_too_small_is_noted(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "shared" / "data" / "rm-bench"
    if not source.is_dir():
        pytest.skip("real benchmark data and reference results cannot be compared with")
    for name in ("longest", "random"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench", source, out=tmp_path, n_items=120)
    found = rmeval.plan(tmp_path, difference=0.01, width=0.01, metric="average", scope="chat")
    assert found.available == 129
    assert found.notes[-2].startswith(
        "rm-bench has 129 problems in the subsets of the pilot: too few for a difference of 1.0 points"
    )
    assert found.notes[-1].startswith(
        "rm-bench has 129 problems in the subsets of the pilot: too few for an interval of 1.0 points"
    )


ASSUMED: dict[str, Any] = {"accuracy": 0.8, "discordance": 0.2, "difference": 0.02}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"difference": 2}, "`difference` must be a share above 0 and below 1, such as 0.02 for 2%, not 2"),
        ({"difference": math.nan}, "`difference` must be a share"),
        ({"difference": 0.5}, "two models with a mean accuracy of 80.0% cannot differ by more than 40.0 points"),
        ({"accuracy": 0.95}, "cannot differ on more than 10.0% of the comparisons: lower `discordance`"),
        ({"accuracy": None, "discordance": None}, "there is nothing to plan from"),
        ({"accuracy": None, "width": 0.03}, "`width` needs `accuracy`, or a pilot"),
        ({"design_effect": 1.5}, "`design_effect` 1.5 is larger than the 1 comparison of a problem"),
        ({"design_effect": 0.5}, "`design_effect` must be between 1 and"),
        ({"power": 0.3}, "`power` must be at least 50%, not 30.0%"),
        ({"models": 1}, "`models` must be between 2 and"),
        ({"problems": 0}, "`problems` must be between 1 and"),
        ({"price_per_1000": -1}, "`price_per_1000` must be between 0 and"),
        ({"metric": "hard"}, "`metric` is for a pilot"),
    ],
)
def test_impossible_assumptions(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(RunError) as error:
        rmeval.plan(**(ASSUMED | changed))
    assert said in str(error.value)


def test_impossible_pilots(pilot: list[Path], tmp_path: Path) -> None:
    same = imported(tmp_path, "same", WRONG["one"], list(range(COUNT)))
    perfect = imported(tmp_path, "perfect", set(), list(range(COUNT)))
    tiny = imported(tmp_path, "tiny", WRONG["one"], list(range(4)))
    for given, options, said in (
        (pilot, {"accuracy": 0.8}, "the pilot shows `accuracy`: leave it out, or plan without a pilot"),
        ([*pilot, same], {}, "a pilot is one run or two runs, not 3"),
        ([pilot[0], same], {}, "the pilot's two models agree on every problem: give `discordance`"),
        (pilot, {"metric": "hard"}, "pairs has no hard on all: choose `metric` and `scope` among accuracy all"),
        (pilot, {"scope": "chat"}, "`scope` chat needs `metric`"),
        (tmp_path, {"rule": "nothing"}, "nothing"),
        (perfect, {}, "only right or only wrong comparisons, which shows no spread: give a larger pilot"),
        (perfect, {"discordance": 0.2}, "shows no spread"),
        (tiny, {}, "the pilot has 4 problems, and a plan needs at least 5"),
        (pilot, {"power": None}, "`power` must be a share above 0 and below 1"),
        (pilot, {"models": None}, "`models` must be between 2 and"),
    ):
        with pytest.raises(RmevalError) as error:
            rmeval.plan(given, difference=0.1, **options)
        assert said in str(error.value)
    assert rmeval.plan([pilot[0], same], difference=0.1, discordance=0.2).discordance == 0.2


def test_no_number_of_problems(pilot: list[Path]) -> None:
    (goal,) = (found := rmeval.plan(discordance=0.2, difference=1e-5)).goals
    assert (goal.problems, goal.items, found.curve) == (None, None, ())
    assert found.notes == ("a billion problems are too few for a difference of 0.001 points",)
    few = rmeval.plan(discordance=0.2, problems=5)
    assert few.notes == ("5 problems: too few for a significant difference, which needs at least 6",)


def test_draws_of_a_pilot_have_its_sizes() -> None:
    values = Observed(np.array([0.0, 0.5, -1.0])).draw(np.random.default_rng(0), 30_000, 0.2)
    sizes, times = np.unique(np.abs(values), return_counts=True)
    assert sizes.tolist() == [0.0, 0.5, 1.0]
    assert times / 30_000 == pytest.approx(1 / 3, abs=0.02)


def test_no_torch_is_needed(pilot: list[Path]) -> None:
    code = f"import rmeval, sys; rmeval.plan({str(pilot[0])!r}, width=.1); print('torch' in sys.modules)"
    done = process("-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
