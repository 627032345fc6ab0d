"""Balance: whether chosen and rejected responses of one style have the same length and the same markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rmeval.build.assemble.items import styled
from rmeval.build.records import Record
from rmeval.build.stage import by_domain
from rmeval.data.style import count_text
from rmeval.types import STYLES

__all__ = ["Balance", "balance_of", "relative"]


@dataclass(frozen=True, slots=True)
class Balance:
    """Means of one domain and style.

    Attributes:
        domain: The domain.
        style: The style.
        items: Number of items.
        chosen_characters: Mean length of the chosen responses.
        rejected_characters: Mean length of the rejected responses.
        chosen_markdown: Mean number of markdown elements of the chosen responses.
        rejected_markdown: Mean number of markdown elements of the rejected responses.
    """

    domain: str
    style: str
    items: int
    chosen_characters: float
    rejected_characters: float
    chosen_markdown: float
    rejected_markdown: float

    @property
    def length_difference(self) -> float:
        """By what share of their mean the chosen responses are longer."""
        return relative(self.chosen_characters, self.rejected_characters)

    @property
    def markdown_difference(self) -> float:
        """By what share of their mean the chosen responses have more markdown elements."""
        return relative(self.chosen_markdown, self.rejected_markdown)


def relative(chosen: float, rejected: float) -> float:
    """The difference of two numbers as a share of their mean; 0 if both are 0."""
    return 2 * (chosen - rejected) / (chosen + rejected) if chosen + rejected else 0.0


def balance_of(records: Sequence[Record]) -> list[Balance]:
    """Return the balance of complete records, by domain and style."""
    found = []
    for domain, own in by_domain(records).items():
        for place, style in enumerate(STYLES):
            sides = [
                [count_text(styled(record, side)[place].text) for record in own] for side in ("chosen", "rejected")
            ]
            characters = [fmean(one.characters for one in side) for side in sides]
            markdown = [fmean(one.markdown for one in side) for side in sides]
            found.append(Balance(domain, style, len(own), *characters, *markdown))
    return found
