"""Values between the process of the tests and the process of the solution, as bytes.

The reader creates exact builtin values and handles only, whatever the bytes are: unlike with pickle, no class is named
and no code runs.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # The module typing takes as long to import as Python to start.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["MOST_BYTES", "Channel", "ChannelError", "LargeValueError", "made_standard", "pack", "standard", "unpack"]

MOST_BYTES = 1 << 24
"""Bytes of one message."""
_MOST_VALUES = 1 << 21
"""Values in one message."""
_DEEPEST = 200
"""Levels of nested containers."""
_LENGTH = 8
_SIZES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"Z", dict: b"d"}
_SINGLES = {b"N": None, b"T": True, b"F": False}


_STANDARD: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    "Counter": ("collections", lambda value: (dict(value),)),
    "Decimal": ("decimal", lambda value: (str(value),)),
    "Fraction": ("fractions", lambda value: (value.numerator, value.denominator)),
    "OrderedDict": ("collections", lambda value: (list(value.items()),)),
    "date": ("datetime", lambda value: (value.year, value.month, value.day)),
    "datetime": ("datetime", lambda value: (*value.timetuple()[:6], value.microsecond)),
    "deque": ("collections", lambda value: (list(value), value.maxlen)),
    "timedelta": ("datetime", lambda value: (value.days, value.seconds, value.microseconds)),
}
"""Classes of the standard library whose objects cross: the module, and the arguments that make an equal object."""


def standard(value: Any) -> tuple[bytes, str, tuple[Any, ...]] | None:
    """Return how an object of the standard library crosses, see `pack`; None if it does not."""
    name = type(value).__name__
    if name not in _STANDARD or getattr(value, "tzinfo", None) is not None:
        return None
    module, arguments = _STANDARD[name]
    # A class of the same name, in a solution, is another one.
    if type(value) is not getattr(sys.modules.get(module), name, None):
        return None
    return b"q", name, arguments(value)


def made_standard(name: str, arguments: Any) -> Any:
    """Return the object of `standard` on the other side.

    Raises:
        ValueError: If there is no such class or object.
    """
    if name not in _STANDARD or type(arguments) is not tuple:
        raise ValueError("the class is unknown")
    try:
        return getattr(__import__(_STANDARD[name][0]), name)(*arguments)
    except ArithmeticError:
        raise ValueError("there is no such number") from None


class ChannelError(Exception):
    """Raised for bytes that are no message, and at the end of the channel."""


class LargeValueError(Exception):
    """Raised for a value that is too large or too deep to cross."""


def pack(value: Any, other: Callable[[Any], Any] | None = None) -> bytes:
    """Encode a value.

    Args:
        value: The value.
        other: Replaces a value that is not an exact builtin: by `(letter, number or name)`, or by
            `(letter, number, content)` with a builtin value that it contains.

    Raises:
        LargeValueError: If it is too large, or contains itself.
    """
    out: list[bytes] = []
    _write(value, out, other, 0)
    found = b"".join(out)
    if len(found) > MOST_BYTES:
        raise LargeValueError
    return found


def _write(value: Any, out: list[bytes], other: Callable[[Any], Any] | None, depth: int) -> None:
    kind = type(value)
    if kind is str:
        out.append(_sized(b"s", value.encode("utf-8", "surrogatepass")))
    elif kind is int:
        out.append(b"i%x;" % value)
    elif value is None or kind is bool:
        out.append(b"N" if value is None else b"T" if value else b"F")
    elif kind in _SIZES:
        if depth == _DEEPEST or len(out) + len(value) > _MOST_VALUES:
            raise LargeValueError
        out.append(_SIZES[kind] + b"%d;" % len(value))
        for one in _members(value, kind):
            _write(one, out, other, depth + 1)
    elif kind is float or kind is complex:
        out.append(f"f{value!r};".encode() if kind is float else f"c{value.real!r},{value.imag!r};".encode())
    elif kind is range:
        out.append(b"r%x,%x,%x;" % (value.start, value.stop, value.step))
    elif kind is bytes or kind is bytearray:
        out.append(_sized(b"b" if kind is bytes else b"B", bytes(value)))
    else:
        _write_other(value, out, other, depth)


def _members(value: Any, kind: type) -> Iterable[Any]:
    return [part for pair in value.items() for part in pair] if kind is dict else value


def _write_other(value: Any, out: list[bytes], other: Callable[[Any], Any] | None, depth: int) -> None:
    if other is None:
        raise TypeError(f"a value of the type {type(value).__name__} cannot cross")
    letter, name, *content = other(value)
    out.append(_sized(letter, str(name).encode()))
    for one in content:
        _write(one, out, other, depth + 1)


def _sized(letter: bytes, data: bytes) -> bytes:
    return letter + b"%d;" % len(data) + data


def unpack(data: bytes, other: Callable[[bytes, str, Callable[[], Any]], Any] | None = None) -> Any:
    """Decode a value.

    Args:
        data: The bytes.
        other: Makes the object of a handle from its letter, its name, and a function that reads its content.

    Raises:
        ChannelError: If the bytes are no encoded value.
    """
    reader = _Reader(data, other)
    try:
        found = reader.value(0)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError) as error:
        raise ChannelError(str(error)) from None
    if reader.place != len(data):
        raise ChannelError("there are bytes after the value")
    return found


class _Reader:
    """Reads a value from bytes.

    Args:
        data: The bytes.
        other: See `unpack`.
    """

    def __init__(self, data: bytes, other: Callable[[bytes, str, Callable[[], Any]], Any] | None) -> None:
        self.data = data
        self.other = other
        self.place = 0

    def value(self, depth: int) -> Any:
        letter = self.data[self.place : self.place + 1]
        self.place += 1
        if letter in _SINGLES:
            return _SINGLES[letter]
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        head = self._head()
        if letter == b"i":
            return int(head, 16)
        if letter == b"f":
            return float(head)
        if letter == b"c":
            real, imaginary = head.split(b",")
            return complex(float(real), float(imaginary))
        if letter == b"r":
            start, stop, step = (int(part, 16) for part in head.split(b","))
            return range(start, stop, step)
        size = int(head)
        if not 0 <= size <= len(self.data) - self.place:
            raise ValueError("a size is wrong")
        return self._sized(letter, size, depth)

    def _head(self) -> bytes:
        end = self.data.index(b";", self.place)
        head = self.data[self.place : end]
        self.place = end + 1
        return head

    def _sized(self, letter: bytes, size: int, depth: int) -> Any:
        if letter in b"ltSZ":
            made = [self.value(depth + 1) for _ in range(size)]
            return made if letter == b"l" else {b"t": tuple, b"S": set, b"Z": frozenset}[letter](made)
        if letter == b"d":
            # The key is evaluated first.
            return {self.value(depth + 1): self.value(depth + 1) for _ in range(size)}
        text = self.data[self.place : self.place + size]
        self.place += size
        if letter == b"s":
            return text.decode("utf-8", "surrogatepass")
        if letter in b"bB":
            return text if letter == b"b" else bytearray(text)
        if self.other is None:
            raise ValueError("a handle is not expected here")
        return self.other(letter, text.decode("ascii"), lambda: self.value(depth + 1))


class Channel:
    """Messages through two pipes.

    Args:
        read: Descriptor to read from.
        write: Descriptor to write to.
    """

    def __init__(self, read: int, write: int) -> None:
        # A solution may replace functions of the module os; these remain those of Python.
        self._read, self._write = os.read, os.write
        self.incoming, self.outgoing = read, write

    def send(self, data: bytes) -> None:
        """Send a message.

        Raises:
            ChannelError: If the other side has ended.
        """
        left = memoryview(len(data).to_bytes(_LENGTH, "big") + data)
        try:
            while left:
                left = left[self._write(self.outgoing, left) :]
        except OSError:
            raise ChannelError("the other process ended") from None

    def receive(self) -> bytes:
        """Wait for a message.

        Raises:
            ChannelError: If the other side has ended, or its message is too large.
        """
        size = int.from_bytes(self._exactly(_LENGTH), "big")
        if size > MOST_BYTES:
            raise ChannelError("a message is too large")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._read(self.incoming, min(size, 1 << 16))
            if not part:
                raise ChannelError("the other process ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
