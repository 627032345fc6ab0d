"""Layouts with a row for each prompt, whose columns contain lists with a value for each response."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rmeval.benchmarks.ppe_correctness import PPECorrectness
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.candidates.parts import (
    OWN,
    Candidate,
    Layout,
    Prompt,
    answer_in,
    name_in,
    quality_in,
    question_in,
    score_in,
)
from rmeval.importers.formats.base import Reading, has
from rmeval.importers.formats.maths import right_one
from rmeval.messages import count_of

__all__ = ["LAYOUTS"]

_SCORES = re.compile(r"(?:scores|rewards|pred_scores?)_(.+)|(.+)_(?:scores|rewards|pred_scores?)")
"""Names of columns with the scores of one of several reward models."""


def _own(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read rmeval's candidates, with the scores of one reward model or of several."""
    yield Prompt(
        row.where,
        name_in(row, ("id",)),
        question_in(row, ("prompt",)),
        _candidates(row, row.texts("responses"), ("gold", "answers", "scores"), reading),
        row.optional_name("subset"),
        row.optional_name("cluster"),
        row.fields.get("answers") is not None,
    )


def _qwen(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read a problem of Qwen2.5-Math's evaluation, whose texts are in `code` and again in `response`."""
    gold = row.get("score")
    if not isinstance(gold, list):
        raise row.wrong("score", "a list of true and false", gold)
    column = next((name for name in ("code", "response") if isinstance(row.fields.get(name), list)), None)
    texts: list[str] | list[None] = row.texts(column) if column else [None] * len(gold)
    yield Prompt(
        row.where,
        name_in(row, ("idx", "id", "unique_id")),
        question_in(row, ("question", "problem", "query")),
        _candidates(row, texts, ("score", "pred", "pred_score"), reading),
        row.optional_name("data_source") or row.optional_name("data_name"),
        answers=True,
    )


def _candidates(
    row: Row, texts: list[str] | list[None], columns: tuple[str, str, str], reading: Reading
) -> list[Candidate]:
    """Join a row's lists into candidates.

    Args:
        row: The row.
        texts: The responses.
        columns: Names of the columns with the qualities, the final answers and the scores, each of which may be
            missing.
        reading: The state of the reader.
    """
    size = len(texts)
    quality, answer, score = columns
    gold, answers = (_listed(row, column, row.fields.get(column), size) for column in (quality, answer))
    scores = {model: _listed(row, score, values, size) for model, values in _by_model(row, score).items()}
    return [
        Candidate(
            text,
            str(place) if text is not None else None,
            quality_in(row, quality, gold[place]),
            answer_in(row, answer, answers[place]),
            {model: score_in(row, values[place], reading) for model, values in scores.items()},
        )
        for place, text in enumerate(texts)
    ]


def _by_model(row: Row, column: str) -> dict[str, Any]:
    """Return the lists of scores of a row by reward model: of one, of an object of several, or of several columns."""
    found: dict[str, Any] = {}
    for name, value in row.fields.items():
        if name == column and isinstance(value, dict):
            found |= value
        elif name == column:
            found[OWN] = value
        elif (match := _SCORES.fullmatch(name)) and isinstance(value, list):
            found[match[1] or match[2]] = value
    return found


def _listed(row: Row, column: str, values: Any, size: int) -> list[Any]:
    """Return a column's value for each response; null stands for no values.

    Raises:
        DataError: If it is not a list of this length.
    """
    if values is None:
        return [None] * size
    if not isinstance(values, list):
        raise row.wrong(column, f"a list of {count_of(size, 'value')}", values)
    if len(values) != size:
        raise DataError(
            f"{row.where}: column {column!r} has {count_of(len(values), 'value')} for "
            f"{count_of(size, 'response')}: give one for each response, or null"
        )
    return values


def _reward_math(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read a problem of RewardMATH: a right solution and wrong ones, identified by their writers."""
    writers = row.texts("solution_reference")
    scores = _listed(row, "score", row.get("score"), len(writers))
    right = right_one(writers)
    times: Counter[str] = Counter()
    found = []
    for place, (writer, score) in enumerate(zip(writers, scores, strict=True)):
        times[writer] += 1
        key = f"{writer} #{times[writer]}"
        found.append(Candidate(None, key, float(place == right), None, {OWN: score_in(row, score, reading)}))
    yield Prompt(row.where, None, question_in(row, ("problem",)), found)


def _verdicts(row: Row, reading: Reading) -> Iterator[Prompt]:
    raise DataError(
        f"{row.where}: verdicts on pairs give no score to each response: give the model's file of scores, or show the "
        "verdicts with rmeval import"
    )


def _ppe(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read a question of PPE correctness: responses with their correctness, without scores."""
    for item in PPECorrectness().items(row):
        own = [Candidate(one.text, str(place), one.gold or 0.0) for place, one in enumerate(item.responses)]
        yield Prompt(row.where, item.id, item.prompt, own, item.subset, item.cluster)


LAYOUTS = (
    Layout("rmeval's candidates ('prompt', 'responses')", has("prompt", "responses"), _own),
    Layout(
        "Qwen2.5-Math's evaluation ('pred', 'score', 'pred_score')",
        lambda there: there >= {"pred", "score"} and bool(there & {"code", "response", "pred_score"}),
        _qwen,
        reference="Qwen2.5-Math's rm_maj_eval.py",
    ),
    Layout(
        "RewardMATH's verdicts on pairs",
        has("problem", "solution_reference", "score", "chosen_position"),
        _verdicts,
    ),
    Layout(
        "RewardMATH's scores ('problem', 'solution_reference' and 'score')",
        has("problem", "solution_reference", "score"),
        _reward_math,
        notes=(
            "each problem has one right solution and wrong ones by other writers: the curves describe a choice among "
            "these, not samples of one policy",
        ),
    ),
    Layout("PPE's responses ('response_1' to 'response_32' and 'scores')", has("response_1", "scores"), _ppe),
)
