"""The routes of SGLang, TEI, Infinity, OpenRLHF and NVIDIA NIM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmeval.messages import shortened
from rmeval.transport.dialects.answers import entries, field, labelled, numbers
from rmeval.transport.dialects.base import AnswerError, Form, Input, Named, Traits, Values

__all__ = ["INFINITY", "NIM", "OPENRLHF", "SGLANG", "TEI"]


class _Sglang(Named):
    """SGLang's `/classify` (0.5.23, started with `--is-embedding`), which returns what the head returns."""

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """Token ids or texts; a single one without a list around it."""
        name = "input_ids" if form == "tokens" else "text"
        named = {"model": model} if model is not None else {}
        return {**named, name: inputs[0] if len(inputs) == 1 else list(inputs)}

    def read(self, data: Any, count: int) -> list[Values]:
        """The entries in the order of the inputs; a single one may come without a list."""
        found = entries([data] if isinstance(data, dict) and count == 1 else data, count, "the body")
        if len({repr(one["meta_info"].get("id", place)) for place, one in enumerate(found) if _has_info(one)}) < sum(
            map(_has_info, found)
        ):
            raise AnswerError("two entries of the answer have the same id")
        return [numbers(field(one, "embedding"), "embedding") for one in found]


def _has_info(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("meta_info"), dict)


class _Tei(Named):
    """The `/predict` of text-embeddings-inference (1.9), whose outputs are sorted by score."""

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """One text, or a list of lists, because TEI reads a list of two texts as a pair."""
        content: Any = inputs[0] if len(inputs) == 1 else [[one] for one in inputs]
        return {"inputs": content, "raw_scores": raw, "truncate": False}

    def read(self, data: Any, count: int) -> list[Values]:
        """The outputs of each input by label; those of a single input come without a list around them."""
        alone = count == 1 and isinstance(data, list) and data and isinstance(data[0], dict)
        return [_by_label(one) for one in entries([data] if alone else data, count, "the body")]


def _by_label(outputs: Any) -> Values:
    """The outputs of one input: a list of `{"label": ..., "score": ...}`."""
    if not isinstance(outputs, list):
        raise AnswerError(f"an entry of the answer is not a list of labels and scores: {shortened(outputs, 80)}")
    return labelled([(field(one, "label"), field(one, "score")) for one in outputs], "score")


class _Infinity(Named):
    """Infinity's `/classify` (0.0.78)."""

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """A list of texts."""
        named = {"model": model} if model is not None else {}
        return {**named, "input": list(inputs), "raw_scores": raw}

    def read(self, data: Any, count: int) -> list[Values]:
        """The outputs of each input by label."""
        return [_by_label(one) for one in entries(field(data, "data"), count)]


class _OpenRlhf(Named):
    """The `/get_reward` of OpenRLHF's server, which tokenises texts without further special tokens."""

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """The whole texts; the server reads no other field."""
        return {"query": list(inputs), "prompts": [], "labels": []}

    def read(self, data: Any, count: int) -> list[Values]:
        """One reward for each input."""
        return [numbers(one, "rewards") for one in entries(field(data, "rewards"), count, "rewards")]


class _Nim(Named):
    """NVIDIA NIM's reward models, which answer a chat with `reward:-4.5`, or with several named numbers."""

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """The messages, whose last one is the response."""
        (messages,) = inputs
        named = {"model": model} if model is not None else {}
        return {**named, "messages": messages}

    def read(self, data: Any, count: int) -> list[Values]:
        """The numbers of the message, by name."""
        choices = entries(field(data, "choices"), 1, "choices")
        text = field(choices[0], "message", "content")
        if not isinstance(text, str):
            raise AnswerError(f"the message of the answer is not a text: {shortened(text, 80)}")
        pairs = [one.rpartition(":")[::2] for one in text.strip().split(",")]
        try:
            return [labelled([(name.strip(), float(number)) for name, number in pairs if _named(name)], "the message")]
        except ValueError as error:
            raise AnswerError(
                f"the message {shortened(repr(text), 80)} is not a reward such as reward:-4.5: it may be that of a "
                "language model"
            ) from error


def _named(name: str) -> bool:
    if not name.strip():
        raise ValueError("a number has no name")
    return True


SGLANG = _Sglang(
    Traits("sglang-classify@1", "classify", ("tokens", "text"), ("tokens", "text"), adds_special_tokens=True)
)
TEI = _Tei(Traits("tei-predict@1", "predict", ("text",), ("text",), switch="flag", adds_special_tokens=True))
INFINITY = _Infinity(
    Traits("infinity-classify@1", "classify", ("text",), ("text",), switch="flag", adds_special_tokens=True)
)
OPENRLHF = _OpenRlhf(Traits("openrlhf-get-reward@1", "get_reward", ("text",), ("text",)))
NIM = _Nim(Traits("nim-chat@1", "v1/chat/completions", ("messages",)))
