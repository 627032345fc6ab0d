"""The checks that each request passes first: host, origin, and on other machines a token."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["App", "Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""No script but the page's own file, and nothing from another place. The referrer policy keeps the `Origin` header of
forms."""


class Guard:
    """Refuses requests that other sites could make, and adds security headers to each response.

    A name that another site makes point to this machine (DNS rebinding) fails by the `Host` header; a form of another
    site fails by the `Origin` header, which browsers send with each POST; another machine fails by the token, which
    is in a cookie after the first request.
    """

    def __init__(self, app: App, name: str, hosts: frozenset[str] | None, token: str | None) -> None:
        """Store the rules.

        Args:
            app: The application behind it.
            name: A word for the cookie with the token.
            hosts: The values of `Host` that are accepted; None accepts all, which needs a token.
            token: The token that a browser must have; None needs none.
        """
        self._app, self._name, self._hosts, self._token = app, name, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it to the application."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        if self._hosts is not None and host not in self._hosts:
            await _answer(send, 421, "This address is not that of the page: use the address that rmeval printed.")
        elif not self._has_token(headers, host):
            await self._admit(scope, host, send)
        elif scope["method"] not in ("GET", "HEAD") and not _is_own(headers, host):
            await _answer(send, 403, "This request comes from another site.")
        elif _is_embedded(headers):
            await _answer(send, 403, "Another site cannot load this page into its own.")
        else:
            await self._app(scope, receive, _with_headers(send))

    def _has_token(self, headers: MutableMapping[str, str], host: str) -> bool:
        if self._token is None:
            return True
        try:
            cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self._cookie(host))
        return found is not None and secrets.compare_digest(found.value.encode(), self._token.encode())

    def _cookie(self, host: str) -> str:
        """Cookies belong to a host without its port, so that the name has the port in it."""
        return f"rmeval-{self._name}-{host.rpartition(':')[2] if ':' in host else 80}"

    async def _admit(self, scope: Scope, host: str, send: Send) -> None:
        """Turn the token in the address into a cookie, so that it is in no later address."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self._token is None or not secrets.compare_digest(given.encode(), self._token.encode()):
            await _answer(send, 403, "The token is missing or wrong: use the address that rmeval printed.")
            return
        cookie = f"{self._cookie(host)}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        await _answer(send, 303, "", {"location": scope["path"], "set-cookie": cookie})


def _is_own(headers: MutableMapping[str, str], host: str) -> bool:
    origin = urlsplit(headers.get("origin", ""))
    site = headers.get("sec-fetch-site", "same-origin")
    return origin.scheme in ("http", "https") and origin.netloc.lower() == host and site == "same-origin"


def _is_embedded(headers: MutableMapping[str, str]) -> bool:
    """Whether another site loads a page as a part of its own, which would keep this machine busy; it may link to it."""
    site, mode, kind = (headers.get(f"sec-fetch-{name}", "") for name in ("site", "mode", "dest"))
    return site in ("cross-site", "same-site") and (mode, kind) != ("navigate", "document")


async def _answer(send: Send, status: int, text: str, more: MutableMapping[str, str] | None = None) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", **(more or {})}
    sent = _with_headers(send)
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await sent({"type": "http.response.start", "status": status, "headers": encoded})
    await sent({"type": "http.response.body", "body": f"{text}\n".encode()})


def _with_headers(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sent
