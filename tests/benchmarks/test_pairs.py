from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.pairs import Pairs
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.runs.plan import plan
from rmeval.types import Evidence, Item, Message


def load(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> list[Item]:
    file = tmp_path / "p.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(Pairs(str(file), **options).load())


def say(*turns: str) -> list[dict[str, str]]:
    """Messages from `role: content` strings."""
    return [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]


def test_strings(tmp_path: Path) -> None:
    (item,) = load(tmp_path, [{"prompt": "Why?", "chosen": "So.", "rejected": "No."}])
    assert item.prompt == (Message("user", "Why?"),)
    assert [response.text for response in item.responses] == ["So.", "No."]
    assert (item.id, item.subset) == ("0", "all")


@pytest.mark.parametrize(
    "row",
    [
        {
            "chosen": say("system: Be kind.", "user: Hi", "assistant: Hello", "user: Why?", "assistant: So."),
            "rejected": say("system: Be kind.", "user: Hi", "assistant: Hello", "user: Why?", "assistant: No."),
        },
        {
            "prompt": say("system: Be kind.", "user: Hi", "assistant: Hello", "user: Why?"),
            "chosen": say("assistant: So."),
            "rejected": say("assistant: No."),
        },
        {
            "prompt": say("system: Be kind.", "user: Hi", "assistant: Hello", "user: Why?"),
            "chosen": "So.",
            "rejected": "No.",
        },
    ],
)
def test_many_turns_in_three_layouts(tmp_path: Path, row: dict[str, Any]) -> None:
    (item,) = load(tmp_path, [row])
    assert [message.role for message in item.prompt] == ["system", "user", "assistant", "user"]
    assert [response.text for response in item.responses] == ["So.", "No."]


def test_columns_and_subsets(tmp_path: Path) -> None:
    rows = [
        {"question": "Why?", "good": "So.", "bad": "No.", "topic": t, "key": k} for t, k in (("a", "x"), ("b", "y"))
    ]
    columns = {"prompt": "question", "chosen": "good", "rejected": "bad", "subset": "topic", "id": "key"}
    items = load(tmp_path, rows, columns=columns)
    assert [(item.id, item.subset) for item in items] == [("x", "a"), ("y", "b")]
    # The same question twice is one underlying problem.
    assert items[0].cluster == items[1].cluster
    evidence = {"x": Evidence("x", "score", np.array([1.0, 0.0])), "y": Evidence("y", "score", np.array([0.0, 0.0]))}
    records = Pairs("p").aggregate(items, evidence, OFFICIAL)
    assert [(r.metric, r.scope, r.value, r.ties) for r in records] == [
        ("accuracy", "a", 1.0, 0),
        ("accuracy", "b", 0.0, 1),
        ("accuracy", "all", 0.5, 1),
    ]
    assert records[-1].n_clusters == 1


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"prompt": "p", "chosen": "a"}, "line 1: column 'rejected' is missing"),
        ({"chosen": "a", "rejected": "b"}, "line 1: column 'prompt' is missing"),
        (
            {"prompt": "p", "chosen": 1, "rejected": "b"},
            "column 'chosen' must be a string or a list of messages, not a number",
        ),
        ({"prompt": "p", "chosen": ["a"], "rejected": ["b"]}, "column 'chosen' must contain messages like"),
        (
            {"chosen": say("user: a", "assistant: x"), "rejected": say("user: b", "assistant: y")},
            "chosen and rejected belong to different conversations",
        ),
        ({"chosen": say("user: a"), "rejected": say("user: a")}, "must end with a message of the role assistant"),
        ({"chosen": say("assistant: a"), "rejected": say("assistant: b")}, "there is no prompt before the response"),
    ],
)
def test_bad_rows(tmp_path: Path, row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load(tmp_path, [row])


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pairs needs data"):
        list(load_benchmark("pairs").load())
    with pytest.raises(DataError, match=r"`columns` has no .*: choose from prompt, chosen"):
        Pairs("p", columns={"winner": "a"})
    row = {"id": 1, "prompt": "p", "chosen": "a", "rejected": "b"}
    load(tmp_path, [row, row | {"id": 2}, row])
    with pytest.raises(DataError, match="item 1 and item 3 of pairs have the id '1': ids must be unique"):
        plan(Pairs(str(tmp_path / "p.jsonl")))
    with pytest.raises(DataError, match="there is no benchmark 'rmbenches': did you mean"):
        load_benchmark("rmbenches")
    with pytest.raises(DataError, match="has no option"):
        load_benchmark("rm-bench", columns={"prompt": "a"})


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"subset": "topic"}, "column 'topic' is missing"),
        ({"chosen": "rejected"}, "`columns` uses the column 'rejected' twice"),
        ({"chosen": "a", "rejected": "a"}, "`columns` uses the column 'a' twice"),
        ({"chosen": 3}, "chosen of pairs must be a string, not 3"),
        (["chosen"], "columns must be a mapping, such as"),
    ],
)
def test_columns_that_are_not_there_or_twice(tmp_path: Path, columns: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load(tmp_path, [{"prompt": "p", "chosen": "a", "rejected": "b"}], columns=columns)


@pytest.mark.parametrize("other", [{}, {"subset": "all"}])
def test_subsets_of_some_rows(tmp_path: Path, other: dict[str, str]) -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    with pytest.raises(DataError, match="some pairs have a subset, others none or 'all'"):
        load(tmp_path, [row | {"subset": "one"}, row | other])


def test_a_split_of_a_local_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`split` and `config` are for data on the hub"):
        load(tmp_path, [{"prompt": "p", "chosen": "a", "rejected": "b"}], split="test")


def test_equal_answers_are_noted(tmp_path: Path) -> None:
    load(tmp_path, [{"prompt": "p", "chosen": "a", "rejected": "a"}, {"prompt": "p", "chosen": "a", "rejected": "b"}])
    (note,) = plan(Pairs(str(tmp_path / "p.jsonl"))).notes
    assert note == "the better response equals another one in 1 item: no model can prefer it"


def test_a_benchmark_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from rmeval.benchmarks.pairs import Pairs\n"
        "class Mine(Pairs):\n"
        "    def load(self):\n"
        "        return list(super().load())[:1]\n"
    )
    data = tmp_path / "p.jsonl"
    data.write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n' * 3)
    assert len(list(load_benchmark(f"{file}:Mine", str(data)).load())) == 1
