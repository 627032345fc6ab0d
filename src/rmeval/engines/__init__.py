"""Engines run token sequences through networks; readouts say what to take from them.

A kind of reward model turns conversations into sequences and values into scores; it never sees a batch. An engine
never sees a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rmeval.types import FloatArray

__all__ = [
    "AtPositions",
    "Engine",
    "FirstLogits",
    "LastLogits",
    "LastToken",
    "OwnForward",
    "Pooled",
    "Reading",
    "Readout",
    "TokenLogProbs",
    "TokenSequence",
]

TokenSequence = Sequence[int] | npt.NDArray[np.int32]
"""The token ids of one sequence."""


@dataclass(frozen=True, slots=True)
class LastToken:
    """The output of a head at the last token of each sequence, which is where its length says it is.

    Attributes:
        head: Name of the head's module, such as `score`.
    """

    head: str


@dataclass(frozen=True, slots=True)
class Pooled:
    """The output of a network that pools its hidden states itself, as encoders do."""


@dataclass(frozen=True, slots=True)
class OwnForward:
    """What a network's own forward gives for a sequence, from wherever it takes it."""


@dataclass(frozen=True, slots=True)
class LastLogits:
    """The logits that a language model gives some tokens after the last of each sequence.

    The last output is the logarithm of the sum of exp of all logits: with it a logit becomes a probability.

    Attributes:
        tokens: The ids of those tokens.
    """

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FirstLogits:
    """The logits that an encoder-decoder gives some tokens at the beginning of its answer to each sequence.

    The last output is that of `LastLogits`.

    Attributes:
        tokens: The ids of those tokens.
    """

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AtPositions:
    """The output of a head at some tokens of each sequence.

    Attributes:
        head: Name of the head's module.
        index: For each sequence the positions of those tokens.
    """

    head: str
    index: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class TokenLogProbs:
    """The natural logarithm of a language model's probability of each token of a span, given all before it.

    Attributes:
        span: For each sequence the position of the first token, at least 1, and that after the last.
    """

    span: Sequence[tuple[int, int]]


Readout = LastToken | LastLogits | FirstLogits | AtPositions | TokenLogProbs | Pooled | OwnForward


@dataclass(frozen=True, slots=True)
class Reading:
    """Values for some of the sequences of a call.

    Attributes:
        indices: Their positions in the list that was passed.
        values: One float64 array a sequence: [outputs] for what is read at its end, [positions, outputs] for
            `AtPositions`, [tokens] for `TokenLogProbs`.
    """

    indices: tuple[int, ...]
    values: tuple[FloatArray, ...]


class Engine(Protocol):
    """Where and how a network is run.

    Attributes:
        name: Its name, part of a run's identity.
        readouts: The kinds of readout it can take.
    """

    name: str
    readouts: frozenset[type]

    @property
    def limit(self) -> int | None:
        """Longest sequence in tokens."""
        ...

    def identity(self) -> dict[str, Any]:
        """What its values depend on beside weights and sequences."""
        ...

    def facts(self) -> dict[str, Any]:
        """Versions and device, for the manifest."""
        ...

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Reads every sequence once, batch by batch, in an order of its own choosing."""
        ...
