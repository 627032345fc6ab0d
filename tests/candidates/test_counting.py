"""pass@k of candidates: the same problems for each k, and those that are left out are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.build import Problem, Source
from rmeval.candidates.counting import Written, summary_of
from rmeval.candidates.outcomes import Draft, Found, Outcome
from rmeval.candidates.summary import CandidateSummary
from rmeval.candidates.tasks import Task
from rmeval.report import candidates_view, views_text

LETTERS: dict[str, Outcome] = {"r": "right", "w": "wrong", "u": "unclear", "n": "no_answer"}


def summary(*problems: str, subsets: str = "") -> CandidateSummary:
    """A letter for each candidate of each problem."""
    written = [
        Written(
            Task(Problem(str(number), "candidates", "?", Source("p", "")), "key", subsets[number : number + 1] or None),
            [Draft(letter) for letter in own],
            [Found(LETTERS[letter]) for letter in own],
        )
        for number, own in enumerate(problems)
    ]
    return summary_of(Path("c.jsonl"), "writer", written, {"no key": 2})


def test_problems_with_few_known_candidates_are_in_no_number() -> None:
    found = summary(*["rwww"] * 9, "rruu")
    assert [(one.k, one.n_problems) for one in found.passes] == [(1, 9), (2, 9), (4, 9)]
    assert [one.value for one in found.passes] == pytest.approx([0.25, 0.5, 1.0])
    text = views_text([candidates_view(found)])
    assert "1 problem with fewer than 4 candidates of known quality: not in pass@k" in text
    assert "2 candidates without a known quality" in text
    assert (found.n_unverified, found.n_incomplete) == (2, 1)
    assert "2 problems left out: no key" in text


def test_the_largest_k_is_one_that_most_problems_have() -> None:
    found = summary("rwuu", "rwww", "ruww", subsets="aab")
    assert [(one.scope, one.k, one.n_problems) for one in found.passes] == [
        ("all", 1, 3),
        ("all", 2, 3),
        ("a", 1, 2),
        ("a", 2, 2),
        ("b", 1, 1),
        ("b", 2, 1),
    ]
    assert found.passes[0].value == pytest.approx((1 / 2 + 1 / 4 + 1 / 3) / 3)


def test_nothing_that_is_known_gives_no_number() -> None:
    found = summary("uu", "uu")
    assert [one.n_problems for one in found.passes] == [0]
    assert found.to_dict()["passes"][0]["value"] is None
    assert "most candidates state no answer" in views_text([candidates_view(summary("nnr"))])
