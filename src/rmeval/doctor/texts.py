"""Checks of rendered conversations for `rmeval doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rmeval.doctor.findings import Finding
from rmeval.messages import count_of, same_tokens_note
from rmeval.models.classifier import Classifier
from rmeval.rendering.special_tokens import added_tokens
from rmeval.types import Conversation, IntArray

if TYPE_CHECKING:
    from rmeval.rendering.chat import Rendered, TokenArray

__all__ = ["hidden", "rendering", "same_tokens"]


def hidden(model: Classifier, count: int) -> Iterator[Finding]:
    """Findings on parts of conversations that the template does not show."""
    for name, own in model.texts.renderer.not_shown().items():
        yield Finding(
            "problem",
            f"the template does not show {name} ({own} of {count} conversations)",
            "give a template that does with `chat_template`; conversations that differ only there get the same score",
        )


def same_tokens(
    conversations: Sequence[Conversation], rendered: Sequence[Rendered], pairs: IntArray
) -> Iterator[Finding]:
    """Finding on decisions between different texts that become the same tokens."""
    same = sum(
        np.array_equal(rendered[one].tokens, rendered[other].tokens) and conversations[one] != conversations[other]
        for one, other in pairs[:, :2].tolist()
    )
    if same:
        yield Finding("note", same_tokens_note(same), "check that the chat template shows what it should")


def rendering(model: Classifier, rendered: Sequence[Rendered]) -> Iterator[Finding]:
    """Findings on conversations that cannot be rendered, on tokens, special tokens and lengths."""
    tokenizer = model.texts.renderer.tokenizer
    good = [one.tokens for one in rendered if one.error is None]
    if refused := [one.error for one in rendered if one.error is not None]:
        yield Finding(
            "problem",
            f"{len(refused)} of {len(rendered)} conversations cannot be rendered: {refused[0]}",
            "give another template with `chat_template`",
        )
    yield _tokens(model)
    if not good:
        return
    yield from _added_tokens(model, good)
    twice = model.texts.renderer.facts().get("double_bos", 0)
    if twice:
        yield Finding(
            "problem",
            f"{count_of(twice, 'conversation')} {'begins' if twice == 1 else 'begin'} with two BOS tokens",
            "the template and the tokenizer each write one: give a template without it with `chat_template`",
        )
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield Finding(
            "ok", "padding and end of text are the same token, which is harmless: rmeval finds ends from lengths"
        )
    if model.texts.limit is None:
        yield Finding("note", "neither model nor tokenizer states a length limit", "give one with `max_length`")
    elif over := sum(len(tokens) > model.texts.limit for tokens in good):
        long = f"{over} of {len(good)} conversations exceed the limit of {model.texts.limit} tokens"
        if model.options.on_overlength == "error":
            yield Finding("problem", long, "choose `on_overlength` skip or truncate-left; nothing is cut by default")
        else:
            yield Finding("note", f"{long} (`on_overlength` {model.options.on_overlength}); they are not examined")
    else:
        yield Finding("ok", f"the longest conversation has {max(map(len, good))} tokens of {model.texts.limit}")


def _tokens(model: Classifier) -> Finding:
    """Finding on the source of the tokens, the file or the class."""
    source = model.texts.renderer.tokens
    if source.file is None:
        return Finding("note", "the tokenizer has no tokenizer.json to compare its tokens with")
    if source.difference is None:
        return Finding("ok", f"the tokens are those of {source.file.name}")
    return Finding(
        "note" if source.uses_file else "problem",
        f"transformers' class of the tokenizer yields other tokens than {source.file.name} ({source.difference}): "
        f"the {'file' if source.uses_file else 'class'} is used",
        "other tools that load this tokenizer by its class return other scores"
        if source.uses_file
        else "check that the model was trained with these tokens; without `tokenizer_kwargs` the file is used",
    )


def _added_tokens(model: Classifier, sequences: Sequence[TokenArray]) -> Iterator[Finding]:
    """Findings on special tokens that the tokenizer adds to a text, and the template does not."""
    tokenizer = model.texts.renderer.tokenizer
    before, after = added_tokens(tokenizer)
    begins = all(tokens[: len(before)].tolist() == before for tokens in sequences)
    ends = all(tokens[len(tokens) - len(after) :].tolist() == after for tokens in sequences)
    for tokens, there, where in ((before, begins, "before"), (after, ends, "after")):
        if tokens and not there:
            yield Finding(
                "note",
                f"the tokenizer adds {tokenizer.decode(tokens)!r} {where} a text, but the template does not",
                "check whether the model was trained with it; if so, give a template that writes it with "
                "`chat_template`",
            )
