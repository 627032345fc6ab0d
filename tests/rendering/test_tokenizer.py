"""A model gets the tokens of its own `tokenizer.json`, whatever class its config names."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import rmeval
from rmeval.doctor.checkpoint import examine
from rmeval.errors import ModelError
from rmeval.models import ModelOptions
from rmeval.rendering.tokenizer import PROBES, load_tokenizer
from rmeval.testing import make_pairs
from tests.checkpoints import CHATML, SPECIAL, make_checkpoint
from tests.command import command, process

TALK = [{"role": "user", "content": "what is 12345678"}, {"role": "assistant", "content": "it is 1 000 and 99"}]


def byte_level(digits: int = 3) -> Tokenizer:
    """A byte-level BPE whose words are cut as Qwen's are, but with up to so many digits together."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"\p{{N}}{{1,{digits}}}| ?\p{{L}}+|\s+|."), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[*SPECIAL, "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["what is 123 456 789 12 34 it is 000 and 99"] * 3, trainer)
    return made


def saved(path: Path, tokenizer: Tokenizer, **config: Any) -> Path:
    """A checkpoint with a tokenizer whose config says something else of it."""
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|pad|>", model_max_length=512
    )
    made.chat_template = CHATML
    make_checkpoint(path, tokenizer=made)
    file = path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return path


def by_file(path: Path, text: str) -> list[int]:
    tokenizer: Tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


@pytest.mark.parametrize("name", ["Qwen2Tokenizer", "Qwen2TokenizerFast", "CohereTokenizerFast", "GPTNeoXTokenizer"])
def test_a_class_that_cuts_texts_otherwise_is_passed_over(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain = saved(tmp_path / "plain", byte_level())
    other = saved(tmp_path / "other", byte_level(), tokenizer_class=name)
    tokenizer, found = load_tokenizer(str(other), None, False, {})
    assert found.difference is not None
    for text in PROBES:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == by_file(other, text)
    assert f"transformers' class {type(tokenizer).__name__} yields other tokens than tokenizer.json" in caplog.text
    assert rmeval.score(str(other), [TALK]).tolist() == rmeval.score(str(plain), [TALK]).tolist()


def test_special_tokens_that_the_config_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = saved(tmp_path / "plain", byte_level())
    split = saved(tmp_path / "split", byte_level(), split_special_tokens=True)
    assert rmeval.score(str(plain), [TALK]).tolist() == rmeval.score(str(split), [TALK]).tolist()
    assert "yields other tokens than tokenizer.json" in caplog.text
    caplog.clear()
    # Who asks for it gets it, with the same report.
    tokenizer, found = load_tokenizer(str(plain), None, False, {"split_special_tokens": True})
    assert len(tokenizer("<|im_end|>", add_special_tokens=False)["input_ids"]) > 1
    assert (found.uses_file, found.difference is None) == (False, False)


def test_the_manifest_the_identity_and_the_doctor_say_so(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", byte_level(), tokenizer_class="Qwen2TokenizerFast")
    model = rmeval.load_model(str(folder))
    assert model.identity()["tokenizer"].endswith(" as in tokenizer.json")
    assert "Qwen2Tokenizer differs from tokenizer.json, tokenizer.json is used" in model.facts()["tokenizer_json"]
    (finding,) = [
        one for one in examine(str(folder), ModelOptions(), make_pairs(4)).findings if "tokenizer.json" in one.text
    ]
    assert (finding.level, "the file is used" in finding.text) == ("note", True)
    plain = saved(tmp_path / "plain", byte_level())
    assert "tokenizer.json" not in rmeval.load_model(str(plain)).identity()["tokenizer"]
    assert rmeval.load_model(str(plain)).facts()["tokenizer_json"] == "equal"
    (finding,) = [
        one for one in examine(str(plain), ModelOptions(), make_pairs(4)).findings if "tokenizer.json" in one.text
    ]
    assert finding.level == "ok"


def sentencepiece_like() -> Tokenizer:
    """A Unigram model with spaces as ▁, none of them before the first word, as Llama's with `legacy: false`."""
    words = ["▁what", "▁is", "what", "it", "▁", "1", "2", "3", "9", "0", "<0x0A>", "▁it", "▁and"]
    letters = [chr(code) for code in range(33, 127) if chr(code) not in words]
    vocabulary = [(token, 0.0) for token in ("<unk>", *SPECIAL)] + [(word, -5.0) for word in [*words, *letters]]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    made.add_special_tokens(["<unk>", *SPECIAL])
    return made


@pytest.mark.parametrize(
    "name", ["T5TokenizerFast", "XLMRobertaTokenizer", "AlbertTokenizer", "DebertaV2TokenizerFast"]
)
@pytest.mark.parametrize("config", [{}, {"legacy": False}, {"add_prefix_space": False}])
def test_sentencepiece_kinds(tmp_path: Path, name: str, config: dict[str, Any]) -> None:
    folder = saved(tmp_path / "m", sentencepiece_like(), tokenizer_class=name, **config)
    tokenizer, _ = load_tokenizer(str(folder), None, False, {})
    for text in PROBES:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == by_file(folder, text), text


@pytest.mark.parametrize("name", ["BertTokenizerFast", "GemmaTokenizer", "T5TokenizerFast"])
def test_a_class_that_cannot_be_built_of_the_file(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = saved(tmp_path / "m", byte_level(), tokenizer_class=name)
    tokenizer, _ = load_tokenizer(str(folder), None, False, {})
    assert "cannot be loaded by the class that its config names" in caplog.text or "it fails: " in caplog.text
    assert tokenizer("what is 123")["input_ids"] == by_file(folder, "what is 123")


def test_another_tokenizer_without_a_config_json(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", byte_level())
    other = saved(tmp_path / "t", byte_level(), tokenizer_class="Qwen2TokenizerFast")
    (other / "config.json").unlink()
    expected = rmeval.score(str(folder), [TALK])
    assert rmeval.score(str(folder), [TALK], tokenizer=str(other)).tolist() == expected.tolist()


def test_truncation_and_padding_of_the_file_do_not_cut(tmp_path: Path) -> None:
    tokenizer = byte_level()
    folder = saved(tmp_path / "m", tokenizer, tokenizer_class="Qwen2TokenizerFast")
    file = Tokenizer.from_file(str(folder / "tokenizer.json"))
    file.enable_truncation(4)
    file.enable_padding(length=64)
    file.save(str(folder / "tokenizer.json"))
    plain = saved(tmp_path / "plain", tokenizer)
    assert rmeval.score(str(folder), [TALK]).tolist() == rmeval.score(str(plain), [TALK]).tolist()


def test_added_tokens_of_the_config_stay(tmp_path: Path) -> None:
    """They are not in the file, and get the place after its last token."""
    added = {
        "content": "<|tool|>",
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    size = byte_level().get_vocab_size()
    folder = saved(tmp_path / "m", byte_level())
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    config["added_tokens_decoder"] = config.get("added_tokens_decoder", {}) | {str(size): added}
    file.write_text(json.dumps(config))
    tokenizer, found = load_tokenizer(str(folder), None, False, {})
    assert tokenizer("<|tool|>", add_special_tokens=False)["input_ids"] == [size]
    assert found.difference is None


def test_a_word_that_the_config_makes_a_token_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = saved(tmp_path / "m", byte_level(), extra_special_tokens=["what is", "<|mark|>"])
    tokenizer, _ = load_tokenizer(str(folder), None, False, {})
    assert "its config adds the tokens 'what is', which are not in tokenizer.json" in caplog.text
    assert len(tokenizer("what is", add_special_tokens=False)["input_ids"]) == 1


def test_options_of_the_class_are_followed_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path / "m", byte_level(), tokenizer_class="GPT2TokenizerFast")
    file = tmp_path / "talks.jsonl"
    file.write_text(json.dumps({"messages": TALK}) + "\n")
    options = ("--tokenizer-kwargs", "add_prefix_space=true")
    done = command(capsys, "score", folder, file, "-o", tmp_path / "a.jsonl", *options)
    assert (done.code, "the class is used" in done.err, "--tokenizer-kwargs were given" in done.err) == (0, True, True)
    plain = rmeval.load_model(str(folder)).identity()["tokenizer"]
    given = rmeval.load_model(str(folder), tokenizer_kwargs={"add_prefix_space": True}).identity()["tokenizer"]
    assert given == f'{plain.removesuffix(" as in tokenizer.json")} with {{"add_prefix_space": true}}'
    wrong = command(capsys, "score", folder, file, "-o", tmp_path / "b.jsonl", "--tokenizer-kwargs", "subfolder=x")
    assert (wrong.code, "--tokenizer-kwargs does not accept subfolder" in wrong.err) == (2, True)


def test_the_known_wrong_regex_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """transformers looks at Mistral's only if the vocabulary has more than 100,000 tokens."""
    written = json.loads(byte_level().to_str())
    size = len(written["model"]["vocab"])
    written["model"]["vocab"] |= {f"extra{number}": size + number for number in range(100_001)}
    tokenizer = Tokenizer.from_str(json.dumps(written))
    folder = tmp_path / "m"
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")
    made.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "mistral", "transformers_version": "4.50.0"}))
    load_tokenizer(str(folder), None, False, {})
    assert "give `tokenizer_kwargs` fix_mistral_regex=true" in caplog.text
    caplog.clear()
    _, found = load_tokenizer(str(folder), None, False, {"fix_mistral_regex": True})
    assert "fix_mistral_regex=true" not in caplog.text
    assert found.difference is not None


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", byte_level())
    (folder / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(ModelError, match=r"tokenizer of .* cannot be loaded|cannot be read as a tokenizer"):
        rmeval.load_model(str(folder))


def test_the_file_of_the_revision_counts(tmp_path: Path) -> None:
    """Of two revisions in the hub's cache each is held to its own file."""
    repository = tmp_path / "hf" / "hub" / "models--org--model"
    expected = {}
    for commit, digits in (("a" * 40, 3), ("b" * 40, 1)):
        folder = repository / "snapshots" / commit
        saved(folder, byte_level(digits), tokenizer_class="Qwen2TokenizerFast")
        expected[commit] = by_file(folder, TALK[0]["content"])
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    code = (
        "import json, sys; from rmeval.rendering.tokenizer import load_tokenizer\n"
        f"found = {{c * 40: load_tokenizer('org/model', c * 40, False, {{}}) for c in 'ab'}}\n"
        f"print(json.dumps({{c: t({TALK[0]['content']!r}, add_special_tokens=False)['input_ids'] "
        "for c, (t, _) in found.items()}))"
    )
    done = process("-c", code, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
    assert expected["a" * 40] != expected["b" * 40]


def test_real_items_are_compared_where_the_probes_agree(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rule about one word, which no probe holds, shows in the first conversations."""
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("zebra", "what")])
    folder = saved(tmp_path / "m", tokenizer, tokenizer_class="Qwen2TokenizerFast")
    file = json.loads((folder / "tokenizer.json").read_text())
    qwen, _ = load_tokenizer(str(folder), None, False, {"add_prefix_space": False})
    file["pre_tokenizer"] = json.loads(qwen.backend_tokenizer.to_str())["pre_tokenizer"]
    (folder / "tokenizer.json").write_text(json.dumps(file))
    caplog.clear()
    talk = [{"role": "user", "content": "zebra"}, TALK[1]]
    model = rmeval.load_model(str(folder))
    assert model.facts()["tokenizer_json"] == "equal"
    with caplog.at_level(logging.WARNING):
        scores = rmeval.score(model, [talk])
    assert np.isfinite(scores).all()
    assert "yields other tokens than tokenizer.json" in caplog.text
    assert "tokenizer.json is used" in model.facts()["tokenizer_json"]
