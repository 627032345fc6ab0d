"""The texts that judges wrote: compressed segments beside the journal, which nothing but reading needs.

`raw/` is a folder of segments `0001.jsonl.gz`, `0002.jsonl.gz`, ...; each writing process creates a new one. A batch is
one gzip member of lines `{"key": ..., "text": ...}`. It is on disk before the journal has its observations, so that
each stored verdict has its text; a text without an observation is that of a request that ran again later.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rmeval.errors import explain_read_error
from rmeval.files import opened
from rmeval.store.segments import SegmentWriter, remove_segments, segments
from rmeval.types import Observation

__all__ = ["RawTexts", "read_raw", "remove_raw"]

logger = logging.getLogger(__name__)

_SUFFIX = ".jsonl.gz"
_LONGEST_LINE = 64 << 20
"""Bytes of a line; a longer one is not from rmeval."""


class RawTexts(SegmentWriter):
    """Writer of texts to a new segment, which is created with the first text; use it as a context manager."""

    suffix = _SUFFIX
    contents = "texts"

    def append(self, batch: Sequence[Observation]) -> None:
        """Write the texts of a batch and wait until they are on disk.

        Raises:
            RunError: If they cannot be written.
        """
        lines = [json.dumps({"key": one.key, "text": one.raw}) for one in batch if one.raw is not None]
        if lines:
            self.write(gzip.compress("".join(f"{line}\n" for line in lines).encode("ascii"), 6, mtime=0))


def read_raw(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the key of each request and the text that the judge wrote; a later text replaces an earlier one.

    The rest of a segment that ends within a batch, as that of a killed process does, or that is damaged, is left out
    with a warning: no number depends on texts.

    Args:
        folder: The folder of the segments; it need not exist.

    Raises:
        RunError: If a segment cannot be read.
    """
    for segment in segments(folder, _SUFFIX):
        try:
            with opened(segment) as file, gzip.open(file) as lines:
                while line := lines.readline(_LONGEST_LINE):
                    entry = json.loads(line)
                    yield str(entry["key"]), str(entry["text"])
        except (EOFError, LookupError, RecursionError, TypeError, ValueError, gzip.BadGzipFile, zlib.error):
            logger.warning("%s ends in an unfinished or damaged batch: its texts are left out", segment)
        except OSError as error:
            raise explain_read_error(error, segment) from error


def remove_raw(folder: Path) -> None:
    """Remove the segments, see `remove_segments`."""
    remove_segments(folder, _SUFFIX)
