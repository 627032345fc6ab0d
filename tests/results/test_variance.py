"""`rmeval variance`: what is read from runs, and what is printed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.report import variance_view, views_text
from rmeval.testing import Length, Noisy
from tests.command import command
from tests.results.test_wrong import OTHERS, SCORES, imported, write_rows

Capture = pytest.CaptureFixture[str]


def noisy_runs(out: Path, order: Iterable[int], seeds: Iterable[int]) -> Path:
    rows = [
        {"id": k, "prompt": f"prompt {k // 2}", "chosen": "x" * (20 + k % 7), "rejected": "y" * 20, "cluster": k // 2}
        for k in order
    ]
    data = write_rows(out / "pairs.jsonl", rows)
    for seed in seeds:
        rmeval.evaluate(Noisy(Length(), 4.0, seed), "pairs", data, out=out / "runs")
    return out / "runs"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one model with noise of four seeds, on 100 pairs of 50 problems."""
    return noisy_runs(tmp_path_factory.mktemp("seeds"), range(100), range(4))


def test_runs_that_differ_in_a_seed(seeds: Path) -> None:
    found = rmeval.variance(seeds, facet="seed")
    assert (found.n_items, found.n_problems, found.measured, len(found.runs)) == (100, 50, None, 4)
    assert [one.name for one in found.facets] == ["seed"]
    values = [rmeval.open_run(run.path).value("accuracy") for run in found.runs]
    assert [run.value for run in found.runs] == pytest.approx(values)
    assert found.value == pytest.approx(np.mean(values))
    now = found.designs[0]
    assert now.sizes == {"problem": 50, "seed": 4}
    parts = [one.variance for one in found.components]
    assert found.error == now.error == pytest.approx(math.sqrt(parts[0] / 50 + parts[1] / 4 + parts[2] / 200))
    assert now.repeat_error == pytest.approx(math.sqrt(parts[1] / 4 + parts[2] / 200))
    # The standard error of one run is that of a mean of problems.
    one = next(design for design in found.designs if design.name == "without repeats")
    assert 0.5 * one.error < math.sqrt(0.25 / 100) < 2 * one.error
    assert found.component("seed", "problem") == found.components[2]
    with pytest.raises(RunError, match="no component 'x': choose from problem, seed, problem x seed"):
        found.component("x")


def test_the_manifest_names_the_facet(seeds: Path) -> None:
    found = rmeval.variance(seeds)
    assert [one.name for one in found.facets] == ["fingerprint"]
    assert found.facets[0].entries[0] == "fingerprint"


def test_one_run_is_split_into_problems_and_their_items(seeds: Path) -> None:
    run = sorted(path.parent for path in seeds.rglob("run.json"))[0]
    found = rmeval.variance(run)
    assert found.clustering is not None
    assert [one.effect for one in found.components] == [("problem",), ("problem", "item")]
    assert found.designs[0].sizes == {"problem": 50, "item": 2.0}
    assert found.error == pytest.approx(
        math.sqrt(found.components[0].variance / 50 + found.components[1].variance / 100)
    )
    assert found.clustering.effective == pytest.approx(100 / found.clustering.design_effect)
    assert "items of one problem" in views_text([variance_view(found)])


def test_models_are_compared_and_not_averaged(tmp_path: Path) -> None:
    imported(tmp_path, "mine", SCORES)
    imported(tmp_path, "theirs", OTHERS)
    found = rmeval.variance(tmp_path / "runs")
    assert found.measured == "model"
    assert found.runs[0].levels == ("mine",)
    assert found.designs[0].reliability is not None
    assert found.designs[0].repeat_error is None
    # Credits 0 0 1 0 0 0 and 1 1 0 0 1 1: the variance of the differences is that of two interactions.
    differences = np.array([1, 1, -1, 0, 1, 1])
    assert found.component("problem", "model").variance == pytest.approx(differences.var(ddof=1) / 2)
    assert found.error == pytest.approx(math.sqrt(differences.var(ddof=1) / 6))


def test_a_score_that_one_run_lacks_is_a_missing_value(tmp_path: Path) -> None:
    imported(tmp_path, "mine", SCORES)
    imported(tmp_path, "theirs", OTHERS)
    found = rmeval.variance(tmp_path / "runs", rule="half-ties@1")
    assert "1 value missing: a problem without a score under a level" in found.notes
    assert found.n_problems == 6
    assert [run.value for run in found.runs] == pytest.approx([1.5 / 5, 4 / 6])


def test_runs_and_their_levels_are_in_one_order(tmp_path: Path) -> None:
    imported(tmp_path, "mine", SCORES)
    imported(tmp_path, "theirs", OTHERS)
    rmeval.evaluate("baseline:longest", "pairs", tmp_path / "pairs.jsonl", out=tmp_path / "runs")
    found = rmeval.variance(tmp_path / "runs")
    assert [one.name for one in found.facets] == ["model"]
    assert [run.levels for run in found.runs] == [(found.facets[0].levels[k],) for k in found.facets[0].of_run]


def test_two_settings_are_crossed_or_together(tmp_path: Path, pairs_file: Path) -> None:
    runs = [
        rmeval.evaluate(
            "rmeval/tiny",
            "pairs",
            pairs_file,
            out=tmp_path,
            dtype=dtype,
            max_length=length,
            on_overlength="truncate-left",
        ).path
        for dtype in ("float32", "bfloat16")
        for length in (12, 60)
    ]
    both = rmeval.variance(runs)
    assert [(one.name, one.levels) for one in both.facets] == [
        ("max_length", ("12", "60")), ("dtype", ("bfloat16", "float32")),
    ]  # fmt: skip
    assert len(both.components) == 7
    assert both.designs[0].sizes == {"problem": 12, "max_length": 2, "dtype": 2}
    text = views_text([variance_view(both)])
    assert "levels of \nmax_length x dtype" in text or "levels of max_length x dtype" in text
    three = rmeval.variance(runs[:3])
    assert [one.name for one in three.facets] == ["run"]
    assert "each run is a level, because the runs differ in max_length, dtype, and not each" in "".join(three.notes)
    # With both named, the combination without a run is a missing value.
    named = rmeval.variance(runs[:3], facet=["dtype", "max_length"])
    assert len(named.components) == 7


def test_the_order_of_runs_changes_nothing(seeds: Path) -> None:
    runs = sorted(path.parent for path in seeds.rglob("run.json"))
    texts = [views_text([variance_view(rmeval.variance(own))]) for own in (runs, runs[::-1], runs[2:] + runs[:2])]
    assert texts[0] == texts[1] == texts[2]


def test_the_order_of_items_changes_nothing(seeds: Path, tmp_path: Path) -> None:
    shuffled = noisy_runs(tmp_path, np.random.default_rng(0).permutation(100).tolist(), range(4))
    both = [rmeval.variance(own, facet="seed") for own in (seeds, shuffled)]
    texts = [views_text([variance_view(one)]) for one in both]
    assert texts[0] == texts[1]
    first = sorted(path.parent.name for path in seeds.rglob("run.json"))[0]
    alone = [rmeval.variance(next(own.rglob(first))) for own in (seeds, shuffled)]
    texts = [views_text([replace(variance_view(one), source=None)]) for one in alone]
    assert texts[0] == texts[1]


def test_the_command(seeds: Path, capsys: Capture) -> None:
    done = command(capsys, "variance", seeds, "--facet", "seed")
    assert done.code == 0, done.err
    for text in ("problem x seed, and the rest", "2 x seed", "best split", "same problems"):
        assert text in done.out
    value = json.loads(command(capsys, "variance", seeds, "--facet", "seed", "--json").out)
    assert value["components"][0]["effect"] == ["problem"]
    assert value["designs"][0]["sizes"] == {"problem": 50, "seed": 4}
    rows = command(capsys, "variance", seeds, "--format", "csv").out
    assert rows.startswith("benchmark,table,name,")


def test_what_notebooks_show(seeds: Path) -> None:
    found = rmeval.variance(seeds, facet="seed")
    assert repr(found).startswith("pairs  accuracy all: variance components of 4 runs\n  problem ")
    assert "problem x seed" in str(found._repr_html_())
    assert list(found.to_pandas()["effect"]) == ["problem", "seed", "problem x seed"]


OTHERWISE = """
from rmeval.benchmarks import Card, TableBenchmark
from rmeval.metrics import make_record
from rmeval.testing import make_pairs

class Otherwise(TableBenchmark):
    card = Card("otherwise", "Otherwise", "A number that its composition does not state.", "", None, "", "", "")

    def items(self, row):
        return []

    def load(self):
        yield from make_pairs(12, clusters=6)

    def aggregate(self, items, evidence, rule, intervals=True):
        return [make_record("otherwise", rule, "accuracy", "all", 0.123, self.outcomes(items, evidence, rule), "x@1")]
"""


def test_a_number_that_is_computed_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "otherwise.py"
    file.write_text(OTHERWISE)
    path = rmeval.evaluate("baseline:random", f"{file}:Otherwise", out=tmp_path / "runs").path
    with pytest.raises(RunError, match="otherwise computes accuracy all otherwise than its method composition states"):
        rmeval.variance(path, benchmark=f"{file}:Otherwise")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--facet", "fingerprnt"), "the runs do not differ in 'fingerprnt': did you mean fingerprint?"),
        (("--metric", "x"), "pairs has no 'x' on 'all': choose one of accuracy all"),
        (("--scope", "x"), "--scope x needs --metric"),
        (("--rule", "x"), "'x' is not a score rule"),
        (("--json", "--format", "csv"), "--json prints all fields"),
    ],
)
def test_wrong_options_are_one_sentence(options: tuple[str, ...], sentence: str, seeds: Path, capsys: Capture) -> None:
    done = command(capsys, "variance", seeds, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
    assert sentence in done.err


def test_runs_that_cannot_be_separated(tmp_path: Path, capsys: Capture) -> None:
    run = imported(tmp_path, "mine", SCORES)
    alone = command(capsys, "variance", run)
    assert (alone.code, alone.err.count("\n")) == (2, 1)
    assert "the variance cannot be separated: there are fewer than two problems, or each problem has a si" in alone.err
    assert "`" not in alone.err
    facet = command(capsys, "variance", run, "--facet", "x")
    assert "--facet needs several runs" in facet.err
    nowhere = command(capsys, "variance", tmp_path / "nowhere")
    assert (nowhere.code, nowhere.err.count("\n")) == (2, 1)
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path / "runs", size=160)
    both = command(capsys, "variance", tmp_path / "runs")
    assert "the runs are of pairs, rm-bench-synthetic: give runs of one benchmark" in both.err
