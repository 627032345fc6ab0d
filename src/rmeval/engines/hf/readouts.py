"""Reads the values of readouts from the last hidden states of a network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers.modeling_outputs import BaseModelOutput

from rmeval.engines.base import AtPositions, LastLogits, LastToken, LogitsAt, Readout, TokenLogProbs, TokenSequence
from rmeval.errors import ModelError
from rmeval.types import FloatArray

__all__ = ["Below", "Reader", "below_gives", "with_total"]

_LOGITS = {"cpu": 3 << 20}
"""Size of a block of logits in numbers, by device: on CPUs 12 MiB in float32; larger blocks cost page faults."""
_MORE_LOGITS = 1 << 26
"""Size of a block on other devices."""

Places = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]
"""From positions in a sequence to rows of hidden states."""


def with_total(logits: torch.Tensor, tokens: Sequence[int]) -> list[FloatArray]:
    """float64[tokens + 1] for each row of float[rows, vocabulary]: logits of some tokens, then the logsumexp of all."""
    total = torch.logsumexp(logits.float(), 1, keepdim=True)
    found = torch.cat([logits[:, list(tokens)].float(), total], 1)
    return list(found.cpu().double().numpy())


class Below(BaseModelOutput):  # type: ignore[misc]  # It has no types.
    """The output of the layers below a head: hidden states, and None for all other attributes."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@contextmanager
def below_gives(model: Any, hidden: torch.Tensor) -> Iterator[list[bool]]:
    """Replace the output of the layers below a network's head by float[tokens, width] inside the context.

    Yields:
        A list that is non-empty after the head has called the layers.
    """
    base, reached = model.base_model, list[bool]()
    before = vars(base).get("forward")

    def given(*_: Any, **__: Any) -> Below:
        reached.append(True)
        return Below(last_hidden_state=hidden[None], hidden_states=(hidden[None],))

    base.forward = given
    try:
        yield reached
    finally:
        if before is None:
            del base.forward
        else:
            base.forward = before


class Reader:
    """Reader of a network's values from its hidden states.

    Heads compute in float32 for every number format of the network, because rounding to bfloat16 causes ties.
    """

    def __init__(self, model: Any, readout: Readout, sequences: Sequence[TokenSequence]) -> None:
        self.kind = type(readout)
        self._readout = readout
        self._sequences = sequences
        self._model = model
        if isinstance(readout, LastToken | AtPositions):
            self._head = copy.deepcopy(model.get_submodule(readout.head)).float()

    def like(self, sequences: Sequence[TokenSequence]) -> Reader:
        """The same readout for other sequences, at all positions for readouts of some positions."""
        readout = self._readout
        if isinstance(readout, TokenLogProbs):
            readout = TokenLogProbs([(1, len(sequence)) for sequence in sequences])
        elif isinstance(readout, LogitsAt):
            readout = LogitsAt(readout.tokens, [range(len(sequence)) for sequence in sequences])
        elif isinstance(readout, AtPositions):
            readout = AtPositions(readout.head, [range(len(sequence)) for sequence in sequences], readout.together)
        return Reader(self._model, readout, sequences)

    def values(self, hidden: torch.Tensor, indices: Sequence[int], places: Sequence[Places]) -> list[FloatArray]:
        """The values of some sequences.

        Args:
            hidden: float[rows, width].
            indices: Indices of the sequences.
            places: For each sequence, the map from its positions to rows.

        Returns:
            One array per sequence: float64[outputs] for `LastToken` and `LastLogits`, float64[positions, outputs] for
            `AtPositions` and `LogitsAt`, float64[tokens] for `TokenLogProbs`.
        """
        if not indices:
            return []
        rows = [place(self._positions(index)) for index, place in zip(indices, places, strict=True)]
        ends = np.cumsum([len(own) for own in rows])[:-1]
        together = np.concatenate(rows)
        with torch.inference_mode():
            if isinstance(self._readout, TokenLogProbs):
                targets = np.concatenate([self._targets(index) for index in indices])
                return np.split(self._log_probs(hidden, together, targets), ends)
            if isinstance(self._readout, LogitsAt):
                return np.split(self._some_logits(hidden, together, self._readout.tokens), ends)
            if isinstance(self._readout, LastLogits):
                rows_of = hidden[torch.as_tensor(together, device=hidden.device)]
                return with_total(self.logits(rows_of), self._readout.tokens)
            size = self._readout.together if isinstance(self._readout, AtPositions) else 1
            inputs = hidden[torch.as_tensor(together, device=hidden.device)].float().reshape(len(together) // size, -1)
            found = self._head(inputs).cpu().double().numpy()
        parts = np.split(found, ends // size)
        return [own[0] for own in parts] if isinstance(self._readout, LastToken) else parts

    def _positions(self, index: int) -> npt.NDArray[np.int64]:
        """The positions whose hidden states are needed; for predicted tokens, those just before them."""
        if isinstance(self._readout, AtPositions | LogitsAt):
            return np.asarray(self._readout.index[index], dtype=np.int64)
        if isinstance(self._readout, TokenLogProbs):
            start, stop = self._readout.span[index]
            return np.arange(start - 1, stop - 1)
        return np.array([len(self._sequences[index]) - 1])

    def _targets(self, index: int) -> npt.NDArray[np.int64]:
        assert isinstance(self._readout, TokenLogProbs)
        start, stop = self._readout.span[index]
        return np.asarray(self._sequences[index][start:stop], dtype=np.int64)

    def _log_probs(
        self, hidden: torch.Tensor, rows: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]
    ) -> FloatArray:
        """The log-probability of each target after its row.

        Each row's logits are computed once, a block of rows at a time.
        """
        distinct, places = np.unique(rows, return_inverse=True)
        order = np.argsort(places, kind="stable")
        found = np.empty(len(rows))
        for start, logits in self._blocks(hidden, distinct):
            block = distinct[start : start + len(logits)]
            own = order[slice(*np.searchsorted(places[order], (start, start + len(block))))]
            row = torch.as_tensor(places[own] - start, device=logits.device)
            token = torch.as_tensor(targets[own], device=logits.device)
            found[own] = (logits[row, token] - torch.logsumexp(logits, 1)[row]).cpu().double().numpy()
        return found

    def _some_logits(self, hidden: torch.Tensor, rows: npt.NDArray[np.int64], tokens: Sequence[int]) -> FloatArray:
        """float64[rows, tokens + 1]: the logits of some tokens after each row, then the logsumexp of all."""
        distinct, places = np.unique(rows, return_inverse=True)
        found = [one for _, logits in self._blocks(hidden, distinct) for one in with_total(logits, tokens)]
        return np.reshape(found, (-1, len(tokens) + 1))[places]

    def _blocks(self, hidden: torch.Tensor, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, torch.Tensor]]:
        """Logits after rows in blocks that fit into memory: position of the first row, and float32[n, vocabulary]."""
        most = _LOGITS.get(hidden.device.type, _MORE_LOGITS)
        size = max(1, most // self._model.config.get_text_config().vocab_size)
        for start in range(0, len(rows), size):
            block = torch.as_tensor(rows[start : start + size], device=hidden.device)
            yield start, self.logits(hidden[block])

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The logits float32[rows, vocabulary] that the model itself computes from hidden states.

        The model's own forward computes them, without the layers below: the steps between head and logits (a cap, a
        factor) differ by architecture.
        """
        with below_gives(self._model, hidden) as called:
            logits: torch.Tensor = self._model(inputs_embeds=hidden[None], use_cache=False).logits
        if not called or self._model.base_model is self._model:
            raise ModelError(
                f"{type(self._model).__name__} does not separate its head from the layers below, so that its token "
                "probabilities cannot be read: give a causal language model of another architecture"
            )
        return logits[0].float()
