"""Reproduce published numbers from published scores of responses: `python scripts/check_verified.py FOLDER`.

FOLDER contains clones of some of ScalerLab/JudgeBench, kimsh0507/RewardMATH_official, princeton-nlp/LLMBar,
google/BIG-bench and ncsoft/offsetbias from GitHub, in folders named `JudgeBench`, `RewardMATH_official`, `LLMBar`,
`BIG-bench` and `offsetbias`. The script prints the numbers that rmeval computes from their scores and verdicts beside
the published numbers, or beside the results of their own code for preferring the longer response; the exit code is 1 if
a number differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rmeval.api import evaluate
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.judgebench import JudgeBench
from rmeval.benchmarks.reward_math import RewardMath
from rmeval.importers.run import import_scores

PAPER = {
    "Skywork_Skywork-Reward-Gemma-2-27B": 64.29,
    "Skywork_Skywork-Reward-Llama-3.1-8B": 62.29,
    "internlm_internlm2-20b-reward": 63.43,
    "internlm_internlm2-7b-reward": 59.43,
    "Ray2333_GRM-Gemma-2B-rewardmodel-ft": 59.43,
}
"""Overall accuracy of reward models in table 3 of JudgeBench's paper (arXiv 2410.12784), in percent."""
AUTHORS = {
    "internlm2": (37.27, 55.17),
    "internlm2_20b": (33.95, 51.95),
    "grm_llama3": (24.43, 45.80),
    "skywork_llama3": (22.15, 44.69),
    "ArmoRM": (20.50, 42.18),
    "Eurus-RM": (16.98, 38.30),
    "beaver": (7.25, 26.59),
    "oasst-rm": (7.04, 27.03),
    "grm_gemma": (4.97, 24.10),
    "gpt4o": (25.88, 46.58),
    "gpt4": (22.36, 44.57),
    "opus": (2.48, 18.66),
    "prometheus_7B": (2.28, 16.57),
    "sonnet-3-5": (2.07, 17.60),
    "llama3_8B": (2.07, 18.20),
    "llama3_70B": (0.62, 17.16),
    "prometheus_8x7B": (0.21, 14.92),
    "chatgpt": (0.21, 14.00),
}
"""Accuracy and MRR that RewardMATH's own class computes from its published scores of solutions, in percent.

Each problem counts once: the files of gpt4o, gpt4 and chatgpt contain two problems twice, and with these gpt4 gets
22.47 and 44.70.
"""

BIG_BENCH = {"harmless": 62.07, "helpful": 69.49, "honest": 63.93, "other": 53.49}
"""Values of `measure_multiple_choice_grade` (`bigbench/api/task_metrics.py`) from lengths of responses, in
percent."""
OFFSETBIAS = {
    "length bias": 0.0,
    "concreteness": 28.57,
    "empty reference": 46.15,
    "content_continuation": 33.33,
    "nested_instruction": 25.0,
    "familiar knowledge preference bias": 33.33,
}
"""Values of `run_bench.py` of ncsoft/offsetbias from lengths of responses, in percent."""

Row = tuple[str, float, float]
"""Description, rmeval's number and the published number, in percent."""


def judgebench(clone: Path) -> Iterator[Row]:
    """Import reward models' outputs on the pairs by GPT-4o, with the same command as a user."""
    data = clone / "data" / "dataset=judgebench,response_model=gpt-4o-2024-05-13.jsonl"
    for name, published in PAPER.items():
        file = next((clone / "outputs").glob(f"*gpt-4o-2024-05-13,judge_name=reward_model,judge_model={name}.jsonl"))
        with tempfile.TemporaryDirectory() as out:
            result = import_scores(file, JudgeBench(str(data)), Path(out), name=name)
        yield f"JudgeBench {name}", 100 * result.value("section", "gpt"), published


def reward_math(clone: Path) -> Iterator[Row]:
    """Import the results of models that score each solution, with the same command as a user.

    The solutions are only on the hub; placeholders replace them here, on which no score depends.
    """
    folder = clone / "results" / "RewardMATH"
    rows = json.loads((folder / "internlm2_reward.json").read_text())
    solutions = [
        {"problem": row["problem"], "problem_id": number, "eval_solution": [f"solution {place} of {number}"]}
        | {"solution_reference": writer, "solution_type": "rejected" if place else "chosen"}
        for number, row in enumerate(rows)
        for place, writer in enumerate(row["solution_reference"])
    ]
    with tempfile.TemporaryDirectory() as out:
        data = Path(out) / "solutions.json"
        data.write_text(json.dumps(solutions))
        for name, published in AUTHORS.items():
            result = import_scores(folder / f"{name}_reward.json", RewardMath(str(data)), Path(out) / "runs")
            for metric, number_there in zip(("accuracy", "mrr"), published, strict=True):
                yield f"RewardMATH {name} {metric}", 100 * result.value(metric), number_there


def llmbar(clone: Path) -> Iterator[Row]:
    """Import the verdicts of judges in both orders, and compare them with the accuracies in the repository."""
    for file in sorted((clone / "Dataset" / "LLMBar").rglob("result.json")):
        place = next(folder for folder in file.parents if folder.name == "evaluators")
        with tempfile.TemporaryDirectory() as out:
            result = import_scores(file, load_benchmark("llmbar", str(clone)), Path(out))
        value = result.value("accuracy", place.parent.name, "orders/mean")
        published = json.loads((file.parent / "statistics.json").read_text())["correct_average"]
        yield (
            f"LLMBar {place.parent.name} {file.parent.relative_to(place)}",
            100 * value,
            float(published.rstrip("%")),
        )


def hhh_alignment(clone: Path) -> Iterator[Row]:
    """Prefer the longer response on HHH alignment."""
    yield from _longest("hhh-alignment", clone / "bigbench" / "benchmark_tasks" / "hhh_alignment", BIG_BENCH)


def evalbiasbench(clone: Path) -> Iterator[Row]:
    """Prefer the longer response on EvalBiasBench."""
    yield from _longest("evalbiasbench", clone, OFFSETBIAS)


def _longest(benchmark: str, data: Path, published: dict[str, float]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as out:
        result = evaluate("baseline:longest", benchmark, data, out=out)
    for scope, number_there in published.items():
        yield f"{benchmark} longest {scope}", 100 * result.value("accuracy", scope), number_there


CHECKS = {
    "JudgeBench": judgebench,
    "RewardMATH_official": reward_math,
    "LLMBar": llmbar,
    "BIG-bench": hhh_alignment,
    "offsetbias": evalbiasbench,
}


def main() -> None:
    """Print each number beside the published one, and the number of differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the clones")
    folder = parser.parse_args().folder
    found = [row for name, check in CHECKS.items() if (folder / name).is_dir() for row in check(folder / name)]
    if not found:
        parser.error(f"{folder} contains none of {', '.join(CHECKS)}: clone at least one of them there")
    # Published numbers have two digits.
    wrong = [row for row in found if abs(row[1] - row[2]) > 0.00501]
    shown = [row for row in found if not row[0].startswith("LLMBar")] + wrong
    for name, here, there in shown:
        sys.stdout.write(f"{name:60} {here:8.3f} {there:8.2f}\n")
    sys.stdout.write(f"{len(found)} numbers, {len(wrong)} of which differ from the published ones\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
