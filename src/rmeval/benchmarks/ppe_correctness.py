"""PPE correctness: 32 responses to each question of five benchmarks (Frick et al. 2024, arXiv 2410.14872)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark
from rmeval.benchmarks.ppe_preference import CITATION
from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import shortened
from rmeval.metrics.composition import Composition, Counts, Measure, Part, mixed, pooled
from rmeval.metrics.outcomes import SHARED
from rmeval.metrics.scoring.best_of_k import curve_records
from rmeval.types import Comparison, Item, Message, Record, Response, ScoreRule

__all__ = ["COUNTS", "PPECorrectness"]

COUNTS = {"MMLU-Pro": 512, "MATH": 512, "GPQA": 512, "IFEval": 512, "MBPP-Plus": 507}
RESPONSES = 32
SHOWN = (2, 4, 8, 16)
"""Values of K at which the curve is reported, besides its end; K = 1 is random selection."""
_SIGNS = {
    "answer_index": "MMLU-Pro",
    "sanitized_solution": "MATH",
    "Record ID": "GPQA",
    "instruction_id_list": "IFEval",
    "test_list": "MBPP-Plus",
}
"""Columns that identify a row's benchmark: each benchmark has a column that the others lack."""
_REVISIONS = {
    "MMLU-Pro": "d3a309b95d5a3a34efdd2b01a9e3ee10565bf0c7",
    "MATH": "c46ce3cda5417fe8d170e992d925f93856b5db40",
    "GPQA": "2f85cea6481db81daa2c8033c51b7811b7bbf648",
    "IFEval": "a4f7fae2443d96529dee6b65863a816a051b3a4d",
    "MBPP-Plus": "afa814632c1df94e76b6af2c1d282511114cd2b7",
}


class PPECorrectness(TableBenchmark):
    """The five best-of-K data sets of PPE from the hub (split `train`), or from local files in their columns.

    Accuracy is over `sampled_conflict_pairs`, each with a right and a wrong response, which the authors drew in random
    order; a repeated pair counts each time. `overall` is the mean over the five benchmarks, as in the authors' tables.
    The curves are those of `rmeval.metrics.scoring.best_of_k`. The reference's code (`utils/scoring.py` and
    `utils/scorers.py`) and scores to reproduce published numbers were not available. In a port of this code, a tie
    counts for the second response of a pair, which is right in half of the cases because pairs are in random order;
    here a tie counts one half.
    """

    card = Card(
        id="ppe-correctness",
        title="PPE Correctness",
        measures="Right responses score above wrong ones of the same model, and the best of many is right.",
        source="lmarena-ai/PPE-*-Best-of-K",
        revision=", ".join(commit[:7] for commit in _REVISIONS.values()),
        licence="MMLU-Pro prompts MIT, others not stated; responses under the terms of the models' providers (hub)",
        paper="https://arxiv.org/abs/2410.14872",
        citation=CITATION,
        counts=COUNTS,
        formulas=(
            "accuracy@1",
            *(
                f"ppe-correctness/{name}@1"
                for name in ("overall", "best-of-k", "end_score", "max_score", "loss", "auc")
            ),
        ),
        rule=SHARED,
    )
    spec = card.id
    files = tuple(
        f"lmarena-ai/PPE-{name}-Best-of-K@{commit}:data/train-00000-of-00001.parquet"
        for name, commit in _REVISIONS.items()
    )
    weights = MappingProxyType({("accuracy", name): 1.0 for name in COUNTS})
    whole = "overall"

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a question with its right and wrong responses, and the sampled pairs of one of each."""
        subset = next((name for sign, name in _SIGNS.items() if sign in row.fields), None)
        if subset is None:
            raise DataError(
                f"{row.where}: the row has none of the columns {', '.join(_SIGNS)}, which identify the data sets: "
                "check that it is a file of PPE"
            )
        scores = row.get("scores")
        if not isinstance(scores, list):
            raise row.wrong("scores", "a list of true and false", scores)
        if len(scores) != RESPONSES or any(score not in (0, 1) for score in scores):
            raise DataError(
                f"{row.where}: column 'scores' must contain true or false for each of {RESPONSES} responses: correct it"
            )
        model, prompt = row.text("model_name"), row.text("prompt")
        yield Item(
            id=f"{subset}/{row.name('question_id')}/{model}",
            subset=subset,
            prompt=(Message("user", prompt),),
            responses=tuple(
                Response(row.text(f"response_{k}"), float(score), source=model) for k, score in enumerate(scores, 1)
            ),
            comparisons=tuple(_comparisons(row, scores)),
            cluster=digest([subset, prompt]),
        )

    def composition(self, counts: Counts) -> Composition:
        """Return accuracy by benchmark, and the mean of all five."""
        found: dict[Measure, Mapping[Part, float]] = {
            ("accuracy", name): shares for name in COUNTS if (shares := pooled(counts, [name]))
        }
        if len(found) == len(COUNTS):
            found["overall", "all"] = mixed([(1 / len(COUNTS), shares) for shares in found.values()])
        return found

    def further(self, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, intervals: bool) -> Iterable[Record]:
        """Compute best-of-K curves."""
        return curve_records(self.card.id, rule, items, evidence, tuple(COUNTS), SHOWN, intervals)


def _comparisons(row: Row, scores: Sequence[object]) -> Iterator[Comparison]:
    """Yield a comparison for each sampled pair, the right response first."""
    pairs = row.get("sampled_conflict_pairs")
    if not isinstance(pairs, list):
        raise row.wrong("sampled_conflict_pairs", "a list of pairs", pairs)
    for pair in pairs:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(k) is int and 0 <= k < RESPONSES for k in pair)
        if not whole or bool(scores[pair[0]]) == bool(scores[pair[1]]):
            raise DataError(
                f"{row.where}: {shortened(pair)} in column 'sampled_conflict_pairs' must be the positions, from 0 to "
                f"{RESPONSES - 1}, of a right and a wrong response: correct it"
            )
        yield Comparison(tuple(sorted(pair, key=lambda k: not scores[k])), 0, "right/wrong")
