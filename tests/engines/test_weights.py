"""Which files are a checkpoint's weights, what its identity depends on, and what is said where they do not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.cache import files_digest
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.types import Conversation, Message
from tests.architectures import make_classifier

TALKS: list[Conversation] = [
    (Message("user", "what is the capital"), Message("assistant", answer)) for answer in ("so", "it is the land")
]


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "m"))


def model_of(folder: Path, **options: Any) -> str:
    return str(rmeval.load_model(str(folder), **options).identity()["model"])


def in_shards(folder: Path, **options: Any) -> list[Path]:
    """The same weights in several files with an index."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    for path in folder.glob("model*"):
        path.unlink()
    model.save_pretrained(folder, max_shard_size="20KB", **options)
    return sorted(folder.glob("model*.safetensors"))


def test_what_trainer_leaves_beside_weights_is_none_of_them(folder: Path) -> None:
    scores, before = rmeval.score(str(folder), TALKS), model_of(folder)
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "optimizer.bin"):
        torch.save({"lr": 1e-5}, folder / name)
    save_file({"other": torch.ones(2)}, folder / "optimizer.safetensors")
    assert model_of(folder) == before
    assert rmeval.score(str(folder), TALKS) == pytest.approx(list(scores))
    pickle = {"use_safetensors": False}
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert rmeval.score(str(folder), TALKS, model_kwargs=pickle) == pytest.approx(list(scores))
    (folder / "pytorch_model.bin").unlink()
    for options in ({}, {"model_kwargs": pickle}):
        with pytest.raises(ModelError, match="has no weights that transformers loads"):
            rmeval.load_model(str(folder), **options)  # type: ignore[arg-type]


def test_pickles_of_old_versions(folder: Path) -> None:
    """torch before 1.6 wrote a format that cannot be mapped into memory."""
    expected = list(rmeval.score(str(folder), TALKS))
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    (folder / "model.safetensors").unlink()
    found = rmeval.score(str(folder), TALKS, model_kwargs={"use_safetensors": False})
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("index", [[], {}, {"weight_map": None}, {"weight_map": {"a": 5}}, {"weight_map": {"a": None}}])
def test_an_index_that_is_none(folder: Path, index: object) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"model.safetensors.index.json cannot be read \(.*\): download it again"):
        rmeval.load_model(str(folder))


def test_fingerprints_of_ordinary_layouts_stay(folder: Path) -> None:
    """Run folders of earlier versions are continued only if these are what they were."""
    whole = [folder / "model.safetensors", folder / "config.json"]
    assert model_of(folder) == f"sha256:{files_digest(whole)}"
    shards = in_shards(folder)
    assert len(shards) > 2
    index = folder / "model.safetensors.index.json"
    assert model_of(folder) == f"sha256:{files_digest([*shards, index, folder / 'config.json'])}"


def test_shards_that_the_index_names(folder: Path) -> None:
    scores = rmeval.score(str(folder), TALKS)
    shards = in_shards(folder)
    before = model_of(folder)
    shutil.copy(shards[0], folder / "model-00009-of-00009.safetensors")
    assert model_of(folder) == before
    assert rmeval.score(str(folder), TALKS) == pytest.approx(list(scores), abs=1e-6)
    shards[1].unlink()
    with pytest.raises(ModelError, match=rf"names {shards[1].name}, which does not exist"):
        rmeval.load_model(str(folder))
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(ModelError, match=r"index.json cannot be read"):
        rmeval.load_model(str(folder))


@pytest.mark.parametrize("shards", [False, True])
def test_a_variant(folder: Path, tmp_path: Path, shards: bool) -> None:
    """Its files are what is loaded, and what the identity depends on."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.nn.init.constant_(model.score.weight, 0.5)
    model.save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "other")
    model.save_pretrained(folder, variant="fp16", **({"max_shard_size": "20KB"} if shards else {}))
    variant = {"model_kwargs": {"variant": "fp16"}}
    found = rmeval.score(str(folder), TALKS, **variant)
    assert found == pytest.approx(list(rmeval.score(str(tmp_path / "other"), TALKS)), abs=1e-6)
    assert model_of(folder, **variant) != model_of(folder)
    before = model_of(folder)
    file = sorted(folder.glob("model*fp16*.safetensors"))[0]
    save_file({name: 2 * tensor for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    assert model_of(folder) == before
    with pytest.raises(ModelError, match=r"has no weights that transformers loads \(model.bf16.safetensors"):
        rmeval.load_model(str(folder), model_kwargs={"variant": "bf16"})


def test_a_subfolder(folder: Path) -> None:
    scores, plain = rmeval.score(str(folder), TALKS), model_of(folder)
    (folder / "below").mkdir()
    for name in ("model.safetensors", "config.json"):
        shutil.copy(folder / name, folder / "below" / name)
    other = load_file(folder / "model.safetensors")
    save_file({k: v * 0 for k, v in other.items()}, folder / "model.safetensors", {"format": "pt"})
    below = {"model_kwargs": {"subfolder": "below"}}
    assert rmeval.score(str(folder), TALKS, **below) == pytest.approx(list(scores))
    assert model_of(folder, **below) == plain
    assert model_of(folder) != plain


def test_shapes_that_are_not_the_configs_are_in_the_sentence(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"score.weight": torch.ones(5, 32)}, folder / "model.safetensors", {"format": "pt"})
    wanted = r"score.weight is \(5, 32\) in the checkpoint and \(1, 32\) by the config; .* num_labels=1"
    with pytest.raises(ModelError, match=wanted) as caught:
        rmeval.score(str(folder), TALKS)
    assert "report" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_architecture_whose_code_overflows_on_a_tree(tmp_path: Path) -> None:
    """Doge makes numbers of its mask that no integer holds, which is no reason to stop."""
    narrow = {"num_key_value_heads": 2, "keep_window_size": 4}
    model = rmeval.load_model(str(make_classifier(tmp_path / "m", "doge", **narrow)))
    assert len(set(rmeval.score(model, TALKS))) == 2
    assert str(model.facts()["prefix_sharing"]).startswith("off: it fails on a prefix tree (can't convert")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("first.\nsecond"), "first"),
        (RuntimeError("Error(s) in loading state_dict for X:\n\tsize mismatch for a: (1) is not (2)."),
         "Error(s) in loading state_dict for X: size mismatch for a: (1) is not (2)"),
        (RuntimeError("\x1b[1m\x1b[31mred\x1b[0m and \x1b[38;5;208morange\x1b[0m\n"), "red and orange"),
        (KeyError(), "KeyError"),
        (ValueError("\n\n  late  \n"), "late"),
        (ValueError("word " * 200), "word " * 79 + "word ..."),
    ],
)  # fmt: skip
def test_what_another_package_says(error: Exception, text: str) -> None:
    assert reason_of(error) == text


def test_one_list_of_what_others_raise() -> None:
    """No other tuple of exceptions decides what becomes a sentence while networks load and run."""
    source = Path(rmeval.__file__).parent
    for file in [*(source / "engines" / "hf").glob("*.py"), *(source / "rendering").glob("*.py")]:
        assert "RuntimeError, TypeError" not in file.read_text(encoding="utf-8").replace("\n", " "), file
    assert OverflowError not in LOADING_ERRORS
    assert issubclass(OverflowError, LOADING_ERRORS)
    assert json.JSONDecodeError("a", "b", 0).__class__.__mro__[1] in LOADING_ERRORS


@pytest.mark.parametrize("damage", ["text", "list", "names"])
def test_a_pickle_that_is_no_checkpoint(folder: Path, damage: str) -> None:
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save({"list": [1], "names": {1: torch.zeros(1)}}.get(damage, {"model": torch.zeros(1)}), file)
    if damage == "text":
        whole = file.read_bytes()
        place = whole.index(b"model", whole.index(b"data.pkl") + 8)
        file.write_bytes(whole[:place] + b"\xe8\xa5" + whole[place + 2 :])
    with pytest.raises(ModelError):
        rmeval.score(str(folder), TALKS, model_kwargs={"use_safetensors": False})


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be looked up \(File name too long\): check the path"):
        rmeval.load_model("x" * 300 + "/" + "y" * 5000).identity()
    adapter = {"base_model_name_or_path": "x" * 2000, "peft_type": "LORA"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    save_file({"a": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"is an adapter of .* cannot be looked up"):
        rmeval.load_model(str(tmp_path)).identity()
