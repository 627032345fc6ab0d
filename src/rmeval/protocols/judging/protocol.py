"""The common base of judges' protocols, and the protocol of pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

from rmeval.protocols.base import BaseProtocol, Question
from rmeval.protocols.judging.asked import Form, Output, Prompt, Sampling
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.options import JudgeOptions
from rmeval.protocols.pairwise import PAIRWISE, VALUE, Pairwise
from rmeval.types import Comparison, Message, Observation, Request

__all__ = ["JudgePairs", "JudgeProtocol"]


class JudgeProtocol(BaseProtocol):
    """A protocol that writes a judge's prompt and reads its output.

    Attributes:
        card: The prompt, the labels, and how a verdict is read.
        options: Votes and orders.
    """

    def __init__(self, card: JudgeCard, options: JudgeOptions) -> None:
        self.card = card
        self.options = options
        self.name = f"{card.name}{options.suffix}"
        self.prompt = card.digest

    @property
    def form(self) -> Form:
        """How the verdict is read."""
        return self.card.reads

    def sampled(self, options: JudgeOptions) -> Self:
        """The same protocol with the user's sampling."""
        return type(self)(self.card, options)

    @property
    def sampling(self) -> Sampling:
        """How the judge writes: as the user decides, and otherwise as the card states."""
        own, given = self.card.sampling, self.options
        return Sampling(
            own.temperature if given.temperature is None else given.temperature,
            own.top_p if given.top_p is None else given.top_p,
            given.max_new_tokens or own.max_new_tokens,
        )

    def ask(self, request: Request) -> Prompt:
        """The prompt of a request."""
        values = {
            "prompt": [message.to_dict() for message in request.prompt],
            "question": request.prompt[-1].content,
            "responses": list(request.responses),
        }
        system = (Message("system", self._system.render(values).strip()),) if self.card.system else ()
        user = Message("user", self._user.render(values).strip())
        return Prompt((*system, user), self.form, tuple(self.card.verdicts))

    @cached_property
    def _user(self) -> Any:
        return _template(self.card.prompt)

    @cached_property
    def _system(self) -> Any:
        return _template(self.card.system)


def _template(text: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False).from_string(text)


class JudgePairs(JudgeProtocol):
    """Two responses in each request, each pair in both orders or in one that is drawn."""

    gives_scores = False

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """Both orders of each pair, once per vote."""
        pairs = PAIRWISE.pairs([Comparison(members, None) for members in comparisons])
        return [
            Question(order, vote)
            for one, other in pairs
            for order in ((one, other), (other, one))
            for vote in range(self.options.votes)
        ]

    def parse(self, request: Request, raw: Output) -> Observation:
        """The observation for a judge's output."""
        if raw.error is not None:
            return Observation(request.key, "error", usage=raw.usage, error=raw.error)
        if raw.finish != "stop":
            return Observation(request.key, "refused" if raw.finish == "refused" else "no_verdict", usage=raw.usage)
        found = {
            self.card.verdicts[label] for label in re.findall(self.card.find, raw.text) if label in self.card.verdicts
        }
        if len(found) != 1:
            return Observation(request.key, "unparsed", usage=raw.usage)
        (prefers,) = found
        choice = {1.0: 0, 0.0: 1}.get(prefers, -1)
        return Observation(request.key, "ok", {VALUE: prefers}, choice, raw.usage)

    fold = Pairwise.fold
    variants = Pairwise.variants
    notes = Pairwise.notes
    pairs = Pairwise.pairs
    _round_robin = True
