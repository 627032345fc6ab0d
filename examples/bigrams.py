"""What can be had without reading: a classifier over words and pairs of words, trained on other seeds.

pip install scikit-learn
rmeval run examples/bigrams.py:Bigrams -b rm-bench-synthetic
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

import rmeval

Conversation = list[dict[str, str]]


class Bigrams:
    """Logistic regression on the word bigrams of prompt and answer: right against wrong of the same style.

    It is shown one of each pair of twins. Over both, every difference occurs once in each direction, and the best
    weights of a classifier that adds up features are zero.
    """

    def __init__(self, seed: int = 1_000_000, size: int = 4000) -> None:
        self._words = HashingVectorizer(
            n_features=2**18, ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", lowercase=False
        )
        items = rmeval.load_benchmark("rm-bench-synthetic", seed=seed, size=size).load()
        order = np.random.default_rng(0).permutation(len(items))
        shown = {items[place].cluster: items[place] for place in order}
        texts: tuple[list[str], list[str]] = ([], [])
        for item in shown.values():
            for style in range(3):
                for side in range(2):
                    texts[side].append(f"{item.prompt[0].content}\n{item.responses[3 * side + style].text}")
        apart = self._features(texts[0]) - self._features(texts[1])
        # Each difference stands once as it is and once turned round, so that neither side is the usual one.
        flips = np.where(np.arange(apart.shape[0]) % 2, 1, -1)
        self._model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=300)
        self._model.fit(apart.multiply(flips[:, None]).tocsr(), flips)

    def score(self, conversations: list[Conversation]) -> list[float]:
        """The log-odds of being right."""
        texts = ["\n".join(message["content"] for message in one) for one in conversations]
        return [float(value) for value in self._model.decision_function(self._features(texts))]

    def _features(self, texts: list[str]) -> Any:
        return self._words.transform(texts)
