"""The models that a server lists, and where the routes of its API begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from rmeval.errors import ModelError
from rmeval.transport import Call, Server

__all__ = ["ABSENT", "LISTED", "VERSION", "Listing", "read_listing"]

VERSION = "v1/"
ABSENT = (404, 405, 501)
"""Statuses of a route that a server does not have."""
LISTED = 20
"""Largest number of names in a message."""


@dataclass(slots=True)
class Listing:
    """What a server lists.

    Attributes:
        prefix: What comes before the routes of the API, relative to the server's address: `v1/`, or nothing.
        models: The models by name; empty if the server does not list them.
    """

    prefix: str
    models: Mapping[str, Mapping[str, Any]]

    def only_model(self, address: str) -> str:
        """The name of the only model.

        Raises:
            ModelError: If there are several or none.
        """
        if len(self.models) == 1:
            return next(iter(self.models))
        if not self.models:
            raise ModelError(f"the server at {address} does not list its models: name one with `served_model`")
        shown = ", ".join([*islice(self.models, LISTED), *(["..."] if len(self.models) > LISTED else [])])
        raise ModelError(
            f"the server at {address} lists {len(self.models)} models: name one with `served_model`: {shown}"
        )


def read_listing(server: Server, base: str, model: str | None) -> Listing:
    """Find the models of a server.

    Args:
        server: The server.
        base: Its address; one with a path is that of an API, as clients of OpenAI's take it.
        model: The name of the model, if it is known; the server then need not list any.

    Raises:
        ModelError: If the server cannot be reached.
    """
    first = "" if urlsplit(base).path.strip("/") else VERSION
    for prefix in dict.fromkeys((first, VERSION)):
        accept = range(400, 600) if model is not None else ABSENT
        data = server.call(Call(None, f"{prefix}models", method="GET"), accept).data
        listed = data.get("data") if isinstance(data, Mapping) else None
        if isinstance(listed, list):
            named = [own for own in listed if isinstance(own, Mapping) and isinstance(own.get("id"), str)]
            return Listing(prefix, {own["id"]: own for own in named})
    return Listing(first, {})
