"""Facets: what differs between runs, from their manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rmeval.errors import RunError
from rmeval.messages import chosen_from, nearest, quoted
from rmeval.metrics.stats.variance import ITEM, PROBLEM
from rmeval.store.manifest import Manifest

__all__ = ["MODEL", "RUN", "Facet", "facet_notes", "facets_of"]

MODEL = "model"
"""The facet of runs of different models."""
_FINGERPRINT = "fingerprint"
RUN = "run"
"""The facet of runs that differ in several ways, so that each is a level."""
_DATA = ("benchmark", "contents")
"""Entries of an identity that describe the items, which the runs have in common."""


@dataclass(frozen=True, slots=True)
class Facet:
    """What differs between runs.

    Attributes:
        name: Its name.
        entries: The entries of the manifests that differ.
        levels: The distinct values, as text.
        of_run: The position of each run's level in `levels`.
    """

    name: str
    entries: tuple[str, ...]
    levels: tuple[str, ...]
    of_run: tuple[int, ...]


def facets_of(manifests: Sequence[Manifest], given: Sequence[str] = ()) -> list[Facet]:
    """Find the one or two facets in which runs differ.

    Entries of the identity that distinguish the same runs are one facet. An entry that follows from another one, such
    as the tokenizer from the model, is none. If two facets are crossed, so that each combination of their levels has a
    run, both are returned; otherwise each run is a level of one facet.

    Args:
        manifests: The runs' manifests.
        given: Entries to use instead. A single name that is not an entry names the facet whose levels are the runs.

    Raises:
        RunError: If the runs do not differ, a name is unknown, or two runs have the same levels.
    """
    differing = _differing([dict(_entries(one)) for one in manifests])
    if not differing:
        raise RunError("the runs do not differ in their identity: give runs that differ in a setting or in the model")
    if given:
        return _given(differing, given)
    return _found(differing)


def _entries(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the entries that may differ, as text; the entry `model` is the fingerprint."""
    yield MODEL, manifest["model"]["name"]
    for name, value in manifest["identity"].items():
        if name not in _DATA:
            yield (_FINGERPRINT if name == MODEL else name), value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _differing(found: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the entries that differ, with each run's value."""
    names = dict.fromkeys(name for own in found for name in own)
    values = {name: tuple(own.get(name, "not set") for own in found) for name in names}
    return {name: own for name, own in values.items() if len(set(own)) > 1}


def _codes(values: Sequence[object]) -> tuple[int, ...]:
    """Number the distinct values in order of first appearance."""
    known: dict[object, int] = {}
    return tuple(known.setdefault(one, len(known)) for one in values)


def _follows(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the first partition of the runs follows from the second, which is finer."""
    return one != other and len(set(zip(one, other, strict=True))) == len(set(other))


def _found(differing: Mapping[str, tuple[str, ...]]) -> list[Facet]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, values in differing.items():
        groups.setdefault(_codes(values), []).append(name)
    finest = {own: names for own, names in groups.items() if not any(_follows(own, other) for other in groups)}
    runs = len(next(iter(finest)))
    cells = len(set(zip(*finest, strict=True)))
    if cells < runs:
        raise RunError("two runs have the same identity: give each run once")
    crossed = len(finest) == 1 or (len(finest) == 2 and _crossed(*finest))
    if not crossed:
        return [_named(_facet([name for names in finest.values() for name in names], differing), RUN)]
    return [_facet(names, differing) for names in finest.values()]


def _crossed(*parts: tuple[int, ...]) -> bool:
    """Whether each combination of levels has one run."""
    size = 1
    for own in parts:
        size *= len(set(own))
    return size == len(set(zip(*parts, strict=True))) == len(parts[0])


def _facet(names: Sequence[str], differing: Mapping[str, tuple[str, ...]]) -> Facet:
    """Return the facet of entries that differ together; runs of different models differ in the model."""
    of_models = MODEL in differing and (MODEL in names or _FINGERPRINT in names)
    # Two models may have one name.
    alone = of_models and len(set(differing[MODEL])) == len(set(_rows(names, differing)))
    rows = _rows([MODEL] if alone else [MODEL, *names] if of_models and MODEL not in names else names, differing)
    shown = [MODEL] if of_models else names
    # The order of levels does not depend on the order of the runs.
    levels = sorted(set(rows))
    places = tuple(levels.index(row) for row in rows)
    label = ", ".join([*shown[:_NAMED], *(["..."] if len(shown) > _NAMED else [])])
    return Facet(label, tuple(names), tuple(", ".join(row) for row in levels), places)


_NAMED = 2
"""Entries in the name of a facet."""


def _named(facet: Facet, name: str) -> Facet:
    return replace(facet, name=name)


def _rows(names: Sequence[str], differing: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    return list(zip(*(differing[name] for name in names), strict=True))


def _given(differing: Mapping[str, tuple[str, ...]], given: Sequence[str]) -> list[Facet]:
    if taken := [name for name in given if name in (PROBLEM, ITEM) or not name.strip()]:
        raise RunError(f"`facet` cannot be {quoted(taken[0])}: give an entry of the identity, or another name")
    unknown = [name for name in given if name not in differing]
    if len(given) > 2 or len(set(given)) < len(given):
        raise RunError(f"`facet` is given {len(given)} times: give one or two different names")
    if unknown and (len(given) > 1 or nearest(unknown[0], differing)):
        raise RunError(f"the runs do not differ in {quoted(unknown[0])}: {chosen_from(unknown[0], differing)}")
    if unknown:
        whole = _facet(list(differing), differing)
        return [_named(whole, given[0])]
    facets = [_facet([name], differing) for name in given]
    rows = list(zip(*(own.of_run for own in facets), strict=True))
    if len(set(rows)) < len(rows):
        others = [name for name in differing if name not in given]
        raise RunError(
            f"two runs have the same {' and '.join(given)}, but differ in {', '.join(others)}: give runs that differ "
            "only in the facet, or leave `facet` out"
        )
    return facets


def facet_notes(facets: Sequence[Facet]) -> Iterator[str]:
    """Yield notes on what facets leave open."""
    for facet in facets:
        if facet.name == RUN:
            entries = ", ".join(facet.entries)
            yield f"each run is a level, because the runs differ in {entries}, and not each combination has a run"
        if len(facet.levels) < _FEW and facet.name == MODEL:
            yield f"{len(facet.levels)} models say little about how much models differ, and about the reliability"
        elif len(facet.levels) < _FEW:
            yield f"{len(facet.levels)} levels of {facet.name} say little about its variance: see the interval"


_FEW = 5
