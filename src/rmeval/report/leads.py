"""View of leads by anytime-valid sequences, for `rmeval compare --until decided`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rmeval.messages import count_of
from rmeval.metrics.stats.significance import LEVEL
from rmeval.report.cells import COUNT, DIFFERENCE, P_VALUE, PERCENT, THOUSANDS, Cell, Number, clean
from rmeval.report.labels import short_labels
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.lead_sequence import Lead
from rmeval.results.leads import Leads

__all__ = ["leads_view"]


def leads_view(found: Leads) -> View:
    """Return the view of leads: for each pair of models, the difference and after how many problems it was decided."""
    names = list(dict.fromkeys(name for one in found.pairs for name in (one.first, one.second)))
    labels = dict(zip(names, short_labels(names), strict=True))
    renamed = tuple(Row(label, (name,)) for name, label in labels.items() if label != clean(name))
    rows = tuple(
        Row(f"{labels[one.first]} - {labels[one.second]}", tuple(_cells(one)), f"{one.first} - {one.second}")
        for one in found.pairs
    )
    columns = ("", "difference", "p", "decided after", "compared", "problems", "saved items", "items", "seed")
    keys = ("name", "difference", "p", "decided_after", "compared", "problems", "saved_items", "items", "seed")
    seeds = sorted({one.seed for one in found.pairs})
    number = "accuracy" if found.measure == ("accuracy", "all") else measure_name(found.measure)
    return View(
        found.benchmark,
        (
            Table(
                "leads",
                columns,
                rows,
                f"leads in {number}, in points, as problems come in random order",
                tuple(_explained(found.pairs)),
                extra=("items", "seed"),
                keys=keys,
            ),
        ),
        data=found.data,
        about=(
            f"{len(names)} models; order of problems: seed {', '.join(map(str, seeds))}; "
            f"ties and failures: {found.rule}",
        ),
        notes=found.notes,
        legend=Table("models", ("", "model"), renamed, layout="lines") if renamed else None,
    )


def _cells(one: Lead) -> Iterator[Cell]:
    decided = math.nan if one.decided is None else one.decided
    yield Number(one.value, one.ci, DIFFERENCE, strong=one.decided is not None)
    yield Number(one.p, unit=P_VALUE)
    yield Number(decided, unit=THOUSANDS)
    yield Number(one.n_clusters, unit=COUNT)
    yield Number(one.of_clusters, unit=COUNT)
    yield Number(math.nan if one.saved is None else one.saved, unit=PERCENT)
    yield Number(one.n_items, unit=COUNT)
    yield Number(one.seed, unit=COUNT)


def _explained(pairs: Sequence[Lead]) -> Iterator[str]:
    several = f" and for all {len(pairs)} pairs together (Bonferroni)" if len(pairs) > 1 else ""
    yield (
        f"interval and p: confidence sequence by betting, valid at every look{several}; decided after: the number of "
        f"problems at which p fell below {LEVEL:g}; compared: the number of problems that both models have scored; "
        "problems: the number that the longer run has; saved items: the share of their items that were not needed"
    )
    open_ = [one for one in pairs if one.decided is None]
    if short := [one for one in open_ if one.n_clusters < one.of_clusters]:
        yield (
            f"not decided on the problems that both runs have: {count_of(len(short), 'pair')}; continue the shorter "
            "run with `until` decided, or without `until`"
        )
    if whole := len(open_) - len(short):
        yield f"not decided on all problems: {count_of(whole, 'pair')}"
