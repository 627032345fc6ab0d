"""Portions of sequences that one replica reads at a time."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.engines.base import TokenSequence
from rmeval.engines.prefixes import PrefixTree

__all__ = ["CPU_TOKENS", "GPU_TOKENS", "plan_portions"]

CPU_TOKENS = 8_192
GPU_TOKENS = 65_536
"""Largest number of distinct tokens in a portion, by what replicas run on (docs/decisions/021-ray-actors.md)."""
_SHARED = 8
"""Neighbours belong together if they share at least one of this many parts of the shorter one."""


def plan_portions(sequences: Sequence[TokenSequence], most: int) -> list[list[int]]:
    """Divide sequences into portions whose prefix trees are small, and of similar lengths.

    Sequences that share a long prefix, such as the responses to one prompt, stay in one portion, so that each replica
    computes the prefix once. Groups are ordered by their longest sequence, because networks that cannot share prefixes
    read padded batches. The portions depend on the sequences alone, not on the number of replicas.

    Args:
        sequences: The sequences.
        most: Largest number of tokens in the prefix tree of a portion; a longer sequence is a portion by itself.

    Returns:
        Positions in `sequences`, each once; the portion with the longest sequence comes first.
    """
    groups = sorted(_groups(sequences, most), key=lambda group: (-max(len(sequences[k]) for k in group[0]), group[0]))
    portions: list[list[int]] = []
    room = 0
    for group, size in groups:
        if not portions or size > room:
            portions.append([])
            room = most
        portions[-1] += group
        room -= size
    return portions


def _groups(sequences: Sequence[TokenSequence], most: int) -> list[tuple[list[int], int]]:
    """Neighbours in the prefix tree that share much, and the number of tokens in the tree of each group."""
    tree = PrefixTree(sequences)
    groups: list[tuple[list[int], int]] = []
    before = 0
    for index, shared in zip(tree.order, tree.shared.tolist(), strict=True):
        length = len(sequences[index])
        joins = groups and _SHARED * shared >= min(before, length) and groups[-1][1] + length - shared <= most
        if joins:
            group, size = groups[-1]
            group.append(index)
            groups[-1] = (group, size + length - shared)
        else:
            groups.append(([index], length))
        before = length
    return groups
