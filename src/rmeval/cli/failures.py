"""What a user reads of an error that is not rmeval's own."""

from __future__ import annotations

import errno

from rmeval.cli.flags import with_options
from rmeval.errors import RmevalError

__all__ = ["sentence_of"]

_MEMORY = (
    "there is not enough memory; what was scored so far is kept, and the same command goes on from there: give fewer "
    "items (--n-items) or a smaller --batch-size, or run it where there is more memory"
)


_MEMORY_SAID = ("allocate memory", "not enough memory", "failed to map segment", "can't start new thread")
"""What the system, torch and the loader of libraries say of it."""


def sentence_of(error: BaseException) -> str | None:
    """What a user reads of an error; nothing of one that only a change of rmeval's code would avoid."""
    if isinstance(error, RmevalError):
        return with_options(str(error))
    if isinstance(error, MemoryError) or any(said in str(error) for said in _MEMORY_SAID):
        return _MEMORY
    if isinstance(error, RecursionError):
        return "lists, objects or expressions are nested too deeply in one of the files: make them flatter"
    if str(error).startswith("Symlink loop"):  # pathlib's RuntimeError before Python 3.13.
        return f"{error}: a link leads back to itself, so give another path"
    if "embedded null" in str(error) or _is_no_path(error):
        return f"a name or a text holds what no file can ({error}): correct it where it stands"
    if "home directory" in str(error):  # No HOME, and no entry for the user: pathlib's error, in any library.
        return "this user has no home folder to keep downloads in: set HOME to a folder that may be written to"
    return _of_system(error) if isinstance(error, OSError) else None


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = where or "standard output or a temporary file: "
        return f"{where}{reason}: free some space or choose another place, and give the same command again"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{where}{reason}: raise the number of files that a process may open (ulimit -n)"
    return f"{where}{reason}; check the path and its permissions"


def _is_no_path(error: BaseException) -> bool:
    """Whether a text holds half of a surrogate pair; those that stand for a path's bytes would be a fault of rmeval."""
    return isinstance(error, UnicodeEncodeError) and not "\udc80" <= error.object[error.start] <= "\udcff"
