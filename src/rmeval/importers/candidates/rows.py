"""Layouts with a row for each response, or for each pick of a reward model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

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
from rmeval.messages import quoted

__all__ = ["LAYOUTS"]

_RESPONSES = ("response", "output", "completion", "candidate", "solution", "text")
_KEYS = ("response_id", "sample_id", "sample", "response_index", "candidate_id")
_QUALITIES = ("gold", "quality", "correct", "is_correct", "label")
_ANSWERS = ("answer", "final_answer", "extracted_answer", "pred")
_PROMPTS = {"prompt", "question", "problem", "instruction", "id", "prompt_id", "question_id", "problem_id", "item_id"}
_PICKS = ("pick", "picked", "picked_index", "pick_index", "index")
_SCORE = re.compile(r"(?:score|reward)(?:_(.+))?|(.+)_(?:score|reward)")
"""Names of columns with a score: of the reward model that the file is called after, or of one that the name states."""


def _scores(row: Row, reading: Reading) -> dict[str, float]:
    """Read a row's scores by reward model."""
    matches = {name: match for name in row.fields if (match := _SCORE.fullmatch(name))}
    return {match[1] or match[2] or OWN: score_in(row, row.fields[name], reading) for name, match in matches.items()}


def _first(fields: Mapping[str, Any], columns: tuple[str, ...]) -> str | None:
    return next((column for column in columns if fields.get(column) is not None), None)


def _is_table(columns: set[str]) -> bool:
    known = columns & {*_QUALITIES} or any(map(_SCORE.fullmatch, columns))
    return bool(known and columns & _PROMPTS and columns & {*_RESPONSES, *_KEYS})


def _table(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read a row of a table with a row for each response."""
    text, key = _response(row)
    if text is None and key is None:
        raise DataError(f"{row.where}: the row has no text or number of its response: add a column 'response'")
    gold, answer = _first(row.fields, _QUALITIES), _first(row.fields, _ANSWERS)
    found = Candidate(
        text,
        key,
        quality_in(row, gold or "gold", row.fields.get(gold or "")),
        answer_in(row, answer or "answer", row.fields.get(answer or "")),
        _scores(row, reading),
    )
    yield Prompt(
        row.where,
        name_in(row),
        question_in(row),
        (found,),
        row.optional_name("subset"),
        row.optional_name("cluster"),
        any(column in row.fields for column in _ANSWERS),
    )


def _response(row: Row) -> tuple[str | None, str | None]:
    """Return the text of a row's response and its number; in rmeval's own scores, `response` may be the number."""
    key = name_in(row, _KEYS)
    column = _first(row.fields, _RESPONSES)
    if column is None:
        return None, key
    value = row.fields[column]
    number = type(value) is int or ("item_id" in row.fields and isinstance(value, str) and value.strip().isdecimal())
    return (None, str(int(value))) if number and key is None else (row.text(column), key)


_SAMPLE = re.compile(r".+\.(\d+)", re.DOTALL)
_PICKED = "-BoN"
"""Ending of the generator's name in reward-bench's files of picked responses (`bon_eval/rm_bon_eval.py`)."""


def _annotation(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read a judge's preference between a reference's output and a sample, whose quality it is.

    AlpacaEval's preference is from 1, for the first output, to 2, for the second; 0 and 1.5 are draws
    (`alpaca_eval/metrics/helpers.py`). The sample is the second, unless only the first is the pick of a reward model or
    has a number.
    """
    writers = [row.text("generator_1"), row.text("generator_2")]
    picked = [writer.endswith(_PICKED) for writer in writers]
    first = picked[0] > picked[1] or (not any(picked) and _is_sample(writers[0]) > _is_sample(writers[1]))
    second = not first
    preference = quality_in(row, "preference", row.get("preference"))
    preference = 1.5 if preference == 0 else preference
    if preference == preference and not 1 <= preference <= 2:
        reading.remark("the preference is not between 1 and 2, and the quality is unknown")
        preference = float("nan")
    quality = preference - 1 if second else 2 - preference
    writer = writers[second]
    yield _sample(row, row.text(f"output_{1 + second}"), writer, quality, writer.endswith(_PICKED))


def _output(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read an output in AlpacaEval's layout: a sample with a number, or the pick of a reward model."""
    writer = row.text("generator")
    yield _sample(row, row.text("output"), writer, float("nan"), not _is_sample(writer))


def _is_sample(writer: str) -> bool:
    return _SAMPLE.fullmatch(writer) is not None


def _sample(row: Row, text: str, writer: str, quality: float, pick: bool) -> Prompt:
    scores = {writer.removesuffix(_PICKED): 1.0} if pick else {}
    candidate = Candidate(text, None if pick else writer, quality, None, scores)
    return Prompt(row.where, name_in(row, ("id",)), question_in(row, ("instruction",)), (candidate,), pick=pick)


def _numbered(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read a score of reward-bench's best-of-N: `id` is the number of the prompt and that of the sample."""
    place, score = row.get("id"), row.get("scores")
    if not isinstance(place, list) or len(place) != 2 or not all(type(own) in (int, str) for own in place):
        raise row.wrong("id", "a list of a prompt's number and a sample's", place)
    yield Prompt(
        row.where,
        str(place[0]),
        question_in(row, ("prompt", "instruction")),
        (Candidate(None, str(place[1]), scores={OWN: score_in(row, score, reading)}),),
    )


def _is_pick(columns: set[str]) -> bool:
    return bool(columns & {*_PICKS} and columns & _PROMPTS and not columns & {"scores", "responses", "preference"})


def _pick(row: Row, reading: Reading) -> Iterator[Prompt]:
    """Read the pick of a reward model: the number of a response, or its text."""
    column = _first(row.fields, _PICKS)
    value = row.fields.get(column or "")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f"{row.where}: the pick must be the number of a response or its text, not {quoted(value)}")
    model = row.optional_name("reward_model") or row.optional_name("model") or OWN
    number = isinstance(value, int) or value.strip().isdecimal()
    picked = Candidate(None, str(int(value)), scores={model: 1.0}) if number else Candidate(value, scores={model: 1.0})  # type: ignore[arg-type]
    yield Prompt(row.where, name_in(row), question_in(row), (picked,), pick=True)


LAYOUTS = (
    Layout(
        "AlpacaEval's annotations ('instruction', 'generator_1', 'generator_2', 'preference')",
        has("instruction", "output_1", "output_2", "generator_1", "generator_2", "preference"),
        _annotation,
        rows="sample",
        notes=(
            "the quality of a response is the judge's preference over the reference's output: 1 is a win, 0 a loss",
        ),
    ),
    Layout(
        "AlpacaEval's outputs ('instruction', 'output', 'generator')",
        has("instruction", "output", "generator"),
        _output,
        rows="sample",
    ),
    Layout(
        "reward-bench's best-of-N scores ('id', 'scores', 'config')",
        has("id", "scores", "config"),
        _numbered,
        "candidate",
    ),
    Layout(
        "reward-bench's best-of-N scores ('id', 'scores', 'dataset_details')",
        has("id", "scores", "dataset_details"),
        _numbered,
        "candidate",
    ),
    Layout("picks of a reward model ('pick')", _is_pick, _pick, "candidate"),
    Layout("a table with a row for each response", _is_table, _table, "candidate"),
)
