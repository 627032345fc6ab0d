"""Options of judges: protocol, votes, orders of responses, and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, quoted

__all__ = ["IN_NAME", "WORDINGS", "JudgeOptions", "Order", "options_of"]

IN_NAME = ("order", "order_seed", "votes", "against", "wording")
"""Options that determine the requests; they are part of a protocol's name, as in `five-way@1[votes=3]`."""

_OWN_FIELDS = ("model", "messages", "n", "stream")
"""Fields of a call's body that rmeval writes, or whose answers it does not read."""

_INSTEAD = {"model": ", and name the model as the run's model", "n": ", and give `votes`"}

WORDINGS = 3
"""Number of wordings of a prompt besides a protocol's own."""
Against = Literal["all", "chosen"]
Order = Literal["both", "seeded"]
"""`both`: each pair in both orders, and k responses in all k rotations; `seeded`: one order, drawn for each item."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """Protocol, orders and sampling of a judge; all except `base_url` and the batch files are part of a run's identity.

    Attributes:
        protocol: Name of a judge's protocol, such as `five-way` or `rating@1`, or a TOML file; None for models that
            are no judges.
        votes: How often each question is asked.
        order: In which orders responses are presented; by default the protocol's first.
        order_seed: Seed of the order `seeded`, and of sampling.
        against: Which pairs are compared in comparisons of more than two responses: `all`, or the `chosen` response
            with each other one.
        wording: Another wording of the prompt, from 1; 0 is the protocol's own.
        temperature: Temperature; by default the protocol's.
        top_p: Share of the probability from which tokens are drawn; by default the protocol's.
        max_new_tokens: Limit of an output in tokens; by default the protocol's.
        judge_kwargs: Further fields of each call's body, such as `{"reasoning_effort": "low"}`.
        base_url: Address of an OpenAI-compatible server, if the model is given by its name there.
        batch_out: File to which the calls without a result are written as a batch, instead of sending them.
        batch_in: Files of results that a batch returned.
    """

    protocol: str | None = None
    votes: int = 1
    order: Order | None = None
    order_seed: int = 0
    against: Against = "all"
    wording: int = 0
    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    judge_kwargs: Mapping[str, Any] = field(default_factory=dict)
    base_url: str | None = None
    batch_out: str | None = None
    batch_in: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The part of a protocol's name that states the options that are not the defaults, such as `[votes=3]`."""
        fields = type(self).__dataclass_fields__
        given = [f"{name}={value}" for name in IN_NAME if (value := getattr(self, name)) != fields[name].default]
        return f"[{','.join(given)}]" if given else ""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ModelError: If a value is not usable; the message names the parameter.
        """
        if self.order is not None and self.order not in (orders := get_args(Order)):
            raise ModelError(f"there is no order {quoted(self.order)}: {chosen_from(self.order, orders)}")
        if self.against not in (names := get_args(Against)):
            raise ModelError(f"`against` is {quoted(self.against)}: {chosen_from(self.against, names)}")
        for name, value, least in (
            ("votes", self.votes, 1),
            ("order_seed", self.order_seed, 0),
            ("wording", self.wording, 0),
            ("max_new_tokens", self.max_new_tokens, 1),
        ):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ModelError(f"`{name}` is {quoted(value)}: choose a whole number of at least {least}")
        if wrong := next((name for name in _OWN_FIELDS if name in self.judge_kwargs), None):
            raise ModelError(f"`judge_kwargs` cannot set {wrong}: leave it out{_INSTEAD.get(wrong, '')}")
        if self.wording > WORDINGS:
            raise ModelError(f"`wording` is {self.wording}: choose a whole number from 0 to {WORDINGS}")
        if self.temperature is not None and not 0 <= self.temperature <= 10:
            raise ModelError(f"`temperature` is {quoted(self.temperature)}: choose a number from 0")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ModelError(f"`top_p` is {quoted(self.top_p)}: choose a number above 0, up to 1")


def options_of(protocol: str, suffix: str) -> JudgeOptions:
    """The options that the end of a protocol's name states, such as `order=seeded,votes=3`.

    Raises:
        ModelError: If there is no such option, or a value is not usable.
    """
    found: dict[str, Any] = {}
    for part in suffix.split(",") if suffix else ():
        name, _, value = part.strip().partition("=")
        if name not in IN_NAME:
            raise ModelError(f"there is no option {quoted(name)} of a protocol: {chosen_from(name, IN_NAME)}")
        if name in ("order_seed", "votes", "wording"):
            if not (value.isascii() and value.isdecimal()):
                raise ModelError(f"`{name}` is {quoted(value)}: choose a whole number")
            found[name] = int(value)
        else:
            found[name] = value
    return JudgeOptions(protocol, **found)
