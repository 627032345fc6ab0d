"""What a judge's run shows besides its numbers: outputs without a verdict, effects of order, and chance levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.data.families import family_of
from rmeval.data.observations import STATUSES
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.messages import count_of, percent
from rmeval.metrics.composition import composition_of, headline
from rmeval.metrics.outcomes import SCORE_RULES
from rmeval.metrics.records import records_of
from rmeval.metrics.stats.intervals import share_interval
from rmeval.metrics.stats.positions import Share, order_shares
from rmeval.protocols.judging.chance import Guess
from rmeval.protocols.judging.evidence import NO_MAJORITY
from rmeval.protocols.judging.presented import GivesVerdicts
from rmeval.store.run import StoredRun
from rmeval.types import Record, ScoreRule

__all__ = ["MOST_FAILED", "Failed", "Judging", "chance_records", "family_notes", "guessed_records", "judging_of"]

MOST_FAILED = 0.02
"""Share of outputs without a verdict up to which a judge's number is publishable."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Outputs with one status other than a verdict.

    Attributes:
        status: The status, such as `unparsed`.
        count: Their number.
        of: Number of all outputs; of `no_majority`, of all verdicts by several votes.
        subsets: Number of these and of all outputs in each subset with significantly more of them than elsewhere.
    """

    status: str
    count: int
    of: int
    subsets: Mapping[str, tuple[int, int]]

    @property
    def share(self) -> float:
        """Their share."""
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Judging:
    """What a judge's run shows besides its numbers.

    Attributes:
        orders: Effects of the order of responses; empty where each request has one response.
        failed: The outputs without a verdict, by status.
        rules: The headline with failures as losses, and without them; empty without failures or headline.
    """

    orders: tuple[Share, ...]
    failed: tuple[Failed, ...]
    rules: tuple[Record, ...]

    @property
    def failed_share(self) -> float:
        """The larger of the shares of outputs without a verdict, and of votes without a majority."""
        single = sum(one.share for one in self.failed if one.status != NO_MAJORITY)
        return max(single, sum(one.share for one in self.failed if one.status == NO_MAJORITY))

    @property
    def publishable(self) -> bool:
        """Whether few enough outputs lack a verdict."""
        return self.failed_share <= MOST_FAILED

    @property
    def notes(self) -> Iterator[str]:
        """Sentences on what matters."""
        if not self.publishable:
            most = max(self.failed, key=lambda one: one.share)
            what = "votes lack a majority" if most.status == NO_MAJORITY else "outputs have no verdict"
            yield (
                f"not publishable: {percent(self.failed_share)}% of the {what} (the limit is "
                f"{percent(MOST_FAILED)}%), most of them {most.status}"
            )
        if uneven := [(one, name, own) for one in self.failed for name, own in one.subsets.items()]:
            one, name, (count, of) = max(uneven, key=lambda found: found[2][0] / found[2][1])
            yield (
                f"failures are uneven: {percent(count / of)}% of the outputs on {name} are {one.status}, and "
                f"{percent(one.share)}% of all"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "orders": [asdict(share) for share in self.orders],
            "failed": [
                {"status": one.status, "count": one.count, "of": one.of, "subsets": dict(one.subsets)}
                for one in self.failed
            ],
            "rules": [record.to_dict() for record in self.rules],
        }


def judging_of(
    run: StoredRun, evidence: EvidenceTable, rule: ScoreRule, null: Mapping[str, Sequence[Record]]
) -> Judging | None:
    """What a run shows besides its numbers; None for a run whose protocol is not that of a judge.

    Args:
        run: The run.
        evidence: Its evidence by the first variant.
        rule: The score rule.
        null: The records of the null baselines.
    """
    protocol = run.protocol
    if not isinstance(protocol, GivesVerdicts):
        return None
    failed = tuple(_failed(run, evidence, protocol.votes))
    verdicts = protocol.presented(run.items.table, run.observations, run.requests.rows)
    orders = tuple(order_shares(run.items.table, verdicts, rule))
    return Judging(orders, failed, tuple(_under_both(run.benchmark, evidence, rule, null)) if failed else ())


def _failed(run: StoredRun, evidence: EvidenceTable, votes: int) -> Iterator[Failed]:
    table, rows = run.items.table, run.requests.rows
    status = run.observations.status[rows]
    subset = np.repeat(table.subset, np.diff(run.requests.offsets))
    every = np.bincount(subset, minlength=len(table.subsets))
    for code, name in enumerate(STATUSES):
        if name in ("ok", "missing") or not (count := int((status == code).sum())):
            continue
        own = np.bincount(subset[status == code], minlength=len(table.subsets))
        uneven = {
            subset_name: (int(some), int(of))
            for subset_name, some, of in zip(table.subsets, own, every, strict=True)
            if some > 1 and share_interval(some / of, of)[0] > count / len(rows)
        }
        yield Failed(name, count, len(rows), uneven)
    if count := evidence.failures.get(NO_MAJORITY, 0):
        yield Failed(NO_MAJORITY, count, len(rows) // votes, {})


def _under_both(
    benchmark: Benchmark, evidence: EvidenceTable, rule: ScoreRule, null: Mapping[str, Sequence[Record]]
) -> Iterator[Record]:
    """Yield the headline with failures as losses, and without them."""
    for failure in ("loss", "exclude"):
        own = next(one for one in SCORE_RULES.values() if (one.tie, one.failure) == (rule.tie, failure))
        records = {(one.metric, one.scope): one for one in records_of(benchmark, evidence, own, null)}
        if (top := headline(list(records))) is not None:
            yield records[top]


def family_notes(judge: str, table: ItemTable) -> Iterator[str]:
    """Yield a warning if models of a judge's family wrote some of the responses that it judges.

    Args:
        judge: The judge's name.
        table: The items, whose responses may have sources.
    """
    family = family_of(judge)
    if family is None:
        return
    counts = np.bincount(table.shape, minlength=len(table.shapes)).tolist()
    total = own = 0
    for shape, count in zip(table.shapes, counts, strict=True):
        total += count * len(shape.responses)
        own += count * sum(one.source is not None and family_of(one.source) == family for one in shape.responses)
    if own:
        yield (
            f"{judge} may prefer responses of its own family: {family} models wrote {percent(own / total)}% of the "
            f"{count_of(total, 'response')}"
        )


def chance_records(
    run: StoredRun, rule: ScoreRule, null: Mapping[str, Sequence[Record]], variant: str
) -> Mapping[str, Sequence[Record]]:
    """The null baselines, with what random verdicts get by a variant's own rule as `random`.

    That is the mean credit of each kind of comparison in a number, by the number's weights. Numbers that are not sums
    of comparisons keep the value of random scores.
    """
    protocol = run.protocol
    if not isinstance(protocol, GivesVerdicts):
        return null
    guess = protocol.guess(run.observations, run.requests.rows, variant)
    return null if guess is None else guessed_records(run.benchmark, run.items.table, guess, rule, null)


def guessed_records(
    benchmark: Benchmark, table: ItemTable, guess: Guess, rule: ScoreRule, null: Mapping[str, Sequence[Record]]
) -> Mapping[str, Sequence[Record]]:
    """The null baselines, with what random verdicts get as `random`; see `chance_records`."""
    counts, credit = _chances(table, guess, rule)
    values = {
        measure: sum(share * credit[part] for part, share in shares.items())
        for measure, shares in composition_of(benchmark, counts).items()
        if shares.keys() <= credit.keys()
    }
    random = [replace(one, value=values.get((one.metric, one.scope), one.value)) for one in null["random"]]
    return {**null, "random": random}


def _chances(
    table: ItemTable, guess: Guess, rule: ScoreRule
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], float]]:
    """The number of comparisons of each kind, and the mean credit of random verdicts."""
    counts: dict[tuple[str, str], int] = {}
    total: dict[tuple[str, str], float] = {}
    for comparisons, positions in table.by_comparisons():
        found = np.bincount(table.subset[positions], minlength=len(table.subsets))
        for comparison in comparisons:
            if comparison.gold is None:
                continue
            credit = guess.credit(len(comparison.members), rule)
            for name, count in zip(table.subsets, found.tolist(), strict=True):
                if count:
                    part = name, comparison.tag
                    counts[part] = counts.get(part, 0) + count
                    total[part] = total.get(part, 0.0) + count * credit
    return counts, {part: total[part] / count for part, count in counts.items()}
