"""Files are written whole or not at all, beside whatever lies there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rmeval.data.reading import iterate_fields
from rmeval.errors import RmevalError
from rmeval.files import json_bytes, replacing, replacing_text
from rmeval.limits import LIMITS, limit
from rmeval.messages import shortened, visible

DIES = """
import os, sys
from pathlib import Path
from rmeval.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os._exit(9)
"""


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"after")
        _ = 1 / 0
    assert [one.name for one in tmp_path.iterdir()] == ["numbers.json"]
    assert path.read_text() == "before"
    with replacing(path) as file:
        file.write(b"after")
    assert [one.name for one in tmp_path.iterdir()] == ["numbers.json"]
    assert path.read_text() == "after"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    path = tmp_path / "items.parquet"
    path.symlink_to(tmp_path / "victim")
    with replacing(path) as file:
        file.write(b"new")
    assert (tmp_path / "victim").read_text() == "mine"
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file:
        file.write(b"a")
    (tmp_path / "b").write_text("b")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_the_next_writer_removes_what_a_dead_one_left_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert subprocess.run([sys.executable, "-c", DIES, str(path)], check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    (tmp_path / ".other.jsonl.0123456789abcdef.tmp").write_text("another target's")
    with replacing(path) as first:
        assert not left.exists()
        with replacing(path) as second:  # The first one's draft is in use.
            second.write(b"second")
        first.write(b"first")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".other.jsonl.0123456789abcdef.tmp", "out.jsonl"]
    assert path.read_text() == "first"


@pytest.mark.parametrize("name", ["n" * 250, "é" * 120, os.fsdecode(b"caf\xe9.json")])
def test_any_name_that_a_file_may_have(name: str, tmp_path: Path) -> None:
    with replacing_text(tmp_path / name) as file:
        file.write(json.dumps({"name": name}, ensure_ascii=False))
    assert json.loads((tmp_path / name).read_bytes()) == {"name": name}
    assert len(list(tmp_path.iterdir())) == 1


def test_json_of_names_that_are_no_utf_8() -> None:
    assert json_bytes({"é": os.fsdecode(b"\xe9")}) == '{"é": "\\udce9"}'.encode()
    assert json.loads(json_bytes(["\ud800", "a\n"])) == ["\ud800", "a\n"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Grüße 模型 👩\u200d🔬 \u00a0", "Grüße 模型 👩\u200d🔬 \u00a0"),
        ("\x1b[2Jred", "\\x1b[2Jred"),
        ("a\rb\x00\x07\x9b31m", "a\\rb\\x00\\x07\\x9b31m"),
        ("\u202eevil\u2066\u200f", "\\u202eevil\\u2066\\u200f"),
        ("one\ntwo\u2028three\tfour", "one\\ntwo\\u2028three\\tfour"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_would_act_on_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_may_stay() -> None:
    assert visible("one\n\ttwo\x1b", lines=True) == "one\n\ttwo\\x1b"


def test_long_values_are_cut() -> None:
    assert shortened("x" * 201, 10) == "xxxxx ... xxxxx (201 characters)"
    assert shortened({"a": "\x1b"}) == "{'a': '\\x1b'}"
    assert len(shortened("\x1b" * 5_000_000)) < 1000


def test_limits_are_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit("ROWS") == LIMITS["ROWS"].default
    monkeypatch.setenv("RMEVAL_MAX_ROWS", "7")
    assert limit("ROWS") == 7
    for wrong in ("", "-1", "many", "1e3"):
        monkeypatch.setenv("RMEVAL_MAX_ROWS", wrong)
        with pytest.raises(RmevalError, match=r"RMEVAL_MAX_ROWS is .* set it to a positive whole number"):
            limit("ROWS")


def test_a_limit_beyond_what_readers_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RMEVAL_MAX_LINE_BYTES", "9" * 30)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "a.json").write_text('[{"a": "1", "b": "2"}]')
    for name in ("a.csv", "a.json"):
        assert [row for row, _ in iterate_fields(tmp_path / name)] == [{"a": "1", "b": "2"}]
