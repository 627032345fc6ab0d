"""Measure calls of a judge per second against a bare asynchronous client, at equal concurrency.

python -m perf.judges [--requests N] [--rounds N] [--out FILE]

Both send the same bodies to the same server. The bare client reads the text of each answer; rmeval also writes the
prompts, retries, keeps budgets, and reads the verdicts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from perf.machine import machine
from perf.transport import Echo, every, free_address
from rmeval.models.judge.chat import ChatJudge
from rmeval.models.judge.model import Judge
from rmeval.models.options import model_options
from rmeval.protocols.registry import judge_protocol
from rmeval.types import Message, Request

LATENCIES = (0.0, 0.05)
CONCURRENCIES = (8, 64)
OPTIONS = model_options(protocol="five-way")
ANSWER = {
    "id": "chatcmpl-0123456789abcdef",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "judge",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": f"{'Both name the capital. ' * 20}\n\n[[A>B]]"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 700, "total_tokens": 820, "completion_tokens": 120},
}
MODELS = {"object": "list", "data": [{"id": "judge", "object": "model"}]}


class Chat(Echo):
    """Answers each request with a verdict, or with the list of models."""

    data = ANSWER

    def data_received(self, data: bytes) -> None:
        """Answer a request of the list at once."""
        if not self.received and data.startswith(b"GET "):
            self.transport.write(self.encoded(MODELS))
            return
        super().data_received(data)


async def serve(port: int, latency: float) -> None:
    """Serve until the process ends."""
    Chat.latency = latency
    server = await asyncio.get_running_loop().create_server(Chat, "127.0.0.1", port)
    await server.serve_forever()


@contextlib.contextmanager
def serving(latency: float) -> Iterator[str]:
    """A server in a process of its own; yields its address."""
    port, up = free_address()
    process = subprocess.Popen([sys.executable, "-m", "perf.judges", "--serve", str(port), str(latency)])
    try:
        up()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def requests(count: int) -> list[Request]:
    """Pairs of responses of about 300 tokens each."""
    text = "The capital of the country is a city on a river, and its name has changed twice. " * 15
    prompt = (Message("user", "What is the capital?"),)
    return [Request(f"{n:032x}", f"item {n}", (0, 1), prompt, (f"{n} {text}", f"{text} {n}")) for n in range(count)]


def rmeval_judge(address: str, every_request: Sequence[Request], concurrency: int) -> None:
    """Run a judge, from the first connection on."""
    options = model_options(protocol="five-way", concurrency=concurrency)
    asking = judge_protocol(options.judge)
    judge = Judge(ChatJudge(address, None, options, asking.sampling), asking)
    found = [one.choice for batch in judge.observe(every_request) for one in batch]
    assert found == [0] * len(every_request)


def bare_httpx2(address: str, bodies: Sequence[dict[str, object]], concurrency: int) -> None:
    """A loop around `AsyncClient.post`: no retries, no budgets, no verdicts."""
    import httpx2

    async def run() -> list[str]:
        limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        left = iter(bodies)
        async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

            async def one() -> str:
                answer = await client.post(f"{address}/v1/chat/completions", json=next(left))
                answer.raise_for_status()
                return str(answer.json()["choices"][0]["message"]["content"])

            return await every(one, len(bodies), concurrency)

    assert all(text.endswith("[[A>B]]") for text in asyncio.run(run()))


def rows(count: int, rounds: int) -> Iterator[str]:
    """Measure both in turns, in an order that changes; yield a line for each latency and concurrency."""
    asked = requests(count)
    for latency in LATENCIES:
        with serving(latency) as address:
            asking = judge_protocol(OPTIONS.judge)
            judge = Judge(ChatJudge(address, None, OPTIONS, asking.sampling), asking)
            bodies = [judge.backend.body(judge.asked(one)) for one in asked]  # type: ignore[attr-defined]
            for concurrency in CONCURRENCIES:
                ways: dict[str, Callable[[], None]] = {
                    "httpx2": partial(bare_httpx2, address, bodies, concurrency),
                    "rmeval": partial(rmeval_judge, address, asked, concurrency),
                }
                found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
                for number in range(rounds):
                    for name in list(ways)[:: 1 if number % 2 else -1]:
                        found[name].append(timed(ways[name], count))
                yield _line(latency, concurrency, found)


def timed(run: Callable[[], None], count: int) -> tuple[float, float]:
    """Requests per second, and CPU milliseconds per request."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return count / (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu) / count


def _line(latency: float, concurrency: int, found: dict[str, list[tuple[float, float]]]) -> str:
    bare = [speed for speed, _ in found["httpx2"]]
    cells = [f"{1e3 * latency:.0f} ms", str(concurrency)]
    for own in found.values():
        speeds = [speed for speed, _ in own]
        ratio = statistics.median(one / other for one, other in zip(speeds, bare, strict=True))
        cells += [f"{statistics.median(speeds):.0f}", f"{ratio:.2f}", f"{statistics.median(cpu for _, cpu in own):.2f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the table to")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(int(given.serve[0]), float(given.serve[1])))
        return
    heads = " | ".join(f"{name}: requests/s | ratio | CPU ms" for name in ("httpx2", "rmeval"))
    lines = [
        f"\n### Calls of a judge, {machine()}\n",
        f"{given.requests:,} calls of the protocol five-way from the first connection on, medians of {given.rounds} "
        "rounds in turns. *Ratio*: requests per second against the bare client of the same round.\n",
        f"| latency | in flight | {heads} |",
        f"|{'---|' * 8}",
    ]
    for line in rows(given.requests, given.rounds):
        print(line, file=sys.stderr)  # noqa: T201
        lines.append(line)
    text = "\n".join(lines)
    print(text)  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


if __name__ == "__main__":
    main()
