"""An HTTP server on a real socket of this machine whose behaviour a test scripts, request by request.

def script(request: Received) -> Answer:
    return json_answer({"score": len(request.json["input"])}) if request.path == "/score" else hang()

with serve(script) as server:
    Server(server.url, ServerOptions())
    server.received[0].headers["authorization"]
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

__all__ = [
    "Answer",
    "Received",
    "Scripted",
    "bomb",
    "cut",
    "drip",
    "free_port",
    "hang",
    "huge",
    "json_answer",
    "packed",
    "redirect",
    "reset",
    "serve",
    "text_answer",
]


@dataclass(frozen=True)
class Received:
    """A request as the server got it; names of headers are in lower case."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the server does with a request.

    Attributes:
        body: Whole, or pieces that are produced while they are sent.
        length: The Content-Length that is stated; None states the body's own, and chunks are used for pieces.
        wait: Seconds before the first byte.
        pause: Seconds before each piece of the body.
        cut_after: Bytes of the whole answer after which the connection ends.
        abrupt: Whether the connection ends by a reset.
        raw: Bytes that are sent instead of all that.
        keep: Whether the connection stays open after `raw`.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    length: int | None = None
    wait: float = 0.0
    pause: float = 0.0
    cut_after: int | None = None
    abrupt: bool = False
    raw: bytes | None = None
    keep: bool = False


Script = Callable[[Received], Answer]


def json_answer(data: Any, status: int = 200, *, wait: float = 0.0, **headers: str) -> Answer:
    """JSON, with headers such as `retry_after="3"`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, json.dumps(data).encode(), wait=wait)


def text_answer(text: str, status: int = 200, content_type: str = "text/html") -> Answer:
    return Answer(status, {"content-type": content_type}, text.encode())


def redirect(address: str, status: int = 307) -> Answer:
    return Answer(status, {"location": address})


def hang() -> Answer:
    """No answer; the connection stays open."""
    return Answer(wait=3600)


def cut(data: Any, after: int = 80) -> Answer:
    """The beginning of an answer: the connection ends within it."""
    return Answer(200, {"content-type": "application/json"}, json.dumps(data).encode(), cut_after=after)


def reset(after: int = 0) -> Answer:
    """A connection that is reset before the answer, or within it."""
    return Answer(body=b" " * (after + 100), cut_after=after, abrupt=True)


def drip(data: Any, pause: float = 0.05) -> Answer:
    """A correct answer that takes long because each byte comes alone."""
    text = json.dumps(data).encode()
    return Answer(200, {}, (text[place : place + 1] for place in range(len(text))), length=len(text), pause=pause)


def huge(size: int = 2 << 30, stated: bool = False) -> Answer:
    """A body of 2 GB, generated while it is sent."""
    piece = b"[" + b"0," * ((1 << 15) - 1) + b" "
    return Answer(200, {}, (piece for _ in range(size // len(piece))), length=size if stated else None)


def bomb(size: int = 1 << 30) -> Answer:
    """A body of 1 MB that grows to 1 GB when it is decompressed."""
    return Answer(200, {"content-encoding": "gzip"}, _bomb(size))


_bombs: dict[int, bytes] = {}


def _bomb(size: int) -> bytes:
    if size not in _bombs:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        piece = b" " * (1 << 20)
        _bombs[size] = b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()
    return _bombs[size]


def packed(data: Any) -> Answer:
    """JSON, compressed though nobody wants it so."""
    return Answer(200, {"content-encoding": "gzip"}, gzip.compress(json.dumps(data).encode()))


class _Protocol(asyncio.StreamReaderProtocol):
    """Remembers its connection as long as that is open."""

    def __init__(
        self,
        transports: set[asyncio.WriteTransport],
        connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
    ) -> None:
        super().__init__(asyncio.StreamReader(), connected)
        self._open = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._made = transport
        self._open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._made)
        super().connection_lost(exc)


class Scripted:
    """The running server.

    Attributes:
        url: Its address.
        received: All requests, in the order in which they came.
        most: Largest number of requests that were open at the same time.
    """

    def __init__(self, script: Script, port: int = 0) -> None:
        self.script = script
        self.received: list[Received] = []
        self.most = 0
        self._open = 0
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    async def _start(self) -> None:
        def protocol() -> _Protocol:
            return _Protocol(self._transports, self._connected)

        self._server = await self._loop.create_server(protocol, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """End the server and all its connections, as a process that is killed does."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        # asyncio loses connections that it is accepting when their server is closed.
        while asyncio.all_tasks() - self._tasks - {asyncio.current_task()}:
            await asyncio.sleep(0)
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for transport in self._transports:
                transport.abort()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(others, timeout=0.05)
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # A client may leave at any moment.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while (request := await self._read(reader)) is not None and await self._answered(request, writer):
                    pass
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Received | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.rstrip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Received(len(self.received), method, path, headers, body)
        self.received.append(request)
        return request

    async def _answered(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        self._open += 1
        self.most = max(self.most, self._open)
        try:
            answer = self.script(request)
            if answer.wait:
                await asyncio.sleep(answer.wait)
            left = answer.cut_after
            for piece in _pieces(answer):
                part = piece if left is None else piece[:left]
                writer.write(part)
                await writer.drain()
                if left is not None and (left := left - len(part)) <= 0:
                    break
                if answer.pause:
                    await asyncio.sleep(answer.pause)
        finally:
            self._open -= 1
        if answer.abrupt:
            own: socket.socket = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return answer.cut_after is None and (answer.raw is None or answer.keep) and not answer.abrupt


def _pieces(answer: Answer) -> Iterator[bytes]:
    """The bytes of an answer."""
    if answer.raw is not None:
        yield answer.raw
        return
    whole = isinstance(answer.body, bytes)
    length = (
        answer.length if answer.length is not None else len(answer.body) if isinstance(answer.body, bytes) else None
    )
    sized = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
    lines = [
        f"HTTP/1.1 {answer.status} Scripted",
        *(f"{name}: {value}" for name, value in (sized | answer.headers).items()),
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    if whole:
        assert isinstance(answer.body, bytes)
        yield head + answer.body
        return
    yield head
    for piece in answer.body:
        assert isinstance(piece, bytes)
        yield piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
    if length is None:
        yield b"0\r\n\r\n"


@contextlib.contextmanager
def serve(script: Script, port: int = 0) -> Iterator[Scripted]:
    """Runs a scripted server in a thread."""
    server = Scripted(script, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
