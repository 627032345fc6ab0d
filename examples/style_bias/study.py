"""Records of what is trained, and the numbers of each condition over seeds and problems; needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rmeval.predict import Trainings, TrainingsComparison, compare_trainings

__all__ = ["ALL", "GAP", "NUMBERS", "Condition", "Study", "Trained", "read_trained"]

ALL = "domains"
"""Scope of the mean over the domains."""
GAP = "style_gap"
"""Easy minus Hard."""
NUMBERS = ("easy", "normal", "hard", GAP)


@dataclass(frozen=True, slots=True)
class Condition:
    """Training data.

    Attributes:
        dose: Share of pairs in which the chosen response has the fancier style.
        cure: One of `preferences.CURES`.
    """

    dose: float
    cure: str = "none"

    def __str__(self) -> str:
        return f"{100 * self.dose:.0f}% fancier" + ("" if self.cure == "none" else f", {self.cure}")


@dataclass(frozen=True, slots=True)
class Trained:
    """A reward model that was trained and evaluated.

    Attributes:
        condition: Its training data.
        seed: Its seed.
        pairs: Number of distinct pairs.
        effective: Number of equally weighted pairs with the same precision.
        run: The run folder.
        seconds: CPU time of training and evaluation.
    """

    condition: Condition
    seed: int
    pairs: int
    effective: float
    run: str
    seconds: float

    def to_json(self) -> str:
        """Return a line of JSON."""
        return json.dumps(asdict(self))


def read_trained(file: Path) -> list[Trained]:
    """Read the records of finished models; there are none if the file does not exist."""
    if not file.exists():
        return []
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [Trained(**row | {"condition": Condition(**row["condition"])}) for row in rows]


@dataclass(frozen=True)
class Study:
    """The numbers of a study.

    Attributes:
        trained: The models of the seeds that all conditions have.
        levels: Easy, Normal, Hard and style gap of each condition, by its name.
        changes: For each cure, its comparison with the same dose without a cure: style gap and Normal.
    """

    trained: tuple[Trained, ...]
    levels: TrainingsComparison
    changes: dict[Condition, TrainingsComparison]

    @property
    def conditions(self) -> list[Condition]:
        """The conditions in the order in which they are trained."""
        return list(dict.fromkeys(one.condition for one in self.trained))

    @property
    def seeds(self) -> list[int]:
        """The seeds."""
        return sorted({one.seed for one in self.trained})

    @classmethod
    def of(cls, trained: Sequence[Trained]) -> Study | None:
        """Read the runs; None if no seed has all conditions yet."""
        conditions = list(dict.fromkeys(one.condition for one in trained))
        there = {(one.condition, one.seed) for one in trained}
        seeds = {one.seed for one in trained}
        whole = {seed for seed in seeds if all((condition, seed) in there for condition in conditions)}
        kept = sorted((one for one in trained if one.seed in whole), key=lambda one: one.seed)
        if not kept:
            return None
        runs = {
            condition: Trainings(str(condition), [one.run for one in kept if one.condition == condition])
            for condition in conditions
        }
        changes = {
            condition: compare_trainings([own, runs[Condition(condition.dose)]], metrics=("normal", GAP))
            for condition, own in runs.items()
            if condition.cure != "none"
        }
        return cls(tuple(kept), compare_trainings(list(runs.values()), metrics=NUMBERS), changes)
