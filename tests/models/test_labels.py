"""A model that is read by the logits of two labels must answer with one of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, T5Config, T5ForConditionalGeneration

import rmeval
from rmeval.doctor.checkpoint import examine
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.labels import Labels
from rmeval.store.run import read_run
from rmeval.types import Comparison, Item, Message, Observation, Request, Response
from tests.checkpoints import CHATML, make_checkpoint, make_tokenizer
from tests.command import command

THINKING = CHATML.replace(
    "<|im_start|>assistant\n' }}{% endif %}",
    "<|im_start|>assistant\n' }}{% if enable_thinking is defined and not enable_thinking %}so{% endif %}{% endif %}",
)
LETTERS = (
    "Two answers to the end of a conversation follow. Which is better?\n\nuser: {}\n\n"
    "Answer A: {}\n\nAnswer B: {}\n\nSay A or B, and nothing else."
)
PAIRS = [("what is it", "the capital", "so it is"), ("why is it so", "it is the land", "why")]
ORDERS = [(prompt, *order) for prompt, one, other in PAIRS for order in ((one, other), (other, one))]
REQUESTS = [
    Request(f"{k + 1:032x}", "i", (0, 1), (Message("user", prompt),), (one, other))
    for k, (prompt, one, other) in enumerate(ORDERS)
]
QUIET = {"enable_thinking": False}


def teach(folder: Path, lessons: Sequence[tuple[list[int], Mapping[str, float]]]) -> None:
    """Gives a language model a head by which some tokens have a logit after some sequences, and all others have 0."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        states = torch.stack([model.model(torch.tensor([ids])).last_hidden_state[0, -1] for ids, _ in lessons])
        wanted = torch.zeros(len(lessons), model.config.vocab_size)
        for row, (_, logits) in enumerate(lessons):
            for token, logit in logits.items():
                wanted[row, tokenizer.convert_tokens_to_ids(token)] = logit
        model.lm_head.weight.copy_((torch.linalg.pinv(states.double()) @ wanted.double()).float().T)
    model.save_pretrained(folder)


def judge(folder: Path, quiet: Mapping[str, float], thinks: Mapping[str, float], *words: str) -> Path:
    """A language model that answers comparisons in one way, and in another where its template opens a thought."""
    tokenizer = make_tokenizer(chat_template=THINKING)
    tokenizer.add_tokens(["<think>", *words])
    make_checkpoint(folder, "causal", tokenizer=tokenizer, tie_word_embeddings=False)
    lessons: list[tuple[list[int], Mapping[str, float]]] = []
    for order in ORDERS:
        chat = [{"role": "user", "content": LETTERS.format(*order)}]
        for said, variables in ((thinks, {}), (quiet, QUIET)):
            ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, **variables)
            lessons.append((ids["input_ids"], said))
    teach(folder, lessons)
    return folder


def seen(model: Any) -> list[Observation]:
    found = {one.key: one for batch in model.observe(REQUESTS) for one in batch}
    return [found[request.key] for request in REQUESTS]


def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    rows = (dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in PAIRS)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def share(*logits: float, size: int = 400) -> float:
    """The part of all probability that tokens with these logits have among others of logit 0."""
    own = sum(math.exp(logit) for logit in logits)
    return own / (own + size - len(logits))


def test_the_mass_of_the_letters_is_observed_and_reported(tmp_path: Path) -> None:
    folder = judge(tmp_path / "m", {"A": 8.0, "B": 9.0}, {"<think>": 9.0})
    found = seen(load_model(str(folder), kind="comparator", template_kwargs=QUIET))
    for one in found:
        assert one.values["label_mass"] == pytest.approx(share(8, 9), abs=1e-4)
        assert one.values["p_first"] == pytest.approx(1 / (1 + math.e), abs=1e-4)
    free = seen(load_model(str(folder), kind="comparator", template_kwargs=QUIET, min_label_mass=0))
    assert [one.values for one in free] == [one.values for one in found], "the check changes no number"
    options: dict[str, Any] = {"kind": "comparator", "out": tmp_path / "runs", "template_kwargs": QUIET}
    result = rmeval.evaluate(str(folder), "pairs", pairs(tmp_path), **options)
    mean = f"have {100 * share(8, 9):.1f}% of the model's probability on average, and less than half"
    assert any(mean in note for note in result.notes)
    assert result.manifest["sessions"][0]["label_mass"] == pytest.approx(share(8, 9), abs=1e-4)
    assert {record.variant for record in result.records} == {"orders/mean", "orders/agree", "orders/net"}


def test_letters_behind_a_thought_stop_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = judge(tmp_path / "m", {"A": 8.0, "B": 9.0}, {"<think>": 9.0, "A": 1.0})
    run = ["run", folder, "--kind", "comparator", "-b", "pairs", "--data", pairs(tmp_path), "-o", tmp_path / "runs"]
    stopped = command(capsys, *run)
    assert stopped.code == 2
    message = " ".join(stopped.err.split())
    for part in (
        "the labels 'A' and 'B' have 0.0% of the probability"
        if share(1, 0, 9) < 0.0005
        else "the labels 'A' and 'B' have",
        "(mean of the first 4)",
        "'<think>' has 95.",
        "give --template-kwargs enable_thinking=false, other labels with --head logit:X-Y, or --min-label-mass 0",
    ):
        assert part in message
    assert not list((tmp_path / "runs").rglob("*.jsonl")), "nothing is written"
    assert command(capsys, *run, "--template-kwargs", "enable_thinking=false").code == 0
    assert command(capsys, *run, "--min-label-mass", 0).code == 0


def test_a_template_that_opens_a_thought_itself(tmp_path: Path) -> None:
    opens = CHATML.replace("assistant\n' }}{% endif %}", "assistant\n<think>\n' }}{% endif %}")
    folder = make_checkpoint(tmp_path / "m", "causal", tokenizer=make_tokenizer(chat_template=opens))
    with pytest.raises(
        ModelError, match="give a `chat_template` whose generation prompt ends after the thinking, other"
    ):
        seen(load_model(str(folder), kind="comparator"))


def test_letters_with_a_space_are_named(tmp_path: Path) -> None:
    folder = judge(tmp_path / "m", {" A": 9.0, " B": 8.0, "A": 1.0}, {}, " A", " B")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    one, other = tokenizer.convert_tokens_to_ids([" A", " B"])
    with pytest.raises(ModelError) as stopped:
        seen(load_model(str(folder), kind="comparator", template_kwargs=QUIET))
    way = f"`head` logit:#{one}-#{other} (' A' and ' B' have "
    assert way in str(stopped.value)
    assert "enable_thinking" not in str(stopped.value), "it is set already"
    found = seen(load_model(str(folder), kind="comparator", head=f"logit:#{one}-#{other}", template_kwargs=QUIET))
    assert found[0].values["p_first"] == pytest.approx(1 / (1 + 1 / math.e), abs=1e-4)


def verifier(folder: Path, talks: Sequence[list[dict[str, str]]], **logits: float) -> Path:
    tokenizer = make_tokenizer()
    make_checkpoint(folder, "causal", tokenizer=tokenizer, tie_word_embeddings=False)
    ids = [tokenizer.apply_chat_template(talk, return_dict=True)["input_ids"] for talk in talks]
    teach(folder, [(one, logits) for one in ids])
    return folder


def test_two_logits_of_a_classifier_are_checked_and_one_is_not(tmp_path: Path) -> None:
    talks = [[{"role": "user", "content": p}, {"role": "assistant", "content": a}] for p, *both in PAIRS for a in both]
    sure, unsure = verifier(tmp_path / "sure", talks, y=9.0, n=8.0), verifier(tmp_path / "unsure", talks, s=9.0)
    assert rmeval.score(str(sure), talks, head="logit:y-n") == pytest.approx([1.0] * 4, abs=1e-4)
    with pytest.raises(ModelError, match=r"labels 'y' and 'n' have 0\.0\d?% of .*first 4\), and 's' has 95"):
        rmeval.score(str(unsure), talks, head="logit:y-n")
    assert rmeval.score(str(unsure), talks, head="logit:y-n", min_label_mass=0) == pytest.approx([0.0] * 4, abs=1e-4)
    assert rmeval.score(str(unsure), talks, head="logit:y") == pytest.approx([0.0] * 4, abs=1e-4)
    with pytest.raises(ModelError, match="not read by the logits of two tokens, does not use `min_label_mass`"):
        load_model(str(unsure), head="logit:y", min_label_mass=0.2)


def test_the_mass_is_no_score_of_its_own(tmp_path: Path) -> None:
    talks = [[{"role": "user", "content": p}, {"role": "assistant", "content": a}] for p, *both in PAIRS for a in both]
    folder = verifier(tmp_path / "m", talks, y=9.0, n=8.0)
    result = rmeval.evaluate(str(folder), "pairs", pairs(tmp_path), out=tmp_path / "runs", head="logit:y-n")
    assert {record.variant for record in result.records} == {"score"}
    assert read_run(result.path).variants == ["score"]
    assert any("the labels have" in note for note in result.notes)


def test_the_doctor_looks_at_labels(tmp_path: Path) -> None:
    talks = [[{"role": "user", "content": p}, {"role": "assistant", "content": a}] for p, *both in PAIRS for a in both]
    items = [
        Item(p, "s", (Message("user", p),), (Response(one), Response(other)), (Comparison((0, 1)),), p)
        for p, one, other in PAIRS
    ]
    for logits, level, text in (
        ({"y": 9.0, "n": 8.0}, "ok", "the labels have 9"),
        ({"s": 9.0}, "problem", "the labels 'y' and 'n' have"),
    ):
        folder = verifier(tmp_path / level, talks, **logits)
        found = examine(str(folder), rmeval.models.ModelOptions(head="logit:y-n"), items, ("float32",))
        assert any(one.level == level and text in one.text for one in found.findings)


def test_an_encoder_decoder(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(2)
    config = T5Config(
        vocab_size=400, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0, pad_token_id=0
    )
    network = T5ForConditionalGeneration(config).eval()
    network.save_pretrained(tmp_path)
    letters = [tokenizer(letter)["input_ids"][0] for letter in "AB"]
    expected = []
    for prompt, one, other in ORDERS:
        text = f"POST: {prompt} \n\n RESPONSE A: {one}\n\n RESPONSE B: {other}\n\n Which response is better? RESPONSE"
        with torch.inference_mode():
            ids = torch.tensor([tokenizer(text)["input_ids"]])
            logits = network(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
        expected.append(float(torch.softmax(logits.double(), 0)[letters].sum()))
    options: dict[str, Any] = {"kind": "comparator", "comparison": "steamshp"}
    found = seen(load_model(str(tmp_path), min_label_mass=0, **options))
    assert [one.values["label_mass"] for one in found] == pytest.approx(expected, rel=1e-4)
    assert max(expected) < 0.5
    with pytest.raises(ModelError, match="`min_label_mass` 0 to continue"):
        seen(load_model(str(tmp_path), **options))


def test_what_is_refused(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m")
    for wrong in (-0.1, 1.5, math.nan):
        with pytest.raises(ModelError, match="must be between 0 and 1"):
            load_model(str(folder), min_label_mass=wrong)
    with pytest.raises(ModelError, match="does not use `min_label_mass`"):
        load_model(str(folder), min_label_mass=0)
    with pytest.raises(ModelError, match="baseline:longest does not use `min_label_mass`"):
        load_model("baseline:longest", min_label_mass=0)


def test_mass_is_a_probability() -> None:
    logits = np.array([3.0, -2.0, 5.0, 700.0])
    total = float(np.logaddexp.reduce(logits))
    assert Labels.mass(np.array([*logits, total])) == 1.0
    assert Labels.mass(np.array([3.0, -2.0, total])) == pytest.approx(0.0)
