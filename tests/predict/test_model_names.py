"""Names of models in two tables."""

from __future__ import annotations

import pytest

from rmeval.errors import DataError
from rmeval.predict.model_names import check_given, match_models


def matched(scores: list[str], policies: list[str], **given: str) -> list[tuple[str, str, str]]:
    return [(one.score, one.policy, one.how) for one in match_models("t", scores, policies, given).found]


@pytest.mark.parametrize(
    ("score", "policy", "how"),
    [
        ("a/x", "a/x", "exact"),
        ("My-RM 7B", "my_rm-7b *", "spelling"),
        ("x-v0.2", "org/X_v0.2", "organisation"),
        ("one/x", "two/x", "organisation"),
    ],
)
def test_names_match(score: str, policy: str, how: str) -> None:
    assert matched([score], [policy]) == [(score, policy, how)]


@pytest.mark.parametrize(("score", "policy"), [("x-v0.1", "x-v0.2"), ("x", "xy"), ("x", "y/x/z")])
def test_other_names_do_not(score: str, policy: str) -> None:
    assert matched([score], [policy]) == []


def test_equal_names_come_first() -> None:
    assert matched(["a/x", "b/x"], ["b/x", "x"]) == [("b/x", "b/x", "exact"), ("a/x", "x", "organisation")]


def test_ambiguous_names_are_listed_and_given_ones_are_used() -> None:
    found = match_models("t", ["a/x", "b/x", "y"], ["x", "y"])
    assert [one.score for one in found.found] == ["y"]
    assert found.ambiguous == (("x", ("a/x", "b/x")),)
    assert (found.scores_only, found.policies_only) == ((), ())
    assert matched(["a/x", "b/x", "y"], ["x", "y"], **{"b/x": "x"}) == [("b/x", "x", "given"), ("y", "y", "exact")]


def test_repeated_rows_matter_only_if_they_are_used() -> None:
    assert matched(["x", "z", "z"], ["x", "q", "q"]) == [("x", "x", "exact")]
    with pytest.raises(DataError, match=r"t has 2 rows of x \(rows 1, 3\): keep one"):
        matched(["x", "z", "x"], ["x"])
    with pytest.raises(DataError, match=r"the table of policies has 2 rows of x"):
        matched(["x"], ["x", "x"])


def test_unmatched_names_are_listed_with_similar_ones() -> None:
    found = match_models("t", ["sfair/FsfairX-LLaMA3-RM", "y"], ["FsfairX-LLLaMA3-RM", "other"])
    assert found.similar == (("sfair/FsfairX-LLaMA3-RM", "FsfairX-LLLaMA3-RM"),)
    assert found.scores_only == ("sfair/FsfairX-LLaMA3-RM", "y")


def test_given_names_must_exist() -> None:
    with pytest.raises(DataError, match=r"`match`: there is no model 'modelx' in the table of scores: did you mean"):
        check_given({"modelx": "b"}, ["model-x1"], ["b"])
    with pytest.raises(DataError, match="in the table of policies: give a name as it is in the table"):
        check_given({"a": "zzz"}, ["a"], ["b"])
