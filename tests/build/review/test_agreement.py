"""Agreement of reviewers, against values worked out by hand."""

from __future__ import annotations

import pytest

from rmeval.build.review.agreement import agreement_facts
from rmeval.build.review.log import Review
from rmeval.build.review.questions import Question, ReviewVerdict, question_digest
from rmeval.build.review.standing import Reviews
from tests.build.review.reviewed import records_of

RECORDS = records_of(4, 2)


def verdicts(pattern: dict[Question, str], adjudicates: bool = False) -> list[Review]:
    """One letter for each record: `c`, `i`, `u`, or `.` for none."""
    names: dict[str, ReviewVerdict] = {"c": "correct", "i": "incorrect", "u": "unsure"}
    return [
        Review(record.key, question, names[letter], question_digest(record, question), adjudicates=adjudicates)
        for question, letters in pattern.items()
        for record, letter in zip(RECORDS, letters, strict=True)
        if letter != "."
    ]


def test_kappa_of_two_reviewers() -> None:
    reviews = {
        "anna": verdicts({"chosen": "ccccc.", "rejected": "iiiiic", "styles": "cccccc"}),
        "bert": verdicts({"chosen": "ccciu.", "rejected": "iiicii", "styles": "ccccc."}),
        "carl": verdicts({"chosen": "...c.."}, adjudicates=True),
    }
    found = {(one["questions"], one["domain"]): one for one in agreement_facts(RECORDS, Reviews(reviews))}
    assert set(found) == {(group, domain) for group in ("responses", "styles") for domain in (None, "chat", "code")}
    responses = found["responses", None]
    # 11 units, 7 equal: anna c 6 and i 5; bert c 4, i 6 and u 1.
    assert (responses["reviewers"], responses["units"]) == (["anna", "bert"], 11)
    assert responses["equal"] == pytest.approx(7 / 11)
    expected = (6 * 4 + 5 * 6) / 121
    assert responses["kappa"] == pytest.approx((7 / 11 - expected) / (1 - expected))
    low, high = responses["interval"]
    assert low < responses["kappa"] < high <= 1
    assert found["responses", "chat"]["units"] == 8
    assert found["styles", None] == {
        "reviewers": ["anna", "bert"],
        "questions": "styles",
        "domain": None,
        "units": 5,
        "equal": 1.0,
        "kappa": None,
        "interval": None,
    }


def test_one_reviewer_agrees_with_nobody() -> None:
    assert agreement_facts(RECORDS, Reviews({"anna": verdicts({"chosen": "cccccc"})})) == []
