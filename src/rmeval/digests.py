"""Digests: how equal things are recognised across processes and machines."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from rmeval.files import json_bytes, opened, replacing
from rmeval.types import Conversation, Item

__all__ = [
    "contents_digest",
    "conversation_digest",
    "digest",
    "files_digest",
    "gold_digest",
    "item_digests",
    "unordered_digest",
]

_CHUNK = 1 << 24
_ENDS = 1 << 16
_FRESH = 2_000_000_000
"""Nanoseconds for which a file may change again without another time: clocks of file systems are coarse."""
_MOST = 4096
_TRIES = 5
_SUMS = re.compile("[0-9a-f]{64} [0-9a-f]{64}")


def digest(value: Any) -> str:
    """32 hex digits of BLAKE2b over the value's canonical JSON (sorted keys, no spaces)."""
    return hashlib.blake2b(_canonical(value), digest_size=16).hexdigest()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def conversation_digest(conversation: Conversation, tools: Sequence[Mapping[str, Any]] = ()) -> str:
    """Digest of a conversation: roles, contents, and where there are any, tool calls and the like, and tools."""
    messages: list[Any] = [
        [message.role, message.content, *([extras] if (extras := message.extras) else [])] for message in conversation
    ]
    return digest([*messages, {"tools": list(tools)}] if tools else messages)


def item_digests(item: Item) -> tuple[str, ...]:
    """The conversation digest of each response of an item that has its texts."""
    return tuple(conversation_digest(item.conversation(index), item.tools) for index in range(len(item.responses)))


def contents_digest(digests: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Digest of what a benchmark asks: item ids with their conversation digests, in any order.

    Answers are sorted within an item, because their order often tells which is right, and gold is not asked.
    """
    return unordered_digest([name, *sorted(contents)] for name, contents in digests)


def gold_digest(items: Iterable[tuple[Item, Sequence[str]]]) -> str:
    """Digest of what a benchmark knows: which conversation has what gold and wins what, in any order of items.

    Args:
        items: The items, whose texts are not needed, each with the conversation digest of each response.
    """
    return unordered_digest(_known(item, own) for item, own in items)


def _known(item: Item, own: Sequence[str]) -> list[Any]:
    golds = [[content, response.gold] for content, response in zip(own, item.responses, strict=True)]
    contests = [[[own[member] for member in c.members], c.gold, c.tag] for c in item.contests]
    return [item.id, golds, contests, _WEIGHT]


_WEIGHT = 1.0
"""Items had a weight once, which no number depended on; with it, the digests in run folders of that time stay valid."""


def unordered_digest(values: Iterable[Any]) -> str:
    """32 hex digits that are the same in whatever order the values come, without keeping them.

    The sum of the values' 256-bit digests modulo 2^256 (the additive multiset hash of Bellare and Micciancio 1997,
    EUROCRYPT, section 5), shortened.
    """
    total = sum(int.from_bytes(hashlib.blake2b(_canonical(value), digest_size=32).digest(), "big") for value in values)
    return digest(total % 2**256)


def files_digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the names and SHA-256 sums of files.

    Sums are remembered in `$XDG_CACHE_HOME/rmeval/sha256.json`, for a file that is the same by path, device, inode,
    size and times, and whose beginning and end are the same; where that cannot be written, they are computed each time.

    Args:
        paths: The files.

    Raises:
        OSError: If one cannot be read.
    """
    memory = _memory()
    known = {} if memory is None else _read(memory)
    sums: list[tuple[str, str]] = []
    fresh: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: path.name):
        key, total, ends = _sum(path, known)
        sums.append((path.name, total))
        if key is not None and known.get(key) != f"{total} {ends}":
            fresh[key] = f"{total} {ends}"
    if fresh and memory is not None:
        _write(memory, fresh)
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()


def _memory() -> Path | None:
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # No HOME, and no entry of the user.
        return None
    return Path(home) / "rmeval" / "sha256.json"


def _read(memory: Path) -> dict[str, str]:
    """What is remembered; a file that holds anything else is dropped."""
    try:
        with opened(memory) as file:
            found = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str) and _SUMS.fullmatch(value)}


def _write(memory: Path, fresh: Mapping[str, str]) -> None:
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        # Read again: another process may have written meanwhile. The oldest come first, and go first.
        known = {key: value for key, value in _read(memory).items() if key not in fresh} | dict(fresh)
        with replacing(memory) as file:
            file.write(json_bytes(dict(list(known.items())[-_MOST:])))


def _sum(path: Path, known: Mapping[str, str]) -> tuple[str | None, str, str]:
    """The key that a file is remembered by, its sum and that of its ends; no key where it may change unseen."""
    for _ in range(_TRIES):
        with opened(path) as file:
            before = os.fstat(file.fileno())
            key = _key(path, before)
            ends = _ends(file, before.st_size)
            total, _, known_ends = known.get(key, "").partition(" ")
            if ends != known_ends:
                total = _whole(file)
            if _key(path, os.fstat(file.fileno())) == key:
                steady = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > _FRESH
                return key if steady else None, total, ends
    raise OSError(None, "it is being written: try again when it is whole", str(path))


def _key(path: Path, found: os.stat_result) -> str:
    parts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "|".join([str(path.resolve()), *map(str, parts)])


def _ends(file: BinaryIO, size: int) -> str:
    """The sum of a file's beginning and end, which are read each time."""
    total = hashlib.sha256(file.read(_ENDS))
    if size > _ENDS:
        file.seek(max(size - _ENDS, _ENDS))
        total.update(file.read(_ENDS))
    file.seek(0)
    return total.hexdigest()


def _whole(file: BinaryIO) -> str:
    total = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return total.hexdigest()
