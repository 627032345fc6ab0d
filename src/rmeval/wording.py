"""How numbers of things are written in sentences."""

from __future__ import annotations

__all__ = ["count_of", "printable", "same_tokens_note"]


def count_of(number: int, what: str) -> str:
    """A number of things: `1 item`, `2 items`."""
    return f"{number:d} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """A name from somebody else's file, without what would move a terminal's cursor or change its colours."""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def same_tokens_note(pairs: int) -> str:
    """What a reader must know of pairs of responses that the model reads as the same tokens."""
    verb = "becomes" if pairs == 1 else "become"
    return (
        f"{count_of(pairs, 'pair')} of responses {verb} the same tokens (the chat template or the length policy leaves "
        "out what differs): such pairs tie"
    )
