"""A process that compares mathematical answers with math-verify, which may not end and may take all memory.

It reads a line of JSON `[key, answer]`, or `[key]` to see whether the key can be read, and writes the result as a line:
`"equal"`, `"different"`, `"unclear"`, `"readable"` or `"unreadable"`.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
from typing import Any

from math_verify import parse, verify
from sympy import Expr, Integer, Rational

__all__ = ["main"]

_MEMORY = 4 << 30
_NEAR = 0.01
_POINTS = (Rational(3, 7), Rational(11, 5), Integer(5))


def main() -> None:
    """Answer each line until the input ends.

    The argument is the processor time of one comparison in seconds. The kernel ends the process after it, since nobody
    else does if the build itself was killed.
    """
    seconds = float(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    logging.disable(logging.CRITICAL)  # It logs each answer that it cannot read.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        # math-verify uses the alarm, whose handler waits for the end of a large power.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        replies.write(f"{json.dumps(_reply(*json.loads(line)))}\n")
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.flush()


def _reply(key: str, answer: str | None = None) -> str:
    wanted = _parsed(key)
    if answer is None:
        return "readable" if wanted else "unreadable"
    given = _parsed(answer)
    # Its comparison is not symmetric.
    verdicts = {verify(wanted, given), verify(given, wanted)}
    if len(verdicts) > 1:
        return "unclear"
    if verdicts == {True}:
        return "equal"
    # It reads degrees as numbers.
    is_angle = "circ" in key or "circ" in answer
    return "different" if not is_angle and _differ(wanted, given) else "unclear"


def _parsed(answer: str) -> list[Any]:
    """The expressions that an answer may be; empty if it is none."""
    found = parse(f"\\boxed{{{answer}}}")
    return found if any(not isinstance(one, str) for one in found) else []


def _differ(wanted: list[Any], given: list[Any]) -> bool:
    """Whether answers that do not compare as equal are of the same kind, and not nearly equal."""
    if not wanted or not given:
        return False
    one, other = wanted[0], given[0]
    if not isinstance(one, Expr) or not isinstance(other, Expr):
        return type(one) is type(other)
    if one.free_symbols != other.free_symbols:
        return False
    return any(_are_far(one, other, point) for point in _POINTS)


def _are_far(one: Expr, other: Expr, point: Expr) -> bool:
    values = dict.fromkeys(one.free_symbols, point)
    try:
        first, second = complex(one.subs(values).evalf()), complex(other.subs(values).evalf())
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return False
    if first == 0 or second == 0:
        return first != second
    return abs(first - second) > _NEAR * abs(first) and abs(second / first) not in (100, 0.01)


if __name__ == "__main__":
    main()
