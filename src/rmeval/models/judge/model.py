"""Judges: models that read a prompt with one or more responses and return a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from rmeval.models.judge.backend import Backend, HasKey, Spends
from rmeval.models.judge.cut_off import whole_outputs
from rmeval.protocols.judging import Asked, JudgeProtocol, Output
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
        self.protocol = asking.spec
        self.backend = backend
        self.name = name or backend.name

    def identity(self) -> dict[str, Any]:
        """The model, the prompt, and how the judge writes."""
        asking = self.asking
        changed = asking.min_label_mass != asking.card.min_label_mass
        return {
            "kind": self.kind,
            "prompt": asking.prompt,
            "sampling": asdict(asking.sampling),
            **({"min_label_mass": asking.min_label_mass} if changed else {}),
            **self.backend.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """What the backend reports."""
        return self.backend.facts()

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Run each request, and once more with twice the budget where the output is cut off."""
        without_key = self.backend.without_key if isinstance(self.backend, HasKey) else None
        for batch in whole_outputs(self.backend, map(self.asked, requests)):
            yield [self._observation(one.request, output, without_key) for one, output in batch]

    def _observation(self, request: Request, output: Output, without_key: Callable[[str], str] | None) -> Observation:
        if output.finish == "overlength":
            return Observation(request.key, "overlength", usage=output.usage, error=output.error)
        if output.error is not None:
            return Observation(request.key, "error", usage=output.usage, error=output.error)
        written = _written(output)
        if written is not None and without_key is not None:
            written = without_key(written)
        return replace(self.asking.parse(request, output), raw=written)

    @property
    def cost(self) -> float | None:
        """What the calls so far cost in dollars; None if they cost nothing, or prices are not known."""
        return self.backend.cost if isinstance(self.backend, Spends) else None

    def asked(self, request: Request) -> Asked:
        """A request with its prompt, its limit and its seed."""
        asking = self.asking
        limit, seed = asking.sampling.max_new_tokens, seed_of(asking.options.order_seed, request.key)
        return Asked(request, asking.ask(request), limit, seed)


def _written(output: Output) -> str | None:
    """What the judge wrote, its reasoning included."""
    reasoning = f"<think>\n{output.reasoning}\n</think>\n" if output.reasoning else ""
    return f"{reasoning}{output.text}" or None


def seed_of(order_seed: int, key: str) -> int:
    """The seed of a request's output, 31 bits: another one for each vote, because votes have keys of their own."""
    return int.from_bytes(hashlib.blake2b(f"{order_seed} {key}".encode(), digest_size=4).digest()) & 0x7FFFFFFF
