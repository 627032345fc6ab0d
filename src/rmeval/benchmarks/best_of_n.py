"""Responses to one's own prompts, with the quality of each: the candidates of best-of-N."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.benchmarks.base import TableBenchmark
from rmeval.benchmarks.card import Card
from rmeval.benchmarks.hooks import Option
from rmeval.benchmarks.option_values import list_of_texts, mapping_of_texts
from rmeval.data.conversations import INPUT_COLUMNS, MessageReader
from rmeval.data.digests import conversation_digest
from rmeval.data.reading import kind_of
from rmeval.data.rows import Row
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import count_of, quoted, shortened
from rmeval.metrics.composition import Composition, Counts, Measure
from rmeval.metrics.outcomes import SHARED, Outcomes
from rmeval.metrics.scoring.best_of_n import (
    LARGEST_QUALITY,
    best_of_n_composition,
    best_of_n_outcomes,
    limit_records,
    quality_of,
)
from rmeval.types import Evidence, Item, Record, Response, ScoreRule

__all__ = ["BestOfN"]

COLUMNS = ("id", "prompt", "responses", "gold", "answers", "subset", "cluster", "writer")
_KNOWN = {*COLUMNS, "reference", "tests", "outcomes", "scores"}
"""Columns that are read, or that `rmeval candidates` and other commands use."""
_FORMULA = "best-of-n/best-of-k@1"


class BestOfN(TableBenchmark):
    """Candidates of best-of-N from local files: a row for each prompt, with any number of responses.

    Items have no comparisons: the comparisons of N responses with each other are N(N-1)/2, which for 64 responses to
    500 prompts are a million, and a curve over N needs an order of the responses, which scores define. Models that only
    compare responses are therefore refused.
    """

    card = Card(
        id="best-of-n",
        title="Best of N",
        measures="The response with the highest score among N is good.",
        source="your own candidates (`data`)",
        revision=None,
        licence="that of the data",
        paper="",
        citation="",
        formulas=(_FORMULA, "best-of-n/best_picked@1"),
        rule=SHARED,
    )
    spec = card.id
    takes = (
        Option("columns", "mapping", "the data's column names, such as responses=samples,gold=correct"),
        Option("roles", "mapping", "the data's role names, such as human=user,gpt=assistant"),
        Option("ignore_keys", "words", "keys of messages, and columns, to exclude, such as name,context"),
    )

    def __init__(
        self,
        data: str | None = None,
        columns: Mapping[str, str] | None = None,
        roles: Mapping[str, str] | None = None,
        ignore_keys: Sequence[str] | None = None,
    ) -> None:
        """Store the source of the candidates and its options.

        Args:
            data: A JSON Lines, JSON or parquet file with a row for each prompt, or a folder of them.
            columns: The data's names for `id`, `prompt`, `responses`, `gold`, `answers`, `subset`, `cluster` and
                `writer`, if they differ.
            roles: The data's role names, mapped to those of chat templates, such as `{"human": "user"}`.
            ignore_keys: Keys of messages, and columns, to exclude although they may belong to the input.

        Raises:
            DataError: If an option is wrong.
        """
        super().__init__(data)
        self._columns = dict(mapping_of_texts(columns, "columns"))
        if unknown := [name for name in self._columns if name not in COLUMNS]:
            raise DataError(f"`columns` has no {shortened(', '.join(unknown))}: choose from {', '.join(COLUMNS)}")
        if len(given := [self._columns.get(name, name) for name in COLUMNS]) > len(set(given)):
            raise DataError("`columns` uses one column twice: use each once")
        self._reader = MessageReader(mapping_of_texts(roles, "roles"), list_of_texts(ignore_keys, "ignore_keys"))
        self._unread: set[str] = set()

    def load(self) -> Iterator[Item]:
        """Read the prompts with their candidates one by one.

        Raises:
            DataError: If the data are missing or do not have the expected form.
        """
        if self.data is None:
            raise DataError("best-of-n needs data: give a file of candidates with `data`")
        if not Path(self.data).exists():
            raise DataError(f"there is no file {self.data}: check the path, or write it with rmeval candidates")
        yield from super().load()

    def rows(self, path: Path) -> Iterable[Row]:
        """Yield the rows under the usual names of columns, without the columns that the user excludes."""
        names = {own: name for name, own in self._columns.items()}
        for row in super().rows(path):
            fields = {name: value for name, value in row.fields.items() if name not in self._reader.ignored}
            yield Row({names.get(name, name): value for name, value in fields.items()}, row.where)

    def gathered(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows with an id each: that of the file, or the number of the row.

        Raises:
            DataError: If two rows have the same id.
        """
        seen: dict[str, str] = {}
        for number, row in enumerate(rows):
            name = row.optional_name("id") or str(number)
            if name in seen:
                raise DataError(f"{row.where}: the id {quoted(name)} is also that of {seen[name]}: give each its own")
            seen[name] = row.where
            yield Row({**row.fields, "id": name}, row.where)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a prompt with its candidates; prompts with the same text are one cluster."""
        prompt = row.conversation("prompt", self._reader)
        responses = row.texts("responses")
        if not responses:
            raise DataError(f"{row.where}: column 'responses' is empty: give at least one response")
        unread = [name for name in INPUT_COLUMNS if name not in _KNOWN]
        self._reader.refuse_columns(row.fields, unread, prompt, row.where)
        self._unread |= row.fields.keys() - _KNOWN
        gold, writer = _gold(row, len(responses)), row.optional_name("writer")
        groups = _groups(row, len(responses))
        yield Item(
            id=row.name("id"),
            subset=row.optional_name("subset") or "all",
            prompt=prompt,
            responses=tuple(Response(text, value, source=writer) for text, value in zip(responses, gold, strict=True)),
            comparisons=(),
            cluster=row.optional_name("cluster") or conversation_digest(prompt),
            meta={} if groups is None else {"groups": groups},
        )

    def outcomes(self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule) -> Outcomes:
        """Compute the expected quality of the pick among n responses, and whether the best response is picked."""
        table = ItemTable.of(items)
        return best_of_n_outcomes(table, EvidenceTable.of(table, evidence), rule)

    def composition(self, counts: Counts) -> Composition:
        """Return the best of the largest N that all prompts have, also by subset, of smaller N, and the best picked."""
        return best_of_n_composition(counts)

    def formula(self, measure: Measure) -> str:
        """Return the name and version of a number's formula."""
        return _FORMULA if measure[0].startswith("best_of_") else super().formula(measure)

    def further(self, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, intervals: bool) -> Iterable[Record]:
        """Compute the quality of a random pick and of the best response."""
        return limit_records(self.card.id, items, evidence, rule, _FORMULA, intervals)

    def notes(self, items: Sequence[Item]) -> list[str]:
        """State what was not read, what is not known, and the unit if quality is not between 0 and 1."""
        table = ItemTable.of(items)
        quality = quality_of(table)
        sizes = table.sizes.tolist()
        unknown = sum(any(one.gold is None for one in table.shapes[code].responses) for code in table.shape.tolist())
        found = [f"columns that are not used: {', '.join(sorted(self._unread))}"] if self._unread else []
        if unknown:
            found.append(
                f"{count_of(unknown, 'prompt')} of {len(table)} with a response of unknown quality: not part of the "
                "numbers; rmeval bon takes the scores of another run as quality"
            )
        if sizes and min(sizes) < max(sizes):
            found.append(
                f"prompts have {min(sizes)} to {max(sizes)} responses: N goes up to {min(sizes)}, so that each number "
                "is of all prompts; rmeval bon shows larger N of fewer prompts"
            )
        known = quality[~(quality != quality)]
        if len(known) and (known.min() < 0 or known.max() > 1):
            found.append(
                f"quality is between {known.min():g} and {known.max():g} instead of 0 and 1: numbers in % are 100 "
                "times the quality"
            )
        return found


def _list(row: Row, column: str, count: int) -> list[Any] | None:
    """Return an optional column with a value for each response.

    Raises:
        DataError: If it is not such a list.
    """
    value = row.fields.get(column)
    if value is None:
        return None
    if not isinstance(value, list):
        raise row.wrong(column, f"a list with a value for each of {count_of(count, 'response')}", value)
    if len(value) != count:
        raise DataError(
            f"{row.where}: column {column!r} has {count_of(len(value), 'value')} for {count_of(count, 'response')}: "
            "give one for each, null where it is unknown"
        )
    return value


def _gold(row: Row, count: int) -> list[float | None]:
    """Return the quality of each response; None where it is unknown."""
    found: list[float | None] = []
    for value in _list(row, "gold", count) or [None] * count:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            found.append(None)
        elif isinstance(value, int | float) and abs(value) <= LARGEST_QUALITY:
            found.append(float(value))
        else:
            raise DataError(
                f"{row.where}: column 'gold' contains {quoted(value)}: give a number up to {LARGEST_QUALITY:g}, true, "
                "false or null for each response"
            )
    return found


def _groups(row: Row, count: int) -> list[int] | None:
    """Return a number for each response, equal for equal final answers and -1 without one; None without answers."""
    answers = _list(row, "answers", count)
    if answers is None:
        return None
    codes: dict[str, int] = {}
    found = []
    for answer in answers:
        if isinstance(answer, dict | list):
            raise DataError(f"{row.where}: column 'answers' contains {kind_of(answer)}: give texts, numbers or null")
        text = answer.strip() if isinstance(answer, str) else "" if answer is None else json.dumps(answer)
        found.append(codes.setdefault(text, len(codes)) if text else -1)
    return found
