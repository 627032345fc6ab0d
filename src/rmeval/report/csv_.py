"""Renderer of views as CSV, with one row for each row of each table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rmeval.messages import visible
from rmeval.report.views import View, flat_rows

__all__ = ["csv_text"]


def csv_text(views: Sequence[View]) -> str:
    """Return all rows under one header; a row has no value in columns that its table lacks.

    Shares are between 0 and 1 and have all digits. Text that a spreadsheet would interpret as a formula is preceded by
    an apostrophe.
    """
    rows = [row for view in views for row in flat_rows(view)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_safe, columns))
    writer.writerows([_safe(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Wide forms of the first four are among them."""


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = visible(value, lines=True)
    return f"'{text}" if text.startswith(_FORMULA) else text
