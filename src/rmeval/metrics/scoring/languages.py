"""M-RewardBench: RewardBench's sections in each language and their means (Gureja et al. 2025, arXiv 2410.15522)."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.metrics.composition import Composition, Counts, Measure, Shares, mixed
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS, SECTIONS, section_composition

__all__ = ["WEIGHTS", "language_composition"]

WEIGHTS = EXAMPLE_COUNTS | {
    "alpacaeval-easy": 79,
    "alpacaeval-length": 79,
    "alpacaeval-hard": 76,
    "mt-bench-easy": 24,
    "mt-bench-med": 38,
    "mt-bench-hard": 35,
    "math-prm": 983,
    "llmbar-natural": 76,
    "llmbar-adver-neighbor": 124,
    "llmbar-adver-GPTInst": 87,
    "llmbar-adver-GPTOut": 42,
    "llmbar-adver-manual": 43,
    "xstest-should-respond": 247,
    "donotanswer": 135,
    "hep-python": 163,
}
"""Weights of the subsets (`EXAMPLE_COUNTS` in `analysis/plot_utils.py` of the reference).

They are the numbers of items in a language, except that math-prm has 983 instead of 447, the weight of code.
"""


def language_composition(counts: Counts, languages: Sequence[str]) -> Composition:
    """Return compositions of sections, languages and their means (`get_scores` in `analysis/plot_utils.py`, table 2).

    Args:
        counts: Number of comparisons of each kind; subsets are named `<language>/<subset of RewardBench>`.
        languages: The languages of the means; a mean exists only if every language has the number.

    Returns:
        `overall` and `section`, the means over languages; `language`, the mean of the four sections of each language,
        and these sections as `category` with the scope `<language>/<section>`; with a single language also the
        accuracies by subset.
    """
    own = {language: _within(language, counts) for language in languages}
    found: dict[Measure, Shares] = {}
    for measure in (("overall", "all"), *(("section", section) for section in SECTIONS)):
        if all(measure in inner for inner in own.values()):
            found[measure] = mixed([(1 / len(own), inner[measure]) for inner in own.values()])
    single = sum(map(bool, own.values())) == 1
    for language, inner in own.items():
        if ("overall", "all") in inner:
            found["language", language] = inner["overall", "all"]
        found |= {("category", f"{language}/{s}"): shares for (m, s), shares in inner.items() if m == "section"}
        if single:
            found |= {(m, f"{language}/{s}"): shares for (m, s), shares in inner.items() if m == "accuracy"}
    return found


def _within(language: str, counts: Counts) -> Composition:
    """Return the compositions of one language's numbers, by their names in RewardBench."""
    start = f"{language}/"
    inner = {(name.removeprefix(start), tag): n for (name, tag), n in counts.items() if name.startswith(start)}
    return {
        measure: {(start + name, tag): share for (name, tag), share in shares.items()}
        for measure, shares in section_composition(inner, WEIGHTS).items()
    }
