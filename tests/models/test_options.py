"""Numbers that no model can be run with, and memory that runs out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rmeval import ModelError, load_model
from rmeval.models import ModelOptions
from rmeval.types import Message, Request
from tests.checkpoints import make_checkpoint


@pytest.mark.parametrize("value", [10**30, -(10**30), 0, -1])
@pytest.mark.parametrize("option", ["batch_size", "max_length"])
def test_sizes(option: str, value: Any) -> None:
    with pytest.raises(ModelError, match=f"`{option}` must be a whole number from 1 to 1000000000"):
        load_model("baseline:longest", ModelOptions(**{option: value}))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("option", ["scale", "shift"])
def test_scores_that_would_be_no_numbers(option: str, value: Any) -> None:
    with pytest.raises(ModelError, match="must be a finite number"):
        load_model("anything", ModelOptions(**{option: value}))


@pytest.mark.parametrize("given", [{"a": math.nan}, {"a": [{"b": math.inf}]}, {("a", 1): 1}])
@pytest.mark.parametrize("option", ["model_kwargs", "tokenizer_kwargs"])
def test_arguments_that_json_cannot_hold(option: str, given: Any) -> None:
    with pytest.raises(ModelError, match="give values that JSON can represent"):
        load_model("anything", ModelOptions(**{option: given}))


def test_integers_beyond_those_of_c(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m")
    for name in ("num_labels", "max_position_embeddings", "hidden_size", "vocab_size"):
        with pytest.raises(ModelError, match=f"`model_kwargs` has {name}=1000"):
            load_model(str(folder), model_kwargs={name: 10**30})
    config = json.loads((folder / "config.json").read_text())
    for name, value in (("num_labels", 10**7), ("text_config", {"num_labels": 10**30})):
        (folder / "config.json").write_text(json.dumps(config | {name: value}))
        with pytest.raises(ModelError, match=r"the config of .* has num_labels=1000"):
            load_model(str(folder))


def request(answer: str) -> Request:
    return Request(answer, answer, (0,), (Message("user", "hello"),), (answer,))


def test_memory_that_runs_out_is_no_answer(tmp_path: Path) -> None:
    """Of several conversations each is tried alone; where one is too much for the memory, the run ends."""
    file = tmp_path / "mine.py"
    file.write_text(
        "def score(conversations):\n"
        "    if len(conversations) > 1 or conversations[0][-1]['content'] == 'large':\n"
        "        raise MemoryError\n"
        "    return [1.0]\n"
    )
    model = load_model(f"{file}:score")
    (found,) = model.observe([request("a"), request("b")])
    assert [one.values["score"] for one in found] == [1.0, 1.0]
    with pytest.raises(MemoryError):
        list(model.observe([request("a"), request("large")]))
