"""Correlations with results of policies: the numbers, without how they are computed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rmeval.messages import count_of
from rmeval.predict.model_names import Matches
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.store.manifest import finite

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Coefficient",
    "Correlation",
    "CorrelationDifference",
    "Correlations",
    "LeftOut",
    "PolicyPoint",
]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Coefficient:
    """A correlation coefficient.

    Attributes:
        method: `pearson`, `spearman` or `kendall`.
        value: The coefficient.
        ci: Its 95% interval over models; None with few models.
        p: Two-sided p-value of the permutation of models; NaN if it was not computed.
    """

    method: str
    value: float
    ci: Interval | None
    p: float


@dataclass(frozen=True)
class LeftOut:
    """The correlation without one model.

    Attributes:
        model: The model.
        value: The coefficient without it.
        p: Its p-value; NaN if it was not computed.
    """

    model: str
    value: float
    p: float


@dataclass(frozen=True)
class PolicyPoint:
    """A point of a correlation, as it is correlated.

    Attributes:
        model: The policy.
        score: Name of the number of the reward model.
        policy: Name of the result of the policy.
        x: The number.
        y: The result.
    """

    model: str
    score: str
    policy: str
    x: float
    y: float


@dataclass(frozen=True)
class Correlation:
    """One correlation.

    Attributes:
        name: Its name.
        scores: The columns of scores, one for each pair.
        policies: The columns of results, one for each pair.
        base: The policy to which the results are relative; empty if they are not.
        models: The policies.
        missing: Policies that lack a number, and are left out.
        coefficients: The chosen coefficient first.
        p_corrected: The p-value of the chosen coefficient, corrected for the number of correlations (Holm).
        permutations: Number of permutations of which p is a share.
        exact: Whether these are all permutations of the models.
        least_p: The smallest p-value that is possible.
        detectable: The smallest correlation that is found with a power of 80%, if the pairs repeat each other, and if
            they are independent.
        left_out: The chosen coefficient without each of the models.
        points: The points, in the order of pairs and models.
    """

    name: str
    scores: tuple[str, ...]
    policies: tuple[str, ...]
    base: str
    models: tuple[str, ...]
    missing: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    p_corrected: float
    permutations: int
    exact: bool
    least_p: float
    detectable: tuple[float, float]
    left_out: tuple[LeftOut, ...] = field(repr=False)
    points: tuple[PolicyPoint, ...] = field(repr=False)

    @property
    def chosen(self) -> Coefficient:
        """The chosen coefficient."""
        return self.coefficients[0]

    @property
    def most_influential(self) -> LeftOut | None:
        """The model without which the coefficient changes most; None if there are too few models."""
        known = [one for one in self.left_out if not math.isnan(one.value)]
        return max(known, key=lambda one: abs(one.value - self.chosen.value), default=None)


@dataclass(frozen=True)
class CorrelationDifference:
    """Difference of two correlations with the same results.

    Attributes:
        first: Name of the first correlation.
        second: Name of the second.
        policies: The columns of results.
        models: Number of models in both.
        value: The first coefficient minus the second, of these models.
        ci: Its 95% interval; None with few models.
        p: Two-sided p-value of exchanging the two standardised scores of models.
        p_corrected: `p`, corrected for the number of differences (Holm).
    """

    first: str
    second: str
    policies: tuple[str, ...]
    models: int
    value: float
    ci: Interval | None
    p: float
    p_corrected: float = math.nan


@dataclass(frozen=True)
class Correlations:
    """Correlations of scores of reward models with results of policies.

    Attributes:
        against: The table of policies.
        method: The chosen coefficient.
        base: The policy to which results are relative, except those that are relative changes already; empty if none.
        relative: `difference` or `ratio`, if there is a base.
        standardize: What is standardised within each pair of several: `both`, or `scores` only.
        correlations: The correlations.
        differences: Differences of correlations with the same results.
        matches: For each table of scores, which of its models are policies.
        notes: Notes for the reader, one sentence each.
    """

    against: str
    method: str
    base: str
    relative: str
    standardize: str
    correlations: tuple[Correlation, ...]
    differences: tuple[CorrelationDifference, ...]
    matches: tuple[Matches, ...]
    notes: tuple[str, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        found: dict[str, Any] = finite(asdict(self))
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each coefficient."""
        return frame_of(
            [
                {
                    "name": one.name,
                    "policies": ", ".join(one.policies),
                    "models": len(one.models),
                    "method": own.method,
                    "value": own.value,
                    "ci_low": (own.ci or (math.nan, math.nan))[0],
                    "ci_high": (own.ci or (math.nan, math.nan))[1],
                    "p": own.p,
                    "p_corrected": one.p_corrected if own is one.chosen else math.nan,
                }
                for one in self.correlations
                for own in one.coefficients
            ]
        )

    def __repr__(self) -> str:
        lines = [f"{count_of(len(self.correlations), 'correlation')} with {self.against} ({self.method})"]
        lines += [
            f"  {one.name} with {', '.join(one.policies)}: {one.chosen.value:.2f}, p {one.chosen.p:.3g}, "
            f"{count_of(len(one.models), 'model')}"
            for one in self.correlations
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        return html_of(self)
