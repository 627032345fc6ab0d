"""Juries of several runs, by hand and over runs of real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval import RunError
from rmeval.data.families import family_of
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.outcomes import OFFICIAL, SHARED, outcomes
from rmeval.metrics.stats.juries import ballots_of
from rmeval.report import jury_view, views_text
from rmeval.types import Comparison, Item, Response
from tests.command import command
from tests.http_server import serve
from tests.judge_server import judged_pairs, scripted_judge

NAN = np.nan


def pairs(count: int) -> ItemTable:
    own = (Response("", 1.0), Response("", 0.0))
    return ItemTable.of([Item(str(n), "s", (), own, (Comparison((0, 1)),), str(n)) for n in range(count)])


def judge(table: ItemTable, prefers: list[float]) -> EvidenceTable:
    """A judge with these preferences for the first response of each pair."""
    beats = {k: np.array([[NAN, own], [1 - own, NAN]]) for k, own in enumerate(prefers)}
    return EvidenceTable(table, "verdict", np.full(2 * len(prefers), NAN), {}, beats)


def test_more_than_half_of_all_judges_decide() -> None:
    table = pairs(6)
    #       all  two  with a tie  two of two  split  one only
    one = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    two = [1.0, 1.0, 0.5, 0.0, 0.0, NAN]
    three = [1.0, 0.0, 0.5, NAN, NAN, NAN]
    found = ballots_of(table, [judge(table, own) for own in (one, two, three)])
    assert found.verdicts.tolist() == pytest.approx([0, 0, -1, 1, NAN, NAN], nan_ok=True)
    seen = found.evidence()
    assert outcomes(table, seen, OFFICIAL).credit.tolist() == [1, 1, 0, 0, 0, 0]
    shared = outcomes(table, seen, SHARED)
    assert shared.credit.tolist() == [1, 1, 0.5, 0, 0, 0]
    assert shared.failed.tolist() == [False, False, False, False, True, True]


def test_two_judges_that_differ_have_no_majority() -> None:
    table = pairs(2)
    found = ballots_of(table, [judge(table, [1.0, 1.0]), judge(table, [0.0, 0.5])])
    assert np.isnan(found.verdicts).all()


def test_the_best_of_four_needs_more_than_half_for_one_response() -> None:
    responses = tuple(Response("", float(k == 0)) for k in range(4))
    table = ItemTable.of([Item("0", "s", (), responses, (Comparison((0, 1, 2, 3)),), "0")])

    def scores(*own: float) -> EvidenceTable:
        return EvidenceTable(table, "score", np.array(own, float))

    first, second, third = scores(9, 1, 2, 3), scores(9, 8, 7, 6), scores(1, 9, 2, 3)
    assert ballots_of(table, [first, second, third]).verdicts.tolist() == [0]
    split = ballots_of(table, [first, third, scores(1, 2, 9, 3)])
    assert np.isnan(split.verdicts).all()
    # Not even the losers tie with the right response: there is no verdict.
    assert outcomes(table, split.evidence(), SHARED).failed.tolist() == [True]
    tie = scores(9, 9, 1, 1)
    assert ballots_of(table, [tie, tie, first]).verdicts.tolist() == [-1]


def test_labels_make_positions_equally_frequent() -> None:
    table = pairs(3)
    found = ballots_of(table, [judge(table, [1.0, 1.0, 0.5]), judge(table, [1.0, 0.0, NAN])])
    labels, rows = found.labels()
    assert rows.tolist() == [0, 1, 2, 0, 1, 2]
    assert labels[:, 0].tolist() == [0, 0, 2, 1, 1, 2]
    assert labels[:, 1].tolist() == pytest.approx([0, 1, NAN, 1, 0, NAN], nan_ok=True)


def test_overlapping_comparisons_of_several_have_no_jury() -> None:
    responses = (Response("", 1.0), Response("", 0.0), Response("", 0.0), Response("", 0.0))
    own = (Comparison((0, 1, 2)), Comparison((0, 1, 3)))
    table = ItemTable.of([Item("0", "s", (), responses, own, "0")])
    with pytest.raises(ValueError, match="item 0 has comparisons that share several responses"):
        ballots_of(table, [EvidenceTable(table, "score", np.arange(4.0))] * 2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of three judges in both orders, of one that writes ratings, and of a baseline, on the same 60 pairs."""
    folder = tmp_path_factory.mktemp("jury")
    file = folder / "pairs.jsonl"
    table = judged_pairs(60, file, seed=1)
    found = {}
    for number, (name, accuracy) in enumerate((("Qwen/Qwen3-8B", 0.9), ("gpt-5", 0.8), ("tiny", 0.7))):
        script = scripted_judge(table, accuracy=accuracy, position_bias=0.1, failure_rate=0.05, seed=number)
        with serve(script) as server:
            found[name] = rmeval.evaluate(
                server.url, "pairs", file, protocol="five-way", name=name, out=folder / str(number)
            ).path
    with serve(scripted_judge(table, rating="[[{}]]")) as server:
        found["rated"] = rmeval.evaluate(server.url, "pairs", file, protocol="rating", out=folder / "rated").path
    found["longest"] = rmeval.evaluate("baseline:longest", "pairs", file, out=folder / "longest").path
    return found


def test_a_jury_of_runs(runs: dict[str, Path]) -> None:
    found = rmeval.jury([runs["Qwen/Qwen3-8B"], runs["gpt-5"], runs["tiny"]])
    assert (found.n_items, found.verdicts) == (60, 120)
    # By hand: the majority in each order of the judges' evidence.
    judges = [rmeval.open_run(runs[name]) for name in ("Qwen/Qwen3-8B", "gpt-5", "tiny")]
    assert [one.record.value for one in found.jurors] == [one.value("accuracy") for one in judges]
    assert found.mean == pytest.approx(np.mean([one.record.value for one in found.jurors]))
    assert found.record.value > found.mean
    assert found.record.null["random"] == pytest.approx(0.5)
    named = {(one.agreement.name, len(one.judges)) for one in found.agreements}
    assert named == {("alpha (nominal)", 0), ("kappa (Fleiss)", 0), ("kappa (Cohen)", 2)}
    assert all(one.agreement.ci is not None for one in found.agreements)
    assert json.loads(json.dumps(found.to_dict()))["jurors"][0]["name"] == "Qwen/Qwen3-8B"
    text = views_text([jury_view(found)])
    assert "more than half of all judges decide; no majority in" in text
    assert "alpha (nominal)" in text


def test_the_command(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    three = [runs[name] for name in ("Qwen/Qwen3-8B", "gpt-5", "tiny")]
    done = command(capsys, "jury", *three)
    assert (done.code, "more than half of all judges decide" in done.out) == (0, True), done.err
    done = command(capsys, "jury", *three, "--json")
    wanted = rmeval.jury(three).to_dict()
    assert json.loads(done.out) == json.loads(json.dumps(wanted))


def test_judges_and_scalar_models_decide_together(runs: dict[str, Path]) -> None:
    found = rmeval.jury([runs["tiny"], runs["rated"], runs["longest"]])
    # One reading, because a baseline has no orders.
    assert found.verdicts == 60
    assert found.jurors[1].record.value == 1.0
    both = rmeval.jury([runs["rated"], runs["longest"]])
    assert "alpha (interval)" in {one.agreement.name for one in both.agreements}
    assert both.notes[-1].startswith("2 judges can be split evenly")


def test_mistakes_are_one_sentence(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a jury needs two judges or more"):
        rmeval.jury([runs["tiny"]])
    with pytest.raises(RunError, match="is given twice: give the runs of different judges"):
        rmeval.jury([runs["tiny"], runs["tiny"]])
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", n_items=4, out=tmp_path).path
    with pytest.raises(RunError, match=r"pairs and .* one of rm-bench-synthetic: give runs on the same"):
        rmeval.jury([runs["tiny"], other])
    with pytest.raises(RunError, match=r"no accurracy on all: did you mean `metric` accuracy"):
        rmeval.jury([runs["tiny"], runs["gpt-5"]], metric="accurracy")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen3-8B", "Qwen"),
        ("gpt-4-0125-preview", "GPT"),
        ("openai/gpt-oss-20b", "GPT"),
        ("o3-mini", "GPT"),
        ("claude-3-5-sonnet-20241022", "Claude"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", "Llama"),
        ("google/gemma-2-9b-it", "Gemini"),
        ("gemini-1.5-pro", "Gemini"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "Mistral"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "DeepSeek"),
        ("allenai/OLMo-2-1124-7B", "OLMo"),
        ("microsoft/Phi-3-mini", "Phi"),
        ("dolphin-philosophy", None),
        ("human", None),
        ("some/model-v2", None),
    ],
)
def test_families(name: str, family: str | None) -> None:
    assert family_of(name) == family
