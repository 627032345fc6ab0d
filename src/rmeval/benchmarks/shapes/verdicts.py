"""Which of two responses is the better: values of a column that names it, signed strengths, scores."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal, Protocol

from rmeval.benchmarks.shapes.names import normal
from rmeval.benchmarks.shapes.reading import number_in
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import count_of, quoted, shortened

__all__ = ["Decision", "Labels", "OneHot", "Scores", "Strength", "Verdict", "label_of"]

Decision = Literal["a", "b", "tie", "none"]
"""The better response, `tie`, or `none` where the data name none."""
_TIES = ("draw", "equal", "same", "both", "neither", "bothgood", "bothbad")
_NONE = ("", "none", "null", "nan", "na")
_WORDS = ("model", "response", "answer", "assistant", "completion", "output", "option", "candidate", "conversation")
"""Words before the end of a column's name in the values that name it."""
_LABEL = 20
"""Characters of a value up to which it is not compared with the texts: "first" may be a text and a label."""
_MOST = 12
"""Distinct values that a note lists."""


class Verdict(Protocol):
    """Decides which of two responses of a row is the better.

    Attributes:
        says: How, in a phrase that ends a sentence.
    """

    says: str

    def decide(self, row: Row) -> Decision:
        """Return the better response of a row."""
        ...

    def notes(self) -> list[str]:
        """Return what the values meant, after all rows were read."""
        ...


class Labels:
    """A column whose values name the better response, such as `model_a`, `response_1`, `A`, `tie`."""

    def __init__(
        self,
        column: str,
        columns: tuple[str, str],
        ends: tuple[str, str] = ("a", "b"),
        stem: str = "",
        meanings: Mapping[object, str] | None = None,
        models: tuple[str, str] | None = None,
    ) -> None:
        """Store the names of the two responses.

        Args:
            column: The column.
            columns: The columns of the responses.
            ends: The different ends of their names.
            stem: The common part of their names.
            meanings: `a`, `b`, `tie` or `none` by value, instead of those names.
            models: Columns with the names of the models that wrote them, which the values may be, too.
        """
        self._models, self._by_name, self.meanings = models, not meanings, meanings
        self._column, self._columns = column, columns
        if meanings:
            self._known = {label_of(value): meaning for value, meaning in meanings.items()}
            names = {"a": repr(columns[0]), "b": repr(columns[1]), "none": "no winner"}
            values = ", ".join(f"{value} is {names.get(meaning, meaning)}" for value, meaning in meanings.items())
            self.says = f"{column!r} names the better one ({values})"
        else:
            self._known = {
                name: meaning
                for meaning, own, end in zip("ab", columns, ends, strict=True)
                for name in (normal(own), end, *(word + end for word in {*_WORDS, stem}))
            }
            one, two = ends
            self._known |= {f"{one}>{two}": "a", f"{two}<{one}": "a", f"{two}>{one}": "b", f"{one}<{two}": "b"}
            self._known |= {f"{one}={two}": "tie"}
            self.says = f"{column!r} names the better one"
        self._seen: Counter[tuple[str, str]] = Counter()

    def decide(self, row: Row) -> Decision:
        """Return the response that the value names.

        Raises:
            DataError: If it names none of them.
        """
        value = row.get(self._column)
        if isinstance(value, list | dict):
            raise row.wrong(self._column, "a name or a number", value)
        label = label_of(value)
        named, content = self._known.get(label), self._by_content(row, value)
        if content is not None and named not in (None, content):
            raise DataError(
                f"{row.where}: {self._column!r} is {quoted(value)}, which as a label names one response and as a "
                f"model's name the other: give its meaning with `labels`, such as {shortened(label)}=a"
            )
        found = named or content or _usual(label)
        if found is None:
            one, two = self._columns
            raise DataError(
                f"{row.where}: {self._column!r} is {quoted(value)}, which names neither {one!r} (a) nor {two!r} (b): "
                f"give the meaning of each value with `labels`, such as {shortened(label)}=a or {shortened(label)}=b "
                "(or =tie, =none)"
            )
        # A text of the data does not go into notes.
        shown = "its text" if isinstance(value, str) and self._texts(row, value) else shortened(value)
        if len(self._seen) < _MOST or (shown, found) in self._seen:
            self._seen[shown, found] += 1
        return found  # type: ignore[return-value]

    def _by_content(self, row: Row, value: object) -> str | None:
        """Return the response whose text, or the name of whose model, the value is."""
        if not self._by_name or not isinstance(value, str) or not value:
            return None
        models = [row.fields.get(column) == value for column in self._models or ()]
        texts = self._texts(row, value)
        found = {side for equal in (models, texts) for side, same in zip("ab", equal, strict=False) if same}
        return found.pop() if len(found) == 1 else None

    def _texts(self, row: Row, value: str) -> list[bool]:
        """Return whether each response is this text; empty if none is, or if it is as short as a label."""
        if len(value) <= _LABEL:
            return []
        found = [row.fields.get(column) == value for column in self._columns]
        return found if any(found) else []

    def notes(self) -> list[str]:
        """Return how often each value occurred, and what it meant."""
        names = dict(zip("ab", self._columns, strict=True))
        found = [
            f"{label} is {names[meaning]} ({count_of(count, 'row')})"
            for (label, meaning), count in self._seen.items()
            if meaning in names
        ]
        return [f"values of {self._column!r}: {', '.join(found)}"] if found else []


def _usual(label: str) -> str | None:
    """Return the meaning of a label that does not depend on the columns."""
    if label in _TIES or label.startswith("tie"):
        return "tie"
    return "none" if label in _NONE else None


def label_of(value: object) -> str:
    """Return a value as text in one form: `A`, `[[A]]` and `a` are equal, and so are `1`, `1.0` and `"1"`."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value != value:
        return ""
    text = str(value).strip().casefold()
    if number := _NUMBER.fullmatch(text):
        return number[1]
    return re.sub(r"([<>=])+", r"\1", re.sub(r"[\s_\-()\[\]/]+", "", text))


_NUMBER = re.compile(r"([+-]?\d+)(\.0*)?")


_UNSIGNED = 20
"""Number of values above 0, and none below, from which strengths may have no sign."""


class Strength:
    """HelpSteer's strength of a preference: below 0 for the first response, above 0 for the second, 0 for a tie."""

    def __init__(self, column: str, columns: tuple[str, str], swapped: bool = False) -> None:
        """Store the column, and those of the responses; `swapped` if the first response of the data is b."""
        self._column = column
        self._below, self._above = 0, 0
        self._sides: tuple[Decision, Decision] = ("b", "a") if swapped else ("a", "b")
        one, two = columns[::-1] if swapped else columns
        self.says = f"the better one is {one!r} where {column!r} is below 0, and {two!r} where it is above 0"

    def decide(self, row: Row) -> Decision:
        """Return the response that is preferred.

        Raises:
            DataError: If the value is not between -3 and 3.
        """
        strength = number_in(row, self._column)
        if strength is None:
            return "none"
        if not -3 <= strength <= 3:
            raise DataError(
                f"{row.where}: {self._column!r} is {strength:g} and not between -3 (the first response is much better) "
                "and 3 (the second): correct it"
            )
        self._below += strength < 0
        self._above += strength > 0
        return self._sides[strength > 0] if strength else "tie"

    def notes(self) -> list[str]:
        """Return a note if no value is below 0, as where strengths have no sign."""
        if self._below or self._above < _UNSIGNED:
            return []
        return [f"no value of {self._column!r} is below 0, so the second response is always the better one: check it"]


class Scores:
    """Two columns with a score of each response; the higher is the better."""

    def __init__(self, columns: tuple[str, str]) -> None:
        """Store the columns."""
        self._columns = columns
        self.says = f"the better one has the higher score ({columns[0]!r}, {columns[1]!r})"

    def decide(self, row: Row) -> Decision:
        """Return the response with the higher score; `none` if a score is missing."""
        one, two = (number_in(row, column) for column in self._columns)
        if one is None or two is None:
            return "none"
        return "tie" if one == two else "a" if one > two else "b"

    def notes(self) -> list[str]:
        """Return no notes."""
        return []


class OneHot:
    """Three columns, one of which is 1: the first is better, the second is better, a tie."""

    def __init__(self, columns: tuple[str, str, str]) -> None:
        """Store the columns."""
        self._columns = columns
        self.says = f"the better one is the one whose column is 1 ({', '.join(map(repr, columns))})"

    def decide(self, row: Row) -> Decision:
        """Return the response whose column is 1.

        Raises:
            DataError: If not exactly one of them is 1.
        """
        values = [number_in(row, column) for column in self._columns]
        if values == [None] * 3:
            return "none"
        if sorted(value or 0 for value in values) != [0, 0, 1]:
            raise DataError(
                f"{row.where}: exactly one of {', '.join(self._columns)} must be 1, not "
                f"{', '.join(f'{value:g}' if value is not None else 'null' for value in values)}: correct it"
            )
        return ("a", "b", "tie")[values.index(1)]

    def notes(self) -> list[str]:
        """Return no notes."""
        return []
