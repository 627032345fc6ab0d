"""Plain sequence classifiers: scores equal those of the generic pipeline of reward-bench, run outside the project."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.models.cards import all_cards, find_card
from tests.zoo.plain import KINDS, conversations, make_checkpoint

EXPECTED = json.loads((Path(__file__).parent / "expected" / "plain.json").read_text())
TOLERANCE = 2e-6


def stored(name: str) -> Any:
    return EXPECTED["checkpoints"][name]


def differences(path: Path, kind: str, expected: list[float], card: str = "sequence-classifier") -> list[float]:
    found = rmeval.score(str(path), conversations(kind), dtype="float32", card=card).tolist()
    return [abs(own - other) / max(1.0, abs(other)) for own, other in zip(found, expected, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_reward_bench(kind: str, tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / kind, kind)
    assert hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest() == stored(kind)["sha256"]
    assert len(stored(kind)["scores"]) >= 6
    for form in ("scores", "batch"):
        assert max(differences(path, kind, stored(kind)[form])) < TOLERANCE


def test_the_cards_that_this_verifies_name_it() -> None:
    names = {card.name for card in all_cards() if card.reference == EXPECTED["reference"]}
    assert {"sequence-classifier", "skywork-reward", "skywork-reward-gemma-2", "skywork-reward-v2"} <= names
    assert all(find_card(name).status == "verified" and find_card(name).head is None for name in names)


@pytest.mark.parametrize("card", ["skywork-reward", "reward-bench-2-rm", "tulu-2.5-rm"])
def test_settings_of_a_card_change_no_score_but_by_the_format(card: str, tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", "llama")
    assert max(differences(path, "llama", stored("llama")["scores"], card)) < TOLERANCE


def test_padding_with_the_token_of_the_end(tmp_path: Path) -> None:
    """Padded so, the class of transformers reads the token before the last; rmeval reads the last one."""
    path = make_checkpoint(tmp_path / "checkpoint", "llama", pad=False)
    assert max(differences(path, "llama", stored("llama")["scores"])) < TOLERANCE
    assert min(differences(path, "llama", stored("llama-without-pad")["scores"])) > 0.1


def test_a_template_without_bos(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reference tokenises the rendered text, which adds BOS, as the card does; without the card rmeval warns."""
    path = make_checkpoint(tmp_path / "checkpoint", "llama", bos=False)
    assert max(differences(path, "llama", stored("llama-without-bos")["scores"], "skywork-reward")) < TOLERANCE
    assert "if the model was trained" not in caplog.text
    assert min(differences(path, "llama", stored("llama-without-bos")["scores"], "none")) > 1e-3
    assert "if the model was trained" in caplog.text and "give `bos_tokens` 1" in caplog.text


def test_gemma_2_needs_its_soft_caps(tmp_path: Path) -> None:
    """The checkpoint is one on which an attention without soft-capping is visible."""
    path = make_checkpoint(tmp_path / "checkpoint", "gemma2")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"attn_logit_softcapping": None}))
    assert max(differences(path, "gemma2", stored("gemma2")["scores"], "skywork-reward-gemma-2")) > 1e-3
