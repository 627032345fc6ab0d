"""Data that a child process reads from a descriptor that it inherits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Descriptors", "descriptors"]


class Descriptors:
    """Descriptors that one run needs; `close` closes them in this process."""

    def __init__(self) -> None:
        self.open: list[int] = []

    def data(self, content: bytes) -> int:
        """Return a descriptor from which a child reads some bytes, and which it cannot change."""
        import fcntl  # Not on Windows, where this module can be imported.

        made = os.memfd_create("rmeval", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.open.append(made)
        left = memoryview(content)
        while left:
            left = left[os.write(made, left) :]
        os.lseek(made, 0, os.SEEK_SET)
        # Nobody can write, also not after opening it again in /proc.
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, seals)
        return made

    def pipe(self) -> tuple[int, int]:
        """Return the two ends of a pipe."""
        ends = os.pipe()
        self.open += ends
        return ends

    def adopt(self, descriptor: int) -> None:
        """Close this one as well at the end."""
        self.open.append(descriptor)

    def close_some(self, *those: int) -> None:
        """Close some of them."""
        for descriptor in those:
            self.open.remove(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Close those that are still open."""
        while self.open:
            os.close(self.open.pop())


@contextmanager
def descriptors() -> Iterator[Descriptors]:
    """Close the descriptors at the end of a block."""
    made = Descriptors()
    try:
        yield made
    finally:
        made.close()
