"""Padded batches, and the scores in the output of a forward for a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from rmeval.engines.base import TokenSequence
from rmeval.types import FloatArray

__all__ = ["Values", "by_sequence", "padded", "tensors_of"]

NAMES = ("score", "end_scores", "end_rewards", "logits", "rewards", "reward", "scores", "value", "values")
"""Names of the scores in the outputs of published classes, in the order of the search."""


class Values(NamedTuple):
    """Outputs of a forward for some sequences, and whether it returned them for every token."""

    rows: list[FloatArray]
    per_token: bool


def padded(sequences: Sequence[TokenSequence], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask of sequences, int64[rows, tokens] each, padded on the right.

    The tokenizer's padding side is ignored: with padding on the right, positions count from 0, and the last token of a
    sequence follows from its length.
    """
    lengths = torch.tensor([len(one) for one in sequences])
    ids = torch.full((len(sequences), int(lengths.max())), padding, dtype=torch.long)
    for row, one in enumerate(sequences):
        ids[row, : lengths[row]] = torch.as_tensor(one, dtype=torch.long)
    return ids, (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long()


def tensors_of(output: Any) -> list[torch.Tensor]:
    """The tensors that may be scores in the output of a forward: a tensor, several, or named ones."""
    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, Mapping):
        found = [output[name] for name in NAMES if name in output]
    elif isinstance(output, tuple | list):
        found = list(output)
    else:
        found = [getattr(output, name, None) for name in NAMES]
    return [
        one if isinstance(one, torch.Tensor) else torch.tensor(one)
        for one in found
        if (isinstance(one, torch.Tensor) and one.is_floating_point()) or isinstance(one, float)
    ]


def by_sequence(tensor: torch.Tensor, lengths: Sequence[int], outputs: int) -> Values | None:
    """The outputs of each sequence, at its last token if there are some for every token; None for other shapes.

    Args:
        tensor: A tensor that may hold scores.
        lengths: Number of tokens of each sequence.
        outputs: Number of outputs per sequence according to the config.
    """
    rows, longest = len(lengths), max(lengths)
    values = tensor.detach().float().cpu().double()
    if values.ndim == 0 and rows == 1:
        values = values[None]
    if values.ndim == 0 or values.shape[0] != rows or values.ndim > 3:
        return None
    if values.ndim > 1 and values.shape[1] == longest > 1 and tuple(values.shape[1:]) != (outputs,):
        last = values[torch.arange(rows), torch.tensor(lengths) - 1].reshape(rows, -1)
        return Values(list(last.numpy()), True)
    if values.ndim == 3 and values.shape[1] != 1:
        return None
    return Values(list(values.reshape(rows, -1).numpy()), False)
