"""The doctor finds what is wrong with a checkpoint, and nothing in a sound one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import processors

from rmeval.benchmarks import load_benchmark
from rmeval.doctor.checkpoint import Examination, examine
from rmeval.errors import ModelError
from rmeval.models import ModelOptions
from tests.checkpoints import ENDS_IN_EOS, make_checkpoint, make_tokenizer
from tests.command import command


def examined(folder: Path, dtypes: tuple[str, ...] = ("float32",), **options: Any) -> Examination:
    return examine(
        str(folder), ModelOptions(**options), list(load_benchmark("rm-bench-synthetic", size=8).load()), dtypes
    )


def texts(found: Examination, level: str) -> str:
    return "\n".join(finding.text for finding in found.findings if finding.level == level)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = make_tokenizer(model_max_length=4096)
    return make_checkpoint(tmp_path_factory.mktemp("doctor") / "m", tokenizer=tokenizer, max_position_embeddings=4096)


def test_a_sound_checkpoint(sound: Path) -> None:
    found = examined(sound, ("float32", "bfloat16"))
    assert found.healthy, found.findings
    assert (found.responses, found.decisions) == (48, 72)
    assert found.rendered.startswith("<|im_start|>user\n")
    assert [text for text, _ in found.read][-2:] == ["<|im_end|>", "\n"]
    assert [(way.name, way.dtype) for way in found.ways] == [
        (name, dtype) for dtype in ("float32", "bfloat16") for name in ("one by one", "batches of 8", "prefix tree")
    ]
    assert found.ways[0].difference == found.ways[0].flips == 0
    assert all(0 < way.difference < 1e-4 for way in found.ways[1:3])
    assert all(way.difference > 1e-4 for way in found.ways[3:]), "bfloat16 is coarser"
    assert "prefixes are shared" in texts(found, "ok")


def test_a_constant_head(sound: Path, tmp_path: Path) -> None:
    folder = make_checkpoint(
        tmp_path / "m", tokenizer=make_tokenizer(model_max_length=4096), max_position_embeddings=4096
    )
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"score.weight": torch.zeros_like(weights["score.weight"])}, folder / "model.safetensors")
    assert "scores are 0: the head is constant" in texts(examined(folder), "problem")


def test_scores_that_are_not_numbers(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(model_max_length=4096)
    folder = make_checkpoint(tmp_path / "m", tokenizer=tokenizer, max_position_embeddings=4096)
    weights = load_file(folder / "model.safetensors")
    nan = torch.full_like(weights["score.weight"], torch.nan)
    save_file(weights | {"score.weight": nan}, folder / "model.safetensors")
    assert "48 of 48 scores are not numbers" in texts(examined(folder), "problem")


def test_long_conversations_that_are_left_out_on_request(sound: Path) -> None:
    found = examined(sound, max_length=256, on_overlength="skip")
    assert found.healthy
    assert "exceed the limit of 256 tokens (`on_overlength` skip)" in texts(found, "note")


def test_two_bos_and_a_text_that_ends_in_the_answer(tmp_path: Path) -> None:
    open_ended = "<|bos|><|bos|>{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer = make_tokenizer(bos_token="<|bos|>", chat_template=open_ended, model_max_length=4096)
    folder = make_checkpoint(tmp_path / "m", tokenizer=tokenizer, max_position_embeddings=4096)
    found = examined(folder)
    assert "48 conversations begin with two BOS tokens" in texts(found, "problem")
    assert "different tokens: the template writes nothing after the response" in texts(found, "note")


def test_responses_that_become_the_same_tokens(tmp_path: Path) -> None:
    shortened = "{% for m in messages %}{{ m['role'] + ': ' + m['content'][:8] + '<|im_end|>' }}{% endfor %}"
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=shortened, model_max_length=4096))
    found = examined(folder)
    (note,) = (one for one in found.findings if "become the same tokens" in one.text)
    assert note.level == "note"
    assert 0 < int(note.text.split()[0]) < found.decisions


def test_too_long_and_refused(tmp_path: Path) -> None:
    refusing = "{% if 'Bridge' in messages[0]['content'] %}{{ raise_exception('no books') }}{% endif %}" + ENDS_IN_EOS
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=refusing, bos_token="<|bos|>"))
    found = texts(examined(folder, max_length=256), "problem")
    assert "conversations exceed the limit of 256 tokens" in found
    assert "cannot be rendered: the chat template rejects this conversation: no books" in found


def test_what_is_no_checkpoint() -> None:
    with pytest.raises(ModelError, match="of the kind baseline, but rmeval doctor checks classifiers only"):
        examine("baseline:longest", ModelOptions(), [])


def test_the_command(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(
        capsys, "doctor", sound, "-b", "rm-bench-synthetic", "--size", 8, "--n-items", 4, "--dtypes", "float32"
    )
    assert done.code == 0, done.err
    assert "24 responses, 36 decisions" in done.out
    assert "one by one" in done.out
    assert "prefixes are shared" in done.out
    done = command(capsys, "doctor", sound, "--limit", 2, "--max-length", 64, "--json")
    assert done.code == 1, done.err
    assert any(f["level"] == "problem" and "--on-overlength" in f["advice"] for f in json.loads(done.out)["findings"])


def test_where_an_encoder_is_read_and_what_its_tokenizer_would_add(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(model_max_length=4096, bos_token="<|bos|>", cls_token="<|bos|>", sep_token="<|im_end|>")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A <|im_end|>", special_tokens=[("<|bos|>", 3), ("<|im_end|>", 2)]
    )
    folder = make_checkpoint(tmp_path / "m", "bert", tokenizer=tokenizer, max_position_embeddings=4096)
    found = examined(folder)
    assert "it pools: its score is computed from the first token, which should be '<|bos|>'" in texts(found, "ok")
    assert "the head is read at" not in texts(found, "ok") + texts(found, "note")
    notes = texts(found, "note")
    assert "the tokenizer adds '<|bos|>' before a text, but the template does not" in notes
    assert "the tokenizer adds '<|im_end|>' after a text" in notes
    wrapped = tmp_path / "wrapped.jinja"
    wrapped.write_text("<|bos|>{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}")
    assert "the tokenizer adds" not in texts(examined(folder, chat_template=str(wrapped)), "note")


def test_a_head_that_no_class_has(tmp_path: Path) -> None:
    folder = make_checkpoint(
        tmp_path / "m", "causal", tokenizer=make_tokenizer(model_max_length=4096), max_position_embeddings=4096
    )
    weights = load_file(folder / "model.safetensors") | {"v_head.weight": torch.randn(1, 32)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "v_head is read at the last token, which cannot be checked" in texts(examined(folder), "note")


def test_the_comparison_with_the_own_forward(sound: Path) -> None:
    found = texts(examined(sound), "ok")
    assert "score at the last token and its own forward return equal scores (3 conversations one by one" in found
    assert "the head is read at '\\n' in all conversations" in found
