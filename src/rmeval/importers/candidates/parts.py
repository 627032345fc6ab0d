"""Prompts with candidate responses, as a row of a published file states them, and reading of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.formats.base import Reading, of_steps
from rmeval.messages import quoted
from rmeval.types import Conversation, Message

__all__ = [
    "OWN",
    "Candidate",
    "Layout",
    "Prompt",
    "answer_in",
    "name_in",
    "quality_in",
    "question_in",
    "score_in",
]

OWN = ""
"""Name of the only reward model of a file, which is then called after the file."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One response, as a file states it.

    Attributes:
        text: The text; None if the file does not contain it.
        key: What identifies the response among those of its prompt: the number of a sample, or its writer.
        quality: Higher is better; NaN if the file does not state it.
        answer: The final answer; None if there is none.
        scores: Its score by reward model; NaN for a missing score.
    """

    text: str | None
    key: str | None = None
    quality: float = math.nan
    answer: str | None = None
    scores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with some or all of its candidates, as a row of a file states them.

    Attributes:
        where: File and row, for messages.
        id: Id of the prompt; None if the file has none.
        text: The prompt; empty if the file does not contain it.
        candidates: The candidates of the row.
        subset: The part of the data that it belongs to, if stated.
        cluster: The underlying problem, if stated.
        answers: Whether the row has a column of final answers.
        pick: Whether the candidate is only the pick of a reward model among candidates that another file contains.
    """

    where: str
    id: str | None
    text: Conversation
    candidates: Sequence[Candidate]
    subset: str | None = None
    cluster: str | None = None
    answers: bool = False
    pick: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A published layout of candidates.

    Attributes:
        name: Description of the layout, for messages.
        takes: Returns whether a set of columns is that of the layout.
        read: Reads the prompts of a row.
        rows: Whether a row is a whole `prompt` with all its candidates, one `candidate` of a prompt, or one `sample` of
            a series that may have a file for each sample.
        notes: What a reader must know about all files of this layout.
        reference: The evaluation whose numbers on ties and empty answers a note states; empty if there is none.
    """

    name: str
    takes: Callable[[set[str]], bool]
    read: Callable[[Row, Reading], Iterator[Prompt]]
    rows: Literal["prompt", "candidate", "sample"] = "prompt"
    notes: tuple[str, ...] = ()
    reference: str = ""


_IDS = ("id", "prompt_id", "question_id", "problem_id", "item_id", "idx", "unique_id", "uid")
_QUESTIONS = ("prompt", "question", "problem", "instruction", "query", "input")


def name_in(row: Row, columns: Sequence[str] = _IDS) -> str | None:
    """Return the id of a row's prompt, from the first column that is present."""
    return next((name for column in columns if (name := row.optional_name(column)) is not None), None)


def question_in(row: Row, columns: Sequence[str] = _QUESTIONS) -> Conversation:
    """Return the prompt of a row, from the first column that is present; empty if there is none."""
    for column in columns:
        value = row.fields.get(column)
        if isinstance(value, str) and value:
            return (Message("user", row.text(column)),)
        if isinstance(value, list) and value:
            return row.conversation(column)
    return ()


def score_in(row: Row, value: Any, reading: Reading) -> float:
    """Read a score, or reduce the scores of a response's steps; NaN for a missing or infinite one."""
    found = of_steps(row, value, reading)
    return found if math.isfinite(found) else math.nan


_WORDS = {"true": 1.0, "false": 0.0, "": math.nan, "null": math.nan, "none": math.nan, "nan": math.nan}


def quality_in(row: Row, column: str, value: Any) -> float:
    """Read a quality: a number, true or false (also as text, as in CSV), or NaN if it is missing.

    Raises:
        DataError: If it is anything else.
    """
    if value is None:
        return math.nan
    if isinstance(value, str) and (word := value.strip().lower()) in _WORDS:
        return _WORDS[word]
    try:
        found = float(value) if isinstance(value, bool | int | float | str) else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise DataError(
            f"{row.where}: column {column!r} must contain numbers, true, false or null, not {quoted(value)}: correct it"
        )
    return found if math.isfinite(found) else math.nan


def answer_in(row: Row, column: str, value: Any) -> str | None:
    """Read a final answer; None for a missing or empty one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, list | dict):
        raise row.wrong(column, "an answer for each response", value)
    return str(value).strip() or None
