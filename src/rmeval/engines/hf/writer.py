"""Generation on transformers: prompts by their prefix tree, then a token at a time for many sequences together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch

from rmeval.engines.base import LastLogits, TokenLogProbs, TokenSequence
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.hf.memory import is_memory
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.own_forward import FLOORS
from rmeval.engines.hf.plain import PlainPath
from rmeval.engines.hf.readouts import Reader
from rmeval.engines.hf.rows import first_rows, halved_rows
from rmeval.engines.hf.sampling import Draws, choose
from rmeval.engines.hf.slots import Slots
from rmeval.engines.hf.tree import TreeError, TreeNetwork
from rmeval.engines.prefixes import Cursor, PrefixTree
from rmeval.errors import reason_of
from rmeval.loading import LOADING_ERRORS

__all__ = ["Job", "Writer"]

_SECONDS = 1.0
"""Time after which finished sequences are passed on."""
_CHECKED = 2
"""Number of continuations that are compared with the plain path."""
_WIDE = 10
"""Largest difference from the plain path, in units of `FLOORS`."""


class Job(NamedTuple):
    """Sequences to continue, each with its limit and its seed."""

    sequences: Sequence[TokenSequence]
    limits: Sequence[int]
    seeds: Sequence[int]

    def part(self, indices: Sequence[int]) -> Job:
        """Some of them."""
        return Job(*([values[k] for k in indices] for values in self))  # type: ignore[arg-type]

    @property
    def longest(self) -> int:
        """Number of tokens of the longest sequence with its continuation."""
        return max((len(one) + limit for one, limit in zip(self.sequences, self.limits, strict=True)), default=0)


@dataclass(slots=True)
class _Row:
    """A sequence that is continued.

    Attributes:
        index: Its position in the job.
        draws: Numbers that choose its tokens.
        parts: Number of parts of its prompt in the walk of the tree.
        tokens: What was generated.
        log_probs: Their log-probabilities, if they are compared with the plain path.
        finish: How it ended.
    """

    index: int
    draws: Draws
    parts: int
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    finish: Literal["stop", "length"] = "stop"


class Writer:
    """Continues sequences in slots, and refills each slot that becomes free.

    Attributes:
        sizes: Number of tokens of prompts, and how many of them were computed, since the last `forget`.
    """

    def __init__(self, network: Network, plain: PlainPath) -> None:
        """Store the network, and the plain path for checks."""
        self._network = network
        self._plain = plain
        self._unchecked = _CHECKED
        self.sizes: dict[str, int] = {}

    def write(self, job: Job, how: Generation) -> Iterator[list[Generated]]:
        """Continue each sequence.

        Raises:
            TreeError: If the network does not support it, or yields other values.
            ModelError: If memory does not suffice.
        """
        left, rows = list(range(len(job.sequences))), first_rows(self._network, self._plain.cap, job.longest)
        while left:
            short: BaseException | None = None
            done: set[int] = set()
            try:
                for batch in self._written(job.part(left), how, rows):
                    done |= {one.index for one in batch}
                    yield [Generated(left[one.index], one.tokens, one.finish) for one in batch]
            except LOADING_ERRORS as error:
                if not is_memory(error):
                    raise TreeError(f"it fails in slots ({reason_of(error)})") from error
                short = error.with_traceback(None)  # The traceback keeps tensors alive.
            left = [index for place, index in enumerate(left) if place not in done]
            if short is not None:
                rows = halved_rows(self._network, rows, short)

    def _written(self, job: Job, how: Generation, rows: int) -> Iterator[list[Generated]]:
        """Continue sequences, a few of which are compared with the plain path before they are passed on."""
        run = _Run(self._network, self._plain.budget(), job, how, rows)
        if not self.sizes:
            self.sizes = {"tokens": run.tree.total, "distinct": run.tree.distinct}
        since = time.monotonic()
        ended: list[_Row] = []
        while run.fill(ended, self._unchecked > 0):
            with run.slots.attention():
                while run.rows and not run.has_room and (not ended or time.monotonic() - since < _SECONDS):
                    run.step(ended, self._unchecked > 0)
            if ended and (not run.rows or time.monotonic() - since >= _SECONDS):
                self._check(ended, job)
                yield [Generated(row.index, tuple(row.tokens), row.finish) for row in ended]
                ended, since = [], time.monotonic()

    def _check(self, ended: Sequence[_Row], job: Job) -> None:
        """Compare the log-probabilities of generated tokens with those of the plain path.

        Raises:
            TreeError: If they differ by more than the number format explains.
        """
        # Prompts in several parts first, because they reveal mistakes.
        for row in sorted((row for row in ended if row.log_probs), key=lambda row: -row.parts)[: self._unchecked]:
            prompt = np.asarray(job.sequences[row.index], np.int32)
            whole = [np.concatenate([prompt, np.array(row.tokens, np.int32)])]
            reader = Reader(self._network.model, TokenLogProbs([(len(prompt), len(whole[0]))]), whole)
            plain = self._plain.batch([0], whole, reader)[0]
            floor = _WIDE * FLOORS.get(self._network.model.dtype, 1e-5)
            apart = np.abs(np.array(row.log_probs[: len(row.tokens)]) - plain)
            if not np.all(apart <= floor * np.maximum(1, np.abs(plain))):
                raise TreeError(f"values in slots differ from those of the plain path by {float(apart.max()):.2g}")
            self._unchecked -= 1


class _Run:
    """The walk of the prompts' tree, and the sequences that are continued.

    Attributes:
        tree: The prefix tree of the prompts.
        slots: Keys and values of the sequences that are continued.
        rows: Those sequences, by slot.
    """

    def __init__(self, network: Network, budget: int, job: Job, how: Generation, most: int) -> None:
        self._network, self._budget, self._job, self._how, self._most = network, budget, job, how, most
        self.tree = PrefixTree(job.sequences)
        self._walk = TreeNetwork(network.model, whole=True)
        self._cursor: Cursor | None = Cursor()
        self._reader = Reader(network.model, LastLogits(()), job.sequences)
        self.slots = Slots(network.model, most)
        self.rows: list[_Row] = []

    @property
    def has_room(self) -> bool:
        """Whether a quarter of the slots is free, and there are sequences for them."""
        return self._cursor is not None and len(self.rows) <= self._most - max(1, self._most // 4)

    def fill(self, ended: list[_Row], checked: bool) -> bool:
        """Compute prompts for the free slots.

        Args:
            ended: Takes the sequences that end with their first token.
            checked: Whether log-probabilities are kept.

        Returns:
            Whether any sequence is left.
        """
        while self._cursor is not None and len(self.rows) < self._most:
            piece = self.tree.piece(self._cursor, self._budget, self._most - len(self.rows))
            if piece is None:
                self._cursor = None
                break
            with self._network.threads.piece(len(piece.tokens)):
                hidden = self._walk.hidden(piece, self._network.device)
            new = [_Row(one.index, Draws(self._job.seeds[one.index]), len(one.path)) for one in piece.finished]
            if new:
                last = [int(one.rows(np.array([-1]))[0]) for one in piece.finished]
                going = self._chosen(hidden[torch.as_tensor(last, device=hidden.device)], new, checked)
                for row, one, goes in zip(new, piece.finished, going, strict=True):
                    if goes:
                        self.slots.add(self._walk.path(one))
                        self.rows.append(row)
                    else:
                        ended.append(row)
            self._walk.advance()
            self._cursor = piece.after
        return bool(self.rows or ended)

    def step(self, ended: list[_Row], checked: bool) -> None:
        """Add a token to each sequence; those that end leave their slots."""
        hidden = self.slots.step([row.tokens[-1] for row in self.rows], self._network.device)
        going = self._chosen(hidden, self.rows, checked)
        for slot in reversed(range(len(self.rows))):
            if not going[slot]:
                ended.append(self.rows[slot])
                self.slots.leave(slot)
                self.rows[slot] = self.rows[-1]
                self.rows.pop()

    def _chosen(self, hidden: torch.Tensor, rows: Sequence[_Row], checked: bool) -> list[bool]:
        """Choose the next token of each sequence, and return whether it goes on."""
        with torch.inference_mode():
            logits = self._reader.logits(hidden)
            tokens = choose(logits, self._how, [row.draws for row in rows])
            if checked:
                own = torch.log_softmax(logits, 1)[torch.arange(len(tokens)), torch.tensor(tokens)].tolist()
                for row, value in zip(rows, own, strict=True):
                    row.log_probs.append(value)
        going = []
        for row, token in zip(rows, tokens, strict=True):
            stops = token in self._how.stops
            if not stops:
                row.tokens.append(token)
            row.finish = "stop" if stops else "length"
            going.append(not stops and len(row.tokens) < self._job.limits[row.index])
        return going
