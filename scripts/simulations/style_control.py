"""Simulate style-control scores: how often their intervals contain the truth, as a Markdown table.

    python -m scripts.simulations.style_control --questions 20 50 100 250 --replications 300

A judge likes length and lists, and has an opinion of each question that all verdicts on it share. The truth is the
number of very many questions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rmeval.metrics.stats.arena_hard import Rows, reference_style
from rmeval.metrics.stats.style_control import Battles, Controlled, control_style, differences
from rmeval.types import FloatArray

__all__ = ["coverage", "judgments", "simulate"]

SKILL: FloatArray = np.array([0.3, -0.2, -1.0])
LENGTH: FloatArray = np.array([1.5, 0.8, 1.0])
"""Skill of each policy, and its length as a multiple of the baseline's."""
NUMBERS = ("mean", "controlled", "equal", "score", "weights")
TRUTH = 100_000


def judgments(questions: int, random: np.random.Generator, shared: float = 1.0) -> Battles:
    """Draw verdicts in both orders on all policies.

    Args:
        questions: Number of questions.
        random: Source of the draws.
        shared: Standard deviation of a question's effect on all verdicts, in log-odds.
    """
    policies = len(SKILL)
    policy, question = np.repeat(np.arange(policies), questions), np.tile(np.arange(questions), policies)
    usual = random.lognormal(5.5, 0.5, questions)
    base = np.column_stack([usual, random.poisson(0.01 * usual[:, None], (questions, 3))])[question]
    length = np.round(usual[question] * LENGTH[policy] * random.lognormal(0, 0.3, len(policy))) + 1
    own = np.column_stack([length, random.poisson(0.01 * length[:, None], (len(policy), 3))])
    style = differences(own, base)
    odds = SKILL[policy] + 2 * style[:, 0] + 5 * style[:, 2] + random.normal(0, shared, questions)[question]
    outcomes = np.zeros((len(policy), 3))
    for _ in range(2):
        drawn = odds + random.logistic(0, 1, len(policy))
        times = np.where(np.abs(drawn) > 2, 3, 1)
        outcomes[np.arange(len(policy)), np.digitize(drawn, (-0.2, 0.2))] += times
    return Battles(policy, question, outcomes, style)


def _reference(battles: Battles) -> Controlled:
    code = np.repeat(np.arange(battles.outcomes.size), battles.outcomes.ravel().astype(int))
    return reference_style(battles, Rows(code // 3, code % 3), ["p0", "p1", "p2"], "base")


def coverage(found: Controlled, truth: Controlled) -> dict[str, FloatArray]:
    """Return of each number of each policy whether its interval contains the truth; NaN if there is none."""
    hits = {}
    for name in NUMBERS:
        own, true = getattr(found, name), getattr(truth, name).value
        inside = (own.low <= true) & (true <= own.high)
        hits[name] = np.where(np.isnan(own.low), np.nan, inside)
    return hits


def simulate(
    questions: int, replications: int, compute: Callable[[Battles], Controlled], truth: Controlled, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the coverage of each number, and the share of intervals that exist."""
    random = np.random.default_rng(seed)
    found = [coverage(compute(judgments(questions, random)), truth) for _ in range(replications)]
    hits = {name: np.stack([one[name] for one in found]) for name in NUMBERS}
    return {
        name: (float(np.nanmean(own)) if not np.isnan(own).all() else np.nan, float(1 - np.isnan(own).mean()))
        for name, own in hits.items()
    }


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    truth = control_style(judgments(TRUTH, np.random.default_rng(1)), resamples=0)
    yield f"| method | questions | {' | '.join(NUMBERS)} |"
    yield "|---|---|" + "---|" * len(NUMBERS)
    methods: dict[str, Callable[[Battles], Controlled]] = {
        "style-control@1": lambda battles: control_style(battles, arguments.resamples),
        "arena-hard@1": _reference,
    }
    compute = methods[arguments.method]
    for questions in arguments.questions:
        found = simulate(questions, arguments.replications, compute, truth)
        cells = [
            f"{100 * share:.1f}" + (f" ({100 * there:.0f}%)" if there < 1 else "") for share, there in found.values()
        ]
        yield f"| {arguments.method} | {questions} | {' | '.join(cells)} |"


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--questions", type=int, nargs="+", default=[20, 50, 100, 250])
    parser.add_argument("--replications", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--method", choices=["style-control@1", "arena-hard@1"], default="style-control@1")
    for line in _lines(parser.parse_args(given)):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
