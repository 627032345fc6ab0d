"""Variance components: worked by hand, against dense matrices, and in simulations."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import chi2

from rmeval.metrics.stats.variance import (
    Component,
    best_split,
    crossed_components,
    nested_components,
    reliability,
    standard_error,
)
from rmeval.types import FloatArray

FACETS = ("f", "g")


def estimates(values: FloatArray) -> dict[tuple[str, ...], float]:
    return {one.effect: one.estimate for one in crossed_components(values, FACETS[: values.ndim - 1])}


def by_matrices(values: FloatArray) -> dict[tuple[str, ...], float]:
    """Henderson's method 1 from its definition: quadratic forms y'Py, whose expectations are traces."""
    names = ("problem", *FACETS)
    cells = [place for place in np.ndindex(values.shape) if not np.isnan(values[place])]
    y = np.array([values[place] for place in cells])
    effects = [own for size in range(1, values.ndim + 1) for own in combinations(range(values.ndim), size)]

    def incidence(own: tuple[int, ...]) -> FloatArray:
        keys = [tuple(place[axis] for axis in own) for place in cells]
        return np.array([[float(key == column) for column in sorted(set(keys))] for key in keys])

    designs = [incidence(own) for own in effects]
    mean = np.full((len(y), len(y)), 1 / len(y))
    forms = [z @ np.diag(1 / z.sum(axis=0)) @ z.T - mean for z in designs]
    left = [[np.trace(form @ z @ z.T) for z in designs] for form in forms]
    found = np.linalg.solve(left, [y @ form @ y for form in forms])
    return {tuple(names[k] for k in own): value for own, value in zip(effects, found.tolist(), strict=True)}


def test_three_problems_under_two_levels_by_hand() -> None:
    # Mean squares: problems 1/2, levels 1/6, residual 1/6.
    values = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    found = crossed_components(values, ["seed"])
    assert [one.effect for one in found] == [("problem",), ("seed",), ("problem", "seed")]
    assert [one.variance for one in found] == pytest.approx([1 / 6, 0.0, 1 / 6], abs=1e-12)
    assert [one.ci for one in found if "problem" in one.effect] == [None, None]


def test_an_example_with_a_negative_estimate_by_hand() -> None:
    # Mean squares: problems 0, levels 0, residual 1: (0 - 1) / 2 each.
    found = crossed_components(np.array([[1.0, 0.0], [0.0, 1.0]]), ["seed"])
    assert [one.estimate for one in found] == pytest.approx([-0.5, -0.5, 1.0])
    assert [one.variance for one in found] == pytest.approx([0.0, 0.0, 1.0])


@pytest.mark.parametrize("shape", [(9, 3), (7, 2, 3)])
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_equal_to_the_definition_by_matrices(shape: tuple[int, ...], missing: float) -> None:
    random = np.random.default_rng(1)
    values = random.integers(0, 2, shape) + random.normal(size=(shape[0], *[1] * (len(shape) - 1)))
    values[random.random(shape) < missing] = np.nan
    assert estimates(values) == pytest.approx(by_matrices(values), abs=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_the_jackknife_leaves_out_each_problem(missing: float) -> None:
    random = np.random.default_rng(2)
    values = (random.random((12, 3)) < expit(random.normal(size=(12, 1)))).astype(float)
    values[random.random(values.shape) < missing] = np.nan
    without = [estimates(np.delete(values, place, axis=0)) for place in range(len(values))]
    for one in crossed_components(values, ["f"]):
        if one.effect == ("f",):
            continue
        own = np.array([other[one.effect] for other in without])
        error = math.sqrt(11 / 12 * float(np.square(own - own.mean()).sum()))
        assert one.ci is not None
        assert one.ci[1] == pytest.approx(one.estimate + 2.200985 * error)  # t.975 with 11 degrees of freedom
        assert one.ci[0] == pytest.approx(max(0, one.estimate - 2.200985 * error))


def test_levels_without_noise_have_the_interval_of_a_variance() -> None:
    effects = np.array([0.1, 0.4, 0.2, 0.7])
    values = np.linspace(0, 1, 20)[:, None] + effects
    own = crossed_components(values, ["f"])[1]
    variance = float(effects.var(ddof=1))
    assert own.variance == pytest.approx(variance)
    assert own.ci == pytest.approx([3 * variance / chi2.ppf(q, 3) for q in (0.975, 0.025)])


def test_values_that_never_differ_between_levels() -> None:
    values = np.repeat((np.arange(30) % 3 == 0).astype(float)[:, None], 2, axis=1)
    problem, level, both = crossed_components(values, ["f"])
    assert problem.variance == pytest.approx(values[:, 0].var(ddof=1))
    assert [level.variance, both.variance] == pytest.approx([0, 0], abs=1e-15)
    assert (level.ci, both.ci) == (None, None)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[1.0, 0.0]], "fewer than two problems"),
        ([[1.0], [0.0]], "fewer than two levels"),
        ([[1.0, np.nan], [0.0, np.nan]], "fewer than two levels"),
        ([[1.0, np.nan], [0.0, np.nan], [np.nan, 1.0], [np.nan, 0.0]], "not crossed"),
    ],
)
def test_what_cannot_be_separated(values: list[list[float]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        crossed_components(np.array(values), ["f"])


@given(
    st.integers(0, 10_000),
    st.permutations(range(8)),
    st.permutations(range(3)),
    st.floats(-5, 5),
    st.floats(0.1, 10),
)
def test_order_shift_and_scale(seed: int, rows: list[int], columns: list[int], shift: float, scale: float) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 2, (8, 3)).astype(float)
    values[0, 0] = np.nan
    moved = values[rows][:, columns] * scale + shift
    for one, other in zip(crossed_components(values, ["f"]), crossed_components(moved, ["f"]), strict=True):
        assert other.estimate == pytest.approx(scale**2 * one.estimate, abs=1e-9 * scale**2)
        if one.ci and other.ci:
            assert other.ci == pytest.approx([scale**2 * end for end in one.ci], abs=1e-9 * scale**2)


def test_problems_without_values_do_not_count() -> None:
    values = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    padded = np.vstack([values[:1], np.full((1, 2), np.nan), values[1:]])
    assert estimates(padded) == estimates(values)


def test_three_problems_of_two_items_by_hand() -> None:
    # Mean squares: between 1/2, within 1/6; n0 = 2.
    found = nested_components(np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0]), np.array([7, 7, 3, 3, 5, 5]))
    assert [one.variance for one in found.components] == pytest.approx([1 / 6, 1 / 6])
    assert found.correlation == pytest.approx(0.5)
    assert found.design_effect == pytest.approx(1.5)
    assert found.effective == pytest.approx(4.0)


def test_unequal_problems_by_hand() -> None:
    # Problems of 3, 1 and 2 items: N = 6, sum m² = 14, n0 = (6 - 14/6) / 2 = 11/6. Means 1/3, 1, 0, overall 1/3.
    values, cluster = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]), np.array([0, 0, 0, 1, 2, 2])
    within = (2 / 3) / 3
    between = (0 + 4 / 9 + 2 / 9) / 2
    found = nested_components(values, cluster)
    assert [one.variance for one in found.components] == pytest.approx([(between - within) / (11 / 6), within])
    assert found.design_effect == pytest.approx(1 + (14 / 6 - 1) * found.correlation)


def test_the_nested_jackknife_leaves_out_each_problem() -> None:
    random = np.random.default_rng(3)
    cluster = random.integers(0, 15, 60)
    values = (random.random(60) < expit(random.normal(size=15))[cluster]).astype(float)
    found = nested_components(values, cluster)
    without = [nested_components(values[cluster != one], cluster[cluster != one]) for one in np.unique(cluster)]
    own = np.array([one.components[0].estimate for one in without])
    error = math.sqrt((len(own) - 1) / len(own) * float(np.square(own - own.mean()).sum()))
    ci = found.components[0].ci
    assert ci is not None
    assert ci[1] == pytest.approx(found.components[0].estimate + 2.144787 * error)  # 14 degrees of freedom


@pytest.mark.parametrize("cluster", [[0, 0, 0], [0, 1, 2]])
def test_items_that_cannot_be_separated(cluster: list[int]) -> None:
    with pytest.raises(ValueError, match="fewer than two problems, or each problem has a single item"):
        nested_components(np.array([1.0, 0.0, 1.0]), np.array(cluster))


def made(**variances: float) -> list[Component]:
    effects = {"p": ("problem",), "f": ("f",), "pf": ("problem", "f"), "m": ("model",), "pm": ("problem", "model")}
    return [Component(effects[name], value, value, None) for name, value in variances.items()]


def test_standard_errors_by_hand() -> None:
    components = made(p=0.16, f=0.0009, pf=0.09)
    assert standard_error(components, {"problem": 100, "f": 3}) == pytest.approx(math.sqrt(0.0016 + 0.0003 + 0.0003))
    # Models are compared on the same problems: what is common to both does not count.
    models = made(p=0.16, m=0.01, pm=0.08)
    assert standard_error(models, {"problem": 400}, "model") == pytest.approx(math.sqrt(2 * 0.0002))
    assert reliability(models, {"problem": 400}, "model") == pytest.approx(0.01 / 0.0102)
    assert math.isnan(reliability(made(p=0.16, m=0.0, pm=0.0), {"problem": 400}, "model"))


def test_the_best_split() -> None:
    assert best_split(made(p=0.2, f=0.0, pf=0.1), 300, ["f"]) == {"problem": 300, "f": 1}
    # With variances a of problems and b of levels, about sqrt(budget * b / a) levels are best.
    assert best_split(made(p=0.2, f=0.005, pf=0.1), 1000, ["f"]) == {"problem": 200, "f": 5}
    components = made(p=0.03, f=0.002, pf=0.4)
    errors = {(120 // k, k): standard_error(components, {"problem": 120 // k, "f": k}) for k in range(1, 61)}
    problems, levels = min(errors, key=errors.__getitem__)
    assert best_split(components, 120, ["f"]) == {"problem": problems, "f": levels}


def test_the_standard_error_of_the_mean_is_that_of_simulated_means() -> None:
    random = np.random.default_rng(4)
    shape = (2000, 40, 3)
    values = (
        random.normal(size=(2000, 40, 1)) * 0.3 + random.normal(size=(2000, 1, 3)) * 0.1 + random.normal(size=shape)
    )
    spread = float(values.mean(axis=(1, 2)).std())
    assert standard_error(made(p=0.09, f=0.01, pf=1.0), {"problem": 40, "f": 3}) == pytest.approx(spread, rel=0.05)


def test_estimates_are_unbiased_and_intervals_cover_with_outcomes_of_0_and_1() -> None:
    # A problem is easy, medium or hard; of two outcomes on it, each is drawn alone.
    random = np.random.default_rng(5)
    easiness, repeats, problems = np.array([0.15, 0.5, 0.9]), 400, 60
    true = {("problem",): float(easiness.var()), ("problem", "f"): float((easiness * (1 - easiness)).mean())}
    hits, sums = dict.fromkeys(true, 0), dict.fromkeys(true, 0.0)
    for _ in range(repeats):
        chance = easiness[random.integers(0, 3, problems)]
        values = (random.random((problems, 3)) < chance[:, None]).astype(float)
        for one in crossed_components(values, ["f"]):
            if one.effect in true:
                assert one.ci is not None
                hits[one.effect] += one.ci[0] <= true[one.effect] <= one.ci[1]
                sums[one.effect] += one.estimate / repeats
    for effect, value in true.items():
        assert sums[effect] == pytest.approx(value, rel=0.03)
        assert 0.925 <= hits[effect] / repeats <= 0.98, (effect, hits[effect])


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_intervals_of_few_levels_cover(missing: float) -> None:
    random = np.random.default_rng(6)
    repeats, hits = 600, 0
    for _ in range(repeats):
        values = (
            random.normal(size=(50, 1)) * 0.3 + random.normal(size=(1, 4)) * 0.1 + random.normal(size=(50, 4)) * 0.4
        )
        values[random.random(values.shape) < missing] = np.nan
        ci = crossed_components(values, ["f"])[1].ci
        assert ci is not None
        hits += ci[0] <= 0.01 <= ci[1]
    assert 0.93 <= hits / repeats <= 0.97


def test_two_facets_are_crossed_in_every_order() -> None:
    random = np.random.default_rng(7)
    values = random.normal(size=(10, 2, 3))
    values[0, 0, 0] = np.nan
    swapped = crossed_components(values.transpose(0, 2, 1), ["g", "f"])
    named = {frozenset(one.effect): one.estimate for one in swapped}
    for one in crossed_components(values, ["f", "g"]):
        assert named[frozenset(one.effect)] == pytest.approx(one.estimate, abs=1e-12)
