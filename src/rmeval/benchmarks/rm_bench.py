"""RM-Bench: subtle errors against style (Liu et al., ICLR 2025, arXiv 2410.16184)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.card import Card, check_counts, missing_counts
from rmeval.benchmarks.locate import SUFFIXES, locate
from rmeval.data.rows import Row, read_rows
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts
from rmeval.metrics.scoring.style_substance import (
    ANALYSES,
    COMPARISONS,
    DOMAINS,
    FORMULA,
    style_substance_composition,
    style_substance_notes,
    style_substance_records,
    styled_responses,
)
from rmeval.types import Evidence, Item, Message, Record, ScoreRule

__all__ = ["RMBench"]

logger = logging.getLogger(__name__)

TOTAL = "total_dataset.json"
HUMANEVAL_TASKS = 164


class RMBench(Benchmark):
    """RM-Bench from the hub, from `total_dataset.json`, or from its per-domain files."""

    card = Card(
        id="rm-bench",
        title="RM-Bench",
        measures="The better response is the one without the subtle error, regardless of the styles of the two.",
        source="THU-KEG/RM-Bench",
        revision="ee19843",
        licence="ODC-BY (hub card)",
        paper="https://arxiv.org/abs/2410.16184",
        citation="""@inproceedings{liu2025rmbench,
  title={{RM-Bench}: Benchmarking Reward Models of Language Models with Subtlety and Style},
  author={Liu, Yantao and Yao, Zijun and Min, Rui and Cao, Yixin and Hou, Lei and Li, Juanzi},
  booktitle={International Conference on Learning Representations (ICLR)},
  year={2025}
}""",
        counts={"chat": 129, "math": 529, "code": 228, "safety-refuse": 284, "safety-response": 157},
        verified="Easy, Normal, Hard and averages equal the results of the authors' scripts for the same scores",
        sections=DOMAINS,
        analyses=ANALYSES,
        formulas=(FORMULA,),
    )

    spec = "rm-bench"

    def __init__(self, data: str | None = None) -> None:
        """Store the source of the data: a file, a folder, or None for the hub."""
        self.data = data

    def load(self) -> list[Item]:
        """Read the items; an id is `<file domain>/<id>`, since 23 ids occur in more than one file."""
        items = [item for path in self._files() for item in self._read(path)]
        seen: set[str] = set()
        for item in items:
            if item.id in seen:
                raise DataError(
                    f"RM-Bench item {item.id} occurs twice in {self.data}: give one file or folder of each domain"
                )
            seen.add(item.id)
        if self.data is None:
            check_counts(self.card, items)
        return items

    def _files(self) -> list[Path]:
        place = Path(self.data or "")
        if self.data is None or not place.is_dir():
            return locate(self.card, [TOTAL], self.data)
        # A clone of the authors' repository has the files in data/.
        for folder in (place, place / "data"):
            files = sorted(path for path in folder.glob("*_filtered.json*") if path.name.endswith(SUFFIXES))
            if (folder / TOTAL).exists():
                if files:
                    logger.warning("%s contains both %s and per-domain files: using the total", folder, TOTAL)
                return [folder / TOTAL]
            if files:
                return files
        raise DataError(
            f"{place} and its folder data contain neither {TOTAL} nor <domain>_filtered.json files: check the path"
        )

    def _read(self, path: Path) -> list[Item]:
        rows = read_rows(path)
        if any("domain" in row.fields for row in rows):
            return [_item(row, row.text("domain")) for row in rows]
        # The longest first: "safety-refuse" must not match another domain whose name it may contain.
        for domain in sorted(self.card.counts, key=len, reverse=True):
            if re.match(rf"{domain}(?![A-Za-z])", path.name):
                return [_item(row, domain) for row in rows]
        raise DataError(
            f"{path}: its rows have no 'domain' and its name does not begin with one of "
            f"{', '.join(self.card.counts)}: rename it, as in chat_filtered.json"
        )

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the matrix, Easy, Normal, Hard and average of each domain, their macro averages, and the overall."""
        return style_substance_records(self.card.id, items, evidence, rule, intervals)

    def composition(self, counts: Counts) -> Composition:
        """Return the compositions of cells, levels, averages, style gaps and the overall."""
        return style_substance_composition(counts)

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing domains, an incomplete safety domain, and counts other than the published ones."""
        return style_substance_notes(items) + missing_counts(self.card, items)


def _item(row: Row, domain: str) -> Item:
    if domain not in RMBench.card.counts:
        raise DataError(
            f"{row.where}: domain {quoted(domain)} is not one of {', '.join(RMBench.card.counts)}: correct it"
        )
    row.refuse_input()
    chosen, rejected = (row.texts(side, 3, "one per style") for side in ("chosen", "rejected"))
    number = row.name("id")
    return Item(
        id=f"{domain}/{number}",
        subset=domain,
        prompt=(Message("user", row.text("prompt")),),
        responses=styled_responses(chosen, rejected),
        comparisons=COMPARISONS,
        cluster=_cluster(row, domain, number),
        meta=row.meta("subset", "language", "task_id"),
    )


def _cluster(row: Row, domain: str, number: str) -> str:
    """Return the problem of a prompt: for code the HumanEval task, which occurs in up to six languages.

    The per-domain file names it (`CPP/8`); its ids are language x 164 + task, which identifies the task without the
    file.
    """
    if domain != "code":
        return f"{domain}/{number}"
    if "task_id" in row.fields:
        return f"humaneval/{row.text('task_id').rpartition('/')[2]}"
    known = number.isdecimal() and len(number) <= _DIGITS
    return f"humaneval/{int(number) % HUMANEVAL_TASKS}" if known else f"{domain}/{number}"


_DIGITS = 18
