"""Errata: lists of wrong items in published benchmarks; the data stay unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from rmeval.benchmarks import Card
from rmeval.data.rows import iterate_rows

__all__ = ["Erratum", "errata_of"]


@dataclass(frozen=True, slots=True)
class Erratum:
    """A known error in an item of a benchmark.

    Attributes:
        item: The item's id.
        wrong: A sentence that describes the error.
        source: Who found the error, or how to verify it.
    """

    item: str
    wrong: str
    source: str


def errata_of(card: Card) -> Mapping[str, Erratum]:
    """Return the errata of a benchmark by item id, from the card's file or from rmeval's own.

    Raises:
        DataError: If that file does not exist, or its rows lack `item`, `wrong` or `source`.
    """
    if card.errata:
        return _read(Path(card.errata))
    own = files("rmeval") / "errata" / f"{card.id}.jsonl"
    if not own.is_file():
        return {}
    with as_file(own) as path:
        return _read(path)


def _read(path: Path) -> dict[str, Erratum]:
    return {
        row.name("item"): Erratum(row.name("item"), row.text("wrong"), row.text("source")) for row in iterate_rows(path)
    }
