"""Kinds of models see the `Engine` protocol and nothing else: an engine from outside runs every one of them."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

import rmeval
import rmeval.engines
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Message, Request
from tests.checkpoints import make_tokenizer
from tests.command import command, process
from tests.engines.fake import VOCABULARY, drawn, log_prob

FAKE = Path(__file__).with_name("fake.py")
ENGINE = f"{FAKE}:Fake"
TALKS = [(Message("user", "what is the capital"), Message("assistant", "why " * n + "it is so")) for n in (0, 5, 2, 9)]
REQUESTS = [
    Request(f"{k:032x}", "i", (0, 1), TALKS[0][:1], pair)
    for k, pair in enumerate([("the land", "so it is"), ("so it is", "the land"), ("why", "what is it of")])
]


def folder(path: Path, **stated: Any) -> Path:
    """What the fake engine takes for a checkpoint."""
    path.mkdir(parents=True)
    make_tokenizer().save_pretrained(path)
    (path / "fake.json").write_text(json.dumps({"seed": 1, **stated}))
    return path


def tokens(path: Path, talk: Any, **options: Any) -> list[int]:
    messages = [{"role": one.role, "content": one.content} for one in talk]
    found: list[int] = AutoTokenizer.from_pretrained(path).apply_chat_template(messages, return_dict=True, **options)[
        "input_ids"
    ]
    return found


def values(model: Any, requests: list[Request], name: str) -> list[float]:
    seen = {one.key: one.values[name] for batch in model.observe(requests) for one in batch}
    return [float(seen[request.key]) for request in requests]


@pytest.mark.parametrize(
    ("outputs", "options", "weights"),
    [
        (1, {}, [1.0]),
        (1, {"scale": -2.0, "shift": 1.0}, [-2.0]),
        (3, {"reduce": "weights:1,0,-2"}, [1.0, 0.0, -2.0]),
        (2, {"reduce": "difference"}, [-1.0, 1.0]),
    ],
)
def test_classifiers(tmp_path: Path, outputs: int, options: dict[str, Any], weights: list[float]) -> None:
    path = folder(tmp_path / "m", outputs=outputs)
    model = load_model(str(path), engine=ENGINE, **options)
    expected = [np.dot(drawn(1, tokens(path, talk), outputs), weights) + options.get("shift", 0) for talk in TALKS]
    assert values(model, conversation_requests(TALKS), "score") == pytest.approx(expected)
    identity, facts = model.identity(), model.facts()
    assert (identity["engine"], identity["model"], identity["dtype"]) == ("fake", "fake:1", "float64")
    assert (facts["device"], facts["sequences"]) == ("none", len(TALKS))


def test_a_run_with_it(tmp_path: Path, pairs_file: Path) -> None:
    path = folder(tmp_path / "m")
    found = rmeval.evaluate(str(path), "pairs", pairs_file, out=tmp_path / "runs", engine=ENGINE)
    assert found.manifest["sessions"][0]["device"] == "none"
    again = rmeval.evaluate(str(path), "pairs", pairs_file, out=tmp_path / "runs", engine=ENGINE)
    assert again.path == found.path


def test_the_logits_of_two_tokens(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", generates=True)
    one, other = AutoTokenizer.from_pretrained(path).convert_tokens_to_ids(["A", "B"])
    model = load_model(str(path), engine=ENGINE, head="logit:A-B", min_label_mass=0)
    said = [drawn(1, tokens(path, talk), VOCABULARY) for talk in TALKS]
    expected = [own[one] - own[other] for own in said]
    assert values(model, conversation_requests(TALKS), "score") == pytest.approx(expected)
    masses = [(np.exp(own[one]) + np.exp(own[other])) / np.exp(own).sum() for own in said]
    assert model.facts()["label_mass"] == pytest.approx(np.mean(masses))
    with pytest.raises(ModelError, match="the labels 'A' and 'B' have"):
        list(load_model(str(path), engine=ENGINE, head="logit:A-B").observe(conversation_requests(TALKS)))


@pytest.mark.parametrize("encoder", [False, True])
def test_comparators_by_letters(tmp_path: Path, encoder: bool) -> None:
    path = folder(tmp_path / "m", generates=True, encoder_decoder=encoder)
    one, other = AutoTokenizer.from_pretrained(path).convert_tokens_to_ids(["A", "B"])
    model = load_model(str(path), engine=ENGINE, kind="comparator", min_label_mass=0)
    expected = []
    for request in REQUESTS:
        text = (
            "Two answers to the end of a conversation follow. Which is better?\n\nuser: what is the capital\n\n"
            f"Answer A: {request.responses[0]}\n\nAnswer B: {request.responses[1]}\n\nSay A or B, and nothing else."
        )
        own = drawn(1, tokens(path, [Message("user", text)], add_generation_prompt=True), VOCABULARY)
        expected.append(1 / (1 + math.exp(own[other] - own[one])))
    assert values(model, REQUESTS, "p_first") == pytest.approx(expected)


def test_comparators_by_a_classifier(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    (tmp_path / "both.jinja").write_text("{{ prompt[-1].content }}|{{ first }}|{{ second }}\n")
    model = load_model(str(path), engine=ENGINE, kind="comparator", comparison=str(tmp_path / "both.jinja"))
    tokenizer = AutoTokenizer.from_pretrained(path)
    expected = [
        1 / (1 + math.exp(-drawn(1, tokenizer("|".join(["what is the capital", *one.responses]))["input_ids"], 1)[0]))
        for one in REQUESTS
    ]
    assert values(model, REQUESTS, "p_first") == pytest.approx(expected)


def spans(path: Path) -> list[tuple[list[int], int]]:
    found = []
    for talk in TALKS:
        whole, prompt = tokens(path, talk), tokens(path, talk[:-1], add_generation_prompt=True)
        assert whole[: len(prompt)] == prompt
        found.append((whole, len(prompt)))
    return found


def sums(path: Path, seed: int) -> list[float]:
    return [sum(log_prob(seed, whole, k) for k in range(start, len(whole))) for whole, start in spans(path)]


def test_implicit_rewards(tmp_path: Path) -> None:
    path = folder(tmp_path / "policy", generates=True)
    model = load_model(str(path), engine=ENGINE, kind="implicit")
    own = sums(path, 1)
    assert values(model, conversation_requests(TALKS), "ref_free/sum") == pytest.approx(own)
    other = folder(tmp_path / "reference", generates=True, seed=2)
    against = load_model(str(path), engine=ENGINE, ref_model=str(other), beta=0.5)
    expected = [0.5 * (a - b) for a, b in zip(own, sums(path, 2), strict=True)]
    assert values(against, conversation_requests(TALKS), "dpo/sum") == pytest.approx(expected)
    assert against.facts()["reference"] == {"source": str(other), "known": 0, "computed": len(TALKS)}
    one_by_one = load_model(str(path), engine=ENGINE, ref_model=str(other), beta=0.5, sequential=True)
    assert values(one_by_one, conversation_requests(TALKS), "dpo/sum") == pytest.approx(expected)
    assert one_by_one.facts()["reference"]["known"] == len(TALKS)
    assert one_by_one.engine._engine.released == 1  # type: ignore[attr-defined]


def test_the_base_of_an_adapter_is_the_reference(tmp_path: Path) -> None:
    path = folder(tmp_path / "adapted", generates=True, base=3)
    model = load_model(str(path), engine=ENGINE, kind="implicit")
    expected = [a - b for a, b in zip(sums(path, 1), sums(path, 3), strict=True)]
    assert values(model, conversation_requests(TALKS), "dpo/sum") == pytest.approx(expected)
    with pytest.raises(ModelError, match="`sequential` needs two models, and there is only one"):
        load_model(str(path), engine=ENGINE, kind="implicit", sequential=True)


def test_token_scores(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    found = dict(load_model(str(path), engine=ENGINE).token_scores(conversation_requests(TALKS)))  # type: ignore[attr-defined]
    for k, (whole, start) in enumerate(spans(path)):
        expected = [drawn(1, whole[: place + 1], 1)[0] for place in range(len(whole))]
        assert found[k].scores.tolist() == pytest.approx(expected)
        assert found[k].start == start


def test_lengths(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", limit=15)
    with pytest.raises(ModelError, match="m takes at most 15 tokens, exceeded by 4 conversations"):
        list(load_model(str(path), engine=ENGINE).observe(conversation_requests(TALKS)))
    with pytest.raises(ModelError, match="supports at most 15 tokens: give a smaller `max_length` than 16"):
        load_model(str(path), engine=ENGINE, max_length=16)
    cut = load_model(str(path), engine=ENGINE, on_overlength="truncate-left")
    expected = [drawn(1, tokens(path, talk)[-15:], 1)[0] for talk in TALKS]
    assert values(cut, conversation_requests(TALKS), "score") == pytest.approx(expected)


def test_what_an_engine_does_not_read_is_one_sentence(tmp_path: Path) -> None:
    only = f"{FAKE}:OnlyScores"
    path = folder(tmp_path / "m", generates=True)
    assert len(values(load_model(str(path), engine=only), conversation_requests(TALKS), "score")) == len(TALKS)
    reads = r"which the engine only-scores does not support \(it supports: a head at the last token\): use the engine"
    with pytest.raises(ModelError, match=f"^m needs log-probabilities of a response's tokens, {reads}"):
        load_model(str(path), engine=only, kind="implicit")
    with pytest.raises(ModelError, match=f"^m needs logits after the last token, {reads}"):
        load_model(str(path), engine=only, kind="comparator")
    with pytest.raises(ModelError, match=f"^m needs logits after the last token, {reads}"):
        load_model(str(path), engine=only, head="logit:A-B")
    with pytest.raises(ModelError, match=f"^m needs a head at single tokens, {reads}"):
        list(load_model(str(path), engine=only).token_scores(conversation_requests(TALKS)))  # type: ignore[attr-defined]


def test_on_the_command_line(tmp_path: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path / "m", generates=True)
    run = ["run", path, "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs"]
    assert command(capsys, *run, "--engine", ENGINE).code == 0
    for words, said in (
        (["--engine", f"{FAKE}:OnlyScores", "--kind", "implicit"], "which the engine only-scores does not support"),
        (["--engine", "vlm"], "there is no engine 'vlm': did you mean vllm? (choose one of "),
    ):
        done = command(capsys, *run, *words)
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert said in done.err
    done = command(capsys, "doctor", path, "--engine", ENGINE, "-b", "pairs", "--data", pairs_file)
    assert (done.code, "examines networks of the engine hf, but m runs on fake" in done.err) == (2, True)


def test_what_is_no_language_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a causal language model"):
        load_model(str(folder(tmp_path / "m")), engine=ENGINE, kind="implicit")
    with pytest.raises(ModelError, match="m is a classifier: give a template of two responses with `comparison` FILE"):
        load_model(str(folder(tmp_path / "n" / "m")), engine=ENGINE, kind="comparator")


def test_names_of_engines(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    with pytest.raises(ModelError, match=r"^there is no engine 'fh': choose one of .*, or give file\.py:Class$"):
        load_model(str(path), engine="fh")
    with pytest.raises(ModelError, match="baseline:longest does not use `engine`: leave it out"):
        load_model("baseline:longest", engine="fake")
    with pytest.raises(rmeval.RmevalError, match=r"there is no file none\.py"):
        load_model(str(path), engine="none.py:Fake")


def test_engines_that_lack_something(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", generates=True)
    head = "from rmeval.engines import *\nfrom tests.engines.fake import Fake\n"
    (tmp_path / "bad.py").write_text(
        f"{head}class Bare(Engine):\n    name = 'bare'\n"
        "def fails(spec, options):\n    raise KeyError('gone')\n"
        "class Plain(Fake):\n    name = 'plain'\n    require_language_model = Engine.require_language_model\n"
    )
    with pytest.raises(ModelError, match=r"bad.py:Bare cannot be opened for .* abstract class Bare .*: correct it$"):
        load_model(str(path), engine=f"{tmp_path / 'bad.py'}:Bare")
    with pytest.raises(ModelError, match=r"bad.py:fails cannot be opened for .* \(KeyError: 'gone'\): correct it$"):
        load_model(str(path), engine=f"{tmp_path / 'bad.py'}:fails")
    with pytest.raises(
        ModelError, match="the engine plain does not run language models, and m is used as one: use the"
    ):
        load_model(str(path), engine=f"{tmp_path / 'bad.py'}:Plain", kind="implicit")


@pytest.mark.slow
def test_an_engine_of_an_installed_package(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    info = tmp_path / "site" / "drawn-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "their_engine.py").write_text(FAKE.read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drawn\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rmeval.engines]\ndrawn = their_engine:Fake\nhf = their_engine:Fake\n")
    code = (
        "import rmeval; from rmeval.engines import engine_names; print(engine_names()['hf'])\n"
        f"talk = [{{'role': 'user', 'content': 'what'}}, {{'role': 'assistant', 'content': 'so'}}]\n"
        f"print(rmeval.score({str(path)!r}, [talk], engine='drawn')[0])"
    )
    done = process("-c", code, PYTHONPATH=os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    builtin, score = done.stdout.split()
    assert builtin == "rmeval.engines.hf.engine:open_checkpoint", "nobody takes over a name of rmeval's own"
    talk = [Message("user", "what"), Message("assistant", "so")]
    assert float(score) == pytest.approx(drawn(1, tokens(path, talk), 1)[0])
