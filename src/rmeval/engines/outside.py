"""Checks of engines that other packages or files define, whose failures become one-sentence errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from rmeval.engines.base import Description, Engine, InMemory, Place, Reading, Readout, TokenSequence
from rmeval.engines.generation import Generated, Generation
from rmeval.errors import ModelError, RmevalError
from rmeval.messages import count_of
from rmeval.plugins import one_line

__all__ = ["Outside"]


class Outside(Engine):
    """Delegate to an engine and check what it returns."""

    def __init__(self, engine: Engine) -> None:
        """Store the engine."""
        self._engine = engine
        self.name, self.readouts = engine.name, engine.readouts

    @contextmanager
    def _sentence(self) -> Iterator[None]:
        """Turn any exception into a one-sentence error."""
        try:
            yield
        except (RmevalError, MemoryError):
            raise
        except Exception as error:
            raise ModelError(f"the engine {self.name} failed ({one_line(error)}): correct it") from error

    @property
    def description(self) -> Description:
        """Return the description of the checkpoint."""
        with self._sentence():
            return self._engine.description

    def fingerprint(self) -> str | None:
        """Return what the current weights are."""
        with self._sentence():
            return self._engine.fingerprint()

    def identity(self) -> dict[str, Any]:
        """Return what values depend on, beside weights and sequences."""
        with self._sentence():
            return self._engine.identity()

    def facts(self) -> dict[str, Any]:
        """Return versions, device, and how sequences were read."""
        with self._sentence():
            return self._engine.facts()

    def forget(self) -> None:
        """Clear the facts about how sequences were read."""
        with self._sentence():
            self._engine.forget()

    def tokenizer(self) -> Place | InMemory:
        """Return the place of the checkpoint's tokenizer."""
        with self._sentence():
            return self._engine.tokenizer()

    def require_language_model(self, encoder: bool = False) -> None:
        """Run the checkpoint as a language model from now on."""
        with self._sentence():
            self._engine.require_language_model(encoder)

    def base(self) -> Engine | None:
        """Return the engine of the checkpoint below an adapter."""
        with self._sentence():
            found = self._engine.base()
        return None if found is None else Outside(found)

    def own_readout(self) -> Readout:
        """Return the readout of the checkpoint's own head."""
        with self._sentence():
            return self._engine.own_readout()

    def settled(self, sequences: Sequence[TokenSequence], readout: Readout) -> Readout:
        """Return the readout that `run` uses instead of this one."""
        with self._sentence():
            return self._engine.settled(sequences, readout)

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Read every sequence once.

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
        """Return the next reading, with arrays of float64 and positions as whole numbers."""
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

    def stops(self) -> tuple[int, ...]:
        """Return the tokens that end a text."""
        with self._sentence():
            return tuple(map(int, self._engine.stops()))

    def generate(
        self, sequences: Sequence[TokenSequence], limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Iterator[list[Generated]]:
        """Continue every sequence once.

        Raises:
            ModelError: If the engine fails, or leaves a sequence out.
        """
        left = set(range(len(sequences)))
        with self._sentence():
            batches = iter(self._engine.generate(sequences, limits, seeds, how))
        while True:
            with self._sentence():
                if (batch := next(batches, None)) is None:
                    break
                wrong = next((one.index for one in batch if one.index not in left), None)
                left -= {one.index for one in batch}
            if wrong is not None or len({one.index for one in batch}) < len(batch):
                raise ModelError(
                    f"the engine {self.name} continued a sequence twice, or one that does not exist: let generate() "
                    "continue each once"
                )
            yield batch
        if left:
            raise ModelError(
                f"the engine {self.name} did not continue {len(left)} of {len(sequences)} sequences: let generate() "
                "continue each"
            )

    def release(self) -> None:
        """Release the memory of the weights."""
        with self._sentence():
            self._engine.release()
