"""The interface of engines: an engine runs token sequences through a network, and a readout selects what it returns.

A kind of reward model turns conversations into sequences and values into scores; it never sees a batch. An engine
never sees a conversation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rmeval.cache import Sources
from rmeval.errors import ModelError
from rmeval.types import FloatArray

__all__ = [
    "AtPositions",
    "Description",
    "Engine",
    "EngineOptions",
    "FirstLogits",
    "InMemory",
    "LastLogits",
    "LastToken",
    "OwnForward",
    "Place",
    "Pooled",
    "Reading",
    "Readout",
    "TokenLogProbs",
    "TokenSequence",
    "require_readout",
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


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine loads and runs a checkpoint; each field is one of `rmeval.models.ModelOptions`.

    Attributes:
        dtype: Number format, or `auto` for the checkpoint's own.
        device: Device, or `auto`.
        revision: Branch, tag or commit on the hub.
        base_model: Path or hub id of the model that an adapter belongs to, where its config does not find it.
        trust_remote_code: Whether code that comes with the checkpoint may run.
        model_kwargs: What the engine passes on to what loads the network.
        batch_size: Largest number of sequences in a batch; None leaves it to the engine.
        head: Name of the linear layer that makes the score, where it is not found by itself.
    """

    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = None
    base_model: str | None = None
    trust_remote_code: bool = False
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    head: str | None = None


class Place(NamedTuple):
    """Where files are.

    Attributes:
        source: Path or hub id.
        revision: Full commit hash on the hub; None for a folder.
    """

    source: str
    revision: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A network and its tokenizer that the calling program holds, in the place of a checkpoint's folder.

    Attributes:
        model: The network, of transformers or PEFT.
        tokenizer: Its tokenizer.
        name: What tables and messages call it.
    """

    model: Any
    tokenizer: Any
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Description:
    """What a checkpoint is, as far as a kind of model decides by it; known before weights are loaded.

    Attributes:
        name: Short name, for tables and folders.
        place: Where it is.
        fingerprint: What its scores depend on, such as `hub:<id>@<commit>` or a digest of its files.
        sources: The local files that the fingerprint is of.
        limit: Longest sequence in tokens, if known.
        vocabulary: Number of tokens that it knows, if known.
        generates: Whether its config states that it is a language model, with or without an encoder.
        encoder_decoder: Whether an encoder reads the whole input before the first output.
        score_token: The token at which a classifier's score is read, where the checkpoint states one.
        shares_weights: Whether it is the base of an adapter, and its weights are those of the engine it came from.
    """

    name: str
    place: Place
    fingerprint: str
    sources: tuple[Sources, ...] = ()
    limit: int | None = None
    vocabulary: int | None = None
    generates: bool = False
    encoder_decoder: bool = False
    score_token: int | None = None
    shares_weights: bool = False


class Engine(Protocol):
    """Runs one checkpoint's network. Kinds of models see this protocol and nothing behind it.

    A class that has it as its base must define `description`, `identity`, `tokenizer`, `own_readout`,
    `run`, and `require_language_model` if it reads token probabilities; the rest has defaults.

    Attributes:
        name: Its name, part of a run's identity.
        readouts: The classes of readouts that it takes.
    """

    name: str
    readouts: frozenset[type]

    @property
    @abstractmethod
    def description(self) -> Description:
        """What the checkpoint is."""
        ...

    def fingerprint(self) -> str | None:
        """What values depend on now: the description's, unless weights can change; None where that cannot be known."""
        return self.description.fingerprint

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What values depend on beside weights and sequences: `engine`, `dtype` and `model_kwargs` at least."""
        ...

    def facts(self) -> dict[str, Any]:
        """Versions, device, and how sequences were read since `forget`, for the manifest."""
        return {}

    def forget(self) -> None:
        """Begins the facts about what was read anew."""
        return

    @abstractmethod
    def tokenizer(self) -> Place | InMemory:
        """Where the checkpoint's own tokenizer is, or what holds it.

        Raises:
            ModelError: If it has none.
        """
        ...

    def require_language_model(self, encoder: bool = False) -> None:
        """Runs the checkpoint as a language model from here on.

        Args:
            encoder: Whether it may have an encoder.

        Raises:
            ModelError: If it is none, so that token probabilities would mean nothing.
        """
        raise ModelError(
            f"the engine {self.name} runs no language models, which {self.description.name} is used as: "
            "use the engine hf"
        )

    def base(self) -> Engine | None:
        """What runs the checkpoint below an adapter, as this one is run; None where there is no adapter."""
        return None

    @abstractmethod
    def own_readout(self) -> Readout:
        """How the checkpoint's own head is read, which may load it.

        Raises:
            ModelError: If it cannot be loaded, or has no trained head.
        """
        ...

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that `run` takes in the place of this one, such as the network's own forward."""
        return readout

    @abstractmethod
    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Reads every sequence once, batch by batch, in an order of its own choosing.

        Raises:
            ModelError: If the network cannot be loaded or fails.
        """
        ...

    def release(self) -> None:
        """Gives the weights' memory back; they are loaded again when they are needed."""
        return


_READS = {
    LastToken: "a head at the last token",
    Pooled: "the score of a network that pools",
    OwnForward: "the score of a network's own forward",
    LastLogits: "logits after the last token",
    FirstLogits: "logits at the beginning of an encoder-decoder's output",
    AtPositions: "a head at single tokens",
    TokenLogProbs: "log-probabilities of an answer's tokens",
}


def require_readout(engine: Engine, readout: type, model: str) -> None:
    """Checks that an engine takes a readout.

    Args:
        engine: The engine.
        readout: The readout's class.
        model: Name of the model that needs it, for the message.

    Raises:
        ModelError: If it does not.
    """
    if readout not in engine.readouts:
        known = "; ".join(what for kind, what in _READS.items() if kind in engine.readouts) or "nothing"
        raise ModelError(
            f"{model} needs {_READS[readout]}, which the engine {engine.name} does not read (it reads: {known}): "
            "use the engine hf"
        )
