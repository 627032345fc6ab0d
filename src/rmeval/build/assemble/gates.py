"""Gates: what a benchmark must pass before it may be used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from rmeval.build.assemble.balance import Balance
from rmeval.build.assemble.baselines import BaselineNumber
from rmeval.build.assemble.items import cluster_of, styled
from rmeval.build.records import Record
from rmeval.build.stage import by_domain
from rmeval.messages import count_of, percent, quoted, shortened
from rmeval.types import STYLES

__all__ = [
    "GATES",
    "PER_ITEM",
    "Gate",
    "GateName",
    "Level",
    "balanced",
    "baselines",
    "duplicates",
    "licensed",
    "repeats",
    "verified",
]

GateName = Literal["verified", "duplicates", "repeats", "baselines", "balance", "licence"]
Level = Literal["fail", "warn"]
GATES: dict[GateName, Level] = {
    "verified": "fail",
    "duplicates": "fail",
    "repeats": "warn",
    "baselines": "fail",
    "balance": "fail",
    "licence": "fail",
}
"""The gates, and what happens by default."""
_SHOWN, _ROUNDING = 3, 1e-3
PER_ITEM = 2 * len(STYLES)
"""Number of texts of an item."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The result of a gate.

    Attributes:
        name: The gate.
        level: Whether a benchmark that does not pass it is rejected (`fail`), or is stated to have the fault (`warn`).
        passed: Whether the benchmark passes it.
        found: What was found, in one sentence with its numbers.
        faults: The first faults, a phrase each.
    """

    name: GateName
    level: Level
    passed: bool
    found: str
    faults: tuple[str, ...] = ()

    @property
    def result(self) -> str:
        """The result in words."""
        return "passed" if self.passed else "not passed" if self.level == "fail" else "warning"


def verified(records: Sequence[Record], level: Level) -> Gate:
    """Check that each item has a verified response of each side and style."""
    faults = [fault for record in records for fault in _unverified(record)]
    total = PER_ITEM * len(records)
    right = sum(one.verified for record in records for one in record.candidates)
    found = f"{right} of {total} texts of {count_of(len(records), 'item')} are verified"
    return Gate("verified", level, not faults, found, _some(faults))


def _unverified(record: Record) -> Iterator[str]:
    for side in ("chosen", "rejected"):
        own = styled(record, side)
        if [one.style for one in own] != list(STYLES) or len(record.candidates) != PER_ITEM:
            yield f"{record.key} has not one {side} response of each style"
        for one in own:
            if not one.verified:
                why = next(
                    (f"{check.by}: {check.status}" for check in one.checks if check.status != "pass"),
                    "no check",
                )
                yield f"{record.key} {one.id} ({why})"


def duplicates(records: Sequence[Record], near: Sequence[tuple[str, str, float]], level: Level) -> Gate:
    """Check that no prompt occurs twice, no two are nearly the same, and the responses of an item differ.

    Args:
        records: The records.
        near: Keys of two items of different problems with similar prompts, and their similarity.
        level: What happens otherwise.
    """
    same = [
        f"{' and '.join(record.key for record in own)} have the same prompt"
        for own in _equal([(_plain(record.problem.prompt), record) for record in records])
        if len({cluster_of(record) for record in own}) > 1
    ]
    alike = [f"{one} and {two} have similar prompts ({value:.2f})" for one, two, value in near]
    within = [
        f"{record.key}: {' and '.join(one.id for one in own)} are equal"
        for record in records
        # Indentation can be the error of a program.
        for own in _equal(
            [("\n".join(map(str.rstrip, one.text.strip().splitlines())), one) for one in record.candidates]
        )
    ]
    found = (
        f"{count_of(len(same), 'group')} of equal prompts, {count_of(len(alike), 'pair')} of similar ones, "
        f"{count_of(len(within), 'group')} of equal responses within an item"
    )
    return Gate("duplicates", level, not (same or alike or within), found, _some([*same, *alike, *within]))


def repeats(records: Sequence[Record], level: Level) -> Gate:
    """Check that no response occurs in two problems, as refusals often do."""
    texts = [(_plain(one.text), (record, one)) for record in records for one in record.candidates]
    faults = [
        f"{len(own)} items have the response {quoted(shortened(own[0][1].text, 60))}"
        for own in _equal(texts)
        if len({cluster_of(record) for record, _ in own}) > 1
    ]
    return Gate("repeats", level, not faults, f"{count_of(len(faults), 'response')} in several problems", _some(faults))


def baselines(numbers: Sequence[BaselineNumber], tolerance: float, level: Level) -> Gate:
    """Check that no null baseline differs from chance where both responses have the same style."""
    off = [one for one in numbers if one.is_off(tolerance)]
    faults = [f"{one.baseline} gets {percent(one.value)}% in {one.domain} (p = {one.p:.2g})" for one in off]
    far = max(numbers, key=lambda one: abs(one.value - 0.5), default=None)
    found = (
        "no item"
        if far is None
        else (
            f"of {count_of(len(numbers), 'number')} on Normal, the farthest from 50% is {percent(far.value)}% "
            f"({far.baseline} in {far.domain}); {len(off)} differ significantly and by more than "
            f"{percent(tolerance)} points"
        )
    )
    if unsure := sorted({one.domain for one in numbers if one.is_far(tolerance) and one not in off}):
        found += f"; others are as far in {', '.join(unsure)}, with too few problems to tell"
    return Gate("baselines", level, not off, found, _some(faults))


def balanced(found: Sequence[Balance], level: Level) -> Gate:
    """Check that chosen and rejected responses of a style have about the same mean length and markdown."""
    differences = [
        (difference, one.tolerance, f"{one.domain}, {one.style.replace('_', ' ')}: {what} of chosen {difference:+.1%}")
        for one in found
        for what, difference in (("words", one.length_difference), ("markdown", one.markdown_difference))
    ]
    # The means are rounded.
    faults = [text for difference, most, text in differences if abs(difference) > most + _ROUNDING]
    _, most, far = max(differences, key=lambda one: abs(one[0]), default=(0.0, 0.0, "no item"))
    text = f"the largest difference of means between chosen and rejected is {far} (at most {most:.0%} is allowed)"
    return Gate("balance", level, not faults, text, _some(faults))


def licensed(licence: str, records: Sequence[Record], level: Level) -> Gate:
    """Check that the licences of the benchmark and of each problem are stated.

    Args:
        licence: That of the benchmark, which is also that of problems without another.
        records: The records.
        level: What happens otherwise.
    """
    faults = [] if licence else ["`licence` is not stated"]
    faults += [
        f"the problems of {name} have no licence"
        for name, own in by_domain(records).items()
        if not all(record.problem.source.licence or licence for record in own)
    ]
    stated = sorted({record.problem.source.licence or licence for record in records} - {""})
    found = f"the benchmark: {licence or 'not stated'}; problems: {', '.join(stated) or 'not stated'}"
    return Gate("licence", level, not faults, found, _some(faults))


def _equal(texts: Sequence[tuple[str, Any]]) -> list[list[Any]]:
    """The groups of values with equal texts, of two or more."""
    ordered = sorted(enumerate(texts), key=lambda one: (one[1][0], one[0]))
    groups = ([value for _, (_, value) in own] for _, own in groupby(ordered, key=lambda one: one[1][0]))
    return [own for own in groups if len(own) > 1]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _some(faults: Sequence[str]) -> tuple[str, ...]:
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return (*faults[:_SHOWN], *more)
