"""Files that scores depend on: their digest, and whether they still are what it was taken of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from rmeval.digests import digest, files_digest
from rmeval.errors import ModelError, RmevalError
from rmeval.files import stamp

__all__ = ["Sources", "checked"]

T = TypeVar("T")


class Sources:
    """Some files of a folder, and the digest that they had.

    Between the digest and the loading, and while a model reads weights from files that are mapped into memory, another
    process may write to them. `check` notices that, so that no score is filed under a digest of other files.

    Attributes:
        digest: SHA-256 over the files' names and contents.
    """

    def __init__(self, folder: Path, find: Callable[[], Iterable[Path]]) -> None:
        """Takes the digest of what there is now.

        Args:
            folder: What names are relative to.
            find: Lists the files; it is called again where a folder has changed.

        Raises:
            RmevalError: What `find` raises.
        """
        self._folder = folder
        self._find = find
        # The states first: what changes while sums are computed is noticed by the next check.
        self._files = self._found()
        self._states = self._now()
        self.digest = self._digest()

    def check(self) -> None:
        """Compares the files with the digest; sums are computed again only where a file's state says that it changed.

        Raises:
            ModelError: If one has changed.
        """
        if self._now() == self._states:
            return
        try:
            files = self._found()
            self._files, before = files, self._files
            states = self._now()
            if files == before and self._digest() == self.digest:
                self._states = states
                return
        except (OSError, RmevalError):
            pass  # A file has gone, or the index names others.
        raise ModelError(
            f"files of {self._folder} changed after rmeval took their digest, so that scores would be filed under the "
            "wrong one: wait until nothing writes to them, and give the command again"
        )

    def _found(self) -> list[Path]:
        return sorted(set(self._find()), key=lambda path: (path.name, self._name(path)))

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._folder).replace(os.sep, "/")

    def _digest(self) -> str:
        names = [self._name(path) for path in self._files]
        # The sum over plain folders takes in the names of files alone; two in different folders may have the same.
        inner = [name for name in names if "/" in name]
        return files_digest(self._files) + (f" in {digest(names)[:16]}" if inner else "")

    def _now(self) -> dict[Path, tuple[int, ...] | None]:
        # A folder's own stamp changes when a file comes or goes that loading would prefer.
        return {path: stamp(path) for path in [*self._files, *(path.parent for path in self._files)]}


def checked(batches: Iterable[T], sources: Sequence[Sources]) -> Iterator[T]:
    """Hands out what was computed, each time after a check that it was computed of the files that the digest is of."""
    for batch in batches:
        for one in sources:
            one.check()
        yield batch
