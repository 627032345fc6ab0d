"""Checks that one model answers all calls of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmeval.messages import shortened
from rmeval.transport import Server

__all__ = ["AnsweredBy"]


class AnsweredBy:
    """The model that the first answer names, which all others have to name too, if they name one.

    Attributes:
        model: Its name without the key; None before an answer names one.
    """

    def __init__(self, server: Server) -> None:
        """Begin without an answer.

        Args:
            server: Knows the key, which some servers repeat.
        """
        self.model: str | None = None
        self._server = server

    def fault(self, data: Any) -> str | None:
        """Note the model that an answer names; return what is wrong if it is another one than before."""
        given = data.get("model") if isinstance(data, Mapping) else None
        if not isinstance(given, str) or not given:
            return None
        named = self._server.without_key(given)
        self.model = self.model or named
        if named == self.model:
            return None
        return (
            f"the answer is that of the model {shortened(named, 80)}, and the first one was that of "
            f"{shortened(self.model, 80)}"
        )
