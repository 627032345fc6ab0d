"""The order of models by a number: the best first, with ranks and letters."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.messages import count_of
from rmeval.metrics.stats.paired import Difference
from rmeval.metrics.stats.significance import groups, least, rank_intervals
from rmeval.metrics.targets import is_better, merit
from rmeval.types import Record

__all__ = ["from_best", "letters_of", "power_notes", "ranks_of"]


def from_best(records: Sequence[Record]) -> list[int]:
    """Return the positions of the models' records of one metric, the best first; of equally good ones, the smaller."""
    merits = [round(merit(one.metric, one.value), 9) for one in records]
    return sorted(range(len(records)), key=lambda k: (-merits[k], records[k].value))


def letters_of(records: Sequence[Record], names: Sequence[str], differences: Sequence[Difference]) -> list[str]:
    """Return each model's letters: two models share a letter if they do not differ significantly.

    Letters are assigned from the best number on.

    Args:
        records: The record of each model.
        names: The name of each model.
        differences: The differences of all pairs of models in that number.
    """
    order = from_best(records)
    found = groups(_differ(differences, [names[k] for k in order]))
    return [found[order.index(k)] for k in range(len(order))]


def ranks_of(
    records: Sequence[Record], names: Sequence[str], differences: Sequence[Difference]
) -> list[tuple[int, int]]:
    """Return the range of each model's ranks, from the significant differences. Arguments are those of `letters_of`."""
    metric = records[0].metric
    leads = [
        [other and is_better(metric, records[k], records[column]) for column, other in enumerate(row)]
        for k, row in enumerate(_differ(differences, names))
    ]
    return rank_intervals(leads)


def _differ(differences: Sequence[Difference], names: Sequence[str]) -> list[list[bool]]:
    """Which models differ significantly."""
    place = {name: k for k, name in enumerate(names)}
    found = [[False] * len(names) for _ in names]
    for one in differences:
        if one.leads:
            first, second = place[one.first], place[one.second]
            found[first][second] = found[second][first] = True
    return found


def power_notes(differences: Sequence[Difference]) -> list[str]:
    """Return a note if there are too few problems for any difference to be significant."""
    enough = least(len(differences))
    if (problems := differences[0].n_clusters) >= enough:
        return []
    return [f"{count_of(problems, 'problem')}: too few for a significant difference, which needs at least {enough}"]
