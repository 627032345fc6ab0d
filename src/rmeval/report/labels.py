"""Short labels of models with long names, for tables with a column or a row for each of several models."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from rmeval.report.cells import clean

__all__ = ["short_labels"]

_SHORT = 20
"""Number of characters up to which a name is its own label."""
_PART = re.compile(r"[^/_\s:-]*[/_\s:-]*")


def short_labels(names: Sequence[str]) -> list[str]:
    """Return a label of at most 20 characters for each of several distinct names; no two names have the same.

    A short name is its own label. The long ones are labelled by their ends after the owner, as in `owner/model`, if all
    of these are short; else by what follows the words with which all of them begin; else by letters.
    """
    shown = [clean(name) for name in names]
    labels = dict(enumerate(shown))
    # Names with different secrets in them look the same.
    long = [place for place, name in labels.items() if len(name) > _SHORT or shown.count(name) > 1]
    short = {labels[place] for place in labels.keys() - set(long)}
    ends = [labels[place].rpartition("/")[2] for place in long]
    letters = (label for label in map(_letters, itertools.count()) if label not in short)
    fitting = (
        found
        for found in (ends, _tails(ends))
        if len({*found, *short}) == len(found) + len(short) and all(0 < len(label) <= _SHORT for label in found)
    )
    labels |= zip(long, next(fitting, letters), strict=False)
    return list(labels.values())


def _tails(names: Sequence[str]) -> list[str]:
    """Return the names without the parts with which all of them begin, but with one more if a number alone is left."""
    if len(names) < 2:
        return [""] * len(names)
    parts = [_PART.findall(name) for name in names]
    least = min(map(len, parts))
    shared = next((k for k in range(least) if len({own[k] for own in parts}) > 1), least)
    while shared and not all(re.search(r"[^\W\d_]", "".join(own[shared:])) for own in parts):
        shared -= 1
    tails = ["".join(own[shared:]) for own in parts]
    return [tail[1:-1] if tail.startswith("(") and tail.endswith(")") else tail for tail in tails]


def _letters(place: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, own = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + own)
