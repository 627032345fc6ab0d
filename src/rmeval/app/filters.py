"""The filter of comparisons as addresses contain it: an address is the whole state of a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from rmeval.app.index import OUTCOMES, SORTS, ItemQuery, Key
from rmeval.errors import DataError
from rmeval.messages import quoted

__all__ = ["Filter", "Params", "first_of"]

Params = Mapping[str, Sequence[str]]
"""The fields of an address, each with its values."""
_Name = TypeVar("_Name", bound=str)
_MOST = 100
"""Values of one field."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which comparisons of a run a page is about, and where in their list it is.

    Attributes:
        query: The filter and the order.
        after: The place after which the list is shown.
        before: The place before which it is shown.
    """

    query: ItemQuery
    after: Key | None = None
    before: Key | None = None

    @classmethod
    def of(cls, params: Params, run: str) -> Filter:
        """Read the filter of an address.

        Args:
            params: The fields of the address.
            run: Key of the run if the address names none.

        Raises:
            DataError: If a value is not one of its field.
        """
        return cls(
            ItemQuery(
                first_of(params, "run") or run,
                _several(params, "subset"),
                _several(params, "cell"),
                _one_of(params, "outcome", OUTCOMES),
                _range(params, "margin"),
                _range(params, "length"),
                first_of(params, "other") or None,
                first_of(params, "q"),
                _one_of(params, "sort", SORTS) or "margin",
            ),
            _place(params, "after"),
            _place(params, "before"),
        )

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the fields of the address; those with their default are left out."""
        query = self.query
        yield "run", query.run
        yield from (("subset", name) for name in query.subsets)
        yield from (("cell", name) for name in query.cells)
        yield from (
            (name, value)
            for name, value in (("outcome", query.outcome), ("other", query.other), ("q", query.text.strip()))
            if value
        )
        for name, (least, greatest) in (("margin", query.margin), ("length", query.length)):
            yield from (
                (f"{name}-{end}", _written(value))
                for end, value in (("min", least), ("max", greatest))
                if math.isfinite(value)
            )
        if query.sort != "margin":
            yield "sort", query.sort
        yield from ((name, str(key)) for name, key in (("after", self.after), ("before", self.before)) if key)

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves comparisons of the run out."""
        plain = ItemQuery(self.query.run, sort=self.query.sort)
        narrow: bool = self.query != plain
        return narrow

    @property
    def items(self) -> str:
        """The address of the list."""
        return f"/items?{urlencode(list(self.fields()))}"

    def item(self, key: str, number: int | None, at: Key | None = None, **more: str) -> str:
        """Return the address of a comparison's page.

        Args:
            key: Key of the item.
            number: Position of the comparison among those of the item.
            at: The place in the list from which the page goes on to the next one.
            **more: Further fields; empty ones are left out.
        """
        own = [] if number is None else [("number", str(number))]
        place = [] if at is None else [("at", str(at))]
        fields = [*own, *replace(self, after=None, before=None).fields(), *place]
        return f"/item/{key}?{urlencode([*fields, *((name, value) for name, value in more.items() if value)])}"

    def changed(self, **changes: Any) -> Filter:
        """Return a filter with other fields of its query, at the first page."""
        return Filter(replace(self.query, **changes))


def first_of(params: Params, name: str) -> str:
    """Return the first value of a field; empty if there is none."""
    return next(iter(params.get(name, ())), "")


def _several(params: Params, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in params.get(name, ()) if one))[:_MOST]


def _one_of(params: Params, name: str, choices: Sequence[_Name]) -> _Name | None:
    given = first_of(params, name)
    found = next((one for one in choices if one == given), None)
    if given and found is None:
        raise DataError(f"the address has {name}={quoted(given, 60)}: choose from {', '.join(choices)}")
    return found


def _range(params: Params, name: str) -> tuple[float, float]:
    return _number(params, f"{name}-min", -math.inf), _number(params, f"{name}-max", math.inf)


def _number(params: Params, name: str, default: float) -> float:
    given = first_of(params, name).strip()
    try:
        found = float(given) if given else default
    except ValueError:
        found = math.nan
    if math.isnan(found):
        raise DataError(f"the address has {name}={quoted(given, 60)}: give a number")
    return found


def _written(value: float) -> str:
    """A bound with all of its digits: a rounded one would be another filter on the next page."""
    return repr(value).removesuffix(".0")


def _place(params: Params, name: str) -> Key | None:
    given = first_of(params, name)
    return Key.of(given) if given else None
