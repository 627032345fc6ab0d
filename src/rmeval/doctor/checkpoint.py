"""Examines a classifier and its settings on a sample of items, to find causes of wrong scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rmeval.doctor.findings import Finding, engine_of, own_forward, place
from rmeval.doctor.texts import hidden, rendering, same_tokens
from rmeval.doctor.ways import Way, compared, decisions, largest
from rmeval.engines import Pooled
from rmeval.errors import ModelError
from rmeval.messages import count_of
from rmeval.metrics.stats.intervals import wilson
from rmeval.models import ModelOptions, load_model
from rmeval.models.classifier import Classifier
from rmeval.types import FloatArray, IntArray, Item

if TYPE_CHECKING:
    from rmeval.rendering.chat import TokenArray

__all__ = ["Examination", "Finding", "Way", "examine"]

BATCH = 8


@dataclass(slots=True)
class Examination:
    """Results of examining a model.

    Attributes:
        model: The model's name.
        rendered: The first conversation as the network reads it.
        read: Its last tokens, as text and id.
        responses: Number of responses in the sample.
        decisions: Number of decisions between two of them.
        findings: The findings.
        ways: The ways of running the network, the reference first.
    """

    model: str
    rendered: str = ""
    read: list[tuple[str, int]] = field(default_factory=list)
    responses: int = 0
    decisions: int = 0
    findings: list[Finding] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether no finding is a problem."""
        return all(finding.level != "problem" for finding in self.findings)


def examine(
    spec: str,
    options: ModelOptions,
    items: Sequence[Item],
    dtypes: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Examination:
    """Examine a classifier on some items.

    Args:
        spec: The model.
        options: The options with which it is run.
        items: The sample.
        dtypes: Number formats to compare with the format of the options; by default float32, and bfloat16 if the
            device supports it.
        progress: Called with the number of steps done and the total.

    Raises:
        ModelError: If the model is not a classifier, or cannot be loaded.
    """
    model = _classifier(spec, options)
    engine = engine_of(model)
    found = Examination(model.name)
    conversations = [item.conversation(number) for item in items for number in range(len(item.responses))]
    rendered = model.texts.renderer.render(conversations, [item.tools for item in items for _ in item.responses])
    found.findings += hidden(model, len(conversations))
    found.findings += rendering(model, rendered)
    if (first := next((one.tokens for one in rendered if one.error is None), None)) is not None:
        decode = model.texts.renderer.tokenizer.decode
        found.rendered, found.read = decode(first), [(decode([token]), int(token)) for token in first[-3:]]
    limit = model.texts.limit or np.inf
    kept = [k for k, one in enumerate(rendered) if one.error is None and len(one.tokens) <= limit]
    if not kept:
        return found
    sample = _Sample(kept, [rendered[k].tokens for k in kept], decisions(items, set(kept)), len(rendered))
    found.responses, found.decisions = len(kept), len(sample.pairs)
    found.findings += same_tokens(conversations, rendered, sample.pairs)
    own: str = engine.identity()["dtype"]
    if dtypes is None:
        dtypes = ("float32", "bfloat16") if engine.network.multiplies_bfloat16 else ("float32",)
    wanted = list(dict.fromkeys([own, *dtypes]))
    scores: dict[str, dict[str, FloatArray]] = {}
    for number, dtype in enumerate(wanted):
        examined = model if dtype == own else _classifier(spec, replace(options, dtype=dtype))
        try:
            scores[dtype] = dict(_ways(examined, sample, partial(_report, progress, number, len(wanted), len(kept))))
        except ModelError as error:
            if dtype == own:
                raise
            found.findings.append(Finding("note", f"{dtype} cannot be compared: {error}"))
            continue
        if dtype == own:
            found.findings += _own(examined, sample, scores[own]["one by one"])
    found.ways += _against_the_first(scores, own, sample.pairs)
    found.findings += _formats(found, own)
    return found


@dataclass(frozen=True, slots=True)
class _Sample:
    """The conversations that can be read.

    Attributes:
        kept: Their positions among all conversations.
        sequences: Their tokens.
        pairs: int64[decisions, 3], see `decisions`.
        count: Number of all conversations.
    """

    kept: list[int]
    sequences: list[TokenArray]
    pairs: IntArray
    count: int


def _classifier(spec: str, options: ModelOptions) -> Classifier:
    model = load_model(spec, options)
    if not isinstance(model, Classifier):
        raise ModelError(
            f"{spec} is a model of the kind {model.kind}, but rmeval doctor checks classifiers only: "
            "give a checkpoint with a scalar head"
        )
    return model


def _own(model: Classifier, sample: _Sample, scores: FloatArray) -> Iterator[Finding]:
    """Findings on the model with the user's settings."""
    yield from place(model, sample.sequences)
    yield from own_forward(model)
    yield from _scores(scores, sample.kept, sample.pairs)
    yield from _labels(model, sample.sequences)
    yield from _sharing(model)


def _against_the_first(scores: Mapping[str, Mapping[str, FloatArray]], own: str, pairs: IntArray) -> Iterator[Way]:
    """Comparison of each way with `one by one` in float32, or in the model's format if float32 is not among them."""
    base = scores.get("float32", scores[own])["one by one"]
    for dtype in sorted(scores, key=lambda name: (name != "float32", name != own)):
        results = scores[dtype]
        spread = largest(results["one by one"] - results[f"batches of {BATCH}"])
        for name, values in results.items():
            yield compared(name, dtype, values, base, pairs, spread)


def _report(progress: Callable[[int, int], None], dtype: int, dtypes: int, size: int, ways: int) -> None:
    """Report how many of the three ways in each number format are done."""
    progress((3 * dtype + ways) * size, 3 * dtypes * size)


def _ways(model: Classifier, sample: _Sample, done: Callable[[int], None]) -> Iterator[tuple[str, FloatArray]]:
    """Scores of all conversations for each way of running the network; NaN for conversations that cannot be read.

    Args:
        model: The classifier.
        sample: The conversations.
        done: Called with the number of ways that are done.
    """
    engine = engine_of(model)
    engines = {
        "one by one": engine.batched(1),
        f"batches of {BATCH}": engine.batched(BATCH),
        "prefix tree": engine,
    }
    readout = model.readout(sample.sequences)
    for number, (name, own) in enumerate(engines.items()):
        scores = np.full(sample.count, np.nan)
        for reading in own.run(sample.sequences, readout):
            for index, values in zip(reading.indices, reading.values, strict=True):
                scores[sample.kept[index]] = model.score_of(values)
        if name != "prefix tree" or isinstance(own.facts().get("prefix_sharing"), dict):
            yield name, scores
            done(number + 1)


def _scores(scores: FloatArray, kept: Sequence[int], pairs: IntArray) -> Iterator[Finding]:
    known = scores[np.isfinite(scores)]
    if missing := len(kept) - len(known):
        yield Finding(
            "problem",
            f"{missing} of {len(kept)} scores are not numbers (NaN or infinite)",
            "weights are damaged, or the number format overflows: try `dtype` float32 or bfloat16",
        )
    if not len(known):
        return
    if float(np.ptp(known)) <= 1e-6 * max(1.0, float(np.max(np.abs(known)))):
        yield Finding(
            "problem",
            f"all {len(known)} scores are {known[0]:.6g}: the head is constant, or reads a token that never changes",
            "check the checkpoint's head and the token that is read, above",
        )
        return
    yield Finding(
        "ok", f"scores lie between {np.min(known):.4g} and {np.max(known):.4g}, standard deviation {np.std(known):.3g}"
    )
    won = (scores[pairs[:, 0]] > scores[pairs[:, 1]]).astype(np.float64)
    interval, _ = wilson(won, pairs[:, 2])
    if interval is None:
        return
    low, high = interval
    right = f"{100 * np.mean(won):.1f}% of {len(pairs)} decisions are right"
    if high < 0.5:
        yield Finding(
            "problem",
            f"{right}, fewer than with a random head ({100 * low:.0f}-{100 * high:.0f})",
            "its sign may be inverted, or it was trained with another template: check the template and the head",
        )
    elif low <= 0.5:
        yield Finding(
            "note",
            f"{right} ({100 * low:.0f}-{100 * high:.0f}), as with a random head or a head that scores style only",
            "raise `n_items`; if the interval still contains 50, check the template and the head",
        )
    else:
        yield Finding("ok", f"{right} ({100 * low:.0f}-{100 * high:.0f}; 50% with a random head)")


def _labels(model: Classifier, sequences: Sequence[TokenArray]) -> Iterator[Finding]:
    """The probability of the two label tokens whose logits are the score."""
    if model.labels is None:
        return
    sample = sequences[:32]
    readings = model.engine.run(sample, model.readout(sample))
    mean = float(np.mean([model.labels.mass(values) for reading in readings for values in reading.values]))
    if mean < model.options.min_label_mass:
        yield Finding("problem", model.labels.trouble(model.engine, mean, len(sample), sample))
    else:
        yield Finding(
            "ok", f"the labels have {100 * mean:.1f}% of the probability (mean of {count_of(len(sample), 'response')})"
        )


def _sharing(model: Classifier) -> Iterator[Finding]:
    sharing = model.engine.facts().get("prefix_sharing")
    if isinstance(sharing, dict):
        saved = sharing["tokens"] / sharing["distinct"]
        yield Finding(
            "ok", f"prefixes are shared: {sharing['distinct']} of {sharing['tokens']} tokens, {saved:.2f} times fewer"
        )
    elif isinstance(sharing, str) and not isinstance(model.readout(()), Pooled):
        yield Finding("note", f"prefixes are not shared ({str(sharing).removeprefix('off: ')}): scoring takes longer")


def _formats(found: Examination, own: str) -> Iterator[Finding]:
    """The effect of batching and number formats on decisions."""
    base = found.ways[0]
    for way in found.ways[1:]:
        if way.dtype == base.dtype and way.flips:
            yield Finding(
                "problem" if base.dtype == "float32" else "note",
                f"{way.name} in {way.dtype}: {way.flips} of {found.decisions} decisions differ from those {base.name}",
                "their margins are within the effect of batching" if way.near_ties else "report this with the model",
            )
    for dtype in dict.fromkeys(way.dtype for way in found.ways):
        worst = max((way for way in found.ways if way.dtype == dtype), key=lambda way: way.flips)
        if dtype != base.dtype:
            yield Finding(
                "note" if worst.flips else "ok",
                f"{dtype} changes {worst.flips} of {found.decisions} decisions of {base.dtype}, and scores by "
                f"up to {worst.difference:.2g}" + (" (the format of your settings)" if dtype == own else ""),
                f"report the number format with the scores, or use {base.dtype}" if worst.flips else "",
            )
