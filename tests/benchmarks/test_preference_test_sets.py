from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.preference_test_sets import COUNTS, DROPPED, PreferenceTestSets
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS, PRIOR_SETS, SECTIONS, overall_with_prior, record_with_prior
from rmeval.types import Evidence, Item, Message, Record
from tests.command import command
from tests.samples import reward_bench_rows


def row(name: str, number: int) -> dict[str, Any]:
    """A row of the hub's data; its own column `subset` tells something else than the split."""
    return {
        "prompt": [{"content": f"What of {name} {number}?", "role": "user"}],
        "chosen": f"right {number}",
        "rejected": f"wrong {number}, and longer",
        "subset": "other",
        "id": number,
    }


def hub(folder: Path, each: int = 4, names: tuple[str, ...] = (*COUNTS, *DROPPED)) -> Path:
    (folder / "data").mkdir(parents=True)
    for name in names:
        file = folder / "data" / f"{name}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist([row(name, number) for number in range(each)]), file)
    return folder


def numbers(items: list[Item], right: dict[str, int]) -> dict[tuple[str, str], Record]:
    """Of each set as many pairs right as asked for, none of the others."""
    evidence = {
        item.id: Evidence(item.id, "score", np.array([1.0, 0.0 if int(number) < right.get(name, 0) else 1.0]))
        for item in items
        for name, _, number in [item.id.partition("/")]
    }
    return {(r.metric, r.scope): r for r in PreferenceTestSets().aggregate(items, evidence, OFFICIAL)}


def test_the_prior_is_the_mean_of_four(tmp_path: Path) -> None:
    items = list(PreferenceTestSets(str(hub(tmp_path))).load())
    # The two sets that RewardBench leaves out are in the folder and not among the items.
    assert len(items) == 7 * 4
    right = dict(zip(COUNTS, (4, 3, 2, 1, 4, 4, 4), strict=True))
    found = numbers(items, right)
    assert found["average", "prior"].value == pytest.approx((4 + 3 + 2 + 1) / 16)
    assert found["average", "prior"].formula == "reward-bench/prior@1"
    assert found["accuracy", "anthropic_harmless"].value == 1.0
    # Equal scores are no win.
    assert found["accuracy", "shp"].value == 0.5 and found["accuracy", "shp"].ties == 2
    part = [item for item in items if item.subset != "shp"]
    assert ("average", "prior") not in numbers(part, right)
    assert PreferenceTestSets().notes(part)[0] == "no prior: there are no items of shp"


def test_the_prior_weighs_sets_alike_whatever_their_sizes(tmp_path: Path) -> None:
    rows = [row("shp", number) | {"subset": "shp"} for number in range(8)]
    rows += [row(name, 0) | {"subset": name, "id": 100 + k} for k, name in enumerate(PRIOR_SETS) if name != "shp"]
    file = tmp_path / "mixed.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    items = list(PreferenceTestSets(str(file)).load())
    assert numbers(items, {"shp": 8})["average", "prior"].value == pytest.approx(0.25)


def test_files_name_their_sets(tmp_path: Path) -> None:
    file = tmp_path / "shp.jsonl"
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    rows = [row("shp", 3) | {"prompt": talk}, row("shp", 3), row("shp", 4)]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    items = list(PreferenceTestSets(str(file)).load())
    # The data's ids are kept; where one occurs twice the second gets a number.
    assert [item.id for item in items] == ["shp/3", "shp/3.2", "shp/4"]
    assert items[0].prompt[1] == Message("assistant", "b")
    assert len({item.cluster for item in items}) == 3


def test_runs_dumps_and_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = hub(tmp_path / "hub", 6)
    for name in ("shortest", "longest"):
        rmeval.evaluate(f"baseline:{name}", "preference-test-sets", data, out=tmp_path / "runs")
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("average", "prior")
    assert compared.difference("baseline:shortest", "baseline:longest").value == pytest.approx(1.0)
    # Columns as `run_rm.py --pref_sets` of the reference uploads them to pref-sets-scores.
    rows = [(name, row(name, number)) for name in COUNTS for number in range(6)]
    dump = {
        "id": [one["id"] for _, one in rows],
        "subset": [name for name, _ in rows],
        "text_chosen": [f"<s>{one['prompt'][0]['content']} {one['chosen']}" for _, one in rows],
        "text_rejected": [f"<s>{one['prompt'][0]['content']} {one['rejected']}" for _, one in rows],
        "scores_chosen": [[1.0 if name in ("shp", "summarize") else 0.0] for name, _ in rows],
        "scores_rejected": [[0.5]] * len(rows),
        "results": [0] * len(rows),
        "model": "some/model",
    }
    file = tmp_path / "dump.json"
    file.write_text(json.dumps(dump))
    done = command(capsys, "import", file, "-b", "preference-test-sets", "--data", data, "-o", tmp_path / "imported")
    assert done.code == 0, done.err
    (found,) = (rmeval.open_run(path.parent) for path in (tmp_path / "imported").rglob("run.json"))
    assert found.value("average", "prior") == 0.5


def test_the_score_of_rewardbench_needs_both_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rb.jsonl"
    rows_of_rb = reward_bench_rows(dict.fromkeys(EXAMPLE_COUNTS, 2))
    file.write_text("".join(json.dumps(one) + "\n" for one in rows_of_rb))
    bench = rmeval.evaluate("baseline:longest", "reward-bench", file, out=tmp_path / "runs")
    sets = rmeval.evaluate("baseline:shortest", "preference-test-sets", hub(tmp_path / "hub"), out=tmp_path / "runs")
    sections = {name: bench.value("section", name) for name in SECTIONS}
    score = overall_with_prior(sections, sets.value("average", "prior"))
    assert score == pytest.approx((4 * bench.value("overall") + 0.5 * 1.0) / 4.5)
    assert "with prior sets" not in command(capsys, "show", tmp_path / "runs").out
    rmeval.evaluate("baseline:longest", "preference-test-sets", tmp_path / "hub", out=tmp_path / "runs")
    shown = command(capsys, "show", tmp_path / "runs").out
    assert shown.count("reward-bench with prior sets  baseline:longest") == 1
    rows = json.loads(command(capsys, "show", tmp_path / "runs", "--format", "json").out)[-1]["rows"]
    prior = rmeval.open_run(next((tmp_path / "runs" / "preference-test-sets" / "baseline-longest").iterdir()))
    assert rows[0]["value"] == pytest.approx(overall_with_prior(sections, prior.value("average", "prior")))
    file.write_text("".join(json.dumps(one) + "\n" for one in rows_of_rb[1:]))
    rmeval.evaluate("baseline:longest", "reward-bench", file, out=tmp_path / "runs")
    done = command(capsys, "show", tmp_path / "runs")
    assert "with prior sets  " not in done.out
    assert "no reward-bench with prior sets of baseline:longest, which has several runs of a benchmark" in done.err


def test_the_record_with_prior_by_hand() -> None:
    four = replace(OVERALL, value=0.8, ci=(0.7, 0.85), null={"longest": 0.5, "random": 0.5})
    prior = replace(OVERALL, value=0.6, ci=(0.5, 0.65), null={"longest": 0.3}, n_items=100)
    found = record_with_prior(four, prior)
    assert found.value == pytest.approx((4 * 0.8 + 0.3) / 4.5)
    # Of both distances downwards of 0.1, weighed by 4 / 4.5 and 0.5 / 4.5.
    assert found.ci is not None
    assert found.value - found.ci[0] == pytest.approx(0.1 * 16.25**0.5 / 4.5)
    assert found.ci[1] - found.value == pytest.approx(0.05 * 16.25**0.5 / 4.5)
    assert found.null == {"longest": pytest.approx((4 * 0.5 + 0.15) / 4.5)}
    assert found.n_items == 110
    assert record_with_prior(four, replace(prior, ci=None)).ci is None


OVERALL = Record(
    "reward-bench", "score", "official@1", "overall", "all", 0.0, None, "some", 10, 10, 10.0, 0, 0, {}, "formula@1"
)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("some.jsonl", {}, "'other' is not one of the sets anthropic_helpful, anthropic_hhh, .*: name the file or"),
        ("shp.jsonl", {"prompt": []}, "column 'prompt' has no messages"),
        ("shp.jsonl", {"prompt": [{"role": "user"}]}, "column 'prompt' must contain messages like"),
        ("shp.jsonl", {"chosen": None}, "column 'chosen' must be a string, not null"),
    ],
)
def test_wrong_rows(name: str, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(json.dumps(row("shp", 1) | change))
    with pytest.raises(DataError, match=f"{name} line 1: {message}"):
        list(PreferenceTestSets(str(file)).load())


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="allenai/preference-test-sets is not in the local cache and the hub cannot be"):
        list(load_benchmark("preference-test-sets").load())
