"""Train reward models on preferences with and without style bias, cure the bias, and measure both.

python -m examples.style_bias.run -o style-bias
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from examples.style_bias.balance import effective_number
from examples.style_bias.plot import draw_study
from examples.style_bias.preferences import DOMAINS, make_pairs, training_set
from examples.style_bias.study import Condition, Study, Trained, read_trained
from examples.style_bias.tables import tables
from examples.style_bias.training import Settings, train

import rmeval
from rmeval.benchmarks.synthetic import BLOCK
from rmeval.files import replacing_text
from rmeval.report.figures.style import Theme

__all__ = ["CONDITIONS", "study"]

CONDITIONS = (
    *(Condition(dose) for dose in (0.5, 0.7, 0.9, 1.0)),
    *(Condition(0.9, cure) for cure in ("matched", "weighted", "rewritten", "covariate")),
    Condition(1.0, "rewritten"),
)
"""If the chosen response is fancier in all pairs, only rewriting has something to work with."""
SUBSETS = ("math", "code", "safety-refuse", "safety-response")
BENCHMARK_SEED = 7
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True)
class Plan:
    """Sizes of a study."""

    out: Path
    seeds: int
    pairs: int
    size: int
    settings: Settings


def study(plan: Plan) -> list[Trained]:
    """Train and evaluate what is missing; what an earlier call finished is kept."""
    record = plan.out / "trained.jsonl"
    done = read_trained(record)
    for seed in range(plan.seeds):
        for condition in CONDITIONS:
            if any((one.condition, one.seed) == (condition, seed) for one in done):
                continue
            done.append(_one(plan, condition, seed))
            plan.out.mkdir(parents=True, exist_ok=True)
            with replacing_text(record) as file:
                file.writelines(f"{one.to_json()}\n" for one in done)
            sys.stdout.write(f"seed {seed}, {condition}: {done[-1].seconds:.0f} s of CPU time\n")
            sys.stdout.flush()
    return done


def _one(plan: Plan, condition: Condition, seed: int) -> Trained:
    begun = time.process_time()
    data = training_set(make_pairs(seed, plan.pairs, condition.dose), condition.cure, seed)
    model = train(data, seed, plan.settings)
    found = rmeval.evaluate(
        model,
        "rm-bench-synthetic",
        name=f"{condition}, seed {seed}",
        out=plan.out / "runs",
        subsets=SUBSETS,
        seed=BENCHMARK_SEED,
        size=plan.size,
    )
    seconds = time.process_time() - begun
    return Trained(condition, seed, len(data.pairs), effective_number(data.weight), str(found.path), round(seconds, 1))


def write(folder: Path, trained: Sequence[Trained]) -> str:
    """Write the tables and the figures, and return the tables."""
    found = Study.of(trained)
    if found is None:
        return "no seed has all conditions yet\n"
    text = tables(found)
    with replacing_text(folder / "tables.md") as file:
        file.write(text)
    for theme in THEMES:
        draw_study(found, folder / f"style-bias-{theme}.png", theme)
    return text


def main() -> None:
    """Run the study and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("style-bias"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=384)
    parser.add_argument("--size", type=int, default=160, help=f"items of the benchmark, a multiple of {BLOCK}")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    plan = Plan(options.out, options.seeds, options.pairs, options.size, Settings(options.steps))
    sys.stdout.write(f"domains: {', '.join(DOMAINS)}; torch {torch.__version__}, {options.threads} threads\n")
    sys.stdout.write(write(plan.out, study(plan)))


if __name__ == "__main__":
    main()
