"""Reading of answers: JSON, or why there is none in the server's own words."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any
from urllib.parse import quote

from rmeval.data.json_text import JSONError, parse_json
from rmeval.messages import shortened
from rmeval.redaction import redacted

__all__ = ["Unpacker", "UnreadableError", "Words", "json_data"]

_LONGEST_WORDS = 300
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_SHORTEST_KEY = 4


class UnreadableError(ValueError):
    """An answer without usable data; the message states why.

    Attributes:
        permanent: Whether the same request would get such an answer again.
    """

    def __init__(self, message: str, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Words:
    """Makes other people's text fit for a message: one short line that contains no secret."""

    def __init__(self, key: str) -> None:
        """Store the key, which is removed wherever a server repeats it."""
        # A server may show it within JSON, also within a text of JSON, or as a part of an address.
        escaped = json.dumps(key)[1:-1]
        forms = {key, escaped, json.dumps(escaped)[1:-1], quote(key, safe="")} if len(key) >= _SHORTEST_KEY else ()
        self._forms = sorted(forms, key=len, reverse=True)

    def without_key(self, text: str) -> str:
        """Return a text without the key."""
        for form in self._forms:
            text = text.replace(form, "[redacted]")
        return text

    def clean(self, text: str) -> str:
        """Return a text as one short line without secrets."""
        return shortened(redacted(" ".join(self.without_key(text).split())), _LONGEST_WORDS).rstrip(".: ")

    def of(self, body: bytes) -> str:
        """Return the message in the body of an answer that reports a failure; empty without one."""
        text = body.decode("utf-8", "replace").strip()
        try:
            found = _message(json.loads(text))
        except (ValueError, RecursionError):
            found = None
        return self.clean(found or _plain(text))


def _plain(text: str) -> str:
    if not text.startswith("<"):
        return text
    title = _TITLE.search(text)
    return f"an HTML page, {title[1]}" if title else "an HTML page"


def _message(data: Any) -> str | None:
    """The text in the shapes that servers use: `error`, `message`, `detail`, nested or in lists."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        parts = [found for one in data[:3] if (found := _message(one))]
        return "; ".join(parts) or None
    if isinstance(data, dict):
        found = next((_message(data[name]) for name in ("error", "message", "detail", "msg") if data.get(name)), None)
        where = data.get("loc")
        if found and isinstance(where, list):
            found = f"{'.'.join(map(str, where))}: {found}"
        code = data.get("code")
        return f"{found} ({code})" if found and isinstance(code, str) else found
    return None


def json_data(body: bytes | bytearray) -> Any:
    """Decode the JSON of an answer.

    A server may cut a text within a character, so half of a surrogate pair becomes U+FFFD.

    Raises:
        UnreadableError: If it is not JSON, or contains NaN, infinities or a key twice.
    """
    try:
        return parse_json(body.decode("utf-8"), finite=True, halves=True)
    except UnicodeDecodeError:
        raise UnreadableError("the answer is not UTF-8") from None
    except JSONError as error:
        raise UnreadableError(f"the answer is not valid JSON: {error}", permanent=True) from None
    except ValueError:
        start = body[:200].decode("utf-8", "replace").strip()
        what = f"it begins with {start[:60]!r}" if start else "it is empty"
        raise UnreadableError(f"the answer is not JSON: {what}") from None


class Unpacker:
    """Decompresses a body piece by piece, up to a maximum size."""

    def __init__(self, encoding: str) -> None:
        """Choose the method.

        Raises:
            UnreadableError: If the server uses a method that was not offered.
        """
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UnreadableError(f"the answer is compressed by {encoding}, which was not offered", permanent=True)
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def unpack(self, piece: bytes, most: int) -> bytes:
        """Return what a piece contains, at most `most` bytes."""
        try:
            return self._stream.decompress(piece, most)
        except zlib.error as error:
            raise UnreadableError(f"the answer cannot be decompressed ({error})") from None

    def finish(self) -> None:
        """Check that the compressed data is complete."""
        if not self._stream.eof:
            raise UnreadableError("the answer cannot be decompressed (it is incomplete)")
