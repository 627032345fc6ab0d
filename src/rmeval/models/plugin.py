"""The user's own scorer: a class with a `score(conversations)` method, from a file or an installed package."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from rmeval.digests import digest, files_digest
from rmeval.errors import ModelError
from rmeval.models import ModelOptions
from rmeval.plugins import is_file_spec, load_object, one_line
from rmeval.protocols import pointwise
from rmeval.spool import windows
from rmeval.types import Observation, Request

__all__ = ["Plugin"]

_BATCH = 64
_UNORDERED = (Mapping, Set, str, bytes)
"""What could be taken for a list of numbers, and is none."""


class Plugin:
    """Calls `score(conversations)` of the user's class.

    The method gets a list of conversations, each a list of `{"role": ..., "content": ...}` ending in the assistant's
    answer, and returns as many numbers. The class is made without arguments, or with `model_kwargs` as keywords.
    """

    kind = "plugin"

    def __init__(self, name: str, target: str, options: ModelOptions) -> None:
        self.name = target.rpartition(":")[2] if is_file_spec(name) else name
        self._target = target
        self._kwargs = dict(options.model_kwargs)
        self._batch = options.batch_size or _BATCH
        self._class = load_object(target)
        if not callable(getattr(self._class, "score", None)):
            raise ModelError(
                f"{target} has no method score(conversations): add one that returns a number for each conversation"
            )

    def identity(self) -> dict[str, Any]:
        """The file's sum, or the installed package's name and version, and the arguments it is made with."""
        if is_file_spec(self._target):
            code = f"sha256:{files_digest([Path(self._target.rpartition(':')[0])])}"
        else:
            from importlib.metadata import packages_distributions, version

            package = self._target.partition(":")[0].partition(".")[0]
            code = " ".join(f"{name}=={version(name)}" for name in packages_distributions().get(package, [package]))
        return {"model": f"{self._target.rpartition(':')[2]} {code}", "model_kwargs": digest(self._kwargs)}

    def facts(self) -> dict[str, Any]:
        """Where the class came from."""
        return {"target": self._target}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Scores batches of conversations; one that fails alone becomes an error, and the run goes on."""
        try:
            scorer = self._class(**self._kwargs)
        except Exception as error:  # The user's own code may raise anything.
            reason = one_line(error)
            raise ModelError(
                f"{self._target} cannot be made with {self._kwargs} ({reason}): check --model-kwargs"
            ) from error
        for batch in windows(requests, self._batch):
            yield self._observe(scorer, batch)

    def _observe(self, scorer: Any, batch: Sequence[Request]) -> list[Observation]:
        conversations = [[{"role": m.role, "content": m.content} for m in request.conversation] for request in batch]
        try:
            answer = scorer.score(conversations)
            scores = [] if isinstance(answer, _UNORDERED) else [_number(score) for score in answer]
        except (Exception, SystemExit) as error:  # noqa: BLE001  the one boundary that turns a failure into an observation
            if len(batch) > 1:
                # One bad conversation must not take its neighbours along.
                return [observation for request in batch for observation in self._observe(scorer, [request])]
            line = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{one_line(error)} ({Path(line.filename).name} line {line.lineno})"
            return [Observation(request.key, "error", error=reason) for request in batch]
        if isinstance(answer, _UNORDERED):
            raise ModelError(
                f"{self._target}: score() returned a {type(answer).__name__}: "
                "return a list with a number for each conversation"
            )
        if len(scores) != len(batch):
            raise ModelError(
                f"{self._target}: score() returned {len(scores)} numbers for {len(batch)} conversations: "
                "return one each"
            )
        return [pointwise.parse(request.key, score) for request, score in zip(batch, scores, strict=True)]


def _number(score: Any) -> float:
    """A number, also where it comes as a tensor on some device, or as a row of a column of one."""
    if isinstance(score, list | tuple) and len(score) == 1:
        (score,) = score
    return float(score.item() if hasattr(score, "item") else score)
