"""A key is in the environment and in one header, and nowhere else."""

from __future__ import annotations

import json
import logging
import traceback
from urllib.parse import quote

import pytest

from rmeval.errors import ModelError
from rmeval.transport import Call, Server, ServerError, ServerOptions
from rmeval.transport.answers import Words
from rmeval.transport.attempts import Pace
from tests.http_server import Answer, Received, json_answer, redirect, serve, text_answer

# Two keys of forms that no pattern recognises; the second is short.
KEYS = ["open.sesame/please", "pa55"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_sent_and_never_shown(
    key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_SERVER", f" {key}\n")
    caplog.set_level(logging.DEBUG)

    def script(request: Received) -> Answer:
        # Each answer repeats the key, as some servers do.
        sent = request.headers["authorization"]
        assert sent == f"Bearer {key}"
        return {
            "/a": json_answer({"error": {"message": f"Incorrect key provided: {key}"}}, 400),
            "/b": redirect(f"http://example.org/?next={key}"),
            "/c": text_answer(f"<title>{sent}</title>", 500),
            "/d": Answer(body=f"you sent {sent}".encode()),
            "/e": Answer(raw=f"{sent}\r\n\r\n".encode()),
        }.get(request.path, json_answer({"detail": sent}, 401))

    with serve(script) as server:
        options = ServerOptions(api_key_env="MY_SERVER", retries=1)
        client = Server(server.url, options, pace=Pace(first_wait=0.001))
        replies = [client.call(Call(path, path)) for path in "abcd"]
        shown = [repr(replies), repr(client.facts()), repr(options), repr(client)]
        for path in "ef":
            with pytest.raises(ServerError) as caught:
                client.call(Call(path, path))
            shown += ["".join(traceback.format_exception(caught.value)), str(caught.value), repr(caught.value.reply)]
        client.close()
    assert [reply.status for reply in replies] == [400, 307, 500, 200]
    assert "[redacted]" in str(replies[0].error)
    for text in [*shown, caplog.text]:
        assert key not in text


def test_the_message_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda request: json_answer({}, 401)) as server:
        for key, fix in (
            ("", "set the environment variable OWN_KEY"),
            ("x", "check the key in the environment variable"),
        ):
            monkeypatch.setenv("OWN_KEY", key)
            client = Server(server.url, ServerOptions(api_key_env="OWN_KEY"))
            with pytest.raises(ServerError, match=fix):
                client.call(Call(1, "score"))
            client.close()
    assert ["authorization" in request.headers for request in server.received] == [False, True]


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_API_KEY", key)
    with pytest.raises(ModelError, match="the environment variable RMEVAL_API_KEY contains characters") as caught:
        Server("http://localhost:1", ServerOptions())
    assert key not in str(caught.value)


def test_a_key_without_encryption_is_noted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("RMEVAL_API_KEY", "secret-1")
    for url in ("http://127.0.0.1:1", "http://localhost:1", "https://example.org"):
        Server(url, ServerOptions())
    assert caplog.text == ""
    Server("http://example.org", ServerOptions())
    assert "the key is sent to http://example.org without encryption" in caplog.text
    assert "secret-1" not in caplog.text


@pytest.mark.parametrize("key", ['my/key+"quoted"\\0123', "plain-0123456789", "with space & more"])
def test_a_key_is_removed_in_every_form(key: str) -> None:
    words = Words(key)
    inner = json.dumps({"authorization": f"Bearer {key}"})
    for text in (key, inner, json.dumps({"error": inner}), f"http://h/?q={quote(key, safe='')}&x=1"):
        cleaned = words.clean(text)
        assert "[redacted]" in cleaned
        assert not any(part in cleaned for part in ("quoted", "0123", "space"))
        assert "0123" not in words.of(json.dumps({"error": text}).encode())
