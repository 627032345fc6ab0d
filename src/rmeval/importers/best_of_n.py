"""Best-of-N from run folders or published files: reads the candidates and computes their curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rmeval.errors import RunError
from rmeval.importers.candidates import read_candidates
from rmeval.metrics.outcomes import SCORE_RULES, SHARED
from rmeval.predict.best_of_n import best_of_n_curves
from rmeval.predict.curves import BestOfNCurves
from rmeval.predict.scored_candidates import candidates_of_runs
from rmeval.results.places import Place, places_of
from rmeval.results.result import check_rule

__all__ = ["bon"]


def bon(
    runs: Place | Iterable[Place],
    *,
    gold: Place | None = None,
    at: Sequence[int] | None = None,
    max_n: int | None = None,
    steps: str | None = None,
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> BestOfNCurves:
    """Compute the expected quality of the response that reward models pick among n, against n.

    Args:
        runs: Runs on the same candidates, such as those of the benchmark best-of-n: run folders, folders with runs in
            them, or results. Instead of runs, files of candidates with scores, in the layouts that docs/imports.md
            lists.
        gold: The run whose scores are the quality, such as that of a gold reward model or of a judge that rates.
        at: The numbers n; by default powers of two up to the largest, and the largest.
        max_n: The largest n; by default the smallest number of responses of a prompt. Prompts with fewer responses are
            left out of all numbers.
        steps: How to reduce the scores of a response's steps in files to one: `min`, `prod`, `last` or `mean`.
        rule: Name of another rule for ties and failures, such as `half-ties@1`, which excludes failures.
        variant: Which of a model's scores to use, where it gives several; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If a run or file cannot be used, they have no prompt in common, or `at` or `max_n` does not fit.
    """
    places = places_of(runs)
    files = [place for place in places if place.is_file()]
    if not files:
        if steps is not None:
            raise RunError("`steps` is for files of candidates: leave it out for runs")
        scored = candidates_of_runs(
            places, gold=gold, rule=rule, variant=variant, benchmark=benchmark, protocol=protocol
        )
        found = best_of_n_curves(scored.candidates, at=at, max_n=max_n, rule=scored.rule, quality=scored.quality)
        return replace(found, texts=scored.texts)
    given = {"gold": gold, "variant": variant, "benchmark": benchmark, "protocol": protocol}
    if useless := next((name for name, value in given.items() if value is not None), None):
        raise RunError(f"`{useless}` is for runs, and {files[0]} is a file: make runs of files with rmeval import")
    return _of_files(files, places, steps, rule, at, max_n)


def _of_files(
    files: Sequence[Path],
    places: Sequence[Path],
    steps: str | None,
    rule: str | None,
    at: Sequence[int] | None,
    max_n: int | None,
) -> BestOfNCurves:
    if other := next((place for place in places if place not in files), None):
        raise RunError(
            f"{files[0]} is a file and {other} is not: give files or runs, and make runs of files with rmeval import"
        )
    check_rule(rule)
    found = read_candidates(*files, steps=steps)
    return best_of_n_curves(found, at=at, max_n=max_n, rule=SHARED if rule is None else SCORE_RULES[rule])
