"""The requests of a plan with their texts, and the place of a model's runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rmeval.data.keys import KeyIndex
from rmeval.data.spool import windows
from rmeval.protocols import ProtocolLike
from rmeval.runs.plan import Plan
from rmeval.store.requests import RequestTable
from rmeval.types import Request

__all__ = ["model_folder", "planned_requests"]

_WINDOW = 1 << 12
_LONGEST = 255
"""Largest length of a folder's name in bytes."""


def planned_requests(
    protocol: ProtocolLike, planned: Plan, requests: RequestTable, index: KeyIndex
) -> Iterator[Request]:
    """The requests of all items, in the order of `requests`, with the keys in the index."""
    start = 0
    for window in windows(planned.items(), _WINDOW):
        offsets = requests.offsets[start : start + len(window) + 1].tolist()
        keys = index.keys(requests.rows[offsets[0] : offsets[-1]])
        for one, first, last in zip(window, offsets, offsets[1:], strict=False):
            yield from protocol.requests(one.item, keys[first - offsets[0] : last - offsets[0]])
        start += len(window)


def model_folder(out: Path, benchmark: str, model: str) -> Path:
    """The folder of a model's runs on a benchmark."""
    plain = re.sub(r"[^\w.-]+", "-", model).strip("-.")
    return out / benchmark / (plain.encode()[:_LONGEST].decode(errors="ignore") or "model")
