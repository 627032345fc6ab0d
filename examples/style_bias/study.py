"""Read the runs of the study: Easy, Normal, Hard and style gap of each condition, over seeds and problems."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from examples.style_bias.preferences import DOMAINS
from scipy.special import stdtrit

from rmeval.metrics import OFFICIAL, crossed_components
from rmeval.metrics.scoring.style_substance import credit_matrices, levels
from rmeval.metrics.stats.variance import standard_error
from rmeval.store.run import read_scored
from rmeval.types import FloatArray

__all__ = [
    "ALL",
    "NUMBERS",
    "Condition",
    "Estimate",
    "Trained",
    "estimate",
    "estimates",
    "problem_values",
    "read_trained",
]

NUMBERS = ("easy", "normal", "hard", "gap")
ALL = "all"
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Condition:
    """Training data.

    Attributes:
        dose: Share of pairs in which the chosen response has the fancier style.
        cure: One of `preferences.CURES`.
    """

    dose: float
    cure: str = "none"

    def __str__(self) -> str:
        return f"{100 * self.dose:.0f}% fancier" + ("" if self.cure == "none" else f", {self.cure}")


@dataclass(frozen=True, slots=True)
class Trained:
    """A reward model that was trained and evaluated.

    Attributes:
        condition: Its training data.
        seed: Its seed.
        pairs: Number of distinct pairs.
        effective: Number of equally weighted pairs with the same precision.
        run: The run folder.
        seconds: CPU time of training and evaluation.
    """

    condition: Condition
    seed: int
    pairs: int
    effective: float
    run: str
    seconds: float

    def to_json(self) -> str:
        """Return a line of JSON."""
        return json.dumps(asdict(self))


def read_trained(file: Path) -> list[Trained]:
    """Read what `run.py` has recorded; nothing if the file does not exist."""
    if not file.exists():
        return []
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [Trained(**row | {"condition": Condition(**row["condition"])}) for row in rows]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds and problems, with its 95% interval; without one if all values are equal."""

    value: float
    ci: tuple[float, float] | None

    def shown(self, signed: bool = False) -> str:
        """Format the estimate in points."""
        text = f"{100 * self.value:+.1f}" if signed else f"{100 * self.value:.1f}"
        return text if self.ci is None else f"{text} [{100 * self.ci[0]:.1f}, {100 * self.ci[1]:.1f}]"


def problem_values(folder: Path) -> dict[str, FloatArray]:
    """Read a run and compute the numbers of each problem, float64[problems, 4] in the order of `NUMBERS`, by domain."""
    run = read_scored(folder)
    found = run.benchmark.outcomes(run.items.table, run.evidence(run.variant(None)), OFFICIAL)
    own = levels(credit_matrices(found))
    own = np.concatenate([own[:, :3], own[:, :1] - own[:, 2:3]], axis=1)
    domain = np.array([found.subsets[code].partition("-")[0] for code in found.subset])
    return {name: _by_problem(own[domain == name], found.cluster[domain == name]) for name in DOMAINS}


def _by_problem(values: FloatArray, cluster: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> FloatArray:
    _, place, size = np.unique(cluster, return_inverse=True, return_counts=True)
    found = np.zeros((len(size), values.shape[1]))
    np.add.at(found, place, values)
    return found / size[:, None]


def estimate(values: FloatArray) -> Estimate:
    """Estimate a mean for other seeds and other problems from the same populations.

    The variance of the mean has a component of problems, one of seeds, and one of their interaction (see
    `rmeval.metrics.crossed_components`). The interval uses Student's t with the number of seeds less one degrees of
    freedom, which is conservative if problems contribute most of the variance.

    Args:
        values: float64[problems, seeds].
    """
    mean = float(values.mean())
    if values.shape[1] < 2 or np.ptp(values) == 0:
        return Estimate(mean, None)
    problems, seeds = values.shape
    error = standard_error(crossed_components(values, ("seed",)), {"problem": problems, "seed": seeds})
    wide = float(stdtrit(seeds - 1, (1 + CONFIDENCE) / 2)) * error
    return Estimate(mean, (mean - wide, mean + wide))


Values = Mapping[Condition, Mapping[str, FloatArray]]
"""For each condition and domain, float64[problems, seeds, numbers]."""


def values_of(trained: Sequence[Trained]) -> dict[Condition, dict[str, FloatArray]]:
    """Read the runs of all conditions, of the seeds that all of them have.

    Domains have equally many problems, so the mean over all problems is the mean over domains.
    """
    conditions = list(dict.fromkeys(one.condition for one in trained))
    place = {(one.condition, one.seed): Path(one.run) for one in trained}
    seeds = [
        seed
        for seed in sorted({one.seed for one in trained})
        if all((condition, seed) in place for condition in conditions)
    ]
    found = {}
    for condition in conditions:
        runs = [problem_values(place[condition, seed]) for seed in seeds]
        own = {domain: np.stack([run[domain] for run in runs], axis=1) for domain in DOMAINS} if runs else {}
        found[condition] = own | ({ALL: np.concatenate(list(own.values()))} if own else {})
    return found


def estimates(values: Values) -> dict[Condition, dict[str, dict[str, Estimate]]]:
    """Estimate every number of each condition and domain, and its difference from the same dose without a cure."""
    found: dict[Condition, dict[str, dict[str, Estimate]]] = {}
    for condition, domains in values.items():
        base = values.get(Condition(condition.dose), {})
        found[condition] = {}
        for domain, own in domains.items():
            numbers = {name: estimate(own[..., k]) for k, name in enumerate(NUMBERS)}
            if domain in base and condition.cure != "none":
                apart = own - base[domain]
                numbers |= {f"change of {name}": estimate(apart[..., k]) for k, name in enumerate(NUMBERS)}
            found[condition][domain] = numbers
    return found


def smallest_change(values: FloatArray) -> float:
    """Return the smallest true change that this number of seeds and problems finds with a probability of 80%.

    Args:
        values: float64[problems, seeds], differences.
    """
    found = estimate(values)
    if found.ci is None:
        return math.nan
    seeds = values.shape[1]
    half = (found.ci[1] - found.ci[0]) / 2
    return half * (1 + float(stdtrit(seeds - 1, 0.8)) / float(stdtrit(seeds - 1, (1 + CONFIDENCE) / 2)))
