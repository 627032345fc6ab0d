"""The shared path: computes each node of a prefix tree once; checked against the plain path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rmeval.engines.base import Reading, TokenSequence
from rmeval.engines.hf.memory import failed, halved, is_memory
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.own_forward import FLOORS
from rmeval.engines.hf.plain import PlainPath
from rmeval.engines.hf.readouts import Reader
from rmeval.engines.hf.tree import TreeError, TreeNetwork, unshareable
from rmeval.engines.prefixes import Cursor, Finished, PrefixTree
from rmeval.errors import reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.types import FloatArray

__all__ = ["SharedPath"]

SAMPLE = 8
"""Number of sequences in the check against the plain path, which reads them one by one and in one batch."""
WIDE = 100
"""Upper bound, in units of `FLOORS`, of the difference that the spread of the plain path can explain."""
TRIAL = 8
"""Number of tokens per piece in the trial before the first run."""


class SharedPath:
    """Reader that walks the prefix tree of sequences piece by piece.

    Attributes:
        sharing: How much was shared in prefixes, for the manifest.
    """

    def __init__(self, network: Network, plain: PlainPath) -> None:
        """Store the network, and the plain path for checks."""
        self._network = network
        self._plain = plain
        self._checked: dict[type, dict[str, Any]] = {}
        self.sharing: dict[str, Any] | str = {}

    def refused(self, longest: int) -> str | None:
        """The reason why prefixes cannot be shared, or None if there is no known reason.

        Args:
            longest: Number of tokens of the longest sequence.
        """
        if asked := self._network.explicit_attention:
            return f"attn_implementation={asked} was asked for"
        return unshareable(self._network.model, longest)

    def read(self, sequences: Sequence[TokenSequence], reader: Reader) -> Iterator[Reading]:
        """Read sequences by walking their prefix tree piece by piece.

        Raises:
            TreeError: Before anything is read, if the network does not support the tree or yields other values.
        """
        if reader.kind not in self._checked:
            self._try(sequences, reader)
        tree = PrefixTree(sequences)
        walk = TreeNetwork(self._network.model)
        cursor, budget = Cursor(), self._plain.budget()
        sizes: dict[str, int] | None = {"tokens": tree.total, "distinct": tree.distinct}
        while (piece := tree.piece(cursor, budget, self._plain.cap)) is not None:
            indices = [one.index for one in piece.finished]
            short: BaseException | None = None
            try:
                with self._network.threads.piece(len(piece.tokens)):
                    hidden = walk.hidden(piece, self._network.device)
                    values = reader.values(hidden, indices, [one.rows for one in piece.finished])
                del hidden
                if indices and reader.kind not in self._checked:
                    self._checked[reader.kind] = self._check(piece.finished, values, sequences, reader, budget)
            except LOADING_ERRORS as error:
                if not is_memory(error):
                    if reader.kind not in self._checked:
                        raise TreeError(f"it fails on a prefix tree ({reason_of(error)})") from error
                    raise failed(self._network, len(indices), len(piece.tokens), error) from error
                short = error.with_traceback(None)  # The traceback keeps the failed pass's tensors alive.
            if short is not None:
                budget = halved(self._network, min(budget, max(len(piece.tokens), 1)), "tokens", short)
                continue
            if sizes is not None:
                self._add(sizes, reader)
                sizes = None
            walk.advance()
            cursor = piece.after
            if indices:
                yield Reading(tuple(indices), tuple(values))

    def _add(self, sizes: Mapping[str, int], reader: Reader) -> None:
        earlier = self.sharing if isinstance(self.sharing, dict) else {}
        total = {name: earlier.get(name, 0) + size for name, size in sizes.items()}
        self.sharing = total | self._checked.get(reader.kind, {})

    def _try(self, sequences: Sequence[TokenSequence], reader: Reader) -> None:
        """Test sharing on a few short sequences, cut into pieces of a few tokens, before the first real piece.

        The first real piece may hold a single sequence, which cannot reveal a mistake in sharing.

        Raises:
            TreeError: If the test fails, or yields other values than the plain path.
        """
        longest = max(sequences, key=len, default=())
        stem = [int(token) for token in longest[: 4 * TRIAL]]
        if len(stem) < 2:
            return
        third = max(1, len(stem) // 3)
        others = (stem[: 2 * third], stem[third // 2 :], stem[:1])
        trial = [stem, *(stem[:third] + other for other in others)]
        probe = reader.like(trial)
        walk, tree, cursor = TreeNetwork(self._network.model), PrefixTree(trial), Cursor()
        found: dict[int, FloatArray] = {}
        try:
            while (piece := tree.piece(cursor, TRIAL)) is not None:
                hidden = walk.hidden(piece, self._network.device)
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
        """Compare values with those of the plain path, whose own spread sets the tolerance.

        Raises:
            TreeError: If they differ by more than four times the spread and more than the number format explains.
        """
        # Sequences in several parts come first, because they reveal mistakes; short ones are the cheapest.
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
        """Compare values, by index, with those of the plain path; see `_check`."""
        own = list(found)
        alone = [self._plain.batch([index], sequences, reader)[0] for index in own]
        together = self._plain.batch(own, sequences, reader)
        between = np.concatenate([np.abs(a - b).ravel() for a, b in zip(alone, together, strict=True)])
        spread = float(np.max(between[np.isfinite(between)], initial=0))
        floor = FLOORS.get(self._network.model.dtype, 1e-5)
        largest = 0.0
        for index, plain in zip(own, alone, strict=True):
            apart = np.abs(found[index] - plain)
            largest = float(np.maximum(largest, np.max(apart, initial=0)))
            # A very wide spread means that the plain path itself is wrong, so the tolerance is bounded.
            allowed = np.maximum(min(4 * spread, WIDE * floor), floor) * np.maximum(1, np.abs(plain))
            if not np.all((apart <= allowed) | ~np.isfinite(plain)):
                raise TreeError(f"values differ from those of the plain path by {largest:.2g}")
        return {"checked": len(own), "largest_difference": largest, "plain_spread": spread}
