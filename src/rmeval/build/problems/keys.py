"""Keys in the solutions of published mathematical problems."""

from __future__ import annotations

import re

__all__ = ["boxed", "boxes", "final_line"]

_FINAL = re.compile(r"^####[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
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
    found = []
    for start in _BOX.finditer(text):
        rest = text[start.end() :]
        # LaTeX takes one character without braces.
        content = _braced(rest) if rest.startswith("{") else rest[:1]
        if content and content.strip(" $"):
            found.append(content.strip())
    return found


def _braced(text: str) -> str | None:
    """What the braces at the beginning of a text enclose; None if they are not closed."""
    depth = 0
    for at, letter in enumerate(text):
        if letter in "{}" and (at == 0 or text[at - 1] != "\\"):
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return text[1:at]
    return None
