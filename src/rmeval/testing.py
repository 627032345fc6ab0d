"""Fixtures for tests: simple models, and items and evidence with known expected numbers.

from rmeval.metrics import OFFICIAL, style_substance_records
from rmeval.testing import make_evidence, make_items

items = make_items(2000)
records = style_substance_records("mine", items, make_evidence(items, accuracy=0.8), OFFICIAL)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from rmeval.benchmarks.base import PAIR
from rmeval.data.spool import windows
from rmeval.data.tables import EvidenceTable, ItemTable, Shape
from rmeval.errors import DataError, ModelError
from rmeval.metrics.scoring.style_substance import COMPARISONS, styled_responses
from rmeval.models import RewardModel
from rmeval.protocols import pointwise
from rmeval.protocols.pairwise import LABEL_MASS, ODDS, VALUE
from rmeval.types import STYLES, FloatArray, Item, Message, Observation, Request, Response

__all__ = ["Constant", "Length", "Noisy", "make_evidence", "make_items", "make_pairs"]

_BATCH = 4096
_NORMAL = NormalDist()


class Constant:
    """A model that gives every response the same score: all comparisons tie. With the value `nan`, all fail."""

    kind = "testing"
    protocol = pointwise.POINTWISE.name

    def __init__(self, value: float = 0.0) -> None:
        self.name = "constant"
        self._value = float(value)

    def identity(self) -> dict[str, Any]:
        """Return the name with the value."""
        return {"model": f"constant@1 {self._value}"}

    def facts(self) -> dict[str, Any]:
        """Return no further fields."""
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Return the constant for each response."""
        for batch in windows(requests, _BATCH):
            yield [pointwise.parse(request.key, self._value) for request in batch]


class Length:
    """A model that scores a response by its length in characters; with `sign=-1`, shorter responses score higher."""

    kind = "testing"
    protocol = pointwise.POINTWISE.name

    def __init__(self, sign: float = 1) -> None:
        self.name = "length"
        self._sign = float(sign)

    def identity(self) -> dict[str, Any]:
        """Return the name with the sign."""
        return {"model": f"length@1 {self._sign}"}

    def facts(self) -> dict[str, Any]:
        """Return no further fields."""
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score by style counts."""
        for batch in windows(requests, _BATCH):
            yield [pointwise.parse(request.key, self._sign * len(request.responses[0])) for request in batch]


class Noisy:
    """A model that adds Gaussian noise to each score of another model; probabilities stay between 0 and 1.

    The noise depends on the digest of the conversation, so it is the same on every machine and in any order.
    """

    kind = "testing"

    def __init__(self, model: RewardModel, sigma: float, seed: int = 0) -> None:
        if not math.isfinite(sigma):
            raise ModelError(f"sigma is {sigma}: give a number")
        self.name = f"noisy-{model.name}"
        self.protocol = model.protocol
        self._model = model
        self._sigma = sigma
        self._seed = seed

    def identity(self) -> dict[str, Any]:
        """Return the identity of the other model, and the parameters of the noise."""
        return {"model": f"noisy@1 {self._sigma} {self._seed}", "of": self._model.identity()}

    def facts(self) -> dict[str, Any]:
        """Return the facts of the other model."""
        return self._model.facts()

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Add noise to the other model's values; missing values stay missing."""
        for batch in self._model.observe(requests):
            yield [self._blur(seen) for seen in batch]

    def _blur(self, seen: Observation) -> Observation:
        values = {
            name: value if name == LABEL_MASS else self._blurred(value, seen.key, name)
            for name, value in seen.values.items()
            if name != ODDS
        }
        # The noise depends on the conversation, so conversations that become the same tokens differ.
        return replace(seen, values=values, sequence=None)

    def _blurred(self, value: float | tuple[float, ...], key: str, name: str) -> float | tuple[float, ...]:
        if not isinstance(value, float):
            return value
        own = "" if name == "score" else f" {name}"
        drawn = blake2b(f"noisy@1 {self._seed} {key}{own}".encode(), digest_size=8).digest()
        # 52 bits plus one half, which a float represents exactly: never 0 and never 1.
        place = ((int.from_bytes(drawn, "big") >> 12) + 0.5) / 2**52
        noisy = value + self._sigma * _NORMAL.inv_cdf(place)
        return min(1.0, max(0.0, noisy)) if name == VALUE else noisy


def make_items(n: int, subset: str = "chat", clusters: int | None = None, seed: int = 0) -> list[Item]:
    """Generate small items in the form of RM-Bench: right and wrong responses in three styles, and nine comparisons.

    A right response and the wrong response of the same style are equally long. Fancier styles are longer and have more
    markdown: a model that decides by length wins all of Easy, ties on all of Normal and loses all of Hard.

    Args:
        n: Number of items.
        subset: Their subset; RM-Bench's are in `rmeval.metrics.scoring.style_substance.DOMAINS`.
        clusters: Number of underlying problems, assigned to the items in turn; if None, each item has its own.
        seed: Seed of the texts.
    """
    return [
        Item(name, subset, prompt, styled_responses(_styled(right), _styled(wrong)), COMPARISONS, cluster)
        for name, prompt, right, wrong, cluster in _problems(n, subset, clusters, seed)
    ]


def make_pairs(n: int, subset: str = "all", clusters: int | None = None, seed: int = 0) -> list[Item]:
    """Generate small preference pairs: a chosen and a rejected response of equal length; arguments as `make_items`."""
    return [
        Item(name, subset, prompt, (Response(right, 1.0), Response(wrong, 0.0)), PAIR, cluster)
        for name, prompt, right, wrong, cluster in _problems(n, subset, clusters, seed)
    ]


def _problems(
    n: int, subset: str, clusters: int | None, seed: int
) -> Iterator[tuple[str, tuple[Message], str, str, str]]:
    """Id, prompt, right response, wrong response and cluster of each item."""
    if n < 0 or (clusters is not None and clusters < 1):
        raise DataError(f"n is {n} and clusters {clusters}: give n of 0 or more, and clusters of 1 or more or None")
    for number in range(n):
        word = blake2b(f"items@1 {seed} {subset} {number}".encode(), digest_size=6).hexdigest()
        problem = number if clusters is None else number % clusters
        prompt = (Message("user", f"Is {word} the word?"),)
        yield f"{subset}/{number}", prompt, f"Yes: {word}.", f"Not: {word}.", f"{subset}/{problem}"


def _styled(text: str) -> tuple[str, str, str]:
    return (
        text,
        f"{text} This is said once more, and at some length.",
        f"**{text}**\n\n- This is said once more.\n- It is said at some length.",
    )


def make_evidence(
    items: Sequence[Item],
    accuracy: float = 0.8,
    style_bias: float = 0.0,
    tie_rate: float = 0.0,
    missing: float = 0.0,
    seed: int = 0,
) -> EvidenceTable:
    """Generate evidence of a simulated model with known expected numbers.

    Each response gets the score `margin * gold + style_bias * style + noise`: gold is 1 for right and 0 for wrong,
    style is the position of the response's style in `STYLES` (0 without a style), and noise is Gaussian with variance
    1, independent for each response. A response whose gold is larger by 1 and whose style is fancier by d steps wins
    with probability

        Phi((margin + style_bias * d) / sqrt(2)),

    where Phi is the distribution function of the normal distribution. The margin is `sqrt(2) * Phi^-1(accuracy)`, so
    that `accuracy` is exactly the expected value of Normal and of pairs, where d is 0. Easy is the mean over d = 1, 1
    and 2, Hard over d = -1, -1 and -2.

    With probability `tie_rate` all responses of an item get the same score, and with probability `missing` a response
    has no score. A comparison of two responses fails with probability `1 - (1 - missing)^2`; of the others the share
    `tie_rate` is tied; the rest are won with the probability above. Under a score rule that counts ties and failures as
    losses, the expected value is thus `(1 - missing)^2 * (1 - tie_rate)` times the above.

    Args:
        items: Items whose responses have gold.
        accuracy: Expected share of decided comparisons that are won at equal style; strictly between 0 and 1.
        style_bias: Increase of a score for one step of style, in standard deviations of the noise.
        tie_rate: Probability that all responses of an item have equal scores.
        missing: Probability that a response has no score.
        seed: Seed of the draws.

    Raises:
        DataError: If a share is out of range, or a response has no gold.
    """
    if not 0 < accuracy < 1:
        raise DataError(f"accuracy is {accuracy}: give a number between 0 and 1, such as 0.999 for nearly all")
    for name, share in (("tie_rate", tie_rate), ("missing", missing)):
        if not 0 <= share <= 1:
            raise DataError(f"{name} is {share}: give a number from 0 to 1")
    if not math.isfinite(style_bias) or seed < 0:
        raise DataError(f"style_bias is {style_bias} and seed {seed}: give a finite number, and a seed of 0 or more")
    table = ItemTable.of(items)
    if not len(table):
        raise DataError("items is empty: give at least one item")
    random = np.random.default_rng(seed)
    # Always draw everything, so that changing one share leaves the other draws unchanged.
    scores: FloatArray = random.standard_normal(int(table.offsets[-1]))
    tied = random.random(len(table)) < tie_rate
    lost = random.random(len(scores)) < missing
    margin = sqrt(2) * _NORMAL.inv_cdf(accuracy)
    expected = [_expected_scores(shape, margin, style_bias) for shape in table.shapes]
    scores += np.concatenate([expected[code] for code in table.shape.tolist()])
    scores[table.responses(tied)] = 0.0
    scores[lost] = np.nan
    return EvidenceTable(table, "score", scores, {"missing": int(lost.sum())} if lost.any() else {})


def _expected_scores(shape: Shape, margin: float, style_bias: float) -> list[float]:
    found = []
    for response in shape.responses:
        if response.gold is None:
            raise DataError("a response has no gold: give items whose responses all have gold")
        style = STYLES.index(response.style) if response.style else 0
        found.append(margin * response.gold + style_bias * style)
    return found
