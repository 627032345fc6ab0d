"""What a stream of calls does when all goes well, when the server fails, and when the caller stops."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import ModelError
from rmeval.transport import Call, Reply, Server, ServerError, ServerOptions, Usage
from rmeval.transport.attempts import Pace
from tests.http_server import (
    Answer,
    Received,
    Scripted,
    cut,
    free_port,
    hang,
    json_answer,
    redirect,
    serve,
    text_answer,
)

FAST = Pace(first_wait=0.005, longest_wait=0.02, longest_pause=0.3, patience=0.4, gather=0.05)


@pytest.fixture
def connect() -> Iterator[Callable[..., Server]]:
    """Makes clients, and closes them."""
    made: list[Server] = []

    def make(url: str, usage: Callable[[Any], Usage | None] | None = None, pace: Pace = FAST, **options: Any) -> Server:
        made.append(Server(url, ServerOptions(**({"read_timeout": 0.3} | options)), usage, pace))
        return made[-1]

    yield make
    for one in made:
        one.close()


def calls(count: int) -> Iterator[Call]:
    return (Call(number, "score", {"n": number}) for number in range(count))


def collected(client: Server, wanted: Any, into: list[Reply] | None = None) -> list[Reply]:
    """All replies; `into` has those before an exception."""
    found = [] if into is None else into
    for batch in client.stream(wanted):
        found += batch
    return found


def echo(request: Received) -> Answer:
    return json_answer({"n": request.json["n"], "usage": 10})


def test_each_reply_belongs_to_its_call(connect: Callable[..., Server]) -> None:
    with serve(echo) as server:
        client = connect(server.url, concurrency=16)
        found = collected(client, calls(500))
        assert sorted(reply.call.key for reply in found) == list(range(500))
        assert all(reply.data["n"] == reply.call.key and reply.attempts == 1 for reply in found)
        assert server.most <= 16
        assert {request.path for request in server.received} == {"/score"}
        assert client.facts() == {
            "address": server.url,
            "calls": 500,
            "failed": {},
            "requests": 500,
            "retries": {},
            "tokens": {"input": 0, "output": 0},
            "largest_concurrency": client.facts()["largest_concurrency"],
            "latency": client.facts()["latency"],
        }
        assert client.facts()["largest_concurrency"] == server.most or server.most < 16
        assert 0 < client.facts()["latency"]["median"] <= client.facts()["latency"]["p95"]


def test_a_client_serves_several_streams_and_calls_and_opens_again(connect: Callable[..., Server]) -> None:
    with serve(echo) as server:
        client = connect(server.url + "/")
        assert client.call(Call("x", "/v1/score", {"n": 5})).data["n"] == 5
        assert len(collected(client, calls(3))) == 3
        assert collected(client, []) == []
        client.close()
        client.close()
        assert len(collected(client, calls(3))) == 3
    assert server.received[0].path == "/v1/score"


def test_get_has_no_body(connect: Callable[..., Server]) -> None:
    with serve(lambda request: json_answer({"data": []})) as server:
        assert connect(server.url + "/base").call(Call(None, "v1/models", method="GET")).data == {"data": []}
    (request,) = server.received
    assert (request.method, request.path, request.body) == ("GET", "/base/v1/models", b"")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("way", ["call", "stream"])
def test_without_a_server_it_stops_at_once(connect: Callable[..., Server], way: str) -> None:
    port = free_port()
    client = connect(f"http://127.0.0.1:{port}", pace=Pace())
    with pytest.raises(ServerError, match=rf"^http://127.0.0.1:{port} cannot be reached \(no connection: ") as caught:
        client.call(Call(1, "score")) if way == "call" else collected(client, calls(100))
    assert "Connection refused" in str(caught.value)
    assert caught.value.reply.fault == "connect"
    assert client.broken == 0


FATAL = [
    (401, {"error": {"message": "Invalid key"}}, r"refuses access \(HTTP 401: Invalid key\): set the environment var"),
    (403, {"detail": "Forbidden"}, r"refuses access \(HTTP 403: Forbidden\)"),
    (404, {"detail": "Not Found"}, r"has no /score \(HTTP 404: Not Found\): check the address"),
    (405, {"detail": "Method Not Allowed"}, r"has no /score \(HTTP 405"),
    (402, {"message": "Payment required"}, r"refuses all calls \(HTTP 402: Payment required\)"),
    (
        404,
        {"error": {"message": "The model `tiny` does not exist.", "code": 404}},
        r"does not serve this model \(HTTP 404: The model `tiny` does not exist\): choose one .* `served_model`",
    ),
    (400, {"error": {"message": "no", "code": "model_not_found"}}, r"does not serve this model"),
    (
        429,
        {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
        r"refuses all calls",
    ),
]


@pytest.mark.parametrize(("status", "body", "message"), FATAL)
def test_what_no_retry_can_heal_stops_all_in_the_servers_own_words(
    connect: Callable[..., Server], status: int, body: Any, message: str
) -> None:
    with serve(lambda request: json_answer(body, status)) as server:
        client = connect(server.url)
        with pytest.raises(ServerError, match=message) as caught:
            client.call(Call(1, "score"))
        assert len(server.received) == 1
        assert caught.value.reply.status == status
        with pytest.raises(ServerError, match=message):
            collected(client, calls(1_000))
        assert len(server.received) <= 1 + 16


def test_expected_statuses_are_replies(connect: Callable[..., Server]) -> None:
    with serve(lambda request: json_answer({"detail": "Not Found"}, 404)) as server:
        client = connect(server.url)
        reply = client.call(Call(1, "classify"), accept=(404, 405))
        assert (reply.status, reply.error, reply.fault) == (404, "HTTP 404: Not Found", "status")
        with pytest.raises(ServerError):
            client.call(Call(1, "classify"), accept=(405,))


def test_not_http_and_not_tls(connect: Callable[..., Server]) -> None:
    with (
        serve(lambda request: Answer(raw=b"220 mail ready\r\n\r\n")) as server,
        pytest.raises(ServerError, match=r"is no HTTP server \(the answer is not HTTP: illegal status line"),
    ):
        connect(server.url).call(Call(1, "score"))
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def refuse() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=refuse).start()
        with pytest.raises(ServerError, match=r"cannot be reached \(the server does not use TLS: write http://"):
            connect(f"https://127.0.0.1:{plain.getsockname()[1]}").call(Call(1, "score"))


def test_a_call_that_fails_for_itself_is_a_reply(connect: Callable[..., Server]) -> None:
    def script(request: Received) -> Answer:
        number = request.json["n"]
        return (
            json_answer({"error": {"message": "too\nlong"}}, 400 + 13 * (number % 2)) if number < 5 else echo(request)
        )

    with serve(script) as server:
        found = {reply.call.key: reply for reply in collected(connect(server.url), calls(50))}
    assert found[0].error == "HTTP 400: too long"
    assert found[1].error == "HTTP 413: too long"
    assert [found[number].attempts for number in range(5)] == [1] * 5
    assert all(found[number].error is None for number in range(5, 50))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            json_answer({"detail": [{"loc": ["body", "input"], "msg": "field required"}]}, 422),
            "body.input: field required",
        ),
        (
            redirect("https://example.org/login"),
            "redirects to https://example.org/login, and redirects are not followed",
        ),
        (Answer(body=b'{"score": NaN}'), "NaN is not a JSON number"),
    ],
)
def test_calls_that_all_fail_for_themselves_stop_the_run(
    connect: Callable[..., Server], answer: Answer, words: str
) -> None:
    with serve(lambda request: answer) as server:
        before: list[Reply] = []
        with pytest.raises(ServerError, match="answers none of 12 calls in a row") as caught:
            collected(connect(server.url), calls(1_000), before)
        assert words in str(caught.value)
        assert len(server.received) <= 12 + 16
        assert {reply.error is None for reply in before} == {False}


def test_a_server_that_dies_stops_the_run_after_all_that_came(connect: Callable[..., Server]) -> None:
    with serve(lambda request: echo(request)) as server:
        client = connect(server.url)
        found: list[Reply] = []
        with pytest.raises(ServerError, match=r"has answered no call for \d+ s \(no connection: Connection refused\)"):
            for batch in client.stream(calls(10_000)):
                found += batch
                if len(found) == len(batch):
                    server.stop()
    kept = [reply.call.key for reply in found]
    assert len(kept) == len(set(kept)) > 0
    assert client.broken > 0
    assert all(reply.error is None or reply.fault in ("cut", "connect") for reply in found)


def test_a_server_that_only_hangs_counts_as_dead(connect: Callable[..., Server]) -> None:
    with serve(lambda request: hang()) as server:
        client = connect(server.url, read_timeout=0.1, retries=100)
        with pytest.raises(ServerError, match=r"has answered no call for \d+ s \(no data for 0.1 s\)"):
            collected(client, calls(100))


def test_a_single_call_that_always_hangs_is_not_the_servers_fault(connect: Callable[..., Server]) -> None:
    with serve(lambda request: hang() if request.json["n"] == 3 else echo(request)) as server:
        found = collected(connect(server.url, read_timeout=0.1, retries=2), calls(4))
    assert sorted((reply.call.key, reply.fault, reply.attempts) for reply in found if reply.error) == [
        (3, "timeout", 3)
    ]


def test_a_server_that_restarts_loses_nothing_and_gets_nothing_twice(connect: Callable[..., Server]) -> None:
    first = Scripted(echo)
    first.start()
    client = connect(first.url, pace=Pace(first_wait=0.01, patience=30, gather=0.02), retries=20)
    found: list[Reply] = []
    second = Scripted(echo, first.port)

    def restart() -> None:
        first.stop()
        time.sleep(0.3)
        second.start()

    thread = threading.Thread(target=restart)
    for batch in client.stream(calls(3_000)):
        found += batch
        if thread.ident is None:
            thread.start()
    thread.join()
    assert sorted(reply.call.key for reply in found) == list(range(3_000))
    assert {reply.error for reply in found} == {None}
    assert client.broken > 0
    assert len(second.received) > 0
    second.stop()


def test_all_calls_obey_retry_after(connect: Callable[..., Server]) -> None:
    times: list[float] = []

    def script(request: Received) -> Answer:
        times.append(time.monotonic())
        return json_answer({}, 429, retry_after="1000") if len(times) == 20 else echo(request)

    with serve(script) as server:
        found = collected(connect(server.url, concurrency=1), calls(40))
    assert [reply.error for reply in found] == [None] * 40
    assert times[20] - times[19] >= FAST.longest_pause
    assert sorted(reply.attempts for reply in found) == [1] * 39 + [2]


def test_the_budget_of_requests_counts_retries(connect: Callable[..., Server]) -> None:
    with serve(lambda request: text_answer("", 500) if request.number % 3 == 0 else echo(request)) as server:
        client = connect(server.url, max_requests=30)
        found: list[Reply] = []
        with pytest.raises(
            ModelError, match=r"the budget is spent \(`max_requests` is 30, and as many requests were sent"
        ):
            collected(client, calls(1_000), found)
        assert len(server.received) == client.facts()["requests"] == 30
        # Those in flight finished, and nothing that was answered is lost.
        assert len([reply for reply in found if reply.error is None]) == 20


def test_the_budget_of_tokens(connect: Callable[..., Server]) -> None:
    with serve(echo) as server:
        client = connect(server.url, usage=lambda data: Usage(data["usage"], 1), max_tokens=220)
        found: list[Reply] = []
        words = r"the budget is spent \(`max_tokens` is 220, \d+ were used, and a call may use \d+\)"
        with pytest.raises(ModelError, match=words):
            collected(client, (Call(n, "score", {"n": n}, tokens=20) for n in range(1_000)), found)
        used = client.facts()["tokens"]
        assert used == {"input": 10 * len(found), "output": len(found)}
        assert 220 - 30 <= used["input"] + used["output"] <= 220


def test_the_budget_of_dollars(connect: Callable[..., Server], tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[judge]\ninput = 1.0\noutput = 10.0\n["*"]\ninput = 0\noutput = 0\n')
    options = {"prices": str(prices), "max_cost": 0.01}
    with serve(echo) as server:
        client = connect(server.url, usage=lambda data: Usage(100, 90), **options)
        found: list[Reply] = []
        wanted = (Call(n, "score", {"n": n, "model": "judge"}, tokens=100, output=90) for n in range(1_000))
        words = r"the budget is spent \(`max_cost` is 0.01, 0.0\d+ was spent, and a call may cost 0.0\d+\)"
        with pytest.raises(ModelError, match=words):
            collected(client, wanted, found)
        assert client.facts()["cost"] == pytest.approx(len(found) * 1e-3)
        assert 9 <= len(found) <= 10
        free = connect(server.url, **options)
        assert len(collected(free, calls(50))) == 50
        assert free.facts()["cost"] == 0


def test_what_the_callers_iterable_raises_comes_after_the_replies(connect: Callable[..., Server]) -> None:
    def some() -> Iterator[Call]:
        yield from calls(20)
        time.sleep(0.3)
        raise KeyError("rendering failed")

    with serve(echo) as server:
        found: list[Reply] = []
        with pytest.raises(KeyError):
            collected(connect(server.url, pace=Pace(gather=60)), some(), found)
    assert len(found) == 20


def test_what_the_usage_raises_stops_the_stream(connect: Callable[..., Server]) -> None:
    with serve(echo) as server, pytest.raises(KeyError):
        collected(connect(server.url, usage=lambda data: data["nothing"]), calls(20))


def test_a_stream_that_is_dropped_sends_nothing_more(connect: Callable[..., Server]) -> None:
    with serve(echo) as server:
        client = connect(server.url, concurrency=2)
        next(client.stream(calls(10_000)))
        client.close()
        sent = len(server.received)
        time.sleep(0.1)
        assert len(server.received) == sent < 10_000


INTERRUPTED = """
import sys
from rmeval.cli.signals import Stopped, catch
from rmeval.transport import Call, Server, ServerOptions
catch()
server = Server({url!r}, ServerOptions(concurrency=8))
try:
    for batch in server.stream(Call(number, "score", {{"n": number}}) for number in range(10**6)):
        print(*(reply.data["n"] for reply in batch), flush=True)
except Stopped as stopped:
    print("stopped", stopped.args[0])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_all_that_came(number: signal.Signals) -> None:
    def script(request: Received) -> Answer:
        # Nothing comes after the first hundred answers, so that all of these have come when the signal does.
        return echo(request) if request.json["n"] < 100 else hang()

    def heed() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with serve(script) as server:
        code = INTERRUPTED.format(url=server.url)
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, preexec_fn=heed)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while server.most < 8 or len(server.received) < 108:
            time.sleep(0.01)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=20)
    *replies, last = "".join([*lines, rest]).strip().splitlines()
    assert last == f"stopped {number:d}"
    kept = [int(word) for line in replies for word in line.split()]
    assert sorted(kept) == list(range(100))


def test_half_answers_are_sent_again(connect: Callable[..., Server]) -> None:
    with serve(lambda request: cut({"n": 1}, after=75) if request.number == 0 else echo(request)) as server:
        reply = connect(server.url).call(Call(1, "score", {"n": 1}))
    assert (reply.error, reply.attempts) == (None, 2)
