"""After how many problems the better of two models is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.data.tables import ItemTable
from rmeval.errors import RunError
from rmeval.metrics import OFFICIAL
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.scoring.style_substance import style_substance_composition
from rmeval.metrics.stats.contributions import ContributionBounds
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.testing import make_evidence, make_items
from tests.command import command
from tests.runs.until import Skilled, written

SKILLS = {"weak": 0.5, "middle": 0.7, "also-middle": 0.7, "strong": 0.85}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leads")
    data = written(folder, 400)
    for name, skill in SKILLS.items():
        rmeval.evaluate(Skilled(name, skill), "pairs", data, out=folder / "runs")
    return folder / "runs"


def test_contributions_add_up_to_the_number() -> None:
    items = ItemTable.of(make_items(400))
    found = outcomes(items, make_evidence(list(items), accuracy=0.8), OFFICIAL)
    paired = PairedOutcomes.of([found])
    for measure, shares in style_substance_composition(paired.counts).items():
        every = ContributionBounds.of(measure, shares, paired.counts, found, items)
        added = every.added(found, items.cluster)
        assert added.sum() == pytest.approx(paired.means[0] @ paired.shares(shares), abs=1e-12)
        assert (added >= every.low - 1e-15).all()
        assert (added <= every.high + 1e-15).all()
        gap = measure[0] == "style_gap"
        assert (every.low.sum(), every.high.sum()) == pytest.approx((-1.0 if gap else 0.0, 1.0))


def test_pairs_are_decided_in_turn(runs: Path) -> None:
    (found,) = rmeval.decide(runs)
    assert (found.benchmark, found.rule, found.measure) == ("pairs", "official@1", ("accuracy", "all"))
    assert len(found.pairs) == 6
    assert found.notes == ()
    order = [one.decided or 1000 for one in found.pairs]
    assert order == sorted(order)
    by_names = {(one.first, one.second): one for one in found.pairs}
    clear = by_names["strong", "weak"]
    assert clear is found.pairs[0]
    assert clear.decided is not None
    assert clear.decided < 80
    assert clear.decided_items == 2 * clear.decided
    for one in found.pairs:
        assert one.value >= 0
        assert (one.decided is not None) == (one.p < 0.05) == (one.ci[0] > 0 or one.ci[1] < 0)
        assert one.ci[0] <= one.value <= one.ci[1]
        assert (one.n_clusters, one.of_clusters, one.n_items, one.of_items) == (200, 200, 400, 400)
    (compared,) = rmeval.compare(runs)
    for (first, second), one in by_names.items():
        assert one.value == pytest.approx(compared.difference(first, second).value)
    equal = next(one for names, one in by_names.items() if set(names) == {"middle", "also-middle"})
    assert (equal.decided, equal.decided_items, equal.saved) == (None, None, None)
    # Two runs alone have their own level.
    (alone,) = rmeval.decide([path for name in ("strong", "weak") for path in runs.glob(f"pairs/{name}/*")])
    (pair,) = alone.pairs
    assert pair.p == pytest.approx(clear.p / 6)
    assert pair.ci[0] > clear.ci[0]
    assert pair.decided is not None
    assert pair.decided <= clear.decided


def test_order_of_items_and_names_of_models_have_no_effect(runs: Path, tmp_path: Path) -> None:
    data = written(tmp_path, 400, shuffled=True)
    for name in reversed(SKILLS):
        model = Skilled(name, SKILLS[name])
        model.name = f"z-{name}"[::-1]
        rmeval.evaluate(model, "pairs", data, out=tmp_path / "runs")
    rows = [found.to_dict()["pairs"] for (found,) in (rmeval.decide(runs), rmeval.decide(tmp_path / "runs"))]
    numbers = [
        sorted(
            [round(value, 12) for value in (*row.pop("ci"), *row.values()) if isinstance(value, float | int)]
            for row in own
        )
        for own in rows
    ]
    assert len(numbers[0]) == 6
    assert numbers[0] == numbers[1]


def test_on_the_command_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "compare", runs, "--until", "decided")
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert "4 models; order of problems: seed 0; ties and failures: official@1" in text
    assert "leads in accuracy, in points, as problems come in random order" in text
    assert "valid at every look and for all 6 pairs together (Bonferroni)" in text
    assert "not decided on all problems: " in text
    as_json = json.loads(command(capsys, "compare", runs, "--until", "decided", "--json").out)
    assert as_json == [one.to_dict() for one in rmeval.decide(runs)]
    assert command(capsys, "compare", runs, "--until", "decided", "-o", tmp_path / "leads.csv").code == 0
    lines = (tmp_path / "leads.csv").read_text().splitlines()
    assert lines[0] == (
        "benchmark,data,table,name,difference,difference low,difference high,p,decided_after,compared,problems,"
        "saved_items,items,seed"
    )
    first = as_json[0]["pairs"][0]
    assert lines[1].endswith(f",{first['decided']},200,200,{first['saved']},400,0")
    for form in ("md", "latex", "json"):
        assert "strong" in command(capsys, "compare", runs, "--until", "decided", "--format", form).out
    html = rmeval.decide(runs)[0]._repr_html_()
    assert html is not None
    assert "decided after" in html


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--until", "3"], "--until must be decided, not '3': widths are for rmeval run"),
        (["--until", "decided", "--ensemble", "mean"], "--ensemble does not apply to --until: leave one of them out"),
        (["--until", "decided", "--plots", "p"], "--plots does not apply to --until: leave one of them out"),
        (["--until", "decided", "--margin", "2"], "--margin does not apply to --until: leave one of them out"),
        (
            ["--until", "decided", "--intervals", "single"],
            "--intervals does not apply to --until: leave one of them out",
        ),
        (["--until", "decided", "--scope", "chat"], "--scope chat needs --metric: give both, such as --metric average"),
        (
            ["--until", "decided", "--metric", "hard"],
            "pairs has no hard all on these items that is a weighted mean over problems (there are accuracy all): "
            "choose another --metric and --scope",
        ),
        (
            ["--until", "decided", "--metric", "style_gap"],
            "of style_gap, 0 is best: choose a --metric that is better if it is larger",
        ),
    ],
)
def test_what_it_cannot_do_is_an_error(
    runs: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    done = command(capsys, "compare", runs, *more)
    assert (done.code, done.err) == (2, f"error: {message}\n")


def test_one_run_is_not_enough(runs: Path) -> None:
    with pytest.raises(RunError, match=r"^there is nothing to compare: give two runs or more of one benchmark$"):
        rmeval.decide(next(runs.glob("pairs/weak/*")))


def test_runs_of_other_beginnings_are_compared_on_what_they_share(tmp_path: Path) -> None:
    data = written(tmp_path, 200)
    rmeval.evaluate(Skilled("a", 0.9), "pairs", data, out=tmp_path / "runs", limit=140)
    rmeval.evaluate(Skilled("b", 0.5), "pairs", data, out=tmp_path / "runs", n_items=150)
    (found,) = rmeval.decide(tmp_path / "runs")
    (one,) = found.pairs
    assert one.n_items == one.of_items
    assert 60 < one.n_items < 140
    # A part of the problems that is the beginning of the random order stands for all.
    rmeval.evaluate(Skilled("c", 0.9), "pairs", data, out=tmp_path / "more", until=0.3)
    rmeval.evaluate(Skilled("d", 0.5), "pairs", data, out=tmp_path / "more")
    (one,) = rmeval.decide(tmp_path / "more")[0].pairs
    assert one.n_items < one.of_items == 200


def test_subsets_that_the_shorter_run_lacks_by_chance_still_have_their_weight(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    rmeval.evaluate("baseline:markdown", "rm-bench-synthetic", out=out, size=400)
    rmeval.evaluate("baseline:random", "rm-bench-synthetic", out=out, size=400, until="decided", versus=out)
    (one,) = rmeval.decide(out)[0].pairs
    assert one.of_items == 400
    assert one.n_items < 400
    rmeval.evaluate("baseline:random", "rm-bench-synthetic", out=out, size=400)
    (whole,) = rmeval.decide(out)[0].pairs
    assert whole.decided == one.decided == one.n_clusters


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_problems(tmp_path: Path, count: int) -> None:
    data = written(tmp_path, count)
    for name, skill in (("a", 1.0), ("b", 0.0)):
        rmeval.evaluate(Skilled(name, skill), "pairs", data, out=tmp_path / "runs", until=0.2)
    (one,) = rmeval.decide(tmp_path / "runs")[0].pairs
    assert (one.decided, one.ci[1]) == (None, 1.0)
    assert one.value == pytest.approx(1)
