"""What form gives away: planted words, planted style, and benchmarks that give nothing away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rmeval.build import Candidate, Record
from rmeval.build.assemble.items import CountedItems, item_of
from rmeval.build.report.forms import FORMS, SMALLEST, form_evidence, style_features, word_features
from rmeval.metrics.outcomes import HALF, outcomes
from rmeval.metrics.scoring.style_substance import domains_of
from tests.build.samples import record

RECORDS = [record(number) for number in range(30)]


def accuracy(records: list[Record], form: str) -> float:
    """Accuracy on Normal."""
    counted = CountedItems.of([item_of(one) for one in records])
    evidence = form_evidence(form, counted.items, counted.table, domains_of(counted.table.counts))
    found = outcomes(counted.table, evidence, HALF)
    normal = [place for place, tag in enumerate(found.tags) if tag.split("/")[0] == tag.split("/")[1]]
    return float(found.credit[np.isin(found.tag, normal)].mean())


def changed(one: Record, change: Callable[[Candidate], str]) -> Record:
    return replace(one, candidates=tuple(replace(own, text=change(own)) for own in one.candidates))


def test_words_and_pairs_of_words() -> None:
    found = word_features(["A cat, a dog.", "a cat", "the dog"])
    # Of those in two texts: "a", "a cat", "cat", "dog".
    assert found.toarray().tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 1]]


def test_counts_of_style() -> None:
    (found,) = np.expm1(style_features(["# Two\n\n* **big** words, 3!"])).round().astype(int).tolist()
    characters, words, lines, headers, lists, bold, code, digits, capitals, *marks = found
    assert (characters, words, lines) == (26, 4, 2)
    assert (headers, lists, bold, code, digits, capitals) == (1, 1, 1, 0, 1, 1)
    assert dict(zip(".,;:!?()\"'-*`$=+/", marks, strict=True))["*"] == 5


@pytest.mark.parametrize("form", FORMS)
def test_equal_forms_give_nothing_away(form: str) -> None:
    assert 0.3 < accuracy(RECORDS, form) < 0.7


def test_a_word_that_only_chosen_responses_have() -> None:
    planted = [
        changed(one, lambda own: own.text + (" Surely." if own.side == "chosen" else " Likely.")) for one in RECORDS
    ]
    assert accuracy(planted, "words and bigrams") > 0.95
    # The two words have equally many letters.
    assert 0.3 < accuracy(planted, "style only") < 0.7


def test_longer_chosen_responses() -> None:
    longer = [changed(one, lambda own: own.text + (".." if own.side == "chosen" else "")) for one in RECORDS]
    assert accuracy(longer, "style only") == 1.0
    assert 0.3 < accuracy(longer, "words and bigrams") < 0.7


def test_prompts_are_not_seen() -> None:
    told = [
        replace(one, problem=replace(one.problem, prompt=f"The answer is {one.problem.answer}.")) for one in RECORDS
    ]
    assert accuracy(told, "words and bigrams") == accuracy(RECORDS, "words and bigrams")


def with_word(number: int, cluster: str) -> Record:
    """A record of a problem with two items, in whose chosen responses a word occurs that no other problem has."""
    one = changed(record(number), lambda own: own.text + (f" x{number // 2}" if own.side == "chosen" else " y"))
    return replace(one, problem=replace(one.problem, meta={"cluster": cluster}))


def test_a_problem_with_several_items_is_held_out_as_a_whole() -> None:
    apart = [with_word(number, f"item {number}") for number in range(2 * SMALLEST)]
    together = [with_word(number, f"task {number // 2}") for number in range(2 * SMALLEST)]
    # "y" gives all rejected responses away.
    assert accuracy(apart, "words and bigrams") == 1.0
    known, unknown = ([changed(one, _without_y) for one in own] for own in (apart, together))
    # The word of an item is known from the other item of its problem, unless they are one cluster.
    assert accuracy(known, "words and bigrams") > accuracy(unknown, "words and bigrams") + 0.15
    assert 0.3 < accuracy(unknown, "words and bigrams") < 0.6


def _without_y(own: Candidate) -> str:
    return own.text.removesuffix(" y")


def test_halves_of_one_domain_share_a_model() -> None:
    """A word that is right in one half and wrong in the other gives nothing away."""
    respond = [changed(record(n, "safety-response"), lambda own: own.text + (" x" if own.side == "chosen" else " y"))
               for n in range(30)]  # fmt: skip
    refuse = [changed(record(n, "safety-refuse"), lambda own: own.text + (" y" if own.side == "chosen" else " x"))
              for n in range(30)]  # fmt: skip
    assert accuracy(respond, "words and bigrams") == 1.0
    assert 0.3 < accuracy([*refuse, *respond], "words and bigrams") < 0.7


def test_few_problems_get_no_score() -> None:
    counted = CountedItems.of([item_of(one) for one in RECORDS[: SMALLEST - 1]])
    assert np.isnan(form_evidence("style only", counted.items, counted.table, {"math": ["math"]}).scores).all()
