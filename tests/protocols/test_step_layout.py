"""Step layouts, as cards state them."""

from __future__ import annotations

from typing import Any

import pytest

from rmeval.errors import ModelError
from rmeval.models.cards import all_cards, card_of, descriptor_of
from rmeval.protocols.step_layout import StepLayout, read_steps


def test_a_table_becomes_a_layout_and_back() -> None:
    stated = {"score": "labels", "labels": ["+", "-"], "separator": "+", "prompt": "turns", "offset": -1}
    found = read_steps(stated, "card.toml: steps")
    assert found == StepLayout("labels", "+", "turns", labels=("+", "-"), offset=-1)
    assert found.to_dict() == stated
    assert (found.split, found.aggregate, found.exact) == ("\n\n", "min", False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"score": None}, "card.toml: steps has no 'score': give softmax:K"),
        ({"score": "softmax"}, "card.toml: steps: there is no score of steps 'softmax': give softmax:K"),
        ({"scores": "sigmoid"}, "has 'scores', which is no part of a step layout: choose score"),
        ({"offset": "1"}, "offset must be a whole number, not '1'"),
        ({"offset": True}, "offset must be a whole number"),
        ({"exact": "yes"}, "exact must be true or false"),
        ({"labels": "+-"}, "labels must be a list of texts"),
        ({"labels": ["+", 2]}, "labels must be a list of texts"),
        ({"labels": ["+", "-"]}, "the score of steps sigmoid does not fit 2 labels"),
        ({"score": "labels"}, "the score of steps labels does not fit 0 labels"),
        ({"score": "labels", "labels": ["+"]}, "the score of steps labels does not fit 1 labels"),
        ({"aggregate": "max"}, "there is no aggregate 'max' of steps: "),
        ({"join": "both"}, "there is no join 'both' of steps: "),
        ({"read": "steps"}, "there is no read 'steps' of steps: "),
        ({"split": ""}, "`split_steps` is empty"),
        ({"separator": ""}, "steps are read at their separator, and there is none"),
        ({"join": "text"}, "steps joined as text need a separator and a prompt of their own"),
        ({"prompt": "turns", "read": "step"}, "steps in turns are read at the assistant's answers"),
    ],
)
def test_wrong_tables(changed: dict[str, Any], message: str) -> None:
    stated = {"score": "sigmoid", "separator": "\n", **changed}
    with pytest.raises(ModelError) as raised:
        read_steps({name: value for name, value in stated.items() if value is not None}, "card.toml: steps")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("model", "card"),
    [
        ("Qwen/Qwen2.5-Math-PRM-72B", "qwen-math-prm"),
        ("qwen/qwen2.5-math-7b-prm800k", "qwen-math-prm"),
        ("Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B", "skywork-o1-prm"),
        ("RLHFlow/Llama3.1-8B-PRM-Deepseek-Data", "rlhflow-prm"),
        ("jinachris/Qwen2.5-Math-7B-PRM800K", "pure-prm"),
        ("GAIR/ReasonEval-34B", "reason-eval-34b"),
        ("UW-Madison-Lee-Lab/VersaPRM-Base-8B", "versa-prm"),
        ("PRIME-RL/EurusPRM-Stage2", "eurus-prm"),
    ],
)
def test_cards_by_id(model: str, card: str) -> None:
    found = card_of(model)
    assert found is not None
    assert (found.name, found.steps is None) == (card, found.status == "unloadable")


def test_models_with_steps_state_their_kind() -> None:
    for card in all_cards():
        if card.steps is not None and card.model:
            facts = descriptor_of(card.model)
            assert facts is not None
            assert facts.kind == "process"
