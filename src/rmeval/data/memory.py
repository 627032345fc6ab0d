"""Release of free memory to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa

__all__ = ["release_free"]


def release_free() -> None:
    """Release free memory to the system, if the allocators of Arrow and C support it (glibc's does)."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
