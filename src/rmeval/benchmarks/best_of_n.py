"""Responses to one's own prompts, with the quality of each: the candidates of best-of-N."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rmeval.benchmarks.base import TableBenchmark
from rmeval.benchmarks.card import Card
from rmeval.data.digests import conversation_digest
from rmeval.data.rows import Row
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.metrics.composition import Composition, Counts
from rmeval.metrics.outcomes import SHARED
from rmeval.types import Item, Message, Record, Response, ScoreRule

__all__ = ["BestOfN"]


class BestOfN(TableBenchmark):
    """Candidates of best-of-N from local files or the hub: a row for each prompt."""

    card = Card(
        id="best-of-n",
        title="Best of N",
        measures="The response with the highest score among N is good.",
        source="your own candidates",
        revision=None,
        licence="that of your data",
        paper="",
        citation="",
        formulas=("best-of-n/quality@1",),
        rule=SHARED,
    )
    spec = card.id

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a prompt with its candidates."""
        responses = row.texts("responses")
        gold = row.get("gold")
        if not isinstance(gold, list) or len(gold) != len(responses):
            raise DataError(f"{row.where}: 'gold' must contain a number for each of {len(responses)} responses")
        prompt = (Message("user", row.text("prompt")),)
        meta: dict[str, Any] = {"answers": row.fields["answers"]} if "answers" in row.fields else {}
        yield Item(
            id=row.name("id"),
            subset=row.optional_name("subset") or "all",
            prompt=prompt,
            responses=tuple(Response(text, float(value)) for text, value in zip(responses, gold, strict=True)),
            comparisons=(),
            cluster=row.optional_name("cluster") or conversation_digest(prompt),
            meta=meta,
        )

    def composition(self, counts: Counts) -> Composition:
        return {}

    def further(self, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, intervals: bool) -> Iterable[Record]:
        return []
