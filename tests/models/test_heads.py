"""Every layout of a head: tiny checkpoints in the published parameter names against a forward pass written out here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForTokenClassification

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.reduce import Reduction
from rmeval.types import Conversation, Message
from tests.checkpoints import CHATML, make_checkpoint, make_tokenizer

TALKS: list[Conversation] = [
    (Message("user", "what is the capital"), Message("assistant", answer))
    for answer in ("the capital is so", "why", "it is the land of the land, is it")
]


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("lm") / "lm", "causal", seed=1)


def with_head(
    language_model: Path, folder: Path, name: str, outputs: int = 1, bias: bool = True, **config: Any
) -> Path:
    """The language model saved with one more linear layer, as trainers of reward models save it."""
    folder.mkdir()
    weights = load_file(language_model / "model.safetensors")
    torch.manual_seed(7)
    weights[f"{name}.weight"] = torch.randn(outputs, 32)
    if bias:
        weights[f"{name}.bias"] = torch.randn(outputs)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    stated = json.loads((language_model / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(stated))
    AutoTokenizer.from_pretrained(language_model).save_pretrained(folder)
    return folder


def last_hidden(folder: Path) -> list[torch.Tensor]:
    """The hidden state of the last token of each conversation, one at a time."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    found = []
    for talk in TALKS:
        messages = [{"role": m.role, "content": m.content} for m in talk]
        ids = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            found.append(model.model(ids).last_hidden_state[0, -1])
    return found


def by_hand(folder: Path, name: str) -> np.ndarray:
    weights = load_file(folder / "model.safetensors")
    bias = weights.get(f"{name}.bias", torch.zeros(1))
    return torch.stack([weights[f"{name}.weight"] @ state + bias for state in last_hidden(folder)]).double().numpy()


@pytest.mark.parametrize(
    ("name", "bias", "config"),
    [
        ("v_head.summary", True, {}),
        ("v_head", False, {"architectures": ["LlamaForRewardModel"]}),
        ("value_head", False, {"value_head_prefix": "value_head"}),
        ("my_value", False, {"value_head_prefix": "my_value"}),
        ("score", False, {"value_head_prefix": "score"}),
        ("score_head", True, {"architectures": ["LlamaForScore"]}),
        ("regression_head", False, {"architectures": ["LlamaRewardModel"]}),
    ],
)
def test_published_layouts_score_as_written_out(
    language_model: Path, tmp_path: Path, name: str, bias: bool, config: dict[str, Any]
) -> None:
    folder = with_head(language_model, tmp_path / "rm", name, bias=bias, **config)
    assert rmeval.score(str(folder), TALKS) == pytest.approx(by_hand(folder, name)[:, 0], abs=1e-5)


def test_a_head_of_any_name_when_it_is_said(language_model: Path, tmp_path: Path) -> None:
    folder = with_head(language_model, tmp_path / "rm", "judge.final")
    with pytest.raises(
        ModelError, match=r"no trained weights for score.weight.*with `head` \(the name of its head, or logit"
    ):
        rmeval.score(str(folder), TALKS)
    found = rmeval.score(str(folder), TALKS, head="judge.final")
    assert found == pytest.approx(by_hand(folder, "judge.final")[:, 0], abs=1e-5)
    with pytest.raises(ModelError, match=r"has no weights judge.weight: check `head`"):
        rmeval.score(str(folder), TALKS, head="judge")
    with pytest.raises(ModelError, match=r"does not fit a linear layer on hidden states of width 32"):
        rmeval.score(str(folder), TALKS, head="model.layers.0.mlp.down_proj")


def test_token_classifiers_with_a_bias(tmp_path: Path) -> None:
    torch.manual_seed(3)
    config = Qwen3Config(
        vocab_size=400, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, num_labels=1, max_position_embeddings=512,
    )  # fmt: skip
    model = Qwen3ForTokenClassification(config).eval()
    torch.nn.init.constant_(model.score.bias, 0.25)
    model.save_pretrained(tmp_path)
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    expected = []
    for talk in TALKS:
        messages = [{"role": m.role, "content": m.content} for m in talk]
        ids = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            expected.append(float(model(ids).logits[0, -1, 0]))
    assert rmeval.score(str(tmp_path), TALKS) == pytest.approx(expected, abs=1e-5)


def test_several_outputs_need_a_word(language_model: Path, tmp_path: Path) -> None:
    folder = with_head(language_model, tmp_path / "rm", "v_head", outputs=3)
    raw = by_hand(folder, "v_head")
    with pytest.raises(
        ModelError, match=r"rm returns 3 numbers for a response where one is needed: give `reduce` index:K"
    ):
        rmeval.score(str(folder), TALKS)
    ways = {
        "index:2": raw[:, 2],
        "mean": raw.mean(axis=1),
        "weights:1,0.5,-2": raw @ np.array([1, 0.5, -2]),
    }
    for way, expected in ways.items():
        assert rmeval.score(str(folder), TALKS, reduce=way) == pytest.approx(expected, abs=1e-5)
    cost = rmeval.score(str(folder), TALKS, reduce="index:0", scale=-1.0, shift=0.5)
    assert cost == pytest.approx(0.5 - raw[:, 0], abs=1e-5)
    for wrong in ("difference", "index:3", "weights:1,2"):
        with pytest.raises(ModelError, match=r"which `reduce` .* does not fit"):
            rmeval.score(str(folder), TALKS, reduce=wrong)


def test_two_logits(checkpoint: Path, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "two", labels=2)
    parts = [rmeval.score(str(folder), TALKS, reduce=f"index:{k}") for k in (0, 1)]
    assert rmeval.score(str(folder), TALKS, reduce="difference") == pytest.approx(parts[1] - parts[0], abs=1e-6)


def test_reductions_by_hand() -> None:
    values = np.array([1.0, 4.0])
    assert Reduction("difference")(values, "m") == 3.0
    assert Reduction("weights:0.5,0.25", 2.0, -1.0)(values, "m") == 2 * 1.5 - 1
    assert Reduction(None, -1.0)(values[:1], "m") == -1.0
    assert Reduction(None).identity() == {}
    assert Reduction("mean", 2.0).identity() == {"reduce": "mean", "scale": 2.0}
    for wrong in ("index", "index:x", "weights:", "median", "mean:2"):
        with pytest.raises(ModelError, match="`reduce`"):
            Reduction(wrong)
    with pytest.raises(ModelError, match="finite numbers, and the scale not 0"):
        Reduction(None, 0.0)


def test_the_logit_of_a_token(language_model: Path) -> None:
    """A language model that says its score by one logit, or by two (a generative verifier)."""
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    model = AutoModelForCausalLM.from_pretrained(language_model)
    with torch.inference_mode():
        logits = torch.stack([model.lm_head(state) for state in last_hidden(language_model)]).double().numpy()
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"] for word in ("y", "n"))
    found = rmeval.score(str(language_model), TALKS, head="logit:y")
    assert found == pytest.approx(logits[:, yes[0]], abs=1e-5)
    found = rmeval.score(str(language_model), TALKS, head="logit:y-n", min_label_mass=0)
    assert found == pytest.approx(logits[:, yes[0]] - logits[:, no[0]], abs=1e-5)
    found = rmeval.score(str(language_model), TALKS, head="logit:#0")
    assert found == pytest.approx(logits[:, 0], abs=1e-5)
    with pytest.raises(ModelError, match=r"'xyzzy' is not one token but \d"):
        load_model(str(language_model), head="logit:xyzzy")
    with pytest.raises(ModelError, match="names 3 tokens"):
        load_model(str(language_model), head="logit:y-n-a")


def test_an_adapter_with_a_head_over_a_language_model(language_model: Path, tmp_path: Path) -> None:
    """As TRL saves a reward model that was trained with LoRA: the base has no head, the adapter brings it."""
    peft = pytest.importorskip("peft")
    import warnings

    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(4)
    base = AutoModelForSequenceClassification.from_pretrained(language_model, num_labels=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by a name that is going.
        adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="SEQ_CLS"))
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=0.5)
        adapted.save_pretrained(tmp_path / "adapter")
        merged = adapted.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(language_model).save_pretrained(tmp_path / "merged")
    whole = rmeval.score(str(tmp_path / "merged"), TALKS)
    assert rmeval.score(str(tmp_path / "adapter"), TALKS) == pytest.approx(whole, abs=1e-5)
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if "layers.0." not in name},
        tmp_path / "adapter" / "adapter_model.safetensors",
    )
    with pytest.raises(ModelError, match="lacks weights"):
        rmeval.score(str(tmp_path / "adapter"), TALKS)


def test_heads_that_would_be_read_wrongly(language_model: Path, tmp_path: Path) -> None:
    folder = with_head(language_model, tmp_path / "mlp", "v_head.2")
    weights = load_file(folder / "model.safetensors")
    weights["v_head.0.weight"] = torch.ones(32, 32)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"v_head\.2 is one of several layers of its head \(v_head\.0\.weight is"):
        rmeval.score(str(folder), TALKS, head="v_head.2")
    appends = with_head(language_model, tmp_path / "appends", "v_head", bias=False, reward_token_id=7)
    with pytest.raises(ModelError, match="score is read at the token 7, but the chat template does not end with it"):
        load_model(str(appends))
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    file = tmp_path / "appends.jinja"
    file.write_text(CHATML + tokenizer.convert_ids_to_tokens(7))
    assert np.isfinite(rmeval.score(str(appends), TALKS, chat_template=str(file))).all()
    for head, sentence in (("logit:#-1", "'#' in `head` is not a token id"), ("logit:#99999", "is not a token id")):
        with pytest.raises(ModelError, match=sentence):
            load_model(str(language_model), head=head)


def test_the_head_of_an_encoder_is_not_named(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "bert", "bert", seed=3)
    with pytest.raises(ModelError, match="is an encoder, whose head is not read at the last token"):
        rmeval.score(str(folder), TALKS, head="classifier")


def test_weights_of_a_reduction_are_numbers() -> None:
    with pytest.raises(ModelError, match="has weights that are not finite numbers"):
        Reduction("weights:1,nan", 1.0, 0.0)


def test_different_heads_are_different_runs(language_model: Path, tmp_path: Path) -> None:
    folder = with_head(language_model, tmp_path / "rm", "v_head", outputs=2, chat_template=CHATML)
    identities = [
        load_model(str(folder), **options).identity()
        for options in ({}, {"reduce": "mean"}, {"reduce": "index:0"}, {"scale": -1.0}, {"head": "v_head"})
    ]
    assert all(one != other for k, one in enumerate(identities) for other in identities[:k])


def test_a_head_in_a_pickled_checkpoint_and_one_that_the_config_names_but_is_not_there(
    language_model: Path, tmp_path: Path
) -> None:
    folder = with_head(language_model, tmp_path / "rm", "v_head.summary")
    expected = by_hand(folder, "v_head.summary")[:, 0]
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = rmeval.score(str(folder), TALKS, model_kwargs={"use_safetensors": False})
    assert found == pytest.approx(expected, abs=1e-5)
    folder = with_head(language_model, tmp_path / "other", "score", value_head_prefix="my_head")
    with pytest.raises(ModelError, match=r"has no weights my_head.weight, which its config names"):
        rmeval.score(str(folder), TALKS)


def test_the_doctor_reduces_as_the_run_does(tmp_path: Path) -> None:
    from rmeval.doctor.checkpoint import examine
    from rmeval.models import ModelOptions

    folder = make_checkpoint(tmp_path / "two", labels=2, tokenizer=make_tokenizer(model_max_length=2048))
    items = list(rmeval.load_benchmark("rm-bench-synthetic", size=8).load())
    found = examine(str(folder), ModelOptions(reduce="difference", on_overlength="skip"), items, ["float32"])
    assert found.ways


@pytest.mark.parametrize("name", ["v_head.summary", "score"])
def test_a_head_of_whole_numbers_has_no_scale(language_model: Path, tmp_path: Path, name: str) -> None:
    folder = with_head(language_model, tmp_path / "m", name, bias=False)
    if name == "score":
        make_checkpoint(folder, seed=1)
    weights = load_file(folder / "model.safetensors")
    weights[f"{name}.weight"] = (100 * weights[f"{name}.weight"]).to(torch.int8)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=rf"{name}.weight holds whole numbers \(I8\), whose scale is unknown"):
        rmeval.score(str(folder), TALKS)


def test_a_number_of_outputs_that_is_not_the_heads(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", labels=5)
    with pytest.raises(ModelError, match=r"score.weight is \(5, 32\) .* leave num_labels out, .* with `reduce`"):
        rmeval.score(str(folder), TALKS, model_kwargs={"num_labels": 1})
