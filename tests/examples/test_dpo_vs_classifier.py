"""Data of the example on DPO policies and classifiers; tests/integration runs the study itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples.dpo_vs_classifier.data import (
    DOMAINS,
    Annotator,
    annotated,
    domain_of,
    file_pairs,
    held_out,
    in_order,
    training_pairs,
)

from rmeval.benchmarks.synthetic import generate
from rmeval.benchmarks.synthetic.language import load_language
from rmeval.types import STYLES

ANNOTATOR = Annotator(substance=2.5, style=1.5)


def prompts(rows: list[dict[str, Any]]) -> set[str]:
    return {row["prompt"][0]["content"] for row in rows}


def test_training_and_evaluation_share_no_prompt_and_seeds_differ() -> None:
    first, second, held = (
        training_pairs(400, 0, DOMAINS, ANNOTATOR),
        training_pairs(400, 1, DOMAINS, ANNOTATOR),
        held_out(60, DOMAINS, ANNOTATOR),
    )
    benchmark = {item.prompt[0].content for item in generate(0, 400, [load_language("en")])}
    assert (len(first), len(second), len(held)) == (400, 400, 60)
    assert first == training_pairs(400, 0, DOMAINS, ANNOTATOR)
    for rows in (first, second):
        assert not prompts(rows) & prompts(held)
        assert len(prompts(rows) & benchmark) <= 0.02 * len(rows)  # Short code tasks occur twice; see synthetic.md.
    assert first != second


def test_the_annotator_prefers_right_and_fancy_responses() -> None:
    items = [one for one in generate(3, 2000, [load_language("en")]) if domain_of(one) in DOMAINS]
    rows = annotated(items, ANNOTATOR, np.random.default_rng(0))
    wins: Counter[str] = Counter()
    for item, row in zip(items, rows, strict=True):
        by_text = {response.text: response for response in item.responses}
        chosen, rejected = (by_text[row[part][0]["content"]] for part in ("chosen", "rejected"))
        assert chosen is not rejected
        if chosen.style == rejected.style:
            wins["right" if chosen.gold else "wrong"] += 1
        elif chosen.gold == rejected.gold:
            fancier = STYLES.index(str(chosen.style)) > STYLES.index(str(rejected.style))
            wins["fancy" if fancier else "plain"] += 1
    # 1 / (1 + exp(-2.5)) is 92%; one style apart is 82%, two are 95%.
    assert 0.87 < wins["right"] / (wins["right"] + wins["wrong"]) < 0.97
    assert 0.80 < wins["fancy"] / (wins["fancy"] + wins["plain"]) < 0.94


def test_steps_have_rows_of_similar_length_and_every_row_as_often() -> None:
    rows = training_pairs(96, 0, DOMAINS, ANNOTATOR)
    texts = Counter(json.dumps(row) for row in rows)
    steps = in_order(rows, steps=24, batch=8, seed=5)
    assert Counter(map(json.dumps, steps)) == Counter({text: 2 * count for text, count in texts.items()})
    assert steps != in_order(rows, steps=24, batch=8, seed=6)

    def padding(order: list[dict[str, Any]]) -> float:
        sizes = np.array([len(row["prompt"][0]["content"] + row["chosen"][0]["content"]) for row in order])
        longest = sizes.reshape(-1, 8).max(axis=1, keepdims=True)
        return float((longest - sizes.reshape(-1, 8)).mean())

    assert padding(steps) < 0.7 * padding(rows * 2)
    assert len(in_order(rows[:5], steps=2, batch=4, seed=0)) == 8


def test_pairs_of_a_file_are_split_by_prompt(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{k // 3}", "chosen": f"good {k}", "rejected": f"bad {k}"} for k in range(60)]
    file = tmp_path / "prefs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    training, held = file_pairs(str(file), 10)
    assert len(training) + len(held) == 60
    assert 10 <= len(held) <= 12
    assert not prompts(training) & prompts(held)
    assert all(row["chosen"][0] == {"role": "assistant", "content": row["chosen"][0]["content"]} for row in held)
    assert {row["chosen"][0]["content"].split()[0] for row in training} == {"good"}
    assert file_pairs(str(file), 10) == (training, held)


@pytest.mark.parametrize("domains", [("code",), ("math", "safety")])
def test_only_the_chosen_domains_occur(domains: tuple[str, ...]) -> None:
    code = sum("Python" in prompt for prompt in prompts(training_pairs(200, 0, domains, ANNOTATOR)))
    assert (code > 0) == ("code" in domains)
