"""Single items are read from `items.parquet` with their texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rmeval.benchmarks.base import PAIR
from rmeval.store.items import count_item, write_items
from rmeval.store.texts import read_texts
from rmeval.types import Item, Message, Response

FOLDERS = Path(__file__).parent / "folders"
COUNT = 40_000
CALL = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}


def items() -> Iterator[Item]:
    for n in range(COUNT):
        prompt = (Message("system", "be brief"), Message("user", f"question {n}", name="ann" if n == 39_999 else None))
        called = Message("assistant", "", tool_calls=(CALL,)) if n == 20_000 else None
        yield Item(
            f"i{n}",
            "all",
            prompt,
            (Response(f"right {n}" if called is None else "", 1.0, message=called), Response(f"wrong {n}", 0.0)),
            PAIR,
            f"problem {n // 2}",
            tools=({"type": "function", "function": {"name": "f"}},) if called else (),
        )


@pytest.mark.parametrize("texts", [True, False])
def test_items_of_several_groups(texts: bool, tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    write_items(map(count_item, items()), np.zeros(COUNT, np.int32), file, texts)
    assert pq.ParquetFile(file).num_row_groups == 3
    found = read_texts(file, ["i39999", "i3", "i20000", "no such item"])
    known = {item.id: item for item in items() if item.id in found}
    assert sorted(known) == ["i20000", "i3", "i39999"]
    for name, own in found.items():
        assert own.digests == count_item(known[name]).digests
        assert own.cluster == known[name].cluster
        if texts:
            assert own.prompt == known[name].prompt
            assert own.tools == known[name].tools
            sides = zip(own.responses, known[name].responses, strict=True)
            assert all((one.text, one.message) == (other.text, other.message) for one, other in sides)
        else:
            assert (own.prompt, own.responses, own.tools) == (None, (), ())


def test_files_of_earlier_versions() -> None:
    files = sorted(FOLDERS.rglob("items.parquet"))
    assert files
    for file in files:
        names = [str(name) for name in pq.read_table(file, columns=["id"]).column("id").to_pylist()]
        assert list(read_texts(file, names)) == names
