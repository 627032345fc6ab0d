"""Which runs on different benchmarks are of the same model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.data.digests import digest
from rmeval.results.compare import Entry, ModelComparison
from rmeval.store.manifest import read_manifest

__all__ = ["labels_of", "settings_notes"]

_OF_BENCHMARK = ("benchmark", "contents", "protocol")
"""Parts of a run's identity that differ from benchmark to benchmark."""
_SCORES = "scores "
"""Beginning of the digest of imported scores, which stands for a model that is not known."""


def labels_of(comparisons: Sequence[ModelComparison]) -> list[dict[str, Entry]]:
    """Return each comparison's entries by a label that the same model has in all comparisons.

    The label is the model's name; if one comparison has several runs with this name, such as in two precisions, it is
    the name and the beginning of a digest of the model's settings. Of several copies of a run, the first one counts.
    Ensembles have no label, since their members differ from benchmark to benchmark.
    """
    named = [
        [(str(read_manifest(entry.path)["model"]["name"]), entry) for entry in one.entries if entry.path is not None]
        for one in comparisons
    ]
    twice = {name for own in named for name, count in Counter(name for name, _ in own).items() if count > 1}
    found: list[dict[str, Entry]] = []
    for own in named:
        labels: dict[str, Entry] = {}
        for name, entry in own:
            labels.setdefault(f"{name} ({digest(_settings(entry))[:6]})" if name in twice else name, entry)
        found.append(labels)
    return found


def settings_notes(found: Sequence[tuple[str, Mapping[str, Entry]]], models: Sequence[str]) -> Iterator[str]:
    """Yield a note for each model whose settings differ between benchmarks, such as in precision or weights.

    Args:
        found: Name and labelled entries of each benchmark.
        models: The labels to look at.
    """
    for model in models:
        own = [(name, _settings(entries[model])) for name, entries in found if model in entries]
        first = own[0][1]
        for name, settings in own[1:]:
            keys = {*first, *settings} - (
                {"model"} if "model" in first and str(first["model"]).startswith(_SCORES) else set()
            )
            if changed := sorted(key for key in keys if first.get(key) != settings.get(key)):
                yield f"{model} has another {' and '.join(changed)} on {name} than on {own[0][0]}"


def _settings(entry: Entry) -> dict[str, Any]:
    """The part of a run's identity that is the model's."""
    identity = read_manifest(entry.path or Path())["identity"]
    return {name: value for name, value in identity.items() if name not in _OF_BENCHMARK}
