"""The runner: asks a model what a benchmark wants to know, once, and writes down what came back."""

from __future__ import annotations

import logging
import platform
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rmeval import __version__
from rmeval.benchmarks import Benchmark
from rmeval.digests import contents_digest, digest, gold_digest
from rmeval.errors import RunError, explain_os_error
from rmeval.models import RewardModel
from rmeval.protocols import pointwise
from rmeval.runs.folder import SCHEMA, Result, derive, read_manifest, write_json
from rmeval.runs.items import StoredItems, store_items, write_items
from rmeval.runs.journal import Journal, read_journal
from rmeval.runs.lock import Lock
from rmeval.runs.selection import Selection, select
from rmeval.types import Observation, Request

__all__ = ["Progress", "about_benchmark", "observe_missing", "run", "silent", "writing"]

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the number of requests done and the number of all, at the start and after each batch."""


def silent(done: int, total: int) -> None:
    """Shows nothing."""


def run(
    model: RewardModel,
    benchmark: Benchmark,
    out: Path,
    selection: Selection = Selection(),  # noqa: B008  frozen
    *,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> Result:
    """Runs a model on a benchmark, or continues where an earlier process stopped.

    Args:
        model: The model.
        benchmark: The benchmark.
        out: Folder of runs; this one goes to `<benchmark>/<model>/<identity>` below it.
        selection: Which items.
        store_text: Whether to keep prompts and answers in the run folder.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Told how far the run is.

    Raises:
        RmevalError: If something has to be changed first. What was scored is kept.
    """
    everything = benchmark.load()
    stored = store_items(everything)
    identity = {
        "benchmark": benchmark.card.id,
        "contents": contents_digest(stored.digests.items()),
        "protocol": pointwise.NAME,
        **model.identity(),
    }
    chosen = select(everything, selection, benchmark.card)
    about = {
        "protocol": pointwise.NAME,
        "benchmark": about_benchmark(benchmark),
        "selection": asdict(selection),
        "gold": gold_digest(chosen),
        "notes": [],
    }
    part = StoredItems(tuple(chosen), stored.digests, stored.counts)
    with writing(out, model, identity, about, part, store_text, break_lock) as folder:
        requests = pointwise.requests(chosen)
        start, begun = time.perf_counter(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        seen, scored = observe_missing(model, requests, folder / "journal", progress)
        tokens = {
            content: observation.usage["tokens"]
            for contents in stored.digests.values()
            for content in contents
            if (observation := seen.get(pointwise.key_of(content))) and "tokens" in observation.usage
        }
        _write_items(part, folder, store_text, tokens)
        session = {
            "begun": begun,
            "seconds": round(time.perf_counter() - start, 3),
            "host": socket.gethostname(),
            "scored": scored,
            "python": platform.python_version(),
            "rmeval": __version__,
            **model.facts(),
        }
        manifest = read_manifest(folder)
        if scored:
            manifest["sessions"].append(session)
        manifest["status"] = "complete"
        write_json(folder / "run.json", manifest)
        answers = [seen[request.key] for request in requests]
        if not any(answer.values for answer in answers):
            error = next((answer.error for answer in answers if answer.error), answers[0].status)
            raise RunError(
                f"none of {len(answers)} conversations got a score ({error}): mend that and give the same command again"
            )
        return derive(folder, write=True, stored=part, seen=seen, benchmark=benchmark)


def about_benchmark(benchmark: Benchmark) -> dict[str, Any]:
    """What the manifest says of a benchmark, enough to find it again."""
    card = benchmark.card
    return {
        "id": card.id,
        "spec": benchmark.spec,
        "data": benchmark.data,
        "source": benchmark.data or card.source,
        "revision": None if benchmark.data else card.revision,
    }


def _write_items(stored: StoredItems, folder: Path, texts: bool, tokens: Mapping[str, int]) -> None:
    try:
        write_items(stored, folder / "items.parquet", texts, tokens)
    except OSError as error:
        raise explain_os_error(error, str(folder / "items.parquet")) from error


@contextmanager
def writing(
    out: Path,
    model: RewardModel,
    identity: Mapping[str, Any],
    about: Mapping[str, Any],
    stored: StoredItems,
    store_text: bool,
    break_lock: bool,
) -> Iterator[Path]:
    """Makes or opens the run folder of an identity, holds its lock, and writes manifest and items.

    Raises:
        RunError: If the folder cannot be written, is locked, or belongs to another identity.
    """
    number = digest(identity)[:12]
    name = re.sub(r"[^\w.-]+", "-", model.name).strip("-.") or "model"
    folder = out / str(identity["benchmark"]) / name / number
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, str(folder)) from error
    with Lock(folder / "lock", break_lock):
        manifest = {
            "schema": SCHEMA,
            "status": "running",
            "identity": dict(identity),
            "model": {"name": model.name, "kind": model.kind},
            **about,
            "sessions": [],
        }
        if (folder / "run.json").exists():
            earlier = read_manifest(folder)
            if earlier["identity"] != dict(identity):
                changed = [
                    k for k in {*identity, *earlier["identity"]} if identity.get(k) != earlier["identity"].get(k)
                ]
                raise RunError(
                    f"{folder} belongs to another run (it differs in {', '.join(sorted(changed))}): "
                    "move that folder away, or choose another with -o"
                )
            manifest["sessions"] = earlier["sessions"]
        write_json(folder / "run.json", manifest)
        _write_items(stored, folder, store_text, {})
        yield folder


def observe_missing(
    model: RewardModel, requests: Sequence[Request], journal: Path, progress: Progress = silent
) -> tuple[dict[str, Observation], int]:
    """Asks what the journal does not know yet, or knows only as an error.

    Returns:
        All that the journal knows now, by request key, and how many requests were answered now.
    """
    seen = read_journal(journal)
    missing = [request for request in requests if (old := seen.get(request.key)) is None or old.status == "error"]
    done = len(requests) - len(missing)
    progress(done, len(requests))
    if missing:
        with Journal(journal) as writer:
            for batch in model.observe(missing):
                writer.append(batch)
                seen.update((observation.key, observation) for observation in batch)
                done += len(batch)
                progress(done, len(requests))
    return seen, len(missing)
