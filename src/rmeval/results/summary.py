"""Results in a few lines of text, as Python shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.messages import count_of, percent, shortened
from rmeval.metrics.composition import Measure, absence, headline, parts
from rmeval.types import Record

if TYPE_CHECKING:
    from rmeval.results.analyze import Analysis
    from rmeval.results.compare import Entry, ModelComparison
    from rmeval.results.estimate import Estimate
    from rmeval.results.result import Result

__all__ = ["analysis_lines", "comparison_lines", "estimate_lines", "result_lines"]

_MOST = 8
"""Other numbers, and models, in these lines."""


def result_lines(result: Result) -> str:
    """Return the headline, a few other numbers, the number of notes, and the run folder."""
    return "\n".join(_result(result.manifest, result.records, result.notes, str(result.path)))


def _result(manifest: Mapping[str, Any], records: Sequence[Record], notes: Sequence[str], path: str) -> Iterator[str]:
    first = {(one.metric, one.scope): one for one in reversed(records) if one.variant == records[0].variant}
    subject = _subject(manifest)
    if not first:
        yield f"{subject}: no numbers"
    else:
        there = list(reversed(first))
        measure = headline(there)
        top = None if measure is None else first[measure]
        yield f"{subject}: {_on_items(top) if top else absence(there, notes)}"
        if more := list(_more(reversed(first.values()), top)):
            yield f"  {', '.join(more)}"
    yield from _noted(notes)
    yield f"  {shortened(path, 1_000)}"


def _on_items(top: Record) -> str:
    return f"{_named(top)} on {count_of(top.n_items, 'item')}"


def _more(records: Iterable[Record], top: Record | None) -> Iterator[str]:
    """Yield the numbers that summarise all items or sections of them."""
    shown = [
        one for one in records if one is not top and ":" not in one.metric and one.metric not in ("without_errata",)
    ]
    sums = [one for one in shown if one.scope == "all" or one.metric in ("section", "category", "language")] or shown
    yield from (f"{_name(one.metric, one.scope)} {percent(one.value)}" for one in sums[:_MOST])
    if len(sums) > _MOST:
        yield "..."


def _name(metric: str, scope: str) -> str:
    if scope == "all":
        return metric
    return shortened(scope if metric in ("accuracy", "section", "category", "language") else f"{scope} {metric}")


def _named(record: Record) -> str:
    text = f"{_name(record.metric, record.scope)} {percent(record.value)}"
    return text if record.ci is None else f"{text} [{percent(record.ci[0])}-{percent(record.ci[1])}]"


def analysis_lines(found: Analysis) -> str:
    """Return the headline, the numbers on all items, the number of notes, and the run folder."""
    return "\n".join(_analysis(found))


def _analysis(found: Analysis) -> Iterator[str]:
    top = found.headline
    yield f"{_subject(found.manifest)}: {_on_items(top) if top else found.absent}, analysis"
    shares = [one for one in found.records if one.metric not in _LOG_ODDS]
    if more := list(_more(shares, top)):
        yield f"  {', '.join(more)}"
    yield from _noted(found.notes)
    yield f"  {shortened(str(found.path), 1_000)}"


_LOG_ODDS = ("style_length", "style_markdown")
"""Numbers of an analysis that are not shares."""


def _subject(manifest: Mapping[str, Any]) -> str:
    return shortened(f"{manifest['benchmark']['id']}  {manifest['model']['name']}")


def comparison_lines(found: ModelComparison) -> str:
    """Return the models, best first, with ranks and letters."""
    count = count_of(len(found.entries), "model")
    lead = f"{found.benchmark}: {count} on {count_of(found.n_items, 'item')}"
    lines = [f"{lead}, by {_name(*found.headline)}" if found.headline else f"{lead}; {found.absent}"]
    lines += [f"  {_ranked(entry, found.headline)}" for entry in found.entries[:_MOST]]
    more = ["  ..."] if len(found.entries) > _MOST else []
    return "\n".join([*lines, *more, *_noted(found.notes)])


def _ranked(entry: Entry, measure: Measure | None) -> str:
    """Return a model with rank, number and letters; without a headline, with the number of each part."""
    name = shortened(entry.name)
    if measure is None or entry.rank is None:
        return f"{name}  {', '.join(_named(entry.records[part]) for part in parts(entry.records)[:_MOST])}"
    low, high = entry.rank
    rank = str(low) if low == high else f"{low}-{high}"
    return f"{rank}  {name}  {_named(entry.records[measure])}  {entry.group}"


def _noted(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield f"  {count_of(len(notes), 'note')} in .notes, the first: {shortened(notes[0])}"


def estimate_lines(found: Estimate) -> str:
    """Return the estimate from both models and from the sample alone, what the cheap model is worth, and notes."""
    return "\n".join(_estimate(found))


def _estimate(found: Estimate) -> Iterator[str]:
    name = _name(found.metric, found.scope)
    where = f"estimated from {found.n_sample} of {count_of(found.n_items, 'item')}"
    yield shortened(f"{found.benchmark}  {found.expensive}: {name} {_ranged(found.value, found.ci)}, {where}")
    yield f"  sample alone {_ranged(found.value_alone, found.ci_alone)}"
    yield shortened(
        f"  {found.cheap}: correlation {found.correlation:.2f}, saves {percent(found.saved)}% of the variance"
    )
    yield from _noted(found.notes)


def _ranged(value: float, ci: tuple[float, float]) -> str:
    return f"{percent(value)} [{percent(ci[0])} to {percent(ci[1])}]"
