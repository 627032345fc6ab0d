"""Plans of evaluations, from a pilot or from assumptions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from rmeval.errors import RunError
from rmeval.messages import count_of, percent
from rmeval.metrics.stats.plan import Assumed, Observed, Precision, pilot_range
from rmeval.metrics.stats.power import POWER, ContributionSizes
from rmeval.results.goals import Basis, Plan, Targets, with_goals
from rmeval.results.pilot import Pilot, PilotSettings, read_pilot
from rmeval.results.places import Place
from rmeval.types import FloatArray

__all__ = ["make_plan"]

_SMALL = 100
"""Number of problems below which a pilot is small."""
_APART = 0.2
"""Part of the mean square of contributions above which their mean is large: the models of a pilot are not similar."""
_LARGEST = 10**9
"""Largest number of problems, and of anything per problem, that a plan accepts."""


def make_plan(
    pilot: Place | Iterable[Place] | None = None,
    *,
    difference: float | None = None,
    width: float | None = None,
    problems: int | None = None,
    power: float = POWER,
    models: int = 2,
    accuracy: float | None = None,
    discordance: float | None = None,
    design_effect: float | None = None,
    comparisons_per_problem: int | None = None,
    items_per_problem: float | None = None,
    requests_per_item: float | None = None,
    price_per_1000: float | None = None,
    prices: str | Path | None = None,
    rule: str | None = None,
    variant: str | None = None,
    metric: str | None = None,
    scope: str = "all",
    benchmark: str | None = None,
    protocol: str | None = None,
) -> Plan:
    """Plan an evaluation: how many problems it needs, or what a number of problems shows.

    At least one of `difference`, `width` and `problems` is required. The difference that a pilot shows is never the
    one to detect, because it is too uncertain. All shares are between 0 and 1.

    Args:
        pilot: One or two run folders, or results; two give the discordance. If None, the assumptions are used.
        difference: The smallest difference of two models that matters to you, such as .02 for 2 points.
        width: The width of the 95% interval of a model's accuracy.
        problems: A number of problems.
        power: The probability with which the difference is to be detected.
        models: Number of models; all pairs are compared, with p-values corrected as in `compare`.
        accuracy: Assumed accuracy of a model.
        discordance: Assumed share of the comparisons that one model wins and the other loses; also with a pilot.
        design_effect: Assumed variance of an accuracy, divided by that of as many independent comparisons.
        comparisons_per_problem: Assumed number of comparisons of a problem; one for each item if None.
        items_per_problem: Assumed number of items of a problem.
        requests_per_item: Number of requests of a model for an item, over all orders and votes.
        price_per_1000: Price of 1,000 requests; by default that of the pilot, if it has recorded its cost.
        prices: File of prices, at which the tokens of the pilot's requests are counted.
        rule: Score rule of the pilot, as for `compare`.
        variant: Variant of the pilot's scores.
        metric: The pilot's number to plan for, such as `hard`; the benchmark's own if None.
        scope: What that number is measured on, such as `chat`.
        benchmark: The `file.py:Class` of a pilot made with one.
        protocol: Likewise the `file.py:Class` of its protocol.

    Raises:
        RunError: If there is no goal, a number is out of its range, or the pilot cannot be read.
    """
    assumed = _Assumptions(accuracy, discordance, design_effect, comparisons_per_problem, items_per_problem)
    costs = _Costs(models, power, requests_per_item, price_per_1000)
    if prices is not None and price_per_1000 is not None:
        raise RunError("`prices` and `price_per_1000` are two prices: give one of them")
    file = None if prices is None else str(prices)
    settings = PilotSettings(rule, variant, metric, scope, benchmark, protocol, file)
    return _planned(pilot, Targets(difference, width, problems), costs, assumed, settings)


@dataclass(frozen=True)
class _Assumptions:
    accuracy: float | None
    discordance: float | None
    design_effect: float | None
    comparisons_per_problem: int | None
    items_per_problem: float | None


@dataclass(frozen=True)
class _Costs:
    models: int
    power: float
    requests_per_item: float | None
    price_per_1000: float | None


def _planned(
    pilot: Place | Iterable[Place] | None,
    targets: Targets,
    costs: _Costs,
    assumed: _Assumptions,
    settings: PilotSettings,
) -> Plan:
    _check(targets, costs, assumed)
    if targets == Targets(None, None, None):
        raise RunError(
            "there is no goal: give `difference` (the smallest difference that matters to you), `width` or `problems`"
        )
    if pilot is None:
        if settings.given:
            raise RunError(f"`{settings.given[0]}` is for a pilot: name a run folder, or leave it out")
        plan, basis = _from_assumptions(assumed)
    else:
        plan, basis = _from_pilot(read_pilot(pilot, settings), assumed)
    plan = replace(
        plan,
        difference=targets.difference,
        power=costs.power,
        models=costs.models,
        requests_per_item=costs.requests_per_item or plan.requests_per_item,
        price_per_1000=plan.price_per_1000 if costs.price_per_1000 is None else costs.price_per_1000,
    )
    _check_possible(plan, basis, targets)
    return with_goals(replace(plan, notes=(*plan.notes, *_on_discordance(plan))), basis, targets)


_WHOLE = ("problems", "models", "comparisons_per_problem")


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _check(targets: Targets, costs: _Costs, assumed: _Assumptions) -> None:
    shares = {
        "difference": targets.difference,
        "width": targets.width,
        "power": costs.power,
        "accuracy": assumed.accuracy,
        "discordance": assumed.discordance,
    }
    for name, share in shares.items():
        if (share is None and name == "power") or (share is not None and not (_is_number(share) and 0 < share < 1)):
            raise RunError(f"`{name}` must be a share above 0 and below 1, such as 0.02 for 2%, not {share!r}")
    if costs.power < 0.5:
        raise RunError(f"`power` must be at least 50%, not {percent(costs.power)}%: less detects nothing reliably")
    least_of = {
        "problems": (targets.problems, 1),
        "models": (costs.models, 2),
        "design_effect": (assumed.design_effect, 1),
        "comparisons_per_problem": (assumed.comparisons_per_problem, 1),
        "items_per_problem": (assumed.items_per_problem, 1),
        "requests_per_item": (costs.requests_per_item, 1),
        "price_per_1000": (costs.price_per_1000, 0),
    }
    for name, (number, fewest) in least_of.items():
        if (number is None and name == "models") or (
            number is not None and not (_is_number(number) and fewest <= number <= _LARGEST)
        ):
            raise RunError(f"`{name}` must be between {fewest} and {_LARGEST:,}, not {number!r}")
        if name in _WHOLE and number is not None and type(number) is not int:
            raise RunError(f"`{name}` must be a whole number, not {number!r}")


def _from_assumptions(assumed: _Assumptions) -> tuple[Plan, Basis]:
    """Return what the assumptions imply.

    Raises:
        RunError: If neither accuracy nor discordance is assumed, or the design effect is impossible.
    """
    accuracy, discordance = assumed.accuracy, assumed.discordance
    if accuracy is None and discordance is None:
        raise RunError(
            "there is nothing to plan from: name one or two run folders, or give `accuracy` or `discordance`"
        )
    items, effect = assumed.items_per_problem or 1, assumed.design_effect
    comparisons = assumed.comparisons_per_problem or max(1, round(items))
    notes = []
    if effect is None:
        effect = float(comparisons)
        if comparisons > 1:
            notes.append(
                f"the design effect is assumed to be {comparisons}: all comparisons of a problem have the same outcome"
            )
    if effect > comparisons:
        raise RunError(
            f"`design_effect` {effect:g} is larger than the {count_of(comparisons, 'comparison')} of a problem, which "
            "is not possible: give `comparisons_per_problem`"
        )
    if accuracy is not None and discordance is not None and discordance > 2 * min(accuracy, 1 - accuracy) + 1e-12:
        raise RunError(
            f"two models with a mean accuracy of {percent(accuracy)}% cannot differ on more than "
            f"{percent(2 * min(accuracy, 1 - accuracy))}% of the comparisons: lower `discordance`"
        )
    if discordance is None and accuracy is not None:
        discordance = _independent(accuracy)
        notes.append(_assumed_discordance(discordance))
    plan = _plan(accuracy, discordance, effect, effect, comparisons, items, 1, notes)
    precision = None if accuracy is None else Precision(accuracy, comparisons / effect)
    return plan, Basis(Assumed(discordance or 0.0, effect, comparisons), precision)


def _independent(accuracy: float) -> float:
    return 2 * accuracy * (1 - accuracy)


def _assumed_discordance(discordance: float) -> str:
    return (
        f"the discordance is assumed to be {percent(discordance)}%, that of two models whose errors are independent: "
        "models that err on the same comparisons differ less, and need fewer problems"
    )


def _plan(
    accuracy: float | None,
    discordance: float | None,
    effect: float,
    difference_effect: float,
    comparisons: float,
    items: float,
    requests: float,
    notes: Iterable[str],
) -> Plan:
    return Plan(
        difference=None,
        power=POWER,
        models=2,
        accuracy=math.nan if accuracy is None else accuracy,
        discordance=math.nan if discordance is None else discordance,
        design_effect=effect,
        difference_design_effect=difference_effect,
        comparisons_per_problem=comparisons,
        items_per_problem=items,
        requests_per_item=requests,
        price_per_1000=None,
        notes=tuple(notes),
    )


def _from_pilot(pilot: Pilot, assumed: _Assumptions) -> tuple[Plan, Basis]:
    """Return what a pilot implies.

    Raises:
        RunError: If assumptions contradict the pilot, or its models never differ.
    """
    if known := [name for name, value in asdict(assumed).items() if value is not None and name != "discordance"]:
        raise RunError(f"the pilot shows `{known[0]}`: leave it out, or plan without a pilot")
    precision, precisions, effect = _precision(pilot)
    notes = list(pilot.notes)
    made = ContributionSizes.of(pilot.values) if len(pilot.values) else None
    if made is not None and not made.share and assumed.discordance is None:
        raise RunError("the pilot's two models agree on every problem: give `discordance`")
    basis = Basis(None, precision, (), precisions)
    discordance, difference_effect = pilot.discordance, pilot.design_effect
    if made is None or assumed.discordance is not None:
        discordance, difference_effect = _without_pair(pilot, precision, assumed, effect, notes)
        comparisons = max(1, round(pilot.n_comparisons / pilot.n_problems))
        bounded = min(max(1.0, difference_effect), float(comparisons))
        basis = replace(basis, population=Assumed(discordance, bounded, comparisons))
    else:
        ends = tuple(ContributionSizes.of(own) for own in pilot_range(pilot.values))
        basis = replace(basis, population=Observed(pilot.values), contributions=ends)
    notes += _on_pilot(pilot, made)
    plan = _plan(
        float(np.mean(pilot.accuracies)) if pilot.is_share else None,
        discordance,
        effect,
        difference_effect,
        pilot.n_comparisons / pilot.n_problems,
        pilot.n_items / pilot.n_problems,
        pilot.requests / pilot.n_items,
        notes,
    )
    plan = replace(
        plan,
        benchmark=pilot.benchmark,
        pilot=pilot.models,
        pilot_problems=pilot.n_problems,
        pilot_discordant=int(np.count_nonzero(np.abs(pilot.values) > 1e-12)),
        measure=pilot.measure,
        price_per_1000=_dearest(pilot, notes),
        notes=tuple(notes),
        available=int(pilot.available * pilot.n_problems / pilot.n_items),
    )
    return plan, basis


def _dearest(pilot: Pilot, notes: list[str]) -> float | None:
    """Return the price of 1,000 requests of the more expensive model; None if no price is known."""
    known = {price: name for price, name in zip(pilot.prices, pilot.models, strict=True) if not math.isnan(price)}
    if not known:
        return None
    dearest = max(known)
    notes.append(f"the price of requests is that of {known[dearest]}, by the tokens of the pilot")
    return dearest


def _precision(pilot: Pilot) -> tuple[Precision | None, tuple[Precision, ...], float]:
    """Return the precision of the pilot's accuracy, that in two resamples, and its design effect.

    If no comparison deviates from the mean of its kind, one problem counts as one value.
    """
    if not pilot.is_share:
        return None, (), math.nan
    accuracy, problems = float(np.mean(pilot.accuracies)), pilot.n_problems
    if accuracy in (0, 1):
        raise RunError(
            "the pilot has only right or only wrong comparisons, which shows no spread: give a larger pilot, or plan "
            "from `accuracy` and `discordance` without one"
        )
    errors = np.sqrt(np.square(pilot.errors).mean(axis=0))

    def of(own: FloatArray) -> Precision:
        variance = float(np.square(own).sum())
        spread = accuracy * (1 - accuracy)
        # Rounded, as sums depend on the order of their terms.
        return Precision(accuracy, round(spread / variance / problems, 9) if variance > 0 and spread > 0 else 1.0)

    alone = float(np.mean(pilot.independent))
    effect = round(float(np.square(errors).sum()) / alone, 9) if alone > 0 else 1.0
    return of(errors), tuple(map(of, pilot_range(errors))), effect


def _without_pair(
    pilot: Pilot, precision: Precision | None, assumed: _Assumptions, effect: float, notes: list[str]
) -> tuple[float, float]:
    """Return the discordance and its design effect for a pilot whose discordance is not used.

    Raises:
        RunError: If there is none to use.
    """
    if assumed.discordance is not None:
        return assumed.discordance, 1.0 if math.isnan(effect) else effect
    if precision is None:
        raise RunError(f"one run does not show how {pilot.measure[0]} differs: name two runs, or give `discordance`")
    discordance = _independent(precision.accuracy)
    notes.append(_assumed_discordance(discordance))
    return discordance, effect


def _on_pilot(pilot: Pilot, made: ContributionSizes | None) -> Iterator[str]:
    """Yield notes on a small pilot, and on one whose models differ much."""
    if made is not None and made.share:
        apart = abs(float(pilot.values.mean()))
        if apart**2 > _APART * made.second_moment:
            yield (
                f"the pilot's models differ by {percent(apart)} points: similar models have a smaller discordance, and "
                "need fewer problems"
            )
    few = f"the pilot has only {count_of(pilot.n_problems, 'problem')}"
    discordant = None if made is None else int(np.count_nonzero(np.abs(pilot.values) > 1e-12))
    if discordant is not None and (pilot.n_problems < _SMALL or discordant < _SMALL // 3):
        yield f"{few}, {discordant} of them discordant: plan with the unfavourable end of the ranges"
    elif pilot.n_problems < _SMALL:
        yield f"{few}: plan with the unfavourable end of the ranges"


def _check_possible(plan: Plan, basis: Basis, targets: Targets) -> None:
    """Check that the goals exist.

    Raises:
        RunError: If no models can differ by so much, or no accuracy is known for a width.
    """
    if targets.width is not None and basis.precision is None:
        reason = "is not an accuracy, and has no such interval" if plan.pilot else "needs `accuracy`, or a pilot"
        subject = f"{plan.measure[0].replace('_', ' ')} of the pilot" if plan.pilot and plan.measure else "`width`"
        raise RunError(f"{subject} {reason}")
    most = 1.0 if math.isnan(plan.accuracy) else 2 * min(plan.accuracy, 1 - plan.accuracy)
    if targets.difference is not None and targets.difference > most + 1e-12:
        raise RunError(
            f"two models with a mean accuracy of {percent(plan.accuracy)}% cannot differ by more than {percent(most)} "
            "points: lower `difference`"
        )


def _on_discordance(plan: Plan) -> Iterator[str]:
    if plan.difference is not None and plan.difference > plan.discordance:
        yield (
            f"a difference of {percent(plan.difference)} points needs a discordance of at least as much: it is assumed "
            f"instead of {percent(plan.discordance)}%"
        )
