"""Models behind a server: what is sent, what is checked, and what happens if the server is not as it should be."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import ModelError, RmevalError, RunError
from rmeval.models import EMBEDDED
from rmeval.runs.score_file import score_file
from rmeval.store.manifest import read_manifest
from rmeval.store.run import read_run
from tests.command import command, process
from tests.http_server import Answer, Received, Scripted, free_port, json_answer, redirect, serve, text_answer
from tests.models import served as like
from tests.test_imports import EXTRAS, WITHOUT

TINY = str(EMBEDDED["rmeval/tiny"])
TALKS = [[{"role": "user", "content": f"Q{k}"}, {"role": "assistant", "content": f"A{k}"}] for k in range(6)]
DRAWN = [like.drawn(talk)[0] for talk in TALKS]
CANARIES = 6


def rendered(talk: list[dict[str, str]]) -> str:
    return "".join(f"<|{one['role']}|>{one['content']}<|end|>" for one in talk)


@pytest.fixture(scope="module")
def tokens() -> Callable[[str], list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(TINY)
    return lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"])


def scored(server: Scripted, **options: Any) -> list[float]:
    return list(rmeval.score(server.url, TALKS, **options))


def bodies(server: Scripted, path: str) -> list[Any]:
    return [one.json for one in server.received if one.path == path]


# What is found out, and what is sent.

MESSAGES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "vllm": (like.vllm_like, "/classify", {}),
    "vllm pooling": (like.vllm_like, "/pooling", {"dialect": "vllm-pooling"}),
    "nim": (like.nim_like, "/v1/chat/completions", {"dialect": "nim-chat@1"}),
}
TOKENS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "vllm": (like.vllm_like, "/classify", {}),
    "vllm pooling": (like.vllm_like, "/pooling", {"dialect": "vllm-pooling@1"}),
    "sglang": (like.sglang_like, "/classify", {}),
}
TEXTS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "tei": (like.tei_like, "/predict", {}),
    "infinity": (like.infinity_like, "/classify", {}),
    "openrlhf": (like.openrlhf_like, "/get_reward", {}),
}


@pytest.mark.parametrize(("routes", "path", "options"), MESSAGES.values(), ids=MESSAGES)
def test_messages_are_sent_unchanged(routes: Any, path: str, options: dict[str, Any]) -> None:
    with serve(like.routed(**routes())) as server:
        assert scored(server, **options) == DRAWN
        sent = [body["messages"] for body in bodies(server, path)]
    assert {str(talk) for talk in TALKS} <= {str(talk) for talk in sent}


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(("routes", "path", "options"), TOKENS.values(), ids=TOKENS)
def test_token_ids_are_those_of_the_tokenizer(
    routes: Any, path: str, options: dict[str, Any], size: int, tokens: Callable[[str], list[int]]
) -> None:
    own = [tokens(rendered(talk)) for talk in TALKS]
    with serve(like.routed(**routes())) as server:
        found = scored(server, tokenizer=TINY, batch_size=size, **options)
        calls = len(bodies(server, path))
    assert found == [like.drawn(one)[0] for one in own]
    canaries = (2 if routes is like.sglang_like else 3) * CANARIES  # Off, on, and at the end.
    assert calls == canaries + -(-len(TALKS) // size)


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(("routes", "path", "options"), TEXTS.values(), ids=TEXTS)
def test_texts_are_exactly_what_the_template_renders(
    routes: Any, path: str, options: dict[str, Any], size: int
) -> None:
    with serve(like.routed(**routes())) as server:
        found = scored(server, tokenizer=TINY, batch_size=size, **options)
    assert found == [like.drawn(rendered(talk))[0] for talk in TALKS]


def test_a_server_shows_which_one_it_is_with_few_calls() -> None:
    expected: dict[str, tuple[Any, list[str]]] = {
        "vllm-classify@1": (like.vllm_like, ["/v1/models", "/openapi.json"]),
        "sglang-classify@1": (like.sglang_like, ["/v1/models", "/openapi.json", "/model_info"]),
        "tei-predict@1": (like.tei_like, ["/v1/models", "/openapi.json", "/info"]),
        "infinity-classify@1": (like.infinity_like, ["/v1/models", "/openapi.json", "/models"]),
        "openrlhf-get-reward@1": (like.openrlhf_like, ["/v1/models", "/openapi.json"]),
    }
    for dialect, (routes, paths) in expected.items():
        with serve(like.routed(**routes())) as server:
            model = rmeval.load_model(server.url, tokenizer=TINY)
            assert model.identity()["dialect"] == dialect
            assert [one.path for one in server.received] == paths


def test_a_vllm_server_without_classify_is_called_by_its_other_route() -> None:
    routes = like.vllm_like()
    routes["openapi.json"] = {"paths": {"/pooling": {}}}
    with serve(like.routed(**routes)) as server:
        assert rmeval.load_model(server.url).identity()["dialect"] == "vllm-pooling@1"
    routes["openapi.json"] = {"paths": {"/v1/chat/completions": {}}}
    with serve(like.routed(**routes)) as server, pytest.raises(ModelError, match="serves a language model"):
        rmeval.load_model(server.url)


def test_an_unknown_server_is_a_sentence_with_all_dialects() -> None:
    with (
        serve(like.routed()) as server,
        pytest.raises(ModelError, match=r"give `dialect`, one of vllm-classify@1, .*TOML"),
    ):
        rmeval.load_model(server.url)
    with (
        serve(like.routed(**like.sglang_like(generation=True))) as server,
        pytest.raises(ModelError, match="language model"),
    ):
        rmeval.load_model(server.url, tokenizer=TINY)
    embedding = like.tei_like()
    embedding["info"] |= {"model_type": {"embedding": {"pooling": "cls"}}}
    with serve(like.routed(**embedding)) as server, pytest.raises(ModelError, match="for embeddings"):
        rmeval.load_model(server.url, tokenizer=TINY)


def test_the_served_name() -> None:
    routes = like.vllm_like(name="first")
    with (
        serve(like.routed(**routes)) as server,
        pytest.raises(ModelError, match=r"does not serve 'frst': did you mean first"),
    ):
        rmeval.load_model(server.url, served_model="frst")
    routes["v1__models"]["data"].append({"id": "adapter", "owned_by": "vllm"})
    with serve(like.routed(**routes)) as server:
        with pytest.raises(ModelError, match="serves 2 models: give one as `served_model`: first, adapter"):
            rmeval.load_model(server.url)
        model = rmeval.load_model(server.url, served_model="first")
        assert (model.name, model.identity()["model"]) == ("first", "served:first")
        assert list(rmeval.score(model, TALKS)) == DRAWN
        assert {body["model"] for body in bodies(server, "/classify")} == {"first"}


def test_identity_names_what_scores_depend_on_and_not_the_address() -> None:
    found = []
    for options in (
        {},
        {"concurrency": 3, "timeout": 99.0},
        {"tokenizer": TINY},
        {"tokenizer": TINY, "max_length": 64},
    ):
        for _ in range(2):
            with serve(like.routed(**like.vllm_like())) as server:
                found.append(json.dumps(rmeval.load_model(server.url, **options).identity(), sort_keys=True))
                assert str(server.port) not in found[-1]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(set(found)) == 3
    with serve(like.routed(**like.vllm_like(root="/models/other"))) as server:
        assert json.dumps(rmeval.load_model(server.url).identity(), sort_keys=True) not in found


def test_the_place_of_the_tokenizer_is_not_compared_with_that_of_the_server() -> None:
    """The server may have loaded its model from the folder that is the tokenizer's on this machine."""
    found = []
    for root in (TINY, "/models/rm"):
        with serve(like.routed(**like.vllm_like(root=root))) as server:
            found.append(rmeval.load_model(server.url, tokenizer=TINY).identity()["tokenizer"])
    assert found[0] == found[1]


# Raw scores.


def test_default_activation_stops_the_run(tmp_path: Path) -> None:
    file = tmp_path / "default.toml"
    file.write_text('path = "classify"\nscore = "data.0.probs"\n[body]\nmodel = "{model}"\nmessages = "{messages}"\n')
    with serve(like.routed(**like.vllm_like())) as server:
        with pytest.raises(
            ModelError,
            match=r"only scores from 0 to 1 .* as a sigmoid.*add \[raw\] in .*use_activation = false.*`bounded_ok`",
        ):
            scored(server, dialect=str(file))
        assert scored(server, dialect=str(file), bounded_ok=True) == [like.sigmoid([one])[0] for one in DRAWN]


@pytest.mark.parametrize("flag", ["activation", "softmax"])
def test_a_dead_flag_is_noticed(flag: str, tmp_path: Path) -> None:
    file = tmp_path / "dead.toml"
    file.write_text(
        'path = "classify"\nscore = "data.0.probs"\n[body]\nmodel = "{model}"\nmessages = "{messages}"\n'
        f"[raw]\n{flag} = false\n[activated]\n{flag} = true\n"
    )
    with (
        serve(like.routed(**like.vllm_like())) as server,
        pytest.raises(
            ModelError,
            match=r"the same scores with the activation switched on and off .*correct \[raw\] .*dead\.toml.*use_act",
        ),
    ):
        scored(server, dialect=str(file))


def test_a_live_flag_of_a_file_passes_and_a_reversed_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "live.toml"
    text = (
        'path = "classify"\nscore = "data.0.probs"\n[body]\nmodel = "{model}"\nmessages = "{messages}"\n'
        "[raw]\nuse_activation = false\n[activated]\nuse_activation = true\n"
    )
    with serve(like.routed(**like.vllm_like())) as server:
        file.write_text(text)
        assert scored(server, dialect=str(file)) == DRAWN
        file.write_text(text.replace("false", "x").replace("true", "false").replace("x", "true"))
        with pytest.raises(ModelError, match="exchange them"):
            scored(server, dialect=str(file))


def test_one_class_without_activation_is_raw_either_way() -> None:
    """A regression head has no activation in vLLM, so the switch changes nothing."""
    routes = like.vllm_like()
    classify = routes["classify"]
    routes["classify"] = lambda body: classify({**body, "use_activation": False})
    with serve(like.routed(**routes)) as server:
        model = rmeval.load_model(server.url)
        assert list(rmeval.score(model, TALKS)) == DRAWN
        assert model.facts()["activation"] == "identity"


def test_two_classes_need_a_reduction_and_are_checked_by_softmax() -> None:
    def two(content: Any) -> list[float]:
        return like.drawn(content, outputs=2)

    with serve(like.routed(**like.vllm_like(two))) as server:
        with pytest.raises(ModelError, match="returns 2 numbers for a response where one is needed: give `reduce`"):
            scored(server)
        model = rmeval.load_model(server.url, reduce="difference")
        assert list(rmeval.score(model, TALKS)) == pytest.approx([b - a for a, b in map(two, TALKS)])
        assert model.facts()["activation"] == "softmax"


def test_labels_are_named_by_the_reduction() -> None:
    def two(content: Any) -> list[float]:
        return like.drawn(content, outputs=2)

    with serve(like.routed(**like.tei_like(two, ["good", "bad"]))) as server:
        model = rmeval.load_model(server.url, tokenizer=TINY, reduce="label:good", scale=2.0)
        assert list(rmeval.score(model, TALKS)) == [2 * two(rendered(talk))[0] for talk in TALKS]
        assert model.identity()["reduce"] == "label:good"
        with pytest.raises(ModelError, match="names its outputs bad, good"):
            scored(server, tokenizer=TINY, reduce="label:fine")


@pytest.mark.parametrize(
    ("names", "reduce", "warned"),
    [
        (["good", "bad"], "index:0", True),
        (["good", "bad"], "difference", True),
        (["good", "bad"], "mean", False),
        (["good", "bad"], "label:good", False),
        (["LABEL_0", "LABEL_1"], "index:0", False),
    ],
)
def test_an_order_of_outputs_that_the_server_does_not_state_is_noted(
    names: list[str], reduce: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    routes = like.tei_like(lambda content: like.drawn(content, outputs=2), names)
    with serve(like.routed(**routes)) as server:
        scored(server, tokenizer=TINY, reduce=reduce)
    assert ("takes them in the order of their names (bad, good)" in caplog.text) == warned


def test_an_activation_that_is_not_known_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    routes = like.vllm_like()
    classify = routes["classify"]

    def tanh(body: Any) -> Any:
        answer = classify({**body, "use_activation": False})
        if body["use_activation"]:
            for one in answer["data"]:
                one["probs"] = [float(np.tanh(one["probs"][0]))]
        return answer

    routes["classify"] = tanh
    with serve(like.routed(**routes)) as server:
        assert scored(server) == DRAWN
    assert "neither sigmoid nor softmax" in caplog.text


def test_two_texts_of_a_model_with_a_chat_template_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A reward model that is called as a cross-encoder returns scores, but not those of its template."""
    routes = like.vllm_like()
    with serve(like.routed(**routes)) as server:
        scored(server, dialect="vllm-score@1")
    assert "two texts" in caplog.text
    assert "`dialect` vllm-classify@1" in caplog.text
    caplog.clear()
    no_template = json_answer({"error": {"message": "the tokenizer has no chat template", "code": 400}}, 400)
    for classify in (no_template, like.missing()):
        with serve(like.routed(**{**routes, "classify": classify})) as server:
            scored(server, dialect="vllm-score@1")
    assert not caplog.text


def test_a_server_that_does_not_read_the_conversation_is_noticed() -> None:
    with (
        serve(like.routed(**like.vllm_like(lambda _: [1.5]))) as server,
        pytest.raises(ModelError, match=r"returns the same score \[1\.5\] for 6 different conversations"),
    ):
        scored(server)


def test_scores_that_saturate_later_are_noticed() -> None:
    """Canaries get raw scores, and then another replica behind the same address answers."""

    def model(text: Any) -> list[float]:
        return like.drawn(text) if not any(f"Q{k}" in text for k in range(40)) else [1.0]

    talks = [[{"role": "user", "content": f"Q{k}"}, TALKS[0][1]] for k in range(40)]
    with serve(like.routed(**like.openrlhf_like(model))) as server:
        with pytest.raises(ModelError, match=r"only scores from 0 to 1 for 40 inputs, 40 of them exactly 0 or 1"):
            rmeval.score(server.url, talks, tokenizer=TINY)
        assert set(rmeval.score(server.url, talks, tokenizer=TINY, bounded_ok=True)) == {1.0}


# Rendering.


def test_equal_conversations_are_sent_once() -> None:
    with serve(like.routed(**like.vllm_like())) as server:
        found = rmeval.score(server.url, [TALKS[0]] * 3 + [TALKS[1]])
        sent = [str(body["messages"]) for body in bodies(server, "/classify")]
    assert list(found) == [DRAWN[0]] * 3 + [DRAWN[1]]
    assert Counter(sent)[str(TALKS[1])] == 1


def test_equal_tokens_are_sent_once(tmp_path: Path) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("{% for one in messages %}<|{{ one.role }}|>{{ one.content | trim }}<|end|>{% endfor %}")
    talks = [TALKS[0], [TALKS[0][0], {"role": "assistant", "content": " A0 "}]]
    with serve(like.routed(**like.vllm_like())) as server:
        one, other = rmeval.score(server.url, talks, tokenizer=TINY, chat_template=str(template))
        assert one == other
        assert len(bodies(server, "/classify")) == 3 * CANARIES + 1


def test_tools_need_a_tokenizer() -> None:
    talk = rmeval.Item(
        "x", "all", (rmeval.Message("user", "Q"),), (rmeval.Response("A"),), (), "x", tools=({"name": "search"},)
    )
    from rmeval.protocols.pointwise import conversation_requests

    requests = conversation_requests([talk.conversation(0)], [talk.tools])
    with serve(like.routed(**like.vllm_like())) as server:
        model = rmeval.load_model(server.url)
        with pytest.raises(ModelError, match="has tools, which cannot be sent as messages to score: give `tokenizer`"):
            list(model.observe(requests))


def test_roles_that_the_server_drops_are_noticed() -> None:
    def without_system(content: Any) -> list[float]:
        return like.drawn([one for one in content if one["role"] != "system"])

    talks = [[{"role": "system", "content": f"S{k}"}, *talk] for k, talk in enumerate(TALKS)]
    with serve(like.routed(**like.vllm_like())) as server:
        assert list(rmeval.score(server.url, talks)) == [like.drawn(talk)[0] for talk in talks]
    with serve(like.routed(**like.vllm_like(without_system))) as server:
        with pytest.raises(ModelError, match=r"role 'system' \(item 0\).*`allow_dropped_roles` system"):
            rmeval.score(server.url, talks)
        assert list(rmeval.score(server.url, talks, allow_dropped_roles=("system",))) == DRAWN


def test_a_conversation_that_is_too_long_is_counted_and_not_scored() -> None:
    long = [TALKS[0][0], {"role": "assistant", "content": "word " * 900}]
    with serve(like.routed(**like.vllm_like(limit=512))) as server:
        with pytest.raises(ModelError, match="takes at most 512 tokens"):
            rmeval.score(server.url, [*TALKS, long], tokenizer=TINY)
        skipped = rmeval.score(server.url, [*TALKS, long], tokenizer=TINY, on_overlength="skip")
    assert np.isnan(skipped).tolist() == [False] * 6 + [True]


def test_a_server_that_finds_many_conversations_too_long_does_not_stop_the_run() -> None:
    routes = like.vllm_like()
    classify = routes["classify"]

    def refused(body: Any) -> Any:
        if len(str(body["messages"])) > 1200:
            words = "This model's maximum context length is 512 tokens. However, you requested 900 tokens."
            return json_answer({"error": {"message": words}}, 400)
        return classify(body)

    routes["classify"] = refused
    talks = [[one[0], {"role": "assistant", "content": f"{k} " * 600}] for k, one in enumerate(TALKS * 6)] + TALKS
    from rmeval.protocols.pointwise import as_conversation, conversation_requests

    with serve(like.routed(**routes)) as server:
        model = rmeval.load_model(server.url)
        requests = conversation_requests([as_conversation(talk, "here") for talk in talks])
        found = Counter(one.status for batch in model.observe(requests) for one in batch)
    assert found == {"overlength": 36, "ok": 6}


def test_another_tokenizer_than_the_servers_is_noticed(tokens: Callable[[str], list[int]], checkpoint: Path) -> None:
    shown = {"tokenize": lambda body: {"tokens": tokens(body["prompt"]), "count": 0, "max_model_len": 4096}}
    with serve(like.routed(**like.vllm_like(), **shown)) as server:
        model = rmeval.load_model(server.url, tokenizer=TINY)
        assert len(rmeval.score(model, TALKS)) == len(TALKS)
        assert model.facts()["same_tokens_as_server"] is True
        with pytest.raises(ModelError, match=r"that are not the .* of the server's tokenizer: give the model's own"):
            scored(server, tokenizer=str(checkpoint))


def test_a_server_that_cuts_or_adds_tokens_is_noticed() -> None:
    routes = like.vllm_like()
    classify = routes["classify"]

    def cut(body: Any) -> Any:
        return classify({**body, "input": body["input"][-20:]})

    routes["classify"] = cut
    with (
        serve(like.routed(**routes)) as server,
        pytest.raises(ModelError, match=r"counted 20 tokens where \d+ were sent"),
    ):
        scored(server, tokenizer=TINY)


# Options.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": "score"}, "does not use `head`: leave it out"),
        ({"dtype": "float32"}, "does not use `dtype`"),
        ({"max_length": 5}, "whose server renders, does not use `max_length`: .* give the model's `tokenizer`"),
        ({"on_overlength": "skip"}, "does not use `on_overlength`"),
        ({"batch_size": 2}, "takes one conversation as messages in a call: leave `batch_size` out"),
        ({"dialect": "tei-predict"}, "takes text, not messages: give the model's `tokenizer`"),
        ({"dialect": "nim-chat", "tokenizer": TINY}, "takes messages, which the server renders: leave `tokenizer` out"),
        ({"dialect": "unknown"}, "there is no dialect 'unknown'"),
        ({"tokenizer": TINY, "max_length": 5000}, "takes at most 4096 tokens: give a smaller `max_length` than 5000"),
        ({"reduce": "first"}, "`reduce` 'first' is unknown"),
        ({"concurrency": 0}, "`concurrency` is 0"),
    ],
)
def test_options_that_do_not_fit_are_a_sentence(options: dict[str, Any], words: str) -> None:
    with serve(like.routed(**like.vllm_like())) as server, pytest.raises(ModelError, match=words):
        rmeval.load_model(server.url, **options)


@pytest.mark.parametrize(
    "option", [{"served_model": "x"}, {"dialect": "nim-chat"}, {"bounded_ok": True}, {"retries": 1}]
)
@pytest.mark.parametrize("model", ["baseline:longest", "rmeval/tiny"])
def test_other_models_refuse_options_of_servers(option: dict[str, Any], model: str) -> None:
    (name,) = option
    with pytest.raises(ModelError, match=f"does not use `{name}`: leave it out, or for a model behind a server give"):
        rmeval.load_model(model, **option)


# Whole runs, and servers that fail.


def pairs(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"P{k}", "chosen": f"good {k}", "rejected": f"bad {k}"} for k in range(count)]


def test_a_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(40)))
    arguments = ["-b", "pairs", "--data", data, "-o", tmp_path / "runs"]
    with serve(like.routed(**like.vllm_like())) as server:
        done = command(capsys, "run", server.url, "--served-model", "rm", "--concurrency", "4", *arguments)
        assert (done.code, "accuracy" in done.out) == (0, True), done.err
        line = "served: rm from /models/rm, by vllm-classify@1 (vllm), at most 4096 tokens; the server renders"
        assert line in " ".join(done.err.split())
        calls = len(bodies(server, "/classify"))
        assert server.most <= 4
    (folder,) = (tmp_path / "runs").glob("pairs/rm/*")
    manifest: dict[str, Any] = dict(read_manifest(folder))
    (session,) = manifest["sessions"]
    assert manifest["model"] == {"name": "rm", "kind": "served"}
    assert (session["rendered_by"], session["activation"], session["served_by"]) == ("server", "sigmoid", "vllm")
    assert calls == 3 * CANARIES + 3 + 80
    with serve(like.routed(**like.vllm_like())) as server:
        again = command(capsys, "run", server.url, *arguments)
        assert (again.code, again.out) == (0, done.out)
        assert len(bodies(server, "/classify")) == 2 * CANARIES  # Another model may have this name now.
        token_scores = ["token-scores", server.url, data, "-o", tmp_path / "x.jsonl"]
        for other in (["doctor", server.url], token_scores):
            refused = command(capsys, *other)
            assert (refused.code, "kind served" in refused.err) == (2, True)


def test_messages_need_neither_torch_nor_transformers(tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(4)))
    with serve(like.routed(**like.vllm_like())) as server:
        arguments = ["run", server.url, "-b", "pairs", "--data", str(data), "-o", str(tmp_path / "runs")]
        done = process("-c", WITHOUT.format(extras=EXTRAS, arguments=arguments))
        assert (done.returncode, "accuracy" in done.stdout) == (0, True), done.stderr
        refused = process("-c", WITHOUT.format(extras=EXTRAS, arguments=[*arguments, "--tokenizer", TINY]))
        assert (refused.returncode, "pip install 'rmeval[hf]'" in refused.stderr) == (2, True), refused.stderr
        refused = process("-c", WITHOUT.format(extras=("httpcore2", "httpx2"), arguments=arguments))
        assert (refused.returncode, "pip install 'rmeval[http]'" in refused.stderr) == (2, True), refused.stderr


def test_score_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in TALKS))
    with serve(like.routed(**like.vllm_like())) as server:
        assert command(capsys, "score", server.url, source, "-o", target).code == 0
    assert [json.loads(line)["score"] for line in target.read_text().splitlines()] == DRAWN


def test_a_server_that_is_restarted_continues_the_run(tmp_path: Path) -> None:
    """Killed and started again at the same port in mid-run: every request is scored, none is lost or written twice."""
    port, begun = free_port(), threading.Event()
    running: list[Scripted] = []
    first = like.routed(**like.vllm_like())
    calls = 0

    def until_killed(request: Received) -> Answer:
        nonlocal calls
        calls += request.path == "/classify"
        if calls > 60:
            begun.set()
        return first(request)

    def restart() -> None:
        begun.wait(30)
        running.pop().stop()
        other = Scripted(like.routed(**like.vllm_like()), port)
        other.start()
        running.append(other)

    server = Scripted(until_killed, port)
    server.start()
    running.append(server)
    thread = threading.Thread(target=restart)
    thread.start()
    try:
        result = rmeval.evaluate(server.url, data=pairs(150), out=tmp_path, concurrency=4)
    finally:
        begun.set()
        thread.join()
        running.pop().stop()
    observations = read_run(result.path).observations
    assert (observations.status == 1).sum() == 300
    lines = [line for file in (result.path / "journal").iterdir() for line in file.read_text().splitlines()]
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 300


def test_answers_before_the_end_of_a_server_are_kept(tmp_path: Path) -> None:
    """The server ends and does not come back: what it answered is stored, and the run stops with a sentence."""
    whole, calls = like.routed(**like.vllm_like()), threading.Event()
    answered = 0

    def counting(request: Received) -> Answer:
        nonlocal answered
        answered += request.path == "/classify"
        if answered > 100:
            calls.set()
        return whole(request)

    server = Scripted(counting)
    server.start()

    def end() -> None:
        calls.wait(30)
        server.stop()

    thread = threading.Thread(target=end)
    thread.start()
    try:
        with pytest.raises(ModelError, match="run again"):
            rmeval.evaluate(server.url, data=pairs(400), out=tmp_path, concurrency=2, timeout=1.0)
    finally:
        calls.set()
        thread.join()
    (folder,) = (tmp_path / "pairs" / "rm").iterdir()
    lines = [line for file in (folder / "journal").iterdir() for line in file.read_text().splitlines()]
    kept = sum(json.loads(line)["status"] == "ok" for line in lines)
    assert answered - 2 * CANARIES - 3 - 4 <= kept < 800


def test_another_model_after_a_restart_is_an_error(tmp_path: Path) -> None:
    """The run that another process begins on the same address, and one that continues in the same process."""
    port = free_port()
    with serve(like.routed(**like.vllm_like()), port) as server:
        model = rmeval.load_model(server.url)
        rmeval.evaluate(model, data=pairs(9), limit=5, out=tmp_path)
    with serve(like.routed(**like.vllm_like(lambda content: like.drawn(content, seed=1))), port) as server:
        with pytest.raises(ModelError, match="serves another model now"):
            rmeval.evaluate(model, data=pairs(9), out=tmp_path)
        with pytest.raises(RunError, match="contains scores of another model than the one that is served now"):
            rmeval.evaluate(server.url, data=pairs(9), out=tmp_path)


def test_another_model_does_not_get_the_scores_of_a_complete_run(tmp_path: Path) -> None:
    whole = like.routed(**like.vllm_like())
    other = like.routed(**like.vllm_like(lambda content: like.drawn(content, seed=1)))
    with serve(whole) as server:
        first = rmeval.evaluate(server.url, data=pairs(9), out=tmp_path)
    with serve(other) as server, pytest.raises(RunError, match="another model than the one that is served now"):
        rmeval.evaluate(server.url, data=pairs(9), out=tmp_path)
    with serve(whole) as server:
        assert rmeval.evaluate(server.url, data=pairs(9), out=tmp_path).path == first.path
        assert len(bodies(server, "/classify")) == 2 * CANARIES


def test_a_shift_hides_no_other_model(tmp_path: Path) -> None:
    """Beside a large number, the scores of any two models look the same."""
    other = like.routed(**like.vllm_like(lambda content: like.drawn(content, seed=1)))
    with serve(like.routed(**like.vllm_like())) as server:
        rmeval.evaluate(server.url, data=pairs(9), out=tmp_path, shift=1000.0)
    with serve(other) as server, pytest.raises(RunError, match="contains scores of another model"):
        rmeval.evaluate(server.url, data=pairs(9), out=tmp_path, shift=1000.0)


@pytest.mark.parametrize(
    ("count", "stated", "words"),
    [
        (9, False, "served several models during the run"),
        (150, False, "served several models during the run"),
        (150, True, r"returned no score for .*answer is that of the model another, and the first one was that of rm"),
    ],
)
def test_another_model_in_mid_run_is_an_error(count: int, stated: bool, words: str, tmp_path: Path) -> None:
    """Another model answers from some call on, and no connection ends, as behind a proxy."""
    whole, other = like.routed(**like.vllm_like()), like.vllm_like(lambda content: like.drawn(content, seed=1))
    classify, calls = other["classify"], 0
    if stated:
        other["classify"] = lambda body: {**classify(body), "model": "another"}
    changed = like.routed(**other)

    def script(request: Received) -> Answer:
        nonlocal calls
        calls += request.path == "/classify"
        return changed(request) if calls > 2 * CANARIES + count else whole(request)

    with serve(script) as server, pytest.raises(ModelError, match=words):
        rmeval.evaluate(server.url, data=pairs(count), out=tmp_path, concurrency=2)
    stored = [json.loads(line) for file in tmp_path.rglob("journal/*.jsonl") for line in file.read_text().splitlines()]
    if stated:
        # Only scores of the first model are stored, and it completes them.
        assert 0 < sum(one["status"] == "ok" for one in stored) <= count
        with serve(whole) as server:
            result = rmeval.evaluate(server.url, data=pairs(count), out=tmp_path)
        assert (read_run(result.path).observations.status == 1).sum() == 2 * count
    elif stored:
        with serve(whole) as server, pytest.raises(RunError, match="contains scores of several models"):
            rmeval.evaluate(server.url, data=pairs(count), out=tmp_path)


def test_several_models_in_mid_run_end_a_file_of_scores(tmp_path: Path) -> None:
    source, target, calls = tmp_path / "in.jsonl", tmp_path / "out.jsonl", 0
    talks = [[{"role": "user", "content": f"Q{k}"}, TALKS[0][1]] for k in range(300)]
    source.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    whole = like.routed(**like.vllm_like())
    changed = like.routed(**like.vllm_like(lambda content: like.drawn(content, seed=1)))

    def script(request: Received) -> Answer:
        nonlocal calls
        calls += request.path == "/classify"
        return changed(request) if calls > 250 else whole(request)

    with serve(script) as server, pytest.raises(ModelError, match="served several models"):
        score_file(rmeval.load_model(server.url), source, target)
    with serve(whole) as server, pytest.raises(RunError, match="contains scores of several models"):
        score_file(rmeval.load_model(server.url), source, target)
    assert not target.exists()


def test_a_server_that_ends_with_the_last_answer_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serve(like.routed(**like.vllm_like())) as server:
        found = rmeval.load_model(server.url, max_requests=2 * CANARIES + 2 + 3 + 18)
        result = rmeval.evaluate(found, data=pairs(9), out=tmp_path)
    assert (read_run(result.path).observations.status == 1).sum() == 18
    assert "whether it still serves the same model could not be checked (the budget is spent" in caplog.text


def test_another_model_does_not_continue_a_file_of_scores(tmp_path: Path) -> None:
    """The server is killed in mid-run, and the next command finds another model at the same address."""
    source, target, left = tmp_path / "in.jsonl", tmp_path / "out.jsonl", 20
    talks = [[{"role": "user", "content": f"Q{k}"}, TALKS[0][1]] for k in range(200)]
    source.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    whole = like.routed(**like.vllm_like())

    def dying(request: Received) -> Answer:
        nonlocal left
        left -= request.path == "/classify"
        return json_answer({"detail": "gone"}, 404) if left < 0 else whole(request)

    def run(script: Any) -> None:
        with serve(script, port) as server:
            score_file(rmeval.load_model(server.url, concurrency=1), source, target)

    port = free_port()
    with pytest.raises(ModelError, match="404"):
        run(dying)
    other = like.vllm_like(lambda content: like.drawn(content, seed=1))
    with pytest.raises(RunError, match=r"out\.jsonl\.partial contains scores of another model than the one"):
        run(like.routed(**other))
    run(whole)
    assert [json.loads(line)["score"] for line in target.read_text().splitlines()] == [like.drawn(t)[0] for t in talks]
    assert not target.with_name("out.jsonl.partial").exists()


def test_another_model_does_not_finish_a_file_of_which_all_scores_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"messages": TALKS[0]}) + "\n")

    def run(seed: int) -> None:
        with serve(like.routed(**like.vllm_like(lambda content: like.drawn(content, seed)))) as server:
            score_file(rmeval.load_model(server.url), source, target)

    def full(*arguments: Any) -> None:
        raise RunError("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(RunError, match="full"):
        patch.setattr("rmeval.runs.score_file.write_rows", full)
        run(0)
    with pytest.raises(RunError, match=r"out\.jsonl\.partial contains scores of another model than the one"):
        run(1)
    run(0)
    assert json.loads(target.read_text())["score"] == like.drawn(TALKS[0])[0]


@pytest.mark.parametrize("scheme", ["HTTP", "Http"])
def test_the_scheme_of_an_address_may_be_written_in_capitals(scheme: str) -> None:
    with serve(like.routed(**like.vllm_like())) as server:
        assert rmeval.load_model(server.url.replace("http", scheme, 1)).kind == "served"


def statuses(server: Scripted, count: int = 30, **options: Any) -> dict[str, int]:
    """The statuses of some conversations."""
    from rmeval.protocols.pointwise import as_conversation, conversation_requests

    talks = [[{"role": "user", "content": f"Q{k}"}, TALKS[0][1]] for k in range(count)]
    requests = conversation_requests([as_conversation(talk, "here") for talk in talks])
    model = rmeval.load_model(server.url, tokenizer=TINY, **options)
    found = [one for batch in model.observe(requests) for one in batch]
    assert sorted(one.key for one in found) == sorted(one.key for one in requests)
    assert all(one.error for one in found if one.status == "error")
    for one in found:
        if one.status == "ok":
            (place,) = [k for k, request in enumerate(requests) if request.key == one.key]
            assert one.values["score"] == like.drawn(TOKENS_OF[place])[0]
    return dict(Counter(one.status for one in found))


TOKENS_OF: list[list[int]] = []


@pytest.fixture
def _tokens_of(tokens: Callable[[str], list[int]]) -> None:
    TOKENS_OF[:] = [tokens(rendered([{"role": "user", "content": f"Q{k}"}, TALKS[0][1]])) for k in range(40)]


def broken(change: Callable[[list[Any]], Any], when: Callable[[Any], bool]) -> Any:
    """vLLM's routes, with answers to some bodies changed."""
    routes = like.vllm_like()
    classify = routes["classify"]

    def changed(body: Any) -> Any:
        answer = classify(body)
        return {**answer, "data": change(answer["data"])} if when(body) else answer

    return {**routes, "classify": changed}


def of_several(body: Any) -> bool:
    return isinstance(body["input"][0], list) and len(body["input"]) > 1


CHANGES: dict[str, Callable[[list[Any]], Any]] = {
    "wrong length": lambda data: data[:-1],
    "one too many": lambda data: [*data, data[0]],
    "duplicate indices": lambda data: [data[0]] * len(data),
    "null": lambda data: [{**one, "probs": [None]} for one in data],
    "another number of outputs": lambda data: [{**one, "probs": [0.1, 0.2], "num_classes": 2} for one in data],
    "not a list": lambda data: {"0": data[0]},
}


@pytest.mark.usefixtures("_tokens_of")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_broken_answer_to_several_inputs_is_split(change: Callable[[list[Any]], Any]) -> None:
    with serve(like.routed(**broken(change, of_several))) as server:
        assert statuses(server, batch_size=4) == {"ok": 30}


@pytest.mark.usefixtures("_tokens_of")
@pytest.mark.parametrize("change", [one for name, one in CHANGES.items() if name != "duplicate indices"])
def test_a_broken_answer_to_one_input_is_an_error_of_that_input(change: Callable[[list[Any]], Any]) -> None:
    def when(body: Any) -> bool:
        return body["input"] in (TOKENS_OF[3], TOKENS_OF[17])

    with serve(like.routed(**broken(change, when))) as server:
        assert statuses(server) == {"ok": 28, "error": 2}
        assert statuses(server, batch_size=4) == {"ok": 30}


@pytest.mark.usefixtures("_tokens_of")
def test_answers_in_another_order_are_those_of_their_index() -> None:
    with serve(like.routed(**broken(lambda data: data[::-1], of_several))) as server:
        assert statuses(server, batch_size=4) == {"ok": 30}


@pytest.mark.usefixtures("_tokens_of")
def test_a_refused_call_of_several_inputs_is_split() -> None:
    routes = like.vllm_like()
    classify = routes["classify"]

    def small(body: Any) -> Any:
        if of_several(body) and len(body["input"]) > 1:
            return json_answer({"error": {"message": "batch too large"}}, 413)
        return json_answer({"error": "bad input"}, 400) if body["input"] == TOKENS_OF[5] else classify(body)

    with serve(like.routed(**{**routes, "classify": small})) as server:
        assert statuses(server, batch_size=4) == {"ok": 29, "error": 1}


@pytest.mark.usefixtures("_tokens_of")
def test_a_server_whose_answers_cannot_be_read_stops_the_run() -> None:
    canaries = 2 * CANARIES
    calls = 0

    def when(body: Any) -> bool:
        nonlocal calls
        calls += 1
        return calls > canaries

    with (
        serve(like.routed(**broken(lambda data: [], when))) as server,
        pytest.raises(ModelError, match=r"returned no score for \d+ inputs in a row .*0 entries for 1 input"),
    ):
        statuses(server, 40)


def test_no_server_and_servers_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:\d+ cannot be reached"):
        rmeval.load_model(f"http://127.0.0.1:{free_port()}")
    with serve(lambda _: redirect("http://example.org/")) as server, pytest.raises(ModelError, match="example"):
        rmeval.load_model(server.url)
    with pytest.raises(ModelError, match="give the model's id org/rm-8b"):
        rmeval.load_model("https://huggingface.co/org/rm-8b/tree/main")
    with pytest.raises(ModelError, match="write http://localhost:8000 if it is the address of a server"):
        rmeval.load_model("localhost:8000")
    for status in (429, 500):
        with serve(lambda _, status=status: json_answer({"error": "later"}, status, retry_after="9")) as server:  # type: ignore[misc]
            with pytest.raises(ModelError, match=rf"does not answer \(HTTP {status}: later"):
                rmeval.load_model(server.url, retries=0)
            assert len(server.received) == 1
    with serve(lambda _: Answer()) as server, pytest.raises(ModelError, match=r"cannot be reached|HTTP|https"):
        rmeval.load_model(server.url.replace("http", "https"), connect_timeout=0.2, retries=0)
    with (
        serve(lambda _: text_answer("<h1>Welcome</h1>")) as server,
        pytest.raises(ModelError, match="does not show which"),
    ):
        rmeval.load_model(server.url)
    assert len(server.received) == 3  # A page is no reason to try a route again.


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "does not answer classify .HTTP 404: no.: it serves a language model, another model, or uses another"),
        (400, "cannot score a short conversation .HTTP 400: no.: check the server and its log"),
    ],
)
def test_a_server_that_shows_a_route_and_does_not_answer_it(status: int, words: str) -> None:
    routes = like.routed(**like.vllm_like())

    def script(request: Received) -> Answer:
        refuses = request.path == "/classify"
        return json_answer({"error": {"message": "no"}}, status) if refuses else routes(request)

    with serve(script) as server:
        model = rmeval.load_model(server.url, retries=0)
        with pytest.raises(ModelError, match=words):
            rmeval.score(model, TALKS)


def test_keys_are_sent_and_a_refusal_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = like.routed(**like.vllm_like())

    def script(request: Received) -> Answer:
        right = request.headers.get("authorization") == "Bearer right-key-0123456789"
        return routes(request) if right else json_answer({"error": {"message": "Unauthorized"}}, 401)

    monkeypatch.delenv("RMEVAL_API_KEY", raising=False)
    with serve(script) as server:
        with pytest.raises(ModelError, match=r"Unauthorized.*set the environment variable RMEVAL_API_KEY"):
            rmeval.load_model(server.url)
        monkeypatch.setenv("MY_KEY", "wrong-key-0123456789")
        with pytest.raises(ModelError, match="check the key in the environment variable MY_KEY") as refused:
            rmeval.load_model(server.url, api_key_env="MY_KEY")
        assert "wrong-key" not in str(refused.value)
        monkeypatch.setenv("MY_KEY", "right-key-0123456789")
        model = rmeval.load_model(server.url, api_key_env="MY_KEY")
        assert list(rmeval.score(model, TALKS)) == DRAWN
        assert "right-key" not in json.dumps([model.facts(), model.identity()])


def test_a_server_that_dies_keeps_what_came(tmp_path: Path) -> None:
    script = like.routed(**like.vllm_like())
    left = 60
    state = {"up": True}

    def dying(request: Received) -> Answer:
        nonlocal left
        left -= request.path == "/classify"
        return json_answer({"detail": "Not Found"}, 404) if left < 0 and state["up"] else script(request)

    with serve(dying) as server:
        with pytest.raises(RmevalError, match="404"):
            rmeval.evaluate(server.url, data=pairs(60), out=tmp_path, concurrency=2)
        first = len(bodies(server, "/classify"))
        state["up"] = False
        result = rmeval.evaluate(server.url, data=pairs(60), out=tmp_path, concurrency=2)
        assert len(bodies(server, "/classify")) - first < 120 + 2 * CANARIES + 3 - 30
    assert (read_run(result.path).observations.status == 1).sum() == 120
    assert len(read_manifest(result.path)["sessions"]) == 2
