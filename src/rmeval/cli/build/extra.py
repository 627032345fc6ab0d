"""The extra that all commands of the builder need."""

from __future__ import annotations

from rmeval.extras import need_extra

__all__ = ["need_build"]


def need_build() -> None:
    """Refuse an installation without the extra.

    Raises:
        RmevalError: If a package is missing.
    """
    try:
        import datasketch  # noqa: F401
        import py3langid  # noqa: F401
        import pydantic  # noqa: F401
    except ImportError as error:
        raise need_extra(error, "the builder", "build") from error
