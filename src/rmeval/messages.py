"""Formatting of numbers, names and external text in messages."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Iterable

__all__ = [
    "alike",
    "chosen_from",
    "count_of",
    "nearest",
    "percent",
    "points",
    "quoted",
    "same_tokens_note",
    "shortened",
    "visible",
]


def count_of(number: int, what: str) -> str:
    """Return a count with its noun: `1 item`, `2 items`."""
    return f"{number:d} {what}{'' if number == 1 else 's'}"


def points(share: float) -> str:
    """Return a share as points with their noun: `1 point`, `2.5 points`."""
    number = f"{100 * share:g}"
    return f"{number} point{'' if number == '1' else 's'}"


def alike(one: object, other: object) -> bool:
    """Whether two names differ only in case and separators, as `RM-Bench` and `rm_bench` do."""
    return _plain(one) == _plain(other)


def nearest(name: object, names: Iterable[str]) -> str | None:
    """Return the name that another was probably meant to be, if there is one."""
    plain = {_plain(own): own for own in names}
    found = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.75)
    return plain[found[0]] if found else None


def chosen_from(name: object, names: Iterable[str]) -> str:
    """Return what to do about an unknown name: the one that was probably meant, and all of them."""
    there = list(names)
    listed = f"choose one of {', '.join(there)}"
    meant = nearest(name, there)
    return f"did you mean {meant}? ({listed})" if meant else listed


def _plain(name: object) -> str:
    return "".join(letter for letter in str(name).casefold() if letter.isalnum())


def percent(value: float) -> str:
    """Format a share in percent."""
    # Adding 0 turns -0.0 into 0.0.
    return "-" if math.isnan(value) else f"{round(100 * value, 1) + 0.0:.1f}"


def visible(text: str, lines: bool = False) -> str:
    r"""Escape the characters of external text that would control the terminal.

    Control characters (ESC, C1, CR, NUL), marks that change the direction of text, other invisible format characters,
    line and paragraph separators, private and unassigned characters, and lone surrogates become Python's escapes, such
    as `\x1b` and `\u202e`.

    Args:
        text: The text.
        lines: Whether to keep line feeds and tabs.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _is_shown(letter, lines) else _escape(letter) for letter in text)


_JOINERS = "\u200c\u200d"
"""Harmless format characters that words and emoji of many languages need."""


def _is_shown(letter: str, lines: bool) -> bool:
    if letter in "\n\t":
        return lines
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def shortened(value: object, longest: int = 200) -> str:
    """Format a value for a message: escaped by `visible`, and cut in the middle if it is long."""
    # A value may have megabytes, so only the parts that are kept are escaped.
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= longest:
        return visible(text)
    from rmeval.redaction import redacted

    half = longest // 2
    # The remainder of a secret that the cut splits would no longer be recognised.
    head, tail = redacted(text[: half + _AROUND])[:half], redacted(text[-half - _AROUND :])[-half:]
    return f"{visible(head)} ... {visible(tail)} ({len(text)} characters)"


_AROUND = 4_096
"""Characters beyond the cut in which `redacted` can find the rest of a secret."""


def quoted(value: object, longest: int = 200) -> str:
    """Format a value for a message in Python's notation, such as a string in quotes; see `shortened`."""
    return shortened(repr(value), longest)


def same_tokens_note(pairs: int) -> str:
    """Return the note on pairs of responses that become the same tokens."""
    verb = "becomes" if pairs == 1 else "become"
    return (
        f"{count_of(pairs, 'pair')} of responses {verb} the same tokens (the chat template or the length policy leaves "
        "out what differs): such pairs tie"
    )
