"""A server that is called over HTTP, as synchronous code uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rmeval.transport.calls import Call, Reply, Usage
from rmeval.transport.options import ServerOptions

__all__ = ["Server"]


class Server:
    """Calls one server; the event loop runs in a thread of its own, which starts with the first call."""

    def __init__(self, url: str, options: ServerOptions, usage: Callable[[Any], Usage | None] | None = None) -> None:
        """Check the address and the options; nothing is sent.

        Args:
            url: Address, such as `http://localhost:8000`; the paths of calls are appended.
            options: How the server is called.
            usage: Reads the tokens that an answer used, for budgets; without it, or where it returns None, the
                estimates of the calls count.

        Raises:
            ModelError: If the address or an option is not usable, or the package httpx2 is not installed.
        """
        raise NotImplementedError

    def call(self, call: Call) -> Reply:
        """Send one call, and again after failures that can heal.

        Raises:
            ModelError: If no retry can heal the failure: a refused connection, 401, 404.
        """
        raise NotImplementedError

    def stream(self, calls: Iterable[Call]) -> Iterator[list[Reply]]:
        """Send calls concurrently, and yield their replies in the order in which they come.

        Every call ends in exactly one reply. Calls are taken from the iterable in the caller's thread, a bounded
        number ahead.

        Raises:
            ModelError: After all replies that came are yielded: if the server refuses all calls, is dead, or a budget
                is spent.
            BaseException: After all replies that came are yielded: what was raised in this thread, such as by ctrl-C.
        """
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Return what happened so far, for the manifest: calls, attempts, retries, tokens, cost, latency."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections and end the thread."""
        raise NotImplementedError
