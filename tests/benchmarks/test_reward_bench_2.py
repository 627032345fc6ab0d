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
from rmeval.benchmarks.reward_bench_2 import COUNTS, RewardBench2
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.metrics.outcomes import HALF, OFFICIAL, SHARED
from rmeval.types import Evidence, Item, Record
from tests.command import command


def row(subset: str, number: object, right: int = 1, wrong: int = 3) -> dict[str, Any]:
    return {
        "id": str(number),
        "prompt": f"What of {subset} {str(number).rpartition(':')[2]}?",
        "chosen": [f"right {k} of {subset} {number}" for k in range(right)],
        "rejected": [f"wrong {k} of {subset} {number}, and longer" for k in range(wrong)],
        "num_correct": right,
        "num_incorrect": wrong,
        "total_completions": right + wrong,
        "models": ["some"],
        "subset": subset,
        "additional_metadata": None,
    }


def ties_rows(sizes: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
    return [row("Ties", name, right, wrong) for name, right, wrong in sizes]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "rb2.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return file


def numbers(items: list[Item], scores: list[list[float]], rule: Any = SHARED) -> dict[tuple[str, str], Record]:
    evidence = {
        item.id: Evidence(item.id, "score", np.array(own, float)) for item, own in zip(items, scores, strict=True)
    }
    return {(r.metric, r.scope): r for r in RewardBench2().aggregate(items, evidence, rule)}


def test_the_references_numbers(fixtures: Any, tmp_path: Path) -> None:
    wanted = fixtures("reward_bench_2.json")
    ties = wanted["ties_rows"]
    data = ties_rows([(one["id"], one["num_correct"], len(one["scores"]) - one["num_correct"]) for one in ties])
    found = numbers(list(RewardBench2(str(written(tmp_path, data))).load()), [one["scores"] for one in ties])
    assert found["composite", "Ties"].value == pytest.approx(wanted["ties_overall"], abs=1e-12)
    assert found["composite", "Ties"].formula == "reward-bench-2/ties@1"
    assert found["composite", "Ties"].n_clusters == 12

    rolled = [one["scores"] for one in wanted["reroll_rows"]]
    scores = [rolled[start : start + 4] for start in range(0, len(rolled), 4)]
    items = list(RewardBench2(str(written(tmp_path, [row("Focus", n) for n in range(4)]))).load())
    for item, own, result in zip(items, scores, wanted["reroll_results"], strict=True):
        assert numbers([item], [own])["accuracy", "Focus"].value == result
    assert numbers(items, scores)["accuracy", "Focus"].value == pytest.approx(np.mean(wanted["reroll_results"]))


def by_hand(groups: list[tuple[list[float], list[float], list[float], list[float]]]) -> float:
    """The composite as one says it in words, group by group."""
    total = 0.0
    for right, wrong, ref_right, ref_wrong in groups:
        gap, ref_gap = min(right) - max(wrong), ref_right[0] - max(ref_wrong)
        spread = max(right) - min(right)
        least = min(gap, ref_gap)
        margin = (least > 0) - (least < 0) if spread == 0 else np.tanh(least / spread - 1)
        total += 0.3 * (gap > 0) + 0.3 * (ref_gap > 0) + 0.2 * (gap > spread) + 0.2 * (least > spread) + 0.01 * margin
    return total / len(groups)


few = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])
group_of_scores = st.tuples(
    st.lists(few, min_size=2, max_size=4),
    st.lists(few, min_size=1, max_size=3),
    st.lists(few, min_size=1, max_size=1),
    st.lists(few, min_size=1, max_size=3),
)


@given(st.lists(group_of_scores, min_size=1, max_size=4))
@pytest.mark.slow
def test_the_composite_is_what_it_is_in_words(groups: list[Any]) -> None:
    bench = RewardBench2()
    items: list[Item] = []
    scores = []
    for n, (right, wrong, ref_right, ref_wrong) in enumerate(groups):
        for kind, good, bad in (("tied", right, wrong), ("ref", ref_right, ref_wrong)):
            items += bench.items(rmeval_row(row("Ties", f"{kind}:{n}", len(good), len(bad))))
            scores.append([*good, *bad])
    assert numbers(items, scores)["composite", "Ties"].value == pytest.approx(by_hand(groups), abs=1e-12)


def rmeval_row(fields: dict[str, Any]) -> Any:
    from rmeval.data.rows import Row

    return Row(fields, "here")


def whole(each: int = 6) -> list[dict[str, Any]]:
    rows = [row(subset, n) for subset in COUNTS if subset != "Ties" for n in range(each)]
    return rows + ties_rows(
        [(f"{kind}:{n}", 3 if kind == "tied" else 1, 2) for n in range(each) for kind in ("ref", "tied")]
    )


def test_overall_is_the_mean_of_six(tmp_path: Path) -> None:
    items = list(RewardBench2(str(written(tmp_path, whole()))).load())
    random = np.random.default_rng(0)
    scores = [random.normal(size=len(item.responses)).tolist() for item in items]
    found = numbers(items, scores)
    six = [found["accuracy", name].value for name in COUNTS if name != "Ties"] + [found["composite", "Ties"].value]
    overall = found["overall", "all"]
    assert overall.value == pytest.approx(np.mean(six), abs=1e-12)
    assert overall.ci is not None and overall.ci[0] < overall.value < overall.ci[1]
    assert overall.ci_method is not None and overall.ci_method.startswith("score")
    assert found["accuracy", "Math"].ci_method == "wilson"
    assert (overall.n_items, overall.formula) == (len(items), "reward-bench-2/overall@1")
    # A number of rmeval's own, for models that compare answers and say nothing of Ties.
    assert found["average", "best-of-4"].value == pytest.approx(np.mean(six[:5]), abs=1e-12)
    assert found["average", "best-of-4"].formula == "reward-bench-2/best-of-4-average@1"
    part = [item for item in items if item.subset != "Safety"]
    assert ("overall", "all") not in numbers(part, [s for i, s in zip(items, scores, strict=True) if i in part])
    assert RewardBench2().notes(part)[0] == "no overall: there are no items of Safety"


def test_a_missing_score_fails_each_number_it_is_in(tmp_path: Path) -> None:
    items = list(RewardBench2(str(written(tmp_path, whole()))).load())
    right = [[1.0 if response.gold else 0.0 for response in item.responses] for item in items]
    first_tied = next(k for k, item in enumerate(items) if item.id == "Ties/tied:0")
    right[first_tied][4] = float("nan")
    found = numbers(items, right)
    # The spread is 0 and the gap 1: all but the group with a missing score have everything.
    assert found["tied", "Ties"].value == found["preferred", "Ties"].value == pytest.approx(5 / 6)
    assert found["margin", "Ties"].value == pytest.approx(5 / 6)
    assert found["ref", "Ties"].value == 1.0
    assert found["composite", "Ties"].value == pytest.approx(0.3 + 0.71 * 5 / 6)
    assert found["tied", "Ties"].failures == 1
    assert numbers(items, right, HALF)["composite", "Ties"].value == pytest.approx(1.01)


def test_ties_at_the_top_share_the_point_by_default(tmp_path: Path) -> None:
    data = written(tmp_path, whole())
    file = tmp_path / "same.py"
    file.write_text("class Same:\n    def score(self, talks):\n        return [1.0 for _ in talks]\n")
    result = rmeval.evaluate(f"{file}:Same", "reward-bench-2", data, out=tmp_path / "runs")
    assert result.record("accuracy", "Focus").rule == SHARED.name
    assert result.value("accuracy", "Focus") == 0.25
    assert result.value("composite", "Ties") == 0.0
    assert result.value("overall") == pytest.approx(5 * 0.25 / 6)
    assert rmeval.open_run(result.path, rule=OFFICIAL.name).value("accuracy", "Focus") == 0.0
    rmeval.evaluate("baseline:shortest", "reward-bench-2", data, out=tmp_path / "runs")
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("overall", "all")
    assert compared.rule == SHARED.name
    difference = compared.difference("baseline:shortest", "Same")
    own = {entry.name: entry.records["overall", "all"].value for entry in compared.entries}
    assert difference.value == pytest.approx(own["baseline:shortest"] - own["Same"])
    top = rmeval.analyze(result.path).headline
    assert top is not None and top.metric == "overall"


def test_a_margin_that_is_the_same_everywhere_is_not_certain(tmp_path: Path) -> None:
    """It lies between -1 and 1: as if each problem were at one of the two ends."""
    items = list(RewardBench2(str(written(tmp_path, whole()))).load())
    # Wrong answers far above right ones, whose scores differ by 1: a margin of tanh(-101), nearly -1.
    scores = [[float(k % 2) if one.gold else 100.0 for k, one in enumerate(item.responses)] for item in items]
    found = numbers(items, scores)
    assert found["margin", "Ties"].value == pytest.approx(-1.0)
    # Six problems: 6 / (6 + z^2) of the distance from the other end.
    assert found["margin", "Ties"].ci == pytest.approx((-1.0, 1 - 2 * 6 / (6 + 3.8415)), abs=0.03)
    assert found["tied", "Ties"].ci == pytest.approx((0.0, 0.39), abs=0.01)


@pytest.mark.slow
def test_chance(tmp_path: Path) -> None:
    """Three right answers are above two wrong ones in one of ten orders, one in one of three."""
    benchmark = RewardBench2(str(written(tmp_path, whole())))
    items = list(benchmark.load())
    chance = benchmark.chance(ItemTable.of(items))
    assert chance["tied", "Ties"] == pytest.approx(0.1, abs=0.02)
    assert chance["ref", "Ties"] == pytest.approx(1 / 3, abs=0.03)
    assert chance["accuracy", "Focus"] == 0.25
    random = np.random.default_rng(5)
    draws = [numbers(items, [random.normal(size=len(item.responses)).tolist() for item in items]) for _ in range(80)]
    for measure, expected in chance.items():
        values = [found[measure].value for found in draws]
        assert abs(np.mean(values) - expected) < 5 * np.std(values) / 80**0.5 + 0.003, measure
    result = rmeval.evaluate("baseline:longest", benchmark, out=tmp_path / "runs")
    assert result.record("overall").null["random"] == pytest.approx(chance["overall", "all"])


def test_a_model_that_compares_is_summed_up_by_best_of_four(tmp_path: Path) -> None:
    data = written(tmp_path, whole())
    file = tmp_path / "compares.py"
    file.write_text(
        "class One:\n    def compare(self, pairs):\n"
        "        return [float(len(one['first']) > len(one['second'])) for one in pairs]\n\n\n"
        "class Other:\n    def compare(self, pairs):\n"
        "        return [float(len(one['first']) < len(one['second'])) for one in pairs]\n"
    )
    for name in ("One", "Other"):
        result = rmeval.evaluate(f"{file}:{name}", "reward-bench-2", data, out=tmp_path / "runs")
        assert ("overall", "all") not in {(record.metric, record.scope) for record in result.records}
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("average", "best-of-4")


def test_from_a_folder_in_the_hubs_layout(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(whole(2)), tmp_path / "data" / "test-00000-of-00001.parquet")
    items = list(load_benchmark("reward-bench-2", str(tmp_path)).load())
    assert len(items) == 5 * 2 + 4
    assert items[0].id == "Factuality/0"


def test_the_hubs_dumps_of_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns with a list of scores for each row, as `run_v2.py` of the reference uploads them."""
    rows = whole(3)
    data = written(tmp_path, rows)
    random = np.random.default_rng(1)
    scores = [random.normal(size=one["total_completions"]).tolist() for one in rows]
    dump = {
        "id": [one["id"] for one in rows],
        "subset": [one["subset"] for one in rows],
        "scores": scores,
        "text": [["..."] * len(own) for own in scores],
        "results": [0.0] * len(rows),
        "num_correct": [one["num_correct"] for one in rows],
        "model": "some/model",
    }
    file = tmp_path / "dump.json"
    file.write_text(json.dumps(dump))
    done = command(capsys, "import", file, "-b", "reward-bench-2", "--data", data, "-o", tmp_path / "runs")
    assert done.code == 0, done.err
    (found,) = (rmeval.open_run(path.parent) for path in (tmp_path / "runs").rglob("run.json"))
    items = list(RewardBench2(str(data)).load())
    assert found.value("overall") == pytest.approx(numbers(items, scores)["overall", "all"].value, abs=1e-12)
    assert found.manifest["model"]["name"] == "some/model"
    dump["num_correct"] = [2] * len(rows)
    file.write_text(json.dumps(dump))
    wrong = command(capsys, "import", file, "-b", "reward-bench-2", "--data", data, "-o", tmp_path / "other")
    assert (wrong.code, "'num_correct' is 2, but item Factuality/0 has 1 right response" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subset": "Chat"}, "'Chat' is not a subset of RewardBench 2"),
        ({"subset": "Ties", "id": "7"}, "the id '7' must be tied:N or ref:N"),
        ({"subset": "Ties", "id": "tied:7"}, "1 right and 3 wrong responses"),
        ({"rejected": []}, "1 right and 0 wrong responses"),
        ({"chosen": "yes"}, "column 'chosen' must be a list of strings, not a string"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(RewardBench2(str(written(tmp_path, [row("Focus", 1) | change]))).load())


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="allenai/reward-bench-2 is not in the local cache and the hub cannot be"):
        list(load_benchmark("reward-bench-2").load())


def test_real_rows(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "rewardbench2" / "ties_sample_20.jsonl"
    result = rmeval.evaluate("baseline:shortest", "reward-bench-2", data, out=tmp_path)
    assert result.record("composite", "Ties").n_items == 20
    assert result.record("tied", "Ties").n_items == 10
    assert "not the whole of RewardBench 2: Ties 20 instead of 102 items" in result.notes
