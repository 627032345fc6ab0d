from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.implicit import rewards
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Conversation, Message
from tests.checkpoints import make_checkpoint, make_tokenizer

TALKS = [
    (Message("user", "what is the capital"), Message("assistant", answer))
    for answer in ("the capital is so", "it is the land of the land", "why", "what is the capital, and why is it so?")
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rmeval" / "log-probs"


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("lm") / "policy", "causal", seed=1)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("lm") / "reference", "causal", seed=2)


def values(model: Any, talks: Sequence[Conversation] = TALKS) -> list[dict[str, float]]:
    requests = conversation_requests(talks)
    seen = {one.key: one.values for batch in model.observe(requests) for one in batch}
    return [dict(seen[request.key]) for request in requests]


def token_log_probs(folder: Path, ids: list[int], start: int) -> np.ndarray:
    """The plainest way: all logits of one sequence."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double()
    found: np.ndarray = logits.log_softmax(-1)[range(start - 1, len(ids) - 1), ids[start:]].numpy()
    return found


def test_all_variants_by_hand() -> None:
    """l = (-1, -2, -2): sum -5, mean -5/3, norm -sqrt(1 + 4 + 4) = -3; sum r = -8, beta 0.5: 0.5 (-5 + 8) = 1.5."""
    found = rewards(np.array([-1.0, -2.0, -2.0]), -8.0, 0.5)
    assert found == {
        "dpo/sum": 1.5,
        "dpo/avg": 0.5,
        "ref_free/avg": -5 / 3,
        "ref_free/sum": -5.0,
        "ref_free/norm": -3.0,
    }
    assert list(rewards(np.array([-1.0]), None, 0.5)) == ["ref_free/avg", "ref_free/sum", "ref_free/norm"]


def test_trl_boundary_is_the_models_own_probability(policy: Path, reference: Path) -> None:
    """Prompt with generation prompt; all that the template writes after it is the answer."""
    tokenizer = AutoTokenizer.from_pretrained(policy)
    found = values(load_model(str(policy), ref_model=str(reference), beta=0.1))
    for talk, own in zip(TALKS, found, strict=True):
        messages = [{"role": m.role, "content": m.content} for m in talk]
        whole = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
        prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=True)["input_ids"]
        assert whole[: len(prompt)] == prompt
        one, other = (token_log_probs(folder, whole, len(prompt)) for folder in (policy, reference))
        expected = rewards(one, other.sum(), 0.1)
        assert own == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_reward_bench_boundary(policy: Path, reference: Path) -> None:
    """EOS for BOS, the assistant's header in the answer, one more EOS (`rewardbench/dpo.py`)."""
    tokenizer = AutoTokenizer.from_pretrained(policy)
    assert tokenizer.bos_token is None
    found = values(load_model(str(policy), ref_model=str(reference), boundary="reward-bench"))
    for talk, own in zip(TALKS, found, strict=True):
        messages = [{"role": m.role, "content": m.content} for m in talk]
        head = tokenizer.apply_chat_template(messages[:-1], return_dict=True)["input_ids"]
        whole = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
        ids = [tokenizer.eos_token_id, *whole, tokenizer.eos_token_id]
        one, other = (token_log_probs(folder, ids, 1 + len(head)) for folder in (policy, reference))
        assert own == pytest.approx(rewards(one, other.sum(), 1.0), rel=1e-5, abs=1e-5)


def test_reward_bench_boundary_cuts_as_it_does(tmp_path: Path) -> None:
    """Over 2,048 tokens the prompt keeps its last 128, then the answer its first 1,920."""
    from rmeval.rendering.chat import Renderer

    make_tokenizer(model_max_length=10**6).save_pretrained(tmp_path)
    renderer = Renderer(str(tmp_path), None, "reward-bench")
    plain = Renderer(str(tmp_path), None)
    for prompt, answer, parts in ((3000, 100, (128, None)), (100, 3000, (None, 1920)), (3000, 3000, (128, 1920))):
        talk = (Message("user", "what " * prompt), Message("assistant", "why " * answer))
        (one,), (whole,) = renderer.render([talk]), plain.render([talk])
        expected = [eos := renderer.tokenizer.eos_token_id, *whole.tokens.tolist(), eos]
        (head,) = plain.render([talk[:1]])
        prompt_ids, answer_ids = expected[: len(head.tokens) + 1], expected[len(head.tokens) + 1 :]
        prompt_ids = prompt_ids[-128:]  # Of a prompt that is longer: the last.
        if parts[1]:
            answer_ids = answer_ids[: parts[1]]
        assert one.tokens.tolist() == prompt_ids + answer_ids
        assert one.start == len(prompt_ids)
        assert one.cut == len(expected) - len(one.tokens)


def test_reference_sums_are_kept_for_every_policy(policy: Path, reference: Path, tmp_path: Path, cache: Path) -> None:
    first = load_model(str(policy), ref_model=str(reference))
    found = values(first)
    assert first.facts()["reference"] == {"source": str(reference), "known": 0, "computed": 4}
    again = load_model(str(policy), ref_model=str(reference))
    assert values(again) == found
    assert again.facts()["reference"] == {"source": str(reference), "known": 4, "computed": 0}
    assert again._reference.engine.network._model is None, "its weights need not be loaded"  # type: ignore[attr-defined]
    other = load_model(str(make_checkpoint(tmp_path / "other", "causal", seed=3)), ref_model=str(reference))
    assert values(other) != found
    assert other.facts()["reference"]["known"] == 4
    (folder,) = cache.iterdir()
    assert b"capital" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_one_model_in_memory_at_a_time(
    policy: Path, reference: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    together = values(load_model(str(policy), ref_model=str(reference)))
    shutil.rmtree(cache)
    model = load_model(str(policy), ref_model=str(reference), sequential=True)
    stream = model.observe(conversation_requests(TALKS))
    first = next(stream)
    assert model._reference.engine.network._model is None  # type: ignore[attr-defined]
    assert "the reference has read all responses" in caplog.text
    rest = [one for batch in stream for one in batch]
    seen = {one.key: one.values for one in [*first, *rest]}
    assert [dict(seen[request.key]) for request in conversation_requests(TALKS)] == together


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*")
def test_an_adapters_base_is_its_reference(policy: Path, tmp_path: Path) -> None:
    """One network in memory: with the adapter it is the policy, without it the reference."""
    peft = pytest.importorskip("peft")
    model = AutoModelForCausalLM.from_pretrained(policy)
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    torch.manual_seed(5)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(tmp_path / "adapter")
    merged = adapted.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(policy).save_pretrained(tmp_path / "merged")

    whole = values(load_model(str(tmp_path / "merged"), ref_model=str(policy)))
    over = load_model(str(tmp_path / "adapter"), kind="implicit")
    for own, expected in zip(values(over), whole, strict=True):
        assert own == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert max(abs(own["dpo/sum"]) for own in whole) > 0.1, "the adapter does something"
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    (tmp_path / "adapter" / "adapter_config.json").write_text(
        json.dumps(config | {"base_model_name_or_path": str(tmp_path / "moved")})
    )
    with pytest.raises(
        ModelError,
        match=r"is an adapter of .*moved, which cannot be used .*: give the path of its base with `base_model`",
    ):
        load_model(str(tmp_path / "adapter"), kind="implicit")
    found = values(load_model(str(tmp_path / "adapter"), kind="implicit", base_model=str(policy)))
    assert found[0] == pytest.approx(whole[0], rel=1e-4, abs=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["bias", "start", "embeddings", "other base"])
def test_adapters_that_change_their_base(kind: str, policy: Path, tmp_path: Path, cache: Path) -> None:
    """Where switching an adapter off does not give its base back, the base is loaded by itself."""
    peft = pytest.importorskip("peft")
    from peft.utils.save_and_load import get_peft_model_state_dict
    from safetensors.torch import save_file

    settings: dict[str, Any] = {"r": 2, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    settings |= {"bias": {"bias": "all"}, "start": {"init_lora_weights": "pissa"}}.get(kind, {})
    torch.manual_seed(5)
    base = AutoModelForCausalLM.from_pretrained(policy, **({"attention_bias": True} if kind == "bias" else {}))
    base.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(policy).save_pretrained(tmp_path / "base")
    if kind == "other base":
        deep = make_checkpoint(tmp_path / "deep", "causal", seed=1, num_hidden_layers=4)
        base = AutoModelForCausalLM.from_pretrained(deep)
    adapted = peft.get_peft_model(base, peft.LoraConfig(**settings))
    for name, weight in adapted.named_parameters():
        if "lora_" in name or name.endswith(".bias") or (kind == "embeddings" and "embed_tokens" in name):
            weight.data += torch.randn_like(weight) / 2
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=kind == "embeddings")
    if kind == "embeddings":
        weights = get_peft_model_state_dict(adapted, save_embedding_layers=True)
        save_file({k: v.clone() for k, v in weights.items()}, tmp_path / "adapter" / "adapter_model.safetensors")
    given: dict[str, Any] = {"kind": "implicit", "base_model": str(tmp_path / "base")}
    if kind == "other base":
        with pytest.raises(ModelError, match=r"weights that do not belong .*layers\.2.*trained on another base"):
            values(load_model(str(tmp_path / "adapter"), **given))
        return
    alone = load_model(str(tmp_path / "adapter"), **given)
    own = [one["dpo/sum"] - one["ref_free/sum"] for one in values(alone)]
    shutil.rmtree(cache)
    explicit = load_model(
        str(tmp_path / "adapter"), ref_model=str(tmp_path / "base"), base_model=str(tmp_path / "base")
    )
    assert own == pytest.approx([one["dpo/sum"] - one["ref_free/sum"] for one in values(explicit)], abs=1e-4)


def test_networks_that_see_later_tokens_are_refused(tmp_path: Path) -> None:
    from transformers import BartConfig, BartForConditionalGeneration, CamembertConfig, CamembertForCausalLM

    small: dict[str, Any] = {"vocab_size": 400, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sees = CamembertForCausalLM(CamembertConfig(**small, intermediate_size=16, max_position_embeddings=200))
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    both = BartForConditionalGeneration(
        BartConfig(vocab_size=400, d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, **heads)
    )
    for name, model in (("sees", sees), ("both", both)):
        model.save_pretrained(tmp_path / name)
        make_tokenizer().save_pretrained(tmp_path / name)
    with pytest.raises(ModelError, match="attends to later tokens"):
        values(load_model(str(tmp_path / "sees"), kind="implicit"))
    refused: list[dict[str, Any]] = [{"kind": "implicit"}, {"head": "logit:#5"}]
    for options in refused:
        with pytest.raises(ModelError, match="BartForConditionalGeneration, which has an encoder"):
            load_model(str(tmp_path / "both"), **options)


def test_a_prompt_that_is_no_prefix_is_counted(policy: Path, tmp_path: Path) -> None:
    file = tmp_path / "backwards.jinja"
    file.write_text(
        "{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}so it is{% endif %}"
    )
    model = load_model(str(policy), kind="implicit", chat_template=str(file))
    values(model)
    assert model.facts()["prompt_parted"] == 4
    plain = load_model(str(policy), kind="implicit")
    values(plain)
    assert "prompt_parted" not in plain.facts()


def test_an_answer_is_never_summed_in_part(policy: Path) -> None:
    model = load_model(str(policy), kind="implicit", max_length=10, on_overlength="truncate-left")
    requests = conversation_requests(TALKS)
    seen = {one.key: one for batch in model.observe(requests) for one in batch}
    status = [seen[request.key].status for request in requests]
    assert status[-1] == "overlength"
    assert status[2] == "ok"


def test_a_reference_with_other_words(policy: Path, reference: Path, tmp_path: Path) -> None:
    """The words of one sentence may be the same, and others not; a reference without any needs none."""
    from rmeval.engines.hf.checkpoint import find_checkpoint

    other = tmp_path / "other"
    shutil.copytree(reference, other)
    vocabulary = json.loads((other / "tokenizer.json").read_text())
    words = vocabulary["model"]["vocab"]
    assert isinstance(words, dict)
    unused = [word for word in words if words[word] > 40][:2]
    words[unused[0]], words[unused[1]] = words[unused[1]], words[unused[0]]
    (other / "tokenizer.json").write_text(json.dumps(vocabulary))
    with pytest.raises(ModelError, match="another tokenizer than the policy"):
        load_model(str(policy), ref_model=str(other))
    for path in other.glob("*token*"):
        path.unlink()
    assert find_checkpoint(str(other)).name == "other"
    assert values(load_model(str(policy), ref_model=str(other))) == values(
        load_model(str(policy), ref_model=str(reference))
    )


def test_bad_settings(policy: Path, reference: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is its own reference"):
        load_model(str(policy), ref_model=str(policy))
    with pytest.raises(ModelError, match="there is no boundary 'here': choose one of trl, reward-bench"):
        load_model(str(policy), ref_model=str(reference), boundary="here")
    with pytest.raises(ModelError, match="`beta` must be a number above 0"):
        load_model(str(policy), ref_model=str(reference), beta=math.nan)
    with pytest.raises(ModelError, match="a classifier does not use `beta`"):
        load_model(str(checkpoint), beta=0.1)
    with pytest.raises(ModelError, match="there is no kind of model 'dpo'"):
        load_model(str(policy), kind="dpo")
    with pytest.raises(ModelError, match="is a complete model and has no base"):
        load_model(str(policy), kind="implicit", base_model=str(reference))
    with pytest.raises(ModelError, match=r"no trained weights for score.weight.*`ref_model` or `kind` implicit"):
        list(load_model(str(policy)).observe(conversation_requests(TALKS)))
    words = make_tokenizer(eos_token="<|bos|>")
    words.add_tokens(["capital of France"])
    words.save_pretrained(make_checkpoint(tmp_path / "words", "causal", seed=4))
    with pytest.raises(ModelError, match="has another tokenizer than the policy"):
        load_model(str(policy), ref_model=str(tmp_path / "words"))


def test_an_answer_that_leaves_nothing_is_an_error(policy: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text(
        "{% for m in messages %}{% if m['content'] %}{{ m['content'] }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{% endif %}"
    )
    model = load_model(str(policy), kind="implicit", chat_template=str(template))
    talks: list[Conversation] = [(Message("user", "what"), Message("assistant", ""))]
    ((one,),) = list(model.observe(conversation_requests(talks)))
    assert (one.status, one.error) == ("error", "the chat template renders no token of the response")


def test_a_run_has_records_of_every_variant(policy: Path, reference: Path, tmp_path: Path) -> None:
    result = rmeval.evaluate(
        str(policy),
        "rm-bench-synthetic",
        size=8,
        ref_model=str(reference),
        out=tmp_path / "runs",
        on_overlength="truncate-left",
    )
    names = ["dpo/sum", "dpo/avg", "ref_free/avg", "ref_free/sum", "ref_free/norm"]
    assert list(dict.fromkeys(record.variant for record in result.records)) == names
    assert result.record("average").variant == "dpo/sum"
    table = pq.read_table(result.path / "scores.parquet")
    assert table.num_rows == 8 * 6 * 5
    assert table["variant"].to_pylist()[:5] == names
    reread = rmeval.open_run(result.path)
    assert reread.records == result.records
    (result.path / "metrics.json").unlink()
    assert rmeval.open_run(result.path).records == result.records
    scores = rmeval.score(str(policy), [TALKS[0]], ref_model=str(reference))
    assert scores[0] == pytest.approx(values(load_model(str(policy), ref_model=str(reference)))[0]["dpo/sum"])


@pytest.mark.parametrize("boundary", ["reward-bench", "trl"])
def test_agrees_with_reward_bench(shared: Path, boundary: str) -> None:
    """Every sixteenth item of the fixture, 27 pairs; its way of counting agrees, TRL's gives other numbers."""
    found = json.loads((shared / "fixtures" / "reward_bench_pairs.json").read_text())
    (name,) = (name for name in found if name.startswith("implicit"))
    models = shared / "fixtures" / "models"
    items = list(rmeval.load_benchmark("rm-bench", str(shared / "data" / "rm-bench" / "chat_filtered.json")).load())
    talks = [items[n].conversation(k + side) for n in range(0, 129, 16) for k in range(3) for side in (0, 3)]
    expected = np.array([found[name][3 * n + k] for n in range(0, 129, 16) for k in range(3)])
    model = load_model(str(models / "tiny-policy"), ref_model=str(models / "tiny-ref"), boundary=boundary)
    own = values(model, talks)
    scores = np.array([one["dpo/sum"] for one in own]).reshape(-1, 2)
    if boundary == "trl":
        assert np.abs(scores - expected).max() > 1
        return
    size = np.array([abs(one["ref_free/sum"]) for one in own]).reshape(-1, 2)
    # Float32 sums of the reference: a step of their size, of a few thousand terms.
    assert (np.abs(scores - expected) <= 4e-7 * size).all()
    assert ((scores[:, 0] > scores[:, 1]) == (expected[:, 0] > expected[:, 1])).all()


def test_what_is_no_language_model_is_refused(policy: Path, checkpoint: Path, tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    BertForMaskedLM(BertConfig(vocab_size=400, **shape)).save_pretrained(tmp_path / "bert")
    make_tokenizer().save_pretrained(tmp_path / "bert")
    for wrong in (tmp_path / "bert", checkpoint):
        with pytest.raises(ModelError, match="is not a causal language model"):
            load_model(str(policy), ref_model=str(wrong))
    with pytest.raises(ModelError, match="is not a causal language model"):
        load_model(str(tmp_path / "bert"), kind="implicit")


def test_the_references_limit_and_special_tokens_count(policy: Path, tmp_path: Path) -> None:
    short = make_checkpoint(tmp_path / "short", "causal", seed=6, max_position_embeddings=24)
    long: Conversation = (Message("user", "what " * 30), Message("assistant", "why"))
    model = load_model(str(policy), ref_model=str(short), on_overlength="skip")
    assert model.texts.limit == 24  # type: ignore[attr-defined]
    ((one,),) = list(model.observe(conversation_requests([long])))
    assert one.status == "overlength"
    with pytest.raises(ModelError, match="takes at most 24 tokens, exceeded by"):
        list(load_model(str(policy), ref_model=str(short)).observe(conversation_requests([long])))
    ((one,),) = list(
        load_model(str(policy), kind="implicit", max_length=1, on_overlength="truncate-left").observe(
            conversation_requests([long])
        )
    )
    assert one.status == "overlength"
    swapped = make_checkpoint(tmp_path / "swapped", "causal", seed=6)
    text = (swapped / "tokenizer.json").read_text()
    ids = {"<|im_start|>": 1, "<|im_end|>": 2}
    for name, other in (("<|im_start|>", "<|x|>"), ("<|im_end|>", "<|im_start|>"), ("<|x|>", "<|im_end|>")):
        text = text.replace(name, other)
    assert all(name in text for name in ids)
    (swapped / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match="has another tokenizer than the policy"):
        load_model(str(policy), ref_model=str(swapped))


def test_a_cache_that_cannot_be_used_stops_nothing(
    policy: Path, reference: Path, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = values(load_model(str(policy), ref_model=str(reference)))
    (segment,) = cache.rglob("*.jsonl")
    segment.write_bytes(b"damaged\n" + segment.read_bytes())
    again = load_model(str(policy), ref_model=str(reference))
    assert values(again) == expected
    assert again.facts()["reference"]["known"] == 0
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert values(load_model(str(policy), ref_model=str(reference))) == expected
    assert "the sums of the reference cannot be cached" in caplog.text


def test_options_that_would_do_nothing(policy: Path) -> None:
    with pytest.raises(ModelError, match="`beta` needs a reference model"):
        load_model(str(policy), kind="implicit", beta=0.5)
    with pytest.raises(ModelError, match="`sequential` needs two models"):
        load_model(str(policy), kind="implicit", sequential=True)
