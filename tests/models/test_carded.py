"""What a card sets, for whom, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.models.carded import apply_card
from rmeval.models.options import ModelOptions
from tests.http_server import Answer, Received, json_answer, serve
from tests.zoo.plain import conversations, make_checkpoint

SKYWORK = "Skywork/Skywork-Reward-Gemma-2-27B-v0.2"


def test_options_of_the_user_replace_those_of_the_card(caplog: pytest.LogCaptureFixture) -> None:
    found = apply_card(SKYWORK, ModelOptions())
    assert (found.dtype, dict(found.model_kwargs)) == ("bfloat16", {"num_labels": 1, "attn_implementation": "eager"})
    assert "rmeval card Skywork/Skywork-Reward-Gemma-2-27B-v0.2" in caplog.text
    assert "soft-capping" not in caplog.text
    caplog.clear()
    own = ModelOptions(model_kwargs={"attn_implementation": "sdpa"})
    found = apply_card(SKYWORK, own)
    assert dict(found.model_kwargs) == {"num_labels": 1, "attn_implementation": "sdpa"}
    assert "which your options replace" in caplog.text
    assert "sdpa leaves Gemma 2's soft-capping out" in caplog.text


def test_arguments_of_transformers_are_not_for_other_engines() -> None:
    assert not apply_card(SKYWORK, ModelOptions(engine="vllm")).model_kwargs
    assert not apply_card(SKYWORK, ModelOptions(engine="ray", replica_engine="vllm")).model_kwargs
    assert apply_card(SKYWORK, ModelOptions(engine="ray")).model_kwargs


def test_a_model_saved_without_its_number_of_outputs_loads_by_its_card(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", "llama")
    config = json.loads((path / "config.json").read_text())
    del config["id2label"], config["label2id"]
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="num_labels=1"):
        rmeval.score(str(path), conversations("llama")[:1])
    assert rmeval.score(str(path), conversations("llama")[:1], card="skywork-reward").shape == (1,)


def test_a_problem_type_that_transformers_refuses_is_explained(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", "llama")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"problem_type": "single_label_classification"}))
    with pytest.raises(ModelError, match=r"remove problem_type from config\.json"):
        rmeval.score(str(path), conversations("llama")[:1])


def nim(request: Received) -> Answer:
    """A NIM whose helpfulness is the length of the response, and whose coherence is that of the conversation."""
    if request.path.endswith("/models"):
        return json_answer({"data": [{"id": "nemotron"}]})
    length = len(request.json["messages"][-1]["content"])
    every = sum(len(message["content"]) for message in request.json["messages"])
    text = f"helpfulness:{length},correctness:1,coherence:{every},complexity:3,verbosity:4"
    return json_answer({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})


def test_the_attributes_of_a_nim_are_weighted() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    with serve(nim) as server:
        (found,) = rmeval.score(f"{server.url}", [talk], card="nim-attributes")
    assert found == pytest.approx(0.3 * 5 + 0.74 * 1 + 0.46 * 7 + 0.47 * 3 - 0.33 * 4)


def test_a_server_loads_its_model_itself() -> None:
    options = apply_card("http://localhost:8000", ModelOptions(card="skywork-reward-v2"))
    assert (options.dtype, options.max_length, dict(options.model_kwargs)) == ("auto", None, {})
    options = apply_card("http://localhost:8000", ModelOptions(card="skywork-reward-v2", tokenizer="x"))
    assert (options.dtype, options.max_length) == ("auto", 16384)
    assert apply_card("http://localhost:8000", ModelOptions(card="inf-orm")).layout is None
    assert apply_card("http://localhost:8000", ModelOptions(card="rrm")).judge.protocol == "rrm"


def test_an_unloadable_model_names_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"NVIDIA NIM .* nim-attributes.*`card` none ignores"):
        apply_card("nvidia/Nemotron-4-340B-Reward", ModelOptions())
