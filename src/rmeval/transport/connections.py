"""Connections to one server: opened when none is idle, and kept for the next request."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import httpcore2

from rmeval.transport.address import Address

__all__ = ["Connections"]

_IDLE = 4.0
"""Seconds after which an unused connection is closed: servers close theirs after 5 (uvicorn, and so vLLM)."""


class Connections:
    """Sends requests, each over a connection of its own while it lasts.

    httpcore's pool looks at all connections, and asks the system about each idle one, before and after every request:
    with 64 of them that takes longer than the rest of a call. Its limits are not needed, because callers limit the
    number of calls in flight, so that here the connection that was used last is taken.
    """

    def __init__(self, address: Address, proxy: tuple[str, tuple[str, str] | None] | None) -> None:
        """Prepare the connections; none is opened.

        Args:
            address: The server.
            proxy: The proxy on the way with its user and password, if there is one.
        """
        self._pool = _pool(address, proxy)
        self._idle: deque[tuple[float, httpcore2.AsyncConnectionInterface]] = deque()

    async def send(self, request: httpcore2.Request) -> tuple[httpcore2.AsyncConnectionInterface, httpcore2.Response]:
        """Send a request, and return its connection and the beginning of its answer, both for `release`.

        A server that sends more than it announced, or two answers, must not answer the next call with that: a
        connection on which something is left of an earlier answer is closed, and another one is used.
        """
        while True:
            connection = await self._connection(request)
            try:
                response = await connection.handle_async_request(request)
            except httpcore2.RemoteProtocolError:
                await connection.aclose()
                if (stream := _written.get()) is None or stream.is_sent:
                    raise
                continue
            except BaseException:
                await connection.aclose()
                raise
            if response.extensions["network_stream"].is_sent:
                return connection, response
            await self.release(connection, response, keep=False)

    async def _connection(self, request: httpcore2.Request) -> httpcore2.AsyncConnectionInterface:
        """The connection that was used last, or a new one."""
        now = time.monotonic()
        while self._idle and now - self._idle[0][0] > _IDLE:
            await self._idle.popleft()[1].aclose()
        while self._idle:
            _, connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return self._pool.create_connection(request.url.origin)

    async def release(
        self, connection: httpcore2.AsyncConnectionInterface, response: httpcore2.Response, keep: bool
    ) -> None:
        """End an answer.

        Args:
            connection: Its connection.
            response: The answer.
            keep: Whether the connection may send another request, which it does if all of the answer was read.
        """
        await response.aclose()
        if keep and connection.is_idle():
            self._idle.append((time.monotonic(), connection))
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close all idle connections; requests in flight close theirs when they are cancelled."""
        while self._idle:
            await self._idle.pop()[1].aclose()


def _pool(address: Address, proxy: tuple[str, Any] | None) -> httpcore2.AsyncConnectionPool:
    """What makes connections."""
    common: dict[str, Any] = {"keepalive_expiry": _IDLE, "network_backend": _Network()}
    if address.scheme == "https":
        import httpx2

        common["ssl_context"] = httpx2.create_ssl_context()
    if proxy:
        where, user = proxy
        return httpcore2.AsyncHTTPProxy(where, proxy_auth=user, **common)
    return httpcore2.AsyncConnectionPool(**common)


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection that sends each request as one piece, when the first byte of its answer is wanted.

    So a request is still unsent if its answer was there before it; such an answer belongs to no request.
    """

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner
        self._unsent = b""

    @property
    def is_sent(self) -> bool:
        """Whether the last request was sent."""
        return not self._unsent

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent += buffer
        _written.set(self)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            # A server may answer and close before it has read everything; the answer is read next.
            with suppress(httpcore2.WriteError):
                await self._inner.write(unsent, timeout)
        return await self._inner.read(max_bytes, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


_written: ContextVar[_Stream | None] = ContextVar("_written", default=None)
"""The connection to which the current task wrote last."""


class _Network(httpcore2.AsyncNetworkBackend):
    """Opens connections of that kind."""

    def __init__(self) -> None:
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))
