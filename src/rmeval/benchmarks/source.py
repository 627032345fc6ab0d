"""Where a benchmark's files are, and their rows, with errors that say where."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rmeval.benchmarks.reading import SUFFIXES, iterate_fields, kind_of
from rmeval.conversations import INPUT_COLUMNS, MessageReader, list_in_text
from rmeval.errors import DataError
from rmeval.hub import hub_data, is_cached, is_hub_id
from rmeval.limits import limit
from rmeval.types import Conversation
from rmeval.wording import quoted, shortened

if TYPE_CHECKING:
    from rmeval.benchmarks import Card

__all__ = [
    "SUFFIXES",
    "Row",
    "find_files",
    "iterate_rows",
    "locate",
    "name_in",
    "part_rows",
    "read_rows",
    "refuse_unfetched",
]

logger = logging.getLogger(__name__)

_SHOWN, _LONGEST = 12, 60
"""How many columns an error names, and how much of each name."""

_READER = MessageReader(hint=False)
_INPUT = tuple(
    name for name in INPUT_COLUMNS if any(part in name for part in ("system", "history", "tool", "function"))
)
"""Columns that hold parts of the input, and that rows of no published benchmark here have."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its fields, and where it stands."""

    fields: dict[str, Any]
    where: str

    def get(self, column: str) -> Any:
        """The value of a column.

        Raises:
            DataError: If the row has no such column.
        """
        if column not in self.fields:
            raise DataError(
                f"{self.where}: column {column!r} is missing (there are {self._given() or 'none'}): add or rename it"
            )
        return self.fields[column]

    def _given(self) -> str:
        """The file's own columns, as a list for a message: names of those that a benchmark adds begin with `_`."""
        names = [shortened(name, _LONGEST) for name in self.fields if not name.startswith("_")]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{', '.join(names[:_SHOWN])}{more}"

    def text(self, column: str) -> str:
        """The value of a column that must be a string."""
        value = self.get(column)
        if not isinstance(value, str):
            raise self.wrong(column, "a string", value)
        self._refuse_messages(column, value)
        return value

    def _refuse_messages(self, column: str, text: str) -> None:
        if list_in_text(text, self.place(column)) is not None:
            raise DataError(
                f"{self.place(column)} is a list of messages written as JSON, where the text of one message belongs: "
                "give that text, or use -b pairs, which reads messages"
            )

    def optional_text(self, column: str) -> str | None:
        """The value of a column that need not be there, and must be a string if it is."""
        value = self.fields.get(column)
        if value is not None and not isinstance(value, str):
            raise self.wrong(column, "a string", value)
        return value

    def name(self, column: str) -> str:
        """The value of a column that must be a string or a whole number, as a string: what tells rows apart."""
        value = self.get(column)
        if isinstance(value, str) and not value.strip():
            raise DataError(f"{self.where}: column {column!r} is empty: it must tell this row from others")
        if isinstance(value, float):
            raise DataError(
                f"{self.where}: column {column!r} must be a name or a whole number, not {value}: correct it"
            )
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise self.wrong(column, "a name or a whole number", value)
        if isinstance(value, str) and len(value) > (most := limit("NAME_CHARACTERS")):
            raise DataError(
                f"{self.where}: column {column!r} must be a name, and holds {len(value):,} characters, more than "
                f"{most:,} (RMEVAL_MAX_NAME_CHARACTERS): correct it"
            )
        return str(value)

    def optional_name(self, column: str) -> str | None:
        """The value of a column as `name` reads it; None where there is none, or null."""
        return None if self.fields.get(column) is None else self.name(column)

    def meta(self, *columns: str) -> dict[str, Any]:
        """Those of some columns that are there, each a name or null."""
        for column in columns:
            self.optional_name(column)
        return {column: self.fields[column] for column in columns if column in self.fields}

    def label(self, column: str) -> int:
        """The value of a column that says which of two answers is the better one: 1 or 2."""
        value = self.get(column)
        if type(value) is not int or value not in (1, 2):
            raise DataError(
                f"{self.where}: the {column} must be 1 or 2, the better of both, not {quoted(value)}: correct it"
            )
        return value

    def texts(self, column: str, length: int | None = None, which: str = "") -> list[str]:
        """The value of a column that must be a list of strings, of `length` if given; `which` says which they are."""
        value = self.get(column)
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.wrong(column, "a list of strings", value)
        for text in value:
            self._refuse_messages(column, text)
        if length is not None and len(value) != length:
            wanted = f"{length}{which and f', {which}'}"
            raise DataError(f"{self.where}: column {column!r} holds {len(value)} texts and not {wanted}: correct it")
        return value

    def conversation(self, column: str, reader: MessageReader | None = None) -> Conversation:
        """The value of a column that holds a user's prompt as a string, or a list of `{"role", "content"}` messages.

        Args:
            column: The column.
            reader: What reads messages, where the user can say something about them.
        """
        value = self.get(column)
        if not isinstance(value, str | list | np.ndarray):
            raise self.wrong(column, "a string or a list of messages", value)
        return (reader or _READER).conversation(value, self.place(column))

    def place(self, column: str) -> str:
        """Where a column's value stands, for messages."""
        return f"{self.where}: column {column!r}"

    def refuse_input(self) -> None:
        """Refuses a row with parts of the input that this benchmark's rows do not have.

        Raises:
            DataError: If there are any.
        """
        _READER.refuse_columns(self.fields, _INPUT, (), self.where)

    def wrong(self, column: str, wanted: str, value: object) -> DataError:
        """The error for a value of the wrong type."""
        return DataError(f"{self.where}: column {column!r} must be {wanted}, not {kind_of(value)}: correct it")


def read_rows(path: Path) -> list[Row]:
    """Reads a table as `iterate_rows` does, whole."""
    return list(iterate_rows(path))


def iterate_rows(path: Path, nested: bool = False) -> Iterator[Row]:
    """Reads the rows of a table one by one; see `rmeval.benchmarks.reading.iterate_fields`."""
    return (Row(fields, where) for fields, where in iterate_fields(path, nested))


def find_files(folder: Path) -> list[Path]:
    """The files of a folder that `read_rows` can read, sorted by name; if it has none itself, those below it.

    Raises:
        DataError: If the folder holds none.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
        files = files or sorted(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES))
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}): check its permissions") from error
    if not files:
        raise DataError(f"{folder} holds no file that can be read ({', '.join(SUFFIXES)}): check the path")
    return files


class _HubPath(NamedTuple):
    """A file of a data set on the hub; repository and revision are empty where they are the card's."""

    repository: str
    revision: str
    path: str

    @classmethod
    def of(cls, name: str) -> _HubPath:
        """Reads `path`, or `owner/name@revision:path`."""
        place, _, path = name.rpartition(":")
        repository, _, revision = place.partition("@")
        return cls(repository, revision, path)


def locate(card: Card, names: Sequence[str], data: str | None, copies: Sequence[str] = ()) -> list[Path]:
    """The files of a benchmark's data.

    Args:
        card: The benchmark's card.
        names: Paths of the files in the source's repository, or `owner/name@revision:path` where it has several.
        data: None for the pinned source; another hub id with the same files; a file; or a folder that holds the files
            at those paths, below the repository's name where there is one, or at the ends of them (the folder may be
            one of those on the way), or else any files that can be read, down to any depth.
        copies: Paths of the same data in other places, such as a clone of the authors' repository.

    Raises:
        DataError: If there are none, or they cannot be had.
    """
    files = [_HubPath.of(name) for name in names]
    if data is None or (not Path(data).exists() and is_hub_id(data) and "/" in data and not data.endswith(SUFFIXES)):
        return _from_hub(card, files, data)
    place = Path(data)
    if not place.exists():
        raise DataError(f"there is no file {data}: check the path")
    if not place.is_dir():
        return [place]
    parts = [Path(file.repository, file.path).parts for file in (*files, *map(_HubPath.of, copies))]
    for above in range(max(map(len, parts), default=0)):
        # Files of one name in several folders are one file, once the folder is chosen.
        ends = dict.fromkeys(place.joinpath(*part[above:]) for part in parts if len(part) > above)
        if found := [path for path in ends if path.is_file()]:
            return found
    return find_files(place)


def name_in(path: Path, names: Collection[str]) -> str:
    """Which of some names a file has, or else its folder or the one above: the part of the benchmark it holds.

    Raises:
        DataError: If it is none of them.
    """
    own = (path.name.partition(".")[0], *(folder.name for folder in path.absolute().parents[:2]))
    if (found := next((name for name in own if name in names), None)) is None:
        raise DataError(
            f"{path} does not say which part it is: name it, or the folder it is in, after one of {', '.join(names)}"
        )
    return found


def part_rows(path: Path, parts: Collection[str], nested: bool = False) -> Iterator[Row]:
    """The rows of a file that holds one part of a benchmark, with the part's name and their number in it.

    Args:
        path: The file, see `iterate_rows`.
        parts: Names of parts, see `name_in`; the row's own is in its column `_part`, its place in `_number`.
        nested: See `iterate_rows`.
    """
    part = None
    for number, row in enumerate(iterate_rows(path, nested)):
        # A file that cannot be read is told before a name that says nothing.
        part = part or name_in(path, parts)
        yield Row(row.fields | {"_part": part, "_number": number}, row.where)


def refuse_unfetched(card: Card, data: str | None) -> None:
    """Refuses a benchmark whose data are not on the hub and were not given.

    Raises:
        DataError: If it is one.
    """
    if data is None and "://" in card.source:
        raise DataError(
            f"the data of {card.title} are at {card.source} and not on the hub: fetch them (git clone {card.source}), "
            f"mind their licence ({card.licence}), and say with --data where they are"
        )


def _from_hub(card: Card, files: Sequence[_HubPath], data: str | None) -> list[Path]:
    """Files from the hub; what their licence is stands in the log before they are fetched."""
    refuse_unfetched(card, data)
    wanted: dict[str, dict[tuple[str, str | None], None]] = {}
    for file in files:
        source = data or file.repository or card.source
        wanted.setdefault(source, {})[file.path, None if data else file.revision or card.revision] = None
    found = []
    for source, own in wanted.items():
        if not all(is_cached(source, *place) for place in own):
            licence = card.licence if data is None else "see its page on the hub"
            logger.warning("fetching %s from the hub; licence: %s", source, licence)
        names = [name for name, _ in own]
        found += [file.path for place in own for file in hub_data(source, *place, names)]
    return found
