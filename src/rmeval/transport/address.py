"""The address of a server, and the proxy on the way to it."""

from __future__ import annotations

import ipaddress
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from rmeval.errors import ModelError
from rmeval.messages import quoted, shortened
from rmeval.redaction import redacted

__all__ = ["Address", "parse_address", "proxy_of"]


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address.

    Attributes:
        shown: The address for messages and manifests.
        scheme: `http` or `https`.
        host: Name or number of the machine, IPv6 without brackets.
        port: The port, also where the address leaves it out.
        path: The path before that of each call, without a slash at its end.
    """

    shown: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """Return the path of a call on this server."""
        return f"{self.path}/{path.lstrip('/')}"


_PORTS = {"http": 80, "https": 443}


def parse_address(url: str) -> Address:
    """Check an address.

    Raises:
        ModelError: If it is no address of an HTTP server, or contains a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except (ValueError, UnicodeError) as error:
        raise _wrong(url, str(error)) from None
    if parts.scheme not in _PORTS:
        raise _wrong(url, "it has to begin with http:// or https://")
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise _wrong(url, "it names no host" if not host else "it contains characters that an address cannot have")
    _refuse_secrets(url, parts)
    return Address(url.rstrip("/"), parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def _wrong(url: str, why: str) -> ModelError:
    return ModelError(f"{quoted(redacted(url))} is no address of a server ({why}): write it as http://host:8000")


def _refuse_secrets(url: str, parts: SplitResult) -> None:
    if parts.username is not None or parts.password is not None:
        raise ModelError(
            f"the address of {shortened(parts.hostname)} contains a user or a password: put the key into an "
            "environment variable and name that with `api_key_env`"
        )
    if "?" in url or "#" in url:
        raise ModelError(
            f"the address of {shortened(parts.hostname)} contains a query: leave out everything from the ? on, and put "
            "a key into an environment variable that `api_key_env` names"
        )


def proxy_of(address: Address) -> tuple[str, tuple[str, str] | None] | None:
    """Return the proxy that the environment sets for a server, with user and password; None without one.

    A server on this machine never has a proxy.

    Raises:
        ModelError: If the proxy is of a kind that cannot be used.
    """
    if address.is_loopback or urllib.request.proxy_bypass(f"{address.host}:{address.port}"):
        return None
    proxies = urllib.request.getproxies()
    if not (found := proxies.get(address.scheme) or proxies.get("all")):
        return None
    try:
        parts = urlsplit(found if "://" in found else f"http://{found}")
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS:
        raise ModelError(
            f"the proxy {quoted(redacted(found))} for {address.shown} is no HTTP proxy: correct the environment "
            f"variable {address.scheme.upper()}_PROXY, or name the host in NO_PROXY"
        )
    shown_host = f"[{host}]" if ":" in host else host
    user = (unquote(parts.username or ""), unquote(parts.password or "")) if parts.username is not None else None
    return f"{parts.scheme}://{shown_host}:{port}", user
