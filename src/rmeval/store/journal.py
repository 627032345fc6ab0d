"""The journal of observations, to which batches are appended completely or not at all.

A journal is a folder of segments `0001.jsonl`, `0002.jsonl`, ...; each writing process creates a new one. A line is a
JSON object: an observation's fields (those that differ from their defaults), `left`, the number of lines that follow in
its batch, and last `crc`, the CRC-32 in hex of the line's bytes before `,"crc"`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, get_args

from rmeval.errors import DamagedError, explain_read_error
from rmeval.files import opened
from rmeval.messages import shortened
from rmeval.store.segments import SegmentWriter, remove_segments, sealed, segments, unsealed
from rmeval.types import Observation, Status

__all__ = ["Journal", "has_observations", "journal_state", "read_journal", "remove_journal"]

logger = logging.getLogger(__name__)

SUFFIX = ".jsonl"
_EMPTY: tuple[Any, ...] = ({}, ())


class Journal(SegmentWriter):
    """Writer of batches of observations to a new segment; use it as a context manager.

    The first line of a segment names its run, so that a segment moved from another run is detected.
    """

    suffix = SUFFIX
    contents = "journals"

    def __init__(self, folder: Path, run: str | None = None) -> None:
        """Store the folder; nothing is created.

        Args:
            folder: The journal.
            run: The run that its segments name.
        """
        super().__init__(folder)
        self._run = run

    def append(self, batch: Sequence[Observation]) -> None:
        """Write a batch and wait until it is on disk.

        Raises:
            RunError: If it cannot be written. Earlier batches are safe.
            ValueError: If an observation has a field that `read_journal` would not accept; nothing is written.
        """
        last = len(batch) - 1
        first = {"run": self._run} if self._run is not None and self.is_new else {}
        self.write(
            b"".join(
                _line(observation, last - place, {} if place else first) for place, observation in enumerate(batch)
            )
        )


def read_journal(folder: Path, tolerant: bool = False, run: str | None = None) -> Iterator[list[Observation]]:
    """Read the batches in the order in which they were written; a later observation replaces an earlier one.

    An unfinished batch at the end of a segment is left out with a warning.

    Args:
        folder: The journal.
        tolerant: Whether to read each segment up to its first incomplete batch, without a warning.
        run: The run to which its segments must belong, if they name one.

    Raises:
        RunError: If another line is damaged, or a segment belongs to another run or cannot be read.
    """
    for segment in segments(folder, SUFFIX):
        try:
            with opened(segment) as file:
                yield from _batches(file, segment, tolerant, run)
        except OSError as error:
            raise explain_read_error(error, segment) from error


def _batches(file: BinaryIO, segment: Path, tolerant: bool, run: str | None) -> Iterator[list[Observation]]:
    batch: list[Observation] = []
    cut, due, read = False, 0, 0
    # Bytes after this size are being written, and may be incomplete.
    whole = os.fstat(file.fileno()).st_size
    for number, line in enumerate(file, 1):
        read += len(line)
        entry = _parse(line[:-1]) if line.endswith(b"\n") else None
        if entry is None or (batch and entry[1] != due):
            if not tolerant and read < whole:
                raise DamagedError(
                    f"{segment} line {number} is damaged: restore it from a copy, or delete that line "
                    "and run the same command again to score it again"
                )
            cut = True
            break
        observation, left, own = entry
        if own is not None and run is not None and own != run:
            raise DamagedError(f"{segment} belongs to another run ({shortened(own)}): move it to that run's folder")
        batch.append(observation)
        due = left - 1
        if left == 0:
            yield batch
            batch = []
    if (batch or cut) and not tolerant:
        logger.warning("%s ends in an unfinished batch: it is left out and scored again", segment)


def has_observations(folder: Path) -> bool:
    """Whether a journal has any observation; a failed process may leave an empty segment."""
    return any(segment.lstat().st_size for segment in segments(folder, SUFFIX))


def journal_state(folder: Path) -> str | None:
    """A digest of the current contents of a journal, which changes with each batch; None if there is no journal.

    It is the SHA-256 of each segment's name, size and last 64 bytes, which include the checksum of its last line, so
    that its cost does not depend on the size of the journal.

    Raises:
        RunError: If a segment cannot be read.
    """
    total, found = hashlib.sha256(), segments(folder, SUFFIX)
    for segment in found:
        try:
            with opened(segment) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - 64, 0))
                total.update(f"{segment.name} {size} ".encode() + file.read(64))
        except OSError as error:
            raise explain_read_error(error, segment) from error
    return total.hexdigest() if found else None


def remove_journal(folder: Path) -> None:
    """Remove the segments of a journal, see `remove_segments`."""
    remove_segments(folder, SUFFIX)


def _line(observation: Observation, left: int, more: Mapping[str, Any]) -> bytes:
    _refuse_unreadable(observation)
    values = zip(_NAMES, _FIELDS(observation), strict=True)
    entry = {name: value for name, value in values if value is not None and value not in _EMPTY}
    if not observation.input_truncated:
        del entry["input_truncated"]
    return sealed(_json({**entry, **more, "left": left}).encode("utf-8", "backslashreplace"))


def _refuse_unreadable(seen: Observation) -> None:
    """Refuses what JSON can hold and `_CHECKS` would not accept; each line passes here, so that it is brief."""
    if seen.choice is not None and type(seen.choice) is not int:
        raise ValueError(f"choice={shortened(seen.choice)}")
    if bool in map(type, seen.values.values()):
        raise ValueError(f"values={shortened(seen.values)}")
    if seen.usage and set(map(type, seen.usage.values())) != {int}:
        raise ValueError(f"usage={shortened(seen.usage)}")
    if seen.error is not None and not isinstance(seen.error, str):
        raise ValueError(f"error={shortened(seen.error)}")


_NAMES = tuple(field.name for field in fields(Observation) if field.compare)
_FIELDS = attrgetter(*_NAMES)
# One encoder for all lines, because `json.dumps` creates a new one for each.
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _parse(line: bytes) -> tuple[Observation, int, Any] | None:
    """The observation in a line, the number of lines that follow in its batch, and its run; None if damaged."""
    if (found := unsealed(line)) is None:
        return None
    try:
        entry = json.loads(found.decode("utf-8", "surrogatepass"))
        left, run = entry.pop("left"), entry.pop("run", None)
        if type(left) is not int or left < 0 or not all(_CHECKS[name](value) for name, value in entry.items()):
            return None
        return _observation(entry), left, run
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None  # Another program may have written a line with a valid checksum.


def _observation(entry: dict[str, Any]) -> Observation:
    """The observation of a line's fields, with the names of this version or of an earlier one."""
    values = {
        name: tuple(map(float, value)) if isinstance(value, list) else float(value)
        for name, value in entry.pop("values", {}).items()
    }
    for name in _UNREAD:
        entry.pop(name, None)
    if entry.get("status") == _CUT:
        entry |= {"status": "ok", "input_truncated": True}
    return Observation(values=values, **entry)


_CUT = "truncated"
"""The status of an observation whose input was cut, in journals of schema 1."""
_UNREAD = ("strength", "finish_reason", "attempts", "raw_ref")
"""Fields of schema 1 that no version ever read."""


def _is_number(value: Any) -> bool:
    return type(value) in (float, int) and math.isfinite(value)


def _are_values(values: Any) -> bool:
    return all(
        all(map(_is_number, value)) if isinstance(value, list) else _is_number(value) for value in values.values()
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and -_MOST <= value <= _MOST


_MOST = (1 << 31) - 1
_STATUSES = get_args(Status)
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "key": lambda text: isinstance(text, str),
    "status": (*_STATUSES, _CUT).__contains__,
    "values": _are_values,
    "choice": _is_count,
    "strength": _is_number,
    "usage": lambda usage: all(type(count) is int for count in usage.values()) and _is_count(usage.get("tokens", 0)),
    "finish_reason": lambda text: isinstance(text, str),
    "attempts": _is_count,
    "raw_ref": lambda text: isinstance(text, str),
    "error": lambda text: isinstance(text, str),
    "sequence": re.compile("[0-9a-f]{1,16}").fullmatch,
    "input_truncated": lambda flag: flag is True,
}
"""Whether a field has a valid value; unknown fields do not."""
