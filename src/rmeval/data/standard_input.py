"""Rows from standard input."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from rmeval.data.rows import Row, read_rows
from rmeval.errors import DataError

__all__ = ["rows_of_stream"]

_NAME = "standard input"


def rows_of_stream(stream: BinaryIO) -> list[Row]:
    """Read JSON Lines from a stream to its end; messages name standard input.

    Raises:
        DataError: If a row is broken, or there are none.
    """
    with tempfile.TemporaryDirectory(prefix="rmeval-") as folder:
        file = Path(folder) / "input.jsonl"
        with file.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        try:
            return [replace(row, where=row.where.replace(str(file), _NAME)) for row in read_rows(file)]
        except DataError as error:
            raise DataError(str(error).replace(str(file), _NAME)) from error
