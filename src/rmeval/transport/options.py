"""Options of everything that calls a server."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rmeval.errors import ModelError
from rmeval.messages import quoted
from rmeval.redaction import redacted

__all__ = ["ServerOptions"]

_VARIABLE = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a server is called. None of this changes a score.

    Attributes:
        api_key_env: Name of the environment variable that contains the key, which is sent as `Authorization: Bearer`.
        concurrency: Maximum number of calls in flight; a run starts with fewer and adapts.
        retries: How often one call is sent again after a failure that can heal.
        connect_timeout: Seconds until a connection is open.
        read_timeout: Seconds without a byte from the server.
        timeout: Seconds for one call with its retries.
        max_requests: Maximum number of requests that this process sends; retries count.
        max_tokens: Maximum number of tokens that this process uses, by the server's count.
        max_cost: Maximum cost in dollars of what this process uses, by the prices in `prices`.
        prices: TOML file with dollars per million input and output tokens for each model.
    """

    api_key_env: str = "RMEVAL_API_KEY"
    concurrency: int = 64
    retries: int = 5
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    timeout: float = 600.0
    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    prices: str | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ModelError: If a value is not usable; the message names the parameter.
        """
        if not _VARIABLE.fullmatch(self.api_key_env) or redacted(self.api_key_env) != self.api_key_env:
            raise ModelError(
                "`api_key_env` is no name of an environment variable (and is not shown, as it may be the key itself): "
                "set a variable such as MY_KEY to the key, and give MY_KEY"
            )
        for name, least in (("concurrency", 1), ("retries", 0), ("max_requests", 1), ("max_tokens", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ModelError(f"`{name}` is {quoted(value)}: choose a whole number of at least {least}")
        for name in ("connect_timeout", "read_timeout", "timeout", "max_cost"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise ModelError(f"`{name}` is {quoted(value)}: choose a number above 0")
        if self.max_cost is not None and self.prices is None:
            raise ModelError("`max_cost` needs the prices of the model: name a price file with `prices`")
