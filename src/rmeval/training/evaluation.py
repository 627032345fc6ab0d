"""Evaluations of the network that a trainer trains, one run for each step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rmeval.report.run import measures_of
from rmeval.results.result import null_records
from rmeval.runs.plan import Plan
from rmeval.runs.runner import run
from rmeval.training.logged import logged_measures, logged_numbers, stem_of
from rmeval.training.networks import load_held
from rmeval.training.undisturbed import same_random_numbers

__all__ = ["Evaluation", "prepared"]


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, and where runs are kept.

    Attributes:
        trainer: The trainer.
        plan: The items.
        options: Options of the model.
        name: Name of the model in run folders, before the step.
        out: Folder of runs; None to keep none.
        store_text: Whether to store texts in run folders.
        metrics: Numbers to log, see `logged_measures`.
    """

    trainer: Any
    plan: Plan
    options: Mapping[str, Any]
    name: str
    out: Path | None
    store_text: bool
    metrics: Sequence[str]

    def numbers(self, step: int, null: bool) -> dict[str, float]:
        """Evaluate the network and return the numbers to log; neither it nor any random number changes.

        Args:
            step: The step of the training.
            null: Whether to return the values of the null baselines, too.

        Raises:
            RmevalError: If it cannot be evaluated.
        """
        begun = time.perf_counter()
        with ExitStack() as stack:
            stack.enter_context(same_random_numbers(self.trainer.model.device))
            out = self.out or Path(stack.enter_context(TemporaryDirectory(prefix="rmeval-")))
            result = run(
                load_held(self.trainer, self.options, f"{self.name} step {step}"),
                self.plan,
                out,
                store_text=self.store_text,
            )
        benchmark = self.plan.benchmark.card.id
        found = logged_numbers(result, benchmark, self.metrics, null)
        found[f"{stem_of(benchmark)}items"] = len(self.plan.stored.table)
        found[f"{stem_of(benchmark)}seconds"] = round(time.perf_counter() - begun, 3)
        return found


def prepared(
    trainer: Any,
    planned: Plan,
    options: Mapping[str, Any],
    name: str | None,
    out: str | Path | None,
    store_text: bool,
    metrics: Sequence[str],
) -> Evaluation:
    """Check whatever can be checked before the training, and return the evaluation.

    Args:
        trainer: See `Evaluation`.
        planned: Likewise.
        options: Likewise.
        name: Name of the model; None for that of the network.
        out: See `Evaluation`.
        store_text: Likewise.
        metrics: Likewise.

    Raises:
        RmevalError: If the network cannot be scored, or a number to log does not exist.
    """
    loaded = load_held(trainer, options, name)
    null = null_records(planned.benchmark, planned.stored)
    logged_measures(measures_of(record for own in null.values() for record in own), metrics)
    folder = None if out is None else Path(out)
    return Evaluation(trainer, planned, options, loaded.name, folder, store_text, tuple(metrics))
