"""The noise of a model's margins, from what its run recorded about rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["noise_note", "noise_of"]

_FACTOR = 4
"""A margin is the difference of two scores, and of all scores some differ about twice as much as the few checked."""


def noise_of(manifest: Mapping[str, Any]) -> float | None:
    """The noise of a margin of a run: margins up to it may have the other sign on another machine.

    It is 4 * f * d. d is the largest difference between two ways of computing the same output that the run's sessions
    recorded: with and without shared prefixes (`largest_difference`), alone and in a batch (`plain_spread`), and by the
    network's own forward (`difference`). f is the largest factor by which `reduce` and `scale` multiply it.

    Returns:
        The noise; None for models whose score is not one output of a head or a sum of them, for imported scores, and
        if nothing was compared.
    """
    if manifest["model"]["kind"] != "classifier":
        return None
    found = [one for session in manifest["sessions"] for one in _differences(session)]
    return _FACTOR * _scale(manifest["identity"]) * max(found) if found else None


def _differences(session: Mapping[str, Any]) -> Iterator[float]:
    for entry, names in (("prefix_sharing", ("largest_difference", "plain_spread")), ("readout", ("difference",))):
        facts = session.get(entry)
        if isinstance(facts, dict):
            yield from (float(facts[name]) for name in names if isinstance(facts.get(name), int | float))


def _scale(identity: Mapping[str, Any]) -> float:
    """The factor between an output and the score; of several outputs, the sum of their factors."""
    reduce, head = str(identity.get("reduce") or ""), str(identity.get("head") or "")
    weights = [1.0]
    if reduce.startswith("weights:"):
        weights = [float(one) for one in reduce.removeprefix("weights:").split(",")]
    elif reduce == "difference" or (head.startswith("logit:") and "-" in head):
        weights = [1.0, -1.0]
    return abs(float(identity.get("scale", 1.0))) * sum(map(abs, weights))


_MOST = 6


def noise_note(counts: Mapping[str, int], noise: float) -> str:
    """The note on the comparisons within noise, by subset."""
    total = sum(counts.values())
    largest = sorted(counts.items(), key=lambda one: -one[1])
    where = ", ".join(f"{name} {count}" for name, count in largest[:_MOST]) + (", ..." if len(largest) > _MOST else "")
    return (
        f"within noise: {total} comparison{'' if total == 1 else 's'} ({where}) with a margin above 0 and at most "
        f"{noise:.2g}, which, like ties, may be decided differently on another machine"
    )
