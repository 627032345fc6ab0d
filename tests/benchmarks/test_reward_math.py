from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.reward_math import TAG, RewardMath
from rmeval.errors import DataError
from rmeval.importers.run import import_scores
from rmeval.metrics.outcomes import HALF, OFFICIAL
from rmeval.types import Comparison, Evidence, FloatArray, Item, Record, Response
from tests.command import command


def rows(problems: int, wrong: int = 9) -> list[dict[str, Any]]:
    return [
        {
            "problem": f"How much is {n} + {n}?",
            "answer": str(2 * n),
            "eval_solution": [f"I add {n} to itself.", f"It is {2 * n + k}."],
            "solution_reference": "human_to_GPT-4" if k == 0 else f"model-{k}",
            "solution_type": "rejected" if k else "chosen",
            "subject": "Algebra",
            "level": 1 + n % 5,
            "problem_id": n,
            "id": 10 * n + k,
        }
        for n in range(problems)
        for k in range(wrong + 1)
    ]


def written(folder: Path, found: list[dict[str, Any]]) -> Path:
    file = folder / "solutions.json"
    file.write_text(json.dumps(found))
    return file


def numbers(scores: list[list[float]], rule: Any = OFFICIAL) -> dict[str, Record]:
    items = [
        Item(
            str(n),
            "all",
            (),
            tuple(Response("", float(k == 0)) for k in range(len(own))),
            (Comparison(tuple(range(len(own))), 0, TAG),),
            str(n),
        )
        for n, own in enumerate(scores)
    ]
    evidence = {str(n): Evidence(str(n), "score", np.array(own, float)) for n, own in enumerate(scores)}
    return {record.metric: record for record in RewardMath().aggregate(items, evidence, rule)}


def test_by_hand() -> None:
    # Ranks 1, 3, and 2 of a tie at the top, which counts against the right one.
    found = numbers([[3, 1, 2], [0, 1, 2], [2, 2, 1]])
    assert found["accuracy"].value == pytest.approx(1 / 3)
    assert found["mrr"].value == pytest.approx((1 + 1 / 3 + 1 / 2) / 3)
    assert found["mrr"].formula == "reward-math/mrr@1"
    assert found["mrr"].ties == 1
    failed = numbers([[3, 1, 2], [np.nan, 1, 2]])
    assert failed["mrr"].value == 0.5
    assert failed["mrr"].failures == 1
    assert numbers([[3, 1, 2], [np.nan, 1, 2]], HALF)["mrr"].value == 1.0
    # Where ties are shared, a model that says the same of all is as good as chance: (1 + 1/2 + 1/3) / 3.
    assert numbers([[1, 1, 1]], HALF)["mrr"].value == pytest.approx(11 / 18)
    assert numbers([[2, 2, 1]], HALF)["mrr"].value == pytest.approx(3 / 4)


def sorted_rank(own: list[float]) -> int:
    """As the reference sorts: by score, and of equal scores wrong ones first."""
    order = sorted([(score, "cho" if k == 0 else "rej") for k, score in enumerate(own)], reverse=True)
    return 1 + [kind for _, kind in order].index("cho")


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=10, max_size=10), min_size=1, max_size=5))
@pytest.mark.slow
def test_ranks_are_those_of_sorting(scores: list[list[float]]) -> None:
    found = numbers(scores)
    assert found["mrr"].value == pytest.approx(np.mean([1 / sorted_rank(own) for own in scores]))
    assert found["accuracy"].value == pytest.approx(np.mean([own[0] > max(own[1:]) for own in scores]))


def test_of_comparisons_the_rank_is_one_more_than_those_lost() -> None:
    beats: FloatArray = np.full((4, 4), 0.5)
    beats[0] = [0.5, 1.0, 0.0, 0.5]
    item = Item(
        "0", "all", (), tuple(Response("", float(k == 0)) for k in range(4)), (Comparison((0, 1, 2, 3), 0, TAG),), "0"
    )
    evidence = {"0": Evidence("0", "orders/mean", np.full(4, np.nan), beats)}
    found = {record.metric: record for record in RewardMath().aggregate([item], evidence, OFFICIAL)}
    assert found["mrr"].value == pytest.approx(1 / 3)


def test_interval_is_no_proportions(tmp_path: Path) -> None:
    found = numbers(np.random.default_rng(0).normal(size=(80, 10)).tolist())
    assert found["accuracy"].ci_method == "wilson"
    assert (found["mrr"].ci_method or "").startswith("score")


def test_a_run_from_rows_and_from_the_hubs_layout(tmp_path: Path) -> None:
    mixed = rows(6)
    np.random.default_rng(0).shuffle(mixed)
    result = rmeval.evaluate("baseline:longest", "reward-math", written(tmp_path, mixed), out=tmp_path / "runs")
    assert result.record("accuracy").n_items == 6
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows(6)), tmp_path / "data" / "test-00000-of-00001.parquet")
    items = list(load_benchmark("reward-math", str(tmp_path)).load())
    assert [item.id for item in items] == [str(n) for n in range(6)]
    assert items[1].responses[0].text == "I add 1 to itself.\nIt is 2."
    assert items[1].responses[3].source == "model-3"
    assert items[4].meta == {"subject": "Algebra", "level": 5}
    rmeval.evaluate("baseline:shortest", "reward-math", written(tmp_path, mixed), out=tmp_path / "runs")
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("accuracy", "all")
    assert ("mrr", "all") in compared.differences
    assert "not the whole of RewardMATH: all 6 instead of 483 items" in result.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solution_type": "rejected"}, "problem 0 has the solutions rejected, rejected"),
        ({"problem": "another"}, "problem 0 has two texts"),
        ({"eval_solution": "text"}, "column 'eval_solution' must be a list of strings"),
        ({"solution_reference": {"x": 1}}, "column 'solution_reference' must be a string, not an object"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    found = rows(1)
    found[0] |= change
    with pytest.raises(DataError, match=message):
        list(RewardMath(str(written(tmp_path, found))).load())


def test_other_numbers_of_solutions_are_told(tmp_path: Path) -> None:
    benchmark = RewardMath(str(written(tmp_path, rows(2) + [row | {"problem_id": 7} for row in rows(1, wrong=3)])))
    assert "not comparable with published numbers: 1 item without 10 responses" in benchmark.notes(
        list(benchmark.load())
    )


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="RewardMATH/RewardMATH is not in the local cache"):
        list(load_benchmark("reward-math").load())


def results(found: list[dict[str, Any]], scores: list[list[Any]]) -> list[dict[str, Any]]:
    """Rows as the reference writes them: a list of writers and one of scores a problem, the right one first."""
    size = len(scores[0])
    return [
        {
            "problem": found[size * n]["problem"],
            "solution_reference": [row["solution_reference"] for row in found[size * n : size * (n + 1)]],
            "score": own,
        }
        for n, own in enumerate(scores)
    ]


def brought(folder: Path, found: list[dict[str, Any]], published: list[dict[str, Any]]) -> rmeval.Result:
    """The results imported, of data whose rows stand in another order."""
    mixed = list(found)
    np.random.default_rng(3).shuffle(mixed)
    file = folder / "some_reward.json"
    file.write_text(json.dumps(published))
    return import_scores(file, RewardMath(str(written(folder, mixed))), folder / "runs")


def test_published_results_are_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(12)
    scores = np.random.default_rng(1).integers(0, 4, (12, 10)).tolist()
    scores[0] = [[score] for score in scores[0]]
    published = results(found, scores)
    # Two of the authors' files hold some problems twice.
    result = brought(tmp_path, found, [*published, published[-1]])
    scores[0] = [score for (score,) in scores[0]]
    assert result.value("accuracy") == pytest.approx(np.mean([own[0] > max(own[1:]) for own in scores]))
    assert result.value("mrr") == pytest.approx(np.mean([1 / sorted_rank(own) for own in scores]))
    assert (result.record("mrr").n_items, result.manifest["model"]["name"]) == (12, "some_reward")

    wrong = [published[0] | {"problem": "What else?"}]
    (tmp_path / "other.json").write_text(json.dumps(wrong))
    done = command(
        capsys, "import", tmp_path / "other.json", "-b", "reward-math", "--data", tmp_path / "solutions.json",
        "-o", tmp_path / "more",
    )  # fmt: skip
    assert (done.code, "belongs to an item of the benchmark" in done.err) == (2, True)


def test_each_score_goes_to_the_solution_of_its_writer(tmp_path: Path) -> None:
    """Also where one model wrote several, and the name of one is not known."""
    found = rows(1, wrong=3)
    for row, writer in zip(found, ("human_to_GPT-4", "", "model-x", "model-x"), strict=True):
        row["solution_reference"] = writer
    file = tmp_path / "some_reward.json"
    published = results(found, [[4.0, 2.0, 3.0, 1.0]])[0]
    published["solution_reference"] = ["human_to_GPT-4", "model-x", "", "model-x"]
    file.write_text(json.dumps([published]))
    # The right one stands last in the data, and first in the results.
    data = written(tmp_path, [*found[1:], found[0]])
    result = import_scores(file, RewardMath(str(data)), tmp_path / "runs")
    scores = pq.read_table(result.path / "scores.parquet").to_pylist()
    assert [(row["response"], row["score"]) for row in scores] == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 1.0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"score": ["A", "B", "A"], "chosen_position": ["A"] * 3},
            "entry 0: 'score' and 'chosen_position' must contain a letter for each of the 4 pairs",
        ),
        ({"score": [1.0, 2.0]}, "'score' must contain a number for each of the 4 solutions"),
        ({"score": 1.0}, "'score' must contain a number for each of the 4 solutions"),
        ({"score": [[0.5, 0.1], [0.2], [0.3], [0.4]]}, "a response has 2 scores, one for each step"),
        ({"score": [1.0, "high", 2.0, 3.0]}, "a score must be a number, not 'high'"),
        (
            {"solution_reference": ["human_to_GPT-4", "a", "b", "c"]},
            "names 'a' more often than item 0 with the same problem has responses",
        ),
        ({"solution_reference": "human_to_GPT-4"}, "'solution_reference' must be a list of strings"),
    ],
)
def test_wrong_results(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    found = rows(1, wrong=3)
    with pytest.raises(DataError, match=message):
        brought(tmp_path, found, [results(found, [[1.0, 2.0, 3.0, 4.0]])[0] | change])


def test_right_and_wrong_solutions_by_one_model_are_not_told_apart(tmp_path: Path) -> None:
    found = rows(1, wrong=3)
    found[2]["solution_reference"] = "human_to_GPT-4"
    with pytest.raises(DataError, match="'human_to_GPT-4' has right and wrong solutions in item 0: give rows of"):
        brought(tmp_path, found, results(found, [[1.0, 2.0, 3.0, 4.0]]))
