"""Coverage of accuracies that are corrected for label errors.

python -m scripts.simulations.label_errors --replications 2000

Labels are wrong at random. Two annotators, each of them wrong as often as the labels, annotate some further pairs; the
errors are estimated from how often they agree. In the second table, the nine comparisons of styles of an item share one
label, and errors are known from checked labels.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from rmeval.metrics import OFFICIAL, Composition, Outcomes, pooled
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.scoring.style_substance import COMPARISONS, style_substance_composition
from rmeval.metrics.stats.intervals import wilson
from rmeval.metrics.stats.label_errors import correct, errors_of_agreement, errors_of_counts
from rmeval.metrics.stats.linearised import linearise
from rmeval.testing import make_evidence, make_items, make_pairs
from rmeval.types import STYLES

ALL = ("accuracy", "all")
ACCURACY, BIAS = 0.75, 1.0
METRICS = ("easy", "normal", "hard", "average", "style_gap")


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000)
    replications = parser.parse_args().replications
    lines = [
        "| items | pairs of annotations | label errors | accuracy | observed | coverage: corrected | observed |",
        "|---|---|---|---|---|---|---|",
        *(
            pairs_row(items, annotated, rate, accuracy, replications)
            for items, annotated in ((100, 100), (400, 200), (2000, 200))
            for rate in (0.02, 0.08, 0.15)
            for accuracy in (0.6, 0.8, 0.95)
        ),
        "",
        f"| items | checked labels | label errors | {' | '.join(f'coverage: {name}' for name in METRICS)} |",
        f"|---|---|---|{'---|' * len(METRICS)}",
        *(styles_row(items, 200, rate, max(2, replications // 2)) for items in (100, 300) for rate in (0.05, 0.15)),
        "",
        f"simulation error of a coverage of 95: {100 * math.sqrt(0.95 * 0.05 / replications):.1f} in the first table, "
        f"{100 * math.sqrt(0.95 * 0.05 / max(2, replications // 2)):.1f} in the second",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def pairs_row(items: int, annotated: int, rate: float, accuracy: float, replications: int) -> str:
    """Simulate pairs."""
    random = np.random.default_rng([items, annotated, round(100 * rate), round(100 * accuracy)])
    made = make_pairs(items)
    template = outcomes(made, make_evidence(made), OFFICIAL)
    shares = pooled({("all", "chosen/rejected"): items}, ["all"])
    observed = accuracy * (1 - rate) + (1 - accuracy) * rate
    hits = naive = used = 0
    for _ in range(replications):
        credit = (random.random(items) < observed).astype(float)
        agreed = random.binomial(annotated, (1 - rate) ** 2 + rate**2)
        ci = wilson(credit, np.arange(items))[0]
        errors = errors_of_agreement(agreed / annotated, annotated)
        found = correct(replace(template, credit=credit), ALL, shares, {"all": errors}, ci)
        if found.ci is not None and ci is not None:
            used += 1
            hits += found.ci[0] <= accuracy <= found.ci[1]
            naive += ci[0] <= accuracy <= ci[1]
    return (
        f"| {items:,} | {annotated} | {100 * rate:g} | {100 * accuracy:g} | {100 * observed:.1f} | "
        f"{100 * hits / used:.1f} | {100 * naive / used:.1f} |"
    )


def styles_row(items: int, checked: int, rate: float, replications: int) -> str:
    """Simulate items with nine comparisons of styles; a wrong label exchanges right and wrong responses."""
    random = np.random.default_rng([items, checked, round(100 * rate)])
    made = make_items(items)
    tags = [comparison.tag for comparison in COMPARISONS]
    composition = style_substance_composition({("chat", tag): 1 for tag in tags})
    true = expected(composition)
    hits = dict.fromkeys(METRICS, 0)
    for seed in range(replications):
        evidence = make_evidence(made, ACCURACY, style_bias=BIAS, seed=seed)
        scores = evidence.scores.reshape(items, 6).copy()
        wrong = random.random(items) < rate
        scores[wrong] = scores[wrong][:, [3, 4, 5, 0, 1, 2]]
        found = outcomes(made, replace(evidence, scores=scores.ravel()), OFFICIAL)
        errors = errors_of_counts(random.binomial(checked, rate) / checked, checked)
        for metric in METRICS:
            own = correct(
                found,
                (metric, "chat"),
                composition[metric, "chat"],
                {"chat": errors},
                interval(found, composition, metric),
            )
            hits[metric] += own.ci is not None and own.ci[0] <= true[metric] <= own.ci[1]
    shown = " | ".join(f"{100 * hits[metric] / replications:.1f}" for metric in METRICS)
    return f"| {items} | {checked} | {100 * rate:g} | {shown} |"


def expected(composition: Composition) -> dict[str, float]:
    """Return the numbers of the simulated model on true labels, see `make_evidence`."""
    margin = math.sqrt(2) * NormalDist().inv_cdf(ACCURACY)
    won = {
        tag: NormalDist().cdf((margin + BIAS * (STYLES.index(first) - STYLES.index(second))) / math.sqrt(2))
        for tag in (comparison.tag for comparison in COMPARISONS)
        for first, _, second in [tag.partition("/")]
    }
    return {
        metric: sum(share * won[tag] for (_, tag), share in composition[metric, "chat"].items()) for metric in METRICS
    }


def interval(found: Outcomes, composition: Composition, metric: str) -> tuple[float, float]:
    """Return a normal interval of the observed number, so that only the correction is simulated."""
    own = linearise(found, composition[metric, "chat"])
    values = own.of_units(found.item, found.n_items)
    reach = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return own.value - reach, own.value + reach


if __name__ == "__main__":
    main()
