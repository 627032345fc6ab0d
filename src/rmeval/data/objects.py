"""Rows of Python objects: data frames, data sets, Arrow tables, lists of objects and objects of lists."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rmeval.errors import DataError
from rmeval.messages import count_of, quoted, shortened

__all__ = ["ObjectRows", "is_object_name", "rows_of"]

Fields = dict[str, Any]
_CHUNK = 1 << 10


@runtime_checkable
class _Pandas(Protocol):
    """A data frame of pandas."""

    columns: Any
    iloc: Any

    def itertuples(self, index: bool, name: None) -> Iterable[tuple[Any, ...]]: ...
    def __len__(self) -> int: ...


@runtime_checkable
class _Polars(Protocol):
    """A data frame of Polars."""

    columns: Any

    def iter_rows(self, *, named: bool) -> Iterable[Fields]: ...
    def __len__(self) -> int: ...


@runtime_checkable
class _Arrow(Protocol):
    """A table of Arrow."""

    column_names: Any
    num_rows: int

    def to_batches(self, max_chunksize: int) -> Iterable[Any]: ...


@runtime_checkable
class _Dataset(Protocol):
    """A data set of the package `datasets`."""

    column_names: Any
    features: Any

    def __iter__(self) -> Iterator[Fields]: ...


@dataclass(frozen=True, slots=True)
class ObjectRows:
    """Return the rows of an object.

    Attributes:
        name: What the object is, for people: `DataFrame of 120 rows`.
        rows: Returns an iterator over the rows; each call starts at the first.
    """

    name: str
    rows: Callable[[], Iterator[Fields]]


def rows_of(data: Any, split: str | None = None) -> ObjectRows:
    """The rows of an object.

    Args:
        data: A data frame (pandas or Polars), a data set or a dictionary of splits (`datasets`), an Arrow table, a list
            of dictionaries, or a dictionary of lists.
        split: The split of a dictionary of splits; not needed if it has only one.

    Raises:
        DataError: If it is something else, or the split is missing.
    """
    if isinstance(data, Mapping) and data and all(isinstance(one, _Dataset) for one in data.values()):
        data = data[_split(data, split)]
    elif split is not None:
        raise DataError(f"`split` is for data with splits, and the {type(data).__name__} has none: leave it out")
    for kind, read in _READERS:
        if isinstance(data, kind):
            rows = _plain_rows(read(data))
            return ObjectRows(_named(data), rows)
    raise DataError(
        f"`data` has the type {type(data).__name__}: give a path, a hub id, a data frame, a Dataset, a list of "
        "dictionaries or a dictionary of lists"
    )


def is_object_name(data: str) -> bool:
    """Return whether a text is an `ObjectRows.name` rather than a place."""
    return re.fullmatch(r"\w+ of \d+ rows?", data) is not None


def _split(splits: Mapping[Any, Any], split: str | None) -> str:
    names = [str(name) for name in splits]
    if split is None and len(names) == 1:
        return names[0]
    if split not in names:
        what = "have several splits" if split is None else f"have no split {quoted(split)}"
        raise DataError(f"the data {what}: choose one of {shortened(', '.join(names))} with `split`")
    return split


def _named(data: Any) -> str:
    name = "dictionary" if isinstance(data, dict) else type(data).__name__
    if isinstance(data, Mapping):
        return f"{name} of {count_of(len(next(iter(data.values()), ())), 'row')}"
    size = data.num_rows if isinstance(data, _Arrow) else len(data) if hasattr(data, "__len__") else None
    return name if size is None else f"{name} of {count_of(size, 'row')}"


def _pandas(data: _Pandas) -> Callable[[], Iterator[Fields]]:
    names = list(map(str, data.columns))
    _refuse_twice(names)

    def rows() -> Iterator[Fields]:
        for start in range(0, len(data), _CHUNK):
            for values in data.iloc[start : start + _CHUNK].itertuples(index=False, name=None):
                # pandas has no null: NaN, NA and NaT stand for one.
                yield {name: None if _is_missing(value) else value for name, value in zip(names, values, strict=True)}

    return rows


def _is_missing(value: Any) -> bool:
    return (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in ("NAType", "NaTType")


def _arrow(data: _Arrow) -> Callable[[], Iterator[Fields]]:
    _refuse_twice(list(data.column_names))
    return lambda: (row for batch in data.to_batches(_CHUNK) for row in batch.to_pylist())


def _list(data: Sequence[Any]) -> Callable[[], Iterator[Fields]]:
    for number, row in enumerate(data):
        if not isinstance(row, Mapping):
            raise DataError(f"`data` row {number} is {quoted(row)}: give a list of dictionaries")
    return lambda: iter(data)


def _columns(data: Mapping[Any, Any]) -> Callable[[], Iterator[Fields]]:
    sizes = {}
    for name, column in data.items():
        if (
            isinstance(column, str | bytes | Mapping)
            or not hasattr(column, "__len__")
            or not hasattr(column, "__iter__")
        ):
            raise DataError(
                f"`data` has {quoted(column)} as {quoted(name)}: give a dictionary of lists, or a list of dictionaries"
            )
        sizes[name] = len(column)
    if len(set(sizes.values())) > 1:
        some = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise DataError(f"the lists of `data` have different lengths ({shortened(some)}): make them equal")
    names = list(data)
    return lambda: (dict(zip(names, values, strict=True)) for values in zip(*data.values(), strict=True))


def _refuse_twice(names: Sequence[str]) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"two columns of `data` have the name {quoted(twice)}: rename one")


def _plain_rows(rows: Callable[[], Iterator[Fields]]) -> Callable[[], Iterator[Fields]]:
    return lambda: ({str(key): _plain(own) for key, own in row.items()} for row in rows())


def _plain(value: Any) -> Any:
    """Return a value with lists and numbers of Python in place of those of numpy."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return value


_READERS: tuple[tuple[type[Any], Callable[[Any], Callable[[], Iterator[Fields]]]], ...] = (
    (_Polars, lambda data: lambda: iter(data.iter_rows(named=True))),
    (_Pandas, _pandas),
    (_Arrow, _arrow),
    (_Dataset, lambda data: lambda: iter(data)),
    (Mapping, _columns),
    (list, _list),
    (tuple, _list),
)
"""The kinds of objects, in the order in which they are tried, and how their rows are read."""
