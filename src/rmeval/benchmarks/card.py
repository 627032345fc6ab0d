"""A benchmark's card: what it is, and whether its items are those that it says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.messages import nearest, quoted
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.types import Item, ScoreRule

__all__ = ["Agreement", "Card", "check_counts", "missing_counts", "subsets_named"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two annotators agree on which of two responses is better, as published.

    Attributes:
        share: The share of comparisons in which they agree.
        source: Where it is published.
        pairs: The number of comparisons that both annotated, if it is published.
    """

    share: float
    source: str
    pairs: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What a reader wants to know of a benchmark before trusting a number from it.

    Attributes:
        id: Name on the command line.
        title: Name in prose.
        measures: One sentence: what a correct answer means.
        source: Hub id of the data set, or where the data come from.
        revision: Commit of the source that the counts belong to.
        licence: Licence of the data, as their authors state it.
        paper: Where the benchmark is described.
        citation: BibTeX.
        counts: Expected number of items by subset; empty where any number will do.
        sections: Names for groups of subsets, usable wherever a subset is.
        formulas: Names and versions of its official formulas.
        generated: Whether the items are made from a seed rather than read.
        analyses: Groups of subsets whose accuracies tell something side by side, by name and group, such as `refusals`
            with `should-respond` and `should-refuse`.
        rule: How ties and failures count in the published numbers.
        variant: Which of several scores that a model gives the published numbers are of, such as `orders/net`; where it
            gives none of this name, or this is empty, its first.
        verified: What published number was reproduced from what; empty if none was.
        needs_scores: Subsets whose metrics need a score of each answer; models that only compare are not asked about
            them.
        errata: A JSONL file of items that are known to be wrong, with `item`, `wrong` and `source`; a relative path is
            from a `file.py:Class` on. rmeval has its own of the benchmarks that come with it.
        agreement: How often annotators agree on the labels of a subset, or of `all` other subsets; empty where it is
            not published, or labels are facts.
    """

    id: str
    title: str
    measures: str
    source: str
    revision: str | None
    licence: str
    paper: str
    citation: str
    counts: Mapping[str, int] = field(default_factory=dict)
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    formulas: tuple[str, ...] = ()
    generated: bool = False
    analyses: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    rule: ScoreRule = OFFICIAL
    variant: str = ""
    verified: str = ""
    needs_scores: tuple[str, ...] = ()
    errata: str = ""
    agreement: Mapping[str, Agreement] = field(default_factory=dict)


def missing_counts(card: Card, items: Sequence[Item] | Mapping[str, int], whole: bool = False) -> list[str]:
    """A sentence for subsets whose number of items differs from the card's, empty if none does.

    Args:
        card: The benchmark's card.
        items: Its items, or how many there are of each subset.
        whole: Whether a subset without any items counts too.
    """
    found = dict.fromkeys(card.counts, 0) | dict(items if isinstance(items, Mapping) else ItemTable.of(items).counts)
    wrong = [
        f"{name} {found[name]} instead of {want}"
        for name, want in card.counts.items()
        if found[name] != want and (whole or found[name])
    ]
    return [f"not the whole of {card.title}: {', '.join(wrong)} items"] if wrong else []


def check_counts(card: Card, items: Sequence[Item] | Mapping[str, int]) -> None:
    """Refuses what was read from the card's source, if it has other numbers of items than the card says.

    Raises:
        DataError: If it has.
    """
    if wrong := missing_counts(card, items, whole=True):
        pinned = re.fullmatch(r"[0-9a-f]{7,40}", card.revision or "")
        advice = "clear the hub cache and try again" if pinned else "it may have changed: give a copy with `data`"
        raise DataError(f"{card.source} at {card.revision} is {wrong[0]}: {advice}")


def subsets_named(card: Card, present: Collection[str], names: Iterable[str]) -> set[str]:
    """Return the present subsets that some names of subsets or sections stand for.

    Raises:
        DataError: If a name stands for none of them.
    """
    sections = {name.lower(): parts for name, parts in card.sections.items()}
    wanted: set[str] = set()
    for name in names:
        parts = {name} if name in present else set(sections.get(name.lower(), ())) & set(present)
        if not parts:
            raise DataError(_no_subset(name, present, card))
        wanted |= parts
    return wanted


def _no_subset(name: str, present: Collection[str], card: Card) -> str:
    """The message for a subset of which there are no items."""
    sections = [section for section, parts in card.sections.items() if set(parts) & set(present)]
    there = ", ".join(dict.fromkeys([*present, *sections]))
    known = {own.lower() for own in (*card.counts, *card.sections)}
    if name.lower() in known:
        return f"the data have no items of {name}: choose from {there}, or give data that contain {name} with `data`"
    if meant := nearest(name, [*present, *sections]):
        return f"there is no subset {quoted(name)}: did you mean {meant}? (the subsets are {there})"
    return f"there is no subset {quoted(name)}: choose from {there}"
