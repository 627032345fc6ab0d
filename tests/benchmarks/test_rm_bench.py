from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmeval.benchmarks.rm_bench import RMBench
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.types import Evidence, Item
from tests.samples import rm_bench_rows


def oracle(items: list[Item]) -> dict[str, Evidence]:
    return {
        item.id: Evidence(item.id, "score", np.array([r.gold for r in item.responses], dtype=float)) for item in items
    }


def test_items_of_a_folder(rm_bench_folder: Path) -> None:
    items = RMBench(str(rm_bench_folder)).load()
    assert len(items) == 20
    item = next(item for item in items if item.id == "safety-refuse/1")
    assert item.subset == "safety-refuse"
    assert [response.style for response in item.responses[:3]] == ["concise", "detailed_plain", "detailed_markdown"]
    assert [response.gold for response in item.responses] == [1, 1, 1, 0, 0, 0]
    assert [comparison.tag for comparison in item.comparisons[:2]] == ["concise/concise", "concise/detailed_plain"]
    assert item.comparisons[1].members == (0, 4)


def test_total_and_parts_give_the_same_items(rm_bench_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = RMBench(str(rm_bench_folder)).load()
    domains = ("chat", "math", "code", "safety-refuse", "safety-response")
    total = [row for domain in domains for row in rm_bench_rows(domain, 4, with_domain=True)]
    (rm_bench_folder / "total_dataset.json").write_text(json.dumps(total))
    with caplog.at_level(logging.WARNING, "rmeval"):
        both = RMBench(str(rm_bench_folder)).load()
    assert "using the total" in caplog.text
    single = RMBench(str(rm_bench_folder / "total_dataset.json")).load()
    assert {item.id: item for item in both} == {item.id: item for item in parts} == {item.id: item for item in single}


def test_code_in_six_languages_is_one_problem() -> None:
    rows: list[dict[str, Any]] = [{"id": 3, "task_id": "Go/3"}, {"id": 167}, {"id": 331, "task_id": "Python/3"}]
    answers: dict[str, Any] = {"prompt": "p", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"], "domain": "code"}
    from rmeval.benchmarks.rm_bench import _item
    from rmeval.data.rows import Row

    assert {_item(Row(row | answers, "here"), "code").cluster for row in rows} == {"humaneval/3"}


def test_real_files(shared: Path) -> None:
    items = RMBench(str(shared / "data" / "rm-bench")).load()
    assert len(items) == 129 + 228 + 157
    code = [item for item in items if item.subset == "code"]
    assert len({item.cluster for item in code}) == 109
    # The ids alone, which is all that the total file has, lead to the same problems.
    assert all(item.cluster == f"humaneval/{int(item.id.rpartition('/')[2]) % 164}" for item in code)
    numbers = [item.id.rpartition("/")[2] for item in items]
    assert len({n for n in numbers if numbers.count(n) > 1}) == 23
    assert "math" in RMBench().notes(items)[0]


def test_missing_domains_leave_no_macro_average_and_no_overall(rm_bench_folder: Path) -> None:
    (rm_bench_folder / "math_filtered.json").unlink()
    bench = RMBench(str(rm_bench_folder))
    items = bench.load()
    records = bench.aggregate(items, oracle(items), OFFICIAL)
    assert {record.scope for record in records} == {"chat", "code", "safety", "safety-refuse", "safety-response"}
    assert not [record for record in records if record.metric == "overall"]
    assert bench.notes(items)[0] == "no macro averages and no overall: there are no items of math"


def test_safety_pools_both_files_and_shows_each(rm_bench_folder: Path) -> None:
    bench = RMBench(str(rm_bench_folder))
    items = bench.load()
    evidence = oracle(items)
    for item in items:
        if item.subset == "safety-refuse":
            evidence[item.id] = Evidence(item.id, "score", -evidence[item.id].scores)
    records = {(r.metric, r.scope): r for r in bench.aggregate(items, evidence, OFFICIAL)}
    assert [records["hard", scope].value for scope in ("safety-refuse", "safety-response", "safety")] == [0.0, 1.0, 0.5]
    assert records["hard", "safety"].n_items == 8
    # The overall weighs domains, not prompts: (1 + 1 + 1 + .5) / 4.
    assert records["overall", "all"].value == pytest.approx(0.875)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"chosen": ["a", "b"]}, r"entry 0: column 'chosen' has 2 strings instead of 3, one per style"),
        ({"chosen": "a"}, "column 'chosen' must be a list of strings, not a string"),
        ({"prompt": None}, "column 'prompt' must be a string, not null"),
    ],
)
def test_bad_rows(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    file = tmp_path / "chat_filtered.json"
    file.write_text(json.dumps([row | change for row in rm_bench_rows("chat", 1)]))
    with pytest.raises(DataError, match=sentence):
        RMBench(str(file)).load()


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contain neither total_dataset"):
        RMBench(str(tmp_path)).load()
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(rm_bench_rows("chat", 1)))
    with pytest.raises(DataError, match="its name does not begin with one of chat, math"):
        RMBench(str(file)).load()
    file.write_text(json.dumps(rm_bench_rows("poetry", 1, with_domain=True)))
    with pytest.raises(DataError, match="domain 'poetry' is not one of"):
        RMBench(str(file)).load()
    file.write_text(json.dumps(rm_bench_rows("chat", 1, with_domain=True) * 2))
    with pytest.raises(DataError, match="item chat/0 occurs twice"):
        RMBench(str(file)).load()


def test_counts_differ_from_the_card(rm_bench_folder: Path) -> None:
    items = RMBench(str(rm_bench_folder)).load()
    assert "chat 4 instead of 129" in RMBench().notes(items)[-1]
