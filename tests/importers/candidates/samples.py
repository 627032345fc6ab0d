"""Made-up candidates in the layouts of others."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any


def qwen_rows(count: int = 12, k: int = 8, seed: int = 3) -> list[dict[str, Any]]:
    """Problems in the layout of Qwen2.5-Math's evaluation, with ties of scores and answers, and empty answers."""
    random_ = random.Random(seed)
    rows = []
    for number in range(count):
        answers = [random_.choice(["7", "8", "9", ""]) for _ in range(k)]
        rows.append(
            {
                "idx": number,
                "question": f"What is problem {number}?",
                "gt": "7",
                "code": [f"Reasoning {number}.{place} gives {answer}." for place, answer in enumerate(answers)],
                "pred": answers,
                "report": [None] * k,
                "score": [answer == "7" for answer in answers],
                "pred_score": [[random_.choice([-1.5, 0.0, 2.25])] for _ in range(k)],
            }
        )
    return rows


def qwen_numbers(rows: list[dict[str, Any]]) -> dict[str, float]:
    """What the formulas of the reference say: the first of the best, and the first of the most frequent answers."""
    found: dict[str, list[float]] = {"mean": [], "pass": [], "maj": [], "rm": []}
    for row in rows:
        scores = [own[0] for own in row["pred_score"]]
        votes = Counter(row["pred"]).most_common(1)[0][0]
        found["mean"].append(sum(row["score"]) / len(row["score"]))
        found["pass"].append(float(any(row["score"])))
        found["maj"].append(float(row["score"][row["pred"].index(votes)]))
        found["rm"].append(float(row["score"][scores.index(max(scores))]))
    return {name: 100 * sum(values) / len(values) for name, values in found.items()}


WRITER = "org/writer-1.5"


def sample_text(prompt: int, number: int) -> str:
    return f"Sample {number} of {prompt}" + "." * (1 + 3 * number)


def preference(prompt: int, number: int) -> float:
    """A judge's preference for a sample, from 1 to 2."""
    return 1 + ((7 * prompt + 5 * number) % 11) / 10


def annotated(number: int, prompts: int = 6, first: bool = False) -> list[dict[str, Any]]:
    """AlpacaEval's annotations of one sample of each prompt; the sample may be the first output."""
    rows = []
    for prompt in range(prompts):
        sides = [("gpt-3.5", f"Reference of {prompt}."), (f"{WRITER}.{number}", sample_text(prompt, number))]
        likes = preference(prompt, number)
        if first:
            sides.reverse()
            likes = 3 - likes
        (one, text_1), (two, text_2) = sides
        rows.append(
            {
                "id": prompt,
                "instruction": f"Do {prompt}.",
                "generator_1": one,
                "output_1": text_1,
                "generator_2": two,
                "output_2": text_2,
                "annotator": "judge",
                "preference": likes,
            }
        )
    return rows


def outputs(number: int, prompts: int = 6, generator: str | None = None) -> list[dict[str, Any]]:
    """AlpacaEval's outputs of one sample of each prompt."""
    writer = generator or f"{WRITER}.{number}"
    texts = [sample_text(prompt, number) for prompt in range(prompts)]
    return [
        {"id": str(prompt), "instruction": f"Do {prompt}.", "output": text, "generator": writer}
        for prompt, text in enumerate(texts)
    ]


def numbered_scores(prompts: int = 6, samples: int = 4, seed: int = 1) -> list[dict[str, Any]]:
    """Scores in the layout of reward-bench's best-of-N, in any order."""
    random_ = random.Random(seed)
    rows = [
        {"config": "temp=1.0", "dataset_details": "base", "id": [prompt, number], "model": WRITER, "scores": [score]}
        for prompt in range(prompts)
        for number in range(samples)
        for score in [random_.gauss(0, 1)]
    ]
    random_.shuffle(rows)
    return rows
