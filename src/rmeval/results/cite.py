"""Citations of a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.built import BUILT, card_of
from rmeval.errors import RunError
from rmeval.plugins import is_file_spec
from rmeval.store.manifest import BenchmarkEntry, find_runs, read_manifest

__all__ = ["cite_runs"]

logger = logging.getLogger(__name__)


def cite_runs(path: Path, benchmark: str | None = None) -> list[str]:
    """Return the BibTeX entries of the benchmarks of the runs at or below a path, each once, in order of the folders.

    Args:
        path: A run folder, or a folder that contains runs.
        benchmark: The `file.py:Class` of runs with such a benchmark; the code that a run folder names is never executed
            without this argument.

    Raises:
        RunError: If there is no run, or its benchmark has no citation.
    """
    if benchmark is not None:
        load_benchmark(benchmark)
    found = list(_benchmarks(path))
    # A finished benchmark of the builder is known by its card alone.
    built = {json.dumps(one.get("options", {}).get("card"), sort_keys=True) for one in found if one["spec"] == BUILT}
    specs = list(dict.fromkeys(one["spec"] for one in found if one["spec"] != BUILT))
    own = [spec for spec in specs if is_file_spec(spec) and benchmark is None]
    if own and len(own) < len(specs):
        logger.warning("the citations of runs with %s are missing: give `benchmark` %s", ", ".join(own), own[0])
    cards = [
        load_benchmark(benchmark if benchmark and is_file_spec(spec) else spec).card
        for spec in specs
        if spec not in own
    ]
    cards += [card_of(json.loads(fields), str(path)) for fields in sorted(built)]
    entries = list(dict.fromkeys(card.citation for card in cards if card.citation))
    if not entries:
        if own:
            raise RunError(f"{path} contains runs with {', '.join(own)}: give `benchmark` {own[0]}")
        raise RunError(f"{path} has nothing to cite: {_without_entry([card.id for card in cards])}")
    return entries


def _benchmarks(path: Path) -> Iterator[BenchmarkEntry]:
    """The benchmarks of the runs at a path; a run below it that cannot be read is left out."""
    for folder in find_runs(path):
        try:
            yield read_manifest(folder)["benchmark"]
        except RunError as error:
            if folder == path:
                raise
            logger.warning("%s", error)


def _without_entry(specs: Sequence[str]) -> str:
    if not specs:
        return "there is no run in it"
    which, has = ("benchmarks", "have") if len(specs) > 1 else ("benchmark", "has")
    return f"its {which} ({', '.join(specs)}) {has} no citation"
