"""Held-out test sets of older preference data: RewardBench's prior sets (Lambert et al. 2024, arXiv 2403.13787)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rmeval.benchmarks import Agreement, Card
from rmeval.benchmarks.base import TableBenchmark, pair
from rmeval.benchmarks.reward_bench import CITATION
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, Measure, Shares, mixed, pooled
from rmeval.metrics.scoring.sections import PRIOR_SETS
from rmeval.types import Item

__all__ = ["PreferenceTestSets"]

COUNTS = {
    "anthropic_helpful": 6192,
    "anthropic_hhh": 221,
    "shp": 1741,
    "summarize": 9000,
    "anthropic_harmless": 2266,
    "mtbench_human": 3355,
    "mtbench_gpt4": 2400,
}
DROPPED = ("pku_better", "pku_safer")
"""Splits of the data that `load_eval_dataset` of the reference's `rewardbench/utils.py` excludes."""


class PreferenceTestSets(TableBenchmark):
    """The seven sets from the hub, each a split, or local files named after them, such as `shp.jsonl`.

    A file with another name has the set in its column `subset`. Each set has an accuracy; the prior is the unweighted
    mean of the four sets in `PRIOR_SETS`, as in the reference (`analysis/get_benchmark_results.py`). The reference
    averages those of the four that exist; here the prior exists only if all four do.
    """

    card = Card(
        id="preference-test-sets",
        title="Preference test sets",
        measures="The better response is the one that people, or for mtbench_gpt4 a model, preferred.",
        source="allenai/preference-test-sets",
        revision="d8cb9d95eaaadc5c932291dc8ce7a9b8f66eb040",
        licence="ODC-BY; parts keep their own licences (hub card)",
        paper="https://arxiv.org/abs/2403.13787",
        citation=CITATION,
        counts=COUNTS,
        sections={"prior": PRIOR_SETS},
        formulas=("accuracy@1", "reward-bench/prior@1"),
        agreement={
            "mtbench_human": Agreement(
                0.81, "people on MT-Bench without ties, Zheng et al. 2023, arXiv 2306.05685, 4.2"
            ),
            "summarize": Agreement(0.72, "labelers, Stiennon et al. 2020, arXiv 2009.01325, appendix C.2"),
        },
        verified="the prior of gpt-4o-2024-05-13 on RewardBench's leaderboard, 0.7262, from its published accuracies",
    )
    spec = card.id
    files = tuple(f"data/{name}-00000-of-00001.parquet" for name in COUNTS)
    parts: Mapping[str, Sequence[str]] = {name: (name,) for name in PRIOR_SETS}
    whole = "prior"

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the rows with their set, from the file's name, and with distinct ids."""
        name = path.name.partition(".")[0].partition("-")[0]
        own = {"subset": name} if name in COUNTS or name in DROPPED else {}
        seen: Counter[str] = Counter()
        for number, row in enumerate(iterate_rows(path)):
            key = row.optional_name("id") or str(number)
            seen[key] += 1
            yield Row(row.fields | own | {"_key": key if seen[key] == 1 else f"{key}.{seen[key]}"}, row.where)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair; its id is `<subset>/<id>`. Sets that the reference excludes yield nothing."""
        subset = row.text("subset")
        if subset in DROPPED:
            return
        if subset not in COUNTS:
            raise DataError(
                f"{row.where}: {quoted(subset)} is not one of the sets {', '.join(COUNTS)}: name the file or the "
                "column 'subset' after one"
            )
        yield pair(subset, row.get("_key"), row.conversation("prompt"), row.text("chosen"), row.text("rejected"))

    def composition(self, counts: Counts) -> Composition:
        """Return accuracy by set, and the prior if its four sets exist."""
        sets = {name: shares for name in COUNTS if (shares := pooled(counts, [name]))}
        found: dict[Measure, Shares] = {}
        if all(name in sets for name in PRIOR_SETS):
            found["average", "prior"] = mixed([(1 / len(PRIOR_SETS), sets[name]) for name in PRIOR_SETS])
        return found | {("accuracy", name): shares for name, shares in sets.items()}

    def formula(self, measure: Measure) -> str:
        """Return the name and version of a formula; the prior has RewardBench's."""
        return "accuracy@1" if measure[0] == "accuracy" else "reward-bench/prior@1"
