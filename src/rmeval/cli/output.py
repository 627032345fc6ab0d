"""Prints everything that the command line shows; text from files cannot control the terminal.

Plain lines go through `echo`, JSON through `echo_json`, errors through `complain`; tables and progress bars go through
the console of `rmeval.report.terminal`. `prepare` covers what other packages print: log records, warnings, tracebacks.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import traceback
import warnings
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

from rmeval.messages import shortened, visible

__all__ = ["complain", "echo", "echo_json", "prepare", "settle"]

_LONGEST = 5_000
"""Characters of a line on standard error."""


def echo(*lines: str, err: bool = False) -> None:
    """Prints lines; a control character or a line break inside one is shown as an escape.

    Args:
        lines: The lines; an empty one if there are none.
        err: Whether they go to standard error. A line that cannot be written there is dropped: no run fails over it.
    """
    if err:
        with suppress(OSError, ValueError):
            _write(sys.stderr, "".join(f"{shortened(_plain(line), _LONGEST)}\n" for line in lines or ("",)))
        return
    _write(sys.stdout, "".join(f"{visible(line)}\n" for line in lines or ("",)))


def complain(message: str) -> None:
    """Prints a one-line error."""
    echo(f"error: {message}", err=True)


def echo_json(value: Any, indent: int | None = None) -> None:
    r"""Prints JSON with the characters of the text, and as `\uXXXX` what would act on the terminal.

    Args:
        value: What to print.
        indent: As `json.dumps` takes it.
    """
    _write(sys.stdout, json_text(value, indent, plain=not (sys.stdout.encoding or "").lower().startswith("utf")))


def json_text(value: Any, indent: int | None = None, plain: bool = False) -> str:
    """JSON with the characters of the text; control characters, or all others than ASCII if `plain`, are escapes."""
    # Where the encoding lacks letters, all of them are escaped: the stream's own replacements are not JSON.
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    if visible(text, lines=True) != text:
        text = "".join(one if visible(one, lines=True) == one else json.dumps(one)[1:-1] for one in text)
    return f"{text}\n"


def _plain(text: str) -> str:
    """A text without the secrets in it."""
    from rmeval.redaction import redacted

    found: str = redacted(text)
    return found


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    if stream is sys.stderr:
        stream.flush()


def prepare() -> None:
    """Makes the process's streams take any text, and what other packages print safe to show."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Also without a terminal's encoding for it, a name is shown: as an escape.
            stream.reconfigure(errors="backslashreplace")
    for name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):
        if not _is_size(os.environ.get(name, "80")):
            del os.environ[name]
    logging.setLogRecordFactory(_Record)
    warnings.formatwarning = _warning
    sys.excepthook = _traceback


def _is_size(text: str) -> bool:
    """Whether a terminal may be so wide or high; rich fails on some other texts, and breaks lines into letters at 0."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) > 0


def _open_closed() -> None:
    """Opens the standard streams that the caller closed, so that no other file gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  Open until the end.
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  Open until the end.


class _Record(logging.LogRecord):
    """A log record of any package, whose message may hold names from files."""

    def getMessage(self) -> str:  # noqa: N802  The name that logging calls.
        return visible(_plain(super().getMessage()), lines=True)


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    # The line of source code that Python adds says nothing to a user.
    return visible(_plain(f"{filename}:{lineno}: {category.__name__}: {message}\n"), lines=True)


def _traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints the traceback of an unexpected error."""
    with suppress(OSError, ValueError):
        _write(sys.stderr, visible(_plain("".join(traceback.format_exception(kind, error, trace))), lines=True))


def settle(stream: TextIO) -> bool:
    """Returns whether all output was written; drops the rest, because Python would fail on it at exit."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
        return False
    return True
