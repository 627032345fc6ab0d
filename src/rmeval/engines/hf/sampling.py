"""Chooses the next tokens of sequences from their logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rmeval.engines.generation import Generation

__all__ = ["Draws", "choose"]


class Draws:
    """Uniform numbers of one sequence, one for each token, which depend on its seed alone."""

    def __init__(self, seed: int) -> None:
        """Begin with a seed."""
        self._drawn = np.random.Generator(np.random.Philox(seed))

    def __next__(self) -> float:
        """The number of the next token, from 0 up to 1."""
        return float(self._drawn.random())


def choose(logits: torch.Tensor, how: Generation, draws: Sequence[Draws]) -> list[int]:
    """The next token of each sequence.

    Args:
        logits: float32[sequences, vocabulary].
        how: How tokens are chosen.
        draws: The numbers of each sequence; unused at temperature 0.
    """
    if how.temperature == 0:
        greedy: list[int] = logits.argmax(1).tolist()
        return greedy
    probabilities = torch.softmax(logits.double() / how.temperature, 1)
    if how.top_p < 1:
        ordered, tokens = probabilities.sort(1, descending=True)
        # The smallest number of tokens with at least that share, at least one.
        beyond = ordered.cumsum(1) - ordered >= how.top_p
        probabilities = probabilities.scatter(1, tokens, ordered.masked_fill(beyond, 0))
    # In the order of the vocabulary: differences in the last digits then seldom change the token.
    sums = probabilities.cumsum(1)
    drawn = torch.tensor([next(one) for one in draws], dtype=torch.float64, device=logits.device)
    # The first token whose sum exceeds the number; sums of tokens without probability repeat the one before.
    chosen = torch.searchsorted(sums, drawn[:, None] * sums[:, -1:], right=True)[:, 0]
    last = sums.shape[1] - 1
    found: list[int] = chosen.clamp(max=last).tolist()
    return found
