from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.llmbar import ADVERSARIAL, COUNTS, LLMBar
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL, SHARED
from rmeval.types import Evidence, Item, Record, ScoreRule

NAMES = [Path(file).parent.name for file in LLMBar.files]


def row(name: str, number: int) -> dict[str, Any]:
    """A made-up row; the better output is the first in every other one."""
    better, worse = f"It is {number}.", f"A splendid question about {name}! It is {number + 1}."
    first = number % 2 == 0
    return {
        "input": f"What is number {number} of {name}?",
        "output_1": better if first else worse,
        "output_2": worse if first else better,
        "label": 1 if first else 2,
    }


def repository(folder: Path, each: int = 4) -> Path:
    for file in LLMBar.files:
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(json.dumps([row(Path(file).parent.name, number) for number in range(each)]))
    return folder


def numbers(items: list[Item], beats: dict[str, float], rule: ScoreRule = SHARED) -> dict[tuple[str, str], Record]:
    """Records of a judge, by how often it took the better output in both orders: 1, 0.5 or 0."""
    evidence = {}
    for item in items:
        share = beats[item.id]
        matrix = np.array([[0.5, share], [1 - share, 0.5]])
        evidence[item.id] = Evidence(item.id, "score", np.full(2, np.nan), matrix)
    return {(record.metric, record.scope): record for record in LLMBar().aggregate(items, evidence, rule)}


def test_means_of_sets_by_hand(tmp_path: Path) -> None:
    items = list(LLMBar(str(repository(tmp_path))).load())
    assert [item.subset for item in items[::4]] == NAMES
    assert items[1].responses[0].text == "It is 1."
    assert len({item.cluster for item in items}) == len(items)
    # Of Natural all are right; of Neighbor one changes with the order; the k-th adversarial set has k wrong.
    shares = {item.id: 1.0 for item in items}
    shares["Neighbor/0"] = 0.5
    for wrong, name in enumerate(ADVERSARIAL):
        shares |= {f"{name}/{3 - number}": 0.0 for number in range(wrong)}
    found = numbers(items, shares)
    assert [found["accuracy", name].value for name in NAMES] == [1.0, 0.875, 0.75, 0.5, 0.25]
    assert found["section", "Adversarial"].value == pytest.approx(2.375 / 4)
    overall = found["overall", "all"]
    assert overall.value == pytest.approx(3.375 / 5)
    assert (overall.formula, overall.rule, overall.n_items, overall.ties) == ("llmbar/overall@1", SHARED.name, 20, 1)
    # One that must be right in both orders loses the half point.
    assert numbers(items, shares, OFFICIAL)["accuracy", "Neighbor"].value == 0.75


def test_sets_of_other_sizes_weigh_alike(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    (folder / LLMBar.files[0]).write_text(json.dumps([row("Natural", number) for number in range(40)]))
    items = list(LLMBar(str(folder)).load())
    found = numbers(items, {item.id: float(item.subset == "Natural") for item in items})
    assert found["overall", "all"].value == pytest.approx(1 / 5)
    parts = [found["accuracy", "Natural"], found["section", "Adversarial"]]
    assert np.average([part.value for part in parts], weights=[part.weight for part in parts]) == pytest.approx(1 / 5)


def test_a_folder_within_the_repository(tmp_path: Path) -> None:
    repository(tmp_path)
    one = LLMBar(str(tmp_path / "Dataset" / "LLMBar" / "Adversarial"))
    items = list(one.load())
    assert {item.subset for item in items} == set(ADVERSARIAL)
    assert one.notes(items)[0] == "no overall: there are no items of Natural"
    found = numbers(items, {item.id: 1.0 for item in items})
    assert ("overall", "all") not in found
    assert found["section", "Adversarial"].value == 1.0
    alone = tmp_path / "GPTOut.jsonl"
    alone.write_text(json.dumps(row("GPTOut", 3)))
    assert [item.id for item in LLMBar(str(alone)).load()] == ["GPTOut/0"]


def test_runs_are_compared_by_the_mean_of_five(tmp_path: Path) -> None:
    data = repository(tmp_path / "repository", 8)
    for model in ("baseline:longest", "baseline:shortest"):
        result = rmeval.evaluate(model, "llmbar", data, out=tmp_path / "runs")
        assert result.value("overall") == float(model == "baseline:shortest")
        assert "not the whole of LLMBar: Natural 8 instead of 100" in result.notes[0]
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert (compared.headline, compared.rule) == (("overall", "all"), SHARED.name)
    assert compared.difference("baseline:shortest", "baseline:longest").value == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, "entry 0: the label must be 1 or 2, the number of the better response, not 3: correct it"),
        ({"label": "1"}, "the label must be 1 or 2, the number of the better response, not '1'"),
        ({"output_2": None}, "column 'output_2' must be a string, not null"),
        ({"input": ["What?"]}, "column 'input' must be a string, not a list"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "Natural.json"
    file.write_text(json.dumps([row("Natural", 0) | change]))
    with pytest.raises(DataError, match=message):
        list(LLMBar(str(file)).load())


def test_a_file_of_no_set(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([row("Natural", 0)]))
    with pytest.raises(DataError, match=r"does not name a part of the benchmark: .* one of Natural, Neighbor, GPTInst"):
        list(LLMBar(str(file)).load())


def test_where_the_data_are_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match=r"are at https://github.com/princeton-nlp/LLMBar and not on the hub"):
        list(load_benchmark("llmbar").load())


def test_real_pairs(shared: Path, tmp_path: Path) -> None:
    """RewardBench's copies of the pairs, in LLMBar's columns."""
    sets: dict[str, list[dict[str, Any]]] = {name: [] for name in COUNTS}
    for line in (shared / "data" / "rewardbench" / "llmbar.jsonl").read_text().splitlines():
        pair = json.loads(line)
        name = next(name for name in sets if pair["subset"].endswith(name) or pair["subset"].endswith(name.lower()))
        sets[name].append(
            {"input": pair["prompt"], "output_1": pair["rejected"], "output_2": pair["chosen"], "label": 2}
        )
    for name, rows in sets.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    result = rmeval.evaluate("baseline:longest", "llmbar", tmp_path, out=tmp_path / "runs")
    assert {name: result.record("accuracy", name).n_items for name in COUNTS} == COUNTS
    values = [result.value("accuracy", name) for name in COUNTS]
    assert result.value("overall") == pytest.approx(np.mean(values))
    assert result.value("section", "Adversarial") == pytest.approx(np.mean(values[1:]))
    assert not result.notes


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*clon: check the path"):
        list(LLMBar(str(tmp_path / "clon")).load())
    (tmp_path / "set.json").write_text("{")
    with pytest.raises(DataError, match="broken JSON"):
        list(LLMBar(str(tmp_path / "set.json")).load())
