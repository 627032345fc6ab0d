"""Token scores: the output of the head at each token of a response."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.data.conversations import MessageReader
from rmeval.data.digests import conversation_digest
from rmeval.data.rows import iterate_rows
from rmeval.data.writing import row_writer, write_rows
from rmeval.errors import DataError, ModelError, RunError
from rmeval.models import RewardModel
from rmeval.models.token_scores import TokenScores
from rmeval.protocols.pointwise import conversation_requests
from rmeval.runs.observe import Progress, silent
from rmeval.runs.score_file import (
    conversations_of,
    output_file,
    refuse_existing,
    rows_of_source,
    tools_of_row,
)
from rmeval.store.manifest import finite
from rmeval.types import FloatArray, Request

if TYPE_CHECKING:
    from rmeval.models.classifier import Classifier

__all__ = ["classifier_of", "read_token_scores", "row_of_token_scores", "token_scores_of_file", "token_scores_of_row"]


def token_scores_of_file(
    model: RewardModel,
    source: Path,
    target: Path,
    progress: Progress = silent,
    reader: MessageReader | None = None,
    overwrite: bool = True,
) -> list[TokenScores]:
    """Write the output of the head at each token of each conversation of a file.

    Args:
        model: A classifier with a causal network.
        source: JSONL, JSON, CSV or parquet, or standard input, as for `score_file`.
        target: File to write, in the format of its ending, with one row per conversation: `tokens`, `scores` (one per
            token), `answer` (position of the response's first token), `model` (its name) and `conversation` (the
            digest of the conversation, by which the viewer finds the response).
        progress: Called with the number of conversations that are done and the total.
        reader: The reader of messages, if their roles or keys have other names.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The token scores, in the order of the conversations.

    Raises:
        RmevalError: If the model cannot be read at single tokens, or a file cannot be read or written.
    """
    classifier = classifier_of(model)
    target, write = output_file(target), row_writer(target)
    if not overwrite:
        refuse_existing(target)
    reader = reader or MessageReader(hint=False)
    requests: list[Request] = []
    for row in rows_of_source(source):
        conversations = conversations_of(row, reader)
        requests += conversation_requests(conversations, [tools_of_row(row, reader)] * len(conversations))
    found: dict[int, TokenScores] = {}
    progress(0, len(requests))
    for index, one in classifier.token_scores(requests):
        found[index] = one
        progress(len(found), len(requests))
    scored = [found[index] for index in range(len(requests))]
    if scored and not any(np.isfinite(one.scores).any() for one in scored):
        raise RunError(
            f"{model.name} returns {scored[0].scores[-1]} at every token: check its weights, or try another `dtype`"
        )
    write_rows(target, _rows(model.name, requests, scored), write)
    return scored


def classifier_of(model: RewardModel) -> Classifier:
    """The model, as one that can be read at single tokens.

    Raises:
        ModelError: If it is not a classifier.
    """
    from rmeval.models.classifier import Classifier

    if not isinstance(model, Classifier):
        raise ModelError(f"{model.name} is a model of the kind {model.kind}: token scores need a classifier")
    return model


def _rows(model: str, requests: Iterable[Request], scored: Iterable[TokenScores]) -> Iterator[dict[str, Any]]:
    for request, one in zip(requests, scored, strict=True):
        yield row_of_token_scores(model, request, one)


def row_of_token_scores(model: str, request: Request, one: TokenScores) -> dict[str, Any]:
    """The row of a conversation's token scores.

    Args:
        model: The model's name.
        request: The request with the conversation.
        one: The token scores.
    """
    row = {"tokens": list(one.tokens), "scores": one.scores.tolist(), "answer": one.start, "model": model}
    return finite(row | {"conversation": conversation_digest(request.conversation, request.tools)})  # type: ignore[no-any-return]


def read_token_scores(source: Path) -> Iterator[tuple[str, str, TokenScores]]:
    """Read a file of `token_scores_of_file`: the model's name, the conversation's digest, and the token scores.

    Raises:
        RmevalError: If the file cannot be read, or a row is not one of these.
    """
    for row in iterate_rows(source):
        found = token_scores_of_row(row.fields)
        names = row.fields.get("model"), row.fields.get("conversation")
        if found is None or not all(isinstance(name, str) for name in names):
            raise DataError(
                f"{row.where} is no row of token scores (`tokens`, `scores`, `answer`, `model` and `conversation`): "
                "write the file with `rmeval token-scores`"
            )
        yield str(names[0]), str(names[1]), found


def token_scores_of_row(fields: Mapping[str, Any]) -> TokenScores | None:
    """The token scores of a row; None if it has none."""
    try:
        tokens, scores = (_listed(fields[name]) for name in ("tokens", "scores"))
        start = int(fields["answer"])
        values: FloatArray = np.array([np.nan if one is None else one for one in scores], np.float64)
    except (LookupError, TypeError, ValueError):
        return None
    if not isinstance(tokens, list) or values.shape != (len(tokens),) or not 0 <= start <= len(tokens):
        return None
    return TokenScores(tuple(map(str, tokens)), values, start)


def _listed(value: Any) -> Any:
    """A list; in CSV it is JSON in a text."""
    return json.loads(value) if isinstance(value, str) else value
