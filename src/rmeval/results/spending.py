"""What runs cost: the tokens that their observations record, at the prices of a file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rmeval.data.keys import KeyIndex
from rmeval.errors import RunError
from rmeval.messages import count_of, quoted
from rmeval.store.journal import read_journal
from rmeval.store.manifest import run_id
from rmeval.store.requests import requests_of
from rmeval.store.run import StoredRun
from rmeval.transport.budget import Price, read_prices
from rmeval.types import FloatArray, IntArray

__all__ = ["Spending", "spending_of", "unspent_note"]


@dataclass(frozen=True)
class Spending:
    """What the items of a run cost.

    Attributes:
        by_item: float64[n], dollars of each item of the run.
        requests: Number of requests of these items.
        source: Where the prices come from, for readers.
    """

    by_item: FloatArray
    requests: int
    source: str

    @cached_property
    def total(self) -> float:
        """Dollars of all items."""
        return float(self.by_item.sum())

    @property
    def per_item(self) -> float:
        """Dollars of an item, on average."""
        return self.total / max(len(self.by_item), 1)

    @property
    def per_1000_requests(self) -> float:
        """Dollars of 1,000 requests."""
        return 1000 * self.total / max(self.requests, 1)


def spending_of(run: StoredRun, prices: str | None = None) -> Spending | None:
    """Compute what the items of a run cost.

    The tokens of all attempts count, those of failed ones included. With a price file, each request costs its recorded
    tokens at the price of the model. Without one, the cost that the run has recorded is spread over its tokens.

    Args:
        run: The run.
        prices: File of prices, see `rmeval.transport.budget.read_prices`.

    Returns:
        None if the run has recorded neither tokens nor a cost.

    Raises:
        RunError: If the file has no price of the model.
    """
    recorded = _recorded_cost(run)
    if prices is None and recorded is None:
        return None
    requests, index = requests_of(run.protocol, run.items)
    used, total = _tokens(run, index)
    if not used.any():
        return None
    if prices is not None:
        price = _price(run, prices)
        dollars = used @ np.array([price.input, price.output]) / 1e6
        source = f"the prices of {prices}"
    else:
        dollars = used.sum(axis=1) * ((recorded or 0.0) / total)
        source = "the recorded cost"
    item = np.repeat(np.arange(len(run.items.table)), np.diff(requests.offsets))
    by_item = np.bincount(item, dollars[requests.rows], len(run.items.table)).astype(np.float64)
    return Spending(by_item, len(requests.rows), source)


def unspent_note(run: StoredRun, items: int) -> str | None:
    """Return a note on what a run that stopped early did not spend; None if it has recorded no cost.

    Args:
        run: The run.
        items: Number of all items that were planned.
    """
    left = items - len(run.items.table)
    spent = spending_of(run)
    if spent is None or left <= 0:
        return None
    return (
        f"not spent: about {spent.per_item * left:.2g} dollars for {count_of(left, 'item')}, at {spent.per_item:.2g} "
        "dollars for an item"
    )


def _tokens(run: StoredRun, index: KeyIndex) -> tuple[IntArray, int]:
    """Return the tokens read and written for each distinct request, and those of all requests of the folder.

    All attempts count. The journal is read, because other files keep the input's tokens only.

    Returns:
        int64[requests, 2], and the sum of all.
    """
    used, total = np.zeros((len(index), 2), np.int64), 0
    for batch in read_journal(run.folder / "journal", tolerant=True, run=run_id(run.manifest["identity"])):
        rows = index.find([seen.key for seen in batch])
        counts = np.array([[seen.usage.get("tokens", 0), seen.usage.get("output_tokens", 0)] for seen in batch])
        np.add.at(used, rows[rows >= 0], counts[rows >= 0])
        total += int(counts.sum())
    return used, total


def _recorded_cost(run: StoredRun) -> float | None:
    """The dollars that the sessions of a run have recorded; None if one has recorded none."""
    costs = [_cost(session) for session in run.manifest["sessions"]]
    return None if not costs or any(map(math.isnan, costs)) else sum(costs)


def _cost(session: object) -> float:
    server = session.get("server") if isinstance(session, dict) else None
    cost = server.get("cost") if isinstance(server, dict) else None
    return float(cost) if isinstance(cost, int | float) else math.nan


def _price(run: StoredRun, prices: str) -> Price:
    table = read_prices(prices)
    names = [*_served(run.manifest["sessions"]), str(run.manifest["model"]["name"]), "*"]
    for name in names:
        if name in table:
            return table[name]
    raise RunError(
        f'{prices} has no price of the model {quoted(names[0])}: add input and output under ["{names[0]}"], or under '
        '["*"] for all models'
    )


def _served(sessions: Iterable[object]) -> list[str]:
    """The names under which servers served the model."""
    found = (session.get("served_model") for session in sessions if isinstance(session, dict))
    return list(dict.fromkeys(name for name in found if isinstance(name, str)))
