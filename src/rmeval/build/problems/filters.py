"""Filters of problems by their own text and columns; each that leaves one out states why."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from rmeval.build.problems.options import FilterOptions
from rmeval.build.problems.reading import ReadProblem
from rmeval.build.problems.words import words
from rmeval.build.records import Dropped
from rmeval.errors import DataError
from rmeval.messages import chosen_from, count_of, quoted, shortened

__all__ = ["check_languages", "language_of", "left_out"]

_SURE = 0.9
"""Probability from which a text counts as one of another language. Of the English problems of HumanEval, MBPP, GSM8K
and MATH, none is classified so surely as another language; 5% of MATH are less surely."""

Finding = tuple[str, str]
"""Reason and detail."""


def left_out(found: ReadProblem, filters: FilterOptions) -> Dropped | None:
    """Return why a problem is left out by itself; None if it is not.

    Raises:
        DataError: If a column of `where` does not exist.
    """
    for check in _CHECKS:
        if finding := check(found, filters):
            return Dropped(found.problem.key, *finding)
    return None


def _empty(found: ReadProblem, filters: FilterOptions) -> Finding | None:
    return None if found.text.strip() else ("empty prompt", "")


def _columns(found: ReadProblem, filters: FilterOptions) -> Finding | None:
    for column, values in filters.where.items():
        if column not in found.fields:
            raise DataError(f"{found.where}: there is no column {quoted(column)}, which `where` in `filters` names")
        value = found.fields[column]
        if value not in values and str(value) not in map(str, values):
            return "excluded by a column", f"{column} is {shortened(value, 80)}"
    return None


def _length(found: ReadProblem, filters: FilterOptions) -> Finding | None:
    sizes = (
        (filters.characters, len(found.text), "character"),
        (filters.words, len(words(found.text)), "word"),
    )
    for wanted, size, unit in sizes:
        if size < wanted.min:
            return "too short", count_of(size, unit)
        if wanted.max is not None and size > wanted.max:
            return "too long", count_of(size, unit)
    return None


def _patterns(found: ReadProblem, filters: FilterOptions) -> Finding | None:
    for pattern in filters.exclude:
        if match := re.search(pattern, found.text):
            return "matches an excluded pattern", f"{pattern} matches {quoted(match[0], 80)}"
    for pattern in filters.include:
        if not re.search(pattern, found.text):
            return "lacks an included pattern", pattern
    return None


def _language(found: ReadProblem, filters: FilterOptions) -> Finding | None:
    if not filters.text_languages:
        return None
    language, probability = language_of(found.text)
    if language in filters.text_languages or probability < _SURE:
        return None
    return "another language", f"{language} with probability {probability:.3f}"


_CHECKS: tuple[Callable[[ReadProblem, FilterOptions], Finding | None], ...] = (
    _empty,
    _columns,
    _length,
    _patterns,
    _language,
)


def check_languages(filters: FilterOptions) -> None:
    """Check that texts can have the languages of a filter.

    Raises:
        DataError: If one is no known code, by which most texts would be left out.
    """
    if filters.text_languages and (unknown := set(filters.text_languages) - (known := set(_identifier().nb_classes))):
        first = min(unknown)
        raise DataError(f"there is no language {quoted(first)}: {chosen_from(first, sorted(known))}")


def language_of(text: str) -> tuple[str, float]:
    """The most likely language of a text by its ISO 639-1 code, and its probability."""
    language, probability = _identifier().classify(text)
    return language, float(probability)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
