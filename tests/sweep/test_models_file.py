"""Lists of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import RmevalError
from rmeval.published import own_row, published_boards
from rmeval.sweep.models_file import hub_repositories, read_models, shipped_lists
from tests.command import process

ROOT = Path(__file__).resolve().parents[2]


def read(folder: Path, text: str) -> Any:
    (folder / "models.yaml").write_text(text)
    return read_models(str(folder / "models.yaml"))


def test_ids_and_mappings(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "scorer.py").write_text("")
    models = read(
        tmp_path,
        "about: for the release\nmodels:\n  - owner/model\n  - ours\n  - scorer.py:Mine\n"
        "  - {id: owner/policy, name: dpo, ref_model: owner/reference, dtype: bfloat16, max_length: 512}\n"
        "  - {id: http://localhost:8000, name: served, concurrency: 4}\n"
        "  - {id: owner/judge, protocol: five-way, votes: 3, order: seeded}\n  - baseline:longest\n",
    )
    assert [one.label for one in models] == [
        *("owner/model", "ours", "Mine", "dpo", "served", "owner/judge", "baseline:longest")
    ]
    assert [one.kind for one in models] == [
        *("classifier", "classifier", "classifier", "implicit", "classifier", "judge", "baseline")
    ]
    # A folder and a file beside the list, and ids of the hub as they are.
    assert (models[1].spec, models[2].spec) == (str(tmp_path / "ours"), f"{tmp_path / 'scorer.py'}:Mine")
    assert models[0].folder_name == "owner__model"
    assert list(hub_repositories(models[3])) == ["owner/policy", "owner/reference"]
    assert list(hub_repositories(models[4])) == list(hub_repositories(models[6])) == []


def test_a_card_says_what_a_model_is(tmp_path: Path) -> None:
    (model,) = read(tmp_path, "models: [infly/INF-ORM-Llama3.1-70B]")
    assert (model.kind, model.parameters, model.card.name) == ("classifier", 70, "inf-orm")
    (model,) = read(tmp_path, "models: [{id: infly/INF-ORM-Llama3.1-70B, card: none}]")
    assert model.card is None


WRONG = {
    "models: []": "must contain a list under 'models'",
    "- a/b": "must contain a list under 'models'",
    "{}": "must contain a list under 'models'",
    "models: [a/b]\nseed: 1": "has an unknown key 'seed'",
    "models:\n  - a/b\n  - {id: c/d, max_len: 3}": "line 3: model 2 has an unknown key 'max_len': did you mean",
    "models:\n  - {name: x}": "line 2: model 1 must be an id, or a mapping with 'id'",
    "models: [3]": "model 1 must be an id",
    "models: [{id: a/b, name: ''}]": "'name' must be a text that is not empty",
    "models: [{id: a/b, max_length: many}]": "'max_length' must be a whole number or null, not 'many'",
    "models: [{id: a/b, max_length: true}]": "'max_length' must be a whole number or null, not True",
    "models: [{id: a/b, allow_dropped_roles: system}]": "'allow_dropped_roles' must be a list of texts",
    "models: [{id: a/b, layout: x}]": "has an unknown key 'layout'",
    "models: [{id: a/b, batch_size: 0}]": "model 1: `batch_size` must be a whole number from 1",
    "models: [{id: a/b, card: no-such}]": "model 1: there is no card",
    "models: [a/b, a/b]": "models 1 and 2 are both a/b with the same options: keep one of them",
    "models: [a/b, {id: a/b, dtype: float32}]": "would both be a__b in the folder of runs: give one of them another",
    "models: [a/b, {id: c/d, name: A__B}]": "would both be a__b in the folder of runs",
    "models: [a/b": "broken YAML",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_list_is_one_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(RmevalError) as caught:
        read(tmp_path, text)
    assert WRONG[text] in str(caught.value)
    assert str(tmp_path / "models.yaml") in str(caught.value)


def test_a_missing_list_names_those_that_there_are() -> None:
    with pytest.raises(RmevalError, match=r"no list of models nowhere.yaml: give a YAML file, or one of reward-bench"):
        read_models("nowhere.yaml")


@pytest.mark.parametrize("name", ["rm-bench", "reward-bench"])
def test_each_model_of_a_shipped_list_is_on_a_board(name: str) -> None:
    models = read_models(name)
    assert len(models) > 40
    assert {one.kind for one in models} >= {"classifier", "implicit", "judge"}
    for model in models:
        boards = published_boards(name)
        assert any(own_row(own, board) for own in model.published_names(name) for board in boards), model.spec


def test_shipped_lists_are_those_of_the_boards_and_cards() -> None:
    assert shipped_lists() == ("reward-bench", "rm-bench")
    done = process(ROOT / "scripts" / "make_sweep_lists.py", "--check")
    assert done.returncode == 0, f"{done.stdout}run python scripts/make_sweep_lists.py and commit its files"
