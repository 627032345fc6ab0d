"""Implicit rewards: scores from the probability that a policy, such as a DPO model, assigns to a response."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.cache import checked
from rmeval.data.digests import digest
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.data.spool import windows
from rmeval.engines import Engine, InMemory, TokenLogProbs, require_readout
from rmeval.errors import ModelError, RunError
from rmeval.messages import chosen_from
from rmeval.models import ModelOptions
from rmeval.models.prepare import Preparation, current_fingerprint, find_engine, make_renderer
from rmeval.models.sequences import Ready, Window
from rmeval.protocols import pointwise
from rmeval.rendering.boundary import BOUNDARIES
from rmeval.store.journal import Journal, read_journal
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.rendering.chat import Renderer

__all__ = ["Implicit", "rewards"]

logger = logging.getLogger(__name__)

MOST_BETA = 1e6
"""Larger than any beta in training, and small enough that scaled log-ratios do not overflow."""
_TOGETHER = 1024
"""Number of responses that policy and reference read alternately."""


def rewards(policy: FloatArray, reference: float | None, beta: float) -> dict[str, float]:
    """All implicit rewards of one response.

    With l the log-probabilities of its n tokens under the policy, and r those under the reference:
    `dpo/sum` is beta (sum l - sum r) (Rafailov et al. 2023, arXiv 2305.18290, section 4); `dpo/avg` is `dpo/sum` / n;
    `ref_free/avg`, `ref_free/sum` and `ref_free/norm` are mean l, sum l and -sqrt(sum l^2)
    (`get_batch_logps` in RewardBench's `rewardbench/dpo.py`, which publishes the average for models without reference).

    Args:
        policy: float64[n], l.
        reference: The sum of r; None without a reference.
        beta: The factor.

    Returns:
        The rewards by name, the default first.
    """
    total = float(policy.sum())
    free = {
        "ref_free/avg": total / len(policy),
        "ref_free/sum": total,
        "ref_free/norm": -float(np.sqrt(np.square(policy).sum())),
    }
    if reference is None:
        return free
    ratio = beta * (total - reference)
    return {"dpo/sum": ratio, "dpo/avg": ratio / len(policy), **free}


class Implicit:
    """A model whose score is the log-probability of a response under a policy, and under its reference if it has one.

    Attributes:
        engine: The engine that runs the policy.
        texts: Turns conversations into tokens.
    """

    kind = "implicit"
    protocol = pointwise.POINTWISE.name

    def __init__(self, spec: str | InMemory, options: ModelOptions, name: str | None = None) -> None:
        """Find checkpoints, tokenizer and template; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id, or a network in memory.
            options: How to load and run it and its reference.
            name: Name of the model; by default derived from its place.

        Raises:
            ModelError: If a part is missing or an option does not fit.
        """
        _check(options)
        self._options = options
        self.engine = find_engine(spec, options)
        described = self.engine.description
        self.name = name or described.name
        require_readout(self.engine, TokenLogProbs, self.name)
        self.engine.require_language_model()
        renderer, self._tokenizer = make_renderer(self.engine, options, options.boundary)  # type: ignore[arg-type]
        self._reference = self._find_reference(spec, renderer)
        others = [] if self._reference is None else [self._reference.engine]
        self.texts = Preparation(self.name, renderer, self.engine, options, others=others)

    def _find_reference(self, spec: str | InMemory, renderer: Renderer) -> _Reference | None:
        """The reference that the options name, or the base of an adapter; None if there is neither.

        Raises:
            ModelError: If it cannot be used as a reference, or an option needs a reference.
        """
        options = self._options
        found: _Reference | None = None
        if options.ref_model is not None:
            # The reference has its own revision, and `base_model` belongs to the policy.
            own = replace(options, revision=options.ref_revision, base_model=None)
            engine = find_engine(options.ref_model, own)
            if _same(spec, options.ref_model, self.engine, engine):
                raise ModelError(f"{spec} is its own reference, so all rewards would be 0: give another `ref_model`")
            engine.require_language_model()
            found = _Reference(engine)
            found.check_tokenizer(renderer, options.trust_remote_code)
        elif (base := self.engine.base()) is not None:
            found = _Reference(base)
        if found is None and options.beta != 1:
            raise ModelError("`beta` needs a reference model: give `ref_model`, or leave `beta` out")
        if options.sequential and (found is None or found.engine.description.shares_weights):
            raise ModelError("`sequential` needs two models, and there is only one: leave it out")
        return found

    def identity(self) -> dict[str, Any]:
        """Weights of policy and reference, tokenizer, template, boundary, number format, engine and length policy."""
        return {
            "model": current_fingerprint(self.engine),
            "kind": self.kind,
            "reference": None if self._reference is None else current_fingerprint(self._reference.engine),
            "beta": self._options.beta,
            "boundary": self._options.boundary,
            "tokenizer": self._tokenizer,
            **self.texts.identity(),
            **self.engine.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first rendered conversation, and how many of the reference's sums were known."""
        known = {} if self._reference is None else {"reference": self._reference.facts()}
        return self.engine.facts() | self.texts.renderer.facts() | known

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score each request's conversation once."""
        yield from checked(self._observe(requests), self.texts.sources)

    def _observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        self.engine.forget()
        rendered = self.texts.windows(requests)
        reference = self._reference
        if reference is not None:
            reference.remember(rendered)
            if self._options.sequential:
                self.engine.release()
                logger.warning("the progress bar starts after the reference has read all responses (`sequential`)")
                for window in rendered:
                    reference.read(window.ready)
                reference.release()
        for ready, left_out in rendered:
            if left_out:
                yield left_out
            if reference is None:
                yield from self._read(ready, None)
                continue
            for some in windows(ready, _TOGETHER):
                yield from self._read(some, reference.read(some))

    def _read(self, ready: Sequence[Ready], reference: Sequence[float] | None) -> Iterator[list[Observation]]:
        if not ready:
            return
        for indices, values in _log_probs(self.engine, ready):
            batch: list[Observation] = []
            for k, own in zip(indices, values, strict=True):
                found = rewards(own, None if reference is None else reference[k], self._options.beta)
                batch += ready[k].observations(partial(_observation, found))
            yield batch


def _same(policy: str | InMemory, reference: str | InMemory, *engines: Engine) -> bool:
    """Whether a policy is its own reference."""
    if isinstance(policy, InMemory) or isinstance(reference, InMemory):
        held = [one.model for one in (policy, reference) if isinstance(one, InMemory)]
        return len(held) == 2 and held[0] is held[1]
    return len({engine.description.fingerprint for engine in engines}) == 1


def _check(options: ModelOptions) -> None:
    if options.boundary not in BOUNDARIES:
        raise ModelError(f"there is no boundary {options.boundary!r}: {chosen_from(options.boundary, BOUNDARIES)}")
    if not 0 < options.beta <= MOST_BETA:
        raise ModelError(f"`beta` must be a number above 0 and at most {MOST_BETA:g}, not {options.beta}")
    if options.ref_model is None and options.ref_revision is not None:
        raise ModelError("`ref_revision` needs a reference model: give `ref_model` too, or leave `ref_revision` out")


def _observation(found: Mapping[str, float], one: Ready) -> Observation:
    return pointwise.parse_values(one.key, found, one.length, one.cut)


def _log_probs(engine: Engine, ready: Sequence[Ready]) -> Iterator[tuple[Sequence[int], Sequence[FloatArray]]]:
    readout = TokenLogProbs([(one.start, len(one.tokens)) for one in ready])
    for reading in engine.run([one.tokens for one in ready], readout):
        yield reading.indices, reading.values


class _Reference:
    """A reference model's sums of log-probabilities, which are the same for every policy and are cached on disk.

    The cache is in `$XDG_CACHE_HOME/rmeval/log-probs`, with one journal per model and its settings. Its keys are
    digests of the token ids and of the beginning of the response.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._name = engine.description.place.source
        self._sources = engine.description.sources
        self._folder: Path | None = None
        self._index = KeyIndex([])
        self._observations = ObservationTable(0)
        self._counts = {"known": 0, "computed": 0}
        self._keeps = True

    def check_tokenizer(self, policy: Renderer, code: bool) -> None:
        """Compare the tokenizer with that of the policy.

        Args:
            policy: Renderer of the policy.
            code: Whether code that comes with the reference may run.

        Raises:
            ModelError: If the tokens differ, so that the two models would read different texts.
        """
        from rmeval.rendering.tokenizer import other_tokenizer, same_tokens

        own = self.engine.tokenizer()
        other = own.tokenizer if isinstance(own, InMemory) else other_tokenizer(own.source, own.revision, code)
        if other is not None and not same_tokens(policy.tokenizer, other):
            raise ModelError(
                f"the reference {self._name} has another tokenizer than the policy, so their probabilities are "
                "those of different tokens: give the model from which the policy was trained as `ref_model`"
            )

    def facts(self) -> dict[str, Any]:
        """The source, and how many sums were cached or computed."""
        return {"source": self._name, **self._counts}

    def remember(self, rendered: Iterable[Window]) -> None:
        """Look up the cached sums of the sequences to read."""
        self._index = KeyIndex([one.sequence for one in window.ready] for window in rendered)
        self._observations = ObservationTable(len(self._index))
        self._folder = self._place()
        try:
            for batch in [] if self._folder is None else read_journal(self._folder, tolerant=True):
                self._add(batch)
        except RunError as error:
            logger.warning("the cached sums of the reference cannot be read and are computed again (%s)", error)
        self._counts = {"known": int(self._observations.has_value.sum()), "computed": 0}

    def _place(self) -> Path | None:
        """The folder of the cached sums of the current weights; None, and no cache, if their state is unknown."""
        if (fingerprint := self.engine.fingerprint()) is None:
            return None
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rmeval" / "log-probs"
        return home / digest({"model": fingerprint, "readout": "log-probs@2", **self.engine.identity()})

    def _add(self, batch: Sequence[Observation]) -> None:
        self._observations.add(self._index.find([one.key for one in batch]), batch)

    def read(self, ready: Sequence[Ready]) -> list[float]:
        """The sum of each response's log-probabilities; sums that are not cached are computed and cached."""
        rows = self._index.find([one.sequence for one in ready])
        # Sums that were not finite are not computed again.
        unknown = self._observations.status[rows] == 0
        missing = list({row: one for row, one, new in zip(rows.tolist(), ready, unknown, strict=True) if new}.values())
        if missing:
            with nullcontext() if self._folder is None else Journal(self._folder) as journal:
                for indices, values in _log_probs(self.engine, missing):
                    batch = [
                        pointwise.parse_values(missing[k].sequence, {"sum": float(own.sum())})
                        for k, own in zip(indices, values, strict=True)
                    ]
                    for one in self._sources:
                        one.check()
                    self._add(batch)
                    self._keep(journal, batch)
            self._counts["computed"] += len(missing)
        sums: list[float] = self._observations.values.get("sum", np.full(len(self._index), np.nan))[rows].tolist()
        return sums

    def _keep(self, journal: Journal | None, batch: Sequence[Observation]) -> None:
        if self._keeps and journal is not None:
            try:
                journal.append(batch)
            except RunError as error:
                self._keeps = False
                logger.warning("the sums of the reference cannot be cached (%s)", error)

    def release(self) -> None:
        """Free the weights' memory."""
        self.engine.release()
