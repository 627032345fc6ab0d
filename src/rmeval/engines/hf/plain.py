"""The plain path: padded batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rmeval.engines.base import FirstLogits, OwnForward, Pooled, Reading, TokenSequence
from rmeval.engines.hf.batches import first_budget, plan_batches
from rmeval.engines.hf.memory import failed, halved, is_memory, too_small
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.outputs import padded
from rmeval.engines.hf.readouts import Reader, with_total
from rmeval.engines.hf.tree import rope_depends_on_length
from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS
from rmeval.types import FloatArray

__all__ = ["PlainPath"]

PlainReader = Reader | Pooled | OwnForward | FirstLogits
"""Readers of padded batches."""


class PlainPath:
    """Reader of padded batches, longest first.

    Attributes:
        cap: Largest number of sequences in a batch; if None, only the token budget limits it.
    """

    def __init__(self, network: Network, cap: int | None, budget: int | None) -> None:
        """Store the network and the batch limits; a budget of None is estimated for the device."""
        self._network = network
        self._budget = budget
        self.cap = cap

    def budget(self) -> int:
        """Number of tokens to compute at once."""
        return self._budget or first_budget(self._network.model, self._network.device)

    def read(self, sequences: Sequence[TokenSequence], reader: PlainReader) -> Iterator[Reading]:
        """Read padded batches of similar length, longest first."""
        longest = max(map(len, sequences), default=0)
        # Angles that depend on the longest sequence of a batch would make a score depend on its neighbours.
        alone = rope_depends_on_length(self._network.config.get_text_config(), longest)
        if isinstance(reader, OwnForward):
            alone = alone or not self._network.forward.takes_batch(sequences)
        left, budget = list(range(len(sequences))), self.budget()
        while left:
            lengths = [len(sequences[index]) for index in left]
            batch = [left[place] for place in next(plan_batches(lengths, budget, 1 if alone else self.cap))]
            size = len(batch) * max(len(sequences[index]) for index in batch)
            try:
                with self._network.threads.piece(size):
                    values = self.batch(batch, sequences, reader)
            except LOADING_ERRORS as error:
                if not is_memory(error):
                    raise failed(self._network, len(batch), size, error) from error
                if len(batch) == 1:
                    raise too_small(self._network, f"one conversation of {size} tokens", error) from error
                budget = halved(self._network, min(budget, size), "padded tokens", error)
                continue
            done = set(batch)
            left = [index for index in left if index not in done]
            yield Reading(tuple(batch), tuple(values))

    def batch(self, batch: Sequence[int], sequences: Sequence[TokenSequence], reader: PlainReader) -> list[FloatArray]:
        """The values of a padded batch, read from hidden states or returned by the network's own forward."""
        model, device = self._network.model, self._network.device
        # Ends of texts are found from lengths, so the padding token's id has no effect, even if it is the EOS token.
        ids, mask = padded([sequences[index] for index in batch], self._network.padding)
        if isinstance(reader, Pooled | OwnForward):
            return self._network.forward.values(ids, mask)
        with torch.inference_mode():
            if isinstance(reader, FirstLogits):
                begin = torch.full((len(batch), 1), _decoder_start(model), device=device)
                given = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "decoder_input_ids": begin}
                return with_total(model(**given).logits[:, 0], reader.tokens)
            states = model.base_model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
            hidden = states.last_hidden_state.flatten(0, 1)
        places = [partial(_place, row * ids.shape[1]) for row in range(len(batch))]
        return reader.values(hidden, batch, places)


def _decoder_start(model: Any) -> int:
    for settings in (model.config, model.generation_config):
        if (token := getattr(settings, "decoder_start_token_id", None)) is not None:
            return int(token)
    raise ModelError("the model's config does not state the first token of its outputs: set decoder_start_token_id")


def _place(start: int, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows of a sequence that begins at row `start`."""
    return start + positions
