"""Cells of written CSV that contain line ends."""

from __future__ import annotations

import csv
import io

import pytest

from rmeval.data.writing import WRITTEN


@pytest.mark.parametrize("text", ["x\ry", "x\ny", "x\r\ny", "\r", 'a "b", c'])
def test_a_cell_stays_one_cell(text: str) -> None:
    """Python before 3.13 quotes a lone carriage return only if it is part of the line end."""
    file = io.BytesIO()
    WRITTEN[".csv"](file, [{"note": text, "score": 1.5}, {"note": "plain", "score": 2.5}])
    rows = list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))
    assert rows == [["note", "score"], [text, "1.5"], ["plain", "2.5"]]
