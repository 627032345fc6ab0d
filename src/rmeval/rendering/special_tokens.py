"""Tokenises rendered conversations as plain texts, with the special tokens that a tokenizer adds to any text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["added_tokens", "adds_bos", "with_special_tokens"]


def added_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer adds before and after a text."""
    plain: list[int] = tokenizer(_TEXT, add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer(_TEXT)["input_ids"]
    extra = len(whole) - len(plain)
    start = next((k for k in range(extra + 1) if whole[k : k + len(plain)] == plain), 0)
    return whole[:start], whole[start + len(plain) :]


_TEXT = "A text"


def adds_bos(tokenizer: Any) -> bool:
    """Whether a tokenizer adds its BOS to any text."""
    return tokenizer.bos_token_id is not None and added_tokens(tokenizer)[0][:1] == [tokenizer.bos_token_id]


def with_special_tokens(tokenizer: Any) -> Callable[..., Any]:
    """A tokenizer's `apply_chat_template` that renders first, and then tokenises the text like any other.

    A BOS at the beginning of the text is not repeated: RewardBench's pipeline hides the first one of two.
    """
    render = tokenizer.apply_chat_template
    before, after = added_tokens(tokenizer)

    def ids_of(text: str, generation_prompt: bool) -> list[int]:
        ids: list[int] = tokenizer(text)["input_ids"]
        if before and ids[: 2 * len(before)] == before * 2:
            ids = ids[len(before) :]
        if generation_prompt and after and ids[-len(after) :] == after:
            ids = ids[: -len(after)]  # The reply follows.
        return ids

    def apply(
        conversation: Any, *, tokenize: bool = True, add_generation_prompt: bool = False, **kwargs: Any
    ) -> str | list[str] | dict[str, Any]:
        kwargs.pop("return_dict", None)
        text: str | list[str] = render(
            conversation, tokenize=False, add_generation_prompt=add_generation_prompt, **kwargs
        )
        if not tokenize:
            return text
        if isinstance(text, str):
            return {"input_ids": ids_of(text, add_generation_prompt)}
        return {"input_ids": [ids_of(one, add_generation_prompt) for one in text]}

    return apply
