"""Judges that rmeval runs itself: label probabilities are the model's, and texts are read as those of servers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rmeval.errors import ModelError, RmevalError
from rmeval.models import load_model
from rmeval.models.judge.local import LocalJudge
from rmeval.models.judge.model import Judge
from rmeval.rendering.vocabulary import label_tokens
from rmeval.types import Message, Observation, Request
from tests.checkpoints import CHATML, ENDS_IN_EOS, make_checkpoint, make_tokenizer, say
from tests.command import command
from tests.engines.fake import Fake

PAIRS = [("what is it", "the capital", "so it is"), ("why is it so", "it is the land", "why")]
ORDERS = [(prompt, *order) for prompt, one, other in PAIRS for order in ((one, other), (other, one))]
REQUESTS = [
    Request(f"{k + 1:032x}", f"item-{k}", (0, 1), (Message("user", prompt),), (one, other))
    for k, (prompt, one, other) in enumerate(ORDERS)
]
NO_PROMPT = CHATML.partition("{% if add")[0]
LLAMA_2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
THINKING = CHATML.replace("assistant\n'", "assistant\n<think>\n'")


def checkpoint(folder: Path, *words: str, template: str = CHATML, **config: Any) -> Path:
    """A language model with room for prompts, which gives some words of one token nearly all of its probability."""
    tokenizer = make_tokenizer(model_max_length=4096, chat_template=template)
    make_checkpoint(folder, "causal", tokenizer=tokenizer, max_position_embeddings=4096, **config)
    if words:
        say(folder, *words)
    return folder


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("letters") / "m", "A", "B")


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("writer") / "m")


def judge(folder: Path, protocol: str, **options: Any) -> Judge:
    found = load_model(str(folder), protocol=protocol, **options)
    assert isinstance(found, Judge)
    assert isinstance(found.backend, LocalJudge)
    return found


def seen(model: Any, requests: Iterable[Request] = REQUESTS) -> list[Observation]:
    requests = list(requests)
    found = [one for batch in model.observe(requests) for one in batch]
    by_key = {one.key: one for one in found}
    assert len(by_key) == len(found) == len(requests)
    return [by_key[request.key] for request in requests]


def card(name: str, prompt: str, **labels: float) -> str:
    """A protocol that reads the probabilities of labels."""
    values = "".join(f"{json.dumps(label)} = {value}\n" for label, value in labels.items())
    return f'name = "{name}@1"\nkind = "pair"\nreads = "labels"\nprompt = """{prompt}"""\n\n[labels]\n{values}'


def tokens_of(model: Judge, request: Request, folder: Path) -> list[int]:
    messages = [one.to_dict() for one in model.asking.ask(request).messages]
    found: list[int] = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        messages, add_generation_prompt=True, return_dict=True
    )["input_ids"]
    return found


def next_token(folder: Path, ids: list[int]) -> Any:
    network = AutoModelForCausalLM.from_pretrained(folder)
    with torch.inference_mode():
        return torch.softmax(network(torch.tensor([ids])).logits[0, -1].double(), 0).numpy()


def test_label_probabilities_are_those_of_the_model(letters: Path) -> None:
    model = judge(letters, "ab-labels")
    a, b = (AutoTokenizer.from_pretrained(letters).convert_tokens_to_ids(label) for label in "AB")
    for request, found in zip(REQUESTS, seen(model), strict=True):
        ids = tokens_of(model, request, letters)
        own = next_token(letters, ids)
        assert found.values["p_first"] == pytest.approx(own[a] / (own[a] + own[b]), abs=1e-5)
        assert found.values["label_mass"] == pytest.approx(own[a] + own[b], abs=1e-5)
        assert found.values["log_odds"] == pytest.approx(np.log(own[a] / own[b]), abs=1e-4)
        assert found.usage == {"tokens": len(ids), "output_tokens": 0}
    facts = model.facts()
    assert facts["prefix_sharing"]["distinct"] < facts["prefix_sharing"]["tokens"]
    assert facts["label_mass"] == pytest.approx(np.mean([one.values["label_mass"] for one in seen(model)]))


def test_a_comparator_and_a_label_protocol_agree(letters: Path, tmp_path: Path) -> None:
    """With the same prompt, they are the same number."""
    file, template = tmp_path / "same.toml", tmp_path / "same.jinja"
    prompt = "Which is better?\n\n{{ prompt[0].content }}\n\nA: %s\n\nB: %s\n\nSay A or B."
    file.write_text(card("same", prompt % ("{{ responses[0] }}", "{{ responses[1] }}"), A=1.0, B=0.0))
    template.write_text(prompt % ("{{ first }}", "{{ second }}"))
    own = seen(judge(letters, str(file)))
    other = seen(load_model(str(letters), kind="comparator", comparison=str(template)))
    for one, two in zip(own, other, strict=True):
        assert one.usage["tokens"] == two.usage["tokens"]
        assert one.values["p_first"] == pytest.approx(two.values["p_first"], abs=1e-5)
        assert one.values["label_mass"] == pytest.approx(two.values["label_mass"], abs=1e-5)


def test_ratings_are_the_expectation_over_the_levels(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", *"12345")
    model = judge(folder, "rating-labels")
    requests = [Request(f"{k + 1:032x}", "i", (k,), REQUESTS[0].prompt, (text,)) for k, text in enumerate(ORDERS[0])]
    ids = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(list("12345"))
    for request, found in zip(requests, seen(model, requests), strict=True):
        own = next_token(folder, tokens_of(model, request, folder))[ids]
        assert found.values["rating"] == pytest.approx(own @ np.arange(1, 6) / own.sum(), abs=1e-5)


def test_the_best_of_several_numbers_of_responses(tmp_path: Path) -> None:
    """Requests with other labels are read in the same window."""
    letters = checkpoint(tmp_path / "m", *"ABCD")
    model = judge(letters, "best-labels", min_label_mass=0.0)
    texts = ("the capital", "so it is", "why", "it is the land")
    requests = [Request(f"{k:032x}", "i", tuple(range(k)), REQUESTS[0].prompt, texts[:k]) for k in (2, 3, 4)]
    tokenizer = AutoTokenizer.from_pretrained(letters)
    for request, found in zip(requests, seen(model, requests), strict=True):
        own = next_token(letters, tokens_of(model, request, letters))
        ids = tokenizer.convert_tokens_to_ids(list("ABCD"[: len(request.responses)]))
        assert found.values["p"] == pytest.approx(tuple(own[ids] / own[ids].sum()), abs=1e-5)
        assert found.values["label_mass"] == pytest.approx(own[ids].sum(), abs=1e-5)


def test_labels_without_probability_stop_the_run_before_anything_is_kept(writer: Path) -> None:
    with pytest.raises(ModelError, match=r"the labels 'A' and 'B' have .*% of the probability of the next token") as no:
        seen(judge(writer, "ab-labels"))
    assert "give another `protocol`" in str(no.value)
    found = seen(judge(writer, "ab-labels", min_label_mass=0.0))
    assert {one.status for one in found} == {"ok"}
    identities = [judge(writer, "ab-labels", min_label_mass=least).identity() for least in (0.5, 0.0)]
    assert identities[1] == {**identities[0], "min_label_mass": 0.0}


def test_a_thought_before_the_label_is_named(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", template=THINKING)
    with pytest.raises(ModelError, match="a `chat_template` whose generation prompt ends after the thinking"):
        seen(judge(folder, "ab-labels"))


def test_a_label_of_several_tokens_is_one_sentence(letters: Path, tmp_path: Path) -> None:
    file = tmp_path / "long.toml"
    file.write_text(card("long", "{{ conversation }}{{ blocks[0] }}{{ blocks[1] }}", **{"A": 1.0, "B is better": 0.0}))
    with pytest.raises(ModelError, match=r"'B is better' is .* tokens of m, and the probability of a label is that of"):
        seen(judge(letters, str(file)))


def test_tokens_of_a_label() -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["ĠA", " B"])
    vocabulary = tokenizer.get_vocab()
    assert label_tokens(tokenizer, ["A", "B"], "m") == {"A": (vocabulary["A"],), "B": (vocabulary["B"],)}


def test_greedy_texts_are_those_of_transformers(writer: Path) -> None:
    model = judge(writer, "ab", max_new_tokens=20)
    network, tokenizer = AutoModelForCausalLM.from_pretrained(writer), AutoTokenizer.from_pretrained(writer)
    asked = list(map(model.asked, REQUESTS))
    outputs = {one.key: output for batch in model.backend.outputs(asked) for one, output in batch}
    for one in asked:
        ids = tokens_of(model, one.request, writer)
        own = network.generate(torch.tensor([ids]), max_new_tokens=20, do_sample=False)[0, len(ids) :].tolist()
        ended = 2 in own
        wanted = own[: own.index(2)] if ended else own
        output = outputs[one.key]
        assert output.text == tokenizer.decode(wanted)
        assert output.finish == ("stop" if ended else "length")
        assert output.usage == {"tokens": len(ids), "output_tokens": len(wanted)}


def test_votes_are_drawn_independently_and_again_alike(writer: Path) -> None:
    votes = [Request(f"{k:032x}", "i", (0, 1), REQUESTS[0].prompt, REQUESTS[0].responses) for k in range(6)]

    def texts(requests: list[Request], **options: Any) -> dict[str, str]:
        model = judge(writer, "ab", max_new_tokens=12, **options)
        asked = list(map(model.asked, requests))
        return {one.key: output.text for batch in model.backend.outputs(asked) for one, output in batch}

    drawn = texts(votes, temperature=1.0)
    assert len(set(drawn.values())) > 3
    assert texts(votes[::-1], temperature=1.0, batch_size=2) == drawn
    assert texts(votes[2:3], temperature=1.0) == {votes[2].key: drawn[votes[2].key]}
    assert texts(votes, temperature=1.0, order_seed=1) != drawn
    assert len(set(texts(votes, temperature=0.0).values())) == 1


def test_equal_prompts_are_run_once(writer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rmeval.engines.hf.engine import HFEngine

    sizes: list[int] = []
    generate = HFEngine.generate

    def counted(self: HFEngine, sequences: Any, *others: Any) -> Any:
        sizes.append(len(sequences))
        return generate(self, sequences, *others)

    monkeypatch.setattr(HFEngine, "generate", counted)
    twice = [
        *REQUESTS,
        *(Request(f"{k:032x}", "i", r.members, r.prompt, r.responses) for k, r in enumerate(REQUESTS, 9)),
    ]
    seen(judge(writer, "ab", max_new_tokens=4), twice)
    assert sizes[0] == len(REQUESTS)
    sizes.clear()
    seen(judge(writer, "ab", max_new_tokens=4, temperature=1.0), twice)
    assert sizes[0] == len(twice)


def test_outputs_that_are_cut_off_run_once_more_as_far_as_they_fit(writer: Path) -> None:
    model = judge(writer, "ab", max_new_tokens=10)
    length = len(tokens_of(model, REQUESTS[0], writer))
    short = judge(writer, "ab", max_new_tokens=10, max_length=length + 13)
    (found,) = seen(short, REQUESTS[:1])
    assert found.status in ("no_verdict", "unparsed")
    assert found.usage["output_tokens"] in range(24)


def test_facts_of_a_run_stay_when_outputs_run_again(writer: Path) -> None:
    model = judge(writer, "ab", max_new_tokens=4)
    every = [model.asked(request) for request in REQUESTS]
    for asked in (every, [every[2]._replace(limit=8)]):
        assert [one for batch in model.backend.outputs(asked) for one in batch]
    assert PAIRS[0][0] in model.facts()["first_rendered"]
    prompts = sum(len(tokens_of(model, request, writer)) for request in REQUESTS)
    assert model.facts()["prefix_sharing"]["tokens"] >= prompts
    first = judge(writer, "ab", max_new_tokens=4)
    assert [one for batch in first.backend.outputs(every) for one in batch]
    assert first.facts()["rendered_sha256"] != model.facts()["rendered_sha256"]
    assert [one for batch in model.backend.outputs(every) for one in batch]
    assert first.facts()["rendered_sha256"] == model.facts()["rendered_sha256"]


def test_prompts_that_are_too_long(writer: Path) -> None:
    model = judge(writer, "ab", max_new_tokens=10)
    lengths = [len(tokens_of(model, request, writer)) for request in REQUESTS]
    limit = max(lengths) + 10 - 1
    with pytest.raises(
        ModelError, match=rf"takes at most {limit - 10} tokens before an output of up to 10, exceeded by"
    ):
        seen(judge(writer, "ab", max_new_tokens=10, max_length=limit))
    found = seen(judge(writer, "ab", max_new_tokens=10, max_length=limit, on_overlength="skip"))
    assert [one.status == "overlength" for one in found] == [length > limit - 10 for length in lengths]
    assert all(
        one.usage["tokens"] == length for one, length in zip(found, lengths, strict=True) if one.status == "overlength"
    )
    with pytest.raises(ModelError, match="leaves no prompt before an output of 5000: give a smaller `max_new_tokens`"):
        judge(writer, "ab", max_new_tokens=5000)


@pytest.mark.parametrize("template", [NO_PROMPT, ENDS_IN_EOS])
def test_a_template_without_a_generation_prompt_is_refused(tmp_path: Path, template: str) -> None:
    folder = checkpoint(tmp_path / "m", template=template)
    with pytest.raises(ModelError, match="the chat template of m has no generation prompt"):
        judge(folder, "ab")


def test_a_template_whose_replies_need_no_header(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", template=LLAMA_2)
    assert {one.status for one in seen(judge(folder, "ab", max_new_tokens=2))} <= {"no_verdict", "unparsed"}


def test_a_system_message_without_a_place_begins_the_users_turn(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", template=NO_SYSTEM)
    model = judge(folder, "principles", max_new_tokens=4)
    messages = model.asking.ask(REQUESTS[0]).messages
    assert [one.role for one in messages] == ["system", "user"]
    assert {one.status for one in seen(model)} <= {"no_verdict", "unparsed"}
    first = model.facts()["first_rendered"]
    assert messages[0].content in first
    assert first.count("<|im_start|>") == 2
    assert model.identity()["system"] == "in the user's turn"
    assert "system" not in judge(checkpoint(tmp_path / "other"), "principles", max_new_tokens=4).identity()


def test_no_template_is_one_sentence(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        judge(folder, "ab")


def test_the_identity(writer: Path) -> None:
    found = judge(writer, "ab", temperature=0.5).identity()
    assert (found["kind"], found["engine"], found["dtype"], found["stops"]) == ("judge", "hf", "float32", [2])
    assert found["model"].startswith("sha256:")
    assert found["sampling"]["temperature"] == 0.5
    assert "stops" not in judge(writer, "ab-labels").identity()
    # A file that the fingerprint does not cover.
    (writer / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 2]}))
    assert judge(writer, "ab").identity()["stops"] == [2, 7]
    (writer / "generation_config.json").write_text(json.dumps({"eos_token_id": 2}))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"kind": "comparator"}, "a judge has no `kind` comparator"),
        ({"on_overlength": "truncate-left"}, "truncate-left would cut a judge's instructions"),
        ({"head": "logit:A-B"}, "a judge does not use `head`"),
        ({"ref_model": "x"}, "a judge does not use `ref_model`"),
        ({"judge_kwargs": {"top_k": 5}}, "`judge_kwargs` is for calls of a server"),
        ({"replicas": 2}, "the engine hf does not use `replicas`"),
        ({"concurrency": 2}, "a judge does not use `concurrency`"),
        ({"min_label_mass": 0.1}, "which reads a text, does not use `min_label_mass`"),
        ({"protocol": "decision"}, "needs a server with a decision API"),
    ],
)
def test_options_that_would_be_ignored(writer: Path, options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(RmevalError) as caught:
        load_model(str(writer), **{"protocol": "ab", **options})
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["classifier", "bert"])
def test_classifiers_are_no_judges(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_checkpoint(tmp_path / "m", kind)
    capsys.readouterr()
    done = command(capsys, "run", folder, "--protocol", "ab", "-b", "rm-bench-synthetic", "-o", tmp_path / "runs")
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "is not a causal language model" in done.err


def test_engines_that_do_not_generate(tmp_path: Path) -> None:
    file = Path(__file__).parents[1] / "engines" / "fake.py"
    folder = tmp_path / "m"
    folder.mkdir()
    make_tokenizer().save_pretrained(folder)
    (folder / "fake.json").write_text(json.dumps({"seed": 1, "generates": True}))
    with pytest.raises(ModelError, match="needs generated texts, which the engine fake does not support"):
        judge(folder, "ab", engine=f"{file}:{Fake.__name__}")
    assert judge(folder, "ab-labels", engine=f"{file}:{Fake.__name__}").identity()["engine"] == "fake"


def test_a_model_in_memory(letters: Path) -> None:
    pair = AutoModelForCausalLM.from_pretrained(letters), AutoTokenizer.from_pretrained(letters)
    model = load_model(pair, protocol="ab-labels", name="held")
    assert (model.name, model.kind) == ("held", "judge")
    wanted = [one.values for one in seen(judge(letters, "ab-labels"))]
    for one, own in zip(seen(model), wanted, strict=True):
        assert one.values == pytest.approx(own, abs=1e-5)


def test_a_run_and_a_second_one_that_has_nothing_to_do(
    letters: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("run", letters, "--protocol", "ab-labels", "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs")
    first = command(capsys, *run)
    assert first.code == 0, first.err
    (journal,) = (tmp_path / "runs").rglob("journal/*.jsonl")
    before = journal.read_bytes()
    second = command(capsys, *run)
    assert second.code == 0, second.err
    assert journal.read_bytes() == before
