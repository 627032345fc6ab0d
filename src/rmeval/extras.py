"""Extras: what an optional dependency is installed by."""

from __future__ import annotations

from rmeval.errors import RmevalError

__all__ = ["need_extra"]


def need_extra(error: ImportError, what: str, extra: str = "hf") -> RmevalError:
    """The error to raise where a package of an optional group is missing."""
    return RmevalError(f"{what} needs the package {error.name}: pip install 'rmeval[{extra}]'")
