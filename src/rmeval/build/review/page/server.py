"""Serves the page on an address of this machine."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable

import uvicorn

from rmeval.build.review.page.application import review_application
from rmeval.build.review.page.session import Session
from rmeval.errors import RmevalError

__all__ = ["serve_review"]


def serve_review(session: Session, host: str, port: int, with_token: bool, ready: Callable[[str], None]) -> None:
    """Serve the page until a signal ends the process.

    Args:
        session: The reviewer's session.
        host: Address to listen on; another one than loopback needs a token in the page's address.
        port: Port; 0 takes a free one.
        with_token: Whether loopback needs a token too, as on a machine with other users.
        ready: Called with the page's address when it can be opened.

    Raises:
        RmevalError: If the address cannot be listened on.
    """
    listening = _listen(host, port)
    own = listening.getsockname()[1]
    is_local = _is_loopback(host)
    token = None if is_local and not with_token else secrets.token_urlsafe(24)
    shown = f"[{host}]" if ":" in host else host
    names = (shown, "localhost", "127.0.0.1", "[::1]")
    hosts = frozenset(f"{name.lower()}:{own}" for name in names) if is_local else None
    application = review_application(session, hosts, token)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    with listening:
        ready(f"http://{shown}:{own}/{f'?token={token}' if token else ''}")
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RmevalError(
            f"{host} port {port} cannot be listened on ({reason}): choose another `port` or `host`"
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
