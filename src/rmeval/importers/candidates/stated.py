"""Win rates that a file states for reward models, compared with those of the responses that they pick."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.data.reading import read_object
from rmeval.importers.candidates.join import Joined
from rmeval.importers.candidates.source import Kept
from rmeval.messages import shortened

__all__ = ["Stated", "read_stated"]

_NEAR = 0.005
"""Largest difference, in points, of equal win rates."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The numbers of a file by strategy, as in reward-bench's `bon_eval_results.json`."""

    path: Path
    strategies: Mapping[str, Mapping[str, Any]]

    def notes(self, joined: Joined) -> list[str]:
        """Return contradictions within the file and to the candidates, and how many strategies were not compared."""
        found: list[str] = []
        without, unknown = 0, 0
        for strategy, numbers in self.strategies.items():
            found += self._sums(strategy, numbers)
            picked = _picked(strategy, numbers, joined)
            if picked is None:
                without += 1
            elif any(math.isnan(kept.quality) for kept in picked):
                unknown += 1
            else:
                found += self._differences(strategy, numbers, picked)
        count = len(self.strategies)
        compared = f"{self.path.name}: {count - without - unknown} of its {count} strategies were compared"
        reasons = [f"the picks of {without} are not in the files"] if without else []
        reasons += [f"the quality of some picks of {unknown} is unknown"] if unknown else []
        return [*found, ": ".join([compared, " and ".join(reasons)] if reasons else [compared])]

    def _sums(self, strategy: str, numbers: Mapping[str, Any]) -> list[str]:
        """Compare the counts of wins, losses and draws with their total and with the discrete win rate."""
        wins, losses, draws, total = (
            _number(numbers, name) for name in ("n_wins", "n_wins_base", "n_draws", "n_total")
        )
        discrete = _number(numbers, "discrete_win_rate")
        where = f"{self.path.name}: {shortened(strategy)}"
        found = []
        if total > 0 and wins + losses + draws != total and not math.isnan(wins + losses + draws):
            found.append(f"{where}: {wins:g} wins, {losses:g} losses and {draws:g} draws are not {total:g} in total")
        elif abs(discrete - (rate := 100 * (wins + draws / 2) / total if total else math.nan)) > _NEAR:
            found.append(f"{where} states a discrete win rate of {discrete:.2f}, but its counts give {rate:.2f}")
        return found

    def _differences(self, strategy: str, numbers: Mapping[str, Any], picked: Sequence[Kept]) -> list[str]:
        """Compare the stated win rate and mean length with those of the picks."""
        found = {"win_rate": 100 * math.fsum(kept.quality for kept in picked) / len(picked)}
        found["n_total"] = float(len(picked))
        if all(kept.length >= 0 for kept in picked):
            found["avg_length"] = float(int(sum(kept.length for kept in picked) / len(picked)))
        return [
            f"{self.path.name} states {name} {stated:g} for {shortened(strategy)}, but its picks give {own:g}"
            for name, own in found.items()
            if abs((stated := _number(numbers, name)) - own) > _NEAR
        ]


def read_stated(path: Path) -> Stated | None:
    """Read a file of win rates by strategy; None if it is a file of another kind."""
    document = read_object(path)
    if not document or not all(isinstance(own, dict) and "win_rate" in own for own in document.values()):
        return None
    return Stated(path, document)


def _number(numbers: Mapping[str, Any], name: str) -> float:
    value = numbers.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _picked(strategy: str, numbers: Mapping[str, Any], joined: Joined) -> list[Kept] | None:
    """Return the response to each prompt that a strategy picks: that of its reward model, or a sample's number."""
    groups = joined.base.groups
    model = next((own for own in joined.models if strategy == own or strategy.endswith(f"/{own}")), None)
    if model is not None:
        return [max(group.kept, key=lambda kept: _score(kept, model)) for group in groups]
    writer, _, number = str(numbers.get("reward_model", "")).rpartition(".")
    if not writer or writer != joined.base.series:
        return None
    by_prompt = [[kept for kept in group.kept if kept.key == number] for group in groups]
    return [own[0] for own in by_prompt] if all(by_prompt) else None


def _score(kept: Kept, model: str) -> float:
    score = kept.scores.get(model, math.nan)
    return -math.inf if math.isnan(score) else score
