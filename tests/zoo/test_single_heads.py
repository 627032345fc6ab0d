"""Reward models with one linear layer: token ids and scores equal those of the published pipelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rmeval.api import score
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.cards import find_card
from rmeval.models.classifier import Classifier
from rmeval.types import Message
from tests.zoo import single_heads
from tests.zoo.expected_scores import expected, largest_difference
from tests.zoo.single_heads import CHECKPOINTS, SINGLE, TALKS

Talks = list[list[dict[str, str]]]


def talks_of(family: str) -> Talks:
    """The conversations that the published code read."""
    if family == "oasst-deberta":
        return SINGLE
    # There the published code reads the token before the first of id 0, which a text may contain.
    return [one for one in TALKS if "<unk>" not in one[0]["content"]] if family == "starling-rm" else TALKS


@pytest.mark.parametrize("family", CHECKPOINTS)
def test_scores_and_tokens_are_those_of_the_published_code(family: str, tmp_path: Path) -> None:
    folder, talks = CHECKPOINTS[family](tmp_path / "model"), talks_of(family)
    assert largest_difference(family, folder, talks) <= 2 * (find_card(family).difference or 0) + 1e-7
    model = load_model(str(folder), card=family, device="cpu")
    assert isinstance(model, Classifier)
    said = [tuple(Message(one["role"], one["content"]) for one in talk) for talk in talks]
    rendered = model.texts.renderer.render(said)
    assert [" ".join(map(str, one.tokens.tolist())) for one in rendered] == expected(family)["ids"]


def rendered_text(folder: Path, **options: Any) -> str:
    """A conversation of one turn as the model reads it."""
    model = load_model(str(folder), device="cpu", **options)
    assert isinstance(model, Classifier)
    (one,) = model.texts.renderer.render([(Message("user", "What is it?"), Message("assistant", "The capital."))])
    return str(model.texts.renderer.tokenizer.decode(one.tokens))


def test_the_end_of_a_sequence_belongs_to_the_template(tmp_path: Path) -> None:
    folder = single_heads.beaver(tmp_path / "beaver")
    own = "<s> BEGINNING OF CONVERSATION: USER: What is it? ASSISTANT:"
    assert rendered_text(folder, card="beaver-reward") == f"{own} The capital. </s>"
    assert rendered_text(folder, card="beaver-reward", chat_template="safe-rlhf") == f"{own}The capital.</s>"
    folder = single_heads.ultrarm(tmp_path / "ultrarm")
    assert rendered_text(folder, card="ultrarm") == "<s> User: What is it?\n\nAssistant: The capital.\n\n</s>"
    assert rendered_text(folder, card="ultrarm", chat_template="ultrarm").endswith("Assistant: The capital.")


def test_text_with_the_padding_token_is_read_to_its_end(tmp_path: Path) -> None:
    folder = single_heads.starling(tmp_path / "model")
    text = "They are {} and </s>, and more."
    talks = [
        [{"role": "user", "content": "Name two."}, {"role": "assistant", "content": text.format(one)}]
        for one in ("<unk>", "<s>")
    ]
    last = [[*talk[:1], {"role": "assistant", "content": talk[1]["content"] + " No."}] for talk in talks]
    found = score(str(folder), [*talks, *last], card="starling-rm", device="cpu")
    assert len(set(np.round(found, 6))) == 4


def test_pickled_weights_are_read_on_request(tmp_path: Path) -> None:
    folder = single_heads.ultrarm(tmp_path / "model")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="only pickled weights"):
        score(str(folder), TALKS, card="ultrarm")
    found = score(str(folder), TALKS, card="ultrarm", model_kwargs={"use_safetensors": False}, device="cpu")
    assert found == pytest.approx(expected("ultrarm")["scores"], abs=4e-6)


def test_the_normalizer_follows_the_config(tmp_path: Path) -> None:
    plain = single_heads.beaver(tmp_path / "plain", normalised=False)
    raw = np.array(score(str(plain), TALKS, card="beaver-reward", device="cpu"))
    assert (raw - 0.25) / np.sqrt(2.5) == pytest.approx(expected("beaver-reward")["scores"], abs=2e-6)
    config = json.loads((plain / "config.json").read_text())
    (plain / "config.json").write_text(json.dumps({**config, "do_normalize": True, "score_type": "critic"}))
    assert score(str(plain), TALKS, card="beaver-reward", device="cpu") == pytest.approx(raw, abs=1e-6)
    (plain / "config.json").write_text(json.dumps({**config, "score_type": "other"}))
    with pytest.raises(ModelError, match="states score_type 'other'"):
        score(str(plain), TALKS, card="beaver-reward")


def test_statistics_of_the_config_where_the_weights_have_none(tmp_path: Path) -> None:
    folder = single_heads.beaver(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    save_file({name: one for name, one in weights.items() if "normalizer" not in name}, folder / "model.safetensors")
    found = score(str(folder), TALKS, card="beaver-reward", device="cpu")
    assert found == pytest.approx(expected("beaver-reward")["scores"], abs=2e-6)


def test_a_mean_over_tokens_is_refused(tmp_path: Path) -> None:
    folder = single_heads.oasst_pythia(tmp_path / "model", pooling="mean")
    with pytest.raises(ModelError, match="states 'mean' for pooling, and the card holds for 'last' only"):
        score(str(folder), TALKS, card="oasst-pythia")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"v_head.weight": None}, r"has no weights v_head\.weight, which its head needs"),
        ({"model.layers.1.attention.wqkv.weight": None}, r"no trained weights for layers\.1\.self_attn\.[kqv]_proj"),
        ({"model.layers.0.attention.wqkv.weight": (60, 32)}, "does not have the shape that its config states"),
        ({"model.layers.0.attention.wo.bias": (32,)}, r"holds the weights model\.layers\.0\.attention\.wo\.bias"),
    ],
)
def test_every_weight_of_a_converted_body_is_accounted_for(
    changed: dict[str, tuple[int, ...] | None], message: str, tmp_path: Path
) -> None:
    folder = single_heads.internlm2(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    for name, shape in changed.items():
        if shape is None:
            del weights[name]
        else:
            weights[name] = torch.ones(shape)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=message):
        score(str(folder), [TALKS[0]], card="internlm2-reward")


def test_normalised_rewards_of_openrlhf(tmp_path: Path) -> None:
    folder = single_heads.openrlhf(tmp_path / "model")
    stated: dict[str, Any] = json.loads((folder / "config.json").read_text())
    options = {"shift": -stated["mean"] / stated["std"], "scale": 1 / stated["std"]}
    found = score(str(folder), TALKS, card="openrlhf", device="cpu", **options)
    assert found == pytest.approx(expected("openrlhf")["normalised"], abs=2e-6)


def test_a_question_about_a_principle(tmp_path: Path) -> None:
    folder = single_heads.nemotron(tmp_path / "model")
    # The tiny vocabulary has other tokens, and its Yes and No are not probable.
    options: dict[str, Any] = {"head": "logit:#42-#122", "min_label_mass": 0.0}
    found = largest_difference("nemotron-principle", folder, TALKS, **options)
    assert found <= 2 * (find_card("nemotron-principle").difference or 0) + 1e-7
    other = score(str(folder), TALKS, card="nemotron-principle", question="Is it short?", device="cpu", **options)
    assert other != pytest.approx(expected("nemotron-principle")["scores"], abs=1e-3)
    others: tuple[dict[str, Any], ...] = ({"ref_model": str(folder)}, {"kind": "comparator"}, {"kind": "process"})
    for kind in others:
        with pytest.raises(ModelError, match="does not use `question`"):
            score(str(folder), TALKS, question="Is it short?", **kind)


def test_the_layout_of_ziya(tmp_path: Path) -> None:
    folder = single_heads.ziya(tmp_path / "model")
    found = score(str(folder), TALKS, card="ziya-reward", dtype="float32", device="cpu")
    plain = {"chat_template": "Ziya", "append_eos": True, "head": "value_head"}
    assert found == pytest.approx(score(str(folder), TALKS, device="cpu", **plain), abs=1e-6)
    assert rendered_text(folder, card="ziya-reward", dtype="float32").endswith("Assistant: The capital.\n\n</s>")


def test_a_family_that_cannot_be_loaded_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"a pickle to be laid over .*give that folder with `card` starling-rm-7b-co"):
        load_model("berkeley-nest/Starling-RM-7B-alpha")


@pytest.mark.parametrize("family", ["internlm2-reward", "oasst-pythia"])
def test_a_type_that_transformers_lacks_is_loaded_without_its_warnings(
    family: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    score(str(CHECKPOINTS[family](tmp_path / "model")), TALKS[:1], card=family, device="cpu")
    assert "[transformers]" not in capfd.readouterr().err
