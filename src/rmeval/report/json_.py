"""Renderer of views as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmeval.report.cells import clean
from rmeval.report.views import View, flat_rows

__all__ = ["json_value"]


def json_value(views: Sequence[View]) -> list[dict[str, Any]]:
    """Return one object per view: its subject, the rows of all tables as objects, and the notes.

    Shares are between 0 and 1 and have all digits.
    """
    return [
        {
            "benchmark": clean(view.benchmark),
            "model": clean(view.model) or None,
            "data": clean(view.data) or None,
            "about": [clean(line) for line in view.about],
            "rows": list(flat_rows(view)),
            "notes": [clean(note) for note in view.remarks],
        }
        for view in views
    ]
