"""Methods of training over several seeds: against the runs' own numbers, by hand, and as view and figure."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.metrics.stats.significance import holm
from rmeval.predict import Trainings, TrainingsComparison, compare_trainings
from rmeval.report import draw_trainings, markdown_text, trainings_view
from rmeval.testing import Constant, Length, Noisy

SIZE = 80
SIGMA = {"steady": 60.0, "noisy": 400.0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Three runs of each method on all domains, and on three of the four."""
    out = tmp_path_factory.mktemp("trainings")
    found: dict[str, list[Path]] = {}
    for name, sigma in SIGMA.items():
        for part in ("", "three"):
            chosen = ("math", "code", "safety-refuse", "safety-response") if part else ()
            found[name + part] = [
                rmeval.evaluate(
                    Noisy(Length(), sigma, seed), "rm-bench-synthetic", size=SIZE, subsets=chosen, out=out / part
                ).path
                for seed in range(3)
            ]
    found["constant"] = [rmeval.evaluate(Constant(), "rm-bench-synthetic", size=SIZE, out=out).path]
    return found


@pytest.fixture(scope="module")
def comparison(runs: dict[str, list[Path]]) -> TrainingsComparison:
    return compare_trainings([Trainings(name, runs[name]) for name in (*SIGMA, "constant")])


def test_numbers_are_means_of_the_runs_numbers(comparison: TrainingsComparison, runs: dict[str, list[Path]]) -> None:
    for one in comparison.numbers:
        records = [rmeval.open_run(path).records for path in runs[one.method]]
        own = [
            record.value
            for each in records
            for record in each
            if (record.metric, record.scope) == (one.metric, one.scope)
        ]
        assert one.each == pytest.approx(own)
        assert one.mean.value == pytest.approx(float(np.mean(own)))
    assert ("overall", "all") in comparison.measures


def test_differences_are_paired_and_corrected(comparison: TrainingsComparison) -> None:
    assert {(one.first, one.second) for one in comparison.differences} == {("steady", "noisy")}
    assert {one.scope for one in comparison.differences} == {"all"}
    one = comparison.difference("steady", "noisy", "easy", "all")
    first, second = (comparison.number(name, "easy", "all") for name in SIGMA)
    assert one.each == pytest.approx(np.subtract(first.each, second.each))
    assert one.mean.value == pytest.approx(first.mean.value - second.mean.value)
    assert one.leads == 1
    known = [own for own in comparison.differences if not math.isnan(own.mean.p)]
    assert [own.p_holm for own in known] == pytest.approx(holm(np.array([own.mean.p for own in known])).tolist())


def test_a_method_with_one_training_has_intervals_over_problems(comparison: TrainingsComparison) -> None:
    one = comparison.number("constant", "easy", "all")
    # Every comparison is a tie, which loses: nothing varies.
    assert (one.mean.value, one.mean.ci, one.mean.error) == (0.0, None, 0.0)
    assert any("ties" in note for note in comparison.notes)
    alone = compare_trainings([Trainings("steady", comparison_runs(comparison, "steady")[:1])])
    assert not alone.differences
    assert alone.number("steady", "easy", "chat").mean.ci is not None


def comparison_runs(comparison: TrainingsComparison, name: str) -> list[Path]:
    return list(comparison.paths[comparison.methods.index(name)])


def test_without_a_domain_the_mean_is_of_the_others(runs: dict[str, list[Path]]) -> None:
    found = compare_trainings([Trainings(name, runs[f"{name}three"]) for name in SIGMA], metrics=["easy", "hard"])
    assert dict.fromkeys(metric for metric, _ in found.measures) == {"easy": None, "hard": None}
    for name in SIGMA:
        parts = [found.number(name, "easy", scope).mean.value for scope in ("math", "code", "safety")]
        whole = found.number(name, "easy", "domains")
        assert whole.mean.value == pytest.approx(np.mean(parts))
        assert whole.mean.error < max(
            found.number(name, "easy", scope).mean.error for scope in ("math", "code", "safety")
        )
    assert len(found.differences) == 2
    assert any(note.startswith("domains: the mean of math, code, safety,") for note in found.notes)


def test_faults_are_stated(runs: dict[str, list[Path]], tmp_path: Path) -> None:
    steady, noisy = runs["steady"], runs["noisy"]
    with pytest.raises(RunError, match="`methods` is empty"):
        compare_trainings([])
    with pytest.raises(RunError, match="`methods` has no runs for a"):
        compare_trainings([Trainings("a", [])])
    with pytest.raises(RunError, match="a name twice: a, a"):
        compare_trainings([Trainings("a", steady), Trainings("a", noisy)])
    with pytest.raises(RunError, match=r"different numbers of trainings \(a 3, b 2\)"):
        compare_trainings([Trainings("a", steady), Trainings("b", noisy[:2])])
    with pytest.raises(RunError, match="has no number nothing"):
        compare_trainings([Trainings("a", steady)], metrics=["nothing"])
    with pytest.raises(RunError, match="has no score 'dpo/sum'"):
        compare_trainings([Trainings("a", steady, "dpo/sum")])
    rows = [{"prompt": f"p{k}", "chosen": "good one", "rejected": "bad"} for k in range(8)]
    other = rmeval.evaluate(Length(), "pairs", rows, out=tmp_path).path
    with pytest.raises(RunError, match="are of two benchmarks"):
        compare_trainings([Trainings("a", steady), Trainings("b", [other])])


def test_view_table_and_json(comparison: TrainingsComparison) -> None:
    text = markdown_text([trainings_view(comparison)])
    easy = comparison.difference("steady", "noisy", "easy", "all")
    assert f"{100 * easy.mean.value:+.1f}" in text
    assert f"{100 * easy.mean.mde:.1f}" in text
    rows = comparison.to_pandas()
    assert len(rows) == len(comparison.numbers) + len(comparison.differences)
    assert json.loads(json.dumps(comparison.to_dict()))["n_trainings"] == [3, 3, 1]
    assert "steady" in repr(comparison)
    html = comparison._repr_html_()
    assert html is not None
    assert "noisy" in html


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_figure_is_drawn(comparison: TrainingsComparison, tmp_path: Path, theme: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "levels.png"
    draw_trainings(comparison, path, theme)  # type: ignore[arg-type]
    assert path.stat().st_size > 10_000
    with pytest.raises(RunError, match="no theme"):
        draw_trainings(comparison, path, "blue")  # type: ignore[arg-type]
