"""Engines of other packages and of files: what they do wrong is one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from rmeval.engines.base import Description, Engine, Place, Reading, Readout, TokenSequence
from rmeval.errors import ModelError, RmevalError
from rmeval.messages import count_of
from rmeval.plugins import one_line

__all__ = ["Outside"]


class Outside(Engine):
    """Passes everything on to an engine, and checks what it returns."""

    def __init__(self, engine: Engine) -> None:
        """Takes the engine."""
        self._engine = engine
        self.name, self.readouts = engine.name, engine.readouts

    @contextmanager
    def _sentence(self) -> Iterator[None]:
        """Makes a sentence of an exception, which may be any."""
        try:
            yield
        except (RmevalError, MemoryError):
            raise
        except Exception as error:
            raise ModelError(f"the engine {self.name} failed ({one_line(error)}): correct it") from error

    @property
    def description(self) -> Description:
        """What the checkpoint is."""
        with self._sentence():
            return self._engine.description

    def identity(self) -> dict[str, Any]:
        """What values depend on beside weights and sequences."""
        with self._sentence():
            return self._engine.identity()

    def facts(self) -> dict[str, Any]:
        """Versions, device, and how sequences were read."""
        with self._sentence():
            return self._engine.facts()

    def forget(self) -> None:
        """Begins the facts about what was read anew."""
        with self._sentence():
            self._engine.forget()

    def tokenizer(self) -> Place:
        """Where the checkpoint's own tokenizer is."""
        with self._sentence():
            return self._engine.tokenizer()

    def require_language_model(self, encoder: bool = False) -> None:
        """Runs the checkpoint as a language model from here on."""
        with self._sentence():
            self._engine.require_language_model(encoder)

    def base(self) -> Engine | None:
        """What runs the checkpoint below an adapter."""
        with self._sentence():
            found = self._engine.base()
        return None if found is None else Outside(found)

    def own_readout(self) -> Readout:
        """How the checkpoint's own head is read."""
        with self._sentence():
            return self._engine.own_readout()

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """The readout that `run` takes in the place of this one."""
        with self._sentence():
            return self._engine.settled(sequences, readout)

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Reads every sequence once.

        Raises:
            ModelError: If the engine fails, or returns something other than one array for each sequence.
        """
        left = set(range(len(sequences)))
        # The exceptions of what works with a reading meanwhile are not the engine's.
        readings = self._begun(sequences, readout)
        while (found := self._next(readings)) is not None:
            for index in found.indices:
                if index not in left:
                    raise ModelError(
                        f"the engine {self.name} returned a Reading of sequence {index} of {len(sequences)}, which it "
                        "had read already or which does not exist: let run() read each once"
                    )
                left.remove(index)
            yield found
        if left:
            raise ModelError(
                f"the engine {self.name} did not read {len(left)} of {len(sequences)} sequences: let run() read each"
            )

    def _begun(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        with self._sentence():
            return iter(self._engine.run(sequences, readout))

    def _next(self, readings: Iterator[Reading]) -> Reading | None:
        """The next reading, with arrays of float64 and positions as whole numbers."""
        with self._sentence():
            found = next(readings, None)
            if found is None:
                return None
            if len(found.indices) != len(found.values):
                raise ModelError(
                    f"the engine {self.name} returned a Reading of {count_of(len(found.indices), 'sequence')} with "
                    f"{count_of(len(found.values), 'array')}: let it have one array for each sequence"
                )
            values = tuple(np.asarray(own, np.float64) for own in found.values)
            if not all(own.ndim for own in values):
                raise ModelError(f"the engine {self.name} returned a number as values: let it return an array")
            return Reading(tuple(map(int, found.indices)), values)

    def release(self) -> None:
        """Gives the weights' memory back."""
        with self._sentence():
            self._engine.release()
