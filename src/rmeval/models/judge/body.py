"""The body of a call of chat/completions, and how it adapts to what a server refuses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from rmeval.errors import ModelError
from rmeval.protocols.judging import Asked, JudgeOptions, Sampling

__all__ = ["Body"]

logger = logging.getLogger(__name__)

_TOP = 20
"""Log-probabilities of the first token: what OpenAI and vLLM allow at most."""
_OLD, _NEW = "max_tokens", "max_completion_tokens"
_OPTIONAL: Mapping[str, re.Pattern[str]] = {
    "temperature": re.compile(r"\btemperature\b"),
    "top_p": re.compile(r"\btop_p\b"),
    "seed": re.compile(r"\bseed\b"),
    "response_format": re.compile(r"response_format|json_schema|structured.output|grammar"),
}
"""Fields that some servers refuse, and by which words they do."""
_NEW_HOSTS = ("api.openai.com",)
"""Servers that refuse `max_tokens` for some models and take the newer name for all."""


class Body:
    """Writes the body of each call.

    Attributes:
        adapted: What was changed because the server refused it, by the field's name.
    """

    def __init__(self, model: str, sampling: Sampling, options: JudgeOptions, host: str = "") -> None:
        """Choose the fields.

        Args:
            model: Name of the model at the server.
            sampling: How the judge writes.
            options: The user's fields, and whether a sampling option is the user's.
            host: The server's host, which may need other names.
        """
        self._model = model
        self._sampling = sampling
        self._options = options
        self._limit = _NEW if host.endswith(_NEW_HOSTS) else _OLD
        self.adapted: dict[str, str] = {}

    def of(self, one: Asked) -> dict[str, Any]:
        """The body of a call."""
        sampling, prompt = self._sampling, one.prompt
        temperature = sampling.temperature if one.temperature is None else one.temperature
        found: dict[str, Any] = {
            "model": self._model,
            "messages": [message.to_dict() for message in prompt.messages],
            "temperature": temperature,
        }
        if prompt.form == "labels":
            found |= {self._limit: 1, "logprobs": True, "top_logprobs": _TOP}
        else:
            found[self._limit] = one.limit
            if sampling.top_p != 1:  # Some servers refuse it beside a temperature.
                found["top_p"] = sampling.top_p
            if temperature or "temperature" in self.adapted:
                found["seed"] = one.seed
            if prompt.schema is not None:
                found["response_format"] = _format(prompt.schema)
        for name in self.adapted.keys() & found.keys():
            del found[name]
        more = self._options.judge_kwargs
        if more.keys() & {_OLD, _NEW}:
            del found[self._limit]
        return {name: value for name, value in (found | dict(more)).items() if value is not None}

    def adapt(self, error: str, one: Asked) -> bool:
        """Change what a server refuses with a status 400 or 422; return whether that is possible.

        Raises:
            ModelError: If it refuses what the user or the protocol needs.
        """
        words, sent = error.lower(), self.of(one)
        if "logprobs" in words and one.prompt.form == "labels":
            raise ModelError(
                f"the server returns no log-probabilities of {self._model} ({error}): choose a `protocol` that reads "
                "text, such as five-way, or a server that returns them, such as vLLM"
            )
        if self._limit == _OLD and _OLD in sent and _NEW in words:
            self._limit = _NEW
            self.adapted[_OLD] = f"sent as {_NEW}"
            return True
        for name, pattern in _OPTIONAL.items():
            if name in sent and pattern.search(words):
                self._leave_out(name, error)
                return True
        return False

    def _leave_out(self, name: str, error: str) -> None:
        if name in self._options.judge_kwargs:
            raise ModelError(f"{self._model} refuses {name} ({error}): leave it out of `judge_kwargs`")
        if getattr(self._options, name, None) is not None:
            raise ModelError(f"{self._model} refuses `{name}` ({error}): leave it out")
        self.adapted[name] = "left out"
        logger.warning("%s refuses %s (%s): it is left out of all calls", self._model, name, error)


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "verdict", "schema": dict(schema), "strict": True}}
