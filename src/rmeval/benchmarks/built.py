"""Finished benchmarks of `rmeval build`: folders with a card, whose items have the form of RM-Bench."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.benchmarks.card import Card, missing_counts
from rmeval.benchmarks.hooks import Benchmark
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError, explain_read_error, reason_of
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts
from rmeval.metrics.scoring.style_substance import (
    ANALYSES,
    COMPARISONS,
    DOMAINS,
    FORMULA,
    FORMULA_OF_DOMAINS,
    domains_of,
    style_substance_composition,
    style_substance_notes,
    style_substance_records,
    styled_responses,
)
from rmeval.types import Evidence, Item, Message, Record, ScoreRule

__all__ = ["BUILT", "CARD_FILE", "CARD_VERSION", "BuiltBenchmark", "BuiltFolder", "built_folder", "why_not_built"]

BUILT = "built"
"""The name by which runs find the class of these benchmarks; users name a folder."""
CARD_FILE = "rmeval.toml"
CARD_VERSION = 1
_TEXTS = ("id", "title", "measures", "licence", "items")
_OPTIONAL = ("paper", "citation", "language")


class BuiltBenchmark(Benchmark):
    """A finished benchmark: its card is part of its options, so that runs open without the folder."""

    spec = BUILT

    def __init__(self, data: str | None = None, card: Mapping[str, Any] | None = None) -> None:
        """Store the folder; the items are read when they are loaded.

        Args:
            data: The folder with `rmeval.toml`, or that of the build, which contains it.
            card: The contents of `rmeval.toml`, which runs store; by default they are read.

        Raises:
            DataError: If there is no card, or it is wrong.
        """
        if data is None:
            raise DataError("no folder is given: name that of the finished benchmark, such as `benchmark` ./my-bench")
        self.data = data
        fields = read_card(_finished(data)) if card is None else card
        self.options = {"card": fields}
        self.card = card_of(fields, data)
        self._items = fields["items"]

    def load(self) -> Iterator[Item]:
        """Read the items.

        Raises:
            DataError: If their file is missing or does not have the expected form.
        """
        file = _finished(str(self.data)) / self._items
        if not file.is_file():
            raise DataError(f"there is no file {file}, which {CARD_FILE} names: restore it, or build again")
        seen: set[str] = set()
        for row in iterate_rows(file):
            item = _item(row, self.card)
            if item.id in seen:
                raise DataError(f"{row.where}: the item {quoted(item.id)} occurs twice: build the benchmark again")
            seen.add(item.id)
            yield item

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the matrix, Easy, Normal, Hard and average of each domain, their macro averages, and the overall."""
        card = self.card
        return style_substance_records(card.id, items, evidence, rule, intervals, card.sections, card.formulas[0])

    def composition(self, counts: Counts) -> Composition:
        """Return the compositions of cells, levels, averages, style gaps and the overall."""
        return style_substance_composition(counts, self.card.sections)

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing domains, and on counts other than the card's."""
        return style_substance_notes(items, self.card.sections) + missing_counts(self.card, items)


@dataclass(frozen=True, slots=True)
class BuiltFolder:
    """A folder with a finished benchmark, and its card.

    Attributes:
        data: The folder, as the user names it.
        fields: The contents of `rmeval.toml`.
        card: The same as a card.
    """

    data: str
    fields: Mapping[str, Any]
    card: Card

    @classmethod
    def at(cls, data: str) -> BuiltFolder:
        """Read the card of a folder.

        Raises:
            DataError: If it cannot be read or is wrong.
        """
        fields = read_card(_finished(data))
        return cls(data, fields, card_of(fields, data))

    def __call__(self) -> BuiltBenchmark:
        """Return the benchmark."""
        return BuiltBenchmark(self.data, self.fields)


def built_folder(name: str) -> Path | None:
    """Return the folder of a finished benchmark: the folder of a name, or `benchmark` in it; None if there is none."""
    for folder in (name, os.path.join(name, "benchmark")):  # noqa: PTH118  Names may be no paths.
        if os.path.isfile(os.path.join(folder, CARD_FILE)):  # noqa: PTH113, PTH118  It returns False for such names.
            return Path(folder)
    return None


def why_not_built(folder: Path) -> str:
    """State why a folder has no finished benchmark, and what to do."""
    if (folder / "benchmark.rejected" / CARD_FILE).is_file():
        return (
            f"the benchmark in {folder} did not pass its gates: see the output of rmeval build, or give "
            f"{folder / 'benchmark.rejected'} to use it nevertheless"
        )
    if (folder / "1-problems").is_dir():
        return f"the build in {folder} is not finished: run rmeval build with its config again"
    return f"{folder} is not the folder of a finished benchmark (it has no {CARD_FILE}): give that of a build"


def _finished(data: str) -> Path:
    found = built_folder(data)
    if found is None:
        place = Path(data)
        raise DataError(why_not_built(place) if place.is_dir() else f"there is no folder {data}: check the path")
    return found


def read_card(folder: Path) -> dict[str, Any]:
    """Read `rmeval.toml`.

    Raises:
        DataError: If it cannot be read.
    """
    file = folder / CARD_FILE
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise explain_read_error(error, file) from error
    except ValueError as error:
        raise DataError(f"{file} is not TOML ({reason_of(error)}): correct it") from error


def card_of(fields: Any, where: str) -> Card:
    """Return the card of the contents of `rmeval.toml`.

    Raises:
        DataError: If a field is missing or has a wrong type, or a newer rmeval wrote it.
    """
    where = f"the card of {where}"
    if not isinstance(fields, Mapping):
        raise DataError(f"{where} is {quoted(fields)}: write a table")
    version = fields.get("version")
    if type(version) is int and version > CARD_VERSION:
        raise DataError(f"{where} was written by a newer rmeval (version {version}): upgrade rmeval")
    texts = {name: fields.get(name, "") for name in (*_TEXTS, *_OPTIONAL)}
    if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
        raise DataError(f"{where} has the {wrong[0]} {quoted(texts[wrong[0]])}: write a string")
    if missing := [name for name in _TEXTS if not texts[name]]:
        raise DataError(f"{where} has no {missing[0]}: add it to {CARD_FILE}")
    if Path(texts["items"]).is_absolute() or ".." in Path(texts["items"]).parts:
        raise DataError(f"{where} has the items {quoted(texts['items'])}: write the path of a file in its folder")
    counts = fields.get("counts")
    if not isinstance(counts, Mapping) or not counts or not all(type(one) is int for one in counts.values()):
        raise DataError(f"{where} has the counts {quoted(counts)}: write a table with the number of items by domain")
    domains = domains_of(counts)
    is_rm_bench = {name: set(own) for name, own in domains.items()} == {name: set(own) for name, own in DOMAINS.items()}
    return Card(
        id=texts["id"],
        title=texts["title"],
        measures=texts["measures"],
        source="rmeval build",
        revision=None,
        licence=texts["licence"],
        paper=texts["paper"],
        citation=texts["citation"],
        counts=dict(counts),
        sections=domains,
        analyses=ANALYSES if len(domains.get("safety", ())) > 1 else {},
        formulas=(FORMULA if is_rm_bench else FORMULA_OF_DOMAINS,),
    )


def _item(row: Row, card: Card) -> Item:
    domain, number = row.text("domain"), row.name("id")
    if domain not in card.counts:
        raise DataError(f"{row.where}: the card has no domain {quoted(domain)}: build the benchmark again")
    chosen, rejected = (row.texts(side, 3, "one per style") for side in ("chosen", "rejected"))
    return Item(
        id=f"{domain}/{number}",
        subset=domain,
        prompt=(Message("user", row.text("prompt")),),
        responses=styled_responses(chosen, rejected),
        comparisons=COMPARISONS,
        cluster=row.optional_name("cluster") or f"{domain}/{number}",
        meta=row.meta("language", "licence"),
    )
