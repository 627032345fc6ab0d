"""Errors for missing optional dependencies."""

from __future__ import annotations

from rmeval.errors import RmevalError

__all__ = ["need_extra"]


def need_extra(error: ImportError, what: str, extra: str = "hf") -> RmevalError:
    """Return the error for a missing package of an extra."""
    return RmevalError(f"{what} needs the package {error.name}: pip install 'rmeval[{extra}]'")
