"""Names are texts or whole numbers; nothing else becomes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.errors import DataError
from tests.benchmarks import test_judgebench, test_ppe_correctness, test_ppe_preference, test_reward_math
from tests.benchmarks.test_reward_bench_2 import whole
from tests.samples import pair_rows, reward_bench_rows, rm_bench_rows

Rows = list[dict[str, Any]]
NO_NAMES: list[Any] = [float("nan"), 1.0, True, ["a"], {"a": [1]}, " \n"]
COLUMNS: list[tuple[str, str, Callable[[], Rows]]] = [
    ("pairs", "id", lambda: pair_rows(1)),
    ("pairs", "subset", lambda: pair_rows(1)),
    ("reward-bench", "id", lambda: reward_bench_rows({"hep-go": 1})),
    ("reward-bench", "subset", lambda: reward_bench_rows({"hep-go": 1})),
    ("reward-bench-2", "id", lambda: whole(1)),
    ("rm-bench", "id", lambda: rm_bench_rows("chat", 1, with_domain=True)),
    ("rm-bench", "domain", lambda: rm_bench_rows("chat", 1, with_domain=True)),
    ("rm-bench", "language", lambda: rm_bench_rows("chat", 1, with_domain=True)),
    ("judgebench", "pair_id", lambda: test_judgebench.rows(1)),
    ("reward-math", "problem_id", lambda: test_reward_math.rows(1)),
    ("ppe-preference", "question_id", lambda: test_ppe_preference.many(1)),
    ("ppe-correctness", "question_id", lambda: test_ppe_correctness.whole(1)),
]


@pytest.mark.parametrize("value", NO_NAMES, ids=repr)
@pytest.mark.parametrize(
    ("benchmark", "column", "rows"), COLUMNS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_no_name(benchmark: str, column: str, rows: Callable[[], Rows], value: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    assert list(load_benchmark(benchmark, str(file)).load())
    file.write_text("".join(json.dumps(row | {column: value}) + "\n" for row in rows()))
    with pytest.raises(DataError, match=r"a.jsonl line 1: ") as caught:
        list(load_benchmark(benchmark, str(file)).load())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("benchmark", "column", "rows"), COLUMNS[2:])
def test_nothing_is_no_name(benchmark: str, column: str, rows: Callable[[], Rows], tmp_path: Path) -> None:
    test_what_is_no_name(benchmark, column, rows, "", tmp_path)


def test_an_empty_cell_is_no_name_of_a_pair(tmp_path: Path) -> None:
    """It is how CSV writes that there is none."""
    file = tmp_path / "a.csv"
    file.write_text("id,subset,prompt,chosen,rejected\n,,p,a,b\n,,q,a,b\nk,,r,a,b\n")
    found = [(item.id, item.subset) for item in load_benchmark("pairs", str(file)).load()]
    assert found == [("0", "all"), ("1", "all"), ("k", "all")]


def test_names_of_pairs(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [row | {"id": name, "subset": 7} for row, name in zip(pair_rows(3), ("x", 12, None), strict=True)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(item.id, item.subset) for item in load_benchmark("pairs", str(file)).load()] == [
        ("x", "7"),
        ("12", "7"),
        ("2", "7"),
    ]
    for name in ("12", 12):
        file.write_text("".join(json.dumps(row | {"id": name}) + "\n" for row in rows[:2]))
        with pytest.raises(DataError, match="item 1 and item 2 of pairs have the id '12'"):
            rmeval.evaluate("baseline:longest", "pairs", file, out=tmp_path / "runs")


def test_a_name_has_a_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(pair_rows(1)[0] | {"id": "x" * 100}))
    assert next(iter(load_benchmark("pairs", str(file)).load())).id == "x" * 100
    monkeypatch.setenv("RMEVAL_MAX_NAME_CHARACTERS", "99")
    with pytest.raises(DataError, match="column 'id' must be a name, but has 100 characters, more than 99"):
        list(load_benchmark("pairs", str(file)).load())


def test_a_subset_for_each_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row | {"subset": k}) + "\n" for k, row in enumerate(pair_rows(3))))
    monkeypatch.setenv("RMEVAL_MAX_SUBSETS", "3")
    assert len(list(load_benchmark("pairs", str(file)).load())) == 3
    monkeypatch.setenv("RMEVAL_MAX_SUBSETS", "2")
    with pytest.raises(DataError, match=r"line 3: there are more than 2 subsets \(RMEVAL_MAX_SUBSETS\)"):
        list(load_benchmark("pairs", str(file)).load())


PROMPTS = [[], "[]", None, [{"role": " ", "content": "x"}], [{"role": "user", "content": None}]]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_prompts_without_messages(prompt: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"prompt": prompt, "chosen": "a", "rejected": "b"}))
    with pytest.raises(DataError, match=r"a.jsonl line 1: column 'prompt' "):
        list(load_benchmark("pairs", str(file)).load())


OUTSIDE = """
from rmeval.benchmarks import Card
from rmeval.types import Comparison, Item, Message, Response

class Own:
    card = Card("own", "Own", "", "", None, "", "", "")
    def __init__(self, data=None):
        self.data = data
    def load(self):
        answers = (Response("x", 1.0), Response("y", 0.0))
        own = dict(id="a", subset="s", prompt=(Message("user", "q"),), responses=answers,
                   comparisons=(Comparison((0, 1)),), cluster="c") | {change}
        yield Item(**own)
    def aggregate(self, items, evidence, policy, intervals=True):
        return []
    def notes(self, items):
        return []
"""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("{'id': float('nan')}", "item 1 of own has id nan, which must be a non-empty text"),
        ("{'subset': True}", "item 1 of own has subset True"),
        ("{'cluster': ''}", "item 1 of own has cluster ''"),
        ("{'group': 3}", "item 1 of own has group 3"),
        ("{'prompt': ()}", "item 1 of own has no prompt"),
        ("{'responses': (), 'comparisons': ()}", "item 1 of own has no responses"),
        ("{'prompt': 'q'}", "item 1 of own has a prompt that contains 'q'"),
        ("{'prompt': (Message('user', None),)}", "item 1 of own has a prompt that contains Message"),
        ("{'responses': ('x', 'y')}", "item 1 of own has the response 'x'"),
        ("{'responses': (Response(5, 1.0), Response('y', 0.0))}", "item 1 of own has the response Response"),
        ("{'responses': (Response('x', '1'), Response('y', 0.0))}", "a response with the gold '1'"),
        ("{'responses': (Response('x', float('nan')), Response('y', 0.0))}", "a response with the gold nan"),
    ],
)
def test_items_from_outside(change: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OUTSIDE.replace("{change}", change))
    with pytest.raises(DataError, match=sentence):
        rmeval.evaluate("baseline:longest", f"{tmp_path}/own.py:Own", out=tmp_path / "runs")


def test_what_is_no_number_in_meta_is_null(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        OUTSIDE.replace("{change}", "{'meta': {'a': float('nan'), 'b': [float('inf'), 1]}}")
    )
    run = rmeval.evaluate("baseline:longest", f"{tmp_path}/own.py:Own", out=tmp_path / "runs")
    (meta,) = pq.read_table(run.path / "items.parquet")["meta"].to_pylist()
    assert json.loads(str(meta)) == {"a": None, "b": [None, 1]}


@pytest.mark.parametrize("text", ["[]", " [ ]\n"])
def test_a_prompt_without_messages_that_was_written_as_text(text: str, tmp_path: Path) -> None:
    """CSV has lists as texts; as an answer an empty list may be meant."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(pair_rows(1)[0] | {"chosen": text}))
    assert list(load_benchmark("pairs", str(file)).load())
    file.write_text(json.dumps(pair_rows(1)[0] | {"prompt": text}))
    with pytest.raises(DataError, match="column 'prompt' is an empty list written as text: add messages"):
        list(load_benchmark("pairs", str(file)).load())
