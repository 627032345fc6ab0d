"""Process reward models: the scores of steps equal those of the published code on checkpoints of their layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

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
    "trl-prm": zoo.trl_prm,
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
    assert card.difference is not None
    assert 0 <= card.difference <= 2e-6


@pytest.mark.parametrize("family", ["qwen-math-prm", "pure-prm", "rlhflow-prm", "reason-eval-7b"])
def test_shared_prefixes_change_no_step(family: str, tmp_path: Path) -> None:
    """Responses to one question share its tokens; each alone has the same scores."""
    folder = CHECKPOINTS[family](tmp_path / "model")
    steps = zoo.INPUTS[2][1]
    talks = [(Message("user", "Why?"), Message("assistant", "\n\n".join(steps[:count]))) for count in range(1, 6)]
    model = rmeval.load_model(str(folder), **options_of(family))
    together = steps_of(model, talks)
    assert isinstance(model.facts()["prefix_sharing"], dict), model.facts()
    assert model.facts()["steps"] == {"responses": 5, "steps": 15, "of_one_step": 1}
    for count, own in enumerate(together, 1):
        assert own == pytest.approx(together[-1][:count], abs=2e-6)
        assert own == pytest.approx(steps_of(model, talks[count - 1 : count])[0], abs=2e-6)


def test_the_step_layout_is_what_makes_them_equal(tmp_path: Path) -> None:
    """Each part of a layout, changed alone, changes the scores by far more than rounding."""
    folder = zoo.reason_eval(tmp_path / "model", "7b")
    layout = find_card("reason-eval-7b").steps
    assert layout is not None
    own = np.concatenate(expected("reason-eval-7b")["steps"])
    changes: list[dict[str, Any]] = [
        {"offset": 0},
        {"join": "ids"},
        {"score": "softmax:1"},
        {"prompt": "{{ prompt }}\n"},
    ]
    for changed in changes:
        options: dict[str, Any] = {"card": "reason-eval-7b", "steps": replace(layout, **changed), "device": "cpu"}
        found = np.concatenate(steps_of(rmeval.load_model(str(folder), **options)))
        assert np.abs(found - own).max() > 1e-3, changed


def test_a_label_among_all_tokens(tmp_path: Path) -> None:
    """The score `vocabulary`, which PRMBench takes of RLHFlow's models, is a softmax of all logits."""
    folder = zoo.rlhflow_prm(tmp_path / "model")
    layout = find_card("rlhflow-prm").steps
    assert layout is not None
    steps = replace(layout, score="vocabulary", labels=("+",))
    found = steps_of(rmeval.load_model(str(folder), steps=steps, device="cpu"))
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    (plus,) = tokenizer("+", add_special_tokens=False)["input_ids"]
    for (question, own), scores in zip(zoo.INPUTS, found, strict=True):
        talk: list[dict[str, str]] = []
        for number, (step, score) in enumerate(zip(own, scores, strict=True)):
            talk += [{"role": "user", "content": step if number else f"{question} {step}"}]
            ids = tokenizer.apply_chat_template(
                talk, add_generation_prompt=True, return_dict=True, return_tensors="pt"
            )["input_ids"]
            with torch.inference_mode():
                assert score == pytest.approx(float(network(ids).logits[0, -1].softmax(-1)[plus]), abs=2e-6)
            talk += [{"role": "assistant", "content": "+"}]
