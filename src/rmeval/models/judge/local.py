"""Judges that rmeval runs itself: a language model writes the output, or the probabilities of labels are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rmeval.cache import checked
from rmeval.data.spool import Spool, windows
from rmeval.engines import Generated, Generation, InMemory, LastLogits, require_readout
from rmeval.errors import ModelError
from rmeval.models.labels import Labels
from rmeval.models.options import (
    COMPARATOR_OPTIONS,
    CONVENTION_OPTIONS,
    HEAD_OPTIONS,
    IMPLICIT_OPTIONS,
    OTHER_KINDS,
    REPLICA_OPTIONS,
    SERVER_OPTIONS,
    STEP_OPTIONS,
    ModelOptions,
    refuse,
)
from rmeval.models.prepare import Preparation, current_fingerprint, find_engine, make_renderer
from rmeval.models.sequences import Window
from rmeval.protocols.judging import Asked, Form, HowRead, Output
from rmeval.rendering.vocabulary import label_tokens
from rmeval.types import FloatArray, Observation

if TYPE_CHECKING:
    from rmeval.rendering.boundary import Rendered, TokenArray

__all__ = ["LocalJudge"]

WINDOW = 1 << 12
"""Number of prompts that are sorted, merged and read together."""
_OTHER_LABELS = "another `protocol`, with other labels or one that reads a text"


class LocalJudge:
    """A causal language model that an engine runs.

    Attributes:
        forms: How verdicts can be read.
        name: Name of the model.
        engine: The engine that runs the network.
        texts: Turns prompts into tokens.
    """

    forms: frozenset[Form] = frozenset({"text", "labels"})

    def __init__(self, spec: str | InMemory, options: ModelOptions, asking: HowRead) -> None:
        """Find checkpoint, tokenizer and template; weights are loaded when the first prompt is run.

        Args:
            spec: A folder or a hub id, or a network in memory.
            options: How to load and run it.
            asking: The protocol.

        Raises:
            ModelError: If a part is missing or an option does not fit.
        """
        from rmeval.rendering.prompt import PromptRenderer

        if asking.form not in self.forms:
            raise ModelError(
                f"the protocol {asking.name} needs a server with a decision API, and {spec} is run by rmeval: give the "
                "address of such a server, or choose a protocol that reads a text or label probabilities"
            )
        _refuse(options)
        self._form, self._sampling = asking.form, asking.sampling
        self.engine = find_engine(spec, options)
        self.name = self.engine.description.name
        self.engine.require_language_model()
        writes = asking.form == "text"
        require_readout(self.engine, Generated if writes else LastLogits, self.name)
        renderer, self._tokenizer = make_renderer(self.engine, options)
        self._prompts = PromptRenderer(renderer, self.name)
        room = self._sampling.max_new_tokens if writes else 1
        self.texts = Preparation(self.name, renderer, self.engine, options, self._rendered, room=room)
        self._least = asking.min_label_mass
        self._labels: Labels | None = None
        self._tokens: dict[str, tuple[int, ...]] = {}

    def identity(self) -> dict[str, Any]:
        """Weights, tokenizer, template, number format, engine, length policy, and the tokens that end a text."""
        return {
            "model": current_fingerprint(self.engine),
            "tokenizer": self._tokenizer,
            **self.texts.identity(),
            **self.engine.identity(),
            **({"system": "in the user's turn"} if self._prompts.joins_system else {}),
            **({"stops": list(self._stops())} if self._form == "text" else {}),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first prompt, a hash of all, and the mean label mass."""
        mass = {} if self._labels is None else self._labels.facts()
        return self.engine.facts() | self.texts.renderer.facts() | mass

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request with its output.

        All prompts are rendered before the first is run, so that one that is too long stops the run early.

        Raises:
            ModelError: If the network cannot be used, a prompt is too long, or a file changes.
        """
        yield from checked(self._outputs(asked), self.texts.sources)

    def _outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        spool: Spool[tuple[list[Asked], Window]] = Spool()
        for window in windows(asked, WINDOW):
            # Outputs that were cut off run again in the same run, whose facts stay those of all prompts.
            if not len(spool) and window[0].limit <= self._sampling.max_new_tokens:
                self.engine.forget()
                self.texts.begin()
            spool.append((window, self.texts.window(window)))
        self.texts.finish()
        for window, found in spool:
            by_key = {one.key: one for one in window}
            if found.left_out:
                yield [(by_key[one.key], _left_out(one)) for one in found.left_out]
            inputs = self._merged(by_key, found)
            if self._form != "text":
                yield from self._read(inputs)
                continue
            for temperature in dict.fromkeys(self._temperature(one.asked[0]) for one in inputs):
                own = [one for one in inputs if self._temperature(one.asked[0]) == temperature]
                yield from self._written(own, temperature)

    def _temperature(self, asked: Asked) -> float:
        return self._sampling.temperature if asked.temperature is None else asked.temperature

    def _merged(self, by_key: Mapping[str, Asked], found: Window) -> list[_Input]:
        """The inputs of a window; requests with equal outputs share one."""
        merged: dict[tuple[Any, ...], _Input] = {}
        for one in found.ready:
            asked = by_key[one.key]
            way: tuple[Any, ...] = asked.prompt.labels
            if self._form == "text":
                temperature = self._temperature(asked)
                way = (asked.limit, temperature, asked.seed if temperature else None)
            merged.setdefault((one.sequence, way), _Input(one.tokens, [])).asked.append(asked)
        return list(merged.values())

    def _written(self, inputs: Sequence[_Input], temperature: float) -> Iterator[list[tuple[Asked, Output]]]:
        """The outputs that the model writes."""
        how = Generation(temperature, self._sampling.top_p, self._stops())
        limit, decode = self.texts.limit, self.texts.renderer.tokenizer.decode
        # Twice the protocol's budget may not fit.
        limits = [
            one.asked[0].limit if limit is None else min(one.asked[0].limit, limit - len(one.tokens)) for one in inputs
        ]
        seeds = [one.asked[0].seed for one in inputs]
        for batch in self.engine.generate([one.tokens for one in inputs], limits, seeds, how):
            # Reasoning may begin and end with special tokens.
            texts = [str(decode(list(one.tokens), skip_special_tokens=False)) for one in batch]
            yield [
                (asked, Output(text, finish=one.finish, usage=_usage(inputs[one.index], len(one.tokens))))
                for one, text in zip(batch, texts, strict=True)
                for asked in inputs[one.index].asked
            ]

    def _read(self, inputs: Sequence[_Input]) -> Iterator[list[tuple[Asked, Output]]]:
        """The outputs that contain the probabilities of labels."""
        every = sorted({token for one in inputs for own in self._labels_of(one).values() for token in own})
        readout = LastLogits(tuple(every))
        places = {token: place for place, token in enumerate(every)}
        if self._labels is None and inputs:
            first = self._labels_of(inputs[0]).values()
            own = LastLogits(tuple(token for tokens in first for token in tokens))
            self._labels = Labels(own, self.texts.renderer, self._least, self.name, _OTHER_LABELS)
            yield from self._labels.held(self.engine, self._probabilities(inputs, readout, places))
        else:
            yield from self._probabilities(inputs, readout, places)

    def _probabilities(
        self, inputs: Sequence[_Input], readout: LastLogits, places: Mapping[int, int]
    ) -> Iterator[list[tuple[Asked, Output]]]:
        assert self._labels is not None
        for reading in self.engine.run([one.tokens for one in inputs], readout) if inputs else ():
            found = []
            for index, values in zip(reading.indices, reading.values, strict=True):
                one = inputs[index]
                labels = self._labels_of(one)
                own = [places[token] for tokens in labels.values() for token in tokens]
                self._labels.note(one.tokens, np.append(values[own], values[-1]))
                output = _with_probabilities(one, labels, places, values)
                found += [(asked, output) for asked in one.asked]
            yield found

    def _labels_of(self, one: _Input) -> dict[str, tuple[int, ...]]:
        """The tokens of each label of an input."""
        labels = one.asked[0].prompt.labels
        if missing := [label for label in labels if label not in self._tokens]:
            self._tokens |= label_tokens(self.texts.renderer.tokenizer, missing, self.name)
        return {label: self._tokens[label] for label in labels}

    def _stops(self) -> tuple[int, ...]:
        """The tokens that end a text: those of the checkpoint's files, and the tokenizer's."""
        own = self.texts.renderer.tokenizer.eos_token_id
        return tuple(sorted({*self.engine.stops(), *([] if own is None else [int(own)])}))

    def _rendered(self, asked: list[Asked]) -> list[Rendered]:
        return self._prompts.render([one.prompt.messages for one in asked])


class _Input(NamedTuple):
    """An input of the network, and the requests that share it."""

    tokens: TokenArray
    asked: list[Asked]


_OTHERS = (*HEAD_OPTIONS, *IMPLICIT_OPTIONS, *COMPARATOR_OPTIONS, *CONVENTION_OPTIONS, *STEP_OPTIONS)
"""Options of models that are not judges."""


def _refuse(options: ModelOptions) -> None:
    """Raise a ModelError for options that a judge run by rmeval does not use."""
    if options.kind != "auto":
        raise ModelError(f"a judge has no `kind` {options.kind}: leave `kind` or `protocol` out")
    if options.on_overlength == "truncate-left":
        raise ModelError("truncate-left would cut a judge's instructions: choose `on_overlength` skip")
    others = {
        **OTHER_KINDS,
        **dict.fromkeys(_OTHERS, "leave `protocol` out"),
    }
    refuse(options, (*_OTHERS, *SERVER_OPTIONS), "a judge", others)
    if options.judge.judge_kwargs:
        raise ModelError("`judge_kwargs` is for calls of a server: leave it out, or give `base_url`")
    if options.engine != "ray":
        refuse(options, REPLICA_OPTIONS, f"the engine {options.engine}", OTHER_KINDS)


def _left_out(one: Observation) -> Output:
    """The output of a prompt that cannot be run."""
    if one.status == "overlength":
        return Output(finish="overlength", usage=one.usage)
    return Output(error=one.error)


def _usage(one: _Input, generated: int) -> dict[str, int]:
    return {"tokens": len(one.tokens), "output_tokens": generated}


def _with_probabilities(
    one: _Input, labels: Mapping[str, tuple[int, ...]], places: Mapping[int, int], values: FloatArray
) -> Output:
    """The output of an input, from the logits of tokens at their places and the logsumexp of all logits."""
    found = {
        label: float(np.exp(np.logaddexp.reduce(values[[places[token] for token in tokens]]) - values[-1]))
        for label, tokens in labels.items()
    }
    return Output(probabilities=found, label_mass=min(sum(found.values()), 1.0), usage=_usage(one, 0))
