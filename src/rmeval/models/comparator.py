"""Comparators: networks that read two responses in one input and predict which is better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.engines import AtPositions, FirstLogits, InMemory, LastLogits, LastToken, Readout, require_readout
from rmeval.errors import ModelError
from rmeval.models import pairwise_protocol
from rmeval.models.labels import Labels, logit_tokens
from rmeval.models.options import ModelOptions, refuse
from rmeval.models.prepare import Preparation, current_fingerprint, find_engine, make_renderer
from rmeval.models.reduce import Reduction
from rmeval.models.sequences import Ready
from rmeval.protocols.pairwise import parse_preference
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.boundary import TokenArray
    from rmeval.rendering.chat import Renderer
    from rmeval.rendering.comparison import ComparisonPrompt

__all__ = ["Comparator"]

LETTERS = "logit:A-B"


class Comparator:
    """A language model whose verdict is the logits of two letters, or a classifier whose input holds both responses.

    The difference of the two logits, or the classifier's output, is the log-odds that the first response is better.

    Attributes:
        engine: The engine that runs the network.
        texts: Turns comparisons into tokens.
        protocol: Name of its protocol.
    """

    kind = "comparator"

    def __init__(self, spec: str | InMemory, options: ModelOptions, name: str | None = None) -> None:
        """Find checkpoint and tokenizer; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id, or a network in memory.
            options: How to load and run it.
            name: Name of the model; by default derived from its place.

        Raises:
            ModelError: If a part is missing or an option does not fit.
        """
        self.protocol = pairwise_protocol(options.against)
        if options.on_overlength == "truncate-left":
            raise ModelError("truncate-left would cut the first of two responses: choose `on_overlength` skip")
        self._reduce = Reduction(options.reduce, options.scale, options.shift)
        head = options.head
        self.engine = find_engine(spec, options, None if (head or "").startswith("logit:") else head)
        described = self.engine.description
        self.name = name or described.name
        if head is None and described.generates:
            head = LETTERS
        renderer, self._tokenizer = make_renderer(self.engine, options, chat=False)
        self._head = head
        self._layout = options.layout
        tokens = logit_tokens(head, renderer)
        self._logits = None if tokens is None else self._letters(tokens, head)
        self.labels: Labels | None = None
        if self._logits is not None:
            self.labels = Labels(self._logits, renderer, options.min_label_mass, self.name)
        else:
            refuse(options, ("min_label_mass",), f"{self.name}, which is not read by the logits of two tokens,")
        self._places: Callable[[TokenArray], list[int]] | None = None
        self._comparison = self._prompt(renderer, options)
        self.texts = Preparation(self.name, renderer, self.engine, options, self._comparison.render, cuts=False)

    def _letters(self, tokens: tuple[int, ...], head: str | None) -> FirstLogits | LastLogits:
        """The readout of two tokens' logits; makes the engine run the checkpoint as a language model."""
        if len(tokens) != 2:
            raise ModelError(f"`head` {head} names {len(tokens)} tokens: a comparator needs two, as in {LETTERS}")
        self.engine.require_language_model(encoder=True)
        found = FirstLogits(tokens) if self.engine.description.encoder_decoder else LastLogits(tokens)
        require_readout(self.engine, type(found), self.name)
        return found

    def _prompt(self, renderer: Renderer, options: ModelOptions) -> ComparisonPrompt:
        """The template that shows two responses."""
        from rmeval.rendering.comparison import ComparisonPrompt
        from rmeval.rendering.parts import PARTS, PartsPrompt

        letters = self._logits is not None
        if not letters and options.comparison is None:
            raise ModelError(f"{self.name} is a classifier: give a template of two responses with `comparison` FILE")
        name = options.comparison or "letters"
        if (name in PARTS) != (options.layout is not None and options.layout.together == 2):
            raise ModelError(
                f"the comparison {name} does not fit the head of {self.name}: only PairRM's head takes the hidden "
                "states of prompt and response together; give `card` pairrm or better-pairrm, or another `comparison`"
            )
        if name in PARTS:
            parts = PartsPrompt(renderer, name)
            self._places = parts.places
            prompt: ComparisonPrompt = parts
        else:
            prompt = ComparisonPrompt(renderer, name, chat=letters)
        given = {"`chat_template`": options.chat_template, "`template_kwargs`": options.template_kwargs}
        if not prompt.chat and (useless := [option for option, value in given.items() if value]):
            raise ModelError(
                f"{self.name} reads two responses rendered by `comparison`, without the chat template: "
                f"leave {' and '.join(useless)} out"
            )
        return prompt

    def identity(self) -> dict[str, Any]:
        """Weights, tokenizer, template of two responses, number format, engine and length policy."""
        return {
            "model": current_fingerprint(self.engine),
            "kind": self.kind,
            "tokenizer": self._tokenizer,
            "comparison": self._comparison.identity(),
            **self.texts.identity(),
            **self.engine.identity(),
            **({"head": self._head} if self._head else {}),
            **({"layout": self._layout.to_dict()} if self._layout else {}),
            **self._reduce.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first rendered comparison, and a hash of all."""
        mass = {} if self.labels is None else self.labels.facts()
        return self.engine.facts() | self.texts.renderer.facts() | mass

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score each request once: the probability that the response shown first is better."""
        batches = self.texts.observe(self.engine, requests, self._readout, self._observation)
        yield from batches if self.labels is None else self.labels.held(self.engine, batches)

    def _readout(self, sequences: Sequence[TokenArray]) -> Readout:
        own = self._logits or self.engine.own_readout()
        if self._places is None:
            return own
        if not isinstance(own, LastToken):
            raise ModelError(f"the head of {self.name} is not read at single tokens: give another `comparison`")
        return AtPositions(own.head, [self._places(one) for one in sequences], together=2)

    def _observation(self, one: Ready, values: FloatArray) -> Observation:
        mass: Mapping[str, float] = {}
        if self.labels is not None:
            mass = self.labels.note(one.tokens, values)
            values = values[:1] - values[1:2]
        elif self._places is not None:
            values = values[0] - values[1]
        odds = self._reduce(values, self.name)
        return parse_preference(one.key, _sigmoid(odds), one.length, one.cut, odds, mass)


def _sigmoid(odds: float) -> float:
    # Two branches, so that exp never overflows.
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))
