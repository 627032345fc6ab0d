"""Heads whose outputs are weighted by a gate, which may be read at another token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rmeval.engines import AtPositions, LastToken, Readout
from rmeval.engines.head_layout import HeadLayout
from rmeval.errors import ModelError
from rmeval.types import FloatArray

if TYPE_CHECKING:
    from rmeval.rendering.boundary import TokenArray

__all__ = ["Gates"]


class Gates:
    """The gate of a head layout; without one, outputs are returned unchanged."""

    def __init__(self, layout: HeadLayout | None) -> None:
        """Store the layout, if the model has one."""
        self._gated = layout is not None and bool(layout.gate)
        self._at = np.array(layout.gate_at if layout is not None else (), dtype=np.int32)

    def readout(self, own: Readout, sequences: Sequence[TokenArray]) -> Readout:
        """The readout of the head at the last token, and of the gate at its place.

        Args:
            own: The readout of the head.
            sequences: The token ids of each sequence.

        Raises:
            ModelError: If a sequence does not contain the gate's tokens.
        """
        if not (self._gated and len(self._at)) or not isinstance(own, LastToken):
            return own
        return AtPositions(own.head, [[len(one) - 1, self._place(one)] for one in sequences])

    def reads(self, tokens: TokenArray) -> bool:
        """Whether a sequence has the tokens at which the gate is read; they can be cut with the prompt."""
        return not (self._gated and len(self._at)) or self._found(tokens) is not None

    def _found(self, tokens: TokenArray) -> int | None:
        """The position of the first token of the last occurrence of the gate's tokens, as in published code."""
        size = len(self._at)
        if len(tokens) < size:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(tokens, size)
        found = np.flatnonzero((windows == self._at).all(1))
        return int(found[-1]) if len(found) else None

    def _place(self, tokens: TokenArray) -> int:
        if (found := self._found(tokens)) is not None:
            return found
        raise ModelError(
            f"the head's gate is read at the tokens {self._at.tolist()}, which a conversation does not contain: "
            "give the template and the tokenizer of the model's training (`chat_template`, `tokenizer`)"
        )

    def score(self, values: FloatArray) -> FloatArray:
        """The score float64[1], or the outputs float64[outputs] of a head without a gate.

        Args:
            values: The outputs float64[2 * outputs], those of the gate last; or [2, 2 * outputs], with the gate's
                place last.
        """
        if not self._gated:
            return values
        half = values.shape[-1] // 2
        first, last = values.reshape(-1, 2 * half)[[0, -1]]
        return np.array([first[:half] @ last[half:]])

    def at_each(self, values: FloatArray, tokens: TokenArray) -> FloatArray:
        """The score at each token, float64[tokens, 1], or the outputs of a head without a gate.

        Args:
            values: The outputs at each token, float64[tokens, 2 * outputs].
            tokens: The token ids.
        """
        if not self._gated:
            return values
        half = values.shape[1] // 2
        gates = values[:, half:]
        if len(self._at):
            gates = gates[[self._place(tokens)]]
        found: FloatArray = (values[:, :half] * gates).sum(1, keepdims=True)
        return found
