"""Correlations of benchmark scores of reward models with the results of the policies that they trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from rmeval.errors import DataError
from rmeval.messages import alike, chosen_from, count_of, nearest, quoted, shortened
from rmeval.metrics.stats.few_models import correlation_interval, detectable_correlation
from rmeval.metrics.stats.few_models import difference_interval as interval_of_difference
from rmeval.metrics.stats.permutation import METHODS, Pairs, exchange_test, permutation_test
from rmeval.metrics.stats.significance import holm
from rmeval.predict.column_pairs import PairSet, given_pairs, grid_of, treated_pairs
from rmeval.predict.correlation_notes import FEW, correlation_notes
from rmeval.predict.model_names import check_given, match_models
from rmeval.predict.policy_correlation import (
    Coefficient,
    Correlation,
    CorrelationDifference,
    Correlations,
    LeftOut,
    PolicyPoint,
)
from rmeval.predict.score_tables import ScoreTable, read_score_tables
from rmeval.predict.stated_averages import average_notes
from rmeval.results.result import Result
from rmeval.types import FloatArray, IntArray

__all__ = ["correlate_scores"]

_MOST_DIFFERENCES = 15
_MOST_TESTED = 20
"""Most models whose omission is tested: of more, those that change the correlation most."""
_LARGEST = 1e50
"""Numbers up to this size have squares, and products of these, that are floats."""
_RELATIVE = ("difference", "ratio")
_STANDARDIZE = ("both", "scores")


def correlate_scores(
    scores: str | Path | Result | Sequence[str | Path | Result],
    against: str | Path,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    treatment: str | None = None,
    method: str = "pearson",
    base: str | None = None,
    relative: str = "difference",
    standardize: str | None = None,
    match: Mapping[str, str] | None = None,
) -> Correlations:
    """Correlate numbers of reward models with results of the policies that they trained.

    Models are the unit: tests permute them, and intervals resample them. Pairs of one table of scores are pooled: each
    column is standardised over the models, and the points of all pairs form one correlation.

    Args:
        scores: Tables with a row for each reward model (CSV, JSON, JSON Lines, parquet), run folders, or results.
        against: A table with a row for each policy, named as the reward model that trained it.
        pairs: Columns of scores and of results to correlate; every column with every other one if empty.
        treatment: Instead: the pairs of a paper, such as `rm-bench`.
        method: The coefficient that is tested: `pearson`, `spearman` or `kendall`.
        base: The row of the policy before training: results become relative to it.
        relative: `difference` from the base, or `ratio`: the relative change.
        standardize: What is standardised within each of several pairs: `both`, or `scores` only. By default, both,
            and for a treatment with a base `scores`.
        match: Names of reward models in `scores`, and their names in `against` where these differ.

    Raises:
        RmevalError: If a table cannot be read, a column does not exist or is constant, or fewer than three models are
            in both tables.
    """
    for value, name, known in (
        (method, "method", tuple(METHODS)),
        (relative, "relative", _RELATIVE),
        (standardize or "both", "standardize", _STANDARDIZE),
    ):
        if value not in known:
            raise DataError(f"`{name}` {value!r} does not exist: {chosen_from(value, known)}")
    if relative == "ratio" and base is None:
        raise DataError("`relative` ratio is a change from a `base`: give the row of the policy before training")
    if pairs and treatment:
        raise DataError("`pair` and `treatment` both name pairs of columns: give one of them")
    places = [scores] if isinstance(scores, str | Path | Result) else list(scores)
    tables, policies = read_score_tables(places, "scores"), _policies(against)
    notes: list[str] = []
    if treatment:
        sets, notes = treated_pairs(treatment, tables, policies)
        standardize = standardize or ("scores" if base else "both")
    else:
        sets = given_pairs(pairs, tables, policies) if pairs else grid_of(tables, policies)
    own = _Correlating(tables, policies, method, base, relative, standardize or "both", match or {})
    return own.found(sets, notes, bool(pairs or treatment))


def _policies(against: str | Path) -> ScoreTable:
    if not str(against):
        raise DataError("`against` is empty: give the table of policies")
    found = read_score_tables([against], "against")
    if len(found) > 1:
        raise DataError(f"{against} has runs of {count_of(len(found), 'benchmark')}: give a table of policies")
    return found[0]


class _Correlating:
    """Tables, and which rows of them are the same models."""

    def __init__(
        self,
        tables: Sequence[ScoreTable],
        policies: ScoreTable,
        method: str,
        base: str | None,
        relative: str,
        standardize: str,
        match: Mapping[str, str],
    ) -> None:
        self._tables, self._policies, self._method = tables, policies, method
        self._relative, self._standardize = relative, standardize
        check_given(match, [name for table in tables for name in table.models], policies.models)
        self._base = None if base is None else _row_of(base, policies)
        self._base_name = "" if self._base is None else policies.models[self._base]
        names = [name for name in policies.models if name != self._base_name]
        self._matches = {table.name: match_models(table.name, table.models, names, match) for table in tables}

    def found(self, sets: Sequence[PairSet], notes: Sequence[str], named: bool) -> Correlations:
        """Return all correlations."""
        ready: list[tuple[PairSet, Pairs, IntArray, tuple[str, ...]]] = []
        excluded: list[str] = []
        for one in sets:
            try:
                ready.append((one, *self._values(one)))
            except DataError as error:
                if named:
                    raise
                excluded.append(str(error))
        if not ready:
            raise DataError(excluded[0])
        found = [self._correlation(*one, full=len(ready) <= FEW) for one in ready]
        corrected = holm(np.nan_to_num(np.array([one.chosen.p for one in found]), nan=1.0)).tolist()
        found = [replace(one, p_corrected=p) for one, p in zip(found, corrected, strict=True)]
        differences, untested = self._differences(ready)
        remarks = [*self._table_notes(), *notes, *_grouped(excluded), *untested, *correlation_notes(found)]
        return Correlations(
            self._policies.source,
            self._method,
            self._base_name,
            self._relative if self._base_name else "",
            self._standardize,
            tuple(found),
            tuple(differences),
            tuple(self._matches.values()),
            tuple(remarks),
        )

    def _values(self, one: PairSet) -> tuple[Pairs, IntArray, tuple[str, ...]]:
        """Return the numbers of the models that have all of them, the rows of these, and the models that do not.

        Raises:
            DataError: If there are fewer than three models, or a column is constant.
        """
        table = one.pairs[0][0].table
        matched = self._matches[table.name].found
        rows = np.array([table.models.index(match.score) for match in matched], np.int64)
        places = np.array([self._policies.models.index(match.policy) for match in matched], np.int64)
        scores = np.array([score.values[rows] for score, _ in one.pairs]).reshape(len(one.pairs), len(rows))
        columns = [self._result(policy.name, policy.values, one.relative) for _, policy in one.pairs]
        results = np.array([values[places] for values in columns]).reshape(len(one.pairs), len(rows))
        known = ~(np.isnan(scores) | np.isnan(results)).any(axis=0)
        pairs = Pairs(scores[:, known], results[:, known], self._standardize == "both" or len(one.pairs) == 1)
        if not matched:
            raise DataError(
                f"no model is in both {table.source} and {self._policies.source}, where models have names such as "
                f"{shortened(table.models[0])} and {shortened(self._policies.models[0])}: give `match`"
            )
        if known.sum() < 3:
            raise DataError(
                f"{one.name} and {', '.join(one.policies)} are both known of {count_of(int(known.sum()), 'model')} (of "
                f"{len(matched)} that are in {table.source} and in {self._policies.source}{self._unmatched(table)}), "
                "and a correlation needs three: add models, or check the names and give `match`"
            )
        for score, policy in one.pairs:
            if score.table.source == policy.table.source and score.name == policy.name:
                raise DataError(
                    f"{policy.table.source}: {policy.name} is correlated with itself: choose another column"
                )
        for (score, policy), x, y in zip(one.pairs, pairs.scores, pairs.results, strict=True):
            for name, values in ((score.full_name, x), (policy.name, y)):
                _check_numbers(name, values)
        missing = tuple(match.policy for match, own in zip(matched, known, strict=True) if not own)
        return pairs, places[known], missing

    def _unmatched(self, table: ScoreTable) -> str:
        """Return an example of the names without a counterpart in each table, for messages."""
        own = self._matches[table.name]
        if not own.scores_only or not own.policies_only:
            return ""
        return f"; {shortened(own.scores_only[0])} and {shortened(own.policies_only[0])} are in one of them only"

    def _result(self, name: str, values: FloatArray, relative: bool) -> FloatArray:
        """Return a column of results, relative to the base if there is one."""
        if self._base is None or not relative:
            return values
        base = float(values[self._base])
        if math.isnan(base):
            raise DataError(f"`base` {shortened(self._base_name)} has no number in column {name!r}: results need it")
        if base <= 0 and self._relative == "ratio":
            # Division by a negative number would reverse the order of the results.
            raise DataError(
                f"`base` {shortened(self._base_name)} has the number {base:g} in column {name!r}, and a relative "
                "change needs a positive one: give `relative` difference"
            )
        return values - base if self._relative == "difference" else values / base - 1

    def _correlation(
        self, one: PairSet, pairs: Pairs, rows: IntArray, missing: tuple[str, ...], full: bool
    ) -> Correlation:
        models = tuple(self._policies.models[row] for row in rows)
        test = permutation_test(self._method, pairs)
        first = Coefficient(
            self._method, pairs.correlation(self._method), correlation_interval(self._method, pairs), test.p
        )
        others = [self._other(method, pairs, full) for method in METHODS if method != self._method]
        x, y = pairs.points if len(one.pairs) > 1 else (pairs.scores, pairs.results)
        points = [
            PolicyPoint(model, score.full_name, policy.name, float(x[k, place]), float(y[k, place]))
            for k, (score, policy) in enumerate(one.pairs)
            for place, model in enumerate(models)
        ]
        detectable = tuple(detectable_correlation(len(models), points) for points in (1, len(one.pairs)))
        return Correlation(
            one.name,
            tuple(score.full_name for score, _ in one.pairs),
            one.policies,
            self._base_name if one.relative else "",
            models,
            missing,
            (first, *others),
            math.nan,
            test.permutations,
            test.exact,
            test.least,
            (detectable[0], detectable[1]),
            tuple(self._left_out(pairs, models, full)),
            tuple(points),
        )

    def _other(self, method: str, pairs: Pairs, full: bool) -> Coefficient:
        value = pairs.correlation(method)
        if not full:
            return Coefficient(method, value, None, math.nan)
        return Coefficient(method, value, correlation_interval(method, pairs), permutation_test(method, pairs).p)

    def _left_out(self, pairs: Pairs, models: Sequence[str], full: bool) -> Iterator[LeftOut]:
        if len(models) < 4:
            return
        kept = np.array([np.delete(np.arange(len(models)), k) for k in range(len(models))])
        values = pairs.correlations(self._method, kept)
        changes = np.nan_to_num(np.abs(values - pairs.correlation(self._method)))
        tested = np.argsort(-changes, kind="stable")[:_MOST_TESTED].tolist() if full else []
        for place, (model, value) in enumerate(zip(models, values.tolist(), strict=True)):
            p = permutation_test(self._method, pairs.take(kept[place])).p if place in tested else math.nan
            yield LeftOut(model, value, p)

    def _differences(
        self, ready: Sequence[tuple[PairSet, Pairs, IntArray, tuple[str, ...]]]
    ) -> tuple[list[CorrelationDifference], list[str]]:
        """Return the differences of all correlations with the same results, and a note if there are too many."""
        both = [(a, b) for a, b in combinations(ready, 2) if a[0].policies == b[0].policies]
        if len(both) > _MOST_DIFFERENCES:
            note = f"the {len(both)} differences of correlations are not tested: name two numbers with `pair`"
            return [], [note]
        found = []
        for one, other in both:
            rows = np.intersect1d(one[2], other[2])
            if len(rows) < 3:
                continue
            first, second = (own[1].take(np.searchsorted(own[2], rows)) for own in (one, other))
            value = first.correlation(self._method) - second.correlation(self._method)
            if math.isnan(value):
                continue
            found.append(
                CorrelationDifference(
                    one[0].name,
                    other[0].name,
                    one[0].policies,
                    len(rows),
                    value,
                    interval_of_difference(self._method, first, second),
                    exchange_test(self._method, first, second).p,
                )
            )
        corrected = holm(np.array([one.p for one in found])).tolist()
        return [replace(one, p_corrected=p) for one, p in zip(found, corrected, strict=True)], []

    def _table_notes(self) -> Iterator[str]:
        for table in (*self._tables, self._policies):
            yield from table.notes
            yield from average_notes(table)


def _check_numbers(name: str, values: FloatArray) -> None:
    """Check that a correlation with a column can be computed.

    Raises:
        DataError: If it is constant, or squares of its numbers are no floats.
    """
    size, spread = float(np.abs(values).max()), float(np.ptp(values / 2)) * 2
    if spread <= 1e-13 * size:
        raise DataError(f"{name} is {values[0]:g} for all {len(values)} models: choose another column")
    if size > _LARGEST or spread < 1 / _LARGEST:
        how = "large" if size > _LARGEST else "small"
        raise DataError(
            f"{name} has numbers up to {size:g} that differ by {spread:g}, too {how} for a correlation: correct them, "
            "or change their unit"
        )


def _row_of(base: str, policies: ScoreTable) -> int:
    """Return the row of the base.

    Raises:
        DataError: If there is none.
    """
    same = [row for row, name in enumerate(policies.models) if name == base] or [
        row for row, name in enumerate(policies.models) if alike(name, base)
    ]
    if len(same) == 1:
        return same[0]
    if same:
        raise DataError(f"`base`: {policies.source} has {len(same)} rows {quoted(base)}: keep one")
    meant = nearest(base, policies.models)
    hint = f"did you mean {shortened(meant)}?" if meant else "give the name of one of its rows"
    raise DataError(f"`base`: {policies.source} has no row {quoted(base)}: {hint}")


def _grouped(excluded: Sequence[str]) -> Iterator[str]:
    """Yield notes on the pairs that have no correlation."""
    some = 3
    yield from (f"left out: {reason}" for reason in excluded[:some])
    if len(excluded) > some:
        yield f"left out: {len(excluded) - some} more pairs of columns without a correlation, for such reasons"
