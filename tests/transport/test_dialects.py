"""Requests and answers of each dialect, as pure functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.errors import ModelError
from rmeval.transport.dialects import DIALECTS, AnswerError, Dialect, Form, Input, find_dialect
from tests.models import served as like

TALK = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
FORMS: dict[Form, list[Input]] = {
    "tokens": [[1, 2, 3], [4], [5, 6]],
    "text": ["one", "two three", ""],
    "messages": [TALK, [*TALK[:1], {"role": "assistant", "content": "B"}]],
}
ROUTES = {
    "vllm-classify@1": like.vllm_like,
    "vllm-pooling@1": like.vllm_like,
    "vllm-score@1": like.vllm_like,
    "sglang-classify@1": like.sglang_like,
    "tei-predict@1": like.tei_like,
    "infinity-classify@1": like.infinity_like,
    "openrlhf-get-reward@1": like.openrlhf_like,
    "nim-chat@1": like.nim_like,
}
CASES = [(name, form) for name, one in DIALECTS.items() for form in one.traits.forms]


def answer(dialect: Dialect, form: Form, inputs: list[Input], raw: bool = True, model: Any = like.drawn) -> Any:
    """What the server in miniature answers."""
    name = "nvidia/rm" if dialect.traits.name.startswith("nim") else "rm"
    routes = ROUTES[dialect.traits.name](model)  # type: ignore[operator]
    return routes[dialect.traits.path.replace("/", "__")](dialect.body(form, inputs, name, raw))


def content(name: str, one: Input) -> Any:
    """The content from which a server in miniature draws the score of an input."""
    return "\0".join(message["content"] for message in one) if name.startswith("vllm-score") else one  # type: ignore[index]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_scores_are_those_of_the_inputs(name: str, form: Form) -> None:
    dialect = DIALECTS[name]
    for one in FORMS[form]:
        (found,) = dialect.read(answer(dialect, form, [one]), 1)
        assert found.numbers.tolist() == like.drawn(content(name, one))
    if form in dialect.traits.lists:
        several = dialect.read(answer(dialect, form, FORMS[form]), len(FORMS[form]))
        assert [one.numbers.tolist() for one in several] == [like.drawn(one) for one in FORMS[form]]


@pytest.mark.parametrize("name", [name for name, one in DIALECTS.items() if one.traits.switch == "flag"])
def test_the_switch_changes_what_the_server_returns(name: str) -> None:
    dialect = DIALECTS[name]
    form = dialect.traits.forms[0]
    (one,) = dialect.read(answer(dialect, form, FORMS[form][:1], raw=False), 1)
    assert one.numbers.tolist() == like.sigmoid(like.drawn(content(name, FORMS[form][0])))


@pytest.mark.parametrize("name", ["vllm-classify@1", "vllm-pooling@1"])
def test_token_ids_are_sent_without_further_special_tokens(name: str) -> None:
    body = DIALECTS[name].body("tokens", [[1, 2]], "rm")
    assert (body["input"], body["add_special_tokens"], body["use_activation"]) == ([1, 2], False, False)
    assert "model" not in DIALECTS[name].body("tokens", [[1, 2]], None)


@pytest.mark.parametrize("name", ["tei-predict@1", "infinity-classify@1"])
@pytest.mark.parametrize("highest", [0, 1, 2])
def test_outputs_that_are_sorted_by_score_are_read_by_label(name: str, highest: int) -> None:
    scores = [0.25, 0.5, 0.75]
    scores[highest] = 4.0
    dialect = DIALECTS[name]
    (found,) = dialect.read(answer(dialect, "text", ["one"], model=lambda _: scores), 1)
    assert (found.numbers.tolist(), found.labels) == (scores, ("LABEL_0", "LABEL_1", "LABEL_2"))


def test_numbered_labels_are_in_the_order_of_their_numbers() -> None:
    scores = [float(k) for k in range(11)]
    data = like.by_score(scores)
    assert find_dialect("tei-predict").read(data, 1)[0].numbers.tolist() == scores
    named = like.by_score([1.0, 2.0], ["helpful", "correct"])
    assert find_dialect("tei-predict").read(named, 1)[0].labels == ("correct", "helpful")


def test_attributes_in_a_message() -> None:
    nim = DIALECTS["nim-chat@1"]

    def said(text: Any) -> Any:
        return {"choices": [{"message": {"content": text}}]}

    assert nim.read(said("reward:-4.5"), 1)[0].numbers.tolist() == [-4.5]
    (found,) = nim.read(said(" helpfulness:1.25, correctness: 2 ,a:b:-1e-3"), 1)
    assert (found.labels, found.numbers.tolist()) == (("a:b", "correctness", "helpfulness"), [-1e-3, 2.0, 1.25])
    for text in ("I think it is good.", "", "reward:", ":3", "reward:nan", "reward:1,reward:2", None, "8"):
        with pytest.raises(AnswerError):
            nim.read(said(text), 1)


def entries(*scores: Any) -> list[dict[str, Any]]:
    return [{"index": k, "probs": one, "num_classes": 1} for k, one in enumerate(scores)]


HOSTILE = {
    "no data": ({"object": "list"}, "the answer has no data"),
    "text": ("sorry", "the answer has no data"),
    "null": (None, "the answer has no data"),
    "fewer": ({"data": entries([0.1])}, "1 entry for 2 inputs"),
    "more": ({"data": entries([0.1], [0.2], [0.3])}, "3 entries for 2 inputs"),
    "the same index twice": ({"data": [entries([0.1])[0], entries([0.2])[0]]}, "are not those of 2 inputs"),
    "an index beyond": ({"data": [*entries([0.1]), {"index": 2, "probs": [0.2]}]}, "are not those of 2 inputs"),
    "no index": ({"data": [{"probs": [0.1]}, {"probs": [0.2]}]}, "the answer has no index"),
    "an index that is a truth value": (
        {"data": [{"index": False, "probs": [0.1]}, {"index": True, "probs": [0.2]}]},
        "are not those of 2 inputs",
    ),
    "NaN": ({"data": entries([0.1], [float("nan")])}, "contains nan"),
    "infinity": ({"data": entries([0.1], [float("-inf")])}, "contains -inf"),
    "null for a score": ({"data": entries([0.1], [None])}, "contains None"),
    "a text for a score": ({"data": entries([0.1], ["0.2"])}, "contains 0.2 where a number"),
    "a truth value for a score": ({"data": entries([0.1], [True])}, "contains True"),
    "no scores": ({"data": entries([0.1], [])}, "is an empty list"),
    "scores of each token": ({"data": entries([0.1], [[0.1], [0.2]])}, "values for each token"),
    "another number of classes": (
        {"data": [*entries([0.1]), {"index": 1, "probs": [0.2], "num_classes": 2}]},
        "states",
    ),
    "a large number": ({"data": entries([0.1], [10**400])}, "where a finite number"),
    "an entry that is a number": ({"data": [0.1, 0.2]}, "the answer has no index"),
}


@pytest.mark.parametrize(("data", "words"), HOSTILE.values(), ids=HOSTILE)
def test_an_answer_that_is_not_whole_is_a_fault(data: Any, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        DIALECTS["vllm-classify@1"].read(data, 2)


@given(st.permutations(range(5)))
def test_entries_in_any_order_are_those_of_their_index(order: list[int]) -> None:
    whole = entries(*([float(k)] for k in range(5)))
    read = DIALECTS["vllm-classify@1"].read({"data": [whole[k] for k in order]}, 5)
    assert [one.numbers.tolist() for one in read] == [[float(k)] for k in range(5)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "index", "probs", "score", "label", "rewards", "embedding", "choices", "message"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([*DIALECTS]), JSON, st.integers(1, 3))
def test_any_json_is_read_or_is_a_fault(name: str, data: Any, count: int) -> None:
    try:
        found = DIALECTS[name].read(data, count)
    except AnswerError as error:
        assert str(error)
    else:
        assert len(found) == count
        assert all(np.isfinite(one.numbers).all() for one in found)


def test_labels_that_repeat_are_a_fault() -> None:
    data = [{"label": "A", "score": 1.0}, {"label": "A", "score": 2.0}]
    with pytest.raises(AnswerError, match="not different texts"):
        DIALECTS["tei-predict@1"].read(data, 1)


def test_ids_that_repeat_are_a_fault() -> None:
    data = [{"embedding": [1.0], "meta_info": {"id": "x"}}, {"embedding": [2.0], "meta_info": {"id": "x"}}]
    with pytest.raises(AnswerError, match="the same id"):
        DIALECTS["sglang-classify@1"].read(data, 2)


def test_only_a_question_and_a_response_are_two_texts() -> None:
    with pytest.raises(AnswerError, match="not messages of the roles system, user, assistant"):
        DIALECTS["vllm-score@1"].body("messages", [[{"role": "system", "content": "S"}, *TALK]], "rm")


WHOLE = """
path = "/v1/score"
score = "results.0.score"
[body]
model = "{model}"
chat = { turns = "{messages}", options = [1, "{model}"] }
[raw]
normalize = false
[activated]
normalize = true
"""
LISTS = """
path = "reward"
score = "results.*.values"
adds_special_tokens = true
[body]
items = "{texts}"
"""


def written(folder: Path, text: str) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def test_a_file_describes_a_dialect(tmp_path: Path) -> None:
    own = find_dialect(written(tmp_path, WHOLE))
    assert (own.traits.name, own.traits.forms, own.traits.lists) == ("file:mine", ("messages",), ())
    body = own.body("messages", [TALK], "rm", raw=False)
    assert body == {"model": "rm", "chat": {"turns": TALK, "options": [1, "rm"]}, "normalize": True}
    assert own.body("messages", [TALK], "rm")["normalize"] is False
    assert own.read({"results": [{"score": 3}]}, 1)[0].numbers.tolist() == [3.0]
    with pytest.raises(AnswerError, match=r"no results\.0"):
        own.read({"results": []}, 1)


def test_a_file_describes_lists_of_inputs(tmp_path: Path) -> None:
    own = find_dialect(written(tmp_path, LISTS))
    assert own.body("text", ["a", "b"], None) == {"items": ["a", "b"]}
    assert own.traits.lists == ("text",)
    read = own.read({"results": [{"values": [1, 2]}, {"values": [3, 4]}]}, 2)
    assert [one.numbers.tolist() for one in read] == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(AnswerError, match="1 entry for 2 inputs"):
        own.read({"results": [{"values": [1]}]}, 2)
    with pytest.raises(AnswerError, match="not in the order"):
        own.read({"results": [{"values": [1], "index": 1}, {"values": [1], "index": 0}]}, 2)


def test_the_identity_of_a_file_changes_with_its_contents(tmp_path: Path) -> None:
    first = find_dialect(written(tmp_path, WHOLE)).identity
    assert first == find_dialect(written(tmp_path, WHOLE)).identity
    assert first != find_dialect(written(tmp_path, WHOLE.replace("false", "true"))).identity
    assert DIALECTS["tei-predict@1"].identity == "tei-predict@1"


BROKEN = {
    "path = ": "cannot be read as TOML",
    "": "lacks path and score and body",
    WHOLE + "\n[more]\na = 1\n": "unknown key 'more'",
    WHOLE.replace('"/v1/score"', "3"): "path must be a text",
    WHOLE.replace("{messages}", "{message}"): "0 places of the input",
    WHOLE.replace("results.0.score", "results.*.score"): "no \\*",
    LISTS.replace("results.*.values", "results.0.values"): "one \\* in place of the position",
    LISTS.replace("adds_special_tokens = true", ""): "adds_special_tokens",
    LISTS + 'api_key = "abc"\n': "looks like a secret",
}


@pytest.mark.parametrize(("text", "words"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_file_that_lacks_something_is_a_sentence(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"mine\.toml.*{words}"):
        find_dialect(written(tmp_path, text))


def test_an_unknown_dialect_lists_all() -> None:
    with pytest.raises(ModelError, match="did you mean vllm-classify@1"):
        find_dialect("vllm-clasify@1")
    with pytest.raises(ModelError, match="cannot be read"):
        find_dialect("missing.toml")
