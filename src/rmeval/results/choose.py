"""Chooses the items on which to run an expensive model, from a cheap model's run on all items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data.writing import row_writer, write_rows
from rmeval.errors import DataError
from rmeval.metrics.margins import margins
from rmeval.metrics.stats.active import as_random, draw, inclusion, uncertainty
from rmeval.metrics.stats.prediction_powered import FEWEST
from rmeval.results.described import data_text, selection_text
from rmeval.results.places import Place
from rmeval.results.weights import WeightedRun, weigh_run
from rmeval.types import FloatArray, IntArray

__all__ = ["ChosenItems", "choose_items"]


@dataclass(frozen=True)
class ChosenItems:
    """Items drawn for an expensive model.

    Attributes:
        benchmark: The benchmark's id.
        metric: The number for which they were drawn, as in `Record`.
        scope: Its scope.
        cheap: Name of the model by whose margins they were drawn.
        n_items: Number of items that the number depends on, from which they were drawn.
        as_random: Number of items of a simple random sample that would be as precise, if the models disagree
            equally often at all margins.
        rows: A row for each item: `id`, `subset`, its `probability`, and `of`, the number of items that the number
            depends on.
        notes: Notes for the reader, one sentence each.
        data: The data that were read or generated.
    """

    benchmark: str
    metric: str
    scope: str
    cheap: str
    n_items: int
    as_random: float
    rows: tuple[dict[str, Any], ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    data: str = ""

    def write(self, file: str | Path) -> None:
        """Write the rows as JSON Lines, JSON, CSV or parquet, by the ending of the file's name.

        Raises:
            RunError: If the ending is unknown, or the file cannot be written.
        """
        target = Path(file)
        write_rows(target, self.rows, row_writer(target))


def choose_items(
    cheap: Place,
    choose: int,
    *,
    seed: int = 0,
    metric: str | None = None,
    scope: str = "all",
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> ChosenItems:
    """Draw items on which to run an expensive model, for `estimate_runs`.

    Half of the sample is drawn with equal probabilities. The other half is drawn with probabilities that grow with an
    item's weight in the number and with the cheap model's uncertainty, see `rmeval.metrics.stats.active`.

    Args:
        cheap: The run of the cheap model on all items: a run folder, a folder with one run in it, or a result.
        choose: Number of items.
        seed: Seed of the draw.
        metric: The number to estimate, such as `hard`; the benchmark's headline if None.
        scope: What that is measured on, such as `chat`.
        variant: Which of the model's scores to use; its first if None.
        benchmark: The `file.py:Class` of a run made with one.
        protocol: Likewise the `file.py:Class` of the run's protocol.

    Raises:
        RunError: If the run cannot be used.
        DataError: If there are not more than `choose` items.
    """
    for name, value, least in (("choose", choose, FEWEST), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise DataError(f"`{name}` must be a whole number and at least {least}, not {value!r}")
    whole = weigh_run(cheap, metric, scope, None, variant, benchmark, protocol)
    total = int(whole.inside.sum())
    if choose >= total:
        raise DataError(
            f"`choose` must be less than {total}, the number of items that {' '.join(whole.measure)} of "
            f"{whole.run.folder} depends on, not {choose}"
        )
    seen = uncertainty(margins(whole.evidence).margin)
    probability = inclusion(whole.sums(np.abs(whole.weight) * seen)[whole.inside], choose)
    part = selection_text(whole.run.manifest["selection"])
    return ChosenItems(
        whole.run.benchmark.card.id,
        *whole.measure,
        whole.name,
        total,
        as_random(whole.size[whole.inside], probability),
        tuple(_drawn(whole, probability, seed)),
        (f"{whole.run.folder} has not all items of the benchmark: {part}",) if part else (),
        data_text(whole.run.manifest),
    )


def _drawn(whole: WeightedRun, probability: FloatArray, seed: int) -> Iterator[dict[str, Any]]:
    """Draw items, and yield their rows."""
    places, table = np.flatnonzero(whole.inside), whole.run.items.table
    for k in draw(probability, _shuffled(whole, places, seed), np.random.default_rng(seed)).tolist():
        yield {
            "id": table.ids[places[k]],
            "subset": table.subsets[table.subset[places[k]]],
            "probability": float(probability[k]),
            "of": len(places),
        }


def _shuffled(whole: WeightedRun, places: IntArray, seed: int) -> IntArray:
    """Return a random order that depends on the contents of the items and not on their order."""
    key = blake2b(str(seed).encode(), digest_size=16).digest()
    wanted = set(places.tolist())
    names = [
        (blake2b("".join(digests).encode(), key=key).digest(), name)
        for place, (name, digests) in enumerate(zip(whole.run.items.table.ids, whole.run.items.digests(), strict=True))
        if place in wanted
    ]
    return np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
