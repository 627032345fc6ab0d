"""Runs as files of every-eval-ever, an interchange format for results of evaluations.

The files follow version 0.3.0 of `eval.schema.json` (https://github.com/evaleval/every_eval_ever, package
`every-eval-ever` 0.3.0). Its optional file of single samples is not written, because it holds the texts of prompts.
"""

from __future__ import annotations

import calendar
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rmeval._version import __version__
from rmeval.data.digests import digest
from rmeval.errors import RmevalError, explain_os_error
from rmeval.files import json_bytes, replacing
from rmeval.hub import is_hub_id
from rmeval.metrics.composition import GAP
from rmeval.push.commit import Sent
from rmeval.push.model_results import hub_model
from rmeval.push.run_files import SharedRun
from rmeval.push.values import first_records, logged_facts
from rmeval.redaction import redacted
from rmeval.results.described import selection_text
from rmeval.types import Record

__all__ = ["SCHEMA_VERSION", "Relationship", "every_eval_ever_files", "write_files"]

SCHEMA_VERSION = "0.3.0"
Relationship = Literal["first_party", "third_party", "collaborative", "other"]
_UNPORTABLE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(data|con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names of folders that the collection's checks refuse."""
_SERVED = ("served", "judge")
"""Beginnings of the kinds of models that may run on somebody else's machine."""


def every_eval_ever_files(
    runs: Sequence[SharedRun], *, evaluator: str = "unknown", relationship: Relationship = "other"
) -> dict[str, bytes]:
    """Return the files of some runs by path: `data/<benchmark>/<developer>/<model>/<uuid>.json`.

    A run always gets the same path and, with the same numbers, the same content.

    Args:
        runs: The runs, from `runs_to_share`.
        evaluator: Name of the organisation or person that made the runs.
        relationship: What the evaluator is to the developer of the model.
    """
    found: dict[str, bytes] = {}
    for run in runs:
        developer, _, model = _model_id(run).rpartition("/")
        folder = "/".join(map(_folder_name, (run.benchmark, developer, model)))
        content = _log(run, evaluator, relationship)
        found[f"data/{folder}/{_uuid(run)}.json"] = json_bytes(redacted(content), indent=2) + b"\n"
    return found


def write_files(files: Mapping[str, bytes], folder: Path) -> Sent:
    """Write files that are new or changed into a folder.

    Raises:
        RmevalError: If one cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise RmevalError(f"`every_eval_ever` {folder} is a file: give a folder")
    written = 0
    for path, content in files.items():
        file = folder / path
        try:
            if file.exists() and file.read_bytes() == content:
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as out:
                out.write(content)
        except OSError as error:
            raise explain_os_error(error, str(file)) from error
        written += 1
    done = f"{written} of {len(files)} files written" if written else "no change: it has these files already"
    return Sent(f"the folder {folder}", done)


def _uuid(run: SharedRun) -> str:
    """A UUID of version 4, as the format demands, that is always the same for a run."""
    return str(uuid.UUID(hex=digest({"every-eval-ever": run.name})[:32], version=4))


def _folder_name(name: str) -> str:
    plain = _UNPORTABLE.sub("_", name).strip(" .") or "unknown"
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain


def _model_id(run: SharedRun) -> str:
    """The model as `developer/name`."""
    known = hub_model(run.manifest)
    name = str(run.manifest["model"]["name"])
    return known[0] if known and "/" in known[0] else f"unknown/{name.replace('/', '_')}"


def _log(run: SharedRun, evaluator: str, relationship: str) -> dict[str, Any]:
    sessions = run.manifest["sessions"]
    begun = str(_epoch(sessions[0].get("begun")) if sessions else 0)
    records = list(first_records(run.result))
    name = _model_id(run)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{run.benchmark}.{run.id}/{name.replace('/', '_')}/{begun}",
        "evaluation_timestamp": begun,
        # The time of the run and not of this file, so that the same run gives the same file.
        "retrieved_timestamp": begun,
        "source_metadata": {
            "source_name": "rmeval",
            "source_type": "evaluation_run",
            "source_organization_name": evaluator,
            "evaluator_relationship": relationship,
        },
        "eval_library": {
            "name": "rmeval",
            "version": str(sessions[-1].get("rmeval", __version__) if sessions else __version__),
        },
        "model_info": _model_info(run, name),
        "evaluation_results": [_result(run, record, number) for number, record in enumerate(records)],
    }


def _epoch(begun: Any) -> int:
    """Seconds since 1970 of a session's begin; 0 if it is not known."""
    try:
        return calendar.timegm(time.strptime(str(begun), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0


def _model_info(run: SharedRun, name: str) -> dict[str, Any]:
    known, kind = hub_model(run.manifest), str(run.manifest["model"]["kind"])
    engine = run.manifest["identity"].get("engine")
    session = run.manifest["sessions"][-1] if run.manifest["sessions"] else {}
    version = session.get("vllm" if engine == "vllm" else "transformers")
    return {
        "name": str(run.manifest["model"]["name"]),
        "id": name,
        "developer": name.partition("/")[0],
        **({"inference_engine": {"name": str(engine), "version": str(version or "unknown")}} if engine else {}),
        "additional_details": {
            **logged_facts(run.manifest),
            **({"model_revision": known[1]} if known else {}),
            "deployment_type": "unknown" if kind.startswith(_SERVED) else "self_deployed",
            "model_availability": "open_weights" if known else "unknown",
        },
    }


def _source(run: SharedRun) -> dict[str, Any]:
    made = run.manifest["benchmark"]
    place = str(made.get("data") or made.get("source") or "")
    details = {name: str(made[name]) for name in ("revision",) if made.get(name)}
    more = {"additional_details": details} if details else {}
    if "/" in place and is_hub_id(place):
        return {"dataset_name": run.benchmark, "source_type": "hf_dataset", "hf_repo": place, **more}
    if place.startswith(("https://", "http://")):
        return {"dataset_name": run.benchmark, "source_type": "url", "url": [place], **more}
    return {"dataset_name": run.benchmark, "source_type": "other", "additional_details": details | {"source": place}}


def _result(run: SharedRun, record: Record, number: int) -> dict[str, Any]:
    is_share, is_gap = record.metric == "accuracy", record.metric == GAP
    low = -1.0 if is_gap or record.value < 0 else 0.0
    interval = {} if record.ci is None else {"confidence_interval": _interval(record)}
    return {
        "evaluation_result_id": f"{run.id}.{number}",
        "evaluation_name": f"{run.benchmark}.{record.scope}",
        "source_data": _source(run),
        "metric_config": {
            "metric_id": "accuracy" if is_share else f"{run.benchmark}.{record.metric}",
            "metric_name": record.metric,
            "metric_kind": "difference" if is_gap else "accuracy",
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": min(low, record.value),
            "max_score": max(1.0, record.value),
            "additional_details": {"formula": record.formula, "score_rule": record.rule},
        },
        "score_details": {
            "score": record.value,
            "uncertainty": {**interval, "num_samples": record.n_items},
            "details": {
                "problems": str(record.n_clusters),
                "ties": str(record.ties),
                "failures": str(record.failures),
                "null_baselines": json.dumps(dict(record.null), sort_keys=True),
                "items": selection_text(run.manifest["selection"]) or "all",
            },
        },
    }


def _interval(record: Record) -> dict[str, Any]:
    assert record.ci is not None
    return {
        "lower": record.ci[0],
        "upper": record.ci[1],
        "confidence_level": 0.95,
        "method": record.ci_method or "unknown",
    }
