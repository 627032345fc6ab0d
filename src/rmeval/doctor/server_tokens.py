"""The token ids that a server reads, where it renders conversations itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rmeval.redaction import redacted
from rmeval.transport import Call, Server, ServerOptions
from rmeval.types import Request

if TYPE_CHECKING:
    from rmeval.rendering.chat import TokenArray

__all__ = ["server_tokens"]

_MOST = 64
"""Number of requests whose tokens are compared."""
_ABSENT = (400, 404, 405, 422, 501)


def server_tokens(
    url: str, options: ServerOptions, path: str, name: str | None, requests: Sequence[Request]
) -> Mapping[str, TokenArray] | str:
    """The token ids that a server renders the first requests to, or why they are unknown.

    Args:
        url: Address of the server.
        options: How it is called.
        path: The route that returns the tokens of messages, as vLLM's; empty if there is none.
        name: The served name of the model.
        requests: Pointwise requests.
    """
    unknown = f"unknown, as {redacted(url)} renders conversations itself and does not show their tokens"
    if not path:
        return unknown
    named = {} if name is None else {"model": name}
    server = Server(url.rstrip("/").removesuffix("/v1"), options)
    found: dict[str, TokenArray] = {}
    try:
        for request in requests[:_MOST]:
            messages = [message.to_dict() for message in request.conversation]
            # As the dialects send messages to be scored.
            body = {**named, "messages": messages, "add_generation_prompt": False, "add_special_tokens": False}
            reply = server.call(Call(request.key, path, body), accept=_ABSENT)
            tokens = reply.data.get("tokens") if isinstance(reply.data, Mapping) else None
            if isinstance(tokens, list) and all(type(token) is int for token in tokens):
                found[request.key] = np.array(tokens, np.int32)
    finally:
        server.close()
    return found or unknown
