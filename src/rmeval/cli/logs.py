"""Warnings of rmeval's own loggers, as lines on standard error."""

from __future__ import annotations

import logging
import sys

__all__ = ["show_warnings"]


def show_warnings() -> None:
    """Prints rmeval's warnings; other libraries keep their own settings."""
    logger = logging.getLogger("rmeval")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("note: %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
