"""Compares the scores of one model by two engines, and says whether they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from rmeval.doctor.relation import rank_correlation, relation
from rmeval.doctor.sides import Opened, Scores, open_sides
from rmeval.doctor.tokens import TokenCheck, check_tokens
from rmeval.doctor.ways import NEAR, compared, decisions, largest
from rmeval.errors import ModelError
from rmeval.messages import count_of
from rmeval.models import ModelOptions
from rmeval.protocols import load_protocol
from rmeval.runs.plan import Plan
from rmeval.transport.budget import shared_budgets
from rmeval.types import FloatArray, IntArray, Request

__all__ = ["Parity", "Side", "compare_engines"]

BATCH = 8
NOISE_ITEMS = 16
"""Number of items on which each engine is compared with itself."""
STEPS = {"bfloat16": 2**-5, "float16": 2**-8}
"""Differences that rounding explains, as a share of the spread of the margins, by number format."""
STEP = 1e-4
"""The same for all other number formats."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side and its own noise.

    Attributes:
        name: The engine or the address.
        dtype: Number format; empty if it is unknown.
        scored: Number of requests with a score.
        failures: Why the others have none, with their numbers.
        batching: Largest difference between scores one by one, in batches of 8, and all together, on some items.
        repeated: Largest difference between two passes one by one, on the same items.
    """

    name: str
    dtype: str
    scored: int
    failures: str
    batching: float
    repeated: float

    @property
    def noise(self) -> float:
        """The largest difference of a score between two ways of running the same engine."""
        return max(self.batching, self.repeated)


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison of two engines on the same requests.

    Attributes:
        model: The model.
        a: The first side.
        b: The second side.
        items: Number of items.
        requests: Number of distinct requests: responses, or pairs of them in both orders.
        decisions: Number of decisions between two responses.
        tokens: Whether both sides read the same tokens.
        difference: Largest difference of a score.
        median: Median difference of a score.
        spread: Standard deviation of the margins of the first side.
        noise: The larger noise of the two sides.
        tolerance: The largest difference of scores that agree.
        flips: Number of decisions that differ.
        near_ties: Number of flips whose margins are within the tolerance on both sides.
        ranks: Spearman's rank correlation of the scores.
        relation: How the scores of one side depend on those of the other, if they differ.
        alone: Number of requests that have a score on one side only.
    """

    model: str
    a: Side
    b: Side
    items: int
    requests: int
    decisions: int
    tokens: TokenCheck
    difference: float
    median: float
    spread: float
    noise: float
    tolerance: float
    flips: int
    near_ties: int
    ranks: float
    relation: str
    alone: int

    @property
    def agrees(self) -> bool:
        """Whether both sides read the same tokens, as far as they are known, and return the same scores."""
        return not any(self._reasons())

    @property
    def verdict(self) -> str:
        """Whether the sides agree, and why, in one sentence."""
        names = f"{self.a.name} and {self.b.name}"
        if reasons := list(self._reasons()):
            return f"{names} disagree: {'; '.join(reasons)}"
        unknown = "" if self.tokens.equal else ", though their tokens could not be compared"
        return (
            f"{names} agree: scores differ by at most {self.difference:.2g} (tolerance {self.tolerance:.2g}){unknown}"
        )

    def _reasons(self) -> Iterator[str]:
        """The reasons why the sides disagree."""
        if self.tokens.equal is False:
            yield "they read different tokens"
        if self.alone:
            yield f"{count_of(self.alone, 'request')} {'has' if self.alone == 1 else 'have'} a score on one side only"
        if self.noise > self.spread / 4 and self.tolerance >= self.spread:
            # Four times the noise would hide everything, such as scores of other sequences of the batch.
            noisy = self.a if self.a.noise >= self.b.noise else self.b
            yield (
                f"{noisy.name} does not agree with itself: its scores change by up to {noisy.noise:.2g} with the "
                f"batch or from pass to pass, and the margins have a standard deviation of {self.spread:.2g}"
            )
        if self.difference > self.tolerance:
            yield self.relation or f"scores differ by up to {self.difference:.2g} (tolerance {self.tolerance:.2g})"
            if self.flips:
                yield f"{count_of(self.flips, 'decision')} {'differs' if self.flips == 1 else 'differ'}"


def compare_engines(
    spec: str,
    a: str,
    b: str,
    planned: Plan,
    options: ModelOptions,
    *,
    tolerance: float | None = None,
    a_kwargs: Mapping[str, Any] = MappingProxyType({}),
    b_kwargs: Mapping[str, Any] = MappingProxyType({}),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Parity:
    """Score the same items by two engines, one after the other, and compare tokens, scores and decisions.

    Args:
        spec: The model.
        a: The first side: an engine, as in `hf` or `hf:float32`, `file.py:Class`, or a server's address.
        b: The second side.
        planned: The items.
        options: Options of the model and of servers, for the sides that use them.
        tolerance: Largest difference of scores that agree; by default four times the noise of the engines, or what
            rounding explains in the coarser number format, if that is larger.
        a_kwargs: Further `model_kwargs` of the first side.
        b_kwargs: Further `model_kwargs` of the second side.
        progress: Called with the number of requests that are done and the total.

    Raises:
        ModelError: If a side cannot be used, or no request has a score on both sides.
    """
    if tolerance is not None and not tolerance >= 0:
        raise ModelError(f"`tolerance` must be a number of at least 0, not {tolerance}")
    if options.engine != ModelOptions().engine:
        raise ModelError("the engines are those of `a` and `b`: leave `engine` out")
    with shared_budgets():
        first, second = open_sides(spec, ((a, a_kwargs), (b, b_kwargs)), options)
    sample = _sample(planned, first, second)
    tokens = check_tokens(first, second, sample.requests)
    total, done = 2 * (len(sample.requests) + 3 * sample.noisy), 0

    def count(number: int) -> None:
        nonlocal done
        done += number
        progress(done, total)

    count(0)
    sides = [_scored(one, sample, count) for one in (first, second)]
    return _compared(first.model.name, sides, len(planned.stored.table), sample, tokens, tolerance)


@dataclass(frozen=True, slots=True)
class _Sample:
    """The requests that both sides score.

    Attributes:
        requests: The distinct requests, those of the first items first.
        noisy: Number of them on which each engine is compared with itself.
        pairs: int64[decisions, 2], rows of the response that should win and of another one; the row after the last
            request stands for the score 0.
    """

    requests: list[Request]
    noisy: int
    pairs: IntArray


def _sample(planned: Plan, a: Opened, b: Opened) -> _Sample:
    """The requests of the items.

    Raises:
        ModelError: If the sides do not take the same requests, or there are none.
    """
    name = a.model.protocol
    if b.model.protocol != name:
        raise ModelError(
            f"{a.name} takes requests of the protocol {name}, and {b.name} of {b.model.protocol}: compare two engines "
            "that score responses, or two that compare them"
        )
    protocol = load_protocol(name).protocol
    places: dict[str, int] = {}
    found: list[Request] = []
    rows: list[int] = []
    items = []
    noisy = 0
    for number, one in enumerate(planned.items()):
        items.append(one.item)
        for request in protocol.requests(one.item, protocol.keys(one.item, one.digests)):
            if request.key not in places:
                places[request.key] = len(found)
                found.append(request)
            rows.append(places[request.key])
        noisy = len(found) if number < NOISE_ITEMS else noisy
    if not found:
        raise ModelError(f"the protocol {name} makes no request of these items: choose other items")
    if name == "pointwise@1":
        pairs = np.array(rows, np.int64)[decisions(items, set(range(len(rows))))[:, :2]]
    else:
        # The value of a request is the preference for one of two responses.
        pairs = np.stack([np.arange(len(found)), np.full(len(found), len(found))], axis=1)
    return _Sample(found, noisy, np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0))


def _scored(side: Opened, sample: _Sample, count: Callable[[int], None]) -> tuple[Side, FloatArray]:
    """A side's noise and its scores, of all requests together as in a run."""
    some = sample.requests[: sample.noisy]
    whole = side.run(sample.requests, None, count)
    values = whole.array(sample.requests)
    single, eight, again = (side.run(some, size, count).array(some) for size in (1, BATCH, 1))
    side.release()
    together = values[: sample.noisy]
    batching = max(largest(single - eight), largest(single - together), largest(eight - together))
    repeated = largest(single - again)
    return Side(side.name, side.dtype, len(whole.values), _failures(whole), batching, repeated), values


def _failures(found: Scores) -> str:
    counts = ", ".join(f"{number} {status}" for status, number in sorted(found.failures.items()))
    return f"{counts} ({found.error})" if found.error else counts


def _compared(
    model: str,
    sides: list[tuple[Side, FloatArray]],
    items: int,
    sample: _Sample,
    tokens: TokenCheck,
    tolerance: float | None,
) -> Parity:
    (a, values_a), (b, values_b) = sides
    both = np.isfinite(values_a) & np.isfinite(values_b)
    if not both.any():
        why = next((f"{side.name}: {side.failures}" for side in (a, b) if side.failures), "they are not numbers")
        raise ModelError(f"no request has a score on both sides ({why}): correct this and compare again")
    noise = max(a.noise, b.noise)
    scores = [np.append(values, 0.0) for values in (values_a, values_b)]
    margins = [own[sample.pairs[:, 0]] - own[sample.pairs[:, 1]] for own in scores]
    spread = float(np.std(margins[0][np.isfinite(margins[0])])) if np.isfinite(margins[0]).any() else 0.0
    allowed = max(NEAR * noise, spread * max(STEPS.get(one.dtype, STEP) for one in (a, b)))
    allowed = allowed if tolerance is None else tolerance
    way = compared(b.name, b.dtype, scores[1], scores[0], sample.pairs, noise)
    flipped = np.isfinite(margins[0] + margins[1]) & (np.sign(margins[0]) != np.sign(margins[1]))
    return Parity(
        model=model,
        a=a,
        b=b,
        items=items,
        requests=len(sample.requests),
        decisions=len(sample.pairs),
        tokens=tokens,
        difference=way.difference,
        median=float(np.median(np.abs(values_b - values_a)[both])),
        spread=spread,
        noise=noise,
        tolerance=allowed,
        flips=way.flips,
        near_ties=int(np.sum(flipped & (np.abs(margins[0]) <= 2 * allowed))),
        ranks=rank_correlation(values_a[both], values_b[both]),
        relation=relation(values_a[both], values_b[both], allowed) if way.difference > allowed else "",
        alone=int(np.sum(np.isfinite(values_a) != np.isfinite(values_b))),
    )
