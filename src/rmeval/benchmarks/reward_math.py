"""RewardMATH: one right solution among ten (Kim et al. 2024, arXiv 2410.01729)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark, other_sizes
from rmeval.data.rows import Row
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import shortened
from rmeval.metrics.composition import Composition, Counts, pooled
from rmeval.metrics.outcomes import Outcomes, joined, outcomes
from rmeval.metrics.records import accuracy_record
from rmeval.metrics.scoring.ranks import RECIPROCAL, pairs_with_winner, reciprocal_ranks
from rmeval.types import Comparison, Evidence, Item, Message, Record, Response, ScoreRule

__all__ = ["RewardMath"]

ALL = "all"
TAG = "best-of-10"
PAIRS = "reward-math/pair-accuracy@1"


class RewardMath(TableBenchmark):
    """RewardMATH from the hub or local files: a row for each solution, one right and nine wrong ones for a problem.

    Equal scores count against the right solution in both numbers, as in the reference (`src/evaluation/eval.py`). For a
    model that compares responses, a pair without a verdict makes the whole problem fail; the reference counts that pair
    as lost.
    """

    card = Card(
        id="reward-math",
        title="RewardMATH",
        measures="The best of ten solutions is the right one.",
        source="RewardMATH/RewardMATH",
        revision="main",
        licence="MIT (the authors' repository)",
        paper="https://arxiv.org/abs/2410.01729",
        citation="""@misc{kim2024rewardmath,
  title={Evaluating Robustness of Reward Models for Mathematical Reasoning},
  author={Sunghwan Kim and Dongjin Kang and Taeyoon Kwon and Hyungjoo Chae and Jungsoo Won and Dongha Lee and
          Jinyoung Yeo},
  year={2024},
  eprint={2410.01729},
  archivePrefix={arXiv}
}""",
        counts={ALL: 483},
        formulas=("accuracy@1", "reward-math/mrr@1", PAIRS),
        verified="accuracy and MRR equal those of the authors' class on their published results, such as 37.27% "
        "and 55.17% for internlm2-7b-reward",
    )
    spec = card.id
    files = ("data/test-00000-of-00001.parquet",)

    def gathered(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield one row for each problem, with the rows of its solutions, which need not be adjacent."""
        problems: dict[str, list[Row]] = {}
        for row in rows:
            problems.setdefault(row.name("problem_id"), []).append(row)
        for number, solutions in problems.items():
            yield Row({"problem_id": number, "solutions": solutions}, solutions[0].where)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a problem with its solutions, the right one first."""
        yield _item(row.text("problem_id"), row.get("solutions"))

    def outcomes(self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule) -> Outcomes:
        """Decide whether the right solution is the best, and compute its reciprocal rank."""
        table = ItemTable.of(items)
        seen = EvidenceTable.of(table, evidence)
        return joined(outcomes(table, seen, rule), reciprocal_ranks(table, seen, rule))

    def further(self, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, intervals: bool) -> Iterable[Record]:
        """For a model that compares responses, compute the accuracy on pairs of the right solution and a wrong one."""
        if evidence.beats:
            pairs = pairs_with_winner(items, evidence, rule)
            yield accuracy_record(self.card.id, rule, ALL, pairs, PAIRS, metric="pair_accuracy")

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing parts, and on problems without ten solutions."""
        return [*super().notes(items), *other_sizes(items, 10, [ALL])]

    def composition(self, counts: Counts) -> Composition:
        """Return the compositions of accuracy and of the mean reciprocal rank."""
        return {("accuracy", ALL): pooled(counts, [ALL], [TAG]), ("mrr", ALL): pooled(counts, [ALL], [RECIPROCAL])}


def _item(number: str, rows: Sequence[Row]) -> Item:
    first = rows[0]
    problem = first.text("problem")
    if other := next((row for row in rows if row.text("problem") != problem), None):
        raise DataError(
            f"{other.where}: problem {shortened(number)} has two texts: give each problem its own problem_id"
        )
    kinds = [row.text("solution_type") for row in rows]
    if kinds.count("chosen") != 1 or kinds.count("rejected") != len(rows) - 1 or len(rows) < 2:
        raise DataError(
            f"{first.where}: problem {shortened(number)} has the solutions {shortened(', '.join(kinds))}: give one "
            "chosen and one or more rejected"
        )
    order = sorted(range(len(rows)), key=lambda k: kinds[k] != "chosen")
    return Item(
        id=number,
        subset=ALL,
        prompt=(Message("user", problem),),
        responses=tuple(
            Response(
                _solution(rows[k]), float(kinds[k] == "chosen"), source=rows[k].optional_text("solution_reference")
            )
            for k in order
        ),
        comparisons=(Comparison(tuple(range(len(rows))), 0, TAG),),
        cluster=number,
        meta=first.meta("subject", "level"),
    )


def _solution(row: Row) -> str:
    """Return the steps of a solution, one per line, as the reference joins them for classifiers (`src/prompts.py`)."""
    return "\n".join(row.texts("eval_solution"))
