"""RewardBench: trios over chat, chat-hard, safety and reasoning (Lambert et al. 2024, arXiv 2403.13787)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark, pair
from rmeval.benchmarks.function_names import first_function
from rmeval.benchmarks.llmbar import AGREEMENT
from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, Measure
from rmeval.metrics.scoring.sections import ANALYSES, EXAMPLE_COUNTS, FORMULA, SECTIONS, section_composition
from rmeval.types import Item, Response

__all__ = ["CITATION", "RewardBench"]

MATH_PRM_ITEMS = 447
FILTERED = "data/filtered-00000-of-00001.parquet"
CITATION = """@misc{lambert2024rewardbench,
  title={{RewardBench}: Evaluating Reward Models for Language Modeling},
  author={Nathan Lambert and Valentina Pyatkin and Jacob Morrison and LJ Miranda and Bill Yuchen Lin and
          Khyathi Chandu and Nouha Dziri and Sachin Kumar and Tom Zick and Yejin Choi and Noah A. Smith and
          Hannaneh Hajishirzi},
  year={2024},
  eprint={2403.13787},
  archivePrefix={arXiv}
}"""


class RewardBench(TableBenchmark):
    """RewardBench from the hub (split `filtered`), or from local files in its columns."""

    card = Card(
        id="reward-bench",
        title="RewardBench",
        measures="The better response is verified to be better: more helpful, correct, or rightly refused.",
        source="allenai/reward-bench",
        revision="47e72080fff14868833de674899b78b5426cb295",
        licence="ODC-BY; parts keep their own licences (hub card)",
        paper="https://arxiv.org/abs/2403.13787",
        citation=CITATION,
        counts={name: MATH_PRM_ITEMS if name == "math-prm" else count for name, count in EXAMPLE_COUNTS.items()},
        verified="sections equal calculate_scores_per_section of the reference, and the published ones of RM-R1 (32B)",
        sections=SECTIONS,
        analyses=ANALYSES,
        formulas=("accuracy@1", FORMULA),
        agreement={name: AGREEMENT for name in EXAMPLE_COUNTS if name.startswith("llmbar-")},
    )

    spec = card.id
    files = (FILTERED,)
    weights: Mapping[Measure, float] = {("accuracy", name): float(count) for name, count in EXAMPLE_COUNTS.items()} | {
        ("section", section): 1.0 for section in SECTIONS
    }
    parts, whole = SECTIONS, "overall"

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair; its id is `<subset>/<id>`."""
        subset = row.text("subset")
        if subset not in EXAMPLE_COUNTS:
            raise DataError(
                f"{row.where}: {quoted(subset)} is not a subset of RewardBench: use `benchmark` pairs for other "
                "preference data"
            )
        prompt, number = row.text("prompt"), row.name("id")
        better = Response(row.text("chosen"), 1.0, source=row.optional_text("chosen_model"))
        worse = Response(row.text("rejected"), 0.0, source=row.optional_text("rejected_model"))
        yield pair(subset, number, prompt, better, worse, _cluster(subset, number, prompt))

    def composition(self, counts: Counts) -> Composition:
        """Return sections with their subsets, and the mean of the four sections if all exist."""
        return section_composition(counts)

    def formula(self, measure: Measure) -> str:
        """Return the name and version of a formula; sections and overall share one."""
        return "accuracy@1" if measure[0] == "accuracy" else FORMULA


def _cluster(subset: str, number: str, prompt: str) -> str:
    """Return the problem of a prompt: its text or, for code, the HumanEval task, which occurs in six languages.

    The task is the number in ids like `Go/17`. The hub's ids do not contain it; there the name of the function to write
    identifies the task, ignoring case and underscores.
    """
    if not subset.startswith("hep-"):
        return digest(prompt)
    if (task := re.fullmatch(r"\w+/(\d+)", number)) is not None:
        return f"humaneval/{task[1]}"
    name = first_function(prompt)
    return f"humaneval/{name.replace('_', '').lower()}" if name else digest(prompt)
