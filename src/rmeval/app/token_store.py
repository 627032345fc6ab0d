"""Token scores beside items: those of files, and those that a model computes when a reader presses a button."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from rmeval.data.digests import conversation_digest, digest
from rmeval.errors import ModelError, RunError, explain_os_error
from rmeval.files import json_bytes, opened, replacing
from rmeval.models import RewardModel
from rmeval.models.token_scores import TokenScores
from rmeval.protocols.pointwise import conversation_requests
from rmeval.runs.token_scores import classifier_of, read_token_scores, row_of_token_scores, token_scores_of_row
from rmeval.store.manifest import Manifest
from rmeval.types import Conversation, Item

__all__ = ["BusyError", "ModelKey", "TokenStore"]

Tools = Sequence[Mapping[str, Any]]


class BusyError(RunError):
    """Another computation runs: one at a time, since each takes the memory of a model."""


@dataclass(frozen=True, slots=True)
class ModelKey:
    """The model of a run.

    Attributes:
        name: Its name.
        weights: The digest of its weights; empty where the run has none, as for a served model.
    """

    name: str
    weights: str

    @classmethod
    def of(cls, manifest: Manifest) -> ModelKey:
        """Return the key of a run's model."""
        weights = manifest["identity"].get("model")
        return cls(manifest["model"]["name"], weights if isinstance(weights, str) else "")


class TokenStore:
    """Token scores by model and conversation.

    A response is found by the digest of its conversation, so that no score is shown beside another text. A model is one
    that the reader names; nothing in a run folder decides which model is loaded.
    """

    def __init__(self, cache: Path, files: Iterable[Path] = (), models: Sequence[RewardModel] = ()) -> None:
        """Read the files, and the digests of the models' weights.

        Args:
            cache: The folder for token scores that are computed here.
            files: Files of `rmeval token-scores`.
            models: Models that may be run.

        Raises:
            RmevalError: If a file is none of these, or a model cannot be read at single tokens.
        """
        self._cache, self._running = cache, Lock()
        self._stored: dict[tuple[str, str], TokenScores] = {}
        for file in files:
            for name, conversation, scores in read_token_scores(file):
                self._stored[name, conversation] = scores
        self._models = {str(model.identity().get("model")): classifier_of(model) for model in models}

    def can_run(self, model: ModelKey) -> bool:
        """Whether the model is one of those that may be run."""
        return model.weights in self._models

    def find(self, model: ModelKey, item: Item, index: int) -> TokenScores | None:
        """Return the token scores of a response; None if they are not known.

        Args:
            model: The model.
            item: The item, with its texts.
            index: Position of the response.
        """
        name = conversation_digest(item.conversation(index), item.tools)
        if (found := self._stored.get((model.name, name))) is not None:
            return found
        return self._cached(model, name) if model.weights else None

    def compute(self, model: ModelKey, item: Item, indices: Sequence[int]) -> None:
        """Compute the token scores of some responses and keep them in the cache.

        Raises:
            BusyError: If another computation runs.
            RmevalError: If the model cannot be run on them, or the cache cannot be written.
        """
        if not self.can_run(model):
            raise ModelError(f"{model.name} may not be run here: start the viewer with it as `run_model`")
        wanted = [item.conversation(index) for index in indices if self.find(model, item, index) is None]
        if not self._running.acquire(blocking=False):
            raise BusyError("token scores of another item are being computed: try again when they are done")
        try:
            self._compute(model, wanted, item.tools)
        finally:
            self._running.release()

    def _compute(self, model: ModelKey, wanted: Sequence[Conversation], tools: Tools) -> None:
        requests = conversation_requests(wanted, [tuple(tools)] * len(wanted))
        for number, scores in self._models[model.weights].token_scores(requests):
            file = self._file(model, conversation_digest(wanted[number], tools))
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with replacing(file) as target:
                    target.write(json_bytes(row_of_token_scores(model.name, requests[number], scores)))
            except OSError as error:
                raise explain_os_error(error, str(file)) from error

    def _cached(self, model: ModelKey, conversation: str) -> TokenScores | None:
        with suppress(OSError, ValueError, RecursionError), opened(self._file(model, conversation)) as file:
            fields = json.loads(file.read())
            if isinstance(fields, dict) and fields.get("conversation") == conversation:
                return token_scores_of_row(fields)
        return None

    def _file(self, model: ModelKey, conversation: str) -> Path:
        return self._cache / digest(model.weights)[:16] / f"{conversation}.json"
