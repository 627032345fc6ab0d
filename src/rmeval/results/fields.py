"""Fields of `metrics.json`, checked, since files of earlier versions have no checksum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rmeval.messages import shortened
from rmeval.metrics.stats.positions import Share
from rmeval.results.judging import Failed, Judging
from rmeval.types import Record

__all__ = ["judging_from", "list_from", "number_from", "record_from", "text_from"]


def record_from(fields: Mapping[str, Any]) -> Record:
    """A record with checked fields, since files of earlier versions have no checksum."""
    found: dict[str, Any] = {
        name: text_from(fields[name]) for name in ("benchmark", "variant", "metric", "scope", "formula")
    }
    found |= {name: number_from(fields[name], int) for name in ("n_items", "n_clusters", "ties", "failures")}
    low, high = fields["ci"] or (None, None)
    return Record(
        **found,
        rule=text_from(fields["rule"] if "rule" in fields else fields["policy"]),  # The name in earlier versions.
        value=number_from(fields["value"]),
        ci=None if fields["ci"] is None else (number_from(low), number_from(high)),
        ci_method=None if fields["ci_method"] is None else text_from(fields["ci_method"]),
        weight=number_from(fields["weight"]),
        null={text_from(name): number_from(value) for name, value in fields["null"].items()},
    )


def judging_from(found: Mapping[str, Any]) -> Judging:
    """What a judge's run shows besides its numbers, with checked fields."""
    return Judging(
        tuple(
            Share(
                text_from(one["name"]),
                None if one["position"] is None else number_from(one["position"], int),
                number_from(one["size"], int),
                number_from(one["value"]),
                None if one["ci"] is None else (number_from(one["ci"][0]), number_from(one["ci"][1])),
                number_from(one["count"], int),
            )
            for one in list_from(found["orders"])
        ),
        tuple(
            Failed(
                text_from(one["status"]),
                number_from(one["count"], int),
                number_from(one["of"], int),
                {
                    text_from(name): (number_from(some, int), number_from(of, int))
                    for name, (some, of) in one["subsets"].items()
                },
            )
            for one in list_from(found["failed"])
        ),
        tuple(record_from(one) for one in list_from(found["rules"])),
    )


def list_from(value: object) -> list[Any]:
    """Return a list, or raise TypeError."""
    if not isinstance(value, list):
        raise TypeError(f"{shortened(value)} is not a list")
    return value


def text_from(value: object) -> str:
    """Return a string, or raise TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{shortened(value)} is not a string")
    return value


def number_from(value: object, kind: type = float) -> Any:
    """A number; null is NaN."""
    if value is None and kind is float:
        return math.nan
    if type(value) is not kind and (kind is int or type(value) is not int):
        raise TypeError(f"{shortened(value)} is not a number")
    return kind(value)
