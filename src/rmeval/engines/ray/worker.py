"""The process of a replica: holds engines and reads the portions that it receives. It does not import Ray."""

from __future__ import annotations

import logging
import os
import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rmeval._version import __version__
from rmeval.engines.base import Engine, EngineOptions, Readout, TokenSequence
from rmeval.engines.generation import Generation
from rmeval.engines.registry import open_engine
from rmeval.errors import ModelError
from rmeval.types import FloatArray

__all__ = ["Answer", "Packed", "Recipe", "Worker", "Workplace"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How each replica opens an engine.

    Attributes:
        number: Identifies the checkpoint and its options in this run.
        spec: Folder or hub id.
        options: How to load and run it.
        engine: The engine's name.
        fingerprint: The fingerprint of the weights that the run's identity states.
        language_model: Whether it is run as a language model.
        encoder: Whether that may have an encoder.
        below: Whether it is the base of the adapter at `spec`.
    """

    number: int
    spec: str = field(compare=False)
    options: EngineOptions = field(compare=False)
    engine: str = field(compare=False)
    fingerprint: str | None = field(compare=False)
    language_model: bool = False
    encoder: bool = False
    below: bool = False


class Packed(NamedTuple):
    """Token sequences as one array, which is sent faster than a list of arrays.

    Attributes:
        tokens: int32, the tokens of all sequences.
        ends: int64[n], where each ends.
    """

    tokens: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, sequences: Sequence[TokenSequence]) -> Packed:
        """Pack sequences."""
        arrays = [np.asarray(one, np.int32) for one in sequences]
        lengths = np.array([len(one) for one in arrays], np.int64)
        return cls(np.concatenate(arrays) if arrays else np.empty(0, np.int32), np.cumsum(lengths))

    def sequences(self) -> list[npt.NDArray[np.int32]]:
        """The sequences."""
        return np.split(self.tokens, self.ends[:-1]) if len(self.ends) else []


class Workplace(NamedTuple):
    """The process and the machine of a replica."""

    rmeval: str
    python: str
    host: str
    node: str
    pid: int


class Answer(NamedTuple):
    """What a replica found.

    Attributes:
        found: The result of the call.
        facts: The engine's facts about this call.
        notes: The warnings during the call.
    """

    found: Any
    facts: dict[str, Any]
    notes: list[str]


class _Notes(logging.Handler):
    """Keeps the warnings of a call, which the process that started the run shows."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning."""
        self.kept.append(record.getMessage())

    def __enter__(self) -> list[str]:
        logging.getLogger("rmeval").addHandler(self)
        return self.kept

    def __exit__(self, *_: object) -> None:
        logging.getLogger("rmeval").removeHandler(self)


class Worker:
    """Engines by recipe. Every call states its recipe, so that a new process continues where another one ended."""

    def __init__(self, folder: str, node: str | None = None) -> None:
        """Enter a folder, if this machine has it, so that relative paths are found.

        Args:
            folder: The current folder of the process that started the run.
            node: Identifies the node of the cluster; by default the name of this machine.
        """
        if Path(folder).is_dir():
            os.chdir(folder)
        self._node = node or socket.gethostname()
        self._engines: dict[Recipe, Engine] = {}

    def workplace(self) -> Workplace:
        """The versions, the machine and the process."""
        return Workplace(__version__, platform.python_version(), socket.gethostname(), self._node, os.getpid())

    def own_readout(self, recipe: Recipe) -> Answer:
        """The readout of the checkpoint's own head; loads the weights."""
        with _Notes() as notes:
            engine = self._engine(recipe)
            return Answer(engine.own_readout(), engine.facts(), notes)

    def settled(self, recipe: Recipe, packed: Packed, readout: Readout) -> Answer:
        """The readout that the engine uses instead of the given one."""
        with _Notes() as notes:
            engine = self._engine(recipe)
            return Answer(engine.settled(packed.sequences(), readout), engine.facts(), notes)

    def read(self, recipe: Recipe, sample: Packed, of_sample: Readout, portion: Packed, of_portion: Readout) -> Answer:
        """The values of each sequence of a portion, in its order.

        Args:
            recipe: The engine.
            sample: Sequences with which every replica begins, so that all choose the same way to read.
            of_sample: The readout for the sample.
            portion: The sequences to read.
            of_portion: The readout for the portion.

        Raises:
            ModelError: If the engine fails, or files of the checkpoint changed.
        """
        with _Notes() as notes:
            engine = self._engine(recipe)
            engine.forget()
            engine.settled(sample.sequences(), of_sample)
            values: dict[int, FloatArray] = {}
            for reading in engine.run(portion.sequences(), of_portion):
                values.update(zip(reading.indices, reading.values, strict=True))
            for one in engine.description.sources:
                one.check()
            return Answer([values[k] for k in range(len(portion.ends))], engine.facts(), notes)

    def generate(
        self, recipe: Recipe, portion: Packed, limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Answer:
        """The continuation of each sequence of a portion, in any order.

        Raises:
            ModelError: If the engine fails, or files of the checkpoint changed.
        """
        with _Notes() as notes:
            engine = self._engine(recipe)
            engine.forget()
            found = [one for batch in engine.generate(portion.sequences(), limits, seeds, how) for one in batch]
            for one in engine.description.sources:
                one.check()
            return Answer(found, engine.facts(), notes)

    def release(self, recipe: Recipe) -> None:
        """Free the memory of the weights, if they are loaded."""
        if (engine := self._engines.get(recipe)) is not None:
            engine.release()

    def _engine(self, recipe: Recipe) -> Engine:
        if recipe not in self._engines:
            self._engines[recipe] = self._below(recipe) if recipe.below else self._opened(recipe)
        return self._engines[recipe]

    def _below(self, recipe: Recipe) -> Engine:
        found = self._engine(replace(recipe, below=False)).base()
        if found is None:
            raise ModelError(f"{recipe.spec} is no adapter here: copy the same checkpoint to every node")
        return found

    def _opened(self, recipe: Recipe) -> Engine:
        engine = open_engine(recipe.spec, recipe.options, recipe.engine)
        if (found := engine.fingerprint()) != recipe.fingerprint:
            raise ModelError(
                f"{recipe.spec} is another checkpoint here ({found}) than where the run was started "
                f"({recipe.fingerprint}): copy the same checkpoint to every node, or give a folder that all nodes share"
            )
        if recipe.language_model:
            engine.require_language_model(recipe.encoder)
        return engine
