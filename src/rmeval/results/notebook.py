"""How notebooks show results. The renderers are in `rmeval.report`, which registers one for each class."""

from __future__ import annotations

from functools import singledispatch
from importlib import import_module

__all__ = ["html_of"]


@singledispatch
def html_of(value: object) -> str | None:
    """Return a result as an HTML fragment; None for a class without a registered renderer."""
    import_module("rmeval.report.notebook")  # It registers the renderers; nothing here imports what comes later.
    renderer = html_of.dispatch(type(value))
    return None if renderer is html_of.dispatch(object) else renderer(value)
