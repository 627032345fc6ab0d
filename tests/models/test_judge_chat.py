"""Judges behind servers: addresses, parameters that a server refuses, failures, keys, and what the manifest states."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.models.judge.chat import ChatJudge
from rmeval.models.options import model_options
from rmeval.protocols.judging import Asked, Output, Prompt, Sampling
from rmeval.store.raw import read_raw
from rmeval.types import Message, Request
from tests.command import command
from tests.http_server import Answer, Received, Script, json_answer, serve, text_answer
from tests.judge_server import CHAT, judged_pairs, labels_reply, reply_of, scripted_judge

MODELS = json_answer({"data": [{"id": "scripted", "object": "model"}]})


def asked(number: int = 0, text: str = "Which?", **prompt: Any) -> Asked:
    request = Request(f"{number:032x}", "item", (0, 1), (Message("user", "q"),), ("a", "b"))
    return Asked(request, Prompt((Message("user", f"{text} {number}"),), **prompt), 100, number)


def judge(url: str, model: str | None = None, sampling: Sampling | None = None, **options: Any) -> ChatJudge:
    return ChatJudge(url, model, model_options(protocol="five-way", **options), sampling or Sampling())


def outputs(found: ChatJudge, *every: Asked) -> list[Output]:
    pairs = [pair for batch in found.outputs(iter(every)) for pair in batch]
    return [output for _, output in sorted(pairs, key=lambda pair: pair[0].request.key)]


def at(route: str, script: Callable[[Any], Answer]) -> Script:
    """A server that answers one route, and the list of models beside it."""
    models = route.replace("chat/completions", "models")

    def routed(request: Received) -> Answer:
        if request.path == route:
            return script(request.json)
        return MODELS if request.path == models else json_answer({"error": {"message": "Not Found"}}, 404)

    return routed


def says(body: Any) -> Answer:
    return json_answer(reply_of(f"[[A>B]] {body['messages'][-1]['content']}"))


@pytest.mark.parametrize(
    ("given", "route"),
    [
        ("", "/v1/chat/completions"),
        ("/", "/v1/chat/completions"),
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1beta/openai", "/v1beta/openai/chat/completions"),
        ("/v1beta/openai/", "/v1beta/openai/chat/completions"),
        ("/api/v1", "/api/v1/chat/completions"),
        ("/openai/v1", "/openai/v1/chat/completions"),
        ("/vllm", "/vllm/v1/chat/completions"),  # Behind a proxy; the version is left out as for a bare host.
    ],
)
@pytest.mark.parametrize("model", [None, "scripted"])
def test_addresses(given: str, route: str, model: str | None) -> None:
    with serve(at(route, says)) as server:
        found = judge(f"{server.url}{given}", model)
        assert outputs(found, asked(1), asked(2)) == [
            Output(f"[[A>B]] Which? {number}", usage={"tokens": 0, "output_tokens": 4}) for number in (1, 2)
        ]
        assert found.name == "scripted"


def test_the_body_of_a_call() -> None:
    with serve(at(CHAT, says)) as server:
        sampling = Sampling(0.7, 0.9, 100)
        outputs(judge(server.url, sampling=sampling, judge_kwargs={"reasoning_effort": "low"}), asked(3))
        outputs(judge(server.url, judge_kwargs={"temperature": None, "max_completion_tokens": 5}), asked(4))
        outputs(judge(server.url), asked(5, schema={"type": "object"}))
        one, two, three = (each.json for each in server.received if each.path == CHAT)
    common = {"model": "scripted", "messages": [{"role": "user", "content": "Which? 3"}], "max_tokens": 100}
    assert one == {**common, "temperature": 0.7, "top_p": 0.9, "seed": 3, "reasoning_effort": "low"}
    assert two == {
        "model": "scripted",
        "messages": [{"role": "user", "content": "Which? 4"}],
        "max_completion_tokens": 5,
    }
    assert three["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert "seed" not in three


def picky(body: Any) -> Answer:
    """A reasoning model of OpenAI, which refuses one parameter after the other."""
    for name, words in (
        (
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'",
        ),
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1)"),
        ("seed", "Unsupported parameter: 'seed'"),
        ("response_format", "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
    ):
        if name in body:
            return json_answer({"error": {"message": words, "code": "unsupported_parameter"}}, 400)
    return says(body)


def test_parameters_that_a_server_refuses_are_left_out_once_for_all(caplog: pytest.LogCaptureFixture) -> None:
    with serve(at(CHAT, picky)) as server:
        found = judge(server.url)
        result = outputs(found, *(asked(number, schema={"type": "object"}) for number in range(20)))
        sent = [one for one in server.received if one.path == CHAT]
    assert [one.text for one in result] == [f"[[A>B]] Which? {number}" for number in range(20)]
    assert len(sent) == 20 + 4
    assert set(sent[-1].json) == {"model", "messages", "max_completion_tokens"}
    assert found.facts()["adapted"] == {
        "max_tokens": "sent as max_completion_tokens",
        "temperature": "left out",
        "seed": "left out",
        "response_format": "left out",
    }
    assert "refuses temperature (HTTP 400" in caplog.text


@pytest.mark.parametrize(
    ("options", "refused", "words"),
    [
        ({"temperature": 0.5}, "temperature", "scripted refuses `temperature` .*: leave it out"),
        ({"judge_kwargs": {"seed": 1}}, "seed", "scripted refuses seed .*: leave it out of `judge_kwargs`"),
    ],
)
def test_what_the_user_wants_is_not_left_out_in_silence(options: Any, refused: str, words: str) -> None:
    refuses = json_answer({"error": {"message": f"{refused} is not supported"}}, 400)
    with serve(at(CHAT, lambda body: refuses)) as server, pytest.raises(rmeval.ModelError, match=words):
        outputs(judge(server.url, **options), asked())


def test_label_probabilities_are_read_and_needed() -> None:
    labels: dict[str, Any] = {"form": "labels", "labels": ("A", "B")}
    with serve(at(CHAT, lambda body: json_answer(labels_reply(("A", "B"), "A", 0.8, "scripted", "x")))) as server:
        (found,) = outputs(judge(server.url), asked(**labels))
        body = server.received[-1].json
    assert found.probabilities == {"A": pytest.approx(0.8), "B": pytest.approx(0.2)}
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    with serve(at(CHAT, says)) as server:  # It ignores what was asked for, as transformers serve does.
        with pytest.raises(
            rmeval.ModelError, match="returns no log-probabilities: choose a `protocol` that reads text"
        ):
            outputs(judge(server.url), *(asked(number, **labels) for number in range(50)))
        assert len([one for one in server.received if one.path == CHAT]) == 1
    refuses = json_answer({"error": {"message": "logprobs is not supported"}}, 400)
    with serve(at(CHAT, lambda body: refuses)) as server, pytest.raises(rmeval.ModelError, match="of scripted"):
        outputs(judge(server.url), asked(**labels))


def test_prompts_that_are_too_long_are_statuses(tmp_path: Path) -> None:
    long = json_answer({"error": {"message": "This model's maximum context length is 100 tokens"}}, 400)

    def script(body: Any) -> Answer:
        return long if "long" in body["messages"][-1]["content"] else says(body)

    with serve(at(CHAT, script)) as server:
        texts = ["long", "long", "short", *["long"] * 40, "short"]
        found = outputs(judge(server.url), *(asked(number, text) for number, text in enumerate(texts)))
    assert [one.finish for one in found] == ["stop" if text == "short" else "overlength" for text in texts]
    assert found[0].error == "HTTP 400: This model's maximum context length is 100 tokens"


def test_an_output_that_cannot_be_longer_stays_cut_off(tmp_path: Path) -> None:
    table = judged_pairs(4, tmp_path / "pairs.jsonl")
    whole = scripted_judge(table)

    def script(request: Received) -> Answer:
        if request.path != CHAT or b"Question 0" not in request.body:
            return whole(request)
        if request.json["max_tokens"] > 64:
            return json_answer({"error": {"message": "maximum context length is 100 tokens"}}, 400)
        return json_answer(reply_of("First I", finish="length"))

    with serve(script) as server:
        options: dict[str, Any] = {"data": str(tmp_path / "pairs.jsonl"), "protocol": "five-way", "out": tmp_path}
        result = rmeval.evaluate(server.url, "pairs", max_new_tokens=64, **options)
    lines = "".join(file.read_text() for file in (result.path / "journal").iterdir())
    assert lines.count('"status":"no_verdict"') == 2
    assert lines.count('"status":"ok"') == 6


def test_a_name_that_is_longer_than_a_file_may_be_called(tmp_path: Path) -> None:
    """As of a checkpoint deep in a file system, which vLLM serves by its path."""
    name = f"/data/{'checkpoint-' * 300}"
    judged_pairs(4, tmp_path / "pairs.jsonl")
    models = json_answer({"data": [{"id": name}]})
    answer = json_answer(reply_of("[[A>B]]", name))
    with serve(lambda request: answer if request.path == "/v1/chat/completions" else models) as server:
        result = rmeval.evaluate(server.url, "pairs", tmp_path / "pairs.jsonl", protocol="five-way", out=tmp_path)
        again = rmeval.evaluate(
            name, "pairs", tmp_path / "pairs.jsonl", base_url=server.url, protocol="five-way", out=tmp_path
        )
        calls = [request for request in server.received if request.method == "POST"]
    assert rmeval.open_run(result.path).manifest["model"]["name"] == name
    assert (again.path, len(calls)) == (result.path, 8)


def test_half_of_a_character_does_not_cost_the_verdict(tmp_path: Path) -> None:
    """As where a server cuts a text within an emoji: JSON can write the half, and a file in UTF-8 cannot."""
    judged_pairs(4, tmp_path / "pairs.jsonl")
    answer = json.dumps(reply_of("HALF The first. [[A>B]]")).replace("HALF", "\\ud83d")
    with serve(at("/v1/chat/completions", lambda body: text_answer(answer, 200))) as server:
        options: dict[str, Any] = {"protocol": "five-way", "out": tmp_path, "store_text": True}
        result = rmeval.evaluate(server.url, "pairs", data=tmp_path / "pairs.jsonl", **options)
    lines = "".join(file.read_text() for file in (result.path / "journal").iterdir())
    assert lines.count('"status":"ok"') == 8
    assert {text for _, text in read_raw(result.path / "raw")} == {"\ufffd The first. [[A>B]]"}


def test_an_answer_of_another_model_is_an_error() -> None:
    def script(body: Any) -> Answer:
        other = body["messages"][-1]["content"].endswith(" 5")
        return json_answer(reply_of("[[A>B]]", "another" if other else "scripted-2026-11"))

    with serve(at(CHAT, script)) as server:
        found = judge(server.url)
        errors = [one.error for one in outputs(found, *map(asked, range(8)))]
    assert errors.count(None) == 7
    assert errors[5] == "the answer is that of the model another, and the first one was that of scripted-2026-11"
    assert found.facts()["answered_by"] == "scripted-2026-11"


def test_another_model_of_the_same_name_does_not_continue_a_run(tmp_path: Path) -> None:
    """As where a provider moves a name to its newest model between two processes."""
    judged_pairs(20, tmp_path / "pairs.jsonl")
    options: dict[str, Any] = {"data": str(tmp_path / "pairs.jsonl"), "protocol": "five-way", "out": tmp_path}

    def run(named: str, **more: Any) -> None:
        with serve(at("/v1/chat/completions", lambda body: json_answer(reply_of("[[A>B]]", named)))) as server:
            rmeval.evaluate(server.url, "pairs", **options, **more)

    with pytest.raises(rmeval.ModelError, match="budget"):
        run("scripted-2026-05", max_requests=12, concurrency=1)
    with pytest.raises(rmeval.RunError, match=r"verdicts of scripted-2026-05, and .* answered by scripted-2026-11 now"):
        run("scripted-2026-11")
    run("scripted-2026-05")


def test_a_server_that_answers_nothing_usable_stops_the_run() -> None:
    wrong = json_answer({"error": {"message": "the prompt contains a word that I do not like"}}, 400)
    with serve(at(CHAT, lambda body: wrong)) as server:
        with pytest.raises(
            rmeval.ModelError,
            match=r"returned no output for \d+ requests in a row \(HTTP 400: the prompt contains a word",
        ):
            outputs(judge(server.url, concurrency=4), *map(asked, range(400)))
        assert len(server.received) < 150


@pytest.mark.parametrize(
    ("script", "model", "words"),
    [
        (lambda _: json_answer({"detail": "Not Found"}, 404), "m", "has no chat/completions .* leave `protocol` out"),
        (at("/x", says), None, "does not list its models: name one with `served_model`"),
        (lambda _: json_answer({"data": [{"id": "a"}, {"id": "b"}]}), None, "lists 2 models: name one .*: a, b"),
        (lambda _: json_answer({"error": {"message": "Incorrect API key"}}, 401), "m", "set the environment variable"),
        (lambda _: text_answer("<title>Login</title>", 200), None, "does not list its models"),
    ],
)
def test_servers_that_cannot_be_used(script: Script, model: str | None, words: str) -> None:
    with serve(script) as server, pytest.raises(rmeval.ModelError, match=words):
        outputs(judge(server.url, model), asked())


def test_a_model_that_the_server_does_not_have() -> None:
    missing = {"error": {"message": "The model `scriptet` does not exist", "code": "model_not_found"}}
    words = r"does not serve the model 'scriptet' .*: did you mean scripted\?"
    with (
        serve(at(CHAT, lambda body: json_answer(missing, 404))) as server,
        pytest.raises(rmeval.ModelError, match=words),
    ):
        outputs(judge(server.url, "scriptet"), asked())


def test_a_prompt_that_the_server_cuts_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    def script(body: Any) -> Answer:
        data = reply_of("[[A>B]]")
        return json_answer({**data, "usage": {"prompt_tokens": 300, "completion_tokens": 4}})

    with serve(at(CHAT, script)) as server:
        outputs(judge(server.url), asked(1, "word " * 700))
        assert caplog.text == ""  # 3,500 characters may be 300 tokens.
        outputs(judge(server.url), asked(1, "word " * 2_000), asked(2, "word " * 2_000))
    assert caplog.text.count("it seems to have cut the prompt") == 1


KEY = "open.sesame/please"


def test_a_key_is_nowhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A server repeats the key in errors, in the judge's own words, in its name and its fingerprint."""
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    table = judged_pairs(6, tmp_path / "pairs.jsonl")
    whole = scripted_judge(table)

    def script(request: Received) -> Answer:
        if request.path != CHAT:
            return whole(request)
        assert request.headers["authorization"] == f"Bearer {KEY}"
        if b"Question 0" in request.body:
            return json_answer({"error": {"message": f"key {KEY} is over quota", "code": 400}})
        if b"Question 1" in request.body:
            return json_answer({"error": {"message": f"bad key {KEY}"}}, 500)
        if b"Question 2" in request.body:
            return json_answer(reply_of(f"I refuse {KEY}", f"scripted {KEY}", finish="content_filter"))
        data = json.loads(whole(request).body)  # type: ignore[arg-type]
        data["choices"][0]["message"]["content"] += f" My key is {KEY}."
        data["choices"][0]["message"]["reasoning"] = f"Authorization: Bearer {KEY}"
        return json_answer({**data, "model": f"scripted {KEY}", "system_fingerprint": KEY})

    with serve(script) as server:
        run = ["run", server.url, "-b", "pairs", "--data", tmp_path / "pairs.jsonl", "--protocol", "five-way"]
        done = command(
            capsys, *run, "-o", tmp_path / "runs", "--api-key-env", "MY_KEY", "--retries", "0", "--store-text"
        )
    assert done.code == 0, done.err
    folder = rmeval.open_run(tmp_path / "runs").path
    shown = command(capsys, "show", folder).out
    texts = dict(read_raw(folder / "raw"))
    assert "My key is [redacted]." in "".join(texts.values())
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    for text in (done.out, done.err, shown, caplog.text, repr(texts), *(file.decode("latin-1") for file in files)):
        assert KEY not in text
