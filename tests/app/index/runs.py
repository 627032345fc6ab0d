"""Runs with ties and missing scores, imported from files of scores."""

from __future__ import annotations

import json
import random
from pathlib import Path

import rmeval
from rmeval.importers.run import import_scores

WORDS = ("heron", "pelican", "café", "naïve", "coin", "duchy", "river", "stone")


def write_pairs(file: Path, count: int) -> Path:
    """Write pairs in three subsets, whose winners are longer or shorter by a few words."""
    draw = random.Random(0)
    rows = [
        {
            "id": f"item {number}",
            "subset": ("north", "south", "east")[number % 3],
            "prompt": f"Question {number} about a {draw.choice(WORDS)}?",
            "chosen": " ".join(draw.choices(WORDS, k=draw.randint(1, 6))),
            "rejected": " ".join(draw.choices(WORDS, k=draw.randint(1, 6))),
        }
        for number in range(count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def import_run(data: Path, runs: Path, name: str, seed: int, store_text: bool = True) -> Path:
    """Import a run of the pairs in a file: scores are 0 to 3, so that many tie, and of some pairs one is missing."""
    draw = random.Random(seed)
    file = data.with_name(f"{name}.jsonl")
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    scores = [
        {"item_id": row["id"], "response": response, "score": draw.randint(0, 3)}
        for row in rows
        for missing in [draw.choice([0, 1, *[2] * 8])]
        for response in (0, 1)
        if response != missing
    ]
    file.write_text("".join(json.dumps(score) + "\n" for score in scores))
    benchmark = rmeval.load_benchmark("pairs", str(data))
    return import_scores(file, benchmark, runs, name=name, store_text=store_text).path
