"""A server that does everything wrong: each call ends in one reply, and memory stays bounded."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from rmeval.transport import Call, Reply, Server, ServerOptions
from rmeval.transport.attempts import Pace
from tests.command import process
from tests.http_server import (
    Answer,
    Received,
    bomb,
    cut,
    drip,
    hang,
    huge,
    json_answer,
    packed,
    redirect,
    reset,
    serve,
    text_answer,
)

PACE = Pace(first_wait=0.002, longest_wait=0.01, longest_pause=0.005, patience=60, longest_body=1 << 20)
OPTIONS = ServerOptions(concurrency=32, retries=3, read_timeout=0.4, timeout=2.5)

LASTING = {
    "hang": 2,
    "drip": 2,
    "huge": 3,
    "stated": 3,
    "bomb": 3,
    "long": 2,
    "cut": 40,
    "short": 40,
    "nan": 40,
    "infinite": 40,
    "400": 60,
    "500": 40,
    "429": 20,
    "redirect": 60,
    "reset": 40,
    "empty": 40,
    "broken": 40,
    "html": 40,
    "nested": 40,
    "half": 40,
    "garbage": 20,
    "twice": 60,
}
"""How many calls meet which fault at each attempt."""
HEALING = {"500", "503", "429", "date", "cut", "reset", "half", "broken", "empty", "garbage", "408"}
"""Faults that a call meets at its first attempt only."""
FAULTS = {
    "hang": {"timeout"},
    "drip": {"timeout"},
    "long": {"timeout"},
    "redirect": {"redirect"},
    "400": {"status"},
    "500": {"status"},
    "429": {"status"},
    "cut": {"cut"},
    "reset": {"cut"},
    "half": {"cut"},
    "garbage": {"protocol"},
}
"""The faults that replies state; `body` for all others."""
RETRIED = {"500", "429", "cut", "reset", "half", "empty", "broken", "html", "garbage"}
CALLS = 2_000


GOOD = {"scores": [0.25] * 30}
BOMB = bomb(256 << 20)
PLAIN: dict[str, Callable[[Any], Answer]] = {
    "good": json_answer,
    "packed": packed,
    "hang": lambda good: hang(),
    "drip": drip,
    "huge": lambda good: huge(),
    "stated": lambda good: huge(stated=True),
    "bomb": lambda good: BOMB,
    "cut": lambda good: cut(good, after=90),
    "half": lambda good: reset(after=60),
    "reset": lambda good: reset(),
    "nan": lambda good: Answer(body=b'{"n": NaN}'),
    "infinite": lambda good: Answer(body=b'{"n": 1e999}'),
    "400": lambda good: json_answer({"error": {"message": "this one is too long"}}, 400),
    "408": lambda good: json_answer({}, 408),
    "500": lambda good: text_answer("<html><title>Oops</title></html>", 500),
    "503": lambda good: text_answer("", 503),
    "429": lambda good: json_answer({"detail": "slow down"}, 429, retry_after="3"),
    "date": lambda good: json_answer({}, 429, retry_after="Fri, 31 Dec 2100 23:59:59 GMT"),
    "empty": lambda good: Answer(),
    "broken": lambda good: Answer(body=b'{"n": 1, "scores": [0.1, '),
    "html": lambda good: text_answer("<!DOCTYPE html><title>Welcome</title>"),
    "nested": lambda good: Answer(body=b"[" * 100_000),
    "garbage": lambda good: Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
}


def answer(kind: str, number: int, elsewhere: str) -> Answer:
    """What the server does."""
    good = {"n": number} | GOOD
    if kind in PLAIN:
        return PLAIN[kind](good)
    if kind == "redirect":
        return redirect(f"{elsewhere}/steal")
    body = json.dumps(good).encode()
    if kind == "twice":  # The answer, and another one that nobody wants.
        wrong = b'{"n": -1}'
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
        return Answer(raw=head % len(body) + body + head % len(wrong) + wrong, keep=True)
    return Answer(body=body, length=len(body) + {"long": 10, "short": -10}[kind])


def kinds(seed: int) -> list[str]:
    """The kind of each call, in a random order; `heals:KIND` fails once."""
    draw = random.Random(seed)
    found = [kind for kind, count in LASTING.items() for _ in range(count)]
    found += [f"heals:{draw.choice(sorted(HEALING))}" for _ in range(300)] + ["packed"] * 50
    found += ["good"] * (CALLS - len(found))
    draw.shuffle(found)
    return found


@pytest.mark.parametrize("seed", [0])
@pytest.mark.slow
def test_each_call_ends_in_one_reply(seed: int) -> None:
    wanted = kinds(seed)
    seen: Counter[int] = Counter()

    def script(request: Received) -> Answer:
        number = request.json["n"]
        kind = wanted[number]
        seen[number] += 1
        if kind.startswith("heals:"):
            kind = kind.removeprefix("heals:") if seen[number] == 1 else "good"
        return answer(kind, number, other.url)

    with serve(lambda request: json_answer({"stolen": 1})) as other, serve(script) as server:
        client = Server(server.url, OPTIONS, pace=PACE)
        replies = [one for batch in client.stream(Call(n, "score", {"n": n}) for n in range(CALLS)) for one in batch]
        facts = client.facts()
        client.close()
        assert other.received == []
    assert Counter(reply.call.key for reply in replies) == Counter(range(CALLS))
    for reply in replies:
        check(reply, wanted[reply.call.key])
    assert facts["calls"] == CALLS
    assert facts["requests"] == sum(reply.attempts for reply in replies)
    # Where an answer was already there, the request that it does not belong to was never sent.
    assert facts["requests"] >= sum(seen.values()) >= CALLS


def check(reply: Reply, kind: str) -> None:
    if kind in ("good", "packed", "twice") or kind.startswith("heals:"):
        assert (reply.error, reply.fault) == (None, None), (kind, reply.error)
        assert reply.data == {"n": reply.call.key} | GOOD
        return
    assert reply.data is None
    assert reply.fault in FAULTS.get(kind, {"body"}), (kind, reply)
    assert reply.attempts == (4 if kind in RETRIED and reply.fault != "timeout" else reply.attempts)
    assert reply.error
    assert len(reply.error) < 500
    assert "\n" not in reply.error


MEMORY = """
import resource
from rmeval.transport import Call, Server, ServerOptions
from rmeval.transport.attempts import Pace
server = Server({url!r}, ServerOptions(concurrency=8, retries=1), pace=Pace(longest_body=4 << 20, refusals=100))
assert server.call(Call(0, "good", {{}})).data == 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
calls = [Call(number, kind, {{}}) for number in range(4) for kind in ("huge", "stated", "bomb", "nested", "error")]
errors = sorted({{reply.error for batch in server.stream(calls) for reply in batch}})
print(*errors, sep="\\n")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_is_bounded() -> None:
    def script(request: Received) -> Answer:
        if request.path == "/good":
            return json_answer(1)
        if request.path == "/error":  # The reason of a failure may be endless too.
            return Answer(400, {}, (b"no " * 10_000 for _ in range(70_000)))
        return answer(request.path[1:], 0, "")

    with serve(script) as server:
        done = process("-c", MEMORY.format(url=server.url))
    assert done.returncode == 0, done.stderr
    *errors, megabytes = done.stdout.splitlines()
    assert [error[:30] for error in errors] == [
        "HTTP 400: no no no no no no no",
        "the answer is larger than 4 MB",
        "the answer is not valid JSON: ",
    ]
    assert int(megabytes) < 100


def test_calls_are_taken_a_bounded_number_ahead() -> None:
    taken = 0
    hold = threading.Event()

    def calls() -> Iterator[Call]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield Call(number, "score", {"n": number})

    def script(request: Received) -> Answer:
        return json_answer(1) if hold.is_set() or request.json["n"] < 70 else json_answer(1, wait=0.2)

    with serve(script) as server:
        client = Server(server.url, ServerOptions(concurrency=4))
        stream = client.stream(calls())
        first = next(stream)
        assert len(first) <= taken <= len(first) + 200
        assert server.most <= 4
        assert isinstance(stream, Generator)
        stream.close()
        client.close()
