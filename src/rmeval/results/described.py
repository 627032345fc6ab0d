"""Short descriptions of what a run was made on: its data and its selection of items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmeval.messages import count_of

__all__ = ["data_text", "selection_text", "stopped_text"]


def data_text(manifest: Mapping[str, Any]) -> str:
    """Describe the data that were read or generated."""
    made = manifest["benchmark"]
    options = (
        f"{name} {','.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in made.get("options", {}).items()
        if isinstance(value, int | str | list | tuple)
    )
    return ", ".join([*([f"on {made['data']}"] if made["data"] else []), *options])


def selection_text(selection: Mapping[str, Any]) -> str:
    """Which items were selected; empty if all were. The seed is part of it only if it drew them."""
    parts = [f"subsets {' '.join(sorted(subsets))}"] if (subsets := selection.get("subsets")) else []
    if cells := selection.get("cells"):
        parts.append(f"cells {' '.join(cells)}")
    if drawn := selection.get("n_items"):
        parts.append(f"{count_of(drawn, 'item')} at random (seed {selection.get('seed', 0)})")
    if limit := selection.get("limit"):
        parts.append(f"the first {count_of(limit, 'item')}")
    if listed := selection.get("items"):
        parts.append(f"{count_of(listed.get('count', 0), 'item')} of {listed.get('file', 'a list')}")
    if stopped := selection.get("stopped"):
        parts.append(stopped_text(stopped))
    return ", ".join(parts)


def stopped_text(stopped: Mapping[str, Any]) -> str:
    """Describe where a run stopped early."""
    return f"stopped after {stopped.get('problems')} of {count_of(stopped.get('of') or 0, 'problem')}"
