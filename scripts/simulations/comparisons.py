"""Simulate the tests and simultaneous intervals of several models, and print Markdown tables.

    python -m scripts.simulations.comparisons --replications 1000

Models are equally good on every problem, except for the leads and the power. Problems are those of one subset, of five
domains of RM-Bench (nine comparisons a problem, each domain with the same weight), or of very unequal sizes. Tests of
equivalence on single comparisons are computed exactly, over all possible results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import gammaln, xlogy

from rmeval.metrics.composition import by_subset
from rmeval.metrics.stats.equivalence import one_sided
from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.likelihood import Sample, limits
from rmeval.metrics.stats.paired import PairedOutcomes, compare
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.metrics.stats.significance import LEVEL, holm
from rmeval.types import FloatArray, IntArray

__all__ = [
    "Design",
    "any_lead",
    "conclusions",
    "contributions",
    "designs",
    "disagreements",
    "main",
    "shown_on_domains",
    "shown_on_pairs",
]

_DOMAINS = (129, 529, 228, 284, 157)
_FLIPS = 9_999


def contributions(
    random: np.random.Generator, sizes: IntArray, weights: FloatArray, skills: Sequence[float]
) -> FloatArray:
    """Draw each problem's contribution to a mean, float64[models, problems].

    Args:
        random: Source of the draws.
        sizes: Number of comparisons of each problem.
        weights: Weight of a comparison of each problem.
        skills: What each model adds to the probability of a win.
    """
    chance = random.beta(3, 2, len(sizes))
    own = np.clip(chance + random.normal(0, 0.15, (len(skills), len(sizes))) + np.array(skills)[:, None], 0, 1)
    return random.binomial(sizes, own) * weights


@dataclass(frozen=True)
class Design:
    """Problems of a benchmark whose number is the mean over strata.

    Attributes:
        sizes: int64[problems], number of comparisons of each problem.
        strata: int64[problems], the stratum of each problem.
    """

    sizes: IntArray
    strata: IntArray

    def draw(self, random: np.random.Generator, skills: Sequence[float]) -> FloatArray:
        """Draw contributions to the number, see `contributions`."""
        comparisons = np.bincount(self.strata, self.sizes)
        return contributions(random, self.sizes, (1 / comparisons / len(comparisons))[self.strata], skills)

    def without_0(self, values: FloatArray) -> tuple[bool, bool]:
        """Return whether any interval of `rmeval compare` excludes 0: of simultaneous ones, and of single ones."""
        paired = self._paired(values)
        shares = np.full(len(paired.parts), 1 / len(paired.parts))
        samples = [paired.difference(*pair, shares) for pair in combinations(range(len(values)), 2)]
        joint = np.full(len(samples), paired.critical(shares))
        both = [np.array([1, -1]) * limits(samples, critical) for critical in (joint, None)]
        return bool((both[0] > 0).any()), bool((both[1] > 0).any())

    def _paired(self, values: FloatArray) -> PairedOutcomes:
        """Return comparisons with these contributions; which ones of a problem are won has no influence."""
        comparisons = np.bincount(self.strata, self.sizes)
        won = np.rint(values * (comparisons * len(comparisons))[self.strata])
        place = np.arange(self.sizes.sum()) - np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        credit = (place < np.repeat(won, self.sizes, axis=1)).astype(float)
        problem = np.repeat(np.arange(len(self.sizes), dtype=np.int32), self.sizes)
        parts = tuple((str(stratum), "") for stratum in range(len(comparisons)))
        return PairedOutcomes(credit, self.strata[problem].astype(np.int32), parts, problem, problem)


def designs() -> dict[str, Design]:
    """Return the designs by their names."""
    found = {}
    for count in (20, 60, 200):
        found[f"{count} problems of one comparison"] = Design(np.ones(count, np.int64), np.zeros(count, np.int64))
    for share in (8, 1):
        counts = np.array(_DOMAINS) // share
        label = f"RM-Bench, {counts.sum():,} problems of five domains"
        found[label] = Design(np.full(counts.sum(), 9), np.repeat(np.arange(len(counts)), counts))
    sizes = np.maximum(1, (60 / np.arange(1, 61)).astype(np.int64))
    found["60 problems with 60, 30, 20, ... comparisons"] = Design(sizes, np.zeros(60, np.int64))
    return found


def differences(values: FloatArray) -> Iterator[FloatArray]:
    """Yield the contributions to the difference of each pair of models."""
    for one, other in combinations(range(len(values)), 2):
        yield values[one] - values[other]


def any_lead(values: FloatArray) -> bool:
    """Return whether any difference is significant after Holm's correction."""
    return bool((holm(sign_flips(differences(values))) < LEVEL).any())


def _paired(random: np.random.Generator, problems: int, skills: Sequence[float]) -> PairedOutcomes:
    """Draw one comparison of each problem."""
    credit = contributions(random, np.ones(problems, np.int64), np.ones(problems), skills)
    place = np.arange(problems, dtype=np.int32)
    return PairedOutcomes(credit, np.zeros(problems, np.int32), (("all", ""),), place, place)


def disagreements(
    random: np.random.Generator, problems: int, models: int, lead: float, replications: int
) -> tuple[float, float]:
    """Return how often test and interval lead to different conclusions: the simultaneous one, and the single one.

    Args:
        random: Source of the draws.
        problems: Number of problems of one comparison each.
        models: Number of models, whose skills are spread evenly.
        lead: What the best model adds to the worst one's probability of a win.
        replications: Number of data sets.
    """
    measure = ("accuracy", "all")
    found = []
    for _ in range(replications):
        paired = _paired(random, problems, np.linspace(lead, 0, models).tolist())
        for one in compare(paired, [str(k) for k in range(models)], by_subset(paired.counts), [[measure]])[measure]:
            ends = [own for own in (one.ci_simultaneous, one.ci) if own is not None]
            found.append([(low > 0 or high < 0) != bool(one.leads) for low, high in ends])
    joint, single = np.mean(found, axis=0).tolist()
    return joint, single


def conclusions(samples: Sequence[Sample], margin: float) -> FloatArray:
    """Return whether each difference is shown to be equivalent, and the first model to be no worse: bool[n, 2]."""
    sides = one_sided(samples, margin)
    return np.stack([sides.max(axis=1) < LEVEL, sides[:, 0] < LEVEL], axis=1)


def shown_on_pairs(problems: int, discordance: float, difference: float, margin: float) -> tuple[float, float]:
    """Compute the probabilities that equivalence, and that the first being no worse, is shown, without simulation.

    Args:
        problems: Number of problems of one comparison each.
        discordance: Probability that exactly one of the two models wins.
        difference: The true difference.
        margin: The margin.
    """
    chance = (discordance + difference) / 2, (discordance - difference) / 2
    won, lost = (one.ravel() for one in np.indices((problems + 1, problems + 1)))
    inside = won + lost <= problems
    won, lost = won[inside], lost[inside]
    log = gammaln(problems + 1) - gammaln(won + 1) - gammaln(lost + 1) - gammaln(problems - won - lost + 1)
    log += xlogy(won, chance[0]) + xlogy(lost, chance[1]) + xlogy(problems - won - lost, 1 - discordance)
    likely = log > np.log(1e-8)
    place = np.arange(problems, dtype=np.int32)
    part = np.zeros(problems, np.int32)
    strata = Strata.of(part, place, 1)
    samples = [
        sample(np.repeat([1.0, -1.0, 0.0], [up, down, problems - up - down]), part, place, np.ones(1), strata, True)
        for up, down in zip(won[likely].tolist(), lost[likely].tolist(), strict=True)
    ]
    equivalent, no_worse = (np.exp(log[likely]) @ conclusions(samples, margin)).tolist()
    return equivalent, no_worse


def random_flips(values: FloatArray) -> FloatArray:
    """Compute p-values as earlier versions did, from random flips with a fixed seed."""
    columns = np.stack(list(differences(values)), axis=1)
    random = np.random.default_rng(0)
    # Sums that are equal but for rounding count as equal.
    real = np.abs(columns.sum(axis=0)) - 1e-9 * np.abs(columns).sum(axis=0)
    beyond = np.ones(columns.shape[1])
    for _ in range(0, _FLIPS, 1_111):
        signs = 1.0 - 2.0 * random.integers(0, 2, (1_111, len(columns)), dtype=np.int8)
        beyond += (np.abs(signs @ columns) >= real).sum(axis=0)
    return beyond / (_FLIPS + 1)


def flipped(data_sets: int, test: Callable[[FloatArray], FloatArray], shuffles: int = 5) -> tuple[int, int, float]:
    """Count leads among ten models that depend on the order of items.

    Returns:
        The number of differences that are significant in some orders only, the number that are in any, and the largest
        range of a corrected p-value below 10%.
    """
    draw = designs()["RM-Bench, 1,327 problems of five domains"].draw
    unstable, leads, widest = 0, 0, 0.0
    for seed in range(data_sets):
        random = np.random.default_rng(seed)
        values = draw(random, np.linspace(0, 0.05, 10).tolist())
        p = np.array([holm(test(values[:, random.permutation(values.shape[1])])) for _ in range(shuffles)])
        led = (p < LEVEL).sum(axis=0)
        unstable += int(((led > 0) & (led < shuffles)).sum())
        leads += int((led > 0).sum())
        widest = max(widest, float(np.ptp(p, axis=0)[p.min(axis=0) < 0.1].max(initial=0)))
    return unstable, leads, widest


def _rate(hits: Iterable[bool]) -> str:
    found = np.array(list(hits), float)
    return f"{100 * found.mean():.1f} ± {100 * np.sqrt(found.var() / len(found)):.1f}"


def _row(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _tables(replications: int) -> None:
    header = ["design", "p < 5%", "p < 1%", "power", "5 models, a lead", "10 models, a lead"]
    header += ["5 models, an interval without 0", "10 models", "10 models, single intervals"]
    _row(*header)
    _row(*("---" for _ in header))
    for name, design in designs().items():
        draw, random = design.draw, np.random.default_rng(0)
        p = sign_flips(next(differences(draw(random, [0, 0]))) for _ in range(4 * replications))
        power = sign_flips(next(differences(draw(random, [0.08, 0]))) for _ in range(replications))
        five, ten = ([draw(random, [0.0] * models) for _ in range(replications)] for models in (5, 10))
        of_five, of_ten = ([design.without_0(one) for one in tables] for tables in (five, ten))
        _row(
            name,
            _rate(p < LEVEL),
            _rate(p < 0.01),
            _rate(power < LEVEL),
            _rate(map(any_lead, five)),
            _rate(map(any_lead, ten[: replications // 2])),
            _rate(joint for joint, _ in of_five),
            _rate(joint for joint, _ in of_ten),
            _rate(single for _, single in of_ten),
        )


def shown_on_domains(
    random: np.random.Generator, share: int, lead: float, margin: float, replications: int
) -> FloatArray:
    """Simulate what is shown on RM-Bench; a problem's difficulty, which both models share, decides most comparisons."""
    counts = np.array(_DOMAINS) // share
    domain = np.repeat(np.arange(len(counts)), counts)
    part, cluster = (np.repeat(one, 9).astype(np.int32) for one in (domain, np.arange(len(domain))))
    strata = Strata.of(part, cluster, len(counts))
    samples = []
    for _ in range(replications):
        chance = np.repeat(random.beta(3, 2, len(domain)) * (1 - lead), 9)
        common = random.random(len(chance))
        # Both models decide one comparison alike, except for one in five.
        credit = [common, np.where(random.random(len(chance)) < 0.2, random.random(len(chance)), common)]
        own = (credit[0] < chance + lead).astype(float) - (credit[1] < chance)
        samples.append(sample(own, part, cluster, np.full(len(counts), 1 / len(counts)), strata, difference=True))
    return conclusions(samples, margin)


def _equivalence_tables(replications: int) -> None:
    _row(
        "problems",
        "discordance",
        "margin",
        *(f"{what}, difference {true}" for true in ("= margin", "0") for what in ("equivalent", "no worse")),
    )
    _row(*("---" for _ in range(7)))
    for problems, discordance, margin in (
        *((200, share, 0.02) for share in (0.02, 0.05, 0.2)),
        *((200, share, 0.05) for share in (0.05, 0.1, 0.2)),
        *((1000, share, 0.02) for share in (0.02, 0.05, 0.2)),
        *((1000, share, 0.05) for share in (0.05, 0.1, 0.2)),
    ):
        # The first model is worse by the margin, or as good.
        worse, equal = (shown_on_pairs(problems, discordance, own, margin) for own in (-margin, 0.0))
        _row(
            str(problems),
            f"{100 * discordance:g}",
            f"{100 * margin:g}",
            *(f"{100 * own:.1f}" for own in (*worse, *equal)),
        )
    for share in (8, 1):
        counts = np.array(_DOMAINS) // share
        random = np.random.default_rng(0)
        for margin in (0.02, 0.05):
            cells = [
                _rate(own)
                for lead in (-margin, 0.0)
                for own in shown_on_domains(random, share, lead, margin, replications).T
            ]
            _row(f"RM-Bench, {counts.sum():,} of five domains", "about 8", f"{100 * margin:g}", *cells)


def _disagreement_tables(replications: int) -> None:
    _row("problems", "models", "lead of the best", "p and simultaneous interval disagree", "p and single interval")
    _row(*("---" for _ in range(5)))
    random = np.random.default_rng(0)
    for problems, models, lead in ((n, models, lead) for n in (20, 60) for models in (2, 5) for lead in (0, 0.2)):
        both = disagreements(random, problems, models, lead, replications)
        error = [100 * np.sqrt(own * (1 - own) / replications) for own in both]
        _row(
            str(problems),
            str(models),
            f"{100 * lead:g}",
            *(f"{100 * own:.1f} ± {one:.1f}" for own, one in zip(both, error, strict=True)),
        )


def main() -> None:
    """Simulate all designs and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--data-sets", type=int, default=12, help="with ten models, each in five orders of items")
    options = parser.parse_args()
    _row("test", "leads in some orders only", "leads in any order", "largest range of p")
    _row("---", "---", "---", "---")
    for name, test in (("9,999 random flips", random_flips), ("exact", lambda own: sign_flips(differences(own)))):
        unstable, leads, widest = flipped(options.data_sets, test)
        _row(name, str(unstable), str(leads), f"{widest:.4f}")
    for table in (_tables, _disagreement_tables, _equivalence_tables):
        sys.stdout.write("\n")
        table(options.replications)


if __name__ == "__main__":
    main()
