"""Token scores: the output of the head at each token of a response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data.conversations import MessageReader
from rmeval.data.writing import row_writer, write_rows
from rmeval.errors import ModelError, RunError
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
from rmeval.types import Request

__all__ = ["token_scores_of_file"]


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
            token) and `answer` (position of the response's first token).
        progress: Called with the number of conversations that are done and the total.
        reader: The reader of messages, if their roles or keys have other names.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The token scores, in the order of the conversations.

    Raises:
        RmevalError: If the model cannot be read at single tokens, or a file cannot be read or written.
    """
    from rmeval.models.classifier import Classifier

    if not isinstance(model, Classifier):
        raise ModelError(f"{model.name} is a model of the kind {model.kind}: token scores need a classifier")
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
    for index, one in model.token_scores(requests):
        found[index] = one
        progress(len(found), len(requests))
    scored = [found[index] for index in range(len(requests))]
    if scored and not any(np.isfinite(one.scores).any() for one in scored):
        raise RunError(
            f"{model.name} returns {scored[0].scores[-1]} at every token: check its weights, or try another `dtype`"
        )
    write_rows(target, _rows(scored), write)
    return scored


def _rows(scored: Iterable[TokenScores]) -> Iterator[dict[str, Any]]:
    for one in scored:
        yield finite({"tokens": list(one.tokens), "scores": one.scores.tolist(), "answer": one.start})
