"""Process reward models: a score of each step of a response."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.cache import checked
from rmeval.engines import AtPositions, InMemory, LastLogits, LastToken, LogitsAt, Readout, require_readout
from rmeval.errors import ModelError
from rmeval.models.labels import Labels
from rmeval.models.options import ModelOptions, refuse
from rmeval.models.prepare import Preparation, current_fingerprint, find_engine, make_renderer
from rmeval.models.sequences import Ready
from rmeval.protocols import pointwise
from rmeval.protocols.fold import STEPS
from rmeval.protocols.pairwise import LABEL_MASS
from rmeval.protocols.step_layout import BY_LABELS, CHAT, StepLayout
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.chat import Renderer

__all__ = ["Process", "step_scores"]


class Process:
    """A model that reads a response step by step, with a head or by the logits of label tokens.

    An observation has the scores of all steps, and one of their reductions as the response's default score.

    Attributes:
        engine: The engine that runs the network.
        layout: How steps are rendered and scored.
        texts: Turns conversations into tokens.
        labels: The check of the label tokens' probability, if there are any.
    """

    kind = "process"
    protocol = pointwise.POINTWISE.name

    def __init__(self, spec: str | InMemory, options: ModelOptions, name: str | None = None) -> None:
        """Find checkpoint, tokenizer and step layout; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id, or a network in memory.
            options: How to load and run it.
            name: Name of the model; by default derived from its place.

        Raises:
            ModelError: If a part is missing or an option does not fit.
        """
        from rmeval.rendering.steps import StepPrompt

        self._options = options
        self.layout = _layout(options)
        self.engine = find_engine(spec, options, options.head)
        self.name = name or self.engine.description.name
        if options.on_overlength == "truncate-left":
            raise ModelError(
                f"truncate-left would cut the question that {self.name} reads: choose `on_overlength` skip"
            )
        if self.layout.prompt not in CHAT:
            refuse(options, ("chat_template", "template_kwargs"), f"{self.name}, whose step layout has its own prompt,")
        renderer, self._tokenizer = make_renderer(self.engine, options, chat=self.layout.prompt in CHAT)
        self._tokens = self._label_tokens(renderer)
        self.labels: Labels | None = None
        if self.layout.score == "labels":
            self.labels = Labels(LastLogits(self._tokens), renderer, options.min_label_mass, self.name, _OTHER_LABELS)
        else:
            refuse(options, ("min_label_mass",), f"{self.name}, whose steps are not read by the logits of labels,")
        self._prompt = StepPrompt(renderer, self.layout, self.name)
        self.texts = Preparation(self.name, renderer, self.engine, options, self._prompt.render, cuts=False)

    def _label_tokens(self, renderer: Renderer) -> tuple[int, ...]:
        """The ids of the label tokens; makes the engine run the checkpoint as a language model if there are any."""
        from rmeval.rendering.vocabulary import token_ids

        if self.layout.score not in BY_LABELS:
            require_readout(self.engine, AtPositions, self.name)
            return ()
        if self._options.head is not None or self._options.layout is not None:
            raise ModelError(f"the steps of {self.name} are read by the logits of labels: leave `head` out")
        require_readout(self.engine, LogitsAt, self.name)
        self.engine.require_language_model()
        found = tuple(token_ids(renderer.tokenizer, list(self.layout.labels)))
        if len(set(found)) < len(found):
            raise ModelError(f"the labels of steps {', '.join(self.layout.labels)} are the same token: correct them")
        return found

    def identity(self) -> dict[str, Any]:
        """Weights, tokenizer, step layout, number format, engine and length policy."""
        head, layout = self._options.head, self._options.layout
        return {
            "model": current_fingerprint(self.engine),
            "kind": self.kind,
            "tokenizer": self._tokenizer,
            "steps": self.layout.to_dict(),
            **({"labels": list(self._tokens)} if self._tokens else {}),
            **self.texts.identity(),
            **self.engine.identity(),
            **({"head": head} if head else {}),
            **({"layout": layout.to_dict()} if layout else {}),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first rendered conversation, and the number of steps."""
        mass = {} if self.labels is None else self.labels.facts()
        return self.engine.facts() | self.texts.renderer.facts() | self._prompt.facts() | mass

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score the steps of each request's response."""
        self._prompt.forget()
        batches = checked(self._observe(requests), self.texts.sources)
        yield from batches if self.labels is None else self.labels.held(self.engine, batches)

    def _observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        self.engine.forget()
        for ready, left_out in self.texts.windows(requests):
            if left_out:
                yield left_out
            if not ready:
                continue
            for reading in self.engine.run([one.tokens for one in ready], self._readout(ready)):
                yield [
                    observation
                    for index, values in zip(reading.indices, reading.values, strict=True)
                    for observation in ready[index].observations(
                        partial(self._observation, self._values(ready[index], values))
                    )
                ]

    def _readout(self, ready: Sequence[Ready]) -> Readout:
        """The readout of the steps.

        Raises:
            ModelError: If the network cannot be loaded, or has no head that is read at single tokens.
        """
        index = [one.steps for one in ready]
        if self._tokens:
            return LogitsAt(self._tokens, index)
        own = self.engine.own_readout()
        if not isinstance(own, LastToken):
            raise ModelError(
                f"{self.name} cannot be read at single tokens: a process reward model is a causal network with a head"
            )
        return AtPositions(own.head, index)

    def _values(self, one: Ready, outputs: FloatArray) -> Mapping[str, float | tuple[float, ...]]:
        """The values of a response from the outputs float64[steps, outputs] of its steps."""
        scores = step_scores(outputs, self.layout, self.name)
        values: dict[str, float | tuple[float, ...]] = {}
        # The first value is the default. A score that is not finite is reported by its step.
        if all(map(math.isfinite, scores)):
            values[f"steps/{self.layout.aggregate}"] = STEPS[self.layout.aggregate](scores)
        values["steps"] = scores
        if self.labels is not None:
            places = zip(one.steps, outputs, strict=True)
            masses = [self.labels.note(one.tokens[: place + 1], own)[LABEL_MASS] for place, own in places]
            values[LABEL_MASS] = float(np.mean(masses))
        return values

    def _observation(self, values: Mapping[str, float | tuple[float, ...]], one: Ready) -> Observation:
        return pointwise.parse_values(one.key, values, one.length)


_OTHER_LABELS = "other labels of its step layout"


def _layout(options: ModelOptions) -> StepLayout:
    """The step layout of the options.

    Raises:
        ModelError: If there is none, or `split_steps` is empty.
    """
    if options.steps is None:
        raise ModelError(
            "a process reward model needs a step layout: give `card` NAME or a TOML file with [family.steps], or "
            "`steps` in Python"
        )
    if options.split_steps is None:
        return options.steps
    # A shell passes a backslash and the letter n.
    return replace(options.steps, split=options.split_steps.replace("\\n", "\n"))


def step_scores(outputs: FloatArray, layout: StepLayout, model: str) -> tuple[float, ...]:
    """The scores of steps.

    Args:
        outputs: float64[steps, outputs]; for labels their logits and the logsumexp of all logits.
        layout: Its `score` says what is computed.
        model: The model's name, for messages.

    Raises:
        ModelError: If the number of outputs does not fit.
    """
    name, _, value = layout.score.partition(":")
    count = outputs.shape[1]
    if name in ("sigmoid", "identity"):
        _need(count == 1, count, layout, model)
        own = outputs[:, 0]
        return tuple((_sigmoid(own) if name == "sigmoid" else own).tolist())
    if name == "vocabulary":
        return tuple(np.exp(outputs[:, 0] - outputs[:, -1]).tolist())
    shares = _softmax(outputs[:, :-1] if name == "labels" else outputs)
    if name == "labels":
        return tuple(shares[:, 0].tolist())
    if name == "difference":
        _need(count == 2, count, layout, model)
        return tuple((shares[:, 1] - shares[:, 0]).tolist())
    wanted = [int(one) for one in value.split(",")]
    _need(count > 1 and max(wanted) < count, count, layout, model)
    return tuple(shares[:, wanted].sum(axis=1).tolist())


def _need(fits: bool, count: int, layout: StepLayout, model: str) -> None:
    if not fits:
        raise ModelError(
            f"{model} returns {count} numbers for a step, which the score {layout.score} does not fit: correct "
            "its step layout"
        )


def _softmax(values: FloatArray) -> FloatArray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    found: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return found


def _sigmoid(odds: FloatArray) -> FloatArray:
    # Two forms, so that exp never overflows.
    small = np.exp(-np.abs(odds))
    return np.where(odds >= 0, 1 / (1 + small), small / (1 + small))
