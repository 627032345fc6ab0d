"""Verdicts of judges: what they decide, and the probabilities of labels that decide it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rmeval.protocols.judging.asked import Output
from rmeval.protocols.pairwise import LABEL_MASS

__all__ = ["Probabilities", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's verdict on one request.

    Attributes:
        values: Named numbers of the observation.
        choice: Position of the preferred response as presented; -1 for a declared tie; None if there is no choice.
    """

    values: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    choice: int | None = None


@dataclass(frozen=True, slots=True)
class Probabilities:
    """The probabilities of the labels of one request.

    Attributes:
        shares: By label, summing to 1.
        raw: By label, as the judge returned them.
        beside: Their total before they were normalised, as `label_mass`, if it is known, and the judge's diagnostics.
    """

    shares: Mapping[str, float]
    raw: Mapping[str, float]
    beside: Mapping[str, float]

    @classmethod
    def of(cls, output: Output, labels: Sequence[str], least: float) -> Probabilities | None:
        """The probabilities in an output; None if they are no probabilities, or less than `least` in total.

        Args:
            output: The output. A decision API that does not state the mass of the labels returns their shares.
            labels: The labels.
            least: Smallest total probability.
        """
        raw = {label: float(output.probabilities.get(label, 0.0)) for label in labels}
        total = sum(raw.values())
        if not all(0 <= value <= 1 + _ROUNDING for value in raw.values()) or not 0 < total <= 1 + len(raw) * _ROUNDING:
            return None
        mass = output.label_mass
        if mass is not None and not least <= mass <= 1 + len(raw) * _ROUNDING:
            return None
        shares = {label: value / total for label, value in raw.items()}
        known = {} if mass is None else {LABEL_MASS: float(mass)}
        return cls(shares, raw, {**output.diagnostics, **known})

    def expectation(self, values: Mapping[str, float]) -> float:
        """The mean of the labels' values."""
        return math.fsum(share * values[label] for label, share in self.shares.items())

    def likeliest(self) -> str | None:
        """The label with the largest share; None if several have it."""
        most = max(self.shares.values())
        found = [label for label, share in self.shares.items() if share == most]
        return found[0] if len(found) == 1 else None


_ROUNDING = 1e-3
"""By how much servers' probabilities exceed 1, because they round."""
