"""Workloads of the measurements: real benchmark data if they are next to the repository, otherwise generated data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import rmeval
from rmeval.types import Conversation, Message

__all__ = ["BLOCK", "Workload", "blocks_of", "read_workloads"]

BLOCK = 8
"""Number of neighbouring items in a block, those that the reference's method has in one batch."""
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


One = TypeVar("One")
Rows = list[list[Conversation]]
"""One list per item, with one conversation per response."""


@dataclass(frozen=True)
class Workload:
    """Conversations to score.

    Attributes:
        name: Name in the table.
        rows: All items of a data set.
    """

    name: str
    rows: Rows


def blocks_of(items: Sequence[One], count: int, seed: int) -> list[list[One]]:
    """Return blocks of `BLOCK` neighbours, one at a random position in each of `count` equal parts of the data.

    The reference's batches contain neighbours. Items that are not neighbours may differ more in length and would need
    more padding.
    """
    part = len(items) // count
    if part < BLOCK:
        return [list(items)]
    random = np.random.default_rng(seed)
    starts = [number * part + int(random.integers(part - BLOCK + 1)) for number in range(count)]
    return [list(items[start : start + BLOCK]) for start in starts]


def _items(name: str, benchmark: str, **options: Any) -> Workload:
    items = rmeval.load_benchmark(benchmark, **options).load()
    return Workload(name, [[item.conversation(k) for k in range(len(item.responses))] for item in items])


def _best_of() -> Workload:
    path = SHARED / "preferences" / "arena_bench_v1_scored.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return Workload(
        "best of 12",
        [
            [(Message("user", row["prompt"]), Message("assistant", one["response"])) for one in row["responses"]]
            for row in rows
        ],
    )


def _long_prompt(responses: int = 16) -> Workload:
    """Create a prompt of about 1,024 tokens and responses of 128: random words of the small models' vocabulary."""
    dice = np.random.default_rng(0)
    words = ["the", "of", "and", "to", "in", "is", "for", "that", "with", "as", "on", "by"]
    prompt = Message("user", " ".join(dice.choice(words, 1000)))
    row: list[Conversation] = [
        (prompt, Message("assistant", " ".join(dice.choice(words, 125)))) for _ in range(responses)
    ]
    return Workload("prompt of 1,024, 16 responses of 128", [row])


def read_workloads() -> list[Workload]:
    """Return all workloads."""
    if not SHARED.is_dir():
        return [_items("rm-bench-synthetic", "rm-bench-synthetic", size=160), _long_prompt()]
    rm_bench = [
        _items(f"RM-Bench {part}", "rm-bench", data=str(SHARED / "rm-bench" / f"{part}_filtered.json"))
        for part in ("chat", "code", "safety-response")
    ]
    return [
        *rm_bench,
        _items("LLMBar", "reward-bench", data=str(SHARED / "rewardbench" / "llmbar.jsonl")),
        _best_of(),
        _long_prompt(),
    ]
