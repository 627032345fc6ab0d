"""The names and values under which experiment trackers show the numbers of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rmeval.messages import shortened
from rmeval.results.described import selection_text
from rmeval.results.result import WITHOUT_ERRATA, Result
from rmeval.store.manifest import run_id
from rmeval.types import Record

__all__ = ["first_records", "logged_facts", "logged_values", "metric_name"]

_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 250
"""Maximum length of a name; MLflow refuses names of more than 250 characters."""
_LONGEST_FACT = 500


def metric_name(record: Record) -> str:
    """Return the name of a number in a tracker: `<benchmark>/<metric>/<scope>`, such as `rm-bench/hard/chat`.

    In each of the three parts, every run of characters other than ASCII letters, digits, `_`, `.` and `-` becomes one
    `_`, so that wandb, trackio and MLflow accept the name: `reward-bench/section/Chat_Hard`.
    """
    parts = (record.benchmark, record.metric, record.scope)
    return "/".join(_OTHER.sub("_", part) or "_" for part in parts)[:_LONGEST]


def first_records(result: Result) -> Iterator[Record]:
    """Yield the numbers that are shared: those of the model's first score, without cells and without corrections.

    A number that is not finite is left out.
    """
    for record in result.records:
        own = record.variant == result.records[0].variant and record.metric != WITHOUT_ERRATA
        if own and not record.metric.startswith("cell:") and math.isfinite(record.value):
            yield record


def logged_values(result: Result) -> dict[str, float]:
    """Return the numbers of a run by their names in trackers, see `metric_name`.

    Values are those of `metrics.json`: accuracies are shares between 0 and 1. The ends of the 95% interval have the
    suffixes `/low` and `/high`. If two numbers get the same name, the later one ends in `_2`, `_3`, ...

    Args:
        result: The result of a run.
    """
    found: dict[str, float] = {}
    for record in first_records(result):
        name, number = (plain := metric_name(record)), 1
        while name in found:
            number += 1
            name = f"{plain}_{number}"
        found[name] = float(record.value)
        if record.ci is not None and all(map(math.isfinite, record.ci)):
            found |= {f"{name}/low": float(record.ci[0]), f"{name}/high": float(record.ci[1])}
    return found


def logged_facts(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what a tracker shows beside the numbers of a run: the model, the benchmark, and the versions.

    Args:
        manifest: The manifest without private entries, see `rmeval.push.run_files.public_manifest`.
    """
    session = manifest["sessions"][-1] if manifest["sessions"] else {}
    facts: dict[str, Any] = {
        "run": run_id(manifest["identity"]),
        "model": manifest["model"]["name"],
        "kind": manifest["model"]["kind"],
        "benchmark": manifest["benchmark"]["id"],
        "source": manifest["benchmark"].get("source"),
        "revision": manifest["benchmark"].get("revision"),
        "items": selection_text(manifest["selection"]) or "all",
        "protocol": manifest["protocol"],
        **{name: manifest["identity"].get(name) for name in ("engine", "dtype", "max_length")},
        **{name: session.get(name) for name in ("rmeval", "torch", "transformers", "vllm")},
    }
    return {name: shortened(str(value), _LONGEST_FACT) for name, value in facts.items() if value not in (None, "")}
