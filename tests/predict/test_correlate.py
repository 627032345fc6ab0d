"""Correlations of scores with results of policies: by hand, by scipy, and on published boards."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import rmeval
from rmeval.errors import DataError, RmevalError, RunError
from rmeval.predict import Correlations, correlate_scores
from rmeval.report import correlations_view, draw_correlations, views_text
from rmeval.report.views import flat_rows
from tests.command import command

SCORES = """model,hard math,normal math,normal code,hard safety,hard chat
rm-a,41.2%,60%,52.0%,40.2%,20.5%
rm-b,48.0%,62%,55.9%,61.8%,31.0%
rm-c,44.1%,61%,51.1%,66.9%,12.2%
rm-d,52.7%,63%,53.7%,70.3%,35.4%
"""
POLICIES = """policy,gsm8k,humaneval,toxigen,style_control
sft,45.0,30.1,60.0,
rm-a,48.5,31.4,62.5,-0.05
rm-b,52.0,34.9,71.0,-0.01
RM_C,50.5,31.0,75.5,-0.12
org/rm-d,55.1,33.5,79.0,0.02
"""


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    scores, policies = tmp_path / "scores.csv", tmp_path / "policies.csv"
    scores.write_text(SCORES)
    policies.write_text(POLICIES)
    return scores, policies


def random_tables(folder: Path, models: int, columns: int = 2) -> tuple[Path, Path]:
    values = np.random.default_rng(0).normal(size=(models, 2 * columns))
    paths = folder / "s.json", folder / "p.json"
    for path, part in zip(paths, (values[:, :columns], values[:, columns:]), strict=True):
        rows = [{"model": f"m{k}"} | {f"c{j}": value for j, value in enumerate(row)} for k, row in enumerate(part)]
        path.write_text(json.dumps(rows))
    return paths


def test_one_pair_by_scipy(tmp_path: Path) -> None:
    scores, policies = random_tables(tmp_path, 7)
    (found,) = correlate_scores(scores, policies, pairs=[("c0", "c1")]).correlations
    x, y = (np.array([getattr(point, name) for point in found.points]) for name in ("x", "y"))
    own = {one.method: one.value for one in found.coefficients}
    assert own["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert own["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert own["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert (found.permutations, found.exact, found.least_p) == (5040, True, 1 / 5040)
    for left, place in zip(found.left_out, range(7), strict=True):
        rest = np.delete(np.arange(7), place)
        assert left.value == pytest.approx(stats.pearsonr(x[rest], y[rest]).statistic)
    assert found.most_influential == max(found.left_out, key=lambda left: abs(left.value - own["pearson"]))
    assert found.chosen.ci is not None
    assert found.chosen.ci[0] < found.chosen.value < found.chosen.ci[1]


def test_of_many_models_the_most_influential_ones_are_left_out_with_a_test(tmp_path: Path) -> None:
    scores, policies = random_tables(tmp_path, 24, 1)
    (found,) = correlate_scores(scores, policies).correlations
    changes = {one.model: abs(one.value - found.chosen.value) for one in found.left_out}
    tested = {one.model for one in found.left_out if not np.isnan(one.p)}
    assert (len(changes), tested) == (24, set(sorted(changes, key=lambda model: -changes[model])[:20]))


def test_the_treatment_of_the_paper(tables: tuple[Path, Path]) -> None:
    found = correlate_scores(*tables, treatment="rm-bench", base="sft")
    pooled, style = found.correlations
    assert pooled.policies == ("gsm8k", "humaneval", "toxigen")
    assert pooled.scores == ("scores:hard math", "scores:normal code", "scores:hard safety")
    assert (style.scores, style.policies) == (("scores:hard chat",), ("style_control",))
    assert (found.standardize, pooled.base, style.base) == ("scores", "sft", "")
    assert (pooled.permutations, pooled.least_p, pooled.chosen.ci) == (24, 1 / 24, None)
    score = np.array([[41.2, 48.0, 44.1, 52.7], [52.0, 55.9, 51.1, 53.7], [40.2, 61.8, 66.9, 70.3]])
    result = np.array([[48.5, 52, 50.5, 55.1], [31.4, 34.9, 31, 33.5], [62.5, 71, 75.5, 79]]) - [[45], [30.1], [60]]
    x = stats.zscore(score, axis=1)
    assert pooled.chosen.value == pytest.approx(stats.pearsonr(x.ravel(), result.ravel()).statistic)
    assert [point.y for point in style.points] == [-0.05, -0.01, -0.12, 0.02]
    text = " ".join(found.notes)
    assert "12 points are 4 models in 3 pairs: models are permuted, and not points" in text
    assert "no p-value below 0.042 is possible" in text
    assert "fewer than 6 models have no interval: resampling so few" in text


def test_the_relative_change_and_both_standardised(tables: tuple[Path, Path]) -> None:
    found = correlate_scores(*tables, treatment="rm-bench", base="SFT", relative="ratio")
    assert found.correlations[0].points[0].y == pytest.approx(48.5 / 45 - 1)
    # A base shifts and scales the results of a pair, which standardising them undoes.
    both = [
        correlate_scores(*tables, treatment="rm-bench", base=base, standardize="both").correlations[0].chosen
        for base in (None, "sft")
    ]
    assert both[0].value == pytest.approx(both[1].value)
    assert both[0].value != pytest.approx(found.correlations[0].chosen.value)


def test_missing_parts_of_a_treatment_are_listed(tables: tuple[Path, Path]) -> None:
    scores, policies = tables
    policies.write_text(POLICIES.replace("toxigen", "other").replace("style_control", "second"))
    found = correlate_scores(scores, policies, treatment="rm-bench")
    assert found.correlations[0].policies == ("gsm8k", "humaneval")
    assert any("has no result named safety or toxigen or xstest, for hard safety" in note for note in found.notes)
    assert any("used scores:hard math with gsm8k, scores:normal code with humaneval" in note for note in found.notes)
    scores.write_text("model,Chat Hard\nrm-a,1\n")
    with pytest.raises(
        DataError,
        match=r"finds none of its pairs \(.* not used by `treatment`: it has no number with easy or normal",
    ):
        correlate_scores(scores, policies, treatment="rm-bench")
    scores.write_text(SCORES)
    policies.write_text(POLICIES.replace("toxigen", "math"))
    with pytest.raises(DataError, match=r"policies:gsm8k, policies:math could each be math or gsm8k or gsm"):
        correlate_scores(scores, policies, treatment="rm-bench")


def test_two_numbers_for_one_result_are_compared(tmp_path: Path) -> None:
    scores, policies = random_tables(tmp_path, 10)
    found = correlate_scores(scores, policies, pairs=[("c0", "c0"), ("c1", "c0"), ("c0", "c1"), ("c1", "c1")])
    assert [(one.scores, one.policies) for one in found.correlations] == [
        (("s:c0", "s:c0"), ("c0", "c1")),
        (("s:c1", "s:c1"), ("c0", "c1")),
    ]
    (difference,) = found.differences
    one, other = (own.chosen.value for own in found.correlations)
    assert difference.value == pytest.approx(one - other)
    assert difference.ci is not None
    assert difference.ci[0] < difference.value < difference.ci[1]
    assert difference.p_corrected == difference.p


def test_differences_use_the_models_of_both(tmp_path: Path) -> None:
    scores, policies = random_tables(tmp_path, 9)
    rows = json.loads(scores.read_text())
    del rows[2]["c0"], rows[5]["c1"]
    scores.write_text(json.dumps(rows))
    found = correlate_scores(scores, policies, pairs=[("c0", "c0"), ("c1", "c0")])
    assert [len(one.models) for one in found.correlations] == [8, 8]
    assert [one.missing for one in found.correlations] == [("m2",), ("m5",)]
    (difference,) = found.differences
    assert difference.models == 7
    points = {one.name: {point.model: point for point in one.points} for one in found.correlations}
    common = [f"m{k}" for k in range(9) if k not in (2, 5)]
    values = [
        stats.pearsonr([own[name].x for name in common], [own[name].y for name in common]).statistic
        for own in points.values()
    ]
    assert difference.value == pytest.approx(values[0] - values[1])


def test_all_with_all_is_corrected(tmp_path: Path) -> None:
    scores, policies = random_tables(tmp_path, 6, 3)
    found = correlate_scores(scores, policies, method="spearman")
    assert len(found.correlations) == 9
    p = sorted((one.chosen.p, one.p_corrected) for one in found.correlations)
    assert p[0][1] == pytest.approx(min(1, 9 * p[0][0]))
    assert all(math.isnan(own.p) for one in found.correlations for own in one.coefficients[1:])
    assert any("differences of correlations are not tested" in note for note in found.notes) == (
        len(found.differences) == 0
    )
    assert "one left out" in views_text([correlations_view(found)])
    with pytest.raises(RunError, match="draws at most 6 correlations, and there are 9"):
        draw_correlations(found, Path("x.png"))


def test_every_row_of_a_file_names_its_correlation(tmp_path: Path) -> None:
    scores, policies = random_tables(tmp_path, 13)
    found = correlate_scores(scores, policies, pairs=[("c0", "c0"), ("c1", "c0")])
    left = [row for row in flat_rows(correlations_view(found)) if "left out" in row["table"]]
    assert {row["table"] for row in left} == {"5 most influential left out"}
    assert [row["correlation"] for row in left] == ["s:c0 with c0"] * 5 + ["s:c1 with c0"] * 5
    text = " ".join(found.notes)
    # 9,999 random permutations: what limits p is their number.
    assert "with 13 models, a correlation must be above" in text
    assert "no p-value" not in text


def test_equal_numbers_limit_only_their_own_correlation(tmp_path: Path) -> None:
    scores, policies = tmp_path / "s.csv", tmp_path / "p.csv"
    rows = [(1, 1, 3.0), (1, 2, 1.0), (1, 3, 2.0), (1, 4, 5.0), (2, 5, 4.0)]
    scores.write_text("model,tied,apart\n" + "".join(f"m{k},{a},{b}\n" for k, (a, b, _) in enumerate(rows)))
    policies.write_text("policy,y\n" + "".join(f"m{k},{c}\n" for k, (_, _, c) in enumerate(rows)))
    found = correlate_scores(scores, policies)
    # Two of the five places of the one model that differs, and two of 120 orders, give the largest correlation.
    assert [one.least_p for one in found.correlations] == pytest.approx([2 / 5, 2 / 120])
    assert any("with 5 models, no p-value below 0.017 is possible" in note for note in found.notes)
    assert "s:tied with y: no p-value below 0.4 is possible, because models have equal numbers" in found.notes


def test_names_without_a_counterpart_are_in_the_error(tmp_path: Path) -> None:
    scores, policies = tmp_path / "s.csv", tmp_path / "p.csv"
    scores.write_text("model,x\nrm-a,1\nbaseline:longest,2\nrm-b,3\n")
    policies.write_text("policy,y\nrm-a,1\nlongest,2\nrm-b,3\n")
    with pytest.raises(DataError, match="; baseline:longest and longest are in one of them only"):
        correlate_scores(scores, policies)


def test_a_model_that_carries_the_correlation_is_named(tmp_path: Path) -> None:
    scores, policies = tmp_path / "s.csv", tmp_path / "p.csv"
    scores.write_text("model,x\na,1\nb,2\nc,3\nd,4\ne,5\nf,60\n")
    policies.write_text("model,y\na,5\nb,4\nc,3\nd,2\ne,1\nf,90\n")
    found = correlate_scores(scores, policies, pairs=[("x", "y")])
    assert found.correlations[0].chosen.value > 0.9
    assert "s:x: without f, the sign changes (-1.00 instead of 0.99)" in found.notes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": [("hard math", "gsm")]}, r"`pair`: there is no column of numbers 'gsm' in .*policies.csv"),
        ({"base": "sftt", "pairs": [("hard math", "gsm8k")]}, r"has no row 'sftt': did you mean sft\?"),
        ({"method": "pearsn"}, r"`method` 'pearsn' does not exist: did you mean pearson\?"),
        ({"relative": "x"}, "`relative` 'x' does not exist: choose one of difference, ratio"),
        ({"standardize": "x"}, "`standardize` 'x' does not exist"),
        ({"treatment": "rmbench"}, r"`treatment` 'rmbench' does not exist: did you mean rm-bench\?"),
        ({"treatment": "rm-bench", "pairs": [("hard math", "gsm8k")]}, "give one of them"),
        ({"match": {"rm-z": "sft"}}, r"`match`: there is no model 'rm-z' in the table of scores"),
        (
            {"base": "sft", "relative": "ratio", "pairs": [("hard chat", "style_control")]},
            "`base` sft has no number in column 'style_control'",
        ),
    ],
)
def test_wrong_arguments(tables: tuple[Path, Path], arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        correlate_scores(*tables, **arguments)  # type: ignore[arg-type]


def test_a_base_that_is_not_positive_has_no_relative_changes(tables: tuple[Path, Path]) -> None:
    """Relative changes from -29 would reverse the order of the results, and the sign of the correlation."""
    for number in ("-29", "0"):
        tables[1].write_text(POLICIES.replace("sft,45.0", f"sft,{number}"))
        with pytest.raises(DataError, match=rf"`base` sft has the number {number} in column 'gsm8k', .* positive one"):
            correlate_scores(*tables, pairs=[("hard math", "gsm8k")], base="sft", relative="ratio")
        found = correlate_scores(*tables, pairs=[("hard math", "gsm8k")], base="sft")
        assert found.correlations[0].chosen.value > 0
    with pytest.raises(DataError, match="`relative` ratio is a change from a `base`"):
        correlate_scores(*tables, pairs=[("hard math", "gsm8k")], relative="ratio")


@pytest.mark.parametrize(("unit", "size"), [("e200", "large"), ("e-200", "small"), ("e308", "large")])
def test_numbers_without_squares_are_refused(tables: tuple[Path, Path], unit: str, size: str) -> None:
    tables[0].write_text(f"model,x\nrm-a,1{unit}\nrm-b,-1{unit}\nrm-c,0\n")
    with pytest.raises(DataError, match=rf"scores:x has numbers up to .* too {size} for a correlation"):
        correlate_scores(*tables, pairs=[("x", "gsm8k")])


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            "model,x\nq,1\nr,2\n",
            "no model is in both .*s.csv and .*policies.csv, where models have names such as q and",
        ),
        ("model,x\nrm-a,1\nrm-b,2\n", "are both known of 2 models .* and a correlation needs three"),
        ("model,x\nrm-a,1\nrm-b,1\nrm-c,1\n", "s:x is 1 for all 3 models: choose another column"),
        ("model,x\nrm-a,1\nrm-a,1\nrm-c,1\n", r"s has 2 rows of rm-a \(rows 1, 2\)"),
    ],
)
def test_tables_without_a_correlation(tables: tuple[Path, Path], scores: str, message: str) -> None:
    path = tables[0].with_name("s.csv")
    path.write_text(scores)
    for pairs in ([], [("x", "gsm8k")]):
        with pytest.raises(RmevalError, match=message):
            correlate_scores(path, tables[1], pairs=pairs)


def boards(shared: Path) -> Correlations:
    folder = shared / "data" / "published"
    return correlate_scores(
        folder / "rm-bench-leaderboard.csv",
        folder / "rewardbench-v1-leaderboard.csv",
        pairs=[("Hard", "Score"), ("Normal", "Score")],
        match={
            "FsfairX-LLLaMA3-RM-v0.1": "sfairXC/FsfairX-LLaMA3-RM-v0.1",
            "Nemotron-340B-Reward": "nvidia/Nemotron-4-340B-Reward",
        },
    )


def test_published_boards(shared: Path) -> None:
    found = boards(shared)
    hard, normal = found.correlations
    assert len(found.matches[0].found) == len(hard.models) == 20
    assert hard.chosen.value == pytest.approx(-0.060, abs=0.001)
    assert normal.chosen.value == pytest.approx(0.771, abs=0.001)
    assert normal.chosen.ci is not None
    assert normal.chosen.ci[0] > 0
    assert normal.chosen.p < 0.01 < hard.chosen.p
    text = " ".join(found.notes)
    assert "9 of 49 rows contradict themselves" in text
    assert "Score mixes two formulas: 98 of 187 rows include Prior Sets" in text


def test_figures_and_tables(tables: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(
        capsys, "correlate", tables[0], "--against", tables[1], "--treatment", "rm-bench", "--base", "sft",
        "--plots", tmp_path / "light",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "drawn: " in done.err
    for text in ("scores, 3 pairs", "RM_C", "spelled differently", "without organisation", "by all 24 permutations"):
        assert text in done.out
    assert "results: minus those of sft, but not style_control" in done.out
    dark = command(
        capsys, "correlate", tables[0], "--against", tables[1], "--pair", "hard math=gsm8k", "--match", "rm-a=rm-a",
        "--plots", tmp_path / "dark", "--dark", "--json",
    )  # fmt: skip
    fields = json.loads(dark.out)
    assert fields["correlations"][0]["policies"] == ["gsm8k"]
    assert fields["matches"][0]["found"][0] == {"score": "rm-a", "policy": "rm-a", "how": "given"}
    pictures = [(tmp_path / name / "correlate.png").read_bytes() for name in ("light", "dark")]
    assert all(one.startswith(b"\x89PNG") for one in pictures)
    assert pictures[0] != pictures[1]
    found = rmeval.correlate(*tables, treatment="rm-bench", base="sft")
    draw_correlations(found, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    for text in ("rm-a", "RM_C", "result, relative to sft", "Pearson 0.60, p 0.042, 4 models"):
        assert f"<!-- {text} -->" in drawn, text
    assert "0.60, p 0.0417, 4 models" in repr(found)
    assert "rm-a" in str(found._repr_html_())
    assert len(found.to_pandas()) == 6


def test_a_column_is_not_correlated_with_itself(tables: tuple[Path, Path]) -> None:
    path = tables[0]
    with pytest.raises(DataError, match=r"scores.csv: hard math is correlated with itself: choose another column"):
        correlate_scores(path, path, pairs=[("hard math", "hard math")])
    assert correlate_scores(path, path, pairs=[("hard math", "hard chat")]).correlations[0].chosen.value < 1


def test_the_output_replaces_no_input(tables: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for path in tables:
        done = command(capsys, "correlate", tables[0], "--against", tables[1], "-o", path, "--overwrite")
        assert (done.code, f"-o {path} is also read: choose another file" in done.err) == (2, True), done.err
    assert (tables[0].read_text(), tables[1].read_text()) == (SCORES, POLICIES)


def test_errors_name_options(tables: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "correlate", tables[0], "--against", tables[1], "--pair", "hard mth=gsm8k")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--pair: there is no column of numbers 'hard mth'" in done.err
    assert "did you mean hard math?" in done.err
    for pair in ("hard math", "=x", "x="):
        done = command(capsys, "correlate", tables[0], "--against", tables[1], "--pair", pair)
        assert (done.code, "--pair takes SCORE=RESULT" in done.err) == (2, True)
    done = command(capsys, "correlate", tables[0].with_name("no.csv"), "--against", tables[1])
    assert (done.code, done.err.count("\n")) == (2, 1)
