"""Implicit rewards: what a policy that was trained by DPO says of an answer by its probability."""

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
"""No number that anybody trains with, and small enough for log-ratios times it to be numbers."""
_TOGETHER = 1024
"""Answers that policy and reference read in turns."""


def rewards(policy: FloatArray, reference: float | None, beta: float) -> dict[str, float]:
    """All the implicit rewards of one answer.

    With l the log-probabilities of its n tokens under the policy, r those under the reference:
    `dpo/sum` is beta (sum l - sum r) (Rafailov et al. 2023, arXiv 2305.18290, section 4); `dpo/avg` is that over n;
    `ref_free/avg`, `ref_free/sum` and `ref_free/norm` are mean l, sum l and -sqrt(sum l^2)
    (`get_batch_logps` in RewardBench's `rewardbench/dpo.py`; the average is what it publishes without a reference).

    Args:
        policy: float64[n], l.
        reference: The sum of r; None without a reference.
        beta: The factor.

    Returns:
        By name, what is meant by default first.
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
    """Reads the log-probabilities of an answer's tokens under a policy, and under its reference if there is one.

    Attributes:
        engine: What runs the policy.
        texts: What makes tokens of conversations.
    """

    kind = "implicit"
    protocol = pointwise.POINTWISE.name

    def __init__(self, spec: str | InMemory, options: ModelOptions, name: str | None = None) -> None:
        """Finds checkpoints, tokenizer and template; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id; or a network in memory.
            options: How to load and run it, and its reference likewise.
            name: What to call it, if not by its place.

        Raises:
            ModelError: If something is missing.
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
        """The reference that the options name, or the base of an adapter; None where there is neither.

        Raises:
            ModelError: If it cannot be one, or an option needs one.
        """
        options = self._options
        found: _Reference | None = None
        if options.ref_model is not None:
            # It has a revision of its own, and no adapter whose base could be meant.
            own = replace(options, revision=options.ref_revision, base_model=None)
            engine = find_engine(options.ref_model, own)
            if _same(spec, options.ref_model, self.engine, engine):
                raise ModelError(
                    f"{spec} is its own reference, so that all rewards would be 0: give another `ref_model`"
                )
            engine.require_language_model()
            found = _Reference(engine)
            found.check_tokenizer(renderer, options.trust_remote_code)
        elif (base := self.engine.base()) is not None:
            found = _Reference(base)
        if found is None and options.beta != 1:
            raise ModelError(
                "`beta` multiplies log-ratios, and there is no reference: give `ref_model`, or leave it out"
            )
        if options.sequential and (found is None or found.engine.description.shares_weights):
            raise ModelError("`sequential` is for two models, and there is one: leave it out")
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
        """Scores each request's conversation once."""
        yield from checked(self._observe(requests), self.texts.sources)

    def _observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        self.engine.forget()
        rendered = self.texts.windows(requests)
        reference = self._reference
        if reference is not None:
            reference.remember(rendered)
            if self._options.sequential:
                self.engine.release()
                logger.warning("the reference reads all answers first, and the policy then: the bar waits for that")
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
        raise ModelError(f"there is no boundary {options.boundary!r}: choose one of {', '.join(BOUNDARIES)}")
    if not 0 < options.beta <= MOST_BETA:
        raise ModelError(f"`beta` must be a number above 0 and at most {MOST_BETA:g}, not {options.beta}")
    if options.ref_model is None and options.ref_revision is not None:
        raise ModelError("`ref_revision` is of a reference: give `ref_model` too, or leave it out")


def _observation(found: Mapping[str, float], one: Ready) -> Observation:
    return pointwise.parse_values(one.key, found, one.length, one.cut)


def _log_probs(engine: Engine, ready: Sequence[Ready]) -> Iterator[tuple[Sequence[int], Sequence[FloatArray]]]:
    readout = TokenLogProbs([(one.start, len(one.tokens)) for one in ready])
    for reading in engine.run([one.tokens for one in ready], readout):
        yield reading.indices, reading.values


class _Reference:
    """A reference model's sums of log-probabilities, which are the same for every policy and so are kept on disk.

    They lie in `$XDG_CACHE_HOME/rmeval/log-probs`, a journal for each model and way of running it, by a digest of the
    token ids and of where the answer begins.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._name = engine.description.place.source
        self._sources = engine.description.sources
        self._folder: Path | None = None
        self._index = KeyIndex([])
        self._answers = ObservationTable(0)
        self._counts = {"known": 0, "computed": 0}
        self._keeps = True

    def check_tokenizer(self, policy: Renderer, code: bool) -> None:
        """Compares the tokenizer with that of the policy.

        Args:
            policy: Tokenizer of the policy.
            code: Whether code that comes with the reference may run.

        Raises:
            ModelError: If it gives other tokens, so that the two models would read different texts.
        """
        from rmeval.rendering.tokenizer import other_tokenizer, same_tokens

        own = self.engine.tokenizer()
        other = own.tokenizer if isinstance(own, InMemory) else other_tokenizer(own.source, own.revision, code)
        if other is not None and not same_tokens(policy.tokenizer, other):
            raise ModelError(
                f"the reference {self._name} has another tokenizer than the policy, so that their "
                "probabilities are of different tokens: give the model that the policy was trained from as `ref_model`"
            )

    def facts(self) -> dict[str, Any]:
        """What it is, and how many sums were known already."""
        return {"source": self._name, **self._counts}

    def remember(self, rendered: Iterable[Window]) -> None:
        """Looks up what is known of what is going to be read."""
        self._index = KeyIndex([one.sequence for one in window.ready] for window in rendered)
        self._answers = ObservationTable(len(self._index))
        self._folder = self._place()
        try:
            for batch in [] if self._folder is None else read_journal(self._folder, tolerant=True):
                self._add(batch)
        except RunError as error:
            logger.warning("what is known of the reference cannot be read, and is computed anew (%s)", error)
        self._counts = {"known": int(self._answers.has_value.sum()), "computed": 0}

    def _place(self) -> Path | None:
        """The folder of what is known of it as it is now; None where that is not known, and so nothing is kept."""
        if (fingerprint := self.engine.fingerprint()) is None:
            return None
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rmeval" / "log-probs"
        return home / digest({"model": fingerprint, "readout": "log-probs@2", **self.engine.identity()})

    def _add(self, batch: Sequence[Observation]) -> None:
        self._answers.add(self._index.find([one.key for one in batch]), batch)

    def read(self, ready: Sequence[Ready]) -> list[float]:
        """The sum of each answer's log-probabilities; what is not known is computed, and kept."""
        rows = self._index.find([one.sequence for one in ready])
        # What the reference gave no number for is not asked again.
        unknown = self._answers.status[rows] == 0
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
        sums: list[float] = self._answers.values.get("sum", np.full(len(self._index), np.nan))[rows].tolist()
        return sums

    def _keep(self, journal: Journal | None, batch: Sequence[Observation]) -> None:
        if self._keeps and journal is not None:
            try:
                journal.append(batch)
            except RunError as error:
                self._keeps = False
                logger.warning("the reference's sums cannot be kept for other policies (%s)", error)

    def release(self) -> None:
        """Gives the weights' memory back."""
        self.engine.release()
