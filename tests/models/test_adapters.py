"""Adapters whose base is not quite as it was when they were trained: scores equal the merged model's, or a sentence."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from rmeval.types import Conversation, Message
from tests.checkpoints import make_checkpoint, make_tokenizer

peft = pytest.importorskip("peft")

KNOWN = len(make_tokenizer())
ADDED = ["<a>", "<b>", "<c>"]
TALKS: list[Conversation] = [
    (Message("user", "what is the capital <a>"), Message("assistant", answer))
    for answer in ("the capital <b> is so", "why", "<c> is the land <a>")
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("base") / "lm", "causal", seed=1, vocab_size=KNOWN)


@pytest.fixture(autouse=True)
def _without_warnings() -> Any:
    """PEFT says that embeddings are saved, and asks transformers by a name that is going."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def trained(
    base: Path, folder: Path, task: str = "SEQ_CLS", saving: dict[str, Any] | None = None, **options: Any
) -> tuple[Path, Path]:
    """An adapter that was trained with added tokens, and the merged model."""
    torch.manual_seed(3)
    kind = AutoModelForSequenceClassification if task == "SEQ_CLS" else AutoModelForCausalLM
    model = kind.from_pretrained(base, **({"num_labels": 1} if task == "SEQ_CLS" else {}))
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(ADDED)
    model.resize_token_embeddings(len(tokenizer))
    torch.nn.init.normal_(model.get_input_embeddings().weight[KNOWN:])
    config = peft.LoraConfig(**{"r": 2, "target_modules": ["q_proj"], "task_type": task} | options)
    adapted = peft.get_peft_model(model, config)
    for weight in adapted.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(folder / "adapter", **(saving or {}))
    tokenizer.save_pretrained(folder / "adapter")
    merged = adapted.merge_and_unload()
    merged.save_pretrained(folder / "merged")
    tokenizer.save_pretrained(folder / "merged")
    return folder / "adapter", folder / "merged"


WAYS: dict[str, dict[str, Any]] = {
    "whole embeddings": {},
    "modules_to_save": {"modules_to_save": ["embed_tokens", "score"]},
    "single tokens": {"trainable_token_indices": [KNOWN, KNOWN + 1, KNOWN + 2]},
    "layers in the embeddings": {"target_modules": ["q_proj", "embed_tokens"]},
}


@pytest.mark.parametrize("way", WAYS)
def test_tokens_that_were_added_in_training(
    base: Path, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    adapter, merged = trained(base, tmp_path, **WAYS[way])
    expected = rmeval.score(str(merged), TALKS)
    assert len(set(expected)) == 3
    caplog.clear()
    assert rmeval.score(str(adapter), TALKS) == pytest.approx(expected, abs=1e-5)
    assert "does not use" not in caplog.text  # The base's own head is what the adapter's replaces.


def test_single_tokens_without_their_embeddings(base: Path, tmp_path: Path) -> None:
    """The rows of the added tokens are all that was trained of them, so that nothing is lacking."""
    way = WAYS["single tokens"]
    adapter, merged = trained(base, tmp_path / "all", saving={"save_embedding_layers": False}, **way)
    weights = load_file(adapter / "adapter_model.safetensors")
    assert not any(len(tensor) == KNOWN + 3 for tensor in weights.values())
    assert rmeval.score(str(adapter), TALKS) == pytest.approx(rmeval.score(str(merged), TALKS), abs=1e-5)
    adapter, _ = trained(
        base, tmp_path / "last", saving={"save_embedding_layers": False}, trainable_token_indices=[KNOWN + 2]
    )
    with pytest.raises(ModelError, match=rf"was trained with {KNOWN + 3} tokens, .* has {KNOWN}, .*`base_model`"):
        rmeval.score(str(adapter), TALKS)


def test_single_tokens_that_are_no_ids(base: Path, tmp_path: Path) -> None:
    adapter, _ = trained(base, tmp_path, **WAYS["single tokens"])
    config = json.loads((adapter / "adapter_config.json").read_text())
    for wrong in ("x", ["<a>"], {"embed_tokens": 3}):
        (adapter / "adapter_config.json").write_text(json.dumps(config | {"trainable_token_indices": wrong}))
        with pytest.raises(ModelError, match="which are not token ids"):
            rmeval.score(str(adapter), TALKS)


def test_added_tokens_of_which_nothing_was_saved(base: Path, tmp_path: Path) -> None:
    adapter, _ = trained(base, tmp_path, saving={"save_embedding_layers": False})
    with pytest.raises(
        ModelError, match=rf"yields token 30\d, but .* has {KNOWN} tokens: .*`tokenizer`, or .*`base_model`"
    ):
        rmeval.score(str(adapter), TALKS)


@pytest.mark.parametrize("way", ["whole embeddings", "modules_to_save"])
def test_a_policy_with_added_tokens(base: Path, tmp_path: Path, way: str) -> None:
    """Its base knows none of them, so that it is no reference for texts that hold some."""
    options: dict[str, Any] = {} if way == "whole embeddings" else {"modules_to_save": ["embed_tokens", "lm_head"]}
    adapter, merged = trained(base, tmp_path, "CAUSAL_LM", **options)
    known: list[Conversation] = [(Message("user", "what is"), Message("assistant", text)) for text in ("so", "it is")]
    expected = rmeval.score(str(merged), known, kind="implicit", ref_model=str(base))
    found = rmeval.score(str(adapter), known, kind="implicit")
    assert found == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ModelError, match=f"has {KNOWN} tokens"):
        rmeval.score(str(adapter), TALKS, kind="implicit")


def test_embeddings_that_were_cut_to_the_tokenizer(tmp_path: Path) -> None:
    """The base's table is longer than its tokenizer, as many are; training resized it."""
    base = make_checkpoint(tmp_path / "lm", "causal", seed=1, vocab_size=KNOWN + 64)
    adapter, merged = trained(base, tmp_path)
    assert rmeval.score(str(adapter), TALKS) == pytest.approx(rmeval.score(str(merged), TALKS), abs=1e-5)


def test_another_base(base: Path, tmp_path: Path) -> None:
    """Both shapes and the module are in the sentence."""
    adapter, _ = trained(base, tmp_path)
    wide = make_checkpoint(tmp_path / "wide", "causal", hidden_size=64)
    with pytest.raises(ModelError, match=r"does not fit its base .*(embed_tokens|lora_A).*, 32\].*, 64\]") as caught:
        rmeval.score(str(adapter), TALKS, base_model=str(wide))
    assert "\n" not in str(caught.value)


def body_and_head(base: Path, folder: Path, shards: bool = False, pickled: bool = False) -> tuple[Path, Path]:
    """A language model with `value_head.safetensors` beside it, and the same in one file."""
    folder.mkdir()
    model = AutoModelForCausalLM.from_pretrained(base)
    model.save_pretrained(folder / "beside", **({"max_shard_size": "20KB"} if shards else {}))
    torch.manual_seed(8)
    head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.randn(1)}
    if pickled:
        torch.save(head, folder / "beside" / "value_head.bin")
    else:
        save_file(head, folder / "beside" / "value_head.safetensors")
    model.save_pretrained(folder / "together")
    save_file(load_file(folder / "together" / "model.safetensors") | head, folder / "together" / "model.safetensors")
    for place in ("beside", "together"):
        make_tokenizer().save_pretrained(folder / place)
    return folder / "beside", folder / "together"


@pytest.mark.parametrize("shards", [False, True])
def test_a_head_beside_the_weights_of_its_body(base: Path, tmp_path: Path, shards: bool) -> None:
    beside, together = body_and_head(base, tmp_path / "m", shards)
    assert (beside / "model.safetensors.index.json").is_file() == shards
    expected = rmeval.score(str(together), TALKS)
    assert rmeval.score(str(beside), TALKS) == pytest.approx(expected, abs=1e-6)
    before = rmeval.load_model(str(beside)).identity()
    save_file({"v_head.summary.weight": torch.ones(1, 32)}, beside / "value_head.safetensors")
    assert rmeval.load_model(str(beside)).identity() != before


def test_a_pickled_head_only_on_request(base: Path, tmp_path: Path) -> None:
    beside, together = body_and_head(base, tmp_path / "m", pickled=True)
    with pytest.raises(ModelError, match=r"has its head in value_head.bin, a pickle, .* use_safetensors=false"):
        rmeval.score(str(beside), TALKS)
    found = rmeval.score(str(beside), TALKS, model_kwargs={"use_safetensors": False})
    assert found == pytest.approx(rmeval.score(str(together), TALKS), abs=1e-6)


def test_a_head_of_another_name(base: Path, tmp_path: Path) -> None:
    beside, together = body_and_head(base, tmp_path / "m")
    head = load_file(beside / "value_head.safetensors")
    renamed = {name.replace("v_head.summary", "linear"): tensor for name, tensor in head.items()}
    save_file(renamed, beside / "value_head.safetensors")
    with pytest.raises(ModelError, match=r"holds linear\.\w+, which is not a known head: .*`head`"):
        rmeval.score(str(beside), TALKS)
    found = rmeval.score(str(beside), TALKS, head="linear")
    assert found == pytest.approx(rmeval.score(str(together), TALKS), abs=1e-6)


@pytest.mark.parametrize("place", ["adapter", "base"])
@pytest.mark.parametrize("name", ["value_head.safetensors", "value_head.bin", "pytorch_model.bin"])
def test_a_head_beside_an_adapter_or_its_base(base: Path, tmp_path: Path, place: str, name: str) -> None:
    torch.manual_seed(9)
    model = AutoModelForCausalLM.from_pretrained(base)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for weight in adapted.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(tmp_path / "adapter")
    shutil.copytree(base, tmp_path / "base")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(tmp_path / "base")
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.randn(1)}
    if name == "pytorch_model.bin" and place == "base":
        return  # There it is the body itself.
    if name.endswith(".bin"):
        torch.save(head, tmp_path / place / name)
    else:
        save_file(head, tmp_path / place / name)
    merged = adapted.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    whole = load_file(tmp_path / "merged" / "model.safetensors") | head
    save_file(whole, tmp_path / "merged" / "model.safetensors")
    make_tokenizer().save_pretrained(tmp_path / "merged")
    kwargs = {"use_safetensors": False} if name.endswith(".bin") else {}
    found = rmeval.score(str(tmp_path / "adapter"), TALKS, model_kwargs=kwargs)
    assert found == pytest.approx(rmeval.score(str(tmp_path / "merged"), TALKS), abs=1e-4)
    assert np.ptp(found) > 1e-3
    if kwargs:
        with pytest.raises(ModelError, match=f"has its head in {name}, a pickle"):
            rmeval.score(str(tmp_path / "adapter"), TALKS)
