"""Keys in the solutions of published mathematical problems."""

from __future__ import annotations

import re

__all__ = ["boxed", "boxes", "final_line"]

_FINAL = re.compile(r"^####[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_BRACE = re.compile(r"(?<!\\)[{}]")
_BOX = re.compile(r"\\(?:boxed|fbox)\b\s*")


def final_line(solution: str) -> str | None:
    """Return the key after the last `####` of a solution of GSM8K, without commas in numbers; None without one."""
    found = _FINAL.findall(solution)
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", found[-1]) if found else None


def boxed(solution: str) -> str | None:
    r"""Return what the last `\boxed{}` of a solution contains; None if there is none that is closed and not empty."""
    found = boxes(solution)
    return found[-1] if found else None


def boxes(text: str) -> list[str]:
    r"""Return what each `\boxed{}` of a text contains, without those that are empty or not closed."""
    found, closings = [], _closings(text)
    for start in _BOX.finditer(text):
        at = start.end()
        # LaTeX takes one character without braces.
        content = text[at + 1 : closings.get(at, at)] if text[at : at + 1] == "{" else text[at : at + 1]
        if content.strip(" $"):
            found.append(content.strip())
    return found


def _closings(text: str) -> dict[int, int]:
    """The place of the brace that closes each brace, found in one pass: a model may repeat itself to its limit."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            found[opened.pop()] = brace.start()
    return found
