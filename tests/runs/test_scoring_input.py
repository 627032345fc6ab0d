"""Rows that cannot be scored, or not be written again, are refused before anything is scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.api import load_model
from rmeval.errors import DataError
from rmeval.runs.score_file import score_file


def score(source: Path) -> list[dict[str, Any]]:
    target = source.with_name("scored.jsonl")
    score_file(load_model("baseline:longest"), source, target)
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_columns_that_cannot_be_written_again(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    texts = {"prompt": ["q"], "response": ["four"]}
    pq.write_table(pa.table(texts | {"day": pa.array([1], pa.date32()), "raw": pa.array([b"\xff"])}), file)
    assert score(file) == [{"prompt": "q", "response": "four", "day": "1970-01-02", "raw": "b'\\xff'", "score": 4.0}]
    pq.write_table(pa.table(texts | {"day": pa.array([10**7], pa.date32())}), file)
    with pytest.raises(DataError, match=r"row 0: column 'day' cannot be written next to the scores \(date"):
        score(file)
    assert not (tmp_path / "scored.jsonl.partial").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"prompt": "q", "response": "a", "x": ' + "[" * 500 + "]" * 500 + "}", "nested more than 100 deep"),
        ('{"prompt": "q", "response": "a", "response": "b"}', "an object has the key 'response' twice"),
        ('{"prompt": "q", "responses": []}', "column 'responses' contains no response"),
        ('{"messages": []}', "column 'messages' has no messages"),
        ('{"prompt": [], "response": "a"}', "column 'prompt' has no messages"),
        ('{"prompt": "q", "response": "a", "tools": "[{\\"a\\": 1, \\"a\\": 2}]"}', "an object has the key 'a' twice"),
        ('{"prompt": "q", "response": "a", "tools": [{"a": NaN}]}', "column 'tools' contains nan, which JSON"),
    ],
)
def test_rows_that_cannot_be_scored(line: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=f"a.jsonl line 1.*{sentence}"):
        score(tmp_path / "a.jsonl")
    assert not (tmp_path / "scored.jsonl.partial").exists()
