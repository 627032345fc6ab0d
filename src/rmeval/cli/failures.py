"""Messages for errors that other packages and the system raise."""

from __future__ import annotations

import errno

from rmeval.cli.flags import with_options
from rmeval.errors import RmevalError
from rmeval.plugins import fault_in_file

__all__ = ["sentence_of"]

_MEMORY = (
    "not enough memory; the scores so far are kept and the same command continues from there: give fewer "
    "items (--n-items) or a smaller --batch-size, or run it where there is more memory"
)


_MEMORY_SAID = ("allocate memory", "not enough memory", "failed to map segment", "can't start new thread")
"""Messages of the system, torch and the dynamic loader for it."""


def sentence_of(error: BaseException) -> str | None:
    """Returns the message for an error, or None if only a change of rmeval's code would avoid it."""
    if isinstance(error, RmevalError):
        return with_options(str(error))
    if isinstance(error, MemoryError) or any(said in str(error) for said in _MEMORY_SAID):
        return _MEMORY
    if isinstance(error, RecursionError):
        return "lists, objects or expressions are nested too deeply in one of the files: make them flatter"
    if str(error).startswith("Symlink loop"):  # pathlib's RuntimeError before Python 3.13.
        return f"{error}: the path contains a loop of symbolic links: give another path"
    if "embedded null" in str(error) or _is_no_path(error):
        return f"a name or a text cannot be written to a file ({error}): correct it at its source"
    if "home directory" in str(error):  # No HOME, and no entry for the user: pathlib's error, in any library.
        return "this user has no home folder for downloads: set HOME to a writable folder"
    return _of_system(error) if isinstance(error, OSError) else fault_in_file(error)


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = where or "standard output or a temporary file: "
        return f"{where}{reason}: free some space or choose another place, and run the same command again"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{where}{reason}: raise the limit of open files (ulimit -n)"
    return f"{where}{reason}; check the path and its permissions"


def _is_no_path(error: BaseException) -> bool:
    """Whether a text holds half of a surrogate pair; those that stand for a path's bytes would be a fault of rmeval."""
    return isinstance(error, UnicodeEncodeError) and not "\udc80" <= error.object[error.start] <= "\udcff"
