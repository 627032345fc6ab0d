"""Scores computed elsewhere become a run: ours, and what the references of several benchmarks write.

Rows are matched to items by id, or by their texts where there is no id; never by position alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.reading import read_json
from rmeval.benchmarks.source import Row, read_rows
from rmeval.digests import files_digest
from rmeval.errors import DataError
from rmeval.models.imported import Imported
from rmeval.protocols.pointwise import IMPORTED
from rmeval.runs.folder import Result
from rmeval.runs.planning import notes, plan
from rmeval.runs.runner import RunWriter
from rmeval.runs.score_forms import ItemIndex, Place, form_of, judged_by
from rmeval.runs.selection import Selection
from rmeval.types import Item

__all__ = ["import_scores"]

logger = logging.getLogger(__name__)


def import_scores(
    scores: Path | None,
    benchmark: Benchmark,
    out: Path,
    selection: Selection = Selection(),  # noqa: B008  frozen
    *,
    oracle: bool = False,
    name: str | None = None,
    store_text: bool = False,
    break_lock: bool = False,
) -> Result:
    """Makes a run of scores that were computed elsewhere.

    Args:
        scores: JSONL of `{"item_id", "response", "score"}`; RM-Bench's result JSON; RewardBench's `_outputs.jsonl` or
            its `eval-set-scores` JSON of columns, or RewardBench 2's; JudgeBench's outputs of reward models;
            RewardMATH's results.
        benchmark: The benchmark that they are scores of.
        out: Folder of runs.
        selection: Which items.
        oracle: Score each answer with its gold instead of reading a file.
        name: Name of the model; from the file if None.
        store_text: Whether to keep prompts and answers in the run folder.
        break_lock: Whether to take a lock that another process seems to hold.

    Raises:
        DataError: If the file is of no known form, or fits no item.
        RunError: If the run folder cannot be written.
    """
    if (scores is None) != oracle:
        raise DataError("give a file of scores, or --oracle instead of one")
    planned = plan(benchmark, selection)
    chosen = [one.item for one in planned.items()]
    if scores is None:
        name, source, found = name or "oracle", "oracle@1", _oracle(chosen)
    else:
        found, stated = _read(scores, chosen)
        name = name or stated or scores.name.partition(".")[0]
        source = f"scores sha256:{files_digest([scores])}"
    covered = np.array([any((item.id, k) in found for k in range(len(item.responses))) for item in chosen])
    if not covered.all():
        note = f"the scores cover {covered.sum()} of {len(chosen)} items: the others are left out"
        planned = planned.take(covered)
        planned = replace(planned, notes=(*notes(benchmark, planned.stored), note))
    keys = {item.id: IMPORTED.keys(item, digests) for item, digests in planned.stored}
    model = Imported(name, {keys[item][index]: score for (item, index), score in found.items()})
    identity = {"protocol": IMPORTED.name, "model": source, "name": name}
    with RunWriter(model, planned, identity, out, store_text, break_lock) as writer:
        return writer.ask(model)


def _oracle(items: Sequence[Item]) -> dict[Place, float]:
    found: dict[Place, float] = {}
    for item in items:
        for index, response in enumerate(item.responses):
            if response.gold is None:
                raise DataError(f"item {item.id} has answers without gold: an oracle needs the gold of every answer")
            found[item.id, index] = response.gold
    return found


def _read(path: Path, items: Sequence[Item]) -> tuple[dict[Place, float], str | None]:
    """Scores by place, and the model's name if the file states one."""
    columns = read_json(path) if path.is_file() and path.suffix == ".json" and path.stat().st_size else None
    if isinstance(columns, dict):
        rows = _columns(columns, path)
        name = columns.get("model")
    else:
        rows = read_rows(path)
        name = judged_by(rows[0])
    index = ItemIndex.of(items)
    form = form_of(rows[0])
    found: dict[Place, float] = {}
    unmatched = 0
    for row in rows:
        places = list(form(row, index, path))
        unmatched += not places
        for place, score in places:
            if place in found and found[place] != score and not (math.isnan(found[place]) and math.isnan(score)):
                raise DataError(
                    f"{row.where}: item {place[0]}, answer {place[1]} has a score already: give each one once"
                )
            found[place] = score
    if not found:
        raise DataError(f"no row of {path} belongs to an item of the benchmark: check -b and --data")
    if unmatched:
        logger.warning(
            "%d of %d rows of %s belong to no selected item of the benchmark: they are left out",
            unmatched,
            len(rows),
            path,
        )
    return found, name if isinstance(name, str) else None


def _columns(columns: Mapping[str, Any], path: Path) -> list[Row]:
    """Rows from a JSON object of columns; anything that is no list, such as the model's name, is left to the caller."""
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(f"{path} must hold rows, or columns of one length: check that it is a file of scores")
    names = list(lists)
    return [
        Row(dict(zip(names, values, strict=True)), f"{path} row {number}")
        for number, values in enumerate(zip(*lists.values(), strict=True))
    ]
