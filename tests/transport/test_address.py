"""Addresses, and the proxies on the way."""

from __future__ import annotations

import pytest

from rmeval.errors import ModelError
from rmeval.transport import Call, Server, ServerOptions
from rmeval.transport.address import parse_address, proxy_of
from tests.http_server import json_answer, serve


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "target"),
    [
        ("http://localhost:8000", "localhost", 8000, "localhost:8000", "/classify"),
        ("http://localhost:8000/", "localhost", 8000, "localhost:8000", "/classify"),
        ("https://Example.org/api/v1/", "example.org", 443, "example.org", "/api/v1/classify"),
        ("http://[::1]:80", "::1", 80, "[::1]", "/classify"),
    ],
)
def test_addresses(url: str, host: str, port: int, authority: str, target: str) -> None:
    address = parse_address(url)
    assert (address.host, address.port, address.authority) == (host, port, authority)
    assert address.target("classify") == address.target("/classify") == target
    # No path leaves the server.
    assert address.target("http://example.org/x").startswith(target.removesuffix("classify"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000", "it has to begin with http:// or https://"),
        ("ftp://x", "it has to begin with http:// or https://"),
        ("http://", "it names no host"),
        ("http://:8000", "it names no host"),
        ("http://h:99999", "Port out of range"),
        ("http://h:x", "Port could not be cast"),
        ("http://a b", "characters that an address cannot have"),
        ("http://a\x00b", "characters that an address cannot have"),
        ("http://" + "a" * 70, "label"),
        ("http://me:hunter2@h", "contains a user or a password"),
        ("http://h/?api_key=hunter2", "contains a query"),
    ],
)
def test_what_is_no_address(url: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        Server(url, ServerOptions())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.8.0.1", "http://[::1]:1", "http://localhost:1"])
def test_this_machine_never_has_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_of(parse_address(url)) is None


def test_other_machines_are_called_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serve(lambda request: json_answer(1)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url.replace("//", "//me:hunter2%21@"))
        client = Server("http://model.invalid:8000", ServerOptions())
        assert client.call(Call(1, "score")).data == 1
        client.close()
        (request,) = proxy.received
        assert request.path == "http://model.invalid:8000/score"
        assert request.headers["proxy-authorization"] == "Basic bWU6aHVudGVyMiE="
    client = Server("http://model.invalid:8000", ServerOptions())
    with pytest.raises(
        ModelError, match=r"model.invalid:8000 \(through the proxy http://127.0.0.1:\d+\) cannot be"
    ) as caught:
        client.call(Call(1, "score"))
    client.close()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("no_proxy", "model.invalid")
    assert proxy_of(parse_address("http://model.invalid:8000")) is None


def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "socks5://me:hunter2@proxy")
    with pytest.raises(ModelError, match="is no HTTP proxy: correct the environment variable HTTP_PROXY") as caught:
        Server("http://model.invalid", ServerOptions())
    assert "hunter2" not in str(caught.value)
