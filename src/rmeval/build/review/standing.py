"""Where the review of each item stands: who found what, and whether that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rmeval.build.records import Record
from rmeval.build.review.log import Review, read_reviews, reviewer_names
from rmeval.build.review.questions import Question, ReviewVerdict, question_digest, questions_of

__all__ = ["Reviews", "Standing", "read_all_reviews"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdicts on one question about one item.

    Attributes:
        reviews: The verdict of each reviewer, by name.
        adjudication: Name and verdict of the person who decided between them.
    """

    reviews: Mapping[str, Review] = field(default_factory=dict)
    adjudication: tuple[str, Review] | None = None

    @property
    def verdict(self) -> ReviewVerdict | None:
        """The verdict that counts: the adjudication, or what all reviewers found; None if there is no such verdict."""
        if self.adjudication is not None:
            return self.adjudication[1].verdict
        found = {one.verdict for one in self.reviews.values()}
        return found.pop() if len(found) == 1 else None

    @property
    def disagrees(self) -> bool:
        """Whether reviewers found different things, and nobody has decided between them."""
        return bool(self.reviews) and self.verdict is None


class Reviews:
    """The verdicts of all reviewers.

    A verdict counts for the texts that were shown. Those of the stage before style control count for `chosen` and
    `rejected` of the item made from these texts, unless the same person has judged the later texts too.
    """

    def __init__(self, reviews: Mapping[str, Iterable[Review]], bases: Mapping[str, Record] | None = None) -> None:
        """Sort the verdicts.

        Args:
            reviews: The verdicts of each reviewer, by name, in their order.
            bases: The records before style control by key.
        """
        self._bases = bases or {}
        self._found: dict[tuple[str, Question, str, bool], dict[str, Review]] = {}
        self.names = sorted(reviews)
        for name in self.names:
            for one in reviews[name]:
                self._found.setdefault((one.key, one.question, one.texts, one.adjudicates), {})[name] = one

    def standing(self, record: Record, question: Question) -> Standing:
        """The verdicts on a question about an item."""
        digests = [question_digest(record, question)]
        base = self._bases.get(record.key)
        if base is not None and question != "styles":
            digests.insert(0, question_digest(base, question))
        found: dict[bool, dict[str, Review]] = {False: {}, True: {}}
        for texts in digests:
            for adjudicates, own in found.items():
                own |= self._found.get((record.key, question, texts, adjudicates), {})
        decided = next(iter(sorted(found[True].items())), None)
        return Standing(dict(sorted(found[False].items())), decided)

    def standings(self, record: Record) -> dict[Question, Standing]:
        """The verdicts on each question about an item."""
        return {question: self.standing(record, question) for question in questions_of(record)}


def read_all_reviews(folder: Path, bases: Mapping[str, Record] | None = None) -> Reviews:
    """Read the verdicts of all reviewers.

    Args:
        folder: The folder of the build's review.
        bases: The records before style control by key.

    Raises:
        RunError: If a file is damaged or cannot be read.
    """
    return Reviews({name: read_reviews(folder, name) for name in reviewer_names(folder)}, bases)
