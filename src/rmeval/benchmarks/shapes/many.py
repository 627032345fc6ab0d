"""Prompts with several responses and a score or a rank of each: in rows of their own, or in a list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from itertools import combinations, groupby
from typing import Any

from rmeval.benchmarks.shapes.names import missing, normal, only
from rmeval.benchmarks.shapes.reading import Columns, LeftOut, Numbered, PairRow, number_in
from rmeval.benchmarks.shapes.two import Given
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.limits import limit
from rmeval.messages import count_of, quoted, shortened

__all__ = ["ResponseList", "ResponseRows", "response_list", "response_rows"]

_RESPONSES = ("response", "completion", "answer", "output", "generation")
_LISTS = ("answers", "responses", "completions", "candidates", "outputs", "generations")
_VALUES = ("score", "rating", "reward", "rank", "overallscore", "scores", "ratings", "rewards", "ranks")
_TEXTS = ("answer", "response", "text", "completion", "output", "content", "generation")
_HELPSTEER = ("helpfulness", "correctness", "coherence")
_TIED, _MISSING, _ALONE = "pair of equal {}", "response without a {}", "prompt with a single response"


class _Ranked:
    """Base of rows and lists: all pairs of the responses of a prompt whose values differ."""

    may_differ = False

    def __init__(self, value: str, lower: bool) -> None:
        """Store what orders the responses.

        Args:
            value: Name of the score or the rank.
            lower: Whether lower is better, as for ranks.
        """
        self._value, self._lower = value, lower
        self.left_out = LeftOut()
        self._pairs = self._prompts = 0

    @property
    def _order(self) -> str:
        return f"the better one has the {'lower' if self._lower else 'higher'} {self._value!r}; all pairs that differ"

    def _ordered(self, values: Sequence[float | None], where: str) -> Iterator[tuple[int, int]]:
        """Yield the positions of the better and the worse response of each pair."""
        if len(values) > (most := limit("RESPONSES")):
            raise DataError(
                f"{where}: the prompt has {len(values):,} responses, more than {most:,} (RMEVAL_MAX_RESPONSES), and "
                "rmeval compares all pairs of them: keep fewer"
            )
        known = [(place, value) for place, value in enumerate(values) if value is not None]
        for _ in range(len(values) - len(known)):
            self.left_out.add(_MISSING.format(self._value))
        if len(known) < 2:
            self.left_out.add(_ALONE)
        self._prompts += len(known) > 1
        for (one, first), (two, second) in combinations(known, 2):
            if first == second:
                self.left_out.add(_TIED.format(self._value))
                continue
            self._pairs += 1
            yield (one, two) if (first > second) != self._lower else (two, one)

    def notes(self) -> list[str]:
        """Return how many pairs and prompts there are."""
        return [f"{count_of(self._pairs, 'pair')} of responses to {count_of(self._prompts, 'prompt')}"]


class ResponseRows(_Ranked):
    """Consecutive rows with the same prompt, each with a response and its score or rank."""

    def __init__(self, columns: Columns, response: str, value: str, lower: bool, name: str, subset: str | None) -> None:
        """Store the columns.

        Args:
            columns: The columns beside the response; ids belong to responses and are not read.
            response: The column of the response.
            value: The column of the score or rank.
            lower: Whether lower is better.
            name: What the data look like.
            subset: The column of the subset, if it is read.
        """
        super().__init__(value, lower)
        self._subset = subset
        self._response, self._other = response, f"{response} (rejected)"
        of = {role: column for role, column in columns.of.items() if role != "id"}
        self._columns = Columns({**of, "chosen": response, "rejected": self._other}, columns.turns)
        self._prompt = columns.of["prompt"]
        self._context = [of[role] for role in ("prompt", "system", "history", "tools") if role in of]
        self._again = 0
        self.says = (
            f"{name}: consecutive rows with the same {self._prompt!r} are responses ({response!r}) to one prompt, and "
            f"{self._order} are compared"
        )

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield all pairs of the responses to a prompt."""
        seen: set[bytes] = set()
        for key, group in groupby(rows, lambda one: self._key(one[1])):
            self._again += key in seen
            seen.add(key)
            found = list(group)
            self._check_subset([row for _, row in found])
            values = [number_in(row, self._value) for _, row in found]
            number, first = found[0]
            for better, worse in self._ordered(values, first.where):
                (_, row), (_, other) = found[better], found[worse]
                fields = {**row.fields, self._other: other.get(self._response)}
                yield PairRow(Row(fields, row.where), self._columns, number, _suffix(better, worse))

    def _check_subset(self, rows: Sequence[Row]) -> None:
        """Raise an error if responses to one prompt belong to different subsets."""
        if self._subset is None:
            return
        names = list(dict.fromkeys(str(row.fields.get(self._subset)) for row in rows))
        if len(names) > 1:
            raise DataError(
                f"{rows[0].where}: the responses to this prompt have different subsets "
                f"({shortened(', '.join(names))}), so a pair has none: exclude the column with `ignore_keys` "
                f"{self._subset}, or make them equal"
            )

    def _key(self, row: Row) -> bytes:
        parts = [row.get(self._prompt), *(row.fields.get(column) for column in self._context[1:])]
        return blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=8).digest()

    def notes(self) -> list[str]:
        """Return also how many prompts occur in several places."""
        again = (
            f"{count_of(self._again, 'prompt')} also in later rows, which rmeval compares only with one another: "
            "sort the rows by prompt to compare them all"
        )
        return [*super().notes(), *([again] if self._again else [])]


class ResponseList(_Ranked):
    """Rows with a list of responses and their scores or ranks."""

    def __init__(self, columns: Columns, listed: str, texts: str, value: str, lower: bool, within: bool) -> None:
        """Store the columns.

        Args:
            columns: The columns beside the list.
            listed: The column of the list.
            texts: The key of the response in each object of the list; empty if the list has the responses.
            value: The key of the score or rank in each object, or the column with the list of these.
            lower: Whether lower is better.
            within: Whether `value` is a key.
        """
        super().__init__(value, lower)
        self._base, self._listed, self._texts, self._within = columns, listed, texts, within
        inside = f"{texts!r} of each object in {listed!r}" if texts else f"{listed!r}"
        self.says = (
            f"lists of responses: the prompt is {columns.of['prompt']!r}, the responses are {inside}, and "
            f"{self._order} are compared"
        )
        self._columns = cache(self._made)

    def _made(self, better: int, worse: int) -> Columns:
        return self._base.using(chosen=self._place(better), rejected=self._place(worse))

    def _place(self, number: int) -> str:
        return f"{self._listed}[{number}]"

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield all pairs of the responses of a row."""
        for number, row in rows:
            texts, values = self._parts(row)
            fields = {**row.fields, **{self._place(k): text for k, text in enumerate(texts)}}
            full = Row(fields, row.where)
            for better, worse in self._ordered(values, row.where):
                yield PairRow(full, self._columns(better, worse), number, _suffix(better, worse))

    def _parts(self, row: Row) -> tuple[list[Any], list[float | None]]:
        found = _entries(row, self._listed)
        if self._texts:
            inner = [Row(_object(one, row, self._listed), row.place(self._place(k))) for k, one in enumerate(found)]
            texts = [one.get(self._texts) for one in inner]
            if self._within:
                return texts, [number_in(one, self._value) for one in inner]
        else:
            texts = found
        values = _entries(row, self._value)
        if len(values) != len(texts):
            raise DataError(
                f"{row.where}: {self._listed!r} has {count_of(len(texts), 'response')}, and {self._value!r} has "
                f"{count_of(len(values), 'value')}: correct the row"
            )
        return texts, [number_in(Row({self._value: one}, row.where), self._value) for one in values]


def _suffix(one: int, two: int) -> str:
    """Return the end of a pair's id, which must not depend on the gold: corrected ranks need no new scores."""
    return f"/{min(one, two)}-{max(one, two)}"


def _entries(row: Row, column: str) -> list[Any]:
    value = row.get(column)
    if not isinstance(value, list):
        raise row.wrong(column, "a list", value)
    return value


def _object(value: Any, row: Row, column: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{row.place(column)} must contain objects, not {quoted(value)}: correct it")
    return value


def response_rows(row: Row, columns: Columns, given: Given) -> ResponseRows | None:
    """Recognise rows of a response with a score or a rank; None if the row is none.

    Raises:
        DataError: If it is one and something is ambiguous or missing.
    """
    names = given.names(row)
    response = given.columns.get("response") or only(
        row, "response", [name for name in names if normal(name) in _RESPONSES], "may be the response"
    )
    if response is None:
        return None
    name, value = "rows of responses", _value_column(given)
    if value is None and all(one in names for one in _HELPSTEER):
        name, value = "HelpSteer", _HELPSTEER[0]
    if value is None:
        usual = [one for one in names if normal(one) in _VALUES and one != response]
        value = only(row, _role, usual, "may be the score of the response")
    if value is None:
        return None
    roles = {"prompt": columns.of.get("prompt", "prompt"), "response": response, "score": value}
    if any(column not in row.fields for column in roles.values()):
        raise missing(row, roles)
    subset = columns.of.get("subset")
    subset = None if subset in given.ignored else subset
    return ResponseRows(columns, response, value, _is_rank(value, given), name, subset)


def response_list(row: Row, columns: Columns, given: Given) -> ResponseList | None:
    """Recognise a list of responses with scores or ranks; None if the row has none.

    Raises:
        DataError: If it has one and something is ambiguous or missing.
    """
    names = given.names(row)
    lists = [one for one in names if normal(one) in _LISTS and isinstance(row.fields[one], list)]
    listed = given.columns.get("responses") or only(row, "responses", lists, "is a list of responses")
    if listed is None:
        return None
    if listed not in row.fields or columns.of["prompt"] not in row.fields:
        raise missing(row, {"prompt": columns.of["prompt"], "responses": listed})
    entries = _entries(row, listed)
    keys = list(entries[0]) if entries and isinstance(entries[0], dict) else []
    usual = [key for key in keys if normal(key) in _TEXTS]
    texts = given.columns.get("response") or only(row, "response", usual, f"in {listed!r} may be the response") or ""
    if keys and not texts:
        raise DataError(
            f"{row.place(listed)} has objects with {', '.join(keys)}: name the response with `columns` response=NAME"
        )
    value = _value_column(given)
    if value is None:
        inside = [key for key in keys if normal(key) in _VALUES]
        beside = [one for one in names if normal(one) in _VALUES and isinstance(row.fields[one], list)]
        value = only(row, _role, [*inside, *beside], f"may be the score of the responses in {listed!r}")
    if value is None:
        raise DataError(
            f"{row.where}: {listed!r} is a list of responses without a score or a rank: name it with `columns` "
            "score=NAME or rank=NAME"
        )
    return ResponseList(columns, listed, texts, value, _is_rank(value, given), value in keys)


def _value_column(given: Given) -> str | None:
    return given.columns.get("score") or given.columns.get("rank")


def _is_rank(value: str, given: Given) -> bool:
    """Return whether lower is better."""
    return "rank" in given.columns or ("score" not in given.columns and _role(value) == "rank")


def _role(value: str) -> str:
    return "rank" if normal(value) in ("rank", "ranks") else "score"
