"""Process reward models: the scores of steps equal those of the published code on checkpoints of their layout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.models import RewardModel
from rmeval.models.cards import find_card
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Message
from tests.zoo import process_models as zoo
from tests.zoo.bodies import digest_of
from tests.zoo.expected_scores import expected

CHECKPOINTS: dict[str, Callable[[Path], Path]] = {
    "qwen-math-prm": zoo.qwen_prm,
    "skywork-o1-prm": zoo.skywork_prm,
    "math-shepherd": zoo.math_shepherd,
    "rlhflow-prm": zoo.rlhflow_prm,
    "pure-prm": zoo.pure_prm,
    "reason-eval-7b": partial(zoo.reason_eval, size="7b"),
    "reason-eval-34b": partial(zoo.reason_eval, size="34b"),
    "versa-prm": zoo.versa_prm,
}
TALKS = [(Message("user", question), Message("assistant", "\n\n".join(steps))) for question, steps in zoo.INPUTS]


def options_of(family: str) -> dict[str, Any]:
    """Random networks predict the labels with a small probability."""
    steps = find_card(family).steps
    assert steps is not None
    return {"card": family, "device": "cpu"} | ({"min_label_mass": 0.0} if steps.score == "labels" else {})


def steps_of(model: RewardModel, talks: Any = TALKS) -> list[tuple[float, ...]]:
    requests = conversation_requests(talks)
    found = {one.key: one for batch in model.observe(requests) for one in batch}
    assert all(one.status == "ok" for one in found.values()), found
    values = [found[request.key].values["steps"] for request in requests]
    assert all(isinstance(own, tuple) for own in values)
    return values  # type: ignore[return-value]


@pytest.mark.parametrize("family", CHECKPOINTS)
def test_steps_equal_those_of_published_code(family: str, tmp_path: Path) -> None:
    known, card = expected(family), find_card(family)
    folder = CHECKPOINTS[family](tmp_path / "model")
    assert (card.status, card.reference) == ("verified", known["reference"])
    assert digest_of(folder / "model.safetensors") == known["weights_sha256"]
    found = steps_of(rmeval.load_model(str(folder), **options_of(family)))
    assert [len(own) for own in found] == [len(own) for own in known["steps"]]
    apart = np.abs(np.concatenate(found) - np.concatenate(known["steps"]))
    assert apart.max() <= 2e-6, (found, known["steps"])
    assert card.difference is not None and apart.max() <= 2 * card.difference, (
        apart.max()
    )  # Machines round differently.
