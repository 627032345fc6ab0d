"""The fourth stage: leaves out what reviewers found wrong, and waits for the verdicts that the config requires."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from rmeval.build.config import BuildConfig, Options
from rmeval.build.records import Candidate, Check, Dropped, Record
from rmeval.build.review.agreement import agreement_facts
from rmeval.build.review.questions import Question, status_of
from rmeval.build.review.standing import Reviews, Standing, read_all_reviews
from rmeval.build.stage import PlannedCalls, by_domain
from rmeval.build.tools import Tools
from rmeval.data.digests import digest
from rmeval.messages import count_of

__all__ = ["ReviewOptions", "ReviewStage", "needed_keys"]

_FOUND: dict[Question, str] = {
    "chosen": "reviewers found the chosen response incorrect",
    "rejected": "reviewers found the rejected response correct",
    "styles": "reviewers found that a style changes the substance",
}
Open = Literal["verdicts", "adjudication"]
"""What an item waits for."""


class ReviewOptions(Options):
    """Options of human review.

    Attributes:
        reviewers: Number of reviewers who must judge an item; with 0, nothing waits, and only verdicts that exist
            count.
        share: Share of the items of each domain that need these verdicts, drawn by the seed.
        on_unsure: Whether an item is left out (`drop`) or stays (`keep`) if the verdict on it is `unsure`.
    """

    reviewers: int = Field(0, ge=0, le=2)
    share: float = Field(1.0, gt=0, le=1)
    on_unsure: Literal["drop", "keep"] = "drop"


class ReviewStage:
    """Applies the verdicts of reviewers."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record that is decided, with its verdicts as checks; the build waits while others are open."""
        options = config.part(ReviewOptions, "review")
        bases = {one.key: one for one in tools.earlier["responses"].records}
        reviews = read_all_reviews(tools.folder.review, bases)
        needed = needed_keys(records, options, config.seed)
        waiting: dict[Open, int] = {"verdicts": 0, "adjudication": 0}
        for record in records:
            standings = reviews.standings(record)
            wanted = options.reviewers if record.key in needed else 0
            found = _opened(standings, wanted) or _decided(record, standings, options.on_unsure)
            if isinstance(found, str):
                waiting[found] += 1
            else:
                yield found
        tools.note(review=_facts(records, reviews, sorted(needed), options, waiting))
        if any(waiting.values()):
            tools.note(waits=_waits(waiting, options.reviewers, shlex.quote(str(tools.folder.path))))

    def options(self, config: BuildConfig) -> Any:
        """The options of the stage."""
        return config.part(ReviewOptions, "review").model_dump()

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """No calls."""
        return []


def needed_keys(records: Sequence[Record], options: ReviewOptions, seed: int) -> frozenset[str]:
    """The items that need verdicts: a share of each domain, rounded up."""
    found: set[str] = set()
    for own in by_domain(records).values() if options.reviewers else ():
        drawn = sorted(own, key=lambda record: digest([seed, "review", record.key]))
        found |= {one.key for one in drawn[: math.ceil(options.share * len(own))]}
    return frozenset(found)


def _opened(standings: Mapping[Question, Standing], wanted: int) -> Open | None:
    """What an item waits for; an item that reviewers agree to be wrong waits for no further verdict."""
    for question, own in standings.items():
        if own.verdict is not None and _has(own, wanted) and status_of(question, own.verdict) == "fail":
            return None
    if not wanted:
        return None
    if not all(_has(own, wanted) for own in standings.values()):
        return "verdicts"
    return "adjudication" if any(own.disagrees for own in standings.values()) else None


def _has(standing: Standing, wanted: int) -> bool:
    return standing.adjudication is not None or len(standing.reviews) >= wanted


def _decided(record: Record, standings: Mapping[Question, Standing], on_unsure: str) -> Record | Dropped:
    """The record with its verdicts, or why it is left out."""
    found = {question: own.verdict for question, own in standings.items()}
    statuses = {question: status_of(question, own) for question, own in found.items() if own is not None}
    for question, status in statuses.items():
        if status == "fail":
            return Dropped(record.key, _FOUND[question], _said(standings[question]))
    for own in standings.values():
        if own.disagrees:
            return Dropped(record.key, "reviewers disagree", _said(own))
    if on_unsure == "drop" and (unsure := [one for one, status in statuses.items() if status == "unsure"]):
        return Dropped(record.key, "reviewers are unsure", _said(standings[unsure[0]]))
    return replace(record, candidates=tuple(_checked(one, standings) for one in record.candidates))


def _checked(candidate: Candidate, standings: Mapping[Question, Standing]) -> Candidate:
    """A candidate with the verdicts that confirm it; those that were overruled stay in the reviewers' journals."""
    checks = []
    for question, own in standings.items():
        if question not in (candidate.side, "styles"):
            continue
        named = {**own.reviews, **({own.adjudication[0]: own.adjudication[1]} if own.adjudication else {})}
        for name, review in named.items():
            if status_of(question, review.verdict) == "pass":
                what = "styles have the same substance" if question == "styles" else review.verdict
                checks.append(Check(f"reviewer:{name}", "pass", f"{what}: {review.comment}".removesuffix(": ")))
    return candidate.with_checks(*checks)


def _said(standing: Standing) -> str:
    """What each reviewer found, in one line."""
    named = [*standing.reviews.items(), *([standing.adjudication] if standing.adjudication else [])]
    return "; ".join(
        f"{name}: {one.verdict}{', ' + ' '.join(one.comment.split()) if one.comment else ''}" for name, one in named
    )


def _facts(
    records: Sequence[Record],
    reviews: Reviews,
    needed: Sequence[str],
    options: ReviewOptions,
    waiting: Mapping[Open, int],
) -> dict[str, Any]:
    """What the report and the page show of the review."""
    standings = [reviews.standings(record) for record in records]
    items = dict.fromkeys(reviews.names, 0)
    for own in standings:
        for name in {name for standing in own.values() for name in standing.reviews}:
            items[name] += 1
    return {
        "required": options.reviewers,
        "needed": needed,
        "reviewed": sum(any(one.reviews for one in own.values()) for own in standings),
        "items_by_reviewer": items,
        "disagreements": sum(
            len({one.verdict for one in each.reviews.values()}) > 1 for own in standings for each in own.values()
        ),
        "adjudicated": sum(each.adjudication is not None for own in standings for each in own.values()),
        "waiting": dict(waiting),
        "agreement": agreement_facts(records, reviews),
    }


def _waits(waiting: Mapping[Open, int], reviewers: int, folder: str) -> str:
    found, command = [], f"rmeval build review {folder} --reviewer NAME"
    if count := waiting["verdicts"]:
        people = count_of(reviewers, "reviewer")
        found.append(f"{count_of(count, 'item')} {_need(count)} the verdicts of {people} (`{command}`)")
    if count := waiting["adjudication"]:
        found.append(f"{count_of(count, 'item')} {_need(count)} an adjudication (`{command} --adjudicate`)")
    return f"{' and '.join(found)}: judge them, and run the same command again"


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"
