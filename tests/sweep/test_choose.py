"""Choice of the models of a sweep."""

from __future__ import annotations

import pytest

from rmeval.errors import DataError
from rmeval.sweep.choose import Choice
from rmeval.sweep.models_file import SweepModel

MODELS = (
    SweepModel(1, "Skywork/Skywork-Reward-V2-Qwen3-0.6B"),
    SweepModel(2, "infly/INF-ORM-Llama3.1-70B"),
    SweepModel(3, "nobody/knows-it", "own"),
    SweepModel(4, "baseline:longest"),
    SweepModel(5, "nobody/judge", options={"protocol": "ab"}),
)


def chosen(choice: Choice) -> list[int]:
    return [one.number for one in choice.of(MODELS, "models.yaml")[0]]


def test_by_size_and_kind_and_name() -> None:
    assert chosen(Choice()) == [1, 2, 3, 4, 5]
    assert chosen(Choice(max_params=8)) == [1, 4]
    assert chosen(Choice(max_params=8, unknown_size=True)) == [1, 3, 4, 5]
    assert chosen(Choice(kinds=("judge",))) == [5]
    assert chosen(Choice(kinds=("judge", "baseline"))) == [4, 5]
    assert chosen(Choice(skip=("own", "infly/INF-ORM-Llama3.1-70B"))) == [1, 4, 5]


def test_what_is_left_out_is_said() -> None:
    notes = Choice(max_params=8).of(MODELS, "models.yaml")[1]
    assert notes == [
        "left out: infly/INF-ORM-Llama3.1-70B, too large (70B)",
        "left out: own, of unknown size (`unknown_size` keeps it)",
        "left out: nobody/judge, of unknown size (`unknown_size` keeps it)",
    ]


def test_what_cannot_be_chosen() -> None:
    with pytest.raises(DataError, match=r"no model of models.yaml is left: of 5 models, 5 of another kind; change"):
        Choice(kinds=("process",)).of(MODELS, "models.yaml")
    with pytest.raises(DataError, match=r"no kind of model 'jugde': did you mean judge\?"):
        Choice(kinds=("jugde",)).of(MODELS, "models.yaml")
    with pytest.raises(DataError, match=r"models.yaml has no model them to leave out with `skip`"):
        Choice(skip=("them",)).of(MODELS, "models.yaml")
