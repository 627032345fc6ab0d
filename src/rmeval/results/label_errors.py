"""Label errors of a run's items: from annotators' agreement, from checked labels or from errata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rmeval.benchmarks import Card
from rmeval.benchmarks.card import subsets_named
from rmeval.benchmarks.errata import errata_of
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import count_of, percent, quoted
from rmeval.metrics.composition import Composition, Measure, Shares, composition_of, headline, parts
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.label_errors import (
    Corrected,
    LabelErrors,
    correct,
    errors_of_agreement,
    errors_of_counts,
    opposite,
)
from rmeval.metrics.stats.linearised import linearise
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.store.run import StoredRun
from rmeval.types import Record, ScoreRule

__all__ = ["ERRATA", "CorrectedNumbers", "Share", "corrected_numbers"]

ERRATA = "errata"
"""Value that takes the label errors from the errata of the benchmark."""
Share = float | str
"""A share, or two counts such as `170/200`."""


@dataclass(frozen=True)
class CorrectedNumbers:
    """Numbers of a run, corrected for label errors.

    Attributes:
        numbers: The numbers.
        sources: Where the label errors come from, one sentence each.
        notes: Notes for the reader, one sentence each.
    """

    numbers: tuple[Corrected, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    def number(self, metric: str, scope: str = "all") -> Corrected:
        """Return a corrected number.

        Raises:
            DataError: If there is none; the message lists the existing ones.
        """
        for one in self.numbers:
            if one.measure == (metric, scope):
                return one
        raise DataError(
            f"no {metric!r} on {scope!r}: choose from {', '.join(' '.join(n.measure) for n in self.numbers)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return asdict(self)


def corrected_numbers(
    run: StoredRun,
    evidence: EvidenceTable,
    rule: ScoreRule,
    official: Sequence[Record],
    agreement: Share | Mapping[str, Share] | None,
    errors: Share | Mapping[str, Share] | None,
) -> CorrectedNumbers | None:
    """Correct the numbers of a run for label errors.

    Args:
        run: The run.
        evidence: Its evidence.
        rule: The score rule.
        official: The run's numbers.
        agreement: How often two annotators agree, for all or by subset or section; the card's if None.
        errors: The share of wrong labels, likewise; or `errata`.

    Returns:
        None if nothing is known of the label errors, or no number can be corrected and none is asked for.

    Raises:
        DataError: If a share cannot be read, or correction is impossible.
    """
    card, table = run.benchmark.card, run.items.table
    if agreement is not None and errors is not None:
        raise DataError("`label_agreement` and `label_errors` are two ways to give one number: leave one out")
    if errors == ERRATA:
        known = _Known(*_of_errata(card, table))
    elif agreement is None and errors is None:
        known = _Known(*_of_card(card, table))
    else:
        name = "label_agreement" if errors is None else "label_errors"
        known = _Known(*_given(card, table, name, agreement if errors is None else errors))
    if not known.errors:
        return None
    found = run.benchmark.outcomes(table, evidence, rule)
    composition = composition_of(run.benchmark, PairedOutcomes.of([found]).counts)
    wanted = _wanted(found, composition, _kinds_of_two(table), known.errors, official)
    numbers = tuple(correct(found, measure, shares, known.errors, ci) for measure, shares, ci in wanted)
    asked = agreement is not None or errors is not None
    if not numbers and asked:
        raise DataError(
            f"no number of {card.id} can be corrected for these label errors: they must be those of each subset of a "
            "number, and its comparisons of two responses"
        )
    return CorrectedNumbers(numbers, known.sources, tuple(_notes(found, numbers))) if numbers else None


@dataclass(frozen=True)
class _Known:
    """The label errors of subsets, and where they come from."""

    errors: Mapping[str, LabelErrors]
    sources: tuple[str, ...]


def _of_card(card: Card, table: ItemTable) -> tuple[dict[str, LabelErrors], tuple[str, ...]]:
    errors: dict[str, LabelErrors] = {}
    sources: dict[str, None] = {}
    for subset in table.counts:
        if own := card.agreement.get(subset) or card.agreement.get("all"):
            try:
                errors[subset] = errors_of_agreement(own.share, own.pairs)
            except (AttributeError, TypeError, ValueError) as error:
                raise DataError(
                    f"the card of {card.id} has the agreement {quoted(own)} ({error}): give an "
                    "rmeval.benchmarks.Agreement with a share above one half"
                ) from error
            sources[_agreeing(own.share, errors[subset], own.source)] = None
    return errors, tuple(sources)


def _agreeing(share: float, errors: LabelErrors, where: str) -> str:
    text = f"two annotators agree in {percent(share)}%, so that one is wrong in {percent(errors.rate)}%"
    return f"{text} ({where})" if where else text


def _of_errata(card: Card, table: ItemTable) -> tuple[dict[str, LabelErrors], tuple[str, ...]]:
    """Return the share of items with errata in each subset; 0 in those without."""
    known = errata_of(card)
    wrong = np.array([name in known for name in table.ids], bool)
    if not wrong.any():
        raise DataError(f"the items of this run have no known errata in {card.id}: give `label_errors` a share")
    count = np.bincount(table.subset[wrong], minlength=len(table.subsets)).tolist()
    errors = {
        name: errors_of_counts(count[code] / total, total if count[code] else None)
        for code, name in enumerate(table.subsets)
        if (total := table.counts[name])
    }
    listed = ", ".join(
        f"{own} of {table.counts[name]} in {name}" for name, own in zip(table.subsets, count, strict=True) if own
    )
    return errors, (f"known errata: {listed}; items that nobody has checked may be wrong too",)


def _given(
    card: Card, table: ItemTable, name: str, given: Share | Mapping[str, Share] | None
) -> tuple[dict[str, LabelErrors], tuple[str, ...]]:
    shares = given if isinstance(given, Mapping) else {"": given}
    make = errors_of_agreement if name == "label_agreement" else errors_of_counts
    errors: dict[str, LabelErrors] = {}
    sources = []
    for part, text in shares.items():
        share, count = _read(name, text)
        try:
            own = make(share, count)
        except ValueError as error:
            raise DataError(f"`{name}` {text} cannot be used: {error}") from error
        subsets = subsets_named(card, table.counts, [part]) if part else set(table.counts)
        errors |= dict.fromkeys([one for one in table.counts if one in subsets], own)
        where = f"{part}: " if part else ""
        if name == "label_agreement":
            sources.append(
                where + _agreeing(share, own, "" if count is None else f"of {count_of(count, 'comparison')}")
            )
        else:
            of = "" if count is None else f" of {count_of(count, 'checked label')}"
            sources.append(f"{where}{percent(share)}%{of} are wrong")
    return errors, tuple(sources)


def _read(name: str, given: object) -> tuple[float, int | None]:
    """Return a share, and the count that it is of if two counts are given."""
    text = str(given).strip()
    above, slash, below = text.partition("/")
    try:
        if slash:
            hits, count = int(above), int(below)
            if 0 <= hits <= count and 0 < count <= _MOST:
                return hits / count, count
        elif 0 <= float(text) <= 1:
            return float(text), None
    except ValueError:
        pass
    raise DataError(f"`{name}` must be a share such as 0.85, or two counts such as 170/200, not {quoted(given)}")


_MOST = 1_000_000
"""Largest count."""


def _kinds_of_two(table: ItemTable) -> set[tuple[str, str]]:
    """Return the kinds of comparisons all of which are of two responses."""
    kinds: dict[tuple[str, str], bool] = {}
    for comparisons, positions in table.by_comparisons():
        subsets = [table.subsets[code] for code in np.unique(table.subset[positions]).tolist()]
        for subset in subsets:
            for one in comparisons:
                kind = subset, one.tag
                kinds[kind] = kinds.get(kind, True) and len(one.members) == 2
    return {kind for kind, alone in kinds.items() if alone}


def _wanted(
    found: Outcomes,
    composition: Composition,
    two: set[tuple[str, str]],
    errors: Mapping[str, LabelErrors],
    official: Sequence[Record],
) -> Iterator[tuple[Measure, Shares, tuple[float, float] | None]]:
    """Yield the numbers to correct: those on all items if all labels are alike, else those of the parts with errors."""
    values = {(one.metric, one.scope): one for one in official}
    perfect = not any(one.rate for one in errors.values())
    able = {
        measure: shares
        for measure, shares in composition.items()
        if measure in values
        and not measure[0].startswith("cell:")
        and all(kind in two and kind[0] in errors for kind in shares)
        and (perfect or any(errors[subset].rate for subset, _ in shares))
        and abs(linearise(found, shares).value - values[measure].value) < 1e-9
    }
    whole = [measure for measure in able if measure[1] == "all"]
    if len(set(errors.values())) == 1 and set(found.present) <= set(errors):
        able = {measure: able[measure] for measure in (whole if headline(able) else parts(able))}
    for measure, shares in able.items():
        yield measure, shares, values[measure].ci


def _notes(found: Outcomes, numbers: Sequence[Corrected]) -> Iterator[str]:
    yield (
        "corrected: the expected value on labels without errors, if errors do not depend on the model; a model that "
        "makes the annotators' errors is corrected too far, and can exceed the ceiling"
    )
    if any(opposite(tag, found.tags) != tag for tag in found.tags):
        yield (
            "the comparisons of an item share one label: a wrong one turns the styles around too, so that comparisons "
            "of opposite styles are corrected together, and the style gap does not change, except by ties"
        )
    for one in numbers:
        if one.outside:
            yield (
                f"the corrected {' '.join(one.measure)} is outside of its range: there are fewer label errors than "
                "stated, or the model makes the same ones"
            )
