"""Errors for missing optional dependencies."""

from __future__ import annotations

from importlib.util import find_spec

from rmeval.errors import RmevalError

__all__ = ["is_installed", "need_extra"]


def is_installed(package: str) -> bool:
    """Whether a package is there, without importing it."""
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def need_extra(error: ImportError, what: str, extra: str = "hf") -> RmevalError:
    """Return the error for a missing package of an extra."""
    return RmevalError(f"{what} needs the package {error.name}: pip install 'rmeval[{extra}]'")
