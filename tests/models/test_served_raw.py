"""The check that scores are raw, on scores alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rmeval.errors import ModelError
from rmeval.models.served.raw import Tally, check_raw, far_apart
from rmeval.transport.dialects import DIALECTS
from rmeval.types import FloatArray

SWITCH = DIALECTS["vllm-classify@1"].traits
NONE = DIALECTS["sglang-classify@1"].traits
SCORES = arrays(np.float64, (6, 1), elements=st.floats(-40, 40), unique=True)
SHARES = arrays(np.float64, (6, 1), elements=st.floats(0, 1), unique=True)


def sigmoid(scores: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-scores))


def activated(scores: FloatArray, dtype: str) -> FloatArray:
    """The sigmoid in the server's number format; numpy has no bfloat16, of which half precision is the nearest."""
    return sigmoid(scores).astype(dtype).astype(np.float64)


@given(SCORES, st.sampled_from(["float64", "float32", "float16"]))
def test_the_sigmoid_of_raw_scores_proves_that_they_are_raw(raw: FloatArray, dtype: str) -> None:
    found = check_raw(raw, activated(raw, dtype), SWITCH, "here", bounded_ok=False)
    assert found in ("sigmoid", "identity")  # All scores near 0.659 are their own sigmoid.


@given(SCORES)
def test_the_softmax_of_two_outputs_proves_that_they_are_raw(first: FloatArray) -> None:
    raw = np.concatenate([first, 1 - first[::-1] / 2], axis=1)
    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    found = check_raw(raw, powers / powers.sum(axis=1, keepdims=True), SWITCH, "here", bounded_ok=False)
    assert found in ("softmax", "sigmoid", "identity")


@given(SHARES)
def test_shares_that_no_switch_changes_are_never_raw(shares: FloatArray) -> None:
    for given_, traits in ((shares, SWITCH), (None, NONE)):
        with pytest.raises(ModelError, match="`bounded_ok`"):
            check_raw(shares, given_, traits, "here", bounded_ok=False)
        assert check_raw(shares, given_, traits, "here", bounded_ok=True) in ("unknown", "no switch")


def test_a_score_beyond_0_and_1_is_raw_where_there_is_no_switch() -> None:
    raw = np.array([[0.2], [0.9], [-0.1]])
    assert check_raw(raw, None, NONE, "here", bounded_ok=False) == "no switch"


def test_noise_of_bfloat16_does_not_hide_the_sigmoid() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 4, (6, 1))
    noisy = sigmoid(raw * (1 + rng.normal(0, 2**-9, raw.shape)))
    assert check_raw(raw, noisy, SWITCH, "here", bounded_ok=False) == "sigmoid"


def test_saturated_probabilities_are_counted() -> None:
    tally = Tally()
    for score in sigmoid(np.linspace(-5, 60, 100)).astype(np.float32):
        tally.add(np.array([float(score)]))
    assert (tally.total, tally.bounded) == (100, 100)
    assert tally.ends > 60
    with pytest.raises(ModelError, match=rf"100 inputs, {tally.ends} of them exactly 0 or 1"):
        tally.check("here", bounded_ok=False)
    tally.add(np.array([1.5]))
    tally.check("here", bounded_ok=False)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([1.0, -4.0], [1.0, -4.0], False),
        ([1.0, -4.0], [1.03, -4.05], False),
        ([1.0, -4.0], [1.2, -4.0], True),
        ([1.0, -4.0], [1.0], True),
        ([0.0, 0.0], [0.0, 0.0], False),
        ([0.0, 0.0], [0.1, 0.0], True),
    ],
)
def test_scores_of_another_model_are_far_apart(one: list[float], other: list[float], apart: bool) -> None:
    assert far_apart(one, other) is apart
