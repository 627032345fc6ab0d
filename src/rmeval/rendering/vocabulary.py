"""Finds the tokens of label words."""

from __future__ import annotations

from typing import Any

from rmeval.errors import ModelError

__all__ = ["token_ids"]


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
