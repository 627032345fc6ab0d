"""How numbers and names are written in sentences."""

from __future__ import annotations

import unicodedata

__all__ = ["count_of", "quoted", "same_tokens_note", "shortened", "visible"]


def count_of(number: int, what: str) -> str:
    """A number of things: `1 item`, `2 items`."""
    return f"{number:d} {what}{'' if number == 1 else 's'}"


def visible(text: str, lines: bool = False) -> str:
    r"""Text from somebody else's file as a terminal may show it: what would act on the terminal becomes an escape.

    Control characters (ESC, C1, CR, NUL), marks that change the direction of text, other invisible format characters,
    line and paragraph separators, private and unassigned ones, and lone surrogates are written as Python writes them
    in a string, such as `\x1b` and `\u202e`.

    Args:
        text: The text.
        lines: Whether line feeds and tabs may stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _is_shown(letter, lines) else _escape(letter) for letter in text)


_JOINERS = "\u200c\u200d"
"""Format characters that words and emoji of many languages need, and that move nothing."""


def _is_shown(letter: str, lines: bool) -> bool:
    if letter in "\n\t":
        return lines
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def shortened(value: object, longest: int = 200) -> str:
    """A value for a message: shown as `visible` does, and cut in its middle where it is long."""
    # A value may be megabytes; what is cut is never made visible letter by letter.
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= longest:
        return visible(text)
    from rmeval.redaction import redacted

    half = longest // 2
    # What is left of a secret that is cut in two would no longer look like one.
    head, tail = redacted(text[: half + _AROUND])[:half], redacted(text[-half - _AROUND :])[-half:]
    return f"{visible(head)} ... {visible(tail)} ({len(text)} characters)"


_AROUND = 4_096
"""Characters beyond a cut that may belong to the same secret."""


def quoted(value: object, longest: int = 200) -> str:
    """A value for a message as Python writes it, a string in quotes; see `shortened`."""
    return shortened(repr(value), longest)


def same_tokens_note(pairs: int) -> str:
    """What a reader must know of pairs of responses that the model reads as the same tokens."""
    verb = "becomes" if pairs == 1 else "become"
    return (
        f"{count_of(pairs, 'pair')} of responses {verb} the same tokens (the chat template or the length policy leaves "
        "out what differs): such pairs tie"
    )
