"""Checks of a run's derived files: the same numbers follow from its items and journal."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rmeval.errors import DamagedError, RunError
from rmeval.files import json_bytes
from rmeval.messages import count_of, shortened
from rmeval.metrics.stats.intervals import INTERVALS
from rmeval.redaction import redacted
from rmeval.results.result import Result, derived_fields
from rmeval.store.journal import journal_state
from rmeval.store.manifest import finite, read_json, run_id
from rmeval.store.parquet import reading
from rmeval.store.run import StoredRun
from rmeval.store.scores import write_scores

__all__ = ["Differences", "metrics_differences", "scores_difference", "stated_metrics"]

TOLERANCE = 1e-12
"""The largest relative difference of numbers from the same scores: processors round sums in different orders."""
_OF_INTERVALS = ("ci", "ci_method")
_SCORES = ("item", "response", "variant", "score", "status", "vector", "choice", "input_truncated", "vote", "judge")


class Differences:
    """What differs between the stated and the computed numbers.

    Attributes:
        numbers: The number of compared numbers.
        rounded: How many of them differ by rounding only.
        found: A sentence on each other difference.
        intervals: Whether the intervals were compared; they are not if another version of their method made them.
    """

    def __init__(self, intervals: bool) -> None:
        self.numbers = self.rounded = 0
        self.found: list[str] = []
        self.intervals = intervals

    def compare(self, stated: Any, computed: Any, where: str) -> None:
        """Compare two values of JSON."""
        if isinstance(stated, dict) and isinstance(computed, dict):
            for name in sorted({*stated, *computed}):
                if self.intervals or name not in _OF_INTERVALS:
                    self.compare(stated.get(name, _NONE), computed.get(name, _NONE), f"{where} {name}")
        elif isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
            for one, other in zip(stated, computed, strict=True):
                self.compare(one, other, where)
        elif _is_number(stated) and _is_number(computed):
            self.numbers += 1
            if stated == computed:
                return
            if math.isclose(stated, computed, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                self.rounded += 1
            else:
                self.found.append(f"{where}: stated {stated!r}, computed {computed!r}")
        elif type(stated) is not type(computed) or stated != computed:
            self.found.append(f"{where}: stated {shortened(stated, 80)}, computed {shortened(computed, 80)}")


_NONE = "nothing"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def stated_metrics(folder: Path) -> dict[str, Any]:
    """Read `metrics.json`.

    Raises:
        RunError: If it is missing or damaged.
    """
    file = folder / "metrics.json"
    try:
        found = read_json(file)
    except OSError as error:
        raise RunError(f"{file.name} is missing") from error
    if not isinstance(found.get("records"), list) or not all(isinstance(one, dict) for one in found["records"]):
        raise DamagedError(f"{file.name} is damaged (it has no records)")
    return found


def metrics_differences(stated: Mapping[str, Any], result: Result, same_version: bool) -> Differences:
    """Compare the contents of `metrics.json` with the numbers computed from the scores.

    Args:
        stated: The contents of `metrics.json`.
        result: The computed numbers.
        same_version: Whether this version of rmeval wrote the file, so that its notes must be the same too.
    """
    fields = derived_fields(result)
    computed: dict[str, Any] = json.loads(json_bytes(redacted(finite(fields))))
    found = Differences(stated.get("intervals") == INTERVALS)
    left = {"records", "schema", "intervals", "sha256", *(() if same_version else ("notes", "judging"))}
    _compare_records(stated["records"], computed["records"], found)
    for name in sorted({*stated, *computed} - left):
        if name in stated or same_version:
            found.compare(stated.get(name, _NONE), computed.get(name, _NONE), name)
    return found


def _compare_records(stated: list[dict[str, Any]], computed: list[dict[str, Any]], found: Differences) -> None:
    by_name = {_name(record): record for record in computed}
    for record in stated:
        own = by_name.pop(_name(record), None)
        if own is None:
            found.found.append(f"{' '.join(_name(record))} does not follow from the scores, or is stated twice")
        else:
            found.compare(record, own, " ".join(_name(record)[:2]))
    if by_name:
        first = " ".join(next(iter(by_name)))
        found.found.append(f"metrics.json lacks {count_of(len(by_name), 'number')}, such as {first}")


def _name(record: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(record.get("metric")), str(record.get("scope")), str(record.get("variant"))


def scores_difference(run: StoredRun) -> str | None:
    """Compare `scores.parquet` with the journal; None if they agree.

    Raises:
        DamagedError: If the file is missing or damaged.
    """
    own, journal = run_id(run.manifest["identity"]), journal_state(run.folder / "journal")
    with tempfile.TemporaryDirectory(prefix="rmeval-verify-") as place:
        file = Path(place) / "scores.parquet"
        write_scores(run.items.table, run.protocol, run.requests, run.observations, file, own, journal)
        with reading(run.folder / file.name, own, journal) as there, reading(file) as made:
            columns = [name for name in made.schema_arrow.names if name in _SCORES]
            if missing := [name for name in columns if name not in there.schema_arrow.names]:
                return f"it lacks the column {missing[0]}"
            stated, computed = there.read(columns=columns), made.read(columns=columns)
            if stated.num_rows != computed.num_rows:
                return f"it has {stated.num_rows} rows instead of {computed.num_rows}"
            wrong = next(_unequal(stated, computed), None)
            return None if wrong is None else f"its column {wrong} differs from the journal"


def _unequal(stated: Any, computed: Any) -> Iterator[str]:
    for name in computed.column_names:
        if not stated.column(name).cast(computed.column(name).type).equals(computed.column(name)):
            yield name
