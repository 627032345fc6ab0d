"""A run folder on disk: its manifest, and the numbers derived from its journal."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rmeval import __version__
from rmeval.answers import STATUSES, Answers
from rmeval.benchmarks import Benchmark, load_benchmark
from rmeval.errors import RunError, explain_os_error
from rmeval.hub import need_extra
from rmeval.metrics.outcomes import HALF, OFFICIAL, POLICIES
from rmeval.metrics.records import null_evidence, with_null
from rmeval.plugins import is_file_spec
from rmeval.protocols import PROTOCOLS
from rmeval.runs.asked import Asked, ask_journal, asked
from rmeval.runs.items import StoredItems, read_items
from rmeval.tables import EvidenceTable
from rmeval.text import NULL_SCORES
from rmeval.types import Policy, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SCHEMA",
    "Result",
    "compute",
    "derive",
    "find_runs",
    "finite",
    "null_records",
    "open_run",
    "read_manifest",
    "write_derived",
    "write_json",
]

SCHEMA = 1
"""Version of the run folder's format, described in docs/run-folder.md."""


@dataclass(frozen=True)
class Result:
    """The numbers of one run.

    Attributes:
        path: The run folder.
        manifest: What `run.json` holds.
        records: One published number each.
        notes: What a reader of the numbers must know, a sentence each.
    """

    path: Path
    manifest: Mapping[str, Any]
    records: tuple[Record, ...]
    notes: tuple[str, ...]

    def record(self, metric: str, scope: str = "all", variant: str | None = None) -> Record:
        """The record of a metric on a scope; of the model's first score, where it gives several.

        Raises:
            KeyError: If there is none, naming those there are.
        """
        for record in self.records:
            if (record.metric, record.scope) == (metric, scope) and variant in (None, record.variant):
                return record
        there = sorted({f"{record.metric} {record.scope}" for record in self.records if ":" not in record.metric})
        raise KeyError(f"no {metric!r} on {scope!r}; there are: {', '.join(there)}")

    def value(self, metric: str, scope: str = "all", variant: str | None = None) -> float:
        """The value of a metric on a scope, such as `value("hard", "chat")`; accuracies are between 0 and 1."""
        return self.record(metric, scope, variant).value

    def to_pandas(self) -> pd.DataFrame:
        """One row a record, one column a field; null baselines in columns `null_<name>`, the interval in two."""
        try:
            import pandas as pd
        except ImportError as error:
            raise need_extra(error, "to_pandas()") from error
        rows = []
        for record in self.records:
            row = record.to_dict()
            row["ci_low"], row["ci_high"] = row.pop("ci") or (math.nan, math.nan)
            row |= {f"null_{name}": value for name, value in row.pop("null").items()}
            rows.append(row)
        return pd.DataFrame(rows)


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file, whole or not at all; NaN becomes null."""
    text = json.dumps(finite(value), indent=1, ensure_ascii=False, allow_nan=False)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise explain_os_error(error, str(path)) from error


def finite(value: Any) -> Any:
    """The value with NaN and infinities as None, since JSON has neither."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_MANIFEST = {
    "identity": dict,
    "protocol": str,
    "model": dict,
    "benchmark": dict,
    "selection": dict,
    "notes": list,
    "sessions": list,
    "status": str,
}
_AGAIN = "delete that file and give the command that made the run again; its scores are kept in the journal"


def read_manifest(path: Path) -> dict[str, Any]:
    """Reads `run.json` of a run folder.

    Raises:
        RunError: If the folder is none, its manifest is damaged, or a newer rmeval wrote it.
    """
    file = path / "run.json"
    if not file.is_file():
        raise RunError(
            f"{path} is no run folder (it has no run.json): give a folder like runs/rm-bench/my-model/0123456789ab"
        )
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        schema = int(manifest["schema"])
        wrong = [name for name, kind in _MANIFEST.items() if not isinstance(manifest.get(name), kind)]
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror or error}): check its permissions") from error
    except (ArithmeticError, AttributeError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged ({error}): {_AGAIN}") from error
    if schema > SCHEMA:
        raise RunError(f"{path} was written by a newer rmeval (schema {schema}; this is {__version__}): upgrade rmeval")
    if wrong or manifest["protocol"] not in PROTOCOLS:
        raise RunError(f"{file} is damaged (check {', '.join(wrong or ['protocol'])}): {_AGAIN}")
    return manifest


def find_runs(path: Path) -> list[Path]:
    """The run folder at `path`, or all below it."""
    if (path / "run.json").exists() or not path.is_dir():
        return [path]
    return sorted(file.parent for file in path.rglob("run.json"))


def _only_run(path: Path) -> Path:
    found = find_runs(path)
    if len(found) > 1:
        some = ", ".join(map(str, found[:10])) + (", ..." if len(found) > 10 else "")
        raise RunError(f"{path} holds {len(found)} runs: name one of them: {some}")
    return found[0] if found else path


def open_run(path: str | Path, policy: str | None = None, benchmark: str | None = None) -> Result:
    """Reads the numbers of a run; nothing is computed anew unless it must be, and no model is needed.

    Args:
        path: A run folder, or a folder with one run in it.
        policy: Name of another rule for ties and failures, such as `half-ties@1`.
        benchmark: The `file.py:Class` of a run made with one; code that a run folder names is never run unasked.

    Raises:
        RunError: If it is no run folder, or the policy is unknown.
    """
    folder = _only_run(Path(path))
    manifest = read_manifest(folder)
    file = folder / "metrics.json"
    if policy is not None and policy not in POLICIES:
        raise RunError(f"there is no policy {policy!r}: choose one of {', '.join(POLICIES)}")
    if (policy or OFFICIAL.name) != OFFICIAL.name or not file.exists():
        return derive(folder, POLICIES[policy or OFFICIAL.name], benchmark)
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["schema"] > SCHEMA:
            return derive(folder, OFFICIAL, benchmark)
        records = tuple(_record(fields) for fields in stored["records"])
        return Result(folder, manifest, records, tuple(stored["notes"]))
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror or error}): check its permissions") from error
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged: delete it, and it is computed anew from the journal") from error


def _record(fields: dict[str, Any]) -> Record:
    fields["ci"] = None if fields["ci"] is None else tuple(fields["ci"])
    fields["value"] = math.nan if fields["value"] is None else fields["value"]
    return Record(**fields)


def derive(folder: Path, policy: Policy = OFFICIAL, benchmark: str | None = None) -> Result:
    """Computes the numbers of a run from its manifest, its items and its journal alone.

    Args:
        folder: The run folder.
        policy: How ties and failures count.
        benchmark: Its benchmark, where that is a `file.py:Class`.

    Raises:
        RunError: If a file is missing or damaged, or the benchmark has to be named.
    """
    manifest = read_manifest(folder)
    spec = manifest["benchmark"]["spec"]
    if is_file_spec(spec) and benchmark is None:
        raise RunError(f"{folder} was made with the benchmark {spec}: if you trust that file, give --benchmark {spec}")
    made = manifest["benchmark"]
    found = load_benchmark(benchmark or spec, made["data"], **made.get("options", {}))
    stored = read_items(folder / "items.parquet")
    requests, index = asked(PROTOCOLS[manifest["protocol"]], stored)
    answers = ask_journal(index, folder / "journal")
    missing = int((answers.status == 0).sum())
    if missing and manifest["status"] == "complete":
        raise RunError(
            f"the journal lacks {missing} answers of a complete run in {folder}: restore it from a copy, "
            "or give the command that made the run again"
        )
    if not missing:
        return compute(folder, manifest, stored, requests, answers, found, policy)
    scored = requests.items(answers.status != 0)
    if not scored.any():
        raise RunError(f"nothing in {folder} is scored yet: give the command that began the run again")
    result = compute(folder, manifest, stored.take(scored), requests.take(scored), answers, found, policy)
    note = f"unfinished: these are the numbers of the {scored.sum()} of {len(scored)} items that are scored"
    return replace(result, notes=(*result.notes, note))


def compute(
    folder: Path,
    manifest: Mapping[str, Any],
    stored: StoredItems,
    requests: Asked,
    answers: Answers,
    benchmark: Benchmark,
    policy: Policy = OFFICIAL,
) -> Result:
    """The numbers of a run, from what its files hold.

    Args:
        folder: The run folder.
        manifest: What its `run.json` holds.
        stored: The items that the numbers are of.
        requests: Those items' requests.
        answers: What came back, maybe of more requests than those.
        benchmark: The benchmark.
        policy: How ties and failures count.
    """
    protocol = PROTOCOLS[manifest["protocol"]]
    records: list[Record] = []
    notes = list(manifest["notes"])
    null = null_records(benchmark, stored)
    notes += protocol.notes(answers, requests.rows)
    for variant in protocol.variants(answers):
        evidence = protocol.fold(stored.table, answers, requests.rows, variant)
        found = with_null(benchmark.aggregate(stored.table, evidence, policy), null)
        records += [replace(record, variant=variant) for record in found]
        notes += [note for note in _trouble(evidence, requests, answers) if note not in notes]
    sessions = manifest["sessions"]
    if twice := max((session.get("double_bos", 0) for session in sessions), default=0):
        notes.append(f"{twice} conversations begin with two BOS tokens, which the chat template writes: check it")
    if unused := next((session["unused_weights"] for session in sessions if session.get("unused_weights")), None):
        notes.append(f"{len(unused)} weights of the checkpoint were not used ({unused[0]}, ...): see run.json")
    if len({(session.get("torch"), session.get("transformers")) for session in sessions}) > 1:
        notes.append("scored under more than one version of torch or transformers: see sessions in run.json")
    return Result(folder, manifest, tuple(records), tuple(notes))


def write_derived(result: Result, stored: StoredItems, requests: Asked, answers: Answers) -> None:
    """Writes `metrics.json` and `scores.parquet`."""
    file = result.path / "scores.parquet"
    try:
        _write_scores(stored, requests, answers, file)
    except OSError as error:
        raise explain_os_error(error, str(file)) from error
    records = [record.to_dict() for record in result.records]
    write_json(result.path / "metrics.json", {"schema": SCHEMA, "records": records, "notes": list(result.notes)})


def null_records(benchmark: Benchmark, stored: StoredItems) -> dict[str, list[Record]]:
    """What the null baselines get on the same items, ties always shared."""
    found: dict[str, list[Record]] = {}
    for name in NULL_SCORES:
        evidence = null_evidence(name, stored.table, stored.counts)
        found[name] = benchmark.aggregate(stored.table, evidence, HALF, intervals=False)
        del evidence  # One at a time: it is as large as the model's own.
    return found


def _trouble(evidence: EvidenceTable, requests: Asked, answers: Answers) -> list[str]:
    """A sentence for each way in which answers got no score, with the first error in words."""
    notes = [
        f"{count} answers have no score ({status}): the policy decides how they count"
        for status, count in evidence.failures.items()
    ]
    if "error" in evidence.failures:
        rows = requests.rows[answers.status[requests.rows] == STATUSES.index("error")].tolist()
        if error := next((answers.errors[row] for row in rows if row in answers.errors), None):
            notes.append(f"the first error: {error}")
    own = np.zeros(len(answers.status), bool)
    own[requests.rows] = True
    if cut := int((own & (answers.status == STATUSES.index("truncated"))).sum()):
        notes.append(f"{cut} conversations were cut to fit")
    return notes


_SCORES: dict[str, pa.DataType] = {
    "item": pa.string(),
    "response": pa.int64(),
    "variant": pa.string(),
    "score": pa.float64(),
    "status": pa.string(),
    "tokens": pa.int64(),
}


def _write_scores(stored: StoredItems, requests: Asked, answers: Answers, path: Path) -> None:
    """Writes a row a request and variant; `response` counts the requests of an item."""
    table, variants = stored.table, list(answers.values) or ["score"]
    nothing = np.full(len(answers.status), np.nan)
    names = iter(table.ids)
    schema = pa.schema(_SCORES)
    temporary = path.with_suffix(".tmp")
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for start in range(0, len(table), _GROUP):
            end = min(start + _GROUP, len(table))
            first, last = requests.offsets[start], requests.offsets[end]
            sizes = np.diff(requests.offsets[start : end + 1])
            rows = np.repeat(requests.rows[first:last], len(variants))
            scores = np.stack(
                [answers.values.get(name, nothing)[requests.rows[first:last]] for name in variants], axis=1
            )
            place = np.arange(last - first) - np.repeat(requests.offsets[start:end] - first, sizes)
            tokens = np.full(len(rows), -1) if answers.tokens is None else answers.tokens[rows]
            item = np.repeat(np.arange(end - start), sizes * len(variants))
            columns: list[pa.Array[Any]] = [
                pa.array(islice(names, end - start), pa.string()).take(pa.array(item, pa.int64())),
                pa.array(np.repeat(place, len(variants)), pa.int64()),
                pa.array(np.tile(np.array(variants, object), int(last - first)), pa.string()),
                pa.array(scores.ravel(), pa.float64(), from_pandas=True),
                pa.DictionaryArray.from_arrays(answers.status[rows], pa.array(STATUSES)).cast(pa.string()),
                pa.array(tokens, pa.int64(), mask=tokens < 0),
            ]
            writer.write_table(pa.table(columns, schema=schema))
    temporary.replace(path)


_GROUP = 1 << 14
