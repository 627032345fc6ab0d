"""`--data CLONE`: the layouts of the repositories that benchmarks are published in, with made-up rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.benchmarks import load_benchmark
from tests.samples import reward_bench_rows, rm_bench_rows

Files = Mapping[str, Any]


def judgebench_row(number: int, writer: str) -> dict[str, Any]:
    return {
        "pair_id": f"{writer}-{number}",
        "original_id": number,
        "source": "mmlu-pro-law",
        "question": f"How much is {number}?",
        "response_model": writer,
        "response_A": f"It is {number}.",
        "response_B": f"It is {number + 1}.",
        "label": "A>B",
    }


def judgebench() -> Files:
    files: dict[str, Any] = {"README.md": "JudgeBench", "requirements.json": [{"name": "numpy"}]}
    for writer in ("gpt-4o-2024-05-13", "claude-3-5-sonnet-20240620"):
        rows = [judgebench_row(number, writer) for number in range(3)]
        stem = f"dataset=judgebench,response_model={writer}"
        files[f"data/{stem}.jsonl"] = rows
        for judge in ("arena_hard,judge_model=a", "reward_model,judge_model=b"):
            files[f"outputs/{stem},judge_name={judge}.jsonl"] = [row | {"judge_name": "x"} for row in rows]
    return files


def rm_bench() -> Files:
    domains = ("chat", "math", "code", "safety-refuse", "safety-response")
    rows = {domain: rm_bench_rows(domain, 2, with_domain=True) for domain in domains}
    files: dict[str, Any] = {f"data/{domain}_filtered.json": own for domain, own in rows.items()}
    files["data/total_dataset.json"] = [row for own in rows.values() for row in own]
    files["results/chat_filtered_model.json"] = [{"id": 1, "score_chosen": [1, 1, 1], "score_rejected": [0, 0, 0]}]
    return files


def llmbar() -> Files:
    row = {"input": "Say one.", "output_1": "one", "output_2": "two", "label": 1}
    places = ["Natural", *(f"Adversarial/{name}" for name in ("Neighbor", "GPTInst", "GPTOut", "Manual"))]
    files: dict[str, Any] = {"Dataset/FairEval/dataset.json": [row], "LLMEvaluator/config.json": [{"a": 1}]}
    for place in places:
        files[f"Dataset/LLMBar/{place}/dataset.json"] = [row, row | {"input": f"Say one, {place}."}]
        files[f"Dataset/LLMBar/{place}/evaluators/GPT-4/Swap/result.json"] = [row | {"results": []}]
    return files


def evalbiasbench() -> Files:
    row = {"bias": "length bias", "instruction": "Say one.", "response1": "one", "response2": "two", "label": 1}
    return {
        "data/evalbiasbench/biasbench.json": {"length bias": [row], "concreteness": [row | {"bias": "concreteness"}]},
        "data/hhh/helpful.json": [row],
        "results/model/biasbench.json": {"length bias": [row, row]},
    }


def big_bench() -> Files:
    row = {"input": "Say one.", "target_scores": {"one": 1, "two": 0}}
    files: dict[str, Any] = {
        f"bigbench/benchmark_tasks/hhh_alignment/{kind}/task.json": {"name": kind, "examples": [row, row]}
        for kind in ("harmless", "helpful", "honest", "other")
    }
    return files | {"bigbench/benchmark_tasks/abstraction/task.json": {"examples": [row]}, "keywords.json": [row]}


def rmb() -> Files:
    def answer(text: str) -> dict[str, str]:
        return {"llm_name": "m", "answer": text}

    one = {
        "pair_uid": "1",
        "conversation_input": [{"role": "user", "content": "Say one."}],
        "chosen": answer("one"),
        "reject": answer("two"),
        "category_path": "Pairwise_set/Helpfulness/Code/Documentation",
    }
    best = {
        "bon_uid": "1",
        "conversation_input": [{"role": "user", "content": "Say one."}],
        "bon_best": answer("one"),
        "loser_list": [answer("two"), answer("three")],
        "category_path": "BoN_set/Helpfulness/Closed QA/ContextBased",
    }
    return {
        "RMB_dataset/Pairwise_set/Helpfulness/Code/Documentation.json": [one],
        "RMB_dataset/BoN_set/Helpfulness/Closed_QA/ContextBased.json": [best],
        "eval/result/model_result.json": [{"pair_uid": "1", "chosen_reward": 1, "reject_reward": 0}],
    }


def reward_bench() -> Files:
    rows = reward_bench_rows({"hep-go": 3, "donotanswer": 2})
    return {"data/filtered-00000-of-00001.parquet": rows, "data/raw-00000-of-00001.parquet": rows + rows}


def m_reward_bench() -> Files:
    rows = [{**row, "source": row["subset"]} for row in reward_bench_rows({"hep-go": 1, "donotanswer": 1})]
    return {f"{language}/test-00000-of-00001.parquet": rows for language in ("deu_Latn", "fra_Latn")}


def reward_bench_2() -> Files:
    rows = [
        {"id": str(n), "subset": "Focus", "prompt": f"{n}?", "chosen": ["a"], "rejected": ["b", "c", "d"]}
        for n in range(3)
    ]
    return {"data/test-00000-of-00001.parquet": rows, "eval-set/other.json": [{"id": 1}]}


def reward_math() -> Files:
    rows = [
        {"problem": f"{n}?", "problem_id": n, "eval_solution": [str(k)], "solution_reference": f"m{k}"}
        | {"solution_type": "rejected" if k else "chosen"}
        for n in range(3)
        for k in range(10)
    ]
    return {"data/test-00000-of-00001.parquet": rows, "dataset_infos.json": [{"a": 1}]}


def preference_test_sets() -> Files:
    rows = [{"prompt": f"{n}?", "chosen": "a", "rejected": "b"} for n in range(2)]
    sets = ("anthropic_hhh", "shp", "summarize")
    return {f"data/{name}-00000-of-00001.parquet": rows for name in sets} | {"dataset_infos.json": [{"a": 1}]}


def hub_hhh() -> Files:
    """JSON Lines under the name `.json`."""
    row = {"input": "Say one.", "targets": {"choices": ["one", "two"], "labels": [1, 0]}}
    lines = "".join(json.dumps(row | {"input": f"Say one, {n}."}) + "\n" for n in range(2))
    return {f"data/{kind}/task.json": lines for kind in ("harmless", "helpful", "honest", "other")}


def lay_out(root: Path, files: Files) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(content), path)
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))


CLONES: dict[str, tuple[Callable[[], Files], int, str]] = {
    "judgebench": (judgebench, 6, "data"),
    "rm-bench": (rm_bench, 10, "data"),
    "llmbar": (llmbar, 10, "Dataset/LLMBar"),
    "evalbiasbench": (evalbiasbench, 2, "data/evalbiasbench"),
    "hhh-alignment": (big_bench, 8, "bigbench/benchmark_tasks/hhh_alignment"),
    "rmb": (rmb, 2, "RMB_dataset"),
    "reward-bench": (reward_bench, 5, "data"),
    "m-reward-bench": (m_reward_bench, 4, ""),
    "reward-bench-2": (reward_bench_2, 3, "data"),
    "reward-math": (reward_math, 3, "data"),
    "preference-test-sets": (preference_test_sets, 6, "data"),
    "hhh-alignment on the hub": (hub_hhh, 8, "data"),
}


@pytest.mark.parametrize("name", CLONES)
def test_a_clone_and_the_folder_in_it_hold_the_items_once(name: str, tmp_path: Path) -> None:
    files, count, inside = CLONES[name]
    lay_out(tmp_path, files())
    for place in (tmp_path, tmp_path / inside):
        items = list(load_benchmark(name.partition(" ")[0], str(place)).load())
        assert len({item.id for item in items}) == len(items) == count, place


def test_rm_bench_by_domain_in_a_clone(tmp_path: Path) -> None:
    lay_out(tmp_path, {name: rows for name, rows in rm_bench().items() if "total" not in name})
    assert len(list(load_benchmark("rm-bench", str(tmp_path)).load())) == 10
