"""Athene-RM: scores, texts and token ids equal those of the published code on a checkpoint of its layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.api import score
from rmeval.rendering.chat import Renderer
from rmeval.types import Message
from tests.zoo.bodies import CONVERSATIONS, WITH_SYSTEM, body_config, body_weights, numbers, write_checkpoint
from tests.zoo.expected_scores import expected, largest_difference
from tests.zoo.tokenizers import TOKENIZERS

TALKS = [*CONVERSATIONS, WITH_SYSTEM]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return athene(tmp_path_factory.mktemp("athene") / "model")


def athene(folder: Path) -> Path:
    """A body of Llama with the published ids, and a head without a bias."""
    config = body_config("llama", vocab_size=128_264, hidden_size=16, intermediate_size=24, head_dim=4)
    config.max_position_embeddings = 4096
    weights = body_weights(config, 31) | {"v_head.weight": numbers(32, 1, 16, scale=1.0)}
    write_checkpoint(folder, config, weights, architectures=["AtheneForSequenceClassification"])
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        (folder / name).unlink(missing_ok=True)
    TOKENIZERS["athene"](folder)
    return folder


def test_scores(folder: Path) -> None:
    largest_difference("athene", folder, TALKS, dtype="float32")


def test_token_ids(folder: Path) -> None:
    rendered = Renderer(str(folder), "athene").render(
        [tuple(Message(one["role"], one["content"]) for one in talk) for talk in TALKS]
    )
    assert [one.tokens.tolist() for one in rendered] == expected("athene")["ids"]


def test_without_the_token_of_the_score_the_numbers_are_others(folder: Path) -> None:
    own = score(str(folder), [TALKS[0]], head="v_head", dtype="float32")
    assert abs(own[0] - expected("athene")["scores"][0]) > 0.01
