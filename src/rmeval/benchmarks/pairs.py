"""Preference pairs from any source: a prompt, a chosen response and a rejected one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rmeval.benchmarks import Benchmark, Card, Option
from rmeval.benchmarks.locate import SUFFIXES, find_files
from rmeval.benchmarks.option_values import list_of_texts, mapping_of_texts
from rmeval.benchmarks.pair_items import DifferentConversationsError, PairReader
from rmeval.benchmarks.shapes.reading import Columns, Numbered, PairRow, Reading
from rmeval.benchmarks.shapes.table import EXTRA_ROLES, recognise
from rmeval.benchmarks.shapes.two import Given
from rmeval.data.conversations import MessageReader
from rmeval.data.objects import is_object_name, rows_of
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.extras import need_extra
from rmeval.hub import is_hub_id, offline_without_hub
from rmeval.limits import limit
from rmeval.messages import count_of, quoted, shortened
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.records import accuracy_record
from rmeval.types import Evidence, Item, Record, ScoreRule

__all__ = ["Pairs"]

logger = logging.getLogger(__name__)

FORMULA = "accuracy@1"
COLUMNS = ("prompt", "chosen", "rejected", "subset", "id", "system", "history", "tools")


class Pairs(Benchmark):
    """Preference pairs from a local file, a folder of files, or a data set on the hub."""

    card = Card(
        id="pairs",
        title="Preference pairs",
        measures="The better response is the one that the data mark as chosen.",
        source="your own data (`data`)",
        revision=None,
        licence="that of the data",
        paper="",
        citation="",
        formulas=(FORMULA,),
    )

    spec = "pairs"
    reads_objects = True
    takes = (
        Option("columns", "mapping", "the data's column names, such as prompt=question,chosen=good"),
        Option("roles", "mapping", "the data's role names, such as human=user,gpt=assistant"),
        Option("ignore_keys", "words", "keys of messages, and columns, to exclude, such as name,history"),
        Option("split", "text", "the split, of a data set that has splits"),
        Option("labels", "mapping", "meanings of values that name the better response, such as 1=a,0=b,2=tie"),
        Option("config", "text", "the configuration of a data set on the hub"),
    )

    def __init__(
        self,
        data: Any = None,
        columns: Mapping[str, str] | None = None,
        split: str | None = None,
        config: str | None = None,
        roles: Mapping[str, str] | None = None,
        ignore_keys: Sequence[str] | None = None,
        labels: Mapping[Any, str] | None = None,
    ) -> None:
        """Store the source of the pairs and its options.

        Args:
            data: JSONL, JSON, CSV, TSV or parquet file, a folder of them, a folder that `Dataset.save_to_disk` wrote, a
                hub id, or a Python object that `rmeval.data.objects.rows_of` reads, such as a data frame.
            columns: The data's names for `prompt`, `chosen`, `rejected`, `subset`, `id`, `system`, `history` and
                `tools`, if they differ; for two responses and a winner, `a`, `b` and `better` (or `score_a` and
                `score_b`); for many responses, `response` or `responses`, and `score` or `rank`.
            split: Split of a hub data set, `train` if None; or of data with several splits.
            config: Configuration of a hub data set.
            roles: The data's role names, mapped to those of chat templates, such as `{"human": "user"}`.
            ignore_keys: Keys of messages, and columns, to exclude although they may belong to the input.
            labels: The meaning of each value of the column `better`: `a`, `b`, `tie` or `none`.

        Raises:
            DataError: If `columns` has an unknown name, or an option has the wrong type.
        """
        texts = {"split": split, "config": config} | dict(columns if isinstance(columns, Mapping) else {})
        if wrong := [option for option, value in texts.items() if not (value is None or isinstance(value, str))]:
            raise DataError(f"{wrong[0]} of pairs must be a string, not {quoted(texts[wrong[0]])}")
        if columns is not None and not isinstance(columns, Mapping):
            raise DataError(f"columns must be a mapping, such as {{'prompt': 'question'}}, not {quoted(columns)}")
        self.columns = dict(columns or {})
        _check_columns(self.columns)
        _check_labels(labels)
        self._reader = MessageReader(mapping_of_texts(roles, "roles"), list_of_texts(ignore_keys, "ignore_keys"))
        self._given = Given(self.columns, labels or {}, self._reader.ignored, self._reader.turns)
        self.split, self.config = split, config
        data = str(data) if isinstance(data, Path) else data
        self._object = None if data is None or isinstance(data, str) else rows_of(data, split)
        self.data = data if self._object is None else self._object.name
        self._reading: Reading | None = None

    def load(self) -> Iterator[Item]:
        """Read the pairs one by one. Pairs with equal contexts form a cluster; an id is the row's id or number."""
        subsets: set[str] = set()
        most = limit("SUBSETS")
        rows = enumerate(self._rows())
        if (first := next(rows, None)) is None:
            raise DataError(f"{self.data} has no rows: add at least one")
        base = Columns({name: name for name in COLUMNS}).using(**self.columns)
        reading = self._reading = recognise(first[1], base, self._given)
        for where, item in self._items(reading, chain([first], rows)):
            subsets.add(item.subset)
            if "all" in subsets and len(subsets) > 1:
                raise DataError(
                    f"{where}: some pairs have a subset, others none or 'all', which stands for all pairs: give each a "
                    "subset"
                )
            if len(subsets) > most:
                raise DataError(
                    f"{where}: there are more than {most:,} subsets (RMEVAL_MAX_SUBSETS), and each has its own "
                    "accuracy: give a column with few names, with `columns` subset=NAME"
                )
            yield item
        if not subsets:
            why = "; ".join([*reading.left_out.notes(), *reading.notes()])
            raise DataError(f"{self.data} has no pair with a better response ({why})")

    def _items(self, reading: Reading, rows: Iterable[Numbered]) -> Iterator[tuple[str, Item]]:
        """Return the pairs with their places; the first is logged unless the columns have the usual names."""
        readers: dict[Columns, PairReader] = {}
        said = not reading.says
        for pair in reading.pairs(rows):
            if (reader := readers.get(pair.columns)) is None:
                reader = readers[pair.columns] = PairReader(pair.columns, self._reader)
            try:
                item = reader.item(pair)
            except DifferentConversationsError:
                if not reading.may_differ:
                    raise
                reading.left_out.add("row whose conversations differ before the last response")
                continue
            if not said:
                said = True
                self._reader.note("shape", "%s", f"rmeval reads {self.data} as {reading.says}; {_shown(pair, item)}")
            yield pair.row.where, item

    def _rows(self) -> Iterable[Row]:
        if self._object is not None:
            name = self._object.name.partition(" of ")[0]
            return (Row(fields, f"{name} row {number}") for number, fields in enumerate(self._object.rows()))
        if self.data is None:
            raise DataError("pairs needs data: give a file, a folder or a hub id with `data`")
        if is_object_name(self.data):
            raise DataError(f"the data were an object in Python ({self.data}): give that object again with `data`")
        if self.data == "-":
            raise DataError("pairs does not read standard input: write the rows to a file and give its path")
        place = Path(self.data)
        if any((place / file).is_file() for file in _SAVED):
            return _saved_rows(place, self.split)
        if place.is_dir():
            return (row for path in find_files(place) for row in iterate_rows(path))
        if place.exists() or not is_hub_id(self.data) or place.name.endswith(SUFFIXES):
            if self.split or self.config:
                raise DataError(
                    f"`split` and `config` are for data on the hub, and {self.data} is a local file: leave them out"
                )
            return iterate_rows(place)
        return _hub_rows(self.data, self.config, self.split or "train")

    def notes(self, items: Sequence[Item]) -> list[str]:
        """State how the data were read, unless the columns have the usual names, and what was left out."""
        reading = self._reading
        if reading is None:
            return []
        says = [f"read as {reading.says}"] if reading.says else []
        return [*says, *reading.notes(), *reading.left_out.notes()]

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the accuracy by subset, if there are subsets, and over all pairs."""
        found = outcomes(items, evidence, rule)
        records = [
            accuracy_record(self.card.id, rule, name, part, FORMULA)
            for name, part in found.by_subset()
            if name != "all"
        ]
        return [*records, accuracy_record(self.card.id, rule, "all", found, FORMULA)]


def _check_columns(columns: Mapping[str, str]) -> None:
    """Raise an error for an unknown role, and for a column with two roles."""
    if unknown := set(columns) - {*COLUMNS, *EXTRA_ROLES}:
        raise DataError(
            f"`columns` has no {shortened(', '.join(sorted(unknown)))}: choose from "
            f"{', '.join((*COLUMNS, *EXTRA_ROLES))}, as in prompt=question"
        )
    given = list(columns.values())
    if twice := next((name for name in given if given.count(name) > 1), None):
        raise DataError(f"`columns` uses the column {quoted(twice)} twice: use each once")
    usual = {"prompt"} if columns.keys() & set(EXTRA_ROLES) else {"prompt", "chosen", "rejected"}
    if taken := (usual - columns.keys()) & set(given):
        raise DataError(f"`columns` uses the column {taken.pop()!r} twice: use each once")


def _check_labels(labels: Mapping[Any, str] | None) -> None:
    """Raise an error for values without one of the four meanings."""
    if labels is not None and not isinstance(labels, Mapping):
        raise DataError(f"labels must be a mapping, such as {{'1': 'a', '0': 'b'}}, not {quoted(labels)}")
    for value, meaning in (labels or {}).items():
        if meaning not in ("a", "b", "tie", "none"):
            raise DataError(f"`labels` {shortened(value)} must be a, b, tie or none, not {quoted(meaning)}")


def _shown(pair: PairRow, item: Item) -> str:
    """Return the first pair in a message."""
    prompt, (chosen, rejected) = item.prompt[-1], item.responses
    before = f"{count_of(len(item.prompt), 'message')} that end" if len(item.prompt) > 1 else "the prompt"
    return (
        f"the first pair ({pair.row.where}): {before} {quoted(prompt.content, _SHOWN)}, chosen "
        f"{quoted(chosen.text, _SHOWN)}, rejected {quoted(rejected.text, _SHOWN)}"
    )


_SHOWN = 80
"""Characters of a text of the first pair in a message."""
_SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that `Dataset.save_to_disk` wrote."""


def _saved_rows(place: Path, split: str | None) -> Iterator[Row]:
    try:
        import datasets
    except ImportError as error:
        raise need_extra(error, f"the data set in {place}") from error
    try:
        found = rows_of(datasets.load_from_disk(str(place)), split)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{place} cannot be read as a folder of save_to_disk ({error}): save it again") from error
    return (Row(fields, f"{place} row {number}") for number, fields in enumerate(found.rows()))


def _hub_rows(name: str, config: str | None, split: str) -> Iterator[Row]:
    try:
        import datasets
    except ImportError as error:
        raise need_extra(error, f"the data set {name}") from error
    logger.warning("reading %s from the hub or the local cache; licence: see its page on the hub", name)
    try:
        with offline_without_hub(name, "dataset"):
            table = datasets.load_dataset(name, config, split=split)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise DataError(
            f"the data set {name} is not on the hub, or needs a login: check the spelling "
            "(a local file needs its path), or log in with 'hf auth login' or HF_TOKEN"
        ) from error
    except ConnectionError as error:
        raise DataError(
            f"the data set {name} is not available because the hub cannot be reached: check the connection, or give a "
            "local file"
        ) from error
    except ValueError as error:
        raise DataError(f"the data set {name} cannot be read ({error}): check `split` and `config`") from error
    return (Row(dict(fields), f"{name} {split} row {number}") for number, fields in enumerate(table))
