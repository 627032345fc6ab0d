"""An engine without a network, as another package would write one: its values are drawn from the tokens themselves.

Its checkpoint is a folder with a tokenizer and `fake.json`, which says what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.engines import (
    AtPositions,
    Description,
    Engine,
    EngineOptions,
    FirstLogits,
    LastLogits,
    LastToken,
    Place,
    Reading,
    Readout,
    TokenLogProbs,
    TokenSequence,
)
from rmeval.errors import ModelError
from rmeval.types import FloatArray

VOCABULARY = 400


def drawn(seed: int, tokens: TokenSequence, count: int) -> FloatArray:
    """Numbers that depend on a seed and on every token."""
    content = seed.to_bytes(4, "little") + np.asarray(tokens, dtype="<i4").tobytes()
    state = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")
    return np.random.default_rng(state).normal(size=count)


def log_prob(seed: int, tokens: TokenSequence, place: int) -> float:
    """The log-probability of a token, given those before it."""
    before = drawn(seed, tokens[:place], VOCABULARY)
    return float(before[int(tokens[place])] - np.logaddexp.reduce(before))


class Fake(Engine):
    """Two sequences a batch, the last ones first."""

    name = "fake"
    readouts: frozenset[type] = frozenset({LastToken, LastLogits, FirstLogits, AtPositions, TokenLogProbs})

    def __init__(self, spec: str, options: EngineOptions) -> None:
        self._folder = Path(spec)
        self._options = options
        self._stated = json.loads((self._folder / "fake.json").read_text())
        self._seed: int = self._stated["seed"]
        self._language_model = False
        self.read = 0
        self.released = 0

    @property
    def description(self) -> Description:
        stated = self._stated
        return Description(
            self._folder.name,
            Place(str(self._folder)),
            f"fake:{self._seed}",
            limit=stated.get("limit"),
            vocabulary=VOCABULARY,
            generates=stated.get("generates", False),
            encoder_decoder=stated.get("encoder_decoder", False),
            shares_weights=stated.get("shares_weights", False),
        )

    def identity(self) -> dict[str, Any]:
        return {"engine": self.name, "dtype": "float64", "model_kwargs": dict(self._options.model_kwargs)}

    def facts(self) -> dict[str, Any]:
        return {"device": "none", "sequences": self.read}

    def tokenizer(self) -> Place:
        return self.description.place

    def require_language_model(self, encoder: bool = False) -> None:
        if not self.description.generates or (self.description.encoder_decoder and not encoder):
            raise ModelError(f"{self._folder} is not a causal language model: give one")
        self._language_model = True

    def base(self) -> Engine | None:
        if "base" not in self._stated:
            return None
        below = Fake(str(self._folder), self._options)
        below._seed, below._language_model = self._stated["base"], self._language_model
        below._stated = {**below._stated, "shares_weights": True}
        return below

    def own_readout(self) -> Readout:
        return LastToken(self._options.head or "score")

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        if not isinstance(readout, LastToken | AtPositions) and not self._language_model:
            raise AssertionError("a kind reads token probabilities of what was not said to be a language model")
        order = list(range(len(sequences)))[::-1]
        for start in range(0, len(order), 2):
            batch = order[start : start + 2]
            self.read += len(batch)
            yield Reading(tuple(batch), tuple(self._values(sequences[k], readout, k) for k in batch))

    def release(self) -> None:
        self.released += 1

    def _values(self, tokens: TokenSequence, readout: Readout, index: int) -> FloatArray:
        if isinstance(readout, TokenLogProbs):
            return np.array([log_prob(self._seed, tokens, place) for place in range(*readout.span[index])])
        if isinstance(readout, LastLogits | FirstLogits):
            found = drawn(self._seed, tokens, VOCABULARY)
            return np.append(found[list(readout.tokens)], np.logaddexp.reduce(found))
        outputs = self._stated.get("outputs", 1)
        if isinstance(readout, AtPositions):
            return np.array([drawn(self._seed, tokens[: place + 1], outputs) for place in readout.index[index]])
        return drawn(self._seed, tokens, outputs)


class OnlyScores(Fake):
    """An engine that reads a head at the last token and nothing else."""

    name = "only-scores"
    readouts: frozenset[type] = frozenset({LastToken})
