from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.errata import errata_of
from rmeval.benchmarks.rmb import COUNTS, PARTS, RMB
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL, SHARED
from rmeval.types import Evidence, Item, Message, Record
from tests.command import command


def answer(text: str, model: str = "some") -> dict[str, str]:
    return {"llm_name": model, "answer": text}


def row(subset: str, number: int, losers: int = 2) -> dict[str, Any]:
    """A row as in the repository's files; pairs and lists of one number have the same conversation."""
    kind, _, scenario = subset.partition("/")
    talk = [{"role": "user", "content": f"What of {scenario} {number}?", "language": "English"}]
    if kind == "pairwise":
        return {
            "pair_uid": str(number),
            "conversation_input": talk,
            "chosen": answer(f"right {number}", "a"),
            "reject": answer(f"wrong {number}, and longer", "b"),
            "category_path": f"Pairwise_set/{scenario}",
        }
    return {
        "bon_uid": str(number),
        "conversation_input": talk,
        "bon_best": answer(f"right {number}", "a"),
        "loser_list": [answer(f"wrong {number} {k}, and longer") for k in range(losers)],
        "category_path": f"BoN_set/{scenario}",
    }


def repository(folder: Path, counts: dict[str, int]) -> Path:
    """A clone of the repository, with as many rows of each subset as asked for."""
    for subset, count in counts.items():
        rows = [row(subset, number) for number in range(count)]
        kind = rows[0]["category_path"]
        file = folder / "RMB_dataset" / f"{kind}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(rows))
    (folder / "eval").mkdir()
    (folder / "eval" / "result.json").write_text('[{"pair_uid": "1"}]')
    return folder


def numbers(items: list[Item], scores: list[list[float]], rule: Any = OFFICIAL) -> dict[tuple[str, str], Record]:
    evidence = {
        item.id: Evidence(item.id, "score", np.array(own, float)) for item, own in zip(items, scores, strict=True)
    }
    return {(r.metric, r.scope): r for r in RMB().aggregate(items, evidence, rule)}


def test_counts_are_those_of_the_tables_of_statistics() -> None:
    """The repository's `fig/*_table.pdf`."""
    totals = {part: sum(COUNTS[subset] for subset in subsets) for part, subsets in PARTS.items()}
    assert totals == {
        "bon/Helpfulness": 2109,
        "pairwise/Helpfulness": 10067,
        "bon/Harmlessness": 1677,
        "pairwise/Harmlessness": 7064,
    }
    assert len(COUNTS) == 2 * 49
    assert "RMB_dataset/BoN_set/Helpfulness/Closed QA/ContextBased.json" in RMB.files


SMALL = {
    "bon/Helpfulness/Code/Documentation": 2,
    "bon/Helpfulness/Chat/Discussion": 1,
    "pairwise/Helpfulness/Code/Documentation": 4,
    "bon/Harmlessness/S1": 1,
    "pairwise/Harmlessness/S1": 1,
    "pairwise/Harmlessness/multi": 4,
}


def test_a_list_is_right_if_the_best_beats_all(tmp_path: Path) -> None:
    items = list(RMB(str(repository(tmp_path, SMALL))).load())
    assert len(items) == sum(SMALL.values())
    scores = {item.id: [1.0, *[0.0] * (len(item.responses) - 1)] for item in items}
    scores["bon/Helpfulness/Code/Documentation/0"] = [1.0, 0.0, 2.0]
    scores["bon/Helpfulness/Code/Documentation/1"] = [1.0, 1.0, 0.0]  # A tie with a worse answer.
    scores["pairwise/Harmlessness/multi/3"] = [1.0, 1.0]
    scores["pairwise/Harmlessness/S1/0"] = [0.0, 1.0]
    found = numbers(items, [scores[item.id] for item in items])
    assert found["accuracy", "bon/Helpfulness/Code/Documentation"].value == 0.0
    # One of three items, not the mean of 0 and 1 over two scenarios.
    assert found["section", "bon/Helpfulness"].value == pytest.approx(1 / 3)
    assert found["section", "bon/Helpfulness"].ci_method == "wilson"
    assert found["section", "pairwise/Harmlessness"].value == pytest.approx(3 / 5)
    assert found["section", "pairwise/Harmlessness"].ties == 1
    assert found["overall", "all"].value == pytest.approx((1 / 3 + 1 + 1 + 3 / 5) / 4)
    assert found["overall", "all"].formula == "rmb/overall@1"
    assert found["section", "pairwise/Helpfulness"].formula == "rmb/section@1"
    shared = numbers(items, [scores[item.id] for item in items], SHARED)
    assert shared["section", "bon/Helpfulness"].value == pytest.approx(1.5 / 3)


def test_items(tmp_path: Path) -> None:
    talk = row("bon/Harmlessness/S1", 7, losers=3)
    talk["conversation_input"] = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Why?", "language": "English"},
    ]
    file = tmp_path / "S1.json"
    file.write_text(json.dumps([talk, row("pairwise/Harmlessness/S1", 0), row("bon/Harmlessness/S1", 0)]))
    turns, pair, best = RMB(str(file)).load()
    assert turns.id == "bon/Harmlessness/S1/7"
    assert turns.prompt == (Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "Why?"))
    assert [response.gold for response in turns.responses] == [1.0, 0.0, 0.0, 0.0]
    assert (turns.comparisons[0].members, turns.comparisons[0].tag) == ((0, 1, 2, 3), "best-of-4")
    assert [response.source for response in pair.responses] == ["a", "b"]
    assert pair.cluster == best.cluster != turns.cluster


def test_missing_parts_are_told(tmp_path: Path) -> None:
    items = list(RMB(str(repository(tmp_path, {"pairwise/Harmlessness/S1": 3, "bon/Harmlessness/S1": 1}))).load())
    assert RMB().notes(items) == [
        "no overall: there are no items of bon/Helpfulness, pairwise/Helpfulness",
        "not comparable with published numbers, because incomplete: bon/Harmlessness, pairwise/Harmlessness",
        "not the whole of RMB: pairwise/Harmlessness/S1 3 instead of 459, bon/Harmlessness/S1 1 instead of 111 items",
    ]
    assert list(numbers(items, [[1.0] + [0.0] * (len(item.responses) - 1) for item in items])) == [
        ("section", "bon/Harmlessness"),
        ("accuracy", "bon/Harmlessness/S1"),
        ("section", "pairwise/Harmlessness"),
        ("accuracy", "pairwise/Harmlessness/S1"),
    ]


def test_one_folder_of_the_clone(tmp_path: Path) -> None:
    """Both sets have files of the same names; each is read once."""
    place = repository(tmp_path, SMALL) / "RMB_dataset" / "Pairwise_set" / "Harmlessness"
    assert len(list(RMB(str(place)).load())) == 5
    assert len(list(RMB(str(tmp_path / "RMB_dataset")).load())) == sum(SMALL.values())


def test_names_without_spaces(tmp_path: Path) -> None:
    """A copy in which spaces became underscores is read whole."""
    names = {"bon/Helpfulness/Code/Data Management": 2, "bon/Helpfulness/Code/Documentation": 3}
    folder = repository(tmp_path, names) / "RMB_dataset" / "BoN_set" / "Helpfulness" / "Code"
    (folder / "Data Management.json").rename(folder / "Data_Management.json")
    assert len(list(RMB(str(tmp_path)).load())) == 5


def test_comparing_two_runs(tmp_path: Path) -> None:
    data = repository(tmp_path / "clone", dict.fromkeys(SMALL, 6))
    for name in ("shortest", "longest"):
        rmeval.evaluate(f"baseline:{name}", "rmb", data, out=tmp_path / "runs")
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("overall", "all")
    assert compared.difference("baseline:shortest", "baseline:longest").value == pytest.approx(1.0)
    part = rmeval.evaluate("baseline:shortest", "rmb", data, out=tmp_path / "part", subsets=["bon/Helpfulness"])
    assert part.record("section", "bon/Helpfulness").n_items == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_path": "BoN_set/Helpfulness/Poetry"}, "'BoN_set/Helpfulness/Poetry' is not a scenario of RMB"),
        ({"category_path": "Helpfulness/Chat/Discussion"}, "is not a scenario of RMB"),
        ({"conversation_input": []}, "column 'conversation_input' has no messages"),
        ({"conversation_input": [{"content": "why"}]}, "'conversation_input' must contain messages like"),
        ({"loser_list": []}, "loser_list must be a list of one or more responses"),
        ({"loser_list": ["no"]}, "a response must be an object with the strings 'llm_name' and 'answer'"),
        ({"bon_best": {"llm_name": "a", "answer": None}}, "a response must be an object"),
        ({"bon_uid": None, "category_path": "Pairwise_set/Harmlessness/S1"}, "column 'reject' is missing"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([row("bon/Harmlessness/S1", 1) | change]))
    with pytest.raises(DataError, match=rf"rows.json entry 0: .*{message}"):
        list(RMB(str(file)).load())


def test_data_that_are_not_on_the_hub() -> None:
    with pytest.raises(DataError, match=r"RMB are at https://github.com/Zhou-Zoey/.* give their path with `data`"):
        list(load_benchmark("rmb").load())


def test_real_rows(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = rmeval.evaluate("baseline:longest", "rmb", shared / "data" / "rmb", out=tmp_path)
    assert result.record("section", "bon/Helpfulness").n_items == 15 + 86 + 46 + 17
    assert result.record("section", "pairwise/Helpfulness").n_items == 65 + 222 + 103
    assert result.record("accuracy", "pairwise/Harmlessness/S1").n_items == COUNTS["pairwise/Harmlessness/S1"] == 459
    # A conversation is asked about in both sets.
    assert result.record("overall").n_clusters < result.record("overall").n_items / 3
    # Of files that are here there are no counts to complain of.
    assert not any("not the whole" in note for note in result.notes)
    assert any(", because incomplete: " in note for note in result.notes)
    shown = command(capsys, "show", result.path)
    assert shown.code == 0 and "bon/Helpfulness" in shown.out


def test_real_errata(shared: Path) -> None:
    """Those in the files that are here, and no others there, hold the same text on both sides."""
    items = list(RMB(str(shared / "data" / "rmb")).load())
    same = {item.id for item in items if item.responses[0].text in [other.text for other in item.responses[1:]]}
    here = {item.subset for item in items}
    assert same == {name for name in errata_of(RMB.card) if name.rpartition("/")[0] in here}
