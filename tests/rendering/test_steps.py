"""Token ids of steps: equal to what the published code of each layout makes, with each step read where it ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.errors import ModelError
from rmeval.models.cards import find_card
from rmeval.protocols.pointwise import conversation_requests
from rmeval.protocols.step_layout import StepLayout
from rmeval.rendering.boundary import Rendered
from rmeval.rendering.chat import Renderer
from rmeval.rendering.steps import StepPrompt, split_steps
from rmeval.rendering.token_source import TokenSource
from rmeval.types import Message
from tests.zoo.process_models import llama_tokenizer, qwen_tokenizer, spaced

WORDS = (
    "the",
    "answer",
    "is",
    "7",
    "(3 + 4)",
    "x = 1",
    "so:",
    "yes!",
    "\\[ y \\]",
    "it\u2019s",
    "done.",
    "- one\n- two",
)
steps = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join), min_size=1, max_size=5)
TOKENIZERS: dict[str, Any] = {
    "qwen": qwen_tokenizer(bos_token="<|endoftext|>"),
    "llama": llama_tokenizer(),
    "mistral": spaced("▁ки", "▁+", "▁-", "▁the", pad="<unk>"),
    "first": spaced("▁the", pad="<s>"),
}


def layout_of(card: str) -> StepLayout:
    found = find_card(card).steps
    assert found is not None
    return found


def prompt_of(name: str, layout: StepLayout) -> StepPrompt:
    tokenizer = TOKENIZERS[name]
    loaded = (tokenizer, TokenSource(name, type(tokenizer).__name__, None))
    return StepPrompt(Renderer(name, None, chat=False, loaded=loaded), layout, name)


def rendered(prompt: StepPrompt, question: str, response: str, *before: Message) -> Rendered:
    (found,) = prompt.render(
        conversation_requests([(*before, Message("user", question), Message("assistant", response))])
    )
    return found


def plain(name: str, text: str) -> list[int]:
    found: list[int] = TOKENIZERS[name](text, add_special_tokens=False)["input_ids"]
    return found


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_separator_that_is_a_token_equals_the_joined_text(own: list[str]) -> None:
    """As Qwen's README does: the steps joined by <extra_0>, in the assistant's turn."""
    found = rendered(prompt_of("qwen", layout_of("qwen-math-prm")), "Why?", "\n\n".join(own))
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    talk = [
        {"role": "system", "content": system},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "<extra_0>".join(own) + "<extra_0>"},
    ]
    ids = plain("qwen", TOKENIZERS["qwen"].apply_chat_template(talk, tokenize=False))
    (separator,) = plain("qwen", "<extra_0>")
    assert found.tokens.tolist() == ids
    assert list(found.steps) == [place for place, one in enumerate(ids) if one == separator]


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_separator_is_appended_as_ids(own: list[str]) -> None:
    """As PURE's code does. Joined as text, a line break would merge with the punctuation before it."""
    found = rendered(prompt_of("qwen", layout_of("pure-prm")), "Why?", "\n\n".join(own))
    ids, ends = plain("qwen", "Why?"), []
    for step in own:
        ids += plain("qwen", step) + plain("qwen", "\n\n")
        ends.append(len(ids) - 1)
    assert (found.tokens.tolist(), list(found.steps)) == (ids, ends)
    if any(step.endswith(".") for step in own):
        assert plain("qwen", "Why?" + "".join(f"{step}\n\n" for step in own)) != ids


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_turn_for_each_step(own: list[str]) -> None:
    """As RLHFlow's code does: the third-last token of the conversation up to each step."""
    found = rendered(prompt_of("llama", layout_of("rlhflow-prm")), "Why?", "\n\n".join(own))
    talk: list[dict[str, str]] = []
    ends = []
    for number, step in enumerate(own):
        talk += [{"role": "user", "content": step if number else f"Why? {step}"}, {"role": "assistant", "content": "+"}]
        ids = TOKENIZERS["llama"].apply_chat_template(talk, return_dict=True)["input_ids"]
        ends.append(len(ids) - 3)
    assert (found.tokens.tolist(), list(found.steps)) == (ids, ends)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_tag_in_the_text(own: list[str]) -> None:
    """As Math-Shepherd's README does: one text, in which each step ends in a tag."""
    found = rendered(prompt_of("mistral", layout_of("math-shepherd")), "Why?", "\n\n".join(own))
    text = "Why? " + "".join(f"Step {number}: {step} ки\n" for number, step in enumerate(own, 1))
    ids = TOKENIZERS["mistral"](text)["input_ids"]
    tag = TOKENIZERS["mistral"].encode("ки")[-1]
    assert (found.tokens.tolist(), list(found.steps)) == (ids, [k for k, one in enumerate(ids) if one == tag])
    assert len(found.steps) == len(own)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_separators_that_are_removed(own: list[str]) -> None:
    """As ReasonEval's code does: the padding token, here also BOS, ends each step, and is not read by the network."""
    last, before = (
        rendered(prompt_of("first", layout_of(card)), "Why?", "\n\n".join(own))
        for card in ("reason-eval-34b", "reason-eval-7b")
    )
    head = "Question:\nWhy?\nAnswer:\nLet's think step by step.\n"
    parts = [TOKENIZERS["first"](part)["input_ids"][1:] for part in (head, *own)]
    assert last.tokens.tolist() == [TOKENIZERS["first"].bos_token_id, *(one for part in parts for one in part)]
    assert list(last.steps) == np.cumsum([len(part) for part in parts])[1:].tolist()
    assert (before.tokens.tolist(), list(before.steps)) == (last.tokens.tolist(), [one - 1 for one in last.steps])


def test_lines_are_steps_as_they_are() -> None:
    """As Skywork's code does, for which an empty line is a step too."""
    text = "First.\n  - (two)\n\nlast"
    found = rendered(prompt_of("qwen", layout_of("skywork-o1-prm")), "Why?", text)
    ids, ends = plain("qwen", "<|endoftext|>Why?\n"), []
    for line in text.split("\n"):
        ids += plain("qwen", line) + plain("qwen", "\n")
        ends.append(len(ids) - 1)
    assert (found.tokens.tolist(), list(found.steps)) == (ids, ends)


def test_splitting() -> None:
    blank = StepLayout("identity", read="step")
    assert split_steps("a\n\n\n b\nc \n\n \n\n", blank) == ["a", "b\nc"]
    assert split_steps("a\n\nb", StepLayout("identity", read="step", split="\n", exact=True)) == ["a", "", "b"]
    for layout in (blank, StepLayout("identity", read="step", exact=True)):
        assert split_steps("", layout) == []


@pytest.mark.parametrize(
    ("name", "card", "question", "response", "error"),
    [
        ("qwen", "qwen-math-prm", "Why?", "a <extra_0> b", "the prompt or a step contains the separator '<extra_0>'"),
        ("qwen", "qwen-math-prm", "Why <extra_0>?", "a", "the prompt or a step contains the separator"),
        ("mistral", "math-shepherd", "Why?", "a ки b", "2 tokens end a separator, and there are 1 steps"),
        ("qwen", "pure-prm", "Why?", " \n\n", "the response is empty, so it has no steps"),
    ],
)
def test_steps_that_cannot_be_found(name: str, card: str, question: str, response: str, error: str) -> None:
    found = rendered(prompt_of(name, layout_of(card)), question, response)
    assert error in (found.error or "")
    assert not len(found.tokens)


def test_a_system_message_replaces_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    prompt = prompt_of("qwen", layout_of("qwen-math-prm"))
    found = rendered(prompt, "Why?", "a", Message("system", "Be brief."))
    text = TOKENIZERS["qwen"].decode(found.tokens)
    assert ("Be brief." in text, "boxed" in text) == (True, False)


@pytest.mark.parametrize(
    "before", [[Message("system", "Be brief.")], [Message("user", "A?"), Message("assistant", "B")]]
)
def test_messages_that_a_layout_does_not_show_are_an_error(before: list[Message]) -> None:
    with pytest.raises(ModelError, match=f"does not show messages of the role .*'{before[0].role}'"):
        rendered(prompt_of("qwen", layout_of("pure-prm")), "Why?", "a", *before)


def test_a_text_with_the_place_holder() -> None:
    found = rendered(prompt_of("qwen", layout_of("qwen-math-prm")), "Why \ue000?", "\ue000a")
    assert (found.error, len(found.steps)) == (None, 1)
    assert TOKENIZERS["qwen"].decode(found.tokens).count("\ue000") == 2


def test_a_template_that_drops_earlier_turns() -> None:
    layout = layout_of("rlhflow-prm")
    prompt = prompt_of("llama", layout)
    prompt._renderer.tokenizer = llama_tokenizer()
    prompt._renderer.tokenizer.chat_template = "{{ messages[-2]['content'] }}{{ messages[-1]['content'] }}"
    found = rendered(prompt, "Why?", "a\n\nb")
    assert "does not show each turn of the assistant once" in (found.error or "")
