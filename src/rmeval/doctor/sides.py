"""The sides of a comparison of engines: how each is named, opened and run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rmeval.data.spool import windows
from rmeval.doctor.server_tokens import server_tokens
from rmeval.errors import ModelError
from rmeval.models import ModelOptions, RewardModel, is_address, load_model
from rmeval.models.carded import apply_card, card_for
from rmeval.models.classifier import Classifier
from rmeval.models.comparator import Comparator
from rmeval.models.implicit import Implicit
from rmeval.models.judge.local import LocalJudge
from rmeval.models.judge.model import Judge
from rmeval.models.options import RENDERING_OPTIONS, REPLICA_OPTIONS, SERVED_OPTIONS, SERVER_OPTIONS
from rmeval.models.served.model import Served
from rmeval.protocols.pairwise import ODDS, VALUE
from rmeval.redaction import redacted
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.models.prepare import Keyed, Preparation
    from rmeval.rendering.chat import Renderer, TokenArray

__all__ = ["Opened", "Scores", "open_sides"]

_FORMATS = ("auto", "float32", "bfloat16", "float16")

Network = Classifier | Implicit | Comparator | LocalJudge
"""What runs a network."""


@dataclass(slots=True)
class Scores:
    """The results of scoring some requests in one way.

    Attributes:
        values: The score of each request by its key, or the preference for the response shown first, 0
            if there is none.
        failures: Number of requests without a value, by status.
        error: The first error.
    """

    values: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    error: str | None = None

    def array(self, requests: Sequence[Request]) -> FloatArray:
        """float64[requests], NaN for those without a value."""
        return np.array([self.values.get(request.key, np.nan) for request in requests], dtype=np.float64)

    def add(self, found: Observation) -> None:
        """Add the observation of a request."""
        value = _value(found.values)
        if found.status == "ok" and value is not None:
            self.values[found.key] = value
            return
        self.failures[found.status] = self.failures.get(found.status, 0) + 1
        self.error = self.error or found.error


def _value(values: Mapping[str, float | tuple[float, ...]]) -> float | None:
    """The number in which two sides are compared."""
    if isinstance(odds := values.get(ODDS), float):
        return odds
    if isinstance(share := values.get(VALUE), float):
        return share - 0.5
    first = next(iter(values.values()), None)
    return None if first is None or isinstance(first, tuple) else float(first)


class Opened(Protocol):
    """A side that is ready to score.

    Attributes:
        name: The side, as the user names it.
        model: The model.
        dtype: Number format of its network; empty if it is unknown.
    """

    name: str
    model: RewardModel
    dtype: str

    @property
    def renderer(self) -> Renderer | None:
        """The tokenizer with which rmeval renders conversations for this side; None if rmeval does not."""
        ...

    def tokens(self, requests: Sequence[Request]) -> Mapping[str, TokenArray] | str:
        """The token ids of requests by their keys, without those that cannot be read; or why they are unknown."""
        ...

    def run(self, requests: Sequence[Request], size: int | None, done: Callable[[int], None]) -> Scores:
        """Score requests.

        Args:
            requests: The requests.
            size: Number of requests that are read together; None for all, as in a run.
            done: Called with the number of requests of each batch.
        """
        ...

    def release(self) -> None:
        """Free the memory of its network, before the other side needs it."""
        ...


class _Local:
    """An engine that runs the network in this process, or in processes of its own."""

    def __init__(self, name: str, spec: str, options: ModelOptions) -> None:
        self.name = name
        self.model: RewardModel = load_model(spec, options)
        if isinstance(self.model, Judge):
            _refuse_judge(self.model)
        if isinstance(self.model, Judge) or (
            isinstance(self.model, Classifier | Comparator) and self.model.labels is not None
        ):
            # Low probabilities of its labels do not stop it: a request that is read alone may have one.
            self.model = load_model(spec, replace(options, min_label_mass=0.0))
        network = self.model.backend if isinstance(self.model, Judge) else self.model
        if not isinstance(network, Network):
            raise ModelError(
                f"{spec} is a model of the kind {self.model.kind}, which no engine runs: give a checkpoint's folder or "
                "hub id"
            )
        self._engine = network.engine
        self._texts = network.texts
        self.dtype = str(self._engine.identity().get("dtype", ""))

    @property
    def renderer(self) -> Renderer | None:
        return self._texts.renderer

    def tokens(self, requests: Sequence[Request]) -> Mapping[str, TokenArray] | str:
        model = self.model
        return _rendered(self._texts, map(model.asked, requests) if isinstance(model, Judge) else requests)

    def run(self, requests: Sequence[Request], size: int | None, done: Callable[[int], None]) -> Scores:
        parts: Iterable[Sequence[Request]] = [requests] if size is None else windows(requests, size)
        return _scores((batch for part in parts for batch in self.model.observe(part)), done)

    def release(self) -> None:
        self._engine.release()


class _Remote:
    """A server, whose number format is unknown; requests that are read together are those in flight together."""

    dtype = ""

    def __init__(self, url: str, options: ModelOptions) -> None:
        self.name = redacted(url)
        self._url = url
        self._options = options
        self.model: RewardModel
        self.model = self._served = Served(url, options)

    @property
    def renderer(self) -> Renderer | None:
        return None if self._served.texts is None else self._served.texts.renderer

    def tokens(self, requests: Sequence[Request]) -> Mapping[str, TokenArray] | str:
        if self._served.texts is not None:
            return _rendered(self._served.texts, requests)
        found = self._served.found
        return server_tokens(self._url, self._options.server, found.dialect.traits.tokenize, found.name, requests)

    def run(self, requests: Sequence[Request], size: int | None, done: Callable[[int], None]) -> Scores:
        model = self._served
        if size is not None:
            server = replace(self._options.server, concurrency=size)
            model = Served(self._url, replace(self._options, server=server))
        return _scores(model.observe(requests), done)

    def release(self) -> None:
        return


def _refuse_judge(judge: Judge) -> None:
    """Raise a ModelError for a judge without a number for each request that two engines share."""
    card = judge.asking.card
    if (card.kind, card.reads) != ("pair", "labels"):
        raise ModelError(
            f"rmeval parity compares judges by label probabilities of two responses, and {judge.asking.name} has none: "
            "choose a protocol such as ab-labels"
        )


def _rendered(texts: Preparation, requests: Iterable[Keyed]) -> dict[str, TokenArray]:
    found: dict[str, TokenArray] = {}
    for ready, _ in texts.windows(requests):
        for one in ready:
            found |= dict.fromkeys((one.key, *(key for key, _ in one.others)), one.tokens)
    return found


def _scores(batches: Iterable[Sequence[Observation]], done: Callable[[int], None]) -> Scores:
    found = Scores()
    for batch in batches:
        for one in batch:
            found.add(one)
        done(len(batch))
    return found


def open_sides(spec: str, sides: Sequence[tuple[str, Mapping[str, Any]]], options: ModelOptions) -> tuple[Opened, ...]:
    """Open the sides of a comparison.

    Args:
        spec: The model.
        sides: Each side, with further `model_kwargs` of it: the name of an engine, also with a number format as in
            `hf:float32`; `file.py:Class` of an engine; or the address of a server.
        options: The options; those of servers hold for servers, and those of networks for engines.

    Raises:
        ModelError: If there is no such engine or server, or the model cannot be used.
    """
    servers = [is_address(side) for side, _ in sides]
    if options.judge.protocol is not None and any(servers):
        raise ModelError("rmeval parity runs judges with engines only: give the name of an engine, such as vllm")
    replicated = [_name_and_format(side)[0] == "ray" for side, _ in sides]
    # Options that the other side uses are left out; those that no side uses are an error.
    elsewhere = {*(SERVER_OPTIONS if any(servers) else ()), *(REPLICA_OPTIONS if any(replicated) else ())}
    card = card_for(spec, options)
    # The card is that of the model, whichever side runs it.
    named = options.card if options.card != "auto" else "none" if card is None else card.model
    found: list[Opened] = []
    for (side, kwargs), is_server, is_ray in zip(sides, servers, replicated, strict=True):
        if is_server and kwargs:
            raise ModelError(f"{redacted(side)} is a server, which takes no model_kwargs: leave them out")
        useless = elsewhere - {*(REPLICA_OPTIONS if is_ray else ())}
        own = _only(options, [name for name in _FIELDS if name not in useless])
        if is_server:
            found.append(_Remote(side, apply_card(side, replace(_of_server(options), card=named))))
        else:
            found.append(_engine(side, spec, own, kwargs))
    return tuple(found)


_FIELDS = tuple(ModelOptions.__dataclass_fields__)


def _only(options: ModelOptions, names: Collection[str]) -> ModelOptions:
    """Some of the options, and the defaults of the others."""
    return ModelOptions(**{name: getattr(options, name) for name in names})


def _of_server(options: ModelOptions) -> ModelOptions:
    """The options of a server; batches and, where the server renders, the rendering are those of engines."""
    useless = {"batch_size", *(RENDERING_OPTIONS if options.tokenizer is None else ())}
    return _only(options, [name for name in SERVED_OPTIONS if name not in useless])


def _engine(side: str, spec: str, options: ModelOptions, kwargs: Mapping[str, Any]) -> _Local:
    own = replace(options, model_kwargs={**options.model_kwargs, **kwargs})
    name, dtype = _name_and_format(side)
    return _Local(side, spec, replace(own, engine=name, dtype=dtype or own.dtype))


def _name_and_format(side: str) -> tuple[str, str]:
    """The name of an engine, and the number format that follows it; empty if there is none."""
    engine, _, dtype = side.rpartition(":")
    return (engine, dtype) if engine and dtype in _FORMATS else (side, "")
