"""Measure requests per second and CPU time per request against bare clients, at equal concurrency.

python -m perf.transport [--requests N] [--rounds N] [--out FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from perf.machine import machine
from rmeval.transport import Call, Server, ServerOptions

BODY = {"model": "reward-model", "input": list(range(1_000, 1_300)), "use_activation": False}
"""A call with 300 token ids, as rmeval sends it to vLLM."""
ANSWER = {
    "id": "classify-0123456789abcdef",
    "object": "list",
    "created": 1_790_000_000,
    "model": "reward-model",
    "data": [{"index": 0, "label": "LABEL_0", "probs": [-1.2345678], "num_classes": 1}],
    "usage": {"prompt_tokens": 300, "total_tokens": 300, "completion_tokens": 0, "prompt_tokens_details": None},
}
LATENCIES = (0.0, 0.05)
CONCURRENCIES = (8, 64)

T = TypeVar("T")
Way = Callable[[str, int, int], None]
"""Sends a number of requests to an address with a number in flight."""


class Echo(asyncio.Protocol):
    """The smallest server: one answer for each request, after a fixed time."""

    latency = 0.0
    data: object = ANSWER

    @staticmethod
    def encoded(data: object) -> bytes:
        """An answer with its head."""
        body = json.dumps(data).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""
        self.answer = self.encoded(self.data)

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length :]
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, self.answer)


async def echo(port: int, latency: float) -> None:
    """Serve until the process ends."""
    Echo.latency = latency
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


def free_address() -> tuple[int, Callable[[], None]]:
    """A free port, and what waits until a server listens there."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]

    def up() -> None:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(0.05)

    return port, up


@contextlib.contextmanager
def serving(latency: float) -> Iterator[str]:
    """A server in a process of its own; yields its address."""
    port, up = free_address()
    process = subprocess.Popen([sys.executable, "-m", "perf.transport", "--serve", str(port), str(latency)])
    try:
        up()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def rmeval_stream(address: str, requests: int, concurrency: int) -> None:
    """Run rmeval's client, from the first connection on."""
    server = Server(address, ServerOptions(concurrency=concurrency))
    calls = (Call(number, "classify", BODY) for number in range(requests))
    found = [reply.data["data"][0]["probs"][0] for batch in server.stream(calls) for reply in batch]
    assert len(found) == requests
    server.close()


def bare_httpx2(address: str, requests: int, concurrency: int) -> None:
    """A loop around `AsyncClient.post`: no retries, no budgets, no limit on the size of an answer."""
    import httpx2

    async def run() -> list[float]:
        limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

            async def one() -> float:
                answer = await client.post(f"{address}/classify", json=BODY)
                answer.raise_for_status()
                return float(answer.json()["data"][0]["probs"][0])

            return await every(one, requests, concurrency)

    assert len(asyncio.run(run())) == requests


def bare_aiohttp(address: str, requests: int, concurrency: int) -> None:
    """The same with aiohttp, whose parser is compiled."""
    import aiohttp  # type: ignore[import-not-found,unused-ignore]

    async def run() -> list[float]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as client:

            async def one() -> float:
                async with client.post(f"{address}/classify", json=BODY) as answer:
                    answer.raise_for_status()
                    return float((await answer.json())["data"][0]["probs"][0])

            return await every(one, requests, concurrency)

    assert len(asyncio.run(run())) == requests


async def every(one: Callable[[], Awaitable[T]], requests: int, concurrency: int) -> list[T]:
    """Run a call a number of times, with a number in flight."""
    left = iter(range(requests))
    found: list[T] = []

    async def worker() -> None:
        for _ in left:
            value = await one()
            found.append(value)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return found


def measured(way: Way, address: str, requests: int, concurrency: int) -> tuple[float, float]:
    """Requests per second, and CPU milliseconds per request."""
    wall, cpu = time.perf_counter(), time.process_time()
    way(address, requests, concurrency)
    return requests / (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu) / requests


def rows(ways: dict[str, Way], requests: int, rounds: int) -> Iterator[str]:
    """Measure all ways in turns, in an order that changes; yield a line for each latency and concurrency."""
    for latency in LATENCIES:
        for concurrency in CONCURRENCIES:
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            with serving(latency) as address:
                for number in range(rounds):
                    for name in list(ways)[:: 1 if number % 2 else -1]:
                        found[name].append(measured(ways[name], address, requests, concurrency))
            bare = [speed for speed, _ in found["httpx2"]]
            cells = [f"{1e3 * latency:.0f} ms", str(concurrency)]
            for name in ways:
                speeds = [speed for speed, _ in found[name]]
                ratio = statistics.median(own / other for own, other in zip(speeds, bare, strict=True))
                cpu = statistics.median(cpu for _, cpu in found[name])
                cells += [f"{statistics.median(speeds):.0f}", f"{ratio:.2f}", f"{cpu:.2f}"]
            yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the table to")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(echo(int(given.serve[0]), float(given.serve[1])))
        return
    ways: dict[str, Way] = {"httpx2": bare_httpx2, "rmeval": rmeval_stream}
    if find_spec("aiohttp"):
        ways["aiohttp"] = bare_aiohttp
    heads = [f"{name}: requests/s | ratio | CPU ms" for name in ways]
    lines = [
        f"\n### Calls of a server, {machine()}\n",
        f"{', '.join(f'{name} {version(name)}' for name in ways if name != 'rmeval')}; {given.requests:,} calls of "
        f"{len(json.dumps(BODY)):,} bytes from the first connection on, medians of {given.rounds} rounds in turns. "
        "*Ratio*: requests per second against the bare httpx2 client of the same round.\n",
        f"| latency | in flight | {' | '.join(heads)} |",
        f"|{'---|' * (2 + 3 * len(ways))}",
    ]
    for line in rows(ways, given.requests, given.rounds):
        print(line, file=sys.stderr)  # noqa: T201
        lines.append(line)
    text = "\n".join(lines)
    print(text)  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


if __name__ == "__main__":
    main()
