"""Balance of the finished benchmark, by the measures and tolerances of style control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmeval.build.config import BuildConfig
from rmeval.build.records import Record
from rmeval.build.stage import by_domain
from rmeval.build.styles.balance import balance_facts
from rmeval.build.styles.options import style_options

__all__ = ["Balance", "SideMeans", "balance_of"]


@dataclass(frozen=True, slots=True)
class SideMeans:
    """Means of the responses of one side in one style.

    Attributes:
        words: Words.
        characters: Characters.
        markdown: Headers, list entries and bold passages.
    """

    words: float
    characters: float
    markdown: float


@dataclass(frozen=True, slots=True)
class Balance:
    """Both sides in one domain and style.

    Attributes:
        domain: The domain.
        style: The style.
        tolerance: Largest difference that the config allows.
        chosen: Means of the chosen responses.
        rejected: Means of the rejected responses.
    """

    domain: str
    style: str
    tolerance: float
    chosen: SideMeans
    rejected: SideMeans

    @property
    def length_difference(self) -> float:
        """By how many words the chosen responses are longer, as a share of the longer mean."""
        return _difference(self.chosen.words, self.rejected.words)

    @property
    def markdown_difference(self) -> float:
        """By how many elements the chosen responses have more markdown, as a share of the larger mean."""
        return _difference(self.chosen.markdown, self.rejected.markdown)


def _difference(chosen: float, rejected: float) -> float:
    return (chosen - rejected) / max(chosen, rejected) if max(chosen, rejected) else 0.0


def balance_of(records: Sequence[Record], config: BuildConfig) -> list[Balance]:
    """Return the balance of complete records, by domain and style."""
    found = []
    for domain, own in by_domain(records).items():
        texts = [{(one.side, one.style or ""): one for one in record.candidates} for record in own]
        facts = balance_facts(texts, style_options(config, domain))
        for style, sides in facts["styles"].items():
            means = (SideMeans(**sides[side]) for side in ("chosen", "rejected"))
            found.append(Balance(domain, style, facts["tolerance"], *means))
    return found
