"""Which rows of two tables are the same model, by their names."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rmeval.errors import DataError
from rmeval.messages import nearest, quoted, shortened

__all__ = ["Match", "Matches", "match_models"]

_SIMILAR = 0.85
_MOST_SIMILAR = 5


@dataclass(frozen=True)
class Match:
    """A model in two tables.

    Attributes:
        score: Its name in the table of scores.
        policy: Its name in the table of policies.
        how: `given` by the user, `exact`, `spelling` (case, separators or marks differ), or `organisation` (one name
            has the organisation too).
    """

    score: str
    policy: str
    how: str


@dataclass(frozen=True)
class Matches:
    """The models in two tables.

    Attributes:
        table: Name of the table of scores.
        found: The models in both.
        ambiguous: Names that may be one of several: the name, and those.
        scores_only: Names in the table of scores only.
        policies_only: Names in the table of policies only.
        similar: Names in one table only that resemble one in the other table.
    """

    table: str
    found: tuple[Match, ...]
    ambiguous: tuple[tuple[str, tuple[str, ...]], ...]
    scores_only: tuple[str, ...]
    policies_only: tuple[str, ...]
    similar: tuple[tuple[str, str], ...]


def match_models(
    table: str, scores: Sequence[str], policies: Sequence[str], given: Mapping[str, str] | None = None
) -> Matches:
    """Match the names of two tables: equal ones first, then those that differ in spelling, then in the organisation.

    Args:
        table: Name of the table of scores, for messages.
        scores: The models of the table of scores.
        policies: The models of the table of policies.
        given: Names in the table of scores and of the same models in that of policies.

    Raises:
        DataError: If a model in both tables has several rows in one.
    """
    found: list[Match] = []
    left, right = dict.fromkeys(scores), dict.fromkeys(policies)
    for one, other in (given or {}).items():
        if one in left and other in right:
            found.append(Match(one, other, "given"))
            del left[one], right[other]
    ambiguous: dict[str, tuple[str, ...]] = {}
    for how, key in _KEYS.items():
        for own, others in _classes(left, right, key):
            if len(own) == len(others) == 1:
                found.append(Match(own[0], others[0], how))
                del left[own[0]], right[others[0]]
            elif how != "exact":
                some, several = (own, others) if len(own) <= len(others) else (others, own)
                ambiguous |= {name: tuple(several) for name in some}
        for name in [*ambiguous, *(name for names in ambiguous.values() for name in names)]:
            left.pop(name, None)
            right.pop(name, None)
    _refuse_twice(table, scores, {match.score for match in found})
    _refuse_twice("the table of policies", policies, {match.policy for match in found})
    order = {name: place for place, name in enumerate(policies)}
    return Matches(
        table,
        tuple(sorted(found, key=lambda match: order[match.policy])),
        tuple(ambiguous.items()),
        tuple(left),
        tuple(right),
        tuple(_similar(list(left), list(right))),
    )


def check_given(given: Mapping[str, str], scores: Sequence[str], policies: Sequence[str]) -> None:
    """Check the names that are given as those of one model.

    Raises:
        DataError: If one is not in its table.
    """
    for one, other in given.items():
        for name, there, what in ((one, scores, "scores"), (other, policies, "policies")):
            if name not in there:
                meant = nearest(name, there)
                hint = f"did you mean {shortened(meant)}?" if meant else "give a name as it is in the table"
                raise DataError(f"`match`: there is no model {quoted(name)} in the table of {what}: {hint}")


def _spelled(name: str) -> str:
    """Return a name without case, separators, and marks at its end."""
    return "".join(letter for letter in name.casefold().rstrip("*†‡ ") if letter not in "_- \t")


def _without_organisation(name: str) -> str:
    return _spelled(name).rstrip("/").rpartition("/")[2]


_KEYS: Mapping[str, Callable[[str], str]] = {
    "exact": lambda name: name,
    "spelling": _spelled,
    "organisation": _without_organisation,
}


def _classes(
    left: Mapping[str, None], right: Mapping[str, None], key: Callable[[str], str]
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the names of both sides that have the same key."""
    there: dict[str, tuple[list[str], list[str]]] = {}
    for side, names in enumerate((left, right)):
        for name in names:
            there.setdefault(key(name), ([], []))[side].append(name)
    yield from [(own, others) for own, others in there.values() if own and others]


def _refuse_twice(where: str, names: Sequence[str], used: set[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name in used:
            rows = ", ".join(str(row + 1) for row, own in enumerate(names) if own == name)
            raise DataError(
                f"{where} has {count} rows of {shortened(name)} (rows {rows}): keep one, or give them different names"
            )


def _similar(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the most similar names that are not matched."""
    close = [
        (ratio, one, other)
        for one in left
        for other in right
        if (ratio := _ratio(_without_organisation(one), _without_organisation(other))) >= _SIMILAR
    ]
    for _, one, other in sorted(close, key=lambda own: -own[0])[:_MOST_SIMILAR]:
        yield one, other


def _ratio(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    # The upper bounds are cheap, and most names are far apart.
    return matcher.ratio() if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= _SIMILAR else 0.0
