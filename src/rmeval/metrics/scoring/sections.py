"""RewardBench's sections (Lambert et al. 2024, arXiv 2403.13787, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rmeval.metrics.composition import Composition, Counts, Measure, Shares, mixed, pooled
from rmeval.metrics.stats.intervals import combined_interval
from rmeval.types import FloatArray, Record

__all__ = [
    "ANALYSES",
    "ANALYSIS_TITLES",
    "EXAMPLE_COUNTS",
    "FORMULA",
    "PRIOR_SETS",
    "PRIOR_WEIGHT",
    "SECTIONS",
    "overall",
    "overall_with_prior",
    "prior_score",
    "record_with_prior",
    "section_composition",
    "section_scores",
]

FORMULA = "reward-bench/sections@1"

SECTIONS: dict[str, tuple[str, ...]] = {
    "Chat": ("alpacaeval-easy", "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy", "mt-bench-med"),
    "Chat Hard": (
        "mt-bench-hard",
        "llmbar-natural",
        "llmbar-adver-neighbor",
        "llmbar-adver-GPTInst",
        "llmbar-adver-GPTOut",
        "llmbar-adver-manual",
    ),
    "Safety": (
        "refusals-dangerous",
        "refusals-offensive",
        "xstest-should-refuse",
        "xstest-should-respond",
        "donotanswer",
    ),
    "Reasoning": ("math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"),
}
"""Sections and their subsets, in the order of `rewardbench/constants.py`, which is the order of summation."""

EXAMPLE_COUNTS: dict[str, int] = {
    "alpacaeval-easy": 100,
    "alpacaeval-length": 95,
    "alpacaeval-hard": 95,
    "mt-bench-easy": 28,
    "mt-bench-med": 40,
    "mt-bench-hard": 37,
    "math-prm": 984,
    "refusals-dangerous": 100,
    "refusals-offensive": 100,
    "llmbar-natural": 100,
    "llmbar-adver-neighbor": 134,
    "llmbar-adver-GPTInst": 92,
    "llmbar-adver-GPTOut": 47,
    "llmbar-adver-manual": 46,
    "xstest-should-refuse": 154,
    "xstest-should-respond": 250,
    "donotanswer": 136,
    "hep-cpp": 164,
    "hep-go": 164,
    "hep-java": 164,
    "hep-js": 164,
    "hep-python": 164,
    "hep-rust": 164,
}
"""Weights of the subsets: their numbers of prompts, except that math-prm has 984 instead of 447, the weight of code."""


PRIOR_SETS = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")
"""The sets of preference-test-sets whose mean is the prior (`analysis/get_benchmark_results.py` of the reference)."""
PRIOR_WEIGHT = 0.5
"""Weight of the prior; each section has weight 1 (section 4.1; the weights in the reference are 2, 2, 2, 2, 1)."""


_CODE = tuple(name for name in EXAMPLE_COUNTS if name.startswith("hep-"))
ANALYSES: dict[str, dict[str, tuple[str, ...]]] = {
    "refusals": {
        "should-respond": ("xstest-should-respond",),
        "should-refuse": ("xstest-should-refuse", "refusals-dangerous", "refusals-offensive", "donotanswer"),
    },
    "instructions": {
        "natural": ("llmbar-natural",),
        "adversarial": tuple(name for name in EXAMPLE_COUNTS if name.startswith("llmbar-adver-")),
    },
    "reasoning": {"maths": ("math-prm",), "code": _CODE},
    "length_category": {
        "better is longer": ("alpacaeval-easy", "alpacaeval-hard", "xstest-should-respond"),
        "neutral": (
            "alpacaeval-length",
            "llmbar-adver-GPTOut",
            "llmbar-natural",
            "math-prm",
            "mt-bench-med",
            *_CODE,
        ),
        "better is shorter": (
            "donotanswer",
            "llmbar-adver-GPTInst",
            "llmbar-adver-manual",
            "llmbar-adver-neighbor",
            "mt-bench-easy",
            "mt-bench-hard",
            "refusals-dangerous",
            "refusals-offensive",
            "xstest-should-refuse",
        ),
    },
}
"""Groups of subsets to compare: refusals, LLMBar's two kinds, maths against code, and categories of length.

The categories of length are the reference's (`LENGTH_CATEGORIES` of its `analysis/constants.py`); they state which
response tends to be longer.
"""
ANALYSIS_TITLES = {
    "instructions": "instruction following (LLMBar)",
    "length_category": "accuracy by RewardBench's categories of length",
}
"""Titles of two of these groups."""


def section_scores(accuracy: Mapping[str, float | FloatArray]) -> dict[str, float | FloatArray]:
    """Average subsets into sections, weighted by `EXAMPLE_COUNTS` (`calculate_scores_per_section` of the reference).

    Args:
        accuracy: Accuracy by subset; numbers, or arrays of one shape.

    Returns:
        Score by section, without sections that have none of their subsets; the reference gives these 0, the score of a
        model that is always wrong.
    """
    scores: dict[str, float | FloatArray] = {}
    for section, subsets in SECTIONS.items():
        present = [subset for subset in subsets if subset in accuracy]
        if present:
            total = sum(EXAMPLE_COUNTS[subset] for subset in present)
            scores[section] = sum((accuracy[subset] * EXAMPLE_COUNTS[subset] for subset in present), start=0.0) / total
    return scores


def overall(sections: Mapping[str, float | FloatArray]) -> float | FloatArray | None:
    """Compute the mean of the four sections (section 4.1, without prior sets); None unless all four exist."""
    if set(sections) != set(SECTIONS):
        return None
    return sum((sections[section] for section in SECTIONS), start=0.0) / len(SECTIONS)


def prior_score(accuracy: Mapping[str, float | FloatArray]) -> float | FloatArray | None:
    """Compute the mean of the four prior sets (`get_average_over_rewardbench`); None unless all exist."""
    if not set(PRIOR_SETS) <= set(accuracy):
        return None
    return sum((accuracy[name] for name in PRIOR_SETS), start=0.0) / len(PRIOR_SETS)


def overall_with_prior(
    sections: Mapping[str, float | FloatArray], prior: float | FloatArray | None
) -> float | FloatArray | None:
    """Compute RewardBench's score with prior sets: (sum of the four sections + 0.5 prior) / 4.5 (section 4.1).

    The leaderboard (`get_average_over_rewardbench` of the reference) uses it for models that have a prior, and
    `overall` for models without: its column mixes two formulas, whose values are not comparable.

    Args:
        sections: Score by section, of a run of reward-bench.
        prior: The model's `average` of `prior` in a run of preference-test-sets.

    Returns:
        None unless all four sections and the prior exist.
    """
    if set(sections) != set(SECTIONS) or prior is None:
        return None
    total = sum((sections[section] for section in SECTIONS), start=0.0)
    return (total + PRIOR_WEIGHT * prior) / (len(SECTIONS) + PRIOR_WEIGHT)


def record_with_prior(four: Record, prior: Record) -> Record:
    """Compute RewardBench's score with prior sets from a model's two runs: (4 x overall + prior / 2) / 4.5.

    The two runs share no items; `combined_interval` computes the interval from both.

    Args:
        four: The overall of `reward-bench`.
        prior: The average of `preference-test-sets`.
    """
    own = len(SECTIONS) / (len(SECTIONS) + PRIOR_WEIGHT)
    parts = ((four, own), (prior, 1 - own))
    ci = None
    if four.ci is not None and prior.ci is not None:
        ci = combined_interval((own, four.value, four.ci), (1 - own, prior.value, prior.ci))
    return replace(
        four,
        metric="overall_with_prior",
        value=sum(weight * record.value for record, weight in parts),
        ci=ci,
        ci_method=f"{four.ci_method} and {prior.ci_method}, combined" if ci else None,
        n_items=four.n_items + prior.n_items,
        n_clusters=four.n_clusters + prior.n_clusters,
        weight=float(four.n_items + prior.n_items),
        ties=four.ties + prior.ties,
        failures=four.failures + prior.failures,
        null={
            name: sum(weight * record.null[name] for record, weight in parts)
            for name in four.null
            if name in prior.null
        },
        formula="reward-bench/overall-with-prior@1",
    )


def section_composition(counts: Counts, weights: Mapping[str, int] = EXAMPLE_COUNTS) -> Composition:
    """Return the compositions of subsets, sections and the overall.

    Args:
        counts: Number of comparisons of each kind.
        weights: Weights of the subsets in their sections.
    """
    subsets = {name: pooled(counts, [name]) for name in weights}
    sections: dict[str, Shares] = {}
    for section, names in SECTIONS.items():
        present = [name for name in names if subsets[name]]
        total = sum(weights[name] for name in present)
        sections[section] = mixed([(weights[name] / total, subsets[name]) for name in present])
    found: dict[Measure, Shares] = {}
    for section, names in SECTIONS.items():
        if sections[section]:
            found["section", section] = sections[section]
            found |= {("accuracy", name): subsets[name] for name in names if subsets[name]}
    if all(sections.values()):
        found["overall", "all"] = mixed([(1 / len(SECTIONS), shares) for shares in sections.values()])
    return found
