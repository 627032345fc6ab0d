"""vLLM's pooling routes, as of 0.32 (`vllm/entrypoints/pooling`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rmeval.transport.dialects.answers import entries, field, in_order, numbers
from rmeval.transport.dialects.base import AnswerError, Form, Input, Named, Traits, Values

__all__ = ["CLASSIFY", "POOLING", "SCORE"]

_FIX = "start vLLM 0.11.2 or later, which reads `use_activation`"


@dataclass(frozen=True, slots=True)
class _Inputs(Named):
    """`/classify` and `/pooling`, which take token ids, texts or messages; only the names in the answer differ."""

    values: str
    task: str | None = None

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """Token ids and rendered texts are sent as they are, without further special tokens."""
        if form == "messages":
            (messages,) = inputs
            # Otherwise a template adds the beginning of another response.
            content: dict[str, Any] = {"messages": messages, "add_generation_prompt": False}
        else:
            content = {"input": inputs[0] if len(inputs) == 1 else list(inputs)}
        named = {"model": model} if model is not None else {}
        task = {"task": self.task} if self.task else {}
        # vLLM ignores fields that it does not know, such as `activation` and `softmax` of earlier versions.
        return {**named, **content, **task, "add_special_tokens": False, "use_activation": not raw}

    def read(self, data: Any, count: int) -> list[Values]:
        """The entries in the order of `index`."""
        found = in_order(field(data, "data"), count)
        return [self._values(one) for one in found]

    def _values(self, entry: Any) -> Values:
        value = field(entry, self.values)
        if isinstance(value, list) and value and isinstance(value[0], list):
            raise AnswerError(
                "the answer has values for each token, so the server does not score whole sequences: serve a sequence "
                "classifier, or set pooling_type LAST in its pooler config"
            )
        found = numbers(value, self.values)
        stated = entry.get("num_classes", len(found.numbers))
        if stated != len(found.numbers):
            raise AnswerError(f"the answer states {stated} classes and has {len(found.numbers)}")
        return found


_FORMS: tuple[Form, ...] = ("tokens", "messages", "text")
_LISTS: tuple[Form, ...] = ("tokens", "text")
CLASSIFY = _Inputs(
    Traits("vllm-classify@1", "classify", _FORMS, _LISTS, switch="flag", tokenize="tokenize", fix=_FIX),
    "probs",
)
POOLING = _Inputs(
    Traits("vllm-pooling@1", "pooling", _FORMS, _LISTS, switch="flag", tokenize="tokenize", fix=_FIX),
    "data",
    task="classify",
)


class _Score(Named):
    """`/score`, for cross-encoders that read a prompt and a response as two texts."""

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """The contents of the prompt and of the response; other conversations have no such form."""
        (messages,) = inputs
        roles = [one["role"] for one in messages if not isinstance(one, int | str)]
        if roles != ["user", "assistant"]:
            raise AnswerError(
                f"vllm-score@1 takes a user's message and a response, not messages of the roles {', '.join(roles)}"
            )
        prompt, response = (one["content"] for one in messages if not isinstance(one, int | str))
        named = {"model": model} if model is not None else {}
        return {**named, "text_1": prompt, "text_2": response, "use_activation": not raw}

    def read(self, data: Any, count: int) -> list[Values]:
        """The entries in the order of `index`."""
        return [numbers(field(one, "score"), "score") for one in entries(in_order(field(data, "data"), count), count)]


SCORE = _Score(Traits("vllm-score@1", "score", ("messages",), switch="flag", fix=_FIX))
