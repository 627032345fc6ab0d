"""Scores a sample of a run's items again, to see whether its scores are those of a model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import load_benchmark
from rmeval.data.tables import EvidenceTable
from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.models import RewardModel, load_model
from rmeval.plugins import is_file_spec
from rmeval.results.checks import Check, holds, wrong
from rmeval.runs.observe import Progress, silent
from rmeval.runs.plan import plan
from rmeval.runs.runner import run as run_model
from rmeval.store.run import StoredRun, read_run
from rmeval.types import Evidence, Item

__all__ = ["AGREEING", "TOLERANCE", "Rescoring"]

TOLERANCE = 0.05
"""The largest difference of two scores of one response, in standard deviations of the run's scores."""
AGREEING = 0.9
"""The least share of equal preferences, for models that give no scores."""
_OF_IDENTITY = ("dtype", "max_length", "on_overlength")
"""Options of a model that its run's identity states."""
_LOADED = ("classifier", "implicit", "comparator")


@dataclass(frozen=True)
class Rescoring:
    """A check that scores items again; see `rmeval.results.verify_run`.

    Attributes:
        model: The model that the user names; nothing in a run chooses what is loaded.
        n_items: Number of items, drawn at random.
        data: The benchmark's data; None for its pinned source.
        seed: Seed of the draw; None for another one each time, which a submitter cannot know.
        progress: Called with the number of requests that are done and the total.
    """

    model: str
    n_items: int
    data: str | None = None
    seed: int | None = None
    progress: Progress = silent

    def __call__(self, run: StoredRun) -> Check:
        """Score the items, and compare.

        Raises:
            RmevalError: If the model or the data cannot be used.
        """
        identity = run.manifest["identity"]
        model = load_model(self.model, **_options(self.model, run))
        chosen = self._chosen(run)
        items = self._items(run, chosen)
        if len(items) < len(chosen):
            lacking = count_of(len(chosen) - len(items), "drawn item")
            return wrong("rescored", f"the data lack {lacking} of the run")
        with tempfile.TemporaryDirectory(prefix="rmeval-rescore-") as place:
            result = run_model(model, plan(run.benchmark, items=items), Path(place), progress=self.progress)
            scored = read_run(result.path)
            if scored.protocol.name != run.protocol.name:
                return wrong("rescored", f"the model is run by {scored.protocol.name}, the run by {run.protocol.name}")
            return self._compared(run, scored, chosen, _same_weights(model, identity))

    def _chosen(self, run: StoredRun) -> list[str]:
        ids = run.items.table.ids
        count = min(self.n_items, len(ids))
        places = np.random.default_rng(self.seed).choice(len(ids), count, replace=False)
        return [ids[place] for place in sorted(places.tolist())]

    def _items(self, run: StoredRun, chosen: Sequence[str]) -> list[Item]:
        made, wanted = run.manifest["benchmark"], set(chosen)
        benchmark = load_benchmark(run.benchmark.spec or made["spec"], self.data, **made.get("options", {}))
        found: list[Item] = []
        for item in benchmark.load():
            if item.id in wanted:
                found.append(item)
                if len(found) == len(wanted):
                    break
        return found

    def _compared(self, run: StoredRun, scored: StoredRun, chosen: Sequence[str], weights: str) -> Check:
        if (other := _other_texts(run, scored)) is not None:
            return wrong("rescored", f"the texts of {other} are not those of the run")
        own, new = (one.evidence(one.variant(None)) for one in (run, scored))
        compared = [_differences(own[name], new[name]) for name in chosen]
        scores = np.concatenate([one for one, _ in compared])
        preferences = np.concatenate([one for _, one in compared])
        what = f"{count_of(len(chosen), 'item')} scored again with {weights}"
        if not len(scores):
            share = float(preferences.mean()) if len(preferences) else 1.0
            found = f"{what}: {share:.1%} of {count_of(len(preferences), 'preference')} are equal"
            return holds("rescored", found) if share >= AGREEING else wrong("rescored", found)
        largest = float(scores.max()) / _spread(own)
        count = int((scores > TOLERANCE * _spread(own)).sum())
        found = f"{what}: scores differ by at most {largest:.2g} standard deviations"
        return (
            holds("rescored", found) if not count else wrong("rescored", f"{found}, {count} by more than {TOLERANCE}")
        )


def _options(model: str, run: StoredRun) -> dict[str, Any]:
    """The options of the run, for a model that takes them."""
    identity = run.manifest["identity"]
    if run.manifest["model"]["kind"] not in _LOADED or model.startswith("baseline:") or is_file_spec(model):
        return {}
    return {name: identity[name] for name in _OF_IDENTITY if identity.get(name) is not None}


def _same_weights(model: RewardModel, identity: Mapping[str, Any]) -> str:
    same = model.identity().get("model") == identity.get("model")
    return f"{model.name}, whose weights are {'those' if same else 'not those'} that the identity states"


def _other_texts(run: StoredRun, scored: StoredRun) -> str | None:
    """The first of the scored items whose conversations differ from those of the run."""
    wanted = set(scored.items.table.ids)
    held = {item.id: tuple(digests) for item, digests in run.items if item.id in wanted}
    return next((item.id for item, digests in scored.items if held.get(item.id) != tuple(digests)), None)


def _differences(own: Evidence, new: Evidence) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The absolute differences of an item's scores, and which of its preferences are equal."""
    if own.beats is not None or new.beats is not None:
        if own.beats is None or new.beats is None:
            raise RunError("the run has preferences where the model gives scores: name the model of the run")
        known = ~np.isnan(own.beats) | ~np.isnan(new.beats)
        return np.zeros(0), (own.beats == new.beats)[known]
    differences = np.abs(own.scores - new.scores)
    # A score that only one of the two has differs from any.
    one_only = np.isnan(own.scores) != np.isnan(new.scores)
    return np.where(one_only, np.inf, np.nan_to_num(differences)), np.zeros(0, bool)


def _spread(own: EvidenceTable) -> float:
    return float(np.nanstd(own.scores)) or 1.0
