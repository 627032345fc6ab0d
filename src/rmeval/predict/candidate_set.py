"""Candidates of best-of-N as columns: prompts with responses of known quality and the scores of reward models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rmeval.data.tables import Mask
from rmeval.errors import DataError
from rmeval.types import FloatArray, IntArray

__all__ = ["CandidateSet"]


@dataclass(frozen=True, eq=False)
class CandidateSet:
    """Prompts with their responses; the responses of prompt i are at `offsets[i]:offsets[i + 1]` in the columns.

    Attributes:
        source: File or run folder, for messages.
        ids: The prompts' ids, each once.
        offsets: int64[n + 1].
        quality: float64[responses], higher is better; NaN where it is unknown.
        groups: int64[responses]: equal final answers of a prompt have equal numbers, and -1 means no answer; None if
            answers are not known.
        cluster: int64[n], number of the underlying problem.
        subset: Subset of each prompt.
        scores: The scores of each reward model, float64[responses]; NaN for a missing score.
        notes: Notes for the reader, one sentence each.
        digests: Conversation digest of each response (see `rmeval.data.digests.item_digests`), so that runs and files
            can be matched by text; None if there are no texts.
        picks: The reward models of which only the picks among all responses are known: a pick has the score 1, and the
            other responses 0. Smaller numbers of responses say nothing about them.

    Raises:
        DataError: If the lengths of the columns differ, a prompt has no response, or an id occurs twice.
    """

    source: str
    ids: tuple[str, ...]
    offsets: IntArray
    quality: FloatArray
    groups: IntArray | None
    cluster: IntArray
    subset: tuple[str, ...]
    scores: Mapping[str, FloatArray]
    notes: tuple[str, ...] = ()
    digests: tuple[str, ...] | None = None
    picks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.ids)
        if {len(self.cluster), len(self.subset), len(self.offsets) - 1} != {count} or (self.sizes < 1).any():
            raise DataError(f"{self.source}: every prompt needs a cluster, a subset and at least one response")
        columns = [self.quality, *self.scores.values(), self.groups, self.digests]
        if any(column is not None and len(column) != self.offsets[-1] for column in columns):
            raise DataError(f"{self.source}: a column of responses does not have {self.offsets[-1]} values")
        if len(set(self.ids)) < count:
            twice = next(name for k, name in enumerate(self.ids) if name in self.ids[:k])
            raise DataError(f"{self.source}: two prompts have the id {twice!r}: give each its own")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sizes(self) -> IntArray:
        """Number of responses of each prompt, int64[n]."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> IntArray:
        """Position of the prompt of each response, int64[responses]."""
        return np.repeat(np.arange(len(self.ids)), self.sizes)

    def take(self, prompts: Mask) -> CandidateSet:
        """Return the prompts where the mask bool[n] is true."""
        inside = np.repeat(prompts, self.sizes)
        kept = np.flatnonzero(prompts).tolist()
        return replace(
            self,
            ids=tuple(self.ids[k] for k in kept),
            offsets=np.concatenate([[0], np.cumsum(self.sizes[prompts])]).astype(np.int64),
            quality=self.quality[inside],
            groups=None if self.groups is None else self.groups[inside],
            cluster=self.cluster[prompts],
            subset=tuple(self.subset[k] for k in kept),
            scores={name: column[inside] for name, column in self.scores.items()},
            digests=None if self.digests is None else tuple(self.digests[k] for k in np.flatnonzero(inside).tolist()),
        )
