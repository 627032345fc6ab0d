"""Inputs and outputs of judges: the border between protocols, which define prompts, and models, which run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from rmeval.types import Message, Request

__all__ = ["Asked", "Finish", "Form", "HowRead", "Output", "Prompt", "Sampling", "Writing"]

Form = Literal["text", "labels", "decision"]
"""How the verdict is read.

`text`: from the text that the judge writes; `labels`: from the probabilities of label tokens after the prompt, without
writing; `decision`: from the probabilities that a decision API returns.
"""

Finish = Literal["stop", "length", "refused", "overlength"]
"""How an output ended: complete, cut off by its limit of tokens, by the server's or the model's refusal, or before it
began, because the input is too long."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a judge writes.

    Attributes:
        temperature: 0 chooses the most probable token.
        top_p: Share of the probability from which tokens are drawn.
        max_new_tokens: Limit of an output's length in tokens, its reasoning included.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 2048


class HowRead(Protocol):
    """What a backend needs to know of a protocol."""

    @property
    def name(self) -> str:
        """Its name, for messages."""
        ...

    @property
    def form(self) -> Form:
        """How outputs are read."""
        ...

    @property
    def sampling(self) -> Sampling:
        """How the model writes."""
        ...

    @property
    def min_label_mass(self) -> float:
        """Smallest total probability of the labels."""
        ...


@dataclass(frozen=True, slots=True)
class Writing:
    """Texts that are no verdicts.

    Attributes:
        sampling: How the model writes.
    """

    sampling: Sampling
    name: ClassVar[str] = "text"
    form: ClassVar[Form] = "text"
    min_label_mass: ClassVar[float] = 0.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """The input of a judge for one request.

    Attributes:
        messages: The conversation, which ends in a turn of the user.
        form: How the verdict is read.
        labels: The labels to choose from, such as `("A", "B")`; empty for a text without fixed labels.
        descriptions: What each label means, for decision APIs; empty for other forms.
        question: The question of a decision API, without the material that it is about.
        kind: The type of a decision API's question: a choice of a label, or a score on ordered levels.
        schema: JSON schema of the output, where the protocol has one and a server can hold an output to it.
    """

    messages: tuple[Message, ...]
    form: Form = "text"
    labels: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    question: str = ""
    kind: Literal["choice", "score"] = "choice"
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What a judge returned for one request.

    Attributes:
        text: The text without reasoning that the server or the engine returns separately.
        reasoning: That reasoning.
        finish: How it ended.
        probabilities: For the forms `labels` and `decision`: the probability of each label, which need not sum to 1.
        label_mass: Total probability of the labels before they were normalised, where it is known.
        error: Why there is no output; the other fields are empty then. With the finish `overlength`: what is too long.
        usage: Counts such as `{"tokens": 900, "output_tokens": 20}`.
        diagnostics: Numbers beside the labels, which become values of the observation.
    """

    text: str = ""
    reasoning: str | None = None
    finish: Finish = "stop"
    probabilities: Mapping[str, float] = field(default_factory=dict)
    label_mass: float | None = None
    error: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    diagnostics: Mapping[str, float] = field(default_factory=dict)


class Asked(NamedTuple):
    """A request with its prompt, as a backend runs it.

    Attributes:
        request: The request.
        prompt: Its prompt.
        limit: Largest length of this output in tokens; twice the sampling's after an output that was cut off.
        seed: Seed of sampling, which differs between requests and votes; backends use it where the temperature is
            above 0.
        temperature: Temperature of this output; None for the sampling's.
    """

    request: Request
    prompt: Prompt
    limit: int = 2048
    seed: int = 0
    temperature: float | None = None

    @property
    def key(self) -> str:
        """The request's key."""
        return self.request.key

    @property
    def item(self) -> str:
        """Id of the request's item."""
        return self.request.item
