"""Item response of a benchmark: which items discriminate between models, which may be wrong, and short forms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from rmeval.benchmarks.errata import errata_of
from rmeval.errors import DataError, RunError
from rmeval.messages import count_of
from rmeval.metrics.composition import Measure
from rmeval.metrics.stats.abilities import ability_errors, residual_correlations
from rmeval.metrics.stats.item_response import ENOUGH, ItemResponse, fit_items
from rmeval.metrics.stats.short_forms import HeldOut, choose_items, chosen_errors, held_out, random_errors, values_of
from rmeval.results.frames import frame_of
from rmeval.results.item_results import ItemMatrix, results_of_runs, results_on_part
from rmeval.results.notebook import html_of
from rmeval.results.places import Place
from rmeval.store.manifest import finite
from rmeval.types import IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnalyzedItem", "AnalyzedModel", "ItemAnalysis", "ShortEstimate", "ShortForm", "analyze_items"]


@dataclass(frozen=True)
class AnalyzedItem:
    """An item's place between models.

    Attributes:
        item: The item's id.
        subset: Its subset.
        right: The share of its comparisons that the models decide right, on average over the models.
        difficulty: The log-odds that a model of average ability decides a comparison of it wrong.
        discrimination: What one standard deviation of ability adds to the log-odds of a right decision.
        discrimination_error: The posterior standard deviation of the discrimination; too small with few models, so that
            tables do not show it.
        negative: The posterior probability that the discrimination is negative: abler models are wrong more often.
        information: Fisher's information on a model's ability, on average over the models.
        erratum: What `rmeval errata` states of the item.
    """

    item: str
    subset: str
    right: float
    difficulty: float
    discrimination: float
    discrimination_error: float
    negative: float
    information: float
    erratum: str | None = None


@dataclass(frozen=True)
class AnalyzedModel:
    """A model's ability.

    Attributes:
        name: The model.
        value: Its number.
        ability: Its ability; mean 0 and standard deviation 1 over the models.
        error: The standard error of the ability over problems.
    """

    name: str
    value: float
    ability: float
    error: float


@dataclass(frozen=True)
class ShortForm:
    """Items that represent all items, and the error of the number that they give.

    Attributes:
        items: Id and weight of each item; the weights add up to 1.
        way: What makes two items alike: `item response` or `results`.
        prediction: The share of the prediction by item response in the estimate; the rest is the weighted mean.
        error: The root mean square error on models that were left out when items and the way were chosen.
        errors: The same for each way.
        random: The root mean square error of random samples of the same size, for the same models.
        random_better: The share of random samples with a smaller error.
    """

    items: tuple[tuple[str, float], ...]
    way: str
    prediction: float
    error: float
    errors: tuple[tuple[str, float], ...]
    random: float
    random_better: float


@dataclass(frozen=True)
class ShortEstimate:
    """The number of a model on all items, estimated from its run on the short form.

    Attributes:
        name: The model.
        value: The estimate.
        error: The root mean square error of such estimates on held-out models.
        n_items: Number of items of the short form.
    """

    name: str
    value: float
    error: float
    n_items: int


@dataclass(frozen=True)
class ItemAnalysis:
    """Item response of several models on one benchmark.

    Attributes:
        benchmark: The benchmark's id.
        rule: The name of the score rule.
        measure: The number; None for the share of all comparisons.
        models: The models, ablest first.
        items: All items, the most informative first.
        alike: The correlation of the results of an item's comparisons for one model, beyond ability and item.
        residual: The largest correlation of two models' residuals, less the mean of all pairs.
        residual_pair: These two models.
        short: The short form, if one was chosen.
        estimate: The number of a model that was run on the short form.
        notes: Notes for the reader, one sentence each.
    """

    benchmark: str
    rule: str
    measure: Measure | None
    models: tuple[AnalyzedModel, ...]
    items: tuple[AnalyzedItem, ...]
    alike: float
    residual: float
    residual_pair: tuple[str, str]
    short: ShortForm | None
    estimate: ShortEstimate | None
    notes: tuple[str, ...]

    @property
    def suspect(self) -> list[AnalyzedItem]:
        """The items that abler models get wrong more often, the most probable ones first."""
        return sorted((one for one in self.items if one.discrimination < 0), key=lambda one: (-one.negative, one.item))

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each item."""
        return frame_of([asdict(one) for one in self.items])

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as plain JSON types."""
        found: dict[str, Any] = finite(asdict(self))
        return found

    def __repr__(self) -> str:
        lines = [
            f"{self.benchmark}: {count_of(len(self.models), 'model')} on {count_of(len(self.items), 'item')}, "
            f"{count_of(len(self.suspect), 'item')} with a negative discrimination"
        ]
        lines += [f"  {one.item}  discrimination {one.discrimination:.2f}" for one in self.items[:_LINES]]
        return "\n".join([*lines, *(["  ..."] if len(self.items) > _LINES else [])])

    def _repr_html_(self) -> str | None:
        return html_of(self)


_LINES = 5
"""Items in the representation as text."""
_BEYOND = 0.2
"""Residual correlation above the mean from which on two models have something in common beyond ability."""


def analyze_items(
    runs: Place | Iterable[Place],
    *,
    short: int | None = None,
    estimate: Place | None = None,
    metric: str | None = None,
    scope: str = "all",
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> ItemAnalysis:
    """Fit the two-parameter logistic model of item response to several runs; needs neither a model nor torch.

    Args:
        runs: Runs of at least five models on one benchmark: a folder that contains runs, run folders, or results. Null
            baselines are left out.
        short: Number of items of a short form to choose.
        estimate: A run on the short form that these runs give: its number on all items is estimated.
        metric: The number to which items contribute, such as `hard`; the benchmark's headline if None.
        scope: The scope of the number, such as `chat`.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which score to use if a model has several.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RmevalError: If there are too few models, the number is not a weighted mean of comparisons, the short form is
            not shorter than the benchmark, or the run to estimate is not of the short form.
    """
    known = results_of_runs(
        runs, rule=rule, variant=variant, metric=metric, scope=scope, benchmark=benchmark, protocol=protocol
    )
    items = len(known.table)
    if short is not None and (type(short) is not int or not 1 <= short < items):
        raise DataError(
            f"`short` must be a whole number from 1 to {items - 1}, as there are {items} items: not {short!r}"
        )
    response = fit_items(known.results)
    form = None if short is None else _short_form(known, response, short)
    found = None
    if estimate is not None:
        found = _estimated(known, response, estimate, (variant, benchmark, protocol))
    own, order = np.array(known.names), response.results.order
    residual, pair = _beyond(response)
    return ItemAnalysis(
        known.run.benchmark.card.id,
        known.rule.name,
        known.measure,
        _models(known, response),
        _items(known, response),
        response.alike,
        residual,
        (str(own[order[pair[0]]]), str(own[order[pair[1]]])),
        form,
        found,
        (*known.notes, *_notes(known, response, residual)),
    )


def _rank(known: ItemMatrix) -> IntArray:
    """int64[items]: the order of the items by id."""
    found = np.empty(len(known.table), np.int64)
    found[sorted(range(len(known.table)), key=list(known.table.ids).__getitem__)] = np.arange(len(known.table))
    return found


def _models(known: ItemMatrix, response: ItemResponse) -> tuple[AnalyzedModel, ...]:
    errors = ability_errors(response, known.table.cluster)
    values = known.share @ known.mass
    found = [
        AnalyzedModel(known.names[place], float(values[place]), float(ability), float(error))
        for place, ability, error in zip(response.results.order.tolist(), response.ability, errors, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.ability, one.name)))


def _items(known: ItemMatrix, response: ItemResponse) -> tuple[AnalyzedItem, ...]:
    errata = errata_of(known.run.benchmark.card)
    columns = {
        "right": response.results.share.mean(axis=0),
        "difficulty": response.difficulty,
        "discrimination": response.discrimination,
        "discrimination_error": np.sqrt(response.covariance[:, 0, 0]),
        "negative": response.negative,
        "information": response.information,
    }
    of_kind = [dict(zip(columns, row, strict=True)) for row in np.column_stack(list(columns.values())).tolist()]
    table, kinds = known.table, response.results.kind.tolist()
    found = [
        AnalyzedItem(
            item=name,
            subset=table.subsets[subset],
            erratum=errata[name].wrong if name in errata else None,
            **of_kind[kind],
        )
        for name, subset, kind in zip(table.ids, table.subset.tolist(), kinds, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.information, one.item)))


def _short_form(known: ItemMatrix, response: ItemResponse, size: int) -> ShortForm:
    rank = _rank(known)
    left = held_out(response.results, known.mass, rank, size)
    best = _best(left)
    chosen = choose_items(response, known.mass, size, best.way, rank)
    error = _error(left)
    draws = random_errors(response.results, known.mass, size)
    ids = (known.table.ids[place] for place in chosen.items.tolist())
    return ShortForm(
        tuple(zip(ids, chosen.weight.tolist(), strict=True)),
        best.way,
        best.share,
        error,
        tuple((one.way, one.error) for one in left),
        float(np.sqrt(np.mean(draws**2))),
        float(np.mean(draws < error)),
    )


def _best(found: list[HeldOut]) -> HeldOut:
    return min(found, key=lambda one: one.error)


def _error(found: list[HeldOut]) -> float:
    return float(np.sqrt(np.mean(chosen_errors(found) ** 2)))


def _estimated(
    known: ItemMatrix, response: ItemResponse, run: Place, given: tuple[str | None, str | None, str | None]
) -> ShortEstimate:
    own = results_on_part(known, run, *given)
    size = len(own.items)
    if size == len(known.table):
        raise RunError(f"{own.name} has a result on every item, so there is nothing to estimate: show its run instead")
    rank = _rank(known)
    left = held_out(response.results, known.mass, rank, size)
    best = _best(left)
    short = choose_items(response, known.mass, size, best.way, rank)
    if own.others or set(short.items.tolist()) != set(own.items.tolist()):
        raise RunError(
            f"the items of {own.name} are not the short form of these runs: give the runs that the short form was made "
            "from, and a run on all of its items and no others"
        )
    share = own.share[np.argsort(own.items)][None]
    value = float(values_of(response, known.mass, short, share).blend(best.share)[0])
    return ShortEstimate(own.name, value, _error(left), size)


def _beyond(response: ItemResponse) -> tuple[float, tuple[int, int]]:
    """Return the largest residual correlation of two models less the mean of all pairs, and the two models."""
    found = residual_correlations(response)
    pairs = np.triu_indices(len(found), 1)
    values = found[pairs]
    place = int(np.argmax(values))
    return float(values[place] - values.mean()), (int(pairs[0][place]), int(pairs[1][place]))


def _notes(known: ItemMatrix, response: ItemResponse, residual: float) -> Iterator[str]:
    models = len(known.names)
    if known.measure is None:
        yield "no number is of all items, so each comparison has the same weight: choose another `metric` and `scope`"
    if models < ENOUGH:
        yield (
            f"{count_of(models, 'model')}: with fewer than {ENOUGH}, the discrimination of a single item is uncertain, "
            "so many items at the top of these lists are there by chance"
        )
    if not any(one < 0 for one in response.discrimination.tolist()):
        yield "no item has a negative discrimination"
    pairs = models * (models - 1) / 2
    limit = max(_BEYOND, float(ndtri(1 - 0.025 / pairs)) / math.sqrt(len(known.table)))
    if residual > limit:
        yield (
            "one ability does not describe these models, as two of them agree beyond it: discriminations and "
            "predictions are approximate"
        )
