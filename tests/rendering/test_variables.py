"""Variables that a user sets reach the chat template in every call, and are refused where they change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.rendering.boundary import BOUNDARIES
from rmeval.types import Message, Request
from tests.checkpoints import make_checkpoint, make_tokenizer
from tests.command import command

THINKING = (
    "{% if style is defined %}{{ '<|im_start|>system\n' + style + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}{% endgeneration %}{% else %}{{ m['content'] }}"
    "{% endif %}{{ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
"""A template that opens a turn in one of two ways, as Qwen3's does, and writes a system turn if it is given a style."""
TALK = [{"role": "user", "content": "what is the capital"}, {"role": "assistant", "content": "it is so"}]
PROMPT = (Message("user", "what is the capital"),)


def thinking(folder: Path, kind: str = "classifier", **tokenizer: Any) -> Path:
    return make_checkpoint(folder, kind, tokenizer=make_tokenizer(chat_template=THINKING, **tokenizer))


def test_a_classifier_reads_what_transformers_lays_out(tmp_path: Path) -> None:
    folder = thinking(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected = tokenizer.apply_chat_template(TALK, tokenize=False, style="short")
    model = load_model(str(folder), template_kwargs={"style": "short"})
    found = rmeval.score(model, [TALK])
    assert model.facts()["first_rendered"] == expected
    assert "<|im_start|>system\nshort<|im_end|>" in model.facts()["template_example"]
    assert found != pytest.approx(rmeval.score(str(folder), [TALK]), abs=1e-5)


@pytest.mark.parametrize("boundary", ["trl", "reward-bench"])
def test_every_boundary_lays_out_prompt_and_answer_alike(tmp_path: Path, boundary: Any) -> None:
    folder = thinking(tmp_path / "m", "causal")
    given = {"style": "short", "enable_thinking": False}
    model = load_model(str(folder), kind="implicit", boundary=boundary, template_kwargs=given)
    (found,) = model.texts.renderer.render([(*PROMPT, Message("assistant", "it is so"))])  # type: ignore[attr-defined]

    tokenizer = AutoTokenizer.from_pretrained(folder)
    written = THINKING.replace("{% if", "{% set style = 'short' %}{% set enable_thinking = false %}{% if", 1)
    tokenizer.chat_template = written
    (expected,) = BOUNDARIES[boundary](tokenizer, [TALK], ())
    assert found.tokens.tolist() == expected.tokens.tolist()
    assert (found.start, found.parted) == (expected.start, expected.parted)
    plain = load_model(str(folder), kind="implicit", boundary=boundary)
    (without,) = plain.texts.renderer.render([(*PROMPT, Message("assistant", "it is so"))])  # type: ignore[attr-defined]
    assert without.start < found.start


def test_a_comparator_gets_the_turn_opened_as_asked(tmp_path: Path) -> None:
    folder = thinking(tmp_path / "m", "causal")
    request = Request(f"{1:032x}", "i", (0, 1), PROMPT, ("the land", "so it is"))
    model = load_model(str(folder), kind="comparator", min_label_mass=0, template_kwargs={"enable_thinking": False})
    (batch,) = model.observe([request])
    laid_out = model.facts()["first_rendered"]
    assert laid_out.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")

    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = network(torch.tensor([tokenizer(laid_out)["input_ids"]])).logits[0, -1].double()
    first, second = (tokenizer(letter)["input_ids"][0] for letter in "AB")
    assert batch[0].values["p_first"] == pytest.approx(float(torch.sigmoid(logits[first] - logits[second])), abs=1e-5)


def test_they_are_part_of_the_identity_only_where_given(tmp_path: Path) -> None:
    folder = thinking(tmp_path / "m")
    plain = load_model(str(folder)).identity()
    given = load_model(str(folder), template_kwargs={"enable_thinking": False}).identity()
    assert "template_kwargs" not in plain
    assert given == plain | {"template_kwargs": {"enable_thinking": False}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"enable_thinkin": False}, r"does not use enable_thinkin, .*its variables are enable_thinking, style$"),
        ({"add_generation_prompt": True}, "`template_kwargs` sets add_generation_prompt, which rmeval sets itself"),
        ({"tokenize": False, "messages": []}, "`template_kwargs` sets tokenize, messages, which rmeval sets itself"),
        ({"style": object()}, "cannot be .*: give values that JSON can represent"),
        ({"style": float("nan")}, "cannot be .*: give values that JSON can represent"),
        ({"max_length": 3}, "`template_kwargs` sets max_length, which rmeval sets itself"),
    ],
)
def test_what_changes_nothing_is_refused(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(str(thinking(tmp_path / "m")), template_kwargs=given)


def test_a_template_without_variables_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it has no variables"):
        load_model(str(make_checkpoint(tmp_path / "m")), template_kwargs={"enable_thinking": False})


def test_models_without_a_chat_template_refuse_them(tmp_path: Path) -> None:
    given = {"enable_thinking": False}
    with pytest.raises(ModelError, match="baseline:longest does not use `template_kwargs`"):
        load_model("baseline:longest", template_kwargs=given)
    bare = make_checkpoint(tmp_path / "bare", "causal", tokenizer=make_tokenizer(chat_template=None))
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(ModelError, match="no chat template to use enable_thinking: leave `template_kwargs`"):
        load_model(str(bare), kind="comparator", template_kwargs=given)
    with pytest.raises(ModelError, match="without the chat template: leave `template_kwargs` out"):
        load_model(
            str(thinking(tmp_path / "lm", "causal")), kind="comparator", comparison="steamshp", template_kwargs=given
        )


def test_values_on_the_command_line_are_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = thinking(tmp_path / "m")
    data = tmp_path / "pairs.jsonl"
    data.write_text(json.dumps({"prompt": "what is it", "chosen": "the capital", "rejected": "so"}) + "\n")
    run = ["run", folder, "-b", "pairs", "--data", data, "-o", tmp_path / "runs"]
    assert (
        command(capsys, *run, "--template-kwargs", "enable_thinking=false", "--template-kwargs", "style=a b").code == 0
    )
    (manifest,) = (json.loads(file.read_text()) for file in (tmp_path / "runs").rglob("run.json"))
    assert manifest["identity"]["template_kwargs"] == {"enable_thinking": False, "style": "a b"}
    failed = command(capsys, *run, "--template-kwargs", "thinking=false")
    assert failed.code == 2
    assert "its variables are enable_thinking, style" in " ".join(failed.err.split())


@pytest.mark.parametrize(("value", "right"), [("False", "false"), ("True", "true"), ("None", "null")])
@pytest.mark.parametrize("option", ["--template-kwargs", "--tokenizer-kwargs", "--model-kwargs"])
def test_values_in_python_are_refused(
    tmp_path: Path, option: str, value: str, right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("run", "no/model", "-b", "pairs", "--data", tmp_path / "none.jsonl", option, f"enable_thinking={value}")
    done = command(capsys, *asked)
    given = f"{option} enable_thinking={value}"
    said = f"error: {given} would be read as text, because values are JSON: write enable_thinking={right}"
    assert (done.code, done.err.strip()) == (2, said)
