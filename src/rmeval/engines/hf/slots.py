"""The forward pass that adds one token to each of several sequences, for architectures that support prefix trees.

As in `rmeval.engines.hf.tree`, all layers process the new tokens in one row, and only attention depends on which token
belongs to which sequence: each attends to the keys of its own slot. A slot that becomes free takes the next sequence
at once, so sequences of different lengths need no padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

from rmeval.engines.hf.tree import Layers, by_hand, window_mask, window_of

__all__ = ["Slots"]

_NAME = "rmeval_slots"
_BLOCK = 128
"""Number of tokens by which all slots grow, at least."""


class Slots:
    """Keys and values of the sequences that are continued, by layer. The first `count` slots are in use.

    Attributes:
        count: Number of slots in use.
    """

    def __init__(self, model: Any, most: int) -> None:
        """Store a transformers model for which `unshareable` returned None.

        Args:
            model: The model.
            most: Number of slots.
        """
        self._model, self._most = model, most
        self._before: str = model.config._attn_implementation
        self._layers: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._lengths = np.zeros(most, np.int64)
        self.count = 0
        AttentionInterface.register(_NAME, _attention)
        AttentionMaskInterface.register(_NAME, window_mask)

    def add(self, layers: Layers) -> None:
        """Use another slot for a sequence.

        Args:
            layers: Keys and values of its tokens.
        """
        length = layers[0][0].shape[2]
        if not self._layers:
            self._layers = [tuple(self._empty(one, length) for one in own) for own in layers]  # type: ignore[misc]
        self._grow(length + 1)
        for (keys, values), (key, value) in zip(self._layers, layers, strict=True):
            keys[self.count, :, :length] = key[0]
            values[self.count, :, :length] = value[0]
        self._lengths[self.count] = length
        self.count += 1

    def _empty(self, like: torch.Tensor, length: int) -> torch.Tensor:
        return like.new_zeros((self._most, like.shape[1], length + _BLOCK, like.shape[3]))

    def _grow(self, length: int) -> None:
        """Make room for sequences of `length` tokens."""
        room = self._layers[0][0].shape[2]
        if length <= room:
            return
        more = max(length - room, _BLOCK, room // 4)
        for place, own in enumerate(self._layers):
            # One layer at a time, so that the old and the new tensors of all layers are never in memory together.
            self._layers[place] = tuple(functional.pad(one, (0, 0, 0, more)) for one in own)  # type: ignore[assignment]

    def leave(self, slot: int) -> None:
        """Free a slot; the last slot in use takes its place."""
        self.count -= 1
        if slot == self.count:
            return
        length = int(self._lengths[self.count])
        for own in self._layers:
            for one in own:
                one[slot, :, :length] = one[self.count, :, :length]
        self._lengths[slot] = length

    @contextmanager
    def attention(self) -> Iterator[None]:
        """Replace the model's attention inside the context, as `step` needs it."""
        self._model.set_attn_implementation(_NAME)
        try:
            yield
        finally:
            self._model.set_attn_implementation(self._before)

    def step(self, tokens: Sequence[int], device: torch.device) -> torch.Tensor:
        """Add a token to the sequence of each slot in use: the last hidden states float[count, width]."""
        lengths = torch.as_tensor(self._lengths[: self.count], device=device)
        self._grow(int(self._lengths[: self.count].max()) + 1)
        mark = _STEP.set(_Step(self._layers, lengths))
        try:
            with torch.inference_mode():
                states: torch.Tensor = self._model.base_model(
                    input_ids=torch.as_tensor([tokens], device=device),
                    position_ids=lengths[None],
                    use_cache=False,
                ).last_hidden_state[0]
        finally:
            _STEP.reset(mark)
        self._lengths[: self.count] += 1
        return states


class _Step:
    """The state of attention while one token is added to each sequence."""

    def __init__(self, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], lengths: torch.Tensor) -> None:
        self._layers, self._lengths = layers, lengths
        self._seen = int(lengths.max()) + 1
        self._slots = torch.arange(len(lengths), device=lengths.device)
        self._masks: dict[int, torch.Tensor] = {}
        self._next = 0

    def extend(self, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [slots, heads, seen, width] with the new ones; each call belongs to the next layer."""
        own = self._layers[self._next]
        self._next += 1
        for stored, new in zip(own, (key, value), strict=True):
            stored[self._slots, :, self._lengths] = new[0].transpose(0, 1)
        keys, values = (one[: len(self._slots), :, : self._seen] for one in own)
        return keys, values

    def mask(self, window: int, like: torch.Tensor) -> torch.Tensor:
        """[slots, 1, 1, seen]: 0 where a slot's new token may attend, minus infinity elsewhere."""
        if window not in self._masks:
            column, last = torch.arange(self._seen, device=like.device)[None], self._lengths[:, None]
            hidden = column > last
            if window:
                hidden |= column <= last - window
            mask = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, -torch.inf)
            self._masks[window] = mask[:, None, None]
        return self._masks[window]


_STEP: ContextVar[_Step] = ContextVar("rmeval_slots_step")


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one new token a slot, with the arguments and shapes of the tree's attention."""
    window = window_of(module, attention_mask, others)
    step = _STEP.get()
    keys, values = step.extend(key, value)
    mask = step.mask(window, query)
    heads, count, width = query.shape[1:]
    # Heads that share a key are rows of one product, so that keys need no copies.
    rows = query[0].transpose(0, 1).reshape(count, keys.shape[1], heads // keys.shape[1], width)
    if softcap is None and s_aux is None:
        out = functional.scaled_dot_product_attention(rows, keys, values, mask, scale=scaling)
    else:
        sinks = None if s_aux is None else s_aux.view(1, *rows.shape[1:3], 1)
        out = by_hand(rows, keys, values, mask, scaling, softcap, sinks)
    return out.reshape(1, count, heads, values.shape[3]), None
