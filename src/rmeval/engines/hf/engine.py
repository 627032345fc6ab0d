"""The engine on transformers: prefix trees where the architecture takes them, else padded batches."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from rmeval.engines.base import (
    AtPositions,
    Description,
    EngineOptions,
    FirstLogits,
    InMemory,
    LastLogits,
    LastToken,
    OwnForward,
    Place,
    Pooled,
    Reading,
    Readout,
    TokenLogProbs,
    TokenSequence,
)
from rmeval.engines.hf import ENCODERS
from rmeval.engines.hf.adapter import leaves_base_alone
from rmeval.engines.hf.arguments import check_arguments, kept_arguments
from rmeval.engines.hf.checkpoint import find_checkpoint, tokenizer_place
from rmeval.engines.hf.code import is_own_class
from rmeval.engines.hf.heads import HEAD, head_of
from rmeval.engines.hf.memory import failed
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.own_forward import FLOORS
from rmeval.engines.hf.plain import PlainPath
from rmeval.engines.hf.readouts import Reader
from rmeval.engines.hf.shared import SharedPath
from rmeval.engines.hf.tree import TreeError
from rmeval.engines.hf.weights import layout_of
from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS

__all__ = ["HFEngine", "open_checkpoint"]

_STEM = 32
"""Tokens by which a network is checked to be causal."""


def open_checkpoint(spec: str, options: EngineOptions) -> HFEngine:
    """Finds a checkpoint by path or hub id, and the engine that runs it.

    Raises:
        ModelError: If there is nothing usable there, or an option cannot be met.
    """
    check_arguments(options.model_kwargs)
    layout = layout_of(options.model_kwargs)
    code = options.trust_remote_code
    checkpoint = find_checkpoint(spec, options.revision, layout, code, options.base_model)
    network = Network(checkpoint, options.dtype, options.device, code, options.model_kwargs, head=options.head)
    return HFEngine(network, options.batch_size)


class HFEngine:
    """Runs a network under torch."""

    name = "hf"
    readouts: frozenset[type] = frozenset(
        {LastToken, LastLogits, FirstLogits, AtPositions, TokenLogProbs, Pooled, OwnForward}
    )

    def __init__(
        self,
        network: Network,
        batch_size: int | None = None,
        budget: int | None = None,
        share: bool = True,
    ) -> None:
        """Takes a network.

        Args:
            network: What to run.
            batch_size: Largest number of sequences in a batch; None leaves it to the token budget.
            budget: Tokens to compute at once; None leaves it to the device.
            share: Whether to compute common prefixes once, where the architecture takes it.
        """
        self.network = network
        self._share = share
        self._adapted = True  # An adapter over the network, if there is one, is switched on.
        self._plain = PlainPath(network, batch_size, budget)
        self._shared = SharedPath(network, self._plain)
        self._causal = False

    @property
    def description(self) -> Description:
        """What the checkpoint is, by its files and its config."""
        network, checkpoint = self.network, self.network.checkpoint
        found = Description(
            checkpoint.name,
            Place(checkpoint.source, checkpoint.revision),
            checkpoint.fingerprint,
            checkpoint.sources,
            network.limit,
            network.vocabulary,
            network.generates,
            network.config.is_encoder_decoder,
            network.score_token,
        )
        if self._adapted or checkpoint.base is None:
            return found
        return replace(found, fingerprint=checkpoint.base.fingerprint, shares_weights=True)

    def fingerprint(self) -> str | None:
        """Digest or commit of the checkpoint's files."""
        return self.description.fingerprint

    def identity(self) -> dict[str, Any]:
        """Engine, number format and arguments; not device or batch, which are not meant to matter."""
        return {
            "engine": self.name,
            **self.network.identity(),
            "model_kwargs": kept_arguments(self.network.model_kwargs),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, architecture, and how far prefixes were shared since `forget`."""
        sharing = self._shared.sharing
        return self.network.facts() | ({"prefix_sharing": sharing} if sharing else {})

    def forget(self) -> None:
        """Begins the facts about sharing anew."""
        self._shared.sharing = {}

    def tokenizer(self) -> Place | InMemory:
        """Where the checkpoint's tokenizer is: an adapter may bring its own.

        Raises:
            ModelError: If an adapter has a part of one.
        """
        return tokenizer_place(self.network.checkpoint)

    def require_language_model(self, encoder: bool = False) -> None:
        """Runs the checkpoint as a language model from here on.

        Args:
            encoder: Whether it may have an encoder.

        Raises:
            ModelError: If its config says that it is none.
        """
        self.network.language_model = True
        self.network.require_language_model(encoder)

    def base(self) -> HFEngine | None:
        """What runs the base of an adapter: the same weights, where the adapter has changed none of those."""
        checkpoint = self.network.checkpoint
        if checkpoint.base is None or checkpoint.adapter is None:
            return None
        if leaves_base_alone(checkpoint.adapter, self.network.vocabulary or 0):
            below = copy.copy(self)
            below._adapted = False
            return below
        return HFEngine(self.network.below(checkpoint.base), self._plain.cap)

    def batched(self, size: int) -> HFEngine:
        """The same network in padded batches of some sequences each, with nothing shared among them."""
        return HFEngine(self.network, size, share=False)

    def own_readout(self) -> Readout:
        """How the classifier's head is read, as far as its layout shows; `run` compares that with its forward.

        Raises:
            ModelError: If the model cannot be loaded, or its head is not in the checkpoint.
        """
        model, config = self.network.model, self.network.config
        if hasattr(model, HEAD):
            return LastToken(HEAD)
        # transformers keeps the heads of decoders under `score`. Other decoders find the last token by its not being a
        # padding token, which fails where that is a token of the text.
        if not is_own_class(model):
            if not config.is_encoder_decoder and config.get_text_config().model_type in ENCODERS:
                return Pooled()
            return LastToken("score") if hasattr(model, "score") else OwnForward()
        head = head_of(model)
        return OwnForward() if head is None else LastToken(head)

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Reads every sequence once: in the order of their prefix tree, or else longest first.

        Running out of memory halves the batch; what was read before is not read again.

        Raises:
            ModelError: If the network cannot be loaded or fails.
        """
        readings = self._run(sequences, readout)
        while True:
            # Between steps the network is as it was, however long somebody holds on to this iterator.
            with self.network.used(self._adapted):
                found = next(readings, None)
            if found is None:
                return
            yield found

    def _run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        model = self.network.model
        readout = self._settled(sequences, readout)
        if isinstance(readout, Pooled | OwnForward | FirstLogits):
            if isinstance(readout, OwnForward):
                self._shared.sharing = "off: its own forward is used"
            yield from self._plain.read(sequences, readout)
            return
        reader = Reader(model, readout, sequences)
        if self.network.language_model:
            self._check_causal(sequences)
        longest = max(map(len, sequences), default=0)
        why = self._shared.refused(longest) if self._share else "it was not asked for"
        if why is None:
            try:
                yield from self._shared.read(sequences, reader)
                return
            except TreeError as error:
                why = str(error)
        self._shared.sharing = f"off: {why}"
        yield from self._plain.read(sequences, reader)

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that `run` takes for this one: a network's own forward where that gives other scores."""
        with self.network.used(self._adapted):
            return self._settled(sequences, readout)

    def _settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        self._check_vocabulary(sequences)
        return self.network.forward.settle(sequences, readout)

    def release(self) -> None:
        """Gives the weights' memory back; they are loaded again when they are needed."""
        self.network.release()

    def _check_causal(self, sequences: Sequence[TokenSequence]) -> None:
        """Changes what follows a few tokens, and looks whether they notice.

        Raises:
            ModelError: If they do: then each token's probability is given by a network that sees it.
        """
        stem = [int(token) for token in max(sequences, key=len, default=())[:_STEM]]
        half = len(stem) // 2
        if self._causal or not half:
            return
        model = self.network.model
        vocabulary = self.network.config.get_text_config().vocab_size
        other = [*stem[:half], *((token + 1) % vocabulary for token in stem[half:])]
        ids = torch.tensor([stem, other], device=self.network.device)
        try:
            with torch.inference_mode():
                states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, :half].float()
        except LOADING_ERRORS as error:
            raise failed(self.network, 2, 2 * len(stem), error) from error
        floor = FLOORS.get(model.dtype, 1e-5)
        if float((states[0] - states[1]).abs().max()) > floor * max(1.0, float(states.abs().max())):
            raise ModelError(
                f"{self.network.checkpoint.source} sees tokens that come later, so that the probabilities it gives "
                "mean nothing: give a causal language model (some need `model_kwargs` is_decoder=true)"
            )
        self._causal = True

    def _check_vocabulary(self, sequences: Sequence[TokenSequence]) -> None:
        if (known := self.network.vocabulary) is None:
            return
        largest = max((int(np.max(sequence)) for sequence in sequences), default=0)
        if largest >= known:
            over = self.network.checkpoint.adapter is not None
            base = ", or the base that the adapter was trained on with `base_model`" if over else ""
            raise ModelError(
                f"the tokenizer gives token {largest} where {self.network.checkpoint.source} knows {known} tokens: "
                f"it is another model's; give the right one with `tokenizer`{base}"
            )
