"""Judges of many providers, through the package any-llm-sdk; retries, budgets and statuses stay rmeval's own."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from rmeval.data.json_text import with_whole_characters
from rmeval.errors import ModelError, reason_of
from rmeval.extras import need_extra
from rmeval.messages import chosen_from, shortened
from rmeval.models.judge.answers import failure_in, usage_of
from rmeval.models.judge.chat import PACE, ChatJudge
from rmeval.models.options import ModelOptions
from rmeval.protocols.judging import HowRead
from rmeval.transport import Server
from rmeval.transport.answers import Words
from rmeval.transport.attempts import Attempt, retry_after
from rmeval.transport.options import ServerOptions

__all__ = ["ANY_LLM", "AnyLLMJudge", "model_of"]

ANY_LLM = "any-llm:"
"""Beginning of the name of a model that any-llm calls: `any-llm:PROVIDER/MODEL`."""
_STATUSES: Mapping[str, int] = {
    "RateLimitError": 429,
    "AuthenticationError": 401,
    "MissingApiKeyError": 401,
    "InsufficientFundsError": 402,
    "ModelNotFoundError": 404,
    "InvalidRequestError": 400,
    "ContextLengthExceededError": 400,
    "UnsupportedParameterError": 400,
    "UpstreamProviderError": 502,
    "GatewayTimeoutError": 504,
}
"""The HTTP status that an error of any-llm stands for, where the provider's own is not known."""
_WORDS: Mapping[str, str] = {
    "ContextLengthExceededError": "context length: ",
    "ModelNotFoundError": "model not found: ",
}
"""What rmeval looks for in the words of servers, before the words of any provider."""
_OWN_KEY = ServerOptions().api_key_env
_LOGGERS = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "any_llm")
"""Loggers that write a line for each call, some of them with its address, of which Gemini's contains the key."""


@runtime_checkable
class _Closes(Protocol):
    """A client of a provider's package."""

    def close(self) -> Any:
        """Close the connections, now or when it is awaited."""


def model_of(spec: str) -> str:
    """The model's name at the provider; other names of models are returned unchanged."""
    return spec.removeprefix(ANY_LLM).partition("/")[2] if spec.startswith(ANY_LLM) else spec


class AnyLLMJudge(ChatJudge):
    """Sends one call for each request, in the form of chat/completions, which any-llm translates for each provider."""

    def __init__(self, spec: str, options: ModelOptions, asking: HowRead) -> None:
        """Find the provider and its key; nothing is sent.

        Args:
            spec: `any-llm:PROVIDER/MODEL`.
            options: How the provider is called.
            asking: The protocol.

        Raises:
            ModelError: If there is no such provider, or no key.
            RmevalError: If any-llm or a package of the provider is not installed.
        """
        self._provider, model = spec.removeprefix(ANY_LLM).partition("/")[0], model_of(spec)
        if not self._provider or not model:
            raise ModelError(f"{shortened(spec, 80)} names no model: write it as {ANY_LLM}PROVIDER/MODEL")
        if asking.form == "decision":
            raise ModelError(f"any-llm returns no decisions, which {asking.name} reads: give the address of a server")
        client = _Client(self._provider, options)
        where = f"{ANY_LLM}{self._provider}"
        own = replace(options.server, api_key_env=client.variable)
        server = Server(where, own, usage_of, PACE, failure_in, client)
        super().__init__(where, model, options, asking.sampling, server)

    def identity(self) -> dict[str, Any]:
        """The provider and the model's name there, and the further fields of each call."""
        return super().identity() | {"model": f"{ANY_LLM}{self._provider}/{self.name}"}


class _Client:
    """Makes attempts through any-llm, whose own retries are off where the provider's package has them.

    Attributes:
        via: Empty, as nothing is between any-llm and the provider.
        variable: The environment variable with the key.
    """

    via = ""

    def __init__(self, provider: str, options: ModelOptions) -> None:
        try:
            from any_llm import AnyLLM
            from any_llm.exceptions import AnyLLMError
        except ImportError as error:
            raise need_extra(error, f"{ANY_LLM}{provider}", "any-llm") from error
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        names = sorted(map(str, AnyLLM.get_supported_providers()))
        if provider not in names:
            raise ModelError(f"any-llm has no provider {shortened(provider, 40)!r}: {chosen_from(provider, names)}")
        made = AnyLLM.get_provider_class(provider)
        stated = str(made.ENV_API_KEY_NAME).split("/")
        given = options.server.api_key_env
        self.variable = given if given != _OWN_KEY else next((one for one in stated if os.environ.get(one)), stated[0])
        self._error: type[Exception] = AnyLLMError
        self._create = AnyLLM.create
        self._provider = provider
        self._arguments = {
            "api_key": os.environ.get(self.variable),
            "api_base": options.judge.base_url,
            "unified_exceptions": True,
            **({} if made.MAX_RETRIES_SUPPORT == "unsupported" else {"max_retries": 0}),
        }
        self._timeout = None if made.TIMEOUT_SUPPORT == "unsupported" else options.server.read_timeout
        self._words = Words(os.environ.get(self.variable, ""))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._model = self._made()

    def _made(self) -> Any:
        try:
            return self._create(self._provider, **self._arguments)
        except ImportError as error:
            raise ModelError(
                f"the provider {self._provider} needs packages of its own ({self._words.clean(reason_of(error))}): pip "
                f"install 'any-llm-sdk[{self._provider}]'"
            ) from error
        except self._error as error:
            raise ModelError(
                f"any-llm cannot call {self._provider} ({self._words.clean(str(error))}): set the environment variable "
                f"{self.variable} to its key, or name another one with `api_key_env`"
            ) from error

    async def attempt(self, method: str, path: str, content: bytes | None) -> Attempt:
        """Send one request, and return its end."""
        # Connections belong to the loop in which they are opened.
        if self._loop is not (loop := asyncio.get_running_loop()):
            self._loop, self._model = loop, self._made()
        body = json.loads(content or b"{}")
        timeout = {} if self._timeout is None else {"timeout": self._timeout}
        try:
            answer = await self._model.acompletion(**body, **timeout)
            return Attempt(data=with_whole_characters(answer.model_dump(mode="json", exclude_none=True)))
        except self._error as error:
            return self._failed(error)
        except (NotImplementedError, TypeError) as error:
            return Attempt(fault="status", error=self._words.clean(reason_of(error)), status=400)
        except (OSError, ValueError) as error:
            return Attempt(fault="body", error=self._words.clean(reason_of(error)))

    def _failed(self, error: Any) -> Attempt:
        """The end of a request that failed; `error` is any-llm's."""
        kind, status = type(error).__name__, error.status_code
        words = _WORDS.get(kind, "") + self._words.clean(str(error.message))
        if kind == "ContentFilterError":
            refused = {"message": {"content": None, "refusal": words}, "finish_reason": "content_filter"}
            return Attempt(data={"choices": [refused]})
        if status is None or 200 <= status < 300:
            status = _STATUSES.get(kind)
        if status is not None:
            wait = retry_after(error.retry_after, PACE.longest_pause) if kind == "RateLimitError" else 0.0
            return Attempt(fault="status", error=f"HTTP {status}: {words}", status=status, retry_after=wait)
        cause = type(error.original_exception).__name__
        fault = "timeout" if "Timeout" in cause else "connect" if "Connect" in cause else "body"
        return Attempt(fault=fault, error=words)  # type: ignore[arg-type]

    async def aclose(self) -> None:
        """Close the connections of the provider's client, which its package names as it likes."""
        for own in vars(self._model).values():
            if isinstance(own, _Closes):
                closed = own.close()
                if inspect.isawaitable(closed):
                    await closed
