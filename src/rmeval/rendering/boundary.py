"""Where the answer begins in a conversation's tokens, for models that read every token of it."""

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
    """A conversation as token ids, or why its template refuses it.

    Attributes:
        tokens: The token ids.
        error: Why there are none.
        start: Where the answer begins, at least 1; 0 where there is no boundary to find.
        cut: Number of tokens that the boundary's rule left out.
        parted: Whether the conversation does not begin with its prompt as that is laid out by itself.
    """

    tokens: TokenArray
    error: str | None = None
    start: int = 0
    cut: int = 0
    parted: bool = False


def tokenise(
    tokenizer: Any, conversations: list[Messages], tools: Tools, generation_prompt: bool = False
) -> list[list[int]]:
    """Token ids of conversations with the same tools, laid out and tokenised in the same call."""
    ids: list[list[int]] = tokenizer.apply_chat_template(
        conversations,
        tools=list(tools) or None,
        tokenize=True,
        return_dict=True,
        add_generation_prompt=generation_prompt,
    )["input_ids"]
    return ids


def _trl(tokenizer: Any, conversations: list[Messages], tools: Tools) -> list[Rendered]:
    """As TRL's DPO counts (1.16, `DPOTrainer._prepare_dataset`).

    The answer begins where the whole conversation parts from the prompt laid out with the generation prompt. TRL takes
    the earlier place of the two answers of a pair; here each answer has its own.
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
"""Tokens that RewardBench's inference leaves of a conversation, and of the prompt where that is too long."""


def _reward_bench(tokenizer: Any, conversations: list[Messages], tools: Tools) -> list[Rendered]:
    """As RewardBench counts (`rewardbench/dpo.py`, `tokenize_row` and `build_tokenized_answer`; `scripts/run_dpo.py`).

    The prompt has no generation prompt, so that the assistant's header belongs to the answer; BOS comes first, or EOS
    where there is no BOS, also where the template wrote one; EOS comes last, also where the template closed the turn.
    Of more than 2,048 tokens the prompt keeps its last 128, and then the answer its first 1,920. There the reference
    uses the longer answer of a pair; here each answer is cut independently.
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
        # The end of the prompt may have merged with the beginning of the answer.
        start = len(alone) - (alone != ids[: len(alone)])
        prompt, answer = [first, *ids[:start]], [*ids[start:], tokenizer.eos_token_id]
        length = len(prompt) + len(answer)
        if length > LONGEST:
            prompt = prompt[-LONGEST_PROMPT:]
        if len(prompt) + len(answer) > LONGEST:
            answer = answer[: LONGEST - LONGEST_PROMPT]
        found.append(_rendered(prompt + answer, len(prompt), length))
    return found


def _rendered(tokens: list[int], start: int, length: int | None = None) -> Rendered:
    array = np.array(tokens, dtype=np.int32)
    error = "the chat template leaves nothing of the answer" if start >= len(tokens) else None
    return Rendered(array, error, start, (length or len(tokens)) - len(tokens))


BOUNDARIES: dict[Boundary, Callable[[Any, list[Messages], Tools], list[Rendered]]] = {
    "trl": _trl,
    "reward-bench": _reward_bench,
}
