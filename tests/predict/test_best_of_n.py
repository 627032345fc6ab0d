"""Curves of best-of-N from runs: equal to the runs' own numbers, aligned, with another quality, and written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import DataError, RunError
from rmeval.metrics.outcomes import HALF
from rmeval.predict import CandidateSet, best_of_n_curves, candidates_of_runs, write_picks
from tests.command import command, process
from tests.test_imports import EXTRAS, WITHOUT

MODELS = """
import math, re


class Good:
    def score(self, talks):
        return [float(re.search(r"score ([-.0-9e]+)", talk[-1]["content"])[1]) for talk in talks]


class Bad:
    def score(self, talks):
        return [-score for score in Good().score(talks)]


class Coarse:
    def score(self, talks):
        return [round(score) for score in Good().score(talks)]
"""


def rows_of(prompts: int, responses: int, seed: int = 0) -> list[dict[str, Any]]:
    """Candidates whose texts hold a score that goes with quality, with answers of which the right ones are equal."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(prompts):
        gold = random.random(responses) < random.uniform(0.1, 0.7)
        score = gold + random.normal(0, 1, responses)
        wrong = random.integers(0, 3, responses)
        answers = ["right" if good else f"wrong {k}" for good, k in zip(gold.tolist(), wrong.tolist(), strict=True)]
        found.append(
            {
                "id": f"p{number}",
                "prompt": f"problem {number // 2}",
                "responses": [f"{answer}, score {own:.6f}" for answer, own in zip(answers, score, strict=True)],
                "gold": gold.tolist(),
                "answers": answers,
                "subset": "even" if number % 2 else "odd",
            }
        )
    return found


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bon")
    (out / "models.py").write_text(MODELS)
    data = written(out / "candidates.jsonl", rows_of(60, 8))
    for name in ("Good", "Bad", "Coarse"):
        rmeval.evaluate(f"{out}/models.py:{name}", "best-of-n", data, out=out / "runs")
    return out


@pytest.fixture(scope="module")
def curves(folder: Path) -> rmeval.BestOfNCurves:
    return rmeval.bon(folder / "runs")


def run_of(folder: Path, name: str) -> Path:
    return next(path for path in (folder / "runs" / "best-of-n").iterdir() if path.name == name)


def test_the_curves_are_the_runs_own_numbers(folder: Path, curves: rmeval.BestOfNCurves) -> None:
    assert (curves.numbers, curves.n_prompts, curves.n_clusters, curves.n_responses) == ((1, 2, 4, 8), 60, 30, 480)
    for name in ("Good", "Bad", "Coarse"):
        run, own = rmeval.open_run(run_of(folder, name)), curves.picker(name)
        for point in own.points[1:]:
            record = run.record(f"best_of_{point.n}")
            assert point.quality == pytest.approx(record.value)
            assert point.ci == pytest.approx(record.ci)
        assert own.best_picked == pytest.approx(run.value("best_picked"))
        assert own.by_subset == pytest.approx([run.record("best_of_8", name).value for name, _ in curves.subsets])
    assert curves.picker("oracle", "oracle").end.quality == pytest.approx(run.value("oracle"))
    assert curves.picker("random", "random").end.quality == pytest.approx(run.value("best_of_1"))


def test_the_curves_say_which_models_help(curves: rmeval.BestOfNCurves) -> None:
    good, bad, random = curves.picker("Good"), curves.picker("Bad"), curves.picker("random", "random")
    assert good.end.quality > random.end.quality > bad.end.quality
    assert (random.share, curves.picker("oracle", "oracle").share) == (0, 1)
    assert 0 < good.share < 1
    assert bad.share < 0
    low, high = good.share_ci or (math.nan, math.nan)
    assert 0 < low < good.share < high < 1
    # Rounded scores tie; the plain vote has no score.
    assert curves.picker("Coarse").tied > 0 == good.tied
    assert math.isnan(curves.picker("majority vote", "majority").end.proxy)
    leads = {(one.first, one.second): one.leads for one in curves.differences}
    assert len(leads) == 10
    assert (leads["Good", "random"], leads["Bad", "random"], leads["Bad", "Good"]) == (1, -1, -1)


def test_the_proxy_rises_while_the_quality_of_a_bad_model_falls(curves: rmeval.BestOfNCurves) -> None:
    bad = curves.picker("Bad")
    assert bad.points[0].proxy == 0
    assert (np.diff([point.proxy for point in bad.points]) > 0).all()
    found = bad.overoptimisation
    assert found is not None
    assert (found.peak, found.p < 0.01, found.fitted_peak) == (1, True, None)
    assert found.says.startswith("quality falls from ")
    rising = curves.picker("Good").overoptimisation
    assert rising is not None
    assert (rising.peak, rising.drop) == (8, 0)
    assert rising.says == "quality is highest at n = 8: no over-optimisation is seen up to there"
    low, high = rising.alpha_ci or (math.nan, math.nan)
    assert 0 < low < rising.alpha < high


def test_a_fall_in_few_problems_is_not_tested() -> None:
    quality = np.tile([0.0, 0.0, 1.0, 1.0], 3)
    few = CandidateSet(
        "f", ("a", "b", "c"), np.arange(4) * 4, quality, None, np.arange(3), ("s",) * 3, {"bad": -quality}
    )
    found = best_of_n_curves(few).picker("bad").overoptimisation
    assert found is not None
    assert found.says == "highest at n = 1, but a fall from 50.0% to 0.0% at n = 4 is not tested"


def test_a_constant_model_votes_like_the_majority_and_does_not_fall(tmp_path: Path) -> None:
    rows = rows_of(40, 6)
    for row in rows:
        row["scores"] = {"flat": [0.0] * 6}
    rows[0]["scores"] = {"flat": [1.0] * 6}
    path, other = tmp_path / "c.jsonl", tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    other.write_text("".join(json.dumps(row | {"scores": {"first": [1, 0, 0, 0, 0, 0]}}) + "\n" for row in rows))
    found = rmeval.bon([path, other])
    flat, majority = found.picker("flat"), found.picker("majority vote", "majority")
    assert [point.quality for point in flat.points] == pytest.approx([flat.points[0].quality] * len(flat.points))
    assert flat.overoptimisation is not None
    assert flat.overoptimisation.says == "quality is the same at every n up to 6"
    # Zeros as weights would make all answers equal.
    weighted = found.picker("flat", "weighted")
    assert [point.quality for point in weighted.points] == pytest.approx([point.quality for point in majority.points])
    assert found.source.endswith("c.jsonl and 1 more file")


def test_runs_are_aligned_on_common_prompts(folder: Path, tmp_path: Path) -> None:
    rows = rows_of(60, 8)
    data = written(tmp_path / "some.jsonl", [*rows[30:], *rows_of(5, 8, seed=1)][::-1][:-3])
    other = rmeval.evaluate(f"{folder}/models.py:Good", "best-of-n", data, out=tmp_path / "runs")
    found = rmeval.bon([run_of(folder, "Bad"), other])
    assert found.n_prompts == 27
    assert any("compared on the 27 items that all runs have" in note for note in found.notes)
    table = {row["id"]: row for row in rows}
    chosen = [table[name] for name in found.candidates.ids]
    quality = [float(own) for row in chosen for own in row["gold"]]
    np.testing.assert_array_equal(found.candidates.quality, quality)
    np.testing.assert_array_equal(found.candidates.scores["Good"], -found.candidates.scores["Bad"])


def test_scores_of_another_run_as_quality(folder: Path, tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "gold"} for row in rows_of(40, 4)]
    data = written(tmp_path / "candidates.jsonl", rows)
    one, judge = (
        rmeval.evaluate(f"{folder}/models.py:{name}", "best-of-n", data, out=tmp_path / "runs")
        for name in ("Coarse", "Good")
    )
    with pytest.raises(RunError, match=r"no prompt whose responses all have a known quality: .*, give `gold`"):
        rmeval.bon(one)
    found = rmeval.bon(one, gold=judge)
    assert (found.quality, found.proportion) == ("scores of Good", False)
    np.testing.assert_array_equal(found.candidates.quality.round(), found.candidates.scores["Coarse"])
    # Judged by its own scores, a model is the oracle.
    same = rmeval.bon(judge, gold=judge)
    assert same.picker("Good").end == replace(same.picker("oracle", "oracle").end, proxy=same.picker("Good").end.proxy)
    assert same.picker("Good").share == 1


def ragged(**changes: Any) -> CandidateSet:
    """Four prompts with 1, 2, 4 and 4 responses."""
    fields: dict[str, Any] = {
        "source": "here",
        "ids": ("a", "b", "c", "d"),
        "offsets": np.array([0, 1, 3, 7, 11]),
        "quality": np.array([1.0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0]),
        "groups": None,
        "cluster": np.arange(4),
        "subset": ("x",) * 4,
        "scores": {"m": np.arange(11.0)},
    }
    return CandidateSet(**fields | changes)


def test_the_prompts_are_the_same_at_every_n() -> None:
    with pytest.raises(RunError, match=r"a prompt has only 1 response, .*: give `max_n`, such as 3, to leave out"):
        best_of_n_curves(ragged())
    found = best_of_n_curves(ragged(), max_n=4)
    assert (found.n_prompts, found.numbers, found.sizes) == (2, (1, 2, 4), (4, 4))
    assert found.notes[0] == "2 prompts of 4 left out, with fewer than 4 responses"
    found = best_of_n_curves(ragged(), at=[2, 1])
    assert (found.n_prompts, found.numbers, found.sizes) == (3, (1, 2), (2, 4))
    # At n = 2, every subset of two of four responses counts.
    assert found.picker("m").end.quality == pytest.approx((1 + (1 + 1 + 1 + 1 + 1 + 0) / 6 + 0) / 3)
    found = best_of_n_curves(ragged(offsets=np.array([0, 3, 5, 8, 11])))
    assert (found.n_prompts, found.numbers) == (4, (1, 2))
    assert "prompts have 2 to 3 responses: all subsets of up to 2 of them are used" in found.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_n": 5}, "no prompt has 5 responses: they have 1 to 4"),
        ({"at": [0, 2]}, "`at` must be numbers of responses from 1"),
        ({"at": [8], "max_n": 4}, "`at` 8 is larger than `max_n` 4"),
        ({"at": [1, 9]}, "no prompt has 9 responses"),
        ({"at": [1]}, "`at` 1 leaves nothing to pick from: give larger numbers too"),
        ({"max_n": 0}, "no prompt has 0 responses: they have 1 to 4"),
    ],
)
def test_numbers_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError, match=message):
        best_of_n_curves(ragged(), **options)


def test_missing_values_are_counted() -> None:
    scores = np.arange(11.0)
    scores[[3, 7, 8, 9, 10]] = np.nan
    found = best_of_n_curves(ragged(scores={"m": scores}), max_n=4)
    # A prompt without any score counts as its worst response.
    assert found.picker("m").end.quality == 0.5
    assert found.picker("m").missing == 5
    assert any(note.startswith("m: 5 missing scores, never the highest") for note in found.notes)
    with pytest.raises(RunError, match="no prompt has 4 responses: they have 1 to 2"):
        best_of_n_curves(ragged(scores={"m": scores}), max_n=4, rule=HALF)
    quality = ragged().quality.copy()
    quality[4] = np.nan
    found = best_of_n_curves(ragged(quality=quality), max_n=4)
    assert (found.n_prompts, found.notes[0]) == (
        1,
        "1 prompt of 4 left out, because the quality of a response is not known",
    )


def test_equal_scores_are_a_random_pick() -> None:
    found = best_of_n_curves(ragged(scores={"m": np.zeros(11)}), max_n=4)
    assert [point.quality for point in found.picker("m").points] == [0.375] * 3
    assert [point.proxy for point in found.picker("m").points] == [0] * 3
    assert found.picker("m").share == 0


def test_a_model_without_any_score_has_no_numbers() -> None:
    lost = np.full(11, np.nan)
    with pytest.raises(RunError, match="here has no score of m: add the scores"):
        best_of_n_curves(ragged(scores={"m": lost}), max_n=4)
    lost[:3] = 1.0  # Scores of prompts that have too few responses.
    found = best_of_n_curves(ragged(scores={"lost": lost, "m": np.arange(11.0)}), max_n=4)
    assert [one.name for one in found.pickers if one.kind == "model"] == ["m"]
    assert "lost is left out, because it has no score of these prompts" in found.notes


def test_large_numbers() -> None:
    quality = ragged().quality.copy()
    quality[5] = 1e60
    with pytest.raises(RunError, match=r"here has the quality 1e\+60: give numbers between -1e\+50 and 1e\+50"):
        best_of_n_curves(ragged(quality=quality), max_n=4)
    quality[5] = -1e50
    assert best_of_n_curves(ragged(quality=quality), max_n=4).picker("oracle", "oracle").end.quality == 1.0
    # A proxy in standard deviations does not depend on the unit of the scores.
    one, other = (
        best_of_n_curves(ragged(scores={"m": np.arange(11.0) * unit}), max_n=4).picker("m") for unit in (1, 1e307)
    )
    assert [point.proxy for point in other.points] == pytest.approx([point.proxy for point in one.points])


def test_a_quality_that_does_not_change_is_no_fall() -> None:
    found = best_of_n_curves(ragged(scores={"m": np.zeros(11)}), max_n=4).picker("m").overoptimisation
    assert found is not None
    assert found.says == "quality is the same at every n up to 4"


def test_candidates_without_scores_have_baselines() -> None:
    groups = np.array([0, 0, 0, 0, 0, 1, 1, 0, 1, 1, -1])
    found = best_of_n_curves(ragged(scores={}, groups=groups), max_n=4)
    assert [one.kind for one in found.pickers] == ["random", "majority", "oracle"]
    assert "1 response of 8 without a final answer, and so without a vote" in found.notes
    with pytest.raises(RunError, match="here has no scores of a reward model: there are no picks"):
        write_picks(found, Path("picks.jsonl"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("a", "b", "c", "a")}, "two prompts have the id 'a'"),
        ({"quality": np.zeros(3)}, "a column of responses does not have 11 values"),
        ({"offsets": np.array([0, 0, 3, 7, 11])}, "every prompt needs a cluster, a subset and at least one response"),
    ],
)
def test_candidate_sets_are_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ragged(**change)


def test_picks(folder: Path, curves: rmeval.BestOfNCurves, tmp_path: Path) -> None:
    assert write_picks(curves, tmp_path / "picks.jsonl") == []
    picks = [json.loads(line) for line in (tmp_path / "picks.jsonl").read_text().splitlines()]
    assert len(picks) == 3 * 60
    table = {row["id"]: row for row in rows_of(60, 8)}
    for pick in picks:
        row = table[pick["id"]]
        assert pick["text"] == row["responses"][pick["pick"]]
        assert pick["gold"] == row["gold"][pick["pick"]]
    good = [pick for pick in picks if pick["model"] == "Good"]
    assert np.mean([pick["gold"] for pick in good]) == pytest.approx(curves.picker("Good").end.quality)
    with pytest.raises(RunError, match="has the picks of one model, not of"):
        write_picks(curves, tmp_path / "alpaca.json", "alpaca-eval")
    one = rmeval.bon(run_of(folder, "Good"))
    write_picks(one, tmp_path / "alpaca.json", "alpaca-eval")
    outputs = json.loads((tmp_path / "alpaca.json").read_text())
    assert len(outputs) == 60
    assert outputs[0] == {
        "instruction": "problem 0", "output": good[0]["text"], "generator": "best of 8 by Good"
    }  # fmt: skip


def test_picks_without_texts(folder: Path, tmp_path: Path) -> None:
    data = written(tmp_path / "candidates.jsonl", rows_of(10, 4))
    run = rmeval.evaluate(f"{folder}/models.py:Good", "best-of-n", data, out=tmp_path / "runs")
    found = rmeval.bon(run)
    data.unlink()
    (note,) = write_picks(found, tmp_path / "picks.jsonl")
    assert note.startswith("the picks have no texts: ")
    assert "text" not in json.loads((tmp_path / "picks.jsonl").read_text().splitlines()[0])
    with pytest.raises(RunError, match="its data cannot be read again"):
        write_picks(found, tmp_path / "alpaca.json", "alpaca-eval")


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(
        capsys, "bon", folder / "runs", "--plots", tmp_path, "--dark", "--picks", tmp_path / "picks.csv", "--at", "1,8"
    )
    assert done.code == 0, done.err
    assert "60 prompts of 30 problems with 8 responses; quality: gold, in %" in done.out
    assert "majority vote" in done.out
    assert (tmp_path / "best-of-n.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "picks.csv").read_text().startswith("id,model,pick,score,gold,tied,text")
    done = command(capsys, "bon", folder / "runs", "--picks", tmp_path / "picks.csv")
    assert (done.code, "--overwrite" in done.err) == (2, True)
    done = command(capsys, "bon", folder / "runs", "--json")
    found = json.loads(done.out)
    assert [one["name"] for one in found["pickers"] if one["kind"] == "model"] == ["Bad", "Coarse", "Good"]
    assert len(found["pickers"][0]["points"]) == 4
    for form in ("md", "latex", "csv", "json"):
        assert command(capsys, "bon", folder / "runs", "--format", form).code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--at 1,x", "--at must be whole numbers from 1, such as 1,4,16, not 'x'"),
        ("--at 1,16", "no prompt has 16 responses: they have 8"),
        ("--max-n 9", "no prompt has 9 responses: they have 8"),
        ("--picks-layout alpaca-eval", "--picks-layout is for the file of --picks: give that, or leave it out"),
        ("--gold nowhere", "nowhere"),
    ],
)
def test_refused_options(options: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "bon", folder / "runs", *options.split())
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--picks same.json -o same.json", "same.json is also the file of --picks: choose another file"),
        ("--picks own.json --overwrite", "--picks own.json is also read: choose another file"),
    ],
)
def test_no_output_replaces_another_or_the_input(
    options: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.json").write_text(json.dumps([row | {"scores": [1, 2]} for row in rows_of(6, 2)]))
    before = Path("own.json").read_bytes()
    done = command(capsys, "bon", "own.json", *options.split())
    assert (done.code, message in done.err) == (2, True), done.err
    assert {path.name for path in tmp_path.iterdir()} == {"own.json"}
    assert Path("own.json").read_bytes() == before


def test_other_runs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs"
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=out, n_items=5)
    data = written(tmp_path / "candidates.jsonl", rows_of(6, 1))
    single = rmeval.evaluate("baseline:longest", "best-of-n", data, out=out)
    with pytest.raises(RunError, match="these are runs of best-of-n, rm-bench-synthetic: give runs on the same"):
        rmeval.bon(out)
    with pytest.raises(RunError, match=r"every prompt of .* has one response: best-of-N needs two or more"):
        rmeval.bon(single)


def test_other_benchmarks_with_quality_work(tmp_path: Path) -> None:
    """RM-Bench's six responses have gold 1 or 0: the pick among all of them is right or wrong."""
    run = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, n_items=8)
    found = candidates_of_runs(run).candidates
    assert set(found.sizes.tolist()) == {6}
    assert found.groups is None
    curves = rmeval.bon(run)
    assert curves.picker("random", "random").end.quality == 0.5
    assert any(note.startswith("no majority vote, because final answers are not known") for note in curves.notes)


def test_files_with_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The candidates' own file with a column of scores gives the numbers of a run that gives these scores."""
    rows = rows_of(30, 8)
    scored = [row | {"scores": {"m": [float(text.split()[-1]) for text in row["responses"]]}} for row in rows]
    file = written(tmp_path / "scored.jsonl", scored)
    (tmp_path / "models.py").write_text(MODELS)
    run = rmeval.evaluate(f"{tmp_path}/models.py:Good", "best-of-n", file, out=tmp_path / "runs")
    one, other = rmeval.bon(file), rmeval.bon(run)
    assert [point.quality for point in one.picker("m").points] == pytest.approx(
        [point.quality for point in other.picker("Good").points]
    )
    votes = [found.picker("majority vote", "majority") for found in (one, other)]
    assert [(point.quality, point.ci) for point in votes[0].points] == [
        (point.quality, point.ci) for point in votes[1].points
    ]
    (note,) = write_picks(one, tmp_path / "picks.jsonl")
    assert note == "the picks have no texts, because the candidates do not come from a run"
    for options, message in (
        ((file, run.path), "is a file and"),
        ((file, "--gold", run.path), "--gold is for runs, and"),
        ((file, "--steps", "min"), "has no scores of steps"),
        ((run.path, "--steps", "min"), "--steps is for files of candidates: leave it out for runs"),
    ):
        done = command(capsys, "bon", *options)
        assert (done.code, message in done.err) == (2, True), done.err


def test_a_published_file_gives_its_published_number(shared: Path) -> None:
    """RewardMATH is a best-of-10 with one right solution: .1718 for the product of the steps' scores."""
    found = rmeval.bon(shared / "data" / "dumps" / "rewardmath-Math_Shepherd_reward.json.gz", steps="prod")
    assert found.pickers[0].end.quality == pytest.approx(0.1718, abs=5e-5)
    assert [point.quality for point in found.picker("random", "random").points] == pytest.approx([0.1] * 5)


def test_the_shapes_of_results(curves: rmeval.BestOfNCurves) -> None:
    assert "Good (model): " in repr(curves)
    html = curves._repr_html_()
    assert html is not None
    assert "over-optimisation" in html
    table = curves.to_pandas()
    assert len(table) == 4 * len(curves.pickers)
    assert {"picker", "kind", "n", "kl", "quality", "ci", "proxy"} <= set(table.columns)
    json.dumps(curves.to_dict(), allow_nan=False)


def test_it_needs_no_extra(folder: Path) -> None:
    done = process("-c", WITHOUT.format(extras=EXTRAS, arguments=["bon", str(folder / "runs")]))
    assert done.returncode == 0, done.stderr
    assert "oracle" in done.stdout
