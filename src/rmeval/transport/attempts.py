"""One attempt of a call, and what its failure means."""

from __future__ import annotations

import email.utils
import random
import re
import time
from dataclasses import dataclass
from typing import Any, Protocol

from rmeval.transport.calls import Fault, Reply

__all__ = ["Attempt", "Attempts", "Pace", "can_heal", "is_fatal", "is_overload", "is_wrong_model", "retry_after"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Constants that are no options.

    Attributes:
        first_wait: Longest wait in seconds before the first retry of a call; it doubles with each further one.
        longest_wait: Longest wait before any retry.
        longest_pause: Longest pause that a server's Retry-After can cause.
        patience: Seconds without any success after which the server counts as dead.
        refusals: Number of calls in a row, each refused for itself, after which the run stops.
        gather: Longest time in seconds for which replies are gathered into one batch.
        longest_body: Largest size of an answer in bytes, decompressed.
    """

    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_pause: float = 120.0
    patience: float = 180.0
    refusals: int = 12
    gather: float = 0.5
    longest_body: int = 16 << 20

    def wait(self, number: int) -> float:
        """Return a random wait before a call's retry (full jitter), whose upper bound doubles with each retry."""
        return random.uniform(0, min(self.longest_wait, self.first_wait * 2 ** min(number, 30)))


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of one request.

    Attributes:
        data: The decoded answer.
        fault: The kind of failure; None if there is an answer.
        error: Why it failed, in one line.
        status: HTTP status.
        retry_after: Seconds that the server wants to be left alone.
        permanent: Whether the same request would fail again, whatever `fault` is.
    """

    data: Any = None
    fault: Fault | None = None
    error: str | None = None
    status: int | None = None
    retry_after: float = 0.0
    permanent: bool = False

    @property
    def cause(self) -> str:
        """The failure in a word, to count by."""
        return str(self.status) if self.fault == "status" else str(self.fault)


class Attempts(Protocol):
    """What makes the attempts of calls: a client of HTTP, or of another package."""

    @property
    def via(self) -> str:
        """What is between rmeval and the server, for messages; empty without it."""
        ...

    async def attempt(self, method: str, path: str, content: bytes | None) -> Attempt:
        """Make one attempt; no failure of the network raises an exception."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


_WRONG_MODEL = re.compile(
    r"\bmodel\b.{0,300}\b(does not exist|not found|no such|unknown|not (?:being )?served)|model_not_found"
)
_NO_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|billing")
_OVERLOAD = frozenset({429, 502, 503, 504, 529})
_FATAL = frozenset({401, 402, 404, 405, 407})
_NEVER = frozenset({501, 505})


def is_wrong_model(attempt: Attempt | Reply) -> bool:
    """Whether the server states that it does not have the model."""
    return attempt.status in (400, 404, 422) and _WRONG_MODEL.search((attempt.error or "").lower()) is not None


def is_fatal(attempt: Attempt, answered: bool) -> bool:
    """Whether all other calls would fail too, now and later.

    Args:
        attempt: A failed attempt.
        answered: Whether the server has answered a call before.
    """
    if attempt.fault == "connect":
        return attempt.permanent or not answered
    if attempt.fault != "status":
        return False
    if attempt.status == 429:
        return _NO_CREDIT.search((attempt.error or "").lower()) is not None
    return attempt.status in _FATAL or (attempt.status == 403 and not answered) or is_wrong_model(attempt)


def can_heal(attempt: Attempt) -> bool:
    """Whether the same call may succeed if it is sent again."""
    if attempt.permanent or attempt.fault == "redirect":
        return False
    if attempt.fault == "status":
        status = attempt.status or 0
        return status in (408, 425, 429) or (status >= 500 and status not in _NEVER)
    return True


def is_overload(attempt: Attempt) -> bool:
    """Whether the failure means that the server has too much to do, or is not there."""
    return attempt.fault in ("connect", "timeout") or (attempt.fault == "status" and attempt.status in _OVERLOAD)


def retry_after(value: str | None, longest: float) -> float:
    """Read a Retry-After header, in seconds or as a date; 0 if there is none or it cannot be read.

    Args:
        value: The header.
        longest: Largest result.
    """
    if not value:
        return 0.0
    if re.fullmatch(r"\s*\d{1,18}(\.\d*)?\s*", value):
        return min(float(value), longest)
    try:
        until = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(until - time.time(), 0.0), longest)
