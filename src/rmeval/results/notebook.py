"""How notebooks show results. The renderers are in `rmeval.report`, which registers one for each class."""

from __future__ import annotations

from functools import singledispatch

__all__ = ["html_of"]


@singledispatch
def html_of(value: object) -> str | None:
    """Return a result as an HTML fragment; None for a class without a registered renderer."""
    return None
