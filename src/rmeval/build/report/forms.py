"""What form alone gives away: linear models that see a response's words or its style, and nothing of the prompt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from rmeval.build.problems.words import sequences, words
from rmeval.build.styles.rules import measure
from rmeval.data.style import count_text
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.stats.preference_fit import FOLDS, Features, folds_of, held_out_scores
from rmeval.types import STYLES, FloatArray, Item

__all__ = ["FORMS", "SMALLEST", "form_evidence", "style_features", "word_features"]

SMALLEST = 2 * FOLDS
"""Smallest number of problems of a domain for which models are fitted."""
_MARKS = ".,;:!?()\"'-*`$=+/"
_LINES = re.compile(r"\n+")


def word_features(texts: Sequence[str]) -> csr_matrix:
    """Return which words and pairs of words each text contains, of those in two texts or more."""
    found = [sequences(own := words(text), 1) | sequences(own, 2) for text in texts]
    counts = Counter(gram for grams in found for gram in grams)
    place = {gram: number for number, gram in enumerate(sorted(gram for gram, count in counts.items() if count > 1))}
    columns = [sorted(place[gram] for gram in grams if gram in place) for grams in found]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.array([column for own in columns for column in own], np.int64)
    return csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(texts), len(place)))


def style_features(texts: Sequence[str]) -> FloatArray:
    """Return length, markdown and punctuation of each text, as logarithms of counts."""
    return np.log1p(np.array([_counts(text) for text in texts], dtype=np.float64))


def _counts(text: str) -> list[int]:
    own = count_text(text)
    return [
        own.characters,
        measure(text).words,
        len(_LINES.split(text)),
        own.headers,
        own.lists,
        own.bold,
        own.code,
        sum(letter.isdigit() for letter in text),
        sum(letter.isupper() for letter in text),
        *(text.count(mark) for mark in _MARKS),
    ]


def _scale(differences: Features) -> FloatArray:
    size = np.sqrt(np.square(np.asarray(differences)).mean(axis=0))
    found: FloatArray = np.where(size > 0, size, 1.0)
    return found


FORMS: dict[str, tuple[Callable[[Sequence[str]], Features], Callable[[Features], FloatArray] | None]] = {
    "words and bigrams": (word_features, None),
    "style only": (style_features, _scale),
}
"""The features of each model, and how they are scaled."""


def form_evidence(
    name: str, items: Sequence[Item], table: ItemTable, domains: Mapping[str, Sequence[str]]
) -> EvidenceTable:
    """Return the evidence of a form on the items: each domain has models of its own, fitted on its other problems.

    A model is fitted on chosen against rejected responses of the same style. Responses of domains with fewer than
    `SMALLEST` problems get no score.

    Args:
        name: One of `FORMS`.
        items: The items with their texts.
        table: The same without texts.
        domains: The domains and the subsets in each.
    """
    make, scale = FORMS[name]
    scores = np.full(int(table.offsets[-1]), np.nan)
    size = 2 * len(STYLES)
    for subsets in domains.values():
        places = [place for place, item in enumerate(items) if item.subset in subsets]
        clusters = [items[place].cluster for place in places]
        if len(set(clusters)) < SMALLEST:
            continue
        features = make([response.text for place in places for response in items[place].responses])
        firsts = np.arange(len(places))[:, None] * size + np.arange(len(STYLES))
        pairs = np.stack([firsts.ravel(), firsts.ravel() + len(STYLES)], axis=1)
        own = held_out_scores(features, pairs, np.repeat(folds_of(clusters), size), scale)
        rows = np.concatenate([np.arange(table.offsets[place], table.offsets[place + 1]) for place in places])
        scores[rows] = own
    return EvidenceTable(table, name, scores)
