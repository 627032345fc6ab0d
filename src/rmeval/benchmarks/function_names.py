"""Search for names of functions in prompts and code, in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["defined_function", "first_function"]

_WORD = re.compile(r"\w+")
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_EQUALS = re.compile(r"\s*+(?:=\s*+)?")
_ASCII_EQUALS = re.compile(r"\s*+(?:=\s*+)?", re.ASCII)
_PUBLIC = re.compile(r"\s++(public\s)?", re.ASCII)


def first_function(text: str) -> str | None:
    r"""Find the first word before a parenthesis, with only `=` and `<...>` between them.

    This is group 1 of `(\w+)\s*(?:=\s*)?(?:<[^>]*>)?\(`, whose search takes cubic time.
    """
    calls = _Calls(text, _EQUALS, ">")
    return next((word[0] for word in _WORD.finditer(text) if calls.follow(word.end())), None)


def defined_function(code: str) -> str | None:
    r"""Find the first word of `first_function` on a line of code that may begin a definition.

    Such a line is not indented, or begins with `public`; its first letter is not part of the word, which is in ASCII.
    This is group 1 of `^(?:\s+public\s|\S).*?\b([A-Za-z_]\w*)\s*(?:=\s*)?(?:<[^>\n]*>)?\(` (multiline, ASCII).
    """
    calls = _Calls(code, _ASCII_EQUALS, ">\n")
    for start in _starts(code):
        end = code.find("\n", start)
        for word in _ASCII_WORD.finditer(code, start, len(code) if end < 0 else end):
            whole = word.start() == 0 or not _ASCII_WORD.match(code, word.start() - 1)
            if whole and not word[0][0].isdigit() and calls.follow(word.end()):
                return word[0]
    return None


def _starts(code: str) -> Iterator[int]:
    """Yield the positions where a function's name may begin on each line, in order."""
    line, indented = 0, 0
    while True:
        if line >= indented and line < len(code):
            if space := _PUBLIC.match(code, line):
                # White space may span several lines: the search from each of them ends at the same position.
                indented = len(code) if space.end() == len(code) else space.end() - len(space[1] or "")
                if space[1]:
                    yield space.end()
            else:
                yield line + 1
        line = code.find("\n", line) + 1
        if not line:
            return


class _Calls:
    """Search for a parenthesis after positions of a text, which must be given in increasing order."""

    def __init__(self, text: str, between: re.Pattern[str], stops: str) -> None:
        self._text, self._between, self._stop = text, between, re.compile(f"[{stops}]")
        self._next = -1

    def follow(self, place: int) -> bool:
        """Return whether a parenthesis follows, after an optional `=` and `<...>`."""
        place = self._between.match(self._text, place).end()  # type: ignore[union-attr]
        if self._text.startswith("<", place):
            if self._next <= place:
                found = self._stop.search(self._text, place)
                self._next = len(self._text) if found is None else found.start()
            if self._text.startswith(">", self._next):
                place = self._next + 1
        return self._text.startswith("(", place)
