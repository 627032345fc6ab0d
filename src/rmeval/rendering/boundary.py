"""The beginning of the response in a conversation's tokens, for models that read all of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["BOUNDARIES", "Boundary", "Rendered", "TokenArray", "tokenise"]

TokenArray = npt.NDArray[np.int32]
Messages = list[dict[str, Any]]
Tools = Sequence[Mapping[str, Any]]
Boundary = Literal["trl", "reward-bench"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as token ids, or the reason why it cannot be rendered.

    Attributes:
        tokens: The token ids.
        error: The reason why there are no tokens.
        start: Where the response begins, at least 1; 0 if no boundary was requested.
        cut: Number of tokens that the boundary's rule left out.
        parted: Whether the tokens do not begin with those of the prompt rendered alone.
        steps: Positions where the steps of the response are read, for process reward models.
    """

    tokens: TokenArray
    error: str | None = None
    start: int = 0
    cut: int = 0
    parted: bool = False
    steps: tuple[int, ...] = ()


def tokenise(
    tokenizer: Any, conversations: list[Messages], tools: Tools, generation_prompt: bool = False
) -> list[list[int]]:
    """Token ids of conversations with the same tools, rendered and tokenised in the same call."""
    ids: list[list[int]] = tokenizer.apply_chat_template(
        conversations,
        tools=list(tools) or None,
        tokenize=True,
        return_dict=True,
        add_generation_prompt=generation_prompt,
    )["input_ids"]
    return ids


def _trl(tokenizer: Any, conversations: list[Messages], tools: Tools) -> list[Rendered]:
    """Find boundaries as TRL's DPO does (1.16, `DPOTrainer._prepare_dataset`).

    The response begins where the tokens of the conversation differ from those of the prompt with the generation prompt.
    TRL uses the earlier beginning of the two responses of a pair; here each response has its own.
    """
    distinct = {repr(conversation[:-1]): conversation[:-1] for conversation in conversations}
    laid_out = dict(zip(distinct, tokenise(tokenizer, list(distinct.values()), tools, True), strict=True))
    found = []
    for conversation, whole in zip(conversations, tokenise(tokenizer, conversations, tools), strict=True):
        prompt = laid_out[repr(conversation[:-1])]
        shared = next((k for k, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(prompt))
        found.append(replace(_rendered(whole, max(1, shared)), parted=shared < len(prompt)))
    return found


LONGEST, LONGEST_PROMPT = 2048, 128
"""Largest number of tokens of a conversation in RewardBench's inference, and of the prompt of a longer one."""


def _reward_bench(tokenizer: Any, conversations: list[Messages], tools: Tools) -> list[Rendered]:
    """Find boundaries as RewardBench does (`rewardbench/dpo.py`, `tokenize_row` and `build_tokenized_answer`).

    The prompt has no generation prompt, so the assistant's header belongs to the response. BOS (or EOS, if there is no
    BOS) is added at the beginning, even if the template wrote one; EOS is added at the end, even if the template closed
    the turn. Of more than 2,048 tokens, the last 128 of the prompt are kept, and then the first 1,920 of the response
    (`scripts/run_dpo.py`). RewardBench decides by the longer response of a pair; here each response is cut alone.
    """
    first = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    if tokenizer.eos_token_id is None:
        raise ValueError("this tokenizer has no EOS token, which RewardBench appends: choose the boundary trl")
    found = []
    for conversation in conversations:
        head = tokenizer.apply_chat_template(conversation[:-1], tools=list(tools) or None, tokenize=False)
        whole = tokenizer.apply_chat_template(conversation, tools=list(tools) or None, tokenize=False)
        alone = tokenizer(head, add_special_tokens=False)["input_ids"]
        ids = tokenizer(head + whole.replace(head, ""), add_special_tokens=False)["input_ids"]
        # The end of the prompt may have merged with the beginning of the response.
        start = len(alone) - (alone != ids[: len(alone)])
        prompt, response = [first, *ids[:start]], [*ids[start:], tokenizer.eos_token_id]
        length = len(prompt) + len(response)
        if length > LONGEST:
            prompt = prompt[-LONGEST_PROMPT:]
        if len(prompt) + len(response) > LONGEST:
            response = response[: LONGEST - LONGEST_PROMPT]
        found.append(_rendered(prompt + response, len(prompt), length))
    return found


def _rendered(tokens: list[int], start: int, length: int | None = None) -> Rendered:
    array = np.array(tokens, dtype=np.int32)
    error = "the chat template renders no token of the response" if start >= len(tokens) else None
    return Rendered(array, error, start, (length or len(tokens)) - len(tokens))


BOUNDARIES: dict[Boundary, Callable[[Any, list[Messages], Tools], list[Rendered]]] = {
    "trl": _trl,
    "reward-bench": _reward_bench,
}
