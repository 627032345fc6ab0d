"""Train a reward model on labels of careful annotators, then of hasty ones, and evaluate it every few steps.

python -m examples.style_bias.watch -o watched

In half of all pairs, the better response has the fancier style. Careful annotators choose the better response of each
pair. Hasty ones choose the fancier response in most of the other half, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from examples.style_bias.preferences import Pair, labelled
from examples.style_bias.training import BASE, FROZEN
from examples.style_bias.watch_plot import draw_curves
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer

from rmeval.files import replacing_text
from rmeval.report.figures.style import Theme
from rmeval.training import EvaluationCallback

__all__ = ["LEVELS", "Point", "table", "watch"]

BATCH = 32
LEVELS = ("easy", "normal", "hard")
BENCHMARK = "rm-bench-synthetic"
SUBSETS = ("math", "code", "safety-refuse", "safety-response")
BENCHMARK_SEED = 7
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Point:
    """An evaluation of a model that trains.

    Attributes:
        seed: Seed of the training.
        step: Number of steps before it.
        easy: Mean of the domains' Easy, between 0 and 1.
        normal: Likewise of Normal.
        hard: Likewise of Hard.
        accuracy: Share of the pairs of the last steps that the model ranked as labelled; None before the first step.
    """

    seed: int
    step: int
    easy: float
    normal: float
    hard: float
    accuracy: float | None


def watch(seed: int, options: argparse.Namespace) -> list[Point]:
    """Train a new score head and the upper layers of `rmeval/tiny`, and return the evaluations."""
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(BASE)
    nn.init.normal_(model.score.weight, std=0.02)  # The old head prefers fancy styles.
    for part in (model.model.embed_tokens, *model.model.layers[:FROZEN]):
        part.requires_grad_(False)
    number = options.steps * BATCH
    pairs = labelled(seed, number, range(options.switch * BATCH, number), options.hasty)
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(
            output_dir=str(options.out / "trainer"),
            max_steps=options.steps,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-3,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=3,
            train_sampling_strategy="sequential",
            logging_steps=options.every,
            seed=seed,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([_row(pair) for pair in pairs]),
        processing_class=AutoTokenizer.from_pretrained(BASE),
    )
    trainer.add_callback(
        EvaluationCallback(
            trainer, BENCHMARK, every=options.every, subsets=SUBSETS, seed=BENCHMARK_SEED, size=options.size
        )
    )
    trainer.train()
    return _points(seed, trainer.state.log_history)


def _row(pair: Pair) -> dict[str, Any]:
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return {name: [{"role": role, "content": getattr(pair, name)}] for name, role in roles.items()}


def _points(seed: int, history: Sequence[dict[str, float]]) -> list[Point]:
    names = {level: f"eval_{BENCHMARK}/{level}_domains" for level in LEVELS}
    accuracy = {entry["step"]: entry["accuracy"] for entry in history if "accuracy" in entry}
    return [
        Point(
            seed,
            int(entry["step"]),
            easy=entry[names["easy"]],
            normal=entry[names["normal"]],
            hard=entry[names["hard"]],
            accuracy=accuracy.get(entry["step"]),
        )
        for entry in history
        if names["hard"] in entry
    ]


def table(points: Sequence[Point]) -> str:
    """Return the means over seeds, in Markdown."""
    lines = ["| step | Easy | Normal | Hard | style gap | training accuracy |", "|" + "---:|" * 6]
    for step in sorted({one.step for one in points}):
        own = [one for one in points if one.step == step]
        easy, normal, hard = (_mean([getattr(one, level) for one in own]) for level in LEVELS)
        known = [one.accuracy for one in own if one.accuracy is not None]
        cells = [*map(_percent, (easy, normal, hard)), f"{100 * (easy - hard):+.1f}"]
        cells.append(_percent(_mean(known)) if known else "-")
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def main() -> None:
    """Train what is missing, print the table, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("watched"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--switch", type=int, default=10, help="step after which hasty annotators label")
    parser.add_argument("--hasty", type=float, default=0.8, help="how often they choose by style; 0 is never")
    parser.add_argument("--every", type=int, default=2, help="steps between evaluations")
    parser.add_argument("--size", type=int, default=80, help="items of the benchmark, with those of chat")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    file = options.out / "points.jsonl"
    points = [Point(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
    for seed in sorted({*range(options.seeds)} - {one.seed for one in points}):
        points += watch(seed, options)
        options.out.mkdir(parents=True, exist_ok=True)
        with replacing_text(file) as lines:
            lines.writelines(json.dumps(asdict(one)) + "\n" for one in points)
    sys.stdout.write(table(points))
    for theme in THEMES:
        draw_curves(points, options.switch, options.out / f"during-training-{theme}.png", theme)


if __name__ == "__main__":
    main()
