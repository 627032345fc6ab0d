"""Two linear models over words of prompt and response, trained on other seeds: baselines that do not reason.

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
    """Logistic regression on words and bigrams of prompt and response: right against wrong of the same style.

    It is trained on one item of each pair of twins. Over both items, every difference occurs once in each direction, so
    that the best weights of a linear classifier are zero.
    """

    twins = False

    def __init__(self, seed: int = 1_000_000, size: int = 4000) -> None:
        items = list(rmeval.load_benchmark("rm-bench-synthetic", seed=seed, size=size).load())
        order = np.random.default_rng(0).permutation(len(items))
        shown = {items[place].id if self.twins else items[place].cluster: items[place] for place in order}
        apart = self._side(shown.values(), 0) - self._side(shown.values(), 3)
        # Every other difference is negated, so that the classes have equal size.
        flips = np.where(np.arange(apart.shape[0]) % 2, 1, -1)
        used = np.unique(apart.indices)  # All other features have weight zero.
        model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=300)
        model.fit(apart.multiply(flips[:, None]).tocsr()[:, used], flips)
        self._weights = np.zeros(apart.shape[1])
        self._weights[used] = model.coef_[0]

    def score(self, conversations: list[Conversation]) -> list[float]:
        """Return the log-odds that each response is right."""
        rows = self.features([(one[-2]["content"], one[-1]["content"]) for one in conversations])
        return [float(value) for value in rows @ self._weights]

    def _side(self, items: Iterable[rmeval.Item], first: int) -> Any:
        return self.features(
            [(item.prompt[0].content, item.responses[first + style].text) for item in items for style in range(3)]
        )

    def features(self, texts: Sequence[tuple[str, str]]) -> Any:
        """Return one sparse row per prompt and response: the words and bigrams of both."""
        prompts, responses = zip(*texts, strict=True)
        return _WORDS.transform(prompts) + _WORDS.transform(responses)


class Crossed(Bigrams):
    """Logistic regression on pairs of a gram of the prompt and one of the response, such as "rises" and "+"."""

    twins = True

    def features(self, texts: Sequence[tuple[str, str]]) -> Any:
        """Return one sparse row each, every pair once; mask numbers and names, which differ between seeds."""
        return vstack([_pairs(_grams(prompt), _grams(response)) for prompt, response in texts])


_WORDS = HashingVectorizer(
    n_features=2**18, ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", lowercase=False, norm=None
)


def _grams(text: str) -> Any:
    """Return the checksums of a text's words and bigrams."""
    words = re.findall(r"[^\W\d]+|\d+|[^\w\s]", text)
    kinds = ["0" if word.isdigit() else "N" if re.fullmatch("[A-Z][a-z]{4,}", word) else word for word in words]
    grams = {*kinds, *map(" ".join, pairwise(kinds))}
    return np.array([zlib.crc32(gram.encode()) for gram in grams], dtype=np.uint64)


def _pairs(prompt: Any, response: Any) -> Any:
    places = np.unique((prompt[:, None] * 2654435761 + response[None, :] * 40503) % SIZE)
    return csr_matrix((np.ones(len(places)), places, [0, len(places)]), shape=(1, SIZE))
