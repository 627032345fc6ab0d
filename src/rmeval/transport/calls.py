"""A call of a server, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rmeval.errors import ModelError

__all__ = ["AnswerFault", "Call", "Fault", "Reply", "ServerError", "Usage"]

Fault = Literal["connect", "timeout", "cut", "protocol", "status", "body", "redirect"]
"""Why a call has no data.

`connect`: no connection; `timeout`: no answer, or not all of it, in time; `cut`: the connection ended too soon;
`protocol`: the answer is not HTTP; `status`: a status that is not 2xx; `body`: too large, not JSON, or JSON with NaN;
`redirect`: the server sends the client elsewhere, which it never follows.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a server.

    Attributes:
        key: Whatever identifies the call to its caller.
        path: Path relative to the server's address, such as `classify` or `v1/models`.
        body: What is sent as JSON; nothing with `GET`.
        tokens: Estimate of the tokens that the call sends, for budgets.
        method: HTTP method.
        output: Largest number of tokens that the answer has, for budgets.
    """

    key: Any
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 0
    method: Literal["POST", "GET"] = "POST"
    output: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a call.

    Attributes:
        call: The call.
        data: The server's answer, decoded from JSON; None if the call failed.
        error: Why it failed: one line without secrets, with the server's own words where there are some.
        fault: The kind of failure; None if there is an answer.
        status: HTTP status of the last attempt; None if it had none.
        attempts: How many times the call was sent.
        seconds: From the first attempt to the end, waiting times between attempts included.
    """

    call: Call
    data: Any
    error: str | None
    fault: Fault | None
    status: int | None
    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a server counted for one answer."""

    input: int
    output: int = 0

    def __add__(self, other: Usage) -> Usage:
        """The tokens of both."""
        return Usage(self.input + other.input, self.output + other.output)


@dataclass(frozen=True, slots=True)
class AnswerFault:
    """What an answer with a status 2xx reports instead of data, such as an error of the server behind a router.

    Attributes:
        error: The server's words.
        status: The HTTP status that the failure would have; None if the answer is only unusable.
    """

    error: str
    status: int | None = None


class ServerError(ModelError):
    """Raised if all calls of a server would fail.

    Attributes:
        reply: The end of the call that showed it.
    """

    def __init__(self, message: str, reply: Reply) -> None:
        super().__init__(message)
        self.reply = reply
