"""How a process reward model reads a response: where its steps begin and end, and what the score of a step is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, quoted
from rmeval.protocols.fold import STEPS

__all__ = ["BY_LABELS", "CHAT", "StepLayout", "read_steps"]

CHAT = ("chat", "turns")
"""Prompts that the chat template renders."""
BY_LABELS = ("labels", "vocabulary")
"""Scores from the logits of label tokens."""
_SCORES = re.compile(r"softmax:\d+|sum:\d+(,\d+)*|sigmoid|identity|difference|labels|vocabulary")
_WAYS = "softmax:K, sum:K,L, difference, sigmoid, identity, labels or vocabulary"


@dataclass(frozen=True, slots=True)
class StepLayout:
    r"""How a process reward model reads a response step by step.

    `prompt`, `step`, `separator` and `mark` are Jinja templates. Their variables are the tokenizer's special tokens,
    such as `bos_token`, and those named below.

    Attributes:
        score: The score of a step from the outputs where it is read: `softmax:K` (the probability of class K),
            `sum:K,L` (of several classes), `difference` (the probability of class 1 minus that of class 0), `sigmoid`,
            `identity`, `labels` (the probability of the first of `labels` among them) or `vocabulary` (among all
            tokens).
        separator: Text after each step; for `turns`, the assistant's answer to each step.
        prompt: Text before the steps, with the variables `prompt` (the last message of the user) and `messages`; `chat`
            for the chat template with all steps in the assistant's turn; `turns` for a user's turn per step.
        step: Text of a step, with the variables `step`, `number` (from 1) and `prompt`.
        system: System message of a conversation that has none, for `chat` and `turns`.
        join: `ids`: prompt, steps and separators are tokenised separately, and their token ids joined. `text`: the
            texts are joined and tokenised together.
        read: Token where a step is read: the last one of its `separator`, or of the `step`; then a separator that joins
            texts does not reach the model.
        offset: Number of tokens from there to the token that is read, such as -1.
        mark: For `text`: text whose last token is the end of a separator, if that is not the separator's own.
        labels: Label tokens, such as `["+", "-"]` or `["#648", "#387"]`, the first for a right step.
        split: Text at which a response is split into steps.
        exact: Whether the pieces are steps as they are, including empty ones; otherwise space around a piece is
            removed, and empty pieces are left out.
        aggregate: The default score of a response: `min`, `prod`, `last` or `mean` of its steps' scores.
    """

    score: str
    separator: str = ""
    prompt: str = "chat"
    step: str = "{{ step }}"
    system: str = ""
    join: Literal["ids", "text"] = "ids"
    read: Literal["separator", "step"] = "separator"
    offset: int = 0
    mark: str = ""
    labels: tuple[str, ...] = ()
    split: str = "\n\n"
    exact: bool = False
    aggregate: str = "min"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ModelError: If one is not valid.
        """
        if not _SCORES.fullmatch(self.score):
            raise ModelError(f"there is no score of steps {quoted(self.score)}: give {_WAYS}")
        if (self.score in BY_LABELS) != bool(self.labels) or (self.score == "labels" and len(self.labels) < 2):
            raise ModelError(f"the score of steps {self.score} does not fit {len(self.labels)} labels: {_LABELS}")
        for name, known in (("join", ("ids", "text")), ("read", ("separator", "step")), ("aggregate", tuple(STEPS))):
            if (value := getattr(self, name)) not in known:
                raise ModelError(f"there is no {name} {quoted(value)} of steps: {chosen_from(str(value), known)}")
        if not self.split:
            raise ModelError("`split_steps` is empty: give the text between two steps, such as a line break")
        if self.read == "separator" and not self.separator:
            raise ModelError("steps are read at their separator, and there is none: give `separator`, or read the step")
        if self.join == "text" and (self.prompt in CHAT or not self.separator):
            raise ModelError("steps joined as text need a separator and a prompt of their own, without chat template")
        if self.prompt == "turns" and self.read != "separator":
            raise ModelError("steps in turns are read at the assistant's answers: leave `read` out")

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON."""
        plain = asdict(self)
        found = {one.name: plain[one.name] for one in fields(self) if plain[one.name] != one.default}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @property
    def title(self) -> str:
        """The layout in words, for messages."""
        place = "at the separator" if self.read == "separator" else "at the last token of a step"
        written = f" {self.separator!r}" if self.read == "separator" else ""
        return f"{self.score} {place}{written}, steps split at {self.split!r}"


_FORMS: Mapping[str, tuple[type, str]] = {
    "offset": (int, "a whole number"),
    "exact": (bool, "true or false"),
    "labels": (list, "a list of texts"),
}
"""The type of a value in a card, and its form in words; all others are texts."""
_LABELS = "labels needs two or more, vocabulary one or more, and the others none"


def read_steps(stated: Mapping[str, Any], where: str) -> StepLayout:
    """Read a step layout from a card.

    Args:
        stated: The table of the card.
        where: Its place, for messages.

    Raises:
        ModelError: If it is not a step layout.
    """
    known = {one.name: one.type for one in fields(StepLayout)}
    if unknown := sorted(set(stated) - set(known)):
        raise ModelError(f"{where} has {unknown[0]!r}, which is no part of a step layout: choose {', '.join(known)}")
    if "score" not in stated:
        raise ModelError(f"{where} has no 'score': give {_WAYS}")
    for name, value in stated.items():
        kind, form = _FORMS.get(name, (str, "a text"))
        if type(value) is not kind or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
            raise ModelError(f"{where}: {name} must be {form}, not {quoted(value)}")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()}
    try:
        return StepLayout(**given)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
