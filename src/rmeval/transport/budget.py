"""Budgets: requests, tokens and dollars that a process may use."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.errors import ModelError, reason_of
from rmeval.messages import quoted
from rmeval.transport.calls import Call, Usage
from rmeval.transport.options import ServerOptions

__all__ = ["Budget", "Price", "read_prices"]

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float


def read_prices(path: str) -> dict[str, Price]:
    """Read a price file: a table for each model with `input` and `output`; the table `"*"` is for all others.

    Raises:
        ModelError: If the file cannot be read or contains something else.
    """
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the price file {path} cannot be read ({reason_of(error)}): correct `prices` or the file"
        ) from error
    return {model: _price(path, model, table) for model, table in tables.items()}


def _price(path: str, model: str, table: Any) -> Price:
    values = [table.get(name, 0.0) for name in ("input", "output")] if isinstance(table, dict) else []
    known = isinstance(table, dict) and "input" in table and not table.keys() - {"input", "output"}
    if not known or not all(_is_price(value) for value in values):
        raise ModelError(
            f"{path} has no usable price of {quoted(model)}: write input and output, in dollars per million tokens, "
            f'under ["{model}"]'
        )
    return Price(*map(float, values))


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


class Budget:
    """Counts what calls use, and refuses those that would exceed a maximum.

    Before its answer, a call counts with its estimate; after it, with the server's count, or still with the estimate
    if the server counts nothing.

    Attributes:
        requests: Number of requests that were sent.
        in_flight: Number of those that have not ended.
        usage: What all others used.
        cost: Its price in dollars.
    """

    def __init__(self, options: ServerOptions) -> None:
        """Read the price file, if there is one."""
        self._options = options
        self._prices = read_prices(options.prices) if options.prices else {}
        self.in_flight = 0
        self._reserved_tokens = 0
        self._reserved_cost = 0.0
        self.requests = 0
        self.usage = Usage(0, 0)
        self.cost = 0.0

    @property
    def has_prices(self) -> bool:
        """Whether costs are known."""
        return bool(self._prices)

    def check_price(self, call: Call) -> None:
        """Check that the price of a call's model is known, if prices are.

        Raises:
            ModelError: If it is not.
        """
        self._price(call)

    def _price(self, call: Call) -> Price | None:
        """The price of a call's model; None without prices, and for what is only read from a server."""
        if not self._prices or call.method == "GET":
            return None
        model = call.body.get("model")
        found = self._prices.get(model) if isinstance(model, str) else None
        if found := found or self._prices.get(_ANY):
            return found
        which = f"the model {quoted(model)}" if model is not None else "calls that name no model"
        own = f'under ["{model}"], or ' if isinstance(model, str) else ""
        raise ModelError(
            f'{self._options.prices} has no price of {which}: add input and output {own}under ["*"] for all models'
        )

    def spent(self, call: Call) -> str | None:
        """Return which maximum a further call would exceed; None if it may be sent."""
        own = self._options
        if own.max_requests is not None and self.requests >= own.max_requests:
            return f"`max_requests` is {own.max_requests}, and as many requests were sent"
        tokens = self.usage.input + self.usage.output
        if own.max_tokens is not None and tokens + self._reserved_tokens + max(call.tokens, 1) > own.max_tokens:
            return f"`max_tokens` is {own.max_tokens}, and {tokens} tokens were used"
        if own.max_cost is not None:
            cost = self.cost + self._reserved_cost
            if cost >= own.max_cost or cost + self._estimate(call) > own.max_cost:
                return f"`max_cost` is {own.max_cost:g}, and {self.cost:.4g} dollars were spent"
        return None

    def _estimate(self, call: Call) -> float:
        price = self._price(call)
        return call.tokens * max(price.input, price.output) / 1e6 if price else 0.0

    def begin(self, call: Call) -> None:
        """Count a request that is sent."""
        self.requests += 1
        self.in_flight += 1
        self._reserved_tokens += call.tokens
        self._reserved_cost += self._estimate(call)

    def end(self, call: Call, usage: Usage | None) -> None:
        """Replace the estimate of a request by what it used.

        Args:
            call: The call.
            usage: What the request used: nothing if it was refused, the estimate if that is unknown.
        """
        self.in_flight -= 1
        self._reserved_tokens -= call.tokens
        self._reserved_cost = max(self._reserved_cost - self._estimate(call), 0.0)
        if usage is None:
            usage = Usage(call.tokens)
        self.usage = Usage(self.usage.input + usage.input, self.usage.output + usage.output)
        if price := self._price(call):
            self.cost += (usage.input * price.input + usage.output * price.output) / 1e6
