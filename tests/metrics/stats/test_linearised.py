"""Values of problems whose mean is a number of the benchmark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rmeval.metrics import OFFICIAL, mixed, pooled
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.stats.linearised import linearise
from rmeval.testing import make_evidence, make_items, make_pairs


def test_credits_of_problems_with_one_comparison_stay_as_they_are() -> None:
    items = make_pairs(40)
    found = outcomes(items, make_evidence(items, 0.7), OFFICIAL)
    own = linearise(found, pooled({("all", "chosen/rejected"): 40}, ["all"]))
    assert own.value == pytest.approx(found.credit.mean())
    assert own.of_units(found.item, 40) == pytest.approx(found.credit)


def test_the_mean_of_the_values_is_the_number_and_strata_add_no_variance() -> None:
    items = [*make_pairs(10, "a"), *make_pairs(30, "b")]
    found = outcomes(items, make_evidence(items, 0.7), OFFICIAL)
    kinds = {(name, "chosen/rejected"): 1.0 for name in ("a", "b")}
    own = linearise(found, mixed([(0.5, {kind: 1.0}) for kind in kinds]))
    values = own.of_units(found.item, 40)
    first, second = found.credit[:10], found.credit[10:]
    assert own.value == pytest.approx((first.mean() + second.mean()) / 2) == values.mean()
    # The variance of the mean is that of the two strata, each with its own size.
    expected = first.var() / 10 / 4 + second.var() / 30 / 4
    assert values.var() / 40 == pytest.approx(expected)


def test_comparisons_without_credit_are_left_out() -> None:
    items = make_items(6, clusters=3)
    found = outcomes(items, make_evidence(items, 0.7, style_bias=1), OFFICIAL)
    credit = found.credit.copy()
    credit[found.item < 3] = np.where(np.arange(27) < 9, np.nan, credit[:27])
    found = replace(found, credit=credit)
    own = linearise(found, pooled({("chat", tag): 6 for tag in found.tags}, ["chat"]))
    known = ~np.isnan(credit)
    assert own.value == pytest.approx(credit[known].mean())
    assert own.of_units(found.item, 6)[0] != own.of_units(found.item, 6)[0]
    of_problems = own.of_units(found.cluster[found.item], 3)
    assert of_problems.mean() == pytest.approx(own.value)
    sizes = np.bincount(found.cluster[found.item][known])
    assert of_problems == pytest.approx(
        [own.value + size / sizes.mean() * (credit[known & (found.cluster[found.item] == k)].mean() - own.value)
         for k, size in enumerate(sizes)]
    )  # fmt: skip
