"""The extra that all commands of the builder need."""

from __future__ import annotations

from rmeval.extras import is_installed, need_extra

__all__ = ["need_build"]

_PACKAGES = ("pydantic", "datasketch", "py3langid")


def need_build(what: str = "the builder") -> None:
    """Refuse an installation without the extra, before anything is read.

    Args:
        what: What needs it.

    Raises:
        RmevalError: If a package is missing.
    """
    for name in _PACKAGES:
        if not is_installed(name):
            raise need_extra(ModuleNotFoundError(name=name), what, "build")
