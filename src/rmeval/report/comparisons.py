"""Tables of models side by side, for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from rich.console import Group, RenderableType

from rmeval.messages import count_of
from rmeval.metrics.composition import Measure
from rmeval.metrics.scoring.style_substance import GAP
from rmeval.metrics.stats.paired import Difference
from rmeval.report.tables import measure_name, new_table, percent, shown_nulls, with_interval
from rmeval.report.terminal import Line, make_console
from rmeval.results.compare import ModelComparison

__all__ = ["comparison_report", "print_comparison"]

_BESIDE = 6
"""Models that fit beside each other."""
_PAIRS = 15
"""Above so many pairs of models only neighbours in rank are shown."""


def print_comparison(found: ModelComparison) -> None:
    """Prints which models lead which, by how much, and what more items would show."""
    make_console().print(comparison_report(found), crop=False)


def comparison_report(found: ModelComparison) -> Group:
    """Ranks, differences by pair, and each number of each model."""
    about = [
        f"{len(found.entries)} models on {count_of(found.n_items, 'item')} of {count_of(found.n_clusters, 'problem')}; "
        f"ties and failures: {found.rule}"
    ]
    own = found.differences[found.headline][0]
    if own.n_items != found.n_items:
        problems = count_of(own.n_clusters, "problem")
        about.append(f"{_named(found.headline)}: {count_of(own.n_items, 'item')} of {problems}")
    return Group(
        Line(found.benchmark, "bold"),
        *(Line(line, "dim") for line in about),
        "",
        *_ranking(found),
        "",
        *_differences(found),
        *_numbers(found),
        *(Line(f"! {note}", style="yellow") for note in found.notes),
    )


def _named(measure: Measure) -> str:
    return "accuracy" if measure == ("accuracy", "all") else measure_name(measure)


def _ranking(found: ModelComparison) -> Iterator[RenderableType]:
    records = [entry.records[found.headline] for entry in found.entries]
    baselines = shown_nulls(records)
    table = new_table("", _named(found.headline), "rank", "group")
    for entry, record in zip(found.entries, records, strict=True):
        first, last = entry.rank
        ranks = str(first) if first == last else f"{first}-{last}"
        table.add_row(Line(entry.name), with_interval(record), ranks, entry.group)
    for name in baselines:
        table.add_row(Line(f"null baseline {name}", "dim"), Line(percent(records[0].null[name]), "dim"), "", "")
    yield table
    gap = "; a gap is best at 0: ranks are from the largest" if found.headline[0] == GAP else ""
    yield Line(f"models that share a letter cannot be told apart{gap}", "dim")


def _differences(found: ModelComparison) -> Iterator[RenderableType]:
    names = [entry.name for entry in found.entries]
    pairs = [(one, other) for k, one in enumerate(names) for other in names[k + 1 :]]
    note = ""
    if len(pairs) > _PAIRS:
        pairs, note = list(pairwise(names)), "; neighbours in rank only (all of them: --json)"
    title = f"differences in {_named(found.headline)}, in points{note}"
    yield Line(title, "dim")
    table = new_table("", "difference", "p", "alone", "shows", "needs")
    for first, second in pairs:
        one = found.difference(first, second)
        label = Line.assemble(one.first, (" - ", "dim"), one.second)
        table.add_row(label, _points(one), p_value(one.p_holm), _alone(one), _detectable(one), _needed(one))
    yield table
    total = len(found.differences[found.headline])
    corrected = f", corrected for {total} pairs (Holm)" if total > 1 else ""
    both = f"; both at the level that {total} tests leave each" if total > 1 else ""
    yield Line(
        f"p: by cluster sign flips{corrected}; alone: comparisons that go better for the first and for the second; "
        "shows: the smallest true difference, in points, that as many problems show with a power of 80%; "
        f"needs: how many problems show with that power what was found{both}",
        "dim",
    )


def _numbers(found: ModelComparison) -> Iterator[RenderableType]:
    """Every other number of every model, with letters."""
    measures = [measure for measure in found.differences if measure != found.headline]
    if not measures or len(found.entries) > _BESIDE:
        return
    pairs = sum(len(found.differences[measure]) for measure in measures)
    yield ""
    yield Line(f"other numbers; letters as above, p corrected for {pairs} differences", "dim")
    table = new_table("", *(entry.name for entry in found.entries))
    for measure in measures:
        letters = found.letters(measure)
        apart = len(set(letters)) > 1
        cells = [
            Line.assemble(percent(entry.records[measure].value), (f" {own:<3}" if apart else "    ", "dim"))
            for entry, own in zip(found.entries, letters, strict=True)
        ]
        table.add_row(Line(_named(measure)), *cells)
    yield table


def _points(one: Difference) -> Line:
    text = Line(signed(one.value), "bold" if one.leads else "")
    if one.ci:
        text.append(f" {percent(one.ci[0])} to {percent(one.ci[1])}", "dim not bold")
    return text


def _alone(one: Difference) -> str:
    return f"{one.only_first}:{one.only_second}"


def _detectable(one: Difference) -> str:
    return "-" if math.isnan(one.detectable) or not one.detectable else f"{100 * one.detectable:.1f}"


def _needed(one: Difference) -> str:
    return "-" if one.needed is None else f"{one.needed:,}" if one.needed < 10_000_000 else "> 10 million"


def signed(share: float) -> str:
    """A share as points with its sign."""
    # Adding 0 makes -0.0 positive.
    return "-" if math.isnan(share) else f"{round(100 * share, 1) + 0.0:+.1f}"


def p_value(p: float) -> str:
    """A p-value as one writes it."""
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}" if p >= 0.001 else "< .001"
