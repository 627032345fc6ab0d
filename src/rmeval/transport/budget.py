"""Budgets: requests, tokens and dollars that a process may use."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.errors import ModelError, reason_of
from rmeval.messages import quoted
from rmeval.transport.calls import Call, Usage
from rmeval.transport.options import ServerOptions

__all__ = ["Budget", "Price", "price_of", "read_prices", "shared_budgets"]

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        """The cost of some tokens in dollars."""
        return (usage.input * self.input + usage.output * self.output) / 1e6


_together: ContextVar[list[Budget] | None] = ContextVar("together", default=None)


@contextmanager
def shared_budgets() -> Iterator[None]:
    """Let all servers that are opened within the block share one budget."""
    token = _together.set([])
    try:
        yield
    finally:
        _together.reset(token)


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


def price_of(prices: Mapping[str, Price], model: object, where: str) -> Price:
    """The price of a model.

    Args:
        prices: All prices, from `read_prices`.
        model: Its name at the server, if calls name one.
        where: The price file, for the message.

    Raises:
        ModelError: If it has none.
    """
    found = prices.get(model) if isinstance(model, str) else None
    if found := found or prices.get(_ANY):
        return found
    which = f"the model {quoted(model)}" if model is not None else "calls that name no model"
    own = f'under ["{model}"], or ' if isinstance(model, str) else ""
    raise ModelError(f'{where} has no price of {which}: add input and output {own}under ["*"] for all models')


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
        estimated: The part of `usage` that no server counted, such as that of calls whose connection was cut.
        cost: Its price in dollars.
    """

    def __init__(self, options: ServerOptions) -> None:
        """Read the price file, if there is one."""
        self._options = options
        self._prices = read_prices(options.prices) if options.prices else {}
        self._reserved_tokens = 0
        self._reserved_cost = 0.0
        self.in_flight = 0
        self.requests = 0
        self.usage = Usage(0, 0)
        self.estimated = Usage(0, 0)
        self.cost = 0.0
        self._together = [] if (own := _together.get()) is None else own
        self._together.append(self)

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
        return price_of(self._prices, call.body.get("model"), str(self._options.prices))

    def spent(self, call: Call) -> str | None:
        """Return which maximum a further call would exceed; None if it may be sent."""
        own, every = self._options, self._together
        if own.max_requests is not None and sum(one.requests for one in every) >= own.max_requests:
            return f"`max_requests` is {own.max_requests}, and as many requests were sent"
        if own.max_tokens is not None:
            tokens = sum(one.usage.input + one.usage.output for one in every)
            reserved = sum(one._reserved_tokens for one in every)
            most = max(call.tokens + call.output, 1)
            if tokens + reserved + most > own.max_tokens:
                return f"`max_tokens` is {own.max_tokens}, {tokens} were used, and a call may use {most}"
        if own.max_cost is not None:
            cost = sum(one.cost for one in every)
            reserved_cost = sum(one._reserved_cost for one in every)
            more = self._estimate(call)
            if cost + reserved_cost >= own.max_cost or cost + reserved_cost + more > own.max_cost:
                return f"`max_cost` is {own.max_cost:g}, {cost:.4g} was spent, and a call may cost {more:.2g}"
        return None

    @property
    def nothing_in_flight(self) -> bool:
        """Whether no request is under way, so that nothing can still cost less than its estimate."""
        return not any(one.in_flight for one in self._together)

    def _estimate(self, call: Call) -> float:
        price = self._price(call)
        return price.of(Usage(call.tokens, call.output)) if price else 0.0

    def begin(self, call: Call) -> None:
        """Count a request that is sent."""
        self.requests += 1
        self.in_flight += 1
        self._reserved_tokens += call.tokens + call.output
        self._reserved_cost += self._estimate(call)

    def end(self, call: Call, usage: Usage | None) -> None:
        """Replace the estimate of a request by what it used.

        Args:
            call: The call.
            usage: What the request used: nothing if it was refused, the estimate if that is unknown.
        """
        self.in_flight -= 1
        self._reserved_tokens -= call.tokens + call.output
        self._reserved_cost = max(self._reserved_cost - self._estimate(call), 0.0)
        if usage is None:
            usage = Usage(call.tokens, call.output)
            self.estimated += usage
        self.usage += usage
        if price := self._price(call):
            self.cost += price.of(usage)
