"""Implicit rewards of policies and references: those of RewardBench's DPO inference, with and without the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmeval.models import ModelOptions, load_model
from rmeval.models.carded import apply_card
from rmeval.models.cards import find_card
from rmeval.models.options import model_options
from rmeval.types import Message, Request
from tests.zoo.bodies import digest_of
from tests.zoo.expected_scores import expected
from tests.zoo.pairs import SHORT_PAIRS, dpo_policy


def rewards(folder: Path, **options: str) -> list[dict[str, float]]:
    """All implicit rewards of the responses of the pairs, the first of each pair and then the second."""
    requests = [
        Request(
            f"{number:032x}", f"item {number}", (0,), tuple(Message(m["role"], m["content"]) for m in talk), (text,)
        )
        for number, (talk, text) in enumerate((talk, text) for talk, *both in SHORT_PAIRS for text in both)
    ]
    model = load_model(str(folder), model_options(device="cpu", **options))
    found: dict[str, Any] = {one.key: one.values for batch in model.observe(requests) for one in batch}
    return [{name: float(one) for name, one in found[request.key].items()} for request in requests]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of references are cached elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("kind", "card"), [("llama-3", "dpo"), ("chatml", "dpo"), ("tulu", "archangel")])
def test_rewards_are_those_of_reward_bench(kind: str, card: str, tmp_path: Path) -> None:
    """A template that writes a BOS token, to which RewardBench adds one; a tokenizer without; FastChat's template."""
    known = expected("dpo")
    assert find_card(card).reference == known["reference"]
    policy, reference = (dpo_policy(tmp_path / name, seed, kind) for name, seed in (("policy", 91), ("reference", 92)))
    sums = {"policy": digest_of(policy / "model.safetensors"), "reference": digest_of(reference / "model.safetensors")}
    assert sums == known["weights_sha256"]
    found = rewards(policy, card=card, ref_model=str(reference))
    size = np.array([abs(one["ref_free/sum"]) for one in found])
    names = {"dpo": "dpo/sum", "avg": "ref_free/avg", "norm": "ref_free/norm", "sum": "ref_free/sum"}
    for name, own in names.items():
        wanted = np.array(known["scores"][kind][name]).reshape(-1)
        apart = np.abs(np.array([one[own] for one in found]) - wanted)
        # A log-ratio is the small difference of two large sums.
        assert (apart <= 2e-6 * np.maximum(1, np.abs(wanted)) + (4e-8 * size if name == "dpo" else 0)).all(), name


def test_a_card_finds_the_reference_model() -> None:
    options = apply_card("allenai/tulu-2-dpo-7b", ModelOptions())
    assert (options.kind, options.ref_model, options.boundary) == ("implicit", "allenai/tulu-2-7b", "reward-bench")
    assert options.chat_template is None
    assert apply_card("ContextualAI/archangel_sft-kto_pythia1-4b", ModelOptions()).chat_template == "tulu"
    assert apply_card("allenai/tulu-v2.5-dpo-13b-helpsteer", ModelOptions()).ref_model == "allenai/tulu-2-13b"


def test_a_policy_may_be_used_otherwise() -> None:
    """As a judge, or a comparator by letters, its card as a policy is not applied."""
    for given in ({"protocol": "letters@1"}, {"kind": "comparator"}):
        assert apply_card("Qwen/Qwen1.5-7B-Chat", options := model_options(**given)) == options
    assert apply_card("Qwen/Qwen1.5-7B-Chat", model_options(kind="implicit")).ref_model == "Qwen/Qwen1.5-7B"
