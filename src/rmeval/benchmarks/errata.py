"""Errata: items of published benchmarks that are known to be wrong, kept beside the data, which stay as they are."""

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
    """What is wrong with an item.

    Attributes:
        item: The item's id.
        wrong: What is wrong, in a sentence.
        source: Who found it, or how it can be checked.
    """

    item: str
    wrong: str
    source: str


def errata_of(card: Card) -> Mapping[str, Erratum]:
    """The errata of a benchmark by item id, from the file that its card names, or the package's own.

    Raises:
        DataError: If that file is not there, or not of rows with `item`, `wrong` and `source`.
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
