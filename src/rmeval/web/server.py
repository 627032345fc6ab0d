"""Serves pages on an address of this machine."""

from __future__ import annotations

import ipaddress
import secrets
import socket

import uvicorn

from rmeval.errors import RmevalError
from rmeval.web.guard import App, Guard

__all__ = ["PageServer"]


class PageServer:
    """An application behind its guard, on an address of this machine.

    Attributes:
        address: The first page's address, with the token if it needs one.
    """

    def __init__(
        self, application: App, name: str, host: str = "127.0.0.1", port: int = 0, with_token: bool = False
    ) -> None:
        """Listen on the address; `run` answers.

        Args:
            application: What answers requests that the guard lets through.
            name: A word for the cookie with the token.
            host: Address to listen on; another one than loopback needs a token in the page's address.
            port: Port; 0 takes a free one.
            with_token: Whether loopback needs a token too, as on a machine with other users.

        Raises:
            RmevalError: If the address cannot be listened on.
        """
        self._listening = _listen(host, port)
        own = self._listening.getsockname()[1]
        is_local = _is_loopback(host)
        token = None if is_local and not with_token else secrets.token_urlsafe(24)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{own}/{f'?token={token}' if token else ''}"
        names = {shown.lower(), "localhost", "127.0.0.1", "[::1]"}
        hosts = frozenset(f"{name}:{own}" for name in names) | (names if own == 80 else set())
        config = uvicorn.Config(
            Guard(application, name, hosts if is_local else None, token),
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer requests until a signal ends the process or another thread calls `stop`."""
        with self._listening:
            self._server.run(sockets=[self._listening])

    def stop(self) -> None:
        """Let `run` return."""
        self._server.should_exit = True


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
