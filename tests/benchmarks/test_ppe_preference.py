from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_expit

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.ppe_preference import PPEPreference
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.metrics.scoring.ppe import METRICS
from rmeval.types import Evidence, Item, Record


def row(number: int, winner: str = "model_a", sides: tuple[str, str] = ("m1", "m2"), **more: Any) -> dict[str, Any]:
    return {
        "question_id": f"q{number}",
        "model_a": sides[0],
        "model_b": sides[1],
        "winner": winner,
        "prompt": f"What of {number}?",
        "response_1": f"answer of {sides[0]} to {number}",
        "response_2": f"another by {sides[1]} to {number}, which is longer",
        "language": "English",
        "hard_prompt": False,
        "easy_prompt": False,
        "if_prompt": False,
        "is_code": False,
        "math_prompt": False,
        **more,
    }


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "votes.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return file


def many(count: int = 60) -> list[dict[str, Any]]:
    """Votes on three models in turn; the first is the better one of each pair two times of three."""
    sides = [("m1", "m2"), ("m2", "m3"), ("m1", "m3")]
    winners = ["model_a", "model_a", "model_a", "model_b", "model_a", "tie", "model_b"]
    return [row(number, winners[number % 7], sides[number % 3]) for number in range(count)]


def numbers(items: list[Item], scores: list[list[float]]) -> dict[tuple[str, str], Record]:
    evidence = {
        item.id: Evidence(item.id, "score", np.array(own, float)) for item, own in zip(items, scores, strict=True)
    }
    return {(r.metric, r.scope): r for r in PPEPreference().aggregate(items, evidence, OFFICIAL)}


def test_items(tmp_path: Path) -> None:
    rows = [row(0), row(1, "model_b", hard_prompt=True, is_code=True), row(2, "tie (bothbad)", language="Russian")]
    rows += [row(3, "tie", language="German", math_prompt=None), row(0, "model_b") | {"question_id": "again"}]
    one, other, bad, tie, again = PPEPreference(str(written(tmp_path, rows))).load()
    assert [(r.source, r.gold) for r in one.responses] == [("m1", 1), ("m2", 0)]
    assert [(r.source, r.gold) for r in other.responses] == [("m2", 1), ("m1", 0)]
    assert other.responses[0].text.startswith("another by m2")
    assert [(r.source, r.gold) for r in bad.responses] == [("m1", 0.5), ("m2", 0.5)]
    assert [item.comparisons[0].gold for item in (one, other, bad, tie)] == [0, 0, None, None]
    tags = [item.comparisons[0].tag for item in (one, other, bad, tie)]
    assert tags == ["english/plain", "english/hard+code", "russian/plain", "other/plain"]
    assert one.cluster == again.cluster != other.cluster


def test_accuracy_leaves_human_ties_out_and_is_by_kind(tmp_path: Path) -> None:
    rows = [
        row(0, hard_prompt=True),
        row(1, hard_prompt=True, math_prompt=True, language="Chinese"),
        row(2, "model_b", is_code=True, language="Polish"),
        row(3, "tie", hard_prompt=True),
        row(4, easy_prompt=True),
        row(5, if_prompt=True),
    ]
    items = list(PPEPreference(str(written(tmp_path, rows))).load())
    # Right, right, wrong, (a tie), a tie of the model, wrong.
    found = numbers(items, [[2, 1], [2, 1], [1, 2], [5, 1], [1, 1], [0, 1]])
    assert {scope: r.value for (metric, scope), r in found.items() if metric == "accuracy"} == {
        "all": 2 / 5,
        "hard": 1.0,
        "easy": 0.0,
        "if": 0.0,
        "code": 0.0,
        "math": 1.0,
        "english": 1 / 3,
        "chinese": 1.0,
        "non-english": 0.5,
    }
    assert (found["accuracy", "all"].n_items, found["accuracy", "all"].ties) == (5, 1)
    assert found["accuracy", "hard"].formula == "accuracy@1"
    assert {metric for metric, _ in found} == {"accuracy"}, "two models are no ranking"


def test_a_run_and_a_comparison(tmp_path: Path) -> None:
    data = written(tmp_path, many())
    long = rmeval.evaluate("baseline:longest", "ppe-preference", data, out=tmp_path / "runs")
    rmeval.evaluate("baseline:shortest", "ppe-preference", data, out=tmp_path / "runs")
    assert {r.metric for r in long.records} == {"accuracy", *METRICS}
    # Model b's answer is always the longer one.
    decided = [one["winner"] for one in many() if one["winner"] != "tie"]
    assert long.value("accuracy") == pytest.approx(decided.count("model_b") / len(decided))
    assert long.value("spearman") == pytest.approx(-1)
    assert long.record("spearman", "all").null["shortest"] == pytest.approx(1)
    assert "not the whole of PPE Human Preference V1: all 60 instead of 16038 items" in long.notes
    # The numbers need no texts, nor the data.
    assert rmeval.open_run(long.path).records == long.records
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("accuracy", "all")
    difference = compared.difference("baseline:shortest", "baseline:longest")
    assert difference.value == pytest.approx(1 - 2 * long.value("accuracy"))
    assert ("spearman", "all") in compared.entries[0].records
    assert ("spearman", "all") not in compared.differences


def test_a_model_that_only_compares(tmp_path: Path) -> None:
    file = tmp_path / "longer.py"
    file.write_text(
        "class Longer:\n    def compare(self, pairs):\n"
        "        return [float(len(pair['first']) > len(pair['second'])) for pair in pairs]\n"
    )
    data = written(tmp_path, many())
    judged = rmeval.evaluate(f"{file}:Longer", "ppe-preference", data, out=tmp_path / "runs")
    scored = rmeval.evaluate("baseline:longest", "ppe-preference", data, out=tmp_path / "runs")
    assert judged.manifest["protocol"] != scored.manifest["protocol"]
    wanted = {(r.metric, r.scope): r.value for r in scored.records}
    assert {(r.metric, r.scope): r.value for r in judged.records if r.variant == judged.records[0].variant} == wanted


def test_from_a_folder_in_the_hubs_layout(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(many(9)), tmp_path / "data" / "test-00000-of-00001.parquet")
    items = list(load_benchmark("ppe-preference", str(tmp_path)).load())
    assert [item.id for item in items] == [f"q{number}" for number in range(9)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner": "model_c"}, "line 1: winner must be model_a, model_b or a tie, not 'model_c'"),
        ({"winner": None}, "column 'winner' must be a string, not null"),
        ({"is_code": "False"}, "column 'is_code' must be true or false, not a string"),
        ({"model_b": 3}, "column 'model_b' must be a string, not a number"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(PPEPreference(str(written(tmp_path, [row(1) | change]))).load())


def test_a_missing_column(tmp_path: Path) -> None:
    short = {name: value for name, value in row(1).items() if name != "if_prompt"}
    with pytest.raises(DataError, match="column 'if_prompt' is missing"):
        list(PPEPreference(str(written(tmp_path, [short]))).load())


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="lmarena-ai/PPE-Human-Preference-V1 is not in the local cache and the hub"):
        list(load_benchmark("ppe-preference").load())


def test_real_answers(shared: Path, tmp_path: Path) -> None:
    """Answers of twelve real models to 300 prompts, rated by a strong judge, in the place of people's votes."""
    rows: list[dict[str, Any]] = []
    votes: list[tuple[str, str, float, float]] = []
    with gzip.open(shared / "data" / "preferences" / "arena_bench_v1_scored.jsonl.gz", "rt") as file:
        for line in file:
            fields = json.loads(line)
            answers = fields["responses"]
            for k, one in enumerate(answers):
                other = answers[(k + 1 + len(rows) % 5) % len(answers)]
                if one is other:
                    continue
                winner = "tie" if one["score"] == other["score"] else "model_a"
                winner = "model_b" if one["score"] < other["score"] else winner
                made = row(len(rows), winner, (one["model"], other["model"]), prompt=fields["prompt"])
                rows.append(made | {"response_1": one["response"], "response_2": other["response"]})
                first = 0.5 + 0.5 * np.sign(len(one["response"]) - len(other["response"]))
                votes.append((one["model"], other["model"], {"tie": 0.5, "model_a": 1.0}.get(winner, 0.0), first))
    found = rmeval.evaluate("baseline:longest", "ppe-preference", written(tmp_path, rows), out=tmp_path / "runs")
    assert found.record("brier", "all").n_items == len(rows) > 3000
    assert found.record("brier", "all").n_clusters < 301
    # The rankings once more, by another optimiser and by scipy.
    names = sorted({name for vote in votes for name in vote[:2]})
    ratings, rates = [], []
    for column in (2, 3):
        wins = np.zeros((len(names), len(names)))
        for vote in votes:
            one, other = names.index(vote[0]), names.index(vote[1])
            credit = float(vote[column])
            wins[one, other] += credit
            wins[other, one] += 1 - credit

        def loss(rating: np.ndarray, wins: np.ndarray = wins) -> float:
            return float(-(wins * log_expit(rating[:, None] - rating[None, :])).sum())

        ratings.append(minimize(loss, np.zeros(len(names)), method="L-BFGS-B", options={"gtol": 1e-6}).x)
        with np.errstate(invalid="ignore"):
            rates.append(wins / (wins + wins.T))
    assert found.value("spearman") == pytest.approx(stats.spearmanr(ratings[0], ratings[1]).statistic)
    assert found.value("kendall") == pytest.approx(stats.kendalltau(ratings[0], ratings[1]).statistic)
    rows_of = []
    for human, judged in zip(*rates, strict=True):
        known = ~np.isnan(human)
        rows_of.append(stats.pearsonr(human[known], judged[known]).statistic)
    assert found.value("row_pearson") == pytest.approx(np.mean(rows_of))
    interval = found.record("row_pearson", "all").ci
    assert interval is not None
    assert interval[0] < found.value("row_pearson") < interval[1]
