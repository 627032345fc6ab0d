"""The engine on transformers: prefix trees if the architecture supports them, padded batches otherwise."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from rmeval.engines.base import (
    AtPositions,
    Description,
    EngineOptions,
    FirstLogits,
    InMemory,
    LastLogits,
    LastToken,
    LogitsAt,
    OwnForward,
    Place,
    Pooled,
    Reading,
    Readout,
    TokenLogProbs,
    TokenSequence,
)
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.hf import ENCODERS
from rmeval.engines.hf.adapter import leaves_base_alone
from rmeval.engines.hf.arguments import check_arguments, kept_arguments
from rmeval.engines.hf.checkpoint import find_checkpoint, tokenizer_place
from rmeval.engines.hf.code import is_own_class
from rmeval.engines.hf.description import check_vocabulary, described
from rmeval.engines.hf.heads import HEAD, head_of
from rmeval.engines.hf.memory import failed
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.own_forward import FLOORS
from rmeval.engines.hf.plain import PlainPath
from rmeval.engines.hf.plain_writer import PlainWriter
from rmeval.engines.hf.readouts import Reader
from rmeval.engines.hf.shared import SharedPath
from rmeval.engines.hf.tree import TreeError, rope_depends_on_length
from rmeval.engines.hf.weights import layout_of
from rmeval.engines.hf.writer import Job, Writer
from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS

__all__ = ["HFEngine", "open_checkpoint"]

_STEM = 32
"""Number of tokens of the check that a network is causal."""


def open_checkpoint(spec: str, options: EngineOptions) -> HFEngine:
    """Open a checkpoint by path or hub id; weights are loaded when something is read.

    Raises:
        ModelError: If there is no usable checkpoint, or an option is not supported.
    """
    check_arguments(options.model_kwargs)
    beside = tuple(file for file, _ in options.layout.files) if options.layout else ()
    layout = layout_of(options.model_kwargs, beside)
    code = options.trust_remote_code
    checkpoint = find_checkpoint(spec, options.revision, layout, code, options.base_model)
    network = Network(
        checkpoint,
        options.dtype,
        options.device,
        code,
        options.model_kwargs,
        head=options.head,
        layout=options.layout,
    )
    return HFEngine(network, options.batch_size)


class HFEngine:
    """Engine that runs a transformers network with torch."""

    name = "hf"
    readouts: frozenset[type] = frozenset(
        {LastToken, LastLogits, FirstLogits, AtPositions, LogitsAt, TokenLogProbs, Pooled, OwnForward, Generated}
    )

    def __init__(
        self,
        network: Network,
        batch_size: int | None = None,
        budget: int | None = None,
        share: bool = True,
    ) -> None:
        """Store the network; weights are not loaded yet.

        Args:
            network: The network to run.
            batch_size: Largest number of sequences in a batch; by default only the token budget limits it.
            budget: Number of tokens to compute at once; by default estimated for the device.
            share: Whether to compute common prefixes once, if the architecture supports it.
        """
        self.network = network
        self._share = share
        self._adapted = True  # The network's adapter, if any, is enabled.
        self._plain = PlainPath(network, batch_size, budget)
        self._shared = SharedPath(network, self._plain)
        self._writer = Writer(network, self._plain)
        self._causal = False

    @property
    def description(self) -> Description:
        """The checkpoint's properties, from its files and its config."""
        checkpoint, found = self.network.checkpoint, described(self.network)
        if self._adapted or checkpoint.base is None:
            return found
        return replace(found, fingerprint=checkpoint.base.fingerprint, shares_weights=True)

    def fingerprint(self) -> str | None:
        """Digest or commit of the checkpoint's files."""
        return self.description.fingerprint

    def identity(self) -> dict[str, Any]:
        """Engine, number format and arguments; not device or batch size, which should not change scores."""
        return {
            "engine": self.name,
            **self.network.identity(),
            "model_kwargs": kept_arguments(self.network.model_kwargs),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, architecture, and how much was shared in prefixes since `forget`."""
        sharing = self._shared.sharing
        return self.network.facts() | ({"prefix_sharing": sharing} if sharing else {})

    def forget(self) -> None:
        """Clear the facts about shared prefixes."""
        self._shared.sharing = {}
        self._writer.sizes = {}

    def tokenizer(self) -> Place | InMemory:
        """The location of the checkpoint's tokenizer, which may be the adapter's.

        Raises:
            ModelError: If an adapter has an incomplete tokenizer.
        """
        return tokenizer_place(self.network.checkpoint)

    def require_language_model(self, encoder: bool = False) -> None:
        """Run the checkpoint as a language model from now on.

        Args:
            encoder: Whether it may have an encoder.

        Raises:
            ModelError: If its config states that it is not a language model.
        """
        self.network.language_model = True
        self.network.require_language_model(encoder)

    def base(self) -> HFEngine | None:
        """The engine of an adapter's base; it shares the weights if the adapter leaves them unchanged."""
        checkpoint = self.network.checkpoint
        if checkpoint.base is None or checkpoint.adapter is None:
            return None
        if leaves_base_alone(checkpoint.adapter, self.network.vocabulary or 0):
            below = copy.copy(self)
            below._adapted = False
            return below
        return HFEngine(self.network.below(checkpoint.base), self._plain.cap)

    def batched(self, size: int) -> HFEngine:
        """The same network in padded batches of `size` sequences, without sharing prefixes."""
        return HFEngine(self.network, size, share=False)

    def own_readout(self) -> Readout:
        """The readout of the classifier's head, inferred from its layout; `run` compares it with the own forward.

        Raises:
            ModelError: If the model cannot be loaded, or its head is not in the checkpoint.
        """
        model, config = self.network.model, self.network.config
        if hasattr(model, HEAD):
            return LastToken(HEAD)
        # transformers names the heads of decoders `score`. Other decoders look for the last token that is not the
        # padding token, which fails if the padding token occurs in the text.
        if not is_own_class(model):
            if not config.is_encoder_decoder and config.get_text_config().model_type in ENCODERS:
                return Pooled()
            return LastToken("score") if hasattr(model, "score") else OwnForward()
        head = head_of(model)
        return OwnForward() if head is None else LastToken(head)

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Read every sequence once, in the order of their prefix tree or longest first.

        When memory runs out, the batch is halved; sequences that were already read are not read again.

        Raises:
            ModelError: If the network cannot be loaded or fails.
        """
        readings = self._run(sequences, readout)
        while True:
            # Between steps the network is restored, even if an exception keeps this iterator alive.
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

    def stops(self) -> tuple[int, ...]:
        """The tokens that end a text according to `generation_config.json`, or the config without that file."""
        return self.network.stops

    def generate(
        self, sequences: Sequence[TokenSequence], limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Iterator[list[Generated]]:
        """Continue every sequence once, in the order of their prefix tree or longest first.

        When memory runs out, half of the sequences are continued together.

        Raises:
            ModelError: If the network cannot be loaded or fails.
        """
        batches = self._generate(Job(sequences, limits, seeds), how)
        while True:
            with self.network.used(self._adapted):
                found = next(batches, None)
            if found is None:
                return
            yield found

    def _generate(self, job: Job, how: Generation) -> Iterator[list[Generated]]:
        model = self.network.model
        check_vocabulary(self.network, job.sequences)
        self._check_causal(job.sequences)
        left = list(range(len(job.sequences)))
        why = self._shared.refused(job.longest) if self._share else "it was not asked for"
        if why is None:
            done: set[int] = set()
            try:
                for batch in self._writer.write(job, how):
                    done |= {one.index for one in batch}
                    self._shared.sharing = dict(self._writer.sizes)
                    yield batch
                return
            except TreeError as error:
                why = str(error)
            left = [index for index in left if index not in done]
        self._shared.sharing = f"off: {why}"
        alone = rope_depends_on_length(model.config.get_text_config(), job.longest)
        plain = PlainWriter(self.network, self._plain.cap)
        for batch in plain.write(job.part(left), how, alone):
            yield [replace(one, index=left[one.index]) for one in batch]

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that `run` uses: the network's own forward if the given readout yields other scores."""
        with self.network.used(self._adapted):
            return self._settled(sequences, readout)

    def _settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        check_vocabulary(self.network, sequences)
        return self.network.forward.settle(sequences, readout)

    def release(self) -> None:
        """Free the weights' memory; they are loaded again when needed."""
        self.network.release()

    def _check_causal(self, sequences: Sequence[TokenSequence]) -> None:
        """Check that later tokens do not change the hidden states of earlier ones.

        Raises:
            ModelError: If they do: the network then sees each token whose probability it predicts.
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
                f"{self.network.checkpoint.source} attends to later tokens, so that its token probabilities are "
                "meaningless: give a causal language model (some need `model_kwargs` is_decoder=true)"
            )
        self._causal = True
