"""The exceptions that rmeval raises.

The message of each is one sentence: what is wrong, where, and what to do.
The command line prints that sentence and exits with code 2; Python users catch `RmevalError`::

    RmevalError
    ├── DataError        a benchmark or a file of data cannot be used as it is
    ├── ModelError       a model cannot be loaded, or cannot be used for the task
    │   └── OpenBatchError   requests have no output yet, and wait for a batch
    ├── RunError         a run folder cannot be written, continued or read
    │   └── DamagedError a file in a run folder is missing or damaged
    └── UnknownNameError     a result has no such number, or a comparison no such model; also a KeyError
"""

from __future__ import annotations

import errno
import re

from rmeval.messages import shortened

__all__ = [
    "DamagedError",
    "DataError",
    "ModelError",
    "OpenBatchError",
    "RmevalError",
    "RunError",
    "UnknownNameError",
    "explain_os_error",
    "explain_read_error",
    "reason_of",
]

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_LONGEST = 400
_LONGEST_MESSAGE = 2_000

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RmevalError(Exception):
    """Base class of the errors that a user can resolve.

    The message is one line of bounded length; control characters in quoted values are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, _LONGEST_MESSAGE))


class DataError(RmevalError):
    """Raised if a benchmark or a file of data cannot be used as it is."""


class ModelError(RmevalError):
    """Raised if a model cannot be loaded, or cannot be used for the task."""


class OpenBatchError(ModelError):
    """Raised if requests of a judge have no result yet, because a batch has still to run.

    Attributes:
        written: Whether their calls were written to a file.
    """

    def __init__(self, message: str, written: bool) -> None:
        super().__init__(message)
        self.written = written


class RunError(RmevalError):
    """Raised if a run folder cannot be written, continued or read."""


class DamagedError(RunError):
    """Raised if a file of a run is missing, is damaged, or belongs to another run."""


class UnknownNameError(RmevalError, KeyError):
    """A result has no such number, or a comparison has no such model."""

    def __str__(self) -> str:
        """Return the message; a KeyError would quote it."""
        return str(self.args[0])


def explain_os_error(error: OSError, doing: str) -> RunError:
    """Return a one-sentence error for an operating system error during writing.

    Args:
        error: The error of the operating system.
        doing: The file that was being written, such as `runs/x/journal/0001.jsonl`.

    Returns:
        The error to raise; results that were written before it are kept.
    """
    if error.errno in _FULL:
        return RunError(
            f"there is no space left to write {doing} ({error.strerror}): free some space or choose another disk with "
            "`out`, then run the same command again; existing results are kept"
        )
    return RunError(
        f"{doing} cannot be written ({error.strerror or error}): "
        "choose a writable folder with `out`, or change the permissions"
    )


def explain_read_error(error: OSError, path: object) -> RunError:
    """Return a one-sentence error for an operating system error during reading of a file in a run folder."""
    if isinstance(error, FileNotFoundError):
        return RunError(
            f"there is no file {path}: restore it from a copy, or run the command that created the run again"
        )
    if error.errno in (errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ELOOP):
        return DamagedError(f"{path} is not a readable file ({error.strerror}): move it out of the run folder")
    return RunError(f"{path} cannot be read ({error.strerror or error}): check its permissions")


def reason_of(error: BaseException) -> str:
    """Shorten an error of another package to one line without a full stop, for use in a message of rmeval.

    Keep its first line, and also the next one if the first ends with a colon. Escape codes for colours are removed, and
    longer text is cut after a word.
    """
    lines = [line.strip() for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[0] if not lines[0].endswith(":") else " ".join(lines[:2])
    text = re.sub(r"\s+", " ", text).rstrip(".:")
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0] + " ..."
