"""Sequence classifiers and other scalar heads, the common kind of reward model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.cache import checked
from rmeval.engines import AtPositions, InMemory, LastLogits, LastToken, Readout, require_readout
from rmeval.errors import ModelError
from rmeval.models.gates import Gates
from rmeval.models.labels import Labels, logit_tokens
from rmeval.models.options import ModelOptions, refuse
from rmeval.models.prepare import Preparation, current_fingerprint, find_engine, make_renderer
from rmeval.models.reduce import Reduction
from rmeval.models.sequences import Ready
from rmeval.models.token_scores import TokenScores
from rmeval.protocols import pointwise
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.boundary import TokenArray
    from rmeval.rendering.chat import Renderer

__all__ = ["Classifier"]


class Classifier:
    """A model that renders a conversation with the chat template and reads the head at its last token.

    Attributes:
        engine: The engine that runs the network.
        texts: Turns conversations into tokens.
    """

    kind = "classifier"
    protocol = pointwise.POINTWISE.name

    def __init__(self, spec: str | InMemory, options: ModelOptions, name: str | None = None) -> None:
        """Find checkpoint, tokenizer and template; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id, or a network in memory.
            options: How to load and run it.
            name: Name of the model; by default derived from its place.

        Raises:
            ModelError: If a part is missing or an option does not fit.
        """
        self.options = options
        self._reduce = Reduction(options.reduce, options.scale, options.shift)
        self._gates = Gates(options.layout)
        # The config first: if it cannot be read, loading the tokenizer fails too, with a less helpful error.
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
                f"the config of {self.name} states that its score is read at the token {wanted}, but the chat template "
                "does not end with it: give a template that does with `chat_template`"
            )
        self.texts = Preparation(self.name, renderer, self.engine, options, still_read=self._gates.reads)

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
            **({"layout": layout.to_dict()} if (layout := self.options.layout) else {}),
            **self._reduce.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first rendered conversation and a hash of all."""
        mass = {} if self.labels is None else self.labels.facts()
        return self.engine.facts() | self.texts.renderer.facts() | mass

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score each request's conversation once."""
        batches = self.texts.observe(self.engine, requests, self.readout, self._observation)
        yield from batches if self.labels is None else self.labels.held(self.engine, batches)

    def token_scores(self, requests: Sequence[Request]) -> Iterator[tuple[int, TokenScores]]:
        """The head's score at each token, as if the text ended there.

        Args:
            requests: The requests whose conversations are read.

        Yields:
            Each position in `requests` once, with its token scores.

        Raises:
            ModelError: If the head cannot be read at single tokens, or a conversation is too long or rejected by the
                template.
        """
        readout = self._own()
        if not isinstance(readout, LastToken):
            raise ModelError(
                f"{self.name} cannot be read at single tokens: token scores need a causal network with a head"
            )
        require_readout(self.engine, AtPositions, self.name)
        rendered = self.texts.renderer.with_boundary("trl").render(
            [request.conversation for request in requests], [request.tools for request in requests]
        )
        limit = self.texts.limit
        for number, one in enumerate(rendered):
            if one.error is not None or (limit is not None and len(one.tokens) > limit):
                reason = one.error or f"has {len(one.tokens)} tokens, but {self.name} takes at most {limit}"
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
                scores = np.array(
                    [self._reduce(own, self.name) for own in self._gates.at_each(values, sequences[index])]
                )
                tokens = tuple(decode([token]) for token in sequences[index].tolist())
                for number in groups[index]:
                    yield number, TokenScores(tokens, scores, rendered[number].start)

    def _labels(self, renderer: Renderer, options: ModelOptions) -> Labels | None:
        """The check of two tokens' probability; None for a single token, whose logit need not be a probability."""
        if self._logits is None or len(self._logits.tokens) == 1:
            refuse(options, ("min_label_mass",), f"{self.name}, which is not read by the logits of two tokens,")
            return None
        return Labels(self._logits, renderer, options.min_label_mass, self.name)

    def readout(self, sequences: Sequence[TokenArray]) -> Readout:
        """The readout of the score of some sequences, and of the gate of a head that has one elsewhere.

        Args:
            sequences: The token ids of each sequence.

        Raises:
            ModelError: If the network cannot be loaded, or its layout is unknown.
        """
        return self._gates.readout(self._own(), sequences)

    def _own(self) -> Readout:
        """The readout of the head or the logits at the last token."""
        return self._logits or self.engine.own_readout()

    def _observation(self, one: Ready, values: FloatArray) -> Observation:
        mass = {} if self.labels is None else self.labels.note(one.tokens, values)
        return pointwise.parse_values(one.key, {"score": self.score_of(values), **mass}, one.length, one.cut)

    def score_of(self, values: FloatArray) -> float:
        """The score computed from the head's outputs: float64[outputs], or [2, outputs] with a gate elsewhere.

        Raises:
            ModelError: If the number of outputs is not the expected one.
        """
        if self._logits is not None:
            values = values[:1] - values[1:2] if len(self._logits.tokens) == 2 else values[:1]
        elif self.options.layout is not None:
            values = self._gates.score(values)
        return self._reduce(values, self.name)
