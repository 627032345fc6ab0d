"""What is scored in the measurements: real benchmark data where they lie beside the repository, else generated ones."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rmeval
from rmeval.types import Conversation, Message

__all__ = ["Workload", "read_workloads"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Workload:
    """Conversations to score.

    Attributes:
        name: For the table.
        rows: One list an item, of one conversation an answer.
    """

    name: str
    rows: list[list[Conversation]]


def _items(name: str, benchmark: str, every: int, **options: Any) -> Workload:
    items = list(rmeval.load_benchmark(benchmark, **options).load())[::every]
    return Workload(name, [[item.conversation(k) for k in range(len(item.responses))] for item in items])


def _best_of(every: int) -> Workload:
    path = SHARED / "preferences" / "arena_bench_v1_scored.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][::every]
    return Workload(
        "best of 12",
        [
            [(Message("user", row["prompt"]), Message("assistant", answer["response"])) for answer in row["responses"]]
            for row in rows
        ],
    )


def _long_prompt(answers: int = 16) -> Workload:
    """About 1,024 tokens of prompt and 128 of each answer: words at random, in the vocabulary of the small models."""
    dice = np.random.default_rng(0)
    words = ["the", "of", "and", "to", "in", "is", "for", "that", "with", "as", "on", "by"]
    prompt = " ".join(dice.choice(words, 1000))
    return Workload(
        "prompt of 1,024, 16 answers of 128",
        [[(Message("user", prompt), Message("assistant", " ".join(dice.choice(words, 125)))) for _ in range(answers)]],
    )


def read_workloads(every: int) -> list[Workload]:
    """All workloads, of each data set every so manieth item."""
    if not SHARED.is_dir():
        return [_items("rm-bench-synthetic", "rm-bench-synthetic", 1, size=160), _long_prompt()]
    rm_bench = [
        _items(f"RM-Bench {part}", "rm-bench", every, data=str(SHARED / "rm-bench" / f"{part}_filtered.json"))
        for part in ("chat", "code", "safety-response")
    ]
    return [
        *rm_bench,
        _items("LLMBar", "reward-bench", every, data=str(SHARED / "rewardbench" / "llmbar.jsonl")),
        _best_of(3 * every),
        _long_prompt(),
    ]
