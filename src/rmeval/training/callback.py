"""A callback of transformers' Trainer that evaluates the network on a benchmark while it trains."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rmeval.benchmarks import BenchmarkLike
from rmeval.benchmarks.given import given_benchmark
from rmeval.errors import RmevalError, RunError, reason_of
from rmeval.extras import need_extra
from rmeval.models.options import OPTIONS
from rmeval.runs.plan import plan
from rmeval.runs.select import Selection
from rmeval.training.logged import PREFIX, stem_of

try:
    from accelerate.utils import broadcast_object_list  # type: ignore[import-untyped]
    from transformers import Trainer, TrainerCallback

    from rmeval.training.evaluation import Evaluation, prepared
    from rmeval.training.networks import refuse_sharded
except ImportError as error:
    raise need_extra(error, "evaluation in training", "train") from error

__all__ = ["EvaluationCallback"]

logger = logging.getLogger(__name__)


class EvaluationCallback(TrainerCallback):  # type: ignore[misc]
    """Evaluates the network of a trainer every so many steps, and logs the numbers with the trainer.

    It works with transformers' `Trainer` and with TRL's trainers: the score of a classifier is that of its head, and
    the score of a policy of TRL's `DPOTrainer` is the implicit reward, with the trainer's reference and beta. The
    training is not changed: weights, modes and random numbers are the same with and without the callback.

    The numbers are in `trainer.state.log_history`, and wherever the trainer reports to, as `eval_<benchmark>/<metric>`.
    They are also among the metrics of the trainer's own evaluations, so that `metric_for_best_model` can name one.
    """

    def __init__(
        self,
        trainer: Trainer,
        benchmark: str | BenchmarkLike | None = None,
        data: object = None,
        *,
        every: int | None = None,
        start: bool = True,
        end: bool = True,
        subsets: Sequence[str] = (),
        n_items: int | None = None,
        seed: int = 0,
        cells: Sequence[str] = (),
        metrics: Sequence[str] = (),
        name: str | None = None,
        out: str | Path | None = None,
        store_text: bool = False,
        on_error: Literal["warn", "raise"] = "warn",
        **options: Any,
    ) -> None:
        """Read the benchmark, and check that the network can be scored.

        Args:
            trainer: The trainer to which the callback is added, with `trainer.add_callback`.
            benchmark: As for `rmeval.evaluate`.
            data: Likewise.
            every: Number of steps between evaluations; None to evaluate whenever the trainer evaluates.
            start: Whether to evaluate before the first step.
            end: Whether to evaluate after the last step.
            subsets: Subsets or sections to run; all if empty.
            n_items: Number of items to draw at random.
            seed: Seed of the draw, and of a generated benchmark.
            cells: Kinds of comparisons to keep, such as `diagonal`; all if empty.
            metrics: Numbers to log, such as `hard` or `hard:chat`; by default the headline, and where they exist Easy,
                Normal, Hard and the style gap.
            name: Name of the model in run folders; each has the step after it.
            out: Folder of runs, for `rmeval compare`; None to keep none.
            store_text: Whether to store prompts and responses in run folders.
            on_error: What a failed evaluation does: `warn` logs why, and the training goes on; `raise` stops it.
            **options: Fields of `ModelOptions`, such as `batch_size=8`, and other names: the benchmark's options.

        Raises:
            RmevalError: If the benchmark cannot be read or the network cannot be scored; the message states what to
                change.
        """
        _check(trainer, every, on_error, {"subsets": subsets, "cells": cells, "metrics": metrics})
        refuse_sharded(trainer)
        own = {key: options.pop(key) for key in list(options) if key not in OPTIONS}
        found = given_benchmark(benchmark, data, seed, own)
        self._trainer = trainer
        self._every, self._start, self._end, self._raises = every, start, end, on_error == "raise"
        self._stem = stem_of(found.card.id)
        self._evaluation: Evaluation | None = None
        if trainer.is_world_process_zero():  # The others wait for its numbers.
            selection = Selection(tuple(subsets), n_items, seed, cells=tuple(cells))
            self._evaluation = prepared(trainer, plan(found, selection), options, name, out, store_text, metrics)
        self._step, self._logged_null = -1, False
        self._numbers: Mapping[str, float] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate before the first step, also of a training that is resumed."""
        self._step, self._logged_null = -1, False
        if self._start:
            self._evaluate(state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate after every so many steps."""
        if self._every is not None and state.global_step % self._every == 0:
            self._evaluate(state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate after the last step, before the trainer may load the weights of its best checkpoint."""
        if self._end and control.should_training_stop:
            self._evaluate(state, control)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        """Add the numbers to the metrics of the trainer's own evaluation."""
        best = _metric_for_best(args)
        needed = best is not None and best.startswith(self._stem)
        if self._every is None or needed:
            self._evaluate(state, control)
        if self._step == state.global_step:
            metrics.update(self._numbers)
        if best is not None and needed and best not in metrics and not self._numbers:
            metrics[best] = math.nan  # A failed evaluation is never the best one; the trainer would raise a KeyError.

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Forget the numbers: the weights may be those of another step from now on."""
        self._step = -1

    def _evaluate(self, state: Any, control: Any) -> None:
        """Evaluate once for a step, in the main process, and log the numbers in all."""
        if self._step == state.global_step:
            return
        self._step = state.global_step
        numbers, error = self._attempt()
        self._numbers, reason = self._of_main_process(numbers, error)
        if reason is not None:
            self._fail(reason, error)
            return
        # The trainer's own entry of this step is still to come, and logging would cancel it. The classes of TRL add
        # their averages since the last entry to any entry, and begin again.
        should_log = control.should_log
        Trainer.log(self._trainer, dict(self._numbers))
        control.should_log = should_log
        self._logged_null = True

    def _attempt(self) -> tuple[Mapping[str, float], Exception | None]:
        """The numbers, or why there are none; neither in other processes than the main one."""
        if self._evaluation is None:
            return {}, None
        try:
            return self._evaluation.numbers(self._step, null=not self._logged_null), None
        except Exception as error:  # noqa: BLE001  An error of an evaluation must not end a training of days.
            return {}, error

    def _of_main_process(
        self, numbers: Mapping[str, float], error: Exception | None
    ) -> tuple[Mapping[str, float], str | None]:
        """The numbers of the main process, for which the others wait, or why there are none."""
        found = [(numbers, None if error is None else reason_of(error))]
        if self._trainer.args.world_size > 1:
            broadcast_object_list(found)
        return found[0]

    def _fail(self, reason: str, error: Exception | None) -> None:
        """Raise the error, or warn of it in the process in which it was raised."""
        if self._raises:
            raise error or RunError(f"the evaluation of the main process failed: {reason}")
        if error is not None:
            trace = None if isinstance(error, RmevalError) else error
            logger.warning("no evaluation at step %d of the training: %s", self._step, reason, exc_info=trace)


def _metric_for_best(args: Any) -> str | None:
    name: str | None = args.metric_for_best_model
    return name if name is None or name.startswith(PREFIX) else f"{PREFIX}{name}"


def _check(trainer: Any, every: object, on_error: object, lists: Mapping[str, object]) -> None:
    """Raise a RunError for arguments that are wrong whatever the benchmark."""
    if not isinstance(trainer, Trainer):
        raise RunError(f"`trainer` is a {type(trainer).__name__}: give the Trainer to which the callback is added")
    if every is not None and (type(every) is not int or every < 1):
        raise RunError(f"`every` is {every!r}: give a number of steps of at least 1")
    if every is None and trainer.args.eval_strategy == "no":
        raise RunError(
            "the trainer has no evaluations of its own: give `every`, the number of steps between evaluations"
        )
    if on_error not in ("warn", "raise"):
        raise RunError(f"`on_error` is {on_error!r}: give 'warn' or 'raise'")
    for name, given in lists.items():
        if isinstance(given, str):
            raise RunError(f"`{name}` must be a list of names, such as [{given!r}]")
