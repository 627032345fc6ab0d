"""Injection of an error: how the model writes it, and the rule for a minimal change."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import Field

from rmeval.build.config import Options
from rmeval.build.records import Change
from rmeval.build.rounds import Failed
from rmeval.build.texts import tagged
from rmeval.build.word_diff import SPACELESS, WordChanges, word_changes
from rmeval.messages import count_of

__all__ = ["Injected", "InjectionOptions", "change_fault", "injected"]


class InjectionOptions(Options):
    """What counts as a minimal change.

    Attributes:
        max_changed: Largest share of words that an error changes.
        max_places: Largest number of places that it changes; changes with at most two equal words between them are one.
    """

    max_changed: float = Field(default=0.15, gt=0, le=1)
    max_places: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Injected:
    """A response with an error.

    Attributes:
        text: The response.
        change: The error.
        changes: How the words differ.
    """

    text: str
    change: Change
    changes: WordChanges


def injected(text: str, written: str, options: InjectionOptions) -> Injected | Failed:
    """Apply the replacements that a model wrote between tags.

    Models copy a passage more reliably than a whole text, and the rest of the text stays as it is. Each passage between
    `<before>` tags occurs once in the text, and what stands between the next `<after>` tags replaces it.

    Args:
        text: The correct response.
        written: What the model wrote.
        options: What counts as a minimal change.

    Returns:
        The changed response, or why there is none.
    """
    befores, afters, abouts = (tagged(written, name) for name in ("before", "after", "about"))
    if not befores or len(befores) != len(afters) or len(abouts) != 1:
        return Failed("the change has a wrong form", "it needs <before>, <after> and <about>")
    changed = text
    for before, after in zip(befores, afters, strict=True):
        places = _places(before, changed)
        if len(places) != 1:
            return Failed("the changed passage is not in the response once", f"{len(places)} times: {before[:100]}")
        start, end = places[0]
        changed = changed[:start] + after + changed[end:]
    changes = word_changes(text, changed)
    if (fault := change_fault(changes, options)) is not None:
        return fault
    return Injected(changed, _change(changes, abouts[0]), changes)


def change_fault(changes: WordChanges, options: InjectionOptions) -> Failed | None:
    """Why a change is not a minimal change of at least one word; None if it is."""
    if not changes.changed:
        return Failed("the change changes no word")
    if changes.share > options.max_changed:
        return Failed("the change changes too many words", f"{changes.changed} of {changes.words}")
    if len(changes.places) > options.max_places:
        return Failed("the change is in too many places", count_of(len(changes.places), "place"))
    return None


def _places(passage: str, text: str) -> list[tuple[int, int]]:
    """Where a passage occurs, whatever its spaces and line ends."""
    words = passage.split()
    if not words:
        return []
    # A passage that ends within a word of the text, such as "in" in "inside", is not that passage.
    begin = r"(?<!\w)" if _SPACED.match(words[0][0]) else ""
    end = r"(?!\w)" if _SPACED.match(words[-1][-1]) else ""
    return [found.span() for found in re.finditer(begin + r"\s+".join(map(re.escape, words)) + end, text)]


_SPACED = re.compile(rf"[^\W{SPACELESS}]")


def _change(changes: WordChanges, about: str) -> Change:
    before, after = (" … ".join(own) for own in zip(*((one.before, one.after) for one in changes.places), strict=True))
    return Change(before, after, " ".join(about.split()))
