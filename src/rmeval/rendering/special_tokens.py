"""Tokenises rendered conversations as plain texts, with the special tokens that a tokenizer adds to any text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rmeval.rendering.named_templates import takes_special_tokens, with_own_tokens

__all__ = ["added_tokens", "adds_bos", "with_special_tokens", "written_out"]


def added_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer adds before and after a text."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    start = next((k for k in range(len(whole)) if whole[k : k + len(plain)] == plain), None)
    return ([], []) if start is None else (whole[:start], whole[start + len(plain) :])


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


def written_out(template: str, tokenizer: Any) -> str:
    """The template with the tokenizer's special tokens in its text.

    Servers add no special tokens to what a template renders.

    Args:
        template: A template.
        tokenizer: A tokenizer that renders with it.
    """
    if not takes_special_tokens(template):
        return template
    before, after = ("".join(map(str, tokenizer.convert_ids_to_tokens(tokens))) for tokens in added_tokens(tokenizer))
    shown: str = tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False)
    if before and shown.startswith(before):
        before = ""
    start = f"{{{{ {before!r} }}}}" if before else ""
    end = f"{{{{ {after!r} if not add_generation_prompt }}}}" if after else ""
    return start + with_own_tokens(template).removesuffix("\n") + end
