"""The interface of engines: an engine runs token sequences through a network, and a readout selects what it returns.

A kind of reward model turns conversations into sequences and values into scores; it never sees a batch. An engine
never sees a conversation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rmeval.cache import Sources
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.head_layout import HeadLayout
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
    "LogitsAt",
    "OwnForward",
    "Place",
    "Pooled",
    "Reading",
    "Readout",
    "TokenLogProbs",
    "TokenSequence",
    "readout_of",
    "require_readout",
]

TokenSequence = Sequence[int] | npt.NDArray[np.int32]
"""The token ids of one sequence."""


@dataclass(frozen=True, slots=True)
class LastToken:
    """The output of a head at the last token of each sequence, found from its length.

    Attributes:
        head: Name of the head's module, such as `score`.
    """

    head: str


@dataclass(frozen=True, slots=True)
class Pooled:
    """The output of a network that pools its own hidden states, as encoders do."""


@dataclass(frozen=True, slots=True)
class OwnForward:
    """The score that a network's own forward returns for a sequence, wherever the forward reads it."""


@dataclass(frozen=True, slots=True)
class LastLogits:
    """A language model's logits of some tokens after the last token of each sequence.

    The last output is the logsumexp of all logits, which turns a logit into a probability.

    Attributes:
        tokens: The ids of those tokens.
    """

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FirstLogits:
    """An encoder-decoder's logits of some tokens at the beginning of its output for each sequence.

    The last output is the logsumexp of all logits, as for `LastLogits`.

    Attributes:
        tokens: The ids of those tokens.
    """

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AtPositions:
    """The output of a head at some tokens of each sequence.

    Attributes:
        head: Name of the head's module.
        index: The positions of those tokens in each sequence.
        together: Number of consecutive positions of `index` whose hidden states are one input of the head.
    """

    head: str
    index: Sequence[Sequence[int]]
    together: int = 1


@dataclass(frozen=True, slots=True)
class LogitsAt:
    """As `LastLogits`, after the tokens at some positions of each sequence.

    Attributes:
        tokens: The ids of those tokens.
        index: The positions in each sequence.
    """

    tokens: tuple[int, ...]
    index: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class TokenLogProbs:
    """A language model's log-probability of each token of a span, given all tokens before it.

    Attributes:
        span: For each sequence the position of the first token (at least 1), and the position after the last.
    """

    span: Sequence[tuple[int, int]]


Readout = LastToken | LastLogits | FirstLogits | AtPositions | LogitsAt | TokenLogProbs | Pooled | OwnForward


def readout_of(readout: Readout, indices: Sequence[int]) -> Readout:
    """The readout of some of the sequences, in the given order.

    Args:
        readout: The readout of all sequences.
        indices: The positions of some of them in the list of all.
    """
    if isinstance(readout, AtPositions | LogitsAt):
        return replace(readout, index=[readout.index[k] for k in indices])
    if isinstance(readout, TokenLogProbs):
        return TokenLogProbs([readout.span[k] for k in indices])
    return readout


@dataclass(frozen=True, slots=True)
class Reading:
    """Values of some of the sequences of a call.

    Attributes:
        indices: Their positions in the list that was passed.
        values: One float64 array per sequence: [inputs, outputs] for `AtPositions`, [positions, outputs] for
            `LogitsAt`, [tokens] for `TokenLogProbs`, [outputs] for all other readouts.
    """

    indices: tuple[int, ...]
    values: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine loads and runs a checkpoint; each field is one of `rmeval.models.ModelOptions`.

    Attributes:
        dtype: Number format, or `auto` for the checkpoint's format.
        device: Device, or `auto`.
        revision: Branch, tag or commit on the hub.
        base_model: Path or hub id of an adapter's base model, if not the one in the adapter's config.
        trust_remote_code: Whether code that comes with the checkpoint may run.
        model_kwargs: Arguments that the engine passes to the function that loads the network.
        batch_size: Largest number of sequences in a batch; by default the engine chooses it.
        head: Name of the linear layer that computes the score, if rmeval cannot find it.
        layout: Layout of a head of several layers.
        replicas: Number of replicas of the engine `ray`.
        gpus_per_replica: GPUs of each replica of the engine `ray`.
        ray_address: Address of the Ray cluster; None for a local instance.
        replica_engine: Engine of each replica of the engine `ray`.
    """

    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = None
    base_model: str | None = None
    trust_remote_code: bool = False
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    head: str | None = None
    layout: HeadLayout | None = None
    replicas: int | None = None
    gpus_per_replica: float | None = None
    ray_address: str | None = None
    replica_engine: str = "hf"


class Place(NamedTuple):
    """The location of files.

    Attributes:
        source: Path or hub id.
        revision: Full commit hash on the hub; None for a folder.
    """

    source: str
    revision: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A network and its tokenizer that the calling program has loaded, given instead of a checkpoint's place.

    Attributes:
        model: The network, of transformers or PEFT.
        tokenizer: Its tokenizer.
        name: Name in tables and messages.
    """

    model: Any
    tokenizer: Any
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Description:
    """The properties of a checkpoint that kinds of models depend on; known before weights are loaded.

    Attributes:
        name: Short name, for tables and folders.
        place: Location of the checkpoint.
        fingerprint: Identifies what its scores depend on, such as `hub:<id>@<commit>` or a digest of its files.
        sources: The local files that the fingerprint covers.
        limit: Longest sequence in tokens, if known.
        vocabulary: Size of its vocabulary, if known.
        generates: Whether its config states that it is a language model, with or without an encoder.
        encoder_decoder: Whether an encoder reads the whole input before the first output.
        score_token: The token at which a classifier's score is read, where the checkpoint states one.
        shares_weights: Whether it is the base of an adapter and shares the weights of the adapter's engine.
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
    """Interface that runs one checkpoint's network. Kinds of models depend on this protocol only.

    A subclass must define `description`, `identity`, `tokenizer`, `own_readout`, `run`, and
    `require_language_model` if it reads token probabilities; the other methods have defaults.

    Attributes:
        name: Name of the engine, part of a run's identity.
        readouts: The classes of readouts that the engine supports, and `Generated` if it generates texts.
    """

    name: str
    readouts: frozenset[type]

    @property
    @abstractmethod
    def description(self) -> Description:
        """The checkpoint's properties."""
        ...

    def fingerprint(self) -> str | None:
        """The fingerprint of the current weights: the description's unless they can change; None if it is unknown."""
        return self.description.fingerprint

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Settings that change values, besides weights and sequences: at least `engine`, `dtype` and `model_kwargs`."""
        ...

    def facts(self) -> dict[str, Any]:
        """Versions, the device, and how sequences were read since `forget`, for the manifest."""
        return {}

    def forget(self) -> None:
        """Clear the facts about how sequences were read."""
        return

    @abstractmethod
    def tokenizer(self) -> Place | InMemory:
        """The location of the checkpoint's own tokenizer, or the object that has it.

        Raises:
            ModelError: If it has none.
        """
        ...

    def require_language_model(self, encoder: bool = False) -> None:
        """Run the checkpoint as a language model from now on.

        Args:
            encoder: Whether it may have an encoder.

        Raises:
            ModelError: If it is not a language model, so that its token probabilities are meaningless.
        """
        raise ModelError(
            f"the engine {self.name} does not run language models, and {self.description.name} is used as one: "
            "use the engine hf"
        )

    def base(self) -> Engine | None:
        """The engine of an adapter's base model, with the same settings; None if there is no adapter."""
        return None

    @abstractmethod
    def own_readout(self) -> Readout:
        """The readout of the checkpoint's own head; may load the checkpoint.

        Raises:
            ModelError: If the checkpoint cannot be loaded, or has no trained head.
        """
        ...

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that `run` uses instead of the given one, such as the network's own forward."""
        return readout

    @abstractmethod
    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Read every sequence once, in batches, in any order.

        Raises:
            ModelError: If the network cannot be loaded or fails.
        """
        ...

    def stops(self) -> tuple[int, ...]:
        """The tokens that end a text according to the checkpoint's files, in ascending order."""
        return ()

    def generate(
        self, sequences: Sequence[TokenSequence], limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Iterator[list[Generated]]:
        """Continue every sequence once, in batches, in any order.

        Args:
            sequences: The sequences.
            limits: For each sequence the largest number of tokens to generate.
            seeds: For each sequence the seed of its draws, so that they do not depend on the other sequences.
            how: How tokens are chosen, and which end a text.

        Raises:
            ModelError: If the engine does not generate texts, or the network cannot be loaded or fails.
        """
        raise ModelError(f"the engine {self.name} does not generate texts: use the engine hf")

    def release(self) -> None:
        """Free the weights' memory; they are loaded again when needed."""
        return


_READS = {
    LastToken: "a head at the last token",
    Pooled: "the score of a network that pools",
    OwnForward: "the score of a network's own forward",
    LastLogits: "logits after the last token",
    FirstLogits: "logits at the beginning of an encoder-decoder's output",
    AtPositions: "a head at single tokens",
    LogitsAt: "logits after single tokens",
    TokenLogProbs: "log-probabilities of a response's tokens",
    Generated: "generated texts",
}


def require_readout(engine: Engine, readout: type, model: str) -> None:
    """Check that an engine supports a readout.

    Args:
        engine: The engine.
        readout: The readout's class, or `Generated`.
        model: Name of the model that needs the readout, for the message.

    Raises:
        ModelError: If it does not.
    """
    if readout not in engine.readouts:
        known = "; ".join(what for kind, what in _READS.items() if kind in engine.readouts) or "nothing"
        raise ModelError(
            f"{model} needs {_READS[readout]}, which the engine {engine.name} does not support (it supports: {known}): "
            "use the engine hf"
        )
