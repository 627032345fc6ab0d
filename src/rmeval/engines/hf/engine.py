"""The engine on transformers: prefix trees where the architecture takes them, else padded batches."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rmeval.engines import (
    AtPositions,
    FirstLogits,
    LastLogits,
    LastToken,
    OwnForward,
    Pooled,
    Reading,
    Readout,
    TokenLogProbs,
    TokenSequence,
)
from rmeval.engines.hf import ENCODERS, LOADING_ERRORS
from rmeval.engines.hf.batches import first_budget, plan_batches
from rmeval.engines.hf.code import is_own_class
from rmeval.engines.hf.heads import HEAD, head_of
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.own_forward import FLOORS, padded
from rmeval.engines.hf.readouts import Reader, with_total
from rmeval.engines.hf.tree import TreeError, TreeNetwork, rope_depends_on_length, unshareable
from rmeval.engines.prefixes import Cursor, Finished, PrefixTree
from rmeval.errors import ModelError, reason_of
from rmeval.types import FloatArray

__all__ = ["HFEngine"]

logger = logging.getLogger(__name__)

SAMPLE = 8
"""Sequences by which the tree is checked against the plain path, and the size of the larger of its two batches."""
WIDE = 100
"""Most of the least tolerances (`FLOORS`) that the spread of the plain path can excuse."""
TRIAL = 8
"""Tokens of a piece in the trial before the first run."""
LEAST_BUDGET = 32
"""Tokens a batch is not made smaller than when memory runs out."""


class HFEngine:
    """Runs a network under torch."""

    name = "hf"
    readouts = frozenset({LastToken, LastLogits, FirstLogits, AtPositions, TokenLogProbs, Pooled, OwnForward})

    def __init__(
        self, network: Network, batch_size: int | None = None, budget: int | None = None, share: bool = True
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
        self._cap = batch_size
        self._budget = budget
        self._checked: dict[type, dict[str, Any]] = {}
        self._causal = False
        self.forget()

    @property
    def limit(self) -> int | None:
        """Positions the network was built for, if it says so."""
        return self.network.limit

    def identity(self) -> dict[str, Any]:
        """Engine and number format; not device or batch, which are not meant to matter."""
        return {"engine": self.name, **self.network.identity()}

    def facts(self) -> dict[str, Any]:
        """Versions, device, architecture, and how far prefixes were shared since `forget`."""
        return self.network.facts() | ({"prefix_sharing": self._sharing} if self._sharing else {})

    def forget(self) -> None:
        """Begins the facts about sharing anew."""
        self._sharing: dict[str, Any] | str = {}

    def readout(self) -> Readout:
        """How this checkpoint's classifier is read, as far as its layout tells; `run` compares that with its forward.

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
        model = self.network.model
        readout = self.settled(sequences, readout)
        if isinstance(readout, Pooled | OwnForward | FirstLogits):
            if isinstance(readout, OwnForward):
                self._sharing = "off: its own forward is used"
            yield from self._plain(sequences, readout)
            return
        reader = Reader(model, readout, sequences)
        if self.network.language_model:
            self._check_causal(sequences)
        why = self._why_plain(max(map(len, sequences), default=0))
        if why is None:
            try:
                yield from self._shared(sequences, reader)
                return
            except TreeError as error:
                why = str(error)
        self._sharing = f"off: {why}"
        yield from self._plain(sequences, reader)

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that `run` takes for this one: a network's own forward where that gives other scores."""
        self._check_vocabulary(sequences)
        return self.network.forward.settle(sequences, readout)

    def _check_causal(self, sequences: Sequence[TokenSequence]) -> None:
        """Changes what follows a few tokens, and looks whether they notice.

        Raises:
            ModelError: If they do: then each token's probability is given by a network that sees it.
        """
        stem = [int(token) for token in max(sequences, key=len, default=())[: 4 * TRIAL]]
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
            raise self._failed(2, 2 * len(stem), error) from error
        floor = FLOORS.get(model.dtype, 1e-5)
        if float((states[0] - states[1]).abs().max()) > floor * max(1.0, float(states.abs().max())):
            raise ModelError(
                f"{self.network.checkpoint.source} sees tokens that come later, so that the probabilities it gives "
                "mean nothing: give a causal language model (some need `model_kwargs` is_decoder=true)"
            )
        self._causal = True

    def _why_plain(self, longest: int) -> str | None:
        if not self._share:
            return "it was not asked for"
        if asked := self.network.explicit_attention:
            return f"attn_implementation={asked} was asked for"
        return unshareable(self.network.model, longest)

    def _shared(self, sequences: Sequence[TokenSequence], reader: Reader) -> Iterator[Reading]:
        """Reads sequences piece by piece of their prefix tree.

        Raises:
            TreeError: Before anything is read, if the network does not take it or gives other values.
        """
        if reader.kind not in self._checked:
            self._try(sequences, reader)
        tree = PrefixTree(sequences)
        walk = TreeNetwork(self.network.model)
        cursor, budget = Cursor(), self._first_budget()
        sizes: dict[str, int] | None = {"tokens": tree.total, "distinct": tree.distinct}
        while (piece := tree.piece(cursor, budget, self._cap)) is not None:
            indices = [one.index for one in piece.finished]
            short: BaseException | None = None
            try:
                hidden = walk.hidden(piece, self.network.device)
                values = reader.values(hidden, indices, [one.rows for one in piece.finished])
                del hidden
                if indices and reader.kind not in self._checked:
                    self._checked[reader.kind] = self._check(piece.finished, values, sequences, reader, budget)
            except LOADING_ERRORS as error:
                if not _is_memory(error):
                    if reader.kind not in self._checked:
                        raise TreeError(f"it fails on a prefix tree ({reason_of(error)})") from error
                    raise self._failed(len(indices), len(piece.tokens), error) from error
                short = error.with_traceback(None)  # Which holds what the failed pass computed.
            if short is not None:
                budget = self._smaller(min(budget, max(len(piece.tokens), 1)), "tokens", short)
                continue
            if sizes is not None:
                self._add(sizes, reader)
                sizes = None
            walk.advance()
            cursor = piece.after
            if indices:
                yield Reading(tuple(indices), tuple(values))

    def _add(self, sizes: Mapping[str, int], reader: Reader) -> None:
        earlier = self._sharing if isinstance(self._sharing, dict) else {}
        total = {name: earlier.get(name, 0) + size for name, size in sizes.items()}
        self._sharing = total | self._checked.get(reader.kind, {})

    def _try(self, sequences: Sequence[TokenSequence], reader: Reader) -> None:
        """Shares prefixes of a few short sequences, cut into pieces of a few tokens, before anything real is computed.

        The first piece of real ones may hold one sequence alone, which no mistake in sharing shows in.

        Raises:
            TreeError: If that fails, or gives other values than the plain path.
        """
        longest = max(sequences, key=len, default=())
        stem = [int(token) for token in longest[: 4 * TRIAL]]
        if len(stem) < 2:
            return
        third = max(1, len(stem) // 3)
        others = (stem[: 2 * third], stem[third // 2 :], stem[:1])
        trial = [stem, *(stem[:third] + other for other in others)]
        probe = reader.like(trial)
        walk, tree, cursor = TreeNetwork(self.network.model), PrefixTree(trial), Cursor()
        found: dict[int, FloatArray] = {}
        try:
            while (piece := tree.piece(cursor, TRIAL)) is not None:
                hidden = walk.hidden(piece, self.network.device)
                indices = [one.index for one in piece.finished]
                values = probe.values(hidden, indices, [one.rows for one in piece.finished])
                found.update(zip(indices, values, strict=True))
                walk.advance()
                cursor = piece.after
            self._compare(found, trial, probe)
        except LOADING_ERRORS as error:
            raise TreeError(f"it fails on a prefix tree ({reason_of(error)})") from error

    def _check(
        self,
        finished: Sequence[Finished],
        values: Sequence[FloatArray],
        sequences: Sequence[TokenSequence],
        reader: Reader,
        budget: int,
    ) -> dict[str, Any]:
        """Compares values with those of the plain path, whose own spread says how much they may differ.

        Raises:
            TreeError: If they differ by more than four times that, and more than the number format explains.
        """
        # Short ones cost least; among them those that are in several parts, which a mistake would show in.
        order = sorted(
            range(len(finished)), key=lambda k: (len(finished[k].path) < 2, len(sequences[finished[k].index]))
        )
        longest = np.maximum.accumulate([len(sequences[finished[k].index]) for k in order])
        fitting = int(np.sum(longest * np.arange(1, len(order) + 1) <= budget))
        sample = order[: max(1, min(SAMPLE, fitting))]
        return self._compare({finished[k].index: values[k] for k in sample}, sequences, reader)

    def _compare(
        self, found: Mapping[int, FloatArray], sequences: Sequence[TokenSequence], reader: Reader
    ) -> dict[str, Any]:
        """Compares values by index with those of the plain path; see `_check`."""
        own = list(found)
        alone = [self._batch([index], sequences, reader)[0] for index in own]
        together = self._batch(own, sequences, reader)
        between = np.concatenate([np.abs(a - b).ravel() for a, b in zip(alone, together, strict=True)])
        spread = float(np.max(between[np.isfinite(between)], initial=0))
        floor = FLOORS.get(self.network.model.dtype, 1e-5)
        largest = 0.0
        for index, plain in zip(own, alone, strict=True):
            apart = np.abs(found[index] - plain)
            largest = float(np.maximum(largest, np.max(apart, initial=0)))
            # A plain path that is spread wide explains nothing: then it is itself what is wrong.
            allowed = np.maximum(min(4 * spread, WIDE * floor), floor) * np.maximum(1, np.abs(plain))
            if not np.all((apart <= allowed) | ~np.isfinite(plain)):
                raise TreeError(f"values differ from plain ones by {largest:.2g}")
        return {"checked": len(own), "largest_difference": largest, "plain_spread": spread}

    def _plain(self, sequences: Sequence[TokenSequence], reader: _Reader) -> Iterator[Reading]:
        """Reads padded batches of similar length, longest first."""
        longest = max(map(len, sequences), default=0)
        # Angles that follow the longest sequence of a batch would make a score depend on its neighbours.
        alone = rope_depends_on_length(self.network.config.get_text_config(), longest)
        if isinstance(reader, OwnForward):
            alone = alone or not self.network.forward.takes_batch(sequences)
        left, budget = list(range(len(sequences))), self._first_budget()
        while left:
            lengths = [len(sequences[index]) for index in left]
            batch = [left[place] for place in next(plan_batches(lengths, budget, 1 if alone else self._cap))]
            size = len(batch) * max(len(sequences[index]) for index in batch)
            try:
                values = self._batch(batch, sequences, reader)
            except LOADING_ERRORS as error:
                if not _is_memory(error):
                    raise self._failed(len(batch), size, error) from error
                if len(batch) == 1:
                    raise self._too_small(f"one conversation of {size} tokens", error) from error
                budget = self._smaller(min(budget, size), "padded tokens", error)
                continue
            done = set(batch)
            left = [index for index in left if index not in done]
            yield Reading(tuple(batch), tuple(values))

    def _batch(self, batch: Sequence[int], sequences: Sequence[TokenSequence], reader: _Reader) -> list[FloatArray]:
        """The values of a padded batch, from hidden states by a reader, or as the network itself puts them out."""
        model, device = self.network.model, self.network.device
        # With lengths to say where texts end the padding token's id never matters, so pad == eos is harmless.
        ids, mask = padded([sequences[index] for index in batch], self.network.padding)
        if isinstance(reader, Pooled | OwnForward):
            return self.network.forward.values(ids, mask)
        with torch.inference_mode():
            if isinstance(reader, FirstLogits):
                begin = torch.full((len(batch), 1), _decoder_start(model), device=device)
                given = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "decoder_input_ids": begin}
                return with_total(model(**given).logits[:, 0], reader.tokens)
            states = model.base_model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
            hidden = states.last_hidden_state.flatten(0, 1)
        places = [partial(_place, row * ids.shape[1]) for row in range(len(batch))]
        return reader.values(hidden, batch, places)

    def _first_budget(self) -> int:
        return self._budget or first_budget(self.network.model, self.network.device)

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

    def _smaller(self, size: int, what: str, error: BaseException) -> int:
        """Half a batch that was too large.

        Raises:
            ModelError: If it is small already.
        """
        if size // 2 < LEAST_BUDGET:
            raise self._too_small(f"{size} {what}", error) from error
        logger.warning(
            "%s has too little memory for %d %s at once: going on with half", self.network.device, size, what
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return size // 2

    def _too_small(self, what: str, error: BaseException) -> ModelError:
        return ModelError(
            f"{self.network.device} has too little memory for {what} ({reason_of(error)}): "
            "give a smaller `dtype`, or `model_kwargs` device_map=auto"
        )

    def _failed(self, count: int, size: int, error: BaseException) -> ModelError:
        return ModelError(
            f"{self.network.checkpoint.source} fails on {count} conversations of together {size} tokens "
            f"({reason_of(error)}): check that it is meant for such input"
        )


_Reader = Reader | Pooled | OwnForward | FirstLogits
"""What takes values from a padded batch."""


def _decoder_start(model: Any) -> int:
    for settings in (model.config, model.generation_config):
        if (token := getattr(settings, "decoder_start_token_id", None)) is not None:
            return int(token)
    raise ModelError("the model does not say which token its answers begin with: set decoder_start_token_id")


def _place(start: int, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows of a sequence that begins at row `start`."""
    return start + positions


def _is_memory(error: BaseException) -> bool:
    """Whether memory ran out; off CUDA torch raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(said in str(error) for said in _MEMORY)


_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
