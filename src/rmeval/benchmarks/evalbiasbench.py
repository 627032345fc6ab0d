"""EvalBiasBench: six biases of judges (Park et al. 2024, arXiv 2407.06551)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark, labelled, pair
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.outcomes import SHARED
from rmeval.types import Item

__all__ = ["EvalBiasBench"]

COUNTS = {
    "length bias": 17,
    "concreteness": 14,
    "empty reference": 13,
    "content_continuation": 12,
    "nested_instruction": 12,
    "familiar knowledge preference bias": 12,
}


class EvalBiasBench(TableBenchmark):
    """EvalBiasBench from a clone of its repository.

    The reference uses both orders and counts each verdict (`single_accuracy` in `run_bench.py`), so a judge whose
    verdict changes with the order gets half a point; under the score rule official@1 it gets none, which is the
    reference's `pair_accuracy`. In the reference a declared tie gets no point; here it gets half a point, like two
    equal scores, which the reference does not have. The reference computes no total; here the total weights all pairs
    equally.
    """

    card = Card(
        id="evalbiasbench",
        title="EvalBiasBench",
        measures="The better response is right; the other has a feature that is known to bias judges.",
        source="https://github.com/ncsoft/offsetbias",
        revision="0bd16e4ac935315999ed23480c69673b675884b0",
        licence="BSD-3-Clause (repository)",
        paper="https://arxiv.org/abs/2407.06551",
        citation="""@misc{park2024offsetbias,
  title={{OffsetBias}: Leveraging Debiased Data for Tuning Evaluators},
  author={Junsoo Park and Seungyeon Jwa and Meiying Ren and Daeyoung Kim and Sanghyuk Choi},
  year={2024},
  eprint={2407.06551},
  archivePrefix={arXiv}
}""",
        counts=COUNTS,
        formulas=("accuracy@1",),
        rule=SHARED,
        verified="preferring the longer response has 0.0, 28.6, 46.2, 33.3, 25.0 and 33.3% by bias in run_bench.py and "
        "here; no published score was reproduced",
    )
    spec = card.id
    files = ("data/evalbiasbench/biasbench.json",)

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the rows of all types of bias, numbered within each type, from an object with a list for each."""
        seen = Counter[str]()
        for row in iterate_rows(path, nested=True):
            bias = row.text("bias")
            yield Row(row.fields | {"_number": seen[bias]}, row.where)
            seen[bias] += 1

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair; its id is `<bias>/<number within this bias>`."""
        bias = row.text("bias")
        if bias not in COUNTS:
            raise DataError(
                f"{row.where}: {quoted(bias)} is not a bias of EvalBiasBench ({', '.join(COUNTS)}): correct it"
            )
        yield pair(bias, row.get("_number"), row.text("instruction"), *labelled(row, "response"))
