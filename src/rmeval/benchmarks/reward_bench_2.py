"""RewardBench 2: best of four in five domains, and ties (Malik et al. 2025, arXiv 2506.01937)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark, other_sizes
from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, Measure, Part, mixed, pooled
from rmeval.metrics.outcomes import SHARED, Outcomes, joined, outcomes
from rmeval.metrics.scoring.ties import PARTS, REF, TIED, ties_chance, ties_outcomes, ties_shares
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.types import Comparison, Evidence, Item, Message, Response, ScoreRule

__all__ = ["RewardBench2"]

TIES = "Ties"
COUNTS = {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495, TIES: 102}


class RewardBench2(TableBenchmark):
    """RewardBench 2 from the hub (split `test`), or from local files in its columns."""

    card = Card(
        id="reward-bench-2",
        title="RewardBench 2",
        measures="The one right response of four is the best; equally right ones have similar scores.",
        source="allenai/reward-bench-2",
        revision="main",
        licence="ODC-BY; some responses under the terms of the models that wrote them (hub card)",
        paper="https://arxiv.org/abs/2506.01937",
        citation="""@misc{malik2025rewardbench2,
  title={{RewardBench} 2: Advancing Reward Model Evaluation},
  author={Saumya Malik and Valentina Pyatkin and Sander Land and Jacob Morrison and Noah A. Smith and
          Hannaneh Hajishirzi and Nathan Lambert},
  year={2025},
  eprint={2506.01937},
  archivePrefix={arXiv}
}""",
        counts=COUNTS,
        formulas=(
            "reward-bench-2/best-of-4@1",
            "reward-bench-2/ties@1",
            "reward-bench-2/overall@1",
            "reward-bench-2/best-of-4-average@1",
        ),
        rule=SHARED,
        verified="best of four and Ties equal those of the reference's functions for the same scores (commit 05a9005)",
        needs_scores=(TIES,),
    )
    spec = card.id
    files = ("data/test-00000-of-00001.parquet",)
    whole = "overall"

    def gathered(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, with distinct ids for rows that share an id but have different texts."""
        seen: dict[str, dict[str, int]] = {}
        for row in rows:
            number = row.name("id")
            own = seen.setdefault(f"{row.text('subset')}/{number}", {})
            texts = digest([row.text("prompt"), row.texts("chosen"), row.texts("rejected")])
            place = own.setdefault(texts, len(own) + 1)
            yield row if place == 1 else Row(row.fields | {"id": f"{number}.{place}"}, row.where)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield an item: right responses, then wrong ones; items of Ties have a group instead of comparisons."""
        subset, number = row.text("subset"), row.name("id")
        if subset not in COUNTS:
            raise DataError(
                f"{row.where}: {quoted(subset)} is not a subset of RewardBench 2 ({', '.join(COUNTS)}): correct it"
            )
        right, wrong = row.texts("chosen"), row.texts("rejected")
        kind, _, group = number.partition(":")
        ties = subset == TIES
        if ties and (kind not in (TIED, REF) or not group):
            raise DataError(
                f"{row.where}: the id {quoted(number)} must be tied:N or ref:N, like all ids of {TIES}: correct it"
            )
        if not wrong or len(right) < (2 if ties and kind == TIED else 1) or (len(right) > 1 and not ties):
            raise DataError(
                f"{row.where}: {len(right)} right and {len(wrong)} wrong responses: give at least one wrong one, and "
                "one right one, or several if the id begins with tied"
            )
        size = len(right) + len(wrong)
        prompt = row.text("prompt")
        yield Item(
            id=f"{subset}/{number}",
            subset=subset,
            prompt=(Message("user", prompt),),
            responses=(*(Response(text, 1.0) for text in right), *(Response(text, 0.0) for text in wrong)),
            comparisons=() if ties else (Comparison(tuple(range(size)), 0, f"best-of-{size}"),),
            cluster=f"{TIES}/{group}" if ties else digest(prompt),
            group=group if ties else None,
        )

    def outcomes(self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule) -> Outcomes:
        """Decide best-of-four comparisons, and compute the credits of the Ties composite."""
        table = ItemTable.of(items)
        seen = EvidenceTable.of(table, evidence)
        return joined(outcomes(table, seen, rule), ties_outcomes(table, seen, TIES, rule))

    def composition(self, counts: Counts) -> Composition:
        """Return accuracy by subset, the Ties composite and its parts, the mean of all six, and that of the others.

        The reference does not have the last one; it is the headline of models that compare responses, for which Ties is
        skipped.
        """
        found: dict[Measure, Mapping[Part, float]] = {}
        for subset in COUNTS:
            if subset != TIES and (shares := pooled(counts, [subset])):
                found["accuracy", subset] = shares
        if all((TIES, part) in counts for part in PARTS):
            found["composite", TIES] = ties_shares(TIES)
        if len(found) == len(COUNTS):
            found["overall", "all"] = mixed([(1 / len(COUNTS), shares) for shares in found.values()])
        best_of_4 = [found["accuracy", subset] for subset in COUNTS if ("accuracy", subset) in found]
        if len(best_of_4) == len(COUNTS) - 1:
            found["average", "best-of-4"] = mixed([(1 / len(best_of_4), shares) for shares in best_of_4])
        parts = {(part, TIES): {(TIES, part): 1.0} for part in PARTS if (TIES, part) in counts}
        return found | parts

    def chance(self, items: ItemTable) -> dict[Measure, float]:
        """Return the values of random scores in Ties, where equal scores get 0."""
        equal = EvidenceTable(items, "score", np.zeros(int(items.offsets[-1])))
        counts = PairedOutcomes.of([self.outcomes(items, equal, SHARED)]).counts
        known = {(TIES, part): credit for part, credit in ties_chance(items, TIES).items()}
        known |= {(subset, tag): 1 / int(tag.rpartition("-")[2]) for subset, tag in counts if subset != TIES}
        return {
            measure: sum(share * known[part] for part, share in shares.items())
            for measure, shares in self.composition(counts).items()
        }

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing parts, and on items that are not best of four."""
        return [*super().notes(items), *other_sizes(items, 4, [subset for subset in COUNTS if subset != TIES])]

    def formula(self, measure: Measure) -> str:
        """Return the names and versions of the official formulas."""
        names = {"accuracy": "best-of-4", "average": "best-of-4-average", "overall": "overall"}
        name = names.get(measure[0], "ties")
        return f"{self.card.id}/{name}@1"
