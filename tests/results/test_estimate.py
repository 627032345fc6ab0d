"""`estimate`: which samples it takes, what it states first, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.data.item_list import read_item_list
from rmeval.errors import DataError, RmevalError, RunError
from rmeval.importers.run import import_scores
from rmeval.results.choose import choose_items
from rmeval.results.estimate import Estimate, estimate_runs
from rmeval.runs.select import Selection
from rmeval.store.items import read_items
from rmeval.store.manifest import read_manifest
from tests.runs.test_runner import Stopping
from tests.runs.test_runner import run as run_model

COUNT = 120


def rows() -> list[dict[str, Any]]:
    return [
        {
            "id": f"q{number}",
            "prompt": f"What is {number}?",
            "chosen": f"It is {number}.",
            "rejected": f"It is not {number}!",
            "subset": "even" if number % 2 == 0 else "odd",
        }
        for number in range(COUNT)
    ]


def write(path: Path, found: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def margins_of(seed: int) -> list[float]:
    """Margins of a model that shares most of what it knows with the model of every other seed."""
    shared = np.random.default_rng(0).normal(size=COUNT)
    found: list[float] = (shared + np.random.default_rng(seed).normal(size=COUNT) * 0.6 + 0.6).tolist()
    return found


def run(
    folder: Path,
    name: str,
    margins: Sequence[float | None],
    selection: Selection = Selection(),  # noqa: B008  frozen
    data: list[dict[str, Any]] | None = None,
    failing: Collection[int] = (),
) -> Path:
    """A run of a model with these margins; None is an item without scores, and a failing item has only one score."""
    folder.mkdir(parents=True, exist_ok=True)
    found = rows() if data is None else data
    benchmark = rmeval.load_benchmark("pairs", str(write(folder / "pairs.jsonl", found)))
    scores = [
        {"item_id": f"q{number}", "response": index, "score": score}
        for number, margin in enumerate(margins)
        for index, score in enumerate((margin, None if margin is None or number in failing else 0.0))
        if score is not None
    ]
    file = write(folder / f"{name}.jsonl", scores)
    return import_scores(file, benchmark, folder / f"runs-{name}", selection, name=name).path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cheap run, an expensive run on all items, and samples of it."""
    out = tmp_path_factory.mktemp("runs")
    drawn = Selection(n_items=60, seed=3)
    return {
        "cheap": run(out / "cheap", "cheap", margins_of(1)),
        "all": run(out / "all", "large", margins_of(2)),
        "sample": run(out / "sample", "large", margins_of(2), drawn),
        "opposite": run(out / "opposite", "opposite", [-margin for margin in margins_of(1)]),
        "first": run(out / "first", "large", margins_of(2), Selection(limit=60)),
        "odd": run(out / "odd", "large", margins_of(2), Selection(("odd",), n_items=40)),
        "few": run(out / "few", "large", margins_of(2), Selection(n_items=9)),
    }


def test_a_random_sample(runs: dict[str, Path]) -> None:
    found = estimate_runs(runs["cheap"], runs["sample"])
    truth = rmeval.open_run(runs["all"]).value("accuracy")
    assert (found.n_items, found.n_sample, found.how) == (120, 60, "drawn at random (seed 3)")
    assert found.ci[0] < truth < found.ci[1]
    assert found.cheap_value == pytest.approx(rmeval.open_run(runs["cheap"]).value("accuracy"))
    assert found.correlation == pytest.approx(correlation(runs), abs=0.05)
    assert found.saved > 0.05
    assert found.ci[1] - found.ci[0] < found.ci_alone[1] - found.ci_alone[0]
    assert found.notes == ()


def correlation(runs: dict[str, Path]) -> float:
    """The correlation of credits on the sampled items within the two subsets, computed in another way."""
    drawn = [int(name[1:]) for name in read_ids(runs["sample"])]
    credits_ = np.array([[margin > 0 for margin in margins_of(seed)] for seed in (1, 2)], float)[:, drawn]
    odd = np.array(drawn) % 2
    for part in (0, 1):
        credits_[:, odd == part] -= credits_[:, odd == part].mean(axis=1, keepdims=True)
    return float(np.corrcoef(credits_)[0, 1])


def read_ids(folder: Path) -> list[str]:
    return list(read_items(folder / "items.parquet").table.ids)


def test_the_sample_alone_weights_subsets_as_the_benchmark(runs: dict[str, Path]) -> None:
    drawn = [int(name[1:]) for name in read_ids(runs["sample"])]
    won = {number: margins_of(2)[number] > 0 for number in drawn}
    parts = [np.mean([own for number, own in won.items() if number % 2 == part]) for part in (0, 1)]
    assert estimate_runs(runs["cheap"], runs["sample"]).value_alone == pytest.approx(np.mean(parts))


def test_a_model_of_opposite_preferences_helps_as_much(runs: dict[str, Path]) -> None:
    one, other = (estimate_runs(runs[name], runs["sample"]) for name in ("cheap", "opposite"))
    assert [other.value, *other.ci] == pytest.approx([one.value, *one.ci])
    assert other.correlation == pytest.approx(-one.correlation)


def test_a_useless_model_is_called_that(runs: dict[str, Path], tmp_path: Path) -> None:
    noise = np.random.default_rng(9).normal(size=COUNT).tolist()
    found = estimate_runs(run(tmp_path, "noise", noise), runs["sample"])
    assert not found.helps
    assert "noise does not help: it saves" in found.notes[0]
    assert "report the sample alone" in found.notes[0]


def test_the_population(runs: dict[str, Path]) -> None:
    one = estimate_runs(runs["cheap"], runs["sample"])
    other = estimate_runs(runs["cheap"], runs["sample"], target="population")
    assert other.value == one.value
    assert other.ci[1] - other.ci[0] > one.ci[1] - one.ci[0]
    assert other.saved < one.saved


def test_a_sample_of_a_subset_is_enough_for_its_number(runs: dict[str, Path]) -> None:
    found = estimate_runs(runs["cheap"], runs["odd"], metric="accuracy", scope="odd")
    assert (found.n_items, found.n_sample) == (60, 40)
    with pytest.raises(RunError, match="only items of odd, and accuracy all depends on even too: choose another"):
        estimate_runs(runs["cheap"], runs["odd"])


def test_what_is_no_random_sample(runs: dict[str, Path], tmp_path: Path) -> None:
    for sample, sentence in (
        ("first", "has the first 60 items, which are not a random sample: run it again with `n_items`"),
        ("all", "has all 120 items, so there is nothing to estimate"),
        ("cheap", "are both .*: give the runs of two models"),
        ("few", "has scores of 9 items that accuracy all depends on: run the model on 10 or more"),
    ):
        with pytest.raises(RunError, match=sentence):
            estimate_runs(runs["cheap"], runs[sample])
    part = run(tmp_path, "part", [margin if number < 50 else None for number, margin in enumerate(margins_of(2))])
    with pytest.raises(RunError, match="has the first 50 items of 120, which are not a random sample: choose the item"):
        estimate_runs(runs["cheap"], part)
    with pytest.raises(DataError, match="`target` 'x': choose benchmark or population"):
        estimate_runs(runs["cheap"], runs["sample"], target="x")


def test_unknown_samples_are_noted(runs: dict[str, Path], tmp_path: Path) -> None:
    kept = set(np.random.default_rng(4).permutation(COUNT)[:50].tolist())
    some = [margin if number in kept else None for number, margin in enumerate(margins_of(2))]
    found = estimate_runs(runs["cheap"], run(tmp_path, "some", some))
    assert found.how == "chosen in an unknown way"
    assert any("holds only if its items are a random sample" in note for note in found.notes)
    # A file with scores of 40 of 60 drawn items is no random sample of all either.
    drawn = Selection(n_items=60, seed=3)
    lacking = run(tmp_path / "lacking", "lacking", [*margins_of(2)[:80], *[None] * 40], drawn)
    assert estimate_runs(runs["cheap"], lacking).how == "chosen in an unknown way"


def test_a_sample_of_other_data_is_noted(runs: dict[str, Path], tmp_path: Path) -> None:
    more = [{**row, "id": f"q{COUNT + number}", "prompt": f"Why {number}?"} for number, row in enumerate(rows())]
    sample = run(tmp_path, "large", margins_of(2) * 2, Selection(n_items=100), data=[*rows(), *more])
    found = estimate_runs(runs["cheap"], sample)
    assert 30 < found.n_sample < 70
    assert found.how == "chosen in an unknown way"
    assert f"{sample} is on other data than {runs['cheap']}: the estimate holds only if" in found.notes[-1]


def test_a_sample_of_easy_items_is_doubted(runs: dict[str, Path], tmp_path: Path) -> None:
    easy = np.argsort(margins_of(1))[-50:]
    some = [margin if number in easy else None for number, margin in enumerate(margins_of(2))]
    found = estimate_runs(runs["cheap"], run(tmp_path, "easy", some))
    assert [note for note in found.notes if note.startswith("is the sample random? cheap has 100.0% on it and")]


def test_the_order_of_items_changes_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    order = np.random.default_rng(5).permutation(COUNT)
    shuffled = run(tmp_path, "cheap", margins_of(1), data=[rows()[number] for number in order])
    one, other = (estimate_runs(cheap, runs["sample"]) for cheap in (runs["cheap"], shuffled))
    assert numbers(other) == pytest.approx(numbers(one), abs=1e-12)
    chosen = [
        {row["id"]: row["probability"] for row in choose_items(cheap, 30).rows} for cheap in (runs["cheap"], shuffled)
    ]
    assert chosen[0] == pytest.approx(chosen[1])


def numbers(found: Estimate) -> list[float]:
    return [found.value, *found.ci, found.value_alone, *found.ci_alone, found.correlation, found.saved, found.worth]


def test_chosen_items(runs: dict[str, Path], tmp_path: Path) -> None:
    chosen = choose_items(runs["cheap"], 50, seed=1)
    chosen.write(tmp_path / "items.csv")
    listed = read_item_list(tmp_path / "items.csv")
    assert len(chosen.rows) == 50
    assert {row["of"] for row in chosen.rows} == {120}
    margin = {f"q{number}": abs(value) for number, value in enumerate(margins_of(1))}
    uncertain = sorted(chosen.rows, key=lambda row: margin[row["id"]])
    assert [row["probability"] for row in uncertain] == sorted((row["probability"] for row in uncertain), reverse=True)
    expensive = run(tmp_path, "large", margins_of(2), Selection(items=listed))
    assert set(read_ids(expensive)) == set(listed.probabilities)
    found = estimate_runs(runs["cheap"], expensive, items=tmp_path / "items.csv")
    assert found.how == f"drawn with the probabilities in {tmp_path / 'items.csv'}"
    # The weighted mean of credits within the two subsets, whose weights are equal.
    parts = []
    for part in (0, 1):
        own = [row for row in chosen.rows if int(row["id"][1:]) % 2 == part]
        weights = [1 / row["probability"] for row in own]
        parts.append(np.average([margins_of(2)[int(row["id"][1:])] > 0 for row in own], weights=weights))
    assert found.value_alone == pytest.approx(np.mean(parts))
    # A run on more items than the drawn ones gives the same estimate.
    assert numbers(estimate_runs(runs["cheap"], runs["all"], items=tmp_path / "items.csv")) == numbers(found)


def test_chosen_items_are_not_taken_for_random_ones(runs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    choose_items(runs["cheap"], 50).write(file)
    expensive = run(tmp_path, "large", margins_of(2), Selection(items=read_item_list(file)))
    entry = read_manifest(expensive)["selection"]["items"]
    assert (entry["file"], entry["count"], entry["drawn"]) == ("items.jsonl", 50, True)
    with pytest.raises(RunError, match="which have different probabilities: give that file with `items`"):
        estimate_runs(runs["cheap"], expensive)
    other = tmp_path / "other.jsonl"
    choose_items(runs["cheap"], 50, seed=1).write(other)
    with pytest.raises(RunError, match=r"is a run on another list of items than .*other.jsonl"):
        estimate_runs(runs["cheap"], expensive, items=other)
    with pytest.raises(RunError, match=r"lacks .* items of .*other.jsonl, so the sample is not the one that was drawn"):
        estimate_runs(runs["cheap"], runs["sample"], items=other)
    with pytest.raises(RunError, match=r"was drawn from 120 items, and accuracy odd of .* depends on 60"):
        estimate_runs(runs["cheap"], expensive, items=file, metric="accuracy", scope="odd")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([{"id": "q1"}, {"id": "q1"}], "line 2: the id 'q1' is in an earlier row: give each item once"),
        ([{"id": "q1", "probability": 0.0}], "the probability must be above 0 and at most 1, not 0.0"),
        ([{"id": "q1", "probability": "x"}], "the probability must be above 0 and at most 1, not 'x'"),
        ([{"id": "q1", "probability": 0.5}, {"id": "q2"}], "has a probability in some rows only"),
        ([{"name": "q1"}], "column 'id' is missing"),
        ([{"id": f"q{k}"} for k in range(20)], "has no column probability: give the file of items that `choose` drew"),
        (
            [{"id": f"z{k}", "probability": 0.5} for k in range(20)],
            "has 20 items on which accuracy all of .* not depend",
        ),
    ],
)
def test_wrong_lists(lines: list[dict[str, Any]], sentence: str, runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RmevalError, match=sentence):
        estimate_runs(runs["cheap"], runs["sample"], items=write(tmp_path / "items.jsonl", lines))


@pytest.mark.parametrize(
    ("count", "options", "sentence"),
    [
        (9, {}, "`choose` must be a whole number and at least 10, not 9"),
        (120, {}, "`choose` must be less than 120, the number of items that accuracy all of .* depends on, not 120"),
        (20, {"seed": -1}, "`seed` must be a whole number and at least 0, not -1"),
        (20, {"metric": "acuracy"}, "did you mean `metric` accuracy"),
        (20, {"scope": "odd"}, "`scope` odd needs `metric`"),
    ],
)
def test_wrong_choices(count: int, options: dict[str, Any], sentence: str, runs: dict[str, Path]) -> None:
    with pytest.raises(RmevalError, match=sentence):
        choose_items(runs["cheap"], count, **options)


def test_missing_scores(runs: dict[str, Path], tmp_path: Path) -> None:
    """A missing score is lost, or not part of the number, for either model."""
    failing = range(0, COUNT, 10)
    missing = run(tmp_path / "sample", "large", margins_of(2), Selection(n_items=60, seed=3), failing=failing)
    lost = estimate_runs(runs["cheap"], missing)
    excluded = estimate_runs(runs["cheap"], missing, rule="half-ties@1")
    count = sum(int(name[1:]) % 10 == 0 for name in read_ids(missing))
    assert f"large: {count} comparisons without a score, counted as lost" in lost.notes
    assert f"large: {count} comparisons without a score, treated by the rule half-ties@1" in excluded.notes
    kept = [int(name[1:]) for name in read_ids(missing) if int(name[1:]) % 10]
    parts = [np.mean([margins_of(2)[number] > 0 for number in kept if number % 2 == part]) for part in (0, 1)]
    assert excluded.value_alone == pytest.approx(np.mean(parts))
    assert lost.value_alone < excluded.value_alone
    part = run(tmp_path / "cheap", "cheap", margins_of(1), failing=failing)
    found = estimate_runs(part, runs["sample"], rule="half-ties@1")
    assert "cheap: 12 comparisons without a score, treated by the rule half-ties@1" in found.notes
    assert found.value_alone == pytest.approx(estimate_runs(runs["cheap"], runs["sample"]).value_alone)
    assert found.value == pytest.approx(estimate_runs(runs["cheap"], runs["sample"]).value, abs=0.05)


def test_unfinished_runs(runs: dict[str, Path], tmp_path: Path) -> None:
    benchmark = rmeval.load_benchmark("pairs", str(write(tmp_path / "pairs.jsonl", rows())))
    with pytest.raises(KeyboardInterrupt):
        run_model(Stopping(after=100), benchmark, tmp_path / "runs")
    with pytest.raises(RunError, match=r"is unfinished: .* which is not a random sample: continue that run"):
        estimate_runs(runs["cheap"], tmp_path / "runs")
    with pytest.raises(RunError, match=r"is unfinished: .*: continue that run first"):
        estimate_runs(tmp_path / "runs", runs["sample"])


def test_other_benchmarks(runs: dict[str, Path], tmp_path: Path) -> None:
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=tmp_path)
    with pytest.raises(RunError, match="is a run of rm-bench-synthetic, not of pairs: give two runs of one benchmark"):
        estimate_runs(runs["cheap"], other)


def test_without_a_headline_the_numbers_are_named(tmp_path: Path) -> None:
    cheap = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=48, subsets=["chat"], out=tmp_path)
    with pytest.raises(RunError, match=r"is of all items of .*: choose `metric` and `scope` among easy chat, normal"):
        choose_items(cheap, 10)
    found = choose_items(cheap, 10, metric="average", scope="chat")
    assert f"{cheap.path} has not all items of the benchmark: subsets chat" in found.notes


def test_a_cheap_run_of_a_part(runs: dict[str, Path], tmp_path: Path) -> None:
    cheap = run(tmp_path, "cheap", margins_of(1), Selection(n_items=100, seed=3))
    found = estimate_runs(cheap, runs["sample"])
    assert (found.n_items, found.n_sample) == (100, 60)
    assert any("has not all items of the benchmark (100 items at random (seed 3))" in note for note in found.notes)


def test_python_shows_it(runs: dict[str, Path]) -> None:
    found = rmeval.estimate(runs["cheap"], runs["sample"])
    assert repr(found).startswith("pairs  large: accuracy ")
    assert "estimated from 60 of 120 items" in repr(found)
    assert found.to_pandas()["estimate"].tolist() == ["both models", "sample alone"]
    assert "sample alone" in str(found._repr_html_())
    assert json.loads(json.dumps(found.to_dict()))["helps"] is True
