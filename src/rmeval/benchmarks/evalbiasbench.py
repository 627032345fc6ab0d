"""EvalBiasBench: six ways in which judges are led astray (Park et al. 2024, arXiv 2407.06551)."""

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

    The reference asks in both orders and counts each answer (`single_accuracy` in `run_bench.py`), so a judge that
    changes its mind with the order gets half a point; under the rule official@1 it gets none, which is the
    reference's `pair_accuracy`. A tie that a judge declares gets nothing there; here it is half a point, as for two
    equal scores, of which the reference has none. Its code stops at the types of bias; the total counts pairs alike.
    """

    card = Card(
        id="evalbiasbench",
        title="EvalBiasBench",
        measures="The better response is right; the other has what judges are known to fall for.",
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
        verified="taking the longer response gets 0.0, 28.6, 46.2, 33.3, 25.0 and 33.3% by bias from run_bench.py, and "
        "the same here; no published score was reproduced",
    )
    spec = card.id
    files = ("data/evalbiasbench/biasbench.json",)

    def rows(self, path: Path) -> Iterator[Row]:
        """The rows of all types of bias, numbered within each: the file is an object with a list of rows for each."""
        seen = Counter[str]()
        for row in iterate_rows(path, nested=True):
            bias = row.text("bias")
            yield Row(row.fields | {"_number": seen[bias]}, row.where)
            seen[bias] += 1

    def items(self, row: Row) -> Iterator[Item]:
        """A pair; its id is `<bias>/<place among those of this bias>`."""
        bias = row.text("bias")
        if bias not in COUNTS:
            raise DataError(
                f"{row.where}: {quoted(bias)} is no bias of EvalBiasBench ({', '.join(COUNTS)}): correct it"
            )
        yield pair(bias, row.get("_number"), row.text("instruction"), *labelled(row, "response"))
