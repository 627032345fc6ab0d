"""What is read of an answer of chat/completions: each shape that servers send, and any other JSON."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.models.judge.answers import failure_in, is_too_long, read_answer, usage_of
from rmeval.protocols.judging import Output, Prompt
from rmeval.transport import AnswerFault, Usage
from rmeval.types import Message

TEXT = Prompt((Message("user", "Which?"),))
LABELS = Prompt((Message("user", "Which?"),), "labels", ("A", "B"))


def answer(content: Any = "[[A>B]]", finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    }


USED = {"tokens": 10, "output_tokens": 4}
PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "let me see"}]},
    {"type": "text", "text": "I say "},
    {"type": "output_text", "text": "[[B>A]]"},
    {"type": "image_url", "image_url": {}},
]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (answer(), Output("[[A>B]]", usage=USED)),
        (answer(reasoning_content="because"), Output("[[A>B]]", "because", usage=USED)),
        (answer(reasoning="because"), Output("[[A>B]]", "because", usage=USED)),
        (answer(reasoning_content="", reasoning="because"), Output("[[A>B]]", "because", usage=USED)),
        (answer(reasoning_content=None), Output("[[A>B]]", usage=USED)),
        (answer(None), Output("", usage=USED)),
        (answer(None, reasoning="because"), Output("", "because", usage=USED)),
        (answer(None, tool_calls=[{"id": "1"}]), Output("", usage=USED)),
        (answer(PARTS), Output("I say [[B>A]]", "let me see", usage=USED)),
        (answer(["one ", "two"]), Output("one two", usage=USED)),
        (answer(7), Output("", usage=USED)),
        (answer("I was about to", "length"), Output("I was about to", finish="length", usage=USED)),
        (answer("I was about to", "max_tokens"), Output("I was about to", finish="length", usage=USED)),
        (answer("I was", "stop_sequence"), Output("I was", usage=USED)),
        (answer("[[A>B]]", None), Output("[[A>B]]", usage=USED)),
        (answer("", "content_filter"), Output("", finish="refused", usage=USED)),
        (answer("", "SAFETY"), Output("", finish="refused", usage=USED)),
        (answer(None, refusal="I cannot help"), Output("I cannot help", finish="refused", usage=USED)),
        (answer([{"type": "refusal", "refusal": "No."}]), Output("No.", finish="refused", usage=USED)),
        (answer("", "error"), Output(error="the server ended the output with error", usage=USED)),
        (answer("", "abort"), Output(error="the server ended the output with abort", usage=USED)),
        ({"choices": []}, Output(error="the answer has no choices")),
        ({"choices": None}, Output(error="the answer has no choices")),
        ({"choices": [{"text": "[[A>B]]"}]}, Output(error="the answer's choice has no message")),
        ({"choices": [{"error": {"message": "dead"}}]}, Output(error="the answer reports an error (dead)")),
        ({"error": "no"}, Output(error="the answer reports an error (no)")),
        ({"error": {"type": "overloaded_error"}}, Output(error="the answer reports an error (overloaded_error)")),
        ([1], Output(error="the answer [1] is not a JSON object")),
        (None, Output(error="the answer None is not a JSON object")),
    ],
)  # fmt: skip
def test_an_answer(data: Any, wanted: Output) -> None:
    assert read_answer(data, TEXT) == wanted


def test_the_first_choice_counts_though_several_came_in_another_order() -> None:
    data = answer("first")
    data["choices"] = [{"index": 1, "message": {"content": "second"}}, *data["choices"]]
    assert read_answer(data, TEXT).text == "first"


@pytest.mark.parametrize(
    ("code", "status"),
    [(502, 502), ("429", 429), (401, 401), ("insufficient_quota", None), (200, None), (None, None), (True, None)],
)
def test_the_code_of_an_error_counts_as_its_status(code: Any, status: int | None) -> None:
    fault = AnswerFault("the answer reports an error (x)", status)
    assert failure_in({"error": {"message": "x", "code": code}}) == fault
    assert failure_in({"choices": [{"error": {"message": "x", "code": code}}]}) == fault


def with_logprobs(*tops: tuple[Any, Any], finish: str = "length") -> dict[str, Any]:
    data = answer("A", finish)
    listed = [{"token": token, "logprob": logprob} for token, logprob in tops]
    data["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": listed}]}
    return data


@pytest.mark.parametrize(
    ("tops", "a", "b"),
    [
        ([("A", math.log(0.6)), ("B", math.log(0.3)), ("C", math.log(0.1))], 0.6, 0.3),
        ([("A", math.log(0.4)), ("B", math.log(0.3)), ("A", math.log(0.2))], 0.6, 0.3),  # Two ids of one text.
        ([("A", math.log(0.6)), ("The", math.log(0.396)), ("It", math.log(0.004))], 0.6, 0.0),
        ([("A", 0.0), ("B", -9999.0), ("B", float("-inf")), (None, 0), ("B", None)], 1.0, 0.0),
    ],
)
def test_label_probabilities(tops: list[tuple[Any, Any]], a: float, b: float) -> None:
    found = read_answer(with_logprobs(*tops), LABELS)
    assert found.probabilities == {"A": pytest.approx(a), "B": pytest.approx(b)}
    assert found.label_mass == pytest.approx(a + b)
    assert found.finish == "stop"  # One token is all that was wanted.


@pytest.mark.parametrize(
    ("a", "last", "known"),
    [(0.9, 0.008, True), (0.9, 0.01, False), (0.5, 0.004, True), (0.5, 0.02, False), (0.0, 0.3, False)],
)
def test_a_label_that_is_not_listed(a: float, last: float, known: bool) -> None:
    """It is at most as probable as the last token of the list, which may be too much to be called 0."""
    tops = [("The", math.log(1 - a - last)), *([("A", math.log(a))] if a else []), ("It", math.log(last))]
    found = read_answer(with_logprobs(*tops), LABELS)
    assert found.error is None
    assert found.probabilities == ({"A": pytest.approx(a), "B": 0.0} if known else {})


@pytest.mark.parametrize(
    "logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"top_logprobs": []}]}]
)
def test_an_answer_without_logprobs_is_an_error(logprobs: Any) -> None:
    data = answer("A")
    data["choices"][0]["logprobs"] = logprobs
    assert read_answer(data, LABELS).error == "the answer has no log-probabilities of its first token"


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4}, Usage(10, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 40}, Usage(10, 30)),  # With reasoning.
        ({"prompt_tokens": 10}, Usage(10, 0)),
        ({"completion_tokens": 4}, None),
        ({"prompt_tokens": -1}, None),
        ({"prompt_tokens": "10"}, None),
        (None, None),
    ],
)
def test_usage(usage: Any, wanted: Usage | None) -> None:
    assert usage_of({"usage": usage}) == wanted


@pytest.mark.parametrize(
    "error",
    [
        "HTTP 400: This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "HTTP 400: context_length_exceeded",
        "HTTP 400: 'max_tokens' is too large: 2048. This model's maximum context length is 1024 tokens",
        "HTTP 400: prompt is too long: 210000 tokens > 200000 maximum",
        "HTTP 400: The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)",
        "HTTP 422: Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096",
        "HTTP 400: The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "HTTP 400: the decoder prompt (length 1200) is longer than the maximum model length of 1024",
    ],
)
def test_what_servers_answer_to_a_long_prompt(error: str) -> None:
    assert is_too_long(error)


def test_other_refusals_are_not_overlength() -> None:
    for error in (
        None,
        "HTTP 400: max_tokens is too large: 200000. This model supports at most 16384 completion tokens",
        "HTTP 400: Unsupported parameter: 'max_tokens' is not supported with this model",
        "HTTP 400: temperature does not support 0",
    ):
        assert not is_too_long(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "content",
    "finish_reason",
    "message",
    "logprobs",
    "refusal",
    "reasoning",
    "index",
    "error",
    "choices",
    "usage",
]


@given(JSON, st.lists(st.tuples(st.sampled_from(NAMES), JSON), max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_json_breaks_it(data: Any, changes: list[tuple[str, Any]], top: bool) -> None:
    whole = answer()
    whole["choices"][0]["logprobs"] = {"content": [{"top_logprobs": [{"token": data, "logprob": data}]}]}
    for name, value in changes:
        place = whole if top else whole["choices"][0] if name != "content" else whole["choices"][0].get("message")
        if isinstance(place, dict):
            place[name] = value
    for one in (data, whole, {"choices": [data]}, answer(data), answer([data, {"type": data, "text": data}])):
        for prompt in (TEXT, LABELS):
            found = read_answer(one, prompt)
            assert isinstance(found.text, str)
            assert found.error is None or found.error
            assert (failure_in(one) is None) or found.error is not None
            assert all(0 <= own <= 1.0001 for own in found.probabilities.values())
