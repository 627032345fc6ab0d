"""User-defined scorers, from a file or an installed package; their failures become observations."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from rmeval.cache import Sources
from rmeval.data.digests import digest
from rmeval.data.spool import windows
from rmeval.errors import ModelError
from rmeval.messages import count_of
from rmeval.models import ModelOptions, pairwise_protocol
from rmeval.models.failing import Outcome, Watched, WrongResultError
from rmeval.models.functions import Score, as_score, waited
from rmeval.plugins import is_file_spec, load_object, one_line, package_of
from rmeval.protocols import ProtocolLike, load_protocol
from rmeval.protocols.pointwise import POINTWISE
from rmeval.types import Message, Observation, Request

__all__ = ["METHODS", "Plugin"]

logger = logging.getLogger(__name__)

_BATCH = 64
_UNORDERED = (Mapping, Set, str, bytes)
"""Iterable types that are not accepted as a list of numbers."""


class Plugin:
    """A model that calls a user-defined function, or the method `score(conversations)` of a user-defined class.

    The method takes a list of conversations, each a list of `{"role": ..., "content": ...}` ending in the assistant's
    response, and returns one number per conversation (None or NaN for a missing score). The class is constructed
    without arguments, or with `model_kwargs` as keywords. See `rmeval.models.functions` for how functions are called.
    """

    kind = "plugin"

    def __init__(self, name: str, target: str, options: ModelOptions) -> None:
        self.name = target.rpartition(":")[2] if is_file_spec(name) else name
        self._target = target
        self._kwargs = dict(options.model_kwargs)
        self._batch = options.batch_size or _BATCH
        self._sources = self._find_sources()
        found = self._find()
        self._owner = self._owner_of(found)
        self._function = None if self._owner is not None else as_score(target, found, self._kwargs)
        self._method_name = "score" if self._owner is None else _method_of(target, self._owner)
        if options.against != "all" and self._method_name != "compare":
            raise ModelError(f"{target} scores single responses and does not compare them: leave `against` out")
        self.protocol = POINTWISE.name
        if self._method_name == "compare":
            self.protocol = pairwise_protocol(options.against)
        elif self._method_name == "answer":
            self.protocol = _protocol_of(target, self._owner)

    def _find(self) -> Any:
        return load_object(self._target)

    def _owner_of(self, found: Any) -> Any:
        """The class that has the method, or None of a function."""
        return found if inspect.isclass(found) else None

    def _find_sources(self) -> tuple[Sources, ...]:
        """The source file, before it is run; modules that it imports are not included."""
        file = Path(self._target.rpartition(":")[0])
        if not is_file_spec(self._target) or not file.is_file():
            return ()
        return (Sources(file.parent, lambda: [file]),)

    def identity(self) -> dict[str, Any]:
        """The digest of the file, or the installed package's name and version, and the arguments."""
        code = f"sha256:{self._sources[0].digest}" if self._sources else package_of(self._target)
        return {"model": f"{self._target.rpartition(':')[2]} {code}", "model_kwargs": digest(self._kwargs)}

    def facts(self) -> dict[str, Any]:
        """The location of the class or function."""
        return {"target": self._target}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score batches of requests; one that fails becomes an error, and a scorer that always fails stops the run."""
        score: Score = self._function or getattr(self._made(), self._method_name)
        takes_tools = "tools" in inspect.signature(score).parameters
        without = 0

        def batches() -> Iterator[list[Request]]:
            nonlocal without
            for batch in windows(requests, self._batch):
                without += 0 if takes_tools else sum(bool(request.tools) for request in batch)
                yield batch

        watched = Watched(self._target, partial(self._outcomes, score, takes_tools))
        for found in watched.observe(batches()):
            for one in self._sources:
                one.check()
            yield found
        if without:
            logger.warning(
                "%s does not receive the tools of %d requests: add a parameter tools, a list of tools per conversation",
                self._target,
                without,
            )

    def _made(self) -> Any:
        """The object that has the method: a new instance of the class."""
        try:
            return self._owner(**self._kwargs)
        except Exception as error:  # The user's own code may raise anything.
            reason = one_line(error)
            raise ModelError(
                f"{self._target} cannot be constructed with {self._kwargs} ({reason}): check `model_kwargs`"
            ) from error

    def _shown(self, request: Request) -> Any:
        """The form in which the user's code receives a request."""
        if self._method_name == "score":
            return [message.to_dict() for message in request.conversation]
        prompt = [message.to_dict() for message in request.prompt]
        if self._method_name == "compare":
            return {"prompt": prompt, "first": request.responses[0], "second": request.responses[1]}
        responses = request.messages or [Message("assistant", text) for text in request.responses]
        shown = [message.to_dict() for message in responses]
        return {"prompt": prompt, "responses": shown, "vote": request.vote, "judge": request.judge}

    def _outcomes(self, score: Score, takes_tools: bool, batch: Sequence[Request]) -> list[Outcome]:
        """The results of one call.

        Raises:
            Exception: Whatever the user's code raises.
            WrongResultError: If the result is not a list with an element for each request.
        """
        more = {"tools": [list(request.tools) for request in batch]} if takes_tools else {}
        result = waited(score([self._shown(request) for request in batch], **more))
        is_list = isinstance(result, Iterable) and not isinstance(result, _UNORDERED)
        scores = list(result) if is_list else []
        asked = _SHOWN[self._method_name]
        what = self._target if self._owner is None else f"{self._target}: {self._method_name}()"
        if not is_list:
            raise WrongResultError(
                f"{what} returned a {type(result).__name__}: return a list with a number for each {asked}"
            )
        if len(scores) != len(batch):
            raise WrongResultError(
                f"{what} returned {count_of(len(scores), 'number')} for {count_of(len(batch), asked)}: return one each"
            )
        if self._method_name != "answer":
            scores = [_number(one, f"{what} returned", asked) for one in scores]
        return [self._parsed(request, one) for request, one in zip(batch, scores, strict=True)]

    def _parsed(self, request: Request, raw: Any) -> Outcome:
        """The observation that the protocol parses from a result; a third-party protocol may raise anything."""
        if isinstance(raw, BaseException):
            return raw
        if self._method_name != "answer":
            return self._asking.parse(request, raw)
        try:
            return self._asking.parse(request, raw)
        except (Exception, SystemExit) as error:  # noqa: BLE001  the boundary that turns any failure into an observation
            return error

    @cached_property
    def _asking(self) -> ProtocolLike:
        return load_protocol(self.protocol).protocol


_SHOWN = {"score": "conversation", "compare": "pair", "answer": "question"}
"""The methods that a class may have, and the name of the elements of their argument."""
METHODS = tuple(_SHOWN)


def _method_of(target: str, made: Any) -> str:
    """The one of the possible methods that a class has."""
    found = [name for name in _SHOWN if callable(getattr(made, name, None))]
    if len(found) != 1:
        every = "score(conversations), compare(pairs) or answer(questions)"
        has = f"no method {every}" if not found else f"the methods {' and '.join(found)}"
        raise ModelError(
            f"{target} has {has}: give it one, which returns a number for each conversation, the probability that the "
            "first response of each pair is better, or the raw output that the class's protocol parses"
        )
    return found[0]


def _protocol_of(target: str, made: Any) -> str:
    """The protocol that a class with a method `answer` names; a relative path is relative to the class's file."""
    spec = getattr(made, "protocol", None)
    if not isinstance(spec, str):
        raise ModelError(
            f"{target} has a method answer but no attribute protocol: add it, with a registered name or file.py:Class"
        )
    if not is_file_spec(spec):
        return spec
    file, _, name = spec.rpartition(":")
    return f"{Path(target.rpartition(':')[0]).parent / file}:{name}"


def _shown_value(value: Any) -> str:
    """The representation of a value, shortened to 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(score: Any, said: str, asked: str) -> float | BaseException:
    """Convert a score to a float: a number, a tensor on any device, or a list of one number; None becomes NaN.

    An exception is returned unchanged, as the failure of this conversation only.
    """
    given = score
    if isinstance(score, list | tuple) and len(score) == 1:
        (score,) = score
    if score is None or isinstance(score, BaseException):
        return math.nan if score is None else score
    try:
        return float(score.item() if hasattr(score, "item") else score)
    except (TypeError, ValueError, RuntimeError):
        return ModelError(f"{said} {_shown_value(given)} for a {asked}: return a list with a number for each")
