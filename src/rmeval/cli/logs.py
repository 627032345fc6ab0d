"""Warnings of rmeval's own loggers, as lines on standard error."""

from __future__ import annotations

import logging

from rmeval.cli.flags import with_options
from rmeval.cli.output import echo

__all__ = ["show_warnings"]


class _StandardError(logging.Handler):
    """Writes to what standard error is at the time, which tests and notebooks replace."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line."""
        echo(with_options(self.format(record)), err=True)


def show_warnings() -> None:
    """Prints rmeval's warnings; other libraries keep their own settings."""
    logger = logging.getLogger("rmeval")
    if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
        handler = _StandardError()
        handler.setFormatter(logging.Formatter("note: %(message)s"))
        logger.addHandler(handler)
