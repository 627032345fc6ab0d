"""From requests to token sequences: what every kind of model that reads conversations does before it reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rmeval.cache import Sources, checked
from rmeval.data.keys import KeyIndex
from rmeval.data.spool import Spool, windows
from rmeval.engines import (
    Engine,
    EngineOptions,
    FirstLogits,
    InMemory,
    OwnForward,
    Place,
    Pooled,
    Readout,
    open_engine,
    require_readout,
)
from rmeval.errors import ModelError
from rmeval.extras import need_extra
from rmeval.models import ModelOptions, unknown_state
from rmeval.models.sequences import Ready, Window, Windows
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.chat import Boundary, Rendered, Renderer
    from rmeval.rendering.tokenizer import LoadedTokenizer

__all__ = [
    "Preparation",
    "current_fingerprint",
    "find_engine",
    "logit_tokens",
    "make_renderer",
]

_READ_WHOLE = (Pooled, OwnForward, FirstLogits)
"""Readouts of networks that may read any token of their input."""
WINDOW = 1 << 14
"""How many conversations are sorted, merged and scored together."""


def find_engine(spec: str | InMemory, options: ModelOptions, head: str | None = None) -> Engine:
    """The engine that runs a model's checkpoint.

    Args:
        spec: A folder or a hub id; or a network in memory.
        options: How to load and run it.
        head: Name of the layer that makes the score, where it is not found by itself.

    Raises:
        ModelError: If there is no such checkpoint or engine.
    """
    own = EngineOptions(
        dtype=options.dtype,
        device=options.device,
        revision=options.revision,
        base_model=options.base_model,
        trust_remote_code=options.trust_remote_code,
        model_kwargs=options.model_kwargs,
        batch_size=options.batch_size,
        head=head,
    )
    return open_engine(spec, own, options.engine)


def make_renderer(
    engine: Engine, options: ModelOptions, boundary: Boundary | None = None, chat: bool = True
) -> tuple[Renderer, str]:
    """The tokenizer of a checkpoint, or another that the options name, with its template; and a fingerprint.

    Args:
        engine: What runs the checkpoint.
        options: Tokenizer and template.
        boundary: How to find where an answer begins.
        chat: Whether it must have a template.

    Raises:
        ModelError: If there is none, or no template.
    """
    try:
        from rmeval.rendering.chat import Renderer
    except ModuleNotFoundError as error:
        raise need_extra(error, f"the tokenizer of {engine.description.name}") from error

    own: Place | InMemory = engine.tokenizer() if options.tokenizer is None else Place(options.tokenizer)
    found = _held(own) if isinstance(own, InMemory) else _placed(own, engine, options)
    renderer = Renderer(
        found.source,
        options.chat_template,
        boundary,
        chat,
        options.template_kwargs,
        revision=found.revision,
        trust_remote_code=options.trust_remote_code,
        tokenizer_kwargs=options.tokenizer_kwargs,
        allowed=options.allow_dropped_roles,
        sources=found.sources,
        loaded=found.loaded,
    )
    fingerprint = found.fingerprint
    if options.tokenizer_kwargs:
        fingerprint += f" with {json.dumps(dict(options.tokenizer_kwargs), sort_keys=True)}"
    return renderer, fingerprint + renderer.tokens.fingerprint()


def current_fingerprint(engine: Engine) -> str:
    """What the weights of an engine are now; never the same twice where that cannot be known."""
    return engine.fingerprint() or unknown_state()


class _Tokenizer(NamedTuple):
    """A tokenizer by its place, or loaded already."""

    source: str
    fingerprint: str
    revision: str | None = None
    sources: tuple[Sources, ...] = ()
    loaded: LoadedTokenizer | None = None


def _placed(place: Place, engine: Engine, options: ModelOptions) -> _Tokenizer:
    from rmeval.rendering.files import find_tokenizer

    own = place.source == engine.description.place.source
    found = find_tokenizer(place.source, place.revision, own, options.trust_remote_code)
    return _Tokenizer(place.source, found.fingerprint, found.revision, found.sources)


def _held(own: InMemory) -> _Tokenizer:
    from rmeval.rendering.held import hold_tokenizer

    found = hold_tokenizer(own.tokenizer, own.name)
    return _Tokenizer(own.name, found.fingerprint or unknown_state(), loaded=found.loaded)


def logit_tokens(head: str | None, renderer: Renderer) -> tuple[int, ...] | None:
    """The ids of the tokens that `logit:A-B` names, or None where the head is none of that kind.

    Raises:
        ModelError: If a word is not one token, or one is named twice.
    """
    from rmeval.rendering.vocabulary import token_ids

    if head is None or not head.startswith("logit:"):
        return None
    found = tuple(token_ids(renderer.tokenizer, head.removeprefix("logit:").split("-")))
    if len(set(found)) < len(found):
        raise ModelError(f"`head` {head} names one token twice: give different ones, as in logit:A-B")
    return found


class Preparation:
    """Renders conversations and decides about those that are too long.

    Attributes:
        renderer: The tokenizer with its template.
        limit: Longest conversation in tokens.
        cut_item: Item of the first conversation that lost its beginning to the length policy.
        sources: The local files that observations depend on.
    """

    def __init__(
        self,
        name: str,
        renderer: Renderer,
        engine: Engine,
        options: ModelOptions,
        render: Callable[[list[Request]], list[Rendered]] | None = None,
        others: Sequence[Engine] = (),
    ) -> None:
        """Takes the parts.

        Args:
            name: The model's name, for messages.
            renderer: The tokenizer with its template.
            engine: What runs the network.
            options: Length policy and limit.
            render: Makes tokens of requests; of their conversations by the renderer if None.
            others: What else reads the same tokens.

        Raises:
            ModelError: If `options.max_length` is more than the network takes.
        """
        self.renderer = renderer
        self.sources = (
            *renderer.sources,
            *(one for own in (engine, *others) for one in own.description.sources),
        )
        self._name = name
        self._render = render or self._conversations
        self._policy = options.on_overlength
        self.cut_item: str | None = None
        stated = [limit for own in (engine, *others) if (limit := own.description.limit) is not None]
        built = min(stated, default=None)
        limits = [limit for limit in (built, renderer.limit) if limit is not None]
        self.limit = options.max_length or min(limits, default=None)
        if built is not None and self.limit is not None and self.limit > built:
            raise ModelError(
                f"{name} was built for {built} tokens: give a smaller `max_length` than "
                f"{self.limit}, or change that with `model_kwargs` max_position_embeddings=..."
            )

    def identity(self) -> dict[str, Any]:
        """Template and length policy."""
        return {
            **self.renderer.identity(),
            "max_length": self.limit,
            "on_overlength": self._policy,
        }

    def windows(self, requests: Iterable[Request]) -> Windows:
        """Renders all requests, in windows that are to be read together; requests that become equal tokens once.

        All are rendered before the first is read, so that one that is too long stops the run before it has cost much;
        what is more than a window waits on disk.

        Raises:
            ModelError: If one is too long and the policy is to stop.
        """
        self.renderer.forget()
        self.cut_item = None
        spool: Spool[Window] = Spool()
        over: list[tuple[int, str]] = []

        def sequences() -> Iterator[list[str]]:
            for window in windows(requests, WINDOW):
                rendered = self._render(window)
                over.extend(
                    (len(one.tokens), r.item) for r, one in zip(window, rendered, strict=True) if self._exceeds(one)
                )
                spool.append(found := self._window(window, rendered))
                yield [one.sequence for one in found.ready]

        index = KeyIndex(sequences())
        self.renderer.warn_of_hidden()
        if over and self._policy == "error":
            longest, item = max(over)
            raise ModelError(
                f"{len(over)} conversations are longer than the {self.limit} tokens that "
                f"{self._name} takes (the longest, of item {item}, has {longest}): "
                "choose `on_overlength` skip or truncate-left"
            )
        return Windows(spool, index)

    def observe(
        self,
        engine: Engine,
        requests: Iterable[Request],
        readout: Callable[[], Readout],
        answer: Callable[[Ready, FloatArray], Observation],
    ) -> Iterator[list[Observation]]:
        """Reads what is taken from a network at the end of each input, window by window.

        Args:
            engine: What runs the network.
            requests: What is asked.
            readout: Gives what is taken; called when there is something to read.
            answer: Makes an observation of what was taken.

        Raises:
            ModelError: If the network cannot be used, an input is too long, or a file changes.
        """
        yield from checked(self._observe(engine, requests, readout, answer), self.sources)

    def _observe(
        self,
        engine: Engine,
        requests: Iterable[Request],
        readout: Callable[[], Readout],
        answer: Callable[[Ready, FloatArray], Observation],
    ) -> Iterator[list[Observation]]:
        engine.forget()
        rendered = self.windows(requests)
        if self.cut_item is not None:
            sample = next((ready for ready, _ in rendered if ready), [])
            if isinstance(engine.settled([one.tokens for one in sample], readout()), _READ_WHOLE):
                raise ModelError(
                    f"{self._name} reads the beginning of its input, which truncate-left would cut "
                    f"(item {self.cut_item}): choose `on_overlength` skip"
                )
        for ready, left_out in rendered:
            if left_out:
                yield left_out
            if not ready:
                continue
            wanted = readout()
            require_readout(engine, type(wanted), self._name)
            for reading in engine.run([one.tokens for one in ready], wanted):
                yield [
                    observation
                    for index, values in zip(reading.indices, reading.values, strict=True)
                    for observation in ready[index].observations(partial(_given, answer, values))
                ]

    def _conversations(self, requests: list[Request]) -> list[Rendered]:
        return self.renderer.render(
            [request.conversation for request in requests], [request.tools for request in requests]
        )

    def _window(self, requests: Sequence[Request], rendered: Sequence[Rendered]) -> Window:
        found = Window([], [])
        for request, one in zip(requests, rendered, strict=True):
            length = len(one.tokens)
            if one.error is not None:
                found.left_out.append(Observation(request.key, "error", error=one.error))
            elif self._exceeds(one) and self._policy != "truncate-left":
                found.left_out.append(Observation(request.key, "overlength", usage={"tokens": length}))
            else:
                # What is judged is the answer, which is at the end.
                cut = max(0, length - self.limit) if self.limit is not None else 0
                if cut and self.cut_item is None:
                    self.cut_item = request.item
                start = max(0, one.start - cut)
                if one.start and not start:
                    # The prompt is gone, and the sum over a part of an answer is no sum over the answer.
                    found.left_out.append(Observation(request.key, "overlength", usage={"tokens": length}))
                    continue
                found.ready.append(Ready(request.key, request.item, one.tokens[cut:], start, length + one.cut))
        return found

    def _exceeds(self, one: Rendered) -> bool:
        return self.limit is not None and len(one.tokens) > self.limit


def _given(answer: Callable[[Ready, FloatArray], Observation], values: FloatArray, one: Ready) -> Observation:
    return answer(one, values)
