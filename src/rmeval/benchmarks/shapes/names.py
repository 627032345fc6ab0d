"""Names of columns in preference data."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from rmeval.data.rows import Row
from rmeval.errors import DataError

__all__ = ["Twin", "missing", "normal", "only", "twins", "usual"]

ENDS = (("a", "b", "c"), ("0", "1", "2"), ("1", "2", "3"))
"""Ends of the names of columns that hold the first, the second and the third of several things."""
_USUAL: dict[str, tuple[str, ...]] = {
    "prompt": (
        *("question", "query", "instruction", "input", "userprompt", "user", "problem", "task", "messages"),
        *("conversations", "conversation", "context", "history", "dialogue", "text"),
    ),
    "chosen": (
        *("good", "better", "best", "preferred", "accepted", "positive", "win", "winner", "winning", "responsej"),
        *("chosenresponse", "responsechosen", "chosenanswer", "answerchosen", "preferredresponse", "goodresponse"),
        *("betterresponse", "goodanswer", "betteranswer", "winnerresponse", "preferredoutput", "chosenmessages"),
    ),
    "rejected": (
        *("bad", "worse", "worst", "dispreferred", "negative", "lose", "loser", "losing", "responsek", "nonpreferred"),
        *("rejectedresponse", "responserejected", "rejectedanswer", "answerrejected", "dispreferredresponse"),
        *("badresponse", "worseresponse", "badanswer", "worseanswer", "loserresponse", "nonpreferredoutput"),
        *("rejectedmessages", "reject", "unpreferred", "nonpreferredresponse"),
    ),
}
"""Names, as `normal` writes them, of columns that often hold what rmeval reads under another name."""


def normal(name: str) -> str:
    """Return a name in small letters, without spaces and marks."""
    return re.sub(r"[\W_]+", "", name.casefold())


class Twin(NamedTuple):
    """Two columns with the same content for the first and the second response.

    Attributes:
        stem: The common part of the names.
        ends: The parts that differ, such as `a` and `b`.
        columns: The columns.
        third: The column of a third response, if there is one.
    """

    stem: str
    ends: tuple[str, str]
    columns: tuple[str, str]
    third: str | None


def twins(columns: Iterable[str], stems: Collection[str]) -> list[Twin]:
    """Return all pairs of columns such as `response_a` and `response_b`, with one of the stems."""
    known: dict[str, list[str]] = {}
    for name in columns:
        known.setdefault(normal(name), []).append(name)
    return [
        Twin(stem, (first, second), both, next(iter(known.get(stem + third, ())), None))
        for stem in stems
        for first, second, third in ENDS
        if stem or first == "a"
        for both in product(known.get(stem + first, ()), known.get(stem + second, ()))
    ]


def usual(columns: Iterable[str], role: str) -> list[str]:
    """Return the columns whose name is a usual one for a role that rmeval reads under another name."""
    return [name for name in columns if normal(name) in _USUAL.get(role, ())]


def missing(row: Row, roles: Mapping[str, str], extra: str = "") -> DataError:
    """Return the error for columns that a row lacks.

    Args:
        row: The row.
        roles: The column of each role.
        extra: More about them.
    """
    absent = [role for role, column in roles.items() if column not in row.fields]
    taken = [column for column in roles.values() if column in row.fields]
    free = [name for name in row.fields if name not in taken]
    found = {role: names[0] for role in absent if len(names := usual(free, role)) == 1}
    # Without a column of rejected responses, a column `winner` or `preferred` is a name, not a response.
    if len({"chosen", "rejected"} & set(absent)) == 2 and "rejected" not in found:
        found.pop("chosen", None)
    if found:
        way = f"looks like `columns` {_written(found)}"
    else:
        way = f"add or rename it, or give `columns` {_written(dict.fromkeys(absent, 'NAME'))}"
    # Messages need no prompt, so another column is named first.
    first = roles[next((role for role in absent if role != "prompt"), absent[0])]
    return DataError(f"{row.where}: column {first!r} is missing (the columns are {row.listed()}){extra}: {way}")


def _written(columns: Mapping[str, str]) -> str:
    return ",".join(f"{role}={column}" for role, column in columns.items())


def only(row: Row, role: str | Callable[[str], str], found: Sequence[str], what: str) -> str | None:
    """Return the only one of some columns; None if there is none.

    Args:
        row: The row.
        role: The role for which they may be used, or a function that returns that of each column.
        found: The columns.
        what: What each of them does, such as `names the better response`.

    Raises:
        DataError: If there are several.
    """
    if len(found) > 1:
        ways = " or ".join(f"{role if isinstance(role, str) else role(name)}={name}" for name in found)
        listed = " and ".join(map(repr, found)) if len(found) == 2 else ", ".join(map(repr, found))
        raise DataError(f"{row.where}: each of the columns {listed} {what}: choose one with `columns` {ways}")
    return next(iter(found), None)
