"""The common base of judges' protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, ItemTable
from rmeval.protocols.base import BaseProtocol, request_key
from rmeval.protocols.judging.asked import Form, Prompt, Sampling
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.options import JudgeOptions, Order
from rmeval.types import Item, Message, Request

if TYPE_CHECKING:
    from rmeval.metrics.stats.positions import Presented
    from rmeval.protocols.judging.chance import Guess

__all__ = ["JudgeProtocol"]


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

    @property
    def order(self) -> Order:
        """In which orders responses are presented: as the user decides, and otherwise as the card states."""
        return self.options.order or self.card.orders[0]

    @property
    def votes(self) -> int:
        """Number of outputs on the same responses in the same order."""
        return self.options.votes

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """No verdicts by order, because a request has one response."""
        return iter(())

    def guess(self, observations: ObservationTable, rows: Codes, variant: str) -> Guess | None:
        """No chance level besides that of random scores, because the evidence consists of scores."""
        return None

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """The key of each request; a further vote or another order leaves the keys of the others unchanged."""
        return tuple(
            request_key(self.card.name, [digests[k] for k in one.members], self.prompt, one.vote, one.judge)
            for one in self.questions(item)
        )

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
