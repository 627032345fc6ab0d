"""Models on several benchmarks: which are matched, how p-values are corrected, what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.importers.run import import_scores
from rmeval.metrics.stats.significance import holm
from tests.command import command
from tests.samples import pair_rows

BASELINES = ("longest", "shortest", "random")


def write_pairs(folder: Path, name: str, start: int, count: int = 40) -> Path:
    file = folder / f"{name}.jsonl"
    rows = pair_rows(start + count)[start:]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three baselines on two data sets of pairs and a generated benchmark; another one on the data sets only."""
    folder = tmp_path_factory.mktemp("across")
    for name, start in (("one", 0), ("two", 60)):
        data = write_pairs(folder, name, start)
        for model in (*BASELINES, "markdown"):
            rmeval.evaluate(f"baseline:{model}", "pairs", data, out=folder / "runs")
    for model in BASELINES:
        rmeval.evaluate(f"baseline:{model}", "rm-bench-synthetic", out=folder / "runs", size=40)
    return folder / "runs"


def test_all_differences_are_one_family(runs: Path) -> None:
    comparisons = rmeval.compare(runs)
    found = rmeval.compare_across(comparisons)
    assert len(found.benchmarks) == 3
    assert [name.partition(" ")[0] for name in found.benchmarks] == [one.benchmark for one in comparisons]
    # Six pairs of four models on each of two data sets, three pairs of three models on the other benchmark.
    assert len(found.differences) == 15
    apart = {(one.first, one.second): one for one in comparisons[0].differences[comparisons[0].headline or ("", "")]}
    for own in found.differences[:6]:
        pair = apart.get((own.first, own.second)) or apart[own.second, own.first]
        assert (abs(own.value), own.p) == (abs(pair.value), pair.p)
        assert own.p_corrected >= pair.p_holm
    assert [one.p_corrected for one in found.differences] == holm(
        np.array([one.p for one in found.differences])
    ).tolist()
    rate = rmeval.compare_across(comparisons, "by")
    assert [one.p for one in rate.differences] == [one.p for one in found.differences]
    assert [one.p_corrected for one in rate.differences] != [one.p_corrected for one in found.differences]
    assert [one.mean_rank_ci for one in rate.models] == [one.mean_rank_ci for one in found.models]


def test_numbers_and_mean_ranks(runs: Path) -> None:
    comparisons = rmeval.compare(runs)
    found = rmeval.compare_across(comparisons)
    *complete, partial = found.models
    assert partial.name == "baseline:markdown"
    assert (partial.mean_rank, partial.mean, partial.ranks) == (None, None, {})
    assert f"baseline:markdown was not run on {found.benchmarks[2]}: it has no mean rank and no mean" in found.notes
    for one in complete:
        values = [
            entry.records[own.headline or ("", "")].value
            for own in comparisons
            for entry in own.entries
            if entry.name == one.name
        ]
        assert [record.value for record in one.records.values()] == values
        assert one.mean == pytest.approx(sum(values) / 3)
        assert one.mean_rank is not None
        assert one.mean_rank_ci is not None
        assert one.mean_rank_ci[0] <= one.mean_rank <= one.mean_rank_ci[1]
        low, high = (sum(ends) / 3 for ends in zip(*one.ranks.values(), strict=True))
        assert one.mean_rank_ci == pytest.approx((low, high))
    assert sum(one.mean_rank or 0 for one in complete) == pytest.approx(6)
    assert [one.mean_rank for one in complete] == sorted(one.mean_rank or 0 for one in complete)


def test_a_metric_of_which_a_value_in_the_middle_is_best_has_no_mean(tmp_path: Path) -> None:
    for size, model in ((24, "longest"), (24, "shortest"), (32, "longest"), (32, "shortest")):
        rmeval.evaluate(f"baseline:{model}", "rm-bench-synthetic", out=tmp_path, size=size, seed=size)
    comparisons = rmeval.compare(tmp_path, metric="style_gap")
    found = rmeval.compare_across(comparisons)
    assert all(one.mean is None and one.mean_rank is not None for one in found.models)


def test_what_is_left_out_has_a_note(runs: Path, tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    for model in BASELINES:
        rmeval.evaluate(f"baseline:{model}", "rm-bench-synthetic", out=partial, size=40, subsets=["chat"], seed=7)
    comparisons = rmeval.compare([runs / "pairs", partial])
    found = rmeval.compare_across(comparisons)
    assert len(found.models) == 4
    assert found.notes == ("rm-bench-synthetic is excluded here, because it has no headline",)
    # Only one of these two benchmarks ranks its models.
    pairs, headless = comparisons[0], comparisons[-1]
    alone = rmeval.compare_across([pairs, headless])
    assert alone.models == ()
    assert alone.notes[-1].startswith("no two models were run on the same two other benchmarks")


def test_a_model_of_one_benchmark_has_a_note(tmp_path: Path) -> None:
    for name, start, models in (("one", 0, ("longest", "shortest", "random")), ("two", 60, ("longest", "shortest"))):
        for model in models:
            rmeval.evaluate(f"baseline:{model}", "pairs", write_pairs(tmp_path, name, start), out=tmp_path / "runs")
    comparisons = rmeval.compare(tmp_path / "runs")
    found = rmeval.compare_across(comparisons)
    assert [one.name for one in found.models] == ["baseline:shortest", "baseline:longest"]
    assert len(found.differences) == 2
    (note,) = found.notes
    assert note == f"baseline:random is excluded here, because it was run on {found.benchmarks[0]} only"


def test_models_of_different_benchmarks_have_nothing_in_common(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{model}", "pairs", write_pairs(tmp_path, "one", 0), out=tmp_path / "runs")
    for model in ("random", "markdown"):
        rmeval.evaluate(f"baseline:{model}", "rm-bench-synthetic", out=tmp_path / "runs", size=24)
    found = rmeval.compare_across(rmeval.compare(tmp_path / "runs"))
    assert (found.models, found.differences) == ((), ())
    assert found.notes == (
        "no two models were run on the same two benchmarks, so there is nothing to compare across benchmarks",
    )
    # The command prints the comparisons only, and refuses an option that would change nothing.
    assert "across benchmarks" not in command(capsys, "compare", tmp_path / "runs").out
    listed = json.loads(command(capsys, "compare", tmp_path / "runs", "--json").out)
    assert [("benchmark" in one, "across" in one) for one in listed] == [(True, False), (True, False)]
    refused = command(capsys, "compare", tmp_path / "runs", "--correction", "by")
    assert refused.code == 2
    assert "no two of these were run on the same two" in refused.err


def test_runs_of_one_name_are_matched_by_their_settings(tmp_path: Path) -> None:
    """Two scorers of one name on two data sets, and a scorer whose file differs between the data sets."""
    for name, start in (("one", 0), ("two", 60)):
        data = write_pairs(tmp_path, name, start)
        for body in ("len(c[-1]['content'])", "-len(c[-1]['content'])"):
            file = tmp_path / "scorer.py"
            file.write_text(f"class S:\n    def score(self, talks):\n        return [{body} for c in talks]\n")
            rmeval.evaluate(f"{file}:S", "pairs", data, out=tmp_path / "runs", name="mine")
    found = rmeval.compare_across(rmeval.compare(tmp_path / "runs"))
    assert len(found.models) == 2
    assert all(one.name.startswith("mine (") for one in found.models)
    assert [one.mean_rank for one in found.models] == [1.0, 2.0]


def test_other_settings_have_a_note(tmp_path: Path) -> None:
    for name, start, body in (("one", 0, "len"), ("two", 60, "-len")):
        data = write_pairs(tmp_path, name, start)
        file = tmp_path / "scorer.py"
        file.write_text(
            f"class S:\n    def score(self, talks):\n        return [{body}(c[-1]['content']) for c in talks]\n"
        )
        rmeval.evaluate(f"{file}:S", "pairs", data, out=tmp_path / "runs")
        scores = tmp_path / f"{name}-scores.jsonl"
        rows = [{"item_id": str(n), "response": k, "score": (n * k) % 7} for n in range(40) for k in (0, 1)]
        scores.write_text("".join(json.dumps(row) + "\n" for row in rows))
        import_scores(scores, rmeval.load_benchmark("pairs", str(data)), tmp_path / "runs", name="imported")
    found = rmeval.compare_across(rmeval.compare(tmp_path / "runs"))
    assert {one.name for one in found.models} == {"S", "imported"}
    # Imported scores are always another file.
    (note,) = found.notes
    assert note.startswith("S has another ")


def test_wrong_use(runs: Path) -> None:
    comparisons = rmeval.compare(runs)
    with pytest.raises(RunError, match="`correction` 'holmes' does not exist: did you mean holm"):
        rmeval.compare_across(comparisons, "holmes")
    with pytest.raises(RunError, match="give runs of two benchmarks or more"):
        rmeval.compare_across(comparisons[:1])


@pytest.mark.slow
def test_command(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "compare", str(runs), "--correction", "by", "--json")
    *each, across = json.loads(done.out)
    assert len(each) == 3
    assert across["correction"] == "by"
    assert len(across["differences"]) == 15
    assert across["models"][0]["records"][across["across"][0]]["value"] <= 1
    done = command(capsys, "compare", str(runs), "--format", "csv")
    assert "across benchmarks" in done.out
    assert "mean rank low" in done.out.partition("\n")[0]
    done = command(capsys, "compare", str(runs), "--format", "latex")
    assert "mean rank" in done.out
    done = command(capsys, "compare", str(runs / "rm-bench-synthetic"), "--correction", "by")
    assert done.code == 2
    assert done.err.startswith("error: --correction is for models that were run on several benchmarks")
    one = command(capsys, "compare", str(runs / "rm-bench-synthetic"))
    assert "across benchmarks" not in one.out
    unknown = command(capsys, "compare", str(runs), "--correction", "bonferroni")
    assert (unknown.code, "--correction 'bonferroni' is unknown" in unknown.err) == (2, True)


def test_representations(runs: Path) -> None:
    found = rmeval.compare_across(rmeval.compare(runs))
    assert repr(found).splitlines()[0] == "4 models on 3 benchmarks"
    assert "mean rank" in repr(found)
    assert "mean rank" in (found._repr_html_() or "")
    frame = found.to_pandas()
    assert len(frame) == 3 * 3 + 2
    assert set(frame["on"]) == set(found.benchmarks)
