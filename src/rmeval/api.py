"""The functions behind `import rmeval`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import BenchmarkLike, load_benchmark
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.errors import DataError, ModelError
from rmeval.models import ModelOptions, RewardModel, load_model, refuse_comparators
from rmeval.protocols.pointwise import MessageLike, as_conversation, conversation_requests
from rmeval.results.analyze import Analysis
from rmeval.results.analyze import analyze_run as analyze
from rmeval.results.compare import ModelComparison
from rmeval.results.compare import compare_runs as compare
from rmeval.results.result import Result, open_run
from rmeval.runs.plan import plan
from rmeval.runs.runner import refuse_no_scores, run, silent
from rmeval.runs.select import Selection
from rmeval.types import FloatArray

__all__ = [
    "Analysis",
    "ModelComparison",
    "Result",
    "analyze",
    "compare",
    "evaluate",
    "load_benchmark",
    "load_model",
    "open_run",
    "score",
]

logger = logging.getLogger(__name__)


def evaluate(
    model: str | Path | RewardModel,
    benchmark: str | BenchmarkLike,
    data: str | Path | None = None,
    *,
    out: str | Path = "runs",
    subsets: Sequence[str] = (),
    n_items: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    benchmark_options: Mapping[str, Any] | None = None,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Callable[[int, int], None] = silent,
    **options: Any,
) -> Result:
    """Evaluates a reward model on a benchmark; a run that was interrupted goes on where it stopped.

    Args:
        model: Hub id, path, `file.py:Class`, `baseline:NAME`, or a model from `load_model`.
        benchmark: Name from `rmeval list benchmarks`, `file.py:Class`, or a benchmark from `load_benchmark`.
        data: File, folder or hub id of the data; None for the benchmark's pinned source. This and the benchmark's
            options are for a benchmark that is given by name.
        out: Folder of runs; the run goes to `<benchmark>/<model>/<identity>` below it.
        subsets: Subsets or sections to run; all if empty.
        n_items: Number of items to draw at random.
        seed: Seed of the draw, and of a benchmark that is generated.
        limit: Number of items to take from the beginning.
        benchmark_options: The benchmark's own options by name, such as `{"size": 400}` for `rm-bench-synthetic` or
            `{"columns": {"prompt": "question"}}` for `pairs`.
        store_text: Whether to keep prompts and answers in the run folder.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Called with the number of answers scored and the number of all.
        **options: Fields of `rmeval.models.ModelOptions`, such as `dtype="bfloat16"`; and the benchmark's own options,
            where their names are none of those.

    Returns:
        The numbers, as records with intervals, and the place of the run folder.

    Raises:
        RmevalError: If something has to be changed first; the message says what.
    """
    given = dict(benchmark_options or {})
    given |= {name: options.pop(name) for name in list(options) if name not in ModelOptions.__dataclass_fields__}
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(subsets, str):
        raise DataError(f"subsets must be a list of names, such as [{subsets!r}]")
    if isinstance(benchmark, str):
        place = None if data is None else str(data)
        benchmark = load_benchmark(benchmark, place, seed=seed, **given)
    elif useless := [*([] if data is None else ["data"]), *given]:
        raise DataError(f"the benchmark is loaded already: give {', '.join(useless)} to load_benchmark")
    model = _loaded(model, options)
    planned = plan(benchmark, Selection(tuple(subsets), n_items, seed, limit))
    return run(model, planned, Path(out), store_text=store_text, break_lock=break_lock, progress=progress)


def score(
    model: str | Path | RewardModel, conversations: Iterable[Sequence[MessageLike]], **options: Any
) -> FloatArray:
    """Scores conversations, for rejection sampling or a closer look; nothing is written.

    Args:
        model: As for `evaluate`.
        conversations: Each a list of messages (`Message`, or dicts with `role` and `content`) that ends in the
            assistant's answer.
        **options: Fields of `rmeval.models.ModelOptions`.

    Returns:
        float64[n] in the order of the conversations; NaN, with a warning, where the model gave no score.

    Raises:
        RmevalError: If the model cannot be used, a conversation is not of this form, or no conversation got a score.
    """
    model = _loaded(model, options)
    refuse_comparators(model)
    requests = conversation_requests(
        [as_conversation(one, f"conversation {number}") for number, one in enumerate(conversations)]
    )
    index = KeyIndex([[request.key for request in requests]])
    answers = ObservationTable(len(index))
    for batch in model.observe(compress(requests, index.first)):
        answers.add(index.find([observation.key for observation in batch]), batch)
    if requests:
        refuse_no_scores(answers)
    # Of several scores the first is the one that is meant by default.
    scores = answers.main[index.rows]
    if missing := int(np.isnan(scores).sum()):
        reason = answers.why_missing(index.rows)
        logger.warning("%d of %d conversations have no score (%s)", missing, len(scores), reason)
    return scores


def _loaded(model: str | Path | RewardModel, options: dict[str, Any]) -> RewardModel:
    if isinstance(model, str | Path):
        return load_model(str(model), **options)
    if options:
        raise ModelError(f"the model is loaded already: give {', '.join(options)} to load_model, or check the spelling")
    return model
