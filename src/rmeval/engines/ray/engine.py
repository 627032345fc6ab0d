"""The engine on Ray: the process that started the run keeps the journal, and replicas read the sequences."""

from __future__ import annotations

import importlib.util
import itertools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from rmeval.engines.base import (
    Description,
    Engine,
    EngineOptions,
    InMemory,
    Place,
    Reading,
    Readout,
    TokenSequence,
    readout_of,
)
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.ray.portions import plan_portions
from rmeval.engines.ray.reports import Reports
from rmeval.engines.ray.team import Team, team_of
from rmeval.engines.ray.worker import Packed, Recipe
from rmeval.engines.registry import open_engine
from rmeval.errors import ModelError
from rmeval.extras import need_extra
from rmeval.messages import count_of

__all__ = ["RayEngine", "open_replicas"]

logger = logging.getLogger(__name__)

_SAMPLE = 8
"""Number of sequences, of different lengths, with which every replica begins."""
_numbers = itertools.count()


def open_replicas(spec: str, options: EngineOptions) -> RayEngine:
    """Open a checkpoint for replicas; they are started, and load weights, when something is read.

    Raises:
        ModelError: If an option cannot be used, or the engine of the replicas cannot open the checkpoint.
        RmevalError: If a package that it needs is not installed.
    """
    _check(options)
    if importlib.util.find_spec("ray") is None:
        raise need_extra(ModuleNotFoundError("No module named 'ray'", name="ray"), "the engine ray", "ray")
    name = options.replica_engine
    inner = replace(options, replicas=None, gpus_per_replica=None, ray_address=None, replica_engine="hf")
    # This machine may have no GPU.
    here = open_engine(spec, inner if options.device == "cpu" else replace(inner, device="auto"), name)
    return RayEngine(here, Recipe(next(_numbers), spec, inner, name, here.fingerprint()), partial(team_of, options))


def _check(options: EngineOptions) -> None:
    if options.replica_engine == "ray":
        raise ModelError("`replica_engine` cannot be ray: give hf, vllm or file.py:Class")
    if options.replicas is not None and options.replicas < 1:
        raise ModelError(f"`replicas` must be at least 1, not {options.replicas}")
    gpus = options.gpus_per_replica
    if gpus is not None and not (0 <= gpus < math.inf and (gpus <= 1 or gpus == int(gpus))):
        raise ModelError(f"`gpus_per_replica` must be a whole number, or a part of 1 such as 0.5, not {gpus}")
    if ":" in options.device:
        raise ModelError(f"Ray chooses the GPU of each replica, and `device` is {options.device}: give cuda or auto")


class RayEngine(Engine):
    """Engine that reads sequences with replicas of another engine.

    What is known without weights comes from an engine of this process, whose weights are never loaded.
    """

    name = "ray"

    def __init__(self, here: Engine, recipe: Recipe, team: Callable[[], Team]) -> None:
        """Store an engine that is not loaded, how replicas open theirs, and how to find the replicas."""
        self._here = here
        self.readouts = here.readouts
        self._recipe = recipe
        self._find_team = team
        self._known: Team | None = None
        self._own: Readout | None = None
        self._first: dict[type, tuple[Packed, Readout]] = {}
        self._reports = Reports()
        self._noted: set[str] = set()

    @property
    def description(self) -> Description:
        """The checkpoint's properties."""
        return self._here.description

    def fingerprint(self) -> str | None:
        """The fingerprint of the weights, which every replica compares with its own."""
        return self._here.fingerprint()

    def identity(self) -> dict[str, Any]:
        """The identity of the replicas' engine: a run can be continued without Ray."""
        return self._here.identity()

    def facts(self) -> dict[str, Any]:
        """The facts of the replicas since `forget`, and their number and places."""
        own = {} if self._known is None else {"ray": {"version": self._known.version, **self._known.schedule.facts()}}
        return (self._reports.facts() or self._here.facts()) | own

    def forget(self) -> None:
        """Clear the facts about how sequences were read."""
        self._reports = Reports()

    def tokenizer(self) -> Place | InMemory:
        """The location of the checkpoint's tokenizer."""
        return self._here.tokenizer()

    def require_language_model(self, encoder: bool = False) -> None:
        """Run the checkpoint as a language model from now on."""
        self._here.require_language_model(encoder)
        self._recipe = replace(self._recipe, language_model=True, encoder=encoder)

    def base(self) -> Engine | None:
        """The engine of an adapter's base, which the same replicas run."""
        below = self._here.base()
        return None if below is None else RayEngine(below, replace(self._recipe, below=True), self._find_team)

    def own_readout(self) -> Readout:
        """The readout of the checkpoint's own head; replicas load the checkpoint."""
        if self._own is None:
            schedule = self._team.schedule
            # Replicas load the weights at the same time; the first answer suffices.
            found = next(schedule.each("own_readout", [(self._recipe,)] * schedule.count))
            self._show(found.answer.notes)
            self._own = found.answer.found
        return self._own

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that replicas use instead of the given one."""
        sample, own = self._sample(sequences, readout)
        found = next(self._team.schedule.each("settled", [(self._recipe, sample, own)]))
        self._show(found.answer.notes)
        settled: Readout = found.answer.found
        return settled

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Read every sequence once; each portion that a replica has read is one reading.

        Raises:
            ModelError: If replicas cannot be started, fail, or read in different ways.
        """
        sample = self._sample(sequences, readout)
        portions = plan_portions(sequences, self._team.tokens)
        calls = [
            (self._recipe, *sample, Packed.of([sequences[k] for k in portion]), readout_of(readout, portion))
            for portion in portions
        ]

        def what(number: int) -> str:
            lengths = [len(sequences[k]) for k in portions[number]]
            return f"{count_of(len(lengths), 'sequence')} of {min(lengths)} to {max(lengths)} tokens"

        for found in self._team.schedule.each("read", calls, what):
            self._show(found.answer.notes)
            self._reports.add(found.workplace, found.answer.facts)
            yield Reading(tuple(portions[found.number]), tuple(found.answer.found))

    def stops(self) -> tuple[int, ...]:
        """The tokens that end a text."""
        return self._here.stops()

    def generate(
        self, sequences: Sequence[TokenSequence], limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Iterator[list[Generated]]:
        """Continue every sequence once; each portion that a replica has continued is one batch.

        Raises:
            ModelError: If replicas cannot be started, or fail.
        """
        portions = plan_portions(sequences, self._team.tokens)
        calls = [
            (
                self._recipe,
                Packed.of([sequences[k] for k in portion]),
                [limits[k] for k in portion],
                [seeds[k] for k in portion],
                how,
            )
            for portion in portions
        ]
        for found in self._team.schedule.each("generate", calls, lambda k: count_of(len(portions[k]), "sequence")):
            self._show(found.answer.notes)
            self._reports.add(found.workplace, found.answer.facts)
            yield [replace(one, index=portions[found.number][one.index]) for one in found.answer.found]

    def release(self) -> None:
        """Free the memory of the weights in all replicas."""
        if self._known is not None:
            self._known.schedule.everywhere("release", self._recipe)

    @property
    def _team(self) -> Team:
        if self._known is None:
            self._known = self._find_team()
        return self._known

    def _sample(self, sequences: Sequence[TokenSequence], readout: Readout) -> tuple[Packed, Readout]:
        """Some sequences of the first call, on which every replica decides how it reads."""
        if type(readout) not in self._first:
            order = sorted(range(len(sequences)), key=lambda k: len(sequences[k]))
            places = {round(k * (len(order) - 1) / (_SAMPLE - 1)) for k in range(_SAMPLE)} if order else set()
            some = [order[place] for place in sorted(places)]
            self._first[type(readout)] = Packed.of([sequences[k] for k in some]), readout_of(readout, some)
        return self._first[type(readout)]

    def _show(self, notes: Sequence[str]) -> None:
        """Log the warnings of replicas, each once."""
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                logger.warning("%s", note)
