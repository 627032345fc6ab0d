"""Finds the tokens of label words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rmeval.errors import ModelError

__all__ = ["label_tokens", "token_ids"]

SPACES = "Ġ▁Ċ \n"
"""Characters that vocabularies use for a space or a newline before a word."""


def token_ids(tokenizer: Any, words: list[str]) -> list[int]:
    """The ids of words that are a single token each, or of ids such as `#0`.

    Raises:
        ModelError: If a word is not a single token, or an id does not exist.
    """
    found = []
    for word in words:
        if word.startswith("#") and word != "##":
            if not word[1:].isdecimal() or int(word[1:]) >= len(tokenizer):
                raise ModelError(
                    f"{word!r} in `head` is not a token id: give a number below {len(tokenizer)}, as in #0"
                )
            found.append(int(word[1:]))
            continue
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
            raise ModelError(
                f"{word!r} is {'not one token but ' + str(len(ids)) if len(ids) != 1 else 'not in the vocabulary'}: "
                "give another word in `head`, or a token id as in logit:#0"
            )
        found.append(int(ids[0]))
    return found


def label_tokens(tokenizer: Any, labels: Iterable[str], name: str) -> dict[str, tuple[int, ...]]:
    """The tokens whose text is a label, for each of some labels; some vocabularies have several.

    Args:
        tokenizer: The tokenizer.
        labels: The labels.
        name: The model's name, for the message.

    Raises:
        ModelError: If a label is not a single token.
    """
    found: dict[str, set[int]] = {label: set() for label in labels}
    for token, number in tokenizer.get_vocab().items():
        if (label := token.strip(SPACES)) in found:
            found[label].add(int(number))
    for label, numbers in found.items():
        for text in (label, f" {label}"):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            numbers.update(ids if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else ())
        texts = {number: str(tokenizer.decode([number])) for number in numbers}
        numbers.intersection_update(n for n, text in texts.items() if text == label)
        if not numbers:
            count = len(tokenizer(label, add_special_tokens=False)["input_ids"])
            raise ModelError(
                f"the label {label!r} is {count} tokens of {name}, and the probability of a label is that of one "
                "token: choose a protocol whose labels are single tokens, such as A and B"
            )
    return {label: tuple(sorted(numbers)) for label, numbers in found.items()}
