"""Exported value heads score as the original does, in transformers alone; what cannot be exported is refused."""

from __future__ import annotations

import json
import resource
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.doctor.export import export_model
from rmeval.errors import ModelError, RmevalError
from rmeval.types import Conversation, Message
from tests.architectures import make_value_head
from tests.checkpoints import ENDS_IN_EOS, make_checkpoint, make_tokenizer
from tests.command import command

TALKS: list[Conversation] = [
    (Message("user", "what is the capital"), Message("assistant", answer))
    for answer in ("the capital is so", "why", "it is the land of the land, is it")
]


def by_transformers(folder: Path, talks: list[Conversation] = TALKS) -> list[float]:
    """Scores without rmeval: messages rendered and read by transformers' auto classes."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for talk in talks:
        messages = [one.to_dict() for one in talk]
        ids = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            found.append(float(model(ids).logits[0, 0]))
    return found


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("llama", "v_head.summary"),
        ("gemma", "value_head"),
        ("mistral", "regression_head"),
        ("gpt_neox", "v_head"),
        ("qwen3", "score_head"),
        ("mixtral", "reward_head"),
    ],
)
def test_a_value_head_becomes_a_sequence_classifier(tmp_path: Path, kind: str, head: str) -> None:
    source = make_value_head(tmp_path / "rm", kind, head)
    before = rmeval.score(str(source), TALKS)
    found = rmeval.export(str(source), tmp_path / "out")
    assert found.agrees
    assert found.difference < 1e-5 < found.spread
    assert (found.head, found.shift, found.notes) == (head, 0.0, ())
    assert by_transformers(tmp_path / "out") == pytest.approx(before, abs=1e-5)
    assert rmeval.score(str(tmp_path / "out"), TALKS) == pytest.approx(before, abs=1e-5)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == [found.architecture]
    assert (config["problem_type"], config["id2label"]) == ("regression", {"0": "LABEL_0"})
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert not any(name.startswith(("lm_head", "embed_out", head)) for name in weights)


def test_weights_in_several_files_and_a_head_beside_them(tmp_path: Path) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head.summary", shards="40KB", beside=True)
    files = sorted(source.glob("model-*.safetensors"))
    assert len(files) > 2
    assert (source / "value_head.safetensors").is_file()
    found = export_model(source, tmp_path / "out")
    assert found.agrees
    written = sorted((tmp_path / "out").glob("*.safetensors"))
    listing = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert {*listing["weight_map"].values()} == {file.name for file in written}
    tensors = {name: tensor for file in written for name, tensor in load_file(file).items()}
    assert set(tensors) == set(listing["weight_map"])
    assert listing["metadata"]["total_size"] == sum(one.numel() * 4 for one in tensors.values())
    assert by_transformers(tmp_path / "out") == pytest.approx(rmeval.score(str(source), TALKS), abs=1e-5)
    assert {stat.S_IMODE(file.stat().st_mode) for file in written} == {
        stat.S_IMODE((tmp_path / "out" / "config.json").stat().st_mode)
    }


def test_a_body_without_the_prefix_of_its_class(tmp_path: Path) -> None:
    """As `AutoModel` saves it, with the head and what else a trainer keeps."""
    source = make_value_head(tmp_path / "rm", "llama", "value_head")
    weights = load_file(source / "model.safetensors")
    bare = {name.removeprefix("model."): weight for name, weight in weights.items() if not name.startswith("lm_head")}
    save_file(bare | {"mean": torch.zeros(1)}, source / "model.safetensors", {"format": "pt"})
    found = export_model(source, tmp_path / "out")
    assert found.agrees
    assert found.notes == ("1 weight of other layers are left out: mean",)
    assert all(name.startswith(("model.", "score.")) for name in load_file(tmp_path / "out" / "model.safetensors"))
    assert by_transformers(tmp_path / "out") == pytest.approx(rmeval.score(str(source), TALKS), abs=1e-5)


def test_a_bias_is_left_out_only_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head.summary", bias=0.75)
    with pytest.raises(ModelError, match=r"v_head.summary has the bias 0.75, which transformers drops .* `drop_bias`"):
        export_model(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    done = command(capsys, "export", source, "-o", tmp_path / "out", "--drop-bias")
    assert done.code == 0, done.err
    assert "give --shift 0.75 to get the scores of rm" in done.out
    shifted = rmeval.score(str(tmp_path / "out"), TALKS, shift=0.75)
    assert shifted == pytest.approx(rmeval.score(str(source), TALKS), abs=1e-5)
    zero = make_value_head(tmp_path / "zero", "llama", "v_head.summary", bias=0.0)
    assert export_model(zero, tmp_path / "plain").agrees


def test_a_template_that_ends_with_the_padding_token(tmp_path: Path) -> None:
    """transformers would read the score before it, so the export names no padding token."""
    tokenizer = make_tokenizer(chat_template=ENDS_IN_EOS, pad_token="<|im_end|>")
    source = make_value_head(tmp_path / "rm", "llama", "v_head", tokenizer=tokenizer, pad_token_id=2)
    found = export_model(source, tmp_path / "out")
    assert found.agrees
    assert any("names no padding token" in note for note in found.notes)
    assert by_transformers(tmp_path / "out") == pytest.approx(rmeval.score(str(source), TALKS), abs=1e-5)


def test_number_formats(tmp_path: Path) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head", dtype=torch.bfloat16)
    assert export_model(source, tmp_path / "same").agrees
    weights = load_file(tmp_path / "same" / "model.safetensors")
    before = load_file(source / "model.safetensors")
    assert weights["score.weight"].dtype == before["v_head.weight"].dtype == torch.float32
    assert all(torch.equal(weights[name], before[name]) for name in weights if name != "score.weight")
    assert export_model(source, tmp_path / "wide", dtype="float32").agrees
    assert json.loads((tmp_path / "wide" / "config.json").read_text())["dtype"] == "float32"
    assert {one.dtype for one in load_file(tmp_path / "wide" / "model.safetensors").values()} == {torch.float32}
    large = load_file(source / "model.safetensors")
    large["model.norm.weight"] *= 1e6
    save_file(large, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"model.norm.weight holds numbers that torch.float16 cannot represent"):
        export_model(source, tmp_path / "narrow", dtype="float16")
    assert not (tmp_path / "narrow").exists()


def test_another_template_is_part_of_the_export(tmp_path: Path) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head")
    template = tmp_path / "own.jinja"
    template.write_text("{% for m in messages %}{{ m['role'] + ' ' + m['content'] + '<|im_end|>' }}{% endfor %}")
    assert export_model(source, tmp_path / "out", chat_template=str(template)).agrees
    expected = rmeval.score(str(source), TALKS, chat_template=str(template))
    assert by_transformers(tmp_path / "out") == pytest.approx(expected, abs=1e-5)
    assert not np.allclose(expected, rmeval.score(str(source), TALKS))


def damaged(source: Path, **changes: Any) -> Path:
    """The checkpoint with some weights changed; those that are None are removed."""
    weights = load_file(source / "model.safetensors") | changes
    save_file(
        {name: one for name, one in weights.items() if one is not None}, source / "model.safetensors", {"format": "pt"}
    )
    return source


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=r"is a sequence classifier already \(Qwen3ForSequenceClassification\)"):
        export_model(make_checkpoint(tmp_path / "done"), out)
    with pytest.raises(ModelError, match="is a language model without a head"):
        export_model(make_checkpoint(tmp_path / "lm", "causal"), out)
    with pytest.raises(ModelError, match="v_head has 3 outputs, and only a head with one output"):
        export_model(make_value_head(tmp_path / "three", "llama", "v_head", outputs=3), out)
    layers = make_value_head(tmp_path / "layers", "llama", "v_head")
    first = {"mlp.0.weight": torch.randn(8, 32), "mlp.2.weight": torch.randn(1, 8), "v_head.weight": None}
    damaged(layers, **first)
    with pytest.raises(ModelError, match=r"no single linear layer .*: it has mlp.0.weight, mlp.2.weight besides"):
        export_model(layers, out)
    with pytest.raises(ModelError, match=r"mlp.0 is one of several layers of its head"):
        export_model(layers, out, head="mlp.0")
    with pytest.raises(ModelError, match="is not a checkpoint with a value head"):
        export_model("baseline:longest", out)
    with pytest.raises(ModelError, match=r"there is no form 'gguf' of an export: choose one of seqcls"):
        export_model(layers, out, "gguf")
    with pytest.raises(ModelError, match=r"`model_kwargs` rms_norm_eps changes the config"):
        export_model(make_value_head(tmp_path / "rm", "llama", "v_head"), out, model_kwargs={"rms_norm_eps": 1.0})
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


def test_an_adapter_is_refused(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = make_checkpoint(tmp_path / "base", "causal")
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft uses a name of transformers that is deprecated.
        adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="SEQ_CLS"))
    adapted.save_pretrained(tmp_path / "adapter")
    with pytest.raises(ModelError, match="adapter is an adapter: merge it into its base"):
        export_model(tmp_path / "adapter", tmp_path / "out")


def test_an_existing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head")
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for more, sentence in (
        ([], f"{out} exists: choose another -o, or give --overwrite"),
        (["--overwrite"], f"{out} is not the folder of a checkpoint, and is not replaced"),
    ):
        done = command(capsys, "export", source, "-o", out, *more)
        assert (done.code, sentence in done.err) == (2, True), done.err
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(RmevalError, match="holds the model that is exported"):
        export_model(source, source, overwrite=True)
    with pytest.raises(RmevalError, match="there is no folder"):
        export_model(source, tmp_path / "no" / "out")
    (out / "config.json").write_text("{}")
    done = command(capsys, "export", source, "-o", out, "--overwrite")
    assert done.code == 0, done.err
    assert (out / "model.safetensors").is_file()
    assert not (out / "mine.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rm"]


def test_scores_that_differ_remove_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint whose own class doubles the head's output: its numbers are no linear layer's."""
    source = make_value_head(tmp_path / "rm", "llama", "v_head")
    (source / "own.py").write_text(DOUBLES)
    config = json.loads((source / "config.json").read_text())
    config |= {"architectures": ["Doubles"], "auto_map": {"AutoModel": "own.Doubles"}}
    (source / "config.json").write_text(json.dumps(config))
    done = command(capsys, "export", source, "-o", tmp_path / "out", "--trust-remote-code")
    assert done.code == 1, done.err
    assert "LlamaForSequenceClassification of transformers returns other scores than" in done.err
    assert "nothing was written" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["rm"]


DOUBLES = """
import torch
from transformers import LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

class Doubles(LlamaPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.v_head = torch.nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()

    def forward(self, input_ids, attention_mask=None):
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        last = attention_mask.sum(1) - 1
        return SequenceClassifierOutput(logits=2 * self.v_head(states[torch.arange(len(states)), last]))
"""


def test_scores_that_are_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head")
    weights = load_file(source / "model.safetensors")
    save_file(
        {name: one * float("nan") if "v_head" in name else one for name, one in weights.items()},
        source / "model.safetensors",
    )
    done = command(capsys, "export", source, "-o", tmp_path / "out")
    assert (done.code, "rm returns nan as a score, so its weights are damaged" in done.err) == (2, True), done.err
    assert [path.name for path in tmp_path.iterdir()] == ["rm"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head")
    capsys.readouterr()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        done = command(capsys, "export", source, "-o", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "out cannot be written (File too large): free some space or choose another -o" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["rm"]
