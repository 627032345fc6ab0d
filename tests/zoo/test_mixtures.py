"""Gated heads and value heads: scores equal those of the published code on checkpoints of the published layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from rmeval.api import score
from rmeval.errors import ModelError
from tests.zoo.expected_scores import largest_difference
from tests.zoo.mixtures import MAKERS, scored

CARDS = {
    "grm-linear": "grm",
    "grm-mlp": "grm",
    "grm-mlp2": "grm",
    "ldl": "ldl",
    "qrm-llama3.1": "qrm",
    "qrm-llama3": "qrm",
    "qrm-gemma2": "qrm-gemma2",
    "armorm": "armorm",
    "urm": "urm",
    "qwen-math-rm": "qwen-math-rm",
    "worldpm": "worldpm",
    "skywork-vl": "skywork-vl",
    "sarm": "sarm",
}
"""By checkpoint: the card that reads it."""
PICKLES: dict[str, Any] = {"model_kwargs": {"use_safetensors": False}}
TALK = [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "Pear"}]


OPTIONS: dict[str, dict[str, Any]] = {
    "ldl": PICKLES,
    "urm": {"key": "scores_with_one_bos"},
    "sarm": {"model_kwargs": {"num_hidden_layers": 2}},
}


@pytest.mark.parametrize("name", CARDS)
def test_scores_of_the_published_code(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path)
    options = {"dtype": "float32", **OPTIONS.get(name, {})}
    largest_difference(CARDS[name], tmp_path, scored(name, tmp_path), file=name, **options)


def test_two_bos_tokens_give_the_scores_of_the_demo(tmp_path: Path) -> None:
    MAKERS["urm"](tmp_path)
    largest_difference("urm", tmp_path, scored("urm", tmp_path), bos_tokens=2)


def test_fixed_weights_of_attributes(tmp_path: Path) -> None:
    """URM for Llama 3 has no gate: the score is the sum of the attributes' means with the weights of its model card."""
    MAKERS["urm"](tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    without = {name: value for name, value in weights.items() if not name.startswith("weights.")}
    save_file(without, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForSequenceClassification"]}))
    means = [score(str(tmp_path), [TALK], card="none", reduce=f"index:{2 * number}")[0] for number in range(5)]
    found = score(str(tmp_path), [TALK], card="urm-fixed")[0]
    assert found == pytest.approx(np.dot(means, [0.3, 0.74, 0.46, 0.47, -0.33]), abs=2e-6)


def test_pickled_heads_are_read_on_request_only(tmp_path: Path) -> None:
    MAKERS["ldl"](tmp_path)
    with pytest.raises(ModelError, match=r"has its head in regression_layer\.pt, a pickle.*use_safetensors=false"):
        score(str(tmp_path), [TALK], card="ldl")
    (tmp_path / "gating_layer.pt").unlink()
    with pytest.raises(ModelError, match=r"has no gating_layer\.pt, which holds its head"):
        score(str(tmp_path), [TALK], card="ldl", **PICKLES)


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("armorm", {"gating.layers.2.bias": None, "gating.layers.2.weight": None}, r"no weights gating\.layers\.2\.w"),
        ("armorm", {"gating.logit_scale": None}, r"has no weights gating\.logit_scale"),
        ("armorm", {"gating.layers.4.weight": (19, 19)}, r"holds the weights gating\.layers\.4\.weight"),
        ("qrm-llama3.1", {"gating.layers.5.running_var": None}, r"no weights gating\.layers\.5\.running_var"),
        ("qrm-gemma2", {"reward_transform_matrix": (5, 5)}, "holds the weights reward_transform_matrix"),
        ("grm-mlp2", {"v_head.summary.2.weight": None}, r"holds the weights v_head\.summary\.2\.bias and others"),
        ("grm-mlp2", {"v_head.summary.0.weight": None}, r"no weights v_head\.summary\.weight"),
        ("sarm", {"sae.latent_bias": None}, r"has no weights sae\.latent_bias"),
        ("urm", {"weights.fc.4.weight": (6, 16), "weights.fc.4.bias": (6,)}, "has 5 outputs and its gate 6"),
    ],
)
def test_every_weight_is_accounted_for(
    name: str, changed: dict[str, tuple[int, ...] | None], message: str, tmp_path: Path
) -> None:
    MAKERS[name](tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    for one, shape in changed.items():
        if shape is None:
            del weights[one]
        else:
            weights[one] = np.ones(shape, dtype=np.float32)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=message):
        score(str(tmp_path), [TALK], card=CARDS[name], **(OPTIONS[name] if name == "sarm" else {}))


def test_weights_in_a_pickle_are_accounted_for(tmp_path: Path) -> None:
    MAKERS["ldl"](tmp_path)
    file = tmp_path / "gating_layer.pt"
    torch.save(torch.load(file) | {"network.9.weight": torch.ones(2, 2)}, file)
    with pytest.raises(ModelError, match=r"holds the weights gating_layer\.network\.9\.weight"):
        score(str(tmp_path), [TALK], card="ldl", **PICKLES)


def test_a_head_of_another_config_is_refused(tmp_path: Path) -> None:
    MAKERS["ldl"](tmp_path)
    stated = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(stated | {"softmax": False}))
    with pytest.raises(ModelError, match="softmax"):
        score(str(tmp_path), [TALK], card="ldl", **PICKLES)


def test_the_number_of_kept_features_must_be_known(tmp_path: Path) -> None:
    MAKERS["sarm"](tmp_path)
    stated = json.loads((tmp_path / "config.json").read_text())
    del stated["sae_k"]
    (tmp_path / "config.json").write_text(json.dumps(stated))
    with pytest.raises(ModelError, match="states None for sae_k"):
        score(str(tmp_path), [TALK], card="sarm", **OPTIONS["sarm"])


def test_a_value_head_beside_the_weights_is_accounted_for(tmp_path: Path) -> None:
    MAKERS["skywork-vl"](tmp_path)
    file = tmp_path / "value_head.safetensors"
    save_file({**load_file(file), "v_head.other.weight": np.ones((2, 2), dtype=np.float32)}, file)
    with pytest.raises(ModelError, match=r"holds the weights v_head\.other\.weight"):
        score(str(tmp_path), [TALK], card="skywork-vl")


def test_a_gate_needs_the_tokens_of_its_place(tmp_path: Path) -> None:
    MAKERS["armorm"](tmp_path)
    other = tmp_path / "other.jinja"
    other.write_text("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|eot_id|>{% endfor %}")
    with pytest.raises(ModelError, match=r"gate is read at the tokens \[128009, 128006, 78191, 128007, 271\]"):
        score(str(tmp_path), [TALK], card="armorm", chat_template=str(other))


def test_a_temperature_that_the_config_lacks_is_that_of_the_class(tmp_path: Path) -> None:
    found = {}
    for temperature in (7, 10, None):
        folder = tmp_path / str(temperature)
        MAKERS["armorm"](folder)
        config = json.loads((folder / "config.json").read_text())
        config["gating_temperature"] = temperature
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        found[temperature] = score(str(folder), [TALK], card="armorm")[0]
    assert found[None] == found[10] != found[7]


def test_a_response_whose_gate_would_be_cut_is_left_out(tmp_path: Path) -> None:
    """The others are scored, and the gate is read where it is after the cut."""
    MAKERS["armorm"](tmp_path)
    long = [TALK[0], {"role": "assistant", "content": "x" * 80}]
    options: dict[str, Any] = {"card": "armorm", "max_length": 40, "on_overlength": "truncate-left"}
    found = score(str(tmp_path), [TALK, long], **options)
    assert found[0] == score(str(tmp_path), [TALK], card="armorm")[0]
    assert np.isnan(found[1])
