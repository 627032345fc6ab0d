"""Best-of-N from run folders: reads the candidates and computes their curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rmeval.predict.best_of_n import best_of_n_curves
from rmeval.predict.curves import BestOfNCurves
from rmeval.predict.scored_candidates import candidates_of_runs
from rmeval.results.places import Place

__all__ = ["bon"]


def bon(
    runs: Place | Iterable[Place],
    *,
    gold: Place | None = None,
    at: Sequence[int] | None = None,
    max_n: int | None = None,
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> BestOfNCurves:
    """Compute the expected quality of the response that reward models pick among n, against n.

    Args:
        runs: Runs on the same candidates, such as those of the benchmark best-of-n: run folders, folders with runs in
            them, or results.
        gold: The run whose scores are the quality, such as that of a gold reward model or of a judge that rates.
        at: The numbers n; by default powers of two up to the largest, and the largest.
        max_n: The largest n; by default the smallest number of responses of a prompt. Prompts with fewer responses are
            left out of all numbers.
        rule: Name of another rule for ties and failures, such as `half-ties@1`, which excludes failures.
        variant: Which of a model's scores to use, where it gives several; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If a run cannot be used, the runs have no item in common, or `at` or `max_n` does not fit.
    """
    scored = candidates_of_runs(runs, gold=gold, rule=rule, variant=variant, benchmark=benchmark, protocol=protocol)
    found = best_of_n_curves(scored.candidates, at=at, max_n=max_n, rule=scored.rule, quality=scored.quality)
    return replace(found, texts=scored.texts)
