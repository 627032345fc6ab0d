"""What can be had without reading, and with next to none: two linear models, trained on other seeds.

pip install scikit-learn
rmeval run examples/bigrams.py:Bigrams -b rm-bench-synthetic
rmeval run examples/bigrams.py:Crossed -b rm-bench-synthetic
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

import rmeval

Conversation = list[dict[str, str]]
SIZE = 2**20


class Bigrams:
    """Logistic regression on the word bigrams of prompt and answer: right against wrong of the same style.

    It is shown one of each pair of twins. Over both, every difference occurs once in each direction, and the best
    weights of a classifier that adds up features are zero.
    """

    twins = False

    def __init__(self, seed: int = 1_000_000, size: int = 4000) -> None:
        items = list(rmeval.load_benchmark("rm-bench-synthetic", seed=seed, size=size).load())
        order = np.random.default_rng(0).permutation(len(items))
        shown = {items[place].id if self.twins else items[place].cluster: items[place] for place in order}
        apart = self._side(shown.values(), 0) - self._side(shown.values(), 3)
        # Each difference stands once as it is and once turned round, so that neither side is the usual one.
        flips = np.where(np.arange(apart.shape[0]) % 2, 1, -1)
        told = np.unique(apart.indices)  # The others have weight zero.
        model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=300)
        model.fit(apart.multiply(flips[:, None]).tocsr()[:, told], flips)
        self._weights = np.zeros(apart.shape[1])
        self._weights[told] = model.coef_[0]

    def score(self, conversations: list[Conversation]) -> list[float]:
        """The log-odds of being right."""
        rows = self.features([(one[-2]["content"], one[-1]["content"]) for one in conversations])
        return [float(value) for value in rows @ self._weights]

    def _side(self, items: Iterable[rmeval.Item], first: int) -> Any:
        return self.features(
            [(item.prompt[0].content, item.responses[first + style].text) for item in items for style in range(3)]
        )

    def features(self, texts: Sequence[tuple[str, str]]) -> Any:
        """A sparse row for each prompt and answer: the words and bigrams of both."""
        prompts, answers = zip(*texts, strict=True)
        return _WORDS.transform(prompts) + _WORDS.transform(answers)


class Crossed(Bigrams):
    """The same over pairs of a word or bigram of the prompt with one of the answer: "rises" with "+"."""

    twins = True

    def features(self, texts: Sequence[tuple[str, str]]) -> Any:
        """A sparse row for each: every pair once. Numbers and names are masked, since those of another seed are new."""
        return vstack([_pairs(_grams(prompt), _grams(answer)) for prompt, answer in texts])


_WORDS = HashingVectorizer(
    n_features=2**18, ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", lowercase=False, norm=None
)


def _grams(text: str) -> Any:
    """The checksums of a text's words and bigrams."""
    words = re.findall(r"[^\W\d]+|\d+|[^\w\s]", text)
    kinds = ["0" if word.isdigit() else "N" if re.fullmatch("[A-Z][a-z]{4,}", word) else word for word in words]
    grams = {*kinds, *map(" ".join, pairwise(kinds))}
    return np.array([zlib.crc32(gram.encode()) for gram in grams], dtype=np.uint64)


def _pairs(asked: Any, said: Any) -> Any:
    places = np.unique((asked[:, None] * 2654435761 + said[None, :] * 40503) % SIZE)
    return csr_matrix((np.ones(len(places)), places, [0, len(places)]), shape=(1, SIZE))
