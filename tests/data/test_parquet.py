from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.benchmarks.pairs import Pairs
from rmeval.data.reading import iterate_fields
from rmeval.errors import DataError

NOT_UTF_8 = pa.Array.from_buffers(
    pa.string(), 1, [None, pa.py_buffer(b"\x00\x00\x00\x00\x02\x00\x00\x00"), pa.py_buffer(b"\xff\xfe")]
)


def pairs(folder: Path, **more: Any) -> Path:
    """A pair, with other columns."""
    file = folder / "p.parquet"
    texts = {"prompt": ["Why?"], "chosen": ["So."], "rejected": ["No."]}
    pq.write_table(pa.table(texts | more), file)
    return file


@pytest.mark.parametrize(
    "column",
    [
        pa.array([10**7], pa.date32()),
        pa.array([2**62], pa.timestamp("us")),
        pa.array([0], pa.timestamp("us", "Mars/Olympus")),
        pa.array([[2**62]], pa.list_(pa.timestamp("us"))),
        NOT_UTF_8,
    ],
    ids=["date", "time", "zone", "list", "text"],
)
def test_a_value_that_cannot_be_read_stops_who_reads_it(column: Any, tmp_path: Path) -> None:
    (item,) = Pairs(str(pairs(tmp_path, when=column))).load()
    assert item.responses[0].text == "So."
    with pytest.raises(DataError, match=r"row 0: column 'chosen' must be .*, not a value that cannot be read \("):
        list(Pairs(str(pairs(tmp_path, chosen=column))).load())
    with pytest.raises(DataError, match=r"row 0: column 'id' must be .*, not a value that cannot be read \("):
        list(Pairs(str(pairs(tmp_path, id=column))).load())
    with pytest.raises(DataError, match="row 0: the column 'context' would not reach the model"):
        list(Pairs(str(pairs(tmp_path, context=column))).load())


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pa.array([b"So."]), "column 'chosen' must be a string or a list of messages, not bytes"),
        (pa.array([decimal.Decimal(1)]), "column 'chosen' must be a string or a list of messages, not Decimal"),
        (pa.array([[("role", "user")]], pa.map_(pa.string(), pa.string())), "must contain messages like"),
        (pa.array([1], pa.duration("us")), "column 'chosen' must be a string or a list of messages, not timedelta"),
    ],
)
def test_values_of_other_types(column: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=sentence):
        list(Pairs(str(pairs(tmp_path, chosen=column))).load())


def test_texts_of_other_types(tmp_path: Path) -> None:
    for column in (pa.array(["So."], pa.large_string()), pa.array(["So."]).dictionary_encode()):
        (item,) = Pairs(str(pairs(tmp_path, chosen=column))).load()
        assert item.responses[0].text == "So."


def test_two_columns_or_fields_of_one_name(tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    one = pa.array(["a"])
    pq.write_table(pa.Table.from_arrays([one, one], names=["x", "x"]), file)
    with pytest.raises(DataError, match=r"p.parquet: two columns have the name 'x': rename one"):
        list(iterate_fields(file))
    for inside in (lambda own: own, lambda own: pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), own)):
        pq.write_table(pa.table({"m": inside(pa.StructArray.from_arrays([one, one], names=["k", "k"]))}), file)
        with pytest.raises(DataError, match=r"p.parquet: two fields of one object have the name 'k': rename one"):
            list(iterate_fields(file))
    pq.write_table(pa.Table.from_arrays([one, one], names=["x", "X"]), file)
    assert [fields for fields, _ in iterate_fields(file)] == [{"x": "a", "X": "a"}]


def test_rows_of_many_groups_and_batches(tmp_path: Path) -> None:
    rows = [{"id": k, "text": f"{k % 7}" * (k % 50), "list": [{"a": k}] * (k % 3), "none": None} for k in range(9_000)]
    for options in ({}, {"row_group_size": 1_000}, {"use_dictionary": False}):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet", **options)
        found = list(iterate_fields(tmp_path / "p.parquet"))
        assert [fields for fields, _ in found] == rows
        assert found[8_999][1] == f"{tmp_path}/p.parquet row 8999"


def test_damaged_files(tmp_path: Path) -> None:
    whole = pairs(tmp_path).read_bytes()
    for content in (whole[:-20], b"PAR1", whole[:-8] + b"\xff\xff\xff\x7fPAR1"):
        (tmp_path / "p.parquet").write_bytes(content)
        with pytest.raises(DataError, match=r"p.parquet cannot be read as parquet \(.*\): write or download it"):
            list(iterate_fields(tmp_path / "p.parquet"))


def test_an_unknown_time_zone_is_named(tmp_path: Path) -> None:
    file = pairs(tmp_path, id=pa.array([1], pa.timestamp("s", tz="Mars/Base")))
    with pytest.raises(DataError, match="the time zone 'Mars/Base' is unknown"):
        list(Pairs(str(file)).load())
