"""Answers of chat/completions: what a judge wrote, or why there is nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rmeval.messages import shortened
from rmeval.protocols.judging import Finish, Output, Prompt
from rmeval.transport import AnswerFault, Usage

__all__ = ["failure_in", "is_too_long", "read_answer", "usage_of"]

_TOO_LONG = re.compile(
    r"context.length|context.window|context_length_exceeded|maximum (?:model|input|sequence) length|prompt is too long"
    r"|longer than the (?:maximum|model)|must have less than|input token count .* exceeds|too many (?:input )?tokens"
    r"|tokens`? \+ `?max_new_tokens`? must be|input is too long|reduce the length",
    re.IGNORECASE,
)
"""What vLLM, SGLang, TGI, OpenAI, Anthropic and Gemini answer to an input that is too long."""
_LITTLE = 0.01
"""Largest share of the listed labels' probability that one which is not listed may have."""
_REFUSED = frozenset({"content_filter", "safety", "refusal", "recitation", "prohibited_content", "blocklist"})
_FAILED = frozenset({"error", "abort", "cancelled"})
_TEXT, _REASONING = frozenset({"text", "output_text"}), frozenset({"thinking", "reasoning", "reasoning_text"})


def is_too_long(error: str | None) -> bool:
    """Whether a server refuses a call because prompt and output do not fit into the model."""
    return _TOO_LONG.search(error or "") is not None


def usage_of(data: Any) -> Usage | None:
    """The tokens that a server counted for an answer, those of reasoning among the output; None without a count."""
    counted = data.get("usage") if isinstance(data, Mapping) else None
    if not isinstance(counted, Mapping):
        return None
    prompt, output, total = (_count(counted.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    if prompt is None:
        return None
    # Some servers count reasoning only in the total.
    return Usage(prompt, max(output or 0, (total or 0) - prompt))


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None


def failure_in(data: Any) -> AnswerFault | None:
    """The failure that an answer with a status 2xx reports, as routers do; None if there is a message."""
    if not isinstance(data, Mapping):
        return AnswerFault(f"the answer {shortened(data, 80)} is not a JSON object")
    if error := data.get("error"):
        return _fault(error)
    choice = _choice(data)
    if choice is None:
        return AnswerFault("the answer has no choices")
    if error := choice.get("error"):
        return _fault(error)
    if (reason := _reason(choice)) in _FAILED:
        return AnswerFault(f"the server ended the output with {reason}")
    return None if isinstance(choice.get("message"), Mapping) else AnswerFault("the answer's choice has no message")


def _fault(error: Any) -> AnswerFault:
    """The failure in an error object; its code counts as the status if it is one."""
    if not isinstance(error, Mapping):
        return AnswerFault(f"the answer reports an error ({shortened(error, 200)})")
    words = next(
        (own for name in ("message", "detail", "type") if isinstance(own := error.get(name), str)), "no message"
    )
    code = next((own for name in ("code", "status") if (own := _status(error.get(name))) is not None), None)
    return AnswerFault(f"the answer reports an error ({words})", code)


def _status(code: Any) -> int | None:
    number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == len("500") else code
    return number if type(number) is int and 400 <= number <= 599 else None


def _reason(choice: Mapping[str, Any]) -> str:
    """Why the output ended, as the server states it."""
    found = choice.get("finish_reason")
    return found.lower() if isinstance(found, str) else ""


def _choice(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first choice; others are votes that nobody wants."""
    choices = data.get("choices")
    found = [one for one in choices if isinstance(one, Mapping)] if isinstance(choices, list) else []
    return next((one for one in found if one.get("index") == 0), found[0] if found else None)


def read_answer(data: Any, prompt: Prompt) -> Output:
    """The output in an answer; of the forms text and labels."""
    usage = usage_of(data)
    counts = {} if usage is None else {"tokens": usage.input, "output_tokens": usage.output}
    if (fault := failure_in(data)) is not None:
        return Output(error=fault.error, usage=counts)
    choice = _choice(data) or {}
    message, reason = choice["message"], _reason(choice)
    text, reasoning, refusal = _parts(message)
    if refusal or message.get("refusal") or reason in _REFUSED:
        words = refusal or str(message.get("refusal") or text)
        return Output(words, reasoning, "refused", usage=counts)
    if prompt.form == "labels":
        found = _label_probabilities(choice.get("logprobs"), prompt)
        if found is None:
            return Output(error="the answer has no log-probabilities of its first token", usage=counts)
        return Output(text, probabilities=found, label_mass=min(sum(found.values()), 1.0), usage=counts)
    finish: Finish = "length" if reason in ("length", "max_tokens") else "stop"
    return Output(text, reasoning, finish, usage=counts)


def _parts(message: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """Text, reasoning and refusal of a message, whose content is a text, a list of parts, or null."""
    content = message.get("content")
    named = [own for name in ("reasoning_content", "reasoning") if isinstance(own := message.get(name), str) and own]
    if not isinstance(content, list):
        return content if isinstance(content, str) else "", named[0] if named else None, ""
    texts, reasoning, refusals = [], [], []
    for part in content:
        named_kind = part.get("type") if isinstance(part, Mapping) else "text"
        kind = named_kind if isinstance(named_kind, str) else ""
        words = _words(part, kind)
        if kind in _TEXT:
            texts.append(words)
        elif kind in _REASONING:
            reasoning.append(words)
        elif kind == "refusal":
            refusals.append(words or "refused")
    return "".join(texts), (named[0] if named else "".join(reasoning)) or None, "".join(refusals)


def _words(part: Any, kind: str) -> str:
    """The text of a part of a message's content."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return ""
    found = part.get("text", part.get(kind))
    return "".join(_words(one, kind) for one in found) if isinstance(found, list) else str(found or "")


def _label_probabilities(logprobs: Any, prompt: Prompt) -> dict[str, float] | None:
    """The probability of each label as the first token; several tokens with the same text count together.

    A label that is not listed is at most as probable as the last listed token. It has 0 if that is little beside the
    listed labels, and otherwise nothing is known of any label.

    Returns:
        None if no token is listed.
    """
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    first = content[0] if isinstance(content, list) and content else None
    tops = first.get("top_logprobs") if isinstance(first, Mapping) else None
    if not isinstance(tops, list) or not tops:
        return None
    found = dict.fromkeys(prompt.labels, 0.0)
    least = 1.0
    for one in tops:
        token, logprob = (one.get("token"), one.get("logprob")) if isinstance(one, Mapping) else (None, None)
        probability = _probability(logprob)
        least = min(least, probability)
        if isinstance(token, str) and token in found:
            found[token] += probability
    unknown = 0.0 in found.values() and least > _LITTLE * sum(found.values())
    return {} if unknown else found


def _probability(logprob: Any) -> float:
    """The probability of a logarithm; 0 if it is not a number."""
    is_number = type(logprob) in (int, float) and -1e9 < logprob < 1e9
    return math.exp(min(logprob, 0.0)) if is_number else 0.0
