"""The common base of judges' protocols."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, ItemTable
from rmeval.errors import ModelError, RunError, reason_of
from rmeval.protocols.base import BaseProtocol, Question, request_key
from rmeval.protocols.judging.asked import Form, Output, Prompt, Sampling
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.material import template_values
from rmeval.protocols.judging.options import IN_NAME, JudgeOptions, Order
from rmeval.protocols.judging.orders import rotations, seeded_order
from rmeval.protocols.judging.reading import is_refusal, json_verdict, label_in, without_reasoning
from rmeval.protocols.judging.templates import rendered
from rmeval.protocols.judging.verdict import Probabilities, Verdict
from rmeval.protocols.judging.wordings import reworded
from rmeval.types import Item, Message, Observation, Request

if TYPE_CHECKING:
    from rmeval.metrics.stats.positions import Presented
    from rmeval.protocols.judging.chance import Guess

__all__ = ["JudgeProtocol"]


class JudgeProtocol(BaseProtocol):
    """A protocol that writes a judge's prompt and reads its output.

    Attributes:
        card: The prompt, the labels, and how a verdict is read.
        options: Votes and orders.
        min_label_mass: Smallest total probability of the labels; with less, an output is unparsed.
    """

    def __init__(self, card: JudgeCard, options: JudgeOptions) -> None:
        """Join a card and the options.

        Raises:
            ModelError: If an option does not fit the card.
        """
        _check_options(card, options)
        self._own_card = card
        self.card = reworded(card, options.wording)
        self.options = options
        self.name = f"{card.name}{options.suffix}"
        self.prompt = self.card.digest
        self.min_label_mass = card.min_label_mass

    @property
    def spec(self) -> str:
        """What loads the protocol again, with the votes and orders: a name, or the path of a TOML file."""
        return f"{self.options.protocol or self.card.name}{self.options.suffix}"

    @property
    def form(self) -> Form:
        """How the verdict is read."""
        return self.card.reads

    @property
    def order(self) -> Order:
        """In which orders responses are presented: as the user decides, and otherwise as the card states."""
        return self.options.order or self.card.orders[0]

    @property
    def rule(self) -> str | None:
        """Name of the score rule that is part of the protocol; None for the benchmark's own."""
        return self.card.rule or None

    @property
    def votes(self) -> int:
        """Number of outputs on the same responses in the same order."""
        return self.options.votes

    def in_orders(self, item: str, groups: Iterable[tuple[int, ...]]) -> list[Question]:
        """Each group of responses in all rotations, or in one order that is drawn, once per vote."""
        drawn, seed = self.order == "seeded", self.options.order_seed
        return [
            Question(order, vote)
            for members in groups
            for order in ([seeded_order(seed, item, members)] if drawn else rotations(members))
            for vote in range(self.votes)
        ]

    def label_of(self, text: str, count: int, presented: Sequence[str]) -> str | None:
        """The label that a text states, in JSON or in words; None if it states none."""
        if self.card.json_field:
            found = json_verdict(text, self.card, presented)
            if isinstance(found, int) and not isinstance(found, bool):
                return str(found)
        else:
            found = label_in(text, self.card, count, presented)
        return found.strip() if isinstance(found, str) else None

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
        """The same protocol with the user's sampling; votes and orders stay those of its name."""
        own = {name: getattr(self.options, name) for name in ("protocol", *IN_NAME)}
        return type(self)(self._own_card, replace(options, **own))

    def varied(self, votes: int, order: Order | None, wording: int) -> Self:
        """The same protocol with other votes, another order and another wording."""
        found = type(self)(self._own_card, replace(self.options, votes=votes, order=order, wording=wording))
        found.min_label_mass = self.min_label_mass
        return found

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
        """The prompt of a request.

        Raises:
            RunError: If the template cannot be rendered for this request.
        """
        from jinja2 import TemplateError

        card, count = self.card, len(request.members)
        values = template_values(request, card)
        try:
            system, user, question = (rendered(one, values) for one in (card.system, card.prompt, card.question))
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise RunError(
                f"the prompt of {self.name} cannot be rendered for the item {request.item} ({reason_of(error)}): "
                "correct its template"
            ) from error
        labels = () if card.reads == "text" else card.names(count)
        shown = (Message("user", user),) if not card.roles else _in_roles(request, card.roles, values["responses"])
        return Prompt(
            (*((Message("system", system),) if system else ()), *shown),
            card.reads,
            labels,
            self._described(labels),
            question,
            "score" if card.scored else "choice",
            card.schema,
        )

    def _described(self, labels: Sequence[str]) -> tuple[str, ...]:
        """What each label means; for decision APIs only."""
        if self.form != "decision":
            return ()
        named = "response {}" if self.card.kind == "best" else ""
        return tuple(self.card.descriptions.get(label, named.format(label)) for label in labels)

    def parse(self, request: Request, raw: Output) -> Observation:
        """The observation for a judge's output; what is no verdict gets a status and never a value."""
        if raw.error is not None:
            return Observation(request.key, "error", usage=raw.usage, error=raw.error)
        if raw.finish == "refused":
            return Observation(request.key, "refused", usage=raw.usage)
        if self.form != "text":
            return self._from_probabilities(request, raw)
        text = without_reasoning(raw.text)
        if raw.finish != "stop" or text is None or (raw.reasoning and not text.strip()):
            return Observation(request.key, "no_verdict", usage=raw.usage)
        presented = [one.content for one in (*request.prompt, *request.messages)] + list(request.responses)
        found = self.read(text, len(request.members), presented)
        if found is None:
            return Observation(request.key, "refused" if is_refusal(text) else "unparsed", usage=raw.usage)
        return Observation(request.key, "ok", found.values, found.choice, raw.usage)

    def _from_probabilities(self, request: Request, raw: Output) -> Observation:
        own = Probabilities.of(raw, self.card.names(len(request.members)), self.min_label_mass)
        if own is None:
            return Observation(request.key, "unparsed", usage=raw.usage)
        found = self.decide(own)
        return Observation(request.key, "ok", {**found.values, **own.beside}, found.choice, raw.usage)

    @abstractmethod
    def read(self, text: str, count: int, presented: Sequence[str]) -> Verdict | None:
        """The verdict that a text states; None if it states none.

        Args:
            text: The text, without reasoning.
            count: Number of responses.
            presented: The texts that the judge has read.
        """

    @abstractmethod
    def decide(self, probabilities: Probabilities) -> Verdict:
        """The verdict of the labels' probabilities."""


def _in_roles(request: Request, roles: Sequence[str], responses: Sequence[str]) -> tuple[Message, ...]:
    """The conversation as it is, and each response in a role of its own."""
    return (*request.prompt, *(Message(role, text) for role, text in zip(roles, responses, strict=True)))


def _check_options(card: JudgeCard, options: JudgeOptions) -> None:
    if options.order is not None and card.kind == "rate":
        raise ModelError(f"{card.name} reads one response at a time, which has no order: leave `order` out")
    if options.order is not None and options.order not in card.orders:
        raise ModelError(f"{card.name} has no `order` {options.order}: leave it out, or choose {card.orders[0]}")
    if options.votes > 1 and card.reads != "text":
        raise ModelError(f"{card.name} reads probabilities, which votes would only repeat: leave `votes` out")
    if options.against != "all" and card.kind != "pair":
        raise ModelError(f"{card.name} does not compare pairs: leave `against` out, or choose a protocol such as ab")
