"""The first of tied responses, against a plain loop."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rmeval.metrics.scoring.first_of_ties import first_best, first_majority

PROMPTS = st.lists(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.integers(-1, 2), st.floats(0, 1)), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


@given(PROMPTS)
def test_both_equal_a_plain_loop(prompts: list[list[tuple[float, int, float]]]) -> None:
    every = [one for prompt in prompts for one in prompt]
    scores, groups, quality = (np.array(column) for column in zip(*every, strict=True))
    offsets = np.cumsum([0, *map(len, prompts)])
    best, votes = [], []
    for prompt in prompts:
        own = [score for score, _, _ in prompt]
        best.append(prompt[own.index(max(own))][2])
        answers = [group for _, group, _ in prompt]
        votes.append(prompt[answers.index(Counter(answers).most_common(1)[0][0])][2])
    assert first_best(scores, quality, offsets).tolist() == best
    assert first_majority(groups.astype(np.int64), quality, offsets).tolist() == votes


def test_a_missing_score_is_below_all_others() -> None:
    quality, offsets = np.array([0.0, 1.0, 0.5, 0.25]), np.array([0, 2, 4])
    assert first_best(np.array([np.nan, -5.0, np.nan, np.nan]), quality, offsets).tolist() == [1.0, 0.5]
