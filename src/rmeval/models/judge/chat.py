"""Judges behind an OpenAI-compatible server, by its route chat/completions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rmeval.errors import ModelError
from rmeval.messages import shortened
from rmeval.models.options import ModelOptions
from rmeval.protocols.judging import Asked, Output, Sampling
from rmeval.redaction import redacted
from rmeval.transport import Call, Server, Usage

__all__ = ["ChatJudge"]

_PATH = "v1/chat/completions"


class ChatJudge:
    """Sends one call for each request."""

    def __init__(self, url: str, model: str | None, options: ModelOptions, sampling: Sampling) -> None:
        """Find the server and the model; nothing is asked yet.

        Args:
            url: Address of the server, with or without `/v1`.
            model: Name of the model there; None if it serves only one.
            options: How the server is called.
            sampling: How the judge writes.

        Raises:
            ModelError: If the server cannot be reached, or serves several models and none is named.
        """
        self._address = redacted(url)
        self._server = Server(url.rstrip("/").removesuffix("/v1"), options.server, usage_of)
        self._sampling = sampling
        self._more = dict(options.judge.judge_kwargs)
        self.name = model or self._only_model()

    def _only_model(self) -> str:
        data = self._server.call(Call(None, "v1/models", method="GET")).data
        listed = data.get("data") if isinstance(data, Mapping) else None
        names = [one.get("id") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
        if len(names) != 1 or not isinstance(names[0], str):
            raise ModelError(f"the server at {self._address} serves {len(names)} models: name one with `served_model`")
        return names[0]

    def identity(self) -> dict[str, Any]:
        """The model's name at the server, and the further fields of each call."""
        return {"model": f"chat:{self.name}", **({"judge_kwargs": self._more} if self._more else {})}

    def facts(self) -> dict[str, Any]:
        """What was called."""
        return {"served_model": self.name, "server": self._server.facts()}

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request with its output."""
        for replies in self._server.stream(map(self._call, asked)):
            yield [
                (reply.call.key, Output(error=reply.error) if reply.error is not None else _output(reply.data))
                for reply in replies
            ]

    def _call(self, one: Asked) -> Call:
        body = {
            "model": self.name,
            "messages": [message.to_dict() for message in one.prompt.messages],
            "temperature": self._sampling.temperature,
            "top_p": self._sampling.top_p,
            "max_tokens": one.limit,
            **({"seed": one.seed} if self._sampling.temperature else {}),
            **self._more,
        }
        return Call(one, _PATH, body, one.limit)


def _output(data: Any) -> Output:
    """The output in an answer."""
    try:
        choice = data["choices"][0]
        message = choice["message"]
        usage = usage_of(data) or Usage(0)
        return Output(
            text=message.get("content") or "",
            reasoning=message.get("reasoning_content") or message.get("reasoning"),
            finish="length" if choice.get("finish_reason") == "length" else "stop",
            usage={"tokens": usage.input, "output_tokens": usage.output},
        )
    except (AttributeError, LookupError, TypeError):
        return Output(error=f"the answer {shortened(data, 80)} contains no message")


def usage_of(data: Any) -> Usage | None:
    """The tokens that a server counted for an answer."""
    counted = data.get("usage") if isinstance(data, Mapping) else None
    if not isinstance(counted, Mapping):
        return None
    numbers = [counted.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*numbers) if all(type(one) is int and one >= 0 for one in numbers) else None  # type: ignore[arg-type]
