"""Words that are one token: how the labels of a language model are named."""

from __future__ import annotations

from typing import Any

from rmeval.errors import ModelError

__all__ = ["token_ids"]


def token_ids(tokenizer: Any, words: list[str]) -> list[int]:
    """The ids of words that are one token each, or of numbers like `#0`.

    Raises:
        ModelError: If one is none.
    """
    found = []
    for word in words:
        if word.startswith("#") and word != "##":
            if not word[1:].isdecimal() or int(word[1:]) >= len(tokenizer):
                raise ModelError(f"{word!r} in `head` is no id of a token: give one below {len(tokenizer)} as in #0")
            found.append(int(word[1:]))
            continue
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
            raise ModelError(
                f"{word!r} is {'not one token but ' + str(len(ids)) if len(ids) != 1 else 'not in the vocabulary'}: "
                "give another word in `head`, or an id as in logit:#0"
            )
        found.append(int(ids[0]))
    return found
