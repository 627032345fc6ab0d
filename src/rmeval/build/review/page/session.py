"""The items that a reviewer judges, in their order, and how far the reviewer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from rmeval.build.records import Record, Side
from rmeval.build.review.log import Mode, Review, ReviewLog, review_state
from rmeval.build.review.questions import Question, ReviewVerdict, question_digest, questions_of
from rmeval.build.review.standing import Standing, read_all_reviews
from rmeval.data.digests import digest

__all__ = ["FILTERS", "Filter", "Progress", "Session"]

Filter = Literal["open", "mine", "unsure", "disagreement", "all"]
FILTERS: tuple[Filter, ...] = get_args(Filter)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reviewer is.

    Attributes:
        judged: Number of items whose questions all have a verdict.
        total: Number of items.
        unsure: Number of items with the verdict `unsure`.
    """

    judged: int
    total: int
    unsure: int


class _Row(NamedTuple):
    """How far one item is.

    Attributes:
        number: Its number.
        asked: Number of its questions.
        given: Number of its verdicts.
        is_unsure: Whether one of them is `unsure`.
    """

    number: int
    asked: int
    given: int
    is_unsure: bool

    def selected_by(self, which: Filter) -> bool:
        """Whether a filter that depends on this reviewer alone selects the item."""
        chosen = {"open": self.given < self.asked, "mine": self.given > 0, "unsure": self.is_unsure}
        return chosen.get(which, True)


class Session:
    """One reviewer's work on the records of a stage; its methods can be called from several threads.

    Attributes:
        name: Name of the build, for titles.
        records: All records in the order in which they are shown, which is the same for all reviewers and mixes the
            domains, so that two reviewers who stop early have judged the same items.
        log: The reviewer's verdicts.
        mode: How texts are shown.
        adjudicates: Whether only questions are shown about which others disagree.
    """

    def __init__(
        self,
        name: str,
        records: Sequence[Record],
        folder: Path,
        log: ReviewLog,
        mode: Mode,
        adjudicates: bool = False,
        bases: Mapping[str, Record] | None = None,
    ) -> None:
        """Sort the records.

        Args:
            name: Name of the build.
            records: The records to be judged.
            folder: The folder of the build's review.
            log: The reviewer's verdicts.
            mode: How texts are shown.
            adjudicates: Whether the reviewer decides between others.
            bases: The records before style control by key.
        """
        self.name, self.log, self.mode, self.adjudicates = name, log, mode, adjudicates
        self.records = sorted(records, key=lambda record: digest(["order", record.key]))
        self._folder, self._bases = folder, bases
        self._texts = {
            (record.key, question): question_digest(record, question)
            for record in self.records
            for question in questions_of(record)
        }
        self._state: Mapping[str, str | None] | None = None
        self._standings: dict[str, dict[Question, Standing]] = {}
        self._rows: tuple[object, Sequence[_Row]] | None = None

    def sides(self, record: Record) -> tuple[Side, Side]:
        """The sides in the order in which they are shown; hidden sides are drawn for each item and reviewer."""
        if self.mode == "blind" and int(digest(["sides", self.log.reviewer, record.key]), 16) % 2:
            return "rejected", "chosen"
        return "chosen", "rejected"

    def questions(self, record: Record) -> list[Question]:
        """The questions about an item in the order in which they are shown."""
        found: list[Question] = [*self.sides(record)]
        found += [question for question in questions_of(record) if question not in found]
        if self.adjudicates:
            standings = self.standings(record)
            found = [question for question in found if self._disputed(record, question, standings[question])]
        return found

    def _disputed(self, record: Record, question: Question, standing: Standing) -> bool:
        """Whether this reviewer can decide a question, or has: not one who is a party to the dispute."""
        name = self.log.reviewer
        if standing.adjudication is not None and standing.adjudication[0] == name:
            return True
        return standing.disagrees and name not in standing.reviews

    def standings(self, record: Record) -> dict[Question, Standing]:
        """The verdicts of all reviewers on an item, read again after each change."""
        state = review_state(self._folder)
        if state != self._state:
            reviews = read_all_reviews(self._folder, self._bases)
            self._standings = {one.key: reviews.standings(one) for one in self.records}
            self._state = state
        return self._standings[record.key]

    def verdicts(self, record: Record) -> dict[Question, Review | None]:
        """This reviewer's verdict on each question about an item, None where there is none yet."""
        return self._verdicts(record, self._own())

    def _own(self) -> dict[tuple[str, Question, str], Review]:
        """This reviewer's verdicts by key, question and texts."""
        reviews = (one for one in self.log.reviews if one.adjudicates == self.adjudicates)
        return {(one.key, one.question, one.texts): one for one in reviews}

    def _verdicts(
        self, record: Record, own: Mapping[tuple[str, Question, str], Review]
    ) -> dict[Question, Review | None]:
        key = record.key
        return {question: own.get((key, question, self.texts(record, question))) for question in self.questions(record)}

    def texts(self, record: Record, question: Question) -> str:
        """The digest of the texts that a question is about."""
        return self._texts[record.key, question]

    def numbers(self, which: Filter) -> list[int]:
        """The numbers of the items that a filter selects, from 1."""
        found = self._overview()
        if which == "disagreement":
            judged = (one for one in found if one.given == one.asked)
            return [one.number for one in judged if self._differs(self.records[one.number - 1])]
        return [one.number for one in found if one.selected_by(which)]

    def _overview(self) -> Sequence[_Row]:
        """How far each item is, computed again after each verdict; adjudication depends on those of others too."""
        state = (self.log.lines, review_state(self._folder) if self.adjudicates else None)
        if self._rows is None or self._rows[0] != state:
            own = self._own()
            rows = []
            for number, record in enumerate(self.records, 1):
                if verdicts := self._verdicts(record, own):
                    given = [one.verdict for one in verdicts.values() if one is not None]
                    rows.append(_Row(number, len(verdicts), len(given), "unsure" in given))
            self._rows = state, rows
        return self._rows[1]

    def _differs(self, record: Record) -> bool:
        """Whether another reviewer found something else in an item that this one has judged."""
        found = self.standings(record).values()
        return any(len({one.verdict for one in own.reviews.values()}) > 1 for own in found)

    def progress(self) -> Progress:
        """How far the reviewer is."""
        found = self._overview()
        judged = sum(one.given == one.asked for one in found)
        return Progress(judged, len(found), sum(one.is_unsure for one in found))

    def judge(self, record: Record, question: Question, verdict: ReviewVerdict, comment: str) -> None:
        """Store a verdict, and wait until it is on disk.

        Raises:
            RunError: If it cannot be written.
        """
        texts = self.texts(record, question)
        self.log.append([Review(record.key, question, verdict, texts, comment, self.mode, self.adjudicates)])

    def number_of(self, key: str) -> int | None:
        """The number of the item with a key; None if it is not among the items."""
        return next((number for number, one in enumerate(self.records, 1) if one.key == key), None)
