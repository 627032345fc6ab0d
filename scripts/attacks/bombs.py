"""Attacks with small files that need much time or memory; each must end in numbers or a one-sentence error."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from scripts.attacks.harness import Share, Tally, call, last_line

MEMORY = 3 << 30
"""Limit of the address space; the imports of the commands take less than one GiB of it."""
SECONDS = 150


def bombs(share: Share) -> Tally:
    """Run the command that reads such files on each bomb."""
    tally = Tally("small files that need much time or memory")
    for number, (name, make) in enumerate(BOMBS.items()):
        if number % share.of == share.number:
            folder = share.folder / str(number)
            folder.mkdir()
            done = call(make(folder), seconds=SECONDS, memory=MEMORY)
            tally.add(done.fault or ("refused" if done.code else None), f"{name}: {last_line(done)}")
    return tally


Bomb = Callable[[Path], list[object]]


def _pairs(data: Path) -> list[object]:
    return ["run", "baseline:longest", "-b", "pairs", "--data", data, "-o", data.parent / "runs"]


def _wide_parquet(folder: Path) -> list[object]:
    """Write many rows that refer to one text of a kilobyte in a dictionary."""
    text = pa.array(["a" * 1_000_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 1200, pa.int32()), text)
    table = pa.table({"prompt": column, "chosen": column, "rejected": column})
    pq.write_table(table, folder / "pairs.parquet", compression="zstd")
    return _pairs(folder / "pairs.parquet")


def _long_parquet(folder: Path) -> list[object]:
    """Write the maximum number of empty rows."""
    schema = pa.schema([("prompt", pa.string()), ("chosen", pa.string()), ("rejected", pa.string())])
    with pq.ParquetWriter(folder / "pairs.parquet", schema, compression="zstd") as writer:
        batch = pa.table({name: pa.nulls(5_000_000, pa.string()) for name in schema.names}, schema=schema)
        for _ in range(40):
            writer.write_table(batch)
    return _pairs(folder / "pairs.parquet")


def _packed(piece: bytes, times: int) -> Bomb:
    def make(folder: Path) -> list[object]:
        with gzip.open(folder / "pairs.jsonl.gz", "wb", compresslevel=1) as file:
            for _ in range(times):
                file.write(piece)
        return _pairs(folder / "pairs.jsonl.gz")

    return make


def _nested(folder: Path) -> list[object]:
    deep = "[" * 100_000 + "]" * 100_000
    (folder / "pairs.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c", "meta": ' + deep + "}\n")
    return _pairs(folder / "pairs.jsonl")


def _wide_csv(folder: Path) -> list[object]:
    names = ["prompt", "chosen", "rejected", *(f"c{number}" for number in range(300_000))]
    (folder / "pairs.csv").write_text(",".join(names) + "\n" + ",".join("x" for _ in names) + "\n")
    return _pairs(folder / "pairs.csv")


def _yaml(text: str) -> Bomb:
    def make(folder: Path) -> list[object]:
        (folder / "suite.yaml").write_text(text)
        return ["run", "baseline:longest", "-b", folder / "suite.yaml", "-o", folder / "runs"]

    return make


def _laughs(merge: bool) -> str:
    lines = ["a0: &a0 {k: 1}" if merge else "a0: &a0 [x, x]"]
    for level in range(1, 40):
        above = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(
            f"a{level}: &a{level} {{<<: [{above}], k{level}: 1}}" if merge else f"a{level}: &a{level} [{above}]"
        )
    return "\n".join([*lines, "benchmarks: *a39"])


def _texts(text: str) -> Bomb:
    def make(folder: Path) -> list[object]:
        row = {"prompt": text, "chosen": text + "b", "rejected": text + "c"}
        (folder / "pairs.jsonl").write_text(json.dumps(row) + "\n")
        return _pairs(folder / "pairs.jsonl")

    return make


def _reward_bench(prompt: str) -> Bomb:
    def make(folder: Path) -> list[object]:
        row = {
            "id": 1,
            "prompt": prompt,
            "chosen": prompt,
            "rejected": prompt + "x",
            "subset": "hep-python",
            "chosen_model": "a",
            "rejected_model": "b",
        }
        (folder / "filtered.jsonl").write_text(json.dumps(row) + "\n")
        return [
            "run", "baseline:longest", "-b", "reward-bench", "--data", folder / "filtered.jsonl", "-o", folder / "runs"
        ]  # fmt: skip

    return make


def _hhh(prompt: str) -> Bomb:
    def make(folder: Path) -> list[object]:
        row = {"input": prompt, "target_scores": {"good": 1, "bad": 0}}
        for kind in ("harmless", "helpful", "honest", "other"):
            (folder / kind).mkdir()
            (folder / kind / "task.json").write_text(json.dumps({"examples": [row]}))
        return ["run", "baseline:longest", "-b", "hhh-alignment", "--data", folder, "-o", folder / "runs"]

    return make


def _template(text: str) -> Bomb:
    def make(folder: Path) -> list[object]:
        (folder / "template.jinja").write_text(text)
        (folder / "rows.jsonl").write_text(json.dumps({"prompt": "a", "response": "b"}) + "\n")
        rows, out = folder / "rows.jsonl", folder / "out.jsonl"
        return ["score", "rmeval/tiny", rows, "-o", out, "--chat-template", folder / "template.jinja"]

    return make


_ROW = json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}).encode() + b"\n"
_ASKED = "{% for m in messages %}{{ m['content'] }}{% endfor %}"

BOMBS: dict[str, Bomb] = {
    "parquet of one long text": _wide_parquet,
    "parquet of empty rows": _long_parquet,
    "gzip of blank lines": _packed(b"\n" * (1 << 20), 2000),
    "gzip of one line": _packed(b" " * (1 << 20), 4000),
    "gzip of one string": _packed(b'{"prompt": "' + b"a" * (1 << 20), 4000),
    "gzip of zeros": _packed(bytes(1 << 20), 4000),
    "JSON nested deeply": _nested,
    "CSV of many columns": _wide_csv,
    "YAML aliases": _yaml(_laughs(merge=False)),
    "YAML merge keys": _yaml(_laughs(merge=True)),
    "YAML nested deeply": _yaml("benchmarks: " + "[" * 50_000 + "]" * 50_000),
    "YAML number of many digits": _yaml("benchmarks: [" + "9" * 200_000 + "]"),
    "text of asterisks": _texts("**" * 200_000),
    "text of underscores": _texts("__a" * 200_000),
    "text of line feeds and blanks": _texts("\n " * 200_000),
    "text of list marks": _texts(" " * 400_000 + "-"),
    "text of fences": _texts("```" * 150_000),
    "RewardBench's prompt of letters": _reward_bench("a" * 400_000),
    "RewardBench's prompt of line feeds": _reward_bench("\n" * 400_000),
    "RewardBench's prompt of def": _reward_bench("def a(" * 60_000),
    "HHH's prompt of line feeds": _hhh("\n" * 200_000),
    "HHH's prompt of speakers": _hhh("\n\nHuman:" * 40_000 + " a"),
    "HHH's prompt of blanks": _hhh("Human: " + " " * 200_000 + "a"),
    "template of nested loops": _template(
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}" + _ASKED
    ),
    "template of a long string": _template("{{ 'a' * 10**10 }}" + _ASKED),
    "template that doubles": _template(
        "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}" + _ASKED
    ),
    "template of a wide filter": _template("{{ 'a' | center(10**10) }}" + _ASKED),
    "template that calls itself": _template("{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}" + _ASKED),
    "template of a power": _template("{{ 9 ** 9 ** 9 }}" + _ASKED),
}
"""Functions that write a file to a folder and return the command that reads it, by the file's content."""
