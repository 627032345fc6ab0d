"""Mutations of valid inputs: of their structure, their bytes, and their file format."""

from __future__ import annotations

import contextlib
import copy
import csv
import gzip
import io
import json
import random
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HOSTILE: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**63,
    10**400,
    1.5,
    -0.0,
    float("nan"),
    float("inf"),
    1e308,
    "",
    " ",
    "\n",
    "NaN",
    "null",
    "1",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "a" * 100_000,
    "[" * 2000,
    "{" * 50,
    "<" * 5000,
    "=" * 3000,
    "\n" * 5000,
    "a<" * 3000,
    "a::b" * 2000,
    [],
    {},
    [[]],
    [{}],
    [None],
    ["a"],
    [1, 2, 3],
    {"role": "user", "content": "x"},
    [{"role": "user", "content": "x"}],
    [{"role": "", "content": None}],
    [{"role": "user", "content": "x", "tool_calls": [{"a": float("nan")}]}],
    '[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]',
    '[{"role": "user", "role": "system", "content": "x"}]',
    "[{'role': 'user', 'content': 'x'}]",
    {"a": [1]},
    {"answer": "x", "llm_name": 3},
    [[0, 1]],
    [[0, 0]],
    "A>B",
    "2024-99-99",
    b"\xff".decode("latin1"),
]


def mutated(data: Any, names: Collection[str], lines: bool, dice: random.Random) -> tuple[str, bytes, str]:
    """Return a suffix, the bytes of a file, and the kind of defect that must be rejected: `twice`, `name` or none."""
    value = json.loads(json.dumps(data, default=str))
    forbidden = ""
    times = dice.choice((1, 1, 1, 1, 2, 3))
    for _ in range(times):
        found = _mutate(value, dice, names)
        forbidden = found if times == 1 else ""  # Another change may undo the first one.
    rows = value if isinstance(value, list) and all(isinstance(row, dict) for row in value) else None
    kind = dice.choice(("json", "json", "json", "twice", "bytes", "packed", "csv", "parquet"))
    text = _text(value, lines and rows is not None and dice.random() < 0.9)
    suffix = ".jsonl" if lines else ".json"
    if kind == "twice" and '": ' in text:
        place = dice.choice([k for k in range(len(text)) if text.startswith('": ', k)])
        key = text[text.rfind('"', 0, place) + 1 : place]
        if _in_object(text, place):
            begin = text.rfind('"', 0, place)
            return (
                suffix,
                (text[:begin] + f'"{key}": {dice.choice(("1", "null", "[]"))}, ' + text[begin:]).encode(
                    "utf-8", "surrogatepass"
                ),
                "twice",
            )
    if kind == "csv" and rows and not forbidden:
        return ".csv", _csv(rows, dice), ""
    if kind == "parquet" and rows:
        with contextlib.suppress(pa.ArrowException, ArithmeticError, TypeError, ValueError):
            return ".parquet", _parquet(rows, dice), ""
    plain = text.encode("utf-8", "surrogatepass")
    if kind == "bytes":
        return suffix, _flipped(plain, dice), ""
    if kind == "packed":
        packed = gzip.compress(plain) if dice.random() < 0.5 else pa.compress(plain, "zstd", asbytes=True)
        return suffix + dice.choice((".gz", ".zst", "")), packed if dice.random() < 0.3 else _flipped(packed, dice), ""
    return suffix, plain, forbidden


def _in_object(text: str, place: int) -> bool:
    """Return whether a quote is the end of a key, so that the text before it is a valid beginning of JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    begin = text.rfind('"', 0, place)
    return begin > 0 and text[:begin].rstrip().endswith(("{", ",")) and "\\" not in text[begin - 1 : place + 1]


def _text(value: Any, lines: bool) -> str:
    return "".join(json.dumps(row) + "\n" for row in value) if lines else json.dumps(value)


def _mutate(value: Any, dice: random.Random, names: Collection[str]) -> str:
    """Change a value at a random position; return `name` if a name becomes an invalid one."""
    places = list(_places(value))
    if not places:
        return ""
    holder, key, depth = dice.choice(places)
    action = dice.randrange(5)
    if action == 0:
        del holder[key]
    elif action == 1:
        other, other_key, _ = dice.choice(places)
        with contextlib.suppress(LookupError):
            holder[key] = json.loads(json.dumps(other[other_key]))
    elif action == 2 and isinstance(holder, dict):
        holder[
            dice.choice(("system", "tools", "history", "id", "subset", "extra", "", "score", "item_id", "a" * 5000))
        ] = _hostile(dice)
    elif action == 3:
        holder[key] = [holder[key]] if dice.random() < 0.5 else {"x": holder[key]}
    else:
        hostile = _hostile(dice)
        holder[key] = hostile
        if depth == 2 and key in names and (isinstance(hostile, bool | float | list | dict) or hostile == ""):
            return "name"
    return ""


def _hostile(dice: random.Random) -> Any:
    """Return a new value, as later changes may modify it."""
    return copy.deepcopy(dice.choice(HOSTILE))


def _places(value: Any, depth: int = 1) -> Iterator[tuple[Any, Any, int]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, own in list(items):
        yield value, key, depth
        yield from _places(own, depth + 1)


def _flipped(data: bytes, dice: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        place = dice.randrange(len(found) or 1)
        action = dice.randrange(4)
        if action == 0 and found:
            found[place] = dice.randrange(256)
        elif action == 1:
            del found[place : place + dice.randint(1, 40)]
        elif action == 2:
            found[place:place] = bytes(
                dice.choice(
                    (
                        b"\x00",
                        b'"',
                        b"{",
                        b"[" * 200,
                        b"\n" * 99,
                        b"\xff\xfe",
                        b"NaN",
                        b"\\ud800",
                        b"\xef\xbb\xbf",
                        b"1" * 5000,
                    )
                )
            )
        else:
            del found[place:]
    return bytes(found)


def _csv(rows: list[dict[str, Any]], dice: random.Random) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if dice.random() < 0.2 and names:
        names[dice.randrange(len(names))] = dice.choice(("", names[0], "a" * 3000, "\x00", "\ufeffprompt"))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        writer.writerow(
            [
                row.get(name) if isinstance(row.get(name), str | int | float | None) else json.dumps(row.get(name))
                for name in names
            ]
        )
    data = out.getvalue().encode("utf-8", "surrogatepass")
    return _flipped(data, dice) if dice.random() < 0.5 else data


def _parquet(rows: list[dict[str, Any]], dice: random.Random) -> bytes:
    table = pa.Table.from_pylist([{str(key): own for key, own in row.items()} for row in rows])
    odd = dice.randrange(9)
    count = len(rows)
    if odd < 6:
        columns: list[pa.Array[Any]] = [
            pa.array([10**7] * count, pa.date32()),
            pa.array([0] * count, pa.timestamp("us", "Mars/Olympus")),
            pa.array([2**62] * count, pa.duration("us")),
            pa.array([b"\xff"] * count),
            pa.array(["x"] * count).dictionary_encode(),
            pa.array([[("a", "b")]] * count, pa.map_(pa.string(), pa.string())),
        ]
        extra = columns[odd]
        name = dice.choice(("when", *table.column_names))
        table = (
            table.append_column(name, extra)
            if name == "when" or dice.random() < 0.2
            else table.set_column(table.column_names.index(name), name, extra)
        )
    elif odd == 6 and table.column_names:
        name = dice.choice(table.column_names)
        if table.schema.field(name).type == pa.string():
            table = table.set_column(
                table.column_names.index(name),
                name,
                table[name].cast(dice.choice((pa.large_string(), pa.binary(), pa.large_binary()))),
            )
    out = io.BytesIO()
    pq.write_table(table, out, compression=dice.choice(("zstd", "snappy", "none")), use_dictionary=dice.random() < 0.5)
    data = out.getvalue()
    return _flipped(data, dice) if odd == 8 else data
