"""Python interface: evaluate models, score conversations, open and compare runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

import rmeval.report.notebook  # noqa: F401  It registers what notebooks show of results.
from rmeval.benchmarks import GENERATED, BenchmarkLike, load_benchmark
from rmeval.benchmarks.given import given_benchmark
from rmeval.data.item_list import read_item_list
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.doctor.export import Exported
from rmeval.doctor.export import export_model as export
from rmeval.doctor.parity import Parity, compare_engines
from rmeval.errors import DataError, RunError
from rmeval.importers.best_of_n import bon
from rmeval.models import load_model, refuse_comparators
from rmeval.models.options import OPTIONS, check_options, model_options
from rmeval.predict.correlate import correlate_scores as correlate
from rmeval.predict.curves import BestOfNCurves
from rmeval.predict.style_control import StyleControl
from rmeval.predict.style_control import style_control_scores as style_control
from rmeval.protocols.pointwise import MessageLike, as_conversation, conversation_requests
from rmeval.results.across import AcrossBenchmarks, compare_across
from rmeval.results.analyze import Analysis
from rmeval.results.analyze import analyze_run as analyze
from rmeval.results.cascade import Cascade
from rmeval.results.cascade import cascade_runs as cascade
from rmeval.results.choose import ChosenItems, choose_items
from rmeval.results.compare import ModelComparison
from rmeval.results.compare import compare_runs as compare
from rmeval.results.estimate import Estimate
from rmeval.results.estimate import estimate_runs as estimate
from rmeval.results.examples import WrongExample, WrongExamples
from rmeval.results.goals import Plan
from rmeval.results.item_analysis import ItemAnalysis, analyze_items
from rmeval.results.jury import Jury
from rmeval.results.jury import jury_runs as jury
from rmeval.results.lead_sequence import Lead
from rmeval.results.leads import Leads
from rmeval.results.leads import decide_runs as decide
from rmeval.results.places import Place
from rmeval.results.plan import make_plan as plan
from rmeval.results.result import Result, open_run
from rmeval.results.variance import VarianceStudy
from rmeval.results.variance import study_variance as variance
from rmeval.results.wrong import wrong_examples
from rmeval.robustness.audit import PROBES, SMALLEST, Audit, Probing, audit_model
from rmeval.runs.dry_run import DryRun
from rmeval.runs.dry_run import dry_run as count_calls
from rmeval.runs.observe import refuse_no_scores, silent
from rmeval.runs.plan import plan as plan_run
from rmeval.runs.runner import run
from rmeval.runs.select import Selection
from rmeval.runs.until import stopping_rule
from rmeval.types import FloatArray

__all__ = [
    "AcrossBenchmarks",
    "Analysis",
    "Audit",
    "BestOfNCurves",
    "Cascade",
    "ChosenItems",
    "DryRun",
    "Estimate",
    "Exported",
    "ItemAnalysis",
    "Jury",
    "Lead",
    "Leads",
    "ModelComparison",
    "Parity",
    "Plan",
    "Result",
    "StyleControl",
    "VarianceStudy",
    "WrongExample",
    "WrongExamples",
    "analyze",
    "analyze_items",
    "audit",
    "bon",
    "cascade",
    "choose_items",
    "compare",
    "compare_across",
    "correlate",
    "decide",
    "dry_run",
    "estimate",
    "evaluate",
    "export",
    "jury",
    "load_benchmark",
    "load_model",
    "open_run",
    "parity",
    "plan",
    "score",
    "style_control",
    "variance",
    "wrong_examples",
]

logger = logging.getLogger(__name__)


def evaluate(
    model: object,
    benchmark: str | BenchmarkLike | None = None,
    data: object = None,
    *,
    name: str | None = None,
    out: str | Path = "runs",
    subsets: Sequence[str] = (),
    n_items: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    items: str | Path | None = None,
    cells: Sequence[str] = (),
    benchmark_options: Mapping[str, Any] | None = None,
    until: float | str | None = None,
    versus: Place | Iterable[Place] = (),
    store_text: bool = False,
    break_lock: bool = False,
    progress: Callable[[int, int], None] = silent,
    **options: Any,
) -> Result:
    """Evaluate a reward model on a benchmark; an interrupted run is continued.

    Args:
        model: Hub id, path, address of a server, `file.py:Class`, `baseline:NAME`, or a model from `load_model`; or an
            object: `(model, tokenizer)` of transformers, a function, or something with `score(conversations)`.
        benchmark: Name, `file.py:Class`, or a benchmark from `load_benchmark`; `pairs` if the data are an object.
        data: File, folder or hub id of the data, or an object that `load_benchmark` takes, such as a DataFrame; None
            for the pinned source. Data and options are for a benchmark name, not for a loaded benchmark.
        name: Name of the model in tables and folders, instead of its place or class.
        out: Folder of runs; the run folder is `<benchmark>/<model>/<identity>` in it.
        subsets: Subsets or sections to run; all if empty.
        n_items: Number of items to draw at random.
        seed: Seed of the draw, and of a generated benchmark.
        limit: Number of items to take from the beginning.
        items: File with a column `id`: the items to run, such as those of `choose_items`.
        cells: Kinds of comparisons to keep, such as `diagonal` of the style-substance matrix; all if empty.
        benchmark_options: The benchmark's own options by name, such as `{"size": 400}` for `rm-bench-synthetic`.
        until: Stop when the headline's interval has this width, such as 0.03; with "decided", when it is known which is
            better, the model or that of the run `versus`. `seed` draws the order of problems.
        versus: See `until`.
        store_text: Whether to store prompts and responses in the run folder.
        break_lock: Whether to override a lock that another process seems to hold.
        progress: Called with the number of scored requests and the total number of requests.
        **options: Fields of `ModelOptions`, such as `dtype="bfloat16"`, and other names: the benchmark's options.

    Returns:
        The numbers, as records with intervals, and the path of the run folder.

    Raises:
        RmevalError: If the evaluation cannot run; the message states what to change.
    """
    _check(subsets, cells, out)
    own = {name: options.pop(name) for name in list(options) if name not in OPTIONS}
    found = given_benchmark(benchmark, data, seed, {**(benchmark_options or {}), **own})
    loaded = load_model(model, name=name, **options)
    listed = None if items is None else read_item_list(items)
    planned = plan_run(found, Selection(tuple(subsets), n_items, seed, limit, listed, tuple(cells)))
    stop = stopping_rule(until, versus, planned, loaded)
    return run(loaded, planned, Path(out), store_text=store_text, break_lock=break_lock, progress=progress, until=stop)


def dry_run(
    model: str,
    benchmark: str | BenchmarkLike | None = None,
    data: object = None,
    *,
    out: str | Path = "runs",
    subsets: Sequence[str] = (),
    n_items: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    items: str | Path | None = None,
    cells: Sequence[str] = (),
    benchmark_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> DryRun:
    """Count what a judge's run would send, and its cost; nothing is sent, and no key is needed.

    Args:
        model: As for `evaluate`: the address of a server, or with `base_url` the model's name there.
        benchmark: Likewise.
        data: Likewise.
        out: Folder of runs: results that it has are not counted again.
        subsets: Subsets or sections to run; all if empty.
        n_items: Number of items to draw at random.
        seed: Seed of the draw, and of a generated benchmark.
        limit: Number of items to take from the beginning.
        items: File with a column `id`: the items to run.
        cells: Kinds of comparisons to keep, such as `diagonal`; all if empty.
        benchmark_options: The benchmark's own options by name.
        **options: Fields of `ModelOptions`, such as `protocol="five-way"` and `prices="prices.toml"`; `tokenizer`
            counts the tokens of prompts. Other names are the benchmark's options.

    Raises:
        RmevalError: If the model is no judge, or a price is missing.
    """
    _check(subsets, cells, out)
    own = {name: options.pop(name) for name in list(options) if name not in OPTIONS}
    found = given_benchmark(benchmark, data, seed, {**(benchmark_options or {}), **own})
    listed = None if items is None else read_item_list(items)
    planned = plan_run(found, Selection(tuple(subsets), n_items, seed, limit, listed, tuple(cells)))
    made = model_options(**options)
    check_options(made)
    return count_calls(model, planned, made, Path(out))


def _check(subsets: object, cells: object, out: object) -> None:
    for name, given in (("subsets", subsets), ("cells", cells)):
        if isinstance(given, str):
            raise DataError(f"{name} must be a list of names, such as [{given!r}]")
    if not isinstance(out, str | Path) or not str(out):
        raise RunError(f"`out` is {out!r}: give the folder of runs, or . for the current folder")


def parity(
    model: str | Path,
    b: str,
    a: str = "hf",
    benchmark: str | BenchmarkLike = GENERATED,
    data: object = None,
    *,
    n_items: int = 100,
    seed: int = 0,
    tolerance: float | None = None,
    a_kwargs: Mapping[str, Any] | None = None,
    b_kwargs: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = silent,
    **options: Any,
) -> Parity:
    """Compare the scores of one model by two engines on the same items.

    Args:
        model: Folder or hub id.
        b: The second side: an engine, as in `vllm` or `hf:bfloat16`, `file.py:Class`, or a server's address.
        a: The first side, likewise.
        benchmark: The benchmark whose items are scored; by default the generated one.
        data: See `evaluate`.
        n_items: Number of items to draw at random.
        seed: Seed of the draw, and of a generated benchmark.
        tolerance: Largest difference of scores that agree; by default four times the noise of the engines, or what
            rounding explains in the coarser number format, if that is larger.
        a_kwargs: Further `model_kwargs` of the first side.
        b_kwargs: Further `model_kwargs` of the second side.
        progress: Called with the number of requests that are done and the total.
        **options: Fields of `ModelOptions` and `ServerOptions`, for the sides that use them.

    Returns:
        The comparison; `agrees` and `verdict` state the conclusion.

    Raises:
        RmevalError: If an engine cannot be used.
    """
    planned = plan_run(given_benchmark(benchmark, data, seed, {}), Selection((), n_items, seed))
    return compare_engines(
        str(model),
        a,
        b,
        planned,
        model_options(**options),
        tolerance=tolerance,
        a_kwargs=a_kwargs or {},
        b_kwargs=b_kwargs or {},
        progress=progress,
    )


def audit(
    model: object,
    benchmark: str | BenchmarkLike,
    data: object = None,
    *,
    out: str | Path = "audits",
    subsets: Sequence[str] = (),
    n_items: int = 200,
    seed: int = 0,
    probes: Sequence[str] = PROBES,
    repeats: int = 2,
    wordings: int = 3,
    family: str | None = None,
    smallest: float = SMALLEST,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Callable[[int, int], None] = silent,
    **options: Any,
) -> Audit:
    """Find out what changes a model's verdicts although the better response stays the same.

    Args:
        model: As for `evaluate`.
        benchmark: The benchmark from whose items pairs are drawn.
        data: See `evaluate`.
        out: Folder of runs; an interrupted audit is continued.
        subsets: Subsets or sections to draw from; all if empty.
        n_items: Number of items to draw at random, of each of which one pair is used.
        seed: Seed of the draw, and of a generated benchmark.
        probes: Any of position, verbosity, self-preference, wording and repeats.
        repeats: How often the same request is run.
        wordings: Number of other wordings of a judge's prompt.
        family: Part of the names of sources of the model's family, such as `gpt-4`; by default by the model's name.
        smallest: Smallest effect that matters, as a share.
        store_text: Whether to store texts in the run folders.
        break_lock: Whether to override a lock that another process seems to hold.
        progress: Called with the number of requests of one part that are done, and their total.
        **options: Fields of `ModelOptions`, and other names: the benchmark's options.

    Returns:
        The effects, with intervals, corrected p-values, and the smallest effects that would have been found.

    Raises:
        RmevalError: If the audit cannot run; the message states what to change.
    """
    _check(subsets, (), out)
    if isinstance(probes, str):
        raise RunError(f"`probes` must be a list of names, such as [{probes!r}]")
    own = {name: options.pop(name) for name in list(options) if name not in OPTIONS}
    return audit_model(
        load_model(model, **options),
        given_benchmark(benchmark, data, seed, own),
        Selection(tuple(subsets), n_items, seed),
        Path(out),
        Probing(tuple(probes), repeats, wordings, family, smallest),
        store_text=store_text,
        break_lock=break_lock,
        progress=progress,
    )


def score(model: object, conversations: Iterable[Sequence[MessageLike]], **options: Any) -> FloatArray:
    """Score conversations, for example for rejection sampling, without writing a run folder.

    Args:
        model: As for `evaluate`.
        conversations: Lists of messages (`Message`, or dicts with `role` and `content`), each of which ends with the
            assistant's response.
        **options: Fields of `rmeval.models.ModelOptions`.

    Returns:
        float64[n] in the order of the conversations; NaN, with a warning, where the model gave no score.

    Raises:
        RmevalError: If the model cannot be used, a conversation does not have this form, or no conversation gets a
            score.
    """
    if not isinstance(conversations, Iterable):
        raise DataError(f"the conversations are a {type(conversations).__name__}: give a list of lists of messages")
    loaded = load_model(model, **options)
    refuse_comparators(loaded)
    requests = conversation_requests(
        [as_conversation(one, f"conversation {number}") for number, one in enumerate(conversations)]
    )
    index = KeyIndex([[request.key for request in requests]])
    observations = ObservationTable(len(index))
    for batch in loaded.observe(compress(requests, index.first)):
        observations.add(index.find([observation.key for observation in batch]), batch)
    if requests:
        refuse_no_scores(observations)
    # If the model has several scores, its first score is the default.
    scores = observations.main[index.rows]
    if missing := int(np.isnan(scores).sum()):
        reason = observations.why_missing(index.rows)
        logger.warning("%d of %d conversations have no score (%s)", missing, len(scores), reason)
    return scores
