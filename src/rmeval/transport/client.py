"""Single requests over kept connections: what is sent, and every way in which it can fail."""

from __future__ import annotations

import logging
import os
import ssl
from typing import Any

import httpcore2

from rmeval._version import __version__
from rmeval.errors import reason_of
from rmeval.transport.address import Address, proxy_of
from rmeval.transport.answers import Unpacker, UnreadableError, Words, json_data
from rmeval.transport.attempts import Attempt, Pace, retry_after
from rmeval.transport.connections import Connections
from rmeval.transport.options import ServerOptions

__all__ = ["Client"]

# The library logs the headers of answers at the level DEBUG, and some servers repeat the key there.
logging.getLogger("httpcore2").setLevel(logging.INFO)

_LONGEST_REASON = 64 << 10
"""Bytes that are read of an answer that reports a failure."""


class Client:
    """Sends requests to one server. It never follows a redirect, keeps no cookies, and logs nothing.

    Attributes:
        via: The proxy on the way, for messages; empty without one.
    """

    def __init__(self, address: Address, options: ServerOptions, pace: Pace, key: str) -> None:
        """Prepare what all requests have in common; nothing is sent."""
        self._address = address
        self._pace = pace
        self._options = options
        self._words = Words(key)
        self._targets: dict[str, httpcore2.URL] = {}
        self._headers = [
            (b"Host", address.authority.encode("ascii")),
            (b"User-Agent", f"rmeval/{__version__}".encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
        ]
        if key:
            self._headers.append((b"Authorization", f"Bearer {key}".encode("ascii")))
        read = options.read_timeout
        self._extensions = {
            "timeout": {"connect": options.connect_timeout, "read": read, "write": read, "pool": None},
        }
        proxy = proxy_of(address)
        self.via = f" (through the proxy {proxy[0]})" if proxy else ""
        self._connections = Connections(address, proxy)

    async def attempt(self, method: str, path: str, content: bytes | None) -> Attempt:
        """Send one request, and return its end; no failure of the network raises an exception."""
        try:
            connection, response = await self._connections.send(self._request(method, path, content))
            readable = False
            try:
                found = await self._read(response)
                readable = True
            finally:
                # The rest of an answer whose length was wrong would come before the next one.
                await self._connections.release(connection, response, keep=readable)
            return found
        except UnreadableError as error:
            return Attempt(fault="body", error=self._words.clean(str(error)), status=200, permanent=error.permanent)
        except httpcore2.TimeoutException as error:
            return self._timed_out(error)
        except (httpcore2.ConnectError, httpcore2.ProxyError, UnicodeError) as error:
            return self._unreachable(error)
        except (httpcore2.ReadError, httpcore2.WriteError, OSError) as error:
            return self._failed("cut", "the connection was cut", error)
        except httpcore2.RemoteProtocolError as error:
            is_cut = "closed connection" in str(error) or "disconnected" in str(error)
            if is_cut:
                return self._failed("cut", "the connection was cut", error)
            return self._failed("protocol", "the answer is not HTTP", error)

    def _request(self, method: str, path: str, content: bytes | None) -> httpcore2.Request:
        if (url := self._targets.get(path)) is None:
            own = self._address
            url = httpcore2.URL(scheme=own.scheme, host=own.host, port=own.port, target=own.target(path))
            self._targets[path] = url
        headers = self._headers
        if content is not None:
            length = b"%d" % len(content)
            headers = [*headers, (b"Content-Type", b"application/json"), (b"Content-Length", length)]
        return httpcore2.Request(method, url, headers=headers, content=content, extensions=self._extensions)

    async def _read(self, response: httpcore2.Response) -> Attempt:
        status = response.status
        headers = {name.lower(): value for name, value in response.headers}
        if 200 <= status < 300:
            return Attempt(json_data(await _body(response, headers, self._pace.longest_body)), status=status)
        if 300 <= status < 400:
            where = self._words.clean(headers.get(b"location", b"nowhere").decode("latin-1"))
            return Attempt(
                fault="redirect",
                error=f"HTTP {status}: the server redirects to {where}, and redirects are not followed",
                status=status,
                permanent=True,
            )
        words = self._words.of(await _beginning(response))
        wait = retry_after(headers.get(b"retry-after", b"").decode("latin-1"), self._pace.longest_pause)
        error = f"HTTP {status}: {words}" if words else f"HTTP {status}"
        return Attempt(fault="status", error=error, status=status, retry_after=wait)

    def _timed_out(self, error: Exception) -> Attempt:
        if isinstance(error, httpcore2.ConnectTimeout):
            return Attempt(fault="connect", error=f"no connection within {self._options.connect_timeout:g} s")
        return Attempt(fault="timeout", error=f"no data for {self._options.read_timeout:g} s")

    def _unreachable(self, error: Exception) -> Attempt:
        cause = _cause(error, ssl.SSLError)
        if isinstance(cause, ssl.SSLError):
            plain = "WRONG_VERSION_NUMBER" in str(cause) or "RECORD_LAYER" in str(cause) or "HTTP_REQUEST" in str(cause)
            hint = "the server does not use TLS: write http:// in its address" if plain else reason_of(cause)
            return Attempt(fault="connect", error=self._words.clean(hint), permanent=True)
        return self._failed("connect", "no connection", error)

    def _failed(self, fault: Any, what: str, error: Exception) -> Attempt:
        return Attempt(fault=fault, error=self._words.clean(f"{what}: {_reason(_cause(error, OSError))}"))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException:
    """The first exception of a kind in the chain that led to another; the other itself if there is none."""
    found, step = error, error
    while step is not None:
        if isinstance(step, kind):
            found = step
        # A name with several addresses fails once for each.
        several = step.__cause__ or step.__context__
        step = several.exceptions[0] if isinstance(several, BaseExceptionGroup) else several  # type: ignore[assignment]
    return found


def _reason(error: BaseException) -> str:
    """The operating system's own words; asyncio's repeat the address."""
    is_system = isinstance(error, OSError) and error.errno is not None and error.errno > 0
    return os.strerror(error.errno) if is_system else reason_of(error)  # type: ignore[attr-defined]


async def _beginning(response: httpcore2.Response) -> bytes:
    """The beginning of a body; the rest is not read."""
    found = bytearray()
    async for piece in response.aiter_stream():
        found += piece
        if len(found) > _LONGEST_REASON:
            break
    return bytes(found[:_LONGEST_REASON])


async def _body(response: httpcore2.Response, headers: dict[bytes, bytes], most: int) -> bytearray:
    """The whole body, decompressed; an error as soon as it is too large."""
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    unpacker = None if encoding == "identity" else Unpacker(encoding)
    found = bytearray()
    async for piece in response.aiter_stream():
        found += piece if unpacker is None else unpacker.unpack(piece, most + 1 - len(found))
        if len(found) > most:
            raise UnreadableError(f"the answer is larger than {most >> 20} MB", permanent=True)
    if unpacker is not None:
        unpacker.finish()
    return found
