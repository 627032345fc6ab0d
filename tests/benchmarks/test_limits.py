"""Files that cost more than they should: one sentence, and memory in proportion to the text."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data.reading import iterate_fields, read_json
from rmeval.data.rows import read_rows
from rmeval.errors import DataError
from tests.command import process

ROWS = b'{"a": "x"}\n' * 9


def parquet(path: Path, **columns: Any) -> None:
    pq.write_table(pa.table(columns), path, compression="zstd")


@pytest.mark.parametrize(
    ("limit", "value", "name", "content", "sentence"),
    [
        ("ROWS", 8, "a.jsonl", ROWS, r"a.jsonl has more than 8 lines: split it, or set RMEVAL_MAX_ROWS"),
        ("ROWS", 8, "a.jsonl", b"\n" * 9 + ROWS, "a.jsonl has more than 8 lines"),
        ("ROWS", 8, "a.csv", b"a\n" * 9, "a.csv has more than 8 lines"),
        ("LINE_BYTES", 9, "a.jsonl", ROWS, "a.jsonl line 1: it is longer than 9 characters.*RMEVAL_MAX_LINE_BYTES"),
        (
            "LINE_BYTES",
            99,
            "a.jsonl.gz",
            gzip.compress(b"x" * 10_000, mtime=0),
            "a.jsonl.gz line 1: it is longer than 99",
        ),
        ("LINE_BYTES", 40, "a.json", b"[\n" + b" " * 39 + b"\n" + b'{"a": 1}' * 9, "is one document of more than 40"),
        ("LINE_BYTES", 2000, "a.jsonl", b"\n" * 30, "a.jsonl line 21: nothing but white space goes on"),
        ("LINE_BYTES", 50, "a.csv", b'a\n"' + b"x\n" * 50, "a.csv line 25: a row is longer than 50 characters"),
        ("LINE_BYTES", 50, "a.csv", b"a,b\n" + b'"x\n",' * 50, "a.csv line 11: a row is longer than 50 characters"),
        ("FILE_BYTES", 98, "a.jsonl", ROWS, "a.jsonl holds more than 98 bytes of text.*RMEVAL_MAX_FILE_BYTES"),
        ("FILE_BYTES", 98, "a.jsonl.gz", gzip.compress(ROWS, mtime=0), "a.jsonl.gz holds more than 98 bytes"),
        ("FILE_BYTES", 98, "a.jsonl.zst", pa.compress(ROWS, "zstd", asbytes=True), "a.jsonl.zst holds more than 98"),
        ("COLUMNS", 2, "a.jsonl", b'{"a": 1, "b": 2, "c": 3}\n', r"line 1: the row has 3 columns, more than 2"),
        ("COLUMNS", 2, "a.csv", b"a,b,c\n1,2,3\n", "a.csv line 1: there are 3 columns, more than 2"),
        ("NESTING", 3, "a.jsonl", b'{"a": [[[]]]}\n', "a.jsonl line 1: lists and objects are nested more than 3 deep"),
    ],
)
def test_limits_of_text(
    limit: str, value: int, name: str, content: bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(content)
    monkeypatch.setenv(f"RMEVAL_MAX_{limit}", str(value))
    with pytest.raises(DataError, match=sentence):
        list(iterate_fields(tmp_path / name))


def test_rows_that_fit_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("ROWS", 9), ("LINE_BYTES", 11), ("FILE_BYTES", 99), ("COLUMNS", 1), ("NESTING", 1)):
        monkeypatch.setenv(f"RMEVAL_MAX_{limit}", str(value))
    for name, content in (("a.jsonl", ROWS), ("a.jsonl.gz", gzip.compress(ROWS))):
        (tmp_path / name).write_bytes(content)
        assert len(list(iterate_fields(tmp_path / name))) == 9


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("ROWS", 8, "has 9 rows, more than 8: split it, or set RMEVAL_MAX_ROWS"),
        ("COLUMNS", 1, "has 2 columns, more than 1"),
        ("NESTING", 2, "its columns are nested more than 2 deep"),
        ("LINE_BYTES", 5_000, "holds rows of more than 5,000 bytes"),
    ],
)
def test_limits_of_parquet(
    limit: str, value: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "a.parquet", a=[[{"x": "y" * 6000}]] * 9, b=range(9))
    monkeypatch.setenv(f"RMEVAL_MAX_{limit}", str(value))
    with pytest.raises(DataError, match=sentence):
        list(iterate_fields(tmp_path / "a.parquet"))


def test_a_row_that_shares_a_text_with_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), pa.array(["a" * 100_000]))
    # Rows without a text come first, and the last holds nearly all.
    lists = pa.ListArray.from_arrays(pa.array([0, 0, 0, *range(1, 20), 300], pa.int32()), texts)
    parquet(tmp_path / "a.parquet", a=lists)
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    assert max(len(fields["a"]) for fields, _ in iterate_fields(tmp_path / "a.parquet")) == 281
    monkeypatch.setenv("RMEVAL_MAX_LINE_BYTES", "20000000")
    with pytest.raises(DataError, match="holds rows of more than 20,000,000 bytes"):
        list(iterate_fields(tmp_path / "a.parquet"))


def test_a_list_of_nulls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = pa.ListArray.from_arrays(pa.array([0, 10**5], pa.int32()), pa.nulls(10**5, pa.int8()))
    parquet(tmp_path / "a.parquet", a=lists)
    assert len(list(iterate_fields(tmp_path / "a.parquet"))) == 1
    monkeypatch.setenv("RMEVAL_MAX_LINE_BYTES", "1000000")
    with pytest.raises(DataError, match="holds rows of more than 1,000,000 bytes"):
        list(iterate_fields(tmp_path / "a.parquet"))


READ = """
import pyarrow as pa
from pathlib import Path
from rmeval.data.reading import iterate_fields
print(sum(len(fields['a']) for fields, _ in iterate_fields(Path({path!r}))), pa.default_memory_pool().max_memory())
"""


def test_texts_that_rows_share_are_not_unpacked_at_once(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", a=["a" * 1_000_000] * 500)
    assert (tmp_path / "a.parquet").stat().st_size < 2_000
    done = process("-c", READ.format(path=str(tmp_path / "a.parquet")))
    letters, most = map(int, done.stdout.split())
    assert (letters, most < 300_000_000) == (5 * 10**8, True)


def test_what_is_no_file_with_an_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    for read in (lambda path: list(iterate_fields(path)), read_json):  # type: Callable[[Path], object]
        for name in ("pipe.jsonl", "zero.jsonl"):
            with pytest.raises(DataError, match=rf"{name} is a pipe, a device or a socket, which cannot be read twice"):
                read(tmp_path / name)
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    with pytest.raises(DataError, match=r"loop.jsonl cannot be read \(Too many levels of symbolic links\)"):
        list(iterate_fields(tmp_path / "loop.jsonl"))


def test_errors_quote_no_more_than_a_line(tmp_path: Path) -> None:
    long = "x" * 100_000
    for name, content, sentence in (
        ("a.jsonl", json.dumps({long: 1, "b": 2}), "column 'prompt' is missing"),
        ("a.jsonl", f'{{"{long}": 1, "{long}": 2}}', "has the key 'xxx"),
        ("a.csv", f"{long},{long}\n1,2\n", "two columns have the name 'xxx"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=sentence) as caught:
            read_rows(tmp_path / name)[0].text("prompt")
        assert len(str(caught.value)) < 1_000
