"""Scores of local checkpoints equal a plain forward, whatever the padding; what cannot be scored says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import normalizers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from tests.checkpoints import ENDS_IN_EOS, make_checkpoint, make_tokenizer

CONVERSATIONS = [
    [{"role": "user", "content": "what is the capital"}, {"role": "assistant", "content": "why " * n + "it is so"}]
    for n in (0, 9, 3, 30, 1, 0, 17)
]


def by_hand(folder: Path, conversation: list[dict[str, str]], template: str | None = None) -> float:
    """One sequence, no batch, no padding: the head applied to the hidden state of the last token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = tokenizer.apply_chat_template(conversation, chat_template=template, return_dict=True, tokenize=True)[
        "input_ids"
    ]
    with torch.inference_mode():
        hidden = model.model(input_ids=torch.tensor([tokens])).last_hidden_state
        return float(model.score(hidden[0, -1]))


def close(found: Any, wanted: list[float]) -> None:
    assert len({round(value, 4) for value in wanted}) > 1, "a test that any constant passes"
    assert found == pytest.approx(wanted, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 5, None])
def test_any_batch_size_gives_the_plain_forward(checkpoint: Path, batch_size: int | None) -> None:
    close(
        rmeval.score(str(checkpoint), CONVERSATIONS, batch_size=batch_size),
        [by_hand(checkpoint, c) for c in CONVERSATIONS],
    )


@pytest.mark.parametrize(
    ("options", "pad"),
    [
        ({"pad_token": "<|im_end|>", "chat_template": ENDS_IN_EOS, "bos_token": "<|bos|>"}, 2),
        ({"pad_token": None}, None),
        ({"padding_side": "left"}, 0),
    ],
    ids=["pad is eos and ends the text", "no pad token", "pads on the left"],
)
def test_padding_never_matters(tmp_path: Path, options: dict[str, Any], pad: int | None) -> None:
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(**options), pad_token_id=pad)
    close(rmeval.score(str(folder), CONVERSATIONS), [by_hand(folder, c) for c in CONVERSATIONS])


def test_a_template_that_writes_bos_gets_one(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(bos_token="<|bos|>", add_bos_token=True, chat_template=ENDS_IN_EOS)
    folder = make_checkpoint(tmp_path / "m", tokenizer=tokenizer)
    model = rmeval.load_model(str(folder))
    rmeval.score(model, CONVERSATIONS)
    facts = model.facts()
    assert facts["first_rendered"] == "<|bos|>user: what is the capital<|im_end|>assistant: it is so<|im_end|>"
    assert "double_bos" not in facts


def test_a_bos_too_many_in_the_template_is_told(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(bos_token="<|bos|>", chat_template="<|bos|>" + ENDS_IN_EOS)
    folder = make_checkpoint(tmp_path / "m", tokenizer=tokenizer)
    model = rmeval.load_model(str(folder))
    rmeval.score(model, CONVERSATIONS)
    assert model.facts()["double_bos"] == 6, "two of the seven conversations are equal"


ENCODERS: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16},
    "bert": {},
    "deberta": {},
    "deberta-v2": {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]},
    "distilbert": {"dim": 32, "n_heads": 2, "n_layers": 2, "hidden_dim": 32},
    "electra": {"embedding_size": 16},
    "modernbert": {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2},
    "mpnet": {},
    "roberta": {},
    "xlm-roberta": {},
}
DECODERS: dict[str, dict[str, Any]] = {
    "gemma3_text": {"head_dim": 16, "num_key_value_heads": 1, "sliding_window": 8, "sliding_window_pattern": 2},
    "gpt2": {"n_embd": 32, "n_head": 2, "n_layer": 2, "n_positions": 512},
    "gpt_neox": {},
    "llama": {"num_key_value_heads": 1},
    "mistral": {"num_key_value_heads": 1, "sliding_window": 8},
}
SHAPE = {
    "vocab_size": 400,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def saved(path: Path, kind: str, **config: Any) -> Path:
    torch.manual_seed(0)
    shape = SHAPE | {"max_position_embeddings": 600, "num_labels": 1, "pad_token_id": 0, "initializer_range": 0.2}
    made = AutoConfig.for_model(kind, **shape | config)
    AutoModelForSequenceClassification.from_config(made).eval().save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_architectures(tmp_path: Path, kind: str) -> None:
    """A batch gives what the model itself gives for one sequence without padding."""
    folder = saved(tmp_path / "m", kind, **(ENCODERS | DECODERS)[kind])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    wanted = []
    for conversation in CONVERSATIONS:
        tokens = tokenizer.apply_chat_template(conversation, return_dict=True, tokenize=True)["input_ids"]
        with torch.inference_mode():
            wanted.append(float(model(input_ids=torch.tensor([tokens])).logits))
    assert len({round(value, 6) for value in wanted}) > 1, "a test that any constant passes"
    assert rmeval.score(str(folder), CONVERSATIONS) == pytest.approx(wanted, abs=1e-5)


def test_an_encoder_is_not_cut_at_its_beginning(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", "bert")
    with pytest.raises(ModelError, match="uses the beginning of its input, which truncate-left would cut"):
        rmeval.score(str(folder), CONVERSATIONS, max_length=40, on_overlength="truncate-left")


def test_a_forward_that_fails_is_a_sentence(tmp_path: Path) -> None:
    """An encoder-decoder that looks for a token that no text has, or does not say where answers begin."""
    for extra in ({"decoder_start_token_id": 0, "eos_token_id": 399}, {}):
        folder = saved(tmp_path / f"m{len(extra)}", "t5", d_model=32, d_ff=32, num_layers=2, **extra)
        with pytest.raises(ModelError, match=r"the forward of .* \(T5ForSequenceClassification\) fails \(") as caught:
            rmeval.score(str(folder), CONVERSATIONS)
        assert "\n" not in str(caught.value)


def test_a_template_from_a_file_and_another_tokenizer(checkpoint: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text(ENDS_IN_EOS)
    wanted = [by_hand(checkpoint, c, ENDS_IN_EOS) for c in CONVERSATIONS]
    close(rmeval.score(str(checkpoint), CONVERSATIONS, chat_template=str(template)), wanted)
    make_tokenizer(chat_template=ENDS_IN_EOS).save_pretrained(tmp_path / "tokenizer")
    close(rmeval.score(str(checkpoint), CONVERSATIONS, tokenizer=str(tmp_path / "tokenizer")), wanted)


def test_bfloat16_keeps_the_head_in_float32(checkpoint: Path) -> None:
    full = rmeval.score(str(checkpoint), CONVERSATIONS)
    half = rmeval.score(str(checkpoint), CONVERSATIONS, dtype="bfloat16")
    assert half == pytest.approx(full, abs=0.1)
    # A head in bfloat16 could only give numbers of eight bits.
    assert (torch.tensor(half).bfloat16().double().numpy() != half).any()


def test_scores_of_the_reference(shared: Path, fixtures: Any) -> None:
    """RM-Bench's reference with the same model: 1e-4 in float32 (here on every twelfth item, all six answers)."""
    reference = {row["id"]: row for row in fixtures("rm_bench_reference.json")["scores"]}
    items = list(rmeval.load_benchmark("rm-bench", str(shared / "data" / "rm-bench")).load())[::12]
    model = rmeval.load_model(str(shared / "fixtures" / "models" / "tiny-rm"))
    found = rmeval.score(model, [item.conversation(n) for item in items for n in range(6)]).reshape(-1, 6)
    wanted = [reference[item.id.replace("/", "-")] for item in items]
    assert found[:, :3] == pytest.approx(np.array([row["score_chosen"] for row in wanted]), abs=1e-4)
    assert found[:, 3:] == pytest.approx(np.array([row["score_rejected"] for row in wanted]), abs=1e-4)


def test_scores_of_reward_bench(shared: Path, fixtures: Any) -> None:
    """RewardBench's command line with the same model on RM-Bench chat, in file order, style fastest."""
    wanted = next(v for k, v in fixtures("reward_bench_pairs.json").items() if k.startswith("classifier"))[::9]
    items = rmeval.load_benchmark("rm-bench", str(shared / "data" / "rm-bench" / "chat_filtered.json")).load()
    pairs = [(item, style) for item in items for style in range(3)][::9]
    conversations = [item.conversation(n) for item, style in pairs for n in (style, 3 + style)]
    found = rmeval.score(str(shared / "fixtures" / "models" / "tiny-rm"), conversations).reshape(-1, 2)
    assert found == pytest.approx(np.array(wanted), abs=1e-4)


@pytest.mark.parametrize(("policy", "statuses"), [("skip", {"ok", "overlength"}), ("truncate-left", {"ok"})])
def test_overlength(checkpoint: Path, pairs_file: Path, tmp_path: Path, policy: str, statuses: set[str]) -> None:
    import pyarrow.parquet as pq

    result = rmeval.evaluate(
        str(checkpoint), "pairs", pairs_file, out=tmp_path / "runs", max_length=40, on_overlength=policy
    )
    rows = pq.read_table(result.path / "scores.parquet").to_pylist()
    assert {row["status"] for row in rows} == statuses
    assert any(row.get("input_truncated") for row in rows) == (policy == "truncate-left")
    assert all((row["score"] is None) == (row["status"] == "overlength") for row in rows)
    assert all((row["tokens"] > 40) == (row["status"] != "ok" or bool(row.get("input_truncated"))) for row in rows)
    assert any("without a score (overlength)" in note or "cut to fit" in note for note in result.notes)


def test_overlength_stops_before_anything_is_scored(checkpoint: Path, pairs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"tiny takes at most 40 tokens, exceeded by .* conversations? .*`on_overlength`"
    ):
        rmeval.evaluate(str(checkpoint), "pairs", pairs_file, out=tmp_path / "runs", max_length=40)
    assert not list((tmp_path / "runs").rglob("*.jsonl"))


def test_a_template_that_refuses_is_an_error_of_that_item(tmp_path: Path) -> None:
    strict = "{% if messages|length > 2 %}{{ raise_exception('one turn only') }}{% endif %}" + ENDS_IN_EOS
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=strict))
    long = [{"role": "system", "content": "be kind"}, *CONVERSATIONS[1]]
    model = rmeval.load_model(str(folder))
    found = rmeval.score(model, [CONVERSATIONS[0], long, CONVERSATIONS[2]])
    assert np.isnan(found).tolist() == [False, True, False]


def without_weights(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.unlink()


def pickled(folder: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    without_weights(folder)


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def adapter_only(folder: Path) -> None:
    without_config(folder)
    (folder / "adapter_config.json").write_text("{}")


def without_template(folder: Path) -> None:
    make_tokenizer(chat_template=None).save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)


def without_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.Mine", "AutoModelForSequenceClassification": "mine.Mine"},
    }
    (folder / "config.json").write_text(json.dumps(config))


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            without_weights,
            r"has no weights that transformers loads \(model.safetensors or model.safetensors.index.json\)",
        ),
        (pickled, "has only pickled weights, which can run code"),
        (without_config, "has no config.json: it is not a Hugging Face checkpoint"),
        (adapter_only, "has no adapter_model.safetensors: check that the adapter"),
        (without_template, "has no chat template, so conversations cannot be rendered.*`chat_template` FILE"),
        (without_tokenizer, "has no tokenizer files: give a tokenizer with `tokenizer`"),
        (own_code, "comes with its own code: read it"),
        (truncated, "cannot be read .*: download it again"),
    ],
)
def test_damaged_checkpoints(checkpoint: Path, tmp_path: Path, damage: Any, sentence: str) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    damage(folder)
    with pytest.raises(ModelError, match=sentence):
        rmeval.score(str(folder), CONVERSATIONS)


def test_pickled_weights_on_request(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    pickled(folder)
    found = rmeval.score(str(folder), CONVERSATIONS, model_kwargs={"use_safetensors": False})
    assert found == pytest.approx(rmeval.score(str(checkpoint), CONVERSATIONS))


def test_a_language_model_has_no_head(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", kind="language model")
    with pytest.raises(ModelError, match=r"has no trained weights for score.weight, so its scores would be random"):
        rmeval.score(str(folder), CONVERSATIONS)


def test_two_outputs(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", labels=2)
    with pytest.raises(ModelError, match="returns 2 numbers for a response where one is needed"):
        rmeval.score(str(folder), CONVERSATIONS)


def test_a_config_without_its_number_of_outputs(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["id2label"], config["label2id"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="needs `model_kwargs` num_labels=1"):
        rmeval.score(str(folder), CONVERSATIONS)
    found = rmeval.score(str(folder), CONVERSATIONS, model_kwargs={"num_labels": 1})
    assert found == pytest.approx(rmeval.score(str(checkpoint), CONVERSATIONS))


@pytest.mark.parametrize(
    ("spec", "options", "sentence"),
    [
        ("./nothing/here", {}, "there is no model at ./nothing/here"),
        ("baseline:tallest", {}, "there is no baseline 'tallest': choose baseline:random"),
        ("CHECKPOINT", {"dtype": "float8"}, "there is no dtype 'float8'"),
        ("CHECKPOINT", {"device": "gpu"}, "there is no device 'gpu'"),
        ("CHECKPOINT", {"chat_template": "none.jinja"}, "there is no chat template none.jinja"),
        ("CHECKPOINT", {"tokeniser": "x"}, "there is no option 'tokeniser': the options are dtype, device"),
        ("CHECKPOINT", {"model_kwargs": "a=1"}, "`model_kwargs` must be a mapping, such as .'key': 1., not 'a=1'"),
        ("CHECKPOINT", {"allow_dropped_roles": "tool"}, "must be a list of roles, such as .'tool'., not 'tool'"),
        ("CHECKPOINT", {"model_kwargs": {"token": "hf_x"}}, "token is in model_kwargs"),
        ("CHECKPOINT/config.json", {}, "config.json is a file: give the folder"),
    ],
)
def test_wrong_requests(checkpoint: Path, spec: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        rmeval.score(spec.replace("CHECKPOINT", str(checkpoint)), CONVERSATIONS, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="this machine has no device 'cuda'"):
        rmeval.load_model(str(checkpoint), device="cuda")


def test_identity_follows_weights_template_and_settings(checkpoint: Path, tmp_path: Path) -> None:
    same = rmeval.load_model(str(checkpoint)).identity()
    assert rmeval.load_model(str(checkpoint), batch_size=3, device="cpu").identity() == same
    other = make_checkpoint(tmp_path / "tiny", seed=1)
    template = tmp_path / "t.jinja"
    template.write_text(ENDS_IN_EOS)
    for changed in (
        rmeval.load_model(str(other)),
        rmeval.load_model(str(checkpoint), dtype="bfloat16"),
        rmeval.load_model(str(checkpoint), chat_template=str(template)),
        rmeval.load_model(str(checkpoint), on_overlength="skip"),
        rmeval.load_model(str(checkpoint), max_length=100),
    ):
        assert changed.identity() != same


def test_another_models_tokenizer(checkpoint: Path, tmp_path: Path) -> None:
    larger = make_tokenizer()
    larger.add_tokens([f"word{n}" for n in range(200)] + ["capital"])
    larger.save_pretrained(tmp_path / "larger")
    with pytest.raises(ModelError, match=r"yields token \d+, but .* has 400 tokens: it belongs to another model"):
        rmeval.score(str(checkpoint), CONVERSATIONS, tokenizer=str(tmp_path / "larger"))


def test_a_template_that_writes_the_date_is_told_a_fixed_one(tmp_path: Path) -> None:
    dated = "{{ strftime_now('%d %b %Y') }} " + ENDS_IN_EOS
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=dated))
    model = rmeval.load_model(str(folder))
    rmeval.score(model, CONVERSATIONS[:1])
    assert model.facts()["first_rendered"].startswith("26 Jul 2024 ")


def test_a_template_that_leaves_the_answer_out(tmp_path: Path) -> None:
    blind = "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}"
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=blind))
    with pytest.raises(ModelError, match=r"the chat template of .* does not show the response"):
        rmeval.load_model(str(folder))


def test_a_tokenizer_that_lowers_its_text(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    folder = make_checkpoint(tmp_path / "m", tokenizer=tokenizer)
    close(rmeval.score(str(folder), CONVERSATIONS), [by_hand(folder, c) for c in CONVERSATIONS])


def test_identity_follows_code_and_pickled_weights_where_those_are_used(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    plain = rmeval.load_model(str(folder))
    (folder / "mine.py").write_text("# code")
    assert rmeval.load_model(str(folder)).identity() == plain.identity()
    # Nothing names it, so that it does not run.
    assert rmeval.load_model(str(folder), trust_remote_code=True).identity() == plain.identity()
    torch.save({}, folder / "pytorch_model.bin")
    pickle = {"use_safetensors": False}
    before = rmeval.load_model(str(folder), model_kwargs=pickle).identity()
    torch.save({"more": torch.ones(1)}, folder / "pytorch_model.bin")
    assert rmeval.load_model(str(folder), model_kwargs=pickle).identity() != before
    placed = rmeval.load_model(str(folder), model_kwargs={"device_map": "auto", "max_memory": {"cpu": "1GB"}})
    assert placed.identity() == plain.identity()


def test_weights_without_a_place_are_told(checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    weights = load_file(folder / "model.safetensors") | {"model.layers.0.lora_A.weight": torch.ones(2, 2)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model = rmeval.load_model(str(folder))
    rmeval.score(model, CONVERSATIONS)
    assert "holds 1 weights that this kind of model does not use (model.layers.0.lora_A.weight)" in caplog.text
    assert model.facts()["unused_weights"] == ["model.layers.0.lora_A.weight"]


def test_longer_than_the_network_was_built_for(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="supports at most 512 tokens"):
        rmeval.load_model(str(checkpoint), max_length=513)
    longer = {"max_position_embeddings": 1024, "device_map": "auto", "attn_implementation": "eager"}
    found = rmeval.score(str(checkpoint), CONVERSATIONS, max_length=513, model_kwargs=longer)
    assert found == pytest.approx(rmeval.score(str(checkpoint), CONVERSATIONS), abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": "many"},
        {"num_attention_heads": 0},
        {"max_position_embeddings": "long"},
        {"dtype": "float13"},
        {"hidden_size": 48},
        {"pad_token_id": -1},
    ],
)
def test_odd_configs_are_one_sentence_or_right(checkpoint: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    try:
        found = rmeval.score(str(folder), CONVERSATIONS)
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert found == pytest.approx(rmeval.score(str(checkpoint), CONVERSATIONS), abs=1e-5)


def test_weights_that_do_not_fit_are_never_made_up(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    with pytest.raises(ModelError, match=r"disagree in shape|so its scores would be random"):
        rmeval.score(str(folder), CONVERSATIONS, model_kwargs={"ignore_mismatched_sizes": True})


@pytest.mark.parametrize(
    ("name", "content"), [("tokenizer.json", ""), ("tokenizer.json", "{}"), ("tokenizer_config.json", "[]")]
)
def test_broken_tokenizers(checkpoint: Path, tmp_path: Path, name: str, content: str) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoint, folder)
    (folder / name).write_text(content)
    with pytest.raises(ModelError, match=r"the tokenizer of .* cannot be loaded"):
        rmeval.load_model(str(folder))
