"""The questions about an item that a reviewer answers, and what the answers mean."""

from __future__ import annotations

from typing import Literal, get_args

from rmeval.build.records import CheckStatus, Record, Side
from rmeval.data.digests import digest
from rmeval.types import STYLES

__all__ = [
    "EXPECTED",
    "VERDICTS",
    "Question",
    "ReviewVerdict",
    "question_digest",
    "questions_of",
    "status_of",
    "styles_of",
]

Question = Literal["chosen", "rejected", "styles"]
"""Whether the chosen response is correct, whether the rejected one is, and whether the texts of each side say the
same in all styles."""
ReviewVerdict = Literal["correct", "incorrect", "unsure"]
"""What a reviewer finds. It describes the texts, and not what the build claims of them: a rejected response in order
is `incorrect`."""
VERDICTS: tuple[ReviewVerdict, ...] = get_args(ReviewVerdict)
EXPECTED: dict[Question, ReviewVerdict] = {"chosen": "correct", "rejected": "incorrect", "styles": "correct"}
"""The verdict with which an item is in order, by question."""


def styles_of(record: Record, side: Side) -> list[str]:
    """The styles of a side's texts, in their order; empty before style control."""
    found = {one.style for one in record.of(side)}
    return [style for style in STYLES if style in found]


def questions_of(record: Record) -> tuple[Question, ...]:
    """The questions about an item; that about styles is one only if a side has several."""
    several = any(len(styles_of(record, side)) > 1 for side in get_args(Side))
    return ("chosen", "rejected", "styles") if several else ("chosen", "rejected")


def question_digest(record: Record, question: Question) -> str:
    """A digest of the texts that a question is about, so that a verdict never counts for texts of a later build."""
    sides: tuple[Side, ...] = ("chosen", "rejected") if question == "styles" else (question,)
    texts = [[side, one.style, one.text] for side in sides for one in record.of(side)]
    return digest([record.problem.prompt, texts])


def status_of(question: Question, verdict: ReviewVerdict) -> CheckStatus:
    """The verdict as a check: `pass` if the item is in order."""
    if verdict == "unsure":
        return "unsure"
    return "pass" if verdict == EXPECTED[question] else "fail"
