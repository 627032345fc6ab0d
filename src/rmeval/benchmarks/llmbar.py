"""LLMBar: which of two outputs follows the instruction (Zeng et al. 2024, arXiv 2310.07641)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rmeval.benchmarks import Agreement, Card
from rmeval.benchmarks.base import TableBenchmark, labelled, pair
from rmeval.benchmarks.locate import part_rows
from rmeval.data.rows import Row
from rmeval.metrics.composition import Composition, Counts, Measure, Shares, mixed, pooled
from rmeval.metrics.outcomes import SHARED
from rmeval.types import Item

__all__ = ["AGREEMENT", "LLMBar"]

NATURAL = "Natural"
ADVERSARIAL = ("Neighbor", "GPTInst", "GPTOut", "Manual")
COUNTS = {NATURAL: 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}
SECTIONS = {"Adversarial": ADVERSARIAL}
AGREEMENT = Agreement(0.94, "expert annotators on LLMBar, Zeng et al. 2024, arXiv 2310.07641")


class LLMBar(TableBenchmark):
    """LLMBar's five sets from a clone of its repository.

    The reference uses both orders and averages (`correct_average` in `LLMEvaluator/evaluate.py`): a judge whose verdict
    changes with the order gets half a point, and so do two equal ratings. RewardBench's `llmbar-*` subsets contain the
    same pairs, but there a tie is lost, and the average weights the sets by their sizes.
    """

    card = Card(
        id="llmbar",
        title="LLMBar",
        measures="The better output follows the instruction; the other may look better.",
        source="https://github.com/princeton-nlp/LLMBar",
        revision="900616bff90b6c6c8e1681f7d079250637c55992",
        licence="MIT (repository)",
        paper="https://arxiv.org/abs/2310.07641",
        citation="""@inproceedings{zeng2024llmbar,
  title={Evaluating Large Language Models at Evaluating Instruction Following},
  author={Zhiyuan Zeng and Jiatong Yu and Tianyu Gao and Yu Meng and Tanya Goyal and Danqi Chen},
  booktitle={International Conference on Learning Representations (ICLR)},
  year={2024}
}""",
        counts=COUNTS,
        sections=SECTIONS,
        analyses={"instructions": {"natural": (NATURAL,), "adversarial": ADVERSARIAL}},
        formulas=("accuracy@1", "llmbar/adversarial@1", "llmbar/overall@1"),
        rule=SHARED,
        agreement={"all": AGREEMENT},
        verified="the 325 accuracies in the repository's statistics.json files, to the last digit, from the verdicts "
        "beside them; GPT-4 with metrics and reference has 82.8% on the adversarial sets as published, 82.79% here",
    )
    spec = card.id
    files = (
        f"Dataset/LLMBar/{NATURAL}/dataset.json",
        *(f"Dataset/LLMBar/Adversarial/{name}/dataset.json" for name in ADVERSARIAL),
    )

    weights: Mapping[Measure, float] = {("accuracy", name): 1.0 for name in COUNTS} | {
        ("section", "Adversarial"): float(len(ADVERSARIAL))
    }
    whole = "overall"

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the numbered rows of a set, from the file's folder or name."""
        return part_rows(path, COUNTS)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair; its id is `<set>/<number in the file>`."""
        yield pair(row.text("_part"), row.get("_number"), row.text("input"), *labelled(row, "output_"))

    def composition(self, counts: Counts) -> Composition:
        """Return accuracy by set, the mean of the adversarial sets, and the mean of all five (tables of section 4)."""
        sets: Mapping[str, Shares] = {name: shares for name in COUNTS if (shares := pooled(counts, [name]))}
        found: dict[Measure, Shares] = {("accuracy", NATURAL): sets[NATURAL]} if NATURAL in sets else {}
        if sets.keys() >= set(ADVERSARIAL):
            found["section", "Adversarial"] = mixed([(1 / len(ADVERSARIAL), sets[name]) for name in ADVERSARIAL])
        found |= {("accuracy", name): sets[name] for name in ADVERSARIAL if name in sets}
        if len(sets) == len(COUNTS):
            found["overall", "all"] = mixed([(1 / len(COUNTS), shares) for shares in sets.values()])
        return found

    def formula(self, measure: Measure) -> str:
        """Return the name and version of a formula; both means weight the sets equally."""
        names = {"section": "llmbar/adversarial@1", "overall": "llmbar/overall@1"}
        return names.get(measure[0], "accuracy@1")
