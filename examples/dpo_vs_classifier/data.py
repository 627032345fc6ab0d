"""Texts and preferences: generated ones with a simulated annotator, or pairs from a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scripts.train_tiny import preferences, training_items

import rmeval
from rmeval.benchmarks.synthetic import generate
from rmeval.benchmarks.synthetic.language import load_language
from rmeval.types import Item

__all__ = [
    "DOMAINS",
    "Annotator",
    "annotated",
    "domain_of",
    "file_pairs",
    "held_out",
    "in_order",
    "right_texts",
    "training_pairs",
]

DOMAINS = ("code", "safety")
"""Domains of the study, which a model of this size learns in minutes; for the others see docs/synthetic.md."""
CONCISE = 0.6
"""Share of the base's texts that are concise: they have the same substance in fewer tokens."""
FIRST_CHUNK = 1000
"""Chunks of the generator from here on are for preferences, those before for the base."""
HELD_OUT_SEED = 1
"""The generator's seed of the held-out preferences; the benchmark has seed 0."""

TOGETHER = 8
"""Number of batches whose rows are sorted by length together, so that they have little padding."""

Row = dict[str, Any]


def domain_of(item: Item) -> str:
    """Return the domain: both parts of safety are one."""
    return item.subset.partition("-")[0]


@dataclass(frozen=True)
class Annotator:
    """A simulated annotator.

    Attributes:
        substance: What correctness adds to the log-odds of preferring a response.
        style: What each step from concise to detailed to markdown adds to them.
    """

    substance: float
    style: float


def right_texts(domains: Sequence[str]) -> Iterator[list[Row]]:
    """Yield conversations of prompts with right responses, without end: one style of each item."""
    dice, chunk = np.random.default_rng(0), 0
    while True:
        for item in training_items(chunk, ["en"]):
            if domain_of(item) in domains:
                style = 0 if dice.random() < CONCISE else int(dice.integers(1, 3))
                yield [_message("user", item.prompt[0].content), _message("assistant", item.responses[style].text)]
        chunk += 1


def training_pairs(count: int, seed: int, domains: Sequence[str], annotator: Annotator) -> list[Row]:
    """Return preferences for training; another seed has other items, pairs and verdicts of the annotator."""
    found: list[Row] = []
    dice, chunk = np.random.default_rng(seed), FIRST_CHUNK * (seed + 1)
    while len(found) < count:
        found += annotated([one for one in training_items(chunk, ["en"]) if domain_of(one) in domains], annotator, dice)
        chunk += 1
    return [found[place] for place in dice.permutation(len(found))[:count]]


def held_out(count: int, domains: Sequence[str], annotator: Annotator) -> list[Row]:
    """Return preferences on prompts that training does not have: the benchmark's half of names and operands."""
    items = [one for one in generate(HELD_OUT_SEED, 4 * count, [load_language("en")]) if domain_of(one) in domains]
    return annotated(items, annotator, np.random.default_rng(HELD_OUT_SEED))[:count]


def annotated(items: Sequence[Item], annotator: Annotator, dice: np.random.Generator) -> list[Row]:
    """Draw a pair of responses of each item, and which of them the annotator prefers."""
    first, second, odds = (np.asarray(part) for part in preferences(annotator.substance, annotator.style))
    rows = []
    for item in items:
        pair = dice.integers(len(first))
        chosen, rejected = int(first[pair]), int(second[pair])
        if dice.random() > 1 / (1 + np.exp(-odds[pair])):
            chosen, rejected = rejected, chosen
        rows.append(
            {
                "prompt": [_message("user", item.prompt[0].content)],
                "chosen": [_message("assistant", item.responses[chosen].text)],
                "rejected": [_message("assistant", item.responses[rejected].text)],
            }
        )
    return rows


def file_pairs(path: str, held: int) -> tuple[list[Row], list[Row]]:
    """Read pairs as the benchmark `pairs` does, and split them by prompt; `held` of them, or a few more, are held out.

    Which prompts are held out depends on the file only, so that it is the same for all seeds.
    """
    rows: dict[str, list[Row]] = {}
    for item in rmeval.load_benchmark("pairs", path).load():
        prompt = [_message(one.role, one.content) for one in item.prompt]
        for comparison in item.comparisons:
            if comparison.gold is None or len(comparison.members) != 2:
                continue
            better = comparison.members[comparison.gold]
            worse = comparison.members[1 - comparison.gold]
            texts = [item.responses[place].text for place in (better, worse)]
            chosen, rejected = ([_message("assistant", text)] for text in texts)
            rows.setdefault(item.cluster, []).append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    training: list[Row] = []
    kept: list[Row] = []
    groups = list(rows.values())
    for place in np.random.default_rng(0).permutation(len(groups)):
        (kept if len(kept) < held else training).extend(groups[place])
    return training, kept


def in_order(rows: Sequence[Row], steps: int, batch: int, seed: int) -> list[Row]:
    """Return the rows of all steps in the order of training: batches of similar length, in random order.

    Rows that are fewer than the steps need are used again, each time in a new order.
    """
    dice = np.random.default_rng(seed)
    epochs = -(-steps * batch // len(rows))
    drawn = [rows[place] for _ in range(epochs) for place in dice.permutation(len(rows))][: steps * batch]
    batches: list[list[Row]] = []
    for start in range(0, len(drawn), TOGETHER * batch):
        some = sorted(drawn[start : start + TOGETHER * batch], key=_length)
        batches += [some[place : place + batch] for place in range(0, len(some), batch)]
    return [row for place in dice.permutation(len(batches)) for row in batches[place]]


def _length(row: Row) -> int:
    """Return the characters of the longer conversation."""
    sizes = {part: sum(len(one["content"]) for one in row[part]) for part in ("prompt", "chosen", "rejected")}
    return sizes["prompt"] + max(sizes["chosen"], sizes["rejected"])


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
