"""Dialects: the form of the requests and answers of servers of reward models."""

from __future__ import annotations

from pathlib import Path

from rmeval.errors import ModelError
from rmeval.messages import chosen_from
from rmeval.transport.dialects.base import AnswerError, Conversation, Dialect, Form, Input, Traits, Values
from rmeval.transport.dialects.others import INFINITY, NIM, OPENRLHF, SGLANG, TEI
from rmeval.transport.dialects.toml_file import read_dialect
from rmeval.transport.dialects.vllm import CLASSIFY, POOLING, SCORE

__all__ = ["DIALECTS", "AnswerError", "Conversation", "Dialect", "Form", "Input", "Traits", "Values", "find_dialect"]

DIALECTS: dict[str, Dialect] = {
    one.traits.name: one for one in (CLASSIFY, POOLING, SCORE, SGLANG, TEI, INFINITY, OPENRLHF, NIM)
}
"""The dialects of the package, by name."""


def find_dialect(name: str) -> Dialect:
    """The dialect of a name, with or without its version, or of a TOML file.

    Raises:
        ModelError: If there is none.
    """
    if name.endswith(".toml"):
        return read_dialect(Path(name))
    found = DIALECTS.get(name) or next((one for own, one in DIALECTS.items() if own.partition("@")[0] == name), None)
    if found is None:
        raise ModelError(f"there is no dialect {name!r}: {chosen_from(name, ['auto', *DIALECTS])}, or give a TOML file")
    return found
