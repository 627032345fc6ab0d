"""Short labels of models with long names, for tables with a column or a row for each of several models."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rmeval.report.cells import clean

__all__ = ["short_labels"]

_SHORT = 20
"""Number of characters up to which a name is its own label."""
_PART = re.compile(r"[^/_\s:-]*[/_\s:-]*")


def short_labels(names: Sequence[str]) -> list[str]:
    """Return a label for each of several distinct names, each at most 20 characters long and without a second meaning.

    The labels are the names, if they are short; else the names without the owner, as in `owner/model`; else without the
    words with which all of them begin; else letters.
    """
    shown = [clean(name) for name in names]
    ends = [name.rpartition("/")[2] for name in shown]
    for found in (shown, ends, _tails(ends)):
        if len(set(found)) == len(found) and all(0 < len(label) <= _SHORT for label in found):
            return found
    return [_letters(place) for place in range(len(names))]


def _tails(names: Sequence[str]) -> list[str]:
    """Return the names without the parts with which all of them begin."""
    parts = [_PART.findall(name) for name in names]
    shared = next((k for k, own in enumerate(zip(*parts, strict=False)) if len(set(own)) > 1), min(map(len, parts)))
    return ["".join(own[shared:]).strip("()") for own in parts]


def _letters(place: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, own = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + own)
