"""The interface of dialects: the form of a server's requests and answers, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from rmeval.types import FloatArray

__all__ = ["AnswerError", "Conversation", "Dialect", "Form", "Input", "Named", "Switch", "Traits", "Values"]

Form = Literal["tokens", "text", "messages"]
"""What is sent for one input: token ids, a rendered text, or messages that the server renders."""
Switch = Literal["flag", "none"]
"""Whether a request can switch the activation of the head off and on."""
Conversation = Sequence[Mapping[str, Any]]
Input = Sequence[int] | str | Conversation
"""One input in one of the forms."""


class AnswerError(ValueError):
    """Raised if an answer cannot be read; the message says what is wrong with it."""


class Values(NamedTuple):
    """The outputs for one input.

    Attributes:
        numbers: float64[outputs], finite.
        labels: The name of each output, where the server names them.
    """

    numbers: FloatArray
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Traits:
    """What rmeval must know of a dialect besides requests and answers.

    Attributes:
        name: Name and version, such as `vllm-classify@1`.
        path: Path of the calls, relative to the server's address.
        forms: The forms of an input that it takes, the best first.
        lists: The forms of which one call takes several inputs.
        switch: `flag` if a request can switch the activation off and on.
        adds_special_tokens: Whether the server adds special tokens to a text.
        tokenize: Path of a route that returns the token ids of a text; empty if there is none.
        fix: What makes the server return raw scores, for messages; empty if nothing is known.
    """

    name: str
    path: str
    forms: tuple[Form, ...]
    lists: tuple[Form, ...] = ()
    switch: Switch = "none"
    adds_special_tokens: bool = False
    tokenize: str = ""
    fix: str = ""


class Dialect(Protocol):
    """The form of a server's requests and answers."""

    @property
    def traits(self) -> Traits:
        """Its name, path and properties."""
        ...

    @property
    def identity(self) -> str:
        """What the scores depend on: the name, and a digest of what a user's file states."""
        ...

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """The body of one call.

        Args:
            form: The form of the inputs, one of `traits.forms`.
            inputs: One input, or several of a form in `traits.lists`.
            model: The served name; None to leave it out.
            raw: Whether to switch the activation off, where there is a switch.

        Raises:
            AnswerError: If an input has no such form.
        """
        ...

    def read(self, data: Any, count: int) -> list[Values]:
        """The outputs for each input of a call, in order.

        Args:
            data: The decoded answer.
            count: Number of inputs of the call.

        Raises:
            AnswerError: If the answer does not have this form, or is not complete.
        """
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """The part that all dialects of the package share: the name states what the scores depend on."""

    traits: Traits

    @property
    def identity(self) -> str:
        """Its name."""
        return self.traits.name
