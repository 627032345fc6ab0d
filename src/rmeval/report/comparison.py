"""View of a comparison of models, for `rmeval compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from operator import attrgetter

from rmeval.messages import count_of, quoted
from rmeval.metrics.composition import Measure, parts
from rmeval.metrics.stats.paired import Difference
from rmeval.metrics.targets import best_note
from rmeval.report.across import across_view
from rmeval.report.cells import COUNT, DIFFERENCE, P_VALUE, POINTS, Cell, Joined, Number, clean
from rmeval.report.equivalence import equivalence_table
from rmeval.report.labels import short_labels
from rmeval.report.run import measure_name, number_of, shown_nulls
from rmeval.report.views import Row, Table, View
from rmeval.results.across import AcrossBenchmarks
from rmeval.results.compare import Entry, ModelComparison

__all__ = ["comparison_view", "comparison_views"]

_PAIRS = 15
"""Number of pairs of models above which only models with adjacent ranks are compared."""
_NAMED = 3
"""Number of pairs that a note names."""


def comparison_views(comparisons: Sequence[ModelComparison], across: AcrossBenchmarks | None = None) -> list[View]:
    """Return the views of comparisons, in which a model has the same label; the first contains the legend.

    Args:
        comparisons: The comparisons.
        across: The models on all benchmarks, whose view comes last.
    """
    names = [entry.name for one in comparisons for entry in one.entries]
    names = list(dict.fromkeys([*names, *(one.name for one in across.models)] if across else names))
    labels = dict(zip(names, short_labels(names), strict=True))
    views = [_view(one, labels, _legend(labels) if one is comparisons[0] else None) for one in comparisons]
    return [*views, across_view(across, labels)] if across else views


def comparison_view(found: ModelComparison) -> View:
    """Return the view of a comparison: ranks, differences by pair, and each number of each model."""
    return comparison_views([found])[0]


def _view(found: ModelComparison, labels: Mapping[str, str], legend: Table | None) -> View:
    about = [
        f"{len(found.entries)} models on {count_of(found.n_items, 'item')} of {count_of(found.n_clusters, 'problem')}; "
        f"ties and failures: {found.rule}"
    ]
    tables = []
    if found.headline is not None:
        own = found.differences[found.headline][0]
        if own.n_items != found.n_items:
            problems = count_of(own.n_clusters, "problem")
            about.append(f"{_named(found.headline)}: {count_of(own.n_items, 'item')} of {problems}")
        tables = [_ranking(found, found.headline, labels), _differences(found, found.headline, labels)]
        if any(one.ci is not None for one in found.equivalences):
            tables.append(_equivalence(found, found.headline, labels))
    return View(
        found.benchmark,
        (*tables, *_numbers(found, labels)),
        data=found.data,
        about=tuple(about),
        notes=(*(note for note in found.notes if note != found.absent), *_left_out(found)),
        absent=found.absent,
        legend=legend,
    )


def _legend(labels: Mapping[str, str]) -> Table | None:
    """Return the names that the labels stand for; None if they are the names."""
    rows = tuple(Row(label, (name,)) for name, label in labels.items() if label != clean(name))
    return Table("models", ("", "model"), rows, layout="lines") if rows else None


def _variants(found: ModelComparison, entry: Entry | None = None) -> tuple[str, ...]:
    """Return the column of the models' variants or an entry of it; nothing if a score is all that any model has."""
    if all(one.variant == "score" for one in found.entries if one.path is not None):
        return ()
    return ("variant" if entry is None else entry.variant,)


def _left_out(found: ModelComparison) -> Iterator[str]:
    """What the tables have no room for."""
    if found.headline is None:
        metric, scope = parts(found.differences)[0]
        such = f"`metric` {metric} with `scope` {quoted(scope) if ' ' in scope else scope}"
        yield f"the models are not ranked: choose a number to rank them by, such as {such}"
    elif len(found.differences[found.headline]) > _PAIRS:
        yield "differences are shown for neighbours in rank only: `as_json` has those of all pairs"


def _named(measure: Measure) -> str:
    return "accuracy" if measure == ("accuracy", "all") else measure_name(measure)


def _ranking(found: ModelComparison, headline: Measure, labels: Mapping[str, str]) -> Table:
    records = [entry.records[headline] for entry in found.entries]
    variants = _variants(found)
    rows = [
        Row(
            labels[entry.name],
            (*_variants(found, entry), number_of(record), _rank(entry.rank), entry.group),
            entry.name,
        )
        for entry, record in zip(found.entries, records, strict=True)
    ]
    rows += [
        Row(f"null baseline {name}", (*(None for _ in variants), Number(records[0].null[name]), None, None), faint=True)
        for name in shown_nulls(records)
    ]
    notes = [f"models that share a letter do not differ significantly{_order(headline)}"]
    return Table("ranking", ("", *variants, _named(headline), "rank", "group"), tuple(rows), notes=tuple(notes))


def _order(headline: Measure) -> str:
    """Return what ranks start with, unless larger numbers are better."""
    note = best_note(headline[0])
    return f"; {note}, so ranks and letters start there" if note else ""


def _rank(rank: tuple[int, int] | None) -> Joined:
    numbers = tuple(Number(end, unit=COUNT) for end in rank or ())
    return Joined(("from", "to"), numbers, "-", once=True)


def _differences(found: ModelComparison, headline: Measure, labels: Mapping[str, str]) -> Table:
    shown = [found.difference(first, second, *headline) for first, second in _pairs(found)]
    interval = _intervals(found)
    rows = [
        Row(
            f"{labels[one.first]} - {labels[one.second]}",
            tuple(_difference(one, interval)),
            f"{one.first} - {one.second}",
        )
        for one in shown
    ]
    total = len(found.differences[headline])
    corrected = f", corrected for {total} pairs (Holm)" if total > 1 else ""
    level = f", at the level of each of {total} corrected tests" if total > 1 else ""
    won = f"that raise the {_named(headline)} of {{}}" if best_note(headline[0]) else "in which {} does better"
    how = (
        f"p: cluster sign-flip test{corrected}; discordant: the number of comparisons {won.format('the first model')}, "
        f"then of those {won.format('the second')}; "
        "MDE (80% power): the smallest true difference, in points, that a test on this number of problems detects with "
        f"a power of 80%{level}"
    )
    columns = ("", "difference", "p", "discordant", "MDE (80% power)")
    title = f"differences in {_named(headline)}, in points"
    notes = (how, *_interval_notes(found, total), *_disagreement(shown, interval, labels))
    return Table("differences", columns, tuple(rows), title, notes)


def _pairs(found: ModelComparison) -> list[tuple[str, str]]:
    """Return the names of the pairs of models that are shown."""
    names = [entry.name for entry in found.entries]
    every = list(combinations(names, 2))
    return every if len(every) <= _PAIRS else list(pairwise(names))


def _intervals(found: ModelComparison) -> Callable[[Difference], tuple[float, float] | None]:
    """Return the function from a difference to the interval of it that is shown."""
    return attrgetter("ci" if found.intervals == "single" else "ci_simultaneous")


def _interval_notes(found: ModelComparison, total: int) -> Iterator[str]:
    if total == 1:
        yield "interval: 95%"
    elif found.intervals == "single":
        yield f"intervals: each of one difference alone, not corrected for {total} pairs, 95%"
    else:
        yield f"intervals: simultaneous over {total} pairs (max-t), 95%"


def _disagreement(
    shown: Sequence[Difference],
    interval: Callable[[Difference], tuple[float, float] | None],
    labels: Mapping[str, str],
) -> Iterator[str]:
    """Yield a note that names the pairs whose test and interval lead to different conclusions."""
    pairs = [
        f"{labels[one.first]} - {labels[one.second]}"
        for one in shown
        for ends in [interval(one)]
        if ends is not None and (ends[0] > 0 or ends[1] < 0) != bool(one.leads)
    ]
    if pairs:
        more = len(pairs) - _NAMED
        named = ", ".join(pairs[:_NAMED]) + (f" and {count_of(more, 'more pair')}" if more > 0 else "")
        yield f"p and interval lead to different conclusions for {named}: ranks and letters follow p"


def _equivalence(found: ModelComparison, headline: Measure, labels: Mapping[str, str]) -> Table:
    pairs = set(_pairs(found))
    shown = [one for one in found.equivalences if (one.first, one.second) in pairs]
    return equivalence_table(shown, len(found.equivalences), _named(headline), labels)


def _difference(one: Difference, interval: Callable[[Difference], tuple[float, float] | None]) -> Iterator[Cell]:
    yield Number(one.value, interval(one), DIFFERENCE, strong=bool(one.leads))
    yield Number(one.p_holm, unit=P_VALUE)
    counts = tuple(Number(count, unit=COUNT) for count in one.discordant)
    yield Joined(("first", "second"), counts, ":")
    yield Number(one.mde, unit=POINTS)


def _numbers(found: ModelComparison, labels: Mapping[str, str]) -> Iterator[Table]:
    """Yield the table of every other number of every model, with letters."""
    measures = [measure for measure in found.differences if measure != found.headline]
    if not measures:
        return
    pairs = sum(len(found.differences[measure]) for measure in measures)
    rows = []
    for measure in measures:
        letters = found.letters(measure)
        apart = len(set(letters)) > 1
        cells = (
            Number(entry.records[measure].value, letters=own if apart else "")
            for entry, own in zip(found.entries, letters, strict=True)
        )
        rows.append(Row(_named(measure), tuple(cells)))
    others = "numbers" if found.headline is None else "other numbers"
    shared = "models that share a letter do not differ significantly" if found.headline is None else "letters as above"
    title = f"{others}; {shared}, p corrected for {pairs} differences"
    names = [entry.name for entry in found.entries]
    columns = ("", *(labels[name] for name in names))
    notes = (f"{metric.replace('_', ' ')}: {note}" for metric in dict(measures) if (note := best_note(metric)))
    yield Table("numbers", columns, tuple(rows), title, tuple(notes), keys=("name", *names))
