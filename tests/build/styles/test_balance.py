"""Balance of chosen and rejected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rmeval.build.records import Candidate
from rmeval.build.styles.balance import balance_facts, balanced
from rmeval.build.styles.draft import SLOTS, Texts
from rmeval.build.styles.options import StyleOptions
from rmeval.build.styles.rules import difference

OPTIONS = StyleOptions(balance=0.1, max_dropped=0.25)


def texts(chosen: int, rejected: int, marks: tuple[int, int] = (4, 4)) -> Texts:
    """Six texts with these numbers of words, and of bold words in the ones with markdown."""
    found = {}
    for side, style in SLOTS:
        words, bold = (chosen, marks[0]) if side == "chosen" else (rejected, marks[1])
        marked = bold if style == "detailed_markdown" else 0
        found[side, style] = Candidate(f"{side}-{words}", side, "**a** " * marked + "a " * (words - marked), style)
    return found


def means(kept: dict[str, Texts]) -> tuple[float, float]:
    own = balance_facts(list(kept.values()), OPTIONS)["styles"]["concise"]
    return own["chosen"]["words"], own["rejected"]["words"]


def test_what_is_balanced_stays_as_it_is() -> None:
    choices = {f"p{number}": [texts(100, 109) if number % 2 else texts(109, 100)] for number in range(6)}
    assert balanced(choices, OPTIONS) == {key: own[0] for key, own in choices.items()}


def test_the_choice_that_balances_is_taken() -> None:
    choices = {f"p{number}": [texts(100, 80), texts(100, 120)] for number in range(4)}
    kept = balanced(choices, OPTIONS)
    assert len(kept) == 4
    assert difference(*means(kept)) <= 0.1


def test_the_longer_text_is_chosen_as_often_as_rejected() -> None:
    always = {f"p{number:02}": [texts(101, 100), texts(100, 101)] for number in range(30)}
    kept = balanced(always, OPTIONS)
    facts = balance_facts(list(kept.values()), OPTIONS)
    assert len(kept) == 30
    assert facts["within"]
    assert abs(facts["larger"]["characters"] - 0.5) <= 0.1
    # Without another choice, problems are left out, if that is enough.
    most = {f"p{number:02}": [texts(101, 100) if number < 20 else texts(100, 101)] for number in range(30)}
    kept = balanced(most, OPTIONS)
    assert 20 < len(kept) < 30
    assert balance_facts(list(kept.values()), OPTIONS)["within"]
    one_sided = {f"p{number:02}": [texts(101, 100)] for number in range(30)}
    kept = balanced(one_sided, OPTIONS)
    facts = balance_facts(list(kept.values()), OPTIONS)
    assert (len(kept), facts["within"], facts["larger"]) == (30, False, {"characters": 1.0, "markdown": 0.5})


def test_if_sides_stay_unequal_the_means_are_balanced_alone() -> None:
    choices = {f"p{number:02}": [texts(101, 100)] for number in range(30)} | {"p99": [texts(1000, 100)]}
    kept = balanced(choices, OPTIONS)
    assert set(kept) == {f"p{number:02}" for number in range(30)}
    assert not balance_facts(list(kept.values()), OPTIONS)["within"]


def test_the_problem_that_differs_most_is_left_out() -> None:
    choices = {f"p{number}": [texts(100, 100)] for number in range(9)} | {"p9": [texts(100, 400)]}
    assert set(balanced(choices, OPTIONS)) == {f"p{number}" for number in range(9)}


def test_markdown_is_balanced_too() -> None:
    choices = {f"p{number}": [texts(100, 100)] for number in range(9)} | {"p9": [texts(100, 100, (4, 40))]}
    assert set(balanced(choices, OPTIONS)) == {f"p{number}" for number in range(9)}
    # Less than half an element on average is no difference.
    small = {f"p{number}": [texts(100, 100, (0, 0))] for number in range(9)} | {"p9": [texts(100, 100, (0, 4))]}
    assert len(balanced(small, OPTIONS)) == 10


def test_nothing_is_left_out_in_vain() -> None:
    choices = {f"p{number}": [texts(50, 100)] for number in range(8)}
    kept = balanced(choices, OPTIONS)
    assert len(kept) == 8
    facts = balance_facts(list(kept.values()), OPTIONS)
    assert not facts["within"]
    assert facts["styles"]["concise"] == {
        "chosen": {"words": 50.0, "characters": 100.0, "markdown": 0.0},
        "rejected": {"words": 100.0, "characters": 200.0, "markdown": 0.0},
    }


def test_no_problems() -> None:
    assert balanced({}, OPTIONS) == {}
    assert balance_facts([], OPTIONS) == {
        "problems": 0,
        "tolerance": 0.1,
        "within": True,
        "larger": {},
        "styles": {},
    }


SIZES = st.lists(st.tuples(st.integers(20, 60), st.integers(20, 60)), min_size=1, max_size=3)


@given(st.lists(SIZES, min_size=1, max_size=12), st.floats(0, 0.9))
def test_balance_of_any_sizes(sizes: list[list[tuple[int, int]]], most: float) -> None:
    options = StyleOptions(balance=0.1, max_dropped=most)
    choices = {f"p{number:02}": [texts(*one) for one in own] for number, own in enumerate(sizes)}
    kept = balanced(choices, options)
    assert len(sizes) - int(most * len(sizes)) <= len(kept) <= len(sizes)
    assert all(any(own is one for one in choices[key]) for key, own in kept.items())
    within = balance_facts(list(kept.values()), options)["within"]
    first, second = means(kept)
    # The means are rounded to two decimals.
    assert not within or difference(first, second) <= 0.1 + 0.02 / max(first, second) or abs(first - second) <= 0.51
    backwards = dict(reversed(choices.items()))
    assert balanced(backwards, options) == kept
