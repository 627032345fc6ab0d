"""The exceptions rmeval raises on purpose.

Each one carries a single sentence for the person at the keyboard: what is wrong, where, and what to do.
The command line prints that sentence and exits with code 2; Python users catch `RmevalError`::

    RmevalError
    ├── DataError        a benchmark or a file of data cannot be used as it is
    ├── ModelError       a model cannot be loaded or cannot be used for what was asked
    └── RunError         a run folder cannot be written, continued or read
        └── DamagedError what a run folder holds is not what was written
"""

from __future__ import annotations

import errno
import re

from rmeval.messages import shortened

__all__ = [
    "DamagedError",
    "DataError",
    "ModelError",
    "RmevalError",
    "RunError",
    "explain_os_error",
    "explain_read_error",
    "reason_of",
]

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_LONGEST = 400
_LONGEST_MESSAGE = 2_000

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RmevalError(Exception):
    """Base of every error the user can do something about.

    Its message is one line of bounded length, in which control characters are escapes, whatever values it quotes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, _LONGEST_MESSAGE))


class DataError(RmevalError):
    """A benchmark or a file of data cannot be used as it is."""


class ModelError(RmevalError):
    """A model cannot be loaded, or cannot be used for what was asked."""


class RunError(RmevalError):
    """A run folder cannot be written, continued or read."""


class DamagedError(RunError):
    """A file of a run is missing, does not hold what was written, or belongs to another run."""


def explain_os_error(error: OSError, doing: str) -> RunError:
    """Turns an operating system error met while writing results into a sentence.

    Args:
        error: The error the system gave.
        doing: What was being written, such as `runs/x/journal/0001.jsonl`.

    Returns:
        The error to raise; results written before it are kept.
    """
    if error.errno in _FULL:
        return RunError(
            f"there is no room left to write {doing} ({error.strerror}); what was scored so far is kept: "
            "free some space, or choose another disk with `out`, and give the same command again"
        )
    return RunError(
        f"{doing} cannot be written ({error.strerror or error}): "
        "choose a folder you may write to with `out`, or change its permissions"
    )


def explain_read_error(error: OSError, path: object) -> RunError:
    """Turns an operating system error met while reading a file of a run into a sentence."""
    if isinstance(error, FileNotFoundError):
        return RunError(f"there is no file {path}: restore it from a copy, or give the command that made the run again")
    if error.errno in (errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ELOOP):
        return DamagedError(f"{path} is no file that can be read ({error.strerror}): move away what lies in its place")
    return RunError(f"{path} cannot be read ({error.strerror or error}): check its permissions")


def reason_of(error: BaseException) -> str:
    """What an error of another package says, as a part of a sentence of ours: one line, without its full stop.

    That is its first line, and where this only announces what follows (it ends in a colon) the next one too. Escape
    codes for colours are left out, and what is longer than a few lines of a terminal is cut at a word.
    """
    lines = [line.strip() for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[0] if not lines[0].endswith(":") else " ".join(lines[:2])
    text = re.sub(r"\s+", " ", text).rstrip(".:")
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0] + " ..."
