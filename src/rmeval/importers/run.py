"""Import of a file of scores or verdicts as a run.

Rows are matched to items by id, or by their texts if they have no id; never by position alone.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.base import TableBenchmark
from rmeval.cache import files_digest
from rmeval.data.reading import read_object, stem_of
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.files import stamp
from rmeval.importers.candidates.forms import BEST_OF_N, candidate_form
from rmeval.importers.documents import rows_of_file
from rmeval.importers.formats import STEPS, Form, ItemIndex, Reading, Score, Verdict, form_of, judged_by
from rmeval.messages import count_of, visible
from rmeval.models.imported import Imported
from rmeval.protocols import FoundProtocol, ProtocolLike
from rmeval.protocols.pointwise import IMPORTED, parse
from rmeval.protocols.verdicts import VERDICTS, VERDICTS_BOTH, Verdicts, parse_verdict
from rmeval.results.result import Result
from rmeval.runs.plan import Plan, notes, plan
from rmeval.runs.runner import RunWriter
from rmeval.runs.select import Selection
from rmeval.types import Item, Observation

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
    steps: str | None = None,
    items_from_scores: bool = False,
) -> Result:
    """Create a run from scores or verdicts that were computed elsewhere.

    Args:
        scores: A file in one of the formats that docs/imports.md lists.
        benchmark: The benchmark of the scores.
        out: Folder of runs.
        selection: The items to use.
        oracle: Score each response with its gold instead of reading a file.
        name: Name of the model; if None, it is taken from the file. In a file of candidates with the scores of several
            reward models, the one whose scores to import.
        store_text: Whether to store prompts and responses in the run folder.
        break_lock: Whether to override a lock that another process seems to hold.
        steps: Reduction of the scores of a response's steps: `min`, `prod`, `last` or `mean`.
        items_from_scores: Take the items and their gold from the file of scores instead of the benchmark.

    Raises:
        DataError: If the format of the file is not supported, or no row belongs to an item.
        RunError: If the run folder cannot be written.
    """
    if (scores is None) != oracle:
        raise DataError("give either a file of scores or `oracle`")
    if steps is not None and (steps not in STEPS or scores is None):
        raise DataError(f"`steps` {steps}: give one of {', '.join(STEPS)}, with a file of step scores")
    if items_from_scores and (scores is None or benchmark.data is not None):
        raise DataError("`items_from_scores` needs a file of scores and no `data`: leave out one of them")
    if scores is None:
        planned = plan(benchmark, selection)
        found = _oracle([one.item for one in planned.items()])
        source, name = "oracle@1", name or "oracle"
    else:
        before = stamp(scores)
        file, planned = _planned(scores, benchmark, selection, items_from_scores)
        if file.form.verdicts:
            planned = planned.for_comparing()
        found = _read(file, [one.item for one in planned.items()], steps, name)
        source = f"scores sha256:{files_digest([scores])}" + (f" steps {steps}" if steps else "")
        if stamp(scores) != before:
            raise DataError(f"{scores} changed while rmeval was reading it: import it again when it is complete")
        name = name or (file.model or stem_of(scores)) + (f" ({steps})" if steps else "")
    planned = _covered(planned, benchmark, found)
    model = found.model(name, planned)
    protocol = FoundProtocol(found.protocol, found.protocol.name)
    with RunWriter(model, planned, protocol, {"model": source, "name": name}, out, store_text, break_lock) as writer:
        return writer.ask(model)


STATED = (
    "the items and their gold come from the file of scores and were not compared with the benchmark's data; if the "
    "file has no texts, null baselines are meaningless"
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of scores: its rows, its format, and the model that it names."""

    path: Path
    rows: Sequence[Row]
    form: Form
    model: str | None

    @classmethod
    def of(cls, path: Path, benchmark: Benchmark) -> _File:
        """Read a file of scores of a benchmark.

        Raises:
            DataError: If it cannot be read, or its format is not supported.
        """
        document = read_object(path) if path.is_file() and path.stat().st_size else None
        rows = list(rows_of_file(path, document))
        name = document.get("model") if document else judged_by(rows[0])
        candidates = benchmark.card.id == BEST_OF_N
        form = candidate_form(rows[0]) if candidates else form_of(set(rows[0].fields), rows[0].where)
        return cls(path, rows, form, visible(name).strip() or None if isinstance(name, str) else None)


def _stated_items(file: _File, benchmark: Benchmark) -> list[Item]:
    """Return the items in a file of scores, which the benchmark reads from rows in its own columns."""
    states = file.form.states.get(benchmark.card.id)
    if states is None or not isinstance(benchmark, TableBenchmark):
        known = " or ".join(file.form.states)
        raise DataError(
            f"`items_from_scores`: {file.form.name} do not contain the items of {benchmark.card.id}: "
            + (f"give `benchmark` {known}, or `data`" if known else "give `data`")
        )
    return [item for row in benchmark.gathered(states(file.rows, file.path)) for item in benchmark.items(row)]


def _planned(scores: Path, benchmark: Benchmark, selection: Selection, stated: bool) -> tuple[_File, Plan]:
    """Read the file of scores, and the selected items from the benchmark or from the file.

    If the benchmark's data are missing but the file contains its items, the error suggests `items_from_scores`.
    """
    if stated:
        file = _File.of(scores, benchmark)
        benchmark = copy.copy(benchmark)
        benchmark.data = str(scores)
        planned = plan(benchmark, selection, _stated_items(file, benchmark))
        return file, replace(planned, notes=(*planned.notes, STATED))
    try:
        planned = plan(benchmark, selection)
    except DataError as error:
        if benchmark.data is None and benchmark.card.id in _File.of(scores, benchmark).form.states:
            raise DataError(f"{error}; or take the items from the file of scores with `items_from_scores`") from error
        raise
    return _File.of(scores, benchmark), planned


@dataclass(frozen=True, slots=True)
class _Found:
    """Values of a file by item id: for each response, or for each pair in each order."""

    protocol: ProtocolLike
    observations: Mapping[str, Mapping[int, Score] | Mapping[tuple[tuple[int, int], int], Verdict]]
    remarks: tuple[str, ...] = ()

    def model(self, name: str, planned: Plan) -> Imported:
        """Return a model that returns these values."""
        observations: dict[str, Observation] = {}
        for item, digests in planned.stored:
            keys = self.protocol.keys(item, digests)
            own = self.observations.get(item.id, {})
            for place, key in zip(_places(self.protocol, item), keys, strict=True):
                if (said := own.get(place)) is not None:
                    observations[key] = _observation(key, said)
        return Imported(name, self.protocol.name, observations)


def _places(protocol: ProtocolLike, item: Item) -> list[Any]:
    """Return the members of an item's requests: its responses, or its pairs in each order."""
    if not isinstance(protocol, Verdicts):
        return list(range(len(item.responses)))
    return [(pair, order) for pair in protocol.pairs(item.comparisons) for order in range(protocol.orders)]


def _observation(key: str, said: Score | Verdict) -> Observation:
    if isinstance(said, Verdict):
        missing = "the imported file has no readable verdict for this request"
        return parse_verdict(key, said.prefers, said.shown_first, said.status, missing)
    if math.isnan(said.value):
        return Observation(key, said.status, error="the imported file has no score or verdict for this request")
    return parse(key, said.value)


def _oracle(items: Sequence[Item]) -> _Found:
    found: dict[str, dict[int, Score]] = {}
    for item in items:
        for index, response in enumerate(item.responses):
            if response.gold is None:
                raise DataError(f"item {item.id} has responses without gold: `oracle` needs the gold of every response")
            found.setdefault(item.id, {})[index] = Score(item.id, index, response.gold)
    return _Found(IMPORTED, found)


ScoresByItem = dict[str, dict[int, Score]]
VerdictsByItem = dict[str, dict[tuple[tuple[int, int], int], Verdict]]


def _read(file: _File, items: Sequence[Item], steps: str | None, model: str | None = None) -> _Found:
    """Collect the values of a file for some items.

    Raises:
        DataError: If the file has no value for any item, or repeats one.
    """
    reading = Reading(file.path, file.rows, ItemIndex.of(items), steps, model=model)
    scores, verdicts = _collected(file, reading)
    if not scores and not verdicts:
        raise DataError(_nothing(file))
    if scores and verdicts:
        raise DataError(f"{file.path} has scores in some rows and verdicts in others: import them separately")
    if steps is not None and not reading.reduced:
        raise DataError(f"`steps` {steps}: {file.path} has no scores of steps: leave `steps` out")
    remarks = tuple(f"{sentence}: {count_of(times, 'row')}" for sentence, times in reading.remarks.items())
    if reading.reduced and steps is not None:
        remarks = (f"the score of a response is the {_REDUCED[steps]} of its steps' scores", *remarks)
    if scores:
        return _Found(IMPORTED, scores, remarks)
    if len({order for own in verdicts.values() for _, order in own}) > 1:
        return _Found(VERDICTS_BOTH, verdicts, remarks)
    only = {item: {(pair, 0): said for (pair, _), said in own.items()} for item, own in verdicts.items()}
    return _Found(VERDICTS, only, remarks)


def _collected(file: _File, reading: Reading) -> tuple[ScoresByItem, VerdictsByItem]:
    """Return the scores and the verdicts of a file by item; log the number of rows that belong to no item."""
    scores: ScoresByItem = {}
    verdicts: VerdictsByItem = {}
    unmatched = 0
    for row in file.rows:
        remarks = reading.remarks.total()
        said = list(file.form.read(row, reading))
        unmatched += not said and reading.remarks.total() == remarks  # A note states why the row is excluded.
        for one in said:
            if isinstance(one, Score):
                where = f"{row.where}: response {one.response} of item {one.item}"
                _add(scores.setdefault(one.item, {}), one.response, one, where)
            else:
                where = f"{row.where}: the pair of responses {one.pair[0]} and {one.pair[1]} of item {one.item}"
                _add(verdicts.setdefault(one.item, {}), (one.pair, one.order), one, where)
    if unmatched and (scores or verdicts):
        logger.warning(
            "%d of %d rows of %s are excluded because they belong to no selected item of the benchmark",
            unmatched,
            len(file.rows),
            file.path,
        )
    return scores, verdicts


_REDUCED = {"min": "least", "prod": "product", "last": "last", "mean": "mean"}


def _add(known: dict[Any, Any], place: Any, said: Score | Verdict, where: str) -> None:
    """Add a score or verdict; a second one for the same place is an error."""
    value = said.value if isinstance(said, Score) else said.prefers
    if place in known:
        earlier = known[place].value if isinstance(said, Score) else known[place].prefers
        if earlier != value and not (math.isnan(earlier) and math.isnan(value)):
            raise DataError(f"{where} has a score or verdict in an earlier row: give each one once")
    known[place] = said


def _nothing(file: _File) -> str:
    """The error for a file without a value for any item."""
    first = f"no row of {file.path} belongs to an item of the benchmark: check `benchmark` and `data`"
    known = " or ".join(file.form.states)
    return first + (
        f", or give `benchmark` {known} with `items_from_scores` to take the items from the file" if known else ""
    )


def _covered(planned: Plan, benchmark: Benchmark, found: _Found) -> Plan:
    """Restrict a plan to the items with values in a file, and add notes."""
    there = np.array([name in found.observations for name in planned.stored.table.ids])
    remarks = found.remarks
    if not there.all():
        kept = tuple(note for note in planned.notes if note not in notes(benchmark, planned.stored))
        note = f"the scores cover {there.sum()} of {count_of(len(there), 'item')}: the others are excluded"
        planned = planned.take(there)
        planned = replace(planned, notes=(*notes(benchmark, planned.stored), *kept))
        remarks = (note, *remarks)
    return replace(planned, notes=(*planned.notes, *remarks))
