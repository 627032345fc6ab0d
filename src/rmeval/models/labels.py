"""Checks the probability that a language model assigns to the label tokens from which its verdict is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rmeval.engines import Engine, FirstLogits, LastLogits
from rmeval.errors import ModelError
from rmeval.protocols.pairwise import LABEL_MASS
from rmeval.types import FloatArray

if TYPE_CHECKING:
    from rmeval.rendering.boundary import TokenArray
    from rmeval.rendering.chat import Renderer

__all__ = ["Labels", "logit_tokens"]

T = TypeVar("T")

SAMPLE = 32
"""Number of observations whose mean label mass is checked at the start of a run."""
SHOWN = 8
"""Number of sequences for which the error message names the most likely token."""


def logit_tokens(head: str | None, renderer: Renderer) -> tuple[int, ...] | None:
    """The ids of the tokens that `logit:A-B` names, or None for any other head.

    Raises:
        ModelError: If a word is not a single token, or a token is named twice.
    """
    from rmeval.rendering.vocabulary import token_ids

    if head is None or not head.startswith("logit:"):
        return None
    found = tuple(token_ids(renderer.tokenizer, head.removeprefix("logit:").split("-")))
    if len(set(found)) < len(found):
        raise ModelError(f"`head` {head} names a token twice: give different tokens, as in logit:A-B")
    return found


class Labels:
    """Label tokens of a language model, such as A and B, from whose logits its verdict is read.

    The difference of two logits is the log-odds of the first, given that the next token is one of the two. If the
    model continues with another token, such as `<think>`, the labels have little of its probability, and their
    difference carries little information.
    """

    def __init__(
        self, readout: LastLogits | FirstLogits, renderer: Renderer, least: float, name: str, others: str | None = None
    ) -> None:
        """Store the tokens.

        Args:
            readout: The readout of their logits.
            renderer: The tokenizer.
            least: The smallest mean label mass of the sample; below it, a run stops.
            name: The model's name, for messages.
            others: How to get other labels, for messages; None if `head` names them.
        """
        self._readout, self._renderer, self._least, self._name = readout, renderer, least, name
        self._others = others
        self.begin()

    def begin(self) -> None:
        """Clear the counts of earlier runs."""
        self._sample: list[TokenArray] = []
        self._first: list[float] = []
        self._sum, self._count = 0.0, 0

    def note(self, tokens: TokenArray, values: FloatArray) -> Mapping[str, float]:
        """The label mass of a sequence, as a value of its observation."""
        found = self.mass(values)
        if len(self._sample) < SHOWN:
            self._sample.append(tokens)
        if len(self._first) < SAMPLE:
            self._first.append(found)
        self._sum += found
        self._count += 1
        return {LABEL_MASS: found}

    @staticmethod
    def mass(values: FloatArray) -> float:
        """Total probability of the tokens, from their logits and the logsumexp of all logits, which comes last."""
        found = float(np.exp(np.logaddexp.reduce(values[:-1]) - values[-1]))
        return min(found, 1.0)

    def facts(self) -> dict[str, float]:
        """The mean label mass."""
        return {LABEL_MASS: self._sum / self._count} if self._count else {}

    def held(self, engine: Engine, batches: Iterator[T]) -> Iterator[T]:
        """Pass batches on after the mean label mass of the first sequences that `note` gets has been checked.

        It uses the mean instead of the median, because the mean is also reported for the whole run.

        Raises:
            ModelError: If the mean is too small, before the first batch is passed on.
        """
        self.begin()
        first: list[T] = []
        for batch in batches:
            first.append(batch)
            if len(self._first) >= SAMPLE:
                break
        if self._first and (mean := float(np.mean(self._first))) < self._least:
            raise ModelError(self.trouble(engine, mean, len(self._first), self._sample))
        yield from chain(first, batches)

    def trouble(self, engine: Engine, mean: float, count: int, sample: Iterable[TokenArray]) -> str:
        """The error message for labels with a small probability, with possible solutions.

        Args:
            engine: The engine that runs the network.
            mean: Their mean mass.
            count: Number of observations in the mean.
            sample: Some of the sequences that were read.
        """
        size = engine.description.vocabulary or len(self._renderer.tokenizer)
        everything = type(self._readout)(tuple(range(size)))
        sequences = list(sample)
        total = np.zeros(size)
        for reading in engine.run(sequences, everything):
            for values in reading.values:
                total += np.exp(values[:-1] - values[-1]) / len(sequences)
        top = int(np.argmax(total))
        labels = " and ".join(repr(self._text(token)) for token in self._readout.tokens)
        return (
            f"the labels {labels} have {_percent(mean)} of the probability of the next token of {self._name} "
            f"(mean of the first {count}), and {self._text(top)!r} has {_percent(total[top])}: "
            f"give {', '.join(self._ways(total, self._text(top)))}, or `min_label_mass` 0 to continue"
        )

    def _ways(self, total: FloatArray, top: str) -> Iterator[str]:
        variables = [name for name in self._renderer.unset_variables() if name.endswith("thinking")]
        if variables:
            yield f"`template_kwargs` {variables[0]}=false"
        elif "<think>" in top or self._inside_thought():
            yield "a `chat_template` whose generation prompt ends after the thinking"
        if self._others is not None:
            yield self._others
            return
        other = [self._variant(token, total) for token in self._readout.tokens]
        found = sum(float(total[token]) for token in other)
        if not set(other) & set(self._readout.tokens) and found >= self._least:
            texts = " and ".join(repr(self._renderer.tokenizer.convert_ids_to_tokens(token)) for token in other)
            yield f"`head` logit:{'-'.join(f'#{token}' for token in other)} ({texts} have {_percent(found)})"
        else:
            yield "other labels with `head` logit:X-Y"

    def _inside_thought(self) -> bool:
        """Whether the generation prompt ends inside a thinking block."""
        end = self._renderer.tokenizer.decode(self._sample[0][-SHOWN:]) if self._sample else ""
        return "<think>" in end and "</think>" not in end

    def _variant(self, label: int, total: FloatArray) -> int:
        """The most likely token whose text is the label, with or without a space before it."""
        from rmeval.rendering.vocabulary import SPACES

        tokenizer: Any = self._renderer.tokenizer
        text = tokenizer.convert_ids_to_tokens(label).strip(SPACES)
        same = [number for token, number in tokenizer.get_vocab().items() if token.strip(SPACES) == text]
        found: int = max((number for number in same if number < len(total)), key=lambda number: float(total[number]))
        return found

    def _text(self, token: int) -> str:
        text: str = self._renderer.tokenizer.decode([token])
        return text


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return "NaN"
    return f"{100 * share:.1f}%" if share >= 0.001 else f"{100 * share:.1g}%"
