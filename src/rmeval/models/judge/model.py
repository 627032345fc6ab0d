"""Judges: models that read a prompt with one or more responses and return a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rmeval.models.judge.backend import Backend
from rmeval.protocols.judging import Asked, JudgeProtocol
from rmeval.types import Observation, Request

__all__ = ["Judge"]


class Judge:
    """A judge: a protocol writes its prompts and reads its outputs, and a backend runs it.

    Attributes:
        protocol: The protocol with its options, such as `five-way@1[votes=3]`.
        asking: The protocol itself.
        backend: What runs the judge.
    """

    kind = "judge"

    def __init__(self, backend: Backend, asking: JudgeProtocol, name: str | None = None) -> None:
        """Join the two.

        Args:
            backend: What runs the judge.
            asking: Its protocol.
            name: Name of the judge; by default the backend's.
        """
        self.asking = asking
        self.protocol = asking.name
        self.backend = backend
        self.name = name or backend.name

    def identity(self) -> dict[str, Any]:
        """The model, the prompt, and how the judge writes."""
        return {
            "kind": self.kind,
            "prompt": self.asking.prompt,
            "sampling": asdict(self.asking.sampling),
            **self.backend.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """What the backend reports."""
        return self.backend.facts()

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Ask each request once."""
        asked = (Asked(request, self.asking.ask(request)) for request in requests)
        for batch in self.backend.outputs(asked):
            yield [self.asking.parse(one.request, output) for one, output in batch]
