"""What a card sets, for whom, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.models.carded import apply_card
from rmeval.models.options import ModelOptions, model_options
from tests.command import command
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


def test_a_default_that_the_user_gives_replaces_the_value_of_a_card() -> None:
    zephyr = "HuggingFaceH4/zephyr-7b-beta"
    assert apply_card(zephyr, model_options()).boundary == "reward-bench"
    assert apply_card(zephyr, model_options(boundary="trl")).boundary == "trl"
    assert apply_card(zephyr, model_options(ref_model=None)).ref_model is None
    assert apply_card("PKU-Alignment/beaver-7b-v3.0-cost", model_options(scale=1.0)).scale == 1.0
    attributes = apply_card("http://localhost:8000", model_options(card="rrm", protocol="letters"))
    assert attributes.judge.protocol == "letters"


def test_a_head_of_the_user_replaces_the_layout_of_a_card(caplog: pytest.LogCaptureFixture) -> None:
    found = apply_card("x", model_options(card="inf-orm", head="v_head"))
    assert found.layout is None
    assert "the card inf-orm sets layout=score.0 relu score.2, which your options replace" in caplog.text


def test_a_default_on_the_command_line_replaces_the_value_of_a_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, card, talks = make_checkpoint(tmp_path / "checkpoint", "llama"), tmp_path / "card.toml", tmp_path / "t.jsonl"
    card.write_text(HEADER + "load = { scale = -1.0 }")
    talks.write_text(json.dumps({"messages": conversations("llama")[0]}))
    scores = []
    for number, more in enumerate(([], ["--scale", "1"])):
        out = tmp_path / f"{number}.jsonl"
        done = command(capsys, "score", str(path), str(talks), "--out", str(out), "--card", str(card), *more)
        assert done.code == 0, done
        scores.append(json.loads(out.read_text())["score"])
    assert scores[0] == -scores[1] != 0


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


def test_an_object_in_memory_has_no_card() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    with pytest.raises(ModelError, match=r"`card` beaver-cost is for checkpoints"):
        rmeval.score(lambda talks: [1.0] * len(talks), [talk], card="beaver-cost")
    assert rmeval.score(lambda talks: [1.0] * len(talks), [talk], card="none") == [1.0]


@pytest.mark.parametrize(
    ("option", "value", "form"),
    [("card", 3, "text"), ("layout", {"layers": ["score"]}, "HeadLayout"), ("steps", {"score": "x"}, "StepLayout")],
)
def test_values_of_another_type(option: str, value: Any, form: str) -> None:
    with pytest.raises(ModelError, match=f"`{option}` must be a {form}"):
        rmeval.models.load_model("rmeval/tiny", None, name=None, **{option: value})


HEADER = '[[family]]\nname = "x"\nstatus = "layout-only"\nabout = "a"\nsource = "s"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[family", "cannot be read"),
        ("", "has 0 families"),
        (HEADER.replace("[[family]]", "[family]"), "write .*, in two brackets"),
        ('family = "x"', "write .*, in two brackets"),
        (HEADER + HEADER, "has 2 families"),
        (HEADER + '[[model]]\nid = "a/b"', "has 'model'"),
        (HEADER + "other = 1", "has 'other': the keys are"),
        (HEADER.replace('"x"', "3"), "has 3 for name, which must be a text"),
        (HEADER.replace("layout-only", "great"), "has the status 'great'"),
        (HEADER.replace("layout-only", "unloadable"), "has no 'reason'"),
        (HEADER + 'notes = "abc"', "for notes, which must be a list of texts"),
        (HEADER + 'patterns = ["(("]', "is no regular expression"),
        (HEADER + 'difference = "x"', "for difference, which must be a number"),
        (HEADER + "load = [1]", "for load, which must be a mapping"),
        (HEADER + "load = { foo = 1 }", "sets 'foo', which is no option"),
        (HEADER + 'load = { card = "inf-orm" }', "sets 'card', which is no option"),
        (HEADER + 'load = { scale = "x" }', "sets scale to 'x', which must be a number"),
        (HEADER + "load = { bos_tokens = 7 }", "the card x: `bos_tokens` must be 0, 1 or 2"),
        (HEADER + 'head = "x"', "for head, which must be a mapping"),
        (HEADER + 'head = { layers = "x" }', "layers must be a list of texts"),
        (HEADER + 'head = { layers = ["softmax:T=abc"] }', "needs a number above 0"),
        (HEADER + 'head = { layers = ["score"], gate_at = [1] }', "gate_at has no effect without gate"),
        (HEADER + 'head = { layers = ["score"], convert = "internlm2" }', "convert has no effect without body_type"),
        (HEADER + "steps = [1]", "for steps, which must be a mapping"),
        (HEADER + 'steps = { score = "z" }', "there is no score of steps 'z'"),
    ],
)
def test_a_card_of_a_file_must_be_valid(text: str, message: str, tmp_path: Path) -> None:
    card = tmp_path / "card.toml"
    card.write_text(text)
    with pytest.raises(ModelError, match=message):
        apply_card("rmeval/tiny", ModelOptions(card=str(card)))
