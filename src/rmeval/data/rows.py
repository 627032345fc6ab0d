"""Rows of tables, with errors that name file, row and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.data.conversations import INPUT_COLUMNS, MessageReader, list_in_text
from rmeval.data.reading import iterate_fields, kind_of
from rmeval.errors import DataError
from rmeval.limits import limit
from rmeval.messages import count_of, quoted, shortened
from rmeval.types import Conversation

if TYPE_CHECKING:
    pass

__all__ = ["Row", "iterate_rows", "read_rows"]

_SHOWN, _LONGEST = 12, 60
"""Maximum number of columns in an error message, and of characters of each name."""


_READER = MessageReader(hint=False)


_INPUT = tuple(
    name for name in INPUT_COLUMNS if any(part in name for part in ("system", "history", "tool", "function"))
)
"""Columns with parts of the input that no supported published benchmark uses."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its fields, and its file and number for messages."""

    fields: dict[str, Any]
    where: str

    def get(self, column: str) -> Any:
        """Return the value of a column.

        Raises:
            DataError: If the row has no such column.
        """
        if column not in self.fields:
            raise DataError(
                f"{self.where}: column {column!r} is missing (the columns are {self.listed() or 'none'}): add or "
                "rename it"
            )
        return self.fields[column]

    def listed(self) -> str:
        """Return the file's columns for a message, without columns that a benchmark adds, which begin with `_`."""
        names = [shortened(name, _LONGEST) for name in self.fields if not name.startswith("_")]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{', '.join(names[:_SHOWN])}{more}"

    def text(self, column: str) -> str:
        """Return the value of a column that must be a string."""
        value = self.get(column)
        if not isinstance(value, str):
            raise self.wrong(column, "a string", value)
        self._refuse_messages(column, value)
        return value

    def _refuse_messages(self, column: str, text: str) -> None:
        if list_in_text(text, self.place(column)) is not None:
            raise DataError(
                f"{self.place(column)} is a list of messages written as JSON instead of the text of one message: give "
                "that text, or use `benchmark` pairs, which reads messages"
            )

    def optional_text(self, column: str) -> str | None:
        """Return the value of an optional column that must be a string if it is present."""
        value = self.fields.get(column)
        if value is not None and not isinstance(value, str):
            raise self.wrong(column, "a string", value)
        return value

    def name(self, column: str) -> str:
        """Return the value of a column that identifies a row (a string or a whole number) as a string."""
        value = self.get(column)
        if isinstance(value, str) and not value.strip():
            raise DataError(f"{self.where}: column {column!r} is empty: give a value that identifies the row")
        if isinstance(value, float):
            raise DataError(
                f"{self.where}: column {column!r} must be a name or a whole number, not {value}: correct it"
            )
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise self.wrong(column, "a name or a whole number", value)
        if isinstance(value, str) and len(value) > (most := limit("NAME_CHARACTERS")):
            raise DataError(
                f"{self.where}: column {column!r} must be a name, but has {len(value):,} characters, more than "
                f"{most:,} (RMEVAL_MAX_NAME_CHARACTERS): correct it"
            )
        return str(value)

    def optional_name(self, column: str) -> str | None:
        """Return the value of a column as `name` reads it; None if it is missing or null."""
        return None if self.fields.get(column) is None else self.name(column)

    def meta(self, *columns: str) -> dict[str, Any]:
        """Return the values of those columns that exist, each a name or null."""
        for column in columns:
            self.optional_name(column)
        return {column: self.fields[column] for column in columns if column in self.fields}

    def label(self, column: str) -> int:
        """Return the value of a column with the number of the better of two responses: 1 or 2."""
        value = self.get(column)
        if type(value) is not int or value not in (1, 2):
            raise DataError(
                f"{self.where}: the {column} must be 1 or 2, the number of the better response, not {quoted(value)}: "
                "correct it"
            )
        return value

    def texts(self, column: str, length: int | None = None, which: str = "") -> list[str]:
        """Return a column's list of strings, with `length` of them if given; `which` describes them in the error."""
        value = self.get(column)
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.wrong(column, "a list of strings", value)
        for text in value:
            self._refuse_messages(column, text)
        if length is not None and len(value) != length:
            wanted = f"{length}{which and f', {which}'}"
            raise DataError(
                f"{self.where}: column {column!r} has {count_of(len(value), 'string')} instead of {wanted}: correct it"
            )
        return value

    def conversation(self, column: str, reader: MessageReader | None = None) -> Conversation:
        """Return a column's prompt: a user's message as a string, or a list of `{"role", "content"}` messages.

        Args:
            column: The column.
            reader: Reader of messages with the user's options; without one, the defaults.
        """
        value = self.get(column)
        if not isinstance(value, str | list | np.ndarray):
            raise self.wrong(column, "a string or a list of messages", value)
        return (reader or _READER).conversation(value, self.place(column))

    def prompt(self, column: str, reader: MessageReader, turns: bool = False) -> Conversation:
        """Return a column's prompt as `conversation` does, where it may be a dialogue in one text.

        Args:
            column: The column.
            reader: Reader of messages with the user's options.
            turns: See `MessageReader.prompt`.
        """
        value = self.get(column)
        return (
            reader.prompt(value, self.place(column), turns)
            if isinstance(value, str)
            else self.conversation(column, reader)
        )

    def place(self, column: str) -> str:
        """Return file, row and column of a value, for messages."""
        return f"{self.where}: column {column!r}"

    def refuse_input(self) -> None:
        """Raise an error for a row with parts of the input that this benchmark's rows do not have.

        Raises:
            DataError: If the row has any.
        """
        _READER.refuse_columns(self.fields, _INPUT, (), self.where)

    def wrong(self, column: str, wanted: str, value: object) -> DataError:
        """Return the error for a value of the wrong type."""
        return DataError(f"{self.where}: column {column!r} must be {wanted}, not {kind_of(value)}: correct it")


def read_rows(path: Path) -> list[Row]:
    """Read a whole table; see `iterate_rows`."""
    return list(iterate_rows(path))


def iterate_rows(path: Path, nested: bool = False) -> Iterator[Row]:
    """Read the rows of a table one by one; see `rmeval.data.reading.iterate_fields`."""
    return (Row(fields, where) for fields, where in iterate_fields(path, nested))
