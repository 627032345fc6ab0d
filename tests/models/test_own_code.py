"""Classes that a config names: those that are passed over are reported, and what goes wrong with them is a sentence."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from rmeval.types import Conversation, Message
from tests.command import command

TALKS: list[Conversation] = [
    (Message("user", "what is the capital"), Message("assistant", answer)) for answer in ("the capital is so", "why")
]
NATIVE = "Qwen3ForSequenceClassification"
ENTRY = "AutoModelForSequenceClassification"
CODE = """
from transformers import Qwen3ForSequenceClassification


class Odd(Exception):
    pass


class Mine(Qwen3ForSequenceClassification):
    def __init__(self, config):
        super().__init__(config)
        {at_init}

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        {at_forward}
        return super().forward(input_ids, attention_mask=attention_mask)
"""


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "m"))


def state(folder: Path, **changes: Any) -> None:
    """Changes the config."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def head(folder: Path, name: str) -> None:
    """Adds a head of another name."""
    file = folder / "model.safetensors"
    save_file(load_file(file) | {f"{name}.weight": torch.ones(1, 32)}, file, {"format": "pt"})


@pytest.mark.parametrize("entry", ["AutoModel", "AutoModelForTokenClassification", "AutoModelForRewardModel"])
@pytest.mark.parametrize("trusted", [False, True])
def test_a_class_for_another_use(folder: Path, caplog: pytest.LogCaptureFixture, entry: str, trusted: bool) -> None:
    """The architecture is one of transformers, and is what is loaded."""
    expected = rmeval.score(str(folder), TALKS)
    (folder / "own.py").write_text(CODE.format(at_init="", at_forward="raise Odd"))
    state(folder, auto_map={entry: "own.Mine"})
    assert list(rmeval.score(str(folder), TALKS, trust_remote_code=trusted)) == list(expected)
    assert f"(own.Mine), which was not loaded: scores are those of transformers' {NATIVE}; if" in caplog.text


def test_what_is_not_a_class_of_the_classifier(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    entries = {"AutoConfig": "own.C", "AutoTokenizer": ["own.T", None], "AutoModelForCausalLM": "own.Mine"}
    state(folder, auto_map=entries)
    rmeval.score(str(folder), TALKS)
    assert "not loaded" not in caplog.text


@pytest.mark.parametrize(
    ("stated", "changes", "noted"),
    [("QwenRewarder", {}, True), ("RewardModel", {"value_head_prefix": "score"}, False), (NATIVE, {}, False)],
)
def test_a_class_without_code(
    folder: Path, caplog: pytest.LogCaptureFixture, stated: str, changes: dict[str, Any], noted: bool
) -> None:
    """OpenRLHF's checkpoints name a class that it makes while it runs; their head is known."""
    state(folder, architectures=[stated], **changes)
    with caplog.at_level(logging.WARNING):
        rmeval.score(str(folder), TALKS)
    assert ("(QwenRewarder), which was not loaded" in caplog.text) == noted
    assert ("not loaded" in caplog.text) == noted


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architectures": [5]}, r"has architectures=\[5\], which must be a list of names"),
        ({"architectures": NATIVE}, "has architectures='Qwen3.*', which must be a list of names"),
        ({"auto_map": "own.Mine"}, "has auto_map='own.Mine', which must map auto classes to classes"),
        ({"auto_map": ["own.Mine"]}, r"has auto_map=\['own.Mine'\], which must map auto classes to classes"),
    ],
)
@pytest.mark.parametrize("trusted", [False, True])
def test_classes_stated_in_another_way(folder: Path, changes: dict[str, Any], sentence: str, trusted: bool) -> None:
    state(folder, **changes)
    with pytest.raises(ModelError, match=sentence):
        rmeval.score(str(folder), TALKS, trust_remote_code=trusted)


@pytest.mark.parametrize(
    ("at_init", "at_forward", "sentence"),
    [
        ("raise Odd('it is odd')", "", "cannot be loaded as a sequence classifier \\(Odd: it is odd\\)"),
        ("raise SystemExit(3)", "", "cannot be loaded as a sequence classifier \\(SystemExit: 3\\)"),
        ("", "raise Odd('it is odd')", "the forward of .* \\(Mine\\) fails \\(Odd: it is odd\\)"),
        ("", "raise SystemExit(3)", "the forward of .* \\(Mine\\) fails \\(SystemExit: 3\\)"),
    ],
)
def test_code_that_raises_anything(folder: Path, at_init: str, at_forward: str, sentence: str) -> None:
    (folder / "own.py").write_text(CODE.format(at_init=at_init, at_forward=at_forward))
    state(folder, architectures=["Mine"], auto_map={ENTRY: "own.Mine"})
    with pytest.raises(ModelError, match=sentence) as caught:
        rmeval.score(str(folder), TALKS, trust_remote_code=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", [":300", "-300:"])
def test_code_that_cuts_long_input(folder: Path, part: str) -> None:
    """Short conversations, which are compared first, do not show it."""
    texts = ("why", "so " * 40, "it is so " * 12, "the capital of " * 100, "what is " * 150)
    talks = [(Message("user", "why"), Message("assistant", text)) for text in texts]
    network = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected, lengths = [], []
    for talk in talks:
        messages = [{"role": one.role, "content": one.content} for one in talk]
        ids = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
        lengths.append(len(ids))
        kept = ids[:300] if part == ":300" else ids[-300:]
        with torch.inference_mode():
            expected.append(float(network(input_ids=torch.tensor([kept])).logits))
    assert max(lengths[:3]) < 256 < 300 < min(lengths[3:])
    cut = f"input_ids, attention_mask = input_ids[:, {part}], attention_mask[:, {part}]"
    (folder / "own.py").write_text(CODE.format(at_init="", at_forward=cut))
    state(folder, architectures=["Mine"], auto_map={ENTRY: "own.Mine"})
    model = rmeval.load_model(str(folder), trust_remote_code=True)
    assert rmeval.score(model, talks) == pytest.approx(expected, abs=1e-5)
    again = rmeval.load_model(str(folder), trust_remote_code=True)
    found = [float(score) for some in (talks[:3], talks[3:], talks[:3]) for score in rmeval.score(again, some)]
    assert found == pytest.approx([*expected, *expected[:3]], abs=1e-5)
    assert again.facts()["readout"]["read"].startswith("own forward")


def test_several_heads(folder: Path) -> None:
    """Which of them makes the score is not to be guessed."""
    expected = rmeval.score(str(folder), TALKS)
    head(folder, "v_head.summary")
    with pytest.raises(ModelError, match=r"several heads \(v_head.summary, score\): give one of them with `head`"):
        rmeval.score(str(folder), TALKS)
    assert rmeval.score(str(folder), TALKS, head="score") == pytest.approx(list(expected), abs=1e-5)
    other = rmeval.score(str(folder), TALKS, head="v_head.summary")
    assert max(abs(other - expected)) > 1e-3


def test_a_config_that_cannot_be_read_is_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tokenizer's class reads it too, and fails; that is no other fault."""
    state(folder, hidden_size="32")
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "q", "response": "r"}\n')
    done = command(capsys, "score", folder, source, "-o", tmp_path / "out.jsonl")
    assert done.code == 2
    assert "note:" not in done.err
    assert "hidden_size" in done.err
