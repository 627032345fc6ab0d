"""Turns requests into token sequences, for every kind of model that runs a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rmeval.cache import Sources, checked
from rmeval.data.keys import KeyIndex
from rmeval.data.spool import Spool, windows
from rmeval.engines import (
    Description,
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
from rmeval.messages import count_of
from rmeval.models import ModelOptions, unknown_state
from rmeval.models.options import CONVENTION_OPTIONS
from rmeval.models.sequences import Ready, Window, Windows
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.boundary import TokenArray
    from rmeval.rendering.chat import Boundary, Rendered, Renderer
    from rmeval.rendering.tokenizer import LoadedTokenizer

__all__ = ["Preparation", "TokenReader", "current_fingerprint", "find_engine", "make_renderer"]

_READ_WHOLE = (Pooled, OwnForward, FirstLogits)
"""Readouts of networks that may use any token of their input."""
ReadoutOf = Callable[[Sequence["TokenArray"]], Readout]
"""Maps token sequences to the readout of their values."""
WINDOW = 1 << 14
"""Number of conversations that are sorted, merged and scored together."""


class Keyed(Protocol):
    """What is rendered: a request, or a request with its prompt."""

    @property
    def key(self) -> str:
        """The request's key."""
        ...

    @property
    def item(self) -> str:
        """Id of its item."""
        ...


class TokenReader(Protocol):
    """What reads token sequences: an engine, or a server."""

    @property
    def description(self) -> Description:
        """Its name, place, limit and files."""
        ...

    def tokenizer(self) -> Place | InMemory:
        """The location of its own tokenizer, or the object that has it.

        Raises:
            ModelError: If it has none.
        """
        ...


def find_engine(spec: str | InMemory, options: ModelOptions, head: str | None = None) -> Engine:
    """Open the engine that runs a model's checkpoint.

    Args:
        spec: A folder or a hub id, or a network in memory.
        options: How to load and run it.
        head: Name of the layer that computes the score, if the engine cannot find it.

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
        layout=options.layout,
        replicas=options.replicas,
        gpus_per_replica=options.gpus_per_replica,
        ray_address=options.ray_address,
        replica_engine=options.replica_engine,
    )
    return open_engine(spec, own, options.engine)


def make_renderer(
    engine: TokenReader, options: ModelOptions, boundary: Boundary | None = None, chat: bool = True
) -> tuple[Renderer, str]:
    """The tokenizer of a checkpoint, or the one that the options name, with its template, and its fingerprint.

    Args:
        engine: The engine that runs the checkpoint, or the server.
        options: Tokenizer and template.
        boundary: How to find the beginning of a response.
        chat: Whether it must have a chat template.

    Raises:
        ModelError: If there is no tokenizer, or no template.
    """
    try:
        from rmeval.rendering.chat import Renderer
        from rmeval.rendering.conventions import Conventions
    except ModuleNotFoundError as error:
        raise need_extra(error, f"the tokenizer of {engine.description.name}") from error

    own: Place | InMemory = engine.tokenizer() if options.tokenizer is None else Place(options.tokenizer)
    found = _held(own) if isinstance(own, InMemory) else _placed(own, engine, options)
    conventions: dict[str, Any] = {name: getattr(options, name) for name in (*CONVENTION_OPTIONS, "question")}
    if options.layout is not None and options.layout.appends:
        conventions["last"] = engine.description.score_token
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
        conventions=Conventions(**conventions),
    )
    fingerprint = found.fingerprint
    if options.tokenizer_kwargs:
        fingerprint += f" with {json.dumps(dict(options.tokenizer_kwargs), sort_keys=True)}"
    return renderer, fingerprint + renderer.tokens.fingerprint()


def current_fingerprint(engine: Engine) -> str:
    """The fingerprint of an engine's current weights; never the same twice if their state is unknown."""
    return engine.fingerprint() or unknown_state()


class _Tokenizer(NamedTuple):
    """A tokenizer: its place, or the loaded object."""

    source: str
    fingerprint: str
    revision: str | None = None
    sources: tuple[Sources, ...] = ()
    loaded: LoadedTokenizer | None = None


def _placed(place: Place, engine: TokenReader, options: ModelOptions) -> _Tokenizer:
    from rmeval.rendering.files import find_tokenizer

    own = place.source == engine.description.place.source
    found = find_tokenizer(place.source, place.revision, own, options.trust_remote_code)
    return _Tokenizer(place.source, found.fingerprint, found.revision, found.sources)


def _held(own: InMemory) -> _Tokenizer:
    from rmeval.rendering.held import hold_tokenizer

    found = hold_tokenizer(own.tokenizer, own.name)
    return _Tokenizer(own.name, found.fingerprint or unknown_state(), loaded=found.loaded)


class Preparation:
    """Preparation of a model's input: renders conversations and applies the length policy.

    Attributes:
        renderer: The tokenizer with its template.
        limit: Longest conversation in tokens.
        cut_item: Item of the first conversation that was cut.
        sources: The local files that observations depend on.
    """

    def __init__(
        self,
        name: str,
        renderer: Renderer,
        engine: TokenReader,
        options: ModelOptions,
        render: Callable[[list[Any]], list[Rendered]] | None = None,
        others: Sequence[TokenReader] = (),
        room: int = 0,
        cuts: bool = True,
        still_read: Callable[[TokenArray], bool] = lambda tokens: True,
    ) -> None:
        """Store the parts, and determine the limit.

        Args:
            name: The model's name, for messages.
            renderer: The tokenizer with its template.
            engine: The engine that runs the network, or the server.
            options: Length policy and limit.
            render: Turns requests into tokens; by default the renderer renders their conversations.
            others: Further engines that read the same tokens.
            room: Number of tokens that are generated after each input, within the limit.
            cuts: Whether the beginning of an input may be cut.
            still_read: Whether the rest of an input that is cut has the tokens that the model needs.

        Raises:
            ModelError: If `options.max_length` is larger than the network supports, or too small for `room`.
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
        self._room = room
        self._cuts = cuts and not room
        self._still_read = still_read
        self._over: list[tuple[int, str]] = []
        stated = [limit for own in (engine, *others) if (limit := own.description.limit) is not None]
        built = min(stated, default=None)
        limits = [limit for limit in (built, renderer.limit) if limit is not None]
        self.limit = options.max_length or min(limits, default=None)
        if built is not None and self.limit is not None and self.limit > built:
            raise ModelError(
                f"{name} supports at most {built} tokens: give a smaller `max_length` than "
                f"{self.limit}, or change the limit with `model_kwargs` max_position_embeddings=..."
            )
        if self.limit is not None and room >= self.limit:
            raise ModelError(
                f"{name} takes at most {self.limit} tokens, which leaves no prompt before an output of {room}: "
                "give a smaller `max_new_tokens`"
            )

    def identity(self) -> dict[str, Any]:
        """Template and length policy."""
        return {
            **self.renderer.identity(),
            "max_length": self.limit,
            "on_overlength": self._policy,
        }

    def windows(self, requests: Iterable[Keyed]) -> Windows:
        """Render all requests, in windows that are read together; requests with equal tokens are read once.

        All requests are rendered before the first is read, so that a conversation that is too long stops the run
        early. Windows are stored on disk until they are read.

        Raises:
            ModelError: If a conversation is too long and the policy is `error`.
        """
        self.begin()
        spool: Spool[Window] = Spool()

        def sequences() -> Iterator[list[str]]:
            for window in windows(requests, WINDOW):
                spool.append(found := self.window(window))
                yield [one.sequence for one in found.ready]

        index = KeyIndex(sequences())
        self.finish()
        return Windows(spool, index)

    def begin(self) -> None:
        """Clear what is known of earlier inputs."""
        self.renderer.forget()
        self.cut_item = None
        self._over = []

    def window(self, requests: list[Any]) -> Window:
        """Render some requests; a request of a kind of its own has a `key` and an `item`."""
        return self._window(requests, self._render(requests))

    def finish(self) -> None:
        """Check the inputs rendered since `begin`.

        Raises:
            ModelError: If one is too long and the policy is `error`.
        """
        self.renderer.warn_of_hidden()
        if self._over and self._policy == "error":
            longest, item = max(self._over)
            before = f" before an output of up to {self._room}" if self._room else ""
            raise ModelError(
                f"{self._name} takes at most {self.longest} tokens{before}, exceeded by "
                f"{count_of(len(self._over), 'conversation')} (the longest, of item {item}, has {longest}): "
                f"choose `on_overlength` skip{' or truncate-left' if self._cuts else ''}"
            )

    @property
    def longest(self) -> int | None:
        """Longest input in tokens, which leaves room for what is generated."""
        return None if self.limit is None else self.limit - self._room

    def observe(
        self,
        engine: Engine,
        requests: Iterable[Request],
        readout: ReadoutOf,
        observe: Callable[[Ready, FloatArray], Observation],
    ) -> Iterator[list[Observation]]:
        """Read a network's values for each input, window by window.

        Args:
            engine: The engine that runs the network.
            requests: The requests.
            readout: Returns the readout of some sequences; called when there is something to read.
            observe: Turns values into an observation.

        Raises:
            ModelError: If the network cannot be used, an input is too long, or a file changes.
        """
        yield from checked(self._observe(engine, requests, readout, observe), self.sources)

    def _observe(
        self,
        engine: Engine,
        requests: Iterable[Request],
        readout: ReadoutOf,
        observe: Callable[[Ready, FloatArray], Observation],
    ) -> Iterator[list[Observation]]:
        engine.forget()
        rendered = self.windows(requests)
        if self.cut_item is not None:
            sample = next((ready for ready, _ in rendered if ready), [])
            tokens = [one.tokens for one in sample]
            if isinstance(engine.settled(tokens, readout(tokens)), _READ_WHOLE):
                raise ModelError(
                    f"{self._name} uses the beginning of its input, which truncate-left would cut "
                    f"(item {self.cut_item}): choose `on_overlength` skip"
                )
        for ready, left_out in rendered:
            if left_out:
                yield left_out
            if not ready:
                continue
            tokens = [one.tokens for one in ready]
            wanted = readout(tokens)
            require_readout(engine, type(wanted), self._name)
            for reading in engine.run(tokens, wanted):
                yield [
                    observation
                    for index, values in zip(reading.indices, reading.values, strict=True)
                    for observation in ready[index].observations(lambda one: observe(one, values))  # noqa: B023  It is called at once.
                ]

    def _conversations(self, requests: list[Request]) -> list[Rendered]:
        return self.renderer.render(
            [request.conversation for request in requests], [request.tools for request in requests]
        )

    def _window(self, requests: Sequence[Keyed], rendered: Sequence[Rendered]) -> Window:
        found = Window([], [])
        for request, one in zip(requests, rendered, strict=True):
            length = len(one.tokens)
            if self._exceeds(one):
                self._over.append((length, request.item))
            if one.error is not None:
                found.left_out.append(Observation(request.key, "error", error=one.error))
            elif self._exceeds(one) and self._policy != "truncate-left":
                found.left_out.append(Observation(request.key, "overlength", usage={"tokens": length}))
            else:
                # The response is at the end, so the beginning is cut.
                cut = max(0, length - self.longest) if self.longest is not None else 0
                if cut and self.cut_item is None:
                    self.cut_item = request.item
                start = max(0, one.start - cut)
                tokens = one.tokens[cut:]
                if (one.start and not start) or (cut and not self._still_read(tokens)):
                    # The prompt is cut completely, and the sum over a part of a response is not the response's sum.
                    found.left_out.append(Observation(request.key, "overlength", usage={"tokens": length}))
                    continue
                found.ready.append(Ready(request.key, request.item, tokens, start, length + one.cut, one.steps))
        return found

    def _exceeds(self, one: Rendered) -> bool:
        return self.longest is not None and len(one.tokens) > self.longest
