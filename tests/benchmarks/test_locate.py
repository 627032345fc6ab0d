from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.locate import find_files, locate, name_in
from rmeval.benchmarks.reward_bench import RewardBench
from rmeval.data.reading import read_object, stem_of
from rmeval.data.rows import iterate_rows, read_rows
from rmeval.errors import DataError
from tests.benchmarks import test_judgebench, test_reward_math
from tests.samples import rm_bench_rows

ROWS = [{"prompt": "Wie heißt du?", "n": 1}, {"prompt": "你好", "n": 2}]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c.json").write_text(json.dumps(ROWS))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "d.parquet")
    (tmp_path / "readme.txt").write_text("not data")
    found = [read_rows(path) for path in find_files(tmp_path)]
    assert len(found) == 4
    assert all([row.fields for row in rows] == ROWS for rows in found)
    (tmp_path / "e.csv").write_text("prompt,n\nWie heißt du?,1\n你好,2\n")
    assert [row.fields["prompt"] for row in read_rows(tmp_path / "e.csv")] == [row["prompt"] for row in ROWS]


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(data)
    return bytes(sink.getvalue())


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
TABLE = json.dumps(ROWS, ensure_ascii=False).encode()
CSV = "prompt,n\nWie heißt du?,1\n你好,2\n".encode()
TSV = CSV.replace(b",", b"\t")


@pytest.mark.parametrize("packed", [lambda data: data, gzip.compress, zstd])
@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize(
    ("kind", "content"), [("jsonl", LINES), ("json", TABLE), ("csv", CSV), ("tsv", TSV), ("ndjson", LINES)]
)
def test_compressed_whatever_the_name_says(
    tmp_path: Path, kind: str, content: bytes, ending: str, packed: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / f"a.{kind}{ending}"
    file.write_bytes(packed(content))
    assert [str(row.get("n")) for row in read_rows(file)] == ["1", "2"]
    assert find_files(tmp_path) == [file]


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        b"\n\n" + LINES.replace(b"\n", b"\r\n \r\n"),
        b"\xef\xbb\xbf" + LINES,
        LINES.rstrip(),
        "\n\n".join(json.dumps(row, indent=2) for row in ROWS).encode(),
        "".join(json.dumps(row, indent=2) for row in ROWS).encode(),
        TABLE,
        json.dumps(ROWS, indent=1).encode(),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_and_json_lines_by_their_contents(tmp_path: Path, name: str, content: bytes, nested: bool) -> None:
    (tmp_path / name).write_bytes(content)
    rows = list(iterate_rows(tmp_path / name, nested))
    assert [row.fields for row in rows] == ROWS
    assert len({row.where for row in rows}) == 2


def test_lines_under_json_do_not_wait_for_the_end(tmp_path: Path) -> None:
    file = tmp_path / "a.json.gz"
    file.write_bytes(gzip.compress(LINES * 50_000)[:-9])
    rows = iterate_rows(file)
    assert next(rows).fields == ROWS[0]
    with pytest.raises(DataError, match="cut short"):
        list(rows)


def test_an_object_is_neither_lines_nor_a_list(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for content, wanted in (
        (b'{"a": 1}', {"a": 1}),
        (b'\n{\n"a": 1}\n\n', {"a": 1}),
        (LINES, None),
        (b"[]", None),
        (b"{", None),
    ):
        file.write_bytes(content)
        assert read_object(file) == wanted
    (tmp_path / "a.csv").write_bytes(b"{}")
    assert read_object(tmp_path / "a.csv") is None


def test_dots_of_a_name_stay() -> None:
    assert stem_of(Path("runs/Llama-3.1-8B.json.gz")) == "Llama-3.1-8B"
    assert stem_of(Path("Qwen2.5_rm.jsonl")) == "Qwen2.5_rm"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl.zst", zstd(LINES * 9)[:-9], "a.jsonl.zst is cut short or broken"),
        ("a.json.gz", b"\x1f\x8b nonsense", "a.json.gz is cut short or broken"),
        ("a.csv.zst", zstd(LINES)[:5] + b"nonsense" * 9, "a.csv.zst is cut short or broken"),
        ("a.jsonl", LINES.decode().encode("utf-16"), "a.jsonl is not UTF-8 text but UTF-16"),
        ("a.csv", CSV.decode().encode("utf-16-le"), "a.csv is not UTF-8 text but UTF-16"),
        ("a.json", LINES + b'{"a": \n', "a.json line 3: broken JSON"),
        ("a.json", b'{"a": 1} {"a"', "a.json line 1: broken JSON"),
        ("a.json.gz", gzip.compress(b"", mtime=0), "a.json.gz has no rows"),
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.jsonl", b"\n\n", "a.jsonl has no rows"),
        ("a.json", b"[]", "a.json has no rows"),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n{"a": \n', "a.jsonl line 3: broken JSON"),
        ("a.json", b'[\n{"a": 1},\n{"a" 2}\n]', "a.json line 3: broken JSON"),
        ("a.json", b'{"a": 1}', "must contain a list of objects, not an object"),
        ("a.jsonl", b"[1]\n", "a.jsonl line 1: a row must be a JSON object, not a list"),
        ("a.csv", b"a,b\n1,2,3\n", "a.csv line 2: the row and the header have different numbers of fields"),
        ("a.parquet", b"nonsense", "is not a parquet file"),
        ("a.jsonl", b"\xff\xfe\x00", "is not UTF-8 text"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        ("a.csv", b'a,b\n1,"2\n3,4\n', "a.csv is broken CSV"),
        ("a.csv", b"a,a\n1,2\n", "a.csv line 1: two columns have the name 'a'"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-9], "a.jsonl.gz is cut short"),
        ("a.jsonl", b'{"a": "\\ud800"}\n', "a.jsonl line 1: a string contains half of a surrogate pair"),
        ("a.json", b"[" * 100_000, "a.json: .* nested more than 100 deep"),
        ("a.json", b'[{"a": ' + b"1" * 5000 + b"}]", "a.json"),
        ("a.xlsx", b"PK", "has an unsupported format"),
    ],
)
def test_bad_files_say_what_and_where(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_rows(tmp_path / name)


def test_missing_file_and_folder_without_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_rows(tmp_path / "nothing.jsonl")
    with pytest.raises(DataError, match="contains no supported file"):
        find_files(tmp_path)


def test_missing_column_names_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "a", "good": "b"}\n')
    (row,) = read_rows(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match=r"a.jsonl line 1: column 'chosen' is missing \(the columns are prompt, good\)"):
        row.text("chosen")
    with pytest.raises(DataError, match="column 'good' must be a list of strings, not a string"):
        row.texts("good")


def test_spreadsheets_and_long_fields(tmp_path: Path) -> None:
    text = "x" * 200_000
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfprompt,chosen\n" + f"p,{text}\n".encode())
    assert read_rows(tmp_path / "a.csv")[0].fields == {"prompt": "p", "chosen": text}
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    assert read_rows(tmp_path / "a.jsonl")[0].fields == {"a": 1}


def test_lists_of_rows_within_an_object(tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text(json.dumps({"name": "task", "keywords": ["a"], "one": [{"a": 1}, {"a": 2}], "two": [{"a": 3}]}))
    rows = list(iterate_rows(file, nested=True))
    assert [row.get("a") for row in rows] == [1, 2, 3]
    assert rows[2].where == f"{file} two entry 0"
    with pytest.raises(DataError, match="must contain a list of objects, not an object"):
        list(iterate_rows(file))
    file.write_text(json.dumps({"one": [{"a": 1}, 2]}))
    with pytest.raises(DataError, match="one entry 1: a row must be a JSON object, not a number"):
        list(iterate_rows(file, nested=True))
    file.write_text(json.dumps({"one": [], "keywords": ["a"]}))
    with pytest.raises(DataError, match="has no rows"):
        list(iterate_rows(file, nested=True))


@pytest.mark.parametrize("inside", ["", "data", "data/one", "data/one/two"])
def test_a_folder_on_the_way_to_the_files_will_do(tmp_path: Path, inside: str) -> None:
    names = ("data/one/task.json", "data/one/two/task.json")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[]")
    wanted = [tmp_path / name for name in names if name.startswith(inside)]
    assert locate(RewardBench.card, names, str(tmp_path / inside)) == wanted


def test_names_in_paths() -> None:
    assert name_in(Path("other/deep/helpful/task.json"), ("helpful", "other")) == "helpful"
    assert name_in(Path("helpful/other.jsonl.gz"), ("helpful", "other")) == "other"
    with pytest.raises(
        DataError, match="does not name a part of the benchmark: name the file or its folder after one of"
    ):
        name_in(Path("helpful/some/where/tasks.json"), ("helpful", "other"))


@pytest.mark.parametrize("column", ["system", "system_message", "history", "chat_history", "tools", "tool_definitions"])
@pytest.mark.parametrize("name", ["rm-bench", "judgebench", "reward-math"])
def test_rows_with_more_input_than_the_benchmark_has(tmp_path: Path, name: str, column: str) -> None:
    def place(more: dict[str, str]) -> Path:
        folder = tmp_path / str(len(more))
        folder.mkdir()
        if name == "judgebench":
            return test_judgebench.written(folder, [row | more for row in test_judgebench.rows(4)])
        if name == "reward-math":
            return test_reward_math.written(folder, [row | more for row in test_reward_math.rows(2)])
        file = folder / "chat_filtered.json"
        file.write_text(json.dumps([row | more for row in rm_bench_rows("chat", 2)]))
        return file

    assert list(load_benchmark(name, data=str(place({}))).load())
    with pytest.raises(DataError, match=f"the column '{column}' would not reach the model"):
        list(load_benchmark(name, data=str(place({column: "be kind"}))).load())


@pytest.mark.parametrize(
    ("name", "text", "rows", "noted"),
    [
        ("a.csv", "prompt;chosen;rejected\nwhy, so?;a;b\n", [["why, so?", "a", "b"]], "semicolon"),
        ("a.csv", 'prompt;"chosen, good";rejected\nwhy;"a;\nb";c\n', [["why", "a;\nb", "c"]], "semicolon"),
        ("a.csv", "prompt\tchosen\trejected\nwhy; so, no\ta\tb\n", [["why; so, no", "a", "b"]], "tab"),
        ("a.csv", "prompt;chosen,rejected\nwhy;a,b\n", [["why;a", "b"]], None),
        ("a.csv", "prompt;a\tb\nx\n", [["x"]], None),
        ("a.csv", '"prompt;chosen"\nx\n', [["x"]], None),
        ("a.csv", "prompt\nx\n", [["x"]], None),
        ("a.tsv", 'prompt\tchosen, good\n"x\t1"\tb;c\n', [["x\t1", "b;c"]], None),
    ],
)
def test_separators_of_fields(
    tmp_path: Path, name: str, text: str, rows: list[list[str]], noted: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_text(text)
    assert [list(row.fields.values()) for row in read_rows(tmp_path / name)] == rows
    said = [] if noted is None else [f"{tmp_path / name}: the fields of the CSV are separated by {noted}s"]
    assert caplog.messages == said


@pytest.mark.parametrize(
    ("name", "text", "what"), [("a.csv", "a;b\n1\n", "semicolons"), ("a.tsv", "a\tb\n1\n", "tabs")]
)
def test_rows_with_other_numbers_of_fields(tmp_path: Path, name: str, text: str, what: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"line 2: the row and the header .*check the row's quotes and {what}"):
        read_rows(tmp_path / name)


def test_tsv_counts_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    """A folder of files that was read without its TSV stays the same data."""
    (tmp_path / "a.tsv").write_text("a\tb\n1\t2\n")
    assert find_files(tmp_path) == [tmp_path / "a.tsv"]
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    assert find_files(tmp_path) == [tmp_path / "b.csv"]
