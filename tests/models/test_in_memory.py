"""`(model, tokenizer)`: scored like the checkpoint that they would be saved as, and left as they were."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForSequenceClassification,
)

import rmeval
from rmeval.errors import ModelError
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Message
from tests.checkpoints import make_checkpoint, make_tokenizer, say

WORDS = "what is the capital of the land and why is it so"
TALKS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": f"{WORDS} " * turns}, {"role": "assistant", "content": answer}]
    for turns in (1, 2, 5)
    for answer in ("so", "why is it", "the capital of the land")
]


def held(folder: Path, language_model: bool = False, **options: Any) -> tuple[Any, Any]:
    kind = AutoModelForCausalLM if language_model else AutoModelForSequenceClassification
    return kind.from_pretrained(folder, **options), AutoTokenizer.from_pretrained(folder)


def values(model: Any) -> list[dict[str, Any]]:
    talks = [tuple(Message(**message) for message in talk) for talk in TALKS]
    requests = conversation_requests(talks)
    seen = {one.key: dict(one.values) for batch in model.observe(requests) for one in batch}
    return [seen[request.key] for request in requests]


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("policies")
    made = [make_checkpoint(folder / name, "causal", seed=seed) for seed, name in enumerate(("policy", "reference"))]
    say(made[0], "A", "B")
    return made[0], made[1]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("classifier", {}),
        ("classifier", {"dtype": torch.bfloat16}),
        ("classifier", {"attn_implementation": "eager"}),
        ("bert", {}),
    ],
    ids=["decoder", "bfloat16", "eager", "encoder"],
)
def test_scores_are_those_of_the_saved_checkpoint_to_the_bit(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    made = make_checkpoint(tmp_path / "made", kind)
    model, tokenizer = held(made, **options)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.5)
    tokenizer.add_tokens(["capital"])
    model.save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    asked: dict[str, Any] = (
        {"model_kwargs": {"attn_implementation": "eager"}} if "attn_implementation" in options else {}
    )
    by_place, in_memory = rmeval.load_model(tmp_path / "saved", **asked), rmeval.load_model((model, tokenizer))
    assert values(in_memory) == values(by_place)
    assert len({one["score"] for one in values(in_memory)}) == len(TALKS)
    one, two = in_memory.facts(), by_place.facts()
    assert one.pop("tokenizer_json") and two.pop("tokenizer_json")
    assert one == two, "the same rendering, the same readout, the same sharing of prefixes"
    assert ("prefix_sharing" in one) == (kind != "bert")
    identities = [{**own.identity(), "model": None, "tokenizer": None} for own in (in_memory, by_place)]
    assert identities[0] == identities[1]


def state(model: Any) -> dict[str, Any]:
    """All that reading could change, by where it is."""
    found: dict[str, Any] = {"config": model.config.to_dict(), "attention": model.config._attn_implementation}
    for name, module in model.named_modules():
        own = {
            key: value for key, value in vars(module).items() if isinstance(value, bool | int | str) or value is None
        }
        found[name] = (own, "forward" in vars(module))
    for name, weight in model.named_parameters():
        found[f"{name}="] = (weight.data_ptr(), weight.requires_grad, weight.grad is None, weight._version)
    return found


def test_nothing_is_left_behind(checkpoint: Path) -> None:
    model, tokenizer = held(checkpoint)
    model.train()
    model.model.layers[0].eval()  # A part that stays frozen.
    model.score.weight.requires_grad_(False)
    tokenizer("so", truncation=True, max_length=1)
    before, template, random = state(model), tokenizer.chat_template, torch.get_rng_state()
    scores = rmeval.score((model, tokenizer), TALKS)
    assert state(model) == before
    assert torch.equal(torch.get_rng_state(), random)
    assert tokenizer.chat_template is template and type(template) is str
    assert tokenizer("so why", truncation=True, max_length=1)["input_ids"] == tokenizer("so")["input_ids"][:1]
    assert scores.tolist() == rmeval.score(str(checkpoint), TALKS).tolist(), "no dropout, whatever the mode"


def test_a_training_mode_comes_back_when_scoring_stops(checkpoint: Path, pairs_file: Path, tmp_path: Path) -> None:
    """Also while the exception is held, and with it the iterator that was stopped in the middle."""
    model, tokenizer = held(checkpoint)
    model.train()

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        rmeval.evaluate((model, tokenizer), "pairs", str(pairs_file), out=tmp_path, batch_size=2, progress=stop)
    assert stopped.value.__traceback__ is not None
    assert all(module.training for module in model.modules())
    batches = rmeval.load_model((model, tokenizer)).observe(
        conversation_requests([tuple(Message(**message) for message in talk) for talk in TALKS])
    )
    next(batches)
    assert all(module.training for module in model.modules()), "between two batches, too"


@pytest.mark.filterwarnings("ignore::UserWarning:torch.*")
def test_training_goes_on_after_positions_were_computed_anew(tmp_path: Path) -> None:
    """A rotary embedding that grows with the sequence keeps what it computed, through which a gradient must pass."""
    shape = {"vocab_size": 400, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    config = LlamaConfig(
        **shape, num_attention_heads=2, max_position_embeddings=64, rope_parameters=rope, num_labels=1, pad_token_id=0
    )
    model = LlamaForSequenceClassification(config).train()
    rmeval.score((model, make_tokenizer()), TALKS, max_length=64, on_overlength="skip")
    buffers = [buffer for _, buffer in model.named_buffers()]
    assert buffers and not any(buffer.is_inference() for buffer in buffers)
    model(input_ids=torch.tensor([[5, 6, 7]]), labels=torch.tensor([1.0])).loss.backward()
    assert model.score.weight.grad is not None


def test_a_trainers_mixed_precision_is_not_the_models(checkpoint: Path) -> None:
    accelerate = pytest.importorskip("accelerate")
    wanted = rmeval.score(str(checkpoint), TALKS).tolist()
    model, tokenizer = held(checkpoint)
    with torch.autocast("cpu", torch.bfloat16):
        assert rmeval.score((model, tokenizer), TALKS).tolist() == wanted
    accelerator = accelerate.Accelerator(mixed_precision="bf16", cpu=True)
    prepared = accelerator.prepare_model(model)
    assert "forward" in vars(prepared)
    wrapped = prepared.forward
    found = rmeval.load_model((prepared, tokenizer))
    assert [one["score"] for one in values(found)] == wanted
    assert prepared.forward is wrapped
    assert found.identity() == rmeval.load_model(held(checkpoint)).identity()


def changes(model: Any) -> Iterator[str]:
    """Changes a model in ways that change its scores, and names each."""
    with torch.no_grad():
        model.score.weight.add_(1e-4)
        yield "a step of training"
        model.score.weight.data.mul_(1.001)
        yield "a change that torch does not count"
        model.model.rotary_emb.inv_freq.mul_(1.001)
        yield "a buffer that is not saved"
    model.model.layers[0].self_attn.scaling *= 2
    yield "a setting of a layer"
    model.config.rms_norm_eps = 1e-3
    yield "the config"
    model.to(torch.bfloat16)
    yield "the number format"


def test_each_change_is_another_run_and_nothing_else_is(checkpoint: Path) -> None:
    model, tokenizer = held(checkpoint)
    loaded = rmeval.load_model((model, tokenizer))
    first = loaded.identity()
    model.train()
    for module in model.modules():
        if hasattr(module, "gradient_checkpointing"):
            module.gradient_checkpointing = True
    model.config.use_cache = False
    values(loaded)
    tokenizer("so", truncation=True, max_length=1, padding="max_length")
    assert loaded.identity() == first == rmeval.load_model((model, tokenizer)).identity()
    assert first == rmeval.load_model(held(checkpoint)).identity(), "the same weights, loaded again"
    seen = [first]
    for what in changes(model):
        assert loaded.identity() not in seen, what
        seen.append(loaded.identity())
    tokenizer.add_tokens(["capital"])
    assert rmeval.load_model((model, tokenizer)).identity() not in seen
    assert loaded.identity() == seen[-1], "the model has the tokenizer that it was given"


def test_a_run_goes_on_with_equal_weights_and_never_with_others(
    checkpoint: Path, pairs_file: Path, tmp_path: Path
) -> None:
    def evaluate(pair: tuple[Any, Any], **more: Any) -> Any:
        return rmeval.evaluate(pair, "pairs", str(pairs_file), out=tmp_path, batch_size=2, **more)

    def stop(done: int, total: int) -> None:
        if done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(held(checkpoint), progress=stop)
    model, tokenizer = held(checkpoint)
    done = evaluate((model, tokenizer))
    sessions = json.loads((done.path / "run.json").read_text())["sessions"]
    assert 0 < sessions[-1]["scored"] < 24, "the half that the first process scored was not scored again"
    by_place = rmeval.evaluate(str(checkpoint), "pairs", str(pairs_file), out=tmp_path)
    assert done.value("accuracy") == by_place.value("accuracy") and done.path != by_place.path
    with torch.no_grad():
        model.score.weight.neg_()
    again = evaluate((model, tokenizer))
    assert again.path != done.path
    assert again.value("accuracy") == pytest.approx(1 - done.value("accuracy"))


def test_training_in_the_middle_of_an_evaluation(checkpoint: Path, pairs_file: Path, tmp_path: Path) -> None:
    model, tokenizer = held(checkpoint)

    def train(done: int, total: int) -> None:
        if done:
            with torch.no_grad():
                model.score.weight.add_(0.1)

    with pytest.raises(ModelError, match="changed while it was evaluated: train it after the evaluation"):
        rmeval.evaluate((model, tokenizer), "pairs", str(pairs_file), out=tmp_path, batch_size=2, progress=train)


def replaced(model: Any) -> None:
    plain = model.model.norm.forward
    model.model.norm.forward = lambda hidden: plain(hidden) * 2


def hooked(model: Any) -> None:
    model.model.norm.register_forward_hook(lambda module, given, out: out * 2)


def subclassed(model: Any) -> None:
    class Norm(type(model.model.norm)):  # type: ignore[misc]
        """Somebody's own code."""

    model.model.norm.__class__ = Norm


def called(model: Any) -> None:
    class Scaled:
        """An activation that is an object, whose factor nobody can see."""

        def __call__(self, hidden: Any) -> Any:
            return 2 * torch.relu(hidden)

    mlp = model.model.layers[0].mlp
    del mlp._modules["act_fn"]
    mlp.act_fn = Scaled()


@pytest.mark.parametrize("change", [replaced, hooked, subclassed, called])
def test_code_that_nobody_can_see_never_continues_a_run(change: Any, checkpoint: Path) -> None:
    model, tokenizer = held(checkpoint)
    change(model)
    loaded = rmeval.load_model((model, tokenizer))
    assert "unknown" in loaded.identity()["model"]
    assert loaded.identity() != loaded.identity()


def test_a_forward_replaced_on_the_class_never_continues_a_run(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As packages that speed up training do."""
    model, tokenizer = held(checkpoint)
    norm = type(model.model.norm)
    plain = norm.forward
    assert "unknown" not in rmeval.load_model((model, tokenizer)).identity()["model"]
    monkeypatch.setattr(norm, "forward", lambda self, hidden: plain(self, hidden) * 2)
    assert "unknown" in rmeval.load_model((model, tokenizer)).identity()["model"]


def test_arguments_of_a_partial_function_are_in_the_digest(checkpoint: Path) -> None:
    model, tokenizer = held(checkpoint)
    mlp = model.model.layers[0].mlp
    del mlp._modules["act_fn"]
    found = []
    for slope in (0.1, 0.2, 0.1):
        mlp.act_fn = functools.partial(torch.nn.functional.leaky_relu, negative_slope=slope)
        found.append(rmeval.load_model((model, tokenizer)).identity())
    assert found[0] == found[2] != found[1]


def test_a_class_of_the_programs_own_is_read_by_its_forward(checkpoint: Path) -> None:
    model, tokenizer = held(checkpoint)

    class Twice(type(model)):  # type: ignore[misc]
        """Its scores are twice the head's."""

        def forward(self, *given: Any, **named: Any) -> Any:
            found = super().forward(*given, **named)
            found.logits = found.logits * 2
            return found

    scores = rmeval.score((model, tokenizer), TALKS)
    model.__class__ = Twice
    assert rmeval.score((model, tokenizer), TALKS) == pytest.approx(2 * scores, rel=1e-4)


def lora(model: Any, task: str) -> Any:
    peft = pytest.importorskip("peft")
    torch.manual_seed(5)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type=task))
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.5)
    return adapted


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_in_memory_is_the_saved_one(checkpoint: Path, tmp_path: Path) -> None:
    model, tokenizer = held(checkpoint)
    adapted = lora(model, "SEQ_CLS").train()
    adapted.save_pretrained(tmp_path / "adapter")
    loaded = rmeval.load_model((adapted, tokenizer))
    assert values(loaded) == values(rmeval.load_model(tmp_path / "adapter"))
    first = loaded.identity()
    for module in adapted.modules():
        if isinstance(getattr(module, "scaling", None), dict):
            module.scaling["default"] = 3.0
    assert loaded.identity() != first, "a factor that is no weight"
    second = loaded.identity()
    adapted.base_model.disable_adapter_layers()
    assert loaded.identity() not in (first, second)
    assert [one["score"] for one in values(loaded)] == rmeval.score(str(checkpoint), TALKS).tolist()


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_switched_off_is_the_reference(policies: tuple[Path, Path], tmp_path: Path) -> None:
    model, tokenizer = held(policies[0], language_model=True)
    adapted = lora(model, "CAUSAL_LM")
    adapted.save_pretrained(tmp_path / "adapter")
    for name, weight in adapted.named_parameters():
        weight.requires_grad_("layers.1" in name)  # As no trainer sets it.
    wanted = [weight.requires_grad for weight in adapted.parameters()]
    loaded = rmeval.load_model((adapted, tokenizer), kind="implicit", beta=0.1)
    found = values(loaded)
    assert found == values(rmeval.load_model(tmp_path / "adapter", kind="implicit", beta=0.1))
    assert max(abs(one["dpo/sum"]) for one in found) > 0.01
    assert [weight.requires_grad for weight in adapted.parameters()] == wanted
    assert adapted.get_model_status().enabled is True
    identity = loaded.identity()
    with torch.no_grad():
        next(weight for name, weight in adapted.named_parameters() if "lora_B" in name).add_(0.1)
    changed = loaded.identity()
    assert (changed["reference"], changed["model"] != identity["model"]) == (identity["reference"], True)
    values(loaded)
    assert loaded.facts()["reference"]["computed"] == 0, "the reference stays, and what it said is known"
    adapted.base_model.disable_adapter_layers()
    with pytest.raises(ModelError, match=r"cannot be disabled .*: give the base model as `ref_model`"):
        rmeval.load_model((adapted, tokenizer), kind="implicit")


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_that_learns_a_prompt(checkpoint: Path) -> None:
    peft = pytest.importorskip("peft")
    model, tokenizer = held(checkpoint)
    adapted = peft.get_peft_model(model, peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2))
    with pytest.raises(ModelError, match="learns a prompt before the tokens, which rmeval does not read"):
        rmeval.load_model((adapted, tokenizer))


def test_a_tokenizer_of_a_class_of_the_programs_own(checkpoint: Path) -> None:
    """It is used as it is, and its code is in no digest; one that cannot be copied is a sentence."""
    model, tokenizer = held(checkpoint)

    class Mine(type(tokenizer)):  # type: ignore[misc]
        """Its code may change."""

    tokenizer.__class__ = Mine
    loaded = rmeval.load_model((model, tokenizer))
    assert loaded.identity()["tokenizer"].startswith("unknown ")
    assert [one["score"] for one in values(loaded)] == rmeval.score(str(checkpoint), TALKS).tolist()
    tokenizer.lock = Lock()
    with pytest.raises(
        ModelError, match=r"the tokenizer of tiny cannot be copied \(cannot pickle .*\): save model and"
    ):
        rmeval.load_model((model, tokenizer))


def test_policies_and_references(policies: tuple[Path, Path]) -> None:
    policy, reference = (held(folder, language_model=True) for folder in policies)
    wanted = values(rmeval.load_model(policies[0], ref_model=str(policies[1]), beta=0.1))
    for given, other in ((policy, reference), (policy, policies[1]), (str(policies[0]), reference)):
        assert values(rmeval.load_model(given, ref_model=other, beta=0.1)) == wanted
    loaded = rmeval.load_model(policy, ref_model=reference, beta=0.1)
    before = loaded.identity()
    with torch.no_grad():
        reference[0].lm_head.weight.mul_(1.5)
    after = loaded.identity()
    assert {name for name in before if before[name] != after[name]} == {"reference"}
    assert values(loaded) != wanted, "sums of the reference as it was are not used for what it is now"
    free = rmeval.load_model(policies[0], kind="implicit")
    assert values(rmeval.load_model(policy, kind="implicit")) == values(free)


def test_language_models_as_classifiers_and_comparators(policies: tuple[Path, Path], pairs_file: Path) -> None:
    policy = held(policies[0], language_model=True)
    for options in ({"head": "logit:A-B"}, {"kind": "comparator"}):
        by_place, in_memory = (rmeval.load_model(one, **options) for one in (policies[0], policy))  # type: ignore[arg-type]
        assert (in_memory.kind, in_memory.protocol) == (by_place.kind, by_place.protocol)
        names = set(by_place.identity()) - {"model", "tokenizer"}
        assert {name: in_memory.identity()[name] for name in names} == {
            name: by_place.identity()[name] for name in names
        }
    asked = {"head": "logit:A-B"}
    assert values(rmeval.load_model(policy, **asked)) == values(rmeval.load_model(policies[0], **asked))  # type: ignore[arg-type]


def test_names(checkpoint: Path, pairs_file: Path, tmp_path: Path) -> None:
    model, tokenizer = held(checkpoint)
    assert rmeval.load_model((model, tokenizer)).name == checkpoint.name
    model.config._name_or_path = "some/model"
    assert rmeval.load_model((model, tokenizer)).name == "some__model"
    model.config._name_or_path = ""
    assert rmeval.load_model((model, tokenizer)).name == "Qwen3ForSequenceClassification"
    found = rmeval.evaluate((model, tokenizer), "pairs", str(pairs_file), out=tmp_path, name="step 3")
    assert found.path.parent == tmp_path / "pairs" / "step-3"
    with pytest.raises(ModelError, match="`name` must be a text"):
        rmeval.load_model((model, tokenizer), name=" ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dtype": "bfloat16"}, r"in memory in float32 and `dtype` says bfloat16: .*model\.to\(torch\.bfloat16\)"),
        ({"device": "meta"}, "there is no device 'meta'|no device 'meta'"),
        ({"revision": "main"}, "which is in memory, does not use `revision`: leave it out"),
        ({"tokenizer": "x"}, "does not use `tokenizer`"),
        ({"model_kwargs": {"a": 1}}, "does not use `model_kwargs`"),
        ({"trust_remote_code": True}, "does not use `trust_remote_code`"),
        ({"head": "score"}, "leave `head` out"),
        ({"engine": "examples/engine.py:Mine"}, "runs checkpoints, and .* is in memory: leave `engine` out"),
        ({"ref_model": 3}, "`ref_model` is a int: give a hub id, a folder or \\(model, tokenizer\\)"),
    ],
)
def test_options_that_contradict_what_is_in_memory(options: dict[str, Any], sentence: str, checkpoint: Path) -> None:
    with pytest.raises(ModelError, match=sentence):
        rmeval.load_model(held(checkpoint), **options)


def test_options_that_agree_are_taken(checkpoint: Path) -> None:
    pair = held(checkpoint)
    # With several threads, a batch of one is computed in another order.
    wanted = (-rmeval.score(str(checkpoint), TALKS[:2])).tolist()
    found = rmeval.score(pair, TALKS[:2], dtype="float32", device="cpu", scale=-1.0, batch_size=1)
    assert found.tolist() == pytest.approx(wanted, rel=1e-4)


def test_what_cannot_be_read_is_a_sentence(checkpoint: Path, policies: tuple[Path, Path]) -> None:
    policy = held(policies[0], language_model=True)
    with pytest.raises(
        ModelError, match=r"is a Qwen3ForCausalLM, which has no head that computes a score: .*`ref_model`"
    ):
        rmeval.load_model(policy)
    model, tokenizer = held(checkpoint)
    with pytest.raises(ModelError, match="is its own reference"):
        rmeval.load_model(policy, ref_model=policy)
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match=rf"the tokenizer of {checkpoint.name} has no chat template"):
        rmeval.load_model((model, tokenizer))
    model.score.weight = torch.nn.Parameter(torch.empty(0))
    with pytest.raises(ModelError, match=r"spread over several processes, .* \(score\.weight is a part\): save it"):
        rmeval.load_model((model, make_tokenizer()))


def test_tokens_that_differ_from_the_file_are_noted(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, tokenizer = held(checkpoint)
    rmeval.load_model((model, copy.deepcopy(tokenizer)))
    assert not caplog.records
    from tokenizers import normalizers

    tokenizer._tokenizer.normalizer = normalizers.Lowercase()
    loaded = rmeval.load_model((model, tokenizer))
    assert "other tokens than tokenizer.json" in caplog.text
    assert "it is the object that was given" in caplog.text
    values(loaded)
    assert "differs from tokenizer.json" in loaded.facts()["tokenizer_json"]
