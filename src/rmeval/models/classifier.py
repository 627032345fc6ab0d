"""Sequence classifiers and other scalar heads: the common kind of reward model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.cache import checked
from rmeval.engines import AtPositions, InMemory, LastLogits, LastToken, Readout, require_readout
from rmeval.errors import ModelError
from rmeval.models import ModelOptions, refuse
from rmeval.models.labels import Labels
from rmeval.models.prepare import Preparation, current_fingerprint, find_engine, logit_tokens, make_renderer
from rmeval.models.reduce import Reduction
from rmeval.models.sequences import Ready
from rmeval.models.token_scores import TokenScores
from rmeval.protocols import pointwise
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.chat import Renderer

__all__ = ["Classifier"]


class Classifier:
    """Renders a conversation by the chat template and reads the head at its last token.

    Attributes:
        engine: What runs the network.
        texts: What makes tokens of conversations.
    """

    kind = "classifier"
    protocol = pointwise.POINTWISE.name

    def __init__(self, spec: str | InMemory, options: ModelOptions, name: str | None = None) -> None:
        """Finds checkpoint, tokenizer and template; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id; or a network in memory.
            options: How to load and run it.
            name: What to call it, if not by its place.

        Raises:
            ModelError: If something is missing.
        """
        self.options = options
        self._reduce = Reduction(options.reduce, options.scale, options.shift)
        # The config first: where it cannot be read, the tokenizer's class cannot either, which is then no news.
        says = (options.head or "").startswith("logit:")
        self.engine = find_engine(spec, options, None if says else options.head)
        described = self.engine.description
        self.name = name or described.name
        renderer, self._tokenizer = make_renderer(self.engine, options)
        tokens = logit_tokens(options.head, renderer)
        if tokens is not None and len(tokens) > 2:
            raise ModelError(f"`head` {options.head} names {len(tokens)} tokens: give one, or two as in logit:YES-NO")
        self._logits = None if tokens is None else LastLogits(tokens)
        self.labels = self._labels(renderer, options)
        if tokens is not None:
            require_readout(self.engine, LastLogits, self.name)
            self.engine.require_language_model()
        wanted = described.score_token
        if wanted is not None and not renderer.ends_with(wanted):
            raise ModelError(
                f"the config of {self.name} says that its score is read at the token {wanted}, with which the chat "
                "template does not end: give one that does with `chat_template`"
            )
        self.texts = Preparation(self.name, renderer, self.engine, options)

    def identity(self) -> dict[str, Any]:
        """Weights, tokenizer, template, number format, engine and length policy."""
        head = self.options.head
        return {
            "model": current_fingerprint(self.engine),
            "kind": self.kind,
            "tokenizer": self._tokenizer,
            **self.texts.identity(),
            **self.engine.identity(),
            **({"head": head} if head else {}),
            **self._reduce.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first rendered conversation and a hash of all."""
        mass = {} if self.labels is None else self.labels.facts()
        return self.engine.facts() | self.texts.renderer.facts() | mass

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Scores each request's conversation once."""
        batches = self.texts.observe(self.engine, requests, self.readout, self._observation)
        yield from batches if self.labels is None else self.labels.held(self.engine, batches)

    def token_scores(self, requests: Sequence[Request]) -> Iterator[tuple[int, TokenScores]]:
        """What the head says at each token, as if the text ended there.

        Args:
            requests: Whose conversations to read.

        Yields:
            Positions in `requests`, each once, with their token scores.

        Raises:
            ModelError: If the network has no head that is read at single tokens, or a conversation is too long for it
                or refused by the template.
        """
        readout = self.readout()
        if not isinstance(readout, LastToken):
            raise ModelError(f"{self.name} is not read at single tokens: only causal networks with a head are")
        require_readout(self.engine, AtPositions, self.name)
        rendered = self.texts.renderer.with_boundary("trl").render(
            [request.conversation for request in requests], [request.tools for request in requests]
        )
        limit = self.texts.limit
        for number, one in enumerate(rendered):
            if one.error is not None or (limit is not None and len(one.tokens) > limit):
                reason = one.error or f"has {len(one.tokens)} tokens, where {self.name} takes {limit}"
                raise ModelError(f"conversation {number}: {reason}: leave it out")
        decode = self.texts.renderer.tokenizer.decode
        equal: dict[bytes, list[int]] = {}
        for number, one in enumerate(rendered):
            equal.setdefault(one.tokens.tobytes(), []).append(number)
        groups = list(equal.values())
        sequences = [rendered[numbers[0]].tokens for numbers in groups]
        readings = self.engine.run(sequences, AtPositions(readout.head, [range(len(own)) for own in sequences]))
        for reading in checked(readings, self.texts.sources):
            for index, values in zip(reading.indices, reading.values, strict=True):
                scores = np.array([self.score_of(own) for own in values])
                tokens = tuple(decode([token]) for token in sequences[index].tolist())
                for number in groups[index]:
                    yield number, TokenScores(tokens, scores, rendered[number].start)

    def _labels(self, renderer: Renderer, options: ModelOptions) -> Labels | None:
        """What looks at the probability of two tokens; a single one can be a score that is no probability."""
        if self._logits is None or len(self._logits.tokens) == 1:
            refuse(options, ("min_label_mass",), f"{self.name}, which is not read by the logits of two tokens,")
            return None
        return Labels(self._logits, renderer, options.min_label_mass, self.name)

    def readout(self) -> Readout:
        """What is taken from the network.

        Raises:
            ModelError: If it cannot be loaded, or is laid out in an unknown way.
        """
        return self._logits or self.engine.own_readout()

    def _observation(self, one: Ready, values: FloatArray) -> Observation:
        mass = {} if self.labels is None else self.labels.note(one.tokens, values)
        return pointwise.parse_values(one.key, {"score": self.score_of(values), **mass}, one.length, one.cut)

    def score_of(self, values: FloatArray) -> float:
        """The score that the head's outputs float64[outputs] make.

        Raises:
            ModelError: If they are not as many as were expected.
        """
        if self._logits is not None:
            values = values[:1] - values[1:2] if len(self._logits.tokens) == 2 else values[:1]
        return self._reduce(values, self.name)
