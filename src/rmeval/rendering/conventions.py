"""What a model's input needs beside its chat template: the place of system messages, and the ends of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rmeval.errors import ModelError
from rmeval.rendering.boundary import Rendered
from rmeval.types import Message

__all__ = ["Conventions", "merged"]


@dataclass(frozen=True, slots=True)
class Conventions:
    """How conversations become sequences, beside the template.

    Attributes:
        system_role: What becomes of system messages: the template shows them (`keep`), they begin the user's next
            message (`merge`), or a conversation with one is an error (`error`).
        append_eos: Whether a sequence that does not end with EOS gets one.
        bos_tokens: Number of BOS tokens at the beginning of a sequence; None for as many as the template writes.
        system_message: Content of a system message for conversations without one; may be empty.
        last: Id of the token that a sequence gets which does not end with it.
        question: Text of a message of the user after the response, which the generation prompt follows.
    """

    system_role: str = "keep"
    append_eos: bool = False
    bos_tokens: int | None = None
    system_message: str | None = None
    last: int | None = None
    question: str | None = None

    @property
    def changes_ends(self) -> bool:
        """Whether sequences can differ from what the template writes."""
        ends = self.append_eos or self.bos_tokens is not None or self.last is not None
        return ends or self.question is not None

    def identity(self) -> dict[str, Any]:
        """The conventions that are not the default."""
        default = Conventions()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}

    def arranged(self, conversation: Sequence[Message]) -> tuple[Sequence[Message], str | None]:
        """The messages to render, and the reason why the conversation cannot be rendered, if there is one."""
        has_one = any(message.role == "system" for message in conversation)
        if has_one and self.system_role == "error":
            return conversation, "the conversation has a system message, and `system_role` error refuses it"
        if not has_one and self.system_message is not None:
            conversation = [Message("system", self.system_message), *conversation]
            has_one = True
        if not has_one or self.system_role != "merge":
            return conversation, None
        found = merged(conversation)
        if found is None:
            return conversation, "no message of the user follows a system message, so it cannot be merged into one"
        return found, None

    def asked(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages with the question after them, if there is one."""
        return messages if self.question is None else [*messages, {"role": "user", "content": self.question}]

    def check(self, tokenizer: Any, example: Rendered, source: str) -> None:
        """Check that the ends of sequences can be changed, and that EOS would be.

        Args:
            tokenizer: The tokenizer.
            example: A conversation as the template alone renders it.
            source: The tokenizer's name, for messages.

        Raises:
            ModelError: If an option has no effect, or the tokenizer does not have the token.
        """
        for option, given, token, name in (
            ("append_eos", self.append_eos, tokenizer.eos_token_id, "EOS"),
            ("bos_tokens", self.bos_tokens is not None, tokenizer.bos_token_id, "BOS"),
        ):
            if given and token is None:
                raise ModelError(f"the tokenizer of {source} has no {name} token: leave `{option}` out")
        if example.error is not None:
            return
        if self.append_eos and example.tokens[-1:].tolist() == [tokenizer.eos_token_id]:
            raise ModelError(
                f"conversations of {source} end with EOS already, so `append_eos` has no effect: leave it out"
            )

    def ended(self, tokenizer: Any, one: Rendered) -> Rendered:
        """A sequence with its ends as they must be, and the response's beginning moved with it."""
        if one.error is not None:
            return one
        if self.bos_tokens is not None:
            one = _with_bos(one, tokenizer.bos_token_id, self.bos_tokens)
        if self.append_eos and one.tokens[-1:].tolist() != [tokenizer.eos_token_id]:
            one = replace(one, tokens=np.append(one.tokens, np.int32(tokenizer.eos_token_id)))
        if self.last is not None and one.tokens[-1:].tolist() != [self.last]:
            one = replace(one, tokens=np.append(one.tokens, np.int32(self.last)))
        return one


def _with_bos(one: Rendered, bos: int, wanted: int) -> Rendered:
    """A sequence with a number of BOS tokens at its beginning instead of those that are there."""
    others = np.flatnonzero(one.tokens != bos)
    there = int(others[0]) if len(others) else len(one.tokens)
    if there == wanted:
        return one
    tokens = np.concatenate([np.full(wanted, bos, np.int32), one.tokens[there:]])
    # The first token is never part of the scored response: nothing predicts it.
    return replace(one, tokens=tokens, start=max(1, one.start + wanted - there) if one.start else 0)


def merged(conversation: Sequence[Message]) -> list[Message] | None:
    """The conversation with each system message before the text of the user's next message, after a blank line.

    Returns:
        None if there is a system message that no message of the user follows.
    """
    found: list[Message] = []
    waiting: list[str] = []
    for message in conversation:
        if message.role == "system":
            waiting.append(message.content)
        elif waiting and message.role == "user":
            found.append(replace(message, content="\n\n".join([*waiting, message.content])))
            waiting = []
        else:
            found.append(message)
    return None if waiting else found
