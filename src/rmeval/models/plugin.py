"""The user's own scorer, from a file or an installed package: what it does wrong becomes an observation."""

from __future__ import annotations

import inspect
import logging
import math
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from rmeval.cache import Sources
from rmeval.data.digests import digest
from rmeval.data.spool import windows
from rmeval.errors import ModelError, RmevalError
from rmeval.models import ModelOptions, pairwise_protocol
from rmeval.models.functions import Score, as_score, waited
from rmeval.plugins import is_file_spec, load_object, one_line
from rmeval.protocols import pointwise
from rmeval.protocols.pairwise import parse_preference
from rmeval.protocols.pointwise import POINTWISE
from rmeval.types import Observation, Request

__all__ = ["Plugin"]

logger = logging.getLogger(__name__)

_BATCH = 64
_UNORDERED = (Mapping, Set, str, bytes)
"""What could be taken for a list of numbers, and is none."""


class Plugin:
    """Calls the user's function, or `score(conversations)` of the user's class.

    The method gets a list of conversations, each a list of `{"role": ..., "content": ...}` ending in the assistant's
    answer, and returns as many numbers, None or NaN where it has none. The class is made without arguments, or with
    `model_kwargs` as keywords. How functions are called is said in `rmeval.models.functions`.
    """

    kind = "plugin"

    def __init__(self, name: str, target: str, options: ModelOptions) -> None:
        self.name = target.rpartition(":")[2] if is_file_spec(name) else name
        self._target = target
        self._kwargs = dict(options.model_kwargs)
        self._batch = options.batch_size or _BATCH
        self._sources = self._find_sources()
        found = load_object(target)
        self._class: Any = found if inspect.isclass(found) else None
        self._function = None if self._class else as_score(target, found, self._kwargs)
        compares = self._class is not None and callable(getattr(found, "compare", None))
        scores = callable(getattr(found, "score", None))
        if self._class and scores == compares:
            has = "both methods" if scores else "no method score(conversations) and no"
            raise ModelError(
                f"{target} has {has} compare(pairs): give it the first, which returns a number for each, or the "
                "second, which returns the probability that the first answer is better"
            )
        if options.against != "all" and not compares:
            raise ModelError(f"{target} scores answers and compares none: leave `against` out")
        self.protocol = pairwise_protocol(options.against) if compares else POINTWISE.name

    def _find_sources(self) -> tuple[Sources, ...]:
        """The file, before it is run; what it imports is not looked at."""
        file = Path(self._target.rpartition(":")[0])
        if not is_file_spec(self._target) or not file.is_file():
            return ()
        return (Sources(file.parent, lambda: [file]),)

    def identity(self) -> dict[str, Any]:
        """The file's sum, or the installed package's name and version, and the arguments it is made with."""
        if self._sources:
            code = f"sha256:{self._sources[0].digest}"
        else:
            from importlib.metadata import packages_distributions, version

            package = self._target.partition(":")[0].partition(".")[0]
            code = " ".join(f"{name}=={version(name)}" for name in packages_distributions().get(package, [package]))
        return {"model": f"{self._target.rpartition(':')[2]} {code}", "model_kwargs": digest(self._kwargs)}

    def facts(self) -> dict[str, Any]:
        """Where the class or the function came from."""
        return {"target": self._target}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Scores batches of conversations; one that fails alone becomes an error, and the run goes on."""
        score = self._function or self._method()
        takes_tools = "tools" in inspect.signature(score).parameters
        without = 0
        for batch in windows(requests, self._batch):
            without += 0 if takes_tools else sum(bool(request.tools) for request in batch)
            found = self._observe(score, batch, takes_tools)
            for one in self._sources:
                one.check()
            yield found
        if without:
            logger.warning(
                "%s does not get the tools of %d requests: let it take a parameter tools, a list for each",
                self._target,
                without,
            )

    def _method(self) -> Score:
        """The method of the class, which is made now."""
        try:
            made = self._class(**self._kwargs)
        except Exception as error:  # The user's own code may raise anything.
            reason = one_line(error)
            raise ModelError(
                f"{self._target} cannot be made with {self._kwargs} ({reason}): check `model_kwargs`"
            ) from error
        found: Score = made.compare if self._compares else made.score
        return found

    @property
    def _compares(self) -> bool:
        return self.protocol != POINTWISE.name

    def _shown(self, request: Request) -> Any:
        """What the user's code gets of a request."""
        if not self._compares:
            return [message.to_dict() for message in request.conversation]
        prompt = [message.to_dict() for message in request.prompt]
        return {"prompt": prompt, "first": request.responses[0], "second": request.responses[1]}

    def _observe(self, score: Score, batch: Sequence[Request], takes_tools: bool) -> list[Observation]:
        more = {"tools": [list(request.tools) for request in batch]} if takes_tools else {}
        parse = parse_preference if self._compares else pointwise.parse
        try:
            answer = waited(score([self._shown(request) for request in batch], **more))
            is_list = isinstance(answer, Iterable) and not isinstance(answer, _UNORDERED)
            scores = list(answer) if is_list else []
        except (Exception, SystemExit) as error:
            if len(batch) > 1:
                # One bad conversation must not take its neighbours along.
                return [
                    observation for request in batch for observation in self._observe(score, [request], takes_tools)
                ]
            if isinstance(error, MemoryError):
                raise  # It says nothing of the conversation, which is asked again in the next run.
            return [_failed(request, error) for request in batch]
        method, asked = ("compare", "pair") if self._compares else ("score", "conversation")
        what = f"{self._target}: {method}()" if self._class else self._target
        if not is_list:
            raise ModelError(f"{what} returned a {type(answer).__name__}: return a list with a number for each {asked}")
        if len(scores) != len(batch):
            raise ModelError(f"{what} returned {len(scores)} numbers for {len(batch)} {asked}s: return one each")
        numbers = [_number(one, f"{what} returned", asked) for one in scores]
        return [
            _failed(request, one) if isinstance(one, BaseException) else parse(request.key, one)
            for request, one in zip(batch, numbers, strict=True)
        ]


def _shown_value(value: Any) -> str:
    """What a value looks like, if that is short."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _failed(request: Request, error: BaseException) -> Observation:
    if isinstance(error, RmevalError):
        return Observation(request.key, "error", error=str(error))
    lines = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(lines[-1].filename).name} line {lines[-1].lineno})" if lines else ""
    return Observation(request.key, "error", error=one_line(error) + where)


def _number(score: Any, said: str, asked: str) -> float | BaseException:
    """A number, also where it comes as a tensor on some device, or as a row of a column of one; NaN for None.

    An exception stands for the failure of one conversation among many.
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
